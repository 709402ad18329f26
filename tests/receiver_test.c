/* SPDX-License-Identifier: MIT */
/*
 * receiver_test.c - tests of engine/receiver.c
 *
 * Whatever the pool's size, the quota and the interruptions are: the bytes that go in come out,
 * once and in order, nobody gets an error for want of a buffer, and in the end every buffer is
 * back. On the simulated ring ASan sees who touches a buffer that is not his to touch.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buffer_pool.h"
#include "check.h"
#include "dispatcher.h"
#include "loop.h"
#include "sim_random.h"

static int run_with_pool(const char *ring, unsigned sq_entries, unsigned count, unsigned bytes,
                         ouro_task_fn *fn, void *arg)
{
    struct ouro_run_options options = {
        .ring = ring, .sq_entries = sq_entries, .buffer_count = count, .buffer_bytes = bytes};

    return ouro_run(fn, arg, &options);
}

static void run_on_each_ring_with_pool(unsigned count, unsigned bytes, ouro_task_fn *fn, void *arg)
{
    for (unsigned i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(run_with_pool(test_sim_ring(), i % 2 ? 1 : 64, count, bytes, fn, arg), 0);
    if (test_kernel_ring()) {
        CU_ASSERT_EQUAL(run_with_pool(test_kernel_ring(), 0, count, bytes, fn, arg), 0);
        CU_ASSERT_EQUAL(run_with_pool(test_kernel_ring(), 1, count, bytes, fn, arg), 0);
    }
}

static bool is_pool_full(void)
{
    const struct buffer_pool *pool = ouro__dispatcher->buffers;

    return pool && pool->provided_count == pool->provided_max && pool->armed_count == 0 &&
           list_is_empty(&pool->waiting);
}

static void send_text(int fd, const char *text)
{
    CU_ASSERT_EQUAL(ouro_send_all(fd, text, strlen(text), NULL), 0);
}

/* Receives exactly this text, in however many parts. */
static bool receives(struct ouro_receiver *receiver, const char *text)
{
    size_t done = 0, len = strlen(text);

    while (done < len) {
        struct ouro_lease lease;
        ssize_t got = ouro_receiver_next(receiver, &lease);
        bool is_right = got > 0 && (size_t) got == lease.len && (size_t) got <= len - done &&
                        !memcmp(lease.data, text + done, (size_t) got);

        if (got > 0)
            ouro_lease_release(&lease);
        if (!is_right)
            return false;
        done += (size_t) got;
    }
    return true;
}

/* --- the plain cases ----------------------------------------------------------------------- */

static int receive_to_the_end(void *arg)
{
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 2);
    send_text(fds[0], "one");
    CU_ASSERT(receives(&receiver, "one"));
    send_text(fds[0], "and another one, longer than a buffer of sixty-four bytes can ever be, so");
    CU_ASSERT(receives(
        &receiver, "and another one, longer than a buffer of sixty-four bytes can ever be, so"));
    CU_ASSERT_EQUAL(ouro_shutdown(fds[0], SHUT_WR), 0);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 0);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 0);
    ouro_receiver_done(&receiver);
    CU_ASSERT(is_pool_full());
    close_pair(fds);
    return 0;
}

static void test_bytes_come_as_leases_until_the_end(void)
{
    run_on_each_ring_with_pool(4, 64, receive_to_the_end, NULL);
    run_on_each_ring_with_pool(1, 64, receive_to_the_end, NULL);
}

static int receive_a_reset(void *arg)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 0);
    send_text(fds[0], "last");
    CU_ASSERT(receives(&receiver, "last"));
    CU_ASSERT_EQUAL(ouro_setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), -ECONNRESET);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 0); /* as recv() says then */
    ouro_receiver_done(&receiver);
    CU_ASSERT(is_pool_full());
    return ouro_close(fds[1]);
}

static void test_errors_of_the_socket_are_told_once(void)
{
    run_on_each_ring_with_pool(8, 64, receive_a_reset, NULL);
}

static int use_a_bad_fd(void *arg)
{
    struct ouro_receiver receiver;
    struct ouro_lease lease = {.data = NULL};
    int fds[2];

    (void) arg;
    make_pair(fds);
    close_pair(fds);
    ouro_receiver_init(&receiver, fds[0], 0);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), -EBADF);
    ouro_receiver_done(&receiver);
    ouro_lease_release(&lease);
    return 0;
}

