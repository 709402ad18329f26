/* SPDX-License-Identifier: MIT */
/*
 * http_reply_test.c - tests of proto/http_reply.c, http_answer.c, http_output.c, http_request.c
 *
 * Numbers such as "HTTP 21" are the rules of the list in docs/http-rules.md.
 */
#include <errno.h>

#include "http_harness.h"

#define LARGE 100000

static struct {
    int code; /* what the call that is looked at has returned */
    int code2;
    int done; /* how many handlers have come to their end */
    struct ouro_address peer;
} seen;

static void reset(void)
{
    memset(&seen, 0, sizeof(seen));
}

/* --- the application --------------------------------------------------------------------- */

/* "/count/{n}": so many pieces, the last one large. */
static int stream_numbers(struct ouro_http_exchange *exchange, void *arg)
{
    int count = atoi(ouro_http_parameter(exchange, "n"));
    static char large[LARGE];
    int code = ouro_http_reply_begin(exchange, 200, "text/plain", -1);

    (void) arg;
    memset(large, 'x', sizeof(large));
    for (int i = 0; !code && i < count; i++)
        code = ouro_http_writef(exchange, "%d,", i);
    if (!code)
        code = ouro_http_write(exchange, large, sizeof(large));
    return code ? code : ouro_http_write(exchange, NULL, 0); /* which is no end */
}

/* "/announced/{n}": announces 5 bytes and writes so many, one by one. */
static int write_as_many(struct ouro_http_exchange *exchange, void *arg)
{
    int count = atoi(ouro_http_parameter(exchange, "n"));

    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_write(exchange, "x", 1), -EINVAL); /* nothing has begun */
    CU_ASSERT_EQUAL(ouro_http_reply_end(exchange), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_status(exchange), 0);
    CU_ASSERT_EQUAL(ouro_http_reply_begin(exchange, 200, NULL, 5), 0);
    CU_ASSERT_EQUAL(ouro_http_status(exchange), 200);
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "Too", "late"), -EALREADY);
    CU_ASSERT_EQUAL(ouro_http_reply(exchange, 200, NULL, NULL, 0), -EALREADY);
    for (int i = 0; i < count; i++)
        seen.code = ouro_http_write(exchange, &"abcdefgh"[i], 1);
    seen.code2 = ouro_http_reply_end(exchange);
    return 0;
}

static int stream_with_trailers(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_reply_begin(exchange, 200, NULL, -1);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_add_trailer(exchange, "Checksum", "12"), 0);
    CU_ASSERT_EQUAL(ouro_http_add_trailer(exchange, "Content-Length", "12"), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_add_trailer(exchange, "Host", "x"), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_add_trailer(exchange, "A", "b\r\nc: d"), -EINVAL);
    if (!code)
        code = ouro_http_write(exchange, "body", 4);
    CU_ASSERT_EQUAL(ouro_http_reply_end(exchange), 0);
    CU_ASSERT_EQUAL(ouro_http_reply_end(exchange), 0);
    CU_ASSERT_EQUAL(ouro_http_write(exchange, "x", 1), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_add_trailer(exchange, "B", "c"), -EALREADY);
    return code;
}

/* A second each between three pieces. */
static int stream_slowly(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_reply_begin(exchange, 200, NULL, -1);

    (void) arg;
    for (int i = 0; !code && i < 3; i++) {
        code = ouro_http_writef(exchange, "piece %d", i);
        if (!code)
            code = ouro_sleep(OURO_SECOND);
    }
    seen.done++;
    return code;
}

static int stream_a_minute(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_reply_begin(exchange, 200, NULL, -1);

    (void) arg;
    for (int i = 0; !code && i < 60; i++) {
        code = ouro_sleep(OURO_SECOND);
        if (!code)
            code = ouro_http_write(exchange, "tick", 4);
    }
    return code;
}

static int fail_half_way(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_reply_begin(exchange, 200, NULL, -1);

    (void) arg;
    if (!code)
        code = ouro_http_write(exchange, "half", 4);
    return code ? code : -EIO;
}

static int abort_it(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_reply_begin(exchange, 200, NULL, -1), 0);
    CU_ASSERT_EQUAL(ouro_http_write(exchange, "half", 4), 0);
    CU_ASSERT_EQUAL(ouro_http_flush(exchange), 0);
    ouro_http_abort(exchange);
    seen.code = ouro_http_write(exchange, "more", 4);
    return 0;
}

