/* SPDX-License-Identifier: MIT */
/*
 * http_content_test.c - tests of proto/http_content.c
 *
 * Handlers are asked without a socket, on the simulated ring. What the codecs understand is in
 * their own suites: here is what clients are told, to the byte.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ouro.h"
#include "ouro_proto.h"

#include "http_heard.h"

#define TEXT     "0123456789abcdefghijklmnopqrstuvwxyz" /* 36 bytes */
#define MODIFIED 784111777
#define DATE     "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER  "Sun, 06 Nov 1994 08:49:36 GMT"
#define LARGE    100000

#define VALIDATORS "ETag: \"a\"|Last-Modified: " DATE "|"
#define WHOLE      "Content-Type: text/plain|" VALIDATORS "Accept-Ranges: bytes|Content-Length: 36|"

/* --- asking ------------------------------------------------------------------------------ */

static struct {
    struct ouro_http_content content;
    struct ouro_http_field added[4]; /* by the handler */
    struct ouro_http_route_options route;
    struct ouro_http_field asked[4]; /* of the request */
    const char *method;
    int code; /* what the handler got */
} play;

static struct heard heard;

static void prepare(void)
{
    memset(&play, 0, sizeof(play));
    play.content = (struct ouro_http_content) {"text/plain", TEXT, 36, "\"a\"", MODIFIED};
}

static int reply(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    for (size_t i = 0; i < 4 && play.added[i].name; i++)
        CU_ASSERT_EQUAL(ouro_http_add_header(exchange, play.added[i].name, play.added[i].value), 0);
    play.code = ouro_http_reply_content(exchange, &play.content);
    if (play.code != -EINVAL)
        CU_ASSERT_EQUAL(ouro_http_reply_content(exchange, &play.content), -EALREADY);
    return play.code == -EINVAL ? ouro_http_reply(exchange, 200, NULL, "again", 5) : play.code;
}

static int ask_task(void *arg)
{
    struct ouro_http_ask request = {.method = play.method, .headers = play.asked};

    while (request.header_count < 4 && play.asked[request.header_count].name)
        request.header_count++;
    return hear(arg, &request, &heard);
}

static void ask(void)
{
    struct ouro_run_options options = {.ring = test_sim_ring()};
    struct ouro_http_app *app;

    play.code = 0;
    CU_ASSERT_EQUAL_FATAL(ouro_http_app_create(&app), 0);
    CU_ASSERT_EQUAL(ouro_http_route_with(app, "GET", "/", reply, NULL, &play.route), 0);
    CU_ASSERT_EQUAL(ouro_http_route_with(app, "PUT", "/", reply, NULL, &play.route), 0);
    CU_ASSERT_EQUAL(ouro_run(ask_task, app, &options), 0);
    ouro_http_app_destroy(app);
    CU_ASSERT_EQUAL(heard.code, 0);
}

static void ask_with(const char *name, const char *value)
{
    play.asked[0] = (struct ouro_http_field) {.name = name, .value = value};
    ask();
}

static void ask_for(const char *range)
{
    ask_with("Range", range);
}

static void check(int status, const char *fields, const char *body)
{
    CU_ASSERT_EQUAL(heard.status, status);
    CU_ASSERT_STRING_EQUAL(heard.fields, fields);
    CU_ASSERT_STRING_EQUAL(heard.body, body);
}

/* --- the whole --------------------------------------------------------------------------- */

static void test_content_comes_with_what_is_known_of_it(void)
{
    prepare();
    ask();
    check(200, WHOLE, TEXT);
    play.content.etag = NULL;
    ask();
    check(200,
          "Content-Type: text/plain|Last-Modified: " DATE
          "|Accept-Ranges: bytes|Content-Length: 36|",
          TEXT);
    play.content = (struct ouro_http_content) {.etag = "W/\"b\""};
    ask();
    check(200, "ETag: W/\"b\"|Accept-Ranges: bytes|Content-Length: 0|", "");
    play.content.modified_s = -1;
    ask();
    check(200, "ETag: W/\"b\"|Accept-Ranges: bytes|Content-Length: 0|", "");
    play.content.modified_s = 253402300800;
    ask();
    check(200, "ETag: W/\"b\"|Accept-Ranges: bytes|Content-Length: 0|", "");
}

