/* SPDX-License-Identifier: MIT */
/*
 * sync.c - what tasks of one loop wait for among themselves; see ouro_sync.h
 *
 * All objects work alike: a state that says whether the call may go on at once, and a queue
 * of those that may not. Whoever makes room changes the state on behalf of the oldest waiter
 * and takes it out of the queue, both before it runs; an interruption takes a waiter out
 * without anything else. So a wait has one end, whichever of the two comes first, and by the
 * time its task runs there is nothing left to compete for.
 *
 * Invariants
 *   1. A waiter that could be let in is let in: nobody waits for a free mutex, a semaphore with
 *      permits, a set event; nor at the head of a rwlock's queue that would have it.
 *   2. A waiter that was let in owns what it waited for, and returns its wait's result.
 *   3. What was let in does not touch the object again: that may be gone.
 *
 * Ownership is kept as a task's id: a pointer would take the next task in the same slot for
 * the owner that has ended.
 *
 * Read next: task.h for waits, park.c for interruptions.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "dispatcher.h"
#include "ouro_debug.h"
#include "ouro_sync.h"

/* --- queues ----------------------------------------------------------------------------- */

/*
 * A circle without a head, so that an object has one pointer, to the oldest, and an empty
 * queue is all zeros: static initialisers need not know the object's address.
 *
 *      object ──▶ oldest ⇄ ... ⇄ newest ⇄ (oldest)
 */
struct ouro_waiter {
    struct wait wait; /* its result: what the call returns once it is let in */
    struct ouro_waiter *next, *prev;
    struct ouro_waiter **queue; /* the object's pointer to the oldest */
    struct ouro_mutex *mutex;   /* a condition's waiter needs it to go on */
};

static void enter(struct ouro_waiter **queue, struct ouro_waiter *waiter)
{
    struct ouro_waiter *oldest = *queue;

    waiter->queue = queue;
    if (!oldest) {
        waiter->next = waiter->prev = waiter;
        *queue = waiter;
        return;
    }
    waiter->next = oldest;
    waiter->prev = oldest->prev;
    oldest->prev->next = waiter;
    oldest->prev = waiter;
}

static void leave(struct ouro_waiter *waiter)
{
    if (waiter->next == waiter) {
        *waiter->queue = NULL;
        return;
    }
    waiter->next->prev = waiter->prev;
    waiter->prev->next = waiter->next;
    if (*waiter->queue == waiter)
        *waiter->queue = waiter->next;
}

static ouro_task_id id_of(const struct ouro_waiter *waiter)
{
    return waiter->wait.task->slot.id;
}

/* Ends the wait: the object's state was changed on the waiter's behalf. */
static void let_in(struct ouro_waiter *waiter)
{
    leave(waiter);
    ouro__task_wake(&waiter->wait, waiter->wait.result);
}

static void interrupt_waiter(struct wait *wait, int code)
{
    leave(container_of(wait, struct ouro_waiter, wait));
    ouro__task_wake(wait, code);
}

/* ouro__task_interruption(), without a function call where there is no interruption. */
static inline int interruption(const struct ouro_task *self)
{
    return unlikely(self->flags & (TASK_CANCELLED | TASK_EXPIRED)) ? ouro__task_interruption() : 0;
}

static int park(struct ouro_waiter *waiter)
{
    return unlikely(ouro__task_park(&waiter->wait)) ? ouro__task_interruption() : 0;
}

/* Not inline: its frame is none of the business of calls that need not wait. */
static __attribute__((noinline)) int wait_in(struct ouro_waiter **queue,
                                             const struct wait_kind *kind, struct ouro_task *self)
{
    struct ouro_waiter waiter = {.wait = {.kind = kind, .task = self}};

    enter(queue, &waiter);
    return park(&waiter);
}

/* Who waits for a task that is gone would wait for ever, and nobody would know why. */
static void check_holder(ouro_task_id holder)
{
    const struct ouro_task *task = ouro__task_table_find(&ouro__dispatcher->tasks, holder);

    if (unlikely(!task || task->state == TASK_ENDED)) /* one that was not joined can be named */
        ouro_misuse("a task ended and left a mutex or rwlock locked", holder);
}

/* "mutex, held by ..." */
static int describe_held(const char *name, ouro_task_id holder, char *text, size_t text_bytes)
{
    const struct ouro_task *task = ouro__task_table_find(&ouro__dispatcher->tasks, holder);

    if (!task)
        return snprintf(text, text_bytes, "%s", name);
    return snprintf(text, text_bytes, "%s, held by \"%s\", id %lld", name, task->name,
                    (long long) holder);
}

/* --- mutex -------------------------------------------------------------------------------- */

static int describe_mutex(const struct wait *wait, char *text, size_t text_bytes);

static const struct wait_kind mutex_kind = {
    .name = "mutex", .interrupt = interrupt_waiter, .describe = describe_mutex};
static const struct wait_kind relock_kind = {.name = "mutex", .describe = describe_mutex};

