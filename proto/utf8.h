/* SPDX-License-Identifier: MIT */
/*
 * utf8.h - whether bytes are UTF-8
 */
#ifndef OURO_UTF8_H
#define OURO_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The length of the well-formed sequence at `text` (Unicode's table 3-7), 1 to 4, or 0.
 * No overlong forms, no surrogates, nothing above U+10FFFF. `len` is at least 1.
 */
size_t ouro__utf8_sequence(const char *text, size_t len);

/* Whether all of it is well-formed. NUL and other control characters are. */
bool ouro__utf8_is_valid(const char *text, size_t len);

#endif /* OURO_UTF8_H */
