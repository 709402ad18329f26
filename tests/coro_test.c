/* SPDX-License-Identifier: MIT */
/*
 * coro_test.c - tests of engine/coro.c and coro_switch.h
 *
 * First generators by themselves, then the switch, then generators inside tasks.
 */
#include <alloca.h>
#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"

#include "check.h"
#include "coro_registers.h"
#include "loop.h"
#include "test.h"

static struct ouro_coro *create(ouro_coro_fn *fn, void *arg)
{
    struct ouro_coro *coro = NULL;

    CU_ASSERT_EQUAL(ouro_coro_create(fn, arg, NULL, &coro), 0);
    return coro;
}

/* Sends NULL and returns what came; NULL when nothing did. */
static void *next(struct ouro_coro *coro)
{
    void *value = NULL;

    return ouro_coro_send(coro, NULL, &value) == 1 ? value : NULL;
}

/* --- values ---------------------------------------------------------------------------------- */

/* Yields the numbers 1 to *limit, as pointers. */
static void count_up(void *limit)
{
    for (intptr_t i = 1; i <= *(int *) limit; i++)
        (void) ouro_coro_yield((void *) i, NULL);
}

static void test_nothing_runs_before_the_first_send(void)
{
    int limit = 0;
    struct ouro_coro *coro = create(count_up, &limit);

    limit = 1; /* it would have ended otherwise */
    CU_ASSERT_PTR_EQUAL(next(coro), (void *) 1);
    ouro_coro_close(coro);
}

static void test_yielded_values_reach_the_sender(void)
{
    int limit = 3;
    struct ouro_coro *coro = create(count_up, &limit);

    CU_ASSERT_PTR_EQUAL(next(coro), (void *) 1);
    CU_ASSERT_PTR_EQUAL(next(coro), (void *) 2);
    CU_ASSERT_EQUAL(ouro_coro_send(coro, NULL, NULL), 1); /* nobody wants to know */
    CU_ASSERT_EQUAL(ouro_coro_send(coro, NULL, NULL), 0);
    ouro_coro_close(coro);
}

static void test_send_after_the_end_returns_zero_and_writes_nothing(void)
{
    int limit = 0;
    void *value = &limit;
    struct ouro_coro *coro = create(count_up, &limit);

    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_coro_send(coro, NULL, &value), 0);
    CU_ASSERT_PTR_EQUAL(value, &limit);
    ouro_coro_close(coro);
}

/* Yields what it was sent, and tells its arg about the first. */
static void echo(void *arg)
{
    void *value = arg;

    while (!ouro_coro_yield(value, &value))
        continue;
}

static void test_sent_values_reach_the_yield_and_the_first_is_dropped(void)
{
    int numbers[4];
    void *value;
    struct ouro_coro *coro = create(echo, &numbers[0]);

    CU_ASSERT_EQUAL(ouro_coro_send(coro, &numbers[1], &value), 1);
    CU_ASSERT_PTR_EQUAL(value, &numbers[0]);
    for (int i = 2; i < 4; i++) {
        CU_ASSERT_EQUAL(ouro_coro_send(coro, &numbers[i], &value), 1);
        CU_ASSERT_PTR_EQUAL(value, &numbers[i]);
    }
    CU_ASSERT_EQUAL(ouro_coro_send(coro, NULL, &value), 1);
    CU_ASSERT_PTR_NULL(value);
    ouro_coro_close(coro);
}

static void test_yield_outside_a_coroutine_is_refused(void)
{
    int limit = 1;
    void *value = &limit;
    struct ouro_coro *coro = create(count_up, &limit);

    CU_ASSERT_EQUAL(ouro_coro_yield(NULL, &value), -EINVAL);
    (void) next(coro);
    CU_ASSERT_EQUAL(ouro_coro_yield(NULL, &value), -EINVAL); /* one that waits does not count */
    CU_ASSERT_PTR_EQUAL(value, &limit);
    ouro_coro_close(coro);
}