static void test_bad_fd_is_told(void)
{
    run_on_each_ring_with_pool(8, 64, use_a_bad_fd, NULL);
}

static int keep_a_lease(void *arg)
{
    struct ouro_receiver receiver, before;
    struct ouro_lease lease, copy;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 1);
    send_text(fds[0], "x");
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 1);
    CU_ASSERT_EQUAL(ouro_lease_copy("abc", 3, &copy), 3);
    send_text(fds[0], "never asked for");
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    ouro_receiver_done(&receiver);
    memset(&receiver, 0x55, sizeof(receiver));
    before = receiver;
    CU_ASSERT_EQUAL(lease.data[0], 'x');
    CU_ASSERT_EQUAL(memcmp(copy.data, "abc", 3), 0);
    ouro_lease_release(&copy);
    CU_ASSERT(!is_pool_full());
    ouro_lease_release(&lease);
    CU_ASSERT(is_pool_full());
    CU_ASSERT_EQUAL(memcmp(&before, &receiver, sizeof(receiver)), 0);
    ouro_lease_release(&lease);
    close_pair(fds);
    return 0;
}

static void test_lease_outlives_its_receiver(void)
{
    run_on_each_ring_with_pool(4, 64, keep_a_lease, NULL);
}

static int send_much(void *arg)
{
    static const char bytes[20000];

    return ouro_send_all(*(int *) arg, bytes, sizeof(bytes), NULL);
}

static int end_in_full_flow(void *arg)
{
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    ouro_task_id sender;
    int fds[2];

    make_pair(fds);
    sender = ouro_spawn(send_much, &fds[0]);
    ouro_receiver_init(&receiver, fds[1], 3);
    for (int i = 0; i < *(int *) arg; i++)
        if (ouro_receiver_next(&receiver, &lease) > 0)
            ouro_lease_release(&lease);
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    ouro_receiver_done(&receiver);
    CU_ASSERT(is_pool_full() || *(int *) arg == 0);
    (void) ouro_cancel_join(sender, NULL);
    (void) ouro_close(fds[0]);
    (void) ouro_close(fds[1]);
    return 0;
}

static void test_done_gives_all_buffers_back_in_full_flow(void)
{
    for (int count = 0; count < 4; count++)
        run_on_each_ring_with_pool(8, 64, end_in_full_flow, &count);
}

static int stop_and_go_on_without(void *arg)
{
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    ouro_task_id sender;
    char buf[100];
    size_t total = 0;
    ssize_t got;
    int fds[2];

    (void) arg;
    make_pair(fds);
    sender = ouro_spawn(send_much, &fds[0]);
    ouro_receiver_init(&receiver, fds[1], 2);
    CU_ASSERT((got = ouro_receiver_next(&receiver, &lease)) > 0);
    total += (size_t) got;
    ouro_lease_release(&lease);
    ouro_receiver_stop(&receiver);
    while (ouro_receiver_is_ready(&receiver)) {
        CU_ASSERT((got = ouro_receiver_next(&receiver, &lease)) > 0);
        total += (size_t) got;
        ouro_lease_release(&lease);
    }
    CU_ASSERT(is_pool_full());
    CU_ASSERT_EQUAL(ouro_recv_exact(fds[1], buf, sizeof(buf), NULL), 0);
    total += sizeof(buf);
    while (total < 20000 && (got = ouro_receiver_next(&receiver, &lease)) > 0) {
        total += (size_t) got;
        ouro_lease_release(&lease);
    }
    CU_ASSERT_EQUAL(total, 20000);
    ouro_receiver_done(&receiver);
    CU_ASSERT_EQUAL(ouro_join(sender, NULL), 0);
    close_pair(fds);
    return 0;
}

static void test_stopped_receiver_leaves_the_rest_in_the_socket(void)
{
    run_on_each_ring_with_pool(8, 64, stop_and_go_on_without, NULL);
}

/* --- everything at random ------------------------------------------------------------------- */

#define VOLUME   30000
#define HELD_MAX 4

struct flows {
    unsigned seed;
    unsigned count;
    unsigned held_max; /* of the pool's, by tasks that wait for more: all would be a deadlock */
    unsigned held_count;
    unsigned interrupted;
};

struct volume {
    struct flows *flows;
    unsigned seed;
    unsigned quota;
    int fds[2];
    struct sim_random random;
    struct ouro_receiver receiver;
    size_t done;
    size_t wrong;
    unsigned interrupted;

