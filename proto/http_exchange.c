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

#include "http1_write.h"
#include "http_exchange.h"

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

static char *copy_text(struct ouro_http_exchange *exchange, const char *text, size_t len)
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

    while ((block = exchange->arena)) {
        exchange->arena = block->next;
        free(block);
    }
}

int ouro__http_exchange_begin(struct ouro_http_exchange *exchange, const struct exchange_ops *ops,
                              const struct http1_head *request)
{
    exchange->ops = ops;
    exchange->request = request;
    exchange->segments.count = 0;
    exchange->route = NULL;
    exchange->answer_fields = NULL;
    exchange->answer_fields_end = &exchange->answer_fields;
    exchange->answered = false;
    exchange->failure_status = 500;
    exchange->arena = NULL;
    exchange->arena_used = 0;

    exchange->path = request->path;
    if (request->path && request->path[request->path_len])
        exchange->path = copy_text(exchange, request->path, request->path_len);
    return exchange->path || !request->path ? 0 : -ENOMEM;
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
    const struct url_segment *segment =
        ouro__http_route_parameter(exchange->route, &exchange->segments, name);

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

ssize_t ouro_http_read(struct ouro_http_exchange *exchange, void *buf, size_t len)
{
    return exchange->ops->read(exchange, buf, len);
}

/* --- the answer -------------------------------------------------------------------------- */

/* What only the connection can know. */
static bool is_reserved(const char *name)
{
    static const char *const names[] = {"connection", "content-length",    "date",
                                        "keep-alive", "transfer-encoding", "upgrade"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (ouro__http1_name_equals(name, strlen(name), names[i]))
            return true;
    return false;
}

int ouro_http_add_header(struct ouro_http_exchange *exchange, const char *name, const char *value)
{
    struct http_answer_field *field;

    if (exchange->answered)
        return -EALREADY;
    if (is_reserved(name) || !ouro__http1_is_token(name, strlen(name)) ||
        !ouro__http1_is_value(value, strlen(value)))
        return -EINVAL;
    field = ouro__http_exchange_allocate(exchange, sizeof(*field));
    if (!field)
        return -ENOMEM;
    field->next = NULL;
    field->name = copy_text(exchange, name, strlen(name));
    field->value = copy_text(exchange, value, strlen(value));
    if (!field->name || !field->value)
        return -ENOMEM;
    *exchange->answer_fields_end = field;
    exchange->answer_fields_end = &field->next;
    return 0;
}

int ouro_http_reply(struct ouro_http_exchange *exchange, int status, const char *content_type,
                    const void *body, size_t len)
{
    struct http_answer answer = {
        .status = status,
        .content_type = content_type,
        .body = body,
        .body_len = len,
        .fields = exchange->answer_fields,
    };
    int code;

    if (exchange->answered)
        return -EALREADY;
    if (status < 200 || status > 599)
        return -EINVAL;
    code = exchange->ops->answer(exchange, &answer);
    exchange->answered = code != -EINVAL && code != -ENOMEM;
    return code;
}

int ouro_http_replyf(struct ouro_http_exchange *exchange, int status, const char *content_type,
                     const char *format, ...)
{
    char small[512];
    char *body = small;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(small, sizeof(small), format, args);
    va_end(args);
    if (len < 0)
        return -EINVAL;
    if ((size_t) len >= sizeof(small)) {
        body = ouro__http_exchange_allocate(exchange, (size_t) len + 1);
        if (!body)
            return -ENOMEM;
        va_start(args, format);
        (void) vsnprintf(body, (size_t) len + 1, format, args);
        va_end(args);
    }
    return ouro_http_reply(exchange, status, content_type, body, (size_t) len);
}

int ouro__http_exchange_reply_status(struct ouro_http_exchange *exchange, int status)
{
    return exchange->answered ? -EALREADY
                              : ouro_http_replyf(exchange, status, "text/plain; charset=utf-8",
                                                 "%d %s\n", status, ouro__http1_reason(status));
}

/* --- escaping ---------------------------------------------------------------------------- */

static const char *entity_of(char c)
{
    switch (c) {
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

const char *ouro_html_escape(struct ouro_http_exchange *exchange, const char *text)
{
    size_t len = 0;
    char *escaped, *end;

    if (!text)
        return NULL;
    for (const char *at = text; *at; at++)
        len += entity_of(*at) ? strlen(entity_of(*at)) : 1;
    escaped = end = ouro__http_exchange_allocate(exchange, len + 1);
    if (!escaped)
        return NULL;
    for (const char *at = text; *at; at++) {
        if (entity_of(*at))
            end = stpcpy(end, entity_of(*at));
        else
            *end++ = *at;
    }
    *end = '\0';
    return escaped;
}
