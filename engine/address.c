/* SPDX-License-Identifier: MIT */
/* address.c - socket addresses as text and back; see ouro_address.h */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ouro_address.h"

#define UNIX_PREFIX "unix:"

/* A port number, all digits, 0 to 65535; -1 if it is not one. */
static int parse_port(const char *text)
{
    int port = 0;

    if (!*text || strlen(text) > 5)
        return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        port = port * 10 + (*text - '0');
    }
    return port <= 65535 ? port : -1;
}

static int parse_unix(const char *path, struct ouro_address *ret_address)
{
    struct ouro_address address = {.un.sun_family = AF_UNIX};
    size_t len = strlen(path);
    size_t room = sizeof(address.un.sun_path);
    bool is_abstract = path[0] == '@';

    if (len == 0 || (is_abstract ? len > room : len >= room))
        return OURO_EADDRESS;
    memcpy(address.un.sun_path, path, len);
    if (is_abstract)
        address.un.sun_path[0] = '\0';
    /* A path counts with its NUL, an abstract name exactly: unix(7). */
    address.len =
        (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len + (is_abstract ? 0 : 1));
    *ret_address = address;
    return 0;
}

/* An interface's name or its number; 0 if it is neither. */
static uint32_t parse_zone(const char *zone)
{
    uint32_t index = if_nametoindex(zone);
    uint64_t number = 0;

    if (index)
        return index;
    for (; *zone >= '0' && *zone <= '9' && number <= UINT32_MAX; zone++)
        number = number * 10 + (uint64_t) (*zone - '0');
    return *zone || number > UINT32_MAX ? 0 : (uint32_t) number;
}

/* "fe80::1%eth0" */
static int parse_ipv6(char *host, int port, struct ouro_address *ret_address)
{
    struct ouro_address address = {.in6.sin6_family = AF_INET6, .len = sizeof(address.in6)};
    char *zone = strchr(host, '%');

    if (zone) {
        *zone++ = '\0';
        address.in6.sin6_scope_id = parse_zone(zone);
        if (!address.in6.sin6_scope_id)
            return OURO_EADDRESS;
    }
    if (inet_pton(AF_INET6, host, &address.in6.sin6_addr) != 1)
        return OURO_EADDRESS;
    address.in6.sin6_port = htons((uint16_t) port);
    *ret_address = address;
    return 0;
}

static int parse_ipv4(const char *host, int port, struct ouro_address *ret_address)
{
    struct ouro_address address = {.in.sin_family = AF_INET, .len = sizeof(address.in)};

    if (inet_pton(AF_INET, host, &address.in.sin_addr) != 1)
        return OURO_EADDRESS;
    address.in.sin_port = htons((uint16_t) port);
    *ret_address = address;
    return 0;
}

/* "[host]", "[host]:port": cuts the host out of `text`; NULL when brackets do not match. */
static char *split_brackets(char *text, int default_port, int *ret_port)
{
    char *end = strchr(text, ']');

    if (!end || (end[1] && end[1] != ':'))
        return NULL;
    *ret_port = end[1] ? parse_port(end + 2) : default_port;
    *end = '\0';
    return text + 1;
}

int ouro_address_parse(const char *text, int default_port, struct ouro_address *ret_address)
{
    char copy[OURO_ADDRESS_TEXT_MAX];
    char *colon;
    int port = default_port;

    if (!strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)))
        return parse_unix(text + strlen(UNIX_PREFIX), ret_address);
    if (strlen(text) >= sizeof(copy))
        return OURO_EADDRESS;
    (void) snprintf(copy, sizeof(copy), "%s", text);
    if (copy[0] == '[') {
        char *host = split_brackets(copy, default_port, &port);

        return host && port >= 0 ? parse_ipv6(host, port, ret_address) : OURO_EADDRESS;
    }
    colon = strchr(copy, ':');
    if (colon && strchr(colon + 1, ':')) /* two colons: IPv6 without a port */
        return port >= 0 ? parse_ipv6(copy, port, ret_address) : OURO_EADDRESS;
    if (colon) {
        port = parse_port(colon + 1);
        *colon = '\0';
    }
    return port >= 0 ? parse_ipv4(copy, port, ret_address) : OURO_EADDRESS;
}

static void format_unix(const struct ouro_address *address, char text[OURO_ADDRESS_TEXT_MAX])
{
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    size_t len = address->len > offset ? address->len - offset : 0;
    const char *path = address->un.sun_path;

    if (len == 0)
        (void) snprintf(text, OURO_ADDRESS_TEXT_MAX, UNIX_PREFIX); /* unnamed */
    else if (path[0])
        (void) snprintf(text, OURO_ADDRESS_TEXT_MAX, UNIX_PREFIX "%.*s", (int) len, path);
    else
        (void) snprintf(text, OURO_ADDRESS_TEXT_MAX, UNIX_PREFIX "@%.*s", (int) len - 1, path + 1);
}

const char *ouro_address_format(const struct ouro_address *address,
                                char text[OURO_ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN];
    char zone[16] = "";

    switch (address->sockaddr.sa_family) {
    case AF_INET:
        (void) inet_ntop(AF_INET, &address->in.sin_addr, host, sizeof(host));
        (void) snprintf(text, OURO_ADDRESS_TEXT_MAX, "%s:%d", host, ouro_address_port(address));
        break;
    case AF_INET6:
        (void) inet_ntop(AF_INET6, &address->in6.sin6_addr, host, sizeof(host));
        if (address->in6.sin6_scope_id)
            (void) snprintf(zone, sizeof(zone), "%%%u", address->in6.sin6_scope_id);
        (void) snprintf(text, OURO_ADDRESS_TEXT_MAX, "[%s%s]:%d", host, zone,
                        ouro_address_port(address));
        break;
    case AF_UNIX:
        format_unix(address, text);
        break;
    default:
        (void) snprintf(text, OURO_ADDRESS_TEXT_MAX, "?");
    }
    return text;
}

int ouro_address_port(const struct ouro_address *address)
{
    switch (address->sockaddr.sa_family) {
    case AF_INET:
        return ntohs(address->in.sin_port);
    case AF_INET6:
        return ntohs(address->in6.sin6_port);
    default:
        return -1;
    }
}

void ouro_address_set_port(struct ouro_address *address, int port)
{
    switch (address->sockaddr.sa_family) {
    case AF_INET:
        address->in.sin_port = htons((uint16_t) port);
        break;
    case AF_INET6:
        address->in6.sin6_port = htons((uint16_t) port);
        break;
    default:
        break;
    }
}
