/* SPDX-License-Identifier: MIT */
/*
 * stream_test.c - tests of proto/stream.c and proto/dial.c
 *
 * Each runs on the kernel's ring and on the simulated one, there also with half of all
 * transfers cut short.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "loop.h"
#include "ouro_stream.h"

static void on_all_rings(ouro_task_fn *fn)
{
    const char *const rings[] = {test_kernel_ring(), test_sim_ring(), "sim:seed=1,short=50"};

    for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
        struct ouro_run_options options = {.ring = rings[i]};

        CU_ASSERT_EQUAL(ouro_run(fn, NULL, &options), 0);
        options.buffer_bytes = 20000; /* more than a read buffer holds */
        CU_ASSERT_EQUAL(ouro_run(fn, NULL, &options), 0);
    }
}

/* Two streams that are connected; a connect needs no accept to succeed. */
static int connect_streams(struct ouro_stream *ends[2])
{
    struct ouro_address address;
    int listener = listen_locally(&address);
    int fd, code;

    if (listener < 0)
        return listener;
    code = ouro_dial("127.0.0.1", ouro_address_port(&address), NULL, &ends[0]);
    if (code)
        return code;
    fd = ouro_accept(listener, NULL);
    if (fd < 0)
        return fd;
    (void) ouro_close(listener);
    return ouro_stream_socket_take(fd, &ends[1]);
}

static void close_streams(struct ouro_stream *ends[2])
{
    CU_ASSERT_EQUAL(ouro_stream_close(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[1]), 0);
}

static void send_text(struct ouro_stream *stream, const char *text)
{
    CU_ASSERT_EQUAL(ouro_stream_write_all(stream, text, strlen(text)), 0);
}

/* --- reading ----------------------------------------------------------------------------- */

static int read_to_the_end(void *arg)
{
    struct ouro_stream *ends[2];
    char buf[16];
    size_t len;
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    send_text(ends[0], "hello");
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 3, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "hel", 3), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 3, &len), OURO_EEOF);
    CU_ASSERT_EQUAL(len, 2);
    CU_ASSERT_EQUAL(memcmp(buf, "lo", 2), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], buf, sizeof(buf)), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], buf, sizeof(buf)), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 0, NULL), 0);
    close_streams(ends);
    return 0;
}

static void test_reads_end_with_the_stream(void)
{
    on_all_rings(read_to_the_end);
}

static int peek_and_consume(void *arg)
{
    struct ouro_stream *ends[2];
    const char *data;
    char buf[16];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    CU_ASSERT_EQUAL(ouro_stream_peek(ends[1], 0, &data), 0);
    send_text(ends[0], "abcdef");
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_peek(ends[1], 6, &data), 6);
    CU_ASSERT_EQUAL(memcmp(data, "abcdef", 6), 0);
    ouro_stream_consume(ends[1], 2);
    CU_ASSERT_EQUAL(ouro_stream_buffered(ends[1]), 4);
    CU_ASSERT_EQUAL(ouro_stream_fd(ends[1]), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_stream_peek(ends[1], 5, &data), 4); /* all there is */
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], buf, sizeof(buf)), 4);
    CU_ASSERT_EQUAL(memcmp(buf, "cdef", 4), 0);
    CU_ASSERT_EQUAL(ouro_stream_peek(ends[1], 1, &data), 0);
    CU_ASSERT(ouro_stream_fd(ends[1]) >= 0);
    CU_ASSERT_EQUAL(ouro_stream_peek(ends[1], OURO_STREAM_BUFFER_MAX + 1, &data), OURO_ELIMIT);
    close_streams(ends);
    return 0;
}

static void test_peek_shows_bytes_and_leaves_them(void)
{
    on_all_rings(peek_and_consume);
}

static int push_bytes_back(void *arg)
{
    struct ouro_stream *ends[2];
    char buf[16];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], "b", 1), 0); /* before any read */
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], "a", 1), 0);
    send_text(ends[0], "cdef");
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 4, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "abcd", 4), 0);
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], "cd", 2), 0);
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], "0123ab", 6), 0);
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], "", 0), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 10, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "0123abcdef", 10), 0);
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], buf, OURO_STREAM_BUFFER_MAX + 1), OURO_ELIMIT);
    close_streams(ends);
    return 0;
}

static void test_bytes_pushed_back_come_first(void)
{
    on_all_rings(push_bytes_back);
}

/* What read_until and peek show is in the buffer that it goes back to. */
static int push_own_bytes_back(void *arg)
{
    struct ouro_stream *ends[2];
    const char *data;
    char buf[16];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    send_text(ends[0], "line\nmore");
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends[1], "\n", 1, 99, &data), 5);
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], data, 4), 0); /* without its end */
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 8, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "linemore", 8), 0);

    send_text(ends[0], "last\n");
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends[1], "\n", 1, 99, &data), 5);
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], data + 1, 3), 0); /* nothing else is there */
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 3, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "ast", 3), 0);

    send_text(ends[0], "abcdef");
    CU_ASSERT_EQUAL(ouro_stream_peek(ends[1], 6, &data), 6);
    ouro_stream_consume(ends[1], 2);
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], data, 6), 0); /* it has to move */
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 10, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "abcdefcdef", 10), 0);
    close_streams(ends);
    return 0;
}

