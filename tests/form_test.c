/* SPDX-License-Identifier: MIT */
/*
 * form_test.c - tests of proto/form.c
 *
 * Input and buffer end at inaccessible pages; each input is also decoded in its own place.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ouro_base.h"

#include "form.h"
#include "guarded.h"
#include "test.h"

static struct guarded input, output;
static char pairs[512];

/* All pairs as "name=value|", which is ambiguous only to who writes rows that are; then the error. */
static const char *read_all(const char *text, size_t len, char *buf)
{
    const char *name, *value;
    size_t name_len, value_len, used = 0;
    struct form_reader reader;
    int code;

    pairs[0] = '\0';
    ouro__form_init(&reader, text, len, buf);
    while ((code = ouro__form_next(&reader, &name, &name_len, &value, &value_len)) == 1) {
        CU_ASSERT_EQUAL(strlen(name), name_len);
        CU_ASSERT_EQUAL(strlen(value), value_len);
        CU_ASSERT(name >= buf && value + value_len <= buf + len);
        used += (size_t) snprintf(pairs + used, sizeof(pairs) - used, "%s=%s|", name, value);
    }
    if (code)
        (void) snprintf(pairs + used, sizeof(pairs) - used, "%d", code);
    CU_ASSERT_EQUAL(ouro__form_next(&reader, &name, &name_len, &value, &value_len), code);
    return pairs;
}

static void check_bytes(const char *text, size_t len, const char *expected)
{
    char *buf;

    guarded_init(&input);
    guarded_init(&output);
    CU_ASSERT_STRING_EQUAL(
        read_all(guarded_copy(&input, text, len), len, guarded_room(&output, len + 1)), expected);
    buf = guarded_room(&output, len + 1);
    memcpy(buf, text, len);
    CU_ASSERT_STRING_EQUAL(read_all(buf, len, buf), expected);
    guarded_done(&input);
    guarded_done(&output);
}

static void check(const char *text, const char *expected)
{
    check_bytes(text, strlen(text), expected);
}

static void test_pairs_come_in_order(void)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"", ""},
        {"a=b", "a=b|"},
        {"a=b&c=d", "a=b|c=d|"},
        {"a=1&a=2&a=", "a=1|a=2|a=|"},
        {"a", "a=|"},
        {"a&b", "a=|b=|"},
        {"a=", "a=|"},
        {"=b", "=b|"},
        {"=", "=|"},
        {"=&=", "=|=|"},
        {"a=b=c", "a=b=c|"},
        {"a==", "a==|"},
        {"&", ""},
        {"&&", ""},
        {"&&a=b&&&c=d&", "a=b|c=d|"},
        {"a;b=c", "a;b=c|"},
        {"a=?/:@#[]", "a=?/:@#[]|"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i].text, rows[i].expected);
}

static void test_escapes_and_blanks_are_decoded_once(void)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"a+b=c+d", "a b=c d|"},
        {"a%20b=%2B%2b", "a b=++|"},
        {"%26=%3D", "&==|"},
        {"a=%25%32%30", "a=%20|"},
        {"a=%252B", "a=%2B|"},
        {"a=+%2B+", "a= + |"},
        {"n=J%c3%bcrgen", "n=J\xc3\xbcrgen|"},
        {"n=J\xc3\xbcrgen", "n=J\xc3\xbcrgen|"},
        {"t=one%0D%0Atwo%09%7F", "t=one\r\ntwo\t\x7f|"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i].text, rows[i].expected);
}

static void test_what_is_not_valid_is_refused_behind_the_pairs_before_it(void)
{
    static const char *const rows[] = {
        "%",      "a%",          "a=%",       "a=%4",   "%4=a",   "a=%zz",          "a=%0g",
        "a=%00",  "%00=a",       "a%00",      "a=\xff", "\x80=a", "a=%c0%af",       "a=%ed%a0%80",
        "a=\xc3", "a=%c3&b=%bc", "\xc3=\xbc", "a=% 1",  "a=%+1",  "a=%f4%90%80%80",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[64];

        check(rows[i], "-4102");
        (void) snprintf(text, sizeof(text), "x=y&%s&z", rows[i]);
        check(text, "x=y|-4102");
    }
    check_bytes("a=b\0c", 5, "-4102");
    check_bytes("a\0=b", 4, "-4102");
    check_bytes("\0", 1, "-4102");
}

/* What a reader got earlier may not be overwritten by what it gets later. */
static void test_texts_stay_until_the_end(void)
{
    const char *name[3], *value[3];
    const char text[] = "first=1&%73econd&third=+3";
    char buf[sizeof(text)];
    struct form_reader reader;
    size_t name_len, value_len;

    ouro__form_init(&reader, text, strlen(text), buf);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro__form_next(&reader, &name[i], &name_len, &value[i], &value_len), 1);
    CU_ASSERT_STRING_EQUAL(name[0], "first");
    CU_ASSERT_STRING_EQUAL(value[0], "1");
    CU_ASSERT_STRING_EQUAL(name[1], "second");
    CU_ASSERT_STRING_EQUAL(value[1], "");
    CU_ASSERT_STRING_EQUAL(name[2], "third");
    CU_ASSERT_STRING_EQUAL(value[2], " 3");
}

const struct test form_tests[] = {
    TEST(test_pairs_come_in_order),
    TEST(test_escapes_and_blanks_are_decoded_once),
    TEST(test_what_is_not_valid_is_refused_behind_the_pairs_before_it),
    TEST(test_texts_stay_until_the_end),
    TEST_END,
};
