/* SPDX-License-Identifier: MIT */
/*
 * ouro_lease.h - received bytes without a copy: receivers and leases
 *
 * Each loop has a pool of buffers that the kernel fills when bytes arrive
 * (ouro_run_options.buffer_count, buffer_bytes). A receiver keeps one operation going on
 * its socket, whatever arrives, and hands the filled buffers out as leases: read-only
 * views that the caller gives back.
 *
 *     struct ouro_receiver receiver;
 *     struct ouro_lease lease;
 *     ssize_t len;
 *
 *     ouro_receiver_init(&receiver, fd, 4);
 *     while ((len = ouro_receiver_next(&receiver, &lease)) > 0) {
 *         parse(lease.data, lease.len);
 *         ouro_lease_release(&lease);
 *     }
 *     ouro_receiver_done(&receiver);
 *
 * For datagrams there is ouro_receiver_init_datagram(), and ouro_receiver_next_from() tells who
 * sent each.
 *
 * An idle connection so holds no buffer, and a message costs no submission. A lease that is
 * kept is kept from all others of the loop: when no buffer is left, receivers wait, who
 * waited longest first, until some are given back. That is never an error.
 */
#ifndef OURO_LEASE_H
#define OURO_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ouro_address.h"
#include "ouro_base.h"

OURO_BEGIN_DECLS

struct buffer;

/* `buffer` is private. A lease of zeros is of nothing; releasing it does nothing. */
struct ouro_lease {
    const char *data;
    size_t len;
    struct buffer *buffer;
};

/*
 * ouro_lease_release - give the bytes of a lease back
 *
 * Their memory must not be looked at any more. The lease becomes one of nothing.
 *
 * Context: loop thread, that of the loop whose bytes they are.
 */
OURO_API void ouro_lease_release(struct ouro_lease *lease);

/*
 * ouro_lease_copy - a lease of a copy, for bytes that came another way
 * @len: at least 1; not more than a buffer holds is copied
 *
 * There is a quarter as many buffers for copies as for receiving, apart from those.
 *
 * Context: task, may suspend: while too many of these leases are out.
 * Returns: how many bytes were copied, and the lease, owned, give it back with
 *          ouro_lease_release(); -ENOMEM; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK ssize_t ouro_lease_copy(const void *data, size_t len,
                                           struct ouro_lease *ret_lease);

/*
 * Receives from one socket. It lives in the caller's memory and must not move; the
 * content is private. One task at a time may use it.
 */
struct ouro_receiver {
    void *words[16];
};

#define OURO_RECEIVER_QUOTA 4 /* when nothing speaks for another number */

/*
 * ouro_receiver_init - a receiver for a connected stream socket
 * @fd:    borrowed until ouro_receiver_done(); nobody else may receive from it meanwhile
 * @quota: most buffers to hold, queued and leased ones together, at least 1; 0 is
 *         OURO_RECEIVER_QUOTA. When they are held, receiving stops until some come back. The
 *         kernel may have gone further by the time it hears of that; nothing is lost then. With
 *         1 every message costs two submissions more.
 *
 * Nothing is received before the first ouro_receiver_next(); from then on bytes are, also
 * while nobody waits for them.
 *
 * Context: loop thread.
 */
OURO_API void ouro_receiver_init(struct ouro_receiver *receiver, int fd, unsigned quota);

/* How much of a buffer the sender's address takes: a datagram may have the rest. */
#define OURO_DATAGRAM_HEAD 128

/*
 * ouro_receiver_init_datagram - a receiver for a datagram socket: UDP, or AF_UNIX's
 * @fd:    bound or connected; otherwise as in ouro_receiver_init()
 * @quota: as in ouro_receiver_init(). A socket that hears many senders wants more than the
 *         default: what may come while its task is busy. When the buffers are held, datagrams
 *         stay in the socket, where UDP loses what finds no room.
 *
 * Descriptors that come with a datagram are closed.
 *
 * Context: loop thread.
 */
OURO_API void ouro_receiver_init_datagram(struct ouro_receiver *receiver, int fd, unsigned quota);

