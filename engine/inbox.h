/* SPDX-License-Identifier: MIT */
/*
 * inbox.h - what other threads may touch of a loop; ouro_message.h is the public side
 *
 * A stack of messages that many push to and one empties, a flag that says that the loop sleeps
 * or is about to, and an eventfd that the sleeping loop reads through its ring.
 *
 *      sender                               loop
 *      push                                 is_sleeping = true
 *      is_sleeping? clear it, and write     anything there? then not
 *                   to the eventfd          sleep
 *
 * Either the sender sees the flag or the loop sees the message: all four are sequentially
 * consistent. Who clears the flag is the only one to write. The last reference that is given
 * back wakes in the same way, since nothing may be left then that could wake the loop.
 */
#ifndef OURO_INBOX_H
#define OURO_INBOX_H

#include <stdatomic.h>
#include <stdbool.h>

#include "op.h"
#include "ouro_message.h"

struct ouro_inbox {
    _Atomic(struct ouro_message *) newest; /* INBOX_CLOSED: no more are taken */
    atomic_bool is_sleeping;
    atomic_uint refs;     /* to its memory; the loop's own included */
    atomic_uint known_by; /* those of ouro_inbox_ref(): others may still post */
    int event_fd;         /* -1: the ring can't poll foreign fds, and never really sleeps */
    uint64_t counter;     /* what is read from it */
    struct source wakeup; /* reads it */
    bool is_ending;       /* it is not read again */
};

/* Returns 0 or -errno. The inbox is the loop's: one reference. */
int ouro__inbox_open(struct dispatcher *dispatcher, struct ouro_inbox **ret_inbox);

/* In the place of the newest message when the loop has ended. */
extern struct ouro_message ouro__inbox_closed;
#define INBOX_CLOSED (&ouro__inbox_closed)

/* Whether a message has come. Loop thread. */
static inline bool ouro__inbox_has_messages(struct ouro_inbox *inbox)
{
    struct ouro_message *newest = atomic_load_explicit(&inbox->newest, memory_order_relaxed);

    return newest && newest != INBOX_CLOSED;
}

/* Calls `deliver` of all messages that have come, in their order. Loop thread. */
void ouro__inbox_deliver(struct ouro_inbox *inbox);

/* To be called before the loop sleeps: false when a message came, and it must not. */
bool ouro__inbox_fall_asleep(struct ouro_inbox *inbox);
void ouro__inbox_wake_up(struct ouro_inbox *inbox);

/*
 * Has the loop make a turn, whether it sleeps or is about to, also when it is closed. Any thread
 * that has a reference.
 */
void ouro__inbox_rouse(struct ouro_inbox *inbox);

/*
 * Whether another thread may still post: it holds a reference. After a "no" all messages can be
 * seen that were posted by those who held one. While the loop sleeps, it is woken when the last
 * of them gives it back.
 */
static inline bool ouro__inbox_is_known(struct ouro_inbox *inbox)
{
    return atomic_load(&inbox->known_by) > 0;
}

/* Gives the loop's own reference back. */
void ouro__inbox_let_go(struct ouro_inbox *inbox);

/*
 * No task is left, and no message: refuses further ones. Returns false, and closes nothing, when
 * one has come. Loop thread.
 */
bool ouro__inbox_close(struct ouro_inbox *inbox);

/* The same where messages come and come: refuses further ones, then delivers those there are. */
void ouro__inbox_cut_off(struct ouro_inbox *inbox);

/* There are tasks again, which may wait for messages. */
void ouro__inbox_reopen(struct ouro_inbox *inbox);

/* The end of a closed inbox; the loop turns until ouro__inbox_has_ended(). */
void ouro__inbox_end(struct ouro_inbox *inbox, struct dispatcher *dispatcher);
bool ouro__inbox_has_ended(const struct ouro_inbox *inbox);

#endif /* OURO_INBOX_H */
