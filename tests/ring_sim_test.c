/* SPDX-License-Identifier: MIT */
/*
 * ring_sim_test.c - what only the simulated ring does: its clock, seed, faults and limits
 *
 * That its sockets behave like Linux's is the business of ring_script_test.c.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "ring_driver.h"
#include "sim_net.h"
#include "test.h"

/* --- tools --------------------------------------------------------------------------- */

static void open_sim(struct driver *driver, const char *spec)
{
    CU_ASSERT_EQUAL_FATAL(driver_open(driver, spec), 0);
}

static void open_seed(struct driver *driver, unsigned seed, const char *more)
{
    char spec[64];

    (void) snprintf(spec, sizeof(spec), "sim:seed=%u%s", seed, more);
    open_sim(driver, spec);
}

static int enter(struct driver *driver, bool wait, int64_t deadline)
{
    return driver->ring.backend->enter(&driver->ring, wait, deadline);
}

static int64_t now(struct driver *driver)
{
    return driver->ring.backend->now(&driver->ring);
}

static int open_socket(struct driver *driver, int domain)
{
    return driver->ring.backend->socket(&driver->ring, domain, SOCK_STREAM, 0);
}

static unsigned queue_nop(struct driver *driver)
{
    struct io_uring_sqe sqe = {0};

    io_uring_prep_nop(&sqe);
    return driver_queue(driver, &sqe);
}

static unsigned start_recv(struct driver *driver, int fd, void *buf, size_t len, int flags)
{
    struct io_uring_sqe sqe = {0};

    io_uring_prep_recv(&sqe, fd, buf, len, flags);
    return driver_start(driver, &sqe);
}

static int do_recv(struct driver *driver, int fd, void *buf, size_t len, int flags)
{
    return driver_wait(driver, start_recv(driver, fd, buf, len, flags));
}

static unsigned start_send(struct driver *driver, int fd, const void *buf, size_t len, int flags)
{
    struct io_uring_sqe sqe = {0};

    io_uring_prep_send(&sqe, fd, buf, len, flags);
    return driver_start(driver, &sqe);
}

static int do_send(struct driver *driver, int fd, const void *buf, size_t len, int flags)
{
    return driver_wait(driver, start_send(driver, fd, buf, len, flags));
}

static unsigned start_accept(struct driver *driver, int fd)
{
    struct io_uring_sqe sqe = {0};

    io_uring_prep_accept(&sqe, fd, NULL, NULL, 0);
    return driver_start(driver, &sqe);
}

struct network {
    struct sockaddr_storage address;
    socklen_t len;
    int listener;
    int client, server; /* connected to each other */
};

/* A listener on a port of no choice, or under a made-up Unix name. */
static void open_listener(struct driver *driver, int domain, int backlog, struct network *network)
{
    struct ring *ring = &driver->ring;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr *address = (struct sockaddr *) &network->address;
    bool is_unix = domain == AF_UNIX;

    network->listener = open_socket(driver, domain);
    CU_ASSERT_EQUAL_FATAL(
        ring->backend->bind(ring, network->listener,
                            is_unix ? (struct sockaddr *) &un : (struct sockaddr *) &in,
                            is_unix ? sizeof(sa_family_t) : sizeof(in)),
        0);
    CU_ASSERT_EQUAL_FATAL(ring->backend->listen(ring, network->listener, backlog), 0);
    network->len = sizeof(network->address);
    CU_ASSERT_EQUAL_FATAL(
        ring->backend->getsockname(ring, network->listener, address, &network->len), 0);
}

static unsigned start_connect(struct driver *driver, const struct network *network, int fd)
{
    struct io_uring_sqe sqe = {0};

    io_uring_prep_connect(&sqe, fd, (const struct sockaddr *) &network->address, network->len);
    return driver_start(driver, &sqe);
}

static void open_network(struct driver *driver, int domain, struct network *network)
{
    open_listener(driver, domain, 16, network);
    network->client = open_socket(driver, domain);
    CU_ASSERT_EQUAL_FATAL(driver_wait(driver, start_connect(driver, network, network->client)), 0);
    network->server = driver_wait(driver, start_accept(driver, network->listener));
    CU_ASSERT_FATAL(network->server >= 0);
}

/* --- the clock ----------------------------------------------------------------------- */

static void test_clock_jumps_to_the_deadline_when_nothing_is_ready(void)
{
    struct driver driver;

    open_sim(&driver, "sim");
    CU_ASSERT_EQUAL(now(&driver), 0);
    CU_ASSERT_EQUAL(enter(&driver, true, 3600 * OURO_SECOND), -ETIME);
    CU_ASSERT_EQUAL(now(&driver), 3600 * OURO_SECOND);
    CU_ASSERT_EQUAL(enter(&driver, true, 1), -ETIME);
    CU_ASSERT_EQUAL(now(&driver), 3600 * OURO_SECOND);
    driver_close(&driver);
}

static void test_clock_stands_while_something_is_ready(void)
{
    struct driver driver;

    open_sim(&driver, "sim");
    for (int i = 0; i < 50; i++) {
        (void) queue_nop(&driver);
        CU_ASSERT_EQUAL(enter(&driver, true, OURO_SECOND), 0);
        CU_ASSERT(ouro__ring_completed(&driver.ring) > 0);
        driver_reap(&driver);
        (void) enter(&driver, false, OURO_SECOND);
    }
    CU_ASSERT_EQUAL(now(&driver), 0);
    driver_close(&driver);
}

static void test_clock_jumps_although_operations_wait(void)
{
    struct network network;
    struct driver driver;
    unsigned tag;
    char buf[4];

    open_sim(&driver, "sim");
    open_network(&driver, AF_INET, &network);
    tag = start_recv(&driver, network.client, buf, sizeof(buf), 0);
    CU_ASSERT_EQUAL(enter(&driver, true, 5), -ETIME);
    CU_ASSERT_EQUAL(now(&driver), 5);
    CU_ASSERT_EQUAL(do_send(&driver, network.server, "x", 1, 0), 1);
    CU_ASSERT_EQUAL(driver_wait(&driver, tag), 1);
    CU_ASSERT_EQUAL(now(&driver), 5);
    driver_close(&driver);
}

static void test_waiting_for_what_cannot_come_is_a_deadlock(void)
{
    struct network network;
    struct driver driver;
    char buf[4];

    open_sim(&driver, "sim");
    CU_ASSERT_EQUAL(enter(&driver, true, OURO_FOREVER), -EDEADLK);
    open_network(&driver, AF_INET, &network);
    (void) start_recv(&driver, network.client, buf, sizeof(buf), 0);
    CU_ASSERT_EQUAL(enter(&driver, true, OURO_FOREVER), -EDEADLK);
    CU_ASSERT_EQUAL(now(&driver), 0);
    driver_close(&driver);
}

/* Whoever reads it over and over waits for it: it must get there some day. */
static void test_clock_creeps_for_who_only_looks_at_it(void)
{
    struct driver driver;
    unsigned reads = 0;

    open_sim(&driver, "sim");
    while (now(&driver) == 0 && reads < 1000000)
        reads++;
    CU_ASSERT(reads >= 1000 && reads < 1000000);
    while (now(&driver) < OURO_MILLISECOND && reads < 2000000)
        reads++;
    CU_ASSERT(reads < 2000000);
    CU_ASSERT_EQUAL(enter(&driver, true, OURO_SECOND), -ETIME);
    CU_ASSERT_EQUAL(now(&driver), OURO_SECOND);
    CU_ASSERT_EQUAL(now(&driver), OURO_SECOND);
    driver_close(&driver);
}

/* --- the seed ------------------------------------------------------------------------ */

