/* SPDX-License-Identifier: MIT */
/* spin.c - see spin.h */
#include "spin.h"

#define WEIGHT_SHIFT 3  /* each new gap or ender counts for an eighth */
#define INTERVAL_MIN 64 /* gaps from probe to probe */
#define INTERVAL_MAX 8192
#define CALM         4096 /* hits in a row, and the CPU is ours again */
#define ALWAYS       256
#define KNOWN_MIN    160

void ouro__spin_init(struct spin *spin, int64_t budget_ns)
{
    *spin = (struct spin) {
        .budget_ns = budget_ns, .gap_ns = 2 * budget_ns, .known = ALWAYS, .interval = INTERVAL_MIN};
}

void ouro__spin_init_polling(struct spin *spin, int64_t budget_ns)
{
    *spin = (struct spin) {.budget_ns = budget_ns, .is_polling = true};
}

bool ouro__spin_measures(const struct spin *spin)
{
    return spin->budget_ns && (spin->is_polling || spin->known >= KNOWN_MIN);
}

bool ouro__spin_begin(struct spin *spin)
{
    spin->is_probe = false;
    if (!ouro__spin_measures(spin))
        return false;
    if (spin->gap_ns < spin->budget_ns)
        return true;
    if (spin->is_polling)
        return false;
    spin->is_probe = ++spin->slept >= spin->interval;
    if (spin->is_probe)
        spin->slept = 0;
    return spin->is_probe;
}

static void note_ender(struct spin *spin, uint64_t ender)
{
    bool is_known = ender == spin->enders[0] || ender == spin->enders[1];

    spin->known -= spin->known >> WEIGHT_SHIFT;
    if (is_known)
        spin->known += ALWAYS >> WEIGHT_SHIFT;
    if (ender != spin->enders[0]) {
        spin->enders[1] = spin->enders[0];
        spin->enders[0] = ender;
    }
}

static void note_gap(struct spin *spin, int64_t gap_ns)
{
    int64_t gap_max = 2 * spin->budget_ns;

    if (gap_ns > gap_max)
        gap_ns = gap_max;
    spin->gap_ns += (gap_ns - spin->gap_ns) / (1 << WEIGHT_SHIFT);
}

static void make_way(struct spin *spin)
{
    spin->gap_ns = 2 * spin->budget_ns;
    spin->hits = 0;
    if (spin->interval < INTERVAL_MAX)
        spin->interval *= 2;
}

void ouro__spin_hit(struct spin *spin, int64_t gap_ns, uint64_t ender)
{
    note_ender(spin, ender);
    if (gap_ns > 2 * spin->budget_ns && !spin->is_polling) {
        make_way(spin);
        return;
    }
    if (++spin->hits == CALM)
        spin->interval = INTERVAL_MIN;
    if (spin->is_probe)
        spin->gap_ns = gap_ns;
    else
        note_gap(spin, gap_ns);
}

void ouro__spin_passed(struct spin *spin, uint64_t ender)
{
    if (spin->budget_ns)
        note_ender(spin, ender);
}

void ouro__spin_slept(struct spin *spin, int64_t gap_ns, uint64_t ender)
{
    note_gap(spin, gap_ns);
    note_ender(spin, ender);
}
