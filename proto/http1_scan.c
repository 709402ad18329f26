/* SPDX-License-Identifier: MIT */
/*
 * http1_scan.c - the head of a request that is there as a whole; see http1_scan.h
 *
 * Nearly all requests are a GET whose head arrives in one piece. That one needs no parser that
 * could stop at each byte, copies what it gets in spans and prepares for a body. This here takes
 * no more than what llhttp and http1_parse.c would take without exception, so that it need not know
 * how anything is refused: what it does not take goes to them.
 *
 *     GET SP /target SP HTTP/1.1 CRLF   name:   value    CRLF  ...  CRLF
 *        0          0                       0        0                      the copy, and its NULs
 *
 * Tests that cut their input at all places (tests/http1_parse_test.c) compare both ways with each
 * other, as only input in one piece comes along here.
 */
#include <string.h>

#include "char_class.h"
#include "http1_scan.h"

struct scan {
    const char *data;
    const char *end;
    const struct http1_memory *memory;
    size_t method_len;
    size_t target_len;
    int minor_version;
    unsigned field_count;
};

/* Functions that return a place return where what they took ends; NULL: it is not what it should be. */

static bool starts_with(const char *at, const char *end, const char *text, size_t len)
{
    return (size_t) (end - at) >= len && memcmp(at, text, len) == 0;
}

static const char *skip_span(const char *at, const char *end, enum char_class class)
{
    return at + char_span(at, (size_t) (end - at), class);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where what is at `text` in the data will lie in the copy. */
static char *place(const struct scan *scan, const char *text)
{
    return scan->memory->text + (text - scan->data);
}

/* --- the request line -------------------------------------------------------------------- */

static size_t method_length(const struct scan *scan)
{
    if (starts_with(scan->data, scan->end, "GET /", 5))
        return 3;
    return starts_with(scan->data, scan->end, "HEAD /", 6) ? 4 : 0;
}

/* With the end of the line. */
static const char *scan_version(struct scan *scan, const char *at)
{
    if (scan->end - at < 11 || memcmp(at, " HTTP/1.", 8) != 0 || memcmp(at + 9, "\r\n", 2) != 0)
        return NULL;
    scan->minor_version = at[8] - '0';
    return scan->minor_version == 0 || scan->minor_version == 1 ? at + 11 : NULL;
}

/* With a target in origin-form. */
static const char *scan_line(struct scan *scan)
{
    const char *target, *end;

    scan->method_len = method_length(scan);
    if (!scan->method_len)
        return NULL;
    target = scan->data + scan->method_len + 1;
    end = skip_span(target, scan->end, CHAR_TARGET);
    scan->target_len = (size_t) (end - target);
    end = scan_version(scan, end);
    return end && (size_t) (end - scan->data) <= scan->memory->line_max + 2 ? end : NULL;
}

/* --- fields ------------------------------------------------------------------------------ */

/* What says that there is a body, and how long it is, is the parser's to judge. */
static bool is_framing(const char *name, size_t len)
{
    return (len == 14 && ouro__http1_name_equals(name, len, "content-length")) ||
           (len == 17 && ouro__http1_name_equals(name, len, "transfer-encoding"));
}

/* With the colon and the blanks behind it. */
static const char *scan_name(const struct scan *scan, const char *at, struct http1_field *field)
{
    const char *end = skip_span(at, scan->end, CHAR_TOKEN);
    size_t len = (size_t) (end - at);

    if (!len || is_framing(at, len) || end == scan->end || *end != ':')
        return NULL;
    field->name = place(scan, at);
    field->name_len = (uint32_t) len;
    do
        end++;
    while (end < scan->end && is_blank(*end));
    return end;
}

/* With the end of the line. */
static const char *scan_value(const struct scan *scan, const char *at, struct http1_field *field)
{
    const char *end = at + ouro__char_value_span(at, (size_t) (scan->end - at));
    const char *line_end = end;

    if (!starts_with(line_end, scan->end, "\r\n", 2))
        return NULL;
    while (end > at && is_blank(end[-1]))
        end--;
    field->value = place(scan, at);
    field->value_len = (uint32_t) (end - at);
    return line_end + 2;
}

/* The fields and the empty line behind them. */
static const char *scan_fields(struct scan *scan, const char *at)
{
    struct http1_field *field = scan->memory->fields, *end = field + scan->memory->field_max;

    for (; at && !starts_with(at, scan->end, "\r\n", 2); field++) {
        if (field == end)
            return NULL;
        at = scan_name(scan, at, field);
        at = at ? scan_value(scan, at, field) : NULL;
    }
    scan->field_count = (unsigned) (field - scan->memory->fields);
    return at ? at + 2 : NULL;
}

/* --- texts ------------------------------------------------------------------------------- */

static const char *end_text(char *text, size_t len)
{
    text[len] = '\0';
    return text;
}

static void end_texts(const struct scan *scan, struct http1_head *head)
{
    char *text = scan->memory->text;

    head->method_len = scan->method_len;
    head->method = end_text(text, scan->method_len);
    head->target_len = scan->target_len;
    head->target = end_text(text + scan->method_len + 1, scan->target_len);
    head->minor_version = scan->minor_version;
    head->fields = scan->memory->fields;
    head->field_count = scan->field_count;
    head->trailer_count = 0;
    head->has_content_length = false;
    head->content_length = 0;
    for (unsigned i = 0; i < scan->field_count; i++) {
        struct http1_field *field = &head->fields[i];

        (void) end_text((char *) field->name, field->name_len);
        (void) end_text((char *) field->value, field->value_len);
    }
}

size_t ouro__http1_scan(const char *data, size_t len, const struct http1_memory *memory,
                        struct http1_head *head)
{
    size_t max = len < memory->text_size ? len : memory->text_size, used;
    struct scan scan = {.data = data, .end = data + max, .memory = memory};
    const char *end = scan_line(&scan);

    if (end)
        end = scan_fields(&scan, end);
    if (!end)
        return 0;
    used = (size_t) (end - data);
    memcpy(memory->text, data, used);
    end_texts(&scan, head);
    return used;
}
