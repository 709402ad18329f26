/* SPDX-License-Identifier: MIT */
/*
 * acceptor_test.c - tests of engine/acceptor.c
 *
 * Whoever connects is accepted once: taken by a call, closed by done(), or left in the listener's
 * queue. (tests/cancel_rows.c cancels and times out calls at every point.)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "loop.h"

#define CLIENTS 200

struct crowd {
    struct ouro_address address;
    int fds[CLIENTS];
};

/* Each says who it is. */
static int connect_all(void *arg)
{
    struct crowd *crowd = arg;

    for (int i = 0; i < CLIENTS; i++) {
        unsigned char name = (unsigned char) i;

        crowd->fds[i] = connect_to(&crowd->address);
        CU_ASSERT_EQUAL(ouro_send_all(crowd->fds[i], &name, 1, NULL), 0);
    }
    return 0;
}

static int accept_all(void *arg)
{
    unsigned char seen[CLIENTS] = {0}, name;
    struct ouro_acceptor acceptor;
    struct crowd crowd;
    ouro_task_id id;
    int listener = listen_locally(&crowd.address);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_acceptor_init(&acceptor, listener), 0);
    id = ouro_spawn(connect_all, &crowd);
    for (int i = 0; i < CLIENTS; i++) {
        int fd = ouro_acceptor_next(&acceptor);

        CU_ASSERT_FATAL(fd >= 0);
        CU_ASSERT_EQUAL(ouro_recv_exact(fd, &name, 1, NULL), 0);
        CU_ASSERT_EQUAL(ouro_close(fd), 0);
        seen[name]++;
    }
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    for (int i = 0; i < CLIENTS; i++) {
        CU_ASSERT_EQUAL(seen[i], 1);
        CU_ASSERT_EQUAL(ouro_close(crowd.fds[i]), 0);
    }
    ouro_acceptor_done(&acceptor);
    return ouro_close(listener);
}

static void test_each_connection_comes_once(void)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        char ring[64];

        (void) snprintf(ring, sizeof(ring), "sim:seed=%u", seed);
        CU_ASSERT_EQUAL(run_with(ring, 1u << seed % 7, accept_all, NULL), 0);
    }
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, accept_all, NULL), 0);
}

/* Those that were accepted and not taken hear that nobody wants them. */
static int leave_some(void *arg)
{
    struct ouro_acceptor acceptor;
    struct crowd crowd;
    int listener = listen_locally(&crowd.address), fd;
    char byte;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_acceptor_init(&acceptor, listener), 0);
    CU_ASSERT_EQUAL(ouro_join(ouro_spawn(connect_all, &crowd), NULL), 0);
    fd = ouro_acceptor_next(&acceptor);
    CU_ASSERT(fd >= 0);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    ouro_acceptor_done(&acceptor);
    CU_ASSERT_EQUAL(ouro_close(listener), 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    for (int i = 0; i < CLIENTS; i++) {
        ssize_t result = ouro_recv(crowd.fds[i], &byte, 1, 0);

        CU_ASSERT(result == 0 || result == -ECONNRESET);
        CU_ASSERT_EQUAL(ouro_close(crowd.fds[i]), 0);
    }
    return 0;
}

static void test_nobody_who_was_accepted_is_forgotten(void)
{
    for (int i = 0; i < 10; i++)
        run_on_each_ring(leave_some, NULL);
}

static int accept_without_descriptors(void *arg)
{
    struct ouro_acceptor acceptor;
    struct ouro_address address;
    int listener = listen_locally(&address), fds[2], fd;
    struct rlimit limit, none;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_acceptor_init(&acceptor, listener), 0);
    fds[0] = connect_to(&address);
    fds[1] = connect_to(&address);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit) {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    CU_ASSERT_EQUAL(ouro_acceptor_next(&acceptor), -EMFILE);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int i = 0; i < 2; i++) {
        fd = ouro_acceptor_next(&acceptor);
        CU_ASSERT(fd >= 0);
        (void) ouro_close(fd);
        (void) ouro_close(fds[i]);
    }
    ouro_acceptor_done(&acceptor);
    return ouro_close(listener);
}

static void test_shortage_is_told_and_loses_nobody(void)
{
    if (!test_kernel_ring()) {
        TEST_SKIP("there is no io_uring here");
        return;
    }
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, accept_without_descriptors, NULL), 0);
}

static int accept_on_nothing(void *arg)
{
    struct ouro_acceptor acceptor;
    int fd = ouro_socket(AF_INET, SOCK_STREAM, 0);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_acceptor_init(&acceptor, fd), 0);
    CU_ASSERT_EQUAL(ouro_acceptor_next(&acceptor), -EINVAL);
    CU_ASSERT_EQUAL(ouro_acceptor_next(&acceptor), -EINVAL);
    ouro_acceptor_done(&acceptor);
    return ouro_close(fd);
}

static void test_socket_that_does_not_listen_is_refused(void)
{
    run_on_each_ring(accept_on_nothing, NULL);
}

const struct test acceptor_tests[] = {TEST(test_each_connection_comes_once),
                                      TEST(test_nobody_who_was_accepted_is_forgotten),
                                      TEST(test_shortage_is_told_and_loses_nobody),
                                      TEST(test_socket_that_does_not_listen_is_refused), TEST_END};
