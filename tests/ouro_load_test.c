/* SPDX-License-Identifier: MIT */
/*
 * ouro_load_test.c - runs build/bench/ouro_load beside a server in this process, and reads its
 * reports
 *
 * OURO_BENCHES is the folder that it was built into.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop.h"
#include "ouro_http_server.h"
#include "ouro_process.h"

#define PROGRAM       OURO_BENCHES "/ouro_load"
#define ARGUMENTS_MAX 32

static int hello(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_replyf(exchange, 200, "text/plain", "hello");
}

static int refuse(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_replyf(exchange, 403, "text/plain", "no");
}

/* Streams the body back, which makes the answer chunked. */
static int echo(struct ouro_http_exchange *exchange, void *arg)
{
    char piece[256];
    ssize_t len;
    int code = ouro_http_reply_begin(exchange, 200, "text/plain", -1);

    (void) arg;
    while (!code && (len = ouro_http_read(exchange, piece, sizeof(piece))) != 0)
        code = len < 0 ? (int) len : ouro_http_write(exchange, piece, (size_t) len);
    return code;
}

struct service {
    struct ouro_http_app *app;
    int listener;
};

static int serve(void *arg)
{
    struct service *service = arg;

    return ouro_http_serve(service->app, service->listener, NULL);
}

/* --- runs of the program ------------------------------------------------------------------- */

/* A command line: "URL" and "ADDR" stand for the server. Its output has all of `said` in it. */
static const struct row {
    const char *line;
    int status;
    const char *said[4];
} rows[] = {
    {"-n 500 -c 5 URL/", 0, {"requests   500 in ", "errors     0\n", "2xx 500,", "p99.99 "}},
    {"-n 500 -c 5 -p 8 URL/", 0, {"requests   500 in ", "errors     0\n"}},
    {"-n 50 -c 5 --close URL/", 0, {"requests   50 in ", "errors     0\n"}},
    {"-n 50 -c 5 -X HEAD URL/", 0, {"errors     0\n"}},
    {"-n 50 -c 5 --body hello --expect-body hello URL/echo", 0, {"errors     0\n"}},
    {"-n 50 -c 5 --body hello --expect-body hallo URL/echo", 1, {"errors     50: body 50\n"}},
    {"-n 50 -c 5 --expect-length 5 URL/", 0, {"errors     0\n"}},
    {"-n 50 -c 5 --expect-length 6 URL/", 1, {"errors     50: body 50\n"}},
    {"-n 50 -c 5 URL/refused", 1, {"errors     50: status 50 (403)\n", "4xx 50,"}},
    {"-n 50 -c 5 --expect-status 403 URL/refused", 0, {"errors     0\n"}},
    {"-n 50 -c 5 --allow-errors URL/refused", 0, {"errors     50: status 50"}},
    {"-r 1000 -d 200ms -c 5 URL/", 0, {"1000 requests/s by the clock", "service ", "behind "}},
    {"-n 50 -c 5 --connect ADDR http://elsewhere.example/", 0, {"errors     0\n"}},
    {"-n 60 -c 6 -t 2 URL/", 0, {"requests   60 in ", "2 threads"}},
    {"-d 100ms -w 100ms -c 5 --progress URL/", 0, {"errors     0\n"}},
    {"-n 20 -c 2 --json - URL/",
     0,
     {"{\n  \"program\": \"ouro_load\"", "\"requests\": 20,", "\"errors\": {\"connect\": 0,",
      "\"total\": 0}"}},
    {"-n 20 -c 2 --csv - URL/", 0, {"from_us,to_us,count,percentile\n", ",100.000000\n"}},
    {"-n 1 http://127.0.0.1:1/", 1, {"ouro_load: http://127.0.0.1:1/: Connection refused\n"}},
    {"--mix /nonexistent/mix URL/", 1, {"ouro_load: /nonexistent/mix: No such file"}},
    {"--raw /dev/null URL/", 1, {"ouro_load: there are no requests"}},
    {"-c none URL/", 2, {"ouro_load: --connections: 'none' is not a whole number"}},
    {"--help", 0, {"usage: ouro_load"}},
    {"--version", 0, {"ouro_load (ouro " OURO_VERSION ")\n"}},
};

