/* SPDX-License-Identifier: MIT */
/*
 * channel_test.c - tests of engine/channel.c: channels and select
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "dispatcher.h"
#include "loop.h"

#define MS        OURO_MILLISECOND
#define BATCH_MAX 200

/* --- one sender, one receiver ------------------------------------------------------------- */

/* A channel of numbers with room for 64; tests use less of it. */
struct fixture {
    struct ouro_channel channel;
    int64_t buffer[64];
    size_t capacity;
};

static void init_fixture(struct fixture *fixture, size_t capacity)
{
    fixture->capacity = capacity;
    ouro_channel_init(&fixture->channel, capacity ? fixture->buffer : NULL, sizeof(int64_t),
                      capacity);
}

static const size_t capacities[] = {0, 1, 2, 64};

static int send_1_to_200_and_close(void *arg)
{
    struct fixture *fixture = arg;

    for (int64_t n = 1; n <= BATCH_MAX; n++) {
        CU_ASSERT_EQUAL(ouro_channel_send(&fixture->channel, &n), 0);
        CU_ASSERT(ouro_channel_count(&fixture->channel) <= fixture->capacity);
    }
    ouro_channel_close(&fixture->channel);
    return 0;
}

/* With the receiver first, or the sender. */
static int pass_in_order(struct fixture *fixture, bool sender_first)
{
    ouro_task_id sender = ouro_spawn(send_1_to_200_and_close, fixture);
    int64_t expected = 1, n;

    if (sender_first)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    while (!ouro_channel_receive(&fixture->channel, &n))
        CU_ASSERT_EQUAL(n, expected++);
    CU_ASSERT_EQUAL(expected, BATCH_MAX + 1);
    CU_ASSERT_EQUAL(ouro_channel_receive(&fixture->channel, &n), OURO_EEOF);
    ouro_channel_done(&fixture->channel);
    return ouro_join(sender, NULL);
}

static int pass_through_each_capacity(void *arg)
{
    (void) arg;
    for (size_t i = 0; i < COUNT_OF(capacities); i++) {
        struct fixture fixture;

        init_fixture(&fixture, capacities[i]);
        CU_ASSERT_EQUAL(pass_in_order(&fixture, false), 0);
        init_fixture(&fixture, capacities[i]);
        CU_ASSERT_EQUAL(pass_in_order(&fixture, true), 0);
    }
    return 0;
}

static void test_items_arrive_once_and_in_order(void)
{
    run_on_each_ring(pass_through_each_capacity, NULL);
}

/* Items of several sizes lie without gaps in a buffer that begins at an odd address. */
static int pass_items_of_each_size(void *arg)
{
    static const size_t sizes[] = {1, 3, 4, 7, 8, 9, 16, 100};

    (void) arg;
    for (size_t s = 0; s < COUNT_OF(sizes); s++) {
        unsigned char buffer[1 + 3 * 100 + 1], item[100], got[101];
        struct ouro_channel channel;

        memset(buffer, 0xee, sizeof(buffer));
        memset(got, 0xee, sizeof(got));
        ouro_channel_init(&channel, buffer + 1, sizes[s], 3);
        for (unsigned round = 0; round < 5; round++) {
            for (unsigned n = 0; n < 3; n++) {
                memset(item, (int) (10 * round + n), sizeof(item));
                CU_ASSERT_EQUAL(ouro_channel_send(&channel, item), 0);
            }
            CU_ASSERT_EQUAL(ouro_channel_count(&channel), 3);
            CU_ASSERT_EQUAL(ouro_channel_try_send(&channel, item), -EAGAIN);
            for (unsigned n = 0; n < 3; n++) {
                memset(item, (int) (10 * round + n), sizeof(item));
                CU_ASSERT_EQUAL(ouro_channel_receive(&channel, got), 0);
                CU_ASSERT_EQUAL(memcmp(got, item, sizes[s]), 0);
                CU_ASSERT_EQUAL(got[sizes[s]], 0xee);
            }
        }
        CU_ASSERT_EQUAL(buffer[0], 0xee);
        CU_ASSERT_EQUAL(buffer[1 + 3 * sizes[s]], 0xee);
        ouro_channel_done(&channel);
    }
    return 0;
}

static void test_items_have_any_size_and_alignment(void)
{
    CU_ASSERT_EQUAL(run_sim(pass_items_of_each_size, NULL), 0);
}

static int pass_nothing(void *arg)
{
    struct ouro_channel channel;

    (void) arg;
    ouro_channel_init(&channel, NULL, 0, 2);
    CU_ASSERT_EQUAL(ouro_channel_send(&channel, NULL), 0);
    CU_ASSERT_EQUAL(ouro_channel_send(&channel, NULL), 0);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&channel, NULL), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_channel_count(&channel), 2);
    CU_ASSERT_EQUAL(ouro_channel_receive(&channel, NULL), 0);
    CU_ASSERT_EQUAL(ouro_channel_receive(&channel, NULL), 0);
    CU_ASSERT_EQUAL(ouro_channel_try_receive(&channel, NULL), -EAGAIN);
    ouro_channel_done(&channel);
    return 0;
}

static void test_items_may_be_empty(void)
{
    CU_ASSERT_EQUAL(run_sim(pass_nothing, NULL), 0);
}

static int64_t static_buffer[3];
static struct ouro_channel static_channel = OURO_CHANNEL_INIT_ARRAY(static_buffer);
static struct ouro_channel static_rendezvous = OURO_CHANNEL_INIT_RENDEZVOUS(sizeof(int64_t));

static int use_static_channels(void *arg)
{
    struct ouro_channel local;
    int64_t n = 5;

    (void) arg;
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_channel_try_send(&static_channel, &n), 0);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&static_channel, &n), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&static_rendezvous, &n), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_channel_try_receive(&static_rendezvous, &n), -EAGAIN);
    ouro_channel_init_array(&local, static_buffer);
    CU_ASSERT_EQUAL(local.capacity, 3);
    CU_ASSERT_EQUAL(local.item_bytes, sizeof(int64_t));
    return 0;
}

