/* SPDX-License-Identifier: MIT */
/*
 * ring_uring_test.c - tests of engine/ring_uring.c
 *
 * How operations behave is in ring_script_test.c, which compares with the simulated ring.
 * Here is what only the kernel's ring has: refusals, set-up flags, signals, full queues.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "ouro.h"

#include "check.h"
#include "cpus.h"
#include "loop.h"
#include "ring.h"
#include "test.h"

#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif

static int open_ring(struct ring *ring, const char *spec, unsigned entries)
{
    struct ring_config config;
    struct ring_hint hint = {""};
    int code = ouro__ring_parse(spec, &config, &hint);

    if (!code) {
        config.sq_entries = entries;
        code = ouro__ring_open(ring, &config, &hint);
    }
    if (code)
        printf("    %s: %s\n", spec, hint.text);
    return code;
}

static bool must_skip(void)
{
    struct ring ring;

    if (test_kernel_ring() && !open_ring(&ring, test_kernel_ring(), 1)) {
        ouro__ring_close(&ring);
        return false;
    }
    TEST_SKIP("the kernel's ring is not to be had");
    return true;
}

/* --- a kernel that refuses ------------------------------------------------------------------- */

/* From now on io_uring_setup(2) fails in this process; as the profiles of containers do it. */
static int refuse_io_uring(int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned) error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = COUNT_OF(filter), .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static int do_nothing(void *arg)
{
    (void) arg;
    return 0;
}

enum { NO_FILTER = 77 };

static int run_refused(void *arg)
{
    int error = *(const int *) arg;

    if (refuse_io_uring(error))
        return NO_FILTER;
    return ouro_run(do_nothing, NULL, NULL) == -error ? 0 : 1;
}

static bool io_uring_is_disabled(void)
{
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    int value = 0;

    if (file) {
        if (fscanf(file, "%d", &value) != 1)
            value = 0;
        (void) fclose(file);
    }
    return value > 0;
}

static void test_refusal_is_returned_and_explained(void)
{
    static const struct {
        int error;
        const char *words[3];
    } rows[] = {
        {EPERM, {"seccomp", "container", "io_uring_setup"}},
        {EACCES, {"seccomp", "container", "io_uring_setup"}},
        {ENOSYS, {"seccomp", "container", "6.1"}},
        {ENOMEM, {"memory", "ulimit -l", "fewer entries"}},
        {ENFILE, {"file descriptor", "ulimit -n", "raise"}},
        {EIO, {"Input/output error", "io_uring_setup", "6.1"}},
    };

    if (io_uring_is_disabled()) {
        TEST_SKIP("the sysctl kernel.io_uring_disabled is on: another explanation is given");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int error = rows[i].error;
        struct child child = run_in_child(run_refused, &error);

        if (exited_with(&child, NO_FILTER)) {
            TEST_SKIP("no seccomp filters here");
            return;
        }
        CU_ASSERT(exited_with(&child, 0));
        CU_ASSERT(said(&child, "ouro: cannot start: "));
        CU_ASSERT(said(&child, strerrordesc_np(error)));
        for (size_t j = 0; j < COUNT_OF(rows[i].words); j++)
            CU_ASSERT(said(&child, rows[i].words[j]));
    }
}

static int run_without_descriptors(void *arg)
{
    const struct rlimit limit = {3, 3};

    (void) arg;
    (void) setrlimit(RLIMIT_NOFILE, &limit);
    for (int fd = 3; fd < 1024; fd++)
        (void) close(fd);
    return ouro_run(do_nothing, NULL, NULL) == -EMFILE ? 0 : 1;
}

static void test_missing_descriptors_are_explained(void)
{
    struct child child;

    if (must_skip())
        return;
    child = run_in_child(run_without_descriptors, NULL);
    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT(said(&child, "ulimit -n"));
}

/* A loop on the simulated ring needs nothing of what was refused. */
static int run_sim_refused(void *arg)
{
    const struct ouro_run_options options = {.ring = "sim"};

    (void) arg;
    if (refuse_io_uring(EPERM))
        return NO_FILTER;
    return ouro_run(do_nothing, NULL, &options) ? 1 : 0;
}

