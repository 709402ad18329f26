/* SPDX-License-Identifier: MIT */
/*
 * ouro_address.h - socket addresses as text and back, without name resolution
 */
#ifndef OURO_ADDRESS_H
#define OURO_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ouro_base.h"

OURO_BEGIN_DECLS

/* An address with its length: pass `&a.sockaddr, a.len` to calls like connect(2). */
struct ouro_address {
    __extension__ union {
        struct sockaddr sockaddr;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
    socklen_t len; /* bytes of the union that are used */
};

/* Enough for any text that ouro_address_format() writes, the NUL included. */
#define OURO_ADDRESS_TEXT_MAX 128

/*
 * ouro_address_parse - read "127.0.0.1:80", "[::1]:80" or "unix:/path"
 * @default_port: used when the text names none ("127.0.0.1", "[::1]", "::1"); -1: a port must be there
 *
 * A leading '@' in a Unix path stands for the abstract namespace. An IPv6 zone
 * ("[fe80::1%eth0]:80") is understood.
 *
 * Context: any thread.
 * Returns: 0; OURO_EADDRESS.
 */
OURO_API int ouro_address_parse(const char *text, int default_port,
                                struct ouro_address *ret_address);

/*
 * ouro_address_format - write an address in the form that ouro_address_parse() reads
 *
 * Context: any thread.
 * Returns: `text`; an unknown family gives "?".
 */
OURO_API const char *ouro_address_format(const struct ouro_address *address,
                                         char text[OURO_ADDRESS_TEXT_MAX]);

/* ouro_address_port - the port in host order; -1 for a family without one. Context: any thread. */
OURO_API int ouro_address_port(const struct ouro_address *address);

/* ouro_address_set_port - does nothing for a family without one. Context: any thread. */
OURO_API void ouro_address_set_port(struct ouro_address *address, int port);

OURO_END_DECLS

#endif /* OURO_ADDRESS_H */
