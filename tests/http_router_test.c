/* SPDX-License-Identifier: MIT */
/*
 * http_router_test.c - tests of proto/http_router.c
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_router.h"
#include "test.h"

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

static struct url_path path;
static char path_memory[256];
static struct http_match match;

/* The route's text; "405 GET,HEAD" with the methods that are allowed; or "404". */
static const char *find(const char *method, const char *text)
{
    static char result[256];

    CU_ASSERT_EQUAL_FATAL(ouro__url_split_path(text, strlen(text), path_memory, &path), 0);
    ouro__http_router_match(router, method, &path, &match);
    if (match.route) {
        CU_ASSERT_EQUAL(match.allowed_count, 0);
        return match.route->endpoint;
    }
    (void) strcpy(result, match.allowed_count ? "405" : "404");
    for (size_t i = 0; i < match.allowed_count; i++)
        (void) strcat(strcat(result, i ? "," : " "), match.allowed[i]);
    return result;
}

static const char *parameter(const char *name)
{
    const struct url_segment *segment = ouro__http_route_parameter(match.route, &path, name);

    return segment ? segment->text : NULL;
}

static void create(void)
{
    CU_ASSERT_EQUAL_FATAL(ouro__http_router_create(&router), 0);
}

static void test_paths_find_their_routes_and_parameters(void)
{
    create();
    CU_ASSERT_EQUAL(add("GET", "/"), 0);
    CU_ASSERT_EQUAL(add("GET", "/hello/{name}"), 0);
    CU_ASSERT_EQUAL(add("GET", "/a/{x}/b/{y}/"), 0);
    CU_ASSERT_STRING_EQUAL(find("GET", "/"), "GET /");
    CU_ASSERT_STRING_EQUAL(find("GET", "/hello/J%c3%bcrgen"), "GET /hello/{name}");
    CU_ASSERT_STRING_EQUAL(parameter("name"), "J\xc3\xbcrgen");
    CU_ASSERT_PTR_NULL(parameter("nam"));
    CU_ASSERT_STRING_EQUAL(find("GET", "/a/1%2f2/b/3/"), "GET /a/{x}/b/{y}/");
    CU_ASSERT_STRING_EQUAL(parameter("x"), "1/2");
    CU_ASSERT_STRING_EQUAL(parameter("y"), "3");
    CU_ASSERT_STRING_EQUAL(find("GET", "/hel%6co/x"), "GET /hello/{name}");
    ouro__http_router_destroy(router);
}

static void test_other_paths_find_nothing(void)
{
    static const char *const paths[] = {"/hello",     "/hello/",   "/hello//",
                                        "/hello/a/b", "/hello/a/", "/Hello/a",
                                        "//",         "/x",        "//hello/a"};

    create();
    CU_ASSERT_STRING_EQUAL(find("GET", "/"), "404");
    CU_ASSERT_EQUAL(add("GET", "/"), 0);
    CU_ASSERT_EQUAL(add("GET", "/hello/{name}"), 0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        CU_ASSERT_STRING_EQUAL(find("GET", paths[i]), "404");
    ouro__http_router_destroy(router);
}

static void test_text_beats_a_parameter_whatever_was_added_first(void)
{
    create();
    CU_ASSERT_EQUAL(add("GET", "/a/{x}"), 0);
    CU_ASSERT_EQUAL(add("GET", "/a/b"), 0);
    CU_ASSERT_EQUAL(add("GET", "/{y}/b"), 0);
    CU_ASSERT_EQUAL(add("GET", "/{y}/{z}/d"), 0);
    CU_ASSERT_STRING_EQUAL(find("GET", "/a/b"), "GET /a/b");
    CU_ASSERT_STRING_EQUAL(find("GET", "/a/c"), "GET /a/{x}");
    CU_ASSERT_STRING_EQUAL(find("GET", "/c/b"), "GET /{y}/b");
    /* Text led nowhere: back to the parameter. */
    CU_ASSERT_STRING_EQUAL(find("GET", "/a/b/d"), "GET /{y}/{z}/d");
    CU_ASSERT_STRING_EQUAL(parameter("y"), "a");
    ouro__http_router_destroy(router);
}

static void test_head_is_answered_by_get(void)
{
    create();
    CU_ASSERT_EQUAL(add("GET", "/a"), 0);
    CU_ASSERT_EQUAL(add("GET", "/b"), 0);
    CU_ASSERT_EQUAL(add("HEAD", "/b"), 0);
    CU_ASSERT_STRING_EQUAL(find("HEAD", "/a"), "GET /a");
    CU_ASSERT_STRING_EQUAL(find("HEAD", "/b"), "HEAD /b");
    ouro__http_router_destroy(router);
}

static void test_wrong_method_lists_those_of_the_path(void)
{
    create();
    CU_ASSERT_EQUAL(add("GET", "/a/b"), 0);
    CU_ASSERT_EQUAL(add("POST", "/a/{x}"), 0);
    CU_ASSERT_EQUAL(add("GET", "/a/{y}"), 0);
    CU_ASSERT_EQUAL(add("PUT", "/b"), 0);
    CU_ASSERT_STRING_EQUAL(find("PUT", "/a/b"), "405 GET,HEAD,POST");
    CU_ASSERT_STRING_EQUAL(find("DELETE", "/b"), "405 PUT");
    CU_ASSERT_STRING_EQUAL(find("get", "/a/b"), "405 GET,HEAD,POST");
    /* Another pattern of the same path has it. */
    CU_ASSERT_STRING_EQUAL(find("POST", "/a/b"), "POST /a/{x}");
    CU_ASSERT_STRING_EQUAL(find("GET", "/a/c"), "GET /a/{y}");
    CU_ASSERT_STRING_EQUAL(parameter("y"), "c");
    ouro__http_router_destroy(router);
}

static void test_bad_routes_are_refused(void)
{
    static const char *const patterns[] = {"",        "a",
                                           "*",       "/{}",
                                           "/{a",     "/a}",
                                           "/x{a}",   "/{a}x",
                                           "/{a}{b}", "/{a}/{a}",
                                           "/{{a}}",  "/{",
                                           "/{a}/{",  "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}"};
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
    CU_ASSERT_STRING_EQUAL(find("GET", "/a/x"), "GET /a/{b}");
    ouro__http_router_destroy(router);
    ouro__http_router_destroy(NULL);
}

const struct test http_router_tests[] = {
    TEST(test_paths_find_their_routes_and_parameters),
    TEST(test_other_paths_find_nothing),
    TEST(test_text_beats_a_parameter_whatever_was_added_first),
    TEST(test_head_is_answered_by_get),
    TEST(test_wrong_method_lists_those_of_the_path),
    TEST(test_bad_routes_are_refused),
    TEST_END,
};
