/* SPDX-License-Identifier: MIT */
/*
 * receiver_test.c - tests of engine/receiver.c
 *
 * Whatever the pool's size, the quota and the interruptions are: the bytes that go in come out,
 * once and in order, nobody gets an error for want of a buffer, and in the end every buffer is
 * back. So do datagrams, whole and with their senders. On the simulated ring ASan sees who touches a buffer that is not his to touch.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buffer_pool.h"
#include "check.h"
#include "datagram.h"
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
    }
    for (size_t i = 0; i < GREEDY; i++) { /* all at once: nobody has a start */
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

/* --- datagrams ------------------------------------------------------------------------------ */

#define ROOM           64 /* for the bytes of a datagram in the buffers of these tests */
#define DATAGRAM_BYTES (OURO_DATAGRAM_HEAD + ROOM)

/* Runs `fn` with each domain in turn, on all rings; the kernel's may know no IPv6. */
static void run_on_each_domain(unsigned count, ouro_task_fn *fn)
{
    for (enum domain domain = UDP4; domain <= UNIX; domain++)
        if (domain != UDP6 || has_ipv6())
            run_on_each_ring_with_pool(count, DATAGRAM_BYTES, fn, &domain);
}

static void send_datagram(int fd, const char *text, const struct ouro_address *to)
{
    CU_ASSERT_EQUAL(ouro_sendto(fd, text, strlen(text), 0, to), (ssize_t) strlen(text));
}

/* The next datagram is this text, from there; NULL: from a sender without a name. */
static bool receives_from(struct ouro_receiver *receiver, const char *text,
                          const struct ouro_address *sender)
{
    struct ouro_address from;
    struct ouro_lease lease;
    ssize_t len = ouro_receiver_next_from(receiver, &lease, &from);
    bool is_right;

    if (len < 0)
        return false;
    is_right = (size_t) len == strlen(text) && (size_t) len == lease.len &&
               (len == 0 || !memcmp(lease.data, text, lease.len)) &&
               (sender ? is_same(&from, sender) && from.len == sender->len : from.len == 0);
    if (len > 0) /* an empty one's need not be */
        ouro_lease_release(&lease);
    return is_right;
}

static bool is_silent(struct ouro_receiver *receiver)
{
    struct ouro_timeout limit;
    struct ouro_lease lease;

    ouro_timeout_begin(&limit, 10 * OURO_MILLISECOND);
    (void) ouro_receiver_next(receiver, &lease);
    return ouro_timeout_end(&limit) == -ETIMEDOUT;
}

static int receive_from_two(void *arg)
{
    static const char full[ROOM + 1] =
        "just as long as what a buffer of these tests has room for, 64 by";
    enum domain domain = *(enum domain *) arg;
    struct ouro_address name, a_name, b_name;
    int fd = open_bound(domain, &name);
    int a = open_bound(domain, &a_name), b = open_bound(domain, &b_name);
    struct ouro_receiver receiver;
    struct ouro_lease lease;

    ouro_receiver_init_datagram(&receiver, fd, 2);
    for (int i = 0; i < 3; i++) {
        send_datagram(a, "one", &name);
        send_datagram(b, "", &name);
        send_datagram(b, "", &name);
        send_datagram(a, full, &name);
        send_datagram(b, "five", &name);
        CU_ASSERT(receives_from(&receiver, "one", &a_name));
        CU_ASSERT(receives_from(&receiver, "", &b_name));
        CU_ASSERT(receives_from(&receiver, "", &b_name));
        CU_ASSERT(receives_from(&receiver, full, &a_name));
        CU_ASSERT(receives_from(&receiver, "five", &b_name));
    }
    send_datagram(a, "no address", &name);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 10);
    CU_ASSERT_EQUAL(memcmp(lease.data, "no address", 10), 0);
    ouro_lease_release(&lease);
    send_datagram(a, "", &name);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 0);
    CU_ASSERT(!lease.data && !lease.len && !lease.buffer);
    ouro_lease_release(&lease);
    if (domain == UNIX) {
        int nameless = ouro_socket(AF_UNIX, SOCK_DGRAM, 0);

        send_datagram(nameless, "nobody", &name);
        CU_ASSERT(receives_from(&receiver, "nobody", NULL));
        CU_ASSERT_EQUAL(ouro_close(nameless), 0);
    }
    ouro_receiver_done(&receiver);
    CU_ASSERT(is_pool_full());
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_close(a), 0);
    return ouro_close(b);
}

