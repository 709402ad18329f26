/* SPDX-License-Identifier: MIT */
/*
 * range_test.c - tests of proto/range.c
 *
 * Each text ends at an inaccessible page.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guarded.h"
#include "range.h"
#include "test.h"

static struct guarded input;

/* "whole", "416", or the parts as "first+len ". */
static const char *parse(const char *text, uint64_t size)
{
    static char said[1024];
    size_t len = strlen(text), used = 0;
    struct range_set set = {.count = 99};

    switch (ouro__range_parse(guarded_copy(&input, text, len), len, size, &set)) {
    case RANGE_WHOLE:
        CU_ASSERT_EQUAL(set.count, 99);
        return "whole";
    case RANGE_UNSATISFIABLE:
        CU_ASSERT_EQUAL(set.count, 99);
        return "416";
    case RANGE_PARTS:
        break;
    }
    said[0] = '\0';
    for (unsigned i = 0; i < set.count; i++)
        used += (size_t) snprintf(said + used, sizeof(said) - used, "%" PRIu64 "+%" PRIu64 " ",
                                  set.ranges[i].first, set.ranges[i].len);
    return said;
}

static void test_ranges_of_1000_bytes(void)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        /* the three forms */
        {"bytes=0-0", "0+1 "},
        {"bytes=0-99", "0+100 "},
        {"bytes=500-", "500+500 "},
        {"bytes=0-", "0+1000 "},
        {"bytes=-1", "999+1 "},
        {"bytes=-1000", "0+1000 "},
        {"bytes=-1001", "0+1000 "},
        {"bytes=999-999", "999+1 "},
        {"bytes=999-", "999+1 "},
        {"bytes=990-2000", "990+10 "},
        {"bytes=0-999", "0+1000 "},
        {"bytes=0-1000", "0+1000 "},
        {"BYTES=1-2", "1+2 "},
        {"bytes=007-0008", "7+2 "},

        /* lists */
        {"bytes=0-0,2-2", "0+1 2+1 "},
        {"bytes=0-1,2-3", "0+2 2+2 "},
        {"bytes=2-3,0-1", "2+2 0+2 "},
        {"bytes=-1,0-0", "999+1 0+1 "},
        {"bytes=0-0 ,\t2-2 ", "0+1 2+1 "},
        {"bytes= 0-0", "0+1 "},
        {"bytes=,0-0,, 2-2,", "0+1 2+1 "},
        {"bytes=0-0,1000-,2-2", "0+1 2+1 "},
        {"bytes=0-0,-0", "0+1 "},

        /* nothing of it is there */
        {"bytes=1000-", "416"},
        {"bytes=1000-1000", "416"},
        {"bytes=-0", "416"},
        {"bytes=1000-,2000-3000,-0", "416"},

        /* large numbers */
        {"bytes=0-18446744073709551615", "0+1000 "},
        {"bytes=0-18446744073709551616", "0+1000 "},
        {"bytes=1-99999999999999999999999999999999999999999", "1+999 "},
        {"bytes=-18446744073709551616", "0+1000 "},
        {"bytes=18446744073709551615-", "416"},
        {"bytes=18446744073709551616-", "416"},
        {"bytes=18446744073709551616-18446744073709551617", "416"},
        {"bytes=18446744073709551610-18446744073709551609", "whole"},

        /* not valid, or not ours */
        {"", "whole"},
        {"bytes", "whole"},
        {"bytes=", "whole"},
        {"bytes= ", "whole"},
        {"bytes=,", "whole"},
        {"bytes=-", "whole"},
        {"bytes=1", "whole"},
        {"bytes=a-b", "whole"},
        {"bytes=1-a", "whole"},
        {"bytes=2-1", "whole"},
        {"bytes=0-0,2-1", "whole"},
        {"bytes=2000-1000", "whole"},
        {"bytes=0-0;2-2", "whole"},
        {"bytes=0-0 2-2", "whole"},
        {"bytes=0 -0", "whole"},
        {"bytes=0- 0", "whole"},
        {"bytes=- 1", "whole"},
        {"bytes =0-0", "whole"},
        {" bytes=0-0", "whole"},
        {"bytes:0-0", "whole"},
        {"bytes=+0-0", "whole"},
        {"bytes=0--0", "whole"},
        {"bytes=--1", "whole"},
        {"bytes=0x0-0x1", "whole"},
        {"bytes=0-0-0", "whole"},
        {"bytes=0-1/1000", "whole"},
        {"bytes=*", "whole"},
        {"bytes=0-0,*", "whole"},
        {"bytes=1000-,a", "whole"},
        {"byte=0-0", "whole"},
        {"bytess=0-0", "whole"},
        {"items=0-0", "whole"},
        {"=0-0", "whole"},
        {"0-0", "whole"},

        /* overlapping */
        {"bytes=0-1,1-2", "whole"},
        {"bytes=1-2,0-1", "whole"},
        {"bytes=0-0,0-0", "whole"},
        {"bytes=0-,5-5", "whole"},
        {"bytes=5-5,0-", "whole"},
        {"bytes=0-0,5-9,-991", "whole"},
        {"bytes=0-,0-,0-,0-", "whole"},
        {"bytes=0-8,-991", "0+9 9+991 "},
    };

    guarded_init(&input);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_STRING_EQUAL(parse(rows[i].text, 1000), rows[i].expected);
    guarded_done(&input);
}

