/* SPDX-License-Identifier: MIT */
/*
 * guarded.h - memory that ends at an inaccessible page: who reads or writes on, crashes
 */
#ifndef OURO_TEST_GUARDED_H
#define OURO_TEST_GUARDED_H

#include <string.h>
#include <sys/mman.h>

#include "test.h"

#define GUARDED_PAGE 4096
#define GUARDED_MAX  (4 * GUARDED_PAGE)

struct guarded {
    char *memory;
};

static inline void guarded_init(struct guarded *guarded)
{
    guarded->memory = mmap(NULL, GUARDED_MAX + GUARDED_PAGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CU_ASSERT_FATAL(guarded->memory != MAP_FAILED);
    CU_ASSERT_FATAL(mprotect(guarded->memory + GUARDED_MAX, GUARDED_PAGE, PROT_NONE) == 0);
}

static inline void guarded_done(struct guarded *guarded)
{
    (void) munmap(guarded->memory, GUARDED_MAX + GUARDED_PAGE);
}

/* The last `len` bytes of it. */
static inline char *guarded_room(const struct guarded *guarded, size_t len)
{
    CU_ASSERT_FATAL(len <= GUARDED_MAX);
    return guarded->memory + GUARDED_MAX - len;
}

static inline char *guarded_copy(const struct guarded *guarded, const char *data, size_t len)
{
    return memcpy(guarded_room(guarded, len), data, len);
}

#endif /* OURO_TEST_GUARDED_H */
