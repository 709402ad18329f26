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

/* RFC 9110 §15.5.6: a 405 has to say what would be allowed. */
static int reply_allowed(struct ouro_http_exchange *exchange, int status,
                         const char *const *methods, size_t count)
{
    size_t len = 1;
    char *list, *end;
    int code;

    for (size_t i = 0; i < count; i++)
        len += strlen(methods[i]) + 2;
    list = end = ouro__http_exchange_allocate(exchange, len);
    if (!list)
        return -ENOMEM;
    *end = '\0';
    for (size_t i = 0; i < count; i++)
        end = stpcpy(stpcpy(end, i ? ", " : ""), methods[i]);
    code = ouro_http_add_header(exchange, "Allow", list);
    if (code)
        return code;
    return status == 204 ? ouro_http_reply(exchange, 204, NULL, NULL, 0)
                         : ouro__http_exchange_reply_status(exchange, status);
}

/* RFC 9110 §9.3.7: about the server as a whole. */
static int reply_to_asterisk(struct ouro_http_exchange *exchange, const struct ouro_http_app *app)
{
    const char *methods[HTTP_ROUTER_METHODS_MAX];
    size_t count = ouro__http_router_methods(app->router, methods);

    return reply_allowed(exchange, 204, methods, count);
}

static int split_path(struct ouro_http_exchange *exchange)
{
    const struct http1_head *request = exchange->request;
    char *memory =
        ouro__http_exchange_allocate(exchange, request->path_len ? request->path_len : 1);

    if (!memory)
        return -ENOMEM;
    /* RFC 3986 §6.2.3: "http://host" has the path "/", unwritten. */
    if (!request->path_len)
        return ouro__url_split_path("/", 1, memory, &exchange->segments);
    return ouro__url_split_path(request->path, request->path_len, memory, &exchange->segments);
}

static int call_handler(struct ouro_http_exchange *exchange, const struct ouro_http_app *app)
{
    const struct http_endpoint *endpoint;
    struct http_match match;

    ouro__http_router_match(app->router, exchange->request->method, &exchange->segments, &match);
    exchange->route = match.route;
    if (match.allowed_count)
        return reply_allowed(exchange, 405, match.allowed, match.allowed_count);
    if (!match.route)
        return ouro__http_exchange_reply_status(exchange, 404);
    endpoint = match.route->endpoint;
    return endpoint->handler(exchange, endpoint->arg);
}

void ouro__http_dispatch(struct ouro_http_exchange *exchange, const struct ouro_http_app *app)
{
    int code = 0;

    if (exchange->request->form == HTTP1_AUTHORITY) {
        (void) ouro__http_exchange_reply_status(exchange, 501); /* CONNECT is a proxy's */
    } else if (exchange->request->form == HTTP1_ASTERISK) {
        (void) reply_to_asterisk(exchange, app);
    } else {
        code = split_path(exchange);
        if (code == OURO_EURL)
            (void) ouro__http_exchange_reply_status(exchange, 400);
        else if (code == OURO_ELIMIT)
            (void) ouro__http_exchange_reply_status(exchange, 404);
        else if (!code)
            code = call_handler(exchange, app);
    }
    ouro__http_exchange_finish(exchange, code);
}
