/* SPDX-License-Identifier: MIT */
/*
 * micro_timer_heap - what arming, cancelling and firing cost at a given number of timers
 *
 * The one benchmark that looks below the public headers: through them a cancelled timer
 * can't be told from the task's wake-up.
 *
 * Run:    build/bench/micro_timer_heap
 */
#include <vector>

#include "micro.h"

extern "C" {
#include "timer_heap.h"
}

namespace
{

using namespace micro;

struct full_heap {
    timer_heap heap;
    uint32_t count;
    uint32_t seed = 1;

    explicit full_heap(int64_t timer_count) : count(static_cast<uint32_t>(timer_count))
    {
        ouro__timer_heap_init(&heap);
        ouro__timer_heap_reserve(&heap, count);
        for (uint32_t timer = 0; timer < count; timer++)
            ouro__timer_heap_set(&heap, timer, deadline());
    }

    ~full_heap()
    {
        ouro__timer_heap_done(&heap);
    }

    int64_t deadline()
    {
        return next_random(&seed);
    }

    uint32_t any()
    {
        return next_random(&seed) % count;
    }
};

/* Half the timers, in random order; arming them again is not counted. */
void timer_cancel(benchmark::State &state)
{
    full_heap full(state.range(0));
    std::vector<uint32_t> victims(1024);

    while (state.KeepRunningBatch(static_cast<int64_t>(victims.size()))) {
        state.PauseTiming();
        for (auto &victim : victims) {
            ouro__timer_heap_set(&full.heap, victim, full.deadline());
            victim = full.any();
        }
        state.ResumeTiming();
        for (uint32_t victim : victims)
            ouro__timer_heap_clear(&full.heap, victim);
    }
}
BENCHMARK(timer_cancel)->Arg(1000)->Arg(100000)->Arg(1000000);

void timer_rearm(benchmark::State &state)
{
    full_heap full(state.range(0));

    for (auto _ : state)
        ouro__timer_heap_set(&full.heap, full.any(), full.deadline());
}
BENCHMARK(timer_rearm)->Arg(1000)->Arg(100000)->Arg(1000000);

/* The earliest fires and is armed anew, later than it was. */
void timer_fire_and_arm(benchmark::State &state)
{
    full_heap full(state.range(0));

    for (auto _ : state) {
        int64_t due = ouro__timer_heap_next(&full.heap);
        uint32_t timer;

        benchmark::DoNotOptimize(ouro__timer_heap_pop(&full.heap, due, &timer));
        ouro__timer_heap_set(&full.heap, timer, due + full.deadline());
    }
}
BENCHMARK(timer_fire_and_arm)->Arg(1000)->Arg(100000)->Arg(1000000);

} // namespace

BENCHMARK_MAIN();
