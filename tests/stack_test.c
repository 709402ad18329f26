/* SPDX-License-Identifier: MIT */
/*
 * stack_test.c - tests of engine/stack.c
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "loop.h"
#include "memory_probe.h"
#include "stack.h"
#include "test.h"

#define KIB ((size_t) 1024)

static const struct {
    enum ouro_stack_class class;
    size_t bytes;
} classes[] = {
    {OURO_STACK_DEFAULT, 256 * KIB}, {OURO_STACK_16K, 16 * KIB},  {OURO_STACK_64K, 64 * KIB},
    {OURO_STACK_256K, 256 * KIB},    {OURO_STACK_1M, 1024 * KIB},
};

static size_t page_bytes(void)
{
    return (size_t) sysconf(_SC_PAGESIZE);
}

static size_t guard_bytes(void)
{
    return STACK_GUARD_PAGES * page_bytes();
}

static struct stack acquire(struct stack_pool *pool, enum ouro_stack_class class)
{
    struct stack stack = {.limit = NULL};

    CU_ASSERT_EQUAL(ouro__stack_acquire(pool, class, &stack), 0);
    return stack;
}

/* Acquires `count` stacks of 16 KiB and writes to all their pages. */
static struct stack *acquire_many(struct stack_pool *pool, int count)
{
    struct stack *stacks = calloc((size_t) count, sizeof(*stacks));

    for (int i = 0; stacks && i < count; i++) {
        stacks[i] = acquire(pool, OURO_STACK_16K);
        memset(stacks[i].limit, 1 + i % 255, (size_t) (stacks[i].top - stacks[i].limit));
    }
    return stacks;
}

static void release_many(struct stack_pool *pool, const struct stack *stacks, int count)
{
    for (int i = 0; i < count; i++)
        ouro__stack_release(pool, OURO_STACK_16K, stacks[i]);
}

static size_t resident_stacks(const struct stack *stacks, int count)
{
    size_t resident = 0;

    for (int i = 0; i < count; i++)
        resident += resident_pages(stacks[i].limit, 16 * KIB) > 0;
    return resident;
}

/* --- classes ------------------------------------------------------------------------------- */

static void test_each_class_has_its_size_and_can_be_written_throughout(void)
{
    struct stack_pool pool;

    ouro__stack_pool_init(&pool, false);
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct stack stack = acquire(&pool, classes[i].class);

        CU_ASSERT_EQUAL((size_t) (stack.top - stack.limit), classes[i].bytes);
        CU_ASSERT_EQUAL((uintptr_t) stack.limit % page_bytes(), 0);
        memset(stack.limit, 0x55, classes[i].bytes);
        ouro__stack_release(&pool, classes[i].class, stack);
    }
    ouro__stack_pool_done(&pool);
}

static void test_unknown_class_is_refused(void)
{
    static const int unknown[] = {OURO_STACK_1M + 1, 99, -1, INT32_MIN, INT32_MAX};
    struct stack_pool pool;
    struct stack stack = {.limit = NULL};

    ouro__stack_pool_init(&pool, false);
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        CU_ASSERT_EQUAL(ouro__stack_acquire(&pool, (enum ouro_stack_class) unknown[i], &stack),
                        -EINVAL);
    CU_ASSERT_PTR_NULL(stack.limit);
    ouro__stack_pool_done(&pool);
}

static void test_new_stack_holds_no_memory(void)
{
    struct stack_pool pool;
    struct stack stack;

    ouro__stack_pool_init(&pool, false);
    stack = acquire(&pool, OURO_STACK_256K);
    CU_ASSERT_EQUAL(resident_pages(stack.limit, 256 * KIB), 0);
    stack.top[-1] = 1;
    CU_ASSERT_EQUAL(resident_pages(stack.limit, 256 * KIB), 1);
    ouro__stack_release(&pool, OURO_STACK_256K, stack);
    ouro__stack_pool_done(&pool);
}

/* All of a few slabs, each filled with a pattern of its own: nothing overlaps. */
static void test_stacks_do_not_overlap(void)
{
    enum { COUNT = 100 };
    struct stack_pool pool;
    struct stack *stacks;

    ouro__stack_pool_init(&pool, false);
    stacks = acquire_many(&pool, COUNT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stacks);
    for (int i = 0; i < COUNT; i++) {
        bool is_intact = true;

        for (const char *byte = stacks[i].limit; byte < stacks[i].top; byte++)
            is_intact &= *byte == (char) (1 + i % 255);
        CU_ASSERT(is_intact);
        for (int j = 0; j < i; j++)
            CU_ASSERT(stacks[i].limit >= stacks[j].top + guard_bytes() ||
                      stacks[j].limit >= stacks[i].top + guard_bytes());
    }
    release_many(&pool, stacks, COUNT);
    free(stacks);
    ouro__stack_pool_done(&pool);
}

