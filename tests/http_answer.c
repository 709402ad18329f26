/* SPDX-License-Identifier: MIT */
/*
 * http_answer.c - answers of a server, read strictly; see http_answer.h
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http_answer.h"

/* The line at `*at`, which moves behind it; NULL when there is no proper one. */
static const char *take_line(const char **at, const char *end, size_t *ret_len)
{
    const char *line = *at;
    const char *lf = memchr(line, '\n', (size_t) (end - line));

    if (!lf || lf == line || lf[-1] != '\r' || memchr(line, '\r', (size_t) (lf - 1 - line)) ||
        memchr(line, '\0', (size_t) (lf - line)))
        return NULL;
    *at = lf + 1;
    *ret_len = (size_t) (lf - 1 - line);
    return line;
}

static bool starts_with(const char *text, size_t len, const char *start)
{
    return len >= strlen(start) && memcmp(text, start, strlen(start)) == 0;
}

static bool is_digits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return len > 0;
}

/* RFC 9110 §5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool is_date(const char *text, size_t len)
{
    return len == 29 && text[3] == ',' && is_digits(text + 5, 2) && is_digits(text + 12, 4) &&
           is_digits(text + 17, 2) && text[19] == ':' && is_digits(text + 20, 2) &&
           text[22] == ':' && is_digits(text + 23, 2) && memcmp(text + 25, " GMT", 4) == 0;
}

struct fields {
    unsigned dates, lengths, codings;
    size_t length;
    bool says_close;
};

static const char *read_field(const char *line, size_t len, struct fields *fields)
{
    const char *colon = memchr(line, ':', len);
    const char *value = colon ? colon + 2 : NULL;
    size_t value_len;

    if (!colon || colon == line || colon + 1 >= line + len || colon[1] != ' ' ||
        memchr(line, ' ', (size_t) (colon - line)))
        return "a field of an odd form";
    value_len = (size_t) (line + len - value);
    if (starts_with(line, len, "Date:")) {
        fields->dates++;
        if (!is_date(value, value_len))
            return "a bad date";
    } else if (starts_with(line, len, "Content-Length:")) {
        fields->lengths++;
        if (!is_digits(value, value_len))
            return "a bad length";
        fields->length = strtoul(value, NULL, 10);
    } else if (starts_with(line, len, "Transfer-Encoding:")) {
        fields->codings++;
        if (value_len != 7 || memcmp(value, "chunked", 7) != 0)
            return "a bad coding";
    } else if (starts_with(line, len, "Connection:")) {
        fields->says_close = value_len == 5 && memcmp(value, "close", 5) == 0;
    } else if (starts_with(line, len, "Server:")) {
        return "it names its maker";
    }
    return NULL;
}

/* Behind the last chunk. */
static const char *skip_trailers(const char **at, const char *end)
{
    const char *line;
    size_t len;

    while ((line = take_line(at, end, &len)) && len)
        if (!memchr(line, ':', len))
            return "a trailer that is no field";
    return line ? NULL : "no end of the chunks";
}

/* Moves `*at` behind a chunked body. */
static const char *skip_chunks(const char **at, const char *end)
{
    size_t len = 0, size;
    const char *line;

    for (;;) {
        line = take_line(at, end, &len);
        size = line && len && len <= 8 ? strtoul(line, NULL, 16) : SIZE_MAX;
        if (size > (size_t) (end - *at))
            return "a bad chunk";
        if (!size)
            return skip_trailers(at, end);
        *at += size;
        line = take_line(at, end, &len);
        if (!line || len)
            return "a chunk without an end";
    }
}

/* RFC 9110 §6.4.1, §8.6, RFC 9112 §6.1: which framing may, and has to, be there. */
static const char *skip_body(const char **at, const char *end, const struct http_answer *answer,
                             const struct fields *fields, bool to_head)
{
    bool interim = answer->status < 200;

    if (fields->lengths + fields->codings > 1)
        return "two framings";
    if ((interim || answer->status == 204) && fields->lengths + fields->codings)
        return "a framing where there is no body";
    if (interim || answer->status == 204 || answer->status == 304 || to_head)
        return NULL;
    if (fields->codings)
        return skip_chunks(at, end);
    if (!fields->lengths)
        return "no framing";
    if (fields->length > (size_t) (end - *at))
        return "a truncated body";
    *at += fields->length;
    return NULL;
}

const char *http_answer_read(const char *at, const char *end, bool to_head,
                             struct http_answer *ret_answer)
{
    struct fields fields = {0};
    size_t len;
    const char *line = take_line(&at, end, &len);
    const char *fault;

    if (!line || len < 14 || !starts_with(line, len, "HTTP/1.1 ") || !is_digits(line + 9, 3) ||
        line[12] != ' ')
        return "no status line";
    ret_answer->status = atoi(line + 9);
    while ((line = take_line(&at, end, &len)) && len) {
        fault = read_field(line, len, &fields);
        if (fault)
            return fault;
    }
    if (!line)
        return "no end of the head";
    if (fields.dates != (ret_answer->status >= 200))
        return "a date too many or none";
    ret_answer->says_close = fields.says_close;
    fault = skip_body(&at, end, ret_answer, &fields, to_head);
    ret_answer->end = at;
    return fault;
}
