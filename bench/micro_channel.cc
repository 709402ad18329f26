/* SPDX-License-Identifier: MIT */
/*
 * micro_channel - what channels, select and futures cost
 *
 * Run:    build/bench/micro_channel [--benchmark_filter=REGEX --benchmark_repetitions=N]
 * Prints: one line per question; the column per_op is what counts: CPU time for one item that
 *         was sent and received, or for one wait, with all switches between tasks.
 *
 * channel_pass/CAPACITY: one task sends, one receives. select_ready: eight channels are ready.
 * select_wait: none is, and eight senders take turns. future_wait: a future for each wait.
 */
#include <vector>

#include "micro.h"

namespace
{

using namespace micro;

int send_for_ever(void *arg)
{
    auto *channel = static_cast<ouro_channel *>(arg);
    int64_t item = 0;

    while (!ouro_channel_send(channel, &item))
        item++;
    return 0;
}

/* Iterations are items. */
void pass(State &state)
{
    std::vector<int64_t> buffer(static_cast<size_t>(state.range(0)));
    ouro_channel channel;
    ouro_task_id sender;
    int64_t item;

    ouro_channel_init(&channel, buffer.data(), sizeof(int64_t), buffer.size());
    sender = ouro_spawn(send_for_ever, &channel);
    for (auto _ : state)
        require(ouro_channel_receive(&channel, &item), "ouro_channel_receive");
    ouro_channel_close(&channel);
    require(ouro_join(sender, nullptr), "ouro_join");
    per_op(state, static_cast<double>(state.iterations()));
}

void channel_pass(State &state)
{
    run_in_loop(state, pass);
}
BENCHMARK(channel_pass)->Arg(0)->Arg(1)->Arg(64);

constexpr size_t case_count = 8;

struct board {
    ouro_channel channels[case_count];
    int64_t buffers[case_count];
    int64_t item = 0;
    ouro_select_case cases[case_count] = {};

    explicit board(size_t capacity)
    {
        for (size_t i = 0; i < case_count; i++) {
            ouro_channel_init(&channels[i], &buffers[i], sizeof(int64_t), capacity);
            cases[i].channel = &channels[i];
            cases[i].operation = OURO_SELECT_RECEIVE;
            cases[i].item = &item;
        }
    }
};

/* Each item that was taken is put back. */
void select_ready(State &state)
{
    run_in_loop(state, [](State &inner) {
        board all(1);

        for (auto &channel : all.channels)
            require(ouro_channel_try_send(&channel, &all.item), "ouro_channel_try_send");
        for (auto _ : inner) {
            int index = ouro_select(all.cases, case_count, 0);

            require(index, "ouro_select");
            (void) ouro_channel_try_send(&all.channels[index], &all.item);
        }
        per_op(inner, static_cast<double>(inner.iterations()));
    });
}
BENCHMARK(select_ready);

int send_to_each_in_turn(void *arg)
{
    auto *all = static_cast<board *>(arg);
    int64_t item = 0;

    for (size_t i = 0; !ouro_channel_send(&all->channels[i % case_count], &item); i++)
        require(ouro_yield(), "ouro_yield"); /* the other task waits again */
    return 0;
}

void select_wait(State &state)
{
    run_in_loop(state, [](State &inner) {
        board all(0);
        ouro_task_id sender = ouro_spawn(send_to_each_in_turn, &all);

        for (auto _ : inner)
            require(ouro_select(all.cases, case_count, 0), "ouro_select");
        for (auto &channel : all.channels)
            ouro_channel_close(&channel);
        require(ouro_join(sender, nullptr), "ouro_join");
        per_op(inner, static_cast<double>(inner.iterations()));
    });
}
BENCHMARK(select_wait);

struct mailbox {
    ouro_future *future;
    bool stopping;
};

int set_futures(void *arg)
{
    auto *box = static_cast<mailbox *>(arg);

    while (!box->stopping) {
        if (box->future)
            (void) ouro_future_set(box->future, box);
        box->future = nullptr;
        require(ouro_yield(), "ouro_yield");
    }
    return 0;
}

void future_wait(State &state)
{
    run_in_loop(state, [](State &inner) {
        mailbox box = {nullptr, false};
        ouro_task_id setter = ouro_spawn(set_futures, &box);

        for (auto _ : inner) {
            ouro_future future = OURO_FUTURE_INIT;

            box.future = &future;
            require(ouro_future_wait(&future, nullptr), "ouro_future_wait");
        }
        box.stopping = true;
        require(ouro_join(setter, nullptr), "ouro_join");
        per_op(inner, static_cast<double>(inner.iterations()));
    });
}
BENCHMARK(future_wait);

int return_at_once(void *)
{
    return 0;
}

/* Iterations start that many tasks and take them as they complete. */
void wait_any(State &state)
{
    run_in_loop(state, [](State &inner) {
        std::vector<ouro_task_id> ids(static_cast<size_t>(inner.range(0)));

        for (auto _ : inner) {
            for (auto &id : ids)
                id = ouro_spawn(return_at_once, nullptr);
            for (size_t count = ids.size(); count > 0; count--) {
                size_t index;

                require(ouro_wait_any(ids.data(), count, &index), "ouro_wait_any");
                require(ouro_join(ids[index], nullptr), "ouro_join");
                ids[index] = ids[count - 1];
            }
        }
        per_op(inner, static_cast<double>(inner.iterations() * inner.range(0)));
    });
}
BENCHMARK(wait_any)->Arg(2)->Arg(16)->Arg(100);

} // namespace

BENCHMARK_MAIN();
