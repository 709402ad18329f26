/* SPDX-License-Identifier: MIT */
/*
 * async_generator - a generator that waits between its values
 *
 * Shows:  a coroutine inside a task: the task sleeps, and wakes in the coroutine; its clean-up
 *         when the consumer has had enough.
 * Run:    build/examples/async_generator
 * Prints: tick 1
 *         tick 2
 *         tick 3
 *         the ticker cleans up
 */
#include <stdio.h>

#include "ouro.h"

struct ticker {
    int64_t interval_ns;
    int code; /* what ended it, if it was not the consumer */
};

static void tick(void *arg)
{
    struct ticker *ticker = arg;

    for (int n = 1;; n++) {
        ticker->code = ouro_sleep(ticker->interval_ns);
        if (ticker->code)
            break; /* the task was cancelled, or is out of time */
        if (ouro_coro_yield(&n, NULL))
            break; /* closed by the consumer */
    }
    printf("the ticker cleans up\n");
}

static int main_task(void *arg)
{
    struct ticker ticker = {.interval_ns = 10 * OURO_MILLISECOND};
    struct ouro_coro *ticks;
    void *value;
    int code = ouro_coro_create(tick, &ticker, NULL, &ticks);

    (void) arg;
    if (code)
        return code;
    while (ouro_coro_send(ticks, NULL, &value) == 1) {
        int n = *(int *) value;

        printf("tick %d\n", n);
        if (n == 3)
            break;
    }
    ouro_coro_close(ticks);
    return ticker.code;
}

int main(void)
{
    return ouro_run(main_task, NULL, NULL) ? 1 : 0;
}
