/* SPDX-License-Identifier: MIT */
/* mailbox_test.c - tests of engine/mailbox.c: messages for tasks that wait */
#include <errno.h>
#include <pthread.h>

#include "check.h"
#include "loop.h"

struct letter {
    struct ouro_message message;
    int number;
};

static int number_of(const struct ouro_message *message)
{
    return container_of(message, const struct letter, message)->number;
}

static int keep_letters(void *arg)
{
    struct ouro_mailbox mailbox;
    struct letter letters[3] = {{.number = 1}, {.number = 2}, {.number = 3}};

    (void) arg;
    ouro_mailbox_init(&mailbox);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letters[i].message), 0);
    for (int i = 0; i < 3; i++) {
        struct ouro_message *message = NULL;

        CU_ASSERT_EQUAL(ouro_mailbox_receive(&mailbox, &message), 0);
        CU_ASSERT_EQUAL(number_of(message), i + 1);
    }
    ouro_mailbox_done(&mailbox);
    return 0;
}

static void test_letters_wait_for_a_reader_in_order(void)
{
    run_on_each_ring(keep_letters, NULL);
}

struct reader {
    struct ouro_mailbox *mailbox;
    int got, code;
};

static int read_one(void *arg)
{
    struct reader *reader = arg;
    struct ouro_message *message = NULL;

    reader->code = ouro_mailbox_receive(reader->mailbox, &message);
    if (!reader->code)
        reader->got = number_of(message);
    return 0;
}

static int readers_in_line(void *arg)
{
    struct ouro_mailbox mailbox;
    struct letter letters[2] = {{.number = 1}, {.number = 2}};
    struct reader readers[3] = {{&mailbox, 0, 0}, {&mailbox, 0, 0}, {&mailbox, 0, 0}};
    ouro_task_id ids[3];

    (void) arg;
    ouro_mailbox_init(&mailbox);
    for (int i = 0; i < 3; i++)
        ids[i] = ouro_spawn(read_one, &readers[i]);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel(ids[1]), 0); /* leaves the line */
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letters[i].message), 0);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_join(ids[i], NULL), 0);
    CU_ASSERT_EQUAL(readers[0].got, 1);
    CU_ASSERT_EQUAL(readers[1].code, -ECANCELED);
    CU_ASSERT_EQUAL(readers[2].got, 2);
    ouro_mailbox_done(&mailbox);
    return 0;
}

static void test_readers_are_served_in_the_order_in_which_they_came(void)
{
    run_on_each_ring(readers_in_line, NULL);
}

static struct reader *raced;
static ouro_task_id raced_id;

static void cancel_reader(struct ouro_message *message)
{
    (void) message;
    CU_ASSERT_EQUAL(ouro_cancel(raced_id), 0);
}

/*
 * main               reader           delivered
 * .                  receive (parks)
 * send, post, join   .
 * .                  .                the letter wakes the reader
 * .                  .                the other message cancels it while it is runnable
 * .                  returns the letter; its next call fails
 */
static int read_and_read_again(void *arg)
{
    struct ouro_message *message;

    (void) read_one(arg);
    return ouro_mailbox_receive(raced->mailbox, &message);
}

static int race_letter_and_cancel(void *arg)
{
    struct ouro_message cancellation = {.deliver = cancel_reader};
    struct ouro_mailbox mailbox;
    struct letter letter = {.number = 5};
    struct reader reader = {&mailbox, 0, 0};
    int result = 0;

    (void) arg;
    raced = &reader;
    ouro_mailbox_init(&mailbox);
    raced_id = ouro_spawn(read_and_read_again, &reader);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letter.message), 0);
    CU_ASSERT_EQUAL(ouro_post(mailbox.inbox, &cancellation), 0);
    CU_ASSERT_EQUAL(ouro_join(raced_id, &result), 0);
    CU_ASSERT_EQUAL(reader.got, 5);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    ouro_mailbox_done(&mailbox);
    return 0;
}

static void test_letter_that_raced_a_cancellation_is_received(void)
{
    run_on_each_ring(race_letter_and_cancel, NULL);
}

static int receive_when_cancelled(void *arg)
{
    struct ouro_mailbox mailbox;
    struct letter letter = {.number = 1};
    struct ouro_message *message = NULL;
    struct ouro_shield shield;

    (void) arg;
    ouro_mailbox_init(&mailbox);
    CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letter.message), 0);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_mailbox_receive(&mailbox, &message), -ECANCELED);
    CU_ASSERT_PTR_NULL(message); /* it stays in the box */
    ouro_shield_begin(&shield, OURO_SECOND);
    CU_ASSERT_EQUAL(ouro_mailbox_receive(&mailbox, &message), 0);
    ouro_shield_end(&shield);
    CU_ASSERT_PTR_EQUAL(message, &letter.message);
    ouro_mailbox_done(&mailbox);
    return 0;
}

