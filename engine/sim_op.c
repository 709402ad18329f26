/* SPDX-License-Identifier: MIT */
/*
 * sim_op.c - what each opcode of the simulated ring does; see sim_op.h
 *
 * An opcode is a function that attempts the operation, what an SQE of it may have, and the
 * errors that can be injected. ouro__sim_opcodes at the end lists them all.
 */
#include <errno.h>
#include <poll.h>

#include "check.h"
#include "sim_op.h"

/* The kernel's limit for one transfer (MAX_RW_COUNT). */
#define TRANSFER_MAX UINT32_C(0x7ffff000)

/* --- waiting ------------------------------------------------------------------------- */

/*
 * The poll events that make another attempt worthwhile. A poll is told of the ends without
 * asking for them, POLLRDHUP included: there io_uring differs from poll(2).
 */
unsigned ouro__sim_events_for(const struct sim_op *op)
{
    static const unsigned by_queue[] = {
        [SIM_READERS] = POLLIN | POLLRDHUP | POLLERR | POLLHUP,
        [SIM_WRITERS] = POLLOUT | POLLERR | POLLHUP,
        [SIM_POLLERS] = POLLRDHUP | POLLERR | POLLHUP,
    };
    enum sim_wait queue = ouro__sim_opcode_of(op)->queue;

    return by_queue[queue] | (queue == SIM_POLLERS ? op->sqe.poll32_events : 0);
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
        moved = move(sim->net, op->socket, (char *) ouro__sim_address_of(op->sqe.addr) + op->done,
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
    unsigned events = op->socket->family->poll(op->socket) & ouro__sim_events_for(op);

    (void) sim;
    return events ? (int) events : -EAGAIN;
}

static int run_accept(struct sim *sim, struct sim_op *op)
{
    return ouro__sim_net_accept(sim->net, op->socket, ouro__sim_address_of(op->sqe.addr),
                                ouro__sim_address_of(op->sqe.addr2));
}

static int run_connect(struct sim *sim, struct sim_op *op)
{
    if (op->sqe.addr2 > sizeof(struct sockaddr_storage))
        return -EINVAL;
    return ouro__sim_net_connect(sim->net, op->socket, ouro__sim_address_of(op->sqe.addr),
                                 (socklen_t) op->sqe.addr2, op->is_tried);
}

static int run_close(struct sim *sim, struct sim_op *op)
{
    return ouro__sim_net_close(sim->net, op->sqe.fd);
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

/* --- the table ----------------------------------------------------------------------- */

#define RECV_FLAGS (MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT | MSG_TRUNC | MSG_NOSIGNAL)
#define SEND_FLAGS (MSG_WAITALL | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE)

#define TRANSFERS (HAS_SOCKET | HAS_ADDR | HAS_LEN | CAN_WAIT)

/* Whatever is not in here gets -EINVAL. */
/* clang-format off */
const struct opcode ouro__sim_opcodes[IORING_OP_LAST] = {
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
    [IORING_OP_CLOSE] = {"CLOSE", run_close, NULL, 0, 0, 0},
    [IORING_OP_ASYNC_CANCEL] = {"ASYNC_CANCEL", ouro__sim_run_cancel, NULL, 0, HAS_ADDR, 0},
};
/* clang-format on */
