/* SPDX-License-Identifier: MIT */
/*
 * signal_wait_test.c - tests of engine/signal_wait.c: signals that a task waits for
 *
 * Tests with SIGINT run in a child, since it is the runner's as well.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "loop.h"

#define MS OURO_MILLISECOND

/* --- helpers ------------------------------------------------------------------------------- */

static unsigned count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    while (dir && readdir(dir))
        count++;
    if (dir)
        (void) closedir(dir);
    return count;
}

static bool has_kernel_ring(void)
{
    if (test_kernel_ring())
        return true;
    TEST_SKIP("no kernel ring");
    return false;
}

static void run_signals(ouro_task_fn *fn)
{
    unsigned fds = count_fds();

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, fn, NULL), 0);
    CU_ASSERT_EQUAL(count_fds(), fds);
}

static void run_signals_in_child(ouro_task_fn *fn, int (*start)(void *arg))
{
    struct child child;

    if (!has_kernel_ring())
        return;
    child = run_in_child(start, &fn);
    CU_ASSERT(exited_with(&child, 42));
    if (child.text[0])
        printf("    the child said: %s\n", child.text);
}

static int start_main(void *fn)
{
    return run_with(test_kernel_ring(), 0, *(ouro_task_fn **) fn, NULL);
}

/* What a failed condition in a child is told by. */
static bool holds(bool condition, const char *what)
{
    if (!condition)
        (void) fprintf(stderr, "not so: %s\n", what);
    return condition;
}
#define HOLDS(condition) holds((condition), #condition)

static bool has_handler(int number, void (*handler)(int))
{
    struct sigaction action;

    return !sigaction(number, NULL, &action) && action.sa_handler == handler;
}

static bool next_is(struct ouro_signal_watch *watch, int number, unsigned count)
{
    unsigned came = 0;
    int which = 0;

    return !ouro_signal_wait(watch, &which, &came) && which == number && came == count;
}

/* Whether the watch has nothing to report. */
static bool is_quiet(struct ouro_signal_watch *watch)
{
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin(&limit, 1 * MS);
    code = ouro_signal_wait(watch, NULL, NULL);
    return ouro_timeout_end(&limit) == -ETIMEDOUT && code == -ETIMEDOUT;
}

/* --- one watch ----------------------------------------------------------------------------- */

static int count_signals(void *arg)
{
    struct ouro_signal_watch watch;
    sigset_t usr1;

    (void) arg;
    (void) sigemptyset(&usr1);
    (void) sigaddset(&usr1, SIGUSR1);
    (void) pthread_sigmask(SIG_BLOCK, &usr1, NULL); /* as a parent may have left it */
    CU_ASSERT_EQUAL_FATAL(ouro_signal_watch_init(&watch, SIGUSR1), 0);
    CU_ASSERT(is_quiet(&watch));
    (void) raise(SIGUSR1);
    CU_ASSERT(next_is(&watch, SIGUSR1, 1));
    for (int i = 0; i < 3; i++)
        (void) raise(SIGUSR1); /* while nobody waits */
    CU_ASSERT(next_is(&watch, SIGUSR1, 3));
    CU_ASSERT(is_quiet(&watch));
    (void) pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    for (int i = 0; i < 3; i++)
        (void) raise(SIGUSR1);
    (void) pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    CU_ASSERT(next_is(&watch, SIGUSR1, 1)); /* the kernel makes one of them */
    (void) raise(SIGUSR1);
    CU_ASSERT_EQUAL(ouro_signal_wait(&watch, NULL, NULL), 0);
    (void) raise(SIGUSR1); /* dropped */
    ouro_signal_watch_done(&watch);
    ouro_signal_watch_done(&watch);
    CU_ASSERT(has_handler(SIGUSR1, SIG_DFL));
    CU_ASSERT_EQUAL_FATAL(ouro_signal_watch_init(&watch, SIGUSR1), 0);
    CU_ASSERT(is_quiet(&watch));
    ouro_signal_watch_done(&watch);
    return 0;
}

static void test_signals_are_counted_also_while_nobody_waits(void)
{
    run_signals(count_signals);
}

static void *signal_process(void *arg)
{
    (void) arg;
    (void) kill(getpid(), SIGUSR2);
    return NULL;
}

