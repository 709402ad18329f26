/* SPDX-License-Identifier: MIT */
/*
 * sim_op.c - what each opcode of the simulated ring does; see sim_op.h
 *
 * An opcode is a function that attempts the operation, what an SQE of it may have, and the
 * errors that can be injected. ouro__sim_opcodes at the end lists them all.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#include "check.h"
#include "sim_file.h"
#include "sim_file_op.h"
#include "sanitizer.h"
#include "sim_op.h"

/* --- waiting ------------------------------------------------------------------------- */

/*
 * The poll events that make another attempt worthwhile. A poll is told of the ends without
 * asking for them, POLLRDHUP included: there io_uring differs from poll(2). A multishot RECVMSG
 * is not: on a socket that is shut down Linux (seen on 6.18) lets it wait for the next message.
 */
unsigned ouro__sim_events_for(const struct sim_op *op)
{
    static const unsigned by_queue[] = {
        [SIM_READERS] = POLLIN | POLLRDHUP | POLLERR | POLLHUP,
        [SIM_WRITERS] = POLLOUT | POLLERR | POLLHUP,
        [SIM_POLLERS] = POLLRDHUP | POLLERR | POLLHUP,
    };
    enum sim_wait queue = ouro__sim_opcode_of(op)->queue;

    if (op->sqe.opcode == IORING_OP_RECVMSG && ouro__sim_is_multishot(op) &&
        op->socket->type == SOCK_DGRAM && list_is_empty(&op->socket->messages))
        return POLLERR;
    return by_queue[queue] | (queue == SIM_POLLERS ? op->sqe.poll32_events : 0);
}

/* --- operations that move bytes ------------------------------------------------------ */

typedef int move_fn(struct sim_net *net, struct sim_socket *socket, void *buf, uint32_t len,
                    int flags);

uint32_t ouro__sim_cut(struct sim *sim, uint32_t len)
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
    uint32_t len = op->sqe.len < SIM_TRANSFER_MAX ? op->sqe.len : SIM_TRANSFER_MAX;
    bool all = op->sqe.msg_flags & MSG_WAITALL && op->socket->type == SOCK_STREAM;
    int moved;

    if (!all && possible > 0)
        len = ouro__sim_cut(sim, len < possible ? len : possible);
    do {
        moved = move(sim->net, op->socket, (char *) ouro__sim_address_of(op->sqe.addr) + op->done,
                     len - op->done, (int) op->sqe.msg_flags);
        if (moved > 0)
            op->done += (uint32_t) moved;
    } while (moved > 0 && op->done < len && all);
    return moved == -EAGAIN || op->done == 0 ? moved : (int) op->done;
}

/* How often a multishot operation ends for no reason, in percent. */
#define WHIM_PERCENT 5

/* The next provided buffer; NULL: there is none. */
static const struct io_uring_buf *next_buffer(const struct sim *sim)
{
    if (!sim->buffers || sim->buffer_head == sim->buffers->tail)
        return NULL;
    return &sim->buffers->bufs[sim->buffer_head & sim->buffer_mask];
}

/* Receives into `data`; returns how many bytes of it are filled, or -errno. */
typedef int fill_fn(struct sim *sim, struct sim_op *op, void *data, uint32_t len);

static int fill_with_bytes(struct sim *sim, struct sim_op *op, void *data, uint32_t len)
{
    uint32_t readable = ouro__sim_net_readable(op->socket);

    if (readable > 0)
        len = ouro__sim_cut(sim, len < readable ? len : readable);
    return ouro__sim_net_receive(sim->net, op->socket, data, len, 0);
}

/*
 * One completion's worth. The buffer is the program's from here on, and leaves the kernel's
 * hands together with the completion; at the end of the stream it may be named or not.
 */
static int receive_once(struct sim *sim, struct sim_op *op, fill_fn *fill, uint32_t *ret_flags)
{
    const struct io_uring_buf *buffer = next_buffer(sim);
    void *data;
    int moved;

    *ret_flags = 0;
    if (!buffer)
        return -ENOBUFS; /* the kernel looks for a buffer first, also when there are no bytes */
    data = ouro__sim_address_of(buffer->addr);
    asan_unpoison(data, buffer->len);
    moved = fill(sim, op, data, buffer->len);
    asan_poison(data, buffer->len);
    if (moved > 0 || (moved == 0 && ouro__sim_random_chance(&sim->random, 50))) {
        *ret_flags = IORING_CQE_F_BUFFER | (uint32_t) buffer->bid << IORING_CQE_BUFFER_SHIFT;
        sim->buffer_head++;
    }
    return moved;
}

