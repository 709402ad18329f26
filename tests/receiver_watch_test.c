/* SPDX-License-Identifier: MIT */
/*
 * receiver_watch_test.c - tests of engine/receiver.c: receivers that no task waits for
 *
 * One task sees to all the receivers that have said they are ready, and watches each again when
 * there is nothing more: as servers do. The bytes that go in come out, in order, however few
 * buffers there are, and no function is called twice or too early.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer_pool.h"
#include "dispatcher.h"
#include "loop.h"

#define PEERS       300
#define ROUNDS      5
#define ROUND_BYTES 100 /* more than a buffer */

struct peer {
    struct ouro_receiver receiver; /* first */
    struct room *room;
    struct peer *next; /* in the room's queue */
    int fds[2];
    unsigned received;
    bool is_queued;
    bool has_ended;
};

struct room {
    struct peer peers[PEERS];
    struct peer *queue;
    struct ouro_event event;
    unsigned live_count;
};

static void enqueue(struct ouro_receiver *receiver)
{
    struct peer *peer = (struct peer *) (void *) receiver;

    CU_ASSERT(!peer->is_queued);
    CU_ASSERT(ouro_receiver_is_ready(receiver));
    CU_ASSERT_EQUAL(ouro_self(), 0); /* no task runs meanwhile */
    peer->is_queued = true;
    peer->next = peer->room->queue;
    peer->room->queue = peer;
    ouro_event_set(&peer->room->event);
}

/* The n-th byte of a peer is n; returns false at the end. */
static bool take_one(struct peer *peer)
{
    struct ouro_lease lease;
    ssize_t got = ouro_receiver_next(&peer->receiver, &lease);

    CU_ASSERT(got >= 0);
    if (got <= 0)
        return false;
    for (ssize_t i = 0; i < got; i++)
        CU_ASSERT_EQUAL(lease.data[i], (char) peer->received++);
    ouro_lease_release(&lease);
    return true;
}

static void see_to(struct peer *peer)
{
    peer->is_queued = false;
    while (ouro_receiver_watch(&peer->receiver, enqueue) == 1) {
        if (take_one(peer))
            continue;
        peer->has_ended = true;
        peer->room->live_count--;
        return;
    }
}

static int see_to_all(void *arg)
{
    struct room *room = arg;
    struct peer *peer;

    while (room->live_count > 0) {
        CU_ASSERT_EQUAL(ouro_event_wait(&room->event), 0);
        ouro_event_clear(&room->event);
        while ((peer = room->queue)) {
            room->queue = peer->next;
            see_to(peer);
        }
    }
    return 0;
}

static void send_round(struct peer *peer, unsigned round)
{
    char bytes[ROUND_BYTES];

    for (unsigned i = 0; i < ROUND_BYTES; i++)
        bytes[i] = (char) (round * ROUND_BYTES + i);
    CU_ASSERT_EQUAL(ouro_send_all(peer->fds[0], bytes, ROUND_BYTES, NULL), 0);
}

static void open_room(struct room *room)
{
    ouro_event_init(&room->event);
    room->live_count = PEERS;
    for (unsigned i = 0; i < PEERS; i++) {
        struct peer *peer = &room->peers[i];

        peer->room = room;
        make_pair(peer->fds);
        ouro_receiver_init(&peer->receiver, peer->fds[1], 0);
        CU_ASSERT_EQUAL(ouro_receiver_watch(&peer->receiver, enqueue), 0);
    }
}

static int watch_many(void *arg)
{
    struct room *room = calloc(1, sizeof(*room));
    ouro_task_id id;

    (void) arg;
    if (!room)
        return -ENOMEM;
    open_room(room);
    id = ouro_spawn(see_to_all, room);
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned i = 0; i < PEERS; i++)
            send_round(&room->peers[i], round);
    for (unsigned i = 0; i < PEERS; i++)
        CU_ASSERT_EQUAL(ouro_shutdown(room->peers[i].fds[0], SHUT_WR), 0);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    for (unsigned i = 0; i < PEERS; i++) {
        CU_ASSERT_EQUAL(room->peers[i].received, ROUNDS * ROUND_BYTES);
        ouro_receiver_done(&room->peers[i].receiver);
        close_pair(room->peers[i].fds);
    }
    free(room);
    return 0;
}

static int run_with_buffers(const char *ring, unsigned count, ouro_task_fn *fn)
{
    struct ouro_run_options options = {.ring = ring, .buffer_count = count, .buffer_bytes = 64};

    return ouro_run(fn, NULL, &options);
}

