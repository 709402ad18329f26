/* SPDX-License-Identifier: MIT */
/* load_options_test.c - tests of bench/load_options.c: command lines, right and wrong */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_options.h"

#include "test.h"

#define ARGUMENTS_MAX 32

/* Reads a command line whose words are separated by single spaces; `*ret_said` is to be freed. */
static int parse(const char *line, char **copy, struct load_options *options, char **ret_said)
{
    char *arguments[ARGUMENTS_MAX + 1] = {"ouro_load"}, *rest;
    size_t len;
    FILE *err = open_memstream(ret_said, &len);
    int code, count = 1;

    *copy = rest = strdup(line);
    CU_ASSERT_FATAL(err && rest);
    while (rest && *rest && count < ARGUMENTS_MAX)
        arguments[count++] = strsep(&rest, " ");
    code = load_options_parse(count, arguments, err, options);
    (void) fclose(err);
    return code;
}

static void test_wrong_command_lines_are_explained(void)
{
    static const struct {
        const char *line, *said;
    } rows[] = {
        {"", "no target"},
        {"http://a http://b", "more than one target"},
        {"ftp://a", "http://HOST[:PORT]"},
        {"https://a/", "TLS is not supported"},
        {"http://", "http://HOST[:PORT]"},
        {"http://user@a/", "http://HOST[:PORT]"},
        {"http://a:0/", "port"},
        {"http://a:x/", "port"},
        {"http://a:65536/", "port"},
        {"http://a?b", "no path before its query"},
        {"-c 0 http://a", "--connections: '0' is not a whole number"},
        {"-c 1x http://a", "--connections: '1x' is not a whole number"},
        {"-c -1 http://a", "--connections: '-1' is not a whole number"},
        {"--rate 0 http://a", "--rate: '0' is not a number"},
        {"-r nan http://a", "--rate: 'nan'"},
        {"-d 0 http://a", "--duration: '0' is not a time"},
        {"-d 5q http://a", "--duration: '5q' is not a time"},
        {"--spin 2ms http://a", "--spin: at most 1ms"},
        {"-H Hello http://a", "--header: 'Hello' is not of the form"},
        {"--body-file /nonexistent/x http://a", "--body-file: /nonexistent/x: No such file"},
        {"--expect-status 200, http://a", "--expect-status: '200,' is not a list"},
        {"--expect-status 300-200 http://a", "--expect-status: '300-200' is not a list"},
        {"--expect-status 100 http://a", "--expect-status: '100' is not a list"},
        {"--connect nowhere http://a", "--connect: 'nowhere' is neither"},
        {"--nonsense http://a", "--nonsense: no such option"},
        {"http://a -c", "-c: needs a value"},
        {"--echo 0 1.2.3.4:5", "--echo: '0' is not a whole number"},
        {"--echo 64 http://a/", "'http://a/' is neither ADDR:PORT nor unix:/PATH"},
        {"--echo 64 --close 1.2.3.4:5", "do not go with --echo"},
        {"--mix a --raw b http://a", "exclude each other"},
        {"--mix a --method PUT http://a", "do not go with"},
        {"--close --pipeline 2 http://a", "exclude each other"},
        {"--rate 5 --think 1s http://a", "exclude each other"},
        {"-c 2 -t 3 http://a", "more threads than connections"},
        {"--json - --csv - http://a", "only one"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct load_options options;
        char *said, *copy;

        CU_ASSERT_EQUAL(parse(rows[i].line, &copy, &options, &said), -EINVAL);
        if (!strstr(said, rows[i].said))
            printf("%s: %s", rows[i].line, said);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, rows[i].said));
        CU_ASSERT(strncmp(said, "ouro_load: ", 11) == 0);
        CU_ASSERT(*said && strchr(said, '\n') == said + strlen(said) - 1); /* one line */
        load_options_done(&options);
        free(copy);
        free(said);
    }
}

