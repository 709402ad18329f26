/* SPDX-License-Identifier: MIT */
/*
 * loop.c - a loop from its first task to its last, and what is said on stderr
 *
 * Besides the files that end the process the only one of the engine that prints: whoever
 * makes a loop hands over the program.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buffer_pool.h"
#include "cpus.h"
#include "dump.h"
#include "inbox.h"
#include "loop.h"
#include "offload.h"
#include "ouro_shard.h"
#include "shard.h"

#define SQ_ENTRIES_DEFAULT 512
#define SQ_ENTRIES_MAX     32768

#define CLOSING_TURNS_MAX 16

const struct ouro_run_options ouro__loop_defaults = {.ring = NULL};

/* --- the child of a fork ------------------------------------------------------------------ */

/*
 * The parent's ring and tasks are not the child's: it has no loop until it runs its own, and
 * signals have the effect that they had before the parent's. (Whichever thread of the parent
 * forked: the loop that had claimed the signals may be another's.)
 */
static void forget_parent_loop(void)
{
    ouro__signals_forget();
    ouro__overflow_forget();
    ouro__dispatcher = NULL;
}

static void watch_forks(void)
{
    CHECK(!pthread_atfork(NULL, NULL, forget_parent_loop), "no memory for a fork handler");
}

/* --- setting up ---------------------------------------------------------------------------- */

static void explain(int code, const struct ring_hint *hint)
{
    (void) fprintf(stderr, "ouro: cannot start: %s%s%s\n", ouro_strerror(code),
                   hint->text[0] ? ": " : "", hint->text);
}

static bool is_power_of_two(unsigned number)
{
    return number && !(number & (number - 1));
}

int ouro__loop_choose_ring(const struct ouro_run_options *options, bool is_foreign,
                           struct ring_config *ret_config)
{
    const char *spec = secure_getenv("OURO_RING");
    unsigned entries = options->sq_entries ? options->sq_entries : SQ_ENTRIES_DEFAULT;
    struct ring_hint hint = {""};
    int code;

    if (!is_power_of_two(entries) || entries > SQ_ENTRIES_MAX ||
        !ouro__buffer_pool_is_possible(options))
        code = -EINVAL;
    else
        code = ouro__ring_parse(spec && *spec ? spec : options->ring, ret_config, &hint);
    if (!code)
        code = ouro__ring_mode_settle(ret_config, ouro__shard_count(options), ouro__cpus_count(),
                                      is_foreign, &hint);
    if (code)
        explain(code, &hint);
    else
        ret_config->sq_entries = entries;
    return code;
}

static int run_main(void *arg)
{
    struct ouro_loop *loop = arg;

    loop->result = loop->fn(loop->arg);
    loop->main_has_ended = true;
    return loop->result;
}

static int start_main(struct ouro_loop *loop, enum ouro_stack_class stack)
{
    struct ouro_spawn_options options = {.name = "main", .stack = stack, .detached = true};

    loop->main_id = ouro_spawn_at(run_main, loop, &options, "main", "ouro_run()");
    return loop->main_id < 0 ? (int) loop->main_id : 0;
}

static bool is_set(const char *variable)
{
    const char *value = secure_getenv(variable);

    return value && strcmp(value, "1") == 0;
}

/* Of several loops the first, which ends last, has the signals, and tells the others. */
static struct signal_wishes wishes_of(const struct ouro_loop *loop,
                                      const struct ouro_run_options *options)
{
    bool is_first = !loop->shard || ouro__shard_is_first(loop->shard);
    bool wants_dumps = options->dump_on_sigusr1 || is_set("OURO_DUMP");

    return (struct signal_wishes) {.keep_sigpipe = options->keep_sigpipe,
                                   .keep_signals = options->keep_signals || !is_first,
                                   .dump_on_sigusr1 = wants_dumps && is_first};
}

/* How long to look before sleeping. Time does not pass by looking on the simulated ring. */
static int choose_spin(const struct ouro_run_options *options, int64_t *ret_ns)
{
    const char *spec = secure_getenv("OURO_SPIN");
    int64_t ns = options->spin_ns ? options->spin_ns : SPIN_BUDGET_DEFAULT;

    if (ns < 0)
        ns = 0;
    if (spec && *spec && ouro__watchdog_parse(spec, &ns))
        return -EINVAL;
    if (ns > SPIN_BUDGET_MAX)
        return -EINVAL;
    *ret_ns = ns;
    return 0;
}

