/* SPDX-License-Identifier: MIT */
/*
 * multipart_test.c - tests of proto/multipart.c
 *
 * Each input is parsed whole, byte by byte, and cut in two at every offset; short ones also
 * cut in three at every pair of offsets. Every piece ends at an inaccessible page. What the
 * parser reports is written down as text, and has to be the same each time:
 *
 *     <name|filename|content type>data/<name>data/.
 *
 * with '/' for the end of a part and '.' for the end of the form.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro_base.h"

#include "guarded.h"
#include "multipart.h"
#include "test.h"

#define FIELD_MAX     4
#define SHORT_ENOUGH  200 /* for all pairs of cuts */
#define BOUNDARY      "b'x"
#define PART(...)     "--" BOUNDARY "\r\nContent-Disposition: form-data; " __VA_ARGS__
#define NEXT(...)     "\r\n" PART(__VA_ARGS__)
#define CLOSE         "\r\n--" BOUNDARY "--"
#define FILENAME_NONE "-"

static struct {
    struct guarded input, text;
    size_t text_size;
    unsigned field_max;
    bool show_fields;
} setup;

static struct {
    char text[4096];
    size_t len;
} transcript;

OURO_PRINTF(1, 2) static void note(const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(transcript.text + transcript.len, sizeof(transcript.text) - transcript.len,
                    format, args);
    va_end(args);
    CU_ASSERT_FATAL(len >= 0 && (size_t) len < sizeof(transcript.text) - transcript.len);
    transcript.len += (size_t) len;
}

static void note_part(const struct multipart_part *part)
{
    CU_ASSERT_EQUAL(strlen(part->name), part->name_len);
    note("<%s", part->name);
    if (part->filename || part->content_type)
        note("|%s", part->filename ? part->filename : FILENAME_NONE);
    if (part->filename)
        CU_ASSERT_EQUAL(strlen(part->filename), part->filename_len);
    if (part->content_type)
        note("|%s", part->content_type);
    for (unsigned i = 0; setup.show_fields && i < part->field_count; i++) {
        CU_ASSERT_EQUAL(strlen(part->fields[i].name), part->fields[i].name_len);
        CU_ASSERT_EQUAL(strlen(part->fields[i].value), part->fields[i].value_len);
        note(" [%s=%s]", part->fields[i].name, part->fields[i].value);
    }
    note(">");
}

static void note_error(struct multipart_parser *parser, int error)
{
    size_t used;

    note("%s", error == OURO_ELIMIT ? "limit" : error == OURO_EHTTP ? "refused" : "?");
    CU_ASSERT_PTR_NOT_NULL(parser->reason);
    CU_ASSERT_EQUAL(ouro__multipart_feed(parser, "", 0, &used), error);
    CU_ASSERT_EQUAL(ouro__multipart_eof(parser), error);
}

static void note_event(const struct multipart_parser *parser, int event)
{
    if (event == MULTIPART_PART)
        note_part(&parser->part);
    if (event == MULTIPART_DATA) {
        CU_ASSERT(parser->data_len > 0);
        note("%.*s", (int) parser->data_len, parser->data);
    }
    if (event == MULTIPART_PART_END)
        note("/");
    if (event == MULTIPART_END)
        note(".");
}

/* Returns false after an error. */
static bool feed(struct multipart_parser *parser, const char *input, size_t len)
{
    const char *data = guarded_copy(&setup.input, input, len);

    for (;;) {
        size_t used;
        int event = ouro__multipart_feed(parser, data, len, &used);

        if (event < 0) {
            note_error(parser, event);
            return false;
        }
        CU_ASSERT_FATAL(used <= len);
        note_event(parser, event);
        data += used;
        len -= used;
        if (event == MULTIPART_MORE) {
            CU_ASSERT_EQUAL(len, 0);
            return true;
        }
    }
}

