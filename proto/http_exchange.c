/* SPDX-License-Identifier: MIT */
/*
 * http_exchange.c - what handlers see; see http_exchange.h and ouro_http_server.h
 */
#include <errno.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "char_class.h"
#include "http1_write.h"
#include "http_exchange.h"
#include "http_gzip.h"
#include "utf8.h"

/* --- memory that lasts as long as the exchange ------------------------------------------- */

struct arena_block {
    struct arena_block *next;
    alignas(max_align_t) char data[];
};

void *ouro__http_exchange_allocate(struct ouro_http_exchange *exchange, size_t size)
{
    size_t start = (exchange->arena_used + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
    struct arena_block *block;

    if (size <= sizeof(exchange->arena_first) - start) {
        exchange->arena_used = start + size;
        return exchange->arena_first + start;
    }
    block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    block->next = exchange->arena;
    exchange->arena = block;
    return block->data;
}

char *ouro__http_exchange_copy(struct ouro_http_exchange *exchange, const char *text, size_t len)
{
    char *copy = ouro__http_exchange_allocate(exchange, len + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

void ouro__http_exchange_end(struct ouro_http_exchange *exchange)
{
    struct arena_block *block;

    ouro__http_gzip_done(exchange);
    free(exchange->body);
    while ((block = exchange->arena)) {
        exchange->arena = block->next;
        free(block);
    }
}

int ouro__http_exchange_begin(struct ouro_http_exchange *exchange, const struct exchange_ops *ops,
                              const struct http1_head *request,
                              const struct ouro_http_serve_options *options)
{
    memset(exchange, 0, offsetof(struct ouro_http_exchange, segments));
    exchange->segments.count = 0;
    exchange->ops = ops;
    exchange->request = request;
    exchange->fields.end = &exchange->fields.first;
    exchange->trailers.end = &exchange->trailers.first;
    exchange->limits.body_bytes_max = options->body_bytes_max;
    exchange->limits.body_timeout_ns = options->body_timeout_ns;
    exchange->limits.handler_timeout_ns = options->handler_timeout_ns;

    exchange->path = request->path;
    if (request->path && request->path[request->path_len])
        exchange->path = ouro__http_exchange_copy(exchange, request->path, request->path_len);
    return exchange->path || !request->path ? 0 : -ENOMEM;
}

int ouro__http_exchange_fail(struct ouro_http_exchange *exchange, int error, int status)
{
    exchange->failure = error;
    exchange->failure_status = status;
    return error;
}

/* --- the request ------------------------------------------------------------------------- */

const char *ouro_http_method(const struct ouro_http_exchange *exchange)
{
    return exchange->request->method;
}

const char *ouro_http_path(const struct ouro_http_exchange *exchange)
{
    return exchange->path;
}

const char *ouro_http_query(const struct ouro_http_exchange *exchange)
{
    return exchange->request->query;
}

const char *ouro_http_parameter(const struct ouro_http_exchange *exchange, const char *name)
{
    const struct url_segment *segment;

    if (!exchange->route)
        return NULL;
    segment = ouro__http_route_parameter(exchange->route, exchange->route_start,
                                         &exchange->segments, name);
    return segment ? segment->text : NULL;
}

const char *ouro_http_header(const struct ouro_http_exchange *exchange, const char *name)
{
    const struct http1_field *field = ouro__http1_head_find(exchange->request, name, 0);

    return field ? field->value : NULL;
}

bool ouro_http_header_at(const struct ouro_http_exchange *exchange, size_t index,
                         const char **ret_name, const char **ret_value)
{
    const struct http1_head *request = exchange->request;

    if (index >= request->field_count)
        return false;
    *ret_name = request->fields[index].name;
    *ret_value = request->fields[index].value;
    return true;
}

/* --- values for who comes later ---------------------------------------------------------- */

struct http_value {
    struct http_value *next;
    const void *key;
    void *value;
};

int ouro_http_value_set(struct ouro_http_exchange *exchange, const void *key, void *value)
{
    struct http_value *entry = ouro__http_exchange_allocate(exchange, sizeof(*entry));

    if (!entry)
        return -ENOMEM;
    entry->next = exchange->values;
    entry->key = key;
    entry->value = value;
    exchange->values = entry;
    return 0;
}

void *ouro_http_value_get(const struct ouro_http_exchange *exchange, const void *key)
{
    const struct http_value *entry = exchange->values;

    while (entry && entry->key != key)
        entry = entry->next;
    return entry ? entry->value : NULL;
}

/* --- escaping ---------------------------------------------------------------------------- */

/*
 * What stands for the bytes at `*at`, which is moved behind them; NULL: they stand for themselves.
 * `buf` is room for a text that has to be made.
 */
typedef const char *escape_fn(const char **at, char buf[8]);

static const char *html_entity(const char **at, char buf[8])
{
    (void) buf;
    switch (*(*at)++) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

/* RFC 8259 §7 and §8.1; and what could end a script in which the JSON stands. */
static const char *json_escape(const char **at, char buf[8])
{
    size_t len = ouro__utf8_sequence(*at, strlen(*at));
    unsigned char c = (unsigned char) **at;

    *at += len ? len : 1;
    if (!len)
        return "\\ufffd";
    if (c == '"' || c == '\\') {
        (void) snprintf(buf, 8, "\\%c", c);
        return buf;
    }
    if (c >= ' ' && c != 0x7f && c != '<' && c != '>' && c != '&')
        return NULL;
    (void) snprintf(buf, 8, "\\u%04x", c);
    return buf;
}

/* How many bytes at `text` stand for themselves, whatever the language. */
static size_t plain_span(const char *text)
{
    return char_run(text, CHAR_UNESCAPED); /* which a NUL is not */
}

static size_t escaped_length(const char *text, escape_fn *fn)
{
    size_t len = 0;
    char buf[8];

    for (const char *at = text;;) {
        const char *start = at + plain_span(at), *replacement;

        len += (size_t) (start - at);
        if (!*start)
            return len;
        at = start;
        replacement = fn(&at, buf);
        len += replacement ? strlen(replacement) : (size_t) (at - start);
    }
}

/* Returns where the escaped text ends. */
static char *write_escaped(char *end, const char *text, escape_fn *fn)
{
    char buf[8];

    for (const char *at = text;;) {
        const char *start = at + plain_span(at), *replacement;

        end = mempcpy(end, at, (size_t) (start - at));
        if (!*start)
            return end;
        at = start;
        replacement = fn(&at, buf);
        end = replacement ? stpcpy(end, replacement) : mempcpy(end, start, (size_t) (at - start));
    }
}

static const char *escape(struct ouro_http_exchange *exchange, const char *text, escape_fn *fn)
{
    char *escaped;

    if (!text)
        return NULL;
    escaped = ouro__http_exchange_allocate(exchange, escaped_length(text, fn) + 1);
    if (escaped)
        *write_escaped(escaped, text, fn) = '\0';
    return escaped;
}

const char *ouro_html_escape(struct ouro_http_exchange *exchange, const char *text)
{
    return escape(exchange, text, html_entity);
}

const char *ouro_json_escape(struct ouro_http_exchange *exchange, const char *text)
{
    return escape(exchange, text, json_escape);
}
