/* SPDX-License-Identifier: MIT */
/*
 * cancel_test.c - every waiting call, interrupted at every point where it suspends
 *
 * Goal: whatever the moment of an interruption, and whatever else happens in that moment, a
 * call returns with its result or with the interruption, and nothing is lost: no byte, no
 * item, no descriptor, no lock; and its memory is the caller's again.
 *
 * Method: a table with a row for each call of the public headers; test_table_is_complete() looks
 * that none is missing. Each row is played in all plots: the victim makes the call, a helper
 * does what lets it succeed (early, together with the interruption, afterwards, never), and the
 * conductor interrupts the victim when it suspends for the k-th time, or some turns later.
 *
 *      cancel_test.c  the plots       cancel_rows.c  the rows
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "cancel_rows.h"
#include "dispatcher.h"
#include "loop.h"

/* --- where the victim suspends --------------------------------------------------------------- */

static struct {
    const struct ouro_task *task; /* NULL: nobody is watched, or it has ended */
    uint64_t start;
    uint64_t count; /* how often it had suspended in the end */
} watched;

static uint64_t suspensions(void)
{
    return watched.task ? watched.task->suspend_count - watched.start : watched.count;
}

/* --- the memory of calls that have returned ------------------------------------------------- */

#define PATTERN '\xaa'
#define BUFFERS 64 /* so many cases later a buffer is looked at once more */

static char buffers[BUFFERS][SCENE_BYTES];

static bool is_untouched(const char *buf)
{
    for (size_t i = 0; i < SCENE_BYTES; i++)
        if (buf[i] != PATTERN)
            return false;
    return true;
}

/* --- one case --------------------------------------------------------------------------------- */

enum order {
    EARLY, /* the helper begins before the victim does */
    WITH,  /* the helper begins when the victim has suspended, the interruption follows */
    LATE,  /* the helper begins after the interruption */
    NEVER  /* nobody helps */
};

struct plot {
    bool is_timed;   /* the victim's time runs out; otherwise it is cancelled */
    bool is_crowded; /* operations find the submission queue full */
    enum order order;
    unsigned point; /* the interruption comes when the victim suspends for the point-th time; */
    unsigned turns; /* so many turns later (LATE: and the help so many turns after that) */
};

struct tally {
    bool is_asked[ROWS_MAX];
    unsigned completed[ROWS_MAX], interrupted[ROWS_MAX];
    unsigned long cases;
    unsigned reported; /* failures that were explained */
};

/* The victim's part, when it runs: as a task of its own or inside somebody else's. */
int scene_perform(struct scene *scene)
{
    struct ouro_timeout limit;

    ouro_timeout_begin_at(&limit, scene->deadline);
    scene->limit = &limit;
    scene->result = scene->row->call(scene);
    scene->has_returned = true;
    memcpy(scene->got, scene->buf, SCENE_BYTES);
    memset(scene->buf, PATTERN, SCENE_BYTES); /* it is ours again, and so is this: */
    if (scene->row->flags & USES_DATA)
        memset(scene->data, PATTERN, DATA_BYTES);
    scene->next = ouro_sleep(OURO_FOREVER);
    scene->limit = NULL;
    (void) ouro_timeout_end(&limit);
    if (scene->row->leave)
        scene->row->leave(scene);
    watched.count = suspensions();
    watched.task = NULL;
    ouro_event_set(&scene->is_over);
    return 0;
}

static int be_victim(void *arg)
{
    return scene_perform(arg);
}

static int be_helper(void *arg)
{
    struct scene *scene = arg;

    scene->row->help(scene);
    return 0;
}

static void prepare_nop(struct io_uring_sqe *sqe)
{
    io_uring_prep_nop(sqe);
    io_uring_sqe_set_data64(sqe, RING_IGNORED);
}

/* What is staged gets in next time, or it would never. */
static void crowd_queue(const struct plot *plot)
{
    struct io_uring_sqe *sqe;

    if (plot->is_crowded && list_is_empty(&ouro__dispatcher->staged))
        while ((sqe = ouro__ring_get_sqe(&ouro__dispatcher->ring)))
            prepare_nop(sqe);
}

