/* SPDX-License-Identifier: MIT */
/*
 * sim_file_op.c - what the opcodes of files and pipes do; see sim_op.h
 *
 * A kernel hands most of these to a worker of its own. What a program can see of that is that
 * they complete in any order, and that a cancel comes in time or not.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim_file.h"
#include "sim_file_op.h"
#include "sim_pipe.h"

/* --- injected errors ----------------------------------------------------------------- */

static int pick(struct sim *sim, const uint8_t *errors, uint32_t count)
{
    return -errors[ouro__sim_random_below(&sim->random, count)];
}

int ouro__sim_file_inject_open(struct sim *sim, struct sim_op *op)
{
    static const uint8_t errors[] = {EMFILE, ENFILE, ENOMEM, EIO, ENOSPC};

    return pick(sim, errors, COUNT_OF(errors) - !(op->sqe.open_flags & O_CREAT));
}

/* Some of these are about room on the disk. */
int ouro__sim_file_inject_change(struct sim *sim, struct sim_op *op)
{
    static const uint8_t errors[] = {ENOSPC, EIO};

    (void) op;
    return pick(sim, errors, COUNT_OF(errors));
}

int ouro__sim_file_inject_look(struct sim *sim, struct sim_op *op)
{
    (void) sim;
    (void) op;
    return -EIO;
}

int ouro__sim_file_inject_transfer(struct sim *sim, struct sim_op *op)
{
    bool is_write = op->sqe.opcode == IORING_OP_WRITE || op->sqe.opcode == IORING_OP_WRITEV;

    return is_write ? ouro__sim_file_inject_change(sim, op) : -EIO;
}

/* --- reading and writing ------------------------------------------------------------- */

/* Linux takes no transfer that would end beyond the largest offset, whatever the file has. */
static bool goes_too_far(const struct sim_op *op, uint32_t len)
{
    return op->socket->file && op->sqe.off != UINT64_MAX &&
           op->sqe.off > (uint64_t) INT64_MAX - len;
}

static uint32_t length_of(const struct sim_op *op)
{
    return op->sqe.len < SIM_TRANSFER_MAX ? op->sqe.len : SIM_TRANSFER_MAX;
}

/* Where the file is read or written: NULL for its position. */
static uint64_t *offset_of(uint64_t *offset)
{
    return *offset == UINT64_MAX ? NULL : offset;
}

/* Of a directory nothing can be read, and so much. */
static int check_readable(const struct sim_socket *socket, uint32_t len)
{
    if (socket->pipe)
        return ouro__sim_pipe_is_writer(socket) ? -EBADF : 0;
    if (!ouro__sim_file_can_read(socket))
        return -EBADF;
    return ouro__sim_file_is_dir(socket) && len > 0 ? -EISDIR : 0;
}

static int check_writable(const struct sim_socket *socket)
{
    bool can = socket->pipe ? ouro__sim_pipe_is_writer(socket) : ouro__sim_file_can_write(socket);

    return can ? 0 : -EBADF;
}

int ouro__sim_file_run_read(struct sim *sim, struct sim_op *op)
{
    void *buf = ouro__sim_address_of(op->sqe.addr);
    uint64_t offset = op->sqe.off;
    uint32_t len = length_of(op);
    int code = check_readable(op->socket, len);

    if (code)
        return code;
    if (goes_too_far(op, len))
        return -EINVAL;
    if (op->socket->file)
        return ouro__sim_file_read(op->socket, buf, ouro__sim_cut(sim, len), offset_of(&offset));
    if (len > ouro__sim_pipe_readable(op->socket))
        len = ouro__sim_pipe_readable(op->socket);
    len = len > 0 ? ouro__sim_cut(sim, len) : length_of(op);
    return ouro__sim_pipe_read(sim->net, op->socket, buf, len);
}

/* A pipe takes all of what fits at once, or so much that nobody relies on more than a page. */
int ouro__sim_file_run_write(struct sim *sim, struct sim_op *op)
{
    const void *buf = ouro__sim_address_of(op->sqe.addr);
    uint64_t offset = op->sqe.off;
    uint32_t len = length_of(op);
    int code = check_writable(op->socket);

    if (code)
        return code;
    if (goes_too_far(op, len))
        return -EINVAL;
    if (op->socket->file)
        return ouro__sim_file_write(op->socket, buf, ouro__sim_cut(sim, len), offset_of(&offset));
    if (len > PIPE_BUF) /* up to so much is never cut */
        len = PIPE_BUF + ouro__sim_cut(sim, len - PIPE_BUF);
    return ouro__sim_pipe_write(sim->net, op->socket, buf, len);
}

/* --- several buffers ----------------------------------------------------------------- */

/* The bytes of all parts, as far as one transfer goes; negative: an error. */
static int64_t count_bytes(const struct sim_op *op)
{
    const struct iovec *parts = ouro__sim_address_of(op->sqe.addr);
    uint64_t total = 0;

    if (op->sqe.len > IOV_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < op->sqe.len; i++) {
        if (parts[i].iov_len > SSIZE_MAX)
            return -EINVAL;
        total += parts[i].iov_len < SIM_TRANSFER_MAX ? parts[i].iov_len : SIM_TRANSFER_MAX;
    }
    return (int64_t) (total < SIM_DISK_MAX ? total : SIM_DISK_MAX);
}

static void copy_parts(const struct sim_op *op, char *flat, size_t bytes, bool to_parts)
{
    const struct iovec *parts = ouro__sim_address_of(op->sqe.addr);

    for (uint32_t i = 0; i < op->sqe.len && bytes > 0; i++) {
        size_t len = parts[i].iov_len < bytes ? parts[i].iov_len : bytes;

        if (len > 0 && to_parts)
            memcpy(parts[i].iov_base, flat, len);
        else if (len > 0)
            memcpy(flat, parts[i].iov_base, len);
        flat += len;
        bytes -= len;
    }
}

