/* SPDX-License-Identifier: MIT */
/*
 * http_memory_test.c - that a server holds after many requests what it held after a few
 *
 * Goal: no kind of request leaves anything behind, on connections that go on and on such that end.
 * Method: each kind is asked for some times, which fills pools and buffers; then the live bytes
 * and blocks of all our code are counted, 100,000 requests are made, and they are counted again.
 */
#include <errno.h>

#include "account.h"
#include "http_harness.h"

#define WARM_UP \
    5000 /* rounds: it is rare that as many connections are busy at once as ever will be */
#define REQUESTS 100000

static void reset(void)
{
}

/* --- the application --------------------------------------------------------------------- */

static int hello(struct ouro_http_exchange *exchange, void *arg)
{
    const char *query = ouro_http_query_value(exchange, "q");
    const char *cookie = ouro_http_cookie(exchange, "c");

    (void) arg;
    return ouro_http_replyf(exchange, 200, "text/plain", "%s %s %s",
                            ouro_html_escape(exchange, ouro_http_parameter(exchange, "name")),
                            query ? query : "-", cookie ? cookie : "-");
}

static int echo(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_reply_begin(exchange, 200, "text/plain", -1);
    char buf[64];
    ssize_t len;

    (void) arg;
    while (!code && (len = ouro_http_read(exchange, buf, sizeof(buf))) != 0)
        code = len < 0 ? (int) len : ouro_http_write(exchange, buf, (size_t) len);
    return code;
}

static int form(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_read_form(exchange);
    const char *value = ouro_http_form_value(exchange, "a");

    (void) arg;
    return code ? code : ouro_http_replyf(exchange, 200, NULL, "%s", value ? value : "-");
}

static int parts(struct ouro_http_exchange *exchange, void *arg)
{
    struct ouro_http_part part;
    int code, count = 0;

    (void) arg;
    while ((code = ouro_http_part_next(exchange, &part)) > 0)
        count++;
    return code ? code : ouro_http_replyf(exchange, 200, NULL, "%d", count);
}

static int large(struct ouro_http_exchange *exchange, void *arg)
{
    static char text[30000];

    (void) arg;
    memset(text, 'x', sizeof(text));
    return ouro_http_reply(exchange, 200, "text/plain", text, sizeof(text));
}

static int wait_a_bit(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_yield();

    (void) arg;
    return code ? code : ouro_http_reply(exchange, 204, NULL, NULL, 0);
}

static int fail(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    (void) ouro_http_add_header(exchange, "X", "y");
    return -EIO;
}

static int cut_short(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    (void) ouro_http_reply_begin(exchange, 200, NULL, 10);
    return ouro_http_write(exchange, "half", 4);
}

static int pass(struct ouro_http_exchange *exchange, void *arg)
{
    static char key;
    int code = ouro_http_value_set(exchange, &key, arg);

    return code ? code : ouro_http_next(exchange);
}

static int create_app(struct ouro_http_app **ret_app)
{
    static const struct ouro_http_route_options compressed = {.gzip = OURO_HTTP_GZIP_ON};
    static const struct {
        const char *method, *pattern;
        ouro_http_handler_fn *handler;
        bool is_compressed;
    } routes[] = {
        {"GET", "/hello/{name}", hello, false}, {"POST", "/echo", echo, false},
        {"POST", "/zipped", echo, true},        {"POST", "/form", form, false},
        {"POST", "/parts", parts, false},       {"GET", "/large", large, true},
        {"GET", "/wait", wait_a_bit, false},    {"GET", "/fail", fail, false},
        {"GET", "/cut", cut_short, false},      {"GET", "/{tail...}", hello, false},
    };
    int code = ouro_http_app_create(ret_app);

    if (!code)
        code = ouro_http_use(*ret_app, pass, NULL);
    for (size_t i = 0; !code && i < sizeof(routes) / sizeof(routes[0]); i++)
        code =
            ouro_http_route_with(*ret_app, routes[i].method, routes[i].pattern, routes[i].handler,
                                 NULL, routes[i].is_compressed ? &compressed : NULL);
    return code;
}

/* --- the requests ------------------------------------------------------------------------ */

#define LINE(method, path) method " " path " HTTP/1.1\r\nHost: x\r\n"

enum how { BY_LENGTH, IN_CHUNKS, TO_THE_END };

