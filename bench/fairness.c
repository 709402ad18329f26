/* SPDX-License-Identifier: MIT */
/*
 * fairness - how late others wake while a task computes
 *
 * Question: does a task that computes for 50 ms and calls ouro_checkpoint() now and then hold up
 *           the others, and by how much without?
 * Run:      build/bench/fairness [--seconds 5]
 * Prints:   sleeps of 1 ms, late by:  p50 ...  p99 ...  max ... us   (nobody computes)
 *           the same beside a task that computes in steps of 20 us with checkpoints, and beside
 *           one that does not call any.
 *
 * What a sleep is late with nobody computing is the machine's.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"

#define SLEEPERS     16
#define SAMPLES_MAX  1000000
#define COMPUTING_NS (50 * OURO_MILLISECOND)
#define STEP_NS      (20 * OURO_MICROSECOND)

enum mode { IDLE, WITH_CHECKPOINTS, WITHOUT };

struct run {
    enum mode mode;
    int64_t end;
    int64_t *late; /* samples, in nanoseconds */
    size_t count;
};

static int sleep_and_measure(void *arg)
{
    struct run *run = arg;

    while (ouro_now() < run->end && run->count < SAMPLES_MAX) {
        int64_t deadline = ouro_now() + OURO_MILLISECOND;
        int code = ouro_sleep_until(deadline);

        if (code)
            return code;
        run->late[run->count++] = ouro_now() - deadline;
    }
    return 0;
}

static void compute_a_step(void)
{
    int64_t end = ouro_now() + STEP_NS;

    while (ouro_now() < end)
        ;
}

static int compute(void *arg)
{
    struct run *run = arg;

    while (ouro_now() < run->end) {
        int64_t end = ouro_now() + COMPUTING_NS;
        int code;

        while (ouro_now() < end) {
            compute_a_step();
            code = run->mode == WITH_CHECKPOINTS ? ouro_checkpoint() : 0;
            if (code)
                return code;
        }
        code = ouro_sleep(OURO_MILLISECOND);
        if (code)
            return code;
    }
    return 0;
}

static int measure(void *arg)
{
    struct run *run = arg;
    struct ouro_group group;
    int code = 0;

    ouro_group_init(&group);
    for (int i = 0; i < SLEEPERS && !code; i++)
        code = ouro_group_spawn(&group, sleep_and_measure, run);
    if (!code && run->mode != IDLE)
        code = ouro_group_spawn(&group, compute, run);
    if (code)
        ouro_group_cancel(&group);
    return ouro_group_wait(&group) < 0 ? -1 : code;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *) a;
    int64_t y = *(const int64_t *) b;

    return (x > y) - (x < y);
}

static void print(const struct run *run, const char *what)
{
    qsort(run->late, run->count, sizeof(run->late[0]), compare);
    printf("sleeps of 1 ms, late by:  p50 %6.1f  p99 %8.1f  max %8.1f us   (%s)\n",
           (double) run->late[run->count / 2] / 1e3,
           (double) run->late[run->count * 99 / 100] / 1e3,
           (double) run->late[run->count - 1] / 1e3, what);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {
        [IDLE] = "nobody computes",
        [WITH_CHECKPOINTS] = "beside 50 ms of computing, with checkpoints",
        [WITHOUT] = "beside 50 ms of computing, without",
    };
    double seconds = argc == 3 && !strcmp(argv[1], "--seconds") ? atof(argv[2]) : 5;
    int64_t *late = malloc(SAMPLES_MAX * sizeof(*late));

    if (!late || seconds <= 0 || (argc != 1 && argc != 3)) {
        (void) fprintf(stderr, "usage: fairness [--seconds N]\n");
        return 2;
    }
    for (int mode = IDLE; mode <= WITHOUT; mode++) {
        struct run run = {.mode = (enum mode) mode, .late = late};

        run.end = ouro_now() + (int64_t) (seconds / 3 * 1e9);
        if (ouro_run(measure, &run, NULL) || run.count == 0) {
            (void) fprintf(stderr, "fairness: a run failed\n");
            return 1;
        }
        print(&run, names[mode]);
    }
    free(late);
    return 0;
}