    /* Leases that are kept for a while, and what they were when they came. */
    struct ouro_lease held[HELD_MAX];
    unsigned char *copies[HELD_MAX];
    unsigned held_count;
};

static unsigned char pattern(size_t i)
{
    return (unsigned char) (i * 7 + i / 251);
}

static int send_volume(void *arg)
{
    struct volume *volume = arg;
    struct sim_random random = {.state = volume->seed + 1000};
    unsigned char bytes[700];
    size_t done = 0;

    while (done < VOLUME) {
        size_t len = 1 + ouro__sim_random_below(&random, sizeof(bytes));

        if (len > VOLUME - done)
            len = VOLUME - done;
        for (size_t i = 0; i < len; i++)
            bytes[i] = pattern(done + i);
        CU_ASSERT_EQUAL(ouro_send_all(volume->fds[0], bytes, len, NULL), 0);
        done += len;
        if (ouro__sim_random_chance(&random, 30))
            (void) ouro_sleep(ouro__sim_random_below(&random, 200) * OURO_MICROSECOND);
    }
    return ouro_shutdown(volume->fds[0], SHUT_WR);
}

/* Gives one of the leases back: nothing may have touched it meanwhile. */
static void give_one_back(struct volume *volume)
{
    unsigned i = ouro__sim_random_below(&volume->random, volume->held_count);
    struct ouro_lease *lease = &volume->held[i];

    volume->wrong += memcmp(lease->data, volume->copies[i], lease->len) != 0;
    free(volume->copies[i]);
    ouro_lease_release(lease);
    volume->flows->held_count--;
    volume->held_count--;
    volume->held[i] = volume->held[volume->held_count];
    volume->copies[i] = volume->copies[volume->held_count];
}

static void look_at(struct volume *volume, const struct ouro_lease *lease)
{
    unsigned i = volume->held_count++;

    for (size_t at = 0; at < lease->len; at++)
        volume->wrong += (unsigned char) lease->data[at] != pattern(volume->done++);
    volume->held[i] = *lease;
    volume->copies[i] = malloc(lease->len);
    memcpy(volume->copies[i], lease->data, lease->len);
    volume->flows->held_count++;
    while (volume->held_count == volume->quota || volume->held_count == HELD_MAX ||
           (volume->held_count && volume->flows->held_count > volume->flows->held_max) ||
           (volume->held_count && ouro__sim_random_chance(&volume->random, 60)))
        give_one_back(volume);
}

/* One call, now and then under a time limit that may run out at any moment. */
static ssize_t next(struct volume *volume, struct ouro_lease *ret_lease)
{
    struct ouro_timeout limit;
    ssize_t got;

    if (ouro__sim_random_chance(&volume->random, 60))
        return ouro_receiver_next(&volume->receiver, ret_lease);
    ouro_timeout_begin(&limit, ouro__sim_random_below(&volume->random, 100) * OURO_MICROSECOND);
    got = ouro_receiver_next(&volume->receiver, ret_lease);
    (void) ouro_timeout_end(&limit);
    volume->interrupted += got == -ETIMEDOUT;
    return got;
}

static int receive_volume(void *arg)
{
    struct volume *volume = arg;
    struct ouro_lease lease;
    ssize_t got;

    ouro_receiver_init(&volume->receiver, volume->fds[1], volume->quota);
    while ((got = next(volume, &lease)) != 0) {
        if (got > 0)
            look_at(volume, &lease);
        else if (got != -ETIMEDOUT)
            break;
        if (ouro__sim_random_chance(&volume->random, 5))
            ouro_receiver_stop(&volume->receiver);
        if (ouro__sim_random_chance(&volume->random, 10))
            (void) ouro_sleep(ouro__sim_random_below(&volume->random, 300) * OURO_MICROSECOND);
    }
    while (volume->held_count)
        give_one_back(volume);
    ouro_receiver_done(&volume->receiver);
    return (int) got;
}

#define FLOWS_MAX 6

