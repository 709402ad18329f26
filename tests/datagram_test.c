/* SPDX-License-Identifier: MIT */
/*
 * datagram_test.c - tests of engine/socket_message.c, and of what the simulation has for it
 *
 * UDP, Unix datagrams, messages in several pieces, descriptors in flight. Each runs on the
 * simulated ring under several seeds and on the kernel's: what is asserted here is a fact
 * about Linux.
 */
#include <errno.h>
#include <poll.h>
#include <liburing.h>
#include <stdlib.h>

#include "check.h"
#include "datagram.h"
#include "ouro_uring.h"

#define SEEDS 8

static void run_on_all_rings(ouro_task_fn *fn, void *arg)
{
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, fn, arg), 0);
    for (int i = 0; i < SEEDS; i++)
        CU_ASSERT_EQUAL(run_sim(fn, arg), 0);
    CU_ASSERT_EQUAL(run_with("sim:seed=1,short=90", 0, fn, arg), 0);
}

/* --- sockets for the tests ----------------------------------------------------------------- */

/* All three, IPv6 on the kernel's ring only where there is one. */
static void run_on_all_domains(ouro_task_fn *fn)
{
    for (enum domain domain = UDP4; domain <= UNIX; domain++) {
        if (domain != UDP6 || has_ipv6())
            run_on_all_rings(fn, &domain);
        else
            CU_ASSERT_EQUAL(run_sim(fn, &domain), 0);
    }
}

/* Two sockets, each connected to the other. */
static void open_connected(enum domain domain, int fds[2])
{
    struct ouro_address addresses[2];

    fds[0] = open_bound(domain, &addresses[0]);
    fds[1] = open_bound(domain, &addresses[1]);
    connect_fd(fds[0], &addresses[1]);
    connect_fd(fds[1], &addresses[0]);
}

/* --- echo ---------------------------------------------------------------------------------- */

static int echo(void *arg)
{
    int fd = *(int *) arg;
    struct ouro_address from;
    char buf[2000];
    ssize_t len;

    for (;;) {
        len = ouro_recvfrom(fd, buf, sizeof(buf), 0, &from);
        if (len < 0)
            return len == -ECANCELED ? 0 : (int) len;
        CU_ASSERT_EQUAL(ouro_sendto(fd, buf, (size_t) len, 0, &from), len);
    }
}

static int talk_to_echo(void *arg)
{
    enum domain domain = *(enum domain *) arg;
    struct ouro_address server, client, from;
    int server_fd = open_bound(domain, &server), fd = open_bound(domain, &client);
    ouro_task_id task = ouro_spawn(echo, &server_fd);
    char buf[2000], back[2000];
    int result = -1;

    for (size_t i = 0; i < sizeof(buf); i++)
        buf[i] = (char) (i * 7);
    for (size_t len = 0; len <= 1200; len += 240) { /* an empty one, too */
        memset(&from, 0, sizeof(from));
        memset(back, 0, sizeof(back));
        CU_ASSERT_EQUAL(ouro_sendto(fd, buf, len, 0, &server), (ssize_t) len);
        CU_ASSERT_EQUAL(ouro_recvfrom(fd, back, sizeof(back), 0, &from), (ssize_t) len);
        CU_ASSERT_EQUAL(memcmp(buf, back, len), 0);
        CU_ASSERT_EQUAL(back[len], 0);
        CU_ASSERT(is_same(&from, &server));
    }
    CU_ASSERT_EQUAL(ouro_cancel_join(task, &result), 0);
    CU_ASSERT_EQUAL(result, 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_close(server_fd), 0);
    return 0;
}

static void test_echo_tells_who_sent_it(void)
{
    run_on_all_domains(talk_to_echo);
}

#define MANY 10000

static int echo_many(void *arg)
{
    enum domain domain = UDP4;
    struct ouro_address server;
    int server_fd = open_bound(domain, &server);
    ouro_task_id task = ouro_spawn(echo, &server_fd);
    int fd = ouro_socket(AF_INET, SOCK_DGRAM, 0);
    int wrong = 0;

    (void) arg;
    connect_fd(fd, &server);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t back = ~i;

        wrong += ouro_send(fd, &i, sizeof(i), 0) != sizeof(i);
        wrong += ouro_recv(fd, &back, sizeof(back), 0) != sizeof(back);
        wrong += back != i;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(task, NULL), 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_close(server_fd), 0);
    return 0;
}

static void test_ten_thousand_datagrams_come_back(void)
{
    run_on_each_ring(echo_many, NULL);
}

/* --- boundaries ------------------------------------------------------------------------------ */

static int keep_boundaries(void *arg)
{
    int fds[2];
    char buf[100] = "";

    open_connected(*(enum domain *) arg, fds);
    CU_ASSERT_EQUAL(ouro_send(fds[0], "one", 3, 0), 3);
    CU_ASSERT_EQUAL(ouro_send(fds[0], "", 0, 0), 0);
    CU_ASSERT_EQUAL(ouro_send(fds[0], "three", 5, 0), 5);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], buf, sizeof(buf), MSG_PEEK), 3);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], buf, sizeof(buf), 0), 3);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], buf, sizeof(buf), 0), 0);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], buf, sizeof(buf), MSG_WAITALL), 5); /* means nothing here */
    CU_ASSERT_EQUAL(memcmp(buf, "three", 5), 0);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], buf, sizeof(buf), MSG_DONTWAIT), -EAGAIN);
    close_pair(fds);
    return 0;
}

static void test_datagrams_do_not_run_together(void)
{
    run_on_all_domains(keep_boundaries);
}

