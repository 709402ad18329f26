/* SPDX-License-Identifier: MIT */
/*
 * http_date_test.c - tests of proto/http_date.c
 *
 * Each text ends at an inaccessible page.
 */
#include <string.h>
#include <time.h>

#include "guarded.h"
#include "http1_write.h"
#include "http_date.h"
#include "test.h"

#define NOW 1767225600 /* 1 January 2026 */

static struct guarded input;

/* -1: it is no date. */
static int64_t parse(const char *text, int64_t now_s)
{
    size_t len = strlen(text);
    int64_t seconds = -1;

    if (!ouro__http_date_parse(guarded_copy(&input, text, len), len, now_s, &seconds))
        CU_ASSERT_EQUAL(seconds, -1);
    return seconds;
}

static void test_three_forms_are_read(void)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Sun Nov 06 08:49:37 1994", 784111777},
        {"Wed Nov 16 08:49:37 1994", 784111777 + 10 * 86400},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Wednesday, 01-Jan-70 00:00:00 GMT", 3155760000}, /* 2070 */
        {"Thu, 29 Feb 2024 00:00:00 GMT", 1709164800},
        {"Tue, 29 Feb 2000 23:59:59 GMT", 951868799},
        {"Fri, 31 Dec 9999 23:59:59 GMT", HTTP_DATE_MAX},
        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
    };

    guarded_init(&input);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_EQUAL(parse(rows[i].text, NOW), rows[i].seconds);
    guarded_done(&input);
}

static void test_garbage_is_no_date(void)
{
    static const char *const rows[] = {
        "",
        "0",
        "784111777",
        "yesterday",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun,  6 Nov 1994 08:49:37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Thu, 31 Nov 1994 08:49:37 GMT",
        "Wed, 29 Feb 2023 00:00:00 GMT",
        "Thu, 29 Feb 1900 00:00:00 GMT",
        "Mon, 06 Nov 1994 08:49:37 GMT", /* it was a Sunday */
        "Monday, 06-Nov-94 08:49:37 GMT",
        "Mon Nov  6 08:49:37 1994",
        "Wed, 31 Dec 1969 23:59:59 GMT",
        "Mon, 01 Jan 0000 00:00:00 GMT",
        "Sat, 01 Jan 10000 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:60 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov    08:49:37 1994",
    };

    guarded_init(&input);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_EQUAL(parse(rows[i], NOW), -1);
    guarded_done(&input);
}

static void test_short_years_are_at_most_50_ahead(void)
{
    guarded_init(&input);
    CU_ASSERT_EQUAL(parse("Wednesday, 01-Jan-76 00:00:00 GMT", NOW), 3345062400); /* 2076 */
    CU_ASSERT_EQUAL(parse("Saturday, 01-Jan-77 00:00:00 GMT", NOW), 220924800);   /* 1977 */
    CU_ASSERT_EQUAL(parse("Saturday, 01-Jan-77 00:00:00 GMT", NOW - 1), 220924800);
    CU_ASSERT_EQUAL(parse("Thursday, 01-Jan-76 00:00:00 GMT", NOW - 1), 189302400); /* 1976 */
    CU_ASSERT_EQUAL(parse("Wednesday, 01-Jan-69 00:00:00 GMT", 946684800), -1);     /* 1969 */
    guarded_done(&input);
}

/* Against gmtime(). */
static void test_what_is_written_is_read(void)
{
    struct http1_date date = {0};
    unsigned wrong = 0;

    guarded_init(&input);
    for (int64_t seconds = 1; seconds <= HTTP_DATE_MAX; seconds += 9999991)
        wrong += parse(ouro__http1_date_at(&date, seconds), NOW) != seconds;
    CU_ASSERT_EQUAL(wrong, 0);
    guarded_done(&input);
}

static void test_a_date_is_cut_at_every_offset(void)
{
    static const char *const texts[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    int64_t seconds;

    guarded_init(&input);
    for (size_t i = 0; i < 3; i++)
        for (size_t len = 0; len < strlen(texts[i]); len++)
            CU_ASSERT(
                !ouro__http_date_parse(guarded_copy(&input, texts[i], len), len, NOW, &seconds));
    guarded_done(&input);
}

const struct test http_date_tests[] = {
    TEST(test_three_forms_are_read),
    TEST(test_garbage_is_no_date),
    TEST(test_short_years_are_at_most_50_ahead),
    TEST(test_what_is_written_is_read),
    TEST(test_a_date_is_cut_at_every_offset),
    TEST_END,
};
