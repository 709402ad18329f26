/* SPDX-License-Identifier: MIT */
/*
 * http_uv.c - what a C program on libuv costs; see ../jobs.py
 *
 * usage: http_uv PORT hello|timers|echo BODY [close]
 *
 * As the floors, it parses nothing: a reply for each blank line. So it is about libuv, not about
 * HTTP. With `close` it ends a connection behind its reply.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

enum { PIECE_BYTES = 16384, REPLIES_MAX = 64, BACKLOG = 4096, DELAY_MS = 10 };

struct connection {
    uv_tcp_t tcp;     /* first: a pointer to it is one to this */
    uv_timer_t timer; /* for replies that are late */
    unsigned state;   /* how many bytes of \r\n\r\n were there already */
    unsigned late;    /* replies that wait for the timer */
    int open_handles;
};

struct sending {
    uv_write_t write; /* first, as above */
    char *data;       /* freed with it; NULL: the fixed replies */
};

static bool is_echo, is_late, closes;
static char piece[PIECE_BYTES]; /* what was read is done with before more is read */
static char replies[REPLIES_MAX * 512];
static size_t reply_bytes;

static void on_handle_close(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    if (--connection->open_handles == 0)
        free(connection);
}

static void end(struct connection *connection)
{
    if (uv_is_closing((uv_handle_t *) &connection->tcp))
        return;
    uv_close((uv_handle_t *) &connection->tcp, on_handle_close);
    uv_close((uv_handle_t *) &connection->timer, on_handle_close);
}

static void on_written(uv_write_t *write, int status)
{
    struct sending *sending = (struct sending *) write;
    struct connection *connection = write->handle->data;

    free(sending->data);
    free(sending);
    if (status < 0 || closes)
        end(connection);
}

/* Sends; `data` is freed behind it, unless it is the fixed replies. */
static void put(struct connection *connection, char *data, size_t len)
{
    struct sending *sending = malloc(sizeof(*sending));
    uv_buf_t buf = uv_buf_init(data, (unsigned) len);

    if (!sending)
        abort();
    sending->data = data == replies ? NULL : data;
    if (uv_write(&sending->write, (uv_stream_t *) &connection->tcp, &buf, 1, on_written)) {
        free(sending->data);
        free(sending);
        end(connection);
    }
}

static void reply(struct connection *connection, unsigned count)
{
    for (; count > 0; count -= count < REPLIES_MAX ? count : REPLIES_MAX)
        put(connection, replies, reply_bytes * (count < REPLIES_MAX ? count : REPLIES_MAX));
}

static void on_timer(uv_timer_t *timer)
{
    struct connection *connection = timer->data;
    unsigned count = connection->late;

    connection->late = 0;
    reply(connection, count);
}

/* How many heads end in what came. */
static unsigned count_heads(struct connection *connection, const char *text, size_t len)
{
    static const char end_of_head[] = "\r\n\r\n";
    unsigned count = 0;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == end_of_head[connection->state])
            connection->state++;
        else
            connection->state = text[i] == '\r';
        if (connection->state == 4) {
            connection->state = 0;
            count++;
        }
    }
    return count;
}

static void send_back(struct connection *connection, const char *text, size_t len)
{
    char *copy = malloc(len);

    if (!copy)
        abort();
    memcpy(copy, text, len);
    put(connection, copy, len);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct connection *connection = stream->data;

    if (len < 0) {
        end(connection);
    } else if (is_echo && len > 0) {
        send_back(connection, buf->base, (size_t) len);
    } else if (is_late) {
        connection->late += count_heads(connection, buf->base, (size_t) len);
        if (connection->late && !uv_is_active((uv_handle_t *) &connection->timer))
            (void) uv_timer_start(&connection->timer, on_timer, DELAY_MS, 0);
    } else {
        reply(connection, count_heads(connection, buf->base, (size_t) len));
    }
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *ret_buf)
{
    (void) handle;
    (void) size;
    *ret_buf = uv_buf_init(piece, sizeof(piece));
}

static void on_connection(uv_stream_t *server, int status)
{
    struct connection *connection = status ? NULL : calloc(1, sizeof(*connection));

    if (!connection)
        return;
    connection->open_handles = 2;
    (void) uv_tcp_init(server->loop, &connection->tcp);
    (void) uv_timer_init(server->loop, &connection->timer);
    connection->tcp.data = connection->timer.data = connection;
    if (uv_accept(server, (uv_stream_t *) &connection->tcp) ||
        uv_tcp_nodelay(&connection->tcp, 1) ||
        uv_read_start((uv_stream_t *) &connection->tcp, on_alloc, on_read))
        end(connection);
}

static int make_replies(const char *body)
{
    int len =
        snprintf(replies, 512,
                 "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n%sContent-Length: %zu\r\n\r\n%s",
                 closes ? "Connection: close\r\n" : "", strlen(body), body);

    if (len < 0 || len >= 512)
        return -1;
    reply_bytes = (size_t) len;
    for (size_t i = 1; i < REPLIES_MAX; i++)
        memcpy(replies + i * reply_bytes, replies, reply_bytes);
    return 0;
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    struct sockaddr_in address;
    uv_tcp_t server;

    if (argc < 4)
        return 2;
    is_echo = strcmp(argv[2], "echo") == 0;
    is_late = strcmp(argv[2], "timers") == 0;
    closes = argc > 4;
    if (make_replies(argv[3]) || uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address) ||
        uv_tcp_init(loop, &server) || uv_tcp_bind(&server, (const struct sockaddr *) &address, 0) ||
        uv_listen((uv_stream_t *) &server, BACKLOG, on_connection)) {
        fprintf(stderr, "http_uv: cannot listen on port %s\n", argv[1]);
        return 1;
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
