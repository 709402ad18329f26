/* SPDX-License-Identifier: MIT */
/*
 * sim_tcp.c - what is TCP's own: listening and connecting, FIN and RST
 *
 * The rules are Linux's. Segments take no time and none is lost, so of TCP's states these
 * are left:
 *
 *   sim_state      `shutdown`    `peer_finished`   Linux
 *   CONNECTED      -             no                ESTABLISHED
 *   CONNECTED      SEND          no                FIN_WAIT
 *   CONNECTED      RECV          yes               CLOSE_WAIT
 *   DISCONNECTED   BOTH                            CLOSE, TIME_WAIT: after both FINs, or a RST
 *
 * (`shutdown` has RECV also after an own SHUT_RD, which the peer never hears of.) What was
 * received stays readable after a RST; then its error is told, once; then comes the end.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "check.h"
#include "sim_inet.h"

/* --- listen -------------------------------------------------------------------------- */

void ouro__sim_tcp_refile(struct sim_socket *socket)
{
    if (!socket->port)
        return;
    list_remove(&socket->port_link);
    list_append(socket->state == SIM_LISTENING ? &socket->port->listeners : &socket->port->others,
                &socket->port_link);
}

static int tcp_listen(struct sim_net *net, struct sim_socket *socket)
{
    if (socket->state == SIM_LISTENING)
        return 0;
    if (socket->state != SIM_UNCONNECTED)
        return -EINVAL;
    socket->shutdown = 0; /* what was shut down before says nothing any more */
    if (!socket->port) {
        ouro__sim_inet_forget_ip(socket);
        return ouro__sim_inet_enter_ephemeral_port(net, socket);
    }
    return ouro__sim_inet_has_conflict(socket, &socket->port->listeners) ? -EADDRINUSE : 0;
}

/* --- connect ------------------------------------------------------------------------- */

/* How well a listener fits; 0: not at all. */
static unsigned score(const struct sim_socket *listener, const struct in6_addr *ip)
{
    if (!ouro__sim_inet_covers(listener, ip))
        return 0;
    if (!ouro__sim_inet_is_any(&listener->local.ip))
        return 3;
    return ouro__sim_inet_is_ipv4(&listener->local.ip) ? 2 : 1;
}

/* The best listener; one of equals (SO_REUSEPORT) by chance, as Linux does by a hash. */
static struct sim_socket *find_listener(struct sim_net *net, const struct sim_name *name)
{
    const struct sim_port *port = net->ports[SIM_TCP][name->port];
    struct sim_socket *best = NULL;
    unsigned best_score = 0;
    unsigned equals = 0;

    if (!port)
        return NULL;
    for (struct list *node = port->listeners.next; node != &port->listeners; node = node->next) {
        struct sim_socket *listener = ouro__sim_inet_socket_of_port(node);
        unsigned its_score = score(listener, &name->ip);

        if (its_score == 0 || its_score < best_score)
            continue;
        equals = its_score > best_score ? 1 : equals + 1;
        if (equals == 1 || ouro__sim_random_below(net->random, equals) == 0)
            best = listener;
        best_score = its_score;
    }
    return best;
}

static int check_may_connect(struct sim_socket *socket)
{
    switch (socket->state) {
    case SIM_UNCONNECTED:
        return 0;
    case SIM_CONNECTING:
        return -EALREADY;
    default:
        return -EISCONN;
    }
}

static int tcp_find_listener(struct sim_net *net, struct sim_socket *socket,
                             const struct sockaddr *address, socklen_t len,
                             struct sim_socket **ret_listener)
{
    struct in6_addr source;
    struct sim_name name;
    struct sim_socket *listener;
    int code;

    if (len < sizeof(address->sa_family))
        return -EINVAL;
    if (!socket->is_connect_told && socket->state != SIM_CONNECTING) {
        /* Nobody waited for the end of the connect before: this one reports it. */
        socket->is_connect_told = true;
        return ouro__sim_net_take_error(socket);
    }
    code = check_may_connect(socket);
    if (!code)
        code = ouro__sim_inet_read_name(socket, address, len, &name);
    if (!code)
        code = ouro__sim_inet_route(socket, &name, &source);
    if (code)
        return code;
    listener = find_listener(net, &name);
    if (!listener) {
        ouro__sim_inet_forget_name(net, socket);
        return -ECONNREFUSED;
    }
    if (!socket->port && ouro__sim_inet_enter_ephemeral_port(net, socket))
        return -EADDRNOTAVAIL;
    if (ouro__sim_inet_is_any(&socket->local.ip))
        socket->local.ip = source;
    socket->remote = name;
    *ret_listener = listener;
    return 0;
}

static void tcp_join(struct sim_net *net, struct sim_socket *child, struct sim_socket *client,
                     struct sim_socket *listener)
{
    (void) net;
    child->local = client->remote;
    child->remote = client->local;
    child->port = listener->port;
    list_append(&child->port->others, &child->port_link);
    memcpy(child->options, listener->options, sizeof(child->options));
    child->linger = listener->linger;
}

static int tcp_peer_name(const struct sim_socket *socket, const struct sim_name **ret_name)
{
    if (socket->state != SIM_CONNECTED)
        return -ENOTCONN;
    *ret_name = &socket->remote;
    return 0;
}

/* --- FIN and RST --------------------------------------------------------------------- */

static void disconnect(struct sim_net *net, struct sim_socket *socket)
{
    socket->state = SIM_DISCONNECTED;
    socket->shutdown = SIM_SHUT_BOTH;
    socket->peer = NULL;
    ouro__sim_net_mark_changed(net, socket);
}

