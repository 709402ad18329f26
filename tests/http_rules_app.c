/* SPDX-License-Identifier: MIT */
/*
 * http_rules_app.c - the application that the rows of http_rules_rows.c ask
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ouro.h"
#include "ouro_http_server.h"

#include "http_rules_rows.h"

#define LATE_NS OURO_MICROSECOND

static int answer_text(struct ouro_http_exchange *exchange, void *arg)
{
    const char *text = arg;

    return ouro_http_reply(exchange, 200, NULL, text, strlen(text));
}

static int answer_hello(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_replyf(exchange, 200, "text/plain", "hello %s",
                            ouro_http_parameter(exchange, "name"));
}

static int answer_late(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_sleep(LATE_NS);

    return code ? code : answer_text(exchange, arg);
}

static int answer_with_body(struct ouro_http_exchange *exchange, void *arg)
{
    char body[RULES_BODY_MAX + 1];
    size_t done = 0;
    ssize_t len;

    (void) arg;
    while ((len = ouro_http_read(exchange, body + done, sizeof(body) - done)) > 0)
        done += (size_t) len;
    return len < 0 ? (int) len : ouro_http_reply(exchange, 200, NULL, body, done);
}

static int answer_late_with_body(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_sleep(LATE_NS);

    return code ? code : answer_with_body(exchange, arg);
}

/* Reads a byte, and leaves the rest. */
static int answer_first_byte(struct ouro_http_exchange *exchange, void *arg)
{
    char byte;
    ssize_t len = ouro_http_read(exchange, &byte, 1);

    (void) arg;
    return len < 0 ? (int) len : ouro_http_reply(exchange, 200, NULL, &byte, (size_t) len);
}

static int answer_status(struct ouro_http_exchange *exchange, void *arg)
{
    const int *status = arg;

    return ouro_http_reply(exchange, *status, NULL, "no body, please", 15);
}

static int fail(struct ouro_http_exchange *exchange, void *arg)
{
    (void) exchange;
    (void) arg;
    return -EIO;
}

static int answer_twice(struct ouro_http_exchange *exchange, void *arg)
{
    int code = answer_text(exchange, arg);

    return code ? code : answer_text(exchange, arg);
}

static int answer_cookies(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_add_header(exchange, "Set-Cookie", "a=1");

    if (!code)
        code = ouro_http_add_header(exchange, "Set-Cookie", "b=2");
    return code ? code : answer_text(exchange, arg);
}

/* What a handler may not put into an answer. Answers "strict", or what got through. */
static int answer_strictly(struct ouro_http_exchange *exchange, void *arg)
{
    static const struct {
        const char *name, *value;
    } bad[] = {
        {"Content-Length", "1"},
        {"transfer-encoding", "chunked"},
        {"Connection", "close"},
        {"Date", "today"},
        {"", "x"},
        {"A b", "x"},
        {"A:", "x"},
        {"A\r\nB", "x"},
        {"A\x80", "x"},
        {"A", "x\r\nB: y"},
        {"A", "x\ny"},
        {"A", "x\ry"},
        {"A", "\x01"},
        {"A", "\x7f"},
        {"A", "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"},
    };

    (void) arg;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (ouro_http_add_header(exchange, bad[i].name, bad[i].value) != -EINVAL)
            return ouro_http_replyf(exchange, 200, NULL, "row %zu got through", i);
    if (ouro_http_reply(exchange, 200, "text/plain\r\nX: y", "bad", 3) != -EINVAL ||
        ouro_http_reply(exchange, 100, NULL, "bad", 3) != -EINVAL ||
        ouro_http_reply(exchange, 99, NULL, "bad", 3) != -EINVAL ||
        ouro_http_reply(exchange, 1000, NULL, "bad", 3) != -EINVAL)
        return -EALREADY;
    return ouro_http_reply(exchange, 200, NULL, "strict", 6);
}

/* Ten bytes, that are what they are since 1,000,000,000 s. */
static int answer_content(struct ouro_http_exchange *exchange, void *arg)
{
    static const struct ouro_http_content content = {.type = "text/plain",
                                                     .data = "0123456789",
                                                     .len = 10,
                                                     .etag = "\"v1\"",
                                                     .modified_s = 1000000000};

    (void) arg;
    return ouro_http_reply_content(exchange, &content);
}

/* In pieces, with a trailer. */
static int answer_in_pieces(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_reply_begin(exchange, 200, "text/plain", -1);

    (void) arg;
    if (!code)
        code = ouro_http_add_trailer(exchange, "X-Sum", "3");
    for (int i = 0; i < 3 && !code; i++)
        code = ouro_http_writef(exchange, "piece %d", i);
    return code;
}

/* The fields of the request, in their order. */
static int answer_mirror(struct ouro_http_exchange *exchange, void *arg)
{
    char text[4 * RULES_HEAD_MAX];
    const char *name, *value;
    size_t len = 0;

    (void) arg;
    for (size_t i = 0; ouro_http_header_at(exchange, i, &name, &value); i++)
        len += (size_t) snprintf(text + len, sizeof(text) - len, "[%s=%s]", name, value);
    value = ouro_http_header(exchange, "X-One");
    if (value)
        len += (size_t) snprintf(text + len, sizeof(text) - len, "one=%s", value);
    return ouro_http_reply(exchange, 200, NULL, text, len);
}

int rules_app_create(struct ouro_http_app **ret_app)
{
    static int no_content = 204, not_modified = 304;
    static const struct {
        const char *method, *pattern;
        ouro_http_handler_fn *handler;
        void *arg;
    } routes[] = {
        {"GET", "/", answer_text, "root"},
        {"GET", "/ok", answer_text, "ok"},
        {"GET", "/probe", answer_text, "probe"},
        {"GET", "/stolen", answer_text, "stolen"},
        {"POST", "/stolen", answer_text, "stolen"},
        {"POST", "/ignore", answer_text, "ignored"},
        {"PUT", "/ignore", answer_text, "ignored"},
        {"POST", "/echo", answer_with_body, NULL},
        {"POST", "/part", answer_first_byte, NULL},
        {"GET", "/late", answer_late, "late"},
        {"POST", "/late", answer_late_with_body, NULL},
        {"GET", "/hello/{name}", answer_hello, NULL},
        {"GET", "/nothing", answer_status, &no_content},
        {"GET", "/unchanged", answer_status, &not_modified},
        {"GET", "/fail", fail, NULL},
        {"GET", "/twice", answer_twice, "once"},
        {"GET", "/cookies", answer_cookies, "cookies"},
        {"GET", "/strict", answer_strictly, NULL},
        {"GET", "/mirror", answer_mirror, NULL},
        {"GET", "/content", answer_content, NULL},
        {"GET", "/pieces", answer_in_pieces, NULL},
        {"GET", "/answer", answer_text, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"},
    };
    int code = ouro_http_app_create(ret_app);

    for (size_t i = 0; !code && i < sizeof(routes) / sizeof(routes[0]); i++)
        code = ouro_http_route(*ret_app, routes[i].method, routes[i].pattern, routes[i].handler,
                               routes[i].arg);
    return code;
}
