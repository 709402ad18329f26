/* SPDX-License-Identifier: MIT */
/*
 * sim_disk.c - see sim_disk.h
 *
 * Names are found by one hash table for all directories; a directory's own list is there to
 * be listed, in the order in which its entries were made. There are neither hard nor symbolic
 * links, so an inode has one entry, and none when it was unlinked while it was open.
 *
 * A file is one block of memory that grows in powers of two. Holes are zeros like others.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "ouro_base.h"
#include "sim_disk.h"
#include "sim_random.h"

#define CAPACITY_MIN 512u
#define BLOCK_BYTES  4096u

/* --- inodes -------------------------------------------------------------------------- */

static struct sim_inode *new_inode(struct sim_disk *disk, mode_t mode, struct sim_inode *parent)
{
    struct sim_inode *inode = calloc(1, sizeof(*inode));

    if (!inode)
        return NULL;
    inode->disk = disk;
    inode->refs = 1;
    inode->number = ++disk->inode_serial;
    inode->mode = mode;
    inode->links = S_ISDIR(mode) ? 2 : 1;
    inode->accessed = inode->modified = inode->changed = inode->born = *disk->now;
    list_init(&inode->entries);
    list_append(&disk->all, &inode->all_link);
    if (S_ISDIR(mode) && parent)
        inode->parent = ouro__sim_disk_ref(parent);
    return inode;
}

struct sim_inode *ouro__sim_disk_ref(struct sim_inode *inode)
{
    inode->refs++;
    return inode;
}

static void free_inode(struct sim_inode *inode)
{
    inode->disk->byte_count -= inode->size;
    list_remove(&inode->all_link);
    free(inode->bytes);
    free(inode);
}

void ouro__sim_disk_unref(struct sim_inode *inode)
{
    while (inode && --inode->refs == 0) {
        struct sim_inode *parent = inode->parent;

        free_inode(inode);
        inode = parent;
    }
}

static void note_change(struct sim_inode *inode)
{
    inode->modified = inode->changed = *inode->disk->now;
}

void ouro__sim_disk_stat(const struct sim_inode *inode, struct stat *ret_stat)
{
    const int64_t second = OURO_SECOND;
    uint64_t size = ouro__sim_disk_is_dir(inode) ? BLOCK_BYTES : inode->size;

    *ret_stat = (struct stat) {
        .st_dev = 1,
        .st_ino = inode->number,
        .st_mode = inode->mode,
        .st_nlink = inode->links,
        .st_size = (off_t) size,
        .st_blksize = BLOCK_BYTES,
        .st_blocks = (blkcnt_t) ((size + BLOCK_BYTES - 1) / BLOCK_BYTES * (BLOCK_BYTES / 512)),
        .st_atim = {inode->accessed / second, inode->accessed % second},
        .st_mtim = {inode->modified / second, inode->modified % second},
        .st_ctim = {inode->changed / second, inode->changed % second},
    };
}

/* --- names --------------------------------------------------------------------------- */

static struct sim_entry **bucket_of(struct sim_disk *disk, const struct sim_inode *dir,
                                    const char *name, uint32_t name_len)
{
    uint64_t hash = dir->number;

    for (uint32_t i = 0; i < name_len; i++)
        hash = (hash ^ (unsigned char) name[i]) * UINT64_C(1099511628211);
    return &disk->buckets[ouro__sim_mix(hash) % SIM_ENTRY_BUCKETS];
}

static struct sim_entry *find_entry(struct sim_disk *disk, const struct sim_inode *dir,
                                    const char *name, uint32_t name_len)
{
    struct sim_entry *entry = *bucket_of(disk, dir, name, name_len);

    while (entry && !(entry->dir == dir && entry->name_len == name_len &&
                      memcmp(entry->name, name, name_len) == 0))
        entry = entry->next;
    return entry;
}

