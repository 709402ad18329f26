/* SPDX-License-Identifier: MIT */
/*
 * http_server_test.c - tests of proto/http_server.c, http_connection.c and http_exchange.c
 *
 * Numbers such as "HTTP 24" are the rules of the list in docs/http-rules.md.
 */
#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "http_harness.h"

#define LATE_NS (200 * OURO_MILLISECOND)
#define BIG_LEN 300000

/* --- the application --------------------------------------------------------------------- */

static int64_t late_ns = LATE_NS; /* how long "/late" sleeps */

static struct {
    int second_reply; /* what the second ouro_http_reply() of a handler returned */
    ssize_t body_read;
    unsigned sleeping;
    unsigned interrupted;
} seen;

static int answer_hello(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_replyf(exchange, 200, "text/plain", "hello %s",
                            ouro_http_parameter(exchange, "name"));
}

static int answer_late(struct ouro_http_exchange *exchange, void *arg)
{
    int code;

    (void) arg;
    seen.sleeping++;
    code = ouro_sleep(late_ns);
    seen.sleeping--;
    seen.interrupted += code != 0;
    return code ? code : ouro_http_reply(exchange, 200, NULL, "late", 4);
}

static int answer_big(struct ouro_http_exchange *exchange, void *arg)
{
    char *body = malloc(BIG_LEN);
    int code = -ENOMEM;

    (void) arg;
    if (body) {
        memset(body, 'x', BIG_LEN);
        code = ouro_http_reply(exchange, 200, NULL, body, BIG_LEN);
    }
    free(body);
    return code;
}

static int answer_with_body(struct ouro_http_exchange *exchange, void *arg)
{
    char body[256];
    size_t done = 0;

    (void) arg;
    do {
        seen.body_read = ouro_http_read(exchange, body + done, sizeof(body) - done);
        done += seen.body_read > 0 ? (size_t) seen.body_read : 0;
    } while (seen.body_read > 0 && done < sizeof(body));
    if (seen.body_read < 0)
        return (int) seen.body_read;
    return ouro_http_reply(exchange, 200, NULL, body, done);
}

static uint32_t hash_of(uint32_t hash, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char) data[i]) * 16777619;
    return hash;
}

/* Reads with so much room at a time, and with an eighth of it by turns. */
static int answer_hash(struct ouro_http_exchange *exchange, void *arg)
{
    size_t room = strtoul(ouro_http_parameter(exchange, "room"), NULL, 10), done = 0, turn = 0;
    char *piece = malloc(room);
    uint32_t hash = 0;

    (void) arg;
    while ((seen.body_read = ouro_http_read(exchange, piece, ++turn % 2 ? room / 8 : room)) > 0) {
        hash = hash_of(hash, piece, (size_t) seen.body_read);
        done += (size_t) seen.body_read;
    }
    free(piece);
    if (seen.body_read < 0)
        return (int) seen.body_read;
    return ouro_http_replyf(exchange, 200, NULL, "%zu bytes, %u", done, hash);
}

static int answer_at_once(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_reply(exchange, 200, NULL, "ok", 2);
}

static int fail(struct ouro_http_exchange *exchange, void *arg)
{
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "Lost", "yes"), 0);
    (void) arg;
    return -EIO;
}

/* Begins an answer, and gives up. */
static int cut_short(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_reply_begin(exchange, 200, NULL, 10);

    (void) arg;
    if (!code)
        code = ouro_http_write(exchange, "half", 4);
    return code ? code : ouro_http_flush(exchange);
}

static int forget(struct ouro_http_exchange *exchange, void *arg)
{
    (void) exchange;
    (void) arg;
    return 0;
}

static int answer_twice(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_reply(exchange, 201, NULL, "one", 3), 0);
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "Too", "late"), -EALREADY);
    seen.second_reply = ouro_http_reply(exchange, 200, NULL, "two", 3);
    return -EIO;
}

static int answer_nothing(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_reply(exchange, 204, NULL, NULL, 0);
}

/* Tries what may not work before it does what works. */
static int answer_strictly(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_reply(exchange, 200, "text/plain\r\nX: y", "", 0), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_reply(exchange, 100, NULL, "", 0), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_reply(exchange, 600, NULL, "", 0), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "Content-length", "5"), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "connection", "x"), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "A b", "x"), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "A", "x\ny"), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "A", "1"), 0);
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "A", "2"), 0);
    return ouro_http_reply(exchange, 200, "text/plain", "fine", 4);
}

/* Describes the request. */
static int answer_mirror(struct ouro_http_exchange *exchange, void *arg)
{
    char text[512];
    const char *name, *value;
    const char *query = ouro_http_query(exchange);
    size_t len = 0;

    (void) arg;
    len += (size_t) sprintf(text + len, "%s %s %s|", ouro_http_method(exchange),
                            ouro_http_path(exchange), query ? query : "-");
    for (size_t i = 0; ouro_http_header_at(exchange, i, &name, &value); i++)
        len += (size_t) sprintf(text + len, "%s=%s|", name, value);
    value = ouro_http_header(exchange, "x-Twice");
    len += (size_t) sprintf(text + len, "%s|%s|", value ? value : "-",
                            ouro_html_escape(exchange, ouro_http_parameter(exchange, "p")));
    CU_ASSERT_PTR_NULL(ouro_http_header(exchange, "none"));
    CU_ASSERT_PTR_NULL(ouro_http_parameter(exchange, "none"));
    CU_ASSERT_PTR_NULL(ouro_html_escape(exchange, NULL));
    return ouro_http_reply(exchange, 200, NULL, text, len);
}

