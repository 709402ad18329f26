/* SPDX-License-Identifier: MIT */
/*
 * pipe_test.c - tests of engine/pipe.c, and of reading and writing pipes
 */
#include <errno.h>
#include <linux/net_tstamp.h>
#include <poll.h>
#include <stdint.h>

#include "check.h"
#include "dispatcher.h"
#include "scratch.h"

#define PIPE_BYTES ((size_t) 64 * 1024)

static void run_on_all_rings(ouro_task_fn *fn)
{
    for (int i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(run_sim(fn, NULL), 0);
    CU_ASSERT_EQUAL(run_with("sim:seed=1,short=90", 0, fn, NULL), 0);
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, fn, NULL), 0);
}

/* --- reading and writing ------------------------------------------------------------------- */

struct writer {
    int fd;
    size_t len;
    bool is_done;
};

static int write_slowly(void *arg)
{
    struct writer *writer = arg;
    char *bytes = malloc(writer->len);

    for (size_t i = 0; i < writer->len; i++)
        bytes[i] = (char) (i * 31 + i / 4093);
    CU_ASSERT_EQUAL(ouro_write_all(writer->fd, bytes, writer->len, NULL), 0);
    writer->is_done = true;
    free(bytes);
    return ouro_close(writer->fd);
}

static int pass_through_pipe(void *arg)
{
    struct writer writer = {.len = 1000000};
    char *bytes = malloc(writer.len);
    ouro_task_id id;
    int fds[2];

    (void) arg;
    CU_ASSERT_EQUAL(ouro_pipe(fds), 0);
    writer.fd = fds[1];
    id = ouro_spawn(write_slowly, &writer);
    CU_ASSERT_EQUAL(ouro_read_exact(fds[0], bytes, 1, NULL), 0);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT(!writer.is_done); /* it waits for a slow reader */
    CU_ASSERT_EQUAL(ouro_read_exact(fds[0], bytes + 1, writer.len - 1, NULL), 0);
    for (size_t i = 0; i < writer.len; i += 997)
        CU_ASSERT_EQUAL(bytes[i], (char) (i * 31 + i / 4093));
    CU_ASSERT_EQUAL(ouro_read(fds[0], bytes, 1), 0); /* the end */
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);
    free(bytes);
    return 0;
}

static void test_megabyte_passes_a_pipe_with_a_slow_reader(void)
{
    run_on_all_rings(pass_through_pipe);
}

static int probe_ends(void *arg)
{
    struct stat stat;
    char buf[10];
    int fds[2], other[2];

    (void) arg;
    CU_ASSERT_EQUAL(ouro_pipe(fds), 0);
    CU_ASSERT_EQUAL(ouro_fstat(fds[0], &stat), 0);
    CU_ASSERT(S_ISFIFO(stat.st_mode));
    CU_ASSERT_EQUAL(ouro_read(fds[1], buf, 1), -EBADF);
    CU_ASSERT_EQUAL(ouro_write(fds[0], buf, 1), -EBADF);
    CU_ASSERT_EQUAL(ouro_poll(fds[1], POLLOUT), POLLOUT);
    CU_ASSERT_EQUAL(ouro_fsync(fds[1]), -EINVAL);
    CU_ASSERT_EQUAL(ouro_fallocate(fds[1], 0, 0, 1), -ESPIPE);
    CU_ASSERT_EQUAL(ouro_recv(fds[0], buf, 1, 0), -ENOTSOCK);
    CU_ASSERT_EQUAL(ouro_write(fds[1], "abc", 3), 3);
    CU_ASSERT_EQUAL(ouro_poll(fds[0], POLLIN), POLLIN);
    CU_ASSERT_EQUAL(ouro_pread(fds[0], buf, 1, 5), 1); /* no such thing as an offset */
    CU_ASSERT_EQUAL(ouro_close(fds[1]), 0);
    CU_ASSERT_EQUAL(ouro_poll(fds[0], POLLIN), POLLIN | POLLHUP);
    CU_ASSERT_EQUAL(ouro_read_exact(fds[0], buf, 2, NULL), 0);
    CU_ASSERT_EQUAL(ouro_poll(fds[0], POLLIN), POLLHUP);
    CU_ASSERT_EQUAL(ouro_read(fds[0], buf, 1), 0);
    CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);

    CU_ASSERT_EQUAL(ouro_pipe(other), 0);
    CU_ASSERT_EQUAL(ouro_close(other[0]), 0);
    CU_ASSERT_EQUAL(ouro_poll(other[1], POLLOUT), POLLOUT | POLLERR);
    CU_ASSERT_EQUAL(ouro_write(other[1], "abc", 3), -EPIPE); /* and no SIGPIPE */
    CU_ASSERT_EQUAL(ouro_write(other[1], "", 0), 0);
    return ouro_close(other[1]);
}

