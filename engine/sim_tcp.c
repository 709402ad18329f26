/* SPDX-License-Identifier: MIT */
/*
 * sim_tcp.c - what is TCP's own: FIN and RST, addresses and ports
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
 *
 * The machine has its loopback addresses, 127.0.0.0/8 and ::1, and no route to others.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim_net.h"

/* Linux's net.ipv4.ip_local_port_range. */
#define EPHEMERAL_FIRST 32768
#define EPHEMERAL_COUNT 28232

/* The sockets bound to one port; exists while there are any. */
struct sim_port {
    struct list listeners;
    struct list others;
};

static const struct in6_addr any4 = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}}};
static const struct in6_addr localhost4 = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}}};

/* --- addresses ----------------------------------------------------------------------- */

static bool is_same(const struct in6_addr *a, const struct in6_addr *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static bool is_ipv4(const struct in6_addr *ip)
{
    return IN6_IS_ADDR_V4MAPPED(ip);
}

static bool is_any(const struct in6_addr *ip)
{
    return is_same(ip, &any4) || is_same(ip, &in6addr_any);
}

static bool is_loopback(const struct in6_addr *ip)
{
    return is_same(ip, &in6addr_loopback) || (is_ipv4(ip) && ip->s6_addr[12] == 127);
}

static int read_inet(const struct sockaddr *address, socklen_t len, struct sim_name *ret_name)
{
    struct sockaddr_in in;

    if (len < sizeof(in))
        return -EINVAL;
    memcpy(&in, address, sizeof(in));
    if (in.sin_family != AF_INET)
        return -EAFNOSUPPORT;
    *ret_name = (struct sim_name) {.ip = any4, .port = ntohs(in.sin_port)};
    memcpy(&ret_name->ip.s6_addr[12], &in.sin_addr, sizeof(in.sin_addr));
    return 0;
}

static int read_inet6(const struct sockaddr *address, socklen_t len, struct sim_name *ret_name)
{
    struct sockaddr_in6 in6 = {0};

    if (len < offsetof(struct sockaddr_in6, sin6_scope_id)) /* RFC 2133 knew no scopes */
        return -EINVAL;
    memcpy(&in6, address, len < sizeof(in6) ? len : sizeof(in6));
    if (in6.sin6_family != AF_INET6)
        return -EAFNOSUPPORT;
    *ret_name = (struct sim_name) {.ip = in6.sin6_addr, .port = ntohs(in6.sin6_port)};
    return 0;
}

static int read_name(const struct sim_socket *socket, const struct sockaddr *address, socklen_t len,
                     struct sim_name *ret_name)
{
    if (len > sizeof(struct sockaddr_storage))
        return -EINVAL;
    return socket->domain == AF_INET ? read_inet(address, len, ret_name)
                                     : read_inet6(address, len, ret_name);
}

static socklen_t write_name(const struct sim_socket *socket, const struct sim_name *name,
                            struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *in = (struct sockaddr_in *) ret_address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) ret_address;

    if (socket->domain == AF_INET6) {
        *in6 = (struct sockaddr_in6) {
            .sin6_family = AF_INET6, .sin6_port = htons(name->port), .sin6_addr = name->ip};
        return sizeof(*in6);
    }
    *in = (struct sockaddr_in) {.sin_family = AF_INET, .sin_port = htons(name->port)};
    memcpy(&in->sin_addr, &name->ip.s6_addr[12], sizeof(in->sin_addr));
    return sizeof(*in);
}

/* --- ports --------------------------------------------------------------------------- */

static struct sim_socket *socket_of_port(struct list *node)
{
    return container_of(node, struct sim_socket, port_link);
}

static bool enter_port(struct sim_net *net, struct sim_socket *socket, uint16_t number)
{
    struct sim_port *port = net->ports[number];

    if (!port) {
        port = malloc(sizeof(*port));
        if (!port)
            return false;
        list_init(&port->listeners);
        list_init(&port->others);
        net->ports[number] = port;
    }
    socket->port = port;
    socket->local.port = number;
    list_append(&port->others, &socket->port_link);
    return true;
}

