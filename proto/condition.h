/* SPDX-License-Identifier: MIT */
/*
 * condition.h - conditional requests, RFC 9110 §13: entity-tags, dates, and what follows from them
 *
 * No task, no fd, no allocation.
 */
#ifndef OURO_CONDITION_H
#define OURO_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http1_head.h"

/* What is known of the present state of what the request is about. */
struct validators {
    const char *etag;   /* valid; NULL: none */
    int64_t modified_s; /* seconds since 1970; 0: unknown */
};

/* RFC 9110 §8.8.3: text in double quotes, without blanks and controls, perhaps with W/ before it. */
bool ouro__etag_is_valid(const char *text, size_t len);

enum etag_comparison {
    ETAG_STRONG, /* the same bytes: both tags are without W/ */
    ETAG_WEAK    /* the same for most purposes: W/ does not count */
};

/*
 * Whether a list of entity-tags has this one; "*" alone has all, and something where there is
 * none (`etag` is NULL). What is not valid ends a list; what stands before it counts, as the
 * client certainly knows it.
 */
bool ouro__etag_list_has(const char *list, size_t len, const char *etag,
                         enum etag_comparison comparison);

/*
 * Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of
 * RFC 9110 §13.2.2. There is something to be had, be it without validators; the time now tells
 * dates of the future, which say nothing.
 *
 * Returns 0: go on; 304 Not Modified, for GET and HEAD only; 412 Precondition Failed.
 */
int ouro__condition_check(const struct http1_head *request, const struct validators *validators,
                          int64_t now_s);

/*
 * Whether If-Range, RFC 9110 §13.1.5, lets a Range count. True without it. A tag has to be the
 * same, strongly; a date exactly the same, and of a second that is over.
 */
bool ouro__condition_allows_range(const struct http1_head *request,
                                  const struct validators *validators, int64_t now_s);

#endif /* OURO_CONDITION_H */
