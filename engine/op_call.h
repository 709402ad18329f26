/* SPDX-License-Identifier: MIT */
/*
 * op_call.h - the common case of a call op, inlined: from the call to its completion
 *
 * Private to op.c, the dispatcher, and those calls that are made for each message. What is rare,
 * as a full queue, an interruption or an error, is in op.c; op.h has the state table.
 *
 * Inlining pays twice: where the kind is known the switch of op_prepare() is gone, and nothing
 * returns between the switch to another stack and the caller, which the processor's return
 * predictor would get wrong. The engine's share of
 * bench/echo_cost, a receive and a send: 391 -> 222 instructions, 100 -> 31 ns.
 */
#ifndef OURO_OP_CALL_H
#define OURO_OP_CALL_H

#include "dispatcher.h"
#include "op.h"

/* user_data is a pointer with a kind in its low bits. */
#define TAG_MASK   UINT64_C(7)
#define TAG_CALL   UINT64_C(1)
#define TAG_SOURCE UINT64_C(2)

static inline uint64_t op_tag(const struct op *op)
{
    return (uint64_t) (uintptr_t) op | TAG_CALL;
}

static inline void op_set_state(struct op *op, enum op_state state)
{
    static const uint8_t allowed[] = {
        /* by present state, the set of next ones */
        [OP_IDLE] = 1 << OP_STAGED | 1 << OP_SUBMITTED,
        [OP_STAGED] = 1 << OP_SUBMITTED | 1 << OP_DONE,
        [OP_SUBMITTED] = 1 << OP_CANCELLING | 1 << OP_DONE,
        [OP_CANCELLING] = 1 << OP_DONE,
        [OP_DONE] = 0,
    };

    CHECK(allowed[op->state] & 1 << state, "an operation took a step that op.h does not know");
    op->state = state;
}

/* The one switch from operations to SQEs; `kind` is the op's. */
__attribute__((always_inline)) static inline void op_prepare(struct op *op, enum op_kind kind,
                                                             struct io_uring_sqe *sqe)
{
    switch (kind) {
    case OP_ACCEPT:
        io_uring_prep_accept(sqe, op->args.accept.fd, op->args.accept.address,
                             op->args.accept.address_len, SOCK_CLOEXEC);
        break;
    case OP_CLOSE:
        io_uring_prep_close(sqe, op->args.close.fd);
        break;
    case OP_CONNECT:
        io_uring_prep_connect(sqe, op->args.connect.fd, op->args.connect.address,
                              op->args.connect.address_len);
        break;
    case OP_FALLOCATE:
        io_uring_prep_fallocate(sqe, op->args.fallocate.fd, op->args.fallocate.mode,
                                op->args.fallocate.offset, op->args.fallocate.len);
        break;
    case OP_FSYNC:
        io_uring_prep_fsync(sqe, op->args.fsync.fd, op->args.fsync.flags);
        break;
    case OP_MKDIR:
        io_uring_prep_mkdirat(sqe, op->args.mkdir.dir_fd, op->args.mkdir.path, op->args.mkdir.mode);
        break;
    case OP_NOP:
        io_uring_prep_nop(sqe);
        break;
    case OP_OPEN:
        io_uring_prep_openat(sqe, op->args.open.dir_fd, op->args.open.path, op->args.open.flags,
                             op->args.open.mode);
        break;
    case OP_POLL:
        io_uring_prep_poll_add(sqe, op->args.poll.fd, op->args.poll.events);
        break;
    case OP_READ:
        io_uring_prep_read(sqe, op->args.read.fd, op->args.read.buf, op->args.read.len,
                           op->args.read.offset);
        break;
    case OP_READV:
        io_uring_prep_readv(sqe, op->args.readv.fd, op->args.readv.parts, op->args.readv.count,
                            op->args.readv.offset);
        break;
    case OP_RECV:
        io_uring_prep_recv(sqe, op->args.recv.fd, op->args.recv.buf, op->args.recv.len,
                           op->args.recv.flags);
        break;
    case OP_RECVMSG:
        io_uring_prep_recvmsg(sqe, op->args.recvmsg.fd, op->args.recvmsg.message,
                              op->args.recvmsg.flags);
        break;
    case OP_RENAME:
        io_uring_prep_renameat(sqe, op->args.rename.from_dir_fd, op->args.rename.from,
                               op->args.rename.to_dir_fd, op->args.rename.to,
                               op->args.rename.flags);
        break;
    case OP_SEND:
        io_uring_prep_send(sqe, op->args.send.fd, op->args.send.buf, op->args.send.len,
                           op->args.send.flags);
        break;
    case OP_SENDMSG:
        io_uring_prep_sendmsg(sqe, op->args.sendmsg.fd, op->args.sendmsg.message,
                              op->args.sendmsg.flags);
        break;
    case OP_STATX:
        io_uring_prep_statx(sqe, op->args.statx.dir_fd, op->args.statx.path, op->args.statx.flags,
                            op->args.statx.mask, op->args.statx.buf);
        break;
    case OP_UNLINK:
        io_uring_prep_unlinkat(sqe, op->args.unlink.dir_fd, op->args.unlink.path,
                               op->args.unlink.flags);
        break;
    case OP_WRITE:
        io_uring_prep_write(sqe, op->args.write.fd, op->args.write.buf, op->args.write.len,
                            op->args.write.offset);
        break;
    case OP_WRITEV:
        io_uring_prep_writev(sqe, op->args.writev.fd, op->args.writev.parts, op->args.writev.count,
                             op->args.writev.offset);
        break;
    case OP_USER:
        op->args.user.prep(sqe, op->args.user.arg);
        break;
    }
    io_uring_sqe_set_data64(sqe, op_tag(op));
}

