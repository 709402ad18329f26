/* SPDX-License-Identifier: MIT */
/*
 * mailbox.c - messages of other threads, for tasks that wait; see ouro_message.h
 *
 * A message goes through the inbox of the mailbox's loop, and `deliver` there must find the
 * mailbox. So each counts, from the moment when the mailbox takes it until it is delivered:
 *
 *     state     | messages on their way | is open |
 *
 * A sender counts its message up in the same step in which it sees that the mailbox is open. Closed
 * means that the count only falls; at zero nobody but the loop has to do with the mailbox any more.
 */
#include <errno.h>
#include <stddef.h>

#include "dispatcher.h"
#include "inbox.h"

#define IS_OPEN    1u
#define ON_ITS_WAY 2u /* one message */

/* struct ouro_mailbox.waiters is a struct list that the public header can't name. */
_Static_assert(sizeof(((struct ouro_mailbox *) NULL)->waiters) == sizeof(struct list),
               "the public header knows the size of a list");

static struct list *waiters_of(struct ouro_mailbox *mailbox)
{
    return (struct list *) (void *) &mailbox->waiters;
}

struct receive_wait {
    struct list_wait list_wait;
    struct ouro_message *message; /* NULL: no more will come */
};

/* --- what senders touch ------------------------------------------------------------------------- */

/* The public header can't say _Atomic: it is C++ as well. */
static unsigned state_of(const struct ouro_mailbox *mailbox)
{
    return __atomic_load_n(&mailbox->state, __ATOMIC_ACQUIRE);
}

/* Counts a message, if the mailbox is open. */
static bool let_in(struct ouro_mailbox *mailbox)
{
    unsigned state = state_of(mailbox);

    do {
        if (unlikely(!(state & IS_OPEN)))
            return false;
    } while (!__atomic_compare_exchange_n(&mailbox->state, &state, state + ON_ITS_WAY,
                                          /* weak= */ true, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
    return true;
}

static void let_out(struct ouro_mailbox *mailbox)
{
    (void) __atomic_fetch_sub(&mailbox->state, ON_ITS_WAY, __ATOMIC_RELEASE);
}

/* --- the life of a mailbox ------------------------------------------------------------------------ */

void ouro_mailbox_init(struct ouro_mailbox *mailbox)
{
    mailbox->inbox = ouro_inbox_ref();
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    list_init(waiters_of(mailbox));
    __atomic_store_n(&mailbox->state, IS_OPEN, __ATOMIC_RELEASE);
}

/* Closed, and nothing will come any more. */
static bool is_over(const struct ouro_mailbox *mailbox)
{
    return state_of(mailbox) == 0;
}

static void give(struct list *node, struct ouro_message *message)
{
    struct receive_wait *wait = container_of(node, struct receive_wait, list_wait.link);

    wait->message = message;
    ouro__task_wake(&wait->list_wait.wait, 0);
}

static void tell_waiters_of_the_end(struct ouro_mailbox *mailbox)
{
    struct list *node;

    while ((node = list_shift(waiters_of(mailbox))))
        give(node, NULL);
}

void ouro_mailbox_close(struct ouro_mailbox *mailbox)
{
    (void) __atomic_fetch_and(&mailbox->state, ~IS_OPEN, __ATOMIC_ACQ_REL);
    if (is_over(mailbox))
        tell_waiters_of_the_end(mailbox);
}

void ouro_mailbox_done(struct ouro_mailbox *mailbox)
{
    (void) __atomic_fetch_and(&mailbox->state, ~IS_OPEN, __ATOMIC_ACQ_REL);
    CHECK(is_over(mailbox), "a mailbox ends with messages on their way to it: "
                            "ouro_mailbox_close() it, then receive until OURO_EEOF");
    CHECK(!mailbox->first, "a mailbox ends with messages in it");
    CHECK(list_is_empty(waiters_of(mailbox)), "a mailbox ends while a task waits for it");
    ouro_inbox_unref(mailbox->inbox);
    mailbox->inbox = NULL;
}

/* --- sending ------------------------------------------------------------------------------------ */

/* On the mailbox's thread: to the task that has waited longest, or into the box. */
static void deliver(struct ouro_message *message)
{
    struct ouro_mailbox *mailbox = message->mailbox;
    struct list *node = list_shift(waiters_of(mailbox));

    let_out(mailbox);
    if (node) {
        give(node, message);
    } else {
        message->next = NULL;
        *mailbox->last = message;
        mailbox->last = &message->next;
    }
    if (unlikely(is_over(mailbox)))
        tell_waiters_of_the_end(mailbox);
}

int ouro_mailbox_send(struct ouro_mailbox *mailbox, struct ouro_message *message)
{
    int code;

    if (!let_in(mailbox))
        return -ESHUTDOWN;
    message->mailbox = mailbox;
    message->deliver = deliver;
    code = ouro_post(mailbox->inbox, message); /* afterwards the mailbox may be gone */
    if (unlikely(code))
        let_out(mailbox); /* its loop has ended, and left it open */
    return code;
}

/* --- receiving ------------------------------------------------------------------------------------ */

int ouro_mailbox_try_receive(struct ouro_mailbox *mailbox, struct ouro_message **ret_message)
{
    struct ouro_message *message = mailbox->first;

    CHECK(ouro__dispatcher && mailbox->inbox == ouro__dispatcher->inbox,
          "a mailbox is received from by its own loop");
    if (!message)
        return is_over(mailbox) ? OURO_EEOF : -EAGAIN;
    mailbox->first = message->next;
    if (!mailbox->first)
        mailbox->last = &mailbox->first;
    *ret_message = message;
    return 0;
}

int ouro_mailbox_receive(struct ouro_mailbox *mailbox, struct ouro_message **ret_message)
{
    static const struct wait_kind kind = {.name = "mailbox",
                                          .interrupt = ouro__list_wait_interrupt};
    static const struct wait_kind closed_kind = {.name = "closed mailbox"};
    bool is_closed = !(state_of(mailbox) & IS_OPEN);
    struct receive_wait wait = {.list_wait.wait.kind = is_closed ? &closed_kind : &kind};
    int code;

    wait.list_wait.wait.task = ouro__dispatcher_task("ouro_mailbox_receive() needs a task");
    code = is_closed ? 0 : ouro__task_interruption();
    if (unlikely(code))
        return code;
    code = ouro_mailbox_try_receive(mailbox, ret_message);
    if (code != -EAGAIN) {
        ouro__task_charge();
        return code;
    }
    list_append(waiters_of(mailbox), &wait.list_wait.link);
    if (unlikely(ouro__task_park(&wait.list_wait.wait)))
        return ouro__task_interruption();
    if (!wait.message)
        return OURO_EEOF;
    *ret_message = wait.message;
    return 0;
}
