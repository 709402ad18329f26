/* SPDX-License-Identifier: MIT */
/*
 * format_test.c - tests of proto/format.c: what it makes is what vsnprintf() makes
 */
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "ouro_base.h"
#include "test.h"

static ssize_t format(char *buf, size_t size, const char *format_string, ...)
{
    va_list args;
    ssize_t len;

    va_start(args, format_string);
    len = ouro__format_simple(buf, size, format_string, args);
    va_end(args);
    return len;
}

/* With memory that ends where the text does: a byte less, and it is left to vsnprintf(). */
#define CHECK_SAME(...)                                                     \
    do {                                                                    \
        char expected[128], found[128];                                     \
        int len = snprintf(expected, sizeof(expected), __VA_ARGS__);        \
                                                                            \
        memset(found, '#', sizeof(found));                                  \
        CU_ASSERT_EQUAL(format(found, (size_t) len + 1, __VA_ARGS__), len); \
        CU_ASSERT_STRING_EQUAL(found, expected);                            \
        CU_ASSERT_EQUAL(found[len + 1], '#');                               \
        memset(found, '#', sizeof(found));                                  \
        CU_ASSERT_EQUAL(format(found, (size_t) len, __VA_ARGS__), -1);      \
        CU_ASSERT_EQUAL(found[len], '#');                                   \
    } while (0)

static void test_simple_formats_are_made_as_by_printf(void)
{
    CHECK_SAME("plain");
    CHECK_SAME("%s", "");
    CHECK_SAME("<h1>hello, %s!</h1>", "world");
    CHECK_SAME("%s%s", "a", "b");
    CHECK_SAME("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    CHECK_SAME("%u %u", 0u, UINT_MAX);
    CHECK_SAME("%zu %zu", (size_t) 0, SIZE_MAX);
    CHECK_SAME("100%% of %s", "it");
    CHECK_SAME("%d %s\n", 404, "Not Found");
}

static void test_all_others_are_left_to_printf(void)
{
    static const char *const formats[] = {"%",   "%5d", "%-5s", "%.3s", "%ld", "%zd",  "%x",
                                          "a%c", "%s%", "%z",   "% d",  "%*d", "%hhd", "%1$s"};
    char buf[64];

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        CU_ASSERT_EQUAL(format(buf, sizeof(buf), formats[i], "x", 1, 2), -1);
    CU_ASSERT_EQUAL(format(buf, sizeof(buf), "%s", NULL), -1);
    CU_ASSERT_EQUAL(format(buf, 0, ""), -1);
}

const struct test format_tests[] = {
    TEST(test_simple_formats_are_made_as_by_printf),
    TEST(test_all_others_are_left_to_printf),
    TEST_END,
};
