/* SPDX-License-Identifier: MIT */
/*
 * ring_uring.c - the kernel's ring behind the seam of ring.h
 *
 * The only file that touches struct io_uring. liburing sets the queues up and maps them;
 * from then on they are used through the pointers in struct ring, and this file enters
 * the kernel.
 *
 * Set-up flags, by what they bring (CPU per small echo, same machine, same run):
 *
 *   SINGLE_ISSUER | DEFER_TASKRUN   completions are posted when we ask for them, in our own
 *                                   time, not by interrupting us: 6.75 us against 9.4 without
 *   TASKRUN_FLAG                    the queue says whether there is anything to ask for
 *   SUBMIT_ALL                      one bad SQE does not hold up those behind it
 *   NO_SQARRAY (6.6)                one indirection less; liburing tries it by itself
 *   a registered ring fd            45 ns less per system call
 *   ABS_TIMER (6.12)                a sleep has a deadline: no clock to be read for its length
 *   NO_IOWAIT (6.15)                sleeping here is not waiting for a disk
 *
 * In sqpoll mode (docs/modes.md) a thread of the kernel's, the SQ thread, takes submissions, and
 * posts completions when they come. It allows neither DEFER_TASKRUN nor TASKRUN_FLAG: there
 * is nothing that waits for us. We enter for four reasons: to wake it, to sleep, to have completions
 * that overflowed moved into the queue, and when it leaves the queue full for so long that it must
 * be short of CPU.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "cpus.h"
#include "ouro_base.h"
#include "ring.h"
#include "sanitizer.h"

#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif
#ifndef IORING_ENTER_ABS_TIMER
#define IORING_ENTER_ABS_TIMER (1U << 5)
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

/*
 * Threads of the kernel that file operations may occupy at a time. Linux allows four for each CPU,
 * and for operations that may take for ever as many as the user may have processes.
 */
#define WORKERS_MAX           32
#define UNBOUNDED_WORKERS_MAX 64

/* Completions per submission: multishot requests answer one SQE many times. */
#define CQ_PER_SQ      8
#define CQ_ENTRIES_MAX 65536

/*
 * The kernel finds what an ASYNC_CANCEL means in a hash table that it sizes by the completion
 * queue: a bucket per 32 entries, at most 256. With 16 buckets 100,000 polls that time out at once
 * took 40 s to be cancelled, with 256 they take 1.7.
 */
#define CQ_ENTRIES_MIN 8192

/* So often the SQ thread may leave a full queue as it is before we sleep until it has not. */
#define FULL_ENTERS_MAX 10000

struct uring {
    struct io_uring ring;
    unsigned full_enters; /* in a row that found the queue full; sqpoll only */
    unsigned woken_head;  /* where the queue's head was when we woke the SQ thread */
    bool was_woken;
    unsigned enter_flags; /* of every io_uring_enter() */
    int64_t seen_time;    /* the clock, when somebody last wanted to know it */
    unsigned timer_flags; /* of every one with a deadline: IORING_ENTER_ABS_TIMER, or none */
};

static struct io_uring *io_uring_of(struct ring *ring)
{
    return &((struct uring *) ring->state)->ring;
}

/* --- the clock --------------------------------------------------------------------------- */

static int64_t uring_now(struct ring *ring)
{
    struct uring *self = ring->state;
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    self->seen_time = now.tv_sec * OURO_SECOND + now.tv_nsec;
    return self->seen_time;
}

/* --- entering the kernel ------------------------------------------------------------------- */

static int enter(struct ring *ring, unsigned min_complete, unsigned flags, void *arg,
                 size_t arg_bytes)
{
    struct uring *self = ring->state;
    unsigned to_submit = ring->mode == RING_SQPOLL ? 0 : ouro__ring_unsubmitted(ring);
    int code;

    ring->system_calls++;
    code = io_uring_enter2((unsigned) self->ring.enter_ring_fd, to_submit, min_complete,
                           flags | self->enter_flags, arg, arg_bytes);
    return code < 0 ? code : 0;
}

