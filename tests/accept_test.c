/* SPDX-License-Identifier: MIT */
/*
 * accept_test.c - tests of proto/accept.c and proto/parameter.c
 */
#include <stdio.h>
#include <string.h>

#include "accept.h"
#include "guarded.h"
#include "test.h"

static int quality_in(const char *list, size_t len, const char *name)
{
    struct guarded guarded;
    struct accept accept;
    int once, twice;

    guarded_init(&guarded);
    ouro__accept_init(&accept, name);
    ouro__accept_add(&accept, guarded_copy(&guarded, list, len), len);
    once = ouro__accept_quality(&accept);
    ouro__accept_add(&accept, guarded_copy(&guarded, list, len), len);
    twice = ouro__accept_quality(&accept);
    CU_ASSERT_EQUAL(once, twice);
    guarded_done(&guarded);
    return once;
}

struct row {
    const char *list, *name;
    int quality;
};

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int found = quality_in(rows[i].list, strlen(rows[i].list), rows[i].name);

        if (found != rows[i].quality)
            fprintf(stderr, "%s in \"%s\": %d\n", rows[i].name, rows[i].list, found);
        CU_ASSERT_EQUAL(found, rows[i].quality);
    }
}

static void test_coding_has_the_quality_that_the_list_says(void)
{
    static const struct row rows[] = {
        {"", "gzip", 0},
        {"gzip", "gzip", 1000},
        {"GZip", "gzip", 1000},
        {"deflate", "gzip", 0},
        {"gzip, deflate, br, zstd", "gzip", 1000},
        {"gzip, deflate, br, zstd", "zstd", 1000},
        {"gzipx", "gzip", 0},
        {"gzi", "gzip", 0},
        {" ,, gzip\t , ,", "gzip", 1000},
        {"deflate,gzip", "gzip", 1000},
        {"gzip;q=0.5", "gzip", 500},
        {"gzip ; Q=0.5", "gzip", 500},
        {"gzip \t;\t q=0.25, deflate;q=0.75", "deflate", 750},
        {"gzip;q=0", "gzip", 0},
        {"gzip;q=0.", "gzip", 0},
        {"gzip;q=0.001", "gzip", 1},
        {"gzip;q=0.12", "gzip", 120},
        {"gzip;q=1", "gzip", 1000},
        {"gzip;q=1.", "gzip", 1000},
        {"gzip;q=1.000", "gzip", 1000},
        {"gzip;", "gzip", 1000},
        {"gzip;,br", "br", 1000},
        {"x-gzip;q=0.5", "gzip", 500},
        {"X-GZIP", "gzip", 1000},
        {"x-compress", "compress", 1000},
        {"x-gzip", "compress", 0},
        {"x-deflate", "deflate", 0},
        {"x-gzip, gzip;q=0.5", "gzip", 500},
    };

    check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_asterisk_speaks_of_what_is_not_named(void)
{
    static const struct row rows[] = {
        {"*", "gzip", 1000},
        {"*;q=0.3", "gzip", 300},
        {"*;q=0", "gzip", 0},
        {"gzip;q=0.5, *", "gzip", 500},
        {"*, gzip;q=0", "gzip", 0},
        {"*;q=0, gzip", "gzip", 1000},
        {"gzip;q=0, *;q=1", "br", 1000},
        {"", "identity", 1000},
        {"gzip", "identity", 1000},
        {"identity;q=0.5", "identity", 500},
        {"identity;q=0", "identity", 0},
        {"*;q=0", "identity", 0},
        {"*;q=0, identity;q=0.1", "identity", 100},
        {"*/*", "gzip", 0},
    };

    check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_lowest_of_contradictory_qualities_counts(void)
{
    static const struct row rows[] = {
        {"gzip, gzip;q=0", "gzip", 0},
        {"gzip;q=0, gzip", "gzip", 0},
        {"*;q=0.2, *;q=0.1", "gzip", 100},
    };

    check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_elements_that_are_not_valid_say_nothing(void)
{
    static const struct row rows[] = {
        {"gzip;q=2", "gzip", 0},
        {"gzip;q=1.001", "gzip", 0},
        {"gzip;q=0.1234", "gzip", 0},
        {"gzip;q=00", "gzip", 0},
        {"gzip;q=.5", "gzip", 0},
        {"gzip;q=-1", "gzip", 0},
        {"gzip;q=", "gzip", 0},
        {"gzip;q", "gzip", 0},
        {"gzip;q =1", "gzip", 0},
        {"gzip;q= 1", "gzip", 0},
        {"gzip;q=\"1\"", "gzip", 0},
        {"gzip;q=0.a", "gzip", 0},
        {"gzip;q=1;q=1", "gzip", 0},
        {"gzip;level=1", "gzip", 0},
        {"gzip;level=1;q=1", "gzip", 0},
        {"gzip deflate", "gzip", 0},
        {"gzip;q=1 x", "gzip", 0},
        {"gzip;q=1\x01", "gzip", 0},
        {"\"gzip\"", "gzip", 0},
        {"(gzip)", "gzip", 0},
        {"gzip/", "gzip", 0},
        {"/gzip", "gzip", 0},
        {"gzip;q=0.5;;;", "gzip", 500},
        {"gzip;q=2, br", "br", 1000},
        {"\x01, br", "br", 1000},
        {"a/b/c, br", "br", 1000},
        {"foo;x=\"a, gzip, b\", br", "gzip", 0},
        {"foo;x=\"a, \\\", gzip\", br", "br", 1000},
        {"foo;x=\"\\\", gzip, \\\"\", br", "gzip", 0},
        {"foo;x=\"a, gzip, br", "br", 1000},
        {"gzip;q=2, *;q=0.1", "gzip", 100},
    };

    check(rows, sizeof(rows) / sizeof(rows[0]));
    CU_ASSERT_EQUAL(quality_in("gzip\0", 5, "gzip"), 0);
    CU_ASSERT_EQUAL(quality_in("gzip;q=0.5,gzip", 10, "gzip"), 500);
}

static void test_media_types_match_by_precision(void)
{
    static const struct row rows[] = {
        {"text/html", "text/html", 1000},
        {"Text/HTML", "text/html", 1000},
        {"text/*;q=0.5", "text/html", 500},
        {"TEXT/*;q=0.5", "text/html", 500},
        {"*/*;q=0.1", "text/html", 100},
        {"*", "text/html", 0},
        {"*/html", "text/html", 0},
        {"text", "text/html", 0},
        {"text/", "text/html", 0},
        {"text/htm", "text/html", 0},
        {"image/*", "text/html", 0},
        {"texts/*", "text/html", 0},
        {"tex/*", "text/html", 0},
        {"*/*;q=0.1, text/html;q=0.2, text/*;q=0.3", "text/html", 200},
        {"*/*;q=0.1, text/html;q=0.2, text/*;q=0.3", "text/plain", 300},
        {"*/*;q=0.1, text/html;q=0.2, text/*;q=0.3", "image/png", 100},
        {"text/html;level=1, */*;q=0.5", "text/html", 500},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "text/html",
         1000},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
         "application/json", 800},
    };

    check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_several_fields_are_one_list(void)
{
    struct accept accept;

    ouro__accept_init(&accept, "gzip");
    ouro__accept_add(&accept, "br", 2);
    ouro__accept_add(&accept, "*;q=0.5", 7);
    CU_ASSERT_EQUAL(ouro__accept_quality(&accept), 500);
    ouro__accept_add(&accept, "gzip;q=0.7", 10);
    ouro__accept_add(&accept, "", 0);
    ouro__accept_add(&accept, "*;q=0", 5);
    CU_ASSERT_EQUAL(ouro__accept_quality(&accept), 700);
}

const struct test accept_tests[] = {
    TEST(test_coding_has_the_quality_that_the_list_says),
    TEST(test_asterisk_speaks_of_what_is_not_named),
    TEST(test_lowest_of_contradictory_qualities_counts),
    TEST(test_elements_that_are_not_valid_say_nothing),
    TEST(test_media_types_match_by_precision),
    TEST(test_several_fields_are_one_list),
    TEST_END,
};
