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
 * What of HTTP is refused, and how, is in docs/http-rules.md.
 */
#ifndef OURO_HTTP_SERVER_H
#define OURO_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ouro_address.h"
#include "ouro_base.h"
#include "ouro_coro.h"
#include "ouro_http_cookie.h"
#include "ouro_stream.h"

OURO_BEGIN_DECLS

struct ouro_http_app;
struct ouro_http_exchange;

/*
 * Answers one request, in the task of its connection. Returns 0; an error, or a return
 * without an answer, makes the server answer 500 Internal Server Error. An error of
 * ouro_http_read() that is passed on makes it answer what that deserves. When the answer had
 * begun, an error makes the server break off, in a way that the client sees.
 */
typedef int ouro_http_handler_fn(struct ouro_http_exchange *exchange, void *arg);

/* --- applications ------------------------------------------------------------------------ */

/*
 * An application is a set of routes, with middleware around them. One can be mounted in
 * another. What is said here about requests also holds for a mounted one, with paths that
 * begin behind its prefix.
 *
 * A path that no route knows is answered with 404. Another method of a known path: with 405
 * and the list of those that are allowed; except HEAD, which the route of GET answers, and
 * OPTIONS, to which that list is the answer, with 204, unless a route has OPTIONS itself.
 */

/*
 * ouro_http_app_create - an application without routes
 *
 * Context: any thread.
 * Returns: 0 and the application, owned, free with ouro_http_app_destroy(); -ENOMEM.
 */
OURO_API int ouro_http_app_create(struct ouro_http_app **ret_app);

/*
 * ouro_http_app_destroy - and what is mounted in it
 * @app: NULL is allowed; not while it is served, nor one that is mounted itself
 *
 * Context: any thread.
 */
OURO_API void ouro_http_app_destroy(struct ouro_http_app *app);

/*
 * ouro_http_route - let `handler` answer a method on the paths of a pattern
 * @method:  "GET", ...; case counts. GET answers HEAD as well
 * @pattern: a path; a segment may be a parameter, as in "/hello/{name}", and the last one a
 *           tail, as in "/files/{path...}". At most 8 of both
 * @arg:     passed to the handler
 *
 * A parameter stands for one segment that is not empty; a tail for all that follows, so that
 * "/files/" matches (the tail is empty then), but not "/files". Text beats a parameter, which
 * beats a tail, segment by segment from the left.
 *
 * A tail can be used to name a file: it does not begin with a slash, and has no empty segment
 * but at the end, no "." and no "..". Paths that would break this, by an encoded
 * slash for example, do not match.
 *
 * Context: any thread; not while the application is served.
 * Returns: 0; -EINVAL for a bad pattern, or a method that no request can have (CONNECT, or a
 *          made-up one); -EEXIST, also for what is at or below the prefix of a mounted
 *          application; -ENOMEM.
 */
OURO_API int ouro_http_route(struct ouro_http_app *app, const char *method, const char *pattern,
                             ouro_http_handler_fn *handler, void *arg);

/* Whether answers are compressed for clients that can take it. */
enum ouro_http_gzip { OURO_HTTP_GZIP_DEFAULT, OURO_HTTP_GZIP_ON, OURO_HTTP_GZIP_OFF };

/*
 * What may differ from route to route. Zero stands for what the application has; if that is
 * zero, for what the one has in which it is mounted; at last, for what the server has.
 */
struct ouro_http_route_options {
    uint64_t body_bytes_max;    /* what ouro_http_read() reads of one request; 413 beyond */
    int64_t body_timeout_ns;    /* for the next piece of a body; 408 */
    int64_t handler_timeout_ns; /* for middleware and handler together; 503, or 408 when it is
                                   the body that they wait for; none by default */
    enum ouro_http_gzip gzip;
};

/*
 * ouro_http_route_with - the same as ouro_http_route(), with limits of its own
 * @options: copied; NULL as if all were zero
 *
 * A body whose Content-Length is beyond body_bytes_max is refused before the handler is
 * called, but after the middleware. When handler_timeout_ns has passed, waiting calls fail with
 * -ETIMEDOUT, as in any scope of ouro_timeout_begin(), and 503 (408) is answered if there was no
 * answer before. OURO_FOREVER is no limit, where an outer one has to be lifted.
 *
 * Context: any thread; not while the application is served.
 * Returns: as ouro_http_route(); also -EINVAL for options that are negative or unknown.
 */
