/* SPDX-License-Identifier: MIT */
/*
 * raw_epoll - the floor below an HTTP server without a ring: epoll, read, send
 *
 * Question: what does the kernel's part of a small request cost on the way that others take?
 * Run:      build/bench/raw_epoll [--listen 127.0.0.1:8000] [--close]
 * Prints:   Server started at http://127.0.0.1:8000...
 *           bench/http_compare.py measures it, beside other servers.
 *
 * Level-triggered. It reads at most a buffer per event, and answers all blank lines in it by one
 * send. While a socket is full it waits for room there instead of for bytes.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "raw_server.h"

#define EVENTS_MAX   512
#define BUFFER_BYTES (16 * 1024)

static struct raw_server server;
static int epoll;

static void watch(int fd, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    if (epoll_ctl(epoll, operation, fd, &event))
        fail("epoll_ctl");
}

static void accept_all(void)
{
    int fd;

    while ((fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= CONNECTIONS_MAX) {
            (void) close(fd);
            continue;
        }
        server.connections[fd] = (struct connection) {0};
        watch(fd, EPOLL_CTL_ADD, EPOLLIN);
    }
}

/* Sends what is owed, as far as there is room. Returns false when the connection is over. */
static bool pay(int fd)
{
    struct connection *connection = &server.connections[fd];

    while (connection->owed_bytes) {
        size_t len;
        const char *piece = next_piece(&server, connection, &len);
        ssize_t sent = send(fd, piece, len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EAGAIN)
            break;
        if (sent < 0)
            return false;
        connection->owed_bytes -= (size_t) sent;
    }
    if (connection->is_sending != (connection->owed_bytes > 0)) {
        connection->is_sending = !connection->is_sending;
        watch(fd, EPOLL_CTL_MOD, connection->is_sending ? EPOLLOUT : EPOLLIN);
    }
    return connection->owed_bytes || !server.closes;
}

static bool answer(int fd)
{
    static char buf[BUFFER_BYTES];
    struct connection *connection = &server.connections[fd];
    ssize_t len = recv(fd, buf, sizeof(buf), 0);
    unsigned count;

    if (len <= 0)
        return len < 0 && errno == EAGAIN;
    count = count_blank_lines(buf, (size_t) len, &connection->matched);
    connection->owed_bytes += count * server.reply_bytes;
    return !count || pay(fd);
}

static void on_event(int fd)
{
    if (fd == server.listener)
        accept_all();
    else if (!(server.connections[fd].is_sending ? pay(fd) : answer(fd)))
        (void) close(fd);
}

int main(int argc, char **argv)
{
    static struct epoll_event events[EVENTS_MAX];

    raw_start(&server, argc, argv, SOCK_NONBLOCK);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    watch(server.listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);

        for (int i = 0; i < count; i++)
            on_event(events[i].data.fd);
    }
}