/* Events, for as long as somebody listens. */
static int stream_for_ever(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_reply_begin(exchange, 200, NULL, -1);

    (void) arg;
    while (!code)
        code = ouro_http_write(exchange, "tick", 4);
    seen.code = code;
    seen.done++;
    return code;
}

static int wait_for_events(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_events_begin(exchange);

    (void) arg;
    if (!code)
        code = ouro_sleep(1000 * OURO_SECOND);
    seen.code = code;
    seen.done++;
    return code;
}

/* Announces an empty body, and writes. */
static int write_into_nothing(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_flush(exchange), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_reply_begin(exchange, 200, NULL, 0), 0);
    seen.code = ouro_http_write(exchange, "abc", 3);
    return 0;
}

/* Looks at the query, whose state is not what it fails for. */
static int fail_for_another_reason(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_PTR_NULL(ouro_http_query_value(exchange, "a"));
    return -EIO;
}

/* A redirect that can't be made leaves nothing behind. */
static int redirect_badly(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "X-Kept", "yes"), 0);
    CU_ASSERT_EQUAL(ouro_http_redirect(exchange, 300, "/x\n"), -EINVAL);
    return ouro_http_reply(exchange, 200, NULL, NULL, 0);
}

/* Answers, then works on for a minute. */
static int answer_first(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_reply(exchange, 200, NULL, "early", 5);

    (void) arg;
    return code ? code : ouro_sleep(60 * OURO_SECOND);
}

static int redirect(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_redirect(exchange, 200, "/x"), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_redirect(exchange, 303, ""), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_redirect(exchange, 303, "/x\r\nSet-Cookie: a=b"), -EINVAL);
    return ouro_http_redirect(exchange, 303, "/elsewhere");
}

static int answer_json(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "content-type", "text/plain"), -EINVAL);
    return ouro_http_reply_json(exchange, 200, "{\"a\": 1}");
}

static int mirror_whole_body(struct ouro_http_exchange *exchange, void *arg)
{
    const char *data, *again, *name, *value;
    size_t len, len_again;

    (void) arg;
    seen.code = ouro_http_read_all(exchange, &data, &len);
    if (seen.code)
        return seen.code;
    CU_ASSERT_EQUAL(data[len], '\0');
    CU_ASSERT_EQUAL(ouro_http_read_all(exchange, &again, &len_again), 0);
    CU_ASSERT(again == data && len_again == len);
    for (size_t i = 0; ouro_http_trailer_at(exchange, i, &name, &value); i++)
        CU_ASSERT_EQUAL(ouro_http_add_header(exchange, name, value), 0);
    return ouro_http_reply(exchange, 200, NULL, data, len);
}

/* Shouts back what comes, line by line, until the client ends it. */
static int shout(struct ouro_http_exchange *exchange, void *arg)
{
    struct ouro_stream *stream;
    const char *line;
    ssize_t len;
    int code;

    (void) arg;
    if (!ouro_http_upgrade_requested(exchange, "shout")) {
        CU_ASSERT_EQUAL(ouro_http_upgrade_take(exchange, "shout", &stream), -EINVAL);
        return ouro_http_reply(exchange, 200, NULL, "no", 2);
    }
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "X-Loud", "yes"), 0);
    code = ouro_http_upgrade_take(exchange, "shout", &stream);
    if (code)
        return code;
    CU_ASSERT_EQUAL(ouro_http_status(exchange), 101);
    CU_ASSERT_EQUAL(ouro_http_reply(exchange, 200, NULL, "no", 2), -EALREADY);
    CU_ASSERT_EQUAL(ouro_http_peer(exchange, &seen.peer), -ENOTCONN);
    while (!code && (len = ouro_stream_read_until(stream, "\n", 1, 100, &line)) > 0) {
        code = ouro_stream_write(stream, "!", 1);
        if (!code)
            code = ouro_stream_write_all(stream, line, (size_t) len);
    }
    (void) ouro_stream_close(stream);
    seen.done++;
    return -EIO; /* what it returns does not matter any more */
}

static int tell_peer(struct ouro_http_exchange *exchange, void *arg)
{
    char text[OURO_ADDRESS_TEXT_MAX];
    int code = ouro_http_peer(exchange, &seen.peer);

    (void) arg;
    return code
               ? code
               : ouro_http_replyf(exchange, 200, NULL, "%s", ouro_address_format(&seen.peer, text));
}

