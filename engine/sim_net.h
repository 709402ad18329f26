/* SPDX-License-Identifier: MIT */
/*
 * sim_net.h - the simulated machine's sockets: a loopback network in memory
 *
 * Private to the simulated ring. Nothing in here waits or knows of operations: calls are
 * attempts, as on a non-blocking socket, and -EAGAIN means that nothing was done. A
 * socket whose poll events may have changed goes to the network's `changed` list; the
 * ring (ring_sim.c) takes it from there and tries again what waits for that socket.
 *
 *   sim_net.c      descriptors, byte streams, listening and connecting
 *   sim_tcp.c      what is TCP's own: FIN and RST
 *   sim_unix.c     what is Unix sockets' own: their manners of dying, names
 *   sim_udp.c, sim_unix_datagram.c    the two families of datagrams
 *   sim_inet.c     addresses and ports, for TCP and UDP
 *   sim_message.c  queues of datagrams, descriptors in flight, SENDMSG and RECVMSG
 *   sim_option.c   getsockopt, setsockopt
 *
 * Open files (sim_file.c) and pipes (sim_pipe.c) stand in the same table of descriptors, as
 * sockets of families of their own: all that waits, is polled or roused is a socket to the
 * ring. Calls of sockets don't find them (-ENOTSOCK).
 *
 * Vocabulary
 *   attempt    a call that does its work now or answers -EAGAIN
 *   listener   a socket that listens; child: a connection in its backlog, not accepted yet
 *   peer       the other end of a connection, while that end is open
 */
#ifndef OURO_SIM_NET_H
#define OURO_SIM_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "list.h"
#include "sim_random.h"

/* Descriptors come from a range that no kernel hands out, the lowest free one first. */
#define SIM_FD_FIRST (1 << 20)
#define SIM_FD_COUNT (64 * 64 * 64)

/* Bytes that a connection holds in each direction; a sender waits when they are there. */
#define SIM_STREAM_MAX (64u * 1024)

#define SIM_PORT_COUNT   65536
#define SIM_PATH_BUCKETS 64
#define SIM_SOMAXCONN    4096

struct sim_net;
struct sim_socket;

enum sim_state {
    SIM_UNCONNECTED,
    SIM_LISTENING,
    SIM_CONNECTING,  /* in the listener's `connecting` list: its backlog is full */
    SIM_CONNECTED,   /* `peer` is NULL when the other end was closed */
    SIM_DISCONNECTED /* TCP: was connected; then reset, or both directions ended */
};

/* Bits of sim_socket.shutdown; both are set when nothing can come or go any more. */
enum {
    SIM_SHUT_RECV = 1,
    SIM_SHUT_SEND = 2,
    SIM_SHUT_BOTH = 3,
};

/* The queues of operations that wait for a socket. */
enum sim_wait {
    SIM_READERS,
    SIM_WRITERS,
    SIM_POLLERS,
    SIM_WAIT_COUNT,
};

/* The integer options that are stored; sim_option.c describes them. */
enum sim_option {
    SIM_REUSEADDR,
    SIM_REUSEPORT,
    SIM_KEEPALIVE,
    SIM_SNDBUF,
    SIM_RCVBUF,
    SIM_BROADCAST,
    SIM_V6ONLY,
    SIM_NODELAY,
    SIM_CORK,
    SIM_QUICKACK,
    SIM_KEEPIDLE,
    SIM_KEEPINTVL,
    SIM_KEEPCNT,
    SIM_USER_TIMEOUT,
    SIM_NOTSENT_LOWAT,
    SIM_FASTOPEN,
    SIM_OPTION_COUNT
};

/* A queue of bytes; grows with use, up to SIM_STREAM_MAX. */
struct sim_stream {
    char *bytes;
    uint32_t capacity; /* 0 or a power of two */
    uint32_t head;     /* of the oldest byte */
    uint32_t len;
    uint64_t taken; /* bytes that have left it, ever */
};

/* Descriptors on their way through a Unix socket: references to what they mean. */
struct sim_rights {
    uint32_t count;
    struct sim_socket *sockets[];
};

/* What travels with the bytes of a message. */
struct sim_parcel {
    struct sockaddr_storage name; /* sending: where to; receiving: where from */
    socklen_t name_len;           /* 0: not given */
    struct sim_rights *rights;    /* NULL: none; whoever has the parcel owns them */
    int flags;                    /* receiving: MSG_TRUNC */
};

