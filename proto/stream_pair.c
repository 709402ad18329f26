/* SPDX-License-Identifier: MIT */
/*
 * stream_pair.c - two streams that are each other's peer, in memory; see ouro_stream.h
 *
 * A pair is two pipes, one for each direction, and both ends are part of it:
 *
 *     ends[0]  ── write ──▶  pipes[0]  ── read ──▶  ends[1]
 *              ◀── read ──   pipes[1]  ◀── write ──
 *
 * A pipe is a ring of PIPE_BYTES, made when the first byte comes, so that a writer is never far
 * ahead of its reader. What an end waits for is an event of the pipe.
 *
 * Invariants
 *   - `readable` is set exactly while there are bytes, or none will come any more. Only the reader
 *     clears it; so whoever has waited for it finds what it waited for.
 *   - `writable` is set exactly while there is room, or nobody reads any more. Only the writer
 *     clears it.
 *   - An interruption comes before bytes move or not at all: no byte is lost or comes twice.
 *   - The pair lives until both ends are closed.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ouro_stream.h"
#include "ouro_sync.h"
#include "ouro_task.h"

#define PIPE_BYTES OURO_STREAM_PAIR_BYTES

struct pipe {
    char *data; /* PIPE_BYTES; NULL: not made yet, or of no use any more */
    size_t start;
    size_t len;
    bool is_shut;     /* its writer has said its last byte */
    bool is_deserted; /* its reader has closed */
    struct ouro_event readable;
    struct ouro_event writable;
};

struct pair;

struct end {
    struct ouro_stream stream;
    struct pair *pair;
    unsigned index;
};

struct pair {
    struct end ends[2];
    struct pipe pipes[2]; /* pipes[i] is written by ends[i] */
    unsigned open_count;
};

static struct end *end_of(struct ouro_stream *stream)
{
    return (struct end *) (void *) stream;
}

static struct pipe *pipe_out(struct ouro_stream *stream)
{
    return &end_of(stream)->pair->pipes[end_of(stream)->index];
}

static struct pipe *pipe_in(struct ouro_stream *stream)
{
    return &end_of(stream)->pair->pipes[1 - end_of(stream)->index];
}

/* --- pipes ------------------------------------------------------------------------------- */

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Takes as many bytes as there is room for, and returns how many. */
static size_t put(struct pipe *pipe, const char *data, size_t len)
{
    size_t end = (pipe->start + pipe->len) % PIPE_BYTES;
    size_t first;

    len = min(len, PIPE_BYTES - pipe->len);
    first = min(len, PIPE_BYTES - end);
    memcpy(pipe->data + end, data, first);
    memcpy(pipe->data, data + first, len - first);
    pipe->len += len;
    if (pipe->len == PIPE_BYTES)
        ouro_event_clear(&pipe->writable);
    ouro_event_set(&pipe->readable);
    return len;
}

/* Gives as many bytes as there are, and returns how many. */
static size_t take(struct pipe *pipe, char *buf, size_t len)
{
    size_t first;

    len = min(len, pipe->len);
    if (!len)
        return 0;
    first = min(len, PIPE_BYTES - pipe->start);
    memcpy(buf, pipe->data + pipe->start, first);
    memcpy(buf + first, pipe->data, len - first);
    pipe->start = (pipe->start + len) % PIPE_BYTES;
    pipe->len -= len;
    if (!pipe->len && !pipe->is_shut)
        ouro_event_clear(&pipe->readable);
    ouro_event_set(&pipe->writable);
    return len;
}

static void shut(struct pipe *pipe)
{
    pipe->is_shut = true;
    ouro_event_set(&pipe->readable);
}

static void desert(struct pipe *pipe)
{
    free(pipe->data);
    pipe->data = NULL;
    pipe->is_deserted = true;
    ouro_event_set(&pipe->writable);
}

/* --- the stream -------------------------------------------------------------------------- */

static ssize_t pair_read(struct ouro_stream *stream, void *buf, size_t len)
{
    struct pipe *pipe = pipe_in(stream);
    int code = ouro_event_wait(&pipe->readable);

    return code ? code : (ssize_t) take(pipe, buf, len);
}

static int pair_write(struct ouro_stream *stream, const void *buf, size_t len)
{
    struct pipe *pipe = pipe_out(stream);
    const char *data = buf;

    while (len) {
        int code = ouro_event_wait(&pipe->writable);
        size_t done;

        if (code)
            return code;
        if (pipe->is_shut || pipe->is_deserted)
            return -EPIPE;
        if (!pipe->data && !(pipe->data = malloc(PIPE_BYTES)))
            return -ENOMEM;
        done = put(pipe, data, len);
        data += done;
        len -= done;
    }
    return 0;
}

static int pair_shutdown_write(struct ouro_stream *stream)
{
    int code = ouro_checkpoint(); /* an interrupted call begins nothing */

    if (!code)
        shut(pipe_out(stream));
    return code;
}

static int pair_close(struct ouro_stream *stream)
{
    struct pair *pair = end_of(stream)->pair;

    shut(pipe_out(stream));
    desert(pipe_in(stream));
    ouro_stream_done(stream);
    if (--pair->open_count == 0)
        free(pair);
    return 0;
}

static const struct ouro_stream_ops pair_ops = {
    .name = "pair",
    .read = pair_read,
    .write = pair_write,
    .shutdown_write = pair_shutdown_write,
    .close = pair_close,
};

int ouro_stream_pair(struct ouro_stream *ret_ends[2])
{
    struct pair *pair = calloc(1, sizeof(*pair));

    if (!pair)
        return -ENOMEM;
    pair->open_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        ouro_stream_init(&pair->ends[i].stream, &pair_ops);
        pair->ends[i].pair = pair;
        pair->ends[i].index = i;
        ouro_event_set(&pair->pipes[i].writable);
        ret_ends[i] = &pair->ends[i].stream;
    }
    return 0;
}