static void test_unknown_stack_class_is_refused(void)
{
    const struct ouro_coro_options options = {.stack = (enum ouro_stack_class) 99};
    struct ouro_coro *coro = NULL;

    CU_ASSERT_EQUAL(ouro_coro_create(count_up, NULL, &options, &coro), -EINVAL);
    CU_ASSERT_PTR_NULL(coro);
}

/* Uses up `*arg` bytes of stack, and a little more. */
static void fill_stack(void *arg)
{
    size_t bytes = *(size_t *) arg;
    char *filled = alloca(bytes);

    memset(filled, 1, bytes);
    (void) ouro_coro_yield(filled, NULL);
}

static void test_stack_is_as_large_as_its_class(void)
{
    static const struct {
        enum ouro_stack_class class;
        size_t kib;
    } rows[] = {
        {OURO_STACK_DEFAULT, 256}, {OURO_STACK_16K, 16},  {OURO_STACK_64K, 64},
        {OURO_STACK_256K, 256},    {OURO_STACK_1M, 1024},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct ouro_coro_options options = {.stack = rows[i].class};
        size_t bytes = rows[i].kib * 1024 - 4096;
        struct ouro_coro *coro = NULL;

        CU_ASSERT_EQUAL_FATAL(ouro_coro_create(fill_stack, &bytes, &options, &coro), 0);
        CU_ASSERT_PTR_NOT_NULL(next(coro));
        ouro_coro_close(coro);
    }
}

/* --- closing --------------------------------------------------------------------------------- */

struct closing {
    int started, cancelled, last_code;
};

/* Goes on yielding some time after it was told to stop. */
static void stop_slowly(void *arg)
{
    struct closing *closing = arg;

    closing->started++;
    while (closing->cancelled < 3) {
        void *untouched = closing;

        closing->last_code = ouro_coro_yield(NULL, &untouched);
        if (closing->last_code) {
            closing->cancelled++;
            CU_ASSERT_PTR_EQUAL(untouched, closing);
        }
    }
}

static void test_closing_makes_yield_fail_again_and_again(void)
{
    struct closing closing = {0};
    struct ouro_coro *coro = create(stop_slowly, &closing);

    (void) next(coro);
    (void) next(coro);
    CU_ASSERT_EQUAL(closing.cancelled, 0);
    ouro_coro_close(coro);
    CU_ASSERT_EQUAL(closing.cancelled, 3);
    CU_ASSERT_EQUAL(closing.last_code, -ECANCELED);
}

static void test_closing_one_that_never_started_does_not_start_it(void)
{
    struct closing closing = {0};

    ouro_coro_close(create(stop_slowly, &closing));
    CU_ASSERT_EQUAL(closing.started, 0);
}

static void test_closing_one_that_has_ended_frees_it(void)
{
    int limit = 0;
    struct ouro_coro *coro = create(count_up, &limit);

    (void) next(coro);
    ouro_coro_close(coro);
}

static void test_closing_null_does_nothing(void)
{
    ouro_coro_close(NULL);
}

static void close_myself(void *arg)
{
    ouro_coro_close(*(struct ouro_coro **) arg);
}

static int close_while_running(void *arg)
{
    struct ouro_coro *coro;

    (void) arg;
    if (ouro_coro_create(close_myself, &coro, NULL, &coro))
        return 1;
    (void) ouro_coro_send(coro, NULL, NULL);
    return 0;
}

static void test_closing_a_running_coroutine_is_a_bug(void)
{
    struct child child = run_in_child(close_while_running, NULL);

    CU_ASSERT(was_killed_by(&child, SIGABRT));
    CU_ASSERT(said(&child, "ouro_coro_close() of a running coroutine"));
}

/* --- one inside another ------------------------------------------------------------------------ */

