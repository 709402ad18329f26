/* SPDX-License-Identifier: MIT */
/*
 * http_gzip.c - answers compressed by gzip; see http_gzip.h
 *
 * zlib does the work, at its fastest level: the second fastest costs half as much again for a few
 * per cent of size.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "accept.h"
#include "http_gzip.h"

#define LEVEL       1
#define GZIP_WINDOW (13 + 16) /* 8 KiB; 16 is zlib's way to ask for gzip's header */
#define MEMORY      6         /* with that, 64 KiB for as long as an answer lasts, not 260 */
#define WHOLE_MIN   512       /* what is shorter fits into a packet anyway */
#define PIECE_SIZE  4096

struct http_gzip {
    z_stream stream;
};

/* --- whether ----------------------------------------------------------------------------- */

static bool has_suffix(const char *text, size_t len, const char *suffix)
{
    size_t suffix_len = strlen(suffix);

    return len >= suffix_len &&
           ouro__http1_name_equals(text + len - suffix_len, suffix_len, suffix);
}

/* Text of some kind. What is compressed in itself, as images are, would only cost time. */
static bool gains(const char *content_type)
{
    static const char *const types[] = {"application/json", "application/javascript",
                                        "application/xml", "application/wasm", "image/svg+xml"};
    size_t len = strcspn(content_type, "; \t");

    if (len > 5 && ouro__http1_name_equals(content_type, 5, "text/"))
        return !ouro__http1_name_equals(content_type, len, "text/event-stream");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (ouro__http1_name_equals(content_type, len, types[i]))
            return true;
    return has_suffix(content_type, len, "+json") || has_suffix(content_type, len, "+xml");
}

static struct http_answer_field *find_field(const struct ouro_http_exchange *exchange,
                                            const char *name)
{
    struct http_answer_field *field = exchange->fields.first;

    while (field && !ouro__http1_name_equals(field->name, strlen(field->name), name))
        field = field->next;
    return field;
}

/* The handler may have encoded the body itself, or forbidden anybody to (RFC 9111 §5.2.2.6). */
static bool is_left_alone(const struct ouro_http_exchange *exchange)
{
    const struct http_answer_field *field = exchange->fields.first;

    for (; field; field = field->next)
        if (ouro__http1_name_equals(field->name, strlen(field->name), "cache-control") &&
            ouro__http1_list_has_token(field->value, "no-transform"))
            return true;
    return exchange->is_verbatim || find_field(exchange, "content-encoding") ||
           find_field(exchange, "content-range");
}

static bool is_accepted(const struct http1_head *request)
{
    struct accept accept;

    ouro__accept_init(&accept, "gzip");
    for (unsigned i = 0; i < request->field_count; i++) {
        const struct http1_field *field = &request->fields[i];

        if (ouro__http1_name_equals(field->name, field->name_len, "accept-encoding"))
            ouro__accept_add(&accept, field->value, field->value_len);
    }
    return ouro__accept_quality(&accept) > 0;
}

int ouro__http_gzip_choose(struct ouro_http_exchange *exchange, int status,
                           const char *content_type, uint64_t length)
{
    int code;

    if (exchange->limits.gzip != OURO_HTTP_GZIP_ON || status == 204 || status == 206 ||
        status == 304 || length < WHOLE_MIN || !content_type || !gains(content_type) ||
        is_left_alone(exchange))
        return 0;
    code = ouro__http_exchange_add_field(exchange, &exchange->fields, "Vary", "Accept-Encoding");
    return code ? code : is_accepted(exchange->request);
}

/*
 * RFC 9110 §8.8.3.3: a strong validator is for these bytes, and those are others. Weak it may be
 * the same.
 */
static int weaken_etag(struct ouro_http_exchange *exchange)
{
    struct http_answer_field *etag = find_field(exchange, "etag");
    char *weak;
    size_t len;

    if (!etag || etag->value[0] != '"')
        return 0;
    len = strlen(etag->value);
    weak = ouro__http_exchange_allocate(exchange, len + 3);
    if (!weak)
        return -ENOMEM;
    memcpy(weak, "W/", 2);
    memcpy(weak + 2, etag->value, len + 1);
    etag->value = weak;
    return 0;
}

