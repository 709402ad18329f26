/* SPDX-License-Identifier: MIT */
/*
 * sync_test.c - tests of engine/sync.c: mutex, semaphore, event, condition, rwlock
 */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#include "dispatcher.h"
#include "loop.h"

#define MS OURO_MILLISECOND

/* Lets all that are runnable run until each waits or has ended. */
static void settle(void)
{
    for (int i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
}

/* One object of each kind, and whoever uses them. */
struct objects {
    struct ouro_mutex mutex;
    struct ouro_semaphore semaphore;
    struct ouro_event event;
    struct ouro_cond cond;
    struct ouro_rwlock rwlock;
    struct log log;
};

static bool are_free(const struct objects *objects)
{
    return !objects->mutex.owner && !objects->mutex.waiters && !objects->semaphore.waiters &&
           !objects->event.waiters && !objects->cond.waiters && !objects->rwlock.writer &&
           !objects->rwlock.reader_count && !objects->rwlock.waiters;
}

/* A task with a letter, for logs. */
struct actor {
    struct objects *objects;
    const char *name;
    ouro_task_id id;
};

/* Starts a task for each letter of `names`; "A" before "B". */
static void start(struct ouro_group *group, ouro_task_fn *fn, struct objects *objects,
                  const char *names)
{
    struct ouro_spawn_options options = {.arg_bytes = sizeof(struct actor)};

    for (; *names; names++) {
        struct actor actor = {objects, names, 0};

        CU_ASSERT_EQUAL(ouro_group_spawn_with(group, fn, &actor, &options), 0);
    }
}

static void note(const struct actor *actor, const char *after)
{
    const char text[] = {actor->name[0], '\0'};

    log_add(&actor->objects->log, text);
    log_add(&actor->objects->log, after);
}

/* --- before they are used -------------------------------------------------------------------- */

static void test_zeros_initialisers_and_init_functions_agree(void)
{
    static const struct objects zeros;
    struct objects fresh;

    CU_ASSERT(are_free(&zeros));
    memset(&fresh, 0xa5, sizeof(fresh));
    fresh.mutex = (struct ouro_mutex) OURO_MUTEX_INIT;
    fresh.semaphore = (struct ouro_semaphore) OURO_SEMAPHORE_INIT(3);
    fresh.event = (struct ouro_event) OURO_EVENT_INIT;
    fresh.cond = (struct ouro_cond) OURO_COND_INIT;
    fresh.rwlock = (struct ouro_rwlock) OURO_RWLOCK_INIT;
    CU_ASSERT(are_free(&fresh));
    CU_ASSERT_EQUAL(fresh.semaphore.count, 3);
    CU_ASSERT(!ouro_event_is_set(&fresh.event));
    memset(&fresh, 0xa5, sizeof(fresh));
    ouro_mutex_init(&fresh.mutex);
    ouro_semaphore_init(&fresh.semaphore, 7);
    ouro_event_init(&fresh.event);
    ouro_cond_init(&fresh.cond);
    ouro_rwlock_init(&fresh.rwlock);
    CU_ASSERT(are_free(&fresh));
    CU_ASSERT_EQUAL(fresh.semaphore.count, 7);
    CU_ASSERT(!ouro_event_is_set(&fresh.event));
}

/* --- interruptions: every waiting call, every order ------------------------------------------ */

/*
 * A waiting call as the races below see it. `give` lets one call in, or all; a call that was
 * let in has something to `pass` on, so that the next gets in.
 */
struct call {
    const char *name;
    void (*prepare)(struct objects *objects);
    int (*wait)(struct objects *objects);
    void (*give)(struct objects *objects);
    void (*pass)(struct objects *objects);
    bool (*may_go_on)(struct objects *objects); /* whether a new call would not have waited */
};

static void hold_mutex(struct objects *objects)
{
    CU_ASSERT_EQUAL(ouro_mutex_lock(&objects->mutex), 0);
}

static int lock_mutex(struct objects *objects)
{
    return ouro_mutex_lock(&objects->mutex);
}

static void unlock_mutex(struct objects *objects)
{
    ouro_mutex_unlock(&objects->mutex);
}

static bool mutex_is_free(struct objects *objects)
{
    if (ouro_mutex_trylock(&objects->mutex))
        return false;
    ouro_mutex_unlock(&objects->mutex);
    return true;
}

static void prepare_nothing(struct objects *objects)
{
    (void) objects;
}

static int acquire_semaphore(struct objects *objects)
{
    return ouro_semaphore_acquire(&objects->semaphore);
}

static void release_semaphore(struct objects *objects)
{
    ouro_semaphore_release(&objects->semaphore, 1);
}

static bool semaphore_has_one(struct objects *objects)
{
    if (ouro_semaphore_try_acquire(&objects->semaphore))
        return false;
    ouro_semaphore_release(&objects->semaphore, 1);
    return objects->semaphore.count == 1;
}

static int wait_for_event(struct objects *objects)
{
    return ouro_event_wait(&objects->event);
}

static void set_event(struct objects *objects)
{
    ouro_event_set(&objects->event);
}

static bool event_is_set(struct objects *objects)
{
    return ouro_event_is_set(&objects->event);
}

/* As a call of its own it also locks and unlocks; the wait itself always returns as the owner. */
static int wait_for_signal(struct objects *objects)
{
    int code = ouro_mutex_lock(&objects->mutex);

    if (code)
        return code;
    code = ouro_cond_wait(&objects->cond, &objects->mutex);
    CU_ASSERT_EQUAL(objects->mutex.owner, ouro_self());
    ouro_mutex_unlock(&objects->mutex);
    return code;
}

static void signal_cond(struct objects *objects)
{
    ouro_cond_signal(&objects->cond);
}

static bool nobody_waits(struct objects *objects)
{
    return mutex_is_free(objects) && !objects->cond.waiters;
}

static void hold_for_writing(struct objects *objects)
{
    CU_ASSERT_EQUAL(ouro_rwlock_wrlock(&objects->rwlock), 0);
}

static void hold_for_reading(struct objects *objects)
{
    CU_ASSERT_EQUAL(ouro_rwlock_rdlock(&objects->rwlock), 0);
}

static int lock_for_reading(struct objects *objects)
{
    return ouro_rwlock_rdlock(&objects->rwlock);
}

static int lock_for_writing(struct objects *objects)
{
    return ouro_rwlock_wrlock(&objects->rwlock);
}

static void unlock_rwlock(struct objects *objects)
{
    ouro_rwlock_unlock(&objects->rwlock);
}

static bool rwlock_is_free(struct objects *objects)
{
    if (ouro_rwlock_trywrlock(&objects->rwlock))
        return false;
    ouro_rwlock_unlock(&objects->rwlock);
    return true;
}

static const struct call calls[] = {
    {"mutex", hold_mutex, lock_mutex, unlock_mutex, unlock_mutex, mutex_is_free},
    {"semaphore", prepare_nothing, acquire_semaphore, release_semaphore, release_semaphore,
     semaphore_has_one},
    {"event", prepare_nothing, wait_for_event, set_event, prepare_nothing, event_is_set},
    {"condition", prepare_nothing, wait_for_signal, signal_cond, signal_cond, nobody_waits},
    {"rwlock, read", hold_for_writing, lock_for_reading, unlock_rwlock, unlock_rwlock,
     rwlock_is_free},
    {"rwlock, write", hold_for_reading, lock_for_writing, unlock_rwlock, unlock_rwlock,
     rwlock_is_free},
};

/* What happens to the first of two tasks that wait, and in which order. */
enum race {
    CANCEL_BEFORE,      /* it never begins to wait */
    CANCEL_LONG_BEFORE, /* of the give: both wait, one is cancelled and ends */
    CANCEL_THEN_GIVE,   /* with no switch in between */
    GIVE_THEN_CANCEL,   /* likewise */
    NO_CANCEL,
    LIMIT_OF_ZERO,
    LIMIT_BEFORE_GIVE,
    LIMIT_WITH_GIVE, /* both in one turn */
    LIMIT_AFTER_GIVE,
    RACES
};

static const int expected_codes[RACES] = {
    [CANCEL_BEFORE] = -ECANCELED,     [CANCEL_LONG_BEFORE] = -ECANCELED,
    [CANCEL_THEN_GIVE] = -ECANCELED,  [LIMIT_OF_ZERO] = -ETIMEDOUT,
    [LIMIT_BEFORE_GIVE] = -ETIMEDOUT, [LIMIT_WITH_GIVE] = -ETIMEDOUT,
};

struct contest {
    const struct call *call;
    enum race race;
    struct objects objects;
    int codes[2]; /* of the two waiters; 1: not yet */
};

static bool has_limit(enum race race)
{
    return race >= LIMIT_OF_ZERO;
}

static int contend_first(void *arg)
{
    struct contest *contest = arg;
    struct ouro_timeout limit;
    bool was_interrupted = expected_codes[contest->race] != 0;

    if (has_limit(contest->race))
        ouro_timeout_begin(&limit, contest->race == LIMIT_OF_ZERO ? 0 : 2 * MS);
    contest->codes[0] = contest->call->wait(&contest->objects);
    if (!contest->codes[0])
        contest->call->pass(&contest->objects);
    if (has_limit(contest->race))
        CU_ASSERT_EQUAL(ouro_timeout_end(&limit), was_interrupted ? -ETIMEDOUT : 0);
    /* An interruption is a level: what was let in fails in its next call. */
    CU_ASSERT_EQUAL(ouro_yield(), contest->race <= GIVE_THEN_CANCEL ? -ECANCELED : 0);
    return 0;
}

static int contend_second(void *arg)
{
    struct contest *contest = arg;

    contest->codes[1] = contest->call->wait(&contest->objects);
    if (!contest->codes[1])
        contest->call->pass(&contest->objects);
    return 0;
}

static int hold_contest(void *arg)
{
    static const int64_t give_times[RACES] = {
        [LIMIT_BEFORE_GIVE] = 3 * MS, [LIMIT_WITH_GIVE] = 2 * MS, [LIMIT_AFTER_GIVE] = 1 * MS};
    struct contest *contest = arg;
    ouro_task_id first, second;

    contest->call->prepare(&contest->objects);
    first = ouro_spawn(contend_first, contest);
    second = ouro_spawn(contend_second, contest);
    if (contest->race == CANCEL_BEFORE)
        CU_ASSERT_EQUAL(ouro_cancel(first), 0);
    settle();
    CU_ASSERT_EQUAL(contest->codes[1], 1);
    if (contest->race == CANCEL_LONG_BEFORE || contest->race == CANCEL_THEN_GIVE)
        CU_ASSERT_EQUAL(ouro_cancel(first), 0);
    if (contest->race == CANCEL_LONG_BEFORE) {
        settle();
        CU_ASSERT_EQUAL(contest->codes[0], -ECANCELED);
        CU_ASSERT_EQUAL(contest->codes[1], 1);
    }
    if (give_times[contest->race])
        CU_ASSERT_EQUAL(ouro_sleep_until(give_times[contest->race]), 0);
    contest->call->give(&contest->objects);
    if (contest->race == GIVE_THEN_CANCEL)
        CU_ASSERT_EQUAL(ouro_cancel(first), 0);
    CU_ASSERT_EQUAL(ouro_join(first, NULL), 0);
    CU_ASSERT_EQUAL(ouro_join(second, NULL), 0);
    CU_ASSERT(contest->call->may_go_on(&contest->objects));
    CU_ASSERT(are_free(&contest->objects));
    return 0;
}

/*
 * Two tasks wait, something is given, and the first is interrupted. Either it is let in and
 * the interruption fails its next call, or what was given goes to the second.
 */
static void test_interruption_never_loses_what_was_given(void)
{
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        for (int race = 0; race < RACES; race++) {
            struct contest contest = {.call = &calls[i], .race = (enum race) race, .codes = {1, 1}};
            int code = run_sim(hold_contest, &contest);

            if (code || contest.codes[0] != expected_codes[race] || contest.codes[1])
                printf("    %s, race %d: code %d, results %d and %d\n", contest.call->name, race,
                       code, contest.codes[0], contest.codes[1]);
            CU_ASSERT_EQUAL(code, 0);
            CU_ASSERT_EQUAL(contest.codes[0], expected_codes[race]);
            CU_ASSERT_EQUAL(contest.codes[1], 0);
        }
}

/* --- fairness towards the rest of the loop --------------------------------------------------- */

struct spinner {
    const struct call *call;
    struct objects objects;
    bool stop;
    int code; /* of the call that ended it */
};

static int spin(void *arg)
{
    struct spinner *spinner = arg;

    while (!spinner->stop && !spinner->code) {
        spinner->code = spinner->call->wait(&spinner->objects);
        if (!spinner->code)
            spinner->call->pass(&spinner->objects);
    }
    return 0;
}

static int watch_spinner(void *arg)
{
    struct spinner *spinner = arg;
    ouro_task_id id;

    spinner->stop = false;
    if (!spinner->call->may_go_on(&spinner->objects))
        spinner->call->give(&spinner->objects);
    id = ouro_spawn(spin, spinner);
    settle();
    spinner->stop = true;
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(spinner->code, 0);

    /* Cancelled while it gave way inside a call that had succeeded. */
    spinner->stop = false;
    id = ouro_spawn(spin, spinner);
    settle();
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(spinner->code, -ECANCELED);
    CU_ASSERT(spinner->call->may_go_on(&spinner->objects));
    return 0;
}

static void test_calls_that_need_not_wait_starve_nobody(void)
{
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct spinner spinner = {.call = &calls[i]};

        if (calls[i].wait == wait_for_signal) /* which always waits */
            continue;
        CU_ASSERT_EQUAL(run_sim(watch_spinner, &spinner), 0);
    }
}

