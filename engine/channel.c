/* SPDX-License-Identifier: MIT */
/*
 * channel.c - bounded channels and select; see ouro_channel.h
 *
 * A channel has a ring buffer and two queues of calls that wait, one of senders and one of
 * receivers. What waits in a queue is a case: ouro_select() brings several, a plain send or
 * receive one on its stack. All cases of a call leave their queues together, when one of
 * them was done, when a channel closed or by an interruption; whoever does that takes them
 * out before it wakes the task. So a call has one end, and by the time its task runs
 * nothing is left to compete for.
 *
 * Invariants
 *   1. Senders wait only while the buffer is full, and receivers only while it is empty; of a
 *      closed channel nobody waits.
 *   2. An item is copied at the moment at which it changes hands: a case in a queue has sent
 *      nothing and taken nothing.
 *   3. A call that was woken does not touch the channels again: they may be gone.
 *
 * A sender and a receiver can wait for the same channel when both are cases of one call, which
 * does not deal with itself.
 *
 * Read next: task.h for waits, park.c for interruptions.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "dispatcher.h"
#include "ouro_channel.h"

/* A call that waits, on its task's stack. Its result is the index of the case that was done. */
struct select_wait {
    struct wait wait;
    struct ouro_select_case *cases;
    size_t case_count;
    struct dispatcher *dispatcher;
};

/* --- queues ----------------------------------------------------------------------------- */

/* Circles without a head: a queue is a pointer to the oldest, and an empty one is all zeros. */

static struct ouro_select_case **queue_of(const struct ouro_select_case *one)
{
    return one->operation == OURO_SELECT_SEND ? &one->channel->senders : &one->channel->receivers;
}

static void enter(struct ouro_select_case *one)
{
    struct ouro_select_case **queue = queue_of(one);
    struct ouro_select_case *oldest = *queue;

    if (!oldest) {
        one->next = one->prev = one;
        *queue = one;
        return;
    }
    one->next = oldest;
    one->prev = oldest->prev;
    oldest->prev->next = one;
    oldest->prev = one;
}

static void leave(struct ouro_select_case *one)
{
    struct ouro_select_case **queue = queue_of(one);

    if (one->next == one) {
        *queue = NULL;
        return;
    }
    one->next->prev = one->prev;
    one->prev->next = one->next;
    if (*queue == one)
        *queue = one->next;
}

static void enter_all(struct select_wait *wait)
{
    for (size_t i = 0; i < wait->case_count; i++) {
        wait->cases[i].wait = wait;
        if (wait->cases[i].channel)
            enter(&wait->cases[i]);
    }
}

static void leave_all(struct select_wait *wait)
{
    for (size_t i = 0; i < wait->case_count; i++)
        if (wait->cases[i].channel)
            leave(&wait->cases[i]);
}

/* Ends the wait of a call: `done` is over, with `code`. */
static void finish(struct ouro_select_case *done, int code)
{
    struct select_wait *wait = done->wait;

    CHECK(wait->dispatcher == ouro__dispatcher, "a channel is used by two threads");
    done->code = code;
    leave_all(wait);
    ouro__task_wake(&wait->wait, (int) (done - wait->cases));
}

static void interrupt_select(struct wait *wait, int code)
{
    leave_all(container_of(wait, struct select_wait, wait));
    ouro__task_wake(wait, code);
}

static const struct wait_kind send_kind = {.name = "channel send", .interrupt = interrupt_select};
static const struct wait_kind receive_kind = {.name = "channel receive",
                                              .interrupt = interrupt_select};
static const struct wait_kind select_kind = {.name = "select", .interrupt = interrupt_select};

/* Parks the running task in all cases. Returns the index of the one done, or an interruption. */
static int wait_in(struct ouro_select_case *cases, size_t count, const struct wait_kind *kind)
{
    struct select_wait wait = {
        .wait = {.kind = kind, .task = ouro__dispatcher->current},
        .cases = cases,
        .case_count = count,
        .dispatcher = ouro__dispatcher,
    };
    int result;

    enter_all(&wait);
    result = ouro__task_park(&wait.wait);
    /* That a channel was closed is no transfer: an interruption outranks it. */
    if (unlikely(result < 0 || cases[result].code < 0)) {
        int code = ouro__task_interruption();

        if (code)
            return code;
    }
    return result;
}

/* --- items ------------------------------------------------------------------------------- */

/* Most items are pointers or numbers of that size, for which a call of memcpy() is dear. */
static inline void copy_item(void *to, const void *from, size_t item_bytes)
{
    if (likely(item_bytes == 8))
        memcpy(to, from, 8);
    else if (item_bytes)
        memcpy(to, from, item_bytes);
}

/* Where the buffer's item `index` lies; there need not be a buffer for items of no bytes. */
static inline void *place_of(const struct ouro_channel *channel, size_t index)
{
    return likely(channel->item_bytes) ? channel->buffer + index * channel->item_bytes : NULL;
}

static inline void put_item(struct ouro_channel *channel, const void *item)
{
    size_t index = channel->first + channel->count++;

    if (index >= channel->capacity)
        index -= channel->capacity;
    copy_item(place_of(channel, index), item, channel->item_bytes);
}

static inline void take_item(struct ouro_channel *channel, void *ret_item)
{
    copy_item(ret_item, place_of(channel, channel->first), channel->item_bytes);
    channel->count--;
    if (++channel->first == channel->capacity)
        channel->first = 0;
}

int ouro_channel_try_send(struct ouro_channel *channel, const void *item)
{
    struct ouro_select_case *receiver = channel->receivers;

    if (unlikely(channel->is_closed))
        return -EPIPE;
    if (receiver) {
        copy_item(receiver->item, item, channel->item_bytes);
        finish(receiver, 0);
        return 0;
    }
    if (channel->count == channel->capacity)
        return -EAGAIN;
    put_item(channel, item);
    return 0;
}

