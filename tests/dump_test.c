/* SPDX-License-Identifier: MIT */
/*
 * dump_test.c - tests of engine/dump.c: what is said about tasks
 *
 * A dump is written to a file in memory and read back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "check.h"
#include "dispatcher.h"
#include "dump.h"
#include "loop.h"

#define MS         OURO_MILLISECOND
#define TEXT_BYTES (512 << 10)

/* --- what is said --------------------------------------------------------------------------- */

/* Returns what ouro_dump() writes now; to be freed. */
static char *dump(void)
{
    char *text = calloc(1, TEXT_BYTES);
    int fd = memfd_create("dump", MFD_CLOEXEC);

    CU_ASSERT_EQUAL(ouro_dump(fd), 0);
    CU_ASSERT(text && pread(fd, text, TEXT_BYTES - 1, 0) > 0);
    (void) close(fd);
    return text;
}

/* The line about the task of that name, in a buffer that the next call uses again; "" if none. */
static const char *line_about(const char *text, const char *name)
{
    static char line[1024];
    char start[64];
    const char *from;

    line[0] = '\0';
    (void) snprintf(start, sizeof(start), "task \"%s\", spawned at ", name);
    from = strstr(text, start);
    if (!from)
        return line;
    while (from > text && from[-1] != '\n')
        from--;
    (void) snprintf(line, sizeof(line), "%.*s", (int) strcspn(from, "\n"), from);
    return line;
}

static bool says(const char *line, const char *what)
{
    if (strstr(line, what))
        return true;
    printf("    no \"%s\" in: %s\n", what, line);
    return false;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;

    for (; (text = strstr(text, what)); text++)
        count++;
    return count;
}

static size_t indent_of(const char *line)
{
    return strspn(line + strlen("ouro:"), " ");
}

/* --- what tasks wait for ---------------------------------------------------------------------- */

static int receive(void *arg)
{
    char buf[123];

    return (int) ouro_recv(*(int *) arg, buf, sizeof(buf), 0);
}

static int sleep_long(void *arg)
{
    (void) arg;
    return ouro_sleep(100 * OURO_SECOND);
}

static int join_arg(void *arg)
{
    return ouro_join(*(ouro_task_id *) arg, NULL);
}

static int return_0(void *arg)
{
    (void) arg;
    return 0;
}

/*
 * Each kind of wait; 30 ms after these began. On the kernel's ring the sleep takes that long at
 * the least, and the clock is read at the ends of it, as there are deadlines.
 */
static int dump_waits(void *arg)
{
    struct ouro_spawn_options options = {.name = "sleeper", .stack = OURO_STACK_64K};
    ouro_task_id receiver, sleeper, joiner, ended;
    char expected[64];
    char *text;
    int fds[2], since;

    (void) arg;
    make_pair(fds);
    receiver = ouro_spawn(receive, &fds[1]);
    sleeper = ouro_spawn_with(sleep_long, NULL, &options);
    joiner = ouro_spawn(join_arg, &sleeper);
    ended = ouro_spawn(return_0, NULL);
    CU_ASSERT_EQUAL(ouro_sleep(30 * MS), 0);
    text = dump();
    (void) snprintf(expected, sizeof(expected), "waits: recv of fd %d, 123 bytes, for ", fds[1]);
    CU_ASSERT(says(line_about(text, "receive"), expected));
    CU_ASSERT_EQUAL(sscanf(strstr(line_about(text, "receive"), ", for "), ", for %d ms", &since),
                    1);
    CU_ASSERT(since >= 30);
    CU_ASSERT(says(line_about(text, "receive"), "spawned at tests/dump_test.c:"));
    CU_ASSERT(says(line_about(text, "sleeper"), "waits: sleep, 99 s left, for "));
    CU_ASSERT(says(line_about(text, "sleeper"), " of 64 KiB, id "));
    (void) snprintf(expected, sizeof(expected), "waits: join of \"sleeper\", id %lld, for ",
                    (long long) sleeper);
    CU_ASSERT(says(line_about(text, "join_arg"), expected));
    CU_ASSERT(says(line_about(text, "main"), "spawned at ouro_run(), runs, stack "));
    CU_ASSERT(says(line_about(text, "return_0"), "has ended, id ")); /* and has no stack */
    CU_ASSERT(says(text, ": 5 tasks, 1 operations in flight, "));
    free(text);
    CU_ASSERT_EQUAL(ouro_cancel(sleeper), 0);
    CU_ASSERT_EQUAL(ouro_join(joiner, NULL), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(receiver, NULL), 0);
    CU_ASSERT_EQUAL(ouro_join(ended, NULL), 0);
    close_pair(fds);
    return 0;
}

