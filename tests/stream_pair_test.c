/* SPDX-License-Identifier: MIT */
/*
 * stream_pair_test.c - tests of proto/stream_pair.c
 *
 * What waits for what is the same on every ring, as no ring is involved; each test runs on both
 * all the same. That reads and writes lose nothing when they are interrupted, wherever that is,
 * is shown in cancel_test.c, whose table has rows for a pair.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"
#include "ouro_stream.h"
#include "ouro_tls.h"
#include "self_signed.h"

#define PIPE OURO_STREAM_PAIR_BYTES

static void send_text(struct ouro_stream *stream, const char *text)
{
    CU_ASSERT_EQUAL(ouro_stream_write_all(stream, text, strlen(text)), 0);
}

static void expect_text(struct ouro_stream *stream, const char *text)
{
    char buf[64] = "";

    CU_ASSERT_EQUAL(ouro_stream_read_exact(stream, buf, strlen(text), NULL), 0);
    CU_ASSERT_STRING_EQUAL(buf, text);
}

static void end_pair(struct ouro_stream *ends[2])
{
    CU_ASSERT_EQUAL(ouro_stream_close(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[1]), 0);
}

/* A test makes its pair by this; `ends` is its argument. */
struct stage {
    struct ouro_stream *ends[2];
    void (*play)(struct ouro_stream *ends[2]);
};

static int play_on_stage(void *arg)
{
    struct stage *stage = arg;
    int code = ouro_stream_pair(stage->ends);

    if (!code)
        stage->play(stage->ends);
    return code;
}

static void on_each_ring(void (*play)(struct ouro_stream *ends[2]))
{
    struct stage stage = {.play = play};

    run_on_each_ring(play_on_stage, &stage);
}

/* --- the public calls ---------------------------------------------------------------------- */

static void read_in_all_ways(struct ouro_stream *ends[2])
{
    struct ouro_lease lease;
    const char *data;
    char buf[8];

    CU_ASSERT_EQUAL(ouro_stream_peek(ends[1], 0, &data), 0);
    send_text(ends[0], "one\ntwo\nthree");
    expect_text(ends[1], "o");
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], "O", 1), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends[1], "\n", 1, 100, &data), 4);
    CU_ASSERT_EQUAL(memcmp(data, "One\n", 4), 0);
    CU_ASSERT_EQUAL(ouro_stream_peek(ends[1], 9, &data), 9);
    CU_ASSERT_EQUAL(memcmp(data, "two\nthree", 9), 0);
    ouro_stream_consume(ends[1], 4);
    CU_ASSERT_EQUAL(ouro_stream_read_lease(ends[1], &lease), 5);
    CU_ASSERT_EQUAL(memcmp(lease.data, "three", 5), 0);
    ouro_lease_release(&lease);
    send_text(ends[0], "four");
    CU_ASSERT_EQUAL(ouro_stream_read_lease(ends[1], &lease), 4);
    CU_ASSERT_EQUAL(memcmp(lease.data, "four", 4), 0);
    ouro_lease_release(&lease);
    CU_ASSERT_EQUAL(ouro_stream_detach(ends[1]), 0);
    CU_ASSERT_EQUAL(ouro_stream_write(ends[1], "back", 4), 0); /* the other direction */
    CU_ASSERT_EQUAL(ouro_stream_flush(ends[1]), 0);
    CU_ASSERT_EQUAL(ouro_stream_writev_all(
                        ends[1], (struct iovec[]) {{(char[]) {"wa"}, 2}, {(char[]) {"rd"}, 2}}, 2),
                    0);
    expect_text(ends[0], "backward");
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], buf, sizeof(buf)), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_lease(ends[1], &lease), 0);
    end_pair(ends);
}

static void test_every_public_call_works_on_a_pair(void)
{
    on_each_ring(read_in_all_ways);
}

static void limit_calls(struct ouro_stream *ends[2])
{
    static const struct ouro_stream_limits limits = {.read_timeout_ns = OURO_MILLISECOND,
                                                     .write_timeout_ns = OURO_MILLISECOND,
                                                     .read_bytes_max = 5};
    static char much[PIPE + 1];
    char buf[8];

    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[0], &limits), 0);
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[1], &limits), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], buf, 1), -ETIMEDOUT);
    send_text(ends[0], "abcdefgh");
    expect_text(ends[1], "abcde");
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], buf, 1), OURO_ELIMIT);
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends[0], much, sizeof(much)), -ETIMEDOUT);
    end_pair(ends);
}