static int set_spin(struct ouro_loop *loop, const struct ouro_run_options *options)
{
    int64_t ns;
    int code = choose_spin(options, &ns);

    if (code)
        (void) fprintf(stderr, "ouro: cannot start: a loop spins for 0 to 1ms (OURO_SPIN=50us)\n");
    else if (loop->dispatcher.ring.poll_ns && ns)
        ouro__spin_init_polling(&loop->dispatcher.spin, loop->dispatcher.ring.poll_ns);
    else if (!loop->dispatcher.ring.simulated)
        ouro__spin_init(&loop->dispatcher.spin, ns);
    return code;
}

/* A program runs without its watchdog rather than not at all. */
static void watch_for_stalls(struct ouro_loop *loop, const struct ouro_run_options *options)
{
    const char *spec = secure_getenv("OURO_STALL");
    int64_t limit = options->stall_limit;
    int code = 0;

    if (spec && *spec)
        code = ouro__watchdog_parse(spec, &limit);
    if (code)
        (void) fprintf(stderr, "ouro: OURO_STALL is a time such as 50ms, not \"%s\"\n", spec);
    else
        code = ouro__watchdog_watch(&loop->stall, &loop->dispatcher, limit);
    if (code)
        (void) fprintf(stderr, "ouro: stalls are not watched: %s\n", ouro_strerror(code));
}

/* What "auto" has become: once for all shards, which are in the same position. */
static void tell_choice(const struct ouro_loop *loop, const struct ring_config *config)
{
    const struct ring *ring = &loop->dispatcher.ring;

    if (!config->reason || (loop->shard && !ouro__shard_is_first(loop->shard)))
        return;
    (void) fprintf(stderr, "ouro: auto picked %s: %s\n", ouro__ring_mode_name(ring),
                   ring->mode == config->mode ? config->reason : "the kernel refuses sqpoll");
}

int ouro__loop_open(struct ouro_loop *loop, ouro_task_fn *fn, void *arg,
                    const struct ouro_run_options *options, const struct ring_config *config,
                    struct shard *shard)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ring_hint hint;
    int code;

    (void) pthread_once(&once, watch_forks);
    memset(loop, 0, sizeof(*loop));
    loop->fn = fn;
    loop->arg = arg;
    loop->shard = shard;
    code = ouro__dispatcher_init(&loop->dispatcher, config, &hint);
    if (code) {
        explain(code, &hint);
        return code;
    }
    tell_choice(loop, config);
    loop->dispatcher.buffer_count = options->buffer_count;
    loop->dispatcher.buffer_bytes = options->buffer_bytes;
    code = set_spin(loop, options);
    if (!code)
        code = start_main(loop, options->stack);
    if (code) {
        ouro__dispatcher_done(&loop->dispatcher);
        return code;
    }
    ouro__signals_claim(&loop->signals, &loop->dispatcher, wishes_of(loop, options));
    ouro__overflow_watch(&loop->overflow);
    watch_for_stalls(loop, options);
    return 0;
}

/* --- running --------------------------------------------------------------------------------- */

static void cancel_all(struct dispatcher *dispatcher, const char *reason)
{
    dispatcher->is_stopping = true;
    for (uint32_t index = 0; index < dispatcher->tasks.slots_used; index++) {
        struct ouro_task *task = ouro__task_table_slot(&dispatcher->tasks, index);

        if (task->slot.id && task->state != TASK_ENDED)
            ouro__task_cancel(task, reason);
    }
}

static void stop(struct ouro_loop *loop, const char *reason)
{
    if (loop->shard)
        ouro__shard_stop_all(loop->shard, reason);
    else
        (void) ouro_cancel_because(loop->main_id, reason);
}

/* The first signal ends all mains, like ouro_stop(). */
static void obey_signals(struct ouro_loop *loop)
{
    if (likely(!ouro__signals_came(&loop->signals)) || loop->main_was_signalled)
        return;
    loop->main_was_signalled = true;
    stop(loop, "SIGINT or SIGTERM");
}

static void obey_dump_signal(struct ouro_loop *loop)
{
    if (likely(!ouro__signals_want_dump(&loop->signals)))
        return;
    if (loop->shard)
        ouro__shard_dump_all(loop->shard);
    else
        (void) ouro__dump(&loop->dispatcher, STDERR_FILENO);
}

/*
 * Nobody is left. Messages that have come may spawn tasks, and these may wait for messages (an
 * offloaded job's end, the answer of another thread): the inbox is closed when it is empty. A
 * stream of messages that never leaves it empty is cut off after a while.
 */
