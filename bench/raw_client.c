/* SPDX-License-Identifier: MIT */
/*
 * raw_client - an HTTP client that blocks: one request at a time, and how long each took
 *
 * Question: what does a single client see, that asks without a pause, now and then, or on a new
 *           connection each time? And what do connections cost that do nothing?
 * Run:      build/bench/raw_client [--seconds 2 | --requests N] [--gap-us 0] [--threads 1] [--close]
 *                                  [--path /hello/x] ADDR:PORT
 *           build/bench/raw_client --idle N [--path /hello/x] ADDR:PORT
 * Prints:   requests 24000 seconds 2.000 rate 12000.0 p50_us 75.1 p99_us 110.0 max_us 400.2 errors 0
 *           With --idle: `open N`, as soon as each of N connections has had an answer; then it
 *           holds them until its input ends. The exit status is 1 if anything went wrong.
 *
 * Plain sockets, no engine. --gap-us is from the beginning of a request to that of the next; from
 * 200 us on it sleeps, below it spins. --close asks for the connection to be closed after the
 * answer, and waits for that; the time is that of the whole, with the connecting.
 */
#include <pthread.h>

#include "raw_client.h"

#define THREADS_MAX   256
#define LATENCIES_MAX 2000000 /* of a thread; later ones go uncounted into the percentiles */
#define SPIN_US       200

struct settings {
    struct addrinfo *address;
    const char *path;
    double seconds;
    long requests; /* of each thread; 0: until the time is over */
    long gap_us;
    int threads;
    int idle;
    bool closes;
    char request[512];
    size_t request_len;
};

struct worker {
    const struct settings *settings;
    int64_t deadline;
    int fd; /* -1: none */
    long requests, errors;
    uint32_t *latencies; /* ns */
};

/* --- one request --------------------------------------------------------------------------- */

static bool is_at_end(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) == 0;
}

static bool ask(struct worker *worker)
{
    const struct settings *settings = worker->settings;
    bool is_good;

    if (worker->fd < 0)
        worker->fd = connect_to(settings->address);
    is_good = worker->fd >= 0 && send_all(worker->fd, settings->request, settings->request_len) &&
              read_reply(worker->fd) && (!settings->closes || is_at_end(worker->fd));
    if (worker->fd >= 0 && (settings->closes || !is_good)) {
        (void) close(worker->fd);
        worker->fd = -1;
    }
    return is_good;
}

static void wait_until(int64_t when, long gap_us)
{
    const struct timespec time = {.tv_sec = when / 1000000000, .tv_nsec = when % 1000000000};

    if (gap_us >= SPIN_US)
        (void) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
    while (now_ns() < when)
        ;
}

static bool is_over(const struct worker *worker, int64_t now)
{
    long limit = worker->settings->requests;

    return limit ? worker->requests + worker->errors >= limit : now >= worker->deadline;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    long gap_us = worker->settings->gap_us;
    int64_t now = now_ns(), next = now;

    while (!is_over(worker, now)) {
        int64_t start = now;
        bool is_good = ask(worker);

        now = now_ns();
        if (is_good && worker->requests < LATENCIES_MAX)
            worker->latencies[worker->requests] = (uint32_t) (now - start);
        worker->requests += is_good;
        worker->errors += !is_good;
        next += gap_us * 1000;
        if (gap_us && now < next) {
            wait_until(next, gap_us);
            now = now_ns();
        } else {
            next = now; /* who comes late begins a new count */
        }
    }
    if (worker->fd >= 0)
        (void) close(worker->fd);
    return NULL;
}

/* --- all of them --------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *) a, second = *(const uint32_t *) b;

    return (first > second) - (first < second);
}

/* Puts the latencies of all behind those of the first. */
static size_t gather_latencies(struct worker *workers, int count, uint32_t **ret_latencies)
{
    size_t total = 0;
    uint32_t *all = malloc((size_t) count * LATENCIES_MAX * sizeof(*all));

    if (!all)
        fail("malloc");
    for (int i = 0; i < count; i++) {
        size_t len = (size_t) workers[i].requests;

        len = len < LATENCIES_MAX ? len : LATENCIES_MAX;
        memcpy(all + total, workers[i].latencies, len * sizeof(*all));
        total += len;
    }
    qsort(all, total, sizeof(*all), by_size);
    *ret_latencies = all;
    return total;
}

