/* SPDX-License-Identifier: MIT */
/*
 * sim_message.c - messages of the simulated network; see sim_message.h
 *
 * A descriptor in flight is a reference: to a socket, a file or an end of a pipe. It ends in
 * the receiver's table, or where its message does: with a receive that had no room for it, or
 * with the socket that it waited at. Sockets that wait in each other's queues are not
 * collected; they end with the network.
 *
 * SENDMSG and RECVMSG go by way of a buffer, so that the families know of one piece of memory
 * only.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sim_message.h"
#include "sim_op.h"

/* More than any datagram has. */
#define DATAGRAM_MAX (512u * 1024)

static struct sim_message *message_of(struct list *node)
{
    return container_of(node, struct sim_message, link);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* --- rights -------------------------------------------------------------------------- */

void ouro__sim_message_release(struct sim_net *net, struct sim_rights *rights)
{
    if (!rights)
        return;
    for (uint32_t i = 0; i < rights->count; i++)
        if (rights->sockets[i])
            ouro__sim_net_unref(net, rights->sockets[i]);
    free(rights);
}

static struct sim_rights *new_rights(uint32_t count)
{
    struct sim_rights *rights = calloc(1, sizeof(*rights) + count * sizeof(rights->sockets[0]));

    if (rights)
        rights->count = count;
    return rights;
}

/* For MSG_PEEK: one copy stays. NULL also when there is no memory. */
static struct sim_rights *copy_rights(const struct sim_rights *rights)
{
    struct sim_rights *copy = rights ? new_rights(rights->count) : NULL;

    for (uint32_t i = 0; copy && i < copy->count; i++) {
        copy->sockets[i] = rights->sockets[i];
        copy->sockets[i]->refs++;
    }
    return copy;
}

/* Out of a message, or a copy. */
static struct sim_rights *take_rights(struct sim_message *message, int flags)
{
    struct sim_rights *rights = message->rights;

    if (flags & MSG_PEEK)
        return copy_rights(rights);
    message->rights = NULL;
    return rights;
}

static struct sim_rights *take_parcel_rights(struct sim_parcel *parcel)
{
    struct sim_rights *rights = parcel ? parcel->rights : NULL;

    if (parcel)
        parcel->rights = NULL;
    return rights;
}

/* --- queues -------------------------------------------------------------------------- */

static void free_message(struct sim_message *message)
{
    list_remove(&message->link);
    ouro__sim_unix_rename(&message->from, NULL);
    free(message->rights);
    free(message);
}

void ouro__sim_message_free_all(struct sim_socket *socket)
{
    while (!list_is_empty(&socket->messages))
        free_message(message_of(socket->messages.next));
}

static void discard(struct sim_net *net, struct sim_message *message)
{
    struct sim_rights *rights = take_rights(message, 0);

    free_message(message);
    ouro__sim_message_release(net, rights);
}

void ouro__sim_message_discard_all(struct sim_net *net, struct sim_socket *socket)
{
    while (!list_is_empty(&socket->messages))
        discard(net, message_of(socket->messages.next));
    socket->message_count = socket->message_bytes = 0;
}

/* --- datagrams ----------------------------------------------------------------------- */

/* Before one that was sent earlier, any of them. */
static struct list *place_in_queue(struct sim_net *net, struct sim_socket *to, enum sim_fate fate)
{
    struct list *place = &to->messages;
    uint32_t overtaken = 0;

    if (fate == SIM_OVERTAKES)
        overtaken = ouro__sim_random_below(net->random, to->message_count + 1);
    while (overtaken-- > 0)
        place = place->prev;
    return place;
}

int ouro__sim_message_deliver(struct sim_net *net, struct sim_socket *to,
                              const struct sim_name *from, const void *buf, uint32_t len,
                              struct sim_parcel *parcel, enum sim_fate fate)
{
    struct sim_message *message = calloc(1, sizeof(*message) + len);