OURO_API int ouro_http_route_with(struct ouro_http_app *app, const char *method,
                                  const char *pattern, ouro_http_handler_fn *handler, void *arg,
                                  const struct ouro_http_route_options *options);

/*
 * ouro_http_app_set_options - limits for all routes that have none of their own
 * @options: copied; NULL as if all were zero
 *
 * They also hold where the server itself answers, and for mounted applications.
 *
 * Context: any thread; not while the application is served.
 * Returns: 0; -EINVAL for options that are negative or unknown.
 */
OURO_API int ouro_http_app_set_options(struct ouro_http_app *app,
                                       const struct ouro_http_route_options *options);

/*
 * Makes the page for an error that the server answers by itself: 404, 405, 413, 500, ... It adds
 * header fields and answers with ouro_http_reply() or its kin, as a rule with that status; when
 * it doesn't, the server says "404 Not Found" in plain text.
 */
typedef int ouro_http_error_page_fn(struct ouro_http_exchange *exchange, int status, void *arg);

/*
 * ouro_http_app_set_error_page - let `fn` make the pages for errors, in JSON for example
 * @fn:  NULL: the plain ones
 * @arg: passed to `fn`
 *
 * A mounted application has those of the one around it, unless it has its own. Requests that are
 * not valid HTTP get the outermost one's, and have perhaps no method, path or fields.
 *
 * Context: any thread; not while the application is served.
 */
OURO_API void ouro_http_app_set_error_page(struct ouro_http_app *app, ouro_http_error_page_fn *fn,
                                           void *arg);

/*
 * ouro_http_mount_take - leave all paths at and below a prefix to another application
 * @prefix: as in "/api/v1": text only, without a slash at the end
 * @mount:  taken: destroyed with `app`. Its patterns are of what follows the prefix, and the
 *          prefix alone is its "/". More may be added to it afterwards
 *
 * Everything there is its own, also what it answers with 404. Its requests go through
 * the middleware of `app` first. The prefix beats parameters and tails of `app`.
 *
 * Context: any thread; not while one of them is served.
 * Returns: 0; -EINVAL for a bad prefix, for an application that is mounted already or in which
 *          `app` is mounted itself, and for more than 8 mounts in each other; -EEXIST when `app`
 *          has a route or a mount at or below the prefix, or a mount above it; -ENOMEM.
 */
OURO_API int ouro_http_mount_take(struct ouro_http_app *app, const char *prefix,
                                  struct ouro_http_app *mount);

/*
 * A step on the way to a handler. It may look at the request, add header fields to the answer,
 * answer itself, or go on with ouro_http_next(), and do something afterwards.
 * Returns as a handler: who neither answers nor goes on is answered for with 500.
 *
 *     static int log_access(struct ouro_http_exchange *exchange, void *arg)
 *     {
 *         int64_t start = ouro_now();
 *         int code = ouro_http_next(exchange);
 *
 *         write_line(arg, ouro_http_path(exchange), ouro_http_status(exchange), ouro_now() - start);
 *         return code;
 *     }
 */
typedef int ouro_http_middleware_fn(struct ouro_http_exchange *exchange, void *arg);

/*
 * ouro_http_use - put middleware around all that an application answers
 * @arg: passed to `fn`
 *
 * The first one added is the outermost. It is around the routes, those added before it
 * included; around mounted applications, whose own middleware is further in; and around what the
 * server answers in a handler's place: 404, 405, OPTIONS, 413, a path that is refused with 400.
 * (OPTIONS for "*" and CONNECT have the path "".) Requests that are not valid HTTP never
 * come here.
 *
 * Context: any thread; not while the application is served.
 * Returns: 0; -ENOMEM.
 */
OURO_API int ouro_http_use(struct ouro_http_app *app, ouro_http_middleware_fn *fn, void *arg);

/*
 * ouro_http_next - go on with the next middleware, or with the handler
 *
 * Afterwards there is an answer, also when the handler failed: header fields have to be
 * added before. Those of a step that failed are dropped, those from further out are kept.
 *
 * When handler_timeout_ns has passed, the waiting calls of middleware fail as well. Who has to
 * wait then, for a line in a log, raises a shield: ouro_shield_begin().
 *
 * Context: the handler's task, in middleware; may suspend.
 * Returns: what the next middleware or the handler returned; -EALREADY the second time, and
 *          in a handler.
 */
