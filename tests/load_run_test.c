/* SPDX-License-Identifier: MIT */
/*
 * load_run_test.c - tests of bench/load_run.c and load_schedule.h, against servers of a few lines
 *
 * On the simulated ring the clock stands still while anybody computes: what a load tells of its
 * latencies can be reckoned beforehand.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_run.h"
#include "load_schedule.h"
#include "loop.h"

#define CLOSING_ANSWER "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
#define ANSWER         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* --- a server ---------------------------------------------------------------------------- */

/* It answers each request, or each piece of an echo, with the same text. */
struct server {
    const char *answer;         /* NULL: what came */
    unsigned close_after;       /* answers on a connection; 0: never */
    int64_t delay_ns;           /* before each answer */
    int64_t stall_at, stall_ns; /* it does nothing for so long; 0: never */
    struct ouro_address address;
    struct ouro_group group;
    int listener;
    unsigned connections, requests;
};

struct session {
    struct server *server;
    int fd;
};

static int64_t stall_end(const struct server *server)
{
    int64_t end = server->stall_at + server->stall_ns;
    int64_t now = ouro_now();

    return now >= server->stall_at && now < end ? end : 0;
}

static int answer(const struct session *session, const char *text, size_t len)
{
    struct server *server = session->server;
    int code = 0;

    server->requests++;
    if (server->delay_ns)
        code = ouro_sleep(server->delay_ns);
    if (!code && stall_end(server))
        code = ouro_sleep_until(stall_end(server));
    if (!code && len)
        code = ouro_send_all(session->fd, text, len, NULL);
    return code;
}

/* Of an answer to HEAD, the head. */
static size_t answer_len(const struct server *server, char first)
{
    const char *body = strstr(server->answer, "\r\n\r\n");

    return first == 'H' && body ? (size_t) (body + 4 - server->answer) : strlen(server->answer);
}

/* Requests end with an empty line, and have no bodies. */
static int serve_http(const struct session *session)
{
    const struct server *server = session->server;
    unsigned answers = 0, matched = 0;
    char bytes[512], first = '\0';
    ssize_t len;
    int code = 0;

    while (!code && (len = ouro_recv(session->fd, bytes, sizeof(bytes), 0)) > 0) {
        for (ssize_t i = 0; i < len && !code; i++) {
            first = first ? first : bytes[i];
            matched = bytes[i] == "\r\n\r\n"[matched] ? matched + 1 : bytes[i] == '\r';
            if (matched < 4)
                continue;
            matched = 0;
            code = answer(session, server->answer, answer_len(server, first));
            first = '\0';
            if (!code && ++answers == server->close_after)
                return 0;
        }
    }
    return code;
}

static int serve_echo(const struct session *session)
{
    char bytes[512];
    ssize_t len;
    int code = 0;

    while (!code && (len = ouro_recv(session->fd, bytes, sizeof(bytes), 0)) > 0)
        code = answer(session, bytes, (size_t) len);
    return code;
}

static int serve(void *arg)
{
    struct session *session = arg;

    (void) (session->server->answer ? serve_http(session) : serve_echo(session));
    (void) ouro_close(session->fd);
    return 0;
}

static int accept_all(void *arg)
{
    static const struct ouro_spawn_options options = {.arg_bytes = sizeof(struct session)};
    struct server *server = arg;
    int fd;

    while ((fd = ouro_accept(server->listener, NULL)) >= 0) {
        struct session session = {server, fd};

        server->connections++;
        CU_ASSERT_EQUAL(ouro_group_spawn_with(&server->group, serve, &session, &options), 0);
    }
    return 0;
}

static void start_server(struct server *server, const char *address)
{
    CU_ASSERT_EQUAL_FATAL(ouro_address_parse(address, -1, &server->address), 0);
    server->listener = ouro_listen(&server->address, 0);
    CU_ASSERT_FATAL(server->listener >= 0);
    CU_ASSERT_EQUAL(ouro_getsockname(server->listener, &server->address), 0);
    ouro_group_init_with(&server->group, OURO_GROUP_INDEPENDENT);
    CU_ASSERT_EQUAL(ouro_group_spawn(&server->group, accept_all, server), 0);
}

