/* SPDX-License-Identifier: MIT */
/*
 * timeouts - time limits, cancellation, and how to clean up in spite of them
 *
 * Shows:  limits that nest; that a cancelled task can't miss it; a shield.
 * Run:    build/examples/timeouts
 * Prints: an hour's sleep: Connection timed out
 *         the inner limit ran out, the outer one did not
 *         worker: first wait: Operation canceled
 *         worker: second wait: Operation canceled
 *         worker: wait under a shield: Success
 *         worker: wait after it: Operation canceled
 *         worker ends with 7
 */
#include <stdio.h>

#include "ouro.h"

static int nest(void)
{
    struct ouro_timeout outer, inner;
    int code, inner_ran_out, outer_ran_out;

    ouro_timeout_begin(&outer, 60 * OURO_SECOND);
    ouro_timeout_begin(&inner, 10 * OURO_MILLISECOND);
    code = ouro_sleep(3600 * OURO_SECOND); /* any number of waiting calls */
    inner_ran_out = ouro_timeout_end(&inner);
    outer_ran_out = ouro_timeout_end(&outer);
    printf("an hour's sleep: %s\n", ouro_strerror(code));
    printf("the inner limit %s, the outer one %s\n", inner_ran_out ? "ran out" : "did not run out",
           outer_ran_out ? "did as well" : "did not");
    return inner_ran_out && !outer_ran_out ? 0 : code;
}

static void try_to_wait(const char *what)
{
    int code = ouro_sleep(20 * OURO_MILLISECOND);

    printf("worker: %s: %s\n", what, ouro_strerror(code));
}

/* Needs to say good-bye when it is cancelled, and that takes a wait. */
static int work(void *arg)
{
    struct ouro_shield shield;

    (void) arg;
    try_to_wait("first wait");
    try_to_wait("second wait");
    ouro_shield_begin(&shield, OURO_SECOND); /* not longer than that */
    try_to_wait("wait under a shield");
    ouro_shield_end(&shield);
    try_to_wait("wait after it");
    return 7;
}

static int cancel_a_worker(void)
{
    ouro_task_id worker = ouro_spawn(work, NULL);
    int result, code;

    if (worker < 0)
        return (int) worker;
    code = ouro_yield(); /* now it is in its first wait */
    (void) ouro_cancel_join(worker, &result);
    if (!code)
        printf("worker ends with %d\n", result);
    return code;
}

static int main_task(void *arg)
{
    int code = nest();

    (void) arg;
    return code ? code : cancel_a_worker();
}

int main(void)
{
    return ouro_run(main_task, NULL, NULL) ? 1 : 0;
}
