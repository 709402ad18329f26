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

#include "ouro_sender.h"
#include "ouro_stream.h"
#include "ouro_sync.h"
#include "ouro_task.h"

/* What answers are put together in. One that is full of answers can be sent without its output. */
struct http_buffer {
    struct ouro_sender sender; /* first */
    struct http_buffer *next;  /* among the spare ones */
    void *owner;               /* while it is sent: whoever wants to know the end */
    size_t size;
    char data[];
};

/* One for all connections of a server. */
struct http_flusher {
    struct http_output *first; /* those with something in the buffer */
    struct ouro_event event;   /* there is one, and nobody else looks after it */
    bool is_attended;          /* somebody will look when the running task has suspended */
    bool stop;
    ouro_task_id task;
    struct http_buffer *spare; /* the last one used, which is in the cache, comes first */
    unsigned spare_count;
};

struct http_output {
    struct ouro_stream *stream; /* borrowed */
    struct http_flusher *flusher;
    struct http_output *next;   /* on the flusher's list */
    struct http_output **link;  /* what points to this one there; NULL: it is not on the list */
    int64_t timeout_ns;         /* for 64 KiB */
    struct http_buffer *buffer; /* NULL: none yet */
    char *data;                 /* its: `len` of `size` bytes wait to be sent */
    size_t len;
    size_t size;
    ouro_task_id sender; /* the flusher's task for this one; 0: none */
    bool sender_done;
    int broken; /* the error after which nothing more can be sent */
};

/* Returns 0, -ENOMEM or -EAGAIN. */
int ouro__http_flusher_start(struct http_flusher *flusher);

/*
 * Between these two somebody else, who runs as soon as the running task suspends, takes the place
 * of the flusher's task, which so has nothing to do in the usual case.
 */
static inline void ouro__http_flusher_attend(struct http_flusher *flusher)
{
    flusher->is_attended = true;
}

static inline void ouro__http_flusher_look(struct http_flusher *flusher)
{
    flusher->is_attended = false;
    if (flusher->first)
        ouro_event_set(&flusher->event);
}

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

/*
 * Whether what is in the buffer may be sent by a sender, without a task: nothing else is under
 * way, and `fd` is all there is to the stream.
 */
static inline bool ouro__http_output_may_post(const struct http_output *output)
{
    return output->len > 0 && !output->sender && !output->broken;
}

/*
 * Sends the buffer, of which the output lets go, on `fd`; the function gives the buffer back by
 * ouro__http_buffer_release(). Only if it may be posted.
 */
struct http_buffer *ouro__http_output_post(struct http_output *output, int fd, void *owner,
                                           ouro_sender_fn *done);

void ouro__http_buffer_release(struct http_flusher *flusher, struct http_buffer *buffer);

/* Gives the buffer back to the flusher's, once it is empty. */
void ouro__http_output_trim(struct http_output *output);

#endif /* OURO_HTTP_OUTPUT_H */