static int describe_mutex(const struct wait *wait, char *text, size_t text_bytes)
{
    const struct ouro_waiter *waiter = container_of(wait, struct ouro_waiter, wait);

    return describe_held(wait->kind->name,
                         container_of(waiter->queue, struct ouro_mutex, waiters)->owner, text,
                         text_bytes);
}

void ouro_mutex_init(struct ouro_mutex *mutex)
{
    *mutex = (struct ouro_mutex) OURO_MUTEX_INIT;
}

static int wait_for_mutex(struct ouro_mutex *mutex, struct ouro_task *self)
{
    if (mutex->owner == self->slot.id)
        return -EDEADLK;
    check_holder(mutex->owner);
    return wait_in(&mutex->waiters, &mutex_kind, self);
}

int ouro_mutex_lock(struct ouro_mutex *mutex)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_mutex_lock() needs a task");
    int code = interruption(self);

    if (unlikely(code))
        return code;
    if (unlikely(mutex->owner))
        return wait_for_mutex(mutex, self);
    mutex->owner = self->slot.id;
    ouro__task_charge();
    return 0;
}

int ouro_mutex_trylock(struct ouro_mutex *mutex)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_mutex_trylock() needs a task");

    if (mutex->owner)
        return -EBUSY;
    mutex->owner = self->slot.id;
    return 0;
}

static void hand_over_mutex(struct ouro_mutex *mutex)
{
    struct ouro_waiter *oldest = mutex->waiters;

    if (likely(!oldest)) {
        mutex->owner = 0;
        return;
    }
    mutex->owner = id_of(oldest);
    let_in(oldest);
}

void ouro_mutex_unlock(struct ouro_mutex *mutex)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_mutex_unlock() needs a task");

    CHECK(mutex->owner == self->slot.id, "ouro_mutex_unlock() by a task that does not hold it");
    hand_over_mutex(mutex);
}

/* --- semaphore ------------------------------------------------------------------------------ */

static const struct wait_kind semaphore_kind = {.name = "semaphore", .interrupt = interrupt_waiter};

void ouro_semaphore_init(struct ouro_semaphore *semaphore, unsigned count)
{
    *semaphore = (struct ouro_semaphore) OURO_SEMAPHORE_INIT(count);
}

int ouro_semaphore_acquire(struct ouro_semaphore *semaphore)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_semaphore_acquire() needs a task");
    int code = interruption(self);

    if (unlikely(code))
        return code;
    if (unlikely(!semaphore->count))
        return wait_in(&semaphore->waiters, &semaphore_kind, self);
    semaphore->count--;
    ouro__task_charge();
    return 0;
}

int ouro_semaphore_try_acquire(struct ouro_semaphore *semaphore)
{
    if (!semaphore->count)
        return -EBUSY;
    semaphore->count--;
    return 0;
}

void ouro_semaphore_release(struct ouro_semaphore *semaphore, unsigned count)
{
    for (; count > 0 && semaphore->waiters; count--)
        let_in(semaphore->waiters);
    CHECK(count <= UINT_MAX - semaphore->count, "a semaphore with more than UINT_MAX permits");
    semaphore->count += count;
}

/* --- event ---------------------------------------------------------------------------------- */

static const struct wait_kind event_kind = {.name = "event", .interrupt = interrupt_waiter};

void ouro_event_init(struct ouro_event *event)
{
    *event = (struct ouro_event) OURO_EVENT_INIT;
}

int ouro_event_wait(struct ouro_event *event)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_event_wait() needs a task");
    int code = interruption(self);

    if (unlikely(code))
        return code;
    if (!event->is_set)
        return wait_in(&event->waiters, &event_kind, self);
    ouro__task_charge();
    return 0;
}

void ouro_event_set(struct ouro_event *event)
{
    event->is_set = true;
    while (event->waiters)
        let_in(event->waiters);
}

void ouro_event_clear(struct ouro_event *event)
{
    event->is_set = false;
}

bool ouro_event_is_set(const struct ouro_event *event)
{
    return event->is_set;
}

/* --- condition ------------------------------------------------------------------------------ */

/*
 * The end of such a wait, by a signal or by an interruption, only decides its result. Then
 * the waiter moves to the mutex's queue, where nothing can interrupt it, and its task wakes
 * once, as the owner: a broadcast to a thousand wakes one after the other.
 */
static void move_to_mutex(struct ouro_waiter *waiter, int result)
{
    struct ouro_mutex *mutex = waiter->mutex;

    leave(waiter);
    waiter->wait.kind = &relock_kind;
    waiter->wait.result = result;
    if (mutex->owner)
        check_holder(mutex->owner);
    enter(&mutex->waiters, waiter);
    if (!mutex->owner)
        hand_over_mutex(mutex);
}

static void interrupt_cond_waiter(struct wait *wait, int code)
{
    move_to_mutex(container_of(wait, struct ouro_waiter, wait), code);
}

static const struct wait_kind cond_kind = {.name = "condition", .interrupt = interrupt_cond_waiter};

