/* SPDX-License-Identifier: MIT */
/*
 * ring_mode.c - what a mode needs of the machine, and what "auto" makes of it
 *
 * In sqpoll mode two threads look without a pause while there is work: ours at the completions, the
 * kernel's at the submissions. On one CPU each waits for the other's time slice to end: thousands
 * of times slower than batch. So one CPU is a refusal where the mode was asked for by name.
 *
 * "auto" has to be right without being watched. It takes sqpoll only if every loop, every thread of
 * the kernel's and the rest of the machine (interrupts, whoever else runs) has a CPU. It counts the
 * CPUs that the thread may use; it does not know of quotas, nor of other programs.
 *
 * No system call here: the numbers are told, and tests tell others.
 */
#include <stdio.h>

#include "ouro_base.h"
#include "ring.h"

static unsigned count_threads(const struct ring_config *config, unsigned loops)
{
    return config->shares_thread ? 1 : loops;
}

static void choose(struct ring_config *config, unsigned loops, unsigned cpus, bool is_foreign)
{
    unsigned long needed = (unsigned long) loops + count_threads(config, loops) + 1;

    config->mode = RING_BATCH;
    if (is_foreign) {
        config->reason = "a foreign loop does the waiting";
    } else if (cpus < needed) {
        config->reason = "there is no CPU to spare for threads that never sleep";
    } else {
        config->mode = RING_SQPOLL;
        config->may_fall_back = true;
        config->reason = "there is a CPU for each thread that never sleeps, and one to spare";
    }
}

static int refuse(struct ring_hint *hint, const char *reason)
{
    (void) snprintf(hint->text, sizeof(hint->text), "%s; valid are also the modes batch and auto",
                    reason);
    return OURO_ERING;
}

int ouro__ring_mode_settle(struct ring_config *config, unsigned loops, unsigned cpus,
                           bool is_foreign, struct ring_hint *ret_hint)
{
    if (config->simulated || config->mode == RING_BATCH)
        return 0;
    if (config->has_cpu && loops > 1 && !config->shares_thread)
        return refuse(ret_hint, "mode=sqpoll with cpu=N would have the SQ threads of all shards on "
                                "one CPU, where each waits for the others: say share=1, or no cpu");
    if (config->mode == RING_AUTO) {
        choose(config, loops, cpus, is_foreign);
        return 0;
    }
    if (cpus <= 1 && !config->has_cpu)
        return refuse(ret_hint,
                      "mode=sqpoll takes two CPUs, one of them for the kernel's SQ thread, "
                      "and this process may use one (taskset, cpuset): allow it another, "
                      "or name another with cpu=N");
    return 0;
}

unsigned ouro__ring_mode_place(const struct ring_config *config, unsigned index, unsigned loops,
                               unsigned cpus)
{
    unsigned nth = (loops + (config->shares_thread ? 0 : index)) % cpus;

    return nth == index % cpus ? (nth + 1) % cpus : nth;
}

const char *ouro__ring_mode_name(const struct ring *ring)
{
    if (ring->simulated)
        return "sim";
    return ring->mode == RING_SQPOLL ? "uring:mode=sqpoll" : "uring:mode=batch";
}
