/* SPDX-License-Identifier: MIT */
/*
 * sim_net.c - what the simulated sockets have in common; see sim_net.h
 *
 * A connection is two sockets that point to each other, and each holds the bytes that it
 * has received: there is nothing between them. So what a send has accepted has arrived,
 * and when the receiver's queue is full the sender waits.
 *
 * Lifetimes
 *   A socket lives while a descriptor, a backlog or an operation refers to it, as a file
 *   does in the kernel: an operation on a closed descriptor goes on, and the other end
 *   hears of the close when that operation has ended.
 *   `peer` is not a reference. It is NULL as soon as the other end has died.
 *
 * Read next: sim_tcp.c, where most of the rules are; ring_sim.c for who calls all this.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim_message.h"
#include "sim_net.h"

#define STREAM_CAPACITY_MIN 512u

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* --- descriptors --------------------------------------------------------------------- */

static int take_lowest_fd(struct sim_net *net)
{
    unsigned top, middle, index;

    if (net->free_top == 0)
        return -EMFILE;
    top = (unsigned) __builtin_ctzll(net->free_top);
    middle = top * 64 + (unsigned) __builtin_ctzll(net->free_middle[top]);
    index = middle * 64 + (unsigned) __builtin_ctzll(net->free_bottom[middle]);

    net->free_bottom[middle] &= net->free_bottom[middle] - 1;
    if (net->free_bottom[middle] == 0)
        net->free_middle[top] &= net->free_middle[top] - 1;
    if (net->free_middle[top] == 0)
        net->free_top &= net->free_top - 1;
    return SIM_FD_FIRST + (int) index;
}

static void give_fd_back(struct sim_net *net, int fd)
{
    unsigned index = (unsigned) (fd - SIM_FD_FIRST);

    net->free_bottom[index / 64] |= UINT64_C(1) << index % 64;
    net->free_middle[index / 4096] |= UINT64_C(1) << index / 64 % 64;
    net->free_top |= UINT64_C(1) << index / 4096;
}

int ouro__sim_net_install(struct sim_net *net, struct sim_socket *socket)
{
    int fd = take_lowest_fd(net);

    if (fd >= 0)
        net->sockets[fd - SIM_FD_FIRST] = socket;
    return fd;
}

struct sim_socket *ouro__sim_net_find_any(struct sim_net *net, int fd, int *ret_code)
{
    struct sim_socket *socket = NULL;

    *ret_code = 0;
    if (fd >= 0 && fd < SIM_FD_FIRST)
        *ret_code = -ENOSYS;
    else if (fd >= SIM_FD_FIRST && fd < SIM_FD_FIRST + SIM_FD_COUNT)
        socket = net->sockets[fd - SIM_FD_FIRST];
    if (!socket && *ret_code == 0)
        *ret_code = -EBADF;
    return socket;
}

struct sim_socket *ouro__sim_net_find(struct sim_net *net, int fd, int *ret_code)
{
    struct sim_socket *socket = ouro__sim_net_find_any(net, fd, ret_code);

    if (!socket || (!socket->file && !socket->pipe))
        return socket;
    *ret_code = -ENOTSOCK;
    return NULL;
}

int ouro__sim_net_close(struct sim_net *net, int fd)
{
    int code;
    struct sim_socket *socket = ouro__sim_net_find_any(net, fd, &code);

    if (!socket)
        return code;
    net->sockets[fd - SIM_FD_FIRST] = NULL;
    give_fd_back(net, fd);
    ouro__sim_net_unref(net, socket);
    return 0;
}

/* --- sockets ------------------------------------------------------------------------- */

struct sim_socket *ouro__sim_net_new_socket(struct sim_net *net, int domain)
{
    struct sim_socket *socket = calloc(1, sizeof(*socket));

    if (!socket)
        return NULL;
    socket->family = domain == AF_UNIX ? &ouro__sim_unix : &ouro__sim_tcp;
    socket->domain = domain;
    socket->type = SOCK_STREAM;
    socket->refs = 1;
    socket->is_connect_told = true;
    list_init(&socket->link);
    list_init(&socket->changed_link);
    list_init(&socket->port_link);
    list_init(&socket->messages);
    list_init(&socket->target_link);
    list_init(&socket->senders);
    list_init(&socket->stalled_link);
    list_append(&net->all, &socket->all_link);
    for (unsigned queue = 0; queue < SIM_WAIT_COUNT; queue++)
        list_init(&socket->waiting[queue]);
    ouro__sim_option_init(socket);
    return socket;
}