static void test_limits_hold_on_a_pair(void)
{
    on_each_ring(limit_calls);
}

static void ask_what_there_is_not(struct ouro_stream *ends[2])
{
    struct ouro_address address, set;

    CU_ASSERT_EQUAL(ouro_stream_fd(ends[0]), -ENOTSUP);
    CU_ASSERT_EQUAL(ouro_stream_peer(ends[0], &address), -ENOTSUP);
    CU_ASSERT_EQUAL(ouro_address_parse("192.0.2.1:7", -1, &set), 0);
    CU_ASSERT_EQUAL(ouro_stream_set_peer(ends[0], &set), 0);
    CU_ASSERT_EQUAL(ouro_stream_peer(ends[0], &address), 0);
    CU_ASSERT_EQUAL(ouro_address_port(&address), 7);
    CU_ASSERT_EQUAL(ouro_stream_peer(ends[1], &address), -ENOTSUP);
    end_pair(ends);
}

static void test_pair_has_no_fd_and_no_peer_of_its_own(void)
{
    on_each_ring(ask_what_there_is_not);
}

static void talk_without_the_ring(struct ouro_stream *ends[2])
{
    struct ouro_counters before, after;

    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    send_text(ends[0], "hello");
    expect_text(ends[1], "hello");
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(after.sqes, before.sqes);
    CU_ASSERT_EQUAL(after.system_calls, before.system_calls);
    end_pair(ends);
}

static void test_pair_makes_no_system_call(void)
{
    on_each_ring(talk_without_the_ring);
}

/* --- volume -------------------------------------------------------------------------------- */

#define VOLUME (5 * PIPE + 77)

static unsigned char pattern(size_t i)
{
    return (unsigned char) (i * 7 + i / 251);
}

struct flow {
    struct ouro_stream *from, *to;
    size_t written; /* by calls that have returned */
    size_t read;
};

/* Pieces of all sizes around that of a pipe. */
static int write_volume(void *arg)
{
    struct flow *flow = arg;
    unsigned char *data = malloc(VOLUME);
    int code = data ? 0 : -ENOMEM;

    for (size_t i = 0; data && i < VOLUME; i++)
        data[i] = pattern(i);
    for (size_t len = 1; !code && flow->written < VOLUME; len = len * 5 % 100003) {
        if (len > VOLUME - flow->written)
            len = VOLUME - flow->written;
        code = ouro_stream_write_all(flow->from, data + flow->written, len);
        flow->written += len;
        CU_ASSERT(flow->written - flow->read <= PIPE + 8192); /* never far ahead */
    }
    if (!code)
        code = ouro_stream_shutdown_write(flow->from);
    free(data);
    return code;
}

static int read_volume(void *arg)
{
    struct flow *flow = arg;
    unsigned char buf[10000];
    size_t wrong = 0;
    ssize_t len;

    for (unsigned i = 0; (len = ouro_stream_read(flow->to, buf, i % 3 ? sizeof(buf) : 100)) > 0;
         i++)
        for (ssize_t at = 0; at < len; at++)
            wrong += buf[at] != pattern(flow->read++);
    CU_ASSERT_EQUAL(flow->read, VOLUME);
    CU_ASSERT_EQUAL(wrong, 0);
    return (int) len;
}

/* Both directions at once: four tasks. */
static void move_volume(struct ouro_stream *ends[2])
{
    struct flow flows[2] = {{.from = ends[0], .to = ends[1]}, {.from = ends[1], .to = ends[0]}};
    struct ouro_group group;

    ouro_group_init(&group);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, write_volume, &flows[i]), 0);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, read_volume, &flows[i]), 0);
    }
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    end_pair(ends);
}

static void test_every_byte_arrives_once_and_in_order(void)
{
    on_each_ring(move_volume);
}