/* A run in which much happens at once. Its result depends on all of it. */
static uint64_t run_of_seed(const char *spec)
{
    struct network networks[4];
    struct driver driver;
    char buf[4][64];
    uint64_t hash;

    open_sim(&driver, spec);
    for (unsigned i = 0; i < 4; i++) {
        open_network(&driver, i % 2 ? AF_UNIX : AF_INET, &networks[i]);
        (void) start_recv(&driver, networks[i].server, buf[i], 64, i == 3 ? MSG_WAITALL : 0);
    }
    for (unsigned i = 0; i < 40; i++) {
        unsigned tag = start_send(&driver, networks[i % 4].client, "0123456789", 10, 0);

        (void) start_recv(&driver, networks[i % 4].server, buf[i % 4], 64, 0);
        if (i % 7 == 0)
            (void) driver_cancel(&driver, tag);
    }
    for (unsigned i = 0; i < 4; i++)
        (void) driver_close_fd(&driver, networks[i].client);
    driver_settle(&driver);
    hash = ouro__ring_sim_trace_hash(&driver.ring);
    driver_close(&driver);
    return hash;
}

static void test_same_seed_gives_the_same_run(void)
{
    for (unsigned seed = 0; seed < 20; seed++) {
        char spec[80];
        void *elsewhere; /* moves the next run's memory */
        uint64_t hash;

        (void) snprintf(spec, sizeof(spec), "sim:seed=%u,short=30,errors=0", seed);
        hash = run_of_seed(spec);
        elsewhere = malloc(12345 + seed * 1000);
        CU_ASSERT_EQUAL(run_of_seed(spec), hash);
        free(elsewhere);
    }
}

static void test_other_seeds_give_other_runs(void)
{
    uint64_t hashes[50];

    for (unsigned seed = 0; seed < COUNT_OF(hashes); seed++) {
        char spec[40];

        (void) snprintf(spec, sizeof(spec), "sim:seed=%u", seed);
        hashes[seed] = run_of_seed(spec);
        for (unsigned other = 0; other < seed; other++)
            CU_ASSERT_NOT_EQUAL(hashes[seed], hashes[other]);
    }
}

/* Runs that differ in one number only. */
static uint64_t hash_of(int64_t deadline, int option)
{
    struct driver driver;
    socklen_t len = sizeof(int);
    uint64_t hash;
    int value;

    open_sim(&driver, "sim");
    (void) driver.ring.backend->getsockopt(&driver.ring, -1, SOL_SOCKET, option, &value, &len);
    (void) enter(&driver, true, deadline);
    hash = ouro__ring_sim_trace_hash(&driver.ring);
    driver_close(&driver);
    return hash;
}

static void test_hash_tells_small_differences(void)
{
    CU_ASSERT_EQUAL(hash_of(5, SO_TYPE), hash_of(5, SO_TYPE));
    CU_ASSERT_NOT_EQUAL(hash_of(5, SO_TYPE), hash_of(6, SO_TYPE));
    CU_ASSERT_NOT_EQUAL(hash_of(5, SO_TYPE), hash_of(5, SO_ERROR));
}

/* Four operations at once: all of their 24 orders come up, none much too often. */
static void test_completions_come_in_every_order(void)
{
    unsigned seen[256] = {0};
    unsigned orders = 0;

    for (unsigned seed = 0; seed < 1000; seed++) {
        struct driver driver;
        unsigned order = 0;

        open_seed(&driver, seed, "");
        for (unsigned i = 0; i < 4; i++)
            (void) queue_nop(&driver);
        while (driver.in_flight_count > 0) {
            (void) enter(&driver, true, OURO_FOREVER);
            for (unsigned head = *driver.ring.cq_head; head != *driver.ring.cq_tail; head++)
                order = order << 2 |
                        (unsigned) driver.ring.cqes[head & driver.ring.cq_mask].user_data % 4;
            driver_reap(&driver);
        }
        orders += seen[order]++ == 0;
        driver_close(&driver);
    }
    CU_ASSERT_EQUAL(orders, 24);
    for (unsigned order = 0; order < COUNT_OF(seen); order++)
        CU_ASSERT(seen[order] < 100);
}

static void test_what_is_ready_completes_without_waiting(void)
{
    for (unsigned seed = 0; seed < 300; seed++) {
        struct driver driver;
        unsigned enters = 0;

        open_seed(&driver, seed, "");
        for (unsigned i = 0; i < 20; i++)
            (void) queue_nop(&driver);
        for (; driver.in_flight_count > 0 && enters < 100; enters++) {
            CU_ASSERT_EQUAL(enter(&driver, false, 0), 0);
            driver_reap(&driver);
        }
        CU_ASSERT(enters <= 9);
        driver_close(&driver);
    }
}

/* A loop whose tasks are all busy has nothing to submit: it must hear that it should enter. */
static void test_queue_says_that_there_is_something_to_run(void)
{
    struct network network;
    struct driver driver;
    char buf[4];

    open_sim(&driver, "sim");
    CU_ASSERT(!ouro__ring_wants_enter(&driver.ring));
    open_network(&driver, AF_INET, &network);
    (void) start_recv(&driver, network.server, buf, 4, 0);
    driver_settle(&driver);
    CU_ASSERT(!ouro__ring_wants_enter(&driver.ring));
    CU_ASSERT_EQUAL(do_send(&driver, network.client, "a", 1, 0), 1);
    while (driver.in_flight_count > 0) {
        CU_ASSERT_FATAL(ouro__ring_wants_enter(&driver.ring));
        (void) enter(&driver, false, 0);
        driver_reap(&driver);
    }
    CU_ASSERT(!ouro__ring_wants_enter(&driver.ring));
    driver_close(&driver);
}

/* --- memory -------------------------------------------------------------------------- */

static bool is_filled(const char *buf, size_t len, char byte)
{
    for (size_t i = 0; i < len; i++)
        if (buf[i] != byte)
            return false;
    return true;
}

static void test_memory_is_touched_between_submission_and_completion_only(void)
{
    struct network network;
    struct driver driver;
    struct io_uring_sqe sqe = {0};
    char buf[16];
    unsigned tag;

    open_sim(&driver, "sim");
    open_network(&driver, AF_INET, &network);
    memset(buf, '-', sizeof(buf));
    CU_ASSERT_EQUAL(do_send(&driver, network.client, "abc", 3, 0), 3);
    io_uring_prep_recv(&sqe, network.server, buf, sizeof(buf), 0);
    tag = driver_queue(&driver, &sqe);
    CU_ASSERT(is_filled(buf, sizeof(buf), '-'));
    CU_ASSERT_EQUAL(driver_wait(&driver, tag), 3);
    CU_ASSERT(memcmp(buf, "abc", 3) == 0);
    CU_ASSERT(is_filled(buf + 3, sizeof(buf) - 3, '-'));

    memset(buf, '-', sizeof(buf));
    CU_ASSERT_EQUAL(do_send(&driver, network.client, "def", 3, 0), 3);
    driver_settle(&driver);
    CU_ASSERT(is_filled(buf, sizeof(buf), '-'));
    driver_close(&driver);
}

/* What a send was given may change until it has completed: the bytes that count are late ones. */
static void test_send_reads_its_memory_late(void)
{
    struct network network;
    struct driver driver;
    char filler[4096] = {0};
    char last = 'a';
    char got = 0;
    unsigned tag;

    open_sim(&driver, "sim");
    open_network(&driver, AF_UNIX, &network);
    while (do_send(&driver, network.client, filler, sizeof(filler), MSG_DONTWAIT) > 0)
        continue;
    tag = start_send(&driver, network.client, &last, 1, 0);
    driver_settle(&driver);
    last = 'b';
    CU_ASSERT_EQUAL(do_recv(&driver, network.server, filler, sizeof(filler), MSG_WAITALL), 4096);
    CU_ASSERT_EQUAL(driver_wait(&driver, tag), 1);
    while (do_recv(&driver, network.server, &got, 1, MSG_DONTWAIT) > 0)
        continue;
    CU_ASSERT_EQUAL(got, 'b');
    driver_close(&driver);
}

