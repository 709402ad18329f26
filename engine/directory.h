/* SPDX-License-Identifier: MIT */
/*
 * directory.h - a directory that is being listed, from inside
 */
#ifndef OURO_DIRECTORY_H
#define OURO_DIRECTORY_H

#define DIR_CHUNK_BYTES (32 * 1024)

struct ouro_dir {
    int fd;
    unsigned next, end;                                        /* of the records not told yet */
    char records[DIR_CHUNK_BYTES] __attribute__((aligned(8))); /* of getdents64(2) */
};

/*
 * Gets the next chunk. Returns 1; 0 at the end; or -errno. A disk may hold it up, and the loop
 * with it.
 */
int ouro__dir_fill(struct ouro_dir *dir);

#endif /* OURO_DIRECTORY_H */
