/* SPDX-License-Identifier: MIT */
/* dump.h - lists of tasks for people; ouro_debug.h is the public side */
#ifndef OURO_DUMP_H
#define OURO_DUMP_H

struct dispatcher;

/* ouro_dump() of a loop, from its thread. Returns 0 or the -errno of write(2). */
int ouro__dump(struct dispatcher *dispatcher, int fd);

/* Says on stderr that nothing can wake a task, and lists them: not many lines. */
void ouro__dump_deadlock(struct dispatcher *dispatcher);

#endif /* OURO_DUMP_H */
