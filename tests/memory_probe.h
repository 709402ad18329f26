/* SPDX-License-Identifier: MIT */
/*
 * memory_probe.h - how much memory there is behind addresses, and having little of it
 */
#ifndef OURO_TEST_MEMORY_PROBE_H
#define OURO_TEST_MEMORY_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Pages of [start, start + bytes) that are in memory. Anonymous memory: that were touched. */
static inline size_t resident_pages(const void *start, size_t bytes)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t) start / page * page;
    size_t count = 0;

    for (uintptr_t at = first; at < (uintptr_t) start + bytes; at += page) {
        unsigned char is_resident = 0;

        if (!mincore((void *) at, page, &is_resident) && (is_resident & 1))
            count++;
    }
    return count;
}

#define CANNOT_LIMIT_MEMORY 77 /* exit status of a child that wanted to */

/*
 * For a child: limits its address space (RLIMIT_AS) or writable memory (RLIMIT_DATA).
 * Returns whether that works; qemu's emulation of a process ignores both.
 */
static inline bool limit_memory(int resource, rlim_t bytes)
{
    const struct rlimit limit = {bytes, bytes};
    struct rlimit present;

    return !setrlimit(resource, &limit) && !getrlimit(resource, &present) &&
           present.rlim_cur == bytes;
}

#endif /* OURO_TEST_MEMORY_PROBE_H */
