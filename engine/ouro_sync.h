/* SPDX-License-Identifier: MIT */
/*
 * ouro_sync.h - locks, semaphores, events and conditions for the tasks of one loop
 *
 * Tasks of a loop share one thread and switch only inside calls marked OURO_TASK, so data
 * needs no lock between two such calls. These objects are for what goes on across them:
 *
 *     static struct ouro_mutex mutex = OURO_MUTEX_INIT;
 *
 *     code = ouro_mutex_lock(&mutex);
 *     if (code)
 *         return code;                     // cancelled or out of time: not locked
 *     code = ouro_send_all(fd, head, sizeof(head), NULL);
 *     if (!code)
 *         code = ouro_send_all(fd, body, body_len, NULL);
 *     ouro_mutex_unlock(&mutex);
 *
 * Every object embeds in the caller's memory, allocates nothing, makes no system call, and
 * is ready when its bytes are zero; nothing needs to be done at its end. It may go as soon as
 * nobody waits for it: a call that was let in does not touch it again.
 *
 * Who waits is served first come, first served, and by hand-over: whoever releases gives to
 * the oldest waiter, nobody gets in between, and nobody wakes in vain. What was handed over is
 * a result: an interruption that comes later fails the next call.
 *
 * An object belongs to one thread. Between threads send messages.
 */
#ifndef OURO_SYNC_H
#define OURO_SYNC_H

#include <stdbool.h>

#include "ouro_base.h"
#include "ouro_task.h"

OURO_BEGIN_DECLS

struct ouro_waiter; /* a waiting call; private, as are the fields of all objects here */

/* --- mutex ------------------------------------------------------------------------------- */

/*
 * At most one task holds it, until that task unlocks it. It is not recursive.
 *
 * A task that ends while it holds one is a bug; it ends the process when another task then
 * has to wait for the mutex.
 */
struct ouro_mutex {
    ouro_task_id owner;          /* 0: free */
    struct ouro_waiter *waiters; /* the oldest; NULL: none */
};

#define OURO_MUTEX_INIT {0, NULL}

/* ouro_mutex_init - the same at run time; nobody holds it. Context: any thread. */
OURO_API void ouro_mutex_init(struct ouro_mutex *mutex);

/*
 * ouro_mutex_lock - take the mutex, after all that wait for it already
 *
 * Context: task, may suspend.
 * Returns: 0; -EDEADLK when the caller holds it already; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_mutex_lock(struct ouro_mutex *mutex);

/*
 * ouro_mutex_trylock - take the mutex if it is free
 *
 * Context: task.
 * Returns: 0; -EBUSY when somebody holds it, the caller included.
 */
OURO_API int ouro_mutex_trylock(struct ouro_mutex *mutex);

/*
 * ouro_mutex_unlock - give the mutex to the task that has waited longest, if any
 *
 * Never fails: not to be the owner is a bug and ends the process.
 *
 * Context: task: the owner.
 */
OURO_API void ouro_mutex_unlock(struct ouro_mutex *mutex);

/* --- semaphore ----------------------------------------------------------------------------- */

/* A number of permits. Whoever releases one need not have acquired it. */
struct ouro_semaphore {
    unsigned count;
    struct ouro_waiter *waiters; /* the oldest; NULL: none, and always while count > 0 */
};

#define OURO_SEMAPHORE_INIT(count) {(count), NULL}

/* ouro_semaphore_init - a semaphore with `count` permits. Context: any thread. */
OURO_API void ouro_semaphore_init(struct ouro_semaphore *semaphore, unsigned count);

/*
 * ouro_semaphore_acquire - take one permit, after all that wait for one already
 *
 * Context: task, may suspend.
 * Returns: 0; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_semaphore_acquire(struct ouro_semaphore *semaphore);

/*
 * ouro_semaphore_try_acquire - take one permit if there is one
 *
 * Context: loop thread.
 * Returns: 0; -EBUSY.
 */
OURO_API int ouro_semaphore_try_acquire(struct ouro_semaphore *semaphore);

/*
 * ouro_semaphore_release - add `count` permits, and give them to those who wait
 *
 * More than UINT_MAX permits are a bug and end the process.
 *
 * Context: loop thread.
 */
OURO_API void ouro_semaphore_release(struct ouro_semaphore *semaphore, unsigned count);

/* --- event --------------------------------------------------------------------------------- */

/* Something that has happened or not. */
struct ouro_event {
    bool is_set;
    struct ouro_waiter *waiters; /* the oldest; NULL: none, and always while is_set */
};

