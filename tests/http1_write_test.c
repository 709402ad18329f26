/* SPDX-License-Identifier: MIT */
/*
 * http1_write_test.c - tests of proto/http1_write.c
 */
#include <errno.h>
#include <string.h>

#include "ouro_base.h"

#include "http1_write.h"
#include "test.h"

static char buf[256];

static struct http1_writer fresh(void)
{
    struct http1_writer writer;

    ouro__http1_write_init(&writer, buf, sizeof(buf));
    return writer;
}

static void check(const struct http1_writer *writer, const char *expected)
{
    CU_ASSERT_EQUAL(writer->error, 0);
    CU_ASSERT_EQUAL(writer->len, strlen(expected));
    CU_ASSERT_EQUAL(memcmp(writer->data, expected, strlen(expected)), 0);
}

static void test_response_is_written_line_by_line(void)
{
    struct http1_writer writer = fresh();

    ouro__http1_write_status_line(&writer, 404, NULL);
    ouro__http1_write_field(&writer, "A", "b \t\xfc");
    ouro__http1_write_field(&writer, "Empty", "");
    ouro__http1_write_number(&writer, "Zero", 0);
    ouro__http1_write_number(&writer, "Most", UINT64_MAX);
    ouro__http1_write_end(&writer);
    ouro__http1_write_body(&writer, "any\r\n\0bytes", 11);
    ouro__http1_write_body(&writer, NULL, 0);
    CU_ASSERT_EQUAL(writer.error, 0);
    CU_ASSERT_EQUAL(memcmp(buf + writer.len - 11, "any\r\n\0bytes", 11), 0);
    writer.len -= 11;
    check(&writer, "HTTP/1.1 404 Not Found\r\nA: b \t\xfc\r\nEmpty: \r\nZero: 0\r\n"
                   "Most: 18446744073709551615\r\n\r\n");
}

static void test_status_line_takes_any_reason_or_its_own(void)
{
    struct http1_writer writer = fresh();

    ouro__http1_write_status_line(&writer, 200, "Fine");
    ouro__http1_write_status_line(&writer, 299, NULL);
    ouro__http1_write_status_line(&writer, 999, "");
    check(&writer, "HTTP/1.1 200 Fine\r\nHTTP/1.1 299 Unknown\r\nHTTP/1.1 999 \r\n");
}

static void test_request_line_gets_the_slash_that_a_url_may_lack(void)
{
    struct http1_writer writer = fresh();

    ouro__http1_write_request_line(&writer, "GET", "", 0);
    ouro__http1_write_request_line(&writer, "GET", "?q", 2);
    ouro__http1_write_request_line(&writer, "M-SEARCH", "/a?b", 4);
    check(&writer, "GET / HTTP/1.1\r\nGET /?q HTTP/1.1\r\nM-SEARCH /a?b HTTP/1.1\r\n");
}

/* HTTP 9: what is refused when read is refused when written. */
static void test_control_characters_are_refused_everywhere(void)
{
    static const char *const bad[] = {"a\rb", "a\nb", "a\r\nb", "\x01", "a\x7f", "\x1f"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct http1_writer writer = fresh();

        ouro__http1_write_request_line(&writer, bad[i], "/", 1);
        CU_ASSERT_EQUAL(writer.error, -EINVAL);
        writer = fresh();
        ouro__http1_write_request_line(&writer, "GET", bad[i], strlen(bad[i]));
        CU_ASSERT_EQUAL(writer.error, -EINVAL);
        writer = fresh();
        ouro__http1_write_status_line(&writer, 200, bad[i]);
        CU_ASSERT_EQUAL(writer.error, -EINVAL);
        writer = fresh();
        ouro__http1_write_field(&writer, bad[i], "x");
        CU_ASSERT_EQUAL(writer.error, -EINVAL);
        writer = fresh();
        ouro__http1_write_field(&writer, "x", bad[i]);
        CU_ASSERT_EQUAL(writer.error, -EINVAL);
    }
}

static void test_grammar_is_kept(void)
{
    struct http1_writer writer = fresh();

    ouro__http1_write_field(&writer, "", "x");
    CU_ASSERT_EQUAL(writer.error, -EINVAL);
    writer = fresh();
    ouro__http1_write_field(&writer, "a b", "x");
    CU_ASSERT_EQUAL(writer.error, -EINVAL);
    writer = fresh();
    ouro__http1_write_field(&writer, "a:", "x");
    CU_ASSERT_EQUAL(writer.error, -EINVAL);
    writer = fresh();
    ouro__http1_write_field_len(&writer, "a", "x\0y", 3);
    CU_ASSERT_EQUAL(writer.error, -EINVAL);
    writer = fresh();
    ouro__http1_write_request_line(&writer, "G T", "/", 1);
    CU_ASSERT_EQUAL(writer.error, -EINVAL);
    writer = fresh();
    ouro__http1_write_request_line(&writer, "GET", "/a b", 4);
    CU_ASSERT_EQUAL(writer.error, -EINVAL);
    writer = fresh();
    ouro__http1_write_request_line(&writer, "GET", "/\0", 2);
    CU_ASSERT_EQUAL(writer.error, -EINVAL);
    writer = fresh();
    ouro__http1_write_status_line(&writer, 99, NULL);
    CU_ASSERT_EQUAL(writer.error, -EINVAL);
    writer = fresh();
    ouro__http1_write_status_line(&writer, 1000, NULL);
    CU_ASSERT_EQUAL(writer.error, -EINVAL);
}

