/* SPDX-License-Identifier: MIT */
/*
 * cookie.h - Cookie fields read, Set-Cookie fields written
 *
 * RFC 6265 and its successor 6265bis: tolerant when reading, as servers and browsers
 * are; strict when writing.
 */
#ifndef OURO_COOKIE_H
#define OURO_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ouro_http_cookie.h"

/* --- reading ----------------------------------------------------------------------------- */

struct cookie_reader {
    const char *at; /* the rest of the text */
    const char *end;
};

/* `text` is the value of a Cookie field. */
void ouro__cookie_init(struct cookie_reader *reader, const char *text, size_t len);

/*
 * The next cookie, as slices of the text. Quotes are part of a value. Passed over is what
 * has no '=', a name that is no token, or a value with control characters; they never join
 * with their neighbours, and a name is never guessed.
 *
 * Returns true; false at the end.
 */
bool ouro__cookie_next(struct cookie_reader *reader, const char **ret_name, size_t *ret_name_len,
                       const char **ret_value, size_t *ret_value_len);

/* --- writing ----------------------------------------------------------------------------- */

#define COOKIE_PAIR_MAX      4096 /* name and value; browsers drop more, 6265bis §5.7 */
#define COOKIE_ATTRIBUTE_MAX 1024 /* a path, a domain */

/* Enough for each cookie, and its NUL. */
#define COOKIE_TEXT_MAX (COOKIE_PAIR_MAX + 2 * COOKIE_ATTRIBUTE_MAX + 134)

/*
 * Writes the value of a Set-Cookie field into `size` bytes, with a NUL.
 *
 * Returns its length; -EINVAL for what ouro_http_cookie.h doesn't allow; OURO_ELIMIT when it
 * does not fit.
 */
ssize_t ouro__cookie_write(const struct ouro_http_cookie *cookie, char *buf, size_t size);

#endif /* OURO_COOKIE_H */