/* --- the queues ---------------------------------------------------------------------- */

static void test_completion_queue_has_twice_the_entries(void)
{
    static const struct {
        unsigned sq, cq;
    } table[] = {{1, 16}, {8, 16}, {16, 32}, {512, 1024}};

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct ring_config config = {.simulated = true, .sq_entries = table[i].sq};
        struct ring_hint hint;
        struct ring ring;

        CU_ASSERT_EQUAL_FATAL(ouro__ring_open(&ring, &config, &hint), 0);
        CU_ASSERT_EQUAL(ring.cq_mask + 1, table[i].cq);
        ouro__ring_close(&ring);
    }
}

/* Far more completions than the queue holds: none is lost, and the flag says that there are more. */
static void test_completions_that_find_no_room_come_later(void)
{
    struct driver driver;
    unsigned room;

    open_sim(&driver, "sim");
    room = driver.ring.cq_mask + 1;
    for (unsigned i = 0; i < 500; i++) {
        if (ouro__ring_unsubmitted(&driver.ring) == driver.ring.sq_entries)
            CU_ASSERT_EQUAL_FATAL(enter(&driver, false, 0), 0);
        (void) queue_nop(&driver);
    }
    for (unsigned i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(enter(&driver, false, 0), 0);
    CU_ASSERT_EQUAL(ouro__ring_completed(&driver.ring), room);
    CU_ASSERT(ouro__ring_wants_enter(&driver.ring));
    CU_ASSERT_EQUAL(enter(&driver, true, OURO_FOREVER), 0);
    while (ouro__ring_wants_enter(&driver.ring)) {
        driver_reap(&driver);
        CU_ASSERT_EQUAL(enter(&driver, false, 0), 0);
        CU_ASSERT(ouro__ring_completed(&driver.ring) > 0);
    }
    driver_reap(&driver);
    CU_ASSERT_EQUAL(driver.in_flight_count, 0);
    for (unsigned i = 0; i < 500; i++)
        CU_ASSERT(driver.is_done[i]);
    driver_close(&driver);
}

static void test_planned_fault_fails_one_enter_and_takes_nothing(void)
{
    static const int codes[] = {-EINTR, -EBUSY, -EAGAIN};

    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        struct driver driver;

        open_sim(&driver, "sim");
        (void) queue_nop(&driver);
        ouro__ring_sim_fail_enter(&driver.ring, 2, codes[i]);
        CU_ASSERT_EQUAL(enter(&driver, true, OURO_FOREVER), 0);
        driver_reap(&driver);
        (void) queue_nop(&driver);
        CU_ASSERT_EQUAL(enter(&driver, true, OURO_FOREVER), codes[i]);
        CU_ASSERT_EQUAL(ouro__ring_unsubmitted(&driver.ring), 1);
        CU_ASSERT_EQUAL(ouro__ring_completed(&driver.ring), 0);
        CU_ASSERT_EQUAL(enter(&driver, true, OURO_FOREVER), 0);
        CU_ASSERT_EQUAL(ouro__ring_completed(&driver.ring), 1);
        driver_close(&driver);
    }
}

/* --- what it refuses ----------------------------------------------------------------- */

static void test_unknown_sqes_are_invalid(void)
{
    static const struct io_uring_sqe table[] = {
        {.opcode = IORING_OP_TEE},
        {.opcode = IORING_OP_TIMEOUT},
        {.opcode = IORING_OP_SPLICE},
        {.opcode = 255},
        {.opcode = IORING_OP_NOP, .flags = IOSQE_ASYNC},
        {.opcode = IORING_OP_NOP, .flags = IOSQE_IO_LINK},
        {.opcode = IORING_OP_NOP, .personality = 1},
        {.opcode = IORING_OP_NOP, .nop_flags = 1},
        {.opcode = IORING_OP_RECV, .msg_flags = MSG_OOB},
        {.opcode = IORING_OP_RECV, .msg_flags = MSG_PEEK | MSG_WAITALL},
        {.opcode = IORING_OP_RECV, .ioprio = IORING_RECV_MULTISHOT},
        {.opcode = IORING_OP_RECV, .buf_index = 1},
        {.opcode = IORING_OP_SEND, .msg_flags = MSG_PEEK},
        {.opcode = IORING_OP_SEND, .addr2 = 1},
        {.opcode = IORING_OP_SEND, .addr_len = 16},
        {.opcode = IORING_OP_READ, .rw_flags = 1},
        {.opcode = IORING_OP_ACCEPT, .accept_flags = 1},
        {.opcode = IORING_OP_ACCEPT, .file_index = 1},
        {.opcode = IORING_OP_ACCEPT, .ioprio = IORING_ACCEPT_MULTISHOT, .len = 1},
        {.opcode = IORING_OP_ACCEPT, .ioprio = IORING_ACCEPT_POLL_FIRST},
        {.opcode = IORING_OP_POLL_ADD, .len = IORING_POLL_ADD_MULTI},
        {.opcode = IORING_OP_CLOSE, .len = 1},
        {.opcode = IORING_OP_CLOSE, .file_index = 1},
        {.opcode = IORING_OP_ASYNC_CANCEL, .cancel_flags = IORING_ASYNC_CANCEL_ANY},
    };
    struct driver driver;

    open_sim(&driver, "sim");
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct io_uring_sqe sqe = table[i];

        sqe.fd = open_socket(&driver, AF_INET);
        CU_ASSERT_EQUAL(driver_do(&driver, &sqe), -EINVAL);
    }
    driver_close(&driver);
}

static void test_foreign_descriptors_are_not_for_the_simulation(void)
{
    static const struct {
        int fd, code;
    } table[] = {{-1, -EBADF},      {0, -ENOSYS},       {1, -ENOSYS}, {(1 << 20) - 1, -ENOSYS},
                 {1 << 20, -EBADF}, {INT32_MAX, -EBADF}};
    static const uint8_t opcodes[] = {IORING_OP_POLL_ADD, IORING_OP_ACCEPT, IORING_OP_CONNECT,
                                      IORING_OP_RECV,     IORING_OP_SEND,   IORING_OP_READ,
                                      IORING_OP_WRITE,    IORING_OP_CLOSE};
    struct sockaddr_storage address = {.ss_family = AF_INET};
    struct driver driver;
    struct ring *ring = &driver.ring;

    open_sim(&driver, "sim");
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        socklen_t len = sizeof(address);
        int fd = table[i].fd;

        for (size_t j = 0; j < COUNT_OF(opcodes); j++) {
            struct io_uring_sqe sqe = {.opcode = opcodes[j], .fd = fd};

            CU_ASSERT_EQUAL(driver_do(&driver, &sqe), table[i].code);
        }
        CU_ASSERT_EQUAL(ring->backend->listen(ring, fd, 1), table[i].code);
        CU_ASSERT_EQUAL(ring->backend->bind(ring, fd, (struct sockaddr *) &address, 16),
                        table[i].code);
        CU_ASSERT_EQUAL(ring->backend->getsockname(ring, fd, (struct sockaddr *) &address, &len),
                        table[i].code);
    }
    driver_close(&driver);
}

