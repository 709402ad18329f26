/* SPDX-License-Identifier: MIT */
/*
 * http_connection.c - an HTTP/1.1 connection, server side; see http_connection.h
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
 * Answers are put into the output buffer. It is sent before the connection waits for
 * bytes: the answers to all requests of a pipelined batch leave in one send. A handler
 * that suspends would hold up those before it, so when there is output and a handler is
 * about to be called, a second task is made runnable that sends it, the flusher. It gets
 * to run when the handler suspends; when no handler does, it runs when the connection
 * waits for it in flush(), which then is all that it has cost.
 *
 * How a connection ends. After our last byte the peer may still be sending; closing then
 * would answer those bytes with a reset, which may destroy the answer before the peer has
 * read it. So we say that we are done, and throw away what comes for a while (RFC 9112
 * §9.6): linger().
 */
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http1_reader.h"
#include "http_app.h"
#include "http_connection.h"
#include "http_exchange.h"
#include "ouro_timer.h"

#define OUT_SIZE_MIN     1024
#define OUT_SIZE_MAX     (64 * 1024) /* beyond, and the buffer is sent before more goes in */
#define IDLE_OUT_MAX     (4 * 1024)  /* a larger buffer is not kept while there is no request */
#define COPY_MAX         (16 * 1024) /* larger bodies are sent from where they are */
#define SEND_MAX         (64 * 1024) /* one send timeout is for as much as this */
#define DROP_BYTES_MAX   (64 * 1024) /* of an unread body; more is not worth the connection */
#define LINGER_BYTES_MAX (1024 * 1024)

struct output {
    char *data;
    size_t len;
    size_t size;
};

struct http_connection {
    struct ouro_http_exchange exchange; /* first, so that its ops find the rest */
    struct http_server *server;
    struct ouro_stream *stream;
    struct http_connection *next; /* of the server's */
    struct http_connection *prev;
    ouro_task_id task;
    bool idle;       /* waits for a request, and may be cancelled */
    bool keep_alive; /* goes on after the answer that is being made */
    bool peer_done;  /* has sent its last byte */
    int broken;      /* the error after which nothing more can be sent */

    int64_t head_deadline; /* 0: the head has not begun */
    bool continue_due;     /* the client waits for 100 Continue */
    uint64_t body_read;
    int body_error;

    struct output out;
    ouro_task_id flusher; /* 0: none */
    bool flusher_done;

    struct http1_reader reader;
    alignas(struct http1_field) char memory[]; /* header_bytes_max of text, then the fields */
};

static struct http_connection *connection_of(struct ouro_http_exchange *exchange)
{
    return (struct http_connection *) (void *) exchange;
}

/* --- output ------------------------------------------------------------------------------ */

/* Sends at once. After an error nobody knows what the peer got: the connection is broken. */
static int send_now(struct http_connection *connection, const char *data, size_t len)
{
    struct ouro_timeout limit;
    int code = connection->broken;

    while (!code && len) {
        size_t piece = len < SEND_MAX ? len : SEND_MAX;

        ouro_timeout_begin(&limit, connection->server->options.send_timeout_ns);
        code = ouro_stream_write_all(connection->stream, data, piece);
        (void) ouro_timeout_end(&limit);
        data += piece;
        len -= piece;
    }
    connection->broken = code;
    return code;
}

/* The flusher. Meanwhile the connection fills another buffer. */
static int flush_in_background(void *arg)
{
    struct http_connection *connection = arg;
    struct output out = connection->out;
    int code;

    connection->out = (struct output) {0};
    code = send_now(connection, out.data, out.len);
    out.len = 0;
    if (connection->out.data)
        free(out.data);
    else
        connection->out = out;
    connection->flusher_done = true;
    return code;
}

static void finish_flusher(struct http_connection *connection)
{
    if (connection->flusher && ouro_join(connection->flusher, NULL))
        (void) ouro_cancel_join(connection->flusher, NULL);
    connection->flusher = 0;
}

static int flush(struct http_connection *connection)
{
    size_t len;

    finish_flusher(connection);
    len = connection->out.len;
    connection->out.len = 0;
    return send_now(connection, connection->out.data, len);
}

