/* SPDX-License-Identifier: MIT */
/*
 * http_connection.h - an HTTP/1.1 connection, server side
 *
 *     http_connection.c   its life: one request after the other, drain, the end
 *     http_body.c         the body of a request
 *     http_answer.c       answers: heads, framing, chunks
 */
#ifndef OURO_HTTP_CONNECTION_H
#define OURO_HTTP_CONNECTION_H

#include <stdalign.h>

#include "http1_reader.h"
#include "http_exchange.h"
#include "http_output.h"
#include "http_server.h"
#include "ouro_stream.h"
#include "stream_socket.h"

/* How the end of the answer's body is told. */
enum answer_framing {
    ANSWER_WITHOUT_BODY, /* RFC 9110 §6.4.1: to HEAD, 204, 304 */
    ANSWER_BY_LENGTH,
    ANSWER_IN_CHUNKS,
    ANSWER_UNTIL_CLOSE /* to HTTP/1.0 */
};

struct http_connection {
    struct ouro_http_exchange exchange; /* first, so that its ops find the rest */
    struct http_server *server;
    struct ouro_stream *stream;   /* NULL: it was handed over */
    struct http_socket *socket;   /* whose bytes it has; NULL: it is a stream of another kind */
    struct socket_stream own;     /* with a socket, what `stream` points to */
    struct http_connection *next; /* of the server's */
    struct http_connection *prev;
    ouro_task_id task;
    bool idle;       /* waits for a request, and may be cancelled */
    bool is_closing; /* that was done */
    bool is_parking; /* it has nothing to do: the socket can wait without it */
    bool keep_alive; /* goes on after the answer that is being made */
    bool peer_done;  /* has sent its last byte */
    enum answer_framing framing;

    int64_t head_deadline;    /* 0: nobody has waited for the rest of a head yet */
    int64_t request_deadline; /* set with it */

    bool continue_due;      /* the client waits for 100 Continue */
    bool body_ended;        /* all of it has been read */
    uint64_t body_read;     /* bytes */
    int64_t body_waited_ns; /* for the client, since the body began */
    int body_error;

    struct http_output output;
    struct http1_reader reader;
    alignas(struct http1_field) char memory[]; /* header_bytes_max of text, then the fields */
};

static inline struct http_connection *connection_of(struct ouro_http_exchange *exchange)
{
    return (struct http_connection *) (void *) exchange;
}

/* --- http_connection.c ------------------------------------------------------------------- */

/* The task of a socket of the lobby's: answers the requests that have come, see http_lobby.h. */
OURO_TASK int ouro__http_connection_serve_socket(void *socket);

/* Those that the server keeps for further use. */
void ouro__http_connection_free_spare(struct http_server *server);

/*
 * Answers the requests that come on `stream`, which is taken in any case, until either side ends
 * it. Returns 0 or -ENOMEM.
 */
OURO_TASK int ouro__http_connection_run_take(struct http_server *server,
                                             struct ouro_stream *stream);

/* Ends connections whose tasks wait for a request, now that the server is draining. */
void ouro__http_connection_close_idle(struct http_server *server);

/* Lets go of the stream, which is the caller's then. Returns 0 or an error. */
OURO_TASK int ouro__http_connection_move_stream(struct http_connection *connection,
                                                struct ouro_stream **ret_stream);

/* Waits for more bytes. Returns 1; 0 at the end of the stream; or an error. */
OURO_TASK int ouro__http_connection_fill(struct http_connection *connection, int64_t deadline);

/* --- http_body.c ------------------------------------------------------------------------- */

void ouro__http_body_begin(struct http_connection *connection);

/* As ouro_http_read(). */
OURO_TASK ssize_t ouro__http_body_read(struct ouro_http_exchange *exchange, void *buf, size_t len);

/*
 * Whether it is worthwhile to read what the handler left, so that the connection can go on. A
 * client that still waits for 100 Continue may send the body or not: better not to guess.
 */
bool ouro__http_body_may_be_dropped(const struct http_connection *connection);

/* Returns whether the connection is at the beginning of the next request. */
OURO_TASK bool ouro__http_body_drop(struct http_connection *connection);

/* --- http_answer.c: as the members of struct exchange_ops -------------------------------- */

OURO_TASK int ouro__http_answer_begin(struct ouro_http_exchange *exchange,
                                      const struct http_answer *answer);
OURO_TASK int ouro__http_answer_write(struct ouro_http_exchange *exchange, const void *data,
                                      size_t len);
OURO_TASK int ouro__http_answer_end(struct ouro_http_exchange *exchange,
                                    const struct http_answer_field *trailers);
OURO_TASK int ouro__http_answer_upgrade_take(struct ouro_http_exchange *exchange,
                                             const struct http_answer *answer,
                                             struct ouro_stream **ret_stream);

#endif /* OURO_HTTP_CONNECTION_H */
