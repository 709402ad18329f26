/* SPDX-License-Identifier: MIT */
/*
 * offload_test.c - tests of engine/offload.c: jobs on other threads
 *
 * A job that is to last waits for a semaphore which a task posts: so the tests decide what runs
 * when, and nothing depends on time.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "loop.h"
#include "offload.h"
#include "sanitizer.h"

#define MS OURO_MILLISECOND

/* --- helpers ------------------------------------------------------------------------------- */

static bool has_kernel_ring(void)
{
    if (test_kernel_ring())
        return true;
    TEST_SKIP("no kernel ring");
    return false;
}

/* On the kernel's ring with at most `threads`; the next test finds the default again. */
static void run_with_threads(unsigned threads, ouro_task_fn *fn, void *arg)
{
    if (!has_kernel_ring())
        return;
    (void) unsetenv("OURO_OFFLOAD_THREADS");
    CU_ASSERT_EQUAL(ouro_offload_set_threads(threads), 0);
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, fn, arg), 0);
    CU_ASSERT_EQUAL(ouro_offload_set_threads(0), 0);
}

/*
 * The kernel's threads for a ring come and go as it likes: one that is gone when its name is read
 * was none of ours, or is joined.
 */
static bool is_ours(const char *thread)
{
    char path[300], name[32];
    FILE *file;
    bool has_name;

    (void) snprintf(path, sizeof(path), "/proc/self/task/%s/comm", thread);
    file = fopen(path, "re");
    if (!file)
        return false;
    has_name = fgets(name, sizeof(name), file);
    (void) fclose(file);
    return has_name && strncmp(name, "iou-", 4) != 0;
}

static unsigned count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    const struct dirent *entry;
    unsigned count = 0;

    while (dir && (entry = readdir(dir)))
        count += is_ours(entry->d_name);
    if (dir)
        (void) closedir(dir);
    return count;
}

/* A thread that was joined stays in /proc for a moment; one that was left stays for ever. */
static bool threads_come_down_to(unsigned count)
{
    int64_t deadline = ouro_now() + 2 * OURO_SECOND;

    while (count_threads() > count && ouro_now() < deadline)
        (void) sched_yield();
    return count_threads() == count;
}

/* A job that waits for its gate. */
struct gated {
    sem_t begun, gate;
    atomic_int runs;
};

static void gated_init(struct gated *gated)
{
    (void) sem_init(&gated->begun, 0, 0);
    (void) sem_init(&gated->gate, 0, 0);
    atomic_init(&gated->runs, 0);
}

static int pass_gate(void *arg)
{
    struct gated *gated = arg;

    (void) atomic_fetch_add(&gated->runs, 1);
    (void) sem_post(&gated->begun);
    while (sem_wait(&gated->gate))
        ;
    return 7;
}

static int offload_pass_gate(void *arg)
{
    int result = 0;
    int code = ouro_offload(pass_gate, arg, &result);

    return code ? code : result;
}

/* Until so many of the jobs have begun. */
static void await_begun(struct gated *gated, int count)
{
    while (count > 0) {
        if (!sem_trywait(&gated->begun))
            count--;
        else
            CU_ASSERT_EQUAL_FATAL(ouro_yield(), 0);
    }
}

static void open_gate(struct gated *gated, int count)
{
    while (count-- > 0)
        (void) sem_post(&gated->gate);
}

static int note_run(void *arg)
{
    (void) atomic_fetch_add((atomic_int *) arg, 1);
    return 0;
}

/* --- what a job is ------------------------------------------------------------------------- */

struct seen {
    pthread_t thread;
    ouro_task_id self;
    sigset_t mask;
};

static int look_around(void *arg)
{
    struct seen *seen = arg;

    seen->thread = pthread_self();
    seen->self = ouro_self();
    (void) pthread_sigmask(SIG_SETMASK, NULL, &seen->mask);
    return -4711;
}

static int offload_look(void *is_simulated)
{
    struct seen seen;
    int result = 0;

    memset(&seen, 0xff, sizeof(seen));
    CU_ASSERT_EQUAL(ouro_offload(look_around, &seen, &result), 0);
    CU_ASSERT_EQUAL(result, -4711);
    CU_ASSERT_EQUAL(seen.self, 0);
    CU_ASSERT_EQUAL(pthread_equal(seen.thread, pthread_self()) != 0, is_simulated != NULL);
    if (!is_simulated) {
        CU_ASSERT(sigismember(&seen.mask, SIGTERM) && sigismember(&seen.mask, SIGCHLD));
        CU_ASSERT(!sigismember(&seen.mask, SIGSEGV) && !sigismember(&seen.mask, SIGABRT));
    }
    CU_ASSERT_EQUAL(ouro_offload(look_around, &seen, NULL), 0);
    CU_ASSERT_EQUAL(ouro__offload_call(look_around, &seen), -4711);
    return 0;
}

