/* SPDX-License-Identifier: MIT */
/*
 * hook.c - what is done at a task's end, and values of a task's own; see ouro_local.h
 *
 * A task has one list of hooks, the newest first. A task-local value is a hook that knows
 * its variable: there are few, so that the list is short enough to be searched.
 */
#include <errno.h>
#include <stdlib.h>

#include "dispatcher.h"
#include "ouro_local.h"

struct task_hook {
    struct task_hook *older;
    void (*fn)(void *arg);          /* may be NULL */
    void *arg;                      /* a local's value */
    const struct ouro_local *local; /* NULL: ouro_defer() */
};

static int add(struct task_hook hook)
{
    struct ouro_task *self = ouro__dispatcher->current;
    struct task_hook *made = malloc(sizeof(*made));

    if (!made)
        return -ENOMEM;
    *made = hook;
    made->older = self->hooks;
    self->hooks = made;
    return 0;
}

/* A hook may add hooks: these run as well. */
void ouro__task_run_hooks(struct ouro_task *task)
{
    struct task_hook *hook;

    while ((hook = task->hooks)) {
        struct task_hook copy = *hook;

        task->hooks = copy.older;
        free(hook);
        if (copy.fn && (copy.arg || !copy.local))
            copy.fn(copy.arg);
    }
}

int ouro_defer(void (*fn)(void *arg), void *arg)
{
    (void) ouro__dispatcher_task("ouro_defer() needs a task");
    return add((struct task_hook) {.fn = fn, .arg = arg});
}

static struct task_hook *find(const struct ouro_local *local)
{
    struct task_hook *hook = ouro__dispatcher_task("a task-local value needs a task")->hooks;

    while (hook && hook->local != local)
        hook = hook->older;
    return hook;
}

int ouro_local_set(const struct ouro_local *local, void *value)
{
    struct task_hook *hook = find(local);

    if (!hook)
        return value ? add((struct task_hook) {NULL, local->destroy, value, local}) : 0;
    hook->arg = value;
    return 0;
}

void *ouro_local_get(const struct ouro_local *local)
{
    struct task_hook *hook = find(local);

    return hook ? hook->arg : NULL;
}
