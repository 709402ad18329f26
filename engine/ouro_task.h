/* SPDX-License-Identifier: MIT */
/*
 * ouro_task.h - tasks: spawn, join, yield, cancel, groups
 *
 * A task is a function that runs on its own stack and may wait without holding
 * up others. All tasks of a loop share one thread and switch only inside calls
 * marked OURO_TASK, so data shared between them needs no locks between such calls.
 *
 * Every task has an id that is never reused within 2^31 spawns and stays safe to
 * use when stale. A task that was spawned with ouro_spawn() keeps its result until
 * somebody joins it; a group's members and detached tasks free themselves.
 */
#ifndef OURO_TASK_H
#define OURO_TASK_H

#include "ouro_base.h"
#include "ouro_coro.h"
#include "ouro_loop.h"

OURO_BEGIN_DECLS

/* Identifies a task; positive. A negative value is an error code. */
typedef int64_t ouro_task_id;

struct ouro_spawn_options {
    const char *name; /* for reports; copied, cut at 31 bytes; NULL: the function's name */
    enum ouro_stack_class stack;
    size_t arg_bytes; /* copy this much of *arg to the new task's stack, at most 1024, and pass
                          the copy (aligned to 16); 0: pass `arg` itself */
    bool detached;    /* nobody will join: free the task when it ends */
    bool eager;       /* it starts at once: see ouro_spawn() */
};

/*
 * ouro_spawn, ouro_spawn_with - start a task that calls `fn(arg)`
 * @options: NULL for defaults
 *
 * It becomes runnable at once and runs when the caller next suspends. A task that
 * is cancelled before it first ran still runs: its first waiting call fails.
 *
 * An `eager` task (asyncio's eager_start) starts before the call returns, and runs until it
 * waits for the first time or ends. Who starts many tasks that mostly have no reason to wait so
 * uses one stack for all of these, which is still in the cache. The caller is not suspended
 * meanwhile; the task's id may be stale by the time it is returned, if it was detached.
 *
 * Context: task.
 * Returns: the task's id, to be passed to ouro_join() unless detached;
 *          -EINVAL for bad options or outside a loop; -ENOMEM; -EAGAIN when the loop
 *          holds as many tasks as it can (16 million).
 */
#define ouro_spawn(fn, arg)               ouro_spawn_with(fn, arg, NULL)
#define ouro_spawn_with(fn, arg, options) ouro_spawn_at((fn), (arg), (options), #fn, OURO_PLACE)

/* The function behind the macros; `name` and `place` are string constants. */
OURO_API ouro_task_id ouro_spawn_at(ouro_task_fn *fn, void *arg,
                                    const struct ouro_spawn_options *options, const char *name,
                                    const char *place);

/* The place of a spawn, for reports: "file.c:12". */
#define OURO_PLACE             __FILE__ ":" OURO_STRINGIFY(__LINE__)
#define OURO_STRINGIFY(token)  OURO_STRINGIFY_(token)
#define OURO_STRINGIFY_(token) #token

/*
 * ouro_join - wait until a task has ended, and take its result
 * @ret_result: what its function returned; may be NULL
 *
 * An interrupted join leaves the task running, and joinable.
 *
 * Context: task, may suspend.
 * Returns: 0; -ESRCH when no such task exists (never did, or was joined already);
 *          -EINVAL for a detached task or a group's member; -EDEADLK for the caller
 *          itself; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_join(ouro_task_id id, int *ret_result);

/*
 * ouro_cancel_join - cancel a task, wait until it has ended, take its result
 *
 * For clean-up: it never fails with -ECANCELED or -ETIMEDOUT, since the task that
 * it waits for has been told to end.
 *
 * Context, returns: otherwise as ouro_join().
 */
OURO_API OURO_TASK int ouro_cancel_join(ouro_task_id id, int *ret_result);

/*
 * ouro_wait_any - wait until at least one of several tasks has ended
 * @ids:       as ouro_join() takes them; one may occur twice
 * @ret_index: of one that has ended: the first in `ids` if several had when the call began,
 *             else the first to end
 *
 * It takes no result: ouro_join() of that task does, and returns at once. It allocates memory
 * for more than 16 tasks. An interrupted call leaves the tasks alone.
 *
 * Context: task, may suspend.
 * Returns: 0; -EINVAL when `count` is 0; the errors of ouro_join() when one of `ids` is not
 *          joinable, before anything is waited for; -ENOMEM; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_wait_any(const ouro_task_id *ids, size_t count, size_t *ret_index);

/*
 * ouro_wait_all - wait until each of several tasks has ended
 * @ids: as in ouro_wait_any()
 *
 * As ouro_wait_any(), but it never allocates. A task that somebody else joins meanwhile has
 * ended.
 *
 * Context: task, may suspend.
 * Returns: as ouro_wait_any(), without -ENOMEM.
 */
OURO_API OURO_TASK int ouro_wait_all(const ouro_task_id *ids, size_t count);

