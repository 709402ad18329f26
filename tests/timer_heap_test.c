/* SPDX-License-Identifier: MIT */
/*
 * timer_heap_test.c - tests of engine/timer_heap.c
 */
#include <stdlib.h>

#include "check.h"
#include "sim_random.h"
#include "test.h"
#include "timer_heap.h"

#define CACHE_LINE 64

static void set_up(struct timer_heap *heap, uint32_t timer_count)
{
    ouro__timer_heap_init(heap);
    CU_ASSERT_EQUAL(ouro__timer_heap_reserve(heap, timer_count), 0);
}

/* Pops all that is due and compares: `count` timers in this order and no others. */
static void assert_pops(struct timer_heap *heap, int64_t now, const uint32_t *timers, size_t count)
{
    uint32_t timer;

    for (size_t i = 0; i < count; i++) {
        bool was_due = ouro__timer_heap_pop(heap, now, &timer);

        CU_ASSERT(was_due);
        if (was_due)
            CU_ASSERT_EQUAL(timer, timers[i]);
    }
    CU_ASSERT_FALSE(ouro__timer_heap_pop(heap, now, &timer));
}

static void test_empty_heap_has_no_deadline(void)
{
    struct timer_heap heap;
    uint32_t timer = 42;

    ouro__timer_heap_init(&heap);
    CU_ASSERT_EQUAL(ouro__timer_heap_next(&heap), INT64_MAX);
    CU_ASSERT_FALSE(ouro__timer_heap_pop(&heap, INT64_MAX, &timer));
    CU_ASSERT_EQUAL(timer, 42);
    ouro__timer_heap_done(&heap);
}

static void test_timers_fire_by_deadline_when_due_and_not_before(void)
{
    static const uint32_t first[] = {2, 0};
    static const uint32_t second[] = {1};
    struct timer_heap heap;

    set_up(&heap, 3);
    ouro__timer_heap_set(&heap, 0, 20);
    ouro__timer_heap_set(&heap, 1, 30);
    ouro__timer_heap_set(&heap, 2, 10);
    CU_ASSERT_EQUAL(ouro__timer_heap_next(&heap), 10);
    assert_pops(&heap, 9, NULL, 0);
    assert_pops(&heap, 29, first, COUNT_OF(first));
    CU_ASSERT_EQUAL(ouro__timer_heap_next(&heap), 30);
    assert_pops(&heap, 30, second, COUNT_OF(second));
    CU_ASSERT_EQUAL(ouro__timer_heap_next(&heap), INT64_MAX);
    ouro__timer_heap_done(&heap);
}

static void test_timer_is_set_until_it_fires_or_is_cleared(void)
{
    static const uint32_t fired[] = {0};
    struct timer_heap heap;

    set_up(&heap, 2);
    CU_ASSERT_FALSE(ouro__timer_heap_is_set(&heap, 0));
    ouro__timer_heap_set(&heap, 0, 1);
    ouro__timer_heap_set(&heap, 1, 2);
    CU_ASSERT(ouro__timer_heap_is_set(&heap, 0));
    assert_pops(&heap, 1, fired, COUNT_OF(fired));
    CU_ASSERT_FALSE(ouro__timer_heap_is_set(&heap, 0));
    CU_ASSERT(ouro__timer_heap_is_set(&heap, 1));
    ouro__timer_heap_clear(&heap, 1);
    CU_ASSERT_FALSE(ouro__timer_heap_is_set(&heap, 1));
    ouro__timer_heap_done(&heap);
}

/* Sets `count` timers to one deadline, backwards and then forwards; they fire as set last. */
static void assert_equal_deadlines_keep_order(struct timer_heap *heap, uint32_t count)
{
    uint32_t timer;

    for (uint32_t i = count; i-- > 0;)
        ouro__timer_heap_set(heap, i, 7);
    for (uint32_t i = 0; i < count; i++)
        ouro__timer_heap_set(heap, i, 7);
    for (uint32_t i = 0; i < count; i++) {
        CU_ASSERT(ouro__timer_heap_pop(heap, 7, &timer));
        CU_ASSERT_EQUAL(timer, i);
    }
}