static void leave_port(struct sim_net *net, struct sim_socket *socket)
{
    struct sim_port *port = socket->port;

    if (!port)
        return;
    list_remove(&socket->port_link);
    if (list_is_empty(&port->listeners) && list_is_empty(&port->others)) {
        net->ports[socket->local.port] = NULL;
        free(port);
    }
    socket->port = NULL;
    socket->local.port = 0;
}

void ouro__sim_tcp_refile(struct sim_socket *socket)
{
    if (!socket->port)
        return;
    list_remove(&socket->port_link);
    list_append(socket->state == SIM_LISTENING ? &socket->port->listeners : &socket->port->others,
                &socket->port_link);
}

/* Whether what is sent to `ip` reaches `socket`. */
static bool covers(const struct sim_socket *socket, const struct in6_addr *ip)
{
    const struct in6_addr *own = &socket->local.ip;

    if (is_same(own, &any4))
        return is_ipv4(ip);
    if (is_same(own, &in6addr_any))
        return !is_ipv4(ip) || !socket->options[SIM_V6ONLY];
    return is_same(own, ip);
}

/* As inet_csk_bind_conflict() of Linux decides it. */
static bool is_in_conflict(const struct sim_socket *socket, const struct sim_socket *other)
{
    bool reuse = socket->options[SIM_REUSEADDR] && other->options[SIM_REUSEADDR] &&
                 other->state != SIM_LISTENING;
    bool share = socket->options[SIM_REUSEPORT] && other->options[SIM_REUSEPORT];

    if (other == socket || reuse || share)
        return false;
    return covers(socket, &other->local.ip) || covers(other, &socket->local.ip);
}

static bool has_conflict(const struct sim_socket *socket, const struct list *sockets)
{
    for (struct list *node = sockets->next; node != sockets; node = node->next)
        if (is_in_conflict(socket, socket_of_port(node)))
            return true;
    return false;
}

static int enter_ephemeral_port(struct sim_net *net, struct sim_socket *socket)
{
    uint32_t offset = ouro__sim_random_below(net->random, EPHEMERAL_COUNT);

    for (uint32_t tries = 0; tries < EPHEMERAL_COUNT; tries++) {
        uint16_t number = (uint16_t) (EPHEMERAL_FIRST + (offset + tries) % EPHEMERAL_COUNT);

        if (!net->ports[number])
            return enter_port(net, socket, number) ? 0 : -ENOMEM;
    }
    return -EADDRINUSE;
}

static int enter_given_port(struct sim_net *net, struct sim_socket *socket, uint16_t number)
{
    const struct sim_port *port = net->ports[number];

    if (port && (has_conflict(socket, &port->listeners) || has_conflict(socket, &port->others)))
        return -EADDRINUSE;
    return enter_port(net, socket, number) ? 0 : -ENOMEM;
}

/* --- bind, listen -------------------------------------------------------------------- */

static void forget_ip(struct sim_socket *socket)
{
    socket->local.ip = socket->domain == AF_INET ? any4 : in6addr_any;
}

static void release_name(struct sim_net *net, struct sim_socket *socket)
{
    leave_port(net, socket);
}

/* Gives back what the socket got without asking for it. */
static void forget_name(struct sim_net *net, struct sim_socket *socket)
{
    if (!socket->has_given_port)
        leave_port(net, socket);
    if (!socket->has_given_ip)
        forget_ip(socket);
}