static void test_last_modified_is_not_after_the_answer(void)
{
    char expected[100];
    time_t now = time(NULL);

    prepare();
    play.content = (struct ouro_http_content) {.modified_s = now + 1000};
    ask();
    (void) strftime(expected, sizeof(expected), "Last-Modified: %a, %d %b %Y %H:%M", gmtime(&now));
    if (time(NULL) / 60 == now / 60)
        CU_ASSERT_EQUAL(strncmp(heard.fields, expected, strlen(expected)), 0);
}

static void test_head_gets_the_head_of_the_whole(void)
{
    prepare();
    play.method = "HEAD";
    ask();
    check(200, WHOLE, "");
    ask_for("bytes=0-0");
    check(200, WHOLE, "");
    ask_for("bytes=1000-");
    check(200, WHOLE, "");
    ask_with("If-None-Match", "\"a\"");
    check(304, "ETag: \"a\"|", "");
    ask_with("If-Match", "\"b\"");
    CU_ASSERT_EQUAL(heard.status, 412);
    CU_ASSERT_STRING_EQUAL(heard.body, "");
}

/* What they ask about was decided before the handler did its work. */
static void test_other_methods_get_all_of_it(void)
{
    prepare();
    play.method = "PUT";
    ask_with("If-Match", "\"b\"");
    check(200, WHOLE, TEXT);
    ask_with("If-None-Match", "*");
    check(200, WHOLE, TEXT);
    ask_for("bytes=0-0");
    check(200, WHOLE, TEXT);
}

static void test_bad_content_is_refused_and_another_try_possible(void)
{
    static const char again[] = "X: y|Content-Length: 5|";

    prepare();
    play.added[0] = (struct ouro_http_field) {.name = "X", .value = "y"};
    for (int i = 0; i < 3; i++) {
        static const char *const ranges[] = {NULL, "bytes=0-0", "bytes=0-0,2-2"};

        if (ranges[i])
            play.asked[0] = (struct ouro_http_field) {.name = "Range", .value = ranges[i]};
        play.content.etag = "a";
        play.content.type = "text/plain";
        ask();
        CU_ASSERT_EQUAL(play.code, -EINVAL);
        check(200, again, "again");
        play.content.etag = "\"a\"";
        play.content.type = "text/plain\r\nX: injected";
        ask();
        CU_ASSERT_EQUAL(play.code, -EINVAL);
        check(200, again, "again");
    }
}

/* --- conditions -------------------------------------------------------------------------- */

static void test_not_modified_says_what_caches_need(void)
{
    static const struct ouro_http_field added[] = {
        {.name = "Cache-Control", .value = "max-age=60"},
        {.name = "Vary", .value = "Accept-Language"},
    };
    static const char expected[] = "Cache-Control: max-age=60|Vary: Accept-Language|ETag: \"a\"|";

    prepare();
    memcpy(play.added, added, sizeof(added));
    ask_with("If-None-Match", "\"a\"");
    check(304, expected, "");
    ask_with("If-None-Match", "\"x\", W/\"a\"");
    check(304, expected, "");
    ask_with("If-None-Match", "*");
    check(304, expected, "");
    ask_with("If-Modified-Since", DATE);
    check(304, expected, "");
    play.content.etag = NULL;
    ask_with("If-Modified-Since", DATE);
    check(304, "Cache-Control: max-age=60|Vary: Accept-Language|Last-Modified: " DATE "|", "");
}