static void test_datagrams_come_one_by_one_with_their_senders(void)
{
    run_on_each_domain(8, receive_from_two);
    run_on_each_domain(1, receive_from_two);
}

static int receive_with_no_sender(void *arg)
{
    struct ouro_receiver receiver;
    struct ouro_address from;
    struct ouro_lease lease;
    int fds[2];

    (void) arg;
    make_pair(fds);
    memset(&from, 0x55, sizeof(from));
    ouro_receiver_init(&receiver, fds[1], 2);
    send_text(fds[0], "stream");
    CU_ASSERT_EQUAL(ouro_receiver_next_from(&receiver, &lease, &from), 6);
    CU_ASSERT_EQUAL(memcmp(lease.data, "stream", 6), 0);
    CU_ASSERT_EQUAL(from.len, 0);
    ouro_lease_release(&lease);
    ouro_receiver_done(&receiver);
    close_pair(fds);
    return 0;
}

static void test_bytes_of_a_stream_have_no_sender(void)
{
    run_on_each_ring_with_pool(4, 64, receive_with_no_sender, NULL);
}

static int receive_long_name(void *arg)
{
    struct ouro_address name, long_name = {.len = sizeof(long_name.un)};
    int fd = open_bound(UNIX, &name), sender = ouro_socket(AF_UNIX, SOCK_DGRAM, 0);
    struct ouro_receiver receiver;
    struct ouro_address from;
    struct ouro_lease lease;

    (void) arg;
    long_name.un.sun_family = AF_UNIX;
    memset(long_name.un.sun_path, 'n', sizeof(long_name.un.sun_path));
    long_name.un.sun_path[0] = '\0'; /* abstract: all of the others count */
    CU_ASSERT_EQUAL(ouro_bind(sender, &long_name), 0);
    ouro_receiver_init_datagram(&receiver, fd, 0);
    send_datagram(sender, "x", &name);
    CU_ASSERT_EQUAL(ouro_receiver_next_from(&receiver, &lease, &from), 1);
    CU_ASSERT_EQUAL(lease.data[0], 'x');
    CU_ASSERT_EQUAL(from.len, sizeof(from.un));
    CU_ASSERT_EQUAL(memcmp(&from.un, &long_name.un, sizeof(from.un)), 0);
    ouro_lease_release(&lease);
    ouro_receiver_done(&receiver);
    CU_ASSERT_EQUAL(ouro_close(sender), 0);
    return ouro_close(fd);
}

static void test_longest_name_of_a_sender_fits(void)
{
    run_on_each_ring_with_pool(4, DATAGRAM_BYTES, receive_long_name, NULL);
}

static int cut_datagrams_off(void *arg)
{
    static const size_t lens[] = {ROOM, ROOM + 1, 1000, 3};
    enum domain domain = *(enum domain *) arg;
    struct ouro_address name, from, sender_name;
    int fd = open_bound(domain, &name), sender = open_bound(domain, &sender_name);
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    char bytes[1000];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char) (i * 3);
    ouro_receiver_init_datagram(&receiver, fd, 4);
    for (size_t i = 0; i < COUNT_OF(lens); i++)
        CU_ASSERT_EQUAL(ouro_sendto(sender, bytes, lens[i], 0, &name), (ssize_t) lens[i]);
    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        CU_ASSERT_EQUAL(ouro_receiver_next_from(&receiver, &lease, &from), (ssize_t) lens[i]);
        CU_ASSERT_EQUAL(lease.len, lens[i] < ROOM ? lens[i] : ROOM);
        CU_ASSERT_EQUAL(memcmp(lease.data, bytes, lease.len), 0);
        CU_ASSERT(is_same(&from, &sender_name));
        ouro_lease_release(&lease);
    }
    ouro_receiver_done(&receiver);
    CU_ASSERT(is_pool_full());
    CU_ASSERT_EQUAL(ouro_close(sender), 0);
    return ouro_close(fd);
}

static void test_datagram_longer_than_a_buffer_is_cut_off_and_told(void)
{
    run_on_each_domain(4, cut_datagrams_off);
}