static void stop_server(struct server *server)
{
    ouro_group_cancel(&server->group);
    (void) ouro_group_wait(&server->group);
    (void) ouro_close(server->listener);
}

/* --- loads ------------------------------------------------------------------------------- */

/* A case: what is run, and what came of it. */
struct run {
    struct server server;
    struct load_plan plan;
    size_t echo_bytes;
    const char *raw;     /* requests; NULL: GET / */
    const char *address; /* NULL: 127.0.0.1 */
    bool has_no_server;
    struct load_stats stats;
    int code;
    int64_t took;
};

static void make_tape(const struct run *run, struct load_tape *tape)
{
    struct load_request_options common = {.host = "x"};
    struct load_requests requests = {NULL, 0};
    int code;

    if (run->raw)
        code = load_requests_add_raw(&requests, run->raw, strlen(run->raw)) > 0 ? 0 : -ENOMEM;
    else if (run->echo_bytes)
        code = load_requests_add_echo(&requests, run->echo_bytes);
    else
        code = load_requests_add(&requests, &common, "GET", "/", NULL, 0, 1);
    CU_ASSERT_EQUAL_FATAL(code, 0);
    CU_ASSERT_EQUAL_FATAL(load_tape_make(&requests, run->plan.pipeline, tape), 0);
    load_requests_done(&requests);
}

static uint64_t sum_of_errors(const struct run *run)
{
    return load_stats_errors(&run->stats);
}

static int run_load(void *arg)
{
    struct run *run = arg;
    struct load_tape tape;
    struct load_progress progress = {0, 0};
    int64_t start;

    make_tape(run, &tape);
    run->server.connections = run->server.requests = 0;
    start_server(&run->server, run->address ? run->address : "127.0.0.1:0");
    if (run->has_no_server)
        stop_server(&run->server);
    run->plan.address = run->server.address;
    run->plan.tape = &tape;
    run->plan.progress = &progress;
    if (run->echo_bytes)
        run->plan.expected = (struct load_expectation) {tape.text, run->echo_bytes};
    memset(&run->stats, 0, sizeof(run->stats));
    start = ouro_now();
    run->code = load_run(&run->plan, &run->stats);
    run->took = ouro_now() - start;
    CU_ASSERT(progress.answers >= run->stats.requests && progress.errors == sum_of_errors(run));
    if (!run->has_no_server)
        stop_server(&run->server);
    load_tape_done(&tape);
    return 0;
}

/* What most have in common: 3 connections, 60 requests. */
static struct run small_run(const char *text)
{
    return (struct run) {.server = {.answer = text},
                         .plan = {.connections = 3,
                                  .pipeline = 1,
                                  .requests = 60,
                                  .length = -1,
                                  .duration_ns = OURO_FOREVER,
                                  .timeout_ns = OURO_SECOND}};
}

/* --- the schedule ------------------------------------------------------------------------ */

static void test_schedule_does_not_drift(void)
{
    static const double rates[] = {1, 3, 999, 1e4 / 3, 142857.142857, 1e6};

    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        struct load_schedule schedule;
        int64_t last = 0;

        load_schedule_init(&schedule, 1000, rates[i]);
        CU_ASSERT_EQUAL(load_schedule_take(&schedule), 1000);
        for (int n = 1; n <= 100000; n++) {
            int64_t due = load_schedule_take(&schedule);

            CU_ASSERT_FATAL(due > last);
            last = due;
        }
        CU_ASSERT_DOUBLE_EQUAL((double) (last - 1000), 1e5 / rates[i] * 1e9, 2);
    }
}

/*
 * A thousand requests a second for ten seconds, and a server that stops for 100 ms once. Those
 * that are due meanwhile, 100, are answered when it is over, so that they have waited from 100 down
 * to 0 ms: 1 % of all, evenly spread. That holds when there are five connections only, and all but
 * five of the hundred could not even be sent.
 */
