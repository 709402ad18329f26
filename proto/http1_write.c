/* SPDX-License-Identifier: MIT */
/*
 * http1_write.c - HTTP/1.1 serialiser; see http1_write.h
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ouro_base.h"

#include "char_class.h"
#include "http1_head.h"
#include "http1_write.h"
#include "url.h"

/* --- the buffer -------------------------------------------------------------------------- */

void ouro__http1_write_init(struct http1_writer *writer, char *buf, size_t capacity)
{
    writer->data = buf;
    writer->capacity = capacity;
    writer->len = 0;
    writer->error = 0;
}

/* --- what may be written ----------------------------------------------------------------- */

bool ouro__http1_is_value(const char *text, size_t len)
{
    return ouro__char_value_span(text, len) == len;
}

void ouro__http1_write_value(struct http1_writer *writer, const char *text, size_t len)
{
    if (!ouro__http1_is_value(text, len))
        ouro__http1_write_fail(writer, -EINVAL);
    ouro__http1_write_body(writer, text, len);
}

static void put_token(struct http1_writer *writer, const char *text)
{
    size_t len = strlen(text);

    if (!ouro__http1_is_token(text, len))
        ouro__http1_write_fail(writer, -EINVAL);
    ouro__http1_write_body(writer, text, len);
}

/* --- reasons ----------------------------------------------------------------------------- */

/* The IANA registry. */
#define REASON(status, reason) {status, reason, "HTTP/1.1 " #status " " reason "\r\n"}
static const struct reason {
    int status;
    const char *reason;
    const char *line;
} reasons[] = {
    REASON(100, "Continue"),
    REASON(101, "Switching Protocols"),
    REASON(103, "Early Hints"),
    REASON(200, "OK"),
    REASON(201, "Created"),
    REASON(202, "Accepted"),
    REASON(203, "Non-Authoritative Information"),
    REASON(204, "No Content"),
    REASON(205, "Reset Content"),
    REASON(206, "Partial Content"),
    REASON(300, "Multiple Choices"),
    REASON(301, "Moved Permanently"),
    REASON(302, "Found"),
    REASON(303, "See Other"),
    REASON(304, "Not Modified"),
    REASON(307, "Temporary Redirect"),
    REASON(308, "Permanent Redirect"),
    REASON(400, "Bad Request"),
    REASON(401, "Unauthorized"),
    REASON(403, "Forbidden"),
    REASON(404, "Not Found"),
    REASON(405, "Method Not Allowed"),
    REASON(406, "Not Acceptable"),
    REASON(408, "Request Timeout"),
    REASON(409, "Conflict"),
    REASON(410, "Gone"),
    REASON(411, "Length Required"),
    REASON(412, "Precondition Failed"),
    REASON(413, "Content Too Large"),
    REASON(414, "URI Too Long"),
    REASON(415, "Unsupported Media Type"),
    REASON(416, "Range Not Satisfiable"),
    REASON(417, "Expectation Failed"),
    REASON(421, "Misdirected Request"),
    REASON(422, "Unprocessable Content"),
    REASON(425, "Too Early"),
    REASON(426, "Upgrade Required"),
    REASON(428, "Precondition Required"),
    REASON(429, "Too Many Requests"),
    REASON(431, "Request Header Fields Too Large"),
    REASON(451, "Unavailable For Legal Reasons"),
    REASON(500, "Internal Server Error"),
    REASON(501, "Not Implemented"),
    REASON(502, "Bad Gateway"),
    REASON(503, "Service Unavailable"),
    REASON(504, "Gateway Timeout"),
    REASON(505, "HTTP Version Not Supported"),
};

/* NULL: it has none. */
static const struct reason *find_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return &reasons[i];
    return NULL;
}

const char *ouro__http1_reason(int status)
{
    const struct reason *registered = find_reason(status);

    return registered ? registered->reason : "Unknown";
}

/* --- lines ------------------------------------------------------------------------------- */

void ouro__http1_write_request_line(struct http1_writer *writer, const char *method,
                                    const char *target, size_t target_len)
{
    if (!ouro__url_target_is_valid(target, target_len))
        ouro__http1_write_fail(writer, -EINVAL);
    put_token(writer, method);
    ouro__http1_write_text(writer, !target_len || target[0] == '?' ? " /" : " ");
    ouro__http1_write_body(writer, target, target_len);
    ouro__http1_write_text(writer, " HTTP/1.1\r\n");
}