static void send_to(void *arg)
{
    struct ouro_coro **target = arg;
    intptr_t code = ouro_coro_send(*target, NULL, NULL);

    (void) ouro_coro_yield((void *) -code, NULL);
}

static void test_sending_to_a_running_coroutine_is_refused(void)
{
    struct ouro_coro *coro;

    coro = create(send_to, &coro);
    CU_ASSERT_EQUAL((intptr_t) next(coro), EBUSY);
    ouro_coro_close(coro);
}

struct chain {
    struct ouro_coro *first;
    intptr_t code;
};

/* The inner of two: sends to the one that waits for it. */
static void send_to_the_first(void *arg)
{
    struct chain *chain = arg;

    chain->code = ouro_coro_send(chain->first, NULL, NULL);
}

static void send_to_a_new_one(void *arg)
{
    struct ouro_coro *inner = create(send_to_the_first, arg);

    CU_ASSERT_EQUAL(ouro_coro_send(inner, NULL, NULL), 0);
    ouro_coro_close(inner);
}

static void test_sending_to_one_that_waits_for_us_is_refused(void)
{
    struct chain chain = {.code = 0};

    chain.first = create(send_to_a_new_one, &chain);
    CU_ASSERT_EQUAL(ouro_coro_send(chain.first, NULL, NULL), 0);
    CU_ASSERT_EQUAL(chain.code, -EBUSY);
    ouro_coro_close(chain.first);
}

/* Yields what a generator one deeper yields, plus one. At the bottom: 1, 2, 3. */
static void add_one_per_level(void *arg)
{
    int level = *(int *) arg, below = level - 1, limit = 3;
    struct ouro_coro *inner = create(below ? add_one_per_level : count_up, below ? &below : &limit);
    void *value;

    while (ouro_coro_send(inner, NULL, &value) == 1)
        if (ouro_coro_yield((char *) value + 1, NULL))
            break;
    ouro_coro_close(inner);
}

static void test_generators_nest(void)
{
    int levels = 50;
    struct ouro_coro *coro = create(add_one_per_level, &levels);

    for (intptr_t i = 1; i <= 3; i++)
        CU_ASSERT_EQUAL((intptr_t) next(coro), 50 + i);
    CU_ASSERT_EQUAL(ouro_coro_send(coro, NULL, NULL), 0);
    ouro_coro_close(coro);
}

/* Every level closes the one below it; the leak checkers say whether that worked. */
static void test_closing_the_outermost_unwinds_all(void)
{
    int levels = 50;
    struct ouro_coro *coro = create(add_one_per_level, &levels);

    CU_ASSERT_EQUAL((intptr_t) next(coro), 51);
    ouro_coro_close(coro);
    CU_ASSERT_EQUAL(ouro_coro_yield(NULL, NULL), -EINVAL); /* we are back outside */
}

/* While it is being closed it still uses a generator of its own. */
static void count_in_cleanup(void *arg)
{
    intptr_t *sum = arg;
    int limit = 4;
    struct ouro_coro *inner;
    void *value;

    while (!ouro_coro_yield(NULL, NULL))
        continue;
    inner = create(count_up, &limit);
    while (ouro_coro_send(inner, NULL, &value) == 1)
        *sum += (intptr_t) value;
    ouro_coro_close(inner);
    CU_ASSERT_EQUAL(ouro_coro_yield(NULL, NULL), -ECANCELED);
}

static void test_cleanup_may_use_generators(void)
{
    intptr_t sum = 0;
    struct ouro_coro *coro = create(count_in_cleanup, &sum);

    (void) next(coro);
    ouro_coro_close(coro);
    CU_ASSERT_EQUAL(sum, 1 + 2 + 3 + 4);
}

static void send_on(void *arg)
{
    struct ouro_coro *const *target = arg;

    do
        (void) ouro_coro_send(*target, NULL, NULL);
    while (!ouro_coro_yield(NULL, NULL));
}

