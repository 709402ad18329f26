/* SPDX-License-Identifier: MIT */
/*
 * sim_pipe.c - see sim_pipe.h
 *
 * A pipe is a queue of 16 pages, as in Linux, and counts by pages: a write fills up the last
 * page if all that does not fill pages of its own fits there, and takes new ones; a page that
 * is not empty yet holds its place. So a pipe may be full with fewer than 64 KiB in it, and a
 * write of up to a page goes in as a whole or not at all.
 *
 * The pipe lives until both ends are closed. `ends` are no references.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim_file.h"
#include "sim_pipe.h"

#define PAGE_BYTES 4096u
#define PAGE_COUNT 16u

#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

enum { READER, WRITER };

struct page {
    uint32_t offset; /* of the first byte that was not read */
    uint32_t len;
    bool can_grow; /* filled by a write, not by splice */
    char bytes[PAGE_BYTES];
};

struct sim_pipe {
    struct sim_socket *ends[2]; /* NULL: closed */
    struct page *pages[PAGE_COUNT];
    unsigned first;
    unsigned count;
};

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

bool ouro__sim_pipe_is_writer(const struct sim_socket *end)
{
    return end->pipe->ends[WRITER] == end;
}

/* --- pages --------------------------------------------------------------------------- */

static struct page *first_page(const struct sim_pipe *pipe)
{
    return pipe->pages[pipe->first];
}

static struct page *last_page(const struct sim_pipe *pipe)
{
    return pipe->pages[(pipe->first + pipe->count - 1) % PAGE_COUNT];
}

static void push_page(struct sim_net *net, struct sim_pipe *pipe, struct page *page)
{
    pipe->pages[(pipe->first + pipe->count++) % PAGE_COUNT] = page;
    if (pipe->ends[READER])
        ouro__sim_net_mark_changed(net, pipe->ends[READER]);
}

static struct page *shift_page(struct sim_net *net, struct sim_pipe *pipe)
{
    struct page *page = first_page(pipe);

    pipe->first = (pipe->first + 1) % PAGE_COUNT;
    pipe->count--;
    if (pipe->ends[WRITER])
        ouro__sim_net_mark_changed(net, pipe->ends[WRITER]);
    return page;
}

/* Takes bytes off the first page, and the page when it is empty. */
static void drop(struct sim_net *net, struct sim_pipe *pipe, uint32_t len)
{
    struct page *page = first_page(pipe);

    page->offset += len;
    page->len -= len;
    if (page->len == 0)
        free(shift_page(net, pipe));
}

static struct page *new_page(const void *bytes, uint32_t len, bool can_grow)
{
    struct page *page = malloc(sizeof(*page));

    if (!page)
        return NULL;
    page->offset = 0;
    page->len = len;
    page->can_grow = can_grow;
    memcpy(page->bytes, bytes, len);
    return page;
}

/* --- reading and writing ------------------------------------------------------------- */

uint32_t ouro__sim_pipe_readable(const struct sim_socket *end)
{
    const struct sim_pipe *pipe = end->pipe;
    uint32_t len = 0;

    for (unsigned i = 0; i < pipe->count; i++)
        len += pipe->pages[(pipe->first + i) % PAGE_COUNT]->len;
    return len;
}

/* Why nothing can be read: the writer is gone, or it has written nothing yet. */
static int nothing_to_read(const struct sim_pipe *pipe)
{
    return pipe->ends[WRITER] ? -EAGAIN : 0;
}

int ouro__sim_pipe_read(struct sim_net *net, struct sim_socket *end, void *buf, uint32_t len)
{
    struct sim_pipe *pipe = end->pipe;
    uint32_t done = 0;

    if (len == 0)
        return 0;
    if (pipe->count == 0)
        return nothing_to_read(pipe);
    while (done < len && pipe->count > 0) {
        const struct page *page = first_page(pipe);
        uint32_t part = least(len - done, page->len);

        memcpy((char *) buf + done, page->bytes + page->offset, part);
        drop(net, pipe, part);
        done += part;
    }
    return (int) done;
}

