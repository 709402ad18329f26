/* SPDX-License-Identifier: MIT */
/* shard_test.c - tests of engine/shard.c: several loops in one process */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "check.h"
#include "inbox.h"
#include "loop.h"

#define SHARDS 4

static bool has_kernel_ring(void)
{
    if (test_kernel_ring())
        return true;
    TEST_SKIP("threads need the kernel's ring");
    return false;
}

static int run_shards(unsigned count, ouro_task_fn *fn, void *arg)
{
    struct ouro_run_options options = {.ring = test_kernel_ring(), .shards = count};

    return ouro_run(fn, arg, &options);
}

/* --- each runs the function ---------------------------------------------------------------- */

struct roll_call {
    atomic_uint seen; /* a bit for each shard */
    atomic_uint count;
    pthread_t threads[SHARDS];
};

static int answer(void *arg)
{
    struct roll_call *roll_call = arg;
    unsigned index = ouro_shard_index();

    roll_call->threads[index] = pthread_self();
    atomic_fetch_or(&roll_call->seen, 1u << index);
    atomic_store(&roll_call->count, ouro_shard_count());
    return ouro_sleep(1) ? -1 : (int) index + 40;
}

static void test_each_shard_runs_the_function_on_a_thread_of_its_own(void)
{
    struct roll_call roll_call = {.seen = 0};

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(run_shards(SHARDS, answer, &roll_call), 40); /* shard 0's result */
    CU_ASSERT_EQUAL(atomic_load(&roll_call.seen), (1u << SHARDS) - 1);
    CU_ASSERT_EQUAL(atomic_load(&roll_call.count), SHARDS);
    CU_ASSERT(pthread_equal(roll_call.threads[0], pthread_self()));
    for (int i = 1; i < SHARDS; i++)
        CU_ASSERT(!pthread_equal(roll_call.threads[i], roll_call.threads[i - 1]));
}

static int be_alone(void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_shard_count(), 1);
    CU_ASSERT_EQUAL(ouro_shard_index(), 0);
    return 3;
}

/* Simulated sockets can't be reached from another ring. */
static void test_simulated_ring_is_always_alone(void)
{
    struct ouro_run_options options = {.ring = test_sim_ring(), .shards = SHARDS};

    CU_ASSERT_EQUAL(ouro_run(be_alone, NULL, &options), 3);
}

static int count_shards(void *arg)
{
    atomic_fetch_add((atomic_uint *) arg, 1);
    return 0;
}

static void test_one_shard_per_cpu(void)
{
    atomic_uint count = 0;
    cpu_set_t cpus;

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
    CU_ASSERT_EQUAL(run_shards(OURO_SHARD_PER_CPU, count_shards, &count), 0);
    CU_ASSERT_EQUAL(atomic_load(&count), (unsigned) CPU_COUNT(&cpus));
    CU_ASSERT_EQUAL(run_shards(100000, count_shards, &count), -EINVAL);
}

static int look_at_cpus(void *arg)
{
    cpu_set_t *cpus = arg;

    return pthread_getaffinity_np(pthread_self(), sizeof(*cpus), &cpus[ouro_shard_index()]);
}

static void test_pinned_shards_have_a_cpu_each_and_give_it_back(void)
{
    struct ouro_run_options options = {.ring = test_kernel_ring(), .shards = 2, .pin = true};
    cpu_set_t before, after, pinned[2];

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof(before), &before), 0);
    CU_ASSERT_EQUAL(ouro_run(look_at_cpus, pinned, &options), 0);
    CU_ASSERT_EQUAL(sched_getaffinity(0, sizeof(after), &after), 0);
    CU_ASSERT(CPU_EQUAL(&before, &after));
    CU_ASSERT_EQUAL(CPU_COUNT(&pinned[0]), 1);
    CU_ASSERT_EQUAL(CPU_COUNT(&pinned[1]), 1);
    if (CPU_COUNT(&before) > 1)
        CU_ASSERT(!CPU_EQUAL(&pinned[0], &pinned[1]));
}

/* --- stopping ------------------------------------------------------------------------------- */

static int fail_in_one(void *arg)
{
    int code;

    if (ouro_shard_index() == 2)
        return -EIO;
    code = ouro_sleep(OURO_FOREVER);
    if (code == -ECANCELED)
        atomic_fetch_add((atomic_uint *) arg, 1);
    return code;
}

static void test_first_error_stops_all_and_is_the_result(void)
{
    atomic_uint stopped = 0;

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(run_shards(SHARDS, fail_in_one, &stopped), -EIO);
    CU_ASSERT_EQUAL(atomic_load(&stopped), SHARDS - 1);
}

