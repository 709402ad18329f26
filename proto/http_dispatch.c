/* SPDX-License-Identifier: MIT */
/*
 * http_dispatch.c - from a request to its handler, or to an answer in its place
 *
 * See http_router.c for how a path finds its route.
 */
#include <errno.h>
#include <string.h>

#include "http_app.h"
#include "http_exchange.h"

/*
 * RFC 9110 §9.3.7, and §15.5.6: a 405 has to say what would be allowed. `methods` are numbers
 * of the application's router; `extra` is one that is added unless it is among them, or NULL.
 */
static int reply_allowed(struct ouro_http_exchange *exchange, int status,
                         const struct ouro_http_app *app, uint64_t methods, const char *extra)
{
    size_t len = extra ? strlen(extra) + 3 : 1;
    char *list, *end;
    int code;

    for (uint64_t rest = methods; rest; rest &= rest - 1)
        len += strlen(ouro__http_router_method(app->router, (unsigned) __builtin_ctzll(rest))) + 2;
    list = end = ouro__http_exchange_allocate(exchange, len);
    if (!list)
        return -ENOMEM;
    *end = '\0';
    for (uint64_t rest = methods; rest; rest &= rest - 1) {
        const char *name = ouro__http_router_method(app->router, (unsigned) __builtin_ctzll(rest));

        end = stpcpy(stpcpy(end, end == list ? "" : ", "), name);
        if (extra && strcmp(name, extra) == 0)
            extra = NULL;
    }
    if (extra)
        (void) stpcpy(stpcpy(end, end == list ? "" : ", "), extra);
    code = ouro_http_add_header(exchange, "Allow", list);
    if (code)
        return code;
    return status == 204 ? ouro_http_reply(exchange, 204, NULL, NULL, 0)
                         : ouro__http_exchange_reply_status(exchange, status);
}

/* `memory` gets the text of the segments. */
static int split_path(struct ouro_http_exchange *exchange, char **ret_memory)
{
    const struct http1_head *request = exchange->request;
    /* RFC 3986 §6.2.3: "http://host" has the path "/", unwritten. */
    const char *path = request->path_len ? request->path : "/";
    size_t len = request->path_len ? request->path_len : 1;
    char *memory = ouro__http_exchange_allocate(exchange, len);
    int code = memory ? ouro__url_split_path(path, len, memory, &exchange->segments) : -ENOMEM;

    *ret_memory = memory;
    return code;
}

static int call_handler(struct ouro_http_exchange *exchange, const struct ouro_http_app *app,
                        char *memory)
{
    bool is_options = strcmp(exchange->request->method, "OPTIONS") == 0;
    const struct http_endpoint *endpoint;
    struct http_match match;

    ouro__http_router_match(app->router, exchange->request->method, &exchange->segments, 0, &match);
    exchange->route = match.route;
    if (match.allowed)
        return reply_allowed(exchange, is_options ? 204 : 405, app, match.allowed, "OPTIONS");
    if (!match.route)
        return ouro__http_exchange_reply_status(exchange, 404);
    if (match.route->has_tail)
        ouro__http_route_join_tail(match.route, 0, memory, &exchange->segments);
    endpoint = match.route->endpoint;
    return endpoint->handler(exchange, endpoint->arg);
}

void ouro__http_dispatch(struct ouro_http_exchange *exchange, const struct ouro_http_app *app)
{
    char *memory;
    int code;

    if (exchange->request->form == HTTP1_AUTHORITY) {
        (void) ouro__http_exchange_reply_status(exchange, 501); /* CONNECT is a proxy's */
        code = 0;
    } else if (exchange->request->form == HTTP1_ASTERISK) {
        /* About the server as a whole. */
        code = reply_allowed(exchange, 204, app, ouro__http_router_methods(app->router), NULL);
    } else {
        code = split_path(exchange, &memory);
        if (code == OURO_EURL)
            (void) ouro__http_exchange_reply_status(exchange, 400);
        else if (code == OURO_ELIMIT)
            (void) ouro__http_exchange_reply_status(exchange, 404);
        else if (!code)
            code = call_handler(exchange, app, memory);
    }
    ouro__http_exchange_finish(exchange, code);
}
