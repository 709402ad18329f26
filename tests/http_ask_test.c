/* SPDX-License-Identifier: MIT */
/*
 * http_ask_test.c - tests of proto/http_ask.c and of the requests that http_client.c can send
 *
 * They ask an application whose handlers say what they saw, on the simulated ring, where an hour
 * takes no time, and on the kernel's. That nothing is left behind sees the runner (account.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_client.h"
#include "loop.h"
#include "ouro_http_test.h"

#define HOUR  (3600 * OURO_SECOND)
#define LARGE 300000 /* more than a pair of streams holds */

static char large[LARGE + 1];

static struct {
    bool is_asleep;
    int result; /* of the sleep */
    size_t body_len;
} seen;

/* --- the application ----------------------------------------------------------------------- */

/* "METHOD path?query|Name: value|...|body" */
static int mirror(struct ouro_http_exchange *exchange, void *arg)
{
    char text[2048], body[512];
    const char *name, *value, *query = ouro_http_query(exchange);
    size_t len = (size_t) sprintf(text, "%s %s?%s|", ouro_http_method(exchange),
                                  ouro_http_path(exchange), query ? query : "");
    ssize_t got;

    (void) arg;
    for (size_t i = 0; ouro_http_header_at(exchange, i, &name, &value); i++)
        len += (size_t) sprintf(text + len, "%s: %s|", name, value);
    while ((got = ouro_http_read(exchange, body, sizeof(body))) > 0)
        len += (size_t) sprintf(text + len, "%.*s", (int) got, body);
    return got ? (int) got : ouro_http_reply(exchange, 200, "text/plain", text, len);
}

/* Reads all, and says how much that was; the body must be that of `large`. */
static int count(struct ouro_http_exchange *exchange, void *arg)
{
    char body[10000];
    size_t len = 0, wrong = 0;
    ssize_t got;

    (void) arg;
    while ((got = ouro_http_read(exchange, body, sizeof(body))) > 0) {
        wrong += memcmp(body, large + len, (size_t) got) != 0;
        len += (size_t) got;
    }
    return got ? (int) got : ouro_http_replyf(exchange, 200, NULL, "%zu, %zu wrong", len, wrong);
}

/* Answers much without a look at the body. */
static int be_large(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_reply(exchange, 200, NULL, large, LARGE);
}

static int sleep_first(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    seen.is_asleep = true;
    seen.result = ouro_sleep(HOUR);
    seen.is_asleep = false;
    return seen.result ? seen.result : ouro_http_reply(exchange, 200, NULL, "late", 4);
}

/* So large an answer leaves at once. */
static int sleep_after(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_reply(exchange, 200, NULL, large, 50000);

    (void) arg;
    CU_ASSERT_EQUAL(code, 0);
    seen.is_asleep = true;
    seen.result = ouro_sleep(HOUR);
    seen.is_asleep = false;
    return seen.result;
}

static int fail(struct ouro_http_exchange *exchange, void *arg)
{
    (void) exchange, (void) arg;
    return -EIO;
}

static int tell_peer(struct ouro_http_exchange *exchange, void *arg)
{
    char text[OURO_ADDRESS_TEXT_MAX];
    struct ouro_address address;
    int code = ouro_http_peer(exchange, &address);

    (void) arg;
    return ouro_http_replyf(exchange, 200, NULL, "%s",
                            code ? ouro_strerror(code) : ouro_address_format(&address, text));
}

static int give_up(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    (void) ouro_cancel(ouro_self());
    return ouro_http_reply(exchange, 200, NULL, "not sent", 8);
}

static struct ouro_http_app *create_app(void)
{
    static const struct {
        const char *method, *pattern;
        ouro_http_handler_fn *handler;
    } routes[] = {
        {"GET", "/", mirror},           {"POST", "/", mirror},
        {"PUT", "/", mirror},           {"GET", "/mirror/{p}", mirror},
        {"POST", "/count", count},      {"POST", "/large", be_large},
        {"GET", "/first", sleep_first}, {"GET", "/after", sleep_after},
        {"GET", "/fail", fail},         {"GET", "/give-up", give_up},
        {"GET", "/peer", tell_peer},
    };
    struct ouro_http_app *app = NULL;

    CU_ASSERT_EQUAL(ouro_http_app_create(&app), 0);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        CU_ASSERT_EQUAL(
            ouro_http_route(app, routes[i].method, routes[i].pattern, routes[i].handler, NULL), 0);
    return app;
}

/* --- running ------------------------------------------------------------------------------- */

typedef void test_fn(struct ouro_http_app *app);

