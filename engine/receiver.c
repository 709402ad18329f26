/* SPDX-License-Identifier: MIT */
/*
 * receiver.c - multishot receive into provided buffers; see ouro_lease.h
 *
 * Of a stream it is RECV. Of datagrams it is RECVMSG, which puts a head before the bytes of each.
 * The buffers keep it until they are lent: only prepare() and take() know the difference.
 *
 * The operation is armed when somebody waits for bytes and there are none, and stays so
 * until it ends by itself, which it may do at any time, or is cancelled:
 *
 *      next() finds nothing           last completion
 *    ────────────────────────▶ armed ─────────────────▶ not armed
 *      │ ▲                       │ ▲                        │ somebody waits: again
 *      │ │ served                │ └────────────────────────┘
 *      ▼ │                       └──▶ cancelled: the quota is used up
 *    in the pool's line
 *
 * So in the usual case, when the task takes what comes, no submission is made per message.
 *
 * Invariants
 *   1. A buffer that a completion names is queued, or given back, whatever else it says.
 *   2. Bytes are queued also when nobody waits: an interrupted next() has lost nothing.
 *   3. The end and errors come after all the bytes before them.
 *   4. A task that waits is woken, or the operation is armed, or the receiver is in the pool's
 *      line, or the quota is used up by leases. So for a watch.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "buffer_pool.h"
#include "dispatcher.h"
#include "ouro_lease.h"
#include "ouro_socket.h"

struct receiver {
    struct source source;
    struct buffer_waiter waiter;
    struct list received; /* struct buffer, in order */
    struct list leased;
    struct wait *wait;             /* of the task in next() or stop() */
    ouro_receiver_ready_fn *ready; /* to be called in place of a task that waits; NULL */
    int fd;
    int result;          /* after `received`: 0 at the end, or an error; NOTHING_YET */
    uint32_t held_count; /* buffers in `received` and `leased`; for a while above the quota */
    uint16_t quota;
    bool is_counted : 1; /* in the dispatcher's in_flight_count */
    bool is_stopping : 1;
    bool is_datagram : 1;
};

_Static_assert(sizeof(struct receiver) <= sizeof(struct ouro_receiver), "words is too small");
_Static_assert(_Alignof(struct receiver) <= _Alignof(struct ouro_receiver), "words is misaligned");

#define NOTHING_YET INT32_MAX

static struct receiver *receiver_of(struct ouro_receiver *receiver)
{
    return (struct receiver *) (void *) receiver;
}

/* --- datagrams --------------------------------------------------------------------------- */

/*
 * What the kernel writes before the bytes. Longer than any address (of a Unix path without a
 * NUL it tells 111 bytes), so that the bytes begin on a cache line.
 */
#define NAME_ROOM (OURO_DATAGRAM_HEAD - sizeof(struct io_uring_recvmsg_out))

struct datagram_head {
    struct io_uring_recvmsg_out out;
    char name[NAME_ROOM];
};

/* All operations share it: with a name but no address for it, nobody writes to it. */
static const struct msghdr datagram_message = {.msg_namelen = NAME_ROOM};

static void read_sender(const struct datagram_head *head, struct ouro_address *ret_from)
{
    socklen_t max = sizeof(ret_from->un);

    memset(ret_from, 0, sizeof(*ret_from));
    ret_from->len = head->out.namelen < max ? head->out.namelen : max;
    memcpy(&ret_from->un, head->name, ret_from->len);
}

/* --- the operation ----------------------------------------------------------------------- */

static bool is_armed(const struct receiver *self)
{
    return self->source.state != OP_IDLE && self->source.state != OP_DONE;
}

static bool is_wanted(const struct receiver *self)
{
    return self->wait || self->ready;
}

/* An operation that somebody waits for counts as in flight, others can't wake anybody. */
static void recount(struct receiver *self)
{
    bool counts = is_wanted(self) && is_armed(self);

    if (counts && !self->is_counted)
        ouro__dispatcher->in_flight_count++;
    else if (!counts && self->is_counted)
        ouro__dispatcher->in_flight_count--;
    self->is_counted = counts;
}

static void wake(struct receiver *self, int result)
{
    struct wait *wait = self->wait;

    if (!wait)
        return;
    self->wait = NULL;
    recount(self);
    ouro__task_wake(wait, result);
}

