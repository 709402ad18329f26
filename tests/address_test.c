/* SPDX-License-Identifier: MIT */
/*
 * address_test.c - tests of engine/address.c
 */
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ouro_address.h"
#include "test.h"

/* A path of 107 bytes, the longest: with its NUL it fills sun_path. */
#define PATH_TEN "/123456789"
#define PATH_100 \
    PATH_TEN PATH_TEN PATH_TEN PATH_TEN PATH_TEN PATH_TEN PATH_TEN PATH_TEN PATH_TEN PATH_TEN
#define PATH_107 PATH_100 "/123456"

static socklen_t unix_len(size_t path_bytes)
{
    return (socklen_t) (offsetof(struct sockaddr_un, sun_path) + path_bytes);
}

static void test_addresses_are_written_as_they_are_read(void)
{
    static const struct {
        const char *text;
        int family, port;
    } rows[] = {
        {"127.0.0.1:80", AF_INET, 80},
        {"0.0.0.0:0", AF_INET, 0},
        {"255.255.255.255:65535", AF_INET, 65535},
        {"[::1]:80", AF_INET6, 80},
        {"[::]:0", AF_INET6, 0},
        {"[2001:db8::8:800:200c:417a]:65535", AF_INET6, 65535},
        {"[::ffff:192.0.2.1]:8080", AF_INET6, 8080},
        {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:1", AF_INET6, 1},
        {"[fe80::1%4000000000]:80", AF_INET6, 80},
        {"unix:/run/some.socket", AF_UNIX, -1},
        {"unix:relative path, with: all [sorts]", AF_UNIX, -1},
        {"unix:@abstract", AF_UNIX, -1},
        {"unix:" PATH_107, AF_UNIX, -1},
        {"unix:@" PATH_107, AF_UNIX, -1},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ouro_address address;
        char text[OURO_ADDRESS_TEXT_MAX];

        CU_ASSERT_EQUAL_FATAL(ouro_address_parse(rows[i].text, -1, &address), 0);
        CU_ASSERT_EQUAL(address.sockaddr.sa_family, rows[i].family);
        CU_ASSERT_EQUAL(ouro_address_port(&address), rows[i].port);
        CU_ASSERT_PTR_EQUAL(ouro_address_format(&address, text), text);
        CU_ASSERT_STRING_EQUAL(text, rows[i].text);
    }
}

static void test_other_spellings_are_written_in_the_usual_one(void)
{
    static const struct {
        const char *text, *usual;
        int default_port;
    } rows[] = {
        {"127.0.0.1", "127.0.0.1:8000", 8000},
        {"127.0.0.1", "127.0.0.1:0", 0},
        {"127.0.0.1:00080", "127.0.0.1:80", 8000},
        {"[::1]", "[::1]:8000", 8000},
        {"::1", "[::1]:8000", 8000},
        {"::", "[::]:65535", 65535},
        {"[0:0:0:0:0:0:0:1]:80", "[::1]:80", 8000},
        {"[2001:DB8::A]:80", "[2001:db8::a]:80", 8000},
        {"fe80::1%7", "[fe80::1%7]:8000", 8000},
        {"2001:db8::1:80", "[2001:db8::1:80]:8000", 8000}, /* ambiguous: all of it is the host */
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ouro_address address;
        char text[OURO_ADDRESS_TEXT_MAX];

        CU_ASSERT_EQUAL_FATAL(ouro_address_parse(rows[i].text, rows[i].default_port, &address), 0);
        CU_ASSERT_STRING_EQUAL(ouro_address_format(&address, text), rows[i].usual);
    }
}

static void test_lengths_are_those_the_kernel_expects(void)
{
    static const struct {
        const char *text;
        size_t len, path_bytes;
    } rows[] = {
        {"127.0.0.1:80", sizeof(struct sockaddr_in), 0},
        {"[::1]:80", sizeof(struct sockaddr_in6), 0},
        {"unix:/a", 0, 3},  /* with its NUL */
        {"unix:@ab", 0, 3}, /* without */
        {"unix:" PATH_107, 0, 108},
        {"unix:@" PATH_107, 0, 108},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ouro_address address;

        CU_ASSERT_EQUAL_FATAL(ouro_address_parse(rows[i].text, -1, &address), 0);
        CU_ASSERT_EQUAL(address.len,
                        rows[i].len ? (socklen_t) rows[i].len : unix_len(rows[i].path_bytes));
    }
}

static void test_bytes_are_in_network_order(void)
{
    static const unsigned char loopback[4] = {127, 0, 0, 1};
    static const unsigned char port[2] = {0x1f, 0x90};
    struct ouro_address address;

    CU_ASSERT_EQUAL_FATAL(ouro_address_parse("127.0.0.1:8080", -1, &address), 0);
    CU_ASSERT_EQUAL(memcmp(&address.in.sin_addr, loopback, sizeof(loopback)), 0);
    CU_ASSERT_EQUAL(memcmp(&address.in.sin_port, port, sizeof(port)), 0);
    CU_ASSERT_EQUAL_FATAL(ouro_address_parse("[::1]:8080", -1, &address), 0);
    CU_ASSERT_EQUAL(memcmp(&address.in6.sin6_port, port, sizeof(port)), 0);
    CU_ASSERT_EQUAL(address.in6.sin6_flowinfo, 0);
}

/* The kernel compares all bytes of an address that it is given. */
static void test_bytes_that_mean_nothing_are_zero(void)
{
    static const char *const texts[] = {"127.0.0.1:80", "[::1]:80", "unix:/a"};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct ouro_address first, second;

        memset(&first, 0x55, sizeof(first));
        memset(&second, 0xaa, sizeof(second));
        CU_ASSERT_EQUAL_FATAL(ouro_address_parse(texts[i], -1, &first), 0);
        CU_ASSERT_EQUAL_FATAL(ouro_address_parse(texts[i], -1, &second), 0);
        CU_ASSERT_EQUAL(memcmp(&first, &second, first.len), 0);
    }
}

