/* SPDX-License-Identifier: MIT */
/*
 * micro - what the engine's primitives cost
 *
 * Run:    build/bench/micro [--benchmark_filter=REGEX --benchmark_repetitions=N]
 * Prints: one line per primitive; the column per_op is what counts: CPU time for one
 *         operation, whatever an iteration does.
 *
 * A benchmark that needs a loop runs inside its main task. ring_nop_bare is the floor for
 * task_nop: the same number of NOPs through the bare ring, without tasks. micro_peers has what
 * ucontext and libuv take for the same.
 */
#include <liburing.h>

#include <fcntl.h>
#include <unistd.h>
#include <vector>

#include "micro.h"
#include "ouro_uring.h"

namespace
{

using namespace micro;

/* --- coroutines ---------------------------------------------------------------- */

void yield_for_ever(void *)
{
    while (!ouro_coro_yield(nullptr, nullptr))
        ;
}

void coro_resume_yield(State &state)
{
    auto count = static_cast<size_t>(state.range(0));
    std::vector<ouro_coro *> coros(count);
    uint64_t resumed = 0;

    for (auto &coro : coros)
        require(ouro_coro_create(yield_for_ever, nullptr, nullptr, &coro), "ouro_coro_create");
    for (auto _ : state) {
        for (auto *coro : coros)
            ouro_coro_send(coro, nullptr, nullptr);
        resumed += count;
    }
    for (auto *coro : coros)
        ouro_coro_close(coro);
    per_op(state, static_cast<double>(resumed));
}
BENCHMARK(coro_resume_yield)->Arg(64)->Arg(1000)->Arg(10000);

/* --- tasks ------------------------------------------------------------------------ */

int return_at_once(void *)
{
    return 0;
}

void task_spawn_join(State &state)
{
    run_in_loop(state, [](State &inner) {
        for (auto _ : inner) {
            ouro_task_id id = ouro_spawn(return_at_once, nullptr);

            require(ouro_join(id, nullptr), "ouro_join");
        }
        per_op(inner, static_cast<double>(inner.iterations()));
    });
}
BENCHMARK(task_spawn_join);

bool stopping;
uint64_t operation_count;

int yield_until_stopped(void *)
{
    while (!stopping) {
        ouro_yield();
        operation_count++;
    }
    return 0;
}

/* Starts tasks that repeat an operation, repeats it in the main task, and counts all. */
void side_by_side(State &state, ouro_task_fn *fn, int operation(void))
{
    ouro_group group;

    stopping = false;
    ouro_group_init(&group);
    for (int64_t i = 1; i < state.range(0); i++)
        require(ouro_group_spawn(&group, fn, nullptr), "ouro_group_spawn");
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

void task_yield(State &state)
{
    run_in_loop(state, [](State &inner) { side_by_side(inner, yield_until_stopped, ouro_yield); });
}
BENCHMARK(task_yield)->Arg(1)->Arg(64)->Arg(1000)->Arg(10000);

/* --- operations ---------------------------------------------------------------------- */

void ring_nop_bare(State &state)
{
    auto batch = static_cast<unsigned>(state.range(0));
    io_uring ring;
    io_uring_params params = {};

    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    require(io_uring_queue_init_params(batch, &ring, &params), "io_uring_queue_init");
    require(io_uring_register_ring_fd(&ring), "io_uring_register_ring_fd");
    for (auto _ : state) {
        io_uring_cqe *cqe;
        unsigned head, seen = 0;

        for (unsigned i = 0; i < batch; i++)
            io_uring_prep_nop(io_uring_get_sqe(&ring));
        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, cqe) seen += cqe->res == 0;
        io_uring_cq_advance(&ring, seen);
    }
    io_uring_queue_exit(&ring);
    per_op(state, static_cast<double>(state.iterations()) * batch);
}
BENCHMARK(ring_nop_bare)->Arg(1)->Arg(64);

void prepare_nop(io_uring_sqe *sqe, void *)
{
    io_uring_prep_nop(sqe);
}

int nop(void)
{
    return ouro_submit_sqe(prepare_nop, nullptr, nullptr);
}

int nop_until_stopped(void *)
{
    while (!stopping) {
        nop();
        operation_count++;
    }
    return 0;
}

void task_nop(State &state)
{
    run_in_loop(state, [](State &inner) { side_by_side(inner, nop_until_stopped, nop); });
}
BENCHMARK(task_nop)->Arg(1)->Arg(64);

/* --- files and threads: time, as others work for it -------------------------------------------- */

void read_file(State &state)
{
    run_in_loop(state, [](State &inner) {
        int fd = ouro_open("/proc/self/exe", O_RDONLY, 0);
        char data[4096];

        require(fd, "ouro_open");
        for (auto _ : inner)
            require(ouro_pread(fd, data, sizeof(data), 0), "ouro_pread");
        require(ouro_close(fd), "ouro_close");
        per_op(inner, static_cast<double>(inner.iterations()));
    });
}
BENCHMARK(read_file)->UseRealTime();

/* Its floor: the system call. */
void read_file_bare(State &state)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char data[4096];

    require(fd, "open");
    for (auto _ : state)
        require(pread(fd, data, sizeof(data), 0), "pread");
    close(fd);
    per_op(state, static_cast<double>(state.iterations()));
}
BENCHMARK(read_file_bare)->UseRealTime();

void offload(State &state)
{
    run_in_loop(state, [](State &inner) {
        for (auto _ : inner)
            require(ouro_offload(return_at_once, nullptr, nullptr), "ouro_offload");
        per_op(inner, static_cast<double>(inner.iterations()));
    });
}
BENCHMARK(offload)->UseRealTime();

/* --- sleeping ---------------------------------------------------------------------------- */

int64_t sleep_span; /* long enough that the sleepers' work fills the time */
uint32_t sleep_seed;

int sleep_random(void)
{
    return ouro_sleep(1 + next_random(&sleep_seed) % sleep_span);
}

int sleep_until_stopped(void *)
{
    while (!stopping) {
        sleep_random();
        operation_count++;
    }
    return 0;
}

void task_sleep(State &state)
{
    sleep_span = state.range(0) * 50;
    sleep_seed = 1;
    run_in_loop(state,
                [](State &inner) { side_by_side(inner, sleep_until_stopped, sleep_random); });
}
BENCHMARK(task_sleep)->Arg(1000)->Arg(100000);

void timeout_scope(State &state)
{
    run_in_loop(state, [](State &inner) {
        for (auto _ : inner) {
            ouro_timeout scope;

            ouro_timeout_begin(&scope, OURO_SECOND);
            benchmark::DoNotOptimize(ouro_timeout_end(&scope));
        }
        per_op(inner, static_cast<double>(inner.iterations()));
    });
}
BENCHMARK(timeout_scope);

} // namespace

BENCHMARK_MAIN();