static int receive_into_small_ones(void *arg)
{
    bool is_enough = *(bool *) arg;
    struct ouro_receiver receiver;
    struct ouro_address name;
    struct ouro_lease lease;
    int fd = open_bound(UDP4, &name);

    send_datagram(fd, "abc", &name);
    ouro_receiver_init_datagram(&receiver, fd, 0);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), is_enough ? 3 : -EINVAL);
    if (is_enough) {
        CU_ASSERT_EQUAL(lease.len, 1);
        CU_ASSERT_EQUAL(lease.data[0], 'a');
        ouro_lease_release(&lease);
    }
    ouro_receiver_done(&receiver);
    return ouro_close(fd);
}

static void test_buffers_without_room_for_datagrams_are_refused(void)
{
    run_on_each_ring_with_pool(4, OURO_DATAGRAM_HEAD, receive_into_small_ones, &(bool) {false});
    run_on_each_ring_with_pool(4, OURO_DATAGRAM_HEAD + 1, receive_into_small_ones, &(bool) {true});
}

static int be_refused(void *arg)
{
    struct ouro_address name, peer_name;
    int fd = open_bound(UDP4, &name), peer = open_privately(&peer_name);
    struct ouro_receiver receiver;
    struct ouro_lease lease;

    (void) arg;
    connect_fd(fd, &peer_name);
    CU_ASSERT_EQUAL(ouro_getsockname(fd, &name), 0);
    ouro_receiver_init_datagram(&receiver, fd, 2);
    send_datagram(peer, "before", &name);
    CU_ASSERT(receives_from(&receiver, "before", &peer_name));
    CU_ASSERT_EQUAL(ouro_close(peer), 0);
    for (int i = 0; i < 2; i++) {
        send_datagram(fd, "anybody?", NULL);
        CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), -ECONNREFUSED);
        CU_ASSERT(is_silent(&receiver)); /* told once */
    }
    peer = ouro_socket(AF_INET, SOCK_DGRAM, 0);
    CU_ASSERT_EQUAL(ouro_bind(peer, &peer_name), 0);
    send_datagram(peer, "here again", &name);
    CU_ASSERT(receives_from(&receiver, "here again", &peer_name));
    ouro_receiver_done(&receiver);
    CU_ASSERT(is_pool_full());
    CU_ASSERT_EQUAL(ouro_close(peer), 0);
    return ouro_close(fd);
}

static void test_refusal_is_told_once_and_receiving_goes_on(void)
{
    run_on_each_ring_with_pool(4, DATAGRAM_BYTES, be_refused, NULL);
}

static int shut_down_datagrams(void *arg)
{
    enum domain domain = *(enum domain *) arg;
    struct ouro_address name, sender_name;
    int fd = open_bound(domain, &name), sender = open_bound(domain, &sender_name);
    struct ouro_receiver receiver;

    ouro_receiver_init_datagram(&receiver, fd, 2);
    CU_ASSERT(is_silent(&receiver)); /* and so armed */
    send_datagram(sender, "accepted", &name);
    (void) ouro_shutdown(fd, SHUT_RD); /* Linux does it also where it says -ENOTCONN */
    CU_ASSERT(receives_from(&receiver, "accepted", &sender_name));
    CU_ASSERT(is_silent(&receiver));
    if (domain == UNIX) {
        CU_ASSERT_EQUAL(ouro_sendto(sender, "x", 1, 0, &name), -EPIPE);
    } else {
        send_datagram(sender, "late", &name);
        CU_ASSERT(receives_from(&receiver, "late", &sender_name));
    }
    ouro_receiver_stop(&receiver);
    CU_ASSERT(is_silent(&receiver)); /* armed after it */
    ouro_receiver_done(&receiver);
    CU_ASSERT(is_pool_full());
    CU_ASSERT_EQUAL(ouro_close(sender), 0);
    return ouro_close(fd);
}

static void test_datagrams_have_no_end(void)
{
    run_on_each_domain(4, shut_down_datagrams);
}

static int reach_the_quota_of_datagrams(void *arg)
{
    enum domain domain = *(enum domain *) arg;
    struct ouro_address name, sender_name;
    int fd = open_bound(domain, &name), sender = open_bound(domain, &sender_name);
    struct ouro_receiver receiver;
    struct ouro_lease leases[2];
    char byte;

    ouro_receiver_init_datagram(&receiver, fd, 2);
    for (int i = 0; i < 2; i++) {
        send_datagram(sender, "x", &name);
        CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &leases[i]), 1);
    }
    CU_ASSERT_EQUAL(ouro_sleep(10 * OURO_MILLISECOND), 0); /* the cancel gets through */
    send_datagram(sender, "y", &name);
    CU_ASSERT(is_silent(&receiver));
    CU_ASSERT_EQUAL(ouro_recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), 1); /* there it waits */
    ouro_lease_release(&leases[0]);
    CU_ASSERT(receives_from(&receiver, "y", &sender_name));
    ouro_lease_release(&leases[1]);
    ouro_receiver_done(&receiver);
    CU_ASSERT(is_pool_full());
    CU_ASSERT_EQUAL(ouro_close(sender), 0);
    return ouro_close(fd);
}