static void test_one_task_sees_to_many_receivers(void)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        char ring[64];

        (void) snprintf(ring, sizeof(ring), "sim:seed=%u,short=%u", seed, seed % 2 ? 50 : 0);
        CU_ASSERT_EQUAL(run_with_buffers(ring, seed % 3 ? 4 : 256, watch_many), 0);
    }
    if (test_kernel_ring()) {
        CU_ASSERT_EQUAL(run_with_buffers(test_kernel_ring(), 4, watch_many), 0);
        CU_ASSERT_EQUAL(run_with_buffers(test_kernel_ring(), 256, watch_many), 0);
    }
}

/* --- single cases ------------------------------------------------------------------------- */

static unsigned call_count;

static void count_call(struct ouro_receiver *receiver)
{
    (void) receiver;
    call_count++;
}

static void must_not_be_called(struct ouro_receiver *receiver)
{
    (void) receiver;
    CU_FAIL("a watch that had ended");
}

static int watch_what_is_ready(void *arg)
{
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 0);
    call_count = 0;
    CU_ASSERT_EQUAL(ouro_receiver_watch(&receiver, count_call), 0);
    CU_ASSERT_EQUAL(ouro_send_all(fds[0], "a", 1, NULL), 0);
    while (!ouro_receiver_is_ready(&receiver))
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(call_count, 1);
    CU_ASSERT_EQUAL(ouro_receiver_watch(&receiver, must_not_be_called), 1);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 1);
    ouro_lease_release(&lease);
    CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 0);
    CU_ASSERT_EQUAL(call_count, 1);
    ouro_receiver_done(&receiver);
    return ouro_close(fds[1]);
}

static void test_what_is_ready_is_not_watched(void)
{
    run_on_each_ring(watch_what_is_ready, NULL);
}

/* What comes after the watch has ended is not lost. */
static int end_watches(void *arg)
{
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 0);
    ouro_receiver_unwatch(&receiver); /* of nothing */
    CU_ASSERT_EQUAL(ouro_receiver_watch(&receiver, must_not_be_called), 0);
    ouro_receiver_unwatch(&receiver);
    CU_ASSERT_EQUAL(ouro_send_all(fds[0], "ab", 2, NULL), 0);
    CU_ASSERT_EQUAL(ouro_receiver_next(&receiver, &lease), 2);
    ouro_lease_release(&lease);
    CU_ASSERT_EQUAL(ouro_receiver_watch(&receiver, must_not_be_called), 0);
    ouro_receiver_stop(&receiver);
    CU_ASSERT_EQUAL(ouro_receiver_watch(&receiver, must_not_be_called), 0);
    ouro_receiver_done(&receiver);
    close_pair(fds);
    return 0;
}

static void test_watch_ends_when_it_is_told_to(void)
{
    run_on_each_ring(end_watches, NULL);
}

/* A watch may bring about anything: who waits for its event is no deadlock. */
static int wait_for_a_reset(void *arg)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct room *room = calloc(1, sizeof(*room));
    struct peer *peer = &room->peers[0];
    struct ouro_lease lease;

    (void) arg;
    ouro_event_init(&room->event);
    peer->room = room;
    make_pair(peer->fds);
    ouro_receiver_init(&peer->receiver, peer->fds[1], 0);
    CU_ASSERT_EQUAL(ouro_receiver_watch(&peer->receiver, enqueue), 0);
    CU_ASSERT_EQUAL(ouro_setsockopt(peer->fds[0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    CU_ASSERT_EQUAL(ouro_close(peer->fds[0]), 0);
    CU_ASSERT_EQUAL(ouro_event_wait(&room->event), 0);
    CU_ASSERT_EQUAL(ouro_receiver_next(&peer->receiver, &lease), -ECONNRESET);
    ouro_receiver_done(&peer->receiver);
    (void) ouro_close(peer->fds[1]);
    free(room);
    return 0;
}

static void test_watch_hears_of_errors(void)
{
    run_on_each_ring(wait_for_a_reset, NULL);
}

static int watch_and_wait(void *arg)
{
    static struct ouro_receiver receiver;
    struct ouro_lease lease;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_receiver_init(&receiver, fds[1], 1);
    CU_ASSERT_EQUAL(ouro_receiver_watch(&receiver, count_call), 0);
    return (int) ouro_receiver_next(&receiver, &lease);
}

static void test_waiting_for_what_is_watched_is_checked(void)
{
    CU_ASSERT(is_checked(watch_and_wait, "two tasks use one receiver"));
}

const struct test receiver_watch_tests[] = {
    TEST(test_one_task_sees_to_many_receivers),        TEST(test_what_is_ready_is_not_watched),
    TEST(test_watch_ends_when_it_is_told_to),          TEST(test_watch_hears_of_errors),
    TEST(test_waiting_for_what_is_watched_is_checked), TEST_END};
