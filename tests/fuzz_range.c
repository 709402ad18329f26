/* SPDX-License-Identifier: MIT */
/*
 * fuzz_range.c - libFuzzer target for range.c, condition.c, http_date.c
 *
 * The first byte chooses the codec. Inputs are allocations of exact size, for AddressSanitizer to
 * watch.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "condition.h"
#include "http1_write.h"
#include "http_date.h"
#include "range.h"

#include "fuzz.h"

#define NOW 1767225600

/* With a NUL behind it only if `with_nul`. */
static char *copy_of(const void *data, size_t size, bool with_nul)
{
    char *copy = malloc(size + with_nul + !size);

    REQUIRE(copy);
    if (size)
        memcpy(copy, data, size);
    if (with_nul)
        copy[size] = '\0';
    return copy;
}

/* Takes a number of eight bytes off the input; less where there are not as many. */
static uint64_t take_number(const uint8_t **data, size_t *size)
{
    size_t len = *size < sizeof(uint64_t) ? *size : sizeof(uint64_t);
    uint64_t number = 0;

    if (len)
        memcpy(&number, *data, len);
    *data += len;
    *size -= len;
    return number;
}

/* --- ranges ------------------------------------------------------------------------------ */

static void check_parts(const struct range_set *set, uint64_t size)
{
    uint64_t total = 0;

    REQUIRE(set->count >= 1 && set->count <= RANGES_MAX);
    for (unsigned i = 0; i < set->count; i++) {
        const struct range *range = &set->ranges[i];

        REQUIRE(range->len && range->first < size && range->len <= size - range->first);
        REQUIRE(range->len <= size - total);
        total += range->len;
        for (unsigned j = 0; j < i; j++)
            REQUIRE(range->first < set->ranges[j].first
                        ? set->ranges[j].first - range->first >= range->len
                        : range->first - set->ranges[j].first >= set->ranges[j].len);
    }
}

/* Parts that were read, written down, are read as the same. */
static void check_again(const struct range_set *set, uint64_t size)
{
    char text[RANGES_MAX * 44 + 8];
    size_t len = (size_t) snprintf(text, sizeof(text), "bytes=");
    struct range_set again;

    for (unsigned i = 0; i < set->count; i++)
        len +=
            (size_t) snprintf(text + len, sizeof(text) - len, "%" PRIu64 "-%" PRIu64 ",",
                              set->ranges[i].first, set->ranges[i].first + set->ranges[i].len - 1);
    REQUIRE(ouro__range_parse(text, len, size, &again) == RANGE_PARTS);
    REQUIRE(again.count == set->count);
    REQUIRE(!memcmp(again.ranges, set->ranges, set->count * sizeof(set->ranges[0])));
}

static void fuzz_range(const uint8_t *data, size_t size)
{
    uint64_t sizes[] = {take_number(&data, &size), 1000, 0};
    char *text = copy_of(data, size, false);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct range_set set;

        if (ouro__range_parse(text, size, sizes[i], &set) == RANGE_PARTS) {
            check_parts(&set, sizes[i]);
            check_again(&set, sizes[i]);
        }
    }
    free(text);
}

/* --- dates ------------------------------------------------------------------------------- */

static void fuzz_date(const uint8_t *data, size_t size)
{
    int64_t now_s = (int64_t) (take_number(&data, &size) >> 8), seconds, again;
    char *text = copy_of(data, size, false);
    struct http1_date date = {0};

    if (ouro__http_date_parse(text, size, now_s, &seconds)) {
        const char *written = ouro__http1_date_at(&date, seconds);

        REQUIRE(seconds >= 0 && seconds <= HTTP_DATE_MAX);
        REQUIRE(ouro__http_date_parse(written, strlen(written), now_s, &again));
        REQUIRE(again == seconds);
        if (size == strlen(written) && memcmp(text + size - 6, "60", 2) != 0)
            REQUIRE(!memcmp(text, written, size));
    }
    free(text);
}

/* --- conditions -------------------------------------------------------------------------- */

static void check_tag(const char *tag, size_t len)
{
    char *text = copy_of(tag, len, true);

    if (ouro__etag_is_valid(text, len) && strlen(text) == len) {
        REQUIRE(ouro__etag_list_has(text, len, text, ETAG_WEAK));
        REQUIRE(ouro__etag_list_has(text, len, text, ETAG_STRONG) == (text[0] == '"'));
        REQUIRE(ouro__http1_is_value(text, len));
    }
    free(text);
}

/* The input is the value of each field in turn; where there is a NUL, of two. */
static void check_head(const char *value, size_t len, const char *more, size_t more_len)
{
    static const char *const names[] = {"If-Match", "If-None-Match", "If-Modified-Since",
                                        "If-Unmodified-Since", "If-Range"};
    static const struct validators validators[] = {
        {"\"a\"", 784111777}, {"W/\"a\"", 0}, {NULL, 784111777}, {NULL, 0}};

    for (unsigned i = 0; i < 5 * 5 * 4 * 2; i++) {
        struct http1_field fields[2] = {
            {.name = names[i % 5], .value = value, .value_len = (uint32_t) len},
            {.name = names[i / 5 % 5], .value = more, .value_len = (uint32_t) more_len}};
        struct http1_head head = {
            .method = i % 2 ? "GET" : "PUT", .fields = fields, .field_count = 2};
        const struct validators *present = &validators[i / 50];
        int status;

        fields[0].name_len = (uint32_t) strlen(fields[0].name);
        fields[1].name_len = (uint32_t) strlen(fields[1].name);
        status = ouro__condition_check(&head, present, NOW);
        REQUIRE(!status || status == 412 || (status == 304 && i % 2));
        (void) ouro__condition_allows_range(&head, present, NOW);
    }
}

static void fuzz_condition(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
    size_t len = nul ? (size_t) (nul - data) : size, more_len = nul ? size - len - 1 : 0;
    char *text = copy_of(data, len, false),
         *more = copy_of(data + size - more_len, more_len, false);

    REQUIRE(!ouro__etag_list_has(text, len, "\"a\"", ETAG_STRONG) ||
            ouro__etag_list_has(text, len, "\"a\"", ETAG_WEAK));
    check_tag(text, len);
    check_head(text, len, more, more_len);
    free(text);
    free(more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(const uint8_t *, size_t) = {fuzz_range, fuzz_date,
                                                               fuzz_condition};

    if (size)
        targets[data[0] % 3](data + 1, size - 1);
    return 0;
}
