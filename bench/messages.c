/* SPDX-License-Identifier: MIT */
/*
 * messages - what a message from one loop to another costs, and that none is lost
 *
 * Question: how long is a round trip between two threads that are awake, and between two that
 *           sleep; how many messages per second go one way; is every sleeper woken?
 * Run:      build/bench/messages [--rounds 1000000] [--count 10000000]
 * Prints:   round trip, both awake     median 260 ns, 90 % 290 ns, 99 % 330 ns, 0 + 0 system calls in ...
 *           round trip, both asleep    median 30255 ns, ...
 *           one way, receiver awake    10000000 messages, 70.7 ns each, 0.00 % found a sleeper; lost: 0
 *           one way                    ...
 *           bursts                     10000000 messages, 811.2 ns each, 1.33 % found a sleeper; lost: 0
 *           Bursts are followed by pauses at random, so that messages meet a loop that is awake,
 *           asleep, or about to fall asleep. System calls are those of either shard.
 *           The exit status is 1 when a message is lost or out of order, or all takes too long.
 *
 * Two shards, each on a CPU of its own. A sender learns of a delivery by a counter that the
 * receiver moves, so that as many messages are on their way as there are slots.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"

#define LIMIT       (60 * OURO_SECOND) /* for each question */
#define WARM_UP     1000
#define SLEEP_SHARE 50 /* of so many rounds of the awake one is done by sleepers */
#define SLOTS       256
#define BURST_MAX   64
#define PAUSE_MAX   100000 /* ns; a loop without work sleeps after a few hundred */

/* --- two shards ------------------------------------------------------------------------------- */

/* What a shard has to itself; the other one only sends messages to it. */
struct side {
    _Alignas(128) struct ouro_message hello; /* its own, to the other one */
    struct ouro_future met;
    struct ouro_mailbox box;
    struct ouro_counters before, after;
    bool is_told; /* by the last message */
};

static struct side sides[2];

static struct side *own_side(void)
{
    return &sides[ouro_shard_index()];
}

static struct ouro_inbox *other_inbox(void)
{
    return ouro_shard_inbox(1 - ouro_shard_index());
}

static void deliver_hello(struct ouro_message *message)
{
    (void) message;
    (void) ouro_future_set(&own_side()->met, NULL);
}

/* Both shards call it, and go on when both have. */
static int meet(void)
{
    struct side *self = own_side();
    int code;

    self->hello.deliver = deliver_hello;
    code = ouro_post(other_inbox(), &self->hello);
    if (!code)
        code = ouro_future_wait(&self->met, NULL);
    ouro_future_init(&self->met);
    return code;
}

/* Runs `fns[i](NULL)` on shard i, within the time limit. */
struct duel {
    ouro_task_fn *fns[2];
};

static int run_side(void *arg)
{
    const struct duel *duel = arg;
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin(&limit, LIMIT);
    ouro_mailbox_init(&own_side()->box);
    code = meet();
    if (!code)
        code = duel->fns[ouro_shard_index()](NULL);
    ouro_mailbox_done(&own_side()->box);
    if (ouro_timeout_end(&limit))
        code = -ETIMEDOUT;
    return code;
}

static int run_duel(ouro_task_fn *first, ouro_task_fn *second)
{
    const struct ouro_run_options options = {.shards = 2, .pin = true};
    struct duel duel = {{first, second}};
    int code;

    memset(sides, 0, sizeof(sides));
    code = ouro_run(run_side, &duel, &options);
    if (code)
        fprintf(stderr, "messages: %s\n", ouro_strerror(code));
    return code;
}

/* --- round trips ------------------------------------------------------------------------------ */

enum event { PLAY, BEGIN, END };

struct ball {
    struct ouro_message message; /* first: a pointer to the message is one to this */
    enum event event;
};

static struct rally {
    struct ball ball; /* of the shard where it is */
    int64_t *samples;
    size_t round_count;
} rally;

static uint64_t system_calls(const struct side *side)
{
    return side->after.system_calls - side->before.system_calls;
}

static void note_event(struct side *self, enum event event)
{
    if (event == BEGIN)
        (void) ouro_stats(&self->before);
    else if (event == END)
        (void) ouro_stats(&self->after);
}

/* Awake: what hits the ball back is its delivery. */
static void hit(struct ouro_message *message)
{
    enum event event = ((struct ball *) (void *) message)->event;

    if (ouro_shard_index() == 0) {
        own_side()->is_told = true;
        return;
    }
    note_event(own_side(), event);
    own_side()->is_told = event == END;
    (void) ouro_post(other_inbox(), message);
}