static int cut_off(void *arg)
{
    struct iovec part;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    char buf[4] = "";
    int fds[2];

    open_connected(*(enum domain *) arg, fds);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(ouro_send(fds[0], "0123456789", 10, 0), 10);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], buf, 4, 0), 4);
    CU_ASSERT_EQUAL(memcmp(buf, "0123", 4), 0); /* and the rest is gone: */
    CU_ASSERT_EQUAL(ouro_recv(fds[1], buf, 4, MSG_TRUNC), 10);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], buf, 0, MSG_TRUNC), 10);
    part = (struct iovec) {buf, sizeof(buf)};
    CU_ASSERT_EQUAL(ouro_recvmsg(fds[1], &message, 0), 4);
    CU_ASSERT_EQUAL(message.msg_flags, MSG_TRUNC);
    CU_ASSERT_EQUAL(ouro_recvmsg(fds[1], &message, MSG_TRUNC), 10);
    CU_ASSERT_EQUAL(message.msg_flags, MSG_TRUNC);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], buf, 4, MSG_DONTWAIT), -EAGAIN);
    close_pair(fds);
    return 0;
}

static void test_what_does_not_fit_is_cut_off_and_told(void)
{
    run_on_all_domains(cut_off);
}

static int send_too_much(void *arg)
{
    static const size_t limits[] = {[UDP4] = 65507, [UDP6] = 65527, [UNIX] = 212992 - 32};
    enum domain domain = *(enum domain *) arg;
    size_t len = limits[domain];
    char *bytes = calloc(1, len + 1);
    int fds[2];

    CU_ASSERT_PTR_NOT_NULL(bytes);
    open_connected(domain, fds);
    if (domain == UNIX) { /* what the machine's default is may be different */
        int size = 212992;

        (void) ouro_setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &(int) {size / 2}, sizeof(int));
    }
    bytes[len - 1] = 'x';
    CU_ASSERT_EQUAL(ouro_send(fds[0], bytes, len + 1, 0), -EMSGSIZE);
    CU_ASSERT_EQUAL(ouro_send(fds[0], bytes, len, 0), (ssize_t) len);
    bytes[len - 1] = '\0';
    CU_ASSERT_EQUAL(ouro_recv(fds[1], bytes, len + 1, 0), (ssize_t) len);
    CU_ASSERT_EQUAL(bytes[len - 1], 'x');
    close_pair(fds);
    free(bytes);
    return 0;
}

static void test_a_datagram_has_a_largest_size(void)
{
    run_on_all_domains(send_too_much);
}

static int scatter(void *arg)
{
    char a[2], b[3], c[50];
    struct iovec out[] = {{(char[]) {'0', '1', '2'}, 3}, {NULL, 0}, {(char[]) {'3', '4', '5'}, 3}};
    struct iovec in[] = {{a, sizeof(a)}, {b, sizeof(b)}, {c, sizeof(c)}};
    struct ouro_address to, from;
    struct msghdr sent = {.msg_iov = out, .msg_iovlen = 3};
    struct msghdr got = {.msg_name = &from.sockaddr, .msg_iov = in, .msg_iovlen = 3};
    int fd = open_bound(*(enum domain *) arg, &to);

    sent.msg_name = &to.sockaddr;
    sent.msg_namelen = to.len;
    got.msg_namelen = sizeof(from.un);
    CU_ASSERT_EQUAL(ouro_sendmsg(fd, &sent, 0), 6); /* to itself */
    CU_ASSERT_EQUAL(ouro_recvmsg(fd, &got, 0), 6);
    CU_ASSERT(!memcmp(a, "01", 2) && !memcmp(b, "234", 3) && c[0] == '5');
    from.len = got.msg_namelen;
    CU_ASSERT(is_same(&from, &to));
    CU_ASSERT_EQUAL(got.msg_flags, 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return 0;
}

static void test_messages_have_pieces_and_an_address(void)
{
    run_on_all_domains(scatter);
}

/* --- streams ----------------------------------------------------------------------------------- */

static int scatter_stream(void *arg)
{
    char a[4], b[8];
    struct iovec out[] = {{(char[]) {'0', '1', '2'}, 3}, {(char[]) {'3', '4', '5'}, 3}};
    struct iovec in[] = {{a, sizeof(a)}, {b, sizeof(b)}};
    struct msghdr sent = {.msg_iov = out, .msg_iovlen = 2};
    struct msghdr got = {.msg_iov = in, .msg_iovlen = 2};
    int fds[2];

    (void) arg;
    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_sendmsg(fds[0], &sent, MSG_WAITALL), 6);
    CU_ASSERT_EQUAL(ouro_sendmsg(fds[0], &sent, MSG_WAITALL), 6);
    CU_ASSERT_EQUAL(ouro_recvmsg(fds[1], &got, MSG_WAITALL), 12);
    CU_ASSERT(!memcmp(a, "0123", 4) && !memcmp(b, "45012345", 8));
    CU_ASSERT_EQUAL(ouro_shutdown(fds[0], SHUT_WR), 0);
    CU_ASSERT_EQUAL(ouro_recvmsg(fds[1], &got, 0), 0);
    CU_ASSERT_EQUAL(ouro_sendmsg(fds[0], &sent, 0), -EPIPE); /* and no signal */
    close_pair(fds);
    return 0;
}

static void test_messages_of_a_stream_are_bytes_only(void)
{
    run_on_all_rings(scatter_stream, NULL);
}

#define LARGE ((size_t) 1 << 20)

static int send_parts(void *arg)
{
    int fd = *(int *) arg;
    char *bytes = malloc(LARGE);
    struct iovec parts[] = {{bytes, LARGE / 3}, {bytes + LARGE / 3, LARGE - LARGE / 3}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char) (i * 31 + i / 4093);
    CU_ASSERT_EQUAL(ouro_sendmsg(fd, &message, MSG_WAITALL), (ssize_t) LARGE);
    free(bytes);
    return 0;
}

static int receive_parts(void *arg)
{
    char *bytes = calloc(1, LARGE);
    struct iovec parts[] = {{bytes, 1}, {bytes + 1, LARGE / 2}, {bytes + 1 + LARGE / 2, LARGE}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 3};
    ouro_task_id sender;
    int fds[2], wrong = 0;

    (void) arg;
    parts[2].iov_len = LARGE - 1 - LARGE / 2;
    make_pair(fds);
    sender = ouro_spawn(send_parts, &fds[0]);
    CU_ASSERT_EQUAL(ouro_recvmsg(fds[1], &message, MSG_WAITALL), (ssize_t) LARGE);
    CU_ASSERT_EQUAL(ouro_join(sender, NULL), 0);
    for (size_t i = 0; i < LARGE; i++)
        wrong += bytes[i] != (char) (i * 31 + i / 4093);
    CU_ASSERT_EQUAL(wrong, 0);
    close_pair(fds);
    free(bytes);
    return 0;
}

