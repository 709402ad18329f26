/* SPDX-License-Identifier: MIT */
/*
 * group_test.c - tests of engine/group.c: groups of tasks
 */
#include <errno.h>
#include <stdint.h>

#include "dispatcher.h"
#include "loop.h"

#define MS OURO_MILLISECOND

static int return_arg(void *arg)
{
    return (int) (intptr_t) arg;
}

static int sleep_long(void *arg)
{
    (void) arg;
    return ouro_sleep(1000 * OURO_SECOND);
}

struct tally {
    int done, cancelled;
};

/* Sleeps for a millisecond times its number. */
struct member {
    struct tally *tally;
    int number;
    int result;
};

static int count_member(void *arg)
{
    const struct member *member = arg;
    int code = ouro_sleep(member->number * MS);

    if (code) {
        member->tally->cancelled++;
        return code;
    }
    member->tally->done++;
    return member->result;
}

/* Three members that take 1, 2 and 3 ms; the second returns `result`. */
static int run_three(struct tally *tally, unsigned flags, int result)
{
    struct ouro_spawn_options options = {.arg_bytes = sizeof(struct member)};
    struct ouro_group group;

    ouro_group_init_with(&group, flags);
    for (int i = 1; i <= 3; i++) {
        struct member member = {tally, i, i == 2 ? result : 0};

        CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, count_member, &member, &options), 0);
    }
    return ouro_group_wait(&group);
}

/* --- results ------------------------------------------------------------------------------- */

static int wait_for_three(void *arg)
{
    struct tally tally = {0, 0};

    (void) arg;
    CU_ASSERT_EQUAL(run_three(&tally, 0, 0), 0);
    CU_ASSERT_EQUAL(tally.done, 3);
    CU_ASSERT_EQUAL(run_three(&tally, 0, 17), 0); /* positive results are no errors */
    CU_ASSERT_EQUAL(tally.done, 6);
    return 0;
}

static void test_wait_ends_when_all_members_have(void)
{
    run_on_each_ring(wait_for_three, NULL);
}

static int fail_in_the_middle(void *arg)
{
    struct tally tally = {0, 0};

    (void) arg;
    CU_ASSERT_EQUAL(run_three(&tally, 0, -EIO), -EIO);
    CU_ASSERT_EQUAL(tally.done, 2);
    CU_ASSERT_EQUAL(tally.cancelled, 1);
    CU_ASSERT_EQUAL(ouro_now(), 2 * MS);
    return 0;
}

/*
 * 1          2          3
 * sleep      sleep      sleep
 * 0          .          .
 * .          -EIO       .         the group is cancelled
 * .          .          -ECANCELED
 */
static void test_first_error_cancels_the_siblings_and_is_the_result(void)
{
    CU_ASSERT_EQUAL(run_sim(fail_in_the_middle, NULL), 0);
}

static int fail_independently(void *arg)
{
    struct tally tally = {0, 0};

    (void) arg;
    CU_ASSERT_EQUAL(run_three(&tally, OURO_GROUP_INDEPENDENT, -EIO), -EIO);
    CU_ASSERT_EQUAL(tally.done, 3);
    CU_ASSERT_EQUAL(tally.cancelled, 0);
    return 0;
}

static void test_error_of_an_independent_member_disturbs_nobody(void)
{
    CU_ASSERT_EQUAL(run_sim(fail_independently, NULL), 0);
}

static int fail_when_cancelled(void *arg)
{
    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), -ECANCELED);
    return (int) (intptr_t) arg;
}

static int fail_twice(void *arg)
{
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, fail_when_cancelled, (void *) -EPIPE), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, fail_when_cancelled, (void *) -ECANCELED), 0);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, return_arg, (void *) -EIO), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), -EIO); /* the first error, not the last */

    /* To be cancelled is no error. To end with anything else is one, ... */
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, fail_when_cancelled, (void *) -ECANCELED), 0);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    ouro_group_cancel(&group);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, fail_when_cancelled, (void *) -EPIPE), 0);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    ouro_group_cancel(&group);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), -EPIPE);

    /* ... and so is -ECANCELED out of the blue. */
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, return_arg, (void *) -ECANCELED), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), -ECANCELED);
    return 0;
}