static void check_stall(unsigned connections)
{
    struct run run = small_run(ANSWER);
    const struct load_histogram *latency = &run.stats.latency;

    run.server.stall_at = 5 * OURO_SECOND;
    run.server.stall_ns = OURO_SECOND / 10;
    run.plan.connections = connections;
    run.plan.requests = 0;
    run.plan.rate = 1000;
    run.plan.duration_ns = 10 * OURO_SECOND;
    CU_ASSERT_EQUAL_FATAL(run_sim(run_load, &run), 0);
    CU_ASSERT_EQUAL(run.code, 0);
    CU_ASSERT_EQUAL(sum_of_errors(&run), 0);
    CU_ASSERT_EQUAL(run.stats.requests, 10000);
    CU_ASSERT_EQUAL(run.stats.elapsed_ns, 10 * OURO_SECOND);
    CU_ASSERT(load_histogram_percentile(latency, 98.9) < 2 * OURO_MILLISECOND);
    for (int i = 1; i < 10; i++) /* the 99.1th has waited 10 ms, the 99.9th 90 */
        CU_ASSERT_DOUBLE_EQUAL((double) load_histogram_percentile(latency, 99 + i / 10.0), i * 10e6,
                               2e6);
    CU_ASSERT_DOUBLE_EQUAL((double) latency->max, 100e6, 2e6);
    CU_ASSERT_DOUBLE_EQUAL(load_histogram_mean(latency), 0.5e6, 0.3e6); /* 1 % of 50 ms */
}

static void test_stall_is_told_as_it_is_with_many_connections(void)
{
    check_stall(200);
}

static void test_stall_is_told_as_it_is_with_few_connections(void)
{
    check_stall(5);
}

/* What the service took, from sending, would have hidden it: only five were on their way. */
static void test_schedule_tells_how_far_it_fell_behind(void)
{
    struct run run = small_run(ANSWER);

    run.server.stall_at = 5 * OURO_SECOND;
    run.server.stall_ns = OURO_SECOND / 10;
    run.plan.connections = 5;
    run.plan.requests = 10000;
    run.plan.rate = 1000;
    CU_ASSERT_EQUAL_FATAL(run_sim(run_load, &run), 0);
    CU_ASSERT_EQUAL(run.stats.requests, 10000);
    CU_ASSERT(load_histogram_percentile(&run.stats.service, 99.9) < 5 * OURO_MILLISECOND);
    CU_ASSERT(run.stats.service.max > 95 * OURO_MILLISECOND);
    CU_ASSERT(run.stats.held_up >= 90 && run.stats.held_up <= 100);
    CU_ASSERT_DOUBLE_EQUAL((double) run.stats.lateness.max, 95e6, 2e6);
}

/* A server that takes 10 ms for each of two connections serves 200 in a second, not 1,000. */
static void test_a_rate_that_is_too_high_is_told(void)
{
    struct run run = small_run(ANSWER);

    run.server.delay_ns = 10 * OURO_MILLISECOND;
    run.plan.connections = 2;
    run.plan.rate = 1000;
    run.plan.requests = 0;
    run.plan.duration_ns = OURO_SECOND;
    run.plan.timeout_ns = 2 * OURO_SECOND;
    CU_ASSERT_EQUAL_FATAL(run_sim(run_load, &run), 0);
    CU_ASSERT(run.stats.in_time >= 190 && run.stats.in_time <= 200);
    CU_ASSERT(run.stats.errors[LOAD_ERROR_UNSENT] > 300);
    CU_ASSERT_EQUAL(run.stats.requests + run.stats.errors[LOAD_ERROR_UNSENT], 1000);
    CU_ASSERT(run.stats.latency.max > 2 * OURO_SECOND);
    CU_ASSERT(run.took < 4 * OURO_SECOND);
}

/* --- closed loops ------------------------------------------------------------------------ */

