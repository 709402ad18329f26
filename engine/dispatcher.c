/* SPDX-License-Identifier: MIT */
/*
 * dispatcher.c - the loop
 *
 * One turn:
 *
 *      submit what tasks staged, and sleep if none is runnable: one system call, or none
 *        ──▶ wake by completions ──▶ wake by deadlines ──▶ run the runnable tasks
 *
 * Running them comes last, so that whoever turns the loop sees what they did before the
 * next sleep.
 *
 * Invariants
 *   1. A public call does not return while the kernel may still touch its memory (op.c).
 *   2. Whatever an SQE points to lives in the op or in the caller's buffer until OP_DONE.
 *   3. A completion is copied out before its slot is given back.
 *   4. A completion makes a task runnable; only run_tasks() resumes tasks, and an eager spawn
 *      starts one.
 *   5. One dispatcher per thread; ouro__dispatcher finds it.
 *   6. A round resumes each task at most once and a turn has few rounds: tasks that yield
 *      for ever starve neither each other nor the ring.
 *
 * Read next: op.h for operations, park.c for waiting, task.c for what tasks can do.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "buffer_pool.h"
#include "dispatcher.h"
#include "inbox.h"
#include "op_call.h"

#define TRIM_INTERVAL (1 * OURO_SECOND) /* memory of a peak is kept for one to two of these */
#define TRIM_PAUSE    (500 * OURO_MICROSECOND)
#define TRIM_STACKS   512 /* at a time: half a millisecond of madvise() */
#define TRIM_TURNS    64  /* how often to look; also before each sleep */

#define ROUNDS_PER_TURN 16

#define TICK_MAX (20 * OURO_MILLISECOND)

#define LOOKS_PER_CLOCK 16 /* while spinning: about a microsecond */

_Thread_local struct dispatcher *ouro__dispatcher;

int ouro__dispatcher_init(struct dispatcher *self, const struct ring_config *config,
                          struct ring_hint *ret_hint)
{
    int code;

    memset(self, 0, sizeof(*self));
    list_init(&self->staged);
    list_init(&self->cancels);
    list_init(&self->sources);
    list_init(&self->source_cancels);
    self->trim_deadline = OURO_FOREVER;
    self->is_watched = memcheck_is_running();
    self->home = ouro__coro_running();
    self->stacks = ouro__coro_stacks();
    ouro__timer_heap_init(&self->timers);
    ret_hint->text[0] = '\0';
    if (!self->stacks || ouro__task_table_init(&self->tasks, sizeof(struct ouro_task)))
        return -ENOMEM;
    code = ouro__ring_open(&self->ring, config, ret_hint);
    if (code) {
        ouro__task_table_done(&self->tasks);
        return code;
    }
    self->counted_tail = self->ring.sq_tail;
    if (self->ring.mask_guard_madvise)
        self->stacks->guard_by_mprotect = true;
    code = ouro__inbox_open(self, &self->inbox);
    if (code) {
        (void) snprintf(ret_hint->text, sizeof(ret_hint->text),
                        "no file descriptor left for the loop's eventfd, or no memory: raise the "
                        "limit (\"ulimit -n\")");
        ouro__ring_close(&self->ring);
        ouro__task_table_done(&self->tasks);
        return code;
    }
    (void) ouro__dispatcher_now(self);
    ouro__dispatcher = self;
    return 0;
}

void ouro__dispatcher_done(struct dispatcher *self)
{
    ouro__inbox_end(self->inbox, self);
    while (!ouro__inbox_has_ended(self->inbox) || !ouro__buffer_pool_is_idle(self->buffers))
        (void) ouro__dispatcher_turn(self, OURO_FOREVER);
    CHECK(self->in_flight_count == 0 && self->task_count == 0, "the loop is still in use");
    ouro__buffer_pool_destroy(self->buffers);
    ouro__inbox_let_go(self->inbox);
    ouro__ring_close(&self->ring);
    ouro__timer_heap_done(&self->timers);
    ouro__task_table_done(&self->tasks);
    if (!ouro__stack_pool_is_used(self->stacks)) { /* a generator may outlive the loop */
        ouro__stack_pool_done(self->stacks);
        ouro__stack_pool_init(self->stacks, /* mask_guard_madvise= */ false);
    }
    ouro__dispatcher = NULL;
}

/* --- running tasks ---------------------------------------------------------------- */

