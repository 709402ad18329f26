/* SPDX-License-Identifier: MIT */
/*
 * task_test.c - tests of engine/task.c: spawn, join, cancel, yield
 *
 * Order is asserted on the simulated ring, where nothing else happens; what depends on a
 * ring at all runs on the kernel's too.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>

#include "dispatcher.h"
#include "loop.h"

/* --- spawn and join ------------------------------------------------------------------------ */

static int return_arg(void *arg)
{
    return (int) (intptr_t) arg;
}

static int sleep_and_return_arg(void *arg)
{
    int code = ouro_sleep(OURO_MILLISECOND);

    return code ? code : (int) (intptr_t) arg;
}

static int join_gives_results(void *arg)
{
    ouro_task_id quick = ouro_spawn(return_arg, (void *) 7);
    ouro_task_id slow = ouro_spawn(sleep_and_return_arg, (void *) -4711);
    int result = 0;

    (void) arg;
    CU_ASSERT(quick > 0 && slow > 0 && quick != slow);
    CU_ASSERT_EQUAL(ouro_join(slow, &result), 0);
    CU_ASSERT_EQUAL(result, -4711);
    CU_ASSERT_EQUAL(ouro_join(quick, &result), 0); /* it has ended long ago */
    CU_ASSERT_EQUAL(result, 7);
    CU_ASSERT_EQUAL(ouro_join(ouro_spawn(return_arg, NULL), NULL), 0);
    return 0;
}

static void test_join_gives_the_result(void)
{
    run_on_each_ring(join_gives_results, NULL);
}

struct joiner {
    ouro_task_id id;
    int result;
};

static int join_for(void *arg)
{
    struct joiner *joiner = arg;

    return ouro_join(joiner->id, &joiner->result);
}

static int join_thrice(void *arg)
{
    struct joiner joiners[3];
    ouro_task_id ids[3];
    ouro_task_id id = ouro_spawn(sleep_and_return_arg, (void *) 42);
    int code = -1;

    (void) arg;
    for (int i = 0; i < 3; i++) {
        joiners[i] = (struct joiner) {id, 0};
        ids[i] = ouro_spawn(join_for, &joiners[i]);
    }
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(ouro_join(ids[i], &code), 0);
        CU_ASSERT_EQUAL(code, 0);
        CU_ASSERT_EQUAL(joiners[i].result, 42);
    }
    CU_ASSERT_EQUAL(ouro_join(id, NULL), -ESRCH); /* they took the result */
    return 0;
}

static void test_each_of_several_joiners_gets_the_result(void)
{
    run_on_each_ring(join_thrice, NULL);
}

static int join_twice(void *arg)
{
    ouro_task_id id = ouro_spawn(return_arg, (void *) 5);
    int result = 1;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(ouro_join(id, &result), -ESRCH);
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), -ESRCH);
    CU_ASSERT_EQUAL(result, 1); /* outputs are written on success only */
    return 0;
}

static void test_joining_twice_finds_nobody(void)
{
    CU_ASSERT_EQUAL(run_sim(join_twice, NULL), 0);
}

static int store_self(void *arg)
{
    *(ouro_task_id *) arg = ouro_self();
    return ouro_sleep(OURO_SECOND);
}

static int join_the_unjoinable(void *arg)
{
    struct ouro_spawn_options detached = {.detached = true};
    ouro_task_id id = ouro_spawn_with(return_arg, NULL, &detached);
    ouro_task_id member = 0;
    struct ouro_group group;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_join(id, NULL), -EINVAL);
    CU_ASSERT_EQUAL(ouro_cancel_join(id, NULL), -EINVAL);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), -ESRCH); /* it has ended, and freed itself */

    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, store_self, &member), 0);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT(member > 0);
    CU_ASSERT_EQUAL(ouro_join(member, NULL), -EINVAL);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);

    CU_ASSERT_EQUAL(ouro_join(ouro_self(), NULL), -EDEADLK);
    CU_ASSERT_EQUAL(ouro_cancel_join(ouro_self(), NULL), -EDEADLK);
    CU_ASSERT_EQUAL(ouro_yield(), 0); /* the latter did not cancel us either */
    return 0;
}

static void test_detached_tasks_members_and_oneself_can_not_be_joined(void)
{
    CU_ASSERT_EQUAL(run_sim(join_the_unjoinable, NULL), 0);
}

static int use_stale_ids(void *arg)
{
    const ouro_task_id invented[] = {0, -1, -EINVAL, INT64_MIN, INT64_MAX, UINT32_MAX, 1};
    ouro_task_id stale = ouro_spawn(return_arg, NULL);
    ouro_task_id fresh;

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(invented); i++) {
        CU_ASSERT_EQUAL(ouro_join(invented[i], NULL), -ESRCH);
        CU_ASSERT_EQUAL(ouro_cancel(invented[i]), -ESRCH);
    }
    CU_ASSERT_EQUAL(ouro_join(stale, NULL), 0);
    fresh = ouro_spawn(sleep_and_return_arg, (void *) 1);
    CU_ASSERT_EQUAL((uint32_t) fresh, (uint32_t) stale); /* the same slot ... */
    CU_ASSERT_NOT_EQUAL(fresh, stale);                   /* ... by another name */
    CU_ASSERT_EQUAL(ouro_cancel(stale), -ESRCH);
    CU_ASSERT_EQUAL(ouro_join(stale, NULL), -ESRCH);
    CU_ASSERT_EQUAL(join_for(&(struct joiner) {fresh, 0}), 0);
    return 0;
}

static void test_stale_and_invented_ids_name_nobody(void)
{
    CU_ASSERT_EQUAL(run_sim(use_stale_ids, NULL), 0);
}