/* A value goes to whoever sent last, not to whoever sent first. */
static void test_senders_may_take_turns(void)
{
    int limit = 100;
    struct ouro_coro *counter = create(count_up, &limit);
    struct ouro_coro *first = create(send_on, &counter), *second = create(send_on, &counter);

    for (intptr_t i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL((intptr_t) next(counter), 3 * i + 1);
        (void) next(first);
        (void) next(second);
    }
    ouro_coro_close(first);
    ouro_coro_close(counter);
    ouro_coro_close(second);
}

static void test_ten_thousand_generators_go_round(void)
{
    const struct ouro_coro_options options = {.stack = OURO_STACK_16K};
    const int count = valgrind_is_running() ? 100 : 10000; /* it searches a list of stacks */
    struct ouro_coro **coros = calloc((size_t) count, sizeof(struct ouro_coro *));
    int limit = 5, wrong = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(coros);
    for (int i = 0; i < count; i++)
        wrong += ouro_coro_create(count_up, &limit, &options, &coros[i]) != 0;
    CU_ASSERT_EQUAL_FATAL(wrong, 0);
    for (intptr_t round = 1; round < 5; round++)
        for (int i = 0; i < count; i++)
            wrong += next(coros[i]) != (void *) round;
    CU_ASSERT_EQUAL(wrong, 0);
    for (int i = 0; i < count; i++)
        ouro_coro_close(coros[i]);
    free(coros);
}

/* --- names ------------------------------------------------------------------------------------- */

/* Its own name, as the report of an overflow would say it. */
static void tell_name(void *arg)
{
    const char *guard = ouro__coro_running()->stack.limit - 1;

    (void) arg;
    CU_ASSERT_PTR_NULL(ouro__coro_guard_owner(guard + 1));
    (void) ouro_coro_yield((void *) (uintptr_t) ouro__coro_guard_owner(guard), NULL);
}

static void test_name_is_copied_and_cut(void)
{
    static const struct {
        const char *given, *kept;
    } rows[] = {
        {NULL, "coroutine"},
        {"", ""},
        {"tell_name", "tell_name"},
        {"thirty-one-characters-0123456789", "thirty-one-characters-012345678"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char given[64] = "";
        const struct ouro_coro_options options = {.name = rows[i].given ? given : NULL};
        struct ouro_coro *coro = NULL;
        const char *kept;

        (void) snprintf(given, sizeof(given), "%s", rows[i].given ? rows[i].given : "");
        CU_ASSERT_EQUAL_FATAL(ouro_coro_create(tell_name, NULL, &options, &coro), 0);
        memset(given, 'x', sizeof(given));
        kept = next(coro);
        CU_ASSERT_PTR_NOT_NULL(kept);
        if (kept)
            CU_ASSERT_STRING_EQUAL(kept, rows[i].kept);
        ouro_coro_close(coro);
    }
}

/* --- threads ------------------------------------------------------------------------------------- */

/* Its pool of stacks goes with the thread: the leak checkers look. */
static void *use_generator(void *arg)
{
    int limit = 1000;
    struct ouro_coro *coro;
    intptr_t sum = 0;

    (void) arg;
    if (ouro_coro_create(count_up, &limit, NULL, &coro))
        return NULL;
    for (void *value; ouro_coro_send(coro, NULL, &value) == 1;)
        sum += (intptr_t) value;
    ouro_coro_close(coro);
    return (void *) sum;
}

static void test_threads_have_generators_of_their_own(void)
{
    pthread_t threads[4];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, use_generator, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *sum;

        CU_ASSERT_EQUAL(pthread_join(threads[i], &sum), 0);
        CU_ASSERT_EQUAL((intptr_t) sum, 500500);
    }
}

static void lend_local(void *arg)
{
    int local = 42;

    (void) arg;
    (void) ouro_coro_yield(&local, NULL);
}

