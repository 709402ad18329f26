/* SPDX-License-Identifier: MIT */
/* signal_wait.h - how the loop's own dispositions and those of watches keep out of each other's way */
#ifndef OURO_SIGNAL_WAIT_H
#define OURO_SIGNAL_WAIT_H

#include <signal.h>

/*
 * sigaction(2), but beneath the watches of that signal: while there are any, what it does when
 * the last of them is done.
 */
void ouro__signal_wait_replace(int number, const struct sigaction *action,
                               struct sigaction *ret_old);

/* In the child of a fork: ends all watches. Async-signal-safe. */
void ouro__signal_wait_forget(void);

#endif /* OURO_SIGNAL_WAIT_H */
