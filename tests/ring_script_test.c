/* SPDX-License-Identifier: MIT */
/*
 * ring_script_test.c - the simulated and the kernel's ring must agree
 *
 * A script is a table of steps, each with the result that it must have. Every script runs
 * on the simulated ring under many seeds, and on the kernel's ring, over TCP on IPv4 and
 * IPv6 and over Unix sockets unless it says otherwise. What is written here is thus a
 * fact about Linux, and the simulation may be believed as far as these scripts reach.
 *
 * After them come random walks: the same random steps on both rings, compared step by
 * step, for the combinations that nobody thought of.
 *
 * Sockets have letters, operations that are not awaited at once have numbers. Bytes are
 * a running pattern per sender, so that a lost, doubled or swapped one is noticed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "ring_driver.h"
#include "sim_net.h"
#include "test.h"

#define SIM_SEEDS  16
#define BUFFER_MAX (512 * 1024)

enum letter { A, B, C, D, E, L, M, NOBODY, LETTER_COUNT };

enum families {
    TCP4 = 1,
    TCP6 = 2,
    TCP = TCP4 | TCP6,
    UNIX = 4,
    ALL = TCP | UNIX,
};

enum verb {
    VERB_END,
    VERB_SOCKET,
    VERB_BIND,
    VERB_LISTEN,
    VERB_CONNECT,
    VERB_ACCEPT,
    VERB_SEND,
    VERB_RECV,
    VERB_READ,
    VERB_WRITE,
    VERB_SHUTDOWN,
    VERB_CLOSE,
    VERB_POLL,
    VERB_PENDING,
    VERB_RESULT,
    VERB_CANCEL,
    VERB_FILL,
    VERB_DRAIN,
    VERB_SET,
    VERB_GET,
    VERB_LINGER,
    VERB_SOCKNAME,
    VERB_PEERNAME
};

struct step {
    enum verb verb;
    enum letter who;
    enum letter other; /* whom to connect to, where to put what was accepted, whose name */
    int n;             /* bytes, backlog, events, how, option */
    int flags;         /* or the option's level */
    int expected;      /* the result; ANY: whatever it is; OK: not negative */
    int number;        /* of an operation that is started here; 0: await it */
    int line;
};

#define OK  1000001
#define ANY 1000002

#define STEP(...) {__VA_ARGS__, .line = __LINE__}

#define SOCKET(w)                  STEP(VERB_SOCKET, .who = w, .expected = OK)
#define BIND(w)                    STEP(VERB_BIND, .who = w, .other = w)
#define BIND_LIKE(w, o, result)    STEP(VERB_BIND, .who = w, .other = o, .expected = result)
#define LISTEN(w, backlog, result) STEP(VERB_LISTEN, .who = w, .n = backlog, .expected = result)
#define CONNECT(w, o, result)      STEP(VERB_CONNECT, .who = w, .other = o, .expected = result)
#define ACCEPT(w, o, result)       STEP(VERB_ACCEPT, .who = w, .other = o, .expected = result)
#define SEND(w, bytes, f, result) \
    STEP(VERB_SEND, .who = w, .n = bytes, .flags = f, .expected = result)
#define RECV(w, bytes, f, result) \
    STEP(VERB_RECV, .who = w, .n = bytes, .flags = f, .expected = result)
#define WRITE(w, bytes, result) STEP(VERB_WRITE, .who = w, .n = bytes, .expected = result)
#define READ(w, bytes, result)  STEP(VERB_READ, .who = w, .n = bytes, .expected = result)
#define SHUTDOWN(w, h, result)  STEP(VERB_SHUTDOWN, .who = w, .n = h, .expected = result)
#define CLOSE(w, result)        STEP(VERB_CLOSE, .who = w, .expected = result)
#define POLL(w, events, result) STEP(VERB_POLL, .who = w, .n = events, .expected = result)
#define SOCKNAME(w, o, result)  STEP(VERB_SOCKNAME, .who = w, .other = o, .expected = result)
#define PEERNAME(w, o, result)  STEP(VERB_PEERNAME, .who = w, .other = o, .expected = result)
#define SET(w, level, option, value, result) \
    STEP(VERB_SET, .who = w, .flags = level, .n = option, .number = value, .expected = result)
#define GET(w, level, option, result) \
    STEP(VERB_GET, .who = w, .flags = level, .n = option, .expected = result)

/* A close that aborts: SO_LINGER with a time of 0. */
#define LINGER(w) STEP(VERB_LINGER, .who = w)

/* Sends until nothing more fits; receives until nothing is left. */
#define FILL(w)  STEP(VERB_FILL, .who = w, .expected = OK)
#define DRAIN(w) STEP(VERB_DRAIN, .who = w, .expected = OK)

/* The same, under a number and not awaited. */
#define START_CONNECT(i, w, o)   STEP(VERB_CONNECT, .number = i, .who = w, .other = o)
#define START_ACCEPT(i, w, o)    STEP(VERB_ACCEPT, .number = i, .who = w, .other = o)
#define START_SEND(i, w, b, f)   STEP(VERB_SEND, .number = i, .who = w, .n = b, .flags = f)
#define START_RECV(i, w, b, f)   STEP(VERB_RECV, .number = i, .who = w, .n = b, .flags = f)
#define START_READ(i, w, b)      STEP(VERB_READ, .number = i, .who = w, .n = b)
#define START_POLL(i, w, events) STEP(VERB_POLL, .number = i, .who = w, .n = events)

#define PENDING(i)        STEP(VERB_PENDING, .number = i) /* and everything else is quiet, too */
#define RESULT(i, result) STEP(VERB_RESULT, .number = i, .expected = result)
#define CANCEL(i, result) STEP(VERB_CANCEL, .number = i, .expected = result)

/* L listens; A is connected to B. */
#define LISTENER(w) SOCKET(w), BIND(w), LISTEN(w, 8, 0)
#define CONNECTED   LISTENER(L), SOCKET(A), CONNECT(A, L, 0), ACCEPT(L, B, OK)
#define END         {.verb = VERB_END}

/* --- running a script ---------------------------------------------------------------- */

struct operation {
    unsigned tag;
    const struct step *step;
    char *buf;
    bool is_started;
};

struct stage {
    struct driver driver;
    enum families family;
    int fds[LETTER_COUNT]; /* stays after a close */
    bool is_open[LETTER_COUNT];
    struct sockaddr_storage addresses[LETTER_COUNT];
    socklen_t address_lens[LETTER_COUNT];
    unsigned char sent[LETTER_COUNT]; /* the next byte of the pattern */
    unsigned char received[LETTER_COUNT];
    struct operation operations[8];
    bool is_garbled;
};

static int domain_of(const struct stage *stage)
{
    return stage->family == UNIX ? AF_UNIX : stage->family == TCP6 ? AF_INET6 : AF_INET;
}

/* An address that is nobody else's: port 0, or a fresh abstract name. */
static socklen_t fresh_address(const struct stage *stage, struct sockaddr_storage *address)
{
    static unsigned serial;
    struct sockaddr_in *in = (struct sockaddr_in *) address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) address;
    struct sockaddr_un *un = (struct sockaddr_un *) address;

    memset(address, 0, sizeof(*address));
    address->ss_family = (sa_family_t) domain_of(stage);
    if (stage->family == TCP4) {
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(*in);
    }
    if (stage->family == TCP6) {
        in6->sin6_addr = in6addr_loopback;
        return sizeof(*in6);
    }
    return (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 +
                        (size_t) snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1,
                                          "ouro-test-%d-%u", (int) getpid(), serial++));
}

static void fill_pattern(struct stage *stage, enum letter who, char *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = (char) (stage->sent[who] + i);
}

static void check_pattern(struct stage *stage, const struct step *step, const char *buf, int len)
{
    bool is_dropped = step->flags & MSG_TRUNC && stage->family != UNIX;
    unsigned char next = stage->received[step->who];

    for (int i = 0; i < len; i++)
        stage->is_garbled |=
            (unsigned char) buf[i] != (is_dropped ? 0 : (unsigned char) (next + i));
    if (!(step->flags & MSG_PEEK))
        stage->received[step->who] = (unsigned char) (next + len);
}

static void note_open(struct stage *stage, enum letter who, int fd)
{
    stage->fds[who] = fd;
    stage->is_open[who] = fd >= 0;
    stage->sent[who] = stage->received[who] = 0;
}

/* What an operation's result means to the stage. */
static int settle_result(struct stage *stage, struct operation *operation, int result)
{
    const struct step *step = operation->step;
    bool is_receive = step->verb == VERB_RECV || step->verb == VERB_READ;
    bool is_send = step->verb == VERB_SEND || step->verb == VERB_WRITE;

    if (result > 0 && is_receive)
        check_pattern(stage, step, operation->buf, result);
    if (result > 0 && is_send)
        stage->sent[step->who] = (unsigned char) (stage->sent[step->who] + result);
    if (result >= 0 && step->verb == VERB_ACCEPT)
        note_open(stage, step->other, result);
    if (result == 0 && step->verb == VERB_CLOSE)
        stage->is_open[step->who] = false;
    free(operation->buf);
    operation->is_started = false;
    return result;
}

