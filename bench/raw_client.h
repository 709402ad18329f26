/* SPDX-License-Identifier: MIT */
/*
 * raw_client.h - what the clients without the engine, raw_client and raw_load, share
 */
#ifndef RAW_CLIENT_H
#define RAW_CLIENT_H

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define REPLY_BYTES_MAX 4096

static inline void fail(const char *what)
{
    perror(what);
    exit(1);
}

static inline int64_t now_ns(void)
{
    struct timespec now;

    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static inline void allow_all_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* `text`: ADDR:PORT. */
static inline bool find_address(const char *text, struct addrinfo **ret_address)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    const char *colon = strrchr(text, ':');
    char host[256] = "";

    if (!colon || (size_t) (colon - text) >= sizeof(host))
        return false;
    memcpy(host, text, (size_t) (colon - text));
    return getaddrinfo(host, colon + 1, &hints, ret_address) == 0;
}

/* A server that says nothing for ten seconds has failed. */
static inline int connect_to(const struct addrinfo *address)
{
    const struct timeval patience = {.tv_sec = 10};
    const int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    (void) close(fd);
    return -1;
}

static inline bool send_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        text += sent;
        len -= (size_t) sent;
    }
    return true;
}

/* The length of the reply that `buf` (which ends with a 0) begins with, 0 while that isn't known,
 * -1 when it is none that we want. */
static inline int reply_len(const char *buf, size_t len)
{
    const char *end = strstr(buf, "\r\n\r\n");
    const char *length = strcasestr(buf, "\r\nContent-Length:");

    if (len >= 13 && memcmp(buf, "HTTP/1.1 200 ", 13) != 0)
        return -1;
    if (!end)
        return 0;
    if (!length || length > end)
        return -1;
    return (int) (end + 4 - buf) + atoi(length + strlen("\r\nContent-Length:"));
}

/* Reads one reply, and says how long it was; 0 after an error, of which it says nothing. */
static inline size_t read_reply(int fd)
{
    char buf[REPLY_BYTES_MAX + 1];
    size_t have = 0;
    int want = 0;

    while (want == 0 || have < (size_t) want) {
        ssize_t len = recv(fd, buf + have, REPLY_BYTES_MAX - have, 0);

        if (len <= 0)
            return 0;
        have += (size_t) len;
        buf[have] = 0;
        if (want == 0)
            want = reply_len(buf, have);
        if (want < 0)
            return 0;
    }
    return have == (size_t) want ? have : 0;
}

#endif /* RAW_CLIENT_H */
