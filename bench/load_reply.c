/* SPDX-License-Identifier: MIT */
/*
 * load_reply.c - see load_reply.h
 *
 *      HEAD ──▶ LENGTH, UNTIL_CLOSE ──────────────────────────────▶ (the end)
 *       │ ▲ 1xx    ┌──────────────────────────────────────┐            ▲
 *       │ └──      ▼                                      │            │
 *       └──────▶ SIZE ──▶ EXTENSION ──▶ SIZE_LF ──▶ DATA ──▶ DATA_CR, DATA_LF
 *                                          │ the last                  │
 *                                          └──▶ TRAILER ◀──▶ TRAILER_LINE, TRAILER_LF, LAST_LF
 *
 * A head is parsed where it lies when all of it is there, which is nearly always, and else gathered.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load_reply.h"

enum state {
    HEAD,
    LENGTH,
    UNTIL_CLOSE,
    SIZE,         /* hexadecimal digits */
    EXTENSION,    /* up to CR */
    SIZE_LF,      /* LF expected */
    DATA,         /* of a chunk */
    DATA_CR,      /* behind it */
    DATA_LF,      /* likewise */
    TRAILER,      /* at the beginning of a line */
    TRAILER_LINE, /* inside one, up to CR */
    TRAILER_LF,   /* behind that */
    LAST_LF       /* of the empty line */
};

#define SIZE_DIGITS_MAX 15

/* What the lines of a head have said. */
struct head {
    uint64_t length;
    bool has_length, is_chunked, says_close, says_keep_alive, is_old; /* HTTP/1.0 */
};

void load_reply_begin(struct load_reply *reply, enum load_reply_kind kind,
                      const struct load_expectation *expected)
{
    reply->status = 0;
    reply->body_bytes = 0;
    reply->body_differs = false;
    reply->is_last = false;
    reply->expected = expected;
    reply->partial_len = 0;
    reply->kind = (unsigned char) kind;
    reply->is_begun = false;
    reply->state = HEAD;
    if (kind == LOAD_REPLY_ECHO) {
        reply->state = LENGTH;
        reply->left = expected->body_len;
    }
}

void load_reply_done(struct load_reply *reply)
{
    free(reply->partial);
    reply->partial = NULL;
    reply->partial_len = reply->partial_size = 0;
}

/* --- the head ---------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK", without the line's end. */
static bool parse_status(struct load_reply *reply, struct head *head, const char *line, size_t len)
{
    if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ' ||
        (line[7] != '1' && line[7] != '0') || (len > 12 && line[12] != ' '))
        return false;
    if (!is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) || line[9] == '0')
        return false;
    head->is_old = line[7] == '0';
    reply->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0';
    return true;
}

static bool parse_length(struct head *head, const char *value, size_t len)
{
    uint64_t length = 0;

    if (len == 0 || len > 18)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(value[i]))
            return false;
        length = length * 10 + (uint64_t) (value[i] - '0');
    }
    if (head->has_length && head->length != length)
        return false;
    head->has_length = true;
    head->length = length;
    return true;
}

/* A list of tokens, of which two matter. */
static void parse_connection(struct head *head, const char *value, size_t len)
{
    const char *end = value + len;

    while (value < end) {
        const char *comma = memchr(value, ',', (size_t) (end - value));
        const char *token_end = comma ? comma : end;
        size_t token_len;

        while (value < token_end && (*value == ' ' || *value == '\t'))
            value++;
        token_len = (size_t) (token_end - value);
        while (token_len && (value[token_len - 1] == ' ' || value[token_len - 1] == '\t'))
            token_len--;
        if (token_len == 5 && strncasecmp(value, "close", 5) == 0)
            head->says_close = true;
        if (token_len == 10 && strncasecmp(value, "keep-alive", 10) == 0)
            head->says_keep_alive = true;
        value = token_end + 1;
    }
}

/* One of the three fields that matter, told apart by the length of their names. */
static bool parse_known(struct head *head, const char *name, size_t name_len, const char *value,
                        size_t len)
{
    if (name_len == 14 && strncasecmp(name, "Content-Length", 14) == 0)
        return parse_length(head, value, len);
    if (name_len == 10 && strncasecmp(name, "Connection", 10) == 0)
        parse_connection(head, value, len);
    if (name_len == 17 && strncasecmp(name, "Transfer-Encoding", 17) == 0) {
        if (head->is_chunked || len != 7 || strncasecmp(value, "chunked", 7) != 0)
            return false;
        head->is_chunked = true;
    }
    return true;
}

