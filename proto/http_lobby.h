/* SPDX-License-Identifier: MIT */
/*
 * http_lobby.h - the sockets of a server that no task sees to
 *
 * Most connections of a server are idle most of the time. One that is consists of a struct
 * http_socket: no stack, no parser, no buffer. It waits in the lobby until bytes come, and is
 * called in then: it gets a task, which answers what there is and sends it back to wait. The last
 * answers may still be on their way out by then; the lobby sees to that as well.
 *
 *                   bytes, the end, a time limit            its turn
 *       ┌─▶ IDLE ─────────────────────────────┬─▶ READY ──────────────▶ ATTACHED ──▶ closed
 *       │     ▲                               │      ▲                     │
 *   accepted  │ sent                          │      └── bytes are there ──┤
 *             └──────── SENDING ──────────────┘                            │
 *                          ▲      sent, and bytes have come; an error      │
 *                          └────────────── answers to be sent ─────────────┤
 *             ◀──────────────────────────────── nothing ───────────────────┘
 *
 * A task that is called in starts eagerly (ouro_task.h): as long as handlers do not wait, all of a
 * turn's requests are answered on one stack.
 */
#ifndef OURO_HTTP_LOBBY_H
#define OURO_HTTP_LOBBY_H

#include <stdbool.h>
#include <stdint.h>

#include "http_output.h"
#include "ouro_lease.h"
#include "ouro_sync.h"
#include "ouro_task.h"

struct http_lobby;
struct http_server;

enum http_socket_state { SOCKET_IDLE, SOCKET_SENDING, SOCKET_READY, SOCKET_ATTACHED };

/* Ten thousand of these are common. */
struct http_socket {
    struct ouro_receiver receiver; /* first */
    struct http_lobby *lobby;
    struct http_socket *next, *prev; /* in the list of its state */
    int64_t since;                   /* it is in that list */
    struct http_buffer *buffer;      /* SENDING: what is sent */
    int fd;
    enum http_socket_state state : 8;
    bool has_input : 1;  /* bytes, or the end, have come while it was SENDING */
    bool is_closing : 1; /* the task that it gets is to end it */
    bool is_broken : 1;  /* and nothing can be sent any more */
};

struct http_socket_list {
    struct http_socket *first; /* the oldest */
    struct http_socket *last;
};

/* A task that ends what has been in a state for too long. */
struct http_expiry {
    struct http_lobby *lobby;
    enum http_socket_state state;
    int64_t timeout_ns;
    struct ouro_event event; /* the list is not empty any more */
    bool is_waiting;         /* for that */
    ouro_task_id task;
};

struct http_lobby {
    struct http_server *server; /* for `serve` */
    ouro_task_fn *serve;        /* gets the socket, and ends by one of the calls below */
    struct ouro_group *group;
    struct ouro_spawn_options spawn;
    struct http_flusher *flusher; /* borrowed */
    struct http_socket_list lists[SOCKET_ATTACHED];
    struct http_expiry idle, sending;
    struct ouro_event called; /* some socket is READY */
    struct ouro_event empty;  /* there is no socket */
    unsigned socket_count;    /* in all states */
    bool is_draining;
    ouro_task_id task;
};

/*
 * Opens a lobby whose sockets get tasks of `group`, with stacks of that class. Returns 0, -ENOMEM
 * or -EAGAIN.
 */
struct http_lobby_options {
    struct http_server *server;
    ouro_task_fn *serve;
    struct ouro_group *group;
    enum ouro_stack_class stack;
    struct http_flusher *flusher;
    int64_t idle_timeout_ns;
    int64_t send_timeout_ns;
};

int ouro__http_lobby_open(struct http_lobby *lobby, const struct http_lobby_options *options);

/* A connection that has been accepted. Takes `fd` on success. Returns 0 or -ENOMEM. */
int ouro__http_lobby_enter_take(struct http_lobby *lobby, int fd);

/* The task's work is done for now; `output` may have answers that are yet to be sent. */
void ouro__http_lobby_return(struct http_socket *socket, struct http_output *output);

/* The connection has ended: closes the socket, or with `is_moved` lets go of it. */
OURO_TASK void ouro__http_lobby_leave(struct http_socket *socket, bool is_moved);

/* Calls up to `count_max` idle sockets in to be ended. Returns how many. */
unsigned ouro__http_lobby_close_idle(struct http_lobby *lobby, unsigned count_max);

/* From now on sockets that have nothing to do are ended. */
void ouro__http_lobby_drain(struct http_lobby *lobby);

/* Waits until all sockets have left. Returns 0 or the interruption. */
OURO_TASK int ouro__http_lobby_wait(struct http_lobby *lobby);

/* Ends what is still being sent. */
void ouro__http_lobby_cancel(struct http_lobby *lobby);

/* There is no socket left by then. One of zeros, never opened, is left alone. */
OURO_TASK void ouro__http_lobby_close(struct http_lobby *lobby);

#endif /* OURO_HTTP_LOBBY_H */
