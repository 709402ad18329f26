/* SPDX-License-Identifier: MIT */
/*
 * stream_socket.h - the plain stream, for those who have the memory and a receiver already
 *
 * A server keeps nothing but a receiver of a connection that is idle, and one stream is used for
 * one connection after the other. Such a stream is never closed: its owner ends the receiver and
 * closes the socket.
 */
#ifndef OURO_STREAM_SOCKET_H
#define OURO_STREAM_SOCKET_H

#include "ouro_stream.h"

struct socket_stream {
    struct ouro_stream stream; /* first */
    int fd;
    int error;                      /* told by the receiver when it was ended; for the next read */
    struct ouro_receiver *receiver; /* NULL: nobody has asked for a lease */
    struct ouro_lease rest;         /* bytes before those of the receiver */
};

void ouro__stream_socket_init(struct socket_stream *self);

/* Whose socket it is from now on; the buffers stay, and are empty. */
static inline void ouro__stream_socket_set(struct socket_stream *self, int fd,
                                           struct ouro_receiver *receiver)
{
    self->fd = fd;
    self->error = 0;
    self->receiver = receiver;
    self->rest = (struct ouro_lease) {.data = NULL};
}

/*
 * Makes a stream of its own of it, which does without the receiver: what that has got is in the
 * read buffer then, and the socket is the new stream's. Returns 0; -ENOMEM, OURO_ELIMIT, or the
 * interruption, and then nothing has changed.
 */
OURO_TASK int ouro__stream_socket_move(struct socket_stream *self, struct ouro_stream **ret_stream);

#endif /* OURO_STREAM_SOCKET_H */