/* `time_ns` is a deadline, or what is left until it, depending on the kernel. */
static int enter_for(struct ring *ring, int64_t time_ns, unsigned flags)
{
    struct uring *self = ring->state;
    struct __kernel_timespec timeout = {.tv_sec = time_ns / OURO_SECOND,
                                        .tv_nsec = time_ns % OURO_SECOND};
    struct io_uring_getevents_arg arg = {.ts = (uint64_t) (uintptr_t) &timeout};

    return enter(ring, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | self->timer_flags | flags,
                 &arg, sizeof(arg));
}

static void publish_tail(struct ring *ring)
{
    atomic_store_explicit((_Atomic unsigned *) io_uring_of(ring)->sq.ktail, ring->sq_tail,
                          memory_order_release);
}

/* --- with the kernel's SQ thread ----------------------------------------------------------- */

static unsigned note_full_queue(struct ring *ring)
{
    struct uring *self = ring->state;

    if (likely(ouro__ring_unsubmitted(ring) < ring->sq_entries) ||
        ++self->full_enters < FULL_ENTERS_MAX) {
        return 0;
    }
    self->full_enters = 0;
    return IORING_ENTER_SQ_WAIT;
}

/*
 * The SQ thread keeps NEED_WAKEUP raised until it really runs, and does not go back to sleep before
 * it has taken what there is: until the head moves, waking it again would be for nothing.
 */
static bool must_wake(struct uring *self, unsigned head)
{
    if (self->was_woken && self->woken_head == head)
        return false;
    self->was_woken = true;
    self->woken_head = head;
    return true;
}

/*
 * Publishes what is filled, and returns what only a system call can do then. The SQ thread raises
 * NEED_WAKEUP and then looks at the tail once more; we move the tail and then look at the flag. With
 * a full fence between the two, on both sides, one of us sees the other.
 */
static unsigned hand_over(struct ring *ring)
{
    unsigned wishes = 0;
    unsigned flags, head;

    publish_tail(ring);
    atomic_thread_fence(memory_order_seq_cst);
    flags = ouro__ring_load(ring->sq_flags);
    head = ouro__ring_load(ring->sq_head);
    if (unlikely(flags & IORING_SQ_CQ_OVERFLOW))
        wishes |= IORING_ENTER_GETEVENTS;
    if (head == ring->sq_tail)
        return wishes;
    if (unlikely(flags & IORING_SQ_NEED_WAKEUP) && must_wake(ring->state, head))
        wishes |= IORING_ENTER_SQ_WAKEUP;
    return wishes | note_full_queue(ring);
}

static int sqpoll_sleep(struct ring *ring, int64_t deadline, unsigned wishes)
{
    const struct uring *self = ring->state;
    int64_t now;

    if (deadline == OURO_FOREVER)
        return enter(ring, 1, IORING_ENTER_GETEVENTS | wishes, NULL, _NSIG / 8);
    now = uring_now(ring);
    if (deadline > now)
        return enter_for(ring, self->timer_flags ? deadline : deadline - now, wishes);
    if (wishes)
        return enter(ring, 0, wishes, NULL, _NSIG / 8);
    return -ETIME;
}

static int sqpoll_enter(struct ring *ring, bool wait, int64_t deadline)
{
    unsigned wishes = hand_over(ring);

    if (wait && ouro__ring_completed(ring) == 0)
        return sqpoll_sleep(ring, deadline, wishes);
    return likely(!wishes) ? 0 : enter(ring, 0, wishes, NULL, _NSIG / 8);
}

/* --- without -------------------------------------------------------------------------------- */

