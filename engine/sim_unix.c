/* SPDX-License-Identifier: MIT */
/*
 * sim_unix.c - what is Unix sockets' own: their manners of dying, names
 *
 * A Unix connection has no segments: what one end does to itself is done to the other at
 * once, and nobody can break it from outside. The errors are Linux's and often differ
 * from TCP's.
 *
 * Names are kept here and never touch the file system. The one liberty: a path whose
 * socket is gone may be bound again, as if its owner had unlinked it - a program's own
 * unlink(2) does not reach this place. Until then connecting gives ECONNREFUSED, as with
 * the file that a server leaves behind.
 */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "check.h"
#include "sim_net.h"

#define PATH_OFFSET    offsetof(struct sockaddr_un, sun_path)
#define PATH_MAX_BYTES (sizeof(struct sockaddr_un) - PATH_OFFSET + 1)

/* A name in use, or a path that was. */
struct sim_path {
    struct list link;         /* in its bucket */
    struct sim_socket *owner; /* the socket bound to it; NULL: gone */
    unsigned refs;            /* names of sockets that point here */
    int type;                 /* abstract: each type of socket has names of its own; else 0 */
    uint32_t len;             /* a path's NUL is counted, as getsockname(2) does */
    char bytes[PATH_MAX_BYTES];
};

/* --- names --------------------------------------------------------------------------- */

static bool is_abstract(const struct sim_path *path)
{
    return path->bytes[0] == '\0';
}

/* FNV-1a. */
static struct list *bucket_of(struct sim_net *net, const struct sim_path *path)
{
    uint32_t hash = 2166136261u;

    for (uint32_t i = 0; i < path->len; i++)
        hash = (hash ^ (unsigned char) path->bytes[i]) * 16777619u;
    return &net->paths[hash % SIM_PATH_BUCKETS];
}

static struct sim_path *find_path(struct sim_net *net, const struct sim_path *wanted)
{
    struct list *bucket = bucket_of(net, wanted);

    for (struct list *node = bucket->next; node != bucket; node = node->next) {
        struct sim_path *path = container_of(node, struct sim_path, link);

        if (path->type == wanted->type && path->len == wanted->len &&
            memcmp(path->bytes, wanted->bytes, path->len) == 0)
            return path;
    }
    return NULL;
}

static struct sim_path *add_path(struct sim_net *net, const struct sim_path *wanted)
{
    struct sim_path *path = malloc(sizeof(*path));

    if (!path)
        return NULL;
    *path = *wanted;
    list_append(bucket_of(net, path), &path->link);
    return path;
}

static void free_path(struct sim_path *path)
{
    list_remove(&path->link);
    free(path);
}

static struct sim_path *ref_path(struct sim_path *path)
{
    if (path)
        path->refs++;
    return path;
}

/* Abstract names go with their last user, paths stay. */
static void unref_path(struct sim_path *path)
{
    if (path && --path->refs == 0 && is_abstract(path))
        free_path(path);
}

void ouro__sim_unix_rename(struct sim_name *name, const struct sim_name *like)
{
    struct sim_path *path = like ? ref_path(like->path) : NULL;

    unref_path(name->path);
    name->path = path;
}

void ouro__sim_unix_done(struct sim_net *net)
{
    for (unsigned bucket = 0; bucket < SIM_PATH_BUCKETS; bucket++)
        while (!list_is_empty(&net->paths[bucket]))
            free_path(container_of(net->paths[bucket].next, struct sim_path, link));
}

static int read_path(int type, const struct sockaddr *address, socklen_t len,
                     struct sim_path *ret_path)
{
    struct sockaddr_un un = {0};

    if (len <= PATH_OFFSET || len > sizeof(un))
        return -EINVAL;
    memcpy(&un, address, len);
    if (un.sun_family != AF_UNIX)
        return -EINVAL;
    *ret_path = (struct sim_path) {.len = (uint32_t) (len - PATH_OFFSET)};
    memcpy(ret_path->bytes, un.sun_path, ret_path->len);
    if (is_abstract(ret_path))
        ret_path->type = type;
    else
        ret_path->len = (uint32_t) strlen(ret_path->bytes) + 1;
    return 0;
}

