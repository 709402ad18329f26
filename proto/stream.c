/* SPDX-License-Identifier: MIT */
/*
 * stream.c - the buffers that all streams have; see ouro_stream.h
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

#include "ouro_debug.h"
#include "ouro_stream.h"
#include "ouro_task.h"
#include "ouro_timer.h"

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
    free(stream->extras);
    stream->in = stream->out = NULL;
    stream->extras = NULL;
}

/* --- what few streams have ---------------------------------------------------------------- */

struct ouro_stream_extras {
    struct ouro_stream_limits limits; /* what is left of them */
    bool has_limits;
    bool has_peer;
    struct ouro_address peer; /* in place of what the stream itself would say */
};

static int need_extras(struct ouro_stream *stream)
{
    if (!stream->extras)
        stream->extras = calloc(1, sizeof(*stream->extras));
    return stream->extras ? 0 : -ENOMEM;
}

static struct ouro_stream_limits *limits_of(const struct ouro_stream *stream)
{
    return stream->extras && stream->extras->has_limits ? &stream->extras->limits : NULL;
}

int ouro_stream_set_peer(struct ouro_stream *stream, const struct ouro_address *address)
{
    if (!address) {
        if (stream->extras)
            stream->extras->has_peer = false;
        return 0;
    }
    if (address->len < sizeof(address->sockaddr.sa_family) ||
        address->len > offsetof(struct ouro_address, len))
        return -EINVAL;
    if (need_extras(stream))
        return -ENOMEM;
    stream->extras->peer = *address;
    stream->extras->has_peer = true;
    return 0;
}

int ouro_stream_peer(struct ouro_stream *stream, struct ouro_address *ret_address)
{
    if (stream->extras && stream->extras->has_peer) {
        *ret_address = stream->extras->peer;
        return 0;
    }
    return stream->ops->peer ? stream->ops->peer(stream, ret_address) : -ENOTSUP;
}

/* --- who uses it --------------------------------------------------------------------------- */

static const char second_reader[] = "a stream is read by two tasks at once";
static const char second_writer[] = "a stream is written to by two tasks at once";

/* `user` is the reader or the writer from now on, until it is set to 0 again. */
static void begin_use(ouro_task_id *user, const char *second_user)
{
    if (__builtin_expect(*user != 0, 0))
        ouro_misuse(second_user, *user);
    *user = ouro_self();
}

static void check_unused(const struct ouro_stream *stream)
{
    if (stream->reader)
        ouro_misuse("ouro_stream_close() of a stream that another task reads from", stream->reader);
    if (stream->writer)
        ouro_misuse("ouro_stream_close() of a stream that another task writes to", stream->writer);
}

/* --- limits ------------------------------------------------------------------------------ */

/* What is left of a budget: 0 is "unlimited" to the caller, so what is used up is this. */
#define USED_UP UINT64_MAX

int ouro_stream_set_limits(struct ouro_stream *stream, const struct ouro_stream_limits *limits)
{
    if (!limits) {
        if (stream->extras)
            stream->extras->has_limits = false;
        return 0;
    }
    if (limits->read_timeout_ns < 0 || limits->write_timeout_ns < 0)
        return -EINVAL;
    if (need_extras(stream))
        return -ENOMEM;
    stream->extras->limits = *limits;
    stream->extras->has_limits = true;
    /* Nobody gets that far, and inside it means something else. */
    if (limits->read_bytes_max == USED_UP)
        stream->extras->limits.read_bytes_max = 0;
    if (limits->write_bytes_max == USED_UP)
        stream->extras->limits.write_bytes_max = 0;
    return 0;
}

/* A time limit for what follows; false: there is none. */
static bool begin_limit(int64_t timeout_ns, struct ouro_timeout *limit)
{
    if (timeout_ns)
        ouro_timeout_begin(limit, timeout_ns);
    return timeout_ns != 0;
}

/* Takes up to `len` bytes out of a budget. Returns how many that are, 0: it is used up. */
static size_t spend(uint64_t *left, size_t len)
{
    if (*left == 0)
        return len;
    if (*left == USED_UP)
        return 0;
    if (len >= *left) {
        len = (size_t) *left;
        *left = USED_UP;
    } else {
        *left -= len;
    }
    return len;
}

