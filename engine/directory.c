/* SPDX-License-Identifier: MIT */
/*
 * directory.c - listing directories; see ouro_file.h
 *
 * The kernel hands entries out in chunks of records (getdents64), for which io_uring has no
 * opcode, and which may have to wait for a disk: a thread of the offload pool gets them. Large
 * chunks make up for the way there and back.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dispatcher.h"
#include "offload.h"
#include "ouro_file.h"
#include "ouro_socket.h"

#define CHUNK_BYTES (32 * 1024)

struct ouro_dir {
    int fd;
    unsigned next, end;                                    /* of the records not told yet */
    char records[CHUNK_BYTES] __attribute__((aligned(8))); /* of getdents64(2) */
};

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

struct fill {
    struct ring *ring;
    struct ouro_dir *dir;
};

static int fill(void *arg)
{
    struct fill *fill = arg;
    struct ouro_dir *dir = fill->dir;

    return fill->ring->backend->getdents(fill->ring, dir->fd, dir->records, sizeof(dir->records));
}

/* Gets the next chunk. Returns 1; 0 at the end; or an error. */
static int fill_chunk(struct ouro_dir *dir)
{
    struct fill arg = {&ouro__dispatcher->ring, dir};
    int result = ouro__offload_call(fill, &arg);

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
        code = dir->next < dir->end ? 1 : fill_chunk(dir);
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