OURO_API OURO_TASK int ouro_http_next(struct ouro_http_exchange *exchange);

/*
 * ouro_http_status - the status that was answered; 0: there is no answer yet
 *
 * Context: the handler's task.
 */
OURO_API int ouro_http_status(const struct ouro_http_exchange *exchange);

/* --- serving ----------------------------------------------------------------------------- */

/* What a server has done until it ended. */
struct ouro_http_report {
    uint64_t connections; /* that were accepted */
    uint64_t requests;    /* whose heads were read */
    uint64_t aborted;     /* connections that ended in the middle of an answer */
    uint64_t cut_off;     /* connections with a handler that the drain's limit has cancelled */
};

/* Limits of a server. Zero stands for the default, which is given behind each. */
struct ouro_http_serve_options {
    size_t line_bytes_max;     /* request line; 414 beyond; 8 KiB */
    size_t header_bytes_max;   /* whole head, request line included; 431 beyond; 16 KiB */
    unsigned header_count_max; /* fields, trailers included; 431 beyond; 100 */
    uint64_t body_bytes_max;   /* what ouro_http_read() reads of one request; 413 beyond; 1 MiB */
    uint64_t body_rate_min;    /* bytes a second, see body_timeout_ns; 408 below; 240 */

    int64_t header_timeout_ns;  /* from a head's first byte to its last; 408; 5 s */
    int64_t body_timeout_ns;    /* for the next piece of a body, and for all waiting for it beyond
                                   what it takes at body_rate_min; 408; 30 s */
    int64_t handler_timeout_ns; /* for a handler, its reading and writing included; 503; none */
    int64_t request_timeout_ns; /* from a head's first byte to the end of the handler; 408 while
                                   the client is waited for, else 503; none */
    int64_t send_timeout_ns;    /* for the next 64 KiB of an answer; closes; 30 s */
    int64_t idle_timeout_ns;    /* without a request; closes; 75 s */
    int64_t linger_timeout_ns;  /* for the peer to notice a close, see docs/http.md; 2 s */
    int64_t drain_timeout_ns;   /* for handlers to finish when the server ends; 5 s */

    enum ouro_stack_class stack; /* of each connection's task, where handlers run */

    struct ouro_http_report *report; /* NULL, or what is filled in when the server ends */
};

/*
 * ouro_http_serve - accept connections and answer their requests, until cancelled
 * @listen_fd: of ouro_listen() or inherited; stays the caller's, who should close it next
 * @options:   NULL for defaults
 *
 * Cancelling the calling task is how to end it: nothing more is accepted, idle
 * connections are closed, 256 at a time, handlers that run may finish within
 * drain_timeout_ns, with their answers saying "Connection: close", and are cancelled then.
 *
 * Running out of descriptors or memory pauses accepting for a moment; what is connected
 * goes on.
 *
 * Context: task, may suspend. One listening socket may be served by several tasks, one
 *          application by several threads.
 * Returns: -ECANCELED, -ETIMEDOUT after the drain; an error of accept(2) that no waiting
 *          will cure, also after the drain; -EINVAL for options that make no sense; -ENOMEM.
 */
OURO_API OURO_TASK int ouro_http_serve(struct ouro_http_app *app, int listen_fd,
                                       const struct ouro_http_serve_options *options);

/*
 * ouro_http_serve_stream_take - answer the requests that come on one stream
 * @stream: any: TLS, a Unix socket, one end of a pair; it is closed in any case
 *
 * Context: task, may suspend. When it is cancelled, the request at hand is drained as above.
 * Returns: 0 when the connection has ended, whoever ended it; -ECANCELED, -ETIMEDOUT;
 *          -EINVAL, -ENOMEM.
 */
OURO_API OURO_TASK int ouro_http_serve_stream_take(struct ouro_http_app *app,
                                                   struct ouro_stream *stream,
                                                   const struct ouro_http_serve_options *options);

/* --- the request ------------------------------------------------------------------------- */

/*
 * The strings that these calls return are valid until the handler returns.
 * Context: the handler's task.
 */

/* ouro_http_method - "GET", "POST", ... */
OURO_API const char *ouro_http_method(const struct ouro_http_exchange *exchange);

