/* SPDX-License-Identifier: MIT */
/*
 * load_histogram.h - how often each duration occurred, to within half a percent
 *
 * Up to 256 ns each nanosecond has a bucket of its own. Beyond, each power of two is cut into 128,
 * so that a bucket is at most 1/128 of its values wide; what is told for one is its middle. The
 * exact least and greatest value are kept aside. A record costs a shift, an addition and a line of
 * the cache, and two histograms of two threads are merged by adding them up.
 */
#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#define LOAD_HISTOGRAM_BITS    7
#define LOAD_HISTOGRAM_MAX     ((INT64_C(1) << 41) - 1) /* ns: 36 minutes; more is counted as this */
#define LOAD_HISTOGRAM_BUCKETS ((41 - LOAD_HISTOGRAM_BITS + 1) << LOAD_HISTOGRAM_BITS)

/* Zeroed memory is an empty histogram. */
struct load_histogram {
    uint64_t count;
    int64_t min, max; /* valid when `count` is not 0 */
    double sum, sum_of_squares;
    uint64_t buckets[LOAD_HISTOGRAM_BUCKETS];
};

/* The bucket of a value from 0 to LOAD_HISTOGRAM_MAX. */
static inline unsigned load_histogram_bucket(int64_t value)
{
    uint64_t bits = (uint64_t) value;
    unsigned shift;

    if (bits < 2u << LOAD_HISTOGRAM_BITS)
        return (unsigned) bits;
    shift = 63u - (unsigned) __builtin_clzll(bits) - LOAD_HISTOGRAM_BITS;
    return (shift << LOAD_HISTOGRAM_BITS) + (unsigned) (bits >> shift);
}

/* One more `value`, in nanoseconds; a negative one counts as 0. */
static inline void load_histogram_add(struct load_histogram *histogram, int64_t value)
{
    if (value < 0)
        value = 0;
    if (value > LOAD_HISTOGRAM_MAX)
        value = LOAD_HISTOGRAM_MAX;
    if (!histogram->count || value < histogram->min)
        histogram->min = value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->count++;
    histogram->sum += (double) value;
    histogram->sum_of_squares += (double) value * (double) value;
    histogram->buckets[load_histogram_bucket(value)]++;
}

/* The least value of a bucket. */
int64_t load_histogram_floor(unsigned bucket);

void load_histogram_merge(struct load_histogram *into, const struct load_histogram *from);

/* Nearest rank: what `percent` percent of the values do not exceed. 0 when there are none. */
int64_t load_histogram_percentile(const struct load_histogram *histogram, double percent);

double load_histogram_mean(const struct load_histogram *histogram);
double load_histogram_deviation(const struct load_histogram *histogram);

#endif /* LOAD_HISTOGRAM_H */
