/* SPDX-License-Identifier: MIT */
/*
 * lease_echo - many connections that share few buffers
 *
 * Question: what do echoes by leases cost when there are many more connections than buffers,
 *           and does each connection get its share?
 * Run:      build/bench/lease_echo [--seconds 3] [--connections 1000] [--buffers 64]
 *                                  [--bytes 64]
 * Prints:   1000 connections, 64 buffers: 93211 echoes/s, 90 to 97 per connection, 0 errors
 *           Server and clients are tasks of one loop on loopback, so the rate is that of both
 *           together. The exit status is 1 when there was an error or a connection got nothing.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "ouro.h"

#define BYTES_MAX 4096

struct bench {
    int64_t seconds;
    unsigned connections;
    unsigned buffers;
    size_t bytes;
    int64_t deadline;
    unsigned errors;
    struct client *clients;
};

struct client {
    struct bench *bench;
    int fds[2]; /* the client's end, the server's */
    unsigned echoes;
};

/* --- the server ---------------------------------------------------------------------------- */

static int serve(void *arg)
{
    struct client *client = arg;
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    ssize_t len;

    ouro_receiver_init(&receiver, client->fds[1], 0);
    while ((len = ouro_receiver_next(&receiver, &lease)) > 0) {
        int code = ouro_send_all(client->fds[1], lease.data, lease.len, NULL);

        ouro_lease_release(&lease);
        if (code) {
            len = code;
            break;
        }
    }
    ouro_receiver_done(&receiver);
    client->bench->errors += len < 0;
    return ouro_close(client->fds[1]);
}

/* --- the clients --------------------------------------------------------------------------- */

static int ask(void *arg)
{
    struct client *client = arg;
    struct bench *bench = client->bench;
    char sent[BYTES_MAX], received[BYTES_MAX];
    int code = 0;

    memset(sent, 'x', bench->bytes);
    while (!code && ouro_now() < bench->deadline) {
        memcpy(sent, &client->echoes, sizeof(client->echoes));
        code = ouro_send_all(client->fds[0], sent, bench->bytes, NULL);
        if (!code)
            code = ouro_recv_exact(client->fds[0], received, bench->bytes, NULL);
        if (!code && memcmp(sent, received, bench->bytes) != 0)
            code = -EBADMSG;
        client->echoes += !code;
    }
    bench->errors += code != 0;
    return ouro_close(client->fds[0]);
}

static int connect_pair(int listener, const struct ouro_address *address, int fds[2])
{
    int code;

    fds[0] = ouro_socket(address->sockaddr.sa_family, SOCK_STREAM, 0);
    if (fds[0] < 0)
        return fds[0];
    code = ouro_connect(fds[0], &address->sockaddr, address->len);
    fds[1] = code ? code : ouro_accept(listener, NULL);
    if (fds[1] < 0)
        (void) ouro_close(fds[0]);
    return fds[1] < 0 ? fds[1] : 0;
}

static int start(struct bench *bench, struct ouro_group *group)
{
    struct ouro_address address;
    int listener, code;

    code = ouro_address_parse("127.0.0.1:0", -1, &address);
    listener = code ? code : ouro_listen(&address, 0);
    if (listener < 0)
        return listener;
    code = ouro_getsockname(listener, &address);
    for (unsigned i = 0; i < bench->connections && !code; i++) {
        struct client *client = &bench->clients[i];

        client->bench = bench;
        code = connect_pair(listener, &address, client->fds);
        if (!code)
            code = ouro_group_spawn(group, serve, client);
        if (!code)
            code = ouro_group_spawn(group, ask, client);
    }
    (void) ouro_close(listener);
    return code;
}

static int run(void *arg)
{
    struct bench *bench = arg;
    struct ouro_group group;
    int64_t begin = ouro_now();
    int code;

    bench->deadline = OURO_FOREVER;
    ouro_group_init_with(&group, OURO_GROUP_INDEPENDENT);
    code = start(bench, &group);
    begin = ouro_now();
    bench->deadline = code ? 0 : begin + bench->seconds * OURO_SECOND;
    if (code)
        ouro_group_cancel(&group);
    (void) ouro_group_wait(&group);
    if (code)
        (void) fprintf(stderr, "lease_echo: %s\n", ouro_strerror(code));
    return code;
}

/* --- the result ---------------------------------------------------------------------------- */

static int report(const struct bench *bench)
{
    unsigned least = UINT32_MAX, most = 0;
    uint64_t total = 0;

    for (unsigned i = 0; i < bench->connections; i++) {
        unsigned echoes = bench->clients[i].echoes;

        total += echoes;
        least = echoes < least ? echoes : least;
        most = echoes > most ? echoes : most;
    }
    printf("%u connections, %u buffers: %.0f echoes/s, %u to %u per connection, %u errors\n",
           bench->connections, bench->buffers, (double) total / (double) bench->seconds, least,
           most, bench->errors);
    return bench->errors || !least;
}

static bool parse(int argc, char **argv, struct bench *bench)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        unsigned long value = strtoul(argv[i + 1], NULL, 10);

        if (!strcmp(argv[i], "--seconds"))
            bench->seconds = (int64_t) value;
        else if (!strcmp(argv[i], "--connections"))
            bench->connections = (unsigned) value;
        else if (!strcmp(argv[i], "--buffers"))
            bench->buffers = (unsigned) value;
        else if (!strcmp(argv[i], "--bytes"))
            bench->bytes = value;
        else
            return false;
    }
    return argc % 2 == 1 && bench->seconds > 0 && bench->connections > 0 &&
           bench->bytes >= sizeof(unsigned) && bench->bytes <= BYTES_MAX;
}

static void raise_fd_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    struct bench bench = {.seconds = 3, .connections = 1000, .buffers = 64, .bytes = 64};
    struct ouro_run_options options = {.ring = NULL};
    int code;

    if (!parse(argc, argv, &bench)) {
        (void) fprintf(stderr, "usage: lease_echo [--seconds N] [--connections N] [--buffers N] "
                               "[--bytes N]\n");
        return 2;
    }
    bench.clients = calloc(bench.connections, sizeof(*bench.clients));
    if (!bench.clients)
        return 2;
    raise_fd_limit();
    options.buffer_count = bench.buffers;
    code = ouro_run(run, &bench, &options);
    code = code ? 2 : report(&bench);
    free(bench.clients);
    return code;
}