static void test_a_large_message_passes_a_stream_unharmed(void)
{
    run_on_all_rings(receive_parts, NULL);
}

/* --- connecting -------------------------------------------------------------------------------- */

static int meet_nobody(void *arg)
{
    struct ouro_address nobody, name;
    int gone = open_bound(UDP4, &nobody);
    int fd = ouro_socket(AF_INET, SOCK_DGRAM, 0), value = 0;
    socklen_t len = sizeof(value);
    char byte;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_close(gone), 0);
    CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), -EDESTADDRREQ);
    CU_ASSERT_EQUAL(ouro_sendto(fd, "x", 1, 0, &nobody), 1); /* lost: it is not connected */
    CU_ASSERT_EQUAL(ouro_recv(fd, &byte, 1, MSG_DONTWAIT), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_getpeername(fd, &name), -ENOTCONN);
    connect_fd(fd, &nobody);
    CU_ASSERT_EQUAL(ouro_getpeername(fd, &name), 0);
    CU_ASSERT(is_same(&name, &nobody));
    CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_poll(fd, POLLIN) & POLLERR, POLLERR);
    CU_ASSERT_EQUAL(ouro_recv(fd, &byte, 1, 0), -ECONNREFUSED);
    CU_ASSERT_EQUAL(ouro_recv(fd, &byte, 1, MSG_DONTWAIT), -EAGAIN); /* it is told once */
    CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), -ECONNREFUSED);
    CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len), 0);
    CU_ASSERT_EQUAL(value, ECONNREFUSED);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return 0;
}

static void test_connected_udp_learns_that_nobody_is_there(void)
{
    run_on_all_rings(meet_nobody, NULL);
}

struct receive {
    int fd;
    ssize_t result;
};

static int receive_one(void *arg)
{
    struct receive *receive = arg;
    char byte;

    receive->result = ouro_recv(receive->fd, &byte, 1, 0);
    return 0;
}

/* The error finds a receive that waits already. */
static int refuse_who_waits(void *arg)
{
    struct ouro_address nobody;
    int gone = open_bound(UDP4, &nobody);
    struct receive receive = {.fd = ouro_socket(AF_INET, SOCK_DGRAM, 0)};
    ouro_task_id task;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_close(gone), 0);
    connect_fd(receive.fd, &nobody);
    task = ouro_spawn(receive_one, &receive);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_send(receive.fd, "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_join(task, NULL), 0);
    CU_ASSERT_EQUAL(receive.result, -ECONNREFUSED);
    CU_ASSERT_EQUAL(ouro_close(receive.fd), 0);
    return 0;
}

static void test_refusal_ends_a_receive_that_waits(void)
{
    run_on_all_rings(refuse_who_waits, NULL);
}