static void test_job_runs_on_another_thread_without_signals(void)
{
    run_with_threads(0, offload_look, NULL);
}

static void test_simulated_job_runs_on_the_loops_thread_outside_of_tasks(void)
{
    static char yes[] = "yes";

    CU_ASSERT_EQUAL(run_sim(offload_look, yes), 0);
}

static int open_and_end(void *arg)
{
    struct gated *gated = arg;

    await_begun(gated, 1);
    open_gate(gated, 1);
    return 0;
}

static int block_and_be_freed(void *arg)
{
    struct gated gated;

    (void) arg;
    gated_init(&gated);
    CU_ASSERT(ouro_spawn(open_and_end, &gated) > 0);
    CU_ASSERT_EQUAL(offload_pass_gate(&gated), 7);
    return 0;
}

static void test_other_tasks_run_while_a_job_blocks(void)
{
    run_with_threads(0, block_and_be_freed, NULL);
}

/* --- many ---------------------------------------------------------------------------------- */

struct worker {
    atomic_int *sum;
    int rounds;
};

static int add_one(void *arg)
{
    (void) atomic_fetch_add((atomic_int *) arg, 1);
    return 1;
}

static int add_often(void *arg)
{
    const struct worker *worker = arg;
    int sum = 0;

    for (int i = 0; i < worker->rounds; i++)
        sum += ouro__offload_call(add_one, worker->sum);
    return sum == worker->rounds ? 0 : -EIO;
}

static int add_in_hundred_tasks(void *arg)
{
    atomic_int sum = 0;
    struct worker worker = {&sum, 10};
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, add_often, &worker), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(atomic_load(&sum), 1000);
    return 0;
}

static void test_thousand_jobs_of_hundred_tasks(void)
{
    run_on_each_ring(add_in_hundred_tasks, NULL);
}

struct numbered {
    int number;
    int *order;
    int *order_len;
};

static int note_number(void *arg)
{
    const struct numbered *self = arg;

    self->order[(*self->order_len)++] = self->number;
    return 0;
}

static int offload_number(void *arg)
{
    return ouro__offload_call(note_number, arg);
}

static int run_fifty_in_order(void *arg)
{
    struct numbered jobs[50];
    int order[50], order_len = 0;
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < 50; i++) {
        jobs[i] = (struct numbered) {i, order, &order_len};
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, offload_number, &jobs[i]), 0);
    }
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(order_len, 50);
    for (int i = 0; i < order_len; i++)
        CU_ASSERT_EQUAL(order[i], i);
    return 0;
}

static void test_jobs_begin_in_the_order_in_which_they_came(void)
{
    run_with_threads(1, run_fifty_in_order, NULL);
}

static int fill_three_threads(void *arg)
{
    struct gated gated;
    struct ouro_group group;

    (void) arg;
    gated_init(&gated);
    ouro_group_init_with(&group, OURO_GROUP_INDEPENDENT);
    for (int i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, offload_pass_gate, &gated), 0);
    await_begun(&gated, 3); /* three run at once ... */
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(atomic_load(&gated.runs), 3); /* ... and no fourth */
    open_gate(&gated, 1);
    await_begun(&gated, 1);
    CU_ASSERT_EQUAL(atomic_load(&gated.runs), 4);
    open_gate(&gated, 19);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(atomic_load(&gated.runs), 20);
    return 0;
}

static void test_as_many_jobs_run_at_once_as_there_may_be_threads(void)
{
    run_with_threads(3, fill_three_threads, NULL);
}

static int lower_the_limit(void *arg)
{
    struct gated gated;
    struct ouro_group group;

    (void) arg;
    gated_init(&gated);
    ouro_group_init(&group);
    for (int i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, offload_pass_gate, &gated), 0);
    await_begun(&gated, 4);
    CU_ASSERT_EQUAL(ouro_offload_set_threads(1), 0);
    open_gate(&gated, 4);
    await_begun(&gated, 1);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(atomic_load(&gated.runs), 5); /* one at a time now */
    open_gate(&gated, 4);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(atomic_load(&gated.runs), 8);
    return 0;
}

