/* SPDX-License-Identifier: MIT */
/*
 * cancel_rows.c - the table of cancel_test.c: a row for each call that waits
 *
 * A row knows how to set a scene up, what the victim calls, how a helper lets that succeed, and
 * how to see in the end that nothing was lost, whichever of the two came first. Rows of one
 * kind share these parts: bytes that arrive, bytes that go out, a lock that somebody holds.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cancel_rows.h"
#include "dispatcher.h"
#include "loop.h"
#include "ouro_channel.h"
#include "ouro_dns.h"
#include "ouro_future.h"
#include "ouro_shard.h"
#include "ouro_uring.h"
#include "self_signed.h"

#define NARROW 4096 /* what a socket is to hold; the kernel's holds a little more */

static const char ten[] = "0123456789";

static void do_nothing(struct scene *scene)
{
    (void) scene;
}

static size_t bytes_of(const struct scene *scene)
{
    return scene->result > 0 ? (size_t) scene->result : 0;
}

static void open_pair(struct scene *scene)
{
    make_pair(scene->fds);
}

/* What the first one sends soon finds no room. */
static void open_narrow_pair(struct scene *scene)
{
    int size = NARROW;

    scene->listener = listen_locally(&scene->address);
    CU_ASSERT_EQUAL(ouro_setsockopt(scene->listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)),
                    0);
    scene->fds[0] = ouro_socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(ouro_setsockopt(scene->fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    CU_ASSERT_EQUAL(ouro_connect(scene->fds[0], &scene->address.sockaddr, scene->address.len), 0);
    scene->fds[1] = ouro_accept(scene->listener, NULL);
    CU_ASSERT(scene->fds[1] >= 0);
    CU_ASSERT_EQUAL(ouro_close(scene->listener), 0);
}

static void open_full_pair(struct scene *scene)
{
    static const char zeros[NARROW];
    int refusals = 0;

    open_narrow_pair(scene);
    while (refusals < 3) { /* what was on its way may make room once more */
        ssize_t sent = ouro_send(scene->fds[0], zeros, sizeof(zeros), MSG_DONTWAIT);

        if (sent > 0)
            scene->fill += (size_t) sent;
        else
            refusals++;
        CU_ASSERT(sent > 0 || sent == -EAGAIN);
    }
}

static void close_fds(struct scene *scene)
{
    for (int i = 0; i < 2; i++)
        if (scene->fds[i] >= 0)
            CU_ASSERT_EQUAL(ouro_close(scene->fds[i]), 0);
}

/* --- bytes that arrive -------------------------------------------------------------------------- */

/* Ten of them, in five pieces. */
static void send_pieces(struct scene *scene)
{
    for (; scene->sent < 10; scene->sent += 2) {
        CU_ASSERT_EQUAL(ouro_send_all(scene->fds[1], ten + scene->sent, 2, NULL), 0);
        if (ouro_yield())
            break;
    }
}

/* The victim has the first `got` of them; the rest is still to be had. */
static void check_arrived(struct scene *scene, size_t got)
{
    char rest[16] = "";

    CU_ASSERT(got <= scene->sent && !memcmp(scene->got, ten, got));
    if (got > scene->sent)
        return;
    CU_ASSERT_EQUAL(ouro_recv_exact(scene->fds[0], rest, scene->sent - got, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(rest, ten + got, scene->sent - got), 0);
    CU_ASSERT_EQUAL(ouro_send_all(scene->fds[1], "bye", 3, NULL), 0);
    CU_ASSERT_EQUAL(ouro_recv_exact(scene->fds[0], rest, 3, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(rest, "bye", 3), 0);
    close_fds(scene);
}

static void check_result_arrived(struct scene *scene)
{
    check_arrived(scene, bytes_of(scene));
}

static void check_moved_arrived(struct scene *scene)
{
    CU_ASSERT(scene->result < 0 || scene->moved == 10);
    check_arrived(scene, scene->moved);
}

static void check_nothing_taken(struct scene *scene)
{
    check_arrived(scene, 0);
}

static int64_t call_recv(struct scene *scene)
{
    return ouro_recv(scene->fds[0], scene->buf, SCENE_BYTES, 0);
}

static int64_t call_recv_exact(struct scene *scene)
{
    return ouro_recv_exact(scene->fds[0], scene->buf, 10, &scene->moved);
}

static int64_t call_poll(struct scene *scene)
{
    return ouro_poll(scene->fds[0], POLLIN);
}

static void prepare_poll(struct io_uring_sqe *sqe, void *arg)
{
    io_uring_prep_poll_add(sqe, *(int *) arg, POLLIN);
}

static int64_t call_submit_sqe(struct scene *scene)
{
    return ouro_submit_sqe(prepare_poll, &scene->fds[0], NULL);
}

/* --- bytes that go out -------------------------------------------------------------------------- */

static char data_byte(size_t offset)
{
    return (char) (offset * 31 + offset / 251);
}

void scene_fill_data(struct scene *scene)
{
    static char data[DATA_BYTES];

    if (!data[1])
        for (size_t i = 0; i < DATA_BYTES; i++)
            data[i] = data_byte(i);
    memcpy(scene->data, data, DATA_BYTES);
}

/* Everything to the end: first what was there before, then the data. */
static void hear(struct scene *scene)
{
    char buf[NARROW];
    ssize_t got;

    while ((got = ouro_recv(scene->fds[1], buf, sizeof(buf), 0)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (scene->fill > 0)
                scene->fill--;
            else
                scene->is_garbled |= buf[i] != data_byte(scene->heard++);
        }
    }
    CU_ASSERT(got == 0 || got == -ECANCELED);
}

static void hear_the_rest(struct scene *scene)
{
    if (!scene->was_helped)
        hear(scene);
    CU_ASSERT(!scene->is_garbled);
    CU_ASSERT_EQUAL(scene->fill, 0);
}

static void end_output(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_shutdown(scene->fds[0], SHUT_WR), 0);
}

static void check_result_heard(struct scene *scene)
{
    hear_the_rest(scene);
    CU_ASSERT_EQUAL(scene->heard, bytes_of(scene));
    close_fds(scene);
}

static void check_moved_heard(struct scene *scene)
{
    hear_the_rest(scene);
    CU_ASSERT_EQUAL(scene->heard, scene->moved);
    CU_ASSERT(scene->result < 0 || scene->moved == DATA_BYTES);
    close_fds(scene);
}

static int64_t call_send(struct scene *scene)
{
    return ouro_send(scene->fds[0], scene->data, 100, 0);
}

static int64_t call_send_all(struct scene *scene)
{
    return ouro_send_all(scene->fds[0], scene->data, DATA_BYTES, &scene->moved);
}

/* --- sockets ------------------------------------------------------------------------------------- */

static void open_listener(struct scene *scene)
{
    scene->listener = listen_locally(&scene->address);
    scene->fds[1] = ouro_socket(AF_INET, SOCK_STREAM, 0);
}

static int64_t call_accept(struct scene *scene)
{
    return ouro_accept(scene->listener, NULL);
}

static struct ouro_acceptor acceptor;

static void open_acceptor(struct scene *scene)
{
    open_listener(scene);
    CU_ASSERT_EQUAL(ouro_acceptor_init(&acceptor, scene->listener), 0);
}

static int64_t call_acceptor_next(struct scene *scene)
{
    (void) scene;
    return ouro_acceptor_next(&acceptor);
}

static int64_t call_acceptor_done(struct scene *scene)
{
    (void) scene;
    ouro_acceptor_done(&acceptor);
    return 0;
}

static void connect_peer(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_connect(scene->fds[1], &scene->address.sockaddr, scene->address.len), 0);
}

/* Either the victim has the connection or it waits for the next accept. */
static void check_accept(struct scene *scene)
{
    char byte = 0;

    if (!scene->was_helped)
        connect_peer(scene);
    scene->fds[0] = (int) scene->result;
    if (scene->result < 0)
        scene->fds[0] = ouro_accept(scene->listener, NULL);
    CU_ASSERT_EQUAL(ouro_send(scene->fds[1], "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_recv(scene->fds[0], &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(byte, 'x');
    close_fds(scene);
    CU_ASSERT_EQUAL(ouro_close(scene->listener), 0);
}

/* Either the victim has the connection or it waits for the next call. */
static void check_acceptor(struct scene *scene)
{
    char byte = 0;

    if (!scene->was_helped)
        connect_peer(scene);
    scene->fds[0] = (int) scene->result;
    if (scene->result < 0)
        scene->fds[0] = ouro_acceptor_next(&acceptor);
    CU_ASSERT_EQUAL(ouro_send(scene->fds[1], "x", 1, 0), 1);
    CU_ASSERT_EQUAL(ouro_recv(scene->fds[0], &byte, 1, 0), 1);
    CU_ASSERT_EQUAL(byte, 'x');
    ouro_acceptor_done(&acceptor);
    close_fds(scene);
    CU_ASSERT_EQUAL(ouro_close(scene->listener), 0);
}

static void open_busy_acceptor(struct scene *scene)
{
    open_acceptor(scene);
    connect_peer(scene);
    scene->fds[0] = ouro_acceptor_next(&acceptor);
}

static void close_accepted(struct scene *scene)
{
    close_fds(scene);
    CU_ASSERT_EQUAL(ouro_close(scene->listener), 0);
}

static int64_t call_connect(struct scene *scene)
{
    return ouro_connect(scene->fds[1], &scene->address.sockaddr, scene->address.len);
}

/* A connect that succeeded has made a connection; another may have. */
static void check_connect(struct scene *scene)
{
    if (scene->result == 0)
        scene->fds[0] = ouro_accept(scene->listener, NULL);
    CU_ASSERT(scene->result < 0 || scene->fds[0] >= 0);
    close_fds(scene);
    CU_ASSERT_EQUAL(ouro_close(scene->listener), 0);
}

static int64_t call_listen(struct scene *scene)
{
    (void) ouro_address_parse("127.0.0.1", 0, &scene->address);
    return ouro_listen(&scene->address, 0);
}

static int64_t call_listen_shared(struct scene *scene)
{
    (void) ouro_address_parse("127.0.0.1", 0, &scene->address);
    return ouro_listen_shared(&scene->address, 0);
}

static void check_listen(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_close((int) scene->result), 0);
}

static int64_t call_close(struct scene *scene)
{
    return ouro_close(scene->fds[0]);
}

static void check_peer_gone(struct scene *scene)
{
    char byte;

    scene->fds[0] = -1;
    CU_ASSERT_EQUAL(ouro_recv(scene->fds[1], &byte, 1, 0), 0);
    close_fds(scene);
}

/* --- tasks ---------------------------------------------------------------------------------------- */

static int await_first_event(void *arg)
{
    struct scene *scene = arg;
    int code = ouro_event_wait(&scene->events[0]);

    return code ? code : 7;
}

static int await_second_event(void *arg)
{
    struct scene *scene = arg;
    int code = ouro_event_wait(&scene->events[1]);

    return code ? code : 8;
}

static void spawn_two(struct scene *scene)
{
    scene->ids[0] = ouro_spawn(await_first_event, scene);
    scene->ids[1] = ouro_spawn(await_second_event, scene);
}

static void set_first_event(struct scene *scene)
{
    ouro_event_set(&scene->events[0]);
}

static void set_both_events(struct scene *scene)
{
    ouro_event_set(&scene->events[1]);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    ouro_event_set(&scene->events[0]);
}

static int64_t call_join(struct scene *scene)
{
    return ouro_join(scene->ids[0], &scene->value);
}

static void check_second_task(struct scene *scene)
{
    ouro_event_set(&scene->events[1]);
    CU_ASSERT_EQUAL(ouro_join(scene->ids[1], &scene->value), 0);
    CU_ASSERT_EQUAL(scene->value, 8);
}

static void check_join(struct scene *scene)
{
    ouro_event_set(&scene->events[0]);
    if (scene->result)
        CU_ASSERT_EQUAL(ouro_join(scene->ids[0], &scene->value), 0);
    CU_ASSERT_EQUAL(scene->value, 7);
    check_second_task(scene);
}

static int end_slowly(void *arg)
{
    struct scene *scene = arg;
    struct ouro_shield shield;

    ouro_shield_begin(&shield, OURO_FOREVER);
    CU_ASSERT_EQUAL(ouro_event_wait(&scene->events[0]), 0);
    ouro_shield_end(&shield);
    return 7;
}

static void spawn_slow(struct scene *scene)
{
    scene->ids[0] = ouro_spawn(end_slowly, scene);
}

static int64_t call_cancel_join(struct scene *scene)
{
    return ouro_cancel_join(scene->ids[0], &scene->value);
}

static void check_cancel_join(struct scene *scene)
{
    CU_ASSERT_EQUAL(scene->value, 7);
}

static int64_t call_group_wait(struct scene *scene)
{
    struct ouro_group group;
    int code;

    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, end_slowly, scene), 0);
    code = ouro_group_wait(&group);
    CU_ASSERT(ouro_event_is_set(&scene->events[0])); /* no member outlives the wait */
    return code == 7 ? 0 : code;
}