static void free_socket(struct sim_socket *socket)
{
    list_remove(&socket->changed_link);
    list_remove(&socket->all_link);
    list_remove(&socket->stalled_link);
    ouro__sim_message_free_all(socket);
    free(socket->listener);
    free(socket->received.bytes);
    free(socket);
}

void ouro__sim_net_unref(struct sim_net *net, struct sim_socket *socket)
{
    if (--socket->refs > 0)
        return;
    ouro__sim_net_leave_connecting(socket);
    ouro__sim_net_stop_listening(net, socket);
    socket->family->hang_up(net, socket);
    CHECK(!socket->peer, "a socket died without telling its peer");
    socket->family->release_name(net, socket);
    ouro__sim_message_discard_all(net, socket);
    free_socket(socket);
}

void ouro__sim_net_mark_changed(struct sim_net *net, struct sim_socket *socket)
{
    if (list_is_empty(&socket->changed_link))
        list_append(&net->changed, &socket->changed_link);
}

struct sim_socket *ouro__sim_net_shift_changed(struct sim_net *net)
{
    struct list *node = list_shift(&net->changed);

    return node ? container_of(node, struct sim_socket, changed_link) : NULL;
}

struct sim_net *ouro__sim_net_create(struct sim_random *random)
{
    struct sim_net *net = calloc(1, sizeof(*net));

    if (!net)
        return NULL;
    net->random = random;
    list_init(&net->changed);
    list_init(&net->all);
    list_init(&net->stalled);
    net->room_epoch = 1;
    for (unsigned bucket = 0; bucket < SIM_PATH_BUCKETS; bucket++)
        list_init(&net->paths[bucket]);
    net->free_top = UINT64_MAX;
    memset(net->free_middle, 0xff, sizeof(net->free_middle));
    memset(net->free_bottom, 0xff, sizeof(net->free_bottom));
    return net;
}

void ouro__sim_net_destroy(struct sim_net *net)
{
    while (!list_is_empty(&net->all)) {
        struct sim_socket *socket = container_of(net->all.next, struct sim_socket, all_link);

        socket->family->release_name(net, socket);
        free_socket(socket);
    }
    ouro__sim_unix_done(net);
    free(net);
}

/* --- streams ------------------------------------------------------------------------- */

static bool stream_reserve(struct sim_stream *stream, uint32_t len)
{
    uint32_t capacity = stream->capacity ? stream->capacity : STREAM_CAPACITY_MIN;
    uint32_t first = least(stream->len, stream->capacity - stream->head);
    char *bytes;

    while (capacity < stream->len + len)
        capacity *= 2;
    if (capacity == stream->capacity)
        return true;
    bytes = malloc(capacity);
    if (!bytes)
        return false;
    if (stream->bytes) {
        memcpy(bytes, stream->bytes + stream->head, first);
        memcpy(bytes + first, stream->bytes, stream->len - first);
        free(stream->bytes);
    }
    stream->bytes = bytes;
    stream->capacity = capacity;
    stream->head = 0;
    return true;
}

/* The caller has reserved the space. */
static void stream_push(struct sim_stream *stream, const char *bytes, uint32_t len)
{
    uint32_t tail = (stream->head + stream->len) & (stream->capacity - 1);
    uint32_t first = least(len, stream->capacity - tail);

    memcpy(stream->bytes + tail, bytes, first);
    memcpy(stream->bytes, bytes + first, len - first);
    stream->len += len;
}

static void stream_peek(const struct sim_stream *stream, char *bytes, uint32_t len)
{
    uint32_t first = least(len, stream->capacity - stream->head);

    memcpy(bytes, stream->bytes + stream->head, first);
    memcpy(bytes + first, stream->bytes, len - first);
}

static void stream_drop(struct sim_stream *stream, uint32_t len)
{
    stream->head = (stream->head + len) & (stream->capacity - 1);
    stream->len -= len;
    stream->taken += len;
}

/* --- receiving and sending ----------------------------------------------------------- */

