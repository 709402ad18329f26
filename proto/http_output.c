/* SPDX-License-Identifier: MIT */
/*
 * http_output.c - what a connection sends; see http_output.h
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http_output.h"
#include "ouro_timer.h"

#define SIZE_FIRST 1024
#define FULL       (64 * 1024) /* beyond, and the buffer is sent before more goes in */
#define SPARE_MAX  256         /* buffers that are kept ... */
#define SPARE_SIZE (4 * 1024)  /* ... if they are no larger */
#define SEND_MAX   (64 * 1024) /* one time limit is for as much as this */

void ouro__http_output_init(struct http_output *output, struct http_flusher *flusher,
                            struct ouro_stream *stream, int64_t timeout_ns)
{
    memset(output, 0, sizeof(*output));
    output->flusher = flusher;
    output->stream = stream;
    output->timeout_ns = timeout_ns;
}

/* --- sending ----------------------------------------------------------------------------- */

/* Within one time limit. After an error nobody knows what the peer got: that is the end. */
static void send_piece(struct http_output *output, const struct iovec *parts, size_t count)
{
    struct ouro_timeout limit;

    ouro_timeout_begin(&limit, output->timeout_ns);
    output->broken = ouro_stream_writev_all(output->stream, parts, count);
    (void) ouro_timeout_end(&limit);
}

/* A part that is larger than SEND_MAX goes out in pieces, each with a time limit of its own. */
static void send_large(struct http_output *output, const struct iovec *part)
{
    char *data = part->iov_base;
    size_t left = part->iov_len;

    while (left && !output->broken) {
        size_t len = left < SEND_MAX ? left : SEND_MAX;

        send_piece(output, &(struct iovec) {.iov_base = data, .iov_len = len}, 1);
        data += len;
        left -= len;
    }
}

/* Small parts that follow each other go out together. */
static int send_parts(struct http_output *output, const struct iovec *parts, size_t count)
{
    while (count && !output->broken) {
        size_t together = 0, len = 0;

        while (together < count && len + parts[together].iov_len <= SEND_MAX)
            len += parts[together++].iov_len;
        if (!together)
            send_large(output, &parts[together++]);
        else if (len)
            send_piece(output, parts, together);
        parts += together;
        count -= together;
    }
    return output->broken;
}

/* --- buffers ----------------------------------------------------------------------------- */

static struct http_buffer *take_spare(struct http_flusher *flusher)
{
    struct http_buffer *buffer = flusher->spare;

    if (buffer) {
        flusher->spare = buffer->next;
        flusher->spare_count--;
    }
    return buffer;
}

void ouro__http_buffer_release(struct http_flusher *flusher, struct http_buffer *buffer)
{
    if (!buffer)
        return;
    if (buffer->size > SPARE_SIZE || flusher->spare_count == SPARE_MAX) {
        free(buffer);
        return;
    }
    buffer->next = flusher->spare;
    flusher->spare = buffer;
    flusher->spare_count++;
}

/* An empty one, or none. */
static void set_buffer(struct http_output *output, struct http_buffer *buffer)
{
    output->buffer = buffer;
    output->data = buffer ? buffer->data : NULL;
    output->size = buffer ? buffer->size : 0;
    output->len = 0;
}

static int grow(struct http_output *output, size_t size)
{
    size_t len = output->len;
    struct http_buffer *buffer = realloc(output->buffer, sizeof(*buffer) + size);

    if (!buffer)
        return -ENOMEM;
    if (!output->buffer)
        buffer->sender = (struct ouro_sender) {{NULL}};
    buffer->size = size;
    set_buffer(output, buffer);
    output->len = len;
    return 0;
}

/* --- the flusher's list ------------------------------------------------------------------ */

static void enlist(struct http_output *output)
{
    struct http_flusher *flusher = output->flusher;

    if (output->link)
        return;
    if (!flusher->first && !flusher->is_attended)
        ouro_event_set(&flusher->event);
    output->next = flusher->first;
    output->link = &flusher->first;
    if (output->next)
        output->next->link = &output->next;
    flusher->first = output;
}

static void strike(struct http_output *output)
{
    if (!output->link)
        return;
    *output->link = output->next;
    if (output->next)
        output->next->link = output->link;
    output->link = NULL;
}

/* --- the flusher and its senders --------------------------------------------------------- */