/* A name of the network's choice, for a bind() that gives none. */
static int make_up_path(struct sim_net *net, int type, struct sim_path *ret_path)
{
    *ret_path = (struct sim_path) {.type = type, .len = 6};
    for (uint32_t tries = 0; tries <= 0xfffff; tries++) {
        (void) snprintf(ret_path->bytes + 1, sizeof(ret_path->bytes) - 1, "%05x",
                        net->path_serial++ & 0xfffff);
        if (!find_path(net, ret_path))
            return 0;
    }
    return -ENOSPC;
}

static bool asks_for_a_name(const struct sockaddr *address, socklen_t len)
{
    return len == PATH_OFFSET && address->sa_family == AF_UNIX;
}

int ouro__sim_unix_bind(struct sim_net *net, struct sim_socket *socket,
                        const struct sockaddr *address, socklen_t len)
{
    struct sim_path wanted;
    struct sim_path *path;
    int code = asks_for_a_name(address, len) ? make_up_path(net, socket->type, &wanted)
                                             : read_path(socket->type, address, len, &wanted);

    if (code)
        return code;
    if (socket->local.path)
        return -EINVAL;
    path = find_path(net, &wanted);
    if (path && path->owner)
        return -EADDRINUSE;
    if (!path)
        path = add_path(net, &wanted);
    if (!path)
        return -ENOMEM;
    path->owner = socket;
    socket->local.path = ref_path(path);
    return 0;
}

void ouro__sim_unix_release_name(struct sim_net *net, struct sim_socket *socket)
{
    (void) net;
    if (socket->local.path && socket->local.path->owner == socket)
        socket->local.path->owner = NULL;
    unref_path(socket->local.path);
    unref_path(socket->remote.path);
}

socklen_t ouro__sim_unix_write_name(const struct sim_socket *socket, const struct sim_name *name,
                                    struct sockaddr_storage *ret_address)
{
    (void) socket;
    ret_address->ss_family = AF_UNIX;
    if (!name->path)
        return PATH_OFFSET;
    memcpy((char *) ret_address + PATH_OFFSET, name->path->bytes, name->path->len);
    return (socklen_t) (PATH_OFFSET + name->path->len);
}

int ouro__sim_unix_peer_name(const struct sim_socket *socket, const struct sim_name **ret_name)
{
    if (socket->state != SIM_CONNECTED)
        return -ENOTCONN;
    *ret_name = &socket->remote;
    return 0;
}

/* --- connecting ---------------------------------------------------------------------- */

static int unix_listen(struct sim_net *net, struct sim_socket *socket)
{
    (void) net;
    if (socket->state == SIM_LISTENING)
        return 0;
    return socket->state == SIM_UNCONNECTED && socket->local.path ? 0 : -EINVAL;
}

static int check_may_connect(const struct sim_socket *socket)
{
    static const int codes[] = {
        [SIM_UNCONNECTED] = 0,      [SIM_LISTENING] = -EINVAL,    [SIM_CONNECTING] = -EALREADY,
        [SIM_CONNECTED] = -EISCONN, [SIM_DISCONNECTED] = -EINVAL,
    };

    return codes[socket->state];
}

int ouro__sim_unix_find(struct sim_net *net, int type, const struct sockaddr *address,
                        socklen_t len, struct sim_socket **ret_socket)
{
    struct sim_path wanted;
    struct sim_path *path;
    int code = read_path(type, address, len, &wanted);

    if (code)
        return code;
    path = find_path(net, &wanted);
    if (!path && !is_abstract(&wanted))
        return -ENOENT;
    if (!path || !path->owner)
        return -ECONNREFUSED;
    if (path->owner->type != type)
        return -EPROTOTYPE;
    *ret_socket = path->owner;
    return 0;
}

static int unix_find_listener(struct sim_net *net, struct sim_socket *socket,
                              const struct sockaddr *address, socklen_t len,
                              struct sim_socket **ret_listener)
{
    struct sim_socket *owner;
    int code = ouro__sim_unix_find(net, SOCK_STREAM, address, len, &owner);

    if (code)
        return code;
    if (owner->state != SIM_LISTENING || owner->shutdown & SIM_SHUT_RECV)
        return -ECONNREFUSED;
    code = check_may_connect(socket);
    if (!code)
        *ret_listener = owner;
    return code;
}