static void test_ends_of_a_pipe_tell_what_became_of_the_other(void)
{
    run_on_each_ring(probe_ends, NULL);
}

static int read_nothing(void *arg)
{
    char byte;

    return (int) ouro_read(*(int *) arg, &byte, 1);
}

static int interrupt_pipes(void *arg)
{
    struct ouro_timeout limit;
    char *bytes = calloc(2, PIPE_BYTES);
    ouro_task_id id;
    size_t written;
    int result = 0;
    int fds[2];

    (void) arg;
    CU_ASSERT_EQUAL(ouro_pipe(fds), 0);
    id = ouro_spawn(read_nothing, &fds[0]);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    ouro_timeout_begin(&limit, 20 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_write_all(fds[1], bytes, 2 * PIPE_BYTES, &written), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(written, PIPE_BYTES); /* the kernel's capacity */
    CU_ASSERT_EQUAL(ouro_read_exact(fds[0], bytes, PIPE_BYTES, NULL), 0);
    free(bytes);
    CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);
    return ouro_close(fds[1]);
}

static void test_waiting_for_a_pipe_can_be_interrupted(void)
{
    run_on_each_ring(interrupt_pipes, NULL);
}

/*
 * A pipe counts pages. Each step writes (positive) or reads bytes (negative) and says whether
 * poll(2) then finds room. The last page may take a byte without being counted (1); the first one
 * counts until it is empty (2); what does not fit behind other bytes gets a page of its own (3).
 */
static int count_pages(void *arg)
{
    static const struct {
        int bytes;
        bool has_room;
    } steps[] = {
        {65535, false}, {1, false},                                    /* (1) */
        {-100, false},  {-3995, false}, {-1, true},     {4096, false}, /* (2) */
        {-4096, true},  {10, false},    {-61440, true}, {-10, true},
        {10, true},     {4090, true}, /* (3) */
        {57344, false}, {-10, true},    {-4090, true},  {-57344, true},
    };
    static char bytes[65536];
    int fds[2];

    (void) arg;
    CU_ASSERT_EQUAL(ouro_pipe(fds), 0);
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        struct ouro_timeout limit;
        int events;

        if (steps[i].bytes > 0)
            CU_ASSERT_EQUAL(ouro_write_all(fds[1], bytes, (size_t) steps[i].bytes, NULL), 0);
        if (steps[i].bytes < 0)
            CU_ASSERT_EQUAL(ouro_read_exact(fds[0], bytes, (size_t) -steps[i].bytes, NULL), 0);
        ouro_timeout_begin(&limit, steps[i].has_room ? OURO_SECOND : OURO_MILLISECOND);
        events = ouro_poll(fds[1], POLLOUT);
        (void) ouro_timeout_end(&limit);
        CU_ASSERT_EQUAL(events, steps[i].has_room ? POLLOUT : -ETIMEDOUT);
    }
    CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);
    return ouro_close(fds[1]);
}

static void test_pipe_is_full_when_its_pages_are(void)
{
    run_on_each_ring(count_pages, NULL);
}

/* --- splice -------------------------------------------------------------------------------- */

#define RELAYED ((size_t) 1 << 20)

struct relay {
    int from, to;
    const char *bytes;
    unsigned call_count;
};

static int move_all(void *arg)
{
    struct relay *relay = arg;
    int pipe_fds[2];
    ssize_t in, out;

    CU_ASSERT_EQUAL(ouro_pipe(pipe_fds), 0);
    while ((in = ouro_splice(relay->from, NULL, pipe_fds[1], NULL, PIPE_BYTES, 0)) > 0) {
        for (; in > 0; in -= out) {
            out = ouro_splice(pipe_fds[0], NULL, relay->to, NULL, (size_t) in, 0);
            CU_ASSERT(out > 0);
            relay->call_count++;
            if (out <= 0)
                return -1;
        }
        relay->call_count++;
    }
    CU_ASSERT_EQUAL(in, 0);
    CU_ASSERT_EQUAL(ouro_close(pipe_fds[0]), 0);
    CU_ASSERT_EQUAL(ouro_close(pipe_fds[1]), 0);
    return ouro_shutdown(relay->to, SHUT_WR);
}

/* In parts with pauses, so that the relay waits for its input. */
static int send_parts(void *arg)
{
    struct relay *relay = arg;

    for (size_t sent = 0; sent < RELAYED; sent += RELAYED / 8) {
        CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
        CU_ASSERT_EQUAL(ouro_send_all(relay->from, relay->bytes + sent, RELAYED / 8, NULL), 0);
    }
    return ouro_shutdown(relay->from, SHUT_WR);
}

