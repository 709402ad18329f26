/* SPDX-License-Identifier: MIT */
/*
 * http_client.h - a request over any stream: what ouro_http_get() and ouro_http_ask() share
 */
#ifndef OURO_HTTP_CLIENT_PRIVATE_H
#define OURO_HTTP_CLIENT_PRIVATE_H

#include <stdbool.h>

#include "ouro_http_client.h"

/* Everything is borrowed. */
struct http_client_request {
    const char *method;
    const char *target;
    size_t target_len;
    const char *host; /* of the Host field */
    size_t host_len;
    const struct ouro_http_field *standard; /* fields that come before the others */
    size_t standard_count;
    const struct ouro_http_field *headers;
    size_t header_count;
    const void *body; /* NULL: none */
    size_t body_len;
    bool chunked;
};

/* Of the response; 0: the defaults of ouro_http_client.h. */
struct http_client_limits {
    size_t header_bytes_max;
    unsigned header_count_max;
};

/* A request that is ready to be sent: its head, and the body as it was given. */
struct http_client_message {
    char *head; /* owned, free() it */
    size_t head_len;
    const void *body; /* borrowed */
    size_t body_len;
    bool chunked;
};

/*
 * Makes the head. Host, Content-Length and Transfer-Encoding are left out where `headers` has
 * them, so that a test can say something else. Returns 0, -EINVAL for what HTTP does not allow,
 * or -ENOMEM.
 */
int ouro__http_client_prepare(const struct http_client_request *request,
                              struct http_client_message *ret_message);

/* Sends all of it. Returns 0 or an error of the stream. */
OURO_TASK int ouro__http_client_send(struct ouro_stream *stream,
                                     const struct http_client_message *message);

/*
 * Waits for the response to a request with that method that has been sent, or is being sent.
 * The stream is taken on success. Returns as ouro_http_get().
 */
OURO_TASK int ouro__http_client_receive_take(struct ouro_stream *stream, const char *method,
                                             const struct http_client_limits *limits,
                                             struct ouro_http_response **ret_response);

/* All three. The stream is taken on success. */
OURO_TASK int ouro__http_client_ask_take(struct ouro_stream *stream,
                                         const struct http_client_request *request,
                                         const struct http_client_limits *limits,
                                         struct ouro_http_response **ret_response);

#endif /* OURO_HTTP_CLIENT_PRIVATE_H */