static int create_app(struct ouro_http_app **ret_app)
{
    static const struct {
        const char *method, *pattern;
        ouro_http_handler_fn *handler;
    } routes[] = {
        {"GET", "/count/{n}", stream_numbers},
        {"GET", "/announced/{n}", write_as_many},
        {"GET", "/trailers", stream_with_trailers},
        {"GET", "/slow", stream_slowly},
        {"GET", "/minute", stream_a_minute},
        {"GET", "/half", fail_half_way},
        {"GET", "/abort", abort_it},
        {"GET", "/first", answer_first},
        {"GET", "/redirect", redirect},
        {"GET", "/json", answer_json},
        {"POST", "/whole", mirror_whole_body},
        {"GET", "/shout", shout},
        {"POST", "/shout", shout},
        {"GET", "/peer", tell_peer},
        {"GET", "/ever", stream_for_ever},
        {"GET", "/events", wait_for_events},
        {"GET", "/empty", write_into_nothing},
        {"GET", "/query", fail_for_another_reason},
        {"GET", "/badly", redirect_badly},
    };
    int code = ouro_http_app_create(ret_app);

    for (size_t i = 0; !code && i < sizeof(routes) / sizeof(routes[0]); i++)
        code =
            ouro_http_route(*ret_app, routes[i].method, routes[i].pattern, routes[i].handler, NULL);
    return code;
}

/* --- streamed answers -------------------------------------------------------------------- */

static bool is_all(const char *text, char c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text[i] != c)
            return false;
    return true;
}

