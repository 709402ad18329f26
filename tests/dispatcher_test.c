/* SPDX-License-Identifier: MIT */
/*
 * dispatcher_test.c - tests of engine/dispatcher.c: the loop
 *
 * Fairness, what a turn costs, memory after a peak; that a run on the simulated ring is a
 * function of its seed, and a thousand seeds of a workload that mixes everything.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "dispatcher.h"
#include "loop.h"

#define MS OURO_MILLISECOND

/* --- fairness ------------------------------------------------------------------------------ */

static int yield_until(void *arg)
{
    const bool *is_over = arg;

    while (!*is_over)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    return 0;
}

static int use_timer_and_socket(void *arg)
{
    struct ouro_group group;
    bool is_over = false;
    int fds[2];
    char byte;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, yield_until, &is_over), 0);
    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_send(fds[1], "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_recv(fds[0], &byte, 1, 0), 1);
    if (!ouro__dispatcher->ring.simulated) /* whose clock stands still as long as a task runs */
        CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    is_over = true;
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    close_pair(fds);
    return 0;
}

static void test_tasks_that_yield_for_ever_starve_neither_ring_nor_timers(void)
{
    run_on_each_ring(use_timer_and_socket, NULL);
}

static int count_turns(void *arg)
{
    struct ouro_counters before, after;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(after.wakeups - before.wakeups, 1000);
    CU_ASSERT(after.turns - before.turns >= 1000 / 64); /* deadlines are looked at */
    CU_ASSERT(after.turns - before.turns <= 1000);
    CU_ASSERT(after.system_calls - before.system_calls <= 1);
    return 0;
}

static void test_turn_has_few_rounds_and_needs_no_system_call(void)
{
    run_on_each_ring(count_turns, NULL);
}

/* --- what a turn costs --------------------------------------------------------------------- */

static int close_nothing(void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_close(-1), -EBADF);
    return 0;
}

static int submit_together(void *arg)
{
    struct ouro_counters before, after;
    struct ouro_group group;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_close(-1), -EBADF);
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    ouro_group_init(&group);
    for (int i = 0; i < 200; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, close_nothing, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(after.sqes - before.sqes, 200);
    CU_ASSERT_EQUAL(after.cqes - before.cqes, 200);
    CU_ASSERT(after.system_calls - before.system_calls <= (arg ? 3 : 40));
    return 0;
}

static void test_operations_of_one_round_are_submitted_by_one_system_call(void)
{
    static char is_kernel;

    CU_ASSERT_EQUAL(run_sim(submit_together, NULL), 0);
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, submit_together, &is_kernel), 0);
}

/* --- memory after a peak ------------------------------------------------------------------- */

static int sleep_shortly(void *arg)
{
    (void) arg;
    return ouro_sleep(MS);
}

static int have_peak(void *arg)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_16K};
    struct ouro_counters peak, after, idle;
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < 5000; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, sleep_shortly, NULL, &options), 0);
    CU_ASSERT_EQUAL(ouro_stats(&peak), 0);
    CU_ASSERT(peak.stack_bytes >= 5000 * (UINT64_C(16) << 10));
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_sleep(10 * OURO_SECOND), 0);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT(after.stack_bytes < peak.stack_bytes / 2); /* a few of each size stay warm */
    CU_ASSERT_EQUAL(ouro_sleep(3600 * OURO_SECOND), 0);
    CU_ASSERT_EQUAL(ouro_stats(&idle), 0);
    CU_ASSERT(idle.turns - after.turns <= 8); /* nothing keeps an idle loop awake */
    return 0;
}

static void test_memory_of_a_peak_is_given_back_and_then_the_loop_sleeps(void)
{
    CU_ASSERT_EQUAL(run_sim(have_peak, NULL), 0);
}

/* --- counters ------------------------------------------------------------------------------ */

static int look_at_counters(void *arg)
{
    struct ouro_counters counters;
    ouro_task_id id = ouro_spawn(sleep_shortly, NULL);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_stats(&counters), 0);
    CU_ASSERT_EQUAL(counters.tasks_spawned, 2);
    CU_ASSERT_EQUAL(counters.tasks_live, 2);
    CU_ASSERT_EQUAL(counters.wakeups, 1);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(ouro_close(-1), -EBADF);
    CU_ASSERT_EQUAL(ouro_stats(&counters), 0);
    CU_ASSERT_EQUAL(counters.tasks_live, 1);
    CU_ASSERT_EQUAL(counters.tasks_peak, 2);
    CU_ASSERT_EQUAL(counters.sqes, 1);
    CU_ASSERT_EQUAL(counters.cqes, 1);
    CU_ASSERT(counters.system_calls > 0);
    CU_ASSERT(counters.task_bytes > 0 && counters.task_bytes < 1024);
    return 0;
}

