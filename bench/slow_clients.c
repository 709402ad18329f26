/* SPDX-License-Identifier: MIT */
/*
 * slow_clients - what a normal client notices of many slow ones
 *
 * Question: does a crowd that sends, or reads, a byte a second hold up anybody else, and what
 *           memory does it cost the server?
 * Run:      taskset -c 0 build/examples/http_server --delay 0 &
 *           taskset -c 1 build/bench/slow_clients [--count 2000] [--rounds 9] [--pid PID] ADDR:PORT
 * Prints:   for each round the normal client's p50 and p99 without and with the crowd, then the
 *           median of the rounds' ratios; with --pid also the server's resident memory.
 *
 * A third of the crowd sends the head of a request, a third a body to POST /echo, and a third asks
 * for more than its socket holds and reads the answers. Whoever is given up by the server comes
 * back. The normal client asks GET / on one connection, a millisecond after each answer.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "ouro.h"
#include "ouro_proto.h"

#define WAVE     256 /* new connections at a time, well below a backlog */
#define REQUESTS 1000

static const char head[] =
    "GET / HTTP/1.1\r\nHost: bench\r\nX-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
static const char upload[] =
    "POST /echo HTTP/1.1\r\nHost: bench\r\nContent-Length: 1000000\r\n\r\n";
static const char request[] = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

struct bench {
    struct ouro_address address;
    int count;
    int rounds;
    long pid; /* of the server; 0: unknown */
    unsigned given_up;
    int64_t latencies[REQUESTS];
};

/* --- the crowd --------------------------------------------------------------------------- */

struct slow {
    struct bench *bench;
    int index;
};

static int connect_one(const struct bench *bench, int *ret_fd)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    const int narrow = 4096;
    int fd = ouro_socket(bench->address.sockaddr.sa_family, SOCK_STREAM, 0);
    int code = fd < 0 ? fd : ouro_connect(fd, &bench->address.sockaddr, bench->address.len);

    if (fd < 0)
        return fd;
    (void) ouro_setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    (void) ouro_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof(narrow));
    *ret_fd = fd;
    return code;
}

/* A byte a second of `text` and then of nothing in particular, until the server has enough. */
static int send_slowly(int fd, const char *text)
{
    int code = 0;

    while (!code) {
        char byte = *text ? *text++ : 'a';

        code = ouro_send_all(fd, &byte, 1, NULL);
        if (!code)
            code = ouro_sleep(OURO_SECOND);
    }
    return code;
}

static int read_slowly(int fd)
{
    ssize_t len = 1;
    char byte;
    int code = 0;

    for (int i = 0; i < 64 && !code; i++)
        code = ouro_send_all(fd, request, sizeof(request) - 1, NULL);
    while (!code && len > 0) {
        len = ouro_recv(fd, &byte, 1, 0);
        code = len > 0 ? ouro_sleep(OURO_SECOND) : (int) len;
    }
    return code;
}

static int be_slow_once(const struct slow *slow)
{
    int fd = -1, code = connect_one(slow->bench, &fd);

    if (!code && slow->index % 3 == 0)
        code = send_slowly(fd, head);
    else if (!code && slow->index % 3 == 1)
        code = ouro_send_all(fd, upload, sizeof(upload) - 1, NULL);
    if (!code && slow->index % 3 == 1)
        code = send_slowly(fd, "");
    else if (!code)
        code = read_slowly(fd);
    if (fd >= 0)
        (void) ouro_close(fd);
    return code;
}

static int be_slow(void *arg)
{
    const struct slow *slow = arg;
    int code = 0;

    while (code != -ECANCELED) {
        code = be_slow_once(slow);
        slow->bench->given_up += code != -ECANCELED;
        if (code != -ECANCELED)
            code = ouro_sleep(OURO_SECOND / 10);
    }
    return 0;
}

static int gather(struct bench *bench, struct ouro_group *crowd)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_16K, .arg_bytes = sizeof(struct slow)};
    int code = 0;

    for (int i = 0; i < bench->count && !code; i++) {
        struct slow slow = {.bench = bench, .index = i};

        code = ouro_group_spawn_with(crowd, be_slow, &slow, &options);
        if (!code && i % WAVE == WAVE - 1)
            code = ouro_sleep(20 * OURO_MILLISECOND);
    }
    return code ? code : ouro_sleep(OURO_SECOND);
}