void ouro__http1_write_status_line(struct http1_writer *writer, int status, const char *reason)
{
    const struct reason *registered = reason ? NULL : find_reason(status);

    if (registered) {
        ouro__http1_write_text(writer, registered->line);
        return;
    }
    if (status < 100 || status > 999)
        ouro__http1_write_fail(writer, -EINVAL);
    if (!reason)
        reason = ouro__http1_reason(status);
    ouro__http1_write_text(writer, "HTTP/1.1 ");
    ouro__http1_write_digits(writer, (uint64_t) status);
    ouro__http1_write_text(writer, " ");
    ouro__http1_write_value(writer, reason, strlen(reason));
    ouro__http1_write_text(writer, "\r\n");
}

void ouro__http1_write_field_len(struct http1_writer *writer, const char *name, const char *value,
                                 size_t value_len)
{
    put_token(writer, name);
    ouro__http1_write_text(writer, ": ");
    ouro__http1_write_value(writer, value, value_len);
    ouro__http1_write_text(writer, "\r\n");
}

void ouro__http1_write_field(struct http1_writer *writer, const char *name, const char *value)
{
    ouro__http1_write_field_len(writer, name, value, strlen(value));
}

void ouro__http1_write_digits(struct http1_writer *writer, uint64_t value)
{
    char digits[HTTP1_DIGITS_MAX];

    ouro__http1_write_body(writer, digits,
                           (size_t) (ouro__http1_put_digits(digits, value) - digits));
}

void ouro__http1_write_number(struct http1_writer *writer, const char *name, uint64_t value)
{
    put_token(writer, name);
    ouro__http1_write_text(writer, ": ");
    ouro__http1_write_digits(writer, value);
    ouro__http1_write_text(writer, "\r\n");
}

void ouro__http1_write_end(struct http1_writer *writer)
{
    ouro__http1_write_text(writer, "\r\n");
}

/* --- dates ------------------------------------------------------------------------------- */

static void make_date(struct http1_date *date, time_t now)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm;

    /* Years beyond 9999 have no form in HTTP. */
    if (!gmtime_r(&now, &tm) || tm.tm_year > 9999 - 1900)
        (void) gmtime_r(&(time_t) {0}, &tm);
    (void) snprintf(date->text, sizeof(date->text), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
                    tm.tm_min, tm.tm_sec);
    date->second = now;
}

const char *ouro__http1_date_at(struct http1_date *date, time_t now)
{
    if (now != date->second || !date->text[0])
        make_date(date, now);
    return date->text;
}

/* --- openings ---------------------------------------------------------------------------- */

/* The length of the date is always the same. */
static void write_date(struct http1_writer *writer, struct http1_date *date, time_t now)
{
    ouro__http1_write_text(writer, "Date: ");
    ouro__http1_write_body(writer, ouro__http1_date_at(date, now), HTTP1_DATE_LEN);
    ouro__http1_write_text(writer, "\r\n");
}

static void write_type(struct http1_writer *writer, const char *type, size_t len)
{
    ouro__http1_write_text(writer, "Content-Type: ");
    ouro__http1_write_value(writer, type, len);
    ouro__http1_write_text(writer, "\r\n");
}

/* The type is compared, not where it is: the caller may have put another one there. */
static bool begins_alike(const struct http1_opening *opening, int status, const char *type,
                         size_t type_len, time_t now)
{
    return opening->second == now && opening->status == status && opening->type_len == type_len &&
           memcmp(opening->text + opening->len - 2 - type_len, type, type_len) == 0;
}

/* Keeps what has been written, if it is right and not too long. */
static void remember(struct http1_opening *opening, const struct http1_writer *writer, size_t start)
{
    opening->len = writer->len - start;
    if (writer->error || opening->len > sizeof(opening->text))
        opening->status = 0;
    else
        memcpy(opening->text, writer->data + start, opening->len);
}

static void make_opening(struct http1_writer *writer, struct http1_opening *opening, int status,
                         const char *type, size_t type_len, time_t now)
{
    size_t start = writer->len;

    ouro__http1_write_status_line(writer, status, NULL);
    write_date(writer, &opening->date, now);
    if (!type)
        return;
    write_type(writer, type, type_len);
    opening->second = now;
    opening->status = status;
    opening->type_len = type_len;
    remember(opening, writer, start);
}

void ouro__http1_write_opening(struct http1_writer *writer, struct http1_opening *opening,
                               int status, const char *type, size_t type_len, time_t now)
{
    if (type && begins_alike(opening, status, type, type_len, now))
        ouro__http1_write_body(writer, opening->text, opening->len);
    else
        make_opening(writer, opening, status, type, type_len, now);
}