/* --- mutex ------------------------------------------------------------------------------------ */

static int hold_and_note(void *arg)
{
    struct actor *actor = arg;

    CU_ASSERT_EQUAL(ouro_mutex_lock(&actor->objects->mutex), 0);
    note(actor, "(");
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    log_add(&actor->objects->log, ")");
    ouro_mutex_unlock(&actor->objects->mutex);
    return 0;
}

static int queue_for_mutex(void *arg)
{
    struct objects objects = {.log = {.len = 0}};
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_mutex_lock(&objects.mutex), 0);
    start(&group, hold_and_note, &objects, "ABCD");
    settle();
    ouro_mutex_unlock(&objects.mutex);
    CU_ASSERT_EQUAL(ouro_mutex_trylock(&objects.mutex), -EBUSY); /* it is A's, who has not run */
    CU_ASSERT_EQUAL(ouro_mutex_lock(&objects.mutex), 0);
    log_add(&objects.log, " me");
    ouro_mutex_unlock(&objects.mutex);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT(are_free(&objects));
    CU_ASSERT_STRING_EQUAL(objects.log.text, "A()B()C()D() me");
    return 0;
}

static void test_mutex_is_handed_to_the_longest_waiter(void)
{
    run_on_each_ring(queue_for_mutex, NULL);
}