/* --- guards -------------------------------------------------------------------------------- */

/* In a child; the signal is to end it even where a sanitizer handles it. */
static int write_byte(void *byte)
{
    (void) signal(SIGSEGV, SIG_DFL);
    *(volatile char *) byte = 1;
    return 0;
}

static int read_byte(void *byte)
{
    (void) signal(SIGSEGV, SIG_DFL);
    return *(volatile char *) byte ? 2 : 1;
}

/* Below each stack lies a guard: its first byte, one 3 pages down, and its last byte kill. */
static void assert_is_guarded(struct stack stack)
{
    char *const guarded[] = {stack.limit - 1, stack.limit - 3 * page_bytes(),
                             stack.limit - guard_bytes()};

    for (size_t i = 0; i < COUNT_OF(guarded); i++) {
        struct child writer = run_in_child(write_byte, guarded[i]);
        struct child reader = run_in_child(read_byte, guarded[i]);

        CU_ASSERT(was_killed_by(&writer, SIGSEGV));
        CU_ASSERT(was_killed_by(&reader, SIGSEGV));
    }
}

/* An emulator that takes every advice for done, and does nothing: the pool can't know. */
static bool has_pretended_guards(const struct stack_pool *pool)
{
    return !pool->guard_by_mprotect && !madvise(NULL, 0, -1);
}

static void assert_guards_work(bool mask_guard_madvise)
{
    struct stack_pool pool;

    ouro__stack_pool_init(&pool, mask_guard_madvise);
    ouro__stack_release(&pool, OURO_STACK_16K, acquire(&pool, OURO_STACK_16K));
    if (has_pretended_guards(&pool)) {
        TEST_SKIP("this emulator only pretends to install guards");
        ouro__stack_pool_done(&pool);
        return;
    }
    for (size_t i = 1; i < COUNT_OF(classes); i++) {
        struct stack first = acquire(&pool, classes[i].class);
        struct stack second = acquire(&pool, classes[i].class);
        struct child limit = run_in_child(write_byte, second.limit);

        assert_is_guarded(first);
        assert_is_guarded(second);
        CU_ASSERT(exited_with(&limit, 0)); /* that is not the guard yet */
        ouro__stack_release(&pool, classes[i].class, first);
        ouro__stack_release(&pool, classes[i].class, second);
    }
    CU_ASSERT(!mask_guard_madvise || pool.guard_by_mprotect);
    ouro__stack_pool_done(&pool);
}

static void test_guard_ends_the_process(void)
{
    assert_guards_work(/* mask_guard_madvise= */ false);
}

static void test_guard_by_mprotect_ends_the_process(void)
{
    assert_guards_work(/* mask_guard_madvise= */ true);
}

static void test_guard_is_known_by_its_addresses(void)
{
    const struct stack none = {.limit = NULL};
    struct stack_pool pool;
    struct stack stack;

    ouro__stack_pool_init(&pool, false);
    stack = acquire(&pool, OURO_STACK_16K);
    CU_ASSERT_FALSE(ouro__stack_guards(stack, stack.top));
    CU_ASSERT_FALSE(ouro__stack_guards(stack, stack.limit));
    CU_ASSERT(ouro__stack_guards(stack, stack.limit - 1));
    CU_ASSERT(ouro__stack_guards(stack, stack.limit - guard_bytes()));
    CU_ASSERT_FALSE(ouro__stack_guards(stack, stack.limit - guard_bytes() - 1));
    CU_ASSERT_FALSE(ouro__stack_guards(stack, NULL));
    CU_ASSERT_FALSE(ouro__stack_guards(none, NULL));
    CU_ASSERT_FALSE(ouro__stack_guards(none, (char *) -1));
    ouro__stack_release(&pool, OURO_STACK_16K, stack);
    ouro__stack_pool_done(&pool);
}

static int count_mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    int count = 0, character;

    while (maps && (character = getc(maps)) != EOF)
        count += character == '\n';
    if (maps)
        (void) fclose(maps);
    return count;
}