static void test_quota_leaves_datagrams_in_the_socket(void)
{
    run_on_each_domain(64, reach_the_quota_of_datagrams);
}

static int move_datagrams(void *arg)
{
    enum domain domain = *(enum domain *) arg;
    struct ouro_address name, sender_name;
    int fd = open_bound(domain, &name), sender = open_bound(domain, &sender_name);
    struct ouro_receiver receiver, other;
    int fds[2];

    ouro_receiver_init_datagram(&receiver, fd, 4);
    send_datagram(sender, "first", &name);
    CU_ASSERT(receives_from(&receiver, "first", &sender_name));
    send_datagram(sender, "nobody asks for it", &name);
    send_datagram(sender, "", &name);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    make_pair(fds);
    ouro_receiver_init(&other, fds[1], 1);
    send_text(fds[0], "needs the only buffer");
    CU_ASSERT(receives(&other, "needs the only buffer"));
    CU_ASSERT(receives_from(&receiver, "nobody asks for it", &sender_name));
    CU_ASSERT(receives_from(&receiver, "", &sender_name));
    ouro_receiver_done(&receiver);
    ouro_receiver_done(&other);
    CU_ASSERT(is_pool_full());
    close_pair(fds);
    CU_ASSERT_EQUAL(ouro_close(sender), 0);
    return ouro_close(fd);
}

static void test_unread_datagrams_are_moved_with_their_senders(void)
{
    run_on_each_domain(1, move_datagrams);
}

static int drop_descriptors(void *arg)
{
    int carrier[2], pair[2], before = next_fd();
    struct ouro_receiver receiver;
    char byte;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_DGRAM, 0, carrier), 0);
    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CU_ASSERT_EQUAL(ouro_send_fds(carrier[0], "take", 4, &pair[1], 1), 4);
    CU_ASSERT_EQUAL(ouro_close(pair[1]), 0); /* the one in flight keeps it open */
    ouro_receiver_init_datagram(&receiver, carrier[1], 0);
    CU_ASSERT(receives_from(&receiver, "take", NULL));
    CU_ASSERT_EQUAL(ouro_recv(pair[0], &byte, 1, 0), 0); /* now it is closed */
    ouro_receiver_done(&receiver);
    close_pair(carrier);
    CU_ASSERT_EQUAL(ouro_close(pair[0]), 0);
    CU_ASSERT_EQUAL(next_fd(), before);
    return 0;
}

static void test_descriptors_that_nobody_can_take_are_closed(void)
{
    run_on_each_ring_with_pool(4, DATAGRAM_BYTES, drop_descriptors, NULL);
}

/* --- datagrams at random -------------------------------------------------------------------- */

#define LETTERS    300
#define LETTER_MAX 200
#define KEPT_MAX   3
#define MAILS_MAX  4

/* Unix datagrams: the socket loses nothing, so neither may the receiver. */
struct mail {
    unsigned seed;
    unsigned quota;
    int fds[2];
    struct sim_random random;
    struct ouro_receiver receiver;
    unsigned count; /* received */
    unsigned wrong;
    unsigned interrupted;

    /* Leases that are kept for a while, and which letters they are. */
    struct ouro_lease kept[KEPT_MAX];
    unsigned numbers[KEPT_MAX];
    unsigned kept_count;
};

/* How long a letter is: some are empty, some too long. */
static size_t letter_len(const struct mail *mail, unsigned number)
{
    struct sim_random random = {.state = mail->seed * 1000 + number};

    if (ouro__sim_random_chance(&random, 10))
        return 0;
    return ouro__sim_random_below(&random,
                                  ouro__sim_random_chance(&random, 20) ? LETTER_MAX : ROOM);
}

static char letter_byte(unsigned number, size_t i)
{
    return (char) (number * 31 + i * 7);
}

