/* SPDX-License-Identifier: MIT */
/*
 * sender.c - a source op that sends; see ouro_sender.h
 *
 * The kernel goes on by itself after a short transfer (MSG_WAITALL); when it gives up half way,
 * as it may for want of memory, the rest is submitted anew.
 */
#include <errno.h>

#include "dispatcher.h"
#include "ouro_sender.h"

struct sender {
    struct source source;
    const char *data; /* what is left */
    size_t len;
    ouro_sender_fn *done;
    int fd;
    bool is_cancelled;
};

_Static_assert(sizeof(struct sender) <= sizeof(struct ouro_sender), "words is too small");
_Static_assert(_Alignof(struct sender) <= _Alignof(struct ouro_sender), "words is misaligned");

#define SEND_MAX ((size_t) 1 << 30) /* at a time: an SQE counts in 32 bits */

static struct sender *sender_of(struct ouro_sender *sender)
{
    return (struct sender *) (void *) sender;
}

static void prepare(struct source *source, struct io_uring_sqe *sqe)
{
    const struct sender *self = container_of(source, struct sender, source);

    if (self->is_cancelled) { /* while it waited for an SQE; the end has to come as any other */
        io_uring_prep_nop(sqe);
        return;
    }
    io_uring_prep_send(sqe, self->fd, self->data, self->len < SEND_MAX ? self->len : SEND_MAX,
                       MSG_WAITALL | MSG_NOSIGNAL);
}

static void end(struct sender *self, int code)
{
    ouro__dispatcher->in_flight_count--;
    self->done((struct ouro_sender *) (void *) self, code);
}

static void complete(struct source *source, int32_t result, uint32_t cqe_flags)
{
    struct sender *self = container_of(source, struct sender, source);

    (void) cqe_flags;
    if (result > 0) {
        self->data += result;
        self->len -= (size_t) result;
    }
    if (self->len == 0)
        end(self, 0);
    else if (self->is_cancelled)
        end(self, -ECANCELED);
    else if (result < 0 && result != -EINTR)
        end(self, result);
    else
        ouro__source_submit(ouro__dispatcher, source);
}

static const struct source_ops source_ops = {.complete = complete, .prepare = prepare};

bool ouro_sender_is_sending(const struct ouro_sender *sender)
{
    const struct sender *self = (const struct sender *) (const void *) sender;

    return self->source.state != OP_IDLE && self->source.state != OP_DONE;
}

void ouro_sender_start(struct ouro_sender *sender, int fd, const void *data, size_t len,
                       ouro_sender_fn *done)
{
    struct sender *self = sender_of(sender);

    CHECK(ouro__dispatcher, "ouro_sender_start() needs a loop");
    CHECK(!ouro_sender_is_sending(sender) && len > 0, "a sender is started twice, or for nothing");
    *self = (struct sender) {
        .source = {.ops = &source_ops}, .data = data, .len = len, .done = done, .fd = fd};
    ouro__dispatcher->in_flight_count++;
    ouro__source_submit(ouro__dispatcher, &self->source);
}

void ouro_sender_cancel(struct ouro_sender *sender)
{
    struct sender *self = sender_of(sender);

    if (!ouro_sender_is_sending(sender) || self->is_cancelled)
        return;
    self->is_cancelled = true;
    if (self->source.state == OP_SUBMITTED)
        ouro__source_cancel(ouro__dispatcher, &self->source);
}