uint32_t ouro__sim_net_readable(const struct sim_socket *socket)
{
    return socket->received.len;
}

uint32_t ouro__sim_net_writable(const struct sim_socket *socket)
{
    if (socket->type == SOCK_DGRAM)
        return 0; /* it is all of a datagram or nothing */
    return SIM_STREAM_MAX - (socket->peer ? socket->peer->received.len : 0);
}

int ouro__sim_net_receive(struct sim_net *net, struct sim_socket *socket, void *buf, uint32_t len,
                          int flags)
{
    struct sim_parcel parcel = {0};
    int result = ouro__sim_net_receive_parcel(net, socket, buf, len, flags, &parcel);

    ouro__sim_message_release(net, parcel.rights); /* as nobody asked for them */
    return result;
}

int ouro__sim_net_receive_parcel(struct sim_net *net, struct sim_socket *socket, void *buf,
                                 uint32_t len, int flags, struct sim_parcel *parcel)
{
    struct sim_stream *received = &socket->received;

    if (socket->family->transmit)
        return ouro__sim_message_receive(net, socket, buf, len, flags, parcel);
    if (received->len == 0)
        return socket->family->receive_nothing(socket);
    len = ouro__sim_message_take_rights(socket, least(len, received->len), flags, parcel);
    if (len > 0 && ouro__sim_net_wants_bytes(socket, flags))
        stream_peek(received, buf, len);
    if (!(flags & MSG_PEEK)) {
        stream_drop(received, len);
        if (socket->peer)
            ouro__sim_net_mark_changed(net, socket->peer);
    }
    return (int) len;
}

int ouro__sim_net_send(struct sim_net *net, struct sim_socket *socket, void *buf, uint32_t len,
                       int flags)
{
    struct sim_parcel parcel = {0};

    (void) flags; /* those that are allowed say when to wait or to signal: not here */
    return ouro__sim_net_send_parcel(net, socket, buf, len, &parcel);
}

int ouro__sim_net_send_parcel(struct sim_net *net, struct sim_socket *socket, const void *buf,
                              uint32_t len, struct sim_parcel *parcel)
{
    int code;

    if (socket->family->transmit)
        return socket->family->transmit(net, socket, buf, len, parcel);
    code = socket->family->refuse_send(socket);
    if (code || len == 0)
        return code;
    code = socket->family->deliver(net, socket);
    if (code <= 0)
        return code < 0 ? code : (int) least(len, SIM_STREAM_MAX);
    len = least(len, ouro__sim_net_writable(socket));
    if (len == 0)
        return -EAGAIN;
    if (!stream_reserve(&socket->peer->received, len))
        return -ENOBUFS;
    code = ouro__sim_message_attach(socket->peer, len, parcel);
    if (code)
        return code;
    stream_push(&socket->peer->received, buf, len);
    ouro__sim_net_mark_changed(net, socket->peer);
    return (int) len;
}

/* --- listening ----------------------------------------------------------------------- */

static bool is_full(const struct sim_listener *listener)
{
    return listener->backlog_count > listener->backlog_max;
}

/* Makes the connection's other end and puts it into the backlog. */
static int admit(struct sim_net *net, struct sim_socket *socket, struct sim_socket *client)
{
    struct sim_socket *child = ouro__sim_net_new_socket(net, socket->domain);

    if (!child)
        return -ENOMEM;
    child->is_child = true;
    child->state = client->state = SIM_CONNECTED;
    child->peer = client;
    client->peer = child;
    child->family->join(net, child, client, socket);
    list_append(&socket->listener->backlog, &child->link);
    socket->listener->backlog_count++;
    ouro__sim_net_mark_changed(net, socket);
    ouro__sim_net_mark_changed(net, client);
    return 0;
}

void ouro__sim_net_leave_connecting(struct sim_socket *socket)
{
    if (socket->state != SIM_CONNECTING)
        return;
    list_remove(&socket->link);
    socket->state = SIM_UNCONNECTED;
}

static void refuse(struct sim_net *net, struct sim_socket *client, int error)
{
    ouro__sim_net_leave_connecting(client);
    client->error = error;
    client->family->give_up(net, client);
    ouro__sim_net_mark_changed(net, client);
}

static struct sim_socket *first_connecting(struct sim_listener *listener)
{
    struct list *node = listener->connecting.next;

