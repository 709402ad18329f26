/* SPDX-License-Identifier: MIT */
/*
 * op_test.c - tests of engine/op.c: operations and their ends
 *
 * The invariants that everything above relies on: a call returns only when the kernel is
 * done with its memory, a result that raced an interruption is not lost, and no
 * interruption is, however full the submission queue may be.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "dispatcher.h"
#include "loop.h"
#include "ouro_uring.h"

/* The next fd that would be handed out: the same before and after when none was leaked. */
static int probe_fd(void)
{
    int fd = ouro_socket(AF_UNIX, SOCK_STREAM, 0);

    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return fd;
}

/* --- calls that are interrupted at every moment -------------------------------------------- */

#define PATTERN '\xaa'

/*
 * One call and what may happen to it. The victim calls; sooner or later somebody does what
 * lets the call succeed, or nobody does; sooner or later the victim is cancelled or its
 * time runs out. Whatever the order: nothing is lost.
 */
struct scene {
    const struct call *call;
    int fds[2]; /* connected; the victim uses the first */
    int listener;
    struct ouro_address address;
    char buf[64];      /* the victim's */
    size_t fill;       /* bytes that went out before the call */
    int64_t deadline;  /* of the victim's time limit */
    bool is_completed; /* what lets the call succeed was done */
    bool is_over;      /* the victim was cancelled */
    int result;        /* of the call */
    int next;          /* of the victim's next call */
};

struct call {
    const char *name;
    void (*set_up)(struct scene *scene);
    int (*run)(struct scene *scene);
    void (*complete)(struct scene *scene);
    void (*check)(struct scene *scene); /* that nothing was lost; and cleans up */
};

static void set_up_pair(struct scene *scene)
{
    make_pair(scene->fds);
}

static int run_recv(struct scene *scene)
{
    return (int) ouro_recv(scene->fds[0], scene->buf, sizeof(scene->buf), 0);
}

static void complete_by_sending(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_send_all(scene->fds[1], "hello", 5, NULL), 0);
}

