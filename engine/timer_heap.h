/* SPDX-License-Identifier: MIT */
/*
 * timer_heap.h - deadlines as data: a 4-ary min-heap with inline keys
 *
 * It knows neither clock nor ring nor task: a timer is a small integer chosen by
 * the user (the task's slot), with at most one deadline. Equal deadlines come out
 * in the order in which they were set.
 *
 * Why this and not a wheel, or nodes inside the tasks: a wheel with a 1 ms tick can't
 * serve a 100 us sleep, and nodes on the tasks' stacks make a random cancel 3-4
 * times dearer, since each sift step then misses the cache. Here the four children of
 * an entry share one cache line. Measured by bench/micro_timer_heap.cc.
 */
#ifndef OURO_TIMER_HEAP_H
#define OURO_TIMER_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct timer_entry {
    int64_t deadline;
    uint32_t order; /* breaks ties; compared modulo 2^32 */
    uint32_t timer;
};

struct timer_heap {
    struct timer_entry *entries; /* entries[0..count), each group of children in one cache line */
    uint32_t *places;            /* by timer: its index in `entries` plus one; 0: not armed */
    uint32_t count;
    uint32_t capacity; /* of both arrays */
    uint32_t next_order;
};

void ouro__timer_heap_init(struct timer_heap *heap);
void ouro__timer_heap_done(struct timer_heap *heap);

/*
 * Makes room for timers 0..timer_count-1. Doubles, so it is cheap when called before
 * every new timer; in exchange ouro__timer_heap_set() can't fail. Returns 0 or -ENOMEM.
 */
int ouro__timer_heap_reserve(struct timer_heap *heap, uint32_t timer_count);

/* Gives memory back after a peak; timers at or above `timer_count` are not armed. */
void ouro__timer_heap_shrink(struct timer_heap *heap, uint32_t timer_count);

/* Arms the timer, or moves its deadline. */
void ouro__timer_heap_set(struct timer_heap *heap, uint32_t timer, int64_t deadline);

/* Disarms the timer; harmless when it is not armed. */
void ouro__timer_heap_clear(struct timer_heap *heap, uint32_t timer);

static inline bool ouro__timer_heap_is_set(const struct timer_heap *heap, uint32_t timer)
{
    return heap->places[timer] != 0;
}

/* The earliest deadline; INT64_MAX when none is armed. */
static inline int64_t ouro__timer_heap_next(const struct timer_heap *heap)
{
    return heap->count ? heap->entries[0].deadline : INT64_MAX;
}

/* Disarms the earliest timer if it is due at `now`; returns whether it was, and which. */
bool ouro__timer_heap_pop(struct timer_heap *heap, int64_t now, uint32_t *ret_timer);

#endif /* OURO_TIMER_HEAP_H */
