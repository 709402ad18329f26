/* SPDX-License-Identifier: MIT */
/*
 * ouro_stream.h - byte streams: one interface for sockets and for what is put on top of them
 *
 * A stream reads and writes bytes in order. The plain one is a socket; others (TLS,
 * proxies, whatever you write) take a stream and are one, so that they stack in any
 * order. Each has a read buffer, for looking at bytes before taking them, and a write
 * buffer, for putting small pieces together; both are made when they are first used.
 *
 * One task at a time may read from a stream and one may write; that can be two tasks. Who closes it
 * must be the only one left: a call that finds another task in the stream ends the process with
 * the names of both. The recipe is to let one task own the stream, the reader usually: others cancel
 * it, and when its read fails it closes. Or join the tasks that use it, then close.
 */
#ifndef OURO_STREAM_H
#define OURO_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "ouro_address.h"
#include "ouro_base.h"
#include "ouro_lease.h"
#include "ouro_task.h"

OURO_BEGIN_DECLS

struct ouro_stream;

/*
 * What makes a stream: implement these, put a struct ouro_stream at the beginning of
 * your own struct, and call ouro_stream_init(). Buffering is done for you.
 */
struct ouro_stream_ops {
    const char *name; /* for reports */

    /* Up to `len` bytes, at least one; 0 at the end of the stream; or an error. */
    OURO_TASK ssize_t (*read)(struct ouro_stream *stream, void *buf, size_t len);

    /* All of it, or an error: how much went out before that is not told. */
    OURO_TASK int (*write)(struct ouro_stream *stream, const void *buf, size_t len);

    /* Tells the peer that no more will come; reading goes on. */
    OURO_TASK int (*shutdown_write)(struct ouro_stream *stream);

    /* Ends and frees it, and what it is stacked on. Is never interrupted. */
    OURO_TASK int (*close)(struct ouro_stream *stream);

    /* The socket whose bytes are this stream's bytes, unchanged; NULL: there is none. */
    int (*fd)(struct ouro_stream *stream);

    /* The rest may be missing (NULL) and is then made of the above. */

    /* The next bytes without a copy, else as `read`; called when nothing is buffered. */
    OURO_TASK ssize_t (*read_lease)(struct ouro_stream *stream, struct ouro_lease *ret_lease);

    /* As `write`, of `count` parts one after the other. */
    OURO_TASK int (*writev)(struct ouro_stream *stream, const struct iovec *parts, size_t count);

    /*
     * Stops reading ahead, and puts what was read into the read buffer by ouro_stream_append().
     * Returns 0 or an error.
     */
    OURO_TASK int (*detach)(struct ouro_stream *stream);

    /* As ouro_stream_peer(); a stacked stream asks the one below. */
    int (*peer)(struct ouro_stream *stream, struct ouro_address *ret_address);
};

/* Limits for one stream; 0: none. */
struct ouro_stream_limits {
    int64_t read_timeout_ns;  /* how long a read may wait for the next bytes */
    int64_t write_timeout_ns; /* how long a write or flush may take */
    uint64_t read_bytes_max;  /* in all, from when they are set */
    uint64_t write_bytes_max;
};

struct ouro_stream_extras; /* private */

/* The fields are for ouro_stream_*() alone. */
struct ouro_stream {
    const struct ouro_stream_ops *ops;
    char *in;  /* bytes in_start to in_end have been read and not consumed */
    char *out; /* the first out_len bytes have been written and not flushed */
    uint32_t in_start;
    uint32_t in_end;
    uint32_t in_size;
    uint32_t out_len;
    struct ouro_stream_extras *extras; /* what was set for it; NULL: nothing */
    ouro_task_id reader, writer;       /* the tasks that are in such a call now; 0: none */
};

/* No buffer grows beyond this; a call that would need more fails with OURO_ELIMIT. */
#define OURO_STREAM_BUFFER_MAX ((size_t) 1 << 20)

/* ouro_stream_init - for the makers of streams. Context: any thread. */
OURO_API void ouro_stream_init(struct ouro_stream *stream, const struct ouro_stream_ops *ops);

