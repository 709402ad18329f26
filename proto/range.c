/* SPDX-License-Identifier: MIT */
/*
 * range.c - ranges of bytes; see range.h
 */
#include <stdbool.h>

#include "http1_head.h"
#include "parameter.h"
#include "range.h"

/* A range as it was asked for. */
struct spec {
    uint64_t first, last;
    bool has_first, has_last; /* without the first, `last` is how many of the end */
};

/* --- syntax ------------------------------------------------------------------------------ */

/* Takes digits off `*text`, and stops counting at the largest number. Returns whether any. */
static bool take_number(const char **text, const char *end, uint64_t *ret_number)
{
    const char *start = *text;
    uint64_t number = 0;

    for (; *text < end && **text >= '0' && **text <= '9'; (*text)++) {
        uint64_t digit = (uint64_t) (**text - '0');

        number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : number * 10 + digit;
    }
    *ret_number = number;
    return *text > start;
}

static bool take_spec(const char **text, const char *end, struct spec *spec)
{
    spec->has_first = take_number(text, end, &spec->first);
    if (*text == end || **text != '-')
        return false;
    (*text)++;
    spec->has_last = take_number(text, end, &spec->last);
    if (!spec->has_first || !spec->has_last)
        return spec->has_first || spec->has_last;
    return spec->first <= spec->last;
}

/* Returns what follows "bytes=", or NULL. The unit's case doesn't count, RFC 9110 §14.1. */
static const char *skip_unit(const char *text, const char *end)
{
    const char *stop = ouro__parameter_skip_token(text, end);

    if (stop == end || *stop != '=' ||
        !ouro__http1_name_equals(text, (size_t) (stop - text), "bytes"))
        return NULL;
    return stop + 1;
}

/* --- meaning ----------------------------------------------------------------------------- */

/* Returns whether there is anything of it. */
static bool resolve(const struct spec *spec, uint64_t size, struct range *ret_range)
{
    uint64_t first = spec->first, len;

    if (!spec->has_first) {
        len = spec->last < size ? spec->last : size;
        first = size - len;
    } else if (first >= size) {
        return false;
    } else {
        len = size - first;
        if (spec->has_last && spec->last - first < len)
            len = spec->last - first + 1;
    }
    *ret_range = (struct range) {.first = first, .len = len};
    return len > 0;
}

static bool overlaps(const struct range_set *set, const struct range *range)
{
    for (unsigned i = 0; i < set->count; i++) {
        const struct range *other = &set->ranges[i];

        if (range->first < other->first + other->len && other->first < range->first + range->len)
            return true;
    }
    return false;
}

/* Returns whether the range may be there. */
static bool add(struct range_set *set, const struct spec *spec, uint64_t size)
{
    struct range range;

    if (!resolve(spec, size, &range))
        return true;
    if (overlaps(set, &range))
        return false;
    set->ranges[set->count++] = range;
    return true;
}

enum range_verdict ouro__range_parse(const char *text, size_t len, uint64_t size,
                                     struct range_set *ret_set)
{
    const char *end = text + len, *at = skip_unit(text, end);
    struct range_set set = {.count = 0};
    unsigned asked = 0;

    if (!at || !size)
        return RANGE_WHOLE;
    while ((at = ouro__parameter_skip_blanks(at, end)) < end) {
        struct spec spec;

        if (*at == ',') {
            at++;
            continue;
        }
        if (++asked > RANGES_MAX || !take_spec(&at, end, &spec) || !add(&set, &spec, size))
            return RANGE_WHOLE;
        at = ouro__parameter_skip_blanks(at, end);
        if (at < end && *at != ',')
            return RANGE_WHOLE;
    }
    if (!asked)
        return RANGE_WHOLE;
    if (!set.count)
        return RANGE_UNSATISFIABLE;
    *ret_set = set;
    return RANGE_PARTS;
}