static void test_what_has_changed_comes(void)
{
    static const struct ouro_http_field rows[] = {
        {.name = "If-None-Match", .value = "\"b\""},
        {.name = "If-None-Match", .value = "a"},
        {.name = "If-Modified-Since", .value = EARLIER},
        {.name = "If-Modified-Since", .value = "garbage"},
        {.name = "If-Modified-Since", .value = "Fri, 31 Dec 9999 23:59:59 GMT"},
        {.name = "If-Match", .value = "\"a\""},
        {.name = "If-Match", .value = "*"},
        {.name = "If-Unmodified-Since", .value = DATE},
        {.name = "If-Range", .value = "\"a\""},
    };

    prepare();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask_with(rows[i].name, rows[i].value);
        check(200, WHOLE, TEXT);
    }
    play.asked[1] = (struct ouro_http_field) {.name = "If-Modified-Since", .value = DATE};
    ask_with("If-None-Match", "\"b\"");
    check(200, WHOLE, TEXT);
}

/* A cache that kept such an answer for a year would be no help. */
static void test_refusals_are_not_about_the_content(void)
{
    static const struct ouro_http_field added[] = {
        {.name = "Cache-Control", .value = "max-age=31536000"},
        {.name = "X-Frame-Options", .value = "DENY"},
        {.name = "content-encoding", .value = "br"},
        {.name = "Vary", .value = "Accept-Encoding"},
    };

    prepare();
    memcpy(play.added, added, sizeof(added));
    ask_with("If-Match", "\"b\"");
    check(412,
          "Content-Type: text/plain; charset=utf-8|X-Frame-Options: DENY|Vary: Accept-Encoding|"
          "Content-Length: 24|",
          "412 Precondition Failed\n");
    ask_with("If-Unmodified-Since", EARLIER);
    CU_ASSERT_EQUAL(heard.status, 412);
    ask_for("bytes=36-");
    check(416,
          "Content-Type: text/plain; charset=utf-8|X-Frame-Options: DENY|Vary: Accept-Encoding|"
          "Content-Range: bytes */36|Content-Length: 26|",
          "416 Range Not Satisfiable\n");
}

/* --- one range --------------------------------------------------------------------------- */

static void check_range(const char *range, const char *content_range, const char *body)
{
    char fields[500];

    ask_for(range);
    (void) snprintf(fields, sizeof(fields),
                    "Content-Type: text/plain|" VALIDATORS "Accept-Ranges: bytes|"
                    "Content-Range: bytes %s|Content-Length: %zu|",
                    content_range, strlen(body));
    check(206, fields, body);
}

static void test_a_range_is_what_was_asked_for(void)
{
    prepare();
    check_range("bytes=0-9", "0-9/36", "0123456789");
    check_range("bytes=10-10", "10-10/36", "a");
    check_range("bytes=34-", "34-35/36", "yz");
    check_range("bytes=-3", "33-35/36", "xyz");
    check_range("bytes=30-99", "30-35/36", "uvwxyz");
    check_range("bytes=0-", "0-35/36", TEXT);
    check_range("bytes=-99", "0-35/36", TEXT);
    check_range("bytes=99-, 5-6", "5-6/36", "56");
}

static void test_what_is_no_range_is_ignored(void)
{
    static const char too_many[] = "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,"
                                   "22-22,24-24,26-26,28-28,30-30,32-32";
    static const char *const rows[] = {
        "bytes=",        "bytes=a",        "items=0-1", "bytes=5-1",
        "bytes=0-0,0-0", "bytes=0-,0-,0-", "bytes 0-1", too_many,
    };

    prepare();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask_for(rows[i]);
        check(200, WHOLE, TEXT);
    }
    play.content.len = 0;
    ask_for("bytes=0-");
    CU_ASSERT_EQUAL(heard.status, 200);
}

static void test_conditions_come_before_ranges(void)
{
    static const struct {
        struct ouro_http_field field;
        int status;
    } rows[] = {
        {{.name = "If-None-Match", .value = "\"a\""}, 304},
        {{.name = "If-None-Match", .value = "\"b\""}, 206},
        {{.name = "If-Match", .value = "\"b\""}, 412},
        {{.name = "If-Modified-Since", .value = DATE}, 304},
        {{.name = "If-Range", .value = "\"a\""}, 206},
        {{.name = "If-Range", .value = "\"b\""}, 200},
        {{.name = "If-Range", .value = "W/\"a\""}, 200},
        {{.name = "If-Range", .value = DATE}, 206},
        {{.name = "If-Range", .value = EARLIER}, 200},
        {{.name = "If-Range", .value = "garbage"}, 200},
    };

    prepare();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        play.asked[1] = rows[i].field;
        ask_for("bytes=0-0");
        CU_ASSERT_EQUAL(heard.status, rows[i].status);
    }
    play.asked[1] = (struct ouro_http_field) {.name = "If-Range", .value = "\"b\""};
    ask_for("bytes=99-");
    check(200, WHOLE, TEXT);
    play.content.etag = "W/\"a\"";
    play.asked[1] = (struct ouro_http_field) {.name = "If-Range", .value = "W/\"a\""};
    ask_for("bytes=0-0");
    CU_ASSERT_EQUAL(heard.status, 200);
}