/* --- options ------------------------------------------------------------------------------- */

static int sum_and_check_alignment(void *arg)
{
    const unsigned char *bytes = arg;
    int sum = 0;

    if ((uintptr_t) arg % 16)
        return -1;
    for (int i = 0; i < 100; i++)
        sum += bytes[i];
    return sum;
}

static int change_source_after_spawn(void *arg)
{
    struct ouro_spawn_options options = {.arg_bytes = 100};
    unsigned char source[1024];
    ouro_task_id first, second;
    int result = 0;

    (void) arg;
    memset(source, 1, sizeof(source));
    first = ouro_spawn_with(sum_and_check_alignment, source, &options);
    memset(source, 2, sizeof(source));
    options.arg_bytes = sizeof(source);
    options.name = "with a name beside it";
    second = ouro_spawn_with(sum_and_check_alignment, source, &options);
    memset(source, 9, sizeof(source));
    CU_ASSERT_EQUAL(ouro_join(first, &result), 0);
    CU_ASSERT_EQUAL(result, 100);
    CU_ASSERT_EQUAL(ouro_join(second, &result), 0);
    CU_ASSERT_EQUAL(result, 200);
    return 0;
}

static void test_argument_is_copied_at_the_spawn(void)
{
    CU_ASSERT_EQUAL(run_sim(change_source_after_spawn, NULL), 0);
}

static int copy_own_name(void *arg)
{
    (void) strcpy(arg, ouro__dispatcher->current->name);
    return 0;
}

static int spawn_named(void *arg)
{
    char name[] = "a name of more than the thirty-one bytes that are kept";
    struct ouro_spawn_options options = {.name = name};
    char seen[64] = "";
    ouro_task_id id = ouro_spawn_with(copy_own_name, seen, &options);

    (void) arg;
    memset(name, 'x', sizeof(name) - 1);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_STRING_EQUAL(seen, "a name of more than the thirty-");
    CU_ASSERT_EQUAL(ouro_join(ouro_spawn(copy_own_name, seen), NULL), 0);
    CU_ASSERT_STRING_EQUAL(seen, "copy_own_name");
    return 0;
}

static void test_name_is_copied_and_defaults_to_the_function(void)
{
    CU_ASSERT_EQUAL(run_sim(spawn_named, NULL), 0);
}

/* Fills `bytes` of the stack, in steps smaller than a page. */
__attribute__((noinline)) static int use_stack(size_t bytes)
{
    volatile char frame[512];

    frame[0] = (char) bytes;
    frame[sizeof(frame) - 1] = 1;
    if (bytes > 1024)
        return use_stack(bytes - 1024) + frame[sizeof(frame) - 1];
    return 0;
}

static int use_stack_of_arg(void *arg)
{
    return use_stack((size_t) (uintptr_t) arg) < 0;
}

static int use_each_class(void *arg)
{
    /* About half of each, as frames may be twice as large with a sanitizer. */
    static const struct {
        enum ouro_stack_class class;
        uintptr_t bytes;
    } uses[] = {
        {OURO_STACK_DEFAULT, 128 << 10}, {OURO_STACK_16K, 4 << 10},  {OURO_STACK_64K, 32 << 10},
        {OURO_STACK_256K, 128 << 10},    {OURO_STACK_1M, 512 << 10},
    };

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(uses); i++) {
        struct ouro_spawn_options options = {.stack = uses[i].class};
        ouro_task_id id = ouro_spawn_with(use_stack_of_arg, (void *) uses[i].bytes, &options);
        int result = -1;

        CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
        CU_ASSERT_EQUAL(result, 0);
    }
    return 0;
}

static void test_each_stack_class_holds_what_it_says(void)
{
    CU_ASSERT_EQUAL(run_sim(use_each_class, NULL), 0);
}

static int spawn_badly(void *arg)
{
    char bytes[2048] = "";
    struct ouro_counters before, after;
    struct ouro_spawn_options too_large = {.arg_bytes = 1025};
    struct ouro_spawn_options no_such_stack = {.stack = (enum ouro_stack_class) 99};

    (void) arg;
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    CU_ASSERT_EQUAL(ouro_spawn_with(return_arg, bytes, &too_large), -EINVAL);
    CU_ASSERT_EQUAL(ouro_spawn_with(return_arg, NULL, &no_such_stack), -EINVAL);
    CU_ASSERT_EQUAL(ouro_spawn_at(NULL, NULL, NULL, "", ""), -EINVAL);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(after.tasks_live, before.tasks_live);
    CU_ASSERT_EQUAL(after.tasks_spawned, before.tasks_spawned);
    return 0;
}

static void test_bad_options_are_refused(void)
{
    CU_ASSERT_EQUAL(run_sim(spawn_badly, NULL), 0);
    CU_ASSERT_EQUAL(ouro_spawn(return_arg, NULL), -EINVAL); /* no loop */
    CU_ASSERT_EQUAL(ouro_cancel(1), -ESRCH);
    CU_ASSERT_EQUAL(ouro_self(), 0);
}

/* --- order --------------------------------------------------------------------------------- */

struct walker {
    struct log *log;
    const char *name;
};

static int yield_thrice(void *arg)
{
    const struct walker *walker = arg;

    for (int i = 0; i < 3; i++) {
        log_add(walker->log, walker->name);
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    }
    return 0;
}

static int walk(void *arg)
{
    struct walker walkers[3] = {{arg, "a"}, {arg, "b"}, {arg, "c"}};
    ouro_task_id ids[3];

    for (int i = 0; i < 3; i++)
        ids[i] = ouro_spawn(yield_thrice, &walkers[i]);
    log_add(arg, "main ");
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_join(ids[i], NULL), 0);
    return 0;
}

