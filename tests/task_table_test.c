/* SPDX-License-Identifier: MIT */
/*
 * task_table_test.c - tests of engine/task_table.c
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "loop.h"
#include "memory_probe.h"
#include "sim_random.h"
#include "task_table.h"
#include "test.h"

#define SLOT_BYTES 256
#define MANY       100000

/* What tests keep in a slot: the id again, at its far end. */
struct test_slot {
    struct task_slot slot;
    char unused[SLOT_BYTES - sizeof(struct task_slot) - sizeof(int64_t)];
    int64_t copy_of_id;
};

static struct test_slot *allocate(struct task_table *table)
{
    void *slot = NULL;

    CU_ASSERT_EQUAL(ouro__task_table_allocate(table, &slot), 0);
    if (slot)
        ((struct test_slot *) slot)->copy_of_id = ((struct test_slot *) slot)->slot.id;
    return slot;
}

/* Allocates `count` slots; their ids, by index. */
static int64_t *fill(struct task_table *table, uint32_t count)
{
    int64_t *ids = calloc(count, sizeof(*ids));

    for (uint32_t i = 0; ids && i < count; i++)
        ids[i] = allocate(table)->slot.id;
    return ids;
}

static void release_id(struct task_table *table, int64_t id)
{
    void *slot = ouro__task_table_find(table, id);

    CU_ASSERT_PTR_NOT_NULL(slot);
    if (slot)
        ouro__task_table_release(table, slot);
}

static void set_up(struct task_table *table)
{
    CU_ASSERT_EQUAL(ouro__task_table_init(table, SLOT_BYTES), 0);
}

static void test_new_table_is_empty(void)
{
    struct task_table table;

    set_up(&table);
    CU_ASSERT_EQUAL(table.live_count, 0);
    CU_ASSERT_PTR_NULL(ouro__task_table_find(&table, 1));
    ouro__task_table_done(&table);
}

static void test_ids_are_positive_and_found(void)
{
    struct task_table table;

    set_up(&table);
    for (uint32_t i = 0; i < 100; i++) {
        struct test_slot *slot = allocate(&table);

        CU_ASSERT(slot->slot.id > 0);
        CU_ASSERT_EQUAL(slot->slot.index, i);
        CU_ASSERT_PTR_EQUAL(ouro__task_table_find(&table, slot->slot.id), slot);
        CU_ASSERT_PTR_EQUAL(ouro__task_table_slot(&table, i), slot);
    }
    ouro__task_table_done(&table);
}

static void test_many_slots_keep_their_place_and_contents(void)
{
    struct task_table table;
    void *first;
    int64_t *ids;

    set_up(&table);
    first = allocate(&table);
    ids = fill(&table, MANY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ids);
    CU_ASSERT_PTR_EQUAL(ouro__task_table_slot(&table, 0), first);
    for (uint32_t i = 0; i < MANY; i++) {
        struct test_slot *slot = ouro__task_table_find(&table, ids[i]);

        CU_ASSERT_PTR_NOT_NULL_FATAL(slot);
        CU_ASSERT_EQUAL(slot->copy_of_id, ids[i]);
    }
    CU_ASSERT_EQUAL(table.live_count, MANY + 1);
    free(ids);
    ouro__task_table_done(&table);
}

static void test_what_was_never_an_id_is_not_found(void)
{
    struct task_table table;
    int64_t id;

    set_up(&table);
    id = allocate(&table)->slot.id;
    CU_ASSERT_PTR_NULL(ouro__task_table_find(&table, 0));
    CU_ASSERT_PTR_NULL(ouro__task_table_find(&table, -id));
    CU_ASSERT_PTR_NULL(ouro__task_table_find(&table, INT64_MIN));
    CU_ASSERT_PTR_NULL(ouro__task_table_find(&table, INT64_MAX));
    CU_ASSERT_PTR_NULL(ouro__task_table_find(&table, id + 1));                  /* no such slot */
    CU_ASSERT_PTR_NULL(ouro__task_table_find(&table, id + (INT64_C(1) << 32))); /* no such task */
    ouro__task_table_done(&table);
}