static int run_flows(void *arg)
{
    static struct volume volumes[FLOWS_MAX];
    struct flows *flows = arg;
    struct ouro_group group;

    ouro_group_init(&group);
    for (unsigned i = 0; i < flows->count; i++) {
        volumes[i] = (struct volume) {.flows = flows,
                                      .seed = flows->seed * 10 + i,
                                      .quota = 1 + (flows->seed + i) % 4,
                                      .random = {.state = flows->seed * 10 + i}};
        make_pair(volumes[i].fds);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, send_volume, &volumes[i]), 0);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, receive_volume, &volumes[i]), 0);
    }
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    for (unsigned i = 0; i < flows->count; i++) {
        CU_ASSERT_EQUAL(volumes[i].done, VOLUME);
        CU_ASSERT_EQUAL(volumes[i].wrong, 0);
        flows->interrupted += volumes[i].interrupted;
        close_pair(volumes[i].fds);
    }
    CU_ASSERT(is_pool_full());
    return 0;
}

static void test_every_byte_comes_once_and_in_order(void)
{
    static const unsigned counts[] = {4, 8, 64};
    unsigned interrupted = 0;

    for (unsigned seed = 1; seed <= 48; seed++) {
        struct flows flows = {.seed = seed, .count = 1 + seed % 3, .held_max = 3};
        char ring[64];

        (void) snprintf(ring, sizeof(ring), "sim:seed=%u,short=%u", seed, seed % 2 ? 50 : 0);
        CU_ASSERT_EQUAL(run_with_pool(ring, 1u << seed % 7, counts[seed % 3], seed % 5 ? 512 : 64,
                                      run_flows, &flows),
                        0);
        interrupted += flows.interrupted;
    }
    CU_ASSERT(interrupted > 100);
    for (unsigned seed = 1; test_kernel_ring() && seed <= 9; seed++) {
        struct flows flows = {.seed = seed, .count = 1 + seed % FLOWS_MAX, .held_max = 3};

        CU_ASSERT_EQUAL(run_with_pool(test_kernel_ring(), 1u << seed % 7, counts[seed % 3], 512,
                                      run_flows, &flows),
                        0);
    }
}

/* --- more receivers than buffers ------------------------------------------------------------ */

#define MANY        1000
#define MANY_ROUNDS 5

struct many {
    int fds[2];
    unsigned received;
};

static int count_bytes(void *arg)
{
    struct many *many = arg;
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    ssize_t got;

    ouro_receiver_init(&receiver, many->fds[1], 2);
    while ((got = ouro_receiver_next(&receiver, &lease)) > 0) {
        many->received += (unsigned) got;
        (void) ouro_yield(); /* the lease stays out for a while */
        ouro_lease_release(&lease);
    }
    ouro_receiver_done(&receiver);
    return (int) got;
}

static int share_few_buffers(void *arg)
{
    struct many *many = calloc(MANY, sizeof(*many));
    struct ouro_group group;
    unsigned complete = 0;

    (void) arg;
    if (!many)
        return -ENOMEM;
    ouro_group_init(&group);
    for (unsigned i = 0; i < MANY; i++) {
        make_pair(many[i].fds);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, count_bytes, &many[i]), 0);
    }
    for (unsigned round = 0; round < MANY_ROUNDS; round++)
        for (unsigned i = 0; i < MANY; i++)
            send_text(many[i].fds[0], "0123456789");
    for (unsigned i = 0; i < MANY; i++)
        CU_ASSERT_EQUAL(ouro_shutdown(many[i].fds[0], SHUT_WR), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    for (unsigned i = 0; i < MANY; i++) {
        complete += many[i].received == MANY_ROUNDS * 10;
        close_pair(many[i].fds);
    }
    CU_ASSERT_EQUAL(complete, MANY);
    CU_ASSERT(is_pool_full());
    free(many);
    return 0;
}

static void test_thousand_receivers_share_64_buffers(void)
{
    CU_ASSERT_EQUAL(run_with_pool(test_sim_ring(), 0, 64, 64, share_few_buffers, NULL), 0);
    CU_ASSERT_EQUAL(run_with_pool(test_sim_ring(), 8, 1, 64, share_few_buffers, NULL), 0);
    if (test_kernel_ring()) {
        CU_ASSERT_EQUAL(run_with_pool(test_kernel_ring(), 0, 64, 64, share_few_buffers, NULL), 0);
        CU_ASSERT_EQUAL(run_with_pool(test_kernel_ring(), 8, 1, 64, share_few_buffers, NULL), 0);
    }
}