static int create_app(struct ouro_http_app **ret_app)
{
    static const struct {
        const char *method, *pattern;
        ouro_http_handler_fn *handler;
    } routes[] = {
        {"GET", "/hello/{name}", answer_hello},
        {"GET", "/late", answer_late},
        {"GET", "/big", answer_big},
        {"POST", "/echo", answer_with_body},
        {"POST", "/hash/{room}", answer_hash},
        {"POST", "/ok", answer_at_once},
        {"GET", "/ok", answer_at_once},
        {"GET", "/fail", fail},
        {"GET", "/forget", forget},
        {"GET", "/cut", cut_short},
        {"GET", "/twice", answer_twice},
        {"DELETE", "/nothing", answer_nothing},
        {"GET", "/strict", answer_strictly},
        {"GET", "/mirror/{p}", answer_mirror},
        {"GET", "/", answer_at_once},
    };
    int code = ouro_http_app_create(ret_app);

    for (size_t i = 0; !code && i < sizeof(routes) / sizeof(routes[0]); i++)
        code =
            ouro_http_route(*ret_app, routes[i].method, routes[i].pattern, routes[i].handler, NULL);
    return code;
}

static void reset(void)
{
    memset(&seen, 0, sizeof(seen));
}

/* --- answers ----------------------------------------------------------------------------- */