/* In three pieces, or byte by byte when `first` is SIZE_MAX. */
static const char *parse(const char *input, size_t len, size_t first, size_t second)
{
    static struct http1_field fields[FIELD_MAX];
    struct multipart_memory memory = {.text = guarded_room(&setup.text, setup.text_size),
                                      .text_size = setup.text_size,
                                      .fields = fields,
                                      .field_max = setup.field_max};
    struct multipart_parser parser;
    bool alive = true;

    transcript.len = 0;
    transcript.text[0] = '\0';
    ouro__multipart_init(&parser, BOUNDARY, strlen(BOUNDARY), &memory);
    if (first == SIZE_MAX) {
        for (size_t i = 0; alive && i < len; i++)
            alive = feed(&parser, input + i, 1);
    } else {
        alive = feed(&parser, input, first) && feed(&parser, input + first, second - first) &&
                feed(&parser, input + second, len - second);
    }
    if (alive && ouro__multipart_eof(&parser) == OURO_EEOF)
        note("truncated");
    return transcript.text;
}

static unsigned count_differences(const char *input, size_t len, const char *expected)
{
    unsigned different = strcmp(parse(input, len, SIZE_MAX, SIZE_MAX), expected) != 0;

    for (size_t first = 0; first <= len; first++) {
        different += strcmp(parse(input, len, first, len), expected) != 0;
        for (size_t second = first; len <= SHORT_ENOUGH && second < len; second++)
            different += strcmp(parse(input, len, first, second), expected) != 0;
    }
    return different;
}

static void check_bytes(const char *input, size_t len, const char *expected)
{
    guarded_init(&setup.input);
    guarded_init(&setup.text);
    CU_ASSERT_STRING_EQUAL(parse(input, len, len, len), expected);
    if (strcmp(transcript.text, expected) != 0)
        fprintf(stderr, "input:    %s\nexpected: %s\nfound:    %s\n", input, expected,
                transcript.text);
    CU_ASSERT_EQUAL(count_differences(input, len, expected), 0);
    guarded_done(&setup.input);
    guarded_done(&setup.text);
}

static void check(const char *input, const char *expected)
{
    check_bytes(input, strlen(input), expected);
}

static void set_up(void)
{
    setup.text_size = 512;
    setup.field_max = FIELD_MAX;
    setup.show_fields = false;
}

/* --- the boundary ------------------------------------------------------------------------ */

#define SEVENTY "1234567890123456789012345678901234567890123456789012345678901234567890"

static void test_boundary_is_found(void)
{
    static const struct {
        const char *content_type, *boundary;
    } rows[] = {
        {"multipart/form-data; boundary=x", "x"},
        {"Multipart/Form-Data;BOUNDARY=x", "x"},
        {"multipart/form-data \t;\t boundary=x \t", "x"},
        {"multipart/form-data; boundary=----WebKitFormBoundaryAz09", "----WebKitFormBoundaryAz09"},
        {"multipart/form-data; boundary=\"x\"", "x"},
        {"multipart/form-data; boundary=\"=_'()+,-./:? x\"", "=_'()+,-./:? x"},
        {"multipart/form-data; charset=utf-8; boundary=x; y=z", "x"},
        {"multipart/form-data; a=\"; boundary=y\"; boundary=x", "x"},
        {"multipart/form-data; a=\"\\\"; boundary=y\"; boundary=x", "x"},
        {"multipart/form-data;; boundary=x;", "x"},
        {"multipart/form-data; boundary=" SEVENTY, SEVENTY},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].content_type), found_len = 0;
        const char *found = NULL;

        guarded_init(&setup.input);
        CU_ASSERT_EQUAL(
            ouro__multipart_boundary(guarded_copy(&setup.input, rows[i].content_type, len), len,
                                     &found, &found_len),
            0);
        CU_ASSERT_EQUAL(found_len, strlen(rows[i].boundary));
        if (found_len == strlen(rows[i].boundary))
            CU_ASSERT_EQUAL(memcmp(found, rows[i].boundary, found_len), 0);
        guarded_done(&setup.input);
    }
}