/* Gives `inode` a name; the caller's reference becomes the entry's. NULL: no memory. */
static struct sim_entry *add_entry(struct sim_disk *disk, struct sim_inode *dir, const char *name,
                                   uint32_t name_len, struct sim_inode *inode)
{
    struct sim_entry **bucket = bucket_of(disk, dir, name, name_len);
    struct sim_entry *entry = malloc(sizeof(*entry) + name_len + 1);

    if (!entry)
        return NULL;
    *entry = (struct sim_entry) {.dir = dir,
                                 .inode = inode,
                                 .next = *bucket,
                                 .serial = ++disk->entry_serial,
                                 .name_len = name_len};
    memcpy(entry->name, name, name_len);
    entry->name[name_len] = '\0';
    *bucket = entry;
    list_append(&dir->entries, &entry->link);
    dir->links += ouro__sim_disk_is_dir(inode);
    note_change(dir);
    return entry;
}

/* The entry's reference to its inode becomes the caller's. */
static struct sim_inode *remove_entry(struct sim_disk *disk, struct sim_entry *entry)
{
    struct sim_entry **place = bucket_of(disk, entry->dir, entry->name, entry->name_len);
    struct sim_inode *inode = entry->inode;

    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    list_remove(&entry->link);
    entry->dir->links -= ouro__sim_disk_is_dir(inode);
    note_change(entry->dir);
    free(entry);
    return inode;
}

/* Takes an inode's name away for good. */
static void bury(struct sim_disk *disk, struct sim_entry *entry)
{
    struct sim_inode *inode = remove_entry(disk, entry);

    inode->links = 0;
    inode->changed = *disk->now;
    ouro__sim_disk_unref(inode);
}

/* --- the disk ------------------------------------------------------------------------ */

struct sim_disk *ouro__sim_disk_create(const int64_t *now)
{
    struct sim_disk *disk = calloc(1, sizeof(*disk));
    struct sim_place tmp = {.name = "tmp", .name_len = 3};

    if (!disk)
        return NULL;
    disk->now = now;
    list_init(&disk->all);
    disk->root = tmp.dir = new_inode(disk, S_IFDIR | 0755, NULL);
    if (!disk->root || ouro__sim_disk_make(disk, &tmp, S_IFDIR | S_ISVTX | 0777)) {
        ouro__sim_disk_destroy(disk);
        return NULL;
    }
    return disk;
}

void ouro__sim_disk_destroy(struct sim_disk *disk)
{
    while (!list_is_empty(&disk->all)) {
        struct sim_inode *inode = container_of(disk->all.next, struct sim_inode, all_link);
        struct list *node;

        while ((node = list_shift(&inode->entries)))
            free(container_of(node, struct sim_entry, link));
        free_inode(inode);
    }
    free(disk);
}

/* --- paths --------------------------------------------------------------------------- */

static size_t count_slashes(const char *path)
{
    return strspn(path, "/");
}

static enum sim_last kind_of(const char *name, uint32_t len)
{
    if (len == 1 && name[0] == '.')
        return SIM_LAST_DOT;
    return len == 2 && name[0] == '.' && name[1] == '.' ? SIM_LAST_DOTDOT : SIM_LAST_NAME;
}

/* One component of a path: fills in what it means, as seen from place->dir. */
static int look_up(struct sim_disk *disk, struct sim_place *place)
{
    place->entry = NULL;
    place->last = kind_of(place->name, place->name_len);
    switch (place->last) {
    case SIM_LAST_DOT:
        place->inode = place->dir;
        return 0;
    case SIM_LAST_DOTDOT:
        place->inode = place->dir->parent ? place->dir->parent : place->dir;
        return 0;
    default:
        if (place->name_len > NAME_MAX)
            return -ENAMETOOLONG;
        place->entry = find_entry(disk, place->dir, place->name, place->name_len);
        place->inode = place->entry ? place->entry->inode : NULL;
        return 0;
    }
}

