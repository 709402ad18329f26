/* SPDX-License-Identifier: MIT */
/*
 * sim_trace.h - what a simulated ring did, as lines and as one number
 *
 * Two runs are the same when their traces are: nothing in a trace depends on addresses,
 * on the machine or on the time of day. Operations are named by the order in which they
 * were taken. The lines are there when somebody asked for them (trace=PATH), the number
 * always.
 *
 *     0.000000000 call socket(2, 1, 0) = 1048576
 *     0.000000000 sqe 7 RECV fd=1048577 len=4096 flags=0x0
 *     1.500000000 clock +1.500000000
 *     1.500000000 cqe 7 RECV -104
 */
#ifndef OURO_SIM_TRACE_H
#define OURO_SIM_TRACE_H

#include <stdint.h>
#include <stdio.h>

struct io_uring_sqe;

/* The never-blocking calls, in the order of struct ring_backend. */
enum sim_call {
    SIM_CALL_SOCKET,
    SIM_CALL_BIND,
    SIM_CALL_LISTEN,
    SIM_CALL_SHUTDOWN,
    SIM_CALL_GETSOCKNAME,
    SIM_CALL_GETPEERNAME,
    SIM_CALL_GETSOCKOPT,
    SIM_CALL_SETSOCKOPT,
    SIM_CALL_SOCKETPAIR,
    SIM_CALL_FSTAT,
    SIM_CALL_FTRUNCATE,
    SIM_CALL_GETDENTS,
    SIM_CALL_PIPE,
    SIM_CALL_SPLICE,
};

struct sim_trace {
    const int64_t *now;
    uint64_t hash;
    FILE *file; /* NULL: no lines */
};

/* `now` is read at every event. Returns 0, or the -errno of opening `path` (NULL: no lines). */
int ouro__sim_trace_init(struct sim_trace *trace, const char *path, const int64_t *now);
void ouro__sim_trace_done(struct sim_trace *trace);

/* `target`: the operation that an ASYNC_CANCEL means; 0: none. */
void ouro__sim_trace_sqe(struct sim_trace *trace, uint64_t sequence, const char *name,
                         const struct io_uring_sqe *sqe, uint64_t target);
void ouro__sim_trace_cqe(struct sim_trace *trace, uint64_t sequence, const char *name, int result);
void ouro__sim_trace_call(struct sim_trace *trace, enum sim_call call, const int arguments[3],
                          int result);
void ouro__sim_trace_clock(struct sim_trace *trace, int64_t by);
void ouro__sim_trace_fault(struct sim_trace *trace, int code);

#endif /* OURO_SIM_TRACE_H */
