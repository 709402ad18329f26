/* SPDX-License-Identifier: MIT */
/*
 * tls_echo.c - a server that sends back what it gets, over TLS, and a client for it
 *
 * Shows: TLS on top of a stream, on both sides; who is trusted, and why not.
 *
 * Run:    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
 *             -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
 *             -keyout key.pem -out cert.pem
 *         build/examples/tls_echo --listen 127.0.0.1:8443 --cert cert.pem --key key.pem
 *         echo hello | build/examples/tls_echo --connect 127.0.0.1:8443 --ca cert.pem
 * Prints: hello, and to stderr the version of TLS. The server prints where it listens.
 *         Without --ca the client trusts the system's authorities, and so not this server:
 *         it says why, and its exit status is 1.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"
#include "ouro_proto.h"

#define HANDSHAKE_LIMIT (10 * OURO_SECOND)

struct settings {
    const char *listen, *connect; /* one of them */
    struct ouro_tls_options tls;
    struct ouro_tls_context *context;
};

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "tls_echo: %s: %s\n", what, why);
    return 1;
}

/* --- the server ---------------------------------------------------------------------------- */

struct connection {
    struct ouro_tls_context *context;
    int fd;
};

static void echo(struct ouro_stream *stream)
{
    char buf[4096];
    ssize_t len;

    while ((len = ouro_stream_read(stream, buf, sizeof(buf))) > 0)
        if (ouro_stream_write_all(stream, buf, (size_t) len))
            return;
    if (len < 0)
        (void) complain("connection", ouro_strerror(len));
}

static int serve_connection(void *arg)
{
    struct connection *connection = arg;
    struct ouro_stream *stream;
    struct ouro_tls_hint hint;
    struct ouro_timeout limit;
    int code = ouro_stream_socket_take(connection->fd, &stream);

    if (code) {
        (void) ouro_close(connection->fd);
        return 0;
    }
    ouro_timeout_begin(&limit, HANDSHAKE_LIMIT);
    code = ouro_tls_accept_take(connection->context, stream, &stream, &hint);
    (void) ouro_timeout_end(&limit);
    if (code)
        (void) complain("handshake", hint.text);
    else
        echo(stream);
    (void) ouro_stream_close(stream); /* the plain one, if TLS did not take it */
    return 0;
}

/* Where descriptors have run out, clients wait in the backlog until some come back. */
static int accept_one(int listener)
{
    int fd = ouro_accept(listener, NULL);

    while ((fd == -EMFILE || fd == -ENFILE) && !(fd = ouro_sleep(OURO_SECOND / 20)))
        fd = ouro_accept(listener, NULL);
    return fd;
}

static int accept_all(struct ouro_tls_context *context, int listener)
{
    const struct ouro_spawn_options options = {.arg_bytes = sizeof(struct connection)};
    struct connection connection = {.context = context};
    struct ouro_group group;

    ouro_group_init_with(&group, OURO_GROUP_INDEPENDENT);
    while ((connection.fd = accept_one(listener)) >= 0)
        if (ouro_group_spawn_with(&group, serve_connection, &connection, &options))
            (void) ouro_close(connection.fd);
    ouro_group_cancel(&group);
    (void) ouro_group_wait(&group);
    return connection.fd;
}

static int serve(const struct settings *settings)
{
    char text[OURO_ADDRESS_TEXT_MAX];
    struct ouro_address address;
    int listener = ouro_address_parse(settings->listen, -1, &address);

    if (!listener)
        listener = ouro_listen(&address, 0);
    if (listener < 0)
        return complain(settings->listen, ouro_strerror(listener));
    (void) ouro_getsockname(listener, &address);
    printf("Listening on %s...\n", ouro_address_format(&address, text));
    (void) fflush(stdout);
    (void) accept_all(settings->context, listener); /* until Ctrl-C */
    (void) ouro_close(listener);
    return 0;
}

/* --- the client ---------------------------------------------------------------------------- */

/* Sends line after line, and prints what comes back. */
static int talk(struct ouro_stream *stream)
{
    char line[4096];
    int code = 0;

    while (!code && fgets(line, sizeof(line), stdin)) {
        size_t len = strlen(line);

        code = ouro_stream_write_all(stream, line, len);
        if (!code)
            code = ouro_stream_read_exact(stream, line, len, NULL);
        if (!code)
            printf("%.*s", (int) len, line);
    }
    return code;
}

static int connect_and_talk(const struct settings *settings, const char *host, int port)
{
    struct ouro_tls_hint hint;
    struct ouro_stream *stream;
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin(&limit, HANDSHAKE_LIMIT);
    code = ouro_dial(host, port, NULL, &stream);
    if (code) {
        (void) ouro_timeout_end(&limit);
        return complain(host, ouro_strerror(code));
    }
    code = ouro_tls_connect_take(settings->context, stream, host, &stream, &hint);
    (void) ouro_timeout_end(&limit);
    if (code) {
        (void) complain(host, hint.text);
    } else {
        fprintf(stderr, "%s\n", ouro_tls_version_text(stream));
        code = talk(stream);
        if (code)
            (void) complain(host, ouro_strerror(code));
    }
    (void) ouro_stream_close(stream);
    return code ? 1 : 0;
}

static int be_client(const struct settings *settings)
{
    const char *colon = strrchr(settings->connect, ':');
    char host[256];

    if (!colon || colon - settings->connect >= (ptrdiff_t) sizeof(host))
        return complain(settings->connect, "not HOST:PORT");
    memcpy(host, settings->connect, (size_t) (colon - settings->connect));
    host[colon - settings->connect] = '\0';
    return connect_and_talk(settings, host, atoi(colon + 1));
}

static int main_task(void *arg)
{
    const struct settings *settings = arg;

    return settings->listen ? serve(settings) : be_client(settings);
}

/* --- the command line ---------------------------------------------------------------------- */

static bool parse(int argc, char **argv, struct settings *settings)
{
    const struct {
        const char *name;
        const char **value;
    } options[] = {{"--listen", &settings->listen},
                   {"--connect", &settings->connect},
                   {"--cert", &settings->tls.certificate_file},
                   {"--key", &settings->tls.key_file},
                   {"--ca", &settings->tls.ca_file}};
    size_t count = sizeof(options) / sizeof(options[0]);

    for (int i = 1; i < argc; i += 2) {
        size_t j = 0;

        while (j < count && strcmp(argv[i], options[j].name) != 0)
            j++;
        if (j == count || i + 1 == argc)
            return false;
        *options[j].value = argv[i + 1];
    }
    return !settings->listen != !settings->connect &&
           (!settings->listen || settings->tls.certificate_file);
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    struct ouro_tls_hint hint;
    int code;

    if (!parse(argc, argv, &settings)) {
        fprintf(stderr, "usage: tls_echo --listen ADDR:PORT --cert FILE --key FILE\n"
                        "       tls_echo --connect HOST:PORT [--ca FILE]\n");
        return 2;
    }
    if (ouro_tls_context_create(&settings.tls, &settings.context, &hint))
        return complain("TLS", hint.text);
    code = ouro_run(main_task, &settings, NULL);
    ouro_tls_context_destroy(settings.context);
    return code ? 1 : 0;
}
