/* SPDX-License-Identifier: MIT */
/*
 * ouro_file.h - files, directories and pipes for tasks
 *
 * A file is a plain fd owned by the caller, close-on-exec, to be closed with ouro_close() of
 * ouro_socket.h. Calls keep the name, argument order and short-transfer behaviour of the
 * system call that they are named after, and suspend only the calling task: a kernel thread
 * waits for the disk in their place. Exceptions say "holds up the loop".
 *
 * An interruption may come too late for a file operation that has begun: the call then returns
 * when the disk is done. What it has done it reports; a descriptor that it has opened is returned.
 *
 * Descriptors should not have O_NONBLOCK: some kinds return -EAGAIN then instead of waiting.
 */
#ifndef OURO_FILE_H
#define OURO_FILE_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "ouro_base.h"

OURO_BEGIN_DECLS

/*
 * ouro_open, ouro_openat - open(2), openat(2), with O_CLOEXEC added
 * @flags: as for open(2); all of them are passed on (O_DIRECT, O_SYNC, ...)
 * @mode:  of a file that is made; meaningless without O_CREAT, and O_TMPFILE
 *
 * Opening a FIFO whose other end is not open holds a kernel thread until it is, or until the
 * call is interrupted.
 *
 * Context: task, may suspend.
 * Returns: the new fd, owned; -ENOENT, -EEXIST or another -errno of open(2); -ECANCELED,
 *          -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_open(const char *path, int flags, mode_t mode);
OURO_API OURO_TASK int ouro_openat(int dir_fd, const char *path, int flags, mode_t mode);

/*
 * ouro_read, ouro_write - read(2), write(2): at the file's position, which moves
 *
 * Also for pipes and sockets, and whatever else can be read. A write to a pipe or a socket that
 * nobody reads any more raises SIGPIPE unless that is ignored, as ouro_run() sees to.
 *
 * Context: task, may suspend.
 * Returns: bytes moved, possibly fewer than `len` (at most 2 GiB at a time); a read: 0 at the
 *          end; -EBADF, -EIO, -ENOSPC, -EPIPE or another -errno of read(2), write(2);
 *          -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK ssize_t ouro_read(int fd, void *buf, size_t len);
OURO_API OURO_TASK ssize_t ouro_write(int fd, const void *buf, size_t len);

/*
 * ouro_pread, ouro_pwrite - pread(2), pwrite(2): at `offset`, leaving the position alone
 *
 * As Linux has it, with O_APPEND ouro_pwrite() writes to the end all the same. Unlike pread(2) it
 * is no error to read a pipe; `offset` is ignored.
 *
 * Context: task, may suspend.
 * Returns: as ouro_read(), ouro_write(); -EINVAL when `offset` is negative.
 */
OURO_API OURO_TASK ssize_t ouro_pread(int fd, void *buf, size_t len, int64_t offset);
OURO_API OURO_TASK ssize_t ouro_pwrite(int fd, const void *buf, size_t len, int64_t offset);

/*
 * ouro_readv, ouro_writev, ouro_preadv, ouro_pwritev - several buffers with one call
 * @parts: borrowed until return; `count` at most 1024
 *
 * Context: task, may suspend.
 * Returns: as the calls above; -EINVAL for too many parts.
 */
OURO_API OURO_TASK ssize_t ouro_readv(int fd, const struct iovec *parts, unsigned count);
OURO_API OURO_TASK ssize_t ouro_writev(int fd, const struct iovec *parts, unsigned count);
OURO_API OURO_TASK ssize_t ouro_preadv(int fd, const struct iovec *parts, unsigned count,
                                       int64_t offset);
OURO_API OURO_TASK ssize_t ouro_pwritev(int fd, const struct iovec *parts, unsigned count,
                                        int64_t offset);

/*
 * ouro_read_exact, ouro_pread_exact - read exactly `len` bytes
 * @ret_read: may be NULL; how many were read, written also on failure
 *
 * Context: task, may suspend.
 * Returns: 0; OURO_EEOF when the file ended before; otherwise as ouro_read().
 */
OURO_API OURO_TASK int ouro_read_exact(int fd, void *buf, size_t len, size_t *ret_read);
OURO_API OURO_TASK int ouro_pread_exact(int fd, void *buf, size_t len, int64_t offset,
                                        size_t *ret_read);

/*
 * ouro_write_all, ouro_pwrite_all - write all `len` bytes
 * @ret_written: may be NULL; how many were written, written also on failure
 *
 * Context: task, may suspend.
 * Returns: 0; otherwise as ouro_write().
 */
OURO_API OURO_TASK int ouro_write_all(int fd, const void *buf, size_t len, size_t *ret_written);
OURO_API OURO_TASK int ouro_pwrite_all(int fd, const void *buf, size_t len, int64_t offset,
                                       size_t *ret_written);

