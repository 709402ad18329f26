/* SPDX-License-Identifier: MIT */
/*
 * http_body.c - the body of a request; see http_connection.h
 *
 * The handler reads it, as much as it wants and the limits allow, and what it leaves is dropped
 * or ends the connection: leftover bytes never become the next request.
 */
#include <errno.h>
#include <string.h>

#include "http_connection.h"
#include "ouro_timer.h"

#define DROP_BYTES_MAX (64 * 1024) /* of an unread body; more is not worth the connection */
#define DIRECT_MIN     (8 * 1024)  /* less than that is quicker to copy */

void ouro__http_body_begin(struct http_connection *connection)
{
    const struct http1_head *head = &connection->reader.parser.head;

    connection->continue_due = head->expects_continue && head->framing != HTTP1_NO_BODY;
    connection->body_ended = ouro__http1_parse_is_complete(&connection->reader.parser);
    connection->body_read = 0;
    connection->body_waited_ns = 0;
    connection->body_error = 0;
}

/* --- waiting for it ---------------------------------------------------------------------- */

/* RFC 9110 §10.1.1: what a client waits for before it sends the body; no use after the answer. */
static int put_continue(struct http_connection *connection)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_output *output = &connection->output;
    int code;

    if (!connection->continue_due || connection->exchange.progress != UNANSWERED)
        return 0;
    code = ouro__http_output_reserve(output, sizeof(text));
    if (code)
        return code;
    memcpy(output->data + output->len, text, sizeof(text) - 1);
    ouro__http_output_add(output, sizeof(text) - 1);
    connection->continue_due = false;
    return 0;
}

/*
 * How long the client may take for the next piece. One that sends a byte now and then, each in
 * time, is stopped by the rate: what we have waited for it in all, beyond one such time, may not
 * be longer than what it has sent would take at the lowest rate.
 */
static int64_t time_for_next_piece(const struct http_connection *connection)
{
    int64_t timeout_ns = connection->exchange.limits.body_timeout_ns;
    uint64_t seconds = connection->body_read / connection->server->options.body_rate_min;
    int64_t left = connection->body_waited_ns;

    if (seconds > (uint64_t) (left / OURO_SECOND))
        return timeout_ns;
    left = timeout_ns + (int64_t) seconds * OURO_SECOND - left;
    return left < timeout_ns ? left : timeout_ns;
}

/* The client may be waiting for what we have before it goes on. */
static int send_what_waits(struct http_connection *connection)
{
    int code = put_continue(connection);

    return code ? code : ouro__http_output_flush(&connection->output);
}

/* Returns 1 when there are more bytes, or an error. */
static int wait_for_body(struct http_connection *connection)
{
    int code = send_what_waits(connection);
    int64_t start;

    if (code)
        return code;
    start = ouro_now();
    code = ouro__http_connection_fill(connection, start + time_for_next_piece(connection));
    connection->body_waited_ns += ouro_now() - start;
    return code ? code : OURO_EEOF;
}

/* Returns 1 when there are bytes of body in the buffer, 0 at its end, or an error. */
static int next_piece(struct http_connection *connection)
{
    int code = 1;

    while (!connection->reader.body_pending && code > 0) {
        code = ouro__http1_reader_step(&connection->reader);
        if (code == HTTP1_END) {
            connection->body_ended = true;
            return 0;
        }
        if (code == HTTP1_BODY) /* who sends it does not wait to be told */
            connection->continue_due = false;
        if (code == HTTP1_MORE)
            code = wait_for_body(connection);
    }
    return code;
}

/* --- reading it -------------------------------------------------------------------------- */

/* Of a body whose length is known; 0 of others. */
static uint64_t body_left(const struct http_connection *connection)
{
    const struct http1_head *head = &connection->reader.parser.head;

    return head->framing == HTTP1_LENGTH ? head->content_length - connection->body_read : 0;
}