static void prepare(struct stage *stage, const struct step *step, char *buf,
                    struct io_uring_sqe *sqe)
{
    int fd = stage->fds[step->who];

    switch (step->verb) {
    case VERB_CONNECT:
        io_uring_prep_connect(sqe, fd, (struct sockaddr *) &stage->addresses[step->other],
                              stage->address_lens[step->other]);
        break;
    case VERB_ACCEPT:
        io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
        break;
    case VERB_SEND:
        io_uring_prep_send(sqe, fd, buf, (size_t) step->n, step->flags | MSG_NOSIGNAL);
        break;
    case VERB_RECV:
        io_uring_prep_recv(sqe, fd, buf, (size_t) step->n, step->flags);
        break;
    case VERB_WRITE:
        io_uring_prep_write(sqe, fd, buf, (unsigned) step->n, (uint64_t) -1);
        break;
    case VERB_READ:
        io_uring_prep_read(sqe, fd, buf, (unsigned) step->n, (uint64_t) -1);
        break;
    case VERB_CLOSE:
        io_uring_prep_close(sqe, fd);
        break;
    case VERB_POLL:
        io_uring_prep_poll_add(sqe, fd, (unsigned) step->n);
        break;
    default:
        UNREACHABLE("not an operation");
    }
}

static void start_operation(struct stage *stage, const struct step *step,
                            struct operation *operation)
{
    struct io_uring_sqe sqe = {0};

    *operation = (struct operation) {.step = step, .is_started = true};
    operation->buf = calloc(1, (size_t) (step->n > 0 ? step->n : 1));
    if (step->verb == VERB_SEND || step->verb == VERB_WRITE)
        fill_pattern(stage, step->who, operation->buf, (size_t) step->n);
    prepare(stage, step, operation->buf, &sqe);
    operation->tag = driver_start(&stage->driver, &sqe);
}

static int await_operation(struct stage *stage, struct operation *operation)
{
    int result = driver_wait(&stage->driver, operation->tag);

    if (operation->step->verb == VERB_CLOSE)
        driver_let_close(&stage->driver);
    return settle_result(stage, operation, result);
}

static int do_operation(struct stage *stage, const struct step *step)
{
    start_operation(stage, step, &stage->operations[step->number]);
    return step->number ? step->expected : await_operation(stage, &stage->operations[step->number]);
}

/* Repeats one operation until it would wait; returns the bytes that it moved. */
static int do_until_eagain(struct stage *stage, const struct step *step, enum verb verb)
{
    struct step one = {
        .verb = verb, .who = step->who, .n = 4096, .flags = MSG_DONTWAIT, .line = step->line};
    int total = 0;
    int result;

    while ((result = do_operation(stage, &one)) > 0)
        total += result;
    return result == -EAGAIN ? total : result;
}

static int do_socket(struct stage *stage, const struct step *step)
{
    struct ring *ring = &stage->driver.ring;
    int fd = ring->backend->socket(ring, domain_of(stage), SOCK_STREAM | SOCK_CLOEXEC, 0);

    note_open(stage, step->who, fd);
    return fd;
}

static int do_bind(struct stage *stage, const struct step *step)
{
    struct ring *ring = &stage->driver.ring;
    struct sockaddr_storage *address = &stage->addresses[step->other];
    socklen_t *len = &stage->address_lens[step->other];
    int code;

    if (step->other == step->who)
        *len = fresh_address(stage, address);
    code = ring->backend->bind(ring, stage->fds[step->who], (struct sockaddr *) address, *len);
    if (code || step->other != step->who)
        return code;
    *len = sizeof(*address);
    return ring->backend->getsockname(ring, stage->fds[step->who], (struct sockaddr *) address,
                                      len);
}

/* NOBODY's address is a fresh one that nobody is bound to any more. */
static int address_of_nobody(struct stage *stage)
{
    const struct step steps[] = {SOCKET(NOBODY), BIND(NOBODY), CLOSE(NOBODY, 0)};

    return do_socket(stage, &steps[0]) < 0 || do_bind(stage, &steps[1]) ||
                   do_operation(stage, &steps[2])
               ? -EIO
               : 0;
}

/* 0 when the name is that of `other`, or when none is given to compare with. */
static int do_name(struct stage *stage, const struct step *step, bool of_peer)
{
    struct ring *ring = &stage->driver.ring;
    struct sockaddr_storage name = {0};
    socklen_t len = sizeof(name);
    int fd = stage->fds[step->who];
    int code = of_peer ? ring->backend->getpeername(ring, fd, (struct sockaddr *) &name, &len)
                       : ring->backend->getsockname(ring, fd, (struct sockaddr *) &name, &len);

    if (code || step->other == NOBODY)
        return code;
    return len == stage->address_lens[step->other] &&
                   memcmp(&name, &stage->addresses[step->other], len) == 0
               ? 0
               : -EXDEV;
}

static int do_set(struct stage *stage, const struct step *step)
{
    struct ring *ring = &stage->driver.ring;

    return ring->backend->setsockopt(ring, stage->fds[step->who], step->flags, step->n,
                                     &step->number, sizeof(step->number));
}

static int do_get(struct stage *stage, const struct step *step)
{
    struct ring *ring = &stage->driver.ring;
    int value = 0;
    socklen_t len = sizeof(value);
    int code =
        ring->backend->getsockopt(ring, stage->fds[step->who], step->flags, step->n, &value, &len);

    return code ? code : value;
}

static int do_linger(struct stage *stage, const struct step *step)
{
    struct ring *ring = &stage->driver.ring;
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    struct linger stored = {0};
    socklen_t len = sizeof(stored);
    int fd = stage->fds[step->who];
    int code = ring->backend->setsockopt(ring, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));

    if (!code)
        code = ring->backend->getsockopt(ring, fd, SOL_SOCKET, SO_LINGER, &stored, &len);
    return code ? code : stored.l_onoff != 1 || stored.l_linger != 0;
}

static int do_pending(struct stage *stage, const struct step *step)
{
    struct operation *operation = &stage->operations[step->number];

    driver_settle(&stage->driver);
    return stage->driver.is_done[operation->tag] ? stage->driver.results[operation->tag] : 0;
}

static int do_listen(struct stage *stage, const struct step *step)
{
    struct ring *ring = &stage->driver.ring;

    return ring->backend->listen(ring, stage->fds[step->who], step->n);
}

static int do_shutdown(struct stage *stage, const struct step *step)
{
    return driver_shutdown(&stage->driver, stage->fds[step->who], step->n);
}

static int do_step(struct stage *stage, const struct step *step)
{
    switch (step->verb) {
    case VERB_SOCKET:
        return do_socket(stage, step);
    case VERB_BIND:
        return do_bind(stage, step);
    case VERB_LISTEN:
        return do_listen(stage, step);
    case VERB_SHUTDOWN:
        return do_shutdown(stage, step);
    case VERB_PENDING:
        return do_pending(stage, step);
    case VERB_RESULT:
        return await_operation(stage, &stage->operations[step->number]);
    case VERB_CANCEL:
        return driver_cancel(&stage->driver, stage->operations[step->number].tag);
    case VERB_FILL:
        return do_until_eagain(stage, step, VERB_SEND);
    case VERB_DRAIN:
        return do_until_eagain(stage, step, VERB_RECV);
    case VERB_SET:
        return do_set(stage, step);
    case VERB_GET:
        return do_get(stage, step);
    case VERB_LINGER:
        return do_linger(stage, step);
    case VERB_SOCKNAME:
        return do_name(stage, step, /* of_peer= */ false);
    case VERB_PEERNAME:
        return do_name(stage, step, /* of_peer= */ true);
    default:
        return do_operation(stage, step);
    }
}

static bool is_expected(int expected, int result)
{
    return expected == ANY || (expected == OK ? result >= 0 : result == expected);
}

static void fail_step(const struct stage *stage, const struct step *step, const char *spec,
                      int result)
{
    char text[200];

    (void) snprintf(text, sizeof(text), "%s, family %d: expected %d, got %d (%s)%s", spec,
                    domain_of(stage), step->expected, result,
                    result < 0 ? strerror(-result) : "no error",
                    stage->is_garbled ? ", bytes garbled" : "");
    (void) CU_assertImplementation(CU_FALSE, (unsigned) step->line, text, __FILE__, "", CU_FALSE);
}

static void close_stage(struct stage *stage)
{
    for (unsigned i = 0; i < LETTER_COUNT; i++)
        if (stage->is_open[i])
            (void) driver_close_fd(&stage->driver, stage->fds[i]);
    driver_close(&stage->driver);
    for (unsigned i = 0; i < COUNT_OF(stage->operations); i++)
        if (stage->operations[i].is_started)
            free(stage->operations[i].buf);
    free(stage);
}

enum outcome { AGREES, DIFFERS, UNAVAILABLE };