static void test_simulated_ring_works_where_the_kernel_refuses(void)
{
    struct child child = run_in_child(run_sim_refused, NULL);

    if (exited_with(&child, NO_FILTER)) {
        TEST_SKIP("no seccomp filters here");
        return;
    }
    CU_ASSERT(exited_with(&child, 0));
    CU_ASSERT_STRING_EQUAL(child.text, "");
}

/* --- set-up ------------------------------------------------------------------------------------ */

static unsigned setup_flags(const struct ring *ring)
{
    return ((const struct io_uring *) ring->state)->flags; /* it is what the state begins with */
}

static void test_masked_kernel_hides_what_is_newer(void)
{
    static const struct {
        const char *spec;
        bool masks_guards;
    } rows[] = {
        {"uring:kernel=6.1", true},
        {"uring:kernel=6.12", true},
        {"uring:kernel=6.13", false},
        {"uring:kernel=7.0", false},
        {"uring", false},
        {"batch", false},
    };

    if (must_skip())
        return;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ring ring;

        CU_ASSERT_EQUAL_FATAL(open_ring(&ring, rows[i].spec, 64), 0);
        CU_ASSERT(setup_flags(&ring) & IORING_SETUP_DEFER_TASKRUN);
        CU_ASSERT_EQUAL(ring.mask_guard_madvise, rows[i].masks_guards);
        CU_ASSERT_FALSE(ring.simulated);
        ouro__ring_close(&ring);
    }
}

static void test_mode_has_its_flags_and_says_its_name(void)
{
    static const struct {
        const char *spec, *name;
        enum ring_mode mode;
        unsigned flags, not_flags;
        int64_t poll_ns;
    } rows[] = {
        {"uring", "uring:mode=batch", RING_BATCH, IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SQPOLL,
         0},
        {"uring:mode=sqpoll,idle=3ms", "uring:mode=sqpoll", RING_SQPOLL,
         IORING_SETUP_SQPOLL | IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_DEFER_TASKRUN,
         3 * OURO_MILLISECOND},
        {"uring:mode=sqpoll,kernel=6.1", "uring:mode=sqpoll", RING_SQPOLL, IORING_SETUP_SQPOLL,
         IORING_SETUP_DEFER_TASKRUN, 2 * OURO_MILLISECOND},
    };

    if (must_skip())
        return;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ring ring;

        if (rows[i].mode == RING_SQPOLL && ouro__cpus_count() < 2) {
            TEST_SKIP("sqpoll takes two CPUs");
            return;
        }
        CU_ASSERT_EQUAL_FATAL(open_ring(&ring, rows[i].spec, 64), 0);
        CU_ASSERT_EQUAL(setup_flags(&ring) & rows[i].flags, rows[i].flags);
        CU_ASSERT_EQUAL(setup_flags(&ring) & rows[i].not_flags, 0);
        CU_ASSERT_EQUAL(ring.mode, rows[i].mode);
        CU_ASSERT_EQUAL(ring.poll_ns, rows[i].poll_ns);
        CU_ASSERT_STRING_EQUAL(ouro__ring_mode_name(&ring), rows[i].name);
        ouro__ring_close(&ring);
    }
}

static void test_queue_has_the_entries_asked_for(void)
{
    if (must_skip())
        return;
    for (unsigned entries = 1; entries <= 4096; entries *= 16) {
        struct ring ring;

        CU_ASSERT_EQUAL_FATAL(open_ring(&ring, test_kernel_ring(), entries), 0);
        CU_ASSERT_EQUAL(ring.sq_entries, entries);
        for (unsigned i = 0; i < entries; i++)
            CU_ASSERT_PTR_NOT_NULL(ouro__ring_get_sqe(&ring));
        CU_ASSERT_PTR_NULL(ouro__ring_get_sqe(&ring));
        ouro__ring_close(&ring);
    }
}

