/* SPDX-License-Identifier: MIT */
/*
 * ring_sim.c - the simulated ring: queues, a clock and a seed behind the seam of ring.h
 *
 * Owns the two queues, the operations in flight, the virtual clock and the order in which
 * things happen. The sockets are in sim_net.c; the trace is in sim_trace.c.
 *
 * An operation:
 *
 *    SQE ──take──▶ READY ──run──▶ done ──▶ CQE (or, while the queue is full, OVERFLOWED)
 *                    ▲     │
 *              rouse │     │ the attempt gave -EAGAIN
 *                    │     ▼
 *                   WAITING, in a queue of its socket
 *
 *   READY    it is worth an attempt. enter() attempts a random part of these in random
 *            order, so nothing can be relied on that a kernel does not promise.
 *   WAITING  parked until its socket changes, then roused: one reader and one writer per
 *            socket at a time, all pollers.
 *
 * Invariants
 *   1. A run is a function of the seed and of what the program does: no decision depends
 *      on an address, on the machine or on real time.
 *   2. The clock moves only in enter(wait), when no operation is ready (but see sim_now()).
 *   3. The program's memory is touched between submission and completion only, and as
 *      late as possible: when the operation is attempted.
 *   4. What waits is not ready: an attempt that gave -EAGAIN leaves its socket without
 *      the events that would rouse it (CHECKed in park()).
 *   5. A ready operation is attempted within PATIENCE enters, whatever the seed says.
 *   6. An injected error is an event, not a lie: the network breaks, both ends see it.
 *
 * docs/ring.md says what the simulation does not do.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "list.h"
#include "ouro_base.h"
#include "ring.h"
#include "sim_net.h"
#include "sim_random.h"
#include "sim_trace.h"

#define CQ_ENTRIES_MIN  16
#define PATIENCE        8      /* enters */
#define CLOCK_READS_MAX 100000 /* without a move */
#define CHUNK_OPS       256    /* operations are allocated by so many */

/* The kernel's limit for one transfer (MAX_RW_COUNT). */
#define TRANSFER_MAX UINT32_C(0x7ffff000)

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
    uint32_t ready_index;
    uint32_t done;   /* bytes moved by earlier attempts (MSG_WAITALL) */
    int32_t result;  /* OP_OVERFLOWED */
    int32_t verdict; /* not 0: fails with it, without an attempt */
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
};

struct opcode {
    const char *name;
    run_fn *run; /* NULL: there is no such operation */
    inject_fn *inject;
    uint32_t flags;      /* of sqe->msg_flags and its aliases, that are known */
    uint32_t traits;     /* enum traits */
    enum sim_wait queue; /* where it waits after -EAGAIN */
};

static const struct opcode opcodes[IORING_OP_LAST];

static const struct opcode *opcode_of(const struct sim_op *op)
{
    static const struct opcode unknown = {.name = "?"};

    return op->sqe.opcode < IORING_OP_LAST && opcodes[op->sqe.opcode].name
               ? &opcodes[op->sqe.opcode]
               : &unknown;
}

static struct sim *sim_of(const struct ring *ring)
{
    return ring->state;
}

static struct sim_op *op_of(struct list *node)
{
    return container_of(node, struct sim_op, link);
}

static void *address_of(uint64_t word)
{
    return (void *) (uintptr_t) word;
}

/* --- operations by user_data --------------------------------------------------------- */

static struct list *bucket_of(struct sim *sim, uint64_t user_data)
{
    return &sim->buckets[ouro__sim_mix(user_data) & (sim->bucket_count - 1)];
}

/* The oldest operation with this user_data that has not completed, other than `except`. */
static struct sim_op *find_op(struct sim *sim, uint64_t user_data, const struct sim_op *except)
{
    struct list *bucket = bucket_of(sim, user_data);

    for (struct list *node = bucket->next; node != bucket; node = node->next) {
        struct sim_op *op = container_of(node, struct sim_op, same_hash);

        if (op->sqe.user_data == user_data && op != except)
            return op;
    }
    return NULL;
}

static void move_bucket(struct sim *sim, struct list *bucket)
{
    struct list *node;

    while ((node = list_shift(bucket)))
        list_append(bucket_of(sim, container_of(node, struct sim_op, same_hash)->sqe.user_data),
                    node);
}

