/* SPDX-License-Identifier: MIT */
/*
 * signals_test.c - tests of engine/signals.c: what ouro_run() does about signals
 *
 * Signals belong to the process, so each test runs in a child, whose exit status says how
 * far it came.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#include "dispatcher.h"
#include "inbox.h"
#include "loop.h"
#include "sanitizer.h"
#include "signals.h"
#include "stepping.h"

/* What a child is to do. */
struct plan {
    const char *ring;
    int first, second; /* signals that main raises; 0: none */
    bool keep_sigpipe, keep_signals;
    int64_t doubled_ns;
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

/* The main task has returned when the twin comes. */
static int run_with_a_late_twin(void *plan)
{
    int code;

    ouro__signals_doubled_ns = 100 * OURO_SECOND; /* on a slow machine, too */
    code = run_raise_and_sleep(plan);
    (void) raise(SIGTERM);
    return code;
}

/* The same for a signal that is no twin: the default ends the process. */
static int run_and_be_ended(void *plan)
{
    ouro__signals_doubled_ns = 0;
    (void) run_raise_and_sleep(plan);
    (void) raise(SIGTERM);
    return 42;
}

static void test_signal_told_twice_does_not_end_a_program_that_ends_at_once(void)
{
    FOR_EACH_RING(ring)
    {
        struct child child = run_plan(ring, run_with_a_late_twin, (struct plan) {.first = SIGTERM});

        CU_ASSERT(exited_with(&child, 42));
        child = run_plan(ring, run_and_be_ended, (struct plan) {.first = SIGTERM});
        CU_ASSERT(was_killed_by(&child, SIGTERM));
    }
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
    return ouro_sleep(OURO_SECOND) == -ECANCELED ? 42 : 1;
}

static int run_raise_twice(void *plan)
{
    ouro__signals_doubled_ns = ((struct plan *) plan)->doubled_ns;
    return run_planned(plan, raise_twice);
}

static void test_second_signal_ends_the_process_unless_it_is_the_first_told_twice(void)
{
    static const int pairs[][2] = {
        {SIGINT, SIGINT}, {SIGTERM, SIGTERM}, {SIGINT, SIGTERM}, {SIGTERM, SIGINT}};

    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        FOR_EACH_RING(ring)
        {
            struct plan plan = {.first = pairs[i][0], .second = pairs[i][1]};
            struct child child = run_plan(ring, run_raise_twice, plan);

            CU_ASSERT(was_killed_by(&child, pairs[i][1]));
            plan.doubled_ns = 1000 * OURO_SECOND; /* as if it had come at once */
            child = run_plan(ring, run_raise_twice, plan);
            CU_ASSERT(exited_with(&child, 42));
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

static void ignore_pipe(void *signals)
{
    ouro__signals_claim(signals, NULL, (struct signal_wishes) {.keep_signals = true});
}

static void restore_pipe(void *signals)
{
    ouro__signals_release(signals);
}

static bool is_pipe_ignored(void)
{
    struct sigaction present;

    return !sigaction(SIGPIPE, NULL, &present) && present.sa_handler == SIG_IGN;
}

static int run_racing_claims(void *arg)
{
    struct signals signals[2];
    const struct shared_claim claim = {
        ignore_pipe, restore_pipe, is_pipe_ignored, {&signals[0], &signals[1]}};

    (void) arg;
    return stepping_claims_hold(&claim) ? 42 : 1;
}

/* One ends while another begins. */
static void test_sigpipe_is_ignored_while_any_of_several_loops_lives(void)
{
    struct child child;

    if (!stepping_is_possible()) {
        TEST_SKIP("single steps need x86-64 and no sanitizer");
        return;
    }
    child = run_in_child(run_racing_claims, NULL);
    CU_ASSERT(exited_with(&child, 42));
}

/*
 *   handler, on any thread        loop
 *   which eventfd is it?
 *                                 ends: restores the signal, closes the eventfd
 *                                 (somebody opens a file: the same number)
 *   write to it
 */
struct closing {
    struct signals signals;
    struct ouro_inbox inbox;
    struct dispatcher dispatcher;
    int foreign_fd; /* what gets the number */
    sem_t may_end;
    atomic_bool has_ended;
};

static void *end_and_reuse_number(void *arg)
{
    struct closing *closing = arg;

    while (sem_wait(&closing->may_end))
        ;
    ouro__signals_release(&closing->signals);
    (void) dup2(closing->foreign_fd, closing->inbox.event_fd);
    atomic_store(&closing->has_ended, true);
    return NULL;
}

static void let_it_end(void *arg)
{
    struct closing *closing = arg;

    (void) sem_post(&closing->may_end);
    for (int i = 0; i < RIVAL_YIELDS && !atomic_load(&closing->has_ended); i++)
        (void) sched_yield();
}

/* Returns whether the handler wrote to what was not the loop's any more. */
static bool handler_hits_foreign_file(unsigned steps)
{
    struct closing closing = {.inbox.event_fd = eventfd(0, 0)};
    struct sigaction handler;
    pthread_t thread;
    uint64_t count;
    bool hits;

    closing.dispatcher.inbox = &closing.inbox;
    closing.foreign_fd = eventfd(0, EFD_NONBLOCK);
    (void) sem_init(&closing.may_end, 0, 0);
    (void) pthread_create(&thread, NULL, end_and_reuse_number, &closing);
    ouro__signals_claim(&closing.signals, &closing.dispatcher, (struct signal_wishes) {0});
    (void) sigaction(SIGTERM, NULL, &handler);
    stepping_begin(steps, let_it_end, &closing);
    handler.sa_handler(SIGTERM);
    (void) pthread_join(thread, NULL);
    hits = read(closing.foreign_fd, &count, sizeof(count)) == sizeof(count);
    (void) close(closing.inbox.event_fd);
    (void) close(closing.foreign_fd);
    return hits;
}

static int run_late_handlers(void *arg)
{
    (void) arg;
    for (unsigned steps = 0; !stepping.is_last; steps++)
        if (handler_hits_foreign_file(steps))
            return 1;
    return 42;
}

static void test_handler_never_writes_to_a_closed_eventfd(void)
{
    struct child child;

    if (!stepping_is_possible()) {
        TEST_SKIP("single steps need x86-64 and no sanitizer");
        return;
    }
    stepping.is_last = false;
    child = run_in_child(run_late_handlers, NULL);
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
#ifdef OURO_TSAN
    TEST_SKIP("TSan keeps the signals of children of processes with threads, or tasks, to itself");
    return;
#endif
    FOR_EACH_RING(ring)
    {
        struct plan plan = {.first = SIGTERM};
        struct child child = run_plan(ring, run_forking_loop, plan);

        CU_ASSERT(exited_with(&child, 42));
    }
}

/* --- reports on demand ----------------------------------------------------------------------- */

/* In a child: what goes to stderr is kept, so that the child itself can see it, then passed on. */
static int kept_fd, real_stderr;

static void keep_stderr(void)
{
    kept_fd = memfd_create("stderr", 0);
    (void) fcntl(kept_fd, F_SETFL,
                 O_APPEND); /* threads write at once: a memfd's position has no lock */
    real_stderr = dup(STDERR_FILENO);
    (void) dup2(kept_fd, STDERR_FILENO);
}

static int bytes_said(void)
{
    struct stat file;

    return fstat(kept_fd, &file) ? 0 : (int) file.st_size;
}

static void pass_stderr_on(void)
{
    char text[2048];
    ssize_t len = pread(kept_fd, text, sizeof(text), 0);

    (void) !write(real_stderr, text, len > 0 ? (size_t) len : 0);
}

/* The signal wakes the loop, which writes before main goes on. */
static int ask_for_a_dump(void *arg)
{
    (void) arg;
    if (ouro_shard_index() == 0)
        (void) kill(getpid(), SIGUSR1);
    while (bytes_said() == 0)
        if (ouro_sleep(OURO_MILLISECOND))
            return 1;
    return 0;
}

struct dump_plan {
    const char *ring;
    unsigned shards;
    bool by_environment;
};

static int run_ask_for_a_dump(void *arg)
{
    const struct dump_plan *plan = arg;
    struct ouro_run_options options = {
        .ring = plan->ring, .shards = plan->shards, .dump_on_sigusr1 = !plan->by_environment};

    keep_stderr();
    if (plan->by_environment)
        (void) setenv("OURO_DUMP", "1", 1);
    if (ouro_run(ask_for_a_dump, NULL, &options))
        return 1;
    pass_stderr_on();
    return signal(SIGUSR1, SIG_DFL) == SIG_DFL ? 0 : 2; /* it was restored */
}

static void test_sigusr1_lists_the_tasks_when_that_was_asked_for(void)
{
    FOR_EACH_RING(ring)
    {
        struct dump_plan plan = {ring, 1, false};
        struct child child = run_in_child(run_ask_for_a_dump, &plan);

        CU_ASSERT(exited_with(&child, 0));
        CU_ASSERT(said(&child, "main"));
        CU_ASSERT(said(&child, "sleep"));
        plan.by_environment = true;
        child = run_in_child(run_ask_for_a_dump, &plan);
        CU_ASSERT(exited_with(&child, 0));
        CU_ASSERT(said(&child, "main"));
    }
}

static atomic_bool is_told;

/* How many lists of tasks have been written. */
static int lists_said(void)
{
    char text[4096];
    ssize_t len = pread(kept_fd, text, sizeof(text) - 1, 0);
    int count = 0;

    text[len > 0 ? len : 0] = '\0';
    for (const char *at = text; (at = strstr(at, "ouro: thread")); at++)
        count++;
    return count;
}

static int sleep_until_told(void *arg)
{
    (void) arg;
    if (ouro_shard_index() == 0) {
        (void) kill(getpid(), SIGUSR1);
        while (lists_said() < 2)
            if (ouro_sleep(OURO_MILLISECOND))
                return 1;
        atomic_store(&is_told, true);
    }
    while (!atomic_load(&is_told))
        if (ouro_sleep(OURO_MILLISECOND))
            return 1;
    return 0;
}

static int run_two_and_dump(void *arg)
{
    struct ouro_run_options options = {.ring = arg, .shards = 2, .dump_on_sigusr1 = true};
    int code;

    keep_stderr();
    code = ouro_run(sleep_until_told, NULL, &options);
    pass_stderr_on();
    return code;
}

static void test_sigusr1_is_for_all_shards(void)
{
    struct child child;

    if (!test_kernel_ring()) {
        TEST_SKIP("threads need the kernel's ring");
        return;
    }
    child = run_in_child(run_two_and_dump, (void *) (uintptr_t) test_kernel_ring());
    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT(said(&child, "main"));
}

/* --- shards whose first has nothing to do any more ---------------------------------------------- */

struct late_plan {
    int number;
    bool by_environment; /* it is the environment that asks for dumps */
};

static atomic_int late_outcome; /* of shard 1: 1 is good */

static bool signal_is_obeyed(int number)
{
    if (number == SIGTERM)
        return ouro_sleep(OURO_FOREVER) == -ECANCELED;
    while (lists_said() == 0)
        if (ouro_sleep(OURO_MILLISECOND))
            return false;
    return true;
}

static int outlive_the_first(void *arg)
{
    const struct late_plan *plan = arg;

    if (ouro_shard_index() == 0)
        return 0;
    while (atomic_load(&ouro_shard_inbox(0)->newest) != INBOX_CLOSED)
        if (ouro_sleep(OURO_MILLISECOND))
            return 0;
    (void) kill(getpid(), plan->number);
    atomic_store(&late_outcome, signal_is_obeyed(plan->number) ? 1 : 2);
    return 0;
}

static int run_outliving(void *arg)
{
    const struct late_plan *plan = arg;
    struct ouro_run_options options = {
        .ring = test_kernel_ring(), .shards = 2, .dump_on_sigusr1 = !plan->by_environment};
    int code;

    keep_stderr();
    if (plan->by_environment)
        (void) setenv("OURO_DUMP", "1", 1);
    code = ouro_run(outlive_the_first, arg, &options);
    pass_stderr_on();
    return code ? 3 : atomic_load(&late_outcome);
}

static void test_signals_are_obeyed_when_the_first_shard_has_nothing_left_to_do(void)
{
    struct late_plan plans[] = {{SIGTERM, false}, {SIGUSR1, false}, {SIGUSR1, true}};

    if (!test_kernel_ring()) {
        TEST_SKIP("threads need the kernel's ring");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(plans); i++) {
        struct child child = run_in_child(run_outliving, &plans[i]);

        CU_ASSERT(exited_with(&child, 1));
    }
}

static int compute_until_named(void *arg)
{
    const time_t end = time(NULL) + CHILD_SECONDS / 2;

    (void) arg;
    while (bytes_said() == 0)
        if (time(NULL) > end)
            return 1;
    return 0;
}

static int run_stalling(void *arg)
{
    struct ouro_run_options options = {.ring = "sim", .stall_limit = 5 * OURO_MILLISECOND};

    int code;

    keep_stderr();
    if (arg) {
        options.stall_limit = 0;
        (void) setenv("OURO_STALL", arg, 1);
    }
    code = ouro_run(compute_until_named, NULL, &options);
    pass_stderr_on();
    return code;
}

static void test_task_that_stalls_is_named_when_that_was_asked_for(void)
{
    static const char *const specs[] = {NULL, "5ms"};

    for (size_t i = 0; i < COUNT_OF(specs); i++) {
        struct child child = run_in_child(run_stalling, (void *) (uintptr_t) specs[i]);

        CU_ASSERT(exited_with(&child, 0));
        CU_ASSERT(said(&child, "task \"main\""));
        CU_ASSERT(said(&child, "without waiting"));
    }
}

static void test_stall_limit_that_makes_no_sense_is_told(void)
{
    struct child child = run_in_child(run_stalling, (void *) (uintptr_t) "soon");

    CU_ASSERT(exited_with(&child, 0)); /* what was told ends the computing */
    CU_ASSERT(said(&child, "OURO_STALL is a time such as 50ms"));
}

const struct test signals_tests[] = {
    TEST(test_sigint_and_sigterm_cancel_the_main_task),
    TEST(test_signal_wakes_a_sleeping_loop),
    TEST(test_signal_that_was_inherited_as_ignored_cancels_too),
    TEST(test_signal_that_was_inherited_as_blocked_cancels_too),
    TEST(test_signal_at_the_end_of_the_main_task_holds_up_nothing),
    TEST(test_signal_told_twice_does_not_end_a_program_that_ends_at_once),
    TEST(test_next_loop_has_its_own_first_signal),
    TEST(test_second_signal_ends_the_process_unless_it_is_the_first_told_twice),
    TEST(test_keep_signals_leaves_them_alone),
    TEST(test_sigpipe_is_ignored_unless_it_is_kept),
    TEST(test_dispositions_are_restored),
    TEST(test_dispositions_are_restored_by_the_last_of_overlapping_loops),
    TEST(test_sigpipe_is_ignored_while_any_of_several_loops_lives),
    TEST(test_handler_never_writes_to_a_closed_eventfd),
    TEST(test_child_of_a_fork_has_its_own_signals),
    TEST(test_sigusr1_lists_the_tasks_when_that_was_asked_for),
    TEST(test_sigusr1_is_for_all_shards),
    TEST(test_signals_are_obeyed_when_the_first_shard_has_nothing_left_to_do),
    TEST(test_task_that_stalls_is_named_when_that_was_asked_for),
    TEST(test_stall_limit_that_makes_no_sense_is_told),
    TEST_END};