/* Releases what an ended task no longer needs: its stack, and its slot unless it may be joined. */
static void bury(struct dispatcher *self, struct ouro_task *task)
{
    struct stack stack = task->coro.stack;

    ouro__timer_heap_clear(&self->timers, task->slot.index);
    ouro__coro_done(&task->coro);
    if (task->name >= stack.limit && task->name < stack.top)
        task->name = "ended"; /* a copied name goes with the stack; the place does not */
    ouro__stack_release(self->stacks, task->stack_class, stack);
    task->coro.stack = (struct stack) {NULL, NULL};
    if (task->flags & TASK_DETACHED)
        ouro__task_table_release(&self->tasks, task);
}

__attribute__((always_inline)) static inline void resume(struct dispatcher *self,
                                                         struct ouro_task *task)
{
    /* A watchdog's thread reads these two: plain moves, but said so. */
    __atomic_store_n(&self->wakeup_count, self->wakeup_count + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&self->current, task, __ATOMIC_RELAXED);
    self->budget = TASK_BUDGET;
    task->state = TASK_RUNNING;
    ouro__coro_switch(self->home, task->innermost);
    __atomic_store_n(&self->current, NULL, __ATOMIC_RELAXED);
    if (unlikely(task->state == TASK_ENDED))
        bury(self, task);
}

void ouro__dispatcher_run_on_top(struct dispatcher *self, struct ouro_task *task)
{
    struct ouro_task *spawner = self->current;
    struct coro *home = self->home;
    unsigned budget = self->budget;

    CHECK(self->no_suspend_depth == 0, "an eager task is spawned inside a library's callback");
    spawner->innermost = self->home =
        ouro__coro_running(); /* for reports: its stack begins there */
    resume(self, task);
    self->home = home;
    self->budget = budget;
    __atomic_store_n(&self->current, spawner, __ATOMIC_RELAXED);
}

/*
 * Asks for what the next switch will touch, while the present task still runs. With
 * 100,000 tasks all of it is far away: task_sleep/100000 in bench/micro.cc.
 */
static inline void prefetch_task(const struct ouro_task *task)
{
    if (likely(task != NULL)) {
        const char *sp = task->innermost->core.context.sp;

        __builtin_prefetch(sp);
        __builtin_prefetch(sp + 64);
        __builtin_prefetch(sp + 128);
        __builtin_prefetch(sp + 192);
        if (task->run_next) {
            __builtin_prefetch(task->run_next);
            __builtin_prefetch(&task->run_next->coro);
        }
    }
}

static void run_tasks(struct dispatcher *self)
{
    struct ouro_task *task = self->run_first;
    struct ouro_task *last = self->run_last;

    if (!task)
        return;
    for (;;) {
        struct ouro_task *next = task->run_next;

        /* Tasks woken meanwhile are appended behind `last`, for the next round. */
        self->run_first = next;
        prefetch_task(next);
        resume(self, task);
        if (task == last)
            break;
        task = next;
    }
}

/* Whether there is nothing to do but to run tasks. Looks at memory only. */
static bool only_tasks_wait(const struct dispatcher *self)
{
    return self->run_first && !self->late_first && !self->has_backlog &&
           ouro__ring_unsubmitted(&self->ring) == 0 && ouro__ring_completed(&self->ring) == 0 &&
           !ouro__ring_wants_enter(&self->ring) && !ouro__inbox_has_messages(self->inbox);
}

/*
 * Tasks that wake each other need no trip through the rest of the turn, nor through its
 * callers, whose returns would all be mispredicted (112 against 69 ns for spawn, run and
 * join). Deadlines wait for it, hence the bound.
 */
static void run_rounds(struct dispatcher *self)
{
    for (int round = 0; round < ROUNDS_PER_TURN; round++) {
        run_tasks(self);
        if (!only_tasks_wait(self))
            break;
    }
}

/* --- the ring ----------------------------------------------------------------------- */

static int64_t wait_deadline(const struct dispatcher *self)
{
    int64_t deadline = ouro__timer_heap_next(&self->timers);

    return deadline < self->trim_deadline ? deadline : self->trim_deadline;
}

/*
 * Whether nothing can ever wake a task: nothing in flight, no deadline, no other thread. What
 * another thread posted before it gave its reference back is looked for after the references.
 */
static bool is_deadlocked(const struct dispatcher *self)
{
    return self->in_flight_count == 0 && self->task_count > 0 &&
           ouro__timer_heap_next(&self->timers) == OURO_FOREVER &&
           !ouro__inbox_is_known(self->inbox) && !ouro__inbox_has_messages(self->inbox);
}

/* What a failed enter means: 0 when the next turn may do better. */
static int enter_outcome(int code)
{
    switch (code) {
    case 0:
    case -ETIME:
    case -EINTR:
    case -EAGAIN: /* the kernel is short of memory for requests: reap and try again */
    case -ENOMEM: /* likewise */
    case -EBUSY:  /* completions overflow: likewise */
        return 0;
    case -EDEADLK:
        return OURO_EDEADLOCK;
    default:
        /* Operations are in flight on tasks' stacks and can't be called back: no way out. */
        UNREACHABLE(ouro_strerror(code));
    }
}