/* Idle receivers that are served must not use up what others wait for. */
static int starve_behind_idle_ones(void *arg)
{
    struct many idle[6] = {{.received = 0}}, busy = {.received = 0};
    struct ouro_receiver holder;
    struct ouro_lease leases[2];
    struct ouro_group group;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&holder, fds[1], 4);
    for (int i = 0; i < 2; i++) {
        send_text(fds[0], "x");
        CU_ASSERT_EQUAL(ouro_receiver_next(&holder, &leases[i]), 1);
    }
    ouro_group_init(&group);
    for (size_t i = 0; i < COUNT_OF(idle); i++) {
        make_pair(idle[i].fds);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, count_bytes, &idle[i]), 0);
    }
    make_pair(busy.fds);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, count_bytes, &busy), 0);
    send_text(busy.fds[0], "y");
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    CU_ASSERT_EQUAL(busy.received, 0); /* there is no buffer */
    ouro_lease_release(&leases[0]);
    while (!busy.received && !ouro_sleep(OURO_MILLISECOND))
        ;
    CU_ASSERT_EQUAL(busy.received, 1);
    ouro_lease_release(&leases[1]);
    ouro_receiver_done(&holder);
    for (size_t i = 0; i < COUNT_OF(idle); i++)
        CU_ASSERT_EQUAL(ouro_shutdown(idle[i].fds[0], SHUT_WR), 0);
    CU_ASSERT_EQUAL(ouro_shutdown(busy.fds[0], SHUT_WR), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    for (size_t i = 0; i < COUNT_OF(idle); i++)
        close_pair(idle[i].fds);
    close_pair(busy.fds);
    close_pair(fds);
    CU_ASSERT(is_pool_full());
    return 0;
}

static void test_released_lease_feeds_who_starves(void)
{
    run_on_each_ring_with_pool(2, 64, starve_behind_idle_ones, NULL);
}

struct stuck {
    int fds[2];
    struct ouro_receiver receiver;
};

/* Tasks that have something else to do leave all buffers in the queues of their receivers. */
static int starve_behind_stuck_ones(void *arg)
{
    struct stuck stuck[3];
    struct ouro_receiver receiver;
    int fds[2];

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(stuck); i++) {
        make_pair(stuck[i].fds);
        ouro_receiver_init(&stuck[i].receiver, stuck[i].fds[1], 4);
        send_text(stuck[i].fds[0], "a");
        CU_ASSERT(receives(&stuck[i].receiver, "a"));
    }
    for (size_t i = 0; i < COUNT_OF(stuck); i++) {
        send_text(stuck[i].fds[0], "bcd");
        CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
        send_text(stuck[i].fds[0], "efg");
        CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    }
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 1);
    send_text(fds[0], "hello");
    CU_ASSERT(receives(&receiver, "hello"));
    for (size_t i = 0; i < COUNT_OF(stuck); i++) {
        CU_ASSERT(receives(&stuck[i].receiver, "bcdefg"));
        send_text(stuck[i].fds[0], "never read");
        CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    }
    send_text(fds[0], "again");
    CU_ASSERT(receives(&receiver, "again"));
    ouro_receiver_done(&receiver);
    close_pair(fds);
    for (size_t i = 0; i < COUNT_OF(stuck); i++) {
        ouro_receiver_done(&stuck[i].receiver);
        close_pair(stuck[i].fds);
    }
    CU_ASSERT(is_pool_full());
    return 0;
}

static void test_bytes_that_nobody_reads_starve_nobody(void)
{
    run_on_each_ring_with_pool(1, 64, starve_behind_stuck_ones, NULL);
    run_on_each_ring_with_pool(2, 64, starve_behind_stuck_ones, NULL);
    run_on_each_ring_with_pool(4, 64, starve_behind_stuck_ones, NULL);
}

#define GREEDY       8
#define GREEDY_TURNS 400

struct greedy {
    struct many many;
    unsigned leases;
    unsigned *total;
};

/* Takes all it gets, until all together have had enough. */
static int take_greedily(void *arg)
{
    struct greedy *greedy = arg;
    struct ouro_receiver receiver;
    struct ouro_lease lease;

    ouro_receiver_init(&receiver, greedy->many.fds[1], 4);
    while (*greedy->total < GREEDY * GREEDY_TURNS && ouro_receiver_next(&receiver, &lease) > 0) {
        greedy->leases++;
        ++*greedy->total;
        ouro_lease_release(&lease);
    }
    ouro_receiver_done(&receiver);
    return ouro_close(greedy->many.fds[1]); /* which resets, and so ends the other side */
}