/* What the victim got and what is left are what was sent. */
static void check_recv(struct scene *scene)
{
    size_t got = scene->result > 0 ? (size_t) scene->result : 0;
    size_t left = (scene->is_completed ? 5 : 0) - got;
    char rest[8] = "";

    CU_ASSERT(got <= 5 && memcmp(scene->buf, "hello", got) == 0);
    memset(scene->buf, PATTERN, sizeof(scene->buf));
    CU_ASSERT_EQUAL(ouro_recv_exact(scene->fds[0], rest, left, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(rest, &"hello"[got], left), 0);
    CU_ASSERT_EQUAL(ouro_send_all(scene->fds[1], "bye", 3, NULL), 0);
    CU_ASSERT_EQUAL(ouro_recv_exact(scene->fds[0], rest, 3, NULL), 0);
    for (size_t i = 0; i < sizeof(scene->buf); i++)
        CU_ASSERT_EQUAL(scene->buf[i], PATTERN);
    close_pair(scene->fds);
}

static void set_up_full(struct scene *scene)
{
    static const char zeros[4096];
    int size = 4096;
    ssize_t sent;

    make_pair(scene->fds);
    CU_ASSERT_EQUAL(ouro_setsockopt(scene->fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    do {
        struct ouro_timeout limit;

        ouro_timeout_begin(&limit, 2 * OURO_MILLISECOND);
        sent = ouro_send(scene->fds[0], zeros, sizeof(zeros), 0);
        (void) ouro_timeout_end(&limit);
        if (sent > 0)
            scene->fill += (size_t) sent;
    } while (sent > 0);
    CU_ASSERT_EQUAL(sent, -ETIMEDOUT);
}

static int run_send(struct scene *scene)
{
    memcpy(scene->buf, "hello", 5);
    return (int) ouro_send(scene->fds[0], scene->buf, 5, 0);
}

static void complete_by_receiving(struct scene *scene)
{
    size_t left = scene->fill;
    char buf[4096];

    while (left > 0) {
        size_t len = left < sizeof(buf) ? left : sizeof(buf);

        CU_ASSERT_EQUAL(ouro_recv_exact(scene->fds[1], buf, len, NULL), 0);
        left -= len;
    }
    scene->fill = 0;
}

/* What the peer gets is what the victim says that it sent, behind what was there before. */
static void check_send(struct scene *scene)
{
    int sent = scene->result > 0 ? scene->result : 0;
    char rest[8] = "";

    memset(scene->buf, PATTERN, sizeof(scene->buf));
    CU_ASSERT_EQUAL(ouro_shutdown(scene->fds[0], SHUT_WR), 0);
    complete_by_receiving(scene);
    for (int got = 0; got < sent;) {
        ssize_t more = ouro_recv(scene->fds[1], rest + got, sizeof(rest) - (size_t) got, 0);

        CU_ASSERT(more > 0);
        if (more <= 0)
            break;
        got += (int) more;
    }
    CU_ASSERT_EQUAL(memcmp(rest, "hello", (size_t) sent), 0);
    CU_ASSERT_EQUAL(ouro_recv(scene->fds[1], rest, sizeof(rest), 0), 0);
    close_pair(scene->fds);
}

static void set_up_listener(struct scene *scene)
{
    scene->listener = listen_locally(&scene->address);
    scene->fds[0] = -1;
    scene->fds[1] = ouro_socket(AF_INET, SOCK_STREAM, 0);
}

static int run_accept(struct scene *scene)
{
    struct ouro_address peer;

    return ouro_accept(scene->listener, &peer);
}

static void complete_by_connecting(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_connect(scene->fds[1], &scene->address.sockaddr, scene->address.len), 0);
}

/* Either the victim has the connection or it waits for the next accept. */
static void check_accept(struct scene *scene)
{
    int fd = scene->result;
    char byte = 0;

    if (!scene->is_completed)
        complete_by_connecting(scene);
    if (fd < 0)
        fd = ouro_accept(scene->listener, NULL);
    CU_ASSERT(fd >= 0);
    CU_ASSERT_EQUAL(ouro_send(scene->fds[1], "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_recv(fd, &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(byte, 'x');
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_close(scene->fds[1]), 0);
    CU_ASSERT_EQUAL(ouro_close(scene->listener), 0);
}

static int run_connect(struct scene *scene)
{
    return ouro_connect(scene->fds[1], &scene->address.sockaddr, scene->address.len);
}

static void complete_by_nothing(struct scene *scene)
{
    (void) scene; /* a connect needs nobody's help */
}

/* A connect that succeeded has made a connection; another may have. */
static void check_connect(struct scene *scene)
{
    if (scene->result == 0) {
        int fd = ouro_accept(scene->listener, NULL);

        CU_ASSERT(fd >= 0);
        CU_ASSERT_EQUAL(ouro_close(fd), 0);
    }
    CU_ASSERT_EQUAL(ouro_close(scene->fds[1]), 0);
    CU_ASSERT_EQUAL(ouro_close(scene->listener), 0);
}

static int run_poll(struct scene *scene)
{
    return ouro_poll(scene->fds[0], POLLIN);
}

/* Polling takes nothing away. */
static void check_poll(struct scene *scene)
{
    char rest[8];

    CU_ASSERT(scene->result < 0 || scene->result == POLLIN);
    if (scene->is_completed) {
        CU_ASSERT_EQUAL(ouro_recv_exact(scene->fds[0], rest, 5, NULL), 0);
        CU_ASSERT_EQUAL(memcmp(rest, "hello", 5), 0);
    }
    close_pair(scene->fds);
}

static void prepare_poll(struct io_uring_sqe *sqe, void *arg)
{
    io_uring_prep_poll_add(sqe, *(int *) arg, POLLIN);
}

static int run_user(struct scene *scene)
{
    return ouro_submit_sqe(prepare_poll, &scene->fds[0], NULL);
}

static const struct call calls[] = {
    {"recv", set_up_pair, run_recv, complete_by_sending, check_recv},
    {"send", set_up_full, run_send, complete_by_receiving, check_send},
    {"accept", set_up_listener, run_accept, complete_by_connecting, check_accept},
    {"connect", set_up_listener, run_connect, complete_by_nothing, check_connect},
    {"poll", set_up_pair, run_poll, complete_by_sending, check_poll},
    {"submit_sqe", set_up_pair, run_user, complete_by_sending, check_poll},
};

static int be_victim(void *arg)
{
    struct scene *scene = arg;
    struct ouro_timeout limit;

    ouro_timeout_begin_at(&limit, scene->deadline);
    scene->result = scene->call->run(scene);
    if (scene->result <= 0)
        memset(scene->buf, PATTERN, sizeof(scene->buf)); /* it is ours again */
    if (scene->deadline == OURO_FOREVER) {
        do {
            scene->next = ouro_yield();
        } while (!scene->is_over);
        scene->next = ouro_yield();
    } else {
        scene->next = ouro_sleep(OURO_FOREVER);
    }
    (void) ouro_timeout_end(&limit);
    return 0;
}

static int complete_call(void *arg)
{
    struct scene *scene = arg;

    scene->call->complete(scene);
    return 0;
}

static int complete_call_at_deadline(void *arg)
{
    struct scene *scene = arg;

    CU_ASSERT_EQUAL(ouro_sleep_until(scene->deadline), 0);
    scene->call->complete(scene);
    return 0;
}

static int fill_one_entry(void *arg)
{
    static int nowhere = -1;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_submit_sqe(prepare_poll, &nowhere, NULL), -EBADF);
    return 0;
}

static void yield_times(int times)
{
    for (int i = 0; i < times; i++)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
}

/* How a scene goes. */
struct plot {
    bool is_staged;    /* the queue is full when the victim comes */
    bool is_completed; /* somebody lets the call succeed */
    bool is_timed;     /* the victim runs out of time rather than being cancelled */
    int before, after; /* how many turns pass before that happens, and from there to the end */
};

struct tally {
    int succeeded[COUNT_OF(calls)], interrupted[COUNT_OF(calls)];
};

static ouro_task_id spawn_completer(struct scene *scene, const struct plot *plot)
{
    if (!plot->is_completed)
        return 0;
    scene->is_completed = true;
    return ouro_spawn(plot->is_timed ? complete_call_at_deadline : complete_call, scene);
}

static void play(const struct call *call, const struct plot *plot, struct tally *tally)
{
    struct scene scene = {.call = call, .listener = -1, .deadline = OURO_FOREVER};
    struct ouro_group fillers;
    ouro_task_id victim, completer;
    int code = plot->is_timed ? -ETIMEDOUT : -ECANCELED;

    call->set_up(&scene);
    if (plot->is_timed)
        scene.deadline = ouro_now() + OURO_MILLISECOND;
    ouro_group_init(&fillers);
    for (unsigned i = 0; plot->is_staged && i < ouro__dispatcher->ring.sq_entries; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&fillers, fill_one_entry, NULL), 0);
    victim = ouro_spawn(be_victim, &scene);
    yield_times(plot->before);
    completer = spawn_completer(&scene, plot);
    yield_times(plot->after);
    if (!plot->is_timed)
        CU_ASSERT_EQUAL(ouro_cancel(victim), 0);
    scene.is_over = true;
    CU_ASSERT_EQUAL(ouro_join(victim, NULL), 0);
    if (completer)
        CU_ASSERT_EQUAL(ouro_join(completer, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&fillers), 0);

    if (scene.result < 0 && scene.result != code)
        printf("    %s: %s\n", call->name, ouro_strerror(scene.result));
    CU_ASSERT(scene.result >= 0 || scene.result == code);
    CU_ASSERT_EQUAL(scene.next, code);
    (scene.result >= 0 ? tally->succeeded : tally->interrupted)[call - calls]++;
    call->check(&scene);
}

static int play_all(void *arg)
{
    int fd = probe_fd();

    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        for (int staged = 0; staged < 2; staged++) {
            for (int turns = 0; turns < 16; turns++) {
                play(&calls[i], &(struct plot) {staged, true, false, turns % 4, turns / 4}, arg);
                play(&calls[i], &(struct plot) {staged, false, false, turns, 0}, arg);
            }
            play(&calls[i], &(struct plot) {staged, true, true, 0, 0}, arg);
            play(&calls[i], &(struct plot) {staged, false, true, 0, 0}, arg);
        }
    }
    CU_ASSERT_EQUAL(probe_fd(), fd);
    return 0;
}