/*
 * main    a       b       c
 * spawn   .       .       .      a spawn does not suspend
 * join    .       .       .
 * .       yield   .       .      first come, first served
 * .       .       yield   .
 * .       .       .       yield
 * .       yield   ...            and so for three rounds
 */
static void test_tasks_take_turns(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(walk, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "main abcabcabc");
}

static int note_b(void *arg)
{
    log_add(arg, "b");
    return 0;
}

static int note_a_and_spawn_b(void *arg)
{
    log_add(arg, "a");
    CU_ASSERT(ouro_spawn(note_b, arg) > 0);
    log_add(arg, "A");
    return 0;
}

static int yield_to_children(void *arg)
{
    CU_ASSERT(ouro_spawn(note_a_and_spawn_b, arg) > 0);
    log_add(arg, "1");
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    log_add(arg, "2");
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    log_add(arg, "3");
    return 0;
}

/*
 * main    a       b
 * 1       .       .
 * yield   a       .
 * .       spawn   .    b queues up behind main
 * .       A       .
 * 2       .       .
 * yield   .       b
 * 3       .       .
 */
static void test_yield_lets_those_run_who_were_runnable(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(yield_to_children, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "1aA2b3");
}

/* --- eager tasks --------------------------------------------------------------------------- */

struct eager_scene {
    struct log *log;
    const void *frames[3]; /* where the tasks' first frames lie */
    int count;
};

static int pass_by(void *arg)
{
    struct eager_scene *scene = arg;
    char frame;

    scene->frames[scene->count++] = &frame;
    log_add(scene->log, "[");
    log_add(scene->log, "]");
    return scene->count;
}

static int stay(void *arg)
{
    struct eager_scene *scene = arg;

    log_add(scene->log, "<");
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    log_add(scene->log, ">");
    return 0;
}

static const struct ouro_spawn_options eagerly = {.eager = true};

/* An eager task that starts another one has it on top in turn. */
static int stay_below_another(void *arg)
{
    struct eager_scene *scene = arg;
    ouro_task_id inner;

    log_add(scene->log, "(");
    inner = ouro_spawn_with(stay, scene, &eagerly);
    log_add(scene->log, "-");
    CU_ASSERT_EQUAL(ouro_join(inner, NULL), 0);
    log_add(scene->log, ")");
    return 0;
}

/*
 *   main    spawn1 .  spawn2 . spawn3  .    . join all
 *   1              []
 *   2                        <                       >
 *   3                                 (  - |           )
 *   3's own                             <              >
 */
static int spawn_eagerly(void *arg)
{
    struct eager_scene scene = {.log = arg};
    ouro_task_id self = ouro_self(), ids[3];
    int result;

    ids[0] = ouro_spawn_with(pass_by, &scene, &eagerly);
    log_add(arg, "1");
    ids[1] = ouro_spawn_with(stay, &scene, &eagerly);
    log_add(arg, "2");
    ids[2] = ouro_spawn_with(stay_below_another, &scene, &eagerly);
    log_add(arg, "3");
    CU_ASSERT_EQUAL(ouro_self(), self);
    CU_ASSERT_EQUAL(ouro_join(ids[0], &result), 0); /* it has ended, and can still be joined */
    CU_ASSERT_EQUAL(result, 1);
    CU_ASSERT_EQUAL(ouro_join(ids[1], NULL), 0);
    CU_ASSERT_EQUAL(ouro_join(ids[2], NULL), 0);
    return 0;
}

static void test_eager_task_runs_before_the_spawn_returns(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(spawn_eagerly, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "[]1<2(<-3>>)");
}

static int spawn_members_eagerly(void *arg)
{
    struct eager_scene scene = {.log = arg};
    struct ouro_group group;

    ouro_group_init(&group);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, pass_by, &scene, &eagerly), 0);
    CU_ASSERT_EQUAL(scene.count, 3);
    CU_ASSERT_PTR_NULL(group.first);
    CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, return_arg, (void *) -EIO, &eagerly), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), -EIO);
    return 0;
}

static void test_eager_members_of_a_group_are_gone_when_they_have_ended(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(spawn_members_eagerly, &log), 0);
}

/* Of tasks that do not wait each finds the stack of the one before free. (Slots colour them.) */
static int compare_stacks(void *arg)
{
    struct eager_scene scene = {.log = arg};
    struct ouro_spawn_options options = {.eager = true, .detached = true};

    for (int i = 0; i < 3; i++)
        CU_ASSERT(ouro_spawn_with(pass_by, &scene, &options) > 0);
#ifndef OURO_ASAN /* where locals may lie elsewhere */
    CU_ASSERT_PTR_EQUAL(scene.frames[0], scene.frames[1]);
    CU_ASSERT_PTR_EQUAL(scene.frames[1], scene.frames[2]);
#endif
    return 0;
}

static void test_eager_tasks_that_do_not_wait_share_a_stack(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(compare_stacks, &log), 0);
}

static void yield_to_eager(void *arg)
{
    ouro_task_id id = ouro_spawn_with(stay, arg, &eagerly);

    log_add(((struct eager_scene *) arg)->log, "g");
    CU_ASSERT_EQUAL(ouro_coro_yield(NULL, NULL), 0);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    log_add(((struct eager_scene *) arg)->log, "G");
}

static int spawn_eagerly_in_a_generator(void *arg)
{
    struct eager_scene scene = {.log = arg};
    struct ouro_coro *coro;

    if (ouro_coro_create(yield_to_eager, &scene, NULL, &coro))
        return -ENOMEM;
    CU_ASSERT_EQUAL(ouro_coro_send(coro, NULL, NULL), 1);
    log_add(arg, "m");
    CU_ASSERT_EQUAL(ouro_coro_send(coro, NULL, NULL), 0);
    ouro_coro_close(coro);
    return 0;
}