static int tcp_bind(struct sim_net *net, struct sim_socket *socket, const struct sockaddr *address,
                    socklen_t len)
{
    struct sim_name name;
    int code = read_name(socket, address, len, &name);

    if (code)
        return code;
    if (is_ipv4(&name.ip) && socket->domain == AF_INET6 && socket->options[SIM_V6ONLY])
        return -EINVAL;
    if (!is_any(&name.ip) && !is_loopback(&name.ip))
        return -EADDRNOTAVAIL;
    if (socket->port || socket->state != SIM_UNCONNECTED)
        return -EINVAL;
    socket->local.ip = name.ip;
    code = name.port ? enter_given_port(net, socket, name.port) : enter_ephemeral_port(net, socket);
    if (code) {
        forget_ip(socket);
        return code;
    }
    socket->has_given_ip = !is_any(&name.ip);
    socket->has_given_port = name.port != 0;
    return 0;
}

static int tcp_listen(struct sim_net *net, struct sim_socket *socket)
{
    if (socket->state == SIM_LISTENING)
        return 0;
    if (socket->state != SIM_UNCONNECTED)
        return -EINVAL;
    socket->shutdown = 0; /* what was shut down before says nothing any more */
    if (!socket->port) {
        forget_ip(socket);
        return enter_ephemeral_port(net, socket);
    }
    return has_conflict(socket, &socket->port->listeners) ? -EADDRINUSE : 0;
}

/* --- connect ------------------------------------------------------------------------- */

/* How well a listener fits; 0: not at all. */
static unsigned score(const struct sim_socket *listener, const struct in6_addr *ip)
{
    if (!covers(listener, ip))
        return 0;
    if (!is_any(&listener->local.ip))
        return 3;
    return is_ipv4(&listener->local.ip) ? 2 : 1;
}

/* The best listener; one of equals (SO_REUSEPORT) by chance, as Linux does by a hash. */
static struct sim_socket *find_listener(struct sim_net *net, const struct sim_name *name)
{
    const struct sim_port *port = net->ports[name->port];
    struct sim_socket *best = NULL;
    unsigned best_score = 0;
    unsigned equals = 0;

    if (!port)
        return NULL;
    for (struct list *node = port->listeners.next; node != &port->listeners; node = node->next) {
        struct sim_socket *listener = socket_of_port(node);
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

/* Where `name` leads to, and the address that one comes from when going there. */
static int route(const struct sim_socket *socket, struct sim_name *name,
                 struct in6_addr *ret_source)
{
    if (is_same(&name->ip, &any4))
        name->ip = localhost4;
    if (is_same(&name->ip, &in6addr_any))
        name->ip = in6addr_loopback;
    if (is_ipv4(&name->ip) && socket->domain == AF_INET6 && socket->options[SIM_V6ONLY])
        return -ENETUNREACH;
    if (!is_loopback(&name->ip))
        return -ENETUNREACH;
    *ret_source = is_ipv4(&name->ip) ? localhost4 : in6addr_loopback;
    return 0;
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
        code = read_name(socket, address, len, &name);
    if (!code)
        code = route(socket, &name, &source);
    if (code)
        return code;
    listener = find_listener(net, &name);
    if (!listener) {
        forget_name(net, socket);
        return -ECONNREFUSED;
    }
    if (!socket->port && enter_ephemeral_port(net, socket))
        return -EADDRNOTAVAIL;
    if (is_any(&socket->local.ip))
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
            forget_name(net, socket);
            socket->shutdown = 0;
        }
        return 0;
    case SIM_CONNECTING:
        ouro__sim_net_leave_connecting(socket);
        forget_name(net, socket);
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
    .bind = tcp_bind,
    .listen = tcp_listen,
    .find_listener = tcp_find_listener,
    .join = tcp_join,
    .give_up = forget_name,
    .receive_nothing = tcp_receive_nothing,
    .refuse_send = tcp_refuse_send,
    .deliver = tcp_deliver,
    .shutdown = tcp_shutdown,
    .hang_up = tcp_hang_up,
    .fail = tcp_fail,
    .poll = tcp_poll,
    .peer_name = tcp_peer_name,
    .write_name = write_name,
    .release_name = release_name,
};