static void check_tally(const struct tally *tally)
{
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        if (!tally->succeeded[i] || !tally->interrupted[i])
            printf("    %s: %d times %d times\n", calls[i].name, tally->succeeded[i],
                   tally->interrupted[i]);
        CU_ASSERT(tally->succeeded[i] > 0); /* or the races were none */
        CU_ASSERT(tally->interrupted[i] > 0);
    }
}

/*
 * victim     completer   main       after every number of turns
 * call       .           .
 * .          act         .          the completion may be on its way,
 * .          .           cancel     or not, when the cancellation is sent after it
 * returns    .           .          with the result or with the interruption, never without
 * call       .           .          fails
 */
static void test_interruption_races_every_call_on_the_simulated_ring(void)
{
    static const unsigned entries[] = {1, 8, 64};
    struct tally tally = {.succeeded = {0}};

    for (int seed = 0; seed < 8; seed++)
        for (size_t i = 0; i < COUNT_OF(entries); i++)
            CU_ASSERT_EQUAL(run_with(test_sim_ring(), entries[i], play_all, &tally), 0);
    check_tally(&tally);
}

static void test_interruption_races_every_call_on_the_kernels_ring(void)
{
    static const unsigned entries[] = {1, 8, 64};
    struct tally tally = {.succeeded = {0}};

    for (size_t i = 0; i < COUNT_OF(entries); i++)
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), entries[i], play_all, &tally), 0);
    check_tally(&tally);
}

