/* SPDX-License-Identifier: MIT */
/*
 * ouro_http_server.h - an HTTP/1.1 server: routes, handlers, exchanges
 *
 *     static int hello(struct ouro_http_exchange *exchange, void *arg)
 *     {
 *         return ouro_http_replyf(exchange, 200, "text/plain", "hello, %s\n",
 *                                 ouro_http_parameter(exchange, "name"));
 *     }
 *
 *     ouro_http_app_create(&app);
 *     ouro_http_route(app, "GET", "/hello/{name}", hello, NULL);
 *     ouro_http_serve(app, listen_fd, NULL);
 *
 * A handler sees one exchange, a request and the answer to it, and never the connection:
 * keep-alive, pipelining, limits and framing are the server's business. Each connection is
 * a task of its own, so a handler may sleep, ask other servers, or do what else suspends.
 *
 * What of HTTP is refused, and how, is in docs/http.md.
 */
#ifndef OURO_HTTP_SERVER_H
#define OURO_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ouro_base.h"
#include "ouro_coro.h"

OURO_BEGIN_DECLS

struct ouro_http_app;
struct ouro_http_exchange;

/*
 * Answers one request, in the task of its connection. Returns 0; an error, or a return
 * without an answer, makes the server answer 500 Internal Server Error. An error of
 * ouro_http_read() that is passed on makes it answer what that deserves.
 */
typedef int ouro_http_handler_fn(struct ouro_http_exchange *exchange, void *arg);

/* --- applications ------------------------------------------------------------------------ */

/*
 * ouro_http_app_create - an application without routes
 *
 * Context: any thread.
 * Returns: 0 and the application, owned, free with ouro_http_app_destroy(); -ENOMEM.
 */
OURO_API int ouro_http_app_create(struct ouro_http_app **ret_app);

/* ouro_http_app_destroy - NULL is allowed. Not while it is served. Context: any thread. */
OURO_API void ouro_http_app_destroy(struct ouro_http_app *app);

/*
 * ouro_http_route - let `handler` answer a method on the paths of a pattern
 * @method:  "GET", ...; case counts. GET answers HEAD as well
 * @pattern: a path; a segment may be a parameter, as in "/hello/{name}". Text beats
 *           parameters, segment by segment from the left. At most 8 parameters
 * @arg:     passed to the handler
 *
 * Other paths are answered with 404, other methods of known paths with 405 and the list
 * of those that are allowed.
 *
 * Context: any thread; not while the application is served.
 * Returns: 0; -EINVAL for a bad method or pattern; -EEXIST; -ENOMEM.
 */
OURO_API int ouro_http_route(struct ouro_http_app *app, const char *method, const char *pattern,
                             ouro_http_handler_fn *handler, void *arg);

/* Limits of a server. Zero stands for the default, which is given behind each. */
struct ouro_http_serve_options {
    size_t line_bytes_max;     /* request line; 414 beyond; 8 KiB */
    size_t header_bytes_max;   /* whole head, request line included; 431 beyond; 16 KiB */
    unsigned header_count_max; /* fields, trailers included; 431 beyond; 100 */
    uint64_t body_bytes_max;   /* what ouro_http_read() reads of one request; 413 beyond; 1 MiB */

    int64_t header_timeout_ns; /* from a head's first byte to its last; 408; 5 s */
    int64_t body_timeout_ns;   /* for the next piece of a body; 408; 30 s */
    int64_t send_timeout_ns;   /* for the next 64 KiB of an answer; closes; 30 s */
    int64_t idle_timeout_ns;   /* without a request; closes; 75 s */
    int64_t linger_timeout_ns; /* for the peer to notice a close, see docs/http.md; 2 s */
    int64_t drain_timeout_ns;  /* for handlers to finish when the server ends; 5 s */

    enum ouro_stack_class stack; /* of each connection's task, where handlers run */
};

/*
 * ouro_http_serve - accept connections and answer their requests, until cancelled
 * @listen_fd: of ouro_listen() or inherited; stays the caller's, who should close it next
 * @options:   NULL for defaults
 *
 * Cancelling the calling task is how to end it: nothing more is accepted, idle
 * connections are closed, handlers that run may finish within drain_timeout_ns, with
 * their answers saying "Connection: close", and are cancelled then.
 *
 * Running out of descriptors or memory pauses accepting for a moment; what is connected
 * goes on.
 *
 * Context: task, may suspend. One listening socket may be served by several tasks, one
 *          application by several threads.
 * Returns: -ECANCELED, -ETIMEDOUT after the drain; an error of accept(2) that no waiting
 *          will cure, also after the drain; -EINVAL for options that make no sense.
 */
