/* SPDX-License-Identifier: MIT */
/*
 * overflow_test.c - tests of engine/overflow.c
 *
 * All of it happens in children, which it ends. They run on the simulated ring.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"

#include "loop.h"
#include "overflow.h"
#include "stepping.h"
#include "test.h"

/* Whether the signal is taken already, by a sanitizer; then ouro leaves it alone. */
static bool must_skip(void)
{
    struct sigaction present;

    if (!sigaction(SIGSEGV, NULL, &present) && present.sa_handler == SIG_DFL)
        return false;
    TEST_SKIP("SIGSEGV belongs to the sanitizer");
    return true;
}

static struct child run_child(ouro_task_fn *main_fn)
{
    return run_in_child(child_main, &main_fn);
}

static bool reported(const struct child *child)
{
    return said(child, "stack overflow");
}

/* Needs more stack than there is. */
__attribute__((noinline)) static int descend(int levels)
{
    volatile char frame[1024];

    frame[0] = (char) levels;
    return levels ? descend(levels - 1) + frame[0] : 0;
}

static int overflow(void *arg)
{
    (void) arg;
    return descend(1 << 20);
}

/* --- who is named -------------------------------------------------------------------------- */

static int spawn_overflowing(void *arg)
{
    static const struct ouro_spawn_options options = {.name = "glutton", .stack = OURO_STACK_64K};

    (void) arg;
    return ouro_join(ouro_spawn_at(overflow, NULL, &options, "not this name", "somewhere.c:42"),
                     NULL);
}

static void test_overflow_names_task_and_place_of_spawn(void)
{
    struct child child;

    if (must_skip())
        return;
    child = run_child(spawn_overflowing);
    CU_ASSERT(was_killed_by(&child, SIGSEGV));
    CU_ASSERT_STRING_EQUAL(child.text,
                           "ouro: stack overflow in task \"glutton\", spawned at somewhere.c:42; "
                           "choose a larger stack class\n");
}

static void test_overflow_of_the_main_task_is_reported(void)
{
    struct child child;

    if (must_skip())
        return;
    child = run_child(overflow);
    CU_ASSERT(was_killed_by(&child, SIGSEGV));
    CU_ASSERT(said(&child, "ouro: stack overflow in task \"main\""));
}

static void overflow_generator(void *arg)
{
    (void) ouro_coro_yield(NULL, NULL);
    (void) overflow(arg);
}

static int send_to_overflowing(void *arg)
{
    static const struct ouro_coro_options options = {.name = "fibonacci", .stack = OURO_STACK_16K};
    struct ouro_coro *coro;

    if (ouro_coro_create(overflow_generator, arg, &options, &coro))
        return 1;
    (void) ouro_coro_send(coro, NULL, NULL);
    return ouro_coro_send(coro, NULL, NULL);
}

static void test_overflow_of_a_generator_names_it_and_its_task(void)
{
    struct child child;

    if (must_skip())
        return;
    child = run_child(send_to_overflowing);
    CU_ASSERT(was_killed_by(&child, SIGSEGV));
    CU_ASSERT(said(&child, "stack overflow in coroutine \"fibonacci\" of task \"main\""));
}

static int overflow_besides_generator(void *arg)
{
    struct ouro_coro *coro;

    if (ouro_coro_create(overflow_generator, arg, NULL, &coro))
        return 1;
    (void) ouro_coro_send(coro, NULL, NULL); /* now it waits in its first yield */
    return overflow(arg);
}

static void test_generator_that_waits_is_not_blamed(void)
{
    struct child child;

    if (must_skip())
        return;
    child = run_child(overflow_besides_generator);
    CU_ASSERT(was_killed_by(&child, SIGSEGV));
    CU_ASSERT(said(&child, "stack overflow in task \"main\""));
    CU_ASSERT_FALSE(said(&child, "coroutine"));
}

/* --- threads --------------------------------------------------------------------------------- */

static void *run_loop(void *main_fn)
{
    (void) child_main(main_fn);
    return NULL;
}

static int run_loop_in_thread(void *main_fn)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, run_loop, main_fn))
        return 1;
    return pthread_join(thread, NULL);
}

static void test_overflow_in_another_thread_is_reported(void)
{
    ouro_task_fn *main_fn = overflow;
    struct child child;

    if (must_skip())
        return;
    child = run_in_child(run_loop_in_thread, &main_fn);
    CU_ASSERT(was_killed_by(&child, SIGSEGV));
    CU_ASSERT(said(&child, "stack overflow in task \"main\""));
}

static int start_loop_in_thread(void *arg)
{
    ouro_task_fn *main_fn = overflow;

    (void) arg;
    return run_loop_in_thread(&main_fn);
}

/* The handler belongs to the loop that came first, and serves those that come later. */
static void test_overflow_in_a_second_loop_is_reported(void)
{
    struct child child;

    if (must_skip())
        return;
    child = run_child(start_loop_in_thread);
    CU_ASSERT(was_killed_by(&child, SIGSEGV));
    CU_ASSERT(said(&child, "stack overflow in task \"main\""));
}

/* --- what is no overflow ----------------------------------------------------------------------- */

/* Near it: what is exactly NULL, UBSan finds before the processor does. */
static int write_to_null(void *arg)
{
    volatile uintptr_t nowhere = 64;

    (void) arg;
    *(volatile char *) nowhere = 1;
    return 0;
}

static int raise_signal(void *arg)
{
    (void) arg;
    return raise(SIGSEGV);
}

static int kill_process(void *arg)
{
    (void) arg;
    (void) kill(getpid(), SIGSEGV);
    return 0;
}

