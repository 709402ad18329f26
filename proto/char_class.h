/* SPDX-License-Identifier: MIT */
/*
 * char_class.h - what each byte may be part of, in a table
 *
 * Parsing is for the most part asking this of one byte after the other.
 */
#ifndef OURO_CHAR_CLASS_H
#define OURO_CHAR_CLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum char_class {
    CHAR_TOKEN = 1 << 0,     /* RFC 9110 §5.6.2 */
    CHAR_TARGET = 1 << 1,    /* of a request: visible ASCII but '#' and '\' */
    CHAR_VALUE = 1 << 2,     /* of a field: tabs, blanks, visible ASCII, bytes of old charsets */
    CHAR_HOST = 1 << 3,      /* of a name: letters, digits, "-._~" */
    CHAR_PLAIN = 1 << 4,     /* of a path's segment, where it needs neither decoding nor checks */
    CHAR_UNESCAPED = 1 << 5, /* of a text in HTML or JSON, where it stands for itself */
};

extern const uint8_t ouro__char_classes[256];

static inline bool char_is(char c, enum char_class class)
{
    return ouro__char_classes[(unsigned char) c] & class;
}

/* How many bytes at `text` are all of that class. By fours: most of it would be the loop. */
static inline size_t char_span(const char *text, size_t len, enum char_class class)
{
    size_t i = 0;

    for (; len - i >= 4; i += 4) {
        if (!char_is(text[i], class))
            return i;
        if (!char_is(text[i + 1], class))
            return i + 1;
        if (!char_is(text[i + 2], class))
            return i + 2;
        if (!char_is(text[i + 3], class))
            return i + 3;
    }
    while (i < len && char_is(text[i], class))
        i++;
    return i;
}

/* The same for a text that ends with a byte that is not, such as a NUL. */
static inline size_t char_run(const char *text, enum char_class class)
{
    size_t i = 0;

    while (char_is(text[i], class))
        i++;
    return i;
}

/* The same for CHAR_VALUE, of which there are many in a row. */
size_t ouro__char_value_span(const char *text, size_t len);

#endif /* OURO_CHAR_CLASS_H */
