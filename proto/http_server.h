/* SPDX-License-Identifier: MIT */
/*
 * http_server.h - what the server and its connections share
 */
#ifndef OURO_HTTP_SERVER_PRIVATE_H
#define OURO_HTTP_SERVER_PRIVATE_H

#include "http1_write.h"
#include "http_router.h"
#include "ouro_http_server.h"
#include "ouro_task.h"

/* What a route leads to. */
struct http_endpoint {
    ouro_http_handler_fn *handler;
    void *arg;
};

struct ouro_http_app {
    struct http_router *router;
};

struct http_connection;

/* One run of ouro_http_serve(). */
struct http_server {
    const struct ouro_http_app *app;
    struct ouro_http_serve_options options; /* without zeros */
    struct ouro_group connections;
    struct http_connection *first; /* all of them, for the drain */
    bool draining;
    struct http1_date date;
};

#endif /* OURO_HTTP_SERVER_PRIVATE_H */
