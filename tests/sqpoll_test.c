/* SPDX-License-Identifier: MIT */
/*
 * sqpoll_test.c - tests of sqpoll mode: that it makes no system call, and what it needs
 *
 * The proof: a child gets a load going, installs a filter that kills it at any system call but
 * exit_group(2), and goes on for 200,000 wake-ups. Threads of the kernel's are not filtered. The
 * clock is none either, where the vDSO has it: tried first. Idle times are a minute there: an SQ
 * thread that is told to sleep after 2 ms does so also when the machine is busy with others.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ouro.h"
#include "ouro_proto.h"

#include "check.h"
#include "cpus.h"
#include "loop.h"
#include "ring.h"
#include "sanitizer.h"
#include "test.h"

#define NEVER_IDLE "uring:mode=sqpoll,idle=60000ms"

enum {
    WARM_UP = 30000,
    WAKE_UPS = 200000,
    SECONDS_MAX = 15, /* a busy machine proves nothing in time, and refutes nothing */
    PAIRS = 64,
    CLIENTS = 32,
    SLEEPERS = 1000
};

/* What children exit with. */
enum { GOOD = 0, NO_FILTER = 77, TOO_SLOW = 78, UNFIT = 79 };

static bool must_skip(void)
{
    struct ring_config config;
    struct ring_hint hint;
    struct ring ring;

    if (ouro__cpus_count() < 2) {
        TEST_SKIP("sqpoll takes two CPUs");
        return true;
    }
    if (test_kernel_ring() && !ouro__ring_parse("sqpoll", &config, &hint) &&
        !ouro__ring_open(&ring, &config, &hint)) {
        ouro__ring_close(&ring);
        return false;
    }
    TEST_SKIP("the kernel has no ring with an SQ thread for us");
    return true;
}

/* --- no system call ------------------------------------------------------------------------- */