static void overfill(struct ouro_stream *ends[2])
{
    static char much[2 * PIPE];
    struct ouro_counters before, after;
    struct ouro_timeout limit;
    size_t got = 0;
    ssize_t len;

    memset(much, 'x', sizeof(much));
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends[0], much, PIPE), 0); /* it just holds that */
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    ouro_timeout_begin(&limit, OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends[0], much, 1), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT(after.wakeups - before.wakeups <= 2); /* it slept meanwhile */
    (void) ouro_stream_close(ends[0]);
    while ((len = ouro_stream_read(ends[1], much, sizeof(much))) > 0)
        got += (size_t) len;
    CU_ASSERT_EQUAL(len, 0);
    CU_ASSERT_EQUAL(got, PIPE);
    (void) ouro_stream_close(ends[1]);
}

static void test_writer_waits_when_the_pipe_is_full(void)
{
    on_each_ring(overfill);
}

/* --- ends that go -------------------------------------------------------------------------- */

static void leave_bytes_behind(struct ouro_stream *ends[2])
{
    char buf[8];

    send_text(ends[0], "left");
    CU_ASSERT_EQUAL(ouro_stream_close(ends[0]), 0);
    expect_text(ends[1], "left");
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], buf, sizeof(buf)), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], buf, sizeof(buf)), 0);
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends[1], "x", 1), -EPIPE);
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends[1]), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[1]), 0);
}

static void test_bytes_of_a_closed_end_are_read_before_the_end(void)
{
    on_each_ring(leave_bytes_behind);
}

static void half_close(struct ouro_stream *ends[2])
{
    char byte;

    send_text(ends[0], "last");
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends[0], "x", 1), -EPIPE);
    expect_text(ends[1], "last");
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], &byte, 1), 0);
    send_text(ends[1], "still"); /* the other direction goes on */
    expect_text(ends[0], "still");
    end_pair(ends);
}

static void test_half_closed_pair_goes_on_the_other_way(void)
{
    on_each_ring(half_close);
}

static void drop_what_was_not_flushed(struct ouro_stream *ends[2])
{
    char byte;

    CU_ASSERT_EQUAL(ouro_stream_write(ends[0], "x", 1), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], &byte, 1), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[1]), 0);
}

static void test_close_drops_what_was_not_flushed(void)
{
    on_each_ring(drop_what_was_not_flushed);
}

struct waiter {
    struct ouro_stream *stream;
    ssize_t result;
    bool has_ended;
};

static int wait_for_byte(void *arg)
{
    struct waiter *waiter = arg;
    char byte;

    waiter->result = ouro_stream_read(waiter->stream, &byte, 1);
    waiter->has_ended = true;
    return 0;
}

static int wait_for_room(void *arg)
{
    static const char much[PIPE + 1];
    struct waiter *waiter = arg;

    waiter->result = ouro_stream_write_all(waiter->stream, much, sizeof(much));
    waiter->has_ended = true;
    return 0;
}

/*
 * ends[1]'s reader   ends[1]'s writer   ends[0]
 * waits for a byte   waits for room     .
 * .                  .                  closes
 * 0: the end         -EPIPE             .
 */
static void close_on_waiters(struct ouro_stream *ends[2])
{
    struct waiter reader = {.stream = ends[1]}, writer = {.stream = ends[1]};
    ouro_task_id ids[2] = {ouro_spawn(wait_for_byte, &reader), ouro_spawn(wait_for_room, &writer)};

    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    CU_ASSERT_FALSE(reader.has_ended);
    CU_ASSERT_FALSE(writer.has_ended);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[0]), 0);
    for (int i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(ouro_join(ids[i], NULL), 0);
    CU_ASSERT_EQUAL(reader.result, 0);
    CU_ASSERT_EQUAL(writer.result, -EPIPE);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[1]), 0);
}

static void test_close_wakes_whoever_waits_at_the_other_end(void)
{
    on_each_ring(close_on_waiters);
}

static void shut_on_waiter(struct ouro_stream *ends[2])
{
    struct waiter reader = {.stream = ends[1], .result = -1};
    ouro_task_id id = ouro_spawn(wait_for_byte, &reader);

    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(reader.result, 0);
    end_pair(ends);
}

static void test_half_close_wakes_the_reader(void)
{
    on_each_ring(shut_on_waiter);
}

