/* SPDX-License-Identifier: MIT */
/*
 * http_lobby_test.c - tests of proto/http_lobby.c: connections that no task sees to
 *
 * What clients see of it is in http_server_test.c. Here: that waiting connections have no task and
 * hold no buffer, and that whatever they wait for ends in time.
 */
#include <errno.h>

#include "http_harness.h"

#define PAGES      40
#define PAGE_BYTES 12000 /* small enough to be copied, and so to be sent without a task */

static int quick(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_replyf(exchange, 200, "text/plain", "quick");
}

static int slow(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_sleep(OURO_SECOND);

    (void) arg;
    return code ? code : ouro_http_replyf(exchange, 200, "text/plain", "slow");
}

static int page(struct ouro_http_exchange *exchange, void *arg)
{
    static char text[PAGE_BYTES];

    (void) arg;
    memset(text, 'p', sizeof(text));
    return ouro_http_reply(exchange, 200, "text/plain", text, sizeof(text));
}

static int create_app(struct ouro_http_app **ret_app)
{
    int code = ouro_http_app_create(ret_app);

    if (!code)
        code = ouro_http_route(*ret_app, "GET", "/quick", quick, NULL);
    if (!code)
        code = ouro_http_route(*ret_app, "GET", "/slow", slow, NULL);
    return code ? code : ouro_http_route(*ret_app, "GET", "/page", page, NULL);
}

static void reset(void)
{
}

static uint64_t live_tasks(void)
{
    struct ouro_counters counters;

    CU_ASSERT_EQUAL(ouro_stats(&counters), 0);
    return counters.tasks_live;
}

/* Until nobody else has anything to do. */
static void settle(void)
{
    CU_ASSERT_EQUAL(ouro_sleep(server.is_simulated ? OURO_MILLISECOND : 50 * OURO_MILLISECOND), 0);
}

#define CROWD 40

static struct ouro_stream *crowd[CROWD];

static void dial_crowd(void)
{
    for (int i = 0; i < CROWD; i++)
        crowd[i] = dial();
}

static void leave_crowd(void)
{
    for (int i = 0; i < CROWD; i++)
        (void) ouro_stream_close(crowd[i]);
}

/* --- without a task ------------------------------------------------------------------------ */

static void count_tasks(void)
{
    uint64_t before;

    settle();
    before = live_tasks();
    dial_crowd();
    for (int round = 0; round < 3; round++) {
        settle();
        CU_ASSERT_EQUAL(live_tasks(), before);
        for (int i = 0; i < CROWD; i++) {
            say(crowd[i], "GET /quick HTTP/1.1\r\n" GO_ON);
            CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(crowd[i]), "quick"));
        }
    }
    for (int i = 0; i < CROWD; i++)
        say(crowd[i], "GET /slow HTTP/1.1\r\n" GO_ON);
    settle();
    CU_ASSERT_EQUAL(live_tasks(), before + CROWD);
    for (int i = 0; i < CROWD; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(crowd[i]), "slow"));
    settle();
    CU_ASSERT_EQUAL(live_tasks(), before);
    leave_crowd();
    settle();
    CU_ASSERT_EQUAL(live_tasks(), before);
}

static void test_idle_connections_have_no_task(void)
{
    on_all_rings(count_tasks);
}

/* --- without a buffer ------------------------------------------------------------------------ */

/* Ten times as many as there are buffers: each has asked for more behind what takes so long. */
static void leave_bytes_unread(void)
{
    struct ouro_stream *stream;

    dial_crowd();
    for (int i = 0; i < CROWD; i++)
        say(crowd[i], "GET /slow HTTP/1.1\r\n" GO_ON "GET /quick HTTP/1.1\r\n" GO_ON);
    settle();
    stream = dial();
    for (int i = 0; i < 3; i++) {
        int64_t start = ouro_now();

        say(stream, "GET /quick HTTP/1.1\r\n" GO_ON);
        CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(stream), "quick"));
        CU_ASSERT(!server.is_simulated || ouro_now() - start < 100 * OURO_MILLISECOND);
    }
    (void) ouro_stream_close(stream);
    for (int i = 0; i < CROWD; i++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(crowd[i]), "slow"));
        CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(crowd[i]), "quick"));
    }
    leave_crowd();
}