static void test_static_initialisers_make_open_channels(void)
{
    CU_ASSERT_EQUAL(run_sim(use_static_channels, NULL), 0);
}

/* --- first come, first served --------------------------------------------------------------- */

/* A task that sends or receives one number. */
struct party {
    struct ouro_channel *channel;
    int64_t number;
    int code;
    bool is_over;
    ouro_task_id id;
};

static int send_one(void *arg)
{
    struct party *party = arg;

    party->code = ouro_channel_send(party->channel, &party->number);
    party->is_over = true;
    return 0;
}

static int receive_one(void *arg)
{
    struct party *party = arg;

    party->code = ouro_channel_receive(party->channel, &party->number);
    party->is_over = true;
    return 0;
}

/* Starts a party; it has run as far as it can when this returns. */
static void start(struct party *party, struct ouro_channel *channel, ouro_task_fn *fn,
                  int64_t number)
{
    *party = (struct party) {.channel = channel, .number = number, .code = 1};
    party->id = ouro_spawn(fn, party);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
}

static void end(struct party *party, int expected_code)
{
    CU_ASSERT_EQUAL(ouro_join(party->id, NULL), 0);
    CU_ASSERT_EQUAL(party->code, expected_code);
}

static int queue_receivers(void *arg)
{
    struct party parties[4];
    struct fixture fixture;

    (void) arg;
    for (size_t c = 0; c < COUNT_OF(capacities); c++) {
        init_fixture(&fixture, capacities[c]);
        for (int i = 0; i < 4; i++)
            start(&parties[i], &fixture.channel, receive_one, 0);
        CU_ASSERT_EQUAL(ouro_cancel(parties[1].id), 0);
        for (int64_t n = 1; n <= 3; n++)
            CU_ASSERT_EQUAL(ouro_channel_try_send(&fixture.channel, &n), 0);
        CU_ASSERT_EQUAL(ouro_channel_count(&fixture.channel), 0); /* handed over */
        CU_ASSERT(!parties[0].is_over);
        end(&parties[1], -ECANCELED);
        end(&parties[0], 0);
        end(&parties[2], 0);
        end(&parties[3], 0);
        CU_ASSERT_EQUAL(parties[0].number, 1);
        CU_ASSERT_EQUAL(parties[1].number, 0);
        CU_ASSERT_EQUAL(parties[2].number, 2);
        CU_ASSERT_EQUAL(parties[3].number, 3);
        ouro_channel_done(&fixture.channel);
    }
    return 0;
}

static void test_receivers_are_served_in_the_order_of_their_arrival(void)
{
    run_on_each_ring(queue_receivers, NULL);
}

/* The last to send finds room only when those who wait have got theirs. */
static int queue_senders(void *arg)
{
    struct party parties[4];
    struct fixture fixture;
    int64_t n;

    (void) arg;
    for (size_t capacity = 0; capacity <= 2; capacity++) {
        init_fixture(&fixture, capacity);
        for (n = 1; n <= (int64_t) capacity; n++)
            CU_ASSERT_EQUAL(ouro_channel_try_send(&fixture.channel, &n), 0);
        for (int i = 0; i < 4; i++)
            start(&parties[i], &fixture.channel, send_one, (int64_t) capacity + 1 + i);
        CU_ASSERT_EQUAL(ouro_cancel(parties[2].id), 0);
        CU_ASSERT_EQUAL(ouro_channel_receive(&fixture.channel, &n), 0);
        CU_ASSERT_EQUAL(n, 1);
        CU_ASSERT_EQUAL(ouro_channel_count(&fixture.channel), capacity);
        CU_ASSERT_EQUAL(ouro_channel_try_send(&fixture.channel, &n), -EAGAIN);
        for (int64_t expected = 2; expected <= (int64_t) capacity + 4; expected++) {
            if (expected == (int64_t) capacity + 3)
                continue; /* was cancelled */
            CU_ASSERT_EQUAL(ouro_channel_try_receive(&fixture.channel, &n), 0);
            CU_ASSERT_EQUAL(n, expected);
        }
        CU_ASSERT_EQUAL(ouro_channel_try_receive(&fixture.channel, &n), -EAGAIN);
        for (int i = 0; i < 4; i++)
            end(&parties[i], i == 2 ? -ECANCELED : 0);
        ouro_channel_done(&fixture.channel);
    }
    return 0;
}

static void test_senders_are_served_in_the_order_of_their_arrival(void)
{
    run_on_each_ring(queue_senders, NULL);
}

/* The item is copied when it changes hands; until then the sender's memory is not read. */
static int change_while_sending(void *arg)
{
    struct party sender;
    struct fixture fixture;
    int64_t n;

    (void) arg;
    init_fixture(&fixture, 0);
    start(&sender, &fixture.channel, send_one, 1);
    sender.number = 2;
    CU_ASSERT_EQUAL(ouro_channel_receive(&fixture.channel, &n), 0);
    CU_ASSERT_EQUAL(n, 2);
    end(&sender, 0);
    return 0;
}

static void test_item_is_copied_when_it_changes_hands(void)
{
    CU_ASSERT_EQUAL(run_sim(change_while_sending, NULL), 0);
}

/* --- closing ------------------------------------------------------------------------------- */

static int close_before_receivers(void *arg)
{
    struct party parties[3];
    struct fixture fixture;
    int64_t n = 1;

    (void) arg;
    for (size_t c = 0; c < COUNT_OF(capacities); c++) {
        init_fixture(&fixture, capacities[c]);
        for (int i = 0; i < 3; i++)
            start(&parties[i], &fixture.channel, receive_one, 7);
        ouro_channel_close(&fixture.channel);
        ouro_channel_close(&fixture.channel);
        CU_ASSERT(!parties[0].is_over); /* closing suspends nobody and runs nobody */
        for (int i = 0; i < 3; i++) {
            end(&parties[i], OURO_EEOF);
            CU_ASSERT_EQUAL(parties[i].number, 7);
        }
        CU_ASSERT_EQUAL(ouro_channel_send(&fixture.channel, &n), -EPIPE);
        CU_ASSERT_EQUAL(ouro_channel_try_send(&fixture.channel, &n), -EPIPE);
        CU_ASSERT_EQUAL(ouro_channel_try_receive(&fixture.channel, &n), OURO_EEOF);
        ouro_channel_done(&fixture.channel);
    }
    return 0;
}