static void test_content_type_without_a_boundary_is_refused(void)
{
    static const char *const rows[] = {
        "",
        "multipart/form-data",
        "multipart/form-data;",
        "multipart/form-dat",
        "multipart/form-datax; boundary=x",
        "multipart/form-data,; boundary=x",
        "multipart/mixed; boundary=x",
        "text/plain; boundary=x",
        "multipart/form-data boundary=x",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"x",
        "multipart/form-data; boundary=\"x\\",
        "multipart/form-data; boundary=\"x \"",
        "multipart/form-data; boundary=\"x\\y\"",
        "multipart/form-data; boundary=\"x*y\"",
        "multipart/form-data; boundary=\"x\ty\"",
        "multipart/form-data; boundary=x*y",
        "multipart/form-data; boundary=x/y",
        "multipart/form-data; boundary=x y",
        "multipart/form-data; boundary=x, multipart/form-data; boundary=y",
        "multipart/form-data; boundary=x; boundary=x",
        "multipart/form-data; boundary=x; y",
        "multipart/form-data; boundary =x",
        "multipart/form-data; boundary= x",
        "multipart/form-data; boundary*=x",
        "multipart/form-data; boundary=x\r\n",
        "multipart/form-data; boundary=" SEVENTY "1",
        "multipart/form-data; a=\"\x01\"; boundary=x",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i]), found_len;
        const char *found;

        guarded_init(&setup.input);
        CU_ASSERT_EQUAL(ouro__multipart_boundary(guarded_copy(&setup.input, rows[i], len), len,
                                                 &found, &found_len),
                        OURO_EHTTP);
        guarded_done(&setup.input);
    }
}

/* --- what is taken ----------------------------------------------------------------------- */

static void test_parts_come_with_their_names_and_data(void)
{
    set_up();
    check(PART("name=a") "\r\n\r\none" CLOSE, "<a>one/.");
    check(PART("name=\"a\"") "\r\n\r\none" NEXT("name=\"b\"") "\r\n\r\ntwo" CLOSE "\r\n",
          "<a>one/<b>two/.");
    check(PART("name=f; filename=\"a b.txt\"") "\r\nContent-Type: text/plain\r\n\r\nx" CLOSE,
          "<f|a b.txt|text/plain>x/.");
    check(PART("name=f; filename=\"\"") "\r\n\r\n" CLOSE, "<f|>/.");
    check(PART("name=\"\"") "\r\nContent-Type:\r\n\r\nx" CLOSE, "<|-|>x/.");
    check(PART("name=a") "\r\n\r\n1" NEXT("name=a") "\r\n\r\n2" CLOSE, "<a>1/<a>2/.");
    check("--" BOUNDARY "\r\ncontent-DISPOSITION:Form-Data ;\tNAME=a\r\n\r\n" CLOSE, "<a>/.");
}

static void test_form_may_have_no_parts(void)
{
    set_up();
    check("--" BOUNDARY "--", ".");
    check("--" BOUNDARY "--\r\n", ".");
    check("preamble" CLOSE, ".");
}

static void test_fields_keep_order_and_case(void)
{
    set_up();
    setup.show_fields = true;
    check("--" BOUNDARY "\r\nX-One:  1 \t\r\nContent-Disposition: form-data; name=\"a\\\"\"\r\n"
          "x-one:\r\nX: \"\xfc\t\"\r\n\r\nx" CLOSE,
          "<a\" [X-One=1] [Content-Disposition=form-data; name=\"a\\\"\"] [x-one=] "
          "[X=\"\xfc\t\"]>x/.");
}

static void test_preamble_and_epilogue_are_ignored(void)
{
    set_up();
    check("\r\n" PART("name=a") "\r\n\r\nx" CLOSE, "<a>x/.");
    check("pre\r\n--b\r\n--" BOUNDARY NEXT("name=a") "\r\n\r\nx" CLOSE, "refused");
    check("pre\r\n--b'\n--b'xy\r\n" PART("name=a") "\r\n\r\nx" CLOSE, "<a>x/.");
    check("--b\x01\r\r\n" PART("name=a") "\r\n\r\nx" CLOSE, "<a>x/.");
    check(PART("name=a") "\r\n\r\nx" CLOSE NEXT("name=b") "\r\n\r\ny" CLOSE, "<a>x/.");
    check(PART("name=a") "\r\n\r\nx" CLOSE "anything\r\n\x01", "<a>x/.");
}