static void test_bytes_that_the_stream_has_shown_can_be_pushed_back(void)
{
    on_all_rings(push_own_bytes_back);
}

static int read_lines(void *arg)
{
    struct ouro_stream *ends[2];
    const char *data;
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    send_text(ends[0], "one\r\n\r\nthr\ree\r\nlong line\r\nend");
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends[1], "\r\n", 2, 100, &data), 5);
    CU_ASSERT_EQUAL(memcmp(data, "one\r\n", 5), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends[1], "\r\n", 2, 2, &data), 2);
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends[1], "\r\n", 2, 100, &data), 8);
    CU_ASSERT_EQUAL(memcmp(data, "thr\ree\r\n", 8), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends[1], "\r\n", 2, 10, &data), OURO_ELIMIT);
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends[1], "\r\n", 2, 11, &data), 11);
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends[1], "\r\n", 2, 100, &data), OURO_EEOF);
    CU_ASSERT_EQUAL(ouro_stream_peek(ends[1], 3, &data), 3); /* nothing was taken */
    ouro_stream_consume(ends[1], 3);
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends[1], "\r\n", 2, 100, &data), 0);
    close_streams(ends);
    return 0;
}

static void test_lines_are_read_whole_within_a_limit(void)
{
    on_all_rings(read_lines);
}

/* --- volume ------------------------------------------------------------------------------ */

#define VOLUME 300000

static unsigned char pattern(size_t i)
{
    return (unsigned char) (i * 7 + i / 251);
}

static int write_volume(void *arg)
{
    struct ouro_stream *stream = arg;
    unsigned char *data = malloc(VOLUME);
    size_t done = 0;
    int code = data ? 0 : -ENOMEM;

    for (size_t i = 0; data && i < VOLUME; i++)
        data[i] = pattern(i);
    /* Pieces of all sizes around that of the buffer, and then some. */
    for (size_t len = 1; !code && done < VOLUME; len = len * 3 % 20011) {
        if (len > VOLUME - done)
            len = VOLUME - done;
        code = ouro_stream_write(stream, data + done, len);
        done += len;
    }
    if (!code)
        code = ouro_stream_shutdown_write(stream);
    free(data);
    return code;
}

static int move_volume(void *arg)
{
    struct ouro_stream *ends[2];
    struct ouro_group group;
    unsigned char buf[10000];
    size_t done = 0, wrong = 0;
    ssize_t len;
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, write_volume, ends[0]), 0);
    /* Reads that go past the buffer and reads that don't. */
    while ((len = ouro_stream_read(ends[1], buf, done % 3 ? sizeof(buf) : 100)) > 0)
        for (ssize_t i = 0; i < len; i++)
            wrong += buf[i] != pattern(done++);
    CU_ASSERT_EQUAL(len, 0);
    CU_ASSERT_EQUAL(done, VOLUME);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    close_streams(ends);
    return 0;
}

static void test_every_byte_arrives_once_and_in_order(void)
{
    on_all_rings(move_volume);
}

static int find_far_delimiter(void *arg)
{
    struct ouro_stream *ends[2];
    struct ouro_group group;
    const char *data;
    ssize_t len;
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, write_volume, ends[0]), 0);
    len = ouro_stream_read_until(ends[1], "no such", 7, 50000, &data);
    CU_ASSERT_EQUAL(len, OURO_ELIMIT);
    len = ouro_stream_peek(ends[1], 50000, &data);
    CU_ASSERT(len >= 50000);
    for (size_t i = 0; len > 0 && i < 50000; i += 999)
        CU_ASSERT_EQUAL((unsigned char) data[i], pattern(i));
    ouro_group_cancel(&group);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    close_streams(ends);
    return 0;
}

static void test_buffer_grows_as_far_as_it_is_asked_to(void)
{
    on_all_rings(find_far_delimiter);
}

static int buffer_small_writes(void *arg)
{
    struct ouro_stream *ends[2];
    char buf[8];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    CU_ASSERT_EQUAL(ouro_stream_write(ends[0], "ab", 2), 0);
    CU_ASSERT_EQUAL(ouro_stream_fd(ends[0]), -EAGAIN);
    CU_ASSERT_EQUAL(ouro_stream_write(ends[0], "", 0), 0);
    send_text(ends[0], "cd"); /* behind what was buffered */
    CU_ASSERT(ouro_stream_fd(ends[0]) >= 0);
    CU_ASSERT_EQUAL(ouro_stream_write(ends[0], "ef", 2), 0);
    CU_ASSERT_EQUAL(ouro_stream_flush(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_flush(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 6, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "abcdef", 6), 0);
    close_streams(ends);
    return 0;
}

static void test_small_writes_wait_for_a_flush(void)
{
    on_all_rings(buffer_small_writes);
}

/* --- interruptions ----------------------------------------------------------------------- */

static int time_out_a_read(void *arg)
{
    struct ouro_stream *ends[2];
    struct ouro_timeout limit;
    char buf[8];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    send_text(ends[0], "ab");
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 1, NULL), 0);
    ouro_timeout_begin(&limit, 10 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 2, NULL), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    send_text(ends[0], "cd"); /* the stream is as good as before */
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 2, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "cd", 2), 0);
    close_streams(ends);
    return 0;
}