/* Sees to it that what has been answered leaves when the next handler suspends. */
static int start_flusher(struct http_connection *connection)
{
    static const struct ouro_spawn_options options = {.name = "http flusher",
                                                      .stack = OURO_STACK_64K};
    ouro_task_id id;

    if (!connection->out.len || (connection->flusher && !connection->flusher_done))
        return connection->broken;
    finish_flusher(connection);
    connection->flusher_done = false;
    id = ouro_spawn_with(flush_in_background, connection, &options);
    if (id < 0)
        return flush(connection);
    connection->flusher = id;
    return connection->broken;
}

/* Room for `size` bytes in the output buffer. */
static int reserve(struct http_connection *connection, size_t size)
{
    struct output *out = &connection->out;
    size_t new_size = out->size ? out->size : OUT_SIZE_MIN;
    char *data;
    int code = 0;

    if (out->len && out->len + size > OUT_SIZE_MAX)
        code = flush(connection);
    if (code)
        return code;
    while (new_size - out->len < size)
        new_size *= 2;
    if (new_size == out->size)
        return 0;
    data = realloc(out->data, new_size);
    if (!data)
        return -ENOMEM;
    out->data = data;
    out->size = new_size;
    return 0;
}

/* --- input ------------------------------------------------------------------------------- */

/* Waits for more bytes. Returns 1; 0 at the end of the stream; or an error. */
static int fill(struct http_connection *connection, int64_t deadline)
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

    if (connection->out.size > IDLE_OUT_MAX) {
        free(connection->out.data);
        connection->out = (struct output) {0};
    }
    if (server->draining)
        return 0;
    connection->idle = true;
    code = fill(connection, ouro_now() + server->options.idle_timeout_ns);
    connection->idle = false;
    /* What came while we were cancelled has not been begun: the client may try elsewhere. */
    return code == -ETIMEDOUT || (code > 0 && server->draining) ? 0 : code;
}

/* Returns 1 when there are more bytes; 0 when the connection ends; or an error. */
static int wait_for_head(struct http_connection *connection)
{
    int code = flush(connection);

    if (code)
        return code;
    if (!ouro__http1_parse_has_begun(&connection->reader.parser))
        return wait_for_request(connection);
    if (!connection->head_deadline)
        connection->head_deadline = ouro_now() + connection->server->options.header_timeout_ns;
    code = fill(connection, connection->head_deadline);
    return code ? code : OURO_EEOF;
}

/* Returns HTTP1_HEAD; 0 when the connection ends; or an error. */
static int read_head(struct http_connection *connection)
{
    int event, code = 1;

    connection->head_deadline = 0;
    while ((event = ouro__http1_reader_step(&connection->reader)) == HTTP1_MORE && code > 0)
        code = wait_for_head(connection);
    return event == HTTP1_MORE ? code : event;
}

/* --- the request's body ------------------------------------------------------------------ */

/* RFC 9110 §10.1.1: what a client waits for before it sends the body; no use after the answer. */
static int put_continue(struct http_connection *connection)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    int code;

    if (!connection->continue_due || connection->exchange.answered)
        return 0;
    code = reserve(connection, sizeof(text));
    if (code)
        return code;
    memcpy(connection->out.data + connection->out.len, text, sizeof(text) - 1);
    connection->out.len += sizeof(text) - 1;
    connection->continue_due = false;
    return 0;
}

/* Returns 1 when there are more bytes, or an error. */
static int wait_for_body(struct http_connection *connection)
{
    int code = put_continue(connection);

    if (!code)
        code = flush(connection);
    if (code)
        return code;
    code = fill(connection, ouro_now() + connection->server->options.body_timeout_ns);
    return code ? code : OURO_EEOF;
}

/* Returns 1 when there are bytes of body in the buffer, 0 at its end, or an error. */
static int next_piece(struct http_connection *connection)
{
    int code = 1;

    while (!connection->reader.body_pending && code > 0) {
        code = ouro__http1_reader_step(&connection->reader);
        if (code == HTTP1_END)
            return 0;
        if (code == HTTP1_MORE)
            code = wait_for_body(connection);
    }
    return code;
}