/* What a read took; the limits may have been changed or taken away while it waited. */
static size_t spend_read(struct ouro_stream *stream, ssize_t result)
{
    struct ouro_stream_limits *limits = limits_of(stream);

    return limits ? spend(&limits->read_bytes_max, (size_t) result) : (size_t) result;
}

/* The stream's own read, within the limits. */
static ssize_t read_limited(struct ouro_stream *stream, void *buf, size_t len)
{
    struct ouro_stream_limits *limits = limits_of(stream);
    struct ouro_timeout limit;
    ssize_t result;
    bool is_limited;

    if (!limits)
        return stream->ops->read(stream, buf, len);
    if (limits->read_bytes_max == USED_UP)
        return OURO_ELIMIT;
    if (limits->read_bytes_max && len > limits->read_bytes_max)
        len = (size_t) limits->read_bytes_max;
    is_limited = begin_limit(limits->read_timeout_ns, &limit);
    result = stream->ops->read(stream, buf, len);
    if (is_limited)
        (void) ouro_timeout_end(&limit);
    if (result > 0)
        (void) spend_read(stream, result);
    return result;
}

/*
 * Whether a lease might go past the limit: what would have to be cut off is lost for who takes the
 * limit away then. No lease of a socket is longer than this.
 */
static bool is_near_limit(const struct ouro_stream *stream)
{
    const struct ouro_stream_limits *limits = limits_of(stream);

    return limits && limits->read_bytes_max && limits->read_bytes_max < OURO_STREAM_BUFFER_MAX;
}

static ssize_t read_below(struct ouro_stream *stream, void *buf, size_t len)
{
    ssize_t result;

    begin_use(&stream->reader, second_reader);
    result = read_limited(stream, buf, len);
    stream->reader = 0;
    return result;
}

/* Likewise. */
static ssize_t lease_limited(struct ouro_stream *stream, struct ouro_lease *ret_lease)
{
    struct ouro_stream_limits *limits = limits_of(stream);
    struct ouro_timeout limit;
    ssize_t result;
    bool is_limited;

    if (!limits)
        return stream->ops->read_lease(stream, ret_lease);
    if (limits->read_bytes_max == USED_UP)
        return OURO_ELIMIT;
    is_limited = begin_limit(limits->read_timeout_ns, &limit);
    result = stream->ops->read_lease(stream, ret_lease);
    if (is_limited)
        (void) ouro_timeout_end(&limit);
    if (result <= 0)
        return result;
    ret_lease->len = spend_read(stream, result);
    return (ssize_t) ret_lease->len;
}

static ssize_t lease_below(struct ouro_stream *stream, struct ouro_lease *ret_lease)
{
    ssize_t result;

    begin_use(&stream->reader, second_reader);
    result = lease_limited(stream, ret_lease);
    stream->reader = 0;
    return result;
}

/* One part after the other, by way of whatever the stream has. */
static int write_parts(struct ouro_stream *stream, const struct iovec *parts, size_t count)
{
    int code = 0;

    if (stream->ops->writev && count > 1)
        return stream->ops->writev(stream, parts, count);
    for (size_t i = 0; i < count && !code; i++)
        if (parts[i].iov_len)
            code = stream->ops->write(stream, parts[i].iov_base, parts[i].iov_len);
    return code;
}

/* The stream's own write, within the limits. */
static int write_limited(struct ouro_stream *stream, const struct iovec *parts, size_t count)
{
    struct ouro_stream_limits *limits = limits_of(stream);
    struct ouro_timeout limit;
    size_t len = 0;
    bool is_limited;
    int code;

    if (!limits)
        return write_parts(stream, parts, count);
    for (size_t i = 0; i < count; i++)
        len += parts[i].iov_len;
    if (len && limits->write_bytes_max &&
        (limits->write_bytes_max == USED_UP || len > limits->write_bytes_max))
        return OURO_ELIMIT;
    (void) spend(&limits->write_bytes_max, len);
    is_limited = begin_limit(limits->write_timeout_ns, &limit);
    code = write_parts(stream, parts, count);
    if (is_limited)
        (void) ouro_timeout_end(&limit);
    return code;
}

static int write_below(struct ouro_stream *stream, const struct iovec *parts, size_t count)
{
    int code;

    begin_use(&stream->writer, second_writer);
    code = write_limited(stream, parts, count);
    stream->writer = 0;
    return code;
}

