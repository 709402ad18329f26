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
#include "spin.h"
#include "task.h"
#include "task_table.h"
#include "timer_heap.h"

struct buffer_pool;
struct group_wait;
struct ouro_inbox;

struct dispatcher {
    struct ouro_task *current; /* NULL between tasks */
    struct ouro_task *run_first;
    struct ouro_task *run_last;   /* valid when run_first is not NULL */
    struct ouro_task *late_first; /* gave way to all that the next turn wakes */
    struct ouro_task *late_last;
    struct coro *home;         /* where a task leaves to: ouro_run()'s stack, or a spawner's */
    unsigned no_suspend_depth; /* of the running task; see ouro_no_suspend_begin() */
    unsigned budget;           /* calls that the running task may still make without waiting */
    unsigned in_flight_count;  /* call ops staged or submitted */
    uint64_t wakeup_count;
    int64_t noted_time; /* the clock as last read, at most a turn and a tick of the kernel ago */
    struct ring ring;
    struct spin spin;
    struct timer_heap timers; /* by task index: the task's nearest deadline */
    struct task_table tasks;  /* of struct ouro_task */
    struct stack_pool *stacks;
    struct ouro_inbox *inbox; /* what other threads may touch */

    struct buffer_pool *buffers; /* NULL until somebody receives by leases */
    unsigned buffer_count;       /* that it is to have; 0: the default */
    unsigned buffer_bytes;

    bool is_watched;     /* by Valgrind's memcheck, which wants to know what the kernel writes */
    bool has_backlog;    /* one of these may not be empty: */
    struct list staged;  /* ops that found the submission queue full */
    struct list cancels; /* ops that want an ASYNC_CANCEL */
    struct list sources; /* sources that found the queue full */
    struct list source_cancels;

    struct group_wait **interrupted_waits; /* group.c: while it cancels members; else NULL */

    uint64_t slice_turn;   /* the turn that `slice_end` is of */
    int64_t slice_end;     /* from then on checkpoints of this turn give way */
    int64_t trim_deadline; /* when to give spare memory back next; OURO_FOREVER: none */
    bool is_stopping;      /* new tasks start out cancelled */
    uint32_t task_count;   /* that have not ended */
    uint32_t task_peak;
    uint64_t turn_count;
    uint64_t sqe_count;
    unsigned counted_tail; /* of the submission queue: up to there they are in `sqe_count` */
    uint64_t cqe_count;
    uint64_t spawn_count;
    uint64_t select_choice; /* which of several ready cases the last ouro_select() took */
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

/* No task is left by then, and no message that could spawn one: the inbox is closed, or unknown. */
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
 * Leaves for the loop; comes back when the dispatcher resumes the task, whose state says already
 * why it does not run. In line, as the switch is: what returns behind it would be mispredicted.
 */
__attribute__((always_inline)) static inline void ouro__dispatcher_suspend(struct dispatcher *self,
                                                                           struct wait *wait)
{
    struct ouro_task *task = wait->task;

    CHECK(self->no_suspend_depth == 0, "a call that suspends inside a library's callback");
    task->wait = wait;
    task->suspend_count++;
    task->innermost = (struct coro *) (void *) ouro_coro_current; /* a task runs: there is one */
    ouro__coro_switch(task->innermost, self->home);
    task->wait = NULL;
}

/* ouro__task_park(), in line. */
__attribute__((always_inline)) static inline void ouro__dispatcher_park(struct dispatcher *self,
                                                                        struct wait *wait)
{
    wait->task->state = TASK_PARKED;
    wait->task->parked_since = self->noted_time;
    ouro__dispatcher_suspend(self, wait);
}

/*
 * Runs a new task now, until it first waits, on top of the running one: for that long that one's
 * stack is the loop's home. The task may have ended and gone by the return.
 */
void ouro__dispatcher_run_on_top(struct dispatcher *self, struct ouro_task *task);

/*
 * One round: submits what tasks asked for, sleeps until a completion or a deadline when
 * nobody is runnable, hands out completions and deadlines, and resumes the tasks that are
 * runnable then. It sleeps until `latest` at most: OURO_FOREVER, or INT64_MIN not to sleep.
 * Returns 0, or OURO_EDEADLOCK when it would have slept for ever.
 */
int ouro__dispatcher_turn(struct dispatcher *self, int64_t latest);

/* When the next turn has something to do of itself: INT64_MIN at once, OURO_FOREVER never. */
int64_t ouro__dispatcher_next(struct dispatcher *self);

/*
 * How long tasks may compute in one turn before ouro_checkpoint() gives way, and how many
 * calls in a row may complete without waiting.
 */
#define TASK_SLICE  (200 * OURO_MICROSECOND)
#define TASK_BUDGET 128

static inline int64_t ouro__dispatcher_now(struct dispatcher *self)
{
    self->noted_time = self->ring.backend->now(&self->ring);
    return self->noted_time;
}

/* park.c: lets all others run, also those that the next turn wakes. */
void ouro__task_give_way_to_turn(void);

/* park.c: the running task has used its budget up: lets the others run, if it may suspend. */
void ouro__task_give_way(void);

/*
 * For calls that may wait and found no reason to: after a number of them in a row the task
 * gives way, so that one which only takes free locks starves nobody. To be called when the
 * work is done; interruptions are left for the next call.
 */
static inline void ouro__task_charge(void)
{
    if (unlikely(--ouro__dispatcher->budget == 0))
        ouro__task_give_way();
}

/* park.c: the task's deadline has come: ends its sleep, expires its scopes. */
void ouro__task_expire(struct dispatcher *self, struct ouro_task *task, int64_t now);

/*
 * Suspends the running task until `deadline` (OURO_FOREVER: only an interruption ends it).
 * Returns 0 or the interruption.
 */
int ouro__task_sleep_until(int64_t deadline);

/* timer.c: `duration_ns` after `now`; saturates instead of overflowing. */
int64_t ouro__deadline_after(int64_t now, int64_t duration_ns);

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
