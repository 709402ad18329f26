/* SPDX-License-Identifier: MIT */
/* loop_test.c - tests of engine/loop.c: a loop in steps, inside a foreign one */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>

#include "check.h"
#include "loop.h"

/* --- a foreign loop ------------------------------------------------------------------------- */

static int create(const char *ring, ouro_task_fn *fn, void *arg, struct ouro_loop **ret_loop)
{
    struct ouro_run_options options = {.ring = ring, .keep_signals = true};

    return ouro_loop_create(fn, arg, &options, ret_loop);
}

/* As the documentation shows it; counts how often it waited. */
static int poll_to_the_end(struct ouro_loop *loop)
{
    struct pollfd fd = {.fd = ouro_loop_fd(loop), .events = POLLIN};
    int waits = 0;

    do {
        int64_t wait_ns = ouro_loop_next(loop);
        int wait_ms = wait_ns == OURO_FOREVER ? 5000 : (int) ((wait_ns + 999999) / 1000000);

        if (wait_ns != 0) {
            int ready = poll(&fd, 1, wait_ms);

            waits++;
            CU_ASSERT(ready > 0 || wait_ns != OURO_FOREVER); /* else a wake-up was lost */
            if (ready == 0 && wait_ns == OURO_FOREVER)
                break;
        }
    } while (ouro_loop_turn(loop, 0));
    return waits;
}

static int return_arg(void *arg)
{
    return (int) (intptr_t) arg;
}

static void test_loop_runs_in_steps_on_either_ring(void)
{
    const char *const rings[] = {test_sim_ring(), test_kernel_ring()};

    for (size_t i = 0; i < COUNT_OF(rings) && rings[i]; i++) {
        struct ouro_loop *loop = NULL;

        CU_ASSERT_EQUAL(create(rings[i], return_arg, (void *) 12, &loop), 0);
        CU_ASSERT_EQUAL(ouro_loop_next(loop), 0);
        CU_ASSERT_EQUAL(ouro_loop_turn(loop, 0), 0);
        CU_ASSERT_EQUAL(ouro_loop_destroy(loop), 12);
    }
}

static int sleep_and_talk(void *arg)
{
    int fds[2];
    char byte = 0;

    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_sleep(3 * OURO_MILLISECOND), 0);
    CU_ASSERT_EQUAL(ouro_send(fds[0], "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_recv(fds[1], &byte, 1, 0), 1);
    close_pair(fds);
    return *(int *) arg + byte;
}

static bool has_kernel_ring(void)
{
    if (test_kernel_ring())
        return true;
    TEST_SKIP("the simulated ring has no descriptor");
    return false;
}

static void test_foreign_poll_loop_drives_timers_and_sockets(void)
{
    struct ouro_loop *loop = NULL;
    int arg = 5;

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(create(test_kernel_ring(), sleep_and_talk, &arg, &loop), 0);
    CU_ASSERT(poll_to_the_end(loop) > 0);
    CU_ASSERT_EQUAL(ouro_loop_destroy(loop), 5 + 'x');
}

struct mail {
    struct ouro_mailbox box;
    struct ouro_message letter;
    struct ouro_inbox *inbox;
};

static int wait_for_mail(void *arg)
{
    struct mail *mail = arg;
    struct ouro_message *message;
    int code;

    ouro_mailbox_init(&mail->box);
    code = ouro_mailbox_receive(&mail->box, &message);
    ouro_mailbox_done(&mail->box);
    return code;
}

static void *send_mail(void *arg)
{
    struct mail *mail = arg;
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

    (void) nanosleep(&pause, NULL); /* so that the loop is in its poll(2) */
    return ouro_mailbox_send(&mail->box, &mail->letter) ? arg : NULL;
}

static void test_message_wakes_the_foreign_loop(void)
{
    struct ouro_loop *loop = NULL;
    struct mail mail;
    pthread_t thread;

    if (!has_kernel_ring())
        return;
    CU_ASSERT_EQUAL(create(test_kernel_ring(), wait_for_mail, &mail, &loop), 0);
    CU_ASSERT_EQUAL(ouro_loop_turn(loop, 0), 1); /* there is a box */
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, send_mail, &mail), 0);
    CU_ASSERT(poll_to_the_end(loop) > 0);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    CU_ASSERT_EQUAL(ouro_loop_destroy(loop), 0);
}

static int sleep_long(void *arg)
{
    (void) arg;
    return ouro_sleep(OURO_SECOND);
}

