/* SPDX-License-Identifier: MIT */
/*
 * acceptor.c - multishot accept; see ouro_socket.h
 *
 * One operation goes on accepting, and each connection comes as a completion of its own: 21.8 us
 * of CPU per short connection where an accept for each takes 25.9 (Linux 6.18, loopback).
 *
 *      next() finds nothing           last completion
 *    ────────────────────────▶ armed ─────────────────▶ not armed
 *                                │
 *                                └──▶ cancelled: WAITING_MAX connections are waiting to be taken
 *
 * Invariants
 *   1. A descriptor that a completion brings is queued, whatever else it says; done() closes what
 *      nobody took.
 *   2. An error comes after all connections that were accepted before it.
 *   3. There is room for every completion that can come before the operation is cancelled: the
 *      kernel fills the completion queue at most, and then ends it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dispatcher.h"
#include "ouro_shard.h"
#include "ouro_socket.h"

#define WAITING_MAX 256

struct acceptor {
    struct source source;
    struct wait *wait; /* of the task in next() or done() */
    int *fds;          /* accepted and not taken: `count` of them from `first` on, in a ring */
    unsigned first, count, size;
    int listen_fd;
    int error;           /* after these; 0: none */
    bool is_counted : 1; /* in the dispatcher's in_flight_count */
    bool is_stopping : 1;
    bool is_single : 1;
};

_Static_assert(sizeof(struct acceptor) <= sizeof(struct ouro_acceptor), "words is too small");
_Static_assert(_Alignof(struct acceptor) <= _Alignof(struct ouro_acceptor), "words is misaligned");

static struct acceptor *acceptor_of(struct ouro_acceptor *acceptor)
{
    return (struct acceptor *) (void *) acceptor;
}

static bool is_armed(const struct acceptor *self)
{
    return self->source.state != OP_IDLE && self->source.state != OP_DONE;
}

/* An operation that a task waits for counts as in flight, others can't wake anybody. */
static void recount(struct acceptor *self)
{
    bool counts = self->wait && is_armed(self);

    if (counts && !self->is_counted)
        ouro__dispatcher->in_flight_count++;
    else if (!counts && self->is_counted)
        ouro__dispatcher->in_flight_count--;
    self->is_counted = counts;
}

static void wake(struct acceptor *self, int result)
{
    struct wait *wait = self->wait;

    self->wait = NULL;
    recount(self);
    if (wait)
        ouro__task_wake(wait, result);
}

/* --- the operation ------------------------------------------------------------------------- */