/* NULL when there is no such ring here. */
static struct stage *open_stage(enum families family, const char *spec)
{
    struct stage *stage = calloc(1, sizeof(*stage));

    stage->family = family;
    memset(stage->fds, -1, sizeof(stage->fds));
    if (driver_open(&stage->driver, spec) == 0)
        return stage;
    free(stage);
    return NULL;
}

static enum outcome run_on(const struct step *steps, enum families family, const char *spec)
{
    struct stage *stage = open_stage(family, spec);
    enum outcome outcome = AGREES;

    if (!stage)
        return UNAVAILABLE;
    if (address_of_nobody(stage)) {
        CU_FAIL("no socket of this family");
        outcome = DIFFERS;
    }
    for (const struct step *step = steps; step->verb != VERB_END && outcome == AGREES; step++) {
        int result = do_step(stage, step);

        if (!is_expected(step->expected, result) || stage->is_garbled) {
            fail_step(stage, step, spec, result);
            outcome = DIFFERS;
        }
    }
    close_stage(stage);
    return outcome;
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool result = fd >= 0 && bind(fd, (struct sockaddr *) &in6, sizeof(in6)) == 0;

    if (fd >= 0)
        (void) close(fd);
    return result;
}

/* Under many seeds, up to the first that fails. */
static void run_on_sim(const struct step *steps, enum families family)
{
    enum outcome outcome = AGREES;
    char spec[32];

    for (unsigned seed = 0; seed < SIM_SEEDS && outcome == AGREES; seed++) {
        (void) snprintf(spec, sizeof(spec), "sim:seed=%u", seed);
        outcome = run_on(steps, family, spec);
    }
    CU_ASSERT(outcome != UNAVAILABLE);
}

static bool has_kernel_ring(void)
{
    const struct step nothing[] = {END};

    return test_kernel_ring() && run_on(nothing, UNIX, test_kernel_ring()) == AGREES;
}

static void run_script(const struct step *steps, enum families families)
{
    for (unsigned family = TCP4; family <= UNIX; family *= 2)
        if (families & family)
            run_on_sim(steps, family);
    if (!has_kernel_ring()) {
        TEST_SKIP("no io_uring here: ran on the simulated ring only");
        return;
    }
    for (unsigned family = TCP4; family <= UNIX; family *= 2)
        if (families & family && (family != TCP6 || has_ipv6()))
            (void) run_on(steps, family, test_kernel_ring());
}

#define SCRIPT(families, ...)                             \
    do {                                                  \
        static const struct step steps[] = {__VA_ARGS__}; \
        run_script(steps, (families));                    \
    } while (0)

/* --- transfers ----------------------------------------------------------------------- */

static void test_bytes_arrive_in_order(void)
{
    SCRIPT(ALL, CONNECTED, SEND(A, 5, 0, 5), SEND(A, 7, 0, 7), RECV(B, 3, 0, 3), RECV(B, 100, 0, 9),
           SEND(B, 4, 0, 4), RECV(A, 4, 0, 4), END);
}

static void test_recv_waits_for_bytes(void)
{
    SCRIPT(ALL, CONNECTED, START_RECV(1, B, 10, 0), PENDING(1), SEND(A, 4, 0, 4), RESULT(1, 4),
           END);
}

static void test_read_and_write_work_on_sockets(void)
{
    SCRIPT(ALL, CONNECTED, START_READ(1, B, 10), PENDING(1), WRITE(A, 4, 4), RESULT(1, 4),
           READ(B, 0, 0), WRITE(A, 0, 0), WRITE(A, 8, 8), READ(B, 5, 5), READ(B, 5, 3), END);
}

static void test_peek_leaves_the_bytes(void)
{
    SCRIPT(ALL, CONNECTED, SEND(A, 6, 0, 6), RECV(B, 4, MSG_PEEK, 4), RECV(B, 100, MSG_PEEK, 6),
           RECV(B, 100, 0, 6), START_RECV(1, B, 4, MSG_PEEK), PENDING(1), SEND(A, 2, 0, 2),
           RESULT(1, 2), RECV(B, 4, 0, 2), END);
}

static void test_trunc_drops_bytes_of_tcp_only(void)
{
    SCRIPT(ALL, CONNECTED, SEND(A, 6, 0, 6), RECV(B, 2, MSG_TRUNC, 2), RECV(B, 100, 0, 4), END);
}

static void test_dontwait_gives_eagain(void)
{
    SCRIPT(ALL, CONNECTED, RECV(B, 10, MSG_DONTWAIT, -EAGAIN), FILL(A),
           SEND(A, 1, MSG_DONTWAIT, -EAGAIN), SEND(A, 1, MSG_DONTWAIT | MSG_WAITALL, -EAGAIN),
           DRAIN(B), SEND(A, 1, MSG_DONTWAIT, 1), RECV(B, 10, MSG_DONTWAIT, 1), END);
}

static void test_recv_waitall_waits_for_all(void)
{
    SCRIPT(ALL, CONNECTED, START_RECV(1, B, 10, MSG_WAITALL), SEND(A, 4, 0, 4), PENDING(1),
           SEND(A, 5, 0, 5), PENDING(1), SEND(A, 3, 0, 3), RESULT(1, 10), RECV(B, 10, 0, 2), END);
}

static void test_recv_waitall_ends_with_the_stream(void)
{
    SCRIPT(ALL, CONNECTED, START_RECV(1, B, 10, MSG_WAITALL), SEND(A, 4, 0, 4), PENDING(1),
           SHUTDOWN(A, SHUT_WR, 0), RESULT(1, 4), RECV(B, 1, 0, 0), END);
}

static void test_recv_waitall_dontwait_takes_what_is_there(void)
{
    SCRIPT(ALL, CONNECTED, SEND(A, 4, 0, 4), RECV(B, 10, MSG_WAITALL | MSG_DONTWAIT, 4), END);
}

static void test_cancelled_waitall_reports_what_it_moved(void)
{
    SCRIPT(ALL, CONNECTED, START_RECV(1, B, 10, MSG_WAITALL), SEND(A, 4, 0, 4), PENDING(1),
           CANCEL(1, 0), RESULT(1, 4), SEND(A, 2, 0, 2), RECV(B, 10, 0, 2), END);
}

static void test_send_waits_for_room(void)
{
    SCRIPT(ALL, CONNECTED, FILL(A), START_SEND(1, A, 10, 0), PENDING(1), DRAIN(B), RESULT(1, 10),
           END);
}

static void test_send_waitall_sends_more_than_fits(void)
{
    SCRIPT(ALL, CONNECTED, FILL(A), START_SEND(1, A, BUFFER_MAX, MSG_WAITALL), PENDING(1),
           START_RECV(2, B, BUFFER_MAX, MSG_WAITALL), RESULT(2, BUFFER_MAX), DRAIN(B),
           START_RECV(3, B, 1, 0), RESULT(1, BUFFER_MAX), END);
}

static void test_transfers_of_nothing(void)
{
    SCRIPT(ALL, CONNECTED, SEND(A, 0, 0, 0), START_RECV(1, B, 0, 0), PENDING(1), SEND(A, 3, 0, 3),
           RESULT(1, 0), RECV(B, 0, 0, 0), RECV(B, 5, 0, 3), END);
}

static void test_several_receivers_share_the_bytes(void)
{
    SCRIPT(ALL, CONNECTED, START_RECV(1, B, 4, MSG_WAITALL), PENDING(1), START_RECV(2, A, 4, 0),
           PENDING(2), SEND(A, 4, 0, 4), RESULT(1, 4), SEND(B, 4, 0, 4), RESULT(2, 4), END);
}

/* --- ends ---------------------------------------------------------------------------- */

static void test_half_closed_connection_still_sends_back(void)
{
    SCRIPT(ALL, CONNECTED, SEND(A, 5, 0, 5), SHUTDOWN(A, SHUT_WR, 0), SEND(A, 1, 0, -EPIPE),
           RECV(B, 9, 0, 5), RECV(B, 9, 0, 0), RECV(B, 9, 0, 0), SEND(B, 3, 0, 3), RECV(A, 9, 0, 3),
           START_RECV(1, A, 9, 0), PENDING(1), CLOSE(B, 0), RESULT(1, 0), END);
}

static void test_pending_recv_sees_the_end(void)
{
    SCRIPT(ALL, CONNECTED, START_RECV(1, B, 9, 0), PENDING(1), SHUTDOWN(A, SHUT_WR, 0),
           RESULT(1, 0), END);
}

static void test_close_ends_the_stream(void)
{
    SCRIPT(ALL, CONNECTED, SEND(A, 5, 0, 5), CLOSE(A, 0), RECV(B, 9, 0, 5), RECV(B, 9, 0, 0),
           RECV(B, 9, 0, 0), END);
}

static void test_tcp_learns_from_its_first_send_that_the_peer_is_gone(void)
{
    SCRIPT(TCP, CONNECTED, CLOSE(A, 0), SEND(B, 5, 0, 5), SEND(B, 5, 0, -EPIPE),
           SEND(B, 5, 0, -EPIPE), RECV(B, 5, 0, 0), END);
}