/* Adds to the last page what does not fill pages of its own; returns how much that was. */
static uint32_t fill_up(struct sim_net *net, struct sim_pipe *pipe, const char *bytes, uint32_t len)
{
    uint32_t part = len % PAGE_BYTES;
    struct page *page = pipe->count > 0 ? last_page(pipe) : NULL;

    if (!page || !page->can_grow || page->offset + page->len + part > PAGE_BYTES)
        return 0;
    memcpy(page->bytes + page->offset + page->len, bytes, part);
    page->len += part;
    ouro__sim_net_mark_changed(net, pipe->ends[READER]);
    return part;
}

int ouro__sim_pipe_write(struct sim_net *net, struct sim_socket *end, const void *buf, uint32_t len)
{
    struct sim_pipe *pipe = end->pipe;
    uint32_t done;

    if (len == 0)
        return 0;
    if (!pipe->ends[READER])
        return -EPIPE;
    done = fill_up(net, pipe, buf, len);
    while (done < len && pipe->count < PAGE_COUNT) {
        uint32_t part = least(len - done, PAGE_BYTES);
        struct page *page = new_page((const char *) buf + done, part, /* can_grow= */ true);

        if (!page)
            return done > 0 ? (int) done : -ENOMEM;
        push_page(net, pipe, page);
        done += part;
    }
    return done > 0 ? (int) done : -EAGAIN;
}

/* --- the ends ------------------------------------------------------------------------ */

static void pipe_hang_up(struct sim_net *net, struct sim_socket *socket)
{
    struct sim_socket *other = socket->pipe->ends[!ouro__sim_pipe_is_writer(socket)];

    if (other)
        ouro__sim_net_mark_changed(net, other);
}

static void pipe_release(struct sim_net *net, struct sim_socket *socket)
{
    struct sim_pipe *pipe = socket->pipe;

    (void) net;
    pipe->ends[ouro__sim_pipe_is_writer(socket)] = NULL;
    if (pipe->ends[READER] || pipe->ends[WRITER])
        return;
    for (unsigned i = 0; i < pipe->count; i++)
        free(pipe->pages[(pipe->first + i) % PAGE_COUNT]);
    free(pipe);
}

static bool pipe_fail(struct sim_net *net, struct sim_socket *socket, int error)
{
    (void) net; /* memory does not break */
    (void) socket;
    (void) error;
    return false;
}

static unsigned pipe_poll(const struct sim_socket *socket)
{
    const struct sim_pipe *pipe = socket->pipe;

    if (ouro__sim_pipe_is_writer(socket))
        return (pipe->count < PAGE_COUNT ? POLLOUT | POLLWRNORM : 0u) |
               (pipe->ends[READER] ? 0u : POLLERR);
    return (pipe->count > 0 ? POLLIN | POLLRDNORM : 0u) | (pipe->ends[WRITER] ? 0u : POLLHUP);
}

static const struct sim_family family = {
    .hang_up = pipe_hang_up,
    .fail = pipe_fail,
    .poll = pipe_poll,
    .release_name = pipe_release,
};

static struct sim_socket *new_end(struct sim_net *net, struct sim_pipe *pipe, int which)
{
    struct sim_socket *end = ouro__sim_net_new_socket(net, AF_UNSPEC);

    if (!end)
        return NULL;
    end->family = &family;
    end->pipe = pipe;
    pipe->ends[which] = end;
    return end;
}

int ouro__sim_pipe_make(struct sim_net *net, int ret_fds[2])
{
    struct sim_pipe *pipe = calloc(1, sizeof(*pipe));
    struct sim_socket *reader = pipe ? new_end(net, pipe, READER) : NULL;
    struct sim_socket *writer = reader ? new_end(net, pipe, WRITER) : NULL;
    int fds[2] = {-ENOMEM, -ENOMEM};

    if (writer)
        fds[0] = ouro__sim_net_install(net, reader);
    if (fds[0] >= 0)
        fds[1] = ouro__sim_net_install(net, writer);
    if (fds[1] >= 0) {
        ret_fds[0] = fds[0];
        ret_fds[1] = fds[1];
        return 0;
    }
    if (fds[0] >= 0)
        (void) ouro__sim_net_close(net, fds[0]);
    else if (reader)
        ouro__sim_net_unref(net, reader);
    if (writer)
        ouro__sim_net_unref(net, writer);
    else if (!reader)
        free(pipe);
    return fds[0] < 0 ? fds[0] : fds[1];
}

/* --- splice -------------------------------------------------------------------------- */

