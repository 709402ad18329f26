/* SPDX-License-Identifier: MIT */
/*
 * sim_inet.h - addresses and ports of the simulated network: what TCP and UDP have in common
 */
#ifndef OURO_SIM_INET_H
#define OURO_SIM_INET_H

#include "check.h"
#include "sim_net.h"

/* Indexes of sim_net.ports. */
enum { SIM_TCP, SIM_UDP };

/* The sockets bound to one port; exists while there are any. */
struct sim_port {
    struct list listeners;
    struct list others;
};

static inline struct sim_socket *ouro__sim_inet_socket_of_port(struct list *node)
{
    return container_of(node, struct sim_socket, port_link);
}

bool ouro__sim_inet_is_same(const struct in6_addr *a, const struct in6_addr *b);
bool ouro__sim_inet_is_ipv4(const struct in6_addr *ip);
bool ouro__sim_inet_is_any(const struct in6_addr *ip);

int ouro__sim_inet_read_name(const struct sim_socket *socket, const struct sockaddr *address,
                             socklen_t len, struct sim_name *ret_name);
socklen_t ouro__sim_inet_write_name(const struct sim_socket *socket, const struct sim_name *name,
                                    struct sockaddr_storage *ret_address);

/* Whether what is sent to `ip` reaches `socket`. */
bool ouro__sim_inet_covers(const struct sim_socket *socket, const struct in6_addr *ip);

/* Whether one of `sockets` (of its port) keeps `socket` from its name. */
bool ouro__sim_inet_has_conflict(const struct sim_socket *socket, const struct list *sockets);

int ouro__sim_inet_bind(struct sim_net *net, struct sim_socket *socket,
                        const struct sockaddr *address, socklen_t len);
int ouro__sim_inet_enter_ephemeral_port(struct sim_net *net, struct sim_socket *socket);

void ouro__sim_inet_forget_ip(struct sim_socket *socket);
void ouro__sim_inet_release_name(struct sim_net *net, struct sim_socket *socket);

/* Gives back what the socket got without asking for it. */
void ouro__sim_inet_forget_name(struct sim_net *net, struct sim_socket *socket);

/* Where `name` leads to, and the address that one comes from when going there. */
int ouro__sim_inet_route(const struct sim_socket *socket, struct sim_name *name,
                         struct in6_addr *ret_source);

#endif /* OURO_SIM_INET_H */