/* --- errors that race an interruption ---------------------------------------------------------- */

/* A receive that a reset ends. */
struct reset {
    int fd;
    int result, next;
    int64_t deadline;
};

static int receive_reset(void *arg)
{
    struct reset *reset = arg;
    struct ouro_timeout limit;
    char byte;

    ouro_timeout_begin_at(&limit, reset->deadline);
    reset->result = (int) ouro_recv(reset->fd, &byte, 1, 0);
    reset->next = ouro_checkpoint();
    (void) ouro_timeout_end(&limit);
    return 0;
}

/* Returns whether the victim was told of the reset; otherwise it is told by the next call. */
static bool race_reset(int turns, bool is_timed)
{
    struct linger abort = {.l_onoff = 1, .l_linger = 0};
    struct reset reset = {.deadline = OURO_FOREVER};
    int code = is_timed ? -ETIMEDOUT : -ECANCELED;
    ouro_task_id victim;
    int fds[2];
    char byte;

    make_pair(fds);
    if (is_timed)
        reset.deadline = ouro_now() + OURO_MILLISECOND;
    reset.fd = fds[0];
    victim = ouro_spawn(receive_reset, &reset);
    yield_times(2);
    CU_ASSERT_EQUAL(ouro_setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &abort, sizeof(abort)), 0);
    if (is_timed)
        CU_ASSERT_EQUAL(ouro_sleep_until(reset.deadline), 0);
    CU_ASSERT_EQUAL(ouro_close(fds[1]), 0);
    yield_times(turns);
    if (!is_timed)
        (void) ouro_cancel(victim); /* it may have ended */
    CU_ASSERT_EQUAL(ouro_join(victim, NULL), 0);
    CU_ASSERT(reset.result == -ECONNRESET || reset.result == code);
    CU_ASSERT(reset.next == code || reset.result == -ECONNRESET);
    if (reset.result == code)
        CU_ASSERT_EQUAL(ouro_recv(fds[0], &byte, 1, 0), -ECONNRESET);
    CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);
    return reset.result == -ECONNRESET && reset.next == code;
}

static int race_resets(void *arg)
{
    int *told_count = arg;

    for (int round = 0; round < 64; round++)
        *told_count += race_reset(/* turns= */ round % 3, /* is_timed= */ round % 2);
    return 0;
}

/*
 * victim     peer       main
 * recv       .          .
 * .          reset      .
 * .          .          cancel     in the turn in which the reset arrives, or close to it
 * fails      .          .          with the reset, or the next call does; never with a clean end
 */
static void test_error_that_raced_an_interruption_is_not_lost(void)
{
    int told_count = 0;

    for (int seed = 0; seed < 8; seed++)
        CU_ASSERT_EQUAL(run_sim(race_resets, &told_count), 0);
    CU_ASSERT(told_count > 0); /* or the races were none */
    if (test_kernel_ring()) {
        told_count = 0;
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, race_resets, &told_count), 0);
        /* When the SQ thread comes to it is nobody's to say. */
        CU_ASSERT(told_count > 0 || strstr(test_kernel_ring(), "sqpoll"));
    }
}

static void prepare_open(struct io_uring_sqe *sqe, void *arg)
{
    io_uring_prep_openat(sqe, AT_FDCWD, arg, O_RDONLY | O_CLOEXEC, 0);
    io_uring_sqe_set_flags(sqe, IOSQE_ASYNC); /* the kernel's first try would not wait */
}

static int open_for_ever(void *arg)
{
    return ouro_submit_sqe(prepare_open, arg, NULL);
}

static int interrupt_open(void *arg)
{
    ouro_task_id victim = ouro_spawn(open_for_ever, arg);
    int result = 0;

    CU_ASSERT_EQUAL(ouro_sleep(5 * OURO_MILLISECOND), 0); /* a thread of the kernel's waits in it */
    CU_ASSERT_EQUAL(ouro_cancel(victim), 0);
    CU_ASSERT_EQUAL(ouro_join(victim, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    return 0;
}

/* Opening a FIFO that nobody writes to ends with ERESTARTSYS, which is nobody's business. */
static void test_open_that_a_signal_ends_is_an_interrupted_one(void)
{
    char path[64];

    if (!test_kernel_ring()) {
        TEST_SKIP("there is no kernel ring");
        return;
    }
    (void) snprintf(path, sizeof(path), "/tmp/ouro-op-test-%d", (int) getpid());
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, interrupt_open, path), 0);
    CU_ASSERT_EQUAL(unlink(path), 0);
}

/* --- transfers that are interrupted half-way ----------------------------------------------- */

#define LARGE (4 << 20)