static void test_unix_send_to_a_closed_peer_fails(void)
{
    SCRIPT(UNIX, CONNECTED, CLOSE(A, 0), SEND(B, 5, 0, -EPIPE), SEND(B, 0, 0, -EPIPE),
           RECV(B, 5, 0, 0), END);
}

static void test_close_with_unread_bytes_resets(void)
{
    SCRIPT(ALL, CONNECTED, SEND(A, 5, 0, 5), CLOSE(B, 0), RECV(A, 9, 0, -ECONNRESET),
           RECV(A, 9, 0, 0), SEND(A, 1, 0, -EPIPE), END);
}

static void test_reset_interrupts_a_pending_recv(void)
{
    SCRIPT(ALL, CONNECTED, SEND(A, 5, 0, 5), START_RECV(1, A, 9, 0), PENDING(1), CLOSE(B, 0),
           RESULT(1, -ECONNRESET), END);
}

static void test_reset_interrupts_a_pending_send(void)
{
    SCRIPT(TCP, CONNECTED, FILL(A), START_SEND(1, A, 9, 0), PENDING(1), CLOSE(B, 0),
           RESULT(1, -ECONNRESET), RECV(A, 9, 0, 0), END);
}

static void test_unix_close_interrupts_a_pending_send(void)
{
    SCRIPT(UNIX, CONNECTED, FILL(A), START_SEND(1, A, 9, 0), PENDING(1), CLOSE(B, 0),
           RESULT(1, -EPIPE), RECV(A, 9, 0, -ECONNRESET), RECV(A, 9, 0, 0), END);
}

static void test_bytes_before_a_reset_can_be_read(void)
{
    SCRIPT(ALL, CONNECTED, SEND(B, 4, 0, 4), SEND(A, 5, 0, 5), CLOSE(B, 0), RECV(A, 9, 0, 4),
           RECV(A, 9, 0, -ECONNRESET), RECV(A, 9, 0, 0), END);
}

static void test_tcp_reset_fails_the_first_send(void)
{
    SCRIPT(TCP, CONNECTED, SEND(A, 5, 0, 5), CLOSE(B, 0), SEND(A, 1, 0, -ECONNRESET),
           SEND(A, 1, 0, -EPIPE), RECV(A, 9, 0, 0), END);
}

static void test_so_error_takes_the_reset(void)
{
    SCRIPT(ALL, CONNECTED, SEND(A, 5, 0, 5), CLOSE(B, 0), GET(A, SOL_SOCKET, SO_ERROR, ECONNRESET),
           GET(A, SOL_SOCKET, SO_ERROR, 0), RECV(A, 9, 0, 0), END);
}

static void test_tcp_linger_of_no_time_resets(void)
{
    SCRIPT(TCP, CONNECTED, LINGER(A), CLOSE(A, 0), RECV(B, 9, 0, -ECONNRESET), END);
}

static void test_unix_linger_of_no_time_does_nothing(void)
{
    SCRIPT(UNIX, CONNECTED, LINGER(A), CLOSE(A, 0), RECV(B, 9, 0, 0), END);
}

static void test_tcp_shutdown_of_reading_still_takes_bytes(void)
{
    SCRIPT(TCP, CONNECTED, START_RECV(1, A, 9, 0), PENDING(1), SHUTDOWN(A, SHUT_RD, 0),
           RESULT(1, 0), RECV(A, 9, 0, 0), SEND(B, 5, 0, 5), RECV(A, 9, 0, 5), RECV(A, 9, 0, 0),
           END);
}

static void test_unix_shutdown_of_reading_stops_the_peer(void)
{
    SCRIPT(UNIX, CONNECTED, SEND(B, 2, 0, 2), SHUTDOWN(A, SHUT_RD, 0), SEND(B, 5, 0, -EPIPE),
           RECV(A, 9, 0, 2), RECV(A, 9, 0, 0), SEND(A, 1, 0, 1), RECV(B, 9, 0, 1), END);
}

static void test_tcp_bytes_for_a_socket_shut_both_ways_reset(void)
{
    SCRIPT(TCP, CONNECTED, SHUTDOWN(A, SHUT_RDWR, 0), RECV(B, 9, 0, 0), SEND(B, 5, 0, 5),
           SEND(B, 5, 0, -EPIPE), RECV(B, 9, 0, 0), RECV(A, 9, 0, -ECONNRESET), RECV(A, 9, 0, 0),
           END);
}

static void test_tcp_is_over_after_both_fins(void)
{
    SCRIPT(TCP, CONNECTED, SHUTDOWN(A, SHUT_WR, 0), SHUTDOWN(A, SHUT_WR, 0),
           SHUTDOWN(B, SHUT_WR, 0), SHUTDOWN(A, SHUT_WR, -ENOTCONN),
           SHUTDOWN(B, SHUT_RDWR, -ENOTCONN), PEERNAME(A, NOBODY, -ENOTCONN), RECV(A, 9, 0, 0),
           RECV(B, 9, 0, 0), SEND(A, 1, 0, -EPIPE), CONNECT(A, L, -EISCONN), END);
}

static void test_unix_shutdown_can_be_repeated(void)
{
    SCRIPT(UNIX, CONNECTED, SHUTDOWN(A, SHUT_WR, 0), SHUTDOWN(B, SHUT_WR, 0),
           SHUTDOWN(A, SHUT_RDWR, 0), SHUTDOWN(A, SHUT_RDWR, 0), PEERNAME(A, L, 0),
           RECV(A, 9, 0, 0), SEND(B, 1, 0, -EPIPE), CLOSE(B, 0), PEERNAME(A, L, 0), END);
}

static void test_shutdown_checks_its_argument(void)
{
    SCRIPT(ALL, CONNECTED, SHUTDOWN(A, 3, -EINVAL), SHUTDOWN(A, -1, -EINVAL), SOCKET(C),
           SHUTDOWN(C, 7, -EINVAL), END);
}

static void test_close_does_not_interrupt_a_pending_recv(void)
{
    SCRIPT(ALL, CONNECTED, START_RECV(1, B, 9, 0), PENDING(1), CLOSE(B, 0), PENDING(1),
           SEND(A, 4, 0, 4), RESULT(1, 4), RECV(A, 9, 0, 0), END);
}

/* --- descriptors --------------------------------------------------------------------- */

static void test_closed_fd_is_bad(void)
{
    SCRIPT(ALL, CONNECTED, CLOSE(A, 0), CLOSE(A, -EBADF), RECV(A, 1, 0, -EBADF),
           SEND(A, 1, 0, -EBADF), POLL(A, POLLIN, -EBADF), SHUTDOWN(A, SHUT_WR, -EBADF),
           CONNECT(A, L, -EBADF), ACCEPT(A, C, -EBADF), LISTEN(A, 1, -EBADF),
           SOCKNAME(A, NOBODY, -EBADF), PEERNAME(A, NOBODY, -EBADF),
           GET(A, SOL_SOCKET, SO_TYPE, -EBADF), END);
}

static void test_negative_fd_is_bad(void)
{
    SCRIPT(ALL, RECV(D, 1, 0, -EBADF), CLOSE(D, -EBADF), POLL(D, POLLIN, -EBADF),
           LISTEN(D, 1, -EBADF), END);
}

static void test_lowest_fd_is_given_out_first(void)
{
    SCRIPT(ALL, SOCKET(A), SOCKET(B), SOCKET(C), CLOSE(B, 0), SOCKET(D), CLOSE(B, 0),
           CLOSE(D, -EBADF), END);
}

/* --- unconnected sockets ------------------------------------------------------------- */

static void test_unconnected_tcp_socket_refuses_all(void)
{
    SCRIPT(TCP, SOCKET(A), RECV(A, 5, 0, -ENOTCONN), RECV(A, 0, 0, -ENOTCONN),
           SEND(A, 5, 0, -EPIPE), SEND(A, 0, 0, -EPIPE), SHUTDOWN(A, SHUT_WR, -ENOTCONN),
           ACCEPT(A, B, -EINVAL), PEERNAME(A, NOBODY, -ENOTCONN),
           POLL(A, POLLIN | POLLOUT, POLLOUT | POLLHUP), END);
}

static void test_unconnected_unix_socket_refuses_all(void)
{
    SCRIPT(UNIX, SOCKET(A), RECV(A, 5, 0, -EINVAL), RECV(A, 0, 0, -EINVAL),
           SEND(A, 5, 0, -ENOTCONN), SEND(A, 0, 0, -ENOTCONN), SHUTDOWN(A, SHUT_RD, 0),
           ACCEPT(A, B, -EINVAL), PEERNAME(A, NOBODY, -ENOTCONN), LISTEN(A, 1, -EINVAL),
           POLL(A, POLLOUT, POLLOUT | POLLHUP | POLLRDHUP), END);
}

static void test_listener_cannot_transfer(void)
{
    SCRIPT(TCP, LISTENER(L), RECV(L, 5, 0, -ENOTCONN), SEND(L, 5, 0, -EPIPE),
           CONNECT(L, L, -EISCONN), SHUTDOWN(L, SHUT_WR, 0), SOCKET(A), CONNECT(A, L, 0), END);
}