static int count_wakeups(void *arg)
{
    struct objects objects = {.log = {.len = 0}};
    struct ouro_counters before, after;
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_mutex_lock(&objects.mutex), 0);
    start(&group, hold_and_note, &objects, "ABCDEFGH");
    settle();
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    ouro_mutex_unlock(&objects.mutex);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(after.wakeups - before.wakeups, 8 * 3 + 1); /* lock, yield, sleep; and me */
    CU_ASSERT_EQUAL(after.sqes, 0);
    return 0;
}

static void test_nobody_wakes_in_vain(void)
{
    CU_ASSERT_EQUAL(run_sim(count_wakeups, NULL), 0);
}

static int lock_twice(void *arg)
{
    struct objects objects = {.log = {.len = 0}};

    (void) arg;
    CU_ASSERT_EQUAL(ouro_mutex_trylock(&objects.mutex), 0);
    CU_ASSERT_EQUAL(ouro_mutex_trylock(&objects.mutex), -EBUSY);
    CU_ASSERT_EQUAL(ouro_mutex_lock(&objects.mutex), -EDEADLK);
    CU_ASSERT_EQUAL(objects.mutex.owner, ouro_self());
    ouro_mutex_unlock(&objects.mutex);

    CU_ASSERT_EQUAL(ouro_rwlock_wrlock(&objects.rwlock), 0);
    CU_ASSERT_EQUAL(ouro_rwlock_wrlock(&objects.rwlock), -EDEADLK);
    CU_ASSERT_EQUAL(ouro_rwlock_rdlock(&objects.rwlock), -EDEADLK);
    CU_ASSERT_EQUAL(ouro_rwlock_trywrlock(&objects.rwlock), -EBUSY);
    CU_ASSERT_EQUAL(ouro_rwlock_tryrdlock(&objects.rwlock), -EBUSY);
    ouro_rwlock_unlock(&objects.rwlock);
    CU_ASSERT(are_free(&objects));
    return 0;
}

static void test_locking_twice_is_refused(void)
{
    CU_ASSERT_EQUAL(run_sim(lock_twice, NULL), 0);
}

/* --- semaphore -------------------------------------------------------------------------------- */

static int acquire_and_note(void *arg)
{
    struct actor *actor = arg;

    CU_ASSERT_EQUAL(ouro_semaphore_acquire(&actor->objects->semaphore), 0);
    note(actor, "");
    return 0;
}

static int release_several(void *arg)
{
    struct objects objects = {.semaphore = OURO_SEMAPHORE_INIT(2)};
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    start(&group, acquire_and_note, &objects, "ABCDEF");
    settle();
    CU_ASSERT_STRING_EQUAL(objects.log.text, "AB");
    CU_ASSERT_EQUAL(ouro_semaphore_try_acquire(&objects.semaphore), -EBUSY);
    ouro_semaphore_release(&objects.semaphore, 0);
    ouro_semaphore_release(&objects.semaphore, 1);
    CU_ASSERT_EQUAL(ouro_semaphore_try_acquire(&objects.semaphore), -EBUSY); /* it is C's */
    settle();
    CU_ASSERT_STRING_EQUAL(objects.log.text, "ABC");
    ouro_semaphore_release(&objects.semaphore, 5); /* three wait */
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_STRING_EQUAL(objects.log.text, "ABCDEF");
    CU_ASSERT_EQUAL(ouro_semaphore_try_acquire(&objects.semaphore), 0);
    CU_ASSERT_EQUAL(ouro_semaphore_acquire(&objects.semaphore), 0);
    CU_ASSERT_EQUAL(ouro_semaphore_try_acquire(&objects.semaphore), -EBUSY);
    ouro_semaphore_release(&objects.semaphore, UINT_MAX); /* as many as there can be */
    CU_ASSERT_EQUAL(objects.semaphore.count, UINT_MAX);
    return 0;
}

static void test_permits_go_to_waiters_first_and_the_rest_is_kept(void)
{
    run_on_each_ring(release_several, NULL);
}

/* --- event ------------------------------------------------------------------------------------ */

