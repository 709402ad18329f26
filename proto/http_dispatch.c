/* SPDX-License-Identifier: MIT */
/*
 * http_dispatch.c - from a request to its handler, or to an answer in its place
 *
 * First the whole way is found: through mounted applications to a route, or to the status that
 * the server itself answers with (404, 405, 413, ...). Then the middleware of all applications on
 * that way is run, the outermost first, each step around the next one, and the innermost step
 * gives the answer:
 *
 *     step 1: first middleware of the outermost application
 *       └─ ouro_http_next() ─▶ step 2: ...
 *            └─ ouro_http_next() ─▶ innermost: the handler, or the server's own answer
 *
 * How far a request is, is in struct http_dispatch, on the stack. Steps only ever go forward,
 * so two numbers tell whether a step has run the next one already.
 *
 * See http_router.c for how a path finds its route.
 */
#include <errno.h>
#include <string.h>

#include "http_app.h"
#include "http_exchange.h"
#include "ouro_loop.h"
#include "ouro_timer.h"

struct http_dispatch {
    const struct ouro_http_app *apps[HTTP_MOUNTS_MAX + 1]; /* the way, outermost first */
    unsigned app_count;
    int status;       /* of the server's own answer; 0: the handler is to answer */
    uint64_t allowed; /* methods, as numbered by the last application */

    unsigned app_index;                 /* whose middleware comes next ... */
    const struct http_middleware *next; /* ... which is this; NULL: the next application's */
    unsigned started;                   /* steps, so far */
    unsigned running;                   /* the number of the one that runs, from 1 */
    bool is_innermost;                  /* the last one has been started */
};

/* --- finding the way --------------------------------------------------------------------- */

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

/* "/mount" alone is as "/mount/". Where there is no room for that, no pattern will match. */
static void end_with_slash(struct url_path *path)
{
    static const struct url_segment empty = {.text = "", .len = 0};

    if (path->count < URL_SEGMENTS_MAX)
        path->segments[path->count++] = empty;
}

static void find_route(struct ouro_http_exchange *exchange, struct http_dispatch *dispatch,
                       struct http_match *ret_match)
{
    struct url_path *path = &exchange->segments;
    const struct ouro_http_app *app = dispatch->apps[0];

    for (;;) {
        ouro__http_router_match(app->router, exchange->request->method, path, exchange->route_start,
                                ret_match);
        app = ret_match->mount;
        if (!app)
            return;
        dispatch->apps[dispatch->app_count++] = app;
        exchange->route_start = ret_match->mount_end;
        if (ret_match->mount_end == path->count)
            end_with_slash(path);
    }
}

/* Returns the status of the server's own answer, or 0: there is a route. */
static int match_path(struct ouro_http_exchange *exchange, struct http_dispatch *dispatch)
{
    struct http_match match;
    char *memory;
    int code = split_path(exchange, &memory);

    if (code)
        return code == OURO_EURL ? 400 : code == OURO_ELIMIT ? 404 : 500;
    find_route(exchange, dispatch, &match);
    exchange->route = match.route;
    dispatch->allowed = match.allowed;
    if (match.allowed)
        return strcmp(exchange->request->method, "OPTIONS") == 0 ? 204 : 405;
    if (!match.route)
        return 404;
    if (match.route->has_tail)
        ouro__http_route_join_tail(match.route, exchange->route_start, memory, &exchange->segments);
    return 0;
}

static int find_way(struct ouro_http_exchange *exchange, struct http_dispatch *dispatch)
{
    if (exchange->request->form == HTTP1_AUTHORITY)
        return 501; /* CONNECT is a proxy's */
    if (exchange->request->form == HTTP1_ASTERISK)
        return 204;
    return match_path(exchange, dispatch);
}

/* --- limits ------------------------------------------------------------------------------ */

static void override(struct ouro_http_route_options *limits,
                     const struct ouro_http_route_options *own)
{
    if (own->body_bytes_max)
        limits->body_bytes_max = own->body_bytes_max;
    if (own->body_timeout_ns)
        limits->body_timeout_ns = own->body_timeout_ns;
    if (own->handler_timeout_ns)
        limits->handler_timeout_ns = own->handler_timeout_ns;
    if (own->gzip)
        limits->gzip = own->gzip;
}