static void test_equal_deadlines_fire_in_the_order_they_were_set(void)
{
    struct timer_heap heap;

    set_up(&heap, 1000);
    assert_equal_deadlines_keep_order(&heap, 1000);
    ouro__timer_heap_done(&heap);
}

static void test_equal_deadlines_keep_their_order_when_the_counter_wraps(void)
{
    struct timer_heap heap;

    set_up(&heap, 50);
    for (uint32_t left = 0; left < 100; left++) {
        heap.next_order = UINT32_MAX - left;
        assert_equal_deadlines_keep_order(&heap, 50);
    }
    ouro__timer_heap_done(&heap);
}

static void test_setting_again_moves_the_deadline(void)
{
    static const uint32_t order[] = {3, 0, 2, 1};
    struct timer_heap heap;

    set_up(&heap, 4);
    for (uint32_t i = 0; i < 4; i++)
        ouro__timer_heap_set(&heap, i, 10 * (i + 1));
    ouro__timer_heap_set(&heap, 1, 100); /* later */
    ouro__timer_heap_set(&heap, 3, 5);   /* earlier */
    ouro__timer_heap_set(&heap, 0, 10);  /* the same */
    CU_ASSERT_EQUAL(heap.count, 4);
    CU_ASSERT_EQUAL(ouro__timer_heap_next(&heap), 5);
    assert_pops(&heap, 100, order, COUNT_OF(order));
    ouro__timer_heap_done(&heap);
}

static void test_setting_the_same_deadline_again_goes_behind_its_equals(void)
{
    static const uint32_t order[] = {1, 2, 0};
    struct timer_heap heap;

    set_up(&heap, 3);
    for (uint32_t i = 0; i < 3; i++)
        ouro__timer_heap_set(&heap, i, 10);
    ouro__timer_heap_set(&heap, 0, 10);
    assert_pops(&heap, 10, order, COUNT_OF(order));
    ouro__timer_heap_done(&heap);
}

static void test_clearing_an_unset_timer_is_harmless(void)
{
    static const uint32_t left[] = {2};
    struct timer_heap heap;

    set_up(&heap, 3);
    ouro__timer_heap_clear(&heap, 0);
    ouro__timer_heap_set(&heap, 1, 1);
    ouro__timer_heap_set(&heap, 2, 2);
    ouro__timer_heap_clear(&heap, 0);
    ouro__timer_heap_clear(&heap, 1);
    ouro__timer_heap_clear(&heap, 1);
    CU_ASSERT_EQUAL(heap.count, 1);
    assert_pops(&heap, 5, left, COUNT_OF(left));
    ouro__timer_heap_clear(&heap, 2); /* it has fired */
    CU_ASSERT_EQUAL(heap.count, 0);
    ouro__timer_heap_done(&heap);
}

static void test_deadlines_may_be_as_far_off_as_numbers_go(void)
{
    static const uint32_t past[] = {3};
    static const uint32_t now[] = {1, 4};
    static const uint32_t rest[] = {2, 0};
    struct timer_heap heap;

    set_up(&heap, 5);
    ouro__timer_heap_set(&heap, 0, INT64_MAX);
    ouro__timer_heap_set(&heap, 1, -1);
    ouro__timer_heap_set(&heap, 2, INT64_MAX - 1);
    ouro__timer_heap_set(&heap, 3, INT64_MIN);
    ouro__timer_heap_set(&heap, 4, 0);
    CU_ASSERT_EQUAL(ouro__timer_heap_next(&heap), INT64_MIN);
    assert_pops(&heap, INT64_MIN, past, COUNT_OF(past));
    assert_pops(&heap, 0, now, COUNT_OF(now));
    assert_pops(&heap, INT64_MAX, rest, COUNT_OF(rest));
    ouro__timer_heap_done(&heap);
}

