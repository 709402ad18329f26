/* SPDX-License-Identifier: MIT */
/*
 * timer_test.c - tests of engine/timer.c: sleep and time-limit scopes
 *
 * On the simulated ring, whose clock moves only when every task sleeps: so each moment is
 * exact. A few run on the kernel's clock, and assert no upper bound of any time.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "dispatcher.h"
#include "loop.h"

#define MS OURO_MILLISECOND

/* --- sleeping ------------------------------------------------------------------------------ */

static int sleep_an_hour(void *arg)
{
    struct ouro_counters before, after;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_now(), 0);
    CU_ASSERT_EQUAL(ouro_sleep(1), 0);
    CU_ASSERT_EQUAL(ouro_now(), 1);
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    CU_ASSERT_EQUAL(ouro_sleep(3600 * OURO_SECOND), 0);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(ouro_now(), 3600 * OURO_SECOND + 1);
    CU_ASSERT(after.turns - before.turns <= 8);
    CU_ASSERT(after.system_calls - before.system_calls <= 8);
    CU_ASSERT_EQUAL(after.sqes, 0);
    CU_ASSERT_EQUAL(ouro_sleep_until(7200 * OURO_SECOND), 0);
    CU_ASSERT_EQUAL(ouro_now(), 7200 * OURO_SECOND);
    return 0;
}

static void test_virtual_hour_passes_exactly_and_in_a_few_turns(void)
{
    CU_ASSERT_EQUAL(run_sim(sleep_an_hour, NULL), 0);
}

struct sleeper {
    struct log *log;
    const char *name;
    int64_t deadline;
};

static int sleep_and_note(void *arg)
{
    const struct sleeper *sleeper = arg;

    CU_ASSERT_EQUAL(ouro_sleep_until(sleeper->deadline), 0);
    CU_ASSERT_EQUAL(ouro_now(), sleeper->deadline);
    log_add(sleeper->log, sleeper->name);
    return 0;
}

static int sleep_together(void *arg)
{
    struct sleeper sleepers[] = {
        {arg, "a", 5}, {arg, "b", 3}, {arg, "c", 5}, {arg, "d", 4}, {arg, "e", 5},
        {arg, "f", 3}, {arg, "g", 5}, {arg, "h", 9}, {arg, "i", 1}, {arg, "j", 5},
    };
    struct ouro_group group;

    ouro_group_init(&group);
    for (size_t i = 0; i < COUNT_OF(sleepers); i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, sleep_and_note, &sleepers[i]), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    return 0;
}

static void test_sleepers_wake_by_deadline_and_then_in_the_order_of_their_sleeps(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(sleep_together, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "ibfdacegjh");
}

static int note_other(void *arg)
{
    log_add(arg, "other ");
    return 0;
}

static int sleep_for_nothing(void *arg)
{
    static const int64_t durations[] = {0, -1, INT64_MIN};

    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        CU_ASSERT(ouro_spawn(note_other, arg) > 0);
        CU_ASSERT_EQUAL(ouro_sleep(durations[i]), 0);
        log_add(arg, "slept ");
    }
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    CU_ASSERT(ouro_spawn(note_other, arg) > 0);
    CU_ASSERT_EQUAL(ouro_sleep_until(ouro_now()), 0);
    log_add(arg, "until");
    CU_ASSERT_EQUAL(ouro_now(), MS);
    return 0;
}

static void test_sleep_that_is_over_at_once_yields_once(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(sleep_for_nothing, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "other slept other slept other slept other until");
}

static int sleep_with_fresh_clock(void *arg)
{
    int64_t start = ouro_now();

    (void) arg;
    while (ouro_now() - start < 20 * MS)
        ; /* the turn's clock, had it one, is now 20 ms late */
    start = ouro_now();
    CU_ASSERT_EQUAL(ouro_sleep(5 * MS), 0);
    CU_ASSERT(ouro_now() - start >= 5 * MS);
    start = ouro_now();
    CU_ASSERT_EQUAL(ouro_sleep_until(start + 5 * MS), 0);
    CU_ASSERT(ouro_now() - start >= 5 * MS);
    return 0;
}

static void test_sleep_counts_from_a_fresh_clock(void)
{
    if (!test_kernel_ring()) {
        TEST_SKIP("no kernel ring");
        return;
    }
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, sleep_with_fresh_clock, NULL), 0);
}

/* An emulated processor is a hundred times slower. */
#ifdef OURO_NO_URING
#define SLEEPERS 5000
#else
#define SLEEPERS 100000
#endif

