/* SPDX-License-Identifier: MIT */
/*
 * inbox_test.c - tests of engine/inbox.c: messages from other threads
 *
 * What races is left to chance and counted; what must never happen is asserted.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "check.h"
#include "dispatcher.h"
#include "inbox.h"
#include "loop.h"
#include "ouro_uring.h"
#include "stepping.h"

struct letter {
    struct ouro_message message;
    int number;
    struct log *log;
};

/* --- from the loop's own thread -------------------------------------------------------------- */

static void note(struct ouro_message *message)
{
    struct letter *letter = container_of(message, struct letter, message);
    char text[8];

    (void) snprintf(text, sizeof(text), "%d ", letter->number);
    log_add(letter->log, text);
}

static int post_to_oneself(void *arg)
{
    struct log *log = arg;
    struct letter letters[5];
    struct ouro_inbox *inbox = ouro_inbox_ref();

    log->len = 0;
    for (int i = 0; i < 5; i++) {
        letters[i] = (struct letter) {{.deliver = note}, i, log};
        CU_ASSERT_EQUAL(ouro_post(inbox, &letters[i].message), 0);
    }
    CU_ASSERT_EQUAL(log->len, 0); /* not before the task lets go */
    CU_ASSERT_EQUAL(ouro_sleep(1), 0);
    CU_ASSERT_STRING_EQUAL(log->text, "0 1 2 3 4 ");
    ouro_inbox_unref(inbox);
    return 0;
}

static void test_messages_are_delivered_in_order(void)
{
    struct log log;

    run_on_each_ring(post_to_oneself, &log);
}

static int post_and_return(void *arg)
{
    struct letter *letter = arg;

    return ouro_post(ouro__dispatcher->inbox, &letter->message);
}

static void test_last_messages_are_delivered_when_the_loop_ends(void)
{
    struct log log = {.len = 0};
    struct letter letter = {{.deliver = note}, 7, &log};

    CU_ASSERT_EQUAL(run_sim(post_and_return, &letter), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "7 ");
}

static int end_in_order(void *arg)
{
    CU_ASSERT_EQUAL(ouro_sleep(1), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_close(-1), -EBADF); /* waits for the ring */
    ++*(int *) arg;
    return 0;
}

static int late_end_count;

static void spawn_late(struct ouro_message *message)
{
    const struct ouro_spawn_options options = {.detached = true};

    (void) message;
    CU_ASSERT(ouro_spawn_with(end_in_order, &late_end_count, &options) > 0);
}

static void test_tasks_that_the_last_messages_spawn_end_before_the_loop(void)
{
    const char *const rings[] = {test_sim_ring(), test_kernel_ring()};

    for (size_t i = 0; i < COUNT_OF(rings) && rings[i]; i++) {
        struct letter letter = {.message.deliver = spawn_late};

        late_end_count = 0;
        CU_ASSERT_EQUAL(run_with(rings[i], 0, post_and_return, &letter), 0);
        CU_ASSERT_EQUAL(late_end_count, 1);
    }
}

static int give_inbox(void *arg)
{
    *(struct ouro_inbox **) arg = ouro_inbox_ref();
    return 0;
}

static void test_ended_loop_refuses_messages(void)
{
    const char *const rings[] = {test_sim_ring(), test_kernel_ring()};

    for (size_t i = 0; i < COUNT_OF(rings) && rings[i]; i++) {
        struct ouro_inbox *inbox = NULL;
        struct ouro_message message = {.next = NULL};

        CU_ASSERT_EQUAL(run_with(rings[i], 0, give_inbox, &inbox), 0);
        CU_ASSERT_EQUAL(ouro_post(inbox, &message), -ESHUTDOWN);
        CU_ASSERT_PTR_NULL(message.next);
        ouro_inbox_unref(inbox);
    }
}

/* A message that is posted again by its delivery, until that is refused. */
struct stubborn {
    struct ouro_message message;
    int delivered_count;
    int code; /* of the last post */
    ouro_task_fn *late_fn;
    int late_result;
};

