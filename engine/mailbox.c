/* SPDX-License-Identifier: MIT */
/* mailbox.c - messages of other threads, for tasks that wait; see ouro_message.h */
#include <errno.h>
#include <stddef.h>

#include "dispatcher.h"
#include "inbox.h"

/* struct ouro_mailbox.waiters is a struct list that the public header can't name. */
_Static_assert(sizeof(((struct ouro_mailbox *) NULL)->waiters) == sizeof(struct list),
               "the public header knows the size of a list");

static struct list *waiters_of(struct ouro_mailbox *mailbox)
{
    return (struct list *) (void *) &mailbox->waiters;
}

struct receive_wait {
    struct list_wait list_wait;
    struct ouro_message *message;
};

void ouro_mailbox_init(struct ouro_mailbox *mailbox)
{
    mailbox->inbox = ouro_inbox_ref();
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    list_init(waiters_of(mailbox));
}

void ouro_mailbox_done(struct ouro_mailbox *mailbox)
{
    CHECK(!mailbox->first, "a mailbox ends with messages in it");
    CHECK(list_is_empty(waiters_of(mailbox)), "a mailbox ends while a task waits for it");
    ouro_inbox_unref(mailbox->inbox);
    mailbox->inbox = NULL;
}

/* On the mailbox's thread: to the task that has waited longest, or into the box. */
static void deliver(struct ouro_message *message)
{
    struct ouro_mailbox *mailbox = message->mailbox;
    struct list *node = list_shift(waiters_of(mailbox));

    if (node) {
        struct receive_wait *wait = container_of(node, struct receive_wait, list_wait.link);

        wait->message = message;
        ouro__task_wake(&wait->list_wait.wait, 0);
        return;
    }
    message->next = NULL;
    *mailbox->last = message;
    mailbox->last = &message->next;
}

int ouro_mailbox_send(struct ouro_mailbox *mailbox, struct ouro_message *message)
{
    message->mailbox = mailbox;
    message->deliver = deliver;
    return ouro_post(mailbox->inbox, message);
}

int ouro_mailbox_receive(struct ouro_mailbox *mailbox, struct ouro_message **ret_message)
{
    static const struct wait_kind kind = {.name = "mailbox",
                                          .interrupt = ouro__list_wait_interrupt};
    struct receive_wait wait = {.list_wait.wait.kind = &kind};
    int code;

    wait.list_wait.wait.task = ouro__dispatcher_task("ouro_mailbox_receive() needs a task");
    CHECK(mailbox->inbox == ouro__dispatcher->inbox, "a mailbox is received from by its own loop");
    code = ouro__task_interruption();
    if (unlikely(code))
        return code;
    if (mailbox->first) {
        *ret_message = mailbox->first;
        mailbox->first = mailbox->first->next;
        if (!mailbox->first)
            mailbox->last = &mailbox->first;
        ouro__task_charge();
        return 0;
    }
    list_append(waiters_of(mailbox), &wait.list_wait.link);
    if (unlikely(ouro__task_park(&wait.list_wait.wait)))
        return ouro__task_interruption();
    *ret_message = wait.message;
    return 0;
}
