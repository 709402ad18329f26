/* SPDX-License-Identifier: MIT */
/*
 * load_stats.h - what a load has found out: what its report is made of
 */
#ifndef LOAD_STATS_H
#define LOAD_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "load_histogram.h"

/* Why a request failed, or a connection. load_error_name() has the words. */
enum load_error {
    LOAD_ERROR_CONNECT,
    LOAD_ERROR_WRITE,
    LOAD_ERROR_READ, /* it broke off, or was closed before the answer */
    LOAD_ERROR_TIMEOUT,
    LOAD_ERROR_PROTOCOL, /* an answer that is none */
    LOAD_ERROR_STATUS,   /* answered, but with a status that was not expected */
    LOAD_ERROR_BODY,     /* answered, but with a body that was not expected */
    LOAD_ERROR_UNSENT,   /* due, but there was never a connection for it */
    LOAD_ERROR_COUNT
};

const char *load_error_name(enum load_error error);

/* Of one thread, or of all together. Warm-up is not in here. */
struct load_stats {
    struct load_histogram latency;  /* from when a request was due to the end of its answer */
    struct load_histogram service;  /* from when it was sent; with a rate only */
    struct load_histogram lateness; /* from due to sent; with a rate only */
    uint64_t requests;              /* answered, whatever the answer was */
    uint64_t in_time;               /* of these: before the time was over */
    uint64_t held_up;               /* due when no connection was free; with a rate only */
    uint64_t errors[LOAD_ERROR_COUNT];
    uint64_t statuses[6]; /* by hundreds; 0: echoes */
    uint64_t body_bytes, received_bytes;
    uint64_t reconnects;              /* because the server closed the connection after an answer */
    uint64_t resent;                  /* requests that it had not answered by then */
    int first_code[LOAD_ERROR_COUNT]; /* of each kind: -errno; 0: none */
    int first_status;                 /* that was not expected */
    int64_t elapsed_ns, cpu_ns;       /* of the time in which requests were sent */
    uint64_t system_calls;            /* likewise */
    bool is_interrupted;
};

/* `from` is another thread's of the same time. */
void load_stats_merge(struct load_stats *into, const struct load_stats *from);

uint64_t load_stats_errors(const struct load_stats *stats);

#endif /* LOAD_STATS_H */