/* Whether the next turn has work that is known now. */
static bool has_work(struct dispatcher *self)
{
    return self->run_first || self->late_first || self->has_backlog ||
           ouro__ring_completed(&self->ring) > 0 || ouro__inbox_has_messages(self->inbox);
}

static int enter(struct dispatcher *self, bool wait, int64_t deadline)
{
    int code = self->ring.backend->enter(&self->ring, wait, deadline);

    self->sqe_count += self->ring.sq_tail - self->counted_tail;
    self->counted_tail = self->ring.sq_tail;
    return enter_outcome(code);
}

/*
 * Sleeps, unless a message comes at the last moment. Whether that is for ever is asked last:
 * from ouro__inbox_fall_asleep() on, who could change the answer wakes us.
 */
static int enter_and_sleep(struct dispatcher *self, int64_t latest)
{
    int64_t deadline = wait_deadline(self);
    int code;

    if (!ouro__inbox_fall_asleep(self->inbox))
        return enter(self, false, deadline);
    if (is_deadlocked(self) && latest == OURO_FOREVER)
        code = OURO_EDEADLOCK;
    else
        code = enter(self, true, deadline < latest ? deadline : latest);
    ouro__inbox_wake_up(self->inbox);
    return code;
}

static inline void relax_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/* Looks until there is something to do, or the clock says `end`. Returns whether there is. */
static bool look(struct dispatcher *self, int64_t end)
{
    do {
        for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
            if (has_work(self) || ouro__ring_wants_enter(&self->ring))
                return true;
            relax_cpu();
        }
    } while (ouro__dispatcher_now(self) < end);
    return false;
}

/*
 * What has ended a sleep, or a look: the first completion; or 0, a deadline or a message. A new
 * connection is always somebody else.
 */
static uint64_t gap_ender(const struct dispatcher *self)
{
    uint64_t user_data;

    if (!ouro__ring_completed(&self->ring))
        return 0;
    user_data = ouro__ring_peek(&self->ring)->user_data;
    return ouro__op_has_many_peers(user_data) ? self->turn_count | 1ULL << 63 : user_data;
}

/*
 * As long as it matters how far the next completion is, what there is to submit goes first, as it
 * may be complete at once: that is no gap.
 */
static int look_and_sleep(struct dispatcher *self, int64_t latest)
{
    int64_t deadline = wait_deadline(self);
    int64_t start, end;
    int code = 0;

    if (ouro__ring_unsubmitted(&self->ring) > 0)
        code = enter(self, false, OURO_FOREVER);
    if (code || has_work(self))
        return code;
    start = ouro__dispatcher_now(self);
    end = start + self->spin.budget_ns;
    if (latest < deadline)
        deadline = latest;
    if (ouro__spin_begin(&self->spin) &&
        (look(self, end < deadline ? end : deadline) || self->noted_time >= deadline)) {
        if (ouro__ring_wants_enter(&self->ring))
            code = enter(self, false, OURO_FOREVER);
        ouro__spin_hit(&self->spin, ouro__dispatcher_now(self) - start, gap_ender(self));
        return code;
    }
    code = enter_and_sleep(self, latest);
    ouro__spin_slept(&self->spin, ouro__dispatcher_now(self) - start, gap_ender(self));
    return code;
}

static int submit_and_sleep(struct dispatcher *self, int64_t latest)
{
    int code;

    if (ouro__spin_measures(&self->spin))
        return look_and_sleep(self, latest);
    code = enter_and_sleep(self, latest);
    ouro__spin_passed(&self->spin, gap_ender(self));
    return code;
}

static int submit_and_wait(struct dispatcher *self, int64_t latest)
{
    /* What found no room in the queue finds it now, and must not wait for our sleep to end. */
    if (!has_work(self) && latest != INT64_MIN)
        return submit_and_sleep(self, latest);
    if (ouro__ring_unsubmitted(&self->ring) == 0 && !ouro__ring_wants_enter(&self->ring))
        return 0;
    return enter(self, false, OURO_FOREVER);
}

/* What the completion after the next is about: with a thousand connections it is far away. */
static inline void prefetch_owner(const struct ring *ring, unsigned head)
{
    const struct io_uring_cqe *cqe = &ring->cqes[head & ring->cq_mask];
    uintptr_t owner = (uintptr_t) cqe->user_data;

    __builtin_prefetch((const void *) owner);
    __builtin_prefetch((const void *) (owner + 64));
    __builtin_prefetch((const void *) (owner + 128));
}

