/* SPDX-License-Identifier: MIT */
/*
 * shard.c - ouro_run() on several threads; see ouro_shard.h
 *
 * Shard 0 is the caller's thread. All loops exist before the first task runs, so that each
 * can post to each; inboxes outlive their loops, so that a late message is refused, not lost.
 *
 * Shard 0 has the process's signals. Its main task may end before the others: its inbox is then
 * closed as anybody's, but its loop stays, without tasks, and obeys signals until the last of the
 * others has ended.
 *
 * Stopping is a message to each shard. Each carries its own, which is posted at most once.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cpus.h"
#include "dump.h"
#include "inbox.h"
#include "ouro_shard.h"
#include "shard.h"

#define SHARDS_MAX 1024

struct shard {
    struct shards *all;
    unsigned index;
    pthread_t thread;
    struct ouro_loop loop;
    struct ouro_inbox *inbox; /* a reference; NULL: its loop could not be made */
    struct ouro_message stop;
    const char *stop_reason;
    atomic_bool is_stop_posted;
    struct ouro_message dump;
    atomic_bool is_dump_posted;
    int code; /* why its loop could not be made; else what its main returned */
};

struct shards {
    unsigned count;
    ouro_task_fn *fn;
    void *arg;
    const struct ouro_run_options *options;
    const struct ring_config *config;
    struct cpus cpus; /* that the process may use; known if shards are to be pinned */
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    bool first_is_open;      /* or could not be: only with config.shares_thread does anybody care */
    unsigned expected_count; /* of shards whose loops are made, or could not be */
    unsigned arrived_count;
    atomic_uint other_count; /* loops beside the first that have not ended */
    atomic_int setup_error;  /* the first one */
    atomic_int error;        /* the first that a main returned */
    struct shard shards[];
};

/* --- how many -------------------------------------------------------------------------------- */

unsigned ouro__shard_count(const struct ouro_run_options *options)
{
    unsigned count = options->shards;

    if (count == 0)
        return 1;
    if (count == OURO_SHARD_PER_CPU) {
        count = ouro__cpus_count();
        return count < SHARDS_MAX ? count : SHARDS_MAX;
    }
    return count <= SHARDS_MAX ? count : 0;
}

/* --- stopping ------------------------------------------------------------------------------------ */

static void stop_here(struct ouro_message *message)
{
    struct shard *shard = container_of(message, struct shard, stop);

    (void) ouro_cancel_because(shard->loop.main_id, shard->stop_reason);
}

void ouro__shard_stop_all(struct shard *shard, const char *reason)
{
    struct shards *all = shard->all;

    for (unsigned i = 0; i < all->count; i++) {
        struct shard *each = &all->shards[i];

        if (each->inbox && !atomic_exchange(&each->is_stop_posted, true)) {
            each->stop_reason = reason;
            (void) ouro_post(each->inbox, &each->stop);
        }
    }
}

static void dump_here(struct ouro_message *message)
{
    struct shard *shard = container_of(message, struct shard, dump);

    atomic_store(&shard->is_dump_posted, false);
    (void) ouro__dump(&shard->loop.dispatcher, STDERR_FILENO);
}

void ouro__shard_dump_all(struct shard *shard)
{
    struct shards *all = shard->all;

    for (unsigned i = 0; i < all->count; i++) {
        struct shard *each = &all->shards[i];

        if (each->inbox && !atomic_exchange(&each->is_dump_posted, true))
            (void) ouro_post(each->inbox, &each->dump);
    }
}

/* --- who ends when ---------------------------------------------------------------------------- */

bool ouro__shard_is_first(const struct shard *shard)
{
    return shard->index == 0;
}

bool ouro__shard_may_end(const struct shard *shard)
{
    return shard->index > 0 || atomic_load(&shard->all->other_count) == 0;
}

/* Our thread is joined before inboxes are given back. */
static void note_end(struct shard *shard)
{
    struct ouro_inbox *first = shard->all->shards[0].inbox;

    if (shard->index > 0 && atomic_fetch_sub(&shard->all->other_count, 1) == 1 && first)
        ouro__inbox_rouse(first);
}

/* --- one shard ------------------------------------------------------------------------------------ */

/* Keeps the first error. */
static void fail_setup(struct shards *all, int code)
{
    int none = 0;

    (void) atomic_compare_exchange_strong(&all->setup_error, &none, code);
}

static void expect(struct shards *all, unsigned count)
{
    (void) pthread_mutex_lock(&all->lock);
    all->expected_count = count;
    (void) pthread_cond_broadcast(&all->arrived);
    (void) pthread_mutex_unlock(&all->lock);
}

/* Waits for all others. */
static void meet(struct shards *all)
{
    (void) pthread_mutex_lock(&all->lock);
    all->arrived_count++;
    (void) pthread_cond_broadcast(&all->arrived);
    while (all->expected_count == 0 || all->arrived_count < all->expected_count)
        (void) pthread_cond_wait(&all->arrived, &all->lock);
    (void) pthread_mutex_unlock(&all->lock);
}

/* The main task of each shard. */
static int run_main(void *arg)
{
    struct shard *shard = arg;
    int none = 0;
    int code;

    if (atomic_load(&shard->all->setup_error))
        return 0;
    code = shard->all->fn(shard->all->arg);
    if (code < 0 && atomic_compare_exchange_strong(&shard->all->error, &none, code))
        ouro__shard_stop_all(shard, "another shard failed");
    return code;
}

/* The SQ thread of a pinned shard would inherit its one CPU. */
static void place_sq_thread(const struct shard *shard, struct ring_config *config)
{
    const struct shards *all = shard->all;

    if (!all->options->pin || config->has_cpu || all->cpus.count < 2)
        return;
    config->cpu = (unsigned) ouro__cpus_number(
        &all->cpus, ouro__ring_mode_place(config, shard->index, all->count, all->cpus.count));
    config->has_cpu = true;
}