    return node == &listener->connecting ? NULL : container_of(node, struct sim_socket, link);
}

void ouro__sim_net_refuse_connecting(struct sim_net *net, struct sim_listener *listener)
{
    struct sim_socket *client;

    while ((client = first_connecting(listener)))
        refuse(net, client, ECONNREFUSED);
}

/* Admits who waits for room, as far as there is some. */
static void admit_waiting(struct sim_net *net, struct sim_socket *socket)
{
    struct sim_socket *client;

    while (!is_full(socket->listener) && (client = first_connecting(socket->listener))) {
        ouro__sim_net_leave_connecting(client);
        if (admit(net, socket, client))
            refuse(net, client, ENOMEM);
    }
}

int ouro__sim_net_listen(struct sim_net *net, struct sim_socket *socket, int backlog)
{
    int code = socket->family->listen(net, socket);

    if (code)
        return code;
    if (!socket->listener) {
        socket->listener = calloc(1, sizeof(*socket->listener));
        if (!socket->listener)
            return -ENOMEM;
        list_init(&socket->listener->backlog);
        list_init(&socket->listener->connecting);
        socket->state = SIM_LISTENING;
        ouro__sim_tcp_refile(socket);
        ouro__sim_net_mark_changed(net, socket);
    }
    socket->listener->backlog_max = least((unsigned) backlog, SIM_SOMAXCONN);
    admit_waiting(net, socket);
    return 0;
}

static struct sim_socket *shift_child(struct sim_listener *listener)
{
    struct list *node = list_shift(&listener->backlog);

    if (!node)
        return NULL;
    listener->backlog_count--;
    return container_of(node, struct sim_socket, link);
}

bool ouro__sim_net_abort_child(struct sim_net *net, struct sim_socket *socket)
{
    struct sim_socket *child = socket->listener ? shift_child(socket->listener) : NULL;

    if (!child)
        return false;
    ouro__sim_net_unref(net, child);
    admit_waiting(net, socket);
    return true;
}

void ouro__sim_net_stop_listening(struct sim_net *net, struct sim_socket *socket)
{
    struct sim_listener *listener = socket->listener;
    struct sim_socket *child;

    if (socket->state != SIM_LISTENING)
        return;
    socket->state = SIM_UNCONNECTED;
    socket->listener = NULL;
    ouro__sim_tcp_refile(socket);
    while ((child = shift_child(listener)))
        ouro__sim_net_unref(net, child);
    ouro__sim_net_refuse_connecting(net, listener);
    free(listener);
    ouro__sim_net_mark_changed(net, socket);
}

/* --- names --------------------------------------------------------------------------- */

static bool is_len_valid(const socklen_t *len)
{
    return (int) *len >= 0;
}

/* Copies as much as fits and says how long the name is. */
static void copy_name(const struct sim_socket *socket, const struct sim_name *name,
                      struct sockaddr *address, socklen_t *len)
{
    struct sockaddr_storage storage;
    socklen_t name_len = socket->family->write_name(socket, name, &storage);

    memcpy(address, &storage, least(*len, name_len));
    *len = name_len;
}

int ouro__sim_net_name(const struct sim_socket *socket, bool of_peer, struct sockaddr *address,
                       socklen_t *len)
{
    const struct sim_name *name = &socket->local;
    int code = of_peer ? socket->family->peer_name(socket, &name) : 0;

    if (code)
        return code;
    if (!is_len_valid(len))
        return -EINVAL;
    copy_name(socket, name, address, len);
    return 0;
}

/* --- making connections -------------------------------------------------------------- */

