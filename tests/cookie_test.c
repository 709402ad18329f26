/* SPDX-License-Identifier: MIT */
/*
 * cookie_test.c - tests of proto/cookie.c
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ouro_base.h"

#include "cookie.h"
#include "guarded.h"
#include "test.h"

/* --- reading ----------------------------------------------------------------------------- */

static char pairs[512];

static const char *read_bytes(const char *text, size_t len)
{
    const char *name, *value, *start;
    size_t name_len, value_len, used = 0;
    struct cookie_reader reader;
    struct guarded guarded;

    guarded_init(&guarded);
    start = guarded_copy(&guarded, text, len);
    pairs[0] = '\0';
    ouro__cookie_init(&reader, start, len);
    while (ouro__cookie_next(&reader, &name, &name_len, &value, &value_len)) {
        CU_ASSERT(name >= start && value == name + name_len + 1 &&
                  value + value_len <= start + len);
        used += (size_t) snprintf(pairs + used, sizeof(pairs) - used, "[%.*s=%.*s]", (int) name_len,
                                  name, (int) value_len, value);
    }
    CU_ASSERT_FALSE(ouro__cookie_next(&reader, &name, &name_len, &value, &value_len));
    guarded_done(&guarded);
    return pairs;
}

static void test_cookies_are_read_as_browsers_send_them(void)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"", ""},
        {"a=b", "[a=b]"},
        {"a=b; c=d", "[a=b][c=d]"},
        {"a=b;c=d", "[a=b][c=d]"},
        {"  a=b \t;\t c=d  ", "[a=b][c=d]"},
        {"a=", "[a=]"},
        {"a=; b=", "[a=][b=]"},
        {"a=b=c==", "[a=b=c==]"},
        {"a=1; A=2; a=3", "[a=1][A=2][a=3]"},
        {"a=\"b\"; c=\"", "[a=\"b\"][c=\"]"},
        {"a=x y, z; b=\xc3\xa4", "[a=x y, z][b=\xc3\xa4]"},
        {"a=x\ty", "[a=x\ty]"},
        {"a= b", "[a= b]"},
        {"__Host-a=b", "[__Host-a=b]"},
        {";", ""},
        {" ; ;; a=b;", "[a=b]"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_STRING_EQUAL(read_bytes(rows[i].text, strlen(rows[i].text)), rows[i].expected);
}

static void test_what_is_no_cookie_is_passed_over_alone(void)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"a", ""},
        {"a; b=c", "[b=c]"},
        {"=b", ""},
        {"=; a=b", "[a=b]"},
        {"=__Host-a=evil; a=b", "[a=b]"},
        {"==__Host-a=evil", ""},
        {"a =b; c=d", "[c=d]"},
        {"a b=c; d=e", "[d=e]"},
        {"a,b=c; d=e", "[d=e]"},
        {"\"a\"=b; c=d", "[c=d]"},
        {"a[0]=b; c=d", "[c=d]"},
        {"\xc3\xa4=b; c=d", "[c=d]"},
        {"a=b\r\n; c=d", "[c=d]"},
        {"a=b\nX: y; c=d", "[c=d]"},
        {"a=\x7f; c=d", "[c=d]"},
        {"a\x01=b; c=d", "[c=d]"},
        {"a\t=b; c=d", "[c=d]"},
        /* A quote opens nothing: what follows the ';' is a cookie of its own. */
        {"a=\"b; c=d; e=f\"", "[a=\"b][c=d][e=f\"]"},
        {"a=\"b\\\"; c=d", "[a=\"b\\\"][c=d]"},
        {"$Version=1; a=b; $Path=/", "[$Version=1][a=b][$Path=/]"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_STRING_EQUAL(read_bytes(rows[i].text, strlen(rows[i].text)), rows[i].expected);
    CU_ASSERT_STRING_EQUAL(read_bytes("a=b\0c; d=e", 10), "[d=e]");
    CU_ASSERT_STRING_EQUAL(read_bytes("a\0=b; d=e", 9), "[d=e]");
}

/* --- writing ----------------------------------------------------------------------------- */

#define COOKIE(...) {.name = "a", .value = "b", __VA_ARGS__}