/*
 * ouro_http_path - the whole path as the client sent it, also in a mounted application
 *
 * Without the query, and not decoded.
 */
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
 * ouro_http_query_value - the value of a field of the query, decoded
 *
 * "?a=1&a=2&b" has the fields a, a and b; '+' is a blank.
 *
 * Returns: the first such field's value, possibly empty; NULL when there is none, or when
 *          ouro_http_read_query() fails.
 */
OURO_API const char *ouro_http_query_value(struct ouro_http_exchange *exchange, const char *name);

/* ouro_http_query_at - the fields of the query one by one. Returns: true; false at the end. */
OURO_API bool ouro_http_query_at(struct ouro_http_exchange *exchange, size_t index,
                                 const char **ret_name, const char **ret_value);

/*
 * ouro_http_read_query - decode the query, to see whether it can be
 *
 * For who wants to tell a bad query from one without the field.
 *
 * Returns: 0, also without a query; OURO_EURL for a broken escape, a NUL, ill-formed UTF-8, and
 *          OURO_ELIMIT for more than 1,000 fields: passed on, they are answered with 400; -ENOMEM.
 */
OURO_API int ouro_http_read_query(struct ouro_http_exchange *exchange);

/*
 * ouro_http_cookie - the value of the first cookie of that name, as it was sent
 *
 * Returns: the text; NULL when there is none, or no memory.
 */
OURO_API const char *ouro_http_cookie(struct ouro_http_exchange *exchange, const char *name);

/*
 * ouro_http_value_set, ouro_http_value_get - what middleware leaves for those that come after it
 * @key:   an address that only its owner has, as of a static variable
 * @value: borrowed until the handler returns; the last one that was set counts
 *
 * Context: the handler's task.
 * Returns: 0, -ENOMEM; the value, or NULL.
 */
OURO_API int ouro_http_value_set(struct ouro_http_exchange *exchange, const void *key, void *value);
OURO_API void *ouro_http_value_get(const struct ouro_http_exchange *exchange, const void *key);

/*
 * ouro_http_peer - the address that the request came from
 *
 * Context: the handler's task.
 * Returns: 0; -ENOTCONN, -ENOTSUP where there is none.
 */
OURO_API int ouro_http_peer(struct ouro_http_exchange *exchange, struct ouro_address *ret_address);

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

/*
 * ouro_http_read_all - read the whole body, or what ouro_http_read() has left of it
 * @ret_data: followed by a NUL; a second call gives the same again
 *
 * Context: the handler's task, may suspend.
 * Returns: 0; otherwise as ouro_http_read(); -ENOMEM.
 */
OURO_API OURO_TASK int ouro_http_read_all(struct ouro_http_exchange *exchange,
                                          const char **ret_data, size_t *ret_len);

/*
 * ouro_http_trailer_at - the fields behind a body in chunks, once it was read to its end
 * @index: from 0
 *
 * Returns: true; false when there are no more.
 */
OURO_API bool ouro_http_trailer_at(const struct ouro_http_exchange *exchange, size_t index,
                                   const char **ret_name, const char **ret_value);

/* --- forms ------------------------------------------------------------------------------- */

/*
 * ouro_http_read_form - read a body that is a form (application/x-www-form-urlencoded)
 *
 * Context: the handler's task, may suspend.
 * Returns: 0; OURO_EHTTP for another type, which passed on is answered with 415; OURO_EURL (400)
 *          and OURO_ELIMIT (413) as ouro_http_read_query(); otherwise as ouro_http_read_all().
 */
OURO_API OURO_TASK int ouro_http_read_form(struct ouro_http_exchange *exchange);

/* ouro_http_form_value - a field of the form that was read; NULL: there is none */
OURO_API const char *ouro_http_form_value(const struct ouro_http_exchange *exchange,
                                          const char *name);

/* ouro_http_form_at - the fields of the form one by one. Returns: true; false at the end. */
OURO_API bool ouro_http_form_at(const struct ouro_http_exchange *exchange, size_t index,
                                const char **ret_name, const char **ret_value);

/* A part of a form with files. The texts are the client's, and valid until the next part. */
struct ouro_http_part {
    const char *name;
    const char *filename;     /* NULL: it is no file; never to be used as a path unchecked */
    const char *content_type; /* NULL: none was said */
};