static void test_close_ends_waiting_receivers(void)
{
    run_on_each_ring(close_before_receivers, NULL);
}

static int close_before_senders(void *arg)
{
    struct party parties[3];
    struct fixture fixture;
    int64_t n;

    (void) arg;
    for (size_t capacity = 0; capacity <= 2; capacity++) {
        init_fixture(&fixture, capacity);
        for (n = 1; n <= (int64_t) capacity; n++)
            CU_ASSERT_EQUAL(ouro_channel_send(&fixture.channel, &n), 0);
        for (int i = 0; i < 3; i++)
            start(&parties[i], &fixture.channel, send_one, 100 + i);
        ouro_channel_close(&fixture.channel);
        for (int i = 0; i < 3; i++)
            end(&parties[i], -EPIPE);
        CU_ASSERT_EQUAL(ouro_channel_count(&fixture.channel), capacity);
        for (int64_t expected = 1; expected <= (int64_t) capacity; expected++) {
            CU_ASSERT_EQUAL(ouro_channel_receive(&fixture.channel, &n), 0);
            CU_ASSERT_EQUAL(n, expected);
        }
        CU_ASSERT_EQUAL(ouro_channel_receive(&fixture.channel, &n), OURO_EEOF);
        ouro_channel_done(&fixture.channel);
    }
    return 0;
}

static void test_close_fails_waiting_senders_and_keeps_the_buffer(void)
{
    run_on_each_ring(close_before_senders, NULL);
}

/* --- interruptions ------------------------------------------------------------------------- */

/* One transfer or more, with what the next call says. */
struct racer {
    struct ouro_channel *channel;
    int64_t number;
    int code, next_code;
};

static int race_send(void *arg)
{
    struct racer *racer = arg;

    racer->code = ouro_channel_send(racer->channel, &racer->number);
    racer->next_code = ouro_yield();
    return 0;
}

static int race_receive(void *arg)
{
    struct racer *racer = arg;

    racer->code = ouro_channel_receive(racer->channel, &racer->number);
    racer->next_code = ouro_yield();
    return 0;
}

static int race_select_receive(void *arg)
{
    struct racer *racer = arg;
    struct ouro_select_case cases[] = {
        {.channel = NULL, .operation = OURO_SELECT_RECEIVE},
        {.channel = racer->channel, .operation = OURO_SELECT_RECEIVE, .item = &racer->number},
    };

    racer->code = ouro_select(cases, 2, 0);
    if (racer->code == 1)
        racer->code = cases[1].code;
    racer->next_code = ouro_yield();
    return 0;
}

static int race_select_send(void *arg)
{
    struct racer *racer = arg;
    struct ouro_select_case cases[] = {
        {.channel = racer->channel, .operation = OURO_SELECT_SEND, .item = &racer->number},
        {.channel = NULL, .operation = OURO_SELECT_RECEIVE},
    };

    racer->code = ouro_select(cases, 2, 0);
    if (racer->code == 0)
        racer->code = cases[0].code;
    racer->next_code = ouro_yield();
    return 0;
}

enum moment { CANCEL_FIRST, CANCEL_BEFORE, CANCEL_AFTER, CANCEL_LATE };

/* Cancels the task before its call begins, before the hand-over in the same turn, after it in
 * the same turn, or when the call is over. */
static void race(struct racer *racer, ouro_task_fn *fn, enum moment moment, int (*other)(void *),
                 void *arg, int expected_other)
{
    ouro_task_id id = ouro_spawn(fn, racer);

    if (moment == CANCEL_FIRST)
        CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    if (moment == CANCEL_BEFORE)
        CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    CU_ASSERT_EQUAL(other(arg), expected_other);
    if (moment == CANCEL_AFTER)
        CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    if (moment == CANCEL_LATE) {
        CU_ASSERT_EQUAL(ouro_yield(), 0);
        CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    }
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
}

static int try_receive(void *arg)
{
    int64_t n = 0;
    int code = ouro_channel_try_receive(arg, &n);

    return code ? code : (int) n;
}

static int try_send_7(void *arg)
{
    int64_t n = 7;

    return ouro_channel_try_send(arg, &n);
}

/* What was handed over is reported, and the next call fails; else nothing was sent or taken. */
static int race_each_way(void *arg)
{
    ouro_task_fn *const senders[] = {race_send, race_select_send};
    ouro_task_fn *const receivers[] = {race_receive, race_select_receive};
    struct ouro_channel channel;

    (void) arg;
    ouro_channel_init(&channel, NULL, sizeof(int64_t), 0);
    for (enum moment moment = CANCEL_FIRST; moment <= CANCEL_LATE; moment++) {
        bool is_done = moment >= CANCEL_AFTER;

        for (int i = 0; i < 2; i++) {
            struct racer racer = {.channel = &channel, .number = 5, .code = 1};

            race(&racer, senders[i], moment, try_receive, &channel, is_done ? 5 : -EAGAIN);
            CU_ASSERT_EQUAL(racer.code, is_done ? 0 : -ECANCELED);
            CU_ASSERT_EQUAL(racer.next_code, -ECANCELED);
            racer = (struct racer) {.channel = &channel, .number = 5, .code = 1};
            race(&racer, receivers[i], moment, try_send_7, &channel, is_done ? 0 : -EAGAIN);
            CU_ASSERT_EQUAL(racer.code, is_done ? 0 : -ECANCELED);
            CU_ASSERT_EQUAL(racer.number, is_done ? 7 : 5);
            CU_ASSERT_EQUAL(racer.next_code, -ECANCELED);
            CU_ASSERT(!channel.senders && !channel.receivers);
        }
    }
    ouro_channel_done(&channel);
    return 0;
}

