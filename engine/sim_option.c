/* SPDX-License-Identifier: MIT */
/*
 * sim_option.c - socket options of the simulated network
 *
 * The options that ordinary servers and clients set. Most are only stored: the simulated
 * network has neither delays nor losses for them to work on. These do something:
 * SO_REUSEADDR, SO_REUSEPORT, IPV6_V6ONLY, SO_LINGER with a time of 0. Whatever is not in
 * the table gives ENOPROTOOPT; defaults and limits are Linux's.
 */
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>

#include "check.h"
#include "sim_net.h"

#define BUFFER_MAX 212992 /* net.core.wmem_max and rmem_max of a machine that nobody tuned */
#define SNDBUF_MIN 4608
#define RCVBUF_MIN 2304

enum domains {
    INET = 1,
    INET6 = 2,
    UNIX = 4,
    TCP = INET | INET6,
    ALL = INET | INET6 | UNIX,
};

static const struct rule {
    int level;
    int name;
    int domains;  /* that know it */
    bool is_flag; /* any value but 0 is stored as 1 */
    int initial;
    int min, max; /* outside: -EINVAL */
} rules[SIM_OPTION_COUNT] = {
    [SIM_REUSEADDR] = {SOL_SOCKET, SO_REUSEADDR, ALL, true, 0, INT_MIN, INT_MAX},
    [SIM_REUSEPORT] = {SOL_SOCKET, SO_REUSEPORT, TCP, true, 0, INT_MIN, INT_MAX},
    [SIM_KEEPALIVE] = {SOL_SOCKET, SO_KEEPALIVE, ALL, true, 0, INT_MIN, INT_MAX},
    [SIM_SNDBUF] = {SOL_SOCKET, SO_SNDBUF, ALL, false, 16384, INT_MIN, INT_MAX},
    [SIM_RCVBUF] = {SOL_SOCKET, SO_RCVBUF, ALL, false, 131072, INT_MIN, INT_MAX},
    [SIM_BROADCAST] = {SOL_SOCKET, SO_BROADCAST, ALL, true, 0, INT_MIN, INT_MAX},
    [SIM_V6ONLY] = {IPPROTO_IPV6, IPV6_V6ONLY, INET6, true, 0, INT_MIN, INT_MAX},
    [SIM_NODELAY] = {IPPROTO_TCP, TCP_NODELAY, TCP, true, 0, INT_MIN, INT_MAX},
    [SIM_CORK] = {IPPROTO_TCP, TCP_CORK, TCP, true, 0, INT_MIN, INT_MAX},
    [SIM_QUICKACK] = {IPPROTO_TCP, TCP_QUICKACK, TCP, true, 1, INT_MIN, INT_MAX},
    [SIM_KEEPIDLE] = {IPPROTO_TCP, TCP_KEEPIDLE, TCP, false, 7200, 1, 32767},
    [SIM_KEEPINTVL] = {IPPROTO_TCP, TCP_KEEPINTVL, TCP, false, 75, 1, 32767},
    [SIM_KEEPCNT] = {IPPROTO_TCP, TCP_KEEPCNT, TCP, false, 9, 1, 127},
    [SIM_USER_TIMEOUT] = {IPPROTO_TCP, TCP_USER_TIMEOUT, TCP, false, 0, 0, INT_MAX},
    [SIM_NOTSENT_LOWAT] = {IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP, false, 0, INT_MIN, INT_MAX},
    [SIM_FASTOPEN] = {IPPROTO_TCP, TCP_FASTOPEN, TCP, false, 0, 0, INT_MAX},
};

static int domain_bit(const struct sim_socket *socket)
{
    return socket->domain == AF_UNIX ? UNIX : socket->domain == AF_INET6 ? INET6 : INET;
}

void ouro__sim_option_init(struct sim_socket *socket)
{
    for (unsigned i = 0; i < SIM_OPTION_COUNT; i++)
        socket->options[i] = rules[i].initial;
    if (socket->domain == AF_UNIX || socket->type == SOCK_DGRAM)
        socket->options[SIM_SNDBUF] = socket->options[SIM_RCVBUF] = BUFFER_MAX;
}