static int tell(struct worker *workers, int count, double seconds)
{
    long requests = 0, errors = 0;
    uint32_t *latencies;
    size_t total = gather_latencies(workers, count, &latencies);

    for (int i = 0; i < count; i++) {
        requests += workers[i].requests;
        errors += workers[i].errors;
    }
    if (total)
        printf(
            "requests %ld seconds %.3f rate %.1f p50_us %.1f p99_us %.1f max_us %.1f errors %ld\n",
            requests, seconds, (double) requests / seconds, latencies[total / 2] / 1e3,
            latencies[total * 99 / 100] / 1e3, latencies[total - 1] / 1e3, errors);
    else
        printf("requests 0 seconds %.3f errors %ld\n", seconds, errors);
    free(latencies);
    return errors || !total ? 1 : 0;
}

static int run(const struct settings *settings)
{
    static struct worker workers[THREADS_MAX];
    static pthread_t threads[THREADS_MAX];
    int64_t start = now_ns();

    for (int i = 0; i < settings->threads; i++) {
        workers[i] = (struct worker) {
            .settings = settings,
            .deadline = start + (int64_t) (settings->seconds * 1e9),
            .fd = -1,
            .latencies = malloc(LATENCIES_MAX * sizeof(uint32_t)),
        };
        if (!workers[i].latencies || pthread_create(&threads[i], NULL, work, &workers[i]))
            fail("thread");
    }
    for (int i = 0; i < settings->threads; i++)
        (void) pthread_join(threads[i], NULL);
    return tell(workers, settings->threads, (double) (now_ns() - start) / 1e9);
}

static int hold_idle(const struct settings *settings)
{
    char buf[256];

    for (int i = 0; i < settings->idle; i++) {
        struct worker worker = {.settings = settings, .fd = -1};

        if (!ask(&worker)) {
            fprintf(stderr, "raw_client: connection %d has no answer: %s\n", i, strerror(errno));
            return 1;
        }
    }
    printf("open %d\n", settings->idle);
    (void) fflush(stdout);
    while (read(STDIN_FILENO, buf, sizeof(buf)) > 0)
        ;
    return 0;
}

/* --- options ------------------------------------------------------------------------------- */

static bool parse_number(struct settings *settings, const char *name, const char *text)
{
    if (strcmp(name, "--seconds") == 0)
        settings->seconds = atof(text);
    else if (strcmp(name, "--requests") == 0)
        settings->requests = atol(text);
    else if (strcmp(name, "--gap-us") == 0)
        settings->gap_us = atol(text);
    else if (strcmp(name, "--threads") == 0)
        settings->threads = atoi(text);
    else if (strcmp(name, "--idle") == 0)
        settings->idle = atoi(text);
    else
        return false;
    return true;
}

static bool parse_options(struct settings *settings, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;

        if (strcmp(argv[i], "--close") == 0)
            settings->closes = true;
        else if (strcmp(argv[i], "--path") == 0 && has_value)
            settings->path = argv[++i];
        else if (has_value && parse_number(settings, argv[i], argv[i + 1]))
            i++;
        else if (settings->address || !find_address(argv[i], &settings->address))
            return false;
    }
    return settings->address && settings->seconds > 0 && settings->requests >= 0 &&
           settings->gap_us >= 0 && settings->threads >= 1 && settings->threads <= THREADS_MAX &&
           settings->idle >= 0;
}

int main(int argc, char **argv)
{
    static struct settings settings = {.path = "/hello/x", .seconds = 2, .threads = 1};
    int len, status;

    if (!parse_options(&settings, argc, argv)) {
        fprintf(stderr,
                "usage: raw_client [--seconds S | --requests N] [--gap-us N] [--threads N]\n"
                "                  [--close] [--idle N] [--path PATH] ADDR:PORT\n");
        return 2;
    }
    len = snprintf(settings.request, sizeof(settings.request),
                   "GET %s HTTP/1.1\r\nHost: bench\r\n%s\r\n", settings.path,
                   settings.closes ? "Connection: close\r\n" : "");
    if (len < 0 || (size_t) len >= sizeof(settings.request))
        return 2;
    settings.request_len = (size_t) len;
    allow_all_descriptors();
    status = settings.idle ? hold_idle(&settings) : run(&settings);
    freeaddrinfo(settings.address);
    return status;
}