static void inherit(struct ouro_http_exchange *exchange, const struct http_dispatch *dispatch)
{
    const struct http_endpoint *endpoint = exchange->route ? exchange->route->endpoint : NULL;

    for (unsigned i = 0; i < dispatch->app_count; i++) {
        override(&exchange->limits, &dispatch->apps[i]->options);
        if (dispatch->apps[i]->error_page.fn)
            exchange->error_page = &dispatch->apps[i]->error_page;
    }
    if (endpoint)
        override(&exchange->limits, &endpoint->options);
}

static bool is_too_long(const struct ouro_http_exchange *exchange)
{
    return exchange->request->framing == HTTP1_LENGTH &&
           exchange->request->content_length > exchange->limits.body_bytes_max;
}

/* --- the server's own answers ------------------------------------------------------------ */

/* No application has more: the parser knows fewer methods, and refuses others. */
struct method_list {
    const char *names[HTTP_ROUTER_METHODS_MAX];
    size_t count;
};

static void list(struct method_list *methods, const char *name)
{
    for (size_t i = 0; i < methods->count; i++)
        if (strcmp(methods->names[i], name) == 0)
            return;
    if (methods->count < HTTP_ROUTER_METHODS_MAX)
        methods->names[methods->count++] = name;
}

static void list_all(struct method_list *methods, const struct http_router *router, uint64_t bits)
{
    for (; bits; bits &= bits - 1)
        list(methods, ouro__http_router_method(router, (unsigned) __builtin_ctzll(bits)));
}

static void list_methods_of(struct method_list *methods, const struct ouro_http_app *app)
{
    list_all(methods, app->router, ouro__http_router_methods(app->router));
    for (const struct ouro_http_app *mount = app->mounts; mount; mount = mount->sibling)
        list_methods_of(methods, mount);
}

static int add_allow(struct ouro_http_exchange *exchange, const struct method_list *methods)
{
    size_t len = 1;
    char *text, *end;

    for (size_t i = 0; i < methods->count; i++)
        len += strlen(methods->names[i]) + 2;
    text = end = ouro__http_exchange_allocate(exchange, len);
    if (!text)
        return -ENOMEM;
    *end = '\0';
    for (size_t i = 0; i < methods->count; i++)
        end = stpcpy(stpcpy(end, i ? ", " : ""), methods->names[i]);
    return ouro_http_add_header(exchange, "Allow", text);
}

/*
 * RFC 9110 §9.3.7, and §15.5.6: a 405 has to say what would be allowed, which OPTIONS always
 * is. With an asterisk, OPTIONS is about the server as a whole.
 */
static int reply_allowed(struct ouro_http_exchange *exchange, const struct http_dispatch *dispatch)
{
    struct method_list methods = {.count = 0};
    int code;

    if (exchange->request->form == HTTP1_ASTERISK) {
        list_methods_of(&methods, dispatch->apps[0]);
    } else {
        list_all(&methods, dispatch->apps[dispatch->app_count - 1]->router, dispatch->allowed);
        list(&methods, "OPTIONS");
    }
    code = add_allow(exchange, &methods);
    if (code)
        return code;
    return dispatch->status == 204 ? ouro_http_reply(exchange, 204, NULL, NULL, 0)
                                   : ouro__http_exchange_reply_status(exchange, dispatch->status);
}

static int answer(struct ouro_http_exchange *exchange, const struct http_dispatch *dispatch)
{
    const struct http_endpoint *endpoint;

    if (dispatch->status == 204 || dispatch->status == 405)
        return reply_allowed(exchange, dispatch);
    /* A client that was told so early may never send the body. */
    if (dispatch->status == 413)
        exchange->is_last = true;
    if (dispatch->status)
        return ouro__http_exchange_reply_status(exchange, dispatch->status);
    endpoint = exchange->route->endpoint;
    return endpoint->handler(exchange, endpoint->arg);
}

/* --- steps ------------------------------------------------------------------------------- */