static void test_released_slot_is_not_found_and_comes_back_with_another_id(void)
{
    struct task_table table;
    struct test_slot *slot, *again;
    int64_t stale;

    set_up(&table);
    slot = allocate(&table);
    stale = slot->slot.id;
    ouro__task_table_release(&table, slot);
    CU_ASSERT_PTR_NULL(ouro__task_table_find(&table, stale));
    again = allocate(&table);
    CU_ASSERT_PTR_EQUAL(again, slot);
    CU_ASSERT_NOT_EQUAL(again->slot.id, stale);
    CU_ASSERT_PTR_NULL(ouro__task_table_find(&table, stale));
    CU_ASSERT_PTR_EQUAL(ouro__task_table_find(&table, again->slot.id), again);
    ouro__task_table_done(&table);
}

static void test_slot_released_last_is_handed_out_first(void)
{
    struct task_table table;
    struct test_slot *slots[4];

    set_up(&table);
    for (size_t i = 0; i < COUNT_OF(slots); i++)
        slots[i] = allocate(&table);
    ouro__task_table_release(&table, slots[2]);
    ouro__task_table_release(&table, slots[0]);
    ouro__task_table_release(&table, slots[3]);
    CU_ASSERT_PTR_EQUAL(allocate(&table), slots[3]);
    CU_ASSERT_PTR_EQUAL(allocate(&table), slots[0]);
    CU_ASSERT_PTR_EQUAL(allocate(&table), slots[2]);
    CU_ASSERT_EQUAL(allocate(&table)->slot.index, 4);
    ouro__task_table_done(&table);
}

static void test_live_and_peak_are_counted(void)
{
    struct task_table table;
    struct test_slot *slots[3];

    set_up(&table);
    for (size_t i = 0; i < COUNT_OF(slots); i++)
        slots[i] = allocate(&table);
    ouro__task_table_release(&table, slots[0]);
    ouro__task_table_release(&table, slots[1]);
    (void) allocate(&table);
    CU_ASSERT_EQUAL(table.live_count, 2);
    ouro__task_table_done(&table);
}

static int compare_ids(const void *left, const void *right)
{
    int64_t a = *(const int64_t *) left;
    int64_t b = *(const int64_t *) right;

    return (a > b) - (a < b);
}

/* Many generations of few slots, released at random: no id comes twice. */
static void test_ids_are_unique_over_generations(void)
{
    struct sim_random random = {1};
    struct task_table table;
    int64_t *ids = calloc(MANY, sizeof(*ids));
    int64_t live[50] = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(ids);
    set_up(&table);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t victim = ouro__sim_random_below(&random, COUNT_OF(live));

        if (live[victim])
            release_id(&table, live[victim]);
        live[victim] = ids[i] = allocate(&table)->slot.id;
    }
    CU_ASSERT(table.slots_used <= COUNT_OF(live));
    qsort(ids, MANY, sizeof(*ids), compare_ids);
    for (uint32_t i = 1; i < MANY; i++)
        CU_ASSERT_NOT_EQUAL(ids[i - 1], ids[i]);
    ouro__task_table_done(&table);
    free(ids);
}

static void test_ids_stay_positive_when_the_serial_number_wraps(void)
{
    struct task_table table;

    set_up(&table);
    table.next_serial = INT32_MAX - 3;
    for (uint32_t i = 0; i < 10; i++) {
        struct test_slot *slot = allocate(&table);

        CU_ASSERT(slot->slot.id > 0);
        CU_ASSERT(slot->slot.id >> 32 > 0);
        CU_ASSERT_PTR_EQUAL(ouro__task_table_find(&table, slot->slot.id), slot);
    }
    ouro__task_table_done(&table);
}

/* --- its ends -------------------------------------------------------------------------- */