static void test_result_is_the_first_error_that_is_not_obedience(void)
{
    CU_ASSERT_EQUAL(run_sim(fail_twice, NULL), 0);
}

static int wait_for_nobody(void *arg)
{
    struct ouro_counters before, after;
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, return_arg, (void *) -EIO), 0);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), -EIO);
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(after.wakeups, before.wakeups);
    return 0;
}

static void test_wait_for_an_empty_group_does_not_suspend(void)
{
    CU_ASSERT_EQUAL(run_sim(wait_for_nobody, NULL), 0);
}

/* --- memory -------------------------------------------------------------------------------- */

#define MANY 100000

static int spawn_for_ever(void *arg)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_16K};
    struct ouro_counters counters;
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < MANY; i++) {
        CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, return_arg, NULL, &options), 0);
        if (i % 10 == 9)
            CU_ASSERT_EQUAL(ouro_yield(), 0);
    }
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_stats(&counters), 0);
    CU_ASSERT_EQUAL(counters.tasks_spawned, MANY + 1);
    CU_ASSERT(counters.tasks_peak <= 12);
    CU_ASSERT(ouro__dispatcher->tasks.slots_used <= 12);
    return 0;
}

static void test_members_free_themselves_so_that_a_group_may_go_on_for_ever(void)
{
    CU_ASSERT_EQUAL(run_sim(spawn_for_ever, NULL), 0);
}

/* --- interruptions ------------------------------------------------------------------------- */

static int clean_up_slowly(void *arg)
{
    struct tally *tally = arg;
    struct ouro_group group;

    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), -ECANCELED);
    for (int i = 0; i < 10; i++) { /* something that takes several turns, even now */
        ouro_group_init(&group);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, return_arg, NULL), 0);
        CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    }
    tally->cancelled++;
    return 0;
}

static int wait_and_note(void *arg)
{
    struct tally *tally = arg;
    struct ouro_group group;

    ouro_group_init(&group);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, clean_up_slowly, tally), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0); /* the interruption is not reported here, */
    CU_ASSERT_EQUAL(tally->cancelled, 3);        /* nor before all members have ended, */
    return ouro_yield();                         /* but by the next call */
}

static int cancel_waiting_owner(void *arg)
{
    struct tally tally = {0, 0};
    ouro_task_id id = ouro_spawn(wait_and_note, &tally);
    int result = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(tally.cancelled, 3);

    tally.cancelled = 0;
    id = ouro_spawn(wait_and_note, &tally); /* cancelled before the wait begins */
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(tally.cancelled, 3);
    return 0;
}

static void test_interrupted_wait_cancels_the_members_and_goes_on(void)
{
    run_on_each_ring(cancel_waiting_owner, NULL);
}

static int time_out_wait(void *arg)
{
    struct ouro_timeout limit;
    struct ouro_group group;

    (void) arg;
    ouro_timeout_begin(&limit, 10 * MS);
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, sleep_long, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_now(), 10 * MS);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT); /* here it is */
    CU_ASSERT_EQUAL(ouro_yield(), 0);

    ouro_timeout_begin(&limit, 0); /* out before the wait begins */
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, sleep_long, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    return 0;
}

static void test_time_limit_ends_a_group_and_says_so_in_its_scope(void)
{
    CU_ASSERT_EQUAL(run_sim(time_out_wait, NULL), 0);
}

/*
 *   owner                 member              loop
 *   waits (limit 1 ms)
 *                         computes for 2 ms
 *                         ends: wakes the owner
 *                                             the limit has passed
 *   goes on: nothing was disturbed
 */
static int compute_beyond_limit(void *arg)
{
    const int64_t end = ouro_now() + 2 * MS;

    (void) arg;
    while (ouro_now() < end)
        ;
    return 0;
}

/* Leaves something to submit: the owner goes on in the next turn, after deadlines. */
static int use_ring(void *arg)
{
    (void) arg;
    return ouro_close(-1) == -EBADF ? 0 : 1;
}