/* Returns how many bytes have come, or an error. */
static ssize_t receive(struct http_connection *connection, void *buf, size_t len)
{
    struct ouro_timeout limit;
    int64_t start = ouro_now();
    ssize_t result;

    ouro_timeout_begin_at(&limit, start + time_for_next_piece(connection));
    result = ouro_stream_read(connection->stream, buf, len);
    connection->body_waited_ns += ouro_now() - start;
    connection->peer_done = !result;
    if (ouro_timeout_end(&limit))
        return -ETIMEDOUT;
    return result ? result : OURO_EEOF;
}

/*
 * Straight into the handler's memory: no copies on the way, no buffers of the loop's which are
 * seldom in the cache. (An upload of 1 MiB takes two thirds of the CPU time: upload in
 * bench/http_compare.py.)
 */
static ssize_t take_directly(struct http_connection *connection, void *buf, size_t len)
{
    uint64_t left = body_left(connection);
    ssize_t result = send_what_waits(connection);
    size_t used;
    int event;

    if (!result)
        result = receive(connection, buf, len < left ? len : (size_t) left);
    if (result < 0)
        return result;
    connection->continue_due = false;
    event = ouro__http1_parse_feed(&connection->reader.parser, buf, (size_t) result, &used);
    if (event < 0)
        return event;
    connection->body_read += (uint64_t) result;
    return connection->body_read > connection->exchange.limits.body_bytes_max ? OURO_ELIMIT
                                                                              : result;
}

/* Whether all that is there has been read, and there will be enough to make it worthwhile. */
static bool is_worth_directness(const struct http_connection *connection, size_t len)
{
    return len >= DIRECT_MIN && body_left(connection) >= DIRECT_MIN &&
           !connection->reader.body_pending && !ouro_stream_buffered(connection->stream);
}

static ssize_t take_body(struct http_connection *connection, void *buf, size_t len)
{
    int code;

    if (!connection->body_ended && is_worth_directness(connection, len))
        return take_directly(connection, buf, len);
    code = connection->body_ended ? 0 : next_piece(connection);
    if (code <= 0)
        return code;
    if (connection->body_read + connection->reader.body_pending >
        connection->exchange.limits.body_bytes_max)
        return OURO_ELIMIT;
    len = ouro__http1_reader_take(&connection->reader, buf, len);
    connection->body_read += len;
    return (ssize_t) len;
}

static int status_of_error(const struct http_connection *connection, int error)
{
    if (connection->reader.parser.fault.status)
        return connection->reader.parser.fault.status;
    if (error == OURO_ELIMIT)
        return 413;
    if (error == -ENOMEM)
        return 500;
    return error == -ETIMEDOUT ? 408 : 400;
}

ssize_t ouro__http_body_read(struct ouro_http_exchange *exchange, void *buf, size_t len)
{
    struct http_connection *connection = connection_of(exchange);
    ssize_t result;

    if (connection->body_error)
        return connection->body_error;
    result = take_body(connection, buf, len);
    if (result < 0) {
        connection->body_error = (int) result;
        connection->keep_alive = false;
        (void) ouro__http_exchange_fail(exchange, (int) result,
                                        status_of_error(connection, (int) result));
    }
    return result;
}

/* --- what the handler left --------------------------------------------------------------- */

bool ouro__http_body_may_be_dropped(const struct http_connection *connection)
{
    const struct http1_head *head = &connection->reader.parser.head;

    if (connection->body_ended)
        return true;
    if (connection->continue_due)
        return false;
    return head->framing != HTTP1_LENGTH ||
           head->content_length - connection->body_read <= DROP_BYTES_MAX;
}

bool ouro__http_body_drop(struct http_connection *connection)
{
    size_t dropped = 0;
    struct ouro_timeout limit;
    int code;

    if (connection->body_ended)
        return true;
    ouro_timeout_begin(&limit, connection->server->options.linger_timeout_ns);
    while ((code = next_piece(connection)) > 0 && dropped <= DROP_BYTES_MAX)
        dropped += ouro__http1_reader_drop(&connection->reader);
    (void) ouro_timeout_end(&limit);
    return code == 0;
}