static bool set_bucket_count(struct sim *sim, uint32_t count)
{
    struct list *old = sim->buckets;
    uint32_t old_count = sim->bucket_count;
    struct list *buckets = malloc(count * sizeof(*buckets));

    if (!buckets)
        return false;
    for (uint32_t i = 0; i < count; i++)
        list_init(&buckets[i]);
    sim->buckets = buckets;
    sim->bucket_count = count;
    for (uint32_t i = 0; i < old_count; i++)
        move_bucket(sim, &old[i]);
    free(old);
    return true;
}

/* --- allocating operations ----------------------------------------------------------- */

/* Room for twice as many operations in what finds them. */
static bool grow_indexes(struct sim *sim)
{
    uint32_t count = sim->bucket_count * 2;
    struct sim_op **pickable = realloc(sim->pickable, count * sizeof(struct sim_op *));

    if (!pickable)
        return false;
    sim->pickable = pickable;
    return set_bucket_count(sim, count);
}

/* Afterwards nothing can fail for want of memory that is done with these operations. */
static bool add_chunk(struct sim *sim)
{
    uint32_t count = sim->op_count + CHUNK_OPS;
    struct chunk *chunk;

    if (sim->bucket_count < count && !grow_indexes(sim))
        return false;
    chunk = malloc(sizeof(*chunk));
    if (!chunk)
        return false;
    chunk->next = sim->chunks;
    sim->chunks = chunk;
    sim->op_count = count;
    for (unsigned i = 0; i < CHUNK_OPS; i++)
        list_append(&sim->free, &chunk->ops[i].link);
    return true;
}

static struct sim_op *allocate_op(struct sim *sim)
{
    struct list *node = list_shift(&sim->free);

    if (!node && add_chunk(sim))
        node = list_shift(&sim->free);
    return node ? op_of(node) : NULL;
}

static void free_op(struct sim *sim, struct sim_op *op)
{
    op->state = OP_FREE;
    list_append(&sim->free, &op->link);
}

/* --- ready --------------------------------------------------------------------------- */

static void make_ready(struct sim *sim, struct sim_op *op)
{
    op->state = OP_READY;
    op->ready_since = sim->enter_count;
    op->ready_index = sim->ready_count;
    sim->pickable[sim->ready_count++] = op;
    list_append(&sim->ready, &op->link);
}

static void leave_ready(struct sim *sim, struct sim_op *op)
{
    struct sim_op *last = sim->pickable[--sim->ready_count];

    sim->pickable[op->ready_index] = last;
    last->ready_index = op->ready_index;
    list_remove(&op->link);
}

/* --- waiting ------------------------------------------------------------------------- */

/*
 * The poll events that make another attempt worthwhile. A poll is told of the ends without
 * asking for them, POLLRDHUP included: there io_uring differs from poll(2).
 */
static unsigned events_for(const struct sim_op *op)
{
    static const unsigned by_queue[] = {
        [SIM_READERS] = POLLIN | POLLRDHUP | POLLERR | POLLHUP,
        [SIM_WRITERS] = POLLOUT | POLLERR | POLLHUP,
        [SIM_POLLERS] = POLLRDHUP | POLLERR | POLLHUP,
    };
    enum sim_wait queue = opcode_of(op)->queue;

    return by_queue[queue] | (queue == SIM_POLLERS ? op->sqe.poll32_events : 0);
}

static void park(struct sim_op *op)
{
    struct sim_socket *socket = op->socket;

    CHECK(!(socket->family->poll(socket) & events_for(op)),
          "an operation waits although its socket is ready");
    op->state = OP_WAITING;
    list_append(&socket->waiting[opcode_of(op)->queue], &op->link);
}

static void rouse(struct sim *sim, struct sim_op *op)
{
    list_remove(&op->link);
    op->is_roused = true;
    op->socket->is_roused[opcode_of(op)->queue] = true;
    make_ready(sim, op);
}

/* The oldest, and only one: it takes what is there, and the next is roused if it leaves some. */
static void rouse_first(struct sim *sim, struct sim_socket *socket, enum sim_wait queue,
                        unsigned events)
{
    struct list *waiting = &socket->waiting[queue];

    if (socket->is_roused[queue] || list_is_empty(waiting))
        return;
    if (events & events_for(op_of(waiting->next)))
        rouse(sim, op_of(waiting->next));
}

