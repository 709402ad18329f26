/* SPDX-License-Identifier: MIT */
/*
 * echo_load - messages to an echo server, one at a time on each of many connections
 *
 * Question: what does a message cost a server that sends it back?
 * Run:      build/bench/echo_load [--seconds 2] [--connections 64] [--bytes 64] ADDR:PORT
 * Prints:   requests 240000 seconds 2.000 rate 120000.0 p50_us 510.0 p99_us 620.0 errors 0
 *
 * Plain epoll, no engine. An echo that is not what was sent ends the run, as does a connection that
 * breaks. The times are of the last 1,000,000 messages.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "ouro_address.h"

enum { CONNECTIONS_MAX = 4096, BYTES_MAX = 16384, LATENCIES_MAX = 1 << 20, EVENTS_MAX = 256 };

struct connection {
    int fd;
    size_t came; /* of the present echo */
    int64_t sent_at;
};

static struct settings {
    struct ouro_address address;
    double seconds;
    int connections;
    size_t bytes;
} settings = {.seconds = 2, .connections = 64, .bytes = 64};

static struct connection connections[CONNECTIONS_MAX];
static char message[BYTES_MAX];
static uint32_t latencies[LATENCIES_MAX];
static size_t messages;

static int64_t now_ns(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static bool send_message(struct connection *connection, int64_t now)
{
    connection->came = 0;
    connection->sent_at = now;
    return send(connection->fd, message, settings.bytes, MSG_NOSIGNAL) == (ssize_t) settings.bytes;
}

static bool open_connection(struct connection *connection, int epoll)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    const int on = 1;

    connection->fd = socket(settings.address.sockaddr.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connection->fd >= 0 &&
           connect(connection->fd, &settings.address.sockaddr, settings.address.len) == 0 &&
           setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
           epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event) == 0;
}

/* Takes what has come, and sends the next message when that was all of the echo. */
static bool go_on(struct connection *connection)
{
    char buf[BYTES_MAX];
    ssize_t n = recv(connection->fd, buf, settings.bytes - connection->came, 0);
    int64_t now;

    if (n <= 0 || memcmp(buf, message + connection->came, (size_t) n) != 0)
        return false;
    connection->came += (size_t) n;
    if (connection->came < settings.bytes)
        return true;
    now = now_ns();
    latencies[messages++ % LATENCIES_MAX] = (uint32_t) (now - connection->sent_at);
    return send_message(connection, now);
}

static bool run(int epoll, int64_t end)
{
    struct epoll_event events[EVENTS_MAX];

    while (now_ns() < end) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, 100);

        if (count < 0 && errno != EINTR)
            return false;
        for (int i = 0; i < count; i++)
            if (!go_on(events[i].data.ptr))
                return false;
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *) a, right = *(const uint32_t *) b;

    return (left > right) - (left < right);
}

static void tell(double seconds)
{
    size_t count = messages < LATENCIES_MAX ? messages : LATENCIES_MAX;

    if (!count) {
        printf("requests 0 seconds %.3f errors 0\n", seconds);
        return;
    }
    qsort(latencies, count, sizeof(latencies[0]), compare);
    printf("requests %zu seconds %.3f rate %.1f p50_us %.1f p99_us %.1f errors 0\n", messages,
           seconds, (double) messages / seconds, latencies[count / 2] / 1e3,
           latencies[count * 99 / 100] / 1e3);
}

static bool parse_options(int argc, char **argv)
{
    int i = 1;

    for (; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            settings.seconds = atof(argv[i + 1]);
        else if (strcmp(argv[i], "--connections") == 0)
            settings.connections = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--bytes") == 0)
            settings.bytes = (size_t) atol(argv[i + 1]);
        else
            return false;
    }
    return i < argc && settings.seconds > 0 && settings.connections > 0 &&
           settings.connections <= CONNECTIONS_MAX && settings.bytes > 0 &&
           settings.bytes <= BYTES_MAX && !ouro_address_parse(argv[i], -1, &settings.address);
}

int main(int argc, char **argv)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int64_t start;

    if (!parse_options(argc, argv)) {
        fprintf(stderr, "usage: echo_load [--seconds S] [--connections N] [--bytes N] ADDR:PORT\n");
        return 2;
    }
    for (size_t i = 0; i < settings.bytes; i++)
        message[i] = (char) ('a' + i % 26);
    for (int i = 0; i < settings.connections; i++)
        if (!open_connection(&connections[i], epoll)) {
            fprintf(stderr, "echo_load: cannot connect: %s\n", strerror(errno));
            return 1;
        }
    start = now_ns();
    for (int i = 0; i < settings.connections; i++)
        if (!send_message(&connections[i], start))
            return 1;
    if (!run(epoll, start + (int64_t) (settings.seconds * 1e9))) {
        fprintf(stderr, "echo_load: a connection broke, or its echo was another\n");
        return 1;
    }
    tell((double) (now_ns() - start) / 1e9);
    return 0;
}