int ouro__sim_disk_walk(struct sim_disk *disk, struct sim_inode *start, const char *path,
                        struct sim_place *ret_place)
{
    struct sim_place place = {
        .dir = path[0] == '/' ? disk->root : start, .inode = disk->root, .last = SIM_LAST_ROOT};

    if (path[0] == '\0')
        return -ENOENT;
    if (strnlen(path, PATH_MAX) == PATH_MAX)
        return -ENAMETOOLONG;
    path += count_slashes(path);
    while (*path) {
        size_t slashes;
        int code;

        place.name = path;
        place.name_len = (uint32_t) strcspn(path, "/");
        path += place.name_len;
        slashes = count_slashes(path);
        path += slashes;
        place.has_slash = slashes > 0;
        code = look_up(disk, &place);
        if (code)
            return code;
        if (!*path)
            break;
        if (!place.inode)
            return -ENOENT;
        if (!ouro__sim_disk_is_dir(place.inode))
            return -ENOTDIR;
        place.dir = place.inode;
    }
    *ret_place = place;
    return 0;
}

/* --- making and removing ------------------------------------------------------------- */

int ouro__sim_disk_make(struct sim_disk *disk, struct sim_place *place, mode_t mode)
{
    struct sim_inode *inode;

    if (place->dir->links == 0)
        return -ENOENT; /* the directory itself was removed */
    inode = new_inode(disk, mode, place->dir);
    if (inode)
        place->entry = add_entry(disk, place->dir, place->name, place->name_len, inode);
    if (!inode || !place->entry) {
        ouro__sim_disk_unref(inode);
        return -ENOSPC;
    }
    place->inode = inode;
    return 0;
}

int ouro__sim_disk_mkdir(struct sim_disk *disk, struct sim_place *place, mode_t mode)
{
    return place->inode ? -EEXIST : ouro__sim_disk_make(disk, place, S_IFDIR | mode);
}

int ouro__sim_disk_unlink(struct sim_disk *disk, const struct sim_place *place)
{
    if (place->last != SIM_LAST_NAME)
        return -EISDIR;
    if (!place->inode)
        return -ENOENT;
    if (ouro__sim_disk_is_dir(place->inode))
        return -EISDIR;
    if (place->has_slash)
        return -ENOTDIR;
    bury(disk, place->entry);
    return 0;
}

int ouro__sim_disk_rmdir(struct sim_disk *disk, const struct sim_place *place)
{
    static const int codes[] = {
        [SIM_LAST_DOT] = -EINVAL, [SIM_LAST_DOTDOT] = -ENOTEMPTY, [SIM_LAST_ROOT] = -EBUSY};

    if (place->last != SIM_LAST_NAME)
        return codes[place->last];
    if (!place->inode)
        return -ENOENT;
    if (!ouro__sim_disk_is_dir(place->inode))
        return -ENOTDIR;
    if (!list_is_empty(&place->inode->entries))
        return -ENOTEMPTY;
    bury(disk, place->entry);
    return 0;
}

/* --- renaming ------------------------------------------------------------------------ */

/* Whether `inode` is `dir` or one of the directories above it. */
static bool is_above(const struct sim_inode *inode, const struct sim_inode *dir)
{
    while (dir && dir != inode)
        dir = dir->parent;
    return dir != NULL;
}

/* Whether `to`, if it exists, may be replaced by `from`. */
static int check_replace(const struct sim_place *from, const struct sim_place *to)
{
    bool is_dir = ouro__sim_disk_is_dir(from->inode);

    if (!to->inode)
        return 0;
    if (is_dir && !ouro__sim_disk_is_dir(to->inode))
        return -ENOTDIR;
    if (!is_dir && ouro__sim_disk_is_dir(to->inode))
        return -EISDIR;
    return list_is_empty(&to->inode->entries) ? 0 : -ENOTEMPTY;
}