static int relay_megabyte(void *arg)
{
    char *bytes = malloc(RELAYED);
    char *copy = calloc(1, RELAYED);
    int left[2], right[2];
    struct relay relay, source;
    uint64_t before = ouro__dispatcher->ring.system_calls;
    ouro_task_id mover, sender;
    char byte;

    (void) arg;
    for (size_t i = 0; i < RELAYED; i++)
        bytes[i] = (char) (i * 31 + i / 4093);
    make_pair(left);
    make_pair(right);
    source = (struct relay) {.from = left[0], .bytes = bytes};
    relay = (struct relay) {.from = left[1], .to = right[0]};
    mover = ouro_spawn(move_all, &relay);
    sender = ouro_spawn(send_parts, &source);
    for (size_t got = 0; got < RELAYED; got += RELAYED / 4) { /* and for its output */
        CU_ASSERT_EQUAL(ouro_sleep(3 * OURO_MILLISECOND), 0);
        CU_ASSERT_EQUAL(ouro_recv_exact(right[1], copy + got, RELAYED / 4, NULL), 0);
    }
    CU_ASSERT_EQUAL(ouro_recv(right[1], &byte, 1, 0), 0);
    CU_ASSERT_EQUAL(ouro_join(mover, NULL), 0);
    CU_ASSERT_EQUAL(ouro_join(sender, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(bytes, copy, RELAYED), 0);
    /* It waited, and did not ask again and again. */
    CU_ASSERT(ouro__dispatcher->ring.system_calls - before < 20 * relay.call_count + 2000);
    close_pair(left);
    close_pair(right);
    free(bytes);
    free(copy);
    return 0;
}

static void test_splice_relays_a_megabyte_between_slow_peers(void)
{
    run_on_all_rings(relay_megabyte);
}

/* Whoever looks at the flags of a socket after a splice does not find O_NONBLOCK. */
static int receive_after_splice(void *arg)
{
    struct ouro_timeout limit;
    int fds[2], pipe_fds[2];
    char byte;

    (void) arg;
    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_pipe(pipe_fds), 0);
    ouro_timeout_begin(&limit, 5 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_splice(fds[0], NULL, pipe_fds[1], NULL, 10, 0), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    ouro_timeout_begin(&limit, 5 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_recv(fds[0], &byte, 1, 0), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    ouro_timeout_begin(&limit, 5 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_splice(pipe_fds[0], NULL, fds[0], NULL, 10, 0), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT(ouro__dispatcher->ring.simulated || !(fcntl(fds[0], F_GETFL) & O_NONBLOCK));
    close_pair(fds);
    close_pair(pipe_fds);
    return 0;
}

static void test_splice_waits_interruptibly_and_leaves_sockets_blocking(void)
{
    run_on_each_ring(receive_after_splice, NULL);
}

static int splice_files(void *arg)
{
    const char *path = scratch_path(arg, "file");
    int fd = ouro_open(path, O_CREAT | O_RDWR, 0600);
    int64_t from = 2, to = 10;
    char buf[20] = "";
    int fds[2], others[2];

    CU_ASSERT_EQUAL(ouro_pipe(fds), 0);
    CU_ASSERT_EQUAL(ouro_pipe(others), 0);
    CU_ASSERT_EQUAL(ouro_pwrite_all(fd, "abcdef", 6, 0, NULL), 0);
    CU_ASSERT_EQUAL(ouro_splice(fd, &from, fds[1], NULL, 100, 0), 4);
    CU_ASSERT_EQUAL(from, 6);
    CU_ASSERT_EQUAL(ouro_splice(fd, &from, fds[1], NULL, 100, 0), 0); /* the end */
    CU_ASSERT_EQUAL(ouro_splice(fds[0], NULL, others[1], NULL, 100, 0), 4);
    CU_ASSERT_EQUAL(ouro_splice(others[0], NULL, fd, &to, 3, 0), 3);
    CU_ASSERT_EQUAL(to, 13);
    CU_ASSERT_EQUAL(ouro_splice(others[0], NULL, fd, NULL, 3, 0), 1);
    CU_ASSERT_EQUAL(ouro_pread_exact(fd, buf, 13, 0, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "fbcdef\0\0\0\0cde", 13), 0);
    CU_ASSERT_EQUAL(ouro_splice(fd, NULL, fd, NULL, 1, 0), -EINVAL);
    CU_ASSERT_EQUAL(ouro_splice(fds[0], NULL, fds[1], NULL, 1, 0), -EINVAL);
    CU_ASSERT_EQUAL(ouro_splice(fds[0], &from, fd, NULL, 1, 0), -ESPIPE);
    CU_ASSERT_EQUAL(ouro_splice(fds[1], NULL, fd, NULL, 1, 0), -EBADF);
    CU_ASSERT_EQUAL(ouro_splice(-1, NULL, fds[1], NULL, 1, 0), -EBADF);
    CU_ASSERT_EQUAL(ouro_splice(-1, NULL, fds[1], NULL, 0, 0), 0); /* nothing is nothing */
    CU_ASSERT_EQUAL(ouro_splice(fds[0], NULL, -1, NULL, 1, 0), -EBADF);
    CU_ASSERT_EQUAL(ouro_splice(fd, NULL, fds[1], NULL, 0, 0), 0);
    CU_ASSERT_EQUAL(ouro_close(fds[1]), 0);
    CU_ASSERT_EQUAL(ouro_splice(fds[0], NULL, others[1], NULL, 1, 0), 0); /* the end */
    CU_ASSERT_EQUAL(ouro_close(others[0]), 0);
    CU_ASSERT_EQUAL(ouro_splice(fd, NULL, others[1], NULL, 1, 0), -EPIPE);
    CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);
    CU_ASSERT_EQUAL(ouro_close(others[1]), 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return ouro_unlink(path);
}

/* Bytes that came by splice have pages of their own, which no write fills up. */
static int fill_with_splice(void *arg)
{
    const char *path = scratch_path(arg, "file");
    int fd = ouro_open(path, O_CREAT | O_RDWR, 0600);
    struct ouro_timeout limit;
    int fds[2];

    CU_ASSERT_EQUAL(ouro_pipe(fds), 0);
    CU_ASSERT_EQUAL(ouro_pwrite_all(fd, "0123456789abcde", 15, 0, NULL), 0);
    for (int i = 0; i < 15; i++)
        CU_ASSERT_EQUAL(ouro_splice(fd, NULL, fds[1], NULL, 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_poll(fds[1], POLLOUT), POLLOUT);
    CU_ASSERT_EQUAL(ouro_write(fds[1], "f", 1), 1);
    ouro_timeout_begin(&limit, OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_poll(fds[1], POLLOUT), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    close_pair(fds);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return ouro_unlink(path);
}

static void test_sixteen_spliced_bytes_fill_a_pipe(void)
{
    run_scratch_on_each_ring(fill_with_splice);
}

static void test_splice_of_files_and_pipes(void)
{
    run_scratch_on_each_ring(splice_files);
}

static int splice_cancelled(void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_splice(-1, NULL, -1, NULL, 1, 0), -ECANCELED);
    return 0;
}

static void test_splice_of_a_cancelled_task_moves_nothing(void)
{
    CU_ASSERT_EQUAL(run_sim(splice_cancelled, NULL), 0);
}

static int splice_beside_errors(void *arg)
{
    unsigned stamps = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
    struct ouro_counters before, after;
    struct ouro_timeout limit;
    int ends[2], fds[2];

    (void) arg;
    make_pair(ends);
    CU_ASSERT_EQUAL(ouro_pipe(fds), 0);
    CU_ASSERT_EQUAL(ouro_setsockopt(ends[0], SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps)),
                    0);
    CU_ASSERT_EQUAL(ouro_send(ends[0], "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_poll(ends[0], POLLERR), POLLERR); /* when it was sent is in the queue */
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    ouro_timeout_begin(&limit, 50 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_splice(ends[0], NULL, fds[1], NULL, 1, 0), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT(after.turns - before.turns < 500);
    CU_ASSERT_EQUAL(ouro_send(ends[1], "y", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_splice(ends[0], NULL, fds[1], NULL, 1, 0), 1);
    close_pair(ends);
    close_pair(fds);
    return 0;
}

static void test_splice_does_not_spin_for_errors_that_are_none(void)
{
    if (!test_kernel_ring()) {
        TEST_SKIP("there is no kernel ring");
        return;
    }
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, splice_beside_errors, NULL), 0);
}

const struct test pipe_tests[] = {
    TEST(test_megabyte_passes_a_pipe_with_a_slow_reader),
    TEST(test_ends_of_a_pipe_tell_what_became_of_the_other),
    TEST(test_waiting_for_a_pipe_can_be_interrupted),
    TEST(test_pipe_is_full_when_its_pages_are),
    TEST(test_splice_relays_a_megabyte_between_slow_peers),
    TEST(test_splice_waits_interruptibly_and_leaves_sockets_blocking),
    TEST(test_splice_of_files_and_pipes),
    TEST(test_sixteen_spliced_bytes_fill_a_pipe),
    TEST(test_splice_of_a_cancelled_task_moves_nothing),
    TEST(test_splice_does_not_spin_for_errors_that_are_none),
    TEST_END,
};