static int count_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void test_closed_ring_leaves_no_descriptor_behind(void)
{
    struct ring ring;
    int before;

    if (must_skip())
        return;
    before = count_descriptors();
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL_FATAL(open_ring(&ring, test_kernel_ring(), 8), 0);
        CU_ASSERT(count_descriptors() > before);
        ouro__ring_close(&ring);
    }
    CU_ASSERT_EQUAL(count_descriptors(), before);
}

static void test_ring_is_closed_on_exec(void)
{
    struct ring ring;
    int fd;

    if (must_skip())
        return;
    CU_ASSERT_EQUAL_FATAL(open_ring(&ring, test_kernel_ring(), 8), 0);
    fd = ((const struct io_uring *) ring.state)->ring_fd;
    CU_ASSERT(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ouro__ring_close(&ring);
}

/* --- entering ------------------------------------------------------------------------------------ */

/* Fills NOPs that answer with their numbers from `first` on. */
static void queue_nops(struct ring *ring, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct io_uring_sqe *sqe = ouro__ring_get_sqe(ring);

        CU_ASSERT_PTR_NOT_NULL_FATAL(sqe);
        io_uring_prep_nop(sqe);
        sqe->user_data = first + i;
    }
}

/* Takes completions; they are to come with their numbers from `first` on. Returns how many. */
static unsigned reap_nops(struct ring *ring, unsigned first)
{
    unsigned count = 0;

    while (ouro__ring_completed(ring)) {
        const struct io_uring_cqe *cqe = ouro__ring_peek(ring);

        CU_ASSERT_EQUAL(cqe->user_data, first + count);
        CU_ASSERT_EQUAL(cqe->res, 0);
        ouro__ring_pop(ring);
        count++;
    }
    return count;
}

static void test_one_system_call_submits_and_completes_a_batch(void)
{
    struct ring ring;

    if (must_skip())
        return;
    CU_ASSERT_EQUAL_FATAL(open_ring(&ring, "batch", 64), 0);
    for (unsigned round = 0; round < 10; round++) {
        queue_nops(&ring, 64 * round, 64);
        CU_ASSERT_EQUAL(ouro__ring_unsubmitted(&ring), 64);
        CU_ASSERT_EQUAL(ring.backend->enter(&ring, true, OURO_FOREVER), 0);
        CU_ASSERT_EQUAL(ouro__ring_unsubmitted(&ring), 0);
        CU_ASSERT_EQUAL(reap_nops(&ring, 64 * round), 64);
    }
    CU_ASSERT_EQUAL(ring.system_calls, 10);
    ouro__ring_close(&ring);
}

static void test_wait_ends_at_its_deadline(void)
{
    struct ring ring;
    int64_t start, deadline;

    if (must_skip())
        return;
    CU_ASSERT_EQUAL_FATAL(open_ring(&ring, test_kernel_ring(), 8), 0);
    start = ring.backend->now(&ring);
    deadline = start + 10 * OURO_MILLISECOND;
    CU_ASSERT_EQUAL(ring.backend->enter(&ring, true, deadline), -ETIME);
    CU_ASSERT(ring.backend->now(&ring) >= deadline);
    CU_ASSERT(ring.backend->now(&ring) < deadline + 5 * OURO_SECOND);
    /* What has passed already is not waited for. */
    CU_ASSERT_EQUAL(ring.backend->enter(&ring, true, start), -ETIME);
    CU_ASSERT_EQUAL(ring.backend->enter(&ring, true, 0), -ETIME);
    CU_ASSERT_EQUAL(ring.backend->enter(&ring, false, OURO_FOREVER), 0);
    ouro__ring_close(&ring);
}

/* More completions than the queue holds: they wait in the kernel, and none is lost. */
static void test_completions_that_overflow_are_kept(void)
{
    enum { SQ = 64, TOTAL = 12800 };
    unsigned submitted = 0, reaped = 0;
    struct ring ring;

    if (must_skip())
        return;
    CU_ASSERT_EQUAL_FATAL(open_ring(&ring, "batch", SQ), 0); /* sqpoll's is in sqpoll_test.c */
    CU_ASSERT(ring.cq_mask + 1 < TOTAL);
    while (submitted < TOTAL) {
        queue_nops(&ring, submitted, SQ);
        submitted += SQ;
        CU_ASSERT_EQUAL(ring.backend->enter(&ring, false, 0), 0);
    }
    CU_ASSERT(ouro__ring_wants_enter(&ring));
    for (int round = 0; round < 100 && reaped < TOTAL; round++) {
        reaped += reap_nops(&ring, reaped);
        CU_ASSERT_EQUAL(ring.backend->enter(&ring, false, 0), 0);
    }
    CU_ASSERT_EQUAL(reaped, TOTAL);
    CU_ASSERT_FALSE(ouro__ring_wants_enter(&ring));
    ouro__ring_close(&ring);
}