/* --- several ranges ---------------------------------------------------------------------- */

/* The boundary that the head tells; `buf` has room for it. */
static const char *boundary(char buf[64])
{
    static const char start[] = "Content-Type: multipart/byteranges; boundary=";

    buf[0] = '\0';
    CU_ASSERT_EQUAL(strncmp(heard.fields, start, strlen(start)), 0);
    CU_ASSERT_EQUAL(sscanf(heard.fields + strlen(start), "%63[0-9a-f]", buf), 1);
    CU_ASSERT_EQUAL(strlen(buf), 32);
    return buf;
}

/* In `format` there is a "%s" for each boundary. */
static void check_parts(const char *format, unsigned count)
{
    char expected[1000], body[1000], mark[64];
    size_t used = 0;

    boundary(mark);
    body[0] = '\0';
    for (const char *at = format; *at; at++)
        used += (size_t) snprintf(body + used, sizeof(body) - used, *at == '#' ? "%s" : "%.1s",
                                  *at == '#' ? mark : at);
    (void) snprintf(expected, sizeof(expected),
                    "Content-Type: multipart/byteranges; boundary=%s|" VALIDATORS
                    "Accept-Ranges: bytes|Content-Length: %zu|",
                    mark, used);
    check(206, expected, body);
    for (const char *at = heard.body; (at = strstr(at, mark)); at++)
        count--;
    CU_ASSERT_EQUAL(count, 0);
}

static void test_several_ranges_are_parts(void)
{
    char first[64], second[64];

    prepare();
    ask_for("bytes=0-1, 10-12,-1");
    check_parts("--#\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/36\r\n\r\n01\r\n"
                "--#\r\nContent-Type: text/plain\r\nContent-Range: bytes 10-12/36\r\n\r\nabc\r\n"
                "--#\r\nContent-Type: text/plain\r\nContent-Range: bytes 35-35/36\r\n\r\nz\r\n"
                "--#--\r\n",
                4);
    (void) boundary(first);
    play.content.type = NULL;
    ask_for("bytes=9-9,0-0");
    check_parts("--#\r\nContent-Range: bytes 9-9/36\r\n\r\n9\r\n"
                "--#\r\nContent-Range: bytes 0-0/36\r\n\r\n0\r\n"
                "--#--\r\n",
                3);
    CU_ASSERT(strcmp(first, boundary(second)) != 0);
}

static void test_large_parts_come_whole(void)
{
    char *large = malloc(LARGE), mark[64], head[200];
    const char *at = heard.body;

    CU_ASSERT_PTR_NOT_NULL_FATAL(large);
    for (size_t i = 0; i < LARGE; i++)
        large[i] = (char) ("0123456789"[i * i % 10]);
    prepare();
    play.content.data = large;
    play.content.len = LARGE;
    ask_for("bytes=40000-99998,1-30000");
    CU_ASSERT_EQUAL(heard.status, 206);
    (void) boundary(mark);
    for (int i = 0; i < 2; i++) {
        static const struct {
            size_t first, last;
        } parts[] = {{40000, 99998}, {1, 30000}};
        size_t len = parts[i].last - parts[i].first + 1;

        (void) snprintf(head, sizeof(head),
                        "%s--%s\r\nContent-Type: text/plain\r\n"
                        "Content-Range: bytes %zu-%zu/100000\r\n\r\n",
                        i ? "\r\n" : "", mark, parts[i].first, parts[i].last);
        CU_ASSERT_EQUAL_FATAL(strncmp(at, head, strlen(head)), 0);
        at += strlen(head);
        CU_ASSERT_EQUAL(memcmp(at, large + parts[i].first, len), 0);
        at += len;
    }
    (void) snprintf(head, sizeof(head), "\r\n--%s--\r\n", mark);
    CU_ASSERT_STRING_EQUAL(at, head);
    free(large);
}