/*
 * ouro_http_part_next - the next part of a body that is a form with files (multipart/form-data)
 *
 *     while ((code = ouro_http_part_next(exchange, &part)) > 0)
 *         while ((len = ouro_http_part_read(exchange, buf, sizeof(buf))) > 0)
 *             ...
 *
 * The parts come as the client sends them; what was not read of one is passed over. The body as
 * a whole may have body_bytes_max bytes, the head of a part 4 KiB and 16 fields.
 *
 * Context: the handler's task, may suspend. Instead of ouro_http_read(), not after it.
 * Returns: 1; 0 after the last one; OURO_EHTTP for another type (415) or for a form that is not
 *          valid (400), OURO_ELIMIT for a head beyond the limit (413), OURO_EEOF for a form
 *          without an end (400): passed on, they are answered so; otherwise as ouro_http_read().
 */
OURO_API OURO_TASK int ouro_http_part_next(struct ouro_http_exchange *exchange,
                                           struct ouro_http_part *ret_part);

/*
 * ouro_http_part_read - read up to `len` bytes of the part's content
 *
 * Context: the handler's task, may suspend.
 * Returns: bytes read; 0 at the part's end; -EINVAL without ouro_http_part_next(); otherwise its
 *          errors.
 */
OURO_API OURO_TASK ssize_t ouro_http_part_read(struct ouro_http_exchange *exchange, void *buf,
                                               size_t len);

/* --- the answer -------------------------------------------------------------------------- */

/*
 * ouro_http_add_header - add a header field to the answer that is to follow
 *
 * The strings are copied. Date, Content-Length, Transfer-Encoding, Connection and Keep-Alive are
 * the server's own; Content-Type is a parameter of the calls that answer. With Upgrade, which 426
 * needs, the server says the same in Connection.
 *
 * Context: the handler's task.
 * Returns: 0; -EINVAL for those, or for a name or value that HTTP does not allow;
 *          -EALREADY after the answer has begun; -ENOMEM.
 */
OURO_API int ouro_http_add_header(struct ouro_http_exchange *exchange, const char *name,
                                  const char *value);

/*
 * ouro_http_set_cookie - add a field Set-Cookie to the answer that is to follow
 *
 * Context: the handler's task.
 * Returns: 0; -EINVAL for what ouro_http_cookie.h does not allow; -EALREADY, -ENOMEM.
 */
OURO_API int ouro_http_set_cookie(struct ouro_http_exchange *exchange,
                                  const struct ouro_http_cookie *cookie);

/*
 * ouro_http_reply - answer the request
 * @status:       200 to 599
 * @content_type: NULL: no such header field
 * @body:         `len` bytes, borrowed; may be NULL when `len` is 0
 *
 * To HEAD, and with a status that has no body (204, 304), the head alone is sent. Small
 * answers are put together with those to other requests that are there already, and leave when
 * the handler returns or suspends.
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

/* ouro_http_reply_json - the same, with a text that is JSON already */
OURO_API OURO_TASK int ouro_http_reply_json(struct ouro_http_exchange *exchange, int status,
                                            const char *json);

/*
 * ouro_http_redirect - send the client to another place
 * @status:   303: see there, by GET; 307: ask there again, as before; 308: from now on
 * @location: a URL or a path, encoded as it is to be sent; never the client's own text unchecked
 *
 * Context, returns: as ouro_http_reply(); -EINVAL also for a status that is not 3xx.
 */
OURO_API OURO_TASK int ouro_http_redirect(struct ouro_http_exchange *exchange, int status,
                                          const char *location);

/* --- content that is there --------------------------------------------------------------- */

/* Content in memory, all of it borrowed. What is zero is unknown. */
struct ouro_http_content {
    const char *type; /* NULL: no Content-Type */
    const void *data;
    size_t len;
    const char *etag;   /* "\"v1\"", or "W/\"v1\"" if the bytes may differ; NULL: none */
    int64_t modified_s; /* seconds since 1970; below 1 or beyond the year 9999: unknown */
};