static void test_generator_may_spawn_eagerly(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(spawn_eagerly_in_a_generator, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "<gm>G");
}

/* --- giving way ---------------------------------------------------------------------------- */

#define COMPUTING_NS (50 * OURO_MILLISECOND)
#define STEP_NS      (70 * OURO_MICROSECOND)
#define SLEEP_NS     (1 * OURO_MILLISECOND)

struct computing {
    int running_count;
    int64_t latest_ns; /* how late the latest wake-up was */
};

static int compute(void *arg)
{
    struct computing *computing = arg;

    for (int64_t spent = 0; spent < COMPUTING_NS; spent += STEP_NS) {
        ouro__ring_sim_pass_time(&ouro__dispatcher->ring, STEP_NS);
        CU_ASSERT_EQUAL(ouro_checkpoint(), 0);
    }
    computing->running_count--;
    return 0;
}

static int sleep_beside(void *arg)
{
    struct computing *computing = arg;

    while (computing->running_count > 0) {
        int64_t deadline = ouro_now() + SLEEP_NS;
        int64_t late;

        CU_ASSERT_EQUAL(ouro_sleep_until(deadline), 0);
        late = ouro_now() - deadline;
        if (late > computing->latest_ns)
            computing->latest_ns = late;
    }
    return 0;
}

static int compute_beside_sleepers(void *arg)
{
    struct computing *computing = arg;
    struct ouro_group group;
    int count = computing->running_count;

    ouro_group_init(&group);
    for (int i = 0; i < 8; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, sleep_beside, computing), 0);
    for (int i = 0; i < count; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, compute, computing), 0);
    return ouro_group_wait(&group);
}

/* A turn ends with the slice, but for the step that is under way in each task. */
static void test_checkpoints_bound_how_late_others_wake(void)
{
    for (int count = 1; count <= 4; count++) {
        struct computing computing = {.running_count = count};

        CU_ASSERT_EQUAL(run_sim(compute_beside_sleepers, &computing), 0);
        CU_ASSERT(computing.latest_ns > 0);
        CU_ASSERT(computing.latest_ns <= TASK_SLICE + count * STEP_NS);
    }
}

static int checkpoint_for_ever(void *arg)
{
    (void) arg;
    for (;;) {
        int code = ouro_checkpoint();

        ouro__ring_sim_pass_time(&ouro__dispatcher->ring, STEP_NS);
        if (code)
            return code;
    }
}

static int interrupt_computing(void *arg)
{
    struct ouro_timeout limit;
    ouro_task_id id = ouro_spawn(checkpoint_for_ever, NULL);
    int result = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    ouro_timeout_begin(&limit, OURO_MILLISECOND);
    CU_ASSERT_EQUAL(checkpoint_for_ever(NULL), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    return 0;
}

static void test_checkpoints_hear_of_interruptions(void)
{
    CU_ASSERT_EQUAL(run_sim(interrupt_computing, NULL), 0);
}

static int charge_until(void *arg)
{
    const bool *is_over = arg;
    int count = 0;

    while (!*is_over) {
        ouro__task_charge();
        count++;
    }
    return count;
}

static int set_after_a_yield(void *arg)
{
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    *(bool *) arg = true;
    return 0;
}

static int charge_beside_another(void *arg)
{
    bool is_over = false;
    ouro_task_id charging = ouro_spawn(charge_until, &is_over);
    ouro_task_id other = ouro_spawn(set_after_a_yield, &is_over);
    int count = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_join(charging, &count), 0);
    CU_ASSERT_EQUAL(count, 2 * TASK_BUDGET);
    return ouro_join(other, NULL);
}

static void test_calls_that_never_wait_give_way_when_the_budget_is_used_up(void)
{
    CU_ASSERT_EQUAL(run_sim(charge_beside_another, NULL), 0);
}

/* --- cancelling ---------------------------------------------------------------------------- */

static int sleep_logging(void *arg)
{
    int code;

    log_add(arg, "ran ");
    code = ouro_sleep(OURO_SECOND);
    log_add(arg, code == -ECANCELED ? "cancelled" : "slept");
    return code;
}

static int cancel_before_first_run(void *arg)
{
    ouro_task_id id = ouro_spawn(sleep_logging, arg);
    int result = 0;

    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0); /* cancelling again is no error */
    CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(ouro_now(), 0);
    return 0;
}

static void test_task_cancelled_before_it_ran_runs_and_fails_in_its_first_wait(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(cancel_before_first_run, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "ran cancelled");
}

/* What a task can be suspended in, on sockets that nothing ever happens to. */
struct place {
    int listener;
    int idle[2]; /* connected; nobody sends */
    int full[2]; /* full[0] can't send any more */
    ouro_task_id sleeper;
};

static int wait_in_sleep(struct place *place)
{
    (void) place;
    return ouro_sleep(1000 * OURO_SECOND);
}

static int wait_in_sleep_for_ever(struct place *place)
{
    (void) place;
    return ouro_sleep(OURO_FOREVER);
}

static int wait_in_sleep_until(struct place *place)
{
    (void) place;
    return ouro_sleep_until(ouro_now() + 1000 * OURO_SECOND);
}

static int wait_in_join(struct place *place)
{
    return ouro_join(place->sleeper, NULL);
}

static int wait_in_recv(struct place *place)
{
    char byte;

    return (int) ouro_recv(place->idle[0], &byte, 1, 0);
}

static int wait_in_recv_exact(struct place *place)
{
    char bytes[16];

    return ouro_recv_exact(place->idle[0], bytes, sizeof(bytes), NULL);
}