static int be_crowd(void *arg)
{
    crowd_queue(arg);
    return 0;
}

static void pass_turns(const struct plot *plot, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        crowd_queue(plot);
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    }
}

#define PATIENCE 1000 /* turns, and now and then a moment of time */

/* Until the victim has suspended that often, or returned, or it goes no further. */
static void await_suspension(const struct scene *scene, const struct plot *plot, unsigned point)
{
    for (int turn = 1; !scene->has_returned && suspensions() < point && turn < PATIENCE; turn++) {
        crowd_queue(plot);
        CU_ASSERT_EQUAL(turn % 16 ? ouro_yield() : ouro_sleep(50 * OURO_MICROSECOND), 0);
    }
}

/* The time that it has left is none from now on. */
static void interrupt_victim(struct scene *scene, const struct plot *plot)
{
    struct dispatcher *dispatcher = ouro__dispatcher;
    struct ouro_task *victim = ouro__task_table_find(&dispatcher->tasks, scene->victim);

    if (!plot->is_timed) {
        CU_ASSERT_EQUAL(ouro_cancel(scene->victim), 0);
    } else if (scene->limit) {
        scene->limit->deadline = ouro_now();
        ouro__task_arm(dispatcher, victim);
    } else {
        scene->deadline = INT64_MIN; /* it did not even begin */
    }
}

static void send_helper(struct scene *scene)
{
    if (scene->row->help) {
        scene->was_helped = true;
        scene->helper = ouro_spawn(be_helper, scene);
    }
}

void scene_watch(struct scene *scene, ouro_task_id victim)
{
    scene->victim = victim;
    watched.task = ouro__task_table_find(&ouro__dispatcher->tasks, victim);
    watched.start = watched.task ? watched.task->suspend_count : 0;
    watched.count = 0;
}

static void begin(struct scene *scene, const struct plot *plot)
{
    struct ouro_spawn_options options = {.detached = true};

    if (plot->order == EARLY)
        send_helper(scene);
    if (plot->is_crowded)
        (void) ouro_spawn_with(be_crowd, (void *) plot, &options);
    if (scene->row->perform)
        scene->row->perform(scene);
    else
        scene_watch(scene, ouro_spawn_with(be_victim, scene, &options));
}

static void direct(struct scene *scene, const struct plot *plot)
{
    if (plot->point == 0 && plot->is_timed)
        scene->deadline = INT64_MIN;
    begin(scene, plot);
    await_suspension(scene, plot, plot->point);
    if (plot->order == WITH)
        send_helper(scene);
    if (plot->order != LATE)
        pass_turns(plot, plot->turns);
    crowd_queue(plot);
    interrupt_victim(scene, plot);
    if (plot->order == LATE) {
        pass_turns(plot, plot->turns);
        send_helper(scene);
    }
    CU_ASSERT_EQUAL(ouro_event_wait(&scene->is_over), 0);
    if (scene->helper && scene->row->flags & HELPER_STAYS)
        (void) ouro_cancel_join(scene->helper, NULL);
    else if (scene->helper)
        CU_ASSERT_EQUAL(ouro_join(scene->helper, NULL), 0);
}

static void explain(const struct scene *scene, const struct plot *plot)
{
    static const char *const orders[] = {"early", "with it", "late", "never"};

    printf("    %s: %s at point %u and %u turns, help %s%s: result %lld (%s), next %d\n",
           scene->row->name, plot->is_timed ? "timed out" : "cancelled", plot->point, plot->turns,
           orders[plot->order], plot->is_crowded ? ", crowded" : "", (long long) scene->result,
           scene->result < 0 ? ouro_strerror((int) scene->result) : "", scene->next);
}