static int mappings_of_many_stacks(bool mask_guard_madvise, bool *ret_by_mprotect)
{
    enum { COUNT = 2000 };
    struct stack *stacks = calloc(COUNT, sizeof(*stacks));
    struct stack_pool pool;
    int before = count_mappings();
    int count = 0;

    ouro__stack_pool_init(&pool, mask_guard_madvise);
    for (int i = 0; stacks && i < COUNT; i++)
        stacks[i] = acquire(&pool, OURO_STACK_16K);
    count = count_mappings() - before;
    *ret_by_mprotect = pool.guard_by_mprotect;
    release_many(&pool, stacks, stacks ? COUNT : 0);
    ouro__stack_pool_done(&pool);
    free(stacks);
    return count;
}

static void test_many_guarded_stacks_are_few_mappings(void)
{
    bool by_mprotect;
    int count = mappings_of_many_stacks(false, &by_mprotect);

    if (by_mprotect) {
        TEST_SKIP("this kernel has no MADV_GUARD_INSTALL");
        return;
    }
    CU_ASSERT(count < 50);
}

static void test_masked_guard_madvise_is_not_used(void)
{
    bool by_mprotect;

    CU_ASSERT(mappings_of_many_stacks(true, &by_mprotect) >= 2000);
    CU_ASSERT(by_mprotect);
}

/* --- reuse --------------------------------------------------------------------------------- */

static void test_stack_released_last_is_handed_out_first_and_warm(void)
{
    struct stack_pool pool;
    struct stack first, second;

    ouro__stack_pool_init(&pool, false);
    first = acquire(&pool, OURO_STACK_64K);
    second = acquire(&pool, OURO_STACK_64K);
    first.top[-1] = second.top[-1] = 1;
    ouro__stack_release(&pool, OURO_STACK_64K, second);
    ouro__stack_release(&pool, OURO_STACK_64K, first);
    CU_ASSERT_EQUAL(resident_pages(first.limit, 64 * KIB), 1);
    CU_ASSERT_PTR_EQUAL(acquire(&pool, OURO_STACK_64K).limit, first.limit);
    CU_ASSERT_PTR_EQUAL(acquire(&pool, OURO_STACK_64K).limit, second.limit);
    ouro__stack_release(&pool, OURO_STACK_64K, second);
    ouro__stack_release(&pool, OURO_STACK_64K, first);
    ouro__stack_pool_done(&pool);
}

static void test_default_class_shares_the_stacks_of_its_size(void)
{
    struct stack_pool pool;
    struct stack stack;

    ouro__stack_pool_init(&pool, false);
    stack = acquire(&pool, OURO_STACK_DEFAULT);
    ouro__stack_release(&pool, OURO_STACK_256K, stack);
    CU_ASSERT_PTR_EQUAL(acquire(&pool, OURO_STACK_DEFAULT).limit, stack.limit);
    ouro__stack_release(&pool, OURO_STACK_DEFAULT, stack);
    ouro__stack_pool_done(&pool);
}

/* --- giving memory back ---------------------------------------------------------------------- */

enum { PEAK = 300 };

static uint32_t trim_completely(struct stack_pool *pool)
{
    return ouro__stack_pool_trim(pool, UINT32_MAX);
}

static void test_trim_gives_memory_back_after_a_peak(void)
{
    struct stack_pool pool;
    struct stack *stacks;

    ouro__stack_pool_init(&pool, false);
    CU_ASSERT_FALSE(ouro__stack_pool_has_spare(&pool));
    CU_ASSERT_EQUAL(ouro__stack_pool_bytes(&pool), 0);
    stacks = acquire_many(&pool, PEAK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stacks);
    CU_ASSERT_EQUAL(ouro__stack_pool_bytes(&pool), PEAK * 16 * KIB);
    CU_ASSERT_FALSE(ouro__stack_pool_has_spare(&pool));

    release_many(&pool, stacks, PEAK);
    CU_ASSERT(ouro__stack_pool_has_spare(&pool));
    CU_ASSERT_EQUAL(resident_stacks(stacks, PEAK), PEAK);

    CU_ASSERT_EQUAL(trim_completely(&pool), 0); /* the peak was just now: it may come again */
    CU_ASSERT(trim_completely(&pool) > 200);
    CU_ASSERT(resident_stacks(stacks, PEAK) < 100);
    CU_ASSERT_EQUAL(ouro__stack_pool_bytes(&pool), resident_stacks(stacks, PEAK) * 16 * KIB);
    CU_ASSERT_FALSE(ouro__stack_pool_has_spare(&pool));
    CU_ASSERT_EQUAL(trim_completely(&pool), 0);
    free(stacks);
    ouro__stack_pool_done(&pool);
}