static int run_late_fn(void *arg)
{
    struct stubborn *self = arg;

    self->late_result = self->late_fn(self);
    return 0;
}

static void post_again(struct ouro_message *message)
{
    struct stubborn *self = container_of(message, struct stubborn, message);
    const struct ouro_spawn_options options = {.detached = true};

    self->delivered_count++;
    self->code = ouro_post(ouro__dispatcher->inbox, message);
    if (self->code && self->late_fn)
        CU_ASSERT(ouro_spawn_with(run_late_fn, self, &options) > 0);
}

static int post_stubbornly(void *arg)
{
    struct stubborn *self = arg;

    return ouro_post(ouro__dispatcher->inbox, &self->message);
}

static struct stubborn run_stubborn(const char *ring, ouro_task_fn *late_fn)
{
    struct stubborn self = {.message.deliver = post_again, .late_fn = late_fn, .late_result = -1};

    CU_ASSERT_EQUAL(run_with(ring, 0, post_stubbornly, &self), 0);
    CU_ASSERT_EQUAL(self.code, -ESHUTDOWN);
    return self;
}

static void test_stream_of_messages_without_end_is_cut_off(void)
{
    const char *const rings[] = {test_sim_ring(), test_kernel_ring()};

    for (size_t i = 0; i < COUNT_OF(rings) && rings[i]; i++)
        CU_ASSERT(run_stubborn(rings[i], NULL).delivered_count > 1);
}

/* What it posts to itself, it gets, though its message was the one that was cut off. */
struct reply {
    struct ouro_message message;
    struct ouro_future came;
};

static void set_future(struct ouro_message *message)
{
    struct reply *reply = container_of(message, struct reply, message);

    CU_ASSERT_EQUAL(ouro_future_set(&reply->came, NULL), 0);
}

static int post_and_await(void *arg)
{
    struct reply reply = {.message.deliver = set_future};
    struct ouro_shield shield;
    int code;

    (void) arg;
    ouro_future_init(&reply.came);
    CU_ASSERT_EQUAL(ouro_post(ouro__dispatcher->inbox, &reply.message), 0);
    ouro_shield_begin(&shield, OURO_FOREVER);
    code = ouro_future_wait(&reply.came, NULL);
    ouro_shield_end(&shield);
    return code;
}

static void test_task_of_a_stream_that_was_cut_off_gets_its_messages(void)
{
    const char *const rings[] = {test_sim_ring(), test_kernel_ring()};

    for (size_t i = 0; i < COUNT_OF(rings) && rings[i]; i++)
        CU_ASSERT_EQUAL(run_stubborn(rings[i], post_and_await).late_result, 0);
}

/* --- from other threads ------------------------------------------------------------------------ */

#define SENDERS      4
#define PER_SENDER   25000
#define WAKE_UPS     200000
#define BURST_MAX    8
#define BUSY_PERCENT 50 /* of bursts that do not wait for the loop to fall asleep */

struct crowd {
    struct ouro_inbox *inbox;
    struct parcel *parcels; /* of all senders */
    int next[SENDERS];      /* expected */
    int delivered_count;
    struct ouro_future all_came;
};

struct parcel {
    struct ouro_message message;
    struct crowd *crowd;
    int sender, number;
};

struct sender {
    struct crowd *crowd;
    int index;
    pthread_t thread;
};

static void count_parcel(struct ouro_message *message)
{
    struct parcel *parcel = container_of(message, struct parcel, message);
    struct crowd *crowd = parcel->crowd;

    CU_ASSERT_EQUAL(parcel->number, crowd->next[parcel->sender]);
    crowd->next[parcel->sender]++;
    if (++crowd->delivered_count == SENDERS * PER_SENDER)
        CU_ASSERT_EQUAL(ouro_future_set(&crowd->all_came, NULL), 0);
}

static void *send_parcels(void *arg)
{
    struct sender *sender = arg;

    for (int i = 0; i < PER_SENDER; i++) {
        struct parcel *parcel = &sender->crowd->parcels[sender->index * PER_SENDER + i];

        *parcel = (struct parcel) {{.deliver = count_parcel}, sender->crowd, sender->index, i};
        if (ouro_post(sender->crowd->inbox, &parcel->message))
            return arg;
    }
    return NULL;
}

