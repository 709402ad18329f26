/* SPDX-License-Identifier: MIT */
/*
 * op.c - see op.h for the state table, op_call.h for the common case
 *
 * The dispatcher's lists hold what found no room in the submission queue, so that nothing
 * is ever refused or dropped: not when a million tasks time out at once while the queue
 * is full. ouro__op_flush() empties them in order, cancels first, since those give
 * memory and fds back.
 */
#include <errno.h>
#include <sys/stat.h>

#include "dispatcher.h"
#include "op_call.h"

static void add_backlog(struct dispatcher *dispatcher, struct list *list, struct list *node)
{
    list_append(list, node);
    dispatcher->has_backlog = true;
}

static uint64_t source_tag(const struct source *source)
{
    return (uint64_t) (uintptr_t) source | TAG_SOURCE;
}

const char *ouro__op_name(enum op_kind kind)
{
    static const char *const names[] = {
        [OP_ACCEPT] = "accept",   [OP_CLOSE] = "close",
        [OP_CONNECT] = "connect", [OP_FALLOCATE] = "fallocate",
        [OP_FSYNC] = "fsync",     [OP_MKDIR] = "mkdir",
        [OP_NOP] = "nop",         [OP_OPEN] = "open",
        [OP_POLL] = "poll",       [OP_READ] = "read",
        [OP_READV] = "readv",     [OP_RECV] = "recv",
        [OP_RECVMSG] = "recvmsg", [OP_RENAME] = "rename",
        [OP_SEND] = "send",       [OP_SENDMSG] = "sendmsg",
        [OP_STATX] = "stat",      [OP_UNLINK] = "unlink",
        [OP_WRITE] = "write",     [OP_WRITEV] = "writev",
        [OP_USER] = "submit_sqe",
    };

    return names[kind];
}

/* --- interrupting ------------------------------------------------------------------- */

static void prepare_cancel(struct io_uring_sqe *sqe, uint64_t user_data)
{
    io_uring_prep_cancel64(sqe, user_data, /* flags= */ 0);
    io_uring_sqe_set_data64(sqe, RING_IGNORED);
}

static void interrupt(struct wait *wait, int code)
{
    struct dispatcher *dispatcher = ouro__dispatcher;
    struct op *op = container_of(wait, struct op, wait);

    (void) code; /* ouro__op_failure() finds it again */
    if (op->state == OP_STAGED) {
        list_remove(&op->link);
        op_finish(dispatcher, op, -ECANCELED);
    } else if (op->state == OP_SUBMITTED) {
        op_set_state(op, OP_CANCELLING);
        add_backlog(dispatcher, &dispatcher->cancels, &op->link);
    }
}

const struct wait_kind ouro__op_wait_kind = {.name = "operation", .interrupt = interrupt};
const struct wait_kind ouro__op_cleanup_wait_kind = {.name = "operation", .interrupt = NULL};

/* --- calling -------------------------------------------------------------------------- */

void ouro__op_stage(struct dispatcher *dispatcher, struct op *op)
{
    op_set_state(op, OP_STAGED);
    add_backlog(dispatcher, &dispatcher->staged, &op->link);
}

/* ERESTARTSYS to ERESTART_RESTARTBLOCK: only a system call's end makes -EINTR of them. */
static bool is_restart(int32_t result)
{
    return result <= -512 && result >= -516;
}

/*
 * What a failed call returns. An error that the operation met by itself is a result, as a transfer is:
 * TCP tells of a reset once, and Linux of a failed fsync; the next call would find a clean end.
 * So only an end that the interruption may have brought about gives way to the interruption.
 */
int32_t ouro__op_failure(int32_t result, enum op_manners manners)
{
    int code;

    if (is_restart(result))
        result = -EINTR;
    if (manners != OP_INTERRUPTIBLE || (result != -ECANCELED && result != -EINTR))
        return result;
    code = ouro__task_interruption();
    return code ? code : result;
}

int64_t ouro__op_call(struct op *op, enum op_manners manners)
{
    return op_call(op, op->kind, manners);
}

int ouro_submit_sqe(ouro_prep_fn *prep, void *arg, uint32_t *ret_flags)
{
    struct op op = {.kind = OP_USER, .args.user = {prep, arg}};
    int result = (int) ouro__op_call(&op, OP_INTERRUPTIBLE);

    if (ret_flags && result >= 0)
        *ret_flags = op.cqe_flags;
    return result;
}

/* --- sources -------------------------------------------------------------------------- */

void ouro__source_submit(struct dispatcher *dispatcher, struct source *source)
{
    struct io_uring_sqe *sqe = ouro__ring_get_sqe(&dispatcher->ring);

    if (sqe) {
        source->ops->prepare(source, sqe);
        io_uring_sqe_set_data64(sqe, source_tag(source));
        source->state = OP_SUBMITTED;
        list_init(&source->link);
    } else {
        source->state = OP_STAGED;
        add_backlog(dispatcher, &dispatcher->sources, &source->link);
    }
}

