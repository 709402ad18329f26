/* SPDX-License-Identifier: MIT */
/*
 * file.c - files for tasks; see ouro_file.h
 *
 * An operation that finds its bytes in memory completes while it is submitted; any other
 * goes to one of the kernel's worker threads by itself. Nothing here asks for a worker
 * (IOSQE_ASYNC), which would only make the first kind slower.
 *
 * fstat, which touches memory only, is a direct call; ftruncate, which has an opcode only in kernels
 * that are newer than our floor, is left to a thread of the offload pool.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#include "dispatcher.h"
#include "offload.h"
#include "ouro_file.h"
#include "ouro_socket.h"

/* The kernel's limit for one transfer (MAX_RW_COUNT), which also keeps results in an int. */
#define TRANSFER_MAX ((size_t) 0x7ffff000)

/* The offset that means the file's position. */
#define AT_POSITION UINT64_MAX

#define FIRST_READ_BYTES 4096u /* of ouro_read_file(), when the size is not known */

static unsigned clamp(size_t len)
{
    return (unsigned) (len < TRANSFER_MAX ? len : TRANSFER_MAX);
}

static struct ring *ring_of_task(const char *caller)
{
    (void) ouro__dispatcher_task(caller);
    return &ouro__dispatcher->ring;
}

/* --- opening --------------------------------------------------------------------------- */

int ouro_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
    struct op op = {
        .kind = OP_OPEN,
        .args.open = {.dir_fd = dir_fd, .path = path, .flags = flags | O_CLOEXEC, .mode = mode}};

    return (int) ouro__op_call(&op, OP_INTERRUPTIBLE);
}

int ouro_open(const char *path, int flags, mode_t mode)
{
    return ouro_openat(AT_FDCWD, path, flags, mode);
}

/* --- reading and writing --------------------------------------------------------------- */

static ssize_t read_at(int fd, void *buf, size_t len, uint64_t offset)
{
    struct op op = {.kind = OP_READ,
                    .args.read = {.fd = fd, .buf = buf, .len = clamp(len), .offset = offset}};

    return ouro__op_call(&op, OP_INTERRUPTIBLE);
}

static ssize_t write_at(int fd, const void *buf, size_t len, uint64_t offset)
{
    struct op op = {.kind = OP_WRITE,
                    .args.write = {.fd = fd, .buf = buf, .len = clamp(len), .offset = offset}};

    return ouro__op_call(&op, OP_INTERRUPTIBLE);
}

static ssize_t readv_at(int fd, const struct iovec *parts, unsigned count, uint64_t offset)
{
    struct op op = {.kind = OP_READV,
                    .args.readv = {.fd = fd, .parts = parts, .count = count, .offset = offset}};

    return ouro__op_call(&op, OP_INTERRUPTIBLE);
}

static ssize_t writev_at(int fd, const struct iovec *parts, unsigned count, uint64_t offset)
{
    struct op op = {.kind = OP_WRITEV,
                    .args.writev = {.fd = fd, .parts = parts, .count = count, .offset = offset}};

    return ouro__op_call(&op, OP_INTERRUPTIBLE);
}

ssize_t ouro_read(int fd, void *buf, size_t len)
{
    return read_at(fd, buf, len, AT_POSITION);
}

ssize_t ouro_write(int fd, const void *buf, size_t len)
{
    return write_at(fd, buf, len, AT_POSITION);
}

ssize_t ouro_readv(int fd, const struct iovec *parts, unsigned count)
{
    return readv_at(fd, parts, count, AT_POSITION);
}

ssize_t ouro_writev(int fd, const struct iovec *parts, unsigned count)
{
    return writev_at(fd, parts, count, AT_POSITION);
}

/* Of the negative offsets the ring would take -1 for the file's position. */
ssize_t ouro_pread(int fd, void *buf, size_t len, int64_t offset)
{
    return offset < 0 ? -EINVAL : read_at(fd, buf, len, (uint64_t) offset);
}

ssize_t ouro_pwrite(int fd, const void *buf, size_t len, int64_t offset)
{
    return offset < 0 ? -EINVAL : write_at(fd, buf, len, (uint64_t) offset);
}

ssize_t ouro_preadv(int fd, const struct iovec *parts, unsigned count, int64_t offset)
{
    return offset < 0 ? -EINVAL : readv_at(fd, parts, count, (uint64_t) offset);
}