static int send_letters(void *arg)
{
    struct mail *mail = arg;
    struct sim_random random = {.state = mail->seed + 1000};
    char bytes[LETTER_MAX];

    for (unsigned number = 0; number < LETTERS; number++) {
        size_t len = letter_len(mail, number);

        for (size_t i = 0; i < len; i++)
            bytes[i] = letter_byte(number, i);
        CU_ASSERT_EQUAL(ouro_sendto(mail->fds[0], bytes, len, 0, NULL), (ssize_t) len);
        if (ouro__sim_random_chance(&random, 20))
            (void) ouro_sleep(ouro__sim_random_below(&random, 200) * OURO_MICROSECOND);
    }
    return 0;
}

static void look_into(struct mail *mail, const struct ouro_lease *lease, unsigned number)
{
    size_t len = letter_len(mail, number);

    mail->wrong += lease->len != (len < ROOM ? len : ROOM);
    for (size_t i = 0; i < lease->len; i++)
        mail->wrong += lease->data[i] != letter_byte(number, i);
}

static void throw_away(struct mail *mail)
{
    unsigned i = ouro__sim_random_below(&mail->random, mail->kept_count--);

    look_into(mail, &mail->kept[i], mail->numbers[i]); /* nothing has touched it meanwhile */
    ouro_lease_release(&mail->kept[i]);
    mail->kept[i] = mail->kept[mail->kept_count];
    mail->numbers[i] = mail->numbers[mail->kept_count];
}

static void keep(struct mail *mail, const struct ouro_lease *lease, ssize_t len)
{
    unsigned number = mail->count++;

    mail->wrong += (size_t) len != letter_len(mail, number);
    look_into(mail, lease, number);
    mail->kept[mail->kept_count] = *lease;
    mail->numbers[mail->kept_count++] = number;
    while (mail->kept_count == mail->quota || mail->kept_count == KEPT_MAX ||
           (mail->kept_count && ouro__sim_random_chance(&mail->random, 60)))
        throw_away(mail);
}

/* Now and then under a time limit that may run out at any moment. */
static int receive_letters(void *arg)
{
    struct mail *mail = arg;
    struct ouro_address from;

    ouro_receiver_init_datagram(&mail->receiver, mail->fds[1], mail->quota);
    while (mail->count < LETTERS) {
        struct ouro_timeout limit;
        struct ouro_lease lease;
        ssize_t len;

        ouro_timeout_begin(&limit,
                           ouro__sim_random_chance(&mail->random, 50)
                               ? ouro__sim_random_below(&mail->random, 100) * OURO_MICROSECOND
                               : OURO_SECOND);
        len = ouro_receiver_next_from(&mail->receiver, &lease, &from);
        (void) ouro_timeout_end(&limit);
        if (len >= 0)
            keep(mail, &lease, len);
        else if (len == -ETIMEDOUT)
            mail->interrupted++;
        else
            break;
        if (ouro__sim_random_chance(&mail->random, 5))
            ouro_receiver_stop(&mail->receiver);
        if (ouro__sim_random_chance(&mail->random, 10))
            (void) ouro_sleep(ouro__sim_random_below(&mail->random, 300) * OURO_MICROSECOND);
    }
    while (mail->kept_count)
        throw_away(mail);
    ouro_receiver_done(&mail->receiver);
    return 0;
}

struct post {
    unsigned seed;
    unsigned count;
    unsigned interrupted;
};

static int run_post(void *arg)
{
    static struct mail mails[MAILS_MAX];
    struct post *post = arg;
    struct ouro_group group;

    ouro_group_init(&group);
    for (unsigned i = 0; i < post->count; i++) {
        mails[i] = (struct mail) {.seed = post->seed * 10 + i,
                                  .quota = 1 + (post->seed + i) % 5,
                                  .random = {.state = post->seed * 10 + i}};
        CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_DGRAM, 0, mails[i].fds), 0);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, send_letters, &mails[i]), 0);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, receive_letters, &mails[i]), 0);
    }
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    for (unsigned i = 0; i < post->count; i++) {
        CU_ASSERT_EQUAL(mails[i].count, LETTERS);
        CU_ASSERT_EQUAL(mails[i].wrong, 0);
        post->interrupted += mails[i].interrupted;
        close_pair(mails[i].fds);
    }
    CU_ASSERT(is_pool_full());
    return 0;
}

