/* SPDX-License-Identifier: MIT */
/* signals.c - see signals.h */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dispatcher.h"
#include "signals.h"

/* The process has one set of dispositions, hence one of all this. */
static atomic_flag is_claimed_by_a_loop = ATOMIC_FLAG_INIT;
static atomic_uint pipe_ignorer_count; /* the last loop to end restores SIGPIPE */
static struct sigaction old_int, old_term, old_pipe;

/* What the handler touches. */
static volatile sig_atomic_t came_count;
static volatile sig_atomic_t handler_event_fd = -1;

static void handle(int number)
{
    static const uint64_t one = 1;
    int saved_errno = errno;

    if (came_count++ > 0) {
        (void) signal(number, SIG_DFL);
        (void) raise(number); /* pending until we return */
    } else if (handler_event_fd >= 0) {
        (void) !write(handler_event_fd, &one, sizeof(one));
    }
    errno = saved_errno;
}

/* --- the eventfd ------------------------------------------------------------------------ */

static void prepare_read(struct source *source, struct io_uring_sqe *sqe)
{
    struct signals *self = container_of(source, struct signals, wakeup);

    io_uring_prep_read(sqe, self->event_fd, &self->counter, sizeof(self->counter), (uint64_t) -1);
}

/* Being awake is all that is wanted; ouro_run() looks at came_count. */
static void woken(struct source *source, int32_t result, uint32_t cqe_flags)
{
    (void) cqe_flags;
    if (result >= 0 && !container_of(source, struct signals, wakeup)->is_released)
        ouro__source_submit(ouro__dispatcher, source);
}

static int open_wakeup(struct signals *self, struct dispatcher *dispatcher)
{
    if (dispatcher->ring.simulated)
        return 0; /* it never really sleeps */
    self->event_fd = eventfd(0, EFD_CLOEXEC);
    if (self->event_fd < 0)
        return -errno;
    self->wakeup = (struct source) {.complete = woken, .prepare = prepare_read};
    ouro__source_submit(dispatcher, &self->wakeup);
    return 0;
}

/* --- dispositions -------------------------------------------------------------------------- */

static void claim(struct signals *self)
{
    struct sigaction action = {.sa_handler = handle};
    sigset_t both;

    came_count = 0;
    handler_event_fd = self->event_fd;
    (void) sigemptyset(&action.sa_mask);
    (void) sigaction(SIGINT, &action, &old_int);
    (void) sigaction(SIGTERM, &action, &old_term);
    (void) sigemptyset(&both);
    (void) sigaddset(&both, SIGINT);
    (void) sigaddset(&both, SIGTERM);
    (void) pthread_sigmask(SIG_UNBLOCK, &both, NULL); /* a parent may have left them blocked */
}

static void ignore_pipe(struct signals *self)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    self->is_pipe_ignored = true;
    if (atomic_fetch_add(&pipe_ignorer_count, 1) == 0)
        (void) sigaction(SIGPIPE, &ignore, &old_pipe);
}

int ouro__signals_claim(struct signals *self, struct dispatcher *dispatcher, bool keep_sigpipe,
                        bool keep_signals)
{
    int code;

    memset(self, 0, sizeof(*self));
    self->event_fd = -1;
    if (!keep_sigpipe)
        ignore_pipe(self);
    if (keep_signals || atomic_flag_test_and_set(&is_claimed_by_a_loop))
        return 0;
    code = open_wakeup(self, dispatcher);
    if (code) {
        atomic_flag_clear(&is_claimed_by_a_loop);
        ouro__signals_release(self, dispatcher);
        return code;
    }
    self->is_claimed = true;
    claim(self);
    return 0;
}

bool ouro__signals_came(const struct signals *self)
{
    return self->is_claimed && came_count > 0;
}

void ouro__signals_release(struct signals *self, struct dispatcher *dispatcher)
{
    self->is_released = true;
    if (self->is_pipe_ignored && atomic_fetch_sub(&pipe_ignorer_count, 1) == 1)
        (void) sigaction(SIGPIPE, &old_pipe, NULL);
    if (!self->is_claimed)
        return;
    (void) sigaction(SIGINT, &old_int, NULL);
    (void) sigaction(SIGTERM, &old_term, NULL);
    handler_event_fd = -1;
    if (self->event_fd >= 0)
        ouro__source_cancel(dispatcher, &self->wakeup);
}

bool ouro__signals_are_released(const struct signals *self)
{
    return self->event_fd < 0 || self->wakeup.state == OP_DONE;
}

void ouro__signals_done(struct signals *self)
{
    if (self->event_fd >= 0)
        (void) close(self->event_fd);
    if (self->is_claimed)
        atomic_flag_clear(&is_claimed_by_a_loop);
}

void ouro__signals_forget(void)
{
    if (atomic_flag_test_and_set(&is_claimed_by_a_loop)) {
        (void) sigaction(SIGINT, &old_int, NULL);
        (void) sigaction(SIGTERM, &old_term, NULL);
        handler_event_fd = -1;
    }
    atomic_flag_clear(&is_claimed_by_a_loop);
    if (atomic_exchange(&pipe_ignorer_count, 0) > 0)
        (void) sigaction(SIGPIPE, &old_pipe, NULL);
}
