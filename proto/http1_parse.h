/* SPDX-License-Identifier: MIT */
/*
 * http1_parse.h - incremental HTTP/1.x parser: bytes in, events out
 *
 * No task, no fd, no allocation. Strict: see docs/http-rules.md for what is refused. Where
 * the input was cut makes no difference to the events and their order.
 *
 * It reads one message, says so, and stops: bytes behind the message stay with the
 * caller. A loop around it:
 *
 *     ouro__http1_parse_init(&parser, HTTP1_REQUEST, &memory);
 *     for (;;) {
 *         event = ouro__http1_parse_feed(&parser, data, len, &used);
 *         data += used, len -= used;
 *         switch (event) {
 *         case HTTP1_MORE:      get more bytes, or ouro__http1_parse_eof()
 *         case HTTP1_HEAD:      parser.head is complete
 *         case HTTP1_BODY:      parser.body, parser.body_len: a piece of the body, within `data`
 *         case HTTP1_END:       the message is complete; ouro__http1_parse_next() for another
 *         default:              parser.fault says what is wrong; there is no way on
 *         }
 *     }
 */
#ifndef OURO_HTTP1_PARSE_H
#define OURO_HTTP1_PARSE_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>

#include "http1_head.h"

enum http1_event { HTTP1_MORE, HTTP1_HEAD, HTTP1_BODY, HTTP1_END };

/* A chunk's size line may be this long, extensions and the preceding CRLF included. */
#define HTTP1_CHUNK_LINE_MAX 256

/*
 * Where the head is put, and thereby its limits. The texts of the start line, the
 * fields and the trailers fit into `text_size` bytes as they come from the wire;
 * what does not fit is refused before anything else happens to it.
 */
struct http1_memory {
    char *text;
    size_t text_size;
    size_t line_max; /* of the start line, at most text_size */
    struct http1_field *fields;
    unsigned field_max;
};

struct http1_parser {
    struct http1_head head;   /* grows field by field; complete from HTTP1_HEAD on */
    struct http1_fault fault; /* after an error */
    const char *body;
    size_t body_len;

    /* private */
    struct http1_memory memory;
    size_t text_used;   /* bytes of memory.text that hold something */
    size_t text_start;  /* where the text begins that is being collected */
    size_t head_bytes;  /* of the wire, counted against text_size; trailers included */
    size_t chunk_bytes; /* of the wire, since the last byte of body */
    size_t part_len;    /* of a chunk extension's name or value, so far */
    int error;
    int phase;
    enum http1_event event; /* what a callback of llhttp has seen */
    bool cr_seen;           /* the start line needs only its LF */
    bool line_skipped;
    bool without_body;
    bool in_trailers;
    struct http1_host known_host;
    llhttp_t llhttp;
};

/* Parses messages of one kind, in the order of their arrival. `memory` is copied. */
void ouro__http1_parse_init(struct http1_parser *parser, enum http1_kind kind,
                            const struct http1_memory *memory);

/*
 * Prepares for the next message. The head is that of the last one until the first byte of the next;
 * its texts are gone.
 */
void ouro__http1_parse_next(struct http1_parser *parser);

/* Before its first byte: the next response answers a HEAD, or a CONNECT with 2xx. No body. */
void ouro__http1_parse_expect_no_body(struct http1_parser *parser);

/*
 * Reads on in `data`, which may be empty, up to the next event. What comes before
 * HTTP1_MORE is used up entirely; at any other event `*ret_used` bytes were taken.
 *
 * Returns an http1_event; OURO_EHTTP or OURO_ELIMIT, then and ever after, with
 * parser->fault: the status that a server would answer, and the reason.
 */
int ouro__http1_parse_feed(struct http1_parser *parser, const char *data, size_t len,
                           size_t *ret_used);

/*
 * The peer will send no more. Returns HTTP1_END when that ends the message properly;
 * HTTP1_MORE when no message had begun; OURO_EEOF.
 */
int ouro__http1_parse_eof(struct http1_parser *parser);

/* Whether a request with that method is let through; others are refused with 501. */
bool ouro__http1_parse_knows_method(const char *method);

/* Whether a byte of the next message has been seen: an idle connection has none. */
bool ouro__http1_parse_has_begun(const struct http1_parser *parser);

/* Whether the parser is as it was made: not even an empty line has come. */
bool ouro__http1_parse_is_fresh(const struct http1_parser *parser);

/* Whether the message's end has been read. */
bool ouro__http1_parse_is_complete(const struct http1_parser *parser);

/* Whether the start line is there, and parser.head has it; also when the rest has failed. */
bool ouro__http1_parse_has_line(const struct http1_parser *parser);

#endif /* OURO_HTTP1_PARSE_H */
