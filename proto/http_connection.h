/* SPDX-License-Identifier: MIT */
/*
 * http_connection.h - an HTTP/1.1 connection, server side
 */
#ifndef OURO_HTTP_CONNECTION_H
#define OURO_HTTP_CONNECTION_H

#include "http_server.h"
#include "ouro_stream.h"

/* Answers the requests that come on `stream`, which is taken, until either side ends it. */
OURO_TASK void ouro__http_connection_run_take(struct http_server *server,
                                              struct ouro_stream *stream);

/* Ends the connections that have no request, now that the server is draining. */
void ouro__http_connection_cancel_idle(struct http_server *server);

#endif /* OURO_HTTP_CONNECTION_H */
