/* SPDX-License-Identifier: MIT */
/*
 * sim_file.c - see sim_file.h
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim_file.h"

#define UMASK 022

/* Linux's own mode bits for what has none. */
#define PIPE_MODE   (S_IFIFO | 0600)
#define SOCKET_MODE (S_IFSOCK | 0777)

/* --- open files as sockets ----------------------------------------------------------- */

static void file_hang_up(struct sim_net *net, struct sim_socket *socket)
{
    (void) net; /* there is no other end */
    (void) socket;
}

static bool file_fail(struct sim_net *net, struct sim_socket *socket, int error)
{
    (void) net; /* what fails is an operation, not the file */
    (void) socket;
    (void) error;
    return false;
}

/* A file is always ready, and never waited for. */
static unsigned file_poll(const struct sim_socket *socket)
{
    (void) socket;
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

static void file_release(struct sim_net *net, struct sim_socket *socket)
{
    (void) net;
    ouro__sim_disk_unref(socket->file->inode);
    free(socket->file);
}

static const struct sim_family family = {
    .hang_up = file_hang_up,
    .fail = file_fail,
    .poll = file_poll,
    .release_name = file_release,
};

static struct sim_socket *new_file(struct sim_net *net, struct sim_inode *inode, int flags)
{
    struct sim_file *file = calloc(1, sizeof(*file));
    struct sim_socket *socket = file ? ouro__sim_net_new_socket(net, AF_UNSPEC) : NULL;

    if (!socket) {
        free(file);
        return NULL;
    }
    file->inode = ouro__sim_disk_ref(inode);
    file->flags = flags;
    socket->family = &family;
    socket->file = file;
    return socket;
}

/* --- opening ------------------------------------------------------------------------- */

int ouro__sim_file_find_start(struct sim_net *net, struct sim_disk *disk, int dir_fd,
                              const char *path, struct sim_inode **ret_start)
{
    struct sim_socket *socket;
    int code;

    *ret_start = disk->root;
    if (path[0] == '/' || dir_fd == AT_FDCWD)
        return 0;
    socket = ouro__sim_net_find_any(net, dir_fd, &code);
    if (!socket)
        return code;
    if (!socket->file || !ouro__sim_file_is_dir(socket))
        return -ENOTDIR;
    *ret_start = socket->file->inode;
    return 0;
}

static bool wants_to_write(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

/* What an open of something that exists has to say. */
static int check_existing(const struct sim_place *place, int flags)
{
    bool is_dir = ouro__sim_disk_is_dir(place->inode);

    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return -EEXIST;
    if (is_dir && (flags & O_CREAT || wants_to_write(flags)))
        return -EISDIR;
    if (!is_dir && (flags & O_DIRECTORY || place->has_slash))
        return -ENOTDIR;
    return 0;
}

/* Finds or makes what is to be opened. */
static int reach(struct sim_disk *disk, struct sim_place *place, int flags, mode_t mode)
{
    if (flags & O_CREAT && place->last == SIM_LAST_NAME && place->has_slash)
        return -EISDIR;
    if (place->inode)
        return check_existing(place, flags);
    if (!(flags & O_CREAT))
        return -ENOENT;
    return ouro__sim_disk_make(disk, place, S_IFREG | (mode & 07777 & ~UMASK));
}

int ouro__sim_file_open(struct sim_net *net, struct sim_disk *disk, struct sim_inode *start,
                        const char *path, int flags, mode_t mode)
{
    struct sim_place place;
    struct sim_socket *socket;
    int code;

    if (flags & O_CREAT && flags & O_DIRECTORY)
        return -EINVAL;
    if (net->free_top == 0)
        return -EMFILE;
    code = ouro__sim_disk_walk(disk, start, path, &place);
    if (!code)
        code = reach(disk, &place, flags, mode);
    if (code)
        return code;
    socket = new_file(net, place.inode, flags);
    if (!socket)
        return -ENOMEM;
    if (flags & O_TRUNC)
        (void) ouro__sim_disk_resize(place.inode, 0);
    return ouro__sim_net_install(net, socket);
}

/* --- bytes --------------------------------------------------------------------------- */

bool ouro__sim_file_is_dir(const struct sim_socket *socket)
{
    return ouro__sim_disk_is_dir(socket->file->inode);
}

bool ouro__sim_file_can_read(const struct sim_socket *socket)
{
    int access = socket->file->flags & O_ACCMODE;

    return access == O_RDONLY || access == O_RDWR;
}

bool ouro__sim_file_can_write(const struct sim_socket *socket)
{
    int access = socket->file->flags & O_ACCMODE;

    return access == O_WRONLY || access == O_RDWR;
}

bool ouro__sim_file_appends(const struct sim_socket *socket)
{
    return socket->file->flags & O_APPEND;
}

int ouro__sim_file_read(struct sim_socket *socket, void *buf, uint32_t len, uint64_t *offset)
{
    uint64_t *place = offset ? offset : &socket->file->position;
    uint32_t done = ouro__sim_disk_read(socket->file->inode, buf, len, *place);

    *place += done;
    return (int) done;
}

/* With O_APPEND bytes go to the end, wherever they were meant to go. */
int ouro__sim_file_write(struct sim_socket *socket, const void *buf, uint32_t len, uint64_t *offset)
{
    struct sim_file *file = socket->file;
    uint64_t *place = offset ? offset : &file->position;
    uint64_t start = ouro__sim_file_appends(socket) ? file->inode->size : *place;
    int done = ouro__sim_disk_write(file->inode, buf, len, start);

    if (done > 0)
        *place = start + (uint64_t) done;
    return done;
}

int ouro__sim_file_allocate(struct sim_socket *socket, int mode, uint64_t offset, uint64_t len)
{
    struct sim_inode *inode = socket->file->inode;

    if ((int64_t) offset < 0 || (int64_t) len <= 0)
        return -EINVAL;
    if (mode & ~FALLOC_FL_KEEP_SIZE)
        return -EOPNOTSUPP;
    if (!ouro__sim_file_can_write(socket))
        return -EBADF;
    if (offset > INT64_MAX - len)
        return -EFBIG;
    if (mode & FALLOC_FL_KEEP_SIZE || offset + len <= inode->size)
        return 0;
    return ouro__sim_disk_resize(inode, offset + len);
}

int ouro__sim_file_truncate(struct sim_socket *socket, int64_t len)
{
    if (len < 0 || ouro__sim_file_is_dir(socket) || !ouro__sim_file_can_write(socket))
        return -EINVAL;
    return ouro__sim_disk_resize(socket->file->inode, (uint64_t) len);
}

/* --- listing ------------------------------------------------------------------------- */

/* Positions in a listing: how many of the dots were told, or beyond them the entry's serial. */
#define DOT_COUNT 2u

/* Adds a record; returns its bytes, 0 when it does not fit. */
static unsigned put_record(char *buf, unsigned room, const char *name,
                           const struct sim_inode *inode, uint64_t position)
{
    size_t name_bytes = strlen(name) + 1;
    size_t bytes = (offsetof(struct dirent64, d_name) + name_bytes + 7) / 8 * 8;
    struct dirent64 *record = (struct dirent64 *) (void *) buf;

    if (bytes > room)
        return 0;
    memset(buf, 0, bytes);
    record->d_ino = inode->number;
    record->d_off = (off64_t) position;
    record->d_reclen = (unsigned short) bytes;
    record->d_type = IFTODT(inode->mode);
    memcpy(record->d_name, name, name_bytes);
    return (unsigned) bytes;
}

static unsigned put_dots(struct sim_file *file, char *buf, unsigned room)
{
    struct sim_inode *dir = file->inode;
    unsigned len = 0;
    unsigned bytes = 1;

    if (file->position == 0) {
        bytes = put_record(buf, room, ".", dir, 1);
        file->position += bytes > 0;
        len += bytes;
    }
    if (file->position == 1 && bytes > 0) {
        bytes = put_record(buf + len, room - len, "..", dir->parent ? dir->parent : dir, DOT_COUNT);
        file->position += bytes > 0;
        len += bytes;
    }
    return len;
}

static struct sim_entry *entry_of(struct list *node)
{
    return container_of(node, struct sim_entry, link);
}

int ouro__sim_file_list(struct sim_socket *socket, char *buf, unsigned buf_bytes)
{
    struct sim_file *file = socket->file;
    struct list *entries = &file->inode->entries;
    struct list *node = entries->next;
    unsigned len;

    if (!ouro__sim_file_is_dir(socket))
        return -ENOTDIR;
    if (file->inode->links == 0)
        return -ENOENT;
    len = put_dots(file, buf, buf_bytes);
    while (node != entries && entry_of(node)->serial + DOT_COUNT <= file->position)
        node = node->next;
    for (; node != entries && file->position >= DOT_COUNT; node = node->next) {
        uint64_t position = entry_of(node)->serial + DOT_COUNT;
        unsigned bytes = put_record(buf + len, buf_bytes - len, entry_of(node)->name,
                                    entry_of(node)->inode, position);

        if (bytes == 0)
            break;
        file->position = position;
        len += bytes;
    }
    if (len == 0 && (node != entries || file->position < DOT_COUNT))
        return -EINVAL; /* there is something, but no room for it */
    return (int) len;
}

void ouro__sim_file_stat(const struct sim_socket *socket, struct stat *ret_stat)
{
    if (socket->file) {
        ouro__sim_disk_stat(socket->file->inode, ret_stat);
        return;
    }
    *ret_stat = (struct stat) {
        .st_mode = socket->pipe ? PIPE_MODE : SOCKET_MODE,
        .st_nlink = 1,
        .st_blksize = 4096,
    };
}