static int wait_in_send(struct place *place)
{
    return (int) ouro_send(place->full[0], "x", 1, 0);
}

static int wait_in_send_all(struct place *place)
{
    return ouro_send_all(place->full[0], "xyz", 3, NULL);
}

static int wait_in_accept(struct place *place)
{
    return ouro_accept(place->listener, NULL);
}

static int wait_in_poll(struct place *place)
{
    return ouro_poll(place->idle[1], POLLIN);
}

static int wait_in_yield(struct place *place)
{
    (void) place;
    return ouro_yield();
}

static int sleep_long(void *arg)
{
    (void) arg;
    return ouro_sleep(1000 * OURO_SECOND);
}

static int wait_in_group(struct place *place)
{
    struct ouro_group group;

    (void) place;
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, sleep_long, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0); /* it can't fail, but it ends soon */
    return ouro_yield();
}

static const struct wait_place {
    const char *name;
    int (*wait)(struct place *place);
} wait_places[] = {
    {"sleep", wait_in_sleep},
    {"sleep for ever", wait_in_sleep_for_ever},
    {"sleep_until", wait_in_sleep_until},
    {"join", wait_in_join},
    {"recv", wait_in_recv},
    {"recv_exact", wait_in_recv_exact},
    {"send", wait_in_send},
    {"send_all", wait_in_send_all},
    {"accept", wait_in_accept},
    {"poll", wait_in_poll},
    {"yield", wait_in_yield},
    {"group_wait", wait_in_group},
};

static void fill(int fd)
{
    static const char zeros[65536];
    struct ouro_timeout limit;
    ssize_t sent;

    do {
        ouro_timeout_begin(&limit, 20 * OURO_MILLISECOND);
        sent = ouro_send(fd, zeros, sizeof(zeros), 0);
        (void) ouro_timeout_end(&limit);
    } while (sent > 0);
    CU_ASSERT_EQUAL(sent, -ETIMEDOUT);
}

static void make_place(struct place *place)
{
    struct ouro_address address;

    place->listener = listen_locally(&address);
    make_pair(place->idle);
    /* TCP would find room for another byte when an acknowledgement comes late. */
    CU_ASSERT_EQUAL(ouro_socketpair(AF_UNIX, SOCK_STREAM, 0, place->full), 0);
    fill(place->full[0]);
    place->sleeper = ouro_spawn(sleep_long, NULL);
}

static void leave_place(struct place *place)
{
    CU_ASSERT_EQUAL(ouro_cancel_join(place->sleeper, NULL), 0);
    CU_ASSERT_EQUAL(ouro_close(place->listener), 0);
    close_pair(place->idle);
    close_pair(place->full);
}

struct visit {
    struct place *place;
    const struct wait_place *at;
    bool has_begun;
};

/* Waits there until it is cancelled; from then on every wait anywhere fails at once. */
static int visit(void *arg)
{
    struct visit *self = arg;
    int code;

    self->has_begun = true;
    do {
        code = self->at->wait(self->place);
    } while (!code && self->at->wait == wait_in_yield);
    if (code != -ECANCELED)
        printf("    waiting in %s gave %d\n", self->at->name, code);
    for (size_t i = 0; i < COUNT_OF(wait_places); i++)
        CU_ASSERT_EQUAL(wait_places[i].wait(self->place), -ECANCELED);
    return code;
}

static int cancel_visitors(void *arg)
{
    struct place place;

    (void) arg;
    make_place(&place);
    for (size_t i = 0; i < COUNT_OF(wait_places); i++) {
        struct visit self = {&place, &wait_places[i], false};
        ouro_task_id id = ouro_spawn(visit, &self);
        int result = 0;

        /* With every number of turns that the task may have had. */
        for (size_t turns = 0; turns < i % 4; turns++)
            CU_ASSERT_EQUAL(ouro_yield(), 0);
        CU_ASSERT_EQUAL(ouro_sleep(i % 2 ? OURO_MILLISECOND : 0), 0);
        CU_ASSERT(self.has_begun);
        CU_ASSERT_EQUAL(ouro_cancel(id), 0);
        CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
        CU_ASSERT_EQUAL(result, -ECANCELED);
        CU_ASSERT_EQUAL(ouro_cancel(id), -ESRCH);
    }
    leave_place(&place);
    return 0;
}

static void test_cancelling_ends_every_wait_and_all_later_ones(void)
{
    run_on_each_ring(cancel_visitors, NULL);
}

/* The clean-up calls do their work in a cancelled task, and its timed-out scopes too. */
static int clean_up_when_interrupted(void *arg)
{
    ouro_task_id helper = ouro_spawn(sleep_long, NULL);
    struct ouro_address address;
    struct ouro_timeout limit;
    struct ouro_group group;
    int fds[2], listener, result = 0;
    char byte;

    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_address_parse("127.0.0.1:0", -1, &address), 0);
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, sleep_long, NULL), 0);
    ouro_timeout_begin(&limit, arg ? OURO_FOREVER : 0);
    CU_ASSERT_EQUAL(ouro_cancel(arg ? ouro_self() : 0), arg ? 0 : -ESRCH);

    CU_ASSERT_EQUAL(ouro_shutdown(fds[0], SHUT_WR), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(helper, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    listener = ouro_listen(&address, 0);
    CU_ASSERT(listener >= 0);
    CU_ASSERT_EQUAL(ouro_close(listener), 0);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], &byte, 1, 0), arg ? -ECANCELED : -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);
    CU_ASSERT_EQUAL(ouro_close(fds[1]), 0);
    CU_ASSERT_EQUAL(ouro_close(fds[1]), -EBADF); /* it is gone indeed */
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), arg ? 0 : -ETIMEDOUT);
    return 0;
}