/* Four connections, an answer each 10 ms: 400 a second, whatever the pipeline is that few wait in. */
static void test_latency_and_rate_are_the_servers(void)
{
    for (unsigned pipeline = 1; pipeline <= 4; pipeline += 3) {
        struct run run = small_run(ANSWER);

        run.server.delay_ns = 10 * OURO_MILLISECOND;
        run.plan.connections = 4;
        run.plan.pipeline = pipeline;
        run.plan.requests = 0;
        run.plan.warm_up_ns = OURO_SECOND / 2;
        run.plan.duration_ns = OURO_SECOND;
        CU_ASSERT_EQUAL_FATAL(run_sim(run_load, &run), 0);
        CU_ASSERT_EQUAL(sum_of_errors(&run), 0);
        CU_ASSERT(run.stats.in_time >= 380 && run.stats.in_time <= 400);
        CU_ASSERT_DOUBLE_EQUAL((double) load_histogram_percentile(&run.stats.latency, 50),
                               pipeline * 10e6, 1e6);
        CU_ASSERT_EQUAL(run.server.connections, 4);
    }
}

/* 20 ms to think and 5 to answer: each connection asks 40 times a second. */
static void test_connections_think(void)
{
    struct run run = small_run(ANSWER);

    run.server.delay_ns = 5 * OURO_MILLISECOND;
    run.plan.think_ns = 20 * OURO_MILLISECOND;
    run.plan.requests = 0;
    run.plan.duration_ns = OURO_SECOND;
    CU_ASSERT_EQUAL_FATAL(run_sim(run_load, &run), 0);
    CU_ASSERT_EQUAL(sum_of_errors(&run), 0);
    CU_ASSERT(run.stats.requests >= 3 * 39 && run.stats.requests <= 3 * 41);
    CU_ASSERT_DOUBLE_EQUAL((double) run.stats.latency.max, 5e6, 1e6);
}

static void test_warm_up_does_not_count(void)
{
    for (int has_rate = 0; has_rate < 2; has_rate++) {
        struct run run = small_run(ANSWER);

        run.server.stall_at = 1; /* half of the warm-up */
        run.server.stall_ns = 500 * OURO_MILLISECOND;
        run.plan.warm_up_ns = OURO_SECOND;
        run.plan.rate = has_rate ? 500 : 0;
        run.server.delay_ns = OURO_MILLISECOND;
        CU_ASSERT_EQUAL_FATAL(run_sim(run_load, &run), 0);
        CU_ASSERT(run.stats.requests >= 60 && run.stats.requests <= 63);
        CU_ASSERT(run.stats.latency.max < 20 * OURO_MILLISECOND);
        CU_ASSERT(run.server.requests > run.stats.requests);
    }
}

static void test_silence_in_between_is_the_end(void)
{
    struct run run = small_run(ANSWER);

    run.plan.requests = 0;
    run.plan.think_ns = 100 * OURO_MILLISECOND;
    run.plan.duration_ns = OURO_SECOND / 4;
    CU_ASSERT_EQUAL_FATAL(run_sim(run_load, &run), 0);
    CU_ASSERT_EQUAL(run.stats.requests, 9); /* at 0, 100 and 200 ms */
    CU_ASSERT(run.took < OURO_SECOND / 2);
}

/* --- answers, right and wrong ------------------------------------------------------------ */

static const struct row {
    const char *name, *answer;
    unsigned close_after, pipeline;
    bool closes;
    const char *expected; /* body */
    int64_t length;       /* likewise; 0: any */
    unsigned requests;    /* answered, of 60 */
    int error;            /* the kind of all errors; -1: none */
    unsigned errors;      /* at least; 0: all of the 60 */
    unsigned connections; /* that the server saw, at least */
} rows[] = {
    {"right", ANSWER, 0, 1, false, "ok", 2, 60, -1, 0, 3},
    {"pipelined", ANSWER, 0, 5, false, "ok", 0, 60, -1, 0, 3},
    {"each on a connection", ANSWER, 0, 1, true, "ok", 0, 60, -1, 0, 60},
    {"closed with notice", CLOSING_ANSWER, 1, 1, false, "ok", 0, 60, -1, 0, 60},
    {"closed with notice, pipelined", CLOSING_ANSWER, 1, 4, false, "ok", 0, 60, -1, 0, 60},
    {"ended by closing", "HTTP/1.1 200 OK\r\n\r\nok", 1, 1, false, "ok", 0, 60, -1, 0, 60},
    {"another status", "HTTP/1.1 404 Gone\r\nContent-Length: 2\r\n\r\nok", 0, 1, false, NULL, 0, 60,
     LOAD_ERROR_STATUS, 0, 3},
    {"another body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nko", 0, 1, false, "ok", 0, 60,
     LOAD_ERROR_BODY, 0, 3},
    {"another length", ANSWER, 0, 1, false, NULL, 3, 60, LOAD_ERROR_BODY, 0, 3},
    {"cut short", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 1, 1, false, NULL, 0, 0,
     LOAD_ERROR_READ, 0, 60},
    {"closed without a word", "", 1, 1, false, NULL, 0, 0, LOAD_ERROR_READ, 0, 60},
    {"closed without notice", ANSWER, 2, 1, false, NULL, 0, 40, LOAD_ERROR_READ, 1, 20},
    {"nonsense", "HTTP/9 hello\r\n\r\n", 0, 1, false, NULL, 0, 0, LOAD_ERROR_PROTOCOL, 0, 60},
    {"one too many", ANSWER ANSWER, 0, 1, false, NULL, 0, 30, LOAD_ERROR_PROTOCOL, 0, 30},
    {"nothing", "", 0, 1, false, NULL, 0, 0, LOAD_ERROR_TIMEOUT, 0, 60},
};