static int check_kind(int domain, int type, int protocol)
{
    int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
    int own_protocol = domain == AF_UNIX ? PF_UNIX : kind == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;

    if (kind < SOCK_STREAM || kind > SOCK_PACKET)
        return -EINVAL;
    if (domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX)
        return -EAFNOSUPPORT;
    if (domain != AF_UNIX && (protocol < 0 || protocol >= IPPROTO_MAX))
        return -EINVAL;
    if (kind != SOCK_STREAM && kind != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    return protocol == 0 || protocol == own_protocol ? 0 : -EPROTONOSUPPORT;
}

static struct sim_socket *new_socket_of_type(struct sim_net *net, int domain, int type)
{
    struct sim_socket *socket = ouro__sim_net_new_socket(net, domain);

    if (socket && (type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) == SOCK_DGRAM) {
        socket->type = SOCK_DGRAM;
        socket->family = domain == AF_UNIX ? &ouro__sim_unix_datagram : &ouro__sim_udp;
        ouro__sim_option_init(socket);
    }
    return socket;
}

int ouro__sim_net_socket(struct sim_net *net, int domain, int type, int protocol)
{
    int fd = check_kind(domain, type, protocol);
    struct sim_socket *socket;

    if (fd < 0)
        return fd;
    socket = new_socket_of_type(net, domain, type);
    if (!socket)
        return -ENOMEM;
    fd = ouro__sim_net_install(net, socket);
    if (fd < 0)
        ouro__sim_net_unref(net, socket);
    return fd;
}

static void join_pair(struct sim_net *net, struct sim_socket *a, struct sim_socket *b)
{
    a->state = b->state = SIM_CONNECTED;
    if (a->type == SOCK_DGRAM) {
        ouro__sim_unix_datagram_join(net, a, b);
    } else {
        a->peer = b;
        b->peer = a;
    }
}

int ouro__sim_net_socketpair(struct sim_net *net, int domain, int type, int protocol, int fds[2])
{
    int code = check_kind(domain, type, protocol);

    if (!code && domain != AF_UNIX)
        code = -EOPNOTSUPP;
    if (code)
        return code;
    fds[0] = ouro__sim_net_socket(net, domain, type, protocol);
    if (fds[0] < 0)
        return fds[0];
    fds[1] = ouro__sim_net_socket(net, domain, type, protocol);
    if (fds[1] < 0) {
        (void) ouro__sim_net_close(net, fds[0]);
        return fds[1];
    }
    join_pair(net, net->sockets[fds[0] - SIM_FD_FIRST], net->sockets[fds[1] - SIM_FD_FIRST]);
    return 0;
}

/* What has become of a connect that had to wait. */
static int connect_outcome(struct sim_socket *socket)
{
    int error;

    if (socket->state == SIM_CONNECTING)
        return -EAGAIN;
    socket->is_connect_told = true;
    if (socket->state == SIM_CONNECTED)
        return 0;
    error = ouro__sim_net_take_error(socket);
    return error ? error : -ECONNREFUSED;
}

int ouro__sim_net_connect(struct sim_net *net, struct sim_socket *socket,
                          const struct sockaddr *address, socklen_t len, bool again)
{
    struct sim_socket *listener = NULL;
    int code;

    if (socket->family->connect)
        return socket->family->connect(net, socket, address, len);
    if (again)
        return connect_outcome(socket);
    code = socket->family->find_listener(net, socket, address, len, &listener);
    if (code || !listener)
        return code;
    socket->is_connect_told = false;
    if (is_full(listener->listener)) {
        socket->state = SIM_CONNECTING;
        list_append(&listener->listener->connecting, &socket->link);
        return -EAGAIN;
    }
    code = admit(net, listener, socket);
    if (code)
        socket->family->give_up(net, socket);
    else
        socket->is_connect_told = true;
    return code;
}

void ouro__sim_net_abandon_connect(struct sim_net *net, struct sim_socket *socket)
{
    if (socket->state != SIM_CONNECTING || socket->domain != AF_UNIX)
        return;
    ouro__sim_net_leave_connecting(socket);
    socket->family->give_up(net, socket);
    ouro__sim_net_mark_changed(net, socket);
}

int ouro__sim_net_accept(struct sim_net *net, struct sim_socket *socket, struct sockaddr *address,
                         socklen_t *len)
{
    struct sim_socket *child;
    int fd;

    if (socket->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (socket->state != SIM_LISTENING || (address && len && !is_len_valid(len)))
        return -EINVAL;
    if (address && !len)
        return -EFAULT;
    if (net->free_top == 0)
        return -EMFILE;
    child = shift_child(socket->listener);
    if (!child)
        return socket->shutdown & SIM_SHUT_RECV ? -EINVAL : -EAGAIN;
    fd = ouro__sim_net_install(net, child);
    child->is_child = false;
    admit_waiting(net, socket);
    if (address)
        copy_name(child, &child->remote, address, len);
    return fd;
}