/* Several buffers are one that was cut up: does what `opcode` does with that one. */
static int run_flat(struct sim *sim, struct sim_op *op, uint8_t opcode)
{
    int64_t total = count_bytes(op);
    struct sim_op one = *op;
    char *flat;
    int result;

    if (total < 0)
        return (int) total;
    flat = malloc((size_t) total + 1);
    if (!flat)
        return -ENOMEM;
    if (opcode == IORING_OP_WRITE)
        copy_parts(op, flat, (size_t) total, /* to_parts= */ false);
    one.sqe.opcode = opcode;
    one.sqe.addr = (uint64_t) (uintptr_t) flat;
    one.sqe.len = (uint32_t) total;
    result = ouro__sim_opcodes[opcode].run(sim, &one);
    if (opcode == IORING_OP_READ && result > 0)
        copy_parts(op, flat, (size_t) result, /* to_parts= */ true);
    free(flat);
    return result;
}

int ouro__sim_file_run_readv(struct sim *sim, struct sim_op *op)
{
    return run_flat(sim, op, IORING_OP_READ);
}

int ouro__sim_file_run_writev(struct sim *sim, struct sim_op *op)
{
    return run_flat(sim, op, IORING_OP_WRITE);
}

/* --- one open file ------------------------------------------------------------------- */

int ouro__sim_file_run_fsync(struct sim *sim, struct sim_op *op)
{
    (void) sim; /* there is nothing that could get lost */
    return op->socket->file ? 0 : -EINVAL;
}

int ouro__sim_file_run_fallocate(struct sim *sim, struct sim_op *op)
{
    (void) sim;
    if ((int64_t) op->sqe.off < 0 || (int64_t) op->sqe.addr <= 0)
        return -EINVAL;
    if (op->socket->file)
        return ouro__sim_file_allocate(op->socket, (int) op->sqe.len, op->sqe.off, op->sqe.addr);
    return op->socket->pipe ? -ESPIPE : -ENODEV;
}

/* --- paths --------------------------------------------------------------------------- */

static int walk(struct sim *sim, int dir_fd, uint64_t path_address, struct sim_place *ret_place)
{
    const char *path = ouro__sim_address_of(path_address);
    struct sim_inode *start;
    int code = ouro__sim_file_find_start(sim->net, sim->disk, dir_fd, path, &start);

    return code ? code : ouro__sim_disk_walk(sim->disk, start, path, ret_place);
}

int ouro__sim_file_run_open(struct sim *sim, struct sim_op *op)
{
    const char *path = ouro__sim_address_of(op->sqe.addr);
    struct sim_inode *start;
    int code = ouro__sim_file_find_start(sim->net, sim->disk, op->sqe.fd, path, &start);

    if (code)
        return code;
    return ouro__sim_file_open(sim->net, sim->disk, start, path, (int) op->sqe.open_flags,
                               (mode_t) op->sqe.len);
}

static struct statx_timestamp to_timestamp(struct timespec time)
{
    return (struct statx_timestamp) {.tv_sec = time.tv_sec, .tv_nsec = (uint32_t) time.tv_nsec};
}

int ouro__sim_file_run_statx(struct sim *sim, struct sim_op *op)
{
    struct statx *buf = ouro__sim_address_of(op->sqe.off);
    struct sim_place place;
    struct stat stat;
    int code = walk(sim, op->sqe.fd, op->sqe.addr, &place);

    if (code)
        return code;
    if (!place.inode)
        return -ENOENT;
    if (place.has_slash && !ouro__sim_disk_is_dir(place.inode))
        return -ENOTDIR;
    ouro__sim_disk_stat(place.inode, &stat);
    *buf = (struct statx) {
        .stx_mask = STATX_BASIC_STATS,
        .stx_blksize = (uint32_t) stat.st_blksize,
        .stx_nlink = (uint32_t) stat.st_nlink,
        .stx_mode = (uint16_t) stat.st_mode,
        .stx_ino = stat.st_ino,
        .stx_size = (uint64_t) stat.st_size,
        .stx_blocks = (uint64_t) stat.st_blocks,
        .stx_atime = to_timestamp(stat.st_atim),
        .stx_mtime = to_timestamp(stat.st_mtim),
        .stx_ctime = to_timestamp(stat.st_ctim),
        .stx_dev_minor = 1,
    };
    return 0;
}

int ouro__sim_file_run_mkdir(struct sim *sim, struct sim_op *op)
{
    struct sim_place place;
    int code = walk(sim, op->sqe.fd, op->sqe.addr, &place);

    return code ? code : ouro__sim_disk_mkdir(sim->disk, &place, op->sqe.len & 01777 & ~022u);
}

int ouro__sim_file_run_unlink(struct sim *sim, struct sim_op *op)
{
    bool is_rmdir = op->sqe.unlink_flags & AT_REMOVEDIR;
    struct sim_place place;
    int code = walk(sim, op->sqe.fd, op->sqe.addr, &place);

    if (code)
        return code;
    return is_rmdir ? ouro__sim_disk_rmdir(sim->disk, &place)
                    : ouro__sim_disk_unlink(sim->disk, &place);
}

int ouro__sim_file_run_rename(struct sim *sim, struct sim_op *op)
{
    struct sim_place from, to;
    int code = walk(sim, op->sqe.fd, op->sqe.addr, &from);

    if (!code)
        code = walk(sim, (int) op->sqe.len, op->sqe.addr2, &to);
    return code ? code : ouro__sim_disk_rename(sim->disk, &from, &to, op->sqe.rename_flags);
}