struct half {
    int fds[2];
    char *bytes;
    size_t sent;
    int result;
};

static int send_large(void *arg)
{
    struct half *half = arg;

    half->result = ouro_send_all(half->fds[0], half->bytes, LARGE, &half->sent);
    memset(half->bytes, 0, LARGE);
    return 0;
}

static unsigned char byte_at(size_t offset)
{
    return (unsigned char) (offset * 31 + offset / 251);
}

/* Receives to the end of the stream and returns how much came; wrong bytes count as LARGE. */
static size_t receive_rest(int fd, size_t received)
{
    unsigned char buf[8192];
    ssize_t got;

    while ((got = ouro_recv(fd, buf, sizeof(buf), 0)) > 0)
        for (ssize_t i = 0; i < got; i++)
            if (buf[i] != byte_at(received++))
                return LARGE;
    CU_ASSERT_EQUAL(got, 0);
    return received;
}

static int cancel_large_send(void *arg)
{
    struct half half = {.bytes = malloc(LARGE)};
    ouro_task_id id;
    unsigned char buf[1000];
    size_t received = 0;

    (void) arg;
    for (size_t i = 0; half.bytes && i < LARGE; i++)
        half.bytes[i] = (char) byte_at(i);
    make_pair(half.fds);
    id = ouro_spawn(send_large, &half);
    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(ouro_recv_exact(half.fds[1], buf, sizeof(buf), NULL), 0);
        for (size_t j = 0; j < sizeof(buf); j++)
            CU_ASSERT_EQUAL(buf[j], byte_at(received + j));
        received += sizeof(buf);
    }
    CU_ASSERT_EQUAL(ouro_cancel_join(id, NULL), 0);
    CU_ASSERT_EQUAL(half.result, -ECANCELED);
    CU_ASSERT(half.sent >= received && half.sent < LARGE);
    CU_ASSERT_EQUAL(ouro_close(half.fds[0]), 0);
    CU_ASSERT_EQUAL(receive_rest(half.fds[1], received), half.sent);
    CU_ASSERT_EQUAL(ouro_close(half.fds[1]), 0);
    free(half.bytes);
    return 0;
}

static void test_cancelled_send_all_says_how_much_went_out(void)
{
    run_on_each_ring(cancel_large_send, NULL);
}

static int time_out_recv_exact(void *arg)
{
    struct ouro_timeout limit;
    size_t received = 99;
    char buf[10] = "";
    int fds[2];

    (void) arg;
    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_send(fds[1], "abc", 3, 0), 3);
    CU_ASSERT_EQUAL(ouro_poll(fds[0], POLLIN), POLLIN);
    ouro_timeout_begin(&limit, 5 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_recv_exact(fds[0], buf, sizeof(buf), &received), -ETIMEDOUT);
    CU_ASSERT_EQUAL(received, 3);
    CU_ASSERT_STRING_EQUAL(buf, "abc");
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    close_pair(fds);
    return 0;
}

static void test_timed_out_recv_exact_says_how_much_arrived(void)
{
    run_on_each_ring(time_out_recv_exact, NULL);
}

/* --- a full submission queue --------------------------------------------------------------- */

static int poll_fd(void *arg)
{
    return ouro_poll(*(int *) arg, POLLIN);
}

static size_t list_len(const struct list *head)
{
    size_t len = 0;

    for (const struct list *node = head->next; node != head; node = node->next)
        len++;
    return len;
}

static int cancel_staged(void *arg)
{
    struct ouro_counters before, after;
    ouro_task_id ids[10];
    int fds[2];

    (void) arg;
    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_stats(&before), 0);
    for (int i = 0; i < 10; i++)
        ids[i] = ouro_spawn(poll_fd, &fds[0]);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(list_len(&ouro__dispatcher->staged), 9);
    for (int i = 9; i >= 1; i--)
        CU_ASSERT_EQUAL(ouro_cancel(ids[i]), 0);
    CU_ASSERT_EQUAL(list_len(&ouro__dispatcher->staged), 0);
    CU_ASSERT_EQUAL(list_len(&ouro__dispatcher->cancels), 0);
    for (int i = 1; i < 10; i++) {
        int result = 0;

        CU_ASSERT_EQUAL(ouro_join(ids[i], &result), 0);
        CU_ASSERT_EQUAL(result, -ECANCELED);
    }
    CU_ASSERT_EQUAL(ouro_cancel_join(ids[0], NULL), 0);
    CU_ASSERT_EQUAL(ouro_stats(&after), 0);
    CU_ASSERT_EQUAL(after.sqes - before.sqes, 2); /* one poll and its cancel */
    close_pair(fds);
    return 0;
}

