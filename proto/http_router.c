/* SPDX-License-Identifier: MIT */
/*
 * http_router.c - which handler answers a method and a path; see http_router.h
 *
 * The patterns form a tree with one level per segment:
 *
 *     GET  /hello/{name}            ● ─┬─ "hello" ─┬─ {} : GET
 *     GET  /hello/world                │           └─ "world" : GET
 *     POST /hello/world                │                      : POST
 *     GET  /{rest...}                  └─ {...} : GET
 *
 * A match walks down, text first, and comes back to try the parameter, then the tail, where
 * text led nowhere. A node is visited at most once, so that a path costs no more than the
 * tree has nodes. Names of parameters belong to the route, not to the node: two methods of
 * one path may name them differently.
 *
 * The path to a mount is text alone, so the walk comes to it before it has passed anything
 * by: all that is below belongs to the mount, with nothing to come back to.
 *
 * Methods have numbers, in the order in which they first occurred, and sets of methods are
 * bits.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "http1_head.h"
#include "http_router.h"

struct node {
    char *text; /* of the segment; NULL for a parameter, a tail and the root */
    size_t len;
    struct node *children; /* with text */
    struct node *sibling;
    struct node *parameter; /* the child for any other segment */
    struct node *tail;      /* the child for any number of them */
    void *mount;            /* then there is nothing below */
    struct http_route *routes;
    uint64_t methods; /* theirs, and HEAD where there is GET */
};

struct http_router {
    struct node root;
    char *methods[HTTP_ROUTER_METHODS_MAX];
    unsigned method_count;
    int get; /* the number of GET; negative: no route has it */
};

/* --- life -------------------------------------------------------------------------------- */

static void free_route(struct http_route *route)
{
    for (size_t i = 0; i < route->parameter_count; i++)
        free(route->parameters[i].name);
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
    if (node->tail)
        clear_node(node->tail);
    free(node->parameter);
    free(node->tail);
    free(node->text);
}

int ouro__http_router_create(struct http_router **ret_router)
{
    struct http_router *router = calloc(1, sizeof(*router));

    if (!router)
        return -ENOMEM;
    router->get = -1;
    *ret_router = router;
    return 0;
}

void ouro__http_router_destroy(struct http_router *router)
{
    if (!router)
        return;
    clear_node(&router->root);
    for (unsigned i = 0; i < router->method_count; i++)
        free(router->methods[i]);
    free(router);
}

/* --- methods ----------------------------------------------------------------------------- */

/* They are short, and strcmp() takes 15 ns (pipelined in bench/http_instructions). */
static bool is_same(const char *a, const char *b)
{
    size_t i = 0;

    while (a[i] == b[i] && a[i])
        i++;
    return a[i] == b[i];
}

/* The number of a method; negative: no route has it. */
static int find_method(const struct http_router *router, const char *method)
{
    if (strcmp(method, "GET") == 0) /* most are, and this needs no call */
        return router->get;
    for (unsigned i = 0; i < router->method_count; i++)
        if (is_same(router->methods[i], method))
            return (int) i;
    return -1;
}

/* The same, with a number for one that is new; or an error. */
static int number_method(struct http_router *router, const char *method)
{
    int number = find_method(router, method);
    char *copy;

    if (number >= 0)
        return number;
    if (router->method_count == HTTP_ROUTER_METHODS_MAX)
        return -EINVAL;
    copy = strdup(method);
    if (!copy)
        return -ENOMEM;
    router->methods[router->method_count] = copy;
    if (strcmp(method, "GET") == 0)
        router->get = (int) router->method_count;
    return (int) router->method_count++;
}

static uint64_t bit(int number)
{
    return number < 0 ? 0 : UINT64_C(1) << number;
}