OURO_API OURO_TASK int ouro_http_serve(struct ouro_http_app *app, int listen_fd,
                                       const struct ouro_http_serve_options *options);

/* --- the request ------------------------------------------------------------------------- */

/*
 * The strings that these calls return are valid until the handler returns.
 * Context: the handler's task.
 */

/* ouro_http_method - "GET", "POST", ... */
OURO_API const char *ouro_http_method(const struct ouro_http_exchange *exchange);

/* ouro_http_path - the path as the client sent it, without the query and not decoded */
OURO_API const char *ouro_http_path(const struct ouro_http_exchange *exchange);

/* ouro_http_query - what follows the '?', not decoded; NULL: there is no '?' */
OURO_API const char *ouro_http_query(const struct ouro_http_exchange *exchange);

/*
 * ouro_http_parameter - the part of the path that stands for a parameter of the pattern
 *
 * Percent-decoded: never empty, valid UTF-8, without control characters; it may have
 * slashes. Before it goes into a page it has to go through ouro_html_escape().
 *
 * Returns: the text; NULL when the pattern has no parameter of that name.
 */
OURO_API const char *ouro_http_parameter(const struct ouro_http_exchange *exchange,
                                         const char *name);

/*
 * ouro_http_header - the value of the first header field of that name, in any case
 *
 * Returns: the value, possibly empty; NULL when there is none.
 */
OURO_API const char *ouro_http_header(const struct ouro_http_exchange *exchange, const char *name);

/*
 * ouro_http_header_at - the header fields one by one, in the order, the case and the
 *                       number in which they came
 * @index: from 0
 *
 * Returns: true; false when there are no more.
 */
OURO_API bool ouro_http_header_at(const struct ouro_http_exchange *exchange, size_t index,
                                  const char **ret_name, const char **ret_value);

/*
 * ouro_http_read - read up to `len` bytes of the request's body
 *
 * A client that asked first (Expect: 100-continue) is told to go ahead by the first read.
 * What a handler leaves unread is read and dropped by the server, or ends the connection
 * when it is much.
 *
 * Context: the handler's task, may suspend.
 * Returns: bytes read; 0 at the end of the body; OURO_ELIMIT beyond body_bytes_max;
 *          OURO_EEOF when the client broke off; OURO_EHTTP for a body that is not valid;
 *          -ETIMEDOUT, -ECANCELED or another error of the connection. An error is final.
 */
OURO_API OURO_TASK ssize_t ouro_http_read(struct ouro_http_exchange *exchange, void *buf,
                                          size_t len);

/* --- the answer -------------------------------------------------------------------------- */

/*
 * ouro_http_add_header - add a header field to the answer that is to follow
 *
 * The strings are copied. Date, Content-Length, Transfer-Encoding and Connection are the
 * server's own.
 *
 * Context: the handler's task.
 * Returns: 0; -EINVAL for those, or for a name or value that HTTP does not allow;
 *          -EALREADY after the answer; -ENOMEM.
 */
OURO_API int ouro_http_add_header(struct ouro_http_exchange *exchange, const char *name,
                                  const char *value);

/*
 * ouro_http_reply - answer the request
 * @status:       200 to 599
 * @content_type: NULL: no such header field
 * @body:         `len` bytes, borrowed; may be NULL when `len` is 0
 *
 * To HEAD, and with a status that has no body (204, 304), the head alone is sent. Small
 * answers are put together with those to other requests that are there already.
 *
 * Context: the handler's task, may suspend: when the client is slow.
 * Returns: 0; -EALREADY when it has been answered; -EINVAL for a bad status, or text that
 *          HTTP does not allow; -ENOMEM: in these cases another try is possible. An error of
 *          the connection, which ends it.
 */
OURO_API OURO_TASK int ouro_http_reply(struct ouro_http_exchange *exchange, int status,
                                       const char *content_type, const void *body, size_t len);

/* ouro_http_replyf - the same, with a body made as by printf(3) */
OURO_API OURO_TASK OURO_PRINTF(4, 5) int ouro_http_replyf(struct ouro_http_exchange *exchange,
                                                          int status, const char *content_type,
                                                          const char *format, ...);

/*
 * ouro_html_escape - make text safe to stand in HTML, between tags or in quoted attributes
 * @text: NULL gives NULL
 *
 * Context: the handler's task.
 * Returns: a string that is valid until the handler returns; NULL when there is no memory.
 */
OURO_API const char *ouro_html_escape(struct ouro_http_exchange *exchange, const char *text);

OURO_END_DECLS

#endif /* OURO_HTTP_SERVER_H */