struct order {
    int64_t latest;
    int woken, late;
};

struct ordered_sleeper {
    struct order *order;
    int64_t deadline;
};

static int sleep_in_order(void *arg)
{
    const struct ordered_sleeper *self = arg;
    struct order *order = self->order;

    CU_ASSERT_EQUAL(ouro_sleep_until(self->deadline), 0);
    order->woken++;
    order->late += self->deadline < order->latest || ouro_now() != self->deadline;
    order->latest = self->deadline;
    return 0;
}

static int sleep_in_crowd(void *arg)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_16K,
                                         .arg_bytes = sizeof(struct ordered_sleeper)};
    struct order order = {.latest = 0};
    struct ouro_counters counters;
    struct ouro_group group;
    uint64_t random = 1;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < SLEEPERS; i++) {
        struct ordered_sleeper sleeper = {&order, 0};

        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        sleeper.deadline = 1 + (int64_t) (random >> 33) % (60 * OURO_SECOND);
        CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, sleep_in_order, &sleeper, &options), 0);
    }
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(order.woken, SLEEPERS);
    CU_ASSERT_EQUAL(order.late, 0);
    CU_ASSERT_EQUAL(ouro_stats(&counters), 0);
    CU_ASSERT_EQUAL(counters.sqes, 0);
    return 0;
}

static void test_hundred_thousand_sleepers_wake_in_order(void)
{
    CU_ASSERT_EQUAL(run_sim(sleep_in_crowd, NULL), 0);
}

static int use_scopes_often(void *arg)
{
    struct ouro_counters before, after;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    for (int i = 0; i < 1000; i++) {
        struct ouro_timeout limit;

        ouro_timeout_begin(&limit, OURO_SECOND);
        CU_ASSERT_EQUAL(ouro_yield(), 0);
        CU_ASSERT_EQUAL(ouro_timeout_end(&limit), 0);
    }
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(after.sqes, before.sqes);
    CU_ASSERT(after.system_calls - before.system_calls <= 1);
    return 0;
}

static void test_deadlines_cost_no_system_call(void)
{
    run_on_each_ring(use_scopes_often, NULL);
}

/* --- scopes -------------------------------------------------------------------------------- */

static int nest_scopes(void *arg)
{
    struct ouro_timeout outer, middle, inner;

    (void) arg;
    ouro_timeout_begin(&outer, 50 * MS);
    ouro_timeout_begin(&middle, 10 * MS); /* the tightest */
    ouro_timeout_begin(&inner, 20 * MS);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_now(), 10 * MS);
    CU_ASSERT_EQUAL(ouro_sleep(0), -ETIMEDOUT); /* a level, not an event */
    CU_ASSERT_EQUAL(ouro_yield(), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&inner), 0);
    CU_ASSERT_EQUAL(ouro_yield(), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&middle), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_now(), 50 * MS);
    CU_ASSERT_EQUAL(ouro_timeout_end(&outer), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    return 0;
}

static void test_of_nested_scopes_the_tightest_decides_and_tells_so(void)
{
    CU_ASSERT_EQUAL(run_sim(nest_scopes, NULL), 0);
}

static int close_inner_under_expired_outer(void *arg)
{
    struct ouro_timeout outer, inner;

    (void) arg;
    ouro_timeout_begin(&outer, 10 * MS);
    CU_ASSERT_EQUAL(ouro_sleep(5 * MS), 0);
    ouro_timeout_begin(&inner, 100 * MS);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_FOREVER), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_now(), 10 * MS);
    CU_ASSERT_EQUAL(ouro_timeout_end(&inner), 0); /* it was the outer one */
    ouro_timeout_begin(&inner, 100 * MS);
    CU_ASSERT_EQUAL(ouro_sleep(MS), -ETIMEDOUT); /* in a new inner scope as well */
    CU_ASSERT_EQUAL(ouro_timeout_end(&inner), 0);
    CU_ASSERT_EQUAL(ouro_timeout_end(&outer), -ETIMEDOUT);
    return 0;
}

static void test_outer_scope_fires_while_an_inner_one_is_open(void)
{
    CU_ASSERT_EQUAL(run_sim(close_inner_under_expired_outer, NULL), 0);
}

