/* SPDX-License-Identifier: MIT */
/*
 * http_app.c - applications: routes and what they lead to; see ouro_http_server.h
 */
#include <errno.h>
#include <stdlib.h>

#include "http_app.h"

int ouro_http_app_create(struct ouro_http_app **ret_app)
{
    struct ouro_http_app *app = malloc(sizeof(*app));
    int code = app ? ouro__http_router_create(&app->router) : -ENOMEM;

    if (code) {
        free(app);
        return code;
    }
    *ret_app = app;
    return 0;
}

void ouro_http_app_destroy(struct ouro_http_app *app)
{
    if (!app)
        return;
    ouro__http_router_destroy(app->router);
    free(app);
}

int ouro_http_route(struct ouro_http_app *app, const char *method, const char *pattern,
                    ouro_http_handler_fn *handler, void *arg)
{
    struct http_endpoint *endpoint = malloc(sizeof(*endpoint));
    int code;

    if (!endpoint)
        return -ENOMEM;
    endpoint->handler = handler;
    endpoint->arg = arg;
    code = ouro__http_router_add(app->router, method, pattern, endpoint);
    if (code)
        free(endpoint);
    return code;
}