static void prepare(struct source *source, struct io_uring_sqe *sqe)
{
    struct receiver *self = container_of(source, struct receiver, source);

    if (self->is_datagram)
        io_uring_prep_recvmsg_multishot(sqe, self->fd,
                                        (struct msghdr *) (uintptr_t) &datagram_message, MSG_TRUNC);
    else
        io_uring_prep_recv_multishot(sqe, self->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = RING_BUFFER_GROUP;
}

static void submit(struct receiver *self)
{
    ouro__dispatcher->buffers->armed_count++;
    ouro__source_submit(ouro__dispatcher, &self->source);
    recount(self);
}

/* Also undone when the kernel has not seen it yet. */
static void cancel(struct receiver *self)
{
    ouro__source_cancel(ouro__dispatcher, &self->source);
    if (!is_armed(self))
        ouro__dispatcher->buffers->armed_count--;
    recount(self);
}

void ouro__receiver_serve(struct buffer_waiter *waiter)
{
    submit(container_of(waiter, struct receiver, waiter));
}

static bool is_in_line(const struct receiver *self)
{
    return !list_is_empty(&self->waiter.link);
}

static void arm(struct receiver *self)
{
    struct buffer_pool *pool = ouro__dispatcher->buffers;

    if (is_armed(self) || is_in_line(self) || self->held_count >= self->quota)
        return;
    if (ouro__buffer_pool_is_short(pool))
        ouro__buffer_pool_wait(pool, &self->waiter);
    else
        submit(self);
}

/* --- completions --------------------------------------------------------------------------- */

static void accept_buffer(struct receiver *self, uint32_t cqe_flags, int32_t result)
{
    struct buffer_pool *pool = ouro__dispatcher->buffers;
    struct buffer *buffer =
        ouro__buffer_pool_take(pool, cqe_flags, result > 0 ? (uint32_t) result : 0);

    if (result <= 0) {
        ouro__buffer_pool_give(pool, buffer);
        return;
    }
    buffer->owner = self;
    list_append(&self->received, &buffer->link);
    self->held_count++;
}

/* An end that we asked for, or that means nothing but "again". */
static bool is_quiet_end(int32_t result)
{
    return result > 0 || result == -ECANCELED || result == -ENOBUFS;
}

static bool has_something(const struct receiver *self)
{
    return !list_is_empty(&self->received) || self->result != NOTHING_YET;
}

/* What is next for an operation that has ended. */
static void go_on(struct receiver *self)
{
    if (self->is_stopping)
        wake(self, 0);
    else if (is_wanted(self) && !has_something(self))
        arm(self);
}

/* The last thing to do: what the function does is not foreseen. */
static void tell_watcher(struct receiver *self)
{
    ouro_receiver_ready_fn *ready = self->ready;

    self->ready = NULL;
    recount(self);
    ready((struct ouro_receiver *) (void *) self);
}

static void complete(struct source *source, int32_t result, uint32_t cqe_flags)
{
    struct receiver *self = container_of(source, struct receiver, source);
    struct buffer_pool *pool = ouro__dispatcher->buffers;
    bool is_last = !(cqe_flags & IORING_CQE_F_MORE);

    if (is_last)
        pool->armed_count--;
    ouro__buffer_pool_answer(pool, &self->waiter, result != -ENOBUFS);
    if (cqe_flags & IORING_CQE_F_BUFFER)
        accept_buffer(self, cqe_flags, result);
    if (is_last && !is_quiet_end(result))
        self->result = result;
    recount(self);
    if (has_something(self) && !self->is_stopping)
        wake(self, 0);
    if (is_last)
        go_on(self);
    else if (self->held_count >= self->quota)
        cancel(self);
    if (self->ready && has_something(self))
        tell_watcher(self);
}

/* --- waiting ------------------------------------------------------------------------------- */

static void interrupt(struct wait *wait, int code);
static int describe(const struct wait *wait, char *text, size_t text_bytes);

static const struct wait_kind next_kind = {
    .name = "receive", .interrupt = interrupt, .describe = describe};
static const struct wait_kind stop_kind = {
    .name = "stop receiving", .interrupt = NULL, .describe = describe};

struct receiver_wait {
    struct wait wait;
    struct receiver *receiver;
};

/* The operation goes on: what it gets is for the next call. */
static void interrupt(struct wait *wait, int code)
{
    struct receiver *self = container_of(wait, struct receiver_wait, wait)->receiver;

    if (is_in_line(self))
        ouro__buffer_pool_leave(&self->waiter);
    wake(self, code);
}

static int describe(const struct wait *wait, char *text, size_t text_bytes)
{
    return snprintf(text, text_bytes, "%s, fd %d", wait->kind->name,
                    container_of(wait, struct receiver_wait, wait)->receiver->fd);
}

static int park(struct receiver *self, const struct wait_kind *kind, const char *caller)
{
    struct receiver_wait waiting = {.wait = {kind, ouro__dispatcher_task(caller), 0},
                                    .receiver = self};

    CHECK(!is_wanted(self), "two tasks use one receiver");
    self->wait = &waiting.wait;
    if (kind == &next_kind)
        arm(self);
    recount(self);
    return ouro__task_park(&waiting.wait);
}

/* --- leases ---------------------------------------------------------------------------------- */

/* All of what is in the buffer but its first `head_len` bytes. */
static void lend(struct buffer *buffer, uint32_t head_len, struct ouro_lease *ret_lease)
{
    ouro__buffer_pool_lend(buffer);
    *ret_lease = (struct ouro_lease) {
        .data = buffer->data + head_len, .len = buffer->len - head_len, .buffer = buffer};
}

void ouro_lease_release(struct ouro_lease *lease)
{
    struct buffer *buffer = lease->buffer;
    struct receiver *owner;

    *lease = (struct ouro_lease) {.data = NULL};
    if (!buffer)
        return;
    CHECK(ouro__dispatcher && ouro__dispatcher->buffers && buffer->state == BUFFER_LEASED,
          "a lease is released twice, or not by its loop");
    owner = buffer->owner;
    list_remove(&buffer->link);
    if (owner)
        owner->held_count--;
    ouro__buffer_pool_give(ouro__dispatcher->buffers, buffer);
    if (owner && is_wanted(owner) && !owner->is_stopping)
        arm(owner);
}

ssize_t ouro_lease_copy(const void *data, size_t len, struct ouro_lease *ret_lease)
{
    struct buffer_pool *pool;
    struct buffer *buffer;
    int code;

    (void) ouro__dispatcher_task("ouro_lease_copy() needs a task");
    code = ouro__buffer_pool_get(ouro__dispatcher, &pool);
    if (!code)
        code = ouro__buffer_pool_take_spare(pool, &buffer);
    if (code)
        return code;
    buffer->len = len < pool->bytes ? (uint32_t) len : pool->bytes;
    memcpy(buffer->data, data, buffer->len);
    lend(buffer, /* head_len= */ 0, ret_lease);
    return (ssize_t) ret_lease->len;
}

/* --- receivers ------------------------------------------------------------------------------- */

static const struct source_ops source_ops = {.complete = complete, .prepare = prepare};

static void init(struct receiver *self, int fd, unsigned quota, bool is_datagram)
{
    if (quota == 0)
        quota = OURO_RECEIVER_QUOTA;
    *self = (struct receiver) {
        .source = {.ops = &source_ops},
        .fd = fd,
        .result = NOTHING_YET,
        .quota = quota < UINT16_MAX ? (uint16_t) quota : UINT16_MAX,
        .is_datagram = is_datagram,
    };
    list_init(&self->source.link);
    list_init(&self->waiter.link);
    list_init(&self->received);
    list_init(&self->leased);
}

void ouro_receiver_init(struct ouro_receiver *receiver, int fd, unsigned quota)
{
    init(receiver_of(receiver), fd, quota, /* is_datagram= */ false);
}

void ouro_receiver_init_datagram(struct ouro_receiver *receiver, int fd, unsigned quota)
{
    init(receiver_of(receiver), fd, quota, /* is_datagram= */ true);
}

bool ouro_receiver_is_ready(const struct ouro_receiver *receiver)
{
    return has_something((const struct receiver *) (const void *) receiver);
}

static ssize_t take_datagram(struct buffer *buffer, struct ouro_lease *ret_lease,
                             struct ouro_address *ret_from)
{
    struct datagram_head head;

    memcpy(&head, buffer->data, sizeof(head)); /* it may be misaligned */
    if (ret_from)
        read_sender(&head, ret_from);
    lend(buffer, sizeof(head), ret_lease);
    if (ret_lease->len == 0)
        ouro_lease_release(ret_lease); /* who got no bytes need not give any back */
    return (ssize_t) head.out.payloadlen;
}

static ssize_t take_bytes(struct buffer *buffer, struct ouro_lease *ret_lease,
                          struct ouro_address *ret_from)
{
    if (ret_from)
        memset(ret_from, 0, sizeof(*ret_from));
    lend(buffer, /* head_len= */ 0, ret_lease);
    return (ssize_t) ret_lease->len;
}

/* What is there; the receiver is ready. */
static ssize_t take(struct receiver *self, struct ouro_lease *ret_lease,
                    struct ouro_address *ret_from)
{
    struct list *node = list_shift(&self->received);
    int result = self->result;

    if (node) {
        struct buffer *buffer = container_of(node, struct buffer, link);

        list_append(&self->leased, node);
        return self->is_datagram ? take_datagram(buffer, ret_lease, ret_from)
                                 : take_bytes(buffer, ret_lease, ret_from);
    }
    self->result = NOTHING_YET; /* asked again, the kernel says what is the case then */
    return result;
}

/* Before anything can be received. Returns 0 or -errno. */
static int make_pool(const struct receiver *self)
{
    struct buffer_pool *pool;
    int code = ouro__buffer_pool_get(ouro__dispatcher, &pool);

    return !code && self->is_datagram && pool->bytes <= OURO_DATAGRAM_HEAD ? -EINVAL : code;
}

ssize_t ouro_receiver_next(struct ouro_receiver *receiver, struct ouro_lease *ret_lease)
{
    return ouro_receiver_next_from(receiver, ret_lease, NULL);
}

ssize_t ouro_receiver_next_from(struct ouro_receiver *receiver, struct ouro_lease *ret_lease,
                                struct ouro_address *ret_from)
{
    struct receiver *self = receiver_of(receiver);
    ssize_t result;
    int code;

    (void) ouro__dispatcher_task("ouro_receiver_next() needs a task");
    code = ouro__task_interruption();
    if (code)
        return code;
    if (has_something(self)) {
        result = take(self, ret_lease, ret_from);
        ouro__task_charge();
        return result;
    }
    code = make_pool(self);
    if (code)
        return code;
    if (park(self, &next_kind, "ouro_receiver_next() needs a task"))
        return ouro__task_interruption();
    if (list_is_empty(&self->received) && self->result < 0) {
        code = ouro__task_interruption();
        if (code)
            return code; /* the error is for the next call: no other would tell of it */
    }
    return take(self, ret_lease, ret_from);
}

int ouro_receiver_watch(struct ouro_receiver *receiver, ouro_receiver_ready_fn *ready)
{
    struct receiver *self = receiver_of(receiver);
    int code;

    CHECK(!is_wanted(self), "a receiver is watched that somebody waits for");
    if (has_something(self))
        return 1;
    code = make_pool(self);
    if (code)
        return code;
    self->ready = ready;
    arm(self);
    recount(self);
    return 0;
}

void ouro_receiver_unwatch(struct ouro_receiver *receiver)
{
    struct receiver *self = receiver_of(receiver);

    if (!self->ready)
        return;
    self->ready = NULL;
    recount(self);
    if (is_in_line(self))
        ouro__buffer_pool_leave(&self->waiter);
}

static void begin_to_stop(struct receiver *self)
{
    ouro_receiver_unwatch((struct ouro_receiver *) (void *) self);
    CHECK(!self->wait && !is_in_line(self), "a receiver is stopped that a task waits for");
    if (!is_armed(self))
        return;
    cancel(self);
    self->is_stopping = true;
}

static void wait_for_stop(struct receiver *self)
{
    if (is_armed(self))
        (void) park(self, &stop_kind, "ouro_receiver_stop() needs a task");
    self->is_stopping = false;
}

void ouro_receiver_stop(struct ouro_receiver *receiver)
{
    begin_to_stop(receiver_of(receiver));
    wait_for_stop(receiver_of(receiver));
}

static void let_go(struct receiver *self)
{
    struct list *node;

    while ((node = list_shift(&self->received)))
        ouro__buffer_pool_give(ouro__dispatcher->buffers, container_of(node, struct buffer, link));
    while ((node = list_shift(&self->leased)))
        container_of(node, struct buffer, link)->owner = NULL;
}

void ouro_receiver_done(struct ouro_receiver *receiver)
{
    ouro_receiver_stop(receiver);
    let_go(receiver_of(receiver));
}

/*
 * The kernel has both at once. It closes the socket itself when the operation lets go of it, so
 * that it does not matter which of them it looks at first.
 */
int ouro_receiver_close(struct ouro_receiver *receiver)
{
    struct receiver *self = receiver_of(receiver);
    int code;

    begin_to_stop(self);
    code = ouro_close(self->fd);
    wait_for_stop(self);
    let_go(self);
    return code;
}
