/* SPDX-License-Identifier: MIT */
/*
 * http_router.c - which handler answers a method and a path; see http_router.h
 *
 * The patterns form a tree with one level per segment:
 *
 *     GET  /hello/{name}            ● ── "hello" ── {} : GET
 *     GET  /hello/world                        └── "world" : GET
 *     POST /hello/world                                    : POST
 *
 * A match walks down, text first, and comes back to try the parameter where text led
 * nowhere. A node is visited at most once, so that a path costs no more than the tree
 * has nodes. Names of parameters belong to the route, not to the node: two methods of
 * one path may name them differently.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "http1_head.h"
#include "http_router.h"

struct node {
    char *text; /* of the segment; NULL for a parameter and the root */
    size_t len;
    struct node *children; /* with text */
    struct node *sibling;
    struct node *parameter; /* the child for any other segment */
    struct http_route *routes;
};

struct http_router {
    struct node root;
};

/* --- life -------------------------------------------------------------------------------- */

static void free_route(struct http_route *route)
{
    for (size_t i = 0; i < route->parameter_count; i++)
        free(route->parameters[i].name);
    free(route->method);
    free(route);
}

/* Frees what hangs on the node, not the node. Its depth is bounded by URL_SEGMENTS_MAX. */
static void clear_node(struct node *node)
{
    struct http_route *route;
    struct node *child;

    while ((route = node->routes)) {
        node->routes = route->next;
        free(route->endpoint);
        free_route(route);
    }
    while ((child = node->children)) {
        node->children = child->sibling;
        clear_node(child);
        free(child);
    }
    if (node->parameter)
        clear_node(node->parameter);
    free(node->parameter);
    free(node->text);
}

int ouro__http_router_create(struct http_router **ret_router)
{
    struct http_router *router = calloc(1, sizeof(*router));

    if (!router)
        return -ENOMEM;
    *ret_router = router;
    return 0;
}

void ouro__http_router_destroy(struct http_router *router)
{
    if (!router)
        return;
    clear_node(&router->root);
    free(router);
}

/* --- adding ------------------------------------------------------------------------------ */

static struct node *find_child(const struct node *node, const char *text, size_t len)
{
    struct node *child = node->children;

    while (child && (child->len != len || memcmp(child->text, text, len) != 0))
        child = child->sibling;
    return child;
}

static struct node *add_child(struct node *node, const char *text, size_t len)
{
    struct node *child = calloc(1, sizeof(*child));
    char *copy = strndup(text, len);

    if (!child || !copy) {
        free(child);
        free(copy);
        return NULL;
    }
    child->text = copy;
    child->len = len;
    child->sibling = node->children;
    node->children = child;
    return child;
}

/* The node below for that segment of a pattern, made if need be. NULL: out of memory. */
static struct node *descend(struct node *node, const char *text, size_t len)
{
    struct node *child;

    if (len && text[0] == '{') {
        if (!node->parameter)
            node->parameter = calloc(1, sizeof(*node->parameter));
        return node->parameter;
    }
    child = find_child(node, text, len);
    return child ? child : add_child(node, text, len);
}

static bool is_name(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '{' || text[i] == '}')
            return false;
    return len > 0;
}

static bool has_parameter(const struct http_route *route, const char *name, size_t len)
{
    for (size_t i = 0; i < route->parameter_count; i++)
        if (strlen(route->parameters[i].name) == len &&
            memcmp(route->parameters[i].name, name, len) == 0)
            return true;
    return false;
}

/* Checks one segment of a pattern, and remembers it when it is a parameter. */
static int read_segment(struct http_route *route, size_t index, const char *text, size_t len)
{
    size_t count = route->parameter_count;
    char *copy;

    if (!memchr(text, '{', len) && !memchr(text, '}', len))
        return 0;
    if (len < 2 || text[0] != '{' || text[len - 1] != '}' || !is_name(text + 1, len - 2) ||
        has_parameter(route, text + 1, len - 2) || count == HTTP_ROUTER_PARAMETERS_MAX)
        return -EINVAL;
    copy = strndup(text + 1, len - 2);
    if (!copy)
        return -ENOMEM;
    route->parameters[count].name = copy;
    route->parameters[count].segment = index;
    route->parameter_count++;
    return 0;
}

/* The segment of `pattern` that begins behind the slash at `*at`; moves `*at` to the next slash. */
static const char *next_segment(const char **at, size_t *ret_len)
{
    const char *start = *at + 1;

    *ret_len = strcspn(start, "/");
    *at = start + *ret_len;
    return start;
}