/*
 * ouro_http_reply_content - answer with content, or with what the client lacks of it
 *
 *     struct ouro_http_content logo = {"image/png", data, len, .etag = "\"logo-3\""};
 *
 *     return ouro_http_reply_content(exchange, &logo);
 *
 * To GET and HEAD, with ETag, Last-Modified and Accept-Ranges, none of which is to be added by
 * the caller:
 *
 *     304, 412  as If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since want it
 *     206       the ranges of bytes that Range wants; several as multipart/byteranges. GET only,
 *               and if If-Range, when there, names exactly this content
 *     416       nothing of them is there
 *     200       else. Ranges that are not valid, more than 16, or that overlap, are no ranges;
 *               neither are those of something empty
 *
 * Fields that were added before, Cache-Control and Vary among them, are on 200, 206 and 304; on
 * 412 and 416 only those that are not about the content. It is never compressed: ranges are of
 * these bytes. Other methods get 200 and all of it: see ouro_http_check_conditions().
 *
 * Context: the handler's task, may suspend: when the client is slow.
 * Returns: 0; -EALREADY when it has been answered; -EINVAL for an etag that is none, or a type that
 *          HTTP does not allow, when another try is possible; -ENOMEM, when it is, unless the
 *          answer had begun; an error of the connection, which ends it.
 */
OURO_API OURO_TASK int ouro_http_reply_content(struct ouro_http_exchange *exchange,
                                               const struct ouro_http_content *content);

/*
 * ouro_http_check_conditions - whether the request is to be carried out
 * @etag, @modified_s: of the present state, as in struct ouro_http_content
 *
 * For who changes something, before it does so, "If-Match" being how clients avoid to overwrite
 * what they have not seen; and for who would rather not make a page that nobody wants. It is about
 * what exists: of what does not, If-None-Match is always true, and If-Match never.
 *
 * Context: the handler's task.
 * Returns: 0: go on; 304 (GET and HEAD only) or 412: what is to be answered instead; -EINVAL for an
 *          etag that is none.
 */
OURO_API int ouro_http_check_conditions(const struct ouro_http_exchange *exchange, const char *etag,
                                        int64_t modified_s);

/* --- streamed answers -------------------------------------------------------------------- */

/*
 * ouro_http_reply_begin - begin an answer whose body is written piece by piece
 * @length: of the body, in bytes; -1 when it is not known: then it is sent in chunks, and to a
 *          client of HTTP/1.0 up to the end of the connection
 *
 *     code = ouro_http_reply_begin(exchange, 200, "text/csv", -1);
 *     while (!code && next_row(&row))
 *         code = ouro_http_writef(exchange, "%d,%s\n", row.number, row.name);
 *     return code;
 *
 * The handler's return ends the body, or ouro_http_reply_end() before that. A handler that
 * returns an error, or has written less than `length`, makes the server abort the connection.
 *
 * Context, returns: as ouro_http_reply().
 */
OURO_API OURO_TASK int ouro_http_reply_begin(struct ouro_http_exchange *exchange, int status,
                                             const char *content_type, int64_t length);

/*
 * ouro_http_write - write a piece of the body
 * @data: borrowed; small pieces are copied, put together, and leave when the handler suspends
 *
 * Waiting for a slow client, it lets other tasks run: what they share may have changed.
 *
 * Context: the handler's task, may suspend: when the client is slow.
 * Returns: 0; OURO_EEOF when the answer has no body (to HEAD; 204, 304): it is complete, and no
 *          failure when the handler returns this; -EINVAL when no answer has begun, or it has
 *          ended; OURO_ELIMIT when it would be
 *          more than the announced length: none of it is sent, and the connection will be
 *          aborted; -ENOMEM, when another try is possible; -EPIPE after an error; an error of the
 *          connection, which ends it.
 */
OURO_API OURO_TASK int ouro_http_write(struct ouro_http_exchange *exchange, const void *data,
                                       size_t len);

/* ouro_http_writef - the same with text made as by printf(3) */
OURO_API OURO_TASK OURO_PRINTF(2, 3) int ouro_http_writef(struct ouro_http_exchange *exchange,
                                                          const char *format, ...);

/*
 * ouro_http_flush - send what was written, now
 *
 * For a handler that computes for long: what suspends flushes anyway. -EINVAL without an answer.
 *
 * Context, returns: as ouro_http_write().
 */
OURO_API OURO_TASK int ouro_http_flush(struct ouro_http_exchange *exchange);

/*
 * ouro_http_add_trailer - add a field behind the body
 *
 * Sent behind a body in chunks, if the client said "TE: trailers"; else dropped.
 *
 * Context: the handler's task.
 * Returns: as ouro_http_add_header(); -EINVAL also for a name that RFC 9110 §6.5.1 excludes;
 *          -EALREADY after the end of the answer.
 */