static int64_t call_wait_any(struct scene *scene)
{
    return ouro_wait_any(scene->ids, 2, &scene->moved);
}

static void check_wait_any(struct scene *scene)
{
    CU_ASSERT_EQUAL(scene->moved, 0);
    ouro_event_set(&scene->events[0]);
    CU_ASSERT_EQUAL(ouro_join(scene->ids[0], NULL), 0);
    check_second_task(scene);
}

static int64_t call_wait_all(struct scene *scene)
{
    return ouro_wait_all(scene->ids, 2);
}

static int64_t call_yield(struct scene *scene)
{
    (void) scene;
    return ouro_yield();
}

static void pass_time(int64_t span_ns)
{
    int64_t end = ouro_now() + span_ns;

    if (ouro__dispatcher->ring.simulated)
        ouro__ring_sim_pass_time(&ouro__dispatcher->ring, span_ns);
    while (ouro_now() < end)
        ;
}

static int64_t call_checkpoint(struct scene *scene)
{
    int code = ouro_checkpoint();

    (void) scene;
    if (code)
        return code;
    pass_time(2 * TASK_SLICE);
    return ouro_checkpoint();
}

static int64_t call_sleep(struct scene *scene)
{
    (void) scene;
    return ouro_sleep(OURO_MILLISECOND);
}

static int64_t call_sleep_until(struct scene *scene)
{
    (void) scene;
    return ouro_sleep_until(ouro_now() + OURO_MILLISECOND);
}

static void let_time_pass(struct scene *scene)
{
    (void) scene;
    pass_time(2 * OURO_MILLISECOND);
}

/* --- sync objects ------------------------------------------------------------------------------- */

static int hold_mutex(void *arg)
{
    struct scene *scene = arg;

    CU_ASSERT_EQUAL(ouro_mutex_lock(&scene->mutex), 0);
    CU_ASSERT_EQUAL(ouro_event_wait(&scene->events[0]), 0);
    ouro_mutex_unlock(&scene->mutex);
    return 0;
}

static void spawn_holder(struct scene *scene)
{
    scene->ids[0] = ouro_spawn(hold_mutex, scene);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
}

static int64_t call_mutex_lock(struct scene *scene)
{
    return ouro_mutex_lock(&scene->mutex);
}

static void unlock_if_locked(struct scene *scene)
{
    if (scene->result == 0)
        ouro_mutex_unlock(&scene->mutex);
}

static void check_mutex(struct scene *scene)
{
    set_first_event(scene);
    CU_ASSERT_EQUAL(ouro_join(scene->ids[0], NULL), 0);
    CU_ASSERT_EQUAL(ouro_mutex_trylock(&scene->mutex), 0);
    ouro_mutex_unlock(&scene->mutex);
}

static int64_t call_semaphore_acquire(struct scene *scene)
{
    return ouro_semaphore_acquire(&scene->semaphore);
}

static void release_permit(struct scene *scene)
{
    ouro_semaphore_release(&scene->semaphore, 1);
}

static void check_semaphore(struct scene *scene)
{
    bool is_there = scene->was_helped && scene->result < 0;

    CU_ASSERT_EQUAL(ouro_semaphore_try_acquire(&scene->semaphore), is_there ? 0 : -EBUSY);
    CU_ASSERT_EQUAL(ouro_semaphore_try_acquire(&scene->semaphore), -EBUSY);
}

static int64_t call_event_wait(struct scene *scene)
{
    return ouro_event_wait(&scene->events[0]);
}

static void check_event(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_event_is_set(&scene->events[0]), scene->was_helped);
    CU_ASSERT_PTR_NULL(scene->events[0].waiters);
}

static int64_t call_cond_wait(struct scene *scene)
{
    int code = ouro_mutex_lock(&scene->mutex);

    if (code)
        return code;
    code = ouro_cond_wait(&scene->cond, &scene->mutex);
    CU_ASSERT_EQUAL(scene->mutex.owner, ouro_self());
    ouro_mutex_unlock(&scene->mutex);
    return code;
}

/*
 * A signal is for who waits: it comes when the victim does, or never will. Holds the mutex for a
 * while after that, so that the victim waits once more.
 */
static void signal_cond(struct scene *scene)
{
    for (int i = 0; i < 10 && !scene->cond.waiters; i++)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_mutex_lock(&scene->mutex), 0);
    ouro_cond_signal(&scene->cond);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    ouro_mutex_unlock(&scene->mutex);
}

static void check_cond(struct scene *scene)
{
    CU_ASSERT_PTR_NULL(scene->cond.waiters);
    CU_ASSERT_EQUAL(ouro_mutex_trylock(&scene->mutex), 0);
    ouro_mutex_unlock(&scene->mutex);
}

static int hold_rwlock(void *arg)
{
    struct scene *scene = arg;

    CU_ASSERT_EQUAL(ouro_rwlock_wrlock(&scene->rwlock), 0);
    CU_ASSERT_EQUAL(ouro_event_wait(&scene->events[0]), 0);
    ouro_rwlock_unlock(&scene->rwlock);
    return 0;
}

static void spawn_writer(struct scene *scene)
{
    scene->ids[0] = ouro_spawn(hold_rwlock, scene);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
}

static int64_t call_rdlock(struct scene *scene)
{
    return ouro_rwlock_rdlock(&scene->rwlock);
}

static int64_t call_wrlock(struct scene *scene)
{
    return ouro_rwlock_wrlock(&scene->rwlock);
}

static void unlock_rwlock_if_locked(struct scene *scene)
{
    if (scene->result == 0)
        ouro_rwlock_unlock(&scene->rwlock);
}

static void check_rwlock(struct scene *scene)
{
    set_first_event(scene);
    CU_ASSERT_EQUAL(ouro_join(scene->ids[0], NULL), 0);
    CU_ASSERT_EQUAL(ouro_rwlock_trywrlock(&scene->rwlock), 0);
    ouro_rwlock_unlock(&scene->rwlock);
}

/* --- channels, futures, mailboxes ------------------------------------------------------------- */

/* An empty channel and a full one, with one place each. */
static void open_channels(struct scene *scene)
{
    int one = 1;

    for (int i = 0; i < 2; i++)
        ouro_channel_init(&scene->channels[i], &scene->items[i], sizeof(int), 1);
    CU_ASSERT_EQUAL(ouro_channel_try_send(&scene->channels[1], &one), 0);
}

static void open_rendezvous(struct scene *scene)
{
    for (int i = 0; i < 2; i++)
        ouro_channel_init(&scene->channels[i], NULL, sizeof(int), 0);
}

static int64_t call_channel_receive(struct scene *scene)
{
    return ouro_channel_receive(&scene->channels[0], &scene->value);
}

static void send_five(struct scene *scene)
{
    int five = 5;

    scene->sent = ouro_channel_send(&scene->channels[0], &five) == 0;
}

/* The victim has it, or it is still in the channel, or it was not sent. */
static void check_five(struct scene *scene)
{
    int item = 0;

    if (scene->result < 0)
        CU_ASSERT_EQUAL(ouro_channel_try_receive(&scene->channels[0], &item),
                        scene->sent ? 0 : -EAGAIN);
    CU_ASSERT_EQUAL(scene->value + item, scene->sent ? 5 : 0);
    CU_ASSERT_EQUAL(ouro_channel_count(&scene->channels[0]), 0);
    ouro_channel_done(&scene->channels[0]);
}

static void check_rendezvous_receive(struct scene *scene)
{
    CU_ASSERT_EQUAL(scene->sent, scene->result == 0);
    CU_ASSERT_EQUAL(scene->value, scene->sent ? 5 : 0);
    ouro_channel_done(&scene->channels[0]);
}

static int64_t call_channel_send(struct scene *scene)
{
    int two = 2;

    return ouro_channel_send(&scene->channels[1], &two);
}

static void receive_one(struct scene *scene)
{
    int item = 0;

    if (!ouro_channel_receive(&scene->channels[1], &item))
        scene->items[0] += item;
}

/* One was in it; the victim's two is, or was, there too if the call says so. */
static void check_full_channel(struct scene *scene)
{
    int item, sum = scene->items[0];

    while (!ouro_channel_try_receive(&scene->channels[1], &item))
        sum += item;
    CU_ASSERT_EQUAL(sum, scene->result < 0 ? 1 : 3);
    ouro_channel_done(&scene->channels[1]);
}

static void check_rendezvous_send(struct scene *scene)
{
    CU_ASSERT_EQUAL(scene->items[0], scene->result < 0 ? 0 : 2);
    ouro_channel_done(&scene->channels[1]);
}

static int64_t call_select(struct scene *scene)
{
    int two = 2;
    struct ouro_select_case cases[] = {
        {.channel = &scene->channels[0], .operation = OURO_SELECT_RECEIVE, .item = &scene->value},
        {.channel = &scene->channels[1], .operation = OURO_SELECT_SEND, .item = &two},
    };
    int index = ouro_select(cases, 2, 0);

    scene->moved = index == 1;
    return index;
}

