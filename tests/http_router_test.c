/* SPDX-License-Identifier: MIT */
/*
 * http_router_test.c - tests of proto/http_router.c
 *
 * Mostly tables: a set of routes, and what requests find in it. What was found is a text:
 *
 *     "GET /hello/{name} name=you"     the route, and its parameters
 *     "405 GET,HEAD"                   the methods that are allowed
 *     "mount /api 1"                   the mount, and where its own segments begin
 *     "404"
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_router.h"
#include "test.h"

#define ROWS_MAX 24

struct set {
    const char *routes[ROWS_MAX]; /* "METHOD /pattern"; "mount /prefix" */
    struct {
        const char *request, *found;
    } rows[ROWS_MAX];
};

static struct http_router *router;

/* The endpoint is a text that says which route it was. */
static int add(const char *method, const char *pattern)
{
    char *endpoint = malloc(64);
    int code;

    CU_ASSERT_PTR_NOT_NULL_FATAL(endpoint);
    (void) snprintf(endpoint, 64, "%s %s", method, pattern);
    code = ouro__http_router_add(router, method, pattern, endpoint);
    if (code)
        free(endpoint);
    return code;
}

/* The mount is its own prefix, a constant. */
static int mount(const char *prefix)
{
    return ouro__http_router_mount(router, prefix, (void *) (uintptr_t) prefix);
}

static struct url_path path;
static char path_memory[256];

static void describe_parameters(const struct http_route *route, size_t start, char *text)
{
    if (route->has_tail)
        ouro__http_route_join_tail(route, start, path_memory, &path);
    for (size_t i = 0; i < route->parameter_count; i++) {
        const char *name = route->parameters[i].name;
        const struct url_segment *segment = ouro__http_route_parameter(route, start, &path, name);

        CU_ASSERT_EQUAL(strlen(segment->text), segment->len);
        text += sprintf(text, " %s=%s", name, segment->text);
    }
    if (route->has_tail) /* nothing is left behind it */
        CU_ASSERT_EQUAL(path.count,
                        start + route->parameters[route->parameter_count - 1].segment + 1);
    CU_ASSERT_PTR_NULL(ouro__http_route_parameter(route, start, &path, "none"));
}

static void describe_methods(uint64_t methods, char *text)
{
    for (unsigned i = 0; i < HTTP_ROUTER_METHODS_MAX; i++)
        if (methods >> i & 1) {
            text += sprintf(text, "%s,", ouro__http_router_method(router, i));
            text[-1] = methods >> i == 1 ? '\0' : ',';
        }
}

static const char *find_from(size_t start, const char *method, const char *text)
{
    static char found[512];
    struct http_match match;

    CU_ASSERT_EQUAL_FATAL(ouro__url_split_path(text, strlen(text), path_memory, &path), 0);
    ouro__http_router_match(router, method, &path, start, &match);
    CU_ASSERT((match.route != NULL) + (match.allowed != 0) + (match.mount != NULL) <= 1);
    (void) strcpy(found, "404");
    if (match.mount)
        (void) sprintf(found, "mount %s %zu", (const char *) match.mount, match.mount_end);
    if (match.allowed)
        describe_methods(match.allowed, strcpy(found, "405 ") + 4);
    if (match.route) {
        (void) strcpy(found, match.route->endpoint);
        describe_parameters(match.route, start, found + strlen(found));
    }
    return found;
}

static const char *find(const char *method, const char *text)
{
    return find_from(0, method, text);
}

static void create(void)
{
    CU_ASSERT_EQUAL_FATAL(ouro__http_router_create(&router), 0);
}

/* "METHOD rest": the method goes into `method`, the rest is returned. */
static const char *split(const char *text, char method[16])
{
    CU_ASSERT_EQUAL_FATAL(sscanf(text, "%15s", method), 1);
    return text + strlen(method) + 1;
}

static void check(const struct set *set)
{
    char method[16];

    create();
    for (size_t i = 0; i < ROWS_MAX && set->routes[i]; i++) {
        const char *pattern = split(set->routes[i], method);

        CU_ASSERT_EQUAL(strcmp(method, "mount") ? add(method, pattern) : mount(pattern), 0);
    }
    for (size_t i = 0; i < ROWS_MAX && set->rows[i].request; i++) {
        const char *text = split(set->rows[i].request, method);
        const char *found = find(method, text);

        if (strcmp(found, set->rows[i].found) != 0) {
            printf("    %s: found %s\n", set->rows[i].request, found);
            CU_FAIL("a request found something else");
        }
    }
    ouro__http_router_destroy(router);
}

