/* SPDX-License-Identifier: MIT */
/*
 * watchdog_test.c - tests of engine/watchdog.c
 *
 * Tasks that keep their thread to themselves run in children. There, stderr is a file in
 * memory, so that a task can keep its thread until the report is written: how long that takes
 * is up to the machine. The parent gets the file's content in the end.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "check.h"
#include "dispatcher.h"
#include "loop.h"
#include "watchdog.h"

#define MS         OURO_MILLISECOND
#define LIMIT      (20 * MS)
#define TEXT_BYTES 4096

void ouro__coro_start(void);

static volatile int sink;         /* keeps calls from being the last thing in a function */
static const volatile char *text; /* what has been written to stderr */

/* --- children ---------------------------------------------------------------------------------- */

static const char *written(void)
{
    return (const char *) (uintptr_t) text;
}

static unsigned count_of(const char *haystack, const char *what)
{
    unsigned count = 0;

    for (; (haystack = strstr(haystack, what)); haystack++)
        count++;
    return count;
}

/* Makes stderr a file that `text` shows; returns what it was. */
static int capture(void)
{
    int fd = memfd_create("stderr", MFD_CLOEXEC);
    int before = dup(STDERR_FILENO);

    if (fd < 0 || before < 0 || ftruncate(fd, TEXT_BYTES))
        _exit(100);
    text = mmap(NULL, TEXT_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    if (text == MAP_FAILED || dup2(fd, STDERR_FILENO) < 0)
        _exit(101);
    return before;
}

struct job {
    const char *ring;
    ouro_task_fn *fn;
    int64_t limit;
};

/* The loop of a job, watched from its first task on. */
static int run_watched(void *arg)
{
    const struct job *job = arg;
    struct stall_watch watch;
    int code = ouro__watchdog_watch(&watch, ouro__dispatcher, job->limit);

    if (code)
        return 102;
    code = job->fn(NULL);
    ouro__watchdog_unwatch(&watch);
    return code;
}

static int run_job(void *arg)
{
    const struct job *job = arg;
    int before = capture();
    int code = run_with(job->ring, 0, run_watched, arg);

    (void) !write(before, written(), strlen(written()));
    return code;
}

static struct child run_child(const char *ring, ouro_task_fn *fn, int64_t limit)
{
    struct job job = {ring, fn, limit};
    struct child child = run_in_child(run_job, &job);

    if (!exited_with(&child, 0))
        printf("    the child's status is 0x%x; it said: %s\n", (unsigned) child.status,
               child.text);
    return child;
}

/* --- stalls ------------------------------------------------------------------------------------ */

static void wait_for(const char *what)
{
    while (!strstr(written(), what))
        (void) ouro_sleep(MS);
}

/* Calls nothing, so that the signal meets it here. */
__attribute__((noinline)) static int spin_until_reported(void)
{
    while (!*text) {
#ifdef OURO_TSAN
        (void) usleep(1); /* which delivers signals at such calls only */
#endif
        sink++;
    }
    return sink;
}

static int stall(void *arg)
{
    (void) arg;
    sink = spin_until_reported();
    return 0;
}

/* Whether `address` is one of `function`, which is short. */
static bool is_in(uintptr_t address, uintptr_t function)
{
    return address > function && address <= function + 256;
}

/*
 * Whether the backtrace goes from the interrupted instruction to the bottom of the stack and
 * no further. Lines end in "[0x55d9a5e00a56]".
 */
static bool is_backtrace_whole(void)
{
    const char *at = strstr(written(), "without waiting:\n");
    unsigned long first = 0, last = 0;

    while (at && (at = strstr(at, "[0x"))) {
        last = strtoul(++at, NULL, 16);
        first = first ? first : last;
    }
#ifndef OURO_TSAN
    if (!is_in(first, (uintptr_t) spin_until_reported))
        return false;
#endif
    return is_in(last, (uintptr_t) ouro__coro_start);
}

/* Leaves no room for a signal handler on the smallest stack. */
static int stall_on_full_stack(void *arg)
{
    volatile char ballast[10 << 10];

    ballast[0] = 0;
    return stall(arg) + ballast[0];
}

static int stall_in_task(void *arg)
{
    struct ouro_spawn_options options = {.name = "hog", .stack = OURO_STACK_16K};

    if (ouro_join(ouro_spawn_at(stall_on_full_stack, arg, &options, "", "somewhere.c:42"), NULL))
        return 1;
    if (!is_backtrace_whole())
        return 2;
    wait_for(" let go after about ");
    return 0;
}

static void test_stalled_task_is_named_with_its_backtrace_and_then_its_time(void)
{
    const char *const rings[] = {"sim:seed=1", test_kernel_ring()};

    for (size_t i = 0; i < COUNT_OF(rings) && rings[i]; i++) {
        struct child child = run_child(rings[i], stall_in_task, LIMIT);
        int seen = 0, all = 0;

        CU_ASSERT(exited_with(&child, 0));
        CU_ASSERT_EQUAL(sscanf(child.text,
                               "ouro: task \"hog\", spawned at somewhere.c:42, has been running "
                               "for %d ms without waiting:",
                               &seen),
                        1);
        CU_ASSERT(seen >= LIMIT / MS);
        CU_ASSERT(said(&child, "ms without waiting:\n"));
        CU_ASSERT(strstr(child.text, "\nouro: task \"hog\" let go after about ") != NULL);
        if (strstr(child.text, " let go"))
            (void) sscanf(strstr(child.text, " let go"), " let go after about %d ms\n", &all);
        CU_ASSERT(all >= seen);
    }
}

static void stall_generator(void *arg)
{
    sink = stall(arg);
}

static int stall_in_generator(void *arg)
{
    struct ouro_coro *coro;

    if (ouro_coro_create(stall_generator, arg, NULL, &coro))
        return 1;
    sink = ouro_coro_send(coro, NULL, NULL);
    ouro_coro_close(coro);
    return is_backtrace_whole() ? 0 : 2;
}

static void test_stall_in_a_generator_ends_its_backtrace_with_the_generators_stack(void)
{
    struct child child = run_child("sim:seed=1", stall_in_generator, LIMIT);

    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT(said(&child, "ouro: task \"main\", spawned at ouro_run(), has been running"));
}

static int stall_for_long(void *arg)
{
    int64_t end;

    (void) stall(arg);
    for (end = ouro_now() + 5 * LIMIT; ouro_now() < end;)
        sink++;
    wait_for(" let go after about ");
    return 0;
}

static int stall_twice(void *arg)
{
    int code = stall_for_long(arg);

    while (!code && count_of(written(), "without waiting") < 2)
        sink++;
    while (!code && count_of(written(), "let go") < 2)
        (void) ouro_sleep(MS);
    return code;
}

static void test_each_stall_is_reported_once(void)
{
    struct child child;

    if (!test_kernel_ring()) {
        TEST_SKIP("the simulated clock stands still while a task runs");
        return;
    }
    child = run_child(test_kernel_ring(), stall_twice, LIMIT);
    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT_EQUAL(count_of(child.text, "without waiting"), 2);
    CU_ASSERT_EQUAL(count_of(child.text, "let go"), 2);
}

/* --- what is no stall ----------------------------------------------------------------------------- */

#define LONG_LIMIT (300 * MS) /* nobody is kept off the processor for that long */

static int yield_and_sleep(void *arg)
{
    int64_t end = ouro_now() + 2 * LONG_LIMIT;

    (void) arg;
    while (ouro_now() < end) {
        int64_t slice_end = ouro_now() + MS; /* so that nearly always a task runs */

        while (ouro_now() < slice_end)
            sink++;
        (void) ouro_yield();
    }
    return ouro_sleep(2 * LONG_LIMIT);
}

static void test_tasks_that_wait_or_yield_are_not_reported(void)
{
    struct child child;

    if (!test_kernel_ring()) {
        TEST_SKIP("the simulated clock stands still while a task runs");
        return;
    }
    child = run_child(test_kernel_ring(), yield_and_sleep, LONG_LIMIT);
    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT_STRING_EQUAL(child.text, "");
}

/* The signal is held up until the task has let go. */
static int let_go_before_the_signal(void *arg)
{
    sigset_t set;

    (void) arg;
    (void) sigemptyset(&set);
    (void) sigaddset(&set, SIGRTMAX - 2);
    (void) pthread_sigmask(SIG_BLOCK, &set, NULL);
    do
        (void) sigpending(&set);
    while (!sigismember(&set, SIGRTMAX - 2));
    (void) ouro_yield();
    (void) sigemptyset(&set);
    (void) sigaddset(&set, SIGRTMAX - 2);
    (void) pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return 0;
}

static void test_late_signal_blames_nobody(void)
{
    struct child child = run_child("sim:seed=1", let_go_before_the_signal, LIMIT);

    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT_STRING_EQUAL(child.text, "");
}

/* A signal from somebody else. */
static int raise_the_signal(void *arg)
{
    (void) arg;
    errno = ENOTTY;
    (void) raise(SIGRTMAX - 2);
    return errno == ENOTTY ? 0 : 1;
}

static void test_signal_without_a_suspect_says_nothing(void)
{
    struct child child = run_child("sim:seed=1", raise_the_signal, OURO_SECOND);

    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT_STRING_EQUAL(child.text, "");
}

static void test_no_limit_watches_nothing(void)
{
    struct stall_watch watch;

    CU_ASSERT_EQUAL(ouro__watchdog_watch(&watch, NULL, 0), 0);
    ouro__watchdog_unwatch(&watch);
}

/* --- several loops ----------------------------------------------------------------------------- */

static pthread_barrier_t barrier;

/* Stalls when the other loop has ended. */
static int stall_second(void *arg)
{
    (void) pthread_barrier_wait(&barrier); /* both are watched */
    (void) pthread_barrier_wait(&barrier); /* now only we are */
    (void) stall(arg);
    return 0;
}

static void *run_second(void *arg)
{
    struct job job = {"sim:seed=2", stall_second, LIMIT};

    (void) arg;
    return (void *) (intptr_t) run_with(job.ring, 0, run_watched, &job);
}

static int meet(void *arg)
{
    (void) arg;
    (void) pthread_barrier_wait(&barrier);
    return 0;
}

static int run_two_loops(void *arg)
{
    struct job first = {"sim:seed=1", meet, OURO_SECOND * 1000};
    int before = capture();
    pthread_t thread;
    void *result;

    (void) arg;
    (void) pthread_barrier_init(&barrier, NULL, 2);
    if (pthread_create(&thread, NULL, run_second, NULL))
        return 1;
    if (run_with(first.ring, 0, run_watched, &first))
        return 2;
    (void) pthread_barrier_wait(&barrier);
    (void) pthread_join(thread, &result);
    (void) !write(before, written(), strlen(written()));
    return (int) (intptr_t) result;
}

static void test_one_loops_end_leaves_the_others_watched(void)
{
    struct child child = run_in_child(run_two_loops, NULL);

    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT_EQUAL(count_of(child.text, "ouro: task \"main\", spawned at ouro_run(), has been"),
                    1);
}

static int yield(void *arg)
{
    (void) arg;
    return ouro_yield();
}

static void *watch_often(void *arg)
{
    struct job job = {"sim:seed=1", yield, 5 * OURO_SECOND};

    (void) arg;
    for (int i = 0; i < 100; i++)
        if (run_with(job.ring, 0, run_watched, &job))
            return "failed";
    return NULL;
}

static int watch_from_two_threads(void *arg)
{
    pthread_t threads[2];
    int failures = 0;
    void *result;

    (void) arg;
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, watch_often, NULL))
            return 100;
    for (int i = 0; i < 2; i++) {
        (void) pthread_join(threads[i], &result);
        failures += result != NULL;
    }
    return failures;
}

