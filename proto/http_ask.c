/* SPDX-License-Identifier: MIT */
/*
 * http_ask.c - a request to an application in the same loop; see ouro_http_test.h
 *
 * Server and client are those that talk over sockets, at the ends of a pair of streams:
 *
 *     response ◀── client end ◀══▶ server end ──▶ ouro_http_serve_stream_take(): a task
 *                      ▲
 *                   message: a task, so that an answer can be read before all is sent
 *
 * The response owns a stream, and closes it. That stream is ours, and owns the rest: its close ends
 * both tasks. So the client needs to know nothing of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http_client.h"
#include "ouro_http_test.h"
#include "ouro_stream.h"
#include "ouro_task.h"

/* For handlers that run when the response is closed: they are cancelled, as nobody listens. */
#define DRAIN_NS OURO_NANOSECOND

struct asked {
    struct ouro_stream stream;      /* the response's */
    struct ouro_stream *client_end; /* NULL: not made yet */
    struct ouro_stream *server_end; /* NULL: not made yet, or the server's */
    struct ouro_http_app *app;
    struct ouro_http_serve_options options;
    struct http_client_message message;
    ouro_task_id server; /* 0: none */
    ouro_task_id sender; /* 0: none */
    char body[];         /* of the message */
};

static struct asked *asked_of(struct ouro_stream *stream)
{
    return (struct asked *) (void *) stream;
}

/* --- the two tasks ----------------------------------------------------------------------- */

static int serve(void *arg)
{
    struct asked *asked = arg;
    struct ouro_stream *stream = asked->server_end;

    asked->server_end = NULL;
    return ouro_http_serve_stream_take(asked->app, stream, &asked->options);
}

/* After a failure of ours the server need not wait for the rest. */
static int send_message(void *arg)
{
    struct asked *asked = arg;
    int code = ouro__http_client_send(asked->client_end, &asked->message);

    if (code)
        (void) ouro_stream_shutdown_write(asked->client_end);
    return code;
}

static int spawn_both(struct asked *asked)
{
    struct ouro_spawn_options server = {.name = "http ask: server", .stack = asked->options.stack};
    struct ouro_spawn_options sender = {.name = "http ask: sender", .stack = OURO_STACK_64K};
    ouro_task_id id = ouro_spawn_with(serve, asked, &server);

    if (id < 0)
        return (int) id;
    asked->server = id;
    id = ouro_spawn_with(send_message, asked, &sender);
    if (id < 0)
        return (int) id;
    asked->sender = id;
    return 0;
}

/* That a task was told to end is no failure; nor need a server take all that is sent. */
static bool is_failure(int result)
{
    return result < 0 && result != -ECANCELED && result != -EPIPE;
}

/* Ends what there is of it, and frees it. Returns the error of one of the tasks, or 0. */
static int end(struct asked *asked)
{
    int sent = 0, served = 0;

    if (asked->sender)
        (void) ouro_cancel_join(asked->sender, &sent);
    (void) ouro_stream_close(asked->client_end);
    if (asked->server)
        (void) ouro_cancel_join(asked->server, &served);
    (void) ouro_stream_close(asked->server_end);
    ouro_stream_done(&asked->stream);
    free(asked->message.head);
    free(asked);
    if (is_failure(sent))
        return sent;
    return is_failure(served) ? served : 0;
}

/* --- the response's stream --------------------------------------------------------------- */

static ssize_t asked_read(struct ouro_stream *stream, void *buf, size_t len)
{
    return ouro_stream_read(asked_of(stream)->client_end, buf, len);
}

static int asked_write(struct ouro_stream *stream, const void *buf, size_t len)
{
    return ouro_stream_write_all(asked_of(stream)->client_end, buf, len);
}

static int asked_shutdown_write(struct ouro_stream *stream)
{
    return ouro_stream_shutdown_write(asked_of(stream)->client_end);
}

static int asked_close(struct ouro_stream *stream)
{
    (void) end(asked_of(stream));
    return 0;
}

static const struct ouro_stream_ops asked_ops = {
    .name = "http ask",
    .read = asked_read,
    .write = asked_write,
    .shutdown_write = asked_shutdown_write,
    .close = asked_close,
};

/* --- asking ------------------------------------------------------------------------------ */

static size_t body_size(const struct ouro_http_ask *ask)
{
    return ask->body ? ask->body_len : 0;
}

static int prepare(struct asked *asked, const struct ouro_http_ask *ask)
{
    static const char host[] = "localhost";
    struct http_client_request request = {.method = ask->method ? ask->method : "GET",
                                          .target = ask->target ? ask->target : "/",
                                          .host = host,
                                          .host_len = sizeof(host) - 1,
                                          .headers = ask->headers,
                                          .header_count = ask->header_count,
                                          .body = ask->body ? asked->body : NULL,
                                          .body_len = body_size(ask),
                                          .chunked = ask->chunked};

    request.target_len = strlen(request.target);
    if (ask->body)
        memcpy(asked->body, ask->body, ask->body_len);
    if (ask->options)
        asked->options = *ask->options;
    if (!asked->options.drain_timeout_ns)
        asked->options.drain_timeout_ns = DRAIN_NS;
    return ouro__http_client_prepare(&request, &asked->message);
}

static int connect_ends(struct asked *asked, const struct ouro_address *peer)
{
    struct ouro_stream *ends[2];
    int code = ouro_stream_pair(ends);

    if (code)
        return code;
    asked->client_end = ends[0];
    asked->server_end = ends[1];
    return peer ? ouro_stream_set_peer(ends[1], peer) : 0;
}

static int begin(struct asked *asked, const struct ouro_http_ask *ask,
                 struct ouro_http_response **ret_response)
{
    static const struct http_client_limits limits;
    int code = prepare(asked, ask);

    if (!code)
        code = connect_ends(asked, ask->peer);
    if (!code)
        code = spawn_both(asked);
    if (code)
        return code;
    return ouro__http_client_receive_take(&asked->stream, ask->method ? ask->method : "GET",
                                          &limits, ret_response);
}

int ouro_http_ask(struct ouro_http_app *app, const struct ouro_http_ask *request,
                  struct ouro_http_response **ret_response)
{
    static const struct ouro_http_ask nothing_special;
    struct asked *asked;
    int code, cause;

    if (!request)
        request = &nothing_special;
    asked = calloc(1, sizeof(*asked) + body_size(request));
    if (!asked)
        return -ENOMEM;
    ouro_stream_init(&asked->stream, &asked_ops);
    asked->app = app;
    code = begin(asked, request, ret_response);
    if (!code)
        return 0;
    cause = end(asked);
    /* Of a task that could not do its part the response shows no more than its absence. */
    return code == OURO_EEOF && cause ? cause : code;
}