/* From now on this thread may look, compute, and leave. */
static int forbid_system_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const struct sock_fprog program = {.len = COUNT_OF(filter), .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static uint64_t count_wake_ups(void)
{
    struct ouro_counters counters = {0};

    (void) ouro_stats(&counters);
    return counters.wakeups;
}

/* Sleeps until the others have been woken `count` times; ends the child when that takes too long. */
static void let_run(uint64_t count)
{
    uint64_t end = count_wake_ups() + count;
    int64_t latest = ouro_now() + SECONDS_MAX * OURO_SECOND;

    while (count_wake_ups() < end) {
        if (ouro_sleep(OURO_MILLISECOND))
            _exit(UNFIT);
        if (ouro_now() > latest)
            _exit(TOO_SLOW);
    }
}

/* Spawns what makes the load, for ever. */
typedef int load_fn(void);

static int prove(void *arg)
{
    load_fn *load = *(load_fn **) arg;

    if (load())
        _exit(UNFIT);
    let_run(WARM_UP);
    if (forbid_system_calls())
        _exit(NO_FILTER);
    let_run(WAKE_UPS);
    _exit(GOOD);
}

static int run_proof(void *load)
{
    (void) run_with(NEVER_IDLE, 0, prove, load);
    return UNFIT; /* prove() does not return */
}

static int run_proof_of_batch(void *load)
{
    (void) run_with("batch", 0, prove, load);
    return UNFIT;
}

/* Exits 0 where reading the clocks is no system call. */
static int read_clocks(void *arg)
{
    struct timespec now;

    (void) arg;
    if (forbid_system_calls())
        return NO_FILTER;
    return clock_gettime(CLOCK_MONOTONIC, &now) || clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
}

static bool must_skip_proof(void)
{
    struct child child;

#if defined(OURO_ASAN) || defined(OURO_TSAN)
    TEST_SKIP("a sanitizer makes system calls of its own");
    return true;
#endif
    if (must_skip())
        return true;
    child = run_in_child(read_clocks, NULL);
    if (exited_with(&child, 0))
        return false;
    TEST_SKIP("no seccomp filters here, or the clock is a system call");
    return true;
}

static void expect_proof(load_fn *load)
{
    struct child child;

    if (must_skip_proof())
        return;
    child = run_in_child(run_proof, &load);
    if (exited_with(&child, TOO_SLOW)) {
        TEST_SKIP("too busy a machine for 200,000 wake-ups in time");
        return;
    }
    CU_ASSERT(exited_with(&child, GOOD));
    if (!exited_with(&child, GOOD))
        printf("    the child's status is 0x%x: %s\n", (unsigned) child.status, child.text);
}

/* --- the loads: echo -------------------------------------------------------------------------- */

/* Each has one end; who is to begin has sent the first byte before. */
static int echo(void *arg)
{
    int fd = (int) (intptr_t) arg;
    char buf[64];
    ssize_t len;

    while ((len = ouro_recv(fd, buf, sizeof(buf), 0)) > 0)
        if (ouro_send_all(fd, buf, (size_t) len, NULL) < 0)
            break;
    _exit(UNFIT);
}

static int start_echo(const int fds[2])
{
    static const char message[64];

    if (ouro_send_all(fds[0], message, sizeof(message), NULL) < 0)
        return -1;
    for (int i = 0; i < 2; i++)
        if (ouro_spawn(echo, (void *) (intptr_t) fds[i]) < 0)
            return -1;
    return 0;
}

static int load_unix_echo(void)
{
    int code = 0;

    for (int i = 0; i < PAIRS && !code; i++) {
        int fds[2];

        code = ouro_socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
        if (!code)
            code = start_echo(fds);
    }
    return code;
}

static int load_tcp_echo(void)
{
    int code = 0;

    for (int i = 0; i < PAIRS && !code; i++) {
        int fds[2];

        make_pair(fds);
        code = start_echo(fds);
    }
    return code;
}

static void test_echo_over_unix_sockets_makes_no_system_call(void)
{
    expect_proof(load_unix_echo);
}

static void test_echo_over_tcp_makes_no_system_call(void)
{
    expect_proof(load_tcp_echo);
}

/* --- the loads: HTTP --------------------------------------------------------------------------- */

static struct ouro_address http_address;

static int say_hello(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_reply(exchange, 200, "text/plain", "hello", 5);
}

static int serve(void *arg)
{
    struct ouro_http_app *app;
    int listener = (int) (intptr_t) arg;

    if (!ouro_http_app_create(&app) && !ouro_http_route(app, "GET", "/", say_hello, NULL))
        (void) ouro_http_serve(app, listener, NULL);
    _exit(UNFIT);
}

/* One request after the other on one connection. */
static int ask_again_and_again(void *arg)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct ouro_stream *stream;
    const char *head;
    char body[5];
    ssize_t len;

    (void) arg;
    if (ouro_stream_socket_take(connect_to(&http_address), &stream))
        _exit(UNFIT);
    for (;;) {
        if (ouro_stream_write_all(stream, request, sizeof(request) - 1))
            break;
        len = ouro_stream_read_until(stream, "\r\n\r\n", 4, 1024, &head);
        if (len < 12 || memcmp(head, "HTTP/1.1 200", 12) != 0)
            break;
        if (ouro_stream_read_exact(stream, body, sizeof(body), NULL) ||
            memcmp(body, "hello", sizeof(body)) != 0)
            break;
    }
    _exit(UNFIT);
}

static int load_http(void)
{
    int listener = listen_locally(&http_address);

    if (listener < 0 || ouro_spawn(serve, (void *) (intptr_t) listener) < 0)
        return -1;
    for (int i = 0; i < CLIENTS; i++)
        if (ouro_spawn(ask_again_and_again, NULL) < 0)
            return -1;
    return 0;
}

static void test_http_server_and_client_make_no_system_call(void)
{
    expect_proof(load_http);
}

/* --- the loads: sleepers ------------------------------------------------------------------------ */

static int sleep_again_and_again(void *arg)
{
    int64_t span = OURO_MILLISECOND + (int64_t) (intptr_t) arg * OURO_MICROSECOND;

    while (!ouro_sleep(span))
        ;
    _exit(UNFIT);
}

static int load_sleepers(void)
{
    for (intptr_t i = 0; i < SLEEPERS; i++)
        if (ouro_spawn(sleep_again_and_again, (void *) i) < 0)
            return -1;
    return 0;
}

