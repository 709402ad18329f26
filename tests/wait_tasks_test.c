/* SPDX-License-Identifier: MIT */
/*
 * wait_tasks_test.c - tests of engine/wait_tasks.c: the end of tasks, without their results
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "dispatcher.h"
#include "loop.h"

#define MS   OURO_MILLISECOND
#define MANY 100 /* more than fit on the stack */

/* Sleeps so many milliseconds, and returns their number. */
static int sleep_ms(void *arg)
{
    int code = ouro_sleep((intptr_t) arg * MS);

    return code ? code : (int) (intptr_t) arg;
}

static ouro_task_id spawn_sleeper(intptr_t ms)
{
    return ouro_spawn(sleep_ms, (void *) ms);
}

/* Joins a task that has ended, which takes no time. */
static int result_of(ouro_task_id id)
{
    int64_t now = ouro_now();
    int result = -1;

    CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
    if (ouro__dispatcher->ring.simulated)
        CU_ASSERT_EQUAL(ouro_now(), now);
    return result;
}

static bool has_ended(ouro_task_id id)
{
    const struct ouro_task *task = ouro__task_table_find(&ouro__dispatcher->tasks, id);

    return !task || task->state == TASK_ENDED;
}

/* asyncio's as_completed(), with each count of tasks: in the order of their ends. */
static int take_as_completed(void *arg)
{
    (void) arg;
    for (size_t total = 1; total <= MANY; total += total < 20 ? 1 : 40) {
        ouro_task_id ids[MANY];
        size_t count = total;

        for (size_t i = 0; i < total; i++)
            ids[i] = spawn_sleeper(1 + (intptr_t) ((i * 103 + 3) % total));
        for (int expected = 1; count > 0; expected++) {
            size_t index = SIZE_MAX;

            CU_ASSERT_EQUAL(ouro_wait_any(ids, count, &index), 0);
            CU_ASSERT(index < count);
            if (index >= count)
                break;
            CU_ASSERT_EQUAL(result_of(ids[index]), expected);
            ids[index] = ids[--count];
        }
    }
    return 0;
}

static void test_tasks_are_taken_as_they_complete(void)
{
    CU_ASSERT_EQUAL(run_sim(take_as_completed, NULL), 0);
}

static int wait_for_each_kind(void *arg)
{
    ouro_task_id ids[4];
    size_t index = SIZE_MAX;

    (void) arg;
    for (int i = 0; i < 4; i++)
        ids[i] = spawn_sleeper(4 - i);
    CU_ASSERT_EQUAL(ouro_wait_any(ids, 4, &index), 0);
    CU_ASSERT_EQUAL(index, 3);
    CU_ASSERT_EQUAL(ouro_wait_all(ids, 4), 0);
    CU_ASSERT_EQUAL(ouro_wait_all(ids, 4), 0); /* takes nothing */
    CU_ASSERT_EQUAL(ouro_wait_any(ids + 1, 3, &index), 0);
    CU_ASSERT_EQUAL(index, 0); /* the first of several */
    for (int i = 0; i < 4; i++) {
        int result = -1;

        CU_ASSERT_EQUAL(ouro_join(ids[i], &result), 0);
        CU_ASSERT_EQUAL(result, 4 - i);
    }
    return 0;
}

static void test_waiting_takes_no_result(void)
{
    run_on_each_ring(wait_for_each_kind, NULL);
}

static int wait_all_at_once(void *arg)
{
    ouro_task_id ids[MANY];

    (void) arg;
    for (size_t total = 1; total <= MANY; total += 33) {
        int64_t start = ouro_now();

        for (size_t i = 0; i < total; i++)
            ids[i] = spawn_sleeper((intptr_t) ((i * 103 + 3) % total));
        CU_ASSERT_EQUAL(ouro_wait_all(ids, total), 0);
        CU_ASSERT_EQUAL(ouro_now() - start, (int64_t) (total - 1) * MS);
        for (size_t i = 0; i < total; i++)
            CU_ASSERT_EQUAL(result_of(ids[i]), (int) ((i * 103 + 3) % total));
    }
    return 0;
}

