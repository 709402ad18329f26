/* SPDX-License-Identifier: MIT */
/*
 * multipart.h - incremental parser of multipart/form-data: bytes in, events out
 *
 * RFC 7578 and RFC 2046 §5.1, strict. No task, no fd, no allocation; linear time. Where the
 * input was cut makes no difference to the events but to how the data of a part is cut.
 *
 *     code = ouro__multipart_boundary(content_type, len, &boundary, &boundary_len);
 *     ouro__multipart_init(&parser, boundary, boundary_len, &memory);
 *     for (;;) {
 *         event = ouro__multipart_feed(&parser, data, len, &used);
 *         data += used, len -= used;
 *         switch (event) {
 *         case MULTIPART_MORE:      get more bytes, or ouro__multipart_eof()
 *         case MULTIPART_PART:      parser.part is complete
 *         case MULTIPART_DATA:      parser.data, parser.data_len: a piece of the part's data
 *         case MULTIPART_PART_END:  there is no more of it
 *         case MULTIPART_END:       the form is complete; what still comes is ignored
 *         default:                  parser.reason says what is wrong; there is no way on
 *         }
 *     }
 *
 * Events come in this order: ( PART DATA* PART_END )* END.
 */
#ifndef OURO_MULTIPART_H
#define OURO_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "http1_head.h"

enum multipart_event {
    MULTIPART_MORE,
    MULTIPART_PART,
    MULTIPART_DATA,
    MULTIPART_PART_END,
    MULTIPART_END
};

#define MULTIPART_BOUNDARY_MAX 70 /* RFC 2046 §5.1.1 */

/*
 * Where the head of a part is put, and thereby its limits: the lines of the fields have to
 * fit into `text_size` bytes, a NUL for the end of each, and the decoded name and filename
 * behind them.
 */
struct multipart_memory {
    char *text;
    size_t text_size;
    struct http1_field *fields;
    unsigned field_max;
};

/*
 * Texts are NUL-terminated, in the caller's memory, and stay until the next part begins. They
 * are in whatever charset the client wrote, as a rule UTF-8; nothing checks that here.
 */
struct multipart_part {
    const char *name; /* may be empty */
    size_t name_len;
    const char *filename; /* what the client calls it, no path to be trusted; NULL: none */
    size_t filename_len;
    const char *content_type;   /* NULL: none, which means text/plain */
    struct http1_field *fields; /* all of them, as received, in their order */
    unsigned field_count;
};

struct multipart_parser {
    struct multipart_part part;
    const char *data; /* within what was fed, or here */
    size_t data_len;
    const char *reason; /* a constant, after an error */

    /* private */
    struct multipart_memory memory;
    size_t text_used;                           /* bytes of memory.text that hold something */
    size_t line_start;                          /* where the field begins that is being collected */
    char delimiter[4 + MULTIPART_BOUNDARY_MAX]; /* "\r\n--boundary" */
    size_t delimiter_len;
    size_t matched; /* bytes of the delimiter that may have been seen, and are held back */
    size_t unseen;  /* of these, bytes at its beginning that were not there */
    int phase;
    int error;
    bool cr_seen;
    bool in_part; /* what is not the delimiter is data; else preamble */
};

/*
 * Finds the boundary in the value of a Content-Type field. Returns 0 and a slice of it;
 * OURO_EHTTP when that is not multipart/form-data with one boundary of 1 to 70 bytes.
 */
int ouro__multipart_boundary(const char *content_type, size_t len, const char **ret_boundary,
                             size_t *ret_boundary_len);

/* The boundary, 1 to 70 bytes, and `memory` are copied. */
void ouro__multipart_init(struct multipart_parser *parser, const char *boundary,
                          size_t boundary_len, const struct multipart_memory *memory);

/*
 * Reads on in `data`, which may be empty, up to the next event. What comes before
 * MULTIPART_MORE is used up entirely; at any other event `*ret_used` bytes were taken, which
 * may be none. No more is ever held back than the delimiter is long.
 *
 * Returns a multipart_event; then and ever after OURO_EHTTP, or OURO_ELIMIT for a part whose
 * head does not fit, with parser->reason.
 */
int ouro__multipart_feed(struct multipart_parser *parser, const char *data, size_t len,
                         size_t *ret_used);

/* There will be no more. Returns MULTIPART_END; OURO_EEOF before the closing delimiter; the error. */
int ouro__multipart_eof(const struct multipart_parser *parser);

#endif /* OURO_MULTIPART_H */