static void test_unix_listener_cannot_transfer(void)
{
    SCRIPT(UNIX, LISTENER(L), RECV(L, 5, 0, -EINVAL), SEND(L, 5, 0, -ENOTCONN),
           CONNECT(L, L, -EINVAL), END);
}

/* --- connecting ---------------------------------------------------------------------- */

static void test_connect_is_refused_when_nobody_listens(void)
{
    SCRIPT(ALL, SOCKET(A), CONNECT(A, NOBODY, -ECONNREFUSED), CONNECT(A, NOBODY, -ECONNREFUSED),
           LISTENER(L), CONNECT(A, L, 0), END);
}

static void test_bound_socket_that_does_not_listen_refuses(void)
{
    SCRIPT(ALL, SOCKET(L), BIND(L), SOCKET(A), CONNECT(A, L, -ECONNREFUSED), LISTEN(L, 1, 0),
           CONNECT(A, L, 0), END);
}

static void test_connect_twice_gives_eisconn(void)
{
    SCRIPT(ALL, CONNECTED, CONNECT(A, L, -EISCONN), CONNECT(B, L, -EISCONN), END);
}

static void test_accept_waits_for_a_connection(void)
{
    SCRIPT(ALL, LISTENER(L), START_ACCEPT(1, L, B), PENDING(1), SOCKET(A), CONNECT(A, L, 0),
           RESULT(1, OK), SEND(A, 3, 0, 3), RECV(B, 9, 0, 3), END);
}

static void test_one_connection_wakes_one_accept(void)
{
    SCRIPT(ALL, LISTENER(L), START_ACCEPT(1, L, B), PENDING(1), START_ACCEPT(2, L, D), PENDING(2),
           SOCKET(A), CONNECT(A, L, 0), RESULT(1, OK), PENDING(2), SOCKET(C), CONNECT(C, L, 0),
           RESULT(2, OK), END);
}

static void test_bytes_sent_before_the_accept_arrive(void)
{
    SCRIPT(ALL, LISTENER(L), SOCKET(A), CONNECT(A, L, 0), SEND(A, 5, 0, 5), CLOSE(A, 0),
           ACCEPT(L, B, OK), RECV(B, 9, 0, 5), RECV(B, 9, 0, 0), END);
}

static void test_client_that_left_can_still_be_accepted(void)
{
    SCRIPT(ALL, LISTENER(L), SOCKET(A), CONNECT(A, L, 0), CLOSE(A, 0), ACCEPT(L, B, OK),
           RECV(B, 9, 0, 0), END);
}

static void test_closing_a_listener_resets_who_was_not_accepted(void)
{
    SCRIPT(ALL, LISTENER(L), SOCKET(A), CONNECT(A, L, 0), START_RECV(1, A, 5, 0), PENDING(1),
           CLOSE(L, 0), RESULT(1, -ECONNRESET), RECV(A, 5, 0, 0), SOCKET(C),
           CONNECT(C, L, -ECONNREFUSED), END);
}

static void test_pending_accept_survives_close_of_the_listener(void)
{
    SCRIPT(ALL, LISTENER(L), START_ACCEPT(1, L, B), PENDING(1), CLOSE(L, 0), PENDING(1), SOCKET(A),
           CONNECT(A, L, 0), RESULT(1, OK), SOCKET(C), CONNECT(C, L, -ECONNREFUSED), END);
}

static void test_shutdown_of_a_listener_ends_accept(void)
{
    SCRIPT(ALL, LISTENER(L), START_ACCEPT(1, L, B), PENDING(1), SHUTDOWN(L, SHUT_RD, 0),
           RESULT(1, -EINVAL), SOCKET(A), CONNECT(A, L, -ECONNREFUSED), ACCEPT(L, B, -EINVAL), END);
}

static void test_tcp_listener_can_listen_again_after_shutdown(void)
{
    SCRIPT(TCP, SOCKET(L), BIND_LIKE(L, NOBODY, 0), LISTEN(L, 1, 0), SHUTDOWN(L, SHUT_RDWR, 0),
           LISTEN(L, 1, 0), SOCKET(A), CONNECT(A, NOBODY, 0), ACCEPT(L, B, OK), END);
}

static void test_shutdown_of_a_tcp_listener_gives_up_a_port_of_no_choice(void)
{
    SCRIPT(TCP, LISTENER(L), SHUTDOWN(L, SHUT_RDWR, 0), LISTEN(L, 1, 0), SOCKET(A),
           CONNECT(A, L, -ECONNREFUSED), END);
}

static void test_connect_waits_while_the_backlog_is_full(void)
{
    /* Not TCP: its SYN comes again after a second, which is too long to wait for here. */
    SCRIPT(UNIX, SOCKET(L), BIND(L), LISTEN(L, 0, 0), SOCKET(A), CONNECT(A, L, 0), SOCKET(C),
           START_CONNECT(1, C, L), PENDING(1), ACCEPT(L, B, OK), RESULT(1, 0), ACCEPT(L, D, OK),
           SEND(C, 3, 0, 3), RECV(D, 9, 0, 3), END);
}

static void test_larger_backlog_admits_who_waits(void)
{
    SCRIPT(UNIX, SOCKET(L), BIND(L), LISTEN(L, 0, 0), SOCKET(A), CONNECT(A, L, 0), SOCKET(C),
           START_CONNECT(1, C, L), PENDING(1), LISTEN(L, 5, 0), RESULT(1, 0), ACCEPT(L, B, OK),
           ACCEPT(L, D, OK), END);
}

static void test_waiting_connect_is_refused_when_the_listener_closes(void)
{
    SCRIPT(UNIX, SOCKET(L), BIND(L), LISTEN(L, 0, 0), SOCKET(A), CONNECT(A, L, 0), SOCKET(C),
           START_CONNECT(1, C, L), PENDING(1), CLOSE(L, 0), RESULT(1, -ECONNREFUSED), END);
}

static void test_full_backlog_of_tcp_keeps_a_connect_waiting(void)
{
    SCRIPT(TCP, SOCKET(L), BIND(L), LISTEN(L, 0, 0), SOCKET(A), CONNECT(A, L, 0), SOCKET(C),
           START_CONNECT(1, C, L), PENDING(1), CONNECT(C, L, -EALREADY), CANCEL(1, 0),
           RESULT(1, -ECANCELED), END);
}

static void test_listen_checks_the_state(void)
{
    SCRIPT(ALL, CONNECTED, LISTEN(A, 1, -EINVAL), LISTEN(B, 1, -EINVAL), LISTEN(L, 3, 0), END);
}

static void test_tcp_listener_forgets_a_shutdown_before(void)
{
    SCRIPT(TCP, SOCKET(L), BIND(L), SHUTDOWN(L, SHUT_RD, -ENOTCONN), LISTEN(L, 1, 0),
           START_ACCEPT(1, L, B), PENDING(1), SOCKET(A), CONNECT(A, L, 0), RESULT(1, OK), END);
}

static void test_tcp_listens_without_bind(void)
{
    SCRIPT(TCP, SOCKET(L), LISTEN(L, 1, 0), SOCKNAME(L, NOBODY, 0),
           GET(L, SOL_SOCKET, SO_ACCEPTCONN, 1), END);
}

/* --- names --------------------------------------------------------------------------- */

static void test_both_ends_know_the_names(void)
{
    SCRIPT(ALL, CONNECTED, SOCKNAME(L, L, 0), PEERNAME(A, L, 0), SOCKNAME(B, L, 0),
           PEERNAME(B, NOBODY, 0), END);
}

static void test_client_can_bind_first(void)
{
    SCRIPT(ALL, LISTENER(L), SOCKET(A), BIND(A), CONNECT(A, L, 0), ACCEPT(L, B, OK),
           SOCKNAME(A, A, 0), PEERNAME(B, A, 0), END);
}

static void test_name_in_use_cannot_be_bound(void)
{
    SCRIPT(ALL, SOCKET(L), BIND(L), SOCKET(M), BIND_LIKE(M, L, -EADDRINUSE), LISTEN(L, 1, 0),
           BIND_LIKE(M, L, -EADDRINUSE), CLOSE(L, 0), BIND_LIKE(M, L, 0), LISTEN(M, 1, 0), END);
}

static void test_bind_twice_is_refused(void)
{
    SCRIPT(ALL, SOCKET(L), BIND(L), BIND_LIKE(L, NOBODY, -EINVAL), CLOSE(L, 0), CONNECTED,
           BIND_LIKE(A, NOBODY, ANY), END);
}

static void test_reuseaddr_binds_twice_but_listens_once(void)
{
    SCRIPT(TCP, SOCKET(L), SOCKET(M), SET(L, SOL_SOCKET, SO_REUSEADDR, 1, 0),
           SET(M, SOL_SOCKET, SO_REUSEADDR, 1, 0), BIND(L), BIND_LIKE(M, L, 0), LISTEN(L, 1, 0),
           LISTEN(M, 1, -EADDRINUSE), CLOSE(L, 0), LISTEN(M, 1, 0), END);
}

