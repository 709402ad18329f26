/* SPDX-License-Identifier: MIT */
/*
 * signals.h - what ouro_run() does about signals
 *
 * SIGINT and SIGTERM set a flag that the run loop looks at in every turn, and write to its
 * inbox's eventfd, which wakes it; a second one has its default effect. SIGPIPE is
 * ignored. All of it belongs to the process, so that one loop at a time has it.
 */
#ifndef OURO_SIGNALS_H
#define OURO_SIGNALS_H

#include <stdbool.h>

struct dispatcher;

struct signals {
    bool is_claimed;      /* this loop handles SIGINT and SIGTERM */
    bool is_pipe_ignored; /* by this loop */
};

void ouro__signals_claim(struct signals *self, struct dispatcher *dispatcher, bool keep_sigpipe,
                         bool keep_signals);

/* Whether SIGINT or SIGTERM came since the loop claimed them. */
bool ouro__signals_came(const struct signals *self);

/* Restores the dispositions. */
void ouro__signals_release(struct signals *self);

/* In the child of a fork: the parent's claims are not the child's. Async-signal-safe. */
void ouro__signals_forget(void);

#endif /* OURO_SIGNALS_H */