static void test_clean_up_calls_are_never_interrupted(void)
{
    static char cancelled;

    run_on_each_ring(clean_up_when_interrupted, &cancelled);
    run_on_each_ring(clean_up_when_interrupted, NULL);
}

static int cancel_oneself(void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_yield(), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_sleep(0), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_sleep(1), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_now(), 0);
    return 3;
}

static int keep_reason(void *arg)
{
    const char **reason = arg;

    CU_ASSERT_PTR_NULL(ouro_cancel_reason());
    CU_ASSERT_EQUAL(ouro_sleep(OURO_FOREVER), -ECANCELED);
    *reason = ouro_cancel_reason();
    return 0;
}

static int fail_at_once(void *arg)
{
    (void) arg;
    return -EIO;
}

static int cancel_for_reasons(void *arg)
{
    const char *given = NULL;
    const char *none = NULL;
    const char *of_group = NULL;
    ouro_task_id first = ouro_spawn(keep_reason, &given);
    ouro_task_id second = ouro_spawn(keep_reason, &none);
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, keep_reason, &of_group), 0);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel_because(first, "it is late"), 0);
    CU_ASSERT_EQUAL(ouro_cancel(first), 0); /* the first reason stays */
    CU_ASSERT_EQUAL(ouro_cancel(second), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, fail_at_once, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), -EIO);
    CU_ASSERT_EQUAL(ouro_join(first, NULL), 0);
    CU_ASSERT_EQUAL(ouro_join(second, NULL), 0);
    CU_ASSERT_STRING_EQUAL(given, "it is late");
    CU_ASSERT_STRING_EQUAL(none, "ouro_cancel()");
    CU_ASSERT_STRING_EQUAL(of_group, "another member of its group failed");
    return 0;
}

static void test_cancelled_task_can_tell_why(void)
{
    run_on_each_ring(cancel_for_reasons, NULL);
}

static void test_task_may_cancel_itself(void)
{
    CU_ASSERT_EQUAL(run_sim(cancel_oneself, NULL), 3);
}

static int join_that_is_cancelled(void *arg)
{
    struct joiner joiner = {ouro_spawn(sleep_and_return_arg, (void *) 9), 0};
    ouro_task_id id = ouro_spawn(join_for, &joiner);
    int result = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(joiner.result, 0);
    CU_ASSERT_EQUAL(ouro_join(joiner.id, &result), 0); /* it was not disturbed */
    CU_ASSERT_EQUAL(result, 9);
    return 0;
}

static void test_interrupted_join_leaves_the_task_joinable(void)
{
    run_on_each_ring(join_that_is_cancelled, NULL);
}

struct race {
    ouro_task_id joiner;
    struct log log;
};

static int join_in_race(void *arg)
{
    struct race *race = arg;
    ouro_task_id id = ouro_spawn(sleep_and_return_arg, (void *) 6);
    int result = 0;

    if (ouro_join(id, &result) == 0 && result == 6)
        log_add(&race->log, "joined ");
    if (ouro_yield() == -ECANCELED)
        log_add(&race->log, "cancelled");
    return 0;
}

static int cancel_in_race(void *arg)
{
    struct race *race = arg;

    race->joiner = ouro_spawn(join_in_race, race);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    /* Both deadlines come in the same turn; the other's was set first. */
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    return ouro_cancel(race->joiner);
}

static int race_join_with_cancel(void *arg)
{
    struct race *race = arg;
    int result = -1;

    CU_ASSERT_EQUAL(ouro_join(ouro_spawn(cancel_in_race, race), &result), 0);
    CU_ASSERT_EQUAL(result, 0);
    CU_ASSERT_EQUAL(ouro_join(race->joiner, NULL), 0);
    return 0;
}

/*
 * joiner   target   canceller
 * join     sleep    sleep         until the same instant
 * .        end      .             wakes the joiner
 * .        .        cancel        too late for the join
 * joined   .        .             its result is not lost,
 * yield    .        .             and the cancellation fails the next call
 */
static void test_join_that_raced_a_cancellation_is_reported(void)
{
    struct race race = {.joiner = 0};

    CU_ASSERT_EQUAL(run_sim(race_join_with_cancel, &race), 0);
    CU_ASSERT_STRING_EQUAL(race.log.text, "joined cancelled");
}

static int refuse_to_end(void *arg)
{
    int *left = arg;

    while (*left > 0) {
        struct ouro_group group;

        ouro_group_init(&group);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, return_arg, NULL), 0);
        CU_ASSERT_EQUAL(ouro_group_wait(&group), 0); /* suspends, even now */
        (*left)--;
    }
    return 77;
}

static int cancel_join_someone(void *arg)
{
    int *left = arg;
    int result = 0;
    struct ouro_timeout limit;

    ouro_timeout_begin(&limit, 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(ouro_spawn(refuse_to_end, left), &result), 0);
    CU_ASSERT_EQUAL(*left, 0);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), 0); /* it disturbed nothing */
    return result;
}

static int cancel_who_cancels(void *arg)
{
    int left = 100, result = 0;
    ouro_task_id id = ouro_spawn(cancel_join_someone, &left);

    (void) arg;
    while (left > 90)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0); /* it waits in its ouro_cancel_join() */
    CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
    CU_ASSERT_EQUAL(left, 0);
    CU_ASSERT_EQUAL(result, 77);
    return 0;
}

static void test_cancel_join_waits_to_the_end_whatever_happens(void)
{
    CU_ASSERT_EQUAL(run_sim(cancel_who_cancels, NULL), 0);
}

/* --- the end of the main task -------------------------------------------------------------- */