static void *leave_generator(void *arg)
{
    struct ouro_coro *coro;

    (void) arg;
    return ouro_coro_create(lend_local, NULL, NULL, &coro) ? NULL : next(coro);
}

static int lose_generator(void *arg)
{
    pthread_t thread;
    void *local = NULL;

    (void) arg;
    (void) pthread_create(&thread, NULL, leave_generator, NULL);
    (void) pthread_join(thread, &local);
    return local ? *(int *) local : 1;
}

/* In a child, since what is lost stays lost. */
static void test_thread_may_end_with_a_generator_that_nobody_closed(void)
{
    struct child child = run_in_child(lose_generator, NULL);

    CU_ASSERT(exited_with(&child, 42));
}

/* --- the switch ------------------------------------------------------------------------------------ */

static void test_no_register_is_lost_in_a_switch(void)
{
    CU_ASSERT_PTR_NULL(find_lost_registers());
}

/* System V and AAPCS64 alike: a frame record lies at a multiple of 16. */
static void tell_frame(void *arg)
{
    (void) arg;
    (void) ouro_coro_yield(__builtin_frame_address(0), NULL);
}

static void test_first_frame_is_aligned(void)
{
    struct ouro_coro *coro = create(tell_frame, NULL);

    CU_ASSERT_EQUAL((uintptr_t) next(coro) % 16, 0);
    ouro_coro_close(coro);
}

/* A frame that is aligned at run time and then grows: it needs the base pointer. */
static void keep_odd_frame(void *arg)
{
    alignas(512) char aligned[512];
    size_t bytes = *(size_t *) arg;
    char *grown = alloca(bytes);

    memset(aligned, 0x11, sizeof(aligned));
    memset(grown, 0x22, bytes);
    for (int round = 0; round < 3; round++) {
        bool is_intact = (uintptr_t) aligned % 512 == 0 && grown != aligned;

        (void) ouro_coro_yield(aligned, NULL);
        for (size_t i = 0; i < sizeof(aligned); i++)
            is_intact &= aligned[i] == 0x11;
        for (size_t i = 0; i < bytes; i++)
            is_intact &= grown[i] == 0x22;
        CU_ASSERT(is_intact);
    }
}

static void test_frames_of_run_time_size_and_alignment_stay_intact(void)
{
    size_t sizes[] = {1, 100, 5000, 20001};
    struct ouro_coro *coros[COUNT_OF(sizes)];

    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        coros[i] = create(keep_odd_frame, &sizes[i]);
    for (int round = 0; round < 4; round++)
        for (size_t i = 0; i < COUNT_OF(sizes); i++)
            CU_ASSERT_EQUAL(ouro_coro_send(coros[i], NULL, NULL), round < 3);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        ouro_coro_close(coros[i]);
}

#if defined(OURO_ASAN) || defined(OURO_TSAN)

static void test_red_zone_stays_intact(void)
{
    TEST_SKIP("a sanitizer's calls leave no function that has a red zone");
}

#else

static struct ouro_coro_context leaf_home, leaf_other;

static void switch_back_for_ever(void)
{
    for (;;)
        ouro_coro_switch(&leaf_other, &leaf_home);
}

/* It calls nothing, so its variables lie below the stack pointer, on x86-64. */
__attribute__((noinline)) static int switch_in_leaf(int first)
{
    volatile int kept[24];
    int sum = 0;

    for (int i = 0; i < 24; i++)
        kept[i] = first + i;
    ouro_coro_switch(&leaf_home, &leaf_other);
    for (int i = 0; i < 24; i++)
        sum += kept[i];
    return sum;
}

