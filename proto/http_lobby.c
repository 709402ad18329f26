/* SPDX-License-Identifier: MIT */
/*
 * http_lobby.c - the sockets of a server that no task sees to; see http_lobby.h
 *
 * Each state but ATTACHED has a list, in the order in which sockets came to it. All in a list have
 * the same time limit, so the first one's is the next to run out, and one task per list that
 * sleeps until then is all the timers that ten thousand connections need.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http_lobby.h"
#include "ouro_loop.h"
#include "ouro_socket.h"
#include "ouro_timer.h"

#define SHORTAGE_PAUSE_NS (50 * OURO_MILLISECOND) /* for memory to come back */

/* --- states ------------------------------------------------------------------------------ */

static void append(struct http_socket_list *list, struct http_socket *socket)
{
    socket->next = NULL;
    socket->prev = list->last;
    if (list->last)
        list->last->next = socket;
    else
        list->first = socket;
    list->last = socket;
}

static void strike(struct http_socket_list *list, struct http_socket *socket)
{
    if (socket->prev)
        socket->prev->next = socket->next;
    else
        list->first = socket->next;
    if (socket->next)
        socket->next->prev = socket->prev;
    else
        list->last = socket->prev;
}

static void tell(struct http_expiry *expiry)
{
    if (expiry->is_waiting)
        ouro_event_set(&expiry->event);
}

static void set_state(struct http_socket *socket, enum http_socket_state state)
{
    struct http_lobby *lobby = socket->lobby;

    if (socket->state != SOCKET_ATTACHED)
        strike(&lobby->lists[socket->state], socket);
    socket->state = state;
    if (state == SOCKET_ATTACHED)
        return;
    socket->since = ouro_now_cached();
    append(&lobby->lists[state], socket);
    if (state == SOCKET_READY)
        ouro_event_set(&lobby->called);
    else
        tell(state == SOCKET_IDLE ? &lobby->idle : &lobby->sending);
}

static void call_in_to_end(struct http_socket *socket)
{
    socket->is_closing = true;
    set_state(socket, SOCKET_READY);
}

/* --- what happens to sockets ------------------------------------------------------------- */

static void hear_input(struct ouro_receiver *receiver)
{
    struct http_socket *socket = (struct http_socket *) (void *) receiver;

    if (socket->state == SOCKET_SENDING)
        socket->has_input = true;
    else if (socket->state == SOCKET_IDLE)
        set_state(socket, SOCKET_READY);
}

static void hear_sent(struct ouro_sender *sender, int code)
{
    struct http_buffer *buffer = (struct http_buffer *) (void *) sender;
    struct http_socket *socket = buffer->owner;

    ouro__http_buffer_release(socket->lobby->flusher, buffer);
    socket->buffer = NULL;
    socket->is_broken = code != 0;
    if (code || socket->lobby->is_draining)
        call_in_to_end(socket);
    else
        set_state(socket, socket->has_input ? SOCKET_READY : SOCKET_IDLE);
}

/* Lets it wait for bytes, once nothing else holds it up. Returns 0 or -ENOMEM. */
static int wait_for_input(struct http_socket *socket)
{
    int code = ouro_receiver_watch(&socket->receiver, hear_input);

    if (code < 0)
        return code;
    socket->has_input = code == 1;
    if (socket->buffer)
        set_state(socket, SOCKET_SENDING);
    else if (socket->lobby->is_draining)
        call_in_to_end(socket);
    else
        set_state(socket, socket->has_input ? SOCKET_READY : SOCKET_IDLE);
    return 0;
}

int ouro__http_lobby_enter_take(struct http_lobby *lobby, int fd)
{
    struct http_socket *socket = malloc(sizeof(*socket));
    int code;

    if (!socket)
        return -ENOMEM;
    memset(socket, 0, sizeof(*socket));
    ouro_receiver_init(&socket->receiver, fd, /* quota= */ 0);
    socket->lobby = lobby;
    socket->fd = fd;
    socket->state = SOCKET_ATTACHED;
    code = wait_for_input(socket);
    if (code)
        free(socket);
    else
        lobby->socket_count++;
    return code;
}

void ouro__http_lobby_return(struct http_socket *socket, struct http_output *output)
{
    if (output->len)
        socket->buffer = ouro__http_output_post(output, socket->fd, socket, hear_sent);
    (void) wait_for_input(socket); /* it cannot fail: there are buffers, as there was input */
}

void ouro__http_lobby_leave(struct http_socket *socket, bool is_moved)
{
    struct http_lobby *lobby = socket->lobby;

    if (is_moved)
        ouro_receiver_done(&socket->receiver);
    else
        (void) ouro_receiver_close(&socket->receiver);
    free(socket);
    if (--lobby->socket_count == 0)
        ouro_event_set(&lobby->empty);
}

/* --- the task that calls sockets in ------------------------------------------------------ */

/* Returns 0, or why there can be no task just now. */
static int call_in(struct http_lobby *lobby, struct http_socket *socket)
{
    int code;

    set_state(socket, SOCKET_ATTACHED);
    ouro_receiver_unwatch(&socket->receiver); /* it may have been called in for another reason */
    ouro__http_flusher_attend(lobby->flusher);
    code = ouro_group_spawn_at(lobby->group, lobby->serve, socket, &lobby->spawn, "http connection",
                               OURO_PLACE);
    ouro__http_flusher_look(lobby->flusher);
    if (code)
        set_state(socket, SOCKET_READY); /* and not watched: what has come will still be there */
    return code;
}

