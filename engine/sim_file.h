/* SPDX-License-Identifier: MIT */
/*
 * sim_file.h - the simulated machine's open files
 *
 * Private to the simulated ring. An open file is a socket of a family of its own in the table
 * of descriptors (see sim_net.h), and refers to an inode of the disk (sim_disk.h).
 */
#ifndef OURO_SIM_FILE_H
#define OURO_SIM_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_disk.h"
#include "sim_net.h"

/* What open(2) knows here. */
#define SIM_OPEN_FLAGS                                                                          \
    (O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | \
     O_NONBLOCK | O_NOCTTY | O_LARGEFILE | O_DSYNC | O_SYNC | O_NOATIME)

struct sim_file {
    struct sim_inode *inode; /* referenced */
    uint64_t position;       /* of a directory: how far it was listed */
    int flags;               /* of open(2) */
};

/*
 * The directory that a relative `path` starts from, if that matters: the root for AT_FDCWD, since
 * that is everybody's current directory.
 */
int ouro__sim_file_find_start(struct sim_net *net, struct sim_disk *disk, int dir_fd,
                              const char *path, struct sim_inode **ret_start);

/* open(2): a descriptor, or -errno. */
int ouro__sim_file_open(struct sim_net *net, struct sim_disk *disk, struct sim_inode *start,
                        const char *path, int flags, mode_t mode);

/* The rest takes files only. */
bool ouro__sim_file_is_dir(const struct sim_socket *socket);
bool ouro__sim_file_can_read(const struct sim_socket *socket);
bool ouro__sim_file_can_write(const struct sim_socket *socket);
bool ouro__sim_file_appends(const struct sim_socket *socket);

/* From `*offset` on, or, where that is NULL, from the file's position; it is moved. */
int ouro__sim_file_read(struct sim_socket *socket, void *buf, uint32_t len, uint64_t *offset);
int ouro__sim_file_write(struct sim_socket *socket, const void *buf, uint32_t len,
                         uint64_t *offset);

int ouro__sim_file_allocate(struct sim_socket *socket, int mode, uint64_t offset, uint64_t len);
int ouro__sim_file_truncate(struct sim_socket *socket, int64_t len);

/* getdents64(2): fills `buf` with records; returns their bytes, 0 at the end. */
int ouro__sim_file_list(struct sim_socket *socket, char *buf, unsigned buf_bytes);

/* fstat(2) of any descriptor. */
void ouro__sim_file_stat(const struct sim_socket *socket, struct stat *ret_stat);

#endif /* OURO_SIM_FILE_H */
