/* SPDX-License-Identifier: MIT */
/*
 * http_reply.c - answers, whole and streamed; see http_exchange.h
 *
 * What a client gets is a whole answer or visibly none: once the head is out, a handler that
 * fails, or that writes more or less than it has announced, ends the connection in a way that
 * shows (HTTP/1.1: a reset). The next answer can't be shifted by it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http1_write.h"
#include "http_exchange.h"

/* --- fields ------------------------------------------------------------------------------ */

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ouro__http1_name_equals(name, strlen(name), names[i]))
            return true;
    return false;
}

/* What only the connection can know, and what has a parameter of its own. */
static bool is_reserved(const char *name)
{
    static const char *const names[] = {"connection", "content-length",    "content-type", "date",
                                        "keep-alive", "transfer-encoding", "upgrade"};

    return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

static int add_field(struct ouro_http_exchange *exchange, struct http_answer_fields *fields,
                     const char *name, const char *value)
{
    struct http_answer_field *field;

    if (!ouro__http1_is_token(name, strlen(name)) || !ouro__http1_is_value(value, strlen(value)))
        return -EINVAL;
    field = ouro__http_exchange_allocate(exchange, sizeof(*field));
    if (!field)
        return -ENOMEM;
    field->next = NULL;
    field->name = ouro__http_exchange_copy(exchange, name, strlen(name));
    field->value = ouro__http_exchange_copy(exchange, value, strlen(value));
    if (!field->name || !field->value)
        return -ENOMEM;
    *fields->end = field;
    fields->end = &field->next;
    return 0;
}

int ouro_http_add_header(struct ouro_http_exchange *exchange, const char *name, const char *value)
{
    if (exchange->progress != UNANSWERED)
        return -EALREADY;
    return is_reserved(name) ? -EINVAL : add_field(exchange, &exchange->fields, name, value);
}

int ouro_http_add_trailer(struct ouro_http_exchange *exchange, const char *name, const char *value)
{
    struct http1_field field = {.name = name, .name_len = (uint32_t) strlen(name)};

    if (exchange->progress >= ANSWERED)
        return -EALREADY;
    if (is_reserved(name) || ouro__http1_trailer_is_forbidden(&field))
        return -EINVAL;
    return add_field(exchange, &exchange->trailers, name, value);
}

int ouro_http_status(const struct ouro_http_exchange *exchange)
{
    return exchange->status;
}

/* --- beginning --------------------------------------------------------------------------- */

static bool can_answer(const struct ouro_http_exchange *exchange, int status)
{
    return exchange->progress == UNANSWERED && status >= 200 && status <= 599;
}

/* An error other than these two has ended the connection. */
static bool is_final(int code)
{
    return code != -EINVAL && code != -ENOMEM;
}

static int begin(struct ouro_http_exchange *exchange, const struct http_answer *answer)
{
    int code = exchange->ops->begin(exchange, answer);

    if (code && !is_final(code))
        return code;
    exchange->status = answer->status;
    exchange->body_left = answer->length;
    exchange->progress = answer->body_len == answer->length ? ANSWERED : ANSWERING;
    if (answer->length != HTTP_LENGTH_UNKNOWN)
        exchange->body_left -= answer->body_len;
    if (code)
        exchange->progress = ABORTED;
    return code;
}

int ouro_http_reply(struct ouro_http_exchange *exchange, int status, const char *content_type,
                    const void *body, size_t len)
{
    struct http_answer answer = {
        .status = status,
        .content_type = content_type,
        .body = body,
        .body_len = len,
        .length = len,
    };

    if (!can_answer(exchange, status))
        return exchange->progress == UNANSWERED ? -EINVAL : -EALREADY;
    answer.fields = exchange->fields.first;
    return begin(exchange, &answer);
}

int ouro_http_reply_begin(struct ouro_http_exchange *exchange, int status, const char *content_type,
                          int64_t length)
{
    struct http_answer answer = {
        .status = status,
        .content_type = content_type,
        .length = length < 0 ? HTTP_LENGTH_UNKNOWN : (uint64_t) length,
    };

    if (!can_answer(exchange, status))
        return exchange->progress == UNANSWERED ? -EINVAL : -EALREADY;
    answer.fields = exchange->fields.first;
    return begin(exchange, &answer);
}

/* --- formatted --------------------------------------------------------------------------- */

/*
 * Formats into `small` if it fits there, else into memory of the exchange. Returns the text, or
 * NULL with the error in *ret_len.
 */
static const char *format_text(struct ouro_http_exchange *exchange, char *small, size_t small_size,
                               const char *format, va_list args, ssize_t *ret_len)
{
    char *text = small;
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(small, small_size, format, args);
    *ret_len = len < 0 ? -EINVAL : len;
    if (len >= 0 && (size_t) len >= small_size) {
        text = ouro__http_exchange_allocate(exchange, (size_t) len + 1);
        if (text)
            (void) vsnprintf(text, (size_t) len + 1, format, again);
        else
            *ret_len = -ENOMEM;
    }
    va_end(again);
    return *ret_len < 0 ? NULL : text;
}

int ouro_http_replyf(struct ouro_http_exchange *exchange, int status, const char *content_type,
                     const char *format, ...)
{
    char small[512];
    const char *body;
    va_list args;
    ssize_t len;

    va_start(args, format);
    body = format_text(exchange, small, sizeof(small), format, args, &len);
    va_end(args);
    return body ? ouro_http_reply(exchange, status, content_type, body, (size_t) len) : (int) len;
}

int ouro_http_writef(struct ouro_http_exchange *exchange, const char *format, ...)
{
    char small[512];
    const char *text;
    va_list args;
    ssize_t len;

    va_start(args, format);
    text = format_text(exchange, small, sizeof(small), format, args, &len);
    va_end(args);
    return text ? ouro_http_write(exchange, text, (size_t) len) : (int) len;
}

/* --- streamed ---------------------------------------------------------------------------- */

static int give_up(struct ouro_http_exchange *exchange, int code)
{
    exchange->progress = ABORTED;
    return code;
}

int ouro_http_write(struct ouro_http_exchange *exchange, const void *data, size_t len)
{
    int code;

    if (exchange->progress != ANSWERING)
        return exchange->progress == ABORTED ? -EPIPE : -EINVAL;
    if (len > exchange->body_left)
        return give_up(exchange, OURO_ELIMIT);
    code = exchange->ops->write(exchange, data, len);
    if (code)
        return code == -ENOMEM ? code : give_up(exchange, code);
    if (exchange->body_left != HTTP_LENGTH_UNKNOWN)
        exchange->body_left -= len;
    return 0;
}

int ouro_http_flush(struct ouro_http_exchange *exchange)
{
    int code = exchange->ops->flush(exchange);

    return code ? give_up(exchange, code) : 0;
}

int ouro_http_reply_end(struct ouro_http_exchange *exchange)
{
    int code;

    if (exchange->progress != ANSWERING)
        return exchange->progress == ANSWERED ? 0 : -EINVAL;
    if (exchange->body_left && exchange->body_left != HTTP_LENGTH_UNKNOWN)
        return give_up(exchange, -EINVAL);
    code = exchange->ops->end(exchange, exchange->trailers.first);
    if (code)
        return give_up(exchange, code);
    exchange->progress = ANSWERED;
    return 0;
}

void ouro_http_abort(struct ouro_http_exchange *exchange)
{
    exchange->progress = ABORTED;
}

/* --- special answers --------------------------------------------------------------------- */

int ouro_http_redirect(struct ouro_http_exchange *exchange, int status, const char *location)
{
    int code;

    if (status < 300 || status > 399 || !*location)
        return -EINVAL;
    code = ouro_http_add_header(exchange, "Location", location);
    return code ? code : ouro__http_exchange_reply_status(exchange, status);
}

int ouro_http_reply_json(struct ouro_http_exchange *exchange, int status, const char *json)
{
    return ouro_http_reply(exchange, status, "application/json", json, strlen(json));
}

/* RFC 9110 §7.8: only where the client asks for it, in both fields, and nothing is in the way. */
bool ouro_http_upgrade_requested(const struct ouro_http_exchange *exchange, const char *protocol)
{
    const struct http1_head *request = exchange->request;

    return request->minor_version && request->framing == HTTP1_NO_BODY &&
           ouro__http1_head_has_token(request, "connection", "upgrade") &&
           ouro__http1_head_has_token(request, "upgrade", protocol);
}

int ouro_http_upgrade_take(struct ouro_http_exchange *exchange, const char *protocol,
                           struct ouro_stream **ret_stream)
{
    struct http_answer answer = {.status = 101};
    int code;

    if (exchange->progress != UNANSWERED)
        return -EALREADY;
    if (!ouro_http_upgrade_requested(exchange, protocol))
        return -EINVAL;
    code = add_field(exchange, &exchange->fields, "Upgrade", protocol);
    if (code)
        return code;
    answer.fields = exchange->fields.first;
    code = exchange->ops->upgrade_take(exchange, &answer, ret_stream);
    if (!code || is_final(code)) {
        exchange->status = 101;
        exchange->progress = code ? ABORTED : ANSWERED;
    }
    return code;
}

/* --- the server's own -------------------------------------------------------------------- */

int ouro__http_exchange_reply_status(struct ouro_http_exchange *exchange, int status)
{
    return ouro_http_replyf(exchange, status, "text/plain; charset=utf-8", "%d %s\n", status,
                            ouro__http1_reason(status));
}

void ouro__http_exchange_complete(struct ouro_http_exchange *exchange, int code)
{
    if (exchange->progress == ANSWERING && (code || ouro_http_reply_end(exchange)))
        exchange->progress = ABORTED;
}
