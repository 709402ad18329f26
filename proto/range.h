/* SPDX-License-Identifier: MIT */
/*
 * range.h - ranges of bytes that a client asks for, RFC 9110 §14
 *
 * No task, no fd, no allocation.
 */
#ifndef OURO_RANGE_H
#define OURO_RANGE_H

#include <stddef.h>
#include <stdint.h>

#define RANGES_MAX 16

/* Of something that has `size` bytes; at least one of these, and none beyond its end. */
struct range {
    uint64_t first;
    uint64_t len;
};

struct range_set {
    struct range ranges[RANGES_MAX]; /* in the order in which they were asked for */
    unsigned count;
};

enum range_verdict {
    RANGE_WHOLE,        /* the field is ignored, as RFC 9110 §14.2 allows: the answer is 200 */
    RANGE_PARTS,        /* 206 */
    RANGE_UNSATISFIABLE /* 416 */
};

/*
 * Reads the value of a field Range, "bytes=0-99,200-,-5", for something of `size` bytes.
 *
 * Blanks may be around commas, and at both ends of the list; nowhere else. Elements may be
 * missing. Numbers may be as long as they like: what doesn't fit means the end. What begins
 * behind the end is left out; when nothing is left, that is unsatisfiable.
 *
 * Ignored are other units, what is not valid, more than RANGES_MAX ranges, and any two that have
 * a byte in common, so that an answer is never longer than the whole but for the heads of its
 * parts. Ranges in any other order are as good as in this one. Of something empty there are no
 * parts: the whole is answered whatever the ranges, as clients that always ask for some expect.
 *
 * `*ret_set` is written for RANGE_PARTS only.
 */
enum range_verdict ouro__range_parse(const char *text, size_t len, uint64_t size,
                                     struct range_set *ret_set);

#endif /* OURO_RANGE_H */
