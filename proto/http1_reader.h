/* SPDX-License-Identifier: MIT */
/*
 * http1_reader.h - the HTTP/1.x parser on a stream
 *
 * What a server's connection and a client's have in common. The parser works in the
 * stream's read buffer; bytes of body stay there until somebody takes them.
 */
#ifndef OURO_HTTP1_READER_H
#define OURO_HTTP1_READER_H

#include "http1_parse.h"
#include "ouro_lease.h"
#include "ouro_stream.h"

struct http1_reader {
    struct ouro_stream *stream; /* borrowed */
    struct http1_parser parser;
    size_t body_pending; /* bytes of body at the front of the stream's buffer */
};

void ouro__http1_reader_init(struct http1_reader *reader, struct ouro_stream *stream,
                             enum http1_kind kind, const struct http1_memory *memory);

/*
 * Lets the parser have what is buffered, up to its next event, without waiting. After
 * HTTP1_BODY the pending bytes have to be taken or dropped first. Returns as
 * ouro__http1_parse_feed().
 */
int ouro__http1_reader_step(struct http1_reader *reader);

/*
 * Lets the parser have, in place, what a receiver of the stream's has got next; waits if that is
 * nothing yet. There is nothing buffered before, and afterwards what the parser has left.
 * Sets `*ret_event` as ouro__http1_reader_step(). Returns as ouro__http1_reader_fill().
 */
OURO_TASK int ouro__http1_reader_receive(struct http1_reader *reader,
                                         struct ouro_receiver *receiver, int *ret_event);

/* Waits for more bytes than are buffered. Returns 1; 0 at the end of the stream; or an error. */
OURO_TASK int ouro__http1_reader_fill(struct http1_reader *reader);

/* Copies up to `len` pending bytes of body, and returns how many. */
size_t ouro__http1_reader_take(struct http1_reader *reader, void *buf, size_t len);

/* Drops all pending bytes of body, and returns how many. */
size_t ouro__http1_reader_drop(struct http1_reader *reader);

#endif /* OURO_HTTP1_READER_H */