/* ouro_stream_done - for the makers of streams, in their close(): frees the buffers. */
OURO_API void ouro_stream_done(struct ouro_stream *stream);

/*
 * ouro_stream_append - for the makers of streams: bytes that were read, behind those buffered
 *
 * Context: any thread.
 * Returns: 0; -ENOMEM, OURO_ELIMIT.
 */
OURO_API int ouro_stream_append(struct ouro_stream *stream, const void *data, size_t len);

/*
 * ouro_stream_socket_take - make a stream of a connected socket
 * @fd: taken on success; closed with the stream
 *
 * Context: any thread.
 * Returns: 0 and the stream, owned, end it with ouro_stream_close(); -ENOMEM.
 */
OURO_API int ouro_stream_socket_take(int fd, struct ouro_stream **ret_stream);

/* So many bytes may be on their way between the ends of a pair, in each direction. */
#define OURO_STREAM_PAIR_BYTES ((size_t) 64 * 1024)

/*
 * ouro_stream_pair - two streams that are connected with each other, in memory
 *
 * What one writes the other one reads, without a descriptor or a system call: for tests, and for
 * tasks that talk by a protocol. A writer waits while OURO_STREAM_PAIR_BYTES have not been read;
 * writing to an end that is closed fails with -EPIPE. After an end has shut down its writing or was
 * closed, the other reads what is left and then the end of the stream. There is no fd and no peer
 * (-ENOTSUP).
 *
 * Context: loop thread; both ends are of this loop.
 * Returns: 0 and the streams, owned, end each with ouro_stream_close(); -ENOMEM. Writing may also
 *          fail with -ENOMEM.
 */
OURO_API int ouro_stream_pair(struct ouro_stream *ret_ends[2]);

/*
 * ouro_stream_read - read up to `len` bytes
 * @len: at least 1
 *
 * Context: task, may suspend; not when bytes are buffered.
 * Returns: bytes read; 0 at the end of the stream; -ENOMEM; -ECANCELED, -ETIMEDOUT;
 *          the stream's own errors.
 */
OURO_API OURO_TASK ssize_t ouro_stream_read(struct ouro_stream *stream, void *buf, size_t len);

/*
 * ouro_stream_read_exact - read exactly `len` bytes
 * @ret_read: may be NULL; how many were read, written also on failure
 *
 * Context: task, may suspend.
 * Returns: 0; OURO_EEOF when the stream ended before; otherwise as ouro_stream_read().
 */
OURO_API OURO_TASK int ouro_stream_read_exact(struct ouro_stream *stream, void *buf, size_t len,
                                              size_t *ret_read);

/*
 * ouro_stream_read_until - read up to and including a delimiter
 * @limit:    most bytes to look through, at most OURO_STREAM_BUFFER_MAX
 * @ret_data: points into the stream, valid until the next call that reads from it
 *
 * Context: task, may suspend.
 * Returns: the number of bytes, the delimiter included, which are consumed; 0 at the end
 *          of the stream; OURO_EEOF when it ends in bytes without a delimiter;
 *          OURO_ELIMIT when none is in the first `limit` bytes. These and other errors
 *          consume nothing.
 */
OURO_API OURO_TASK ssize_t ouro_stream_read_until(struct ouro_stream *stream, const char *delimiter,
                                                  size_t delimiter_len, size_t limit,
                                                  const char **ret_data);

/*
 * ouro_stream_peek - look at what comes next without taking it
 * @min:      wait for that many bytes; 0 waits for nothing
 * @ret_data: points into the stream, valid until the next call that reads from it
 *
 * Context: task, may suspend; not when `min` bytes are buffered.
 * Returns: the number of bytes to look at, fewer than `min` only at the end of the
 *          stream; OURO_ELIMIT when `min` is more than a buffer can hold; otherwise as
 *          ouro_stream_read().
 */
OURO_API OURO_TASK ssize_t ouro_stream_peek(struct ouro_stream *stream, size_t min,
                                            const char **ret_data);