/* Returns whether the victim suspended as often as the plot asks for. */
static bool play(const struct row *row, size_t index, const struct plot *plot, struct tally *tally)
{
    static struct scene scene;
    int code = plot->is_timed ? -ETIMEDOUT : -ECANCELED;
    unsigned failures = CU_get_number_of_failures();
    unsigned suspended;

    memset(&scene, 0, offsetof(struct scene, data));
    scene.row = row;
    scene.deadline = OURO_FOREVER;
    scene.listener = scene.fds[0] = scene.fds[1] = -1;
    scene.buf = buffers[tally->cases++ % BUFFERS];
    CU_ASSERT(is_untouched(scene.buf));
    if (row->flags & USES_DATA)
        scene_fill_data(&scene);
    row->set_up(&scene);
    direct(&scene, plot);
    suspended = (unsigned) suspensions();
    CU_ASSERT_EQUAL(scene.next, code);
    CU_ASSERT(scene.result >= 0 || scene.result == code);
    if (plot->point == 0 && !(row->flags & (NEVER_INTERRUPTED | MAY_BEGIN)))
        CU_ASSERT_EQUAL(scene.result, code); /* it began nothing */
    tally->is_asked[index] = true;
    (scene.result >= 0 ? tally->completed : tally->interrupted)[index]++;
    row->check(&scene);
    CU_ASSERT(is_untouched(scene.buf));
    if (CU_get_number_of_failures() != failures && tally->reported++ < 10)
        explain(&scene, plot);
    return suspended >= plot->point && !(suspended == plot->point && suspended == 0);
}

/* --- all cases of a row ------------------------------------------------------------------------ */

#define TURNS_MAX  3
#define POINTS_MAX 12

static void play_order(const struct row *row, size_t index, struct plot plot, unsigned turns_max,
                       struct tally *tally)
{
    for (plot.turns = 0; plot.turns <= turns_max; plot.turns++)
        (void) play(row, index, &plot, tally);
}

static void play_row(const struct row *row, size_t index, bool is_timed, bool is_crowded,
                     unsigned turns_max, struct tally *tally)
{
    struct plot plot = {.is_timed = is_timed, .is_crowded = is_crowded};
    bool goes_on = true;

    if (!row->perform)
        (void) play(row, index, &plot, tally); /* interrupted before it begins */
    for (plot.point = 1; goes_on && plot.point <= POINTS_MAX; plot.point++)
        for (plot.turns = 0; plot.turns <= turns_max; plot.turns++)
            goes_on = play(row, index, &plot, tally);
    plot.point = 1;
    if (row->help) {
        plot.order = WITH;
        play_order(row, index, plot, turns_max, tally);
        plot.order = LATE;
        play_order(row, index, plot, turns_max, tally);
    }
    if (!(row->flags & NEEDS_HELP)) {
        plot.order = NEVER;
        play_order(row, index, plot, turns_max, tally);
    }
}

static int probe_fd(void)
{
    int fd = ouro_socket(AF_UNIX, SOCK_STREAM, 0);

    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return fd;
}

struct run {
    bool is_first;  /* with slow rows */
    bool is_kernel; /* fewer combinations */
    struct tally *tally;
};

static int play_all(void *arg)
{
    const struct run *run = arg;

    for (size_t i = 0; i < row_count; i++) {
        const struct row *row = &rows[i];
        int fd = probe_fd();

        if ((row->flags & IS_SLOW && !run->is_first) || (row->flags & SIM_ONLY && run->is_kernel) ||
            (row->flags & KERNEL_ONLY && !run->is_kernel))
            continue;
        for (int timed = 0; timed < 2; timed++)
            for (int crowded = 0; crowded < 2; crowded++)
                play_row(row, i, timed, crowded,
                         row->flags & IS_SLOW || run->is_kernel ? 1 : TURNS_MAX, run->tally);
        CU_ASSERT_EQUAL(ouro__dispatcher->in_flight_count, 0);
        if (probe_fd() != fd) {
            printf("    %s: a descriptor is left\n", row->name);
            CU_FAIL("a descriptor is left");
        }
    }
    return 0;
}

static void check_tally(const struct tally *tally)
{
    for (size_t i = 0; i < row_count; i++) {
        bool may_complete = !(rows[i].flags & NEVER_COMPLETES);
        bool may_be_interrupted = !(rows[i].flags & NEVER_INTERRUPTED);

        if (!tally->is_asked[i])
            continue;
        if (may_complete != (tally->completed[i] > 0) ||
            may_be_interrupted != (tally->interrupted[i] > 0)) {
            printf("    %s: completed %u times, interrupted %u times\n", rows[i].name,
                   tally->completed[i], tally->interrupted[i]);
            CU_FAIL("the races of this call were none");
        }
    }
}