/* In the order in which Linux looks. */
static int check_rename(const struct sim_place *from, const struct sim_place *to, unsigned flags)
{
    bool keep = flags & RENAME_NOREPLACE;

    if (flags & ~(unsigned) RENAME_NOREPLACE)
        return -EINVAL;
    if (from->last != SIM_LAST_NAME)
        return -EBUSY;
    if (to->last != SIM_LAST_NAME)
        return keep ? -EEXIST : -EBUSY;
    if (!from->inode)
        return -ENOENT;
    if (to->inode && keep)
        return -EEXIST;
    if (!ouro__sim_disk_is_dir(from->inode) && (from->has_slash || to->has_slash))
        return -ENOTDIR;
    if (is_above(from->inode, to->dir))
        return -EINVAL;
    if (to->inode && is_above(to->inode, from->dir))
        return -ENOTEMPTY;
    if (to->dir->links == 0)
        return -ENOENT;
    return to->inode == from->inode ? 0 : check_replace(from, to);
}

static void set_parent(struct sim_inode *inode, struct sim_inode *parent)
{
    struct sim_inode *old = inode->parent;

    if (!ouro__sim_disk_is_dir(inode))
        return;
    inode->parent = ouro__sim_disk_ref(parent);
    ouro__sim_disk_unref(old);
}

int ouro__sim_disk_rename(struct sim_disk *disk, const struct sim_place *from,
                          const struct sim_place *to, unsigned flags)
{
    int code = check_rename(from, to, flags);
    struct sim_inode *inode = from->inode;

    if (code || to->inode == inode)
        return code;
    if (!add_entry(disk, to->dir, to->name, to->name_len, inode))
        return -ENOSPC;
    if (to->entry)
        bury(disk, to->entry);
    (void) remove_entry(disk, from->entry);
    set_parent(inode, to->dir);
    inode->changed = *disk->now;
    return 0;
}

/* --- bytes --------------------------------------------------------------------------- */

uint32_t ouro__sim_disk_read(struct sim_inode *inode, void *buf, uint32_t len, uint64_t offset)
{
    uint64_t left = offset < inode->size ? inode->size - offset : 0;

    if (len > left)
        len = (uint32_t) left;
    if (len > 0)
        memcpy(buf, inode->bytes + offset, len);
    inode->accessed = *inode->disk->now;
    return len;
}

/* The largest size that the file may get. */
static uint64_t size_max(const struct sim_inode *inode)
{
    return inode->size + (SIM_DISK_MAX - inode->disk->byte_count);
}

static bool reserve(struct sim_inode *inode, uint64_t size)
{
    uint64_t capacity = inode->capacity ? inode->capacity : CAPACITY_MIN;
    char *bytes;

    while (capacity < size)
        capacity *= 2;
    if (capacity == inode->capacity)
        return true;
    bytes = realloc(inode->bytes, capacity);
    if (!bytes)
        return false;
    inode->bytes = bytes;
    inode->capacity = capacity;
    return true;
}

int ouro__sim_disk_resize(struct sim_inode *inode, uint64_t size)
{
    if (size > size_max(inode) || (size > inode->size && !reserve(inode, size)))
        return -ENOSPC;
    if (size > inode->size)
        memset(inode->bytes + inode->size, 0, size - inode->size);
    inode->disk->byte_count += size - inode->size;
    inode->size = size;
    note_change(inode);
    return 0;
}

int ouro__sim_disk_write(struct sim_inode *inode, const void *buf, uint32_t len, uint64_t offset)
{
    uint64_t end = size_max(inode);
    int code = 0;

    if (len == 0)
        return 0;
    if (offset >= end)
        return -ENOSPC;
    if (len > end - offset)
        len = (uint32_t) (end - offset);
    if (offset + len > inode->size)
        code = ouro__sim_disk_resize(inode, offset + len);
    if (code)
        return code;
    memcpy(inode->bytes + offset, buf, len);
    note_change(inode);
    return (int) len;
}