static ssize_t take_body(struct http_connection *connection, void *buf, size_t len)
{
    int code = next_piece(connection);

    if (code <= 0)
        return code;
    if (connection->body_read + connection->reader.body_pending >
        connection->server->options.body_bytes_max)
        return OURO_ELIMIT;
    len = ouro__http1_reader_take(&connection->reader, buf, len);
    connection->body_read += len;
    return (ssize_t) len;
}

static int status_of_body_error(const struct http_connection *connection, int error)
{
    if (connection->reader.parser.fault.status)
        return connection->reader.parser.fault.status;
    if (error == OURO_ELIMIT)
        return 413;
    return error == -ETIMEDOUT ? 408 : 400;
}

static ssize_t read_body(struct ouro_http_exchange *exchange, void *buf, size_t len)
{
    struct http_connection *connection = connection_of(exchange);
    ssize_t result;

    if (connection->body_error)
        return connection->body_error;
    result = take_body(connection, buf, len);
    if (result < 0) {
        connection->body_error = (int) result;
        connection->keep_alive = false;
        exchange->failure_status = status_of_body_error(connection, (int) result);
    }
    return result;
}

/*
 * Whether it is worthwhile to read what the handler left, so that the connection can go on.
 * A client that still waits for 100 Continue may send the body or not: better not to guess.
 */
static bool may_drop_body(const struct http_connection *connection)
{
    const struct http1_head *head = &connection->reader.parser.head;

    if (connection->continue_due)
        return false;
    return head->framing != HTTP1_LENGTH ||
           head->content_length - connection->body_read <= DROP_BYTES_MAX;
}

/* Returns whether the connection is at the beginning of the next request. */
static bool drop_body(struct http_connection *connection)
{
    size_t dropped = 0;
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin(&limit, connection->server->options.linger_timeout_ns);
    while ((code = next_piece(connection)) > 0 && dropped <= DROP_BYTES_MAX)
        dropped += ouro__http1_reader_drop(&connection->reader);
    (void) ouro_timeout_end(&limit);
    return code == 0;
}

/* --- answers ----------------------------------------------------------------------------- */

/* What the head can be long at most. */
static size_t head_size(const struct http_answer *answer)
{
    size_t size = 256 + (answer->content_type ? strlen(answer->content_type) : 0);

    for (const struct http_answer_field *field = answer->fields; field; field = field->next)
        size += strlen(field->name) + strlen(field->value) + 4;
    return size;
}

static void write_head(struct http_connection *connection, struct http1_writer *writer,
                       const struct http_answer *answer)
{
    struct http_server *server = connection->server;

    ouro__http1_write_status_line(writer, answer->status, NULL);
    ouro__http1_write_field(writer, "Date", ouro__http1_date_at(&server->date, time(NULL)));
    if (answer->content_type)
        ouro__http1_write_field(writer, "Content-Type", answer->content_type);
    for (const struct http_answer_field *field = answer->fields; field; field = field->next)
        ouro__http1_write_field(writer, field->name, field->value);
    if (answer->status != 204 && answer->status != 304) /* RFC 9110 §8.6 */
        ouro__http1_write_number(writer, "Content-Length", answer->body_len);
    if (!connection->keep_alive)
        ouro__http1_write_field(writer, "Connection", "close");
    else if (connection->reader.parser.head.minor_version == 0)
        ouro__http1_write_field(writer, "Connection", "keep-alive");
    ouro__http1_write_end(writer);
}

/* RFC 9110 §6.4.1 */
static bool has_body(const struct http1_head *request, const struct http_answer *answer)
{
    return answer->status != 204 && answer->status != 304 &&
           !(request->method && strcmp(request->method, "HEAD") == 0);
}

static int send_answer(struct ouro_http_exchange *exchange, const struct http_answer *answer)
{
    struct http_connection *connection = connection_of(exchange);
    size_t body_len = has_body(exchange->request, answer) ? answer->body_len : 0;
    size_t copied = body_len <= COPY_MAX ? body_len : 0;
    size_t size = head_size(answer) + copied;
    struct http1_writer writer;
    int code = connection->broken ? connection->broken : reserve(connection, size);

    if (code)
        return code;
    if (connection->server->draining || !may_drop_body(connection))
        connection->keep_alive = false;
    ouro__http1_write_init(&writer, connection->out.data + connection->out.len, size);
    write_head(connection, &writer, answer);
    ouro__http1_write_body(&writer, answer->body, copied);
    if (writer.error)
        return -EINVAL;
    connection->out.len += writer.len;

    if (copied < body_len || connection->out.len >= OUT_SIZE_MAX / 2)
        code = flush(connection);
    if (!code && copied < body_len)
        code = send_now(connection, answer->body, body_len);
    return code;
}

