/* SPDX-License-Identifier: MIT */
/*
 * http_router.h - which handler answers a method and a path
 *
 * A pattern is a path whose segments are text or a parameter: "/hello/{name}". Text
 * beats a parameter, segment by segment from the left; a parameter takes one segment
 * that is not empty. HEAD is answered by GET's route unless it has one of its own.
 *
 * Matching allocates nothing. Adding may happen between matches, not during one.
 */
#ifndef OURO_HTTP_ROUTER_H
#define OURO_HTTP_ROUTER_H

#include <stddef.h>

#include "url.h"

#define HTTP_ROUTER_PARAMETERS_MAX 8
#define HTTP_ROUTER_METHODS_MAX    16 /* that one path may have */

struct http_router;

struct http_route {
    void *endpoint; /* what the caller wants to find */
    char *method;
    size_t parameter_count;
    struct {
        char *name;
        size_t segment; /* of the path: its value */
    } parameters[HTTP_ROUTER_PARAMETERS_MAX];
    struct http_route *next; /* another method of the same pattern */
};

struct http_match {
    const struct http_route *route; /* NULL: there is none */
    /* When the path is known, but not with this method: those that it has, HEAD included. */
    const char *allowed[HTTP_ROUTER_METHODS_MAX];
    size_t allowed_count;
};

/* Returns 0 or -ENOMEM. */
int ouro__http_router_create(struct http_router **ret_router);

void ouro__http_router_destroy(struct http_router *router);

/*
 * Adds a route. The strings are copied; `endpoint` is taken, on success only, and
 * freed with free() when the router is destroyed.
 *
 * Returns 0; -EINVAL for a bad method or pattern; -EEXIST; -ENOMEM.
 */
int ouro__http_router_add(struct http_router *router, const char *method, const char *pattern,
                          void *endpoint);

void ouro__http_router_match(const struct http_router *router, const char *method,
                             const struct url_path *path, struct http_match *ret_match);

/* The methods of all routes together; returns how many. */
size_t ouro__http_router_methods(const struct http_router *router,
                                 const char *ret_methods[HTTP_ROUTER_METHODS_MAX]);

/* The segment of `path` that is the parameter `name` of the route; NULL: it has none. */
const struct url_segment *ouro__http_route_parameter(const struct http_route *route,
                                                     const struct url_path *path, const char *name);

#endif /* OURO_HTTP_ROUTER_H */