    if (!message)
        return -ENOBUFS;
    message->from = *from;
    message->from.path = NULL;
    ouro__sim_unix_rename(&message->from, from);
    message->rights = take_parcel_rights(parcel);
    message->len = len;
    if (len > 0)
        memcpy(message->bytes, buf, len);
    list_append(place_in_queue(net, to, fate), &message->link);
    to->message_count++;
    to->message_bytes += len + SIM_MESSAGE_OVERHEAD;
    ouro__sim_net_mark_changed(net, to);
    return 0;
}

static void write_sender(const struct sim_socket *socket, const struct sim_message *message,
                         struct sim_parcel *parcel)
{
    if (socket->domain != AF_UNIX || message->from.path)
        parcel->name_len = socket->family->write_name(socket, &message->from, &parcel->name);
}

void ouro__sim_message_announce_room(struct sim_net *net, struct sim_socket *socket)
{
    struct list *node;

    for (node = socket->senders.next; node != &socket->senders; node = node->next)
        ouro__sim_net_mark_changed(net, container_of(node, struct sim_socket, target_link));
    net->room_epoch++;
    while ((node = list_shift(&net->stalled)))
        ouro__sim_net_mark_changed(net, container_of(node, struct sim_socket, stalled_link));
}

static void take_out(struct sim_net *net, struct sim_socket *socket, struct sim_message *message)
{
    socket->message_count--;
    socket->message_bytes -= message->len + SIM_MESSAGE_OVERHEAD;
    discard(net, message);
    ouro__sim_net_mark_changed(net, socket);
    ouro__sim_message_announce_room(net, socket);
}

int ouro__sim_message_receive(struct sim_net *net, struct sim_socket *socket, void *buf,
                              uint32_t len, int flags, struct sim_parcel *parcel)
{
    int error = ouro__sim_net_take_error(socket);
    struct sim_message *message;
    int result;

    if (error)
        return error;
    if (list_is_empty(&socket->messages))
        return socket->shutdown & SIM_SHUT_RECV && !(flags & MSG_DONTWAIT) ? 0 : -EAGAIN;
    message = message_of(socket->messages.next);
    len = least(len, message->len);
    if (len > 0)
        memcpy(buf, message->bytes, len);
    write_sender(socket, message, parcel);
    parcel->rights = take_rights(message, flags);
    parcel->flags = len < message->len ? MSG_TRUNC : 0;
    result = (int) (flags & MSG_TRUNC ? message->len : len);
    if (!(flags & MSG_PEEK))
        take_out(net, socket, message);
    return result;
}

unsigned ouro__sim_message_poll(const struct sim_socket *socket)
{
    unsigned events = socket->error ? POLLERR : 0;

    if (socket->shutdown & SIM_SHUT_RECV)
        events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (socket->shutdown == SIM_SHUT_BOTH)
        events |= POLLHUP;
    if (!list_is_empty(&socket->messages))
        events |= POLLIN | POLLRDNORM;
    return events;
}

/* --- descriptors in streams ------------------------------------------------------------ */

int ouro__sim_message_attach(struct sim_socket *to, uint32_t len, struct sim_parcel *parcel)
{
    struct sim_message *mark;

    if (!parcel->rights)
        return 0;
    mark = calloc(1, sizeof(*mark));
    if (!mark)
        return -ENOBUFS;
    mark->rights = take_parcel_rights(parcel);
    mark->start = to->received.taken + to->received.len;
    mark->end = mark->start + len;
    list_append(&to->messages, &mark->link);
    return 0;
}

uint32_t ouro__sim_message_take_rights(struct sim_socket *socket, uint32_t len, int flags,
                                       struct sim_parcel *parcel)
{
    uint64_t start = socket->received.taken;
    struct sim_message *mark;

    if (list_is_empty(&socket->messages) || len == 0)
        return len;
    mark = message_of(socket->messages.next);
    if (mark->start >= start + len)
        return len;
    len = least(len, (uint32_t) (mark->end - start));
    parcel->rights = take_rights(mark, flags);
    if (!(flags & MSG_PEEK))
        free_message(mark);
    return len;
}

/* --- SENDMSG ------------------------------------------------------------------------- */

/* How many bytes the parts have; -errno. */
static int64_t bytes_of(const struct msghdr *message)
{
    uint64_t total = 0;

    if (message->msg_iovlen > IOV_MAX)
        return -EMSGSIZE;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        if (message->msg_iov[i].iov_len > SSIZE_MAX)
            return -EINVAL;
        total += message->msg_iov[i].iov_len;
    }
    return (int64_t) (total < INT_MAX ? total : INT_MAX);
}

/* Copies between `flat` and the parts, from their byte `offset` on. */
static void copy_parts(const struct msghdr *message, uint32_t offset, char *flat, uint32_t len,
                       bool to_parts)
{
    for (size_t i = 0; i < message->msg_iovlen && len > 0; i++) {
        size_t part_len = message->msg_iov[i].iov_len;
        char *part = message->msg_iov[i].iov_base;
        uint32_t piece;

        if (offset >= part_len) {
            offset -= (uint32_t) part_len;
            continue;
        }
        piece = part_len - offset < len ? (uint32_t) (part_len - offset) : len;
        if (to_parts)
            memcpy(part + offset, flat, piece);
        else
            memcpy(flat, part + offset, piece);
        flat += piece;
        len -= piece;
        offset = 0;
    }
}

