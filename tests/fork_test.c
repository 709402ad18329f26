/* SPDX-License-Identifier: MIT */
/*
 * fork_test.c - what the child of a fork may do, wherever its parent's loops are
 *
 * The rule (ouro_loop.h): it may exec, or run a loop afresh; the parent's is CHECKed. Every test
 * also looks whether the parent's loops go on.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "loop.h"
#include "sanitizer.h"

/* TSan lets children of a process with threads, or tasks, start none, and keeps their signals. */
#ifdef OURO_TSAN
static const bool is_tsan = true;
#else
static const bool is_tsan = false;
#endif

static bool has_kernel_ring(void)
{
    if (test_kernel_ring())
        return true;
    TEST_SKIP("threads need the kernel's ring");
    return false;
}

/* --- what children do ------------------------------------------------------------------------ */

static int use_sockets_and_timers(void *arg)
{
    int fds[2];
    char byte = 0;

    (void) arg;
    make_pair(fds);
    if (ouro_send(fds[0], "x", 1, 0) != 1 || ouro_recv(fds[1], &byte, 1, 0) != 1 ||
        ouro_sleep(OURO_MILLISECOND))
        return 1;
    close_pair(fds);
    return byte == 'x' ? 33 : 1;
}

static int run_afresh(void *arg)
{
    (void) arg;
    return run_with(test_kernel_ring(), 0, use_sockets_and_timers, NULL);
}

static int count_shard(void *arg)
{
    atomic_fetch_add((atomic_uint *) arg, 1);
    return use_sockets_and_timers(NULL) == 33 ? 34 : -1;
}

static int run_shards_afresh(void *arg)
{
    struct ouro_run_options options = {.ring = test_kernel_ring(), .shards = 3};
    atomic_uint count = 0;

    (void) arg;
    return ouro_run(count_shard, &count, &options) == 34 && atomic_load(&count) == 3 ? 34 : 1;
}

static int execute(void *arg)
{
    (void) arg;
    (void) execl("/bin/sh", "sh", "-c", "exit 35", (char *) NULL);
    return 1;
}

static int yield(void *arg)
{
    (void) arg;
    return ouro_yield();
}

static int be_refused_a_join(void *arg)
{
    return ouro_join(*(ouro_task_id *) arg, NULL);
}

static int stop(void *arg)
{
    (void) arg;
    ouro_stop();
    return 1;
}

/* SIGTERM has the effect that it had before the parent's loops. */
static int die_of_a_signal(void *arg)
{
    (void) arg;
    (void) raise(SIGTERM);
    return 1;
}

static int stop_by_a_signal_of_its_own(void *arg)
{
    (void) arg;
    (void) kill(getpid(), SIGTERM);
    return ouro_sleep(OURO_FOREVER) == -ECANCELED ? 36 : 1;
}

static int run_and_be_stopped(void *arg)
{
    (void) arg;
    return run_with(test_kernel_ring(), 0, stop_by_a_signal_of_its_own, NULL);
}

static bool is_refused(int (*fn)(void *arg), void *arg, const char *meaning)
{
    struct child child = run_in_child(fn, arg);

    return was_killed_by(&child, SIGABRT) && said(&child, meaning);
}

static bool ends_with(int (*fn)(void *arg), int status)
{
    struct child child = run_in_child(fn, NULL);

    if (exited_with(&child, status))
        return true;
    printf("    the child's status is 0x%x; it said: %s\n", (unsigned) child.status, child.text);
    return false;
}

static void bear_all_children(void)
{
    struct child victim = run_in_child(die_of_a_signal, NULL);

    CU_ASSERT(was_killed_by(&victim, SIGTERM));
    CU_ASSERT(ends_with(execute, 35));
    CU_ASSERT(ends_with(run_afresh, 33));
    CU_ASSERT(is_refused(yield, NULL, "ouro_yield() needs a task"));
    CU_ASSERT(is_refused(stop, NULL, "ouro_stop() needs a loop"));
    if (is_tsan)
        return;
    CU_ASSERT(ends_with(run_shards_afresh, 34));
    CU_ASSERT(ends_with(run_and_be_stopped, 36));
}

/* --- in a loop that is alone ------------------------------------------------------------------ */

static int tick(void *arg)
{
    int *ticks = arg;

    while (!ouro_sleep(OURO_MILLISECOND))
        ++*ticks;
    return 7;
}

static int bear_children_in_a_task(void *arg)
{
    int ticks = 0, ticks_before, result = 0;
    ouro_task_id id = ouro_spawn(tick, &ticks);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    bear_all_children();
    CU_ASSERT(is_refused(be_refused_a_join, &id, "ouro_join() needs a task"));
    ticks_before = ticks;
    CU_ASSERT_EQUAL(ouro_sleep(20 * OURO_MILLISECOND), 0);
    CU_ASSERT(ticks > ticks_before);
    CU_ASSERT_EQUAL(use_sockets_and_timers(NULL), 33);
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, 7);
    return 0;
}

static void test_children_of_a_task(void)
{
    if (has_kernel_ring())
        run_on_each_ring(bear_children_in_a_task, NULL);
}

static void test_children_of_a_process_whose_loop_has_ended(void)
{
    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(run_afresh(NULL), 33);
    bear_all_children();
    CU_ASSERT_EQUAL(run_afresh(NULL), 33);
}