static int abandon_a_letter(void *arg)
{
    static struct ouro_mailbox mailbox;
    static struct letter letter;

    (void) arg;
    ouro_mailbox_init(&mailbox);
    (void) ouro_mailbox_send(&mailbox, &letter.message);
    (void) ouro_sleep(1);
    ouro_mailbox_done(&mailbox);
    return 0;
}

static void test_letters_are_not_lost_unnoticed(void)
{
    CU_ASSERT_EQUAL(run_sim(receive_when_cancelled, NULL), 0);
    CU_ASSERT(is_checked(abandon_a_letter, "a mailbox ends with messages in it"));
}

static void *send_late(void *arg)
{
    static struct letter letter = {.number = 9};
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};

    (void) nanosleep(&pause, NULL); /* so that the loop would have nothing to wait for */
    (void) ouro_mailbox_send(arg, &letter.message);
    return NULL;
}

static int wait_for_another_thread(void *arg)
{
    struct ouro_mailbox mailbox;
    struct ouro_message *message = NULL;
    pthread_t thread;

    (void) arg;
    ouro_mailbox_init(&mailbox);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, send_late, &mailbox), 0);
    CU_ASSERT_EQUAL(ouro_mailbox_receive(&mailbox, &message), 0);
    CU_ASSERT_EQUAL(number_of(message), 9);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    ouro_mailbox_done(&mailbox);
    return 0;
}

static void test_waiting_for_another_thread_is_no_deadlock(void)
{
    if (!test_kernel_ring()) {
        TEST_SKIP("threads need the kernel's ring");
        return;
    }
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, wait_for_another_thread, NULL), 0);
}

/* --- the end ------------------------------------------------------------------------------ */

static void expect_letter(struct ouro_mailbox *mailbox, int number)
{
    struct ouro_message *message = NULL;

    CU_ASSERT_EQUAL(ouro_mailbox_receive(mailbox, &message), 0);
    CU_ASSERT(message && number_of(message) == number);
}

/* The second letter is on its way when the task that closes the box has been cancelled. */
static int drain_after_cancel(void *arg)
{
    struct ouro_mailbox mailbox;
    struct letter letters[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct ouro_message *message = NULL;

    (void) arg;
    ouro_mailbox_init(&mailbox);
    CU_ASSERT_EQUAL(ouro_mailbox_try_receive(&mailbox, &message), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letters[0].message), 0);
    CU_ASSERT_EQUAL(ouro_sleep(1), 0);
    CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letters[1].message), 0);
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_mailbox_receive(&mailbox, &message), -ECANCELED);
    ouro_mailbox_close(&mailbox);
    CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letters[2].message), -ESHUTDOWN);
    expect_letter(&mailbox, 1);
    CU_ASSERT_EQUAL(ouro_mailbox_try_receive(&mailbox, &message), -EAGAIN);
    expect_letter(&mailbox, 2);
    CU_ASSERT_EQUAL(ouro_mailbox_try_receive(&mailbox, &message), OURO_EEOF);
    CU_ASSERT_EQUAL(ouro_mailbox_receive(&mailbox, &message), OURO_EEOF);
    ouro_mailbox_done(&mailbox);
    return 0;
}

static void test_closed_mailbox_is_drained_also_by_a_cancelled_task(void)
{
    run_on_each_ring(drain_after_cancel, NULL);
}

static int close_on_readers(void *arg)
{
    struct ouro_mailbox mailbox;
    struct letter letter = {.number = 1};
    struct reader readers[3] = {{&mailbox, 0, 0}, {&mailbox, 0, 0}, {&mailbox, 0, 0}};
    bool is_letter_sent = arg != NULL;
    ouro_task_id ids[3];

    ouro_mailbox_init(&mailbox);
    for (int i = 0; i < 3; i++)
        ids[i] = ouro_spawn(read_one, &readers[i]);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    if (is_letter_sent)
        CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letter.message), 0);
    ouro_mailbox_close(&mailbox);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_join(ids[i], NULL), 0);
    CU_ASSERT_EQUAL(readers[0].got, is_letter_sent);
    CU_ASSERT_EQUAL(readers[0].code, is_letter_sent ? 0 : OURO_EEOF);
    CU_ASSERT_EQUAL(readers[1].code, OURO_EEOF);
    CU_ASSERT_EQUAL(readers[2].code, OURO_EEOF);
    ouro_mailbox_done(&mailbox);
    return 0;
}

static void test_readers_are_told_of_the_end_when_nothing_is_on_its_way(void)
{
    run_on_each_ring(close_on_readers, NULL);
    run_on_each_ring(close_on_readers, (void *) (uintptr_t) "with a letter");
}

static int send_too_early_and_too_late(void *arg)
{
    struct ouro_mailbox mailbox = {.inbox = NULL};
    struct letter letter = {.number = 1};

    (void) arg;
    CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letter.message), -ESHUTDOWN);
    ouro_mailbox_init(&mailbox);
    CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letter.message), 0);
    expect_letter(&mailbox, 1);
    ouro_mailbox_done(&mailbox);
    CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letter.message), -ESHUTDOWN);
    return 0;
}

static void test_mailbox_takes_nothing_before_its_beginning_and_after_its_end(void)
{
    run_on_each_ring(send_too_early_and_too_late, NULL);
}