static int wait_and_note(void *arg)
{
    struct actor *actor = arg;

    CU_ASSERT_EQUAL(ouro_event_wait(&actor->objects->event), 0);
    note(actor, "");
    return 0;
}

static int set_and_clear(void *arg)
{
    struct objects objects = {.log = {.len = 0}};
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    start(&group, wait_and_note, &objects, "AB");
    settle();
    CU_ASSERT_STRING_EQUAL(objects.log.text, "");
    ouro_event_set(&objects.event);
    settle();
    CU_ASSERT_STRING_EQUAL(objects.log.text, "AB");
    ouro_event_set(&objects.event);
    CU_ASSERT(ouro_event_is_set(&objects.event));
    CU_ASSERT_EQUAL(ouro_event_wait(&objects.event), 0);
    start(&group, wait_and_note, &objects, "C");
    settle();
    CU_ASSERT_STRING_EQUAL(objects.log.text, "ABC");
    ouro_event_clear(&objects.event);
    CU_ASSERT(!ouro_event_is_set(&objects.event));
    start(&group, wait_and_note, &objects, "D");
    settle();
    ouro_event_set(&objects.event); /* D's wait has ended, ... */
    ouro_event_clear(&objects.event);
    start(&group, wait_and_note, &objects, "E"); /* ... E's begins after it */
    settle();
    CU_ASSERT_STRING_EQUAL(objects.log.text, "ABCD");
    ouro_event_set(&objects.event);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_STRING_EQUAL(objects.log.text, "ABCDE");
    return 0;
}

static void test_event_wakes_all_and_stays_set_until_it_is_cleared(void)
{
    run_on_each_ring(set_and_clear, NULL);
}

static int use_up(void *arg)
{
    struct contest *contest = arg;

    contest->codes[1] = contest->call->wait(&contest->objects);
    return 0;
}

/* The memory of an object whose last waiter was let in, or left, is the caller's again. */
static int free_under_waiters(void *arg)
{
    (void) arg;
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        for (int cancel = 0; cancel < 2; cancel++) {
            struct contest *contest = calloc(1, sizeof(*contest));
            ouro_task_id id;

            contest->call = &calls[i];
            contest->call->prepare(&contest->objects);
            id = ouro_spawn(use_up, contest);
            settle();
            if (!cancel)
                contest->call->give(&contest->objects);
            CU_ASSERT_EQUAL(cancel ? ouro_cancel(id) : 0, 0);
            memset(&contest->objects.semaphore, 0x5a, sizeof(contest->objects.semaphore));
            memset(&contest->objects.event, 0x5a, sizeof(contest->objects.event));
            memset(&contest->objects.cond, 0x5a, sizeof(contest->objects.cond));
            memset(&contest->objects.rwlock, 0x5a, sizeof(contest->objects.rwlock));
            if (calls[i].wait != wait_for_signal) /* which goes on to unlock the mutex */
                memset(&contest->objects.mutex, 0x5a, sizeof(contest->objects.mutex));
            CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
            CU_ASSERT_EQUAL(contest->codes[1], cancel ? -ECANCELED : 0);
            CU_ASSERT_EQUAL(*(unsigned char *) &contest->objects.rwlock, 0x5a);
            free(contest);
        }
    return 0;
}

static void test_object_may_go_when_nobody_waits_for_it(void)
{
    CU_ASSERT_EQUAL(run_sim(free_under_waiters, NULL), 0);
}

/* --- condition -------------------------------------------------------------------------------- */

static int wait_hold_and_note(void *arg)
{
    struct actor *actor = arg;
    struct objects *objects = actor->objects;
    int code;

    CU_ASSERT_EQUAL(ouro_mutex_lock(&objects->mutex), 0);
    code = ouro_cond_wait(&objects->cond, &objects->mutex);
    CU_ASSERT_EQUAL(objects->mutex.owner, ouro_self());
    note(actor, code == -ECANCELED ? "cancelled " : code == -ETIMEDOUT ? "late " : "( ");
    (void) ouro_yield();
    note(actor, ") ");
    ouro_mutex_unlock(&objects->mutex);
    return 0;
}

static int signal_some(void *arg)
{
    struct objects objects = {.log = {.len = 0}};
    struct ouro_counters before, after;
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    ouro_cond_signal(&objects.cond); /* nobody waits: it is not remembered */
    ouro_cond_broadcast(&objects.cond);
    start(&group, wait_hold_and_note, &objects, "ABCDE");
    settle();
    CU_ASSERT_STRING_EQUAL(objects.log.text, "");
    CU_ASSERT(mutex_is_free(&objects));
    ouro_cond_signal(&objects.cond);
    settle();
    CU_ASSERT_STRING_EQUAL(objects.log.text, "A( A) ");
    objects.log.len = 0;
    CU_ASSERT_EQUAL(ouro_mutex_lock(&objects.mutex), 0);
    ouro_cond_signal(&objects.cond);
    settle();
    CU_ASSERT_EQUAL(objects.log.len, 0); /* the mutex is mine */
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    ouro_cond_broadcast(&objects.cond);
    ouro_mutex_unlock(&objects.mutex);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(after.wakeups - before.wakeups, 4 * 2 + 1); /* wait, yield; and me */
    CU_ASSERT_STRING_EQUAL(objects.log.text, "B( B) C( C) D( D) E( E) ");
    CU_ASSERT(are_free(&objects));
    return 0;
}

static void test_signal_wakes_the_oldest_and_broadcast_one_after_the_other(void)
{
    run_on_each_ring(signal_some, NULL);
}

static int wait_within_limit(void *arg)
{
    struct actor *actor = arg;
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin(&limit, MS);
    code = wait_hold_and_note(actor);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_now(), 3 * MS); /* when it got the mutex */
    return code;
}

