/* SPDX-License-Identifier: MIT */
/* offload.h - what the engine itself wants of the pool of ouro_offload.h */
#ifndef OURO_OFFLOAD_PRIVATE_H
#define OURO_OFFLOAD_PRIVATE_H

#include <stdint.h>

#include "ouro_offload.h"

/*
 * For calls that are shaped like system calls: ouro_offload(), but returns what `fn` did, which
 * is >= 0 or -errno, or the interruption.
 */
OURO_TASK int ouro__offload_call(ouro_offload_fn *fn, void *arg);

/* A loop that used the pool ends: no job of its tasks is left. The last one ends the threads. */
void ouro__offload_leave(void);

/* For tests: how long a thread stays without a job. */
void ouro__offload_set_idle_time(int64_t idle_ns);

#endif /* OURO_OFFLOAD_PRIVATE_H */