static int stop_from_one(void *arg)
{
    (void) arg;
    if (ouro_shard_index() == 1)
        ouro_stop();
    return ouro_sleep(OURO_FOREVER) == -ECANCELED ? 0 : -1;
}

static void test_any_shard_can_stop_all(void)
{
    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(run_shards(SHARDS, stop_from_one, NULL), 0);
}

static int raise_when_all_run(void *arg)
{
    atomic_uint *running = arg;

    if (atomic_fetch_add(running, 1) == SHARDS - 1)
        (void) kill(getpid(), SIGTERM);
    return ouro_sleep(OURO_FOREVER) == -ECANCELED ? 0 : -1;
}

static void test_signal_stops_all(void)
{
    atomic_uint running = 0;

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(run_shards(SHARDS, raise_when_all_run, &running), 0);
}

static int sleep_a_while(void *arg)
{
    (void) arg;
    return ouro_shard_index() == 0 ? 5 : ouro_sleep(20 * OURO_MILLISECOND);
}

static void test_shards_end_when_they_like(void)
{
    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(run_shards(SHARDS, sleep_a_while, NULL), 5);
}

/* In a child, whose limit of descriptors allows some loops but not all. */
static int run_short_of_descriptors(void *arg)
{
    const struct rlimit limit = {10, 10};
    atomic_uint count = 0;
    int code;

    (void) arg;
    (void) setrlimit(RLIMIT_NOFILE, &limit);
    code = run_shards(SHARDS, count_shards, &count);
    return code == -EMFILE && atomic_load(&count) == 0 ? 0 : 1;
}

static void test_none_runs_when_one_can_not_be_made(void)
{
    struct child child;

    if (!has_kernel_ring())
        return;
    child = run_in_child(run_short_of_descriptors, NULL);
    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT(said(&child, "descriptor"));
}

/* The first loop, which could be made, obeys the signal before its main task looks around. */
static int run_short_of_descriptors_with(void *number)
{
    sigset_t blocked;

    (void) sigemptyset(&blocked);
    (void) sigaddset(&blocked, *(int *) number);
    (void) sigprocmask(SIG_BLOCK, &blocked, NULL);
    (void) raise(*(int *) number);
    return run_short_of_descriptors(NULL);
}

static void test_signal_is_harmless_when_one_can_not_be_made(void)
{
    struct child child;
    int number = SIGTERM;

    if (!has_kernel_ring())
        return;
    child = run_in_child(run_short_of_descriptors_with, &number);
    CU_ASSERT(exited_with(&child, 0));
}

/* --- talking to each other --------------------------------------------------------------------- */

#define ROUNDS 2000

struct ball {
    struct ouro_message message;
    int passes;
};

static void catch_ball(struct ouro_message *message)
{
    struct ball *ball = container_of(message, struct ball, message);
    unsigned side = ouro_shard_index();

    if (++ball->passes == 2 * ROUNDS) {
        ouro_stop();
        return;
    }
    CU_ASSERT_EQUAL(ouro_post(ouro_shard_inbox(1 - side), message), 0);
}

static int play(void *arg)
{
    struct ball *ball = arg;

    if (ouro_shard_index() == 0) {
        ball->message.deliver = catch_ball;
        CU_ASSERT_EQUAL(ouro_post(ouro_shard_inbox(1), &ball->message), 0);
    }
    return ouro_sleep(OURO_FOREVER) == -ECANCELED ? 0 : -1;
}

static void test_messages_go_to_and_fro(void)
{
    struct ball ball = {.passes = 0};

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(run_shards(2, play, &ball), 0);
    CU_ASSERT_EQUAL(ball.passes, 2 * ROUNDS);
}

static void stop_here(struct ouro_message *message)
{
    (void) message;
    ouro_stop();
}

static int wake_and_count(void *arg)
{
    struct ouro_message message = {.deliver = stop_here};
    struct ouro_counters before, after;

    (void) arg;
    if (ouro_shard_index() == 0) {
        while (!atomic_load(&ouro_shard_inbox(1)->is_sleeping))
            (void) sched_yield();
        CU_ASSERT_EQUAL(ouro_stats(&before), 0);
        CU_ASSERT_EQUAL(ouro_post(ouro_shard_inbox(1), &message), 0);
        CU_ASSERT_EQUAL(ouro_stats(&after), 0);
        CU_ASSERT_EQUAL(after.system_calls - before.system_calls, 1);
    }
    return ouro_sleep(OURO_FOREVER) == -ECANCELED ? 0 : -1;
}