static int receive_from_a_crowd(void *arg)
{
    struct crowd crowd = {.inbox = ouro_inbox_ref()};
    struct sender senders[SENDERS];

    (void) arg;
    ouro_future_init(&crowd.all_came);
    crowd.parcels = calloc(SENDERS * PER_SENDER, sizeof(*crowd.parcels));
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender) {.crowd = &crowd, .index = i};
        CU_ASSERT_EQUAL(pthread_create(&senders[i].thread, NULL, send_parcels, &senders[i]), 0);
    }
    CU_ASSERT_EQUAL(ouro_future_wait(&crowd.all_came, NULL), 0);
    for (int i = 0; i < SENDERS; i++) {
        void *failed = NULL;

        CU_ASSERT_EQUAL(pthread_join(senders[i].thread, &failed), 0);
        CU_ASSERT_PTR_NULL(failed);
        CU_ASSERT_EQUAL(crowd.next[i], PER_SENDER);
    }
    free(crowd.parcels);
    ouro_inbox_unref(crowd.inbox);
    return 0;
}

static void test_each_threads_messages_come_once_and_in_order(void)
{
    if (!test_kernel_ring()) {
        TEST_SKIP("threads need the kernel's ring");
        return;
    }
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, receive_from_a_crowd, NULL), 0);
}

/*
 * Goal: no wake-up is lost. Method: a thread posts bursts and waits for each to be delivered,
 * and in half of the cases also for the loop to fall asleep. A lost one hangs.
 */
struct waking {
    struct ouro_inbox *inbox;
    struct ouro_future is_over;
    atomic_uint delivered_count;
    unsigned sleeper_count; /* messages posted to a loop that slept */
    struct ouro_message messages[BURST_MAX];
    struct ouro_message last;
};

static struct waking *waking;

static void count_wake_up(struct ouro_message *message)
{
    (void) message;
    atomic_fetch_add(&waking->delivered_count, 1);
}

static void finish_waking(struct ouro_message *message)
{
    (void) message;
    CU_ASSERT_EQUAL(ouro_future_set(&waking->is_over, NULL), 0);
}

static void *send_bursts(void *arg)
{
    unsigned seed = 1;
    unsigned posted = 0;

    (void) arg;
    while (posted < WAKE_UPS) {
        unsigned burst = 1 + (unsigned) rand_r(&seed) % BURST_MAX;

        if ((unsigned) rand_r(&seed) % 100 >= BUSY_PERCENT)
            while (!atomic_load(&waking->inbox->is_sleeping))
                (void) sched_yield();
        waking->sleeper_count += atomic_load(&waking->inbox->is_sleeping);
        for (unsigned i = 0; i < burst; i++) {
            waking->messages[i].deliver = count_wake_up;
            if (ouro_post(waking->inbox, &waking->messages[i]))
                return NULL;
        }
        posted += burst;
        while (atomic_load(&waking->delivered_count) < posted)
            (void) sched_yield();
    }
    waking->last.deliver = finish_waking;
    (void) ouro_post(waking->inbox, &waking->last);
    return NULL;
}

static int sleep_and_wake(void *arg)
{
    pthread_t thread;

    (void) arg;
    waking->inbox = ouro_inbox_ref();
    ouro_future_init(&waking->is_over);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, send_bursts, NULL), 0);
    CU_ASSERT_EQUAL(ouro_future_wait(&waking->is_over, NULL), 0);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    ouro_inbox_unref(waking->inbox);
    return 0;
}

static void test_no_wake_up_is_lost_in_200000_messages(void)
{
    struct waking here = {.sleeper_count = 0};
    struct ouro_run_options options = {.ring = test_kernel_ring(), .spin_ns = -1};

    if (!test_kernel_ring()) {
        TEST_SKIP("threads need the kernel's ring");
        return;
    }
    waking = &here;
    CU_ASSERT_EQUAL(ouro_run(sleep_and_wake, NULL, &options), 0);
    CU_ASSERT(atomic_load(&here.delivered_count) >= WAKE_UPS);
    CU_ASSERT(here.sleeper_count >= WAKE_UPS / 10);
}

