/* SPDX-License-Identifier: MIT */
/*
 * http1_write.h - HTTP/1.1 serialiser: heads into a buffer of fixed size
 *
 * Calls add to the buffer one after the other; the first that fails makes all later
 * ones do nothing, so that checking `error` once in the end will do:
 *
 *     ouro__http1_write_init(&writer, buf, sizeof(buf));
 *     ouro__http1_write_status_line(&writer, 200, NULL);
 *     ouro__http1_write_field(&writer, "Content-Type", "text/plain");
 *     ouro__http1_write_number(&writer, "Content-Length", len);
 *     ouro__http1_write_end(&writer);
 *     if (writer.error)
 *         ...                    OURO_ELIMIT: did not fit; -EINVAL: refused
 *
 * Text that could end a line, or be taken for anything else than what it is, is
 * refused: CR, LF, NUL and other control characters anywhere, and whatever the
 * grammar does not allow in a method, a target or a field name.
 */
#ifndef OURO_HTTP1_WRITE_H
#define OURO_HTTP1_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "ouro_base.h"

struct http1_writer {
    char *data;
    size_t capacity;
    size_t len; /* bytes written, of lines that are whole unless error is set */
    int error;
};

void ouro__http1_write_init(struct http1_writer *writer, char *buf, size_t capacity);

/* The first error counts. */
static inline void ouro__http1_write_fail(struct http1_writer *writer, int error)
{
    if (!writer->error)
        writer->error = error;
}

/* Any bytes: behind the head, or what is known to be right. */
static inline void ouro__http1_write_body(struct http1_writer *writer, const void *data, size_t len)
{
    if (writer->error || !len)
        return;
    if (len > writer->capacity - writer->len) {
        ouro__http1_write_fail(writer, OURO_ELIMIT);
        return;
    }
    memcpy(writer->data + writer->len, data, len);
    writer->len += len;
}

/*
 * For the same without a copy: where the caller may put up to `max` bytes, which are there when it
 * says how many by ouro__http1_write_put(). NULL: there is no room, or there was an error.
 */
static inline char *ouro__http1_write_room(struct http1_writer *writer, size_t max)
{
    if (max > writer->capacity - writer->len)
        ouro__http1_write_fail(writer, OURO_ELIMIT);
    return writer->error ? NULL : writer->data + writer->len;
}

static inline void ouro__http1_write_put(struct http1_writer *writer, size_t len)
{
    writer->len += len;
}

/* The same for a text. (Inline, as the length of a constant is one then.) */
static inline void ouro__http1_write_text(struct http1_writer *writer, const char *text)
{
    ouro__http1_write_body(writer, text, strlen(text));
}

/* A target that is empty, or begins with '?', gets a '/' in front. */
void ouro__http1_write_request_line(struct http1_writer *writer, const char *method,
                                    const char *target, size_t target_len);

/* `status` is 100 to 999; `reason` may be NULL for the registered one. */
void ouro__http1_write_status_line(struct http1_writer *writer, int status, const char *reason);

void ouro__http1_write_field(struct http1_writer *writer, const char *name, const char *value);
void ouro__http1_write_field_len(struct http1_writer *writer, const char *name, const char *value,
                                 size_t value_len);
void ouro__http1_write_number(struct http1_writer *writer, const char *name, uint64_t value);

/* A value alone: refused if it may not be one. */
void ouro__http1_write_value(struct http1_writer *writer, const char *value, size_t len);

#define HTTP1_DIGITS_MAX 20

/* Puts the digits at `at`, where there is room for HTTP1_DIGITS_MAX. Returns where they end. */
static inline char *ouro__http1_put_digits(char *at, uint64_t value)
{
    char *end = at + 1;

    for (uint64_t rest = value; rest >= 10; rest /= 10)
        end++;
    for (at = end; value >= 10; value /= 10)
        *--at = (char) ('0' + value % 10);
    *--at = (char) ('0' + value);
    return end;
}

/* A number alone, to be part of something. */
void ouro__http1_write_digits(struct http1_writer *writer, uint64_t value);

/* The empty line. */
void ouro__http1_write_end(struct http1_writer *writer);

/* Whether it may be a value or a reason: visible characters, blanks, bytes of old charsets. */
bool ouro__http1_is_value(const char *text, size_t len);

#define HTTP1_DATE_LEN 29

/* A date as a text, RFC 9110 §5.6.7, made once a second. Starts out zeroed. */
struct http1_date {
    time_t second;
    char text[32]; /* HTTP1_DATE_LEN bytes and a NUL */
};

/* Returns date->text, brought up to `now`. */
const char *ouro__http1_date_at(struct http1_date *date, time_t now);

/*
 * How the last answer with a type began: status line, Date and Content-Type. Those of one second
 * mostly begin alike, and one copy is all they need then. Starts out zeroed.
 */
struct http1_opening {
    struct http1_date date;
    time_t second; /* of `text`, which is also that of the date */
    int status;    /* 0: there is no text */
    size_t type_len;
    size_t len;
    char text[160];
};

/* As ouro__http1_write_status_line() and two fields; `type` may be NULL, for only one, with a length of 0. */
void ouro__http1_write_opening(struct http1_writer *writer, struct http1_opening *opening,
                               int status, const char *type, size_t type_len, time_t now);

/* The registered reason phrase; "Unknown" when there is none. */
const char *ouro__http1_reason(int status);

#endif /* OURO_HTTP1_WRITE_H */
