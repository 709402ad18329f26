/* SPDX-License-Identifier: MIT */
/*
 * idle_test.c - tests that a loop with nothing to do does nothing: no turn, no wake-up
 *
 * A loop has a peak of tasks, then some things that wait for ever, and gives the peak's memory back,
 * which is the last that it does by itself. Then:
 *
 *   - on the simulated ring it has no next deadline, and an hour is one turn, in which no task runs;
 *   - on the kernel's it is a child, and from outside the kernel's counts of context switches of all
 *     its threads, the SQ thread of sqpoll mode included, stand still.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "ouro.h"
#include "ouro_proto.h"

#include "check.h"
#include "dispatcher.h"
#include "loop.h"
#include "sanitizer.h"
#include "test.h"

enum {
    PEAK_TASKS = 1000,
    LOOKS = 10,         /* an idle child is looked at so often, */
    LOOK_MS = 50,       /* and after so long each time */
    PATIENCE_MS = 20000 /* for what has to come */
};

/* What waits for ever, from its return on. */
typedef int wait_fn(struct ouro_group *waiters);

struct idler {
    wait_fn *wait;
    int told_fd; /* of the child: gets a byte when nothing is left to do */
    int wake_fd; /* brings one when that is to end */
};

/* --- a peak -------------------------------------------------------------------------------- */

static int sleep_shortly(void *arg)
{
    (void) arg;
    return ouro_sleep(OURO_MILLISECOND);
}

static int have_peak(void)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_16K};
    struct ouro_group group;
    int code = 0;

    ouro_group_init(&group);
    for (int i = 0; i < PEAK_TASKS && !code; i++)
        code = ouro_group_spawn_with(&group, sleep_shortly, NULL, &options);
    return ouro_group_wait(&group) || code;
}

static bool keeps_memory_of_a_peak(void)
{
    return ouro__dispatcher->trim_deadline != OURO_FOREVER ||
           ouro__stack_pool_has_spare(ouro__dispatcher->stacks);
}

/* --- waiting for ever: sockets, messages, each other --------------------------------------- */

static int accept_for_ever(void *arg)
{
    struct ouro_acceptor acceptor;
    int fd = *(int *) arg;
    int code = ouro_acceptor_init(&acceptor, fd);

    if (!code) {
        code = ouro_acceptor_next(&acceptor);
        ouro_acceptor_done(&acceptor);
    }
    (void) ouro_close(fd);
    return code;
}

static int receive_for_ever(void *arg)
{
    struct ouro_receiver receiver;
    struct ouro_lease lease;
    ssize_t len;

    ouro_receiver_init(&receiver, *(int *) arg, 0);
    len = ouro_receiver_next(&receiver, &lease);
    (void) ouro_receiver_close(&receiver);
    return (int) len;
}

static int wait_for_mail(void *arg)
{
    struct ouro_mailbox box;
    struct ouro_message *message;
    int code;

    (void) arg;
    ouro_mailbox_init(&box);
    code = ouro_mailbox_receive(&box, &message);
    ouro_mailbox_done(&box);
    return code;
}

static int wait_for_event(void *arg)
{
    struct ouro_event event;

    (void) arg;
    ouro_event_init(&event);
    return ouro_event_wait(&event);
}

static int spawn_with_fd(struct ouro_group *group, ouro_task_fn *fn, int fd)
{
    return ouro_group_spawn_with(group, fn, &fd,
                                 &(struct ouro_spawn_options) {.arg_bytes = sizeof(fd)});
}

/* A listener that has had a connection, which has had bytes, a mailbox, and an event. */
static int wait_by_all_means(struct ouro_group *waiters)
{
    struct ouro_address address;
    int listener = listen_locally(&address);
    int client = connect_to(&address);
    int server = ouro_accept(listener, NULL);
    char bytes[5];

    if (ouro_send_all(client, "hello", 5, NULL) < 0 || ouro_recv(server, bytes, 5, 0) != 5)
        return -EIO;
    if (spawn_with_fd(waiters, accept_for_ever, listener) ||
        spawn_with_fd(waiters, receive_for_ever, client) ||
        spawn_with_fd(waiters, receive_for_ever, server) ||
        ouro_group_spawn(waiters, wait_for_mail, NULL) ||
        ouro_group_spawn(waiters, wait_for_event, NULL))
        return -ENOMEM;
    return 0;
}

