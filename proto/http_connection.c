/* SPDX-License-Identifier: MIT */
/*
 * http_connection.c - the life of an HTTP/1.1 connection, server side; see http_connection.h
 *
 * One task per connection goes round and round:
 *
 *     read_head ──▶ dispatch: the handler reads the body and answers ──▶ drop_body ─┐
 *         ▲                                                                          │
 *         └──────────────────────────────────────────────────────────────────────────┘
 *
 * so that there is at most one request that has been read and not answered, and answers
 * go out in the order of the requests (RFC 9112 §9.3.2).
 *
 * How a connection ends. After our last byte the peer may still be sending; closing then
 * would answer those bytes with a reset, which may destroy the answer before the peer has
 * read it. So we say that we are done, and throw away what comes for a while (RFC 9112
 * §9.6): linger(). An answer that was given up half way must not look complete: then a
 * reset is what we want (reset()).
 */
#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "http_app.h"
#include "http_connection.h"
#include "ouro_socket.h"
#include "ouro_timer.h"

#define LINGER_BYTES_MAX (1024 * 1024)

/* --- input ------------------------------------------------------------------------------- */

int ouro__http_connection_fill(struct http_connection *connection, int64_t deadline)
{
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin_at(&limit, deadline);
    code = ouro__http1_reader_fill(&connection->reader);
    if (ouro_timeout_end(&limit))
        return -ETIMEDOUT;
    connection->peer_done = !code;
    return code;
}

/*
 * Between two requests. Returns 1 when there are bytes of the next one; 0 when the
 * connection ends; or an error.
 */
static int wait_for_request(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    int code;

    ouro__http_output_trim(&connection->output);
    if (server->draining || connection->is_closing)
        return 0;
    connection->idle = true;
    code = ouro__http_connection_fill(connection, ouro_now() + server->options.idle_timeout_ns);
    connection->idle = false;
    /* What came while we were cancelled has not been begun: the client may try elsewhere. */
    return code == -ETIMEDOUT || (code > 0 && connection->is_closing) ? 0 : code;
}

static bool has_request_limit(const struct ouro_http_serve_options *options)
{
    return options->request_timeout_ns && options->request_timeout_ns < OURO_FOREVER / 2;
}

/* The head has begun, and will not be read at once: only then is it worth to look at the clock. */
static void set_deadlines(struct http_connection *connection)
{
    const struct ouro_http_serve_options *options = &connection->server->options;
    int64_t now;

    if (connection->head_deadline)
        return;
    now = ouro_now();
    connection->head_deadline = now + options->header_timeout_ns;
    if (!has_request_limit(options))
        return;
    connection->request_deadline = now + options->request_timeout_ns;
    if (connection->head_deadline > connection->request_deadline)
        connection->head_deadline = connection->request_deadline;
}

/* Whether all that there is of the connection is its socket, and answers to be sent. */
static bool may_park(const struct http_connection *connection)
{
    return connection->socket && !connection->is_closing && !connection->server->draining &&
           ouro__http1_parse_is_fresh(&connection->reader.parser) &&
           (ouro__http_output_may_post(&connection->output) || !connection->output.len);
}

/*
 * Whether the socket has something that can be read without waiting. (The embedded stream then has
 * nothing of its own: it reads by way of the same receiver, and keeps no rest.)
 */
static bool has_input(const struct http_connection *connection)
{
    return connection->socket && ouro_receiver_is_ready(&connection->socket->receiver) &&
           !connection->own.rest.len;
}

/* Returns 1 when there are more bytes; 0 when the connection ends, or parks; or an error. */
static int wait_for_head(struct http_connection *connection)
{
    bool has_begun = ouro__http1_parse_has_begun(&connection->reader.parser);
    int code;

    if (!has_begun)
        connection->head_deadline = connection->request_deadline = 0; /* an empty line at most */
    if (may_park(connection)) {
        connection->is_parking = true;
        return 0;
    }
    code = ouro__http_output_flush(&connection->output);
    if (code)
        return code;
    if (!has_begun)
        return wait_for_request(connection);
    set_deadlines(connection);
    code = ouro__http_connection_fill(connection, connection->head_deadline);
    return code ? code : OURO_EEOF;
}