ssize_t ouro_pwritev(int fd, const struct iovec *parts, unsigned count, int64_t offset)
{
    return offset < 0 ? -EINVAL : writev_at(fd, parts, count, (uint64_t) offset);
}

/* --- all of it ------------------------------------------------------------------------- */

/* Where a transfer goes on after `done` bytes. */
static uint64_t advance(uint64_t offset, size_t done)
{
    return offset == AT_POSITION ? AT_POSITION : offset + done;
}

static int read_exactly(int fd, void *buf, size_t len, uint64_t offset, size_t *ret_read)
{
    size_t done = 0;
    ssize_t result = 1;

    while (done < len && result > 0) {
        result = read_at(fd, (char *) buf + done, len - done, advance(offset, done));
        if (result > 0)
            done += (size_t) result;
    }
    if (ret_read)
        *ret_read = done;
    if (result == 0)
        return OURO_EEOF;
    return result < 0 ? (int) result : 0;
}

static int write_all(int fd, const void *buf, size_t len, uint64_t offset, size_t *ret_written)
{
    size_t done = 0;
    ssize_t result = 0;

    while (done < len) {
        result = write_at(fd, (const char *) buf + done, len - done, advance(offset, done));
        if (result == 0)
            result = -EIO; /* a device that takes nothing and says nothing */
        if (result < 0)
            break;
        done += (size_t) result;
    }
    if (ret_written)
        *ret_written = done;
    return result < 0 ? (int) result : 0;
}

int ouro_read_exact(int fd, void *buf, size_t len, size_t *ret_read)
{
    return read_exactly(fd, buf, len, AT_POSITION, ret_read);
}

int ouro_pread_exact(int fd, void *buf, size_t len, int64_t offset, size_t *ret_read)
{
    if (offset >= 0)
        return read_exactly(fd, buf, len, (uint64_t) offset, ret_read);
    if (ret_read)
        *ret_read = 0;
    return -EINVAL;
}

int ouro_write_all(int fd, const void *buf, size_t len, size_t *ret_written)
{
    return write_all(fd, buf, len, AT_POSITION, ret_written);
}

int ouro_pwrite_all(int fd, const void *buf, size_t len, int64_t offset, size_t *ret_written)
{
    if (offset >= 0)
        return write_all(fd, buf, len, (uint64_t) offset, ret_written);
    if (ret_written)
        *ret_written = 0;
    return -EINVAL;
}

/* --- a whole file ---------------------------------------------------------------------- */

/* Bytes that are being collected; there is always room for one more than `limit` allows. */
struct collection {
    char *data;
    size_t len;
    size_t capacity;
    size_t limit;
};

static bool reserve(struct collection *collection, size_t capacity)
{
    char *data;

    if (capacity > collection->limit)
        capacity = collection->limit;
    data = realloc(collection->data, capacity + 1);
    if (!data)
        return false;
    collection->data = data;
    collection->capacity = capacity + 1;
    return true;
}

/*
 * Reads to the end of the file. The one byte of room beyond what is expected tells in the same
 * read whether there is more, and holds the NUL otherwise.
 */
static int collect(int fd, struct collection *collection)
{
    for (;;) {
        ssize_t result = ouro_read(fd, collection->data + collection->len,
                                   collection->capacity - collection->len);

        if (result <= 0)
            return (int) result;
        collection->len += (size_t) result;
        if (collection->len > collection->limit)
            return OURO_ELIMIT;
        if (collection->len == collection->capacity &&
            !reserve(collection, 2 * collection->capacity))
            return -ENOMEM;
    }
}

static size_t expected_bytes(int fd)
{
    struct stat stat;

    if (ouro_fstat(fd, &stat) || stat.st_size <= 0)
        return FIRST_READ_BYTES;
    return (size_t) stat.st_size;
}

int ouro_read_file(const char *path, size_t limit, char **ret_data, size_t *ret_len)
{
    struct collection collection = {.limit = limit < SIZE_MAX ? limit : SIZE_MAX - 1};
    int fd = ouro_open(path, O_RDONLY, 0);
    int code;

    if (fd < 0)
        return fd;
    code = reserve(&collection, expected_bytes(fd)) ? collect(fd, &collection) : -ENOMEM;
    (void) ouro_close(fd);
    if (code) {
        free(collection.data);
        return code;
    }
    collection.data[collection.len] = '\0';
    *ret_data = collection.data;
    *ret_len = collection.len;
    return 0;
}

