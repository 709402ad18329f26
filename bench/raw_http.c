/* SPDX-License-Identifier: MIT */
/*
 * raw_http - the floor below an HTTP server on a ring: liburing, and a loop that does nothing else
 *
 * Question: what does the kernel's part of a small request cost, when nothing is parsed?
 * Run:      build/bench/raw_http [--listen 127.0.0.1:8000] [--close]
 * Prints:   Server started at http://127.0.0.1:8000...
 *           bench/http_compare.py measures it, beside other servers.
 *
 * Multishot accept, multishot receive into one ring of provided buffers, and one send for all the
 * blank lines in a buffer; with the set-up flags of the engine's own ring. At most one send per
 * connection is under way: what comes meanwhile is owed. It sleeps whenever there is nothing to do.
 */
#include <errno.h>

#include <liburing.h>

#include "raw_server.h"

#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

#define SQ_ENTRIES   1024
#define CQ_ENTRIES   8192
#define BUFFERS      256 /* as many, and as large, as the engine's */
#define BUFFER_BYTES 4096

enum { ACCEPTED, RECEIVED, SENT };

static struct raw_server server;
static struct io_uring ring;
static unsigned enter_flags;
static struct io_uring_buf_ring *buffer_ring;
static char buffers[BUFFERS][BUFFER_BYTES];
static bool is_accepting;

/* --- the ring -------------------------------------------------------------------------------- */

/* As io_uring_submit_and_wait(), which in liburing 2.9 can't say NO_IOWAIT. */
static void enter(unsigned min_complete)
{
    unsigned count = ring.sq.sqe_tail - ring.sq.sqe_head;
    int code;

    io_uring_smp_store_release(ring.sq.ktail, ring.sq.sqe_tail);
    code = io_uring_enter((unsigned) ring.enter_ring_fd, count, min_complete, enter_flags, NULL);
    if (code < 0 && code != -EINTR && code != -EBUSY && code != -EAGAIN) {
        errno = -code;
        fail("io_uring_enter");
    }
    if (code > 0)
        ring.sq.sqe_head += (unsigned) code;
}

static struct io_uring_sqe *next_sqe(unsigned what, int fd)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

    while (!sqe) {
        enter(0);
        sqe = io_uring_get_sqe(&ring);
    }
    sqe->user_data = (uint64_t) what << 32 | (unsigned) fd;
    return sqe;
}

static void start_ring(void)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE,
        .cq_entries = CQ_ENTRIES,
    };
    int code = io_uring_queue_init_params(SQ_ENTRIES, &ring, &params);

    if (!code) {
        enter_flags = IORING_ENTER_GETEVENTS;
        if (params.features & IORING_FEAT_NO_IOWAIT)
            enter_flags |= IORING_ENTER_NO_IOWAIT;
        if (io_uring_register_ring_fd(&ring) == 1)
            enter_flags |= IORING_ENTER_REGISTERED_RING;
        buffer_ring = io_uring_setup_buf_ring(&ring, BUFFERS, 0, 0, &code);
    }
    if (code) {
        errno = -code;
        fail("io_uring");
    }
}

static void give_buffer(unsigned id)
{
    io_uring_buf_ring_add(buffer_ring, buffers[id], BUFFER_BYTES, (unsigned short) id,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(buffer_ring, 1);
}

/* --- connections ------------------------------------------------------------------------------- */

static void accept_more(void)
{
    io_uring_prep_multishot_accept(next_sqe(ACCEPTED, 0), server.listener, NULL, NULL,
                                   SOCK_CLOEXEC);
    is_accepting = true;
}

static void receive_more(int fd)
{
    struct io_uring_sqe *sqe = next_sqe(RECEIVED, fd);

    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
}

static void send_more(int fd)
{
    struct connection *connection = &server.connections[fd];
    size_t len;
    const char *piece = next_piece(&server, connection, &len);

    io_uring_prep_send(next_sqe(SENT, fd), fd, piece, len, MSG_WAITALL | MSG_NOSIGNAL);
    connection->is_sending = true;
}

/* Only now may the descriptor's number, which is all that completions know, be given to another. */
static void close_if_done(int fd)
{
    const struct connection *connection = &server.connections[fd];

    if (!connection->is_ended || connection->is_sending)
        return;
    (void) close(fd);
    if (!is_accepting)
        accept_more();
}

static void on_accepted(int fd, bool is_last)
{
    if (fd >= CONNECTIONS_MAX) {
        (void) close(fd);
    } else if (fd >= 0) {
        server.connections[fd] = (struct connection) {0};
        receive_more(fd);
    }
    if (!is_last)
        return;
    is_accepting = false;
    /* Without descriptors it would fail for ever: then the next close tries again. */
    if (fd != -EMFILE && fd != -ENFILE)
        accept_more();
}

static void on_bytes(int fd, const char *bytes, size_t len)
{
    struct connection *connection = &server.connections[fd];

    connection->owed_bytes +=
        count_blank_lines(bytes, len, &connection->matched) * server.reply_bytes;
    if (connection->owed_bytes && !connection->is_sending)
        send_more(fd);
}

static void on_received(int fd, int result, unsigned flags)
{
    unsigned id = flags >> IORING_CQE_BUFFER_SHIFT;

    if (result > 0)
        on_bytes(fd, buffers[id], (size_t) result);
    if (flags & IORING_CQE_F_BUFFER)
        give_buffer(id);
    if (flags & IORING_CQE_F_MORE)
        return;
    if (result > 0 || result == -ENOBUFS) {
        receive_more(fd); /* which begins after all buffers of this batch are back */
        return;
    }
    server.connections[fd].is_ended = true;
    close_if_done(fd);
}

static void on_sent(int fd, int result)
{
    struct connection *connection = &server.connections[fd];

    connection->is_sending = false;
    /* After an error the receive ends as well. */
    connection->owed_bytes = result < 0 ? 0 : connection->owed_bytes - (unsigned) result;
    if (connection->owed_bytes)
        send_more(fd);
    else if (server.closes && !connection->is_ended)
        (void) shutdown(fd, SHUT_RDWR); /* which ends the receive */
    close_if_done(fd);
}

/* --- running ----------------------------------------------------------------------------------- */

static void on_completion(const struct io_uring_cqe *cqe)
{
    int fd = (int) (cqe->user_data & UINT32_MAX);

    switch (cqe->user_data >> 32) {
    case ACCEPTED:
        on_accepted(cqe->res, !(cqe->flags & IORING_CQE_F_MORE));
        break;
    case RECEIVED:
        on_received(fd, cqe->res, cqe->flags);
        break;
    case SENT:
        on_sent(fd, cqe->res);
        break;
    }
}

int main(int argc, char **argv)
{
    raw_start(&server, argc, argv, 0);
    start_ring();
    for (unsigned id = 0; id < BUFFERS; id++)
        give_buffer(id);
    accept_more();
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;

        enter(1);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            on_completion(cqe);
            count++;
        }
        io_uring_cq_advance(&ring, count);
    }
}