static bool parse_field(struct head *head, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon ? (size_t) (colon - line) : 0;
    const char *value, *end = line + len;

    if (name_len == 0 || line[0] == ' ' || line[0] == '\t' || colon[-1] == ' ' || colon[-1] == '\t')
        return false;
    if (name_len != 14 && name_len != 10 && name_len != 17)
        return true;
    for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++)
        ;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return parse_known(head, line, name_len, value, (size_t) (end - value));
}

/* Where the body ends: RFC 9112, section 6.3. */
static enum load_parsed frame(struct load_reply *reply, const struct head *head)
{
    int status = reply->status;

    if (status == 101 || (head->is_chunked && (head->has_length || head->is_old)))
        return LOAD_PARSED_BAD;
    if (status < 200) {
        load_reply_begin(reply, (enum load_reply_kind) reply->kind, reply->expected);
        return LOAD_PARSED_MORE;
    }
    reply->is_last = head->says_close || (head->is_old && !head->says_keep_alive);
    if (reply->kind == LOAD_REPLY_TO_HEAD || status == 204 || status == 304)
        return LOAD_PARSED_REPLY;
    if (head->is_chunked) {
        reply->state = SIZE;
        reply->left = 0;
        reply->digits = 0;
    } else if (head->has_length) {
        reply->state = LENGTH;
        reply->left = head->length;
        return head->length ? LOAD_PARSED_MORE : LOAD_PARSED_REPLY;
    } else {
        reply->state = UNTIL_CLOSE;
        reply->is_last = true;
    }
    return LOAD_PARSED_MORE;
}

/*
 * A head from `at` on, if all of it is there: `*ret_after` is NULL otherwise. Lines are gone
 * through once, by their line feeds.
 */
static enum load_parsed parse_head(struct load_reply *reply, const char *at, const char *end,
                                   const char **ret_after)
{
    struct head head = {.length = 0};
    bool is_first = true;
    const char *line_end;

    *ret_after = NULL;
    for (; (line_end = memchr(at, '\n', (size_t) (end - at))); at = line_end + 1) {
        size_t len = (size_t) (line_end - at);

        if (len == 0 || line_end[-1] != '\r')
            return LOAD_PARSED_BAD;
        len--;
        if (is_first && !parse_status(reply, &head, at, len))
            return LOAD_PARSED_BAD;
        if (!is_first && len == 0) {
            *ret_after = line_end + 1;
            return frame(reply, &head);
        }
        if (!is_first && !parse_field(&head, at, len))
            return LOAD_PARSED_BAD;
        is_first = false;
    }
    return LOAD_PARSED_MORE;
}

/* Puts a piece of a head behind what there is of it. */
static bool gather(struct load_reply *reply, const char *data, size_t len)
{
    size_t need = reply->partial_len + len;

    if (need > LOAD_HEAD_MAX)
        return false;
    if (need > reply->partial_size) {
        size_t size = need < 1024 ? 1024 : 2 * need;
        char *partial = realloc(reply->partial, size);

        if (!partial)
            return false;
        reply->partial = partial;
        reply->partial_size = size;
    }
    memcpy(reply->partial + reply->partial_len, data, len);
    reply->partial_len = need;
    return true;
}

/*
 * The head began in an earlier piece. It is looked at anew with each of its lines: that is rare
 * enough, and what is wrong with it shows as soon as if it were in one piece.
 */
static enum load_parsed feed_gathered(struct load_reply *reply, const char **at, const char *end)
{
    while (*at < end) {
        const char *line_end = memchr(*at, '\n', (size_t) (end - *at)), *after = NULL;
        size_t len = (size_t) ((line_end ? line_end + 1 : end) - *at);
        enum load_parsed parsed = LOAD_PARSED_MORE;

        if (!gather(reply, *at, len))
            return LOAD_PARSED_BAD;
        *at += len;
        if (line_end)
            parsed = parse_head(reply, reply->partial, reply->partial + reply->partial_len, &after);
        if (after)
            reply->partial_len = 0;
        if (after || parsed == LOAD_PARSED_BAD)
            return parsed;
    }
    return LOAD_PARSED_MORE;
}

static enum load_parsed feed_head(struct load_reply *reply, const char **at, const char *end)
{
    enum load_parsed parsed;
    const char *after;

    reply->is_begun = true;
    if (reply->partial_len)
        return feed_gathered(reply, at, end);
    parsed = parse_head(reply, *at, end, &after);
    if (parsed == LOAD_PARSED_BAD || after) {
        *at = after ? after : *at;
        return parsed;
    }
    if (!gather(reply, *at, (size_t) (end - *at)))
        return LOAD_PARSED_BAD;
    *at = end;
    return LOAD_PARSED_MORE;
}