/* Moves up to a page, in either direction. Positive, 0 at the end, -EAGAIN or another -errno. */
static int move_to_pipe(struct sim_net *net, struct sim_socket *in, uint64_t *offset,
                        struct sim_pipe *pipe, uint32_t len)
{
    char bytes[PAGE_BYTES];
    struct page *page;
    int got;

    if (!pipe->ends[READER])
        return -EPIPE;
    if (pipe->count == PAGE_COUNT)
        return -EAGAIN;
    len = least(len, PAGE_BYTES);
    if (in->file)
        got = ouro__sim_file_read(in, bytes, len, offset);
    else if (in->pipe)
        got = ouro__sim_pipe_read(net, in, bytes, len);
    else
        got = ouro__sim_net_receive(net, in, bytes, len, 0);
    if (got <= 0)
        return got;
    page = new_page(bytes, (uint32_t) got, /* can_grow= */ false);
    CHECK(page, "no memory for a page of a simulated pipe");
    push_page(net, pipe, page);
    return got;
}

static int move_from_pipe(struct sim_net *net, struct sim_pipe *pipe, struct sim_socket *out,
                          uint64_t *offset, uint32_t len)
{
    struct page *page = pipe->count > 0 ? first_page(pipe) : NULL;
    int put;

    if (!page)
        return nothing_to_read(pipe);
    len = least(len, page->len);
    if (out->file)
        put = ouro__sim_file_write(out, page->bytes + page->offset, len, offset);
    else
        put = ouro__sim_net_send(net, out, page->bytes + page->offset, len, 0);
    if (put > 0)
        drop(net, pipe, (uint32_t) put);
    return put;
}

static bool is_readable(const struct sim_socket *socket)
{
    if (socket->file)
        return ouro__sim_file_can_read(socket);
    return !socket->pipe || !ouro__sim_pipe_is_writer(socket);
}

static bool is_writable(const struct sim_socket *socket)
{
    if (socket->file)
        return ouro__sim_file_can_write(socket);
    return !socket->pipe || ouro__sim_pipe_is_writer(socket);
}

/* Whether an offset may be given for this end; only files have positions. */
static int check_offset(const struct sim_socket *socket, const int64_t *offset)
{
    if (!offset || socket->file)
        return offset && *offset < 0 ? -EINVAL : 0;
    return socket->pipe ? -ESPIPE : -EINVAL;
}

static int check_ends(const struct sim_socket *in, const int64_t *offset_in,
                      const struct sim_socket *out, const int64_t *offset_out)
{
    int code;

    if (!is_readable(in) || !is_writable(out))
        return -EBADF;
    if ((!in->pipe && !out->pipe) || in->pipe == out->pipe)
        return -EINVAL;
    if (in->file && ouro__sim_file_is_dir(in))
        return -EINVAL;
    code = check_offset(in, offset_in);
    if (!code)
        code = check_offset(out, offset_out);
    return !code && out->file && ouro__sim_file_appends(out) ? -EINVAL : code;
}

static int move_all(struct sim_net *net, struct sim_socket *in, int64_t *offset_in,
                    struct sim_socket *out, int64_t *offset_out, uint32_t len)
{
    uint32_t done = 0;
    int moved = 1;

    while (done < len && moved > 0) {
        if (out->pipe)
            moved = move_to_pipe(net, in, (uint64_t *) offset_in, out->pipe, len - done);
        else
            moved = move_from_pipe(net, in->pipe, out, (uint64_t *) offset_out, len - done);
        done += moved > 0 ? (uint32_t) moved : 0;
    }
    return done > 0 ? (int) done : moved;
}

int ouro__sim_pipe_splice(struct sim_net *net, int fd_in, int64_t *offset_in, int fd_out,
                          int64_t *offset_out, uint32_t len, unsigned flags)
{
    struct sim_socket *in, *out;
    int code;

    if (len == 0)
        return 0;
    if (flags & ~SPLICE_FLAGS)
        return -EINVAL;
    in = ouro__sim_net_find_any(net, fd_in, &code);
    if (!in)
        return code;
    out = ouro__sim_net_find_any(net, fd_out, &code);
    if (!out)
        return code;
    code = check_ends(in, offset_in, out, offset_out);
    return code ? code : move_all(net, in, offset_in, out, offset_out, len);
}
