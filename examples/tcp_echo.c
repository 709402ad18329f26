/* SPDX-License-Identifier: MIT */
/*
 * tcp_echo - a server that sends back what it gets, a task per connection, and a client
 *
 * Shows:  streams; an accept loop that spawns into a group; an end that lets connections finish.
 * Run:    build/examples/tcp_echo                           server and client in one program
 *         build/examples/tcp_echo --listen 127.0.0.1:7000   the server alone, until Ctrl-C
 * Prints: alone, what the client got back, a line for each; with --listen, where it listens.
 *         After Ctrl-C, or SIGTERM, connections have two seconds to come to their end.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ouro.h"
#include "ouro_proto.h"

#define DRAIN_LIMIT (2 * OURO_SECOND)

/* --- the server ---------------------------------------------------------------------------- */

static int serve_connection(void *arg)
{
    int fd = *(const int *) arg;
    struct ouro_stream *stream;
    char buf[4096];
    ssize_t len;
    int code = ouro_stream_socket_take(fd, &stream);

    if (code) {
        (void) ouro_close(fd);
        return code;
    }
    while ((len = ouro_stream_read(stream, buf, sizeof(buf))) > 0) {
        code = ouro_stream_write_all(stream, buf, (size_t) len);
        if (code)
            break;
    }
    (void) ouro_stream_close(stream); /* also when cancelled: it is never cut short */
    return len < 0 ? (int) len : code;
}

/* Accepts until it is cancelled, and closes the listener. A connection's error is its own affair. */
static int serve(void *arg)
{
    const struct ouro_spawn_options options = {.arg_bytes = sizeof(int)};
    int listener = *(const int *) arg;
    struct ouro_shield shield;
    struct ouro_group group;
    int fd;

    ouro_group_init_with(&group, OURO_GROUP_INDEPENDENT);
    for (;;) {
        fd = ouro_accept(listener, NULL);
        if (fd == -ECONNABORTED)
            continue; /* that client has left already */
        if (fd < 0)
            break;
        if (ouro_group_spawn_with(&group, serve_connection, &fd, &options))
            (void) ouro_close(fd);
    }
    (void) ouro_close(listener);
    ouro_shield_begin(&shield, DRAIN_LIMIT); /* without it the connections are cancelled now */
    (void) ouro_group_wait(&group);
    ouro_shield_end(&shield);
    return fd;
}

static int open_server(const char *text, struct ouro_address *ret_address)
{
    int fd, code = ouro_address_parse(text, -1, ret_address);

    if (code)
        return code;
    fd = ouro_listen(ret_address, 0);
    if (fd < 0)
        return fd;
    code = ouro_getsockname(fd, ret_address); /* port 0 has become a real one */
    if (code) {
        (void) ouro_close(fd);
        return code;
    }
    return fd;
}

static int run_server(void *arg)
{
    char text[OURO_ADDRESS_TEXT_MAX];
    struct ouro_address address;
    int code, fd = open_server(arg, &address);

    if (fd < 0)
        return fd;
    printf("Listening on %s...\n", ouro_address_format(&address, text));
    code = serve(&fd);
    return code == -ECANCELED ? 0 : code; /* Ctrl-C, as it should be */
}

/* --- the client ---------------------------------------------------------------------------- */

static int ask(struct ouro_stream *stream, const char *text)
{
    const char *line;
    ssize_t len;
    int code = ouro_stream_write_all(stream, text, strlen(text));

    if (code)
        return code;
    len = ouro_stream_read_until(stream, "\n", 1, /* limit= */ 1000, &line);
    if (len < 0)
        return (int) len;
    printf("%.*s", (int) len, line); /* it points into the stream's buffer */
    return 0;
}

static int talk(int port)
{
    static const char *const texts[] = {"one\n", "two\n", "three\n"};
    struct ouro_stream *stream;
    int code = ouro_dial("127.0.0.1", port, NULL, &stream);

    if (code)
        return code;
    for (int i = 0; i < 3 && !code; i++)
        code = ask(stream, texts[i]);
    (void) ouro_stream_close(stream);
    return code;
}

static int run_both(void *arg)
{
    struct ouro_address address;
    struct ouro_timeout limit;
    ouro_task_id server;
    int code, fd = open_server("127.0.0.1:0", &address);

    (void) arg;
    if (fd < 0)
        return fd;
    server = ouro_spawn(serve, &fd);
    if (server < 0) {
        (void) ouro_close(fd);
        return (int) server;
    }
    ouro_timeout_begin(&limit, 10 * OURO_SECOND);
    code = talk(ouro_address_port(&address));
    (void) ouro_timeout_end(&limit);
    (void) ouro_cancel_join(server, NULL);
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
        fprintf(stderr, "usage: tcp_echo [--listen ADDRESS]\n");
        return 2;
    }
    if (code)
        fprintf(stderr, "tcp_echo: %s\n", ouro_strerror(code));
    return code ? 1 : 0;
}