static int call_all_in(void *arg)
{
    struct http_lobby *lobby = arg;
    struct http_socket *socket;
    struct ouro_shield shield;

    ouro_shield_begin(&shield, OURO_FOREVER); /* it ends when the server ends */
    for (;;) {
        (void) ouro_event_wait(&lobby->called);
        ouro_event_clear(&lobby->called);
        if (lobby->is_draining && !lobby->socket_count)
            break;
        while ((socket = lobby->lists[SOCKET_READY].first))
            if (call_in(lobby, socket))
                (void) ouro_sleep(SHORTAGE_PAUSE_NS);
    }
    ouro_shield_end(&shield);
    return 0;
}

/* --- time limits ------------------------------------------------------------------------- */

/* A sender that is cancelled tells of its end: until then the socket goes to the list's end. */
static void expire(struct http_socket *socket, int64_t now)
{
    if (socket->state == SOCKET_IDLE) {
        call_in_to_end(socket);
        return;
    }
    ouro_sender_cancel(&socket->buffer->sender);
    set_state(socket, SOCKET_SENDING);
    socket->since = now;
}

/* Nobody's time is up before a whole limit has passed from then on. */
static int wait_for_first(struct http_expiry *expiry)
{
    int code;

    expiry->is_waiting = true;
    code = ouro_event_wait(&expiry->event);
    expiry->is_waiting = false;
    ouro_event_clear(&expiry->event);
    return code ? code : ouro_sleep(expiry->timeout_ns);
}

/* While sockets come and go this sleeps until the time of one that may be gone by then. */
static int run_expiry(void *arg)
{
    struct http_expiry *expiry = arg;
    struct http_socket_list *list = &expiry->lobby->lists[expiry->state];
    int code = 0;

    while (!code) {
        int64_t now = ouro_now();

        while (list->first && list->first->since + expiry->timeout_ns <= now)
            expire(list->first, now);
        if (list->first)
            code = ouro_sleep_until(list->first->since + expiry->timeout_ns);
        else
            code = wait_for_first(expiry);
    }
    return 0;
}

static int start_expiry(struct http_expiry *expiry, struct http_lobby *lobby,
                        enum http_socket_state state, int64_t timeout_ns)
{
    static const struct ouro_spawn_options options = {.name = "http time limits",
                                                      .stack = OURO_STACK_16K};

    *expiry = (struct http_expiry) {.lobby = lobby, .state = state, .timeout_ns = timeout_ns};
    ouro_event_init(&expiry->event);
    expiry->task = ouro_spawn_with(run_expiry, expiry, &options);
    return expiry->task > 0 ? 0 : (int) expiry->task;
}

static void stop(ouro_task_id task)
{
    if (task > 0)
        (void) ouro_cancel_join(task, NULL);
}

/* --- life -------------------------------------------------------------------------------- */

static int start_tasks(struct http_lobby *lobby, const struct http_lobby_options *given)
{
    static const struct ouro_spawn_options options = {.name = "http lobby",
                                                      .stack = OURO_STACK_16K};
    int code = start_expiry(&lobby->idle, lobby, SOCKET_IDLE, given->idle_timeout_ns);

    if (!code)
        code = start_expiry(&lobby->sending, lobby, SOCKET_SENDING, given->send_timeout_ns);
    if (code)
        return code;
    lobby->task = ouro_spawn_with(call_all_in, lobby, &options);
    return lobby->task > 0 ? 0 : (int) lobby->task;
}

int ouro__http_lobby_open(struct http_lobby *lobby, const struct http_lobby_options *options)
{
    int code;

    *lobby = (struct http_lobby) {.server = options->server,
                                  .serve = options->serve,
                                  .group = options->group,
                                  .spawn = {.stack = options->stack, .eager = true},
                                  .flusher = options->flusher};
    ouro_event_init(&lobby->called);
    ouro_event_init(&lobby->empty);
    code = start_tasks(lobby, options);
    if (code)
        ouro__http_lobby_close(lobby);
    return code;
}

unsigned ouro__http_lobby_close_idle(struct http_lobby *lobby, unsigned count_max)
{
    unsigned count = 0;

    for (; lobby->lists[SOCKET_IDLE].first && count < count_max; count++)
        call_in_to_end(lobby->lists[SOCKET_IDLE].first);
    return count;
}

void ouro__http_lobby_drain(struct http_lobby *lobby)
{
    lobby->is_draining = true;
}

int ouro__http_lobby_wait(struct http_lobby *lobby)
{
    int code = 0;

    while (!code && lobby->socket_count) {
        ouro_event_clear(&lobby->empty);
        code = ouro_event_wait(&lobby->empty);
    }
    return code;
}

void ouro__http_lobby_cancel(struct http_lobby *lobby)
{
    for (struct http_socket *socket = lobby->lists[SOCKET_SENDING].first; socket;
         socket = socket->next)
        ouro_sender_cancel(&socket->buffer->sender);
}

void ouro__http_lobby_close(struct http_lobby *lobby)
{
    stop(lobby->idle.task);
    stop(lobby->sending.task);
    if (lobby->task > 0) {
        ouro__http_lobby_drain(lobby);
        ouro_event_set(&lobby->called);
        stop(lobby->task);
    }
}
