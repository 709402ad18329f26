/* SPDX-License-Identifier: MIT */
/* load_tape.c - see load_tape.h */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load_tape.h"

/* --- files ------------------------------------------------------------------------------- */

static int read_stream(FILE *file, char **ret_text, size_t *ret_len)
{
    size_t len = 0, size = 0, count;
    char *text = NULL;

    do {
        char *larger = text;

        if (len + 1 >= size) {
            size = size ? 2 * size : 4096;
            larger = realloc(text, size);
        }
        if (!larger) {
            free(text);
            return -ENOMEM;
        }
        text = larger;
        count = fread(text + len, 1, size - len - 1, file);
        len += count;
    } while (count > 0);
    if (ferror(file)) {
        free(text);
        return -EIO;
    }
    text[len] = '\0';
    *ret_text = text;
    *ret_len = len;
    return 0;
}

int load_read_file(const char *path, char **ret_text, size_t *ret_len)
{
    FILE *file = fopen(path, "rbe");
    int code;

    if (!file)
        return -errno;
    code = read_stream(file, ret_text, ret_len);
    (void) fclose(file);
    return code;
}

/* --- kinds of requests ------------------------------------------------------------------- */

/* Takes `text`, which may be NULL for want of memory. */
static int add_take(struct load_requests *requests, char *text, size_t len, unsigned weight,
                    enum load_reply_kind kind)
{
    struct load_request *first = NULL;

    if (text)
        first = reallocarray(requests->first, requests->count + 1, sizeof(*first));
    if (!first) {
        free(text);
        return -ENOMEM;
    }
    first[requests->count] =
        (struct load_request) {.text = text, .len = len, .weight = weight, .kind = kind};
    requests->first = first;
    requests->count++;
    return 0;
}

void load_requests_done(struct load_requests *requests)
{
    for (unsigned i = 0; i < requests->count; i++)
        free(requests->first[i].text);
    free(requests->first);
    *requests = (struct load_requests) {NULL, 0};
}

static bool is_named(const struct load_request_options *options, const char *name)
{
    size_t len = strlen(name);

    for (unsigned i = 0; i < options->header_count; i++)
        if (strncasecmp(options->headers[i], name, len) == 0 && options->headers[i][len] == ':')
            return true;
    return false;
}

/* Something that would end the line too soon, or split it. */
static bool is_breaking(const char *text, bool spaces_break)
{
    for (; *text; text++)
        if (*text == '\r' || *text == '\n' || (spaces_break && (*text == ' ' || *text == '\t')))
            return true;
    return false;
}

static void write_head(FILE *out, const struct load_request_options *options, const char *method,
                       const char *target, size_t body_len, bool has_body)
{
    (void) fprintf(out, "%s %s HTTP/1.1\r\n", method, target);
    if (!is_named(options, "Host"))
        (void) fprintf(out, "Host: %s\r\n", options->host);
    for (unsigned i = 0; i < options->header_count; i++)
        (void) fprintf(out, "%s\r\n", options->headers[i]);
    if (options->closes && !is_named(options, "Connection"))
        (void) fputs("Connection: close\r\n", out);
    if (has_body && !is_named(options, "Content-Length") && !is_named(options, "Transfer-Encoding"))
        (void) fprintf(out, "Content-Length: %zu\r\n", body_len);
    (void) fputs("\r\n", out);
}

int load_requests_add(struct load_requests *requests, const struct load_request_options *options,
                      const char *method, const char *target, const char *body, size_t body_len,
                      unsigned weight)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out;

    if (!*method || is_breaking(method, true) || !*target || is_breaking(target, true))
        return -EINVAL;
    for (unsigned i = 0; i < options->header_count; i++)
        if (is_breaking(options->headers[i], false) || !strchr(options->headers[i], ':'))
            return -EINVAL;
    out = open_memstream(&text, &len);
    if (!out)
        return -ENOMEM;
    write_head(out, options, method, target, body_len, body != NULL);
    if (body)
        (void) fwrite(body, 1, body_len, out);
    if (fclose(out)) {
        free(text);
        return -ENOMEM;
    }
    return add_take(requests, text, len, weight,
                    strcmp(method, "HEAD") == 0 ? LOAD_REPLY_TO_HEAD : LOAD_REPLY_HTTP);
}