static void test_lines_tell_what_tasks_wait_for_and_since_when(void)
{
    run_on_each_ring(dump_waits, NULL);
}

/*
 * Without deadlines, and though nobody asks for the time, the loop knows about what time it is:
 * half a second that passed before the wait began does not count.
 */
static int dump_without_deadlines(void *arg)
{
    ouro_task_id receiver;
    char *text;
    int fds[2], since = -1;

    (void) arg;
    make_pair(fds);
    (void) usleep(500000);
    for (int i = 0; i < 100; i++) /* some turns */
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    receiver = ouro_spawn(receive, &fds[1]);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    text = dump();
    CU_ASSERT_EQUAL(sscanf(strstr(line_about(text, "receive"), ", for "), ", for %d ms", &since),
                    1);
    CU_ASSERT(since >= 0 && since < 400);
    free(text);
    CU_ASSERT_EQUAL(ouro_cancel_join(receiver, NULL), 0);
    close_pair(fds);
    return 0;
}

static void test_since_when_is_known_without_deadlines(void)
{
    if (!test_kernel_ring()) {
        TEST_SKIP("the simulated clock stands still");
        return;
    }
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, dump_without_deadlines, NULL), 0);
}

static int sleep_within_limits(void *arg)
{
    struct ouro_timeout outer, inner;
    struct ouro_shield shield;
    int code;

    (void) arg;
    ouro_timeout_begin(&outer, 10 * MS);
    ouro_shield_begin(&shield, 60 * OURO_SECOND);
    ouro_timeout_begin(&inner, 5 * OURO_SECOND);
    code = ouro_sleep(OURO_FOREVER);
    (void) ouro_timeout_end(&inner);
    ouro_shield_end(&shield);
    (void) ouro_timeout_end(&outer);
    return code;
}

static int dump_limits(void *arg)
{
    ouro_task_id id = ouro_spawn(sleep_within_limits, NULL);
    const char *line;
    char *text;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_sleep(20 * MS), 0);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    text = dump();
    line = line_about(text, "sleep_within_limits");
    CU_ASSERT(says(line, "waits: sleep, for 20 ms, limit of 4980 ms, shield of 59 s, "
                         "limit of 0 ms, cancelled: ouro_cancel(), stack "));
    free(text);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    return 0;
}

static void test_lines_tell_limits_and_cancellation(void)
{
    CU_ASSERT_EQUAL(run_sim(dump_limits, NULL), 0);
}

/* --- the tree ---------------------------------------------------------------------------------- */

static int own_two_groups(void *arg)
{
    struct ouro_spawn_options options = {.name = "first"};
    struct ouro_group outer, inner, empty;

    (void) arg;
    ouro_group_init(&outer);
    ouro_group_init(&inner);
    ouro_group_init(&empty);
    (void) ouro_group_spawn_with(&outer, sleep_long, NULL, &options);
    options.name = "second";
    (void) ouro_group_spawn_with(&outer, sleep_long, NULL, &options);
    options.name = "third";
    (void) ouro_group_spawn_with(&inner, sleep_long, NULL, &options);
    (void) ouro_group_wait(&inner);
    (void) ouro_group_wait(&empty);
    return ouro_group_wait(&outer);
}

/*
 *      main
 *        own_two_groups
 *          third                  of the inner group
 *          first, second          of the outer one, in the order of their spawns
 *        sibling
 *      stranger
 */
