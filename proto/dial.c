/* SPDX-License-Identifier: MIT */
/*
 * dial.c - a stream to a host, by its name; see ouro_dial() in ouro_stream.h
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "ouro_dns.h"
#include "ouro_socket.h"
#include "ouro_stream.h"

/* Returns a connected socket or an error. */
static int connect_to(const struct ouro_address *address)
{
    int one = 1;
    int fd = ouro_socket(address->sockaddr.sa_family, SOCK_STREAM, 0);
    int code;

    if (fd < 0)
        return fd;
    if (address->sockaddr.sa_family != AF_UNIX)
        (void) ouro_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    code = ouro_connect(fd, &address->sockaddr, address->len);
    if (code) {
        (void) ouro_close(fd);
        return code;
    }
    return fd;
}

/*
 * The first address is the best one, and its error the one that tells most; but a limit
 * that ran out, which the remaining addresses notice at once, has to be told.
 */
static int connect_to_any(const struct ouro_address *addresses, size_t count)
{
    int first_error = 0;

    for (size_t i = 0; i < count; i++) {
        int fd = connect_to(&addresses[i]);

        if (fd >= 0 || fd == -ECANCELED)
            return fd;
        if (!first_error || fd == -ETIMEDOUT)
            first_error = fd;
    }
    return first_error;
}

static int dial_name(const char *host, int port, int family)
{
    struct ouro_address *addresses;
    size_t count;
    int code = ouro_resolve(host, port, family, &addresses, &count);

    if (code)
        return code;
    code = connect_to_any(addresses, count);
    ouro_resolve_free(addresses);
    return code;
}

static int dial_unix(const char *host)
{
    struct ouro_address address;
    int code = ouro_address_parse(host, -1, &address);

    return code ? code : connect_to(&address);
}

int ouro_dial(const char *host, int port, const struct ouro_dial_options *options,
              struct ouro_stream **ret_stream)
{
    int fd, code;

    if (strncmp(host, "unix:", 5) == 0)
        fd = dial_unix(host);
    else if (port < 1 || port > 65535)
        return -EINVAL;
    else
        fd = dial_name(host, port, options ? options->family : 0);
    if (fd < 0)
        return fd;
    code = ouro_stream_socket_take(fd, ret_stream);
    if (code)
        (void) ouro_close(fd);
    return code;
}