static int uring_enter(struct ring *ring, bool wait, int64_t deadline)
{
    const struct uring *self = ring->state;
    int64_t now;

    if (ring->mode == RING_SQPOLL)
        return sqpoll_enter(ring, wait, deadline);
    publish_tail(ring);
    if (!wait)
        return enter(ring, 0, IORING_ENTER_GETEVENTS, NULL, _NSIG / 8);
    if (deadline == OURO_FOREVER)
        return enter(ring, 1, IORING_ENTER_GETEVENTS, NULL, _NSIG / 8);
    if (self->timer_flags && deadline > self->seen_time + OURO_MILLISECOND)
        return enter_for(ring, deadline, /* flags= */ 0);
    now = uring_now(ring); /* a deadline that has passed, as near ones often have, needs no call */
    if (deadline <= now && ouro__ring_unsubmitted(ring) == 0 && !ouro__ring_wants_enter(ring))
        return -ETIME;
    if (deadline <= now)
        return enter(ring, 0, IORING_ENTER_GETEVENTS, NULL, _NSIG / 8);
    return enter_for(ring, self->timer_flags ? deadline : deadline - now, /* flags= */ 0);
}

/* --- calls that never block ------------------------------------------------------------------ */

static int counted(struct ring *ring, int result)
{
    ring->system_calls++;
    return result < 0 ? -errno : result;
}

static int uring_socket(struct ring *ring, int domain, int type, int protocol)
{
    return counted(ring, socket(domain, type, protocol));
}

static int uring_socketpair(struct ring *ring, int domain, int type, int protocol, int fds[2])
{
    return counted(ring, socketpair(domain, type, protocol, fds));
}

static int uring_bind(struct ring *ring, int fd, const struct sockaddr *address, socklen_t len)
{
    return counted(ring, bind(fd, address, len));
}

static int uring_listen(struct ring *ring, int fd, int backlog)
{
    return counted(ring, listen(fd, backlog));
}

static int uring_shutdown(struct ring *ring, int fd, int how)
{
    return counted(ring, shutdown(fd, how));
}

static int uring_getsockname(struct ring *ring, int fd, struct sockaddr *address, socklen_t *len)
{
    return counted(ring, getsockname(fd, address, len));
}

static int uring_getpeername(struct ring *ring, int fd, struct sockaddr *address, socklen_t *len)
{
    return counted(ring, getpeername(fd, address, len));
}

static int uring_getsockopt(struct ring *ring, int fd, int level, int option, void *value,
                            socklen_t *len)
{
    return counted(ring, getsockopt(fd, level, option, value, len));
}

static int uring_setsockopt(struct ring *ring, int fd, int level, int option, const void *value,
                            socklen_t len)
{
    return counted(ring, setsockopt(fd, level, option, value, len));
}

/* --- files and pipes --------------------------------------------------------------------------- */

static int uring_fstat(struct ring *ring, int fd, struct stat *ret_stat)
{
    return counted(ring, fstat(fd, ret_stat));
}

static int uring_ftruncate(struct ring *ring, int fd, int64_t len)
{
    (void) ring; /* it is another thread's */
    return ftruncate(fd, len) ? -errno : 0;
}

static int uring_getdents(struct ring *ring, int fd, void *buf, unsigned buf_bytes)
{
    int result = (int) getdents64(fd, buf, buf_bytes);

    (void) ring;
    return result < 0 ? -errno : result;
}

static int uring_pipe(struct ring *ring, int fds[2])
{
    return counted(ring, pipe2(fds, O_CLOEXEC));
}

/* Sets the flags of an open file, and returns those that it had; -errno. */
static int set_nonblocking(struct ring *ring, int fd)
{
    int flags = counted(ring, fcntl(fd, F_GETFL));

    if (flags >= 0 && !(flags & O_NONBLOCK))
        (void) counted(ring, fcntl(fd, F_SETFL, flags | O_NONBLOCK));
    return flags;
}

static bool is_pipe(struct ring *ring, int fd)
{
    return counted(ring, fcntl(fd, F_GETPIPE_SZ)) >= 0;
}

/*
 * SPLICE_F_NONBLOCK is about pipes only: what is no pipe waits unless it has O_NONBLOCK. That must
 * not stay set: it is the user's, other processes may share it, and io_uring looks at it when it
 * issues a read or a write of what has no non-blocking mode of its own.
 */
