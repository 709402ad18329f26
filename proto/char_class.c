/* SPDX-License-Identifier: MIT */
/*
 * char_class.c - what each byte may be part of; see char_class.h
 */
#include <endian.h>
#include <string.h>

#include "char_class.h"

#define IS_ALNUM(c) \
    (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z') || ((c) >= '0' && (c) <= '9'))
#define IS_VISIBLE(c) ((c) > ' ' && (c) <= '~')
#define IS_TOKEN_SIGN(c)                                                                    \
    ((c) == '!' || ((c) >= '#' && (c) <= '\'') || (c) == '*' || (c) == '+' || (c) == '-' || \
     (c) == '.' || (c) == '^' || (c) == '_' || (c) == '`' || (c) == '|' || (c) == '~')
#define IS_HOST_SIGN(c) ((c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define IS_ESCAPED(c) \
    ((c) == '&' || (c) == '<' || (c) == '>' || (c) == '"' || (c) == '\'' || (c) == '\\')

#define CLASSES(c)                                                                 \
    ((IS_ALNUM(c) || IS_TOKEN_SIGN(c) ? CHAR_TOKEN : 0) |                          \
     (IS_VISIBLE(c) && (c) != '#' && (c) != '\\' ? CHAR_TARGET : 0) |              \
     (((c) >= ' ' && (c) != 0x7f) || (c) == '\t' ? CHAR_VALUE : 0) |               \
     (IS_ALNUM(c) || IS_HOST_SIGN(c) ? CHAR_HOST : 0) |                            \
     (IS_VISIBLE(c) && (c) != '/' && (c) != '%' && (c) != '\\' ? CHAR_PLAIN : 0) | \
     ((IS_VISIBLE(c) || (c) == ' ') && !IS_ESCAPED(c) ? CHAR_UNESCAPED : 0))

#define FOUR(c)    CLASSES(c), CLASSES((c) + 1), CLASSES((c) + 2), CLASSES((c) + 3)
#define SIXTEEN(c) FOUR(c), FOUR((c) + 4), FOUR((c) + 8), FOUR((c) + 12)

const uint8_t ouro__char_classes[256] = {
    SIXTEEN(0x00), SIXTEEN(0x10), SIXTEEN(0x20), SIXTEEN(0x30), SIXTEEN(0x40), SIXTEEN(0x50),
    SIXTEEN(0x60), SIXTEEN(0x70), SIXTEEN(0x80), SIXTEEN(0x90), SIXTEEN(0xa0), SIXTEEN(0xb0),
    SIXTEEN(0xc0), SIXTEEN(0xd0), SIXTEEN(0xe0), SIXTEEN(0xf0),
};

/* A byte in each of the eight places of a word. */
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * The bytes below ' ' and 0x7f among eight, each by its top bit, the first one lowest: subtracting
 * borrows from a top bit where it had none to begin with. (Above the first it may err.)
 */
static uint64_t stops_in(const char *text)
{
    uint64_t word;

    memcpy(&word, text, sizeof(word));
    word = le64toh(word);
    return ((word - EACH(' ')) | ((word ^ EACH(0x7f)) - EACH(1))) & ~word & EACH(0x80);
}

typedef uint8_t bytes16 __attribute__((vector_size(16)));

/* Whether there is none among sixteen. */
static bool is_plain(const char *text)
{
    bytes16 bytes, stops;
    uint64_t halves[2];

    memcpy(&bytes, text, sizeof(bytes));
    stops = (bytes16) (bytes < ' ') | (bytes16) (bytes == 0x7f);
    memcpy(halves, &stops, sizeof(halves));
    return !(halves[0] | halves[1]);
}

size_t ouro__char_value_span(const char *text, size_t len)
{
    size_t i = 0;

    while (len - i >= 16 && is_plain(text + i))
        i += 16;
    while (len - i >= 8) {
        uint64_t stops = stops_in(text + i);

        if (!stops) {
            i += 8;
            continue;
        }
        i += (size_t) __builtin_ctzll(stops) / 8;
        if (text[i] != '\t')
            return i;
        i++;
    }
    return i + char_span(text + i, len - i, CHAR_VALUE);
}