/* One step towards a head, by what is there or comes. Returns as wait_for_head(). */
static int read_on(struct http_connection *connection, int *ret_event)
{
    struct http1_reader *reader = &connection->reader;
    int code;

    *ret_event = HTTP1_MORE;
    if (ouro_stream_buffered(connection->stream)) {
        *ret_event = ouro__http1_reader_step(reader);
        return 1;
    }
    if (!has_input(connection) || connection->is_closing)
        return wait_for_head(connection);
    code = ouro__http1_reader_receive(reader, &connection->socket->receiver, ret_event);
    connection->peer_done = !code;
    return code || !ouro__http1_parse_has_begun(&reader->parser) ? code : OURO_EEOF;
}

/* Returns HTTP1_HEAD; 0 when the connection ends; or an error. */
static int read_head(struct http_connection *connection)
{
    int event, code;

    connection->head_deadline = connection->request_deadline = 0;
    do
        code = read_on(connection, &event);
    while (event == HTTP1_MORE && code > 0);
    return event == HTTP1_MORE || code < 0 ? code : event;
}

/* --- an exchange ------------------------------------------------------------------------- */

static ssize_t read_body(struct ouro_http_exchange *exchange, void *buf, size_t len)
{
    return ouro__http_body_read(exchange, buf, len);
}

static int flush(struct ouro_http_exchange *exchange)
{
    return ouro__http_output_flush(&connection_of(exchange)->output);
}

static int peer(struct ouro_http_exchange *exchange, struct ouro_address *ret_address)
{
    struct ouro_stream *stream = connection_of(exchange)->stream;

    return stream ? ouro_stream_peer(stream, ret_address) : -ENOTCONN;
}

static const struct exchange_ops exchange_ops = {
    .begin = ouro__http_answer_begin,
    .write = ouro__http_answer_write,
    .end = ouro__http_answer_end,
    .flush = flush,
    .upgrade_take = ouro__http_answer_upgrade_take,
    .read = read_body,
    .peer = peer,
};

/* The status that a head deserves which never became one; 0: nobody is there to be told. */
static int status_of_head_error(const struct http_connection *connection, int error)
{
    if (connection->reader.parser.fault.status)
        return connection->reader.parser.fault.status;
    if (error == -ETIMEDOUT)
        return 408;
    return error == OURO_EEOF ? 400 : 0;
}

/* 0: none. */
static int64_t deadline_of_request(const struct http_connection *connection)
{
    const struct ouro_http_serve_options *options = &connection->server->options;

    if (!has_request_limit(options))
        return 0;
    return connection->request_deadline ? connection->request_deadline
                                        : ouro_now() + options->request_timeout_ns;
}

/* `status` is 0 when there is a request, else how to answer what should have become one. */
static int begin_exchange(struct http_connection *connection, int status)
{
    const struct http1_head *head = &connection->reader.parser.head;
    int code = ouro__http_exchange_begin(&connection->exchange, &exchange_ops, head,
                                         &connection->server->options);

    connection->exchange.error_page = &connection->server->app->error_page;
    connection->keep_alive = !status && head->keep_alive;
    connection->exchange.deadline = deadline_of_request(connection);
    ouro__http_body_begin(connection);
    return code;
}

/* Answers in place of a handler, and ends the connection. */
static void refuse(struct http_connection *connection, int status)
{
    connection->keep_alive = false;
    (void) ouro__http_exchange_reply_status(&connection->exchange, status);
}

static void answer_request(struct http_connection *connection)
{
    const struct http1_head *head = &connection->reader.parser.head;
    struct http_server *server = connection->server;

    server->report.requests++;
    if (head->expects_unknown)
        refuse(connection, 417);
    else
        ouro__http_dispatch(&connection->exchange, server->app);
}

/* Returns whether to go on with the next request. */
static bool serve_request(struct http_connection *connection)
{
    int event = read_head(connection);
    int status = event < 0 ? status_of_head_error(connection, event) : 0;

    if ((event != HTTP1_HEAD && !status) || begin_exchange(connection, status))
        return false;
    if (status)
        refuse(connection, status);
    else
        answer_request(connection);
    ouro__http_exchange_end(&connection->exchange);

    if (connection->output.broken || connection->exchange.progress != ANSWERED ||
        !connection->keep_alive || !ouro__http_body_drop(connection))
        return false;
    ouro__http1_parse_next(&connection->reader.parser);
    return true;
}