static void ask_for_routes(void)
{
    CU_ASSERT_STRING_EQUAL(ask("GET /hello/J%20%c3%bc HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n"
                           "Connection: close\r\n\r\nhello J \xc3\xbc");
    CU_ASSERT_STRING_EQUAL(ask("GET /nowhere HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
                           "Content-Length: 14\r\nConnection: close\r\n\r\n404 Not Found\n");
    CU_ASSERT_STRING_EQUAL(
        ask("PUT /ok HTTP/1.1\r\n" CLOSE),
        "HTTP/1.1 405 Method Not Allowed\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nAllow: GET, HEAD, POST, OPTIONS\r\n"
        "Content-Length: 23\r\nConnection: close\r\n\r\n405 Method Not Allowed\n");
    CU_ASSERT_STRING_EQUAL(ask("DELETE /nothing HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}

static void test_requests_find_their_handlers(void)
{
    on_all_rings(ask_for_routes);
}

/* HTTP 4, 5, 6, 27, 36 */
static void ask_in_other_forms(void)
{
    CU_ASSERT(starts_with(ask("GET http://x/hello/a HTTP/1.1\r\n" CLOSE), "HTTP/1.1 200 "));
    CU_ASSERT(starts_with(ask("GET http://x HTTP/1.1\r\n" CLOSE), "HTTP/1.1 200 "));
    CU_ASSERT(starts_with(ask("GET /x/../hello/./a HTTP/1.1\r\n" CLOSE), "HTTP/1.1 200 "));
    CU_ASSERT(starts_with(ask("GET /../hello/a HTTP/1.1\r\n" CLOSE), "HTTP/1.1 400 "));
    CU_ASSERT(starts_with(ask("GET /hello/%00 HTTP/1.1\r\n" CLOSE), "HTTP/1.1 400 "));
    CU_ASSERT(starts_with(ask("GET /hello/%0d%0a HTTP/1.1\r\n" CLOSE), "HTTP/1.1 400 "));
    CU_ASSERT(starts_with(ask("GET /hello/%c0%af HTTP/1.1\r\n" CLOSE), "HTTP/1.1 400 "));
    CU_ASSERT(starts_with(ask("GET /hello/%zz HTTP/1.1\r\n" CLOSE), "HTTP/1.1 400 "));
    CU_ASSERT(starts_with(ask("GET /hello// HTTP/1.1\r\n" CLOSE), "HTTP/1.1 404 "));
    CU_ASSERT(starts_with(ask("TRACE /ok HTTP/1.1\r\n" CLOSE), "HTTP/1.1 405 "));
    CU_ASSERT(starts_with(ask("CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\nConnection: close\r\n\r\n"),
                          "HTTP/1.1 501 "));
    CU_ASSERT_STRING_EQUAL(ask("OPTIONS * HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 204 No Content\r\nAllow: GET, HEAD, POST, DELETE\r\n"
                           "Connection: close\r\n\r\n");
}

static void test_targets_come_in_several_forms(void)
{
    on_all_rings(ask_in_other_forms);
}

/* HTTP 34 */
static void ask_for_heads(void)
{
    CU_ASSERT_STRING_EQUAL(ask("HEAD /hello/a HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n"
                           "Connection: close\r\n\r\n");
    CU_ASSERT_STRING_EQUAL(
        ask("HEAD /big HTTP/1.1\r\n" CLOSE),
        "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n");
    CU_ASSERT_STRING_EQUAL(ask("HEAD /nowhere HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
                           "Content-Length: 14\r\nConnection: close\r\n\r\n");
}

static void test_head_gets_the_head_of_get(void)
{
    on_all_rings(ask_for_heads);
}

static void look_at_requests(void)
{
    CU_ASSERT_PTR_NOT_NULL(
        strstr(ask("GET /mirror/%3Ca%20%26%22b%22'%3E?q=%41 HTTP/1.1\r\nHost: x\r\nX-Twice: 1\r\n"
                   "x-twice: 2\r\nConnection: close\r\n\r\n"),
               "\r\n\r\nGET /mirror/%3Ca%20%26%22b%22'%3E q=%41|Host=x|X-Twice=1|x-twice=2|"
               "Connection=close|1|&lt;a &amp;&quot;b&quot;&#39;&gt;|"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ask("GET http://x/mirror/a?b HTTP/1.1\r\n" CLOSE),
                                  "\r\n\r\nGET /mirror/a b|Host=x|"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(ask("GET /mirror/a HTTP/1.1\r\n" CLOSE), "\r\n\r\nGET /mirror/a -|"));
}

static void test_handlers_see_the_whole_request(void)
{
    on_all_rings(look_at_requests);
}

static void ask_bad_handlers(void)
{
    CU_ASSERT_STRING_EQUAL(ask("GET /fail HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 500 Internal Server Error\r\n"
                           "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 26\r\n"
                           "Connection: close\r\n\r\n500 Internal Server Error\n");
    CU_ASSERT(starts_with(ask("GET /forget HTTP/1.1\r\n" CLOSE), "HTTP/1.1 500 "));
    CU_ASSERT_STRING_EQUAL(
        ask("GET /twice HTTP/1.1\r\n" CLOSE),
        "HTTP/1.1 201 Created\r\nContent-Length: 3\r\nConnection: close\r\n\r\none");
    CU_ASSERT_EQUAL(seen.second_reply, -EALREADY);
    /* HTTP 9 */
    CU_ASSERT_STRING_EQUAL(ask("GET /strict HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nA: 1\r\nA: 2\r\n"
                           "Content-Length: 4\r\nConnection: close\r\n\r\nfine");
}

static void test_each_request_gets_exactly_one_answer(void)
{
    on_all_rings(ask_bad_handlers);
}

/* --- connections ------------------------------------------------------------------------- */

/* HTTP 24 */
static void keep_connections(void)
{
    struct ouro_stream *stream = dial();

    if (!stream)
        return;
    say(stream, "GET /ok HTTP/1.1\r\n" GO_ON);
    CU_ASSERT_STRING_EQUAL(read_answer(stream), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    say(stream, "\r\nGET /nowhere HTTP/1.1\r\n" GO_ON);
    CU_ASSERT(starts_with(read_answer(stream), "HTTP/1.1 404 "));
    say(stream, "GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CU_ASSERT_STRING_EQUAL(read_answer(stream),
                           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n"
                           "Keep-Alive: timeout=75\r\n\r\nok");
    say(stream, "GET /ok HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\nGET /ok HTTP/1.1\r\n");
    CU_ASSERT_STRING_EQUAL(read_all(stream),
                           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    (void) ouro_stream_close(stream);
    CU_ASSERT_STRING_EQUAL(ask("GET /ok HTTP/1.0\r\n\r\n"),
                           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
}

static void test_connections_last_as_long_as_both_want(void)
{
    on_all_rings(keep_connections);
}

/* HTTP 25 */
static void pipeline(void)
{
    const char *at;

    at = ask("GET /hello/1 HTTP/1.1\r\n" GO_ON "POST /echo HTTP/1.1\r\nContent-Length: 3\r\n" GO_ON
             "abcGET /late HTTP/1.1\r\n" GO_ON "GET /big HTTP/1.1\r\n" GO_ON
             "GET /nowhere HTTP/1.1\r\n" GO_ON "GET /hello/2 HTTP/1.1\r\n" CLOSE
             "GET /hello/3 HTTP/1.1\r\n" GO_ON);
    at = strstr(at, "\r\n\r\nhello 1HTTP/1.1 200 ");
    CU_ASSERT_PTR_NOT_NULL(at);
    at = at ? strstr(at, "\r\n\r\nabcHTTP/1.1 200 ") : NULL;
    CU_ASSERT_PTR_NOT_NULL(at);
    at = at ? strstr(at, "\r\n\r\nlateHTTP/1.1 200 ") : NULL;
    CU_ASSERT_PTR_NOT_NULL(at);
    at = at ? strstr(at, "xHTTP/1.1 404 ") : NULL;
    CU_ASSERT_PTR_NOT_NULL(at);
    at = at ? strstr(at, "\r\n\r\nhello 2") : NULL;
    CU_ASSERT_PTR_NOT_NULL(at);
    CU_ASSERT_STRING_EQUAL(at, "\r\n\r\nhello 2");
}

static void test_pipelined_requests_are_answered_in_order(void)
{
    on_all_rings(pipeline);
}

static void pipeline_and_count(void)
{
    struct ouro_stream *stream = dial();
    char requests[2048] = "";
    ssize_t len;

    if (!stream)
        return;
    for (int i = 0; i < 32; i++)
        (void) strcat(requests, "GET /ok HTTP/1.1\r\n" GO_ON);
    say(stream, requests);
    len = ouro_recv(ouro_stream_fd(stream), reply_text, sizeof(reply_text) - 1, 0);
    CU_ASSERT_EQUAL(len, 32 * 77);
    (void) ouro_stream_close(stream);
}

/* Only the kernel's ring: what was sent at once can be received at once. */
static void test_answers_to_a_batch_leave_together(void)
{
    run_on(test_kernel_ring(), pipeline_and_count);
}

static void pipeline_behind_a_sleeper(void)
{
    struct ouro_stream *stream = dial();
    int64_t start = ouro_now();

    if (!stream)
        return;
    say(stream, "GET /ok HTTP/1.1\r\n" GO_ON "GET /ok HTTP/1.1\r\n" GO_ON
                "GET /late HTTP/1.1\r\n" GO_ON "GET /late HTTP/1.1\r\n" GO_ON);
    CU_ASSERT(starts_with(read_answer(stream), "HTTP/1.1 200 "));
    CU_ASSERT(starts_with(read_answer(stream), "HTTP/1.1 200 "));
    CU_ASSERT(!server.is_simulated || ouro_now() == start);
    CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(stream), "late"));
    CU_ASSERT(!server.is_simulated || ouro_now() == start + LATE_NS);
    CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(stream), "late"));
    CU_ASSERT(ouro_now() - start >= 2 * LATE_NS);
    (void) ouro_stream_close(stream);
}

/* That nobody waits longer than necessary is for the virtual clock to say: it does not stall. */
static void test_sleeping_handler_does_not_hold_up_earlier_answers(void)
{
    on_all_rings(pipeline_behind_a_sleeper);
}

static int ask_late(void *arg)
{
    struct ouro_stream *stream = dial();

    (void) arg;
    if (!stream)
        return -EIO;
    say(stream, "GET /late HTTP/1.1\r\n" GO_ON);
    ouro_stream_close(stream);
    return 0;
}

static int ask_late_and_wait(void *arg)
{
    struct ouro_stream *stream = dial();
    const char *data;
    int *answered = arg;

    if (!stream)
        return -EIO;
    say(stream, "GET /late HTTP/1.1\r\n" GO_ON);
    *answered += ouro_stream_read_until(stream, "late", 4, 1000, &data) > 0;
    (void) ouro_stream_close(stream);
    return 0;
}

static void ask_as_a_crowd(void)
{
    struct ouro_group group;
    int64_t start = ouro_now();
    int answered = 0;

    ouro_group_init(&group);
    for (int i = 0; i < 200; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, ask_late_and_wait, &answered), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(answered, 200);
    /* One after the other would be 40 seconds. */
    CU_ASSERT(ouro_now() - start < (server.is_simulated ? 2 : 20) * LATE_NS);
}

static void test_handlers_sleep_side_by_side(void)
{
    on_all_rings(ask_as_a_crowd);
}

static void leave_early(void)
{
    struct ouro_group group;

    ouro_group_init(&group);
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, ask_late, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT(starts_with(ask("GET /ok HTTP/1.1\r\n" CLOSE), "HTTP/1.1 200 "));
    CU_ASSERT(starts_with(ask("GET /late HTTP/1.1\r\n" CLOSE), "HTTP/1.1 200 "));
}

static void test_clients_that_leave_do_no_harm(void)
{
    on_all_rings(leave_early);
}

/* --- bodies ------------------------------------------------------------------------------ */

static void send_bodies(void)
{
    CU_ASSERT_PTR_NOT_NULL(
        strstr(ask("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n" CLOSE "hello"), "\r\n\r\nhello"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ask("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
                                      "2\r\nhe\r\n3;x\r\nllo\r\n0\r\nT: u\r\n\r\n"),
                                  "\r\n\r\nhello"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ask("POST /echo HTTP/1.1\r\n" CLOSE), "Content-Length: 0\r\n"));
}

static void test_handlers_read_bodies(void)
{
    on_all_rings(send_bodies);
}

/* HTTP 10, 14, 17 */
static void send_bad_bodies(void)
{
    struct ouro_stream *stream;

    CU_ASSERT(
        starts_with(ask("POST /echo HTTP/1.1\r\nContent-Length: 101\r\n" GO_ON), "HTTP/1.1 413 "));
    CU_ASSERT(starts_with(
        ask("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" GO_ON "5\r\nhello\r\n61\r\n"
            "0123456789012345678901234567890123456789012345678901234567890123456789"
            "0123456789012345678901234567890123456789"),
        "HTTP/1.1 413 "));
    CU_ASSERT_EQUAL(seen.body_read, OURO_ELIMIT);
    CU_ASSERT(starts_with(
        ask("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" GO_ON "5\r\nhello\r\nx\r\n"),
        "HTTP/1.1 400 "));
    CU_ASSERT_EQUAL(seen.body_read, OURO_EHTTP);
    stream = dial();
    if (!stream)
        return;
    say(stream, "POST /echo HTTP/1.1\r\nContent-Length: 5\r\n" GO_ON "hel");
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(stream), 0);
    CU_ASSERT(starts_with(read_all(stream), "HTTP/1.1 400 "));
    CU_ASSERT_EQUAL(seen.body_read, OURO_EEOF);
    (void) ouro_stream_close(stream);
}

static void test_bad_bodies_are_refused_and_end_the_connection(void)
{
    server.options.body_bytes_max = 100;
    on_all_rings(send_bad_bodies);
}

/* Writes by pieces, so that the server gets some in the middle of its reads. */
static void say_by(struct ouro_stream *stream, const char *text, size_t len, size_t step)
{
    for (size_t at = 0; at < len; at += step) {
        size_t piece = len - at < step ? len - at : step;

        CU_ASSERT_EQUAL(ouro_stream_write_all(stream, text + at, piece), 0);
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    }
}

/* A request with a body, and one behind it that must not become part of it. */
static void send_large_body(size_t len, size_t room, size_t step)
{
    static const char next[] = "GET /hello/next HTTP/1.1\r\n" CLOSE;
    char *text = malloc(len + 256), expected[64];
    struct ouro_stream *stream = dial();
    size_t head_len = (size_t) sprintf(
        text, "POST /hash/%zu HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", room, len);

    for (size_t i = 0; i < len; i++)
        text[head_len + i] = (char) (i * 7 + i / 256);
    (void) snprintf(expected, sizeof(expected), "%zu bytes, %u", len,
                    hash_of(0, text + head_len, len));
    memcpy(text + head_len + len, next, sizeof(next) - 1);
    say_by(stream, text, head_len + len + sizeof(next) - 1, step);
    CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(stream), expected));
    CU_ASSERT_PTR_NOT_NULL(strstr(read_all(stream), "hello next"));
    (void) ouro_stream_close(stream);
    free(text);
}

static void send_large_bodies(void)
{
    static const size_t lens[] = {8191, 8192, 8193, 16384, 50000, 300000};
    static const size_t rooms[] = {1000, 8192, 10000, 65536};
    static const size_t steps[] = {1000, 9000, 1000000};

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
        for (size_t k = 0; k < sizeof(rooms) / sizeof(rooms[0]); k++)
            for (size_t m = 0; m < sizeof(steps) / sizeof(steps[0]); m++)
                send_large_body(lens[i], rooms[k], steps[m]);
}

static void test_large_bodies_arrive_as_they_were(void)
{
    on_all_rings(send_large_bodies);
}

/* Of 50,000 bytes only 20,000 come: then the end, or nothing. */
static void send_part_of_a_large_body(bool has_end, const char *status, int error)
{
    static char part[20000];
    struct ouro_stream *stream = dial();

    say(stream, "POST /hash/16384 HTTP/1.1\r\nContent-Length: 50000\r\n" GO_ON);
    say_by(stream, part, sizeof(part), 9000);
    if (has_end)
        CU_ASSERT_EQUAL(ouro_stream_shutdown_write(stream), 0);
    CU_ASSERT(starts_with(read_all(stream), status));
    CU_ASSERT_EQUAL(seen.body_read, error);
    (void) ouro_stream_close(stream);
}

static void send_parts_of_large_bodies(void)
{
    send_part_of_a_large_body(true, "HTTP/1.1 400 ", OURO_EEOF);
    send_part_of_a_large_body(false, "HTTP/1.1 408 ", -ETIMEDOUT);
}

static void test_large_bodies_may_not_end_early_nor_stall(void)
{
    server.options.body_timeout_ns = 50 * OURO_MILLISECOND;
    on_all_rings(send_parts_of_large_bodies);
}

static void stall_a_body(void)
{
    CU_ASSERT(starts_with(ask("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n" GO_ON "hel"),
                          "HTTP/1.1 408 "));
    CU_ASSERT_EQUAL(seen.body_read, -ETIMEDOUT);
}

/* HTTP 30 */
static void test_body_has_a_time_limit(void)
{
    server.options.body_timeout_ns = 50 * OURO_MILLISECOND;
    on_all_rings(stall_a_body);
}

/* HTTP 22 */
static void leave_bodies_unread(void)
{
    struct ouro_stream *stream = dial();

    if (!stream)
        return;
    say(stream, "POST /ok HTTP/1.1\r\nContent-Length: 34\r\n" GO_ON
                "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
    CU_ASSERT_STRING_EQUAL(read_answer(stream), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    say(stream, "POST /ok HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" GO_ON "5\r\nhello\r\n");
    CU_ASSERT_STRING_EQUAL(read_answer(stream), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    say(stream, "0\r\n\r\nGET /hello/a HTTP/1.1\r\n" GO_ON);
    CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(stream), "hello a"));
    /* Too much to read for nothing. */
    say(stream, "POST /ok HTTP/1.1\r\nContent-Length: 1000000\r\n" GO_ON);
    CU_ASSERT_STRING_EQUAL(read_all(stream),
                           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    (void) ouro_stream_close(stream);
}

static void test_unread_bodies_never_become_requests(void)
{
    on_all_rings(leave_bodies_unread);
}

/* HTTP 28 */
static void ask_before_sending(void)
{
    struct ouro_stream *stream = dial();
    const char *data;

    if (!stream)
        return;
    say(stream, "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n" GO_ON);
    CU_ASSERT_EQUAL(ouro_stream_read_until(stream, "\r\n\r\n", 4, 100, &data), 25);
    CU_ASSERT(starts_with(data, "HTTP/1.1 100 Continue\r\n\r\n"));
    say(stream, "hello");
    CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(stream), "\r\n\r\nhello"));
    /* The handler does not read: the final answer comes at once, and the connection ends. */
    say(stream, "POST /ok HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n" GO_ON);
    CU_ASSERT_STRING_EQUAL(read_all(stream),
                           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    (void) ouro_stream_close(stream);
    CU_ASSERT(starts_with(ask("POST /ok HTTP/1.1\r\nExpect: tea\r\n" GO_ON), "HTTP/1.1 417 "));
    /* A client that did not wait need not be told, and its next request is answered. */
    if (!server.is_simulated)
        CU_ASSERT_PTR_NOT_NULL(
            strstr(ask("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\n"
                       "Content-Length: 5\r\n" GO_ON "helloGET /hello/b HTTP/1.1\r\n" CLOSE),
                   "\r\n\r\nhello b"));
}

static void test_clients_may_ask_before_they_send_a_body(void)
{
    on_all_rings(ask_before_sending);
}

/* --- refusals ---------------------------------------------------------------------------- */

static void send_bad_requests(void)
{
    static const struct {
        const char *request, *status;
    } rows[] = {
        {"GET  / HTTP/1.1\r\n", "400"},                                         /* HTTP 2 */
        {"BREW /pot HTTP/1.1\r\n" GO_ON, "501"},                                /* HTTP 2 */
        {"GET / HTTP/2.0\r\n", "505"},                                          /* HTTP 3 */
        {"GET /\r\n", "400"},                                                   /* HTTP 3 */
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},                            /* HTTP 3 */
        {"GET /a#b HTTP/1.1\r\n" GO_ON, "400"},                                 /* HTTP 4 */
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "400"},                          /* HTTP 7 */
        {"GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", "400"},                     /* HTTP 8 */
        {"GET / HTTP/1.1\r\nA: \x01\r\n" GO_ON, "400"},                         /* HTTP 9 */
        {"GET / HTTP/1.1\r\n\r\n", "400"},                                      /* HTTP 11 */
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", "400"},                /* HTTP 11 */
        {"POST /echo HTTP/1.1\r\nContent-Length: +5\r\n" GO_ON "hello", "400"}, /* HTTP 14 */
        {"POST /echo HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" GO_ON
         "0\r\n\r\n",
         "400"},                                                                       /* HTTP 15 */
        {"POST /echo HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n" GO_ON, "400"},       /* HTTP 16 */
        {"POST /echo HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n" GO_ON, "501"},  /* HTTP 16 */
        {"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"}, /* HTTP 16 */
        {"GET /345678901234567890123456789012345678901234567890 HTTP/1.1\r\n", "414"}, /* HTTP 10 */
        {"GET / HTTP/1.1\r\nA: 3456789012345678901234567890123456789012345678901234567890"
         "123456789012345678901234567890123456789012345678901234567890\r\n",
         "431"},                                                     /* HTTP 10 */
        {"GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\n", "431"}, /* HTTP 10 */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *reply = ask(rows[i].request);

        CU_ASSERT(starts_with(reply, "HTTP/1.1 "));
        CU_ASSERT(starts_with(reply + 9, rows[i].status));
        CU_ASSERT_PTR_NOT_NULL(strstr(reply, "\r\nConnection: close\r\n"));
    }
}

static void test_bad_requests_are_refused_and_end_the_connection(void)
{
    server.options.line_bytes_max = 50;
    server.options.header_bytes_max = 128;
    server.options.header_count_max = 4;
    on_all_rings(send_bad_requests);
}

static void pipeline_badly(void)
{
    const char *reply = ask("GET /ok HTTP/1.1\r\n" GO_ON "GET / HTTP/1.1\r\nHost : x\r\n\r\n"
                            "GET /ok HTTP/1.1\r\n" GO_ON);

    CU_ASSERT(starts_with(reply, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 400 "));
    CU_ASSERT_PTR_NULL(strstr(reply + 40, "HTTP/1.1 200"));
}

static void test_answers_before_a_refusal_still_go_out(void)
{
    on_all_rings(pipeline_badly);
}

/* HTTP 29: closing with bytes unread would reset the connection, and the answer with it. */
static void shout_down_a_refusal(void)
{
    struct ouro_stream *stream = dial();
    char *noise = calloc(1, 100000);

    if (stream && noise) {
        say(stream, "BAD\r\n");
        CU_ASSERT_EQUAL(ouro_stream_write_all(stream, noise, 100000), 0);
        CU_ASSERT_EQUAL(ouro_stream_shutdown_write(stream), 0);
        CU_ASSERT(starts_with(read_all(stream), "HTTP/1.1 400 "));
    }
    (void) ouro_stream_close(stream);
    free(noise);
}

static void test_refusal_survives_what_the_client_still_sends(void)
{
    on_all_rings(shout_down_a_refusal);
}

/* --- time -------------------------------------------------------------------------------- */

/* HTTP 30 */
static void dawdle(void)
{
    struct ouro_stream *stream = dial();

    if (!stream)
        return;
    /* Each byte comes in time, the whole does not. */
    for (int i = 0; i < 8; i++) {
        say(stream, i ? "a" : "GET /");
        CU_ASSERT_EQUAL(ouro_sleep(10 * OURO_MILLISECOND), 0);
    }
    CU_ASSERT(starts_with(read_all(stream), "HTTP/1.1 408 "));
    (void) ouro_stream_close(stream);
}

static void test_header_has_a_time_limit_from_its_first_byte(void)
{
    server.options.header_timeout_ns = 100 * OURO_MILLISECOND;
    server.options.idle_timeout_ns = 10 * OURO_SECOND;
    on_all_rings(dawdle);
}

/* The empty line that is forgiven before a request begins no request. */
static void pause_behind_an_empty_line(void)
{
    struct ouro_stream *stream = dial();

    if (!stream)
        return;
    say(stream, "\r");
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    say(stream, "\n");
    CU_ASSERT_EQUAL(ouro_sleep(10 * OURO_SECOND), 0);
    say(stream, "GET /ok HT");
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    say(stream, "TP/1.1\r\n" CLOSE);
    CU_ASSERT(starts_with(read_all(stream), "HTTP/1.1 200 "));
    (void) ouro_stream_close(stream);
}

/* Nor does the limit of the whole request begin with it, also if the head is then there at once. */
static void ask_late_behind_an_empty_line(void)
{
    struct ouro_stream *stream = dial();

    if (!stream)
        return;
    say(stream, "\r");
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    say(stream, "\n");
    CU_ASSERT_EQUAL(ouro_sleep(10 * OURO_SECOND), 0);
    say(stream, "GET /late HTTP/1.1\r\n" CLOSE);
    CU_ASSERT(starts_with(read_all(stream), "HTTP/1.1 200 "));
    (void) ouro_stream_close(stream);
}

static void test_empty_line_does_not_count_as_the_head(void)
{
    run_on(test_sim_ring(), pause_behind_an_empty_line);
    server.options.request_timeout_ns = OURO_SECOND;
    run_on(test_sim_ring(), ask_late_behind_an_empty_line);
    memset(&server.options, 0, sizeof(server.options));
}

static void idle(void)
{
    struct ouro_stream *stream = dial();

    if (!stream)
        return;
    CU_ASSERT(has_ended(stream)); /* without a word */
    (void) ouro_stream_close(stream);
    stream = dial();
    if (!stream)
        return;
    say(stream, "GET /late HTTP/1.1\r\n" GO_ON); /* longer than idle */
    CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(stream), "late"));
    CU_ASSERT(has_ended(stream));
    (void) ouro_stream_close(stream);
}

static void test_idle_connections_are_closed(void)
{
    server.options.idle_timeout_ns = 50 * OURO_MILLISECOND;
    on_all_rings(idle);
}

static void refuse_to_read(void)
{
    struct ouro_stream *stream = dial();

    if (!stream)
        return;
    for (int i = 0; i < 40; i++)
        say(stream, "GET /big HTTP/1.1\r\n" GO_ON);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), 0);
    /* The server has given up, in the middle of an answer. */
    while (ouro_stream_read(stream, reply_text, sizeof(reply_text)) > 0)
        ;
    (void) ouro_stream_close(stream);
    CU_ASSERT(starts_with(ask("GET /ok HTTP/1.1\r\n" CLOSE), "HTTP/1.1 200 "));
}

static void test_client_that_does_not_read_is_given_up(void)
{
    server.options.send_timeout_ns = 100 * OURO_MILLISECOND;
    on_all_rings(refuse_to_read);
}

/* --- the end ----------------------------------------------------------------------------- */

static void leave_connections_behind(void)
{
    struct ouro_stream *idle_one = dial();

    if (!idle_one)
        return;
    say(idle_one, "GET /ok HTTP/1.1\r\n" GO_ON);
    CU_ASSERT(starts_with(read_answer(idle_one), "HTTP/1.1 200 "));
    CU_ASSERT_EQUAL(ouro_cancel(server.task), 0);
    CU_ASSERT(has_ended(idle_one));
    (void) ouro_stream_close(idle_one);
}

static void test_cancelled_server_closes_idle_connections(void)
{
    on_all_rings(leave_connections_behind);
}

/* HTTP 32 */
static void stop_with_work_in_hand(void)
{
    struct ouro_stream *busy = dial();
    int64_t start = ouro_now();

    if (!busy)
        return;
    say(busy,
        "GET /ok HTTP/1.1\r\n" GO_ON "GET /late HTTP/1.1\r\n" GO_ON "GET /ok HTTP/1.1\r\n" GO_ON);
    CU_ASSERT(starts_with(read_answer(busy), "HTTP/1.1 200 "));
    CU_ASSERT_EQUAL(seen.sleeping, 1);
    CU_ASSERT_EQUAL(ouro_cancel(server.task), 0);
    CU_ASSERT_STRING_EQUAL(read_all(busy), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"
                                           "Connection: close\r\n\r\nlate");
    CU_ASSERT(ouro_now() - start >= LATE_NS);
    CU_ASSERT_EQUAL(seen.interrupted, 0);
    (void) ouro_stream_close(busy);
}

static void test_cancelled_server_lets_handlers_finish(void)
{
    on_all_rings(stop_with_work_in_hand);
}

static void stop_impatiently(void)
{
    struct ouro_stream *busy = dial();
    int64_t start = ouro_now();

    if (!busy)
        return;
    say(busy, "GET /late HTTP/1.1\r\n" GO_ON);
    while (!seen.sleeping)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel(server.task), 0);
    CU_ASSERT_STRING_EQUAL(read_all(busy), "");
    CU_ASSERT_EQUAL(seen.interrupted, 1);
    CU_ASSERT(ouro_now() - start < late_ns);
    (void) ouro_stream_close(busy);
}

static void test_drain_has_a_time_limit(void)
{
    server.options.drain_timeout_ns = 20 * OURO_MILLISECOND;
    late_ns = 100 * OURO_SECOND;
    on_all_rings(stop_impatiently);
    late_ns = LATE_NS;
}

static int serve_with_bad_options(void *arg)
{
    struct ouro_http_serve_options options = {.header_bytes_max = 10};

    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_serve(NULL, -1, &options), -EINVAL);
    options = (struct ouro_http_serve_options) {.request_timeout_ns = -1};
    CU_ASSERT_EQUAL(ouro_http_serve(NULL, -1, &options), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_serve(NULL, -1, NULL), -EBADF);
    return 0;
}

static void test_what_cannot_be_served_is_an_error(void)
{
    struct ouro_run_options options = {.ring = test_sim_ring()};

    CU_ASSERT_EQUAL(ouro_run(serve_with_bad_options, NULL, &options), 0);
}

/* --- many at the end --------------------------------------------------------------------- */

#define CROWD 600

struct leaver {
    struct ouro_stream *stream;
    int64_t end;
};

static int wait_for_the_end(void *arg)
{
    struct leaver *leaver = arg;

    CU_ASSERT(has_ended(leaver->stream));
    leaver->end = ouro_now();
    return ouro_stream_close(leaver->stream);
}

static unsigned count_until(const struct leaver *leavers, int64_t time)
{
    unsigned count = 0;

    for (int i = 0; i < CROWD; i++)
        count += leavers[i].end <= time;
    return count;
}

static void send_a_crowd_home(void)
{
    static struct leaver leavers[CROWD];
    struct ouro_group group;
    int64_t start;

    ouro_group_init(&group);
    for (int i = 0; i < CROWD; i++) {
        leavers[i].stream = dial();
        say(leavers[i].stream, "GET /ok HTTP/1.1\r\n" GO_ON);
        CU_ASSERT(starts_with(read_answer(leavers[i].stream), "HTTP/1.1 200 "));
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, wait_for_the_end, &leavers[i]), 0);
    }
    start = ouro_now();
    CU_ASSERT_EQUAL(ouro_cancel(server.task), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(count_until(leavers, start + 5 * OURO_MILLISECOND), 256);
    CU_ASSERT_EQUAL(count_until(leavers, start + 15 * OURO_MILLISECOND), 512);
    CU_ASSERT_EQUAL(count_until(leavers, start + 25 * OURO_MILLISECOND), CROWD);
}

/* HTTP 32 */
static void test_idle_connections_are_closed_some_at_a_time(void)
{
    run_on(test_sim_ring(), send_a_crowd_home);
}

static struct ouro_http_report report;

static void leave_traces(void)
{
    struct ouro_stream *busy = dial(), *resetting = dial();

    CU_ASSERT_EQUAL(report.connections, 0); /* it is told in the end */
    say(resetting, "GET /cut HTTP/1.1\r\n" GO_ON);
    CU_ASSERT_EQUAL(ouro_stream_read(resetting, reply_text, 1000) > 0, true);
    (void) ouro_stream_close(resetting);
    CU_ASSERT(starts_with(ask("GET /ok HTTP/1.1\r\n" GO_ON "GET /ok HTTP/1.1\r\n" CLOSE),
                          "HTTP/1.1 200 "));
    (void) ask("BAD\r\n");
    say(busy, "GET /late HTTP/1.1\r\n" GO_ON);
    while (!seen.sleeping)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel(server.task), 0);
    CU_ASSERT_STRING_EQUAL(read_all(busy), "");
    (void) ouro_stream_close(busy);
}