static void test_every_unix_datagram_comes_once_and_in_order(void)
{
    static const unsigned counts[] = {16, 32, 64}; /* more than all tasks together keep */
    unsigned interrupted = 0;

    for (unsigned seed = 1; seed <= 36; seed++) {
        struct post post = {.seed = seed, .count = 1 + seed % MAILS_MAX};
        char ring[64];

        (void) snprintf(ring, sizeof(ring), "sim:seed=%u", seed);
        CU_ASSERT_EQUAL(
            run_with_pool(ring, 1u << seed % 7, counts[seed % 3], DATAGRAM_BYTES, run_post, &post),
            0);
        interrupted += post.interrupted;
    }
    CU_ASSERT(interrupted > 100);
    for (unsigned seed = 1; test_kernel_ring() && seed <= 9; seed++) {
        struct post post = {.seed = seed, .count = 1 + seed % MAILS_MAX};

        CU_ASSERT_EQUAL(run_with_pool(test_kernel_ring(), 1u << seed % 7, counts[seed % 3],
                                      DATAGRAM_BYTES, run_post, &post),
                        0);
    }
}

static int count_letters(void *arg)
{
    struct many *many = arg;
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    ssize_t len = 0;

    ouro_receiver_init_datagram(&receiver, many->fds[1], 2);
    while (many->received < MANY_ROUNDS && (len = ouro_receiver_next(&receiver, &lease)) >= 0) {
        many->received += len == 3 && lease.len == 3;
        (void) ouro_yield(); /* the lease stays out for a while */
        ouro_lease_release(&lease);
    }
    ouro_receiver_done(&receiver);
    return len < 0 ? (int) len : 0;
}

static int share_few_buffers_for_datagrams(void *arg)
{
    struct many many[100];
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i].received = 0;
        CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_DGRAM, 0, many[i].fds), 0);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, count_letters, &many[i]), 0);
    }
    for (unsigned round = 0; round < MANY_ROUNDS; round++)
        for (size_t i = 0; i < COUNT_OF(many); i++)
            send_datagram(many[i].fds[0], "abc", NULL);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        CU_ASSERT_EQUAL(many[i].received, MANY_ROUNDS);
        close_pair(many[i].fds);
    }
    CU_ASSERT(is_pool_full());
    return 0;
}

static void test_hundred_datagram_sockets_share_few_buffers(void)
{
    run_on_each_ring_with_pool(1, DATAGRAM_BYTES, share_few_buffers_for_datagrams, NULL);
    run_on_each_ring_with_pool(8, DATAGRAM_BYTES, share_few_buffers_for_datagrams, NULL);
}

struct stop {
    int fd;
    unsigned sent;
};

static int send_numbers(void *arg)
{
    struct stop *stop = arg;

    while (ouro_sendto(stop->fd, &stop->sent, sizeof(stop->sent), 0, NULL) > 0)
        stop->sent++;
    return 0;
}

static unsigned take_number(struct ouro_receiver *receiver)
{
    struct ouro_lease lease;
    unsigned number = UINT32_MAX;

    if (ouro_receiver_next(receiver, &lease) != sizeof(number))
        return number;
    memcpy(&number, lease.data, sizeof(number));
    ouro_lease_release(&lease);
    return number;
}

/* What a stopped receiver did not get is in the socket, and nothing is lost in between. */
static int stop_in_full_flow(void *arg)
{
    struct ouro_receiver receiver;
    unsigned expected = 0, number;
    struct stop stop = {.sent = 0};
    ouro_task_id sender;
    int fds[2];

    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
    stop.fd = fds[0];
    ouro_receiver_init_datagram(&receiver, fds[1], 3);
    sender = ouro_spawn(send_numbers, &stop);
    for (int i = 0; i < *(int *) arg; i++)
        CU_ASSERT_EQUAL(take_number(&receiver), expected++);
    ouro_receiver_stop(&receiver);
    CU_ASSERT_EQUAL(ouro_cancel_join(sender, NULL), 0);
    while (ouro_receiver_is_ready(&receiver))
        CU_ASSERT_EQUAL(take_number(&receiver), expected++);
    while (ouro_recv(fds[1], &number, sizeof(number), MSG_DONTWAIT) > 0)
        CU_ASSERT_EQUAL(number, expected++);
    CU_ASSERT_EQUAL(expected, stop.sent);
    CU_ASSERT(is_pool_full() || *(int *) arg == 0);
    ouro_receiver_done(&receiver);
    close_pair(fds);
    return 0;
}

