/* SPDX-License-Identifier: MIT */
/*
 * socket.c - sockets for tasks; see ouro_socket.h
 *
 * Calls that may wait are operations of the ring. Those that never do, and have no
 * opcode worth its price, are direct calls of the ring's backend.
 */
#include <errno.h>
#include <limits.h>

#include "op_call.h"
#include "ouro_shard.h"
#include "ouro_socket.h"

/* The kernel's limit for one transfer (MAX_RW_COUNT), which also keeps results in an int. */
#define TRANSFER_MAX ((size_t) 0x7ffff000)

static size_t clamp(size_t len)
{
    return len < TRANSFER_MAX ? len : TRANSFER_MAX;
}

static struct ring *ring_of_task(const char *caller)
{
    (void) ouro__dispatcher_task(caller);
    return &ouro__dispatcher->ring;
}

/*
 * A Unix path that leaves no room for its NUL is told with one all the same: a length that is
 * larger than the address, and that no call accepts (unix(7)).
 */
static void set_address(struct ouro_address *ret_address, const struct ouro_address *address)
{
    *ret_address = *address;
    if (ret_address->len > sizeof(ret_address->un))
        ret_address->len = sizeof(ret_address->un);
}

/* --- calls that never wait ------------------------------------------------------------ */

int ouro_socket(int domain, int type, int protocol)
{
    struct ring *ring = ring_of_task("ouro_socket() needs a task");

    return ring->backend->socket(ring, domain, type | SOCK_CLOEXEC, protocol);
}

int ouro_socketpair(int domain, int type, int protocol, int ret_fds[2])
{
    struct ring *ring = ring_of_task("ouro_socketpair() needs a task");
    int fds[2];
    int code = ring->backend->socketpair(ring, domain, type | SOCK_CLOEXEC, protocol, fds);

    if (!code) {
        ret_fds[0] = fds[0];
        ret_fds[1] = fds[1];
    }
    return code;
}

int ouro_bind(int fd, const struct ouro_address *address)
{
    struct ring *ring = ring_of_task("ouro_bind() needs a task");

    return ring->backend->bind(ring, fd, &address->sockaddr, address->len);
}

