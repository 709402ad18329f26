/* SPDX-License-Identifier: MIT */
/*
 * socket_message.c - messages through sockets: with addresses, with descriptors; see ouro_socket.h
 *
 * The msghdr of a call that has none in its own signature lives in the frame of that call,
 * which does not return before the kernel is through with it.
 *
 * A Unix datagram that finds its receiver full must not wait inside io_uring. Linux (seen on
 * 6.18) has copied the bytes by the time that it finds out, and does not rewind: the send is
 * repeated later with nothing left, and an empty datagram arrives. Without a peer it is worse:
 * the socket itself is always ready to send, so that the ring tries again and again and
 * returns to nobody. So messages are first sent with MSG_DONTWAIT, and the wait is ours.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "dispatcher.h"
#include "ouro_socket.h"
#include "ouro_timer.h"

/* How often a Unix socket without a peer looks whether its receiver has room. */
#define ROOM_CHECK_NS OURO_MILLISECOND

/* The memory for one control message with as many descriptors as there can be. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(OURO_FDS_MAX * sizeof(int))];
};

static ssize_t send_message(int fd, const struct msghdr *message, int flags)
{
    struct op op = {
        .kind = OP_SENDMSG,
        .args.sendmsg = {.fd = fd, .flags = (unsigned) flags | MSG_NOSIGNAL, .message = message}};

    return ouro__op_call(&op, OP_INTERRUPTIBLE);
}

static bool is_unix_datagram(int fd)
{
    int domain = 0, type = 0;
    socklen_t len = sizeof(type);

    return !ouro_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) && type == SOCK_DGRAM &&
           !ouro_getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) && domain == AF_UNIX;
}

/* Poll tells when the peer has room, but nothing of other receivers. */
static ssize_t send_when_there_is_room(int fd, const struct msghdr *message, int flags)
{
    ssize_t result;
    int code;

    do {
        code = message->msg_name ? 0 : ouro_poll(fd, POLLOUT);
        if (code < 0)
            return code;
        result = send_message(fd, message, flags | MSG_DONTWAIT);
        if (result == -EAGAIN) {
            code = ouro_sleep(ROOM_CHECK_NS);
            if (code)
                return code;
        }
    } while (result == -EAGAIN);
    return result;
}

ssize_t ouro_sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t result;

    /* MSG_WAITALL means nothing to a datagram, which must not wait in the ring all the same. */
    if (flags & MSG_WAITALL && is_unix_datagram(fd))
        flags &= ~MSG_WAITALL;
    if (flags & (MSG_DONTWAIT | MSG_WAITALL))
        return send_message(fd, message, flags);
    result = send_message(fd, message, flags | MSG_DONTWAIT);
    if (result != -EAGAIN)
        return result;
    return is_unix_datagram(fd) ? send_when_there_is_room(fd, message, flags)
                                : send_message(fd, message, flags);
}

ssize_t ouro_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct op op = {.kind = OP_RECVMSG,
                    .args.recvmsg = {.fd = fd,
                                     .flags = (unsigned) flags | MSG_CMSG_CLOEXEC,
                                     .message = message}};
    int64_t result = ouro__op_call(&op, OP_INTERRUPTIBLE);

    if (result >= 0)
        message->msg_flags &= ~MSG_CMSG_CLOEXEC; /* Linux repeats it, which is of no use here */
    return result;
}

/* --- datagrams ------------------------------------------------------------------------- */

ssize_t ouro_sendto(int fd, const void *buf, size_t len, int flags, const struct ouro_address *to)
{
    struct iovec part = {.iov_base = (void *) (uintptr_t) buf, .iov_len = len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (to) {
        message.msg_name = (void *) (uintptr_t) &to->sockaddr;
        message.msg_namelen = to->len;
    }
    return ouro_sendmsg(fd, &message, flags);
}

ssize_t ouro_recvfrom(int fd, void *buf, size_t len, int flags, struct ouro_address *ret_from)
{
    struct ouro_address from;
    struct iovec part = {.iov_base = buf, .iov_len = len};
    struct msghdr message = {.msg_name = &from.sockaddr,
                             .msg_namelen = sizeof(from.un),
                             .msg_iov = &part,
                             .msg_iovlen = 1};
    ssize_t result;

    memset(&from, 0, sizeof(from));
    result = ouro_recvmsg(fd, &message, flags);
    if (result >= 0 && ret_from) {
        from.len = message.msg_namelen < sizeof(from.un) ? message.msg_namelen : sizeof(from.un);
        *ret_from = from;
    }
    return result;
}

/* --- descriptors ------------------------------------------------------------------------- */

ssize_t ouro_send_fds(int fd, const void *buf, size_t len, const int *fds, size_t count)
{
    struct iovec part = {.iov_base = (void *) (uintptr_t) buf, .iov_len = len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;

    if (count > OURO_FDS_MAX)
        return -EINVAL;
    if (count > 0) {
        memset(&control, 0, sizeof(control));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    return ouro_sendmsg(fd, &message, 0);
}

/* Copies the descriptors that came; returns how many. */
static size_t read_fds(struct msghdr *message, int *fds)
{
    size_t count = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        size_t bytes = header->cmsg_len - CMSG_LEN(0);

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        memcpy(fds + count, CMSG_DATA(header), bytes);
        count += bytes / sizeof(int);
    }
    return count;
}

ssize_t ouro_recv_fds(int fd, void *buf, size_t len, int *fds, size_t room, size_t *ret_count)
{
    struct iovec part = {.iov_base = buf, .iov_len = len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;
    ssize_t result;

    /* CMSG_SPACE() may have room for one more: what does not fit is closed by the kernel. */
    if (room > OURO_FDS_MAX)
        room = OURO_FDS_MAX;
    if (room > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_LEN(room * sizeof(int));
    }
    result = ouro_recvmsg(fd, &message, 0);
    if (result >= 0)
        *ret_count = read_fds(&message, fds);
    return result;
}
