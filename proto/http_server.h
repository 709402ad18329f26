/* SPDX-License-Identifier: MIT */
/*
 * http_server.h - what the server and its connections share
 */
#ifndef OURO_HTTP_SERVER_PRIVATE_H
#define OURO_HTTP_SERVER_PRIVATE_H

#include "http1_write.h"
#include "http_lobby.h"
#include "http_output.h"
#include "ouro_http_server.h"
#include "ouro_task.h"

struct http_connection;

#define HTTP_SPARE_CONNECTIONS_MAX 64

/* One run of ouro_http_serve(), or of ouro_http_serve_stream_take(). */
struct http_server {
    struct ouro_http_app *app;
    struct ouro_http_serve_options options; /* without zeros */
    struct ouro_http_route_options limits;  /* of requests, where no application says otherwise */
    struct ouro_group connections;
    struct http_flusher flusher;
    struct http_lobby lobby;
    struct http_connection *first; /* all that have a task, for the drain */
    struct http_connection *spare; /* the last one used, which is in the cache, comes first */
    unsigned spare_count;
    bool draining;
    struct http1_opening opening; /* of the last answer */
    struct ouro_http_report report;
};

#endif /* OURO_HTTP_SERVER_PRIVATE_H */