static int leave_open(void *arg)
{
    ouro_mailbox_init(arg);
    return 0;
}

static void test_mailbox_whose_loop_has_ended_takes_nothing(void)
{
    struct ouro_mailbox mailbox = {.inbox = NULL};
    struct letter letter = {.number = 1};

    CU_ASSERT_EQUAL(run_sim(leave_open, &mailbox), 0);
    CU_ASSERT_EQUAL(ouro_mailbox_send(&mailbox, &letter.message), -ESHUTDOWN);
    ouro_mailbox_done(&mailbox);
}

static int end_with_a_letter_on_its_way(void *arg)
{
    static struct ouro_mailbox mailbox;
    static struct letter letter;

    (void) arg;
    ouro_mailbox_init(&mailbox);
    (void) ouro_mailbox_send(&mailbox, &letter.message);
    ouro_mailbox_done(&mailbox);
    return 0;
}

static void test_letters_on_their_way_are_not_lost_unnoticed(void)
{
    CU_ASSERT(
        is_checked(end_with_a_letter_on_its_way, "a mailbox ends with messages on their way"));
}

#define SENDERS 3
#define LETTERS 16 /* of each sender, again and again */

/* Outlives ouro_run(), as what other shards send to must. */
struct rush {
    struct ouro_mailbox mailbox;
    struct ouro_mailbox returns[SENDERS];
    struct letter letters[SENDERS][LETTERS];
    unsigned long taken, sent[SENDERS];
};

/* Letters that came back go out again, until the box is closed. The letters are the sender's then. */
static int send_until_refused(struct rush *rush, unsigned sender)
{
    struct ouro_mailbox *returns = &rush->returns[sender];
    struct ouro_message *message;
    int code = 0;

    ouro_mailbox_init(returns);
    for (int i = 0; i < LETTERS; i++) {
        rush->letters[sender][i].number = (int) sender;
        while ((code = ouro_mailbox_send(&rush->mailbox, &rush->letters[sender][i].message)))
            if (ouro_sleep(OURO_MICROSECOND)) /* it is not open yet */
                break;
        rush->sent[sender] += !code;
    }
    while (!code) {
        code = ouro_mailbox_receive(returns, &message);
        if (!code)
            code = ouro_mailbox_send(&rush->mailbox, message);
        rush->sent[sender] += !code;
    }
    ouro_mailbox_close(returns);
    while (!ouro_mailbox_receive(returns, &message))
        ;
    ouro_mailbox_done(returns);
    return 0;
}

static int receive_then_stop(struct rush *rush)
{
    struct ouro_message *message;

    ouro_mailbox_init(&rush->mailbox);
    while (!ouro_mailbox_receive(&rush->mailbox, &message)) {
        (void) ouro_mailbox_send(&rush->returns[number_of(message)], message);
        if (++rush->taken == 1000)
            ouro_stop();
    }
    ouro_mailbox_close(&rush->mailbox);
    while (!ouro_mailbox_receive(&rush->mailbox, &message))
        rush->taken++;
    ouro_mailbox_done(&rush->mailbox);
    return 0;
}

static int rush_main(void *arg)
{
    unsigned index = ouro_shard_index();

    return index == 0 ? receive_then_stop(arg) : send_until_refused(arg, index - 1);
}

/* Shards are stopped while letters are in flight, each at its own moment. */
static void test_shards_that_are_stopped_lose_no_letter(void)
{
    struct ouro_run_options options = {.ring = test_kernel_ring(), .shards = 1 + SENDERS};

    if (!test_kernel_ring()) {
        TEST_SKIP("threads need the kernel's ring");
        return;
    }
    for (int i = 0; i < 20; i++) {
        static struct rush rush;
        unsigned long sent = 0;

        memset(&rush, 0, sizeof(rush));
        CU_ASSERT_EQUAL(ouro_run(rush_main, &rush, &options), 0);
        for (int sender = 0; sender < SENDERS; sender++)
            sent += rush.sent[sender];
        CU_ASSERT_EQUAL(sent, rush.taken);
        CU_ASSERT(rush.taken >= 1000);
    }
}

const struct test mailbox_tests[] = {
    TEST(test_letters_wait_for_a_reader_in_order),
    TEST(test_readers_are_served_in_the_order_in_which_they_came),
    TEST(test_letter_that_raced_a_cancellation_is_received),
    TEST(test_letters_are_not_lost_unnoticed),
    TEST(test_waiting_for_another_thread_is_no_deadlock),
    TEST(test_closed_mailbox_is_drained_also_by_a_cancelled_task),
    TEST(test_readers_are_told_of_the_end_when_nothing_is_on_its_way),
    TEST(test_mailbox_takes_nothing_before_its_beginning_and_after_its_end),
    TEST(test_mailbox_whose_loop_has_ended_takes_nothing),
    TEST(test_letters_on_their_way_are_not_lost_unnoticed),
    TEST(test_shards_that_are_stopped_lose_no_letter),
    TEST_END};