const char *ouro__http_router_method(const struct http_router *router, unsigned number)
{
    return router->methods[number];
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

/* Whether the last segment of a pattern is a tail, as in "{path...}". */
static bool is_tail(const char *text, size_t len)
{
    return len >= 5 && text[0] == '{' && memcmp(text + len - 4, "...}", 4) == 0;
}

/* The node below for that segment of a pattern, made if need be. NULL: out of memory. */
static struct node *descend(struct node *node, const char *text, size_t len)
{
    struct node **other = is_tail(text, len) ? &node->tail : &node->parameter;
    struct node *child;

    if (len && text[0] == '{') {
        if (!*other)
            *other = calloc(1, sizeof(**other));
        return *other;
    }
    child = find_child(node, text, len);
    return child ? child : add_child(node, text, len);
}

/* Paths have no dot segments any more when they are matched: those of a pattern are mistakes. */
static bool is_text(const char *text, size_t len)
{
    bool is_dots = len && len <= 2 && memcmp(text, "..", len) == 0;

    return !is_dots && !memchr(text, '{', len) && !memchr(text, '}', len);
}

static bool is_name(const char *text, size_t len)
{
    return len && !memchr(text, '{', len) && !memchr(text, '}', len);
}

static bool has_parameter(const struct http_route *route, const char *name, size_t len)
{
    for (size_t i = 0; i < route->parameter_count; i++)
        if (strlen(route->parameters[i].name) == len &&
            memcmp(route->parameters[i].name, name, len) == 0)
            return true;
    return false;
}

static int add_parameter(struct http_route *route, size_t index, const char *name, size_t len)
{
    size_t count = route->parameter_count;
    char *copy;

    if (!is_name(name, len) || has_parameter(route, name, len) ||
        count == HTTP_ROUTER_PARAMETERS_MAX)
        return -EINVAL;
    copy = strndup(name, len);
    if (!copy)
        return -ENOMEM;
    route->parameters[count].name = copy;
    route->parameters[count].segment = index;
    route->parameter_count++;
    return 0;
}

/* Checks one segment of a pattern, and remembers it when it is a parameter. */
static int read_segment(struct http_route *route, size_t index, const char *text, size_t len)
{
    if (is_text(text, len))
        return 0;
    if (len < 2 || text[0] != '{' || text[len - 1] != '}')
        return -EINVAL;
    route->has_tail = is_tail(text, len);
    return add_parameter(route, index, text + 1, len - 2 - (route->has_tail ? 3 : 0));
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

        code = index < URL_SEGMENTS_MAX && !route->has_tail
                   ? read_segment(route, index++, segment, len)
                   : -EINVAL;
    }
    return code;
}

/*
 * Finds the node of a pattern, and makes what is missing on the way. Nodes without routes
 * may stay behind when memory runs out: they match nothing.
 */
static int reach(struct http_router *router, const char *pattern, struct node **ret_node)
{
    struct node *node = &router->root;
    const char *at = pattern;

    while (*at) {
        size_t len;
        const char *segment = next_segment(&at, &len);

        node = descend(node, segment, len);
        if (!node)
            return -ENOMEM;
        if (node->mount)
            return -EEXIST;
    }
    *ret_node = node;
    return 0;
}

static int insert(struct http_router *router, struct http_route *route, const char *method,
                  const char *pattern)
{
    int number = number_method(router, method);
    int head = strcmp(method, "GET") == 0 ? number_method(router, "HEAD") : number;
    struct http_route **end;
    struct node *node = NULL;
    int code = number < 0 ? number : head < 0 ? head : reach(router, pattern, &node);

    if (code)
        return code;
    route->method = (unsigned) number;
    for (end = &node->routes; *end; end = &(*end)->next)
        if ((*end)->method == route->method)
            return -EEXIST;
    *end = route;
    node->methods |= bit(number) | bit(head);
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
    code = read_pattern(route, pattern);
    if (!code)
        code = insert(router, route, method, pattern);
    if (code) {
        free_route(route);
        return code;
    }
    route->endpoint = endpoint;
    return 0;
}

/* --- mounts ------------------------------------------------------------------------------ */

static bool is_prefix(const char *text)
{
    const char *at = text;
    size_t count = 0;

    if (*at != '/')
        return false;
    while (*at) {
        size_t len;
        const char *segment = next_segment(&at, &len);

        if (!len || !is_text(segment, len) || ++count == URL_SEGMENTS_MAX)
            return false;
    }
    return true;
}

static bool is_used(const struct node *node)
{
    if (node->methods || node->mount || (node->parameter && is_used(node->parameter)) ||
        (node->tail && is_used(node->tail)))
        return true;
    for (const struct node *child = node->children; child; child = child->sibling)
        if (is_used(child))
            return true;
    return false;
}

int ouro__http_router_mount(struct http_router *router, const char *prefix, void *mount)
{
    struct node *node = NULL;
    int code = is_prefix(prefix) ? reach(router, prefix, &node) : -EINVAL;

    if (code)
        return code;
    if (is_used(node))
        return -EEXIST;
    node->mount = mount;
    return 0;
}

/* --- matching ---------------------------------------------------------------------------- */

#define UNKNOWN SIZE_MAX

struct search {
    const struct url_path *path;
    const struct url_segment *end; /* of its segments */
    struct http_match *match;
    int method;      /* its number; negative: no route has it */
    int other;       /* the method whose routes answer this one as well; or negative */
    size_t joinable; /* see is_joinable(); or UNKNOWN */
};