static int interrupt_cond_waits(void *arg)
{
    struct objects objects = {.log = {.len = 0}};
    struct actor actors[] = {{&objects, "A", 0}, {&objects, "B", 0}, {&objects, "C", 0}};
    struct actor late = {&objects, "L", 0};
    ouro_task_id late_id;

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(actors); i++)
        actors[i].id = ouro_spawn(wait_hold_and_note, &actors[i]);
    late_id = ouro_spawn(wait_within_limit, &late);
    settle();
    CU_ASSERT_EQUAL(ouro_mutex_lock(&objects.mutex), 0);
    CU_ASSERT_EQUAL(ouro_cancel(actors[0].id), 0);
    ouro_cond_signal(&objects.cond);               /* B's: A has left the queue */
    CU_ASSERT_EQUAL(ouro_cancel(actors[1].id), 0); /* too late: it was signalled */
    CU_ASSERT_EQUAL(ouro_sleep(3 * MS), 0);        /* they can't return without the mutex */
    CU_ASSERT_EQUAL(objects.log.len, 0);
    ouro_mutex_unlock(&objects.mutex);
    CU_ASSERT_EQUAL(ouro_join(actors[0].id, NULL), 0);
    CU_ASSERT_EQUAL(ouro_join(late_id, NULL), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(actors[2].id, NULL), 0);
    CU_ASSERT_EQUAL(ouro_join(actors[1].id, NULL), 0);
    CU_ASSERT_STRING_EQUAL(objects.log.text, "Acancelled A) B( B) Llate L) Ccancelled C) ");
    CU_ASSERT(are_free(&objects));
    return 0;
}

/* Cancelled after its signal: the wait returns 0, and the next fails before it unlocks. */
static int wait_hold_and_fail(void *arg)
{
    struct objects *objects = arg;

    CU_ASSERT_EQUAL(ouro_mutex_lock(&objects->mutex), 0);
    CU_ASSERT_EQUAL(ouro_cond_wait(&objects->cond, &objects->mutex), 0);
    CU_ASSERT_EQUAL(ouro_cond_wait(&objects->cond, &objects->mutex), -ECANCELED);
    CU_ASSERT_EQUAL(objects->mutex.owner, ouro_self());
    log_add(&objects->log, "B");
    ouro_mutex_unlock(&objects->mutex);
    return 0;
}

static int cancel_while_it_locks_again(void *arg)
{
    struct objects objects = {.log = {.len = 0}};
    ouro_task_id id = ouro_spawn(wait_hold_and_fail, &objects);

    (void) arg;
    settle();
    CU_ASSERT_EQUAL(ouro_mutex_lock(&objects.mutex), 0);
    ouro_cond_signal(&objects.cond);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    settle();
    CU_ASSERT_STRING_EQUAL(objects.log.text, "");
    ouro_mutex_unlock(&objects.mutex);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_STRING_EQUAL(objects.log.text, "B");
    return 0;
}

static void test_interrupted_wait_returns_with_the_mutex(void)
{
    CU_ASSERT_EQUAL(run_sim(interrupt_cond_waits, NULL), 0);
}

static void test_wait_that_was_signalled_is_not_interrupted_while_it_locks_again(void)
{
    run_on_each_ring(cancel_while_it_locks_again, NULL);
}

/* --- reader-writer lock ----------------------------------------------------------------------- */

/* Who holds a rwlock; a letter from 'a' reads, one from 'A' writes. */
static int read_or_write(void *arg)
{
    struct actor *actor = arg;
    bool writes = actor->name[0] < 'a';
    struct ouro_rwlock *lock = &actor->objects->rwlock;
    int code = writes ? ouro_rwlock_wrlock(lock) : ouro_rwlock_rdlock(lock);

    if (code) {
        note(actor, "! ");
        return 0;
    }
    note(actor, "( ");
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    note(actor, ") ");
    ouro_rwlock_unlock(lock);
    return 0;
}

static int queue_for_rwlock(void *arg)
{
    struct objects objects = {.log = {.len = 0}};
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    start(&group, read_or_write, &objects, "abCdeFGh");
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_rwlock_tryrdlock(&objects.rwlock), -EBUSY); /* C has waited longer */
    CU_ASSERT_EQUAL(ouro_rwlock_trywrlock(&objects.rwlock), -EBUSY);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_STRING_EQUAL(objects.log.text, "a( b( a) b) C( C) d( e( d) e) F( F) G( G) h( h) ");
    CU_ASSERT_EQUAL(ouro_rwlock_tryrdlock(&objects.rwlock), 0);
    CU_ASSERT_EQUAL(ouro_rwlock_tryrdlock(&objects.rwlock), 0);
    CU_ASSERT_EQUAL(ouro_rwlock_trywrlock(&objects.rwlock), -EBUSY);
    ouro_rwlock_unlock(&objects.rwlock);
    ouro_rwlock_unlock(&objects.rwlock);
    CU_ASSERT(rwlock_is_free(&objects));
    return 0;
}

/*
 * a b    read
 * C      waits for them; d and e, who came later, wait for C
 * d e    read together, although F and G wait
 */
static void test_rwlock_lets_in_by_arrival_and_readers_together(void)
{
    CU_ASSERT_EQUAL(run_sim(queue_for_rwlock, NULL), 0);
}

static int read_in_turns(void *arg)
{
    struct actor *actor = arg;
    struct ouro_rwlock *lock = &actor->objects->rwlock;

    while (!ouro_event_is_set(&actor->objects->event)) {
        CU_ASSERT_EQUAL(ouro_rwlock_rdlock(lock), 0);
        CU_ASSERT_EQUAL(ouro_sleep(3 * MS), 0); /* the others lock it again meanwhile */
        ouro_rwlock_unlock(lock);
        CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    }
    return 0;
}

static int write_among_readers(void *arg)
{
    struct objects objects = {.log = {.len = 0}};
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < 4; i++) {
        start(&group, read_in_turns, &objects, "r");
        CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    }
    for (int i = 0; i < 10; i++) {
        int64_t begin = ouro_now();

        CU_ASSERT(objects.rwlock.reader_count > 0);
        CU_ASSERT_EQUAL(ouro_rwlock_wrlock(&objects.rwlock), 0);
        CU_ASSERT(ouro_now() - begin <= 3 * MS);
        ouro_rwlock_unlock(&objects.rwlock);
        CU_ASSERT_EQUAL(ouro_sleep(5 * MS + i * MS), 0);
    }
    ouro_event_set(&objects.event);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    return 0;
}

static void test_readers_that_overlap_do_not_starve_a_writer(void)
{
    CU_ASSERT_EQUAL(run_sim(write_among_readers, NULL), 0);
}