static void test_cancelling_a_staged_operation_needs_no_sqe(void)
{
    CU_ASSERT_EQUAL(run_with(test_sim_ring(), 1, cancel_staged, NULL), 0);
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 1, cancel_staged, NULL), 0);
}

static int submit_more_than_fits(void *arg)
{
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < 1000; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, fill_one_entry, NULL), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    return 0;
}

static void test_operations_wait_for_room_in_the_queue(void)
{
    for (unsigned entries = 1; entries <= 16; entries *= 4) {
        CU_ASSERT_EQUAL(run_with(test_sim_ring(), entries, submit_more_than_fits, NULL), 0);
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), entries, submit_more_than_fits, NULL), 0);
    }
}

struct crowd {
    int fd;
    int count;
    int64_t deadline;
    int begun, cancelled, timed_out;
};

static int poll_in_crowd(struct crowd *crowd)
{
    crowd->begun++;
    return ouro_poll(crowd->fd, POLLIN);
}

static int wait_to_be_cancelled(void *arg)
{
    struct crowd *crowd = arg;

    crowd->cancelled += poll_in_crowd(crowd) == -ECANCELED;
    return 0;
}

static int wait_to_time_out(void *arg)
{
    struct crowd *crowd = arg;
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin_at(&limit, crowd->deadline);
    code = poll_in_crowd(crowd);
    crowd->timed_out += ouro_timeout_end(&limit) == -ETIMEDOUT && code == -ETIMEDOUT;
    return 0;
}

static void run_crowd(struct crowd *crowd)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_16K};
    struct ouro_group group;

    crowd->deadline = ouro_now() + 50 * OURO_MILLISECOND;
    ouro_group_init(&group);
    for (int i = 0; i < crowd->count; i++)
        CU_ASSERT_EQUAL(ouro_group_spawn_with(&group,
                                              i % 2 ? wait_to_be_cancelled : wait_to_time_out,
                                              crowd, &options),
                        0);
    CU_ASSERT_EQUAL(ouro_sleep_until(crowd->deadline), 0);
    ouro_group_cancel(&group);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(crowd->begun, crowd->count);
    /* A task whose time runs out in the instant in which it is cancelled may report either. */
    CU_ASSERT(crowd->cancelled >= crowd->count / 2);
    CU_ASSERT_EQUAL(ouro__dispatcher->in_flight_count, 0);
}

static int crowd_on_socket(void *arg)
{
    struct crowd crowd = {.count = 10000};
    int fds[2];

    (void) arg;
    make_pair(fds);
    crowd.fd = fds[0];
    run_crowd(&crowd);
    close_pair(fds);
    return 0;
}

/* Half of the tasks is cancelled in the instant in which the time of the others runs out. */
static void test_ten_thousand_interruptions_at_once_pass_a_queue_of_eight(void)
{
    CU_ASSERT_EQUAL(run_with(test_sim_ring(), 8, crowd_on_socket, NULL), 0);
}

static int crowd_on_eventfd(void *arg)
{
    struct crowd crowd = {.count = 5000, .fd = eventfd(0, EFD_CLOEXEC)};

    (void) arg;
    run_crowd(&crowd);
    return ouro_close(crowd.fd);
}

static void test_five_thousand_polls_are_interrupted_on_the_kernels_ring(void)
{
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 64, crowd_on_eventfd, NULL), 0);
}

/* --- an enter that fails ------------------------------------------------------------------- */

struct fault {
    unsigned nth;
    int code;
};

static int echo_once(void *arg)
{
    const int *fds = arg;
    char buf[8];
    ssize_t got = ouro_recv(fds[1], buf, sizeof(buf), 0);

    return got < 0 ? (int) got : ouro_send_all(fds[1], buf, (size_t) got, NULL);
}

static int work_with_fault(void *arg)
{
    const struct fault *fault = arg;
    struct ouro_timeout limit;
    char buf[8] = "";
    ouro_task_id id;
    int fds[2], result = -1;

    ouro__ring_sim_fail_enter(&ouro__dispatcher->ring, fault->nth, fault->code);
    make_pair(fds);
    id = ouro_spawn(echo_once, fds);
    CU_ASSERT_EQUAL(ouro_send_all(fds[0], "echo", 4, NULL), 0);
    CU_ASSERT_EQUAL(ouro_recv_exact(fds[0], buf, 4, NULL), 0);
    CU_ASSERT_STRING_EQUAL(buf, "echo");
    CU_ASSERT_EQUAL(ouro_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, 0);
    ouro_timeout_begin(&limit, OURO_SECOND);
    CU_ASSERT_EQUAL(ouro_recv(fds[0], buf, 1, 0), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_now(), OURO_SECOND);
    close_pair(fds);
    return 0;
}

