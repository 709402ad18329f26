/* SPDX-License-Identifier: MIT */
/*
 * http_app.c - applications: routes, middleware, mounts and limits; see ouro_http_server.h
 *
 * Applications that are mounted in each other form a tree. Nothing is worked out ahead from
 * it: what a request inherits is collected on its way down, in http_dispatch.c, so that the
 * order in which a tree is built does not matter.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http1_parse.h"
#include "http_app.h"

/* --- life -------------------------------------------------------------------------------- */

int ouro_http_app_create(struct ouro_http_app **ret_app)
{
    struct ouro_http_app *app = calloc(1, sizeof(*app));
    int code = app ? ouro__http_router_create(&app->router) : -ENOMEM;

    if (code) {
        free(app);
        return code;
    }
    *ret_app = app;
    return 0;
}

/* Its depth is bounded by HTTP_MOUNTS_MAX. */
void ouro_http_app_destroy(struct ouro_http_app *app)
{
    struct http_middleware *middleware;
    struct ouro_http_app *mount;

    if (!app)
        return;
    while ((mount = app->mounts)) {
        app->mounts = mount->sibling;
        ouro_http_app_destroy(mount);
    }
    while ((middleware = app->middleware)) {
        app->middleware = middleware->next;
        free(middleware);
    }
    ouro__http_router_destroy(app->router);
    free(app);
}

/* --- limits ------------------------------------------------------------------------------ */

static int64_t bounded(int64_t duration_ns)
{
    return duration_ns < OURO_FOREVER / 2 ? duration_ns : OURO_FOREVER / 2;
}

/* Durations stay far enough from OURO_FOREVER to be added to the time of day. */
static int take_options(struct ouro_http_route_options *ret_options,
                        const struct ouro_http_route_options *options)
{
    static const struct ouro_http_route_options none;
    struct ouro_http_route_options taken = options ? *options : none;

    if (taken.body_timeout_ns < 0 || taken.handler_timeout_ns < 0 ||
        (unsigned) taken.gzip > OURO_HTTP_GZIP_OFF)
        return -EINVAL;
    taken.body_timeout_ns = bounded(taken.body_timeout_ns);
    taken.handler_timeout_ns = bounded(taken.handler_timeout_ns);
    *ret_options = taken;
    return 0;
}

int ouro_http_app_set_options(struct ouro_http_app *app,
                              const struct ouro_http_route_options *options)
{
    return take_options(&app->options, options);
}

/* --- routes ------------------------------------------------------------------------------ */

int ouro_http_route_with(struct ouro_http_app *app, const char *method, const char *pattern,
                         ouro_http_handler_fn *handler, void *arg,
                         const struct ouro_http_route_options *options)
{
    struct http_endpoint *endpoint;
    int code;

    /* CONNECT is not for servers, and never gets that far. */
    if (!ouro__http1_parse_knows_method(method) || strcmp(method, "CONNECT") == 0)
        return -EINVAL;
    endpoint = malloc(sizeof(*endpoint));
    if (!endpoint)
        return -ENOMEM;
    endpoint->handler = handler;
    endpoint->arg = arg;
    code = take_options(&endpoint->options, options);
    if (!code)
        code = ouro__http_router_add(app->router, method, pattern, endpoint);
    if (code)
        free(endpoint);
    return code;
}

int ouro_http_route(struct ouro_http_app *app, const char *method, const char *pattern,
                    ouro_http_handler_fn *handler, void *arg)
{
    return ouro_http_route_with(app, method, pattern, handler, arg, NULL);
}

/* --- pages for errors -------------------------------------------------------------------- */

void ouro_http_app_set_error_page(struct ouro_http_app *app, ouro_http_error_page_fn *fn, void *arg)
{
    app->error_page.fn = fn;
    app->error_page.arg = arg;
}

/* --- middleware -------------------------------------------------------------------------- */

int ouro_http_use(struct ouro_http_app *app, ouro_http_middleware_fn *fn, void *arg)
{
    struct http_middleware *middleware = malloc(sizeof(*middleware));
    struct http_middleware **end = &app->middleware;

    if (!middleware)
        return -ENOMEM;
    *middleware = (struct http_middleware) {.fn = fn, .arg = arg};
    while (*end)
        end = &(*end)->next;
    *end = middleware;
    return 0;
}

/* --- mounts ------------------------------------------------------------------------------ */

/* How many mounts lead to it, and the application at the top. */
static unsigned depth_of(const struct ouro_http_app *app, const struct ouro_http_app **ret_top)
{
    unsigned depth = 0;

    for (; app->parent; app = app->parent)
        depth++;
    *ret_top = app;
    return depth;
}

/* How many mounts there are below it, one in the other. */
static unsigned height_of(const struct ouro_http_app *app)
{
    unsigned height = 0;

    for (const struct ouro_http_app *mount = app->mounts; mount; mount = mount->sibling) {
        unsigned own = height_of(mount) + 1;

        height = own > height ? own : height;
    }
    return height;
}

int ouro_http_mount_take(struct ouro_http_app *app, const char *prefix, struct ouro_http_app *mount)
{
    const struct ouro_http_app *top;
    unsigned depth = depth_of(app, &top);
    int code;

    /* What has no parent can only be above `app` at the top. */
    if (mount->parent || mount == top || depth + 1 + height_of(mount) > HTTP_MOUNTS_MAX)
        return -EINVAL;
    code = ouro__http_router_mount(app->router, prefix, mount);
    if (code)
        return code;
    mount->parent = app;
    mount->sibling = app->mounts;
    app->mounts = mount;
    return 0;
}
