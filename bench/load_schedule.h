/* SPDX-License-Identifier: MIT */
/*
 * load_schedule.h - when requests are due that come at a constant rate
 *
 * Request i is due at start + i / rate, whatever became of those before: a server that is slow for a
 * while finds them all waiting, as it would with people who do not know of each other. A sum of
 * rounded intervals would drift; each time is reckoned from the start.
 */
#ifndef LOAD_SCHEDULE_H
#define LOAD_SCHEDULE_H

#include <stdint.h>

struct load_schedule {
    int64_t start;
    double interval_ns;
    uint64_t index; /* of the request that is next */
    int64_t due;    /* when it is */
};

static inline void load_schedule_init(struct load_schedule *schedule, int64_t start, double rate)
{
    schedule->start = start;
    schedule->interval_ns = 1e9 / rate;
    schedule->index = 0;
    schedule->due = start;
}

/* The time of the next request, which then is that of the one after. */
static inline int64_t load_schedule_take(struct load_schedule *schedule)
{
    int64_t due = schedule->due;

    schedule->index++;
    schedule->due = schedule->start + (int64_t) ((double) schedule->index * schedule->interval_ns);
    return due;
}

#endif /* LOAD_SCHEDULE_H */
