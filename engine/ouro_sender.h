/* SPDX-License-Identifier: MIT */
/*
 * ouro_sender.h - sends that go on without a task
 *
 * A task that has nothing left to do but to wait until its last bytes are out keeps a stack for
 * that. A sender does the waiting in its place, and calls a function when all is sent: what a
 * server with many connections needs beside ouro_receiver_watch() (ouro_lease.h).
 */
#ifndef OURO_SENDER_H
#define OURO_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ouro_base.h"

OURO_BEGIN_DECLS

struct ouro_sender;

/*
 * @code: 0 when all bytes were sent; -ECANCELED after ouro_sender_cancel(); -EPIPE, -ECONNRESET
 *        or another -errno of send(2): then nobody knows what the peer got
 *
 * The sender is free by then, to be started again, or its memory to be used otherwise.
 *
 * Context: the loop, between tasks; it must not suspend.
 */
typedef void ouro_sender_fn(struct ouro_sender *sender, int code);

/* It lives in the caller's memory, starts out as zeros, and must not move while it sends. */
struct ouro_sender {
    void *words[8];
};

/*
 * ouro_sender_start - send all `len` bytes to a connected stream socket
 * @sender: not sending
 * @fd:     borrowed until `done` is called; nobody else may send to it meanwhile
 * @data:   likewise
 * @len:    at least 1
 * @done:   called once, never before this returns
 *
 * The loop must not end before. There is no limit of time: cancel it when one is over.
 *
 * Context: loop thread.
 */
OURO_API void ouro_sender_start(struct ouro_sender *sender, int fd, const void *data, size_t len,
                                ouro_sender_fn *done);

/*
 * ouro_sender_cancel - ask a sender to end soon; one that does not send is left alone
 *
 * When all has been sent by then, its function is told so all the same.
 *
 * Context: loop thread.
 */
OURO_API void ouro_sender_cancel(struct ouro_sender *sender);

/* ouro_sender_is_sending - whether its function is yet to be called. Context: loop thread. */
OURO_API bool ouro_sender_is_sending(const struct ouro_sender *sender);

OURO_END_DECLS

#endif /* OURO_SENDER_H */
