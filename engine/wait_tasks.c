/* SPDX-License-Identifier: MIT */
/*
 * wait_tasks.c - ouro_wait_any() and ouro_wait_all(): the end of tasks, without their results
 *
 * A task that ends tells its watchers, after its joiners. A watch is one task that one call
 * waits for. Waiting for all needs no more than one of them at a time, as a task that has
 * ended does not come back; waiting for any needs one for each task.
 *
 * All watches of a call leave their tasks together, before its task is woken: a watched
 * task may be gone when that one runs. So its slot is looked for by its id each time.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "dispatcher.h"
#include "ouro_task.h"

#define WATCHES_ON_STACK 16

/* One of a task's watchers: a circle without a head, to whose oldest the task points. */
struct watch {
    struct watch *next, *prev;
    struct ouro_task *task;
    struct watch_wait *wait;
};

/* A call that waits; its result is the index of the watch whose task has ended. */
struct watch_wait {
    struct wait wait;
    struct watch *watches;
    size_t watch_count;
};

static void enter(struct watch *watch)
{
    struct watch *oldest = watch->task->watchers;

    if (!oldest) {
        watch->next = watch->prev = watch;
        watch->task->watchers = watch;
        return;
    }
    watch->next = oldest;
    watch->prev = oldest->prev;
    oldest->prev->next = watch;
    oldest->prev = watch;
}

static void leave(struct watch *watch)
{
    struct watch **watchers = &watch->task->watchers;

    if (watch->next == watch) {
        *watchers = NULL;
        return;
    }
    watch->next->prev = watch->prev;
    watch->prev->next = watch->next;
    if (*watchers == watch)
        *watchers = watch->next;
}

static void leave_all(struct watch_wait *wait)
{
    for (size_t i = 0; i < wait->watch_count; i++)
        leave(&wait->watches[i]);
}

void ouro__wait_tasks_ended(struct ouro_task *task)
{
    while (task->watchers) {
        struct watch *watch = task->watchers;
        struct watch_wait *wait = watch->wait;

        leave_all(wait);
        ouro__task_wake(&wait->wait, (int) (watch - wait->watches));
    }
}

static void interrupt_watch(struct wait *wait, int code)
{
    leave_all(container_of(wait, struct watch_wait, wait));
    ouro__task_wake(wait, code);
}

static const struct wait_kind any_kind = {.name = "wait for any", .interrupt = interrupt_watch};
static const struct wait_kind all_kind = {.name = "wait for all", .interrupt = interrupt_watch};

/* Parks until one of the tasks in `watches` ends. Returns its index, or the interruption. */
static int watch_tasks(struct watch *watches, size_t count, const struct wait_kind *kind)
{
    struct watch_wait wait = {
        .wait = {.kind = kind, .task = ouro__dispatcher->current},
        .watches = watches,
        .watch_count = count,
    };

    for (size_t i = 0; i < count; i++) {
        watches[i].wait = &wait;
        enter(&watches[i]);
    }
    return (int) ouro__task_outcome(ouro__task_park(&wait.wait));
}

/* Whether all tasks can be waited for, and whether the caller may go on. */
static int check_all(const ouro_task_id *ids, size_t count)
{
    if (count == 0 || count > INT_MAX)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        struct ouro_task *task;
        int code = ouro__task_find_joinable(ids[i], &task);

        if (code)
            return code;
    }
    return ouro__task_interruption();
}

/* The task with this id unless it has ended; NULL then. */
static struct ouro_task *find_living(ouro_task_id id)
{
    struct ouro_task *task = ouro__task_table_find(&ouro__dispatcher->tasks, id);

    return task && task->state != TASK_ENDED ? task : NULL;
}

static size_t first_ended(const ouro_task_id *ids, size_t count)
{
    size_t i = 0;

    while (i < count && find_living(ids[i]))
        i++;
    return i;
}

/* None of the tasks has ended yet. Returns an index, or the interruption, or -ENOMEM. */
static int wait_for_any(const ouro_task_id *ids, size_t count)
{
    struct watch few[WATCHES_ON_STACK];
    struct watch *watches = few;
    int result;

    if (count > WATCHES_ON_STACK)
        watches = calloc(count, sizeof(*watches));
    if (!watches)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        watches[i].task = find_living(ids[i]);
    result = watch_tasks(watches, count, &any_kind);
    if (watches != few)
        free(watches);
    return result;
}

int ouro_wait_any(const ouro_task_id *ids, size_t count, size_t *ret_index)
{
    size_t index;
    int code;

    (void) ouro__dispatcher_task("ouro_wait_any() needs a task");
    code = check_all(ids, count);
    if (unlikely(code))
        return code;
    index = first_ended(ids, count);
    if (index == count) {
        int result = wait_for_any(ids, count);

        if (unlikely(result < 0))
            return result;
        *ret_index = (size_t) result;
        return 0;
    }
    *ret_index = index;
    ouro__task_charge();
    return 0;
}

int ouro_wait_all(const ouro_task_id *ids, size_t count)
{
    bool has_waited = false;
    int code;

    (void) ouro__dispatcher_task("ouro_wait_all() needs a task");
    code = check_all(ids, count);
    if (unlikely(code))
        return code;
    for (size_t i = 0; i < count; i++) {
        struct watch watch = {.task = find_living(ids[i])};

        if (!watch.task)
            continue;
        if (has_waited)
            code = ouro__task_interruption();
        if (!code)
            code = watch_tasks(&watch, 1, &all_kind);
        if (unlikely(code))
            return code;
        has_waited = true;
    }
    if (!has_waited)
        ouro__task_charge();
    return 0;
}