static void unix_join(struct sim_net *net, struct sim_socket *child, struct sim_socket *client,
                      struct sim_socket *listener)
{
    (void) net;
    child->local.path = ref_path(listener->local.path);
    child->remote.path = ref_path(client->local.path);
    client->remote.path = ref_path(listener->local.path);
}

static void unix_give_up(struct sim_net *net, struct sim_socket *socket)
{
    (void) net; /* connecting has named nothing yet */
    (void) socket;
}

/* --- ends ---------------------------------------------------------------------------- */

static int unix_shutdown(struct sim_net *net, struct sim_socket *socket, int how)
{
    struct sim_socket *peer = socket->peer;

    socket->shutdown |= (uint8_t) how;
    ouro__sim_net_mark_changed(net, socket);
    if (peer) {
        peer->shutdown |= how & SIM_SHUT_RECV ? SIM_SHUT_SEND : 0;
        peer->shutdown |= how & SIM_SHUT_SEND ? SIM_SHUT_RECV : 0;
        ouro__sim_net_mark_changed(net, peer);
    }
    if (socket->listener && how & SIM_SHUT_RECV)
        ouro__sim_net_refuse_connecting(net, socket->listener);
    return 0;
}

static void unix_hang_up(struct sim_net *net, struct sim_socket *socket)
{
    struct sim_socket *peer = socket->peer;

    if (!peer)
        return;
    peer->peer = NULL;
    peer->shutdown = SIM_SHUT_BOTH;
    if (socket->is_child || socket->received.len > 0)
        peer->error = ECONNRESET;
    ouro__sim_net_mark_changed(net, peer);
    socket->peer = NULL;
}

static bool unix_fail(struct sim_net *net, struct sim_socket *socket, int error)
{
    (void) net; /* no wire, so nothing on it can break */
    (void) socket;
    (void) error;
    return false;
}

/* --- transfers ----------------------------------------------------------------------- */

static int unix_receive_nothing(struct sim_socket *socket)
{
    int error;

    if (socket->state != SIM_CONNECTED)
        return -EINVAL;
    error = ouro__sim_net_take_error(socket);
    if (error || socket->shutdown & SIM_SHUT_RECV)
        return error;
    return -EAGAIN;
}

static int unix_refuse_send(struct sim_socket *socket)
{
    if (socket->state != SIM_CONNECTED)
        return -ENOTCONN;
    return socket->shutdown & SIM_SHUT_SEND ? -EPIPE : 0;
}

static int unix_deliver(struct sim_net *net, struct sim_socket *socket)
{
    (void) net;
    return !socket->peer || socket->peer->shutdown & SIM_SHUT_RECV ? -EPIPE : 1;
}

static unsigned unix_poll(const struct sim_socket *socket)
{
    bool has_input = socket->received.len > 0 ||
                     (socket->listener && !list_is_empty(&socket->listener->backlog));
    unsigned events = socket->error ? POLLERR : 0;

    if (socket->state == SIM_CONNECTING)
        return events;
    if (socket->state == SIM_UNCONNECTED || socket->shutdown == SIM_SHUT_BOTH)
        events |= POLLHUP;
    if (socket->shutdown & SIM_SHUT_RECV)
        events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (has_input)
        events |= POLLIN | POLLRDNORM;
    if (socket->state != SIM_LISTENING && ouro__sim_net_writable(socket) > 0)
        events |= POLLOUT | POLLWRNORM | POLLWRBAND;
    return events;
}

const struct sim_family ouro__sim_unix = {
    .bind = ouro__sim_unix_bind,
    .listen = unix_listen,
    .find_listener = unix_find_listener,
    .join = unix_join,
    .give_up = unix_give_up,
    .receive_nothing = unix_receive_nothing,
    .refuse_send = unix_refuse_send,
    .deliver = unix_deliver,
    .shutdown = unix_shutdown,
    .hang_up = unix_hang_up,
    .fail = unix_fail,
    .poll = unix_poll,
    .peer_name = ouro__sim_unix_peer_name,
    .write_name = ouro__sim_unix_write_name,
    .release_name = ouro__sim_unix_release_name,
};