static int end_late_but_undisturbed(void *arg)
{
    struct ouro_timeout limit;
    struct ouro_group group;
    ouro_task_id other;

    (void) arg;
    ouro_timeout_begin(&limit, MS);
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, compute_beyond_limit, NULL), 0);
    other = ouro_spawn(use_ring, NULL);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), 0);
    CU_ASSERT_EQUAL(ouro_join(other, NULL), 0);
    return 0;
}

static void test_time_limit_that_disturbed_no_member_is_none(void)
{
    if (!test_kernel_ring()) {
        TEST_SKIP("the simulated ring's time does not pass while a task computes");
        return;
    }
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, end_late_but_undisturbed, NULL), 0);
}

static int count_if_cancelled(void *arg)
{
    int *cancelled = arg;

    *cancelled += ouro_yield() == -ECANCELED;
    return 0;
}

static int spawn_into_cancelled(void *arg)
{
    struct ouro_group group;
    int cancelled = 0;

    (void) arg;
    ouro_group_init(&group);
    ouro_group_cancel(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, count_if_cancelled, &cancelled), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(cancelled, 1);

    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, return_arg, (void *) -EIO), 0);
    CU_ASSERT_EQUAL(ouro_yield(), 0); /* its error cancels the group */
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, count_if_cancelled, &cancelled), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), -EIO);
    CU_ASSERT_EQUAL(cancelled, 2);
    CU_ASSERT_EQUAL(ouro_yield(), 0); /* the owner is not cancelled */
    return 0;
}

static void test_member_of_a_cancelled_group_starts_cancelled(void)
{
    CU_ASSERT_EQUAL(run_sim(spawn_into_cancelled, NULL), 0);
}

/* --- nesting ------------------------------------------------------------------------------- */

static int run_inner_group(void *arg)
{
    struct ouro_group group;

    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, count_if_cancelled, arg), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, sleep_long, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, sleep_long, NULL), 0);
    return ouro_group_wait(&group);
}

static int fail_soon(void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    return -EIO;
}

static int nest_groups(void *arg)
{
    struct ouro_group outer, other;
    struct ouro_counters counters;
    int cancelled = 0;

    (void) arg;
    ouro_group_init(&outer);
    ouro_group_init(&other);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&outer, run_inner_group, &cancelled), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn(&outer, fail_soon, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn(&other, return_arg, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&outer), -EIO); /* not in the reverse order: allowed */
    CU_ASSERT_EQUAL(ouro_stats(&counters), 0);
    CU_ASSERT_EQUAL(counters.tasks_live, 1);
    CU_ASSERT_EQUAL(ouro_group_wait(&other), 0);
    CU_ASSERT_EQUAL(ouro_now(), MS);
    return 0;
}

static void test_cancellation_goes_down_through_nested_groups(void)
{
    CU_ASSERT_EQUAL(run_sim(nest_groups, NULL), 0);
}

/*
 * A chain of groups: each level's only member waits for the next. Cancelling the first must need
 * no more of the canceller's stack than of a short one.
 */
#define CHAIN_LEVELS 20000

static const struct ouro_spawn_options small = {.stack = OURO_STACK_16K};

struct chain {
    int left; /* levels to spawn */
    int cancelled;
};

static int go_down(void *arg)
{
    struct chain *chain = arg;
    struct ouro_group group;
    int code;

    if (chain->left-- == 0)
        return ouro_sleep(OURO_FOREVER);
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, go_down, chain, &small), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    code = ouro_yield();
    chain->cancelled += code == -ECANCELED;
    return code;
}

static int cancel_at_once(void *arg)
{
    return ouro_cancel(*(ouro_task_id *) arg);
}

static int fail_when_told(void *arg)
{
    int code = ouro_future_wait(arg, NULL);

    return code ? code : -EIO;
}

/* By the member that fails, whose stack it then is. */
static void cancel_chain_as_sibling(struct chain *chain)
{
    struct ouro_future told;
    struct ouro_group group;

    ouro_future_init(&told);
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, go_down, chain, &small), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, fail_when_told, &told, &small), 0);
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0); /* the chain is there now */
    CU_ASSERT_EQUAL(ouro_future_set(&told, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), -EIO);
}