/* --- the end ----------------------------------------------------------------------------- */

static void linger(struct http_connection *connection)
{
    struct ouro_timeout limit;
    size_t dropped = 0;
    const char *data;
    ssize_t len = 1;

    if (ouro__http_output_flush(&connection->output) || connection->peer_done ||
        ouro_stream_shutdown_write(connection->stream))
        return;
    ouro_timeout_begin(&limit, connection->server->options.linger_timeout_ns);
    while (len > 0 && dropped < LINGER_BYTES_MAX) {
        len = ouro_stream_peek(connection->stream, 1, &data);
        if (len > 0)
            ouro_stream_consume(connection->stream, (size_t) len);
        dropped += len > 0 ? (size_t) len : 0;
    }
    (void) ouro_timeout_end(&limit);
}

/*
 * What went out stays, but it is not followed by an end: the close of a plain socket becomes a
 * reset (socket(7), SO_LINGER), and a stream that marks its end, as TLS does, is closed without.
 */
static void reset(struct http_connection *connection)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    struct ouro_stream *stream = connection->stream;
    int fd;

    connection->server->report.aborted++;
    ouro_stream_consume(stream, ouro_stream_buffered(stream)); /* who reads on has no fd for us */
    fd = connection->socket ? connection->socket->fd : ouro_stream_fd(stream);
    if (fd >= 0)
        (void) ouro_setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* Whole answers to earlier requests may be in front of the one that was given up. */
static void flush_briefly(struct http_connection *connection)
{
    struct ouro_timeout limit;

    ouro_timeout_begin(&limit, connection->server->options.linger_timeout_ns);
    (void) ouro__http_output_flush(&connection->output);
    (void) ouro_timeout_end(&limit);
}

/*
 * RFC 9112 §9.6: a client that has said "close" sends no more. When its request has been read to
 * the end, nothing is left that could make the close a reset.
 */
static bool has_heard_all(const struct http_connection *connection)
{
    const struct http1_head *head = &connection->reader.parser.head;

    return connection->socket && ouro__http1_parse_is_complete(&connection->reader.parser) &&
           !head->keep_alive && head->minor_version == 1 && head->form != HTTP1_AUTHORITY &&
           !has_input(connection) && !ouro_stream_buffered(connection->stream);
}

static void finish(struct http_connection *connection)
{
    if (!connection->is_closing && ouro_cancel_reason())
        connection->server->report.cut_off++;
    if (!connection->stream)
        return;
    if (connection->exchange.progress == ABORTED || connection->output.broken) {
        flush_briefly(connection);
        reset(connection);
    } else if (has_heard_all(connection)) {
        (void) ouro__http_output_flush(&connection->output);
    } else {
        linger(connection);
    }
}

/* --- handing over ------------------------------------------------------------------------ */

int ouro__http_connection_move_stream(struct http_connection *connection,
                                      struct ouro_stream **ret_stream)
{
    int code = 0;

    if (connection->socket)
        code = ouro__stream_socket_move(&connection->own, ret_stream);
    else
        *ret_stream = connection->stream;
    if (!code)
        connection->stream = connection->reader.stream = NULL;
    return code;
}

/* --- life -------------------------------------------------------------------------------- */

static void enlist(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    connection->prev = NULL;
    connection->next = server->first;
    if (server->first)
        server->first->prev = connection;
    server->first = connection;
}

static void strike(struct http_connection *connection)
{
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        connection->server->first = connection->next;
    if (connection->next)
        connection->next->prev = connection->prev;
}

static void init_reader(struct http_connection *connection)
{
    const struct ouro_http_serve_options *options = &connection->server->options;
    struct http1_memory memory = {
        .text = connection->memory,
        .text_size = options->header_bytes_max,
        .line_max = options->line_bytes_max,
        .fields = (struct http1_field *) (void *) (connection->memory + options->header_bytes_max),
        .field_max = options->header_count_max};

    ouro__http1_reader_init(&connection->reader, NULL, HTTP1_REQUEST, &memory);
}