static void test_failed_enter_loses_nothing(void)
{
    static const int codes[] = {-EINTR, -EBUSY, -EAGAIN, -ENOMEM};
    struct fault fault;

    for (fault.nth = 1; fault.nth <= 20; fault.nth++) {
        for (size_t i = 0; i < COUNT_OF(codes); i++) {
            fault.code = codes[i];
            CU_ASSERT_EQUAL(run_with(test_sim_ring(), 1, work_with_fault, &fault), 0);
            CU_ASSERT_EQUAL(run_with(test_sim_ring(), 8, work_with_fault, &fault), 0);
        }
    }
}

/* Operations that lie on stacks can't be called back: there is no way out. */
static int meet_unknown_fault(void *arg)
{
    (void) arg;
    ouro__ring_sim_fail_enter(&ouro__dispatcher->ring, 1, -EFAULT);
    return ouro_sleep(OURO_SECOND);
}

static void test_enter_that_fails_for_good_ends_the_process(void)
{
    CU_ASSERT(is_checked(meet_unknown_fault, "ouro: "));
}

/* --- operations of the caller's own -------------------------------------------------------- */

static void prepare_nop(struct io_uring_sqe *sqe, void *arg)
{
    io_uring_prep_nop(sqe);
    sqe->user_data = 12345; /* it is not ours to set, and harmless */
    ++*(int *) arg;
}

static void prepare_unknown(struct io_uring_sqe *sqe, void *arg)
{
    (void) arg;
    memset(sqe, 0, sizeof(*sqe));
    sqe->opcode = 255;
}

static int submit_own(void *arg)
{
    struct ouro_timeout limit;
    uint32_t flags = 4711;
    int prepared = 0, fds[2];

    (void) arg;
    CU_ASSERT_EQUAL(ouro_submit_sqe(prepare_nop, &prepared, &flags), 0);
    CU_ASSERT_EQUAL(prepared, 1);
    CU_ASSERT_EQUAL(flags, 0);
    CU_ASSERT_EQUAL(ouro_submit_sqe(prepare_nop, &prepared, NULL), 0);

    flags = 4711;
    CU_ASSERT_EQUAL(ouro_submit_sqe(prepare_unknown, NULL, &flags), -EINVAL);
    make_pair(fds);
    ouro_timeout_begin(&limit, OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_submit_sqe(prepare_poll, &fds[0], &flags), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_submit_sqe(prepare_nop, &prepared, &flags), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(flags, 4711); /* outputs are written on success only */
    CU_ASSERT_EQUAL(prepared, 2);
    close_pair(fds);
    return 0;
}

static void test_any_sqe_can_be_submitted(void)
{
    run_on_each_ring(submit_own, NULL);
}

/* --- sources ------------------------------------------------------------------------------- */

struct counter {
    struct source source;
    int fd;
    int completed;
    int32_t result;
};

static void prepare_source(struct source *source, struct io_uring_sqe *sqe)
{
    io_uring_prep_poll_add(sqe, container_of(source, struct counter, source)->fd, POLLIN);
}

static void count_completion(struct source *source, int32_t result, uint32_t cqe_flags)
{
    struct counter *counter = container_of(source, struct counter, source);

    (void) cqe_flags;
    CU_ASSERT_EQUAL(source->state, OP_DONE); /* that is: its memory is free */
    counter->completed++;
    counter->result = result;
}

static const struct source_ops counter_ops = {.complete = count_completion,
                                              .prepare = prepare_source};

static void init_counter(struct counter *counter, int fd)
{
    *counter = (struct counter) {.source = {.ops = &counter_ops}, .fd = fd};
}

static int use_sources(void *arg)
{
    struct dispatcher *dispatcher = ouro__dispatcher;
    struct counter counters[3];
    int fds[2];

    (void) arg;
    make_pair(fds);
    for (int i = 0; i < 3; i++) {
        init_counter(&counters[i], fds[0]);
        ouro__source_submit(dispatcher, &counters[i].source);
    }
    CU_ASSERT_EQUAL(counters[0].source.state, OP_SUBMITTED);
    CU_ASSERT_EQUAL(counters[1].source.state, OP_STAGED); /* the queue has one entry */
    CU_ASSERT_EQUAL(counters[2].source.state, OP_STAGED);
    ouro__source_cancel(dispatcher, &counters[2].source);
    ouro__source_cancel(dispatcher, &counters[2].source);
    CU_ASSERT_EQUAL(counters[2].source.state, OP_DONE); /* at once: the ring never saw it */
    while (counters[1].source.state == OP_STAGED)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    ouro__source_cancel(dispatcher, &counters[0].source);
    ouro__source_cancel(dispatcher, &counters[0].source);
    CU_ASSERT_EQUAL(counters[0].source.state, OP_CANCELLING);
    CU_ASSERT_EQUAL(ouro_send(fds[1], "x", 1, 0), 1);
    while (counters[0].source.state != OP_DONE || counters[1].source.state != OP_DONE)
        CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    CU_ASSERT_EQUAL(counters[0].completed, 1);
    CU_ASSERT(counters[0].result == -ECANCELED || counters[0].result == POLLIN);
    CU_ASSERT_EQUAL(counters[1].completed, 1);
    CU_ASSERT_EQUAL(counters[1].result, POLLIN);
    CU_ASSERT_EQUAL(counters[2].completed, 0);
    close_pair(fds);
    return 0;
}

static void test_sources_complete_once_also_when_cancelled(void)
{
    for (int seed = 0; seed < 20; seed++)
        CU_ASSERT_EQUAL(run_with(test_sim_ring(), 1, use_sources, NULL), 0);
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 1, use_sources, NULL), 0);
}