/* Sixteen million slots would take a while: the counter is set as if they were in use. */
static void test_full_table_refuses_until_one_is_released(void)
{
    struct task_table table;
    struct task_slot *last;
    void *slot = NULL;

    CU_ASSERT_EQUAL_FATAL(ouro__task_table_init(&table, 64), 0);
    table.slots_used = TASK_TABLE_SLOTS_MAX - 1;
    CU_ASSERT_EQUAL_FATAL(ouro__task_table_allocate(&table, &slot), 0);
    last = slot;
    CU_ASSERT_EQUAL(last->index, TASK_TABLE_SLOTS_MAX - 1);
    CU_ASSERT_EQUAL(ouro__task_table_allocate(&table, &slot), -EAGAIN);
    CU_ASSERT_PTR_EQUAL(slot, last); /* written on success only */
    CU_ASSERT_EQUAL(table.live_count, 1);
    ouro__task_table_release(&table, last);
    CU_ASSERT_EQUAL(ouro__task_table_allocate(&table, &slot), 0);
    CU_ASSERT_PTR_EQUAL(slot, last);
    ouro__task_table_done(&table);
}

static int exhaust_address_space(void *arg)
{
    struct task_table table;
    int code;

    (void) arg;
    if (!limit_memory(RLIMIT_AS, (rlim_t) 64 << 20))
        return CANNOT_LIMIT_MEMORY;
    code = ouro__task_table_init(&table, SLOT_BYTES);
    ouro__task_table_done(&table); /* harmless after a failure */
    return code == -ENOMEM ? 0 : 1;
}

/* Writable private memory is limited: the table stops growing, and works on. */
static int exhaust_memory(void *arg)
{
    struct task_table table;
    void *slot;
    int code;

    (void) arg;
    if (ouro__task_table_init(&table, SLOT_BYTES) || ouro__task_table_allocate(&table, &slot))
        return 1;
    if (!limit_memory(RLIMIT_DATA, 1))
        return CANNOT_LIMIT_MEMORY;
    do
        code = ouro__task_table_allocate(&table, &slot);
    while (code == 0 && table.live_count < MANY);
    if (code != -ENOMEM || table.live_count != table.slots_used)
        return 2;
    ouro__task_table_release(&table, ouro__task_table_slot(&table, 0));
    return ouro__task_table_allocate(&table, &slot) ? 3 : 0;
}

static void test_missing_memory_is_reported(void)
{
    struct child no_address_space = run_in_child(exhaust_address_space, NULL);
    struct child no_memory = run_in_child(exhaust_memory, NULL);

    if (exited_with(&no_memory, CANNOT_LIMIT_MEMORY)) {
        TEST_SKIP("limits on memory are not obeyed here");
        return;
    }
    CU_ASSERT(exited_with(&no_address_space, 0));
    CU_ASSERT(exited_with(&no_memory, 0));
}

/* --- memory ------------------------------------------------------------------------------ */

static void test_small_table_takes_little_memory(void)
{
    struct task_table table;

    set_up(&table);
    free(fill(&table, 12));
    CU_ASSERT_EQUAL(resident_pages(table.slots, (size_t) 4 << 20), 1);
    ouro__task_table_done(&table);
}

static void test_trim_gives_memory_back_after_a_peak(void)
{
    struct task_table table;
    int64_t *ids;

    set_up(&table);
    ids = fill(&table, MANY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ids);
    CU_ASSERT(resident_pages(table.slots, (size_t) MANY * SLOT_BYTES) > 6000);
    for (uint32_t i = 3; i < MANY; i++)
        release_id(&table, ids[i]);
    CU_ASSERT_EQUAL(ouro__task_table_trim(&table), 3);
    CU_ASSERT_EQUAL(resident_pages(table.slots, (size_t) MANY * SLOT_BYTES), 1);
    for (uint32_t i = 0; i < 3; i++) {
        struct test_slot *slot = ouro__task_table_find(&table, ids[i]);

        CU_ASSERT_PTR_NOT_NULL(slot);
        if (slot)
            CU_ASSERT_EQUAL(slot->copy_of_id, ids[i]);
    }
    CU_ASSERT_EQUAL(table.live_count, 3);
    free(ids);
    ouro__task_table_done(&table);
}