/* --- calling -------------------------------------------------------------------------- */

/* op.c: the submission queue is full. */
void ouro__op_stage(struct dispatcher *dispatcher, struct op *op);

/* op.c: what a call returns whose operation has failed. */
int32_t ouro__op_failure(int32_t result, enum op_manners manners);

/* ouro__op_call() of an op whose args are set; the rest of it is not, nor need it be. */
__attribute__((always_inline)) static inline int64_t op_call(struct op *op, enum op_kind kind,
                                                             enum op_manners manners)
{
    struct ouro_task *task = ouro__dispatcher_task("a waiting call needs a task");
    struct dispatcher *dispatcher = ouro__dispatcher;
    struct io_uring_sqe *sqe = NULL;

    if (manners == OP_INTERRUPTIBLE && unlikely(task->flags & TASK_DISTURBED)) {
        int code = ouro__task_interruption();

        if (code)
            return code;
    }
    op->kind = kind;
    op->state = OP_IDLE;
    op->wait.task = task;
    op->wait.kind = manners == OP_INTERRUPTIBLE ? &ouro__op_wait_kind : &ouro__op_cleanup_wait_kind;
    dispatcher->in_flight_count++;
    if (likely(list_is_empty(&dispatcher->staged)))
        sqe = ouro__ring_get_sqe(&dispatcher->ring);
    if (likely(sqe != NULL)) {
        op_prepare(op, kind, sqe);
        op_set_state(op, OP_SUBMITTED);
    } else {
        ouro__op_stage(dispatcher, op);
    }
    ouro__dispatcher_park(dispatcher, &op->wait);
    return likely(op->wait.result >= 0) ? op->wait.result
                                        : ouro__op_failure(op->wait.result, manners);
}

/* --- completing ----------------------------------------------------------------------- */

/* op.c: the kernel wrote to memory behind the back of Valgrind; it wants to be told. */
void ouro__op_mark_filled(const struct op *op, int32_t result);

static inline void op_finish(struct dispatcher *dispatcher, struct op *op, int32_t result)
{
    op_set_state(op, OP_DONE);
    dispatcher->in_flight_count--;
    op->wait.result = result;
    ouro__dispatcher_enqueue(dispatcher, op->wait.task);
}

static inline void op_complete(struct dispatcher *dispatcher, struct op *op, int32_t result,
                               uint32_t cqe_flags)
{
    if (unlikely(op->state == OP_CANCELLING))
        list_remove(&op->link); /* it may still wait for an SQE; none is needed any more */
    op->cqe_flags = cqe_flags;
    if (unlikely(dispatcher->is_watched))
        ouro__op_mark_filled(op, result);
    op_finish(dispatcher, op, result);
}

#endif /* OURO_OP_CALL_H */