static int bind_and_listen(struct ring *ring, int fd, const struct ouro_address *address,
                           int backlog, bool is_shared)
{
    int one = 1;
    int code = 0;

    if (address->sockaddr.sa_family != AF_UNIX)
        code = ring->backend->setsockopt(ring, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (!code && is_shared)
        code = ring->backend->setsockopt(ring, fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    if (!code)
        code = ring->backend->bind(ring, fd, &address->sockaddr, address->len);
    if (!code)
        code = ring->backend->listen(ring, fd, backlog > 0 ? backlog : INT_MAX);
    return code;
}

static int listen_with(const struct ouro_address *address, int backlog, bool is_shared)
{
    int fd = ouro_socket(address->sockaddr.sa_family, SOCK_STREAM, 0);
    int code;

    if (fd < 0)
        return fd;
    code = bind_and_listen(&ouro__dispatcher->ring, fd, address, backlog, is_shared);
    if (code) {
        (void) ouro_close(fd);
        return code;
    }
    return fd;
}

int ouro_listen(const struct ouro_address *address, int backlog)
{
    return listen_with(address, backlog, /* is_shared= */ false);
}

int ouro_listen_shared(const struct ouro_address *address, int backlog)
{
    if (address->sockaddr.sa_family == AF_UNIX)
        return -EOPNOTSUPP;
    return listen_with(address, backlog, /* is_shared= */ true);
}

int ouro_shutdown(int fd, int how)
{
    struct ring *ring = ring_of_task("ouro_shutdown() needs a task");

    return ring->backend->shutdown(ring, fd, how);
}

int ouro_getsockname(int fd, struct ouro_address *ret_address)
{
    struct ring *ring = ring_of_task("ouro_getsockname() needs a task");
    struct ouro_address address = {.len = sizeof(address.un)};
    int code = ring->backend->getsockname(ring, fd, &address.sockaddr, &address.len);

    if (!code)
        set_address(ret_address, &address);
    return code;
}

int ouro_getpeername(int fd, struct ouro_address *ret_address)
{
    struct ring *ring = ring_of_task("ouro_getpeername() needs a task");
    struct ouro_address address = {.len = sizeof(address.un)};
    int code = ring->backend->getpeername(ring, fd, &address.sockaddr, &address.len);

    if (!code)
        set_address(ret_address, &address);
    return code;
}

int ouro_getsockopt(int fd, int level, int option, void *value, socklen_t *value_len)
{
    struct ring *ring = ring_of_task("ouro_getsockopt() needs a task");

    return ring->backend->getsockopt(ring, fd, level, option, value, value_len);
}

int ouro_setsockopt(int fd, int level, int option, const void *value, socklen_t value_len)
{
    struct ring *ring = ring_of_task("ouro_setsockopt() needs a task");

    return ring->backend->setsockopt(ring, fd, level, option, value, value_len);
}

/* --- operations -------------------------------------------------------------------------- */

int ouro_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    struct op op = {.kind = OP_CONNECT,
                    .args.connect = {.fd = fd, .address = address, .address_len = len}};

    return (int) ouro__op_call(&op, OP_INTERRUPTIBLE);
}

int ouro_accept(int fd, struct ouro_address *ret_address)
{
    struct ouro_address address = {.len = sizeof(address.un)};
    struct op op = {.kind = OP_ACCEPT, .args.accept = {.fd = fd}};
    int result;

    if (ret_address) {
        op.args.accept.address = &address.sockaddr;
        op.args.accept.address_len = &address.len;
    }
    result = (int) ouro__op_call(&op, OP_INTERRUPTIBLE);
    if (result >= 0 && ret_address)
        set_address(ret_address, &address);
    return result;
}

ssize_t ouro_recv(int fd, void *buf, size_t len, int flags)
{
    struct op op;

    op.args.recv.fd = fd;
    op.args.recv.flags = flags;
    op.args.recv.buf = buf;
    op.args.recv.len = clamp(len);
    return op_call(&op, OP_RECV, OP_INTERRUPTIBLE);
}

int ouro_recv_exact(int fd, void *buf, size_t len, size_t *ret_received)
{
    size_t received = 0;
    ssize_t result = 1;

    while (received < len) {
        result = ouro_recv(fd, (char *) buf + received, len - received, 0);
        if (result <= 0)
            break;
        received += (size_t) result;
    }
    if (ret_received)
        *ret_received = received;
    if (result == 0)
        return OURO_EEOF;
    return result < 0 ? (int) result : 0;
}

__attribute__((always_inline)) static inline ssize_t send_once(int fd, const void *buf, size_t len,
                                                               int flags)
{
    struct op op;

    op.args.send.fd = fd;
    op.args.send.flags = flags | MSG_NOSIGNAL;
    op.args.send.buf = buf;
    op.args.send.len = clamp(len);
    return op_call(&op, OP_SEND, OP_INTERRUPTIBLE);
}

ssize_t ouro_send(int fd, const void *buf, size_t len, int flags)
{
    return send_once(fd, buf, len, flags);
}

int ouro_send_all(int fd, const void *buf, size_t len, size_t *ret_sent)
{
    size_t sent = 0;
    ssize_t result = 0;

    while (sent < len) {
        /* MSG_WAITALL: the kernel itself goes on after a short transfer. */
        result = send_once(fd, (const char *) buf + sent, len - sent, MSG_WAITALL);
        if (result < 0)
            break;
        sent += (size_t) result;
    }
    if (ret_sent)
        *ret_sent = sent;
    return result < 0 ? (int) result : 0;
}

/*
 * The SQ thread lets go of a closed file when it has posted the completion: at the end of the round
 * in which it took the entry. What is submitted from then on it takes in a later round.
 */
static void wait_for_next_round(void)
{
    struct op op = {.kind = OP_NOP};

    (void) ouro__op_call(&op, OP_CLEANUP);
}

int ouro_close(int fd)
{
    struct op op = {.kind = OP_CLOSE, .args.close = {.fd = fd}};
    int code = (int) ouro__op_call(&op, OP_CLEANUP);

    if (!code && ouro__dispatcher->ring.mode == RING_SQPOLL)
        wait_for_next_round();
    return code;
}

int ouro_poll(int fd, unsigned events)
{
    struct op op = {.kind = OP_POLL, .args.poll = {.fd = fd, .events = events}};

    return (int) ouro__op_call(&op, OP_INTERRUPTIBLE);
}