static int feed(void *arg)
{
    struct greedy *greedy = arg;
    static const char bytes[64 * 16];

    while (!ouro_send_all(greedy->many.fds[0], bytes, sizeof(bytes), NULL))
        ;
    return 0;
}

static int compete(void *arg)
{
    struct greedy greedy[GREEDY];
    struct ouro_group group;
    unsigned total = 0, least = UINT32_MAX;

    (void) arg;
    ouro_group_init(&group);
    for (size_t i = 0; i < GREEDY; i++) {
        greedy[i] = (struct greedy) {.total = &total};
        make_pair(greedy[i].many.fds);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, take_greedily, &greedy[i]), 0);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, feed, &greedy[i]), 0);
    }
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    for (size_t i = 0; i < GREEDY; i++) {
        if (greedy[i].leases < least)
            least = greedy[i].leases;
        CU_ASSERT_EQUAL(ouro_close(greedy[i].many.fds[0]), 0);
    }
    CU_ASSERT(least >= GREEDY_TURNS / 2);
    CU_ASSERT(is_pool_full());
    return 0;
}

static void test_few_buffers_are_shared_fairly(void)
{
    run_on_each_ring_with_pool(2, 64, compete, NULL);
}

/* --- quotas --------------------------------------------------------------------------------- */

static int reach_the_quota(void *arg)
{
    struct ouro_receiver receiver;
    struct ouro_lease leases[3];
    struct ouro_timeout limit;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 2);
    for (int i = 0; i < 2; i++) {
        send_text(fds[0], "x");
        CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &leases[i]), 1);
    }
    CU_ASSERT_EQUAL(ouro_sleep(10 * OURO_MILLISECOND), 0); /* the cancel gets through */
    send_text(fds[0], "y");
    ouro_timeout_begin(&limit, 10 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &leases[2]), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    ouro_lease_release(&leases[0]);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &leases[2]), 1);
    CU_ASSERT_EQUAL(leases[2].data[0], 'y');
    ouro_lease_release(&leases[1]);
    ouro_lease_release(&leases[2]);
    ouro_receiver_done(&receiver);
    close_pair(fds);
    return 0;
}

static void test_quota_holds_the_peer_back(void)
{
    run_on_each_ring_with_pool(64, 64, reach_the_quota, NULL);
}

static int release_later(void *arg)
{
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    ouro_lease_release(arg);
    return 0;
}

static int wait_for_a_release(void *arg)
{
    struct ouro_receiver receiver, other;
    struct ouro_lease lease, next;
    struct ouro_timeout limit;
    ouro_task_id task;
    int fds[2], other_fds[2];

    (void) arg;
    make_pair(fds);
    make_pair(other_fds);
    ouro_receiver_init(&receiver, fds[1], 1);
    send_text(fds[0], "x");
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 1);

    /* One that gives up waiting in the line is in no line any more. */
    ouro_receiver_init(&other, other_fds[1], 1);
    ouro_timeout_begin(&limit, OURO_MICROSECOND);
    CU_ASSERT_EQUAL(ouro_receiver_next(&other, &next), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    ouro_receiver_done(&other);
    memset(&other, 0x55, sizeof(other));

    send_text(fds[0], "y");
    task = ouro_spawn(release_later, &lease);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &next), 1);
    CU_ASSERT_EQUAL(next.data[0], 'y');
    CU_ASSERT_EQUAL(ouro_join(task, NULL), 0);
    ouro_lease_release(&next);
    ouro_receiver_done(&receiver);
    CU_ASSERT(is_pool_full());
    close_pair(fds);
    close_pair(other_fds);
    return 0;
}

static void test_release_lets_who_waits_for_his_quota_go_on(void)
{
    run_on_each_ring_with_pool(1, 64, wait_for_a_release, NULL);
    run_on_each_ring_with_pool(2, 64, wait_for_a_release, NULL);
}

static int wait_for_own_leases(void *arg)
{
    struct ouro_receiver receiver;
    struct ouro_lease lease, other;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 1);
    send_text(fds[0], "x");
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 1);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &other), -ECANCELED);
    ouro_lease_release(&lease);
    ouro_receiver_done(&receiver);
    (void) ouro_close(fds[0]);
    (void) ouro_close(fds[1]);
    return 0;
}