static void prepare(struct source *source, struct io_uring_sqe *sqe)
{
    const struct acceptor *self = container_of(source, struct acceptor, source);

    if (self->is_single)
        io_uring_prep_accept(sqe, self->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    else
        io_uring_prep_multishot_accept(sqe, self->listen_fd, NULL, NULL, SOCK_CLOEXEC);
}

static void arm(struct acceptor *self)
{
    if (!is_armed(self))
        ouro__source_submit(ouro__dispatcher, &self->source);
    recount(self);
}

static void cancel(struct acceptor *self)
{
    ouro__source_cancel(ouro__dispatcher, &self->source);
    recount(self);
}

static bool has_something(const struct acceptor *self)
{
    return self->count || self->error;
}

static void enqueue(struct acceptor *self, int fd)
{
    CHECK(self->count < self->size, "more connections than completions");
    self->fds[(self->first + self->count++) % self->size] = fd;
}

static void complete(struct source *source, int32_t result, uint32_t cqe_flags)
{
    struct acceptor *self = container_of(source, struct acceptor, source);
    bool is_last = !(cqe_flags & IORING_CQE_F_MORE);

    if (result >= 0)
        enqueue(self, result);
    else if (result != -ECANCELED)
        self->error = result;
    recount(self);
    if (self->is_stopping) {
        if (is_last)
            wake(self, 0);
        return;
    }
    if (self->wait && has_something(self))
        wake(self, 0);
    if (is_last && self->wait)
        arm(self);
    else if (!is_last && self->count >= WAITING_MAX)
        cancel(self);
}

/* --- waiting ------------------------------------------------------------------------------- */

struct acceptor_wait {
    struct wait wait;
    struct acceptor *acceptor;
};

/* The operation goes on: whom it accepts is for the next call. */
static void interrupt(struct wait *wait, int code)
{
    wake(container_of(wait, struct acceptor_wait, wait)->acceptor, code);
}

static int describe(const struct wait *wait, char *text, size_t text_bytes)
{
    return snprintf(text, text_bytes, "%s, fd %d", wait->kind->name,
                    container_of(wait, struct acceptor_wait, wait)->acceptor->listen_fd);
}

static const struct wait_kind next_kind = {
    .name = "accept", .interrupt = interrupt, .describe = describe};
static const struct wait_kind stop_kind = {
    .name = "stop accepting", .interrupt = NULL, .describe = describe};

static int park(struct acceptor *self, const struct wait_kind *kind)
{
    struct acceptor_wait waiting = {
        .wait = {kind, ouro__dispatcher_task("an acceptor needs a task"), 0}, .acceptor = self};

    CHECK(!self->wait, "two tasks use one acceptor");
    self->wait = &waiting.wait;
    if (kind == &next_kind)
        arm(self);
    recount(self);
    return ouro__task_park(&waiting.wait);
}

/* --- calls --------------------------------------------------------------------------------- */

static const struct source_ops source_ops = {
    .has_many_peers = true, .complete = complete, .prepare = prepare};

/* Whether other shards may be listening on the same socket: the first would get everything. */
static bool may_be_shared(int listen_fd)
{
    struct ring *ring = &ouro__dispatcher->ring;
    socklen_t len = sizeof(int);
    int reuse = 0;

    if (ouro_shard_count() == 1)
        return false;
    return ring->backend->getsockopt(ring, listen_fd, SOL_SOCKET, SO_REUSEPORT, &reuse, &len) ||
           !reuse;
}

int ouro_acceptor_init(struct ouro_acceptor *acceptor, int listen_fd)
{
    struct acceptor *self = acceptor_of(acceptor);

    (void) ouro__dispatcher_task("ouro_acceptor_init() needs a task");
    *self = (struct acceptor) {.source = {.ops = &source_ops},
                               .listen_fd = listen_fd,
                               .size = WAITING_MAX + 2 * (ouro__dispatcher->ring.cq_mask + 1),
                               .is_single = may_be_shared(listen_fd)};
    list_init(&self->source.link);
    self->fds = malloc(self->size * sizeof(*self->fds)); /* pages that are not used cost nothing */
    return self->fds ? 0 : -ENOMEM;
}

static int take(struct acceptor *self)
{
    int result = self->error;

    if (self->count) {
        result = self->fds[self->first];
        self->first = (self->first + 1) % self->size;
        self->count--;
    } else {
        self->error = 0;
    }
    return result;
}

int ouro_acceptor_next(struct ouro_acceptor *acceptor)
{
    struct acceptor *self = acceptor_of(acceptor);
    int code;

    (void) ouro__dispatcher_task("ouro_acceptor_next() needs a task");
    code = ouro__task_interruption();
    if (code)
        return code;
    if (has_something(self))
        ouro__task_charge();
    else
        (void) park(self, &next_kind);
    return has_something(self) ? take(self) : ouro__task_interruption();
}

void ouro_acceptor_done(struct ouro_acceptor *acceptor)
{
    struct acceptor *self = acceptor_of(acceptor);

    CHECK(!self->wait, "an acceptor is ended that a task waits for");
    self->is_stopping = true;
    if (is_armed(self))
        cancel(self);
    if (is_armed(self))
        (void) park(self, &stop_kind);
    while (self->count)
        (void) ouro_close(take(self));
    free(self->fds);
}