/* A task's SQE cancels whatever is in flight, the read of the loop's eventfd included. */
static void prepare_cancel_any(struct io_uring_sqe *sqe, void *arg)
{
    (void) arg;
    io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
}

static void *post_to_sleeper(void *arg)
{
    struct waking *self = arg;

    while (!atomic_load(&self->inbox->is_sleeping))
        (void) sched_yield();
    return ouro_post(self->inbox, &self->last) ? arg : NULL;
}

static int cancel_any_and_be_woken(void *arg)
{
    struct waking *self = arg;
    struct ouro_timeout limit;
    pthread_t thread;
    int64_t begin;
    int code;

    self->inbox = ouro_inbox_ref();
    self->last.deliver = finish_waking;
    ouro_future_init(&self->is_over);
    CU_ASSERT_EQUAL(ouro_submit_sqe(prepare_cancel_any, NULL, NULL), 1);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, post_to_sleeper, self), 0);
    begin = ouro_now();
    ouro_timeout_begin(&limit, 4 * OURO_SECOND);
    code = ouro_future_wait(&self->is_over, NULL);
    (void) ouro_timeout_end(&limit);
    CU_ASSERT(ouro_now() - begin < 4 * OURO_SECOND); /* else it was the limit that woke the loop */
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    ouro_inbox_unref(self->inbox);
    return code;
}

static void test_cancel_of_any_operation_does_not_make_the_loop_deaf(void)
{
    struct waking here = {.sleeper_count = 0};

    if (!test_kernel_ring()) {
        TEST_SKIP("threads need the kernel's ring");
        return;
    }
    waking = &here;
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, cancel_any_and_be_woken, &here), 0);
}

/*
 * A task that the last message spawned has a question for another thread, under a shield. The
 * answer used to be refused. In a child, which would wait for it until its alarm.
 */
struct question {
    struct ouro_message message;
    struct ouro_inbox *inbox;
    struct ouro_future answered;
    int post_code;
};

static struct question question;

static void deliver_answer(struct ouro_message *message)
{
    (void) message;
    (void) ouro_future_set(&question.answered, NULL);
}

static void *answer_when_asleep(void *arg)
{
    while (!atomic_load(&question.inbox->is_sleeping))
        (void) sched_yield();
    question.message.deliver = deliver_answer;
    question.post_code = ouro_post(question.inbox, &question.message);
    ouro_inbox_unref(question.inbox);
    return arg;
}

static int late_result = -1;

static int ask_another_thread(void *arg)
{
    struct ouro_shield shield;
    pthread_t thread;

    (void) arg;
    question.inbox = ouro_inbox_ref();
    ouro_future_init(&question.answered);
    if (pthread_create(&thread, NULL, answer_when_asleep, NULL))
        return 1;
    ouro_shield_begin(&shield, OURO_FOREVER);
    late_result = ouro_future_wait(&question.answered, NULL);
    ouro_shield_end(&shield);
    (void) pthread_join(thread, NULL);
    return 0;
}

static void spawn_asking(struct ouro_message *message)
{
    const struct ouro_spawn_options options = {.detached = true};

    (void) message;
    (void) ouro_spawn_with(ask_another_thread, NULL, &options);
}

static int run_late_question(void *arg)
{
    struct letter letter = {.message.deliver = spawn_asking};

    (void) arg;
    (void) alarm(5);
    if (run_with(test_kernel_ring(), 0, post_and_return, &letter))
        return 1;
    return question.post_code || late_result ? 2 : 0;
}

static void test_task_of_the_last_message_hears_from_other_threads(void)
{
    struct child child;

    if (!test_kernel_ring()) {
        TEST_SKIP("threads need the kernel's ring");
        return;
    }
    child = run_in_child(run_late_question, NULL);
    CU_ASSERT(exited_with(&child, 0));
}

/* --- deadlocks ------------------------------------------------------------------------------- */

