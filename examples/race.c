/* SPDX-License-Identifier: MIT */
/*
 * race - several tasks at once: the first one wins, or each has its turn as it ends; a future
 *
 * Shows:  ouro_wait_any, results in the order in which tasks end, ouro_future.
 * Run:    build/examples/race
 * Prints: first: runner 2; the others were sent home
 *         as they come: 2 3 1
 *         the referee says: green
 */
#include <stdio.h>

#include "ouro.h"

#define RUNNERS 3

struct runner {
    int number;
    int64_t arrival; /* on the loop's clock */
};

static int run(void *arg)
{
    const struct runner *runner = arg;
    int code = ouro_sleep_until(runner->arrival);

    return code ? code : runner->number;
}

/* Cancels what is left of them, and waits for it. */
static void send_home(const ouro_task_id *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void) ouro_cancel_join(ids[i], NULL);
}

/* Runner 1 arrives after 90 ms, 2 after 30 ms, 3 after 60 ms. */
static int start(struct runner runners[RUNNERS], ouro_task_id ids[RUNNERS])
{
    static const int64_t delays[RUNNERS] = {90, 30, 60};
    int64_t now = ouro_now();

    for (size_t i = 0; i < RUNNERS; i++) {
        runners[i] = (struct runner) {(int) i + 1, now + delays[i] * OURO_MILLISECOND};
        ids[i] = ouro_spawn(run, &runners[i]);
        if (ids[i] < 0) {
            send_home(ids, i);
            return (int) ids[i];
        }
    }
    return 0;
}

static int first_wins(void)
{
    struct runner runners[RUNNERS];
    ouro_task_id ids[RUNNERS];
    size_t index;
    int result = 0, code = start(runners, ids);

    if (code)
        return code;
    code = ouro_wait_any(ids, RUNNERS, &index);
    if (!code)
        code = ouro_join(ids[index], &result); /* it has ended: this returns at once */
    send_home(ids, RUNNERS);
    if (!code)
        printf("first: runner %d; the others were sent home\n", result);
    return code;
}

static int as_completed(void)
{
    struct runner runners[RUNNERS];
    ouro_task_id ids[RUNNERS];
    size_t count = RUNNERS, index;
    int result, code = start(runners, ids);

    if (code)
        return code;
    printf("as they come:");
    while (count > 0 && !code) {
        code = ouro_wait_any(ids, count, &index);
        if (!code)
            code = ouro_join(ids[index], &result);
        if (!code) {
            printf(" %d", result);
            ids[index] = ids[--count];
        }
    }
    printf("\n");
    send_home(ids, count);
    return code;
}

static int referee(void *arg)
{
    static char green[] = "green";
    int code = ouro_sleep(10 * OURO_MILLISECOND);

    return code ? ouro_future_fail(arg, code) : ouro_future_set(arg, green);
}

static int wait_for_referee(void)
{
    struct ouro_future signal = OURO_FUTURE_INIT;
    ouro_task_id id = ouro_spawn(referee, &signal);
    void *value;
    int code;

    if (id < 0)
        return (int) id;
    code = ouro_future_wait(&signal, &value); /* any number of tasks may wait for it */
    if (!code)
        printf("the referee says: %s\n", (char *) value);
    (void) ouro_cancel_join(id, NULL);
    return code;
}

static int main_task(void *arg)
{
    int code = first_wins();

    (void) arg;
    if (!code)
        code = as_completed();
    return code ? code : wait_for_referee();
}

int main(void)
{
    return ouro_run(main_task, NULL, NULL) ? 1 : 0;
}