static int cancel_deep_chain(void *arg)
{
    struct chain chain = {.left = CHAIN_LEVELS};
    ouro_task_id first, canceller;

    (void) arg;
    first = ouro_spawn_with(go_down, &chain, &small);
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    canceller = ouro_spawn_with(cancel_at_once, &first, &small);
    CU_ASSERT_EQUAL(ouro_join(canceller, NULL), 0);
    CU_ASSERT_EQUAL(ouro_join(first, NULL), 0);
    CU_ASSERT_EQUAL(chain.cancelled, CHAIN_LEVELS);

    chain = (struct chain) {.left = CHAIN_LEVELS};
    cancel_chain_as_sibling(&chain);
    CU_ASSERT_EQUAL(chain.cancelled, CHAIN_LEVELS);
    return 0;
}

static void test_deep_chain_of_groups_is_cancelled_on_a_small_stack(void)
{
    CU_ASSERT_EQUAL(run_sim(cancel_deep_chain, NULL), 0);
}

/* --- spawning between the last end and the owner's wake-up --------------------------------- */

struct late {
    struct ouro_group group;
    ouro_task_id owner;
    struct log log;
    bool cancels_owner;
};

static int sleep_as_late_member(void *arg)
{
    struct late *late = arg;
    int code = ouro_sleep(OURO_SECOND);

    log_add(&late->log, code ? "cancelled " : "slept ");
    return code;
}

static int spawn_late(void *arg)
{
    struct late *late = arg;

    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    CU_ASSERT_PTR_NULL(late->group.first); /* the last member has just ended, */
    if (late->cancels_owner)
        CU_ASSERT_EQUAL(ouro_cancel(late->owner), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn(&late->group, sleep_as_late_member, late), 0);
    log_add(&late->log, "spawned ");
    return 0;
}

static int sleep_shortly(void *arg)
{
    (void) arg;
    return ouro_sleep(MS);
}

static int own_late_group(void *arg)
{
    struct late *late = arg;

    late->owner = ouro_self();
    ouro_group_init(&late->group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&late->group, sleep_shortly, NULL), 0);
    CU_ASSERT(ouro_spawn(spawn_late, late) > 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&late->group), 0);
    CU_ASSERT_PTR_NULL(late->group.first);
    log_add(&late->log, "waited");
    return 0;
}

static int join_late_owner(void *arg)
{
    return ouro_join(ouro_spawn(own_late_group, arg), NULL);
}

/*
 * owner   member   other
 * wait    sleep    sleep     until the same instant
 * .       end      .         the group is empty: the owner is woken
 * .       .        spawn     (and, the second time, the owner is cancelled)
 * .       .        .         the owner finds a member, and goes on waiting
 */
static void test_wait_goes_on_for_a_member_that_came_at_the_last_moment(void)
{
    struct late late = {.cancels_owner = false};

    CU_ASSERT_EQUAL(run_sim(join_late_owner, &late), 0);
    CU_ASSERT_STRING_EQUAL(late.log.text, "spawned slept waited");

    late = (struct late) {.cancels_owner = true};
    CU_ASSERT_EQUAL(run_sim(join_late_owner, &late), 0);
    CU_ASSERT_STRING_EQUAL(late.log.text, "spawned cancelled waited");
}

static int spawn_sibling(void *arg)
{
    struct late *late = arg;

    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn(&late->group, sleep_as_late_member, late), 0);
    return 0;
}

static int let_members_spawn(void *arg)
{
    struct late *late = arg;

    ouro_group_init(&late->group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&late->group, spawn_sibling, late), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&late->group), 0);
    log_add(&late->log, "waited");
    return 0;
}

static void test_members_may_spawn_siblings_while_the_owner_waits(void)
{
    struct late late = {.owner = 0};

    CU_ASSERT_EQUAL(run_sim(let_members_spawn, &late), 0);
    CU_ASSERT_STRING_EQUAL(late.log.text, "slept waited");
}