static void reap(struct dispatcher *self)
{
    unsigned head = *self->ring.cq_head;
    unsigned end = ouro__ring_load(self->ring.cq_tail);

    self->cqe_count += end - head;
    for (; head != end; head++) {
        struct io_uring_cqe cqe = self->ring.cqes[head & self->ring.cq_mask];

        prefetch_owner(&self->ring, head + 2);
        ouro__ring_pop(&self->ring);
        if (likely((cqe.user_data & TAG_MASK) == TAG_CALL))
            op_complete(self, (void *) (uintptr_t) (cqe.user_data - TAG_CALL), cqe.res, cqe.flags);
        else
            ouro__source_complete(cqe.user_data, cqe.res, cqe.flags);
    }
}

/* --- deadlines ------------------------------------------------------------------------ */

/*
 * Gives memory of a past peak back, a little at a time. Nothing is armed while there is
 * nothing to give back: an idle loop sleeps for ever.
 */
static void trim(struct dispatcher *self, int64_t now)
{
    if (ouro__stack_pool_trim(self->stacks, TRIM_STACKS) == TRIM_STACKS) {
        self->trim_deadline = now + TRIM_PAUSE;
    } else if (ouro__stack_pool_has_spare(self->stacks)) {
        self->trim_deadline = now + TRIM_INTERVAL;
    } else {
        ouro__timer_heap_shrink(&self->timers, ouro__task_table_trim(&self->tasks));
        self->trim_deadline = OURO_FOREVER;
    }
}

/* Looks now and then whether a peak has passed. */
static void consider_trim(struct dispatcher *self)
{
    if (self->run_first && self->turn_count % TRIM_TURNS)
        return;
    if (self->trim_deadline == OURO_FOREVER && ouro__stack_pool_has_spare(self->stacks))
        self->trim_deadline = ouro__dispatcher_now(self) + TRIM_INTERVAL;
}

/* The task whose deadline comes next. */
static void prefetch_timer_task(const struct dispatcher *self)
{
    if (self->timers.count)
        __builtin_prefetch(ouro__task_table_slot(&self->tasks, self->timers.entries[0].timer));
}

/*
 * Reads the clock, and returns whether `deadline` may have come. While that is far away nobody
 * needs the exact time; 3 ns for that of the kernel's last tick (at most 10 ms ago), in place of
 * 24, is all that "since about when" is worth. The simulated clock stands still without deadlines.
 */
static bool note_time(struct dispatcher *self, int64_t deadline)
{
    struct timespec now;

    if (self->ring.simulated) {
        if (deadline != OURO_FOREVER)
            (void) ouro__dispatcher_now(self);
        return deadline <= self->noted_time;
    }
    if (!clock_gettime(CLOCK_MONOTONIC_COARSE, &now))
        self->noted_time = now.tv_sec * OURO_SECOND + now.tv_nsec;
    if (deadline > self->noted_time + TICK_MAX)
        return false;
    return deadline <= ouro__dispatcher_now(self);
}

static void expire_deadlines(struct dispatcher *self)
{
    uint32_t index;
    int64_t now;

    if (!note_time(self, wait_deadline(self)))
        return;
    now = self->noted_time;
    while (ouro__timer_heap_pop(&self->timers, now, &index)) {
        prefetch_timer_task(self);
        ouro__task_expire(self, ouro__task_table_slot(&self->tasks, index), now);
    }
    if (unlikely(now >= self->trim_deadline))
        trim(self, now);
}

/* Those who gave way come last. */
static void enqueue_late(struct dispatcher *self)
{
    if (likely(!self->late_first))
        return;
    if (self->run_first)
        self->run_last->run_next = self->late_first;
    else
        self->run_first = self->late_first;
    self->run_last = self->late_last;
    self->late_first = NULL;
}

int ouro__dispatcher_turn(struct dispatcher *self, int64_t latest)
{
    int code;

    self->turn_count++;
    consider_trim(self);
    if (unlikely(self->has_backlog))
        ouro__op_flush(self);
    code = submit_and_wait(self, latest);
    reap(self);
    if (unlikely(ouro__inbox_has_messages(self->inbox)))
        ouro__inbox_deliver(self->inbox);
    expire_deadlines(self);
    enqueue_late(self);
    run_rounds(self);
    return code;
}

int64_t ouro__dispatcher_next(struct dispatcher *self)
{
    if (has_work(self) || ouro__ring_unsubmitted(&self->ring) ||
        ouro__ring_wants_enter(&self->ring))
        return INT64_MIN;
    return wait_deadline(self);
}