static void test_interruption_races_a_hand_over_and_nothing_is_lost(void)
{
    run_on_each_ring(race_each_way, NULL);
}

/* A closing is no transfer: the interruption that came in the same turn outranks it. */
static int race_close(void *arg)
{
    ouro_task_fn *const fns[] = {race_send, race_receive, race_select_send, race_select_receive};

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(fns); i++) {
        struct ouro_channel channel;
        struct racer racer = {.channel = &channel};
        ouro_task_id id;

        ouro_channel_init(&channel, NULL, sizeof(int64_t), 0);
        id = ouro_spawn(fns[i], &racer);
        CU_ASSERT_EQUAL(ouro_yield(), 0);
        ouro_channel_close(&channel);
        CU_ASSERT_EQUAL(ouro_cancel(id), 0);
        CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
        CU_ASSERT_EQUAL(racer.code, -ECANCELED);
    }
    return 0;
}

static void test_interruption_outranks_a_closing(void)
{
    CU_ASSERT_EQUAL(run_sim(race_close, NULL), 0);
}

static int wait_with_limit(void *arg)
{
    struct ouro_channel channel;
    struct ouro_timeout limit;
    int64_t n = 3;

    (void) arg;
    ouro_channel_init(&channel, NULL, sizeof(n), 0);
    for (int i = 0; i < 3; i++) {
        struct ouro_select_case one = {&channel, OURO_SELECT_SEND, 0, &n, NULL, NULL, NULL};

        ouro_timeout_begin(&limit, 5 * MS);
        CU_ASSERT_EQUAL(i == 0   ? ouro_channel_send(&channel, &n)
                        : i == 1 ? ouro_channel_receive(&channel, &n)
                                 : ouro_select(&one, 1, 0),
                        -ETIMEDOUT);
        CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    }
    CU_ASSERT_EQUAL(n, 3);
    ouro_channel_done(&channel);
    return 0;
}

static void test_time_limit_ends_each_wait(void)
{
    run_on_each_ring(wait_with_limit, NULL);
}

/* The buffer has room, or an item: the call could go on, but must not. */
static int call_when_cancelled(void *arg)
{
    struct fixture fixture;
    int64_t n = 9;
    struct ouro_select_case cases[] = {
        {.channel = &fixture.channel, .operation = OURO_SELECT_SEND, .item = &n},
        {.channel = &fixture.channel, .operation = OURO_SELECT_RECEIVE, .item = &n},
    };

    (void) arg;
    init_fixture(&fixture, 2);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&fixture.channel, &n), 0);
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_channel_send(&fixture.channel, &n), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_channel_receive(&fixture.channel, &n), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_select(cases, 2, 0), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_channel_count(&fixture.channel), 1);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&fixture.channel, &n), 0); /* these need no waiting */
    CU_ASSERT_EQUAL(ouro_channel_try_receive(&fixture.channel, &n), 0);
    CU_ASSERT_EQUAL(ouro_select(&cases[1], 1, OURO_SELECT_NONBLOCK), 0);
    CU_ASSERT_EQUAL(ouro_channel_count(&fixture.channel), 0);
    return 0;
}

static void test_interrupted_call_begins_nothing(void)
{
    CU_ASSERT_EQUAL(run_sim(call_when_cancelled, NULL), 0);
}

/* --- the fairness budget ---------------------------------------------------------------------- */

static bool others_ran;

static int note_that_others_ran(void *arg)
{
    (void) arg;
    others_ran = true;
    return 0;
}

static int hog(void *arg)
{
    struct fixture fixture;
    int64_t n = 1;
    struct ouro_select_case one = {
        .channel = &fixture.channel, .operation = OURO_SELECT_RECEIVE, .item = &n};

    (void) arg;
    for (int kind = 0; kind < 4; kind++) {
        ouro_task_id other = ouro_spawn(note_that_others_ran, NULL);
        int count = 0;

        init_fixture(&fixture, 1);
        for (others_ran = false; !others_ran && count < 10000; count++) {
            CU_ASSERT_EQUAL(kind == 0 ? ouro_channel_send(&fixture.channel, &n)
                                      : ouro_channel_try_send(&fixture.channel, &n),
                            0);
            CU_ASSERT_EQUAL(kind == 1   ? ouro_channel_receive(&fixture.channel, &n)
                            : kind == 2 ? ouro_select(&one, 1, 0)
                                        : ouro_channel_try_receive(&fixture.channel, &n),
                            0);
        }
        CU_ASSERT_EQUAL(others_ran, kind != 3); /* who only tries never gives way */
        CU_ASSERT_EQUAL(ouro_join(other, NULL), 0);
    }
    return 0;
}

static void test_task_that_never_waits_gives_way_in_the_end(void)
{
    CU_ASSERT_EQUAL(run_sim(hog, NULL), 0);
}

/* --- select ---------------------------------------------------------------------------------- */

#define SELECT_COUNT 8

/* Eight channels, and a case that receives from each. */
struct board {
    struct ouro_channel channels[SELECT_COUNT];
    int64_t buffers[SELECT_COUNT][4];
    int64_t items[SELECT_COUNT];
    struct ouro_select_case cases[SELECT_COUNT];
};

static void init_board(struct board *board, size_t capacity)
{
    for (int i = 0; i < SELECT_COUNT; i++) {
        ouro_channel_init(&board->channels[i], board->buffers[i], sizeof(int64_t), capacity);
        board->items[i] = -1;
        board->cases[i] = (struct ouro_select_case) {.channel = &board->channels[i],
                                                     .operation = OURO_SELECT_RECEIVE,
                                                     .item = &board->items[i]};
    }
}

/* CHECKs that nobody waits any more. */
static void end_board(struct board *board)
{
    for (int i = 0; i < SELECT_COUNT; i++)
        ouro_channel_done(&board->channels[i]);
}

