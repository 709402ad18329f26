/* SPDX-License-Identifier: MIT */
/*
 * directory.c - listing directories; see ouro_file.h
 *
 * The kernel hands entries out in chunks of records (getdents64), for which io_uring has no
 * opcode. A chunk is as large as it is because each call takes the directory's lock.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "directory.h"
#include "dispatcher.h"
#include "ouro_file.h"
#include "ouro_socket.h"

int ouro_dir_open(const char *path, struct ouro_dir **ret_dir)
{
    struct ouro_dir *dir = malloc(sizeof(*dir));
    int fd;

    if (!dir)
        return -ENOMEM;
    fd = ouro_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) {
        free(dir);
        return fd;
    }
    dir->fd = fd;
    dir->next = dir->end = 0;
    *ret_dir = dir;
    return 0;
}

int ouro__dir_fill(struct ouro_dir *dir)
{
    struct ring *ring = &ouro__dispatcher->ring;
    int result = ring->backend->getdents(ring, dir->fd, dir->records, sizeof(dir->records));

    if (result < 0)
        return result;
    memory_filled_by_kernel(dir->records, (size_t) result);
    dir->next = 0;
    dir->end = (unsigned) result;
    return result > 0;
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

int ouro_dir_next(struct ouro_dir *dir, struct ouro_dir_entry *ret_entry)
{
    const struct dirent64 *record;
    int code;

    (void) ouro__dispatcher_task("ouro_dir_next() needs a task");
    code = ouro__task_interruption();
    if (code)
        return code;
    do {
        code = dir->next < dir->end ? 1 : ouro__dir_fill(dir);
        if (code <= 0)
            return code;
        record = (const struct dirent64 *) (const void *) (dir->records + dir->next);
        dir->next += record->d_reclen;
    } while (is_dots(record->d_name));
    *ret_entry = (struct ouro_dir_entry) {
        .name = record->d_name, .type = record->d_type, .inode = record->d_ino};
    ouro__task_charge();
    return 1;
}

void ouro_dir_close(struct ouro_dir *dir)
{
    if (!dir)
        return;
    (void) ouro_close(dir->fd);
    free(dir);
}
