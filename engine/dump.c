/* SPDX-License-Identifier: MIT */
/*
 * dump.c - what the tasks of a loop are doing, in lines of text; see ouro_debug.h
 *
 * Tasks that are in no group are found in the dense table, members from their group's owner
 * on. Groups and their members are linked both ways, so that the walk needs no memory of
 * its own, however deep the tree; text leaves through a small buffer, and what a line has no
 * room for any more is counted in a small table. So a million tasks can be dumped from a
 * task with little stack, out of memory or not.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dispatcher.h"
#include "dump.h"
#include "ouro_debug.h"

#define DUMP_LINES_MAX     1000
#define DEADLOCK_LINES_MAX 20
#define LIMITS_MAX         4
#define INDENT_MAX         40
#define PIECE_BYTES_MAX    512 /* of a line that is printed at once */

/* Tasks of one name that wait for the same. */
struct tally {
    const char *name, *what;
    unsigned count;
};

struct dump {
    struct dispatcher *dispatcher;
    int64_t now;
    unsigned lines_left;
    unsigned uncounted; /* found no row */
    unsigned row_count;
    struct tally rows[24];

    int fd;
    int code; /* 0, or why nothing more is written */
    size_t len;
    char text[2 * PIECE_BYTES_MAX];
};

/* --- writing ---------------------------------------------------------------------------- */

static void flush(struct dump *dump)
{
    size_t done = 0;

    while (done < dump->len && !dump->code) {
        ssize_t written = write(dump->fd, dump->text + done, dump->len - done);

        if (written >= 0)
            done += (size_t) written;
        else if (errno != EINTR)
            dump->code = -errno;
    }
    dump->len = 0;
}

OURO_PRINTF(2, 3) static void print(struct dump *dump, const char *format, ...)
{
    va_list arguments;
    int len;

    if (sizeof(dump->text) - dump->len < PIECE_BYTES_MAX)
        flush(dump);
    va_start(arguments, format);
    len = vsnprintf(dump->text + dump->len, PIECE_BYTES_MAX, format, arguments);
    va_end(arguments);
    if (len > 0)
        dump->len += len < PIECE_BYTES_MAX ? (size_t) len : PIECE_BYTES_MAX - 1;
}

static void print_duration(struct dump *dump, int64_t ns)
{
    if (ns < 0)
        ns = 0;
    if (ns < 10 * OURO_SECOND)
        print(dump, "%lld ms", (long long) (ns / OURO_MILLISECOND));
    else
        print(dump, "%lld s", (long long) (ns / OURO_SECOND));
}

/* --- one task ---------------------------------------------------------------------------- */

static bool is_op(const struct wait *wait)
{
    return wait->kind == &ouro__op_wait_kind || wait->kind == &ouro__op_cleanup_wait_kind;
}

static const char *name_of_wait(const struct wait *wait)
{
    return is_op(wait) ? ouro__op_name(container_of(wait, struct op, wait)->kind)
                       : wait->kind->name;
}

static const char *what_it_does(const struct ouro_task *task)
{
    switch (task->state) {
    case TASK_RUNNABLE:
        return "is runnable";
    case TASK_RUNNING:
        return "runs";
    case TASK_PARKED:
        return name_of_wait(task->wait);
    case TASK_ENDED:
        return "has ended";
    }
    return "";
}

static void print_op(struct dump *dump, const struct op *op)
{
    print(dump, "%s", ouro__op_name(op->kind));
    switch (op->kind) {
    case OP_ACCEPT:
        print(dump, " of fd %d", op->args.accept.fd);
        break;
    case OP_CLOSE:
        print(dump, " of fd %d", op->args.close.fd);
        break;
    case OP_CONNECT:
        print(dump, " of fd %d", op->args.connect.fd);
        break;
    case OP_POLL:
        print(dump, " of fd %d for events 0x%x", op->args.poll.fd, op->args.poll.events);
        break;
    case OP_RECV:
        print(dump, " of fd %d, %zu bytes", op->args.recv.fd, op->args.recv.len);
        break;
    case OP_SEND:
        print(dump, " of fd %d, %zu bytes", op->args.send.fd, op->args.send.len);
        break;
    default:
        break; /* its name says enough */
    }
    if (op->state == OP_STAGED)
        print(dump, ", not submitted yet");
    else if (op->state == OP_CANCELLING)
        print(dump, ", being cancelled");
}