static int uring_splice(struct ring *ring, int fd_in, int64_t *offset_in, int fd_out,
                        int64_t *offset_out, size_t len, unsigned flags)
{
    bool is_from_pipe = is_pipe(ring, fd_in);
    bool is_between_pipes = is_from_pipe && is_pipe(ring, fd_out);
    int other = is_from_pipe ? fd_out : fd_in;
    int other_flags = is_between_pipes ? O_NONBLOCK : set_nonblocking(ring, other);
    int result;

    if (other_flags < 0)
        return other_flags;
    result = counted(
        ring, (int) splice(fd_in, offset_in, fd_out, offset_out, len, flags | SPLICE_F_NONBLOCK));
    if (!(other_flags & O_NONBLOCK))
        (void) counted(ring, fcntl(other, F_SETFL, other_flags));
    return result;
}

/* --- setting up -------------------------------------------------------------------------------- */

static int uring_open_buffers(struct ring *ring, unsigned count)
{
    int code = 0;

    ring->system_calls++;
    ring->buffers = io_uring_setup_buf_ring(io_uring_of(ring), count, RING_BUFFER_GROUP,
                                            /* flags= */ 0, &code);
    ring->buffer_count = count;
    return ring->buffers ? 0 : code;
}

/*
 * liburing maps and unmaps by system calls of its own, which TSan does not see: what one thread has
 * unmapped another may get at the same address, and not before.
 */
static char mappings;

static void uring_close(struct ring *ring)
{
    if (ring->buffers)
        (void) io_uring_free_buf_ring(io_uring_of(ring), ring->buffers, ring->buffer_count,
                                      RING_BUFFER_GROUP);
    memory_is_given_back(&mappings);
    io_uring_queue_exit(io_uring_of(ring));
    free(ring->state);
    ring->state = NULL;
}

static const struct ring_backend backend = {
    .name = "uring",
    .close = uring_close,
    .enter = uring_enter,
    .now = uring_now,
    .open_buffers = uring_open_buffers,
    .socket = uring_socket,
    .socketpair = uring_socketpair,
    .bind = uring_bind,
    .listen = uring_listen,
    .shutdown = uring_shutdown,
    .getsockname = uring_getsockname,
    .getpeername = uring_getpeername,
    .getsockopt = uring_getsockopt,
    .setsockopt = uring_setsockopt,
    .fstat = uring_fstat,
    .ftruncate = uring_ftruncate,
    .getdents = uring_getdents,
    .pipe = uring_pipe,
    .splice = uring_splice,
};

/* Whether a feature of Linux `major`.`minor` may be used: kernel=X.Y masks newer ones. */
static bool may_use(const struct ring_config *config, unsigned major, unsigned minor)
{
    if (config->kernel_major == 0)
        return true;
    if (config->kernel_major != major)
        return config->kernel_major > major;
    return config->kernel_minor >= minor;
}

static int queue_init(struct uring *self, const struct ring_config *config,
                      struct io_uring_params *params, unsigned flags)
{
    unsigned cq_entries = config->sq_entries * CQ_PER_SQ;

    if (cq_entries < CQ_ENTRIES_MIN)
        cq_entries = CQ_ENTRIES_MIN;
    *params = (struct io_uring_params) {
        .flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
        .cq_entries = cq_entries < CQ_ENTRIES_MAX ? cq_entries : CQ_ENTRIES_MAX,
    };
    if (flags & IORING_SETUP_SQPOLL) {
        params->sq_thread_idle = config->idle_ms;
        params->sq_thread_cpu = config->cpu;
    }
    if (flags & IORING_SETUP_ATTACH_WQ)
        params->wq_fd = (unsigned) config->attach_to->fd;
    return io_uring_queue_init_params(config->sq_entries, &self->ring, params);
}

/*
 * Whether the SQ thread can run while we do: it may use the CPUs that we may use (it inherits the
 * mask), or the one that is named. Where they are unknown, the user knows better.
 */
