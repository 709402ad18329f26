/* SPDX-License-Identifier: MIT */
/*
 * http1_scan.h - the head of a request that is there as a whole, in one pass
 */
#ifndef OURO_HTTP1_SCAN_H
#define OURO_HTTP1_SCAN_H

#include "http1_parse.h"

/*
 * Reads the head of a GET or HEAD without a body at the beginning of `data`, if it is there to
 * its end, and beyond any doubt: within the limits of `memory`, and the way it ought to be.
 *
 * Returns its length, with method, target, version and fields in `head`, and their texts in
 * `memory`; 0: the parser has to look for itself, and nothing but memory has changed.
 */
size_t ouro__http1_scan(const char *data, size_t len, const struct http1_memory *memory,
                        struct http1_head *head);

#endif /* OURO_HTTP1_SCAN_H */