/* A connected socket hears its peer only; what others send to that port goes elsewhere, or nowhere. */
static int filter_senders(void *arg)
{
    enum domain domain = *(enum domain *) arg;
    struct ouro_address a_name, b_name, c_name;
    int a = open_bound(domain, &a_name), b = open_bound(domain, &b_name);
    int c = open_bound(domain, &c_name);
    char byte = 0;

    connect_fd(a, &b_name);
    CU_ASSERT_EQUAL(ouro_sendto(c, "c", 1, 0, &a_name), domain == UNIX ? -EPERM : 1);
    CU_ASSERT_EQUAL(ouro_sendto(b, "b", 1, 0, &a_name), 1);
    CU_ASSERT_EQUAL(ouro_recv(a, &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(byte, 'b');
    CU_ASSERT_EQUAL(ouro_recv(a, &byte, 1, MSG_DONTWAIT), -EAGAIN);
    connect_fd(a, &c_name); /* again, to another peer */
    CU_ASSERT_EQUAL(ouro_sendto(c, "c", 1, 0, &a_name), 1);
    CU_ASSERT_EQUAL(ouro_recv(a, &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(byte, 'c');
    CU_ASSERT_EQUAL(ouro_sendto(a, "x", 1, 0, &b_name), 1); /* an address beats the peer */
    CU_ASSERT_EQUAL(ouro_recv(b, &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(byte, 'x');
    CU_ASSERT_EQUAL(ouro_close(a), 0);
    CU_ASSERT_EQUAL(ouro_close(b), 0);
    CU_ASSERT_EQUAL(ouro_close(c), 0);
    return 0;
}

static void test_connected_socket_hears_its_peer_only(void)
{
    run_on_all_domains(filter_senders);
}

static int take_names(void *arg)
{
    struct ouro_address bound, same, name;
    int fd = ouro_socket(AF_INET, SOCK_DGRAM, 0);
    int other = open_privately(&bound);
    char byte;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_getsockname(fd, &name), 0);
    CU_ASSERT_EQUAL(ouro_address_port(&name), 0);
    CU_ASSERT_EQUAL(ouro_bind(fd, &bound), -EADDRINUSE);
    CU_ASSERT_EQUAL(ouro_sendto(fd, "x", 1, 0, &bound), 1);
    CU_ASSERT_EQUAL(ouro_getsockname(fd, &name), 0);
    CU_ASSERT(ouro_address_port(&name) > 0); /* the first datagram bound it */
    CU_ASSERT_EQUAL(ouro_recvfrom(other, &byte, 1, 0, &same), 1);
    CU_ASSERT_EQUAL(ouro_address_port(&same), ouro_address_port(&name));
    CU_ASSERT_EQUAL(ouro_bind(fd, &bound), -EINVAL); /* it has a name by now */
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    fd = ouro_listen(&bound, 0); /* TCP's ports are others */
    CU_ASSERT(fd >= 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_close(other), 0);
    return 0;
}

static void test_first_datagram_gives_a_socket_its_port(void)
{
    run_on_all_rings(take_names, NULL);
}

static int refuse_streams(void *arg)
{
    struct ouro_address address;
    int fd = open_bound(*(enum domain *) arg, &address);
    int stream = ouro_socket(address.sockaddr.sa_family, SOCK_STREAM, 0);

    CU_ASSERT_EQUAL(ouro_accept(fd, NULL), -EOPNOTSUPP);
    /* An abstract name is known to sockets of its own type only. */
    CU_ASSERT_EQUAL(ouro_connect(stream, &address.sockaddr, address.len), -ECONNREFUSED);
    CU_ASSERT_EQUAL(ouro_close(stream), 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return 0;
}

static void test_datagram_socket_takes_no_connections(void)
{
    run_on_all_domains(refuse_streams);
}

/* --- full queues --------------------------------------------------------------------------------- */

/* UDP never waits: what does not fit is lost, and what was there before is not. */
static int flood(void *arg)
{
    struct ouro_address address;
    int fd = open_bound(UDP4, &address);
    char bytes[1000];
    int received = 0;

    (void) arg;
    for (int i = 0; i < 1000; i++) {
        memset(bytes, i, sizeof(bytes));
        CU_ASSERT_EQUAL(ouro_sendto(fd, bytes, sizeof(bytes), 0, &address), sizeof(bytes));
    }
    while (ouro_recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) == sizeof(bytes)) {
        CU_ASSERT_EQUAL(bytes[0], (char) received);
        received++;
    }
    CU_ASSERT(received > 10 && received < 1000);
    CU_ASSERT_EQUAL(ouro_sendto(fd, "x", 1, 0, &address), 1); /* there is room again */
    CU_ASSERT_EQUAL(ouro_recv(fd, bytes, sizeof(bytes), 0), 1);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return 0;
}

static void test_udp_loses_what_finds_no_room(void)
{
    run_on_all_rings(flood, NULL);
}

/* How many datagrams go out before the next would wait. */
static int fill(int fd, const struct ouro_address *to)
{
    int count = 0;

    while (ouro_sendto(fd, "x", 1, MSG_DONTWAIT, to) == 1)
        count++;
    CU_ASSERT_EQUAL(ouro_sendto(fd, "x", 1, MSG_DONTWAIT, to), -EAGAIN);
    return count;
}

struct sending {
    int fd;
    const struct ouro_address *to;
    int flags;
    ssize_t result;
    bool is_done;
    struct msghdr message;
};

static int send_one(void *arg)
{
    struct sending *sending = arg;

    sending->result = ouro_sendto(sending->fd, "y", 1, sending->flags, sending->to);
    sending->is_done = true;
    return 0;
}

static void prepare_sendmsg(struct io_uring_sqe *sqe, void *arg)
{
    const struct sending *sending = arg;

    io_uring_prep_sendmsg(sqe, sending->fd, &sending->message, 0);
}

/* Waits in the ring: the simulation does this as Linux should. */
static int send_one_by_ring(void *arg)
{
    struct sending *sending = arg;
    struct iovec part = {(char[]) {'y'}, 1};

    sending->message = (struct msghdr) {.msg_name = (void *) (uintptr_t) &sending->to->sockaddr,
                                        .msg_namelen = sending->to->len,
                                        .msg_iov = &part,
                                        .msg_iovlen = 1};
    sending->result = ouro_submit_sqe(prepare_sendmsg, sending, NULL);
    sending->is_done = true;
    return 0;
}

static void settle(void)
{
    CU_ASSERT_EQUAL(ouro_sleep(2 * OURO_MILLISECOND), 0);
}

/* `arg`: whether the sender is connected; if not, it waits although its own socket is ready. */
static int wait_for_room(void *arg)
{
    bool is_connected = *(bool *) arg;
    struct ouro_address address;
    int receiver = open_bound(UNIX, &address);
    struct sending sending = {.fd = ouro_socket(AF_UNIX, SOCK_DGRAM, 0),
                              .to = is_connected ? NULL : &address};
    ouro_task_id task;
    int count;
    char byte;

    if (is_connected)
        connect_fd(sending.fd, &address);
    count = fill(sending.fd, sending.to);
    CU_ASSERT(count > 0);
    task = ouro_spawn(send_one, &sending);
    settle();
    CU_ASSERT(!sending.is_done);
    for (int i = 0; i < count; i++) {
        CU_ASSERT_EQUAL(ouro_recv(receiver, &byte, 1, 0), 1);
        CU_ASSERT_EQUAL(byte, 'x');
    }
    CU_ASSERT_EQUAL(ouro_recv(receiver, &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(byte, 'y');
    CU_ASSERT_EQUAL(ouro_join(task, NULL), 0);
    CU_ASSERT_EQUAL(sending.result, 1);

    (void) fill(sending.fd, sending.to); /* once more, and now it is given up */
    sending.is_done = false;
    task = ouro_spawn(send_one, &sending);
    settle();
    CU_ASSERT(!sending.is_done);
    CU_ASSERT_EQUAL(ouro_cancel_join(task, NULL), 0);
    CU_ASSERT_EQUAL(sending.result, -ECANCELED);

    sending.is_done = false;
    sending.flags = MSG_WAITALL; /* which says nothing about datagrams */
    task = ouro_spawn(send_one, &sending);
    settle();
    for (int i = 0; i < count; i++)
        CU_ASSERT_EQUAL(ouro_recv(receiver, &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_recv(receiver, &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(byte, 'y');
    CU_ASSERT_EQUAL(ouro_join(task, NULL), 0);
    CU_ASSERT_EQUAL(sending.result, 1);

    (void) fill(sending.fd, sending.to);
    sending.is_done = false;
    task = ouro_spawn(send_one, &sending);
    settle();
    CU_ASSERT(!sending.is_done);
    CU_ASSERT_EQUAL(ouro_close(receiver), 0);
    CU_ASSERT_EQUAL(ouro_join(task, NULL), 0);
    CU_ASSERT_EQUAL(sending.result, -ECONNREFUSED);
    CU_ASSERT_EQUAL(ouro_close(sending.fd), 0);
    return 0;
}

static void test_unix_datagrams_wait_for_room(void)
{
    run_on_all_rings(wait_for_room, &(bool) {true});
    run_on_all_rings(wait_for_room, &(bool) {false});
}

/* Of two that wait for different receivers, the second is not held up by the first. */
static int wait_for_different_rooms(void *arg)
{
    struct ouro_address names[2];
    int receivers[2] = {open_bound(UNIX, &names[0]), open_bound(UNIX, &names[1])};
    int fd = ouro_socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sending sendings[2] = {{.fd = fd, .to = &names[0]}, {.fd = fd, .to = &names[1]}};
    ouro_task_id tasks[2];
    char byte;

    (void) arg;
    (void) fill(fd, &names[0]);
    (void) fill(fd, &names[1]);
    tasks[0] = ouro_spawn(send_one_by_ring, &sendings[0]);
    settle();
    tasks[1] = ouro_spawn(send_one_by_ring, &sendings[1]);
    settle();
    CU_ASSERT(!sendings[0].is_done && !sendings[1].is_done);
    CU_ASSERT_EQUAL(ouro_recv(receivers[1], &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_join(tasks[1], NULL), 0);
    CU_ASSERT(!sendings[0].is_done && sendings[1].result == 1);
    CU_ASSERT_EQUAL(ouro_recv(receivers[0], &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_join(tasks[0], NULL), 0);
    CU_ASSERT_EQUAL(sendings[0].result, 1);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    close_pair(receivers);
    return 0;
}

static void test_full_receiver_does_not_hold_up_another(void)
{
    for (int i = 0; i < SEEDS; i++)
        CU_ASSERT_EQUAL(run_sim(wait_for_different_rooms, NULL), 0);
}

static int poll_for_room(void *arg)
{
    struct ouro_address address;
    int receiver = open_bound(UNIX, &address);
    int fd = ouro_socket(AF_UNIX, SOCK_DGRAM, 0);
    struct ouro_timeout limit;
    char byte;

    (void) arg;
    connect_fd(fd, &address);
    CU_ASSERT_EQUAL(ouro_poll(fd, POLLOUT), POLLOUT);
    for (int count = fill(fd, NULL); count > 0; count--) {
        ouro_timeout_begin(&limit, count > 1 ? 0 : 2 * OURO_MILLISECOND);
        CU_ASSERT_EQUAL(ouro_poll(fd, POLLOUT), count > 1 ? -ETIMEDOUT : POLLOUT);
        CU_ASSERT_EQUAL(ouro_timeout_end(&limit), count > 1 ? -ETIMEDOUT : 0);
        CU_ASSERT_EQUAL(ouro_recv(receiver, &byte, 1, 0), 1);
    }
    CU_ASSERT_EQUAL(ouro_poll(fd, POLLOUT), POLLOUT);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_close(receiver), 0);
    return 0;
}

static void test_poll_tells_room_of_the_peer(void)
{
    run_on_all_rings(poll_for_room, NULL);
}

/* --- ends ---------------------------------------------------------------------------------------- */

/* A path without room for its NUL has an address that a call takes again (unix(7)). */
static int use_longest_path(void *arg)
{
    int fd = ouro_socket(AF_UNIX, SOCK_DGRAM, 0);
    struct ouro_address address = {.un = {.sun_family = AF_UNIX}};
    struct ouro_address found, from;
    char path[sizeof(address.un.sun_path) + 1], byte;

    (void) snprintf(path, sizeof(path), "/tmp/%*d", (int) sizeof(path) - 6, *(int *) arg);
    for (char *at = path; *at; at++)
        if (*at == ' ')
            *at = '_';
    memcpy(address.un.sun_path, path, sizeof(address.un.sun_path));
    address.len = sizeof(address.un);
    CU_ASSERT_EQUAL(ouro_bind(fd, &address), 0);
    CU_ASSERT_EQUAL(ouro_getsockname(fd, &found), 0);
    CU_ASSERT_EQUAL(found.len, sizeof(found.un));
    CU_ASSERT_EQUAL(ouro_sendto(fd, "x", 1, 0, &found), 1);
    CU_ASSERT_EQUAL(ouro_recvfrom(fd, &byte, 1, 0, &from), 1);
    CU_ASSERT_EQUAL(ouro_sendto(fd, "y", 1, 0, &from), 1);
    CU_ASSERT_EQUAL(ouro_recv(fd, &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    (void) unlink(path); /* where the kernel made it */
    return 0;
}

static void test_unix_path_without_a_nul_is_told_with_a_length_that_calls_take(void)
{
    run_on_all_rings(use_longest_path, &(int) {(int) getpid()});
}

static int end_unix(void *arg)
{
    struct ouro_address address, nobody;
    int receiver = open_bound(UNIX, &address);
    int fd = ouro_socket(AF_UNIX, SOCK_DGRAM, 0);
    char byte;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), -ENOTCONN);
    CU_ASSERT_EQUAL(ouro_address_parse("unix:@ouro-datagram-nobody", -1, &nobody), 0);
    CU_ASSERT_EQUAL(ouro_sendto(fd, "x", 1, 0, &nobody), -ECONNREFUSED);
    CU_ASSERT_EQUAL(ouro_address_parse("unix:/no/such/socket", -1, &nobody), 0);
    CU_ASSERT_EQUAL(ouro_sendto(fd, "x", 1, 0, &nobody), -ENOENT);
    connect_fd(fd, &address);
    CU_ASSERT_EQUAL(ouro_shutdown(receiver, SHUT_RD), 0);
    CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), -EPIPE);
    CU_ASSERT_EQUAL(ouro_recv(receiver, &byte, 1, 0), 0);
    CU_ASSERT_EQUAL(ouro_close(receiver), 0);
    CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), -ECONNREFUSED);
    CU_ASSERT_EQUAL(ouro_send(fd, "x", 1, 0), -ENOTCONN);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return 0;
}

static void test_unix_datagrams_learn_of_ends(void)
{
    run_on_all_rings(end_unix, NULL);
}

static int shut_down(void *arg)
{
    enum domain domain = *(enum domain *) arg;
    struct ouro_address address;
    int fds[2], alone = open_bound(domain, &address);
    struct receive receive;
    ouro_task_id task;
    char byte;

    CU_ASSERT_EQUAL(ouro_shutdown(alone, SHUT_WR), domain == UNIX ? 0 : -ENOTCONN);
    CU_ASSERT_EQUAL(ouro_sendto(alone, "x", 1, 0, &address), -EPIPE); /* all the same */
    CU_ASSERT_EQUAL(ouro_close(alone), 0);
    open_connected(domain, fds);
    receive.fd = fds[1];
    task = ouro_spawn(receive_one, &receive);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_shutdown(fds[1], SHUT_RD), 0);
    CU_ASSERT_EQUAL(ouro_join(task, NULL), 0);
    CU_ASSERT_EQUAL(receive.result, 0);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], &byte, 1, MSG_DONTWAIT), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_poll(fds[1], POLLIN) & (POLLIN | POLLHUP), POLLIN);
    CU_ASSERT_EQUAL(ouro_shutdown(fds[1], SHUT_WR), 0);
    CU_ASSERT_EQUAL(ouro_poll(fds[1], POLLIN) & (POLLIN | POLLHUP), POLLIN | POLLHUP);
    CU_ASSERT_EQUAL(ouro_send(fds[1], "x", 1, 0), -EPIPE);
    close_pair(fds);
    return 0;
}

static void test_shutdown_ends_datagrams(void)
{
    run_on_all_domains(shut_down);
}

/* --- socket pairs and descriptors ---------------------------------------------------------------- */

static int use_pairs(void *arg)
{
    struct ouro_address name;
    char buf[10];
    int fds[2];

    (void) arg;
    CU_ASSERT_EQUAL(ouro_socketpair(AF_INET, SOCK_STREAM, 0, fds), -EOPNOTSUPP);
    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CU_ASSERT_EQUAL(ouro_send_all(fds[0], "abc", 3, NULL), 0);
    CU_ASSERT_EQUAL(ouro_send_all(fds[0], "def", 3, NULL), 0);
    CU_ASSERT_EQUAL(ouro_recv_exact(fds[1], buf, 6, NULL), 0);
    CU_ASSERT_EQUAL(ouro_getpeername(fds[1], &name), 0);
    close_pair(fds);
    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
    CU_ASSERT_EQUAL(ouro_send(fds[0], "abc", 3, 0), 3);
    CU_ASSERT_EQUAL(ouro_send(fds[0], "def", 3, 0), 3);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], buf, 6, 0), 3);
    CU_ASSERT_EQUAL(ouro_recvfrom(fds[1], buf, 6, 0, &name), 3);
    CU_ASSERT_EQUAL(name.len, 0); /* he has none */
    CU_ASSERT_EQUAL(ouro_send(fds[1], "back", 4, 0), 4);
    CU_ASSERT_EQUAL(ouro_recv(fds[0], buf, 6, 0), 4);
    close_pair(fds);
    return 0;
}

