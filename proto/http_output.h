/* SPDX-License-Identifier: MIT */
/*
 * http_output.h - what a connection sends: a buffer, and somebody who empties it meanwhile
 *
 * Answers go into the buffer, which is sent before the connection waits for bytes: the answers
 * to all requests of a pipelined batch leave in one send. A handler that suspends must not hold
 * up what is in there. So a buffer that gets something puts itself on its flusher's list, and
 * flushing takes it off again. The flusher is a task of the server's, which gets to run after
 * the connection's has suspended: what it still finds on the list is sent by a task made for it.
 * The common case, an answer and the end of the handler, costs two links of a list.
 */
#ifndef OURO_HTTP_OUTPUT_H
#define OURO_HTTP_OUTPUT_H

#include <stdbool.h>

#include "ouro_stream.h"
#include "ouro_sync.h"
#include "ouro_task.h"

/* One for all connections of a server. */
struct http_flusher {
    struct http_output *first; /* those with something in the buffer */
    struct ouro_event event;   /* there is one */
    bool stop;
    ouro_task_id task;
};

struct http_output {
    struct ouro_stream *stream; /* borrowed */
    struct http_flusher *flusher;
    struct http_output *next;  /* on the flusher's list */
    struct http_output **link; /* what points to this one there; NULL: it is not on the list */
    int64_t timeout_ns;        /* for 64 KiB */
    char *data;                /* `len` of `size` bytes wait to be sent */
    size_t len;
    size_t size;
    ouro_task_id sender; /* the flusher's task for this one; 0: none */
    bool sender_done;
    int broken; /* the error after which nothing more can be sent */
};

/* Returns 0, -ENOMEM or -EAGAIN. */
int ouro__http_flusher_start(struct http_flusher *flusher);

/* When no output uses it any more. */
OURO_TASK void ouro__http_flusher_stop(struct http_flusher *flusher);

void ouro__http_output_init(struct http_output *output, struct http_flusher *flusher,
                            struct ouro_stream *stream, int64_t timeout_ns);

/* Drops what was not sent. */
OURO_TASK void ouro__http_output_done(struct http_output *output);

/*
 * Room for `size` bytes behind those in the buffer, where the caller may write what it then
 * tells ouro__http_output_add(). Sends the buffer first when it is full. Returns 0; -ENOMEM; or
 * the error that broke the connection.
 */
OURO_TASK int ouro__http_output_reserve(struct http_output *output, size_t size);

/* `len` bytes have been written there; they leave when the running task suspends, at the latest. */
void ouro__http_output_add(struct http_output *output, size_t len);

/* Sends what is in the buffer. Returns 0 or the error that broke the connection. */
OURO_TASK int ouro__http_output_flush(struct http_output *output);

/* The same, and after it these parts, which are not copied. */
OURO_TASK int ouro__http_output_send(struct http_output *output, const struct iovec *parts,
                                     size_t count);

/* Gives back a large buffer, once it is empty. */
void ouro__http_output_trim(struct http_output *output);

#endif /* OURO_HTTP_OUTPUT_H */
