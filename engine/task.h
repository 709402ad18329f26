/* SPDX-License-Identifier: MIT */
/*
 * task.h - a task's control data, and how a task waits
 *
 * The types of layer 2, known to op, dispatcher and everything above. Tasks lie densely
 * in the dispatcher's task table, apart from their stacks.
 *
 * Vocabulary
 *   park       suspend the running task until its wait ends
 *   wait       what a task is parked in; lives on the waiting task's stack
 *   wake       end a wait: queue the task to run again
 *   interrupt  ask a wait to end soon, because the task was cancelled or ran out of time;
 *              what ends it is up to its kind
 *
 * A task's states, and who moves it:
 *
 *    ouro_spawn           dispatcher            ouro__task_park
 *   ──────────▶ RUNNABLE ────────────▶ RUNNING ────────────────▶ PARKED
 *                  ▲                      │                        │
 *                  └──────────────────────┼── ouro__task_wake ─────┘
 *                                         └── function returns ──▶ ENDED (until joined)
 */
#ifndef OURO_TASK_PRIVATE_H
#define OURO_TASK_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "coro.h"
#include "list.h"
#include "ouro_task.h"
#include "ouro_timer.h"
#include "task_table.h"

struct wait;
struct watch;

enum task_state { TASK_RUNNABLE, TASK_RUNNING, TASK_PARKED, TASK_ENDED };

enum task_flags {
    TASK_CANCELLED = 1, /* by ouro_cancel() or its group: never cleared */
    TASK_EXPIRED = 2,   /* at least one of its scopes has run out */
    TASK_DETACHED = 4,  /* nobody joins, or the result was taken */
    TASK_DISTURBED = TASK_CANCELLED | TASK_EXPIRED /* without these it has no interruption */
};

struct ouro_task {
    struct task_slot slot; /* id, index */

    /* What a switch touches. */
    struct coro *innermost;     /* where it goes on: its own coro or a generator's */
    struct ouro_task *run_next; /* in the run queue */
    struct wait *wait;          /* while parked */
    struct ouro_timeout *scope; /* innermost time limit */
    int64_t sleep_deadline;     /* OURO_FOREVER: it does not sleep, or for ever */
    enum task_state state;
    unsigned flags;
    int64_t parked_since;   /* about when; in the cache line that a switch writes anyway */
    uint64_t suspend_count; /* how often it has left for the loop; likewise */
    struct coro coro;

    /* What its beginning and its end touch. */
    enum ouro_stack_class stack_class;
    int result;
    ouro_task_fn *fn;
    void *arg;
    struct ouro_group *group; /* it is a member; NULL: joined or detached */
    struct ouro_task *group_next, *group_prev;
    struct ouro_group *open_groups; /* that it must still wait for */
    struct list joiners;            /* of struct list_wait */
    struct watch *watchers;         /* the oldest; wait_tasks.c */
    const char *name;               /* constant, or a copy on its stack */
    const char *place;              /* of the spawn: "file.c:12" */
    const char *cancel_reason;      /* constant; NULL: it was not cancelled */
    struct task_hook *hooks;        /* the newest; hook.c */
} __attribute__((aligned(64)));

/* What kind of thing a task waits for. */
struct wait_kind {
    const char *name; /* for reports */

    /*
     * The wait should end soon; called at most once for each code, from the loop or
     * another task. It wakes the task now or lets something else do so later. NULL:
     * the wait can't be interrupted.
     */
    void (*interrupt)(struct wait *wait, int code);

    /* For reports: writes what exactly is waited for, as snprintf() does. NULL: the name will do. */
    int (*describe)(const struct wait *wait, char *text, size_t text_bytes);
};

struct wait {
    const struct wait_kind *kind;
    struct ouro_task *task;
    int result; /* what ouro__task_park() returns */
};

/* A wait in the list of waiters of some object: join, and later the sync objects. */
struct list_wait {
    struct wait wait;
    struct list link;
};

/* For wait_kind.interrupt: leaves the list, and wakes the task with `code`. */
void ouro__list_wait_interrupt(struct wait *wait, int code);

/*
 * Suspends the running task until somebody wakes it, and returns wait->result. The caller
 * set kind and has made sure that somebody will. Clears the interruption of nobody: the
 * caller looks at ouro__task_interruption() before it starts anything.
 */
int ouro__task_park(struct wait *wait);

/* Ends the wait of a parked task with `result`. */
void ouro__task_wake(struct wait *wait, int result);

/* Parks the running task behind the other runnable ones. */
void ouro__task_yield(struct wait *wait);

/*
 * -ECANCELED or -ETIMEDOUT when calls of the running task must fail now, else 0. Marks the
 * scopes that ran out as having disturbed something: ask only when a call then fails.
 */
int ouro__task_interruption(void);

/*
 * The result of a wait: its own, unless it failed and the task was interrupted. For failures
 * that the next call would tell of, too; operations have a rule of their own (op.c).
 */
static inline int64_t ouro__task_outcome(int64_t result)
{
    if (unlikely(result < 0)) {
        int code = ouro__task_interruption();

        if (code)
            return code;
    }
    return result;
}

/* Interrupts the task's wait if there is a reason to, and it is in one that can be. */
void ouro__task_interrupt(struct ouro_task *task);

struct dispatcher;

/* ouro_spawn_at() up to the point where the task is to run, also telling where it is. */
ouro_task_id ouro__task_create(struct dispatcher *dispatcher, ouro_task_fn *fn, void *arg,
                               const struct ouro_spawn_options *options, const char *name,
                               const char *place, struct ouro_task **ret_task);

/* Lets a new task run, now or soon; it may have ended and gone by the return. */
void ouro__task_start(struct dispatcher *dispatcher, struct ouro_task *task,
                      const struct ouro_spawn_options *options);

/* The task that ouro_join() would wait for, or ouro_join()'s errors. */
int ouro__task_find_joinable(ouro_task_id id, struct ouro_task **ret_task);

/* wait_tasks.c: a task with watchers has ended. */
void ouro__wait_tasks_ended(struct ouro_task *task);

/* ouro_cancel_because() of a task that has not ended. */
void ouro__task_cancel(struct ouro_task *task, const char *reason);

/* hook.c: the task's function has returned, and left hooks. */
void ouro__task_run_hooks(struct ouro_task *task);

#endif /* OURO_TASK_PRIVATE_H */
