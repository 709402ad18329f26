/* SPDX-License-Identifier: MIT */
/*
 * accept.h - what a client would rather have: Accept-Encoding, Accept
 *
 *     ouro__accept_init(&accept, "gzip");
 *     for each field called Accept-Encoding
 *         ouro__accept_add(&accept, field->value, field->value_len);
 *     if (ouro__accept_quality(&accept) > 0)
 *         ...
 */
#ifndef OURO_ACCEPT_H
#define OURO_ACCEPT_H

#include <stddef.h>

struct accept {
    const char *name;
    int precision; /* of the element that decides; 0: none has been seen */
    int quality;
};

/*
 * Asks for a content coding ("gzip", "identity") or a media type without parameters
 * ("text/html"). `name` is borrowed.
 */
void ouro__accept_init(struct accept *accept, const char *name);

/*
 * Reads a field's value, RFC 9110 §12.5.1 and §12.5.3. Elements that are not valid say
 * nothing. The most precise one decides: the name itself, then "text" and an asterisk, then
 * "*" or its like for media types; among equals the lowest quality, as it is never wrong to
 * refrain. "x-gzip" and "x-compress" are the names without the "x-".
 */
void ouro__accept_add(struct accept *accept, const char *list, size_t len);

/*
 * 0 (not acceptable) to 1000. Where no element spoke of it: 0, but 1000 for "identity".
 * What the absence of all fields means is for the caller to know.
 */
int ouro__accept_quality(const struct accept *accept);

#endif /* OURO_ACCEPT_H */