/* One end's name. All but Unix sockets' are IPv6, with IPv4 mapped into it, as dual-stack sockets see it. */
struct sim_name {
    struct in6_addr ip;
    uint16_t port;         /* 0: not bound */
    struct sim_path *path; /* Unix; NULL: unnamed */
};

/*
 * Where TCP and Unix sockets differ. `socket` is open and of that family in all of them. Files and
 * pipes have only hang_up, fail, poll and release_name.
 */
struct sim_family {
    int (*bind)(struct sim_net *net, struct sim_socket *socket, const struct sockaddr *address,
                socklen_t len);

    /* Whether it may listen, and names it if need be. */
    int (*listen)(struct sim_net *net, struct sim_socket *socket);

    /* Finds who listens at `address`, checks that `socket` may connect there, and names it. */
    int (*find_listener)(struct sim_net *net, struct sim_socket *socket,
                         const struct sockaddr *address, socklen_t len,
                         struct sim_socket **ret_listener);

    /* Names both ends of a new connection. */
    void (*join)(struct sim_net *net, struct sim_socket *child, struct sim_socket *client,
                 struct sim_socket *listener);

    /* A connection attempt ended without a connection. */
    void (*give_up)(struct sim_net *net, struct sim_socket *socket);

    /* What receiving gives when no byte is there: 0, -errno, or -EAGAIN to wait. */
    int (*receive_nothing)(struct sim_socket *socket);

    /* Why nothing can be sent: -errno, -EAGAIN to wait, or 0 to go on. */
    int (*refuse_send)(struct sim_socket *socket);

    /*
     * Whether bytes that are sent arrive: 1; 0 when they get lost on the way, which may break
     * the connection; or -errno.
     */
    int (*deliver)(struct sim_net *net, struct sim_socket *socket);

    int (*shutdown)(struct sim_net *net, struct sim_socket *socket, int how);

    /* The last descriptor and operation are gone: tells the other end. */
    void (*hang_up)(struct sim_net *net, struct sim_socket *socket);

    /* Breaks the connection under both ends, `socket` seeing `error`; false: impossible. */
    bool (*fail)(struct sim_net *net, struct sim_socket *socket, int error);

    unsigned (*poll)(const struct sim_socket *socket);

    int (*peer_name)(const struct sim_socket *socket, const struct sim_name **ret_name);
    socklen_t (*write_name)(const struct sim_socket *socket, const struct sim_name *name,
                            struct sockaddr_storage *ret_address);
    void (*release_name)(struct sim_net *net, struct sim_socket *socket);

    /* Only datagrams have these, which stand in for what sim_net.c does with streams. */
    int (*connect)(struct sim_net *net, struct sim_socket *socket, const struct sockaddr *address,
                   socklen_t len);
    int (*transmit)(struct sim_net *net, struct sim_socket *socket, const void *buf, uint32_t len,
                    struct sim_parcel *parcel);
};

/* What only a listener has. */
struct sim_listener {
    struct list backlog;    /* children, by `link` */
    struct list connecting; /* clients that found the backlog full, by `link` */
    unsigned backlog_count;
    unsigned backlog_max; /* one more is let in, as Linux does */
};

/* What the network does to the next datagram, where errors are asked for. */
enum sim_fate {
    SIM_ARRIVES,
    SIM_IS_LOST,
    SIM_IS_DOUBLED,
    SIM_OVERTAKES /* some of those that wait to be received */
};