static void test_reuseaddr_restarts_a_server_under_a_connection(void)
{
    SCRIPT(TCP, SOCKET(L), SET(L, SOL_SOCKET, SO_REUSEADDR, 1, 0), BIND(L), LISTEN(L, 8, 0),
           SOCKET(A), CONNECT(A, L, 0), ACCEPT(L, B, OK), CLOSE(L, 0), SOCKET(M),
           BIND_LIKE(M, L, -EADDRINUSE), SET(M, SOL_SOCKET, SO_REUSEADDR, 1, 0), BIND_LIKE(M, L, 0),
           LISTEN(M, 8, 0), SEND(A, 2, 0, 2), RECV(B, 9, 0, 2), END);
}

static void test_reuseport_listens_twice(void)
{
    SCRIPT(TCP, SOCKET(L), SOCKET(M), SET(L, SOL_SOCKET, SO_REUSEPORT, 1, 0),
           SET(M, SOL_SOCKET, SO_REUSEPORT, 1, 0), BIND(L), BIND_LIKE(M, L, 0), LISTEN(L, 8, 0),
           LISTEN(M, 8, 0), SOCKET(A), CONNECT(A, L, 0), END);
}

/* --- poll ---------------------------------------------------------------------------- */

static void test_poll_waits_for_bytes(void)
{
    SCRIPT(ALL, CONNECTED, POLL(B, POLLIN | POLLOUT, POLLOUT), START_POLL(1, B, POLLIN), PENDING(1),
           SEND(A, 1, 0, 1), RESULT(1, POLLIN), POLL(B, POLLIN | POLLOUT, POLLIN | POLLOUT), END);
}

static void test_poll_waits_for_room(void)
{
    SCRIPT(ALL, CONNECTED, FILL(A), START_POLL(1, A, POLLOUT), PENDING(1), DRAIN(B),
           RESULT(1, POLLOUT), END);
}

static void test_poll_tells_the_ends(void)
{
    SCRIPT(ALL, CONNECTED, START_POLL(1, B, POLLRDHUP), START_POLL(2, B, 0), PENDING(1),
           SHUTDOWN(A, SHUT_WR, 0), RESULT(1, POLLRDHUP), RESULT(2, POLLRDHUP),
           POLL(B, POLLIN, POLLIN | POLLRDHUP), SHUTDOWN(B, SHUT_WR, 0),
           POLL(B, POLLIN | POLLOUT, POLLIN | POLLOUT | POLLRDHUP | POLLHUP), END);
}

static void test_poll_tells_a_reset(void)
{
    SCRIPT(ALL, CONNECTED, SEND(A, 5, 0, 5), START_POLL(1, A, POLLIN), PENDING(1), CLOSE(B, 0),
           RESULT(1, POLLIN | POLLRDHUP | POLLERR | POLLHUP), RECV(A, 5, 0, -ECONNRESET),
           POLL(A, POLLIN, POLLIN | POLLRDHUP | POLLHUP), END);
}

static void test_poll_of_a_listener_waits_for_a_connection(void)
{
    SCRIPT(ALL, LISTENER(L), START_POLL(1, L, POLLIN | POLLOUT), PENDING(1), SOCKET(A),
           CONNECT(A, L, 0), RESULT(1, POLLIN), ACCEPT(L, B, OK), START_POLL(2, L, POLLIN),
           PENDING(2), END);
}

/* --- cancelling ---------------------------------------------------------------------- */

static void test_cancel_ends_what_waits(void)
{
    SCRIPT(ALL, CONNECTED, START_RECV(1, B, 5, 0), START_POLL(2, B, POLLIN), START_ACCEPT(3, L, C),
           PENDING(1), CANCEL(1, 0), RESULT(1, -ECANCELED), CANCEL(2, 0), RESULT(2, -ECANCELED),
           CANCEL(3, 0), RESULT(3, -ECANCELED), SEND(A, 3, 0, 3), RECV(B, 9, 0, 3), END);
}

static void test_cancel_of_what_is_over_finds_nothing(void)
{
    SCRIPT(ALL, CONNECTED, START_RECV(1, B, 5, 0), SEND(A, 3, 0, 3), RESULT(1, 3),
           CANCEL(1, -ENOENT), END);
}

static void test_cancel_of_a_waiting_send_takes_nothing(void)
{
    SCRIPT(ALL, CONNECTED, FILL(A), START_SEND(1, A, 10, 0), PENDING(1), CANCEL(1, 0),
           RESULT(1, -ECANCELED), DRAIN(B), START_RECV(2, B, 5, 0), PENDING(2), END);
}

/* --- options ------------------------------------------------------------------------- */

static void test_options_are_kept(void)
{
    SCRIPT(TCP, SOCKET(A), GET(A, SOL_SOCKET, SO_TYPE, SOCK_STREAM),
           GET(A, SOL_SOCKET, SO_ERROR, 0), SET(A, SOL_SOCKET, SO_KEEPALIVE, 7, 0),
           GET(A, SOL_SOCKET, SO_KEEPALIVE, 1), GET(A, IPPROTO_TCP, TCP_NODELAY, 0),
           SET(A, IPPROTO_TCP, TCP_NODELAY, 1, 0), GET(A, IPPROTO_TCP, TCP_NODELAY, 1),
           SET(A, IPPROTO_TCP, TCP_KEEPIDLE, 0, -EINVAL), SET(A, IPPROTO_TCP, TCP_KEEPIDLE, 9, 0),
           GET(A, IPPROTO_TCP, TCP_KEEPIDLE, 9), SET(A, SOL_SOCKET, SO_SNDBUF, 10000, 0),
           GET(A, SOL_SOCKET, SO_SNDBUF, 20000), SET(A, SOL_SOCKET, SO_SNDBUF, 3000, 0),
           GET(A, SOL_SOCKET, SO_SNDBUF, 6000), SET(A, SOL_SOCKET, SO_RCVBUF, 1, 0),
           GET(A, SOL_SOCKET, SO_RCVBUF, 2304), SET(A, SOL_SOCKET, SO_TYPE, 1, -ENOPROTOOPT),
           SET(A, SOL_SOCKET, 9999, 1, -ENOPROTOOPT), SET(A, IPPROTO_TCP, 9999, 1, -ENOPROTOOPT),
           END);
}

static void test_accepted_tcp_sockets_inherit_options(void)
{
    SCRIPT(TCP, SOCKET(L), BIND(L), SET(L, IPPROTO_TCP, TCP_NODELAY, 1, 0),
           SET(L, SOL_SOCKET, SO_KEEPALIVE, 1, 0), LISTEN(L, 1, 0), SOCKET(A), CONNECT(A, L, 0),
           ACCEPT(L, B, OK), GET(B, IPPROTO_TCP, TCP_NODELAY, 1),
           GET(B, SOL_SOCKET, SO_KEEPALIVE, 1), GET(A, IPPROTO_TCP, TCP_NODELAY, 0), END);
}

static void test_unix_sockets_have_no_tcp_options(void)
{
    SCRIPT(UNIX, SOCKET(A), SET(A, IPPROTO_TCP, TCP_NODELAY, 1, -EOPNOTSUPP),
           GET(A, IPPROTO_TCP, TCP_NODELAY, -EOPNOTSUPP), GET(A, SOL_SOCKET, SO_DOMAIN, AF_UNIX),
           GET(A, SOL_SOCKET, SO_PROTOCOL, 0), END);
}

/* --- addresses ----------------------------------------------------------------------- */

/* One server, one client, and where they are. "-": not bound; ports are free ones. */
static const struct route {
    int line;
    const char *bound;     /* "4" or "6" (or "o": IPv6 only), then the address */
    const char *connected; /* likewise */
    const char *source;    /* what the client's own address is then */
    const char *seen;      /* the client's address as accept tells it */
    int bind_code;
    int connect_code;
} routes[] = {
    {__LINE__, "4 127.0.0.1", "4 127.0.0.1", "127.0.0.1", "127.0.0.1", 0, 0},
    {__LINE__, "4 0.0.0.0", "4 127.0.0.1", "127.0.0.1", "127.0.0.1", 0, 0},
    {__LINE__, "4 0.0.0.0", "4 127.0.0.5", "127.0.0.1", "127.0.0.1", 0, 0},
    {__LINE__, "4 127.0.0.5", "4 127.0.0.5", "127.0.0.1", "127.0.0.1", 0, 0},
    {__LINE__, "4 127.0.0.5", "4 127.0.0.1", NULL, NULL, 0, -ECONNREFUSED},
    {__LINE__, "4 0.0.0.0", "4 0.0.0.0", "127.0.0.1", "127.0.0.1", 0, 0},
    {__LINE__, "4 127.0.0.1", "6 ::ffff:127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1", 0, 0},
    {__LINE__, "4 127.0.0.1", "o ::ffff:127.0.0.1", NULL, NULL, 0, -ENETUNREACH},
    {__LINE__, "4 127.0.0.1", "6 ::1", NULL, NULL, 0, -ECONNREFUSED},
    {__LINE__, "4 192.0.2.1", "-", NULL, NULL, -EADDRNOTAVAIL, 0},
    {__LINE__, "6 ::1", "6 ::1", "::1", "::1", 0, 0},
    {__LINE__, "6 ::", "6 ::1", "::1", "::1", 0, 0},
    {__LINE__, "6 ::", "6 ::", "::1", "::1", 0, 0},
    {__LINE__, "6 ::", "4 127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1", 0, 0},
    {__LINE__, "6 ::", "6 ::ffff:127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.1", 0, 0},
    {__LINE__, "o ::", "4 127.0.0.1", NULL, NULL, 0, -ECONNREFUSED},
    {__LINE__, "o ::", "6 ::1", "::1", "::1", 0, 0},
    {__LINE__, "6 ::1", "4 127.0.0.1", NULL, NULL, 0, -ECONNREFUSED},
    {__LINE__, "6 ::ffff:127.0.0.1", "4 127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1", 0, 0},
    {__LINE__, "o ::ffff:127.0.0.1", "-", NULL, NULL, -EINVAL, 0},
    {__LINE__, "6 2001:db8::1", "-", NULL, NULL, -EADDRNOTAVAIL, 0},
};

