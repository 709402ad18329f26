/* SPDX-License-Identifier: MIT */
/*
 * signals.h - what ouro_run() does about signals
 *
 * SIGINT and SIGTERM set a flag that the run loop looks at in every turn, and write to an
 * eventfd that wakes it from its sleep; a second one has its default effect. SIGPIPE is
 * ignored. All of it belongs to the process, so that one loop at a time has it.
 */
#ifndef OURO_SIGNALS_H
#define OURO_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

#include "op.h"

struct signals {
    struct source wakeup; /* reads the eventfd */
    uint64_t counter;     /* what it reads */
    int event_fd;         /* -1: the ring can't poll foreign fds */
    bool is_claimed;      /* this loop handles SIGINT and SIGTERM */
    bool is_released;     /* the eventfd is not read again */
    bool is_pipe_ignored; /* by this loop */
};

/* Returns 0 or -errno. */
int ouro__signals_claim(struct signals *self, struct dispatcher *dispatcher, bool keep_sigpipe,
                        bool keep_signals);

/* Whether SIGINT or SIGTERM came since the loop claimed them. */
bool ouro__signals_came(const struct signals *self);

/* Restores the dispositions; the loop must turn until ouro__signals_are_released(). */
void ouro__signals_release(struct signals *self, struct dispatcher *dispatcher);
bool ouro__signals_are_released(const struct signals *self);

/* The last step: closes the eventfd. */
void ouro__signals_done(struct signals *self);

/* In the child of a fork: the parent's claims are not the child's. Async-signal-safe. */
void ouro__signals_forget(void);

#endif /* OURO_SIGNALS_H */