static void test_socket_kinds(void)
{
    static const struct {
        int domain, type, protocol, code;
    } table[] = {
        {AF_INET, SOCK_DGRAM, IPPROTO_TCP, -EPROTONOSUPPORT},
        {AF_UNIX, SOCK_SEQPACKET, 0, -ESOCKTNOSUPPORT},
        {AF_NETLINK, SOCK_RAW, 0, -EAFNOSUPPORT},
        {999, SOCK_STREAM, 0, -EAFNOSUPPORT},
        {AF_INET, 77, 0, -EINVAL},
        {AF_INET, SOCK_STREAM | 0x40, 0, -EINVAL},
        {AF_INET, SOCK_STREAM, IPPROTO_UDP, -EPROTONOSUPPORT},
        {AF_UNIX, SOCK_STREAM, IPPROTO_TCP, -EPROTONOSUPPORT},
        {AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP, 1 << 20},
        {AF_INET6, SOCK_STREAM, 0, (1 << 20) + 1},
        {AF_UNIX, SOCK_STREAM, PF_UNIX, (1 << 20) + 2},
    };
    struct driver driver;

    open_sim(&driver, "sim");
    for (size_t i = 0; i < COUNT_OF(table); i++)
        CU_ASSERT_EQUAL(driver.ring.backend->socket(&driver.ring, table[i].domain, table[i].type,
                                                    table[i].protocol),
                        table[i].code);
    driver_close(&driver);
}

/* --- limits -------------------------------------------------------------------------- */

static void test_descriptors_run_out(void)
{
    struct driver driver;
    int fd = 0;

    open_sim(&driver, "sim");
    for (int i = 0; i < SIM_FD_COUNT; i++)
        fd = open_socket(&driver, AF_UNIX);
    CU_ASSERT_EQUAL(fd, SIM_FD_FIRST + SIM_FD_COUNT - 1);
    CU_ASSERT_EQUAL(open_socket(&driver, AF_UNIX), -EMFILE);
    CU_ASSERT_EQUAL(driver_close_fd(&driver, SIM_FD_FIRST + 70000), 0);
    CU_ASSERT_EQUAL(driver_close_fd(&driver, SIM_FD_FIRST + 4095), 0);
    CU_ASSERT_EQUAL(open_socket(&driver, AF_UNIX), SIM_FD_FIRST + 4095);
    CU_ASSERT_EQUAL(open_socket(&driver, AF_UNIX), SIM_FD_FIRST + 70000);
    CU_ASSERT_EQUAL(open_socket(&driver, AF_UNIX), -EMFILE);
    driver_close(&driver);
}

static void test_accept_without_a_free_descriptor_keeps_the_connection(void)
{
    struct network network;
    struct driver driver;
    int fd, last = -1;

    open_sim(&driver, "sim");
    open_listener(&driver, AF_UNIX, 4, &network);
    fd = open_socket(&driver, AF_UNIX);
    CU_ASSERT_EQUAL(driver_wait(&driver, start_connect(&driver, &network, fd)), 0);
    for (int spare = 0; spare >= 0; spare = open_socket(&driver, AF_UNIX))
        last = spare;
    CU_ASSERT_EQUAL(driver_wait(&driver, start_accept(&driver, network.listener)), -EMFILE);
    CU_ASSERT_EQUAL(driver_close_fd(&driver, last), 0);
    CU_ASSERT_EQUAL(driver_wait(&driver, start_accept(&driver, network.listener)), last);
    driver_close(&driver);
}

static void test_ports_run_out(void)
{
    struct network network;
    struct driver driver;
    struct sockaddr_in in = {.sin_family = AF_INET};
    unsigned count = 0;
    int code = 0;

    open_sim(&driver, "sim");
    open_listener(&driver, AF_INET, 4, &network);
    for (; code == 0; count++)
        code = driver.ring.backend->bind(&driver.ring, open_socket(&driver, AF_INET),
                                         (struct sockaddr *) &in, sizeof(in));
    CU_ASSERT_EQUAL(code, -EADDRINUSE);
    CU_ASSERT_EQUAL(count, 28232);
    CU_ASSERT_EQUAL(
        driver_wait(&driver, start_connect(&driver, &network, open_socket(&driver, AF_INET))),
        -EADDRNOTAVAIL);
    driver_close(&driver);
}

/*
 * Many operations in one queue: starting, cancelling and serving one must not look at all
 * others. It takes a fraction of a second, and far more than the limit where one does.
 */
static void test_hundred_thousand_operations_wait_at_once(void)
{
    enum { COUNT = 100000 };
    static char bytes[COUNT];
    struct network network;
    struct driver driver;
    unsigned received = 0, cancelled = 0;
    clock_t begin = clock();

    open_sim(&driver, "sim");
    open_network(&driver, AF_UNIX, &network);
    for (unsigned i = 0; i < COUNT; i++) {
        struct io_uring_sqe *sqe = ouro__ring_get_sqe(&driver.ring);

        if (!sqe) {
            (void) enter(&driver, false, 0);
            sqe = ouro__ring_get_sqe(&driver.ring);
        }
        io_uring_prep_recv(sqe, network.server, &bytes[i], 1, 0);
        sqe->user_data = 1000000 + i;
    }
    for (unsigned i = 0; i < COUNT / 2; i++) {
        struct io_uring_sqe *sqe = ouro__ring_get_sqe(&driver.ring);

        if (!sqe) {
            (void) enter(&driver, false, 0);
            sqe = ouro__ring_get_sqe(&driver.ring);
        }
        io_uring_prep_cancel64(sqe, 1000000 + 2 * i, 0);
        sqe->user_data = RING_IGNORED;
    }
    for (unsigned sent = 0; sent < COUNT / 2; sent += 50000) {
        struct io_uring_sqe sqe = {0};

        io_uring_prep_send(&sqe, network.client, bytes, 50000, MSG_WAITALL);
        sqe.user_data = 1;
        *ouro__ring_get_sqe(&driver.ring) = sqe;
    }
    while (enter(&driver, true, OURO_FOREVER) == 0) {
        for (; ouro__ring_completed(&driver.ring) > 0; ouro__ring_pop(&driver.ring)) {
            const struct io_uring_cqe *cqe = ouro__ring_peek(&driver.ring);

            received += cqe->user_data >= 1000000 && cqe->res == 1;
            cancelled += cqe->user_data >= 1000000 && cqe->res == -ECANCELED;
        }
    }
    CU_ASSERT_EQUAL(received + cancelled, COUNT);
    CU_ASSERT_EQUAL(received, COUNT / 2);
    CU_ASSERT(clock() - begin < 5 * CLOCKS_PER_SEC);
    driver_close(&driver);
}

/* --- several operations on one socket ------------------------------------------------ */

static void test_bytes_go_round_all_receivers(void)
{
    struct network network;
    struct driver driver;
    unsigned tags[3];
    char buf[3][4];

    open_sim(&driver, "sim");
    open_network(&driver, AF_INET, &network);
    for (unsigned i = 0; i < 3; i++) {
        tags[i] = start_recv(&driver, network.server, buf[i], 4, 0);
        driver_settle(&driver);
    }
    CU_ASSERT_EQUAL(do_send(&driver, network.client, "aaaabbbbcccc", 12, 0), 12);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(driver_wait(&driver, tags[i]), 4);
    driver_close(&driver);
}