#define OURO_EVENT_INIT {false, NULL}

/* ouro_event_init - an event that is not set. Context: any thread. */
OURO_API void ouro_event_init(struct ouro_event *event);

/*
 * ouro_event_wait - wait until the event is set; at once when it is
 *
 * A call that ouro_event_set() has ended returns 0, even if the event is cleared before its
 * task runs.
 *
 * Context: task, may suspend.
 * Returns: 0; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_event_wait(struct ouro_event *event);

/* ouro_event_set - set it and wake all that wait; it stays set. Context: loop thread. */
OURO_API void ouro_event_set(struct ouro_event *event);

/* ouro_event_clear - from now on calls wait again. Context: loop thread. */
OURO_API void ouro_event_clear(struct ouro_event *event);

/* ouro_event_is_set - whether it is. Context: loop thread. */
OURO_API bool ouro_event_is_set(const struct ouro_event *event);

/* --- condition ------------------------------------------------------------------------------ */

/* Waiting for a change of data that a mutex protects. */
struct ouro_cond {
    struct ouro_waiter *waiters; /* the oldest; NULL: none */
};

#define OURO_COND_INIT {NULL}

/* ouro_cond_init - a condition that nobody waits for. Context: any thread. */
OURO_API void ouro_cond_init(struct ouro_cond *cond);

/*
 * ouro_cond_wait - unlock `mutex`, wait for a signal, lock it again
 * @mutex: held by the caller, before and after, whatever the call returns
 *
 * Without a signal it never returns 0. Between the signal and the return others may hold
 * the mutex, so call it in a loop that looks at the data:
 *
 *     while (!code && !is_ready(data))
 *         code = ouro_cond_wait(&cond, &mutex);
 *
 * An interrupted call leaves the queue at once, and returns when it has the mutex again:
 * that part is never cut short. A signal that came before the interruption is the result.
 *
 * Context: task, may suspend.
 * Returns: 0; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_cond_wait(struct ouro_cond *cond, struct ouro_mutex *mutex);

/*
 * ouro_cond_signal - end the oldest wait; nothing happens when there is none
 *
 * Holding the mutex is usual, but not required.
 *
 * Context: loop thread.
 */
OURO_API void ouro_cond_signal(struct ouro_cond *cond);

/* ouro_cond_broadcast - end all waits. Context: loop thread. */
OURO_API void ouro_cond_broadcast(struct ouro_cond *cond);

/* --- reader-writer lock ---------------------------------------------------------------------- */

/*
 * One writer or any number of readers hold it. Who waits is let in by order of arrival,
 * readers that follow each other together; so a waiting writer holds back the readers that
 * come after it, and neither kind starves.
 *
 * It is not recursive: a task that holds it for reading and asks again may wait for ever,
 * when a writer waits in between. For a task that ends with it the same holds as for a mutex,
 * but readers are not known by name: who waits for one that has ended waits for ever.
 */
struct ouro_rwlock {
    ouro_task_id writer; /* 0: none */
    unsigned reader_count;
    struct ouro_waiter *waiters; /* the oldest; NULL: none */
};

#define OURO_RWLOCK_INIT {0, 0, NULL}

/* ouro_rwlock_init - a lock that nobody holds. Context: any thread. */
OURO_API void ouro_rwlock_init(struct ouro_rwlock *lock);

/*
 * ouro_rwlock_rdlock, ouro_rwlock_wrlock - take it for reading, for writing
 *
 * Context: task, may suspend.
 * Returns: 0; -EDEADLK when the caller holds it for writing; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_rwlock_rdlock(struct ouro_rwlock *lock);
OURO_API OURO_TASK int ouro_rwlock_wrlock(struct ouro_rwlock *lock);

/*
 * ouro_rwlock_tryrdlock, ouro_rwlock_trywrlock - take it if that needs no waiting
 *
 * Context: task.
 * Returns: 0; -EBUSY when the other call would wait, or when the caller holds it for writing.
 */
OURO_API int ouro_rwlock_tryrdlock(struct ouro_rwlock *lock);
OURO_API int ouro_rwlock_trywrlock(struct ouro_rwlock *lock);

/*
 * ouro_rwlock_unlock - give back what the caller holds, and let in who can be let in
 *
 * Never fails: not to hold it is a bug and ends the process, as far as it can be seen.
 *
 * Context: task: the writer, or a reader.
 */
OURO_API void ouro_rwlock_unlock(struct ouro_rwlock *lock);

OURO_END_DECLS

#endif /* OURO_SYNC_H */
