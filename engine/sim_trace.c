/* SPDX-License-Identifier: MIT */
/*
 * sim_trace.c - see sim_trace.h
 *
 * A trace that cannot be written is no reason to disturb what is traced: errors of the
 * file are ignored after it was opened. Lines leave at once, because the last one before
 * a crash is the one that is wanted.
 */
#include <errno.h>
#include <liburing.h>
#include <stdarg.h>
#include <string.h>

#include "ouro_base.h"
#include "sim_random.h"
#include "sim_trace.h"

enum event {
    EVENT_SQE,
    EVENT_CQE,
    EVENT_CALL,
    EVENT_CLOCK,
    EVENT_FAULT,
};

int ouro__sim_trace_init(struct sim_trace *trace, const char *path, const int64_t *now)
{
    *trace = (struct sim_trace) {.now = now};
    if (!path)
        return 0;
    trace->file = strcmp(path, "-") == 0 ? stderr : fopen(path, "ae");
    if (!trace->file)
        return -errno;
    if (trace->file != stderr)
        (void) setvbuf(trace->file, NULL, _IOLBF, BUFSIZ);
    return 0;
}

void ouro__sim_trace_done(struct sim_trace *trace)
{
    if (trace->file && trace->file != stderr)
        (void) fclose(trace->file);
    trace->file = NULL;
}

/* One word into the hash; the order counts. */
static void add(struct sim_trace *trace, uint64_t word)
{
    trace->hash = ouro__sim_mix(trace->hash * 3 + word + UINT64_C(0x9e3779b97f4a7c15));
}

static void add_event(struct sim_trace *trace, enum event event, uint64_t a, uint64_t b)
{
    add(trace, (uint64_t) *trace->now);
    add(trace, (uint64_t) event << 56 ^ a);
    add(trace, b);
}

OURO_PRINTF(2, 3) static void print(struct sim_trace *trace, const char *format, ...)
{
    va_list arguments;

    if (!trace->file)
        return;
    (void) fprintf(trace->file, "%lld.%09lld ", (long long) (*trace->now / OURO_SECOND),
                   (long long) (*trace->now % OURO_SECOND));
    va_start(arguments, format);
    (void) vfprintf(trace->file, format, arguments);
    va_end(arguments);
}

/* --- events -------------------------------------------------------------------------- */

void ouro__sim_trace_sqe(struct sim_trace *trace, uint64_t sequence, const char *name,
                         const struct io_uring_sqe *sqe, uint64_t target)
{
    add_event(trace, EVENT_SQE, sequence << 8 | sqe->opcode, target);
    add(trace, (uint64_t) (uint32_t) sqe->fd << 32 | sqe->len);
    add(trace, sqe->msg_flags);
    if (sqe->opcode == IORING_OP_ASYNC_CANCEL)
        print(trace, "sqe %llu %s of %llu\n", (unsigned long long) sequence, name,
              (unsigned long long) target);
    else
        print(trace, "sqe %llu %s fd=%d len=%u flags=0x%x\n", (unsigned long long) sequence, name,
              sqe->fd, sqe->len, sqe->msg_flags);
}

void ouro__sim_trace_cqe(struct sim_trace *trace, uint64_t sequence, const char *name, int result)
{
    add_event(trace, EVENT_CQE, sequence, (uint64_t) (int64_t) result);
    print(trace, "cqe %llu %s %d\n", (unsigned long long) sequence, name, result);
}

void ouro__sim_trace_call(struct sim_trace *trace, enum sim_call call, const int arguments[3],
                          int result)
{
    static const char *const names[] = {
        [SIM_CALL_SOCKET] = "socket",
        [SIM_CALL_BIND] = "bind",
        [SIM_CALL_LISTEN] = "listen",
        [SIM_CALL_SHUTDOWN] = "shutdown",
        [SIM_CALL_GETSOCKNAME] = "getsockname",
        [SIM_CALL_GETPEERNAME] = "getpeername",
        [SIM_CALL_GETSOCKOPT] = "getsockopt",
        [SIM_CALL_SETSOCKOPT] = "setsockopt",
        [SIM_CALL_SOCKETPAIR] = "socketpair",
        [SIM_CALL_FSTAT] = "fstat",
        [SIM_CALL_FTRUNCATE] = "ftruncate",
        [SIM_CALL_GETDENTS] = "getdents",
        [SIM_CALL_PIPE] = "pipe",
        [SIM_CALL_SPLICE] = "splice",
    };

    add_event(trace, EVENT_CALL, (uint64_t) call, (uint64_t) (int64_t) result);
    for (unsigned i = 0; i < 3; i++)
        add(trace, (uint64_t) (int64_t) arguments[i]);
    print(trace, "call %s(%d, %d, %d) = %d\n", names[call], arguments[0], arguments[1],
          arguments[2], result);
}

void ouro__sim_trace_clock(struct sim_trace *trace, int64_t by)
{
    add_event(trace, EVENT_CLOCK, 0, (uint64_t) by);
    print(trace, "clock +%lld.%09lld\n", (long long) (by / OURO_SECOND),
          (long long) (by % OURO_SECOND));
}

void ouro__sim_trace_fault(struct sim_trace *trace, int code)
{
    add_event(trace, EVENT_FAULT, 0, (uint64_t) (int64_t) code);
    print(trace, "enter fails: %d\n", code);
}