/*
 * ouro_cancel - ask a task to end
 *
 * From now on each waiting call of that task fails with -ECANCELED, the one that
 * it is in included, except those documented not to: the task can't miss it, and
 * is expected to clean up and return. A transfer that already happened is still
 * reported first.
 *
 * Context: loop thread. Cancelling the running task itself is allowed.
 * Returns: 0, also when it was cancelled before; -ESRCH when the task has ended.
 */
OURO_API int ouro_cancel(ouro_task_id id);

/*
 * ouro_cancel_because - the same, with a reason for reports and for the task itself
 * @reason: a constant string; of several cancellations the first one's stays
 *
 * Context, returns: as ouro_cancel().
 */
OURO_API int ouro_cancel_because(ouro_task_id id, const char *reason);

/*
 * ouro_cancel_reason - why the running task was cancelled
 *
 * What ouro_cancel_because() was given, or what the engine says: "SIGINT or SIGTERM", "another
 * member of its group failed", ... Members of a group have the reason of its owner, if that was
 * cancelled when they were.
 *
 * Context: task.
 * Returns: the reason; NULL when it was not cancelled.
 */
OURO_API const char *ouro_cancel_reason(void);

/* ouro_self - the running task's id; 0 outside a task. Context: any thread. */
OURO_API ouro_task_id ouro_self(void);

/*
 * ouro_yield - let the other runnable tasks run
 *
 * Context: task, may suspend.
 * Returns: 0; -ECANCELED, -ETIMEDOUT (then at once).
 */
OURO_API OURO_TASK int ouro_yield(void);

/*
 * ouro_checkpoint - let others run if tasks have computed for long
 *
 * For loops that compute: call it every some ten microseconds. It costs a reading of the
 * clock (24 ns), and yields when tasks have computed for 200 us since the loop last
 * looked at its ring and its timers. Calls that may wait but need not (a free lock, a full
 * channel) have a budget of their own: after 128 in a row they yield.
 *
 * Context: task, may suspend.
 * Returns: 0; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_checkpoint(void);

/*
 * ouro_no_suspend_begin, ouro_no_suspend_end - forbid suspending for a while
 *
 * For callbacks of libraries that must not be re-entered: in between, a call that would
 * suspend the task is a bug and ends the process. Pairs nest.
 *
 * Context: task.
 */
OURO_API void ouro_no_suspend_begin(void);
OURO_API void ouro_no_suspend_end(void);

/*
 * A group owns tasks: none of them outlives ouro_group_wait(). Members are not
 * joined one by one; a member that ends frees itself, so that an accept loop may
 * spawn into a group for ever.
 *
 * The first member that returns a negative code cancels the others, and its code
 * is the group's result; OURO_GROUP_INDEPENDENT switches that off.
 *
 * The struct lives in the caller's memory, usually on its stack. Its fields are
 * private. A task that ends with a group it never waited for is a bug and ends
 * the process.
 */
struct ouro_group {
    struct ouro_task *owner;
    struct ouro_group *outer; /* the next of the owner's groups not waited for yet */
    struct ouro_task *first;  /* members */
    void *wait;               /* the owner's, while it waits */
    int result;
    unsigned flags;
};

enum ouro_group_flags {
    OURO_GROUP_INDEPENDENT = 1 /* a member's error does not cancel the others */
};

/* ouro_group_init - an empty group with default behaviour. Context: task. */
OURO_API void ouro_group_init(struct ouro_group *group);

/* ouro_group_init_with - the same, with OURO_GROUP_* flags or-ed together */
OURO_API void ouro_group_init_with(struct ouro_group *group, unsigned flags);

/*
 * ouro_group_spawn, ouro_group_spawn_with - start a task in a group
 *
 * After the group was cancelled the new member starts out cancelled.
 *
 * Context: task: the owner or another task of its loop, as long as the owner has
 *          not seen ouro_group_wait() return.
 * Returns: 0; otherwise as ouro_spawn().
 */
#define ouro_group_spawn(group, fn, arg) ouro_group_spawn_with(group, fn, arg, NULL)
#define ouro_group_spawn_with(group, fn, arg, options) \
    ouro_group_spawn_at((group), (fn), (arg), (options), #fn, OURO_PLACE)
OURO_API int ouro_group_spawn_at(struct ouro_group *group, ouro_task_fn *fn, void *arg,
                                 const struct ouro_spawn_options *options, const char *name,
                                 const char *place);

/* ouro_group_cancel - cancel all members, present and future. Context: loop thread. */
OURO_API void ouro_group_cancel(struct ouro_group *group);

/*
 * ouro_group_wait - wait until the group is empty, and end it
 *
 * It never returns while a member lives: when the owner is cancelled or timed out
 * meanwhile, the members are cancelled and the wait goes on. The interruption itself
 * is not reported here but by the owner's next call (and by ouro_timeout_end()).
 *
 * Context: the owner task, may suspend.
 * Returns: the first error of a member, of those that did not merely end with
 *          -ECANCELED because they were cancelled; else 0.
 */
OURO_API OURO_TASK int ouro_group_wait(struct ouro_group *group);

OURO_END_DECLS

#endif /* OURO_TASK_H */