static void test_red_zone_stays_intact(void)
{
    struct coro coro;
    struct stack_pool pool;

    ouro__stack_pool_init(&pool, false);
    CU_ASSERT_EQUAL_FATAL(ouro__stack_acquire(&pool, OURO_STACK_16K, &coro.stack), 0);
    ouro__coro_init(&coro, switch_back_for_ever, 0);
    leaf_other = coro.core.context;
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(switch_in_leaf(100 * i), 24 * 100 * i + 23 * 24 / 2);
    ouro__stack_release(&pool, OURO_STACK_16K, coro.stack);
    ouro__stack_pool_done(&pool);
}

#endif

/* --- how deep libc goes ------------------------------------------------------------------------------ */

static struct coro *printer_home;
static struct coro printer;

/* An unbuffered stream is the worst case: printf then has its buffer on the stack. */
static void print_everything(void)
{
    static const char pool_name[] = "pool";
    FILE *null;

    ouro__coro_arrived(&printer);
    null = fopen("/dev/null", "we");
    CU_ASSERT_PTR_NOT_NULL(null);
    if (null) {
        (void) setvbuf(null, NULL, _IONBF, 0);
        (void) fprintf(null, "%s %d %p %.30f %La %'zu %1000s\n", "text", -1,
                       (const void *) pool_name, 1e300, 1e4000L, (size_t) -1, "wide");
        (void) fclose(null);
    }
    ouro__coro_exit(&printer, printer_home);
}

static void test_printf_needs_less_than_half_of_the_default_stack(void)
{
    struct stack_pool pool;
    size_t used;

    if (valgrind_is_running()) {
        TEST_SKIP("Valgrind does not like to have stacks read below their pointers");
        return;
    }
    ouro__stack_pool_init(&pool, false);
    CU_ASSERT_EQUAL_FATAL(ouro__stack_acquire(&pool, OURO_STACK_DEFAULT, &printer.stack), 0);
    ouro__coro_init(&printer, print_everything, 0);
    printer_home = ouro__coro_running();
    ouro__coro_switch(printer_home, &printer);
    ouro__coro_done(&printer);
    asan_unpoison(printer.stack.limit, (size_t) (printer.stack.top - printer.stack.limit));
    used = ouro__stack_high_water(printer.stack);
    CU_ASSERT(used > 1024);
    CU_ASSERT(used < 128 * 1024);
    ouro__stack_release(&pool, OURO_STACK_DEFAULT, printer.stack);
    ouro__stack_pool_done(&pool);
}

/* --- inside tasks --------------------------------------------------------------------------------------- */

struct sleepy {
    struct log *log;
    const char *name;
    int64_t period;
};

/* Sleeps before each of three values: an async generator. */
static void sleep_and_yield(void *arg)
{
    struct sleepy *self = arg;

    for (intptr_t i = 1; i <= 3; i++) {
        if (ouro_sleep(self->period))
            return;
        log_add(self->log, self->name);
        if (ouro_coro_yield((void *) i, NULL))
            return;
    }
}

static int consume(void *arg)
{
    struct ouro_coro *coro = create(sleep_and_yield, arg);
    intptr_t sum = 0;

    CU_ASSERT_EQUAL(ouro_coro_yield(NULL, NULL), -EINVAL); /* others sleep in theirs; we don't */
    for (void *value; ouro_coro_send(coro, NULL, &value) == 1;)
        sum += (intptr_t) value;
    CU_ASSERT_EQUAL(ouro_coro_yield(NULL, NULL), -EINVAL);
    ouro_coro_close(coro);
    return (int) sum;
}

/*
 *      time    10      20      30      40 (ms)
 *      a       a       a       a
 *      b         b (15)      b (30)      b (45)      a fires first at 30: it was set at 20
 */
static int consume_two(void *arg)
{
    struct sleepy slow = {arg, "b", 15 * OURO_MILLISECOND};
    struct sleepy fast = {arg, "a", 10 * OURO_MILLISECOND};
    ouro_task_id first = ouro_spawn(consume, &fast);
    ouro_task_id second = ouro_spawn(consume, &slow);
    int result;

    CU_ASSERT_EQUAL(ouro_join(first, &result), 0);
    CU_ASSERT_EQUAL(result, 6);
    CU_ASSERT_EQUAL(ouro_join(second, &result), 0);
    CU_ASSERT_EQUAL(result, 6);
    return 0;
}