static void test_defaults_are_those_of_the_usage(void)
{
    struct load_options options;
    char *said, *copy;

    CU_ASSERT_EQUAL(parse("http://a", &copy, &options, &said), 0);
    CU_ASSERT_STRING_EQUAL(said, "");
    CU_ASSERT(options.connections == 64 && options.pipeline == 1 && options.threads == 1);
    CU_ASSERT(options.duration_ns == 10 * OURO_SECOND && options.timeout_ns == 10 * OURO_SECOND);
    CU_ASSERT(options.rate == 0 && options.requests == 0 && options.length == -1);
    CU_ASSERT_STRING_EQUAL(options.host, "a");
    CU_ASSERT_STRING_EQUAL(options.name, "a");
    CU_ASSERT_STRING_EQUAL(options.path, "/");
    CU_ASSERT_EQUAL(options.port, 80);
    load_options_done(&options);
    free(copy);
    free(said);
}

static void test_urls_are_taken_apart(void)
{
    static const struct {
        const char *url, *host, *name, *path;
        int port;
    } rows[] = {
        {"http://127.0.0.1:8000/x?y=z", "127.0.0.1:8000", "127.0.0.1", "/x?y=z", 8000},
        {"HTTP://Host/", "Host", "Host", "/", 80},
        {"http://[::1]:81", "[::1]:81", "[::1]", "/", 81},
        {"http://[::1]/", "[::1]", "[::1]", "/", 80},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct load_options options;
        char *said, *copy;

        CU_ASSERT_EQUAL(parse(rows[i].url, &copy, &options, &said), 0);
        CU_ASSERT_STRING_EQUAL(options.host, rows[i].host);
        CU_ASSERT_STRING_EQUAL(options.name, rows[i].name);
        CU_ASSERT_STRING_EQUAL(options.path, rows[i].path);
        CU_ASSERT_EQUAL(options.port, rows[i].port);
        load_options_done(&options);
        free(copy);
        free(said);
    }
}

static void test_values_are_understood(void)
{
    struct load_options options;
    char *said, *copy;

    CU_ASSERT_EQUAL(parse("-c 3 --rate 1.5e3 -d 1.5 -w 20ms --timeout 2m -n 7 --expect-status "
                          "200,404,500-502 --body-file /dev/null --connect unix:/x http://a/",
                          &copy, &options, &said),
                    0);
    CU_ASSERT(options.connections == 3 && options.rate == 1500 && options.requests == 7);
    CU_ASSERT_EQUAL(options.duration_ns, 1500 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(options.warm_up_ns, 20 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(options.timeout_ns, 120 * OURO_SECOND);
    CU_ASSERT(options.statuses[404] && options.statuses[501] && !options.statuses[503]);
    CU_ASSERT(options.body && options.body_len == 0);
    CU_ASSERT_STRING_EQUAL(options.name, ""); /* nothing to be resolved */
    CU_ASSERT_EQUAL(options.address.sockaddr.sa_family, AF_UNIX);
    load_options_done(&options);
    free(copy);
    free(said);
}

/* A number of requests takes as long as it takes, unless a time is given, too. */
static void test_a_number_of_requests_is_no_time(void)
{
    struct load_options options;
    char *said, *copy;

    CU_ASSERT_EQUAL(parse("-n 5 http://a/", &copy, &options, &said), 0);
    CU_ASSERT_EQUAL(options.duration_ns, OURO_FOREVER);
    free(copy);
    free(said);
    CU_ASSERT_EQUAL(parse("-n 5 -d 1s http://a/", &copy, &options, &said), 0);
    CU_ASSERT_EQUAL(options.duration_ns, OURO_SECOND);
    free(copy);
    free(said);
    CU_ASSERT_EQUAL(parse("--help", &copy, &options, &said), 1);
    free(copy);
    free(said);
    CU_ASSERT_EQUAL(parse("--version", &copy, &options, &said), 2);
    free(copy);
    free(said);
}

const struct test load_options_tests[] = {
    TEST(test_wrong_command_lines_are_explained),
    TEST(test_defaults_are_those_of_the_usage),
    TEST(test_urls_are_taken_apart),
    TEST(test_values_are_understood),
    TEST(test_a_number_of_requests_is_no_time),
    TEST_END,
};
