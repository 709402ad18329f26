/* SPDX-License-Identifier: MIT */
/*
 * http_exchange.h - one request and its answer, whatever version of HTTP carries them
 *
 * The connection that carries an exchange embeds the struct and provides its ops.
 */
#ifndef OURO_HTTP_EXCHANGE_H
#define OURO_HTTP_EXCHANGE_H

#include "http1_head.h"
#include "http_router.h"
#include "ouro_http_server.h"
#include "url.h"

struct ouro_http_exchange;
struct arena_block;

/* A field of the answer, as the handler added it. */
struct http_answer_field {
    struct http_answer_field *next;
    const char *name;
    const char *value;
};

struct http_answer {
    int status;
    const char *content_type; /* NULL: none */
    const void *body;
    size_t body_len;
    const struct http_answer_field *fields;
};

struct exchange_ops {
    /* Sends the only answer. -EINVAL and -ENOMEM: nothing was sent. */
    OURO_TASK int (*answer)(struct ouro_http_exchange *exchange, const struct http_answer *answer);

    /* As ouro_http_read(). */
    OURO_TASK ssize_t (*read)(struct ouro_http_exchange *exchange, void *buf, size_t len);
};

struct ouro_http_exchange {
    const struct exchange_ops *ops;
    const struct http1_head *request;
    const char *path; /* without the query */
    struct url_path segments;
    const struct http_route *route;
    struct http_answer_field *answer_fields;
    struct http_answer_field **answer_fields_end;
    bool answered;
    int failure_status; /* the answer when the handler gives none */

    /* Memory that lasts as long as the exchange: a little here, the rest from the heap. */
    struct arena_block *arena;
    size_t arena_used;
    char arena_first[512];
};

/* Begins an exchange about `request`, which has to outlive it. Returns 0 or -ENOMEM. */
int ouro__http_exchange_begin(struct ouro_http_exchange *exchange, const struct exchange_ops *ops,
                              const struct http1_head *request);

void ouro__http_exchange_end(struct ouro_http_exchange *exchange);

/* Memory that lasts as long as the exchange; NULL when there is none. */
void *ouro__http_exchange_allocate(struct ouro_http_exchange *exchange, size_t size);

/*
 * Answers with a text that says no more than the status, and does so once at most: errors
 * of the server's own. Returns as ouro_http_reply().
 */
OURO_TASK int ouro__http_exchange_reply_status(struct ouro_http_exchange *exchange, int status);

#endif /* OURO_HTTP_EXCHANGE_H */