static void read_streams(void)
{
    const char *reply = ask("GET /count/3 HTTP/1.1\r\n" CLOSE);
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                               "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                               "2\r\n0,\r\n2\r\n1,\r\n2\r\n2,\r\n186a0\r\n";

    CU_ASSERT(starts_with(reply, head));
    CU_ASSERT(is_all(reply + strlen(head), 'x', LARGE));
    CU_ASSERT_STRING_EQUAL(reply + strlen(head) + LARGE, "\r\n0\r\n\r\n");

    /* HTTP/1.0 knows no chunks: the end of the connection is the end of the body. */
    reply = ask("GET /count/2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CU_ASSERT(starts_with(reply, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                 "Connection: close\r\n\r\n0,1,xxxx"));
    CU_ASSERT_EQUAL(strlen(strstr(reply, "xxxx")), LARGE);

    /* HTTP 34: to HEAD the same head. */
    CU_ASSERT_STRING_EQUAL(ask("HEAD /count/3 HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                           "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
}

static void test_bodies_of_unknown_length_go_out_in_chunks(void)
{
    on_all_rings(read_streams);
}

static void stream_and_go_on(void)
{
    struct ouro_stream *stream = dial();

    if (!stream)
        return;
    say(stream, "GET /trailers HTTP/1.1\r\n" GO_ON "GET /json HTTP/1.1\r\n" CLOSE);
    CU_ASSERT_STRING_EQUAL(read_all(stream),
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "4\r\nbody\r\n0\r\n\r\n"
                           "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                           "Content-Length: 8\r\nConnection: close\r\n\r\n{\"a\": 1}");
    (void) ouro_stream_close(stream);
    CU_ASSERT_STRING_EQUAL(ask("GET /trailers HTTP/1.1\r\nTE: trailers\r\n" CLOSE),
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                           "Connection: close\r\n\r\n4\r\nbody\r\n0\r\nChecksum: 12\r\n\r\n");
}

/* HTTP 19: trailers go to who says that it keeps them apart. */
static void test_trailers_follow_a_body_in_chunks(void)
{
    on_all_rings(stream_and_go_on);
}

/* HTTP 21 */
static void write_announced(void)
{
    struct ouro_stream *stream;
    int code;

    CU_ASSERT_STRING_EQUAL(
        ask("GET /announced/5 HTTP/1.1\r\n" CLOSE),
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nabcde");
    CU_ASSERT_EQUAL(seen.code2, 0);
    CU_ASSERT_STRING_EQUAL(ask("HEAD /announced/5 HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n");

    for (int count = 4; count <= 6; count += 2) {
        char request[200];

        (void) snprintf(request, sizeof(request),
                        "GET /announced/%d HTTP/1.1\r\n" GO_ON "GET /json HTTP/1.1\r\n" GO_ON,
                        count);
        stream = dial();
        say(stream, request);
        CU_ASSERT_PTR_NULL(strstr(read_to_end(stream, &code), "json"));
        CU_ASSERT_EQUAL(code, -ECONNRESET);
        CU_ASSERT_EQUAL(seen.code, count == 4 ? 0 : OURO_ELIMIT);
        CU_ASSERT(seen.code2 < 0);
        (void) ouro_stream_close(stream);
    }
}

static void test_body_that_is_not_as_long_as_announced_aborts(void)
{
    on_all_rings(write_announced);
}

static void break_off(void)
{
    static const char *const requests[] = {
        "GET /half HTTP/1.1\r\n" GO_ON,
        "GET /half HTTP/1.0\r\n\r\n",
        "GET /abort HTTP/1.1\r\n" GO_ON,
    };
    int code;

    for (size_t i = 0; i < 3; i++) {
        struct ouro_stream *stream = dial();

        say(stream, requests[i]);
        CU_ASSERT_PTR_NULL(strstr(read_to_end(stream, &code), "0\r\n\r\n"));
        CU_ASSERT_EQUAL(code, -ECONNRESET);
        (void) ouro_stream_close(stream);
    }
    CU_ASSERT_EQUAL(seen.code, -EPIPE);
}

static void test_answer_that_fails_half_way_does_not_look_whole(void)
{
    on_all_rings(break_off);
}

/* To HEAD there is nothing to be written, and a handler that writes for ever has to hear of it. */
static void ask_for_heads_only(void)
{
    CU_ASSERT_STRING_EQUAL(
        ask("HEAD /ever HTTP/1.1\r\n" GO_ON "HEAD /events HTTP/1.1\r\n" CLOSE),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    CU_ASSERT_EQUAL(seen.done, 2);
    CU_ASSERT_EQUAL(seen.code, OURO_EEOF);
}

static void test_handlers_learn_that_head_has_no_body(void)
{
    on_all_rings(ask_for_heads_only);
}

static void write_too_much_into_nothing(void)
{
    struct ouro_stream *stream = dial();
    int code;

    say(stream, "GET /empty HTTP/1.1\r\n" GO_ON);
    (void) read_to_end(stream, &code);
    CU_ASSERT_EQUAL(code, -ECONNRESET);
    CU_ASSERT_EQUAL(seen.code, OURO_ELIMIT);
    (void) ouro_stream_close(stream);
}

static void test_empty_body_takes_nothing(void)
{
    on_all_rings(write_too_much_into_nothing);
}

/* What was whole before an answer was given up arrives. */
static void abort_behind_an_answer(void)
{
    struct ouro_stream *stream = dial();
    int code;

    say(stream, "GET /json HTTP/1.1\r\n" GO_ON "GET /half HTTP/1.1\r\n" GO_ON);
    CU_ASSERT_PTR_NOT_NULL(strstr(read_to_end(stream, &code), "{\"a\": 1}"));
    CU_ASSERT_EQUAL(code, -ECONNRESET);
    (void) ouro_stream_close(stream);
}

static void test_answers_before_one_that_is_given_up_arrive(void)
{
    on_all_rings(abort_behind_an_answer);
}

static void fail_properly(void)
{
    CU_ASSERT(starts_with(ask("GET /query?a=% HTTP/1.1\r\n" CLOSE), "HTTP/1.1 500 "));
    CU_ASSERT_STRING_EQUAL(ask("GET /badly HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 200 OK\r\nX-Kept: yes\r\nContent-Length: 0\r\n"
                           "Connection: close\r\n\r\n");
}

static void test_failures_leave_nothing_behind(void)
{
    on_all_rings(fail_properly);
}

/* --- when things leave ------------------------------------------------------------------- */

static void read_pieces(void)
{
    struct ouro_stream *stream = dial();
    const char *data;
    int64_t start;

    if (!stream)
        return;
    say(stream, "GET /slow HTTP/1.1\r\n" GO_ON);
    CU_ASSERT(ouro_stream_read_until(stream, "piece 0", 7, 1000, &data) > 0);
    start = ouro_now();
    CU_ASSERT(ouro_stream_read_until(stream, "piece 1", 7, 1000, &data) > 0);
    CU_ASSERT(ouro_now() - start >= OURO_SECOND / 2);
    CU_ASSERT(ouro_stream_read_until(stream, "piece 2", 7, 1000, &data) > 0);
    CU_ASSERT_EQUAL(seen.done, 0); /* the handler sleeps its last second */
    CU_ASSERT(ouro_stream_read_until(stream, "0\r\n\r\n", 5, 1000, &data) > 0);
    CU_ASSERT_EQUAL(seen.done, 1);
    (void) ouro_stream_close(stream);
}

static void test_pieces_leave_when_the_handler_suspends(void)
{
    run_on(test_sim_ring(), read_pieces);
    run_on("sim:seed=1,short=50", read_pieces);
}

static void listen_for_a_minute(void)
{
    struct ouro_stream *stream = dial();
    const char *data;

    if (!stream)
        return;
    say(stream, "GET /minute HTTP/1.1\r\n" GO_ON);
    for (int i = 0; i < 60; i++)
        CU_ASSERT(ouro_stream_read_until(stream, "tick\r\n", 6, 1000, &data) > 0);
    CU_ASSERT(ouro_stream_read_until(stream, "0\r\n\r\n", 5, 1000, &data) > 0);
    say(stream, "GET /json HTTP/1.1\r\n" GO_ON);
    CU_ASSERT(starts_with(read_answer(stream), "HTTP/1.1 200 "));
    (void) ouro_stream_close(stream);
}

/* No limit is about how long an answer takes in all. */
static void test_streams_last_as_long_as_they_like(void)
{
    run_on(test_sim_ring(), listen_for_a_minute);
}

static void be_answered_early(void)
{
    struct ouro_stream *stream = dial();

    if (!stream)
        return;
    say(stream, "GET /first HTTP/1.1\r\n" GO_ON);
    CU_ASSERT(starts_with(read_answer(stream), "HTTP/1.1 200 OK"));
    (void) ouro_stream_close(stream);
    ouro_cancel(server.task);
}

/* The answer does not wait for the handler's end. */
static void test_answer_leaves_before_its_handler_ends(void)
{
    server.options.drain_timeout_ns = OURO_MILLISECOND;
    on_all_rings(be_answered_early);
}

/*
 * The handler flushes and its sender fails in the same turn:
 *
 *     | client       | handler                  | sender        | flusher
 *     |              | writes, waits            | is stuck      |
 *     | says go,     |                          |               |
 *     | closes       | writes, flushes: joins   | fails, ends   | must not start another one
 */
static struct ouro_event go;

static int write_and_flush_when_told(struct ouro_http_exchange *exchange, void *arg)
{
    static char large[OURO_STREAM_PAIR_BYTES];
    int code = ouro_http_reply_begin(exchange, 200, "text/plain", -1);

    (void) arg;
    if (!code) /* at once: nearly fills the pair */
        code = ouro_http_write(exchange, large, sizeof(large) - 1000);
    if (!code) /* into the buffer, for the sender */
        code = ouro_http_write(exchange, large, 16000);
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_EQUAL(ouro_event_wait(&go), 0);
    code = ouro_http_write(exchange, "x", 1);
    seen.code = ouro_http_flush(exchange);
    return code;
}

static int serve_pair(void *arg)
{
    struct ouro_http_app *app = NULL;

    CU_ASSERT_EQUAL(ouro_http_app_create(&app), 0);
    CU_ASSERT_EQUAL(ouro_http_route(app, "GET", "/", write_and_flush_when_told, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_serve_stream_take(app, arg, NULL), 0);
    ouro_http_app_destroy(app);
    return 0;
}

static int leave_while_a_sender_is_stuck(void *arg)
{
    struct ouro_stream *ends[2];
    ouro_task_id id;

    (void) arg;
    ouro_event_init(&go);
    CU_ASSERT_EQUAL(ouro_stream_pair(ends), 0);
    id = ouro_spawn(serve_pair, ends[1]);
    say(ends[0], "GET / HTTP/1.1\r\n" GO_ON);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), 0);
    ouro_event_set(&go);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(seen.code, -EPIPE);
    return 0;
}

static void test_sender_that_fails_leaves_no_other_behind(void)
{
    struct ouro_run_options options = {.ring = test_sim_ring()};

    CU_ASSERT_EQUAL(ouro_run(leave_while_a_sender_is_stuck, NULL, &options), 0);
}

/* A client that reads nothing holds up its own handler, and nobody else. */
static void stall_a_stream(void)
{
    struct ouro_stream *stream = dial();

    if (!stream)
        return;
    for (int i = 0; i < 60; i++)
        say(stream, "GET /count/9 HTTP/1.1\r\n" GO_ON);
    CU_ASSERT(starts_with(ask("GET /json HTTP/1.1\r\n" CLOSE), "HTTP/1.1 200 "));
    CU_ASSERT_EQUAL(ouro_sleep(2 * OURO_SECOND), 0);
    (void) ouro_stream_close(stream);
}

static void test_stalled_client_holds_up_nobody_else(void)
{
    server.options.send_timeout_ns = OURO_SECOND;
    run_on(test_sim_ring(), stall_a_stream);
    memset(&server.options, 0, sizeof(server.options));
}

/* --- other answers ----------------------------------------------------------------------- */

static void look_at_answers(void)
{
    CU_ASSERT_STRING_EQUAL(ask("GET /redirect HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 303 See Other\r\nContent-Type: text/plain; charset=utf-8\r\n"
                           "Location: /elsewhere\r\nContent-Length: 14\r\nConnection: close\r\n\r\n"
                           "303 See Other\n");
    CU_ASSERT_STRING_EQUAL(ask("GET /json HTTP/1.1\r\n" CLOSE),
                           "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                           "Content-Length: 8\r\nConnection: close\r\n\r\n{\"a\": 1}");
    CU_ASSERT_PTR_NOT_NULL(strstr(ask("GET /peer HTTP/1.1\r\n" CLOSE), "\r\n\r\n127.0.0.1:"));
}

static void test_redirects_and_json(void)
{
    on_all_rings(look_at_answers);
}

/* --- bodies of requests ------------------------------------------------------------------ */

static void send_whole_bodies(void)
{
    static char request[LARGE + 200];
    size_t len =
        (size_t) sprintf(request, "POST /whole HTTP/1.1\r\nContent-Length: %d\r\n" CLOSE, LARGE);

    CU_ASSERT_PTR_NOT_NULL(
        strstr(ask("POST /whole HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
                   "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"),
               "X-Sum: 5\r\nContent-Length: 5\r\nConnection: close\r\n\r\nabcde"));
    CU_ASSERT_PTR_NOT_NULL(strstr(ask("POST /whole HTTP/1.1\r\n" CLOSE), "Content-Length: 0\r\n"));
    memset(request + len, 'y', LARGE);
    CU_ASSERT(is_all(strstr(ask(request), "\r\n\r\n") + 4, 'y', LARGE));
}

static void test_bodies_can_be_read_as_a_whole(void)
{
    on_all_rings(send_whole_bodies);
}

static void send_too_much(void)
{
    CU_ASSERT(starts_with(
        ask("POST /whole HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" GO_ON "b\r\nhello world\r\n"),
        "HTTP/1.1 413 "));
    CU_ASSERT_EQUAL(seen.code, OURO_ELIMIT);
}

static void test_whole_bodies_have_a_limit(void)
{
    server.options.body_bytes_max = 10;
    on_all_rings(send_too_much);
}

/* HTTP 30: a byte each second keeps every single limit, but it is no way to send a body. */
static void trickle(void)
{
    struct ouro_stream *stream = dial();
    int64_t start = ouro_now();

    if (!stream)
        return;
    say(stream, "POST /whole HTTP/1.1\r\nContent-Length: 1000\r\n" GO_ON);
    for (int i = 0; i < 7; i++) {
        say(stream, "x");
        CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), 0);
    }
    CU_ASSERT(starts_with(read_all(stream), "HTTP/1.1 408 "));
    CU_ASSERT(ouro_now() - start >= 5 * OURO_SECOND);
    CU_ASSERT_EQUAL(seen.code, -ETIMEDOUT);
    (void) ouro_stream_close(stream);
}

static void send_steadily(void)
{
    struct ouro_stream *stream = dial();
    char piece[301];

    if (!stream)
        return;
    memset(piece, 'x', 300);
    piece[300] = '\0';
    say(stream, "POST /whole HTTP/1.1\r\nContent-Length: 6000\r\n" GO_ON);
    for (int i = 0; i < 20; i++) {
        say(stream, piece);
        CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), 0);
    }
    CU_ASSERT(starts_with(read_answer(stream), "HTTP/1.1 200 "));
    (void) ouro_stream_close(stream);
}

static void test_bodies_have_a_lowest_rate(void)
{
    server.options.body_timeout_ns = 5 * OURO_SECOND;
    run_on(test_sim_ring(), trickle);
    run_on(test_sim_ring(), send_steadily);
    memset(&server.options, 0, sizeof(server.options));
}

/* --- upgrades ---------------------------------------------------------------------------- */

/* HTTP 26 */
static void change_protocols(void)
{
    struct ouro_stream *stream = dial();
    const char *data;

    if (!stream)
        return;
    say(stream,
        "GET /shout HTTP/1.1\r\nConnection: x, Upgrade\r\nUpgrade: a, Shout\r\n" GO_ON "early\n");
    CU_ASSERT(starts_with(read_answer(stream),
                          "HTTP/1.1 101 Switching Protocols\r\nX-Loud: yes\r\nUpgrade: shout\r\n"
                          "Connection: Upgrade\r\n\r\n"));
    CU_ASSERT_EQUAL(ouro_stream_read_until(stream, "\n", 1, 100, &data), 7);
    CU_ASSERT(starts_with(data, "!early\n"));
    say(stream, "later\n");
    CU_ASSERT_EQUAL(ouro_stream_read_until(stream, "\n", 1, 100, &data), 7);
    CU_ASSERT(starts_with(data, "!later\n"));
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(stream), 0);
    CU_ASSERT(has_ended(stream));
    CU_ASSERT_EQUAL(seen.done, 1);
    (void) ouro_stream_close(stream);
}

static void test_connections_are_handed_over(void)
{
    on_all_rings(change_protocols);
}

static void talk_for_long(void)
{
    struct ouro_stream *stream = dial();
    const char *data;

    if (!stream)
        return;
    say(stream, "GET /shout HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: shout\r\n" GO_ON);
    CU_ASSERT(starts_with(read_answer(stream), "HTTP/1.1 101 "));
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(ouro_sleep(10 * OURO_SECOND), 0);
        say(stream, "x\n");
        CU_ASSERT_EQUAL(ouro_stream_read_until(stream, "\n", 1, 100, &data), 3);
    }
    (void) ouro_stream_close(stream);
}

static void test_limits_of_requests_end_with_an_upgrade(void)
{
    server.options.handler_timeout_ns = OURO_SECOND;
    run_on(test_sim_ring(), talk_for_long);
    server.options.request_timeout_ns = 2 * OURO_SECOND;
    run_on(test_sim_ring(), talk_for_long);
    memset(&server.options, 0, sizeof(server.options));
}

static void change_nothing(void)
{
    static const char *const requests[] = {
        "GET /shout HTTP/1.1\r\nUpgrade: shout\r\n" CLOSE,
        "GET /shout HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: tea\r\n\r\n",
        "GET /shout HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\n\r\n",
        "GET /shout HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\n",
        "POST /shout HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\nUpgrade: shout\r\n"
        "Content-Length: 4\r\n\r\nbody",
    };

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const char *reply = ask(requests[i]);

        CU_ASSERT(starts_with(reply, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(reply, "\r\n\r\nno"));
    }
    CU_ASSERT_EQUAL(seen.done, 0);
}

static void test_who_did_not_properly_ask_for_an_upgrade_gets_an_answer(void)
{
    on_all_rings(change_nothing);
}

const struct test http_reply_tests[] = {
    TEST(test_bodies_of_unknown_length_go_out_in_chunks),
    TEST(test_trailers_follow_a_body_in_chunks),
    TEST(test_body_that_is_not_as_long_as_announced_aborts),
    TEST(test_answer_that_fails_half_way_does_not_look_whole),
    TEST(test_handlers_learn_that_head_has_no_body),
    TEST(test_empty_body_takes_nothing),
    TEST(test_answers_before_one_that_is_given_up_arrive),
    TEST(test_failures_leave_nothing_behind),
    TEST(test_pieces_leave_when_the_handler_suspends),
    TEST(test_streams_last_as_long_as_they_like),
    TEST(test_answer_leaves_before_its_handler_ends),
    TEST(test_sender_that_fails_leaves_no_other_behind),
    TEST(test_stalled_client_holds_up_nobody_else),
    TEST(test_redirects_and_json),
    TEST(test_bodies_can_be_read_as_a_whole),
    TEST(test_whole_bodies_have_a_limit),
    TEST(test_bodies_have_a_lowest_rate),
    TEST(test_connections_are_handed_over),
    TEST(test_limits_of_requests_end_with_an_upgrade),
    TEST(test_who_did_not_properly_ask_for_an_upgrade_gets_an_answer),
    TEST_END,
};
