/* SPDX-License-Identifier: MIT */
/*
 * http_harness.h - what the tests of the HTTP server share: a server, and clients that speak raw
 *
 * Server and clients are tasks of one loop: of the kernel's ring, of the simulated one, and of a
 * simulated one that cuts half of all transfers short. A suite has one application.
 */
#ifndef OURO_TEST_HTTP_HARNESS_H
#define OURO_TEST_HTTP_HARNESS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"
#include "ouro_http_server.h"
#include "ouro_stream.h"

#include "test.h"

#define CLOSE "Host: x\r\nConnection: close\r\n\r\n"
#define GO_ON "Host: x\r\n\r\n"

/* To be defined by the suite: its application, and what is done before each script. */
static int create_app(struct ouro_http_app **ret_app);
static void reset(void);

/* What a test does while the server runs. */
typedef void script_fn(void);

static struct {
    struct ouro_http_serve_options options; /* for one test */
    struct ouro_http_app *app;
    struct ouro_address address;
    int listener;
    ouro_task_id task;
    script_fn *script;
    bool is_simulated; /* time is virtual */
} server;

/* --- the server's side ------------------------------------------------------------------- */

static int harness_serve(void *arg)
{
    (void) arg;
    return ouro_http_serve(server.app, server.listener, &server.options);
}

static int harness_start(void)
{
    int code = ouro_address_parse("127.0.0.1:0", -1, &server.address);

    if (!code)
        code = create_app(&server.app);
    if (code)
        return code;
    server.listener = ouro_listen(&server.address, 0);
    if (server.listener < 0)
        return server.listener;
    code = ouro_getsockname(server.listener, &server.address);
    server.task = ouro_spawn(harness_serve, NULL);
    return code;
}

static int harness_main(void *arg)
{
    int result = 0, code = harness_start();

    (void) arg;
    if (code)
        return code;
    server.script();
    CU_ASSERT_EQUAL(ouro_cancel_join(server.task, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(ouro_close(server.listener), 0);
    ouro_http_app_destroy(server.app);
    return 0;
}

static void run_on(const char *ring, script_fn *script)
{
    struct ouro_run_options options = {.ring = ring};

    server.script = script;
    server.is_simulated = strncmp(ring, "sim", 3) == 0;
    reset();
    CU_ASSERT_EQUAL(ouro_run(harness_main, NULL, &options), 0);
}

static inline void on_all_rings(script_fn *script)
{
    run_on(test_kernel_ring(), script);
    run_on(test_sim_ring(), script);
    run_on("sim:seed=1,short=50", script);
    memset(&server.options, 0, sizeof(server.options));
}

/* --- the client's side ------------------------------------------------------------------- */

static char reply_text[600000];

static inline struct ouro_stream *dial(void)
{
    struct ouro_stream *stream = NULL;

    CU_ASSERT_EQUAL(ouro_dial("127.0.0.1", ouro_address_port(&server.address), NULL, &stream), 0);
    return stream;
}

static inline void say(struct ouro_stream *stream, const char *text)
{
    CU_ASSERT_EQUAL(ouro_stream_write_all(stream, text, strlen(text)), 0);
}

/* Dates change; they are checked for their form, and taken out. */
static inline void remove_dates(char *text)
{
    char *date;

    while ((date = strstr(text, "Date: "))) {
        char *end = strstr(date, "\r\n");

        CU_ASSERT_EQUAL(end - date, 35);
        CU_ASSERT_EQUAL(strncmp(date + 31, " GMT", 4), 0);
        memmove(date, end + 2, strlen(end + 2) + 1);
    }
}

/* All that comes until the server ends the connection; *ret_code is 0, or the error at its end. */
static inline const char *read_to_end(struct ouro_stream *stream, int *ret_code)
{
    size_t len = 0;
    ssize_t result;

    while ((result = ouro_stream_read(stream, reply_text + len, sizeof(reply_text) - 1 - len)) > 0)
        len += (size_t) result;
    *ret_code = (int) result;
    reply_text[len] = '\0';
    remove_dates(reply_text);
    return reply_text;
}

static inline const char *read_all(struct ouro_stream *stream)
{
    int code;

    (void) read_to_end(stream, &code);
    CU_ASSERT_EQUAL(code, 0);
    return reply_text;
}

/* One connection: sends that, and returns all that comes. */
static inline const char *ask(const char *request)
{
    struct ouro_stream *stream = dial();

    if (!stream)
        return "";
    say(stream, request);
    (void) read_all(stream);
    (void) ouro_stream_close(stream);
    return reply_text;
}

/* One answer of a connection that goes on; its length is known from Content-Length. */
static inline const char *read_answer(struct ouro_stream *stream)
{
    const char *head, *length;
    ssize_t len = ouro_stream_read_until(stream, "\r\n\r\n", 4, 4096, &head);
    size_t body_len = 0;

    CU_ASSERT(len > 0);
    if (len <= 0)
        return "";
    memcpy(reply_text, head, (size_t) len);
    reply_text[len] = '\0';
    length = strstr(reply_text, "Content-Length: ");
    if (length)
        body_len = strtoul(length + 16, NULL, 10);
    CU_ASSERT_EQUAL(ouro_stream_read_exact(stream, reply_text + len, body_len, NULL), 0);
    reply_text[(size_t) len + body_len] = '\0';
    remove_dates(reply_text);
    return reply_text;
}

static inline bool has_ended(struct ouro_stream *stream)
{
    const char *data;

    return ouro_stream_peek(stream, 1, &data) == 0;
}

static inline bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

#endif /* OURO_TEST_HTTP_HARNESS_H */