static void test_data_may_look_much_like_a_delimiter(void)
{
    static const char *const rows[] = {
        "\r",
        "\r\n",
        "\r\r\n",
        "\r\n\r\n",
        "\r\n-",
        "\r\n--",
        "\r\n--b",
        "\r\n--b'",
        "\r\n--b'\r\n--b'",
        "\r\r\n--b'",
        "\r\n\r\n--b'\r",
        "-",
        "--",
        "--b'",
        "--b'y",
        "-\r\n--b'",
        "\n--" BOUNDARY,
        "\r--" BOUNDARY,
        "x--" BOUNDARY "--",
        "\r\n--B'X--",
        "\r\n-- " BOUNDARY,
        "\r\n---" BOUNDARY,
    };
    char input[256], expected[256];

    set_up();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(input, sizeof(input), PART("name=a") "\r\n\r\n%s" CLOSE, rows[i]);
        (void) snprintf(expected, sizeof(expected), "<a>%s/.", rows[i]);
        check(input, expected);
        (void) snprintf(input, sizeof(input), PART("name=a") "\r\n\r\nx%sy" CLOSE, rows[i]);
        (void) snprintf(expected, sizeof(expected), "<a>x%sy/.", rows[i]);
        check(input, expected);
    }
}

/* RFC 2046 §5.1.1: the line end of the head is the delimiter's then. */
static void test_part_may_have_no_body_at_all(void)
{
    set_up();
    check(PART("name=a") "\r\n\r\n--" BOUNDARY "--", "<a>/.");
    check(PART("name=a") "\r\n\r\n" PART("name=b") "\r\n\r\nx" CLOSE, "<a>/<b>x/.");
}

static void test_blanks_behind_the_boundary_are_transport(void)
{
    set_up();
    check("--" BOUNDARY " \t \r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--" BOUNDARY
          "-- \r\n",
          "<a>x/.");
}

static void test_quoted_names_are_undone_as_browsers_and_others_write_them(void)
{
    static const struct {
        const char *parameters, *expected;
    } rows[] = {
        {"name=\"a b\"", "<a b>"},
        {"name=\"a%22b%0D%0A\"", "<a%22b%0D%0A>"},
        {"name=\"a\\\"b\"", "<a\"b>"},
        {"name=\"a\\\\b\"", "<a\\b>"},
        {"name=\"a\\\\\"", "<a\\>"},
        {"name=\"\\\\\\\"\"", "<\\\">"},
        {"name=\"a\\b\"", "<a\\b>"},
        {"name=\"; filename=x\"", "<; filename=x>"},
        {"name=a[0]", "refused"},
        {"name=\"a[0]\"", "<a[0]>"},
        {"name=f; filename=\"C:\\dir\\a.txt\"", "<f|C:\\dir\\a.txt>"},
        {"filename=x; name=f", "<f|x>"},
        {"name=f; filename*=UTF-8''x", "<f>"},
        {"filename*=UTF-8''x; name=f; filename=y", "<f|y>"},
        {"name*=x; name=f", "<f>"},
        {"size=1; name=f;", "<f>"},
        {"name=\"J\xc3\xbcrgen\xfc\"", "<J\xc3\xbcrgen\xfc>"},
        {"name=\"a\tb\"", "<a\tb>"},
    };
    char input[256], expected[256];

    set_up();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool refused = strcmp(rows[i].expected, "refused") == 0;

        (void) snprintf(input, sizeof(input), PART("%s") "\r\n\r\n" CLOSE, rows[i].parameters);
        (void) snprintf(expected, sizeof(expected), "%s%s", rows[i].expected, refused ? "" : "/.");
        check(input, expected);
    }
}

/* --- what is not ------------------------------------------------------------------------- */