static socklen_t read_address(const char *text, uint16_t port, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *in = (struct sockaddr_in *) ret_address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) ret_address;

    memset(ret_address, 0, sizeof(*ret_address));
    if (*text == '4') {
        in->sin_family = AF_INET;
        in->sin_port = port;
        CU_ASSERT_FATAL(inet_pton(AF_INET, text + 2, &in->sin_addr) == 1);
        return sizeof(*in);
    }
    in6->sin6_family = AF_INET6;
    in6->sin6_port = port;
    CU_ASSERT_FATAL(inet_pton(AF_INET6, text + 2, &in6->sin6_addr) == 1);
    return sizeof(*in6);
}

static bool has_address(const struct sockaddr_storage *address, const char *expected)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (address->ss_family == AF_INET)
        (void) inet_ntop(AF_INET, &((const struct sockaddr_in *) address)->sin_addr, text,
                         sizeof(text));
    else
        (void) inet_ntop(AF_INET6, &((const struct sockaddr_in6 *) address)->sin6_addr, text,
                         sizeof(text));
    return strcmp(text, expected) == 0;
}

static int open_for(struct driver *driver, const char *text)
{
    struct ring *ring = &driver->ring;
    const int one = 1;
    int fd = ring->backend->socket(ring, *text == '4' ? AF_INET : AF_INET6, SOCK_STREAM, 0);

    if (*text == 'o')
        (void) ring->backend->setsockopt(ring, fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    return fd;
}

/* Binds and listens; *ret_port is in network order. */
static int serve(struct driver *driver, const struct route *route, int fd, uint16_t *ret_port)
{
    struct ring *ring = &driver->ring;
    struct sockaddr_storage address;
    socklen_t len = read_address(route->bound, 0, &address);
    int code = ring->backend->bind(ring, fd, (struct sockaddr *) &address, len);

    if (code)
        return code;
    CU_ASSERT_EQUAL(ring->backend->listen(ring, fd, 1), 0);
    CU_ASSERT_EQUAL(ring->backend->getsockname(ring, fd, (struct sockaddr *) &address, &len), 0);
    *ret_port = address.ss_family == AF_INET ? ((struct sockaddr_in *) &address)->sin_port
                                             : ((struct sockaddr_in6 *) &address)->sin6_port;
    return 0;
}

static bool is_accepted_as(struct driver *driver, int fd, const char *expected)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    struct io_uring_sqe sqe = {0};
    int accepted;

    io_uring_prep_accept(&sqe, fd, (struct sockaddr *) &address, &len, SOCK_CLOEXEC);
    accepted = driver_do(driver, &sqe);
    (void) driver_close_fd(driver, accepted);
    return accepted >= 0 && has_address(&address, expected);
}

/* Whether the client gets where it should, from where it should. */
static bool is_reached(struct driver *driver, const struct route *route, int server, uint16_t port)
{
    struct ring *ring = &driver->ring;
    struct sockaddr_storage address;
    socklen_t len = read_address(route->connected, port, &address);
    int fd = open_for(driver, route->connected);
    struct io_uring_sqe sqe = {0};
    bool result;

    io_uring_prep_connect(&sqe, fd, (struct sockaddr *) &address, len);
    result = driver_do(driver, &sqe) == route->connect_code;
    if (result && route->connect_code == 0) {
        result = ring->backend->getsockname(ring, fd, (struct sockaddr *) &address, &len) == 0 &&
                 has_address(&address, route->source) &&
                 is_accepted_as(driver, server, route->seen);
    }
    (void) driver_close_fd(driver, fd);
    return result;
}

static void run_route(const struct route *route, const char *spec)
{
    struct driver driver;
    uint16_t port = 0;
    bool agrees;
    int server;

    CU_ASSERT_EQUAL_FATAL(driver_open(&driver, spec), 0);
    server = open_for(&driver, route->bound);
    agrees = serve(&driver, route, server, &port) == route->bind_code;
    if (agrees && route->bind_code == 0)
        agrees = is_reached(&driver, route, server, port);
    (void) CU_assertImplementation(agrees, (unsigned) route->line, spec, __FILE__, "", CU_FALSE);
    (void) driver_close_fd(&driver, server);
    driver_close(&driver);
}

static void test_addresses_lead_where_linux_says(void)
{
    bool is_kernel_wanted = has_kernel_ring() && has_ipv6();

    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        run_route(&routes[i], "sim");
        if (is_kernel_wanted)
            run_route(&routes[i], test_kernel_ring());
    }
    if (!is_kernel_wanted)
        TEST_SKIP("no io_uring or no IPv6 here: ran on the simulated ring only");
}

/* --- random walks -------------------------------------------------------------------- */

#define WALKS      32
#define WALK_STEPS 60

/* What a walk chooses from; the sockets and the bytes are drawn, too. No WRITE: it raises SIGPIPE. */
static const struct {
    uint32_t weight;
    struct step step;
} choices[] = {
    {15, {.verb = VERB_SEND}},
    {5, {.verb = VERB_SEND, .flags = MSG_DONTWAIT}},
    {10, {.verb = VERB_RECV}},
    {10, {.verb = VERB_RECV, .flags = MSG_DONTWAIT}},
    {3, {.verb = VERB_RECV, .flags = MSG_PEEK}},
    {3, {.verb = VERB_RECV, .flags = MSG_WAITALL}},
    {2, {.verb = VERB_RECV, .flags = MSG_TRUNC}},
    {3, {.verb = VERB_READ}},
    {3, {.verb = VERB_SHUTDOWN, .n = SHUT_RD}},
    {4, {.verb = VERB_SHUTDOWN, .n = SHUT_WR}},
    {2, {.verb = VERB_SHUTDOWN, .n = SHUT_RDWR}},
    {3, {.verb = VERB_CLOSE}},
    {3, {.verb = VERB_POLL, .n = POLLIN}},
    {3, {.verb = VERB_POLL, .n = POLLOUT}},
    {3, {.verb = VERB_POLL, .n = POLLIN | POLLOUT | POLLRDHUP}},
    {2, {.verb = VERB_POLL}},
    {6, {.verb = VERB_SOCKET}},
    {10, {.verb = VERB_CONNECT, .other = L}},
    {8, {.verb = VERB_ACCEPT}},
    {2, {.verb = VERB_GET, .flags = SOL_SOCKET, .n = SO_ERROR}},
    {1, {.verb = VERB_GET, .flags = SOL_SOCKET, .n = SO_ACCEPTCONN}},
    {2, {.verb = VERB_PEERNAME, .other = NOBODY}},
    {1, {.verb = VERB_LISTEN, .n = 50}},
    {1, {.verb = VERB_LINGER}},
};

static struct step draw_step(struct sim_random *random)
{
    struct step step;
    uint32_t total = 0;
    uint32_t point;
    size_t i = 0;

    for (size_t j = 0; j < COUNT_OF(choices); j++)
        total += choices[j].weight;
    point = ouro__sim_random_below(random, total);
    while (point >= choices[i].weight)
        point -= choices[i++].weight;
    step = choices[i].step;
    step.who = (enum letter) ouro__sim_random_below(random, D + 1);
    if (step.verb == VERB_SEND || step.verb == VERB_RECV || step.verb == VERB_READ)
        step.n = (int) ouro__sim_random_below(random, 20);
    if (step.verb == VERB_ACCEPT)
        step.other = step.who;
    if (step.verb == VERB_ACCEPT || ouro__sim_random_below(random, 25) == 0)
        step.who = step.verb == VERB_CLOSE ? step.who : L;
    return step;
}

static bool may_wait(enum verb verb)
{
    return verb == VERB_CONNECT || verb == VERB_ACCEPT || verb == VERB_SEND || verb == VERB_RECV ||
           verb == VERB_READ || verb == VERB_POLL;
}