/* --- the body ---------------------------------------------------------------------------- */

static void take_body(struct load_reply *reply, const char *data, size_t len)
{
    const struct load_expectation *expected = reply->expected;

    if (expected && expected->body && !reply->body_differs) {
        uint64_t at = reply->body_bytes;

        reply->body_differs =
            at + len > expected->body_len || memcmp(expected->body + at, data, len) != 0;
    }
    reply->body_bytes += len;
}

/* As much as is there of what is left. */
static void take_piece(struct load_reply *reply, const char **at, const char *end)
{
    size_t len = (size_t) (end - *at);

    if (reply->state != UNTIL_CLOSE) {
        if (len > reply->left)
            len = (size_t) reply->left;
        reply->left -= len;
    }
    take_body(reply, *at, len);
    *at += len;
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A byte of a size: a digit, or what follows the digits. */
static bool take_size(struct load_reply *reply, char c)
{
    int value = hex_value(c);

    if (value >= 0) {
        reply->left = reply->left * 16 + (uint64_t) value;
        return ++reply->digits <= SIZE_DIGITS_MAX;
    }
    reply->state = c == '\r' ? SIZE_LF : EXTENSION;
    return reply->digits > 0 && (c == '\r' || c == ';');
}

/* Each is a step of the picture above; false for a byte that must not be there. */
static bool take_chunk_byte(struct load_reply *reply, char c)
{
    switch (reply->state) {
    case SIZE:
        return take_size(reply, c);
    case EXTENSION:
        reply->state = c == '\r' ? SIZE_LF : EXTENSION;
        return c != '\n';
    case SIZE_LF:
        reply->state = reply->left ? DATA : TRAILER;
        return c == '\n';
    case DATA_CR:
        reply->state = DATA_LF;
        return c == '\r';
    case DATA_LF:
        reply->state = SIZE;
        reply->digits = 0;
        return c == '\n';
    case TRAILER:
        reply->state = c == '\r' ? LAST_LF : TRAILER_LINE;
        return c != '\n';
    case TRAILER_LINE:
        reply->state = c == '\r' ? TRAILER_LF : TRAILER_LINE;
        return c != '\n';
    case TRAILER_LF:
        reply->state = TRAILER;
        return c == '\n';
    default: /* LAST_LF */
        return c == '\n';
    }
}

static enum load_parsed feed_chunks(struct load_reply *reply, const char **at, const char *end)
{
    while (*at < end) {
        bool is_last = reply->state == LAST_LF;

        if (reply->state == DATA) {
            take_piece(reply, at, end);
            if (reply->left == 0)
                reply->state = DATA_CR;
            continue;
        }
        if (!take_chunk_byte(reply, *(*at)++))
            return LOAD_PARSED_BAD;
        if (is_last)
            return LOAD_PARSED_REPLY;
    }
    return LOAD_PARSED_MORE;
}

/* --- both -------------------------------------------------------------------------------- */

/* A body that ended too soon differs as well. */
static enum load_parsed conclude(struct load_reply *reply)
{
    const struct load_expectation *expected = reply->expected;

    if (expected && expected->body && reply->kind != LOAD_REPLY_TO_HEAD &&
        reply->body_bytes != expected->body_len)
        reply->body_differs = true;
    return LOAD_PARSED_REPLY;
}

enum load_parsed load_reply_feed(struct load_reply *reply, const char **at, const char *end)
{
    enum load_parsed parsed = LOAD_PARSED_MORE;

    while (*at < end && parsed == LOAD_PARSED_MORE) {
        if (reply->state == HEAD) {
            parsed = feed_head(reply, at, end);
        } else if (reply->state == LENGTH || reply->state == UNTIL_CLOSE) {
            reply->is_begun = true;
            take_piece(reply, at, end);
            if (reply->state == LENGTH && reply->left == 0)
                parsed = LOAD_PARSED_REPLY;
        } else {
            parsed = feed_chunks(reply, at, end);
        }
    }
    return parsed == LOAD_PARSED_REPLY ? conclude(reply) : parsed;
}

enum load_parsed load_reply_end(struct load_reply *reply)
{
    if (reply->state == UNTIL_CLOSE)
        return conclude(reply);
    return reply->is_begun ? LOAD_PARSED_BAD : LOAD_PARSED_MORE;
}