struct sim_socket {
    const struct sim_family *family;
    int domain;
    int type; /* SOCK_STREAM, SOCK_DGRAM */
    enum sim_state state;
    unsigned refs;        /* descriptor, backlog and operations */
    uint8_t shutdown;     /* SIM_SHUT_* */
    bool is_finished;     /* TCP: the FIN is sent */
    bool peer_finished;   /* TCP: its FIN has come */
    bool is_child;        /* in a backlog, nobody has accepted it yet */
    bool is_connect_told; /* the outcome of connecting was returned, or there is none yet */
    bool has_given_ip;    /* TCP: by bind(), so that it outlasts a failed connect; */
    bool has_given_port;  /* likewise, unless bind() left it open */
    int error;            /* positive, told to the next call that asks; SO_ERROR */
    struct sim_socket *peer;
    struct sim_stream received;
    struct sim_listener *listener; /* SIM_LISTENING */
    struct sim_file *file;         /* not NULL: no socket but an open file or directory, */
    struct sim_pipe *pipe;         /* or one of the ends of a pipe */
    struct list link;              /* in a listener's `backlog` or `connecting` */
    struct list all_link;
    struct list changed_link;
    struct list messages;      /* datagrams that have come; streams: descriptors in `received` */
    uint32_t message_count;    /* of datagrams */
    uint32_t message_bytes;    /* with what each costs beside its bytes */
    enum sim_fate fate;        /* UDP: of the next one that is sent */
    struct sim_socket *target; /* Unix datagrams: whom it is connected to; no reference */
    struct list target_link;   /* in the `senders` of that */
    struct list senders;
    struct list stalled_link; /* in the network's `stalled` */
    struct sim_name local;
    struct sim_name remote;
    struct sim_port *port; /* TCP, UDP: that it is bound to */
    struct list port_link;
    int options[SIM_OPTION_COUNT];
    struct linger linger;

    /* The ring's: operations that wait, and whether one of these is being tried again. */
    struct list waiting[SIM_WAIT_COUNT];
    bool is_roused[SIM_WAIT_COUNT];
};

struct sim_net {
    struct sim_random *random;
    struct list changed; /* sockets whose poll events may have changed */
    struct list all;

    /* Which descriptors are free: a bit of a word says whether the word below has a bit. */
    uint64_t free_top;
    uint64_t free_middle[64];
    uint64_t free_bottom[64 * 64];
    struct sim_socket *sockets[SIM_FD_COUNT];

    /*
     * Sockets that may send, but not to where they wanted: a Unix datagram socket that has no
     * room. Each time that any of these may have got some, `room_epoch` counts one up.
     */
    struct list stalled;
    uint64_t room_epoch;

    struct sim_port *ports[2][SIM_PORT_COUNT]; /* sim_inet.c: TCP's, UDP's */
    struct list paths[SIM_PATH_BUCKETS];       /* sim_unix.c */
    uint32_t path_serial;                      /* of names that the network makes up */
};

/* --- sim_net.c ----------------------------------------------------------------------- */

/* NULL: no memory. */
struct sim_net *ouro__sim_net_create(struct sim_random *random);

/* Frees all, open sockets and those that operations still hold included. */
void ouro__sim_net_destroy(struct sim_net *net);

/* NULL with -EBADF, -ENOTSOCK, or with -ENOSYS for what is a descriptor of the real kernel. */
struct sim_socket *ouro__sim_net_find(struct sim_net *net, int fd, int *ret_code);

/* Likewise, but takes files and pipes as well. */
struct sim_socket *ouro__sim_net_find_any(struct sim_net *net, int fd, int *ret_code);
void ouro__sim_net_unref(struct sim_net *net, struct sim_socket *socket);

/* The next socket whose events may have changed; NULL: none. */
struct sim_socket *ouro__sim_net_shift_changed(struct sim_net *net);
void ouro__sim_net_mark_changed(struct sim_net *net, struct sim_socket *socket);

/* A fresh socket with one reference, the caller's; NULL: no memory. */
struct sim_socket *ouro__sim_net_new_socket(struct sim_net *net, int domain);

/* Gives the reference to a new descriptor. Returns it; on -EMFILE the caller keeps the reference. */
int ouro__sim_net_install(struct sim_net *net, struct sim_socket *socket);
int ouro__sim_net_close(struct sim_net *net, int fd);

int ouro__sim_net_socket(struct sim_net *net, int domain, int type, int protocol);
int ouro__sim_net_socketpair(struct sim_net *net, int domain, int type, int protocol, int fds[2]);
int ouro__sim_net_listen(struct sim_net *net, struct sim_socket *socket, int backlog);
int ouro__sim_net_name(const struct sim_socket *socket, bool of_peer, struct sockaddr *address,
                       socklen_t *len);

/* Attempts. `again`: the same connect was tried before and waits. */
int ouro__sim_net_connect(struct sim_net *net, struct sim_socket *socket,
                          const struct sockaddr *address, socklen_t len, bool again);
int ouro__sim_net_accept(struct sim_net *net, struct sim_socket *socket, struct sockaddr *address,
                         socklen_t *len);