static int run(void *arg)
{
    struct ouro_http_app *app = create_app();
    struct ouro_counters counters;

    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char) ('a' + (i + i / 251) % 26);
    seen.is_asleep = false;
    (*(test_fn **) arg)(app);
    CU_ASSERT_EQUAL(ouro_stats(&counters), 0);
    CU_ASSERT_EQUAL(counters.tasks_live, 1); /* the responses are closed: no task is left */
    CU_ASSERT_FALSE(seen.is_asleep);
    ouro_http_app_destroy(app);
    return 0;
}

static void on_each_ring(test_fn *fn)
{
    run_on_each_ring(run, &fn);
}

/* Asks, and writes "status: body" down; or the code. */
static const char *answer_to(struct ouro_http_app *app, const struct ouro_http_ask *request)
{
    static char text[LARGE + 64];
    struct ouro_http_response *response;
    const char *body = "";
    int code = ouro_http_ask(app, request, &response);

    (void) sprintf(text, "%d", code);
    if (code)
        return text;
    code = (int) ouro_http_response_read_all(response, LARGE, &body);
    (void) sprintf(text, "%d: %s", code < 0 ? code : ouro_http_response_status(response), body);
    ouro_http_response_close(response);
    return text;
}

/* "404:" is any body: what the server says is for other tests. */
static void check(struct ouro_http_app *app, const struct ouro_http_ask *request,
                  const char *expected)
{
    const char *answer = answer_to(app, request);
    size_t len = strlen(expected);
    bool is_right =
        expected[len - 1] == ':' ? !strncmp(answer, expected, len) : !strcmp(answer, expected);

    if (!is_right)
        printf("    \"%s\" is not \"%s\"\n", answer, expected);
    CU_ASSERT(is_right);
}

/* --- requests ------------------------------------------------------------------------------ */

static void ask_for_all_sorts(struct ouro_http_app *app)
{
    static const struct ouro_http_field two[] = {{"X-A", "1"}, {"X-B", ""}};
    static const struct ouro_http_field host[] = {{"host", "other:8080"}};
    static const struct ouro_http_field no_host[] = {{"Host", "a"}, {"Host", "b"}};
    static const struct ouro_http_field two_lengths[] = {{"Content-Length", "3"},
                                                         {"Transfer-Encoding", "chunked"}};
    static const struct ouro_http_field length[] = {{"Content-Length", "2"}};
    static const struct ouro_http_field go_ahead[] = {{"Expect", "100-continue"}};
    static const struct {
        struct ouro_http_ask request;
        const char *answer;
    } rows[] = {
        {{0}, "200: GET /?|Host: localhost|"},
        {{.target = "/?a=b"}, "200: GET /?a=b|Host: localhost|"},
        {{.target = "http://other/"}, "400:"}, /* not what Host says */
        {{.target = "/mirror/%41"}, "200: GET /mirror/%41?|Host: localhost|"},
        {{.headers = two, .header_count = 2}, "200: GET /?|Host: localhost|X-A: 1|X-B: |"},
        {{.headers = host, .header_count = 1}, "200: GET /?|host: other:8080|"},
        {{.headers = no_host, .header_count = 2}, "400:"},
        {{.method = "HEAD"}, "200: "},
        {{.method = "POST"}, "200: POST /?|Host: localhost|Content-Length: 0|"},
        {{.method = "PUT"}, "200: PUT /?|Host: localhost|Content-Length: 0|"},
        {{.method = "POST", .body = "hello", .body_len = 5},
         "200: POST /?|Host: localhost|Content-Length: 5|hello"},
        {{.method = "POST", .body = "hello", .body_len = 5, .chunked = true},
         "200: POST /?|Host: localhost|Transfer-Encoding: chunked|hello"},
        {{.method = "POST", .chunked = true},
         "200: POST /?|Host: localhost|Transfer-Encoding: chunked|"},
        {{.method = "POST", .body = "hello", .body_len = 2, .headers = length, .header_count = 1},
         "200: POST /?|Host: localhost|Content-Length: 2|he"},
        {{.method = "POST",
          .body = "hello",
          .body_len = 5,
          .headers = two_lengths,
          .header_count = 2},
         "400:"},
        {{.body = "hello", .body_len = 5}, "200: GET /?|Host: localhost|Content-Length: 5|hello"},
        {{.method = "POST", .body = "x", .body_len = 1, .headers = go_ahead, .header_count = 1},
         "200: POST /?|Host: localhost|Content-Length: 1|Expect: 100-continue|x"},
        {{.target = "/none"}, "404:"},
        {{.method = "DELETE"}, "405:"},
        {{.target = "/fail"}, "500:"},
    };

    check(app, NULL, rows[0].answer);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(app, &rows[i].request, rows[i].answer);
}

static void test_handler_gets_the_request_and_the_asker_its_answer(void)
{
    on_each_ring(ask_for_all_sorts);
}

