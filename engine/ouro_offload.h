/* SPDX-License-Identifier: MIT */
/*
 * ouro_offload.h - calls that block, on threads made for that
 *
 * A call that blocks holds up all tasks of its loop. What the ring can't do (long computing,
 * libraries that do I/O of their own, getaddrinfo(3)) runs on one of a few threads that all
 * loops of the process share, while the task waits. docs/blocking.md says what blocks.
 */
#ifndef OURO_OFFLOAD_H
#define OURO_OFFLOAD_H

#include "ouro_base.h"

OURO_BEGIN_DECLS

/* Runs on another thread: may use neither the loop nor its tasks; ouro_post() is allowed. */
typedef int ouro_offload_fn(void *arg);

#define OURO_OFFLOAD_THREADS_MAX 1024

/*
 * ouro_offload - run `fn(arg)` on another thread, and wait for its end
 * @arg:        whatever it points to is the thread's until the call returns; the task's stack
 *              will do, as the call does not return while a thread may touch it
 * @ret_result: what `fn` returned; may be NULL
 *
 * Jobs of all loops begin in the order in which they came. A function that has begun can't be
 * stopped: an interrupted call waits for its end and reports its result, and the interruption
 * fails the next call. So a time limit does not shorten a job that has begun. One that has not begun is never run then.
 *
 * Signals are blocked in those threads, except those that say that a thread went wrong. In the
 * child of a fork() inside `fn` there is no pool and no loop: it must exec or _exit().
 *
 * On the simulated ring `fn` runs on the loop's own thread, between tasks: what happens when
 * is the seed's to decide.
 *
 * Context: task, may suspend.
 * Returns: 0 when `fn` has run; -EAGAIN when there is no thread and none could be started;
 *          -ECANCELED, -ETIMEDOUT: it was not run.
 */
OURO_API OURO_TASK int ouro_offload(ouro_offload_fn *fn, void *arg, int *ret_result);

/*
 * ouro_offload_set_threads - how many jobs of the process may run at once
 * @count: up to OURO_OFFLOAD_THREADS_MAX; 0: the default, two per CPU that the process may use,
 *         at most 8
 *
 * The environment variable OURO_OFFLOAD_THREADS wins over it. Threads are started as jobs come,
 * and end when they had nothing to do for ten seconds, or with the last loop that used them.
 *
 * Context: any thread. Of the threads that are too many each ends after its present job.
 * Returns: 0; -EINVAL for too large a number.
 */
OURO_API int ouro_offload_set_threads(unsigned count);

OURO_END_DECLS

#endif /* OURO_OFFLOAD_H */