static int select_what_is_ready(void *arg)
{
    struct board board;
    int64_t n = 40;

    (void) arg;
    init_board(&board, 4);
    CU_ASSERT_EQUAL(ouro_select(board.cases, SELECT_COUNT, OURO_SELECT_NONBLOCK), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_channel_send(&board.channels[5], &n), 0);
    CU_ASSERT_EQUAL(ouro_select(board.cases, SELECT_COUNT, 0), 5);
    CU_ASSERT_EQUAL(board.items[5], 40);
    CU_ASSERT_EQUAL(board.cases[5].code, 0);
    CU_ASSERT_EQUAL(ouro_channel_count(&board.channels[5]), 0);

    board.cases[2].operation = OURO_SELECT_SEND; /* there is room */
    board.items[2] = 41;
    CU_ASSERT_EQUAL(ouro_select(board.cases, SELECT_COUNT, 0), 2);
    CU_ASSERT_EQUAL(ouro_channel_try_receive(&board.channels[2], &n), 0);
    CU_ASSERT_EQUAL(n, 41);

    CU_ASSERT_EQUAL(ouro_select(board.cases, SELECT_COUNT, 2), -EINVAL);
    CU_ASSERT_EQUAL(ouro_select(board.cases, (size_t) INT32_MAX + 1, 0), -EINVAL);
    end_board(&board);
    return 0;
}

static void test_select_does_what_is_ready(void)
{
    run_on_each_ring(select_what_is_ready, NULL);
}

static int refill(struct board *board, unsigned ready)
{
    for (unsigned i = 0; i < SELECT_COUNT; i++) {
        int64_t n = i;

        if (ready & 1u << i && !ouro_channel_count(&board->channels[i]))
            CU_ASSERT_EQUAL(ouro_channel_try_send(&board->channels[i], &n), 0);
    }
    return ouro_select(board->cases, SELECT_COUNT, 0);
}

/* Of any set of ready cases each gets its share. */
static int select_fairly(void *arg)
{
    static const unsigned sets[] = {0xff, 0x03, 0x81, 0x07, 0xf1};

    (void) arg;
    for (size_t s = 0; s < COUNT_OF(sets); s++) {
        int done[SELECT_COUNT] = {0};
        int share = 8000 / __builtin_popcount(sets[s]);
        struct board board;

        init_board(&board, 1);
        for (int i = 0; i < 8000; i++) {
            int index = refill(&board, sets[s]);

            CU_ASSERT(index >= 0 && board.items[index] == index);
            done[index]++;
        }
        for (unsigned i = 0; i < SELECT_COUNT; i++)
            if (sets[s] & 1u << i)
                CU_ASSERT(abs(done[i] - share) <= share / 5);
        end_board(&board);
    }
    return 0;
}

static void test_select_is_fair_to_each_of_several_ready_cases(void)
{
    run_on_each_ring(select_fairly, NULL);
}

/* Tasks that take turns see only every n-th choice, and must find it fair nonetheless. */
static int select_in_turn(void *arg)
{
    (void) arg;
    for (int tasks = 2; tasks <= 55; tasks++) {
        int done[55][2] = {{0}};
        struct board board;

        init_board(&board, 1);
        for (int i = 0; i < 1000 * tasks; i++) {
            int index = refill(&board, 0x18);

            done[i % tasks][index == 3]++;
        }
        for (int i = 0; i < tasks; i++)
            CU_ASSERT(abs(done[i][0] - done[i][1]) <= 200);
        end_board(&board);
    }
    return 0;
}

static void test_select_is_fair_to_callers_that_take_turns(void)
{
    CU_ASSERT_EQUAL(run_sim(select_in_turn, NULL), 0);
}

/* A task that waits in all cases of a board. */
struct selector {
    struct board *board;
    int result;
    int next_code;
};

static int select_once(void *arg)
{
    struct selector *selector = arg;

    selector->result = ouro_select(selector->board->cases, SELECT_COUNT, 0);
    selector->next_code = ouro_yield();
    return 0;
}

/* Two channels get an item in the same turn: one goes to the waiting task, one stays. */
static int select_exclusively(void *arg)
{
    struct board board;
    struct selector selector = {&board, -1, 0};
    int64_t n = 10, m = 11;
    ouro_task_id id;

    (void) arg;
    init_board(&board, 4);
    id = ouro_spawn(select_once, &selector);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&board.channels[6], &n), 0);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&board.channels[6], &m), 0);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&board.channels[1], &m), 0);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(selector.result, 6);
    for (int i = 0; i < SELECT_COUNT; i++) {
        CU_ASSERT_EQUAL(board.items[i], i == 6 ? 10 : -1);
        CU_ASSERT_EQUAL(ouro_channel_count(&board.channels[i]), i == 6 || i == 1 ? 1 : 0);
    }
    end_board(&board);

    init_board(&board, 0); /* the same without buffers: there the second finds nobody */
    id = ouro_spawn(select_once, &selector);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&board.channels[3], &n), 0);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&board.channels[4], &m), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&board.channels[3], &m), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(selector.result, 3);
    end_board(&board);
    return 0;
}

static void test_select_does_exactly_one_case(void)
{
    run_on_each_ring(select_exclusively, NULL);
}

static int select_from_closed(void *arg)
{
    struct board board;
    struct selector selector = {&board, -1, 0};
    int64_t n = 4;
    ouro_task_id id;

    (void) arg;
    init_board(&board, 1);
    id = ouro_spawn(select_once, &selector); /* closed while it waits */
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    ouro_channel_close(&board.channels[7]);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(selector.result, 7);
    CU_ASSERT_EQUAL(board.cases[7].code, OURO_EEOF);
    CU_ASSERT_EQUAL(ouro_select(board.cases, SELECT_COUNT, 0), 7); /* and before */
    CU_ASSERT_EQUAL(board.cases[7].code, OURO_EEOF);
    CU_ASSERT_EQUAL(board.items[7], -1);
    board.cases[7].operation = OURO_SELECT_SEND;
    CU_ASSERT_EQUAL(ouro_select(board.cases, SELECT_COUNT, 0), 7);
    CU_ASSERT_EQUAL(board.cases[7].code, -EPIPE);

    board.cases[7].channel = NULL; /* out of use */
    CU_ASSERT_EQUAL(ouro_channel_send(&board.channels[0], &n), 0);
    board.cases[0].operation = OURO_SELECT_SEND; /* is full */
    id = ouro_spawn(select_once, &selector);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    ouro_channel_close(&board.channels[0]);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(selector.result, 0);
    CU_ASSERT_EQUAL(board.cases[0].code, -EPIPE);
    CU_ASSERT_EQUAL(ouro_channel_count(&board.channels[0]), 1);
    end_board(&board);
    return 0;
}

