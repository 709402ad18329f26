/* SPDX-License-Identifier: MIT */
/*
 * utf8.c - whether bytes are UTF-8; see utf8.h
 *
 * Ill-formed sequences are refused wherever text comes from a peer: each lenient decoder
 * finds something else in them, and a check made before one doesn't hold after another.
 */
#include "utf8.h"

static size_t sequence(const unsigned char *text, size_t len)
{
    unsigned char first = text[0];
    size_t need = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    unsigned char low = 0x80, high = 0xbf; /* of the second byte */

    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (!need || need > len || first > 0xf4)
        return 0;
    if (need > 1 && (text[1] < low || text[1] > high))
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

size_t ouro__utf8_sequence(const char *text, size_t len)
{
    return sequence((const unsigned char *) text, len);
}

bool ouro__utf8_is_valid(const char *text, size_t len)
{
    size_t step;

    for (size_t i = 0; i < len; i += step) {
        step = ouro__utf8_sequence(text + i, len - i);
        if (!step)
            return false;
    }
    return true;
}
