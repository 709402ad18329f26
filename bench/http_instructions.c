/* SPDX-License-Identifier: MIT */
/*
 * http_instructions - one request after the other, in memory: what a profiler is to look at
 *
 * Question: how many instructions does the server spend on a request, the kernel's left out?
 * Run:      build/bench/http_instructions [--count 1000000] small|browser|pipelined
 *           valgrind --tool=callgrind build/bench/http_instructions --count 10000 small
 *           .ci/instructions           all three, as a difference of two counts, against the record
 * Prints:   small: 1000000 requests, 1234 ns each
 *
 * "small" is the request that wrk sends, with a field Host; "browser" has 14 fields and 669 bytes;
 * "pipelined" is the small one, 16 at once. The handler is that of examples/http_server.c. Client
 * and server are tasks on the two ends of a stream pair, on the simulated ring, which has nothing
 * to do: the count is the same each time, but for the answer's date, made once a second.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ouro.h"
#include "ouro_proto.h"

#define HTML  "text/html; charset=utf-8"
#define BATCH 16

#define SMALL "GET /hello/x HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n"

static const char browser[] =
    "GET /hello/x HTTP/1.1\r\n"
    "Host: 127.0.0.1:8000\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "sec-ch-ua: \"Chromium\";v=\"126\", \"Not.A/Brand\";v=\"24\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: none\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "\r\n";

static const struct workload {
    const char *name;
    const char *request;
    unsigned batch; /* so many at once */
} workloads[] = {
    {"small", SMALL, 1},
    {"browser", browser, 1},
    {"pipelined", SMALL, BATCH},
};

struct bench {
    const struct workload *workload;
    unsigned long count;
};

/* --- the server -------------------------------------------------------------------------- */

struct service {
    struct ouro_http_app *app;
    struct ouro_stream *stream;
};

static int hello_page(struct ouro_http_exchange *exchange, void *arg)
{
    const char *name = ouro_html_escape(exchange, ouro_http_parameter(exchange, "name"));

    (void) arg;
    return name ? ouro_http_replyf(exchange, 200, HTML, "<h1>hello, %s!</h1>", name) : -ENOMEM;
}

static int serve(void *arg)
{
    struct service *service = arg;

    return ouro_http_serve_stream_take(service->app, service->stream, NULL);
}

/* --- the client -------------------------------------------------------------------------- */

/* Sends `len` bytes of requests, and takes `answer_len` bytes of answers, which are not looked at. */
static int ask(struct ouro_stream *stream, const char *text, size_t len, size_t answer_len)
{
    const char *data;
    ssize_t result = ouro_stream_write_all(stream, text, len);

    if (!result)
        result = ouro_stream_peek(stream, answer_len, &data);
    if (result < (ssize_t) answer_len)
        return result < 0 ? (int) result : OURO_EEOF;
    ouro_stream_consume(stream, answer_len);
    return 0;
}

/* All answers are of the same length, and small enough to be sent at once. */
static int learn_length(struct ouro_stream *stream, const char *request, size_t *ret_len)
{
    static const char start[] = "HTTP/1.1 200 OK\r\n", end[] = "<h1>hello, x!</h1>";
    const char *data = "";
    ssize_t len = ouro_stream_write_all(stream, request, strlen(request));

    if (!len)
        len = ouro_stream_peek(stream, sizeof(start) + sizeof(end), &data);
    if (len < 0)
        return (int) len;
    if (memcmp(data, start, sizeof(start) - 1) != 0 ||
        memcmp(data + len - (sizeof(end) - 1), end, sizeof(end) - 1) != 0)
        return OURO_EHTTP;
    ouro_stream_consume(stream, (size_t) len);
    *ret_len = (size_t) len;
    return 0;
}

static int64_t cpu_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * OURO_SECOND + now.tv_nsec;
}

static int ask_often(const struct bench *bench, struct ouro_stream *stream)
{
    const struct workload *workload = bench->workload;
    unsigned long rounds = bench->count / workload->batch;
    size_t len = strlen(workload->request), answer_len = 0;
    int code = learn_length(stream, workload->request, &answer_len);
    char *text = malloc(len * workload->batch);
    int64_t start;

    if (!text)
        return -ENOMEM;
    for (unsigned i = 0; i < workload->batch; i++)
        memcpy(text + i * len, workload->request, len);
    start = cpu_ns();
    for (unsigned long i = 0; i < rounds && !code; i++)
        code = ask(stream, text, len * workload->batch, answer_len * workload->batch);
    if (!code)
        printf("%s: %lu requests, %.0f ns each\n", workload->name, rounds * workload->batch,
               (double) (cpu_ns() - start) / (double) (rounds * workload->batch));
    free(text);
    return code;
}

/* --- both -------------------------------------------------------------------------------- */

static int run_on_pair(const struct bench *bench, struct ouro_http_app *app)
{
    struct ouro_stream *ends[2];
    struct service service = {.app = app};
    int code = ouro_stream_pair(ends), served = 0;
    ouro_task_id task;

    if (code)
        return code;
    service.stream = ends[1];
    task = ouro_spawn(serve, &service);
    code = task > 0 ? ask_often(bench, ends[0]) : (int) task;
    (void) ouro_stream_close(ends[0]);
    if (task > 0)
        (void) ouro_join(task, &served);
    return code ? code : served;
}

static int main_task(void *arg)
{
    struct ouro_http_app *app;
    int code = ouro_http_app_create(&app);

    if (!code) {
        code = ouro_http_route(app, "GET", "/hello/{name}", hello_page, NULL);
        if (!code)
            code = run_on_pair(arg, app);
        ouro_http_app_destroy(app);
    }
    if (code)
        fprintf(stderr, "http_instructions: %s\n", ouro_strerror(code));
    return code;
}

static const struct workload *find_workload(const char *name)
{
    for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    return NULL;
}

int main(int argc, char **argv)
{
    struct ouro_run_options options = {.ring = "sim"};
    struct bench bench = {.count = 1000000};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
            bench.count = strtoul(argv[++i], NULL, 10);
        else
            bench.workload = find_workload(argv[i]);
    }
    if (!bench.workload || bench.count < BATCH) {
        fprintf(stderr, "usage: http_instructions [--count N] small|browser|pipelined\n");
        return 2;
    }
    return ouro_run(main_task, &bench, &options) ? 1 : 0;
}