static void rouse_pollers(struct sim *sim, struct sim_socket *socket, unsigned events)
{
    struct list *waiting = &socket->waiting[SIM_POLLERS];
    struct list *next;

    for (struct list *node = waiting->next; node != waiting; node = next) {
        next = node->next;
        if (events & events_for(op_of(node)))
            rouse(sim, op_of(node));
    }
}

/* Looks at all sockets whose events may have changed. */
static void rouse_changed(struct sim *sim)
{
    struct sim_socket *socket;

    while ((socket = ouro__sim_net_shift_changed(sim->net))) {
        unsigned events = socket->family->poll(socket);

        rouse_first(sim, socket, SIM_READERS, events);
        rouse_first(sim, socket, SIM_WRITERS, events);
        rouse_pollers(sim, socket, events);
    }
}

/* Lets the next of its queue have a go, now that this one is through. */
static void pass_on(struct sim *sim, struct sim_op *op)
{
    if (!op->is_roused)
        return;
    op->is_roused = false;
    op->socket->is_roused[opcode_of(op)->queue] = false;
    ouro__sim_net_mark_changed(sim->net, op->socket);
}

/* --- completing ---------------------------------------------------------------------- */

static bool has_cq_room(const struct sim *sim)
{
    return sim->cq_tail - sim->cq_head < sim->cq_entries;
}

static void write_cqe(struct sim *sim, const struct sim_op *op)
{
    struct io_uring_cqe *cqe = &sim->cqes[sim->cq_tail++ & (sim->cq_entries - 1)];

    cqe->user_data = op->sqe.user_data;
    cqe->res = op->result;
    cqe->flags = 0;
}

/* Completions never overtake each other: one that found no room holds up those behind it. */
static void post(struct sim *sim, struct sim_op *op)
{
    if (list_is_empty(&sim->overflowed) && has_cq_room(sim)) {
        write_cqe(sim, op);
        free_op(sim, op);
    } else {
        op->state = OP_OVERFLOWED;
        list_append(&sim->overflowed, &op->link);
        sim->sq_flags |= IORING_SQ_CQ_OVERFLOW;
    }
}

static void flush_overflowed(struct sim *sim)
{
    while (!list_is_empty(&sim->overflowed) && has_cq_room(sim)) {
        struct sim_op *op = op_of(list_shift(&sim->overflowed));

        write_cqe(sim, op);
        free_op(sim, op);
    }
    if (list_is_empty(&sim->overflowed))
        sim->sq_flags &= ~IORING_SQ_CQ_OVERFLOW;
}

static void complete(struct sim *sim, struct sim_op *op, int result)
{
    ouro__sim_trace_cqe(&sim->trace, op->sequence, opcode_of(op)->name, result);
    list_remove(&op->same_hash);
    pass_on(sim, op);
    if (op->socket)
        ouro__sim_net_unref(sim->net, op->socket);
    op->socket = NULL;
    op->result = result;
    post(sim, op);
}

/* --- operations that move bytes ------------------------------------------------------ */

typedef int move_fn(struct sim_net *net, struct sim_socket *socket, void *buf, uint32_t len,
                    int flags);

/* Cuts a transfer short, now and then: at least one byte is left. */
static uint32_t maybe_cut(struct sim *sim, uint32_t len)
{
    if (len < 2 || !ouro__sim_random_chance(&sim->random, sim->short_percent))
        return len;
    return 1 + ouro__sim_random_below(&sim->random, len - 1);
}

/*
 * `possible`: what can be moved now. MSG_WAITALL goes on until all is done, over several
 * attempts if need be; the kernel, too, retries these by itself.
 */
static int transfer(struct sim *sim, struct sim_op *op, move_fn *move, uint32_t possible)
{
    uint32_t len = op->sqe.len < TRANSFER_MAX ? op->sqe.len : TRANSFER_MAX;
    bool all = op->sqe.msg_flags & MSG_WAITALL;
    int moved;

    if (!all && possible > 0)
        len = maybe_cut(sim, len < possible ? len : possible);
    do {
        moved = move(sim->net, op->socket, (char *) address_of(op->sqe.addr) + op->done,
                     len - op->done, (int) op->sqe.msg_flags);
        if (moved > 0)
            op->done += (uint32_t) moved;
    } while (moved > 0 && op->done < len && all);
    return moved == -EAGAIN || op->done == 0 ? moved : (int) op->done;
}

