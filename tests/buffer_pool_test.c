/* SPDX-License-Identifier: MIT */
/*
 * buffer_pool_test.c - tests of engine/buffer_pool.c, and of the seam below it
 *
 * The kernel and the simulation are asked for the same things by hand: what both answer is what
 * the engine builds on.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "buffer_pool.h"
#include "dispatcher.h"
#include "loop.h"
#include "ring_driver.h"
#include "sanitizer.h"

/* --- provided buffers, below the dispatcher -------------------------------------------------- */

#define BUFFERS      4
#define BUFFER_BYTES 8

struct seam {
    struct driver driver;
    int fds[2];
    unsigned tag; /* of the multishot receive */
    char area[BUFFERS][BUFFER_BYTES];

    /* What its completions said. */
    char text[64];
    size_t text_len;
    unsigned ids[16];
    unsigned filled_count;
    bool has_ended;
    int result; /* of the last */
};

static void seam_reap(struct seam *seam)
{
    struct driver *driver = &seam->driver;

    while (ouro__ring_completed(&driver->ring) > 0) {
        struct io_uring_cqe cqe = *ouro__ring_peek(&driver->ring);

        ouro__ring_pop(&driver->ring);
        if (cqe.user_data != seam->tag + DRIVER_TAGS) {
            driver->results[cqe.user_data % DRIVER_TAGS] = cqe.res;
            driver->is_done[cqe.user_data % DRIVER_TAGS] = true;
            continue;
        }
        seam->has_ended = !(cqe.flags & IORING_CQE_F_MORE);
        seam->result = cqe.res;
        if (cqe.res > 0) {
            unsigned id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;

            CU_ASSERT(cqe.flags & IORING_CQE_F_BUFFER && id < BUFFERS);
            asan_unpoison(seam->area[id], BUFFER_BYTES);
            memcpy(seam->text + seam->text_len, seam->area[id], (size_t) cqe.res);
            seam->text_len += (size_t) cqe.res;
            seam->ids[seam->filled_count++] = id;
        }
    }
}

static void seam_settle(struct seam *seam)
{
    const struct ring_backend *backend = seam->driver.ring.backend;

    for (int i = 0; i < 40; i++) {
        (void) backend->enter(&seam->driver.ring, true,
                              backend->now(&seam->driver.ring) + OURO_MILLISECOND / 4);
        seam_reap(seam);
    }
}

static void seam_arm(struct seam *seam)
{
    struct io_uring_sqe sqe = {0};

    io_uring_prep_recv_multishot(&sqe, seam->fds[1], NULL, 0, 0);
    sqe.flags = IOSQE_BUFFER_SELECT;
    sqe.buf_group = RING_BUFFER_GROUP;
    seam->has_ended = false;
    seam->tag = driver_queue(&seam->driver, &sqe);
    seam_settle(seam);
}

static void seam_give(struct seam *seam, unsigned id)
{
    asan_poison(seam->area[id], BUFFER_BYTES);
    ouro__ring_give_buffer(&seam->driver.ring, seam->area[id], BUFFER_BYTES, id);
}

static void seam_send(struct seam *seam, const char *text)
{
    struct io_uring_sqe sqe = {0};

    io_uring_prep_send(&sqe, seam->fds[0], text, strlen(text), MSG_WAITALL);
    (void) driver_queue(&seam->driver, &sqe);
    seam_settle(seam);
}