static int write_one(struct ouro_stream *stream, const void *data, size_t len)
{
    const struct iovec part = {.iov_base = (void *) (uintptr_t) data, .iov_len = len};

    return write_below(stream, &part, 1);
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
        read_below(stream, stream->in + stream->in_end, stream->in_size - stream->in_end);

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

static bool is_in_buffer(const struct ouro_stream *stream, const void *data)
{
    uintptr_t start = (uintptr_t) stream->in, at = (uintptr_t) data;

    return at >= start && at - start < stream->in_size;
}

/* Makes room for `len` bytes in front of those that can be read. */
static int make_room_in_front(struct ouro_stream *stream, size_t len)
{
    int code = grow(stream, ouro_stream_buffered(stream) + len);

    if (!code)
        move_to(stream, len);
    return code;
}

int ouro_stream_push_back(struct ouro_stream *stream, const void *data, size_t len)
{
    void *copy = NULL;
    int code = 0;

    if (len > OURO_STREAM_BUFFER_MAX)
        return OURO_ELIMIT;
    if (len > stream->in_start) {
        /* What peek or read_until have shown is about to move. */
        if (ouro_stream_buffered(stream) && is_in_buffer(stream, data)) {
            copy = malloc(len);
            if (!copy)
                return -ENOMEM;
            data = memcpy(copy, data, len);
        }
        code = make_room_in_front(stream, len);
    }
    if (!code && len) {
        stream->in_start -= len;
        memmove(stream->in + stream->in_start, data, len);
    }
    free(copy);
    return code;
}

int ouro_stream_append(struct ouro_stream *stream, const void *data, size_t len)
{
    int code = make_room(stream, ouro_stream_buffered(stream) + len);

    if (code)
        return code;
    if (len)
        memcpy(stream->in + stream->in_end, data, len);
    stream->in_end += len;
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
        return read_below(stream, buf, len);
    code = fill_to(stream, 1);
    if (code <= 0)
        return code;
    return (ssize_t) take(stream, buf, len);
}

/* A copy of bytes from the read buffer, which are waited for if need be. */
static ssize_t copy_to_lease(struct ouro_stream *stream, struct ouro_lease *ret_lease)
{
    ssize_t result = fill_to(stream, 1);

    if (result <= 0)
        return result;
    begin_use(&stream->reader, second_reader); /* it waits for a buffer */
    result =
        ouro_lease_copy(stream->in + stream->in_start, ouro_stream_buffered(stream), ret_lease);
    stream->reader = 0;
    if (result > 0)
        ouro_stream_consume(stream, (size_t) result);
    return result;
}

ssize_t ouro_stream_read_lease(struct ouro_stream *stream, struct ouro_lease *ret_lease)
{
    if (ouro_stream_buffered(stream) || !stream->ops->read_lease || is_near_limit(stream))
        return copy_to_lease(stream, ret_lease);
    return lease_below(stream, ret_lease);
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
    return write_one(stream, stream->out, len);
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
        return write_one(stream, data, len);
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
    return len ? write_one(stream, data, len) : 0;
}

int ouro_stream_writev_all(struct ouro_stream *stream, const struct iovec *parts, size_t count)
{
    int code = 0;

    if (!stream->out_len)
        return write_below(stream, parts, count);
    /* Behind what is buffered: small parts join it, and large ones go past it. */
    for (size_t i = 0; i < count && !code; i++)
        code = ouro_stream_write(stream, parts[i].iov_base, parts[i].iov_len);
    return code ? code : ouro_stream_flush(stream);
}

int ouro_stream_shutdown_write(struct ouro_stream *stream)
{
    int code = ouro_stream_flush(stream);

    if (code)
        return code;
    begin_use(&stream->writer, second_writer);
    code = stream->ops->shutdown_write(stream);
    stream->writer = 0;
    return code;
}

int ouro_stream_close(struct ouro_stream *stream)
{
    if (!stream)
        return 0;
    check_unused(stream);
    return stream->ops->close(stream);
}

int ouro_stream_fd(struct ouro_stream *stream)
{
    if (ouro_stream_buffered(stream) || stream->out_len)
        return -EAGAIN;
    return stream->ops->fd ? stream->ops->fd(stream) : -ENOTSUP;
}

int ouro_stream_detach(struct ouro_stream *stream)
{
    int code = ouro_checkpoint(); /* an interrupted call begins nothing */

    if (code || !stream->ops->detach)
        return code;
    begin_use(&stream->reader, second_reader);
    code = stream->ops->detach(stream);
    stream->reader = 0;
    return code;
}