/*
 * ouro_read_file - all bytes of a file, in new memory
 * @limit:    of bytes; a larger file is an error
 * @ret_data: owned, free with free(3); a NUL that is not counted follows the bytes
 *
 * It trusts what it reads, not what stat(2) says: files of /proc have a size of 0.
 *
 * Context: task, may suspend.
 * Returns: 0; OURO_ELIMIT; -ENOMEM; -EISDIR or another -errno of open(2), read(2);
 *          -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_read_file(const char *path, size_t limit, char **ret_data,
                                      size_t *ret_len);

/*
 * ouro_fsync, ouro_fdatasync - wait until the disk has what was written
 *
 * Context: task, may suspend.
 * Returns: 0; -EIO, -ENOSPC, -EINVAL (not a file) or another -errno of fsync(2); -ECANCELED,
 *          -ETIMEDOUT: then nobody knows.
 */
OURO_API OURO_TASK int ouro_fsync(int fd);
OURO_API OURO_TASK int ouro_fdatasync(int fd);

/*
 * ouro_fallocate - fallocate(2)
 *
 * Context: task, may suspend.
 * Returns: 0; -ENOSPC, -EOPNOTSUPP or another -errno of fallocate(2); -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_fallocate(int fd, int mode, int64_t offset, int64_t len);

/*
 * ouro_ftruncate - ftruncate(2)
 *
 * Runs on a thread of the offload pool (ouro_offload.h): Linux has it as an operation of the
 * ring only since 6.9.
 *
 * Context: task, may suspend.
 * Returns: 0; -EINVAL (not a file, or not open for writing) or another -errno of ftruncate(2);
 *          -EAGAIN when there is no thread; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_ftruncate(int fd, int64_t len);

/*
 * ouro_stat - stat(2): what a path leads to
 *
 * It costs a trip to a kernel thread (7 us); ouro_fstat() of an open file is 20 times cheaper.
 *
 * Context: task, may suspend.
 * Returns: 0; -ENOENT or another -errno of stat(2); -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_stat(const char *path, struct stat *ret_stat);

/* ouro_fstat - fstat(2). Context: task. Returns: 0; -EBADF or another -errno of fstat(2). */
OURO_API int ouro_fstat(int fd, struct stat *ret_stat);

/*
 * ouro_rename, ouro_unlink, ouro_mkdir, ouro_rmdir - rename(2) and so on
 *
 * Interrupted ones may have happened or not.
 *
 * Context: task, may suspend.
 * Returns: 0; -ENOENT, -EEXIST, -ENOTEMPTY or another -errno of the system call; -ECANCELED,
 *          -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_rename(const char *from, const char *to);
OURO_API OURO_TASK int ouro_unlink(const char *path);
OURO_API OURO_TASK int ouro_mkdir(const char *path, mode_t mode);
OURO_API OURO_TASK int ouro_rmdir(const char *path);

/* --- directories ----------------------------------------------------------------------- */

/* A directory that is being listed; one task at a time. */
struct ouro_dir;

struct ouro_dir_entry {
    const char *name; /* valid until the next call with this directory */
    unsigned type; /* DT_REG, DT_DIR, ... of dirent.h; DT_UNKNOWN where the file system is lazy */
    uint64_t inode;
};

/*
 * ouro_dir_open - begin to list a directory
 * @ret_dir: returns owned, close with ouro_dir_close()
 *
 * Context: task, may suspend.
 * Returns: 0; -ENOTDIR, -ENOMEM or another -errno of open(2); -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_dir_open(const char *path, struct ouro_dir **ret_dir);

/*
 * ouro_dir_next - the next entry, in no particular order, without "." and ".."
 *
 * An entry that is made or removed meanwhile is listed or not.
 *
 * Context: task, may suspend.
 * Returns: 1; 0 at the end; -EIO or another -errno of getdents(2); -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_dir_next(struct ouro_dir *dir, struct ouro_dir_entry *ret_entry);

/* ouro_dir_close - end a listing; NULL does nothing. Context: task, may suspend; never interrupted. */
OURO_API OURO_TASK void ouro_dir_close(struct ouro_dir *dir);

/* --- pipes ----------------------------------------------------------------------------- */

/*
 * ouro_pipe - pipe2(2) with O_CLOEXEC
 * @ret_fds: owned: [0] to read from, [1] to write to
 *
 * Context: task.
 * Returns: 0; -EMFILE or another -errno of pipe(2).
 */
OURO_API int ouro_pipe(int ret_fds[2]);

/*
 * ouro_splice - splice(2): move bytes from or to a pipe without copying them
 * @offset_in, @offset_out: of a file, moved on; NULL for its position, and for all else
 * @flags: SPLICE_F_* of splice(2); SPLICE_F_NONBLOCK is implied, but this call waits
 *
 * Waits, by polling both ends, until something can be moved. A file as one end holds up the
 * loop while the disk is read. While the system call runs, an end that is no pipe has
 * O_NONBLOCK set: other processes that share that open file may notice.
 *
 * Context: task, may suspend.
 * Returns: bytes moved, possibly fewer than `len`; 0 when the input has ended; -EPIPE, -EINVAL
 *          (neither end is a pipe) or another -errno of splice(2); -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK ssize_t ouro_splice(int fd_in, int64_t *offset_in, int fd_out,
                                       int64_t *offset_out, size_t len, unsigned flags);

OURO_END_DECLS

#endif /* OURO_FILE_H */