/*
 * One that would wait is cancelled, which shows in the result. The simulation goes first
 * and says whether it waits: when it does not, the kernel is given all the time it needs.
 */
static int try_operation(struct stage *stage, const struct step *step, bool *waits)
{
    struct operation *operation = &stage->operations[0];

    start_operation(stage, step, operation);
    if (stage->driver.ring.simulated || *waits) {
        driver_settle(&stage->driver);
        *waits = !stage->driver.is_done[operation->tag];
    }
    if (*waits)
        (void) driver_cancel(&stage->driver, operation->tag);
    return await_operation(stage, operation) + (*waits ? 1000000 : 0);
}

/* Without it TCP may hold small segments back (Nagle), for longer than a walk takes. */
static void send_at_once(struct stage *stage, enum letter who)
{
    const struct step step = SET(who, IPPROTO_TCP, TCP_NODELAY, 1, 0);

    if (stage->family != UNIX)
        (void) do_set(stage, &step);
}

static void abandon(struct stage *stage, enum letter who)
{
    if (stage->is_open[who])
        (void) driver_close_fd(&stage->driver, stage->fds[who]);
    stage->is_open[who] = false;
}

/* A descriptor that was closed is -1: its number may be somebody else's by now. */
static void forget_closed(struct stage *stage)
{
    for (unsigned i = 0; i < LETTER_COUNT; i++)
        if (!stage->is_open[i])
            stage->fds[i] = -1;
}

static int walk_step(struct stage *stage, const struct step *step, bool *waits)
{
    bool gives_fd = step->verb == VERB_ACCEPT || step->verb == VERB_SOCKET;
    enum letter target = step->verb == VERB_ACCEPT ? step->other : step->who;
    int result;

    if (gives_fd)
        abandon(stage, target);
    forget_closed(stage);
    result = may_wait(step->verb) ? try_operation(stage, step, waits) : do_step(stage, step);
    /* What a failed connect leaves behind is fit for closing only. */
    if (step->verb == VERB_CONNECT && result == -ECONNREFUSED)
        abandon(stage, step->who);
    if (step->verb == VERB_SOCKET)
        send_at_once(stage, step->who);
    return gives_fd && stage->is_open[target] ? OK : result;
}

/* Takes the step on both rings; whether they agree. */
static bool walk_on(struct stage *sim, struct stage *kernel, const struct step *step,
                    const char *where)
{
    bool waits = false;
    int result = walk_step(sim, step, &waits);
    int expected = walk_step(kernel, step, &waits);
    char text[200];

    if (expected == result && !sim->is_garbled && !kernel->is_garbled)
        return true;
    (void) snprintf(text, sizeof(text), "%s: verb %d of %d (%d, %d): Linux %d, simulation %d%s",
                    where, (int) step->verb, (int) step->who, step->n, step->flags, expected,
                    result, sim->is_garbled || kernel->is_garbled ? ", bytes garbled" : "");
    (void) CU_assertImplementation(CU_FALSE, __LINE__, text, __FILE__, "", CU_FALSE);
    return false;
}

static void walk(enum families family, unsigned seed)
{
    static const struct step opening[] = {CONNECTED, SOCKET(C), SOCKET(D)};
    struct sim_random random = {.state = seed};
    struct stage *sim = open_stage(family, "sim");
    struct stage *kernel = open_stage(family, test_kernel_ring());
    bool agrees = true;
    char where[80];

    for (unsigned i = 0; i < COUNT_OF(opening) + WALK_STEPS && agrees; i++) {
        struct step step = i < COUNT_OF(opening) ? opening[i] : draw_step(&random);

        (void) snprintf(where, sizeof(where), "family %d, walk %u, step %u", domain_of(sim), seed,
                        i);
        agrees = walk_on(sim, kernel, &step, where);
    }
    close_stage(sim);
    close_stage(kernel);
}

static void test_random_walks_agree(void)
{
    if (!has_kernel_ring()) {
        TEST_SKIP("no io_uring here to compare with");
        return;
    }
    for (unsigned seed = 0; seed < WALKS; seed++) {
        walk(TCP4, seed);
        walk(UNIX, seed);
    }
}

const struct test ring_script_tests[] = {
    TEST(test_bytes_arrive_in_order),
    TEST(test_recv_waits_for_bytes),
    TEST(test_read_and_write_work_on_sockets),
    TEST(test_peek_leaves_the_bytes),
    TEST(test_trunc_drops_bytes_of_tcp_only),
    TEST(test_dontwait_gives_eagain),
    TEST(test_recv_waitall_waits_for_all),
    TEST(test_recv_waitall_ends_with_the_stream),
    TEST(test_recv_waitall_dontwait_takes_what_is_there),
    TEST(test_cancelled_waitall_reports_what_it_moved),
    TEST(test_send_waits_for_room),
    TEST(test_send_waitall_sends_more_than_fits),
    TEST(test_transfers_of_nothing),
    TEST(test_several_receivers_share_the_bytes),
    TEST(test_half_closed_connection_still_sends_back),
    TEST(test_pending_recv_sees_the_end),
    TEST(test_close_ends_the_stream),
    TEST(test_tcp_learns_from_its_first_send_that_the_peer_is_gone),
    TEST(test_unix_send_to_a_closed_peer_fails),
    TEST(test_close_with_unread_bytes_resets),
    TEST(test_reset_interrupts_a_pending_recv),
    TEST(test_reset_interrupts_a_pending_send),
    TEST(test_unix_close_interrupts_a_pending_send),
    TEST(test_bytes_before_a_reset_can_be_read),
    TEST(test_tcp_reset_fails_the_first_send),
    TEST(test_so_error_takes_the_reset),
    TEST(test_tcp_linger_of_no_time_resets),
    TEST(test_unix_linger_of_no_time_does_nothing),
    TEST(test_tcp_shutdown_of_reading_still_takes_bytes),
    TEST(test_unix_shutdown_of_reading_stops_the_peer),
    TEST(test_tcp_bytes_for_a_socket_shut_both_ways_reset),
    TEST(test_tcp_is_over_after_both_fins),
    TEST(test_unix_shutdown_can_be_repeated),
    TEST(test_shutdown_checks_its_argument),
    TEST(test_close_does_not_interrupt_a_pending_recv),
    TEST(test_closed_fd_is_bad),
    TEST(test_negative_fd_is_bad),
    TEST(test_lowest_fd_is_given_out_first),
    TEST(test_unconnected_tcp_socket_refuses_all),
    TEST(test_unconnected_unix_socket_refuses_all),
    TEST(test_listener_cannot_transfer),
    TEST(test_unix_listener_cannot_transfer),
    TEST(test_connect_is_refused_when_nobody_listens),
    TEST(test_bound_socket_that_does_not_listen_refuses),
    TEST(test_connect_twice_gives_eisconn),
    TEST(test_accept_waits_for_a_connection),
    TEST(test_one_connection_wakes_one_accept),
    TEST(test_bytes_sent_before_the_accept_arrive),
    TEST(test_client_that_left_can_still_be_accepted),
    TEST(test_closing_a_listener_resets_who_was_not_accepted),
    TEST(test_pending_accept_survives_close_of_the_listener),
    TEST(test_shutdown_of_a_listener_ends_accept),
    TEST(test_tcp_listener_can_listen_again_after_shutdown),
    TEST(test_shutdown_of_a_tcp_listener_gives_up_a_port_of_no_choice),
    TEST(test_connect_waits_while_the_backlog_is_full),
    TEST(test_larger_backlog_admits_who_waits),
    TEST(test_waiting_connect_is_refused_when_the_listener_closes),
    TEST(test_full_backlog_of_tcp_keeps_a_connect_waiting),
    TEST(test_listen_checks_the_state),
    TEST(test_tcp_listener_forgets_a_shutdown_before),
    TEST(test_tcp_listens_without_bind),
    TEST(test_both_ends_know_the_names),
    TEST(test_client_can_bind_first),
    TEST(test_name_in_use_cannot_be_bound),
    TEST(test_bind_twice_is_refused),
    TEST(test_reuseaddr_binds_twice_but_listens_once),
    TEST(test_reuseaddr_restarts_a_server_under_a_connection),
    TEST(test_reuseport_listens_twice),
    TEST(test_poll_waits_for_bytes),
    TEST(test_poll_waits_for_room),
    TEST(test_poll_tells_the_ends),
    TEST(test_poll_tells_a_reset),
    TEST(test_poll_of_a_listener_waits_for_a_connection),
    TEST(test_cancel_ends_what_waits),
    TEST(test_cancel_of_what_is_over_finds_nothing),
    TEST(test_cancel_of_a_waiting_send_takes_nothing),
    TEST(test_options_are_kept),
    TEST(test_accepted_tcp_sockets_inherit_options),
    TEST(test_unix_sockets_have_no_tcp_options),
    TEST(test_addresses_lead_where_linux_says),
    TEST(test_random_walks_agree),
    TEST_END,
};
