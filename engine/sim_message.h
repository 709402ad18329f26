/* SPDX-License-Identifier: MIT */
/*
 * sim_message.h - messages of the simulated network: datagrams, and descriptors in flight
 */
#ifndef OURO_SIM_MESSAGE_H
#define OURO_SIM_MESSAGE_H

#include "sim_net.h"

/* What a datagram costs its receiver's buffer beside its bytes. */
#define SIM_MESSAGE_OVERHEAD 512u

/* As many descriptors as one message can carry (SCM_MAX_FD). */
#define SIM_RIGHTS_MAX 253

/* A datagram, or a mark in a stream: where the bytes are that descriptors came with. */
struct sim_message {
    struct list link;          /* in its receiver's `messages` */
    struct sim_name from;      /* datagrams */
    struct sim_rights *rights; /* NULL: none */
    uint64_t start, end;       /* streams: as sim_stream.taken counts */
    uint32_t len;              /* datagrams */
    char bytes[];
};

/* Drops the references; NULL is allowed. */
void ouro__sim_message_release(struct sim_net *net, struct sim_rights *rights);

/* Empties a socket's queue: in a running network, and when all of it comes to its end. */
void ouro__sim_message_discard_all(struct sim_net *net, struct sim_socket *socket);
void ouro__sim_message_free_all(struct sim_socket *socket);

/* --- datagrams --------------------------------------------------------------------------- */

/*
 * Queues one at `to`, with the rights in `parcel`, which it takes. Returns 0 or -ENOBUFS. A
 * parcel of NULL carries none.
 */
int ouro__sim_message_deliver(struct sim_net *net, struct sim_socket *to,
                              const struct sim_name *from, const void *buf, uint32_t len,
                              struct sim_parcel *parcel, enum sim_fate fate);

/* The receive of all datagram families. */
int ouro__sim_message_receive(struct sim_net *net, struct sim_socket *socket, void *buf,
                              uint32_t len, int flags, struct sim_parcel *parcel);

/* Whoever waits for room at `socket` is to look again. */
void ouro__sim_message_announce_room(struct sim_net *net, struct sim_socket *socket);

/* POLLIN, POLLERR, POLLHUP and the like, which they also have in common. */
unsigned ouro__sim_message_poll(const struct sim_socket *socket);

/* --- descriptors in streams ------------------------------------------------------------- */

/* The next `len` bytes that `to` receives carry the rights in `parcel`. Returns 0 or -ENOBUFS. */
int ouro__sim_message_attach(struct sim_socket *to, uint32_t len, struct sim_parcel *parcel);

/*
 * A receive of `len` bytes: hands over the first descriptors among them, and returns how many
 * bytes it may have: none beyond those that these came with.
 */
uint32_t ouro__sim_message_take_rights(struct sim_socket *socket, uint32_t len, int flags,
                                       struct sim_parcel *parcel);

#endif /* OURO_SIM_MESSAGE_H */