static void test_paths_find_their_routes_and_parameters(void)
{
    static const struct set set = {
        {"GET /", "GET /hello/{name}", "GET /a/{x}/b/{y}/", "GET /x..y/{a..b}"},
        {
            {"GET /", "GET /"},
            {"GET /hello/J%c3%bcrgen", "GET /hello/{name} name=J\xc3\xbcrgen"},
            {"GET /a/1%2f2/b/3/", "GET /a/{x}/b/{y}/ x=1/2 y=3"},
            {"GET /hel%6co/x", "GET /hello/{name} name=x"},
            {"GET /x..y/1", "GET /x..y/{a..b} a..b=1"},
        }};

    check(&set);
}

static void test_other_paths_find_nothing(void)
{
    static const struct set empty = {{NULL}, {{"GET /", "404"}}};
    static const struct set set = {{"GET /", "GET /hello/{name}"},
                                   {{"GET /hello", "404"},
                                    {"GET /hello/", "404"},
                                    {"GET /hello//", "404"},
                                    {"GET /hello/a/b", "404"},
                                    {"GET /hello/a/", "404"},
                                    {"GET /Hello/a", "404"},
                                    {"GET //", "404"},
                                    {"GET /x", "404"},
                                    {"GET //hello/a", "404"},
                                    {"OPTIONS /x", "404"},
                                    {"TEA /x", "404"}}};

    check(&empty);
    check(&set);
}

/* Whatever was added first. */
static void test_text_beats_a_parameter_which_beats_a_tail(void)
{
    static const struct set set = {{"GET /{all...}", "GET /a/{x}", "GET /a/{t...}", "GET /a/b",
                                    "GET /{y}/b", "GET /{y}/{z}/d", "GET /{y}/{z}/{u...}",
                                    "GET /a/b/c/d"},
                                   {
                                       {"GET /a/b", "GET /a/b"},
                                       {"GET /a/c", "GET /a/{x} x=c"},
                                       {"GET /c/b", "GET /{y}/b y=c"},
                                       {"GET /a/b/c/d", "GET /a/b/c/d"},
                                       /* Text led nowhere: back to the nearest alternative. */
                                       {"GET /a/b/c", "GET /a/{t...} t=b/c"},
                                       {"GET /a/b/d", "GET /a/{t...} t=b/d"},
                                       {"GET /c/b/d", "GET /{y}/{z}/d y=c z=b"},
                                       {"GET /c/b/e/f", "GET /{y}/{z}/{u...} y=c z=b u=e/f"},
                                       {"GET /c/b/", "GET /{y}/{z}/{u...} y=c z=b u="},
                                       {"GET /c/d", "GET /{all...} all=c/d"},
                                       {"GET /a/", "GET /a/{t...} t="},
                                       {"GET /a", "GET /{all...} all=a"},
                                       {"GET /", "GET /{all...} all="},
                                   }};

    check(&set);
}

/* What the walk has to come back from, at each combination of alternatives. */
static void test_a_walk_comes_back_from_what_led_nowhere(void)
{
    static const struct set parameters = {{"GET /a/b/c", "GET /{x}/b/d", "GET /a/{y}/e"},
                                          {{"GET /a/b/c", "GET /a/b/c"},
                                           {"GET /a/b/d", "GET /{x}/b/d x=a"},
                                           {"GET /a/b/e", "GET /a/{y}/e y=b"},
                                           {"GET /a/c/e", "GET /a/{y}/e y=c"},
                                           {"GET /b/c/e", "404"},
                                           {"GET /a/b", "404"}}};
    static const struct set text_and_tail = {
        {"GET /a/b", "GET /{t...}"}, {{"GET /a/b", "GET /a/b"}, {"GET /a/c", "GET /{t...} t=a/c"}}};
    static const struct set parameter_and_tail = {{"GET /{x}/b", "GET /{t...}"},
                                                  {{"GET /a/b", "GET /{x}/b x=a"},
                                                   {"GET /a/c", "GET /{t...} t=a/c"},
                                                   {"GET /", "GET /{t...} t="}}};

    check(&parameters);
    check(&text_and_tail);
    check(&parameter_and_tail);
}

