/* SPDX-License-Identifier: MIT */
/*
 * park_test.c - tests of engine/park.c: park, wake, interruptions, in terms of task.h
 */
#include <errno.h>
#include <stdint.h>

#include "dispatcher.h"
#include "loop.h"

#define MS OURO_MILLISECOND

/* --- parking ------------------------------------------------------------------------------- */

/* A wait of our own, which counts its interruptions and ends if it is told to. */
struct own_wait {
    struct wait wait;
    int interrupted;
    int code;        /* the last one */
    bool is_patient; /* interruptions do not end it */
    int outcome;     /* what the task made of its end */
};

static void interrupt_own(struct wait *wait, int code)
{
    struct own_wait *own = container_of(wait, struct own_wait, wait);

    own->interrupted++;
    own->code = code;
    if (!own->is_patient)
        ouro__task_wake(wait, -EINTR);
}

static const struct wait_kind own_kind = {.name = "own", .interrupt = interrupt_own};
static const struct wait_kind deaf_kind = {.name = "deaf", .interrupt = NULL};

static int park(void *arg)
{
    struct own_wait *own = arg;
    int result;

    own->wait.task = ouro__dispatcher->current;
    result = ouro__task_park(&own->wait);
    own->outcome = (int) ouro__task_outcome(result);
    return result;
}

static int park_with_limit(void *arg)
{
    struct ouro_timeout limit;
    int result;

    ouro_timeout_begin(&limit, 10 * MS);
    result = park(arg);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), result < 0 ? -ETIMEDOUT : 0);
    return result;
}

static int wake_parked(void *arg)
{
    struct own_wait own = {.wait = {.kind = &own_kind}};
    ouro_task_id id = ouro_spawn(park, &own);
    int result = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(own.wait.task->state, TASK_PARKED);
    CU_ASSERT_PTR_EQUAL(own.wait.task->wait, &own.wait);
    ouro__task_wake(&own.wait, 123);
    CU_ASSERT_EQUAL(own.wait.task->state, TASK_RUNNABLE); /* it is only queued */
    CU_ASSERT_EQUAL(own.outcome, 0);
    CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, 123);
    CU_ASSERT_EQUAL(own.outcome, 123);
    CU_ASSERT_EQUAL(own.interrupted, 0);
    return 0;
}

static void test_wake_queues_the_task_with_a_result(void)
{
    CU_ASSERT_EQUAL(run_sim(wake_parked, NULL), 0);
}

static int note_wake(void *arg)
{
    struct own_wait *own = arg;
    int place = park(own);

    return place;
}

static int wake_in_order(void *arg)
{
    struct own_wait waits[4];
    ouro_task_id ids[4];

    (void) arg;
    for (int i = 0; i < 4; i++) {
        waits[i] = (struct own_wait) {.wait = {.kind = &own_kind}};
        ids[i] = ouro_spawn(note_wake, &waits[i]);
    }
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    for (int i = 3; i >= 0; i--)
        ouro__task_wake(&waits[i].wait, i);
    CU_ASSERT_PTR_EQUAL(ouro__dispatcher->run_first, waits[3].wait.task);
    CU_ASSERT_PTR_EQUAL(ouro__dispatcher->run_last, waits[0].wait.task);
    for (int i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(ouro_join(ids[i], NULL), 0);
    return 0;
}

static void test_woken_tasks_run_first_come_first_served(void)
{
    CU_ASSERT_EQUAL(run_sim(wake_in_order, NULL), 0);
}

/* --- interruptions ------------------------------------------------------------------------- */

static int interrupt_parked(void *arg)
{
    struct own_wait own = {.wait = {.kind = &own_kind}};
    ouro_task_id id = ouro_spawn(park, &own);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(own.interrupted, 1);
    CU_ASSERT_EQUAL(own.code, -ECANCELED);
    CU_ASSERT_EQUAL(own.outcome, -ECANCELED); /* it outranks the wait's own error */

    own = (struct own_wait) {.wait = {.kind = &own_kind}};
    id = ouro_spawn(park_with_limit, &own);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(own.interrupted, 1);
    CU_ASSERT_EQUAL(own.code, -ETIMEDOUT);
    CU_ASSERT_EQUAL(own.outcome, -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_now(), 10 * MS);
    return 0;
}

static void test_wait_is_interrupted_once_and_its_kind_decides(void)
{
    CU_ASSERT_EQUAL(run_sim(interrupt_parked, NULL), 0);
}

static int interrupt_patient(void *arg)
{
    struct own_wait own = {.wait = {.kind = &own_kind}, .is_patient = true};
    ouro_task_id id = ouro_spawn(park_with_limit, &own);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_sleep(20 * MS), 0);
    CU_ASSERT_EQUAL(own.code, -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(own.code, -ECANCELED);
    CU_ASSERT_EQUAL(own.interrupted, 2); /* once for each code */
    CU_ASSERT_EQUAL(own.wait.task->state, TASK_PARKED);
    ouro__task_wake(&own.wait, 5); /* it succeeds after all: that is reported */
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(own.outcome, 5);
    return 0;
}

static void test_result_outranks_the_interruptions_that_did_not_end_the_wait(void)
{
    CU_ASSERT_EQUAL(run_sim(interrupt_patient, NULL), 0);
}

static int park_deaf_then_yield(void *arg)
{
    int result = park(arg);

    CU_ASSERT_EQUAL(ouro_yield(), -ECANCELED);
    return result;
}

static int interrupt_deaf(void *arg)
{
    struct own_wait own = {.wait = {.kind = &deaf_kind}};
    ouro_task_id id = ouro_spawn(park_deaf_then_yield, &own);
    int result = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(own.wait.task->state, TASK_PARKED);
    ouro__task_wake(&own.wait, 5);
    CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, 5);
    return 0;
}

