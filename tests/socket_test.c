/* SPDX-License-Identifier: MIT */
/*
 * socket_test.c - tests of engine/socket.c
 *
 * Each runs on the kernel's ring and on the simulated one, there also with nine of ten
 * transfers cut short. Calls that are interrupted are in op_test.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>

#include "check.h"
#include "loop.h"

static void run_on_all_rings(ouro_task_fn *fn, void *arg)
{
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, fn, arg), 0);
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 1, fn, arg), 0);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(run_with(test_sim_ring(), i % 2 ? 0 : 1, fn, arg), 0);
    CU_ASSERT_EQUAL(run_with("sim:seed=1,short=90", 0, fn, arg), 0);
    CU_ASSERT_EQUAL(run_with("sim:seed=2,short=90", 4, fn, arg), 0);
}

/* --- echo ---------------------------------------------------------------------------------- */

static int echo(void *arg)
{
    int fd = ouro_accept(*(int *) arg, NULL);
    char buf[100];
    ssize_t got;

    CU_ASSERT(fd >= 0);
    while ((got = ouro_recv(fd, buf, sizeof(buf), 0)) > 0)
        CU_ASSERT_EQUAL(ouro_send_all(fd, buf, (size_t) got, NULL), 0);
    CU_ASSERT_EQUAL(got, 0);
    return ouro_close(fd);
}

/* Connects by the address in `arg`, which an echo server listens at. */
static int talk_to_echo(void *arg)
{
    struct ouro_address address;
    int listener = listen_at(arg, &address);
    ouro_task_id server = ouro_spawn(echo, &listener);
    int fd = connect_to(&address);
    char buf[256], back[256] = "";
    int result = -1;

    for (size_t i = 0; i < sizeof(buf); i++)
        buf[i] = (char) i;
    for (size_t len = 1; len <= sizeof(buf); len *= 2) {
        CU_ASSERT_EQUAL(ouro_send_all(fd, buf, len, NULL), 0);
        CU_ASSERT_EQUAL(ouro_recv_exact(fd, back, len, NULL), 0);
        CU_ASSERT_EQUAL(memcmp(buf, back, len), 0);
    }
    CU_ASSERT_EQUAL(ouro_shutdown(fd, SHUT_WR), 0);
    CU_ASSERT_EQUAL(ouro_recv(fd, back, sizeof(back), 0), 0);
    CU_ASSERT_EQUAL(ouro_join(server, &result), 0);
    CU_ASSERT_EQUAL(result, 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_close(listener), 0);
    return 0;
}

static void test_echo_over_tcp(void)
{
    run_on_all_rings(talk_to_echo, (void *) (uintptr_t) "127.0.0.1:0");
}

static bool has_ipv6(void)
{
    struct ouro_address address;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answer = !ouro_address_parse("[::1]:0", -1, &address) && fd >= 0 &&
                  !bind(fd, &address.sockaddr, address.len);

    if (fd >= 0)
        (void) close(fd);
    return answer;
}

static void test_echo_over_ipv6(void)
{
    CU_ASSERT_EQUAL(run_sim(talk_to_echo, (void *) (uintptr_t) "[::1]:0"), 0);
    if (!has_ipv6()) {
        TEST_SKIP("this machine has no IPv6");
        return;
    }
    run_on_all_rings(talk_to_echo, (void *) (uintptr_t) "[::1]:0");
}

static void test_echo_over_an_abstract_unix_socket(void)
{
    char text[64];

    (void) snprintf(text, sizeof(text), "unix:@ouro-test-%d", (int) getpid());
    run_on_all_rings(talk_to_echo, text);
}

static void test_echo_over_a_unix_path(void)
{
    char directory[] = "/tmp/ouro-socket-XXXXXX";
    char text[64];

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    (void) snprintf(text, sizeof(text), "unix:%s/socket", directory);
    CU_ASSERT_EQUAL(run_sim(talk_to_echo, text), 0);
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, talk_to_echo, text), 0);
    CU_ASSERT_EQUAL(unlink(text + strlen("unix:")), 0); /* the simulation made none */
    CU_ASSERT_EQUAL(rmdir(directory), 0);
}

/* --- large transfers ----------------------------------------------------------------------- */

#define LARGE ((size_t) 8 << 20)

struct transfer {
    int fds[2];
    const char *bytes;
    size_t sent;
    bool is_done;
};

