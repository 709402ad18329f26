/* SPDX-License-Identifier: MIT */
/*
 * dial_test.c - tests of proto/dial.c; dialing by name is in stream_test.c
 *
 * On the simulated ring, where time is exact: the clock begins at 0 and moves only when
 * nothing else can happen. A silent host is a listener whose backlog is full.
 */
#include <errno.h>
#include <stdlib.h>

#include "dial.h"
#include "loop.h"

#define DELAY (250 * OURO_MILLISECOND)

/* --- hosts --------------------------------------------------------------------------------- */

enum kind { ACCEPTS, REFUSES, IS_SILENT };

struct host {
    int listener;
    int waiting[2]; /* connections that fill its backlog */
    int64_t waiting_for;
};

static void open_host(const char *text, enum kind kind, struct host *ret_host,
                      struct ouro_address *ret_address)
{
    int fd;

    *ret_host = (struct host) {.listener = -1, .waiting = {-1, -1}};
    CU_ASSERT_EQUAL(ouro_address_parse(text, -1, ret_address), 0);
    fd = ouro_listen(ret_address, kind == IS_SILENT ? 1 : 0);
    CU_ASSERT(fd >= 0);
    CU_ASSERT_EQUAL(ouro_getsockname(fd, ret_address), 0);
    if (kind == REFUSES) {
        CU_ASSERT_EQUAL(ouro_close(fd), 0);
        return;
    }
    ret_host->listener = fd;
    for (int i = 0; kind == IS_SILENT && i < 2; i++)
        ret_host->waiting[i] = connect_to(ret_address);
}

static void close_host(const struct host *host)
{
    if (host->listener < 0)
        return;
    CU_ASSERT_EQUAL(ouro_close(host->listener), 0);
    for (int i = 0; i < 2; i++)
        if (host->waiting[i] >= 0)
            CU_ASSERT_EQUAL(ouro_close(host->waiting[i]), 0);
}

/* A silent host begins to speak: its backlog has room, now or later. */
static int wake_up(void *arg)
{
    struct host *host = arg;

    CU_ASSERT_EQUAL(ouro_sleep(host->waiting_for), 0);
    return ouro_close(ouro_accept(host->listener, NULL));
}

static int next_fd(void)
{
    int fd = ouro_socket(AF_INET, SOCK_STREAM, 0);

    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return fd;
}

/* --- races --------------------------------------------------------------------------------- */

#define HOSTS_MAX 4

/* What there is to dial, and what must come of it. */
struct story {
    const char *names[HOSTS_MAX];
    enum kind kinds[HOSTS_MAX];
    int64_t wakes_after[HOSTS_MAX]; /* a silent one; 0: never */
    int64_t limit;                  /* of the caller; 0: none */
    int64_t cancel_after;           /* of the caller; 0: never */
    int winner;                     /* the index; or the error */
    int64_t lasts;
};

struct dialing {
    const struct ouro_address *addresses;
    size_t count;
    int64_t limit;
    int fd;
    int64_t ended;
};

static int dial(void *arg)
{
    struct dialing *dialing = arg;
    struct ouro_timeout limit;

    ouro_timeout_begin(&limit, dialing->limit ? dialing->limit : OURO_FOREVER);
    dialing->fd = ouro__dial_connect(dialing->addresses, dialing->count, DELAY);
    dialing->ended = ouro_now();
    (void) ouro_timeout_end(&limit);
    return 0;
}

static void check_winner(const struct story *story, const struct dialing *dialing)
{
    struct ouro_address peer;

    if (story->winner < 0) {
        CU_ASSERT_EQUAL(dialing->fd, story->winner);
        return;
    }
    CU_ASSERT_FATAL(dialing->fd >= 0);
    CU_ASSERT_EQUAL(ouro_getpeername(dialing->fd, &peer), 0);
    CU_ASSERT_EQUAL(memcmp(&peer.sockaddr, &dialing->addresses[story->winner].sockaddr, peer.len),
                    0);
    CU_ASSERT_EQUAL(ouro_close(dialing->fd), 0);
}