static int exhaust_copies(void *arg)
{
    struct ouro_lease leases[2], other;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_lease_copy("a", 1, &leases[0]), 1);
    CU_ASSERT_EQUAL(ouro_lease_copy("b", 1, &leases[1]), 1);
    CU_ASSERT_EQUAL(ouro_lease_copy("c", 1, &other), -ECANCELED);
    ouro_lease_release(&leases[0]);
    ouro_lease_release(&leases[1]);
    return 0;
}

static int run_into_deadlock(void *fn)
{
    return run_with_pool("sim:seed=1", 0, 8, 64, *(ouro_task_fn **) fn, NULL) == OURO_EDEADLOCK;
}

static bool is_deadlock(ouro_task_fn *fn)
{
    struct child child = run_in_child(run_into_deadlock, &fn);

    return exited_with(&child, 1) && said(&child, "deadlock");
}

static void test_waiting_for_ones_own_leases_is_a_deadlock(void)
{
    CU_ASSERT(is_deadlock(wait_for_own_leases));
    CU_ASSERT(is_deadlock(exhaust_copies));
}

static int copy_and_release(void *arg)
{
    struct ouro_lease *leases = arg;

    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    ouro_lease_release(&leases[0]);
    return 0;
}

static int wait_for_a_copy(void *arg)
{
    struct ouro_lease leases[3];
    struct ouro_timeout limit;
    char large[100] = "large";

    (void) arg;
    CU_ASSERT_EQUAL(ouro_lease_copy(large, sizeof(large), &leases[0]), 64);
    CU_ASSERT_EQUAL(ouro_lease_copy("b", 1, &leases[1]), 1);
    ouro_timeout_begin(&limit, OURO_MICROSECOND);
    CU_ASSERT_EQUAL(ouro_lease_copy("c", 1, &leases[2]), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT(ouro_spawn_with(copy_and_release, leases,
                              &(struct ouro_spawn_options) {.detached = true}) > 0);
    CU_ASSERT_EQUAL(ouro_lease_copy("c", 1, &leases[2]), 1);
    CU_ASSERT_EQUAL(leases[2].data[0], 'c');
    CU_ASSERT_EQUAL(leases[1].data[0], 'b');
    ouro_lease_release(&leases[1]);
    ouro_lease_release(&leases[2]);
    return 0;
}

static void test_copies_wait_for_each_other(void)
{
    run_on_each_ring_with_pool(8, 64, wait_for_a_copy, NULL);
}

/* --- cost ----------------------------------------------------------------------------------- */

#define ECHOES 200

/* Between two turns of the other end nothing but its sends may be submitted. */
static int count_submissions(void *arg)
{
    struct ouro_counters before, after;
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    int fds[2];
    char byte;

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 4);
    for (int i = 0; i < ECHOES; i++) {
        if (i == 1)
            CU_ASSERT_EQUAL(ouro_stats(&before), 0);
        send_text(fds[0], "x");
        CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 1);
        CU_ASSERT_EQUAL(ouro_send_all(fds[1], lease.data, lease.len, NULL), 0);
        ouro_lease_release(&lease);
        CU_ASSERT_EQUAL(ouro_recv(fds[0], &byte, 1, 0), 1);
    }
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    /* Two sends and the other end's receive each; the simulation ends receives now and then. */
    if (ouro__dispatcher->ring.simulated)
        CU_ASSERT(after.sqes - before.sqes < 3 * (ECHOES - 1) + ECHOES / 8)
    else
        CU_ASSERT_EQUAL(after.sqes - before.sqes, 3 * (ECHOES - 1))
    ouro_receiver_done(&receiver);
    close_pair(fds);
    return 0;
}

static void test_message_costs_no_submission(void)
{
    run_on_each_ring_with_pool(16, 64, count_submissions, NULL);
}

/* --- interruptions --------------------------------------------------------------------------- */

static int next_when_cancelled(void *arg)
{
    struct ouro_lease lease;

    CU_ASSERT_EQUAL(ouro_receiver_next(arg, &lease), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_receiver_next(arg, &lease), -ECANCELED);
    return 0;
}

static int cancel_next(void *arg)
{
    struct ouro_receiver receiver;
    ouro_task_id task;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 1);
    task = ouro_spawn(next_when_cancelled, &receiver);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(task, NULL), 0);
    send_text(fds[0], "still here");
    CU_ASSERT(receives(&receiver, "still here"));
    ouro_receiver_done(&receiver);
    CU_ASSERT(is_pool_full());
    close_pair(fds);
    return 0;
}

