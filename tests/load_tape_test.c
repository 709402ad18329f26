/* SPDX-License-Identifier: MIT */
/* load_tape_test.c - tests of bench/load_tape.c */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load_tape.h"

#include "test.h"

#define GET  "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nGET /"
#define CHUNK \
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"

static bool text_is(const struct load_request *request, const char *text)
{
    return request->len == strlen(text) && memcmp(request->text, text, request->len) == 0;
}

/* --- composed requests --------------------------------------------------------------------- */

static void test_a_request_has_what_it_needs(void)
{
    static const char *const own[] = {"host: b", "X: y", "connection: upgrade"};
    struct load_request_options plain = {.host = "a:81"};
    struct load_request_options closing = {.host = "a", .closes = true};
    struct load_request_options with_own = {
        .host = "a", .headers = own, .header_count = 3, .closes = true};
    struct load_requests requests = {NULL, 0};

    CU_ASSERT_EQUAL(load_requests_add(&requests, &plain, "GET", "/x?y", NULL, 0, 1), 0);
    CU_ASSERT_EQUAL(load_requests_add(&requests, &closing, "HEAD", "/", NULL, 0, 1), 0);
    CU_ASSERT_EQUAL(load_requests_add(&requests, &with_own, "PUT", "/", "a\0b", 3, 1), 0);
    CU_ASSERT_EQUAL_FATAL(requests.count, 3);
    CU_ASSERT(text_is(&requests.first[0], "GET /x?y HTTP/1.1\r\nHost: a:81\r\n\r\n"));
    CU_ASSERT(
        text_is(&requests.first[1], "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    CU_ASSERT_EQUAL(requests.first[1].kind, LOAD_REPLY_TO_HEAD);
    CU_ASSERT_EQUAL(requests.first[2].len,
                    strlen("PUT / HTTP/1.1\r\nhost: b\r\nX: y\r\nconnection: upgrade\r\n"
                           "Content-Length: 3\r\n\r\n") +
                        3);
    load_requests_done(&requests);
}

static void test_what_would_split_a_request_is_refused(void)
{
    static const char *const bad_header[] = {"X: y\r\nZ: 1"};
    static const char *const no_header[] = {"hello"};
    struct load_request_options plain = {.host = "a"};
    struct load_request_options split = {.host = "a", .headers = bad_header, .header_count = 1};
    struct load_request_options none = {.host = "a", .headers = no_header, .header_count = 1};
    struct load_requests requests = {NULL, 0};

    CU_ASSERT_EQUAL(load_requests_add(&requests, &plain, "GET", "/a b", NULL, 0, 1), -EINVAL);
    CU_ASSERT_EQUAL(load_requests_add(&requests, &plain, "GE\nT", "/", NULL, 0, 1), -EINVAL);
    CU_ASSERT_EQUAL(load_requests_add(&requests, &plain, "", "/", NULL, 0, 1), -EINVAL);
    CU_ASSERT_EQUAL(load_requests_add(&requests, &plain, "GET", "", NULL, 0, 1), -EINVAL);
    CU_ASSERT_EQUAL(load_requests_add(&requests, &split, "GET", "/", NULL, 0, 1), -EINVAL);
    CU_ASSERT_EQUAL(load_requests_add(&requests, &none, "GET", "/", NULL, 0, 1), -EINVAL);
    CU_ASSERT_EQUAL(requests.count, 0);
    load_requests_done(&requests);
}

/* --- raw ones ------------------------------------------------------------------------------ */

static void test_raw_requests_are_told_apart(void)
{
    static const struct {
        const char *text;
        int count;
        const char *parts[4];
    } rows[] = {
        {GET, 1, {GET}},
        {GET HEAD POST CHUNK, 4, {GET, HEAD, POST, CHUNK}},
        {CHUNK GET, 2, {CHUNK, GET}},
        {"nonsense", 1, {"nonsense"}},
        {GET "GET / HTTP/1.1\r\nHost", 2, {GET, "GET / HTTP/1.1\r\nHost"}},
        {"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nshort",
         1,
         {"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nshort"}},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz",
         1,
         {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz"}},
        {"", 0, {NULL}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct load_requests requests = {NULL, 0};
        int count = load_requests_add_raw(&requests, rows[i].text, strlen(rows[i].text));

        CU_ASSERT_EQUAL(count, rows[i].count);
        CU_ASSERT_EQUAL_FATAL((int) requests.count, rows[i].count);
        for (int n = 0; n < rows[i].count; n++) {
            CU_ASSERT(text_is(&requests.first[n], rows[i].parts[n]));
            CU_ASSERT_EQUAL(requests.first[n].kind == LOAD_REPLY_TO_HEAD,
                            strncmp(rows[i].parts[n], "HEAD", 4) == 0);
        }
        load_requests_done(&requests);
    }
}

/* --- mixes --------------------------------------------------------------------------------- */

static void test_a_mix_is_read(void)
{
    struct load_request_options plain = {.host = "a"};
    struct load_requests requests = {NULL, 0};
    unsigned line = 0;

    CU_ASSERT_EQUAL(load_requests_add_mix(&requests, &plain,
                                          "# weight method path\n\n  6 GET /\n3\tHEAD /h # half\r\n"
                                          "1 POST /e /dev/null",
                                          &line),
                    0);
    CU_ASSERT_EQUAL_FATAL(requests.count, 3);
    CU_ASSERT_EQUAL(requests.first[0].weight, 6);
    CU_ASSERT_EQUAL(requests.first[1].weight, 3);
    CU_ASSERT_EQUAL(requests.first[1].kind, LOAD_REPLY_TO_HEAD);
    CU_ASSERT(
        text_is(&requests.first[2], "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
    load_requests_done(&requests);
}

static void test_wrong_lines_of_a_mix_are_named(void)
{
    static const struct {
        const char *text;
        unsigned line;
        int code;
    } rows[] = {
        {"1 GET /\n0 GET /\n", 2, -EINVAL}, {"x GET /", 1, -EINVAL},
        {"-1 GET /", 1, -EINVAL},           {"\n\n1 GET", 3, -EINVAL},
        {"1 GET / a b", 1, -EINVAL},        {"1 GET / /nonexistent/file", 1, -ENOENT},
        {"99999 GET /", 1, -EINVAL},
    };
    struct load_request_options plain = {.host = "a"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct load_requests requests = {NULL, 0};
        unsigned line = 0;

        CU_ASSERT_EQUAL(load_requests_add_mix(&requests, &plain, rows[i].text, &line),
                        rows[i].code);
        CU_ASSERT_EQUAL(line, rows[i].line);
        load_requests_done(&requests);
    }
}

/* --- tapes --------------------------------------------------------------------------------- */

/* Weights 60, 30 and 10: of any ten in a row six, three and one, never far apart. */
static void test_a_tape_has_its_mix_everywhere(void)
{
    struct load_requests requests = {NULL, 0};
    struct load_request_options plain = {.host = "a"};
    unsigned counts[3] = {0, 0, 0};
    struct load_tape tape;
    unsigned line;

    CU_ASSERT_EQUAL(
        load_requests_add_mix(&requests, &plain, "60 GET /1\n30 GET /2\n10 GET /3", &line), 0);
    CU_ASSERT_EQUAL_FATAL(load_tape_make(&requests, 4, &tape), 0);
    CU_ASSERT_EQUAL(tape.count, 10);
    for (unsigned i = 0; i < tape.count; i++)
        counts[tape.names[i]]++;
    CU_ASSERT(counts[0] == 6 && counts[1] == 3 && counts[2] == 1);
    for (unsigned i = 0; i + 4 <= tape.count; i++)
        CU_ASSERT(tape.names[i] || tape.names[i + 1] || tape.names[i + 2] || tape.names[i + 3]);
    load_tape_done(&tape);
    load_requests_done(&requests);
}

/* From each request on, `pipeline` of them lie behind each other as if the tape were a ring. */
static void test_a_window_never_wraps(void)
{
    struct load_requests requests = {NULL, 0};
    struct load_tape tape;

    CU_ASSERT_EQUAL(load_requests_add_raw(&requests, GET HEAD POST, strlen(GET HEAD POST)), 3);
    CU_ASSERT_EQUAL_FATAL(load_tape_make(&requests, 7, &tape), 0);
    for (unsigned i = 0; i < tape.count; i++) {
        for (unsigned n = 0; n < 7; n++) {
            const struct load_request *request = &requests.first[tape.names[(i + n) % tape.count]];
            size_t from = tape.offsets[i + n], len = tape.offsets[i + n + 1] - from;

            CU_ASSERT_EQUAL_FATAL(len, request->len);
            CU_ASSERT_EQUAL(memcmp(tape.text + from, request->text, len), 0);
            CU_ASSERT_EQUAL(tape.kinds[i + n], request->kind);
        }
    }
    load_tape_done(&tape);
    load_requests_done(&requests);
}

static void test_a_tape_has_limits(void)
{
    struct load_request_options plain = {.host = "a"};
    struct load_requests requests = {NULL, 0};
    struct load_tape tape;
    unsigned line;

    CU_ASSERT_EQUAL(load_tape_make(&requests, 1, &tape), -EINVAL);
    CU_ASSERT_EQUAL(load_requests_add_mix(&requests, &plain, "9999 GET /1\n10000 GET /2", &line),
                    0);
    CU_ASSERT_EQUAL(load_tape_make(&requests, 1, &tape), -E2BIG);
    load_requests_done(&requests);
}

const struct test load_tape_tests[] = {
    TEST(test_a_request_has_what_it_needs),
    TEST(test_what_would_split_a_request_is_refused),
    TEST(test_raw_requests_are_told_apart),
    TEST(test_a_mix_is_read),
    TEST(test_wrong_lines_of_a_mix_are_named),
    TEST(test_a_tape_has_its_mix_everywhere),
    TEST(test_a_window_never_wraps),
    TEST(test_a_tape_has_limits),
    TEST_END,
};