void ouro_cond_init(struct ouro_cond *cond)
{
    *cond = (struct ouro_cond) OURO_COND_INIT;
}

int ouro_cond_wait(struct ouro_cond *cond, struct ouro_mutex *mutex)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_cond_wait() needs a task");
    struct ouro_waiter waiter = {.wait = {.kind = &cond_kind, .task = self}, .mutex = mutex};
    int code = interruption(self);

    CHECK(mutex->owner == self->slot.id, "ouro_cond_wait() by a task that does not hold the mutex");
    if (unlikely(code))
        return code;
    enter(&cond->waiters, &waiter);
    hand_over_mutex(mutex);
    return park(&waiter);
}

void ouro_cond_signal(struct ouro_cond *cond)
{
    if (cond->waiters)
        move_to_mutex(cond->waiters, 0);
}

void ouro_cond_broadcast(struct ouro_cond *cond)
{
    while (cond->waiters)
        move_to_mutex(cond->waiters, 0);
}

/* --- reader-writer lock --------------------------------------------------------------------- */

static void interrupt_rwlock_waiter(struct wait *wait, int code);
static int describe_rwlock(const struct wait *wait, char *text, size_t text_bytes);

static const struct wait_kind read_kind = {
    .name = "rwlock to read", .interrupt = interrupt_rwlock_waiter, .describe = describe_rwlock};
static const struct wait_kind write_kind = {
    .name = "rwlock to write", .interrupt = interrupt_rwlock_waiter, .describe = describe_rwlock};

static struct ouro_rwlock *rwlock_of(const struct wait *wait)
{
    const struct ouro_waiter *waiter = container_of(wait, struct ouro_waiter, wait);

    return container_of(waiter->queue, struct ouro_rwlock, waiters);
}

static int describe_rwlock(const struct wait *wait, char *text, size_t text_bytes)
{
    return describe_held(wait->kind->name, rwlock_of(wait)->writer, text, text_bytes);
}

void ouro_rwlock_init(struct ouro_rwlock *lock)
{
    *lock = (struct ouro_rwlock) OURO_RWLOCK_INIT;
}

/* Lets in who can be, from the oldest up to the first that can't. */
static void admit(struct ouro_rwlock *lock)
{
    struct ouro_waiter *oldest;

    while (!lock->writer && (oldest = lock->waiters)) {
        if (oldest->wait.kind == &read_kind) {
            lock->reader_count++;
        } else {
            if (lock->reader_count)
                break;
            lock->writer = id_of(oldest);
        }
        let_in(oldest);
    }
}

/* It may have held back those behind it. */
static void interrupt_rwlock_waiter(struct wait *wait, int code)
{
    interrupt_waiter(wait, code);
    admit(rwlock_of(wait));
}

static int wait_for_rwlock(struct ouro_rwlock *lock, const struct wait_kind *kind,
                           struct ouro_task *self)
{
    if (lock->writer == self->slot.id)
        return -EDEADLK;
    if (lock->writer)
        check_holder(lock->writer);
    return wait_in(&lock->waiters, kind, self);
}

static int try_to_read(struct ouro_rwlock *lock)
{
    if (lock->writer || lock->waiters)
        return -EBUSY;
    lock->reader_count++;
    return 0;
}

static int try_to_write(struct ouro_rwlock *lock, const struct ouro_task *self)
{
    if (lock->writer || lock->reader_count)
        return -EBUSY;
    lock->writer = self->slot.id;
    return 0;
}

int ouro_rwlock_tryrdlock(struct ouro_rwlock *lock)
{
    (void) ouro__dispatcher_task("ouro_rwlock_tryrdlock() needs a task");
    return try_to_read(lock);
}

int ouro_rwlock_trywrlock(struct ouro_rwlock *lock)
{
    return try_to_write(lock, ouro__dispatcher_task("ouro_rwlock_trywrlock() needs a task"));
}

int ouro_rwlock_rdlock(struct ouro_rwlock *lock)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_rwlock_rdlock() needs a task");
    int code = interruption(self);

    if (unlikely(code))
        return code;
    if (unlikely(try_to_read(lock)))
        return wait_for_rwlock(lock, &read_kind, self);
    ouro__task_charge();
    return 0;
}

int ouro_rwlock_wrlock(struct ouro_rwlock *lock)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_rwlock_wrlock() needs a task");
    int code = interruption(self);

    if (unlikely(code))
        return code;
    if (unlikely(try_to_write(lock, self)))
        return wait_for_rwlock(lock, &write_kind, self);
    ouro__task_charge();
    return 0;
}

void ouro_rwlock_unlock(struct ouro_rwlock *lock)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_rwlock_unlock() needs a task");

    if (lock->writer) {
        CHECK(lock->writer == self->slot.id,
              "ouro_rwlock_unlock() by a task that does not hold it");
        lock->writer = 0;
    } else {
        CHECK(lock->reader_count > 0, "ouro_rwlock_unlock() of a lock that nobody holds");
        lock->reader_count--;
    }
    admit(lock);
}