static int play(void *arg)
{
    const struct story *story = arg;
    struct ouro_address addresses[HOSTS_MAX];
    struct host hosts[HOSTS_MAX];
    struct dialing dialing = {.addresses = addresses, .limit = story->limit};
    struct ouro_group wakers;
    ouro_task_id task;
    int64_t began;
    int before;

    for (; dialing.count < HOSTS_MAX && story->names[dialing.count]; dialing.count++)
        open_host(story->names[dialing.count], story->kinds[dialing.count], &hosts[dialing.count],
                  &addresses[dialing.count]);
    before = next_fd();
    ouro_group_init(&wakers);
    began = ouro_now();
    for (size_t i = 0; i < dialing.count; i++) {
        hosts[i].waiting_for = story->wakes_after[i];
        if (story->wakes_after[i])
            CU_ASSERT_EQUAL(ouro_group_spawn(&wakers, wake_up, &hosts[i]), 0);
    }
    task = ouro_spawn(dial, &dialing);
    if (story->cancel_after) {
        CU_ASSERT_EQUAL(ouro_sleep(story->cancel_after), 0);
        CU_ASSERT_EQUAL(ouro_cancel(task), 0);
    }
    CU_ASSERT_EQUAL(ouro_join(task, NULL), 0);
    CU_ASSERT_EQUAL(dialing.ended - began, story->lasts);
    check_winner(story, &dialing);
    CU_ASSERT_EQUAL(ouro_group_wait(&wakers), 0);
    CU_ASSERT_EQUAL(next_fd(), before);
    for (size_t i = 0; i < dialing.count; i++)
        close_host(&hosts[i]);
    return 0;
}

#define STORY(...)                                     \
    do {                                               \
        struct story story = {__VA_ARGS__};            \
        for (int i = 0; i < 10; i++)                   \
            CU_ASSERT_EQUAL(run_sim(play, &story), 0); \
    } while (0)

#define FIRST  "[::1]:0"
#define SECOND "127.0.0.1:0"
#define THIRD  "127.0.0.2:0"
#define FOURTH "127.0.0.3:0"

static void test_first_address_wins_at_once(void)
{
    STORY(.names = {FIRST, SECOND}, .kinds = {ACCEPTS, ACCEPTS}, .winner = 0, .lasts = 0);
}

static void test_silent_address_costs_one_delay(void)
{
    STORY(.names = {FIRST, SECOND}, .kinds = {IS_SILENT, ACCEPTS}, .winner = 1, .lasts = DELAY);
}

static void test_refused_address_costs_nothing(void)
{
    STORY(.names = {FIRST, SECOND}, .kinds = {REFUSES, ACCEPTS}, .winner = 1, .lasts = 0);
}

static void test_third_address_answers(void)
{
    STORY(.names = {FIRST, SECOND, THIRD}, .kinds = {IS_SILENT, IS_SILENT, ACCEPTS}, .winner = 2,
          .lasts = 2 * DELAY);
    STORY(.names = {FIRST, SECOND, THIRD}, .kinds = {IS_SILENT, REFUSES, ACCEPTS}, .winner = 2,
          .lasts = DELAY); /* the failure of the second starts the third */
    STORY(.names = {FIRST, SECOND, THIRD}, .kinds = {REFUSES, IS_SILENT, ACCEPTS}, .winner = 2,
          .lasts = DELAY);
}

/* The first gets a quarter of a second's start, not the whole race. */
static void test_slow_address_can_still_win(void)
{
    STORY(.names = {FIRST, SECOND}, .kinds = {IS_SILENT, IS_SILENT}, .wakes_after = {DELAY + 7},
          .winner = 0, .lasts = DELAY + 7);
    STORY(.names = {FIRST, SECOND}, .kinds = {IS_SILENT, IS_SILENT}, .wakes_after = {7},
          .winner = 0, .lasts = 7); /* and the second was never asked */
}

