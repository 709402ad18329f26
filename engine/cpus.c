/* SPDX-License-Identifier: MIT */
/* cpus.c - see cpus.h */
#include <errno.h>
#include <pthread.h>

#include "check.h"
#include "cpus.h"

#define CPUS_MIN CPU_SETSIZE
#define CPUS_MAX (1 << 20) /* where we stop to look for a size that the kernel accepts */

/* Returns 0 or -errno; -EINVAL: the set is too small for the kernel. */
static int get_up_to(int cpu_count, struct cpus *ret_cpus)
{
    struct cpus cpus = {.set = CPU_ALLOC(cpu_count), .bytes = CPU_ALLOC_SIZE(cpu_count)};
    int code = 0;

    if (!cpus.set)
        return -ENOMEM;
    if (sched_getaffinity(0, cpus.bytes, cpus.set))
        code = -errno;
    if (code) {
        CPU_FREE(cpus.set);
        return code;
    }
    cpus.count = (unsigned) CPU_COUNT_S(cpus.bytes, cpus.set);
    *ret_cpus = cpus;
    return 0;
}

void ouro__cpus_get(struct cpus *ret_cpus)
{
    int code = -EINVAL;

    *ret_cpus = (struct cpus) {.set = NULL};
    for (int count = CPUS_MIN; code == -EINVAL && count <= CPUS_MAX; count *= 2)
        code = get_up_to(count, ret_cpus);
}

void ouro__cpus_done(struct cpus *cpus)
{
    if (cpus->set)
        CPU_FREE(cpus->set);
    *cpus = (struct cpus) {.set = NULL};
}

unsigned ouro__cpus_count(void)
{
    struct cpus cpus;
    unsigned count;

    ouro__cpus_get(&cpus);
    count = cpus.count;
    ouro__cpus_done(&cpus);
    return count ? count : 1;
}

int ouro__cpus_number(const struct cpus *cpus, unsigned nth)
{
    int cpu = 0;

    if (cpus->count == 0)
        return -1;
    nth %= cpus->count;
    while (!CPU_ISSET_S(cpu, cpus->bytes, cpus->set) || nth-- > 0)
        cpu++;
    return cpu;
}

void ouro__cpus_pin(const struct cpus *cpus, unsigned nth)
{
    cpu_set_t *one;
    int cpu = ouro__cpus_number(cpus, nth);

    if (cpu < 0)
        return;
    one = CPU_ALLOC((int) cpus->bytes * 8);
    if (!one)
        return;
    CPU_ZERO_S(cpus->bytes, one);
    CPU_SET_S(cpu, cpus->bytes, one);
    (void) pthread_setaffinity_np(pthread_self(), cpus->bytes, one);
    CPU_FREE(one);
}

void ouro__cpus_unpin(const struct cpus *cpus)
{
    if (cpus->count > 0)
        (void) pthread_setaffinity_np(pthread_self(), cpus->bytes, cpus->set);
}