/*
 * ouro_receiver_next - the next bytes that arrive
 *
 * A lease covers what came at a time: any number of bytes, at most those of a buffer.
 *
 * Context: task, may suspend. It waits also while the quota is used up or no buffer is left.
 * Returns: how many bytes, and the lease, owned, give it back with ouro_lease_release(), also
 *          after ouro_receiver_done(); 0 when the peer has shut down; -ECONNRESET or another
 *          -errno of recv(2); -ENOMEM; -ECANCELED, -ETIMEDOUT: then bytes that arrive
 *          meanwhile are there for the next call.
 */
OURO_API OURO_TASK ssize_t ouro_receiver_next(struct ouro_receiver *receiver,
                                              struct ouro_lease *ret_lease);

/*
 * ouro_receiver_next_from - the next datagram, and who sent it
 * @ret_from: its `len` is 0 for a sender without a name, and on a receiver of a stream; may be
 *            NULL, which is what ouro_receiver_next() does
 *
 * There is no end: 0 is an empty datagram, whose lease is of nothing. A socket that was shut down
 * is silent.
 *
 * Context: task, may suspend; as ouro_receiver_next().
 * Returns: how long the datagram is, and the lease, owned, as there; when it is longer than the
 *          `len` of the lease, the rest did not fit into the buffer and is lost; -ECONNREFUSED,
 *          once, when a datagram that a connected UDP socket sent reached nobody, and the next
 *          call goes on; -EINVAL when buffers have no more than OURO_DATAGRAM_HEAD bytes; another
 *          error of ouro_receiver_next().
 */
OURO_API OURO_TASK ssize_t ouro_receiver_next_from(struct ouro_receiver *receiver,
                                                   struct ouro_lease *ret_lease,
                                                   struct ouro_address *ret_from);

/*
 * ouro_receiver_is_ready - whether ouro_receiver_next() would return at once
 *
 * Context: loop thread.
 */
OURO_API bool ouro_receiver_is_ready(const struct ouro_receiver *receiver);

/* For ouro_receiver_watch(). Context: the loop, between tasks; it must not suspend. */
typedef void ouro_receiver_ready_fn(struct ouro_receiver *receiver);

/*
 * ouro_receiver_watch - have a function called in place of a task that waits
 * @ready: called once, as soon as ouro_receiver_next() would return at once: there are bytes, or
 *         the end, or an error. It may watch again what it finds unready, set events and start
 *         senders (ouro_sender.h), and usually puts the receiver's owner on some list for a task
 *         to see to.
 *
 * So many connections that wait for bytes need no task each: a receiver is all that is left of
 * one. While it is watched nobody may wait for it.
 *
 * Context: loop thread.
 * Returns: 0; 1 when there is something already, and then nothing is watched; -ENOMEM.
 */
OURO_API int ouro_receiver_watch(struct ouro_receiver *receiver, ouro_receiver_ready_fn *ready);

/*
 * ouro_receiver_unwatch - end a watch, if there is one: its function will not be called
 *
 * What comes from now on is there for ouro_receiver_next(). Stopping and ending a receiver do the
 * same.
 *
 * Context: loop thread.
 */
OURO_API void ouro_receiver_unwatch(struct ouro_receiver *receiver);

/*
 * ouro_receiver_stop - receive no more; what has come can still be had
 *
 * For going on without the receiver: when it has returned and the receiver is not ready, all
 * bytes that are yet to come are in the socket. ouro_receiver_next() starts it again.
 *
 * Context: task, may suspend; a clean-up call: it is never interrupted.
 */
OURO_API OURO_TASK void ouro_receiver_stop(struct ouro_receiver *receiver);

/*
 * ouro_receiver_done - end a receiver
 *
 * What has come and was not asked for is dropped; leases stay valid. The kernel knows
 * nothing of the receiver any more when it returns. Call it before the socket is closed.
 *
 * Context: task, may suspend; a clean-up call: it is never interrupted.
 */
OURO_API OURO_TASK void ouro_receiver_done(struct ouro_receiver *receiver);

/*
 * ouro_receiver_close - the same, and close the socket: both in one trip to the kernel
 *
 * Context: task, may suspend; a clean-up call: it is never interrupted.
 * Returns: as ouro_close().
 */
OURO_API OURO_TASK int ouro_receiver_close(struct ouro_receiver *receiver);

OURO_END_DECLS

#endif /* OURO_LEASE_H */
