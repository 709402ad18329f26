/* SPDX-License-Identifier: MIT */
/*
 * stack.h - stacks for coroutines, pooled per thread
 *
 * Stacks are carved from slabs: large mappings whose pages are touched lazily. Each
 * has a guard below it. A released stack stays warm (its pages resident) and is the
 * next to be handed out; after a peak the warm ones that nobody needed for a while
 * give their pages back.
 *
 *      slab  | guard | stack 0 | guard | stack 1 | ...
 *                     ^limit    ^top          addresses grow to the right
 */
#ifndef OURO_STACK_H
#define OURO_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ouro_coro.h"

#define STACK_CLASS_COUNT 4

/* Frames larger than the guard are probed page by page (-fstack-clash-protection). */
#define STACK_GUARD_PAGES 5

struct stack {
    char *limit; /* lowest usable byte; NULL: no stack */
    char *top;   /* one past the highest */
};

struct stack_slab;

/* All stacks of one size. free[] is a stack of stacks: cold ones at the bottom. */
struct stack_class {
    size_t stack_bytes;
    size_t stride_bytes;
    char **free; /* limits */
    uint32_t free_count;
    uint32_t cold_count; /* free[0..cold_count) hold no memory */
    uint32_t total_count;
    uint32_t used_peak; /* most in use since the last trim */
    struct stack_slab *slabs;
};

struct stack_pool {
    struct stack_class classes[STACK_CLASS_COUNT];
    bool is_watched;        /* by Valgrind */
    bool guard_by_mprotect; /* no MADV_GUARD_INSTALL: the kernel is older, or we pretend so */
};

void ouro__stack_pool_init(struct stack_pool *pool, bool mask_guard_madvise);

/* Unmaps everything; no stack may be in use. */
void ouro__stack_pool_done(struct stack_pool *pool);

/* Whether a stack is in use. */
bool ouro__stack_pool_is_used(const struct stack_pool *pool);

/* Returns 0, -EINVAL (unknown class) or -ENOMEM. */
int ouro__stack_acquire(struct stack_pool *pool, enum ouro_stack_class class,
                        struct stack *ret_stack);

void ouro__stack_release(struct stack_pool *pool, enum ouro_stack_class class, struct stack stack);

/*
 * Gives the memory of up to `count_max` stacks back that were not needed since the last
 * complete trim. Returns how many; fewer than `count_max` completes the trim.
 */
uint32_t ouro__stack_pool_trim(struct stack_pool *pool, uint32_t count_max);

/* Whether a complete trim, or a second one after it, would have something to give back. */
bool ouro__stack_pool_has_spare(const struct stack_pool *pool);

/* Bytes of stacks that may hold memory, used or warm, at their full size. */
size_t ouro__stack_pool_bytes(const struct stack_pool *pool);

/* Whether `address` lies in the guard below `stack`. Async-signal-safe. */
bool ouro__stack_guards(struct stack stack, const void *address);

/* How much of the stack was ever used since its pages were last given back; walks pages. */
size_t ouro__stack_high_water(struct stack stack);

/* The same in whole pages, a system call for each 64 of them, and without reading the stack. */
size_t ouro__stack_touched(struct stack stack);

#endif /* OURO_STACK_H */