static int interrupt_writers(void *arg)
{
    struct objects objects = {.log = {.len = 0}};
    struct actor actors[] = {{&objects, "A", 0}, {&objects, "b", 0}, {&objects, "c", 0},
                             {&objects, "D", 0}, {&objects, "E", 0}, {&objects, "f", 0}};

    (void) arg;
    CU_ASSERT_EQUAL(ouro_rwlock_rdlock(&objects.rwlock), 0);
    for (size_t i = 0; i < COUNT_OF(actors); i++)
        actors[i].id = ouro_spawn(read_or_write, &actors[i]);
    settle();
    CU_ASSERT_EQUAL(ouro_cancel(actors[3].id), 0); /* D is in nobody's way but f's, and so is E */
    settle();
    CU_ASSERT_STRING_EQUAL(objects.log.text, "D! ");
    CU_ASSERT_EQUAL(ouro_cancel(actors[0].id), 0); /* A was in the way of b and c */
    settle();
    CU_ASSERT_STRING_EQUAL(objects.log.text, "D! A! b( c( ");
    CU_ASSERT_EQUAL(ouro_cancel(actors[4].id), 0);
    for (size_t i = 0; i < COUNT_OF(actors); i++)
        CU_ASSERT_EQUAL(ouro_join(actors[i].id, NULL), 0);
    CU_ASSERT_STRING_EQUAL(objects.log.text, "D! A! b( c( E! f( b) c) f) ");
    CU_ASSERT_EQUAL(objects.rwlock.reader_count, 1);
    ouro_rwlock_unlock(&objects.rwlock);
    CU_ASSERT(are_free(&objects));
    return 0;
}

static void test_interrupted_writer_lets_in_the_readers_behind_it(void)
{
    CU_ASSERT_EQUAL(run_sim(interrupt_writers, NULL), 0);
}

/* --- misuse ----------------------------------------------------------------------------------- */

static int unlock_free_mutex(void *arg)
{
    struct ouro_mutex mutex = OURO_MUTEX_INIT;

    (void) arg;
    ouro_mutex_unlock(&mutex);
    return 0;
}

static struct objects shared;

static int lock_and_end(void *arg)
{
    (void) arg;
    return ouro_mutex_lock(&shared.mutex);
}

static int lock_and_wait(void *arg)
{
    (void) arg;
    (void) ouro_mutex_lock(&shared.mutex);
    return ouro_sleep(OURO_SECOND);
}

static int unlock_anothers_mutex(void *arg)
{
    (void) arg;
    (void) ouro_spawn(lock_and_wait, NULL);
    (void) ouro_yield();
    ouro_mutex_unlock(&shared.mutex);
    return 0;
}

static int wait_for_a_task_that_ended(void *arg)
{
    (void) ouro_join(ouro_spawn(lock_and_end, NULL), NULL);
    (void) ouro_spawn(lock_and_wait, NULL); /* most likely in the same slot */
    (void) arg;
    return ouro_sleep(MS);
}

static int wait_for_a_task_not_joined(void *arg)
{
    (void) ouro_spawn(lock_and_end, NULL);
    (void) ouro_yield();
    return lock_and_end(arg);
}

static int write_and_end(void *arg)
{
    (void) arg;
    return ouro_rwlock_wrlock(&shared.rwlock);
}

static int wait_for_a_writer_that_ended(void *arg)
{
    (void) ouro_join(ouro_spawn(write_and_end, NULL), NULL);
    (void) arg;
    return ouro_rwlock_rdlock(&shared.rwlock);
}

static int unlock_free_rwlock(void *arg)
{
    (void) arg;
    ouro_rwlock_unlock(&shared.rwlock);
    return 0;
}

static int unlock_anothers_rwlock(void *arg)
{
    (void) ouro_spawn(write_and_end, NULL);
    (void) ouro_yield();
    return unlock_free_rwlock(arg);
}

static int wait_without_mutex(void *arg)
{
    (void) arg;
    return ouro_cond_wait(&shared.cond, &shared.mutex);
}

static int release_too_many(void *arg)
{
    struct ouro_semaphore semaphore = OURO_SEMAPHORE_INIT(1);

    (void) arg;
    ouro_semaphore_release(&semaphore, UINT_MAX);
    return 0;
}

static void test_misuse_is_checked(void)
{
    CU_ASSERT(is_checked(unlock_free_mutex, "ouro_mutex_unlock() by a task that does not hold it"));
    CU_ASSERT(
        is_checked(unlock_anothers_mutex, "ouro_mutex_unlock() by a task that does not hold it"));
    CU_ASSERT(is_checked(wait_for_a_task_that_ended, "left a mutex or rwlock locked"));
    CU_ASSERT(is_checked(wait_for_a_task_not_joined, "left a mutex or rwlock locked"));
    CU_ASSERT(is_checked(wait_for_a_task_not_joined, "the other task is \"lock_and_end\""));
    CU_ASSERT(is_checked(wait_for_a_writer_that_ended, "left a mutex or rwlock locked"));
    CU_ASSERT(is_checked(unlock_free_rwlock, "ouro_rwlock_unlock() of a lock that nobody holds"));
    CU_ASSERT(
        is_checked(unlock_anothers_rwlock, "ouro_rwlock_unlock() by a task that does not hold it"));
    CU_ASSERT(
        is_checked(wait_without_mutex, "ouro_cond_wait() by a task that does not hold the mutex"));
    CU_ASSERT(is_checked(release_too_many, "a semaphore with more than UINT_MAX permits"));
}

static void lock_outside(void)
{
    (void) ouro_mutex_lock(&shared.mutex);
}

static void acquire_outside(void)
{
    (void) ouro_semaphore_acquire(&shared.semaphore);
}

static void wait_outside(void)
{
    (void) ouro_event_wait(&shared.event);
}

static void read_outside(void)
{
    (void) ouro_rwlock_rdlock(&shared.rwlock);
}

static int call_outside(void *arg)
{
    (*(void (**)(void)) arg)();
    return 0;
}

static void test_waiting_outside_a_task_is_checked(void)
{
    void (*outside[])(void) = {lock_outside, acquire_outside, wait_outside, read_outside};

    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        struct child child = run_in_child(call_outside, &outside[i]);

        CU_ASSERT(was_killed_by(&child, SIGABRT) && said(&child, "needs a task"));
    }
    ouro_event_set(&shared.event); /* what never waits needs no loop either */
    ouro_event_clear(&shared.event);
    ouro_semaphore_release(&shared.semaphore, 1);
    CU_ASSERT_EQUAL(ouro_semaphore_try_acquire(&shared.semaphore), 0);
    ouro_cond_signal(&shared.cond);
    ouro_cond_broadcast(&shared.cond);
}

/* --- reports ---------------------------------------------------------------------------------- */

