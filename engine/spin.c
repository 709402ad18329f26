/* SPDX-License-Identifier: MIT */
/* spin.c - see spin.h */
#include "spin.h"

#define WEIGHT_SHIFT   3 /* each new gap or batch counts for an eighth */
#define PROBE_INTERVAL 64
#define BATCH_UNIT     16
#define BATCH_MAX      (3 * BATCH_UNIT) /* a request by itself is two: its bytes, and its answer out */

void ouro__spin_init(struct spin *spin, int64_t budget_ns)
{
    *spin = (struct spin) {.budget_ns = budget_ns, .gap_ns = 2 * budget_ns, .batch = BATCH_UNIT};
}

bool ouro__spin_measures(const struct spin *spin)
{
    return spin->budget_ns && spin->batch <= BATCH_MAX;
}

bool ouro__spin_begin(struct spin *spin)
{
    spin->is_probe = false;
    if (!ouro__spin_measures(spin))
        return false;
    if (spin->gap_ns < spin->budget_ns)
        return true;
    spin->is_probe = ++spin->slept >= PROBE_INTERVAL;
    if (spin->is_probe)
        spin->slept = 0;
    return spin->is_probe;
}

static void count_batch(struct spin *spin, unsigned count)
{
    int sixteenths = (int) (count < 1024 ? count : 1024) * BATCH_UNIT;

    spin->batch =
        (unsigned) ((int) spin->batch + (sixteenths - (int) spin->batch) / (1 << WEIGHT_SHIFT));
}

static void count_gap(struct spin *spin, int64_t gap_ns)
{
    int64_t gap_max = 2 * spin->budget_ns;

    if (gap_ns > gap_max)
        gap_ns = gap_max;
    spin->gap_ns += (gap_ns - spin->gap_ns) / (1 << WEIGHT_SHIFT);
}

void ouro__spin_hit(struct spin *spin, int64_t gap_ns, unsigned count)
{
    if (spin->is_probe)
        spin->gap_ns = gap_ns;
    else
        count_gap(spin, gap_ns);
    count_batch(spin, count);
}

void ouro__spin_passed(struct spin *spin, unsigned count)
{
    if (spin->budget_ns)
        count_batch(spin, count);
}

void ouro__spin_slept(struct spin *spin, int64_t gap_ns, unsigned count)
{
    count_gap(spin, gap_ns);
    count_batch(spin, count);
}
