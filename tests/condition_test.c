/* SPDX-License-Identifier: MIT */
/*
 * condition_test.c - tests of proto/condition.c
 *
 * Tags and lists end at inaccessible pages.
 */
#include <string.h>

#include "condition.h"
#include "guarded.h"
#include "test.h"

#define NOW    784200000                       /* Mon, 07 Nov 1994 09:20:00 */
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT" /* one second before CHANGED */
#define AT     "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"
#define FUTURE "Tue, 08 Nov 1994 00:00:00 GMT"

enum { CHANGED = 784111777 };

/* --- entity-tags ------------------------------------------------------------------------- */

static struct guarded input;

static bool is_valid(const char *text)
{
    return ouro__etag_is_valid(guarded_copy(&input, text, strlen(text)), strlen(text));
}

static void test_tags_have_a_form(void)
{
    static const char *const good[] = {
        "\"\"", "\"a\"", "W/\"a\"", "W/\"\"", "\"a,b\"", "\"!#\\'*/\"", "\"\x80\xff\"", "\"W/\"",
    };
    static const char *const bad[] = {
        "",       "a",       "\"",     "\"a",       "a\"",    "W/",      "W/a",     "W/\"a",
        "W",      "w/\"a\"", "W\"a\"", "W/W/\"a\"", "\"a\"b", "\"a\"\"", "\"a b\"", "\"a\t\"",
        " \"a\"", "\"a\" ",  "*",      "\"\x7f\"",  "\"\n\"", "'a'",     "/\"a\"",
    };

    guarded_init(&input);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CU_ASSERT(is_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT(!is_valid(bad[i]));
    CU_ASSERT(!ouro__etag_is_valid(guarded_copy(&input, "\"\0\"", 3), 3));
    guarded_done(&input);
}

static void test_lists_are_compared_strongly_and_weakly(void)
{
    static const struct {
        const char *list, *etag;
        bool strong, weak;
    } rows[] = {
        {"\"a\"", "\"a\"", true, true},
        {"W/\"a\"", "\"a\"", false, true},
        {"\"a\"", "W/\"a\"", false, true},
        {"W/\"a\"", "W/\"a\"", false, true},
        {"\"a\"", "\"b\"", false, false},
        {"\"a\"", "\"A\"", false, false},
        {"\"a\"", "\"ab\"", false, false},
        {"\"ab\"", "\"a\"", false, false},
        {"\"\"", "\"\"", true, true},
        {"\"a\"", NULL, false, false},
        {"*", "\"a\"", true, true},
        {"*", "W/\"a\"", true, true},
        {"*", NULL, true, true},

        {"\"a\", \"b\",\"c\"", "\"c\"", true, true},
        {"\"a\" ,\t\"b\"\t,W/\"c\"", "\"b\"", true, true},
        {",, \"a\",,, ,\"b\",", "\"b\"", true, true},
        {"\"a,b\", \"c\"", "\"c\"", true, true},
        {"\"a,b\"", "\"a,b\"", true, true},
        {"\"x, \", \"b\"", "\"b\"", false, false}, /* blanks are no part of tags */
        {"", "\"a\"", false, false},
        {" , ", "\"a\"", false, false},

        /* what is not valid ends the list */
        {"a", "\"a\"", false, false},
        {"\"a\" x, \"b\"", "\"a\"", false, false},
        {"\"a\"\"b\"", "\"a\"", false, false},
        {"\"a\", b, \"c\"", "\"a\"", true, true},
        {"\"a\", b, \"c\"", "\"c\"", false, false},
        {"\"a", "\"a\"", false, false},
        {"\"a\", *", "\"b\"", false, false},
        {"*, \"a\"", "\"a\"", false, false},
        {"**", "\"a\"", false, false},
        {"w/\"a\"", "\"a\"", false, false},
    };

    guarded_init(&input);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].list);
        const char *list = guarded_copy(&input, rows[i].list, len);

        CU_ASSERT_EQUAL(ouro__etag_list_has(list, len, rows[i].etag, ETAG_STRONG), rows[i].strong);
        CU_ASSERT_EQUAL(ouro__etag_list_has(list, len, rows[i].etag, ETAG_WEAK), rows[i].weak);
    }
    guarded_done(&input);
}

/* --- evaluation -------------------------------------------------------------------------- */