static int expire_undisturbed(void *arg)
{
    struct ouro_timeout outer, inner;

    (void) arg;
    ouro_timeout_begin(&outer, 10 * MS);
    ouro_timeout_begin(&inner, 10 * MS);
    CU_ASSERT_EQUAL(ouro_sleep(10 * MS), 0); /* sleep and scopes end together: it is complete */
    CU_ASSERT_EQUAL(ouro_timeout_end(&inner), 0);
    CU_ASSERT_EQUAL(ouro_yield(), -ETIMEDOUT); /* and this call is disturbed */
    CU_ASSERT_EQUAL(ouro_timeout_end(&outer), -ETIMEDOUT);

    ouro_timeout_begin(&outer, 10 * MS);
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    CU_ASSERT_EQUAL(ouro_timeout_end(&outer), 0);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), 0); /* nothing of it is left */
    return 0;
}

static void test_scope_that_disturbed_nothing_returns_0(void)
{
    CU_ASSERT_EQUAL(run_sim(expire_undisturbed, NULL), 0);
}

static int time_out_and_wait(void *arg)
{
    struct ouro_timeout limit;
    struct log *log = arg;

    ouro_timeout_begin(&limit, 10 * MS);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_FOREVER), -ETIMEDOUT);
    while (!log->len) {
        struct ouro_group group; /* a wait that can't be interrupted */

        ouro_group_init(&group);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, note_other, log), 0);
        CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    }
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_yield(), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    ouro_timeout_begin(&limit, 0);
    CU_ASSERT_EQUAL(ouro_yield(), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), 0); /* it was not the limit */
    return 0;
}

static void test_cancellation_outranks_a_time_limit(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(time_out_and_wait, &log), 0);
}

static int begin_too_late(void *arg)
{
    static const int64_t durations[] = {0, -1, -OURO_SECOND, INT64_MIN};
    struct ouro_timeout limit;
    int fds[2];
    char byte;

    (void) arg;
    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_send(fds[1], "x", 1, 0), 1);
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        ouro_timeout_begin(&limit, durations[i]);
        CU_ASSERT_EQUAL(ouro_yield(), -ETIMEDOUT);
        CU_ASSERT_EQUAL(ouro_recv(fds[0], &byte, 1, 0), -ETIMEDOUT); /* although it could */
        CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    }
    ouro_timeout_begin_at(&limit, ouro_now());
    CU_ASSERT_EQUAL(ouro_sleep(MS), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_recv(fds[0], &byte, 1, 0), 1); /* the data is still there */
    close_pair(fds);
    return 0;
}

static void test_deadline_in_the_past_fails_the_first_call(void)
{
    run_on_each_ring(begin_too_late, NULL);
}

static int limit_by_for_ever(void *arg)
{
    static const int64_t durations[] = {OURO_FOREVER, OURO_FOREVER - 1};
    struct ouro_timeout limit;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_sleep(3600 * OURO_SECOND), 0);
    for (size_t i = 0; i < COUNT_OF(durations); i++) {
        ouro_timeout_begin(&limit, durations[i]); /* the second one would overflow */
        CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
        CU_ASSERT_EQUAL(ouro_timeout_end(&limit), 0);
        ouro_timeout_begin(&limit, MS);
        CU_ASSERT_EQUAL(ouro_sleep(durations[i]), -ETIMEDOUT);
        CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    }
    ouro_timeout_begin_at(&limit, OURO_FOREVER);
    CU_ASSERT_EQUAL(ouro_sleep_until(ouro_now() + 1), 0);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), 0);
    return 0;
}

static void test_for_ever_is_no_limit_and_overflow_saturates(void)
{
    CU_ASSERT_EQUAL(run_sim(limit_by_for_ever, NULL), 0);
}

