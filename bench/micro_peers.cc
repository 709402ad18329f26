/* SPDX-License-Identifier: MIT */
/*
 * micro_peers - what ucontext and libuv take for what micro.cc measures
 *
 * Run:    build/bench/micro_peers [--benchmark_filter=REGEX --benchmark_repetitions=N]
 * Prints: one line per primitive, with per_op as micro has it. Which of ours does the same job:
 *
 *         ucontext_resume_yield   coro_resume_yield
 *         ucontext_spawn          task_spawn_join, without the loop
 *         uv_callback             task_yield: a trip through the loop's queue, which looks at its
 *                                 descriptors each time round
 *         uv_timer                task_sleep, at libuv's resolution of a millisecond
 *         uv_read_file            read_file
 *         uv_work                 offload
 *
 * libuv calls functions, which keep their state themselves; it switches no stacks. Without libuv's
 * header the last four are missing.
 */
#include <ucontext.h>

#include <fcntl.h>
#include <memory>
#include <unistd.h>
#include <vector>

#if __has_include(<uv.h>)
#include <uv.h>
#define HAS_UV 1
#endif

#include "micro.h"

namespace
{

using namespace micro;

constexpr size_t STACK_BYTES = 64 * 1024;

/* --- ucontext --------------------------------------------------------------------------------- */

struct context {
    ucontext_t own, resumer;
    std::unique_ptr<char[]> stack{new char[STACK_BYTES]};
};

/* makecontext() passes integers only. */
context *starting;

void yield_for_ever()
{
    context *self = starting;

    for (;;)
        swapcontext(&self->own, &self->resumer);
}

void return_at_once()
{
}

void make(context *self, void (*fn)())
{
    getcontext(&self->own);
    self->own.uc_stack.ss_sp = self->stack.get();
    self->own.uc_stack.ss_size = STACK_BYTES;
    self->own.uc_link = &self->resumer;
    makecontext(&self->own, fn, 0);
}

void resume(context *self)
{
    starting = self;
    swapcontext(&self->resumer, &self->own);
}

/* A system call for each of the two switches: glibc saves the signal mask. */
void ucontext_resume_yield(State &state)
{
    std::vector<context> contexts(static_cast<size_t>(state.range(0)));
    uint64_t resumed = 0;

    for (auto &context : contexts)
        make(&context, yield_for_ever);
    for (auto _ : state) {
        for (auto &context : contexts)
            resume(&context);
        resumed += contexts.size();
    }
    per_op(state, static_cast<double>(resumed));
}
BENCHMARK(ucontext_resume_yield)->Arg(64)->Arg(1000)->Arg(10000);

void ucontext_spawn(State &state)
{
    context context;

    for (auto _ : state) {
        make(&context, return_at_once);
        resume(&context);
    }
    per_op(state, static_cast<double>(state.iterations()));
}
BENCHMARK(ucontext_spawn);

/* --- libuv ------------------------------------------------------------------------------------ */

#ifdef HAS_UV

uint64_t callback_count;
uint32_t timer_seed = 1;

struct uv {
    uv_loop_t loop;

    uv()
    {
        require(uv_loop_init(&loop), "uv_loop_init");
        callback_count = 0;
    }
    ~uv()
    {
        uv_walk(&loop, [](uv_handle_t *handle, void *) { uv_close(handle, nullptr); }, nullptr);
        uv_run(&loop, UV_RUN_DEFAULT);
        require(uv_loop_close(&loop), "uv_loop_close");
    }
    uv(const uv &) = delete;
    uv &operator=(const uv &) = delete;
};

void uv_callback(State &state)
{
    std::vector<uv_idle_t> handles(static_cast<size_t>(state.range(0)));
    uv uv; /* closes them before they go */

    for (auto &handle : handles) {
        uv_idle_init(&uv.loop, &handle);
        uv_idle_start(&handle, [](uv_idle_t *) { callback_count++; });
    }
    for (auto _ : state)
        uv_run(&uv.loop, UV_RUN_NOWAIT);
    per_op(state, static_cast<double>(callback_count));
}
BENCHMARK(uv_callback)->Arg(64)->Arg(1000)->Arg(10000);

/*
 * In milliseconds: 50 ns for each timer, as in task_sleep, but two at the least. Where the loop waits
 * it takes no CPU time, which is what counts.
 */
uint64_t timer_span;

void rearm(uv_timer_t *timer)
{
    callback_count++;
    uv_timer_start(timer, rearm, 1 + next_random(&timer_seed) % timer_span, 0);
}

void uv_timer(State &state)
{
    std::vector<uv_timer_t> timers(static_cast<size_t>(state.range(0)));
    uv uv;

    timer_span = 2 + timers.size() / 20000;
    for (auto &timer : timers) {
        uv_timer_init(&uv.loop, &timer);
        uv_timer_start(&timer, rearm, 1, 0);
    }
    for (auto _ : state)
        uv_run(&uv.loop, UV_RUN_ONCE);
    per_op(state, static_cast<double>(callback_count));
}
BENCHMARK(uv_timer)->Arg(1000)->Arg(100000);

/* One at a time, as a thread of libuv's pool reads. */
void uv_read_file(State &state)
{
    uv uv;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char data[4096];

    require(fd, "open");
    for (auto _ : state) {
        uv_buf_t buf = uv_buf_init(data, sizeof(data));
        uv_fs_t request;

        uv_fs_read(&uv.loop, &request, fd, &buf, 1, 0, [](uv_fs_t *) {});
        uv_run(&uv.loop, UV_RUN_DEFAULT);
        if (request.result != static_cast<ssize_t>(sizeof(data)))
            state.SkipWithError("a short read");
        uv_fs_req_cleanup(&request);
    }
    close(fd);
    per_op(state, static_cast<double>(state.iterations()));
}
BENCHMARK(uv_read_file)->UseRealTime();

void uv_work(State &state)
{
    uv uv;

    for (auto _ : state) {
        uv_work_t request;

        uv_queue_work(&uv.loop, &request, [](uv_work_t *) {}, [](uv_work_t *, int) {});
        uv_run(&uv.loop, UV_RUN_DEFAULT);
    }
    per_op(state, static_cast<double>(state.iterations()));
}
BENCHMARK(uv_work)->UseRealTime();

#endif

} // namespace

BENCHMARK_MAIN();