/* Meanwhile the connection fills another buffer; then that one is sent as well. */
static int send_in_background(void *arg)
{
    struct http_output *output = arg;

    while (output->len && !output->broken) {
        struct iovec part = {.iov_base = output->data, .iov_len = output->len};
        struct http_buffer *buffer = output->buffer;

        strike(output);
        set_buffer(output, NULL);
        (void) send_parts(output, &part, 1);
        ouro__http_buffer_release(output->flusher, buffer);
    }
    output->sender_done = true;
    return 0;
}

static void finish_sender(struct http_output *output)
{
    if (output->sender && ouro_join(output->sender, NULL))
        (void) ouro_cancel_join(output->sender, NULL);
    output->sender = 0;
}

/* A sender that is under way will see what has come since. */
static void start_sender(struct http_output *output)
{
    static const struct ouro_spawn_options options = {.name = "http sender",
                                                      .stack = OURO_STACK_64K};
    ouro_task_id id;

    if (output->broken || (output->sender && !output->sender_done))
        return;
    finish_sender(output);
    output->sender_done = false;
    id = ouro_spawn_with(send_in_background, output, &options);
    /* Without memory for a task, the bytes wait for the connection's own flush. */
    output->sender = id > 0 ? id : 0;
}

static int run_flusher(void *arg)
{
    struct http_flusher *flusher = arg;
    struct ouro_shield shield;

    ouro_shield_begin(&shield, OURO_FOREVER); /* it ends when the server ends */
    while (!flusher->stop) {
        (void) ouro_event_wait(&flusher->event);
        ouro_event_clear(&flusher->event);
        while (flusher->first) {
            struct http_output *output = flusher->first;

            strike(output);
            start_sender(output);
        }
    }
    ouro_shield_end(&shield);
    return 0;
}

int ouro__http_flusher_start(struct http_flusher *flusher)
{
    static const struct ouro_spawn_options options = {.name = "http flusher",
                                                      .stack = OURO_STACK_16K};

    flusher->first = NULL;
    flusher->stop = flusher->is_attended = false;
    flusher->spare = NULL;
    flusher->spare_count = 0;
    ouro_event_init(&flusher->event);
    flusher->task = ouro_spawn_with(run_flusher, flusher, &options);
    return flusher->task > 0 ? 0 : (int) flusher->task;
}

void ouro__http_flusher_stop(struct http_flusher *flusher)
{
    flusher->stop = true;
    ouro_event_set(&flusher->event);
    (void) ouro_cancel_join(flusher->task, NULL);
    while (flusher->spare)
        free(take_spare(flusher));
}

/* --- the buffer -------------------------------------------------------------------------- */

int ouro__http_output_send(struct http_output *output, const struct iovec *parts, size_t count)
{
    struct iovec buffered;

    /* First, or the flusher might start another sender while we wait for this one. */
    strike(output);
    finish_sender(output);
    buffered = (struct iovec) {.iov_base = output->data, .iov_len = output->len};
    output->len = 0;
    (void) send_parts(output, &buffered, 1);
    return send_parts(output, parts, count);
}

int ouro__http_output_flush(struct http_output *output)
{
    return ouro__http_output_send(output, NULL, 0);
}

int ouro__http_output_reserve(struct http_output *output, size_t size)
{
    size_t new_size;

    if (output->len && output->len + size > FULL)
        (void) ouro__http_output_flush(output);
    if (output->broken)
        return output->broken;
    if (!output->buffer)
        set_buffer(output, take_spare(output->flusher));
    new_size = output->size ? output->size : SIZE_FIRST;
    while (new_size - output->len < size)
        new_size *= 2;
    return new_size == output->size ? 0 : grow(output, new_size);
}

void ouro__http_output_add(struct http_output *output, size_t len)
{
    output->len += len;
    enlist(output);
}

void ouro__http_output_trim(struct http_output *output)
{
    if (output->len)
        return;
    ouro__http_buffer_release(output->flusher, output->buffer);
    set_buffer(output, NULL);
}

struct http_buffer *ouro__http_output_post(struct http_output *output, int fd, void *owner,
                                           ouro_sender_fn *done)
{
    struct http_buffer *buffer = output->buffer;

    strike(output);
    buffer->owner = owner;
    ouro_sender_start(&buffer->sender, fd, buffer->data, output->len, done);
    set_buffer(output, NULL);
    return buffer;
}

/* A sender that is under way has bytes of an answer that was given up: nobody waits for these. */
void ouro__http_output_done(struct http_output *output)
{
    strike(output);
    if (output->sender)
        (void) ouro_cancel_join(output->sender, NULL);
    ouro__http_buffer_release(output->flusher, output->buffer);
}