static void test_stale_ids_stay_stale_after_a_trim(void)
{
    struct task_table table;
    int64_t *stale, *fresh;

    set_up(&table);
    stale = fill(&table, MANY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stale);
    for (uint32_t i = 0; i < MANY; i++)
        release_id(&table, stale[i]);
    CU_ASSERT_EQUAL(ouro__task_table_trim(&table), 0);
    for (uint32_t i = 0; i < MANY; i++)
        CU_ASSERT_PTR_NULL(ouro__task_table_find(&table, stale[i]));
    fresh = fill(&table, MANY);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fresh);
    for (uint32_t i = 0; i < MANY; i++) {
        CU_ASSERT_PTR_NULL(ouro__task_table_find(&table, stale[i]));
        CU_ASSERT_PTR_NOT_NULL(ouro__task_table_find(&table, fresh[i]));
    }
    free(stale);
    free(fresh);
    ouro__task_table_done(&table);
}

/* Slots that are free, but below one that is not: they stay, and are used lowest first. */
static void test_trim_keeps_free_slots_below_a_live_one(void)
{
    struct task_table table;
    int64_t *ids;

    set_up(&table);
    ids = fill(&table, 5000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ids);
    for (uint32_t i = 0; i < 5000; i++)
        if (i != 1 && i != 4)
            release_id(&table, ids[i]);
    CU_ASSERT_EQUAL(ouro__task_table_trim(&table), 5);
    CU_ASSERT_EQUAL(allocate(&table)->slot.index, 0);
    CU_ASSERT_EQUAL(allocate(&table)->slot.index, 2);
    CU_ASSERT_EQUAL(allocate(&table)->slot.index, 3);
    CU_ASSERT_EQUAL(allocate(&table)->slot.index, 5);
    CU_ASSERT_PTR_NOT_NULL(ouro__task_table_find(&table, ids[1]));
    CU_ASSERT_PTR_NOT_NULL(ouro__task_table_find(&table, ids[4]));
    free(ids);
    ouro__task_table_done(&table);
}

static void test_trim_leaves_alone_what_is_not_worth_it(void)
{
    static const struct {
        uint32_t count, kept; /* so many are allocated; of them this one is kept */
    } rows[] = {
        {1000, 0},    /* a small table */
        {5000, 4999}, /* the end is in use */
        {5000, 2600}, /* over half of it would be left */
    };

    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        struct task_table table;
        int64_t *ids;

        set_up(&table);
        ids = fill(&table, rows[row].count);
        CU_ASSERT_PTR_NOT_NULL_FATAL(ids);
        for (uint32_t i = 0; i < rows[row].count; i++)
            if (i != rows[row].kept)
                release_id(&table, ids[i]);
        CU_ASSERT_EQUAL(ouro__task_table_trim(&table), rows[row].count);
        CU_ASSERT_PTR_NOT_NULL(ouro__task_table_find(&table, ids[rows[row].kept]));
        free(ids);
        ouro__task_table_done(&table);
    }
}

const struct test task_table_tests[] = {
    TEST(test_new_table_is_empty),
    TEST(test_ids_are_positive_and_found),
    TEST(test_many_slots_keep_their_place_and_contents),
    TEST(test_what_was_never_an_id_is_not_found),
    TEST(test_released_slot_is_not_found_and_comes_back_with_another_id),
    TEST(test_slot_released_last_is_handed_out_first),
    TEST(test_live_and_peak_are_counted),
    TEST(test_ids_are_unique_over_generations),
    TEST(test_ids_stay_positive_when_the_serial_number_wraps),
    TEST(test_full_table_refuses_until_one_is_released),
    TEST(test_missing_memory_is_reported),
    TEST(test_small_table_takes_little_memory),
    TEST(test_trim_gives_memory_back_after_a_peak),
    TEST(test_stale_ids_stay_stale_after_a_trim),
    TEST(test_trim_keeps_free_slots_below_a_live_one),
    TEST(test_trim_leaves_alone_what_is_not_worth_it),
    TEST_END,
};
