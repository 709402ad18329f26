/* SPDX-License-Identifier: MIT */
/*
 * ouro_load - a load generator for HTTP and echo servers, on ouro itself
 *
 * Question: how many requests a second, at which latencies, and is each answer right?
 * Run:      taskset -c 0 build/examples/http_server --delay 0 &
 *           taskset -c 1 build/bench/ouro_load --duration 5s http://127.0.0.1:8000/
 * Prints:   rate, percentiles, errors by kind, and what the generator itself took; --help lists
 *           the options, docs/load.md explains them. Exit status 0: nothing failed; 1: something
 *           did; 2: the command line.
 *
 *     load_options    the command line            load_tape       requests, laid out to be sent
 *     load_run        connections and time        load_reply      answers, read
 *     load_schedule   when requests are due       load_histogram  latencies
 *     load_stats      what was found out          load_report     how it is told
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "load_options.h"
#include "load_report.h"
#include "load_run.h"
#include "ouro_dns.h"

/* What one thread counts, on cache lines of its own. */
struct share {
    _Alignas(128) struct load_progress progress;
    struct load_plan plan;
    struct load_stats stats;
};

struct program {
    struct load_options options;
    struct load_tape tape;
    struct load_start start;
    struct share *shares; /* of the threads */
};

/* --- what is sent ------------------------------------------------------------------------ */

static int complain(const char *what, int code)
{
    fprintf(stderr, "ouro_load: %s: %s\n", what, ouro_strerror(code));
    return code;
}

static int add_raws(const struct load_options *options, struct load_requests *requests)
{
    int code = 0;

    for (unsigned i = 0; i < options->raw_count && code >= 0; i++) {
        size_t len;
        char *text;

        code = load_read_file(options->raws[i], &text, &len);
        if (code)
            return complain(options->raws[i], code);
        code = load_requests_add_raw(requests, text, len);
        free(text);
        if (code < 0)
            return complain(options->raws[i], code);
    }
    return 0;
}

static int add_mix(const struct load_options *options, const struct load_request_options *common,
                   struct load_requests *requests)
{
    unsigned line = 0;
    size_t len;
    char *text;
    int code = load_read_file(options->mix, &text, &len);

    if (code)
        return complain(options->mix, code);
    code = load_requests_add_mix(requests, common, text, &line);
    free(text);
    if (code)
        fprintf(stderr, "ouro_load: %s:%u: %s\n", options->mix, line,
                code == -EINVAL ? "not \"WEIGHT METHOD PATH [BODY-FILE]\"" : ouro_strerror(code));
    return code;
}

static int add_requests(const struct load_options *options, struct load_requests *requests)
{
    struct load_request_options common = {.host = options->host,
                                          .headers = options->headers,
                                          .header_count = options->header_count,
                                          .closes = options->closes};
    const char *method = options->method ? options->method : options->body ? "POST" : "GET";
    int code;

    if (options->raw_count)
        return add_raws(options, requests);
    if (options->mix)
        return add_mix(options, &common, requests);
    if (options->echo_bytes)
        code = load_requests_add_echo(requests, options->echo_bytes);
    else
        code = load_requests_add(requests, &common, method, options->path, options->body,
                                 options->body_len, 1);
    return code ? complain("the request", code) : 0;
}

static int make_tape(struct program *program)
{
    struct load_requests requests = {NULL, 0};
    int code = add_requests(&program->options, &requests);

    if (!code) {
        code = load_tape_make(&requests, program->options.pipeline, &program->tape);
        if (code)
            (void) complain(code == -EINVAL ? "there are no requests" : "the requests", code);
    }
    load_requests_done(&requests);
    return code;
}

/* --- threads ----------------------------------------------------------------------------- */

/* The index-th of `count` parts of a whole. */
static uint64_t part(uint64_t whole, unsigned index, unsigned count)
{
    return whole / count + (index < whole % count);
}

static void make_plan(struct program *program, unsigned index)
{
    const struct load_options *options = &program->options;
    struct share *share = &program->shares[index];
    unsigned threads = options->threads;

    share->plan = (struct load_plan) {
        .address = options->address,
        .tape = &program->tape,
        .expected = {options->expected_body, options->expected_body_len},
        .statuses = options->statuses_text ? options->statuses : NULL,
        .length = options->length,
        .connections = (unsigned) part(options->connections, index, threads),
        .pipeline = options->pipeline,
        .closes = options->closes,
        .requests = part(options->requests, index, threads),
        .rate = options->rate / threads,
        .warm_up_ns = options->warm_up_ns,
        .duration_ns = options->duration_ns,
        .timeout_ns = options->timeout_ns,
        .think_ns = options->think_ns,
        .start = threads > 1 ? &program->start : NULL,
        .progress = &share->progress,
    };
    for (unsigned i = 0; i < index; i++)
        share->plan.first += (unsigned) part(options->connections, i, threads);
    if (options->rate > 0)
        share->plan.phase_ns = (int64_t) (index * 1e9 / options->rate);
    if (options->echo_bytes)
        share->plan.expected = (struct load_expectation) {program->tape.text, options->echo_bytes};
}

