/* SPDX-License-Identifier: MIT */
/*
 * future_test.c - tests of engine/future.c
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "dispatcher.h"
#include "loop.h"

#define MS OURO_MILLISECOND

struct waiter {
    struct ouro_future *future;
    struct log *log;
    const char *name;
    void *value;
    int code, next_code;
    ouro_task_id id;
};

static int await(void *arg)
{
    struct waiter *waiter = arg;

    waiter->code = ouro_future_wait(waiter->future, &waiter->value);
    if (waiter->log)
        log_add(waiter->log, waiter->name);
    waiter->next_code = ouro_yield();
    return 0;
}

/* Starts a waiter; it waits when this returns. */
static void start(struct waiter *waiter, struct ouro_future *future)
{
    *waiter = (struct waiter) {.future = future, .code = 1};
    waiter->id = ouro_spawn(await, waiter);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
}

static void end(struct waiter *waiter, int expected_code)
{
    CU_ASSERT_EQUAL(ouro_join(waiter->id, NULL), 0);
    CU_ASSERT_EQUAL(waiter->code, expected_code);
}

static int set_and_wait(void *arg)
{
    struct ouro_future future = OURO_FUTURE_INIT;
    int target, other;
    void *value = NULL;

    (void) arg;
    CU_ASSERT(!ouro_future_is_done(&future));
    CU_ASSERT_EQUAL(ouro_future_set(&future, &target), 0);
    CU_ASSERT(ouro_future_is_done(&future));
    CU_ASSERT_EQUAL(ouro_future_wait(&future, &value), 0);
    CU_ASSERT_PTR_EQUAL(value, &target);
    CU_ASSERT_EQUAL(ouro_future_wait(&future, NULL), 0);
    CU_ASSERT_EQUAL(ouro_future_set(&future, &other), -EALREADY);
    CU_ASSERT_EQUAL(ouro_future_fail(&future, -EIO), -EALREADY);
    CU_ASSERT_EQUAL(ouro_future_wait(&future, &value), 0);
    CU_ASSERT_PTR_EQUAL(value, &target);

    ouro_future_init(&future);
    CU_ASSERT(!ouro_future_is_done(&future));
    CU_ASSERT_EQUAL(ouro_future_fail(&future, -EIO), 0);
    CU_ASSERT(ouro_future_is_done(&future));
    CU_ASSERT_EQUAL(ouro_future_wait(&future, &value), -EIO);
    CU_ASSERT_PTR_EQUAL(value, &target); /* not written */
    CU_ASSERT_EQUAL(ouro_future_set(&future, &other), -EALREADY);
    CU_ASSERT_EQUAL(ouro_future_wait(&future, NULL), -EIO);
    return 0;
}

static void test_future_is_set_once(void)
{
    run_on_each_ring(set_and_wait, NULL);
}

static int wake_in_order(void *arg)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    struct log log = {.len = 0};

    (void) arg;
    for (int code = 0; code >= -EIO; code -= EIO) {
        struct ouro_future future = OURO_FUTURE_INIT;
        struct waiter waiters[4];

        for (int i = 0; i < 4; i++) {
            start(&waiters[i], &future);
            waiters[i].log = &log;
            waiters[i].name = names[i];
        }
        CU_ASSERT_EQUAL(code ? ouro_future_fail(&future, code) : ouro_future_set(&future, &log), 0);
        CU_ASSERT_EQUAL(waiters[0].code, 1); /* setting runs nobody */
        memset(&future, 0xff, sizeof(future));
        for (int i = 0; i < 4; i++) {
            end(&waiters[i], code);
            CU_ASSERT_PTR_EQUAL(waiters[i].value, code ? NULL : &log);
        }
    }
    CU_ASSERT_STRING_EQUAL(log.text, "abcdabcd");
    return 0;
}

/* And a future may go as soon as it is set. */
static void test_all_waiters_are_woken_in_the_order_of_their_arrival(void)
{
    run_on_each_ring(wake_in_order, NULL);
}