static int dump_groups(void *arg)
{
    static const char *const order[] = {"main",   "own_two_groups", "third",   "first",
                                        "second", "sibling",        "stranger"};
    static const size_t indents[] = {3, 5, 7, 7, 7, 5, 3};
    struct ouro_spawn_options options = {.name = "stranger", .detached = true};
    struct ouro_group group;
    const char *last;
    char *text;

    (void) arg;
    (void) ouro_spawn_with(sleep_long, NULL, &options);
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, own_two_groups, NULL), 0);
    options = (struct ouro_spawn_options) {.name = "sibling"};
    CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, sleep_long, NULL, &options), 0);
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    text = dump();
    last = text;
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        const char *at = strstr(last, line_about(text, order[i]));

        CU_ASSERT(at != NULL);
        CU_ASSERT_EQUAL(indent_of(line_about(text, order[i])), indents[i]);
        last = at ? at : last;
    }
    CU_ASSERT_EQUAL(count_of(text, "task \""), COUNT_OF(order));
    free(text);
    ouro_group_cancel(&group);
    (void) ouro_group_wait(&group);
    return 0;
}

static void test_members_are_below_their_groups_owner(void)
{
    run_on_each_ring(dump_groups, NULL);
}

/* --- many -------------------------------------------------------------------------------------- */

static int yield_often(void *arg)
{
    (void) arg;
    while (!ouro_yield())
        continue;
    return 0;
}

static int dump_many(void *arg)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_16K, .detached = true};
    struct ouro_group group;
    char *text;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < 3000; i++) {
        CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, sleep_long, NULL, &options), 0);
        if (i % 100 == 0)
            CU_ASSERT(ouro_spawn_with(yield_often, NULL, &options) > 0);
    }
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    text = dump();
    CU_ASSERT_EQUAL(count_of(text, "spawned at"), 1000);
    CU_ASSERT(says(text, "\nouro:   ... of 3031; the others:\n"));
    CU_ASSERT(says(text, "\nouro:   2001 x task \"sleep_long\", sleep\n"));
    CU_ASSERT(says(text, "\nouro:   30 x task \"yield_often\", is runnable\n"));
    CU_ASSERT_EQUAL(count_of(text, "\n"), 1 + 1000 + 1 + 2);
    free(text);
    ouro_group_cancel(&group);
    (void) ouro_group_wait(&group);
    return 0;
}

static void test_many_tasks_are_summed_up(void)
{
    CU_ASSERT_EQUAL(run_sim(dump_many, NULL), 0);
}

/* More names than the summary has rows. */
static int dump_many_names(void *arg)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_16K};
    struct ouro_group group;
    char name[16];
    char *text;

    (void) arg;
    ouro_group_init(&group);
    options.name = name;
    for (int i = 0; i < 1100; i++) {
        (void) snprintf(name, sizeof(name), "n%d", i);
        CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, sleep_long, NULL, &options), 0);
    }
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    text = dump();
    CU_ASSERT(says(text, "\nouro:   1 x task \"n1000\", sleep\n"));
    CU_ASSERT(says(text, "\nouro:   77 x something else\n")); /* 1101 - 1000 - 24 rows */
    free(text);
    ouro_group_cancel(&group);
    (void) ouro_group_wait(&group);
    return 0;
}

static void test_many_names_are_summed_up_too(void)
{
    CU_ASSERT_EQUAL(run_sim(dump_many_names, NULL), 0);
}

/* --- small stacks, errors ------------------------------------------------------------------------ */

static int dump_to_null(void *arg)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_dump(fd), 0);
    CU_ASSERT(ouro_stack_high_water() <= (size_t) 12 << 10);
    return close(fd);
}

static int dump_on_small_stack(void *arg)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_16K};
    int result = 1;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_join(ouro_spawn_with(dump_to_null, NULL, &options), &result), 0);
    return result;
}

static void test_dump_fits_on_the_smallest_stack(void)
{
    CU_ASSERT_EQUAL(run_sim(dump_on_small_stack, NULL), 0);
}

static int dump_badly(void *arg)
{
    int fds[2];

    (void) arg;
    CU_ASSERT_EQUAL(ouro_dump(-1), -EBADF);
    CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
    (void) close(fds[0]);
    CU_ASSERT_EQUAL(ouro_dump(fds[1]), -EPIPE);
    return close(fds[1]);
}