/* What a report says of the first waiter of `queue`, a pointer to its struct wait. */
static void describe_first(const struct ouro_waiter *first, char *text, size_t text_bytes)
{
    const struct wait *wait = (const void *) first;

    if (wait->kind->describe)
        (void) wait->kind->describe(wait, text, text_bytes);
    else
        (void) snprintf(text, text_bytes, "%s", wait->kind->name);
}

static int be_described(void *arg)
{
    static const char *const expected[] = {
        "mutex, held by \"main\", id ",          "semaphore",      "event", "condition",
        "rwlock to read, held by \"main\", id ", "rwlock to write"};
    struct ouro_group group;
    char text[64];

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        struct contest contest = {.call = &calls[i]};
        struct objects *objects = &contest.objects;
        struct ouro_waiter *first;

        ouro_group_init(&group);
        contest.call->prepare(objects);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, use_up, &contest), 0);
        settle();
        first = objects->mutex.waiters       ? objects->mutex.waiters
                : objects->semaphore.waiters ? objects->semaphore.waiters
                : objects->event.waiters     ? objects->event.waiters
                : objects->cond.waiters      ? objects->cond.waiters
                                             : objects->rwlock.waiters;
        describe_first(first, text, sizeof(text));
        CU_ASSERT_EQUAL(strncmp(text, expected[i], strlen(expected[i])), 0);
        contest.call->give(objects);
        CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    }
    return 0;
}

static void test_reports_say_what_is_waited_for_and_who_holds_it(void)
{
    CU_ASSERT_EQUAL(run_sim(be_described, NULL), 0);
}

/* --- random workloads -------------------------------------------------------------------------- */

#ifdef OURO_NO_URING
#define SEEDS 20
#else
#define SEEDS 200
#endif

#define USERS   8
#define STEPS   30
#define PERMITS 3

struct chance {
    uint64_t state;
};

static unsigned below(struct chance *chance, unsigned bound)
{
    chance->state = chance->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned) (chance->state >> 33) % bound;
}

struct mix {
    struct chance chance;
    struct objects objects;
    unsigned in_mutex, in_semaphore, readers, writers; /* who is inside, as its users count it */
    unsigned users;                                    /* that have not ended */
    bool is_cancelled[USERS];
    int let_in, timed_out, cancelled, unexpected;
};

struct user {
    struct mix *mix;
    unsigned index;
};

/* The mutex may be needed only for what others do with it. */
static bool is_excluded(const struct mix *mix)
{
    return mix->in_mutex <= 1 && mix->in_semaphore <= PERMITS && mix->writers <= 1 &&
           !(mix->writers && mix->readers);
}

static void linger(struct mix *mix)
{
    for (unsigned i = below(&mix->chance, 4); i > 0; i--) {
        mix->unexpected += !is_excluded(mix);
        if (below(&mix->chance, 3))
            (void) ouro_yield();
        else
            (void) ouro_sleep(below(&mix->chance, 3));
    }
    mix->unexpected += !is_excluded(mix);
}

static int use_mutex(struct mix *mix, bool waits)
{
    struct objects *objects = &mix->objects;
    int code = ouro_mutex_lock(&objects->mutex);

    if (code)
        return code;
    mix->in_mutex++;
    linger(mix);
    if (waits) {
        mix->in_mutex--;
        code = ouro_cond_wait(&objects->cond, &objects->mutex);
        mix->unexpected += objects->mutex.owner != ouro_self();
        mix->in_mutex++;
        linger(mix);
    }
    mix->in_mutex--;
    ouro_mutex_unlock(&objects->mutex);
    return code;
}

static int use_semaphore(struct mix *mix)
{
    int code = ouro_semaphore_acquire(&mix->objects.semaphore);

    if (code)
        return code;
    mix->in_semaphore++;
    linger(mix);
    mix->in_semaphore--;
    ouro_semaphore_release(&mix->objects.semaphore, 1);
    return 0;
}

static int use_rwlock(struct mix *mix, bool writes)
{
    struct ouro_rwlock *lock = &mix->objects.rwlock;
    int code = writes ? ouro_rwlock_wrlock(lock) : ouro_rwlock_rdlock(lock);

    if (code)
        return code;
    *(writes ? &mix->writers : &mix->readers) += 1;
    linger(mix);
    *(writes ? &mix->writers : &mix->readers) -= 1;
    ouro_rwlock_unlock(lock);
    return 0;
}

static int use_one(struct mix *mix)
{
    switch (below(&mix->chance, 7)) {
    case 0:
        return ouro_event_wait(&mix->objects.event);
    case 1:
        return use_mutex(mix, /* waits= */ true);
    case 2:
        return use_mutex(mix, /* waits= */ false);
    case 3:
    case 4:
        return use_rwlock(mix, /* writes= */ false);
    case 5:
        return use_rwlock(mix, /* writes= */ true);
    default:
        return use_semaphore(mix);
    }
}

static int be_user(void *arg)
{
    const struct user *user = arg;
    struct mix *mix = user->mix;

    for (int step = 0; step < STEPS; step++) {
        struct ouro_timeout limit;
        int code, expired;

        ouro_timeout_begin(&limit, below(&mix->chance, 2) ? OURO_FOREVER : below(&mix->chance, 8));
        code = use_one(mix);
        expired = ouro_timeout_end(&limit);
        mix->let_in += !code;
        mix->timed_out += code == -ETIMEDOUT;
        mix->cancelled += code == -ECANCELED;
        if (code == -ECANCELED)
            mix->unexpected += !mix->is_cancelled[user->index];
        else
            mix->unexpected += code && (code != -ETIMEDOUT || !expired);
        if (code == -ECANCELED)
            break;
    }
    mix->users--;
    return 0;
}

/* Sets, clears, signals, broadcasts and cancels until all have ended. */
static void disturb(struct mix *mix, const ouro_task_id *ids)
{
    while (mix->users) {
        unsigned victim = below(&mix->chance, USERS);

        switch (below(&mix->chance, 12)) {
        case 0:
            mix->is_cancelled[victim] = true;
            (void) ouro_cancel(ids[victim]);
            break;
        case 1:
            ouro_event_clear(&mix->objects.event);
            break;
        case 2:
            ouro_cond_broadcast(&mix->objects.cond);
            break;
        case 3:
        case 4:
            ouro_cond_signal(&mix->objects.cond);
            break;
        case 5:
            ouro_event_set(&mix->objects.event);
            break;
        default:
            mix->unexpected += ouro_sleep(below(&mix->chance, 10)) != 0;
        }
    }
}