void ouro__source_cancel(struct dispatcher *dispatcher, struct source *source)
{
    if (source->state == OP_STAGED) {
        list_remove(&source->link);
        source->state = OP_DONE;
    } else if (source->state == OP_SUBMITTED) {
        source->state = OP_CANCELLING;
        add_backlog(dispatcher, &dispatcher->source_cancels, &source->link);
    }
}

static void mark_parts_filled(const struct iovec *parts, size_t count, size_t bytes)
{
    for (size_t i = 0; i < count && bytes > 0; i++) {
        size_t len = parts[i].iov_len < bytes ? parts[i].iov_len : bytes;

        memory_filled_by_kernel(parts[i].iov_base, len);
        bytes -= len;
    }
}

/* With MSG_TRUNC the result may be larger than the buffer. */
static void mark_buffer_filled(void *buf, size_t len, size_t bytes)
{
    memory_filled_by_kernel(buf, bytes < len ? bytes : len);
}

static void mark_message_filled(struct msghdr *message, size_t bytes)
{
    mark_parts_filled(message->msg_iov, message->msg_iovlen, bytes);
    memory_filled_by_kernel(message, sizeof(*message));
    if (message->msg_name)
        memory_filled_by_kernel(message->msg_name, message->msg_namelen);
    if (message->msg_control)
        memory_filled_by_kernel(message->msg_control, message->msg_controllen);
}

/* The kernel wrote to memory behind the back of Valgrind; it wants to be told. */
void ouro__op_mark_filled(const struct op *op, int32_t result)
{
    if (result < 0)
        return;
    switch (op->kind) {
    case OP_ACCEPT:
        if (op->args.accept.address) {
            memory_filled_by_kernel(op->args.accept.address_len, sizeof(socklen_t));
            memory_filled_by_kernel(op->args.accept.address, *op->args.accept.address_len);
        }
        break;
    case OP_READ:
        mark_buffer_filled(op->args.read.buf, op->args.read.len, (size_t) result);
        break;
    case OP_READV:
        mark_parts_filled(op->args.readv.parts, op->args.readv.count, (size_t) result);
        break;
    case OP_RECV:
        mark_buffer_filled(op->args.recv.buf, op->args.recv.len, (size_t) result);
        break;
    case OP_RECVMSG:
        mark_message_filled(op->args.recvmsg.message, (size_t) result);
        break;
    case OP_STATX:
        memory_filled_by_kernel(op->args.statx.buf, sizeof(*op->args.statx.buf));
        break;
    default:
        break;
    }
}

/* --- completing ------------------------------------------------------------------------- */

void ouro__source_complete(uint64_t user_data, int32_t result, uint32_t cqe_flags)
{
    struct source *source = (void *) (uintptr_t) (user_data & ~TAG_MASK);

    if (user_data == RING_IGNORED)
        return;
    CHECK((user_data & TAG_MASK) == TAG_SOURCE, "a completion of nobody's operation");
    if (!(cqe_flags & IORING_CQE_F_MORE)) {
        list_remove(&source->link);
        source->state = OP_DONE;
    }
    source->ops->complete(source, result, cqe_flags);
}

bool ouro__op_has_many_peers(uint64_t user_data)
{
    const struct source *source = (const void *) (uintptr_t) (user_data & ~TAG_MASK);

    return (user_data & TAG_MASK) == TAG_SOURCE && source->ops->has_many_peers;
}

/* --- waiting for room in the submission queue -------------------------------------------- */

/* Takes the oldest node of `list` with an SQE for it; NULL when either is missing. */
static struct list *take_with_sqe(struct dispatcher *dispatcher, struct list *list,
                                  struct io_uring_sqe **ret_sqe)
{
    if (likely(list_is_empty(list)))
        return NULL;
    *ret_sqe = ouro__ring_get_sqe(&dispatcher->ring);
    return *ret_sqe ? list_shift(list) : NULL;
}

void ouro__op_flush(struct dispatcher *dispatcher)
{
    struct io_uring_sqe *sqe;
    struct list *node;

    while ((node = take_with_sqe(dispatcher, &dispatcher->cancels, &sqe)))
        prepare_cancel(sqe, op_tag(container_of(node, struct op, link)));
    while ((node = take_with_sqe(dispatcher, &dispatcher->source_cancels, &sqe)))
        prepare_cancel(sqe, source_tag(container_of(node, struct source, link)));
    while ((node = take_with_sqe(dispatcher, &dispatcher->sources, &sqe))) {
        struct source *source = container_of(node, struct source, link);

        source->ops->prepare(source, sqe);
        io_uring_sqe_set_data64(sqe, source_tag(source));
        source->state = OP_SUBMITTED;
    }
    while ((node = take_with_sqe(dispatcher, &dispatcher->staged, &sqe))) {
        struct op *op = container_of(node, struct op, link);

        op_prepare(op, op->kind, sqe);
        op_set_state(op, OP_SUBMITTED);
    }
    dispatcher->has_backlog =
        !list_is_empty(&dispatcher->cancels) || !list_is_empty(&dispatcher->source_cancels) ||
        !list_is_empty(&dispatcher->sources) || !list_is_empty(&dispatcher->staged);
}