/*
 * ouro_stream_read_lease - the next bytes, without a copy where that can be
 *
 * On a plain stream they are in the buffer in which the kernel received them, and from the first
 * such call on it receives ahead, up to OURO_RECEIVER_QUOTA buffers; see ouro_lease.h. Bytes in
 * the read buffer come first, as a copy, and so do all bytes of other streams. Calls that read
 * can be mixed freely.
 *
 * Context: task, may suspend. It waits also while too many leases are out.
 * Returns: how many bytes, at least one, and the lease, owned, give it back with
 *          ouro_lease_release(), also after the stream was closed; otherwise as
 *          ouro_stream_read().
 */
OURO_API OURO_TASK ssize_t ouro_stream_read_lease(struct ouro_stream *stream,
                                                  struct ouro_lease *ret_lease);

/* ouro_stream_consume - drop `len` bytes that a peek has shown. Context: any thread. */
OURO_API void ouro_stream_consume(struct ouro_stream *stream, size_t len);

/*
 * ouro_stream_push_back - put bytes in front of those that come next
 *
 * Context: any thread.
 * Returns: 0; -ENOMEM, OURO_ELIMIT.
 */
OURO_API int ouro_stream_push_back(struct ouro_stream *stream, const void *data, size_t len);

/* ouro_stream_buffered - how many bytes can be read without waiting. Context: any thread. */
OURO_API size_t ouro_stream_buffered(const struct ouro_stream *stream);

/*
 * ouro_stream_write - write all `len` bytes, by way of the write buffer
 *
 * They may stay in the buffer until ouro_stream_flush().
 *
 * Context: task, may suspend: when the buffer is full and the peer is slow.
 * Returns: 0; -ENOMEM; -ECANCELED, -ETIMEDOUT; the stream's own errors. After an error
 *          nobody knows what the peer got: close the stream.
 */
OURO_API OURO_TASK int ouro_stream_write(struct ouro_stream *stream, const void *data, size_t len);

/*
 * ouro_stream_flush - send what is in the write buffer
 *
 * Context, returns: as ouro_stream_write().
 */
OURO_API OURO_TASK int ouro_stream_flush(struct ouro_stream *stream);

/*
 * ouro_stream_write_all - write all `len` bytes and flush
 *
 * Cheaper than the two calls: nothing is copied when the buffer is empty.
 *
 * Context, returns: as ouro_stream_write().
 */
OURO_API OURO_TASK int ouro_stream_write_all(struct ouro_stream *stream, const void *data,
                                             size_t len);

/*
 * ouro_stream_writev_all - write all bytes of several parts, and flush
 *
 * As ouro_stream_write_all() of the parts one after the other. On a plain stream they go out
 * together, without a copy.
 *
 * Context, returns: as ouro_stream_write().
 */
OURO_API OURO_TASK int ouro_stream_writev_all(struct ouro_stream *stream, const struct iovec *parts,
                                              size_t count);

/*
 * ouro_stream_set_limits - limit how long calls take, and how much goes through
 * @limits: copied; NULL takes all limits away
 *
 * A read that waits for longer fails with -ETIMEDOUT, has taken nothing, and can be repeated. A
 * write that takes longer fails with -ETIMEDOUT, and as after any error of a write nobody
 * knows what the peer got. Past read_bytes_max reads fail with OURO_ELIMIT, also where the
 * stream ends just there; a write that would go past write_bytes_max fails with OURO_ELIMIT
 * and sends nothing. Bytes pushed back, and those that were buffered before, do not count.
 * Another task may read or write meanwhile: its call keeps the time limit that it began with,
 * and what it has read counts against the new read_bytes_max.
 *
 * Context: any thread.
 * Returns: 0; -EINVAL for negative times; -ENOMEM.
 */
OURO_API int ouro_stream_set_limits(struct ouro_stream *stream,
                                    const struct ouro_stream_limits *limits);

/*
 * ouro_stream_shutdown_write - flush, then tell the peer that no more will come
 *
 * Context: task, may suspend.
 * Returns: as ouro_stream_write().
 */
OURO_API OURO_TASK int ouro_stream_shutdown_write(struct ouro_stream *stream);

