/* SPDX-License-Identifier: MIT */
/*
 * pipeline - producers, a bounded channel, workers, and one task that collects
 *
 * Shows:  channels as queues with back-pressure; closing one, which ends its receivers when
 *         it is empty; select on two channels.
 * Run:    build/examples/pipeline
 * Prints: 1 to 20 have 20 squares, whose sum is 2870; 2 workers ended
 */
#include <stdio.h>

#include "ouro.h"

static int numbers_buffer[4];
static struct ouro_channel numbers = OURO_CHANNEL_INIT_ARRAY(numbers_buffer);
static struct ouro_channel squares = OURO_CHANNEL_INIT_RENDEZVOUS(sizeof(int));
static struct ouro_channel ends = OURO_CHANNEL_INIT_RENDEZVOUS(0); /* say no more than that */

/* Ten numbers from *arg on; waits whenever the workers are behind. */
static int produce(void *arg)
{
    int first = *(int *) arg, code = 0;

    for (int n = first; n < first + 10 && !code; n++)
        code = ouro_channel_send(&numbers, &n);
    return code;
}

static int produce_all(void *arg)
{
    int firsts[] = {1, 11};
    struct ouro_group group;
    int code;

    (void) arg;
    ouro_group_init(&group);
    code = ouro_group_spawn(&group, produce, &firsts[0]);
    if (!code)
        code = ouro_group_spawn(&group, produce, &firsts[1]);

    int failure = ouro_group_wait(&group);

    ouro_channel_close(&numbers);
    return code ? code : failure;
}

static int work(void *arg)
{
    int code, n;

    (void) arg;
    while (!(code = ouro_channel_receive(&numbers, &n))) {
        int square = n * n;

        code = ouro_channel_send(&squares, &square);
        if (code)
            return code;
    }
    return code == OURO_EEOF ? ouro_channel_send(&ends, NULL) : code;
}

/* Takes squares until both workers have ended. */
static int collect(void *arg)
{
    int square, count = 0, sum = 0, ended = 0;
    struct ouro_select_case cases[] = {
        {.channel = &squares, .operation = OURO_SELECT_RECEIVE, .item = &square},
        {.channel = &ends, .operation = OURO_SELECT_RECEIVE},
    };

    (void) arg;
    while (ended < 2) {
        int index = ouro_select(cases, 2, 0);

        if (index < 0)
            return index;
        if (index == 1) {
            ended++;
            continue;
        }
        count++;
        sum += square;
    }
    printf("1 to 20 have %d squares, whose sum is %d; %d workers ended\n", count, sum, ended);
    return 0;
}

static int run(void *arg)
{
    ouro_task_fn *const fns[] = {produce_all, work, work, collect};
    struct ouro_group group;
    int code = 0;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < 4 && !code; i++)
        code = ouro_group_spawn(&group, fns[i], NULL);
    if (code)
        ouro_group_cancel(&group);

    int failure = ouro_group_wait(&group);

    return code ? code : failure;
}

int main(void)
{
    return ouro_run(run, NULL, NULL) ? 1 : 0;
}