static void test_trim_goes_in_steps(void)
{
    struct stack_pool pool;
    struct stack *stacks;
    uint32_t count = 0, step;

    ouro__stack_pool_init(&pool, false);
    stacks = acquire_many(&pool, PEAK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stacks);
    release_many(&pool, stacks, PEAK);
    (void) trim_completely(&pool);
    do {
        step = ouro__stack_pool_trim(&pool, 10);
        count += step;
        CU_ASSERT_EQUAL(resident_stacks(stacks, PEAK), PEAK - count);
    } while (step == 10);
    CU_ASSERT(count > 200);
    CU_ASSERT_FALSE(ouro__stack_pool_has_spare(&pool));
    free(stacks);
    ouro__stack_pool_done(&pool);
}

static void test_guards_survive_a_trim(void)
{
    for (int by_mprotect = 0; by_mprotect < 2; by_mprotect++) {
        struct stack_pool pool;
        struct stack *stacks;

        ouro__stack_pool_init(&pool, by_mprotect);
        stacks = acquire_many(&pool, PEAK);
        CU_ASSERT_PTR_NOT_NULL_FATAL(stacks);
        release_many(&pool, stacks, PEAK);
        (void) trim_completely(&pool);
        (void) trim_completely(&pool);
        for (int i = 0; i < PEAK && !has_pretended_guards(&pool); i += 60)
            assert_is_guarded(stacks[i]);
        free(stacks);
        ouro__stack_pool_done(&pool);
    }
}

/* Stacks in use keep their contents; the warm ones are handed out before the cold ones. */
static void test_trim_touches_no_stack_in_use(void)
{
    enum { KEPT = 10 };
    struct stack_pool pool;
    struct stack *stacks, again;

    ouro__stack_pool_init(&pool, false);
    stacks = acquire_many(&pool, PEAK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stacks);
    release_many(&pool, stacks + KEPT, PEAK - KEPT);
    (void) trim_completely(&pool);
    CU_ASSERT(trim_completely(&pool) > 200);
    for (int i = 0; i < KEPT; i++) {
        CU_ASSERT_EQUAL(stacks[i].limit[0], 1 + i);
        CU_ASSERT_EQUAL(stacks[i].top[-1], 1 + i);
    }
    again = acquire(&pool, OURO_STACK_16K);
    CU_ASSERT_PTR_EQUAL(again.limit, stacks[PEAK - 1].limit);
    CU_ASSERT_NOT_EQUAL(again.top[-1], 0);
    ouro__stack_release(&pool, OURO_STACK_16K, again);
    release_many(&pool, stacks, KEPT);
    free(stacks);
    ouro__stack_pool_done(&pool);
}

static void test_what_a_steady_load_needs_is_kept(void)
{
    struct stack_pool pool;
    struct stack *stacks;

    ouro__stack_pool_init(&pool, false);
    for (int round = 0; round < 5; round++) {
        stacks = acquire_many(&pool, PEAK);
        CU_ASSERT_PTR_NOT_NULL_FATAL(stacks);
        release_many(&pool, stacks, PEAK);
        CU_ASSERT_EQUAL(trim_completely(&pool), 0);
        CU_ASSERT_EQUAL(resident_stacks(stacks, PEAK), PEAK);
        free(stacks);
    }
    ouro__stack_pool_done(&pool);
}

static void test_trimmed_stack_works_again(void)
{
    struct stack_pool pool;
    struct stack *stacks;

    ouro__stack_pool_init(&pool, false);
    stacks = acquire_many(&pool, PEAK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stacks);
    release_many(&pool, stacks, PEAK);
    free(stacks);
    (void) trim_completely(&pool);
    (void) trim_completely(&pool);
    stacks = acquire_many(&pool, PEAK); /* writes to all of them */
    CU_ASSERT_PTR_NOT_NULL_FATAL(stacks);
    CU_ASSERT_EQUAL(resident_stacks(stacks, PEAK), PEAK);
    CU_ASSERT_EQUAL(ouro__stack_pool_bytes(&pool), PEAK * 16 * KIB);
    release_many(&pool, stacks, PEAK);
    free(stacks);
    ouro__stack_pool_done(&pool);
}

/* --- high water ------------------------------------------------------------------------------ */