static int time_out_recv(void *arg)
{
    struct ouro_timeout limit;
    int64_t start;
    int fds[2];
    char byte;

    (void) arg;
    make_pair(fds);
    start = ouro_now();
    ouro_timeout_begin(&limit, 5 * MS);
    CU_ASSERT_EQUAL(ouro_recv(fds[0], &byte, 1, 0), -ETIMEDOUT);
    CU_ASSERT(ouro_now() - start >= 5 * MS);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_send(fds[1], "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_recv(fds[0], &byte, 1, 0), 1);
    close_pair(fds);
    return 0;
}

static void test_recv_times_out_when_the_peer_is_silent(void)
{
    run_on_each_ring(time_out_recv, NULL);
}

static int sleep_long(void *arg)
{
    (void) arg;
    return ouro_sleep(1000 * OURO_SECOND);
}

static int time_out_join(void *arg)
{
    ouro_task_id id = ouro_spawn(sleep_long, NULL);
    struct ouro_timeout limit;
    int result = 0;

    (void) arg;
    ouro_timeout_begin(&limit, 5 * MS);
    CU_ASSERT_EQUAL(ouro_join(id, &result), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0); /* never interrupted */
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    return 0;
}

static void test_join_times_out(void)
{
    run_on_each_ring(time_out_join, NULL);
}

/* --- shields ------------------------------------------------------------------------------- */

struct shielded {
    int fds[2];
    int64_t shield_ns;
    struct log log;
};

static int receive_behind_shield(void *arg)
{
    struct shielded *self = arg;
    struct ouro_shield shield;
    char byte;

    ouro_shield_begin(&shield, self->shield_ns);
    CU_ASSERT_EQUAL(ouro_recv(self->fds[0], &byte, 1, 0),
                    self->shield_ns > 10 * MS ? 1 : -ECANCELED);
    log_add(&self->log, ouro_yield() ? "lifted " : "shielded ");
    ouro_shield_end(&shield);
    CU_ASSERT_EQUAL(ouro_yield(), -ECANCELED); /* nothing is forgotten */
    return 0;
}

/* Cancels the task after 2 ms, and sends it something after 10 ms. */
static int cancel_behind_shield(void *arg)
{
    struct shielded *self = arg;
    ouro_task_id id = 0;

    make_pair(self->fds);
    id = ouro_spawn(receive_behind_shield, self);
    CU_ASSERT_EQUAL(ouro_sleep(2 * MS), 0);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(ouro_sleep(8 * MS), 0);
    CU_ASSERT_EQUAL(ouro_send(self->fds[1], "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    close_pair(self->fds);
    return 0;
}

static void test_shield_holds_a_cancellation_back_but_not_for_ever(void)
{
    struct shielded shielded = {.shield_ns = OURO_SECOND};

    CU_ASSERT_EQUAL(run_sim(cancel_behind_shield, &shielded), 0);
    CU_ASSERT_STRING_EQUAL(shielded.log.text, "shielded ");
    shielded = (struct shielded) {.shield_ns = 5 * MS};
    CU_ASSERT_EQUAL(run_sim(cancel_behind_shield, &shielded), 0);
    CU_ASSERT_STRING_EQUAL(shielded.log.text, "lifted ");
}

static int nest_shield(void *arg)
{
    struct ouro_timeout outer, inner;
    struct ouro_shield shield;

    (void) arg;
    ouro_timeout_begin(&outer, 5 * MS);
    ouro_shield_begin(&shield, 100 * MS);
    CU_ASSERT_EQUAL(ouro_sleep(10 * MS), 0); /* the outer limit is outside */
    ouro_timeout_begin(&inner, 5 * MS);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_now(), 15 * MS);
    CU_ASSERT_EQUAL(ouro_timeout_end(&inner), -ETIMEDOUT); /* the inner one works */
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    ouro_shield_end(&shield);
    CU_ASSERT_EQUAL(ouro_yield(), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&outer), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    return 0;
}

static void test_shield_holds_back_the_limits_around_it_only(void)
{
    CU_ASSERT_EQUAL(run_sim(nest_shield, NULL), 0);
}

/* --- a sleeper that is woken by something else --------------------------------------------- */

static int sleep_and_count(void *arg)
{
    int *resumed = arg;
    int code = ouro_sleep(2 * MS);

    ++*resumed;
    return code;
}

/* Cancels a sleeper, and lets its deadline pass before it can run. */
static int cancel_just_before_deadline(void *arg)
{
    int resumed = 0, result = 0;
    ouro_task_id id = ouro_spawn(sleep_and_count, &resumed);
    int fds[2];
    char byte;

    (void) arg;
    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_send(fds[1], "x", 1, 0), 1);
    for (int64_t start = ouro_now(); ouro_now() - start < MS / 2;)
        ;
    if (ouro_cancel(id)) { /* a slow machine: it has woken by itself */
        close_pair(fds);
        return 0;
    }
    for (int64_t start = ouro_now(); ouro_now() - start < 3 * MS;)
        ;
    /* Something for the ring, so that the loop looks at the clock before it runs tasks. */
    CU_ASSERT_EQUAL(ouro_recv(fds[0], &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
    CU_ASSERT(result == -ECANCELED || result == 0);
    CU_ASSERT_EQUAL(resumed, 1);
    close_pair(fds);
    return 0;
}

/*
 * sleeper       main
 * sleep         .
 * .             cancel      wakes the sleeper
 * .             ...         meanwhile its deadline passes,
 * .             recv        and the loop takes notice
 * -ECANCELED    .           once
 */
static void test_deadline_of_a_cancelled_sleeper_does_not_wake_it_again(void)
{
    if (!test_kernel_ring()) {
        TEST_SKIP("no kernel ring");
        return;
    }
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, cancel_just_before_deadline, NULL), 0);
}

static int cancel_and_sleep_on(void *arg)
{
    int resumed = 0, result = 0;
    ouro_task_id id = ouro_spawn(sleep_and_count, &resumed);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(ouro_sleep(10 * MS), 0); /* past its deadline */
    CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(resumed, 1);
    CU_ASSERT_EQUAL(ouro_now(), 11 * MS);
    CU_ASSERT_EQUAL(ouro__dispatcher->timers.count, 0);
    return 0;
}

static void test_cancelled_sleeper_leaves_no_deadline_behind(void)
{
    CU_ASSERT_EQUAL(run_sim(cancel_and_sleep_on, NULL), 0);
}

/* --- rules that are CHECKed ---------------------------------------------------------------- */

static int end_in_wrong_order(void *arg)
{
    struct ouro_timeout outer, inner;

    (void) arg;
    ouro_timeout_begin(&outer, OURO_SECOND);
    ouro_timeout_begin(&inner, OURO_SECOND);
    return ouro_timeout_end(&outer);
}

static struct ouro_timeout left_open;

static int end_inside_scope(void *arg)
{
    (void) arg;
    ouro_timeout_begin(&left_open, OURO_SECOND);
    return 0;
}

static void test_scopes_must_end_in_reverse_order(void)
{
    CU_ASSERT(is_checked(end_in_wrong_order, "reverse order"));
    CU_ASSERT(is_checked(end_inside_scope, "inside a time-limit scope"));
}

static int move_a_limit(void *arg)
{
    struct ouro_timeout outer, inner;
    int64_t start = ouro_now();

    (void) arg;
    ouro_timeout_begin(&outer, OURO_SECOND);
    ouro_timeout_begin(&inner, 20 * OURO_SECOND);
    CU_ASSERT_EQUAL(ouro_timeout_move(&outer, start + 10 * OURO_SECOND), 0);
    CU_ASSERT_EQUAL(ouro_sleep(5 * OURO_SECOND), 0);
    CU_ASSERT_EQUAL(ouro_timeout_move(&outer, start + 6 * OURO_SECOND), 0);
    CU_ASSERT_EQUAL(ouro_sleep(5 * OURO_SECOND), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_now() - start, 6 * OURO_SECOND);
    CU_ASSERT_EQUAL(ouro_timeout_move(&outer, OURO_FOREVER), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&inner), 0);
    CU_ASSERT_EQUAL(ouro_timeout_end(&outer), -ETIMEDOUT);
    return 0;
}