static int run_recv(struct sim *sim, struct sim_op *op)
{
    return transfer(sim, op, ouro__sim_net_receive, ouro__sim_net_readable(op->socket));
}

static int run_send(struct sim *sim, struct sim_op *op)
{
    return transfer(sim, op, ouro__sim_net_send, ouro__sim_net_writable(op->socket));
}

/* Sockets have no position: -1 means that there is none, 0 is tolerated. */
static bool is_seeking(const struct sim_op *op)
{
    return op->sqe.off != 0 && op->sqe.off != UINT64_MAX;
}

static int run_read(struct sim *sim, struct sim_op *op)
{
    if (is_seeking(op))
        return -ESPIPE;
    return op->sqe.len == 0 ? 0 : run_recv(sim, op);
}

static int run_write(struct sim *sim, struct sim_op *op)
{
    return is_seeking(op) ? -ESPIPE : run_send(sim, op);
}

/* --- the other operations ------------------------------------------------------------ */

static int run_nop(struct sim *sim, struct sim_op *op)
{
    (void) sim;
    (void) op;
    return 0;
}

static int run_poll_add(struct sim *sim, struct sim_op *op)
{
    unsigned events = op->socket->family->poll(op->socket) & events_for(op);

    (void) sim;
    return events ? (int) events : -EAGAIN;
}

static int run_accept(struct sim *sim, struct sim_op *op)
{
    return ouro__sim_net_accept(sim->net, op->socket, address_of(op->sqe.addr),
                                address_of(op->sqe.addr2));
}

static int run_connect(struct sim *sim, struct sim_op *op)
{
    if (op->sqe.addr2 > sizeof(struct sockaddr_storage))
        return -EINVAL;
    return ouro__sim_net_connect(sim->net, op->socket, address_of(op->sqe.addr),
                                 (socklen_t) op->sqe.addr2, op->is_tried);
}

static int run_shutdown(struct sim *sim, struct sim_op *op)
{
    static const int hows[] = {
        [SHUT_RD] = SIM_SHUT_RECV,
        [SHUT_WR] = SIM_SHUT_SEND,
        [SHUT_RDWR] = SIM_SHUT_BOTH,
    };

    if (op->sqe.len >= COUNT_OF(hows))
        return -EINVAL;
    return op->socket->family->shutdown(sim->net, op->socket, hows[op->sqe.len]);
}

static int run_close(struct sim *sim, struct sim_op *op)
{
    return ouro__sim_net_close(sim->net, op->sqe.fd);
}

/* --- cancelling ---------------------------------------------------------------------- */

static void take_out(struct sim *sim, struct sim_op *op)
{
    if (op->state == OP_READY)
        leave_ready(sim, op);
    else
        list_remove(&op->link);
    if (op->sqe.opcode == IORING_OP_CONNECT && op->is_tried)
        ouro__sim_net_abandon_connect(sim->net, op->socket);
}

/* A transfer that happened is reported, also by an operation that was cancelled after it. */
static int cancelled_result(const struct sim_op *op)
{
    return op->done > 0 ? (int) op->done : -ECANCELED;
}

/* Nothing can keep it from the result that it is going to have. */
static bool is_settled(const struct sim_op *op)
{
    bool is_through = op->sqe.opcode == IORING_OP_CONNECT && op->is_roused;

    return op->verdict || !(opcode_of(op)->traits & CAN_WAIT) || is_through;
}

static int run_cancel(struct sim *sim, struct sim_op *op)
{
    struct sim_op *target = find_op(sim, op->sqe.addr, op);

    if (!target)
        return -ENOENT;
    if (is_settled(target))
        return -EALREADY;
    if (target->state == OP_READY && ouro__sim_random_chance(&sim->random, 50)) {
        target->is_cancelled = true; /* the race is lost, if there is a result to come */
        return -EALREADY;
    }
    take_out(sim, target);
    complete(sim, target, cancelled_result(target));
    return 0;
}

/* --- injected errors ----------------------------------------------------------------- */

static int pick_error(struct sim *sim, const uint8_t *errors, uint32_t count)
{
    return errors[ouro__sim_random_below(&sim->random, count)];
}

