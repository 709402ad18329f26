/* SPDX-License-Identifier: MIT */
/*
 * run_test.c - tests of engine/run.c: ouro_run, its options and its environment
 *
 * What ouro_run() prints is read from children.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "loop.h"

static int return_arg(void *arg)
{
    return (int) (intptr_t) arg;
}

static void test_result_of_the_main_task_is_passed_through(void)
{
    static const int results[] = {0, 1, -1, INT32_MAX, INT32_MIN, -ECANCELED, OURO_EDEADLOCK};
    const char *const rings[] = {test_sim_ring(), test_kernel_ring()};

    for (size_t i = 0; i < COUNT_OF(results); i++)
        for (size_t j = 0; j < COUNT_OF(rings); j++)
            CU_ASSERT_EQUAL(run_with(rings[j], 0, return_arg, (void *) (intptr_t) results[i]),
                            results[i]);
}

static void test_null_options_are_the_defaults(void)
{
    CU_ASSERT_EQUAL(ouro_run(return_arg, (void *) 11, NULL), 11);
}

static int run_inside(void *arg)
{
    CU_ASSERT_EQUAL(ouro_run(return_arg, arg, NULL), -EBUSY);
    CU_ASSERT_EQUAL(ouro_sleep(1), 0);
    return 0;
}

static void test_loop_inside_a_loop_is_refused(void)
{
    run_on_each_ring(run_inside, NULL);
}

static int work(void *arg)
{
    int fds[2];
    char byte;

    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_send(fds[0], "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    close_pair(fds);
    return arg ? *(const int *) arg : 0;
}

static void test_loops_may_follow_each_other(void)
{
    for (int i = 0; i < 20; i++)
        run_on_each_ring(work, NULL);
    CU_ASSERT(ouro_now() > 0); /* outside of a loop, too, there is a clock */
}

struct thread {
    const char *ring;
    int wanted, result;
};

static int work_in_thread(void *arg)
{
    const int *wanted = arg;

    for (int i = 0; i < 50; i++) {
        if (ouro_sleep(10 * OURO_MICROSECOND))
            return -1;
        if (ouro_join(ouro_spawn(return_arg, NULL), NULL))
            return -2;
    }
    return *wanted;
}

static void *run_thread(void *arg)
{
    struct thread *thread = arg;

    for (int i = 0; i < 5; i++) {
        thread->result = run_with(thread->ring, 0, work_in_thread, &thread->wanted);
        if (thread->result != thread->wanted)
            break;
    }
    return NULL;
}

static void test_threads_run_loops_side_by_side(void)
{
    struct thread threads[] = {
        {"sim:seed=1", 1, 0},
        {test_kernel_ring(), 2, 0},
        {"sim:seed=2", 3, 0},
        {test_kernel_ring(), 4, 0},
    };
    pthread_t ids[COUNT_OF(threads)];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CU_ASSERT_EQUAL(pthread_create(&ids[i], NULL, run_thread, &threads[i]), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        CU_ASSERT_EQUAL(pthread_join(ids[i], NULL), 0);
        CU_ASSERT_EQUAL(threads[i].result, threads[i].wanted);
    }
}

__attribute__((noinline)) static int use_stack(int kibibytes)
{
    volatile char frame[1024];

    frame[0] = (char) kibibytes;
    return kibibytes > 1 ? use_stack(kibibytes - 1) + (frame[0] == 0) : 0;
}

static int use_arg_kibibytes(void *arg)
{
    return use_stack((int) (intptr_t) arg) < 0;
}

static void test_stack_of_the_main_task_can_be_chosen(void)
{
    struct ouro_run_options options = {.ring = test_sim_ring(), .stack = OURO_STACK_1M};

    CU_ASSERT_EQUAL(ouro_run(use_arg_kibibytes, (void *) 450, &options), 0);
}

/* --- options that are refused --------------------------------------------------------------- */

struct bad {
    struct ouro_run_options options;
    const char *environment; /* OURO_RING; NULL: not set */
    int code;
};

static int run_badly(void *arg)
{
    const struct bad *bad = arg;

    if (bad->environment)
        (void) setenv("OURO_RING", bad->environment, 1);
    return ouro_run(return_arg, NULL, &bad->options) == bad->code ? 42 : 1;
}

static void test_bad_options_are_refused_with_a_message(void)
{
    static const struct bad bads[] = {
        {{.ring = "sim", .sq_entries = 3}, NULL, -EINVAL},
        {{.ring = "sim", .sq_entries = 65536}, NULL, -EINVAL},
        {{.ring = "epoll"}, NULL, OURO_ERING},
        {{.ring = "sim:sead=1"}, NULL, OURO_ERING},
        {{.ring = "sim"}, "mis:seed=1", OURO_ERING},
        {{.ring = "sim"}, "sim:seed=x", OURO_ERING},
    };

    for (size_t i = 0; i < COUNT_OF(bads); i++) {
        struct child child = run_in_child(run_badly, (void *) (uintptr_t) &bads[i]);

        CU_ASSERT(exited_with(&child, 42));
        CU_ASSERT(said(&child, "ouro: cannot start: "));
        if (bads[i].code == OURO_ERING)
            CU_ASSERT(said(&child, "sim[:seed=N")); /* the hint lists the forms */
    }
}