/* --- signals --------------------------------------------------------------------------------------- */

static volatile sig_atomic_t ticks;

static void count_tick(int number)
{
    (void) number;
    ticks = ticks + 1;
}

/* Sends SIGUSR1 every `period` until it is deleted. */
static int start_ticking(int64_t period, timer_t *ret_timer)
{
    struct sigaction action = {.sa_handler = count_tick};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    const struct itimerspec interval = {.it_value.tv_nsec = period, .it_interval.tv_nsec = period};

    (void) sigaction(SIGUSR1, &action, NULL);
    ticks = 0;
    if (timer_create(CLOCK_MONOTONIC, &event, ret_timer))
        return -errno;
    return timer_settime(*ret_timer, 0, &interval, NULL) ? -errno : 0;
}

static void stop_ticking(timer_t timer)
{
    (void) timer_delete(timer);
    (void) signal(SIGUSR1, SIG_IGN); /* one may still be on its way */
    (void) signal(SIGUSR1, SIG_DFL);
}

static void test_signal_ends_a_wait(void)
{
    struct ring ring;
    timer_t timer;

    if (must_skip())
        return;
    CU_ASSERT_EQUAL_FATAL(open_ring(&ring, test_kernel_ring(), 8), 0);
    CU_ASSERT_EQUAL_FATAL(start_ticking(5 * OURO_MILLISECOND, &timer), 0);
    CU_ASSERT_EQUAL(ring.backend->enter(&ring, true, OURO_FOREVER), -EINTR);
    CU_ASSERT_EQUAL(ring.backend->enter(&ring, true, ring.backend->now(&ring) + 30 * OURO_SECOND),
                    -EINTR);

    /* And it is as good as before. */
    queue_nops(&ring, 0, 8);
    while (ouro__ring_completed(&ring) < 8)
        (void) ring.backend->enter(&ring, true, OURO_FOREVER);
    CU_ASSERT_EQUAL(reap_nops(&ring, 0), 8);
    stop_ticking(timer);
    ouro__ring_close(&ring);
}

static int sleep_through_signals(void *arg)
{
    int64_t start = ouro_now();

    (void) arg;
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(ouro_sleep(10 * OURO_MILLISECOND), 0);
    CU_ASSERT(ouro_now() - start >= 50 * OURO_MILLISECOND);
    return 0;
}

static void test_loop_goes_on_after_signals(void)
{
    timer_t timer;

    if (must_skip())
        return;
    CU_ASSERT_EQUAL_FATAL(start_ticking(OURO_MILLISECOND, &timer), 0);
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, sleep_through_signals, NULL), 0);
    CU_ASSERT(ticks > 5);
    stop_ticking(timer);
}

const struct test ring_uring_tests[] = {
    TEST(test_refusal_is_returned_and_explained),
    TEST(test_missing_descriptors_are_explained),
    TEST(test_simulated_ring_works_where_the_kernel_refuses),
    TEST(test_masked_kernel_hides_what_is_newer),
    TEST(test_mode_has_its_flags_and_says_its_name),
    TEST(test_queue_has_the_entries_asked_for),
    TEST(test_closed_ring_leaves_no_descriptor_behind),
    TEST(test_ring_is_closed_on_exec),
    TEST(test_one_system_call_submits_and_completes_a_batch),
    TEST(test_wait_ends_at_its_deadline),
    TEST(test_completions_that_overflow_are_kept),
    TEST(test_signal_ends_a_wait),
    TEST(test_loop_goes_on_after_signals),
    TEST_END,
};
