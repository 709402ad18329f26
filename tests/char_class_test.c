/* SPDX-License-Identifier: MIT */
/*
 * char_class_test.c - tests of proto/char_class.c
 *
 * The table is compared, byte by byte, with the grammars as the RFCs write them.
 */
#include <string.h>

#include "char_class.h"
#include "test.h"

static const char letters_and_digits[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static bool is_in(int c, const char *set)
{
    return c && strchr(set, c);
}

static void test_each_byte_is_in_its_classes(void)
{
    for (int c = 0; c < 256; c++) {
        bool is_alnum = is_in(c, letters_and_digits);
        bool is_visible = c >= 0x21 && c <= 0x7e;
        bool is_value = c == '\t' || c == ' ' || is_visible || c >= 0x80;

        CU_ASSERT_EQUAL(char_is((char) c, CHAR_TOKEN), is_alnum || is_in(c, "!#$%&'*+-.^_`|~"));
        CU_ASSERT_EQUAL(char_is((char) c, CHAR_TARGET), is_visible && !is_in(c, "#\\"));
        CU_ASSERT_EQUAL(char_is((char) c, CHAR_VALUE), is_value);
        CU_ASSERT_EQUAL(char_is((char) c, CHAR_HOST), is_alnum || is_in(c, "-._~"));
        CU_ASSERT_EQUAL(char_is((char) c, CHAR_PLAIN), is_visible && !is_in(c, "/%\\"));
        CU_ASSERT_EQUAL(char_is((char) c, CHAR_UNESCAPED),
                        (is_visible || c == ' ') && !is_in(c, "&<>\"'\\"));
    }
}

static void test_a_span_ends_before_the_first_other_byte(void)
{
    CU_ASSERT_EQUAL(char_span("abc def", 7, CHAR_TOKEN), 3);
    CU_ASSERT_EQUAL(char_span("abc def", 2, CHAR_TOKEN), 2);
    CU_ASSERT_EQUAL(char_span("", 0, CHAR_TOKEN), 0);
    for (size_t len = 0; len < 12; len++) {
        for (size_t at = 0; at < len; at++) {
            char text[] = "abcdefghijkl";

            CU_ASSERT_EQUAL(char_span(text, len, CHAR_TOKEN), len);
            text[at] = ':';
            CU_ASSERT_EQUAL(char_span(text, len, CHAR_TOKEN), at);
            CU_ASSERT_EQUAL(char_run(text, CHAR_TOKEN), at);
        }
    }
}

/* Each byte in each place of texts of all lengths that matter, between all kinds of others. */
static void test_values_are_measured_alike_wherever_a_byte_is(void)
{
    static const char fillings[] = {' ', 'a', '~', '\t', (char) 0x80, (char) 0xff};
    char text[40];

    for (size_t f = 0; f < sizeof(fillings); f++) {
        memset(text, fillings[f], sizeof(text));
        for (size_t len = 0; len <= sizeof(text); len++)
            CU_ASSERT_EQUAL(ouro__char_value_span(text, len), len);
        for (size_t at = 0; at < sizeof(text); at++) {
            for (int c = 0; c < 256; c++) {
                text[at] = (char) c;
                CU_ASSERT_EQUAL(ouro__char_value_span(text, sizeof(text)),
                                char_is((char) c, CHAR_VALUE) ? sizeof(text) : at);
                CU_ASSERT_EQUAL(ouro__char_value_span(text, at), at);
            }
            text[at] = fillings[f];
        }
    }
}

const struct test char_class_tests[] = {
    TEST(test_each_byte_is_in_its_classes),
    TEST(test_a_span_ends_before_the_first_other_byte),
    TEST(test_values_are_measured_alike_wherever_a_byte_is),
    TEST_END,
};