static int resolve(struct load_options *options)
{
    struct ouro_address *addresses;
    size_t count;
    int code;

    if (!options->name[0])
        return 0;
    code = ouro_resolve(options->name, options->port, 0, &addresses, &count);
    if (code)
        return code;
    options->address = addresses[0];
    ouro_resolve_free(addresses);
    return 0;
}

/* Of all threads together. */
static struct load_progress read_progress(const struct program *program)
{
    struct load_progress sum = {0, 0};

    for (unsigned i = 0; i < program->options.threads; i++) {
        const struct load_progress *progress = &program->shares[i].progress;

        sum.answers += __atomic_load_n(&progress->answers, __ATOMIC_RELAXED);
        sum.errors += __atomic_load_n(&progress->errors, __ATOMIC_RELAXED);
    }
    return sum;
}

static int tell_progress(void *arg)
{
    const struct program *program = arg;
    struct load_progress before = {0, 0};

    for (int second = 1; !ouro_sleep(OURO_SECOND); second++) {
        struct load_progress now = read_progress(program);

        fprintf(stderr,
                "%4d s  %9" PRIu64 " answers/s  %11" PRIu64 " in all  %8" PRIu64 " errors\n",
                second, now.answers - before.answers, now.answers, now.errors);
        before = now;
    }
    return 0;
}

static int run_share(void *arg)
{
    struct program *program = arg;
    unsigned index = ouro_shard_index();
    struct share *share = &program->shares[index];
    ouro_task_id progress = 0;
    int code;

    if (index == 0 && program->options.progress)
        progress = ouro_spawn(tell_progress, program);
    code = load_run(&share->plan, &share->stats);
    if (progress > 0)
        (void) ouro_cancel_join(progress, NULL);
    return code;
}

static int run_resolve(void *arg)
{
    return resolve(arg);
}

static int run_threads(struct program *program)
{
    const struct load_options *options = &program->options;
    struct ouro_run_options run_options = {
        .shards = options->threads, .spin_ns = options->spin_ns, .stack = OURO_STACK_64K};

    while (run_options.buffer_count < options->connections / options->threads &&
           run_options.buffer_count < 2048)
        run_options.buffer_count = run_options.buffer_count ? 2 * run_options.buffer_count : 256;
    program->start.waiting = options->threads;
    for (unsigned i = 0; i < options->threads; i++)
        make_plan(program, i);
    return ouro_run(run_share, program, &run_options);
}

/* --- what is told ------------------------------------------------------------------------ */

static int write_file(const char *path, const struct program *program,
                      const struct load_stats *stats, bool is_json)
{
    bool to_stdout = strcmp(path, "-") == 0;
    FILE *out = to_stdout ? stdout : fopen(path, "we");

    if (!out)
        return complain(path, -errno);
    if (is_json)
        load_report_json(out, &program->options, stats);
    else
        load_report_csv(out, stats);
    if (to_stdout ? fflush(out) : fclose(out))
        return complain(path, -errno);
    return 0;
}

static bool takes_stdout(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

static int tell(const struct program *program, const struct load_stats *stats)
{
    const struct load_options *options = &program->options;
    int code = 0;

    if (!takes_stdout(options->json) && !takes_stdout(options->csv))
        load_report_text(stdout, options, stats);
    if (options->json)
        code = write_file(options->json, program, stats, /* is_json= */ true);
    if (options->csv && !code)
        code = write_file(options->csv, program, stats, /* is_json= */ false);
    return code;
}

/* Returns the exit status. */
static int conclude(struct program *program, int code)
{
    struct load_stats *stats = &program->shares[0].stats;
    bool has_failed;

    if (code && code != -ECANCELED) {
        (void) complain(program->options.target, code);
        return 1;
    }
    for (unsigned i = 1; i < program->options.threads; i++)
        load_stats_merge(stats, &program->shares[i].stats);
    code = tell(program, stats);
    has_failed = load_stats_errors(stats) || !stats->requests;
    return code || stats->is_interrupted || (has_failed && !program->options.allow_errors);
}

/* --- the whole --------------------------------------------------------------------------- */

static int run(struct program *program)
{
    struct load_options *options = &program->options;
    int code = make_tape(program);
    int status = 1;

    if (code)
        return 1;
    program->shares = aligned_alloc(128, options->threads * sizeof(*program->shares));
    if (!program->shares)
        return 1;
    memset(program->shares, 0, options->threads * sizeof(*program->shares));
    code = options->name[0] ? ouro_run(run_resolve, options, NULL) : 0;
    if (code)
        (void) complain(options->name, code);
    else
        status = conclude(program, run_threads(program));
    free(program->shares);
    load_tape_done(&program->tape);
    return status;
}

/* Sleeps that end up to 50 us late would be seen in the latencies of a steady rate. */
static void prepare_process(void)
{
    struct rlimit limit;

    (void) prctl(PR_SET_TIMERSLACK, 1UL);
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static struct program program;
    int status, code = load_options_parse(argc, argv, stderr, &program.options);

    if (code == 1)
        fputs(load_usage, stdout);
    if (code == 2)
        puts("ouro_load (ouro " OURO_VERSION ")");
    if (code) {
        load_options_done(&program.options);
        return code < 0 ? 2 : 0;
    }
    prepare_process();
    status = run(&program);
    load_options_done(&program.options);
    return status;
}