/* The connection breaks; the attempt then finds out by itself. */
static int inject_break(struct sim *sim, struct sim_op *op)
{
    static const uint8_t errors[] = {ECONNRESET, ECONNRESET, ETIMEDOUT, EHOSTUNREACH};

    (void) op->socket->family->fail(sim->net, op->socket,
                                    pick_error(sim, errors, COUNT_OF(errors)));
    return 0;
}

static int inject_connect(struct sim *sim, struct sim_op *op)
{
    static const uint8_t tcp[] = {ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH};
    static const uint8_t local[] = {ECONNREFUSED, ENOMEM};

    if (op->socket->state != SIM_UNCONNECTED)
        return 0;
    return op->socket->domain == AF_UNIX ? -pick_error(sim, local, COUNT_OF(local))
                                         : -pick_error(sim, tcp, COUNT_OF(tcp));
}

/* The process or the machine is short of something, or the client is gone before the accept. */
static int inject_accept(struct sim *sim, struct sim_op *op)
{
    static const uint8_t errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED};
    int error = pick_error(sim, errors, COUNT_OF(errors));

    if (op->socket->state != SIM_LISTENING)
        return 0;
    if (error == ECONNABORTED && !ouro__sim_net_abort_child(sim->net, op->socket))
        return 0;
    return -error;
}

/* --- running ------------------------------------------------------------------------- */

#define RECV_FLAGS (MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT | MSG_TRUNC | MSG_NOSIGNAL)
#define SEND_FLAGS (MSG_WAITALL | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE)

#define TRANSFERS (HAS_SOCKET | HAS_ADDR | HAS_LEN | CAN_WAIT)

/* Whatever is not in here gets -EINVAL. */
/* clang-format off */
static const struct opcode opcodes[IORING_OP_LAST] = {
    [IORING_OP_NOP] = {"NOP", run_nop, NULL, 0, 0, 0},
    [IORING_OP_POLL_ADD] = {"POLL_ADD", run_poll_add, NULL, UINT32_MAX, HAS_SOCKET | CAN_WAIT,
                            SIM_POLLERS},
    [IORING_OP_ACCEPT] = {"ACCEPT", run_accept, inject_accept, SOCK_CLOEXEC | SOCK_NONBLOCK,
                          HAS_SOCKET | HAS_ADDR | HAS_OFF | CAN_WAIT, SIM_READERS},
    [IORING_OP_CONNECT] = {"CONNECT", run_connect, inject_connect, 0,
                           HAS_SOCKET | HAS_ADDR | HAS_OFF | CAN_WAIT, SIM_WRITERS},
    [IORING_OP_RECV] = {"RECV", run_recv, inject_break, RECV_FLAGS, TRANSFERS, SIM_READERS},
    [IORING_OP_SEND] = {"SEND", run_send, inject_break, SEND_FLAGS, TRANSFERS, SIM_WRITERS},
    [IORING_OP_READ] = {"READ", run_read, inject_break, 0, TRANSFERS | HAS_OFF, SIM_READERS},
    [IORING_OP_WRITE] = {"WRITE", run_write, inject_break, 0, TRANSFERS | HAS_OFF, SIM_WRITERS},
    [IORING_OP_SHUTDOWN] = {"SHUTDOWN", run_shutdown, NULL, 0, HAS_SOCKET | HAS_LEN, 0},
    [IORING_OP_CLOSE] = {"CLOSE", run_close, NULL, 0, 0, 0},
    [IORING_OP_ASYNC_CANCEL] = {"ASYNC_CANCEL", run_cancel, NULL, 0, HAS_ADDR, 0},
};
/* clang-format on */

static bool may_wait(const struct sim_op *op)
{
    bool is_message = op->sqe.opcode == IORING_OP_RECV || op->sqe.opcode == IORING_OP_SEND;

    return !(is_message && op->sqe.msg_flags & MSG_DONTWAIT);
}

static int attempt(struct sim *sim, struct sim_op *op)
{
    const struct opcode *opcode = opcode_of(op);
    int result = op->verdict;

    if (!result && op->is_doomed && !op->is_tried)
        result = opcode->inject(sim, op);
    if (!result)
        result = opcode->run(sim, op);
    op->is_tried = true;
    return result;
}