static void test_sleepers_make_no_system_call(void)
{
    expect_proof(load_sleepers);
}

/* So that the above is worth something. */
static void test_filter_kills_a_loop_in_batch_mode(void)
{
    load_fn *load = load_unix_echo;
    struct child child;

    if (must_skip_proof())
        return;
    child = run_in_child(run_proof_of_batch, &load);
    CU_ASSERT(was_killed_by(&child, SIGSYS));
}

/* --- idle ---------------------------------------------------------------------------------------- */

static int64_t cpu_time(void)
{
    struct timespec used; /* the SQ thread's is in there: it is a thread of the process */

    (void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * OURO_SECOND + used.tv_nsec;
}

static int idle_awhile(void *arg)
{
    int64_t before;

    (void) arg;
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_sleep(20 * OURO_MILLISECOND), 0);
    before = cpu_time();
    CU_ASSERT_EQUAL(ouro_sleep(OURO_SECOND), 0);
    CU_ASSERT(cpu_time() - before < OURO_SECOND / 100);
    return 0;
}

static void test_idle_loop_costs_less_than_a_hundredth_of_a_cpu(void)
{
    if (must_skip())
        return;
    CU_ASSERT_EQUAL(run_with("sqpoll", 0, idle_awhile, NULL), 0);
}

/* --- full queues ------------------------------------------------------------------------------------ */

/* Many more operations than the submission queue has room for, which the SQ thread empties when it can. */
static int ping_pong(void *arg)
{
    int fds[2];
    unsigned *done = arg;

    CU_ASSERT_EQUAL_FATAL(ouro_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (unsigned char i = 0; i < 50; i++) {
        unsigned char byte = 255;

        CU_ASSERT_EQUAL(ouro_send(fds[0], &i, 1, 0), 1);
        CU_ASSERT_EQUAL(ouro_recv(fds[1], &byte, 1, 0), 1);
        CU_ASSERT_EQUAL(byte, i);
    }
    close_pair(fds);
    ++*done;
    return 0;
}

static int crowd_the_queue(void *arg)
{
    struct ouro_group group;

    ouro_group_init(&group);
    for (int i = 0; i < 200; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, ping_pong, arg), 0);
    return ouro_group_wait(&group);
}

static void test_full_submission_queue_loses_nothing(void)
{
    if (must_skip())
        return;
    for (unsigned entries = 1; entries <= 16; entries *= 4) {
        unsigned done = 0;

        CU_ASSERT_EQUAL(run_with("sqpoll", entries, crowd_the_queue, &done), 0);
        CU_ASSERT_EQUAL(done, 200);
    }
}

/* An SQE stays what it was until the SQ thread has taken it, and all are answered, in their order. */
static void test_completions_that_overflow_are_kept(void)
{
    enum { TOTAL = 30000 };
    struct ring_config config;
    struct ring_hint hint;
    struct ring ring;
    int64_t latest;
    uint64_t submitted = 0, reaped = 0;

    if (must_skip())
        return;
    CU_ASSERT_EQUAL_FATAL(ouro__ring_parse("sqpoll", &config, &hint), 0);
    config.sq_entries = 64;
    CU_ASSERT_EQUAL_FATAL(ouro__ring_open(&ring, &config, &hint), 0);
    CU_ASSERT(ring.cq_mask + 1 < TOTAL / 2);
    latest = ring.backend->now(&ring) + 10 * OURO_SECOND;
    while (submitted < TOTAL && ring.backend->now(&ring) < latest) {
        struct io_uring_sqe *sqe;

        while (submitted < TOTAL && (sqe = ouro__ring_get_sqe(&ring))) {
            io_uring_prep_nop(sqe);
            sqe->user_data = submitted++;
        }
        /* No GETEVENTS while nobody reaps: what overflows stays in the kernel. */
        CU_ASSERT_EQUAL(ring.backend->enter(&ring, false, 0), 0);
    }
    while (reaped < TOTAL && ring.backend->now(&ring) < latest) {
        for (; ouro__ring_completed(&ring); ouro__ring_pop(&ring))
            CU_ASSERT_EQUAL(ouro__ring_peek(&ring)->user_data, reaped++);
        CU_ASSERT_EQUAL(ring.backend->enter(&ring, false, 0), 0);
    }
    CU_ASSERT_EQUAL(reaped, TOTAL);
    ouro__ring_close(&ring);
}

