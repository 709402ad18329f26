/* SPDX-License-Identifier: MIT */
/*
 * offload.c - a pool of threads for calls that block; see ouro_offload.h
 *
 * A job lies on the stack of the task that waits for it. Under the pool's lock it goes from the
 * queue to a thread, and from there, as a message, to the inbox of its loop:
 *
 *      ouro_offload       thread takes it       thread posts it       loop delivers it
 *     ────────────▶ QUEUED ────────────▶ RUNNING ────────────▶ (message) ────────────▶ DONE
 *                      │
 *                      └── interrupt ──▶ DONE: `fn` never ran
 *
 * The task goes on when its job is DONE, and not earlier: nobody then knows the job's memory.
 * Of the loop a thread knows the inbox. It posts under the lock, which the loop takes once more
 * at its end (ouro__offload_leave()): the inbox outlives the post without a reference.
 *
 * A job counts as an operation in flight, so that a loop which waits for one is not deadlocked.
 *
 * Threads start when there are more jobs than threads to take them. One that ends joins the one
 * that ended before it, and the last loop joins the last of them: none is left behind.
 *
 * On the simulated ring a job is posted to the inbox of its own loop, and run by its delivery.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cpus.h"
#include "inbox.h"
#include "loop.h"
#include "offload.h"

#define THREADS_DEFAULT_MAX 8
#define IDLE_TIME           (10 * OURO_SECOND)

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE };

struct job {
    struct ouro_message message; /* says that it has ended; of a simulated job that it may begin */
    struct wait wait;
    struct list link; /* in the queue */
    enum job_state state;
    ouro_offload_fn *fn;
    void *arg;
    int result;
    struct ouro_inbox *inbox; /* of the loop that waits */
};

/* All of it under the lock. */
static struct pool {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* for threads: there is a job, or no reason to stay */
    pthread_cond_t ended;   /* for the last loop: a thread is about to end */
    struct list queue;
    unsigned queue_len;
    unsigned idle_count; /* threads that wait for `changed` */
    unsigned thread_count;
    unsigned thread_max; /* 0: not known yet */
    unsigned loop_count; /* that use it */
    int64_t idle_ns;
    bool has_last_ended;
    pthread_t last_ended; /* to be joined */
    unsigned fork_count;  /* forks that this process descends from */
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .changed = PTHREAD_COND_INITIALIZER,
    .ended = PTHREAD_COND_INITIALIZER,
    .queue = {&pool.queue, &pool.queue},
    .idle_ns = IDLE_TIME,
};

static void lock(void)
{
    (void) pthread_mutex_lock(&pool.lock);
}

static void unlock(void)
{
    (void) pthread_mutex_unlock(&pool.lock);
}

/* --- the child of a fork ------------------------------------------------------------------- */

/* Neither threads nor loops came along; who held the lock is unknown. */
static void forget_parent(void)
{
    pool = (struct pool) {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .ended = PTHREAD_COND_INITIALIZER,
        .queue = {&pool.queue, &pool.queue},
        .thread_max = pool.thread_max,
        .idle_ns = pool.idle_ns,
        .fork_count = pool.fork_count + 1,
    };
}

static void watch_forks(void)
{
    CHECK(!pthread_atfork(NULL, NULL, forget_parent), "no memory for a fork handler");
}

/* --- how many threads ---------------------------------------------------------------------- */

static unsigned default_threads(void)
{
    unsigned count = ouro__cpus_count();

    return 2 * count < THREADS_DEFAULT_MAX ? 2 * count : THREADS_DEFAULT_MAX;
}

/* What OURO_OFFLOAD_THREADS says; 0: nothing that makes sense. */
static unsigned threads_of_environment(void)
{
    const char *text = secure_getenv("OURO_OFFLOAD_THREADS");
    char *end;
    unsigned long count;

    if (!text || *text < '1' || *text > '9')
        return 0;
    count = strtoul(text, &end, 10);
    return *end || count > OURO_OFFLOAD_THREADS_MAX ? 0 : (unsigned) count;
}

