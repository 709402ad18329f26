/* SPDX-License-Identifier: MIT */
/*
 * future.c - futures; see ouro_future.h
 *
 * The waiters are a circle without a head, to whose oldest the future points. Who sets the
 * future gives the value to each and takes it out before it wakes it.
 */
#include <errno.h>

#include "dispatcher.h"
#include "ouro_future.h"

struct ouro_future_waiter {
    struct wait wait; /* its result is the future's code */
    struct ouro_future *future;
    void *value;
    struct dispatcher *dispatcher;
    struct ouro_future_waiter *next, *prev;
};

static void enter(struct ouro_future *future, struct ouro_future_waiter *waiter)
{
    struct ouro_future_waiter *oldest = future->waiters;

    if (!oldest) {
        waiter->next = waiter->prev = waiter;
        future->waiters = waiter;
        return;
    }
    waiter->next = oldest;
    waiter->prev = oldest->prev;
    oldest->prev->next = waiter;
    oldest->prev = waiter;
}

static void leave(struct ouro_future *future, struct ouro_future_waiter *waiter)
{
    if (waiter->next == waiter) {
        future->waiters = NULL;
        return;
    }
    waiter->next->prev = waiter->prev;
    waiter->prev->next = waiter->next;
    if (future->waiters == waiter)
        future->waiters = waiter->next;
}

static void interrupt_waiter(struct wait *wait, int code)
{
    struct ouro_future_waiter *waiter = container_of(wait, struct ouro_future_waiter, wait);

    leave(waiter->future, waiter);
    ouro__task_wake(wait, code);
}

static const struct wait_kind future_kind = {.name = "future", .interrupt = interrupt_waiter};

void ouro_future_init(struct ouro_future *future)
{
    *future = (struct ouro_future) OURO_FUTURE_INIT;
}

static int settle(struct ouro_future *future, void *value, int code)
{
    struct ouro_future_waiter *waiter;

    if (future->is_done)
        return -EALREADY;
    future->is_done = true;
    future->value = value;
    future->code = code;
    while ((waiter = future->waiters)) {
        CHECK(waiter->dispatcher == ouro__dispatcher, "a future is used by two threads");
        waiter->value = value;
        leave(future, waiter);
        ouro__task_wake(&waiter->wait, code);
    }
    return 0;
}

int ouro_future_set(struct ouro_future *future, void *value)
{
    return settle(future, value, 0);
}

int ouro_future_fail(struct ouro_future *future, int code)
{
    CHECK(code < 0, "ouro_future_fail() needs a negative code");
    return settle(future, NULL, code);
}

static int wait_for(struct ouro_future *future, void **ret_value)
{
    struct ouro_future_waiter waiter = {
        .wait = {.kind = &future_kind, .task = ouro__dispatcher->current},
        .future = future,
        .dispatcher = ouro__dispatcher,
    };
    int code;

    enter(future, &waiter);
    code = (int) ouro__task_outcome(ouro__task_park(&waiter.wait));
    if (!code && ret_value)
        *ret_value = waiter.value;
    return code;
}

int ouro_future_wait(struct ouro_future *future, void **ret_value)
{
    int code;

    (void) ouro__dispatcher_task("ouro_future_wait() needs a task");
    code = ouro__task_interruption();
    if (unlikely(code))
        return code;
    if (!future->is_done)
        return wait_for(future, ret_value);
    code = future->code;
    if (!code && ret_value)
        *ret_value = future->value;
    ouro__task_charge(); /* others run meanwhile: the future may be gone afterwards */
    return code;
}

bool ouro_future_is_done(const struct ouro_future *future)
{
    return future->is_done;
}