static void test_wait_all_lasts_until_the_last_has_ended(void)
{
    CU_ASSERT_EQUAL(run_sim(wait_all_at_once, NULL), 0);
}

/* The watched task is joined as soon as it ends, and its slot is taken by another. */
static int join_and_spawn(void *arg)
{
    ouro_task_id *id = arg;

    CU_ASSERT_EQUAL(ouro_join(*id, NULL), 0);
    *id = spawn_sleeper(1000);
    return 0;
}

static int wait_beside_joiners(void *arg)
{
    ouro_task_id ids[3], watched[3], joiners[3];
    int64_t start = ouro_now();
    size_t index = SIZE_MAX;

    (void) arg;
    for (int i = 0; i < 3; i++) {
        watched[i] = ids[i] = spawn_sleeper(10 + i);
        joiners[i] = ouro_spawn(join_and_spawn, &ids[i]);
    }
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_wait_any(watched, 3, &index), 0);
    CU_ASSERT_EQUAL(index, 0);
    CU_ASSERT_EQUAL(ouro_wait_all(watched + 1, 2), 0);
    CU_ASSERT_EQUAL(ouro_now() - start, 12 * MS);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(ouro_join(watched[i], NULL), -ESRCH); /* the joiners took the results */
        CU_ASSERT_EQUAL(ouro_join(joiners[i], NULL), 0);
        CU_ASSERT_EQUAL(ouro_cancel_join(ids[i], NULL), 0);
    }
    return 0;
}

static void test_joiners_and_watchers_of_one_task_are_all_woken(void)
{
    CU_ASSERT_EQUAL(run_sim(wait_beside_joiners, NULL), 0);
}

/* --- several watchers, and interruptions ---------------------------------------------------- */

/* A task that waits for any or all of some tasks. */
struct watcher {
    const ouro_task_id *ids;
    size_t count;
    bool for_all;
    size_t index;
    int code, next_code;
    ouro_task_id id;
};

static int watch(void *arg)
{
    struct watcher *watcher = arg;

    watcher->code = watcher->for_all ? ouro_wait_all(watcher->ids, watcher->count)
                                     : ouro_wait_any(watcher->ids, watcher->count, &watcher->index);
    watcher->next_code = ouro_yield();
    return 0;
}

/* Starts a watcher; it waits when this returns. */
static void start(struct watcher *watcher, const ouro_task_id *ids, size_t count, bool for_all)
{
    *watcher = (struct watcher) {.ids = ids, .count = count, .for_all = for_all, .index = SIZE_MAX};
    watcher->id = ouro_spawn(watch, watcher);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
}

static void end(struct watcher *watcher, int expected_code, size_t expected_index)
{
    CU_ASSERT_EQUAL(ouro_join(watcher->id, NULL), 0);
    CU_ASSERT_EQUAL(watcher->code, expected_code);
    CU_ASSERT_EQUAL(watcher->index, expected_index);
}

/* Four tasks watch the same, in different orders; one of them names a task twice. */
static int watch_together(void *arg)
{
    ouro_task_id ids[] = {spawn_sleeper(1), spawn_sleeper(2), spawn_sleeper(3)};
    ouro_task_id backwards[] = {ids[2], ids[1], ids[0]};
    ouro_task_id twice[] = {ids[2], ids[1], ids[1]};
    struct watcher watchers[4];
    int64_t begin = ouro_now();

    (void) arg;
    start(&watchers[0], ids, 3, false);
    start(&watchers[1], backwards, 3, false);
    start(&watchers[2], twice, 3, false);
    start(&watchers[3], twice, 3, true);
    end(&watchers[0], 0, 0);
    end(&watchers[1], 0, 2);
    CU_ASSERT_EQUAL(ouro_now() - begin, 1 * MS);
    end(&watchers[2], 0, 1);
    CU_ASSERT_EQUAL(ouro_now() - begin, 2 * MS);
    end(&watchers[3], 0, SIZE_MAX);
    CU_ASSERT_EQUAL(ouro_now() - begin, 3 * MS);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(result_of(ids[i]), i + 1);
    return 0;
}

static void test_task_may_have_several_watchers(void)
{
    CU_ASSERT_EQUAL(run_sim(watch_together, NULL), 0);
}