static void play_on(const char *ring, unsigned sq_entries, struct run *run)
{
    CU_ASSERT_EQUAL(run_with(ring, sq_entries, play_all, run), 0);
}

#define SEEDS 8

/*
 * victim     helper     conductor    for every k, and for 0 to 3 turns in between
 * call       help       .            also later, or never
 * suspends   .          .            k times
 * .          .          interrupt    by a cancellation, by a time limit
 * returns    .          .            with the result or with the interruption, never without
 * call       .          .            fails
 */
static void test_every_call_is_interrupted_wherever_it_suspends(void)
{
    static const unsigned entries[] = {1, 8, 64};
    static struct tally tally;
    struct run run = {.tally = &tally};

    memset(buffers, PATTERN, sizeof(buffers));
    memset(&tally, 0, sizeof(tally));
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        for (size_t i = 0; i < COUNT_OF(entries); i++) {
            char ring[64];

            run.is_first = seed == 1;
            (void) snprintf(ring, sizeof(ring), "sim:seed=%u%s", seed, seed % 2 ? "" : ",short=30");
            play_on(ring, entries[i], &run);
        }
    }
    check_tally(&tally);
    printf("    cancel: %lu cases of (operation x suspension point x completion order)%s\n",
           tally.cases, tally.reported ? "" : ": nothing lost");
}

static void test_every_call_is_interrupted_on_the_kernels_ring(void)
{
    static const unsigned entries[] = {1, 64};
    static struct tally tally;
    struct run run = {.is_first = true, .is_kernel = true, .tally = &tally};

    if (!test_kernel_ring()) {
        TEST_SKIP("there is no kernel ring");
        return;
    }
    memset(buffers, PATTERN, sizeof(buffers));
    memset(&tally, 0, sizeof(tally));
    for (size_t i = 0; i < COUNT_OF(entries); i++)
        play_on(test_kernel_ring(), entries[i], &run);
    for (size_t i = 0; i < BUFFERS; i++)
        CU_ASSERT(is_untouched(buffers[i]));
}

/* --- the table ---------------------------------------------------------------------------------- */

/* Calls are found by their mark; those that an object's table of functions holds are no names. */
static const char *find_call(const char *text, char *name, size_t name_bytes)
{
    const char *mark = strstr(text, "OURO_API OURO_TASK ");
    const char *end = mark ? strchr(mark + sizeof("OURO_API OURO_TASK ") - 1, '(') : NULL;
    const char *start;

    while (end && !strncmp(end - strlen("OURO_PRINTF"), "OURO_PRINTF", strlen("OURO_PRINTF")))
        end = strchr(end + 1, '(');
    if (!end)
        return NULL;
    for (start = end; isalnum((unsigned char) start[-1]) || start[-1] == '_'; start--)
        ;
    (void) snprintf(name, name_bytes, "%.*s", (int) (end - start), start);
    return end;
}

/* A row is called after its function; rows with the same function add a word: "ouro_recv twice". */
static bool has_row(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < row_count; i++)
        if (!strncmp(rows[i].name, name, len) &&
            (rows[i].name[len] == '\0' || rows[i].name[len] == ' '))
            return true;
    for (size_t i = 0; i < exemption_count; i++)
        if (!strcmp(exemptions[i], name))
            return true;
    return false;
}

static unsigned check_header(const char *path)
{
    static char text[65536];
    const char *rest = text;
    FILE *file = fopen(path, "r");
    char name[64];
    unsigned count = 0;
    size_t len;

    CU_ASSERT_PTR_NOT_NULL(file);
    if (!file)
        return 0;
    len = fread(text, 1, sizeof(text) - 1, file);
    CU_ASSERT(len < sizeof(text) - 1);
    text[len] = '\0';
    (void) fclose(file);
    while ((rest = find_call(rest, name, sizeof(name)))) {
        count++;
        if (!has_row(name)) {
            printf("    %s() has no row\n", name);
            CU_FAIL("a call that waits has no row");
        }
    }
    return count;
}