static void test_interrupted_read_leaves_the_stream_usable(void)
{
    on_all_rings(time_out_a_read);
}

static int close_although_cancelled(void *arg)
{
    struct ouro_stream *ends[2];
    const char *data;
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_stream_peek(ends[0], 1, &data), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_stream_write(ends[0], "lost", 4), 0);
    CU_ASSERT_EQUAL(ouro_stream_flush(ends[0]), -ECANCELED);
    close_streams(ends);
    CU_ASSERT_EQUAL(ouro_stream_close(NULL), 0);
    return 0;
}

static void test_close_works_in_a_cancelled_task(void)
{
    on_all_rings(close_although_cancelled);
}

/* --- leases ------------------------------------------------------------------------------ */

/* Whether the next bytes, however they come apart, are these. */
static bool leases(struct ouro_stream *stream, const char *text)
{
    size_t done = 0, len = strlen(text);

    while (done < len) {
        struct ouro_lease lease;
        ssize_t got = ouro_stream_read_lease(stream, &lease);
        bool is_right = got > 0 && (size_t) got == lease.len && lease.len <= len - done &&
                        !memcmp(lease.data, text + done, lease.len);

        if (got > 0)
            ouro_lease_release(&lease);
        if (!is_right)
            return false;
        done += (size_t) got;
    }
    return true;
}

static int mix_leases_with_reads(void *arg)
{
    struct ouro_stream *ends[2];
    struct ouro_lease lease;
    const char *data;
    char buf[16];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    send_text(ends[0], "abc");
    CU_ASSERT(leases(ends[1], "abc"));
    send_text(ends[0], "defghi\nklmnop");
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 2, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "de", 2), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 3, NULL), 0);
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], "FGH", 3), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 3, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "FGH", 3), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends[1], "\n", 1, 10, &data), 2);
    CU_ASSERT_EQUAL(memcmp(data, "i\n", 2), 0);
    CU_ASSERT(ouro_stream_peek(ends[1], 3, &data) >= 3);
    CU_ASSERT_EQUAL(memcmp(data, "klm", 3), 0);
    CU_ASSERT(leases(ends[1], "klmnop"));
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_lease(ends[1], &lease), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], buf, sizeof(buf)), 0);
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], "again", 5), 0);
    CU_ASSERT(leases(ends[1], "again"));
    close_streams(ends);
    return 0;
}

static void test_leases_and_reads_can_be_mixed(void)
{
    on_all_rings(mix_leases_with_reads);
}

static int keep_lease_of_closed_stream(void *arg)
{
    struct ouro_stream *ends[2];
    struct ouro_lease lease;
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    send_text(ends[0], "x");
    CU_ASSERT_EQUAL(ouro_stream_read_lease(ends[1], &lease), 1);
    send_text(ends[0], "not read");
    close_streams(ends);
    CU_ASSERT_EQUAL(lease.data[0], 'x');
    ouro_lease_release(&lease);
    return 0;
}

static void test_lease_outlives_its_stream(void)
{
    on_all_rings(keep_lease_of_closed_stream);
}

/* Reads in every way there is; whoever loses or repeats a byte is found out. */
static ssize_t read_somehow(struct ouro_stream *stream, unsigned way, unsigned char *buf)
{
    struct ouro_lease lease;
    const char *data;
    ssize_t len;

    switch (way) {
    case 0:
        return ouro_stream_read(stream, buf, 100);
    case 1:
        return ouro_stream_read(stream, buf, 9000);
    case 2:
        len = ouro_stream_peek(stream, 700, &data);
        if (len > 9000)
            len = 9000;
        if (len > 0)
            memcpy(buf, data, (size_t) len);
        if (len > 0)
            ouro_stream_consume(stream, (size_t) len);
        return len;
    case 3: /* back and forth */
        len = ouro_stream_read(stream, buf, 50);
        if (len > 0 && ouro_stream_push_back(stream, buf, (size_t) len))
            return -ENOMEM;
        return len > 0 ? ouro_stream_read(stream, buf, 50) : len;
    default:
        len = ouro_stream_read_lease(stream, &lease);
        if (len <= 0)
            return len;
        memcpy(buf, lease.data, (size_t) len);
        ouro_lease_release(&lease);
        return len;
    }
}

static int move_volume_in_all_ways(void *arg)
{
    struct ouro_stream *ends[2];
    struct ouro_group group;
    unsigned char buf[20000];
    size_t done = 0, wrong = 0;
    ssize_t len;
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, write_volume, ends[0]), 0);
    for (unsigned i = 0; (len = read_somehow(ends[1], i * i % 7 % 6, buf)) > 0; i++) {
        for (ssize_t at = 0; at < len; at++)
            wrong += buf[at] != pattern(done++);
        if (i % 50 == 49)
            CU_ASSERT_EQUAL(ouro_stream_detach(ends[1]), 0);
    }
    CU_ASSERT_EQUAL(len, 0);
    CU_ASSERT_EQUAL(done, VOLUME);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    close_streams(ends);
    return 0;
}