OURO_API int ouro_http_add_trailer(struct ouro_http_exchange *exchange, const char *name,
                                   const char *value);

/*
 * ouro_http_reply_end - the body is complete
 *
 * Context: the handler's task, may suspend.
 * Returns: 0, also when it was; -EINVAL when no answer has begun, or less than its length was
 *          written: the connection will be aborted; an error of the connection.
 */
OURO_API OURO_TASK int ouro_http_reply_end(struct ouro_http_exchange *exchange);

/*
 * ouro_http_abort - end the connection instead of the answer
 *
 * When the handler returns, the client gets a reset.
 *
 * Context: the handler's task.
 */
OURO_API void ouro_http_abort(struct ouro_http_exchange *exchange);

/* --- streams of events ------------------------------------------------------------------- */

/* What a browser's EventSource gets. NULL and 0 leave a part out. */
struct ouro_http_event {
    const char *name;    /* of one line; without one it is "message" */
    const char *id;      /* of one line; comes back in the field Last-Event-ID */
    const char *data;    /* may have several lines */
    const char *comment; /* which nobody gets: keeps a connection alive that has nothing to tell */
    int64_t retry_ms;    /* how long the client is to wait before it connects again */
};

/*
 * ouro_http_events_begin - begin an answer that is a stream of events
 *
 *     code = ouro_http_events_begin(exchange);
 *     while (!code && !(code = next_news(&text)))
 *         code = ouro_http_event_send(exchange, &(struct ouro_http_event) {.data = text});
 *
 * When the server ends, such handlers are cancelled at once: browsers come back, to whoever
 * answers then. A client that has left is noticed by the next event; a comment now and then, say
 * each 15 seconds, finds out, and keeps proxies from cutting the connection.
 *
 * Context: as ouro_http_reply_begin().
 * Returns: likewise; OURO_EEOF to HEAD, which has no events.
 */
OURO_API OURO_TASK int ouro_http_events_begin(struct ouro_http_exchange *exchange);

/*
 * ouro_http_event_send - send one event
 *
 * Context, returns: as ouro_http_write(); -EINVAL also for a name or id of more than one line.
 */
OURO_API OURO_TASK int ouro_http_event_send(struct ouro_http_exchange *exchange,
                                            const struct ouro_http_event *event);

/* --- other protocols --------------------------------------------------------------------- */

/*
 * ouro_http_upgrade_requested - whether the client would change to a protocol
 * @protocol: "websocket", ...; case does not count
 *
 * Context: the handler's task.
 * Returns: whether Upgrade and Connection say so, in HTTP/1.1, and the request has no body.
 */
OURO_API bool ouro_http_upgrade_requested(const struct ouro_http_exchange *exchange,
                                          const char *protocol);

/*
 * ouro_http_upgrade_take - answer 101, and go on in another protocol
 * @ret_stream: the connection, now the handler's, who ends it with ouro_stream_close(). What the
 *              client has sent behind its request comes first
 *
 * Fields that were added before (Sec-WebSocket-Accept, ...) are sent. The handler goes on in the
 * task of the connection; the time limits of handler and request don't count any more, the
 * server's drain does.
 *
 * Context: the handler's task, may suspend.
 * Returns: 0; -EINVAL when the client did not ask for it; -EALREADY; -ENOMEM; an error of the
 *          connection.
 */
OURO_API OURO_TASK int ouro_http_upgrade_take(struct ouro_http_exchange *exchange,
                                              const char *protocol,
                                              struct ouro_stream **ret_stream);

/* --- text -------------------------------------------------------------------------------- */

/*
 * ouro_html_escape - make text safe to stand in HTML, between tags or in quoted attributes
 * @text: NULL gives NULL
 *
 * Context: the handler's task.
 * Returns: a string that is valid until the handler returns; NULL when there is no memory.
 */
OURO_API const char *ouro_html_escape(struct ouro_http_exchange *exchange, const char *text);

/*
 * ouro_json_escape - the same for a string in JSON, between quotes, also inside a <script>
 *
 * What is not UTF-8 becomes U+FFFD.
 */
OURO_API const char *ouro_json_escape(struct ouro_http_exchange *exchange, const char *text);

OURO_END_DECLS

#endif /* OURO_HTTP_SERVER_H */