/* Before the future is set, in the same turn, and after: waits that were ended keep the value. */
static int race_interruptions(void *arg)
{
    (void) arg;
    for (int cancelled = 0; cancelled < 3; cancelled++) {
        struct ouro_future future = OURO_FUTURE_INIT;
        struct waiter waiters[3];

        for (int i = 0; i < 3; i++)
            start(&waiters[i], &future);
        CU_ASSERT_EQUAL(ouro_cancel(waiters[cancelled].id), 0);
        CU_ASSERT_EQUAL(ouro_future_set(&future, &future), 0);
        CU_ASSERT_EQUAL(ouro_cancel(waiters[(cancelled + 1) % 3].id), 0);
        for (int i = 0; i < 3; i++) {
            end(&waiters[i], i == cancelled ? -ECANCELED : 0);
            CU_ASSERT_EQUAL(waiters[i].next_code, i == (cancelled + 2) % 3 ? 0 : -ECANCELED);
            CU_ASSERT_PTR_EQUAL(waiters[i].value, i == cancelled ? NULL : &future);
        }
    }
    return 0;
}

static void test_interruption_races_a_set_and_nothing_is_lost(void)
{
    run_on_each_ring(race_interruptions, NULL);
}

static int race_fail(void *arg)
{
    struct ouro_future future = OURO_FUTURE_INIT;
    struct ouro_timeout limit;
    struct waiter waiter;

    (void) arg;
    ouro_timeout_begin(&limit, MS);
    CU_ASSERT_EQUAL(ouro_future_wait(&future, NULL), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_PTR_NULL(future.waiters);

    start(&waiter, &future);
    CU_ASSERT_EQUAL(ouro_future_fail(&future, -EIO), 0);
    CU_ASSERT_EQUAL(ouro_cancel(waiter.id), 0);
    end(&waiter, -ECANCELED);
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_future_wait(&future, NULL), -ECANCELED);
    return 0;
}

static void test_interruption_outranks_a_failure(void)
{
    run_on_each_ring(race_fail, NULL);
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
    struct ouro_future future = OURO_FUTURE_INIT;
    ouro_task_id other = ouro_spawn(note_that_other_ran, NULL);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_future_set(&future, NULL), 0);
    other_ran = false;
    for (int i = 0; i < 10000 && !other_ran; i++)
        CU_ASSERT_EQUAL(ouro_future_wait(&future, NULL), 0);
    CU_ASSERT(other_ran);
    return ouro_join(other, NULL);
}

static void test_task_that_never_waits_gives_way_in_the_end(void)
{
    CU_ASSERT_EQUAL(run_sim(ask_again_and_again, NULL), 0);
}

static int fail_with_success(void *arg)
{
    struct ouro_future future = OURO_FUTURE_INIT;

    (void) arg;
    return ouro_future_fail(&future, 0);
}

static void *set_from_a_thread(void *future)
{
    (void) ouro_future_set(future, NULL);
    return NULL;
}

static int wait_for_a_thread(void *arg)
{
    struct ouro_future future = OURO_FUTURE_INIT;
    struct waiter waiter;
    pthread_t thread;

    (void) arg;
    start(&waiter, &future);
    (void) pthread_create(&thread, NULL, set_from_a_thread, &future);
    (void) pthread_join(thread, NULL);
    return 0;
}

static int wait_outside_a_task(void *arg)
{
    return ouro_future_wait(arg, NULL);
}

static void test_misuse_is_checked(void)
{
    struct ouro_future future = OURO_FUTURE_INIT;
    struct child child = run_in_child(wait_outside_a_task, &future);

    CU_ASSERT(was_killed_by(&child, SIGABRT) && said(&child, "ouro_future_wait() needs a task"));
    CU_ASSERT(is_checked(fail_with_success, "ouro_future_fail() needs a negative code"));
    CU_ASSERT(is_checked(wait_for_a_thread, "a future is used by two threads"));
}

const struct test future_tests[] = {
    TEST(test_future_is_set_once),
    TEST(test_all_waiters_are_woken_in_the_order_of_their_arrival),
    TEST(test_interruption_races_a_set_and_nothing_is_lost),
    TEST(test_interruption_outranks_a_failure),
    TEST(test_task_that_never_waits_gives_way_in_the_end),
    TEST(test_misuse_is_checked),
    TEST_END,
};