static void test_handlers_that_wait_hold_no_buffers(void)
{
    const char *rings[] = {test_kernel_ring(), test_sim_ring(), "sim:seed=1,short=50"};

    server.script = leave_bytes_unread;
    for (size_t i = 0; i < 3; i++) {
        struct ouro_run_options options = {
            .ring = rings[i], .buffer_count = 4, .buffer_bytes = 4096};

        server.is_simulated = strncmp(rings[i], "sim", 3) == 0;
        CU_ASSERT_EQUAL(ouro_run(harness_main, NULL, &options), 0);
    }
}

/* --- time limits ----------------------------------------------------------------------------- */

/* Asks for page after page and reads none, until no more fit into the sockets. */
static struct ouro_stream *fill_up(void)
{
    struct ouro_stream *stream = dial();
    int small = 4096;

    (void) ouro_setsockopt(ouro_stream_fd(stream), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    for (int i = 0; i < PAGES; i++) {
        say(stream, "GET /page HTTP/1.1\r\n" GO_ON);
        CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    }
    return stream;
}

static void give_sender_up(void)
{
    struct ouro_stream *stream = fill_up();
    uint64_t tasks = live_tasks();
    int code;

    CU_ASSERT(tasks <= 6); /* main, the server, its flusher, lobby and time limits: none for it */
    CU_ASSERT_EQUAL(ouro_sleep(2 * OURO_SECOND), 0);
    CU_ASSERT(strlen(read_to_end(stream, &code)) < (size_t) PAGES * PAGE_BYTES);
    CU_ASSERT(ouro_now() < 3 * OURO_SECOND); /* it had ended long before */
    (void) ouro_stream_close(stream);
    CU_ASSERT(starts_with(ask("GET /quick HTTP/1.1\r\n" CLOSE), "HTTP/1.1 200 "));
}

static void test_answer_that_is_not_read_is_given_up_in_time(void)
{
    struct ouro_http_report report = {.aborted = 0};

    server.options.send_timeout_ns = OURO_SECOND;
    server.options.report = &report;
    run_on(test_sim_ring(), give_sender_up);
    CU_ASSERT_EQUAL(report.aborted, 1);
    memset(&server.options, 0, sizeof(server.options));
}

/* Reads nothing for as long as there is a server. */
static int keep_from_reading(void *arg)
{
    CU_ASSERT_EQUAL(ouro_sleep(3600 * OURO_SECOND),
                    -ECANCELED);             /* as the main task has ended ... */
    CU_ASSERT(ouro_now() < 3 * OURO_SECOND); /* ... when the second to drain was over */
    return ouro_stream_close(arg);
}

static void end_while_sending(void)
{
    CU_ASSERT(ouro_spawn(keep_from_reading, fill_up()) > 0);
}

static void test_drain_does_not_wait_for_who_does_not_read(void)
{
    server.options.drain_timeout_ns = OURO_SECOND;
    server.options.send_timeout_ns = 3600 * OURO_SECOND;
    run_on(test_sim_ring(), end_while_sending); /* would take an hour, or hang */
    memset(&server.options, 0, sizeof(server.options));
}

static void drain_idle(void)
{
    dial_crowd();
    for (int i = 0; i < CROWD; i++) {
        say(crowd[i], "GET /quick HTTP/1.1\r\n" GO_ON);
        CU_ASSERT_PTR_NOT_NULL(strstr(read_answer(crowd[i]), "quick"));
    }
    CU_ASSERT_EQUAL(ouro_cancel(server.task), 0);
    for (int i = 0; i < CROWD; i++) {
        int code;

        CU_ASSERT_STRING_EQUAL(read_to_end(crowd[i], &code), "");
        CU_ASSERT_EQUAL(code, 0);
    }
    leave_crowd();
}

static void test_drain_ends_what_waits(void)
{
    on_all_rings(drain_idle);
}

const struct test http_lobby_tests[] = {
    TEST(test_idle_connections_have_no_task),
    TEST(test_handlers_that_wait_hold_no_buffers),
    TEST(test_answer_that_is_not_read_is_given_up_in_time),
    TEST(test_drain_does_not_wait_for_who_does_not_read),
    TEST(test_drain_ends_what_waits),
    TEST_END,
};
