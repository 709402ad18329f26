/* SPDX-License-Identifier: MIT */
/*
 * raw_load - a load that is cheaper to make than to serve: an HTTP client on a bare ring
 *
 * Question: what does a server do when it never has to wait? (wrk needs more CPU for a request than
 *           a good server does, so that the server sleeps between its requests.) And, with --rate,
 *           what do clients wait who ask evenly, not in bursts?
 * Run:      taskset -c 1 build/bench/raw_load [--seconds 2] [--connections 64] [--pipeline 1]
 *                                             [--rate N] [--path /hello/x] ADDR:PORT
 * Prints:   requests 360000 seconds 2.000 rate 180000.0
 *           With --rate also p50_us, p99_us and max_us; a request that has to wait for a connection
 *           is as old as if it had not. The exit status is 1 if a connection broke.
 *
 * Every answer is taken to be as long as the first one, and only counted. It never sleeps, so that
 * no server pays for waking it, and takes a whole CPU.
 */
#include <liburing.h>

#include "raw_client.h"

#define CONNECTIONS_MAX 4096
#define PIPELINE_MAX    64
#define BUFFERS         1024
#define BUFFER_BYTES    4096

struct load {
    struct addrinfo *address;
    const char *path;
    double seconds;
    int connections;
    int pipeline;
    size_t request_bytes, reply_bytes;
    double rate; /* requests per second of all together; 0: as fast as it goes */
    long requests;
    int64_t start, deadline;
    struct io_uring ring;
    struct io_uring_buf_ring *buffer_ring;
    int fds[CONNECTIONS_MAX];
    size_t received[CONNECTIONS_MAX]; /* of a reply that is not complete */
    char text[PIPELINE_MAX * 512];    /* of `pipeline` requests */
    struct schedule {
        long next;                      /* request, counted from 0 */
        int64_t due[CONNECTIONS_MAX];   /* when its present request should have begun */
        unsigned free[CONNECTIONS_MAX]; /* a queue of those that have none */
        unsigned head, count;
        uint32_t *latencies; /* ns */
        long latencies_max;
    } schedule;
    char buffers[BUFFERS][BUFFER_BYTES];
};

static struct load load = {.path = "/hello/x", .seconds = 2, .connections = 64, .pipeline = 1};

/* --- the ring ------------------------------------------------------------------------------ */

static void start_ring(void)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE,
        .cq_entries = 4 * CONNECTIONS_MAX,
    };
    int code = io_uring_queue_init_params(CONNECTIONS_MAX, &load.ring, &params);

    if (!code) {
        (void) io_uring_register_ring_fd(&load.ring);
        load.buffer_ring = io_uring_setup_buf_ring(&load.ring, BUFFERS, 0, 0, &code);
    }
    if (code) {
        errno = -code;
        fail("io_uring");
    }
}

static struct io_uring_sqe *next_sqe(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&load.ring);

    while (!sqe) {
        (void) io_uring_submit(&load.ring);
        sqe = io_uring_get_sqe(&load.ring);
    }
    return sqe;
}

static void give_buffer(unsigned id)
{
    io_uring_buf_ring_add(load.buffer_ring, load.buffers[id], BUFFER_BYTES, (unsigned short) id,
                          io_uring_buf_ring_mask(BUFFERS), 0);
    io_uring_buf_ring_advance(load.buffer_ring, 1);
}

/* --- asking -------------------------------------------------------------------------------- */

