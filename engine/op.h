/* SPDX-License-Identifier: MIT */
/*
 * op.h - one kernel operation of one task, from SQE to CQE
 *
 * There are two kinds of operation, told apart by the low bits of user_data:
 *
 *   call op     struct op, on the stack of the task that waits for it. The task is parked
 *               until the last completion, whatever happens: when the call returns, the
 *               kernel no longer knows its memory. No allocation.
 *   source op   struct source, embedded in a longer-lived object; its completions may
 *               only queue a result, wake a task or spawn one.
 *
 * A call op's states; every change goes through op_set_state() of op_call.h:
 *
 *    IDLE ──call──▶ STAGED ──SQE free──▶ SUBMITTED ──interrupt──▶ CANCELLING
 *                     │                      │                       │
 *                     │ interrupt            │ CQE                   │ CQE
 *                     ▼                      ▼                       ▼
 *                    DONE                   DONE                    DONE
 *
 *   STAGED      the submission queue was full: on the dispatcher's `staged` list
 *   CANCELLING  wants or has an ASYNC_CANCEL; on the `cancels` list until an SQE was free
 *
 * A staged op that is interrupted is simply taken off its list: the kernel never saw it.
 *
 * Adding an operation: an enum value, a union member, a case in op_prepare(), a name in
 * ouro__op_name(), a public function, a test.
 */
#ifndef OURO_OP_H
#define OURO_OP_H

#include <liburing.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "ouro_uring.h"
#include "task.h"

struct dispatcher;

enum op_kind {
    OP_ACCEPT,
    OP_CLOSE,
    OP_CONNECT,
    OP_FALLOCATE,
    OP_FSYNC,
    OP_MKDIR,
    OP_NOP,
    OP_OPEN,
    OP_POLL,
    OP_READ,
    OP_READV,
    OP_RECV,
    OP_RECVMSG,
    OP_RENAME,
    OP_SEND,
    OP_SENDMSG,
    OP_STATX,
    OP_UNLINK,
    OP_WRITE,
    OP_WRITEV,
    OP_USER /* filled in by the caller of ouro_submit_sqe() */
};

enum op_state { OP_IDLE, OP_STAGED, OP_SUBMITTED, OP_CANCELLING, OP_DONE };

struct op {
    struct wait wait;  /* first: the waiting task, and the result */
    enum op_kind kind; /* selects the member of `args` */
    enum op_state state;
    uint32_t cqe_flags; /* valid in OP_DONE */
    struct list link;   /* in `staged` or `cancels` */
    union {
        struct {
            int fd;
            struct sockaddr *address;
            socklen_t *address_len;
        } accept;
        struct {
            int fd;
        } close;
        struct {
            int fd;
            const struct sockaddr *address;
            socklen_t address_len;
        } connect;
        struct {
            int fd;
            int mode;
            uint64_t offset, len;
        } fallocate;
        struct {
            int fd;
            unsigned flags;
        } fsync;
        struct {
            int dir_fd;
            mode_t mode;
            const char *path;
        } mkdir;
        struct {
            int dir_fd;
            int flags;
            const char *path;
            mode_t mode;
        } open;
        struct {
            int fd;
            unsigned events;
        } poll;
        struct {
            int fd;
            unsigned len;
            void *buf;
            uint64_t offset; /* -1: where the file's position is, which moves */
        } read;
        struct {
            int fd;
            unsigned count;
            const struct iovec *parts;
            uint64_t offset;
        } readv;
        struct {
            int fd;
            int flags;
            void *buf;
            size_t len;
        } recv;
        struct {
            int fd;
            unsigned flags;
            struct msghdr *message;
        } recvmsg;
        struct {
            int from_dir_fd, to_dir_fd;
            const char *from, *to;
            unsigned flags;
        } rename;
        struct {
            int fd;
            int flags;
            const void *buf;
            size_t len;
        } send;
        struct {
            int fd;
            unsigned flags;
            const struct msghdr *message;
        } sendmsg;
        struct {
            int dir_fd;
            int flags;
            const char *path;
            unsigned mask;
            struct statx *buf;
        } statx;
        struct {
            int dir_fd;
            int flags;
            const char *path;
        } unlink;
        struct {
            int fd;
            unsigned len;
            const void *buf;
            uint64_t offset; /* as in `read` */
        } write;
        struct {
            int fd;
            unsigned count;
            const struct iovec *parts;
            uint64_t offset;
        } writev;
        struct {
            ouro_prep_fn *prep;
            void *arg;
        } user;
    } args;
};

/* Whether an interruption of the task ends the call, or has to wait until it is over. */
enum op_manners { OP_INTERRUPTIBLE, OP_CLEANUP };

/*
 * Submits `op`, whose kind and args are set, and parks the running task until its last
 * completion. Returns the completion's result, or the interruption that prevented it.
 */
int64_t ouro__op_call(struct op *op, enum op_manners manners);

/* For reports: "recv". */
const char *ouro__op_name(enum op_kind kind);

/* The wait kinds of call ops, for those who look at what a task waits for. */
extern const struct wait_kind ouro__op_wait_kind;
extern const struct wait_kind ouro__op_cleanup_wait_kind;

/*
 * A source op. `complete` runs in the reap path: it must not submit SQEs other than
 * through ouro__source_submit(), and never resumes a task.
 */
struct source;
struct source_ops {
    bool has_many_peers; /* its completions are about different ones each time */
    void (*complete)(struct source *source, int32_t result, uint32_t cqe_flags);
    void (*prepare)(struct source *source, struct io_uring_sqe *sqe);
};

struct source {
    const struct source_ops *ops;
    struct list link; /* while it waits for a free SQE */
    enum op_state state;
};

/* Starts the source, or starts it again after its last completion. */
void ouro__source_submit(struct dispatcher *dispatcher, struct source *source);

/* Asks for the source's last completion; harmless when it is idle. */
void ouro__source_cancel(struct dispatcher *dispatcher, struct source *source);

/* Hands a completion to its owner: a source, or nobody. Those of call ops are op_call.h's. */
void ouro__source_complete(uint64_t user_data, int32_t result, uint32_t cqe_flags);

/* Whether the completion is of a source with many peers: that it comes again says nothing. */
bool ouro__op_has_many_peers(uint64_t user_data);

/* Moves staged operations and cancels into the submission queue as far as there is room. */
void ouro__op_flush(struct dispatcher *dispatcher);

#endif /* OURO_OP_H */