static int outlive_main(void *arg)
{
    int fds[2];
    char byte;

    make_pair(fds);
    log_add(arg, "ready ");
    log_add(arg, ouro_recv(fds[0], &byte, 1, 0) == -ECANCELED ? "told " : "? ");
    close_pair(fds);
    log_add(arg, "closed");
    return 0;
}

static int end_early(void *arg)
{
    const struct log *log = arg;

    CU_ASSERT(ouro_spawn(outlive_main, arg) > 0);
    while (!log->len)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    log_add(arg, "main ");
    return 12;
}

static void test_the_rest_is_cancelled_and_awaited_when_main_ends(void)
{
    const char *const rings[] = {test_sim_ring(), test_kernel_ring()};

    for (size_t i = 0; i < COUNT_OF(rings) && rings[i]; i++) {
        struct log log = {.len = 0};

        CU_ASSERT_EQUAL(run_with(rings[i], 0, end_early, &log), 12);
        CU_ASSERT_STRING_EQUAL(log.text, "ready main told closed");
    }
}

static int spawn_in_clean_up(void *arg)
{
    CU_ASSERT_EQUAL(ouro_sleep(OURO_FOREVER), -ECANCELED);
    CU_ASSERT(ouro_spawn(sleep_logging, arg) > 0);
    return 0;
}

static int end_at_once(void *arg)
{
    CU_ASSERT(ouro_spawn(spawn_in_clean_up, arg) > 0);
    return ouro_yield();
}

static void test_tasks_spawned_while_the_loop_stops_start_cancelled(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(end_at_once, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "ran cancelled");
}

/* --- memory -------------------------------------------------------------------------------- */

#define MANY 100000

static int spawn_many(void *arg)
{
    struct ouro_spawn_options detached = {.detached = true};

    (void) arg;
    for (int i = 0; i < MANY; i++) {
        if (i % 2) {
            CU_ASSERT_EQUAL(ouro_join(ouro_spawn(return_arg, NULL), NULL), 0);
        } else {
            CU_ASSERT(ouro_spawn_with(return_arg, NULL, &detached) > 0);
        }
    }
    CU_ASSERT(ouro__dispatcher->tasks.slots_used < 10);
    CU_ASSERT(ouro__dispatcher->task_peak < 10);
    return 0;
}

static void test_slots_are_reused(void)
{
    CU_ASSERT_EQUAL(run_sim(spawn_many, NULL), 0);
}

static int leave_zombies(void *arg)
{
    struct ouro_counters before, after;
    ouro_task_id ids[1000];
    int result = -1;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    for (int i = 0; i < 1000; i++) {
        ids[i] = ouro_spawn(return_arg, (void *) (intptr_t) i);
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    }
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(after.tasks_live, before.tasks_live);
    CU_ASSERT(after.stack_bytes <= before.stack_bytes + (256 << 10)); /* one stack served all */
    CU_ASSERT_EQUAL(ouro_join(ids[500], &result), 0);
    CU_ASSERT_EQUAL(result, 500);
    return 0; /* with 999 results that nobody wants */
}

static void test_unjoined_tasks_keep_their_result_but_no_stack(void)
{
    run_on_each_ring(leave_zombies, NULL);
}

/* --- deadlock ------------------------------------------------------------------------------ */

static int join_each_other(void *arg)
{
    const ouro_task_id *other = arg;

    return ouro_join(*other, NULL);
}

static int deadlock(void *arg)
{
    struct ouro_spawn_options options = {.name = "Tweedledum"};
    ouro_task_id ids[2];
    int result = 0;

    (void) arg;
    ids[0] = ouro_spawn_with(join_each_other, &ids[1], &options);
    ids[1] = ouro_spawn(join_each_other, &ids[0]);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_FOREVER), -ECANCELED);
    /* A result has been taken by whoever joined first. */
    if (ouro_cancel_join(ids[0], &result) != 0 || result != -ECANCELED)
        return 1;
    return 0;
}

static int deadlock_on_ring(void *ring)
{
    return run_with(ring, 0, deadlock, NULL) == OURO_EDEADLOCK ? 33 : 1;
}

static void test_deadlock_is_reported_with_a_list_of_the_tasks(void)
{
    const char *const rings[] = {test_sim_ring(), test_kernel_ring()};

    for (size_t i = 0; i < COUNT_OF(rings) && rings[i]; i++) {
        struct child child = run_in_child(deadlock_on_ring, (void *) (uintptr_t) rings[i]);

        CU_ASSERT(exited_with(&child, 33));
        CU_ASSERT(said(&child, "ouro: deadlock"));
        CU_ASSERT(said(&child, "\"main\""));
        CU_ASSERT(said(&child, "sleep"));
        CU_ASSERT(said(&child, "\"Tweedledum\""));
        CU_ASSERT(said(&child, "\"join_each_other\""));
        CU_ASSERT(said(&child, "task_test.c:"));
        CU_ASSERT(said(&child, "join"));
    }
}

/* --- rules that are CHECKed ---------------------------------------------------------------- */

static int yield_without_task(void *arg)
{
    (void) arg;
    return ouro_yield();
}

static int use_parents_loop(void *arg)
{
    struct child child = run_in_child(yield_without_task, NULL);

    (void) arg;
    CU_ASSERT(was_killed_by(&child, SIGABRT));
    CU_ASSERT(said(&child, "needs a task"));
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0); /* the parent's loop is none the worse */
    return 0;
}

static void test_child_of_a_fork_must_not_use_the_parents_loop(void)
{
    run_on_each_ring(use_parents_loop, NULL);
}

static int run_afresh(void *ring)
{
    return run_with(ring, 0, join_gives_results, NULL) == 0 ? 21 : 1;
}