/* A roused receiver that is cancelled, or only peeks, must not keep the bytes from the next. */
static void test_receiver_that_takes_nothing_lets_the_next_one_have_it(void)
{
    for (unsigned seed = 0; seed < 200; seed++) {
        struct network network;
        struct driver driver;
        unsigned first, second;
        char buf[2][4];
        int result;

        open_seed(&driver, seed, "");
        open_network(&driver, AF_INET, &network);
        first = start_recv(&driver, network.server, buf[0], 4, seed % 2 ? MSG_PEEK : 0);
        driver_settle(&driver);
        second = start_recv(&driver, network.server, buf[1], 4, 0);
        driver_settle(&driver);
        (void) start_send(&driver, network.client, "abcd", 4, 0);
        (void) driver_cancel(&driver, first);
        result = driver_wait(&driver, first);
        CU_ASSERT(result == 4 || result == -ECANCELED);
        driver_settle(&driver);
        CU_ASSERT_EQUAL(driver.is_done[second], result == -ECANCELED || seed % 2 == 1);
        driver_close(&driver);
    }
}

static void test_three_accepts_get_three_connections(void)
{
    struct network network;
    struct driver driver;
    unsigned tags[3];

    open_sim(&driver, "sim");
    open_listener(&driver, AF_INET, 16, &network);
    for (unsigned i = 0; i < 3; i++)
        tags[i] = start_accept(&driver, network.listener);
    driver_settle(&driver);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(
            driver_wait(&driver, start_connect(&driver, &network, open_socket(&driver, AF_INET))),
            0);
    for (unsigned i = 0; i < 3; i++)
        CU_ASSERT(driver_wait(&driver, tags[i]) >= SIM_FD_FIRST);
    driver_close(&driver);
}

static void test_reuseport_spreads_connections(void)
{
    struct driver driver;
    struct ring *ring = &driver.ring;
    struct network network;
    const int one = 1;
    int listeners[2];
    int counts[2] = {0, 0};
    int backlog = 100;

    open_sim(&driver, "sim");
    network.len = sizeof(struct sockaddr_in);
    network.address = (struct sockaddr_storage) {.ss_family = AF_INET};
    for (unsigned i = 0; i < 2; i++) {
        struct sockaddr *address = (struct sockaddr *) &network.address;

        listeners[i] = open_socket(&driver, AF_INET);
        (void) ring->backend->setsockopt(ring, listeners[i], SOL_SOCKET, SO_REUSEPORT, &one,
                                         sizeof(one));
        CU_ASSERT_EQUAL(ring->backend->bind(ring, listeners[i], address, network.len), 0);
        CU_ASSERT_EQUAL(ring->backend->listen(ring, listeners[i], backlog), 0);
        CU_ASSERT_EQUAL(ring->backend->getsockname(ring, listeners[i], address, &network.len), 0);
    }
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(
            driver_wait(&driver, start_connect(&driver, &network, open_socket(&driver, AF_INET))),
            0);
    for (unsigned i = 0; i < 2; i++) {
        (void) start_accept(&driver, listeners[i]);
        for (; driver_wait(&driver, driver.tag_count - 1) >= 0; counts[i]++)
            (void) start_accept(&driver, listeners[i]);
    }
    CU_ASSERT_EQUAL(counts[0] + counts[1], 100);
    CU_ASSERT(counts[0] > 25 && counts[1] > 25);
    driver_close(&driver);
}

/* --- cancelling ---------------------------------------------------------------------- */

struct race {
    struct network network;
    unsigned receive, cancel; /* tags */
};

/* A receive of four bytes that are there, "abcd", and a cancel of it, in one submission. */
static void open_race(struct driver *driver, unsigned seed, char *buf, struct race *race)
{
    struct io_uring_sqe receive = {0}, cancel = {0};

    open_seed(driver, seed, "");
    open_network(driver, AF_INET, &race->network);
    CU_ASSERT_EQUAL(do_send(driver, race->network.client, "abcd", 4, 0), 4);
    io_uring_prep_recv(&receive, race->network.server, buf, 4, 0);
    race->receive = driver_queue(driver, &receive);
    io_uring_prep_cancel64(&cancel, race->receive + DRIVER_TAGS, 0);
    race->cancel = driver_queue(driver, &cancel);
}

/*
 * The bytes are there when the cancel comes: who wins is chance, but the two completions
 * agree, and the bytes are either in the buffer or still in the socket.
 */
static void test_cancel_may_lose_the_race(void)
{
    unsigned won = 0, lost = 0, late = 0;

    for (unsigned seed = 0; seed < 400; seed++) {
        struct driver driver;
        struct race race;
        char buf[4] = "----";

        open_race(&driver, seed, buf, &race);
        if (driver_wait(&driver, race.receive) == -ECANCELED) {
            won++;
            CU_ASSERT_EQUAL(driver_wait(&driver, race.cancel), 0);
            CU_ASSERT(is_filled(buf, 4, '-'));
            CU_ASSERT_EQUAL(do_recv(&driver, race.network.server, buf, 4, MSG_DONTWAIT), 4);
        } else {
            CU_ASSERT_EQUAL(driver_wait(&driver, race.receive), 4);
            lost += driver_wait(&driver, race.cancel) == -EALREADY;
            late += driver_wait(&driver, race.cancel) == -ENOENT;
        }
        CU_ASSERT(memcmp(buf, "abcd", 4) == 0);
        driver_close(&driver);
    }
    CU_ASSERT_EQUAL(won + lost + late, 400);
    CU_ASSERT(won > 20 && lost > 20 && late > 20);
}

/* A cancel that is late is not about a later operation with the user_data of the one it was for. */
static void test_cancel_is_not_for_what_comes_later(void)
{
    unsigned late = 0;

    for (unsigned seed = 0; seed < 400; seed++) {
        struct driver driver;
        struct race race;
        char buf[4];

        open_race(&driver, seed, buf, &race);
        if (driver_wait(&driver, race.receive) == 4 && !driver.is_done[race.cancel]) {
            late++;
            driver.tag_count = race.receive; /* the same user_data again */
            CU_ASSERT_EQUAL(start_recv(&driver, race.network.server, buf, 4, 0), race.receive);
            driver.tag_count = race.cancel + 1;
            CU_ASSERT_EQUAL(driver_wait(&driver, race.cancel), -ENOENT);
            driver_settle(&driver);
            CU_ASSERT_FALSE(driver.is_done[race.receive]);
            CU_ASSERT_EQUAL(do_send(&driver, race.network.client, "efgh", 4, 0), 4);
            CU_ASSERT_EQUAL(driver_wait(&driver, race.receive), 4);
        }
        driver_close(&driver);
    }
    CU_ASSERT(late > 20);
}

/* After -EALREADY the operation ends all the same, also when nothing ever comes for it. */
static void test_cancel_that_is_late_still_ends_the_operation(void)
{
    for (unsigned seed = 0; seed < 200; seed++) {
        struct network network;
        struct driver driver;
        unsigned receive;
        char buf[4];

        open_seed(&driver, seed, "");
        open_network(&driver, AF_INET, &network);
        receive = start_recv(&driver, network.server, buf, 4, 0);
        CU_ASSERT(driver_cancel(&driver, receive) != -ENOENT);
        CU_ASSERT_EQUAL(driver_wait(&driver, receive), -ECANCELED);
        driver_close(&driver);
    }
}

static void test_close_cannot_be_cancelled(void)
{
    for (unsigned seed = 0; seed < 50; seed++) {
        struct io_uring_sqe sqe = {0};
        struct driver driver;
        unsigned tag;
        int code;

        open_seed(&driver, seed, "");
        io_uring_prep_close(&sqe, open_socket(&driver, AF_INET));
        tag = driver_queue(&driver, &sqe);
        code = driver_cancel(&driver, tag);
        CU_ASSERT(code == -EALREADY || code == -ENOENT);
        CU_ASSERT_EQUAL(driver_wait(&driver, tag), 0);
        driver_close(&driver);
    }
}