static void test_threads_that_are_too_many_end_after_their_job(void)
{
    CU_ASSERT_EQUAL(ouro_offload_set_threads(OURO_OFFLOAD_THREADS_MAX + 1), -EINVAL);
    run_with_threads(4, lower_the_limit, NULL);
}

/* Behind a job that lasts a second one has no thread to run on, unless there may be two. */
static int need_a_second_thread(void *arg)
{
    struct gated gated;
    struct ouro_timeout limit;
    atomic_int runs = 0;
    ouro_task_id first;
    int code;

    (void) arg;
    gated_init(&gated);
    first = ouro_spawn(offload_pass_gate, &gated);
    await_begun(&gated, 1);
    ouro_timeout_begin(&limit, 20 * MS);
    code = ouro_offload(note_run, &runs, NULL);
    (void) ouro_timeout_end(&limit);
    open_gate(&gated, 1);
    (void) ouro_join(first, NULL);
    return code == -ETIMEDOUT && atomic_load(&runs) == 0 ? 42 : 1;
}

static int run_with_environment(void *arg)
{
    (void) setenv("OURO_OFFLOAD_THREADS", arg, 1);
    (void) ouro_offload_set_threads(4);
    return run_with(test_kernel_ring(), 0, need_a_second_thread, NULL);
}

static void test_environment_says_how_many_threads(void)
{
    char one[] = "1", nonsense[] = "1x";
    struct child child;

    if (!has_kernel_ring())
        return;
    child = run_in_child(run_with_environment, one);
    CU_ASSERT(exited_with(&child, 42));
    child = run_in_child(run_with_environment, nonsense);
    CU_ASSERT(exited_with(&child, 1));
}

/* --- interruptions ------------------------------------------------------------------------- */

static int offload_note(void *arg)
{
    return ouro_offload(note_run, arg, NULL);
}

static int interrupt_queued(void *arg)
{
    struct gated gated;
    struct ouro_timeout limit;
    atomic_int runs = 0;
    ouro_task_id first, second;
    int result = 0;

    (void) arg;
    gated_init(&gated);
    first = ouro_spawn(offload_pass_gate, &gated);
    await_begun(&gated, 1);
    second = ouro_spawn(offload_note, &runs);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(second, &result), 0); /* while the first still runs */
    CU_ASSERT_EQUAL(result, -ECANCELED);
    ouro_timeout_begin(&limit, 1 * MS);
    CU_ASSERT_EQUAL(offload_note(&runs), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    second = ouro_spawn(offload_note, &runs); /* behind those taken back */
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    open_gate(&gated, 1);
    CU_ASSERT_EQUAL(ouro_join(second, &result), 0);
    CU_ASSERT_EQUAL(result, 0);
    CU_ASSERT_EQUAL(atomic_load(&runs), 1);
    CU_ASSERT_EQUAL(ouro_join(first, &result), 0);
    CU_ASSERT_EQUAL(result, 7);
    return 0;
}

static void test_interrupted_job_that_has_not_begun_never_runs(void)
{
    run_with_threads(1, interrupt_queued, NULL);
}

struct interrupted {
    struct gated gated;
    int code, result, next_code;
    bool has_ended;
};

static int be_interrupted(void *arg)
{
    struct interrupted *self = arg;

    self->code = ouro_offload(pass_gate, &self->gated, &self->result);
    self->next_code = ouro_offload(pass_gate, &self->gated, NULL);
    self->has_ended = true;
    return 0;
}

static int interrupt_running(void *arg)
{
    struct interrupted self = {.has_ended = false};
    ouro_task_id id;

    (void) arg;
    gated_init(&self.gated);
    id = ouro_spawn(be_interrupted, &self);
    await_begun(&self.gated, 1);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT(!self.has_ended);
    open_gate(&self.gated, 1);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(self.code, 0);
    CU_ASSERT_EQUAL(self.result, 7);
    CU_ASSERT_EQUAL(self.next_code, -ECANCELED);
    CU_ASSERT_EQUAL(atomic_load(&self.gated.runs), 1);
    return 0;
}

static void test_interrupted_job_that_runs_is_awaited_and_reported(void)
{
    run_with_threads(0, interrupt_running, NULL);
}

static int cancel_before_it_begins(void *arg)
{
    atomic_int runs = 0;
    ouro_task_id id = ouro_spawn(offload_note, &runs);
    int result = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0); /* before it first ran */
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(atomic_load(&runs), 0);
    return 0;
}

static void test_cancelled_task_begins_no_job(void)
{
    run_on_each_ring(cancel_before_it_begins, NULL);
}

