/* SPDX-License-Identifier: MIT */
/*
 * http_app.h - an application, as the server sees it: http_app.c, http_dispatch.c
 */
#ifndef OURO_HTTP_APP_H
#define OURO_HTTP_APP_H

#include "http_router.h"
#include "ouro_http_server.h"

/* What a route leads to. */
struct http_endpoint {
    ouro_http_handler_fn *handler;
    void *arg;
};

struct ouro_http_app {
    struct http_router *router;
};

/* Finds the route and calls its handler, or answers in its place. Afterwards there is an answer. */
OURO_TASK void ouro__http_dispatch(struct ouro_http_exchange *exchange,
                                   const struct ouro_http_app *app);

#endif /* OURO_HTTP_APP_H */