static bool is_as_told(const struct row *row, const struct run *run)
{
    const struct load_stats *stats = &run->stats;
    uint64_t errors = row->error < 0 ? 0 : stats->errors[row->error];

    if (run->code || stats->requests < row->requests || sum_of_errors(run) != errors ||
        run->server.connections < row->connections)
        return false;
    if (row->requests == 60 && stats->requests != 60)
        return false;
    return row->error < 0 || (row->errors ? errors >= row->errors : errors >= 30 && errors <= 64);
}

static void check_row(const struct row *row, const char *ring)
{
    struct run run = small_run(row->answer);

    run.server.close_after = row->close_after;
    run.plan.pipeline = row->pipeline;
    run.plan.closes = row->closes;
    run.plan.length = row->length ? row->length : -1;
    if (row->expected)
        run.plan.expected = (struct load_expectation) {row->expected, strlen(row->expected)};
    if (row->error == LOAD_ERROR_TIMEOUT)
        run.plan.timeout_ns = 10 * OURO_MILLISECOND;
    CU_ASSERT_EQUAL_FATAL(run_with(ring, 0, run_load, &run), 0);
    if (!is_as_told(row, &run))
        printf("%s, on %s: code %d, %llu requests, %llu errors, %u connections\n", row->name, ring,
               run.code, (unsigned long long) run.stats.requests,
               (unsigned long long) sum_of_errors(&run), run.server.connections);
    CU_ASSERT(is_as_told(row, &run));
}

static void test_answers_are_told_apart(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned seed = 1; seed <= 8; seed++) {
            char ring[64];

            (void) snprintf(ring, sizeof(ring), "sim:seed=%u,short=%u", seed, seed % 2 ? 50 : 0);
            check_row(&rows[i], ring);
        }
        if (test_kernel_ring())
            check_row(&rows[i], test_kernel_ring());
    }
}

/*
 * Answers to HEAD have no body, whatever they say: were one taken for the answer to another request,
 * the next would not make sense. Each connection, and each that takes its place, knows where it is.
 */
static void test_requests_keep_their_order(void)
{
    for (unsigned pipeline = 1; pipeline <= 4; pipeline++) {
        for (unsigned close_after = 0; close_after <= 1; close_after++) {
            struct run run = small_run(close_after ? CLOSING_ANSWER : ANSWER);

            run.raw = "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\n"
                      "GET /3 HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\n";
            run.server.close_after = close_after;
            run.plan.pipeline = pipeline;
            run.plan.expected = (struct load_expectation) {"ok", 2};
            CU_ASSERT_EQUAL_FATAL(run_sim(run_load, &run), 0);
            CU_ASSERT_EQUAL(run.stats.requests, 60);
            CU_ASSERT_EQUAL(sum_of_errors(&run), 0);
            CU_ASSERT(!close_after || pipeline == 1 || run.stats.resent > 0);
        }
    }
}