static void test_tail_is_the_rest_of_the_path(void)
{
    static const struct set set = {
        {"GET /files/{path...}", "GET /v/{version}/{path...}"},
        {
            {"GET /files", "404"},
            {"GET /files/", "GET /files/{path...} path="},
            {"GET /files/a", "GET /files/{path...} path=a"},
            {"GET /files/a/", "GET /files/{path...} path=a/"},
            {"GET /files/a%20b/%c3%bc/c.txt", "GET /files/{path...} path=a b/\xc3\xbc/c.txt"},
            {"GET /v/1/a/b", "GET /v/{version}/{path...} version=1 path=a/b"},
            {"GET /v/1", "404"},
            /* Dot segments have had their effect before. */
            {"GET /files/a/./bb/../c", "GET /files/{path...} path=a/c"},
            {"GET /files/aa/../b/ccc/.", "GET /files/{path...} path=b/ccc/"},
            {"GET /files/a/b/..", "GET /files/{path...} path=a/"},
            {"GET /files/a/..", "GET /files/{path...} path="},
            {"GET /files/a/%2e%2E/b", "GET /files/{path...} path=b"},
            {"GET /files/..", "404"},
        }};

    check(&set);
}

/* Joined, these would be the names of other files. */
static void test_tail_does_not_take_what_is_ambiguous(void)
{
    static const struct set set = {{"GET /files/{path...}", "GET /x/{a}/{path...}"},
                                   {
                                       {"GET /files/a%2fb", "404"},
                                       {"GET /files/..%2f..%2fetc/passwd", "404"},
                                       {"GET /files/a/..%2f", "404"},
                                       {"GET /files/a/b%2f/c", "404"},
                                       {"GET /files/%2fetc/passwd", "404"},
                                       {"GET /files/%2f", "404"},
                                       {"GET /files//etc/passwd", "404"},
                                       {"GET /files//", "404"},
                                       {"GET /files/a//b", "404"},
                                       {"GET /files/a//", "404"},
                                       {"POST /files/a%2fb", "404"},
                                       /* A parameter before it is none of its business. */
                                       {"GET /x/a%2fb/c/", "GET /x/{a}/{path...} a=a/b path=c/"},
                                   }};

    check(&set);
}

/* Several tails ask whether a path can be joined, from different segments on. */
static void test_ambiguity_counts_from_where_a_tail_begins(void)
{
    static const struct set set = {
        {"GET /{all...}", "GET /a/{x}/{rest...}", "GET /a/{x}/{y}/{z}/end"},
        {
            {"GET /a/b%2fc/d/e", "GET /a/{x}/{rest...} x=b/c rest=d/e"},
            {"GET /a/b%2fc/d%2fe/f", "404"},
            {"GET /c/b%2fc/d/e", "404"},
            {"GET /c/d/e", "GET /{all...} all=c/d/e"},
        }};

    check(&set);
}

static void test_head_is_answered_by_get(void)
{
    static const struct set set = {{"GET /a", "HEAD /b", "GET /b", "POST /c", "GET /{x}"},
                                   {{"HEAD /a", "GET /a"},
                                    {"HEAD /b", "HEAD /b"},
                                    {"GET /b", "GET /b"},
                                    {"HEAD /c", "GET /{x} x=c"}}};
    static const struct set without = {{"POST /c"}, {{"HEAD /c", "405 POST"}}};

    check(&set);
    check(&without);
}

static void test_wrong_method_lists_those_of_the_path(void)
{
    static const struct set set = {
        {"GET /a/b", "POST /a/{x}", "GET /a/{y}", "PUT /b", "DELETE /a/{t...}", "PUT /c/{t...}"},
        {
            {"PUT /a/b", "405 GET,HEAD,POST,DELETE"},
            {"DELETE /b", "405 PUT"},
            {"OPTIONS /b", "405 PUT"},
            {"get /a/b", "405 GET,HEAD,POST,DELETE"},
            {"TEA /a/b/c", "405 DELETE"},
            {"PUT /a/b%2f", "405 GET,HEAD,POST"},
            {"GET /c/d", "405 PUT"},
            /* Another pattern of the same path has it. */
            {"POST /a/b", "POST /a/{x} x=b"},
            {"GET /a/c", "GET /a/{y} y=c"},
            {"DELETE /a/c", "DELETE /a/{t...} t=c"},
        }};

    check(&set);
}

