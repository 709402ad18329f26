/* SPDX-License-Identifier: MIT */
/*
 * park.c - how a task stops and goes on: park, wake, interruptions, deadlines
 *
 * Everything that waits is built on these few functions. Interruptions are levels, not
 * events: a cancelled task stays cancelled, a scope that ran out stays so until it ends,
 * and every call asks ouro__task_interruption() before it begins. So none can be lost,
 * however it races with a completion.
 *
 * A task has one entry in the timer heap: the nearest of its sleep and its unexpired
 * scopes. Opening and closing a scope, or sleeping, moves that entry and costs no
 * system call.
 */
#include <errno.h>

#include "dispatcher.h"

int ouro__task_park(struct wait *wait)
{
    ouro__dispatcher_park(ouro__dispatcher, wait);
    return wait->result;
}

void ouro__task_yield(struct wait *wait)
{
    ouro__dispatcher_enqueue(ouro__dispatcher, wait->task);
    ouro__dispatcher_suspend(ouro__dispatcher, wait);
}

static const struct wait_kind yield_wait_kind = {.name = "yield", .interrupt = NULL};

void ouro__task_give_way(void)
{
    struct dispatcher *dispatcher = ouro__dispatcher;
    struct wait wait = {&yield_wait_kind, dispatcher->current, 0};

    dispatcher->budget = TASK_BUDGET;
    if (dispatcher->current && dispatcher->no_suspend_depth == 0)
        ouro__task_yield(&wait);
}

void ouro__task_give_way_to_turn(void)
{
    struct dispatcher *dispatcher = ouro__dispatcher;
    struct ouro_task *task = dispatcher->current;
    struct wait wait = {&yield_wait_kind, task, 0};

    task->state = TASK_RUNNABLE;
    task->run_next = NULL;
    if (dispatcher->late_first)
        dispatcher->late_last->run_next = task;
    else
        dispatcher->late_first = task;
    dispatcher->late_last = task;
    ouro__dispatcher_suspend(dispatcher, &wait);
}

void ouro__task_wake(struct wait *wait, int result)
{
    wait->result = result;
    ouro__dispatcher_enqueue(ouro__dispatcher, wait->task);
}

/* --- interruptions ---------------------------------------------------------------------- */

static bool has_run_out(const struct ouro_timeout *scope)
{
    return scope->state == SCOPE_EXPIRED || scope->state == SCOPE_DISTURBED;
}

/* Why calls of the task must fail. Nothing outside of a shield counts, until it is lifted. */
static int pending_interruption(const struct ouro_task *task)
{
    bool is_timed_out = false;

    for (const struct ouro_timeout *scope = task->scope; scope; scope = scope->outer) {
        if (scope->state == SCOPE_SHIELDING)
            return is_timed_out ? -ETIMEDOUT : 0;
        is_timed_out |= has_run_out(scope);
    }
    if (task->flags & TASK_CANCELLED)
        return -ECANCELED;
    return is_timed_out ? -ETIMEDOUT : 0;
}

static void mark_disturbed(struct ouro_timeout *scope)
{
    for (; scope && scope->state != SCOPE_SHIELDING; scope = scope->outer)
        if (scope->state == SCOPE_EXPIRED)
            scope->state = SCOPE_DISTURBED;
}

int ouro__task_interruption(void)
{
    struct ouro_task *task = ouro__dispatcher->current;
    int code;

    if (likely(!(task->flags & TASK_DISTURBED)))
        return 0;
    code = pending_interruption(task);
    if (code == -ETIMEDOUT)
        mark_disturbed(task->scope);
    return code;
}

void ouro__task_interrupt(struct ouro_task *task)
{
    int code;

    if (task->state != TASK_PARKED || !task->wait->kind->interrupt)
        return;
    code = pending_interruption(task);
    if (code)
        task->wait->kind->interrupt(task->wait, code);
}

void ouro__list_wait_interrupt(struct wait *wait, int code)
{
    list_remove(&container_of(wait, struct list_wait, wait)->link);
    ouro__task_wake(wait, code);
}

/* --- deadlines -------------------------------------------------------------------------- */

static const struct wait_kind sleep_wait_kind = {.name = "sleep", .interrupt = ouro__task_wake};

static bool is_counting(const struct ouro_timeout *scope)
{
    return scope->state == SCOPE_RUNNING || scope->state == SCOPE_SHIELDING;
}

void ouro__task_arm(struct dispatcher *self, struct ouro_task *task)
{
    int64_t nearest = task->sleep_deadline;

    for (struct ouro_timeout *scope = task->scope; scope; scope = scope->outer)
        if (is_counting(scope) && scope->deadline < nearest)
            nearest = scope->deadline;
    if (nearest == OURO_FOREVER)
        ouro__timer_heap_clear(&self->timers, task->slot.index);
    else
        ouro__timer_heap_set(&self->timers, task->slot.index, nearest);
}

int ouro__task_sleep_until(int64_t deadline)
{
    struct dispatcher *dispatcher = ouro__dispatcher;
    struct ouro_task *task = dispatcher->current;
    struct wait wait = {&sleep_wait_kind, task, 0};
    int code = ouro__task_interruption();

    if (unlikely(code))
        return code;
    task->sleep_deadline = deadline;
    ouro__task_arm(dispatcher, task);
    code = ouro__task_park(&wait);
    if (unlikely(code)) {
        task->sleep_deadline = OURO_FOREVER;
        ouro__task_arm(dispatcher, task);
        return ouro__task_interruption();
    }
    return 0;
}

static void expire_scopes(struct ouro_task *task, int64_t now)
{
    for (struct ouro_timeout *scope = task->scope; scope; scope = scope->outer) {
        if (!is_counting(scope) || scope->deadline > now)
            continue;
        if (scope->state == SCOPE_SHIELDING) {
            scope->state = SCOPE_LIFTED;
        } else {
            scope->state = SCOPE_EXPIRED;
            task->flags |= TASK_EXPIRED;
        }
    }
}

/*
 * A sleep that ends touches the task's slot only, not its stack, which is seldom in the
 * cache: its wait already holds the result 0. When a sleep and a scope end together the
 * sleep is complete, as a transfer would be, and the scope disturbs the next call.
 */
void ouro__task_expire(struct dispatcher *self, struct ouro_task *task, int64_t now)
{
    if (likely(task->sleep_deadline <= now)) {
        task->sleep_deadline = OURO_FOREVER;
        if (likely(task->state == TASK_PARKED)) /* else it was interrupted, and runs anyway */
            ouro__dispatcher_enqueue(self, task);
    }
    if (unlikely(task->scope)) {
        expire_scopes(task, now);
        ouro__task_interrupt(task);
        ouro__task_arm(self, task);
    }
}