static void ask_for_what_cannot_be(struct ouro_http_app *app)
{
    static const struct ouro_http_field split[] = {{"X-A", "1\r\nX-B: 2"}};
    static const struct ouro_http_serve_options options = {.header_bytes_max = 1};
    static const struct ouro_address address;
    static const struct ouro_http_ask requests[] = {
        {.method = "GET /"}, {.method = ""},
        {.target = "/ "},    {.headers = split, .header_count = 1},
        {.peer = &address},  {.options = &options},
    };

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        CU_ASSERT_EQUAL(atoi(answer_to(app, &requests[i])), -EINVAL);
}

static void test_requests_that_cannot_be_sent_are_refused(void)
{
    on_each_ring(ask_for_what_cannot_be);
}

static void ask_with_options(struct ouro_http_app *app)
{
    static const struct ouro_http_serve_options options = {.body_bytes_max = 4};
    struct ouro_http_ask request = {
        .method = "POST", .body = "hello", .body_len = 5, .options = &options};

    check(app, &request, "413:");
    request.body_len = 4;
    check(app, &request, "200: POST /?|Host: localhost|Content-Length: 4|hell");
}

static void test_server_has_the_options_that_were_given(void)
{
    on_each_ring(ask_with_options);
}

static void look_at_headers(struct ouro_http_app *app)
{
    struct ouro_http_response *response;
    const char *value = "";

    CU_ASSERT_EQUAL(ouro_http_ask(app, &(struct ouro_http_ask) {.method = "HEAD"}, &response), 0);
    CU_ASSERT_EQUAL(ouro_http_response_header(response, "content-type", &value), 1);
    CU_ASSERT_STRING_EQUAL(value, "text/plain");
    CU_ASSERT_EQUAL(ouro_http_response_header(response, "content-length", &value), 1);
    CU_ASSERT_STRING_EQUAL(value, "24");
    CU_ASSERT_EQUAL(ouro_http_response_header(response, "connection", &value), 0);
    ouro_http_response_close(response);
}

static void test_response_shows_its_header_fields(void)
{
    on_each_ring(look_at_headers);
}

static void look_at_the_peer(struct ouro_http_app *app)
{
    struct ouro_http_ask request = {.target = "/peer"};
    struct ouro_address address;
    char text[64];

    (void) sprintf(text, "200: %s", ouro_strerror(-ENOTSUP));
    check(app, &request, text);
    CU_ASSERT_EQUAL(ouro_address_parse("[2001:db8::7]:99", -1, &address), 0);
    request.peer = &address;
    check(app, &request, "200: [2001:db8::7]:99");
}

static void test_handler_sees_the_peer_that_was_given(void)
{
    on_each_ring(look_at_the_peer);
}

/* --- volume ---------------------------------------------------------------------------------- */

static void send_much(struct ouro_http_app *app)
{
    struct ouro_http_ask request = {
        .method = "POST", .target = "/count", .body = large, .body_len = LARGE};

    check(app, &request, "200: 300000, 0 wrong");
    request.chunked = true;
    check(app, &request, "200: 300000, 0 wrong");
    request.body_len = 4096; /* one chunk, to the byte */
    check(app, &request, "200: 4096, 0 wrong");
    request.body_len = 4097;
    check(app, &request, "200: 4097, 0 wrong");
}

static void test_large_bodies_arrive_whole(void)
{
    on_each_ring(send_much);
}

/* What no handler can see. */
static void look_at_the_chunks(struct ouro_http_app *app)
{
    struct http_client_request request = {.method = "POST",
                                          .target = "*",
                                          .target_len = 1,
                                          .body = large,
                                          .body_len = 4097,
                                          .chunked = true};
    struct http_client_message message;
    struct ouro_stream *ends[2];
    static char expected[5000];
    const char *data;

    (void) app;
    (void) sprintf(expected,
                   "POST * HTTP/1.1\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\n"
                   "1000\r\n%.4096s\r\n1\r\n%c\r\n0\r\n\r\n",
                   large, large[4096]);
    request.host = "";
    CU_ASSERT_EQUAL(ouro__http_client_prepare(&request, &message), 0);
    CU_ASSERT_EQUAL(ouro_stream_pair(ends), 0);
    CU_ASSERT_EQUAL(ouro__http_client_send(ends[0], &message), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_peek(ends[1], 8192, &data), (ssize_t) strlen(expected));
    CU_ASSERT_EQUAL(memcmp(data, expected, strlen(expected)), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[1]), 0);
    free(message.head);
}

static void test_chunks_have_a_limited_size(void)
{
    on_each_ring(look_at_the_chunks);
}