static void work_while_cancelled(struct ouro_stream *ends[2])
{
    char byte;

    send_text(ends[0], "x");
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends[0], "y", 1), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends[0]), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], &byte, 1), -ECANCELED);
    end_pair(ends);
}

static void test_cancelled_task_moves_nothing_but_closes(void)
{
    on_each_ring(work_while_cancelled);
}

static int wait_for_nobody(void *arg)
{
    struct ouro_stream *ends[2];
    ssize_t result;
    char byte;

    (void) arg;
    if (ouro_stream_pair(ends))
        return 1;
    result = ouro_stream_read(ends[0], &byte, 1);
    end_pair(ends);
    return result == -ECANCELED ? 0 : 1;
}

static int run_deadlock(void *arg)
{
    (void) arg;
    return run_with("sim:seed=1", 0, wait_for_nobody, NULL) == OURO_EDEADLOCK ? 42 : 1;
}

/* Both ends are in the loop, which so sees that nobody can write. */
static void test_reader_whom_nobody_can_write_to_is_a_deadlock(void)
{
    struct child child = run_in_child(run_deadlock, NULL);

    CU_ASSERT(exited_with(&child, 42));
}

/* --- TLS ----------------------------------------------------------------------------------- */

static struct {
    struct ouro_tls_context *context;
    struct ouro_stream *below, *stream;
} secret;

static int accept_and_echo(void *arg)
{
    char buf[1000];
    ssize_t len;
    int code = ouro_tls_accept_take(secret.context, secret.below, &secret.stream, NULL);

    (void) arg;
    if (code)
        return code;
    while ((len = ouro_stream_read(secret.stream, buf, sizeof(buf))) > 0 && !code)
        code = ouro_stream_write_all(secret.stream, buf, (size_t) len);
    CU_ASSERT_EQUAL(len, 0);
    if (!code)
        code = ouro_stream_shutdown_write(secret.stream);
    (void) ouro_stream_close(secret.stream);
    return code;
}

static int write_all_zeros(void *arg)
{
    static const char zeros[3 * PIPE];
    int code = ouro_stream_write_all(arg, zeros, sizeof(zeros));

    return code ? code : ouro_stream_shutdown_write(arg);
}

static void talk_in_secret(struct ouro_stream *ends[2])
{
    struct ouro_group group;
    struct ouro_stream *client;
    char buf[1000];
    size_t got = 0;
    ssize_t len;

    secret.below = ends[1];
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, accept_and_echo, NULL), 0);
    if (ouro_tls_connect_take(secret.context, ends[0], NULL, &client, NULL))
        abort();
    send_text(client, "hello");
    expect_text(client, "hello");
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, write_all_zeros, client), 0);
    while ((len = ouro_stream_read(client, buf, sizeof(buf))) > 0)
        got += (size_t) len;
    CU_ASSERT_EQUAL(len, 0);
    CU_ASSERT_EQUAL(got, 3 * PIPE);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(client), 0);
}

static void test_tls_works_over_a_pair(void)
{
    static struct self_signed identity;

    self_signed_make(&identity);
    CU_ASSERT_EQUAL(self_signed_context(&identity, &secret.context), 0);
    on_each_ring(talk_in_secret);
    ouro_tls_context_destroy(secret.context);
}

const struct test stream_pair_tests[] = {
    TEST(test_every_public_call_works_on_a_pair),
    TEST(test_limits_hold_on_a_pair),
    TEST(test_pair_has_no_fd_and_no_peer_of_its_own),
    TEST(test_pair_makes_no_system_call),
    TEST(test_every_byte_arrives_once_and_in_order),
    TEST(test_writer_waits_when_the_pipe_is_full),
    TEST(test_bytes_of_a_closed_end_are_read_before_the_end),
    TEST(test_half_closed_pair_goes_on_the_other_way),
    TEST(test_close_drops_what_was_not_flushed),
    TEST(test_close_wakes_whoever_waits_at_the_other_end),
    TEST(test_half_close_wakes_the_reader),
    TEST(test_cancelled_task_moves_nothing_but_closes),
    TEST(test_reader_whom_nobody_can_write_to_is_a_deadlock),
    TEST(test_tls_works_over_a_pair),
    TEST_END,
};