static void run(struct sim *sim, struct sim_op *op)
{
    int result;

    leave_ready(sim, op);
    result = attempt(sim, op);
    if (result != -EAGAIN) {
        complete(sim, op, result);
    } else if (!may_wait(op)) {
        complete(sim, op, op->done > 0 ? (int) op->done : -EAGAIN);
    } else if (op->is_cancelled) {
        complete(sim, op, cancelled_result(op));
    } else {
        pass_on(sim, op);
        park(op);
    }
    rouse_changed(sim);
}

/* --- taking SQEs --------------------------------------------------------------------- */

static bool is_known(const struct io_uring_sqe *sqe, const struct opcode *opcode)
{
    if (!opcode->run || sqe->flags || sqe->ioprio || sqe->buf_index || sqe->personality ||
        sqe->file_index)
        return false;
    if (sqe->msg_flags & ~opcode->flags)
        return false;
    /* The kernel peeks the same bytes again and again to make up the number. */
    if (sqe->opcode == IORING_OP_RECV &&
        (sqe->msg_flags & (MSG_PEEK | MSG_WAITALL)) == (MSG_PEEK | MSG_WAITALL))
        return false;
    return (opcode->traits & HAS_ADDR || !sqe->addr) && (opcode->traits & HAS_LEN || !sqe->len) &&
           (opcode->traits & HAS_OFF || !sqe->off);
}

/* Returns 0, or what the operation is to fail with. */
static int judge(struct sim *sim, struct sim_op *op)
{
    const struct opcode *opcode = opcode_of(op);
    int code = 0;

    if (!is_known(&op->sqe, opcode))
        return -EINVAL;
    if (opcode->traits & HAS_SOCKET)
        op->socket = ouro__sim_net_find(sim->net, op->sqe.fd, &code);
    if (op->socket)
        op->socket->refs++;
    return code;
}

static void trace_sqe(struct sim *sim, const struct sim_op *op)
{
    const struct sim_op *target = NULL;

    if (op->sqe.opcode == IORING_OP_ASYNC_CANCEL)
        target = find_op(sim, op->sqe.addr, op);
    ouro__sim_trace_sqe(&sim->trace, op->sequence, opcode_of(op)->name, &op->sqe,
                        target ? target->sequence : 0);
}

static bool take(struct sim *sim, const struct io_uring_sqe *sqe)
{
    struct sim_op *op = allocate_op(sim);

    if (!op)
        return false;
    *op = (struct sim_op) {.sqe = *sqe, .sequence = ++sim->sequence};
    list_init(&op->link);
    list_append(bucket_of(sim, sqe->user_data), &op->same_hash);
    op->verdict = judge(sim, op);
    op->is_doomed = !op->verdict && opcode_of(op)->inject &&
                    ouro__sim_random_chance(&sim->random, sim->error_percent);
    trace_sqe(sim, op);
    make_ready(sim, op);
    return true;
}

static int take_all(struct sim *sim, const struct ring *ring)
{
    while (sim->sq_head != ring->sq_tail) {
        if (!take(sim, &sim->sqes[sim->sq_head & (ring->sq_entries - 1)]))
            return -EAGAIN;
        sim->sq_head++;
    }
    return 0;
}

/* --- enter --------------------------------------------------------------------------- */

static void run_overdue(struct sim *sim)
{
    while (!list_is_empty(&sim->ready)) {
        struct sim_op *op = op_of(sim->ready.next);

        if (sim->enter_count - op->ready_since < PATIENCE)
            break;
        run(sim, op);
    }
}

/* A random part of what is ready, in random order. */
static void run_some(struct sim *sim, bool at_least_one)
{
    uint32_t count = ouro__sim_random_below(&sim->random, sim->ready_count + 1);

    if (count == 0 && at_least_one)
        count = 1;
    for (; count > 0 && sim->ready_count > 0; count--)
        run(sim, sim->pickable[ouro__sim_random_below(&sim->random, sim->ready_count)]);
}

/* Nothing is ready: the next thing to happen is the deadline. */
static int pass_time(struct sim *sim, int64_t deadline)
{
    if (deadline == OURO_FOREVER)
        return -EDEADLK;
    sim->reads_since_move = 0;
    if (deadline > sim->now) {
        ouro__sim_trace_clock(&sim->trace, deadline - sim->now);
        sim->now = deadline;
    }
    return -ETIME;
}