/* --- compression, fields ----------------------------------------------------------------- */

static void test_content_is_never_compressed(void)
{
    static char zeros[2000];
    static const char *const ranges[] = {"bytes=x", "bytes=0-1500", "bytes=0-999,1001-"};

    memset(zeros, '0', sizeof(zeros));
    prepare();
    play.route.gzip = OURO_HTTP_GZIP_ON;
    play.content.data = zeros;
    play.content.len = sizeof(zeros);
    play.asked[1] = (struct ouro_http_field) {.name = "Accept-Encoding", .value = "gzip"};
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        ask_for(ranges[i]);
        CU_ASSERT_EQUAL(heard.status, i ? 206 : 200);
        CU_ASSERT_PTR_NULL(strstr(heard.fields, "gzip"));
        CU_ASSERT_PTR_NULL(strstr(heard.fields, "Vary"));
        CU_ASSERT_PTR_NOT_NULL(strstr(heard.fields, "ETag: \"a\"|"));
    }
}

/* --- conditions alone -------------------------------------------------------------------- */

static int check_first(struct ouro_http_exchange *exchange, void *arg)
{
    int status = ouro_http_check_conditions(exchange, "\"a\"", MODIFIED);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_check_conditions(exchange, "a", 0), -EINVAL);
    return ouro_http_reply(exchange, status ? status : 204, NULL, NULL, 0);
}

static int ask_first(const char *method, const char *name, const char *value)
{
    struct ouro_run_options options = {.ring = test_sim_ring()};
    struct ouro_http_app *app;

    prepare();
    play.method = method;
    play.asked[0] = (struct ouro_http_field) {.name = name, .value = value};
    CU_ASSERT_EQUAL_FATAL(ouro_http_app_create(&app), 0);
    CU_ASSERT_EQUAL(ouro_http_route(app, method, "/", check_first, NULL), 0);
    CU_ASSERT_EQUAL(ouro_run(ask_task, app, &options), 0);
    ouro_http_app_destroy(app);
    return heard.status;
}

static void test_conditions_can_be_checked_before(void)
{
    CU_ASSERT_EQUAL(ask_first("PUT", "If-Match", "\"a\""), 204);
    CU_ASSERT_EQUAL(ask_first("PUT", "If-Match", "\"b\""), 412);
    CU_ASSERT_EQUAL(ask_first("PUT", "If-None-Match", "*"), 412);
    CU_ASSERT_EQUAL(ask_first("DELETE", "If-Unmodified-Since", EARLIER), 412);
    CU_ASSERT_EQUAL(ask_first("GET", "If-None-Match", "\"a\""), 304);
    CU_ASSERT_EQUAL(ask_first("GET", "If-None-Match", "\"b\""), 204);
}

const struct test http_content_tests[] = {
    TEST(test_content_comes_with_what_is_known_of_it),
    TEST(test_last_modified_is_not_after_the_answer),
    TEST(test_head_gets_the_head_of_the_whole),
    TEST(test_other_methods_get_all_of_it),
    TEST(test_bad_content_is_refused_and_another_try_possible),
    TEST(test_not_modified_says_what_caches_need),
    TEST(test_what_has_changed_comes),
    TEST(test_refusals_are_not_about_the_content),
    TEST(test_a_range_is_what_was_asked_for),
    TEST(test_what_is_no_range_is_ignored),
    TEST(test_conditions_come_before_ranges),
    TEST(test_several_ranges_are_parts),
    TEST(test_large_parts_come_whole),
    TEST(test_content_is_never_compressed),
    TEST(test_conditions_can_be_checked_before),
    TEST_END,
};
