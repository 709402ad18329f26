/* SPDX-License-Identifier: MIT */
/*
 * http_answer.c - answers on an HTTP/1.1 connection: heads, framing, chunks; see http_connection.h
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "http1_write.h"
#include "http_connection.h"

#define COPY_MAX        (16 * 1024) /* larger pieces of a body are sent from where they are */
#define FLUSH_MIN       (32 * 1024) /* when so much waits there is nothing to be gained by waiting */
#define CHUNK_FRAME_MAX (16 + 2 + 2)
#define LENGTH_LINE_MAX (16 + HTTP1_DIGITS_MAX + 2)

/* --- heads ------------------------------------------------------------------------------- */

static size_t fields_size(const struct http_answer_field *field)
{
    size_t size = 0;

    for (; field; field = field->next)
        size += strlen(field->name) + strlen(field->value) + 4;
    return size;
}

/* What the head can be long at most. */
static size_t head_size(const struct http_answer *answer, size_t type_len)
{
    return 320 + type_len + fields_size(answer->fields);
}

/* They were checked when they were added. */
static void write_fields(struct http1_writer *writer, const struct http_answer_field *field)
{
    for (; field; field = field->next) {
        ouro__http1_write_text(writer, field->name);
        ouro__http1_write_text(writer, ": ");
        ouro__http1_write_text(writer, field->value);
        ouro__http1_write_text(writer, "\r\n");
    }
}

static void write_length(struct http1_writer *writer, uint64_t length)
{
    char *line = ouro__http1_write_room(writer, LENGTH_LINE_MAX), *end;

    if (!line)
        return;
    end = ouro__http1_put_digits(mempcpy(line, "Content-Length: ", 16), length);
    end = mempcpy(end, "\r\n", 2);
    ouro__http1_write_put(writer, (size_t) (end - line));
}

/* RFC 9110 §8.6, RFC 9112 §6.1. A head is the same for HEAD and GET. */
static void write_framing(const struct http_connection *connection, struct http1_writer *writer,
                          const struct http_answer *answer)
{
    if (answer->status == 204 || answer->status == 304)
        return;
    if (answer->length != HTTP_LENGTH_UNKNOWN)
        write_length(writer, answer->length);
    else if (connection->reader.parser.head.minor_version)
        ouro__http1_write_text(writer, "Transfer-Encoding: chunked\r\n");
}

static bool has_upgrade(const struct http_answer *answer)
{
    const struct http_answer_field *field = answer->fields;

    while (field && !ouro__http1_name_equals(field->name, strlen(field->name), "upgrade"))
        field = field->next;
    return field;
}

/*
 * RFC 9112 §9.3. Who speaks of keeping the connection hears for how long, so that it does not ask
 * again in the moment when we close; for others these would be bytes for nothing.
 */
static void write_persistence(const struct http_connection *connection, struct http1_writer *writer,
                              const struct http_answer *answer)
{
    if (has_upgrade(answer)) { /* RFC 9110 §7.8: what could be changed to, see 426 */
        ouro__http1_write_text(writer, connection->keep_alive ? "Connection: upgrade\r\n"
                                                              : "Connection: upgrade, close\r\n");
    } else if (!connection->keep_alive) {
        ouro__http1_write_text(writer, "Connection: close\r\n");
    } else if (connection->reader.parser.head.asks_keep_alive) {
        int64_t seconds = connection->server->options.idle_timeout_ns / OURO_SECOND;

        ouro__http1_write_text(writer, "Connection: keep-alive\r\nKeep-Alive: timeout=");
        ouro__http1_write_digits(writer, (uint64_t) seconds);
        ouro__http1_write_text(writer, "\r\n");
    }
}

static void write_head(struct http_connection *connection, struct http1_writer *writer,
                       const struct http_answer *answer, size_t type_len)
{
    ouro__http1_write_opening(writer, &connection->server->opening, answer->status,
                              answer->content_type, type_len, time(NULL));
    write_fields(writer, answer->fields);
    if (answer->status == 101) {
        ouro__http1_write_text(writer, "Connection: Upgrade\r\n");
    } else {
        write_framing(connection, writer, answer);
        write_persistence(connection, writer, answer);
    }
    ouro__http1_write_end(writer);
}

/* --- bodies ------------------------------------------------------------------------------ */

static enum answer_framing framing_of(const struct http_connection *connection,
                                      const struct http_answer *answer)
{
    const struct http1_head *request = &connection->reader.parser.head;

    if (answer->status == 204 || answer->status == 304 ||
        (request->method_len == 4 && memcmp(request->method, "HEAD", 4) == 0))
        return ANSWER_WITHOUT_BODY;
    if (answer->length != HTTP_LENGTH_UNKNOWN)
        return ANSWER_BY_LENGTH;
    return request->minor_version ? ANSWER_IN_CHUNKS : ANSWER_UNTIL_CLOSE;
}

/* Puts the head, and a body or the first piece of one if it is small, into the buffer. */
static int put_head(struct http_connection *connection, const struct http_answer *answer,
                    size_t body_len)
{
    struct http_output *output = &connection->output;
    size_t type_len = answer->content_type ? strlen(answer->content_type) : 0;
    size_t size = head_size(answer, type_len) + body_len;
    struct http1_writer writer;
    int code = ouro__http_output_reserve(output, size);

    if (code)
        return code;
    ouro__http1_write_init(&writer, output->data + output->len, size);
    write_head(connection, &writer, answer, type_len);
    ouro__http1_write_body(&writer, answer->body, body_len);
    if (writer.error)
        return -EINVAL;
    ouro__http_output_add(output, writer.len);
    return 0;
}