static void test_watches_may_begin_and_end_at_the_same_time(void)
{
    struct child child = run_in_child(watch_from_two_threads, NULL);

    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT_STRING_EQUAL(child.text, "");
}

/* --- what is left behind ------------------------------------------------------------------------ */

static bool has_handler(int number)
{
    struct sigaction present;

    return sigaction(number, NULL, &present) || present.sa_handler != SIG_DFL;
}

static int check_handler(void *arg)
{
    (void) arg;
    return has_handler(SIGRTMAX - 2) ? 0 : 1;
}

static int watch_and_look_back(void *arg)
{
    struct job job = {"sim:seed=1", check_handler, LIMIT};
    stack_t before, after;

    (void) arg;
    (void) sigaltstack(NULL, &before);
    for (int i = 0; i < 3; i++)
        if (run_with(job.ring, 0, run_watched, &job))
            return 1;
    (void) sigaltstack(NULL, &after);
    if (has_handler(SIGRTMAX - 2))
        return 2;
    return before.ss_flags == after.ss_flags && before.ss_sp == after.ss_sp ? 0 : 3;
}

static void test_signal_and_alternate_stack_are_as_before_afterwards(void)
{
    struct child child = run_in_child(watch_and_look_back, NULL);

    CU_ASSERT(exited_with(&child, 0));
}

