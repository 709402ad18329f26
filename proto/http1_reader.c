/* SPDX-License-Identifier: MIT */
/*
 * http1_reader.c - the HTTP/1.x parser on a stream; see http1_reader.h
 */
#include <string.h>

#include "http1_reader.h"

void ouro__http1_reader_init(struct http1_reader *reader, struct ouro_stream *stream,
                             enum http1_kind kind, const struct http1_memory *memory)
{
    memset(reader, 0, sizeof(*reader));
    reader->stream = stream;
    ouro__http1_parse_init(&reader->parser, kind, memory);
}

/* Bytes of body are not used up before somebody takes them. */
static int feed(struct http1_reader *reader, const char *data, size_t len, size_t *ret_used)
{
    int event = ouro__http1_parse_feed(&reader->parser, data, len, ret_used);

    if (event == HTTP1_BODY) {
        reader->body_pending = reader->parser.body_len;
        *ret_used -= reader->body_pending;
    }
    return event;
}

int ouro__http1_reader_step(struct http1_reader *reader)
{
    const char *data;
    ssize_t len = ouro_stream_peek(reader->stream, 0, &data);
    size_t used;
    int event;

    if (len < 0)
        return (int) len;
    event = feed(reader, data, (size_t) len, &used);
    if (event >= 0)
        ouro_stream_consume(reader->stream, used);
    return event;
}

int ouro__http1_reader_receive(struct http1_reader *reader, struct ouro_receiver *receiver,
                               int *ret_event)
{
    struct ouro_lease lease;
    ssize_t len = ouro_receiver_next(receiver, &lease);
    size_t used;
    int code = 0;

    if (len <= 0)
        return (int) len;
    *ret_event = feed(reader, lease.data, (size_t) len, &used);
    if (*ret_event >= 0 && used < (size_t) len)
        code = ouro_stream_append(reader->stream, lease.data + used, (size_t) len - used);
    ouro_lease_release(&lease);
    return code ? code : 1;
}

int ouro__http1_reader_fill(struct http1_reader *reader)
{
    size_t buffered = ouro_stream_buffered(reader->stream);
    const char *data;
    ssize_t result = ouro_stream_peek(reader->stream, buffered + 1, &data);

    if (result < 0)
        return (int) result;
    return (size_t) result > buffered;
}

size_t ouro__http1_reader_take(struct http1_reader *reader, void *buf, size_t len)
{
    const char *data = NULL; /* what is pending can be peeked at */

    if (len > reader->body_pending)
        len = reader->body_pending;
    (void) ouro_stream_peek(reader->stream, 0, &data);
    memcpy(buf, data, len);
    ouro_stream_consume(reader->stream, len);
    reader->body_pending -= len;
    return len;
}

size_t ouro__http1_reader_drop(struct http1_reader *reader)
{
    size_t len = reader->body_pending;

    ouro_stream_consume(reader->stream, len);
    reader->body_pending = 0;
    return len;
}