/* Linux goes on connecting without us; a Unix connect is undone. */
static void test_abandoned_connect(void)
{
    static const struct {
        int domain, then;
    } table[] = {{AF_INET, 0}, {AF_UNIX, -ETIME}};

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct network network;
        struct driver driver;
        unsigned tag;
        int fd;

        open_sim(&driver, "sim");
        open_listener(&driver, table[i].domain, 0, &network);
        tag = start_connect(&driver, &network, open_socket(&driver, table[i].domain));
        CU_ASSERT_EQUAL(driver_wait(&driver, tag), 0);
        fd = open_socket(&driver, table[i].domain);
        tag = start_connect(&driver, &network, fd);
        driver_settle(&driver);
        CU_ASSERT_EQUAL(driver_cancel(&driver, tag), 0);
        CU_ASSERT_EQUAL(driver_wait(&driver, tag), -ECANCELED);

        CU_ASSERT(driver_wait(&driver, start_accept(&driver, network.listener)) >= 0);
        tag = start_accept(&driver, network.listener);
        if (table[i].domain == AF_INET) {
            CU_ASSERT(driver_wait(&driver, tag) >= 0);
            CU_ASSERT_EQUAL(driver_wait(&driver, start_connect(&driver, &network, fd)), 0);
            CU_ASSERT_EQUAL(driver_wait(&driver, start_connect(&driver, &network, fd)), -EISCONN);
        } else {
            driver_settle(&driver);
            CU_ASSERT(!driver.is_done[tag]);
            CU_ASSERT_EQUAL(driver_wait(&driver, start_connect(&driver, &network, fd)), 0);
            CU_ASSERT(driver_wait(&driver, tag) >= 0);
        }
        driver_close(&driver);
    }
}

/* A connect that got through reports it: otherwise the socket would be connected in secret. */
static void test_connect_that_got_through_cannot_be_cancelled(void)
{
    for (unsigned seed = 0; seed < 100; seed++) {
        struct network network;
        struct driver driver;
        unsigned tag;
        int code;

        open_seed(&driver, seed, "");
        open_listener(&driver, AF_UNIX, 0, &network);
        tag = start_connect(&driver, &network, open_socket(&driver, AF_UNIX));
        CU_ASSERT_EQUAL(driver_wait(&driver, tag), 0);
        tag = start_connect(&driver, &network, open_socket(&driver, AF_UNIX));
        driver_settle(&driver);
        CU_ASSERT(driver_wait(&driver, start_accept(&driver, network.listener)) >= 0);
        code = driver_cancel(&driver, tag);
        CU_ASSERT(code == -EALREADY || code == -ENOENT);
        CU_ASSERT_EQUAL(driver_wait(&driver, tag), 0);
        driver_close(&driver);
    }
}

/* --- streams ------------------------------------------------------------------------- */