static void test_high_water_is_the_deepest_byte_ever_written(void)
{
    static const size_t depths[] = {1, 8, 4095, 4096, 4097, 100000, 256 * KIB};
    struct stack_pool pool;
    struct stack stack;

    ouro__stack_pool_init(&pool, false);
    stack = acquire(&pool, OURO_STACK_256K);
    CU_ASSERT_EQUAL(ouro__stack_high_water(stack), 0);
    for (size_t i = 0; i < COUNT_OF(depths); i++) {
        stack.top[-(ptrdiff_t) depths[i]] = 1;
        CU_ASSERT_EQUAL(ouro__stack_high_water(stack), depths[i]);
    }
    ouro__stack_release(&pool, OURO_STACK_256K, stack);
    ouro__stack_pool_done(&pool);
}

/* --- its ends -------------------------------------------------------------------------------- */

static int end_pool_in_use(void *arg)
{
    struct stack_pool pool;
    struct stack stack;

    (void) arg;
    ouro__stack_pool_init(&pool, false);
    if (ouro__stack_acquire(&pool, OURO_STACK_16K, &stack))
        return 1;
    ouro__stack_pool_done(&pool);
    return 0;
}

static void test_ending_a_pool_in_use_is_a_bug(void)
{
    struct child child = run_in_child(end_pool_in_use, NULL);

    CU_ASSERT(was_killed_by(&child, SIGABRT));
    CU_ASSERT(said(&child, "a stack is still in use"));
}

static void test_ended_pool_leaves_no_mapping_behind(void)
{
    struct stack_pool pool;
    struct stack *stacks;
    int before;

    ouro__stack_pool_init(&pool, true);
    stacks = acquire_many(&pool, PEAK); /* also: what malloc and stdio need for themselves */
    CU_ASSERT_PTR_NOT_NULL_FATAL(stacks);
    release_many(&pool, stacks, PEAK);
    before = count_mappings();
    ouro__stack_pool_done(&pool);
    CU_ASSERT(count_mappings() <= before - 2 * PEAK);
    free(stacks);
}

/* Address space runs out: the pool says so, and what it gave is good. */
static int exhaust_address_space(void *arg)
{
    enum { MANY = 1 << 16 };
    struct stack_pool pool;
    struct stack *stacks = calloc(MANY, sizeof(*stacks));
    int count = 0, code = 0;

    (void) arg;
    ouro__stack_pool_init(&pool, false);
    /* A sanitizer has reserved far more than that; then no more comes. */
    if (!limit_memory(RLIMIT_AS, (rlim_t) 1 << 30))
        return CANNOT_LIMIT_MEMORY;
    while (count < MANY && !code) {
        code = ouro__stack_acquire(&pool, OURO_STACK_1M, &stacks[count]);
        if (!code)
            *(volatile char *) stacks[count++].limit = 1;
    }
    if (code != -ENOMEM)
        return 1;
    for (int i = 0; i < count; i++)
        ouro__stack_release(&pool, OURO_STACK_1M, stacks[i]);
    ouro__stack_pool_done(&pool);
    return 0;
}

static void test_missing_memory_is_reported(void)
{
    struct child child = run_in_child(exhaust_address_space, NULL);

    if (exited_with(&child, CANNOT_LIMIT_MEMORY)) {
        TEST_SKIP("limits on memory are not obeyed here");
        return;
    }
    CU_ASSERT(exited_with(&child, 0));
}

const struct test stack_tests[] = {
    TEST(test_each_class_has_its_size_and_can_be_written_throughout),
    TEST(test_unknown_class_is_refused),
    TEST(test_new_stack_holds_no_memory),
    TEST(test_stacks_do_not_overlap),
    TEST(test_guard_ends_the_process),
    TEST(test_guard_by_mprotect_ends_the_process),
    TEST(test_guard_is_known_by_its_addresses),
    TEST(test_many_guarded_stacks_are_few_mappings),
    TEST(test_masked_guard_madvise_is_not_used),
    TEST(test_stack_released_last_is_handed_out_first_and_warm),
    TEST(test_default_class_shares_the_stacks_of_its_size),
    TEST(test_trim_gives_memory_back_after_a_peak),
    TEST(test_trim_goes_in_steps),
    TEST(test_guards_survive_a_trim),
    TEST(test_trim_touches_no_stack_in_use),
    TEST(test_what_a_steady_load_needs_is_kept),
    TEST(test_trimmed_stack_works_again),
    TEST(test_high_water_is_the_deepest_byte_ever_written),
    TEST(test_ending_a_pool_in_use_is_a_bug),
    TEST(test_ended_pool_leaves_no_mapping_behind),
    TEST(test_missing_memory_is_reported),
    TEST_END,
};
