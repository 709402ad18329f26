/* SPDX-License-Identifier: MIT */
/*
 * offload - a long computation on a thread of its own, while the loop goes on
 *
 * Shows:  ouro_offload.
 * Run:    build/examples/offload
 * Prints: others run meanwhile
 *         there are 17984 primes below 200000
 */
#include <stdio.h>

#include "ouro.h"

/* Runs on another thread: what it touches is its own until ouro_offload() returns. */
static int count_primes(void *arg)
{
    int limit = *(const int *) arg, count = 0;

    for (int n = 2; n < limit; n++) {
        int divisor = 2;

        while (divisor * divisor <= n && n % divisor)
            divisor++;
        if (divisor * divisor > n)
            count++;
    }
    return count;
}

static int other(void *arg)
{
    (void) arg;
    printf("others run meanwhile\n");
    return 0;
}

static int main_task(void *arg)
{
    int limit = 200000, count; /* on our stack, which is safe: the call waits for the thread */
    ouro_task_id id = ouro_spawn(other, NULL);
    int code;

    (void) arg;
    if (id < 0)
        return (int) id;
    code = ouro_offload(count_primes, &limit, &count);
    (void) ouro_cancel_join(id, NULL);
    if (!code)
        printf("there are %d primes below %d\n", count, limit);
    return code;
}

int main(void)
{
    return ouro_run(main_task, NULL, NULL) ? 1 : 0;
}