/* --- waiting for ever: an HTTP server with a connection that is kept ----------------------- */

static int say_hello(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_reply(exchange, 200, "text/plain", "hello", 5);
}

static int serve(void *arg)
{
    struct ouro_http_app *app;
    int code = ouro_http_app_create(&app);

    if (!code)
        code = ouro_http_route(app, "GET", "/", say_hello, NULL);
    if (!code)
        code = ouro_http_serve(app, *(int *) arg, NULL);
    ouro_http_app_destroy(app);
    (void) ouro_close(*(int *) arg);
    return code;
}

/* A connection that has asked once, and is kept. */
static int wait_for_requests(struct ouro_group *waiters)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct ouro_address address;
    int listener = listen_locally(&address);
    int client = connect_to(&address);
    char answer[512];

    if (spawn_with_fd(waiters, serve, listener) ||
        ouro_send_all(client, request, sizeof(request) - 1, NULL) < 0 ||
        ouro_recv(client, answer, sizeof(answer), 0) <= 0)
        return -EIO;
    return spawn_with_fd(waiters, receive_for_ever, client);
}

/* --- on the simulated ring ----------------------------------------------------------------- */

static int have_peak_and_wait(void *arg)
{
    const struct idler *self = arg;
    struct ouro_group waiters;

    ouro_group_init_with(&waiters, OURO_GROUP_INDEPENDENT);
    CU_ASSERT_EQUAL(have_peak(), 0);
    CU_ASSERT_EQUAL(self->wait(&waiters), 0);
    CU_ASSERT(keeps_memory_of_a_peak());
    return ouro_group_wait(&waiters);
}

/* Turns it until it has nothing to do, now or later; returns whether that time came. */
static bool comes_to_rest(struct ouro_loop *loop)
{
    int64_t next;

    for (int turns = 0; turns < 10 * PEAK_TASKS; turns++) {
        next = ouro_loop_next(loop);
        if (next == OURO_FOREVER)
            return true;
        if (!ouro_loop_turn(loop, next))
            break;
    }
    return false;
}

static void expect_rest(wait_fn *wait)
{
    struct ouro_run_options options = {.ring = test_sim_ring(), .keep_signals = true};
    struct idler idler = {.wait = wait};
    struct ouro_counters before, after;
    struct ouro_loop *loop;
    int64_t start;

    CU_ASSERT_EQUAL_FATAL(ouro_loop_create(have_peak_and_wait, &idler, &options, &loop), 0);
    CU_ASSERT(comes_to_rest(loop));
    CU_ASSERT(!keeps_memory_of_a_peak());
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    start = ouro_now();
    CU_ASSERT_EQUAL(ouro_loop_turn(loop, 3600 * OURO_SECOND), 1);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(ouro_now() - start, 3600 * OURO_SECOND);
    CU_ASSERT_EQUAL(after.turns - before.turns, 1);
    CU_ASSERT_EQUAL(after.wakeups, before.wakeups);
    CU_ASSERT_EQUAL(after.sqes, before.sqes);
    CU_ASSERT_EQUAL(after.cqes, before.cqes);
    CU_ASSERT_EQUAL(ouro_loop_next(loop), OURO_FOREVER);
    CU_ASSERT_EQUAL(ouro_loop_destroy(loop), 0);
}

static void test_simulated_loop_that_waits_for_ever_has_no_next_turn(void)
{
    expect_rest(wait_by_all_means);
}

/* After the idle connections' time: 75 s. */
static void test_simulated_http_server_without_connections_has_no_next_turn(void)
{
    expect_rest(wait_for_requests);
}

/* --- on the kernel's ring: the child ------------------------------------------------------- */