static void test_all_ways_to_read_get_every_byte_once(void)
{
    on_all_rings(move_volume_in_all_ways);
}

static int detach_for_the_fd(void *arg)
{
    struct ouro_stream *ends[2];
    char buf[32];
    size_t len;
    int fd, code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    send_text(ends[0], "a");
    CU_ASSERT(leases(ends[1], "a"));
    CU_ASSERT_EQUAL(ouro_stream_fd(ends[1]), -EAGAIN);
    send_text(ends[0], "bcdef");
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 1, NULL), 0);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    CU_ASSERT_EQUAL(ouro_stream_detach(ends[1]), 0);
    CU_ASSERT_EQUAL(ouro_stream_detach(ends[1]), 0);
    len = ouro_stream_buffered(ends[1]);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, len, NULL), 0);
    fd = ouro_stream_fd(ends[1]);
    CU_ASSERT(fd >= 0);
    CU_ASSERT_EQUAL(ouro_recv_exact(fd, buf + len, 4 - len, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "cdef", 4), 0);
    send_text(ends[0], "g");
    CU_ASSERT(leases(ends[1], "g"));
    close_streams(ends);
    return 0;
}

static void test_detached_stream_shows_its_fd(void)
{
    on_all_rings(detach_for_the_fd);
}

static int detach_with_an_error(void *arg)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    struct ouro_stream *ends[2];
    struct ouro_lease lease;
    char byte;
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    send_text(ends[0], "a");
    CU_ASSERT(leases(ends[1], "a"));
    CU_ASSERT_EQUAL(
        ouro_setsockopt(ouro_stream_fd(ends[0]), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[0]), 0);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0); /* the receiver is told meanwhile */
    CU_ASSERT_EQUAL(ouro_stream_detach(ends[1]), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], &byte, 1), -ECONNRESET);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], &byte, 1), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_lease(ends[1], &lease), 0);
    return ouro_stream_close(ends[1]);
}

static void test_detaching_keeps_an_error(void)
{
    on_all_rings(detach_with_an_error);
}

static int time_out_a_lease(void *arg)
{
    struct ouro_stream *ends[2];
    struct ouro_timeout limit;
    struct ouro_lease lease;
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    ouro_timeout_begin(&limit, 10 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_stream_read_lease(ends[1], &lease), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    send_text(ends[0], "late");
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0); /* received although nobody waits */
    CU_ASSERT(leases(ends[1], "late"));
    close_streams(ends);
    return 0;
}

static void test_interrupted_lease_loses_nothing(void)
{
    on_all_rings(time_out_a_lease);
}

/* --- vectored writes --------------------------------------------------------------------- */

#define PARTS 40 /* more than go out at once */

static int write_parts(void *arg)
{
    struct ouro_stream *stream = arg;
    unsigned char *data = malloc(VOLUME);
    struct iovec parts[PARTS];
    size_t done = 0;
    int code = data ? 0 : -ENOMEM;

    for (size_t i = 0; data && i < VOLUME; i++)
        data[i] = pattern(i);
    for (size_t i = 0; data && i < PARTS; i++) {
        size_t len = i % 5 == 0 ? 0 : i * i * 7;

        if (i == PARTS - 1)
            len = VOLUME - done;
        parts[i] = (struct iovec) {.iov_base = data + done, .iov_len = len};
        done += len;
    }
    if (!code)
        code = ouro_stream_writev_all(stream, parts, PARTS);
    if (!code)
        code = ouro_stream_shutdown_write(stream);
    free(data);
    return code;
}

static int receive_parts(struct ouro_stream *from, struct ouro_stream *to, bool is_inverted)
{
    struct ouro_group group;
    unsigned char buf[10000];
    size_t done = 0, wrong = 0;
    ssize_t len;

    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, write_parts, from), 0);
    while ((len = ouro_stream_read(to, buf, sizeof(buf))) > 0)
        for (ssize_t i = 0; i < len; i++)
            wrong += (is_inverted ? (unsigned char) ~buf[i] : buf[i]) != pattern(done++);
    CU_ASSERT_EQUAL(done, VOLUME);
    CU_ASSERT_EQUAL(wrong, 0);
    return ouro_group_wait(&group);
}

static int send_parts_by_a_socket(void *arg)
{
    const struct iovec small[] = {{.iov_base = "b", .iov_len = 1}, {.iov_base = "c", .iov_len = 1}};
    struct ouro_stream *ends[2];
    char buf[3];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    CU_ASSERT_EQUAL(ouro_stream_write(ends[0], "a", 1), 0);
    CU_ASSERT_EQUAL(ouro_stream_writev_all(ends[0], small, 2), 0); /* behind what was buffered */
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], buf, 3, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "abc", 3), 0);
    CU_ASSERT_EQUAL(ouro_stream_writev_all(ends[0], small, 0), 0);
    CU_ASSERT_EQUAL(receive_parts(ends[0], ends[1], false), 0);
    close_streams(ends);
    return 0;
}

