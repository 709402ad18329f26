/* SPDX-License-Identifier: MIT */
/*
 * signals_test.c - tests of engine/signals.c: what ouro_run() does about signals
 *
 * Signals belong to the process, so each test runs in a child, whose exit status says how
 * far it came.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>

#include "dispatcher.h"
#include "loop.h"

/* What a child is to do. */
struct plan {
    const char *ring;
    int first, second; /* signals that main raises; 0: none */
    bool keep_sigpipe, keep_signals;
};

/* Each plan on each ring, in a child of its own. */
static struct child run_plan(const char *ring, int (*fn)(void *arg), struct plan plan)
{
    plan.ring = ring;
    return run_in_child(fn, &plan);
}

#define FOR_EACH_RING(ring)                                                                    \
    for (const char *rings_[] = {test_sim_ring(), test_kernel_ring(), NULL}, **next_ = rings_, \
                    *ring = *next_;                                                            \
         ring; ring = *++next_)

static int run_planned(const struct plan *plan, ouro_task_fn *fn)
{
    struct ouro_run_options options = {
        .ring = plan->ring, .keep_sigpipe = plan->keep_sigpipe, .keep_signals = plan->keep_signals};

    return ouro_run(fn, (void *) (uintptr_t) plan, &options);
}

/* --- the first one ------------------------------------------------------------------------- */

static int raise_and_sleep(void *arg)
{
    const struct plan *plan = arg;

    (void) raise(plan->first);
    if (ouro_sleep(1000 * OURO_SECOND) != -ECANCELED)
        return 1;
    return 42;
}

static int run_raise_and_sleep(void *plan)
{
    return run_planned(plan, raise_and_sleep);
}

static void test_sigint_and_sigterm_cancel_the_main_task(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        FOR_EACH_RING(ring)
        {
            struct plan plan = {.first = numbers[i]};
            struct child child = run_plan(ring, run_raise_and_sleep, plan);

            CU_ASSERT(exited_with(&child, 42));
        }
    }
}

static void raise_sigterm(int number)
{
    (void) number;
    (void) raise(SIGTERM);
}

static int be_woken_from_sleep(void *arg)
{
    const struct itimerval soon = {.it_value = {.tv_usec = 20000}};

    (void) arg;
    (void) signal(SIGALRM, raise_sigterm);
    (void) setitimer(ITIMER_REAL, &soon, NULL);
    return ouro_sleep(10 * OURO_SECOND) == -ECANCELED ? 42 : 1;
}

static int run_be_woken(void *plan)
{
    return run_planned(plan, be_woken_from_sleep);
}

static void test_signal_wakes_a_sleeping_loop(void)
{
    struct child child = run_plan(test_kernel_ring(), run_be_woken, (struct plan) {0});

    CU_ASSERT(exited_with(&child, 42));
}

static int run_with_ignored(void *plan)
{
    struct sigaction after;
    int code;

    (void) signal(SIGTERM, SIG_IGN);
    code = run_raise_and_sleep(plan);
    (void) sigaction(SIGTERM, NULL, &after);
    return after.sa_handler == SIG_IGN ? code : 1;
}

static void test_signal_that_was_inherited_as_ignored_cancels_too(void)
{
    FOR_EACH_RING(ring)
    {
        struct child child = run_plan(ring, run_with_ignored, (struct plan) {.first = SIGTERM});

        CU_ASSERT(exited_with(&child, 42));
    }
}

static int run_with_blocked(void *plan)
{
    sigset_t both;

    (void) sigemptyset(&both);
    (void) sigaddset(&both, SIGINT);
    (void) sigaddset(&both, SIGTERM);
    (void) sigprocmask(SIG_BLOCK, &both, NULL);
    return run_raise_and_sleep(plan);
}

static void test_signal_that_was_inherited_as_blocked_cancels_too(void)
{
    FOR_EACH_RING(ring)
    {
        struct child child = run_plan(ring, run_with_blocked, (struct plan) {.first = SIGINT});

        CU_ASSERT(exited_with(&child, 42));
    }
}

static int raise_and_return(void *arg)
{
    const struct plan *plan = arg;

    (void) raise(plan->first);
    return 7;
}

static int run_raise_and_return(void *plan)
{
    for (int i = 0; i < 10; i++)
        if (run_planned(plan, raise_and_return) != 7)
            return 1;
    return 42;
}

/* The eventfd's completion is there, but the loop has not seen it when the main task ends. */
static int raise_and_complete(void *arg)
{
    struct ring *ring = &ouro__dispatcher->ring;

    (void) ouro_sleep(0);
    (void) raise(((const struct plan *) arg)->first);
    (void) ring->backend->enter(ring, /* wait= */ false, OURO_FOREVER);
    return 42;
}

static int run_raise_and_complete(void *plan)
{
    return run_planned(plan, raise_and_complete);
}

static void test_signal_at_the_end_of_the_main_task_holds_up_nothing(void)
{
    FOR_EACH_RING(ring)
    {
        struct plan plan = {.first = SIGTERM};
        struct child child = run_plan(ring, run_raise_and_return, plan);

        CU_ASSERT(exited_with(&child, 42));
        child = run_plan(ring, run_raise_and_complete, plan);
        CU_ASSERT(exited_with(&child, 42));
    }
}

static int run_twice(void *plan)
{
    if (run_raise_and_sleep(plan) != 42)
        return 1;
    return run_raise_and_sleep(plan); /* this one counts from zero again */
}

static void test_next_loop_has_its_own_first_signal(void)
{
    FOR_EACH_RING(ring)
    {
        struct child child = run_plan(ring, run_twice, (struct plan) {.first = SIGINT});

        CU_ASSERT(exited_with(&child, 42));
    }
}

