/* SPDX-License-Identifier: MIT */
/* check.c - how a failed CHECK() ends the process */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "dispatcher.h"

void ouro__check_failed(const char *condition, const char *meaning, const char *file, int line)
{
    const struct ouro_task *task = ouro__dispatcher ? ouro__dispatcher->current : NULL;

    (void) fprintf(stderr, "ouro: %s (%s, %s:%d)\n", meaning, condition, file, line);
    if (task)
        (void) fprintf(stderr, "ouro: in task \"%s\", spawned at %s\n", task->name, task->place);
    abort();
}