static void test_parts_are_written_one_after_the_other(void)
{
    on_all_rings(send_parts_by_a_socket);
}

#define WRITES 100

/* How many system calls the engine makes for WRITES small writes. */
static uint64_t count_calls(struct ouro_stream *stream, const struct iovec *parts, size_t count)
{
    struct ouro_counters before, after;

    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    for (int i = 0; i < WRITES; i++)
        CU_ASSERT_EQUAL(ouro_stream_writev_all(stream, parts, count), 0);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    return after.system_calls - before.system_calls;
}

static int count_calls_of_parts(void *arg)
{
    const struct iovec parts[] = {{.iov_base = "b", .iov_len = 1}, {.iov_base = "c", .iov_len = 1}};
    struct ouro_stream *ends[2];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    CU_ASSERT(count_calls(ends[0], parts, 2) < count_calls(ends[0], parts, 1) + WRITES / 2);
    close_streams(ends);
    return 0;
}

static void test_parts_cost_no_more_system_calls_than_a_whole(void)
{
    struct ouro_run_options options = {.ring = test_kernel_ring()};

    if (!options.ring) {
        TEST_SKIP("there is no kernel ring");
        return;
    }
    CU_ASSERT_EQUAL(ouro_run(count_calls_of_parts, NULL, &options), 0);
}

/* --- stacking ---------------------------------------------------------------------------- */

/* Inverts all bits on their way: the smallest stream on top of another. */
struct inverter {
    struct ouro_stream stream;
    struct ouro_stream *below;
};

static void invert(char *data, ssize_t len)
{
    for (ssize_t i = 0; i < len; i++)
        data[i] = (char) ~data[i];
}

static ssize_t inverter_read(struct ouro_stream *stream, void *buf, size_t len)
{
    ssize_t result = ouro_stream_read(((struct inverter *) (void *) stream)->below, buf, len);

    invert(buf, result);
    return result;
}

static int inverter_write(struct ouro_stream *stream, const void *buf, size_t len)
{
    char *copy = malloc(len);
    int code = -ENOMEM;

    if (copy) {
        memcpy(copy, buf, len);
        invert(copy, (ssize_t) len);
        code = ouro_stream_write_all(((struct inverter *) (void *) stream)->below, copy, len);
    }
    free(copy);
    return code;
}

static int inverter_shutdown_write(struct ouro_stream *stream)
{
    return ouro_stream_shutdown_write(((struct inverter *) (void *) stream)->below);
}

static int inverter_close(struct ouro_stream *stream)
{
    int code = ouro_stream_close(((struct inverter *) (void *) stream)->below);

    ouro_stream_done(stream);
    free(stream);
    return code;
}

static const struct ouro_stream_ops inverter_ops = {
    .name = "inverter",
    .read = inverter_read,
    .write = inverter_write,
    .shutdown_write = inverter_shutdown_write,
    .close = inverter_close,
};

static struct ouro_stream *put_inverter_on(struct ouro_stream *below)
{
    struct inverter *made = malloc(sizeof(*made));

    if (!made)
        return NULL;
    ouro_stream_init(&made->stream, &inverter_ops);
    made->below = below;
    return &made->stream;
}

static int stack_streams(void *arg)
{
    struct ouro_stream *ends[2], *top;
    const char *data;
    char buf[8];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    top = put_inverter_on(ends[1]);
    if (!top)
        return -ENOMEM;
    CU_ASSERT_EQUAL(ouro_stream_write(top, "\xff\x0f", 2), 0);
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(top), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[0], buf, 2, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "\x00\xf0", 2), 0);
    send_text(ends[0], "\x9e\xf5"); /* "a\n" inverted */
    CU_ASSERT_EQUAL(ouro_stream_read_until(top, "\n", 1, 10, &data), 2);
    CU_ASSERT_EQUAL(data[0], 'a');
    CU_ASSERT_EQUAL(ouro_stream_fd(top), -ENOTSUP);
    send_text(ends[0], "\x9e\x9d");
    CU_ASSERT(leases(top, "ab")); /* copies */
    CU_ASSERT_EQUAL(ouro_stream_detach(top), 0);
    CU_ASSERT_EQUAL(ouro_stream_push_back(top, "c", 1), 0);
    CU_ASSERT(leases(top, "c"));
    ends[1] = top;
    close_streams(ends);
    code = connect_streams(ends);
    if (code)
        return code;
    top = put_inverter_on(ends[0]);
    if (!top)
        return -ENOMEM;
    CU_ASSERT_EQUAL(receive_parts(top, ends[1], true), 0);
    ends[0] = top;
    close_streams(ends);
    return 0;
}

static void test_streams_stack(void)
{
    on_all_rings(stack_streams);
}

/* --- limits ------------------------------------------------------------------------------ */