static void print_wait(struct dump *dump, const struct ouro_task *task)
{
    const struct wait *wait = task->wait;
    char text[PIECE_BYTES_MAX / 2];

    print(dump, "waits: ");
    if (is_op(wait)) {
        print_op(dump, container_of(wait, struct op, wait));
    } else if (wait->kind->describe) {
        (void) wait->kind->describe(wait, text, sizeof(text));
        print(dump, "%s", text);
    } else {
        print(dump, "%s", wait->kind->name);
    }
    if (task->sleep_deadline != OURO_FOREVER) {
        print(dump, ", ");
        print_duration(dump, task->sleep_deadline - dump->now);
        print(dump, " left");
    }
    print(dump, ", for ");
    print_duration(dump, dump->now - task->parked_since);
}

static void print_limit(struct dump *dump, const struct ouro_timeout *scope)
{
    bool is_shield = scope->state == SCOPE_SHIELDING || scope->state == SCOPE_LIFTED;

    print(dump, is_shield ? ", shield of " : ", limit of ");
    if (scope->state == SCOPE_LIFTED || scope->state == SCOPE_EXPIRED ||
        scope->state == SCOPE_DISTURBED) {
        print(dump, "0 ms");
    } else if (scope->deadline == OURO_FOREVER) {
        print(dump, "no end");
    } else {
        print_duration(dump, scope->deadline - dump->now);
    }
}

static void print_limits(struct dump *dump, const struct ouro_task *task)
{
    unsigned count = 0;

    for (const struct ouro_timeout *scope = task->scope; scope; scope = scope->outer) {
        if (++count > LIMITS_MAX) {
            print(dump, ", ...");
            break;
        }
        print_limit(dump, scope);
    }
}

static void print_stack(struct dump *dump, struct stack stack)
{
    if (stack.limit)
        print(dump, ", stack %zu of %zu KiB", ouro__stack_touched(stack) >> 10,
              (size_t) (stack.top - stack.limit) >> 10);
}

static void print_task(struct dump *dump, const struct ouro_task *task, unsigned depth)
{
    unsigned indent = 2 * (depth + 1);

    print(dump, "ouro: %*stask \"%s\", spawned at %s, ",
          (int) (indent < INDENT_MAX ? indent : INDENT_MAX), "", task->name, task->place);
    if (task->state == TASK_PARKED)
        print_wait(dump, task);
    else
        print(dump, "%s", what_it_does(task));
    print_limits(dump, task);
    if (task->flags & TASK_CANCELLED)
        print(dump, ", cancelled: %s", task->cancel_reason);
    print_stack(dump, task->coro.stack);
    if (task->suspend_count > 1)
        print(dump, ", suspended %llu times", (unsigned long long) task->suspend_count);
    print(dump, ", id %lld\n", (long long) task->slot.id);
}

/* --- many tasks ---------------------------------------------------------------------------- */

static void count_task(struct dump *dump, const struct ouro_task *task)
{
    const char *what = what_it_does(task);
    struct tally *row = dump->rows;

    for (; row < dump->rows + dump->row_count; row++) {
        if (!strcmp(row->name, task->name) && !strcmp(row->what, what)) {
            row->count++;
            return;
        }
    }
    if (dump->row_count == COUNT_OF(dump->rows)) {
        dump->uncounted++;
    } else {
        *row = (struct tally) {task->name, what, 1};
        dump->row_count++;
    }
}

