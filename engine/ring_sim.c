/* SPDX-License-Identifier: MIT */
/*
 * ring_sim.c - the simulated ring: queues, a clock and a seed behind the seam of ring.h
 *
 * Owns the two queues, the operations in flight, the virtual clock and the order in which
 * things happen. What each opcode does is in sim_op.c, the sockets are in sim_net.c, the trace is
 * in sim_trace.c.
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
#include "sim_disk.h"
#include "sim_file.h"
#include "sim_op.h"
#include "sim_pipe.h"

#define CQ_ENTRIES_MIN  16
#define PATIENCE        8      /* enters */
#define CLOCK_READS_MAX 100000 /* without a move */

static struct sim *sim_of(const struct ring *ring)
{
    return ring->state;
}

static struct sim_op *op_of(struct list *node)
{
    return container_of(node, struct sim_op, link);
}

/* --- operations by user_data --------------------------------------------------------- */

static struct list *bucket_of(struct sim *sim, uint64_t user_data)
{
    return &sim->buckets[ouro__sim_mix(user_data) & (sim->bucket_count - 1)];
}

/*
 * The oldest operation with this user_data that was submitted before `cancel` and has not completed.
 * The kernel runs a cancel when it takes it; here it may be late, and something later may have the
 * same user_data by then: that of a task's next operation is where the last one was on its stack.
 */
static struct sim_op *find_op(struct sim *sim, uint64_t user_data, const struct sim_op *cancel)
{
    struct list *bucket = bucket_of(sim, user_data);