static int limit_time(void *arg)
{
    static const struct ouro_stream_limits limits = {.read_timeout_ns = 5 * OURO_MILLISECOND,
                                                     .write_timeout_ns = 5 * OURO_MILLISECOND};
    static const struct ouro_stream_limits negative = {.read_timeout_ns = -1};
    static char much[4 << 20];
    struct ouro_stream *ends[2];
    struct ouro_lease lease;
    char byte;
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[0], &negative), -EINVAL);
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[0], &limits), 0);
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[1], &limits), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], &byte, 1), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_stream_read_lease(ends[1], &lease), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], &byte, 1), -ETIMEDOUT);
    send_text(ends[0], "ab");
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], &byte, 1), 1);
    CU_ASSERT_EQUAL(byte, 'a');
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[1], NULL), 0);
    CU_ASSERT(leases(ends[1], "b"));
    CU_ASSERT_EQUAL(ouro_stream_detach(ends[1]), 0);
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends[0], much, sizeof(much)), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_yield(), 0); /* the task itself was not interrupted */
    close_streams(ends);
    return 0;
}

static void test_time_limits_end_a_call(void)
{
    on_all_rings(limit_time);
}

static int limit_bytes(void *arg)
{
    static const struct ouro_stream_limits limits = {.read_bytes_max = 5, .write_bytes_max = 4};
    struct ouro_stream *ends[2], *top;
    struct ouro_lease lease;
    char large[9000];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[0], &limits), 0);
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[1], &limits), 0);
    send_text(ends[0], "abc");
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends[0], "xx", 2), OURO_ELIMIT);
    send_text(ends[0], "d");
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends[0], "e", 1), OURO_ELIMIT);
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[0], NULL), 0);
    send_text(ends[0], "efghij");
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], large, 2, NULL), 0);
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends[1], large, 2), 0);
    CU_ASSERT(leases(ends[1], "abcde"));
    CU_ASSERT_EQUAL(ouro_stream_read_lease(ends[1], &lease), OURO_ELIMIT);
    CU_ASSERT_EQUAL(ouro_stream_read(ends[1], large, sizeof(large)), OURO_ELIMIT);
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[1], NULL), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(ends[1], large, 5, NULL), 0);
    CU_ASSERT(!memcmp(large, "fghij", 5));
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[1], &limits), 0);
    send_text(ends[0], "0123456789");
    CU_ASSERT(ouro_stream_read_exact(ends[1], large, 6, NULL) == OURO_ELIMIT);
    top = put_inverter_on(ends[1]);
    if (!top)
        return -ENOMEM;
    CU_ASSERT_EQUAL(ouro_stream_read(top, large, 1), OURO_ELIMIT); /* also from above */
    ends[1] = top;
    close_streams(ends);
    return 0;
}

static void test_size_limits_end_the_stream(void)
{
    on_all_rings(limit_bytes);
}

struct waiting_reader {
    struct ouro_stream *stream;
    bool by_lease;
    ssize_t result;
};

static int wait_for_one(void *arg)
{
    struct waiting_reader *self = arg;
    struct ouro_lease lease = {.data = NULL};
    char byte;

    self->result = self->by_lease ? ouro_stream_read_lease(self->stream, &lease)
                                  : ouro_stream_read(self->stream, &byte, 1);
    ouro_lease_release(&lease);
    return 0;
}

/* Limits can be taken away, and set anew, by a task that is not the reader. */
static int change_limits_of_a_read(void *arg)
{
    static const struct ouro_stream_limits limits = {.read_timeout_ns = OURO_SECOND,
                                                     .read_bytes_max = UINT64_MAX,
                                                     .write_bytes_max = UINT64_MAX};
    struct ouro_stream *ends[2];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[0], &limits), 0);
    for (int by_lease = 0; by_lease < 2; by_lease++) {
        struct waiting_reader reader = {.stream = ends[1], .by_lease = by_lease};
        ouro_task_id id;

        CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[1], &limits), 0);
        id = ouro_spawn(wait_for_one, &reader);
        CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
        CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[1], NULL), 0);
        send_text(ends[0], "x");
        CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
        CU_ASSERT_EQUAL(reader.result, 1);
    }
    close_streams(ends);
    return 0;
}

static void test_limits_can_be_changed_while_somebody_reads(void)
{
    on_all_rings(change_limits_of_a_read);
}

/* --- peers ------------------------------------------------------------------------------- */

static bool has_peer(struct ouro_stream *stream, const char *text)
{
    char buf[OURO_ADDRESS_TEXT_MAX];
    struct ouro_address address;

    return !ouro_stream_peer(stream, &address) && !strcmp(ouro_address_format(&address, buf), text);
}