/* --- the second one ------------------------------------------------------------------------ */

static int raise_twice(void *arg)
{
    const struct plan *plan = arg;

    (void) raise(plan->first);
    (void) ouro_sleep(OURO_SECOND);
    (void) raise(plan->second);
    return 1;
}

static int run_raise_twice(void *plan)
{
    return run_planned(plan, raise_twice);
}

static void test_second_signal_ends_the_process(void)
{
    static const int pairs[][2] = {
        {SIGINT, SIGINT}, {SIGTERM, SIGTERM}, {SIGINT, SIGTERM}, {SIGTERM, SIGINT}};

    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        FOR_EACH_RING(ring)
        {
            struct plan plan = {.first = pairs[i][0], .second = pairs[i][1]};
            struct child child = run_plan(ring, run_raise_twice, plan);

            CU_ASSERT(was_killed_by(&child, pairs[i][1]));
        }
    }
}

/* --- leaving them alone -------------------------------------------------------------------- */

static void test_keep_signals_leaves_them_alone(void)
{
    FOR_EACH_RING(ring)
    {
        struct plan plan = {.first = SIGTERM, .keep_signals = true};
        struct child child = run_plan(ring, run_raise_and_sleep, plan);

        CU_ASSERT(was_killed_by(&child, SIGTERM));
    }
}

static void test_sigpipe_is_ignored_unless_it_is_kept(void)
{
    FOR_EACH_RING(ring)
    {
        struct plan plan = {.first = SIGPIPE};
        struct child child = run_plan(ring, run_raise_and_return, plan);

        CU_ASSERT(exited_with(&child, 42));
        plan.keep_sigpipe = true;
        child = run_plan(ring, run_raise_and_return, plan);
        CU_ASSERT(was_killed_by(&child, SIGPIPE));
    }
}

static void on_signal(int number)
{
    (void) number;
}

static int run_between_handlers(void *plan)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGPIPE};
    struct sigaction mine = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, after;

    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        (void) sigaction(numbers[i], &mine, NULL);
    if (run_planned(plan, raise_and_return) != 7)
        return 1;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        (void) sigaction(numbers[i], NULL, &after);
        if (after.sa_handler != on_signal || !(after.sa_flags & SA_RESTART))
            return 2;
    }
    return 42;
}

static void test_dispositions_are_restored(void)
{
    FOR_EACH_RING(ring)
    {
        struct plan plan = {.first = SIGTERM};
        struct child child = run_plan(ring, run_between_handlers, plan);

        CU_ASSERT(exited_with(&child, 42));
    }
}

/* --- several loops ------------------------------------------------------------------------- */

static pthread_barrier_t barrier;

static int overlap(void *arg)
{
    int *turn = arg;

    (void) pthread_barrier_wait(&barrier); /* both run now */
    if (*turn)
        (void) pthread_barrier_wait(&barrier); /* the other one has ended */
    return 0;
}

static void *run_overlapping(void *arg)
{
    int *turn = arg;

    if (run_with("sim:seed=1", 0, overlap, turn))
        abort();
    if (!*turn)
        (void) pthread_barrier_wait(&barrier);
    return NULL;
}

static int run_two_threads(void *arg)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGPIPE};
    int turns[2] = {0, 1};
    pthread_t threads[2];
    struct sigaction after;

    (void) arg;
    (void) pthread_barrier_init(&barrier, NULL, 2);
    for (int i = 0; i < 2; i++)
        (void) pthread_create(&threads[i], NULL, run_overlapping, &turns[i]);
    for (int i = 0; i < 2; i++)
        (void) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        (void) sigaction(numbers[i], NULL, &after);
        if (after.sa_handler != SIG_DFL)
            return 1;
    }
    return 42;
}

static void test_dispositions_are_restored_by_the_last_of_overlapping_loops(void)
{
    struct child child = run_in_child(run_two_threads, NULL);

    CU_ASSERT(exited_with(&child, 42));
}

static int run_in_grandchild(void *arg)
{
    const struct plan *plan = arg;
    struct child child = run_in_child(run_raise_and_sleep, arg);

    if (!exited_with(&child, 42))
        return 1;
    /* What the grandchild got was not ours. */
    return ouro_sleep(plan->first ? OURO_MILLISECOND : 0) == 0 ? 42 : 2;
}

static int run_forking_loop(void *plan)
{
    return run_planned(plan, run_in_grandchild);
}

static void test_child_of_a_fork_has_its_own_signals(void)
{
    FOR_EACH_RING(ring)
    {
        struct plan plan = {.first = SIGTERM};
        struct child child = run_plan(ring, run_forking_loop, plan);

        CU_ASSERT(exited_with(&child, 42));
    }
}

const struct test signals_tests[] = {
    TEST(test_sigint_and_sigterm_cancel_the_main_task),
    TEST(test_signal_wakes_a_sleeping_loop),
    TEST(test_signal_that_was_inherited_as_ignored_cancels_too),
    TEST(test_signal_that_was_inherited_as_blocked_cancels_too),
    TEST(test_signal_at_the_end_of_the_main_task_holds_up_nothing),
    TEST(test_next_loop_has_its_own_first_signal),
    TEST(test_second_signal_ends_the_process),
    TEST(test_keep_signals_leaves_them_alone),
    TEST(test_sigpipe_is_ignored_unless_it_is_kept),
    TEST(test_dispositions_are_restored),
    TEST(test_dispositions_are_restored_by_the_last_of_overlapping_loops),
    TEST(test_child_of_a_fork_has_its_own_signals),
    TEST_END};