static int cancel_posted(void *arg)
{
    atomic_int runs = 0;
    ouro_task_id id = ouro_spawn(offload_note, &runs);
    int result = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0); /* its job is posted now, and delivered in the next turn */
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(atomic_load(&runs), 0);
    return 0;
}

static void test_simulated_job_that_is_interrupted_never_runs(void)
{
    CU_ASSERT_EQUAL(run_sim(cancel_posted, NULL), 0);
}

/* --- the end of a loop --------------------------------------------------------------------- */

static int open_when_cancelled(void *arg)
{
    CU_ASSERT_EQUAL(ouro_sleep(OURO_FOREVER), -ECANCELED);
    open_gate(arg, 100);
    return 0;
}

static int end_with_jobs_queued(void *arg)
{
    struct gated *gated = arg;

    CU_ASSERT(ouro_spawn(open_when_cancelled, gated) > 0);
    for (int i = 0; i < 6; i++)
        CU_ASSERT(ouro_spawn(offload_pass_gate, gated) > 0);
    await_begun(gated, 1);
    return 0;
}

/*
 * A task of the loop's last message, cancelled as it is, cleans up under a shield. In a child: it
 * used to wait for ever for its job's end.
 */
static atomic_int late_runs;

static int clean_up_late(void *arg)
{
    struct ouro_shield shield;
    int code;

    (void) arg;
    ouro_shield_begin(&shield, OURO_FOREVER);
    code = ouro_offload(note_run, &late_runs, NULL);
    ouro_shield_end(&shield);
    atomic_fetch_add(&late_runs, code ? 100 : 10);
    return 0;
}

static void spawn_late(struct ouro_message *message)
{
    const struct ouro_spawn_options options = {.detached = true};

    (void) message;
    (void) ouro_spawn_with(clean_up_late, NULL, &options);
}

static int post_and_return(void *arg)
{
    struct ouro_inbox *inbox = ouro_inbox_ref();
    int code = ouro_post(inbox, arg);

    ouro_inbox_unref(inbox);
    return code;
}

static int run_late_job(void *ring)
{
    struct ouro_message message = {.deliver = spawn_late};
    unsigned before = count_threads();

    (void) alarm(5);
    if (run_with(ring, 0, post_and_return, &message) || atomic_load(&late_runs) != 11)
        return 1;
    return threads_come_down_to(before) ? 0 : 2;
}

static void test_task_of_the_last_message_may_offload(void)
{
    const char *const rings[] = {test_sim_ring(), test_kernel_ring()};

    for (size_t i = 0; i < COUNT_OF(rings) && rings[i]; i++) {
        struct child child = run_in_child(run_late_job, (void *) (uintptr_t) rings[i]);

        CU_ASSERT(exited_with(&child, 0));
    }
}

static void test_loop_that_ends_takes_back_its_jobs_and_leaves_no_thread(void)
{
    unsigned before = count_threads();
    struct gated gated;

    gated_init(&gated);
    run_with_threads(1, end_with_jobs_queued, &gated);
    if (!test_kernel_ring())
        return;
    CU_ASSERT_EQUAL(atomic_load(&gated.runs), 1);
    CU_ASSERT(threads_come_down_to(before));
}

static int use_and_let_idle(void *arg)
{
    unsigned before = *(unsigned *) arg;

    for (int i = 0; i < 3; i++) {
        struct gated gated;

        gated_init(&gated);
        open_gate(&gated, 1);
        CU_ASSERT_EQUAL(offload_pass_gate(&gated), 7);
        CU_ASSERT(threads_come_down_to(before));
    }
    return 0;
}

static void test_idle_threads_end_and_others_come(void)
{
    unsigned before = count_threads();

    ouro__offload_set_idle_time(1 * MS);
    run_with_threads(0, use_and_let_idle, &before);
    ouro__offload_set_idle_time(10 * OURO_SECOND);
}

static int stay_for_ever(void *arg)
{
    struct ouro_event never = OURO_EVENT_INIT;

    (void) arg;
    CU_ASSERT_EQUAL(add_in_hundred_tasks(NULL), 0);
    return ouro_event_wait(&never);
}

static int run_into_deadlock(void *arg)
{
    (void) arg;
    return run_with(test_kernel_ring(), 0, stay_for_ever, NULL) == OURO_EDEADLOCK ? 42 : 1;
}