static void handle_own(int number)
{
    (void) number;
    _exit(42);
}

static int stall_if_own_handler_is_there(void *arg)
{
    struct sigaction present;

    if (sigaction(SIGRTMAX - 2, NULL, &present) || present.sa_handler != handle_own)
        return 3;
    return stall_in_task(arg);
}

static int stall_beside_own_handler(void *arg)
{
    struct job job = {"sim:seed=1", stall_if_own_handler_is_there, LIMIT};

    (void) arg;
    (void) signal(SIGRTMAX - 2, handle_own);
    return run_job(&job);
}

static void test_signal_of_the_program_is_left_to_it(void)
{
    struct child child = run_in_child(stall_beside_own_handler, NULL);

    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT(said(&child, "task \"hog\""));
}

static int fork_and_watch_again(void *arg)
{
    struct child child;

    (void) arg;
    child = run_child("sim:seed=1", stall_in_task, LIMIT);
    return exited_with(&child, 0) && said(&child, "task \"hog\"") ? 0 : 1;
}

static void test_child_of_a_fork_has_a_watchdog_of_its_own(void)
{
    struct child child;

#ifdef OURO_TSAN
    TEST_SKIP("TSan ends children of processes with threads when they start one");
    return;
#endif
    child = run_child("sim:seed=1", fork_and_watch_again, 1000 * OURO_SECOND);
    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT_STRING_EQUAL(child.text, ""); /* the parent waited, which is below its limit */
}

