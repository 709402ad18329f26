/* SPDX-License-Identifier: MIT */
/*
 * utf8_test.c - tests of proto/utf8.c
 *
 * Against an encoder: well-formed are the encodings of the scalar values and nothing else.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"
#include "utf8.h"

static size_t encode(uint32_t scalar, char *buf)
{
    if (scalar < 0x80) {
        buf[0] = (char) scalar;
        return 1;
    }
    if (scalar < 0x800) {
        buf[0] = (char) (0xc0 | scalar >> 6);
        buf[1] = (char) (0x80 | (scalar & 0x3f));
        return 2;
    }
    if (scalar < 0x10000) {
        buf[0] = (char) (0xe0 | scalar >> 12);
        buf[1] = (char) (0x80 | (scalar >> 6 & 0x3f));
        buf[2] = (char) (0x80 | (scalar & 0x3f));
        return 3;
    }
    buf[0] = (char) (0xf0 | scalar >> 18);
    buf[1] = (char) (0x80 | (scalar >> 12 & 0x3f));
    buf[2] = (char) (0x80 | (scalar >> 6 & 0x3f));
    buf[3] = (char) (0x80 | (scalar & 0x3f));
    return 4;
}

static void test_all_of_unicode_is_taken_and_cut_sequences_are_not(void)
{
    unsigned wrong = 0;
    char buf[4];

    for (uint32_t scalar = 0; scalar < 0x110000; scalar++) {
        bool surrogate = scalar >= 0xd800 && scalar < 0xe000;
        size_t len = encode(scalar, buf);

        wrong += ouro__utf8_sequence(buf, 4) != (surrogate ? 0 : len);
        for (size_t cut = 1; cut < len; cut++)
            wrong += ouro__utf8_sequence(buf, cut) != 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* All sequences of up to three bytes; of four, third and fourth bytes at the edges. */
static void test_nothing_but_unicode_is_taken(void)
{
    static const unsigned char edges[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    unsigned found[5] = {0};
    char buf[4];

    for (unsigned bits = 0; bits < 1 << 24; bits++) {
        buf[0] = (char) (bits >> 16);
        buf[1] = (char) (bits >> 8);
        buf[2] = (char) bits;
        found[ouro__utf8_sequence(buf, 3)]++;
    }
    CU_ASSERT_EQUAL(found[1], 0x80 << 16);
    CU_ASSERT_EQUAL(found[2], (0x800 - 0x80) << 8);
    CU_ASSERT_EQUAL(found[3], 0x10000 - 0x800 - 0x800);
    for (unsigned bits = 0; bits < 1 << 16; bits++)
        for (size_t i = 0; i < sizeof(edges) * sizeof(edges); i++) {
            buf[0] = (char) (bits >> 8);
            buf[1] = (char) bits;
            buf[2] = (char) edges[i / sizeof(edges)];
            buf[3] = (char) edges[i % sizeof(edges)];
            found[4] += ouro__utf8_sequence(buf, 4) == 4;
        }
    /* Two of the edges continue a sequence; 4096 values share the first two bytes. */
    CU_ASSERT_EQUAL(found[4], 0x100000 / 4096 * 2 * 2);
}

static void test_text_is_valid_when_all_of_its_sequences_are(void)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"", true},
        {"a", true},
        {"J\xc3\xbcrgen", true},
        {"\xe2\x82\xac\n\x7f", true},
        {"a\xc3", false},
        {"\x80", false},
        {"\xc0\xaf", false},
        {"a\xed\xa0\x80", false},
        {"\xc3\xbc\xff", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].text);
        char *copy = malloc(len ? len : 1); /* of exact size, for ASan to watch */

        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, rows[i].text, len);
        CU_ASSERT_EQUAL(ouro__utf8_is_valid(copy, len), rows[i].valid);
        free(copy);
    }
    CU_ASSERT(ouro__utf8_is_valid("a\0b", 3));
}

const struct test utf8_tests[] = {
    TEST(test_all_of_unicode_is_taken_and_cut_sequences_are_not),
    TEST(test_nothing_but_unicode_is_taken),
    TEST(test_text_is_valid_when_all_of_its_sequences_are),
    TEST_END,
};
