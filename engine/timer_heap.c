/* SPDX-License-Identifier: MIT */
/*
 * timer_heap.c - see timer_heap.h
 *
 * Invariants: entries[(i - 1) / 4] is not after entries[i]; places[] and entries[]
 * point at each other. Sifting moves a hole instead of swapping.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "timer_heap.h"

#define ARITY        4
#define CAPACITY_MIN 64
#define CACHE_LINE   64

static bool is_before(const struct timer_entry *a, const struct timer_entry *b)
{
    if (a->deadline != b->deadline)
        return a->deadline < b->deadline;
    return (int32_t) (a->order - b->order) < 0;
}

static void put(struct timer_heap *heap, uint32_t place, struct timer_entry entry)
{
    heap->entries[place] = entry;
    heap->places[entry.timer] = place + 1;
}

/* Moves the hole at `place` up until `entry` fits there. */
static void sift_up(struct timer_heap *heap, uint32_t place, struct timer_entry entry)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / ARITY;

        if (!is_before(&entry, &heap->entries[parent]))
            break;
        put(heap, place, heap->entries[parent]);
        place = parent;
    }
    put(heap, place, entry);
}

static uint32_t earliest_child(const struct timer_heap *heap, uint32_t first)
{
    uint32_t end = first + ARITY < heap->count ? first + ARITY : heap->count;
    uint32_t best = first;

    for (uint32_t child = first + 1; child < end; child++)
        if (is_before(&heap->entries[child], &heap->entries[best]))
            best = child;
    return best;
}

static void sift_down(struct timer_heap *heap, uint32_t place, struct timer_entry entry)
{
    for (;;) {
        uint32_t child = place * ARITY + 1;

        if (child >= heap->count)
            break;
        child = earliest_child(heap, child);
        if (!is_before(&heap->entries[child], &entry))
            break;
        put(heap, place, heap->entries[child]);
        place = child;
    }
    put(heap, place, entry);
}

/* Fills the hole at `place` with `entry`, in whichever direction it must go. */
static void settle(struct timer_heap *heap, uint32_t place, struct timer_entry entry)
{
    if (place > 0 && is_before(&entry, &heap->entries[(place - 1) / ARITY]))
        sift_up(heap, place, entry);
    else
        sift_down(heap, place, entry);
}

static void remove_at(struct timer_heap *heap, uint32_t place)
{
    heap->places[heap->entries[place].timer] = 0;
    heap->count--;
    if (place < heap->count)
        settle(heap, place, heap->entries[heap->count]);
}

/*
 * The root's children start at index 1; the array begins three entries before a cache
 * line boundary, so that every group of four children fills exactly one line.
 */
static struct timer_entry *entries_allocate(uint32_t capacity)
{
    size_t bytes = (size_t) (capacity + 2 * ARITY) * sizeof(struct timer_entry);
    struct timer_entry *block = aligned_alloc(CACHE_LINE, bytes / CACHE_LINE * CACHE_LINE);

    return block ? block + (ARITY - 1) : NULL;
}

static void entries_free(struct timer_entry *entries)
{
    if (entries)
        free(entries - (ARITY - 1));
}

static int resize(struct timer_heap *heap, uint32_t capacity)
{
    struct timer_entry *entries = entries_allocate(capacity);
    uint32_t *places = calloc(capacity, sizeof(*places));
    uint32_t kept = capacity < heap->capacity ? capacity : heap->capacity;

    if (!entries || !places) {
        entries_free(entries);
        free(places);
        return -ENOMEM;
    }
    if (heap->count)
        memcpy(entries, heap->entries, heap->count * sizeof(*entries));
    if (kept)
        memcpy(places, heap->places, kept * sizeof(*places));
    entries_free(heap->entries);
    free(heap->places);
    heap->entries = entries;
    heap->places = places;
    heap->capacity = capacity;
    return 0;
}

static uint32_t rounded_capacity(uint32_t timer_count)
{
    uint32_t capacity = CAPACITY_MIN;

    while (capacity < timer_count)
        capacity *= 2;
    return capacity;
}

void ouro__timer_heap_init(struct timer_heap *heap)
{
    memset(heap, 0, sizeof(*heap));
}

void ouro__timer_heap_done(struct timer_heap *heap)
{
    entries_free(heap->entries);
    free(heap->places);
    memset(heap, 0, sizeof(*heap));
}

int ouro__timer_heap_reserve(struct timer_heap *heap, uint32_t timer_count)
{
    if (timer_count <= heap->capacity)
        return 0;
    return resize(heap, rounded_capacity(timer_count));
}

void ouro__timer_heap_shrink(struct timer_heap *heap, uint32_t timer_count)
{
    uint32_t capacity = rounded_capacity(timer_count);

    if (capacity < heap->capacity)
        (void) resize(heap, capacity); /* without memory to shrink into, stay large */
}

void ouro__timer_heap_set(struct timer_heap *heap, uint32_t timer, int64_t deadline)
{
    struct timer_entry entry = {deadline, heap->next_order++, timer};
    uint32_t place = heap->places[timer];

    if (place == 0)
        sift_up(heap, heap->count++, entry);
    else
        settle(heap, place - 1, entry);
}

void ouro__timer_heap_clear(struct timer_heap *heap, uint32_t timer)
{
    uint32_t place = heap->places[timer];

    if (place)
        remove_at(heap, place - 1);
}

bool ouro__timer_heap_pop(struct timer_heap *heap, int64_t now, uint32_t *ret_timer)
{
    if (heap->count == 0 || heap->entries[0].deadline > now)
        return false;
    *ret_timer = heap->entries[0].timer;
    remove_at(heap, 0);
    return true;
}