static void receive_more(unsigned index)
{
    struct io_uring_sqe *sqe = next_sqe();

    io_uring_prep_recv_multishot(sqe, load.fds[index], NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = index;
}

/* Whether it went well shows in the answers. */
static void ask(unsigned index, size_t count)
{
    struct io_uring_sqe *sqe = next_sqe();

    io_uring_prep_send(sqe, load.fds[index], load.text, count * load.request_bytes,
                       MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = UINT64_MAX;
}

/* --- asking at a rate ---------------------------------------------------------------------- */

static void make_free(unsigned index)
{
    struct schedule *schedule = &load.schedule;

    schedule->free[(schedule->head + schedule->count) % CONNECTIONS_MAX] = index;
    schedule->count++;
}

static int64_t due(long request)
{
    return load.start + (int64_t) ((double) request * 1e9 / load.rate);
}

static void ask_what_is_due(int64_t now)
{
    struct schedule *schedule = &load.schedule;

    for (; schedule->count && due(schedule->next) <= now; schedule->next++) {
        unsigned index = schedule->free[schedule->head];

        schedule->head = (schedule->head + 1) % CONNECTIONS_MAX;
        schedule->count--;
        schedule->due[index] = due(schedule->next);
        ask(index, 1);
    }
}

static void note_latency(unsigned index)
{
    struct schedule *schedule = &load.schedule;

    if (load.requests <= schedule->latencies_max)
        schedule->latencies[load.requests - 1] = (uint32_t) (now_ns() - schedule->due[index]);
    make_free(index);
}

static void start_schedule(void)
{
    struct schedule *schedule = &load.schedule;

    schedule->latencies_max = (long) (load.rate * load.seconds) + CONNECTIONS_MAX;
    schedule->latencies = malloc((size_t) schedule->latencies_max * sizeof(uint32_t));
    if (!schedule->latencies)
        fail("malloc");
    for (unsigned i = 0; i < (unsigned) load.connections; i++)
        make_free(i);
}

static int by_size(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *) a, second = *(const uint32_t *) b;

    return (first > second) - (first < second);
}

static void tell_latencies(void)
{
    uint32_t *latencies = load.schedule.latencies;
    size_t count = (size_t) load.requests;

    if (!count)
        fail("no answer");
    qsort(latencies, count, sizeof(*latencies), by_size);
    printf(" p50_us %.1f p99_us %.1f max_us %.1f", latencies[count / 2] / 1e3,
           latencies[count * 99 / 100] / 1e3, latencies[count - 1] / 1e3);
    free(latencies);
}

/* --- answers ------------------------------------------------------------------------------- */

static void on_received(unsigned index, int result, unsigned flags)
{
    size_t count;

    if (flags & IORING_CQE_F_BUFFER)
        give_buffer(flags >> IORING_CQE_BUFFER_SHIFT);
    if (result <= 0 && result != -ENOBUFS) {
        fprintf(stderr, "raw_load: a connection broke: %s\n",
                result ? strerror(-result) : "the server closed it");
        exit(1);
    }
    if (!(flags & IORING_CQE_F_MORE))
        receive_more(index);
    if (result <= 0)
        return;
    load.received[index] += (size_t) result;
    count = load.received[index] / load.reply_bytes;
    load.received[index] %= load.reply_bytes;
    load.requests += (long) count;
    if (count && load.rate > 0)
        note_latency(index);
    else if (count)
        ask(index, count);
}

static void reap(void)
{
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;

    io_uring_for_each_cqe(&load.ring, head, cqe)
    {
        if (cqe->user_data != UINT64_MAX)
            on_received((unsigned) cqe->user_data, cqe->res, cqe->flags);
        count++;
    }
    io_uring_cq_advance(&load.ring, count);
}

/* --- running ------------------------------------------------------------------------------- */

static void connect_all(void)
{
    for (int i = 0; i < load.connections; i++) {
        load.fds[i] = connect_to(load.address);
        if (load.fds[i] < 0)
            fail("connect");
    }
    if (!send_all(load.fds[0], load.text, load.request_bytes))
        fail("send");
    load.reply_bytes = read_reply(load.fds[0]);
    if (!load.reply_bytes)
        fail("the first answer is none");
}

static void run(void)
{
    int64_t now;

    for (unsigned i = 0; i < (unsigned) load.connections; i++)
        receive_more(i);
    if (load.rate > 0)
        start_schedule();
    load.start = now_ns();
    load.deadline = load.start + (int64_t) (load.seconds * 1e9);
    for (unsigned i = 0; i < (unsigned) load.connections && load.rate <= 0; i++)
        ask(i, (size_t) load.pipeline);
    while ((now = now_ns()) < load.deadline) {
        if (load.rate > 0)
            ask_what_is_due(now);
        (void) io_uring_submit_and_get_events(&load.ring);
        reap();
    }
    load.seconds = (double) (now - load.start) / 1e9;
    printf("requests %ld seconds %.3f rate %.1f", load.requests, load.seconds,
           (double) load.requests / load.seconds);
    if (load.rate > 0)
        tell_latencies();
    putchar('\n');
}

static bool parse_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;

        if (strcmp(argv[i], "--seconds") == 0 && has_value)
            load.seconds = atof(argv[++i]);
        else if (strcmp(argv[i], "--connections") == 0 && has_value)
            load.connections = atoi(argv[++i]);
        else if (strcmp(argv[i], "--pipeline") == 0 && has_value)
            load.pipeline = atoi(argv[++i]);
        else if (strcmp(argv[i], "--rate") == 0 && has_value)
            load.rate = atof(argv[++i]);
        else if (strcmp(argv[i], "--path") == 0 && has_value)
            load.path = argv[++i];
        else if (load.address || !find_address(argv[i], &load.address))
            return false;
    }
    return load.address && load.seconds > 0 && load.rate >= 0 && load.connections >= 1 &&
           load.connections <= CONNECTIONS_MAX && load.pipeline >= 1 &&
           load.pipeline <= (load.rate > 0 ? 1 : PIPELINE_MAX) && strlen(load.path) < 400;
}

int main(int argc, char **argv)
{
    if (!parse_options(argc, argv)) {
        fprintf(stderr, "usage: raw_load [--seconds S] [--connections N] [--pipeline N]\n"
                        "                [--rate N] [--path PATH] ADDR:PORT\n");
        return 2;
    }
    load.request_bytes =
        (size_t) snprintf(load.text, 512, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", load.path);
    for (int i = 1; i < load.pipeline; i++)
        memcpy(load.text + (size_t) i * load.request_bytes, load.text, load.request_bytes);
    allow_all_descriptors();
    connect_all();
    start_ring();
    for (unsigned id = 0; id < BUFFERS; id++)
        give_buffer(id);
    run();
    io_uring_queue_exit(&load.ring);
    freeaddrinfo(load.address);
    return 0;
}