static void test_table_is_complete(void)
{
    static const char *const headers[] = {OURO_PUBLIC_HEADERS};
    unsigned count = 0;

    for (size_t i = 0; i < COUNT_OF(headers); i++)
        count += check_header(headers[i]);
    CU_ASSERT(count >= 50); /* or they were not found */
    CU_ASSERT(row_count <= ROWS_MAX);
}

/* --- masses ------------------------------------------------------------------------------------- */

#define CROWD 100000
#define CROWD_OF_MAPPINGS \
    20000 /* where each stack takes two of the 65,530 that a process may have */

struct crowd {
    int fd;
    unsigned count;
    bool is_timed;
    int64_t deadline;
    unsigned begun, interrupted;
};

static int wait_in_crowd(void *arg)
{
    struct crowd *crowd = arg;
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin_at(&limit, crowd->deadline);
    crowd->begun++;
    code = ouro_poll(crowd->fd, POLLIN);
    crowd->interrupted += code == (crowd->is_timed ? -ETIMEDOUT : -ECANCELED);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), crowd->is_timed ? -ETIMEDOUT : 0);
    return 0;
}

static void run_crowd(struct crowd *crowd)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_16K};
    struct ouro_counters counters;
    struct ouro_group group;

    crowd->begun = crowd->interrupted = 0;
    crowd->deadline = crowd->is_timed ? ouro_now() + 3600 * OURO_SECOND : OURO_FOREVER;
    if (crowd->is_timed && !ouro__dispatcher->ring.simulated)
        crowd->deadline = ouro_now() + 1500 * OURO_MILLISECOND;
    ouro_group_init(&group);
    if (ouro__dispatcher->stacks->guard_by_mprotect)
        crowd->count = CROWD_OF_MAPPINGS;
    for (unsigned i = 0; i < crowd->count; i++)
        if (ouro_group_spawn_with(&group, wait_in_crowd, crowd, &options)) {
            CU_FAIL("a task could not be spawned");
            crowd->count = i;
        }
    while (crowd->begun < crowd->count || !list_is_empty(&ouro__dispatcher->staged))
        if (ouro_yield())
            break;
    if (!crowd->is_timed)
        ouro_group_cancel(&group);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(crowd->interrupted, crowd->count);
    CU_ASSERT_EQUAL(ouro__dispatcher->in_flight_count, 0);
    CU_ASSERT(list_is_empty(&ouro__dispatcher->cancels));
    CU_ASSERT_EQUAL(ouro_stats(&counters), 0);
    CU_ASSERT_EQUAL(counters.tasks_live, 1);
}

static int crowd_on_socket(void *arg)
{
    struct crowd crowd = {.count = CROWD, .is_timed = *(bool *) arg};
    int fds[2];

    make_pair(fds);
    crowd.fd = fds[0];
    run_crowd(&crowd);
    close_pair(fds);
    return 0;
}

static int crowd_on_eventfd(void *arg)
{
    struct crowd crowd = {.count = CROWD, .is_timed = *(bool *) arg, .fd = eventfd(0, EFD_CLOEXEC)};

    run_crowd(&crowd);
    return ouro_close(crowd.fd);
}

static void test_hundred_thousand_cancellations_at_once_pass_a_queue_of_64(void)
{
    bool is_timed = false;

    CU_ASSERT_EQUAL(run_with("sim:seed=1", 64, crowd_on_socket, &is_timed), 0);
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 64, crowd_on_eventfd, &is_timed), 0);
}

static void test_hundred_thousand_deadlines_at_once_pass_a_queue_of_64(void)
{
    bool is_timed = true;

    CU_ASSERT_EQUAL(run_with("sim:seed=1", 64, crowd_on_socket, &is_timed), 0);
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 64, crowd_on_eventfd, &is_timed), 0);
}

const struct test cancel_tests[] = {
    TEST(test_table_is_complete),
    TEST(test_every_call_is_interrupted_wherever_it_suspends),
    TEST(test_every_call_is_interrupted_on_the_kernels_ring),
    TEST(test_hundred_thousand_cancellations_at_once_pass_a_queue_of_64),
    TEST(test_hundred_thousand_deadlines_at_once_pass_a_queue_of_64),
    TEST_END};
