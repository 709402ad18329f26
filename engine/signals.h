/* SPDX-License-Identifier: MIT */
/*
 * signals.h - what ouro_run() does about signals
 *
 * SIGINT and SIGTERM set a flag that the run loop looks at in every turn, and write to its
 * inbox's eventfd, which wakes it; a second one has its default effect, unless it comes so soon
 * that it is the first one told twice. SIGPIPE is ignored. SIGUSR1, when it is asked for, wants a
 * dump of the tasks. All of it belongs to the process, so that one loop at a time has it.
 */
#ifndef OURO_SIGNALS_H
#define OURO_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

struct dispatcher;

struct signals {
    bool is_claimed;      /* this loop handles SIGINT and SIGTERM */
    bool is_pipe_ignored; /* by this loop */
    bool is_dumping;      /* this loop handles SIGUSR1 */
    int dump_count;       /* of those that came, how many it knows of */
};

struct signal_wishes {
    bool keep_sigpipe;
    bool keep_signals; /* SIGINT and SIGTERM */
    bool dump_on_sigusr1;
};

void ouro__signals_claim(struct signals *self, struct dispatcher *dispatcher,
                         struct signal_wishes wishes);

/*
 * What comes so soon after the first SIGINT or SIGTERM is the same wish: timeout(1) signals its
 * child and then the child's group, a terminal the group and then a master its workers. A constant but
 * for tests.
 */
extern int64_t ouro__signals_doubled_ns;

/* Whether SIGUSR1 came since this was last asked. */
bool ouro__signals_want_dump(struct signals *self);

/* Whether SIGINT or SIGTERM came since the loop claimed them. */
bool ouro__signals_came(const struct signals *self);

/* Restores the dispositions. */
void ouro__signals_release(struct signals *self);

/* In the child of a fork: the parent's claims are not the child's. Async-signal-safe. */
void ouro__signals_forget(void);

#endif /* OURO_SIGNALS_H */
