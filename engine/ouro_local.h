/* SPDX-License-Identifier: MIT */
/*
 * ouro_local.h - what belongs to a task: values of its own, and what is done at its end
 *
 * Both are for code that is deep inside a task and does not know its function: a library
 * that keeps one connection per task, a log that knows the request. Where the function is at
 * hand, a local variable and a clean-up label are better.
 *
 * When the task's function has returned, all of it is undone in reverse order, in the task: the
 * clean-up functions may wait, but in a cancelled task a waiting call fails unless there is a
 * shield around it.
 */
#ifndef OURO_LOCAL_H
#define OURO_LOCAL_H

#include "ouro_base.h"

OURO_BEGIN_DECLS

/*
 * ouro_defer - have `fn(arg)` called when the running task's function has returned
 *
 * Context: task.
 * Returns: 0; -ENOMEM: it will not be called.
 */
OURO_API int ouro_defer(void (*fn)(void *arg), void *arg);

/*
 * A task-local variable: define one with static storage. Its address is the key. Each task has
 * its own value, NULL at first; nothing is handed down to the tasks that it spawns.
 */
struct ouro_local {
    void (*destroy)(void *value); /* called at the end of each task that has a value; or NULL */
};

/*
 * ouro_local_set - give the variable a value in the running task
 *
 * A former value is not destroyed: read it first. Setting a value that exists costs no memory.
 *
 * Context: task.
 * Returns: 0; -ENOMEM.
 */
OURO_API int ouro_local_set(const struct ouro_local *local, void *value);

/* ouro_local_get - its value in the running task; NULL: none. Context: task. */
OURO_API void *ouro_local_get(const struct ouro_local *local);

OURO_END_DECLS

#endif /* OURO_LOCAL_H */