static int run_mix(void *arg)
{
    struct mix *mix = arg;
    struct user users[USERS];
    ouro_task_id ids[USERS];

    ouro_semaphore_init(&mix->objects.semaphore, PERMITS);
    mix->users = USERS;
    for (unsigned i = 0; i < USERS; i++) {
        users[i] = (struct user) {mix, i};
        ids[i] = ouro_spawn(be_user, &users[i]);
    }
    disturb(mix, ids);
    for (unsigned i = 0; i < USERS; i++)
        mix->unexpected += ouro_join(ids[i], NULL) != 0;
    mix->unexpected += !are_free(&mix->objects) || mix->objects.semaphore.count != PERMITS;
    return 0;
}

static char *ring_of_seed(unsigned seed)
{
    static char text[32];

    (void) snprintf(text, sizeof(text), "sim:seed=%u", seed);
    return text;
}

/*
 * Eight tasks use all objects at random, linger inside, and run into time limits; somebody
 * cancels them at random moments. Nobody is ever where another excludes it, each call that
 * fails has a reason, and in the end everything is free.
 */
static void test_seeds_of_a_mixed_workload(void)
{
    int let_in = 0, timed_out = 0, cancelled = 0;

    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct mix mix = {.chance = {seed}};
        int code = run_with(ring_of_seed(seed), 8, run_mix, &mix);

        if (code || mix.unexpected)
            printf("    seed %u: code %d, %d unexpected\n", seed, code, mix.unexpected);
        CU_ASSERT_EQUAL(code, 0);
        CU_ASSERT_EQUAL(mix.unexpected, 0);
        let_in += mix.let_in;
        timed_out += mix.timed_out;
        cancelled += mix.cancelled;
    }
    CU_ASSERT(let_in > (int) SEEDS * USERS);
    CU_ASSERT(timed_out > (int) SEEDS);
    CU_ASSERT(cancelled > (int) SEEDS);
}

#define CONSUMERS 6
#define SHARE     5 /* that each consumer wants */

/* A store of items: one signal for each that is put in. */
struct store {
    struct chance chance;
    struct objects objects;
    unsigned items;
    unsigned consumed;
    int interrupted, unexpected;
};

static int consume(void *arg)
{
    struct store *store = arg;
    struct objects *objects = &store->objects;

    for (unsigned taken = 0; taken < SHARE; taken++) {
        int code = ouro_mutex_lock(&objects->mutex);

        if (code) {
            store->interrupted++;
            return 0;
        }
        while (!code && !store->items)
            code = ouro_cond_wait(&objects->cond, &objects->mutex);
        if (store->items && !code) {
            store->items--;
            store->consumed++;
        }
        ouro_mutex_unlock(&objects->mutex);
        if (code) {
            store->interrupted++;
            return 0;
        }
    }
    return 0;
}

static int produce(void *arg)
{
    struct store *store = arg;
    struct objects *objects = &store->objects;

    for (unsigned made = 0; made < CONSUMERS * SHARE; made++) {
        store->unexpected += ouro_mutex_lock(&objects->mutex) != 0;
        store->items++;
        if (below(&store->chance, 2))
            store->unexpected += ouro_yield() != 0;
        ouro_cond_signal(&objects->cond);
        ouro_mutex_unlock(&objects->mutex);
        if (below(&store->chance, 2))
            store->unexpected += ouro_sleep(below(&store->chance, 3)) != 0;
    }
    return 0;
}

static int run_store(void *arg)
{
    struct store *store = arg;
    ouro_task_id producer, consumers[CONSUMERS];

    for (unsigned i = 0; i < CONSUMERS; i++)
        consumers[i] = ouro_spawn(consume, store);
    producer = ouro_spawn(produce, store);
    for (int i = 0; i < 2; i++) {
        for (unsigned wait = below(&store->chance, 20); wait > 0; wait--)
            store->unexpected += below(&store->chance, 2) ? ouro_yield() : ouro_sleep(1);
        (void) ouro_cancel(consumers[below(&store->chance, CONSUMERS)]);
    }
    for (unsigned i = 0; i < CONSUMERS; i++)
        store->unexpected += ouro_join(consumers[i], NULL) != 0;
    store->unexpected += ouro_join(producer, NULL) != 0;
    store->unexpected += store->items + store->consumed != CONSUMERS * SHARE;
    return 0;
}

/*
 * There are items for all consumers, and one signal for each; some consumers are cancelled. A
 * signal that went to one of these and got lost would leave another waiting: a deadlock.
 */
static void test_seeds_of_signals_that_race_cancellations(void)
{
    int interrupted = 0;

    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct store store = {.chance = {seed}};
        int code = run_with(ring_of_seed(seed), 8, run_store, &store);

        if (code || store.unexpected)
            printf("    seed %u: code %d, %d unexpected\n", seed, code, store.unexpected);
        CU_ASSERT_EQUAL(code, 0);
        CU_ASSERT_EQUAL(store.unexpected, 0);
        interrupted += store.interrupted;
    }
    CU_ASSERT(interrupted > (int) SEEDS / 2);
}

const struct test sync_tests[] = {
    TEST(test_zeros_initialisers_and_init_functions_agree),
    TEST(test_interruption_never_loses_what_was_given),
    TEST(test_calls_that_need_not_wait_starve_nobody),
    TEST(test_mutex_is_handed_to_the_longest_waiter),
    TEST(test_nobody_wakes_in_vain),
    TEST(test_locking_twice_is_refused),
    TEST(test_permits_go_to_waiters_first_and_the_rest_is_kept),
    TEST(test_event_wakes_all_and_stays_set_until_it_is_cleared),
    TEST(test_object_may_go_when_nobody_waits_for_it),
    TEST(test_signal_wakes_the_oldest_and_broadcast_one_after_the_other),
    TEST(test_interrupted_wait_returns_with_the_mutex),
    TEST(test_wait_that_was_signalled_is_not_interrupted_while_it_locks_again),
    TEST(test_rwlock_lets_in_by_arrival_and_readers_together),
    TEST(test_readers_that_overlap_do_not_starve_a_writer),
    TEST(test_interrupted_writer_lets_in_the_readers_behind_it),
    TEST(test_misuse_is_checked),
    TEST(test_waiting_outside_a_task_is_checked),
    TEST(test_reports_say_what_is_waited_for_and_who_holds_it),
    TEST(test_seeds_of_a_mixed_workload),
    TEST(test_seeds_of_signals_that_race_cancellations),
    TEST_END};
