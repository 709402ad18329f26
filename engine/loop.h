/* SPDX-License-Identifier: MIT */
/*
 * loop.h - a loop with its main task and what belongs to the process: signals, reports
 *
 * ouro_loop.h has the public calls; run.c makes ouro_run() of these, shard.c several.
 */
#ifndef OURO_LOOP_PRIVATE_H
#define OURO_LOOP_PRIVATE_H

#include "dispatcher.h"
#include "ouro_loop.h"
#include "overflow.h"
#include "signals.h"
#include "watchdog.h"

struct ouro_loop {
    struct dispatcher dispatcher;
    struct signals signals;
    struct overflow_watch overflow;
    struct stall_watch stall;
    ouro_task_fn *fn; /* the main task's */
    void *arg;
    ouro_task_id main_id;
    int result; /* of the main task */
    bool is_deadlocked;
    bool main_has_ended;
    bool main_was_signalled;
    bool is_closed;         /* nobody was left, and messages are refused */
    unsigned closing_turns; /* that ended with messages, and with nobody left */
    bool uses_offload;      /* the pool of threads is to be told of the end */
    struct shard *shard;    /* the loop is one of several; NULL: it is alone */
};

/*
 * What the options and OURO_RING say, with the reason on stderr when that makes no sense.
 * Returns 0 or a code.
 */
int ouro__loop_choose_ring(const struct ouro_run_options *options, bool is_foreign,
                           struct ring_config *ret_config);

/*
 * ouro_loop_create() in the caller's memory, with the ring chosen; `shard`: the loop is one of
 * several, of which the first has what there is once per process.
 */
int ouro__loop_open(struct ouro_loop *loop, ouro_task_fn *fn, void *arg,
                    const struct ouro_run_options *options, const struct ring_config *config,
                    struct shard *shard);

/* Runs until the main task and then all others have ended. */
void ouro__loop_run(struct ouro_loop *loop);

/* The end of a loop that has run to its end. Returns its result. */
int ouro__loop_close(struct ouro_loop *loop);

static inline struct ouro_loop *ouro__loop_of(struct dispatcher *dispatcher)
{
    return container_of(dispatcher, struct ouro_loop, dispatcher);
}

/* The default options. */
extern const struct ouro_run_options ouro__loop_defaults;

#endif /* OURO_LOOP_PRIVATE_H */
