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
     * wins over it: "uring[:mode=batch|sqpoll|auto,...]", short "batch", "sqpoll" or
     * "auto" (docs/modes.md), or "sim[:seed=N,...]" (docs/ring.md). NULL: the kernel's, in
     * batch mode. "auto" says on stderr which it picked.
     */
    const char *ring;
    unsigned sq_entries;         /* submission queue, a power of two from 1 to 32768; 0: 512 */
    enum ouro_stack_class stack; /* of the main task */
    bool keep_sigpipe;           /* leave SIGPIPE's disposition alone; otherwise it is ignored */
    bool keep_signals;           /* leave SIGINT and SIGTERM alone; otherwise see ouro_run() */
    bool dump_on_sigusr1;        /* SIGUSR1 lists all tasks on stderr; so does OURO_DUMP=1 */
    int64_t stall_limit;         /* ns; name a task on stderr that runs for so long without
                                    waiting; 0: off. OURO_STALL=50ms wins over it */
    int64_t spin_ns;             /* how long to look for the next completion before sleeping, while
                                    it is near as a rule, at most 1 ms; 0: 50 us; -1: never.
                                    OURO_SPIN=50us wins over it (docs/performance.md). In
                                    sqpoll mode idle=2ms of the ring says for how long, and
                                    only "never" counts here */
    unsigned shards;             /* loops, each on a thread of its own (ouro_shard.h); 0: one */
    unsigned buffer_count;       /* for leases (ouro_lease.h), a power of two up to 32768; 0: 256 */
    unsigned buffer_bytes;       /* of each, from 64 to 1048576; 0: 4096 */
    bool pin;                    /* each shard to a CPU of its own, as far as there are enough */
};

/*
 * ouro_run - run `fn(arg)` as the main task of a new loop, until it and all others end
 * @options: NULL for defaults
 *
 * When the main task returns, the remaining tasks are cancelled and awaited. The
 * first SIGINT or SIGTERM cancels the main task, also where the signal was
 * inherited as ignored; a second one ends the process. It counts from 200 ms after
 * the first on: sooner it is the first one told twice, as by timeout(1).
 * Dispositions are restored before ouro_run() returns; but after a first signal the
 * default is left to our handler, which does the same after those 200 ms. With OURO_STATS=1 in the environment the loop's
 * counters are printed to stderr in the end, for each shard.
 *
 * When the loop cannot be set up, the reason and what to do about it are printed
 * to stderr. When all tasks sleep and nothing can wake one, the tasks are listed
 * there, and cancelled.
 *
 * Context: any thread that is not inside ouro_run() already; after fork() the
 *          child may call it afresh.
 * Returns: what `fn` returned; with shards, the first negative code that any of them returned, else
 *          what shard 0's did; -EBUSY inside a loop; -EINVAL for bad options; OURO_ERING for a
 *          ring that does not exist, or a mode that can't be had; OURO_EDEADLOCK; -ENOMEM; -ENOSYS or -EPERM when the
 *          kernel, its io_uring_disabled sysctl or a seccomp filter refuses io_uring.
 */
OURO_API int ouro_run(ouro_task_fn *fn, void *arg, const struct ouro_run_options *options);

/*
 * ouro_stop - end the loop, or all shards: cancels their main tasks
 *
 * Context: loop thread.
 */
OURO_API void ouro_stop(void);

/*
 * A loop inside a foreign one: ouro_run() in steps. Wait for ouro_loop_fd() to be readable, at
 * most ouro_loop_next() long, then ouro_loop_turn(loop, 0):
 *
 *     while (running) {
 *         int64_t wait_ns = ouro_loop_next(loop);
 *
 *         poll(fds, count, wait_ns == OURO_FOREVER ? -1 : (wait_ns + 999999) / 1000000);
 *         ...                                      // the other descriptors
 *         running = ouro_loop_turn(loop, 0);
 *     }
 *     result = ouro_loop_destroy(loop);
 *
 * In the child of a fork the loop is not there: a call with it ends the child with a message.
 *
 * Between turns the foreign loop's code may spawn tasks, cancel them, and whatever else is for
 * "loop thread"; a turn then follows before the next wait. Set options.keep_signals unless
 * SIGINT and SIGTERM are to cancel the main task.
 */
struct ouro_loop;

/*
 * ouro_loop_create - make the thread's loop, with `fn(arg)` as its main task
 *
 * Nothing runs before the first turn.
 *
 * Context: any thread that has no loop.
 * Returns: 0 and the loop, owned, end it with ouro_loop_destroy(); otherwise as ouro_run(),
 *          also -EINVAL for options.shards above 1.
 */
OURO_API int ouro_loop_create(ouro_task_fn *fn, void *arg, const struct ouro_run_options *options,
                              struct ouro_loop **ret_loop);

/*
 * ouro_loop_turn - do what is to be done, and run the tasks that are runnable
 * @wait_ns: sleep up to so long when there is nothing; 0: return at once; OURO_FOREVER
 *
 * Context: the thread that made the loop, not from a task.
 * Returns: 1; 0 when all tasks have ended.
 */
OURO_API int ouro_loop_turn(struct ouro_loop *loop, int64_t wait_ns);

/*
 * ouro_loop_fd - a descriptor that is readable (POLLIN) when a turn has something to do
 *
 * Context: the loop's thread.
 * Returns: the fd, owned by the loop, fit only for poll(2), select(2) and epoll(7); -ENOSYS on
 *          the simulated ring.
 */
OURO_API int ouro_loop_fd(const struct ouro_loop *loop);

/*
 * ouro_loop_next - how long the next turn may wait, in nanoseconds
 *
 * Context: the loop's thread.
 * Returns: 0 when it has something to do; OURO_FOREVER when only the descriptor can tell.
 */
OURO_API int64_t ouro_loop_next(struct ouro_loop *loop);

/*
 * ouro_loop_destroy - cancel the main task if it has not ended, turn until all have, free the loop
 *
 * Context: the thread that made the loop, not from a task.
 * Returns: what the main task returned; OURO_EDEADLOCK.
 */
OURO_API int ouro_loop_destroy(struct ouro_loop *loop);

/*
 * ouro_now - the loop's clock, read afresh
 *
 * CLOCK_MONOTONIC; on the simulated ring a virtual clock that starts at 0 and
 * moves only when every task sleeps.
 *
 * Context: any thread; outside a loop it is CLOCK_MONOTONIC.
 */
OURO_API int64_t ouro_now(void);

/*
 * ouro_now_cached - the loop's clock, as the loop last read it
 *
 * At most a turn and a tick of the kernel (4 ms) ago: for time limits of seconds, which many
 * connections set many times, a fresh reading costs more than it is worth.
 *
 * Context: loop thread; outside a loop it is ouro_now().
 */
OURO_API int64_t ouro_now_cached(void);

/*
 * ouro_ring_name - which ring this thread's loop is on
 *
 * Context: loop thread.
 * Returns: "uring:mode=batch", "uring:mode=sqpoll" or "sim"; NULL outside a loop.
 */
OURO_API const char *ouro_ring_name(void);

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