int ouro__http_gzip_tell(struct ouro_http_exchange *exchange)
{
    int code = weaken_etag(exchange);

    return code ? code
                : ouro__http_exchange_add_field(exchange, &exchange->fields, "Content-Encoding",
                                                "gzip");
}

/* --- zlib -------------------------------------------------------------------------------- */

static void *allocate(void *opaque, unsigned count, unsigned size)
{
    (void) opaque;
    return calloc(count, size);
}

static void release(void *opaque, void *memory)
{
    (void) opaque;
    free(memory);
}

static int begin(z_stream *stream)
{
    memset(stream, 0, sizeof(*stream));
    stream->zalloc = allocate;
    stream->zfree = release;
    return deflateInit2(stream, LEVEL, Z_DEFLATED, GZIP_WINDOW, MEMORY, Z_DEFAULT_STRATEGY) == Z_OK
               ? 0
               : -ENOMEM;
}

/* --- whole bodies ------------------------------------------------------------------------ */

int ouro__http_gzip_whole(struct ouro_http_exchange *exchange, const void *body, size_t len,
                          const void **ret_body, size_t *ret_len)
{
    z_stream stream;
    void *memory;
    bool is_smaller;

    if (len > UINT32_MAX)
        return 0;
    memory = ouro__http_exchange_allocate(exchange, len);
    if (!memory || begin(&stream))
        return -ENOMEM;
    stream.next_in = (z_const Bytef *) body;
    stream.avail_in = (unsigned) len;
    stream.next_out = memory;
    stream.avail_out = (unsigned) len;
    is_smaller = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    if (is_smaller) {
        *ret_body = memory;
        *ret_len = stream.total_out;
    }
    (void) deflateEnd(&stream);
    return is_smaller;
}

/* --- bodies in pieces -------------------------------------------------------------------- */

int ouro__http_gzip_begin(struct ouro_http_exchange *exchange)
{
    struct http_gzip *gzip = malloc(sizeof(*gzip));
    int code = gzip ? begin(&gzip->stream) : -ENOMEM;

    if (code) {
        free(gzip);
        return code;
    }
    exchange->gzip = gzip;
    return 0;
}

/* Lets zlib go on until it has no more to say. */
static int drive(struct ouro_http_exchange *exchange, int flush)
{
    z_stream *stream = &exchange->gzip->stream;
    char out[PIECE_SIZE];
    int code = 0;

    do {
        stream->next_out = (Bytef *) out;
        stream->avail_out = sizeof(out);
        (void) deflate(stream, flush);
        if (stream->avail_out < sizeof(out))
            code = exchange->ops->write(exchange, out, sizeof(out) - stream->avail_out);
    } while (!code && stream->avail_out == 0);
    return code;
}

int ouro__http_gzip_write(struct ouro_http_exchange *exchange, const void *data, size_t len)
{
    z_stream *stream = &exchange->gzip->stream;
    const char *at = data;
    int code = 0;

    while (len && !code) {
        size_t piece = len < UINT32_MAX ? len : UINT32_MAX;

        stream->next_in = (z_const Bytef *) at;
        stream->avail_in = (unsigned) piece;
        code = drive(exchange, Z_SYNC_FLUSH);
        at += piece;
        len -= piece;
    }
    return code;
}

int ouro__http_gzip_end(struct ouro_http_exchange *exchange)
{
    exchange->gzip->stream.avail_in = 0;
    return drive(exchange, Z_FINISH);
}

void ouro__http_gzip_done(struct ouro_http_exchange *exchange)
{
    if (!exchange->gzip)
        return;
    (void) deflateEnd(&exchange->gzip->stream);
    free(exchange->gzip);
    exchange->gzip = NULL;
}
