/* SPDX-License-Identifier: MIT */
/*
 * datagram.h - what the tests of datagrams share: sockets and their addresses
 */
#ifndef OURO_TEST_DATAGRAM_H
#define OURO_TEST_DATAGRAM_H

#include "loop.h"

enum domain { UDP4, UDP6, UNIX };

static inline bool has_ipv6(void)
{
    struct ouro_address address;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool answer = !ouro_address_parse("[::1]:0", -1, &address) && fd >= 0 &&
                  !bind(fd, &address.sockaddr, address.len);

    if (fd >= 0)
        (void) close(fd);
    return answer;
}

/* A socket that is bound to an address of nobody else's. */
static inline int open_bound(enum domain domain, struct ouro_address *ret_address)
{
    static unsigned serial;
    char text[64];
    int fd;

    if (domain == UNIX)
        (void) snprintf(text, sizeof(text), "unix:@ouro-datagram-%d-%u", (int) getpid(), serial++);
    else
        (void) snprintf(text, sizeof(text), domain == UDP4 ? "127.0.0.1:0" : "[::1]:0");
    CU_ASSERT_EQUAL(ouro_address_parse(text, -1, ret_address), 0);
    fd = ouro_socket(ret_address->sockaddr.sa_family, SOCK_DGRAM, 0);
    CU_ASSERT(fd >= 0);
    CU_ASSERT_EQUAL(ouro_bind(fd, ret_address), 0);
    CU_ASSERT_EQUAL(ouro_getsockname(fd, ret_address), 0);
    return fd;
}

/* A UDP socket on an address of this process alone, whose port nobody else takes, of TCP neither. */
static inline int open_privately(struct ouro_address *ret_address)
{
    int listener = listen_privately(ret_address);
    int fd = ouro_socket(AF_INET, SOCK_DGRAM, 0);

    CU_ASSERT_EQUAL(ouro_bind(fd, ret_address), 0);
    CU_ASSERT_EQUAL(ouro_close(listener), 0);
    return fd;
}

static inline bool is_same(const struct ouro_address *a, const struct ouro_address *b)
{
    char texts[2][OURO_ADDRESS_TEXT_MAX];

    return !strcmp(ouro_address_format(a, texts[0]), ouro_address_format(b, texts[1]));
}

static inline void connect_fd(int fd, const struct ouro_address *address)
{
    CU_ASSERT_EQUAL(ouro_connect(fd, &address->sockaddr, address->len), 0);
}

/* The number of the lowest free descriptor: it is the same again if none was leaked. */
static inline int next_fd(void)
{
    int fd = ouro_socket(AF_INET, SOCK_STREAM, 0);

    CU_ASSERT(fd >= 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return fd;
}

#endif /* OURO_TEST_DATAGRAM_H */
