/* SPDX-License-Identifier: MIT */
/*
 * http_content.c - answers out of content that is there: conditions, ranges; see http_exchange.h
 *
 * What is to be answered is decided by the codecs (condition.h, range.h), before anything is
 * sent. Parts are written from where they are; the heads between them are made twice, to be
 * measured before they are sent.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "condition.h"
#include "http1_write.h"
#include "http_date.h"
#include "http_exchange.h"
#include "range.h"

#define BOUNDARY_LEN 32 /* 128 bits: nobody can put it into content beforehand */

struct plan {
    const struct ouro_http_content *content;
    struct validators validators;
    int64_t now_s;
    int status;
    struct range_set parts; /* for 206 */
    char boundary[BOUNDARY_LEN + 1];
};

/* --- what to answer ---------------------------------------------------------------------- */

/* Random hexadecimal digits. */
static int make_boundary(char boundary[BOUNDARY_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[BOUNDARY_LEN / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < BOUNDARY_LEN; i++)
        boundary[i] = digits[bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
    boundary[BOUNDARY_LEN] = '\0';
    return 0;
}

/* RFC 9110 §14.2. Where there is no randomness for several parts, the whole is right as well. */
static int choose_range(const struct ouro_http_exchange *exchange, struct plan *plan)
{
    const struct http1_field *field = ouro__http1_head_find(exchange->request, "range", 0);

    if (!field || strcmp(exchange->request->method, "GET") != 0 ||
        !ouro__condition_allows_range(exchange->request, &plan->validators, plan->now_s))
        return 200;
    switch (ouro__range_parse(field->value, field->value_len, plan->content->len, &plan->parts)) {
    case RANGE_UNSATISFIABLE:
        return 416;
    case RANGE_PARTS:
        return plan->parts.count > 1 && make_boundary(plan->boundary) ? 200 : 206;
    case RANGE_WHOLE:
        break;
    }
    return 200;
}

static bool is_reading(const struct ouro_http_exchange *exchange)
{
    const char *method = exchange->request->method;

    return !strcmp(method, "GET") || !strcmp(method, "HEAD");
}

/* Conditions of other methods are about what was there before the handler did its work. */
static int choose(const struct ouro_http_exchange *exchange, struct plan *plan)
{
    int status = is_reading(exchange)
                     ? ouro__condition_check(exchange->request, &plan->validators, plan->now_s)
                     : 0;

    return status ? status : choose_range(exchange, plan);
}

/* Times that have no form in HTTP are unknown. Returns 0, or -EINVAL for a tag that is none. */
static int set_validators(struct validators *validators, const char *etag, int64_t modified_s)
{
    if (etag && !ouro__etag_is_valid(etag, strlen(etag)))
        return -EINVAL;
    validators->etag = etag;
    validators->modified_s = modified_s > 0 && modified_s <= HTTP_DATE_MAX ? modified_s : 0;
    return 0;
}

/* --- fields ------------------------------------------------------------------------------ */

static int add_field(struct ouro_http_exchange *exchange, const char *name, const char *value)
{
    return ouro__http_exchange_add_field(exchange, &exchange->fields, name, value);
}

/* RFC 9110 §8.8.2.1: never later than the answer itself. */
static int add_last_modified(struct ouro_http_exchange *exchange, const struct plan *plan)
{
    int64_t modified_s = plan->validators.modified_s;
    struct http1_date date = {0};

    return add_field(
        exchange, "Last-Modified",
        ouro__http1_date_at(&date, modified_s < plan->now_s ? modified_s : plan->now_s));
}

/* In a 304 the tag is enough, RFC 9110 §15.4.5. */
static int add_validators(struct ouro_http_exchange *exchange, const struct plan *plan)
{
    const struct validators *validators = &plan->validators;
    int code = validators->etag ? add_field(exchange, "ETag", validators->etag) : 0;

    if (!code && validators->modified_s && !(plan->status == 304 && validators->etag))
        code = add_last_modified(exchange, plan);
    return code;
}

#define CONTENT_RANGE_MAX 80 /* three numbers of 20 digits */

static void write_content_range(char text[CONTENT_RANGE_MAX], const struct range *range,
                                uint64_t size)
{
    if (range)
        (void) snprintf(text, CONTENT_RANGE_MAX, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                        range->first, range->first + range->len - 1, size);
    else
        (void) snprintf(text, CONTENT_RANGE_MAX, "bytes */%" PRIu64, size);
}

/* `range` NULL: there is none. */
static int add_content_range(struct ouro_http_exchange *exchange, const struct range *range,
                             uint64_t size)
{
    char text[CONTENT_RANGE_MAX];

    write_content_range(text, range, size);
    return add_field(exchange, "Content-Range", text);
}

/* --- refusals ---------------------------------------------------------------------------- */

/* What the handler has said of the content, not of an answer that has other content. */
static bool is_about_content(const char *name)
{
    static const char *const names[] = {"accept-ranges",
                                        "cache-control",
                                        "content-disposition",
                                        "content-encoding",
                                        "content-language",
                                        "content-location",
                                        "etag",
                                        "expires",
                                        "last-modified"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (ouro__http1_name_equals(name, strlen(name), names[i]))
            return true;
    return false;
}

/* Leaves the other fields to the exchange, as copies. */
static int take_content_fields_away(struct ouro_http_exchange *exchange)
{
    const struct http_answer_field *field = exchange->fields.first;
    int code = 0;

    exchange->fields.first = NULL;
    exchange->fields.end = &exchange->fields.first;
    for (; field && !code; field = field->next)
        if (!is_about_content(field->name))
            code = add_field(exchange, field->name, field->value);
    return code;
}

/* 412, 416: "cache it for a year" was not meant for these. */
static int refuse(struct ouro_http_exchange *exchange, const struct plan *plan)
{
    struct http_answer_fields said = exchange->fields;
    int code = take_content_fields_away(exchange);

    if (!code && plan->status == 416)
        code = add_content_range(exchange, NULL, plan->content->len);
    if (!code)
        code = ouro__http_exchange_reply_status(exchange, plan->status);
    if (exchange->progress == UNANSWERED)
        exchange->fields = said;
    return code;
}

/* --- several parts ----------------------------------------------------------------------- */

/*
 * RFC 9110 §14.6. The head of a part, with the line's end that belongs to the boundary; the
 * first one has none before it. Returns its length, or -EINVAL for a type that is no value.
 */
static ssize_t write_part_head(const struct plan *plan, unsigned index, char *buf, size_t size)
{
    const char *dashes = index ? "\r\n--" : "--";
    char range[CONTENT_RANGE_MAX];
    struct http1_writer writer;

    write_content_range(range, &plan->parts.ranges[index], plan->content->len);
    ouro__http1_write_init(&writer, buf, size);
    ouro__http1_write_body(&writer, dashes, strlen(dashes));
    ouro__http1_write_body(&writer, plan->boundary, BOUNDARY_LEN);
    ouro__http1_write_end(&writer);
    if (plan->content->type)
        ouro__http1_write_field(&writer, "Content-Type", plan->content->type);
    ouro__http1_write_field(&writer, "Content-Range", range);
    ouro__http1_write_end(&writer);
    return writer.error ? -EINVAL : (ssize_t) writer.len;
}

#define END_LEN (4 + BOUNDARY_LEN + 4)

/* Of the whole body; `buf` is what heads are written to. */
static int64_t measure_parts(const struct plan *plan, char *buf, size_t size)
{
    int64_t len = END_LEN;

    for (unsigned i = 0; i < plan->parts.count; i++) {
        ssize_t head_len = write_part_head(plan, i, buf, size);

        if (head_len < 0)
            return head_len;
        len += head_len + (int64_t) plan->parts.ranges[i].len;
    }
    return len;
}

static int write_parts(struct ouro_http_exchange *exchange, const struct plan *plan, char *buf,
                       size_t size)
{
    int code = 0;

    for (unsigned i = 0; i < plan->parts.count && !code; i++) {
        const struct range *range = &plan->parts.ranges[i];
        size_t head_len = (size_t) write_part_head(plan, i, buf, size);

        code = ouro_http_write(exchange, buf, head_len);
        if (!code)
            code = ouro_http_write(exchange, (const char *) plan->content->data + range->first,
                                   range->len);
    }
    return code ? code : ouro_http_writef(exchange, "\r\n--%s--\r\n", plan->boundary);
}

static int reply_parts(struct ouro_http_exchange *exchange, const struct plan *plan)
{
    size_t type_len = plan->content->type ? strlen(plan->content->type) : 0;
    size_t size = BOUNDARY_LEN + CONTENT_RANGE_MAX + type_len + 64;
    char *buf = ouro__http_exchange_allocate(exchange, size);
    char type[64 + BOUNDARY_LEN];
    int64_t len;
    int code;

    if (!buf)
        return -ENOMEM;
    len = measure_parts(plan, buf, size);
    if (len < 0)
        return (int) len;
    (void) snprintf(type, sizeof(type), "multipart/byteranges; boundary=%s", plan->boundary);
    code = ouro_http_reply_begin(exchange, plan->status, type, len);
    if (code)
        return code;
    code = write_parts(exchange, plan, buf, size);
    if (!code)
        code = ouro_http_reply_end(exchange);
    if (code)
        ouro_http_abort(exchange);
    return code;
}

/* --- answers ----------------------------------------------------------------------------- */

static int reply_range(struct ouro_http_exchange *exchange, const struct plan *plan)
{
    const struct ouro_http_content *content = plan->content;
    const struct range *range = &plan->parts.ranges[0];
    int code = add_content_range(exchange, range, content->len);

    return code ? code
                : ouro_http_reply(exchange, 206, content->type,
                                  (const char *) content->data + range->first, range->len);
}

static int reply(struct ouro_http_exchange *exchange, const struct plan *plan)
{
    const struct ouro_http_content *content = plan->content;
    int code;

    if (plan->status == 412 || plan->status == 416)
        return refuse(exchange, plan);
    code = add_validators(exchange, plan);
    if (!code && plan->status != 304)
        code = add_field(exchange, "Accept-Ranges", "bytes");
    if (code)
        return code;
    if (plan->status == 304)
        return ouro_http_reply(exchange, 304, NULL, NULL, 0);
    if (plan->status == 200)
        return ouro_http_reply(exchange, 200, content->type, content->data, content->len);
    return plan->parts.count > 1 ? reply_parts(exchange, plan) : reply_range(exchange, plan);
}

int ouro_http_reply_content(struct ouro_http_exchange *exchange,
                            const struct ouro_http_content *content)
{
    struct http_answer_field **mark = exchange->fields.end;
    struct plan plan = {.content = content, .now_s = time(NULL)};
    int code;

    if (exchange->progress != UNANSWERED)
        return -EALREADY;
    if (set_validators(&plan.validators, content->etag, content->modified_s))
        return -EINVAL;
    plan.status = choose(exchange, &plan);
    exchange->is_verbatim = true;
    code = reply(exchange, &plan);
    exchange->is_verbatim = false;
    if (exchange->progress == UNANSWERED) {
        *mark = NULL;
        exchange->fields.end = mark;
    }
    return code;
}

int ouro_http_check_conditions(const struct ouro_http_exchange *exchange, const char *etag,
                               int64_t modified_s)
{
    struct validators validators;

    if (set_validators(&validators, etag, modified_s))
        return -EINVAL;
    return ouro__condition_check(exchange->request, &validators, time(NULL));
}
