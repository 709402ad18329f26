/* SPDX-License-Identifier: MIT */
/*
 * ouro_socket.h - sockets for tasks
 *
 * A socket is a plain fd owned by the caller, close-on-exec. Calls keep the name,
 * argument order and short-transfer behaviour of the system call that they are
 * named after, and suspend only the calling task. One task at a time may receive
 * from a socket and one may send; that can be two tasks.
 *
 * Close a socket when no other task waits for it: shut it down first, or cancel
 * that task.
 */
#ifndef OURO_SOCKET_H
#define OURO_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "ouro_address.h"
#include "ouro_base.h"

OURO_BEGIN_DECLS

/*
 * ouro_socket - socket(2), with SOCK_CLOEXEC added
 *
 * Context: task.
 * Returns: the new fd, owned, close with ouro_close(); -EMFILE or another -errno of socket(2).
 */
OURO_API int ouro_socket(int domain, int type, int protocol);

/*
 * ouro_socketpair - socketpair(2), with SOCK_CLOEXEC added
 *
 * Context: task.
 * Returns: 0 and two connected sockets, owned; -EOPNOTSUPP for all domains but AF_UNIX;
 *          -EMFILE or another -errno of socketpair(2).
 */
OURO_API int ouro_socketpair(int domain, int type, int protocol, int ret_fds[2]);

/*
 * ouro_bind - bind(2): a name for a socket that does not listen, of datagrams as a rule
 *
 * Context: task.
 * Returns: 0; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES or another -errno of bind(2).
 */
OURO_API int ouro_bind(int fd, const struct ouro_address *address);

/*
 * ouro_listen - a socket bound to `address` that listens
 * @backlog: 0 for the largest that the system allows
 *
 * With SO_REUSEADDR, as servers want it. A Unix path that exists is not removed.
 *
 * Context: task, may suspend (to close the socket after a failure); never interrupted.
 * Returns: the new fd, owned; -EADDRINUSE, -EACCES or another -errno of bind(2).
 */
OURO_API OURO_TASK int ouro_listen(const struct ouro_address *address, int backlog);

/*
 * ouro_connect - connect(2)
 *
 * Of a datagram socket it sets the peer: whom ouro_send() sends to, and the only one to receive
 * from.
 *
 * A connect that fails or is interrupted leaves the socket fit only for closing.
 *
 * Context: task, may suspend.
 * Returns: 0; -ECONNREFUSED or another -errno of connect(2); -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_connect(int fd, const struct sockaddr *address, socklen_t len);

/*
 * ouro_accept - accept4(2) with SOCK_CLOEXEC
 * @ret_address: the peer's; may be NULL, which is cheaper
 *
 * Context: task, may suspend.
 * Returns: the new fd, owned; -EMFILE or another -errno of accept(2); -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_accept(int fd, struct ouro_address *ret_address);

/*
 * Accepts connections ahead of the task that takes them, which a server with many short
 * connections wants. It lives in the caller's memory and must not move; the content is private.
 * One task at a time may use it.
 */
struct ouro_acceptor {
    void *words[12];
};

/*
 * ouro_acceptor_init - an acceptor for a socket that listens
 * @listen_fd: borrowed until ouro_acceptor_done()
 *
 * The socket is better not shared with other loops or processes: the kernel gives all that come
 * to the one that is awake. Where shards share one without SO_REUSEPORT (ouro_listen_shared() sets
 * it) it accepts one connection at a time, as ouro_accept() does.
 *
 * Context: task.
 * Returns: 0; -ENOMEM.
 */
OURO_API int ouro_acceptor_init(struct ouro_acceptor *acceptor, int listen_fd);

/*
 * ouro_acceptor_next - the next connection, close-on-exec
 *
 * From the first call on connections are accepted, also while nobody waits for them: a few
 * hundred at most, then they stay in the listener's queue.
 *
 * Context: task, may suspend.
 * Returns: the new fd, owned; -EMFILE or another -errno of accept(2), and the next call tries
 *          again; -ECANCELED, -ETIMEDOUT: whom it accepts meanwhile is there for the next call.
 */