static int read_pattern(struct http_route *route, const char *pattern)
{
    const char *at = pattern;
    size_t index = 0;
    int code = *at == '/' ? 0 : -EINVAL;

    while (!code && *at) {
        size_t len;
        const char *segment = next_segment(&at, &len);

        code = index < URL_SEGMENTS_MAX ? read_segment(route, index++, segment, len) : -EINVAL;
    }
    return code;
}

/* Nodes without routes may stay behind when memory runs out: they match nothing. */
static int insert(struct http_router *router, struct http_route *route, const char *pattern)
{
    struct node *node = &router->root;
    const char *at = pattern;
    struct http_route **end;
    size_t count = 0;

    while (*at) {
        size_t len;
        const char *segment = next_segment(&at, &len);

        node = descend(node, segment, len);
        if (!node)
            return -ENOMEM;
    }
    for (end = &node->routes; *end; end = &(*end)->next, count++)
        if (strcmp((*end)->method, route->method) == 0)
            return -EEXIST;
    if (count == HTTP_ROUTER_METHODS_MAX - 1) /* one place for HEAD */
        return -EINVAL;
    *end = route;
    return 0;
}

int ouro__http_router_add(struct http_router *router, const char *method, const char *pattern,
                          void *endpoint)
{
    struct http_route *route;
    int code;

    if (!ouro__http1_is_token(method, strlen(method)))
        return -EINVAL;
    route = calloc(1, sizeof(*route));
    if (!route)
        return -ENOMEM;
    route->method = strdup(method);
    code = route->method ? read_pattern(route, pattern) : -ENOMEM;
    if (!code)
        code = insert(router, route, pattern);
    if (code) {
        free_route(route);
        return code;
    }
    route->endpoint = endpoint;
    return 0;
}

/* --- matching ---------------------------------------------------------------------------- */

static const struct http_route *route_with(const struct node *node, const char *method)
{
    const struct http_route *route = node->routes;

    while (route && strcmp(route->method, method) != 0)
        route = route->next;
    return route;
}

static void allow(struct http_match *match, const char *method)
{
    for (size_t i = 0; i < match->allowed_count; i++)
        if (strcmp(match->allowed[i], method) == 0)
            return;
    if (match->allowed_count < HTTP_ROUTER_METHODS_MAX)
        match->allowed[match->allowed_count++] = method;
}

static void allow_all(struct http_match *match, const struct node *node)
{
    for (const struct http_route *route = node->routes; route; route = route->next) {
        allow(match, route->method);
        if (strcmp(route->method, "GET") == 0)
            allow(match, "HEAD");
    }
}

static bool try_node(const struct node *node, const char *method, struct http_match *match)
{
    match->route = route_with(node, method);
    if (!match->route && strcmp(method, "HEAD") == 0)
        match->route = route_with(node, "GET");
    if (!match->route)
        allow_all(match, node);
    return match->route;
}

/* `index` is at most URL_SEGMENTS_MAX, and so is the depth of this. */
static bool walk(const struct node *node, const struct url_path *path, size_t index,
                 const char *method, struct http_match *match)
{
    const struct url_segment *segment = &path->segments[index];
    const struct node *child;

    if (index == path->count)
        return try_node(node, method, match);
    child = find_child(node, segment->text, segment->len);
    if (child && walk(child, path, index + 1, method, match))
        return true;
    return node->parameter && segment->len && walk(node->parameter, path, index + 1, method, match);
}

void ouro__http_router_match(const struct http_router *router, const char *method,
                             const struct url_path *path, struct http_match *ret_match)
{
    ret_match->route = NULL;
    ret_match->allowed_count = 0;
    if (walk(&router->root, path, 0, method, ret_match))
        ret_match->allowed_count = 0;
}

static void allow_below(struct http_match *match, const struct node *node)
{
    allow_all(match, node);
    for (const struct node *child = node->children; child; child = child->sibling)
        allow_below(match, child);
    if (node->parameter)
        allow_below(match, node->parameter);
}

size_t ouro__http_router_methods(const struct http_router *router,
                                 const char *ret_methods[HTTP_ROUTER_METHODS_MAX])
{
    struct http_match match = {.allowed_count = 0};

    allow_below(&match, &router->root);
    memcpy(ret_methods, match.allowed, sizeof(match.allowed));
    return match.allowed_count;
}

const struct url_segment *ouro__http_route_parameter(const struct http_route *route,
                                                     const struct url_path *path, const char *name)
{
    for (size_t i = 0; i < route->parameter_count; i++)
        if (strcmp(route->parameters[i].name, name) == 0)
            return &path->segments[route->parameters[i].segment];
    return NULL;
}