int load_requests_add_echo(struct load_requests *requests, size_t len)
{
    char *text = malloc(len);

    for (size_t i = 0; text && i < len; i++)
        text[i] = (char) ('a' + i % 26);
    return add_take(requests, text, len, 1, LOAD_REPLY_ECHO);
}

/* --- raw requests ------------------------------------------------------------------------ */

/* What the head of a raw request says of its body. */
struct raw_head {
    size_t len;    /* of the head; 0: there is none */
    size_t length; /* of the body */
    bool is_chunked;
};

static bool field_is(const char *line, const char *end, const char *name)
{
    size_t len = strlen(name);

    return (size_t) (end - line) > len && strncasecmp(line, name, len) == 0 && line[len] == ':';
}

static struct raw_head read_raw_head(const char *text, size_t len)
{
    struct raw_head head = {.len = 0};
    const char *empty = memmem(text, len, "\r\n\r\n", 4), *line, *line_end;

    if (!empty)
        return head;
    head.len = (size_t) (empty + 4 - text);
    for (line = text; line < empty; line = line_end + 2) {
        line_end = memmem(line, (size_t) (empty + 2 - line), "\r\n", 2);
        if (field_is(line, line_end, "Content-Length"))
            head.length = strtoul(line + 15, NULL, 10);
        if (field_is(line, line_end, "Transfer-Encoding"))
            head.is_chunked = true;
    }
    return head;
}

/* Behind a chunked body without trailers; 0 when it is none. */
static size_t chunked_len(const char *text, size_t len)
{
    size_t at = 0;

    for (;;) {
        const char *line_end = memmem(text + at, len - at, "\r\n", 2);
        char *digits_end;
        size_t size = line_end ? strtoul(text + at, &digits_end, 16) : 0;

        if (!line_end || digits_end == text + at)
            return 0;
        at = (size_t) (line_end + 2 - text);
        if (size > len - at || len - at - size < 2)
            return 0;
        if (memcmp(text + at + size, "\r\n", 2) != 0)
            return 0;
        at += size + 2;
        if (size == 0)
            return at;
    }
}

/* The first request of `text`: all of it, when it is nothing that can be told apart. */
static size_t raw_len(const char *text, size_t len)
{
    struct raw_head head = read_raw_head(text, len);
    size_t body_len = head.length;

    if (!head.len)
        return len;
    if (head.is_chunked) {
        body_len = chunked_len(text + head.len, len - head.len);
        return body_len ? head.len + body_len : len;
    }
    return body_len <= len - head.len ? head.len + body_len : len;
}

int load_requests_add_raw(struct load_requests *requests, const char *text, size_t len)
{
    int count = 0;

    while (len > 0) {
        size_t one = raw_len(text, len);
        bool to_head = len > 5 && memcmp(text, "HEAD ", 5) == 0;
        char *copy = malloc(one + 1);
        int code;

        if (copy)
            memcpy(copy, text, one);
        code = add_take(requests, copy, one, 1, to_head ? LOAD_REPLY_TO_HEAD : LOAD_REPLY_HTTP);
        if (code)
            return code;
        if (++count > LOAD_TAPE_MAX)
            return -E2BIG;
        text += one;
        len -= one;
    }
    return count;
}

/* --- mixes ------------------------------------------------------------------------------- */

/* A line without its end, cut up in place. Returns 0 for an empty one, too. */
static int add_mix_line(struct load_requests *requests, const struct load_request_options *options,
                        char *line)
{
    char *save = NULL, *end, *body = NULL;
    const char *weight_text, *method, *target, *path;
    size_t body_len = 0;
    unsigned long weight;
    int code = 0;

    line[strcspn(line, "#")] = '\0';
    weight_text = strtok_r(line, " \t\r", &save);
    if (!weight_text)
        return 0;
    method = strtok_r(NULL, " \t\r", &save);
    target = strtok_r(NULL, " \t\r", &save);
    path = strtok_r(NULL, " \t\r", &save);
    weight = strtoul(weight_text, &end, 10);
    if (*end || *weight_text == '-' || weight < 1 || weight > LOAD_TAPE_MAX || !target ||
        strtok_r(NULL, " \t\r", &save))
        return -EINVAL;
    if (path)
        code = load_read_file(path, &body, &body_len);
    if (!code)
        code =
            load_requests_add(requests, options, method, target, body, body_len, (unsigned) weight);
    free(body);
    return code;
}

