/* SPDX-License-Identifier: MIT */
/*
 * scratch.h - a fresh directory for a test of files, on either ring
 *
 * Below /tmp on the kernel's disk, where it is removed afterwards, and on the simulated one, where
 * it goes with the ring.
 */
#ifndef OURO_TEST_SCRATCH_H
#define OURO_TEST_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>

#include "loop.h"

struct scratch {
    char path[64];
    ouro_task_fn *fn;
};

/* The path of `name` in there; valid until the next call but seven. */
static inline const char *scratch_path(const struct scratch *scratch, const char *name)
{
    static char paths[8][8192];
    static unsigned next;
    char *path = paths[next++ % 8];

    (void) snprintf(path, sizeof(paths[0]), "%s/%s", scratch->path, name);
    return path;
}

static inline int scratch_main(void *arg)
{
    struct scratch *scratch = arg;

    CU_ASSERT_EQUAL(ouro_mkdir(scratch->path, 0700), 0);
    CU_ASSERT_EQUAL(scratch->fn(scratch), 0);
    CU_ASSERT_EQUAL(ouro_rmdir(scratch->path), 0); /* so `fn` has cleaned up */
    return 0;
}

/* Runs `fn`, whose argument is the struct scratch, on one ring; it leaves nothing behind. */
static inline void run_scratch_with(const char *ring, ouro_task_fn *fn)
{
    static unsigned serial;
    struct scratch scratch = {.fn = fn};

    (void) snprintf(scratch.path, sizeof(scratch.path), "/tmp/ouro-test-%d-%u", (int) getpid(),
                    serial++);
    CU_ASSERT_EQUAL(run_with(ring, 0, scratch_main, &scratch), 0);
}

static inline void run_scratch_on_each_ring(ouro_task_fn *fn)
{
    for (int i = 0; i < 5; i++)
        run_scratch_with(test_sim_ring(), fn);
    if (test_kernel_ring())
        run_scratch_with(test_kernel_ring(), fn);
}

#endif /* OURO_TEST_SCRATCH_H */