/* Finds the option of this socket; SIM_OPTION_COUNT with the reason when it has none. */
static unsigned find(const struct sim_socket *socket, int level, int name, int *ret_code)
{
    for (unsigned i = 0; i < SIM_OPTION_COUNT; i++) {
        if (rules[i].level != level || rules[i].name != name)
            continue;
        *ret_code = -EOPNOTSUPP;
        if (rules[i].domains & domain_bit(socket)) {
            if (level != IPPROTO_TCP || socket->type == SOCK_STREAM)
                return i;
            *ret_code = -ENOPROTOOPT;
        }
        return SIM_OPTION_COUNT;
    }
    *ret_code = -ENOPROTOOPT;
    return SIM_OPTION_COUNT;
}

/* --- reading ------------------------------------------------------------------------- */

static int give(const void *from, socklen_t from_len, void *value, socklen_t *len)
{
    if ((int) *len < 0)
        return -EINVAL;
    if (*len > from_len)
        *len = from_len;
    memcpy(value, from, *len);
    return 0;
}

/* What can be asked but not set. */
static int ask(struct sim_socket *socket, int name, int *ret_value)
{
    switch (name) {
    case SO_ERROR:
        *ret_value = -ouro__sim_net_take_error(socket);
        return 0;
    case SO_TYPE:
        *ret_value = socket->type;
        return 0;
    case SO_DOMAIN:
        *ret_value = socket->domain;
        return 0;
    case SO_PROTOCOL:
        *ret_value = socket->domain == AF_UNIX    ? 0
                     : socket->type == SOCK_DGRAM ? IPPROTO_UDP
                                                  : IPPROTO_TCP;
        return 0;
    case SO_ACCEPTCONN:
        *ret_value = socket->state == SIM_LISTENING;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int ouro__sim_option_get(struct sim_socket *socket, int level, int option, void *value,
                         socklen_t *len)
{
    int code, answer;
    unsigned index = find(socket, level, option, &code);

    if (index < SIM_OPTION_COUNT)
        return give(&socket->options[index], sizeof(int), value, len);
    if (level == SOL_SOCKET && option == SO_LINGER)
        return give(&socket->linger, sizeof(socket->linger), value, len);
    if (level == SOL_SOCKET && code == -ENOPROTOOPT) {
        code = ask(socket, option, &answer);
        if (!code)
            code = give(&answer, sizeof(answer), value, len);
    }
    return code;
}

/* --- setting ------------------------------------------------------------------------- */

/* Linux stores twice what was asked for, to cover its own overhead. */
static int buffer_bytes(int value, int min)
{
    unsigned asked = (unsigned) value < BUFFER_MAX ? (unsigned) value : BUFFER_MAX;

    return (int) asked * 2 > min ? (int) asked * 2 : min;
}

static int set_int(struct sim_socket *socket, unsigned index, int value)
{
    const struct rule *rule = &rules[index];

    if (value < rule->min || value > rule->max)
        return -EINVAL;
    if (index == SIM_V6ONLY && socket->port)
        return -EINVAL;
    if (index == SIM_SNDBUF)
        value = buffer_bytes(value, SNDBUF_MIN);
    if (index == SIM_RCVBUF)
        value = buffer_bytes(value, RCVBUF_MIN);
    socket->options[index] = rule->is_flag ? value != 0 : value;
    return 0;
}

int ouro__sim_option_set(struct sim_socket *socket, int level, int option, const void *value,
                         socklen_t len)
{
    int code, number;
    unsigned index = find(socket, level, option, &code);

    if (level == SOL_SOCKET && option == SO_LINGER) {
        if (len < sizeof(socket->linger))
            return -EINVAL;
        memcpy(&socket->linger, value, sizeof(socket->linger));
        return 0;
    }
    if (index == SIM_OPTION_COUNT)
        return code;
    if (len < sizeof(number))
        return -EINVAL;
    memcpy(&number, value, sizeof(number));
    return set_int(socket, index, number);
}
