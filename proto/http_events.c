/* SPDX-License-Identifier: MIT */
/*
 * http_events.c - answers that are a stream of events, for a browser's EventSource
 *
 * The format is that of the HTML standard, section "Server-sent events": fields of a line each,
 * an empty line behind each event.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_exchange.h"

/* Characters that would end a field, or that the standard forbids in an id. */
static bool is_one_line(const char *text)
{
    return !text || !text[strcspn(text, "\r\n")];
}

/* The length of the line at `text`; *ret_next is the line behind it, or NULL. */
static size_t line_at(const char *text, const char **ret_next)
{
    size_t len = strcspn(text, "\r\n");
    const char *end = text + len;

    if (end[0] == '\r' && end[1] == '\n')
        *ret_next = end + 2;
    else
        *ret_next = *end ? end + 1 : NULL;
    return len;
}

static char *put_field(char *at, const char *name, const char *value, size_t len)
{
    at = stpcpy(at, name);
    memcpy(at, value, len);
    at[len] = '\n';
    return at + len + 1;
}

/* A field for each line of `text`. */
static char *put_lines(char *at, const char *name, const char *text)
{
    const char *next;

    for (; text; text = next) {
        size_t len = line_at(text, &next);

        at = put_field(at, name, text, len);
    }
    return at;
}

/* Each line of the data may cost "data: " and a line's end. */
static size_t size_of(const char *text)
{
    size_t size = 32;

    if (!text)
        return 0;
    for (const char *at = text; *at; at++)
        size += *at == '\r' || *at == '\n' ? 8 : 1;
    return size;
}

static size_t write_event(char *buf, const struct ouro_http_event *event)
{
    char *at = buf;

    if (event->comment)
        at = put_lines(at, ": ", event->comment);
    if (event->id)
        at = put_field(at, "id: ", event->id, strlen(event->id));
    if (event->name)
        at = put_field(at, "event: ", event->name, strlen(event->name));
    if (event->retry_ms > 0)
        at += sprintf(at, "retry: %lld\n", (long long) event->retry_ms);
    if (event->data)
        at = put_lines(at, "data: ", event->data);
    *at++ = '\n';
    return (size_t) (at - buf);
}

/* HEAD has no events, and a handler that waited for them to be refused would wait for ever. */
int ouro_http_events_begin(struct ouro_http_exchange *exchange)
{
    struct http_answer_field **mark = exchange->fields.end;
    int code = ouro_http_add_header(exchange, "Cache-Control", "no-cache");

    if (!code)
        code = ouro_http_reply_begin(exchange, 200, "text/event-stream", -1);
    if (exchange->progress == UNANSWERED) {
        *mark = NULL;
        exchange->fields.end = mark;
    }
    exchange->is_endless = !code;
    return code || !exchange->has_no_body ? code : OURO_EEOF;
}

int ouro_http_event_send(struct ouro_http_exchange *exchange, const struct ouro_http_event *event)
{
    size_t size = 64 + size_of(event->comment) + size_of(event->id) + size_of(event->name) +
                  size_of(event->data);
    char small[512];
    char *buf = small;
    int code;

    if (!is_one_line(event->id) || !is_one_line(event->name))
        return -EINVAL;
    if (size > sizeof(small))
        buf = malloc(size);
    if (!buf)
        return -ENOMEM;
    code = ouro_http_write(exchange, buf, write_event(buf, event));
    if (buf != small)
        free(buf);
    return code;
}