static void seam_connect(struct seam *seam)
{
    struct ring *ring = &seam->driver.ring;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = ring->backend->socket(ring, AF_INET, SOCK_STREAM, 0);
    struct io_uring_sqe sqe = {0};

    CU_ASSERT_EQUAL(ring->backend->bind(ring, listener, (struct sockaddr *) &address, len), 0);
    CU_ASSERT_EQUAL(ring->backend->listen(ring, listener, 1), 0);
    CU_ASSERT_EQUAL(ring->backend->getsockname(ring, listener, (struct sockaddr *) &address, &len),
                    0);
    seam->fds[0] = ring->backend->socket(ring, AF_INET, SOCK_STREAM, 0);
    io_uring_prep_connect(&sqe, seam->fds[0], (struct sockaddr *) &address, len);
    CU_ASSERT_EQUAL(driver_do(&seam->driver, &sqe), 0);
    io_uring_prep_accept(&sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    seam->fds[1] = driver_do(&seam->driver, &sqe);
    CU_ASSERT(seam->fds[1] >= 0);
    (void) driver_close_fd(&seam->driver, listener);
}

static void seam_cancel(struct seam *seam)
{
    struct io_uring_sqe sqe = {0};

    io_uring_prep_cancel64(&sqe, seam->tag + DRIVER_TAGS, 0);
    (void) driver_queue(&seam->driver, &sqe);
    seam_settle(seam);
}

static void run_seam(const char *spec, void (*fn)(struct seam *seam))
{
    static struct seam seam;

    memset(&seam, 0, sizeof(seam));
    CU_ASSERT_EQUAL_FATAL(driver_open(&seam.driver, spec), 0);
    CU_ASSERT_EQUAL(seam.driver.ring.backend->open_buffers(&seam.driver.ring, BUFFERS), 0);
    seam_connect(&seam);
    fn(&seam);
    (void) driver_close_fd(&seam.driver, seam.fds[0]);
    (void) driver_close_fd(&seam.driver, seam.fds[1]);
    driver_close(&seam.driver);
    asan_unpoison(seam.area, sizeof(seam.area));
}

static void run_seam_on_each_ring(void (*fn)(struct seam *seam))
{
    for (int i = 0; i < 20; i++)
        run_seam(test_sim_ring(), fn);
    if (test_kernel_ring())
        run_seam(test_kernel_ring(), fn);
}

/* The simulation may end it at any time: then it is armed again, as the engine does. */
static void seam_receive(struct seam *seam, size_t len)
{
    for (int tries = 0; tries < 20 && seam->text_len < len; tries++) {
        if (seam->has_ended)
            seam_arm(seam);
        seam_settle(seam);
    }
}

static void fill_in_order(struct seam *seam)
{
    static const unsigned order[] = {2, 0, 3, 1};

    for (unsigned i = 0; i < BUFFERS; i++)
        seam_give(seam, order[i]);
    seam_arm(seam);
    CU_ASSERT(!seam->has_ended);
    seam_send(seam, "0123456789");
    seam_receive(seam, 10);
    seam_send(seam, "abc");
    seam_receive(seam, 13);
    CU_ASSERT_EQUAL(seam->text_len, 13);
    CU_ASSERT_EQUAL(memcmp(seam->text, "0123456789abc", 13), 0);
    CU_ASSERT_EQUAL(seam->filled_count, 3);
    for (unsigned i = 0; i < seam->filled_count; i++)
        CU_ASSERT_EQUAL(seam->ids[i], order[i]);
    if (seam->has_ended)
        seam_arm(seam);
    CU_ASSERT_EQUAL(driver_shutdown(&seam->driver, seam->fds[0], SHUT_WR), 0);
    seam_settle(seam);
    CU_ASSERT(seam->has_ended);
    CU_ASSERT_EQUAL(seam->result, 0);
}

static void test_buffers_are_filled_in_the_order_of_giving(void)
{
    run_seam_on_each_ring(fill_in_order);
}

static void run_out_of_buffers(struct seam *seam)
{
    seam_give(seam, 0);
    seam_arm(seam);
    seam_send(seam, "0123456789");
    seam_receive(seam, 8);
    if (seam->has_ended && seam->result > 0)
        seam_arm(seam);
    CU_ASSERT(seam->has_ended);
    CU_ASSERT_EQUAL(seam->result, -ENOBUFS);
    CU_ASSERT_EQUAL(seam->text_len, 8);
    seam_arm(seam); /* also at once */
    CU_ASSERT_EQUAL(seam->result, -ENOBUFS);
    seam_give(seam, 1);
    seam_arm(seam);
    CU_ASSERT_EQUAL(seam->text_len, 10);
    CU_ASSERT_EQUAL(memcmp(seam->text, "0123456789", 10), 0);
    if (!seam->has_ended)
        seam_cancel(seam);
}

static void test_without_a_buffer_receiving_ends(void)
{
    run_seam_on_each_ring(run_out_of_buffers);
}

static void arm_an_empty_socket_without_buffers(struct seam *seam)
{
    seam_arm(seam);
    CU_ASSERT(seam->has_ended);
    CU_ASSERT_EQUAL(seam->result, -ENOBUFS);
}

static void test_buffers_are_looked_for_before_bytes(void)
{
    run_seam_on_each_ring(arm_an_empty_socket_without_buffers);
}

static void cancel_it(struct seam *seam)
{
    for (unsigned i = 0; i < BUFFERS; i++)
        seam_give(seam, i);
    seam_arm(seam);
    seam_send(seam, "abc");
    seam_receive(seam, 3);
    if (seam->has_ended)
        seam_arm(seam);
    CU_ASSERT_EQUAL(memcmp(seam->text, "abc", 3), 0);
    seam_cancel(seam);
    CU_ASSERT(seam->has_ended);
    CU_ASSERT_EQUAL(seam->result, -ECANCELED);
}

static void test_cancelled_receive_delivers_what_came_before(void)
{
    run_seam_on_each_ring(cancel_it);
}

static void ask_for_what_is_not_there(struct seam *seam)
{
    struct io_uring_sqe sqe = {0};
    char buf[4];

    /* Multishot needs buffers to choose from, and a length of 0. */
    io_uring_prep_recv_multishot(&sqe, seam->fds[1], buf, sizeof(buf), 0);
    CU_ASSERT_EQUAL(driver_do(&seam->driver, &sqe), -EINVAL);
    io_uring_prep_recv_multishot(&sqe, seam->fds[1], NULL, 0, MSG_WAITALL);
    sqe.flags = IOSQE_BUFFER_SELECT;
    CU_ASSERT_EQUAL(driver_do(&seam->driver, &sqe), -EINVAL);
}

static void test_multishot_checks_its_arguments(void)
{
    run_seam_on_each_ring(ask_for_what_is_not_there);
}

/* --- the pool ---------------------------------------------------------------------------------- */

static int ask_for_the_pool(void *arg)
{
    struct buffer_pool *pool;

    CU_ASSERT_PTR_NULL(ouro__dispatcher->buffers);
    CU_ASSERT_EQUAL(ouro__buffer_pool_get(ouro__dispatcher, &pool), 0);
    CU_ASSERT_EQUAL(pool->provided_max, ((unsigned *) arg)[0]);
    CU_ASSERT_EQUAL(pool->bytes, ((unsigned *) arg)[1]);
    CU_ASSERT_EQUAL(pool->provided_count, pool->provided_max);
    CU_ASSERT(pool->total > pool->provided_max);
    CU_ASSERT_PTR_EQUAL(ouro__dispatcher->buffers, pool);
    return 0;
}

static int run_with_sizes(const char *ring, unsigned count, unsigned bytes)
{
    struct ouro_run_options options = {.ring = ring, .buffer_count = count, .buffer_bytes = bytes};
    unsigned expected[] = {count ? count : BUFFER_COUNT_DEFAULT,
                           bytes ? bytes : BUFFER_BYTES_DEFAULT};

    return ouro_run(ask_for_the_pool, expected, &options);
}

static void test_options_say_how_many_and_how_large(void)
{
    const char *const rings[] = {test_sim_ring(), test_kernel_ring()};

    for (int i = 0; i < 2 && rings[i]; i++) {
        CU_ASSERT_EQUAL(run_with_sizes(rings[i], 0, 0), 0);
        CU_ASSERT_EQUAL(run_with_sizes(rings[i], 1, 64), 0);
        CU_ASSERT_EQUAL(run_with_sizes(rings[i], 32768, 64), 0);
        CU_ASSERT_EQUAL(run_with_sizes(rings[i], 2, 1 << 20), 0);
    }
}

static int run_with_bad_sizes(void *arg)
{
    const unsigned *sizes = arg;

    return run_with_sizes("sim", sizes[0], sizes[1]) == -EINVAL;
}

static void test_impossible_sizes_are_refused(void)
{
    static unsigned sizes[][2] = {{3, 0}, {65536, 0}, {0, 63}, {0, (1 << 20) + 1}};

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct child child = run_in_child(run_with_bad_sizes, sizes[i]);

        CU_ASSERT(exited_with(&child, 1) && said(&child, "cannot start"));
    }
}

const struct test buffer_pool_tests[] = {
    TEST(test_buffers_are_filled_in_the_order_of_giving),
    TEST(test_without_a_buffer_receiving_ends),
    TEST(test_buffers_are_looked_for_before_bytes),
    TEST(test_cancelled_receive_delivers_what_came_before),
    TEST(test_multishot_checks_its_arguments),
    TEST(test_options_say_how_many_and_how_large),
    TEST(test_impossible_sizes_are_refused),
    TEST_END,
};