static int wait_for(void *arg)
{
    return ouro_future_wait(arg, NULL);
}

/* The end of a task and a cancel of its watcher, in both orders and at the same moment. */
static int race_interruptions(void *arg)
{
    (void) arg;
    for (int kind = 0; kind < 4; kind++) {
        size_t count = kind & 1 ? MANY : 2;
        bool for_all = kind & 2;
        ouro_task_id ids[MANY];

        for (int order = 0; order < 3; order++) {
            struct ouro_future future = OURO_FUTURE_INIT;
            struct watcher watcher;

            for (size_t i = 0; i < count; i++)
                ids[i] = ouro_spawn(wait_for, &future);
            CU_ASSERT_EQUAL(ouro_yield(), 0);
            start(&watcher, ids, count, for_all);
            if (order == 0)
                CU_ASSERT_EQUAL(ouro_cancel(watcher.id), 0);
            CU_ASSERT_EQUAL(ouro_future_set(&future, NULL), 0);
            if (order == 1)
                CU_ASSERT_EQUAL(ouro_yield(), 0); /* all end, the watcher is woken */
            if (order == 1)
                CU_ASSERT_EQUAL(ouro_cancel(watcher.id), 0);
            end(&watcher, order == 0 ? -ECANCELED : 0, order == 0 || for_all ? SIZE_MAX : 0);
            CU_ASSERT_EQUAL(watcher.next_code, order == 2 ? 0 : -ECANCELED);
            for (size_t i = 0; i < count; i++)
                CU_ASSERT_EQUAL(result_of(ids[i]), 0);
        }
    }
    return 0;
}

static void test_interruption_races_the_end_and_nothing_is_lost(void)
{
    run_on_each_ring(race_interruptions, NULL);
}

/* Between two of the ends that wait_all() waits for: the interruption stops the wait. */
static int interrupt_between(void *arg)
{
    ouro_task_id ids[] = {spawn_sleeper(1), spawn_sleeper(3)};
    struct ouro_timeout limit;
    size_t index;

    (void) arg;
    ouro_timeout_begin(&limit, MS); /* passes in the moment in which the first ends */
    CU_ASSERT_EQUAL(ouro_wait_all(ids, 2), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_now(), MS);
    ouro_timeout_begin(&limit, MS);
    CU_ASSERT_EQUAL(ouro_wait_any(ids + 1, 1, &index), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_wait_all(ids, 1), -ETIMEDOUT); /* begins nothing, although it could */
    CU_ASSERT_EQUAL(ouro_wait_any(ids, 1, &index), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_now(), 2 * MS);
    CU_ASSERT_EQUAL(ouro_wait_all(ids, 2), 0);
    CU_ASSERT_EQUAL(ouro_now(), 3 * MS);
    CU_ASSERT_EQUAL(result_of(ids[0]), 1);
    CU_ASSERT_EQUAL(result_of(ids[1]), 3);
    return 0;
}

/* The first of two tasks has ended, but the one that waits for both did not run yet. */
static int cancel_between(void *arg)
{
    struct ouro_future future = OURO_FUTURE_INIT;
    ouro_task_id ids[] = {ouro_spawn(wait_for, &future), spawn_sleeper(5)};
    struct watcher watcher;

    (void) arg;
    start(&watcher, ids, 2, true);
    CU_ASSERT_EQUAL(ouro_future_set(&future, NULL), 0);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT(has_ended(ids[0]));
    CU_ASSERT_EQUAL(ouro_cancel(watcher.id), 0);
    end(&watcher, -ECANCELED, SIZE_MAX);
    CU_ASSERT(!has_ended(ids[1]));
    CU_ASSERT_EQUAL(ouro_wait_all(ids, 2), 0);
    CU_ASSERT_EQUAL(result_of(ids[0]), 0);
    CU_ASSERT_EQUAL(result_of(ids[1]), 5);
    return 0;
}

static void test_interrupted_wait_leaves_the_tasks_alone(void)
{
    CU_ASSERT_EQUAL(run_sim(interrupt_between, NULL), 0);
    run_on_each_ring(cancel_between, NULL);
}

static bool other_ran;

