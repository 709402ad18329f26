/* SPDX-License-Identifier: MIT */
/*
 * dispatcher.h - the loop of one thread: where coroutines meet the ring
 *
 * Private to layers 2 and 3. ouro_loop.h is the public side.
 */
#ifndef OURO_DISPATCHER_H
#define OURO_DISPATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "op.h"
#include "ring.h"
#include "task.h"
#include "task_table.h"
#include "timer_heap.h"

struct dispatcher {
    struct ouro_task *current; /* NULL between tasks */
    struct ouro_task *run_first;
    struct ouro_task *run_last; /* valid when run_first is not NULL */
    struct coro *home;          /* the stack that ouro_run() was called on */
    unsigned no_suspend_depth;  /* of the running task; see ouro_no_suspend_begin() */
    unsigned in_flight_count;   /* call ops staged or submitted */
    uint64_t wakeup_count;
    struct ring ring;
    struct timer_heap timers; /* by task index: the task's nearest deadline */
    struct task_table tasks;  /* of struct ouro_task */
    struct stack_pool *stacks;

    bool has_backlog;    /* one of these may not be empty: */
    struct list staged;  /* ops that found the submission queue full */
    struct list cancels; /* ops that want an ASYNC_CANCEL */
    struct list sources; /* sources that found the queue full */
    struct list source_cancels;

    int64_t trim_deadline; /* when to give spare memory back next; OURO_FOREVER: none */
    bool is_stopping;      /* new tasks start out cancelled */
    uint32_t task_count;   /* that have not ended */
    uint32_t task_peak;
    uint64_t turn_count;
    uint64_t sqe_count;
    uint64_t cqe_count;
    uint64_t spawn_count;
};

/* The running thread's loop; NULL outside ouro_run(). */
extern _Thread_local struct dispatcher *ouro__dispatcher;

/* The running task; a call that needs one ends the process with its name outside of one. */
static inline struct ouro_task *ouro__dispatcher_task(const char *caller)
{
    CHECK(ouro__dispatcher && ouro__dispatcher->current, caller);
    return ouro__dispatcher->current;
}

/* Sets up a loop and makes it the thread's. Returns 0, or a code with a hint. */
int ouro__dispatcher_init(struct dispatcher *self, const struct ring_config *config,
                          struct ring_hint *ret_hint);

/* No task and no source is left by then. */
void ouro__dispatcher_done(struct dispatcher *self);

/* Queues a task to be resumed. */
static inline void ouro__dispatcher_enqueue(struct dispatcher *self, struct ouro_task *task)
{
    task->state = TASK_RUNNABLE;
    task->run_next = NULL;
    if (self->run_first)
        self->run_last->run_next = task;
    else
        self->run_first = task;
    self->run_last = task;
}

/*
 * One round: submits what tasks asked for, sleeps until a completion or a deadline when
 * nobody is runnable, hands out completions and deadlines, and resumes the tasks that are
 * runnable then. Returns 0, or OURO_EDEADLOCK when it would have slept for ever.
 */
int ouro__dispatcher_turn(struct dispatcher *self);

static inline int64_t ouro__dispatcher_now(struct dispatcher *self)
{
    return self->ring.backend->now(&self->ring);
}

/* park.c: the task's deadline has come: ends its sleep, expires its scopes. */
void ouro__task_expire(struct dispatcher *self, struct ouro_task *task, int64_t now);

/*
 * Suspends the running task until `deadline` (OURO_FOREVER: only an interruption ends it).
 * Returns 0 or the interruption.
 */
int ouro__task_sleep_until(int64_t deadline);

/* Sets the task's timer to the nearest of its sleep and its unexpired scopes. */
void ouro__task_arm(struct dispatcher *self, struct ouro_task *task);

/* States of a scope (struct ouro_timeout.state); a shield is a scope of its own kind. */
enum scope_state {
    SCOPE_RUNNING,
    SCOPE_EXPIRED,   /* its time is up */
    SCOPE_DISTURBED, /* and a call failed because of it */
    SCOPE_SHIELDING, /* a shield: what comes from outside of it is held back */
    SCOPE_LIFTED     /* a shield whose time is up */
};

#endif /* OURO_DISPATCHER_H */