static void choose_threads(unsigned wanted)
{
    unsigned count = threads_of_environment();

    if (!count)
        count = wanted ? wanted : default_threads();
    pool.thread_max = count;
}

int ouro_offload_set_threads(unsigned count)
{
    if (count > OURO_OFFLOAD_THREADS_MAX)
        return -EINVAL;
    lock();
    choose_threads(count);
    (void) pthread_cond_broadcast(&pool.changed);
    unlock();
    return 0;
}

void ouro__offload_set_idle_time(int64_t idle_ns)
{
    lock();
    pool.idle_ns = idle_ns;
    unlock();
}

/* --- a thread ------------------------------------------------------------------------------ */

/* Whether a thread that has nothing to do should end, though it has not waited for long. */
static bool is_superfluous(void)
{
    return pool.loop_count == 0 || pool.thread_count > pool.thread_max;
}

/* Waits for a job; false when the time is up. */
static bool wait_for_change(void)
{
    struct timespec until;
    int64_t deadline;
    int code;

    (void) clock_gettime(CLOCK_MONOTONIC, &until);
    deadline = until.tv_sec * OURO_SECOND + until.tv_nsec + pool.idle_ns;
    until = (struct timespec) {deadline / OURO_SECOND, deadline % OURO_SECOND};
    pool.idle_count++;
    code = pthread_cond_clockwait(&pool.changed, &pool.lock, CLOCK_MONOTONIC, &until);
    pool.idle_count--;
    return code != ETIMEDOUT;
}

/* The oldest job; NULL when the thread is to end. */
static struct job *take_job(void)
{
    bool is_in_time = true;

    while (pool.thread_count <= pool.thread_max) {
        struct list *node = list_shift(&pool.queue);

        if (node) {
            struct job *job = container_of(node, struct job, link);

            pool.queue_len--;
            job->state = JOB_RUNNING;
            return job;
        }
        if (!is_in_time || is_superfluous())
            break;
        is_in_time = wait_for_change();
    }
    return NULL;
}

static void run_job(struct job *job)
{
    unsigned fork_count = pool.fork_count; /* read under the lock */

    unlock();
    job->result = job->fn(job->arg);
    lock();
    CHECK(pool.fork_count == fork_count,
          "an offloaded function returned in the child of a fork: it must exec or _exit()");
    (void) ouro_post(job->inbox, &job->message); /* from here on it may be gone */
}

/* With the lock held, which it gives back. */
static void end_thread(void)
{
    bool has_previous = pool.has_last_ended;
    pthread_t previous = pool.last_ended;

    pool.has_last_ended = true;
    pool.last_ended = pthread_self();
    pool.thread_count--;
    (void) pthread_cond_broadcast(&pool.ended); /* several loops may wait for the last one */
    unlock();
    if (has_previous)
        (void) pthread_join(previous, NULL);
}

static void *run_thread(void *unused)
{
    struct job *job;

    (void) unused;
    lock();
    while ((job = take_job()))
        run_job(job);
    end_thread();
    return NULL;
}

/* Those that a thread's own instructions raise must reach it: blocked, they only kill. */
static void fill_with_foreign_signals(sigset_t *set)
{
    static const int own[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};

    (void) sigfillset(set);
    for (size_t i = 0; i < COUNT_OF(own); i++)
        (void) sigdelset(set, own[i]);
}

static int start_thread(void)
{
    sigset_t blocked, before;
    pthread_t thread;
    int code;

    fill_with_foreign_signals(&blocked);
    (void) pthread_sigmask(SIG_SETMASK, &blocked, &before);
    code = pthread_create(&thread, NULL, run_thread, NULL);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code)
        return -code;
    (void) pthread_setname_np(thread, "ouro-offload");
    pool.thread_count++; /* the new thread waits for the lock meanwhile */
    return 0;
}

/* --- loops --------------------------------------------------------------------------------- */

static void join_loop(struct ouro_loop *loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (loop->uses_offload)
        return;
    (void) pthread_once(&once, watch_forks);
    loop->uses_offload = true;
    lock();
    if (pool.loop_count++ == 0)
        (void) pthread_cond_broadcast(
            &pool.ended); /* who waits for the threads need not any more */
    if (!pool.thread_max)
        choose_threads(0);
    unlock();
}