static void close_inbox(struct ouro_loop *loop)
{
    struct ouro_inbox *inbox = loop->dispatcher.inbox;

    if (!ouro__inbox_close(inbox)) {
        if (++loop->closing_turns < CLOSING_TURNS_MAX)
            return;
        ouro__inbox_cut_off(inbox);
    }
    loop->closing_turns = 0;
    loop->is_closed = true;
}

/* The last messages that were cut off, or a foreign loop, have spawned tasks. */
static void reopen_inbox(struct ouro_loop *loop)
{
    ouro__inbox_reopen(loop->dispatcher.inbox);
    loop->is_closed = false;
}

/* The main task has ended. */
static void wind_up(struct ouro_loop *loop)
{
    if (!loop->dispatcher.is_stopping)
        cancel_all(&loop->dispatcher, "the main task has ended");
    if (loop->dispatcher.task_count == 0)
        close_inbox(loop);
}

/* One turn, and what comes from outside. */
static void turn(struct ouro_loop *loop, int64_t latest)
{
    struct dispatcher *dispatcher = &loop->dispatcher;

    obey_signals(loop);
    obey_dump_signal(loop);
    if (unlikely(ouro__dispatcher_turn(dispatcher, latest))) {
        CHECK(!dispatcher->is_stopping, "a deadlock of tasks that can't be interrupted");
        ouro__dump_deadlock(dispatcher);
        cancel_all(dispatcher, "deadlock");
        loop->result = OURO_EDEADLOCK;
        loop->is_deadlocked = true;
    }
    if (unlikely(loop->main_has_ended))
        wind_up(loop);
}

/* Whether the loop has come to its end. Tasks that came after its inbox was closed may need it. */
static bool is_over(struct ouro_loop *loop)
{
    if (likely(!loop->is_closed))
        return false;
    if (loop->dispatcher.task_count > 0) {
        reopen_inbox(loop);
        return false;
    }
    return !loop->shard || ouro__shard_may_end(loop->shard);
}

void ouro__loop_run(struct ouro_loop *loop)
{
    while (!is_over(loop))
        turn(loop, OURO_FOREVER);
}

void ouro_stop(void)
{
    CHECK(ouro__dispatcher, "ouro_stop() needs a loop");
    stop(ouro__loop_of(ouro__dispatcher), "ouro_stop()");
}

/* --- the end ------------------------------------------------------------------------------------ */

static void print_stats(void)
{
    struct ouro_counters stats;
    char shard[32] = "";

    if (ouro_stats(&stats))
        return;
    if (ouro_shard_count() > 1)
        (void) snprintf(shard, sizeof(shard), "shard %u: ", ouro_shard_index());
    (void) fprintf(stderr,
                   "ouro: %s%llu wake-ups, %llu turns, %llu system calls, %llu SQEs, %llu CQEs, "
                   "%llu tasks (at most %llu at once)\n",
                   shard, (unsigned long long) stats.wakeups, (unsigned long long) stats.turns,
                   (unsigned long long) stats.system_calls, (unsigned long long) stats.sqes,
                   (unsigned long long) stats.cqes, (unsigned long long) stats.tasks_spawned,
                   (unsigned long long) stats.tasks_peak);
}

/*
 * The order in which a loop ends; each may rely on those that come later:
 *
 *   1. the tasks, also those that the last messages spawn: is_over()
 *   2. the inbox, which such tasks may need, and which now refuses messages: likewise
 *      (and here the first of several loops stays until the others have come to their end)
 *   3. the offload pool: no task is left to begin a job, and no thread will post one's end
 *   4. signals, whose handlers write to the inbox's eventfd
 *   5. the watchdog, which names tasks, on an alternate stack
 *   6. the overflow handler, whose stack that is
 *   7. the counters, which are printed while there are any
 *   8. the eventfd's read and the buffers, which the ring still has, then the ring
 */
int ouro__loop_close(struct ouro_loop *loop)
{
    if (loop->uses_offload)
        ouro__offload_leave();
    ouro__signals_release(&loop->signals);
    ouro__watchdog_unwatch(&loop->stall);
    ouro__overflow_unwatch(&loop->overflow);
    if (is_set("OURO_STATS"))
        print_stats();
    ouro__dispatcher_done(&loop->dispatcher);
    return loop->is_deadlocked ? OURO_EDEADLOCK : loop->result;
}

/* --- in a foreign loop ---------------------------------------------------------------------------- */