static void check_select(struct scene *scene)
{
    int item = 0;

    if (scene->was_helped && scene->result < 0)
        CU_ASSERT_EQUAL(ouro_channel_try_receive(&scene->channels[0], &item), 0);
    CU_ASSERT_EQUAL(scene->value + item, scene->was_helped ? 5 : 0);
    CU_ASSERT_EQUAL(ouro_channel_count(&scene->channels[0]), 0);
    CU_ASSERT_EQUAL(ouro_channel_try_receive(&scene->channels[1], &item), 0);
    CU_ASSERT_EQUAL(item, 1);
    CU_ASSERT_EQUAL(ouro_channel_count(&scene->channels[1]), 0);
    ouro_channel_done(&scene->channels[0]);
    ouro_channel_done(&scene->channels[1]);
}

static void check_select_send(struct scene *scene)
{
    int item, sum = scene->value;

    while (!ouro_channel_try_receive(&scene->channels[1], &item))
        sum += item;
    CU_ASSERT_EQUAL(sum, (scene->was_helped ? 0 : 1) + (scene->result < 0 ? 0 : 2));
    ouro_channel_done(&scene->channels[0]);
    ouro_channel_done(&scene->channels[1]);
}

static void take_one(struct scene *scene)
{
    int item = 0;

    CU_ASSERT_EQUAL(ouro_channel_try_receive(&scene->channels[1], &item), 0);
    CU_ASSERT_EQUAL(item, 1);
}

static int64_t call_future_wait(struct scene *scene)
{
    void *value = NULL;
    int code = ouro_future_wait(&scene->future, &value);

    CU_ASSERT_PTR_EQUAL(value, code ? NULL : scene);
    return code;
}

static void set_future(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_future_set(&scene->future, scene), 0);
}

static void check_future(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_future_is_done(&scene->future), scene->was_helped);
    CU_ASSERT_PTR_NULL(scene->future.waiters);
}

static void open_mailbox(struct scene *scene)
{
    ouro_mailbox_init(&scene->mailbox);
}

static int64_t call_mailbox_receive(struct scene *scene)
{
    return ouro_mailbox_receive(&scene->mailbox, &scene->received);
}

static void send_message(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_mailbox_send(&scene->mailbox, &scene->message), 0);
}

static void check_mailbox(struct scene *scene)
{
    if (scene->was_helped && scene->result < 0)
        CU_ASSERT_EQUAL(ouro_mailbox_receive(&scene->mailbox, &scene->received), 0);
    CU_ASSERT_PTR_EQUAL(scene->received, scene->was_helped ? &scene->message : NULL);
    ouro_mailbox_done(&scene->mailbox);
}

/* --- streams ------------------------------------------------------------------------------------- */

static void make_stream(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_stream_socket_take(scene->fds[0], &scene->stream), 0);
    scene->fds[0] = -1;
}

static void open_stream(struct scene *scene)
{
    open_pair(scene);
    make_stream(scene);
}

static void open_narrow_stream(struct scene *scene)
{
    open_narrow_pair(scene);
    make_stream(scene);
}

static void open_full_stream(struct scene *scene)
{
    open_full_pair(scene);
    make_stream(scene);
}

static void close_stream(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_stream_close(scene->stream), 0);
}

static int64_t call_stream_read(struct scene *scene)
{
    return ouro_stream_read(scene->stream, scene->buf, SCENE_BYTES);
}

static int64_t call_stream_read_exact(struct scene *scene)
{
    return ouro_stream_read_exact(scene->stream, scene->buf, 10, &scene->moved);
}

static int64_t call_stream_read_until(struct scene *scene)
{
    const char *data;
    ssize_t len = ouro_stream_read_until(scene->stream, "7", 1, SCENE_BYTES, &data);

    CU_ASSERT(len < 0 || len == 8);
    if (len > 0)
        memcpy(scene->buf, data, (size_t) len);
    return len;
}

static int64_t call_stream_peek(struct scene *scene)
{
    const char *data;
    ssize_t len = ouro_stream_peek(scene->stream, 10, &data);

    CU_ASSERT(len < 0 || (len == 10 && !memcmp(data, ten, 10)));
    return len;
}