static int go_round_awake(enum event event)
{
    struct side *self = own_side();
    int code;

    rally.ball.event = event;
    rally.ball.message.deliver = hit;
    self->is_told = false;
    code = ouro_post(other_inbox(), &rally.ball.message);
    while (!code && !self->is_told)
        code = ouro_yield();
    return code;
}

static int stay_awake(void *arg)
{
    int code = 0;

    (void) arg;
    while (!code && !own_side()->is_told)
        code = ouro_yield();
    return code;
}

/* Asleep: a task on each side waits for it. */
static int go_round_asleep(enum event event)
{
    struct ouro_message *message;
    int code;

    rally.ball.event = event;
    code = ouro_mailbox_send(&sides[1].box, &rally.ball.message);
    return code ? code : ouro_mailbox_receive(&sides[0].box, &message);
}

static int hit_back(void *arg)
{
    struct ouro_message *message;
    enum event event = PLAY;
    int code = 0;

    (void) arg;
    while (!code && event != END) {
        code = ouro_mailbox_receive(&sides[1].box, &message);
        if (code)
            break;
        event = ((struct ball *) (void *) message)->event;
        note_event(&sides[1], event);
        code = ouro_mailbox_send(&sides[0].box, message);
    }
    return code;
}

static int measure_rounds(int (*go_round)(enum event event))
{
    int64_t now, start;
    int code = 0;

    for (int i = 0; i < WARM_UP && !code; i++)
        code = go_round(PLAY);
    if (!code)
        code = go_round(BEGIN);
    note_event(&sides[0], BEGIN);
    start = ouro_now();
    for (size_t i = 0; i < rally.round_count && !code; i++) {
        code = go_round(PLAY);
        now = ouro_now();
        rally.samples[i] = now - start;
        start = now;
    }
    note_event(&sides[0], END);
    return code ? code : go_round(END);
}

static int measure_awake(void *arg)
{
    (void) arg;
    return measure_rounds(go_round_awake);
}

static int measure_asleep(void *arg)
{
    (void) arg;
    return measure_rounds(go_round_asleep);
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *) a, right = *(const int64_t *) b;

    return (left > right) - (left < right);
}

static int report_rounds(const char *what, ouro_task_fn *first, ouro_task_fn *second, size_t rounds)
{
    int code;

    rally.round_count = rounds;
    rally.samples = calloc(rounds, sizeof(*rally.samples));
    if (!rally.samples)
        return -ENOMEM;
    code = run_duel(first, second);
    if (!code) {
        qsort(rally.samples, rounds, sizeof(*rally.samples), compare);
        printf("%-26s median %lld ns, 90 %% %lld ns, 99 %% %lld ns, %llu + %llu system calls in "
               "%zu rounds\n",
               what, (long long) rally.samples[rounds / 2],
               (long long) rally.samples[rounds / 10 * 9],
               (long long) rally.samples[rounds / 100 * 99],
               (unsigned long long) system_calls(&sides[0]),
               (unsigned long long) system_calls(&sides[1]), rounds);
    }
    free(rally.samples);
    return code;
}

/* --- one way ------------------------------------------------------------------------------------ */

struct parcel {
    struct ouro_message message; /* first */
    uint64_t number;
};

static struct stream {
    struct parcel slots[SLOTS];
    uint64_t count;
    bool has_pauses;                       /* the receiver is to fall asleep now and then */
    int64_t duration;                      /* the sender's */
    _Alignas(128) atomic_ullong delivered; /* moved by shard 0 only */
    _Alignas(128) uint64_t out_of_order;   /* shard 0's, as is: */
    struct ouro_future all_came;
} stream;

static void take(struct ouro_message *message)
{
    const struct parcel *parcel = (struct parcel *) (void *) message;
    uint64_t expected = atomic_load_explicit(&stream.delivered, memory_order_relaxed);

    stream.out_of_order += parcel->number != expected;
    atomic_store_explicit(&stream.delivered, expected + 1, memory_order_release);
    if (expected + 1 == stream.count)
        (void) ouro_future_set(&stream.all_came, NULL);
}

/* Waits until at most `slots` parcels are on their way. */
static int await_delivery(uint64_t sent, uint64_t slots)
{
    int code = 0;

    while (!code && sent - atomic_load_explicit(&stream.delivered, memory_order_acquire) > slots)
        code = ouro_yield();
    return code;
}