static int count_attempts(void *arg)
{
    struct ouro_address addresses[2];
    struct host hosts[2];
    int fd;

    (void) arg;
    open_host(FIRST, ACCEPTS, &hosts[0], &addresses[0]);
    open_host(SECOND, ACCEPTS, &hosts[1], &addresses[1]);
    fd = ouro__dial_connect(addresses, 2, DELAY);
    CU_ASSERT(fd >= 0);
    CU_ASSERT_EQUAL(ouro_sleep(10 * DELAY), 0);
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_accept(hosts[1].listener, NULL), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    close_host(&hosts[0]);
    close_host(&hosts[1]);
    return 0;
}

static void test_second_address_is_not_asked_in_vain(void)
{
    CU_ASSERT_EQUAL(run_sim(count_attempts, NULL), 0);
}

static void test_all_fail_with_the_error_of_the_first(void)
{
    /* 192.0.2.1 has no route: -ENETUNREACH. */
    STORY(.names = {FIRST, SECOND, THIRD}, .kinds = {REFUSES, REFUSES, REFUSES},
          .winner = -ECONNREFUSED, .lasts = 0);
}

static int fail_differently(void *arg)
{
    struct ouro_address addresses[2];
    struct host host;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_address_parse("192.0.2.1:9", -1, &addresses[0]), 0);
    open_host(SECOND, REFUSES, &host, &addresses[1]);
    CU_ASSERT_EQUAL(ouro__dial_connect(addresses, 2, DELAY), -ENETUNREACH);
    CU_ASSERT_EQUAL(ouro__dial_connect(addresses, 1, DELAY), -ENETUNREACH);
    addresses[0] = addresses[1];
    CU_ASSERT_EQUAL(ouro_address_parse("192.0.2.1:9", -1, &addresses[1]), 0);
    CU_ASSERT_EQUAL(ouro__dial_connect(addresses, 2, DELAY), -ECONNREFUSED);
    return 0;
}