static void test_cookie_is_written_with_its_attributes(void)
{
    static const struct {
        struct ouro_http_cookie cookie;
        const char *expected;
    } rows[] = {
        {{.name = "a"}, "a="},
        {{.name = "a", .value = ""}, "a="},
        {{.name = "!#$%&'*+-.^_`|~aZ09", .value = "!#$%&'()*+-./:<=>?@[]^_`{|}~aZ09"},
         "!#$%&'*+-.^_`|~aZ09=!#$%&'()*+-./:<=>?@[]^_`{|}~aZ09"},
        {COOKIE(.path = "/"), "a=b; Path=/"},
        {COOKIE(.path = "/x y,\"z\""), "a=b; Path=/x y,\"z\""},
        {COOKIE(.domain = "example.com"), "a=b; Domain=example.com"},
        {COOKIE(.domain = ".example.com"), "a=b; Domain=.example.com"},
        {COOKIE(.max_age_s = 7), "a=b"},
        {COOKIE(.has_max_age = true), "a=b; Max-Age=0"},
        {COOKIE(.has_max_age = true, .max_age_s = INT64_MAX), "a=b; Max-Age=9223372036854775807"},
        {COOKIE(.expires_s = 7), "a=b"},
        {COOKIE(.has_expires = true), "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT"},
        {COOKIE(.has_expires = true, .expires_s = 784111777),
         "a=b; Expires=Sun, 06 Nov 1994 08:49:37 GMT"},
        {COOKIE(.has_expires = true, .expires_s = 253402300799),
         "a=b; Expires=Fri, 31 Dec 9999 23:59:59 GMT"},
        {COOKIE(.secure = true), "a=b; Secure"},
        {COOKIE(.http_only = true), "a=b; HttpOnly"},
        {COOKIE(.same_site = OURO_HTTP_SAME_SITE_LAX), "a=b; SameSite=Lax"},
        {COOKIE(.same_site = OURO_HTTP_SAME_SITE_STRICT), "a=b; SameSite=Strict"},
        {COOKIE(.same_site = OURO_HTTP_SAME_SITE_NONE, .secure = true),
         "a=b; Secure; SameSite=None"},
        {COOKIE(.partitioned = true, .secure = true), "a=b; Secure; Partitioned"},
        {{.name = "__Host-a", .secure = true, .path = "/"}, "__Host-a=; Path=/; Secure"},
        {{.name = "__Secure-a", .secure = true, .path = "/x", .domain = "d"},
         "__Secure-a=; Path=/x; Domain=d; Secure"},
        {{.name = "__Hosta"}, "__Hosta="},
        {{.name = "__Host"}, "__Host="},
        {COOKIE(.path = "/", .domain = "d", .has_max_age = true, .max_age_s = 60,
                .has_expires = true, .secure = true, .http_only = true, .partitioned = true,
                .same_site = OURO_HTTP_SAME_SITE_STRICT),
         "a=b; Path=/; Domain=d; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; "
         "HttpOnly; SameSite=Strict; Partitioned"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].expected);
        struct guarded guarded;

        guarded_init(&guarded);
        CU_ASSERT_EQUAL(
            ouro__cookie_write(&rows[i].cookie, guarded_room(&guarded, len + 1), len + 1),
            (ssize_t) len);
        CU_ASSERT_STRING_EQUAL(guarded_room(&guarded, len + 1), rows[i].expected);
        for (size_t size = 0; size <= len; size++)
            CU_ASSERT_EQUAL(ouro__cookie_write(&rows[i].cookie, guarded_room(&guarded, size), size),
                            OURO_ELIMIT);
        guarded_done(&guarded);
    }
}