static void test_counters_count(void)
{
    struct ouro_counters counters;

    CU_ASSERT_EQUAL(run_sim(look_at_counters, NULL), 0);
    CU_ASSERT_EQUAL(ouro_stats(&counters), -EINVAL);
}

/* --- a workload that mixes everything ------------------------------------------------------ */

#define STREAM_BYTES 3000
#define CLIENTS      6

/* Decisions of the program, not of the ring: they must not depend on anything but the seed. */
struct chance {
    uint64_t state;
};

static unsigned below(struct chance *chance, unsigned bound)
{
    chance->state = chance->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned) (chance->state >> 33) % bound;
}

struct mix {
    struct chance chance;
    struct ouro_address address;
    int listener;
    int unexpected;  /* results that no documentation knows of */
    int echoed;      /* clients that got back all that they sent */
    int interrupted; /* those that were cancelled or timed out on the way */
    uint64_t hash;   /* of the trace, when it was over */
};

static bool is_interruption(int64_t code)
{
    return code == -ECANCELED || code == -ETIMEDOUT;
}

static unsigned char byte_at(size_t offset)
{
    return (unsigned char) (offset * 7 + offset / 253);
}

static int serve(void *arg)
{
    int fd = *(int *) arg;
    char buf[512];
    ssize_t got;

    while ((got = ouro_recv(fd, buf, sizeof(buf), 0)) > 0)
        if (ouro_send_all(fd, buf, (size_t) got, NULL))
            break;
    return ouro_close(fd);
}

static int accept_for_ever(void *arg)
{
    struct mix *mix = arg;
    struct ouro_spawn_options options = {.arg_bytes = sizeof(int), .stack = OURO_STACK_64K};
    struct ouro_group group;
    int fd;

    ouro_group_init_with(&group, OURO_GROUP_INDEPENDENT);
    while ((fd = ouro_accept(mix->listener, NULL)) >= 0)
        mix->unexpected += ouro_group_spawn_with(&group, serve, &fd, &options) != 0;
    mix->unexpected += !is_interruption(fd);
    mix->unexpected += ouro_group_wait(&group) != 0;
    return ouro_close(mix->listener);
}

static int send_stream(void *arg)
{
    int fd = *(int *) arg;
    unsigned char bytes[STREAM_BYTES];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = byte_at(i);
    return ouro_send_all(fd, bytes, sizeof(bytes), NULL);
}

/* How many bytes came back; wrong ones count as an unexpected result. */
static size_t receive_stream(struct mix *mix, int fd)
{
    unsigned char buf[256];
    size_t received = 0;
    ssize_t got;

    while (received < STREAM_BYTES && (got = ouro_recv(fd, buf, sizeof(buf), 0)) > 0)
        for (ssize_t i = 0; i < got; i++)
            mix->unexpected += buf[i] != byte_at(received++);
    return received;
}

static int be_client(void *arg)
{
    struct mix *mix = arg;
    int fd = ouro_socket(AF_INET, SOCK_STREAM, 0);
    struct ouro_timeout limit;
    ouro_task_id sender;
    size_t received = 0;
    int code, expired;

    ouro_timeout_begin(&limit, below(&mix->chance, 3) ? OURO_FOREVER : below(&mix->chance, 3) * MS);
    code = ouro_connect(fd, &mix->address.sockaddr, mix->address.len);
    if (!code) {
        sender = ouro_spawn(send_stream, &fd);
        if (below(&mix->chance, 2))
            code = ouro_sleep(below(&mix->chance, 4) * MS);
        received = receive_stream(mix, fd);
        mix->unexpected += ouro_cancel_join(sender, NULL) != 0;
    }
    expired = ouro_timeout_end(&limit);
    if (received == STREAM_BYTES)
        mix->echoed++;
    else if (expired || ouro_yield() == -ECANCELED)
        mix->interrupted++;
    else
        mix->unexpected++;
    mix->unexpected += code && !is_interruption(code);
    mix->unexpected += ouro_close(fd) != 0;
    return 0;
}