static bool is_one_turn(const struct ouro_counters *before, const struct ouro_counters *after)
{
    return after->turns - before->turns == 1 && after->wakeups - before->wakeups == 1;
}

/* Waits until the memory is given back, and a sleep is one turn in which no other task runs. */
static int come_to_rest(void)
{
    struct ouro_counters before, after;
    int code;

    do {
        (void) ouro_stats(&before);
        code = ouro_sleep(20 * OURO_MILLISECOND);
        (void) ouro_stats(&after);
    } while (!code && (keeps_memory_of_a_peak() || !is_one_turn(&before, &after)));
    return code;
}

/* Returns 0 if the loop slept in one turn from the byte that it told to the one that woke it. */
static int sleep_until_woken(const struct idler *self)
{
    struct ouro_counters before, after;
    char byte;

    (void) ouro_stats(&before);
    if (write(self->told_fd, "i", 1) != 1 || ouro_recv(self->wake_fd, &byte, 1, 0) != 1)
        return -EIO;
    (void) ouro_stats(&after);
    return is_one_turn(&before, &after) ? 0 : -EBUSY;
}

static int idle_until_woken(void *arg)
{
    const struct idler *self = arg;
    struct ouro_group waiters;
    int code;

    ouro_group_init_with(&waiters, OURO_GROUP_INDEPENDENT);
    code = self->wait(&waiters);
    if (!code)
        code = come_to_rest();
    if (!code)
        code = sleep_until_woken(self);
    ouro_group_cancel(&waiters);
    (void) ouro_group_wait(&waiters);
    return code;
}

/* The timer that gives the peak's memory back is the last to end. */
static int wait_after_a_peak(struct ouro_group *waiters)
{
    int code = have_peak();

    return code ? code : wait_by_all_means(waiters);
}

struct idle_child {
    pid_t pid;
    int told_fd, wake_fd;
};

static bool start_child(wait_fn *wait, struct idle_child *child)
{
    int told[2], wake[2];

    CU_ASSERT_EQUAL_FATAL(pipe(told), 0);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, wake), 0);
    (void) fflush(NULL);
    child->pid = fork();
    if (child->pid == 0) {
        struct idler idler = {.wait = wait, .told_fd = told[1], .wake_fd = wake[1]};

        (void) close(told[0]);
        (void) close(wake[0]);
        become_child(STDERR_FILENO);
        _exit(run_with(test_kernel_ring(), 0, idle_until_woken, &idler) ? 1 : 0);
    }
    (void) close(told[1]);
    (void) close(wake[1]);
    child->told_fd = told[0];
    child->wake_fd = wake[0];
    return child->pid > 0;
}

static bool has_told(const struct idle_child *child, int patience_ms)
{
    struct pollfd told = {.fd = child->told_fd, .events = POLLIN};
    char byte;

    return poll(&told, 1, patience_ms) == 1 && read(child->told_fd, &byte, 1) == 1;
}

/* Returns how it ended. */
static struct child end_child(const struct idle_child *child)
{
    struct child end = {.status = -1};

    CU_ASSERT_EQUAL(send(child->wake_fd, "w", 1, MSG_NOSIGNAL), 1);
    (void) waitpid(child->pid, &end.status, 0);
    (void) close(child->told_fd);
    (void) close(child->wake_fd);
    return end;
}

/* --- on the kernel's ring: from outside ---------------------------------------------------- */

struct sight {
    unsigned threads;
    unsigned asleep;
    unsigned long long switches; /* each time one of them was woken, or had to give the CPU up */
};

static void look_at_thread(FILE *status, struct sight *sight)
{
    unsigned long long count;
    char line[256], state;

    sight->threads++;
    while (fgets(line, sizeof(line), status)) {
        if (sscanf(line, "State: %c", &state) == 1)
            sight->asleep += state == 'S';
        else if (sscanf(line, "voluntary_ctxt_switches: %llu", &count) == 1 ||
                 sscanf(line, "nonvoluntary_ctxt_switches: %llu", &count) == 1)
            sight->switches += count;
    }
}

static struct sight look_at(const struct idle_child *child)
{
    struct sight sight = {0};
    const struct dirent *entry;
    char path[300];
    DIR *tasks;

