/* SPDX-License-Identifier: MIT */
/*
 * results - what becomes of the results and the errors of tasks
 *
 * Shows:  ouro_spawn and ouro_join; a group, in which the first error ends the others.
 * Run:    build/examples/results
 * Prints: 3 squared is 9, 4 squared is 16
 *         slow: Operation canceled (another member of its group failed)
 *         the group: No such file or directory
 */
#include <errno.h>
#include <stdio.h>

#include "ouro.h"

/* Stands for whatever takes its time and gives a number. */
static int square(void *arg)
{
    int n = *(const int *) arg;
    int code = ouro_sleep(10 * OURO_MILLISECOND);

    return code ? code : n * n;
}

static int join_two(void)
{
    int three = 3, four = 4; /* outlive the tasks, as both are joined below */
    int first = 0, second = 0, code;
    ouro_task_id a, b;

    a = ouro_spawn(square, &three);
    if (a < 0)
        return (int) a;
    b = ouro_spawn(square, &four);
    if (b < 0) {
        (void) ouro_cancel_join(a, NULL);
        return (int) b;
    }
    code = ouro_join(a, &first);
    if (!code)
        code = ouro_join(b, &second);
    if (code) { /* we were interrupted: whoever is joined already is not found, and that is all */
        (void) ouro_cancel_join(a, NULL);
        (void) ouro_cancel_join(b, NULL);
        return code;
    }
    printf("3 squared is %d, 4 squared is %d\n", first, second);
    return 0;
}

static int slow(void *arg)
{
    int code = ouro_sleep(3600 * OURO_SECOND);

    (void) arg;
    if (code)
        printf("slow: %s (%s)\n", ouro_strerror(code), ouro_cancel_reason());
    return code;
}

static int failing(void *arg)
{
    (void) arg;
    return -ENOENT;
}

static int one_fails(void)
{
    struct ouro_group group;
    int code, failure;

    ouro_group_init(&group);
    code = ouro_group_spawn(&group, slow, NULL);
    if (!code)
        code = ouro_group_spawn(&group, failing, NULL);
    if (code)
        ouro_group_cancel(&group);
    failure = ouro_group_wait(&group); /* always, whatever happened */
    if (code)
        return code;
    printf("the group: %s\n", ouro_strerror(failure));
    return 0;
}

static int main_task(void *arg)
{
    int code = join_two();

    (void) arg;
    return code ? code : one_fails();
}

int main(void)
{
    return ouro_run(main_task, NULL, NULL) ? 1 : 0;
}