#define FIELDS_MAX 4

/* "Name: value|Name: value" */
static void parse_fields(struct http1_head *head, struct http1_field *fields, char *text)
{
    head->fields = fields;
    head->field_count = 0;
    for (char *line = strtok(text, "|"); line; line = strtok(NULL, "|")) {
        struct http1_field *field = &fields[head->field_count++];
        char *colon = strstr(line, ": ");

        CU_ASSERT_FATAL(colon && head->field_count <= FIELDS_MAX);
        *colon = '\0';
        field->name = line;
        field->name_len = (uint32_t) strlen(line);
        field->value = colon + 2;
        field->value_len = (uint32_t) strlen(colon + 2);
    }
}

struct request {
    struct http1_head head;
    struct http1_field fields[FIELDS_MAX];
    char text[256];
};

static const struct http1_head *make(struct request *request, const char *method,
                                     const char *fields)
{
    memset(request, 0, sizeof(*request));
    CU_ASSERT_FATAL(strlen(fields) < sizeof(request->text));
    (void) strcpy(request->text, fields);
    request->head.method = method;
    parse_fields(&request->head, request->fields, request->text);
    return &request->head;
}

static int check(const char *method, const char *fields, const char *etag, int64_t modified_s)
{
    struct validators validators = {.etag = etag, .modified_s = modified_s};
    struct request request;

    return ouro__condition_check(make(&request, method, fields), &validators, NOW);
}

static void test_conditions_are_evaluated_in_order(void)
{
    static const struct {
        const char *fields;
        int get, put; /* for "a", modified at CHANGED */
    } rows[] = {
        {"", 0, 0},
        {"X: y", 0, 0},

        {"If-Match: \"a\"", 0, 0},
        {"if-match: *", 0, 0},
        {"If-Match: \"b\"", 412, 412},
        {"If-Match: W/\"a\"", 412, 412},
        {"If-Match: ", 412, 412},
        {"If-Match: garbage", 412, 412},
        {"If-Match: \"b\"|If-Match: \"a\"", 0, 0},

        {"If-Unmodified-Since: " BEFORE, 412, 412},
        {"If-Unmodified-Since: " AT, 0, 0},
        {"If-Unmodified-Since: " AFTER, 0, 0},
        {"If-Unmodified-Since: " FUTURE, 0, 0},
        {"If-Unmodified-Since: garbage", 0, 0},

        {"If-None-Match: \"a\"", 304, 412},
        {"If-None-Match: W/\"a\"", 304, 412},
        {"If-None-Match: *", 304, 412},
        {"If-None-Match: \"b\"", 0, 0},
        {"If-None-Match: a", 0, 0},
        {"If-None-Match: ", 0, 0},
        {"If-None-Match: \"b\"|X: y|if-none-match: \"c\", \"a\"", 304, 412},

        {"If-Modified-Since: " BEFORE, 0, 0},
        {"If-Modified-Since: " AT, 304, 0},
        {"If-Modified-Since: " AFTER, 304, 0},
        {"If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", 304, 0},
        {"If-Modified-Since: " FUTURE, 0, 0},
        {"If-Modified-Since: garbage", 0, 0},
        {"If-Modified-Since: 0", 0, 0},

        /* If-Match beats If-Unmodified-Since, and comes before If-None-Match */
        {"If-Unmodified-Since: " BEFORE "|If-Match: \"a\"", 0, 0},
        {"If-Unmodified-Since: " AT "|If-Match: \"b\"", 412, 412},
        {"If-None-Match: \"a\"|If-Match: \"b\"", 412, 412},
        {"If-None-Match: \"a\"|If-Match: \"a\"", 304, 412},
        {"If-None-Match: \"b\"|If-Match: \"a\"", 0, 0},
        {"If-None-Match: \"a\"|If-Unmodified-Since: " BEFORE, 412, 412},
        {"If-Modified-Since: " AT "|If-Match: \"a\"", 304, 0},
        {"If-Modified-Since: " AT "|If-Unmodified-Since: " BEFORE, 412, 412},

        /* If-None-Match beats If-Modified-Since */
        {"If-Modified-Since: " AT "|If-None-Match: \"b\"", 0, 0},
        {"If-Modified-Since: " AT "|If-None-Match: garbage", 0, 0},
        {"If-Modified-Since: " BEFORE "|If-None-Match: \"a\"", 304, 412},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CU_ASSERT_EQUAL(check("GET", rows[i].fields, "\"a\"", CHANGED), rows[i].get);
        CU_ASSERT_EQUAL(check("HEAD", rows[i].fields, "\"a\"", CHANGED), rows[i].get);
        CU_ASSERT_EQUAL(check("PUT", rows[i].fields, "\"a\"", CHANGED), rows[i].put);
    }
}

