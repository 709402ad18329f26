/* SPDX-License-Identifier: MIT */
/*
 * cpus.h - the CPUs that the process may use
 *
 * A cpu_set_t has room for 1,024, and the kernel refuses a set that is smaller than its own.
 */
#ifndef OURO_CPUS_H
#define OURO_CPUS_H

#include <sched.h>
#include <stddef.h>

/* All zero: unknown. */
struct cpus {
    cpu_set_t *set;
    size_t bytes;
    unsigned count;
};

/* Those of the calling thread; unknown without memory. */
void ouro__cpus_get(struct cpus *ret_cpus);
void ouro__cpus_done(struct cpus *cpus);

/* How many there are; 1 when that is unknown. */
unsigned ouro__cpus_count(void);

/* The number of the `nth` CPU (modulo how many there are); -1 when they are unknown. */
int ouro__cpus_number(const struct cpus *cpus, unsigned nth);

/* The calling thread runs on the `nth` only (modulo how many there are). Unknown: anywhere. */
void ouro__cpus_pin(const struct cpus *cpus, unsigned nth);

/* The calling thread runs on any of them. */
void ouro__cpus_unpin(const struct cpus *cpus);

#endif /* OURO_CPUS_H */