/* --- the normal client ------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    int64_t first = *(const int64_t *) a, second = *(const int64_t *) b;

    return (first > second) - (first < second);
}

static int ask(struct ouro_stream *stream)
{
    const char *answer;
    ssize_t len;
    int code = ouro_stream_write_all(stream, request, sizeof(request) - 1);

    if (code)
        return code;
    len = ouro_stream_read_until(stream, "</h1>", 5, 4096, &answer);
    if (len <= 0)
        return len ? (int) len : OURO_EEOF;
    return strncmp(answer, "HTTP/1.1 200 ", 13) == 0 ? 0 : -EPROTO;
}

static int ask_often(struct bench *bench, struct ouro_stream *stream)
{
    int code = 0;

    for (int i = 0; i < REQUESTS && !code; i++) {
        int64_t start = ouro_now();

        code = ask(stream);
        bench->latencies[i] = ouro_now() - start;
        if (!code)
            code = ouro_sleep(OURO_MILLISECOND);
    }
    return code;
}

static int measure(struct bench *bench, double *ret_p50, double *ret_p99)
{
    struct ouro_stream *stream;
    int fd = -1, code = connect_one(bench, &fd);

    if (!code)
        code = ouro_stream_socket_take(fd, &stream);
    if (code) {
        if (fd >= 0)
            (void) ouro_close(fd);
        return code;
    }
    code = ask_often(bench, stream);
    (void) ouro_stream_close(stream);
    qsort(bench->latencies, REQUESTS, sizeof(bench->latencies[0]), by_size);
    *ret_p50 = (double) bench->latencies[REQUESTS / 2] / 1e3;
    *ret_p99 = (double) bench->latencies[REQUESTS * 99 / 100] / 1e3;
    return code;
}

/* --- rounds ------------------------------------------------------------------------------ */

static long resident_kib(long pid)
{
    long pages = 0, resident = 0;
    char path[64];
    FILE *file;

    (void) snprintf(path, sizeof(path), "/proc/%ld/statm", pid);
    file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%ld %ld", &pages, &resident) != 2)
        resident = 0;
    (void) fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void tell_memory(const struct bench *bench, const char *when)
{
    if (bench->pid)
        printf("  server, %s: %ld KiB resident\n", when, resident_kib(bench->pid));
}

static int play_round(struct bench *bench, double *ret_ratio)
{
    double p50, p99, crowded_p50, crowded_p99;
    struct ouro_group crowd;
    int code = measure(bench, &p50, &p99);

    if (code)
        return code;
    tell_memory(bench, "alone");
    ouro_group_init_with(&crowd, OURO_GROUP_INDEPENDENT);
    code = gather(bench, &crowd);
    if (!code)
        code = measure(bench, &crowded_p50, &crowded_p99);
    tell_memory(bench, "with the crowd");
    ouro_group_cancel(&crowd);
    (void) ouro_group_wait(&crowd);
    if (code)
        return code;
    *ret_ratio = crowded_p99 / p99;
    printf("alone p50 %.0f us, p99 %.0f us; with %d slow ones p50 %.0f us, p99 %.0f us: %.2f\n",
           p50, p99, bench->count, crowded_p50, crowded_p99, *ret_ratio);
    (void) fflush(stdout);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double first = *(const double *) a, second = *(const double *) b;

    return (first > second) - (first < second);
}

static int main_task(void *arg)
{
    struct bench *bench = arg;
    double *ratios = calloc((size_t) bench->rounds, sizeof(*ratios));
    int code = ratios ? 0 : -ENOMEM;

    for (int i = 0; i < bench->rounds && !code; i++)
        code = play_round(bench, &ratios[i]);
    if (!code) {
        qsort(ratios, (size_t) bench->rounds, sizeof(*ratios), by_value);
        printf("p99 with the crowd / without, median of %d: %.2f (%.2f to %.2f); the server gave "
               "up %u times\n",
               bench->rounds, ratios[bench->rounds / 2], ratios[0], ratios[bench->rounds - 1],
               bench->given_up);
        tell_memory(bench, "in the end");
    } else {
        fprintf(stderr, "slow_clients: %s\n", ouro_strerror(code));
    }
    free(ratios);
    return code;
}

int main(int argc, char **argv)
{
    static struct bench bench = {.count = 2000, .rounds = 9};
    struct rlimit limit;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
            bench.count = atoi(argv[++i]);
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            bench.rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--pid") == 0 && i + 1 < argc)
            bench.pid = atol(argv[++i]);
        else if (ouro_address_parse(argv[i], -1, &bench.address))
            bench.rounds = 0;
    }
    if (bench.rounds < 1 || bench.count < 1 || !bench.address.len) {
        fprintf(stderr, "usage: slow_clients [--count N] [--rounds N] [--pid PID] ADDR:PORT\n");
        return 2;
    }
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
    return ouro_run(main_task, &bench, NULL) ? 1 : 0;
}