static void test_server_reports_what_it_has_done(void)
{
    late_ns = 100 * OURO_SECOND;
    for (int i = 0; i < 2; i++) {
        memset(&report, 0, sizeof(report));
        server.options.report = &report;
        server.options.drain_timeout_ns = OURO_MILLISECOND;
        run_on(i ? test_kernel_ring() : test_sim_ring(), leave_traces);
        CU_ASSERT_EQUAL(report.connections, 4);
        CU_ASSERT_EQUAL(report.requests, 4);
        CU_ASSERT_EQUAL(report.aborted, 1);
        CU_ASSERT_EQUAL(report.cut_off, 1);
    }
    memset(&server.options, 0, sizeof(server.options));
    late_ns = LATE_NS;
}

/* --- the whole request ------------------------------------------------------------------- */

static const char *ask_in_time(struct ouro_stream *stream, int64_t *ret_time)
{
    int64_t start = ouro_now();

    (void) read_all(stream);
    *ret_time = ouro_now() - start;
    (void) ouro_stream_close(stream);
    return reply_text;
}

static void take_too_long(void)
{
    struct ouro_stream *stream = dial();
    int64_t time;

    say(stream, "GET /late HTTP/1.1\r\n" CLOSE);
    CU_ASSERT(starts_with(ask_in_time(stream, &time), "HTTP/1.1 503 "));
    CU_ASSERT_EQUAL(time, OURO_SECOND);
    CU_ASSERT_EQUAL(seen.interrupted, 1);

    stream = dial();
    say(stream, "POST /echo HTTP/1.1\r\nContent-Length: 5\r\n" CLOSE);
    CU_ASSERT(starts_with(ask_in_time(stream, &time), "HTTP/1.1 408 "));
    CU_ASSERT_EQUAL(time, OURO_SECOND);

    /* It counts from the first byte: half a second goes into the head. */
    stream = dial();
    say(stream, "GET /late HT");
    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND / 2), 0);
    say(stream, "TP/1.1\r\n" CLOSE);
    CU_ASSERT(starts_with(ask_in_time(stream, &time), "HTTP/1.1 503 "));
    CU_ASSERT_EQUAL(time, OURO_SECOND / 2);

    stream = dial();
    say(stream, "GET /late HT");
    CU_ASSERT(starts_with(ask_in_time(stream, &time), "HTTP/1.1 408 "));
    CU_ASSERT_EQUAL(time, OURO_SECOND);
    CU_ASSERT(starts_with(ask("GET /ok HTTP/1.1\r\n" CLOSE), "HTTP/1.1 200 "));
}