static bool has_cpu_for_thread(const struct ring_config *config)
{
    struct cpus cpus;
    bool has;

    if (config->attach_to)
        return true;
    ouro__cpus_get(&cpus);
    has = cpus.count != 1 ||
          (config->has_cpu && !CPU_ISSET_S((int) config->cpu, cpus.bytes, cpus.set));
    ouro__cpus_done(&cpus);
    return has;
}

static int set_up_sqpoll(struct uring *self, const struct ring_config *config,
                         struct io_uring_params *params)
{
    unsigned flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SQPOLL;
    int code;

    if (!has_cpu_for_thread(config))
        return OURO_ERING;
    if (config->attach_to)
        flags |= IORING_SETUP_ATTACH_WQ;
    else if (config->has_cpu)
        flags |= IORING_SETUP_SQ_AFF;
    code = queue_init(self, config, params, flags | IORING_SETUP_SINGLE_ISSUER);
    if (code == -EINVAL) /* before 6.0 */
        code = queue_init(self, config, params, flags);
    return code;
}

/* The best set-up that the kernel knows; a flag that it does not know gives -EINVAL. */
static int set_up_batch(struct uring *self, const struct ring_config *config,
                        struct io_uring_params *params)
{
    const unsigned deferred = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_TASKRUN_FLAG |
                              IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    int code = queue_init(self, config, params, deferred);

    if (code == -EINVAL) /* before 6.1, our floor: as well as it goes */
        code =
            queue_init(self, config, params, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
    if (code == -EINVAL)
        code = queue_init(self, config, params, 0);
    return code;
}

static int set_up(struct uring *self, const struct ring_config *config,
                  struct io_uring_params *params)
{
    int code = OURO_ERING;