/* As check_arrived(), by way of the stream, that may have read ahead. */
static void check_stream(struct scene *scene, size_t got)
{
    char rest[16] = "";

    CU_ASSERT(got <= scene->sent && !memcmp(scene->got, ten, got));
    if (got <= scene->sent)
        CU_ASSERT_EQUAL(ouro_stream_read_exact(scene->stream, rest, scene->sent - got, NULL), 0);
    if (got <= scene->sent)
        CU_ASSERT_EQUAL(memcmp(rest, ten + got, scene->sent - got), 0);
    CU_ASSERT_EQUAL(ouro_send_all(scene->fds[1], "bye", 3, NULL), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(scene->stream, rest, 3, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(rest, "bye", 3), 0);
    close_stream(scene);
    close_fds(scene);
}

static void check_stream_read(struct scene *scene)
{
    check_stream(scene, bytes_of(scene));
}

static void check_stream_read_exact(struct scene *scene)
{
    CU_ASSERT(scene->result < 0 || scene->moved == 10);
    check_stream(scene, scene->moved);
}

static void check_stream_peek(struct scene *scene)
{
    check_stream(scene, 0);
}

/* Ends in the buffer what it does not send; the next flush is for the other row. */
static int64_t call_stream_write(struct scene *scene)
{
    int code = ouro_stream_write(scene->stream, scene->data, DATA_BYTES / 2);

    return code ? code
                : ouro_stream_write(scene->stream, scene->data + DATA_BYTES / 2, DATA_BYTES / 2);
}

static int64_t call_stream_flush(struct scene *scene)
{
    int code = ouro_stream_write(scene->stream, scene->data, 100);

    return code ? code : ouro_stream_flush(scene->stream);
}

static int64_t call_stream_write_all(struct scene *scene)
{
    return ouro_stream_write_all(scene->stream, scene->data, DATA_BYTES);
}

static int64_t call_stream_shutdown_write(struct scene *scene)
{
    int code = ouro_stream_write(scene->stream, scene->data, 100);

    return code ? code : ouro_stream_shutdown_write(scene->stream);
}

/* What went out is the beginning of the data, and all of it if the call says so. */
static void check_beginning_heard(struct scene *scene, size_t all)
{
    hear_the_rest(scene);
    CU_ASSERT(scene->heard <= all);
    CU_ASSERT(scene->result < 0 || scene->heard == all);
    close_fds(scene);
}

static void check_stream_write(struct scene *scene)
{
    hear_the_rest(scene);
    CU_ASSERT(scene->heard <= DATA_BYTES);
    close_fds(scene);
}

static void check_all_heard(struct scene *scene)
{
    check_beginning_heard(scene, DATA_BYTES);
}

static void check_hundred_heard(struct scene *scene)
{
    check_beginning_heard(scene, 100);
}

static int64_t call_stream_close(struct scene *scene)
{
    return ouro_stream_close(scene->stream);
}

static int64_t call_dial(struct scene *scene)
{
    struct sockaddr_in address;

    memcpy(&address, &scene->address.sockaddr, sizeof(address));
    return ouro_dial("127.0.0.1", ntohs(address.sin_port), NULL, &scene->stream);
}

/* Either there is a connection and the victim had it, or there was one that was ended, or none. */
static void check_dial(struct scene *scene)
{
    close_fds(scene);
    if (scene->result == 0) {
        scene->fds[1] = ouro_accept(scene->listener, NULL);
        check_peer_gone(scene);
    }
    CU_ASSERT_EQUAL(ouro_close(scene->listener), 0);
}

/* A name that /etc/hosts knows needs no waiting. */
static int64_t call_resolve(struct scene *scene)
{
    struct ouro_address *addresses = NULL;
    int code = ouro_resolve("localhost", 80, AF_INET, &addresses, &scene->moved);

    ouro_resolve_free(addresses);
    return code;
}

/* --- streams in memory ------------------------------------------------------------------------------ */

static void open_memory(struct scene *scene)
{
    struct ouro_stream *ends[2] = {NULL, NULL};

    CU_ASSERT_EQUAL(ouro_stream_pair(ends), 0);
    scene->stream = ends[0];
    scene->peer = ends[1];
}

static void open_full_memory(struct scene *scene)
{
    static const char zeros[OURO_STREAM_PAIR_BYTES - 100];

    open_memory(scene);
    scene->fill = sizeof(zeros);
    CU_ASSERT_EQUAL(ouro_stream_write_all(scene->stream, zeros, sizeof(zeros)), 0);
}

static void write_memory(struct scene *scene)
{
    for (; scene->sent < 10; scene->sent += 2) {
        CU_ASSERT_EQUAL(ouro_stream_write_all(scene->peer, ten + scene->sent, 2), 0);
        if (ouro_yield())
            break;
    }
}

static void check_memory(struct scene *scene, size_t got)
{
    char rest[16] = "";

    CU_ASSERT(got <= scene->sent && !memcmp(scene->got, ten, got));
    if (got <= scene->sent)
        CU_ASSERT_EQUAL(ouro_stream_read_exact(scene->stream, rest, scene->sent - got, NULL), 0);
    if (got <= scene->sent)
        CU_ASSERT_EQUAL(memcmp(rest, ten + got, scene->sent - got), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(scene->peer), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(scene->stream, rest, sizeof(rest)), 0);
    close_stream(scene);
}

static void check_memory_read(struct scene *scene)
{
    check_memory(scene, bytes_of(scene));
}

static void check_memory_read_exact(struct scene *scene)
{
    CU_ASSERT(scene->result < 0 || scene->moved == 10);
    check_memory(scene, scene->moved);
}

static void check_memory_peek(struct scene *scene)
{
    check_memory(scene, 0);
}

/* As hear(), after the victim has closed its end or before. */
static void hear_memory(struct scene *scene)
{
    char buf[NARROW];
    ssize_t got;

    while ((got = ouro_stream_read(scene->peer, buf, sizeof(buf))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (scene->fill > 0)
                scene->fill--;
            else
                scene->is_garbled |= buf[i] != data_byte(scene->heard++);
        }
    }
    CU_ASSERT(got == 0 || got == -ECANCELED);
}

/* What had found room is there, whatever came of the call. */
static void check_memory_heard(struct scene *scene)
{
    if (!scene->was_helped)
        hear_memory(scene);
    CU_ASSERT(!scene->is_garbled);
    CU_ASSERT_EQUAL(scene->fill, 0);
    CU_ASSERT(scene->heard <= DATA_BYTES);
    CU_ASSERT(scene->result < 0 || scene->heard == DATA_BYTES);
    CU_ASSERT_EQUAL(ouro_stream_close(scene->peer), 0);
}

static int64_t call_memory_shutdown(struct scene *scene)
{
    return ouro_stream_shutdown_write(scene->stream);
}

/* --- TLS ------------------------------------------------------------------------------------------ */

/* Two streams that are connected. */
static void open_tls(struct scene *scene)
{
    static struct self_signed identity;

    if (!identity.key_pem[0])
        self_signed_make(&identity);
    CU_ASSERT_EQUAL(self_signed_context(&identity, &scene->context), 0);
    open_stream(scene);
    CU_ASSERT_EQUAL(ouro_stream_socket_take(scene->fds[1], &scene->peer), 0);
    scene->fds[1] = -1;
}

static int64_t call_tls_connect(struct scene *scene)
{
    return ouro_tls_connect_take(scene->context, scene->stream, NULL, &scene->stream, NULL);
}

static int64_t call_tls_accept(struct scene *scene)
{
    return ouro_tls_accept_take(scene->context, scene->stream, &scene->stream, NULL);
}

static void accept_tls(struct scene *scene)
{
    int code = ouro_tls_accept_take(scene->context, scene->peer, &scene->peer, NULL);

    CU_ASSERT(code == 0 || code == -ECANCELED || scene->result < 0);
}

static void connect_tls(struct scene *scene)
{
    int code = ouro_tls_connect_take(scene->context, scene->peer, NULL, &scene->peer, NULL);

    CU_ASSERT(code == 0 || code == -ECANCELED || scene->result < 0);
}

static void check_tls(struct scene *scene)
{
    (void) ouro_stream_close(scene->stream);
    (void) ouro_stream_close(scene->peer);
    ouro_tls_context_destroy(scene->context);
}

static int accept_tls_task(void *arg)
{
    accept_tls(arg);
    return 0;
}

static void open_tls_talk(struct scene *scene)
{
    ouro_task_id id;

    open_tls(scene);
    id = ouro_spawn(accept_tls_task, scene);
    CU_ASSERT_EQUAL(call_tls_connect(scene), 0);
    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
}

static void write_tls(struct scene *scene)
{
    for (; scene->sent < 10; scene->sent += 2)
        CU_ASSERT_EQUAL(ouro_stream_write_all(scene->peer, ten + scene->sent, 2), 0);
}

/* An interrupted read has lost nothing. */
static void check_tls_read(struct scene *scene)
{
    size_t got = scene->result == 0 ? 10 : scene->moved;
    char rest[16] = "";

    CU_ASSERT(got <= scene->sent && !memcmp(scene->got, ten, got));
    if (got <= scene->sent)
        CU_ASSERT_EQUAL(ouro_stream_read_exact(scene->stream, rest, scene->sent - got, NULL), 0);
    if (got <= scene->sent)
        CU_ASSERT_EQUAL(memcmp(rest, ten + got, scene->sent - got), 0);
    check_tls(scene);
}

/* --- HTTP ----------------------------------------------------------------------------------------- */

#define RESPONSE "HTTP/1.1 200 OK\r\nX-Name: you\r\nContent-Length: 10\r\n\r\n0123456789"

/* By the peer: waits for the request, then answers in pieces. */
static void answer(struct scene *scene)
{
    static const char response[] = RESPONSE;
    char buf[1024];
    size_t len = 0;
    ssize_t got;

    while (len < 4 || memcmp(buf + len - 4, "\r\n\r\n", 4) != 0) {
        got = ouro_recv(scene->fds[1], buf + len, sizeof(buf) - len, 0);
        if (got <= 0)
            return;
        len += (size_t) got;
    }
    for (size_t i = 0; i < sizeof(response) - 1; i += 16) {
        size_t piece = sizeof(response) - 1 - i;

        if (ouro_send_all(scene->fds[1], response + i, piece < 16 ? piece : 16, NULL) ||
            ouro_yield())
            return;
    }
}

static void accept_and_answer(struct scene *scene)
{
    int fd = ouro_accept(scene->listener, NULL);

    if (fd < 0)
        return;
    (void) ouro_close(scene->fds[1]);
    scene->fds[1] = fd;
    answer(scene);
}

static void close_response(struct scene *scene)
{
    ouro_http_response_close(scene->response);
}

static int64_t call_http_get(struct scene *scene)
{
    struct sockaddr_in address;
    char url[64];

    memcpy(&address, &scene->address.sockaddr, sizeof(address));
    (void) snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", (unsigned) ntohs(address.sin_port));
    return ouro_http_get(url, NULL, &scene->response);
}

static void check_http_get(struct scene *scene)
{
    CU_ASSERT_EQUAL(scene->result == 0, scene->response != NULL);
    close_fds(scene);
    CU_ASSERT_EQUAL(ouro_close(scene->listener), 0);
}

static int64_t call_http_get_over(struct scene *scene)
{
    int code = ouro_http_get_over_take(scene->stream, "http://host/x", NULL, &scene->response);

    if (!code)
        scene->stream = NULL;
    return code;
}

static void check_http(struct scene *scene)
{
    (void) ouro_stream_close(scene->stream);
    close_fds(scene);
}

/* A response that has come as a whole. */
static void open_response(struct scene *scene)
{
    open_stream(scene);
    CU_ASSERT_EQUAL(ouro_send_all(scene->fds[1], RESPONSE, sizeof(RESPONSE) - 1, NULL), 0);
    CU_ASSERT_EQUAL(call_http_get_over(scene), 0);
}

static int64_t call_next_header(struct scene *scene)
{
    const char *name, *value;
    int code = (int) call_http_get_over(scene);

    if (code)
        return code;
    do
        code = ouro_http_response_next_header(scene->response, &name, &value);
    while (code > 0);
    return code;
}

static int64_t call_header(struct scene *scene)
{
    const char *value = "";
    int code = (int) call_http_get_over(scene);

    if (!code)
        code = ouro_http_response_header(scene->response, "x-name", &value);

    CU_ASSERT(code < 0 || (code == 1 && !strcmp(value, "you")));
    return code;
}

static int64_t call_response_read(struct scene *scene)
{
    ssize_t got = call_http_get_over(scene);

    if (got)
        return got;
    do {
        got = ouro_http_response_read(scene->response, scene->buf + scene->moved,
                                      SCENE_BYTES - scene->moved);
        if (got > 0)
            scene->moved += (size_t) got;
    } while (got > 0);
    return got;
}

static int64_t call_response_read_all(struct scene *scene)
{
    const char *body;
    ssize_t got = call_http_get_over(scene);

    if (!got)
        got = ouro_http_response_read_all(scene->response, SCENE_BYTES, &body);
    if (got < 0)
        return got;
    memcpy(scene->buf, body, (size_t) got);
    scene->moved = (size_t) got;
    return 0;
}

static void check_body(struct scene *scene)
{
    CU_ASSERT_EQUAL(memcmp(scene->got, ten, scene->moved), 0);
    CU_ASSERT(scene->result < 0 || scene->moved == 10);
    check_http(scene);
}

static int64_t call_response_close(struct scene *scene)
{
    ouro_http_response_close(scene->response);
    return 0;
}

/* --- an HTTP server -------------------------------------------------------------------------------- */

static struct ouro_http_exchange *exchange; /* of the handler that plays the victim */

static int answer_hello(struct ouro_http_exchange *hello, void *arg)
{
    (void) arg;
    return ouro_http_reply(hello, 200, NULL, ten, 10);
}

static int answer_much(struct ouro_http_exchange *much, void *arg)
{
    struct scene *scene = arg;

    return ouro_http_reply(much, 200, NULL, scene->data, DATA_BYTES);
}

/* The connection's task becomes the victim. Also as middleware. */
static int perform_in_handler(struct ouro_http_exchange *present, void *arg)
{
    struct scene *scene = arg;

    exchange = present;
    scene_watch(scene, ouro_self());
    return scene_perform(scene);
}

static void open_server_with(struct scene *scene, ouro_http_handler_fn *handler)
{
    int size = NARROW;

    open_listener(scene);
    CU_ASSERT_EQUAL(ouro_http_app_create(&scene->app), 0);
    CU_ASSERT_EQUAL(ouro_http_route(scene->app, "GET", "/", answer_hello, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route(scene->app, "POST", "/", handler, scene), 0);
    CU_ASSERT_EQUAL(ouro_setsockopt(scene->listener, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)),
                    0);
    CU_ASSERT_EQUAL(ouro_setsockopt(scene->fds[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
}

static void open_server(struct scene *scene)
{
    open_server_with(scene, perform_in_handler);
}

static void open_parts(struct scene *scene)
{
    open_server(scene);
    CU_ASSERT_EQUAL(ouro_http_route(scene->app, "GET", "/parts", perform_in_handler, scene), 0);
}

static void open_middleware(struct scene *scene)
{
    open_server_with(scene, answer_much);
    CU_ASSERT_EQUAL(ouro_http_use(scene->app, perform_in_handler, scene), 0);
}

static int64_t call_http_serve(struct scene *scene)
{
    return ouro_http_serve(scene->app, scene->listener, NULL);
}

static int answer_when_told(struct ouro_http_exchange *told, void *arg)
{
    struct scene *scene = arg;
    int code = ouro_event_wait(&scene->events[0]);

    return code ? code : ouro_http_reply(told, 200, NULL, ten, 10);
}

static void open_app(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_http_app_create(&scene->app), 0);
    CU_ASSERT_EQUAL(ouro_http_route(scene->app, "GET", "/", answer_when_told, scene), 0);
}

static int64_t call_http_ask(struct scene *scene)
{
    return ouro_http_ask(scene->app, NULL, &scene->response);
}

/* No task is left of it, or the handler would touch the scene. */
static void check_http_ask(struct scene *scene)
{
    CU_ASSERT_EQUAL(scene->result == 0, scene->response != NULL);
    CU_ASSERT_PTR_NULL(scene->events[0].waiters);
    ouro_http_app_destroy(scene->app);
}

/* Leaves when it has its answer, or the server its own way. */
static void converse(struct scene *scene)
{
    size_t len = 0;
    char buf[256];
    ssize_t got = 1;

    if (ouro_send_all(scene->fds[1], "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, NULL))
        return;
    while (got > 0 && (len < 10 || memcmp(buf + len - 10, ten, 10) != 0)) {
        got = ouro_recv(scene->fds[1], buf + len, sizeof(buf) - len, 0);
        len += got > 0 ? (size_t) got : 0;
    }
    CU_ASSERT_EQUAL(ouro_close(scene->fds[1]), 0);
    scene->fds[1] = -1;
}

static void ask(struct scene *scene)
{
    if (!ouro_connect(scene->fds[1], &scene->address.sockaddr, scene->address.len))
        converse(scene);
}

static void check_http_serve(struct scene *scene)
{
    close_fds(scene);
    CU_ASSERT_EQUAL(ouro_close(scene->listener), 0);
    ouro_http_app_destroy(scene->app);
}

static int serve(void *arg)
{
    return (int) call_http_serve(arg);
}

static void serve_request(struct scene *scene, const char *request)
{
    scene->ids[0] = ouro_spawn(serve, scene);
    connect_peer(scene);
    CU_ASSERT_EQUAL(ouro_send_all(scene->fds[1], request, strlen(request), NULL), 0);
    while (!scene->victim)
        if (ouro_yield())
            break;
}

static void serve_one(struct scene *scene)
{
    serve_request(scene, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
}

/* The first part is too large to be copied. */
static void serve_parts(struct scene *scene)
{
    serve_request(scene, "GET /parts HTTP/1.1\r\nHost: x\r\nRange: bytes=0-17999,18000-\r\n\r\n");
}

static void serve_upgrade(struct scene *scene)
{
    serve_request(scene, "POST / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n"
                         "Upgrade: x\r\n\r\n");
}

/* The helper may begin before the server does, and the connection may be gone before the end. */
static void send_body(struct scene *scene)
{
    while (!scene->victim)
        if (ouro_yield())
            return;
    while (scene->sent < 10 && !ouro_send_all(scene->fds[1], ten + scene->sent, 2, NULL)) {
        scene->sent += 2;
        if (ouro_yield())
            return;
    }
}

static int64_t call_http_read(struct scene *scene)
{
    ssize_t got;

    do {
        got = ouro_http_read(exchange, scene->buf + scene->moved, SCENE_BYTES - scene->moved);
        if (got > 0)
            scene->moved += (size_t) got;
    } while (got > 0);
    return got;
}

static int64_t call_http_read_all(struct scene *scene)
{
    const char *data;
    size_t len;
    int code = ouro_http_read_all(exchange, &data, &len);

    if (code)
        return code;
    memcpy(scene->buf, data, len);
    scene->moved = len;
    return 0;
}

static void end_server(struct scene *scene)
{
    close_fds(scene);
    CU_ASSERT_EQUAL(ouro_cancel_join(scene->ids[0], NULL), 0);
    scene->fds[1] = -1;
    check_http_serve(scene);
}

static void check_http_read(struct scene *scene)
{
    CU_ASSERT(scene->moved <= scene->sent && !memcmp(scene->got, ten, scene->moved));
    CU_ASSERT(scene->result < 0 || scene->moved == 10);
    end_server(scene);
}

static int64_t call_http_reply(struct scene *scene)
{
    return ouro_http_reply(exchange, 200, NULL, scene->data, DATA_BYTES);
}

static int64_t call_http_reply_content(struct scene *scene)
{
    struct ouro_http_content content = {.data = scene->data, .len = DATA_BYTES};

    return ouro_http_reply_content(exchange, &content);
}

static int64_t call_http_next(struct scene *scene)
{
    (void) scene;
    return ouro_http_next(exchange);
}

static int64_t call_http_replyf(struct scene *scene)
{
    (void) scene;
    return ouro_http_replyf(exchange, 200, "text/plain", "%020000d", 0);
}

static int64_t call_http_reply_json(struct scene *scene)
{
    static char json[DATA_BYTES + 1];

    (void) scene;
    memset(json, '1', DATA_BYTES);
    return ouro_http_reply_json(exchange, 200, json);
}

static int64_t call_http_write(struct scene *scene)
{
    int code = ouro_http_reply_begin(exchange, 200, NULL, -1);

    return code ? code : ouro_http_write(exchange, scene->data, DATA_BYTES);
}

static int64_t call_http_writef(struct scene *scene)
{
    int code = ouro_http_reply_begin(exchange, 200, NULL, -1);

    (void) scene;
    return code ? code : ouro_http_writef(exchange, "%020000d", 0);
}

static int64_t call_http_flush(struct scene *scene)
{
    int code = ouro_http_reply_begin(exchange, 200, NULL, DATA_BYTES / 2);

    if (!code)
        code = ouro_http_write(exchange, scene->data, DATA_BYTES / 2);
    if (!code)
        code = ouro_http_reply_end(exchange);
    return code ? code : ouro_http_flush(exchange);
}

static int64_t call_http_upgrade(struct scene *scene)
{
    int code = ouro_http_upgrade_take(exchange, "x", &scene->stream);

    if (!code)
        CU_ASSERT_EQUAL(ouro_stream_close(scene->stream), 0);
    return code;
}

static void hear_reply(struct scene *scene)
{
    char buf[NARROW];
    ssize_t got;

    while (!scene->victim)
        if (ouro_yield())
            return;
    while ((got = ouro_recv(scene->fds[1], buf, sizeof(buf), 0)) > 0)
        scene->heard += (size_t) got;
}

/* The last of it goes out when the handler has returned, which an interruption forestalls. */
static void check_http_reply(struct scene *scene)
{
    CU_ASSERT(scene->heard < DATA_BYTES + 1024);
    end_server(scene);
}

/* A stream instead of the listener: the victim serves it. */
static int64_t call_http_serve_stream(struct scene *scene)
{
    struct ouro_stream *stream = scene->stream;

    scene->stream = NULL;
    return ouro_http_serve_stream_take(scene->app, stream, NULL);
}

static void open_served_stream(struct scene *scene)
{
    open_stream(scene);
    CU_ASSERT_EQUAL(ouro_http_app_create(&scene->app), 0);
    CU_ASSERT_EQUAL(ouro_http_route(scene->app, "GET", "/", answer_hello, NULL), 0);
}

static void check_http_serve_stream(struct scene *scene)
{
    if (scene->stream) /* it was never called */
        (void) ouro_stream_close(scene->stream);
    close_fds(scene);
    ouro_http_app_destroy(scene->app);
}

/* --- messages and descriptors ------------------------------------------------------------------ */

static int64_t call_sendmsg(struct scene *scene)
{
    struct iovec parts[] = {{scene->data, 60}, {scene->data + 60, 40}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    return ouro_sendmsg(scene->fds[0], &message, 0);
}

static int64_t call_recvmsg(struct scene *scene)
{
    struct iovec parts[] = {{scene->buf, 3}, {scene->buf + 3, SCENE_BYTES - 3}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    return ouro_recvmsg(scene->fds[0], &message, 0);
}

/* Two sockets for datagrams, each with an address. */
static void open_datagrams(struct scene *scene)
{
    for (int i = 0; i < 2; i++) {
        scene->fds[i] = ouro_socket(AF_INET, SOCK_DGRAM, 0);
        CU_ASSERT_EQUAL(ouro_address_parse("127.0.0.1:0", -1, &scene->address), 0);
        CU_ASSERT_EQUAL(ouro_bind(scene->fds[i], &scene->address), 0);
    }
    CU_ASSERT_EQUAL(ouro_getsockname(scene->fds[0], &scene->address), 0);
}

static int64_t call_recvfrom(struct scene *scene)
{
    return ouro_recvfrom(scene->fds[0], scene->buf, SCENE_BYTES, 0, NULL);
}

static void send_datagram(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_sendto(scene->fds[1], ten, 10, 0, &scene->address), 10);
    scene->sent = 10;
}

static int64_t call_sendto(struct scene *scene)
{
    return ouro_sendto(scene->fds[1], ten, 10, 0, &scene->address);
}

static void check_datagram(struct scene *scene)
{
    char rest[16] = "";

    CU_ASSERT(scene->result < 0 || (scene->result == 10 && !memcmp(scene->got, ten, 10)));
    if (scene->sent && scene->result < 0)
        CU_ASSERT_EQUAL(ouro_recv(scene->fds[0], rest, sizeof(rest), MSG_DONTWAIT), 10);
    CU_ASSERT_EQUAL(ouro_recv(scene->fds[0], rest, sizeof(rest), MSG_DONTWAIT), -EAGAIN);
    close_fds(scene);
}

static void check_datagram_sent(struct scene *scene)
{
    char rest[16] = "";

    CU_ASSERT_EQUAL(ouro_recv(scene->fds[0], rest, sizeof(rest), MSG_DONTWAIT),
                    scene->result < 0 ? -EAGAIN : 10);
    close_fds(scene);
}

static void open_unix_pair(struct scene *scene)
{
    char text[64];

    (void) snprintf(text, sizeof(text), "unix:@ouro-cancel-%d", (int) getpid());
    CU_ASSERT_EQUAL(ouro_address_parse(text, -1, &scene->address), 0);
    scene->listener = ouro_listen(&scene->address, 0);
    scene->fds[0] = ouro_socket(AF_UNIX, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL(ouro_connect(scene->fds[0], &scene->address.sockaddr, scene->address.len), 0);
    scene->fds[1] = ouro_accept(scene->listener, NULL);
    CU_ASSERT_EQUAL(ouro_close(scene->listener), 0);
}

static void send_fd(struct scene *scene)
{
    ssize_t sent = ouro_send_fds(scene->fds[1], ten, 10, &scene->fds[1], 1);

    CU_ASSERT(sent > 0);
    scene->sent = sent > 0 ? (size_t) sent : 0;
}

static int64_t call_recv_fds(struct scene *scene)
{
    int fd = -1;
    size_t count = 0;
    ssize_t got = ouro_recv_fds(scene->fds[0], scene->buf, SCENE_BYTES, &fd, 1, &count);

    CU_ASSERT(got < 0 || count == 1);
    if (fd >= 0)
        CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return got;
}

static int64_t call_send_fds(struct scene *scene)
{
    return ouro_send_fds(scene->fds[0], ten, 10, &scene->fds[0], 1);
}

static void check_fd_sent(struct scene *scene)
{
    size_t count = 0, len;
    char buf[16];
    int fd = -1;
    ssize_t got;

    CU_ASSERT_EQUAL(ouro_shutdown(scene->fds[0], SHUT_WR), 0);
    got = ouro_recv_fds(scene->fds[1], buf, sizeof(buf), &fd, 1, &count);
    CU_ASSERT_EQUAL(count, scene->result < 0 ? 0 : 1);
    if (count)
        CU_ASSERT_EQUAL(ouro_close(fd), 0);
    for (len = 0; got > 0; got = ouro_recv(scene->fds[1], buf, sizeof(buf), 0))
        len += (size_t) got;
    CU_ASSERT_EQUAL(len, bytes_of(scene));
    close_fds(scene);
}

/* --- files ---------------------------------------------------------------------------------------- */

/* Of the scene's file, or of another. */
static const char *path_of(int which)
{
    static char paths[2][64];

    (void) snprintf(paths[which], sizeof(paths[which]), "/tmp/ouro-cancel-%d-%d", (int) getpid(),
                    which);
    return paths[which];
}

static void open_empty_file(struct scene *scene)
{
    scene->fds[0] = ouro_open(path_of(0), O_RDWR | O_CREAT | O_TRUNC, 0600);
    CU_ASSERT(scene->fds[0] >= 0);
}

static void open_file(struct scene *scene)
{
    open_empty_file(scene);
    CU_ASSERT_EQUAL(ouro_pwrite_all(scene->fds[0], ten, 10, 0, NULL), 0);
    scene->sent = 10;
}

static void close_file(struct scene *scene)
{
    close_fds(scene);
    CU_ASSERT_EQUAL(ouro_unlink(path_of(0)), 0);
}

/* What was read is what is there; the position has moved by as much, or not at all. */
static void check_read(struct scene *scene, size_t got, size_t position)
{
    char rest[16];

    CU_ASSERT(got <= 10 && !memcmp(scene->got, ten, got));
    CU_ASSERT_EQUAL(ouro_read_exact(scene->fds[0], rest, 10 - position, NULL), 0);
    CU_ASSERT_EQUAL(ouro_read(scene->fds[0], rest, sizeof(rest)), 0);
    close_file(scene);
}

static void check_file_read(struct scene *scene)
{
    check_read(scene, bytes_of(scene), bytes_of(scene));
}

static void check_file_pread(struct scene *scene)
{
    check_read(scene, bytes_of(scene), 0);
}

static void check_file_read_exact(struct scene *scene)
{
    CU_ASSERT(scene->result < 0 || scene->moved == 10);
    check_read(scene, scene->moved, scene->moved);
}

static void check_file_pread_exact(struct scene *scene)
{
    CU_ASSERT(scene->result < 0 || scene->moved == 10);
    check_read(scene, scene->moved, 0);
}

static int64_t call_read(struct scene *scene)
{
    return ouro_read(scene->fds[0], scene->buf, 10);
}

static int64_t call_pread(struct scene *scene)
{
    return ouro_pread(scene->fds[0], scene->buf, 10, 0);
}

static int64_t call_readv(struct scene *scene)
{
    struct iovec parts[] = {{scene->buf, 4}, {scene->buf + 4, 6}};

    return ouro_readv(scene->fds[0], parts, 2);
}

static int64_t call_preadv(struct scene *scene)
{
    struct iovec parts[] = {{scene->buf, 4}, {scene->buf + 4, 6}};

    return ouro_preadv(scene->fds[0], parts, 2, 0);
}

static int64_t call_read_exact(struct scene *scene)
{
    return ouro_read_exact(scene->fds[0], scene->buf, 10, &scene->moved);
}

static int64_t call_pread_exact(struct scene *scene)
{
    return ouro_pread_exact(scene->fds[0], scene->buf, 10, 0, &scene->moved);
}

/* The file has what the call says that it wrote. */
static void check_written(struct scene *scene, size_t written)
{
    char text[16] = "";

    CU_ASSERT_EQUAL(ouro_pread_exact(scene->fds[0], text, written, 0, NULL), 0);
    CU_ASSERT_EQUAL(ouro_pread(scene->fds[0], text + written, 1, (int64_t) written), 0);
    for (size_t i = 0; i < written; i++)
        CU_ASSERT_EQUAL(text[i], data_byte(i));
    close_file(scene);
}

static void check_result_written(struct scene *scene)
{
    check_written(scene, bytes_of(scene));
}

static void check_moved_written(struct scene *scene)
{
    CU_ASSERT(scene->result < 0 || scene->moved == 10);
    check_written(scene, scene->moved);
}

static int64_t call_write(struct scene *scene)
{
    return ouro_write(scene->fds[0], scene->data, 10);
}

static int64_t call_pwrite(struct scene *scene)
{
    return ouro_pwrite(scene->fds[0], scene->data, 10, 0);
}

static int64_t call_writev(struct scene *scene)
{
    struct iovec parts[] = {{scene->data, 4}, {scene->data + 4, 6}};

    return ouro_writev(scene->fds[0], parts, 2);
}

static int64_t call_pwritev(struct scene *scene)
{
    struct iovec parts[] = {{scene->data, 4}, {scene->data + 4, 6}};

    return ouro_pwritev(scene->fds[0], parts, 2, 0);
}

static int64_t call_write_all(struct scene *scene)
{
    return ouro_write_all(scene->fds[0], scene->data, 10, &scene->moved);
}

static int64_t call_pwrite_all(struct scene *scene)
{
    return ouro_pwrite_all(scene->fds[0], scene->data, 10, 0, &scene->moved);
}

static int64_t call_open(struct scene *scene)
{
    (void) scene;
    return ouro_open(path_of(0), O_RDONLY, 0);
}

static int64_t call_openat(struct scene *scene)
{
    (void) scene;
    return ouro_openat(AT_FDCWD, path_of(0), O_RDONLY, 0);
}

static void check_open(struct scene *scene)
{
    scene->fds[1] = (int) scene->result;
    close_file(scene);
}

static int64_t call_fsync(struct scene *scene)
{
    return ouro_fsync(scene->fds[0]);
}

static int64_t call_fdatasync(struct scene *scene)
{
    return ouro_fdatasync(scene->fds[0]);
}

static int64_t call_fallocate(struct scene *scene)
{
    return ouro_fallocate(scene->fds[0], 0, 0, 100);
}

static int64_t call_ftruncate(struct scene *scene)
{
    return ouro_ftruncate(scene->fds[0], 5);
}

static int64_t call_stat(struct scene *scene)
{
    struct stat status;
    int code = ouro_stat(path_of(0), &status);

    (void) scene;
    CU_ASSERT(code || status.st_size == 10);
    return code;
}

static int64_t call_read_file(struct scene *scene)
{
    char *data = NULL;
    int code = ouro_read_file(path_of(0), 100, &data, &scene->moved);

    CU_ASSERT(code || (scene->moved == 10 && !memcmp(data, ten, 10)));
    free(data);
    return code;
}

/* Interrupted changes of names may have happened or not; what succeeded has. */
static int64_t call_rename(struct scene *scene)
{
    (void) scene;
    return ouro_rename(path_of(0), path_of(1));
}

static void check_rename(struct scene *scene)
{
    int old_code, new_code;

    close_fds(scene);
    new_code = ouro_unlink(path_of(1));
    old_code = ouro_unlink(path_of(0));
    CU_ASSERT((new_code == 0) != (old_code == 0));
    CU_ASSERT(scene->result || !new_code);
}

static int64_t call_unlink(struct scene *scene)
{
    (void) scene;
    return ouro_unlink(path_of(0));
}

static void check_unlink(struct scene *scene)
{
    int code = ouro_unlink(path_of(0));

    close_fds(scene);
    CU_ASSERT(code == -ENOENT || (code == 0 && scene->result < 0));
}

static int64_t call_mkdir(struct scene *scene)
{
    (void) scene;
    return ouro_mkdir(path_of(0), 0700);
}

static void check_mkdir(struct scene *scene)
{
    int code = ouro_rmdir(path_of(0));

    CU_ASSERT(code == 0 || (code == -ENOENT && scene->result < 0));
}

static void make_directory(struct scene *scene)
{
    (void) scene;
    CU_ASSERT_EQUAL(ouro_mkdir(path_of(0), 0700), 0);
}

static int64_t call_rmdir(struct scene *scene)
{
    (void) scene;
    return ouro_rmdir(path_of(0));
}

static void check_rmdir(struct scene *scene)
{
    int code = ouro_rmdir(path_of(0));

    CU_ASSERT(code == -ENOENT || (code == 0 && scene->result < 0));
}

static void open_directory(struct scene *scene)
{
    make_directory(scene);
    CU_ASSERT_EQUAL(ouro_dir_open(path_of(0), &scene->directory), 0);
}

static int64_t call_dir_open(struct scene *scene)
{
    return ouro_dir_open(path_of(0), &scene->directory);
}

static int64_t call_dir_next(struct scene *scene)
{
    struct ouro_dir_entry entry;

    return ouro_dir_next(scene->directory, &entry);
}

static int64_t call_dir_close(struct scene *scene)
{
    ouro_dir_close(scene->directory);
    scene->directory = NULL;
    return 0;
}

static void close_directory(struct scene *scene)
{
    ouro_dir_close(scene->directory);
    CU_ASSERT_EQUAL(ouro_rmdir(path_of(0)), 0);
}

/* --- pipes ---------------------------------------------------------------------------------------- */

static void open_pipe(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_pipe(scene->fds), 0);
}

static void write_pieces(struct scene *scene)
{
    for (; scene->sent < 10; scene->sent += 2) {
        CU_ASSERT_EQUAL(ouro_write_all(scene->fds[1], ten + scene->sent, 2, NULL), 0);
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    }
}

static void check_pipe_read(struct scene *scene)
{
    size_t got = bytes_of(scene);
    char rest[16] = "";

    CU_ASSERT(got <= scene->sent && !memcmp(scene->got, ten, got));
    if (got <= scene->sent)
        CU_ASSERT_EQUAL(ouro_read_exact(scene->fds[0], rest, scene->sent - got, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(rest, ten + got, scene->sent - got), 0);
    close_fds(scene);
}

static void open_two_pipes(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_pipe(scene->fds), 0);
    CU_ASSERT_EQUAL(ouro_pipe(scene->more_fds), 0);
}

static int64_t call_splice(struct scene *scene)
{
    return ouro_splice(scene->fds[0], NULL, scene->more_fds[1], NULL, 100, 0);
}

static void check_splice(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_close(scene->more_fds[1]), 0);
    CU_ASSERT_EQUAL(ouro_read_exact(scene->more_fds[0], scene->got, bytes_of(scene), NULL), 0);
    CU_ASSERT_EQUAL(ouro_close(scene->more_fds[0]), 0);
    check_pipe_read(scene);
}

/* --- leases --------------------------------------------------------------------------------------- */

static void open_receiver(struct scene *scene)
{
    open_pair(scene);
    ouro_receiver_init(&scene->receiver, scene->fds[0], 2);
}

static int64_t take_lease(struct scene *scene, ssize_t len, struct ouro_lease *lease)
{
    CU_ASSERT(len <= 10);
    if (len > 0 && len <= 10) {
        memcpy(scene->buf, lease->data, (size_t) len);
        ouro_lease_release(lease);
    }
    return len;
}

static int64_t call_receiver_next(struct scene *scene)
{
    struct ouro_lease lease;
    ssize_t len = ouro_receiver_next(&scene->receiver, &lease);

    return take_lease(scene, len, &lease);
}

static void check_receiver(struct scene *scene)
{
    size_t got = bytes_of(scene);
    struct ouro_lease lease;

    CU_ASSERT(!memcmp(scene->got, ten, got));
    while (got < scene->sent) {
        ssize_t len = ouro_receiver_next(&scene->receiver, &lease);

        CU_ASSERT(len > 0);
        if (len <= 0)
            break;
        CU_ASSERT(got + (size_t) len <= 10 && !memcmp(lease.data, ten + got, (size_t) len));
        got += (size_t) len;
        ouro_lease_release(&lease);
    }
    ouro_receiver_done(&scene->receiver);
    close_fds(scene);
}

static void open_datagram_receiver(struct scene *scene)
{
    open_datagrams(scene);
    ouro_receiver_init_datagram(&scene->receiver, scene->fds[0], 4);
}

static int64_t call_receiver_next_from(struct scene *scene)
{
    struct ouro_address from;
    struct ouro_lease lease;
    ssize_t len = ouro_receiver_next_from(&scene->receiver, &lease, &from);

    return take_lease(scene, len, &lease);
}

/* One that receives. */
static void start_receiver(struct scene *scene)
{
    struct ouro_lease lease;

    open_receiver(scene);
    CU_ASSERT_EQUAL(ouro_send_all(scene->fds[1], "x", 1, NULL), 0);
    CU_ASSERT_EQUAL(ouro_receiver_next(&scene->receiver, &lease), 1);
    ouro_lease_release(&lease);
}

static int64_t call_receiver_stop(struct scene *scene)
{
    ouro_receiver_stop(&scene->receiver);
    return 0;
}

static int64_t call_receiver_done(struct scene *scene)
{
    ouro_receiver_done(&scene->receiver);
    return 0;
}

static int64_t call_receiver_close(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_receiver_close(&scene->receiver), 0);
    return 0;
}

/* The socket is closed, whatever happened: the peer hears the end. */
static void check_receiver_closed(struct scene *scene)
{
    char byte;

    CU_ASSERT(ouro_recv(scene->fds[1], &byte, 1, 0) <= 0);
    CU_ASSERT_EQUAL(ouro_close(scene->fds[1]), 0);
}

static int64_t call_lease_copy(struct scene *scene)
{
    struct ouro_lease lease;
    ssize_t len = ouro_lease_copy(ten, 10, &lease);

    return take_lease(scene, len, &lease);
}

static int64_t call_stream_read_lease(struct scene *scene)
{
    struct ouro_lease lease;
    ssize_t len = ouro_stream_read_lease(scene->stream, &lease);

    return take_lease(scene, len, &lease);
}

static void open_leased_stream(struct scene *scene)
{
    struct ouro_lease lease;

    open_stream(scene);
    CU_ASSERT_EQUAL(ouro_send_all(scene->fds[1], "x", 1, NULL), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_lease(scene->stream, &lease), 1);
    ouro_lease_release(&lease);
}

static int64_t call_stream_detach(struct scene *scene)
{
    return ouro_stream_detach(scene->stream);
}

static int64_t call_stream_writev_all(struct scene *scene)
{
    struct iovec parts[] = {{scene->data, 100}, {scene->data + 100, DATA_BYTES - 100}};

    return ouro_stream_writev_all(scene->stream, parts, 2);
}

/* --- threads, processes, signals -------------------------------------------------------------- */

static int count_job(void *arg)
{
    return ++*(int *) arg;
}

static int64_t call_offload(struct scene *scene)
{
    return ouro_offload(count_job, &scene->value, NULL);
}

/* It ran, or it did not and never will. */
static void check_offload(struct scene *scene)
{
    CU_ASSERT_EQUAL(scene->value, scene->result == 0);
}

static const char *const cat[] = {"cat", NULL};
static const struct ouro_process_options cat_options = {
    .argv = cat, .in = {OURO_PROCESS_PIPE, 0}, .out = {OURO_PROCESS_PIPE, 0}};

static void spawn_cat(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_process_spawn(&cat_options, &scene->process), 0);
}

static int64_t call_process_spawn(struct scene *scene)
{
    return ouro_process_spawn(&cat_options, &scene->process);
}

static int64_t call_process_wait(struct scene *scene)
{
    return ouro_process_wait(&scene->process, NULL);
}

static void end_cat(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_close(scene->process.in_fd), 0);
    scene->process.in_fd = -1;
}

static int64_t call_process_done(struct scene *scene)
{
    ouro_process_done(&scene->process);
    return 0;
}

static void end_process(struct scene *scene)
{
    ouro_process_done(&scene->process);
}

static int64_t call_process_communicate(struct scene *scene)
{
    struct ouro_process_output output;
    int code = ouro_process_communicate(&scene->process, ten, 10, 100, &output);

    CU_ASSERT(code || (output.out_len == 10 && !memcmp(output.out, ten, 10)));
    if (!code)
        ouro_process_output_done(&output);
    return code;
}

static int64_t call_process_run(struct scene *scene)
{
    struct ouro_process_output output;
    int code = ouro_process_run(&cat_options, ten, 10, 100, &output);

    (void) scene;
    CU_ASSERT(code || (output.out_len == 10 && !memcmp(output.out, ten, 10)));
    if (!code)
        ouro_process_output_done(&output);
    return code;
}

static void watch_signal(struct scene *scene)
{
    CU_ASSERT_EQUAL(ouro_signal_watch_init(&scene->watch, SIGUSR2), 0);
}

static int64_t call_signal_wait(struct scene *scene)
{
    int number = 0;
    int code = ouro_signal_wait(&scene->watch, &number, NULL);

    CU_ASSERT(code || number == SIGUSR2);
    return code;
}

static void send_signal(struct scene *scene)
{
    (void) scene;
    CU_ASSERT_EQUAL(raise(SIGUSR2), 0);
}

static void check_signal(struct scene *scene)
{
    if (scene->was_helped && scene->result)
        CU_ASSERT_EQUAL(call_signal_wait(scene), 0);
    ouro_signal_watch_done(&scene->watch);
}

/* --- the table --------------------------------------------------------------------------------- */

const struct row rows[] = {
    /* name, set_up, call, help, check, flags, leave, perform */
    {"ouro_accept", open_listener, call_accept, connect_peer, check_accept, 0, NULL, NULL},
    {"ouro_acceptor_done", open_busy_acceptor, call_acceptor_done, NULL, close_accepted,
     NEVER_INTERRUPTED, NULL, NULL},
    {"ouro_acceptor_next", open_acceptor, call_acceptor_next, connect_peer, check_acceptor, 0, NULL,
     NULL},
    {"ouro_cancel_join", spawn_slow, call_cancel_join, set_first_event, check_cancel_join,
     NEVER_INTERRUPTED | NEEDS_HELP, NULL, NULL},
    {"ouro_channel_receive", open_channels, call_channel_receive, send_five, check_five, 0, NULL,
     NULL},
    {"ouro_channel_receive at a rendezvous", open_rendezvous, call_channel_receive, send_five,
     check_rendezvous_receive, HELPER_STAYS, NULL, NULL},
    {"ouro_channel_send", open_channels, call_channel_send, receive_one, check_full_channel, 0,
     NULL, NULL},
    {"ouro_channel_send at a rendezvous", open_rendezvous, call_channel_send, receive_one,
     check_rendezvous_send, HELPER_STAYS, NULL, NULL},
    {"ouro_checkpoint", do_nothing, call_checkpoint, NULL, do_nothing, 0, NULL, NULL},
    {"ouro_close", open_pair, call_close, NULL, check_peer_gone, NEVER_INTERRUPTED, NULL, NULL},
    {"ouro_cond_wait", do_nothing, call_cond_wait, signal_cond, check_cond, 0, NULL, NULL},
    {"ouro_connect", open_listener, call_connect, NULL, check_connect, 0, NULL, NULL},
    {"ouro_dial", open_listener, call_dial, NULL, check_dial, 0, close_stream, NULL},
    {"ouro_dir_close", open_directory, call_dir_close, NULL, close_directory, NEVER_INTERRUPTED,
     NULL, NULL},
    {"ouro_dir_next", open_directory, call_dir_next, NULL, close_directory, 0, NULL, NULL},
    {"ouro_dir_open", make_directory, call_dir_open, NULL, close_directory, 0, NULL, NULL},
    {"ouro_event_wait", do_nothing, call_event_wait, set_first_event, check_event, 0, NULL, NULL},
    {"ouro_fallocate", open_file, call_fallocate, NULL, close_file, 0, NULL, NULL},
    {"ouro_fdatasync", open_file, call_fdatasync, NULL, close_file, 0, NULL, NULL},
    {"ouro_fsync", open_file, call_fsync, NULL, close_file, 0, NULL, NULL},
    {"ouro_ftruncate", open_file, call_ftruncate, NULL, close_file, 0, NULL, NULL},
    {"ouro_future_wait", do_nothing, call_future_wait, set_future, check_future, 0, NULL, NULL},
    {"ouro_group_wait", do_nothing, call_group_wait, set_first_event, do_nothing,
     NEVER_INTERRUPTED | NEEDS_HELP, NULL, NULL},
    {"ouro_http_ask", open_app, call_http_ask, set_first_event, check_http_ask, 0, close_response,
     NULL},
    {"ouro_http_get", open_listener, call_http_get, accept_and_answer, check_http_get, HELPER_STAYS,
     close_response, NULL},
    {"ouro_http_get_over_take", open_stream, call_http_get_over, answer, check_http, HELPER_STAYS,
     close_response, NULL},
    {"ouro_http_flush", open_server, call_http_flush, hear_reply, check_http_reply,
     IS_SLOW | HELPER_STAYS | USES_DATA, NULL, serve_one},
    {"ouro_http_read_all", open_server, call_http_read_all, send_body, check_http_read, IS_SLOW,
     NULL, serve_one},
    {"ouro_http_reply_begin", open_server, call_http_write, hear_reply, check_http_reply,
     IS_SLOW | HELPER_STAYS | USES_DATA, NULL, serve_one},
    {"ouro_http_reply_content", open_server, call_http_reply_content, hear_reply, check_http_reply,
     IS_SLOW | HELPER_STAYS | USES_DATA, NULL, serve_one},
    {"ouro_http_reply_content in parts", open_parts, call_http_reply_content, hear_reply,
     check_http_reply, IS_SLOW | HELPER_STAYS | USES_DATA, NULL, serve_parts},
    {"ouro_http_reply_json", open_server, call_http_reply_json, hear_reply, check_http_reply,
     IS_SLOW | HELPER_STAYS, NULL, serve_one},
    {"ouro_http_serve_stream_take", open_served_stream, call_http_serve_stream, converse,
     check_http_serve_stream, IS_SLOW | HELPER_STAYS, NULL, NULL},
    {"ouro_http_upgrade_take", open_server, call_http_upgrade, hear_reply, check_http_reply,
     IS_SLOW | HELPER_STAYS, NULL, serve_upgrade},
    {"ouro_http_write", open_server, call_http_write, hear_reply, check_http_reply,
     IS_SLOW | HELPER_STAYS | USES_DATA, NULL, serve_one},
    {"ouro_http_writef", open_server, call_http_writef, hear_reply, check_http_reply,
     IS_SLOW | HELPER_STAYS, NULL, serve_one},
    {"ouro_http_next", open_middleware, call_http_next, hear_reply, check_http_reply,
     IS_SLOW | HELPER_STAYS | USES_DATA, NULL, serve_one},
    {"ouro_http_read", open_server, call_http_read, send_body, check_http_read, IS_SLOW, NULL,
     serve_one},
    {"ouro_http_reply", open_server, call_http_reply, hear_reply, check_http_reply,
     IS_SLOW | HELPER_STAYS | USES_DATA, NULL, serve_one},
    {"ouro_http_replyf", open_server, call_http_replyf, hear_reply, check_http_reply,
     IS_SLOW | HELPER_STAYS, NULL, serve_one},
    {"ouro_http_response_close", open_response, call_response_close, NULL, close_fds,
     NEVER_INTERRUPTED, NULL, NULL},
    {"ouro_http_response_header", open_stream, call_header, answer, check_http, HELPER_STAYS,
     close_response, NULL},
    {"ouro_http_response_next_header", open_stream, call_next_header, answer, check_http,
     HELPER_STAYS, close_response, NULL},
    {"ouro_http_response_read", open_stream, call_response_read, answer, check_body, HELPER_STAYS,
     close_response, NULL},
    {"ouro_http_response_read_all", open_stream, call_response_read_all, answer, check_body,
     HELPER_STAYS, close_response, NULL},
    {"ouro_http_serve", open_server, call_http_serve, ask, check_http_serve,
     NEVER_COMPLETES | IS_SLOW | HELPER_STAYS, NULL, NULL},
    {"ouro_join", spawn_two, call_join, set_first_event, check_join, 0, NULL, NULL},
    {"ouro_lease_copy", do_nothing, call_lease_copy, NULL, do_nothing, 0, NULL, NULL},
    {"ouro_listen", do_nothing, call_listen, NULL, check_listen, NEVER_INTERRUPTED, NULL, NULL},
    {"ouro_listen_shared", do_nothing, call_listen_shared, NULL, check_listen, NEVER_INTERRUPTED,
     NULL, NULL},
    {"ouro_mailbox_receive", open_mailbox, call_mailbox_receive, send_message, check_mailbox, 0,
     NULL, NULL},
    {"ouro_mkdir", do_nothing, call_mkdir, NULL, check_mkdir, 0, NULL, NULL},
    {"ouro_mutex_lock", spawn_holder, call_mutex_lock, set_first_event, check_mutex, 0,
     unlock_if_locked, NULL},
    {"ouro_offload", do_nothing, call_offload, NULL, check_offload, 0, NULL, NULL},
    {"ouro_open", open_file, call_open, NULL, check_open, 0, NULL, NULL},
    {"ouro_openat", open_file, call_openat, NULL, check_open, 0, NULL, NULL},
    {"ouro_poll", open_pair, call_poll, send_pieces, check_nothing_taken, 0, NULL, NULL},
    {"ouro_pread", open_file, call_pread, NULL, check_file_pread, 0, NULL, NULL},
    {"ouro_pread_exact", open_file, call_pread_exact, NULL, check_file_pread_exact, 0, NULL, NULL},
    {"ouro_preadv", open_file, call_preadv, NULL, check_file_pread, 0, NULL, NULL},
    {"ouro_process_communicate", spawn_cat, call_process_communicate, NULL, end_process,
     KERNEL_ONLY, NULL, NULL},
    {"ouro_process_done", spawn_cat, call_process_done, NULL, do_nothing,
     KERNEL_ONLY | NEVER_INTERRUPTED, NULL, NULL},
    {"ouro_process_run", do_nothing, call_process_run, NULL, do_nothing, KERNEL_ONLY, NULL, NULL},
    {"ouro_process_spawn", do_nothing, call_process_spawn, NULL, end_process, KERNEL_ONLY, NULL,
     NULL},
    {"ouro_process_wait", spawn_cat, call_process_wait, end_cat, end_process, KERNEL_ONLY, NULL,
     NULL},
    {"ouro_pwrite", open_empty_file, call_pwrite, NULL, check_result_written, USES_DATA, NULL,
     NULL},
    {"ouro_pwrite_all", open_empty_file, call_pwrite_all, NULL, check_moved_written, USES_DATA,
     NULL, NULL},
    {"ouro_pwritev", open_empty_file, call_pwritev, NULL, check_result_written, USES_DATA, NULL,
     NULL},
    {"ouro_read", open_file, call_read, NULL, check_file_read, 0, NULL, NULL},
    {"ouro_read of a pipe", open_pipe, call_read, write_pieces, check_pipe_read, 0, NULL, NULL},
    {"ouro_read_exact", open_file, call_read_exact, NULL, check_file_read_exact, 0, NULL, NULL},
    {"ouro_read_file", open_file, call_read_file, NULL, close_file, 0, NULL, NULL},
    {"ouro_readv", open_file, call_readv, NULL, check_file_read, 0, NULL, NULL},
    {"ouro_receiver_close", start_receiver, call_receiver_close, NULL, check_receiver_closed,
     NEVER_INTERRUPTED, NULL, NULL},
    {"ouro_receiver_done", start_receiver, call_receiver_done, NULL, close_fds, NEVER_INTERRUPTED,
     NULL, NULL},
    {"ouro_receiver_next", open_receiver, call_receiver_next, send_pieces, check_receiver, 0, NULL,
     NULL},
    {"ouro_receiver_next_from", open_datagram_receiver, call_receiver_next_from, send_datagram,
     check_receiver, 0, NULL, NULL},
    {"ouro_receiver_stop", start_receiver, call_receiver_stop, send_pieces, check_receiver,
     NEVER_INTERRUPTED, NULL, NULL},
    {"ouro_recv", open_pair, call_recv, send_pieces, check_result_arrived, 0, NULL, NULL},
    {"ouro_recv_exact", open_pair, call_recv_exact, send_pieces, check_moved_arrived, 0, NULL,
     NULL},
    {"ouro_recv_fds", open_unix_pair, call_recv_fds, send_fd, check_result_arrived, 0, NULL, NULL},
    {"ouro_recvfrom", open_datagrams, call_recvfrom, send_datagram, check_datagram, 0, NULL, NULL},
    {"ouro_recvmsg", open_pair, call_recvmsg, send_pieces, check_result_arrived, 0, NULL, NULL},
    {"ouro_rename", open_file, call_rename, NULL, check_rename, 0, NULL, NULL},
    {"ouro_resolve", do_nothing, call_resolve, NULL, do_nothing, IS_SLOW, NULL, NULL},
    {"ouro_rmdir", make_directory, call_rmdir, NULL, check_rmdir, 0, NULL, NULL},
    {"ouro_rwlock_rdlock", spawn_writer, call_rdlock, set_first_event, check_rwlock, 0,
     unlock_rwlock_if_locked, NULL},
    {"ouro_rwlock_wrlock", spawn_writer, call_wrlock, set_first_event, check_rwlock, 0,
     unlock_rwlock_if_locked, NULL},
    {"ouro_select to receive", open_channels, call_select, send_five, check_select, 0, NULL, NULL},
    {"ouro_select to send", open_channels, call_select, take_one, check_select_send, 0, NULL, NULL},
    {"ouro_semaphore_acquire", do_nothing, call_semaphore_acquire, release_permit, check_semaphore,
     0, NULL, NULL},
    {"ouro_send", open_full_pair, call_send, hear, check_result_heard, USES_DATA, end_output, NULL},
    {"ouro_send_all", open_narrow_pair, call_send_all, hear, check_moved_heard, USES_DATA,
     end_output, NULL},
    {"ouro_send_fds", open_unix_pair, call_send_fds, NULL, check_fd_sent, 0, NULL, NULL},
    {"ouro_sendmsg", open_full_pair, call_sendmsg, hear, check_result_heard, USES_DATA, end_output,
     NULL},
    {"ouro_sendto", open_datagrams, call_sendto, NULL, check_datagram_sent, 0, NULL, NULL},
    {"ouro_signal_wait", watch_signal, call_signal_wait, send_signal, check_signal, KERNEL_ONLY,
     NULL, NULL},
    {"ouro_sleep", do_nothing, call_sleep, let_time_pass, do_nothing, 0, NULL, NULL},
    {"ouro_sleep_until", do_nothing, call_sleep_until, let_time_pass, do_nothing, 0, NULL, NULL},
    {"ouro_splice", open_two_pipes, call_splice, write_pieces, check_splice, 0, NULL, NULL},
    {"ouro_stat", open_file, call_stat, NULL, close_file, 0, NULL, NULL},
    {"ouro_stream_close", open_stream, call_stream_close, NULL, check_peer_gone, NEVER_INTERRUPTED,
     NULL, NULL},
    {"ouro_stream_detach", open_leased_stream, call_stream_detach, send_pieces, check_stream_peek,
     0, NULL, NULL},
    {"ouro_stream_flush", open_full_stream, call_stream_flush, hear, check_hundred_heard, USES_DATA,
     close_stream, NULL},
    {"ouro_stream_peek", open_stream, call_stream_peek, send_pieces, check_stream_peek, 0, NULL,
     NULL},
    {"ouro_stream_peek of a pair", open_memory, call_stream_peek, write_memory, check_memory_peek,
     0, NULL, NULL},
    {"ouro_stream_read", open_stream, call_stream_read, send_pieces, check_stream_read, 0, NULL,
     NULL},
    {"ouro_stream_read of a pair", open_memory, call_stream_read, write_memory, check_memory_read,
     0, NULL, NULL},
    {"ouro_stream_read_exact", open_stream, call_stream_read_exact, send_pieces,
     check_stream_read_exact, 0, NULL, NULL},
    {"ouro_stream_read_exact of a pair", open_memory, call_stream_read_exact, write_memory,
     check_memory_read_exact, 0, NULL, NULL},
    {"ouro_stream_read_exact of TLS", open_tls_talk, call_stream_read_exact, write_tls,
     check_tls_read, IS_SLOW, NULL, NULL},
    {"ouro_stream_read_lease", open_stream, call_stream_read_lease, send_pieces, check_stream_read,
     0, NULL, NULL},
    {"ouro_stream_read_until", open_stream, call_stream_read_until, send_pieces, check_stream_read,
     0, NULL, NULL},
    {"ouro_stream_shutdown_write", open_full_stream, call_stream_shutdown_write, hear,
     check_hundred_heard, USES_DATA, close_stream, NULL},
    {"ouro_stream_shutdown_write of a pair", open_memory, call_memory_shutdown, NULL,
     check_memory_peek, 0, NULL, NULL},
    {"ouro_stream_write", open_narrow_stream, call_stream_write, hear, check_stream_write,
     USES_DATA, close_stream, NULL},
    {"ouro_stream_write_all", open_narrow_stream, call_stream_write_all, hear, check_all_heard,
     USES_DATA, close_stream, NULL},
    {"ouro_stream_write_all of a pair", open_full_memory, call_stream_write_all, hear_memory,
     check_memory_heard, USES_DATA, close_stream, NULL},
    {"ouro_stream_writev_all", open_narrow_stream, call_stream_writev_all, hear, check_all_heard,
     USES_DATA, close_stream, NULL},
    {"ouro_submit_sqe", open_pair, call_submit_sqe, send_pieces, check_nothing_taken, 0, NULL,
     NULL},
    {"ouro_tls_accept_take", open_tls, call_tls_accept, connect_tls, check_tls,
     IS_SLOW | HELPER_STAYS, NULL, NULL},
    {"ouro_tls_connect_take", open_tls, call_tls_connect, accept_tls, check_tls,
     IS_SLOW | HELPER_STAYS, NULL, NULL},
    {"ouro_unlink", open_file, call_unlink, NULL, check_unlink, 0, NULL, NULL},
    {"ouro_wait_all", spawn_two, call_wait_all, set_both_events, check_wait_any, 0, NULL, NULL},
    {"ouro_wait_any", spawn_two, call_wait_any, set_first_event, check_wait_any, 0, NULL, NULL},
    {"ouro_write", open_empty_file, call_write, NULL, check_result_written, USES_DATA, NULL, NULL},
    {"ouro_write_all", open_empty_file, call_write_all, NULL, check_moved_written, USES_DATA, NULL,
     NULL},
    {"ouro_writev", open_empty_file, call_writev, NULL, check_result_written, USES_DATA, NULL,
     NULL},
    {"ouro_yield", do_nothing, call_yield, NULL, do_nothing, 0, NULL, NULL},
};

const size_t row_count = COUNT_OF(rows);

const char *const exemptions[] = {
    "ouro_http_event_send", /* these two are ouro_http_reply_begin() and ouro_http_write() */
    "ouro_http_events_begin", "ouro_http_part_next", /* these wait in ouro_http_read() alone */
    "ouro_http_part_read",    "ouro_http_read_form",
    "ouro_http_redirect",  /* as ouro_http_replyf(), with a text that is always short */
    "ouro_http_reply_end", /* the few bytes of the end always find room in the buffer */
};
const size_t exemption_count = COUNT_OF(exemptions);
