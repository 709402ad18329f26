/* SPDX-License-Identifier: MIT */
/*
 * sim_disk.h - the simulated machine's disk: a tree of files and directories in memory
 *
 * Private to the simulated ring. It knows inodes, names and bytes; what is open, and by
 * which descriptor, is sim_file.c's. Rules and errors are Linux's, for a user who may do
 * everything.
 *
 * Vocabulary
 *   inode   a file or a directory, with or without a name
 *   entry   a name in a directory, and the inode that it means
 *   place   where a path leads: a directory, and a name in there that may or may not exist
 */
#ifndef OURO_SIM_DISK_H
#define OURO_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "list.h"

/* Bytes of all files together; with more of them the disk is full. */
#define SIM_DISK_MAX (UINT64_C(256) << 20)

#define SIM_ENTRY_BUCKETS 4096

struct sim_inode {
    struct sim_disk *disk;
    struct list all_link;
    unsigned refs; /* its entry, open files and, of a directory, those below it */
    uint64_t number;
    mode_t mode;
    unsigned links; /* as stat(2) tells; 0: it has no name any more */
    int64_t accessed, modified, changed, born;

    /* A file. Bytes beyond `size` are undefined. */
    char *bytes;
    uint64_t size;
    uint64_t capacity;

    /* A directory. */
    struct list entries;      /* in the order of their making */
    struct sim_inode *parent; /* referenced; the root's is NULL */
};

struct sim_entry {
    struct list link;       /* in `dir` */
    struct sim_entry *next; /* in its bucket */
    struct sim_inode *dir;
    struct sim_inode *inode;
    uint64_t serial; /* larger than those of all older entries */
    uint32_t name_len;
    char name[];
};

struct sim_disk {
    const int64_t *now;
    struct sim_inode *root;
    struct list all;
    uint64_t byte_count; /* the sizes of all files */
    uint64_t inode_serial;
    uint64_t entry_serial;
    struct sim_entry *buckets[SIM_ENTRY_BUCKETS];
};

/* What the last component of a path is. */
enum sim_last { SIM_LAST_NAME, SIM_LAST_DOT, SIM_LAST_DOTDOT, SIM_LAST_ROOT };

struct sim_place {
    struct sim_inode *dir;
    enum sim_last last;
    const char *name; /* SIM_LAST_NAME: points into the path */
    uint32_t name_len;
    bool has_slash;          /* behind the name */
    struct sim_entry *entry; /* NULL: there is none of that name */
    struct sim_inode *inode; /* NULL: likewise */
};

/* An empty disk but for /tmp; `now` is read whenever a time is noted. NULL: no memory. */
struct sim_disk *ouro__sim_disk_create(const int64_t *now);

/* Nothing is open any more. */
void ouro__sim_disk_destroy(struct sim_disk *disk);

struct sim_inode *ouro__sim_disk_ref(struct sim_inode *inode);
void ouro__sim_disk_unref(struct sim_inode *inode);

/*
 * Follows `path`, a relative one from `start`. That the last component is not there is no
 * error: the place has no inode then.
 */
int ouro__sim_disk_walk(struct sim_disk *disk, struct sim_inode *start, const char *path,
                        struct sim_place *ret_place);

/* Makes a file or a directory at a place where there is none. */
int ouro__sim_disk_make(struct sim_disk *disk, struct sim_place *place, mode_t mode);

/* unlink(2), rmdir(2), mkdir(2), renameat2(2), after the walks. */
int ouro__sim_disk_unlink(struct sim_disk *disk, const struct sim_place *place);
int ouro__sim_disk_rmdir(struct sim_disk *disk, const struct sim_place *place);
int ouro__sim_disk_mkdir(struct sim_disk *disk, struct sim_place *place, mode_t mode);
int ouro__sim_disk_rename(struct sim_disk *disk, const struct sim_place *from,
                          const struct sim_place *to, unsigned flags);

/* Bytes of a file. Both return how many, the second also -ENOSPC. */
uint32_t ouro__sim_disk_read(struct sim_inode *inode, void *buf, uint32_t len, uint64_t offset);
int ouro__sim_disk_write(struct sim_inode *inode, const void *buf, uint32_t len, uint64_t offset);

/* Cuts a file off, or makes it longer by zeros. Returns 0 or -ENOSPC. */
int ouro__sim_disk_resize(struct sim_inode *inode, uint64_t size);

void ouro__sim_disk_stat(const struct sim_inode *inode, struct stat *ret_stat);

static inline bool ouro__sim_disk_is_dir(const struct sim_inode *inode)
{
    return S_ISDIR(inode->mode);
}

#endif /* OURO_SIM_DISK_H */