/* Neither side reads before it has written more than the streams hold: nobody waits for a timeout. */
static void cross_in_the_middle(struct ouro_http_app *app)
{
    struct ouro_http_ask request = {
        .method = "POST", .target = "/large", .body = large, .body_len = LARGE};
    int64_t begin = ouro_now();
    const char *answer = answer_to(app, &request);

    CU_ASSERT(!strncmp(answer, "200: ", 5) && !strcmp(answer + 5, large));
    CU_ASSERT(ouro_now() - begin < OURO_SECOND);
}

static void test_answer_need_not_wait_for_the_request(void)
{
    on_each_ring(cross_in_the_middle);
}

/* --- the end ------------------------------------------------------------------------------- */

static void close_early(struct ouro_http_app *app)
{
    struct ouro_http_ask requests[] = {
        {.target = "/after"},
        {.method = "POST", .target = "/large"},
        {.method = "POST", .target = "/large", .body = large, .body_len = LARGE},
    };
    int64_t begin = ouro_now();

    seen.result = 0;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct ouro_http_response *response;

        CU_ASSERT_EQUAL(ouro_http_ask(app, &requests[i], &response), 0);
        CU_ASSERT_EQUAL(seen.is_asleep, i == 0);
        ouro_http_response_close(response);
        CU_ASSERT_FALSE(seen.is_asleep);
    }
    CU_ASSERT_EQUAL(seen.result, -ECANCELED);
    CU_ASSERT(ouro_now() - begin < OURO_SECOND);
}

static void test_close_ends_a_handler_that_sleeps_for_an_hour(void)
{
    on_each_ring(close_early);
}

static void close_while_cancelled(struct ouro_http_app *app)
{
    struct ouro_http_response *response, *none;

    CU_ASSERT_EQUAL(ouro_http_ask(app, &(struct ouro_http_ask) {.target = "/after"}, &response), 0);
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_http_ask(app, NULL, &none), -ECANCELED);
    ouro_http_response_close(response);
    CU_ASSERT_FALSE(seen.is_asleep);
}

static void test_close_works_in_a_cancelled_task(void)
{
    on_each_ring(close_while_cancelled);
}

static void lose_patience(struct ouro_http_app *app)
{
    struct ouro_http_response *response;
    struct ouro_timeout limit;

    ouro_timeout_begin(&limit, 10 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_http_ask(app, &(struct ouro_http_ask) {.target = "/first"}, &response),
                    -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(seen.result, -ECANCELED);
}

static void test_time_limit_leaves_no_handler_behind(void)
{
    on_each_ring(lose_patience);
}

static void wait_for_an_hour(struct ouro_http_app *app)
{
    int64_t begin = ouro_now();

    check(app, &(struct ouro_http_ask) {.target = "/first"}, "200: late");
    CU_ASSERT(ouro_now() - begin >= HOUR);
}

static void test_an_hour_takes_no_time_on_the_simulated_ring(void)
{
    test_fn *fn = wait_for_an_hour;

    CU_ASSERT_EQUAL(run_sim(run, &fn), 0);
}

static void get_no_answer(struct ouro_http_app *app)
{
    check(app, &(struct ouro_http_ask) {.target = "/give-up"}, "-4097");
}

static void test_connection_that_ends_without_an_answer_is_an_error(void)
{
    on_each_ring(get_no_answer);
}

static void ask_twice_at_once(struct ouro_http_app *app)
{
    struct ouro_http_response *responses[2];

    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(
            ouro_http_ask(app, &(struct ouro_http_ask) {.target = "/after"}, &responses[i]), 0);
    for (int i = 0; i < 2; i++) {
        const char *body = "";

        CU_ASSERT_EQUAL(ouro_http_response_read_all(responses[i], LARGE, &body), 50000);
        CU_ASSERT_EQUAL(memcmp(body, large, 50000), 0);
        ouro_http_response_close(responses[i]);
    }
}

static void test_responses_are_independent(void)
{
    on_each_ring(ask_twice_at_once);
}

const struct test http_ask_tests[] = {
    TEST(test_handler_gets_the_request_and_the_asker_its_answer),
    TEST(test_requests_that_cannot_be_sent_are_refused),
    TEST(test_server_has_the_options_that_were_given),
    TEST(test_response_shows_its_header_fields),
    TEST(test_handler_sees_the_peer_that_was_given),
    TEST(test_large_bodies_arrive_whole),
    TEST(test_chunks_have_a_limited_size),
    TEST(test_answer_need_not_wait_for_the_request),
    TEST(test_close_ends_a_handler_that_sleeps_for_an_hour),
    TEST(test_close_works_in_a_cancelled_task),
    TEST(test_time_limit_leaves_no_handler_behind),
    TEST(test_an_hour_takes_no_time_on_the_simulated_ring),
    TEST(test_connection_that_ends_without_an_answer_is_an_error),
    TEST(test_responses_are_independent),
    TEST_END,
};
