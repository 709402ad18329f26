/* SPDX-License-Identifier: MIT */
/* group.h - what task.c must know of groups; the rest is in ouro_task.h */
#ifndef OURO_GROUP_H
#define OURO_GROUP_H

#include "task.h"

/* A member's function has returned: takes it out of its group. */
void ouro__group_leave(struct ouro_task *member);

#endif /* OURO_GROUP_H */