/* Sizes that have nothing to do with the buffer's, so that its ends fall everywhere. */
static void test_bytes_survive_any_mixture_of_sizes(void)
{
    struct sim_random random = {.state = 1};
    unsigned char out[5000], in[5000];
    struct network network;
    struct driver driver;
    unsigned sent = 0, received = 0, wrong = 0;

    open_sim(&driver, "sim");
    open_network(&driver, AF_INET, &network);
    for (unsigned round = 0; round < 5000; round++) {
        unsigned limit = 200 + round / 2;
        int n = (int) ouro__sim_random_below(&random, limit);

        for (int i = 0; i < n; i++)
            out[i] = (unsigned char) ((sent + (unsigned) i) % 251);
        n = do_send(&driver, network.client, out, (size_t) n, MSG_DONTWAIT);
        sent += n > 0 ? (unsigned) n : 0;
        n = (int) ouro__sim_random_below(&random, limit);
        n = do_recv(&driver, network.server, in, (size_t) n, MSG_DONTWAIT);
        for (int i = 0; i < n; i++)
            wrong += in[i] != (received + (unsigned) i) % 251;
        received += n > 0 ? (unsigned) n : 0;
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(received > 1000000);
    driver_close(&driver);
}

/* --- short transfers ----------------------------------------------------------------- */

static void test_short_transfers_lose_nothing(void)
{
    char out[100], in[100] = {0};
    struct network network;
    struct driver driver;
    size_t sent = 0, received = 0;
    unsigned cut = 0;

    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (char) i;
    open_sim(&driver, "sim:short=100");
    open_network(&driver, AF_INET, &network);
    while (sent < sizeof(out)) {
        int n = do_send(&driver, network.client, out + sent, sizeof(out) - sent, 0);

        CU_ASSERT_FATAL(n >= 1);
        cut += sent + (size_t) n < sizeof(out);
        CU_ASSERT(n == 1 || sent + (size_t) n < sizeof(out));
        sent += (size_t) n;
    }
    while (received < sizeof(in)) {
        int n = do_recv(&driver, network.server, in + received, sizeof(in) - received, 0);

        CU_ASSERT_FATAL(n >= 1);
        received += (size_t) n;
        CU_ASSERT(n == 1 || received < sizeof(in));
    }
    CU_ASSERT(cut > 0);
    CU_ASSERT(memcmp(in, out, sizeof(in)) == 0);
    driver_close(&driver);
}

static void test_waitall_is_never_cut_short(void)
{
    char out[100] = {1}, in[100];
    struct network network;
    struct driver driver;

    open_sim(&driver, "sim:short=100");
    open_network(&driver, AF_INET, &network);
    CU_ASSERT_EQUAL(do_send(&driver, network.client, out, sizeof(out), MSG_WAITALL), 100);
    CU_ASSERT_EQUAL(do_recv(&driver, network.server, in, sizeof(in), MSG_WAITALL), 100);
    driver_close(&driver);
}

static void test_percentages_are_percentages(void)
{
    struct network network;
    struct driver driver;
    unsigned cut = 0;
    char buf[100] = {0};

    open_sim(&driver, "sim:short=25");
    open_network(&driver, AF_INET, &network);
    for (unsigned i = 0; i < 1000; i++) {
        cut += do_send(&driver, network.client, buf, sizeof(buf), 0) < 100;
        (void) do_recv(&driver, network.server, buf, sizeof(buf), MSG_WAITALL | MSG_DONTWAIT);
    }
    CU_ASSERT(cut > 200 && cut < 300);
    driver_close(&driver);
}

/* --- injected errors ----------------------------------------------------------------- */

/* Sets a connection up on a ring whose operations all fail; -1 when they failed. */
static int reopen_with_errors(struct driver *driver, unsigned seed, int domain,
                              struct network *network)
{
    unsigned tag;

    open_seed(driver, seed, ",errors=40");
    open_listener(driver, domain, 16, network);
    network->client = open_socket(driver, domain);
    tag = start_connect(driver, network, network->client);
    if (driver_wait(driver, tag) != 0)
        return -1;
    network->server = driver_wait(driver, start_accept(driver, network->listener));
    return network->server >= 0 ? 0 : -1;
}

static void test_injected_reset_is_seen_at_both_ends(void)
{
    unsigned resets = 0, timeouts = 0, intact = 0;

    for (unsigned seed = 0; seed < 600; seed++) {
        struct network network;
        struct driver driver;
        char buf[4];
        int result, next;

        if (reopen_with_errors(&driver, seed, AF_INET, &network) == 0) {
            result = do_recv(&driver, network.server, buf, 4, MSG_DONTWAIT);
            resets += result == -ECONNRESET;
            timeouts += result == -ETIMEDOUT;
            intact += result == -EAGAIN;
            CU_ASSERT(result == -ECONNRESET || result == -ETIMEDOUT || result == -EHOSTUNREACH ||
                      result == -EAGAIN);
            next = do_recv(&driver, network.client, buf, 4, MSG_DONTWAIT);
            if (result != -EAGAIN) {
                CU_ASSERT_EQUAL(next, -ECONNRESET);
                CU_ASSERT_EQUAL(do_recv(&driver, network.server, buf, 4, 0), 0);
                CU_ASSERT_EQUAL(do_send(&driver, network.server, buf, 4, 0), -EPIPE);
                CU_ASSERT_EQUAL(do_send(&driver, network.client, buf, 4, 0), -EPIPE);
            }
        }
        driver_close(&driver);
    }
    CU_ASSERT(resets > 20 && timeouts > 5 && intact > 20);
}

static void test_injected_reset_interrupts_the_other_end(void)
{
    unsigned interrupted = 0;

    for (unsigned seed = 0; seed < 300; seed++) {
        struct network network;
        struct driver driver;
        char buf[4];
        unsigned tag;

        if (reopen_with_errors(&driver, seed, AF_INET, &network) == 0) {
            tag = start_recv(&driver, network.client, buf, 4, 0);
            driver_settle(&driver);
            if (!driver.is_done[tag] &&
                do_recv(&driver, network.server, buf, 4, MSG_DONTWAIT) != -EAGAIN) {
                CU_ASSERT_EQUAL(driver_wait(&driver, tag), -ECONNRESET);
                interrupted++;
            }
        }
        driver_close(&driver);
    }
    CU_ASSERT(interrupted > 10);
}

static void test_unix_connections_do_not_break(void)
{
    for (unsigned seed = 0; seed < 200; seed++) {
        struct network network;
        struct driver driver;
        char buf[4];

        if (reopen_with_errors(&driver, seed, AF_UNIX, &network) == 0) {
            CU_ASSERT_EQUAL(do_send(&driver, network.client, "ab", 2, 0), 2);
            CU_ASSERT_EQUAL(do_recv(&driver, network.server, buf, 4, 0), 2);
        }
        driver_close(&driver);
    }
}

static void test_injected_connect_errors_are_a_kernels(void)
{
    unsigned failures = 0;

    for (unsigned seed = 0; seed < 200; seed++) {
        struct network network;
        struct driver driver;
        int result;

        open_seed(&driver, seed, ",errors=50");
        open_listener(&driver, AF_INET, 16, &network);
        network.client = open_socket(&driver, AF_INET);
        result = driver_wait(&driver, start_connect(&driver, &network, network.client));
        CU_ASSERT(result == 0 || result == -ECONNREFUSED || result == -ETIMEDOUT ||
                  result == -EHOSTUNREACH || result == -ENETUNREACH);
        failures += result != 0;
        driver_close(&driver);
    }
    CU_ASSERT(failures > 60 && failures < 140);
}

/* EMFILE and the like leave the connection for the next accept; after ECONNABORTED it is gone. */
static void test_injected_accept_errors_keep_or_drop_the_connection(void)
{
    unsigned kept = 0, dropped = 0;

    for (unsigned seed = 0; seed < 400; seed++) {
        struct network network;
        struct driver driver;
        char buf[4];
        int result;

        open_seed(&driver, seed, ",errors=30");
        open_listener(&driver, AF_UNIX, 16, &network);
        network.client = open_socket(&driver, AF_UNIX);
        if (driver_wait(&driver, start_connect(&driver, &network, network.client)) == 0) {
            do {
                result = driver_wait(&driver, start_accept(&driver, network.listener));
                kept += result == -EMFILE || result == -ENOBUFS || result == -ENFILE ||
                        result == -ENOMEM;
            } while (result < 0 && result != -ECONNABORTED);
            if (result == -ECONNABORTED) {
                dropped++;
                CU_ASSERT_EQUAL(do_recv(&driver, network.client, buf, 4, 0), -ECONNRESET);
            }
        }
        driver_close(&driver);
    }
    CU_ASSERT(kept > 20 && dropped > 5);
}

/* --- names --------------------------------------------------------------------------- */

static int bind_path(struct driver *driver, int fd, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    (void) snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    return driver->ring.backend->bind(&driver->ring, fd, (struct sockaddr *) &un, sizeof(un));
}

static int connect_path(struct driver *driver, const char *path)
{
    struct network network = {.len = sizeof(struct sockaddr_un)};
    struct sockaddr_un *un = (struct sockaddr_un *) &network.address;

    un->sun_family = AF_UNIX;
    (void) snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
    return driver_wait(driver, start_connect(driver, &network, open_socket(driver, AF_UNIX)));
}

static void test_unix_paths_need_no_file_system(void)
{
    static const char path[] = "/no/such/folder/socket";
    struct driver driver;
    struct ring *ring = &driver.ring;
    int fd;

    open_sim(&driver, "sim");
    CU_ASSERT_EQUAL(connect_path(&driver, path), -ENOENT);
    fd = open_socket(&driver, AF_UNIX);
    CU_ASSERT_EQUAL(bind_path(&driver, fd, path), 0);
    CU_ASSERT_EQUAL(connect_path(&driver, path), -ECONNREFUSED);
    CU_ASSERT_EQUAL(ring->backend->listen(ring, fd, 1), 0);
    CU_ASSERT_EQUAL(connect_path(&driver, path), 0);
    CU_ASSERT_EQUAL(bind_path(&driver, open_socket(&driver, AF_UNIX), path), -EADDRINUSE);
    CU_ASSERT_EQUAL(driver_close_fd(&driver, fd), 0);
    CU_ASSERT_EQUAL(connect_path(&driver, path), -ECONNREFUSED);
    CU_ASSERT_EQUAL(bind_path(&driver, open_socket(&driver, AF_UNIX), path), 0);
    driver_close(&driver);
}

static void test_unix_path_outlives_its_last_socket(void)
{
    struct driver driver;
    int fd;

    open_sim(&driver, "sim");
    fd = open_socket(&driver, AF_UNIX);
    CU_ASSERT_EQUAL(bind_path(&driver, fd, "/left/behind"), 0);
    CU_ASSERT_EQUAL(driver_close_fd(&driver, fd), 0);
    CU_ASSERT_EQUAL(connect_path(&driver, "/left/behind"), -ECONNREFUSED);
    driver_close(&driver);
}

static void test_names_are_cut_to_the_room_they_get(void)
{
    struct driver driver;
    struct ring *ring = &driver.ring;
    struct sockaddr_un un;
    socklen_t len = 7;
    int fd;

    open_sim(&driver, "sim");
    fd = open_socket(&driver, AF_UNIX);
    CU_ASSERT_EQUAL(bind_path(&driver, fd, "/abcdef"), 0);
    memset(&un, '-', sizeof(un));
    CU_ASSERT_EQUAL(ring->backend->getsockname(ring, fd, (struct sockaddr *) &un, &len), 0);
    CU_ASSERT_EQUAL(len, offsetof(struct sockaddr_un, sun_path) + 8);
    CU_ASSERT(memcmp(un.sun_path, "/abcd-", 6) == 0);
    len = (socklen_t) -1;
    CU_ASSERT_EQUAL(ring->backend->getsockname(ring, fd, (struct sockaddr *) &un, &len), -EINVAL);
    driver_close(&driver);
}

/* --- the trace ----------------------------------------------------------------------- */

static size_t read_all(FILE *file, char *text, size_t size)
{
    size_t len;

    rewind(file);
    len = fread(text, 1, size - 1, file);
    text[len] = '\0';
    return len;
}

/* A run with its trace; the file is left at `path`. */
static void trace_run(const char *path)
{
    struct network network;
    struct driver driver;
    char spec[200];
    char buf[8];

    (void) snprintf(spec, sizeof(spec), "sim:seed=5,short=30,errors=20,trace=%s", path);
    open_sim(&driver, spec);
    open_listener(&driver, AF_INET, 4, &network);
    network.client = open_socket(&driver, AF_INET);
    (void) start_connect(&driver, &network, network.client);
    (void) start_accept(&driver, network.listener);
    (void) start_recv(&driver, network.client, buf, sizeof(buf), 0);
    (void) driver_cancel(&driver, 2);
    (void) enter(&driver, true, 1500 * OURO_MILLISECOND);
    driver_close(&driver);
}

static void test_traces_of_one_seed_are_the_same_to_the_byte(void)
{
    static char first[100000], second[100000];
    char path[64];
    FILE *file;
    size_t len;

    (void) snprintf(path, sizeof(path), "/tmp/ouro-trace-%d", (int) getpid());
    (void) unlink(path);
    trace_run(path);
    file = fopen(path, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    len = read_all(file, first, sizeof(first));
    trace_run(path); /* appends */
    CU_ASSERT_EQUAL(read_all(file, second, sizeof(second)), 2 * len);
    CU_ASSERT(len > 200);
    CU_ASSERT(memcmp(second, first, len) == 0);
    CU_ASSERT(memcmp(second + len, first, len) == 0);
    (void) fclose(file);
    (void) unlink(path);
}

static void test_trace_says_what_happened(void)
{
    static const char expected[] = "0.000000000 call socket(1, 1, 0) = 1048576\n"
                                   "0.000000000 sqe 1 RECV fd=1048576 len=8 flags=0x0\n"
                                   "0.000000000 cqe 1 RECV -22\n"
                                   "0.000000000 sqe 2 NOP fd=-1 len=0 flags=0x0\n"
                                   "0.000000000 cqe 2 NOP 0\n"
                                   "0.000000000 clock +1.500000000\n"
                                   "1.500000000 sqe 3 ASYNC_CANCEL of 0\n"
                                   "1.500000000 cqe 3 ASYNC_CANCEL -2\n"
                                   "1.500000000 enter fails: -4\n";
    char path[64], spec[100], text[2000], buf[8];
    struct driver driver;
    FILE *file;

    (void) snprintf(path, sizeof(path), "/tmp/ouro-trace-%d", (int) getpid());
    (void) snprintf(spec, sizeof(spec), "sim:trace=%s", path);
    (void) unlink(path);
    open_sim(&driver, spec);
    CU_ASSERT_EQUAL(do_recv(&driver, open_socket(&driver, AF_UNIX), buf, 8, 0), -EINVAL);
    CU_ASSERT_EQUAL(driver_wait(&driver, queue_nop(&driver)), 0);
    CU_ASSERT_EQUAL(enter(&driver, true, 1500 * OURO_MILLISECOND), -ETIME);
    CU_ASSERT_EQUAL(driver_cancel(&driver, 0), -ENOENT);
    ouro__ring_sim_fail_enter(&driver.ring, 1, -EINTR);
    CU_ASSERT_EQUAL(enter(&driver, false, 0), -EINTR);
    file = fopen(path, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void) read_all(file, text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, expected);
    (void) fclose(file);
    (void) unlink(path);
    driver_close(&driver);
}

static void test_trace_that_cannot_be_written_is_an_error(void)
{
    struct ring_config config;
    struct ring_hint hint;
    struct ring ring;

    CU_ASSERT_EQUAL_FATAL(ouro__ring_parse("sim:trace=/no/such/folder/x", &config, &hint), 0);
    CU_ASSERT_EQUAL(ouro__ring_open(&ring, &config, &hint), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(hint.text, "/no/such/folder/x"));
}

/* --- the end ------------------------------------------------------------------------- */

/* AddressSanitizer is the judge here. */
static void test_closing_frees_what_was_left_behind(void)
{
    struct network network, second;
    struct driver driver;
    char buf[70000] = {0};

    open_sim(&driver, "sim");
    open_network(&driver, AF_INET, &network);
    open_network(&driver, AF_UNIX, &second);
    (void) start_connect(&driver, &network, open_socket(&driver, AF_INET));
    (void) start_connect(&driver, &second, open_socket(&driver, AF_UNIX));
    (void) start_recv(&driver, network.client, buf, 4, 0);
    (void) start_send(&driver, network.client, buf, sizeof(buf), MSG_WAITALL);
    (void) start_accept(&driver, network.listener);
    (void) driver_close_fd(&driver, network.client);
    (void) driver_close_fd(&driver, network.listener);
    for (unsigned i = 0; i < 60; i++)
        (void) queue_nop(&driver);
    (void) enter(&driver, false, 0);
    driver_close(&driver);
}

const struct test ring_sim_tests[] = {
    TEST(test_clock_jumps_to_the_deadline_when_nothing_is_ready),
    TEST(test_clock_stands_while_something_is_ready),
    TEST(test_clock_jumps_although_operations_wait),
    TEST(test_waiting_for_what_cannot_come_is_a_deadlock),
    TEST(test_clock_creeps_for_who_only_looks_at_it),
    TEST(test_same_seed_gives_the_same_run),
    TEST(test_other_seeds_give_other_runs),
    TEST(test_hash_tells_small_differences),
    TEST(test_completions_come_in_every_order),
    TEST(test_what_is_ready_completes_without_waiting),
    TEST(test_queue_says_that_there_is_something_to_run),
    TEST(test_memory_is_touched_between_submission_and_completion_only),
    TEST(test_send_reads_its_memory_late),
    TEST(test_completion_queue_has_twice_the_entries),
    TEST(test_completions_that_find_no_room_come_later),
    TEST(test_planned_fault_fails_one_enter_and_takes_nothing),
    TEST(test_unknown_sqes_are_invalid),
    TEST(test_foreign_descriptors_are_not_for_the_simulation),
    TEST(test_socket_kinds),
    TEST(test_descriptors_run_out),
    TEST(test_accept_without_a_free_descriptor_keeps_the_connection),
    TEST(test_ports_run_out),
    TEST(test_hundred_thousand_operations_wait_at_once),
    TEST(test_bytes_go_round_all_receivers),
    TEST(test_receiver_that_takes_nothing_lets_the_next_one_have_it),
    TEST(test_three_accepts_get_three_connections),
    TEST(test_reuseport_spreads_connections),
    TEST(test_cancel_may_lose_the_race),
    TEST(test_cancel_is_not_for_what_comes_later),
    TEST(test_cancel_that_is_late_still_ends_the_operation),
    TEST(test_close_cannot_be_cancelled),
    TEST(test_abandoned_connect),
    TEST(test_connect_that_got_through_cannot_be_cancelled),
    TEST(test_bytes_survive_any_mixture_of_sizes),
    TEST(test_short_transfers_lose_nothing),
    TEST(test_waitall_is_never_cut_short),
    TEST(test_percentages_are_percentages),
    TEST(test_injected_reset_is_seen_at_both_ends),
    TEST(test_injected_reset_interrupts_the_other_end),
    TEST(test_unix_connections_do_not_break),
    TEST(test_injected_connect_errors_are_a_kernels),
    TEST(test_injected_accept_errors_keep_or_drop_the_connection),
    TEST(test_unix_paths_need_no_file_system),
    TEST(test_unix_path_outlives_its_last_socket),
    TEST(test_names_are_cut_to_the_room_they_get),
    TEST(test_traces_of_one_seed_are_the_same_to_the_byte),
    TEST(test_trace_says_what_happened),
    TEST(test_trace_that_cannot_be_written_is_an_error),
    TEST(test_closing_frees_what_was_left_behind),
    TEST_END,
};
