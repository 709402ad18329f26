/* SPDX-License-Identifier: MIT */
/*
 * task.c - spawn, join, cancel, yield
 *
 * At the top of a new task's stack lie the copies that its spawn asked for, below them up
 * to a kilobyte of colouring: without it the hottest frames of all tasks would share the
 * same few sets of the first-level cache (10.1 against 8.8 ns per switch at 1,000 tasks).
 *
 *      top ─▶ | argument copy | name copy | colour | first frame ...
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dispatcher.h"
#include "group.h"
#include "ouro_task.h"

#define ARG_BYTES_MAX  1024
#define NAME_BYTES_MAX 32
#define COLOURS        16
#define COLOUR_BYTES   64

static const struct ouro_spawn_options default_options = {.name = NULL};

/* --- the life of a task ------------------------------------------------------------- */

/* A joiner finds the result in its own wait: the task may be gone before it runs. */
struct join_wait {
    struct list_wait list_wait;
    const struct ouro_task *task; /* for reports */
    int task_result;
};

static void wake_joiners(struct ouro_task *task)
{
    struct list *node;

    while ((node = list_shift(&task->joiners))) {
        struct join_wait *join = container_of(node, struct join_wait, list_wait.link);

        join->task_result = task->result;
        task->flags |= TASK_DETACHED; /* the result is taken */
        ouro__task_wake(&join->list_wait.wait, 0);
    }
}

/* The first frame of every task. */
static void task_entry(void)
{
    struct ouro_task *self = ouro__dispatcher->current;

    ouro__coro_arrived(&self->coro);
    self->result = self->fn(self->arg);
    if (unlikely(self->hooks != NULL))
        ouro__task_run_hooks(self);
    CHECK(!self->scope, "a task ended inside a time-limit scope");
    CHECK(!self->open_groups, "a task ended with a group that it did not wait for");
    if (self->group)
        ouro__group_leave(self);
    wake_joiners(self);
    if (unlikely(self->watchers != NULL))
        ouro__wait_tasks_ended(self);
    self->state = TASK_ENDED;
    ouro__dispatcher->task_count--;
    ouro__coro_exit(&self->coro, ouro__dispatcher->home);
}

static size_t round_up(size_t bytes)
{
    return (bytes + 15) & ~(size_t) 15;
}

/* Puts the copies where the stack begins; returns how many bytes they take. */
static size_t place_copies(struct ouro_task *task, const struct ouro_spawn_options *options)
{
    char *top = task->coro.stack.top;

    if (options->arg_bytes) {
        top -= round_up(options->arg_bytes);
        task->arg = memcpy(top, task->arg, options->arg_bytes);
    }
    if (options->name) {
        size_t len = strnlen(options->name, NAME_BYTES_MAX - 1);

        top -= NAME_BYTES_MAX;
        memcpy(top, options->name, len);
        top[len] = '\0';
        task->name = top;
    }
    return (size_t) (task->coro.stack.top - top) + task->slot.index % COLOURS * COLOUR_BYTES;
}

/* A slot with a stack and a timer; the rest is for the caller to fill in. */
static int allocate(struct dispatcher *dispatcher, enum ouro_stack_class stack_class,
                    struct ouro_task **ret_task)
{
    struct ouro_task *task;
    void *slot;
    int code = ouro__task_table_allocate(&dispatcher->tasks, &slot);

    if (unlikely(code))
        return code;
    task = slot;
    code = ouro__timer_heap_reserve(&dispatcher->timers, task->slot.index + 1);
    if (likely(!code))
        code = ouro__stack_acquire(dispatcher->stacks, stack_class, &task->coro.stack);
    if (unlikely(code)) {
        ouro__task_table_release(&dispatcher->tasks, task);
        return code;
    }
    *ret_task = task;
    return 0;
}

ouro_task_id ouro__task_create(struct dispatcher *dispatcher, ouro_task_fn *fn, void *arg,
                               const struct ouro_spawn_options *options, const char *name,
                               const char *place, struct ouro_task **ret_task)
{
    struct ouro_task *task;
    int code;

    if (!options)
        options = &default_options;
    if (unlikely(!dispatcher || !fn || options->arg_bytes > ARG_BYTES_MAX))
        return -EINVAL;
    if (unlikely(options->eager && !dispatcher->current))
        return -EINVAL;
    code = allocate(dispatcher, options->stack, &task);
    if (unlikely(code))
        return code;
    task->innermost = &task->coro;
    task->wait = NULL;
    task->scope = NULL;
    task->sleep_deadline = OURO_FOREVER;
    task->suspend_count = 0;
    task->flags = options->detached ? TASK_DETACHED : 0;
    task->state = TASK_RUNNABLE;
    task->cancel_reason = NULL;
    task->hooks = NULL;
    if (unlikely(dispatcher->is_stopping))
        ouro__task_cancel(task, "the loop stops");
    task->stack_class = options->stack;
    task->result = 0;
    task->fn = fn;
    task->arg = arg;
    task->group = NULL;
    task->open_groups = NULL;
    list_init(&task->joiners);
    task->watchers = NULL;
    task->name = name;
    task->place = place;
    ouro__coro_init(&task->coro, task_entry, place_copies(task, options));
    dispatcher->spawn_count++;
    if (++dispatcher->task_count > dispatcher->task_peak)
        dispatcher->task_peak = dispatcher->task_count;
    *ret_task = task;
    return task->slot.id;
}

void ouro__task_start(struct dispatcher *dispatcher, struct ouro_task *task,
                      const struct ouro_spawn_options *options)
{
    if (unlikely(options && options->eager))
        ouro__dispatcher_run_on_top(dispatcher, task);
    else
        ouro__dispatcher_enqueue(dispatcher, task);
}