int load_requests_add_mix(struct load_requests *requests,
                          const struct load_request_options *options, const char *text,
                          unsigned *ret_line)
{
    char *copy = strdup(text), *rest = copy, *line;
    int code = copy ? 0 : -ENOMEM;

    for (unsigned number = 1; !code && (line = strsep(&rest, "\n")); number++) {
        code = add_mix_line(requests, options, line);
        if (code)
            *ret_line = number;
    }
    free(copy);
    return code;
}

/* --- tapes ------------------------------------------------------------------------------- */

static unsigned common_divisor(unsigned a, unsigned b)
{
    while (b) {
        unsigned rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* How often each occurs on the tape is its weight without what all have in common. */
static int count_requests(const struct load_requests *requests, unsigned *ret_divisor,
                          unsigned *ret_count)
{
    unsigned divisor = 0;
    unsigned long sum = 0;

    for (unsigned i = 0; i < requests->count; i++) {
        divisor = common_divisor(requests->first[i].weight, divisor);
        sum += requests->first[i].weight;
    }
    if (!divisor)
        return -EINVAL;
    if (sum / divisor > LOAD_TAPE_MAX)
        return -E2BIG;
    *ret_divisor = divisor;
    *ret_count = (unsigned) (sum / divisor);
    return 0;
}

/* The one whose credit is greatest pays for its turn; all earn their weight each turn. */
static unsigned choose(const struct load_requests *requests, long *credits, unsigned divisor,
                       unsigned count)
{
    unsigned best = 0;

    for (unsigned i = 0; i < requests->count; i++) {
        credits[i] += requests->first[i].weight / divisor;
        if (credits[i] > credits[best])
            best = i;
    }
    credits[best] -= count;
    return best;
}

static void lay_out(const struct load_requests *requests, struct load_tape *tape, unsigned total)
{
    size_t at = 0;

    for (unsigned i = 0; i < total; i++) {
        const struct load_request *request = &requests->first[tape->names[i % tape->count]];

        tape->offsets[i] = at;
        tape->kinds[i] = (unsigned char) request->kind;
        memcpy(tape->text + at, request->text, request->len);
        at += request->len;
    }
    tape->offsets[total] = at;
}

static int fill(const struct load_requests *requests, struct load_tape *tape, unsigned divisor,
                unsigned total)
{
    long *credits = calloc(requests->count, sizeof(*credits));
    size_t bytes = 0;

    if (!credits)
        return -ENOMEM;
    for (unsigned i = 0; i < tape->count; i++)
        tape->names[i] = (unsigned short) choose(requests, credits, divisor, tape->count);
    free(credits);
    for (unsigned i = 0; i < total; i++)
        bytes += requests->first[tape->names[i % tape->count]].len;
    if (bytes > LOAD_TAPE_BYTES)
        return -E2BIG;
    tape->text = malloc(bytes);
    if (!tape->text)
        return -ENOMEM;
    lay_out(requests, tape, total);
    return 0;
}

int load_tape_make(const struct load_requests *requests, unsigned pipeline,
                   struct load_tape *ret_tape)
{
    struct load_tape tape = {.text = NULL};
    unsigned divisor, total;
    int code = count_requests(requests, &divisor, &tape.count);

    if (code)
        return code;
    total = tape.count + pipeline;
    tape.offsets = calloc(total + 1, sizeof(*tape.offsets));
    tape.kinds = calloc(total, sizeof(*tape.kinds));
    tape.names = calloc(tape.count, sizeof(*tape.names));
    code = -ENOMEM;
    if (tape.offsets && tape.kinds && tape.names)
        code = fill(requests, &tape, divisor, total);
    if (code)
        load_tape_done(&tape);
    else
        *ret_tape = tape;
    return code;
}

void load_tape_done(struct load_tape *tape)
{
    free(tape->text);
    free(tape->offsets);
    free(tape->kinds);
    free(tape->names);
    *tape = (struct load_tape) {.text = NULL};
}
