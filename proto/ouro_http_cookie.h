/* SPDX-License-Identifier: MIT */
/*
 * ouro_http_cookie.h - a cookie as a server sets it
 *
 *     struct ouro_http_cookie cookie = {0};
 *
 *     cookie.name = "__Host-session";
 *     cookie.value = token;
 *     cookie.path = "/";
 *     cookie.secure = cookie.http_only = true;
 *     cookie.same_site = OURO_HTTP_SAME_SITE_LAX;
 *
 * What a browser would drop without a word, RFC 6265bis, is an error here.
 */
#ifndef OURO_HTTP_COOKIE_H
#define OURO_HTTP_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "ouro_base.h"

OURO_BEGIN_DECLS

/* With which requests that other sites cause a cookie is sent. */
enum ouro_http_same_site {
    OURO_HTTP_SAME_SITE_UNSET,  /* as the browser decides */
    OURO_HTTP_SAME_SITE_LAX,    /* when a link is followed, but not from forms, images, scripts */
    OURO_HTTP_SAME_SITE_STRICT, /* none */
    OURO_HTTP_SAME_SITE_NONE    /* all; needs `secure` */
};

/* Zeroed, with a name, it is an empty cookie that lasts until the browser ends. */
struct ouro_http_cookie {
    /*
     * A token. "__Secure-" in front, in any case, needs `secure`; "__Host-" needs `secure`,
     * the path "/" and no domain.
     */
    const char *name;

    /*
     * Visible ASCII but quotes, commas, semicolons and backslashes: others have to be encoded,
     * for example in base64. NULL is "". At most 4096 bytes together with the name.
     */
    const char *value;

    /*
     * The paths that it is sent to, at and below this one; begins with '/'. ASCII without
     * control characters and semicolons, at most 1024 bytes. NULL: the directory of the
     * path of the request.
     */
    const char *path;

    /*
     * The host that it is sent to, with all below it: a name, at most 1024 bytes. NULL: this
     * host alone, which is safer.
     */
    const char *domain;

    /* How long it lasts, in seconds, at least 0: that deletes it. Beats `expires_s`. */
    bool has_max_age;
    int64_t max_age_s;

    /* When it ends, in seconds since 1970 UTC, until the year 9999. */
    bool has_expires;
    int64_t expires_s;

    bool secure;      /* sent by https only */
    bool http_only;   /* kept from scripts */
    bool partitioned; /* apart for each site that embeds this one; needs `secure` */
    enum ouro_http_same_site same_site;
};

OURO_END_DECLS

#endif /* OURO_HTTP_COOKIE_H */
