/* SPDX-License-Identifier: MIT */
/*
 * spin.h - whether to look for the next completion for a while before sleeping
 *
 * A thread that sleeps takes some 25 to 30 us to come back (in a virtual machine), and 7 to 10 us
 * of CPU. When the next completion is nearer than that, looking for it costs less than sleeping,
 * and one connection gets three times the rate. When it is not, looking costs its whole length
 * and gains nothing: so it has to be predicted.
 *
 *   gap      from running out of work to the next completion, on average. Gaps count as twice the
 *            budget at most, so that a long one is soon forgotten.
 *   probe    a gap that was slept through includes the time of waking up, and would keep the
 *            average above the budget for ever. So every 64th time it is tried all the same, and
 *            a success is believed at once.
 *   known    how often the operation that ended a gap had ended one of the two before it as well.
 *            Seldom means that many connections are busy: then more completions come while we
 *            sleep and wake up, all share the cost of that, and looking for each costs more. (64
 *            connections that wrk keeps busy: 6.7 us of CPU per request by looking, 5.5 without.)
 *
 *   crowd    a look that took much longer than the budget: the CPU was given to somebody else
 *            meanwhile, as happens to who uses up its time slice. One who sleeps is let in at once
 *            when it wakes. So looking stops, and is tried again ever more seldom.
 *
 * No clock, no ring: the dispatcher tells what it sees.
 */
#ifndef OURO_SPIN_H
#define OURO_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
    int64_t budget_ns; /* how long to look at most; 0: never */
    int64_t gap_ns;
    unsigned known;     /* in 256ths */
    uint64_t enders[2]; /* what ended the last gaps: user_data */
    unsigned slept;     /* gaps since the last attempt */
    unsigned interval;  /* of attempts */
    unsigned hits;      /* since the CPU was last taken away */
    bool is_probe;      /* the attempt that is under way */
    bool is_polling;    /* see ouro__spin_init_polling() */
};

#define SPIN_BUDGET_DEFAULT INT64_C(50000)
#define SPIN_BUDGET_MAX     INT64_C(1000000)

/* Starts out with gaps that are too long: a program that only ever sleeps pays for few probes. */
void ouro__spin_init(struct spin *spin, int64_t budget_ns);

/*
 * For sqpoll mode: looking is how things are done, and the CPU is there for it. Starts out with
 * looking. Only the gaps count: a budget of milliseconds dwarfs the time that it takes to wake up, so
 * that gaps that were slept through are measured well enough and no probes are needed; who ends
 * them and who else wants the CPU does not matter.
 */
void ouro__spin_init_polling(struct spin *spin, int64_t budget_ns);

/* There is nothing to do just now. Returns whether to look for up to budget_ns before sleeping. */
bool ouro__spin_begin(struct spin *spin);

/* A look that found something after `gap_ns`; `ender` is the user_data, 0 for what has none. */
void ouro__spin_hit(struct spin *spin, int64_t gap_ns, uint64_t ender);

/* A sleep, perhaps after a look in vain, that `ender` ended after `gap_ns` in all. */
void ouro__spin_slept(struct spin *spin, int64_t gap_ns, uint64_t ender);

/* A sleep whose length nobody measured. */
void ouro__spin_passed(struct spin *spin, uint64_t ender);

/* Whether it matters how long gaps are: else nobody need look at the clock. */
bool ouro__spin_measures(const struct spin *spin);

#endif /* OURO_SPIN_H */