/* --- an open file ---------------------------------------------------------------------- */

static int sync_file(int fd, unsigned flags)
{
    struct op op = {.kind = OP_FSYNC, .args.fsync = {.fd = fd, .flags = flags}};

    return (int) ouro__op_call(&op, OP_INTERRUPTIBLE);
}

int ouro_fsync(int fd)
{
    return sync_file(fd, 0);
}

int ouro_fdatasync(int fd)
{
    return sync_file(fd, IORING_FSYNC_DATASYNC);
}

int ouro_fallocate(int fd, int mode, int64_t offset, int64_t len)
{
    struct op op = {
        .kind = OP_FALLOCATE,
        .args.fallocate = {
            .fd = fd, .mode = mode, .offset = (uint64_t) offset, .len = (uint64_t) len}};

    return (int) ouro__op_call(&op, OP_INTERRUPTIBLE);
}

struct truncation {
    struct ring *ring;
    int fd;
    int64_t len;
};

static int truncate_now(void *arg)
{
    const struct truncation *truncation = arg;

    return truncation->ring->backend->ftruncate(truncation->ring, truncation->fd, truncation->len);
}

int ouro_ftruncate(int fd, int64_t len)
{
    struct truncation truncation = {ring_of_task("ouro_ftruncate() needs a task"), fd, len};

    return ouro__offload_call(truncate_now, &truncation);
}

int ouro_fstat(int fd, struct stat *ret_stat)
{
    struct ring *ring = ring_of_task("ouro_fstat() needs a task");

    return ring->backend->fstat(ring, fd, ret_stat);
}

/* --- paths ----------------------------------------------------------------------------- */

static struct timespec to_timespec(const struct statx_timestamp *time)
{
    return (struct timespec) {.tv_sec = time->tv_sec, .tv_nsec = time->tv_nsec};
}

int ouro_stat(const char *path, struct stat *ret_stat)
{
    struct statx statx;
    struct op op = {
        .kind = OP_STATX,
        .args.statx = {.dir_fd = AT_FDCWD, .path = path, .mask = STATX_BASIC_STATS, .buf = &statx}};
    int code = (int) ouro__op_call(&op, OP_INTERRUPTIBLE);

    if (code)
        return code;
    *ret_stat = (struct stat) {
        .st_dev = makedev(statx.stx_dev_major, statx.stx_dev_minor),
        .st_ino = statx.stx_ino,
        .st_mode = statx.stx_mode,
        .st_nlink = statx.stx_nlink,
        .st_uid = statx.stx_uid,
        .st_gid = statx.stx_gid,
        .st_rdev = makedev(statx.stx_rdev_major, statx.stx_rdev_minor),
        .st_size = (off_t) statx.stx_size,
        .st_blksize = (blksize_t) statx.stx_blksize,
        .st_blocks = (blkcnt_t) statx.stx_blocks,
        .st_atim = to_timespec(&statx.stx_atime),
        .st_mtim = to_timespec(&statx.stx_mtime),
        .st_ctim = to_timespec(&statx.stx_ctime),
    };
    return 0;
}

int ouro_rename(const char *from, const char *to)
{
    struct op op = {
        .kind = OP_RENAME,
        .args.rename = {.from_dir_fd = AT_FDCWD, .from = from, .to_dir_fd = AT_FDCWD, .to = to}};

    return (int) ouro__op_call(&op, OP_INTERRUPTIBLE);
}

static int remove_path(const char *path, int flags)
{
    struct op op = {.kind = OP_UNLINK,
                    .args.unlink = {.dir_fd = AT_FDCWD, .path = path, .flags = flags}};

    return (int) ouro__op_call(&op, OP_INTERRUPTIBLE);
}

int ouro_unlink(const char *path)
{
    return remove_path(path, 0);
}

int ouro_rmdir(const char *path)
{
    return remove_path(path, AT_REMOVEDIR);
}

int ouro_mkdir(const char *path, mode_t mode)
{
    struct op op = {.kind = OP_MKDIR,
                    .args.mkdir = {.dir_fd = AT_FDCWD, .path = path, .mode = mode}};

    return (int) ouro__op_call(&op, OP_INTERRUPTIBLE);
}