    for (struct list *node = bucket->next; node != bucket; node = node->next) {
        struct sim_op *op = container_of(node, struct sim_op, same_hash);

        if (op->sqe.user_data == user_data && op->sequence < cancel->sequence)
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

/* Whether these events make another attempt worthwhile. */
static bool is_worthwhile(const struct sim *sim, const struct sim_op *op, unsigned events)
{
    return events & ouro__sim_events_for(op) && op->stalled_epoch != sim->net->room_epoch;
}

static void park(struct sim *sim, struct sim_op *op)
{
    struct sim_socket *socket = op->socket;

    if (!list_is_empty(&socket->stalled_link))
        op->stalled_epoch = sim->net->room_epoch;
    CHECK(!is_worthwhile(sim, op, socket->family->poll(socket)),
          "an operation waits although its socket is ready");
    op->state = OP_WAITING;
    list_append(&socket->waiting[ouro__sim_opcode_of(op)->queue], &op->link);
}

static void rouse(struct sim *sim, struct sim_op *op)
{
    list_remove(&op->link);
    op->is_roused = true;
    op->socket->is_roused[ouro__sim_opcode_of(op)->queue] = true;
    make_ready(sim, op);
}

/* The oldest, and only one: it takes what is there, and the next is roused if it leaves some. */
static void rouse_first(struct sim *sim, struct sim_socket *socket, enum sim_wait queue,
                        unsigned events)
{
    struct list *waiting = &socket->waiting[queue];

    if (socket->is_roused[queue] || list_is_empty(waiting))
        return;
    if (is_worthwhile(sim, op_of(waiting->next), events))
        rouse(sim, op_of(waiting->next));
}

static void rouse_pollers(struct sim *sim, struct sim_socket *socket, unsigned events)
{
    struct list *waiting = &socket->waiting[SIM_POLLERS];
    struct list *next;

    for (struct list *node = waiting->next; node != waiting; node = next) {
        next = node->next;
        if (events & ouro__sim_events_for(op_of(node)))
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
    op->socket->is_roused[ouro__sim_opcode_of(op)->queue] = false;
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
    cqe->flags = op->cqe_flags;
}

/* As the kernel does: a multishot operation that finds the queue full ends. */
bool ouro__sim_post_more(struct sim *sim, const struct sim_op *op, int result, uint32_t flags)
{
    struct sim_op posted = *op;

    if (!list_is_empty(&sim->overflowed) || !has_cq_room(sim))
        return false;
    ouro__sim_trace_cqe(&sim->trace, op->sequence, ouro__sim_opcode_of(op)->name, result);
    posted.result = result;
    posted.cqe_flags = flags | IORING_CQE_F_MORE;
    write_cqe(sim, &posted);
    return true;
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
    ouro__sim_trace_cqe(&sim->trace, op->sequence, ouro__sim_opcode_of(op)->name, result);
    list_remove(&op->same_hash);
    pass_on(sim, op);
    if (op->socket)
        ouro__sim_net_unref(sim->net, op->socket);
    op->socket = NULL;
    op->result = result;
    post(sim, op);
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

    return op->verdict || !(ouro__sim_opcode_of(op)->traits & (CAN_WAIT | BY_WORKER)) || is_through;
}

int ouro__sim_run_cancel(struct sim *sim, struct sim_op *op)
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

/* --- running ------------------------------------------------------------------------- */

static bool may_wait(const struct sim_op *op)
{
    bool has_flags = op->sqe.opcode == IORING_OP_RECV || op->sqe.opcode == IORING_OP_SEND ||
                     op->sqe.opcode == IORING_OP_RECVMSG || op->sqe.opcode == IORING_OP_SENDMSG;

    return !(has_flags && op->sqe.msg_flags & MSG_DONTWAIT);
}

static int attempt(struct sim *sim, struct sim_op *op)
{
    const struct opcode *opcode = ouro__sim_opcode_of(op);
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
    if (result == SIM_GOES_ON && !op->is_cancelled) {
        make_ready(sim, op);
    } else if (result == SIM_GOES_ON) {
        complete(sim, op, -ECANCELED);
    } else if (result != -EAGAIN) {
        complete(sim, op, result);
    } else if (!may_wait(op)) {
        complete(sim, op, op->done > 0 ? (int) op->done : -EAGAIN);
    } else if (op->is_cancelled) {
        complete(sim, op, cancelled_result(op));
    } else {
        pass_on(sim, op);
        park(sim, op);
    }
    rouse_changed(sim);
}

/* --- taking SQEs --------------------------------------------------------------------- */

/* With room for an address; the bytes go to the buffers, and control data nowhere. */
static bool is_known_message(const struct io_uring_sqe *sqe)
{
    const struct msghdr *message = ouro__sim_address_of(sqe->addr);

    return message && message->msg_namelen <= sizeof(struct sockaddr_storage) &&
           message->msg_iovlen == 0 && message->msg_controllen == 0 && sqe->len == 1 &&
           sqe->msg_flags == MSG_TRUNC;
}

/* A multishot accept, or receive into provided buffers: all else that SQEs can have is unknown here. */
static bool is_known_multishot(const struct io_uring_sqe *sqe)
{
    if (sqe->opcode == IORING_OP_ACCEPT)
        return !sqe->flags && sqe->ioprio == IORING_ACCEPT_MULTISHOT && !sqe->buf_index &&
               !sqe->addr && !sqe->len && !sqe->off && !(sqe->accept_flags & ~SOCK_CLOEXEC);
    if (sqe->flags != IOSQE_BUFFER_SELECT || sqe->ioprio != IORING_RECV_MULTISHOT ||
        sqe->buf_group != RING_BUFFER_GROUP || sqe->off)
        return false;
    if (sqe->opcode == IORING_OP_RECVMSG)
        return is_known_message(sqe);
    return sqe->opcode == IORING_OP_RECV && !sqe->addr && !sqe->len && !sqe->msg_flags;
}

static bool is_known(const struct io_uring_sqe *sqe, const struct opcode *opcode)
{
    if (!opcode->run || sqe->personality || sqe->file_index)
        return false;
    if (sqe->flags || sqe->ioprio || sqe->buf_index)
        return is_known_multishot(sqe);
    if (sqe->msg_flags & ~opcode->flags)
        return false;
    /* The kernel peeks the same bytes again and again to make up the number. */
    if ((sqe->opcode == IORING_OP_RECV || sqe->opcode == IORING_OP_RECVMSG) &&
        (sqe->msg_flags & (MSG_PEEK | MSG_WAITALL)) == (MSG_PEEK | MSG_WAITALL))
        return false;
    return (opcode->traits & HAS_ADDR || !sqe->addr) && (opcode->traits & HAS_LEN || !sqe->len) &&
           (opcode->traits & HAS_OFF || !sqe->off);
}

/* Returns 0, or what the operation is to fail with. */
static int judge(struct sim *sim, struct sim_op *op)
{
    const struct opcode *opcode = ouro__sim_opcode_of(op);
    int code = 0;

    if (!is_known(&op->sqe, opcode))
        return -EINVAL;
    if (opcode->traits & HAS_SOCKET)
        op->socket = ouro__sim_net_find(sim->net, op->sqe.fd, &code);
    if (opcode->traits & HAS_FD)
        op->socket = ouro__sim_net_find_any(sim->net, op->sqe.fd, &code);
    if (op->socket)
        op->socket->refs++;
    return code;
}

static void trace_sqe(struct sim *sim, const struct sim_op *op)
{
    const struct sim_op *target = NULL;

    if (op->sqe.opcode == IORING_OP_ASYNC_CANCEL)
        target = find_op(sim, op->sqe.addr, op);
    ouro__sim_trace_sqe(&sim->trace, op->sequence, ouro__sim_opcode_of(op)->name, &op->sqe,
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
    op->is_doomed = !op->verdict && ouro__sim_opcode_of(op)->inject &&
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

static int sim_open_buffers(struct ring *ring, unsigned count)
{
    struct sim *sim = sim_of(ring);

    sim->buffers = calloc(count, sizeof(struct io_uring_buf));
    if (!sim->buffers)
        return -ENOMEM;
    sim->buffer_mask = (uint16_t) (count - 1);
    ring->buffers = sim->buffers;
    ring->buffer_count = count;
    return 0;
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

static int sim_socketpair(struct ring *ring, int domain, int type, int protocol, int fds[2])
{
    int code = ouro__sim_net_socketpair(sim_of(ring)->net, domain, type, protocol, fds);

    return counted(ring, SIM_CALL_SOCKETPAIR, domain, type, protocol, code);
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

static int sim_shutdown(struct ring *ring, int fd, int how)
{
    static const int hows[] = {
        [SHUT_RD] = SIM_SHUT_RECV,
        [SHUT_WR] = SIM_SHUT_SEND,
        [SHUT_RDWR] = SIM_SHUT_BOTH,
    };
    struct sim_net *net = sim_of(ring)->net;
    int code;
    struct sim_socket *socket = ouro__sim_net_find(net, fd, &code);

    if (socket)
        code = (unsigned) how < COUNT_OF(hows) ? socket->family->shutdown(net, socket, hows[how])
                                               : -EINVAL;
    return counted(ring, SIM_CALL_SHUTDOWN, fd, how, 0, code);
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

/* --- files and pipes ----------------------------------------------------------------- */

static int sim_fstat(struct ring *ring, int fd, struct stat *ret_stat)
{
    int code;
    struct sim_socket *socket = ouro__sim_net_find_any(sim_of(ring)->net, fd, &code);

    if (socket)
        ouro__sim_file_stat(socket, ret_stat);
    return counted(ring, SIM_CALL_FSTAT, fd, 0, 0, code);
}

static int sim_ftruncate(struct ring *ring, int fd, int64_t len)
{
    int code;
    struct sim_socket *socket = ouro__sim_net_find_any(sim_of(ring)->net, fd, &code);

    if (socket)
        code = socket->file ? ouro__sim_file_truncate(socket, len) : -EINVAL;
    return counted(ring, SIM_CALL_FTRUNCATE, fd, (int) len, 0, code);
}

static int sim_getdents(struct ring *ring, int fd, void *buf, unsigned buf_bytes)
{
    int code;
    struct sim_socket *socket = ouro__sim_net_find_any(sim_of(ring)->net, fd, &code);

    if (socket)
        code = socket->file ? ouro__sim_file_list(socket, buf, buf_bytes) : -ENOTDIR;
    return counted(ring, SIM_CALL_GETDENTS, fd, (int) buf_bytes, 0, code);
}

static int sim_pipe(struct ring *ring, int fds[2])
{
    int code = ouro__sim_pipe_make(sim_of(ring)->net, fds);

    return counted(ring, SIM_CALL_PIPE, code ? 0 : fds[0], code ? 0 : fds[1], 0, code);
}

static int sim_splice(struct ring *ring, int fd_in, int64_t *offset_in, int fd_out,
                      int64_t *offset_out, size_t len, unsigned flags)
{
    struct sim *sim = sim_of(ring);
    uint32_t part = len < SIM_TRANSFER_MAX ? (uint32_t) len : SIM_TRANSFER_MAX;
    int result = ouro__sim_pipe_splice(sim->net, fd_in, offset_in, fd_out, offset_out,
                                       ouro__sim_cut(sim, part), flags);

    return counted(ring, SIM_CALL_SPLICE, fd_in, fd_out, (int) part, result);
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
    if (sim->disk)
        ouro__sim_disk_destroy(sim->disk);
    ouro__sim_trace_done(&sim->trace);
    free(sim->buffers);
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
    .open_buffers = sim_open_buffers,
    .socket = sim_socket,
    .socketpair = sim_socketpair,
    .bind = sim_bind,
    .listen = sim_listen,
    .shutdown = sim_shutdown,
    .getsockname = sim_getsockname,
    .getpeername = sim_getpeername,
    .getsockopt = sim_getsockopt,
    .setsockopt = sim_setsockopt,
    .fstat = sim_fstat,
    .ftruncate = sim_ftruncate,
    .getdents = sim_getdents,
    .pipe = sim_pipe,
    .splice = sim_splice,
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
    sim->disk = ouro__sim_disk_create(&sim->now);
    return sim->sqes && sim->cqes && sim->net && sim->disk &&
           set_bucket_count(sim, CHUNK_OPS / 2) && grow_indexes(sim);
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
        .fd = -1,
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

void ouro__ring_sim_pass_time(struct ring *ring, int64_t span_ns)
{
    struct sim *sim = sim_of(ring);

    sim->now += span_ns;
    ouro__sim_trace_clock(&sim->trace, span_ns);
}
