/* SPDX-License-Identifier: MIT */
/*
 * sim_udp.c - UDP on the simulated network
 *
 * The rules are Linux's. A datagram takes no time. It is lost when its receiver's buffer
 * (SO_RCVBUF) is full, and nobody is told; when nobody is bound where it goes, a socket
 * connected to that place is told by its next call, as ICMP would do it. Where errors are
 * asked for (sim:errors=PERCENT), so many more datagrams are lost, arrive twice or overtake
 * others.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "sim_inet.h"
#include "sim_message.h"

/* What fits into an IP packet beside the headers. */
#define UDP4_MAX 65507u
#define UDP6_MAX 65527u

/* --- where to ------------------------------------------------------------------------ */

static bool is_same_name(const struct sim_name *a, const struct sim_name *b)
{
    return a->port == b->port && ouro__sim_inet_is_same(&a->ip, &b->ip);
}

/* How well a socket fits for what goes `to` a place; 0: not at all. */
static unsigned score(const struct sim_socket *socket, const struct sim_name *to,
                      const struct sim_name *from)
{
    unsigned points = 1;

    if (!ouro__sim_inet_covers(socket, &to->ip))
        return 0;
    if (socket->state == SIM_CONNECTED && !is_same_name(&socket->remote, from))
        return 0;
    if (!ouro__sim_inet_is_any(&socket->local.ip))
        points += 4;
    if (socket->state == SIM_CONNECTED)
        points += 2;
    return points;
}

/* The best receiver; of equals the one bound last, or with SO_REUSEPORT one by chance. */
static struct sim_socket *find_receiver(struct sim_net *net, const struct sim_name *to,
                                        const struct sim_name *from)
{
    const struct sim_port *port = net->ports[SIM_UDP][to->port];
    struct sim_socket *best = NULL;
    unsigned best_score = 1;
    unsigned equals = 0;

    if (!port)
        return NULL;
    for (struct list *node = port->others.next; node != &port->others; node = node->next) {
        struct sim_socket *socket = ouro__sim_inet_socket_of_port(node);
        unsigned its_score = score(socket, to, from);

        if (its_score < best_score)
            continue;
        equals = its_score > best_score ? 1 : equals + 1;
        best_score = its_score;
        if (!socket->options[SIM_REUSEPORT] || equals == 1 ||
            ouro__sim_random_below(net->random, equals) == 0)
            best = socket;
    }
    return best;
}

/* Reads where the datagram is to go. */
static int read_target(const struct sim_socket *socket, const struct sim_parcel *parcel,
                       struct sim_name *ret_name)
{
    int code;

    if (parcel->name_len == 0) {
        *ret_name = socket->remote;
        return socket->state == SIM_CONNECTED ? 0 : -EDESTADDRREQ;
    }
    code = ouro__sim_inet_read_name(socket, (const struct sockaddr *) &parcel->name,
                                    parcel->name_len, ret_name);
    return code || ret_name->port ? code : -EINVAL;
}

/* --- sending ------------------------------------------------------------------------- */

static bool has_room(const struct sim_socket *socket, uint32_t len)
{
    return socket->message_bytes + len + SIM_MESSAGE_OVERHEAD <=
           (uint32_t) socket->options[SIM_RCVBUF];
}

static void arrive(struct sim_net *net, struct sim_socket *socket, const struct sim_name *to,
                   const struct sim_name *from, const void *buf, uint32_t len, enum sim_fate fate)
{
    struct sim_socket *receiver = find_receiver(net, to, from);

    if (!receiver) {
        if (socket->state == SIM_CONNECTED && is_same_name(to, &socket->remote)) {
            socket->error = ECONNREFUSED;
            ouro__sim_net_mark_changed(net, socket);
        }
        return;
    }
    if (has_room(receiver, len)) /* without memory it is as lost as without room */
        (void) ouro__sim_message_deliver(net, receiver, from, buf, len, NULL, fate);
}