static int send_large(void *arg)
{
    struct transfer *transfer = arg;

    CU_ASSERT_EQUAL(ouro_send_all(transfer->fds[0], transfer->bytes, LARGE, &transfer->sent), 0);
    transfer->is_done = true;
    return ouro_shutdown(transfer->fds[0], SHUT_WR);
}

static int move_large(void *arg)
{
    struct transfer transfer = {.bytes = arg};
    char *copy = malloc(LARGE);
    ouro_task_id sender;
    size_t received = 0;
    char byte;

    CU_ASSERT_PTR_NOT_NULL(copy);
    make_pair(transfer.fds);
    sender = ouro_spawn(send_large, &transfer);
    CU_ASSERT_EQUAL(ouro_recv_exact(transfer.fds[1], copy, 1, NULL), 0);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT(!transfer.is_done); /* the sender waits for a slow receiver */
    CU_ASSERT_EQUAL(ouro_recv_exact(transfer.fds[1], copy + 1, LARGE - 1, &received), 0);
    CU_ASSERT_EQUAL(received, LARGE - 1);
    CU_ASSERT_EQUAL(memcmp(copy, transfer.bytes, LARGE), 0);
    CU_ASSERT_EQUAL(ouro_recv(transfer.fds[1], &byte, 1, 0), 0);
    CU_ASSERT_EQUAL(ouro_join(sender, NULL), 0);
    CU_ASSERT_EQUAL(transfer.sent, LARGE);
    close_pair(transfer.fds);
    free(copy);
    return 0;
}

static void test_eight_mebibytes_pass_a_slow_receiver_unharmed(void)
{
    char *bytes = malloc(LARGE);

    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char) (i * 31 + i / 4093);
    CU_ASSERT_EQUAL(run_sim(move_large, bytes), 0);
    CU_ASSERT_EQUAL(run_with("sim:seed=1,short=90", 0, move_large, bytes), 0);
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, move_large, bytes), 0);
    free(bytes);
}

/* --- ends ---------------------------------------------------------------------------------- */

static int meet_the_end(void *arg)
{
    char buf[10] = "";
    size_t received = 99;
    int fds[2];

    (void) arg;
    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_send_all(fds[0], "abc", 3, NULL), 0);
    CU_ASSERT_EQUAL(ouro_shutdown(fds[0], SHUT_WR), 0);
    CU_ASSERT_EQUAL(ouro_recv_exact(fds[1], buf, sizeof(buf), &received), OURO_EEOF);
    CU_ASSERT_EQUAL(received, 3);
    CU_ASSERT_STRING_EQUAL(buf, "abc");
    CU_ASSERT_EQUAL(ouro_recv(fds[1], buf, sizeof(buf), 0), 0);
    CU_ASSERT_EQUAL(ouro_send_all(fds[1], "back", 4, NULL), 0); /* this way is still open */
    CU_ASSERT_EQUAL(ouro_recv_exact(fds[0], buf, 4, &received), 0);
    CU_ASSERT_EQUAL(received, 4);
    CU_ASSERT_EQUAL(ouro_recv_exact(fds[0], buf, 0, &received), 0);
    CU_ASSERT_EQUAL(received, 0);
    close_pair(fds);
    return 0;
}

static void test_end_of_stream_is_0_or_inside_a_message_an_error(void)
{
    run_on_all_rings(meet_the_end, NULL);
}

static int send_into_the_void(void *arg)
{
    size_t sent = 99;
    int fds[2];

    (void) arg;
    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_shutdown(fds[0], SHUT_WR), 0);
    CU_ASSERT_EQUAL(ouro_send(fds[0], "x", 1, 0), -EPIPE);
    CU_ASSERT_EQUAL(ouro_send_all(fds[0], "x", 1, &sent), -EPIPE);
    CU_ASSERT_EQUAL(sent, 0);
    close_pair(fds);
    return 0;
}

static int send_with_sigpipe(void *ring)
{
    struct ouro_run_options options = {.ring = ring, .keep_sigpipe = true};

    (void) signal(SIGPIPE, SIG_DFL);
    return ouro_run(send_into_the_void, NULL, &options) == 0 ? 42 : 1;
}

static void test_sending_into_a_closed_stream_is_an_error_without_a_signal(void)
{
    struct child child = run_in_child(send_with_sigpipe, (void *) (uintptr_t) test_kernel_ring());

    CU_ASSERT(exited_with(&child, 42));
    run_on_all_rings(send_into_the_void, NULL);
}