/*
 * task    main
 * park    .         in a wait that can't be interrupted
 * .       cancel    does not end it,
 * .       wake
 * yield   .         but is not forgotten
 */
static void test_interruption_of_a_deaf_wait_fails_the_next_call(void)
{
    CU_ASSERT_EQUAL(run_sim(interrupt_deaf, NULL), 0);
}

/* --- generators inside tasks --------------------------------------------------------------- */

struct source_of_numbers {
    struct log *log;
    const char *name;
};

/* An async generator: it sleeps between its values. */
static void generate(void *arg)
{
    const struct source_of_numbers *source = arg;

    for (intptr_t i = 1; i <= 3; i++) {
        int code = ouro_sleep(MS);

        if (code) {
            (void) ouro_coro_yield((void *) (intptr_t) code, NULL);
            return;
        }
        log_add(source->log, source->name);
        if (ouro_coro_yield((void *) i, NULL))
            return;
    }
}

/* A generator that draws from another. */
static void generate_doubles(void *arg)
{
    struct ouro_coro *inner = NULL;
    void *value = NULL;

    CU_ASSERT_EQUAL(ouro_coro_create(generate, arg, NULL, &inner), 0);
    while (ouro_coro_send(inner, NULL, &value) == 1) {
        CU_ASSERT_EQUAL(ouro_yield(), 0); /* suspends in the middle */
        if (ouro_coro_yield((void *) ((intptr_t) value * 2), NULL))
            break;
    }
    ouro_coro_close(inner);
}

static int consume(void *arg)
{
    struct ouro_coro *coro = NULL;
    void *value = NULL;
    int sum = 0;

    CU_ASSERT_EQUAL(ouro_coro_create(generate_doubles, arg, NULL, &coro), 0);
    while (ouro_coro_send(coro, NULL, &value) == 1) {
        sum += (int) (intptr_t) value;
        CU_ASSERT_EQUAL(ouro_yield(), 0); /* outside of both */
    }
    ouro_coro_close(coro);
    return sum;
}

static int consume_side_by_side(void *arg)
{
    struct source_of_numbers sources[2] = {{arg, "a"}, {arg, "b"}};
    ouro_task_id ids[2];
    int sum = 0;

    for (int i = 0; i < 2; i++)
        ids[i] = ouro_spawn(consume, &sources[i]);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(ouro_join(ids[i], &sum), 0);
        CU_ASSERT_EQUAL(sum, 12);
    }
    return 0;
}

/*
 * a: task   outer   inner   b: task   outer   inner
 * send      send    sleep   .         .       .        each task sleeps as a whole,
 * .         .       .       send      send    sleep
 * .         .       yield   .         .       .        and wakes in the innermost generator
 * .         yield   .       .         .       yield
 * ...                       ...
 */
static void test_task_suspends_inside_its_generators_and_resumes_there(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(consume_side_by_side, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "ababab");
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, consume_side_by_side, &log), 0);
}

static int draw_one(void *arg)
{
    struct ouro_coro *coro = NULL;
    void *value = NULL;

    CU_ASSERT_EQUAL(ouro_coro_create(generate, arg, NULL, &coro), 0);
    CU_ASSERT_EQUAL(ouro_coro_send(coro, NULL, &value), 1);
    ouro_coro_close(coro);
    return (int) (intptr_t) value;
}

static int cancel_in_generator(void *arg)
{
    struct log log = {.len = 0};
    struct source_of_numbers source = {&log, "a"};
    ouro_task_id id = ouro_spawn(draw_one, &source);
    int result = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(ouro_now(), 0);
    return 0;
}

static void test_cancelling_reaches_a_task_inside_its_generator(void)
{
    CU_ASSERT_EQUAL(run_sim(cancel_in_generator, NULL), 0);
}

const struct test park_tests[] = {
    TEST(test_wake_queues_the_task_with_a_result),
    TEST(test_woken_tasks_run_first_come_first_served),
    TEST(test_wait_is_interrupted_once_and_its_kind_decides),
    TEST(test_result_outranks_the_interruptions_that_did_not_end_the_wait),
    TEST(test_interruption_of_a_deaf_wait_fails_the_next_call),
    TEST(test_task_suspends_inside_its_generators_and_resumes_there),
    TEST(test_cancelling_reaches_a_task_inside_its_generator),
    TEST_END};
