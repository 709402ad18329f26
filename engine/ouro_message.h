/* SPDX-License-Identifier: MIT */
/*
 * ouro_message.h - messages from one thread to the loop of another
 *
 * Tasks never leave their loop, and nothing of a loop may be touched from another thread but
 * its inbox. A message is a struct of yours that begins with a struct ouro_message; posting it
 * hands it over, and the loop's thread then calls its `deliver`. Nothing is copied or
 * allocated, so that as much is on its way as the senders own, and no more.
 *
 * The kernel is asked to wake a loop only when that sleeps: between two busy loops a message
 * costs no system call.
 */
#ifndef OURO_MESSAGE_H
#define OURO_MESSAGE_H

#include "ouro_base.h"

OURO_BEGIN_DECLS

struct ouro_inbox; /* of one loop */
struct ouro_message;

/*
 * Runs on the receiving loop's thread, between tasks: must not wait. It may wake a task (set a
 * future or an event, ouro_channel_try_send()), spawn one, or post an answer. The message is its
 * to free or to reuse.
 */
typedef void ouro_message_fn(struct ouro_message *message);

struct ouro_message {
    struct ouro_message *next; /* private */
    ouro_message_fn *deliver;
    struct ouro_mailbox *mailbox; /* private */
};

/*
 * ouro_inbox_ref - the inbox of the running loop, to be given to other threads
 *
 * While somebody holds a reference the loop does not call it a deadlock when all its tasks
 * sleep (but on the simulated ring, where there are no other threads). The inbox outlives its
 * loop as long as it is referred to.
 *
 * Context: loop thread.
 * Returns: the inbox, to be given back with ouro_inbox_unref().
 */
OURO_API struct ouro_inbox *ouro_inbox_ref(void);

/* ouro_inbox_unref - give a reference back. Context: any thread. NULL is allowed. */
OURO_API void ouro_inbox_unref(struct ouro_inbox *inbox);

/*
 * ouro_post - hand a message to a loop
 * @message: `deliver` is set; the loop's from now on, until `deliver` is called with it
 *
 * Messages of one thread are delivered in the order in which they were posted.
 *
 * Context: any thread, the loop's own included; not a signal handler.
 * Returns: 0; -ESHUTDOWN when the loop has ended: the message is still the caller's.
 */
OURO_API int ouro_post(struct ouro_inbox *inbox, struct ouro_message *message);

/*
 * A mailbox receives messages for tasks that wait for them. It belongs to the loop that it was
 * made on, and lives in the caller's memory, which must be there for as long as anybody may send:
 * static, or in what outlives ouro_run(), not on the stack of a task that ends before the
 * senders do. Zeroed memory is a mailbox that takes nothing yet. The fields are private.
 *
 * The orderly end, which loses no message, is
 *
 *     ouro_mailbox_close(&box);
 *     while (!ouro_mailbox_receive(&box, &message))   // those that were sent before
 *         give_back(message);
 *     ouro_mailbox_done(&box);
 */
struct ouro_mailbox {
    struct ouro_inbox *inbox;
    struct ouro_message *first, **last; /* delivered, not received */
    struct {
        void *next, *prev;
    } waiters;
    unsigned state; /* that other threads touch, atomically */
};

/* ouro_mailbox_init - an empty, open mailbox of the running loop. Context: loop thread. */
OURO_API void ouro_mailbox_init(struct ouro_mailbox *mailbox);

/*
 * ouro_mailbox_close - take no more messages
 *
 * What was sent before can still be received. Tasks that wait are told when nothing is left.
 * Closing again does nothing.
 *
 * Context: the mailbox's loop thread.
 */
OURO_API void ouro_mailbox_close(struct ouro_mailbox *mailbox);

/*
 * ouro_mailbox_done - the end of a mailbox: it is closed, if it was not, and gives its inbox back
 *
 * Messages that nobody received, those on their way included, and tasks that wait end the
 * process, since their memory would be lost. As long as the mailbox's memory is there, and is not
 * used again, a send is refused.
 *
 * Context: the mailbox's loop thread.
 */
OURO_API void ouro_mailbox_done(struct ouro_mailbox *mailbox);

/*
 * ouro_mailbox_send - post a message to a mailbox
 * @message: `deliver` need not be set; otherwise as for ouro_post()
 *
 * A thread without a loop that sends holds a reference to the loop's inbox (ouro_inbox_ref()) until
 * the call has returned, or is joined before the loop ends. Shards need not.
 *
 * Context: as ouro_post().
 * Returns: 0; -ESHUTDOWN when the mailbox is not open (not yet, closed, or done), or its loop has
 *          ended: the message is still the caller's.
 */
OURO_API int ouro_mailbox_send(struct ouro_mailbox *mailbox, struct ouro_message *message);

/*
 * ouro_mailbox_receive - wait for the next message
 *
 * Tasks that wait are served in the order in which they came. A message that raced an
 * interruption is received, and the interruption fails the next call. From a closed mailbox it is a
 * clean-up call: never interrupted, and it waits at most for messages on their way.
 *
 * Context: task of the mailbox's loop, may suspend.
 * Returns: 0; OURO_EEOF when the mailbox is closed and nothing is left; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_mailbox_receive(struct ouro_mailbox *mailbox,
                                            struct ouro_message **ret_message);

/*
 * ouro_mailbox_try_receive - the next message, if there is one
 *
 * Context: the mailbox's loop thread.
 * Returns: 0; -EAGAIN when there is none now; OURO_EEOF when the mailbox is closed and nothing
 *          is left, not on its way either.
 */
OURO_API int ouro_mailbox_try_receive(struct ouro_mailbox *mailbox,
                                      struct ouro_message **ret_message);

OURO_END_DECLS

#endif /* OURO_MESSAGE_H */
