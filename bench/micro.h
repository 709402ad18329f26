/* SPDX-License-Identifier: MIT */
/*
 * micro.h - what the micro benchmarks share: the column per_op, and a loop to run in
 */
#ifndef MICRO_H
#define MICRO_H

#include <benchmark/benchmark.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "ouro.h"

namespace micro
{

using benchmark::Counter;
using benchmark::State;

/* CPU time for one operation, whatever an iteration does. */
inline void per_op(State &state, double operations)
{
    state.counters["per_op"] = Counter(operations, Counter::kIsRate | Counter::kInvert);
}

inline void require(int64_t code, const char *what)
{
    if (code < 0) {
        std::fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
                     ouro_strerror(static_cast<int>(code)));
        std::exit(1);
    }
}

/* Runs `body(state)` as the main task of a loop. */
typedef void body_fn(State &state);

struct in_loop {
    State *state;
    body_fn *body;
};

inline int main_task(void *arg)
{
    auto *self = static_cast<in_loop *>(arg);

    self->body(*self->state);
    return 0;
}

inline void run_in_loop(State &state, body_fn *body)
{
    in_loop self = {&state, body};
    ouro_run_options options = {};

    options.stack = OURO_STACK_1M; /* the benchmark library's own frames are large */
    require(ouro_run(main_task, &self, &options), "ouro_run");
}

inline uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

} // namespace micro

#endif /* MICRO_H */