/* One SCM_RIGHTS; several are more than anybody sends. */
static int read_rights(struct sim_net *net, const struct cmsghdr *control,
                       struct sim_rights **ret_rights)
{
    uint32_t count = (uint32_t) ((control->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    struct sim_rights *rights;
    int code = 0;

    if (count > SIM_RIGHTS_MAX || *ret_rights)
        return -EINVAL;
    if (count == 0)
        return 0;
    rights = new_rights(count);
    if (!rights)
        return -ENOMEM;
    for (uint32_t i = 0; i < count && !code; i++) {
        int fd;

        memcpy(&fd, CMSG_DATA(control) + i * sizeof(fd), sizeof(fd));
        rights->sockets[i] = ouro__sim_net_find_any(net, fd, &code);
        if (rights->sockets[i])
            rights->sockets[i]->refs++;
    }
    if (code)
        ouro__sim_message_release(net, rights);
    else
        *ret_rights = rights;
    return code;
}

/* CMSG_NXTHDR() takes no const. */
static int read_control(struct sim_net *net, struct msghdr *message, struct sim_parcel *parcel)
{
    int code = 0;

    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control && !code;
         control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_len < CMSG_LEN(0) || control->cmsg_level != SOL_SOCKET ||
            control->cmsg_type != SCM_RIGHTS)
            code = -EINVAL;
        else
            code = read_rights(net, control, &parcel->rights);
    }
    return code;
}

static int read_parcel(struct sim_op *op, struct sim *sim, struct msghdr *message,
                       struct sim_parcel *parcel)
{
    socklen_t max = sizeof(parcel->name);
    int code;

    if ((int) message->msg_namelen < 0)
        return -EINVAL;
    if (message->msg_name) {
        parcel->name_len = message->msg_namelen < max ? message->msg_namelen : max;
        memcpy(&parcel->name, message->msg_name, parcel->name_len);
    }
    if (!message->msg_control || message->msg_controllen == 0 || op->done > 0)
        return 0; /* descriptors go with the first byte */
    code = read_control(sim->net, message, parcel);
    if (op->socket->domain == AF_UNIX)
        return code;
    ouro__sim_message_release(sim->net, take_parcel_rights(parcel)); /* as Linux ignores them */
    return code;
}

static bool wants_all(const struct sim_op *op)
{
    return op->sqe.msg_flags & MSG_WAITALL && op->socket->type == SOCK_STREAM;
}

/* One attempt's worth of `left` bytes, of which `possible` can be moved now. */
static uint32_t choose_len(struct sim *sim, const struct sim_op *op, uint32_t left,
                           uint32_t possible)
{
    if (op->socket->type == SOCK_DGRAM)
        return least(left, DATAGRAM_MAX);
    left = least(left, SIM_STREAM_MAX);
    if (possible == 0 || wants_all(op))
        return left;
    return ouro__sim_cut(sim, least(left, possible));
}

static int send_once(struct sim *sim, struct sim_op *op, struct msghdr *message, uint32_t total)
{
    struct sim_parcel parcel = {0};
    int result = read_parcel(op, sim, message, &parcel);
    uint32_t len = choose_len(sim, op, total - op->done, ouro__sim_net_writable(op->socket));
    char *flat = malloc(len + 1);

    if (!result && !flat)
        result = -ENOMEM;
    if (!result && op->socket->type == SOCK_STREAM && parcel.name_len &&
        op->socket->domain == AF_UNIX)
        result = op->socket->state == SIM_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    if (!result) {
        copy_parts(message, op->done, flat, len, /* to_parts= */ false);
        result = ouro__sim_net_send_parcel(sim->net, op->socket, flat, len, &parcel);
    }
    free(flat);
    ouro__sim_message_release(sim->net, parcel.rights);
    return result;
}

static int check(const struct sim_op *op, const struct msghdr *message, uint32_t *ret_total)
{
    int64_t total = bytes_of(message);

    if (total < 0)
        return (int) total;
    if (wants_all(op) && message->msg_control && message->msg_controllen > 0)
        return -EINVAL; /* which of several transfers would they belong to? */
    *ret_total = (uint32_t) total;
    return 0;
}

/* Goes on while MSG_WAITALL asks for it, and something moves. */
static int move_all(struct sim *sim, struct sim_op *op,
                    int (*once)(struct sim *sim, struct sim_op *op, struct msghdr *message,
                                uint32_t total))
{
    struct msghdr *message = ouro__sim_address_of(op->sqe.addr);
    uint32_t total;
    int moved = check(op, message, &total);

    if (moved)
        return moved;
    do {
        moved = once(sim, op, message, total);
        if (moved > 0 && op->socket->type == SOCK_STREAM)
            op->done += (uint32_t) moved;
    } while (wants_all(op) && moved > 0 && op->done < total);
    return moved == -EAGAIN || op->done == 0 ? moved : (int) op->done;
}

int ouro__sim_run_sendmsg(struct sim *sim, struct sim_op *op)
{
    return move_all(sim, op, send_once);
}

/* --- RECVMSG ------------------------------------------------------------------------- */

