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
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "http1_write.h"
#include "http_exchange.h"
#include "http_gzip.h"
#include "ouro_timer.h"

/* For an answer after the handler's time is over, should the client be slow to take it. */
#define LATE_ANSWER_NS OURO_SECOND

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
    static const char *const names[] = {"connection", "content-length", "content-type",
                                        "date",       "keep-alive",     "transfer-encoding"};

    return is_one_of(name, names, sizeof(names) / sizeof(names[0]));
}

int ouro__http_exchange_add_field(struct ouro_http_exchange *exchange,
                                  struct http_answer_fields *fields, const char *name,
                                  const char *value)
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
    return is_reserved(name)
               ? -EINVAL
               : ouro__http_exchange_add_field(exchange, &exchange->fields, name, value);
}

int ouro_http_add_trailer(struct ouro_http_exchange *exchange, const char *name, const char *value)
{
    struct http1_field field = {.name = name, .name_len = (uint32_t) strlen(name)};

    if (exchange->progress >= ANSWERED)
        return -EALREADY;
    if (is_reserved(name) || ouro__http1_trailer_is_forbidden(&field))
        return -EINVAL;
    return ouro__http_exchange_add_field(exchange, &exchange->trailers, name, value);
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

/*
 * After the time limit calls that wait fail. An answer that says so, or that a handler still gives,
 * is made behind a shield, or the connection would end where it has to wait for the client.
 */
bool ouro__http_exchange_is_late(const struct ouro_http_exchange *exchange)
{
    return exchange->limit && ouro_now() >= exchange->deadline;
}

static int begin_late(struct ouro_http_exchange *exchange, const struct http_answer *answer)
{
    struct ouro_shield shield;
    int code;

    ouro_shield_begin(&shield, LATE_ANSWER_NS);
    code = exchange->ops->begin(exchange, answer);
    ouro_shield_end(&shield);
    return code;
}

/* An error other than these two has ended the connection. */
static bool is_final(int code)
{
    return code != -EINVAL && code != -ENOMEM;
}

/* Drops the fields that were added since `mark` was the end. */
static void drop_fields(struct ouro_http_exchange *exchange, struct http_answer_field **mark)
{
    *mark = NULL;
    exchange->fields.end = mark;
}

/* After an error that is not final the answer's fields are again what they were at `mark`. */
static int begin(struct ouro_http_exchange *exchange, struct http_answer *answer, bool is_whole,
                 struct http_answer_field **mark, int code)
{
    answer->fields = exchange->fields.first;
    if (!code)
        code = ouro__http_exchange_is_late(exchange) ? begin_late(exchange, answer)
                                                     : exchange->ops->begin(exchange, answer);
    if (code && !is_final(code)) {
        drop_fields(exchange, mark);
        ouro__http_gzip_done(exchange);
        return code;
    }
    exchange->status = answer->status;
    exchange->body_left = answer->length;
    exchange->progress = is_whole || exchange->has_no_body ? ANSWERED : ANSWERING;
    if (answer->length != HTTP_LENGTH_UNKNOWN)
        exchange->body_left -= answer->body_len;
    if (code)
        exchange->progress = ABORTED;
    return code;
}

/* Compresses the body, if that is wanted and of use. Returns 0 or -ENOMEM. */
static int compress(struct ouro_http_exchange *exchange, struct http_answer *answer)
{
    int code =
        ouro__http_gzip_choose(exchange, answer->status, answer->content_type, answer->length);

    if (code <= 0)
        return code;
    code = ouro__http_gzip_whole(exchange, answer->body, answer->body_len, &answer->body,
                                 &answer->body_len);
    if (code <= 0)
        return code;
    answer->length = answer->body_len;
    return ouro__http_gzip_tell(exchange);
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
    struct http_answer_field **mark = exchange->fields.end;

    if (!can_answer(exchange, status))
        return exchange->progress == UNANSWERED ? -EINVAL : -EALREADY;
    return begin(exchange, &answer, /* is_whole= */ true, mark, compress(exchange, &answer));
}

/* As compress(), for a body to come. To HTTP/1.0 a length is worth more. */
static int begin_compression(struct ouro_http_exchange *exchange, struct http_answer *answer)
{
    int code = 0;

    if (exchange->request->minor_version)
        code =
            ouro__http_gzip_choose(exchange, answer->status, answer->content_type, answer->length);
    if (code <= 0)
        return code;
    code = ouro__http_gzip_begin(exchange);
    if (code)
        return code;
    answer->length = HTTP_LENGTH_UNKNOWN;
    return ouro__http_gzip_tell(exchange);
}

int ouro_http_reply_begin(struct ouro_http_exchange *exchange, int status, const char *content_type,
                          int64_t length)
{
    struct http_answer answer = {
        .status = status,
        .content_type = content_type,
        .length = length < 0 ? HTTP_LENGTH_UNKNOWN : (uint64_t) length,
    };
    struct http_answer_field **mark = exchange->fields.end;
    uint64_t announced = answer.length;
    int code;

    if (!can_answer(exchange, status))
        return exchange->progress == UNANSWERED ? -EINVAL : -EALREADY;
    code =
        begin(exchange, &answer, /* is_whole= */ false, mark, begin_compression(exchange, &answer));
    if (exchange->progress == ANSWERING)
        exchange->body_left = announced;
    return code;
}

/* --- formatted --------------------------------------------------------------------------- */

/* Text that was made as by printf(3): in `small` if it fits there, else on the heap. */
struct formatted {
    char small[512];
    char *text; /* NULL: the error is in `len` */
    ssize_t len;
};

static void format_at_length(struct formatted *formatted, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    formatted->len = vsnprintf(formatted->small, sizeof(formatted->small), format, args);
    if (formatted->len < 0) {
        formatted->text = NULL;
        formatted->len = -EINVAL;
    } else if ((size_t) formatted->len >= sizeof(formatted->small)) {
        formatted->text = malloc((size_t) formatted->len + 1);
        if (formatted->text)
            (void) vsnprintf(formatted->text, (size_t) formatted->len + 1, format, again);
        else
            formatted->len = -ENOMEM;
    }
    va_end(again);
}

/* `again` are the same arguments: to copy a va_list that was just made is dearer than to make two. */
static void format(struct formatted *formatted, const char *format_string, va_list args,
                   va_list again)
{
    formatted->text = formatted->small;
    formatted->len =
        ouro__format_simple(formatted->small, sizeof(formatted->small), format_string, args);
    if (formatted->len < 0)
        format_at_length(formatted, format_string, again);
}

static void free_formatted(struct formatted *formatted)
{
    if (formatted->text != formatted->small)
        free(formatted->text);
}

int ouro_http_replyf(struct ouro_http_exchange *exchange, int status, const char *content_type,
                     const char *format_string, ...)
{
    struct formatted body;
    va_list args, again;
    int code;

    va_start(args, format_string);
    va_start(again, format_string);
    format(&body, format_string, args, again);
    va_end(again);
    va_end(args);
    if (!body.text)
        return (int) body.len;
    code = ouro_http_reply(exchange, status, content_type, body.text, (size_t) body.len);
    free_formatted(&body);
    return code;
}

int ouro_http_writef(struct ouro_http_exchange *exchange, const char *format_string, ...)
{
    struct formatted piece;
    va_list args, again;
    int code;

    va_start(args, format_string);
    va_start(again, format_string);
    format(&piece, format_string, args, again);
    va_end(again);
    va_end(args);
    if (!piece.text)
        return (int) piece.len;
    code = ouro_http_write(exchange, piece.text, (size_t) piece.len);
    free_formatted(&piece);
    return code;
}

/* --- streamed ---------------------------------------------------------------------------- */

static int give_up(struct ouro_http_exchange *exchange, int code)
{
    exchange->progress = ABORTED;
    return code;
}

/* Why nothing can be written. */
static int refusal(const struct ouro_http_exchange *exchange)
{
    if (exchange->progress == ABORTED)
        return -EPIPE;
    return exchange->progress == ANSWERED && exchange->has_no_body ? OURO_EEOF : -EINVAL;
}

int ouro_http_write(struct ouro_http_exchange *exchange, const void *data, size_t len)
{
    int code;

    if (exchange->progress != ANSWERING)
        return refusal(exchange);
    if (len > exchange->body_left)
        return give_up(exchange, OURO_ELIMIT);
    if (exchange->gzip)
        code = ouro__http_gzip_write(exchange, data, len);
    else
        code = exchange->ops->write(exchange, data, len);
    if (code)
        return code == -ENOMEM && !exchange->gzip ? code : give_up(exchange, code);
    if (exchange->body_left != HTTP_LENGTH_UNKNOWN)
        exchange->body_left -= len;
    return 0;
}

static int flush_late(struct ouro_http_exchange *exchange)
{
    struct ouro_shield shield;
    int code;

    ouro_shield_begin(&shield, LATE_ANSWER_NS);
    code = exchange->ops->flush(exchange);
    ouro_shield_end(&shield);
    return code;
}

int ouro_http_flush(struct ouro_http_exchange *exchange)
{
    int code;

    if (exchange->progress == UNANSWERED)
        return -EINVAL;
    code = ouro__http_exchange_is_late(exchange) ? flush_late(exchange)
                                                 : exchange->ops->flush(exchange);
    return code ? give_up(exchange, code) : 0;
}

int ouro_http_reply_end(struct ouro_http_exchange *exchange)
{
    int code;

    if (exchange->progress != ANSWERING)
        return exchange->progress == ANSWERED ? 0 : -EINVAL;
    if (exchange->body_left && exchange->body_left != HTTP_LENGTH_UNKNOWN)
        return give_up(exchange, -EINVAL);
    code = exchange->gzip ? ouro__http_gzip_end(exchange) : 0;
    if (!code)
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
    struct http_answer_field **mark = exchange->fields.end;
    int code;

    if (status < 300 || status > 399 || !*location)
        return -EINVAL;
    code = ouro_http_add_header(exchange, "Location", location);
    if (!code)
        code = ouro__http_exchange_reply_status(exchange, status);
    if (exchange->progress == UNANSWERED)
        drop_fields(exchange, mark);
    return code;
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
    struct http_answer_field **mark = exchange->fields.end;
    struct http_answer answer = {.status = 101};
    int code;

    if (exchange->progress != UNANSWERED)
        return -EALREADY;
    if (!ouro_http_upgrade_requested(exchange, protocol))
        return -EINVAL;
    code = ouro__http_exchange_add_field(exchange, &exchange->fields, "Upgrade", protocol);
    if (code)
        return code;
    answer.fields = exchange->fields.first;
    code = exchange->ops->upgrade_take(exchange, &answer, ret_stream);
    if (code && !is_final(code)) {
        drop_fields(exchange, mark);
        return code;
    }
    exchange->status = 101;
    exchange->progress = code ? ABORTED : ANSWERED;
    if (exchange->limit) /* the limits were about HTTP */
        (void) ouro_timeout_move(exchange->limit, OURO_FOREVER);
    return code;
}

/* --- the server's own -------------------------------------------------------------------- */

/* Once at most, also where the page itself fails. */
static void make_error_page(struct ouro_http_exchange *exchange, int status)
{
    const struct http_error_page *page = exchange->error_page;

    exchange->error_page = NULL;
    if (status >= 400 && page && page->fn)
        ouro__http_exchange_complete(exchange, page->fn(exchange, status, page->arg));
}

int ouro__http_exchange_reply_status(struct ouro_http_exchange *exchange, int status)
{
    make_error_page(exchange, status);
    if (exchange->progress != UNANSWERED)
        return exchange->progress == ABORTED ? -EPIPE : 0;
    return ouro_http_replyf(exchange, status, "text/plain; charset=utf-8", "%d %s\n", status,
                            ouro__http1_reason(status));
}

void ouro__http_exchange_complete(struct ouro_http_exchange *exchange, int code)
{
    if (exchange->progress == ANSWERING && (code || ouro_http_reply_end(exchange)))
        exchange->progress = ABORTED;
}
