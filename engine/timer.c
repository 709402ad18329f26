/* SPDX-License-Identifier: MIT */
/* timer.c - sleep, time-limit scopes and shields, on top of park.c */
#include <errno.h>

#include "dispatcher.h"
#include "ouro_timer.h"

int64_t ouro__deadline_after(int64_t now, int64_t duration_ns)
{
    int64_t deadline;

    if (duration_ns == OURO_FOREVER || __builtin_add_overflow(now, duration_ns, &deadline))
        return duration_ns < 0 ? INT64_MIN : OURO_FOREVER;
    return deadline;
}

int ouro_sleep(int64_t duration_ns)
{
    (void) ouro__dispatcher_task("ouro_sleep() needs a task");
    if (duration_ns <= 0)
        return ouro_yield();
    return ouro__task_sleep_until(
        ouro__deadline_after(ouro__dispatcher_now(ouro__dispatcher), duration_ns));
}

int ouro_sleep_until(int64_t deadline)
{
    (void) ouro__dispatcher_task("ouro_sleep_until() needs a task");
    if (deadline <= ouro__dispatcher_now(ouro__dispatcher))
        return ouro_yield();
    return ouro__task_sleep_until(deadline);
}

/* Makes `scope` the task's innermost. */
static void open_scope(struct ouro_task *task, struct ouro_timeout *scope, int64_t deadline,
                       enum scope_state state)
{
    *scope = (struct ouro_timeout) {.deadline = deadline, .outer = task->scope, .state = state};
    task->scope = scope;
    ouro__task_arm(ouro__dispatcher, task);
}

static void close_scope(struct ouro_task *task, struct ouro_timeout *scope)
{
    bool was_counting = scope->state == SCOPE_RUNNING || scope->state == SCOPE_SHIELDING;

    CHECK(task->scope == scope,
          "time limits and shields end in the reverse order of their beginning");
    task->scope = scope->outer;
    task->flags &= ~(unsigned) TASK_EXPIRED;
    for (scope = task->scope; scope; scope = scope->outer)
        if (scope->state == SCOPE_EXPIRED || scope->state == SCOPE_DISTURBED)
            task->flags |= TASK_EXPIRED;
    if (was_counting)
        ouro__task_arm(ouro__dispatcher, task);
}

/* A limit in the past has run out at once: not one call slips through before the next turn. */
static void begin_limit(struct ouro_task *task, struct ouro_timeout *timeout, int64_t now,
                        int64_t deadline)
{
    open_scope(task, timeout, deadline, deadline > now ? SCOPE_RUNNING : SCOPE_EXPIRED);
    if (timeout->state == SCOPE_EXPIRED)
        task->flags |= TASK_EXPIRED;
}

void ouro_timeout_begin(struct ouro_timeout *timeout, int64_t duration_ns)
{
    struct ouro_task *task = ouro__dispatcher_task("ouro_timeout_begin() needs a task");
    int64_t now = ouro__dispatcher_now(ouro__dispatcher);

    begin_limit(task, timeout, now, ouro__deadline_after(now, duration_ns));
}

void ouro_timeout_begin_at(struct ouro_timeout *timeout, int64_t deadline)
{
    struct ouro_task *task = ouro__dispatcher_task("ouro_timeout_begin_at() needs a task");

    begin_limit(task, timeout, ouro__dispatcher_now(ouro__dispatcher), deadline);
}

int ouro_timeout_move(struct ouro_timeout *timeout, int64_t deadline)
{
    struct ouro_task *task = ouro__dispatcher_task("ouro_timeout_move() needs a task");

    if (timeout->state != SCOPE_RUNNING)
        return -ETIMEDOUT;
    timeout->deadline = deadline;
    ouro__task_arm(ouro__dispatcher, task);
    return 0;
}

int ouro_timeout_end(struct ouro_timeout *timeout)
{
    close_scope(ouro__dispatcher_task("ouro_timeout_end() needs a task"), timeout);
    return timeout->state == SCOPE_DISTURBED ? -ETIMEDOUT : 0;
}

void ouro_shield_begin(struct ouro_shield *shield, int64_t duration_ns)
{
    struct ouro_task *task = ouro__dispatcher_task("ouro_shield_begin() needs a task");

    open_scope(task, &shield->scope,
               ouro__deadline_after(ouro__dispatcher_now(ouro__dispatcher), duration_ns),
               SCOPE_SHIELDING);
}

void ouro_shield_end(struct ouro_shield *shield)
{
    close_scope(ouro__dispatcher_task("ouro_shield_end() needs a task"), &shield->scope);
}