static void test_cases_of_closed_channels_are_ready(void)
{
    run_on_each_ring(select_from_closed, NULL);
}

static int interrupt_select(void *arg)
{
    struct board board;
    struct selector selector = {&board, 0, 0};
    ouro_task_id id;
    int64_t n = 1;

    (void) arg;
    init_board(&board, 0);
    for (int i = 0; i < SELECT_COUNT; i += 2)
        board.cases[i].operation = OURO_SELECT_SEND;
    id = ouro_spawn(select_once, &selector);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel(id), 0);
    for (int i = 0; i < SELECT_COUNT; i++) { /* at once, before its task runs */
        CU_ASSERT(!board.channels[i].senders && !board.channels[i].receivers);
        CU_ASSERT_EQUAL(ouro_channel_try_receive(&board.channels[i], &n), -EAGAIN);
        CU_ASSERT_EQUAL(ouro_channel_try_send(&board.channels[i], &n), -EAGAIN);
    }
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(selector.result, -ECANCELED);
    CU_ASSERT_EQUAL(selector.next_code, -ECANCELED);
    end_board(&board);
    return 0;
}

static void test_interrupted_select_leaves_all_queues(void)
{
    run_on_each_ring(interrupt_select, NULL);
}

/*
 * One channel without a buffer in all cases, to send and to receive: the task does not deal
 * with itself, but with everybody else.
 */
static int select_same_channel(void *arg)
{
    struct board board;
    struct selector selector = {&board, -1, 0};
    ouro_task_id id;

    (void) arg;
    for (int way = 0; way < 3; way++) {
        int64_t n = 50;

        init_board(&board, 0);
        for (int i = 0; i < SELECT_COUNT; i++) {
            board.cases[i].channel = &board.channels[0];
            if (i >= 4)
                board.cases[i].operation = OURO_SELECT_SEND;
        }
        board.items[4] = 60;
        id = ouro_spawn(select_once, &selector);
        CU_ASSERT_EQUAL(ouro_yield(), 0);
        if (way == 2)
            ouro_channel_close(&board.channels[0]);
        else
            CU_ASSERT_EQUAL(way ? ouro_channel_receive(&board.channels[0], &n)
                                : ouro_channel_send(&board.channels[0], &n),
                            0);
        CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
        CU_ASSERT_EQUAL(selector.result, way == 1 ? 4 : 0);
        CU_ASSERT_EQUAL(board.items[0], way == 0 ? 50 : -1);
        CU_ASSERT_EQUAL(n, way == 1 ? 60 : 50);
        CU_ASSERT_EQUAL(board.cases[selector.result].code, way == 2 ? OURO_EEOF : 0);
        end_board(&board);
    }
    return 0;
}

static void test_channel_may_be_in_several_cases(void)
{
    run_on_each_ring(select_same_channel, NULL);
}

/* Two selects meet in a channel without a buffer. */
static int select_meets_select(void *arg)
{
    struct board here, there;
    struct selector selector = {&there, -1, 0};
    ouro_task_id id;

    (void) arg;
    init_board(&here, 0);
    init_board(&there, 0);
    there.cases[2] = (struct ouro_select_case) {
        .channel = &here.channels[5], .operation = OURO_SELECT_SEND, .item = &there.items[2]};
    there.items[2] = 77;
    id = ouro_spawn(select_once, &selector);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_select(here.cases, SELECT_COUNT, 0), 5);
    CU_ASSERT_EQUAL(here.items[5], 77);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(selector.result, 2);
    end_board(&here);
    end_board(&there);
    return 0;
}

static void test_select_meets_select(void)
{
    run_on_each_ring(select_meets_select, NULL);
}

static int select_nothing(void *arg)
{
    struct ouro_select_case unused = {.channel = NULL};
    struct ouro_timeout limit;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_select(NULL, 0, OURO_SELECT_NONBLOCK), -EAGAIN);
    ouro_timeout_begin(&limit, MS);
    CU_ASSERT_EQUAL(ouro_select(&unused, 1, 0), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_select(NULL, 0, 0), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    return 0;
}

static void test_select_of_nothing_waits_to_be_interrupted(void)
{
    run_on_each_ring(select_nothing, NULL);
}

/* Whoever was served does not touch the channel again: here it is gone before its task runs. */
static int free_after_the_last_use(void *arg)
{
    struct ouro_channel *channel = malloc(sizeof(*channel));
    struct party receiver;
    int64_t n = 8;

    (void) arg;
    ouro_channel_init(channel, NULL, sizeof(n), 0);
    start(&receiver, channel, receive_one, 0);
    CU_ASSERT_EQUAL(ouro_channel_send(channel, &n), 0);
    ouro_channel_done(channel);
    memset(channel, 0xff, sizeof(*channel));
    free(channel);
    end(&receiver, 0);
    CU_ASSERT_EQUAL(receiver.number, 8);
    return 0;
}

static void test_channel_may_go_when_its_last_call_is_served(void)
{
    CU_ASSERT_EQUAL(run_sim(free_after_the_last_use, NULL), 0);
}

/* --- a mixed workload ------------------------------------------------------------------------ */

#define MIX_TASKS    8
#define MIX_CHANNELS 4
#define MIX_CALLS    40
#define MIX_CASES    4
#define MIX_NUMBERS  (MIX_TASKS * MIX_CALLS * MIX_CASES + 1)

