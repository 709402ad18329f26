/* SPDX-License-Identifier: MIT */
/*
 * url_test.c - tests of proto/url.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro_base.h"

#include "test.h"
#include "url.h"

static void test_authority_takes_names_and_addresses_with_and_without_port(void)
{
    static const struct {
        const char *text, *host;
        int port;
    } rows[] = {
        {"example.com", "example.com", -1},
        {"example.com:80", "example.com", 80},
        {"EXAMPLE.com.:65535", "EXAMPLE.com.", 65535},
        {"127.0.0.1:8000", "127.0.0.1", 8000},
        {"[::1]", "::1", -1},
        {"[::1]:80", "::1", 80},
        {"[::ffff:127.0.0.1]:0", "::ffff:127.0.0.1", 0},
        {"a_b-c.d~", "a_b-c.d~", -1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct url_authority found;
        int code = ouro__url_parse_authority(rows[i].text, strlen(rows[i].text), &found);

        CU_ASSERT_EQUAL(code, 0);
        if (code)
            continue;
        CU_ASSERT_EQUAL(found.port, rows[i].port);
        CU_ASSERT_EQUAL(found.host_len, strlen(rows[i].host));
        CU_ASSERT_EQUAL(memcmp(found.host, rows[i].host, found.host_len), 0);
    }
}

static void test_authority_refuses_what_is_not_host_and_port(void)
{
    static const char *const rows[] = {
        "",
        ":80",
        "a:",
        "a:65536",
        "a:123456",
        "a:+1",
        "a:8 0",
        "a b",
        "a,b",
        "user@a",
        "user:pw@a",
        "a/b",
        "a?b",
        "a#b",
        "a%41",
        "a\tb",
        "\xc3\xa4",
        "[::1",
        "::1",
        "[]",
        "[::1]80",
        "[::1]:",
        "[::g]",
        "[127.0.0.1]",
        "[::1%25eth0]",
        "a:80:80",
        "a\x7f",
        "a\\b",
        "[::1]:80x",
        "[1234567890123456789012345678901234567890123456789]",
    };
    struct url_authority found;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_EQUAL(ouro__url_parse_authority(rows[i], strlen(rows[i]), &found), OURO_EURL);
    CU_ASSERT_EQUAL(ouro__url_parse_authority("[a\0]", 4, &found), OURO_EURL);
    CU_ASSERT_EQUAL(ouro__url_parse_authority("a\0b", 3, &found), OURO_EURL);
}

static void test_url_is_taken_apart(void)
{
    static const struct {
        const char *text, *authority, *target;
        int port;
    } rows[] = {
        {"http://a", "a", "", -1},
        {"HTTP://a:81/", "a:81", "/", 81},
        {"http://[::1]:81/x/y?q=1&r=/", "[::1]:81", "/x/y?q=1&r=/", 81},
        {"http://a?q", "a", "?q", -1},
        {"http://a/x#fragment", "a", "/x", -1},
        {"http://a#fragment", "a", "", -1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct url url;
        int code = ouro__url_parse(rows[i].text, strlen(rows[i].text), &url);

        CU_ASSERT_EQUAL(code, 0);
        if (code)
            continue;
        CU_ASSERT_EQUAL(url.authority.port, rows[i].port);
        CU_ASSERT_EQUAL(url.authority_len, strlen(rows[i].authority));
        CU_ASSERT_EQUAL(memcmp(url.authority_text, rows[i].authority, url.authority_len), 0);
        CU_ASSERT_EQUAL(url.target_len, strlen(rows[i].target));
        CU_ASSERT_EQUAL(memcmp(url.target, rows[i].target, url.target_len), 0);
    }
}

static void test_url_refuses_other_schemes_userinfo_and_bad_bytes(void)
{
    static const char *const rows[] = {
        "",
        "a",
        "http:",
        "http:/a",
        "http://",
        "http:///x",
        "https://a/",
        "ftp://a/",
        "http://u@a/",
        "http://u:p@a/",
        "http://a b/",
        "http://a/x y",
        "http://a/\r",
        "http://a/\x01",
        "http://a/\xc3\xa4",
        "http://a/\\",
        "http://a:x/",
        "http://a:99999/",
    };
    struct url url;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_EQUAL(ouro__url_parse(rows[i], strlen(rows[i]), &url), OURO_EURL);
}

static void test_decoding_is_strict(void)
{
    static const struct {
        const char *text, *decoded; /* NULL: refused */
    } rows[] = {
        {"", ""},         {"abc", "abc"}, {"a%20b", "a b"},     {"%41%5a%5A", "AZZ"},
        {"%2F%2f", "//"}, {"+", "+"},     {"%25%32%35", "%25"}, {"%e2%82%ac", "\xe2\x82\xac"},
        {"%", NULL},      {"%4", NULL},   {"a%4", NULL},        {"%g0", NULL},
        {"%0g", NULL},    {"% 1", NULL},  {"%00", NULL},        {"a%00b", NULL},
        {"%%41", NULL},   {"%+1", NULL},
    };
    char buf[32];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ssize_t len = ouro__url_decode(rows[i].text, strlen(rows[i].text), buf);

        if (!rows[i].decoded) {
            CU_ASSERT_EQUAL(len, OURO_EURL);
            continue;
        }
        CU_ASSERT_EQUAL(len, (ssize_t) strlen(rows[i].decoded));
        CU_ASSERT_EQUAL(memcmp(buf, rows[i].decoded, strlen(rows[i].decoded)), 0);
    }
}

