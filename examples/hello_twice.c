/* SPDX-License-Identifier: MIT */
/*
 * hello_twice - two tasks sleep at once, in one thread
 *
 * Shows:  groups; that a task's sleep holds nobody up.
 * Run:    build/examples/hello_twice
 * Prints: Hello world! twice, and after one second (not two) Hello again! twice, each with the
 *         number of the thread that printed it
 */
#include <stdio.h>
#include <unistd.h>

#include "ouro.h"

static int hello(void *arg)
{
    int code;

    (void) arg;
    printf("Hello world! (thread %d)\n", (int) gettid());
    code = ouro_sleep(1 * OURO_SECOND);
    if (code)
        return code;
    printf("Hello again! (thread %d)\n", (int) gettid());
    return 0;
}

static int both(void *arg)
{
    struct ouro_group group;
    int code;

    (void) arg;
    ouro_group_init(&group);
    code = ouro_group_spawn(&group, hello, NULL);
    if (!code)
        code = ouro_group_spawn(&group, hello, NULL);
    if (code)
        ouro_group_cancel(&group);

    int failure = ouro_group_wait(&group);

    return code ? code : failure;
}

int main(void)
{
    return ouro_run(both, NULL, NULL) ? 1 : 0;
}
