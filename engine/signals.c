/* SPDX-License-Identifier: MIT */
/* signals.c - see signals.h */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dispatcher.h"
#include "inbox.h"
#include "signal_wait.h"
#include "signals.h"

/* The process has one set of dispositions, hence one of all this. */
static atomic_flag is_claimed_by_a_loop = ATOMIC_FLAG_INIT;
static atomic_flag is_dumped_by_a_loop = ATOMIC_FLAG_INIT;
static struct sigaction old_int, old_term, old_usr1;

/* Several loops ignore SIGPIPE at a time: how many, and what that does, is changed under a lock. */
static pthread_mutex_t pipe_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned pipe_ignorer_count; /* the last loop to end restores SIGPIPE */
static struct sigaction old_pipe;

/* What the handler touches. */
static _Atomic int64_t first_came; /* when; 0: none did */
static atomic_int handler_event_fd = -1;
static volatile sig_atomic_t dump_count;
static atomic_int dump_event_fd = -1;
static atomic_uint waker_count; /* handlers that may be about to write to one of these */

static void wake(const atomic_int *event_fd)
{
    static const uint64_t one = 1;
    int fd;

    atomic_fetch_add(&waker_count, 1);
    fd = atomic_load(event_fd);
    if (fd >= 0)
        (void) !write(fd, &one, sizeof(one));
    atomic_fetch_sub(&waker_count, 1);
}

/* Nobody writes to it any more: it will be closed, and its number may at once be another file's. */
static void forget_event_fd(atomic_int *event_fd)
{
    atomic_store(event_fd, -1);
    while (atomic_load(&waker_count) > 0)
        (void) sched_yield(); /* a handler of another thread is between two lines of wake() */
}

static void handle_dump(int number)
{
    int saved_errno = errno;

    (void) number;
    dump_count++;
    wake(&dump_event_fd);
    errno = saved_errno;
}

int64_t ouro__signals_doubled_ns = 200 * OURO_MILLISECOND;

static int64_t monotonic_now(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now); /* async-signal-safe */
    return now.tv_sec * OURO_SECOND + now.tv_nsec;
}

static void handle(int number)
{
    int saved_errno = errno;
    int64_t now = monotonic_now(), first = 0;

    if (atomic_compare_exchange_strong(&first_came, &first, now)) {
        wake(&handler_event_fd);
    } else if (now - first >= ouro__signals_doubled_ns) {
        (void) signal(number, SIG_DFL);
        (void) raise(number); /* pending until we return */
    }
    errno = saved_errno;
}

/* --- dispositions -------------------------------------------------------------------------- */

/* A handler of ours that an earlier loop has left stands for the default, see restore(). */
static void take(int number, struct sigaction *ret_old)
{
    struct sigaction action = {.sa_handler = handle};

    (void) sigemptyset(&action.sa_mask);
    ouro__signal_wait_replace(number, &action, ret_old);
    if (ret_old->sa_handler == handle)
        ret_old->sa_handler = SIG_DFL;
}

static void claim(int event_fd)
{
    sigset_t both;

    atomic_store(&first_came, 0);
    handler_event_fd = event_fd;
    take(SIGINT, &old_int);
    take(SIGTERM, &old_term);
    (void) sigemptyset(&both);
    (void) sigaddset(&both, SIGINT);
    (void) sigaddset(&both, SIGTERM);
    (void) pthread_sigmask(SIG_UNBLOCK, &both, NULL); /* a parent may have left them blocked */
}

static void ignore_pipe(struct signals *self)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    self->is_pipe_ignored = true;
    (void) pthread_mutex_lock(&pipe_lock);
    if (pipe_ignorer_count++ == 0)
        ouro__signal_wait_replace(SIGPIPE, &ignore, &old_pipe);
    (void) pthread_mutex_unlock(&pipe_lock);
}

static void restore_pipe(void)
{
    (void) pthread_mutex_lock(&pipe_lock);
    if (--pipe_ignorer_count == 0)
        ouro__signal_wait_replace(SIGPIPE, &old_pipe, NULL);
    (void) pthread_mutex_unlock(&pipe_lock);
}

static void claim_dump(struct signals *self, int event_fd)
{
    struct sigaction action = {.sa_handler = handle_dump, .sa_flags = SA_RESTART};

    if (atomic_flag_test_and_set(&is_dumped_by_a_loop))
        return;
    self->is_dumping = true;
    self->dump_count = dump_count;
    dump_event_fd = event_fd;
    (void) sigemptyset(&action.sa_mask);
    ouro__signal_wait_replace(SIGUSR1, &action, &old_usr1);
}

void ouro__signals_claim(struct signals *self, struct dispatcher *dispatcher,
                         struct signal_wishes wishes)
{
    memset(self, 0, sizeof(*self));
    if (!wishes.keep_sigpipe)
        ignore_pipe(self);
    if (wishes.dump_on_sigusr1)
        claim_dump(self, dispatcher->inbox->event_fd);
    if (wishes.keep_signals || atomic_flag_test_and_set(&is_claimed_by_a_loop))
        return;
    self->is_claimed = true;
    claim(dispatcher->inbox->event_fd);
}

bool ouro__signals_came(const struct signals *self)
{
    return self->is_claimed && atomic_load(&first_came) != 0;
}

bool ouro__signals_want_dump(struct signals *self)
{
    if (!self->is_dumping || self->dump_count == dump_count)
        return false;
    self->dump_count = dump_count;
    return true;
}

/*
 * After a first signal the handler stays where it is in place of the default: the signal's twin may
 * come when the loop has ended already, and must not end a program that is about to flush what it
 * has to say. It ends the process for a later one, which is what the default does.
 */
static void restore(int number, const struct sigaction *old)
{
    if (!atomic_load(&first_came) || old->sa_handler != SIG_DFL)
        ouro__signal_wait_replace(number, old, NULL);
}

void ouro__signals_release(struct signals *self)
{
    if (self->is_pipe_ignored)
        restore_pipe();
    if (self->is_dumping) {
        ouro__signal_wait_replace(SIGUSR1, &old_usr1, NULL);
        forget_event_fd(&dump_event_fd);
        atomic_flag_clear(&is_dumped_by_a_loop);
    }
    if (!self->is_claimed)
        return;
    restore(SIGINT, &old_int);
    restore(SIGTERM, &old_term);
    forget_event_fd(&handler_event_fd);
    atomic_flag_clear(&is_claimed_by_a_loop);
}

void ouro__signals_forget(void)
{
    ouro__signal_wait_forget();
    atomic_store(&waker_count, 0); /* those of other threads are not in the child */
    if (atomic_flag_test_and_set(&is_dumped_by_a_loop)) {
        (void) sigaction(SIGUSR1, &old_usr1, NULL);
        dump_event_fd = -1;
    }
    atomic_flag_clear(&is_dumped_by_a_loop);
    if (atomic_flag_test_and_set(&is_claimed_by_a_loop)) {
        (void) sigaction(SIGINT, &old_int, NULL);
        (void) sigaction(SIGTERM, &old_term, NULL);
        handler_event_fd = -1;
    }
    atomic_flag_clear(&is_claimed_by_a_loop);
    pipe_lock = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER; /* its holder is not in the child */
    if (pipe_ignorer_count > 0)
        (void) sigaction(SIGPIPE, &old_pipe, NULL);
    pipe_ignorer_count = 0;
}
