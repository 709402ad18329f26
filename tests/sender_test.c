/* SPDX-License-Identifier: MIT */
/*
 * sender_test.c - tests of engine/sender.c
 *
 * Whatever the seed, the size of the queue and the receiver's pace: all bytes arrive, in order,
 * the function is called once, in the loop, and a cancelled sender ends soon.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatcher.h"
#include "loop.h"

#define LONG (300 * 1000) /* more than two sockets hold on the simulated ring */

struct sending {
    struct ouro_sender sender; /* first */
    struct ouro_event done;
    int code;
    unsigned calls;
};

static void tell(struct ouro_sender *sender, int code)
{
    struct sending *sending = (struct sending *) (void *) sender;

    CU_ASSERT_EQUAL(ouro_self(), 0);
    CU_ASSERT(!ouro_sender_is_sending(sender));
    sending->code = code;
    sending->calls++;
    ouro_event_set(&sending->done);
}

static void init(struct sending *sending)
{
    memset(sending, 0, sizeof(*sending));
    ouro_event_init(&sending->done);
}

static void fill(char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (char) (i * 7 + i / 256);
}

struct flow {
    char *data, *received;
    int fd;
};

static int receive_all(void *arg)
{
    struct flow *flow = arg;

    return ouro_recv_exact(flow->fd, flow->received, LONG, NULL);
}

static int send_long(void *arg)
{
    char *memory = malloc(2 * LONG);
    struct flow flow = {.data = memory, .received = memory + LONG};
    struct sending sending;
    ouro_task_id id;
    int fds[2], code = -1;

    (void) arg;
    fill(flow.data, LONG);
    make_pair(fds);
    flow.fd = fds[1];
    init(&sending);
    CU_ASSERT(!ouro_sender_is_sending(&sending.sender));
    ouro_sender_start(&sending.sender, fds[0], flow.data, LONG, tell);
    CU_ASSERT(ouro_sender_is_sending(&sending.sender));
    id = ouro_spawn(receive_all, &flow);
    CU_ASSERT_EQUAL(ouro_event_wait(&sending.done), 0);
    CU_ASSERT_EQUAL(sending.code, 0);
    CU_ASSERT_EQUAL(ouro_join(id, &code), 0);
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_EQUAL(memcmp(flow.data, flow.received, LONG), 0);
    CU_ASSERT_EQUAL(sending.calls, 1);
    close_pair(fds);
    free(memory);
    return 0;
}

static void test_all_bytes_arrive_in_order(void)
{
    for (unsigned seed = 1; seed <= 30; seed++) {
        char ring[64];

        (void) snprintf(ring, sizeof(ring), "sim:seed=%u,short=%u", seed, seed % 2 ? 50 : 0);
        CU_ASSERT_EQUAL(run_with(ring, 1u << seed % 7, send_long, NULL), 0);
    }
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 1, send_long, NULL), 0);
}

/* Nobody receives: it would go on for ever. */
static int cancel_a_long_one(void *arg)
{
    char *data = calloc(100, LONG);
    struct sending sending;
    int fds[2];

    (void) arg;
    make_pair(fds);
    init(&sending);
    ouro_sender_cancel(&sending.sender); /* of nothing */
    ouro_sender_start(&sending.sender, fds[0], data, (size_t) 100 * LONG, tell);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    CU_ASSERT_EQUAL(sending.calls, 0);
    ouro_sender_cancel(&sending.sender);
    ouro_sender_cancel(&sending.sender);
    CU_ASSERT(ouro_sender_is_sending(&sending.sender));
    CU_ASSERT_EQUAL(ouro_event_wait(&sending.done), 0);
    CU_ASSERT_EQUAL(sending.code, -ECANCELED);
    CU_ASSERT_EQUAL(sending.calls, 1);
    close_pair(fds);
    free(data);
    return 0;
}

static void test_cancelled_sender_ends(void)
{
    run_on_each_ring(cancel_a_long_one, NULL);
}

/* The queue has one entry, which the first takes: the kernel never sees the others' bytes. */
static int cancel_staged_ones(void *arg)
{
    struct sending sendings[3];
    char bytes[8];
    int fds[2];

    (void) arg;
    make_pair(fds);
    for (int i = 0; i < 3; i++) {
        init(&sendings[i]);
        ouro_sender_start(&sendings[i].sender, fds[0], &"abc"[i], 1, tell);
    }
    ouro_sender_cancel(&sendings[1].sender);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(ouro_event_wait(&sendings[i].done), 0);
        CU_ASSERT_EQUAL(sendings[i].code, i == 1 ? -ECANCELED : 0);
    }
    CU_ASSERT_EQUAL(ouro_recv_exact(fds[1], bytes, 2, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(bytes, "ac", 2), 0);
    close_pair(fds);
    return 0;
}

static void test_staged_sender_can_be_cancelled(void)
{
    CU_ASSERT_EQUAL(run_with(test_sim_ring(), 1, cancel_staged_ones, NULL), 0);
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 1, cancel_staged_ones, NULL), 0);
}

static int send_to_nobody(void *arg)
{
    struct sending sending;
    int fds[2];

    (void) arg;
    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_shutdown(fds[0], SHUT_WR), 0);
    init(&sending);
    ouro_sender_start(&sending.sender, fds[0], "x", 1, tell);
    CU_ASSERT_EQUAL(ouro_event_wait(&sending.done), 0);
    CU_ASSERT_EQUAL(sending.code, -EPIPE); /* and no SIGPIPE, which ouro_run() ignores anyway */
    ouro_sender_start(&sending.sender, -1, "x", 1, tell);
    ouro_event_clear(&sending.done);
    CU_ASSERT_EQUAL(ouro_event_wait(&sending.done), 0);
    CU_ASSERT_EQUAL(sending.code, -EBADF);
    close_pair(fds);
    return 0;
}

static void test_errors_are_told(void)
{
    run_on_each_ring(send_to_nobody, NULL);
}

static int start_twice(void *arg)
{
    static struct sending sending;
    int fds[2];

    (void) arg;
    make_pair(fds);
    init(&sending);
    ouro_sender_start(&sending.sender, fds[0], "x", 1, tell);
    ouro_sender_start(&sending.sender, fds[0], "x", 1, tell);
    return 0;
}

static int forget(void *arg)
{
    static struct sending sending;
    static char data[100 * LONG];
    int fds[2];

    (void) arg;
    make_pair(fds);
    init(&sending);
    ouro_sender_start(&sending.sender, fds[0], data, sizeof(data), tell);
    return 0;
}

static void test_misuse_is_checked(void)
{
    CU_ASSERT(is_checked(start_twice, "a sender is started twice"));
    CU_ASSERT(is_checked(forget, "the loop is still in use"));
}

const struct test sender_tests[] = {TEST(test_all_bytes_arrive_in_order),
                                    TEST(test_cancelled_sender_ends),
                                    TEST(test_staged_sender_can_be_cancelled),
                                    TEST(test_errors_are_told),
                                    TEST(test_misuse_is_checked),
                                    TEST_END};