static int ask_for_peers(void *arg)
{
    struct ouro_address own, other, wrong;
    struct ouro_stream *ends[2], *top;
    char text[OURO_ADDRESS_TEXT_MAX];
    int code = connect_streams(ends);

    (void) arg;
    if (code)
        return code;
    CU_ASSERT_EQUAL(ouro_getsockname(ouro_stream_fd(ends[0]), &own), 0);
    CU_ASSERT(has_peer(ends[1], ouro_address_format(&own, text)));
    CU_ASSERT_EQUAL(ouro_stream_set_peer(ends[1], NULL), 0); /* there was nothing to take away */
    CU_ASSERT_EQUAL(ouro_address_parse("[2001:db8::1]:77", -1, &other), 0);
    CU_ASSERT_EQUAL(ouro_stream_set_peer(ends[1], &other), 0);
    CU_ASSERT(has_peer(ends[1], "[2001:db8::1]:77"));
    wrong = other;
    wrong.len = sizeof(wrong) + 1;
    CU_ASSERT_EQUAL(ouro_stream_set_peer(ends[1], &wrong), -EINVAL);
    wrong.len = 1;
    CU_ASSERT_EQUAL(ouro_stream_set_peer(ends[1], &wrong), -EINVAL);
    CU_ASSERT(has_peer(ends[1], "[2001:db8::1]:77"));
    /* Limits are kept in the same place, and neither disturbs the other. */
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[1], &(struct ouro_stream_limits) {0}), 0);
    CU_ASSERT_EQUAL(ouro_stream_set_limits(ends[1], NULL), 0);
    CU_ASSERT(has_peer(ends[1], "[2001:db8::1]:77"));
    CU_ASSERT_EQUAL(ouro_stream_set_peer(ends[1], NULL), 0);
    CU_ASSERT(has_peer(ends[1], text));
    top = put_inverter_on(ends[1]);
    if (!top)
        return -ENOMEM;
    CU_ASSERT_EQUAL(ouro_stream_peer(top, &own), -ENOTSUP); /* that one does not say */
    CU_ASSERT_EQUAL(ouro_stream_set_peer(top, &other), 0);
    CU_ASSERT(has_peer(top, "[2001:db8::1]:77"));
    ends[1] = top;
    close_streams(ends);
    return 0;
}

static void test_peer_is_the_sockets_or_what_was_set(void)
{
    on_all_rings(ask_for_peers);
}

static void test_stream_is_a_cache_line(void)
{
    CU_ASSERT(sizeof(struct ouro_stream) <= 64);
}

/* --- one reader, one writer, and nobody at the end ------------------------------------------- */

static int read_a_byte(void *arg)
{
    char byte;

    return (int) ouro_stream_read(arg, &byte, 1);
}

static int read_leases(void *arg)
{
    struct ouro_lease lease;

    return (int) ouro_stream_read_lease(arg, &lease);
}

static int write_for_ever(void *arg)
{
    static char zeros[65536];
    int code;

    do
        code = ouro_stream_write_all(arg, zeros, sizeof(zeros));
    while (!code);
    return code;
}

/* The first stream, with another task in it. */
static struct ouro_stream *with_a_task(ouro_task_fn *fn, const char *name)
{
    const struct ouro_spawn_options options = {.name = name};
    struct ouro_stream *ends[2];

    if (connect_streams(ends))
        return NULL;
    (void) ouro_spawn_with(fn, ends[0], &options);
    (void) ouro_sleep(OURO_SECOND);
    return ends[0];
}

static int close_below_a_reader(void *arg)
{
    (void) arg;
    return ouro_stream_close(with_a_task(read_a_byte, "the reader"));
}

static int close_below_a_lease(void *arg)
{
    (void) arg;
    return ouro_stream_close(with_a_task(read_leases, "the reader"));
}

static int close_below_a_writer(void *arg)
{
    (void) arg;
    return ouro_stream_close(with_a_task(write_for_ever, "the writer"));
}

static int read_beside_a_reader(void *arg)
{
    (void) arg;
    return read_leases(with_a_task(read_a_byte, "the reader"));
}

static int write_beside_a_writer(void *arg)
{
    (void) arg;
    return ouro_stream_shutdown_write(with_a_task(write_for_ever, "the writer"));
}

static void test_tasks_that_get_in_each_others_way_are_named(void)
{
    static const struct {
        ouro_task_fn *fn;
        const char *meaning, *other;
    } cases[] = {
        {close_below_a_reader, "of a stream that another task reads from", "\"the reader\""},
        {close_below_a_lease, "of a stream that another task reads from", "\"the reader\""},
        {close_below_a_writer, "of a stream that another task writes to", "\"the writer\""},
        {read_beside_a_reader, "a stream is read by two tasks", "\"the reader\""},
        {write_beside_a_writer, "a stream is written to by two tasks", "\"the writer\""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CU_ASSERT(is_checked(cases[i].fn, cases[i].meaning));
        CU_ASSERT(is_checked(cases[i].fn, cases[i].other));
        CU_ASSERT(is_checked(cases[i].fn, "in task \"main\""));
    }
}

/* The recipe of ouro_stream.h. */
static int read_until_cancelled(void *arg)
{
    int code = read_a_byte(arg);

    return ouro_stream_close(arg) ? 1 : code;
}

static int cancel_the_reader(void *arg)
{
    struct ouro_stream *ends[2];
    ouro_task_id id;
    int result = 0;

    (void) arg;
    if (connect_streams(ends))
        return 1;
    id = ouro_spawn(read_until_cancelled, ends[0]);
    CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends[0], "bye", 3), 0); /* beside the reader */
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[1]), 0);
    return 0;
}