static void test_tasks_sleep_in_generators_of_their_own(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(consume_two, &log), 0);
    CU_ASSERT(!strcmp(log.text, "abaabb") || !strcmp(log.text, "ababab"));
}

/* Passes on what a sleeping generator yields, asleep itself in between. */
static void sleep_and_pass_on(void *arg)
{
    struct ouro_coro *inner = create(sleep_and_yield, arg);

    for (void *value; ouro_coro_send(inner, NULL, &value) == 1;) {
        CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), 0);
        if (ouro_coro_yield((char *) value + 10, NULL))
            break;
    }
    ouro_coro_close(inner);
}

static int consume_nested(void *arg)
{
    struct log log = {.len = 0};
    struct sleepy sleepy = {&log, "i", OURO_SECOND};
    struct ouro_coro *coro = create(sleep_and_pass_on, &sleepy);
    int64_t start = ouro_now();

    (void) arg;
    for (intptr_t i = 1; i <= 3; i++) {
        CU_ASSERT_EQUAL((intptr_t) next(coro), i + 10);
        CU_ASSERT(ouro_now() - start >= 2 * i * OURO_SECOND);
    }
    CU_ASSERT_EQUAL(ouro_coro_send(coro, NULL, NULL), 0);
    ouro_coro_close(coro);
    return 0;
}

static void test_innermost_of_nested_generators_may_sleep(void)
{
    CU_ASSERT_EQUAL(run_sim(consume_nested, NULL), 0);
}

static int send_while_busy(void *arg)
{
    return ouro_coro_send(*(struct ouro_coro **) arg, NULL, NULL);
}

static int share_generator(void *arg)
{
    struct log log = {.len = 0};
    struct sleepy sleepy = {&log, "s", OURO_SECOND};
    struct ouro_coro *coro = create(sleep_and_yield, &sleepy);
    ouro_task_id other;
    int result;

    (void) arg;
    /* While we sleep in it, another task can't have it... */
    other = ouro_spawn(send_while_busy, &coro);
    CU_ASSERT_EQUAL((intptr_t) next(coro), 1);
    CU_ASSERT_EQUAL(ouro_join(other, &result), 0);
    CU_ASSERT_EQUAL(result, -EBUSY);

    /* ... and when it has yielded to us, it can. */
    other = ouro_spawn(send_while_busy, &coro);
    CU_ASSERT_EQUAL(ouro_join(other, &result), 0);
    CU_ASSERT_EQUAL(result, 1);
    CU_ASSERT_EQUAL((intptr_t) next(coro), 3);
    ouro_coro_close(coro);
    CU_ASSERT_STRING_EQUAL(log.text, "sss");
    return 0;
}

static void test_tasks_may_take_turns_with_a_generator(void)
{
    CU_ASSERT_EQUAL(run_sim(share_generator, NULL), 0);
}

/* Tells by its values what its sleep and its yield returned. */
static void sleep_long(void *arg)
{
    intptr_t code = ouro_sleep(*(int64_t *) arg);

    CU_ASSERT_EQUAL(ouro_coro_yield((void *) -code, NULL), 0);
    code = ouro_sleep(*(int64_t *) arg);
    (void) ouro_coro_yield((void *) -code, NULL);
}

static int consume_cancelled(void *arg)
{
    struct ouro_coro *coro = create(sleep_long, arg);

    CU_ASSERT_EQUAL((intptr_t) next(coro), ECANCELED);
    CU_ASSERT_EQUAL((intptr_t) next(coro), ECANCELED);
    ouro_coro_close(coro);
    return ouro_sleep(1);
}