static void test_reserving_keeps_what_is_set(void)
{
    struct timer_heap heap;
    uint32_t timer;

    ouro__timer_heap_init(&heap);
    for (uint32_t i = 0; i < 10000; i++) { /* as the dispatcher does: before each new timer */
        CU_ASSERT_EQUAL(ouro__timer_heap_reserve(&heap, i + 1), 0);
        CU_ASSERT_FALSE(ouro__timer_heap_is_set(&heap, i));
        ouro__timer_heap_set(&heap, i, 20000 - (int64_t) i);
    }
    for (uint32_t i = 10000; i-- > 0;) {
        CU_ASSERT(ouro__timer_heap_pop(&heap, INT64_MAX, &timer));
        CU_ASSERT_EQUAL(timer, i);
    }
    ouro__timer_heap_done(&heap);
}

static void test_shrinking_keeps_what_is_set_and_gives_memory_back(void)
{
    static const uint32_t order[] = {2, 0, 1};
    struct timer_heap heap;
    uint32_t peak;

    set_up(&heap, 100000);
    peak = heap.capacity;
    for (uint32_t i = 0; i < 100000; i++)
        ouro__timer_heap_set(&heap, i, i);
    ouro__timer_heap_set(&heap, 0, 20);
    ouro__timer_heap_set(&heap, 1, 30);
    ouro__timer_heap_set(&heap, 2, 10);
    for (uint32_t i = 3; i < 100000; i++)
        ouro__timer_heap_clear(&heap, i);
    ouro__timer_heap_shrink(&heap, 3);
    CU_ASSERT(heap.capacity <= peak / 1000);
    CU_ASSERT_EQUAL(ouro__timer_heap_next(&heap), 10);
    assert_pops(&heap, 1000000, order, COUNT_OF(order));

    /* What was given up comes back unset. */
    CU_ASSERT_EQUAL(ouro__timer_heap_reserve(&heap, 100000), 0);
    for (uint32_t i = 0; i < 100000; i++)
        CU_ASSERT_FALSE(ouro__timer_heap_is_set(&heap, i));
    ouro__timer_heap_done(&heap);
}

static void test_shrinking_never_grows(void)
{
    struct timer_heap heap;

    set_up(&heap, 10);
    ouro__timer_heap_shrink(&heap, 100000);
    CU_ASSERT(heap.capacity < 100000);
    ouro__timer_heap_done(&heap);
}

static void test_children_share_a_cache_line(void)
{
    struct timer_heap heap;

    for (uint32_t capacity = 1; capacity <= 4096; capacity *= 8) {
        set_up(&heap, capacity);
        CU_ASSERT_EQUAL((uintptr_t) &heap.entries[1] % CACHE_LINE, 0);
        CU_ASSERT_EQUAL(4 * sizeof(heap.entries[1]), CACHE_LINE);
        ouro__timer_heap_done(&heap);
    }
}

/* --- against a model ------------------------------------------------------------------- */

#define MODEL_TIMERS 200
#define MODEL_STEPS  100000

/* The same by looking at everything. */
struct model {
    bool is_set[MODEL_TIMERS];
    int64_t deadlines[MODEL_TIMERS];
    uint64_t orders[MODEL_TIMERS];
    uint64_t next_order;
};

static void model_set(struct model *model, uint32_t timer, int64_t deadline)
{
    model->is_set[timer] = true;
    model->deadlines[timer] = deadline;
    model->orders[timer] = model->next_order++;
}

/* The earliest timer; MODEL_TIMERS: none. */
static uint32_t model_first(const struct model *model)
{
    uint32_t best = MODEL_TIMERS;

    for (uint32_t i = 0; i < MODEL_TIMERS; i++) {
        if (!model->is_set[i])
            continue;
        if (best == MODEL_TIMERS || model->deadlines[i] < model->deadlines[best] ||
            (model->deadlines[i] == model->deadlines[best] &&
             model->orders[i] < model->orders[best]))
            best = i;
    }
    return best;
}