static int udp_transmit(struct sim_net *net, struct sim_socket *socket, const void *buf,
                        uint32_t len, struct sim_parcel *parcel)
{
    enum sim_fate fate = socket->fate;
    struct sim_name to, from;
    int code = 0;

    socket->fate = SIM_ARRIVES;
    if (!socket->port && ouro__sim_inet_enter_ephemeral_port(net, socket))
        return -EAGAIN;
    from = socket->local;
    code = read_target(socket, parcel, &to);
    if (!code)
        code = ouro__sim_inet_route(socket, &to, &from.ip);
    if (code)
        return code;
    if (len > (ouro__sim_inet_is_ipv4(&to.ip) ? UDP4_MAX : UDP6_MAX))
        return -EMSGSIZE;
    code = ouro__sim_net_take_error(socket);
    if (code || socket->shutdown & SIM_SHUT_SEND)
        return code ? code : -EPIPE;
    if (!ouro__sim_inet_is_any(&socket->local.ip))
        from.ip = socket->local.ip;
    for (int copies = fate == SIM_IS_DOUBLED ? 2 : 1; copies > 0 && fate != SIM_IS_LOST; copies--)
        arrive(net, socket, &to, &from, buf, len, fate);
    return (int) len;
}

/* --- connecting and ending ------------------------------------------------------------ */

static void disconnect(struct sim_net *net, struct sim_socket *socket)
{
    socket->state = SIM_UNCONNECTED;
    ouro__sim_inet_forget_name(net, socket);
}

static int udp_connect(struct sim_net *net, struct sim_socket *socket,
                       const struct sockaddr *address, socklen_t len)
{
    struct in6_addr source;
    struct sim_name name;
    int code;

    if (len < sizeof(address->sa_family))
        return -EINVAL;
    if (address->sa_family == AF_UNSPEC) {
        disconnect(net, socket);
        return 0;
    }
    if (!socket->port && ouro__sim_inet_enter_ephemeral_port(net, socket))
        return -EAGAIN;
    code = ouro__sim_inet_read_name(socket, address, len, &name);
    if (!code)
        code = ouro__sim_inet_route(socket, &name, &source);
    if (code)
        return code;
    if (ouro__sim_inet_is_any(&socket->local.ip))
        socket->local.ip = source;
    socket->remote = name;
    socket->state = SIM_CONNECTED;
    return 0;
}

static int udp_listen(struct sim_net *net, struct sim_socket *socket)
{
    (void) net;
    (void) socket;
    return -EOPNOTSUPP;
}

static int udp_peer_name(const struct sim_socket *socket, const struct sim_name **ret_name)
{
    if (socket->state != SIM_CONNECTED)
        return -ENOTCONN;
    *ret_name = &socket->remote;
    return 0;
}

/* Linux refuses for a socket that is not connected, and does it all the same. */
static int udp_shutdown(struct sim_net *net, struct sim_socket *socket, int how)
{
    socket->shutdown |= (uint8_t) how;
    ouro__sim_net_mark_changed(net, socket);
    return socket->state == SIM_CONNECTED ? 0 : -ENOTCONN;
}

static void udp_hang_up(struct sim_net *net, struct sim_socket *socket)
{
    (void) net; /* nobody is told */
    (void) socket;
}

/* Nothing can break but a datagram: the next. */
static bool udp_fail(struct sim_net *net, struct sim_socket *socket, int error)
{
    (void) error;
    socket->fate = SIM_IS_LOST + ouro__sim_random_below(net->random, SIM_OVERTAKES);
    return true;
}

static unsigned udp_poll(const struct sim_socket *socket)
{
    return ouro__sim_message_poll(socket) | POLLOUT | POLLWRNORM | POLLWRBAND;
}

const struct sim_family ouro__sim_udp = {
    .bind = ouro__sim_inet_bind,
    .listen = udp_listen,
    .shutdown = udp_shutdown,
    .hang_up = udp_hang_up,
    .fail = udp_fail,
    .poll = udp_poll,
    .peer_name = udp_peer_name,
    .write_name = ouro__sim_inet_write_name,
    .release_name = ouro__sim_inet_release_name,
    .connect = udp_connect,
    .transmit = udp_transmit,
};