static void test_dump_returns_errors(void)
{
    CU_ASSERT_EQUAL(ouro_dump(STDERR_FILENO), -EINVAL);
    CU_ASSERT_EQUAL(run_sim(dump_badly, NULL), 0);
}

/* --- stacks --------------------------------------------------------------------------------------- */

__attribute__((noinline)) static void touch_stack(void)
{
    volatile char frame[300 << 10]; /* so large that ASan leaves it on the stack */

    for (size_t i = 0; i < sizeof(frame); i += 1024)
        frame[i] = 1;
}

static int measure_stack(void *arg)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE);
    size_t before = ouro_stack_high_water();
    size_t after;

    (void) arg;
    CU_ASSERT(before > 0 && before < 64 << 10 && before % page == 0);
    touch_stack();
    after = ouro_stack_high_water();
    CU_ASSERT(after >= 300 << 10 && after < 1 << 20 && after % page == 0);
    return 0;
}

/* The class is used by no other test of this thread, so that its stacks are untouched. */
static int measure_fresh_stack(void *arg)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_1M};
    ouro_task_id id = ouro_spawn_with(measure_stack, NULL, &options);
    char *text;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    id = ouro_spawn_with(sleep_long, NULL, &options); /* on the same stack */
    CU_ASSERT_EQUAL(ouro_sleep(MS), 0);
    text = dump();
    CU_ASSERT(count_of(line_about(text, "sleep_long"), " of 1024 KiB") == 1);
    CU_ASSERT(atoi(strstr(line_about(text, "sleep_long"), ", stack ") + 8) >= 300);
    free(text);
    return ouro_cancel_join(id, NULL);
}

static void *measure_in_thread(void *arg)
{
    CU_ASSERT_EQUAL(run_sim(measure_fresh_stack, arg), 0);
    return NULL;
}

static void test_high_water_is_what_was_touched_in_pages(void)
{
    pthread_t thread; /* a new one has new stacks */

    CU_ASSERT_EQUAL(ouro_stack_high_water(), 0);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, measure_in_thread, NULL), 0);
    (void) pthread_join(thread, NULL);
}

/* --- deadlock ---------------------------------------------------------------------------------------- */

static int sleep_for_ever(void *arg)
{
    (void) arg;
    return ouro_sleep(OURO_FOREVER);
}

static int report_deadlock(void *arg)
{
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < 100; i++)
        (void) ouro_group_spawn(&group, sleep_for_ever, NULL);
    (void) ouro_yield();
    ouro__dump_deadlock(ouro__dispatcher);
    ouro_group_cancel(&group);
    (void) ouro_group_wait(&group);
    return 0;
}

static int run_deadlock(void *arg)
{
    return run_with("sim:seed=1", 0, report_deadlock, arg);
}

static void test_deadlock_is_told_in_few_lines(void)
{
    struct child child = run_in_child(run_deadlock, NULL);

    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT(
        says(child.text, "ouro: deadlock: all tasks sleep and nothing can wake one\nouro:   task"));
    CU_ASSERT(says(child.text, "\nouro:     task \"sleep_for_ever\", spawned at "));
    CU_ASSERT(says(child.text, "\nouro:   ... of 101; the others:\nouro:   81 x task "));
    CU_ASSERT_EQUAL(count_of(child.text, "\n"), 1 + 20 + 2);
}

const struct test dump_tests[] = {
    TEST(test_lines_tell_what_tasks_wait_for_and_since_when),
    TEST(test_since_when_is_known_without_deadlines),
    TEST(test_lines_tell_limits_and_cancellation),
    TEST(test_members_are_below_their_groups_owner),
    TEST(test_many_tasks_are_summed_up),
    TEST(test_many_names_are_summed_up_too),
    TEST(test_dump_fits_on_the_smallest_stack),
    TEST(test_dump_returns_errors),
    TEST(test_high_water_is_what_was_touched_in_pages),
    TEST(test_deadlock_is_told_in_few_lines),
    TEST_END,
};
