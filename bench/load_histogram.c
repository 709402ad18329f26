/* SPDX-License-Identifier: MIT */
/* load_histogram.c - see load_histogram.h */
#include <math.h>

#include "load_histogram.h"

int64_t load_histogram_floor(unsigned bucket)
{
    unsigned shift;

    if (bucket < 2u << LOAD_HISTOGRAM_BITS)
        return bucket;
    shift = (bucket >> LOAD_HISTOGRAM_BITS) - 1;
    return (int64_t) (bucket - (shift << LOAD_HISTOGRAM_BITS)) << shift;
}

void load_histogram_merge(struct load_histogram *into, const struct load_histogram *from)
{
    if (!from->count)
        return;
    if (!into->count || from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    into->count += from->count;
    into->sum += from->sum;
    into->sum_of_squares += from->sum_of_squares;
    for (unsigned i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

/* A bucket may reach beyond the values that there are. */
static int64_t middle(const struct load_histogram *histogram, unsigned bucket)
{
    int64_t floor = load_histogram_floor(bucket);
    int64_t value = floor + (load_histogram_floor(bucket + 1) - floor) / 2;

    if (value < histogram->min)
        return histogram->min;
    return value < histogram->max ? value : histogram->max;
}

int64_t load_histogram_percentile(const struct load_histogram *histogram, double percent)
{
    /* Without the small change, 99 % of 100 would be 99.00000000000001 and so the 100th. */
    double rank = ceil((double) histogram->count * percent / 100 - 1e-9);
    uint64_t passed = 0;

    if (!histogram->count)
        return 0;
    if (rank >= (double) histogram->count)
        return histogram->max;
    for (unsigned i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++) {
        passed += histogram->buckets[i];
        if (passed && (double) passed >= rank)
            return middle(histogram, i);
    }
    return histogram->max;
}

double load_histogram_mean(const struct load_histogram *histogram)
{
    return histogram->count ? histogram->sum / (double) histogram->count : 0;
}

double load_histogram_deviation(const struct load_histogram *histogram)
{
    double mean = load_histogram_mean(histogram), variance;

    if (!histogram->count)
        return 0;
    variance = histogram->sum_of_squares / (double) histogram->count - mean * mean;
    return variance > 0 ? sqrt(variance) : 0;
}