static const struct exchange_ops exchange_ops = {.answer = send_answer, .read = read_body};

/* Answers in place of a handler, and ends the connection. */
static void refuse(struct http_connection *connection, int status)
{
    connection->keep_alive = false;
    (void) ouro__http_exchange_reply_status(&connection->exchange, status);
}

static void answer_request(struct http_connection *connection)
{
    const struct http1_head *head = &connection->reader.parser.head;

    if (start_flusher(connection))
        return;
    if (head->expects_unknown)
        refuse(connection, 417);
    else if (head->framing == HTTP1_LENGTH &&
             head->content_length > connection->server->options.body_bytes_max)
        refuse(connection, 413);
    else
        ouro__http_dispatch(&connection->exchange, connection->server->app);
}

/* --- a connection's life ----------------------------------------------------------------- */

/* The status that a head deserves which never became one; 0: nobody is there to be told. */
static int status_of_head_error(const struct http_connection *connection, int error)
{
    if (connection->reader.parser.fault.status)
        return connection->reader.parser.fault.status;
    if (error == -ETIMEDOUT)
        return 408;
    return error == OURO_EEOF ? 400 : 0;
}

/* `status` is 0 when there is a request, else how to answer what should have become one. */
static int begin_exchange(struct http_connection *connection, int status)
{
    const struct http1_head *head = &connection->reader.parser.head;

    connection->keep_alive = !status && head->keep_alive;
    connection->continue_due = !status && head->expects_continue && head->framing != HTTP1_NO_BODY;
    connection->body_read = 0;
    connection->body_error = 0;
    return ouro__http_exchange_begin(&connection->exchange, &exchange_ops, head);
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

    if (connection->broken || !connection->exchange.answered || !connection->keep_alive ||
        !drop_body(connection))
        return false;
    ouro__http1_parse_next(&connection->reader.parser);
    return true;
}

static void linger(struct http_connection *connection)
{
    struct ouro_timeout limit;
    size_t dropped = 0;
    const char *data;
    ssize_t len = 1;

    if (flush(connection) || connection->peer_done ||
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

static struct http_connection *create(struct http_server *server, struct ouro_stream *stream)
{
    size_t text_size = server->options.header_bytes_max;
    unsigned field_max = server->options.header_count_max;
    struct http_connection *connection =
        malloc(sizeof(*connection) + text_size + field_max * sizeof(struct http1_field));
    struct http1_memory memory = {
        .text_size = text_size, .line_max = server->options.line_bytes_max, .field_max = field_max};

    if (!connection)
        return NULL;
    memset(connection, 0, sizeof(*connection));
    memory.text = connection->memory;
    memory.fields = (struct http1_field *) (void *) (connection->memory + text_size);
    ouro__http1_reader_init(&connection->reader, stream, HTTP1_REQUEST, &memory);
    connection->server = server;
    connection->stream = stream;
    connection->task = ouro_self();
    connection->next = server->first;
    if (server->first)
        server->first->prev = connection;
    server->first = connection;
    return connection;
}

static void destroy(struct http_connection *connection)
{
    finish_flusher(connection);
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        connection->server->first = connection->next;
    if (connection->next)
        connection->next->prev = connection->prev;
    (void) ouro_stream_close(connection->stream);
    free(connection->out.data);
    free(connection);
}

void ouro__http_connection_run_take(struct http_server *server, struct ouro_stream *stream)
{
    struct http_connection *connection = create(server, stream);

    if (!connection) {
        (void) ouro_stream_close(stream);
        return;
    }
    while (serve_request(connection))
        ;
    linger(connection);
    destroy(connection);
}

void ouro__http_connection_cancel_idle(struct http_server *server)
{
    for (struct http_connection *connection = server->first; connection;
         connection = connection->next)
        if (connection->idle)
            (void) ouro_cancel(connection->task);
}