static int note_that_other_ran(void *arg)
{
    (void) arg;
    other_ran = true;
    return 0;
}

static int ask_again_and_again(void *arg)
{
    (void) arg;
    for (int for_all = 0; for_all < 2; for_all++) {
        ouro_task_id ended = spawn_sleeper(0), other;
        size_t index;

        CU_ASSERT_EQUAL(ouro_wait_all(&ended, 1), 0);
        other = ouro_spawn(note_that_other_ran, NULL);
        other_ran = false;
        for (int i = 0; i < 10000 && !other_ran; i++)
            CU_ASSERT_EQUAL(for_all ? ouro_wait_all(&ended, 1) : ouro_wait_any(&ended, 1, &index),
                            0);
        CU_ASSERT(other_ran);
        CU_ASSERT_EQUAL(ouro_join(ended, NULL), 0);
        CU_ASSERT_EQUAL(ouro_join(other, NULL), 0);
    }
    return 0;
}

static void test_task_that_never_waits_gives_way_in_the_end(void)
{
    CU_ASSERT_EQUAL(run_sim(ask_again_and_again, NULL), 0);
}

/* --- errors ------------------------------------------------------------------------------------ */

static int tell_id_and_sleep(void *arg)
{
    *(ouro_task_id *) arg = ouro_self();
    return ouro_sleep(MS);
}

/* Whatever else is in the list, and although one of it has ended. */
static int wait_for_what_is_not_joinable(void *arg)
{
    static const int codes[] = {-ESRCH, -EINVAL, -EINVAL, -EDEADLK, -ESRCH, -ESRCH};
    struct ouro_spawn_options detached = {.detached = true};
    ouro_task_id ids[] = {spawn_sleeper(100), spawn_sleeper(0), 0};
    ouro_task_id bad[COUNT_OF(codes)];
    struct ouro_group group;
    size_t index = 77;

    (void) arg;
    bad[0] = spawn_sleeper(0);
    CU_ASSERT_EQUAL(ouro_join(bad[0], NULL), 0);
    bad[1] = ouro_spawn_with(sleep_ms, (void *) (intptr_t) 5, &detached);
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, tell_id_and_sleep, &bad[2]), 0);
    bad[3] = ouro_self();
    bad[4] = -1;
    bad[5] = 0;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_wait_all(&ids[1], 1), 0);
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        ids[2] = bad[i];
        CU_ASSERT_EQUAL(ouro_wait_any(ids, 3, &index), codes[i]);
        CU_ASSERT_EQUAL(ouro_wait_all(ids, 3), codes[i]);
    }
    CU_ASSERT_EQUAL(ouro_wait_any(ids, 0, &index), -EINVAL);
    CU_ASSERT_EQUAL(ouro_wait_all(ids, 0), -EINVAL);
    CU_ASSERT_EQUAL(index, 77);
    CU_ASSERT_EQUAL(ouro_now(), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(ids[0], NULL), 0);
    return ouro_join(ids[1], NULL);
}

static void test_what_is_not_joinable_is_refused_before_the_wait(void)
{
    CU_ASSERT_EQUAL(run_sim(wait_for_what_is_not_joinable, NULL), 0);
}

static int wait_any_outside_a_task(void *arg)
{
    ouro_task_id id = 1;
    size_t index;

    (void) arg;
    return ouro_wait_any(&id, 1, &index);
}

static int wait_all_outside_a_task(void *arg)
{
    ouro_task_id id = 1;

    (void) arg;
    return ouro_wait_all(&id, 1);
}

static void test_misuse_is_checked(void)
{
    struct child child = run_in_child(wait_any_outside_a_task, NULL);

    CU_ASSERT(was_killed_by(&child, SIGABRT) && said(&child, "ouro_wait_any() needs a task"));
    child = run_in_child(wait_all_outside_a_task, NULL);
    CU_ASSERT(was_killed_by(&child, SIGABRT) && said(&child, "ouro_wait_all() needs a task"));
}

/* --- a mixed workload ------------------------------------------------------------------------ */

#define MIX_WATCHED  40
#define MIX_WATCHERS 6

/* Watchers that wait for tasks in any set and order, some of them cancelled or in a hurry. */
struct mix {
    uint64_t chance;
    ouro_task_id ids[MIX_WATCHED];
    int unexpected, ended, interrupted;
};