static void test_buffer_is_never_overrun_and_errors_stick(void)
{
    static const char whole[] = "HTTP/1.1 200 OK\r\nA: b\r\n\r\nxy";

    for (size_t capacity = 0; capacity <= sizeof(whole) - 1; capacity++) {
        struct http1_writer writer;

        memset(buf, '#', sizeof(buf));
        ouro__http1_write_init(&writer, buf, capacity);
        ouro__http1_write_status_line(&writer, 200, NULL);
        ouro__http1_write_field(&writer, "A", "b");
        ouro__http1_write_end(&writer);
        ouro__http1_write_body(&writer, "xy", 2);
        CU_ASSERT_EQUAL(writer.error, capacity < sizeof(whole) - 1 ? OURO_ELIMIT : 0);
        CU_ASSERT(writer.len <= capacity);
        CU_ASSERT_EQUAL(buf[capacity], '#');
        ouro__http1_write_field(&writer, "bad name", "x");
        CU_ASSERT_EQUAL(writer.error, capacity < sizeof(whole) - 1 ? OURO_ELIMIT : -EINVAL);
    }
}

/* HTTP 33; the example of RFC 9110 §5.6.7 */
static void test_date_is_made_once_a_second(void)
{
    struct http1_date date = {0};

    CU_ASSERT_STRING_EQUAL(ouro__http1_date_at(&date, 784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
    date.text[0] = '#';
    CU_ASSERT_STRING_EQUAL(ouro__http1_date_at(&date, 784111777), "#un, 06 Nov 1994 08:49:37 GMT");
    CU_ASSERT_STRING_EQUAL(ouro__http1_date_at(&date, 784111778), "Sun, 06 Nov 1994 08:49:38 GMT");
    CU_ASSERT_STRING_EQUAL(ouro__http1_date_at(&date, 1709164800), "Thu, 29 Feb 2024 00:00:00 GMT");
    CU_ASSERT_STRING_EQUAL(ouro__http1_date_at(&date, 0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

/* How an opening is, made anew. */
static const char *opening_by_parts(int status, const char *type, time_t now, size_t *ret_len)
{
    static char parts[512];
    struct http1_writer writer;
    struct http1_date date = {0};

    ouro__http1_write_init(&writer, parts, sizeof(parts));
    ouro__http1_write_status_line(&writer, status, NULL);
    ouro__http1_write_field(&writer, "Date", ouro__http1_date_at(&date, now));
    if (type)
        ouro__http1_write_field(&writer, "Content-Type", type);
    CU_ASSERT_EQUAL(writer.error, 0);
    *ret_len = writer.len;
    return parts;
}

/* Each one after the one before it, whose text may not be taken for it. */
static void test_opening_is_that_of_its_own_answer(void)
{
    static char type[300] = "text/html";
    static const struct {
        int status;
        time_t now;
        const char *type; /* NULL: none; put into the same place each time */
    } answers[] = {
        {200, 784111777, "text/html"}, {200, 784111777, "text/html"},
        {200, 784111777, "text/xml"},  {200, 784111777, "text/xhtml"},
        {404, 784111777, "text/html"}, {200, 784111778, "text/html"},
        {200, 784111778, NULL},        {200, 784111778, "text/html"},
        {204, 784111778, NULL},        {200, 784111778, "t"},
        {200, 784111778, ""},          {299, 784111778, "text/html"},
    };
    struct http1_opening opening = {.status = 0};

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        const char *given = answers[i].type ? strcpy(type, answers[i].type) : NULL, *parts;
        struct http1_writer writer = fresh();
        size_t len;

        ouro__http1_write_opening(&writer, &opening, answers[i].status, given,
                                  given ? strlen(given) : 0, answers[i].now);
        parts = opening_by_parts(answers[i].status, given, answers[i].now, &len);
        CU_ASSERT_EQUAL(writer.error, 0);
        CU_ASSERT_EQUAL(writer.len, len);
        CU_ASSERT(memcmp(buf, parts, len) == 0);
    }
}

static void test_opening_of_what_failed_or_is_too_long_is_not_kept(void)
{
    static char type[300];
    struct http1_opening opening = {.status = 0};

    for (size_t len = 1; len < 180; len++) {
        struct http1_writer writer;

        memset(type, 'x', len);
        for (int i = 0; i < 3; i++) {
            writer = fresh();
            type[len - 1] = (char) (i < 2 ? '\n' : 'x');
            ouro__http1_write_opening(&writer, &opening, 200, type, strlen(type), 784111777);
            CU_ASSERT_EQUAL(writer.error, i < 2 ? -EINVAL : 0);
        }
        CU_ASSERT_EQUAL(writer.len, 17 + 37 + 16 + len);
        CU_ASSERT(memcmp(buf + writer.len - 2 - len, type, len) == 0);
    }
}

const struct test http1_write_tests[] = {
    TEST(test_response_is_written_line_by_line),
    TEST(test_status_line_takes_any_reason_or_its_own),
    TEST(test_request_line_gets_the_slash_that_a_url_may_lack),
    TEST(test_control_characters_are_refused_everywhere),
    TEST(test_grammar_is_kept),
    TEST(test_buffer_is_never_overrun_and_errors_stick),
    TEST(test_date_is_made_once_a_second),
    TEST(test_opening_is_that_of_its_own_answer),
    TEST(test_opening_of_what_failed_or_is_too_long_is_not_kept),
    TEST_END,
};
