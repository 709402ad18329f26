/* SPDX-License-Identifier: MIT */
/*
 * stream.c - the buffers that all streams have, and the socket stream; see ouro_stream.h
 *
 * The read buffer is a window that moves to the right as bytes are consumed:
 *
 *     in          in_start            in_end              in_size
 *     |  consumed  |  can be read now  |  for the next read  |
 *
 * It goes back to the beginning whenever it becomes empty, which is nearly always, so
 * that bytes are moved only when a message straddles the end.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ouro_socket.h"
#include "ouro_stream.h"

#define BUFFER_SIZE 8192

void ouro_stream_init(struct ouro_stream *stream, const struct ouro_stream_ops *ops)
{
    memset(stream, 0, sizeof(*stream));
    stream->ops = ops;
}

void ouro_stream_done(struct ouro_stream *stream)
{
    free(stream->in);
    free(stream->out);
    stream->in = stream->out = NULL;
}

/* --- the read buffer --------------------------------------------------------------------- */

size_t ouro_stream_buffered(const struct ouro_stream *stream)
{
    return stream->in_end - stream->in_start;
}

void ouro_stream_consume(struct ouro_stream *stream, size_t len)
{
    stream->in_start += len;
    if (stream->in_start == stream->in_end)
        stream->in_start = stream->in_end = 0;
}

/* Moves the readable bytes so that they begin at `start`. */
static void move_to(struct ouro_stream *stream, size_t start)
{
    size_t len = ouro_stream_buffered(stream);

    if (len)
        memmove(stream->in + start, stream->in + stream->in_start, len);
    stream->in_start = start;
    stream->in_end = start + len;
}

/* Makes the buffer at least `size` bytes large. */
static int grow(struct ouro_stream *stream, size_t size)
{
    size_t new_size = stream->in_size ? stream->in_size : BUFFER_SIZE;
    char *in;

    if (size > OURO_STREAM_BUFFER_MAX)
        return OURO_ELIMIT;
    while (new_size < size)
        new_size *= 2;
    if (new_size == stream->in_size)
        return 0;
    in = realloc(stream->in, new_size);
    if (!in)
        return -ENOMEM;
    stream->in = in;
    stream->in_size = new_size;
    return 0;
}

/* Room for `len` bytes in all, from in_start on. */
static int make_room(struct ouro_stream *stream, size_t len)
{
    if (stream->in_size - stream->in_start >= len)
        return 0;
    move_to(stream, 0);
    return grow(stream, len);
}

/* Reads once. Returns 0 at the end of the stream, 1, or an error. */
static int fill(struct ouro_stream *stream)
{
    ssize_t result =
        stream->ops->read(stream, stream->in + stream->in_end, stream->in_size - stream->in_end);

    if (result <= 0)
        return (int) result;
    stream->in_end += (size_t) result;
    return 1;
}

/* Reads until `len` bytes are there. Returns 0 at the end of the stream, 1, or an error. */
static int fill_to(struct ouro_stream *stream, size_t len)
{
    int code = 1;

    if (ouro_stream_buffered(stream) >= len)
        return 1;
    code = make_room(stream, len);
    if (code)
        return code;
    do
        code = fill(stream);
    while (code > 0 && ouro_stream_buffered(stream) < len);
    return code;
}

int ouro_stream_push_back(struct ouro_stream *stream, const void *data, size_t len)
{
    int code = 0;

    if (len > stream->in_start) {
        if (len > OURO_STREAM_BUFFER_MAX)
            return OURO_ELIMIT;
        code = grow(stream, ouro_stream_buffered(stream) + len);
        if (code)
            return code;
        move_to(stream, len);
    }
    stream->in_start -= len;
    if (len)
        memcpy(stream->in + stream->in_start, data, len);
    return 0;
}

/* --- reading ----------------------------------------------------------------------------- */

static size_t take(struct ouro_stream *stream, void *buf, size_t len)
{
    size_t buffered = ouro_stream_buffered(stream);

    if (len > buffered)
        len = buffered;
    memcpy(buf, stream->in + stream->in_start, len);
    ouro_stream_consume(stream, len);
    return len;
}

ssize_t ouro_stream_read(struct ouro_stream *stream, void *buf, size_t len)
{
    int code;

    /* What would fill the buffer goes past it. */
    if (!ouro_stream_buffered(stream) && len >= BUFFER_SIZE)
        return stream->ops->read(stream, buf, len);
    code = fill_to(stream, 1);
    if (code <= 0)
        return code;
    return (ssize_t) take(stream, buf, len);
}

int ouro_stream_read_exact(struct ouro_stream *stream, void *buf, size_t len, size_t *ret_read)
{
    size_t done = 0;
    ssize_t result = 1;

    while (done < len) {
        result = ouro_stream_read(stream, (char *) buf + done, len - done);
        if (result <= 0)
            break;
        done += (size_t) result;
    }
    if (ret_read)
        *ret_read = done;
    if (done == len)
        return 0;
    return result ? (int) result : OURO_EEOF;
}