static void test_decoding_works_in_place(void)
{
    char text[] = "x%41%42y";

    CU_ASSERT_EQUAL(ouro__url_decode(text, strlen(text), text), 4);
    CU_ASSERT_EQUAL(memcmp(text, "xABy", 4), 0);
}

/* The segments joined with '|', or the error's number. Memory is of exact size, for ASan to watch. */
static const char *split(const char *path, char *joined)
{
    struct url_path found;
    size_t len = strlen(path);
    char *copy = malloc(len ? len : 1);
    char *buf = malloc(len ? len : 1);
    int code;

    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    CU_ASSERT_PTR_NOT_NULL_FATAL(buf);
    memcpy(copy, path, len);
    code = ouro__url_split_path(copy, len, buf, &found);
    joined[0] = '\0';
    if (code)
        (void) sprintf(joined, "%d", code);
    for (size_t i = 0; !code && i < found.count; i++) {
        CU_ASSERT_EQUAL(found.segments[i].len, strlen(found.segments[i].text));
        (void) strcat(strcat(joined, i ? "|" : ""), found.segments[i].text);
    }
    free(copy);
    free(buf);
    return joined;
}

static void test_path_is_split_then_decoded_then_normalised(void)
{
    static const struct {
        const char *path, *segments;
    } rows[] = {
        {"/", ""},
        {"/a", "a"},
        {"/a/", "a|"},
        {"/a//b", "a||b"},
        {"/a/b/c", "a|b|c"},
        {"/hello/J%c3%bcrgen%20K", "hello|J\xc3\xbcrgen K"},
        {"/a%2Fb/c", "a/b|c"},
        {"/%2e%2E/", "-4102"},
        {"/a/./b", "a|b"},
        {"/a/../b", "b"},
        {"/a/%2e%2e/b", "b"},
        {"/a/b/..", "a|"},
        {"/a/b/.", "a|b|"},
        {"/..", "-4102"},
        {"/a/../../b", "-4102"},
        {"/...", "..."},
        {"/.a/..b", ".a|..b"},
    };
    char joined[64];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_STRING_EQUAL(split(rows[i].path, joined), rows[i].segments);
}

static void test_path_refuses_disguises(void)
{
    static const char *const rows[] = {
        "",
        "a",
        "*",
        "/%00",
        "/%",
        "/%0d%0a",
        "/%7f",
        "/%09",
        "/a%5cb",
        "/%c0%af",
        "/%c1%bf",
        "/%e0%80%af",
        "/%f0%80%80%af",
        "/%ed%a0%80",
        "/%f4%90%80%80",
        "/%f5%80%80%80",
        "/%80",
        "/%c3",
        "/%e2%82",
        "/%c3(",
        "/%ff",
    };
    char joined[64];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_STRING_EQUAL(split(rows[i], joined), "-4102");
}

static void test_path_takes_all_of_unicode(void)
{
    char joined[64];

    CU_ASSERT_STRING_EQUAL(split("/%c2%80%df%bf", joined), "\xc2\x80\xdf\xbf");
    CU_ASSERT_STRING_EQUAL(split("/%e0%a0%80%ed%9f%bf%ee%80%80", joined),
                           "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80");
    CU_ASSERT_STRING_EQUAL(split("/%f0%90%80%80%f4%8f%bf%bf", joined),
                           "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

static void test_path_has_a_limit_of_segments(void)
{
    char path[2 * URL_SEGMENTS_MAX + 3], buf[sizeof(path)];
    struct url_path found;

    for (size_t i = 0; i < sizeof(path); i++)
        path[i] = i % 2 ? 'x' : '/';
    CU_ASSERT_EQUAL(ouro__url_split_path(path, 2 * URL_SEGMENTS_MAX, buf, &found), 0);
    CU_ASSERT_EQUAL(found.count, URL_SEGMENTS_MAX);
    CU_ASSERT_EQUAL(ouro__url_split_path(path, 2 * URL_SEGMENTS_MAX + 2, buf, &found), OURO_ELIMIT);
}

const struct test url_tests[] = {
    TEST(test_authority_takes_names_and_addresses_with_and_without_port),
    TEST(test_authority_refuses_what_is_not_host_and_port),
    TEST(test_url_is_taken_apart),
    TEST(test_url_refuses_other_schemes_userinfo_and_bad_bytes),
    TEST(test_decoding_is_strict),
    TEST(test_decoding_works_in_place),
    TEST(test_path_is_split_then_decoded_then_normalised),
    TEST(test_path_refuses_disguises),
    TEST(test_path_takes_all_of_unicode),
    TEST(test_path_has_a_limit_of_segments),
    TEST_END,
};
