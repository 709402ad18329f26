/* SPDX-License-Identifier: MIT */
/*
 * stream_socket.c - the plain stream: a socket; see ouro_stream.h and stream_socket.h
 *
 * Once somebody asked for a lease, the kernel receives ahead, and whatever is read comes by way
 * of the receiver; a read that takes only a part of what came keeps the rest in `rest`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ouro_socket.h"
#include "stream_socket.h"

#define WINDOW_PARTS 16         /* of a vectored write, that go out in one send */
#define PAST_MIN     (8 * 1024) /* of a read that need not go by way of the receiver */

static struct socket_stream *socket_of(struct ouro_stream *stream)
{
    return (struct socket_stream *) (void *) stream;
}

static int take_error(struct socket_stream *self)
{
    int error = self->error;

    self->error = 0;
    return error;
}

/*
 * Who has room for several buffers of the receiver gets bytes straight from the socket, once there
 * is nothing before them. The receiver goes on when it is asked again.
 */
static bool may_go_past(const struct socket_stream *self, size_t len)
{
    if (len < PAST_MIN || self->rest.len || ouro_receiver_is_ready(self->receiver))
        return false;
    ouro_receiver_stop(self->receiver);
    return !ouro_receiver_is_ready(self->receiver); /* something may have come meanwhile */
}

static ssize_t socket_read(struct ouro_stream *stream, void *buf, size_t len)
{
    struct socket_stream *self = socket_of(stream);
    struct ouro_lease *rest = &self->rest;
    ssize_t result;

    if (self->error)
        return take_error(self);
    if (!self->receiver || may_go_past(self, len))
        return ouro_recv(self->fd, buf, len, 0);
    if (!rest->len) {
        result = ouro_receiver_next(self->receiver, rest);
        if (result <= 0)
            return result;
    }
    if (len > rest->len)
        len = rest->len;
    memcpy(buf, rest->data, len);
    rest->data += len;
    rest->len -= len;
    if (!rest->len)
        ouro_lease_release(rest);
    return (ssize_t) len;
}

static ssize_t socket_read_lease(struct ouro_stream *stream, struct ouro_lease *ret_lease)
{
    struct socket_stream *self = socket_of(stream);

    if (self->error)
        return take_error(self);
    if (!self->receiver) {
        self->receiver = malloc(sizeof(*self->receiver));
        if (!self->receiver)
            return -ENOMEM;
        ouro_receiver_init(self->receiver, self->fd, /* quota= */ 0);
    }
    if (!self->rest.len)
        return ouro_receiver_next(self->receiver, ret_lease);
    *ret_lease = self->rest;
    self->rest = (struct ouro_lease) {.data = NULL};
    return (ssize_t) ret_lease->len;
}

static void end_receiver(struct socket_stream *self)
{
    if (!self->receiver)
        return;
    ouro_lease_release(&self->rest);
    ouro_receiver_done(self->receiver);
    free(self->receiver);
    self->receiver = NULL;
}

/* Moves all that the receiver has into the read buffer, an error into `error`. */
static int drain(struct socket_stream *self)
{
    struct ouro_lease *rest = &self->rest;
    ssize_t result;
    int code;

    for (;;) {
        if (rest->len) {
            code = ouro_stream_append(&self->stream, rest->data, rest->len);
            if (code)
                return code;
            ouro_lease_release(rest);
        }
        if (!ouro_receiver_is_ready(self->receiver))
            return 0;
        result = ouro_receiver_next(self->receiver, rest);
        if (result < 0 && ouro_receiver_is_ready(self->receiver))
            return (int) result; /* an interruption: it took nothing */
        if (result < 0)
            self->error = (int) result;
    }
}

static int socket_detach(struct ouro_stream *stream)
{
    struct socket_stream *self = socket_of(stream);
    int code;

    if (!self->receiver)
        return 0;
    ouro_receiver_stop(self->receiver);
    code = drain(self);
    if (!code)
        end_receiver(self);
    return code;
}