/* --- closing ------------------------------------------------------------------------------------------ */

/* Tells how often a port was still taken, or a reset had not come, when the last close had returned. */
static int close_and_look(void *arg)
{
    unsigned *late = arg;

    for (int i = 0; i < 1000; i++) {
        struct ouro_address address;
        int error = 0, fds[2], listener = listen_privately(&address);
        socklen_t error_len = sizeof(error);

        CU_ASSERT_EQUAL(ouro_close(listener), 0);
        listener = ouro_listen(&address, 0);
        if (listener < 0)
            late[0]++;
        else
            CU_ASSERT_EQUAL(ouro_close(listener), 0);
        make_pair(fds);
        CU_ASSERT_EQUAL(ouro_send(fds[0], "x", 1, 0), 1);
        CU_ASSERT_EQUAL(ouro_close(fds[1]), 0); /* with a byte that nobody has read */
        CU_ASSERT_EQUAL(ouro_getsockopt(fds[0], SOL_SOCKET, SO_ERROR, &error, &error_len), 0);
        late[1] += error != ECONNRESET;
        CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);
    }
    return 0;
}

static void test_close_has_taken_effect_when_it_returns(void)
{
    static const char *const rings[] = {"sqpoll", "uring:mode=sqpoll,share=1"};

    if (must_skip())
        return;
    for (size_t i = 0; i < COUNT_OF(rings); i++) {
        unsigned late[2] = {0, 0};

        CU_ASSERT_EQUAL(run_with(rings[i], 0, close_and_look, late), 0);
        CU_ASSERT_EQUAL(late[0], 0);
        CU_ASSERT_EQUAL(late[1], 0);
    }
}

/* --- CPUs -------------------------------------------------------------------------------------------- */

static int do_nothing(void *arg)
{
    (void) arg;
    return 0;
}

static int check_name(void *name)
{
    return strcmp(ouro_ring_name(), name) ? -EINVAL : 0;
}

static void test_loop_knows_its_ring(void)
{
    CU_ASSERT_PTR_NULL(ouro_ring_name());
    CU_ASSERT_EQUAL(run_with("sim", 0, check_name, "sim"), 0);
    if (must_skip())
        return;
    CU_ASSERT_EQUAL(run_with("uring", 0, check_name, "uring:mode=batch"), 0);
    CU_ASSERT_EQUAL(run_with("sqpoll", 0, check_name, "uring:mode=sqpoll"), 0);
}

static int run_on_one_cpu(void *ring)
{
    struct cpus cpus;

    ouro__cpus_get(&cpus);
    ouro__cpus_pin(&cpus, 0);
    ouro__cpus_done(&cpus);
    return run_with(*(const char **) ring, 0, do_nothing, NULL) == OURO_ERING ? 1 : 0;
}

static void test_one_cpu_is_refused_or_means_batch(void)
{
    char own[64], other[64];
    struct cpus cpus;
    const struct {
        const char *ring, *text;
        int status;
    } rows[] = {
        {"sqpoll", "mode=sqpoll takes two CPUs", 1},
        {own, "mode=sqpoll takes two CPUs", 1},
        {other, "", 0},
        {"auto", "ouro: auto picked uring:mode=batch: there is no CPU to spare", 0},
    };

    if (must_skip())
        return;
    ouro__cpus_get(&cpus);
    (void) snprintf(own, sizeof(own), "uring:mode=sqpoll,cpu=%d", ouro__cpus_number(&cpus, 0));
    (void) snprintf(other, sizeof(other), "uring:mode=sqpoll,cpu=%d", ouro__cpus_number(&cpus, 1));
    ouro__cpus_done(&cpus);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *ring = rows[i].ring;
        struct child child = run_in_child(run_on_one_cpu, &ring);

        CU_ASSERT(exited_with(&child, rows[i].status));
        CU_ASSERT(said(&child, rows[i].text));
        CU_ASSERT(rows[i].text[0] || !child.text[0]);
    }
}