static void test_heads_that_are_not_valid_are_refused(void)
{
    static const char *const rows[] = {
        "\r\n",                                   /* no fields */
        "X: y\r\n\r\n",                           /* no disposition */
        "Content-Disposition: form-data\r\n\r\n", /* no name */
        "Content-Disposition: form-data; filename=a\r\n\r\n",
        "Content-Disposition: form-data; name*=a\r\n\r\n",
        "Content-Disposition: attachment; name=a\r\n\r\n",
        "Content-Disposition: form-datax; name=a\r\n\r\n",
        "Content-Disposition: ; name=a\r\n\r\n",
        "Content-Disposition:\r\n\r\n",
        "Content-Disposition: form-data name=a\r\n\r\n",
        "Content-Disposition: form-data, name=a\r\n\r\n",
        "Content-Disposition: form-data; name\r\n\r\n",
        "Content-Disposition: form-data; name=\r\n\r\n",
        "Content-Disposition: form-data; name=\"a\r\n\r\n",
        "Content-Disposition: form-data; name=\"a\\\"\r\n\r\n",
        "Content-Disposition: form-data; name=\"a\"b\r\n\r\n",
        "Content-Disposition: form-data; name = a\r\n\r\n",
        "Content-Disposition: form-data; name=a; name=a\r\n\r\n",
        "Content-Disposition: form-data; name=\"\"; name=a\r\n\r\n",
        "Content-Disposition: form-data; name=a; filename=b; FileName=b\r\n\r\n",
        "Content-Disposition: form-data; name=a; x\r\n\r\n",
        "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=a\r\n\r\n",
        "Content-Disposition: form-data; name=a\r\nContent-Type: b\r\ncontent-type: b\r\n\r\n",
        "Content-Disposition: form-data;\r\n name=a\r\n\r\n", /* folded */
        " Content-Disposition: form-data; name=a\r\n\r\n",
        "Content-Disposition : form-data; name=a\r\n\r\n",
        "Content-Disposition\r\n\r\n",
        ": x\r\n\r\n",
        "X y: z\r\n\r\n",
        "Content-Disposition: form-data; name=a\n\n",
        "Content-Disposition: form-data; name=a\n\r\n",
        "Content-Disposition: form-data; name=a\n\n\n\n",
        "Content-Disposition: form-data; name=a\x01\n\r\n",
        "Content-Disposition: form-data; name=a\r\r\n",
        "Content-Disposition: form-data; name=a\r\n\r",
        "Content-Disposition: form-data; name=\"a\x01\"\r\n\r\n",
        "Content-Disposition: form-data; name=\"a\x7f\"\r\n\r\n",
        "Content-Disposition: form-data; name=\"a\rb\"\r\n\r\n",
        "X\x0b: y\r\n\r\n",
        "Content-Disposition: form-data; name=a" CLOSE, /* the delimiter is no field */
    };
    char input[256];

    set_up();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(input, sizeof(input), "--" BOUNDARY "\r\n%sx" CLOSE, rows[i]);
        check(input, "refused");
    }
    check_bytes("--b'x\r\nX: a\0b\r\n\r\n", 17, "refused");
}

static void test_delimiter_lines_that_are_not_valid_are_refused(void)
{
    static const char *const rows[] = {"\n", "x\r\n",  " x\r\n", "-\r\n",
                                       "-x", "\r\r\n", "\rx",    "\t-"};
    char input[256];

    set_up();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) snprintf(input, sizeof(input), "--" BOUNDARY "%sX", rows[i]);
        check(input, "refused");
        (void) snprintf(input, sizeof(input), PART("name=a") "\r\n\r\nx\r\n--" BOUNDARY "%sX",
                        rows[i]);
        check(input, "<a>x/refused");
    }
}

static void test_end_before_the_closing_delimiter_is_told(void)
{
    static const char whole[] = PART("name=a") "\r\n\r\nx" CLOSE;
    static const struct {
        size_t less;
        const char *expected;
    } rows[] = {
        {0, "<a>x/."},
        {1, "<a>x/truncated"},
        {2, "<a>x/truncated"},
        {3, "<a>xtruncated"},
        {2 + 7, "<a>xtruncated"},
        {2 + 7 + 1, "<a>truncated"},
        {2 + 7 + 1 + 1, "truncated"},
        {sizeof(whole) - 2, "truncated"},
    };

    set_up();
    check("", "truncated");
    check("preamble", "truncated");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check_bytes(whole, sizeof(whole) - 1 - rows[i].less, rows[i].expected);
}

