/* SPDX-License-Identifier: MIT */
/*
 * echo_cost - messages that come back, with nobody at the other end
 *
 * Question: what does the engine add to a message that a task receives and sends back?
 * Run:      build/bench/echo_cost [--connections 64] [--count 10000000] tasks|bare
 *           valgrind --tool=callgrind build/bench/echo_cost --count 100000 tasks
 *           .ci/instructions           what the one takes more than the other, against the record
 * Prints:   tasks: 10000000 messages, 45.0 ns each
 *
 * "tasks" is examples/sharded_echo.c's loop, a task per connection; "bare" is what a responder
 * without an engine does: it fills an SQE for each completion. Both are on a ring whose operations
 * are complete at once: nothing is sent, nothing received. What differs is the engine's share.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dispatcher.h"
#include "ouro.h"

enum { MESSAGE_BYTES = 64, SQ_ENTRIES = 512, CQ_ENTRIES = 1024, CONNECTIONS_MAX = SQ_ENTRIES };

/* In place of the loop's own. */
struct null_ring {
    struct ring ring;
    struct io_uring_sqe sqes[SQ_ENTRIES];
    struct io_uring_cqe cqes[CQ_ENTRIES];
    unsigned sq_head, sq_flags, cq_head, cq_tail;
    unsigned long messages_left; /* that still come, before the end of all streams */
};

struct bench {
    const char *who;
    unsigned long connections;
    unsigned long count;
    struct null_ring ring;
};

/* --- the ring ------------------------------------------------------------------------------- */

static int32_t result_of(struct null_ring *self, const struct io_uring_sqe *sqe)
{
    switch (sqe->opcode) {
    case IORING_OP_RECV:
        if (self->messages_left == 0)
            return 0;
        self->messages_left--;
        return MESSAGE_BYTES;
    case IORING_OP_SEND:
        return (int32_t) sqe->len;
    default:
        return -EINVAL;
    }
}

/* There is room: nobody has more operations on the way than the queue of submissions holds. */
static int enter(struct ring *ring, bool wait, int64_t deadline)
{
    struct null_ring *self = ring->state;

    (void) wait;
    (void) deadline;
    for (; self->sq_head != ring->sq_tail; self->sq_head++) {
        const struct io_uring_sqe *sqe = &self->sqes[self->sq_head % SQ_ENTRIES];
        struct io_uring_cqe *cqe = &self->cqes[self->cq_tail & ring->cq_mask];

        cqe->user_data = sqe->user_data;
        cqe->res = result_of(self, sqe);
        cqe->flags = 0;
        self->cq_tail++;
    }
    return 0;
}

static int64_t now(struct ring *ring)
{
    (void) ring;
    return 0;
}

static void null_ring_init(struct null_ring *self, unsigned long messages)
{
    static const struct ring_backend backend = {.name = "null", .enter = enter, .now = now};

    *self = (struct null_ring) {.messages_left = messages};
    self->ring = (struct ring) {
        .sqes = self->sqes,
        .sq_entries = SQ_ENTRIES,
        .sq_head = &self->sq_head,
        .sq_flags = &self->sq_flags,
        .cqes = self->cqes,
        .cq_mask = CQ_ENTRIES - 1,
        .cq_head = &self->cq_head,
        .cq_tail = &self->cq_tail,
        .backend = &backend,
        .fd = -1,
        .state = self,
        .simulated = true, /* its clock is its own, and stands still */
    };
}

/* --- the clock ------------------------------------------------------------------------------ */

static int64_t cpu_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * OURO_SECOND + now.tv_nsec;
}

static void tell(const struct bench *bench, int64_t spent_ns)
{
    printf("%s: %lu messages, %.1f ns each\n", bench->who, bench->count,
           (double) spent_ns / (double) bench->count);
}

/* --- a responder without an engine ---------------------------------------------------------- */

