/* SPDX-License-Identifier: MIT */
/*
 * http_exchange.h - one request and its answer, whatever version of HTTP carries them
 *
 *     http_exchange.c   memory, the request's head; escaping
 *     http_request.c    the request's body
 *     http_form.c       its query, cookies, forms
 *     http_multipart.c  forms with files
 *     http_reply.c      answers: whole, streamed, redirects, cookies
 *     http_content.c    answers out of content that is there: conditions, ranges
 *     http_events.c     answers that are a stream of events
 *     http_gzip.c       compression of answers
 *
 * The connection that carries an exchange embeds the struct and provides its ops.
 */
#ifndef OURO_HTTP_EXCHANGE_H
#define OURO_HTTP_EXCHANGE_H

#include "http1_head.h"
#include "http_router.h"
#include "ouro_http_server.h"
#include "ouro_stream.h"
#include "url.h"

struct arena_block;
struct http_dispatch;
struct http_gzip;
struct http_multipart;
struct http_pair;
struct http_value;

/* The length of a body that nobody knows yet. */
#define HTTP_LENGTH_UNKNOWN UINT64_MAX

/* A field of the answer, or a trailer, as the handler added it. */
struct http_answer_field {
    struct http_answer_field *next;
    const char *name;
    const char *value;
};

struct http_answer_fields {
    struct http_answer_field *first;
    struct http_answer_field **end;
};

struct http_answer {
    int status;
    const char *content_type; /* NULL: none */
    const struct http_answer_field *fields;
    uint64_t length;  /* of the body; or HTTP_LENGTH_UNKNOWN */
    const void *body; /* its first body_len bytes; the others follow by write() */
    size_t body_len;
};

struct exchange_ops {
    /* Begins the only answer; it is complete when body_len is length. -EINVAL and -ENOMEM:
     * nothing was sent. */
    OURO_TASK int (*begin)(struct ouro_http_exchange *exchange, const struct http_answer *answer);

    /* More of the body, never more than its length. */
    OURO_TASK int (*write)(struct ouro_http_exchange *exchange, const void *data, size_t len);

    /* The body is complete. */
    OURO_TASK int (*end)(struct ouro_http_exchange *exchange,
                         const struct http_answer_field *trailers);

    /* Sends what is buffered. */
    OURO_TASK int (*flush)(struct ouro_http_exchange *exchange);

    /* Answers with 101 and hands the connection over. */
    OURO_TASK int (*upgrade_take)(struct ouro_http_exchange *exchange,
                                  const struct http_answer *answer,
                                  struct ouro_stream **ret_stream);

    /* As ouro_http_read(). */
    OURO_TASK ssize_t (*read)(struct ouro_http_exchange *exchange, void *buf, size_t len);

    /* As ouro_http_peer(). */
    int (*peer)(struct ouro_http_exchange *exchange, struct ouro_address *ret_address);
};

/*
 *     UNANSWERED ──▶ ANSWERING ──▶ ANSWERED       any but ANSWERED ──▶ ABORTED
 *          └──── a whole answer ────▶
 */
enum answer_progress {
    UNANSWERED,
    ANSWERING, /* the head is out, some of the body is not */
    ANSWERED,
    ABORTED /* the client must not take what it got for an answer */
};

/* Who makes the body of an answer that says no more than its status. */
struct http_error_page {
    ouro_http_error_page_fn *fn; /* NULL: we do */
    void *arg;
};

/* Texts that were decoded from a query or a form. */
struct http_pairs {
    struct http_pair *pairs;
    size_t count;
    int error; /* 0, or why there are none */
    bool is_read;
};

struct ouro_http_exchange {
    const struct exchange_ops *ops;
    const struct http1_head *request;
    const char *path;                      /* without the query */
    const struct http_route *route;        /* NULL: the server answers by itself */
    size_t route_start;                    /* the segment with which the route's pattern begins */
    struct ouro_http_route_options limits; /* what holds for this request, see http_app.h */
    struct http_dispatch *dispatch;        /* how far it has come, see http_dispatch.c */
    int64_t deadline;                      /* for all of it; 0: none */
    struct ouro_timeout *limit;            /* the scope that sees to that; NULL: none */
    bool is_last; /* the connection is not worth going on with behind this answer */

    const struct http_error_page *error_page; /* NULL: none, or it is being made */

    enum answer_progress progress;
    int status;         /* that was answered; 0: none yet */
    bool has_no_body;   /* the answer, whatever is written: to HEAD, 204, 304 */
    bool is_endless;    /* it only ends because somebody ends it: at once, when the server ends */
    int failure;        /* an error that the handler was told ... */
    int failure_status; /* ... and what it deserves, when the handler passes it on */
    struct http_answer_fields fields;
    struct http_answer_fields trailers;
    uint64_t body_left; /* to be written; HTTP_LENGTH_UNKNOWN */
    bool is_verbatim;   /* the answer is not to be compressed */
    struct http_gzip *gzip;

    char *body; /* the request's, as far as it was read for ouro_http_read_all() */
    size_t body_len;
    size_t body_size;
    bool body_is_read; /* all of it */
    struct http_pairs query;
    struct http_pairs form;
    struct http_multipart *multipart;
    struct http_value *values; /* what middleware leaves for the handler */

    /* Memory that lasts as long as the exchange: a little here, the rest from the heap. */
    struct arena_block *arena;
    size_t arena_used;

    /* From here on not cleared for each exchange. */
    struct url_path segments;
    char arena_first[512];
};

/*
 * Begins an exchange about `request`, which has to outlive it, as `ops`; its limits are those
 * of the server until there is a route. Returns 0 or -ENOMEM.
 */
int ouro__http_exchange_begin(struct ouro_http_exchange *exchange, const struct exchange_ops *ops,
                              const struct http1_head *request,
                              const struct ouro_http_serve_options *options);

void ouro__http_exchange_end(struct ouro_http_exchange *exchange);

/* Memory that lasts as long as the exchange; NULL when there is none. */
void *ouro__http_exchange_allocate(struct ouro_http_exchange *exchange, size_t size);

/* The same, filled with a copy of the text and a NUL. */
char *ouro__http_exchange_copy(struct ouro_http_exchange *exchange, const char *text, size_t len);

/* Adds a copy of a field that the caller may choose. Returns 0, -EINVAL for bad text, -ENOMEM. */
int ouro__http_exchange_add_field(struct ouro_http_exchange *exchange,
                                  struct http_answer_fields *fields, const char *name,
                                  const char *value);

/* Remembers what an error deserves that a handler may pass on. Returns it. */
int ouro__http_exchange_fail(struct ouro_http_exchange *exchange, int error, int status);

/*
 * Answers with a text that says no more than the status, and does so once at most: errors
 * of the server's own. Returns as ouro_http_reply().
 */
OURO_TASK int ouro__http_exchange_reply_status(struct ouro_http_exchange *exchange, int status);

/* Whether the time limit of handler or request is over. */
bool ouro__http_exchange_is_late(const struct ouro_http_exchange *exchange);

/*
 * The handler has returned `code`: an answer that it has begun is completed, or aborted if it
 * can't be.
 */
OURO_TASK void ouro__http_exchange_complete(struct ouro_http_exchange *exchange, int code);

#endif /* OURO_HTTP_EXCHANGE_H */