static void replace(char *text, size_t size, const char *what, const char *by)
{
    char *at = strstr(text, what), rest[256];

    if (!at)
        return;
    (void) snprintf(rest, sizeof(rest), "%s", at + strlen(what));
    (void) snprintf(at, size - (size_t) (at - text), "%s%s", by, rest);
}

static void run_program(const struct row *row, const char *address, int *ret_status,
                        struct ouro_process_output *output)
{
    char line[512], ring[300], url[200], *rest = line;
    const char *arguments[ARGUMENTS_MAX + 1] = {"env", ring, PROGRAM};
    struct ouro_process_options options = {.argv = arguments,
                                           .in = {OURO_PROCESS_NULL, 0},
                                           .out = {OURO_PROCESS_PIPE, 0},
                                           .err = {OURO_PROCESS_OUT, 0}};

    (void) snprintf(ring, sizeof(ring), "OURO_RING=%s", test_kernel_ring());
    (void) snprintf(url, sizeof(url), "http://%s", address);
    (void) snprintf(line, sizeof(line), "%s", row->line);
    replace(line, sizeof(line), "URL", url);
    replace(line, sizeof(line), "ADDR", address);
    for (int count = 3; rest && count < ARGUMENTS_MAX; count++)
        arguments[count] = strsep(&rest, " ");
    CU_ASSERT_EQUAL_FATAL(ouro_process_run(&options, NULL, 0, 1 << 20, output), 0);
    *ret_status = ouro_process_exit_code(output->status);
}

static void check_row(const struct row *row, const char *address)
{
    struct ouro_process_output output;
    bool is_right = true;
    int status;

    run_program(row, address, &status, &output);
    for (int i = 0; i < 4 && row->said[i]; i++)
        is_right &= strstr(output.out, row->said[i]) != NULL;
    if (!is_right || status != row->status)
        printf("ouro_load %s: status %d:\n%s", row->line, status, output.out);
    CU_ASSERT(is_right);
    CU_ASSERT_EQUAL(status, row->status);
    ouro_process_output_done(&output);
}

static int run_all(void *arg)
{
    struct service service = {.app = NULL};
    char text[OURO_ADDRESS_TEXT_MAX];
    struct ouro_address address;
    ouro_task_id id;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(ouro_http_app_create(&service.app), 0);
    CU_ASSERT_EQUAL(ouro_http_route(service.app, "GET", "/", hello, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route(service.app, "GET", "/refused", refuse, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route(service.app, "POST", "/echo", echo, NULL), 0);
    CU_ASSERT_EQUAL(ouro_address_parse("127.0.0.1:0", -1, &address), 0);
    service.listener = ouro_listen(&address, 0);
    CU_ASSERT_FATAL(service.listener >= 0);
    CU_ASSERT_EQUAL(ouro_getsockname(service.listener, &address), 0);
    id = ouro_spawn(serve, &service);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_row(&rows[i], ouro_address_format(&address, text));
    (void) ouro_cancel_join(id, NULL);
    (void) ouro_close(service.listener);
    ouro_http_app_destroy(service.app);
    return 0;
}

static void test_program_does_what_its_options_say(void)
{
    if (access(PROGRAM, X_OK)) {
        TEST_SKIP("build/bench/ouro_load is not built");
        return;
    }
    if (!test_kernel_ring()) {
        TEST_SKIP("no processes on the simulated ring");
        return;
    }
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, run_all, NULL), 0);
}

const struct test ouro_load_tests[] = {
    TEST(test_program_does_what_its_options_say),
    TEST_END,
};
