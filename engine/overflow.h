/* SPDX-License-Identifier: MIT */
/*
 * overflow.h - naming the task whose stack overflowed
 *
 * Touching a guard raises SIGSEGV. A handler on an alternate stack writes which task or
 * coroutine it was, and where it was spawned, and lets the process end as it would have.
 * It is installed only where nobody else claimed the signal (sanitizers do).
 */
#ifndef OURO_OVERFLOW_H
#define OURO_OVERFLOW_H

#include <stdbool.h>

struct overflow_watch {
    void *alternate_stack; /* NULL: the thread had one */
    bool is_installed;
};

/* Failing to install it is no error: a guard is a guard. */
void ouro__overflow_watch(struct overflow_watch *self);
void ouro__overflow_unwatch(struct overflow_watch *self);

/* In the child of a fork, which has no loop. Async-signal-safe. */
void ouro__overflow_forget(void);

/*
 * Gives the thread an alternate stack for signal handlers, to be taken back when it is used no
 * more. Returns NULL when the thread has one, or without memory.
 */
void *ouro__overflow_give_stack(void);
void ouro__overflow_take_stack(void *stack);

#endif /* OURO_OVERFLOW_H */