/* As the kernel does for a ring with IORING_SETUP_TASKRUN_FLAG: an enter() has more to do. */
static void announce_ready(struct sim *sim)
{
    if (sim->ready_count > 0)
        sim->sq_flags |= IORING_SQ_TASKRUN;
    else
        sim->sq_flags &= ~IORING_SQ_TASKRUN;
}

static int planned_fault(struct sim *sim)
{
    if (sim->fault_countdown == 0 || --sim->fault_countdown > 0)
        return 0;
    ouro__sim_trace_fault(&sim->trace, sim->fault_code);
    return sim->fault_code;
}

static bool has_completions(const struct sim *sim)
{
    return sim->cq_tail != sim->cq_head;
}

static int enter(struct sim *sim, struct ring *ring, bool wait, int64_t deadline)
{
    int code = planned_fault(sim);

    if (code)
        return code;
    flush_overflowed(sim);
    code = take_all(sim, ring);
    run_overdue(sim);
    run_some(sim, false);
    if (code)
        return code;
    while (wait && !has_completions(sim) && sim->ready_count > 0)
        run_some(sim, true);
    return wait && !has_completions(sim) ? pass_time(sim, deadline) : 0;
}

static int sim_enter(struct ring *ring, bool wait, int64_t deadline)
{
    struct sim *sim = sim_of(ring);
    int code;

    ring->system_calls++;
    sim->enter_count++;
    code = enter(sim, ring, wait, deadline);
    announce_ready(sim);
    return code;
}

/*
 * Time stands still while a task runs, but whoever looks at the clock over and over again is
 * waiting for it to move: a loop of tasks that yield until a deadline would never end.
 */
static int64_t sim_now(struct ring *ring)
{
    struct sim *sim = sim_of(ring);

    if (++sim->reads_since_move > CLOCK_READS_MAX)
        sim->now += OURO_MICROSECOND;
    return sim->now;
}

/* --- calls that never block ---------------------------------------------------------- */

static int counted(struct ring *ring, enum sim_call call, int first, int second, int third,
                   int result)
{
    struct sim *sim = sim_of(ring);

    ring->system_calls++; /* which it would be */
    ouro__sim_trace_call(&sim->trace, call, (const int[]) {first, second, third}, result);
    rouse_changed(sim);
    announce_ready(sim);
    return result;
}

static int sim_socket(struct ring *ring, int domain, int type, int protocol)
{
    int fd = ouro__sim_net_socket(sim_of(ring)->net, domain, type, protocol);

    return counted(ring, SIM_CALL_SOCKET, domain, type, protocol, fd);
}

static int sim_bind(struct ring *ring, int fd, const struct sockaddr *address, socklen_t len)
{
    struct sim_net *net = sim_of(ring)->net;
    int code;
    struct sim_socket *socket = ouro__sim_net_find(net, fd, &code);

    if (socket)
        code = socket->family->bind(net, socket, address, len);
    return counted(ring, SIM_CALL_BIND, fd, (int) len, 0, code);
}

static int sim_listen(struct ring *ring, int fd, int backlog)
{
    struct sim_net *net = sim_of(ring)->net;
    int code;
    struct sim_socket *socket = ouro__sim_net_find(net, fd, &code);

    if (socket)
        code = ouro__sim_net_listen(net, socket, backlog);
    return counted(ring, SIM_CALL_LISTEN, fd, backlog, 0, code);
}

static int name_of(struct ring *ring, int fd, bool of_peer, struct sockaddr *address,
                   socklen_t *len)
{
    int code;
    struct sim_socket *socket = ouro__sim_net_find(sim_of(ring)->net, fd, &code);

    if (socket)
        code = ouro__sim_net_name(socket, of_peer, address, len);
    return counted(ring, of_peer ? SIM_CALL_GETPEERNAME : SIM_CALL_GETSOCKNAME, fd, 0, 0, code);
}

static int sim_getsockname(struct ring *ring, int fd, struct sockaddr *address, socklen_t *len)
{
    return name_of(ring, fd, /* of_peer= */ false, address, len);
}

static int sim_getpeername(struct ring *ring, int fd, struct sockaddr *address, socklen_t *len)
{
    return name_of(ring, fd, /* of_peer= */ true, address, len);
}

