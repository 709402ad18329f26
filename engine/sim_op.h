/* SPDX-License-Identifier: MIT */
/*
 * sim_op.h - one operation on the simulated ring, and what each opcode does
 *
 * ring_sim.c owns the queues and decides what is attempted when; sim_op.c has the opcodes.
 * Private to these two.
 */
#ifndef OURO_SIM_OP_H
#define OURO_SIM_OP_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "ring.h"
#include "sim_net.h"
#include "sim_random.h"
#include "sim_trace.h"

#define CHUNK_OPS 256 /* operations are allocated by so many */

enum op_state {
    OP_FREE,
    OP_READY,
    OP_WAITING,
    OP_OVERFLOWED,
};

struct sim_op {
    struct list link;      /* free, ready (oldest first), waiting or overflowed */
    struct list same_hash; /* in its bucket, until it completes */
    struct io_uring_sqe sqe;
    struct sim_socket *socket; /* referenced; NULL: needs none */
    uint64_t sequence;         /* in the order of submission, from 1 */
    uint64_t ready_since;      /* the enter */
    uint64_t stalled_epoch;    /* not worth an attempt before the network's room_epoch moves on */
    uint32_t ready_index;
    uint32_t done;      /* bytes moved by earlier attempts (MSG_WAITALL) */
    int32_t result;     /* OP_OVERFLOWED */
    uint32_t cqe_flags; /* of its last completion */
    int32_t verdict;    /* not 0: fails with it, without an attempt */
    enum op_state state;
    bool is_tried;
    bool is_doomed;    /* an error is injected into its first attempt */
    bool is_cancelled; /* by a cancel that came too late: it must not wait any more */
    bool is_roused;    /* as the one of its queue, see sim_socket.is_roused */
};

struct chunk {
    struct chunk *next;
    struct sim_op ops[CHUNK_OPS];
};

struct sim {
    struct sim_random random;
    struct sim_net *net;
    struct sim_disk *disk;
    struct sim_trace trace;
    int64_t now;
    unsigned reads_since_move; /* of the clock */
    unsigned short_percent;
    unsigned error_percent;

    /* The queues; struct ring points here. */
    unsigned sq_head;
    unsigned sq_flags;
    unsigned cq_head;
    unsigned cq_tail;
    unsigned cq_entries;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    struct io_uring_buf_ring *buffers; /* provided ones; NULL: no group was made */
    uint16_t buffer_head;              /* of the next to be filled */
    uint16_t buffer_mask;

    /* Operations. */
    struct chunk *chunks;
    uint32_t op_count; /* that exist, free ones included */
    uint64_t sequence;
    struct list free;
    struct list overflowed;   /* completed, waiting for room in the completion queue */
    struct list ready;        /* the same operations twice: by age here, */
    struct sim_op **pickable; /* and as an array to pick from here */
    uint32_t ready_count;
    struct list *buckets;  /* operations that have not completed, by user_data */
    uint32_t bucket_count; /* a power of two, at least op_count; also the size of `pickable` */

    uint64_t enter_count;
    unsigned fault_countdown; /* 0: none is planned */
    int fault_code;
};

/* An attempt's result: it posted completions, and there may be more to do at once. */
#define SIM_GOES_ON INT32_MIN

/* An attempt: a result, -EAGAIN to wait, or SIM_GOES_ON. */
typedef int run_fn(struct sim *sim, struct sim_op *op);

/* Injects an error; returns what the attempt fails with, 0 when it is to go on. */
typedef int inject_fn(struct sim *sim, struct sim_op *op);

/* What an SQE of this opcode may have, and what becomes of it. */
enum traits {
    HAS_SOCKET = 1,
    HAS_ADDR = 2,
    HAS_LEN = 4,
    HAS_OFF = 8,   /* or addr2 */
    CAN_WAIT = 16, /* and so, be cancelled */
    HAS_FD = 32,   /* of a socket, a file or a pipe */
    BY_WORKER = 64 /* can be cancelled until a worker of the kernel begins with it */
};

struct opcode {
    const char *name;
    run_fn *run; /* NULL: there is no such operation */
    inject_fn *inject;
    uint32_t flags;      /* of sqe->msg_flags and its aliases, that are known */
    uint32_t traits;     /* enum traits */
    enum sim_wait queue; /* where it waits after -EAGAIN */
};

/* By opcode; what has no `run` is unknown. */
extern const struct opcode ouro__sim_opcodes[IORING_OP_LAST];

static inline const struct opcode *ouro__sim_opcode_of(const struct sim_op *op)
{
    static const struct opcode unknown = {.name = "?"};

    return op->sqe.opcode < IORING_OP_LAST && ouro__sim_opcodes[op->sqe.opcode].name
               ? &ouro__sim_opcodes[op->sqe.opcode]
               : &unknown;
}

/* The memory that a field of an SQE points to. */
static inline void *ouro__sim_address_of(uint64_t word)
{
    return (void *) (uintptr_t) word;
}

/* The kernel's limit for one transfer (MAX_RW_COUNT). */
#define SIM_TRANSFER_MAX UINT32_C(0x7ffff000)

/* Cuts a transfer short, now and then: at least one byte is left. */
uint32_t ouro__sim_cut(struct sim *sim, uint32_t len);

/* The poll events that make another attempt worthwhile. */
unsigned ouro__sim_events_for(const struct sim_op *op);

static inline bool ouro__sim_is_multishot(const struct sim_op *op)
{
    switch (op->sqe.opcode) {
    case IORING_OP_ACCEPT:
        return op->sqe.ioprio & IORING_ACCEPT_MULTISHOT;
    case IORING_OP_RECV:
    case IORING_OP_RECVMSG:
        return op->sqe.ioprio & IORING_RECV_MULTISHOT;
    default:
        return false;
    }
}

/* ring_sim.c: posts a completion that is not the last; false: there is no room for it. */
bool ouro__sim_post_more(struct sim *sim, const struct sim_op *op, int result, uint32_t flags);

/* sim_message.c */
int ouro__sim_run_sendmsg(struct sim *sim, struct sim_op *op);
int ouro__sim_run_recvmsg(struct sim *sim, struct sim_op *op);

/* Likewise, multishot: what a provided buffer holds before the bytes of the message. */
uint32_t ouro__sim_message_head(const struct sim_op *op);

/* Receives one message into a provided buffer; returns how much of that is filled. */
int ouro__sim_message_fill(struct sim *sim, struct sim_op *op, void *data, uint32_t len);

/* ring_sim.c: the one operation that is about operations. */
int ouro__sim_run_cancel(struct sim *sim, struct sim_op *op);

#endif /* OURO_SIM_OP_H */