static void test_deadline_of_a_scope_can_be_moved(void)
{
    CU_ASSERT_EQUAL(run_sim(move_a_limit, NULL), 0);
}

const struct test timer_tests[] = {
    TEST(test_deadline_of_a_scope_can_be_moved),
    TEST(test_virtual_hour_passes_exactly_and_in_a_few_turns),
    TEST(test_sleepers_wake_by_deadline_and_then_in_the_order_of_their_sleeps),
    TEST(test_sleep_that_is_over_at_once_yields_once),
    TEST(test_sleep_counts_from_a_fresh_clock),
    TEST(test_hundred_thousand_sleepers_wake_in_order),
    TEST(test_deadlines_cost_no_system_call),
    TEST(test_of_nested_scopes_the_tightest_decides_and_tells_so),
    TEST(test_outer_scope_fires_while_an_inner_one_is_open),
    TEST(test_scope_that_disturbed_nothing_returns_0),
    TEST(test_cancellation_outranks_a_time_limit),
    TEST(test_deadline_in_the_past_fails_the_first_call),
    TEST(test_for_ever_is_no_limit_and_overflow_saturates),
    TEST(test_recv_times_out_when_the_peer_is_silent),
    TEST(test_join_times_out),
    TEST(test_shield_holds_a_cancellation_back_but_not_for_ever),
    TEST(test_shield_holds_back_the_limits_around_it_only),
    TEST(test_deadline_of_a_cancelled_sleeper_does_not_wake_it_again),
    TEST(test_cancelled_sleeper_leaves_no_deadline_behind),
    TEST(test_scopes_must_end_in_reverse_order),
    TEST_END};