/*
 * For a step that failed, with `code`, or forgot. Its fields, behind `fields_end`, are not for that
 * answer; those of the middleware around it are.
 */
static void answer_for(struct ouro_http_exchange *exchange, int code,
                       struct http_answer_field **fields_end)
{
    int status = ouro__http_exchange_is_late(exchange) ? 503 : 500;

    if (code && code == exchange->failure)
        status = exchange->failure_status;
    *fields_end = NULL;
    exchange->fields.end = fields_end;
    (void) ouro__http_exchange_reply_status(exchange, status);
}

/* NULL: there is none left. */
static const struct http_middleware *next_middleware(struct http_dispatch *dispatch)
{
    const struct http_middleware *middleware;

    while (!dispatch->next && dispatch->app_index + 1 < dispatch->app_count)
        dispatch->next = dispatch->apps[++dispatch->app_index]->middleware;
    middleware = dispatch->next;
    if (middleware)
        dispatch->next = middleware->next;
    return middleware;
}

/* Afterwards there is an answer, so that the step around this one sees what it was. */
static int run_step(struct ouro_http_exchange *exchange, struct http_dispatch *dispatch)
{
    const struct http_middleware *middleware = next_middleware(dispatch);
    struct http_answer_field **fields_end = exchange->fields.end;
    bool was_unanswered = exchange->progress == UNANSWERED;
    unsigned outer = dispatch->running;
    int code;

    dispatch->running = ++dispatch->started;
    dispatch->is_innermost = !middleware;
    code = middleware ? middleware->fn(exchange, middleware->arg) : answer(exchange, dispatch);
    dispatch->running = outer;
    if (was_unanswered) /* else it is for the step that has begun it */
        ouro__http_exchange_complete(exchange, code);
    if (exchange->progress == UNANSWERED)
        answer_for(exchange, code, fields_end);
    return code;
}

int ouro_http_next(struct ouro_http_exchange *exchange)
{
    struct http_dispatch *dispatch = exchange->dispatch;

    if (dispatch->is_innermost || dispatch->running != dispatch->started)
        return -EALREADY;
    return run_step(exchange, dispatch);
}

static int64_t deadline_of(const struct ouro_http_exchange *exchange)
{
    int64_t limit_ns = exchange->limits.handler_timeout_ns;
    int64_t deadline = exchange->deadline ? exchange->deadline : OURO_FOREVER;
    int64_t own = OURO_FOREVER;

    if (limit_ns && limit_ns < OURO_FOREVER / 2)
        own = ouro_now() + limit_ns;
    return own < deadline ? own : deadline;
}

/* Within the limits of route and request, where there are any. */
static void run_steps(struct ouro_http_exchange *exchange, struct http_dispatch *dispatch)
{
    struct ouro_timeout limit;
    int64_t deadline = deadline_of(exchange);

    if (deadline == OURO_FOREVER) {
        (void) run_step(exchange, dispatch);
        return;
    }
    exchange->deadline = deadline;
    exchange->limit = &limit;
    ouro_timeout_begin_at(&limit, deadline);
    (void) run_step(exchange, dispatch);
    (void) ouro_timeout_end(&limit);
    exchange->limit = NULL;
}

/* All but the rest of `apps`, which only mounts use. */
static void begin(struct http_dispatch *dispatch, const struct ouro_http_app *app)
{
    dispatch->apps[0] = app;
    dispatch->app_count = 1;
    dispatch->allowed = 0;
    dispatch->app_index = 0;
    dispatch->next = app->middleware;
    dispatch->started = dispatch->running = 0;
    dispatch->is_innermost = false;
}

void ouro__http_dispatch(struct ouro_http_exchange *exchange, const struct ouro_http_app *app)
{
    struct http_dispatch dispatch;

    begin(&dispatch, app);
    exchange->dispatch = &dispatch;
    dispatch.status = find_way(exchange, &dispatch);
    inherit(exchange, &dispatch);
    if (!dispatch.status && is_too_long(exchange))
        dispatch.status = 413;
    run_steps(exchange, &dispatch);
    exchange->dispatch = NULL;
}
