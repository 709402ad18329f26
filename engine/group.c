/* SPDX-License-Identifier: MIT */
/*
 * group.c - groups of tasks; see ouro_task.h
 *
 * Members are on a doubly linked list through struct ouro_task. They are detached: a
 * member's slot is free as soon as it has ended, and what remains of it is the group's
 * result. Groups that their owner has not waited for are on a list, checked at its end.
 */
#include <errno.h>

#include "dispatcher.h"
#include "group.h"

/* Private flags, beside those of enum ouro_group_flags. */
#define GROUP_CANCELLED 0x10000u

static const char owner_reason[] = "its group's owner was interrupted";

struct group_wait {
    struct wait wait;
    struct ouro_group *group;
    struct group_wait *next; /* whose members are to be cancelled, too */
    bool was_interrupted;
};

/* Why members are cancelled: for what the owner was, as far as that is why. */
static const char *reason_of(const struct ouro_group *group, const char *otherwise)
{
    return group->owner->flags & TASK_CANCELLED ? group->owner->cancel_reason : otherwise;
}

static void cancel_each(struct ouro_group *group, const char *reason)
{
    group->flags |= GROUP_CANCELLED;
    for (struct ouro_task *member = group->first; member; member = member->group_next)
        ouro__task_cancel(member, reason);
}

/*
 * Members that wait for groups of their own are interrupted, and so cancel their members. That is
 * not done by recursion, since groups may be nested as deeply as there are tasks, and the stack
 * is some task's: interrupt_wait() puts such waits on a list, which this works off.
 */
static void cancel_members(struct ouro_group *group, const char *reason)
{
    struct dispatcher *dispatcher = ouro__dispatcher;
    struct group_wait *interrupted = NULL;

    dispatcher->interrupted_waits = &interrupted;
    cancel_each(group, reason);
    while (interrupted) {
        group = interrupted->group;
        interrupted = interrupted->next;
        cancel_each(group, reason_of(group, owner_reason));
    }
    dispatcher->interrupted_waits = NULL;
}

/* The owner keeps waiting; that the members are cancelled is what ends it. */
static void interrupt_wait(struct wait *wait, int code)
{
    struct group_wait *self = container_of(wait, struct group_wait, wait);
    struct group_wait **interrupted = ouro__dispatcher->interrupted_waits;

    (void) code;
    self->was_interrupted = true;
    if (!interrupted) {
        cancel_members(self->group, reason_of(self->group, owner_reason));
        return;
    }
    self->next = *interrupted;
    *interrupted = self;
}

static const struct wait_kind group_wait_kind = {.name = "group", .interrupt = interrupt_wait};

void ouro_group_init(struct ouro_group *group)
{
    ouro_group_init_with(group, 0);
}

void ouro_group_init_with(struct ouro_group *group, unsigned flags)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_group_init() needs a task");

    *group = (struct ouro_group) {.owner = self, .outer = self->open_groups, .flags = flags};
    self->open_groups = group;
}

int ouro_group_spawn_at(struct ouro_group *group, ouro_task_fn *fn, void *arg,
                        const struct ouro_spawn_options *options, const char *name,
                        const char *place)
{
    struct ouro_task *member;
    ouro_task_id id = ouro__task_create(ouro__dispatcher, fn, arg, options, name, place, &member);

    if (id < 0)
        return (int) id;
    member->group = group;
    member->flags |= TASK_DETACHED;
    if (group->flags & GROUP_CANCELLED)
        ouro__task_cancel(member, "its group was cancelled before");
    member->group_prev = NULL;
    member->group_next = group->first;
    if (group->first)
        group->first->group_prev = member;
    group->first = member;
    ouro__task_start(ouro__dispatcher, member, options);
    return 0;
}

void ouro_group_cancel(struct ouro_group *group)
{
    cancel_members(group, reason_of(group, "ouro_group_cancel()"));
}

static void unlink_member(struct ouro_group *group, struct ouro_task *member)
{
    if (member->group_prev)
        member->group_prev->group_next = member->group_next;
    else
        group->first = member->group_next;
    if (member->group_next)
        member->group_next->group_prev = member->group_prev;
    member->group = NULL;
}

static bool is_error(const struct ouro_task *member)
{
    if (member->result == -ECANCELED && member->flags & TASK_CANCELLED)
        return false; /* it did as it was told */
    return member->result < 0;
}

void ouro__group_leave(struct ouro_task *member)
{
    struct ouro_group *group = member->group;

    unlink_member(group, member);
    if (is_error(member)) {
        if (group->result == 0)
            group->result = member->result;
        if (!(group->flags & (OURO_GROUP_INDEPENDENT | GROUP_CANCELLED)))
            cancel_members(group, "another member of its group failed");
    }
    if (!group->first && group->wait) {
        ouro__task_wake(group->wait, 0);
        group->wait = NULL;
    }
}

/* Groups usually end in the reverse order of their beginning, but need not. */
static void forget_open_group(struct ouro_task *self, struct ouro_group *group)
{
    struct ouro_group **link = &self->open_groups;

    while (*link && *link != group)
        link = &(*link)->outer;
    CHECK(*link == group, "ouro_group_wait() by a task that does not own the group");
    *link = group->outer;
}

int ouro_group_wait(struct ouro_group *group)
{
    struct ouro_task *self = ouro__dispatcher_task("ouro_group_wait() needs a task");
    struct group_wait wait = {{&group_wait_kind, self, 0}, group, NULL, false};

    while (group->first) { /* again, if somebody spawned between the wake-up and now */
        if (ouro__task_interruption())
            cancel_members(group, reason_of(group, owner_reason));
        group->wait = &wait.wait;
        (void) ouro__task_park(&wait.wait);
    }
    if (unlikely(wait.was_interrupted))
        (void) ouro__task_interruption(); /* a scope that ran out has disturbed this call */
    forget_open_group(self, group);
    return group->result;
}