/* "bytes=0-0,2-2,4-4..." */
static const char *many(unsigned count, const char *unsatisfiable)
{
    static char text[1024];
    size_t used = (size_t) snprintf(text, sizeof(text), "bytes=");

    for (unsigned i = 0; i < count; i++)
        used += (size_t) snprintf(text + used, sizeof(text) - used, "%u-%u,", 2 * i, 2 * i);
    (void) snprintf(text + used, sizeof(text) - used, "%s", unsatisfiable);
    return text;
}

static void test_ranges_are_counted(void)
{
    guarded_init(&input);
    CU_ASSERT_STRING_EQUAL(parse(many(16, ""), 1000),
                           "0+1 2+1 4+1 6+1 8+1 10+1 12+1 14+1 16+1 18+1 20+1 22+1 24+1 26+1 "
                           "28+1 30+1 ");
    CU_ASSERT_STRING_EQUAL(parse(many(17, ""), 1000), "whole");
    CU_ASSERT_STRING_EQUAL(parse(many(16, "5000-"), 1000), "whole");
    CU_ASSERT_STRING_EQUAL(parse(many(16, ",, ,,"), 1000) + 65, "28+1 30+1 ");
    guarded_done(&input);
}

static void test_sizes_at_the_ends(void)
{
    guarded_init(&input);
    CU_ASSERT_STRING_EQUAL(parse("bytes=0-", 0), "whole");
    CU_ASSERT_STRING_EQUAL(parse("bytes=-1", 0), "whole");
    CU_ASSERT_STRING_EQUAL(parse("bytes=5-", 0), "whole");
    CU_ASSERT_STRING_EQUAL(parse("bytes=0-0", 1), "0+1 ");
    CU_ASSERT_STRING_EQUAL(parse("bytes=-1", 1), "0+1 ");
    CU_ASSERT_STRING_EQUAL(parse("bytes=1-", 1), "416");
    CU_ASSERT_STRING_EQUAL(parse("bytes=0-18446744073709551615", UINT64_MAX),
                           "0+18446744073709551615 ");
    CU_ASSERT_STRING_EQUAL(parse("bytes=18446744073709551614-", UINT64_MAX),
                           "18446744073709551614+1 ");
    CU_ASSERT_STRING_EQUAL(parse("bytes=18446744073709551615-", UINT64_MAX), "416");
    CU_ASSERT_STRING_EQUAL(parse("bytes=-18446744073709551615", UINT64_MAX),
                           "0+18446744073709551615 ");
    guarded_done(&input);
}

const struct test range_tests[] = {
    TEST(test_ranges_of_1000_bytes),
    TEST(test_ranges_are_counted),
    TEST(test_sizes_at_the_ends),
    TEST_END,
};
