/* SPDX-License-Identifier: MIT */
/*
 * raw_server.h - what the floors raw_http and raw_epoll share: options, listener, reply, parser
 *
 * A floor answers every blank line with the same bytes, as many as examples/http_server sends for
 * GET /hello/x, and does nothing else that a server should: no routes, no time limits, no bodies.
 * (A client that asks on and on and never reads costs it eight bytes of counting.)
 */
#ifndef RAW_SERVER_H
#define RAW_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 65536
#define REPLIES_MAX     256 /* in one send */

#define RAW_HEAD                                                 \
    "HTTP/1.1 200 OK\r\nDate: Mon, 02 Nov 2026 12:00:00 GMT\r\n" \
    "Content-Type: text/html; charset=utf-8\r\nContent-Length: 18\r\n"
#define RAW_BODY "\r\n<h1>hello, x!</h1>"

/* Index: the descriptor. All zero when new. */
struct connection {
    uint64_t owed_bytes; /* of replies */
    uint8_t matched;     /* how much of CRLF CRLF the bytes so far end with */
    bool is_sending;
    bool is_ended; /* nothing more will come */
};

struct raw_server {
    int listener;
    bool closes; /* --close: each connection after its first reply */
    size_t reply_bytes;
    char replies[REPLIES_MAX * sizeof(RAW_HEAD "Connection: close\r\n" RAW_BODY)];
    struct connection connections[CONNECTIONS_MAX];
};

static inline void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* --- the reply ----------------------------------------------------------------------------- */

static inline void fill_replies(struct raw_server *server)
{
    const char *reply =
        server->closes ? RAW_HEAD "Connection: close\r\n" RAW_BODY : RAW_HEAD RAW_BODY;

    server->reply_bytes = strlen(reply);
    for (int i = 0; i < REPLIES_MAX; i++)
        memcpy(server->replies + (size_t) i * server->reply_bytes, reply, server->reply_bytes);
}

/* What to send next of all that is owed: it may begin in the middle of a reply. */
static inline const char *next_piece(const struct raw_server *server,
                                     const struct connection *connection, size_t *ret_len)
{
    size_t begun = connection->owed_bytes % server->reply_bytes;
    size_t offset = begun ? server->reply_bytes - begun : 0;
    size_t len = REPLIES_MAX * server->reply_bytes - offset;

    *ret_len = connection->owed_bytes < len ? (size_t) connection->owed_bytes : len;
    return server->replies + offset;
}

/* --- the requests -------------------------------------------------------------------------- */

/* `*matched` goes from call to call, as a blank line may come in parts. */
static inline unsigned count_blank_lines(const char *text, size_t len, uint8_t *matched)
{
    static const char blank[] = "\r\n\r\n";
    const char *end = text + len;
    unsigned count = 0;

    while (text < end) {
        if (*matched == 0) {
            text = memchr(text, '\r', (size_t) (end - text));
            if (!text)
                break;
        }
        if (*text == blank[*matched])
            (*matched)++;
        else
            *matched = *text == '\r';
        text++;
        if (*matched == 4) {
            *matched = 0;
            count++;
        }
    }
    return count;
}

/* --- starting ------------------------------------------------------------------------------ */

static inline bool parse_address(const char *text, struct sockaddr_in *ret_address)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *colon = strrchr(text, ':');
    char host[INET_ADDRSTRLEN] = "";

    if (!colon || (size_t) (colon - text) >= sizeof(host))
        return false;
    memcpy(host, text, (size_t) (colon - text));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return false;
    address.sin_port = htons((uint16_t) atoi(colon + 1));
    *ret_address = address;
    return true;
}

static inline void allow_all_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Says where, in the words of examples/http_server. Connections inherit TCP_NODELAY. */
static inline int raw_listen(struct sockaddr_in address, int flags)
{
    const int on = 1;
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
        bind(fd, (struct sockaddr *) &address, len) || listen(fd, INT32_MAX) ||
        getsockname(fd, (struct sockaddr *) &address, &len))
        fail("listen");
    printf("Server started at http://%s:%d...\n", inet_ntoa(address.sin_addr),
           ntohs(address.sin_port));
    (void) fflush(stdout);
    return fd;
}

/* `flags`: of the listener, besides those of any. */
static inline void raw_start(struct raw_server *server, int argc, char **argv, int flags)
{
    struct sockaddr_in address;
    bool is_valid = parse_address("127.0.0.1:8000", &address);

    for (int i = 1; i < argc && is_valid; i++) {
        if (strcmp(argv[i], "--close") == 0)
            server->closes = true;
        else
            is_valid = strcmp(argv[i], "--listen") == 0 && i + 1 < argc &&
                       parse_address(argv[++i], &address);
    }
    if (!is_valid) {
        fprintf(stderr, "usage: %s [--listen ADDR:PORT] [--close]\n", argv[0]);
        exit(2);
    }
    allow_all_descriptors();
    fill_replies(server);
    server->listener = raw_listen(address, flags);
}

#endif /* RAW_SERVER_H */