static bool has_more(const struct sim_socket *socket)
{
    return ouro__sim_net_readable(socket) > 0 ||
           (socket->type == SOCK_DGRAM && !list_is_empty(&socket->messages));
}

/*
 * Some of what has come, each part in a buffer and a completion of its own. One with no more
 * than `head` bytes is the last: of a stream, because it ends; of datagrams, because Linux takes
 * an empty one for an end.
 */
static int run_multishot(struct sim *sim, struct sim_op *op, fill_fn *fill, uint32_t head)
{
    uint32_t flags;
    int moved;

    do {
        moved = receive_once(sim, op, fill, &flags);
        if (moved <= (int) head || ouro__sim_random_chance(&sim->random, WHIM_PERCENT) ||
            !ouro__sim_post_more(sim, op, moved, flags)) {
            op->cqe_flags = flags;
            return moved;
        }
    } while (has_more(op->socket) && ouro__sim_random_chance(&sim->random, 50));
    return SIM_GOES_ON;
}

static int run_recv(struct sim *sim, struct sim_op *op)
{
    if (ouro__sim_is_multishot(op))
        return run_multishot(sim, op, fill_with_bytes, /* head= */ 0);
    return transfer(sim, op, ouro__sim_net_receive, ouro__sim_net_readable(op->socket));
}

static int run_recvmsg(struct sim *sim, struct sim_op *op)
{
    if (ouro__sim_is_multishot(op))
        return run_multishot(sim, op, ouro__sim_message_fill, ouro__sim_message_head(op));
    return ouro__sim_run_recvmsg(sim, op);
}

static int run_send(struct sim *sim, struct sim_op *op)
{
    return transfer(sim, op, ouro__sim_net_send, ouro__sim_net_writable(op->socket));
}

static bool is_socket(const struct sim_socket *socket)
{
    return !socket->file && !socket->pipe;
}

/* Sockets have no position: -1 means that there is none, 0 is tolerated. */
static bool is_seeking(const struct sim_op *op)
{
    return op->sqe.off != 0 && op->sqe.off != UINT64_MAX;
}

static int run_read(struct sim *sim, struct sim_op *op)
{
    if (!is_socket(op->socket))
        return ouro__sim_file_run_read(sim, op);
    if (is_seeking(op))
        return -ESPIPE;
    return op->sqe.len == 0 ? 0 : run_recv(sim, op);
}

