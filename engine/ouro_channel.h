/* SPDX-License-Identifier: MIT */
/*
 * ouro_channel.h - bounded queues between the tasks of one loop, and select
 *
 * A channel carries items of one size, by copy, from tasks that send to tasks that receive:
 *
 *     static int64_t jobs_buffer[64];
 *     static struct ouro_channel jobs = OURO_CHANNEL_INIT_ARRAY(jobs_buffer);
 *
 *     ouro_channel_send(&jobs, &job);                 // waits while 64 jobs are in it
 *     while (!ouro_channel_receive(&jobs, &job))      // until it is closed, and empty
 *         work_on(job);
 *
 * With capacity 0 a send waits until a receiver takes the item: a rendezvous.
 *
 * Who waits is served first come, first served, and by hand-over: an item for which somebody
 * waits goes straight to the oldest receiver, and room goes to the oldest sender. Both are
 * results: an interruption that comes later fails the next call. A call that fails has
 * sent nothing and taken nothing.
 *
 * A channel embeds in the caller's memory, allocates nothing and makes no system call. Calls
 * that were served do not touch it again. It belongs to one loop: between threads send
 * messages.
 */
#ifndef OURO_CHANNEL_H
#define OURO_CHANNEL_H

#include <stdbool.h>

#include "ouro_base.h"

OURO_BEGIN_DECLS

struct ouro_select_case;

/* The fields are private. */
struct ouro_channel {
    unsigned char *buffer;
    size_t item_bytes;
    size_t capacity;
    size_t count;                       /* items in the buffer */
    size_t first;                       /* where the oldest of them is, from zero */
    struct ouro_select_case *senders;   /* the oldest; NULL: none, and always unless it is full */
    struct ouro_select_case *receivers; /* the oldest; NULL: none, and always unless it is empty */
    bool is_closed;
};

/* Static initialisers: with a buffer for `capacity` items, with an array, without a buffer. */
#define OURO_CHANNEL_INIT(buffer, item_bytes, capacity) \
    {(unsigned char *) (buffer), (item_bytes), (capacity), 0, 0, NULL, NULL, false}
#define OURO_CHANNEL_INIT_ARRAY(array) \
    OURO_CHANNEL_INIT(array, sizeof((array)[0]), sizeof(array) / sizeof((array)[0]))
#define OURO_CHANNEL_INIT_RENDEZVOUS(item_bytes) OURO_CHANNEL_INIT(NULL, item_bytes, 0)

/*
 * ouro_channel_init - an open and empty channel
 * @buffer:     borrowed until ouro_channel_done(); of item_bytes * capacity bytes, for items
 *              of any alignment; NULL when that is 0
 * @item_bytes: may be 0, for items that say no more than that they came; their pointers may
 *              then be NULL everywhere
 * @capacity:   0: a rendezvous
 *
 * Context: any thread.
 */
OURO_API void ouro_channel_init(struct ouro_channel *channel, void *buffer, size_t item_bytes,
                                size_t capacity);

/* ouro_channel_init_array - the same, with an array of items for a buffer */
#define ouro_channel_init_array(channel, array) \
    ouro_channel_init((channel), (array), sizeof((array)[0]), sizeof(array) / sizeof((array)[0]))

/*
 * ouro_channel_done - the end of a channel, open or closed; what is in it is dropped
 *
 * That a task still waits for it is a bug and ends the process. A channel that nobody
 * waits for may also just go out of use.
 *
 * Context: any thread.
 */
OURO_API void ouro_channel_done(struct ouro_channel *channel);

/*
 * ouro_channel_send - put a copy of *item into the channel, when there is room
 *
 * Context: task, may suspend.
 * Returns: 0; -EPIPE when the channel is closed, also meanwhile; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_channel_send(struct ouro_channel *channel, const void *item);

/*
 * ouro_channel_receive - take the oldest item out of the channel, when there is one
 * @ret_item: of the channel's item_bytes
 *
 * Context: task, may suspend.
 * Returns: 0; OURO_EEOF when the channel is closed and empty; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_channel_receive(struct ouro_channel *channel, void *ret_item);

/*
 * ouro_channel_try_send, ouro_channel_try_receive - the same if that needs no waiting
 *
 * Context: loop thread. Interruptions do not matter to them.
 * Returns: 0; -EAGAIN when the other call would wait; -EPIPE, OURO_EEOF.
 */
OURO_API int ouro_channel_try_send(struct ouro_channel *channel, const void *item);
OURO_API int ouro_channel_try_receive(struct ouro_channel *channel, void *ret_item);

/*
 * ouro_channel_close - nothing will be sent any more
 *
 * Sends fail with -EPIPE, those that wait included. Receives take what is in the buffer, and
 * then fail with OURO_EEOF. Closing again changes nothing.
 *
 * Context: loop thread.
 */
OURO_API void ouro_channel_close(struct ouro_channel *channel);

/*
 * ouro_channel_count - how many items are in the buffer
 *
 * Those of waiting senders do not count.
 *
 * Context: loop thread.
 */
OURO_API size_t ouro_channel_count(const struct ouro_channel *channel);

/* --- select -------------------------------------------------------------------------------- */

enum ouro_select_operation { OURO_SELECT_SEND = 1, OURO_SELECT_RECEIVE = 2 };

/*
 * One of several things to do: fill in the first three fields, leave the others zero.
 *
 *     struct ouro_select_case cases[] = {
 *         {.channel = &jobs, .operation = OURO_SELECT_RECEIVE, .item = &job},
 *         {.channel = &log, .operation = OURO_SELECT_SEND, .item = &line},
 *     };
 *
 * The same array may be used again and again, by one call at a time.
 */
struct ouro_select_case {
    struct ouro_channel *channel; /* NULL: never ready, for a case that is out of use */
    enum ouro_select_operation operation;
    int code;   /* of the case that was done: 0; -EPIPE (send), OURO_EEOF (receive) */
    void *item; /* that is sent, or where it is received */

    /* Private: its place among those that wait for the channel. */
    struct ouro_select_case *next, *prev;
    void *wait;
};

enum ouro_select_flags {
    OURO_SELECT_NONBLOCK = 1 /* do not wait; the call then never suspends */
};

/*
 * ouro_select - wait until one of several sends and receives can be done, and do that one
 * @cases: borrowed until return; a channel may occur in several
 * @flags: OURO_SELECT_*, or-ed together
 *
 * A case is ready when its call would not wait; so is each case of a closed channel. Of
 * several that are ready one is chosen, each as often as the others, by a rule without chance:
 * a run on the simulated ring can be replayed. When none is ready it is the first to become
 * so. All other cases are left as they were.
 *
 * Without any case, or when the channels of all are NULL, it waits to be interrupted.
 *
 * Context: task, may suspend.
 * Returns: the index of the case that was done, whose `code` says how; -EAGAIN when none is
 *          ready and OURO_SELECT_NONBLOCK is set; -EINVAL for an unknown flag or more than
 *          INT_MAX cases; -ECANCELED, -ETIMEDOUT (not with OURO_SELECT_NONBLOCK).
 */
OURO_API OURO_TASK int ouro_select(struct ouro_select_case *cases, size_t count, unsigned flags);

OURO_END_DECLS

#endif /* OURO_CHANNEL_H */
