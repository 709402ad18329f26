/* SPDX-License-Identifier: MIT */
/*
 * url.h - URLs, authorities and paths: text in, slices out
 *
 * Strict (RFC 3986), and refuses what it does not understand rather than guess.
 * Slices point into the text that was parsed.
 */
#ifndef OURO_URL_H
#define OURO_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* host[:port], RFC 3986 §3.2 without userinfo. */
struct url_authority {
    const char *host; /* without the brackets of an IPv6 address */
    size_t host_len;
    int port; /* -1: none */
};

/* An http:// URL; the fragment is dropped. */
struct url {
    struct url_authority authority;
    const char *authority_text; /* as written: what a Host header wants */
    size_t authority_len;
    const char *target; /* path and query; may be empty or begin with '?' */
    size_t target_len;
};

/* More segments than this make a path that no route of ours could have. */
#define URL_SEGMENTS_MAX 64

struct url_segment {
    const char *text; /* decoded, NUL-terminated */
    size_t len;
};

/* A path between its slashes: "/" is one empty segment, "/a/" are "a" and an empty one. */
struct url_path {
    struct url_segment segments[URL_SEGMENTS_MAX];
    size_t count;
};

/*
 * "example.com:80", "127.0.0.1", "[::1]:80". The host is a name of letters, digits
 * and "-._~", an IPv4 address, or an IPv6 address in brackets. Returns 0 or OURO_EURL.
 */
int ouro__url_parse_authority(const char *text, size_t len, struct url_authority *ret_authority);

/* "http://host[:port][/path][?query][#fragment]". Returns 0 or OURO_EURL. */
int ouro__url_parse(const char *text, size_t len, struct url *ret_url);

/* Whether each byte may stand in a request target: visible ASCII but '#' and '\'. */
bool ouro__url_target_is_valid(const char *text, size_t len);

/*
 * Undoes percent-encoding. `buf` takes `len` bytes and may be `text`; it gets no NUL.
 * Returns how many bytes came out; OURO_EURL for a broken escape or an escaped NUL.
 */
ssize_t ouro__url_decode(const char *text, size_t len, char *buf);

/*
 * Splits a path at its slashes, then undoes percent-encoding in each segment (so
 * that an escaped slash is data), then drops dot segments (RFC 3986 §5.2.4).
 * `buf` takes `len` bytes and holds the segments afterwards.
 *
 * Refused with OURO_EURL: what does not begin with '/', leads above the root, or
 * decodes to control characters, a backslash or ill-formed UTF-8 (overlong forms
 * included): each has been somebody's way around an access check. OURO_ELIMIT:
 * more segments than URL_SEGMENTS_MAX.
 */
int ouro__url_split_path(const char *path, size_t len, char *buf, struct url_path *ret_path);

#endif /* OURO_URL_H */