static int run_write(struct sim *sim, struct sim_op *op)
{
    if (!is_socket(op->socket))
        return ouro__sim_file_run_write(sim, op);
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

/* Of those that wait some, each with a completion of its own. */
static int run_multishot_accept(struct sim *sim, struct sim_op *op)
{
    int fd;

    do {
        fd = ouro__sim_net_accept(sim->net, op->socket, NULL, NULL);
        if (fd < 0 || ouro__sim_random_chance(&sim->random, WHIM_PERCENT) ||
            !ouro__sim_post_more(sim, op, fd, /* flags= */ 0))
            return fd;
    } while (ouro__sim_random_chance(&sim->random, 50));
    return SIM_GOES_ON;
}

static int run_accept(struct sim *sim, struct sim_op *op)
{
    if (ouro__sim_is_multishot(op))
        return run_multishot_accept(sim, op);
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

    if (op->socket->file)
        return ouro__sim_file_inject_transfer(sim, op);
    (void) op->socket->family->fail(sim->net, op->socket,
                                    pick_error(sim, errors, COUNT_OF(errors)));
    return 0;
}

static int inject_connect(struct sim *sim, struct sim_op *op)
{
    static const uint8_t tcp[] = {ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH};
    static const uint8_t local[] = {ECONNREFUSED, ENOMEM};

    if (op->socket->state != SIM_UNCONNECTED || op->socket->type == SOCK_DGRAM)
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

#define TRANSFERS    (HAS_SOCKET | HAS_ADDR | HAS_LEN | CAN_WAIT)
#define FD_TRANSFERS (HAS_FD | HAS_ADDR | HAS_LEN | HAS_OFF | CAN_WAIT)

/* Whatever is not in here gets -EINVAL. */
/* clang-format off */
const struct opcode ouro__sim_opcodes[IORING_OP_LAST] = {
    [IORING_OP_NOP] = {"NOP", run_nop, NULL, 0, 0, 0},
    [IORING_OP_POLL_ADD] = {"POLL_ADD", run_poll_add, NULL, UINT32_MAX, HAS_FD | CAN_WAIT,
                            SIM_POLLERS},
    [IORING_OP_ACCEPT] = {"ACCEPT", run_accept, inject_accept, SOCK_CLOEXEC | SOCK_NONBLOCK,
                          HAS_SOCKET | HAS_ADDR | HAS_OFF | CAN_WAIT, SIM_READERS},
    [IORING_OP_CONNECT] = {"CONNECT", run_connect, inject_connect, 0,
                           HAS_SOCKET | HAS_ADDR | HAS_OFF | CAN_WAIT, SIM_WRITERS},
    [IORING_OP_RECV] = {"RECV", run_recv, inject_break, RECV_FLAGS, TRANSFERS, SIM_READERS},
    [IORING_OP_SEND] = {"SEND", run_send, inject_break, SEND_FLAGS, TRANSFERS, SIM_WRITERS},
    [IORING_OP_RECVMSG] = {"RECVMSG", run_recvmsg, inject_break, RECV_FLAGS | MSG_CMSG_CLOEXEC,
                           TRANSFERS, SIM_READERS},
    [IORING_OP_SENDMSG] = {"SENDMSG", ouro__sim_run_sendmsg, inject_break, SEND_FLAGS, TRANSFERS,
                           SIM_WRITERS},
    [IORING_OP_READ] = {"READ", run_read, inject_break, 0, FD_TRANSFERS, SIM_READERS},
    [IORING_OP_WRITE] = {"WRITE", run_write, inject_break, 0, FD_TRANSFERS, SIM_WRITERS},
    [IORING_OP_READV] = {"READV", ouro__sim_file_run_readv, inject_break, 0, FD_TRANSFERS,
                         SIM_READERS},
    [IORING_OP_WRITEV] = {"WRITEV", ouro__sim_file_run_writev, inject_break, 0, FD_TRANSFERS,
                          SIM_WRITERS},
    [IORING_OP_OPENAT] = {"OPENAT", ouro__sim_file_run_open, ouro__sim_file_inject_open,
                          SIM_OPEN_FLAGS, HAS_ADDR | HAS_LEN | BY_WORKER, 0},
    [IORING_OP_FSYNC] = {"FSYNC", ouro__sim_file_run_fsync, ouro__sim_file_inject_change,
                         IORING_FSYNC_DATASYNC, HAS_FD | BY_WORKER, 0},
    [IORING_OP_FALLOCATE] = {"FALLOCATE", ouro__sim_file_run_fallocate,
                             ouro__sim_file_inject_change, 0,
                             HAS_FD | HAS_ADDR | HAS_LEN | HAS_OFF | BY_WORKER, 0},
    [IORING_OP_STATX] = {"STATX", ouro__sim_file_run_statx, ouro__sim_file_inject_look,
                         AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE,
                         HAS_ADDR | HAS_LEN | HAS_OFF | BY_WORKER, 0},
    [IORING_OP_RENAMEAT] = {"RENAMEAT", ouro__sim_file_run_rename, ouro__sim_file_inject_change,
                            RENAME_NOREPLACE, HAS_ADDR | HAS_LEN | HAS_OFF | BY_WORKER, 0},
    [IORING_OP_UNLINKAT] = {"UNLINKAT", ouro__sim_file_run_unlink, ouro__sim_file_inject_look,
                            AT_REMOVEDIR, HAS_ADDR | BY_WORKER, 0},
    [IORING_OP_MKDIRAT] = {"MKDIRAT", ouro__sim_file_run_mkdir, ouro__sim_file_inject_change, 0,
                           HAS_ADDR | HAS_LEN | BY_WORKER, 0},
    [IORING_OP_CLOSE] = {"CLOSE", run_close, NULL, 0, 0, 0},
    [IORING_OP_ASYNC_CANCEL] = {"ASYNC_CANCEL", ouro__sim_run_cancel, NULL, 0, HAS_ADDR, 0},
};
/* clang-format on */
