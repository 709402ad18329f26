/* SPDX-License-Identifier: MIT */
/*
 * http_server.c - the loop that accepts connections for an application
 *
 * See ouro_http_server.h; http_connection.c for what happens on a connection,
 * http_exchange.c for what a handler sees.
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>

#include "http_connection.h"
#include "http_server.h"
#include "ouro_socket.h"
#include "ouro_timer.h"

/* For descriptors or memory to come back; meanwhile clients wait in the backlog. */
#define SHORTAGE_PAUSE_NS (50 * OURO_MILLISECOND)

/* How many idle connections are closed at once when the server ends, and the pause after them. */
#define DRAIN_STEP    256
#define DRAIN_STEP_NS (10 * OURO_MILLISECOND)

/* --- options ----------------------------------------------------------------------------- */

static void set_size(size_t *size, size_t standard)
{
    if (!*size)
        *size = standard;
}

/* Far enough from OURO_FOREVER to be added to the time of day. */
static void set_duration(int64_t *duration_ns, int64_t standard_ns)
{
    if (!*duration_ns)
        *duration_ns = standard_ns;
    if (*duration_ns > OURO_FOREVER / 2)
        *duration_ns = OURO_FOREVER / 2;
}

static bool is_negative(const struct ouro_http_serve_options *options)
{
    return options->header_timeout_ns < 0 || options->body_timeout_ns < 0 ||
           options->send_timeout_ns < 0 || options->idle_timeout_ns < 0 ||
           options->linger_timeout_ns < 0 || options->drain_timeout_ns < 0 ||
           options->handler_timeout_ns < 0 || options->request_timeout_ns < 0;
}

static int set_defaults(struct ouro_http_serve_options *options)
{
    set_size(&options->line_bytes_max, 8 * 1024);
    set_size(&options->header_bytes_max, 16 * 1024);
    if (!options->header_count_max)
        options->header_count_max = 100;
    if (!options->body_bytes_max)
        options->body_bytes_max = 1024 * 1024;
    set_duration(&options->header_timeout_ns, 5 * OURO_SECOND);
    set_duration(&options->body_timeout_ns, 30 * OURO_SECOND);
    set_duration(&options->send_timeout_ns, 30 * OURO_SECOND);
    set_duration(&options->idle_timeout_ns, 75 * OURO_SECOND);
    set_duration(&options->linger_timeout_ns, 2 * OURO_SECOND);
    set_duration(&options->drain_timeout_ns, 5 * OURO_SECOND);
    if (!options->body_rate_min)
        options->body_rate_min = 240;
    if (is_negative(options))
        return -EINVAL;
    /* More than 16 MiB of head for each connection is more than anybody can want. */
    if (options->header_bytes_max < 64 || options->header_bytes_max > (size_t) 1 << 24 ||
        options->header_count_max > 1u << 16)
        return -EINVAL;
    options->header_bytes_max = (options->header_bytes_max + 7) & ~(size_t) 7;
    return 0;
}

/* --- connections ------------------------------------------------------------------------- */

static int start_connection(struct http_server *server, int fd)
{
    int code = ouro__http_lobby_enter_take(&server->lobby, fd);

    if (code)
        (void) ouro_close(fd);
    else
        server->report.connections++;
    return code;
}

/* --- accepting --------------------------------------------------------------------------- */

static bool is_shortage(int code)
{
    return code == -EMFILE || code == -ENFILE || code == -ENOBUFS || code == -ENOMEM ||
           code == -EAGAIN;
}

/* Errors of the connection that was to be accepted, not of the listener: see accept(2). */
static bool is_of_the_peer(int code)
{
    return code == -ECONNABORTED || code == -EINTR || code == -EPROTO || code == -EPERM ||
           code == -ENETDOWN || code == -ENETUNREACH || code == -EHOSTDOWN ||
           code == -EHOSTUNREACH || code == -ENOPROTOOPT || code == -ENONET;
}

/* Returns the error that ended it. */
static int accept_connections(struct http_server *server, int listen_fd)
{
    struct ouro_acceptor acceptor;
    int code = ouro_acceptor_init(&acceptor, listen_fd);

    if (code)
        return code;
    do {
        code = ouro_acceptor_next(&acceptor);
        if (code >= 0)
            code = start_connection(server, code);
        if (is_shortage(code))
            code = ouro_sleep(SHORTAGE_PAUSE_NS);
    } while (!code || is_of_the_peer(code));
    ouro_acceptor_done(&acceptor);
    return code;
}

/* --- the end ----------------------------------------------------------------------------- */