static void test_loop_whose_jobs_have_ended_can_be_deadlocked(void)
{
    if (has_kernel_ring()) {
        struct child child = run_in_child(run_into_deadlock, NULL);

        CU_ASSERT(exited_with(&child, 42));
        CU_ASSERT(said(&child, "deadlock"));
    }
}

/* --- several loops ------------------------------------------------------------------------- */

static void *run_adders(void *unused)
{
    (void) unused;
    for (int i = 0; i < 5; i++)
        if (run_with(test_kernel_ring(), 0, add_in_hundred_tasks, NULL))
            return NULL;
    return run_adders;
}

static void test_loops_of_several_threads_share_the_pool(void)
{
    unsigned before = count_threads();
    pthread_t threads[3];

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(ouro_offload_set_threads(2), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, run_adders, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *result = NULL;

        CU_ASSERT_EQUAL(pthread_join(threads[i], &result), 0);
        CU_ASSERT_PTR_NOT_NULL(result);
    }
    CU_ASSERT_EQUAL(ouro_offload_set_threads(0), 0);
    CU_ASSERT(threads_come_down_to(before));
}

/* --- forks --------------------------------------------------------------------------------- */

static int add_afresh(void *arg)
{
    (void) arg;
    return run_with(test_kernel_ring(), 0, add_in_hundred_tasks, NULL) ? 1 : 42;
}

static int fork_with_jobs(void *arg)
{
    struct gated gated;
    struct child child;
    ouro_task_id ids[3];

    (void) arg;
    gated_init(&gated);
    for (int i = 0; i < 3; i++)
        ids[i] = ouro_spawn(offload_pass_gate, &gated);
    await_begun(&gated, 2); /* two run, one is queued */
    child = run_in_child(add_afresh, NULL);
    CU_ASSERT(exited_with(&child, 42));
    open_gate(&gated, 3);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_join(ids[i], NULL), 0);
    CU_ASSERT_EQUAL(atomic_load(&gated.runs), 3);
    return 0;
}

#ifdef OURO_TSAN
#define CHILDREN_HAVE_THREADS false
#else
#define CHILDREN_HAVE_THREADS true
#endif

static void test_child_of_a_fork_has_a_pool_of_its_own(void)
{
    if (CHILDREN_HAVE_THREADS)
        run_with_threads(2, fork_with_jobs, NULL);
    else
        TEST_SKIP("ThreadSanitizer allows no thread in the child of a fork");
}

static int fork_and_return(void *status)
{
    pid_t pid = fork();

    if (pid > 0)
        (void) waitpid(pid, status, 0);
    return 0;
}

static int offload_fork(void *arg)
{
    int status = 0;

    (void) arg;
    (void) ouro_offload(fork_and_return, &status, NULL);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? 42 : 1;
}

static int run_offload_fork(void *arg)
{
    (void) arg;
    return run_with(test_kernel_ring(), 0, offload_fork, NULL);
}

static void test_return_of_a_job_in_the_child_of_a_fork_is_checked(void)
{
    if (has_kernel_ring()) {
        struct child child = run_in_child(run_offload_fork, NULL);

        CU_ASSERT(exited_with(&child, 42));
        CU_ASSERT(said(&child, "it must exec or _exit()"));
    }
}

const struct test offload_tests[] = {
    TEST(test_job_runs_on_another_thread_without_signals),
    TEST(test_simulated_job_runs_on_the_loops_thread_outside_of_tasks),
    TEST(test_other_tasks_run_while_a_job_blocks),
    TEST(test_thousand_jobs_of_hundred_tasks),
    TEST(test_jobs_begin_in_the_order_in_which_they_came),
    TEST(test_as_many_jobs_run_at_once_as_there_may_be_threads),
    TEST(test_threads_that_are_too_many_end_after_their_job),
    TEST(test_environment_says_how_many_threads),
    TEST(test_interrupted_job_that_has_not_begun_never_runs),
    TEST(test_interrupted_job_that_runs_is_awaited_and_reported),
    TEST(test_cancelled_task_begins_no_job),
    TEST(test_simulated_job_that_is_interrupted_never_runs),
    TEST(test_task_of_the_last_message_may_offload),
    TEST(test_loop_that_ends_takes_back_its_jobs_and_leaves_no_thread),
    TEST(test_idle_threads_end_and_others_come),
    TEST(test_loop_whose_jobs_have_ended_can_be_deadlocked),
    TEST(test_loops_of_several_threads_share_the_pool),
    TEST(test_child_of_a_fork_has_a_pool_of_its_own),
    TEST(test_return_of_a_job_in_the_child_of_a_fork_is_checked),
    TEST_END,
};