static void test_socketpairs_talk(void)
{
    run_on_all_rings(use_pairs, NULL);
}

/* `arg`: the type of the carrying socket. One end of a pair goes through it and is used. */
static int pass_one_end(void *arg)
{
    int carrier[2], pair[2], got[4] = {-1, -1, -1, -1};
    int before = next_fd();
    size_t count = 99;
    char buf[10];

    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, *(int *) arg, 0, carrier), 0);
    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CU_ASSERT_EQUAL(ouro_send_fds(carrier[0], "take", 4, &pair[1], 1), 4);
    CU_ASSERT_EQUAL(ouro_close(pair[1]), 0); /* the one in flight keeps it open */
    CU_ASSERT_EQUAL(ouro_send_all(pair[0], "hello", 5, NULL), 0);
    CU_ASSERT_EQUAL(ouro_recv_fds(carrier[1], buf, sizeof(buf), got, 4, &count), 4);
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT_EQUAL(memcmp(buf, "take", 4), 0);
    CU_ASSERT_EQUAL(ouro_recv_exact(got[0], buf, 5, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "hello", 5), 0);
    CU_ASSERT_EQUAL(ouro_close(got[0]), 0);
    CU_ASSERT_EQUAL(ouro_recv(pair[0], buf, 1, 0), 0); /* now it is closed */
    CU_ASSERT_EQUAL(ouro_send_fds(carrier[1], "x", 1, NULL, 0), 1);
    CU_ASSERT_EQUAL(ouro_recv_fds(carrier[0], buf, 1, got, 4, &count), 1);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_EQUAL(ouro_close(pair[0]), 0);
    close_pair(carrier);
    CU_ASSERT_EQUAL(next_fd(), before);
    return 0;
}

