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

static void fail(struct http1_writer *writer, int error)
{
    if (!writer->error)
        writer->error = error;
}

static void put(struct http1_writer *writer, const char *text, size_t len)
{
    if (writer->error)
        return;
    if (len > writer->capacity - writer->len) {
        fail(writer, OURO_ELIMIT);
        return;
    }
    memcpy(writer->data + writer->len, text, len);
    writer->len += len;
}

static void put_text(struct http1_writer *writer, const char *text)
{
    put(writer, text, strlen(text));
}

/* --- what may be written ----------------------------------------------------------------- */

bool ouro__http1_is_value(const char *text, size_t len)
{
    return ouro__char_value_span(text, len) == len;
}

static void put_value(struct http1_writer *writer, const char *text, size_t len)
{
    if (!ouro__http1_is_value(text, len))
        fail(writer, -EINVAL);
    put(writer, text, len);
}

static void put_token(struct http1_writer *writer, const char *text)
{
    size_t len = strlen(text);

    if (!ouro__http1_is_token(text, len))
        fail(writer, -EINVAL);
    put(writer, text, len);
}

/* --- lines ------------------------------------------------------------------------------- */

void ouro__http1_write_request_line(struct http1_writer *writer, const char *method,
                                    const char *target, size_t target_len)
{
    if (!ouro__url_target_is_valid(target, target_len))
        fail(writer, -EINVAL);
    put_token(writer, method);
    put_text(writer, !target_len || target[0] == '?' ? " /" : " ");
    put(writer, target, target_len);
    put_text(writer, " HTTP/1.1\r\n");
}

void ouro__http1_write_status_line(struct http1_writer *writer, int status, const char *reason)
{
    char code[] = {(char) ('0' + status / 100 % 10), (char) ('0' + status / 10 % 10),
                   (char) ('0' + status % 10), ' '};

    if (status < 100 || status > 999) {
        fail(writer, -EINVAL);
        return;
    }
    if (!reason)
        reason = ouro__http1_reason(status);
    put(writer, "HTTP/1.1 ", 9);
    put(writer, code, sizeof(code));
    put_value(writer, reason, strlen(reason));
    put(writer, "\r\n", 2);
}

void ouro__http1_write_field_len(struct http1_writer *writer, const char *name, const char *value,
                                 size_t value_len)
{
    put_token(writer, name);
    put(writer, ": ", 2);
    put_value(writer, value, value_len);
    put(writer, "\r\n", 2);
}

void ouro__http1_write_field(struct http1_writer *writer, const char *name, const char *value)
{
    ouro__http1_write_field_len(writer, name, value, strlen(value));
}

void ouro__http1_write_digits(struct http1_writer *writer, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char) ('0' + value % 10);
        value /= 10;
    } while (value);
    put(writer, digits + at, sizeof(digits) - at);
}

void ouro__http1_write_number(struct http1_writer *writer, const char *name, uint64_t value)
{
    put_token(writer, name);
    put(writer, ": ", 2);
    ouro__http1_write_digits(writer, value);
    put(writer, "\r\n", 2);
}

void ouro__http1_write_end(struct http1_writer *writer)
{
    put(writer, "\r\n", 2);
}

void ouro__http1_write_body(struct http1_writer *writer, const void *data, size_t len)
{
    if (len)
        put(writer, data, len);
}

/* --- dates and reasons ------------------------------------------------------------------- */

const char *ouro__http1_date_at(struct http1_date *date, time_t now)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm tm;

    if (now == date->second && date->text[0])
        return date->text;
    /* Years beyond 9999 have no form in HTTP. */
    if (!gmtime_r(&now, &tm) || tm.tm_year > 9999 - 1900)
        (void) gmtime_r(&(time_t) {0}, &tm);
    (void) snprintf(date->text, sizeof(date->text), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
                    tm.tm_min, tm.tm_sec);
    date->second = now;
    return date->text;
}

/* The IANA registry. */
static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

const char *ouro__http1_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}