static void test_cookie_that_a_browser_would_drop_is_refused(void)
{
    static const struct ouro_http_cookie rows[] = {
        {.value = "b"},
        {.name = ""},
        {.name = "a b"},
        {.name = "a=b"},
        {.name = "a;b"},
        {.name = "a\r\nX"},
        {.name = "\xc3\xa4"},
        {.name = "a", .value = "b;c"},
        {.name = "a", .value = "b c"},
        {.name = "a", .value = "b,c"},
        {.name = "a", .value = "\"b\""},
        {.name = "a", .value = "b\\c"},
        {.name = "a", .value = "b\r\nX: y"},
        {.name = "a", .value = "b\tc"},
        {.name = "a", .value = "\x7f"},
        {.name = "a", .value = "\xc3\xa4"},
        COOKIE(.path = ""),
        COOKIE(.path = "x"),
        COOKIE(.path = "/;Secure"),
        COOKIE(.path = "/\n"),
        COOKIE(.path = "/\x7f"),
        COOKIE(.path = "/\t"),
        COOKIE(.path = "/\xc3\xa4"),
        COOKIE(.domain = ""),
        COOKIE(.domain = "a;b"),
        COOKIE(.domain = "a b"),
        COOKIE(.domain = "a\n"),
        COOKIE(.domain = "a,b"),
        COOKIE(.domain = "a:80"),
        COOKIE(.domain = "[::1]"),
        COOKIE(.has_max_age = true, .max_age_s = -1),
        COOKIE(.has_expires = true, .expires_s = -1),
        COOKIE(.has_expires = true, .expires_s = 253402300800),
        COOKIE(.has_expires = true, .expires_s = INT64_MAX),
        COOKIE(.same_site = OURO_HTTP_SAME_SITE_NONE),
        COOKIE(.same_site = (enum ouro_http_same_site) 4),
        COOKIE(.same_site = (enum ouro_http_same_site) - 1),
        COOKIE(.partitioned = true),
        {.name = "__Secure-a"},
        {.name = "__secure-a"},
        {.name = "__SECURE-"},
        {.name = "__Host-a", .secure = true},
        {.name = "__Host-a", .path = "/"},
        {.name = "__Host-a", .secure = true, .path = "/x"},
        {.name = "__Host-a", .secure = true, .path = "/", .domain = "a"},
        {.name = "__hOST-a", .secure = true},
    };
    char buf[COOKIE_TEXT_MAX];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CU_ASSERT_EQUAL(ouro__cookie_write(&rows[i], buf, sizeof(buf)), -EINVAL);
        CU_ASSERT_EQUAL(ouro__cookie_write(&rows[i], buf, 0), -EINVAL);
    }
}

static const char *repeat(char *buf, size_t len)
{
    memset(buf, 'x', len);
    buf[len] = '\0';
    return buf;
}

static void test_cookie_has_the_sizes_that_browsers_take(void)
{
    static char name[COOKIE_PAIR_MAX + 2], value[COOKIE_PAIR_MAX + 2],
        path[COOKIE_ATTRIBUTE_MAX + 2], domain[COOKIE_ATTRIBUTE_MAX + 2], buf[COOKIE_TEXT_MAX];
    struct ouro_http_cookie cookie = {.has_max_age = true,
                                      .max_age_s = INT64_MAX,
                                      .has_expires = true,
                                      .secure = true,
                                      .http_only = true,
                                      .partitioned = true,
                                      .same_site = OURO_HTTP_SAME_SITE_STRICT};

    cookie.name = repeat(name, 1000);
    cookie.value = repeat(value, COOKIE_PAIR_MAX - 1000);
    cookie.path = repeat(path, COOKIE_ATTRIBUTE_MAX);
    cookie.domain = repeat(domain, COOKIE_ATTRIBUTE_MAX);
    path[0] = '/';
    CU_ASSERT_EQUAL(ouro__cookie_write(&cookie, buf, sizeof(buf)), COOKIE_TEXT_MAX - 1);
    CU_ASSERT_EQUAL(ouro__cookie_write(&cookie, buf, sizeof(buf) - 1), OURO_ELIMIT);

    (void) repeat(name, 1001);
    CU_ASSERT_EQUAL(ouro__cookie_write(&cookie, buf, sizeof(buf)), -EINVAL);
    (void) repeat(name, COOKIE_PAIR_MAX + 1);
    CU_ASSERT_EQUAL(ouro__cookie_write(&cookie, buf, sizeof(buf)), -EINVAL);
    (void) repeat(name, 1000);
    (void) repeat(path, COOKIE_ATTRIBUTE_MAX + 1);
    path[0] = '/';
    CU_ASSERT_EQUAL(ouro__cookie_write(&cookie, buf, sizeof(buf)), -EINVAL);
    path[COOKIE_ATTRIBUTE_MAX] = '\0';
    (void) repeat(domain, COOKIE_ATTRIBUTE_MAX + 1);
    CU_ASSERT_EQUAL(ouro__cookie_write(&cookie, buf, sizeof(buf)), -EINVAL);
}

static void test_what_is_written_is_read(void)
{
    struct ouro_http_cookie cookie = COOKIE(.path = "/", .secure = true);
    char buf[64];
    ssize_t len = ouro__cookie_write(&cookie, buf, sizeof(buf));

    CU_ASSERT_STRING_EQUAL(read_bytes(buf, (size_t) len), "[a=b][Path=/]");
}

const struct test cookie_tests[] = {
    TEST(test_cookies_are_read_as_browsers_send_them),
    TEST(test_what_is_no_cookie_is_passed_over_alone),
    TEST(test_cookie_is_written_with_its_attributes),
    TEST(test_cookie_that_a_browser_would_drop_is_refused),
    TEST(test_cookie_has_the_sizes_that_browsers_take),
    TEST(test_what_is_written_is_read),
    TEST_END,
};
