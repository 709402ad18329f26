/* SPDX-License-Identifier: MIT */
/* check.c - how a failed CHECK(), or a broken rule of a library above, ends the process */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "dispatcher.h"
#include "ouro_debug.h"

static void tell_running_task(void)
{
    const struct ouro_task *task = ouro__dispatcher ? ouro__dispatcher->current : NULL;

    if (task)
        (void) fprintf(stderr, "ouro: in task \"%s\", spawned at %s\n", task->name, task->place);
}

void ouro__check_failed(const char *condition, const char *meaning, const char *file, int line)
{
    (void) fprintf(stderr, "ouro: %s (%s, %s:%d)\n", meaning, condition, file, line);
    tell_running_task();
    abort();
}

void ouro_misuse(const char *meaning, ouro_task_id other)
{
    const struct ouro_task *task =
        ouro__dispatcher ? ouro__task_table_find(&ouro__dispatcher->tasks, other) : NULL;

    (void) fprintf(stderr, "ouro: %s\n", meaning);
    if (task)
        (void) fprintf(stderr, "ouro: the other task is \"%s\", spawned at %s, id %lld\n",
                       task->name, task->place, (long long) other);
    tell_running_task();
    abort();
}