/* --- rules that are CHECKed ---------------------------------------------------------------- */

static struct ouro_group forgotten;

static int forget_group(void *arg)
{
    (void) arg;
    ouro_group_init(&forgotten);
    return ouro_group_spawn(&forgotten, return_arg, NULL);
}

static int wait_for_foreign_group(void *arg)
{
    (void) arg;
    return ouro_group_wait(&forgotten);
}

static int lend_group(void *arg)
{
    (void) arg;
    ouro_group_init(&forgotten);
    return ouro_join(ouro_spawn(wait_for_foreign_group, NULL), NULL);
}

static void test_group_must_be_waited_for_by_its_owner(void)
{
    CU_ASSERT(is_checked(forget_group, "did not wait for"));
    CU_ASSERT(is_checked(lend_group, "does not own the group"));
}

static int spawn_badly(void *arg)
{
    struct ouro_spawn_options too_large = {.arg_bytes = 1025};
    struct ouro_group group;

    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, return_arg, arg, &too_large), -EINVAL);
    CU_ASSERT_PTR_NULL(group.first);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    return 0;
}

static void test_bad_options_are_refused(void)
{
    CU_ASSERT_EQUAL(run_sim(spawn_badly, NULL), 0);
}

static int keep_reason(void *arg)
{
    const char **reason = arg;

    CU_ASSERT_EQUAL(ouro_sleep(OURO_FOREVER), -ECANCELED);
    *reason = ouro_cancel_reason();
    return 0;
}

struct reasons {
    bool by_hand; /* the owner cancels the group, rather than that its wait does */
    const char *of_member;
};

static int own_a_group(void *arg)
{
    struct reasons *reasons = arg;
    struct ouro_group group;

    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, keep_reason, &reasons->of_member), 0);
    if (reasons->by_hand) {
        (void) ouro_sleep(OURO_SECOND);
        ouro_group_cancel(&group);
    }
    return ouro_group_wait(&group);
}

static int cancel_owners(void *arg)
{
    static const struct {
        bool by_hand, is_owner_cancelled;
        const char *expected;
    } cases[] = {
        {false, true, "it rains"}, {true, true, "it rains"}, {true, false, "ouro_group_cancel()"}};

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reasons reasons = {.by_hand = cases[i].by_hand};
        ouro_task_id id = ouro_spawn(own_a_group, &reasons);

        CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
        if (cases[i].is_owner_cancelled)
            CU_ASSERT_EQUAL(ouro_cancel_because(id, "it rains"), 0);
        CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
        CU_ASSERT_STRING_EQUAL(reasons.of_member, cases[i].expected);
    }
    return 0;
}

static void test_members_are_cancelled_for_their_owners_reason(void)
{
    CU_ASSERT_EQUAL(run_sim(cancel_owners, NULL), 0);
}

const struct test group_tests[] = {
    TEST(test_wait_ends_when_all_members_have),
    TEST(test_first_error_cancels_the_siblings_and_is_the_result),
    TEST(test_error_of_an_independent_member_disturbs_nobody),
    TEST(test_result_is_the_first_error_that_is_not_obedience),
    TEST(test_wait_for_an_empty_group_does_not_suspend),
    TEST(test_members_free_themselves_so_that_a_group_may_go_on_for_ever),
    TEST(test_interrupted_wait_cancels_the_members_and_goes_on),
    TEST(test_time_limit_ends_a_group_and_says_so_in_its_scope),
    TEST(test_time_limit_that_disturbed_no_member_is_none),
    TEST(test_member_of_a_cancelled_group_starts_cancelled),
    TEST(test_cancellation_goes_down_through_nested_groups),
    TEST(test_deep_chain_of_groups_is_cancelled_on_a_small_stack),
    TEST(test_wait_goes_on_for_a_member_that_came_at_the_last_moment),
    TEST(test_members_may_spawn_siblings_while_the_owner_waits),
    TEST(test_group_must_be_waited_for_by_its_owner),
    TEST(test_members_are_cancelled_for_their_owners_reason),
    TEST(test_bad_options_are_refused),
    TEST_END};
