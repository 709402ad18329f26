/* SPDX-License-Identifier: MIT */
/*
 * run.c - ouro_run: a loop from its first task to its last, and what is said on stderr
 *
 * The only file of the engine that prints, besides those that end the process: whoever
 * calls ouro_run() handed over the program.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dispatcher.h"
#include "ouro_loop.h"
#include "overflow.h"
#include "signals.h"

#define SQ_ENTRIES_DEFAULT 512
#define SQ_ENTRIES_MAX     32768
#define DUMP_TASKS_MAX     32 /* a deadlock of a million tasks needs no million lines */

struct run {
    struct dispatcher dispatcher;
    struct signals signals;
    struct overflow_watch overflow;
    ouro_task_fn *fn; /* the main task's */
    void *arg;
    ouro_task_id main_id;
    int result;
    bool main_has_ended;
    bool main_was_signalled;
};

/* --- the child of a fork ------------------------------------------------------------------ */

/*
 * The parent's ring and tasks are not the child's: it has no loop until it runs its own, and
 * signals have the effect that they had before the parent's.
 */
static void forget_parent_loop(void)
{
    if (ouro__dispatcher)
        ouro__signals_forget();
    ouro__dispatcher = NULL;
}

static void watch_forks(void)
{
    CHECK(!pthread_atfork(NULL, NULL, forget_parent_loop), "no memory for a fork handler");
}

/* --- setting up ---------------------------------------------------------------------------- */

static bool is_power_of_two(unsigned number)
{
    return number && !(number & (number - 1));
}

static int choose_ring(const struct ouro_run_options *options, struct ring_config *ret_config,
                       struct ring_hint *ret_hint)
{
    const char *spec = secure_getenv("OURO_RING");
    unsigned entries = options->sq_entries ? options->sq_entries : SQ_ENTRIES_DEFAULT;
    int code;

    ret_hint->text[0] = '\0';
    if (!is_power_of_two(entries) || entries > SQ_ENTRIES_MAX)
        return -EINVAL;
    code = ouro__ring_parse(spec && *spec ? spec : options->ring, ret_config, ret_hint);
    if (!code)
        ret_config->sq_entries = entries;
    return code;
}

static int set_up(struct run *run, const struct ouro_run_options *options)
{
    struct ring_config config;
    struct ring_hint hint;
    int code = choose_ring(options, &config, &hint);

    if (!code)
        code = ouro__dispatcher_init(&run->dispatcher, &config, &hint);
    if (code) {
        (void) fprintf(stderr, "ouro: cannot start: %s%s%s\n", ouro_strerror(code),
                       hint.text[0] ? ": " : "", hint.text);
        return code;
    }
    code = ouro__signals_claim(&run->signals, &run->dispatcher, options->keep_sigpipe,
                               options->keep_signals);
    if (code) {
        (void) fprintf(stderr, "ouro: cannot start: %s\n", ouro_strerror(code));
        ouro__dispatcher_done(&run->dispatcher);
        return code;
    }
    ouro__overflow_watch(&run->overflow);
    return 0;
}

/* --- running --------------------------------------------------------------------------------- */

static void cancel_all(struct dispatcher *dispatcher)
{
    dispatcher->is_stopping = true;
    for (uint32_t index = 0; index < dispatcher->tasks.slots_used; index++) {
        struct ouro_task *task = ouro__task_table_slot(&dispatcher->tasks, index);

        if (task->slot.id && task->state != TASK_ENDED)
            ouro__task_cancel(task);
    }
}

static const char *name_of_wait(const struct wait *wait)
{
    if (wait->kind == &ouro__op_wait_kind || wait->kind == &ouro__op_cleanup_wait_kind)
        return ouro__op_name(container_of(wait, struct op, wait)->kind);
    return wait->kind->name;
}