static void test_next_says_how_long_to_wait(void)
{
    struct ouro_loop *loop = NULL;

    CU_ASSERT_EQUAL(create(test_sim_ring(), sleep_long, NULL, &loop), 0);
    CU_ASSERT_EQUAL(ouro_loop_next(loop), 0);
    CU_ASSERT_EQUAL(ouro_loop_turn(loop, 0), 1);
    CU_ASSERT_EQUAL(ouro_loop_next(loop), OURO_SECOND);
    CU_ASSERT_EQUAL(ouro_loop_turn(loop, OURO_MILLISECOND), 1); /* sleeps as long as it may */
    CU_ASSERT_EQUAL(ouro_loop_next(loop), OURO_SECOND - OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_loop_turn(loop, OURO_FOREVER), 0);
    CU_ASSERT_EQUAL(ouro_loop_destroy(loop), 0);
}

static void test_destroying_cancels_what_is_left(void)
{
    struct ouro_loop *loop = NULL;

    CU_ASSERT_EQUAL(create(test_sim_ring(), sleep_long, NULL, &loop), 0);
    CU_ASSERT_EQUAL(ouro_loop_turn(loop, 0), 1);
    CU_ASSERT_EQUAL(ouro_loop_destroy(loop), -ECANCELED);
}

static int add_one(void *arg)
{
    ++*(int *) arg;
    return 0;
}

static void test_tasks_can_be_spawned_between_turns(void)
{
    struct ouro_loop *loop = NULL;
    int count = 0;

    CU_ASSERT_EQUAL(create(test_sim_ring(), sleep_long, NULL, &loop), 0);
    CU_ASSERT_EQUAL(ouro_loop_turn(loop, 0), 1);
    CU_ASSERT(ouro_spawn(add_one, &count) > 0);
    CU_ASSERT_EQUAL(ouro_loop_next(loop), 0);
    CU_ASSERT_EQUAL(ouro_loop_turn(loop, 0), 1);
    CU_ASSERT_EQUAL(count, 1);
    ouro_stop();
    CU_ASSERT_EQUAL(ouro_loop_turn(loop, 0), 0);
    CU_ASSERT_EQUAL(ouro_loop_destroy(loop), -ECANCELED);
}

static int offload_add_one(void *arg)
{
    struct ouro_shield shield;
    int code;

    ouro_shield_begin(&shield, OURO_FOREVER);
    code = ouro_offload(add_one, arg, NULL);
    ouro_shield_end(&shield);
    return code;
}

/* It starts out cancelled, and may need the inbox, which refused messages for a while. */
static void test_task_that_is_spawned_after_the_last_turn_runs(void)
{
    const char *const rings[] = {test_sim_ring(), test_kernel_ring()};

    for (size_t i = 0; i < COUNT_OF(rings) && rings[i]; i++) {
        struct ouro_loop *loop = NULL;
        int count = 0;

        CU_ASSERT_EQUAL(create(rings[i], return_arg, NULL, &loop), 0);
        while (ouro_loop_turn(loop, OURO_FOREVER))
            ;
        CU_ASSERT(ouro_spawn(offload_add_one, &count) > 0);
        CU_ASSERT_EQUAL(ouro_loop_destroy(loop), 0);
        CU_ASSERT_EQUAL(count, 1);
    }
}

static void test_one_loop_per_thread(void)
{
    struct ouro_run_options two = {.ring = "sim", .shards = 2};
    struct ouro_loop *loop = NULL;
    struct ouro_loop *other = NULL;

    CU_ASSERT_EQUAL(ouro_loop_create(return_arg, NULL, &two, &loop), -EINVAL);
    CU_ASSERT_EQUAL(create(test_sim_ring(), return_arg, NULL, &loop), 0);
    CU_ASSERT_EQUAL(create(test_sim_ring(), return_arg, NULL, &other), -EBUSY);
    CU_ASSERT_EQUAL(run_sim(return_arg, NULL), -EBUSY);
    CU_ASSERT_EQUAL(ouro_loop_destroy(loop), 0);
}

static struct ouro_loop *turned;

static int turn_oneself(void *arg)
{
    (void) arg;
    return ouro_loop_turn(turned, 0);
}

static int turn_from_inside(void *arg)
{
    (void) arg;
    if (create("sim", turn_oneself, NULL, &turned) == 0)
        (void) ouro_loop_turn(turned, 0);
    return 0;
}

static void test_task_must_not_turn_its_loop(void)
{
    struct child child = run_in_child(turn_from_inside, NULL);

    CU_ASSERT(was_killed_by(&child, SIGABRT));
    CU_ASSERT(said(&child, "not by its tasks"));
}

const struct test loop_tests[] = {TEST(test_loop_runs_in_steps_on_either_ring),
                                  TEST(test_foreign_poll_loop_drives_timers_and_sockets),
                                  TEST(test_message_wakes_the_foreign_loop),
                                  TEST(test_next_says_how_long_to_wait),
                                  TEST(test_destroying_cancels_what_is_left),
                                  TEST(test_tasks_can_be_spawned_between_turns),
                                  TEST(test_task_that_is_spawned_after_the_last_turn_runs),
                                  TEST(test_one_loop_per_thread),
                                  TEST(test_task_must_not_turn_its_loop),
                                  TEST_END};