int ouro_loop_create(ouro_task_fn *fn, void *arg, const struct ouro_run_options *options,
                     struct ouro_loop **ret_loop)
{
    struct ring_config config;
    struct ouro_loop *loop;
    int code;

    if (!options)
        options = &ouro__loop_defaults;
    if (ouro__dispatcher)
        return -EBUSY;
    if (!fn || options->shards > 1)
        return -EINVAL;
    code = ouro__loop_choose_ring(options, /* is_foreign= */ true, &config);
    if (code)
        return code;
    loop = malloc(sizeof(*loop));
    if (!loop)
        return -ENOMEM;
    code = ouro__loop_open(loop, fn, arg, options, &config, /* shard= */ NULL);
    if (code) {
        free(loop);
        return code;
    }
    *ret_loop = loop;
    return 0;
}

/* The inbox must know that this thread is about to sleep elsewhere. */
static void announce_sleep(struct dispatcher *dispatcher)
{
    (void) ouro__inbox_fall_asleep(dispatcher->inbox);
}

/* In the child of a fork the loop is only a copy of the parent's: nobody's. */
static bool is_own(const struct ouro_loop *loop)
{
    return ouro__dispatcher == &loop->dispatcher && !loop->dispatcher.current;
}

int ouro_loop_turn(struct ouro_loop *loop, int64_t wait_ns)
{
    struct dispatcher *dispatcher = &loop->dispatcher;
    int64_t latest = INT64_MIN;

    CHECK(is_own(loop), "a loop is turned by the thread that made it, and not by its tasks");
    ouro__inbox_wake_up(dispatcher->inbox);
    if (wait_ns == OURO_FOREVER)
        latest = OURO_FOREVER;
    else if (wait_ns > 0)
        latest = ouro__deadline_after(ouro__dispatcher_now(dispatcher), wait_ns);
    if (!is_over(loop))
        turn(loop, latest);
    if (is_over(loop))
        return 0;
    announce_sleep(dispatcher);
    return 1;
}

int ouro_loop_fd(const struct ouro_loop *loop)
{
    return loop->dispatcher.ring.fd >= 0 ? loop->dispatcher.ring.fd : -ENOSYS;
}

int64_t ouro_loop_next(struct ouro_loop *loop)
{
    int64_t next, now;

    CHECK(ouro__dispatcher == &loop->dispatcher,
          "ouro_loop_next() of a loop that is another thread's, or a parent's");
    next = ouro__dispatcher_next(&loop->dispatcher);
    if (next == OURO_FOREVER)
        return OURO_FOREVER;
    if (next == INT64_MIN || is_over(loop))
        return 0;
    now = ouro__dispatcher_now(&loop->dispatcher);
    return next > now ? next - now : 0;
}

int ouro_loop_destroy(struct ouro_loop *loop)
{
    int result;

    CHECK(is_own(loop), "a loop is destroyed by the thread that made it, and not by its tasks");
    if (!is_over(loop))
        (void) ouro_cancel_because(loop->main_id, "ouro_loop_destroy()");
    ouro__loop_run(loop);
    result = ouro__loop_close(loop);
    free(loop);
    return result;
}

/* --- asking ---------------------------------------------------------------------------------------- */

int ouro_stats(struct ouro_counters *ret_counters)
{
    const struct dispatcher *dispatcher = ouro__dispatcher;

    if (!dispatcher)
        return -EINVAL;
    *ret_counters = (struct ouro_counters) {
        .wakeups = dispatcher->wakeup_count,
        .turns = dispatcher->turn_count,
        .system_calls = dispatcher->ring.system_calls,
        .sqes = dispatcher->sqe_count,
        .cqes = dispatcher->cqe_count,
        .tasks_spawned = dispatcher->spawn_count,
        .tasks_live = dispatcher->task_count,
        .tasks_peak = dispatcher->task_peak,
        .stack_bytes = ouro__stack_pool_bytes(dispatcher->stacks),
        .task_bytes = sizeof(struct ouro_task) + sizeof(struct timer_entry) + sizeof(uint32_t),
    };
    return 0;
}

const char *ouro_ring_name(void)
{
    return ouro__dispatcher ? ouro__ring_mode_name(&ouro__dispatcher->ring) : NULL;
}

int64_t ouro_now_cached(void)
{
    return ouro__dispatcher ? ouro__dispatcher->noted_time : ouro_now();
}

int64_t ouro_now(void)
{
    struct timespec now;

    if (ouro__dispatcher)
        return ouro__dispatcher_now(ouro__dispatcher);
    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * OURO_SECOND + now.tv_nsec;
}
