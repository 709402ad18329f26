/* SPDX-License-Identifier: MIT */
/*
 * sim_unix_datagram.c - datagrams through Unix sockets on the simulated network
 *
 * The rules are Linux's. Nothing is lost: a sender waits while its receiver's queue is full.
 * A receiver holds eleven datagrams (one more than net.unix.max_dgram_qlen of a machine that
 * nobody tuned), or SO_SNDBUF bytes of them; of two sockets that are connected to each other
 * only the bytes count.
 *
 * `target` is whom a socket is connected to. When he dies it becomes NULL, and the state stays
 * SIM_CONNECTED until a send has told it.
 */
#include <errno.h>
#include <poll.h>

#include "check.h"
#include "sim_message.h"

#define QUEUE_MAX 10 /* one more is let in */

/* --- room ---------------------------------------------------------------------------- */

static bool is_mutual(const struct sim_socket *socket, const struct sim_socket *other)
{
    return other == socket || other->target == socket;
}

static bool is_queue_full(const struct sim_socket *socket, const struct sim_socket *other)
{
    return !is_mutual(socket, other) && other->message_count > QUEUE_MAX;
}

static bool is_full(const struct sim_socket *socket, const struct sim_socket *other)
{
    return is_queue_full(socket, other) ||
           other->message_bytes >= (uint32_t) socket->options[SIM_SNDBUF];
}

static unsigned unix_poll(const struct sim_socket *socket)
{
    const struct sim_socket *target = socket->target;
    unsigned events = ouro__sim_message_poll(socket);

    /* Linux waits for much room, so that not each datagram wakes somebody up. */
    if (!target || (!is_queue_full(socket, target) &&
                    target->message_bytes <= (uint32_t) socket->options[SIM_SNDBUF] / 4))
        events |= POLLOUT | POLLWRNORM | POLLWRBAND;
    return events;
}

/* --- connecting ---------------------------------------------------------------------- */

static void set_target(struct sim_net *net, struct sim_socket *socket, struct sim_socket *target)
{
    if (socket->target)
        ouro__sim_net_mark_changed(net, socket->target); /* it may be no longer mutual */
    list_remove(&socket->target_link);
    socket->target = target;
    if (target) {
        list_append(&target->senders, &socket->target_link);
        ouro__sim_net_mark_changed(net, target);
    }
    ouro__sim_net_mark_changed(net, socket);
}

void ouro__sim_unix_datagram_join(struct sim_net *net, struct sim_socket *a, struct sim_socket *b)
{
    set_target(net, a, b);
    set_target(net, b, a);
}

/* What had come from the peer before is gone, and he hears of it if he was connected, too. */
static void forget_peer(struct sim_net *net, struct sim_socket *socket)
{
    struct sim_socket *old = socket->target;

    if (!list_is_empty(&socket->messages) && old && old->target == socket) {
        old->error = ECONNRESET;
        ouro__sim_net_mark_changed(net, old);
    }
    ouro__sim_message_discard_all(net, socket);
    set_target(net, socket, NULL);
    ouro__sim_unix_rename(&socket->remote, NULL);
    socket->state = SIM_UNCONNECTED;
}

static bool may_send(const struct sim_socket *socket, const struct sim_socket *other)
{
    return !other->target || other->target == socket;
}

static int unix_connect(struct sim_net *net, struct sim_socket *socket,
                        const struct sockaddr *address, socklen_t len)
{
    struct sim_socket *other;
    int code;

    if (len < sizeof(address->sa_family))
        return -EINVAL;
    if (address->sa_family == AF_UNSPEC) {
        if (socket->state == SIM_CONNECTED)
            forget_peer(net, socket);
        return 0;
    }
    code = ouro__sim_unix_find(net, SOCK_DGRAM, address, len, &other);
    if (code)
        return code;
    if (!may_send(socket, other))
        return -EPERM;
    if (socket->state == SIM_CONNECTED && socket->target != other)
        forget_peer(net, socket);
    set_target(net, socket, other);
    ouro__sim_unix_rename(&socket->remote, &other->local);
    socket->state = SIM_CONNECTED;
    return 0;
}

static int unix_listen(struct sim_net *net, struct sim_socket *socket)
{
    (void) net;
    (void) socket;
    return -EOPNOTSUPP;
}

/* --- sending ------------------------------------------------------------------------- */

/* Finds the receiver; NULL: it is the peer, and he is dead. */
static int find_receiver(struct sim_net *net, struct sim_socket *socket,
                         const struct sim_parcel *parcel, struct sim_socket **ret_receiver)
{
    if (parcel->name_len > 0)
        return ouro__sim_unix_find(net, SOCK_DGRAM, (const struct sockaddr *) &parcel->name,
                                   parcel->name_len, ret_receiver);
    *ret_receiver = socket->target;
    return socket->state == SIM_CONNECTED ? 0 : -ENOTCONN;
}

static int unix_transmit(struct sim_net *net, struct sim_socket *socket, const void *buf,
                         uint32_t len, struct sim_parcel *parcel)
{
    struct sim_socket *receiver = NULL;
    int code = find_receiver(net, socket, parcel, &receiver);

    if (code)
        return code;
    if (len > (uint32_t) socket->options[SIM_SNDBUF] - 32)
        return -EMSGSIZE;
    code = ouro__sim_net_take_error(socket);
    if (code || socket->shutdown & SIM_SHUT_SEND)
        return code ? code : -EPIPE;
    if (!receiver) {
        forget_peer(net, socket);
        return -ECONNREFUSED;
    }
    if (!may_send(socket, receiver))
        return -EPERM;
    if (receiver->shutdown & SIM_SHUT_RECV)
        return -EPIPE;
    if (is_full(socket, receiver)) {
        if (receiver != socket->target && list_is_empty(&socket->stalled_link))
            list_append(&net->stalled, &socket->stalled_link);
        return -EAGAIN;
    }
    code = ouro__sim_message_deliver(net, receiver, &socket->local, buf, len, parcel, SIM_ARRIVES);
    return code ? code : (int) len;
}

/* --- ending -------------------------------------------------------------------------- */

static int unix_shutdown(struct sim_net *net, struct sim_socket *socket, int how)
{
    socket->shutdown |= (uint8_t) how;
    ouro__sim_net_mark_changed(net, socket);
    ouro__sim_message_announce_room(net, socket);
    return 0;
}

static void unix_hang_up(struct sim_net *net, struct sim_socket *socket)
{
    struct list *node;

    ouro__sim_message_announce_room(net, socket);
    while ((node = list_shift(&socket->senders)))
        container_of(node, struct sim_socket, target_link)->target = NULL;
    set_target(net, socket, NULL);
}

static bool unix_fail(struct sim_net *net, struct sim_socket *socket, int error)
{
    (void) net; /* no wire, so nothing on it can break */
    (void) socket;
    (void) error;
    return false;
}

const struct sim_family ouro__sim_unix_datagram = {
    .bind = ouro__sim_unix_bind,
    .listen = unix_listen,
    .shutdown = unix_shutdown,
    .hang_up = unix_hang_up,
    .fail = unix_fail,
    .poll = unix_poll,
    .peer_name = ouro__sim_unix_peer_name,
    .write_name = ouro__sim_unix_write_name,
    .release_name = ouro__sim_unix_release_name,
    .connect = unix_connect,
    .transmit = unix_transmit,
};