static void test_unknown_stack_class_is_refused(void)
{
    struct ouro_run_options options = {.ring = test_sim_ring(),
                                       .stack = (enum ouro_stack_class) 99};

    CU_ASSERT_EQUAL(ouro_run(return_arg, NULL, &options), -EINVAL);
    CU_ASSERT_EQUAL(run_sim(return_arg, NULL), 0); /* and no loop is left behind */
}

/* --- the environment ------------------------------------------------------------------------ */

static int tell_start_of_clock(void *arg)
{
    (void) arg;
    return ouro_now() == 0 ? 42 : 1; /* only the simulated ring's clock starts there */
}

static int run_with_environment(void *text)
{
    struct ouro_run_options options = {.ring = "uring"};

    (void) setenv("OURO_RING", text, 1);
    return ouro_run(tell_start_of_clock, NULL, &options);
}

static void test_environment_wins_over_the_option(void)
{
    struct child child = run_in_child(run_with_environment, (void *) (uintptr_t) "sim:seed=1");

    CU_ASSERT(exited_with(&child, 42));
    child = run_in_child(run_with_environment, (void *) (uintptr_t) ""); /* as if it were not set */
    CU_ASSERT(exited_with(&child, 1));
}

static int run_with_stats(void *text)
{
    (void) setenv("OURO_STATS", text, 1);
    return run_with("sim:seed=1", 0, work, NULL);
}

static void test_stats_are_printed_when_asked_for(void)
{
    struct child child = run_in_child(run_with_stats, (void *) (uintptr_t) "1");

    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT(said(&child, "ouro: "));
    CU_ASSERT(said(&child, " wake-ups, "));
    CU_ASSERT(said(&child, " turns, "));
    CU_ASSERT(said(&child, " system calls, "));
    CU_ASSERT(said(&child, " SQEs, "));
    CU_ASSERT(said(&child, " 1 tasks (at most 1 at once)\n"));
    child = run_in_child(run_with_stats, (void *) (uintptr_t) "0");
    CU_ASSERT_STRING_EQUAL(child.text, "");
}

static int count_in_two_shards(void *ring)
{
    struct ouro_run_options options = {.ring = ring, .shards = 2};

    (void) setenv("OURO_STATS", "1", 1);
    return ouro_run(work, NULL, &options);
}

static void test_stats_say_which_shard_they_are_of(void)
{
    struct child child;

    if (!test_kernel_ring()) {
        TEST_SKIP("threads need the kernel's ring");
        return;
    }
    child = run_in_child(count_in_two_shards, (void *) (uintptr_t) test_kernel_ring());
    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT(said(&child, "ouro: shard 0: "));
    CU_ASSERT(said(&child, "ouro: shard 1: "));
}

/* --- deadlock ------------------------------------------------------------------------------- */

static int sleep_for_ever(void *arg)
{
    (void) arg;
    return ouro_sleep(OURO_FOREVER);
}

static int deadlock_many(void *arg)
{
    (void) arg;
    for (int i = 0; i < 100; i++)
        (void) ouro_spawn(sleep_for_ever, NULL);
    return ouro_sleep(OURO_FOREVER);
}

static int run_deadlock_many(void *ring)
{
    return run_with(ring, 0, deadlock_many, NULL) == OURO_EDEADLOCK ? 42 : 1;
}

static void test_report_of_a_large_deadlock_is_cut(void)
{
    struct child child = run_in_child(run_deadlock_many, (void *) (uintptr_t) "sim:seed=1");

    CU_ASSERT(exited_with(&child, 42));
    CU_ASSERT(said(&child, "... of 101"));
}

static int wait_for_a_connection(void *arg)
{
    struct ouro_address address;
    int listener = listen_locally(&address);
    int code = ouro_accept(listener, NULL);

    (void) arg;
    (void) ouro_close(listener);
    return code;
}

static int run_lonely_server(void *ring)
{
    return run_with(ring, 0, wait_for_a_connection, NULL) == OURO_EDEADLOCK ? 42 : 1;
}

static void test_waiting_for_what_the_simulation_can_never_bring_is_a_deadlock(void)
{
    struct child child = run_in_child(run_lonely_server, (void *) (uintptr_t) "sim:seed=1");

    CU_ASSERT(exited_with(&child, 42));
    CU_ASSERT(said(&child, "ouro: deadlock"));
}

const struct test run_tests[] = {
    TEST(test_result_of_the_main_task_is_passed_through),
    TEST(test_null_options_are_the_defaults),
    TEST(test_loop_inside_a_loop_is_refused),
    TEST(test_loops_may_follow_each_other),
    TEST(test_threads_run_loops_side_by_side),
    TEST(test_stack_of_the_main_task_can_be_chosen),
    TEST(test_bad_options_are_refused_with_a_message),
    TEST(test_unknown_stack_class_is_refused),
    TEST(test_environment_wins_over_the_option),
    TEST(test_stats_are_printed_when_asked_for),
    TEST(test_stats_say_which_shard_they_are_of),
    TEST(test_report_of_a_large_deadlock_is_cut),
    TEST(test_waiting_for_what_the_simulation_can_never_bring_is_a_deadlock),
    TEST_END};
