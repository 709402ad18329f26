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

const struct test mailbox_tests[] = {TEST(test_letters_wait_for_a_reader_in_order),
                                     TEST(test_readers_are_served_in_the_order_in_which_they_came),
                                     TEST(test_letter_that_raced_a_cancellation_is_received),
                                     TEST(test_letters_are_not_lost_unnoticed),
                                     TEST(test_waiting_for_another_thread_is_no_deadlock),
                                     TEST_END};
