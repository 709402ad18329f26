/* SPDX-License-Identifier: MIT */
/*
 * udp_echo - sends each datagram back to where it came from
 *
 * Shows:  UDP: a server without connections, a client that tries again when a datagram is lost.
 * Run:    build/examples/udp_echo                         server and client in one program
 *         build/examples/udp_echo --listen 127.0.0.1:7    the server alone, until Ctrl-C
 * Prints: alone, what the client got back, a line for each; with --listen, where it listens.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ouro.h"

#define DATAGRAM_MAX 65536
#define TRIES        5

static int open_server(const char *text, struct ouro_address *ret_address)
{
    int code = ouro_address_parse(text, -1, ret_address);
    int fd;

    if (code)
        return code;
    fd = ouro_socket(ret_address->sockaddr.sa_family, SOCK_DGRAM, 0);
    if (fd < 0)
        return fd;
    code = ouro_bind(fd, ret_address);
    if (!code)
        code = ouro_getsockname(fd, ret_address); /* port 0 has become a real one */
    if (code) {
        (void) ouro_close(fd);
        return code;
    }
    return fd;
}

/* Until it is cancelled. */
static int echo(void *arg)
{
    const int fd = *(const int *) arg;
    static char buf[DATAGRAM_MAX];
    struct ouro_address from;
    ssize_t len;

    for (;;) {
        len = ouro_recvfrom(fd, buf, sizeof(buf), 0, &from);
        if (len >= 0)
            len = ouro_sendto(fd, buf, (size_t) len, 0, &from);
        if (len == -ECANCELED)
            return 0;
        if (len < 0) /* one that could not be sent is lost, as any datagram may be */
            fprintf(stderr, "udp_echo: %s\n", ouro_strerror(len));
    }
}

/* Sends `text` until the same comes back. Returns 0 or an error. */
static int ask(int fd, const char *text)
{
    char back[100];
    ssize_t len = 0;

    for (int i = 0; i < TRIES; i++) {
        struct ouro_timeout limit;

        ouro_timeout_begin(&limit, OURO_SECOND);
        len = ouro_send(fd, text, strlen(text), 0);
        if (len >= 0)
            len = ouro_recv(fd, back, sizeof(back), 0);
        if (!ouro_timeout_end(&limit))
            break;
    }
    if (len < 0)
        return (int) len;
    printf("%.*s came back\n", (int) len, back);
    return 0;
}

static int ask_all(const struct ouro_address *server)
{
    static const char *const texts[] = {"one", "two", "three"};
    int fd = ouro_socket(server->sockaddr.sa_family, SOCK_DGRAM, 0);
    int code;

    if (fd < 0)
        return fd;
    code = ouro_connect(fd, &server->sockaddr, server->len); /* now it hears this peer only */
    for (int i = 0; i < 3 && !code; i++)
        code = ask(fd, texts[i]);
    (void) ouro_close(fd);
    return code;
}

static int run_both(void *arg)
{
    struct ouro_address address;
    ouro_task_id server;
    int fd = open_server("127.0.0.1:0", &address);
    int code;

    (void) arg;
    if (fd < 0)
        return fd;
    server = ouro_spawn(echo, &fd);
    code = server < 0 ? (int) server : ask_all(&address);
    if (server >= 0)
        (void) ouro_cancel_join(server, NULL);
    (void) ouro_close(fd);
    return code;
}

static int run_server(void *arg)
{
    char text[OURO_ADDRESS_TEXT_MAX];
    struct ouro_address address;
    int fd = open_server(arg, &address);
    int code;

    if (fd < 0)
        return fd;
    printf("Listening at %s\n", ouro_address_format(&address, text));
    code = echo(&fd); /* Ctrl-C cancels the main task */
    (void) ouro_close(fd);
    return code;
}

int main(int argc, char **argv)
{
    int code;

    (void) setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3 && strcmp(argv[1], "--listen") == 0) {
        code = ouro_run(run_server, argv[2], NULL);
    } else if (argc == 1) {
        code = ouro_run(run_both, NULL, NULL);
    } else {
        fprintf(stderr, "usage: udp_echo [--listen ADDRESS]\n");
        return 2;
    }
    if (code < 0)
        fprintf(stderr, "udp_echo: %s\n", ouro_strerror(code));
    return code < 0 ? 1 : 0;
}
