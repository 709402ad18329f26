/* SPDX-License-Identifier: MIT */
/*
 * million_sleepers - how much memory a sleeping task costs, and whether it comes back
 *
 * Spawns COUNT ordinary tasks (default stack class) that all sleep at once, measures the
 * process's resident memory, wakes them all, and measures again after the engine has given
 * the memory of the peak back.
 *
 * Run:    build/bench/million_sleepers [COUNT]
 * Prints: resident bytes per sleeping task; the part that the dense table and the timers
 *         have in it; the same after all have ended. Fails when a task did not finish.
 *
 * A kernel before 6.13 needs mappings for each guard: COUNT is then limited to 30,000.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"

static long finished_count;

static int sleeper(void *arg)
{
    int code = ouro_sleep_until(*(int64_t *) arg);

    finished_count++;
    return code;
}

/* A field of /proc/self/status, in bytes; -1 when it can't be read. */
static long status_bytes(const char *field)
{
    FILE *file = fopen("/proc/self/status", "re");
    size_t len = strlen(field);
    char line[256];
    long kib = -1;

    if (!file)
        return -1;
    while (kib < 0 && fgets(line, sizeof(line), file))
        if (!strncmp(line, field, len) && line[len] == ':')
            kib = strtol(line + len + 1, NULL, 10);
    (void) fclose(file);
    return kib < 0 ? -1 : kib * 1024;
}

static double seconds(int64_t ns)
{
    return (double) ns / (double) OURO_SECOND;
}

static int run(void *arg)
{
    long count = *(long *) arg;
    long before = status_bytes("VmRSS"), tables_before = status_bytes("VmPTE");
    long asleep, tables_asleep, after;
    struct ouro_counters counters;
    struct ouro_group group;
    int64_t start = ouro_now(), wake_at = OURO_FOREVER, spawned;
    int code = 0;

    /* They read the time to wake at when they first run, which is after the last spawn. */
    ouro_group_init(&group);
    for (long i = 0; !code && i < count; i++)
        code = ouro_group_spawn(&group, sleeper, &wake_at);
    spawned = ouro_now();
    wake_at = spawned + 10 * OURO_SECOND;
    if (code) {
        fprintf(stderr, "million_sleepers: ouro_group_spawn: %s\n", ouro_strerror(code));
        ouro_group_cancel(&group);
        (void) ouro_group_wait(&group);
        return code;
    }
    (void) ouro_yield(); /* all of them run before this returns */

    asleep = status_bytes("VmRSS");
    tables_asleep = status_bytes("VmPTE");
    printf("%ld tasks spawned in %.2f s, asleep after %.2f s\n", count, seconds(spawned - start),
           seconds(ouro_now() - start));
    printf("resident: %.1f bytes per task (%.2f KiB), and %.1f of page tables\n",
           (double) (asleep - before) / (double) count,
           (double) (asleep - before) / (double) count / 1024,
           (double) (tables_asleep - tables_before) / (double) count);
    if (!ouro_stats(&counters))
        printf("          of these %u of control data (dense table and timer)\n",
               (unsigned) counters.task_bytes);

    code = ouro_group_wait(&group);
    printf("%ld woke and finished, the last %.2f s after its time\n", finished_count,
           seconds(ouro_now() - wake_at));
    if (!code)
        code = ouro_sleep(8 * OURO_SECOND); /* the engine keeps a peak's memory for a while */
    after = status_bytes("VmRSS");
    printf("resident afterwards: %.1f MiB above the start, of %.1f MiB at the peak\n",
           (double) (after - before) / 1048576, (double) (asleep - before) / 1048576);
    return !code && finished_count == count ? 0 : 1;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;

    if (argc > 2 || count < 1) {
        fprintf(stderr, "usage: %s [COUNT]\n", argv[0]);
        return 2;
    }
    return ouro_run(run, &count, NULL) ? 1 : 0;
}
