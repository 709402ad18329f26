/* SPDX-License-Identifier: MIT */
/*
 * http_multipart.c - forms with files, part by part as they come; see http_exchange.h
 *
 * multipart.c understands the form; here it is fed from the body. Nothing is kept but one buffer
 * and the head of one part, so that a file may be larger than memory.
 */
#include <errno.h>
#include <string.h>

#include "http_exchange.h"
#include "multipart.h"

#define IN_SIZE   4096
#define HEAD_SIZE 4096 /* of a part */
#define FIELD_MAX 16

struct http_multipart {
    struct multipart_parser parser;
    enum multipart_event event; /* the last one */
    const char *at;             /* what of `in` the parser has not seen */
    size_t left;
    int error;
    struct http1_field fields[FIELD_MAX];
    char head[HEAD_SIZE];
    char in[IN_SIZE];
};

static int begin(struct ouro_http_exchange *exchange)
{
    const struct http1_field *type = ouro__http1_head_find(exchange->request, "content-type", 0);
    struct http_multipart *multipart;
    struct multipart_memory memory = {.text_size = HEAD_SIZE, .field_max = FIELD_MAX};
    const char *boundary;
    size_t len;

    if (!type || ouro__multipart_boundary(type->value, type->value_len, &boundary, &len))
        return ouro__http_exchange_fail(exchange, OURO_EHTTP, 415);
    multipart = ouro__http_exchange_allocate(exchange, sizeof(*multipart));
    if (!multipart)
        return -ENOMEM;
    memory.text = multipart->head;
    memory.fields = multipart->fields;
    ouro__multipart_init(&multipart->parser, boundary, len, &memory);
    multipart->event = MULTIPART_PART_END;
    multipart->left = 0;
    multipart->error = 0;
    exchange->multipart = multipart;
    return 0;
}

/* More of the body for the parser. Returns 0 or an error. */
static int fill(struct ouro_http_exchange *exchange, struct http_multipart *multipart)
{
    ssize_t len = ouro_http_read(exchange, multipart->in, sizeof(multipart->in));

    if (len < 0)
        return (int) len;
    multipart->at = multipart->in;
    multipart->left = (size_t) len;
    return len ? 0
               : ouro__http_exchange_fail(exchange, ouro__multipart_eof(&multipart->parser), 400);
}

/* The next event, or an error, which is final. */
static int advance(struct ouro_http_exchange *exchange, struct http_multipart *multipart)
{
    int code = multipart->error;
    size_t used;

    while (!code) {
        code = ouro__multipart_feed(&multipart->parser, multipart->at, multipart->left, &used);
        if (code < 0) {
            (void) ouro__http_exchange_fail(exchange, code, code == OURO_ELIMIT ? 413 : 400);
            break;
        }
        multipart->at += used;
        multipart->left -= used;
        multipart->event = code;
        if (code != MULTIPART_MORE)
            return code;
        code = fill(exchange, multipart);
    }
    multipart->error = code;
    return code;
}

int ouro_http_part_next(struct ouro_http_exchange *exchange, struct ouro_http_part *ret_part)
{
    struct http_multipart *multipart;
    int event = exchange->multipart ? 0 : begin(exchange);

    if (event)
        return event;
    multipart = exchange->multipart;
    if (multipart->event == MULTIPART_END)
        return 0;
    do
        event = advance(exchange, multipart);
    while (event == MULTIPART_DATA || event == MULTIPART_PART_END);
    if (event != MULTIPART_PART)
        return event == MULTIPART_END ? 0 : event;
    ret_part->name = multipart->parser.part.name;
    ret_part->filename = multipart->parser.part.filename;
    ret_part->content_type = multipart->parser.part.content_type;
    return 1;
}

/* What the parser has shown and the handler has not taken stays in parser.data. */
ssize_t ouro_http_part_read(struct ouro_http_exchange *exchange, void *buf, size_t len)
{
    struct http_multipart *multipart = exchange->multipart;
    struct multipart_parser *parser;
    int event;

    if (!multipart)
        return -EINVAL;
    parser = &multipart->parser;
    event = multipart->error ? multipart->error : (int) multipart->event;
    if (event == MULTIPART_PART || (event == MULTIPART_DATA && !parser->data_len))
        event = advance(exchange, multipart);
    if (event != MULTIPART_DATA)
        return event < 0 ? event : 0;
    if (len > parser->data_len)
        len = parser->data_len;
    memcpy(buf, parser->data, len);
    parser->data += len;
    parser->data_len -= len;
    return (ssize_t) len;
}