static void print_counts(struct dump *dump)
{
    if (dump->row_count == 0)
        return;
    print(dump, "ouro:   ... of %u; the others:\n", dump->dispatcher->tasks.live_count);
    for (unsigned i = 0; i < dump->row_count; i++)
        print(dump, "ouro:   %u x task \"%s\", %s\n", dump->rows[i].count, dump->rows[i].name,
              dump->rows[i].what);
    if (dump->uncounted)
        print(dump, "ouro:   %u x something else\n", dump->uncounted);
}

/* The oldest member of the first group, from `group` outwards, that has any. */
static const struct ouro_task *first_member(const struct ouro_group *group)
{
    const struct ouro_task *member;

    while (group && !group->first)
        group = group->outer;
    if (!group)
        return NULL;
    for (member = group->first; member->group_next;)
        member = member->group_next;
    return member;
}

/* The task after `task` in the tree below `root`; NULL: there is none. */
static const struct ouro_task *next_in_tree(const struct ouro_task *root,
                                            const struct ouro_task *task, unsigned *depth)
{
    const struct ouro_task *next = first_member(task->open_groups);

    if (next) {
        ++*depth;
        return next;
    }
    for (; task != root; task = task->group->owner, --*depth) {
        if (task->group_prev)
            return task->group_prev;
        next = first_member(task->group->outer);
        if (next)
            return next;
    }
    return NULL;
}

static void dump_tree(struct dump *dump, const struct ouro_task *root)
{
    unsigned depth = 0;

    for (const struct ouro_task *task = root; task; task = next_in_tree(root, task, &depth)) {
        if (dump->lines_left > 0) {
            dump->lines_left--;
            print_task(dump, task, depth);
        } else {
            count_task(dump, task);
        }
    }
}

static void dump_tasks(struct dump *dump)
{
    const struct task_table *table = &dump->dispatcher->tasks;

    for (uint32_t index = 0; index < table->slots_used; index++) {
        const struct ouro_task *task = ouro__task_table_slot(table, index);

        if (task->slot.id && !task->group)
            dump_tree(dump, task);
    }
    print_counts(dump);
    flush(dump);
}

static void begin(struct dump *dump, struct dispatcher *dispatcher, int fd, unsigned lines_max)
{
    dump->dispatcher = dispatcher;
    dump->now = ouro__dispatcher_now(dispatcher);
    dump->lines_left = lines_max;
    dump->uncounted = dump->row_count = 0;
    dump->fd = fd;
    dump->code = 0;
    dump->len = 0;
}

int ouro__dump(struct dispatcher *dispatcher, int fd)
{
    struct dump dump;

    begin(&dump, dispatcher, fd, DUMP_LINES_MAX);
    print(&dump, "ouro: thread %d: %u tasks, %u operations in flight, turn %llu, ring %s\n",
          (int) gettid(), dispatcher->tasks.live_count, dispatcher->in_flight_count,
          (unsigned long long) dispatcher->turn_count, ouro__ring_mode_name(&dispatcher->ring));
    dump_tasks(&dump);
    return dump.code;
}

void ouro__dump_deadlock(struct dispatcher *dispatcher)
{
    struct dump dump;

    begin(&dump, dispatcher, STDERR_FILENO, DEADLOCK_LINES_MAX);
    print(&dump, "ouro: deadlock: all tasks sleep and nothing can wake one\n");
    dump_tasks(&dump);
}

/* --- the public side ------------------------------------------------------------------------ */

int ouro_dump(int fd)
{
    return ouro__dispatcher ? ouro__dump(ouro__dispatcher, fd) : -EINVAL;
}

size_t ouro_stack_high_water(void)
{
    const struct ouro_task *task = ouro__dispatcher ? ouro__dispatcher->current : NULL;

    return task ? ouro__stack_touched(task->coro.stack) : 0;
}
