/* SPDX-License-Identifier: MIT */
/*
 * sim_inet.c - addresses and ports of the simulated network, for TCP and UDP; see sim_inet.h
 *
 * The machine has its loopback addresses, 127.0.0.0/8 and ::1, and no route to others. TCP
 * and UDP each have ports of their own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim_inet.h"

/* Linux's net.ipv4.ip_local_port_range. */
#define EPHEMERAL_FIRST 32768
#define EPHEMERAL_COUNT 28232

static const struct in6_addr any4 = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}}};
static const struct in6_addr localhost4 = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}}};

/* --- addresses ----------------------------------------------------------------------- */

bool ouro__sim_inet_is_same(const struct in6_addr *a, const struct in6_addr *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

bool ouro__sim_inet_is_ipv4(const struct in6_addr *ip)
{
    return IN6_IS_ADDR_V4MAPPED(ip);
}

bool ouro__sim_inet_is_any(const struct in6_addr *ip)
{
    return ouro__sim_inet_is_same(ip, &any4) || ouro__sim_inet_is_same(ip, &in6addr_any);
}

static bool is_loopback(const struct in6_addr *ip)
{
    return ouro__sim_inet_is_same(ip, &in6addr_loopback) ||
           (ouro__sim_inet_is_ipv4(ip) && ip->s6_addr[12] == 127);
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

int ouro__sim_inet_read_name(const struct sim_socket *socket, const struct sockaddr *address,
                             socklen_t len, struct sim_name *ret_name)
{
    if (len > sizeof(struct sockaddr_storage))
        return -EINVAL;
    return socket->domain == AF_INET ? read_inet(address, len, ret_name)
                                     : read_inet6(address, len, ret_name);
}

socklen_t ouro__sim_inet_write_name(const struct sim_socket *socket, const struct sim_name *name,
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

static struct sim_port **ports_of(struct sim_net *net, const struct sim_socket *socket)
{
    return net->ports[socket->type == SOCK_DGRAM];
}

static bool enter_port(struct sim_net *net, struct sim_socket *socket, uint16_t number)
{
    struct sim_port *port = ports_of(net, socket)[number];

    if (!port) {
        port = malloc(sizeof(*port));
        if (!port)
            return false;
        list_init(&port->listeners);
        list_init(&port->others);
        ports_of(net, socket)[number] = port;
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
        ports_of(net, socket)[socket->local.port] = NULL;
        free(port);
    }
    socket->port = NULL;
    socket->local.port = 0;
}

/* Whether what is sent to `ip` reaches `socket`. */
bool ouro__sim_inet_covers(const struct sim_socket *socket, const struct in6_addr *ip)
{
    const struct in6_addr *own = &socket->local.ip;

    if (ouro__sim_inet_is_same(own, &any4))
        return ouro__sim_inet_is_ipv4(ip);
    if (ouro__sim_inet_is_same(own, &in6addr_any))
        return !ouro__sim_inet_is_ipv4(ip) || !socket->options[SIM_V6ONLY];
    return ouro__sim_inet_is_same(own, ip);
}

/* As inet_csk_bind_conflict() of Linux decides it. */
static bool is_in_conflict(const struct sim_socket *socket, const struct sim_socket *other)
{
    bool reuse = socket->options[SIM_REUSEADDR] && other->options[SIM_REUSEADDR] &&
                 other->state != SIM_LISTENING;
    bool share = socket->options[SIM_REUSEPORT] && other->options[SIM_REUSEPORT];

    if (other == socket || reuse || share)
        return false;
    return ouro__sim_inet_covers(socket, &other->local.ip) ||
           ouro__sim_inet_covers(other, &socket->local.ip);
}

bool ouro__sim_inet_has_conflict(const struct sim_socket *socket, const struct list *sockets)
{
    for (struct list *node = sockets->next; node != sockets; node = node->next)
        if (is_in_conflict(socket, ouro__sim_inet_socket_of_port(node)))
            return true;
    return false;
}

int ouro__sim_inet_enter_ephemeral_port(struct sim_net *net, struct sim_socket *socket)
{
    uint32_t offset = ouro__sim_random_below(net->random, EPHEMERAL_COUNT);

    for (uint32_t tries = 0; tries < EPHEMERAL_COUNT; tries++) {
        uint16_t number = (uint16_t) (EPHEMERAL_FIRST + (offset + tries) % EPHEMERAL_COUNT);

        if (!ports_of(net, socket)[number])
            return enter_port(net, socket, number) ? 0 : -ENOMEM;
    }
    return -EADDRINUSE;
}

static int enter_given_port(struct sim_net *net, struct sim_socket *socket, uint16_t number)
{
    const struct sim_port *port = ports_of(net, socket)[number];

    if (port && (ouro__sim_inet_has_conflict(socket, &port->listeners) ||
                 ouro__sim_inet_has_conflict(socket, &port->others)))
        return -EADDRINUSE;
    return enter_port(net, socket, number) ? 0 : -ENOMEM;
}

/* --- names of sockets ---------------------------------------------------------------- */

void ouro__sim_inet_forget_ip(struct sim_socket *socket)
{
    socket->local.ip = socket->domain == AF_INET ? any4 : in6addr_any;
}

void ouro__sim_inet_release_name(struct sim_net *net, struct sim_socket *socket)
{
    leave_port(net, socket);
}

/* Gives back what the socket got without asking for it. */
void ouro__sim_inet_forget_name(struct sim_net *net, struct sim_socket *socket)
{
    if (!socket->has_given_port)
        leave_port(net, socket);
    if (!socket->has_given_ip)
        ouro__sim_inet_forget_ip(socket);
}

int ouro__sim_inet_bind(struct sim_net *net, struct sim_socket *socket,
                        const struct sockaddr *address, socklen_t len)
{
    struct sim_name name;
    int code = ouro__sim_inet_read_name(socket, address, len, &name);

    if (code)
        return code;
    if (ouro__sim_inet_is_ipv4(&name.ip) && socket->domain == AF_INET6 &&
        socket->options[SIM_V6ONLY])
        return -EINVAL;
    if (!ouro__sim_inet_is_any(&name.ip) && !is_loopback(&name.ip))
        return -EADDRNOTAVAIL;
    if (socket->port || socket->state != SIM_UNCONNECTED)
        return -EINVAL;
    socket->local.ip = name.ip;
    code = name.port ? enter_given_port(net, socket, name.port)
                     : ouro__sim_inet_enter_ephemeral_port(net, socket);
    if (code) {
        ouro__sim_inet_forget_ip(socket);
        return code;
    }
    socket->has_given_ip = !ouro__sim_inet_is_any(&name.ip);
    socket->has_given_port = name.port != 0;
    return 0;
}

/* --- routes -------------------------------------------------------------------------- */

/* Where `name` leads to, and the address that one comes from when going there. */
int ouro__sim_inet_route(const struct sim_socket *socket, struct sim_name *name,
                         struct in6_addr *ret_source)
{
    if (ouro__sim_inet_is_same(&name->ip, &any4))
        name->ip = localhost4;
    if (ouro__sim_inet_is_same(&name->ip, &in6addr_any))
        name->ip = in6addr_loopback;
    if (ouro__sim_inet_is_ipv4(&name->ip) && socket->domain == AF_INET6 &&
        socket->options[SIM_V6ONLY])
        return -ENETUNREACH;
    if (!is_loopback(&name->ip))
        return -ENETUNREACH;
    *ret_source = ouro__sim_inet_is_ipv4(&name->ip) ? localhost4 : in6addr_loopback;
    return 0;
}