/* Some are dropped: those that the receiver had; the others come by another way. */
static int end_datagrams_in_full_flow(void *arg)
{
    struct ouro_receiver receiver;
    unsigned expected = 0, number, first = UINT32_MAX;
    struct stop stop = {.sent = 0};
    ouro_task_id sender;
    int fds[2];

    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
    stop.fd = fds[0];
    ouro_receiver_init_datagram(&receiver, fds[1], 3);
    sender = ouro_spawn(send_numbers, &stop);
    for (int i = 0; i < *(int *) arg; i++)
        CU_ASSERT_EQUAL(take_number(&receiver), expected++);
    ouro_receiver_done(&receiver);
    memset(&receiver, 0x55, sizeof(receiver));
    CU_ASSERT(is_pool_full() || *(int *) arg == 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(sender, NULL), 0);
    while (ouro_recv(fds[1], &number, sizeof(number), MSG_DONTWAIT) > 0) {
        if (first == UINT32_MAX)
            first = expected = number;
        CU_ASSERT_EQUAL(number, expected++);
    }
    CU_ASSERT(first == UINT32_MAX || first >= (unsigned) *(int *) arg);
    close_pair(fds);
    return 0;
}

static void test_datagram_receiver_ends_in_full_flow(void)
{
    for (int count = 0; count < 6; count++) {
        run_on_each_ring_with_pool(16, DATAGRAM_BYTES, stop_in_full_flow, &count);
        run_on_each_ring_with_pool(16, DATAGRAM_BYTES, end_datagrams_in_full_flow, &count);
    }
}

static int receive_in_bad_weather(void *arg)
{
    struct ouro_address name, sender_name;
    int fd = open_bound(UDP4, &name), sender = open_bound(UDP4, &sender_name);
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    unsigned *received = arg;

    ouro_receiver_init_datagram(&receiver, fd, 8);
    for (int i = 0; i < 100; i++)
        (void) ouro_sendto(sender, "0123456789", (size_t) i % 11, 0, &name);
    for (;;) {
        struct ouro_timeout limit;
        ssize_t len;

        ouro_timeout_begin(&limit, OURO_SECOND);
        len = ouro_receiver_next(&receiver, &lease);
        if (ouro_timeout_end(&limit))
            break;
        CU_ASSERT(len >= 0 && len <= 10 &&
                  !memcmp(lease.len ? lease.data : "", "0123456789", lease.len));
        *received += len >= 0;
        ouro_lease_release(&lease);
    }
    ouro_receiver_done(&receiver);
    CU_ASSERT(is_pool_full());
    (void) ouro_close(sender);
    (void) ouro_close(fd);
    return 0;
}