static int run_mix(void *arg)
{
    struct mix *mix = arg;
    ouro_task_id server, clients[CLIENTS];

    mix->listener = listen_locally(&mix->address);
    server = ouro_spawn(accept_for_ever, mix);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = ouro_spawn(be_client, mix);
    for (unsigned i = below(&mix->chance, 10); i > 0; i--)
        mix->unexpected += below(&mix->chance, 3) ? ouro_yield() : ouro_sleep(MS);
    (void) ouro_cancel(clients[below(&mix->chance, CLIENTS)]);
    for (int i = 0; i < CLIENTS; i++)
        mix->unexpected += ouro_join(clients[i], NULL) != 0;
    mix->unexpected += ouro_cancel_join(server, NULL) != 0;
    if (ouro__dispatcher->ring.simulated)
        mix->hash = ouro__ring_sim_trace_hash(&ouro__dispatcher->ring);
    return 0;
}

/* Runs it with a seed for both the ring and the program. */
static int run_mix_with(unsigned seed, struct mix *ret_mix)
{
    char ring[64];

    (void) snprintf(ring, sizeof(ring), "sim:seed=%u,short=%u", seed, seed % 3 * 30);
    *ret_mix = (struct mix) {.chance = {seed}};
    return run_with(ring, 8, run_mix, ret_mix);
}

#ifdef OURO_NO_URING
#define SEEDS 50
#else
#define SEEDS 1000
#endif

/*
 * An echo server and six clients, some with a time limit, one cancelled at some moment, with
 * short transfers and a submission queue of eight: each gets its bytes back or was interrupted.
 */
static void test_thousand_seeds_of_a_mixed_workload(void)
{
    int echoed = 0, interrupted = 0;

    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct mix mix;
        int code = run_mix_with(seed, &mix);

        if (code || mix.unexpected || mix.echoed + mix.interrupted != CLIENTS)
            printf("    seed %u: code %d, %d echoed, %d interrupted, %d unexpected\n", seed, code,
                   mix.echoed, mix.interrupted, mix.unexpected);
        CU_ASSERT_EQUAL(code, 0);
        CU_ASSERT_EQUAL(mix.unexpected, 0);
        CU_ASSERT_EQUAL(mix.echoed + mix.interrupted, CLIENTS);
        echoed += mix.echoed;
        interrupted += mix.interrupted;
    }
    CU_ASSERT(echoed > SEEDS);
    CU_ASSERT(interrupted > SEEDS / 2);
}

static void test_run_is_a_function_of_its_seed(void)
{
    struct mix first, second;
    int different = 0;

    for (unsigned seed = 1; seed <= 20; seed++) {
        CU_ASSERT_EQUAL(run_mix_with(seed, &first), 0);
        CU_ASSERT_EQUAL(run_mix_with(seed, &second), 0);
        CU_ASSERT_EQUAL(first.hash, second.hash);
        CU_ASSERT_EQUAL(first.echoed, second.echoed);
        CU_ASSERT_EQUAL(first.chance.state, second.chance.state);
        CU_ASSERT_EQUAL(run_mix_with(seed + 1000, &second), 0);
        different += first.hash != second.hash;
    }
    CU_ASSERT_EQUAL(different, 20);
}

/* The ring's seed alone, too, changes what happens. */
static void test_ring_seeds_give_different_orders(void)
{
    struct mix first = {.chance = {1}}, second = {.chance = {1}};

    CU_ASSERT_EQUAL(run_with("sim:seed=1", 8, run_mix, &first), 0);
    CU_ASSERT_EQUAL(run_with("sim:seed=2", 8, run_mix, &second), 0);
    CU_ASSERT_NOT_EQUAL(first.hash, second.hash);
}

static size_t read_file(const char *path, char *text, size_t text_bytes)
{
    FILE *file = fopen(path, "re");
    size_t len = 0;

    if (file) {
        len = fread(text, 1, text_bytes, file);
        (void) fclose(file);
    }
    return len;
}

static void test_trace_of_a_seed_is_the_same_to_the_byte(void)
{
    static char texts[2][1 << 18];
    size_t lens[2];

    for (int i = 0; i < 2; i++) {
        char path[] = "/tmp/ouro-trace-XXXXXX";
        struct mix mix = {.chance = {7}};
        char ring[64];
        int fd = mkstemp(path);

        CU_ASSERT(fd >= 0);
        (void) snprintf(ring, sizeof(ring), "sim:seed=7,short=50,trace=%s", path);
        CU_ASSERT_EQUAL(run_with(ring, 8, run_mix, &mix), 0);
        lens[i] = read_file(path, texts[i], sizeof(texts[i]));
        (void) close(fd);
        (void) unlink(path);
    }
    CU_ASSERT(lens[0] > 1000);
    CU_ASSERT_EQUAL(lens[0], lens[1]);
    CU_ASSERT_EQUAL(memcmp(texts[0], texts[1], lens[0]), 0);
}

