/* SPDX-License-Identifier: MIT */
/*
 * http_app.h - an application, as the server sees it: http_app.c, http_dispatch.c
 */
#ifndef OURO_HTTP_APP_H
#define OURO_HTTP_APP_H

#include "http_exchange.h"
#include "http_router.h"
#include "ouro_http_server.h"

#define HTTP_MOUNTS_MAX 8 /* one in the other */

/* What a route leads to. */
struct http_endpoint {
    ouro_http_handler_fn *handler;
    void *arg;
    struct ouro_http_route_options options;
};

struct http_middleware {
    ouro_http_middleware_fn *fn;
    void *arg;
    struct http_middleware *next; /* further in */
};

struct ouro_http_app {
    struct http_router *router;
    struct http_middleware *middleware;
    struct ouro_http_route_options options;
    struct http_error_page error_page;
    struct ouro_http_app *parent;  /* where it is mounted; NULL: nowhere */
    struct ouro_http_app *mounts;  /* the first one mounted in it */
    struct ouro_http_app *sibling; /* the next one mounted in its parent */
};

/*
 * Finds the route and calls its handler, through the middleware, or answers in its place.
 * Afterwards there is an answer. exchange->limits are the server's before, and from the first
 * middleware on those of the route.
 */
OURO_TASK void ouro__http_dispatch(struct ouro_http_exchange *exchange,
                                   const struct ouro_http_app *app);

#endif /* OURO_HTTP_APP_H */