static void test_waking_a_shard_is_a_system_call_of_who_wakes_it(void)
{
    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(run_shards(2, wake_and_count, NULL), 0);
}

#define CALLERS 200

struct hotline {
    struct ouro_address address;
    atomic_uint listening;
    atomic_uint answered[2];
};

static int call_all(struct hotline *hotline)
{
    for (int i = 0; i < CALLERS; i++) {
        int fd = connect_to(&hotline->address);
        char byte;

        CU_ASSERT_EQUAL(ouro_recv(fd, &byte, 1, 0), 1);
        CU_ASSERT_EQUAL(ouro_close(fd), 0);
    }
    ouro_stop();
    return 0;
}

static int answer_calls(void *arg)
{
    int *listener = arg;
    int fd;

    while ((fd = ouro_accept(*listener, NULL)) >= 0) {
        CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), 1);
        CU_ASSERT_EQUAL(ouro_close(fd), 0);
        atomic_fetch_add((atomic_uint *) (void *) (listener + 1), 1);
    }
    return fd;
}

static struct hotline hotline;

static int serve_calls(void *arg)
{
    struct {
        int listener;
        atomic_uint count;
    } desk;
    ouro_task_id id;
    int code = 0;

    (void) arg;
    if (ouro_shard_index() == 0)
        CU_ASSERT_EQUAL(ouro_address_parse("127.0.0.1:0", -1, &hotline.address), 0);
    while (ouro_shard_index() == 1 && atomic_load(&hotline.listening) == 0)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    atomic_init(&desk.count, 0);
    desk.listener = ouro_listen_shared(&hotline.address, 0);
    CU_ASSERT(desk.listener >= 0);
    CU_ASSERT_EQUAL(ouro_getsockname(desk.listener, &hotline.address), 0);
    atomic_fetch_add(&hotline.listening, 1);
    id = ouro_spawn(answer_calls, &desk);
    if (ouro_shard_index() == 0) {
        while (atomic_load(&hotline.listening) < 2)
            CU_ASSERT_EQUAL(ouro_yield(), 0);
        code = call_all(&hotline);
    } else {
        (void) ouro_sleep(OURO_FOREVER);
    }
    CU_ASSERT_EQUAL(ouro_cancel_join(id, NULL), 0);
    CU_ASSERT_EQUAL(ouro_close(desk.listener), 0);
    atomic_store(&hotline.answered[ouro_shard_index()], atomic_load(&desk.count));
    return code;
}

static void test_shared_listeners_share_the_connections(void)
{
    if (!has_kernel_ring())
        return;
    atomic_store(&hotline.listening, 0);
    CU_ASSERT_EQUAL(run_shards(2, serve_calls, NULL), 0);
    CU_ASSERT(atomic_load(&hotline.answered[0]) > 0);
    CU_ASSERT(atomic_load(&hotline.answered[1]) > 0);
    CU_ASSERT_EQUAL(atomic_load(&hotline.answered[0]) + atomic_load(&hotline.answered[1]), CALLERS);
}

static int listen_on_unix(void *arg)
{
    struct ouro_address address;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_address_parse("unix:@ouro-shared", -1, &address), 0);
    CU_ASSERT_EQUAL(ouro_listen_shared(&address, 0), -EOPNOTSUPP);
    return 0;
}

static void test_unix_sockets_can_not_be_shared(void)
{
    run_on_each_ring(listen_on_unix, NULL);
}

const struct test shard_tests[] = {TEST(test_each_shard_runs_the_function_on_a_thread_of_its_own),
                                   TEST(test_simulated_ring_is_always_alone),
                                   TEST(test_one_shard_per_cpu),
                                   TEST(test_pinned_shards_have_a_cpu_each_and_give_it_back),
                                   TEST(test_first_error_stops_all_and_is_the_result),
                                   TEST(test_any_shard_can_stop_all),
                                   TEST(test_signal_stops_all),
                                   TEST(test_shards_end_when_they_like),
                                   TEST(test_none_runs_when_one_can_not_be_made),
                                   TEST(test_signal_is_harmless_when_one_can_not_be_made),
                                   TEST(test_messages_go_to_and_fro),
                                   TEST(test_waking_a_shard_is_a_system_call_of_who_wakes_it),
                                   TEST(test_shared_listeners_share_the_connections),
                                   TEST(test_unix_sockets_can_not_be_shared),
                                   TEST_END};
