/* SPDX-License-Identifier: MIT */
/*
 * sim_random.h - the simulation's only source of chance
 *
 * splitmix64: one word of state, so a seed is a run. Everything that the simulated ring
 * decides comes from here, never from addresses, the time or the machine.
 */
#ifndef OURO_SIM_RANDOM_H
#define OURO_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

/* Mixes all bits of `x` into all bits of the result; also what hashes are made with. */
static inline uint64_t ouro__sim_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t ouro__sim_random(struct sim_random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    return ouro__sim_mix(random->state);
}

/* A number from 0 to `limit` - 1. */
static inline uint32_t ouro__sim_random_below(struct sim_random *random, uint32_t limit)
{
    return (uint32_t) (((ouro__sim_random(random) >> 32) * limit) >> 32);
}

static inline bool ouro__sim_random_chance(struct sim_random *random, unsigned percent)
{
    return percent > 0 && ouro__sim_random_below(random, 100) < percent;
}

#endif /* OURO_SIM_RANDOM_H */
