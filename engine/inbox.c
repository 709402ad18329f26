/* SPDX-License-Identifier: MIT */
/* inbox.c - see inbox.h */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dispatcher.h"
#include "inbox.h"

struct ouro_message ouro__inbox_closed;

/* --- the eventfd --------------------------------------------------------------------------- */

static void prepare_read(struct source *source, struct io_uring_sqe *sqe)
{
    struct ouro_inbox *inbox = container_of(source, struct ouro_inbox, wakeup);

    io_uring_prep_read(sqe, inbox->event_fd, &inbox->counter, sizeof(inbox->counter),
                       (uint64_t) -1);
}

/*
 * Being awake is all that is wanted; the turn looks at what there is to do. A read that failed is
 * no reason to be deaf from then on: a task's own ASYNC_CANCEL of "any" may have hit it.
 */
static void woken(struct source *source, int32_t result, uint32_t cqe_flags)
{
    (void) cqe_flags;
    if (container_of(source, struct ouro_inbox, wakeup)->is_ending)
        return;
    CHECK(result != -EBADF && result != -EINVAL, "somebody closed the loop's eventfd");
    ouro__source_submit(ouro__dispatcher, source);
}

static const struct source_ops wakeup_ops = {.complete = woken, .prepare = prepare_read};

int ouro__inbox_open(struct dispatcher *dispatcher, struct ouro_inbox **ret_inbox)
{
    struct ouro_inbox *inbox = calloc(1, sizeof(*inbox));

    if (!inbox)
        return -ENOMEM;
    atomic_init(&inbox->refs, 1);
    inbox->event_fd = -1;
    if (!dispatcher->ring.simulated) {
        inbox->event_fd = eventfd(0, EFD_CLOEXEC);
        if (inbox->event_fd < 0) {
            int code = -errno;

            free(inbox);
            return code;
        }
        inbox->wakeup = (struct source) {.ops = &wakeup_ops};
        ouro__source_submit(dispatcher, &inbox->wakeup);
    }
    *ret_inbox = inbox;
    return 0;
}

/* --- sleeping ------------------------------------------------------------------------------ */

bool ouro__inbox_fall_asleep(struct ouro_inbox *inbox)
{
    struct ouro_message *newest;

    atomic_store(&inbox->is_sleeping, true);
    newest = atomic_load(&inbox->newest);
    if (likely(!newest || newest == INBOX_CLOSED))
        return true;
    ouro__inbox_wake_up(inbox);
    return false;
}

void ouro__inbox_wake_up(struct ouro_inbox *inbox)
{
    atomic_store_explicit(&inbox->is_sleeping, false, memory_order_relaxed);
}

/* --- posting ------------------------------------------------------------------------------- */

/* Wakes a loop that sleeps. The system call is counted by the loop of the caller, if there is one. */
static void write_to(int event_fd)
{
    static const uint64_t one = 1;

    (void) !write(event_fd, &one, sizeof(one));
    if (ouro__dispatcher)
        ouro__dispatcher->ring.system_calls++;
}

static void wake_sleeper(struct ouro_inbox *inbox)
{
    if (atomic_load(&inbox->is_sleeping) && atomic_exchange(&inbox->is_sleeping, false))
        write_to(inbox->event_fd);
}

void ouro__inbox_rouse(struct ouro_inbox *inbox)
{
    write_to(inbox->event_fd);
}

int ouro_post(struct ouro_inbox *inbox, struct ouro_message *message)
{
    struct ouro_message *newest = atomic_load_explicit(&inbox->newest, memory_order_relaxed);

    do {
        if (unlikely(newest == INBOX_CLOSED))
            return -ESHUTDOWN;
        message->next = newest;
    } while (!atomic_compare_exchange_weak(&inbox->newest, &newest, message));
    wake_sleeper(inbox);
    return 0;
}

/* --- delivering ---------------------------------------------------------------------------- */

static void deliver_all(struct ouro_message *newest)
{
    struct ouro_message *oldest = NULL;

    while (newest) {
        struct ouro_message *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct ouro_message *next = oldest->next; /* `deliver` may free it */

        oldest->deliver(oldest);
        oldest = next;
    }
}

void ouro__inbox_deliver(struct ouro_inbox *inbox)
{
    deliver_all(atomic_exchange_explicit(&inbox->newest, NULL, memory_order_acquire));
}

/* --- the end ------------------------------------------------------------------------------- */

bool ouro__inbox_close(struct ouro_inbox *inbox)
{
    struct ouro_message *newest = NULL;

    return atomic_compare_exchange_strong(&inbox->newest, &newest, INBOX_CLOSED) ||
           newest == INBOX_CLOSED;
}

void ouro__inbox_cut_off(struct ouro_inbox *inbox)
{
    deliver_all(atomic_exchange(&inbox->newest, INBOX_CLOSED));
}

void ouro__inbox_reopen(struct ouro_inbox *inbox)
{
    atomic_store(&inbox->newest, NULL);
}

void ouro__inbox_end(struct ouro_inbox *inbox, struct dispatcher *dispatcher)
{
    CHECK(ouro__inbox_close(inbox), "an inbox ends with messages in it");
    inbox->is_ending = true;
    if (inbox->event_fd >= 0)
        ouro__source_cancel(dispatcher, &inbox->wakeup);
}

bool ouro__inbox_has_ended(const struct ouro_inbox *inbox)
{
    return inbox->event_fd < 0 || inbox->wakeup.state == OP_DONE;
}

/* --- references ---------------------------------------------------------------------------- */

struct ouro_inbox *ouro_inbox_ref(void)
{
    struct ouro_inbox *inbox;

    CHECK(ouro__dispatcher, "ouro_inbox_ref() needs a loop");
    inbox = ouro__dispatcher->inbox;
    atomic_fetch_add_explicit(&inbox->refs, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&inbox->known_by, 1, memory_order_relaxed);
    return inbox;
}

/* The eventfd goes with the last reference: a sender may be about to write to it. */
void ouro__inbox_let_go(struct ouro_inbox *inbox)
{
    if (atomic_fetch_sub(&inbox->refs, 1) > 1)
        return;
    if (inbox->event_fd >= 0)
        (void) close(inbox->event_fd);
    free(inbox);
}

/* Two counts, since the loop may go on, and end, as soon as nobody knows the inbox. */
void ouro_inbox_unref(struct ouro_inbox *inbox)
{
    if (!inbox)
        return;
    if (atomic_fetch_sub(&inbox->known_by, 1) == 1)
        wake_sleeper(inbox);
    ouro__inbox_let_go(inbox);
}