/* Each item is a number of its own: who sent it and who received it is written down. */
struct mix {
    uint64_t chance;
    struct fixture fixtures[MIX_CHANNELS];
    int64_t next_number;
    unsigned char sent[MIX_NUMBERS], received[MIX_NUMBERS];
    int unexpected;
    int passed, cancelled, timed_out, closed; /* outcomes */
};

static unsigned below(struct mix *mix, unsigned limit)
{
    mix->chance = mix->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned) ((mix->chance >> 33) % limit);
}

static void note(struct mix *mix, enum ouro_select_operation operation, int64_t number, int code)
{
    if (operation == OURO_SELECT_SEND) {
        mix->sent[number] += code == 0;
    } else {
        mix->unexpected += (code == 0) != (number > 0);
        if (number > 0)
            mix->received[number]++;
    }
    mix->passed += code == 0;
    mix->cancelled += code == -ECANCELED;
    mix->timed_out += code == -ETIMEDOUT;
    mix->closed += code == (operation == OURO_SELECT_SEND ? -EPIPE : OURO_EEOF);
}

/* Each call brings all its cases: those that were not done must have left their items alone. */
static int select_by_chance(struct mix *mix)
{
    struct ouro_select_case cases[MIX_CASES];
    int64_t items[MIX_CASES];
    unsigned count = 1 + below(mix, MIX_CASES);
    int result;

    for (unsigned i = 0; i < count; i++) {
        enum ouro_select_operation operation =
            below(mix, 2) ? OURO_SELECT_SEND : OURO_SELECT_RECEIVE;

        items[i] = operation == OURO_SELECT_SEND ? mix->next_number++ : 0;
        cases[i] = (struct ouro_select_case) {
            .channel =
                i == 0 || below(mix, 10) ? &mix->fixtures[below(mix, MIX_CHANNELS)].channel : NULL,
            .operation = operation,
            .item = &items[i],
        };
    }
    result = ouro_select(cases, count, below(mix, 4) ? 0 : OURO_SELECT_NONBLOCK);
    for (int i = 0; i < (int) count; i++) {
        if (i == result)
            note(mix, cases[i].operation, items[i], cases[i].code);
        else
            note(mix, cases[i].operation, items[i], result < 0 ? result : -EAGAIN);
    }
    return result < 0 ? result : cases[result].code;
}

static int call_by_chance(struct mix *mix)
{
    struct ouro_channel *channel = &mix->fixtures[below(mix, MIX_CHANNELS)].channel;
    enum ouro_select_operation operation = below(mix, 2) ? OURO_SELECT_SEND : OURO_SELECT_RECEIVE;
    int64_t number = operation == OURO_SELECT_SEND ? mix->next_number++ : 0;
    int code;

    switch (below(mix, 6)) {
    case 0:
        return ouro_yield();
    case 1:
        return ouro_sleep(below(mix, 3) * MS);
    case 2:
    case 3:
        return select_by_chance(mix);
    case 4:
        code = operation == OURO_SELECT_SEND ? ouro_channel_try_send(channel, &number)
                                             : ouro_channel_try_receive(channel, &number);
        break;
    default:
        code = operation == OURO_SELECT_SEND ? ouro_channel_send(channel, &number)
                                             : ouro_channel_receive(channel, &number);
    }
    note(mix, operation, number, code);
    return code;
}

static int mix_task(void *arg)
{
    struct mix *mix = arg;
    int code = 0;

    for (int i = 0; i < MIX_CALLS && code != -ECANCELED; i++) {
        struct ouro_timeout limit;

        ouro_timeout_begin(&limit, below(mix, 4) ? below(mix, 3) * MS : OURO_FOREVER);
        code = call_by_chance(mix);
        mix->unexpected += code && code != -EAGAIN && code != -ECANCELED && code != -ETIMEDOUT &&
                           code != -EPIPE && code != OURO_EEOF;
        (void) ouro_timeout_end(&limit);
    }
    return 0;
}

static int run_mix(void *arg)
{
    struct mix *mix = arg;
    ouro_task_id ids[MIX_TASKS];

    for (unsigned i = 0; i < MIX_CHANNELS; i++)
        init_fixture(&mix->fixtures[i], below(mix, 2) ? i : 0);
    for (int i = 0; i < MIX_TASKS; i++)
        ids[i] = ouro_spawn(mix_task, mix);
    for (unsigned i = below(mix, 30); i > 0; i--) {
        mix->unexpected += below(mix, 3) ? ouro_yield() : ouro_sleep(below(mix, 3) * MS);
        if (below(mix, 8) == 0)
            (void) ouro_cancel(ids[below(mix, MIX_TASKS)]);
    }
    for (unsigned i = 0; i < MIX_CHANNELS; i++)
        ouro_channel_close(&mix->fixtures[i].channel);
    for (int i = 0; i < MIX_TASKS; i++)
        mix->unexpected += ouro_join(ids[i], NULL) != 0;
    for (unsigned i = 0; i < MIX_CHANNELS; i++) {
        struct ouro_channel *channel = &mix->fixtures[i].channel;
        int64_t number = 0;

        while (!ouro_channel_try_receive(channel, &number))
            mix->received[number]++;
        ouro_channel_done(channel);
    }
    mix->unexpected += ouro__dispatcher->task_count != 1;
    return 0;
}

/* Senders, receivers and selects, time limits, cancels, a close: each item that was sent is
 * received once or left in a buffer, and no other is. */