OURO_API OURO_TASK int ouro_acceptor_next(struct ouro_acceptor *acceptor);

/*
 * ouro_acceptor_done - end an acceptor, and close connections that nobody took
 *
 * Context: task, may suspend; a clean-up call: it is never interrupted.
 */
OURO_API OURO_TASK void ouro_acceptor_done(struct ouro_acceptor *acceptor);

/*
 * ouro_recv - receive up to `len` bytes from a connected socket
 * @buf:   the kernel never touches it after the return, not even when the call
 *         was cancelled or timed out
 * @flags: MSG_* of recv(2)
 *
 * Context: task, may suspend.
 * Returns: bytes received; 0 when the peer has shut down; -ECONNRESET or another
 *          -errno of recv(2); -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK ssize_t ouro_recv(int fd, void *buf, size_t len, int flags);

/*
 * ouro_recv_exact - receive exactly `len` bytes
 * @ret_received: may be NULL; how many arrived, written also on failure
 *
 * Context: task, may suspend.
 * Returns: 0; OURO_EEOF when the peer shut down before; otherwise as ouro_recv().
 */
OURO_API OURO_TASK int ouro_recv_exact(int fd, void *buf, size_t len, size_t *ret_received);

/*
 * ouro_send - send up to `len` bytes on a connected socket
 * @flags: MSG_* of send(2); MSG_NOSIGNAL is implied
 *
 * Waits while the peer is slow. On a Unix datagram socket use ouro_sendto() instead: Linux
 * sends an empty datagram in place of one that had to wait in its ring.
 *
 * Context: task, may suspend.
 * Returns: bytes sent, possibly fewer than `len`; -EPIPE, -ECONNRESET or another
 *          -errno of send(2); -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK ssize_t ouro_send(int fd, const void *buf, size_t len, int flags);

/*
 * ouro_send_all - send all `len` bytes
 * @ret_sent: may be NULL; how many went out, written also on failure
 *
 * Context: task, may suspend.
 * Returns: 0; otherwise as ouro_send().
 */
OURO_API OURO_TASK int ouro_send_all(int fd, const void *buf, size_t len, size_t *ret_sent);

/*
 * ouro_sendmsg - sendmsg(2): several pieces of memory, an address, control data
 * @message: with all that it points to, borrowed; never written to
 * @flags:   MSG_* of sendmsg(2); MSG_NOSIGNAL is implied
 *
 * Context: task, may suspend.
 * Returns: bytes sent, of a stream possibly fewer than there are; otherwise as ouro_send(),
 *          and -EBADF for a descriptor in it that is none.
 */
OURO_API OURO_TASK ssize_t ouro_sendmsg(int fd, const struct msghdr *message, int flags);

/*
 * ouro_recvmsg - recvmsg(2): several pieces of memory, an address, control data
 * @message: written to as recvmsg(2) does, on success only
 * @flags:   MSG_* of recvmsg(2); MSG_CMSG_CLOEXEC is implied
 *
 * Descriptors that come with the message are the caller's to close. Those that msg_control
 * has no room for are closed, and msg_flags has MSG_CTRUNC.
 *
 * Context: task, may suspend.
 * Returns: bytes received; otherwise as ouro_recv().
 */
OURO_API OURO_TASK ssize_t ouro_recvmsg(int fd, struct msghdr *message, int flags);