static int run_on_missing_cpu(void *arg)
{
    (void) arg;
    return run_with("uring:mode=sqpoll,cpu=1000000", 0, do_nothing, NULL) == -EINVAL ? 0 : 1;
}

static void test_missing_cpu_is_named(void)
{
    struct child child;

    if (must_skip())
        return;
    child = run_in_child(run_on_missing_cpu, NULL);
    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT(said(&child, "cannot run on CPU 1000000"));
}

/* --- shards ------------------------------------------------------------------------------------------- */

/* The SQ threads of this process, and whether each may run on one CPU only. */
static unsigned count_sq_threads(unsigned *ret_pinned)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    unsigned count = 0;

    *ret_pinned = 0;
    while (tasks && (entry = readdir(tasks))) {
        char path[300], name[32] = "";
        cpu_set_t set;
        FILE *file;

        (void) snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        file = fopen(path, "re");
        if (file && fgets(name, sizeof(name), file) && !strncmp(name, "iou-sqp", 7)) {
            count++;
            if (!sched_getaffinity(atoi(entry->d_name), sizeof(set), &set))
                *ret_pinned += CPU_COUNT(&set) == 1;
        }
        if (file)
            (void) fclose(file);
    }
    if (tasks)
        (void) closedir(tasks);
    return count;
}

static atomic_uint
    served_count; /* shards that their SQ thread has served: it has begun, and has its name */

static int meet_and_count(void *arg)
{
    unsigned *status = arg;
    unsigned pinned;
    int fd = ouro_open("/dev/null", O_RDONLY, 0);

    if (fd < 0 || ouro_close(fd))
        return -EIO;
    atomic_fetch_add(&served_count, 1);
    while (atomic_load(&served_count) < ouro_shard_count())
        (void) ouro_sleep(OURO_MILLISECOND);
    if (ouro_shard_index() == 0) {
        *status = 10 * count_sq_threads(&pinned);
        *status += pinned;
        atomic_fetch_add(&served_count, 1);
    }
    while (atomic_load(&served_count) <= ouro_shard_count())
        (void) ouro_sleep(OURO_MILLISECOND);
    return 0;
}

/* The SQ threads of rings that are closed linger a little: in a process that had none. */
static int run_shards(void *options)
{
    unsigned status = 0;

    if (ouro_run(meet_and_count, &status, options))
        return UNFIT;
    return (int) status;
}

static void test_shards_have_sq_threads_of_their_own_or_share_one(void)
{
    static const struct {
        const char *ring;
        bool pin;
        int status;
    } rows[] = {
        {"uring:mode=sqpoll", false, 20},
        {"uring:mode=sqpoll,share=1", false, 10},
        {"uring:mode=sqpoll", true, 22},
        {"uring:mode=sqpoll,share=1", true, 11},
    };

    if (must_skip())
        return;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ouro_run_options options = {.ring = rows[i].ring, .shards = 2, .pin = rows[i].pin};
        struct child child = run_in_child(run_shards, &options);

        CU_ASSERT(exited_with(&child, rows[i].status));
    }
}

const struct test sqpoll_tests[] = {
    TEST(test_filter_kills_a_loop_in_batch_mode),
    TEST(test_echo_over_unix_sockets_makes_no_system_call),
    TEST(test_echo_over_tcp_makes_no_system_call),
    TEST(test_http_server_and_client_make_no_system_call),
    TEST(test_sleepers_make_no_system_call),
    TEST(test_idle_loop_costs_less_than_a_hundredth_of_a_cpu),
    TEST(test_full_submission_queue_loses_nothing),
    TEST(test_completions_that_overflow_are_kept),
    TEST(test_close_has_taken_effect_when_it_returns),
    TEST(test_loop_knows_its_ring),
    TEST(test_one_cpu_is_refused_or_means_batch),
    TEST(test_missing_cpu_is_named),
    TEST(test_shards_have_sq_threads_of_their_own_or_share_one),
    TEST_END,
};