/* HTTP 30 */
static void test_whole_requests_have_a_time_limit(void)
{
    late_ns = 100 * OURO_SECOND;
    server.options.request_timeout_ns = OURO_SECOND;
    run_on(test_sim_ring(), take_too_long);
    memset(&server.options, 0, sizeof(server.options));
    late_ns = LATE_NS;
}

/* --- shortage ---------------------------------------------------------------------------- */

static void run_out_of_descriptors(void)
{
    struct rlimit limit, lowered;
    struct ouro_stream *first = dial(), *second;
    int next = dup(0);

    if (!first || next < 0)
        return;
    (void) close(next);
    say(first, "GET /ok HTTP/1.1\r\n" GO_ON);
    CU_ASSERT(starts_with(read_answer(first), "HTTP/1.1 200 "));

    /* One descriptor more: for the client's end, not for the server's. */
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    next = dup(0);
    (void) close(next);
    lowered = limit;
    lowered.rlim_cur = (rlim_t) next + 1;
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &lowered), 0);
    second = dial();
    if (second)
        say(second, "GET /hello/b HTTP/1.1\r\n" GO_ON);
    CU_ASSERT_EQUAL(ouro_sleep(100 * OURO_MILLISECOND), 0);

    say(first, "GET /hello/a HTTP/1.1\r\n" GO_ON);
    CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(first), "hello a"));
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (second)
        CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(second), "hello b"));
    (void) ouro_stream_close(first);
    (void) ouro_stream_close(second);
}