static int hear_others(void *arg)
{
    const char *argv[] = {"sh", "-c", "kill -USR2 $PPID", NULL};
    struct ouro_process_options options = {.argv = argv};
    struct ouro_signal_watch watch;
    struct ouro_process process;
    pthread_t thread;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(ouro_signal_watch_init(&watch, SIGUSR2), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, signal_process, NULL), 0);
    CU_ASSERT(next_is(&watch, SIGUSR2, 1));
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(ouro_process_spawn(&options, &process), 0);
    CU_ASSERT(next_is(&watch, SIGUSR2, 1)); /* it wakes the loop */
    CU_ASSERT_EQUAL(ouro_process_wait(&process, NULL), 0);
    ouro_process_done(&process);
    ouro_signal_watch_done(&watch);
    return 0;
}

static void test_signals_of_other_threads_and_processes_wake_the_loop(void)
{
    run_signals(hear_others);
}

static int watch_a_set(void *arg)
{
    const int numbers[] = {SIGUSR1, SIGRTMAX, SIGUSR2, SIGUSR1};
    struct ouro_signal_watch watch;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(ouro_signal_watch_init_many(&watch, numbers, COUNT_OF(numbers)), 0);
    for (int round = 0; round < 3; round++) {
        (void) raise(SIGUSR1);
        CU_ASSERT(next_is(&watch, SIGUSR1, 1));
        (void) raise(SIGRTMAX);
        (void) raise(SIGRTMAX);
        (void) raise(SIGUSR1);
        (void) raise(SIGUSR2);
        CU_ASSERT(next_is(&watch, SIGUSR2, 1)); /* it is not SIGUSR1's turn again */
        CU_ASSERT(next_is(&watch, SIGRTMAX, 2));
        CU_ASSERT(next_is(&watch, SIGUSR1, 1));
    }
    ouro_signal_watch_done(&watch);
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        CU_ASSERT(has_handler(numbers[i], SIG_DFL));
    return 0;
}

static void test_each_signal_of_a_set_has_its_turn(void)
{
    run_signals(watch_a_set);
}

static int interrupt_wait(void *arg)
{
    struct ouro_signal_watch watch;
    struct ouro_timeout limit;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(ouro_signal_watch_init(&watch, SIGUSR1), 0);
    ouro_timeout_begin(&limit, 0);
    (void) raise(SIGUSR1);
    CU_ASSERT_EQUAL(ouro_signal_wait(&watch, NULL, NULL), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT(next_is(&watch, SIGUSR1, 1));
    CU_ASSERT(is_quiet(&watch));
    (void) raise(SIGUSR1);
    CU_ASSERT(next_is(&watch, SIGUSR1, 1));
    ouro_signal_watch_done(&watch);
    return 0;
}

static void test_interrupted_wait_leaves_the_signal_for_the_next(void)
{
    run_signals(interrupt_wait);
}

static int watch_wrong_ones(void *arg)
{
    static const int numbers[] = {0,       -1,     SIGKILL, SIGSTOP, SIGSEGV,
                                  SIGBUS,  SIGFPE, SIGILL,  SIGTRAP, SIGSYS,
                                  SIGABRT, 32,     33,      65,      1000};
    struct ouro_signal_watch watch;

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        const int both[] = {SIGUSR1, numbers[i]};

        CU_ASSERT_EQUAL(ouro_signal_watch_init(&watch, numbers[i]), -EINVAL);
        CU_ASSERT_EQUAL(ouro_signal_watch_init_many(&watch, both, 2), -EINVAL);
        CU_ASSERT(has_handler(SIGUSR1, SIG_DFL));
    }
    CU_ASSERT_EQUAL(ouro_signal_watch_init_many(&watch, numbers, 0), -EINVAL);
    return 0;
}

static void test_signals_that_nobody_can_wait_for_are_refused(void)
{
    run_signals(watch_wrong_ones);
}

static int watch_simulated(void *arg)
{
    struct ouro_signal_watch watch;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_signal_watch_init(&watch, SIGUSR1), -ENOSYS);
    return 0;
}

static void test_simulated_ring_has_no_signals(void)
{
    CU_ASSERT_EQUAL(run_sim(watch_simulated, NULL), 0);
}

/* --- several ------------------------------------------------------------------------------- */

static void old_handler(int number)
{
    (void) number;
}