static void test_lost_and_doubled_datagrams_disturb_no_receiver(void)
{
    unsigned received = 0;

    for (int seed = 0; seed < 10; seed++) {
        char ring[64];

        (void) snprintf(ring, sizeof(ring), "sim:seed=%d,errors=30", seed);
        CU_ASSERT_EQUAL(
            run_with_pool(ring, 0, 8, DATAGRAM_BYTES, receive_in_bad_weather, &received), 0);
    }
    CU_ASSERT(received > 300 && received != 1000);
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

/* The same with datagrams: two sends and the other end's receive each. */
static int count_submissions_of_datagrams(void *arg)
{
    struct ouro_address name, client_name, from;
    int fd = open_bound(UDP4, &name), client = open_bound(UDP4, &client_name);
    struct ouro_counters before, after;
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    char byte;

    (void) arg;
    ouro_receiver_init_datagram(&receiver, fd, 4);
    for (int i = 0; i < ECHOES; i++) {
        if (i == 1)
            CU_ASSERT_EQUAL(ouro_stats(&before), 0);
        send_datagram(client, "x", &name);
        CU_ASSERT_EQUAL(ouro_receiver_next_from(&receiver, &lease, &from), 1);
        CU_ASSERT_EQUAL(ouro_sendto(fd, lease.data, lease.len, 0, &from), 1);
        ouro_lease_release(&lease);
        CU_ASSERT_EQUAL(ouro_recv(client, &byte, 1, 0), 1);
    }
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    if (ouro__dispatcher->ring.simulated)
        CU_ASSERT(after.sqes - before.sqes < 3 * (ECHOES - 1) + ECHOES / 8)
    else
        CU_ASSERT_EQUAL(after.sqes - before.sqes, 3 * (ECHOES - 1))
    ouro_receiver_done(&receiver);
    CU_ASSERT_EQUAL(ouro_close(client), 0);
    return ouro_close(fd);
}

/* Linux takes an empty datagram for the end of something: each costs a submission more. */
static int count_submissions_of_empty_ones(void *arg)
{
    struct ouro_address name, client_name;
    int fd = open_bound(UDP4, &name), client = open_bound(UDP4, &client_name);
    struct ouro_counters before, after;
    struct ouro_receiver receiver;

    (void) arg;
    ouro_receiver_init_datagram(&receiver, fd, 4);
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    for (int i = 0; i < ECHOES; i++) {
        send_datagram(client, "", &name);
        CU_ASSERT(receives_from(&receiver, "", &client_name));
    }
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(after.sqes - before.sqes, 2 * ECHOES);
    ouro_receiver_done(&receiver);
    CU_ASSERT_EQUAL(ouro_close(client), 0);
    return ouro_close(fd);
}

static void test_datagram_costs_no_submission_but_an_empty_one(void)
{
    run_on_each_ring_with_pool(16, DATAGRAM_BYTES, count_submissions_of_datagrams, NULL);
    run_on_each_ring_with_pool(16, DATAGRAM_BYTES, count_submissions_of_empty_ones, NULL);
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

struct refused {
    struct ouro_receiver receiver;
    ssize_t result;
};

static int be_told(void *arg)
{
    struct refused *refused = arg;
    struct ouro_lease lease;

    refused->result = ouro_receiver_next(&refused->receiver, &lease);
    return 0;
}

/*
 * A task is cancelled in the turn in which an error comes. When it has not run since, it hears
 * of the cancellation, and the error is for the next call.
 */
static int race_a_refusal(void *arg)
{
    struct ouro_address name, nobody;
    int gone = open_privately(&nobody), fd = open_bound(UDP4, &name);
    struct refused refused;
    struct ouro_lease lease;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_close(gone), 0);
    connect_fd(fd, &nobody);
    ouro_receiver_init_datagram(&refused.receiver, fd, 1);
    for (int round = 0; round < 50; round++) {
        ouro_task_id task = ouro_spawn(be_told, &refused);
        bool is_told;

        refused.result = 1;
        CU_ASSERT_EQUAL(ouro_yield(), 0);
        CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), 1);
        for (int i = 0; i < round % 4; i++)
            CU_ASSERT_EQUAL(ouro_yield(), 0);
        is_told = refused.result != 1;
        CU_ASSERT_EQUAL(ouro_cancel_join(task, NULL), 0);
        CU_ASSERT_EQUAL(refused.result, is_told ? -ECONNREFUSED : -ECANCELED);
        if (!is_told)
            CU_ASSERT_EQUAL(ouro_receiver_next(&refused.receiver, &lease), -ECONNREFUSED);
    }
    ouro_receiver_done(&refused.receiver);
    CU_ASSERT(is_pool_full());
    return ouro_close(fd);
}

static void test_error_that_raced_a_cancel_is_not_lost(void)
{
    run_on_each_ring_with_pool(4, DATAGRAM_BYTES, race_a_refusal, NULL);
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
    TEST(test_datagrams_come_one_by_one_with_their_senders),
    TEST(test_bytes_of_a_stream_have_no_sender),
    TEST(test_longest_name_of_a_sender_fits),
    TEST(test_datagram_longer_than_a_buffer_is_cut_off_and_told),
    TEST(test_buffers_without_room_for_datagrams_are_refused),
    TEST(test_refusal_is_told_once_and_receiving_goes_on),
    TEST(test_datagrams_have_no_end),
    TEST(test_quota_leaves_datagrams_in_the_socket),
    TEST(test_unread_datagrams_are_moved_with_their_senders),
    TEST(test_descriptors_that_nobody_can_take_are_closed),
    TEST(test_every_unix_datagram_comes_once_and_in_order),
    TEST(test_hundred_datagram_sockets_share_few_buffers),
    TEST(test_datagram_receiver_ends_in_full_flow),
    TEST(test_lost_and_doubled_datagrams_disturb_no_receiver),
    TEST(test_message_costs_no_submission),
    TEST(test_datagram_costs_no_submission_but_an_empty_one),
    TEST(test_cancelled_next_loses_nothing),
    TEST(test_error_that_raced_a_cancel_is_not_lost),
    TEST(test_loop_ends_while_the_pool_is_busy),
    TEST(test_misuse_is_checked),
    TEST_END,
};
