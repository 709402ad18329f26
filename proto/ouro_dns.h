/* SPDX-License-Identifier: MIT */
/*
 * ouro_dns.h - host names to addresses
 */
#ifndef OURO_DNS_H
#define OURO_DNS_H

#include "ouro_address.h"
#include "ouro_base.h"

OURO_BEGIN_DECLS

/*
 * ouro_resolve - the addresses of a host, the one to try first at the front
 * @host:          a name, or an IPv4 or IPv6 address (with or without brackets), which
 *                 asks nobody
 * @port:          0 to 65535; goes into the addresses
 * @family:        AF_INET, AF_INET6, or 0 for both
 * @ret_addresses: an array, owned, free with ouro_resolve_free()
 * @ret_count:     its length, at least 1
 *
 * Looks where /etc/nsswitch.conf and /etc/resolv.conf say: as a rule in /etc/hosts, then
 * at the name servers, both address families at once. Any number of tasks may resolve at
 * the same time; no thread is used. The order is that of RFC 6724. When the name servers
 * tell of one family and are silent about the other, that one is waited for 50 ms longer
 * (RFC 8305, the Resolution Delay), unless there is no route to any address of the first;
 * names that are tried in the domains of a search list first wait as long as c-ares does.
 *
 * On the simulated ring there are no name servers: addresses and the names in /etc/hosts
 * resolve, others end with OURO_ERESOLVER.
 *
 * Context: task, may suspend; reads the three files without suspending.
 * Returns: 0; OURO_ENONAME when the name does not exist, has no address of that family,
 *          or is none; OURO_ERESOLVER when no name server gave a usable answer, or none in
 *          time; -EINVAL for a bad port or family; -ENOMEM, -EMFILE, -ENFILE; -ECANCELED,
 *          -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_resolve(const char *host, int port, int family,
                                    struct ouro_address **ret_addresses, size_t *ret_count);

/* ouro_resolve_free - free what ouro_resolve() gave; NULL is allowed. Context: any thread. */
OURO_API void ouro_resolve_free(struct ouro_address *addresses);

OURO_END_DECLS

#endif /* OURO_DNS_H */