static void test_missing_validators_match_nothing_but_any(void)
{
    CU_ASSERT_EQUAL(check("GET", "If-Match: \"a\"", NULL, 0), 412);
    CU_ASSERT_EQUAL(check("GET", "If-Match: *", NULL, 0), 0);
    CU_ASSERT_EQUAL(check("GET", "If-None-Match: \"a\"", NULL, 0), 0);
    CU_ASSERT_EQUAL(check("GET", "If-None-Match: *", NULL, 0), 304);
    CU_ASSERT_EQUAL(check("PUT", "If-None-Match: *", NULL, 0), 412);
    CU_ASSERT_EQUAL(check("GET", "If-Modified-Since: " AT, NULL, 0), 0);
    CU_ASSERT_EQUAL(check("GET", "If-Unmodified-Since: " BEFORE, NULL, 0), 0);
    CU_ASSERT_EQUAL(check("GET", "If-Modified-Since: " AT, NULL, CHANGED), 304);
    CU_ASSERT_EQUAL(check("GET", "If-None-Match: \"a\"|If-Modified-Since: " AT, NULL, CHANGED), 0);
    CU_ASSERT_EQUAL(check("GET", "If-Match: W/\"a\"", "W/\"a\"", CHANGED), 412);
    CU_ASSERT_EQUAL(check("GET", "If-None-Match: \"a\"", "W/\"a\"", CHANGED), 304);
    CU_ASSERT_EQUAL(check("get", "If-None-Match: \"a\"", "\"a\"", CHANGED), 412);
    CU_ASSERT_EQUAL(check("GET", "If-Modified-Since: " AT, NULL, NOW + 1), 0);
}

static bool allows(const char *fields, const char *etag, int64_t modified_s, int64_t now_s)
{
    struct validators validators = {.etag = etag, .modified_s = modified_s};
    struct request request;

    return ouro__condition_allows_range(make(&request, "GET", fields), &validators, now_s);
}

static void test_if_range_wants_exactly_the_same(void)
{
    static const struct {
        const char *fields, *etag;
        bool allows;
    } rows[] = {
        {"", NULL, true},
        {"If-Range: \"a\"", "\"a\"", true},
        {"if-range: \"a\"", "\"a\"", true},
        {"If-Range: \"b\"", "\"a\"", false},
        {"If-Range: W/\"a\"", "\"a\"", false},
        {"If-Range: \"a\"", "W/\"a\"", false},
        {"If-Range: W/\"a\"", "W/\"a\"", false},
        {"If-Range: \"a\"", NULL, false},
        {"If-Range: *", "\"a\"", false},
        {"If-Range: \"a\", \"b\"", "\"a\"", false},
        {"If-Range: ", "\"a\"", false},
        {"If-Range: garbage", "\"a\"", false},
        {"If-Range: " AT, "\"a\"", true},
        {"If-Range: Sun Nov  6 08:49:37 1994", NULL, true},
        {"If-Range: " BEFORE, NULL, false},
        {"If-Range: " AFTER, NULL, false},
        {"If-Range: " FUTURE, NULL, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CU_ASSERT_EQUAL(allows(rows[i].fields, rows[i].etag, CHANGED, NOW), rows[i].allows);
    CU_ASSERT(!allows("If-Range: " AT, NULL, 0, NOW));
    CU_ASSERT(!allows("If-Range: " AT, NULL, CHANGED, CHANGED)); /* there may be one more */
    CU_ASSERT(allows("If-Range: " AT, NULL, CHANGED, CHANGED + 1));
}

const struct test condition_tests[] = {
    TEST(test_tags_have_a_form),
    TEST(test_lists_are_compared_strongly_and_weakly),
    TEST(test_conditions_are_evaluated_in_order),
    TEST(test_missing_validators_match_nothing_but_any),
    TEST(test_if_range_wants_exactly_the_same),
    TEST_END,
};