/*
 * ouro_sendto - send one datagram
 * @flags: MSG_* of sendto(2); MSG_NOSIGNAL is implied
 * @to:    NULL on a connected socket means its peer
 *
 * A Unix datagram waits until its receiver has room; a UDP one is lost if he has none.
 *
 * Context: task, may suspend.
 * Returns: `len`: a datagram is sent as a whole; -EMSGSIZE when it is too long;
 *          -EDESTADDRREQ (UDP) or -ENOTCONN (Unix) when nobody said where to;
 *          -ECONNREFUSED when nobody is there: for Unix at once, for a connected UDP socket
 *          at the call after the datagram that was refused; another -errno of sendto(2);
 *          -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK ssize_t ouro_sendto(int fd, const void *buf, size_t len, int flags,
                                       const struct ouro_address *to);

/*
 * ouro_recvfrom - receive one datagram
 * @len:      what does not fit is lost; with MSG_TRUNC in `flags` the result tells the whole length
 * @ret_from: who sent it, its `len` being 0 for a sender without a name; may be NULL
 *
 * Context: task, may suspend.
 * Returns: bytes received, 0 for an empty datagram; otherwise as ouro_recv(). A connected UDP
 *          socket that nobody listens to gives -ECONNREFUSED once.
 */
OURO_API OURO_TASK ssize_t ouro_recvfrom(int fd, void *buf, size_t len, int flags,
                                         struct ouro_address *ret_from);

/* As many descriptors as one message can carry (SCM_MAX_FD). */
#define OURO_FDS_MAX 253

/*
 * ouro_send_fds - send bytes, and descriptors with the first of them
 * @fd:    a Unix socket
 * @len:   of a stream at least 1: without bytes, descriptors don't go
 * @fds:   borrowed: the receiver gets copies, which outlive these
 * @count: at most OURO_FDS_MAX
 *
 * Context: task, may suspend.
 * Returns: bytes sent: the descriptors went with the first of them; -EINVAL for too many;
 *          -EBADF; otherwise as ouro_send().
 */
OURO_API OURO_TASK ssize_t ouro_send_fds(int fd, const void *buf, size_t len, const int *fds,
                                         size_t count);

/*
 * ouro_recv_fds - receive bytes and the descriptors that come with them
 * @fds:       memory for `room` descriptors, close-on-exec and the caller's from now on
 * @ret_count: how many there are
 *
 * Descriptors for which there is no room are closed; who has to know that asks ouro_recvmsg().
 * Of a stream no more bytes are received than those that the descriptors came with.
 *
 * Context: task, may suspend.
 * Returns: bytes received; otherwise as ouro_recv().
 */
OURO_API OURO_TASK ssize_t ouro_recv_fds(int fd, void *buf, size_t len, int *fds, size_t room,
                                         size_t *ret_count);

/*
 * ouro_shutdown - shutdown(2); `how` is SHUT_RD, SHUT_WR or SHUT_RDWR
 *
 * Context: task.
 * Returns: 0; -ENOTCONN or another -errno of shutdown(2).
 */
OURO_API int ouro_shutdown(int fd, int how);

/*
 * ouro_close - close(2)
 *
 * Context: task, may suspend; a clean-up call: it is never interrupted. The fd is
 *          gone when it returns, whatever it returns.
 * Returns: 0; -EBADF, -EIO.
 */
OURO_API OURO_TASK int ouro_close(int fd);

/*
 * ouro_poll - wait until a foreign fd is ready
 * @events: POLLIN, POLLOUT, … of poll(2)
 *
 * Any library that shows its descriptors can be driven with it.
 *
 * Context: task, may suspend.
 * Returns: the events that are ready, POLLERR and POLLHUP included; -EBADF;
 *          -ECANCELED, -ETIMEDOUT; -ENOSYS for a foreign fd on the simulated ring.
 */
OURO_API OURO_TASK int ouro_poll(int fd, unsigned events);

/* getsockname(2), getpeername(2). Context: task. Returns: 0 or -errno. */
OURO_API int ouro_getsockname(int fd, struct ouro_address *ret_address);
OURO_API int ouro_getpeername(int fd, struct ouro_address *ret_address);

/* getsockopt(2), setsockopt(2). Context: task. Returns: 0 or -errno. */
OURO_API int ouro_getsockopt(int fd, int level, int option, void *value, socklen_t *value_len);
OURO_API int ouro_setsockopt(int fd, int level, int option, const void *value, socklen_t value_len);

OURO_END_DECLS

#endif /* OURO_SOCKET_H */