/* The same on the kernel's ring, where only the sums can be known. */
static void test_mixed_workload_on_the_kernels_ring(void)
{
    struct mix mix = {.chance = {1}};

    if (!test_kernel_ring()) {
        TEST_SKIP("no kernel ring");
        return;
    }
    for (unsigned seed = 1; seed <= 20; seed++) {
        mix = (struct mix) {.chance = {seed}};
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 8, run_mix, &mix), 0);
        CU_ASSERT_EQUAL(mix.unexpected, 0);
        CU_ASSERT_EQUAL(mix.echoed + mix.interrupted, CLIENTS);
    }
}

/* --- errors of the network ----------------------------------------------------------------- */

static int be_unlucky_client(void *arg)
{
    struct mix *mix = arg;
    int fd = ouro_socket(AF_INET, SOCK_STREAM, 0);

    if (!ouro_connect(fd, &mix->address.sockaddr, mix->address.len)) {
        ouro_task_id sender = ouro_spawn(send_stream, &fd);

        mix->echoed += receive_stream(mix, fd) == STREAM_BYTES;
        mix->unexpected += ouro_cancel_join(sender, NULL) != 0;
    }
    mix->unexpected += ouro_close(fd) != 0;
    return 0;
}

static int accept_through_errors(void *arg)
{
    struct mix *mix = arg;
    struct ouro_spawn_options options = {.arg_bytes = sizeof(int)};
    struct ouro_group group;
    int fd;

    ouro_group_init_with(&group, OURO_GROUP_INDEPENDENT);
    while ((fd = ouro_accept(mix->listener, NULL)) != -ECANCELED)
        if (fd >= 0)
            mix->unexpected += ouro_group_spawn_with(&group, serve, &fd, &options) != 0;
    mix->unexpected += ouro_group_wait(&group) != 0;
    return ouro_close(mix->listener);
}

static int run_unlucky_mix(void *arg)
{
    struct mix *mix = arg;
    ouro_task_id server, clients[CLIENTS];

    mix->listener = listen_locally(&mix->address);
    server = ouro_spawn(accept_through_errors, mix);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = ouro_spawn(be_unlucky_client, mix);
    for (int i = 0; i < CLIENTS; i++)
        mix->unexpected += ouro_join(clients[i], NULL) != 0;
    mix->unexpected += ouro_cancel_join(server, NULL) != 0;
    return 0;
}

/* Injected errors end connections, never the loop; and what arrives is right nonetheless. */
static void test_seeds_with_injected_errors(void)
{
    int echoed = 0;

    for (unsigned seed = 1; seed <= SEEDS / 5; seed++) {
        struct mix mix = {.chance = {seed}};
        char ring[64];
        int code;

        (void) snprintf(ring, sizeof(ring), "sim:seed=%u,short=50,errors=2", seed);
        code = run_with(ring, 8, run_unlucky_mix, &mix);
        if (code || mix.unexpected)
            printf("    seed %u: code %d, %d unexpected\n", seed, code, mix.unexpected);
        CU_ASSERT_EQUAL(code, 0);
        CU_ASSERT_EQUAL(mix.unexpected, 0);
        echoed += mix.echoed;
    }
    CU_ASSERT(echoed > 0 && echoed < (int) SEEDS / 5 * CLIENTS);
}

const struct test dispatcher_tests[] = {
    TEST(test_tasks_that_yield_for_ever_starve_neither_ring_nor_timers),
    TEST(test_turn_has_few_rounds_and_needs_no_system_call),
    TEST(test_operations_of_one_round_are_submitted_by_one_system_call),
    TEST(test_memory_of_a_peak_is_given_back_and_then_the_loop_sleeps),
    TEST(test_counters_count),
    TEST(test_thousand_seeds_of_a_mixed_workload),
    TEST(test_run_is_a_function_of_its_seed),
    TEST(test_ring_seeds_give_different_orders),
    TEST(test_trace_of_a_seed_is_the_same_to_the_byte),
    TEST(test_mixed_workload_on_the_kernels_ring),
    TEST(test_seeds_with_injected_errors),
    TEST_END};