static const struct http_route *route_with(const struct node *node, int method)
{
    const struct http_route *route = node->routes;

    if (!(node->methods & bit(method)))
        return NULL;
    while (route && (int) route->method != method)
        route = route->next;
    return route;
}

static bool try_node(struct search *search, const struct node *node)
{
    struct http_match *match = search->match;

    match->route = route_with(node, search->method);
    if (!match->route)
        match->route = route_with(node, search->other);
    if (!match->route)
        match->allowed |= node->methods;
    return match->route;
}

/*
 * Whether the segments from `segment` on, joined by slashes, are a text that can be taken
 * apart again in one way only. It will be used to open files. A segment with a decoded slash
 * would become two, behind the back of who looked at the segments before: "..%2fx" is "../x"
 * then, which is no dot segment that had been resolved. An empty one in front makes an
 * absolute path of what was to be below a directory ("/files//etc/passwd"), and elsewhere
 * two names for one file. An empty one at the end is a slash at the end, as it was.
 */
static bool is_joinable(struct search *search, const struct url_segment *segment)
{
    const struct url_segment *segments = search->path->segments;
    size_t index = (size_t) (segment - segments);
    size_t first = search->path->count - 1; /* of those behind which there is nothing wrong */

    if (search->joinable == UNKNOWN) {
        if (memchr(segments[first].text, '/', segments[first].len))
            first++;
        while (first && first < search->path->count && segments[first - 1].len &&
               !memchr(segments[first - 1].text, '/', segments[first - 1].len))
            first--;
        search->joinable = first;
    }
    return index >= search->joinable;
}

/* The depth of this is at most URL_SEGMENTS_MAX. */
static bool walk(struct search *search, const struct node *node, const struct url_segment *segment)
{
    for (; segment < search->end && !node->mount; segment++) {
        const struct node *text = find_child(node, segment->text, segment->len);
        const struct node *parameter = segment->len ? node->parameter : NULL;

        /* Only where there is something to come back to. */
        if (text && (parameter || node->tail) && walk(search, text, segment + 1))
            return true;
        if (parameter && node->tail && walk(search, parameter, segment + 1))
            return true;
        if (node->tail)
            return is_joinable(search, segment) && try_node(search, node->tail);
        node = parameter ? parameter : text;
        if (!node)
            return false;
    }
    if (!node->mount)
        return try_node(search, node);
    search->match->mount = node->mount;
    search->match->mount_end = (size_t) (segment - search->path->segments);
    return true;
}

void ouro__http_router_match(const struct http_router *router, const char *method,
                             const struct url_path *path, size_t start,
                             struct http_match *ret_match)
{
    struct search search = {
        .path = path,
        .end = path->segments + path->count,
        .match = ret_match,
        .method = find_method(router, method),
        .other = is_same(method, "HEAD") ? router->get : -1,
        .joinable = UNKNOWN,
    };

    *ret_match = (struct http_match) {0};
    if (walk(&search, &router->root, path->segments + start))
        ret_match->allowed = 0;
}

static uint64_t methods_below(const struct node *node)
{
    uint64_t methods = node->methods;

    for (const struct node *child = node->children; child; child = child->sibling)
        methods |= methods_below(child);
    if (node->parameter)
        methods |= methods_below(node->parameter);
    return node->tail ? methods | methods_below(node->tail) : methods;
}

uint64_t ouro__http_router_methods(const struct http_router *router)
{
    return methods_below(&router->root);
}

/* --- parameters -------------------------------------------------------------------------- */

/*
 * In place: each segment lies in `memory` behind the one before it, with a NUL that becomes
 * its slash, and where dot segments have gone there is room to spare. Only the last one may be an
 * empty text from elsewhere, and a dot segment has left room for its NUL.
 */
void ouro__http_route_join_tail(const struct http_route *route, size_t start, char *memory,
                                struct url_path *path)
{
    size_t first = start + route->parameters[route->parameter_count - 1].segment;
    struct url_segment *tail = &path->segments[first];
    size_t len = tail->len;
    char *text;

    if (first + 1 == path->count)
        return;
    text = memory + (tail->text - memory);
    for (size_t i = first + 1; i < path->count; i++) {
        text[len++] = '/';
        memmove(text + len, path->segments[i].text, path->segments[i].len);
        len += path->segments[i].len;
    }
    text[len] = '\0';
    tail->len = len;
    path->count = first + 1;
}

const struct url_segment *ouro__http_route_parameter(const struct http_route *route, size_t start,
                                                     const struct url_path *path, const char *name)
{
    for (size_t i = 0; i < route->parameter_count; i++)
        if (is_same(route->parameters[i].name, name))
            return &path->segments[start + route->parameters[i].segment];
    return NULL;
}