static void test_cancelled_next_loses_nothing(void)
{
    run_on_each_ring_with_pool(4, 64, cancel_next, NULL);
}

static int cancel_main(void *arg)
{
    return ouro_cancel(*(ouro_task_id *) arg);
}

/* The last task ends while the pool's own operation, the NOP, may be in flight. */
static int end_while_the_pool_is_busy(void *arg)
{
    struct ouro_receiver receiver, other;
    struct ouro_lease lease;
    ouro_task_id self = ouro_self();
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 1);
    ouro_receiver_init(&other, fds[0], 1);
    send_text(fds[0], "x");
    CU_ASSERT(receives(&receiver, "x"));
    send_text(fds[0], "y");
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0); /* it comes, and nobody asks for it */
    ouro_receiver_stop(&receiver);
    CU_ASSERT(ouro_spawn(cancel_main, &self) > 0);
    CU_ASSERT_EQUAL(ouro_receiver_next(&other, &lease), -ECANCELED);
    ouro_receiver_done(&other);
    ouro_receiver_done(&receiver);
    return 0; /* without closing, which would take a turn */
}

static void test_loop_ends_while_the_pool_is_busy(void)
{
    for (int i = 0; i < 50; i++)
        CU_ASSERT_EQUAL(run_with_pool(test_sim_ring(), 0, 1, 64, end_while_the_pool_is_busy, NULL),
                        0);
}

/* --- misuse ---------------------------------------------------------------------------------- */

static int forget_a_lease(void *arg)
{
    struct ouro_lease lease;

    (void) arg;
    return ouro_lease_copy("x", 1, &lease) == 1 ? 0 : 1;
}

static int forget_a_receiver(void *arg)
{
    static struct ouro_receiver receiver;
    struct ouro_timeout limit;
    struct ouro_lease lease;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 1);
    ouro_timeout_begin(&limit, OURO_SECOND);
    (void) ouro_receiver_next(&receiver, &lease);
    return ouro_timeout_end(&limit) ? 0 : 1;
}

static int release_twice(void *arg)
{
    struct ouro_lease lease, again;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_lease_copy("x", 1, &lease), 1);
    again = lease;
    ouro_lease_release(&lease);
    ouro_lease_release(&again);
    return 0;
}

static int next_twice(void *arg)
{
    static struct ouro_receiver receiver;
    struct ouro_lease lease;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 1);
    (void) ouro_spawn(next_when_cancelled, &receiver);
    (void) ouro_yield();
    return (int) ouro_receiver_next(&receiver, &lease);
}

static void test_misuse_is_checked(void)
{
    CU_ASSERT(is_checked(forget_a_lease, "ouro_lease_release() is missing"));
    CU_ASSERT(is_checked(forget_a_receiver, "ouro_receiver_done() is missing"));
    CU_ASSERT(is_checked(release_twice, "released twice"));
    CU_ASSERT(is_checked(next_twice, "two tasks use one receiver"));
}

const struct test receiver_tests[] = {
    TEST(test_bytes_come_as_leases_until_the_end),
    TEST(test_errors_of_the_socket_are_told_once),
    TEST(test_bad_fd_is_told),
    TEST(test_lease_outlives_its_receiver),
    TEST(test_done_gives_all_buffers_back_in_full_flow),
    TEST(test_stopped_receiver_leaves_the_rest_in_the_socket),
    TEST(test_every_byte_comes_once_and_in_order),
    TEST(test_thousand_receivers_share_64_buffers),
    TEST(test_released_lease_feeds_who_starves),
    TEST(test_bytes_that_nobody_reads_starve_nobody),
    TEST(test_few_buffers_are_shared_fairly),
    TEST(test_quota_holds_the_peer_back),
    TEST(test_release_lets_who_waits_for_his_quota_go_on),
    TEST(test_waiting_for_ones_own_leases_is_a_deadlock),
    TEST(test_copies_wait_for_each_other),
    TEST(test_message_costs_no_submission),
    TEST(test_cancelled_next_loses_nothing),
    TEST(test_loop_ends_while_the_pool_is_busy),
    TEST(test_misuse_is_checked),
    TEST_END,
};