/* The first shard's SQ thread is there before the others attach to it. Returns the first's code. */
static int attach_to_first(struct shard *shard, struct ring_config *config)
{
    struct shards *all = shard->all;

    (void) pthread_mutex_lock(&all->lock);
    while (!all->first_is_open)
        (void) pthread_cond_wait(&all->arrived, &all->lock);
    (void) pthread_mutex_unlock(&all->lock);
    if (all->shards[0].inbox && all->shards[0].loop.dispatcher.ring.mode == RING_SQPOLL)
        config->attach_to = &all->shards[0].loop.dispatcher.ring;
    else
        config->mode = RING_BATCH; /* as the first, or about to end */
    return atomic_load(&all->setup_error);
}

static void note_first_is_open(struct shards *all)
{
    (void) pthread_mutex_lock(&all->lock);
    all->first_is_open = true;
    (void) pthread_cond_broadcast(&all->arrived);
    (void) pthread_mutex_unlock(&all->lock);
}

static int make_loop(struct shard *shard)
{
    const struct shards *all = shard->all;
    struct ring_config config = *all->config; /* its trace_path points into the original */
    int code = 0;

    if (all->options->pin)
        ouro__cpus_pin(&all->cpus, shard->index);
    if (config.mode == RING_SQPOLL) {
        place_sq_thread(shard, &config);
        if (config.shares_thread && shard->index > 0)
            code = attach_to_first(shard, &config);
    }
    if (code)
        return code;
    return ouro__loop_open(&shard->loop, run_main, shard, all->options, &config, shard);
}

static int open_loop(struct shard *shard)
{
    int code = make_loop(shard);

    if (code) {
        fail_setup(shard->all, code);
        return code;
    }
    shard->inbox = ouro_inbox_ref();
    if (shard->index > 0)
        atomic_fetch_add(&shard->all->other_count, 1);
    return 0;
}

static void *run_shard(void *arg)
{
    struct shard *shard = arg;
    int code = open_loop(shard);

    if (shard->index == 0)
        note_first_is_open(shard->all);
    meet(shard->all);
    if (!code) {
        ouro__loop_run(&shard->loop);
        code = ouro__loop_close(&shard->loop);
        note_end(shard);
    }
    shard->code = code;
    return NULL;
}

/* --- all --------------------------------------------------------------------------------------------- */

static struct shards *create(unsigned count)
{
    struct shards *all = calloc(1, sizeof(*all) + count * sizeof(all->shards[0]));

    if (!all)
        return NULL;
    all->count = count;
    (void) pthread_mutex_init(&all->lock, NULL);
    (void) pthread_cond_init(&all->arrived, NULL);
    for (unsigned i = 0; i < count; i++) {
        all->shards[i].all = all;
        all->shards[i].index = i;
        all->shards[i].stop.deliver = stop_here;
        all->shards[i].dump.deliver = dump_here;
    }
    return all;
}

static void destroy(struct shards *all)
{
    for (unsigned i = 0; i < all->count; i++)
        ouro_inbox_unref(all->shards[i].inbox);
    ouro__cpus_done(&all->cpus);
    (void) pthread_cond_destroy(&all->arrived);
    (void) pthread_mutex_destroy(&all->lock);
    free(all);
}

/* Returns how many of the threads could be started. */
static unsigned start_threads(struct shards *all)
{
    for (unsigned i = 1; i < all->count; i++) {
        int code = -pthread_create(&all->shards[i].thread, NULL, run_shard, &all->shards[i]);

        if (code) {
            fail_setup(all, code);
            (void) fprintf(stderr, "ouro: cannot start thread %u of %u: %s\n", i + 1, all->count,
                           ouro_strerror(code));
            return i - 1;
        }
    }
    return all->count - 1;
}

static int result_of(const struct shards *all)
{
    int code = atomic_load(&all->setup_error);

    if (!code)
        code = atomic_load(&all->error);
    return code ? code : all->shards[0].code;
}

int ouro__shard_run(unsigned count, ouro_task_fn *fn, void *arg,
                    const struct ouro_run_options *options, const struct ring_config *config)
{
    struct shards *all = create(count);
    unsigned started;
    int result;

    if (!all)
        return -ENOMEM;
    all->fn = fn;
    all->arg = arg;
    all->options = options;
    all->config = config;
    if (options->pin)
        ouro__cpus_get(&all->cpus);
    started = start_threads(all);
    expect(all, started + 1);
    (void) run_shard(&all->shards[0]);
    for (unsigned i = 1; i <= started; i++)
        (void) pthread_join(all->shards[i].thread, NULL);
    if (options->pin)
        ouro__cpus_unpin(&all->cpus);
    result = result_of(all);
    destroy(all);
    return result;
}

/* --- asking -------------------------------------------------------------------------------------------- */

static const struct shard *own_shard(const char *caller)
{
    CHECK(ouro__dispatcher, caller);
    return ouro__loop_of(ouro__dispatcher)->shard;
}

unsigned ouro_shard_count(void)
{
    const struct shard *shard = own_shard("ouro_shard_count() needs a loop");

    return shard ? shard->all->count : 1;
}

unsigned ouro_shard_index(void)
{
    const struct shard *shard = own_shard("ouro_shard_index() needs a loop");

    return shard ? shard->index : 0;
}

struct ouro_inbox *ouro_shard_inbox(unsigned index)
{
    const struct shard *shard = own_shard("ouro_shard_inbox() needs a loop");

    CHECK(index < ouro_shard_count(), "ouro_shard_inbox() of a shard that does not exist");
    return shard ? shard->all->shards[index].inbox : ouro__dispatcher->inbox;
}
