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
    const char *at;
    const char *end;
    size_t method_len;
    size_t target_len;
    int minor_version;
    unsigned field_count;
};

static bool starts_with(const struct scan *scan, const char *text, size_t len)
{
    return (size_t) (scan->end - scan->at) >= len && memcmp(scan->at, text, len) == 0;
}

/* Takes the end of a line. */
static bool take_crlf(struct scan *scan)
{
    if (!starts_with(scan, "\r\n", 2))
        return false;
    scan->at += 2;
    return true;
}

/* Takes all bytes of that class. */
static size_t take_span(struct scan *scan, enum char_class class)
{
    size_t len = char_span(scan->at, (size_t) (scan->end - scan->at), class);

    scan->at += len;
    return len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* --- the request line -------------------------------------------------------------------- */

static bool scan_method(struct scan *scan)
{
    scan->method_len = starts_with(scan, "GET ", 4) ? 3 : starts_with(scan, "HEAD ", 5) ? 4 : 0;
    scan->at += scan->method_len + 1;
    return scan->method_len;
}

static bool scan_version(struct scan *scan)
{
    if (!starts_with(scan, " HTTP/1.", 8) || scan->end - scan->at < 9)
        return false;
    scan->minor_version = scan->at[8] - '0';
    scan->at += 9;
    return scan->minor_version == 0 || scan->minor_version == 1;
}

/* With a target in origin-form. */
static bool scan_line(struct scan *scan)
{
    if (!scan_method(scan) || !starts_with(scan, "/", 1))
        return false;
    scan->target_len = take_span(scan, CHAR_TARGET);
    return scan_version(scan) && take_crlf(scan);
}

/* --- fields ------------------------------------------------------------------------------ */

/* What says that there is a body, and how long it is, is the parser's to judge. */
static bool is_framing(const char *name, size_t len)
{
    return (len == 14 && ouro__http1_name_equals(name, len, "content-length")) ||
           (len == 17 && ouro__http1_name_equals(name, len, "transfer-encoding"));
}

static bool scan_field(struct scan *scan, struct http1_field *field)
{
    const char *end;

    field->name = scan->at;
    field->name_len = (uint32_t) take_span(scan, CHAR_TOKEN);
    if (!field->name_len || is_framing(field->name, field->name_len) || !starts_with(scan, ":", 1))
        return false;
    scan->at++;
    while (scan->at < scan->end && is_blank(*scan->at))
        scan->at++;

    field->value = scan->at;
    scan->at += ouro__char_value_span(scan->at, (size_t) (scan->end - scan->at));
    end = scan->at;
    while (end > field->value && is_blank(end[-1]))
        end--;
    field->value_len = (uint32_t) (end - field->value);
    return take_crlf(scan);
}

/* The fields and the empty line behind them. */
static bool scan_fields(struct scan *scan, const struct http1_memory *memory)
{
    while (!take_crlf(scan)) {
        if (scan->field_count == memory->field_max ||
            !scan_field(scan, &memory->fields[scan->field_count]))
            return false;
        scan->field_count++;
    }
    return true;
}

/* --- texts ------------------------------------------------------------------------------- */

/* Where what is at `text` in the data lies in the copy, where a NUL is put behind it. */
static const char *place(char *copy, const char *data, const char *text, size_t len)
{
    char *placed = copy + (text - data);

    placed[len] = '\0';
    return placed;
}

static void place_texts(const struct scan *scan, char *copy, const char *data,
                        struct http1_head *head)
{
    head->method_len = scan->method_len;
    head->method = place(copy, data, data, scan->method_len);
    head->target_len = scan->target_len;
    head->target = place(copy, data, data + scan->method_len + 1, scan->target_len);
    head->minor_version = scan->minor_version;
    head->field_count = scan->field_count;
    for (unsigned i = 0; i < head->field_count; i++) {
        struct http1_field *field = &head->fields[i];

        field->name = place(copy, data, field->name, field->name_len);
        field->value = place(copy, data, field->value, field->value_len);
    }
}

size_t ouro__http1_scan(const char *data, size_t len, const struct http1_memory *memory,
                        struct http1_head *head)
{
    size_t max = len < memory->text_size ? len : memory->text_size, used;
    struct scan scan = {.at = data, .end = data + max};

    if (!scan_line(&scan) || (size_t) (scan.at - data) > memory->line_max + 2 ||
        !scan_fields(&scan, memory))
        return 0;
    used = (size_t) (scan.at - data);
    memcpy(memory->text, data, used);
    head->fields = memory->fields;
    place_texts(&scan, memory->text, data, head);
    return used;
}
