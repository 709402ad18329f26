/* SPDX-License-Identifier: MIT */
/*
 * load_run.h - a load on one loop: connections, requests, answers, time
 */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "load_stats.h"
#include "load_tape.h"
#include "ouro.h"

/* How far a loop has come, warm-up included, for other threads to read: atomic. */
struct load_progress {
    uint64_t answers, errors;
};

/* What a loop is to do. All of it is borrowed, and only read. */
struct load_plan {
    struct ouro_address address;
    const struct load_tape *tape;
    struct load_expectation expected;
    const bool *statuses; /* of 600: the ones that are expected; NULL: 200 to 399 */
    int64_t length;       /* expected of bodies; -1: any */
    unsigned connections;
    unsigned pipeline; /* requests on a connection at a time */
    unsigned first;    /* where on the tape the first connection begins */
    bool closes;       /* a connection per request */
    uint64_t requests; /* 0: no limit but the time */
    double rate;       /* requests per second; 0: as fast as answers come */
    int64_t phase_ns;  /* of the first request, so that several loops do not ask at once */
    int64_t warm_up_ns, duration_ns;
    int64_t timeout_ns;       /* of a request, and of a connect */
    int64_t think_ns;         /* from an answer to the connection's next request; with no rate */
    struct load_start *start; /* with several loops: to begin together; else NULL */
    struct load_progress *progress;
};

/* Loops that begin together. */
struct load_start {
    unsigned waiting; /* yet to be ready; atomic */
};

/*
 * load_run - make the load
 * @stats: filled, also on failure
 *
 * Context: task, may suspend. A task that is cancelled ends it early, and that is no failure.
 * Returns: 0; why not one connection could be made, or -ENOMEM.
 */
OURO_TASK int load_run(const struct load_plan *plan, struct load_stats *stats);

#endif /* LOAD_RUN_H */