ssize_t ouro_stream_peek(struct ouro_stream *stream, size_t min, const char **ret_data)
{
    int code = fill_to(stream, min);

    if (code < 0)
        return code;
    *ret_data = stream->in ? stream->in + stream->in_start : "";
    return (ssize_t) ouro_stream_buffered(stream);
}

ssize_t ouro_stream_read_until(struct ouro_stream *stream, const char *delimiter,
                               size_t delimiter_len, size_t limit, const char **ret_data)
{
    size_t searched = 0;

    for (;;) {
        size_t len = ouro_stream_buffered(stream);
        const char *start = stream->in ? stream->in + stream->in_start : "";
        const char *found;
        int code;

        if (len > limit)
            len = limit;
        found = memmem(start + searched, len - searched, delimiter, delimiter_len);
        if (found) {
            len = (size_t) (found - start) + delimiter_len;
            *ret_data = start;
            ouro_stream_consume(stream, len);
            return (ssize_t) len;
        }
        if (len == limit)
            return OURO_ELIMIT;
        /* The beginning of a delimiter may be there already. */
        searched = len < delimiter_len ? 0 : len - delimiter_len + 1;
        code = fill_to(stream, len + 1);
        if (code < 0)
            return code;
        if (!code)
            return len ? OURO_EEOF : 0;
    }
}

/* --- writing ----------------------------------------------------------------------------- */

int ouro_stream_flush(struct ouro_stream *stream)
{
    size_t len = stream->out_len;

    if (!len)
        return 0;
    stream->out_len = 0;
    return stream->ops->write(stream, stream->out, len);
}

int ouro_stream_write(struct ouro_stream *stream, const void *data, size_t len)
{
    int code;

    if (!stream->out && !(stream->out = malloc(BUFFER_SIZE)))
        return -ENOMEM;
    if (len > BUFFER_SIZE - stream->out_len) {
        code = ouro_stream_flush(stream);
        if (code)
            return code;
    }
    if (len >= BUFFER_SIZE)
        return stream->ops->write(stream, data, len);
    if (len)
        memcpy(stream->out + stream->out_len, data, len);
    stream->out_len += len;
    return 0;
}

int ouro_stream_write_all(struct ouro_stream *stream, const void *data, size_t len)
{
    int code;

    if (stream->out_len) {
        code = ouro_stream_write(stream, data, len);
        return code ? code : ouro_stream_flush(stream);
    }
    return len ? stream->ops->write(stream, data, len) : 0;
}

int ouro_stream_shutdown_write(struct ouro_stream *stream)
{
    int code = ouro_stream_flush(stream);

    return code ? code : stream->ops->shutdown_write(stream);
}

int ouro_stream_close(struct ouro_stream *stream)
{
    return stream ? stream->ops->close(stream) : 0;
}

int ouro_stream_fd(struct ouro_stream *stream)
{
    if (ouro_stream_buffered(stream) || stream->out_len)
        return -EAGAIN;
    return stream->ops->fd ? stream->ops->fd(stream) : -ENOTSUP;
}

/* --- sockets ----------------------------------------------------------------------------- */

struct socket_stream {
    struct ouro_stream stream;
    int fd;
};

static struct socket_stream *socket_of(struct ouro_stream *stream)
{
    return (struct socket_stream *) (void *) stream;
}

static ssize_t socket_read(struct ouro_stream *stream, void *buf, size_t len)
{
    return ouro_recv(socket_of(stream)->fd, buf, len, 0);
}

static int socket_write(struct ouro_stream *stream, const void *buf, size_t len)
{
    return ouro_send_all(socket_of(stream)->fd, buf, len, NULL);
}

static int socket_shutdown_write(struct ouro_stream *stream)
{
    return ouro_shutdown(socket_of(stream)->fd, SHUT_WR);
}

static int socket_close(struct ouro_stream *stream)
{
    int code = ouro_close(socket_of(stream)->fd);

    ouro_stream_done(stream);
    free(socket_of(stream));
    return code;
}

static int socket_fd(struct ouro_stream *stream)
{
    return socket_of(stream)->fd;
}

static const struct ouro_stream_ops socket_ops = {
    .name = "socket",
    .read = socket_read,
    .write = socket_write,
    .shutdown_write = socket_shutdown_write,
    .close = socket_close,
    .fd = socket_fd,
};

int ouro_stream_socket_take(int fd, struct ouro_stream **ret_stream)
{
    struct socket_stream *made = malloc(sizeof(*made));

    if (!made)
        return -ENOMEM;
    ouro_stream_init(&made->stream, &socket_ops);
    made->fd = fd;
    *ret_stream = &made->stream;
    return 0;
}