static int turn_again(void *arg)
{
    return ouro_loop_turn(arg, 0);
}

static int ask_for_next(void *arg)
{
    return (int) ouro_loop_next(arg);
}

static int destroy(void *arg)
{
    return ouro_loop_destroy(arg);
}

static void test_children_between_the_turns_of_a_loop(void)
{
    const struct ouro_run_options options = {.ring = test_kernel_ring(), .keep_signals = true};
    struct ouro_loop *loop = NULL;

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(ouro_loop_create(use_sockets_and_timers, NULL, &options, &loop), 0);
    CU_ASSERT_EQUAL(ouro_loop_turn(loop, 0), 1);
    bear_all_children();
    CU_ASSERT(is_refused(turn_again, loop, "a loop is turned by the thread that made it"));
    CU_ASSERT(is_refused(ask_for_next, loop, "or a parent's"));
    CU_ASSERT(is_refused(destroy, loop, "a loop is destroyed by the thread that made it"));
    while (ouro_loop_turn(loop, OURO_FOREVER))
        continue;
    CU_ASSERT_EQUAL(ouro_loop_destroy(loop), 33);
}

/* --- in one of several loops -------------------------------------------------------------------- */

#define SHARDS 3

struct ball {
    struct ouro_message message;
    atomic_uint passes;
};

static struct ball ball;

static void pass_on(struct ouro_message *message)
{
    unsigned next = (ouro_shard_index() + 1) % SHARDS;

    atomic_fetch_add(&ball.passes, 1);
    (void) ouro_post(ouro_shard_inbox(next), message); /* until that one has ended */
}

/* Meanwhile a message goes round, so that the other threads are busy when the fork happens. */
static int bear_children_in_shard_1(void *arg)
{
    unsigned passes_before;

    (void) arg;
    if (ouro_shard_index() == 0) {
        ball.message.deliver = pass_on;
        CU_ASSERT_EQUAL(ouro_post(ouro_shard_inbox(1), &ball.message), 0);
    }
    if (ouro_shard_index() != 1)
        return ouro_sleep(OURO_FOREVER) == -ECANCELED ? 0 : -1;
    bear_all_children();
    passes_before = atomic_load(&ball.passes);
    while (atomic_load(&ball.passes) < passes_before + 2 * SHARDS)
        CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    CU_ASSERT_EQUAL(use_sockets_and_timers(NULL), 33);
    ouro_stop();
    return 0;
}

static void test_children_of_a_shard(void)
{
    struct ouro_run_options options = {.ring = test_kernel_ring(), .shards = SHARDS};

    if (!has_kernel_ring())
        return;
    atomic_store(&ball.passes, 0);
    CU_ASSERT_EQUAL(ouro_run(bear_children_in_shard_1, NULL, &options), 0);
}

static void *bear_children_in_a_thread(void *inbox_and_message)
{
    void **pair = inbox_and_message;

    bear_all_children();
    (void) ouro_post(pair[0], pair[1]);
    return NULL;
}

static struct ouro_future children_are_done;

static void note_end(struct ouro_message *message)
{
    (void) message;
    CU_ASSERT_EQUAL(ouro_future_set(&children_are_done, NULL), 0);
}

static int wait_for_a_thread(void *arg)
{
    struct ouro_message message = {.deliver = note_end};
    void *pair[] = {ouro_inbox_ref(), &message};
    pthread_t thread;

    (void) arg;
    ouro_future_init(&children_are_done);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, bear_children_in_a_thread, pair), 0);
    CU_ASSERT_EQUAL(ouro_future_wait(&children_are_done, NULL), 0);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    ouro_inbox_unref(pair[0]);
    return 0;
}

static void test_children_of_a_thread_without_a_loop_beside_one_with(void)
{
    if (has_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, wait_for_a_thread, NULL), 0);
}

/* --- descriptors ---------------------------------------------------------------------------------- */

/* Of this process, without the one that looks: a bit for each below 64. */
static uint64_t open_descriptors(bool that_survive_exec)
{
    uint64_t found = 0;

    for (int fd = 0; fd < 64; fd++) {
        int flags = fcntl(fd, F_GETFD);

        if (flags >= 0 && !(that_survive_exec && flags & FD_CLOEXEC))
            found |= UINT64_C(1) << fd;
    }
    return found;
}

static int look_at_descriptors(void *arg)
{
    uint64_t *before = arg;
    int fds[2];

    make_pair(fds);
    CU_ASSERT(open_descriptors(/* that_survive_exec= */ false) != before[0]);
    CU_ASSERT_EQUAL(open_descriptors(/* that_survive_exec= */ true), before[1]);
    close_pair(fds);
    return 0;
}

static void test_no_descriptor_of_a_loop_survives_exec(void)
{
    uint64_t before[] = {open_descriptors(false), open_descriptors(true)};

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, look_at_descriptors, before), 0);
    CU_ASSERT_EQUAL(open_descriptors(false), before[0]);
}

const struct test fork_tests[] = {TEST(test_children_of_a_task),
                                  TEST(test_children_of_a_process_whose_loop_has_ended),
                                  TEST(test_children_between_the_turns_of_a_loop),
                                  TEST(test_children_of_a_shard),
                                  TEST(test_children_of_a_thread_without_a_loop_beside_one_with),
                                  TEST(test_no_descriptor_of_a_loop_survives_exec),
                                  TEST_END};