/*
 *   loop                           thread
 *   has a message come? no
 *                                  ouro_post()
 *                                  ouro_inbox_unref()
 *   does anybody know the inbox?
 *   no: a deadlock?
 */
struct farewell {
    struct ouro_message message;
    struct ouro_inbox *inbox;
    struct ouro_event has_come;
};

static void note_farewell(struct ouro_message *message)
{
    ouro_event_set(&container_of(message, struct farewell, message)->has_come);
}

static void post_and_forget(void *arg)
{
    struct farewell *farewell = arg;

    (void) ouro_post(farewell->inbox, &farewell->message);
    ouro_inbox_unref(farewell->inbox);
}

static int hear_farewells(void *arg)
{
    struct farewell farewell = {.message.deliver = note_farewell, .has_come = OURO_EVENT_INIT};
    int code = ouro_sleep(1); /* the loop has its eventfd's read submitted */

    (void) arg;
    stepping.is_last = false;
    for (unsigned steps = 0; !code && !stepping.is_last; steps++) {
        ouro_event_clear(&farewell.has_come);
        farewell.inbox = ouro_inbox_ref();
        stepping_begin(steps, post_and_forget, &farewell);
        code = ouro_event_wait(&farewell.has_come);
    }
    stepping_end();
    return code;
}

static bool can_step(void)
{
    if (test_kernel_ring() && stepping_is_possible())
        return true;
    TEST_SKIP("single steps need x86-64, the kernel's ring and no sanitizer");
    return false;
}

static void test_message_whose_sender_gave_the_inbox_back_is_no_deadlock(void)
{
    if (!can_step())
        return;
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, hear_farewells, NULL), 0);
}

/*
 * Whenever the last reference goes, before the loop falls asleep or while it sleeps, the loop
 * sees that nobody is left to wake it. Each try ends a loop, in a child: a wake-up that is lost
 * lets it sleep until its alarm.
 */
static void forget(void *inbox)
{
    ouro_inbox_unref(inbox);
}

static int wait_for_nobody(void *arg)
{
    struct ouro_event event = OURO_EVENT_INIT;

    stepping_begin(*(unsigned *) arg, forget, ouro_inbox_ref());
    return ouro_event_wait(&event);
}

static int run_into_deadlocks(void *arg)
{
    int nowhere = open("/dev/null", O_WRONLY); /* for all the reports */

    (void) arg;
    (void) dup2(nowhere, STDERR_FILENO);
    (void) alarm(10);
    stepping.is_last = false;
    for (unsigned steps = 0; !stepping.is_last; steps++)
        if (run_with(test_kernel_ring(), 0, wait_for_nobody, &steps) != OURO_EDEADLOCK)
            return 1;
    return 0;
}

static void test_loop_is_told_when_nobody_knows_its_inbox_any_more(void)
{
    struct child child;

    if (!can_step())
        return;
    if (strstr(test_kernel_ring(), "sqpoll")) {
        TEST_SKIP("looking for the next completion has no end when it is done by single steps");
        return;
    }
    child = run_in_child(run_into_deadlocks, NULL);
    CU_ASSERT(exited_with(&child, 0));
}

const struct test inbox_tests[] = {
    TEST(test_messages_are_delivered_in_order),
    TEST(test_last_messages_are_delivered_when_the_loop_ends),
    TEST(test_tasks_that_the_last_messages_spawn_end_before_the_loop),
    TEST(test_ended_loop_refuses_messages),
    TEST(test_stream_of_messages_without_end_is_cut_off),
    TEST(test_task_of_a_stream_that_was_cut_off_gets_its_messages),
    TEST(test_each_threads_messages_come_once_and_in_order),
    TEST(test_no_wake_up_is_lost_in_200000_messages),
    TEST(test_cancel_of_any_operation_does_not_make_the_loop_deaf),
    TEST(test_task_of_the_last_message_hears_from_other_threads),
    TEST(test_message_whose_sender_gave_the_inbox_back_is_no_deadlock),
    TEST(test_loop_is_told_when_nobody_knows_its_inbox_any_more),
    TEST_END};