/* Connections are also made, and given up, at a rate. */
static void test_connections_are_made_at_a_rate(void)
{
    for (int by_server = 0; by_server < 2; by_server++) {
        struct run run = small_run(
            by_server ? "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
                      : ANSWER);

        run.plan.rate = 1000;
        run.plan.closes = !by_server;
        run.server.close_after = (unsigned) by_server;
        CU_ASSERT_EQUAL_FATAL(run_sim(run_load, &run), 0);
        CU_ASSERT_EQUAL(run.code, 0);
        CU_ASSERT_EQUAL(run.stats.requests, 60);
        CU_ASSERT_EQUAL(sum_of_errors(&run), 0);
        CU_ASSERT(run.server.connections >= 60);
        CU_ASSERT_DOUBLE_EQUAL((double) run.stats.elapsed_ns, 59e6, 2e6);
    }
}

static void test_echoes_are_compared(void)
{
    static const char *const addresses[] = {"127.0.0.1:0", "unix:@ouro-load-test"};

    for (int i = 0; i < 2; i++) {
        for (unsigned pipeline = 1; pipeline <= 4; pipeline += 3) {
            struct run run = small_run(NULL);

            run.address = addresses[i];
            run.echo_bytes = 700;
            run.plan.pipeline = pipeline;
            run_on_each_ring(run_load, &run);
            CU_ASSERT_EQUAL(run.stats.requests, 60);
            CU_ASSERT_EQUAL(run.stats.received_bytes, 60 * 700);
            CU_ASSERT_EQUAL(sum_of_errors(&run), 0);
        }
    }
}

static void test_nobody_there_is_an_error(void)
{
    for (int closes = 0; closes < 2; closes++) {
        struct run run = small_run(ANSWER);

        run.has_no_server = true;
        run.plan.closes = closes;
        CU_ASSERT_EQUAL_FATAL(run_sim(run_load, &run), 0);
        if (closes)
            CU_ASSERT(run.code == 0 && run.stats.errors[LOAD_ERROR_CONNECT] > 0);
        if (!closes)
            CU_ASSERT_EQUAL(run.code, -ECONNREFUSED);
        CU_ASSERT_EQUAL(run.stats.requests, 0);
        CU_ASSERT(run.took < 5 * OURO_SECOND);
    }
}

/* --- interruption ------------------------------------------------------------------------ */

static int cancel_load(void *arg)
{
    struct run *run = arg;
    ouro_task_id id = ouro_spawn(run_load, run);

    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND / 2), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(id, NULL), 0);
    return 0;
}

static void test_interrupted_load_tells_what_it_has(void)
{
    for (int has_rate = 0; has_rate < 2; has_rate++) {
        struct run run = small_run(ANSWER);

        run.server.delay_ns = 10 * OURO_MILLISECOND;
        run.plan.requests = 0;
        run.plan.rate = has_rate ? 100 : 0;
        CU_ASSERT_EQUAL_FATAL(run_sim(cancel_load, &run), 0);
        CU_ASSERT_EQUAL(run.code, 0);
        CU_ASSERT(run.stats.is_interrupted);
        CU_ASSERT(run.stats.requests > 40);
        CU_ASSERT_EQUAL(sum_of_errors(&run), 0);
    }
}

const struct test load_run_tests[] = {
    TEST(test_schedule_does_not_drift),
    TEST(test_stall_is_told_as_it_is_with_many_connections),
    TEST(test_stall_is_told_as_it_is_with_few_connections),
    TEST(test_schedule_tells_how_far_it_fell_behind),
    TEST(test_a_rate_that_is_too_high_is_told),
    TEST(test_latency_and_rate_are_the_servers),
    TEST(test_connections_think),
    TEST(test_warm_up_does_not_count),
    TEST(test_silence_in_between_is_the_end),
    TEST(test_answers_are_told_apart),
    TEST(test_requests_keep_their_order),
    TEST(test_connections_are_made_at_a_rate),
    TEST(test_echoes_are_compared),
    TEST(test_nobody_there_is_an_error),
    TEST(test_interrupted_load_tells_what_it_has),
    TEST_END,
};