static int run_afresh_in_child(void *arg)
{
    const char *const rings[] = {"sim:seed=1", test_kernel_ring()};

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(rings) && rings[i]; i++) {
        struct child child = run_in_child(run_afresh, (void *) (uintptr_t) rings[i]);

        CU_ASSERT(exited_with(&child, 21));
    }
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    return 0;
}

static void test_child_of_a_fork_can_run_a_loop_of_its_own(void)
{
    run_on_each_ring(run_afresh_in_child, NULL);
}

static int suspend_in_callback(void *arg)
{
    (void) arg;
    ouro_no_suspend_begin();
    ouro_no_suspend_begin();
    ouro_no_suspend_end();
    return ouro_yield();
}

static int sleep_in_callback(void *arg)
{
    (void) arg;
    ouro_no_suspend_begin();
    return ouro_sleep(1);
}

static int close_in_callback(void *arg)
{
    (void) arg;
    ouro_no_suspend_begin();
    return ouro_close(-1);
}

static int join_in_callback(void *arg)
{
    ouro_task_id id = ouro_spawn(return_arg, NULL);

    (void) arg;
    ouro_no_suspend_begin();
    return ouro_join(id, NULL);
}

static int end_unbegun(void *arg)
{
    (void) arg;
    ouro_no_suspend_begin();
    ouro_no_suspend_end();
    ouro_no_suspend_end();
    return 0;
}

static int keep_the_rule(void *arg)
{
    ouro_task_id id = ouro_spawn(return_arg, NULL);
    int fd;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    ouro_no_suspend_begin();
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0); /* it has ended: no need to suspend */
    CU_ASSERT_EQUAL(ouro_cancel(ouro_spawn(return_arg, NULL)), 0);
    fd = ouro_socket(AF_INET, SOCK_STREAM, 0);
    ouro_no_suspend_end();
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return 0;
}

static void test_suspending_inside_a_callback_is_checked(void)
{
    CU_ASSERT(is_checked(suspend_in_callback, "inside a library's callback"));
    CU_ASSERT(is_checked(sleep_in_callback, "inside a library's callback"));
    CU_ASSERT(is_checked(close_in_callback, "inside a library's callback"));
    CU_ASSERT(is_checked(join_in_callback, "inside a library's callback"));
    CU_ASSERT(is_checked(end_unbegun, "without its begin"));
    CU_ASSERT_EQUAL(run_sim(keep_the_rule, NULL), 0);
}

static int outside(void *call)
{
    (*(void (**)(void)) call)();
    return 0;
}

static void join_outside(void)
{
    (void) ouro_join(1, NULL);
}

static void yield_outside(void)
{
    (void) ouro_yield();
}

static void sleep_outside(void)
{
    (void) ouro_sleep(1);
}

static void recv_outside(void)
{
    char byte;

    (void) ouro_recv(0, &byte, 1, 0);
}

static void test_waiting_outside_a_task_is_checked(void)
{
    void (*const calls[])(void) = {join_outside, yield_outside, sleep_outside, recv_outside};

    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        void (*call)(void) = calls[i];
        struct child child = run_in_child(outside, &call);

        CU_ASSERT(was_killed_by(&child, SIGABRT));
        CU_ASSERT(said(&child, "needs a task"));
    }
}

const struct test task_tests[] = {
    TEST(test_join_gives_the_result),
    TEST(test_each_of_several_joiners_gets_the_result),
    TEST(test_joining_twice_finds_nobody),
    TEST(test_detached_tasks_members_and_oneself_can_not_be_joined),
    TEST(test_stale_and_invented_ids_name_nobody),
    TEST(test_argument_is_copied_at_the_spawn),
    TEST(test_name_is_copied_and_defaults_to_the_function),
    TEST(test_each_stack_class_holds_what_it_says),
    TEST(test_bad_options_are_refused),
    TEST(test_tasks_take_turns),
    TEST(test_yield_lets_those_run_who_were_runnable),
    TEST(test_eager_task_runs_before_the_spawn_returns),
    TEST(test_eager_members_of_a_group_are_gone_when_they_have_ended),
    TEST(test_eager_tasks_that_do_not_wait_share_a_stack),
    TEST(test_generator_may_spawn_eagerly),
    TEST(test_checkpoints_bound_how_late_others_wake),
    TEST(test_checkpoints_hear_of_interruptions),
    TEST(test_calls_that_never_wait_give_way_when_the_budget_is_used_up),
    TEST(test_task_cancelled_before_it_ran_runs_and_fails_in_its_first_wait),
    TEST(test_cancelling_ends_every_wait_and_all_later_ones),
    TEST(test_clean_up_calls_are_never_interrupted),
    TEST(test_cancelled_task_can_tell_why),
    TEST(test_task_may_cancel_itself),
    TEST(test_interrupted_join_leaves_the_task_joinable),
    TEST(test_join_that_raced_a_cancellation_is_reported),
    TEST(test_cancel_join_waits_to_the_end_whatever_happens),
    TEST(test_the_rest_is_cancelled_and_awaited_when_main_ends),
    TEST(test_tasks_spawned_while_the_loop_stops_start_cancelled),
    TEST(test_slots_are_reused),
    TEST(test_unjoined_tasks_keep_their_result_but_no_stack),
    TEST(test_deadlock_is_reported_with_a_list_of_the_tasks),
    TEST(test_child_of_a_fork_must_not_use_the_parents_loop),
    TEST(test_child_of_a_fork_can_run_a_loop_of_its_own),
    TEST(test_suspending_inside_a_callback_is_checked),
    TEST(test_waiting_outside_a_task_is_checked),
    TEST_END};
