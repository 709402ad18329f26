/* SPDX-License-Identifier: MIT */
/*
 * fuzz_multipart.c - libFuzzer target for proto/multipart.c
 *
 * The first two bytes choose how the rest is cut and how much memory there is for heads. Whole,
 * byte by byte, and in pieces, the events have to be the same, and so has the data of each part.
 * Each piece is an allocation of its own size, so that AddressSanitizer sees who reads on.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro_base.h"

#include "multipart.h"

#include "fuzz.h"

#define BOUNDARY  "b'x"
#define FIELD_MAX 3
#define TEXT_MAX  256

/* What happened, as bytes: those of data escaped, so that they can't be taken for an event. */
struct record {
    char *bytes;
    size_t len, capacity;
};

static void add(struct record *record, const void *bytes, size_t len)
{
    if (len > record->capacity - record->len) {
        record->capacity = 2 * (record->capacity + len);
        record->bytes = realloc(record->bytes, record->capacity);
        REQUIRE(record->bytes);
    }
    if (len)
        memcpy(record->bytes + record->len, bytes, len);
    record->len += len;
}

/* With its NUL, which no text of a head has inside. */
static void add_text(struct record *record, const char *text, size_t len)
{
    REQUIRE(strlen(text) == len);
    add(record, text, len + 1);
}

static void add_part(struct record *record, const struct multipart_part *part)
{
    add(record, "\1P", 2);
    add_text(record, part->name, part->name_len);
    if (part->filename)
        add_text(record, part->filename, part->filename_len);
    if (part->content_type)
        add_text(record, part->content_type, strlen(part->content_type));
    REQUIRE(part->field_count <= FIELD_MAX);
    for (unsigned i = 0; i < part->field_count; i++) {
        add_text(record, part->fields[i].name, part->fields[i].name_len);
        add_text(record, part->fields[i].value, part->fields[i].value_len);
    }
    add(record, "\1H", 2);
}

static void add_data(struct record *record, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        add(record, data[i] == 1 ? "\1\1" : data + i, data[i] == 1 ? 2 : 1);
}

static void add_event(struct record *record, const struct multipart_parser *parser, int event)
{
    switch (event) {
    case MULTIPART_PART:
        add_part(record, &parser->part);
        break;
    case MULTIPART_DATA:
        REQUIRE(parser->data_len);
        add_data(record, parser->data, parser->data_len);
        break;
    case MULTIPART_PART_END:
        add(record, "\1E", 2);
        break;
    case MULTIPART_END:
        add(record, "\1.", 2);
        break;
    default:
        REQUIRE(event == OURO_EHTTP || event == OURO_ELIMIT);
        REQUIRE(parser->reason);
        add(record, event == OURO_EHTTP ? "\1X" : "\1L", 2);
        add(record, parser->reason, strlen(parser->reason));
    }
}

/* Returns false after an error. */
static bool feed(struct multipart_parser *parser, struct record *record, const uint8_t *input,
                 size_t len)
{
    char *copy = malloc(len ? len : 1);
    const char *data = copy;
    int event;

    REQUIRE(copy);
    memcpy(copy, input, len);
    do {
        size_t used = 0;

        event = ouro__multipart_feed(parser, data, len, &used);
        REQUIRE(used <= len);
        if (event != MULTIPART_MORE)
            add_event(record, parser, event);
        if (event == MULTIPART_DATA)
            REQUIRE((parser->data >= data && parser->data + parser->data_len <= data + used) ||
                    (parser->data >= parser->delimiter &&
                     parser->data + parser->data_len < parser->delimiter + parser->delimiter_len));
        data += used;
        len -= used;
    } while (event > MULTIPART_MORE);
    REQUIRE(event < 0 || !len);
    free(copy);
    return event >= 0;
}

/* `cuts` chooses the sizes of the pieces; 0: there is but one. */
static struct record parse(const uint8_t *data, size_t size, unsigned cuts, size_t text_size)
{
    struct http1_field fields[FIELD_MAX];
    char *text = malloc(text_size);
    struct multipart_memory memory = {
        .text = text, .text_size = text_size, .fields = fields, .field_max = FIELD_MAX};
    struct multipart_parser parser;
    struct record record = {NULL, 0, 0};
    bool alive = true;

    REQUIRE(text);
    ouro__multipart_init(&parser, BOUNDARY, strlen(BOUNDARY), &memory);
    while (alive && size) {
        size_t piece = cuts ? cuts % 13 + 1 : size;

        if (piece > size)
            piece = size;
        alive = feed(&parser, &record, data, piece);
        data += piece;
        size -= piece;
        if (cuts > 13)
            cuts = cuts * 75 % 65537 + 14;
    }
    if (alive && ouro__multipart_eof(&parser) == OURO_EEOF)
        add(&record, "\1T", 2);
    free(text);
    return record;
}

static void check_boundary(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    const char *boundary;
    size_t len;

    REQUIRE(copy);
    memcpy(copy, data, size);
    if (!ouro__multipart_boundary(copy, size, &boundary, &len)) {
        REQUIRE(len >= 1 && len <= MULTIPART_BOUNDARY_MAX);
        REQUIRE(boundary > copy && boundary + len <= copy + size);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record whole, singly, cut;
    size_t text_size;

    check_boundary(data, size);
    if (size < 2)
        return 0;
    text_size = data[1] & 0x80 ? TEXT_MAX : data[1] + 1u;
    whole = parse(data + 2, size - 2, 0, text_size);
    singly = parse(data + 2, size - 2, 13, text_size);
    cut = parse(data + 2, size - 2, data[0] + 1u, text_size);
    REQUIRE(whole.len == singly.len && whole.len == cut.len);
    REQUIRE(!whole.len || !memcmp(whole.bytes, singly.bytes, whole.len));
    REQUIRE(!whole.len || !memcmp(whole.bytes, cut.bytes, whole.len));
    free(whole.bytes);
    free(singly.bytes);
    free(cut.bytes);
    return 0;
}