static void test_other_faults_end_the_process_without_a_report(void)
{
    static ouro_task_fn *const faults[] = {write_to_null, raise_signal, kill_process};

    if (must_skip())
        return;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct child child = run_child(faults[i]);

        CU_ASSERT(was_killed_by(&child, SIGSEGV));
        CU_ASSERT_STRING_EQUAL(child.text, "");
    }
}

/* --- whose signal it is -------------------------------------------------------------------------- */

enum { OWN_HANDLER_CODE = 42 };

static void handle(int number)
{
    (void) number;
    _exit(OWN_HANDLER_CODE);
}

static bool is_handled_by(void (*handler)(int))
{
    struct sigaction present;

    return !sigaction(SIGSEGV, NULL, &present) && present.sa_handler == handler;
}

static int run_with_own_handler(void *arg)
{
    ouro_task_fn *main_fn = write_to_null;

    (void) arg;
    (void) signal(SIGSEGV, handle);
    return child_main(&main_fn);
}

static void test_handler_of_the_program_is_left_in_place(void)
{
    struct child child = run_in_child(run_with_own_handler, NULL);

    CU_ASSERT(exited_with(&child, OWN_HANDLER_CODE));
    CU_ASSERT_FALSE(reported(&child));
}

static int install_handler(void *arg)
{
    (void) arg;
    (void) signal(SIGSEGV, handle);
    return 0;
}

/* Installed while the loop runs: the end of the loop must not take it away. */
static int install_handler_in_task(void *arg)
{
    ouro_task_fn *main_fn = install_handler;

    (void) arg;
    (void) signal(SIGSEGV, SIG_DFL);
    (void) child_main(&main_fn);
    return is_handled_by(handle) ? 0 : 1;
}

static void test_handler_that_a_task_installs_stays(void)
{
    struct child child = run_in_child(install_handler_in_task, NULL);

    CU_ASSERT(exited_with(&child, 0));
}

static int do_nothing(void *arg)
{
    (void) arg;
    return 0;
}

static int run_and_look_back(void *arg)
{
    ouro_task_fn *main_fn = do_nothing;
    stack_t before, after;

    (void) arg;
    (void) signal(SIGSEGV, SIG_DFL);
    (void) sigaltstack(NULL, &before);
    for (int i = 0; i < 3; i++)
        (void) child_main(&main_fn);
    (void) sigaltstack(NULL, &after);
    if (!is_handled_by(SIG_DFL))
        return 1;
    return before.ss_flags == after.ss_flags && before.ss_sp == after.ss_sp ? 0 : 2;
}

static void test_signal_and_alternate_stack_are_as_before_afterwards(void)
{
    struct child child = run_in_child(run_and_look_back, NULL);

    CU_ASSERT(exited_with(&child, 0));
}

static int overflow_with_own_alternate_stack(void *arg)
{
    static char memory[64 << 10];
    const stack_t own = {.ss_sp = memory, .ss_size = sizeof(memory)};
    stack_t present;
    ouro_task_fn *main_fn = do_nothing;

    (void) arg;
    (void) sigaltstack(&own, NULL);
    (void) child_main(&main_fn);
    if (sigaltstack(NULL, &present) || present.ss_sp != memory)
        return 1;
    main_fn = overflow;
    return child_main(&main_fn);
}

static void test_alternate_stack_of_the_program_is_used_and_kept(void)
{
    struct child child;

    if (must_skip())
        return;
    child = run_in_child(overflow_with_own_alternate_stack, NULL);
    CU_ASSERT(was_killed_by(&child, SIGSEGV));
    CU_ASSERT(reported(&child));
}

/* --- loops on several threads ---------------------------------------------------------------- */

static void watch(void *self)
{
    ouro__overflow_watch(self);
}

static void unwatch(void *self)
{
    ouro__overflow_unwatch(self);
}

static bool is_handled(void)
{
    struct sigaction present;

    return !sigaction(SIGSEGV, NULL, &present) && present.sa_handler != SIG_DFL;
}

static int run_racing_watches(void *arg)
{
    struct overflow_watch watches[2];
    const struct shared_claim claim = {watch, unwatch, is_handled, {&watches[0], &watches[1]}};

    (void) arg;
    return stepping_claims_hold(&claim) ? 42 : 1;
}

/* One ends while another begins. */
static void test_handler_is_there_while_any_of_several_loops_lives(void)
{
    struct child child;

    if (must_skip())
        return;
    if (!stepping_is_possible()) {
        TEST_SKIP("single steps need x86-64 and no sanitizer");
        return;
    }
    child = run_in_child(run_racing_watches, NULL);
    CU_ASSERT(exited_with(&child, 42));
}

const struct test overflow_tests[] = {
    TEST(test_overflow_names_task_and_place_of_spawn),
    TEST(test_overflow_of_the_main_task_is_reported),
    TEST(test_overflow_of_a_generator_names_it_and_its_task),
    TEST(test_generator_that_waits_is_not_blamed),
    TEST(test_overflow_in_another_thread_is_reported),
    TEST(test_overflow_in_a_second_loop_is_reported),
    TEST(test_other_faults_end_the_process_without_a_report),
    TEST(test_handler_of_the_program_is_left_in_place),
    TEST(test_handler_that_a_task_installs_stays),
    TEST(test_signal_and_alternate_stack_are_as_before_afterwards),
    TEST(test_alternate_stack_of_the_program_is_used_and_kept),
    TEST(test_handler_is_there_while_any_of_several_loops_lives),
    TEST_END,
};