static int cancel_consumer(void *arg)
{
    ouro_task_id consumer = ouro_spawn(consume_cancelled, arg);
    int result;

    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(consumer, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    return 0;
}

static void test_cancelling_a_task_wakes_the_generator_that_it_sleeps_in(void)
{
    int64_t hour = 3600 * OURO_SECOND;

    CU_ASSERT_EQUAL(run_sim(cancel_consumer, &hour), 0);
}

static void sleep_in_cleanup(void *arg)
{
    int64_t *slept = arg;
    int64_t start = ouro_now();

    CU_ASSERT_EQUAL(ouro_coro_yield(NULL, NULL), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), 0);
    *slept = ouro_now() - start;
}

static int close_sleepily(void *arg)
{
    struct ouro_coro *coro = create(sleep_in_cleanup, arg);

    (void) next(coro);
    ouro_coro_close(coro);
    return 0;
}

static void test_closing_waits_for_a_cleanup_that_sleeps(void)
{
    int64_t slept = 0;

    CU_ASSERT_EQUAL(run_sim(close_sleepily, &slept), 0);
    CU_ASSERT(slept >= OURO_SECOND);
}

static int create_in_task(void *arg)
{
    struct ouro_coro **coro = arg;
    static int limit = 3;

    *coro = create(count_up, &limit);
    CU_ASSERT_EQUAL((intptr_t) next(*coro), 1);
    return 0;
}

static void test_generator_outlives_its_task_and_loop(void)
{
    struct ouro_coro *coro = NULL;

    CU_ASSERT_EQUAL(run_sim(create_in_task, &coro), 0);
    CU_ASSERT_EQUAL((intptr_t) next(coro), 2);
    CU_ASSERT_EQUAL((intptr_t) next(coro), 3);
    ouro_coro_close(coro);
}

const struct test coro_tests[] = {
    TEST(test_nothing_runs_before_the_first_send),
    TEST(test_yielded_values_reach_the_sender),
    TEST(test_send_after_the_end_returns_zero_and_writes_nothing),
    TEST(test_sent_values_reach_the_yield_and_the_first_is_dropped),
    TEST(test_yield_outside_a_coroutine_is_refused),
    TEST(test_unknown_stack_class_is_refused),
    TEST(test_stack_is_as_large_as_its_class),
    TEST(test_closing_makes_yield_fail_again_and_again),
    TEST(test_closing_one_that_never_started_does_not_start_it),
    TEST(test_closing_one_that_has_ended_frees_it),
    TEST(test_closing_null_does_nothing),
    TEST(test_closing_a_running_coroutine_is_a_bug),
    TEST(test_sending_to_a_running_coroutine_is_refused),
    TEST(test_sending_to_one_that_waits_for_us_is_refused),
    TEST(test_generators_nest),
    TEST(test_closing_the_outermost_unwinds_all),
    TEST(test_cleanup_may_use_generators),
    TEST(test_senders_may_take_turns),
    TEST(test_ten_thousand_generators_go_round),
    TEST(test_name_is_copied_and_cut),
    TEST(test_threads_have_generators_of_their_own),
    TEST(test_thread_may_end_with_a_generator_that_nobody_closed),
    TEST(test_no_register_is_lost_in_a_switch),
    TEST(test_first_frame_is_aligned),
    TEST(test_frames_of_run_time_size_and_alignment_stay_intact),
    TEST(test_red_zone_stays_intact),
    TEST(test_printf_needs_less_than_half_of_the_default_stack),
    TEST(test_tasks_sleep_in_generators_of_their_own),
    TEST(test_innermost_of_nested_generators_may_sleep),
    TEST(test_tasks_may_take_turns_with_a_generator),
    TEST(test_cancelling_a_task_wakes_the_generator_that_it_sleeps_in),
    TEST(test_closing_waits_for_a_cleanup_that_sleeps),
    TEST(test_generator_outlives_its_task_and_loop),
    TEST_END,
};