static int watch_twice(void *arg)
{
    struct ouro_signal_watch first, second;

    (void) arg;
    (void) signal(SIGUSR1, old_handler);
    CU_ASSERT_EQUAL_FATAL(ouro_signal_watch_init(&first, SIGUSR1), 0);
    CU_ASSERT_EQUAL_FATAL(ouro_signal_watch_init(&second, SIGUSR1), 0);
    (void) raise(SIGUSR1);
    CU_ASSERT(next_is(&first, SIGUSR1, 1));
    CU_ASSERT(next_is(&second, SIGUSR1, 1));
    ouro_signal_watch_done(&first);
    (void) raise(SIGUSR1);
    CU_ASSERT(next_is(&second, SIGUSR1, 1));
    CU_ASSERT(!has_handler(SIGUSR1, old_handler));
    ouro_signal_watch_done(&second);
    CU_ASSERT(has_handler(SIGUSR1, old_handler));
    (void) signal(SIGUSR1, SIG_DFL);
    return 0;
}

static void test_each_watch_of_a_signal_gets_it(void)
{
    run_signals(watch_twice);
}

struct listener {
    sem_t *watching;
    pthread_t thread;
    bool has_heard;
};

static int listen_and_tell(void *arg)
{
    struct listener *self = arg;
    struct ouro_signal_watch watch;

    CU_ASSERT_EQUAL_FATAL(ouro_signal_watch_init(&watch, SIGUSR1), 0);
    (void) sem_post(self->watching);
    self->has_heard = next_is(&watch, SIGUSR1, 1);
    ouro_signal_watch_done(&watch);
    return 0;
}

static void *run_listener(void *arg)
{
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, listen_and_tell, arg), 0);
    return NULL;
}