static void test_mounts_take_all_that_is_below(void)
{
    static const struct set set = {
        {"GET /{x}/y", "GET /{t...}", "mount /api", "mount /v/1", "GET /v/{x}", "GET /apis"},
        {
            {"GET /api", "mount /api 1"},
            {"GET /api/", "mount /api 1"},
            {"PUT /api/y", "mount /api 1"},
            {"GET /v/1/2//%2f", "mount /v/1 2"},
            {"GET /x/../api/a", "mount /api 1"},
            {"GET /a%70i", "mount /api 1"},
            {"GET /api%2fx", "404"},
            {"GET /apis", "GET /apis"},
            {"GET /v/2", "GET /v/{x} x=2"},
            {"GET /v", "GET /{t...} t=v"},
            {"GET /b/y", "GET /{x}/y x=b"},
        }};

    check(&set);
}

/* What a mounted router does with the rest. */
static void test_matching_may_begin_behind_a_prefix(void)
{
    create();
    CU_ASSERT_EQUAL(add("GET", "/"), 0);
    CU_ASSERT_EQUAL(add("GET", "/{x}/{rest...}"), 0);
    CU_ASSERT_EQUAL(mount("/deep"), 0);
    CU_ASSERT_STRING_EQUAL(find_from(2, "GET", "/a/b/"), "GET /");
    CU_ASSERT_STRING_EQUAL(find_from(1, "GET", "/a/b/c/d"), "GET /{x}/{rest...} x=b rest=c/d");
    CU_ASSERT_STRING_EQUAL(find_from(1, "GET", "/a%2f/b/c"), "GET /{x}/{rest...} x=b rest=c");
    CU_ASSERT_STRING_EQUAL(find_from(2, "GET", "/a/b/deep/x"), "mount /deep 3");
    CU_ASSERT_STRING_EQUAL(find_from(2, "GET", "/a/b"), "404");
    ouro__http_router_destroy(router);
}

static void test_mounts_and_routes_do_not_overlap(void)
{
    static const char *const prefixes[] = {"",      "/",     "a",        "/a/",     "//a",
                                           "/a//b", "/{x}",  "/a/{x}",   "/{x...}", "/a/..",
                                           "/.",    "/a{x}", "/a/{x}/b", "*"};
    char deep[2 * URL_SEGMENTS_MAX + 1] = "";

    for (size_t i = 0; i < URL_SEGMENTS_MAX; i++)
        (void) strcat(deep, "/a");
    create();
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        CU_ASSERT_EQUAL(mount(prefixes[i]), -EINVAL);
    CU_ASSERT_EQUAL(mount(deep), -EINVAL); /* there would be no room for a "/" below it */
    CU_ASSERT_EQUAL(add("GET", "/text/a"), 0);
    CU_ASSERT_EQUAL(add("GET", "/parameter/{a}"), 0);
    CU_ASSERT_EQUAL(add("GET", "/tail/{a...}"), 0);
    CU_ASSERT_EQUAL(add("GET", "/deep/{a}/{b}/c/{d...}"), 0);
    CU_ASSERT_EQUAL(mount("/mount/a"), 0);
    CU_ASSERT_EQUAL(mount("/text"), -EEXIST);
    CU_ASSERT_EQUAL(mount("/text/a"), -EEXIST);
    CU_ASSERT_EQUAL(mount("/text/b"), 0);
    CU_ASSERT_EQUAL(mount("/parameter"), -EEXIST);
    CU_ASSERT_EQUAL(mount("/tail"), -EEXIST);
    CU_ASSERT_EQUAL(mount("/deep"), -EEXIST);
    CU_ASSERT_EQUAL(mount("/mount"), -EEXIST);
    CU_ASSERT_EQUAL(mount("/mount/a"), -EEXIST);
    CU_ASSERT_EQUAL(mount("/mount/a/b"), -EEXIST);
    CU_ASSERT_EQUAL(mount("/mount/b"), 0);
    CU_ASSERT_EQUAL(add("GET", "/mount/a"), -EEXIST);
    CU_ASSERT_EQUAL(add("GET", "/mount/a/b"), -EEXIST);
    CU_ASSERT_EQUAL(add("GET", "/mount/a/{x}/{y...}"), -EEXIST);
    CU_ASSERT_EQUAL(add("GET", "/mount/{x}"), 0);
    CU_ASSERT_STRING_EQUAL(find("GET", "/text/a"), "GET /text/a");
    ouro__http_router_destroy(router);
}