static void test_abstract_name_begins_with_a_zero(void)
{
    struct ouro_address address;

    CU_ASSERT_EQUAL_FATAL(ouro_address_parse("unix:@ab", -1, &address), 0);
    CU_ASSERT_EQUAL(memcmp(address.un.sun_path, "\0ab", 3), 0);
}

static void test_zone_may_be_the_name_of_an_interface(void)
{
    unsigned index = if_nametoindex("lo");
    struct ouro_address address;

    if (!index) {
        TEST_SKIP("there is no interface \"lo\"");
        return;
    }
    CU_ASSERT_EQUAL_FATAL(ouro_address_parse("[fe80::1%lo]:80", -1, &address), 0);
    CU_ASSERT_EQUAL(address.in6.sin6_scope_id, index);
    CU_ASSERT_EQUAL_FATAL(ouro_address_parse("fe80::1%lo", 80, &address), 0);
    CU_ASSERT_EQUAL(address.in6.sin6_scope_id, index);
}

static void test_what_is_no_address_is_refused(void)
{
    static const char *const texts[] = {
        "",
        ":",
        ":80",
        "host",
        "host:80",
        "localhost:80",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "127.0.0.1:80x",
        "127.0.0.1: 80",
        "127.0.0.1:+80",
        "127.0.0.1:-1",
        "127.0.0.1:65536",
        "127.0.0.1:99999",
        "127.0.0.1:100000",
        "127.0.0.1:4294967376",
        "127.0.0.1:80:80",
        "127.0.0.1 :80",
        " 127.0.0.1:80",
        "127.0.0.1:80 ",
        "127.0.1:80",
        "1:80",
        "256.0.0.1:80",
        "0x7f.0.0.1:80",
        "127.0.0.1.:80",
        "127.0.0.1.1:80",
        "[127.0.0.1]:80",
        "[::1]",
        "::1",
        "[::1]80",
        "[::1]:",
        "[::1]:x",
        "[::1]:65536",
        "[::1:80",
        "::1]:80",
        "[]:80",
        "[",
        "]",
        "[]",
        "[[::1]]:80",
        "[::1]]:80",
        "[::g]:80",
        "[:::]:80",
        "[1:2:3:4:5:6:7]:80",
        "[1:2:3:4:5:6:7:8:9]:80",
        "[fe80::1%]:80",
        "[fe80::1%no-such-if]:80",
        "[fe80::1%0]:80",
        "[%1]:80",
        "unix:",
        "unix",
        "Unix:/a",
        "unix:" PATH_107 "x",
        "unix:@" PATH_107 "x",
        "http://127.0.0.1:80",
        "127.0.0.1:80/",
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct ouro_address address = {.len = 4711};
        int code = ouro_address_parse(texts[i], -1, &address);

        if (code != OURO_EADDRESS)
            printf("    \"%s\" is taken for an address\n", texts[i]);
        CU_ASSERT_EQUAL(code, OURO_EADDRESS);
        CU_ASSERT_EQUAL(address.len, 4711); /* written on success only */
    }
}