static void report_deadlock(const struct dispatcher *dispatcher)
{
    unsigned said = 0;

    (void) fprintf(stderr, "ouro: deadlock: all tasks sleep and nothing can wake one\n");
    for (uint32_t index = 0; index < dispatcher->tasks.slots_used; index++) {
        const struct ouro_task *task = ouro__task_table_slot(&dispatcher->tasks, index);

        if (task->slot.id == 0 || task->state != TASK_PARKED)
            continue;
        if (++said > DUMP_TASKS_MAX)
            break;
        (void) fprintf(stderr, "ouro:   task \"%s\", spawned at %s, waits: %s\n", task->name,
                       task->place, name_of_wait(task->wait));
    }
    if (said > DUMP_TASKS_MAX)
        (void) fprintf(stderr, "ouro:   ... of %u\n", dispatcher->task_count);
}

/* One turn, and what comes from outside. Returns 0 or OURO_EDEADLOCK, reported. */
static int turn(struct run *run)
{
    struct dispatcher *dispatcher = &run->dispatcher;

    if (unlikely(ouro__signals_came(&run->signals)) && !run->main_was_signalled) {
        run->main_was_signalled = true;
        (void) ouro_cancel(run->main_id);
    }
    if (likely(!ouro__dispatcher_turn(dispatcher)))
        return 0;
    CHECK(!dispatcher->is_stopping, "a deadlock of tasks that can't be interrupted");
    report_deadlock(dispatcher);
    cancel_all(dispatcher);
    return OURO_EDEADLOCK;
}

static int run_main(void *arg)
{
    struct run *run = arg;

    run->result = run->fn(run->arg);
    run->main_has_ended = true;
    return run->result;
}

/* Runs until the main task and then all others have ended. */
static int run_to_end(struct run *run)
{
    struct dispatcher *dispatcher = &run->dispatcher;
    int code = 0;

    while (!run->main_has_ended)
        if (turn(run))
            code = OURO_EDEADLOCK;
    cancel_all(dispatcher);
    while (dispatcher->task_count)
        (void) turn(run);
    return code ? code : run->result;
}

/* --- the end ------------------------------------------------------------------------------------ */

static void print_stats(void)
{
    struct ouro_counters stats;

    if (ouro_stats(&stats))
        return;
    (void) fprintf(stderr,
                   "ouro: %llu wake-ups, %llu turns, %llu system calls, %llu SQEs, %llu CQEs, "
                   "%llu tasks (at most %llu at once)\n",
                   (unsigned long long) stats.wakeups, (unsigned long long) stats.turns,
                   (unsigned long long) stats.system_calls, (unsigned long long) stats.sqes,
                   (unsigned long long) stats.cqes, (unsigned long long) stats.tasks_spawned,
                   (unsigned long long) stats.tasks_peak);
}

static void tear_down(struct run *run)
{
    const char *wants_stats = secure_getenv("OURO_STATS");

    ouro__signals_release(&run->signals, &run->dispatcher);
    while (!ouro__signals_are_released(&run->signals))
        (void) ouro__dispatcher_turn(&run->dispatcher);
    ouro__signals_done(&run->signals);
    ouro__overflow_unwatch(&run->overflow);
    if (wants_stats && !strcmp(wants_stats, "1"))
        print_stats();
    ouro__dispatcher_done(&run->dispatcher);
}

int ouro_run(ouro_task_fn *fn, void *arg, const struct ouro_run_options *options)
{
    static const struct ouro_run_options defaults = {.ring = NULL};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct run run = {.fn = fn, .arg = arg};
    struct ouro_spawn_options spawn_options = {.name = "main"};
    int code;

    if (ouro__dispatcher)
        return -EBUSY;
    if (!fn)
        return -EINVAL;
    (void) pthread_once(&once, watch_forks);
    if (!options)
        options = &defaults;
    code = set_up(&run, options);
    if (code)
        return code;
    spawn_options.stack = options->stack;
    run.main_id = ouro_spawn_at(run_main, &run, &spawn_options, "main", "ouro_run()");
    code = run.main_id < 0 ? (int) run.main_id : run_to_end(&run);
    tear_down(&run);
    return code;
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

int64_t ouro_now(void)
{
    struct timespec now;

    if (ouro__dispatcher)
        return ouro__dispatcher_now(ouro__dispatcher);
    (void) clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * OURO_SECOND + now.tv_nsec;
}