static int meet_errors(void *arg)
{
    struct ouro_address address, same;
    int listener = listen_privately(&address);
    int fd = ouro_socket(AF_INET, SOCK_STREAM, 0);
    char byte;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_recv(fd, &byte, 1, 0), -ENOTCONN);
    CU_ASSERT_EQUAL(ouro_shutdown(fd, SHUT_RDWR), -ENOTCONN);
    CU_ASSERT_EQUAL(ouro_accept(fd, NULL), -EINVAL); /* it does not listen */
    CU_ASSERT_EQUAL(ouro_getpeername(fd, &same), -ENOTCONN);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_recv(fd, &byte, 1, 0), -EBADF);
    CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), -EBADF);
    CU_ASSERT_EQUAL(ouro_accept(fd, NULL), -EBADF);
    CU_ASSERT_EQUAL(ouro_poll(fd, POLLIN), -EBADF);
    CU_ASSERT_EQUAL(ouro_close(fd), -EBADF);
    CU_ASSERT_EQUAL(ouro_socket(AF_INET, 999, 0), -EINVAL);
    CU_ASSERT_EQUAL(ouro_socket(AF_INET, SOCK_RAW, 300), -EINVAL);
    CU_ASSERT_EQUAL(ouro_socket(AF_INET6, SOCK_STREAM, -1), -EINVAL);
    CU_ASSERT_EQUAL(ouro_listen(&address, 0), -EADDRINUSE);
    CU_ASSERT_EQUAL(ouro_close(listener), 0);
    listener = ouro_listen(&address, 1); /* free again at once */
    CU_ASSERT(listener >= 0);
    CU_ASSERT_EQUAL(ouro_close(listener), 0);
    fd = ouro_socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(ouro_connect(fd, &address.sockaddr, address.len), -ECONNREFUSED);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return 0;
}

static void test_errors_are_those_of_the_system_calls(void)
{
    run_on_all_rings(meet_errors, NULL);
}

/* --- names and options --------------------------------------------------------------------- */

static bool is_same(const struct ouro_address *a, const struct ouro_address *b)
{
    char texts[2][OURO_ADDRESS_TEXT_MAX];

    return !strcmp(ouro_address_format(a, texts[0]), ouro_address_format(b, texts[1]));
}

static int ask_for_names(void *arg)
{
    struct ouro_address listening, client, peer, accepted;
    int listener = listen_locally(&listening);
    int fd, other;

    (void) arg;
    CU_ASSERT(ouro_address_port(&listening) > 0); /* port 0 became a real one */
    fd = connect_to(&listening);
    other = ouro_accept(listener, &accepted);
    CU_ASSERT(other >= 0);
    CU_ASSERT_EQUAL(ouro_getsockname(fd, &client), 0);
    CU_ASSERT(is_same(&accepted, &client));
    CU_ASSERT_EQUAL(ouro_getpeername(fd, &peer), 0);
    CU_ASSERT(is_same(&peer, &listening));
    CU_ASSERT_EQUAL(ouro_getpeername(other, &peer), 0);
    CU_ASSERT(is_same(&peer, &client));
    CU_ASSERT_EQUAL(ouro_getsockname(other, &peer), 0);
    CU_ASSERT(is_same(&peer, &listening));
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_close(other), 0);
    CU_ASSERT_EQUAL(ouro_close(listener), 0);
    return 0;
}

static void test_sockets_know_their_names(void)
{
    run_on_all_rings(ask_for_names, NULL);
}

static int set_options(void *arg)
{
    struct ouro_address address;
    int listener = listen_locally(&address);
    int value = 0, one = 1;
    socklen_t len = sizeof(value);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_getsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &value, &len), 0);
    CU_ASSERT_EQUAL(value, 1); /* as servers want it */
    CU_ASSERT_EQUAL(ouro_setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)), 0);
    value = 0;
    CU_ASSERT_EQUAL(ouro_getsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    CU_ASSERT_EQUAL(value, 1);
    CU_ASSERT_EQUAL(ouro_setsockopt(listener, SOL_SOCKET, 9999, &one, sizeof(one)), -ENOPROTOOPT);
    CU_ASSERT_EQUAL(ouro_close(listener), 0);
    return 0;
}

static void test_options_are_set_and_read(void)
{
    run_on_all_rings(set_options, NULL);
}