    if (config->mode == RING_SQPOLL)
        code = set_up_sqpoll(self, config, params);
    if (config->mode == RING_SQPOLL && (!code || !config->may_fall_back))
        return code;
    return set_up_batch(self, config, params);
}

/* Only lowers what the kernel allows; where it cannot be lowered, things work all the same. */
static void limit_workers(struct uring *self)
{
    unsigned counts[2] = {0, 0}; /* asks */

    if (io_uring_register_iowq_max_workers(&self->ring, counts))
        return;
    counts[0] = counts[0] && counts[0] < WORKERS_MAX ? counts[0] : WORKERS_MAX;
    counts[1] = counts[1] && counts[1] < UNBOUNDED_WORKERS_MAX ? counts[1] : UNBOUNDED_WORKERS_MAX;
    (void) io_uring_register_iowq_max_workers(&self->ring, counts);
}

/* An enter() that asks for nothing: a flag that the kernel does not know gives -EINVAL. */
static bool knows_deadlines(struct uring *self)
{
    return io_uring_enter2((unsigned) self->ring.enter_ring_fd, 0, 0,
                           IORING_ENTER_ABS_TIMER | self->enter_flags, NULL, _NSIG / 8) >= 0;
}

static void publish(struct ring *ring, struct uring *self, const struct ring_config *config)
{
    struct io_uring *uring = &self->ring;

    ring->sqes = uring->sq.sqes;
    ring->sq_tail = *uring->sq.ktail;
    ring->sq_entries = uring->sq.ring_entries;
    ring->sq_head = uring->sq.khead;
    ring->sq_flags = uring->sq.kflags;
    ring->cqes = uring->cq.cqes;
    ring->cq_mask = uring->cq.ring_mask;
    ring->cq_head = uring->cq.khead;
    ring->cq_tail = uring->cq.ktail;
    ring->buffers = NULL;
    ring->backend = &backend;
    ring->fd = uring->ring_fd;
    ring->state = self;
    ring->simulated = false;
    ring->mode = uring->flags & IORING_SETUP_SQPOLL ? RING_SQPOLL : RING_BATCH;
    ring->poll_ns = ring->mode == RING_SQPOLL ? config->idle_ms * OURO_MILLISECOND : 0;
}

/* The sysctl that forbids io_uring (since 6.6); -1: there is none. */
static int io_uring_disabled(void)
{
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    int value = -1;

    if (!file)
        return -1;
    if (fscanf(file, "%d", &value) != 1)
        value = -1;
    (void) fclose(file);
    return value;
}

static void explain_refusal(struct ring_hint *hint)
{
    int disabled = io_uring_disabled();

    if (disabled > 0)
        (void) snprintf(
            hint->text, sizeof(hint->text),
            "the sysctl kernel.io_uring_disabled is %d, which forbids io_uring to %s; "
            "an administrator can allow it with \"sysctl kernel.io_uring_disabled=0\"%s",
            disabled, disabled == 1 ? "unprivileged processes" : "everyone",
            disabled == 1 ? ", or by adding you to the group in kernel.io_uring_group" : "");
    else
        (void) snprintf(hint->text, sizeof(hint->text),
                        "the kernel refuses io_uring, as a seccomp filter makes it do; containers "
                        "install one by default: allow io_uring_setup, io_uring_enter and "
                        "io_uring_register in the container's seccomp profile");
}

static void explain(int code, struct ring_hint *hint)
{
    switch (code) {
    case -EPERM:
    case -EACCES:
        explain_refusal(hint);
        break;
    case -ENOSYS:
        (void) snprintf(
            hint->text, sizeof(hint->text),
            "there is no io_uring here: the kernel is older than 5.1, was built "
            "without it, or a seccomp filter (of a container) hides it; ouro needs "
            "Linux 6.1, and in a container a seccomp profile that allows io_uring_setup, "
            "io_uring_enter and io_uring_register");
        break;
    case -ENOMEM:
        (void) snprintf(
            hint->text, sizeof(hint->text),
            "no memory for the ring: either the machine has none left or the limit on "
            "locked memory is too low (\"ulimit -l\"); ask for fewer entries or raise it");
        break;
    case -EMFILE:
    case -ENFILE:
        (void) snprintf(hint->text, sizeof(hint->text),
                        "no file descriptor left for the ring: raise the limit (\"ulimit -n\")");
        break;
    case OURO_ERING:
        (void) snprintf(hint->text, sizeof(hint->text),
                        "mode=sqpoll takes two CPUs, one of them for the kernel's SQ thread, and "
                        "this thread may use one (taskset, cpuset): allow it another, or name "
                        "another with cpu=N; valid are also the modes batch and auto");
        break;
    default:
        (void) snprintf(hint->text, sizeof(hint->text),
                        "io_uring_setup failed: %s; ouro needs Linux 6.1 or newer",
                        ouro_strerror(code));
    }
}

static void explain_cpu(const struct ring_config *config, struct ring_hint *hint)
{
    (void) snprintf(hint->text, sizeof(hint->text),
                    "the kernel's SQ thread cannot run on CPU %u, which is not there, or not in "
                    "this process's cpuset; leave cpu=%u out, or name another",
                    config->cpu, config->cpu);
}

int ouro__ring_uring_open(struct ring *ring, const struct ring_config *config,
                          struct ring_hint *ret_hint)
{
    struct uring *self = calloc(1, sizeof(*self));
    struct io_uring_params params;
    int code = self ? set_up(self, config, &params) : -ENOMEM;

    if (code) {
        if (code == -EINVAL && config->mode == RING_SQPOLL && config->has_cpu)
            explain_cpu(config, ret_hint);
        else
            explain(code, ret_hint);
        free(self);
        return code;
    }
    memory_is_obtained(&mappings);
    if (io_uring_register_ring_fd(&self->ring) == 1)
        self->enter_flags |= IORING_ENTER_REGISTERED_RING;
    if (params.features & IORING_FEAT_NO_IOWAIT && may_use(config, 6, 15))
        self->enter_flags |= IORING_ENTER_NO_IOWAIT;
    limit_workers(self);
    if (may_use(config, 6, 12) && knows_deadlines(self))
        self->timer_flags = IORING_ENTER_ABS_TIMER;
    publish(ring, self, config);
    ring->mask_guard_madvise = !may_use(config, 6, 13);
    return 0;
}