static const struct {
    const char *request;
    enum how how;       /* its answer is read */
    const char *status; /* of an answer by length */
} kinds[] = {
    {LINE("GET", "/hello/a?q=%41") "Cookie: b=1; c=2\r\n\r\n", BY_LENGTH, "HTTP/1.1 200 "},
    {LINE("GET", "/other/b") "\r\n", BY_LENGTH, "HTTP/1.1 200 "},
    {LINE("POST", "/echo") "Content-Length: 5\r\n\r\nhello", IN_CHUNKS, NULL},
    {LINE("POST", "/echo") "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: u\r\n\r\n",
     IN_CHUNKS, NULL},
    {LINE("POST", "/zipped") "Accept-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", IN_CHUNKS,
     NULL},
    {LINE("POST", "/form") "Content-Type: application/x-www-form-urlencoded\r\n"
                           "Content-Length: 7\r\n\r\na=1&b=2",
     BY_LENGTH, "HTTP/1.1 200 "},
    {LINE("POST", "/parts") "Content-Type: multipart/form-data; boundary=x\r\n"
                            "Content-Length: 55\r\n\r\n"
                            "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--",
     BY_LENGTH, "HTTP/1.1 200 "},
    {LINE("GET", "/large") "\r\n", BY_LENGTH, "HTTP/1.1 200 "},
    {LINE("GET", "/large") "Accept-Encoding: gzip\r\n\r\n", BY_LENGTH, "HTTP/1.1 200 "},
    {LINE("GET", "/wait") "\r\n", BY_LENGTH, "HTTP/1.1 204 "},
    {LINE("GET", "/fail") "\r\n", BY_LENGTH, "HTTP/1.1 500 "},
    {LINE("DELETE", "/echo") "\r\n", BY_LENGTH, "HTTP/1.1 405 "},
    {LINE("OPTIONS", "/echo") "\r\n", BY_LENGTH, "HTTP/1.1 204 "},
    {LINE("GET", "/%00") "\r\n", BY_LENGTH, "HTTP/1.1 400 "},
    {LINE("GET", "/cut") "\r\n", TO_THE_END, NULL},
    {LINE("GET", "/hello/a") "Connection: close\r\n\r\n", TO_THE_END, NULL},
    {"BAD\r\n", TO_THE_END, NULL},
    {LINE("POST", "/form") "Content-Length: 99999999\r\n\r\n", TO_THE_END, NULL},
    {LINE("POST", "/echo") "Transfer-Encoding: chunked\r\n\r\nx", TO_THE_END, NULL},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool ask_one(struct ouro_stream **stream, size_t kind)
{
    const char *data;
    int code;

    if (!*stream)
        *stream = dial();
    say(*stream, kinds[kind].request);
    switch (kinds[kind].how) {
    case BY_LENGTH:
        return starts_with(read_answer(*stream), kinds[kind].status);
    case IN_CHUNKS:
        return ouro_stream_read_until(*stream, "\r\n0\r\n\r\n", 7, 65536, &data) > 0;
    default:
        (void) read_to_end(*stream, &code);
        (void) ouro_stream_close(*stream);
        *stream = NULL;
        return true;
    }
}

static struct ouro_stream *ask_many(unsigned count, struct ouro_stream *stream)
{
    bool is_answered = true;

    for (unsigned i = 0; i < count && is_answered; i++)
        is_answered = ask_one(&stream, i % KINDS);
    CU_ASSERT(is_answered);
    return stream;
}

static void compare(void)
{
    struct account before, after;
    struct ouro_stream *stream = ask_many(WARM_UP * KINDS, NULL);

    CU_ASSERT_PTR_NULL(stream); /* the last kind ended it */
    CU_ASSERT_EQUAL(ouro_sleep(10 * OURO_SECOND), 0);
    account_take(&before);
    CU_ASSERT_PTR_NULL(ask_many(REQUESTS / KINDS * KINDS, stream));
    CU_ASSERT_EQUAL(ouro_sleep(10 * OURO_SECOND), 0);
    account_take(&after);
    CU_ASSERT_EQUAL(after.bytes, before.bytes);
    CU_ASSERT_EQUAL(after.blocks, before.blocks);
    CU_ASSERT_EQUAL(after.fd_count, before.fd_count);
    CU_ASSERT_EQUAL(after.stack_count, before.stack_count);
}

static void test_a_hundred_thousand_requests_leave_nothing(void)
{
    run_on(test_sim_ring(), compare);
}

const struct test http_memory_tests[] = {
    TEST(test_a_hundred_thousand_requests_leave_nothing),
    TEST_END,
};