static int sim_getsockopt(struct ring *ring, int fd, int level, int option, void *value,
                          socklen_t *len)
{
    int code;
    struct sim_socket *socket = ouro__sim_net_find(sim_of(ring)->net, fd, &code);

    if (socket)
        code = ouro__sim_option_get(socket, level, option, value, len);
    return counted(ring, SIM_CALL_GETSOCKOPT, fd, level, option, code);
}

static int sim_setsockopt(struct ring *ring, int fd, int level, int option, const void *value,
                          socklen_t len)
{
    int code;
    struct sim_socket *socket = ouro__sim_net_find(sim_of(ring)->net, fd, &code);

    if (socket)
        code = ouro__sim_option_set(socket, level, option, value, len);
    return counted(ring, SIM_CALL_SETSOCKOPT, fd, level, option, code);
}

/* --- setting up ---------------------------------------------------------------------- */

static void sim_free(struct sim *sim)
{
    struct chunk *next;

    for (struct chunk *chunk = sim->chunks; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    if (sim->net)
        ouro__sim_net_destroy(sim->net);
    ouro__sim_trace_done(&sim->trace);
    free(sim->pickable);
    free(sim->buckets);
    free(sim->sqes);
    free(sim->cqes);
    free(sim);
}

static void sim_close(struct ring *ring)
{
    sim_free(sim_of(ring));
    ring->state = NULL;
}

static const struct ring_backend backend = {
    .name = "sim",
    .close = sim_close,
    .enter = sim_enter,
    .now = sim_now,
    .socket = sim_socket,
    .bind = sim_bind,
    .listen = sim_listen,
    .getsockname = sim_getsockname,
    .getpeername = sim_getpeername,
    .getsockopt = sim_getsockopt,
    .setsockopt = sim_setsockopt,
};

static bool set_up(struct sim *sim, const struct ring_config *config)
{
    unsigned cq_entries = config->sq_entries * 2;

    sim->random.state = config->seed;
    sim->short_percent = config->short_percent;
    sim->error_percent = config->error_percent;
    sim->cq_entries = cq_entries > CQ_ENTRIES_MIN ? cq_entries : CQ_ENTRIES_MIN;
    list_init(&sim->free);
    list_init(&sim->ready);
    list_init(&sim->overflowed);
    sim->sqes = calloc(config->sq_entries, sizeof(*sim->sqes));
    sim->cqes = calloc(sim->cq_entries, sizeof(*sim->cqes));
    sim->net = ouro__sim_net_create(&sim->random);
    return sim->sqes && sim->cqes && sim->net && set_bucket_count(sim, CHUNK_OPS / 2) &&
           grow_indexes(sim);
}

static void publish(struct ring *ring, struct sim *sim, const struct ring_config *config)
{
    *ring = (struct ring) {
        .sqes = sim->sqes,
        .sq_entries = config->sq_entries,
        .sq_head = &sim->sq_head,
        .sq_flags = &sim->sq_flags,
        .cqes = sim->cqes,
        .cq_mask = sim->cq_entries - 1,
        .cq_head = &sim->cq_head,
        .cq_tail = &sim->cq_tail,
        .backend = &backend,
        .state = sim,
        .simulated = true,
    };
}

int ouro__ring_sim_open(struct ring *ring, const struct ring_config *config,
                        struct ring_hint *ret_hint)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    int code = sim && set_up(sim, config) ? 0 : -ENOMEM;

    if (code)
        (void) snprintf(ret_hint->text, sizeof(ret_hint->text), "no memory for a simulated ring");
    if (!code) {
        code = ouro__sim_trace_init(&sim->trace, config->trace_path, &sim->now);
        if (code)
            (void) snprintf(ret_hint->text, sizeof(ret_hint->text),
                            "the trace \"%s\" cannot be opened for appending: %s",
                            config->trace_path, strerror(-code));
    }
    if (code) {
        if (sim)
            sim_free(sim);
        return code;
    }
    publish(ring, sim, config);
    return 0;
}

/* --- for tests ----------------------------------------------------------------------- */

uint64_t ouro__ring_sim_trace_hash(const struct ring *ring)
{
    return sim_of(ring)->trace.hash;
}

void ouro__ring_sim_fail_enter(struct ring *ring, unsigned nth, int code)
{
    struct sim *sim = sim_of(ring);

    sim->fault_countdown = nth;
    sim->fault_code = code;
}