static int look_at_flags(void *arg)
{
    struct ouro_address address;
    int listener = listen_locally(&address);
    int fd = connect_to(&address);
    int other = ouro_accept(listener, NULL);

    (void) arg;
    CU_ASSERT_EQUAL(fcntl(listener, F_GETFD), FD_CLOEXEC);
    CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CU_ASSERT_EQUAL(fcntl(other, F_GETFD), FD_CLOEXEC);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_close(other), 0);
    CU_ASSERT_EQUAL(ouro_close(listener), 0);
    CU_ASSERT_EQUAL(fcntl(listener, F_GETFD), -1);
    return 0;
}

static void test_descriptors_are_close_on_exec(void)
{
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, look_at_flags, NULL), 0);
}

/* --- readiness ----------------------------------------------------------------------------- */

static int poll_socket(void *arg)
{
    int fds[2];
    char byte;

    (void) arg;
    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_poll(fds[0], POLLOUT), POLLOUT);
    CU_ASSERT_EQUAL(ouro_poll(fds[0], POLLIN | POLLOUT), POLLOUT);
    CU_ASSERT_EQUAL(ouro_send(fds[1], "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_poll(fds[0], POLLIN), POLLIN);
    CU_ASSERT_EQUAL(ouro_recv(fds[0], &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_close(fds[1]), 0);
    CU_ASSERT_EQUAL(ouro_poll(fds[0], POLLIN) & POLLIN, POLLIN); /* the end can be read */
    CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);
    return 0;
}

static void test_poll_tells_what_is_ready(void)
{
    run_on_all_rings(poll_socket, NULL);
}

/* --- both directions at once --------------------------------------------------------------- */

struct direction {
    int from, to;
    int errors;
};

#define NUMBERS 2000

static int send_numbers(void *arg)
{
    struct direction *direction = arg;

    for (uint32_t i = 0; i < NUMBERS; i++)
        direction->errors += ouro_send_all(direction->from, &i, sizeof(i), NULL) != 0;
    return 0;
}

static int receive_numbers(void *arg)
{
    struct direction *direction = arg;

    for (uint32_t i = 0; i < NUMBERS; i++) {
        uint32_t number = 0;

        direction->errors += ouro_recv_exact(direction->to, &number, sizeof(number), NULL) != 0;
        direction->errors += number != i;
    }
    return 0;
}

static int talk_both_ways(void *arg)
{
    struct direction directions[2];
    struct ouro_group group;
    int fds[2];

    (void) arg;
    make_pair(fds);
    ouro_group_init(&group);
    for (int i = 0; i < 2; i++) {
        directions[i] = (struct direction) {fds[i], fds[1 - i], 0};
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, send_numbers, &directions[i]), 0);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, receive_numbers, &directions[i]), 0);
    }
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(directions[0].errors + directions[1].errors, 0);
    close_pair(fds);
    return 0;
}

static void test_one_task_may_send_while_another_receives(void)
{
    run_on_all_rings(talk_both_ways, NULL);
}

static int receive_until_shutdown(void *arg)
{
    char byte;

    return (int) ouro_recv(*(int *) arg, &byte, 1, 0);
}

static int shut_down_reader(void *arg)
{
    int result = -1, fds[2];
    ouro_task_id id;

    (void) arg;
    make_pair(fds);
    id = ouro_spawn(receive_until_shutdown, &fds[0]);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_shutdown(fds[0], SHUT_RD), 0);
    CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, 0);
    close_pair(fds);
    return 0;
}

static void test_shutdown_wakes_who_waits_for_the_socket(void)
{
    run_on_all_rings(shut_down_reader, NULL);
}

const struct test socket_tests[] = {
    TEST(test_echo_over_tcp),
    TEST(test_echo_over_ipv6),
    TEST(test_echo_over_an_abstract_unix_socket),
    TEST(test_echo_over_a_unix_path),
    TEST(test_eight_mebibytes_pass_a_slow_receiver_unharmed),
    TEST(test_end_of_stream_is_0_or_inside_a_message_an_error),
    TEST(test_sending_into_a_closed_stream_is_an_error_without_a_signal),
    TEST(test_errors_are_those_of_the_system_calls),
    TEST(test_sockets_know_their_names),
    TEST(test_options_are_set_and_read),
    TEST(test_descriptors_are_close_on_exec),
    TEST(test_poll_tells_what_is_ready),
    TEST(test_one_task_may_send_while_another_receives),
    TEST(test_shutdown_wakes_who_waits_for_the_socket),
    TEST_END};
