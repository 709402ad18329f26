/* SPDX-License-Identifier: MIT */
/*
 * micro_sync - what mutex, semaphore, event, condition and rwlock cost, free and contended
 *
 * Run:    build/bench/micro_sync [--benchmark_filter=REGEX --benchmark_repetitions=N]
 * Prints: one line per object; the column per_op is CPU time for one operation, which is
 *         named in the comment above each.
 *
 * A benchmark runs inside the main task of a loop. Contended ones have as many tasks as their
 * argument says, the main task among them.
 */
#include "micro.h"

namespace
{

using namespace micro;

ouro_mutex mutex;
ouro_semaphore semaphore;
ouro_event event;
ouro_cond cond;
ouro_rwlock rwlock;

/* --- nobody else wants it ---------------------------------------------------------------- */

/* Repeats `operation` in the only task of a loop. */
template <typename Operation> void repeat_alone(State &state, Operation operation)
{
    for (auto _ : state)
        benchmark::DoNotOptimize(operation());
    per_op(state, static_cast<double>(state.iterations()));
}

/* One lock and one unlock. */
void mutex_free(State &state)
{
    ouro_mutex_init(&mutex);
    run_in_loop(state, [](State &inner) {
        repeat_alone(inner, [] {
            int code = ouro_mutex_lock(&mutex);

            ouro_mutex_unlock(&mutex);
            return code;
        });
    });
}
BENCHMARK(mutex_free);

/* One acquire and one release. */
void semaphore_free(State &state)
{
    ouro_semaphore_init(&semaphore, 1);
    run_in_loop(state, [](State &inner) {
        repeat_alone(inner, [] {
            int code = ouro_semaphore_acquire(&semaphore);

            ouro_semaphore_release(&semaphore, 1);
            return code;
        });
    });
}
BENCHMARK(semaphore_free);

/* One wait for an event that is set. */
void event_is_set(State &state)
{
    ouro_event_init(&event);
    ouro_event_set(&event);
    run_in_loop(state,
                [](State &inner) { repeat_alone(inner, [] { return ouro_event_wait(&event); }); });
}
BENCHMARK(event_is_set);

/* One lock for reading and its unlock. */
void rwlock_read_free(State &state)
{
    ouro_rwlock_init(&rwlock);
    run_in_loop(state, [](State &inner) {
        repeat_alone(inner, [] {
            int code = ouro_rwlock_rdlock(&rwlock);

            ouro_rwlock_unlock(&rwlock);
            return code;
        });
    });
}
BENCHMARK(rwlock_read_free);

/* --- others do --------------------------------------------------------------------------- */

bool stopping;
uint64_t operation_count;
int (*shared_operation)(void);

int repeat_until_stopped(void *)
{
    while (!stopping) {
        shared_operation();
        operation_count++;
    }
    return 0;
}

/* Starts tasks that repeat an operation, repeats it in the main task, and counts all. */
void repeat_together(State &state, int operation(void))
{
    ouro_group group;

    stopping = false;
    shared_operation = operation;
    ouro_group_init(&group);
    for (int64_t i = 1; i < state.range(0); i++)
        require(ouro_group_spawn(&group, repeat_until_stopped, nullptr), "ouro_group_spawn");
    require(ouro_yield(), "ouro_yield"); /* all have started */
    operation_count = 0;
    for (auto _ : state) {
        operation();
        operation_count++;
    }
    per_op(state, static_cast<double>(operation_count));
    stopping = true;
    require(ouro_group_wait(&group), "ouro_group_wait");
}

/* One lock, a yield while it is held, and an unlock that hands it over: two switches. */
void mutex_hand_over(State &state)
{
    ouro_mutex_init(&mutex);
    run_in_loop(state, [](State &inner) {
        repeat_together(inner, [] {
            int code = ouro_mutex_lock(&mutex);

            ouro_yield();
            ouro_mutex_unlock(&mutex);
            return code;
        });
    });
}
BENCHMARK(mutex_hand_over)->Arg(2)->Arg(64)->Arg(1000);

/* The same with a semaphore of half as many permits as tasks. */
void semaphore_hand_over(State &state)
{
    ouro_semaphore_init(&semaphore, static_cast<unsigned>(state.range(0)) / 2);
    run_in_loop(state, [](State &inner) {
        repeat_together(inner, [] {
            int code = ouro_semaphore_acquire(&semaphore);

            ouro_yield();
            ouro_semaphore_release(&semaphore, 1);
            return code;
        });
    });
}
BENCHMARK(semaphore_hand_over)->Arg(2)->Arg(64)->Arg(1000);

int wait_until_stopped(void *)
{
    while (!stopping) {
        ouro_event_wait(&event);
        operation_count++;
    }
    return 0;
}

/* One wait that a set ends; each set wakes all tasks but the main task. */
void event_wake(State &state)
{
    ouro_event_init(&event);
    run_in_loop(state, [](State &inner) {
        ouro_group group;

        stopping = false;
        ouro_group_init(&group);
        for (int64_t i = 1; i < inner.range(0); i++)
            require(ouro_group_spawn(&group, wait_until_stopped, nullptr), "ouro_group_spawn");
        require(ouro_yield(), "ouro_yield"); /* all wait */
        operation_count = 0;
        for (auto _ : inner) {
            ouro_event_set(&event);
            ouro_event_clear(&event);
            ouro_yield();
        }
        per_op(inner, static_cast<double>(operation_count));
        stopping = true;
        ouro_event_set(&event);
        require(ouro_group_wait(&group), "ouro_group_wait");
    });
}
BENCHMARK(event_wake)->Arg(2)->Arg(64)->Arg(1000);

int turn_of; /* whose turn it is: 0 or 1 */

int answer_until_stopped(void *)
{
    require(ouro_mutex_lock(&mutex), "ouro_mutex_lock");
    for (;;) {
        while (turn_of != 1 && !stopping)
            require(ouro_cond_wait(&cond, &mutex), "ouro_cond_wait");
        if (stopping)
            break;
        turn_of = 0;
        ouro_cond_signal(&cond);
    }
    ouro_mutex_unlock(&mutex);
    return 0;
}

/* A signal to another task, and its signal back: two waits. */
void cond_ping_pong(State &state)
{
    ouro_mutex_init(&mutex);
    ouro_cond_init(&cond);
    run_in_loop(state, [](State &inner) {
        ouro_task_id id;

        stopping = false;
        turn_of = 0;
        id = ouro_spawn(answer_until_stopped, nullptr);
        require(id, "ouro_spawn");
        require(ouro_mutex_lock(&mutex), "ouro_mutex_lock");
        for (auto _ : inner) {
            turn_of = 1;
            ouro_cond_signal(&cond);
            while (turn_of != 0)
                require(ouro_cond_wait(&cond, &mutex), "ouro_cond_wait");
        }
        per_op(inner, static_cast<double>(inner.iterations()));
        stopping = true;
        ouro_cond_signal(&cond);
        ouro_mutex_unlock(&mutex);
        require(ouro_join(id, nullptr), "ouro_join");
    });
}
BENCHMARK(cond_ping_pong);

} // namespace

BENCHMARK_MAIN();