/* --- the notation -------------------------------------------------------------------------------- */

static void test_limits_are_numbers_with_a_unit(void)
{
    static const struct {
        const char *spec;
        int64_t limit;
    } good[] = {{"0", 0},
                {"0ms", 0},
                {"50ms", 50 * MS},
                {"200us", 200 * OURO_MICROSECOND},
                {"2s", 2 * OURO_SECOND},
                {"9223372036s", INT64_C(9223372036000000000)}};
    static const char *const bad[] = {"",
                                      "50",
                                      "ms",
                                      "-1s",
                                      "+1s",
                                      " 1s",
                                      "1 ms",
                                      "1.5s",
                                      "1m",
                                      "1sec",
                                      "9223372037s",
                                      "off",
                                      "99999999999999999999s"};
    int64_t limit = -1;

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        CU_ASSERT_EQUAL(ouro__watchdog_parse(good[i].spec, &limit), 0);
        CU_ASSERT_EQUAL(limit, good[i].limit);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        CU_ASSERT_EQUAL(ouro__watchdog_parse(bad[i], &limit), -EINVAL);
}

const struct test watchdog_tests[] = {
    TEST(test_stalled_task_is_named_with_its_backtrace_and_then_its_time),
    TEST(test_stall_in_a_generator_ends_its_backtrace_with_the_generators_stack),
    TEST(test_each_stall_is_reported_once),
    TEST(test_tasks_that_wait_or_yield_are_not_reported),
    TEST(test_late_signal_blames_nobody),
    TEST(test_signal_without_a_suspect_says_nothing),
    TEST(test_no_limit_watches_nothing),
    TEST(test_one_loops_end_leaves_the_others_watched),
    TEST(test_watches_may_begin_and_end_at_the_same_time),
    TEST(test_signal_and_alternate_stack_are_as_before_afterwards),
    TEST(test_signal_of_the_program_is_left_to_it),
    TEST(test_child_of_a_fork_has_a_watchdog_of_its_own),
    TEST(test_limits_are_numbers_with_a_unit),
    TEST_END,
};