ouro_task_id ouro_spawn_at(ouro_task_fn *fn, void *arg, const struct ouro_spawn_options *options,
                           const char *name, const char *place)
{
    struct ouro_task *task;
    ouro_task_id id = ouro__task_create(ouro__dispatcher, fn, arg, options, name, place, &task);

    if (likely(id > 0))
        ouro__task_start(ouro__dispatcher, task, options);
    return id;
}

/* --- joining -------------------------------------------------------------------------- */

int ouro__task_find_joinable(ouro_task_id id, struct ouro_task **ret_task)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_join() needs a task");
    struct ouro_task *task = ouro__task_table_find(&ouro__dispatcher->tasks, id);

    if (!task)
        return -ESRCH;
    if (task == self)
        return -EDEADLK;
    if (task->group || task->flags & TASK_DETACHED)
        return -EINVAL;
    *ret_task = task;
    return 0;
}

/* Waits for the end of a task; an uninterruptible wait has no interrupt in its kind. */
static int join(struct ouro_task *task, const struct wait_kind *kind, int *ret_result)
{
    struct join_wait join;
    int code;

    if (task->state == TASK_ENDED) {
        if (ret_result)
            *ret_result = task->result;
        ouro__task_table_release(&ouro__dispatcher->tasks, task);
        return 0;
    }
    join.list_wait.wait = (struct wait) {.kind = kind, .task = ouro__dispatcher->current};
    join.task = task;
    list_append(&task->joiners, &join.list_wait.link);
    code = ouro__task_park(&join.list_wait.wait);
    if (unlikely(code))
        return ouro__task_interruption();
    if (ret_result)
        *ret_result = join.task_result;
    return 0;
}

static int describe_join(const struct wait *wait, char *text, size_t text_bytes)
{
    const struct list_wait *list_wait = container_of(wait, struct list_wait, wait);
    const struct join_wait *join = container_of(list_wait, struct join_wait, list_wait);

    return snprintf(text, text_bytes, "join of \"%s\", id %lld", join->task->name,
                    (long long) join->task->slot.id);
}

static const struct wait_kind join_kind = {
    .name = "join", .interrupt = ouro__list_wait_interrupt, .describe = describe_join};
static const struct wait_kind cancel_join_kind = {.name = "join", .describe = describe_join};

int ouro_join(ouro_task_id id, int *ret_result)
{
    struct ouro_task *task;
    int code = ouro__task_find_joinable(id, &task);

    if (unlikely(code))
        return code;
    code = ouro__task_interruption();
    if (unlikely(code))
        return code;
    return join(task, &join_kind, ret_result);
}

int ouro_cancel_join(ouro_task_id id, int *ret_result)
{
    struct ouro_task *task;
    int code = ouro__task_find_joinable(id, &task);

    if (unlikely(code))
        return code;
    ouro__task_cancel(task, "ouro_cancel_join()");
    return join(task, &cancel_join_kind, ret_result);
}

/* --- cancelling ----------------------------------------------------------------------- */

void ouro__task_cancel(struct ouro_task *task, const char *reason)
{
    if (task->flags & TASK_CANCELLED)
        return;
    task->flags |= TASK_CANCELLED;
    task->cancel_reason = reason;
    ouro__task_interrupt(task);
}

int ouro_cancel(ouro_task_id id)
{
    return ouro_cancel_because(id, "ouro_cancel()");
}

const char *ouro_cancel_reason(void)
{
    return ouro__dispatcher_task("ouro_cancel_reason() needs a task")->cancel_reason;
}

int ouro_cancel_because(ouro_task_id id, const char *reason)
{
    struct ouro_task *task = NULL;

    if (ouro__dispatcher)
        task = ouro__task_table_find(&ouro__dispatcher->tasks, id);
    if (!task || task->state == TASK_ENDED)
        return -ESRCH;
    ouro__task_cancel(task, reason);
    return 0;
}

/* --- the running task ------------------------------------------------------------------ */

ouro_task_id ouro_self(void)
{
    return ouro__dispatcher && ouro__dispatcher->current ? ouro__dispatcher->current->slot.id : 0;
}

int ouro_yield(void)
{
    int code;

    (void) ouro__dispatcher_task("ouro_yield() needs a task");
    code = ouro__task_interruption();
    if (unlikely(code))
        return code;
    CHECK(ouro__dispatcher->no_suspend_depth == 0, "ouro_yield() inside a library's callback");
    ouro__task_give_way();
    return ouro__task_interruption();
}

/* Whether tasks have computed for long enough in this turn; the first to ask starts the watch. */
static bool slice_is_over(struct dispatcher *dispatcher)
{
    int64_t now = ouro__dispatcher_now(dispatcher);

    if (dispatcher->slice_turn != dispatcher->turn_count) {
        dispatcher->slice_turn = dispatcher->turn_count;
        dispatcher->slice_end = now + TASK_SLICE;
    }
    return now >= dispatcher->slice_end;
}

int ouro_checkpoint(void)
{
    int code;

    (void) ouro__dispatcher_task("ouro_checkpoint() needs a task");
    code = ouro__task_interruption();
    if (unlikely(code))
        return code;
    if (likely(!slice_is_over(ouro__dispatcher)))
        return 0;
    ouro__task_give_way_to_turn();
    return ouro__task_interruption();
}

void ouro_no_suspend_begin(void)
{
    (void) ouro__dispatcher_task("ouro_no_suspend_begin() needs a task");
    ouro__dispatcher->no_suspend_depth++;
}

void ouro_no_suspend_end(void)
{
    CHECK(ouro__dispatcher && ouro__dispatcher->no_suspend_depth > 0,
          "ouro_no_suspend_end() without its begin");
    ouro__dispatcher->no_suspend_depth--;
}