int ouro_channel_try_receive(struct ouro_channel *channel, void *ret_item)
{
    struct ouro_select_case *sender = channel->senders;

    if (channel->count) {
        take_item(channel, ret_item);
        if (sender) { /* room, at once given away: nobody overtakes who waits */
            put_item(channel, sender->item);
            finish(sender, 0);
        }
        return 0;
    }
    if (sender) {
        copy_item(ret_item, sender->item, channel->item_bytes);
        finish(sender, 0);
        return 0;
    }
    return channel->is_closed ? OURO_EEOF : -EAGAIN;
}

/* --- channels ---------------------------------------------------------------------------- */

void ouro_channel_init(struct ouro_channel *channel, void *buffer, size_t item_bytes,
                       size_t capacity)
{
    CHECK(buffer || item_bytes == 0 || capacity == 0, "a channel with a capacity needs a buffer");
    *channel = (struct ouro_channel) OURO_CHANNEL_INIT(buffer, item_bytes, capacity);
}

void ouro_channel_done(struct ouro_channel *channel)
{
    CHECK(!channel->senders && !channel->receivers,
          "ouro_channel_done() of a channel that a task waits for");
    channel->is_closed = true;
    channel->count = 0;
}

static __attribute__((noinline)) int wait_for_one(struct ouro_channel *channel,
                                                  enum ouro_select_operation operation, void *item,
                                                  const struct wait_kind *kind)
{
    struct ouro_select_case one = {.channel = channel, .operation = operation, .item = item};
    int result = wait_in(&one, 1, kind);

    return result < 0 ? result : one.code;
}

int ouro_channel_send(struct ouro_channel *channel, const void *item)
{
    int code;

    (void) ouro__dispatcher_task("ouro_channel_send() needs a task");
    code = ouro__task_interruption();
    if (unlikely(code))
        return code;
    code = ouro_channel_try_send(channel, item);
    if (code == -EAGAIN) /* a sender's item is only read */
        return wait_for_one(channel, OURO_SELECT_SEND, (void *) (uintptr_t) item, &send_kind);
    ouro__task_charge();
    return code;
}

int ouro_channel_receive(struct ouro_channel *channel, void *ret_item)
{
    int code;

    (void) ouro__dispatcher_task("ouro_channel_receive() needs a task");
    code = ouro__task_interruption();
    if (unlikely(code))
        return code;
    code = ouro_channel_try_receive(channel, ret_item);
    if (code == -EAGAIN)
        return wait_for_one(channel, OURO_SELECT_RECEIVE, ret_item, &receive_kind);
    ouro__task_charge();
    return code;
}

void ouro_channel_close(struct ouro_channel *channel)
{
    channel->is_closed = true;
    while (channel->receivers)
        finish(channel->receivers, OURO_EEOF);
    while (channel->senders)
        finish(channel->senders, -EPIPE);
}

size_t ouro_channel_count(const struct ouro_channel *channel)
{
    return channel->count;
}

/* --- select ------------------------------------------------------------------------------ */

static bool is_ready(const struct ouro_select_case *one)
{
    const struct ouro_channel *channel = one->channel;

    if (!channel)
        return false;
    if (one->operation == OURO_SELECT_RECEIVE)
        return channel->count || channel->senders || channel->is_closed;
    CHECK(one->operation == OURO_SELECT_SEND, "a case of ouro_select() has no operation");
    return channel->count < channel->capacity || channel->receivers || channel->is_closed;
}

/*
 * Less than `limit`. The fraction of a multiple of the golden ratio: numbers that come close
 * to each other in time are far apart, also when each caller sees only every n-th of them, as
 * happens when tasks take turns. So no case has to wait long for its number.
 */
static size_t next_choice(struct dispatcher *dispatcher, size_t limit)
{
    dispatcher->select_choice += UINT64_C(0x9e3779b97f4a7c15);
    return (size_t) (((dispatcher->select_choice >> 32) * limit) >> 32);
}

/* One of the ready cases; `count` when there is none. */
static size_t choose(const struct ouro_select_case *cases, size_t count)
{
    size_t ready_count = 0, last = count, skip;

    for (size_t i = 0; i < count; i++) {
        if (is_ready(&cases[i])) {
            ready_count++;
            last = i;
        }
    }
    if (ready_count < 2)
        return last;
    skip = next_choice(ouro__dispatcher, ready_count);
    for (size_t i = 0;; i++)
        if (is_ready(&cases[i]) && skip-- == 0)
            return i;
}

static void carry_out(struct ouro_select_case *one)
{
    if (one->operation == OURO_SELECT_SEND)
        one->code = ouro_channel_try_send(one->channel, one->item);
    else
        one->code = ouro_channel_try_receive(one->channel, one->item);
}

static int select_now(struct ouro_select_case *cases, size_t count)
{
    size_t index = choose(cases, count);

    if (index == count)
        return -EAGAIN;
    carry_out(&cases[index]);
    return (int) index;
}

int ouro_select(struct ouro_select_case *cases, size_t count, unsigned flags)
{
    int result;

    (void) ouro__dispatcher_task("ouro_select() needs a task");
    if (unlikely(flags & ~(unsigned) OURO_SELECT_NONBLOCK || count > INT_MAX))
        return -EINVAL;
    if (flags & OURO_SELECT_NONBLOCK)
        return select_now(cases, count);
    result = ouro__task_interruption();
    if (unlikely(result))
        return result;
    result = select_now(cases, count);
    if (result == -EAGAIN)
        return wait_in(cases, count, &select_kind);
    ouro__task_charge();
    return result;
}