/* Idle clients come back at once, to whoever answers then: a step at a time they are no crowd. */
static void close_idle(struct http_server *server)
{
    int code = 0;

    (void) ouro__http_connection_close_idle(server);
    while (!code && ouro__http_lobby_close_idle(&server->lobby, DRAIN_STEP) == DRAIN_STEP)
        code = ouro_sleep(DRAIN_STEP_NS);
    (void) ouro__http_lobby_close_idle(&server->lobby, UINT_MAX);
}

/* Time is up: sockets that come from the lobby from now on find their tasks cancelled. */
static void cut_off(struct http_server *server)
{
    struct ouro_shield shield;

    ouro_group_cancel(&server->connections);
    ouro__http_lobby_cancel(&server->lobby);
    ouro_shield_begin(&shield, OURO_FOREVER);
    (void) ouro__http_lobby_wait(&server->lobby);
    ouro_shield_end(&shield);
}

/*
 * Handlers that run may finish, within the limit: behind a shield, as this task has been
 * cancelled as a rule. When time is up the group's wait cancels what is left, and goes on.
 */
static void drain(struct http_server *server)
{
    struct ouro_shield shield;
    struct ouro_timeout limit;

    server->draining = true;
    ouro__http_lobby_drain(&server->lobby);
    ouro_shield_begin(&shield, OURO_FOREVER);
    ouro_timeout_begin(&limit, server->options.drain_timeout_ns);
    close_idle(server);
    if (ouro__http_lobby_wait(&server->lobby))
        cut_off(server);
    (void) ouro_group_wait(&server->connections);
    (void) ouro_timeout_end(&limit);
    ouro__http_lobby_close(&server->lobby);
    ouro__http_flusher_stop(&server->flusher);
    ouro__http_connection_free_spare(server);
    ouro_shield_end(&shield);
    if (server->options.report)
        *server->options.report = server->report;
}

/* --- serving ----------------------------------------------------------------------------- */

static int start(struct http_server *server, struct ouro_http_app *app,
                 const struct ouro_http_serve_options *options)
{
    int code;

    memset(server, 0, sizeof(*server));
    server->app = app;
    if (options)
        server->options = *options;
    code = set_defaults(&server->options);
    if (!code)
        code = ouro__http_flusher_start(&server->flusher);
    if (!code)
        ouro_group_init_with(&server->connections, OURO_GROUP_INDEPENDENT);
    return code;
}

static int open_lobby(struct http_server *server)
{
    const struct http_lobby_options options = {
        .server = server,
        .serve = ouro__http_connection_serve_socket,
        .group = &server->connections,
        .stack = server->options.stack,
        .flusher = &server->flusher,
        .idle_timeout_ns = server->options.idle_timeout_ns,
        .send_timeout_ns = server->options.send_timeout_ns,
    };

    return ouro__http_lobby_open(&server->lobby, &options);
}

int ouro_http_serve(struct ouro_http_app *app, int listen_fd,
                    const struct ouro_http_serve_options *options)
{
    struct http_server server;
    int one = 1;
    int code = start(&server, app, options);

    if (code)
        return code;
    server.limits.body_bytes_max = server.options.body_bytes_max;
    server.limits.body_timeout_ns = server.options.body_timeout_ns;
    /* Inherited by what is accepted. A Unix socket refuses it, and has no need of it. */
    (void) ouro_setsockopt(listen_fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    code = open_lobby(&server);
    if (!code)
        code = accept_connections(&server, listen_fd);
    drain(&server);
    return code;
}

struct streaming {
    struct http_server server;
    struct ouro_stream *stream;
    struct ouro_event done;
    int code;
};

static int run_stream(void *arg)
{
    struct streaming *streaming = arg;

    streaming->server.report.connections++;
    streaming->code = ouro__http_connection_run_take(&streaming->server, streaming->stream);
    ouro_event_set(&streaming->done);
    return 0;
}

/* The connection has a task of its own here as well, so that it is drained like the others. */
int ouro_http_serve_stream_take(struct ouro_http_app *app, struct ouro_stream *stream,
                                const struct ouro_http_serve_options *options)
{
    struct streaming streaming = {.stream = stream};
    struct ouro_spawn_options spawn = {.name = "http connection"};
    int code = start(&streaming.server, app, options);

    if (code) {
        (void) ouro_stream_close(stream);
        return code;
    }
    ouro_event_init(&streaming.done);
    spawn.stack = streaming.server.options.stack;
    code = ouro_group_spawn_with(&streaming.server.connections, run_stream, &streaming, &spawn);
    if (code)
        (void) ouro_stream_close(stream);
    else
        code = ouro_event_wait(&streaming.done);
    drain(&streaming.server);
    return code ? code : streaming.code;
}