static void test_error_is_that_of_the_first_address(void)
{
    for (int i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(run_sim(fail_differently, NULL), 0);
}

static void test_limit_ends_all_attempts(void)
{
    STORY(.names = {FIRST, SECOND, THIRD}, .kinds = {IS_SILENT, IS_SILENT, ACCEPTS},
          .limit = 2 * DELAY - 1, .winner = -ETIMEDOUT, .lasts = 2 * DELAY - 1);
    STORY(.names = {FIRST, SECOND}, .kinds = {REFUSES, IS_SILENT}, .limit = 10 * DELAY,
          .winner = -ETIMEDOUT, .lasts = 10 * DELAY); /* not the refusal */
    STORY(.names = {FIRST}, .kinds = {IS_SILENT}, .limit = DELAY, .winner = -ETIMEDOUT,
          .lasts = DELAY);
}

static void test_cancel_ends_all_attempts(void)
{
    STORY(.names = {FIRST, SECOND, THIRD}, .kinds = {IS_SILENT, IS_SILENT, ACCEPTS},
          .cancel_after = DELAY + 1, .winner = -ECANCELED, .lasts = DELAY + 1);
    STORY(.names = {FIRST}, .kinds = {IS_SILENT}, .cancel_after = 1, .winner = -ECANCELED,
          .lasts = 1);
}

/*
 * Goal: of two that succeed in one turn one is closed. Method: both hosts wake up at the same
 * instant; whichever connects first wins, and no descriptor is left over.
 */
static int tie(void *arg)
{
    static const char *const names[] = {FIRST, SECOND};
    struct ouro_address addresses[2], peer;
    struct host hosts[2];
    struct ouro_group wakers;
    int *wins = arg;
    int before, fd;

    for (int i = 0; i < 2; i++)
        open_host(names[i], IS_SILENT, &hosts[i], &addresses[i]);
    before = next_fd();
    ouro_group_init(&wakers);
    for (int i = 0; i < 2; i++) {
        hosts[i].waiting_for = 2 * DELAY;
        CU_ASSERT_EQUAL(ouro_group_spawn(&wakers, wake_up, &hosts[i]), 0);
    }
    fd = ouro__dial_connect(addresses, 2, DELAY);
    CU_ASSERT_EQUAL(ouro_getpeername(fd, &peer), 0);
    wins[peer.sockaddr.sa_family == AF_INET]++;
    CU_ASSERT_EQUAL(ouro_group_wait(&wakers), 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(next_fd(), before);
    close_host(&hosts[0]);
    close_host(&hosts[1]);
    return 0;
}

static void test_loser_of_the_same_turn_is_closed(void)
{
    int wins[2] = {0, 0};
    char spec[32];

    for (int seed = 0; seed < 60; seed++) {
        (void) snprintf(spec, sizeof(spec), "sim:seed=%d", seed);
        CU_ASSERT_EQUAL(run_with(spec, 0, tie, wins), 0);
    }
    CU_ASSERT(wins[0] > 0 && wins[1] > 0); /* it was a tie indeed */
}

/* --- the order ------------------------------------------------------------------------------ */

static const char *sorted(const char *families)
{
    static char text[8][3];
    static char result[32];
    struct ouro_address addresses[8];
    size_t count = strlen(families);

    memset(text, 0, sizeof(text));
    memset(addresses, 0, sizeof(addresses));
    for (size_t i = 0; i < count; i++) {
        addresses[i].sockaddr.sa_family = families[i] == '6' ? AF_INET6 : AF_INET;
        ouro_address_set_port(&addresses[i], (int) i + 1);
    }
    ouro__dial_interleave(addresses, count);
    for (size_t i = 0; i < count; i++)
        (void) snprintf(result + 2 * i, 3, "%c%d",
                        addresses[i].sockaddr.sa_family == AF_INET6 ? '6' : '4',
                        ouro_address_port(&addresses[i]));
    return result;
}

static void test_families_take_turns(void)
{
    CU_ASSERT_STRING_EQUAL(sorted("6"), "61");
    CU_ASSERT_STRING_EQUAL(sorted("64"), "6142");
    CU_ASSERT_STRING_EQUAL(sorted("46"), "4162");
    CU_ASSERT_STRING_EQUAL(sorted("6644"), "61436244");
    CU_ASSERT_STRING_EQUAL(sorted("66644"), "6144624563");
    CU_ASSERT_STRING_EQUAL(sorted("4666"), "41626364");
    CU_ASSERT_STRING_EQUAL(sorted("444"), "414243");
}

/* --- the kernel's ring ------------------------------------------------------------------------ */

static int dial_really(void *arg)
{
    struct ouro_address addresses[3];
    struct host hosts[3];
    int before, fd;

    (void) arg;
    open_host(SECOND, REFUSES, &hosts[0], &addresses[0]);
    open_host(THIRD, REFUSES, &hosts[1], &addresses[1]);
    open_host(FOURTH, ACCEPTS, &hosts[2], &addresses[2]);
    before = next_fd();
    fd = ouro__dial_connect(addresses, 3, OURO_FOREVER);
    CU_ASSERT(fd >= 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro__dial_connect(addresses, 2, DELAY), -ECONNREFUSED);
    CU_ASSERT_EQUAL(next_fd(), before);
    close_host(&hosts[2]);
    return 0;
}

static void test_race_runs_on_both_rings(void)
{
    run_on_each_ring(dial_really, NULL);
}

const struct test dial_tests[] = {
    TEST(test_first_address_wins_at_once),
    TEST(test_silent_address_costs_one_delay),
    TEST(test_refused_address_costs_nothing),
    TEST(test_third_address_answers),
    TEST(test_slow_address_can_still_win),
    TEST(test_second_address_is_not_asked_in_vain),
    TEST(test_all_fail_with_the_error_of_the_first),
    TEST(test_error_is_that_of_the_first_address),
    TEST(test_limit_ends_all_attempts),
    TEST(test_cancel_ends_all_attempts),
    TEST(test_loser_of_the_same_turn_is_closed),
    TEST(test_families_take_turns),
    TEST(test_race_runs_on_both_rings),
    TEST_END,
};
