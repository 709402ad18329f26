/* SPDX-License-Identifier: MIT */
/*
 * watchdog.h - naming the task that keeps a loop's thread to itself
 *
 * A task that computes, or calls something that blocks, holds up all others of its loop.
 * One thread per process looks at the loops that want it twice per limit. When one has
 * been in the same task for the whole of its limit, it sends the loop's thread a signal,
 * whose handler writes the task and its backtrace to stderr; when the task has let go, the
 * thread writes for how long that took.
 *
 * The signal is SIGRTMAX-2, or the first below it that has no handler yet.
 */
#ifndef OURO_WATCHDOG_H
#define OURO_WATCHDOG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "list.h"

struct dispatcher;

/* A loop that is looked at. The watchdog's thread touches it under its lock only. */
struct stall_watch {
    struct list link;
    struct dispatcher *dispatcher;
    pthread_t thread;      /* the loop's */
    int64_t limit;         /* 0: it is not watched */
    uint64_t wakeup_count; /* when it was looked at last */
    int64_t busy_since;    /* when that count was seen first; 0: no task ran */
    bool is_reported;
    void *alternate_stack; /* NULL: the thread had one */

    /* Between the watchdog's thread and the handler, which runs on the loop's. */
    _Atomic uint64_t suspect;     /* the wakeup_count whose task is to be named; 0: none */
    _Atomic int64_t suspect_time; /* for how long it has been running */
    atomic_bool is_named;         /* `name` is that task's */
    char name[64];
};

/*
 * Has this thread's loop watched from now on; `limit` in nanoseconds, at least a millisecond
 * counts, 0 watches nothing. To be called after ouro__overflow_watch(), and undone before it
 * is. Returns 0, or a -errno that says why there is no thread.
 */
int ouro__watchdog_watch(struct stall_watch *self, struct dispatcher *dispatcher, int64_t limit);
void ouro__watchdog_unwatch(struct stall_watch *self);

/* "50ms", "200us", "2s", or "0" for no limit. Returns 0 or -EINVAL. */
int ouro__watchdog_parse(const char *text, int64_t *ret_limit);

#endif /* OURO_WATCHDOG_H */