/* After a burst: goes on, or waits until all have come, and perhaps until the receiver sleeps. */
static int pause_at_random(unsigned *seed, uint64_t sent)
{
    int choice = rand_r(seed) % 4;
    int64_t until;
    int code = 0;

    if (choice < 2)
        return 0;
    code = await_delivery(sent, 0);
    until = ouro_now() + (choice == 2 ? 0 : rand_r(seed) % PAUSE_MAX);
    while (!code && ouro_now() < until)
        code = ouro_yield();
    return code;
}

static int send_all(void *arg)
{
    int64_t start = ouro_now();
    unsigned seed = 1;
    uint64_t sent = 0, burst_end = stream.has_pauses ? 1 : stream.count;
    int code = 0;

    (void) arg;
    while (sent < stream.count && !code) {
        struct parcel *parcel = &stream.slots[sent % SLOTS];

        code = await_delivery(sent, SLOTS - 1);
        if (code)
            break;
        *parcel = (struct parcel) {{.deliver = take}, sent};
        code = ouro_post(other_inbox(), &parcel->message);
        if (++sent < burst_end || code)
            continue;
        code = pause_at_random(&seed, sent);
        burst_end = sent + 1 + (unsigned) rand_r(&seed) % BURST_MAX;
    }
    if (!code)
        code = await_delivery(sent, 0);
    stream.duration = ouro_now() - start;
    return code;
}

static int receive_asleep(void *arg)
{
    int code;

    (void) arg;
    note_event(&sides[0], BEGIN);
    code = ouro_future_wait(&stream.all_came, NULL);
    note_event(&sides[0], END);
    return code;
}

static int receive_awake(void *arg)
{
    int code = 0;

    (void) arg;
    note_event(&sides[0], BEGIN);
    while (!code && !ouro_future_is_done(&stream.all_came))
        code = ouro_yield();
    note_event(&sides[0], END);
    return code;
}

/* Whoever finds a sleeper writes to its eventfd: a completion for the receiver, its only ones. */
static int report_stream(const char *what, ouro_task_fn *receive, uint64_t count, bool has_pauses)
{
    uint64_t delivered, woken;
    int code;

    memset(&stream, 0, sizeof(stream));
    stream.count = count;
    stream.has_pauses = has_pauses;
    code = run_duel(receive, send_all);
    delivered = atomic_load(&stream.delivered);
    woken = sides[0].after.cqes - sides[0].before.cqes;
    if (!code)
        printf("%-26s %llu messages, %.1f ns each, %.2f %% found a sleeper; lost: 0\n", what,
               (unsigned long long) count, (double) stream.duration / (double) count,
               100.0 * (double) woken / (double) count);
    else
        printf("%-26s %llu of %llu messages came\n", what, (unsigned long long) delivered,
               (unsigned long long) count);
    if (stream.out_of_order) {
        fprintf(stderr, "messages: out of order: %llu\n", (unsigned long long) stream.out_of_order);
        code = -EIO;
    }
    return code;
}

/* --- the command line ------------------------------------------------------------------------- */

static int measure_all(size_t rounds, uint64_t count)
{
    size_t fewer = rounds / SLEEP_SHARE < 1000 ? 1000 : rounds / SLEEP_SHARE;
    int code = report_rounds("round trip, both awake", measure_awake, stay_awake, rounds);

    if (!code)
        code = report_rounds("round trip, both asleep", measure_asleep, hit_back, fewer);
    if (!code)
        code = report_stream("one way, receiver awake", receive_awake, count, false);
    if (!code)
        code = report_stream("one way", receive_asleep, count, false);
    if (!code)
        code = report_stream("bursts", receive_asleep, count, true);
    return code;
}

int main(int argc, char **argv)
{
    long long rounds = 1000000, count = 10000000;
    bool is_understood = true;
    cpu_set_t cpus;

    for (int i = 1; i < argc && is_understood; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--rounds") == 0)
            rounds = atoll(argv[i + 1]);
        else if (i + 1 < argc && strcmp(argv[i], "--count") == 0)
            count = atoll(argv[i + 1]);
        else
            is_understood = false;
    }
    if (!is_understood || rounds < 1 || count < 1) {
        fprintf(stderr, "usage: messages [--rounds N] [--count N]\n");
        return 2;
    }
    if (sched_getaffinity(0, sizeof(cpus), &cpus) || CPU_COUNT(&cpus) < 2) {
        fprintf(stderr, "messages: two threads that are awake need two CPUs\n");
        return 2;
    }
    return measure_all((size_t) rounds, (uint64_t) count) ? 1 : 0;
}
