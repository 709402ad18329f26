/* SPDX-License-Identifier: MIT */
/*
 * ring.h - the seam below the dispatcher: SQEs in, CQEs out
 *
 * struct io_uring_sqe and struct io_uring_cqe are the engine's instruction set.
 * All backends lay the two queues out as the kernel does (arrays indexed with a
 * mask, free-running heads and tails), so that filling an SQE and reading a CQE
 * cost no call, and a batch costs one: ring_backend.enter.
 *
 *   ring_uring.c   the kernel, through liburing; the only user of struct io_uring
 *   ring_sim.c     sockets and a clock in memory, driven by a seed
 *
 * Opcodes that the layers above may use. The list is closed and short, so that a
 * further backend stays possible; a backend answers -EINVAL to anything else.
 *
 *   NOP, POLL_ADD (single shot), ACCEPT, CONNECT, RECV, SEND, RECVMSG,
 *   SENDMSG, READ and WRITE (offset -1), CLOSE, ASYNC_CANCEL by user_data (one match)
 *
 *   Of files: OPENAT, READ, WRITE, READV and WRITEV at any offset, FSYNC, FALLOCATE,
 *   STATX, RENAMEAT, UNLINKAT, MKDIRAT
 *
 * No IOSQE_* flags, no links, no direct descriptors, no registered buffers.
 *
 * RECV may also be multishot: IORING_RECV_MULTISHOT in ioprio together with
 * IOSQE_BUFFER_SELECT and the group RING_BUFFER_GROUP. Each completion then carries a
 * provided buffer (IORING_CQE_F_BUFFER); without IORING_CQE_F_MORE it is the last, which
 * may come at any time and for no reason: submit again.
 *
 * RECVMSG likewise, of datagrams (Linux 6.0), with a msghdr that has nothing but msg_namelen and
 * with MSG_TRUNC: the buffer begins with struct io_uring_recvmsg_out and so much room for the
 * sender's address. An empty datagram is the last of its operation.
 *
 * ACCEPT may be multishot (IORING_ACCEPT_MULTISHOT, Linux 5.19), without an address: each
 * completion is a connection, and without IORING_CQE_F_MORE the last, as above.
 *
 * Beside submission there are the calls that never block and have no good opcode
 * (socket(2), getsockname(2), ...): the second half of ring_backend.
 */
#ifndef OURO_RING_H
#define OURO_RING_H

#include <liburing.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct ring;

/* A completion that nobody waits for carries this user_data (the ASYNC_CANCELs). */
#define RING_IGNORED UINT64_C(0)

/* The one group of provided buffers. */
#define RING_BUFFER_GROUP 0

struct ring_backend {
    const char *name;

    /* Releases all that open() made. Operations in flight are abandoned: none are left by then. */
    void (*close)(struct ring *ring);

    /*
     * Submits the SQEs between the ring's head and tail and makes completions
     * visible. With `wait`, sleeps until there is at least one or the clock
     * reaches `deadline` (OURO_FOREVER: none). Returns 0 when there may be
     * completions, -ETIME, -EINTR, or a -errno that says why not all SQEs were
     * taken (they stay queued; -EBUSY and -EAGAIN ask to reap and try again).
     */
    int (*enter)(struct ring *ring, bool wait, int64_t deadline);

    int64_t (*now)(struct ring *ring);

    /*
     * Makes the queue of provided buffers, with room for `count` (a power of two, at most
     * 32768) of them, and sets the ring's `buffers`. Once per ring. Returns 0 or -errno.
     */
    int (*open_buffers)(struct ring *ring, unsigned count);

    int (*socket)(struct ring *ring, int domain, int type, int protocol);
    int (*socketpair)(struct ring *ring, int domain, int type, int protocol, int fds[2]);
    int (*bind)(struct ring *ring, int fd, const struct sockaddr *address, socklen_t len);
    int (*listen)(struct ring *ring, int fd, int backlog);
    int (*shutdown)(struct ring *ring, int fd, int how);
    int (*getsockname)(struct ring *ring, int fd, struct sockaddr *address, socklen_t *len);
    int (*getpeername)(struct ring *ring, int fd, struct sockaddr *address, socklen_t *len);
    int (*getsockopt)(struct ring *ring, int fd, int level, int option, void *value,
                      socklen_t *len);
    int (*setsockopt)(struct ring *ring, int fd, int level, int option, const void *value,
                      socklen_t len);