/* --- limits ------------------------------------------------------------------------------ */

static void test_heads_have_to_fit(void)
{
    /* Two lines and their NULs, then "name" and "file" with theirs. */
    static const char first[] = "Content-Disposition: form-data; name=\"name\"; filename=\"file\"";
    static const char second[] = "X-Longer-Than-That: 1234567890";
    const size_t need = sizeof(first) + sizeof(second) + 5 + 5;
    char input[256];

    set_up();
    (void) snprintf(input, sizeof(input), "--" BOUNDARY "\r\n%s\r\n%s\r\n\r\nx" CLOSE, first,
                    second);
    setup.text_size = need;
    check(input, "<name|file>x/.");
    for (setup.text_size = 1; setup.text_size < need; setup.text_size++)
        check(input, "limit");
}

static void test_fields_are_counted(void)
{
    static const char input[] =
        PART("name=a") "\r\nA: 1\r\nB: 2\r\n\r\nx" NEXT("name=b") "\r\nA: 1\r\nB: 2\r\n\r\ny" CLOSE;

    set_up();
    setup.field_max = 3;
    check(input, "<a>x/<b>y/.");
    setup.field_max = 2;
    check(input, "limit");
    setup.field_max = 0;
    check(input, "limit");
}

/* However the input comes: what was fed and is not delivered is shorter than the delimiter. */
static void test_no_more_is_held_back_than_the_delimiter(void)
{
    static const char head[] = PART("name=a") "\r\n\r\n";
    static const char pattern[] = "y\r\n--b'\r\r\n--b'y--b'z\r\n--b"; /* without the x */
    struct http1_field fields[FIELD_MAX];
    char text[256];
    struct multipart_memory memory = {
        .text = text, .text_size = sizeof(text), .fields = fields, .field_max = FIELD_MAX};
    size_t fed = 0, delivered = 0, used;
    struct multipart_parser parser;

    ouro__multipart_init(&parser, BOUNDARY, strlen(BOUNDARY), &memory);
    CU_ASSERT_EQUAL(ouro__multipart_feed(&parser, head, sizeof(head) - 1, &used), MULTIPART_PART);
    for (unsigned i = 0; i < 1000; i++) {
        size_t at = i * 7 % (sizeof(pattern) - 1), len = i % (sizeof(pattern) - at);
        const char *data = pattern + at;
        int event;

        fed += len;
        while ((event = ouro__multipart_feed(&parser, data, len, &used)) != MULTIPART_MORE) {
            CU_ASSERT_EQUAL_FATAL(event, MULTIPART_DATA);
            delivered += parser.data_len;
            data += used;
            len -= used;
        }
        CU_ASSERT(delivered <= fed && fed - delivered < 4 + strlen(BOUNDARY));
    }
}

const struct test multipart_tests[] = {
    TEST(test_boundary_is_found),
    TEST(test_content_type_without_a_boundary_is_refused),
    TEST(test_parts_come_with_their_names_and_data),
    TEST(test_form_may_have_no_parts),
    TEST(test_fields_keep_order_and_case),
    TEST(test_preamble_and_epilogue_are_ignored),
    TEST(test_data_may_look_much_like_a_delimiter),
    TEST(test_part_may_have_no_body_at_all),
    TEST(test_blanks_behind_the_boundary_are_transport),
    TEST(test_quoted_names_are_undone_as_browsers_and_others_write_them),
    TEST(test_heads_that_are_not_valid_are_refused),
    TEST(test_delimiter_lines_that_are_not_valid_are_refused),
    TEST(test_end_before_the_closing_delimiter_is_told),
    TEST(test_heads_have_to_fit),
    TEST(test_fields_are_counted),
    TEST(test_no_more_is_held_back_than_the_delimiter),
    TEST_END,
};