    (void) snprintf(path, sizeof(path), "/proc/%d/task", (int) child->pid);
    tasks = opendir(path);
    while (tasks && (entry = readdir(tasks))) {
        FILE *status;

        if (entry->d_name[0] == '.')
            continue;
        (void) snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int) child->pid,
                        entry->d_name);
        status = fopen(path, "re");
        if (!status)
            continue;
        look_at_thread(status, &sight);
        (void) fclose(status);
    }
    if (tasks)
        (void) closedir(tasks);
    return sight;
}

static bool is_same(const struct sight *one, const struct sight *other)
{
    return one->threads == other->threads && one->switches == other->switches;
}

/*
 * Waits until all threads sleep, the child's and the kernel's for it. One may have been looked at
 * before another woke it: hence twice.
 */
static struct sight see_asleep(const struct idle_child *child)
{
    struct sight sight = look_at(child), before;
    int looks_left = PATIENCE_MS;

    do {
        (void) poll(NULL, 0, 1);
        before = sight;
        sight = look_at(child);
    } while ((sight.asleep < sight.threads || !is_same(&before, &sight)) && --looks_left > 0);
    CU_ASSERT(sight.threads > 0 && looks_left > 0);
    return sight;
}

/*
 * Whether a thread was woken while it was watched. That nothing happens can only be watched for a
 * while: nothing has to come in that time, so that a slow machine is no reason to fail.
 */
static bool was_woken(const struct idle_child *child, int looks)
{
    struct sight before = see_asleep(child), now;

    do {
        CU_ASSERT(!has_told(child, LOOK_MS));
        now = look_at(child);
    } while (is_same(&before, &now) && --looks > 0);
    return !is_same(&before, &now);
}

static bool must_skip(void)
{
#ifdef OURO_TSAN
    TEST_SKIP("the sanitizer has a thread that wakes up by itself");
    return true;
#endif
    if (test_kernel_ring())
        return false;
    TEST_SKIP("it is about threads that sleep in the kernel");
    return true;
}

static void expect_no_wake_ups(wait_fn *wait)
{
    struct idle_child child;
    struct child end;

    if (must_skip())
        return;
    CU_ASSERT_FATAL(start_child(wait, &child));
    CU_ASSERT(has_told(&child, PATIENCE_MS));
    CU_ASSERT(!was_woken(&child, LOOKS));
    end = end_child(&child);
    CU_ASSERT(exited_with(&end, 0));
}

static void test_loop_that_waits_for_ever_is_not_woken(void)
{
    expect_no_wake_ups(wait_after_a_peak);
}

/* Its connections' time, 75 s, is no reason to look before. */
static void test_idle_http_server_is_not_woken(void)
{
    expect_no_wake_ups(wait_for_requests);
}

static int sleep_again_and_again(void *arg)
{
    int code;

    while (!(code = ouro_sleep(100 * OURO_MILLISECOND)))
        ;
    (void) arg;
    return code;
}

static int wait_with_a_timer(struct ouro_group *waiters)
{
    return ouro_group_spawn(waiters, sleep_again_and_again, NULL);
}

/* So that the above is worth something. */
static void test_timer_is_seen_from_outside(void)
{
    struct idle_child child;
    struct child end;

    if (must_skip())
        return;
    CU_ASSERT_FATAL(start_child(wait_with_a_timer, &child));
    CU_ASSERT(has_told(&child, PATIENCE_MS));
    CU_ASSERT(was_woken(&child, PATIENCE_MS / LOOK_MS));
    end = end_child(&child);
    CU_ASSERT(exited_with(&end, 1));
}

const struct test idle_tests[] = {
    TEST(test_simulated_loop_that_waits_for_ever_has_no_next_turn),
    TEST(test_simulated_http_server_without_connections_has_no_next_turn),
    TEST(test_loop_that_waits_for_ever_is_not_woken),
    TEST(test_idle_http_server_is_not_woken),
    TEST(test_timer_is_seen_from_outside),
    TEST_END};
