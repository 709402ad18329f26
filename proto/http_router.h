/* SPDX-License-Identifier: MIT */
/*
 * http_router.h - which handler answers a method and a path
 *
 * A pattern is a path whose segments are text, a parameter, or in the last place a tail:
 *
 *     /hello/{name}       one segment that is not empty
 *     /files/{path...}    all that follows: "/files/", "/files/a", "/files/a/b/"; not "/files"
 *
 * Text beats a parameter, which beats a tail, segment by segment from the left. HEAD is
 * answered by GET's route unless it has one of its own. What is at and below the path of a
 * mount is for another router to match.
 *
 * Matching allocates nothing. Adding may happen between matches, not during one.
 */
#ifndef OURO_HTTP_ROUTER_H
#define OURO_HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "url.h"

#define HTTP_ROUTER_PARAMETERS_MAX 8
#define HTTP_ROUTER_METHODS_MAX    64 /* a bit each; llhttp knows about half as many */

struct http_router;

struct http_route {
    void *endpoint;  /* what the caller wants to find */
    unsigned method; /* its number in the router */
    bool has_tail;   /* it is the last parameter */
    size_t parameter_count;
    struct {
        char *name;
        size_t segment; /* of the path below the mount: its value, or where the tail begins */
    } parameters[HTTP_ROUTER_PARAMETERS_MAX];
    struct http_route *next; /* another method of the same pattern */
};

/* One of the three, or nothing. */
struct http_match {
    const struct http_route *route;
    uint64_t allowed; /* the path is known, but not with this method: those that it has */
    void *mount;      /* the path is below this one ... */
    size_t mount_end; /* ... whose own part of it ends before this segment */
};

/* Returns 0 or -ENOMEM. */
int ouro__http_router_create(struct http_router **ret_router);

void ouro__http_router_destroy(struct http_router *router);

/*
 * Adds a route. The strings are copied; `endpoint` is taken, on success only, and
 * freed with free() when the router is destroyed.
 *
 * Returns 0; -EINVAL for a bad method or pattern; -EEXIST, also at and below a mount; -ENOMEM.
 */
int ouro__http_router_add(struct http_router *router, const char *method, const char *pattern,
                          void *endpoint);

/*
 * Leaves what is at and below `prefix`, which is text, to `mount`, which stays the caller's.
 *
 * Returns 0; -EINVAL for a bad prefix; -EEXIST when something is there; -ENOMEM.
 */
int ouro__http_router_mount(struct http_router *router, const char *prefix, void *mount);

/* Matches the segments of `path` from `start` on: those before it led to this router's mount. */
void ouro__http_router_match(const struct http_router *router, const char *method,
                             const struct url_path *path, size_t start,
                             struct http_match *ret_match);

/* The methods of all routes together, a bit for each number. */
uint64_t ouro__http_router_methods(const struct http_router *router);

/* The method with that number. */
const char *ouro__http_router_method(const struct http_router *router, unsigned number);

/*
 * Makes one segment of those that are the route's tail. `start` is as in the match,
 * `memory` what ouro__url_split_path() got; nothing else changes.
 */
void ouro__http_route_join_tail(const struct http_route *route, size_t start, char *memory,
                                struct url_path *path);

/* The segment of `path` that is the parameter `name` of the route; NULL: it has none. */
const struct url_segment *ouro__http_route_parameter(const struct http_route *route, size_t start,
                                                     const struct url_path *path, const char *name);

#endif /* OURO_HTTP_ROUTER_H */