static void test_cancelled_reader_closes_the_stream(void)
{
    on_all_rings(cancel_the_reader);
}

/* --- dialing ----------------------------------------------------------------------------- */

static int dial_nobody(void *arg)
{
    struct ouro_stream *stream;
    struct ouro_address address;
    int fd = listen_locally(&address);

    (void) arg;
    if (fd < 0)
        return fd;
    (void) ouro_close(fd);
    CU_ASSERT_EQUAL(ouro_dial("127.0.0.1", ouro_address_port(&address), NULL, &stream),
                    -ECONNREFUSED);
    CU_ASSERT_EQUAL(ouro_dial("127.0.0.1", 0, NULL, &stream), -EINVAL);
    CU_ASSERT_EQUAL(ouro_dial("127.0.0.1", 65536, NULL, &stream), -EINVAL);
    CU_ASSERT_EQUAL(ouro_dial("no host", 80, NULL, &stream), OURO_ENONAME);
    CU_ASSERT_EQUAL(ouro_dial("unix:", 0, NULL, &stream), OURO_EADDRESS);
    CU_ASSERT_EQUAL(
        ouro_dial("127.0.0.1", 80, &(struct ouro_dial_options) {.family = AF_INET6}, &stream),
        OURO_ENONAME);
    return 0;
}

static void test_dial_says_why_it_failed(void)
{
    on_all_rings(dial_nobody);
}

static int dial_by_name(void *arg)
{
    struct ouro_stream *stream;
    struct ouro_address address;
    int fd = listen_locally(&address);
    int code;

    (void) arg;
    if (fd < 0)
        return fd;
    /* "localhost" may have ::1 as its first address, where nobody listens. */
    code = ouro_dial("localhost", ouro_address_port(&address), NULL, &stream);
    CU_ASSERT_EQUAL(code, 0);
    if (!code)
        (void) ouro_stream_close(stream);
    (void) ouro_close(fd);
    return 0;
}

static void test_dial_tries_one_address_after_the_other(void)
{
    on_all_rings(dial_by_name);
}

static int dial_unix(void *arg)
{
    struct ouro_stream *stream;
    struct ouro_address address;
    int fd, code = ouro_address_parse("unix:@ouro-stream-test", -1, &address);

    (void) arg;
    if (code)
        return code;
    fd = ouro_listen(&address, 0);
    if (fd < 0)
        return fd;
    code = ouro_dial("unix:@ouro-stream-test", 0, NULL, &stream);
    CU_ASSERT_EQUAL(code, 0);
    if (!code)
        (void) ouro_stream_close(stream);
    (void) ouro_close(fd);
    return 0;
}

static void test_dial_knows_unix_sockets(void)
{
    on_all_rings(dial_unix);
}

static int dial_although_cancelled(void *arg)
{
    struct ouro_stream *stream;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_dial("127.0.0.1", 1, NULL, &stream), -ECANCELED);
    return 0;
}

static void test_dial_can_be_cancelled(void)
{
    on_all_rings(dial_although_cancelled);
}

const struct test stream_tests[] = {
    TEST(test_reads_end_with_the_stream),
    TEST(test_peek_shows_bytes_and_leaves_them),
    TEST(test_bytes_pushed_back_come_first),
    TEST(test_bytes_that_the_stream_has_shown_can_be_pushed_back),
    TEST(test_lines_are_read_whole_within_a_limit),
    TEST(test_every_byte_arrives_once_and_in_order),
    TEST(test_buffer_grows_as_far_as_it_is_asked_to),
    TEST(test_small_writes_wait_for_a_flush),
    TEST(test_interrupted_read_leaves_the_stream_usable),
    TEST(test_close_works_in_a_cancelled_task),
    TEST(test_leases_and_reads_can_be_mixed),
    TEST(test_lease_outlives_its_stream),
    TEST(test_all_ways_to_read_get_every_byte_once),
    TEST(test_detached_stream_shows_its_fd),
    TEST(test_detaching_keeps_an_error),
    TEST(test_interrupted_lease_loses_nothing),
    TEST(test_parts_are_written_one_after_the_other),
    TEST(test_parts_cost_no_more_system_calls_than_a_whole),
    TEST(test_streams_stack),
    TEST(test_time_limits_end_a_call),
    TEST(test_size_limits_end_the_stream),
    TEST(test_limits_can_be_changed_while_somebody_reads),
    TEST(test_peer_is_the_sockets_or_what_was_set),
    TEST(test_stream_is_a_cache_line),
    TEST(test_tasks_that_get_in_each_others_way_are_named),
    TEST(test_cancelled_reader_closes_the_stream),
    TEST(test_dial_says_why_it_failed),
    TEST(test_dial_tries_one_address_after_the_other),
    TEST(test_dial_knows_unix_sockets),
    TEST(test_dial_can_be_cancelled),
    TEST_END,
};