int ouro__http_answer_begin(struct ouro_http_exchange *exchange, const struct http_answer *answer)
{
    struct http_connection *connection = connection_of(exchange);
    struct http_output *output = &connection->output;
    bool copies = answer->body_len <= COPY_MAX;
    size_t body_len = answer->body_len;
    int code;

    connection->framing = framing_of(connection, answer);
    exchange->has_no_body = connection->framing == ANSWER_WITHOUT_BODY;
    if (exchange->has_no_body)
        body_len = 0;
    if (connection->server->draining || exchange->is_last ||
        connection->framing == ANSWER_UNTIL_CLOSE || !ouro__http_body_may_be_dropped(connection))
        connection->keep_alive = false;
    code = put_head(connection, answer, copies ? body_len : 0);
    if (!code && !copies && body_len)
        return ouro__http_output_send(
            output, &(struct iovec) {.iov_base = (void *) answer->body, .iov_len = body_len}, 1);
    return !code && output->len >= FLUSH_MIN ? ouro__http_output_flush(output) : code;
}

/* RFC 9112 §7.1: the line before a chunk. Returns its length. */
static size_t write_chunk_line(char *buf, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    size_t count = 1;

    while (count < 16 && len >> (4 * count))
        count++;
    for (size_t i = 0; i < count; i++)
        buf[i] = digits[len >> (4 * (count - 1 - i)) & 15];
    buf[count] = '\r';
    buf[count + 1] = '\n';
    return count + 2;
}

/* A small piece, as a chunk or as it is, goes into the buffer. */
static int put_piece(struct http_connection *connection, const void *data, size_t len)
{
    struct http_output *output = &connection->output;
    bool is_chunk = connection->framing == ANSWER_IN_CHUNKS;
    int code = ouro__http_output_reserve(output, len + CHUNK_FRAME_MAX);
    char *start, *end;

    if (code)
        return code;
    start = end = output->data + output->len;
    if (is_chunk)
        end += write_chunk_line(end, len);
    memcpy(end, data, len);
    end += len;
    if (is_chunk) {
        *end++ = '\r';
        *end++ = '\n';
    }
    ouro__http_output_add(output, (size_t) (end - start));
    return output->len >= FLUSH_MIN ? ouro__http_output_flush(output) : 0;
}

static int send_piece(struct http_connection *connection, const void *data, size_t len)
{
    bool is_chunk = connection->framing == ANSWER_IN_CHUNKS;
    char line[CHUNK_FRAME_MAX];
    struct iovec parts[] = {
        {.iov_base = line, .iov_len = is_chunk ? write_chunk_line(line, len) : 0},
        {.iov_base = (void *) data, .iov_len = len},
        {.iov_base = "\r\n", .iov_len = is_chunk ? 2 : 0},
    };

    return ouro__http_output_send(&connection->output, parts, 3);
}

int ouro__http_answer_write(struct ouro_http_exchange *exchange, const void *data, size_t len)
{
    struct http_connection *connection = connection_of(exchange);

    if (!len)
        return connection->output.broken;
    return len <= COPY_MAX ? put_piece(connection, data, len) : send_piece(connection, data, len);
}

/* RFC 9110 §6.5.1: only who says so is sure to keep trailers apart. */
static bool takes_trailers(const struct http_connection *connection)
{
    return ouro__http1_head_has_token(&connection->reader.parser.head, "te", "trailers");
}

int ouro__http_answer_end(struct ouro_http_exchange *exchange,
                          const struct http_answer_field *trailers)
{
    struct http_connection *connection = connection_of(exchange);
    struct http_output *output = &connection->output;
    struct http1_writer writer;
    size_t size;
    int code;

    if (connection->framing != ANSWER_IN_CHUNKS)
        return output->broken;
    if (!takes_trailers(connection))
        trailers = NULL;
    size = fields_size(trailers) + 5;
    code = ouro__http_output_reserve(output, size);
    if (code)
        return code;
    ouro__http1_write_init(&writer, output->data + output->len, size);
    ouro__http1_write_text(&writer, "0\r\n");
    write_fields(&writer, trailers);
    ouro__http1_write_end(&writer);
    ouro__http_output_add(output, writer.len);
    return 0;
}

/* --- handing over ------------------------------------------------------------------------ */

/* What the client sent behind its request is in the stream's buffer, and stays there. */
int ouro__http_answer_upgrade_take(struct ouro_http_exchange *exchange,
                                   const struct http_answer *answer,
                                   struct ouro_stream **ret_stream)
{
    struct http_connection *connection = connection_of(exchange);
    int code = put_head(connection, answer, 0);

    if (!code)
        code = ouro__http_output_flush(&connection->output);
    if (code)
        return code;
    code = ouro__http_connection_move_stream(connection, ret_stream);
    if (code)
        return code;
    connection->body_ended = true; /* what comes is no body, and not for ouro_http_read() */
    connection->keep_alive = false;
    return 0;
}