/* What a RST does to the socket that it arrives at. */
static void take_reset(struct sim_net *net, struct sim_socket *socket)
{
    socket->error = socket->peer_finished ? EPIPE : ECONNRESET;
    disconnect(net, socket);
}

static void send_reset(struct sim_net *net, struct sim_socket *socket)
{
    if (socket->peer)
        take_reset(net, socket->peer);
    socket->peer = NULL;
}

/* Sends a FIN, once; after the second of both ends the connection is over. */
static void finish(struct sim_net *net, struct sim_socket *socket)
{
    struct sim_socket *peer = socket->peer;
    bool is_second = socket->peer_finished;

    if (socket->is_finished)
        return;
    socket->is_finished = true;
    socket->shutdown |= SIM_SHUT_SEND;
    if (peer) {
        peer->peer_finished = true;
        peer->shutdown |= SIM_SHUT_RECV;
        ouro__sim_net_mark_changed(net, peer);
        if (is_second)
            disconnect(net, peer);
    }
    if (is_second)
        disconnect(net, socket);
    ouro__sim_net_mark_changed(net, socket);
}

static int tcp_shutdown(struct sim_net *net, struct sim_socket *socket, int how)
{
    switch (socket->state) {
    case SIM_LISTENING:
        if (how & SIM_SHUT_RECV) {
            ouro__sim_net_stop_listening(net, socket);
            ouro__sim_inet_forget_name(net, socket);
            socket->shutdown = 0;
        }
        return 0;
    case SIM_CONNECTING:
        ouro__sim_net_leave_connecting(socket);
        ouro__sim_inet_forget_name(net, socket);
        socket->error = ECONNRESET;
        ouro__sim_net_mark_changed(net, socket);
        return 0;
    case SIM_CONNECTED:
        socket->shutdown |= how & SIM_SHUT_RECV;
        ouro__sim_net_mark_changed(net, socket);
        if (how & SIM_SHUT_SEND)
            finish(net, socket);
        return 0;
    default:
        socket->shutdown |= (uint8_t) how; /* Linux refuses, and does it all the same */
        ouro__sim_net_mark_changed(net, socket);
        return -ENOTCONN;
    }
}

static void tcp_hang_up(struct sim_net *net, struct sim_socket *socket)
{
    bool is_abortive = socket->linger.l_onoff && socket->linger.l_linger == 0;

    if (socket->state != SIM_CONNECTED)
        return;
    if (socket->is_child || socket->received.len > 0 || is_abortive)
        send_reset(net, socket);
    else
        finish(net, socket);
    if (socket->peer)
        socket->peer->peer = NULL;
    socket->peer = NULL;
}

static bool tcp_fail(struct sim_net *net, struct sim_socket *socket, int error)
{
    if (socket->state != SIM_CONNECTED)
        return false;
    send_reset(net, socket);
    take_reset(net, socket);
    if (!socket->peer_finished)
        socket->error = error;
    return true;
}

/* --- transfers ----------------------------------------------------------------------- */

static int tcp_receive_nothing(struct sim_socket *socket)
{
    int error;

    if (socket->state == SIM_LISTENING)
        return -ENOTCONN;
    if (socket->peer_finished)
        return 0;
    error = ouro__sim_net_take_error(socket);
    if (error || socket->shutdown & SIM_SHUT_RECV)
        return error;
    return socket->state == SIM_UNCONNECTED ? -ENOTCONN : -EAGAIN;
}

static int tcp_refuse_send(struct sim_socket *socket)
{
    int error;

    if (socket->state == SIM_CONNECTING)
        return -EAGAIN;
    if (socket->state == SIM_CONNECTED && !(socket->shutdown & SIM_SHUT_SEND))
        return 0;
    error = ouro__sim_net_take_error(socket);
    return error ? error : -EPIPE;
}

/*
 * A machine answers with RST what arrives for a socket that is closed or that has shut
 * down both ways; the sender hears of it after its send.
 */
static int tcp_deliver(struct sim_net *net, struct sim_socket *socket)
{
    if (socket->peer && !(socket->peer->is_finished && socket->peer->shutdown & SIM_SHUT_RECV))
        return 1;
    if (socket->peer)
        send_reset(net, socket);
    take_reset(net, socket);
    return 0;
}

static unsigned tcp_poll(const struct sim_socket *socket)
{
    unsigned events = socket->error ? POLLERR : 0;

    if (socket->state == SIM_CONNECTING)
        return events;
    if (socket->state == SIM_LISTENING)
        return list_is_empty(&socket->listener->backlog) ? events : events | POLLIN | POLLRDNORM;
    if (socket->state != SIM_CONNECTED || socket->shutdown == SIM_SHUT_BOTH)
        events |= POLLHUP;
    if (socket->shutdown & SIM_SHUT_RECV)
        events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (socket->received.len > 0)
        events |= POLLIN | POLLRDNORM;
    if (socket->shutdown & SIM_SHUT_SEND || ouro__sim_net_writable(socket) > 0)
        events |= POLLOUT | POLLWRNORM;
    return events;
}

const struct sim_family ouro__sim_tcp = {
    .bind = ouro__sim_inet_bind,
    .listen = tcp_listen,
    .find_listener = tcp_find_listener,
    .join = tcp_join,
    .give_up = ouro__sim_inet_forget_name,
    .receive_nothing = tcp_receive_nothing,
    .refuse_send = tcp_refuse_send,
    .deliver = tcp_deliver,
    .shutdown = tcp_shutdown,
    .hang_up = tcp_hang_up,
    .fail = tcp_fail,
    .poll = tcp_poll,
    .peer_name = tcp_peer_name,
    .write_name = ouro__sim_inet_write_name,
    .release_name = ouro__sim_inet_release_name,
};
