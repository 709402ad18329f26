/* SPDX-License-Identifier: MIT */
/*
 * ouro_http_test.h - request in, response out: for tests of handlers
 *
 *     struct ouro_http_ask request = {.method = "POST", .target = "/echo", .body = "x", .body_len = 1};
 *
 *     code = ouro_http_ask(app, &request, &response);
 *     status = ouro_http_response_status(response);
 *     len = ouro_http_response_read_all(response, 1000, &body);
 *     ouro_http_response_close(response);
 *
 * The application is served as ever, on one end of a pair of streams in memory: there is no
 * socket, no port, no other program, and on the simulated ring a handler that sleeps for an hour
 * takes no time. What is true of the client's calls (ouro_http_client.h) is true here.
 */
#ifndef OURO_HTTP_TEST_H
#define OURO_HTTP_TEST_H

#include <stdbool.h>
#include <stddef.h>

#include "ouro_address.h"
#include "ouro_base.h"
#include "ouro_http_client.h"
#include "ouro_http_server.h"

OURO_BEGIN_DECLS

/* All of it is borrowed until ouro_http_ask() returns, and all of it may be missing. */
struct ouro_http_ask {
    const char *method; /* NULL: GET */
    const char *target; /* NULL: "/" */

    /*
     * Fields to be sent; NULL: none. Host (localhost), and Content-Length or Transfer-Encoding
     * where there is a body, are added unless they are among these.
     */
    const struct ouro_http_field *headers;
    size_t header_count;

    const void *body; /* NULL: none */
    size_t body_len;
    bool chunked; /* in chunks of 4096 bytes; otherwise the length is told before */

    const struct ouro_address *peer;               /* of the client; NULL: there is none */
    const struct ouro_http_serve_options *options; /* of the server; NULL: defaults, but it does
                                                      not wait for handlers when it ends */
};

/*
 * ouro_http_ask - let an application answer one request
 * @app:     not to be destroyed before the response is closed
 * @request: NULL: GET of "/"
 *
 * The handler runs in a task of its own, and so may the request's body be sent by one: a handler
 * may answer before it has read all, or never read. ouro_http_response_close() cancels both and
 * waits for their end, also when the handler has not finished. In a response to a request that HTTP
 * does not allow see what the server thinks of it, as far as the request can be put into this
 * struct; anything else can be written to an end of ouro_stream_pair().
 *
 * Context: task, may suspend.
 * Returns: 0 and a response, owned, end it with ouro_http_response_close(); -EINVAL for a method,
 *          target, header or address that cannot be sent, or for options that make no sense;
 *          OURO_EEOF when the server ends the connection without an answer; -ENOMEM; -EAGAIN
 *          when there can be no more tasks; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_http_ask(struct ouro_http_app *app, const struct ouro_http_ask *request,
                                     struct ouro_http_response **ret_response);

OURO_END_DECLS

#endif /* OURO_HTTP_TEST_H */