/* --- what only the kernel can do ----------------------------------------------------------- */

static int poll_eventfd(void *arg)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    ouro_task_id id = ouro_spawn(poll_fd, &fd);
    uint64_t one = 1;
    int events = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(write(fd, &one, sizeof(one)), (ssize_t) sizeof(one));
    CU_ASSERT_EQUAL(ouro_join(id, &events), 0);
    CU_ASSERT_EQUAL(events, POLLIN);
    CU_ASSERT_EQUAL(ouro_poll(fd, POLLIN | POLLOUT), POLLIN | POLLOUT);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_poll(fd, POLLIN), -EBADF);
    return 0;
}

static void test_poll_waits_for_a_foreign_fd(void)
{
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, poll_eventfd, NULL), 0);
}

static int poll_foreign(void *arg)
{
    int fd = eventfd(0, EFD_CLOEXEC);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_poll(fd, POLLIN), -ENOSYS);
    CU_ASSERT_EQUAL(close(fd), 0);
    return 0;
}

static void test_foreign_fd_on_the_simulated_ring_is_not_implemented(void)
{
    CU_ASSERT_EQUAL(run_sim(poll_foreign, NULL), 0);
}

static int connect_to_nobody(void *arg)
{
    struct ouro_address address;
    int fd, listener = listen_privately(&address);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_close(listener), 0);
    fd = ouro_socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(ouro_connect(fd, &address.sockaddr, address.len), -ECONNREFUSED);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return 0;
}

static void test_operations_report_their_own_errors(void)
{
    run_on_each_ring(connect_to_nobody, NULL);
}

/* --- names --------------------------------------------------------------------------------- */

static void test_every_operation_has_a_name(void)
{
    for (int kind = OP_ACCEPT; kind <= OP_USER; kind++)
        for (int other = OP_ACCEPT; other < kind; other++)
            CU_ASSERT_STRING_NOT_EQUAL(ouro__op_name((enum op_kind) kind),
                                       ouro__op_name((enum op_kind) other));
    CU_ASSERT_STRING_EQUAL(ouro__op_name(OP_ACCEPT), "accept");
    CU_ASSERT_STRING_EQUAL(ouro__op_name(OP_USER), "submit_sqe");
}

const struct test op_tests[] = {TEST(test_interruption_races_every_call_on_the_simulated_ring),
                                TEST(test_interruption_races_every_call_on_the_kernels_ring),
                                TEST(test_error_that_raced_an_interruption_is_not_lost),
                                TEST(test_open_that_a_signal_ends_is_an_interrupted_one),
                                TEST(test_cancelled_send_all_says_how_much_went_out),
                                TEST(test_timed_out_recv_exact_says_how_much_arrived),
                                TEST(test_cancelling_a_staged_operation_needs_no_sqe),
                                TEST(test_operations_wait_for_room_in_the_queue),
                                TEST(test_ten_thousand_interruptions_at_once_pass_a_queue_of_eight),
                                TEST(test_five_thousand_polls_are_interrupted_on_the_kernels_ring),
                                TEST(test_failed_enter_loses_nothing),
                                TEST(test_enter_that_fails_for_good_ends_the_process),
                                TEST(test_any_sqe_can_be_submitted),
                                TEST(test_sources_complete_once_also_when_cancelled),
                                TEST(test_poll_waits_for_a_foreign_fd),
                                TEST(test_foreign_fd_on_the_simulated_ring_is_not_implemented),
                                TEST(test_operations_report_their_own_errors),
                                TEST(test_every_operation_has_a_name),
                                TEST_END};