static unsigned below(struct mix *mix, unsigned limit)
{
    mix->chance = mix->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned) ((mix->chance >> 33) % limit);
}

static int mix_watch(void *arg)
{
    struct mix *mix = arg;
    int code = 0;

    for (int round = 0; round < 10 && code != -ECANCELED; round++) {
        ouro_task_id ids[MIX_WATCHED];
        size_t count = 1 + below(mix, MIX_WATCHED), index = 0;
        struct ouro_timeout limit;
        bool for_all = below(mix, 2);

        for (size_t i = 0; i < count; i++)
            ids[i] = mix->ids[below(mix, MIX_WATCHED)];
        ouro_timeout_begin(&limit, below(mix, 2) ? below(mix, 20) * MS : OURO_FOREVER);
        code = for_all ? ouro_wait_all(ids, count) : ouro_wait_any(ids, count, &index);
        (void) ouro_timeout_end(&limit);
        mix->ended += !code;
        mix->interrupted += code == -ECANCELED || code == -ETIMEDOUT;
        mix->unexpected += code && code != -ECANCELED && code != -ETIMEDOUT;
        for (size_t i = 0; !code && i < count; i++)
            mix->unexpected += (for_all || i == index) && !has_ended(ids[i]);
    }
    return 0;
}

static int run_mix(void *arg)
{
    struct mix *mix = arg;
    ouro_task_id watchers[MIX_WATCHERS];

    for (int i = 0; i < MIX_WATCHED; i++)
        mix->ids[i] = spawn_sleeper(below(mix, 30));
    for (int i = 0; i < MIX_WATCHERS; i++)
        watchers[i] = ouro_spawn(mix_watch, mix);
    for (int i = 0; i < 10; i++) {
        mix->unexpected += ouro_sleep(below(mix, 3) * MS) != 0;
        if (below(mix, 4) == 0)
            (void) ouro_cancel(watchers[below(mix, MIX_WATCHERS)]);
        if (below(mix, 4) == 0)
            (void) ouro_cancel(mix->ids[below(mix, MIX_WATCHED)]);
    }
    for (int i = 0; i < MIX_WATCHERS; i++)
        mix->unexpected += ouro_join(watchers[i], NULL) != 0;
    for (int i = 0; i < MIX_WATCHED; i++)
        mix->unexpected += ouro_join(mix->ids[i], NULL) != 0;
    mix->unexpected += ouro__dispatcher->task_count != 1;
    return 0;
}

static void test_three_hundred_seeds_of_a_mixed_workload(void)
{
    int ended = 0, interrupted = 0;

    for (unsigned seed = 1; seed <= 300; seed++) {
        struct mix mix = {.chance = seed};
        char ring[32];
        int code;

        (void) snprintf(ring, sizeof(ring), "sim:seed=%u", seed);
        code = run_with(ring, 0, run_mix, &mix);
        if (code || mix.unexpected)
            printf("    seed %u: code %d, %d unexpected\n", seed, code, mix.unexpected);
        CU_ASSERT_EQUAL(code, 0);
        CU_ASSERT_EQUAL(mix.unexpected, 0);
        ended += mix.ended;
        interrupted += mix.interrupted;
    }
    CU_ASSERT(ended > 1000);
    CU_ASSERT(interrupted > 1000);
}

const struct test wait_tasks_tests[] = {
    TEST(test_tasks_are_taken_as_they_complete),
    TEST(test_waiting_takes_no_result),
    TEST(test_wait_all_lasts_until_the_last_has_ended),
    TEST(test_joiners_and_watchers_of_one_task_are_all_woken),
    TEST(test_task_may_have_several_watchers),
    TEST(test_interruption_races_the_end_and_nothing_is_lost),
    TEST(test_interrupted_wait_leaves_the_tasks_alone),
    TEST(test_task_that_never_waits_gives_way_in_the_end),
    TEST(test_what_is_not_joinable_is_refused_before_the_wait),
    TEST(test_misuse_is_checked),
    TEST(test_three_hundred_seeds_of_a_mixed_workload),
    TEST_END,
};