static int sock_types[] = {SOCK_STREAM, SOCK_DGRAM};

/* Bytes are not cut short: the descriptors would come with the first of them. */
static void run_on_both_types(ouro_task_fn *fn)
{
    for (size_t i = 0; i < COUNT_OF(sock_types); i++) {
        if (test_kernel_ring())
            CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, fn, &sock_types[i]), 0);
        for (int j = 0; j < SEEDS; j++)
            CU_ASSERT_EQUAL(run_sim(fn, &sock_types[i]), 0);
    }
}

static void test_descriptor_is_passed_and_used(void)
{
    run_on_both_types(pass_one_end);
}

/* Whether nobody else holds the other end of `fd`. */
static bool is_abandoned(int fd)
{
    char byte;

    return ouro_recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/*
 * Three come where there is room for one, for none, or where nobody looks. A pair each: the
 * other end sees whether its own is closed.
 */
static int drop_excess(void *arg)
{
    int carrier[2], pairs[3][2], sent[3], got[3] = {-1, -1, -1};
    int before = next_fd();
    size_t count;
    char buf[10];

    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, *(int *) arg, 0, carrier), 0);
    for (int round = 0; round < 3; round++) {
        struct iovec part = {buf, sizeof(buf)};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

        for (int i = 0; i < 3; i++) {
            CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
            sent[i] = pairs[i][1];
        }
        CU_ASSERT_EQUAL(ouro_send_fds(carrier[0], "abc", 3, sent, 3), 3);
        for (int i = 0; i < 3; i++)
            CU_ASSERT_EQUAL(ouro_close(sent[i]), 0);
        for (int i = 0; i < 3; i++)
            CU_ASSERT(!is_abandoned(pairs[i][0]));
        count = 0;
        if (round == 0) {
            CU_ASSERT_EQUAL(ouro_recv_fds(carrier[1], buf, sizeof(buf), got, 1, &count), 3);
            CU_ASSERT_EQUAL(count, 1); /* and not one more into the padding */
            CU_ASSERT_EQUAL(got[1], -1);
        } else if (round == 1) {
            CU_ASSERT_EQUAL(ouro_recv(carrier[1], buf, sizeof(buf), 0), 3);
        } else {
            CU_ASSERT_EQUAL(ouro_recvmsg(carrier[1], &message, 0), 3);
            CU_ASSERT_EQUAL(message.msg_flags, MSG_CTRUNC);
        }
        for (size_t i = 0; i < 3; i++)
            CU_ASSERT_EQUAL(is_abandoned(pairs[i][0]), i >= count);
        for (size_t i = 0; i < count; i++)
            CU_ASSERT_EQUAL(ouro_close(got[i]), 0);
        for (int i = 0; i < 3; i++)
            CU_ASSERT_EQUAL(ouro_close(pairs[i][0]), 0);
    }
    close_pair(carrier);
    CU_ASSERT_EQUAL(next_fd(), before);
    return 0;
}

