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
 * Waits while the peer is slow.
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
