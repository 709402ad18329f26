/* SPDX-License-Identifier: MIT */
/*
 * ouro_loop.h - running a loop: ouro_run and its options
 *
 * A loop is one ring, one dispatcher and one set of tasks, on one thread. It
 * lives as long as the main task. See ouro_task.h for what tasks can do.
 */
#ifndef OURO_LOOP_H
#define OURO_LOOP_H

#include <stdbool.h>

#include "ouro_base.h"
#include "ouro_coro.h"

OURO_BEGIN_DECLS

/* What a task runs; the result goes to whoever joins it. Errors are negative. */
typedef int ouro_task_fn(void *arg);

struct ouro_run_options {
    /*
     * Which ring, in the notation of the environment variable OURO_RING, which
     * wins over it: "uring[:kernel=X.Y]" or "sim[:seed=N,...]" (docs/ring.md).
     * NULL: the kernel's.
     */
    const char *ring;
    unsigned sq_entries;         /* submission queue, a power of two from 1 to 32768; 0: 512 */
    enum ouro_stack_class stack; /* of the main task */
    bool keep_sigpipe;           /* leave SIGPIPE's disposition alone; otherwise it is ignored */
    bool keep_signals;           /* leave SIGINT and SIGTERM alone; otherwise see ouro_run() */
};

/*
 * ouro_run - run `fn(arg)` as the main task of a new loop, until it and all others end
 * @options: NULL for defaults
 *
 * When the main task returns, the remaining tasks are cancelled and awaited. The
 * first SIGINT or SIGTERM cancels the main task, also where the signal was
 * inherited as ignored; a second one ends the process. Dispositions are restored
 * before ouro_run() returns. With OURO_STATS=1 in the environment the loop's
 * counters are printed to stderr in the end.
 *
 * When the loop cannot be set up, the reason and what to do about it are printed
 * to stderr. When all tasks sleep and nothing can wake one, the tasks are listed
 * there, and cancelled.
 *
 * Context: any thread that is not inside ouro_run() already; after fork() the
 *          child may call it afresh.
 * Returns: what `fn` returned; -EBUSY inside a loop; -EINVAL for bad options; OURO_ERING for a ring that
 *          does not exist; OURO_EDEADLOCK; -ENOMEM; -ENOSYS or -EPERM when the
 *          kernel, its io_uring_disabled sysctl or a seccomp filter refuses io_uring.
 */
OURO_API int ouro_run(ouro_task_fn *fn, void *arg, const struct ouro_run_options *options);

/*
 * ouro_now - the loop's clock, read afresh
 *
 * CLOCK_MONOTONIC; on the simulated ring a virtual clock that starts at 0 and
 * moves only when every task sleeps.
 *
 * Context: any thread; outside a loop it is CLOCK_MONOTONIC.
 */
OURO_API int64_t ouro_now(void);

/* Counters since the loop began. */
struct ouro_counters {
    uint64_t wakeups;      /* tasks resumed */
    uint64_t turns;        /* rounds of the loop */
    uint64_t system_calls; /* made by the engine: waits, submissions, never-blocking calls */
    uint64_t sqes;         /* entries handed to the ring */
    uint64_t cqes;         /* completions taken from it */
    uint64_t tasks_spawned;
    uint64_t tasks_live;
    uint64_t tasks_peak;
    uint64_t stack_bytes; /* stacks that hold memory, at their full size */
    uint64_t task_bytes;  /* control data of one task: its slot and its timer */
};

/*
 * ouro_stats - read the counters of this thread's loop
 *
 * Context: loop thread.
 * Returns: 0; -EINVAL outside a loop.
 */
OURO_API int ouro_stats(struct ouro_counters *ret_counters);

OURO_END_DECLS

#endif /* OURO_LOOP_H */
