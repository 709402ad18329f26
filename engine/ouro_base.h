/* SPDX-License-Identifier: MIT */
/*
 * ouro_base.h - what every public header builds on: attributes, units, errors
 *
 * The defaults of the whole API are stated here once; comments elsewhere state
 * only what differs.
 *
 * Errors      Calls return 0 or a count (>= 0) on success and a negative code
 *             on failure: -errno, or one of the OURO_E* below. errno is neither
 *             read nor set, and does not survive a suspension.
 * Outputs     Come last, are named ret_*, and are written on success only.
 * Arguments   Are borrowed until the call returns, and not NULL unless said.
 *             Functions named *_take keep what they are given, on success only.
 * Context     "task, may suspend": only from inside a task (marked OURO_TASK);
 *             other tasks of the thread run meanwhile. "task": inside a task,
 *             never suspends. "loop thread": anywhere on a thread that is inside
 *             ouro_run(). "any thread": no restriction.
 * Interrupts  A call that may suspend fails with -ECANCELED when its task was
 *             cancelled and with -ETIMEDOUT when a time-limit scope around it
 *             ran out, before it starts anything. A transfer that happened is
 *             always reported, and so is an error that no later call would
 *             tell of (a reset, a failed fsync); the interruption then fails
 *             the next call.
 *             Exceptions say so where they are declared.
 * Threads     Nothing may be shared between threads unless its comment says so.
 * Time        Is int64_t nanoseconds of CLOCK_MONOTONIC (see ouro_now()).
 */
#ifndef OURO_BASE_H
#define OURO_BASE_H

#include <stddef.h>
#include <stdint.h>

/* Of these headers; what the library itself is, its soname and its .pc file say. */
#define OURO_VERSION "0.1.0"

#if defined(__cplusplus)
#define OURO_BEGIN_DECLS extern "C" {
#define OURO_END_DECLS   }
#else
#define OURO_BEGIN_DECLS
#define OURO_END_DECLS
#endif

/* Part of the exported interface; everything else has hidden visibility. */
#define OURO_API __attribute__((visibility("default")))

/*
 * Marks every function that may suspend its task. It expands to nothing: it is
 * there for the reader. A function without it must not call one that has it.
 */
#define OURO_TASK

#define OURO_PRINTF(format_index, first_index) \
    __attribute__((format(printf, format_index, first_index)))

#define OURO_NANOSECOND  INT64_C(1)
#define OURO_MICROSECOND INT64_C(1000)
#define OURO_MILLISECOND INT64_C(1000000)
#define OURO_SECOND      INT64_C(1000000000)
#define OURO_FOREVER     INT64_MAX /* no deadline */

/*
 * Own codes, below every -errno. Each has a text in ouro_strerror(). None is a multiple of 256, so
 * that a main() which returns one as it is does not exit with status 0.
 */
enum ouro_error {
    OURO_EEOF = -4097,        /* the stream ended too soon; the channel or mailbox has ended */
    OURO_ELIMIT = -4098,      /* a configured size limit was reached */
    OURO_ENONAME = -4099,     /* the host name does not exist or has no address */
    OURO_ERESOLVER = -4100,   /* the name servers did not give a usable answer */
    OURO_EADDRESS = -4101,    /* text is not an address of the form expected */
    OURO_EURL = -4102,        /* text is not a URL of a supported form */
    OURO_EHTTP = -4103,       /* the peer's message is not valid HTTP/1.x */
    OURO_ERING = -4104,       /* OURO_RING or the ring option is not understood */
    OURO_EDEADLOCK = -4105,   /* every task sleeps and nothing can wake one */
    OURO_ETLS = -4106,        /* TLS failed; the hint or ouro_tls_error_text() says why */
    OURO_ECERTIFICATE = -4107 /* the peer's certificate is not trusted, or not its own */
};

OURO_BEGIN_DECLS

/*
 * ouro_strerror - the text for a code that an ouro function returned
 * @code: negative; a non-negative one gives "Success"
 *
 * Context: any thread.
 * Returns: a constant string, never NULL.
 */
OURO_API const char *ouro_strerror(int64_t code);

OURO_END_DECLS

#endif /* OURO_BASE_H */