static void test_descriptors_without_room_are_closed(void)
{
    run_on_both_types(drop_excess);
}

/* A message that nobody received closes what it carried when its socket dies. */
static int lose_message(void *arg)
{
    int carrier[2], pair[2];
    int before = next_fd();

    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, *(int *) arg, 0, carrier), 0);
    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CU_ASSERT_EQUAL(ouro_send_fds(carrier[0], "x", 1, &pair[1], 1), 1);
    CU_ASSERT_EQUAL(ouro_close(pair[1]), 0);
    CU_ASSERT(!is_abandoned(pair[0]));
    close_pair(carrier);
    CU_ASSERT_EQUAL(ouro_poll(pair[0], POLLIN) & POLLIN, POLLIN);
    CU_ASSERT(is_abandoned(pair[0]));
    CU_ASSERT_EQUAL(ouro_close(pair[0]), 0);
    CU_ASSERT_EQUAL(next_fd(), before);
    /* Two that wait at each other end with the loop: the sanitizer would tell otherwise. */
    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, *(int *) arg, 0, carrier), 0);
    CU_ASSERT_EQUAL(ouro_send_fds(carrier[0], "x", 1, &carrier[1], 1), 1);
    close_pair(carrier);
    return 0;
}

static void test_lost_message_closes_its_descriptors(void)
{
    run_on_both_types(lose_message);
}

static int send_bad_fds(void *arg)
{
    int carrier[2], many[OURO_FDS_MAX + 1];
    int got[OURO_FDS_MAX];
    int before = next_fd();
    size_t count;
    char byte;

    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, *(int *) arg, 0, carrier), 0);
    for (int i = 0; i <= OURO_FDS_MAX; i++)
        many[i] = carrier[0];
    CU_ASSERT_EQUAL(ouro_send_fds(carrier[0], "x", 1, many, OURO_FDS_MAX + 1), -EINVAL);
    CU_ASSERT_EQUAL(ouro_send_fds(carrier[0], "x", 1, (int[]) {carrier[0], -1}, 2), -EBADF);
    CU_ASSERT_EQUAL(ouro_send_fds(carrier[0], "x", 1, many, OURO_FDS_MAX), 1);
    CU_ASSERT_EQUAL(ouro_recv_fds(carrier[1], &byte, 1, got, OURO_FDS_MAX, &count), 1);
    CU_ASSERT_EQUAL(count, OURO_FDS_MAX);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_EQUAL(ouro_close(got[i]), 0);
    close_pair(carrier);
    CU_ASSERT_EQUAL(next_fd(), before);
    return 0;
}

static void test_as_many_descriptors_as_one_message_can_carry(void)
{
    run_on_both_types(send_bad_fds);
}

/* Bytes before the descriptors may come along, bytes after them may not. */
static int mark_stream(void *arg)
{
    int carrier[2], got[3];
    int before = next_fd();
    size_t count;
    char buf[20];

    (void) arg;
    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_STREAM, 0, carrier), 0);
    CU_ASSERT_EQUAL(ouro_send(carrier[0], "ab", 2, 0), 2);
    CU_ASSERT_EQUAL(ouro_send_fds(carrier[0], "cd", 2, carrier, 1), 2);
    CU_ASSERT_EQUAL(ouro_send_fds(carrier[0], "ef", 2, carrier, 2), 2);
    CU_ASSERT_EQUAL(ouro_send(carrier[0], "gh", 2, 0), 2);
    CU_ASSERT_EQUAL(ouro_recv_fds(carrier[1], buf, sizeof(buf), got, 3, &count), 4);
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT_EQUAL(ouro_close(got[0]), 0);
    CU_ASSERT_EQUAL(ouro_recv_fds(carrier[1], buf, 1, got, 3, &count), 1); /* with the first byte */
    CU_ASSERT_EQUAL(count, 2);
    CU_ASSERT_EQUAL(ouro_close(got[0]), 0);
    CU_ASSERT_EQUAL(ouro_close(got[1]), 0);
    CU_ASSERT_EQUAL(ouro_recv_fds(carrier[1], buf, sizeof(buf), got, 3, &count), 3);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_EQUAL(memcmp(buf, "fgh", 3), 0);
    close_pair(carrier);
    CU_ASSERT_EQUAL(next_fd(), before);
    return 0;
}