static void test_three_hundred_seeds_of_a_mixed_workload(void)
{
    int passed = 0, cancelled = 0, timed_out = 0, closed = 0;

    for (unsigned seed = 1; seed <= 300; seed++) {
        struct mix *mix = calloc(1, sizeof(*mix));
        char ring[32];
        int code;

        CU_ASSERT_PTR_NOT_NULL_FATAL(mix);
        mix->chance = seed;
        mix->next_number = 1;
        (void) snprintf(ring, sizeof(ring), "sim:seed=%u", seed);
        code = run_with(ring, 0, run_mix, mix);
        for (int64_t n = 1; n < mix->next_number; n++)
            mix->unexpected += mix->sent[n] != mix->received[n];
        if (code || mix->unexpected)
            printf("    seed %u: code %d, %d unexpected\n", seed, code, mix->unexpected);
        CU_ASSERT_EQUAL(code, 0);
        CU_ASSERT_EQUAL(mix->unexpected, 0);
        passed += mix->passed;
        cancelled += mix->cancelled;
        timed_out += mix->timed_out;
        closed += mix->closed;
        free(mix);
    }
    CU_ASSERT(passed > 10000);
    CU_ASSERT(cancelled > 100);
    CU_ASSERT(timed_out > 1000);
    CU_ASSERT(closed > 100);
}

/* --- bugs of the caller ----------------------------------------------------------------------- */

static int forget_the_buffer(void *arg)
{
    struct ouro_channel channel;

    (void) arg;
    ouro_channel_init(&channel, NULL, 8, 1);
    return 0;
}

static int end_with_a_waiter(void *arg)
{
    struct fixture fixture;
    struct party receiver;

    (void) arg;
    init_fixture(&fixture, 0);
    start(&receiver, &fixture.channel, receive_one, 0);
    ouro_channel_done(&fixture.channel);
    return 0;
}

static int end_with_a_sender(void *arg)
{
    struct fixture fixture;
    struct party sender;

    (void) arg;
    init_fixture(&fixture, 0);
    start(&sender, &fixture.channel, send_one, 0);
    ouro_channel_done(&fixture.channel);
    return 0;
}

static int forget_the_operation(void *arg)
{
    struct fixture fixture;
    struct ouro_select_case one = {.channel = &fixture.channel};

    (void) arg;
    init_fixture(&fixture, 0);
    return ouro_select(&one, 1, 0);
}

static int wait_inside_a_callback(void *arg)
{
    struct fixture fixture;
    int64_t n;

    (void) arg;
    init_fixture(&fixture, 0);
    ouro_no_suspend_begin();
    return ouro_channel_receive(&fixture.channel, &n);
}

static void *send_from_a_thread(void *channel)
{
    int64_t n = 1;

    (void) ouro_channel_try_send(channel, &n);
    return NULL;
}

static int receive_from_a_thread(void *arg)
{
    struct fixture fixture;
    struct party receiver;
    pthread_t thread;

    (void) arg;
    init_fixture(&fixture, 0);
    start(&receiver, &fixture.channel, receive_one, 0);
    (void) pthread_create(&thread, NULL, send_from_a_thread, &fixture.channel);
    (void) pthread_join(thread, NULL);
    return 0;
}

static int send_outside_a_task(void *arg)
{
    struct ouro_channel *channel = arg;

    return ouro_channel_send(channel, NULL);
}

static void test_misuse_is_checked(void)
{
    static struct ouro_channel channel = OURO_CHANNEL_INIT_RENDEZVOUS(0);
    struct child child = run_in_child(send_outside_a_task, &channel);

    CU_ASSERT(was_killed_by(&child, SIGABRT) && said(&child, "ouro_channel_send() needs a task"));
    CU_ASSERT(is_checked(forget_the_buffer, "needs a buffer"));
    CU_ASSERT(is_checked(end_with_a_waiter, "ouro_channel_done() of a channel that a task"));
    CU_ASSERT(is_checked(end_with_a_sender, "ouro_channel_done() of a channel that a task"));
    CU_ASSERT(is_checked(forget_the_operation, "has no operation"));
    CU_ASSERT(is_checked(wait_inside_a_callback, "suspends"));
    CU_ASSERT(is_checked(receive_from_a_thread, "a channel is used by two threads"));
}

static int wait_for_nobody(void *arg)
{
    struct fixture fixture;
    int64_t n;

    (void) arg;
    init_fixture(&fixture, 0);
    return ouro_channel_receive(&fixture.channel, &n);
}

static int report_deadlock(void *arg)
{
    (void) arg;
    return run_with("sim:seed=1", 0, wait_for_nobody, NULL) == OURO_EDEADLOCK ? 0 : 1;
}

static void test_deadlock_names_the_channel(void)
{
    struct child child = run_in_child(report_deadlock, NULL);

    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT(said(&child, "channel receive"));
}

const struct test channel_tests[] = {
    TEST(test_items_arrive_once_and_in_order),
    TEST(test_items_have_any_size_and_alignment),
    TEST(test_items_may_be_empty),
    TEST(test_static_initialisers_make_open_channels),
    TEST(test_receivers_are_served_in_the_order_of_their_arrival),
    TEST(test_senders_are_served_in_the_order_of_their_arrival),
    TEST(test_item_is_copied_when_it_changes_hands),
    TEST(test_close_ends_waiting_receivers),
    TEST(test_close_fails_waiting_senders_and_keeps_the_buffer),
    TEST(test_interruption_races_a_hand_over_and_nothing_is_lost),
    TEST(test_interruption_outranks_a_closing),
    TEST(test_time_limit_ends_each_wait),
    TEST(test_interrupted_call_begins_nothing),
    TEST(test_task_that_never_waits_gives_way_in_the_end),
    TEST(test_select_does_what_is_ready),
    TEST(test_select_is_fair_to_each_of_several_ready_cases),
    TEST(test_select_is_fair_to_callers_that_take_turns),
    TEST(test_select_does_exactly_one_case),
    TEST(test_cases_of_closed_channels_are_ready),
    TEST(test_interrupted_select_leaves_all_queues),
    TEST(test_channel_may_be_in_several_cases),
    TEST(test_select_meets_select),
    TEST(test_select_of_nothing_waits_to_be_interrupted),
    TEST(test_channel_may_go_when_its_last_call_is_served),
    TEST(test_three_hundred_seeds_of_a_mixed_workload),
    TEST(test_misuse_is_checked),
    TEST(test_deadlock_names_the_channel),
    TEST_END,
};