    int (*fstat)(struct ring *ring, int fd, struct stat *ret_stat);

    /* A disk may hold these up: to be called on a thread of the offload pool. */
    int (*ftruncate)(struct ring *ring, int fd, int64_t len);
    int (*getdents)(struct ring *ring, int fd, void *buf, unsigned buf_bytes);

    int (*pipe)(struct ring *ring, int fds[2]); /* close-on-exec */

    /* splice(2), which here gives -EAGAIN instead of waiting for a pipe or a socket. */
    int (*splice)(struct ring *ring, int fd_in, int64_t *offset_in, int fd_out, int64_t *offset_out,
                  size_t len, unsigned flags);
};

/* Who takes submissions, and how completions are waited for; docs/modes.md. */
enum ring_mode {
    RING_BATCH,  /* one system call submits and waits for many */
    RING_SQPOLL, /* a thread of the kernel submits, and we look at the queue of completions */
    RING_AUTO    /* one of the two, as ouro__ring_mode_settle() decides */
};

struct ring {
    /*
     * Submission: [*sq_head, sq_tail) is filled; the backend moves *sq_head. What is behind it may
     * be read at any time (by the kernel's thread) until *sq_head has passed it.
     */
    struct io_uring_sqe *sqes;
    unsigned sq_tail;
    unsigned sq_entries; /* a power of two */
    const unsigned *sq_head;
    const unsigned *sq_flags; /* IORING_SQ_TASKRUN, IORING_SQ_CQ_OVERFLOW: enter, there is more */

    /* Completion: [*cq_head, *cq_tail) is filled; the backend moves *cq_tail. */
    struct io_uring_cqe *cqes;
    unsigned cq_mask;
    unsigned *cq_head;
    const unsigned *cq_tail;

    /* Provided buffers: [the backend's head, buffers->tail) are for it to fill, in order. */
    struct io_uring_buf_ring *buffers; /* NULL before open_buffers() */
    unsigned buffer_count;

    const struct ring_backend *backend;
    int fd;                  /* readable when enter() has something to do; -1: there is none */
    void *state;             /* the backend's */
    enum ring_mode mode;     /* never RING_AUTO */
    int64_t poll_ns;         /* how long to look for completions before sleeping; 0: as you like */
    uint64_t system_calls;   /* counted by the backend */
    bool simulated;          /* foreign fds do not work */
    bool mask_guard_madvise; /* kernel=X.Y asks us to pretend that MADV_GUARD_INSTALL is missing */
};

/* What OURO_RING or the option says, parsed. */
struct ring_config {
    bool simulated;
    unsigned sq_entries;
    unsigned kernel_major, kernel_minor; /* mask what is newer; 0.0: nothing */

    /* uring only */
    enum ring_mode mode;
    unsigned idle_ms;   /* sqpoll: how long both sides look before they sleep */
    bool has_cpu;       /* sqpoll: the kernel's thread is to run on `cpu` only */
    bool shares_thread; /* sqpoll: one thread of the kernel for all shards */
    bool may_fall_back; /* sqpoll was our choice: batch does as well */
    unsigned cpu;
    const struct ring *attach_to; /* the ring whose thread it shares; NULL: has its own */
    const char *reason;           /* of the choice; NULL: it was none */

    /* sim only */
    uint64_t seed;
    unsigned short_percent; /* how many transfers are cut short */
    unsigned error_percent; /* how many operations fail with an error that the kernel might give */
    const char *
        trace_path; /* points into `text`; one line per event is appended; "-" is stderr; NULL: none */
    char text[256];
};

/* Long enough for a reason and what to do about it. */
struct ring_hint {
    char text[768];
};

/*
 * Parses `spec` ("uring:kernel=6.1", "sim:seed=42,short=20"). Returns 0, or
 * OURO_ERING with a hint that lists the forms.
 */