static void test_descriptors_keep_their_place_in_a_stream(void)
{
    for (int i = 0; i < SEEDS; i++)
        CU_ASSERT_EQUAL(run_sim(mark_stream, NULL), 0);
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, mark_stream, NULL), 0);
}

/* --- interruptions --------------------------------------------------------------------------------- */

struct race {
    int fd;
    int fds[2];
    size_t count;
    ssize_t result;
};

static int receive_fds(void *arg)
{
    struct race *race = arg;
    char byte;

    race->result = ouro_recv_fds(race->fd, &byte, 1, race->fds, 2, &race->count);
    return 0;
}

/*
 * A receive is cancelled in the turn in which the message comes. Either it reports it, with
 * the descriptors, or the message is still there for the next.
 */
static int race_cancel(void *arg)
{
    int before = next_fd();
    int carrier[2];
    ouro_task_id task;

    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, *(int *) arg, 0, carrier), 0);
    for (int round = 0; round < 50; round++) {
        struct race race = {.fd = carrier[1], .result = 99};

        task = ouro_spawn(receive_fds, &race);
        for (int i = 0; i < round % 4; i++)
            CU_ASSERT_EQUAL(ouro_yield(), 0);
        CU_ASSERT_EQUAL(ouro_send_fds(carrier[0], "x", 1, carrier, 2), 1);
        CU_ASSERT_EQUAL(ouro_cancel_join(task, NULL), 0);
        if (race.result == -ECANCELED)
            (void) receive_fds(&race);
        CU_ASSERT_EQUAL(race.result, 1);
        CU_ASSERT_EQUAL(race.count, 2);
        close_pair(race.fds);
    }
    close_pair(carrier);
    CU_ASSERT_EQUAL(next_fd(), before);
    return 0;
}

static void test_message_that_raced_a_cancel_is_not_lost(void)
{
    run_on_both_types(race_cancel);
}

static int refuse_interrupted(void *arg)
{
    struct ouro_timeout limit;
    struct ouro_address address;
    int fd = open_bound(UDP4, &address);
    char byte;

    (void) arg;
    ouro_timeout_begin(&limit, OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_recvfrom(fd, &byte, 1, 0, NULL), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_sendto(fd, "x", 1, 0, &address), -ETIMEDOUT); /* before it starts */
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_recvfrom(fd, &byte, 1, MSG_DONTWAIT, NULL), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return 0;
}

static void test_interrupted_send_sends_nothing(void)
{
    run_on_all_rings(refuse_interrupted, NULL);
}

/* --- a bad network ---------------------------------------------------------------------------------- */

#define NUMBERS 100

struct weather {
    int seen[NUMBERS];
    bool is_in_order;
};

static int send_in_bad_weather(void *arg)
{
    struct weather *weather = arg;
    struct ouro_address address;
    int fd = open_bound(UDP4, &address);
    unsigned char number, last = 0;

    for (unsigned char i = 0; i < NUMBERS; i++)
        CU_ASSERT_EQUAL(ouro_sendto(fd, &i, 1, 0, &address), 1);
    while (ouro_recv(fd, &number, 1, MSG_DONTWAIT) == 1) {
        weather->seen[number]++;
        weather->is_in_order &= number >= last;
        last = number;
    }
    return ouro_close(fd);
}

static void test_errors_lose_double_and_reorder_datagrams(void)
{
    int lost = 0, doubled = 0;
    struct weather weather = {.is_in_order = true};

    CU_ASSERT_EQUAL(run_with("sim:seed=3,errors=30", 0, send_in_bad_weather, &weather), 0);
    for (int i = 0; i < NUMBERS; i++) {
        lost += weather.seen[i] == 0;
        doubled += weather.seen[i] == 2;
    }
    CU_ASSERT(lost > 0 && lost < NUMBERS / 2);
    CU_ASSERT(doubled > 0);
    CU_ASSERT(!weather.is_in_order);

    weather = (struct weather) {.is_in_order = true}; /* and none of it in good weather */
    CU_ASSERT_EQUAL(run_with("sim:seed=3", 0, send_in_bad_weather, &weather), 0);
    for (int i = 0; i < NUMBERS; i++)
        CU_ASSERT_EQUAL(weather.seen[i], 1);
    CU_ASSERT(weather.is_in_order);
}

const struct test datagram_tests[] = {
    TEST(test_echo_tells_who_sent_it),
    TEST(test_ten_thousand_datagrams_come_back),
    TEST(test_datagrams_do_not_run_together),
    TEST(test_what_does_not_fit_is_cut_off_and_told),
    TEST(test_a_datagram_has_a_largest_size),
    TEST(test_messages_have_pieces_and_an_address),
    TEST(test_messages_of_a_stream_are_bytes_only),
    TEST(test_a_large_message_passes_a_stream_unharmed),
    TEST(test_connected_udp_learns_that_nobody_is_there),
    TEST(test_refusal_ends_a_receive_that_waits),
    TEST(test_connected_socket_hears_its_peer_only),
    TEST(test_first_datagram_gives_a_socket_its_port),
    TEST(test_datagram_socket_takes_no_connections),
    TEST(test_udp_loses_what_finds_no_room),
    TEST(test_unix_datagrams_wait_for_room),
    TEST(test_full_receiver_does_not_hold_up_another),
    TEST(test_poll_tells_room_of_the_peer),
    TEST(test_unix_datagrams_learn_of_ends),
    TEST(test_unix_path_without_a_nul_is_told_with_a_length_that_calls_take),
    TEST(test_shutdown_ends_datagrams),
    TEST(test_socketpairs_talk),
    TEST(test_descriptor_is_passed_and_used),
    TEST(test_descriptors_without_room_are_closed),
    TEST(test_lost_message_closes_its_descriptors),
    TEST(test_as_many_descriptors_as_one_message_can_carry),
    TEST(test_descriptors_keep_their_place_in_a_stream),
    TEST(test_message_that_raced_a_cancel_is_not_lost),
    TEST(test_interrupted_send_sends_nothing),
    TEST(test_errors_lose_double_and_reorder_datagrams),
    TEST_END,
};