/* Makes descriptors of the rights, as far as there is room for them; tells how many. */
static uint32_t install_rights(struct sim *sim, struct sim_rights *rights, int *fds, uint32_t room)
{
    uint32_t count = 0;

    while (count < least(rights->count, room)) {
        int fd = ouro__sim_net_install(sim->net, rights->sockets[count]);

        if (fd < 0)
            break;
        rights->sockets[count] = NULL; /* the reference is the descriptor's */
        fds[count++] = fd;
    }
    return count;
}

/* As scm_detach_fds() of Linux does it. */
static void write_control(struct sim *sim, struct msghdr *message, struct sim_rights *rights)
{
    size_t space = message->msg_control ? message->msg_controllen : 0;
    struct cmsghdr header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    int fds[SIM_RIGHTS_MAX];
    uint32_t room = 0;
    uint32_t count;

    message->msg_controllen = 0;
    if (!rights)
        return;
    if (space > sizeof(header))
        room = (uint32_t) ((space - sizeof(header)) / sizeof(int));
    count = install_rights(sim, rights, fds, room);
    if (count < rights->count)
        message->msg_flags |= MSG_CTRUNC;
    if (count == 0)
        return;
    header.cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(message->msg_control, &header, sizeof(header));
    memcpy(CMSG_DATA((struct cmsghdr *) message->msg_control), fds, count * sizeof(int));
    message->msg_controllen = CMSG_SPACE(count * sizeof(int));
    if (message->msg_controllen > space)
        message->msg_controllen = space;
}

static void write_header(struct sim *sim, const struct sim_op *op, struct msghdr *message,
                         const struct sim_parcel *parcel)
{
    if (message->msg_name) {
        memcpy(message->msg_name, &parcel->name, least(message->msg_namelen, parcel->name_len));
        message->msg_namelen = parcel->name_len;
    }
    message->msg_flags = (int) (op->sqe.msg_flags & MSG_CMSG_CLOEXEC) | parcel->flags;
    write_control(sim, message, parcel->rights);
}

static int receive_once(struct sim *sim, struct sim_op *op, struct msghdr *message, uint32_t total)
{
    struct sim_socket *socket = op->socket;
    struct sim_parcel parcel = {0};
    uint32_t len = choose_len(sim, op, total - op->done, ouro__sim_net_readable(socket));
    char *flat = malloc(len + 1);
    int flags = (int) op->sqe.msg_flags;
    int result;

    if (!flat)
        return -ENOMEM;
    result = ouro__sim_net_receive_parcel(sim->net, socket, flat, len, flags, &parcel);
    if (result > 0 && ouro__sim_net_wants_bytes(socket, flags))
        copy_parts(message, op->done, flat, least(len, (uint32_t) result), /* to_parts= */ true);
    if (result > 0 && socket->type == SOCK_STREAM && socket->remote.path)
        parcel.name_len = socket->family->write_name(socket, &socket->remote, &parcel.name);
    if (result >= 0)
        write_header(sim, op, message, &parcel);
    free(flat);
    ouro__sim_message_release(sim->net, parcel.rights);
    return result;
}

int ouro__sim_run_recvmsg(struct sim *sim, struct sim_op *op)
{
    return move_all(sim, op, receive_once);
}

/* --- multishot RECVMSG --------------------------------------------------------------- */

/* In a buffer: struct io_uring_recvmsg_out, room for as long a name as asked for, the bytes. */
uint32_t ouro__sim_message_head(const struct sim_op *op)
{
    const struct msghdr *message = ouro__sim_address_of(op->sqe.addr);

    return (uint32_t) sizeof(struct io_uring_recvmsg_out) + message->msg_namelen;
}

/* Sees no shutdown: see ouro__sim_events_for(). */
int ouro__sim_message_fill(struct sim *sim, struct sim_op *op, void *data, uint32_t len)
{
    uint32_t head = ouro__sim_message_head(op);
    char *bytes = data;
    struct io_uring_recvmsg_out out;
    struct sim_parcel parcel = {0};
    int result;

    if (len < head)
        return -EFAULT;
    result = ouro__sim_net_receive_parcel(sim->net, op->socket, bytes + head, len - head,
                                          MSG_TRUNC | MSG_DONTWAIT, &parcel);
    if (result < 0)
        return result;
    out = (struct io_uring_recvmsg_out) {
        .namelen = parcel.name_len,
        .payloadlen = (uint32_t) result,
        .flags = (uint32_t) parcel.flags | (parcel.rights ? MSG_CTRUNC : 0),
    };
    memcpy(bytes, &out, sizeof(out));
    memcpy(bytes + sizeof(out), &parcel.name,
           least(parcel.name_len, head - (uint32_t) sizeof(out)));
    ouro__sim_message_release(sim->net, parcel.rights);
    return (int) (head + least((uint32_t) result, len - head));
}
