/* SPDX-License-Identifier: MIT */
/*
 * locks - an event to start with, a semaphore for two at a time, a mutex for one
 *
 * Shows:  what needs a lock in one thread: only what goes on across a waiting call.
 * Run:    build/examples/locks
 * Prints: ready
 *         visitor 1: begin, end
 *         visitor 2: begin, end
 *         visitor 3: begin, end
 *         at most 2 were inside
 */
#include <stdio.h>

#include "ouro.h"

static struct ouro_event is_ready = OURO_EVENT_INIT;
static struct ouro_semaphore seats = OURO_SEMAPHORE_INIT(2);
static struct ouro_mutex output = OURO_MUTEX_INIT;
static int inside, inside_max; /* no lock: nobody waits while it changes them */

/* Pieces that belong together, with a wait in between. */
static int print_in_one_line(int number)
{
    int code = ouro_mutex_lock(&output);

    if (code)
        return code; /* cancelled or out of time: not locked */
    printf("visitor %d: begin, ", number);
    code = ouro_sleep(OURO_MILLISECOND);
    printf("end\n");
    ouro_mutex_unlock(&output);
    return code;
}

static int visit(void *arg)
{
    int number = *(const int *) arg;
    int code = ouro_event_wait(&is_ready);

    if (!code)
        code = ouro_semaphore_acquire(&seats);
    if (code)
        return code;
    if (++inside > inside_max)
        inside_max = inside;
    code = print_in_one_line(number);
    inside--;
    ouro_semaphore_release(&seats, 1);
    return code;
}

static int main_task(void *arg)
{
    const struct ouro_spawn_options options = {.arg_bytes = sizeof(int)};
    struct ouro_group group;
    int code = 0, failure;

    (void) arg;
    ouro_group_init(&group);
    for (int number = 1; number <= 3 && !code; number++) /* each gets a copy of its number */
        code = ouro_group_spawn_with(&group, visit, &number, &options);
    if (code)
        ouro_group_cancel(&group);
    printf("ready\n");
    ouro_event_set(&is_ready);
    failure = ouro_group_wait(&group);
    printf("at most %d were inside\n", inside_max);
    return code ? code : failure;
}

int main(void)
{
    return ouro_run(main_task, NULL, NULL) ? 1 : 0;
}