/* user_data: the connection, and whether it is sending. */
static void ask(struct ring *ring, uint64_t user_data, char *buf, int32_t len)
{
    struct io_uring_sqe *sqe = ouro__ring_get_sqe(ring);
    int fd = (int) (user_data >> 1);

    if (user_data & 1)
        io_uring_prep_send(sqe, fd, buf, (size_t) len, MSG_NOSIGNAL | MSG_WAITALL);
    else
        io_uring_prep_recv(sqe, fd, buf, MESSAGE_BYTES, 0);
    io_uring_sqe_set_data64(sqe, user_data);
}

static void echo_bare(struct bench *bench)
{
    static char bufs[CONNECTIONS_MAX][MESSAGE_BYTES];
    struct ring *ring = &bench->ring.ring;
    unsigned long open = bench->connections;

    for (uint64_t i = 0; i < bench->connections; i++)
        ask(ring, i << 1, bufs[i], 0);
    while (open > 0) {
        (void) ring->backend->enter(ring, true, OURO_FOREVER);
        for (unsigned head = *ring->cq_head, end = *ring->cq_tail; head != end; head++) {
            struct io_uring_cqe cqe = ring->cqes[head & ring->cq_mask];

            ouro__ring_pop(ring);
            if (cqe.res <= 0)
                open--;
            else
                ask(ring, cqe.user_data ^ 1, bufs[cqe.user_data >> 1], cqe.res);
        }
    }
}

/* --- tasks ------------------------------------------------------------------------------------ */

static int echo(void *arg)
{
    char buf[MESSAGE_BYTES];
    int fd = *(const int *) arg;
    ssize_t len;

    while ((len = ouro_recv(fd, buf, sizeof(buf), 0)) > 0)
        if (ouro_send_all(fd, buf, (size_t) len, NULL))
            break;
    return (int) len;
}

/* The loop's own ring has nothing to do meanwhile: nobody sends it a message. */
static void exchange_rings(struct dispatcher *dispatcher, struct ring *ring)
{
    struct ring other = *ring;

    *ring = dispatcher->ring;
    dispatcher->ring = other;
    dispatcher->counted_tail = other.sq_tail;
}

static int main_task(void *arg)
{
    const struct ouro_spawn_options options = {.arg_bytes = sizeof(int)};
    struct bench *bench = arg;
    struct ouro_group group;
    int64_t start;
    int code = 0;

    exchange_rings(ouro__dispatcher, &bench->ring.ring);
    ouro_group_init(&group);
    for (int fd = 0; fd < (int) bench->connections && !code; fd++)
        code = ouro_group_spawn_with(&group, echo, &fd, &options);
    start = cpu_ns();
    if (!code)
        code = ouro_group_wait(&group);
    if (!code)
        tell(bench, cpu_ns() - start);
    exchange_rings(ouro__dispatcher, &bench->ring.ring);
    return code;
}

/* --- both -------------------------------------------------------------------------------------- */

static int run(struct bench *bench)
{
    int64_t start = cpu_ns();
    int code;

    null_ring_init(&bench->ring, bench->count);
    if (strcmp(bench->who, "bare") == 0) {
        echo_bare(bench);
        tell(bench, cpu_ns() - start);
        return 0;
    }
    code = ouro_run(main_task, bench, NULL);
    if (code)
        fprintf(stderr, "echo_cost: %s\n", ouro_strerror(code));
    return code ? 1 : 0;
}

int main(int argc, char **argv)
{
    static struct bench bench = {.who = "", .connections = 64, .count = 10000000};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--connections") == 0 && i + 1 < argc)
            bench.connections = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
            bench.count = strtoul(argv[++i], NULL, 10);
        else
            bench.who = argv[i];
    }
    if ((strcmp(bench.who, "tasks") != 0 && strcmp(bench.who, "bare") != 0) || bench.count == 0 ||
        bench.connections == 0 || bench.connections > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: echo_cost [--connections N] [--count N] tasks|bare\n");
        return 2;
    }
    return run(&bench);
}