int ouro__ring_parse(const char *spec, struct ring_config *ret_config, struct ring_hint *ret_hint);

/*
 * Decides what was left open: RING_AUTO, for so many `loops` on `cpus` CPUs. A loop that is turned
 * by a foreign one sleeps there, and cannot look. Returns 0, or OURO_ERING with a hint when
 * the mode can't be had.
 */
int ouro__ring_mode_settle(struct ring_config *config, unsigned loops, unsigned cpus,
                           bool is_foreign, struct ring_hint *ret_hint);

/*
 * Which of `cpus` CPUs the SQ thread of loop `index` gets when loops are pinned, each to the one of
 * its index: the first that no loop has, while there are any; never its own, if there are two.
 */
unsigned ouro__ring_mode_place(const struct ring_config *config, unsigned index, unsigned loops,
                               unsigned cpus);

/* "uring:mode=batch", "uring:mode=sqpoll" or "sim". */
const char *ouro__ring_mode_name(const struct ring *ring);

/* Returns 0, or -errno with a hint. */
int ouro__ring_open(struct ring *ring, const struct ring_config *config,
                    struct ring_hint *ret_hint);

void ouro__ring_close(struct ring *ring);

int ouro__ring_uring_open(struct ring *ring, const struct ring_config *config,
                          struct ring_hint *ret_hint);
int ouro__ring_sim_open(struct ring *ring, const struct ring_config *config,
                        struct ring_hint *ret_hint);

/* For tests on a simulated ring: a number that is the same for runs with the same trace. */
uint64_t ouro__ring_sim_trace_hash(const struct ring *ring);

/* Likewise: time passes while a task computes. */
void ouro__ring_sim_pass_time(struct ring *ring, int64_t span_ns);

/* Likewise: the `nth` enter() from now (1: the next) takes nothing and returns `code`. */
void ouro__ring_sim_fail_enter(struct ring *ring, unsigned nth, int code);

static inline unsigned ouro__ring_load(const unsigned *shared)
{
    return atomic_load_explicit((const _Atomic unsigned *) shared, memory_order_acquire);
}

/* SQEs that were filled and that the backend has not taken yet. */
static inline unsigned ouro__ring_unsubmitted(const struct ring *ring)
{
    return ring->sq_tail - ouro__ring_load(ring->sq_head);
}

/*
 * The next SQE to fill; NULL when the queue is full. The fields that the io_uring_prep_*()
 * leave alone are cleared, as they expect: otherwise a close would carry the flags of the
 * send that had the slot before.
 */
static inline struct io_uring_sqe *ouro__ring_get_sqe(struct ring *ring)
{
    struct io_uring_sqe *sqe;

    if (ouro__ring_unsubmitted(ring) >= ring->sq_entries)
        return NULL;
    sqe = &ring->sqes[ring->sq_tail++ & (ring->sq_entries - 1)];
    io_uring_initialize_sqe(sqe);
    return sqe;
}

static inline unsigned ouro__ring_completed(const struct ring *ring)
{
    return ouro__ring_load(ring->cq_tail) - *ring->cq_head;
}

/* The oldest completion; copy what you need before ouro__ring_pop(). */
static inline const struct io_uring_cqe *ouro__ring_peek(const struct ring *ring)
{
    return &ring->cqes[*ring->cq_head & ring->cq_mask];
}

static inline void ouro__ring_pop(struct ring *ring)
{
    atomic_store_explicit((_Atomic unsigned *) ring->cq_head, *ring->cq_head + 1,
                          memory_order_release);
}

/* Provides a buffer, or gives one back: it is the backend's until a completion names `id`. */
static inline void ouro__ring_give_buffer(struct ring *ring, void *data, unsigned bytes,
                                          unsigned id)
{
    io_uring_buf_ring_add(ring->buffers, data, bytes, (unsigned short) id,
                          (int) ring->buffer_count - 1, 0);
    io_uring_buf_ring_advance(ring->buffers, 1);
}

/* Whether the kernel holds completions that only an enter() makes visible. */
static inline bool ouro__ring_wants_enter(const struct ring *ring)
{
    return ouro__ring_load(ring->sq_flags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

#endif /* OURO_RING_H */