/* The simulated ring has its own descriptors, and plenty of them. */
static void test_running_out_of_descriptors_only_pauses_accepting(void)
{
    run_on(test_kernel_ring(), run_out_of_descriptors);
}

const struct test http_server_tests[] = {
    TEST(test_requests_find_their_handlers),
    TEST(test_targets_come_in_several_forms),
    TEST(test_head_gets_the_head_of_get),
    TEST(test_handlers_see_the_whole_request),
    TEST(test_each_request_gets_exactly_one_answer),
    TEST(test_connections_last_as_long_as_both_want),
    TEST(test_pipelined_requests_are_answered_in_order),
    TEST(test_answers_to_a_batch_leave_together),
    TEST(test_sleeping_handler_does_not_hold_up_earlier_answers),
    TEST(test_handlers_sleep_side_by_side),
    TEST(test_clients_that_leave_do_no_harm),
    TEST(test_handlers_read_bodies),
    TEST(test_bad_bodies_are_refused_and_end_the_connection),
    TEST(test_body_has_a_time_limit),
    TEST(test_large_bodies_arrive_as_they_were),
    TEST(test_large_bodies_may_not_end_early_nor_stall),
    TEST(test_unread_bodies_never_become_requests),
    TEST(test_clients_may_ask_before_they_send_a_body),
    TEST(test_bad_requests_are_refused_and_end_the_connection),
    TEST(test_answers_before_a_refusal_still_go_out),
    TEST(test_refusal_survives_what_the_client_still_sends),
    TEST(test_header_has_a_time_limit_from_its_first_byte),
    TEST(test_empty_line_does_not_count_as_the_head),
    TEST(test_idle_connections_are_closed),
    TEST(test_client_that_does_not_read_is_given_up),
    TEST(test_cancelled_server_closes_idle_connections),
    TEST(test_cancelled_server_lets_handlers_finish),
    TEST(test_drain_has_a_time_limit),
    TEST(test_idle_connections_are_closed_some_at_a_time),
    TEST(test_server_reports_what_it_has_done),
    TEST(test_whole_requests_have_a_time_limit),
    TEST(test_what_cannot_be_served_is_an_error),
    TEST(test_running_out_of_descriptors_only_pauses_accepting),
    TEST_END,
};