static void test_loops_of_several_threads_each_get_a_signal(void)
{
    struct listener listeners[3] = {{.has_heard = false}};
    sem_t watching;

    if (!has_kernel_ring())
        return;
    (void) sem_init(&watching, 0, 0);
    for (size_t i = 0; i < COUNT_OF(listeners); i++) {
        listeners[i].watching = &watching;
        CU_ASSERT_EQUAL_FATAL(
            pthread_create(&listeners[i].thread, NULL, run_listener, &listeners[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(listeners); i++)
        while (sem_wait(&watching))
            ;
    (void) kill(getpid(), SIGUSR1);
    for (size_t i = 0; i < COUNT_OF(listeners); i++) {
        CU_ASSERT_EQUAL(pthread_join(listeners[i].thread, NULL), 0);
        CU_ASSERT(listeners[i].has_heard);
    }
    CU_ASSERT(has_handler(SIGUSR1, SIG_DFL));
}

/* --- beside others ------------------------------------------------------------------------- */

static int watch_children(void *arg)
{
    const char *argv[] = {"sh", "-c", "exit 6", NULL};
    struct ouro_process_options options = {.argv = argv};
    struct ouro_signal_watch watch;
    struct ouro_process process;
    int status = -1;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(ouro_signal_watch_init(&watch, SIGCHLD), 0);
    CU_ASSERT_EQUAL_FATAL(ouro_process_spawn(&options, &process), 0);
    CU_ASSERT(next_is(&watch, SIGCHLD, 1));
    CU_ASSERT_EQUAL(ouro_process_wait(&process, &status), 0);
    CU_ASSERT_EQUAL(ouro_process_exit_code(status), 6);
    ouro_process_done(&process);
    ouro_signal_watch_done(&watch);
    return 0;
}

static void test_sigchld_can_be_watched_beside_processes(void)
{
    run_signals(watch_children);
}

static int watch_interrupts(void *arg)
{
    struct ouro_signal_watch watch;

    (void) arg;
    if (ouro_signal_watch_init(&watch, SIGINT))
        return 1;
    for (int i = 0; i < 5; i++) {
        (void) raise(SIGINT);
        if (!HOLDS(next_is(&watch, SIGINT, 1)))
            return 1;
    }
    if (!HOLDS(ouro_sleep(1 * MS) == 0)) /* the main task is not cancelled */
        return 1;
    ouro_signal_watch_done(&watch);
    (void) raise(SIGINT);
    return HOLDS(ouro_sleep(1000 * OURO_SECOND) == -ECANCELED) ? 42 : 1; /* now it is */
}

static void test_watched_sigint_does_not_cancel_the_main_task(void)
{
    run_signals_in_child(watch_interrupts, start_main);
}

/*
 * Two loops with each other's turns:
 *
 *      | claimer                  | watcher                     |
 *      | claims SIGINT            |                             |
 *      |                          | watches SIGINT              |
 *      | ends, gives it back      |                             |
 *      |                          | gets SIGINT                 |
 *      |                          | done: as before both        |
 */
static sem_t claimed, watched;

static int claim_and_end(void *arg)
{
    (void) arg;
    (void) sem_post(&claimed);
    while (sem_wait(&watched))
        ;
    return 42;
}

static void *run_claimer(void *arg)
{
    ouro_task_fn *fn = claim_and_end;

    (void) arg;
    return start_main(&fn) == 42 ? run_claimer : NULL;
}

static pthread_t claimer;

static int watch_beyond_claim(void *arg)
{
    struct ouro_signal_watch watch;
    void *result = NULL;

    (void) arg;
    if (ouro_signal_watch_init(&watch, SIGINT))
        return 1;
    (void) sem_post(&watched);
    (void) pthread_join(claimer, &result);
    (void) raise(SIGINT);
    if (!HOLDS(result != NULL) || !HOLDS(next_is(&watch, SIGINT, 1)))
        return 1;
    ouro_signal_watch_done(&watch);
    return HOLDS(has_handler(SIGINT, SIG_DFL)) ? 42 : 1;
}

static int start_claimer_and_main(void *fn)
{
    (void) sem_init(&claimed, 0, 0);
    (void) sem_init(&watched, 0, 0);
    if (pthread_create(&claimer, NULL, run_claimer, NULL))
        return 1;
    while (sem_wait(&claimed))
        ;
    return start_main(fn);
}

static void test_loop_that_ends_leaves_sigint_to_the_watch(void)
{
    run_signals_in_child(watch_beyond_claim, start_claimer_and_main);
}

static int look_from_child(void *arg)
{
    (void) arg;
    return has_handler(SIGUSR1, SIG_DFL) && has_handler(SIGINT, SIG_DFL) ? 42 : 1;
}

static int look_at_one_from_child(void *arg)
{
    (void) arg;
    return has_handler(SIGUSR1, SIG_DFL) ? 42 : 1;
}

/* On a thread that has no loop. */
static void *fork_elsewhere(void *ret_child)
{
    *(struct child *) ret_child = run_in_child(look_at_one_from_child, NULL);
    return NULL;
}

static int fork_with_watch(void *arg)
{
    const int numbers[] = {SIGUSR1, SIGINT};
    struct ouro_signal_watch watch;
    struct child child;
    pthread_t thread;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(ouro_signal_watch_init_many(&watch, numbers, 2), 0);
    child = run_in_child(look_from_child, NULL);
    CU_ASSERT(exited_with(&child, 42));
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, fork_elsewhere, &child), 0);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    CU_ASSERT(exited_with(&child, 42));
    (void) raise(SIGUSR1);
    CU_ASSERT(next_is(&watch, SIGUSR1, 1));
    ouro_signal_watch_done(&watch);
    return 0;
}

static void test_child_of_a_fork_has_no_watches(void)
{
    run_signals(fork_with_watch);
}

static int signal_a_vforked_child(void *arg)
{
    struct ouro_signal_watch watch;
    pid_t pid;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(ouro_signal_watch_init(&watch, SIGUSR1), 0);
    pid = vfork();
    if (pid == 0) {
        (void) kill(getpid(), SIGUSR1); /* our handler, our memory, but not our signal */
        _exit(0);
    }
    CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
    CU_ASSERT(is_quiet(&watch));
    ouro_signal_watch_done(&watch);
    return 0;
}

static void test_signals_of_a_vforked_child_are_not_ours(void)
{
    run_signals(signal_a_vforked_child);
}

const struct test signal_wait_tests[] = {
    TEST(test_signals_are_counted_also_while_nobody_waits),
    TEST(test_signals_of_other_threads_and_processes_wake_the_loop),
    TEST(test_each_signal_of_a_set_has_its_turn),
    TEST(test_interrupted_wait_leaves_the_signal_for_the_next),
    TEST(test_signals_that_nobody_can_wait_for_are_refused),
    TEST(test_simulated_ring_has_no_signals),
    TEST(test_each_watch_of_a_signal_gets_it),
    TEST(test_loops_of_several_threads_each_get_a_signal),
    TEST(test_sigchld_can_be_watched_beside_processes),
    TEST(test_watched_sigint_does_not_cancel_the_main_task),
    TEST(test_loop_that_ends_leaves_sigint_to_the_watch),
    TEST(test_child_of_a_fork_has_no_watches),
    TEST(test_signals_of_a_vforked_child_are_not_ours),
    TEST_END,
};