static void test_bad_routes_are_refused(void)
{
    static const char *const patterns[] = {"",
                                           "a",
                                           "*",
                                           "/{}",
                                           "/{a",
                                           "/a}",
                                           "/x{a}",
                                           "/{a}x",
                                           "/{a}{b}",
                                           "/{a}/{a}",
                                           "/{{a}}",
                                           "/{",
                                           "/{a}/{",
                                           "/{...}",
                                           "/{a...}/b",
                                           "/{a...}/",
                                           "/{a....",
                                           "/x{a...}",
                                           "/{a...}x",
                                           "/{a}/{a...}",
                                           "/.",
                                           "/a/../b",
                                           "/{a...}/{b...}",
                                           "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}",
                                           "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i...}"};
    char deep[2 * URL_SEGMENTS_MAX + 3] = "";

    create();
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        CU_ASSERT_EQUAL(add("GET", patterns[i]), -EINVAL);
    for (size_t i = 0; i <= URL_SEGMENTS_MAX; i++)
        (void) strcat(deep, "/a");
    CU_ASSERT_EQUAL(add("GET", deep), -EINVAL);
    CU_ASSERT_EQUAL(add("G T", "/"), -EINVAL);
    CU_ASSERT_EQUAL(add("", "/"), -EINVAL);
    CU_ASSERT_EQUAL(add("GET", "/a/{b}"), 0);
    CU_ASSERT_EQUAL(add("GET", "/a/{c}"), -EEXIST);
    CU_ASSERT_EQUAL(add("GET", "/a/{b...}"), 0);
    CU_ASSERT_EQUAL(add("GET", "/a/{c...}"), -EEXIST);
    CU_ASSERT_STRING_EQUAL(find("GET", "/a/x"), "GET /a/{b} b=x");
    ouro__http_router_destroy(router);
    ouro__http_router_destroy(NULL);
}

static void test_number_of_methods_is_bounded(void)
{
    char method[16];

    create();
    CU_ASSERT_EQUAL(ouro__http_router_methods(router), 0);
    for (unsigned i = 0; i < HTTP_ROUTER_METHODS_MAX; i++) {
        (void) sprintf(method, "M%u", i);
        CU_ASSERT_EQUAL(add(method, i % 2 ? "/{x}" : "/{x}/{t...}"), 0);
    }
    CU_ASSERT_EQUAL(add("ONE-MORE", "/"), -EINVAL);
    CU_ASSERT_EQUAL(add("GET", "/"), -EINVAL);
    CU_ASSERT_EQUAL(add("M63", "/"), 0);
    CU_ASSERT_STRING_EQUAL(find("M63", "/"), "M63 /");
    CU_ASSERT_EQUAL(ouro__http_router_methods(router), UINT64_MAX);
    ouro__http_router_destroy(router);
}

const struct test http_router_tests[] = {
    TEST(test_paths_find_their_routes_and_parameters),
    TEST(test_other_paths_find_nothing),
    TEST(test_text_beats_a_parameter_which_beats_a_tail),
    TEST(test_a_walk_comes_back_from_what_led_nowhere),
    TEST(test_tail_is_the_rest_of_the_path),
    TEST(test_tail_does_not_take_what_is_ambiguous),
    TEST(test_ambiguity_counts_from_where_a_tail_begins),
    TEST(test_head_is_answered_by_get),
    TEST(test_wrong_method_lists_those_of_the_path),
    TEST(test_mounts_take_all_that_is_below),
    TEST(test_matching_may_begin_behind_a_prefix),
    TEST(test_mounts_and_routes_do_not_overlap),
    TEST(test_bad_routes_are_refused),
    TEST(test_number_of_methods_is_bounded),
    TEST_END,
};