int ouro__sim_net_receive(struct sim_net *net, struct sim_socket *socket, void *buf, uint32_t len,
                          int flags);
int ouro__sim_net_send(struct sim_net *net, struct sim_socket *socket, void *buf, uint32_t len,
                       int flags);

/*
 * The same with what is around the bytes of a message. A send takes `rights` out of its parcel if
 * it takes any of the message; what a receive leaves there is the caller's to release.
 */
int ouro__sim_net_receive_parcel(struct sim_net *net, struct sim_socket *socket, void *buf,
                                 uint32_t len, int flags, struct sim_parcel *parcel);
int ouro__sim_net_send_parcel(struct sim_net *net, struct sim_socket *socket, const void *buf,
                              uint32_t len, struct sim_parcel *parcel);

/* Nobody waits for this connect any more; a Unix one is undone, TCP goes on by itself. */
void ouro__sim_net_abandon_connect(struct sim_net *net, struct sim_socket *socket);

/* Drops the oldest connection of a backlog under the feet of its client; false: there is none. */
bool ouro__sim_net_abort_child(struct sim_net *net, struct sim_socket *socket);

/* How much a receive or a send could move now. */
uint32_t ouro__sim_net_readable(const struct sim_socket *socket);
uint32_t ouro__sim_net_writable(const struct sim_socket *socket);

/* Whether a receive with these flags writes to the program's memory. */
static inline bool ouro__sim_net_wants_bytes(const struct sim_socket *socket, int flags)
{
    /* TCP takes MSG_TRUNC as "throw away"; Unix streams do not know it. */
    return !(flags & MSG_TRUNC) || socket->domain == AF_UNIX || socket->type == SOCK_DGRAM;
}

/* The rest is for the families. */

/* Nothing happens when it does not listen. */
void ouro__sim_net_stop_listening(struct sim_net *net, struct sim_socket *socket);
void ouro__sim_net_refuse_connecting(struct sim_net *net, struct sim_listener *listener);
void ouro__sim_net_leave_connecting(struct sim_socket *socket);

/* Takes the pending error, as a negative code; 0: there is none. */
static inline int ouro__sim_net_take_error(struct sim_socket *socket)
{
    int error = socket->error;

    socket->error = 0;
    return -error;
}

/* --- sim_tcp.c, sim_unix.c, sim_udp.c, sim_unix_datagram.c ------------------------------- */

extern const struct sim_family ouro__sim_tcp;
extern const struct sim_family ouro__sim_unix;
extern const struct sim_family ouro__sim_udp;
extern const struct sim_family ouro__sim_unix_datagram;

/* Also for sim_unix_datagram.c: who is bound to the name at `address`, if he has that type. */
int ouro__sim_unix_find(struct sim_net *net, int type, const struct sockaddr *address,
                        socklen_t len, struct sim_socket **ret_socket);

/* `name` becomes the same as `like`; NULL: unnamed. */
void ouro__sim_unix_rename(struct sim_name *name, const struct sim_name *like);
int ouro__sim_unix_bind(struct sim_net *net, struct sim_socket *socket,
                        const struct sockaddr *address, socklen_t len);
void ouro__sim_unix_release_name(struct sim_net *net, struct sim_socket *socket);
socklen_t ouro__sim_unix_write_name(const struct sim_socket *socket, const struct sim_name *name,
                                    struct sockaddr_storage *ret_address);
int ouro__sim_unix_peer_name(const struct sim_socket *socket, const struct sim_name **ret_name);

/* Makes two fresh sockets of that family each other's peer. */
void ouro__sim_unix_datagram_join(struct sim_net *net, struct sim_socket *a, struct sim_socket *b);

void ouro__sim_unix_done(struct sim_net *net);

/* TCP keeps listeners apart from the other sockets of their port. */
void ouro__sim_tcp_refile(struct sim_socket *socket);

/* --- sim_option.c ----------------------------------------------------------------------- */

void ouro__sim_option_init(struct sim_socket *socket);
int ouro__sim_option_get(struct sim_socket *socket, int level, int option, void *value,
                         socklen_t *len);
int ouro__sim_option_set(struct sim_socket *socket, int level, int option, const void *value,
                         socklen_t len);

#endif /* OURO_SIM_NET_H */