void ouro__offload_leave(void)
{
    bool has_last = false;
    pthread_t last;

    lock();
    if (--pool.loop_count == 0)
        (void) pthread_cond_broadcast(&pool.changed);
    /* A loop that begins to use it meanwhile takes the threads over. */
    while (pool.loop_count == 0 && pool.thread_count > 0)
        (void) pthread_cond_wait(&pool.ended, &pool.lock);
    if (pool.loop_count == 0) {
        has_last = pool.has_last_ended;
        last = pool.last_ended;
        pool.has_last_ended = false;
    }
    unlock();
    if (has_last)
        (void) pthread_join(last, NULL);
}

/* --- jobs ---------------------------------------------------------------------------------- */

static void finish(struct job *job, int result)
{
    job->state = JOB_DONE;
    ouro__dispatcher->in_flight_count--;
    ouro__task_wake(&job->wait, result);
}

/* On the loop's thread: a thread has run it. */
static void deliver(struct ouro_message *message)
{
    finish(container_of(message, struct job, message), 0);
}

/* The same on the simulated ring, where nobody has run it yet. */
static void run_and_deliver(struct ouro_message *message)
{
    struct job *job = container_of(message, struct job, message);

    if (job->state == JOB_QUEUED) {
        job->state = JOB_RUNNING;
        job->result = job->fn(job->arg);
        finish(job, 0);
    } else {
        finish(job, -ECANCELED);
    }
}

static void interrupt(struct wait *wait, int code)
{
    struct job *job = container_of(wait, struct job, wait);
    bool is_taken_back = false;

    lock();
    if (job->state == JOB_QUEUED) {
        list_remove(&job->link);
        pool.queue_len--;
        is_taken_back = true;
    }
    unlock();
    if (is_taken_back)
        finish(job, code);
}

/* The message is on its way and can't be called back. */
static void interrupt_simulated(struct wait *wait, int code)
{
    (void) code;
    container_of(wait, struct job, wait)->state = JOB_DONE;
}

static const struct wait_kind wait_kind = {.name = "offload", .interrupt = interrupt};
static const struct wait_kind simulated_wait_kind = {.name = "offload",
                                                     .interrupt = interrupt_simulated};

/* Queues the job and sees to it that a thread will take it. */
static int queue(struct job *job)
{
    int code = 0;

    lock();
    if (pool.queue_len >= pool.idle_count && pool.thread_count < pool.thread_max)
        code = start_thread();
    if (code && pool.thread_count > 0)
        code = 0; /* then those that there are do it, one after the other */
    if (!code) {
        list_append(&pool.queue, &job->link);
        pool.queue_len++;
        (void) pthread_cond_signal(&pool.changed);
    }
    unlock();
    return code;
}

int ouro_offload(ouro_offload_fn *fn, void *arg, int *ret_result)
{
    struct job job = {.wait.task = ouro__dispatcher_task("ouro_offload() needs a task")};
    struct dispatcher *dispatcher = ouro__dispatcher;
    int code = ouro__task_interruption();

    if (unlikely(code))
        return code;
    job.fn = fn;
    job.arg = arg;
    job.inbox = dispatcher->inbox;
    list_init(&job.link);
    if (dispatcher->ring.simulated) {
        job.wait.kind = &simulated_wait_kind;
        job.message.deliver = run_and_deliver;
        (void) ouro_post(job.inbox, &job.message);
    } else {
        job.wait.kind = &wait_kind;
        job.message.deliver = deliver;
        join_loop(ouro__loop_of(dispatcher));
        code = queue(&job);
        if (code)
            return code;
    }
    dispatcher->in_flight_count++;
    if (unlikely(ouro__task_park(&job.wait)))
        return ouro__task_interruption();
    if (ret_result)
        *ret_result = job.result;
    return 0;
}

int ouro__offload_call(ouro_offload_fn *fn, void *arg)
{
    int result;
    int code = ouro_offload(fn, arg, &result);

    return code ? code : result;
}
