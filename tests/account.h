/* SPDX-License-Identifier: MIT */
/*
 * account.h - what the program holds: memory, fds, threads, stacks
 *
 * The runner takes an account before each test and fails the test when it ends with more or
 * less. The test program is linked with --wrap, so that the allocations of our libraries and
 * of the tests pass through account.c; those of other libraries don't, and are not ours to
 * count. The same seam lets an allocation fail.
 */
#ifndef OURO_TEST_ACCOUNT_H
#define OURO_TEST_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCOUNT_FDS 1024 /* those with higher numbers are counted, but not named */

struct account {
    size_t blocks;       /* of malloc() and its kin */
    size_t bytes;        /* asked for, in these blocks */
    size_t mapped_bytes; /* by mmap() */
    unsigned thread_count;
    unsigned fd_count;
    unsigned stack_count; /* in use in this thread: of tasks and generators */
    bool has_loop;        /* this thread has one */
    uint64_t serial;      /* blocks allocated so far */
    bool is_open[ACCOUNT_FDS];
};

#ifdef OURO_MINI_CUNIT

static inline void account_warm_up(const char *ring)
{
    (void) ring;
}

static inline void account_take(struct account *ret_account)
{
    (void) ret_account;
}

static inline bool account_is_balanced(const struct account *before)
{
    (void) before;
    return true;
}

#else

/*
 * Makes what is made once and kept for good: the counters that signal handlers look at, which
 * can't be freed as one may be about to. `ring` is the kernel's, or NULL.
 */
void account_warm_up(const char *ring);

void account_take(struct account *ret_account);

/* Whether the present state is that of `before`; else prints a line for each difference. */
bool account_is_balanced(const struct account *before);

/*
 * Lets the `nth` allocation from now (1: the next) fail, in whichever thread it happens:
 * malloc(), its kin, and mmap(). 0: none.
 */
void account_fail_allocation(unsigned nth);

/* Whether that allocation was asked for, and failed. */
bool account_has_failed(void);

#endif

#endif /* OURO_TEST_ACCOUNT_H */
