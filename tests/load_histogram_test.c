/* SPDX-License-Identifier: MIT */
/* load_histogram_test.c - tests of bench/load_histogram.c: against the values themselves, sorted */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load_histogram.h"

#include "test.h"

#define COUNT 20000

static int by_size(const void *a, const void *b)
{
    int64_t first = *(const int64_t *) a, second = *(const int64_t *) b;

    return (first > second) - (first < second);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* From a nanosecond to minutes, each magnitude about as often. */
static void fill(int64_t *values, uint64_t seed)
{
    for (int i = 0; i < COUNT; i++)
        values[i] = (int64_t) (next_random(&seed) >> (24 + next_random(&seed) % 40));
}

static void test_buckets_join_and_are_narrow(void)
{
    for (unsigned i = 0; i + 1 < LOAD_HISTOGRAM_BUCKETS; i++) {
        int64_t from = load_histogram_floor(i), to = load_histogram_floor(i + 1);

        CU_ASSERT_EQUAL(load_histogram_bucket(from), i);
        CU_ASSERT_EQUAL(load_histogram_bucket(to - 1), i);
        CU_ASSERT(to > from && (to - from == 1 || (to - from) * 128 <= from));
    }
    CU_ASSERT_EQUAL(load_histogram_bucket(LOAD_HISTOGRAM_MAX), LOAD_HISTOGRAM_BUCKETS - 1);
}

static void test_percentiles_are_those_of_the_sorted_values(void)
{
    static const double percents[] = {0.01, 1, 25, 50, 75, 90, 99, 99.9, 99.99, 100};
    int64_t *values = calloc(COUNT, sizeof(*values));

    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct load_histogram histogram = {.count = 0};

        fill(values, seed);
        for (int i = 0; i < COUNT; i++)
            load_histogram_add(&histogram, values[i]);
        qsort(values, COUNT, sizeof(*values), by_size);
        for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
            size_t rank = (size_t) ceil(COUNT * percents[i] / 100 - 1e-9);
            double exact = (double) values[rank - 1];
            double told = (double) load_histogram_percentile(&histogram, percents[i]);

            CU_ASSERT(fabs(told - exact) <= exact / 200);
        }
        CU_ASSERT_EQUAL(histogram.min, values[0]);
        CU_ASSERT_EQUAL(histogram.max, values[COUNT - 1]);
    }
    free(values);
}

static void test_mean_and_deviation(void)
{
    struct load_histogram histogram = {.count = 0};

    CU_ASSERT_EQUAL(load_histogram_mean(&histogram), 0);
    CU_ASSERT_EQUAL(load_histogram_deviation(&histogram), 0);
    CU_ASSERT_EQUAL(load_histogram_percentile(&histogram, 50), 0);
    for (int i = 0; i < 4; i++)
        load_histogram_add(&histogram, i % 2 ? 3000 : 1000);
    CU_ASSERT_EQUAL(load_histogram_mean(&histogram), 2000);
    CU_ASSERT_EQUAL(load_histogram_deviation(&histogram), 1000);
}

static void test_odd_values_are_counted_at_the_ends(void)
{
    struct load_histogram histogram = {.count = 0};

    load_histogram_add(&histogram, -5);
    load_histogram_add(&histogram, INT64_MAX);
    CU_ASSERT_EQUAL(histogram.count, 2);
    CU_ASSERT_EQUAL(histogram.min, 0);
    CU_ASSERT_EQUAL(load_histogram_percentile(&histogram, 50), 0);
    CU_ASSERT_EQUAL(load_histogram_percentile(&histogram, 100), LOAD_HISTOGRAM_MAX);
}

static void test_merged_is_as_if_added_to_one(void)
{
    static struct load_histogram one, parts[3];
    int64_t *values = calloc(COUNT, sizeof(*values));

    memset(&one, 0, sizeof(one));
    memset(parts, 0, sizeof(parts));
    fill(values, 7);
    for (int i = 0; i < COUNT; i++) {
        load_histogram_add(&one, values[i]);
        load_histogram_add(&parts[1 + i % 2], values[i]);
    }
    load_histogram_merge(&parts[0], &parts[1]);
    load_histogram_merge(&parts[0], &parts[2]);
    load_histogram_merge(&parts[0], &(struct load_histogram) {.count = 0});
    CU_ASSERT_EQUAL(memcmp(one.buckets, parts[0].buckets, sizeof(one.buckets)), 0);
    CU_ASSERT_EQUAL(one.count, parts[0].count);
    CU_ASSERT_EQUAL(one.min, parts[0].min);
    CU_ASSERT_EQUAL(one.max, parts[0].max);
    free(values);
}

const struct test load_histogram_tests[] = {
    TEST(test_buckets_join_and_are_narrow),  TEST(test_percentiles_are_those_of_the_sorted_values),
    TEST(test_mean_and_deviation),           TEST(test_odd_values_are_counted_at_the_ends),
    TEST(test_merged_is_as_if_added_to_one), TEST_END,
};