/* A number with something behind it, or one that 32 bits can't hold, is not a zone. */
static void test_zone_that_is_not_quite_a_number_is_refused(void)
{
    static const char *const texts[] = {
        "[fe80::1%1x]:80", "[fe80::1%-1]:80",         "[fe80::1% 1]:80",
        "[fe80::1%+1]:80", "[fe80::1%4294967297]:80", "fe80::1%1%2",
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct ouro_address address;
        int code = ouro_address_parse(texts[i], 80, &address);

        if (code != OURO_EADDRESS)
            printf("    \"%s\" is taken for an address\n", texts[i]);
        CU_ASSERT_EQUAL(code, OURO_EADDRESS);
    }
}

static void test_long_texts_are_refused(void)
{
    char text[4096];
    struct ouro_address address;

    for (size_t len = 100; len < sizeof(text); len += 11) {
        memset(text, '1', len);
        text[len] = '\0';
        CU_ASSERT_EQUAL(ouro_address_parse(text, 80, &address), OURO_EADDRESS);
        memcpy(text, "unix://///////", 14);
        text[len] = '\0';
        CU_ASSERT_EQUAL(ouro_address_parse(text, 80, &address), len > 112 ? OURO_EADDRESS : 0);
    }
}

static void test_what_the_kernel_may_return_can_be_written(void)
{
    static const struct {
        struct ouro_address address;
        const char *text;
    } rows[] = {
        {{.sockaddr.sa_family = AF_UNIX, .len = offsetof(struct sockaddr_un, sun_path)},
         "unix:"}, /* unnamed */
        {{.sockaddr.sa_family = AF_UNIX}, "unix:"},
        {{.sockaddr.sa_family = AF_NETLINK, .len = 12}, "?"},
        {{.sockaddr.sa_family = AF_UNSPEC}, "?"},
    };
    struct ouro_address full = {.un.sun_family = AF_UNIX, .len = sizeof(full.un)};
    char text[OURO_ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CU_ASSERT_STRING_EQUAL(ouro_address_format(&rows[i].address, text), rows[i].text);
    /* A path of 108 bytes comes without a NUL: unix(7), "pathname sockets". */
    memset(full.un.sun_path, 'a', sizeof(full.un.sun_path));
    CU_ASSERT_EQUAL(strlen(ouro_address_format(&full, text)), strlen("unix:") + 108);
}

static void test_longest_texts_fit(void)
{
    struct ouro_address address = {.in6.sin6_family = AF_INET6, .len = sizeof(address.in6)};
    char text[OURO_ADDRESS_TEXT_MAX];

    memset(&address.in6.sin6_addr, 0xff, sizeof(address.in6.sin6_addr));
    address.in6.sin6_scope_id = UINT32_MAX;
    ouro_address_set_port(&address, 65535);
    CU_ASSERT_STRING_EQUAL(ouro_address_format(&address, text),
                           "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

static void test_port_can_be_set_where_there_is_one(void)
{
    static const struct {
        const char *text;
        int port;
    } rows[] = {{"127.0.0.1:1", 65535}, {"[::1]:1", 65535}, {"unix:/a", -1}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ouro_address address, before;

        CU_ASSERT_EQUAL_FATAL(ouro_address_parse(rows[i].text, -1, &address), 0);
        before = address;
        ouro_address_set_port(&address, 65535);
        CU_ASSERT_EQUAL(ouro_address_port(&address), rows[i].port);
        CU_ASSERT_EQUAL(memcmp(&address, &before, before.len) == 0, rows[i].port < 0);
    }
}

const struct test address_tests[] = {
    TEST(test_addresses_are_written_as_they_are_read),
    TEST(test_other_spellings_are_written_in_the_usual_one),
    TEST(test_lengths_are_those_the_kernel_expects),
    TEST(test_bytes_are_in_network_order),
    TEST(test_bytes_that_mean_nothing_are_zero),
    TEST(test_abstract_name_begins_with_a_zero),
    TEST(test_zone_may_be_the_name_of_an_interface),
    TEST(test_what_is_no_address_is_refused),
    TEST(test_zone_that_is_not_quite_a_number_is_refused),
    TEST(test_long_texts_are_refused),
    TEST(test_what_the_kernel_may_return_can_be_written),
    TEST(test_longest_texts_fit),
    TEST(test_port_can_be_set_where_there_is_one),
    TEST_END,
};