static int socket_write(struct ouro_stream *stream, const void *buf, size_t len)
{
    return ouro_send_all(socket_of(stream)->fd, buf, len, NULL);
}

/* The parts that are not sent yet, as many as fit. Returns how many those are. */
static size_t fill_window(struct iovec *window, const struct iovec *parts, size_t count,
                          size_t sent)
{
    size_t filled = 0;

    for (size_t i = 0; i < count && filled < WINDOW_PARTS; i++) {
        if (sent >= parts[i].iov_len) {
            sent -= parts[i].iov_len;
            continue;
        }
        window[filled] = parts[i];
        window[filled].iov_base = (char *) window[filled].iov_base + sent;
        window[filled].iov_len -= sent;
        sent = 0;
        filled++;
    }
    return filled;
}

static size_t bytes_of(const struct iovec *parts, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += parts[i].iov_len;
    return bytes;
}

/*
 * With MSG_WAITALL the kernel goes on by itself after a short transfer, but ouro_sendmsg() asks
 * for the kind of the socket then, at the cost of a system call. As a rule there is room for all.
 */
static int socket_writev(struct ouro_stream *stream, const struct iovec *parts, size_t count)
{
    struct iovec window[WINDOW_PARTS];
    struct msghdr message = {.msg_iov = window};
    size_t sent = 0;
    int flags = 0;

    while ((message.msg_iovlen = fill_window(window, parts, count, sent)) > 0) {
        ssize_t result = ouro_sendmsg(socket_of(stream)->fd, &message, flags);

        if (result < 0)
            return (int) result;
        if ((size_t) result < bytes_of(window, message.msg_iovlen))
            flags = MSG_WAITALL;
        sent += (size_t) result;
    }
    return 0;
}

static int socket_shutdown_write(struct ouro_stream *stream)
{
    return ouro_shutdown(socket_of(stream)->fd, SHUT_WR);
}

static int socket_close(struct ouro_stream *stream)
{
    int code;

    end_receiver(socket_of(stream));
    code = ouro_close(socket_of(stream)->fd);
    ouro_stream_done(stream);
    free(socket_of(stream));
    return code;
}

static int socket_fd(struct ouro_stream *stream)
{
    return socket_of(stream)->receiver || socket_of(stream)->error ? -EAGAIN
                                                                   : socket_of(stream)->fd;
}

static int socket_peer(struct ouro_stream *stream, struct ouro_address *ret_address)
{
    return ouro_getpeername(socket_of(stream)->fd, ret_address);
}

static const struct ouro_stream_ops socket_ops = {
    .name = "socket",
    .read = socket_read,
    .write = socket_write,
    .shutdown_write = socket_shutdown_write,
    .close = socket_close,
    .fd = socket_fd,
    .read_lease = socket_read_lease,
    .writev = socket_writev,
    .detach = socket_detach,
    .peer = socket_peer,
};

int ouro_stream_socket_take(int fd, struct ouro_stream **ret_stream)
{
    struct socket_stream *made = malloc(sizeof(*made));

    if (!made)
        return -ENOMEM;
    ouro_stream_init(&made->stream, &socket_ops);
    ouro__stream_socket_set(made, fd, /* receiver= */ NULL);
    *ret_stream = &made->stream;
    return 0;
}

/* --- embedded in something larger ---------------------------------------------------------- */

void ouro__stream_socket_init(struct socket_stream *self)
{
    ouro_stream_init(&self->stream, &socket_ops);
    ouro__stream_socket_set(self, /* fd= */ -1, /* receiver= */ NULL);
}

int ouro__stream_socket_move(struct socket_stream *self, struct ouro_stream **ret_stream)
{
    struct socket_stream *made = malloc(sizeof(*made));
    int code = made ? 0 : -ENOMEM;

    if (!code) {
        ouro_receiver_stop(self->receiver);
        code = drain(self);
    }
    if (code) {
        free(made);
        return code;
    }
    *made = *self;
    made->receiver = NULL;
    ouro__stream_socket_init(self);
    *ret_stream = &made->stream;
    return 0;
}