static uint32_t model_timers_needed(const struct model *model)
{
    uint32_t count = MODEL_TIMERS;

    while (count > 0 && !model->is_set[count - 1])
        count--;
    return count;
}

static bool invariants_hold(const struct timer_heap *heap, const struct model *model)
{
    uint32_t set_count = 0;

    for (uint32_t i = 0; i < heap->count; i++) {
        if (i > 0 && heap->entries[(i - 1) / 4].deadline > heap->entries[i].deadline)
            return false;
        if (heap->places[heap->entries[i].timer] != i + 1)
            return false;
    }
    for (uint32_t i = 0; i < MODEL_TIMERS; i++)
        set_count += model->is_set[i];
    return set_count == heap->count;
}

/* One random operation on both; returns whether they agree. */
static bool step(struct timer_heap *heap, struct model *model, struct sim_random *random)
{
    uint32_t timer = ouro__sim_random_below(random, MODEL_TIMERS);
    int64_t time = ouro__sim_random_below(random, 1000); /* few: many deadlines are equal */
    uint32_t first, popped;
    bool was_due;

    switch (ouro__sim_random_below(random, 8)) {
    case 0:
        ouro__timer_heap_clear(heap, timer);
        model->is_set[timer] = false;
        break;
    case 1:
    case 2:
        first = model_first(model);
        was_due = ouro__timer_heap_pop(heap, time, &popped);
        if (was_due != (first < MODEL_TIMERS && model->deadlines[first] <= time))
            return false;
        if (was_due && popped != first)
            return false;
        if (was_due)
            model->is_set[first] = false;
        break;
    case 3:
        if (time < 10) { /* now and then */
            ouro__timer_heap_shrink(heap, model_timers_needed(model));
            if (ouro__timer_heap_reserve(heap, MODEL_TIMERS))
                return false;
        }
        break;
    default:
        ouro__timer_heap_set(heap, timer, time);
        model_set(model, timer, time);
    }
    first = model_first(model);
    return ouro__timer_heap_is_set(heap, timer) == model->is_set[timer] &&
           ouro__timer_heap_next(heap) ==
               (first < MODEL_TIMERS ? model->deadlines[first] : INT64_MAX);
}

static void test_random_operations_agree_with_a_naive_model(void)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct sim_random random = {seed};
        struct model *model = calloc(1, sizeof(*model));
        struct timer_heap heap;
        int steps = 0;

        CU_ASSERT_PTR_NOT_NULL_FATAL(model);
        set_up(&heap, MODEL_TIMERS);
        heap.next_order = (uint32_t) -MODEL_STEPS / 2; /* it wraps on the way */
        while (steps < MODEL_STEPS && step(&heap, model, &random)) {
            if (++steps % 1000 == 0)
                CU_ASSERT(invariants_hold(&heap, model));
        }
        CU_ASSERT_EQUAL(steps, MODEL_STEPS);
        ouro__timer_heap_done(&heap);
        free(model);
    }
}

const struct test timer_heap_tests[] = {
    TEST(test_empty_heap_has_no_deadline),
    TEST(test_timers_fire_by_deadline_when_due_and_not_before),
    TEST(test_timer_is_set_until_it_fires_or_is_cleared),
    TEST(test_equal_deadlines_fire_in_the_order_they_were_set),
    TEST(test_equal_deadlines_keep_their_order_when_the_counter_wraps),
    TEST(test_setting_again_moves_the_deadline),
    TEST(test_setting_the_same_deadline_again_goes_behind_its_equals),
    TEST(test_clearing_an_unset_timer_is_harmless),
    TEST(test_deadlines_may_be_as_far_off_as_numbers_go),
    TEST(test_reserving_keeps_what_is_set),
    TEST(test_shrinking_keeps_what_is_set_and_gives_memory_back),
    TEST(test_shrinking_never_grows),
    TEST(test_children_share_a_cache_line),
    TEST(test_random_operations_agree_with_a_naive_model),
    TEST_END,
};