static struct http_connection *create(struct http_server *server)
{
    const struct ouro_http_serve_options *options = &server->options;
    struct http_connection *connection =
        malloc(sizeof(*connection) + options->header_bytes_max +
               options->header_count_max * sizeof(struct http1_field));

    if (!connection)
        return NULL;
    memset(connection, 0, sizeof(*connection));
    connection->server = server;
    ouro__stream_socket_init(&connection->own);
    init_reader(connection);
    return connection;
}

static struct http_connection *acquire(struct http_server *server)
{
    struct http_connection *connection = server->spare;

    if (!connection)
        return create(server);
    server->spare = connection->next;
    server->spare_count--;
    return connection;
}

/* Its reader is at the beginning of a message by then. */
static void release(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    if (server->spare_count == HTTP_SPARE_CONNECTIONS_MAX) {
        ouro_stream_done(&connection->own.stream);
        free(connection);
        return;
    }
    connection->next = server->spare;
    server->spare = connection;
    server->spare_count++;
}

void ouro__http_connection_free_spare(struct http_server *server)
{
    struct http_connection *connection;

    while ((connection = server->spare)) {
        server->spare = connection->next;
        ouro_stream_done(&connection->own.stream);
        free(connection);
    }
    server->spare_count = 0;
}

static void begin(struct http_connection *connection, struct ouro_stream *stream)
{
    struct http_server *server = connection->server;

    connection->stream = connection->reader.stream = stream;
    connection->task = ouro_self();
    connection->idle = connection->is_closing = connection->is_parking = false;
    connection->peer_done = false;
    connection->exchange.progress = ANSWERED; /* nothing is owed yet */
    ouro__http_output_init(&connection->output, &server->flusher, stream,
                           server->options.send_timeout_ns);
    enlist(connection);
}

/* The connection, or this turn of it, is over. */
static void end(struct http_connection *connection)
{
    ouro__http_output_done(&connection->output);
    strike(connection);
    if (!connection->is_parking)
        init_reader(connection);
    release(connection);
}

static void serve_requests(struct http_connection *connection)
{
    while (serve_request(connection))
        ;
    if (!connection->is_parking)
        finish(connection);
}

int ouro__http_connection_run_take(struct http_server *server, struct ouro_stream *stream)
{
    struct http_connection *connection = acquire(server);

    if (!connection) {
        (void) ouro_stream_close(stream);
        return -ENOMEM;
    }
    connection->socket = NULL;
    begin(connection, stream);
    serve_requests(connection);
    (void) ouro_stream_close(connection->stream);
    end(connection);
    return 0;
}

/* What is left in the embedded stream, for the next connection to find nothing of. */
static void empty_stream(struct http_connection *connection)
{
    struct socket_stream *own = &connection->own;

    ouro_stream_consume(&own->stream, ouro_stream_buffered(&own->stream));
    ouro_lease_release(&own->rest);
    own->receiver = NULL;
}

int ouro__http_connection_serve_socket(void *arg)
{
    struct http_socket *socket = arg;
    struct http_server *server = socket->lobby->server;
    struct http_connection *connection = acquire(server);

    if (!connection) {
        ouro__http_lobby_leave(socket, /* is_moved= */ false);
        return 0;
    }
    connection->socket = socket;
    ouro__stream_socket_set(&connection->own, socket->fd, &socket->receiver);
    begin(connection, &connection->own.stream);
    connection->is_closing = socket->is_closing;
    connection->output.broken = socket->is_broken ? -EPIPE : 0;
    serve_requests(connection);
    empty_stream(connection);
    if (connection->is_parking)
        ouro__http_lobby_return(socket, &connection->output);
    else
        ouro__http_lobby_leave(socket, /* is_moved= */ !connection->stream);
    end(connection);
    return 0;
}

void ouro__http_connection_close_idle(struct http_server *server)
{
    for (struct http_connection *connection = server->first; connection;
         connection = connection->next) {
        if (connection->is_closing || !(connection->idle || connection->exchange.is_endless))
            continue;
        connection->is_closing = true;
        (void) ouro_cancel_because(connection->task, "the server ends");
    }
}
