/* SPDX-License-Identifier: MIT */
/*
 * ouro_debug.h - looking at a running loop from inside
 *
 * What these functions write is for people: its form may change. docs/debugging.md shows
 * it, and how a debugger or a signal gets at the same.
 */
#ifndef OURO_DEBUG_H
#define OURO_DEBUG_H

#include "ouro_base.h"
#include "ouro_task.h"

OURO_BEGIN_DECLS

/*
 * ouro_dump - write what all tasks of this thread's loop are doing
 * @fd: is written to by plain write(2); when that blocks, the loop does
 *
 * One line per task: its name and place of spawn, what it waits for and since about when,
 * its time limits from the innermost outwards, how much of its stack it has touched.
 * Members of groups are indented below the group's owner. Of more than 1,000 tasks the
 * rest is summed up by name and wait.
 *
 * It allocates nothing, and needs 8 KiB of stack.
 *
 * Context: loop thread.
 * Returns: 0; -EINVAL outside a loop; -errno of write(2).
 */
OURO_API int ouro_dump(int fd);

/*
 * ouro_stack_high_water - how much of its stack the running task has touched
 *
 * In whole pages, from the top to the lowest one that is in memory. Stacks are used again:
 * what an earlier task touched counts, until the loop gives the stack's memory back. Pages
 * that were swapped out don't. In a generator it is still the stack of the task.
 *
 * Context: any thread.
 * Returns: bytes; 0 outside a task.
 */
OURO_API size_t ouro_stack_high_water(void);

/*
 * ouro_misuse - end the process, because a rule of an interface was broken
 * @meaning: what was done wrong, in a sentence without its full stop
 * @other:   a task that has to do with it, besides the running one, also one that has ended and
 *           was not joined; 0: none
 *
 * For libraries on top of this one: writes the sentence and the names of the tasks to stderr, as
 * the engine's own checks do, and calls abort(3).
 *
 * Context: any thread.
 */
__attribute__((noreturn, cold)) OURO_API void ouro_misuse(const char *meaning, ouro_task_id other);

OURO_END_DECLS

#endif /* OURO_DEBUG_H */