/*
 * ouro_stream_close - end a stream and all below it, and free it
 * @stream: NULL is allowed and does nothing
 *
 * What was not flushed is dropped. No other task may be in a call with the stream: that ends the
 * process.
 *
 * Context: task, may suspend; a clean-up call: it is never interrupted. The stream is
 *          gone when it returns, whatever it returns.
 * Returns: 0, or an error of close(2), which nobody can do anything about.
 */
OURO_API OURO_TASK int ouro_stream_close(struct ouro_stream *stream);

/*
 * ouro_stream_fd - the socket below, for who wants to go on without the stream
 *
 * Context: any thread.
 * Returns: the fd, still owned by the stream; -EAGAIN as long as bytes are in a buffer, or the
 *          stream reads ahead (ouro_stream_detach() ends that); -ENOTSUP when the bytes of the
 *          socket are not those of the stream.
 */
OURO_API int ouro_stream_fd(struct ouro_stream *stream);

/*
 * ouro_stream_detach - end what ouro_stream_read_lease() began
 *
 * The stream does not read ahead any more, and all it has read is in its read buffer: read that,
 * and ouro_stream_fd() shows the socket. A later ouro_stream_read_lease() begins again.
 *
 * Context: task, may suspend.
 * Returns: 0; -ENOMEM, OURO_ELIMIT, -ECANCELED, -ETIMEDOUT: then the call can be repeated, and
 *          no byte is lost.
 */
OURO_API OURO_TASK int ouro_stream_detach(struct ouro_stream *stream);

/*
 * ouro_stream_peer - whose bytes these are
 *
 * The address that ouro_stream_set_peer() was told, of this stream or of one below; else that of
 * the socket's peer.
 *
 * Context: task.
 * Returns: 0; -ENOTSUP when the stream has no such thing; -ENOTCONN when the socket has been
 *          reset, or another -errno of getpeername(2).
 */
OURO_API int ouro_stream_peer(struct ouro_stream *stream, struct ouro_address *ret_address);

/*
 * ouro_stream_set_peer - what ouro_stream_peer() is to say, whatever is below
 * @address: copied; NULL: the stream's own answer again
 *
 * For who knows better than the socket: a proxy protocol's header names the client behind the
 * proxy.
 *
 * Context: any thread.
 * Returns: 0; -EINVAL for a length that no address has; -ENOMEM.
 */
OURO_API int ouro_stream_set_peer(struct ouro_stream *stream, const struct ouro_address *address);

/* How ouro_dial() connects. */
struct ouro_dial_options {
    int family;               /* AF_INET, AF_INET6; 0: either */
    int64_t attempt_delay_ns; /* before the next address is tried as well; 0: 250 ms; what is
                                 less than 10 ms counts as 10 ms; OURO_FOREVER: one at a time */
};

/*
 * ouro_dial - resolve a host name and connect to it
 * @host:    a name, an IPv4 or IPv6 address, the latter with or without brackets, or
 *           "unix:/path" ("unix:@name" is abstract), which has no port
 * @port:    1 to 65535
 * @options: NULL for defaults
 *
 * A name with several addresses is dialed as RFC 8305 ("Happy Eyeballs") asks: in the order of
 * RFC 6724 with IPv6 and IPv4 taking turns, the next one when the one before has failed or was
 * silent for a quarter of a second; the first to accept is taken, the others are given up.
 * TCP connections get TCP_NODELAY. Put a time limit around it: the kernel's own for a silent
 * host is minutes.
 *
 * Context: task, may suspend.
 * Returns: 0 and a stream, owned, end it with ouro_stream_close(); the errors of
 *          ouro_resolve(); when no address accepts, the error of the first one:
 *          -ECONNREFUSED, -EHOSTUNREACH, ...; -EINVAL for a bad port or delay; -ENOMEM;
 *          -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_dial(const char *host, int port,
                                 const struct ouro_dial_options *options,
                                 struct ouro_stream **ret_stream);

OURO_END_DECLS

#endif /* OURO_STREAM_H */
