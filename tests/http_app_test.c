/* SPDX-License-Identifier: MIT */
/*
 * http_app_test.c - tests of proto/http_app.c and http_dispatch.c
 *
 * Each test builds an application and asks it over real connections, on the kernel's ring and
 * on the simulated one. Handlers and middleware leave a trace of what ran, which most
 * tables are about: "a(" and ")" are middleware `a` before and after ouro_http_next(), words
 * are handlers.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"
#include "ouro_http_server.h"
#include "ouro_stream.h"

#include "http_app.h"
#include "http_exchange.h"
#include "test.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* --- a server and its client ------------------------------------------------------------- */

typedef void build_fn(struct ouro_http_app *app);
typedef void script_fn(void);

static struct {
    build_fn *build;
    script_fn *script;
    struct ouro_http_app *app;
    struct ouro_address address;
    int listener;
    bool is_simulated;
} server;

static char trace[1024];
static char reply[128 * 1024];

static int serve(void *arg)
{
    struct ouro_http_serve_options options = {.body_bytes_max = 1000,
                                              .body_timeout_ns = 10 * OURO_SECOND};

    (void) arg;
    return ouro_http_serve(server.app, server.listener, &options);
}

static int run_script(void *arg)
{
    int code = ouro_address_parse("127.0.0.1:0", -1, &server.address);
    ouro_task_id task;

    (void) arg;
    if (!code)
        code = ouro_http_app_create(&server.app);
    if (code)
        return code;
    server.build(server.app);
    server.listener = ouro_listen(&server.address, 0);
    CU_ASSERT_FATAL(server.listener >= 0);
    CU_ASSERT_EQUAL(ouro_getsockname(server.listener, &server.address), 0);
    task = ouro_spawn(serve, NULL);
    server.script();
    CU_ASSERT_EQUAL(ouro_cancel_join(task, NULL), 0);
    ouro_http_app_destroy(server.app);
    return ouro_close(server.listener);
}

static void run_on(const char *ring, build_fn *build, script_fn *script)
{
    struct ouro_run_options options = {.ring = ring};

    server.build = build;
    server.script = script;
    server.is_simulated = strncmp(ring, "sim", 3) == 0;
    CU_ASSERT_EQUAL(ouro_run(run_script, NULL, &options), 0);
}

static void on_both_rings(build_fn *build, script_fn *script)
{
    run_on(test_sim_ring(), build, script);
    if (test_kernel_ring())
        run_on(test_kernel_ring(), build, script);
}

/* One connection: sends that, and keeps all that comes. Returns the status; 0: nothing came. */
static int ask(const char *format, ...)
{
    struct ouro_stream *stream = NULL;
    static char request[4096];
    size_t len = 0;
    ssize_t got;
    va_list args;

    va_start(args, format);
    (void) vsnprintf(request, sizeof(request), format, args);
    va_end(args);
    trace[0] = reply[0] = '\0';
    if (ouro_dial("127.0.0.1", ouro_address_port(&server.address), NULL, &stream))
        return -1;
    CU_ASSERT_EQUAL(ouro_stream_write_all(stream, request, strlen(request)), 0);
    while ((got = ouro_stream_read(stream, reply + len, sizeof(reply) - 1 - len)) > 0)
        len += (size_t) got;
    (void) ouro_stream_close(stream);
    reply[len] = '\0';
    return len > 12 ? atoi(reply + 9) : 0;
}

#define CLOSE " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

/* "GET /path" and so on */
static int ask_for(const char *method_and_path)
{
    return ask("%s" CLOSE, method_and_path);
}

/* The last answer's. */
static const char *body(void)
{
    const char *end = strstr(reply, "\r\n\r\n");

    return end ? end + 4 : "";
}

static const char *field(const char *name)
{
    static char value[256];
    char start[64];
    const char *at;

    (void) snprintf(start, sizeof(start), "\r\n%s: ", name);
    at = strstr(reply, start);
    if (!at)
        return "none";
    at += strlen(start);
    (void) snprintf(value, sizeof(value), "%.*s", (int) strcspn(at, "\r"), at);
    return value;
}

/* --- what applications are made of ------------------------------------------------------- */

static void note(const char *text)
{
    if (strlen(trace) + strlen(text) < sizeof(trace))
        (void) strcat(trace, text);
}

/* Answers with its name, and with the parameters `x` and `rest` where it has them. */
static int answer_name(struct ouro_http_exchange *exchange, void *arg)
{
    const char *x = ouro_http_parameter(exchange, "x");
    const char *rest = ouro_http_parameter(exchange, "rest");

    note(arg);
    CU_ASSERT_EQUAL(ouro_http_next(exchange), -EALREADY);
    return ouro_http_replyf(exchange, 200, NULL, "%s%s%s%s%s", (char *) arg, x ? " x=" : "",
                            x ? x : "", rest ? " rest=" : "", rest ? rest : "");
}

static int fail(struct ouro_http_exchange *exchange, void *arg)
{
    note("fail");
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "X-Lost", "yes"), 0);
    (void) arg;
    return -EIO;
}

static int forget(struct ouro_http_exchange *exchange, void *arg)
{
    (void) exchange;
    (void) arg;
    note("forget");
    return 0;
}

/* Notes its name, goes on, and notes the status. */
static int pass(struct ouro_http_exchange *exchange, void *arg)
{
    char text[32];
    int code;

    (void) snprintf(text, sizeof(text), "%s(", (char *) arg);
    note(text);
    CU_ASSERT_EQUAL(ouro_http_status(exchange), 0);
    code = ouro_http_next(exchange);
    (void) snprintf(text, sizeof(text), "%d)", ouro_http_status(exchange));
    note(text);
    return code;
}

static void add(struct ouro_http_app *app, const char *method, const char *pattern,
                const char *name)
{
    CU_ASSERT_EQUAL(ouro_http_route(app, method, pattern, answer_name, (void *) (uintptr_t) name),
                    0);
}

static void use(struct ouro_http_app *app, ouro_http_middleware_fn *fn, const char *name)
{
    CU_ASSERT_EQUAL(ouro_http_use(app, fn, (void *) (uintptr_t) name), 0);
}

static struct ouro_http_app *mount(struct ouro_http_app *app, const char *prefix)
{
    struct ouro_http_app *mounted = NULL;

    CU_ASSERT_EQUAL_FATAL(ouro_http_app_create(&mounted), 0);
    CU_ASSERT_EQUAL(ouro_http_mount_take(app, prefix, mounted), 0);
    return mounted;
}

/* --- routes and mounts ------------------------------------------------------------------- */

static void build_mounts(struct ouro_http_app *app)
{
    struct ouro_http_app *api = mount(app, "/api");
    struct ouro_http_app *deep = mount(api, "/v1/deep");

    add(app, "GET", "/", "home");
    add(app, "POST", "/", "post home");
    add(app, "GET", "/{x}/y", "y");
    add(app, "GET", "/files/{rest...}", "files");
    add(api, "GET", "/", "api");
    add(api, "GET", "/{x}", "api item");
    add(api, "PUT", "/{x}", "put item");
    add(api, "PATCH", "/v1/{rest...}", "patch");
    add(api, "OPTIONS", "/asked", "own options");
    add(deep, "GET", "/{rest...}", "deep");
    add(deep, "DELETE", "/{x}/all", "delete");
}

/* The answer's body with 200, else its Allow field. */
static const struct {
    const char *request;
    int status;
    const char *text;
} mounts_rows[] = {
    {"GET /", 200, "home"},
    {"GET /a/y", 200, "y x=a"},
    {"GET /files/a/b%20c/", 200, "files rest=a/b c/"},
    {"GET /files/", 200, "files rest="},
    {"GET /files", 404, "none"},
    {"GET /files/a%2fb", 404, "none"},
    {"GET /files//etc/passwd", 404, "none"},
    {"GET /files/%2e%2e/%2e%2e/etc", 400, "none"},
    {"GET /api", 200, "api"},
    {"GET /api/", 200, "api"},
    {"GET /api?query", 200, "api"},
    {"GET /api/7", 200, "api item x=7"},
    {"GET /api/y", 200, "api item x=y"},
    {"GET /api/a/y", 404, "none"},
    {"GET /api/v1/deep", 200, "deep rest="},
    {"GET /api/v1/deep/", 200, "deep rest="},
    {"GET /api/v1/deep/a/b", 200, "deep rest=a/b"},
    {"GET http://x/api/v1/x/../deep/a/./b", 200, "deep rest=a/b"},
    {"DELETE /api/v1/deep/a%2fb/all", 200, "delete x=a/b"},
    {"PATCH /api/v1/deep/a", 405, "GET, HEAD, OPTIONS"},
    {"PATCH /api/v1/other/a", 200, "patch rest=other/a"},
    /* What is allowed, and OPTIONS for paths that are known. */
    {"DELETE /", 405, "GET, HEAD, POST, OPTIONS"},
    {"OPTIONS /", 204, "GET, HEAD, POST, OPTIONS"},
    {"OPTIONS /api/7", 204, "GET, HEAD, PUT, OPTIONS"},
    {"OPTIONS /api/asked", 200, "own options"},
    {"DELETE /api/asked", 405, "GET, HEAD, PUT, OPTIONS"},
    {"OPTIONS /api/v1/deep/a/all", 204, "GET, HEAD, DELETE, OPTIONS"},
    {"OPTIONS /nowhere", 404, "none"},
    {"PUT /nowhere", 404, "none"},
    {"OPTIONS *", 204, "GET, HEAD, POST, PUT, PATCH, OPTIONS, DELETE"},
};

static void ask_mounts(void)
{
    for (size_t i = 0; i < COUNT_OF(mounts_rows); i++) {
        int status = ask_for(mounts_rows[i].request);

        CU_ASSERT_EQUAL(status, mounts_rows[i].status);
        CU_ASSERT_STRING_EQUAL(status == 200 ? body() : field("Allow"), mounts_rows[i].text);
    }
    CU_ASSERT_EQUAL(ask_for("HEAD /api/7"), 200);
    CU_ASSERT_STRING_EQUAL(field("Content-Length"), "12");
    CU_ASSERT_STRING_EQUAL(body(), "");
}

static void test_paths_lead_through_mounts(void)
{
    on_both_rings(build_mounts, ask_mounts);
}

/* A path of as many segments as there may be, all of them prefix: no room for the "/" below. */
static void build_long_prefix(struct ouro_http_app *app)
{
    char half[URL_SEGMENTS_MAX + 1] = "";
    struct ouro_http_app *outer, *inner;

    for (size_t i = 0; i < URL_SEGMENTS_MAX / 2; i++)
        (void) strcat(half, "/a");
    outer = mount(app, half);
    inner = mount(outer, half);
    add(outer, "GET", "/", "outer");
    add(inner, "GET", "/{rest...}", "inner");
}

static void ask_long_prefix(void)
{
    char half[URL_SEGMENTS_MAX + 1] = "";

    for (size_t i = 0; i < URL_SEGMENTS_MAX / 2; i++)
        (void) strcat(half, "/a");
    CU_ASSERT_EQUAL(ask("GET %s" CLOSE, half), 200);
    CU_ASSERT_EQUAL(ask("GET %s%s" CLOSE, half, half), 404);
    CU_ASSERT_EQUAL(ask("GET %s%s/" CLOSE, half, half), 404);
}

static void test_prefix_may_be_as_long_as_a_path(void)
{
    on_both_rings(build_long_prefix, ask_long_prefix);
}

static void test_mounts_that_make_no_sense_are_refused(void)
{
    struct ouro_http_app *apps[HTTP_MOUNTS_MAX + 2], *pair[2], *other;

    for (size_t i = 0; i < COUNT_OF(apps); i++)
        CU_ASSERT_EQUAL_FATAL(ouro_http_app_create(&apps[i]), 0);
    CU_ASSERT_EQUAL_FATAL(ouro_http_app_create(&other), 0);
    CU_ASSERT_EQUAL(ouro_http_mount_take(other, "/", apps[0]), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_mount_take(other, "/{x}", apps[0]), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_mount_take(other, "/self", other), -EINVAL);
    add(other, "GET", "/a/b", "b");
    CU_ASSERT_EQUAL(ouro_http_mount_take(other, "/a", apps[0]), -EEXIST);

    /* apps[1] in apps[0], and so on. */
    for (size_t i = 0; i < HTTP_MOUNTS_MAX; i++)
        CU_ASSERT_EQUAL(ouro_http_mount_take(apps[i], "/m", apps[i + 1]), 0);
    CU_ASSERT_EQUAL(ouro_http_mount_take(apps[HTTP_MOUNTS_MAX], "/m", other), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_mount_take(other, "/m", apps[0]), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_mount_take(apps[3], "/n", apps[0]), -EINVAL); /* in itself */
    CU_ASSERT_EQUAL(ouro_http_mount_take(other, "/m", apps[3]), -EINVAL);   /* has a parent */
    CU_ASSERT_EQUAL(ouro_http_mount_take(apps[0], "/n", apps[1]), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_mount_take(apps[0], "/m", other), -EEXIST);
    CU_ASSERT_EQUAL(ouro_http_route(apps[0], "GET", "/m/x", answer_name, NULL), -EEXIST);

    /* The height of what is mounted counts. */
    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_EQUAL_FATAL(ouro_http_app_create(&pair[i]), 0);
    CU_ASSERT_EQUAL(ouro_http_mount_take(pair[0], "/m", pair[1]), 0);
    CU_ASSERT_EQUAL(ouro_http_mount_take(apps[HTTP_MOUNTS_MAX - 1], "/n", pair[0]), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_mount_take(apps[HTTP_MOUNTS_MAX - 2], "/n", pair[0]), 0);
    ouro_http_app_destroy(apps[0]);
    ouro_http_app_destroy(apps[HTTP_MOUNTS_MAX + 1]);
    ouro_http_app_destroy(other);
    ouro_http_app_destroy(NULL);
}

/* --- middleware -------------------------------------------------------------------------- */

/* Answers by itself what the query "stop" is about. */
static int guard(struct ouro_http_exchange *exchange, void *arg)
{
    const char *query = ouro_http_query(exchange);

    (void) arg;
    note("guard ");
    return query && strcmp(query, "stop") == 0 ? ouro_http_reply(exchange, 401, NULL, "no", 2)
                                               : ouro_http_next(exchange);
}

static void build_steps(struct ouro_http_app *app)
{
    struct ouro_http_app *sub, *inner;
    struct ouro_http_route_options small = {.body_bytes_max = 10};

    add(app, "GET", "/", "home");
    use(app, pass, "a");
    use(app, pass, "b");
    use(app, guard, NULL);
    sub = mount(app, "/plain");
    inner = mount(sub, "/sub");
    add(inner, "GET", "/{x}", "inner");
    use(inner, pass, "c");
    use(inner, pass, "d");
    CU_ASSERT_EQUAL(ouro_http_route(inner, "GET", "/fail", fail, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route(inner, "GET", "/forget", forget, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route_with(app, "POST", "/small", fail, NULL, &small), 0);
}

/* The first is the outermost, the application's own come after those of its parents. */
static const struct {
    const char *request, *trace;
} steps_rows[] = {
    {"GET /", "a(b(guard home200)200)"},
    {"GET /nowhere", "a(b(guard 404)404)"},
    {"PUT /", "a(b(guard 405)405)"},
    {"OPTIONS /", "a(b(guard 204)204)"},
    {"OPTIONS *", "a(b(guard 204)204)"},
    {"GET /%00", "a(b(guard 400)400)"},
    {"GET /?stop", "a(b(guard 401)401)"},
    {"GET /plain/nowhere", "a(b(guard 404)404)"},
    {"GET /plain/sub/1", "a(b(guard c(d(inner200)200)200)200)"},
    {"GET /plain/sub", "a(b(guard c(d(404)404)404)404)"},
    {"PUT /plain/sub/1", "a(b(guard c(d(405)405)405)405)"},
    {"GET /plain/sub/1?stop", "a(b(guard 401)401)"},
    {"GET /plain/sub/fail", "a(b(guard c(d(fail500)500)500)500)"},
    {"GET /plain/sub/forget", "a(b(guard c(d(forget500)500)500)500)"},
};

static void ask_steps(void)
{
    for (size_t i = 0; i < COUNT_OF(steps_rows); i++) {
        int status = ask_for(steps_rows[i].request);

        CU_ASSERT_STRING_EQUAL(trace, steps_rows[i].trace);
        CU_ASSERT_EQUAL(status, atoi(trace + strlen(trace) - 4));
    }
    CU_ASSERT_EQUAL(ask("CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\nConnection: close\r\n\r\n"), 501);
    CU_ASSERT_STRING_EQUAL(trace, "a(b(guard 501)501)");
    CU_ASSERT_EQUAL(ask("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n01234567890"),
                    413);
    CU_ASSERT_STRING_EQUAL(trace, "a(b(guard 413)413)");
    /* No valid request is none. */
    CU_ASSERT_EQUAL(ask("GET / HTTP/1.1\r\n\r\n"), 400);
    CU_ASSERT_STRING_EQUAL(trace, "");
}

static void test_middleware_is_around_all_that_is_answered(void)
{
    on_both_rings(build_steps, ask_steps);
}

static int go_on_twice(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_next(exchange);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_next(exchange), -EALREADY);
    return code;
}

static int stop(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    note("stop");
    return ouro_http_reply(exchange, 401, NULL, NULL, 0);
}

static int fail_afterwards(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_next(exchange), -EIO);
    return -EPERM;
}

static int see_what_it_returned(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_next(exchange), -EPERM);
    return 0;
}

static void build_returns(struct ouro_http_app *app)
{
    struct ouro_http_app *twice = mount(app, "/twice");
    struct ouro_http_app *stopped = mount(app, "/stopped");
    struct ouro_http_app *codes = mount(app, "/codes");

    use(twice, go_on_twice, NULL);
    use(twice, go_on_twice, NULL);
    use(twice, pass, "a");
    add(twice, "GET", "/", "once");
    use(stopped, go_on_twice, NULL);
    use(stopped, stop, NULL);
    use(stopped, pass, "never");
    use(codes, see_what_it_returned, NULL);
    use(codes, fail_afterwards, NULL);
    CU_ASSERT_EQUAL(ouro_http_route(codes, "GET", "/", fail, NULL), 0);
}

static void ask_returns(void)
{
    CU_ASSERT_EQUAL(ask_for("GET /twice"), 200);
    CU_ASSERT_STRING_EQUAL(trace, "a(once200)");
    CU_ASSERT_EQUAL(ask_for("GET /stopped"), 401);
    CU_ASSERT_STRING_EQUAL(trace, "stop");
    CU_ASSERT_EQUAL(ask_for("GET /codes"), 500);
    CU_ASSERT_STRING_EQUAL(trace, "fail");
}

static void test_each_step_runs_once_and_returns_what_it_did(void)
{
    on_both_rings(build_returns, ask_returns);
}

static int add_fields(struct ouro_http_exchange *exchange, void *arg)
{
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, arg, "1"), 0);
    return ouro_http_next(exchange);
}

static void build_fields(struct ouro_http_app *app)
{
    struct ouro_http_app *sub = mount(app, "/sub");

    use(app, add_fields, "X-One");
    use(app, add_fields, "X-Two");
    use(sub, pass, "a");
    use(sub, fail, NULL);
    CU_ASSERT_EQUAL(ouro_http_route(app, "GET", "/fail", fail, NULL), 0);
    add(app, "GET", "/", "home");
}

static void ask_for_fields(void)
{
    static const char *const requests[] = {"GET /", "GET /fail", "GET /nowhere", "PUT /",
                                           "GET /sub/x"};

    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        CU_ASSERT(ask_for(requests[i]) >= 200);
        CU_ASSERT_STRING_EQUAL(field("X-One"), "1");
        CU_ASSERT_STRING_EQUAL(field("X-Two"), "1");
        CU_ASSERT_STRING_EQUAL(field("X-Lost"), "none");
    }
    CU_ASSERT_STRING_EQUAL(trace, "a(fail500)");
}

static void test_fields_of_middleware_are_on_every_answer(void)
{
    on_both_rings(build_fields, ask_for_fields);
}

static int note_parameters(struct ouro_http_exchange *exchange, void *arg)
{
    const char *x = ouro_http_parameter(exchange, arg);

    note(x ? x : "-");
    note(" ");
    note(ouro_http_path(exchange));
    note(" ");
    return ouro_http_next(exchange);
}

static void build_parameters(struct ouro_http_app *app)
{
    struct ouro_http_app *sub = mount(app, "/sub");

    use(app, note_parameters, "rest");
    add(app, "GET", "/{x}", "one");
    add(sub, "GET", "/{x}/{rest...}", "sub");
}

static void ask_for_parameters(void)
{
    CU_ASSERT_EQUAL(ask_for("GET /sub/a/b/c?q"), 200);
    CU_ASSERT_STRING_EQUAL(trace, "b/c /sub/a/b/c sub");
    CU_ASSERT_EQUAL(ask_for("GET /a"), 200);
    CU_ASSERT_STRING_EQUAL(trace, "- /a one");
    CU_ASSERT_EQUAL(ask_for("GET /a/b"), 404);
    CU_ASSERT_STRING_EQUAL(trace, "- /a/b ");
    CU_ASSERT_EQUAL(ask_for("OPTIONS *"), 204);
    CU_ASSERT_STRING_EQUAL(trace, "-  ");
}

static void test_middleware_sees_the_request_as_its_handler_will(void)
{
    on_both_rings(build_parameters, ask_for_parameters);
}

/* --- limits ------------------------------------------------------------------------------ */

static struct ouro_http_route_options seen_first, seen_last;

static int see_limits(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    seen_first = exchange->limits;
    return ouro_http_next(exchange);
}

static int keep_limits(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    seen_last = exchange->limits;
    return ouro_http_reply(exchange, 204, NULL, NULL, 0);
}

static void add_limited(struct ouro_http_app *app, const char *method, const char *pattern,
                        ouro_http_handler_fn *handler, struct ouro_http_route_options options)
{
    CU_ASSERT_EQUAL(ouro_http_route_with(app, method, pattern, handler, NULL, &options), 0);
}

static void limit(struct ouro_http_app *app, struct ouro_http_route_options options)
{
    CU_ASSERT_EQUAL(ouro_http_app_set_options(app, &options), 0);
}

static void build_limits(struct ouro_http_app *app)
{
    struct ouro_http_app *outer = mount(app, "/outer");
    struct ouro_http_app *inner = mount(outer, "/inner");

    use(app, see_limits, NULL);
    CU_ASSERT_EQUAL(ouro_http_route(app, "GET", "/", keep_limits, NULL), 0);
    add_limited(app, "GET", "/1", keep_limits, (struct ouro_http_route_options) {1, 2, 3, 1});
    limit(outer, (struct ouro_http_route_options) {5, 6, OURO_SECOND, 1});
    CU_ASSERT_EQUAL(ouro_http_route(outer, "GET", "/", keep_limits, NULL), 0);
    limit(inner, (struct ouro_http_route_options) {.body_timeout_ns = 7, .gzip = 2});
    CU_ASSERT_EQUAL(ouro_http_route(inner, "GET", "/", keep_limits, NULL), 0);
    add_limited(inner, "GET", "/1", keep_limits,
                (struct ouro_http_route_options) {.body_bytes_max = 8, .gzip = 1});
    add_limited(inner, "GET", "/2", keep_limits,
                (struct ouro_http_route_options) {UINT64_MAX, OURO_FOREVER, OURO_FOREVER, 0});
}

static const struct {
    const char *request;
    struct ouro_http_route_options limits;
} limits_rows[] = {
    {"GET /", {1000, 10 * OURO_SECOND, 0, OURO_HTTP_GZIP_DEFAULT}},
    {"GET /nowhere", {1000, 10 * OURO_SECOND, 0, OURO_HTTP_GZIP_DEFAULT}},
    {"GET /1", {1, 2, 3, OURO_HTTP_GZIP_ON}},
    {"GET /outer", {5, 6, OURO_SECOND, OURO_HTTP_GZIP_ON}},
    {"GET /outer/nowhere", {5, 6, OURO_SECOND, OURO_HTTP_GZIP_ON}},
    {"GET /outer/inner", {5, 7, OURO_SECOND, OURO_HTTP_GZIP_OFF}},
    {"PUT /outer/inner/1", {5, 7, OURO_SECOND, OURO_HTTP_GZIP_OFF}},
    {"GET /outer/inner/1", {8, 7, OURO_SECOND, OURO_HTTP_GZIP_ON}},
    {"GET /outer/inner/2", {UINT64_MAX, OURO_FOREVER / 2, OURO_FOREVER / 2, OURO_HTTP_GZIP_OFF}},
};

static void check_limits(const struct ouro_http_route_options *limits,
                         const struct ouro_http_route_options *expected)
{
    CU_ASSERT_EQUAL(limits->body_bytes_max, expected->body_bytes_max);
    CU_ASSERT_EQUAL(limits->body_timeout_ns, expected->body_timeout_ns);
    CU_ASSERT_EQUAL(limits->handler_timeout_ns, expected->handler_timeout_ns);
    CU_ASSERT_EQUAL(limits->gzip, expected->gzip);
}

static void ask_for_limits(void)
{
    for (size_t i = 0; i < COUNT_OF(limits_rows); i++) {
        int status = ask_for(limits_rows[i].request);

        check_limits(&seen_first, &limits_rows[i].limits);
        CU_ASSERT(status == 204 || status == 404 || status == 405);
        if (status == 204)
            check_limits(&seen_last, &limits_rows[i].limits);
    }
}

static void test_limits_are_inherited(void)
{
    on_both_rings(build_limits, ask_for_limits);
}

static void test_limits_that_make_no_sense_are_refused(void)
{
    static const struct ouro_http_route_options bad[] = {
        {.body_timeout_ns = -1},
        {.handler_timeout_ns = -1},
        {.gzip = (enum ouro_http_gzip) 3},
        {.gzip = (enum ouro_http_gzip) - 1},
    };
    struct ouro_http_app *app;

    CU_ASSERT_EQUAL_FATAL(ouro_http_app_create(&app), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        CU_ASSERT_EQUAL(ouro_http_app_set_options(app, &bad[i]), -EINVAL);
        CU_ASSERT_EQUAL(ouro_http_route_with(app, "GET", "/", forget, NULL, &bad[i]), -EINVAL);
    }
    CU_ASSERT_EQUAL(ouro_http_route_with(app, "GET", "/", forget, NULL, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_app_set_options(app, NULL), 0);
    ouro_http_app_destroy(app);
}

static int answer_length(struct ouro_http_exchange *exchange, void *arg)
{
    char buf[64];
    ssize_t len = 1;
    size_t total = 0;

    (void) arg;
    while (len > 0) {
        len = ouro_http_read(exchange, buf, sizeof(buf));
        total += len > 0 ? (size_t) len : 0;
    }
    return len < 0 ? (int) len : ouro_http_replyf(exchange, 200, NULL, "%zu", total);
}

static void build_bodies(struct ouro_http_app *app)
{
    struct ouro_http_app *sub = mount(app, "/sub");

    use(app, pass, "a");
    limit(sub, (struct ouro_http_route_options) {.body_bytes_max = 20});
    CU_ASSERT_EQUAL(ouro_http_route(app, "POST", "/", answer_length, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route(sub, "POST", "/", answer_length, NULL), 0);
    add_limited(sub, "POST", "/10", answer_length,
                (struct ouro_http_route_options) {.body_bytes_max = 10});
    add_limited(app, "POST", "/2000", answer_length,
                (struct ouro_http_route_options) {.body_bytes_max = 2000});
    add_limited(sub, "POST", "/late", answer_length,
                (struct ouro_http_route_options) {.body_timeout_ns = 50 * OURO_MILLISECOND});
}

static const struct {
    const char *path;
    int len, status;
} bodies_rows[] = {
    {"/", 1000, 200},     {"/", 1001, 413},     {"/sub", 20, 200},    {"/sub", 21, 413},
    {"/sub/10", 10, 200}, {"/sub/10", 11, 413}, {"/2000", 2000, 200}, {"/2000", 2001, 413},
};

static void send_bodies(void)
{
    char text[2048];

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < COUNT_OF(bodies_rows); i++) {
        const char *path = bodies_rows[i].path;
        int len = bodies_rows[i].len;

        CU_ASSERT_EQUAL(ask("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                            "Content-Length: %d\r\n\r\n%.*s",
                            path, len, len, text),
                        bodies_rows[i].status);
        CU_ASSERT_STRING_EQUAL(trace, bodies_rows[i].status == 200 ? "a(200)" : "a(413)");
        CU_ASSERT_EQUAL(ask("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n%x\r\n%.*s\r\n0\r\n\r\n",
                            path, (unsigned) len, len, text),
                        bodies_rows[i].status);
    }
    /* Refused without being read, and with the connection, as the body may never come. */
    CU_ASSERT_EQUAL(ask("POST /sub HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\n"), 413);
    CU_ASSERT_STRING_EQUAL(field("Connection"), "close");
}

static void test_bodies_have_the_limit_of_their_route(void)
{
    on_both_rings(build_bodies, send_bodies);
}

/* Returns how long the answer took, in virtual time; `expected` where time is real. */
static int64_t time_of(const char *request, int status, int64_t expected)
{
    int64_t start = ouro_now();

    CU_ASSERT_EQUAL(ask("%s", request), status);
    if (server.is_simulated)
        return ouro_now() - start;
    CU_ASSERT(ouro_now() - start >= expected);
    return expected;
}

static void stall_bodies(void)
{
    CU_ASSERT_EQUAL(time_of("POST /sub/late HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                            "Content-Length: 5\r\n\r\nabc",
                            408, 50 * OURO_MILLISECOND),
                    50 * OURO_MILLISECOND);
    CU_ASSERT_STRING_EQUAL(trace, "a(408)");
    if (server.is_simulated)
        CU_ASSERT_EQUAL(time_of("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                "Content-Length: 5\r\n\r\nabc",
                                408, 0),
                        10 * OURO_SECOND);
}

static void test_bodies_have_the_time_limit_of_their_route(void)
{
    on_both_rings(build_bodies, stall_bodies);
}

/* --- the time of handlers ---------------------------------------------------------------- */

#define LIMIT_NS (50 * OURO_MILLISECOND)

static int sleep_long(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_sleep(4 * LIMIT_NS);

    (void) arg;
    return code ? code : ouro_http_reply(exchange, 200, NULL, "slept", 5);
}

/* Three ways to deal with the interruption that hide its code. */
static int sleep_and_forget(struct ouro_http_exchange *exchange, void *arg)
{
    (void) exchange;
    (void) arg;
    (void) ouro_sleep(4 * LIMIT_NS);
    return 0;
}

static int sleep_and_rename(struct ouro_http_exchange *exchange, void *arg)
{
    (void) exchange;
    (void) arg;
    return ouro_sleep(4 * LIMIT_NS) ? -EIO : 0;
}

static int sleep_and_answer(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_sleep(4 * LIMIT_NS), -ETIMEDOUT);
    return ouro_http_reply(exchange, 200, NULL, "late", 4);
}

static int answer_and_sleep(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_reply(exchange, 200, NULL, "early", 5);

    (void) arg;
    CU_ASSERT_EQUAL(ouro_sleep(4 * LIMIT_NS), -ETIMEDOUT);
    return code;
}

static int sleep_and_pass(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_sleep(4 * LIMIT_NS);

    (void) arg;
    return code ? code : ouro_http_next(exchange);
}

/* What a log of requests does. */
static int pass_and_write(struct ouro_http_exchange *exchange, void *arg)
{
    struct ouro_shield shield;
    int code = pass(exchange, arg);

    ouro_shield_begin(&shield, OURO_SECOND);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    ouro_shield_end(&shield);
    return code;
}

static void build_slow(struct ouro_http_app *app)
{
    struct ouro_http_app *middleware = mount(app, "/middleware");

    use(app, pass_and_write, "a");
    limit(app, (struct ouro_http_route_options) {.handler_timeout_ns = LIMIT_NS});
    CU_ASSERT_EQUAL(ouro_http_route(app, "GET", "/slow", sleep_long, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route(app, "GET", "/forget", sleep_and_forget, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route(app, "GET", "/rename", sleep_and_rename, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route(app, "GET", "/late", sleep_and_answer, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route(app, "GET", "/early", answer_and_sleep, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route(app, "POST", "/body", answer_length, NULL), 0);
    CU_ASSERT_EQUAL(ouro_http_route(app, "GET", "/fail", fail, NULL), 0);
    add_limited(app, "GET", "/twice", sleep_long,
                (struct ouro_http_route_options) {.handler_timeout_ns = 2 * LIMIT_NS});
    add_limited(app, "GET", "/unlimited", sleep_long,
                (struct ouro_http_route_options) {.handler_timeout_ns = OURO_FOREVER});
    use(middleware, sleep_and_pass, NULL);
    add(middleware, "GET", "/", "never");
}

static const struct {
    const char *request;
    int64_t time_ns;
    const char *trace;
} slow_rows[] = {
    {"GET /slow" CLOSE, LIMIT_NS, "a(503)"},
    {"GET /forget" CLOSE, LIMIT_NS, "a(503)"},
    {"GET /rename" CLOSE, LIMIT_NS, "a(503)"},
    {"GET /late" CLOSE, LIMIT_NS, "a(200)"},
    {"GET /early" CLOSE, LIMIT_NS, "a(200)"},
    {"GET /twice" CLOSE, 2 * LIMIT_NS, "a(503)"},
    {"GET /unlimited" CLOSE, 4 * LIMIT_NS, "a(200)"},
    {"GET /middleware" CLOSE, LIMIT_NS, "a(503)"},
    {"GET /middleware/nowhere" CLOSE, LIMIT_NS, "a(503)"},
    {"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc", LIMIT_NS,
     "a(408)"}, /* it is the client who is slow */
    {"GET /fail" CLOSE, 0, "a(fail500)"},
    /* The connection goes on. */
    {"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere" CLOSE, LIMIT_NS, "a(503)a(404)"},
};

static void ask_the_slow(void)
{
    for (size_t i = 0; i < COUNT_OF(slow_rows); i++) {
        int status = atoi(strchr(slow_rows[i].trace, ')') - 3);

        CU_ASSERT_EQUAL(time_of(slow_rows[i].request, status, slow_rows[i].time_ns),
                        slow_rows[i].time_ns);
        CU_ASSERT_STRING_EQUAL(trace, slow_rows[i].trace);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(reply, "\r\n\r\n503 Service Unavailable\nHTTP/1.1 404 "));
}

static void test_handlers_have_a_time_limit(void)
{
    on_both_rings(build_slow, ask_the_slow);
}

/* An answer that is too long for the connection's buffer is sent at once, and waits for that. */
static int add_long_field(struct ouro_http_exchange *exchange, void *arg)
{
    static char value[60 * 1024];

    (void) arg;
    memset(value, 'x', sizeof(value) - 1);
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "X-Long", value), 0);
    return ouro_http_next(exchange);
}

static void build_long(struct ouro_http_app *app)
{
    use(app, add_long_field, NULL);
    add_limited(app, "GET", "/", sleep_long,
                (struct ouro_http_route_options) {.handler_timeout_ns = LIMIT_NS});
}

static void ask_for_long(void)
{
    CU_ASSERT_EQUAL(ask_for("GET /"), 503);
    CU_ASSERT_STRING_EQUAL(body(), "503 Service Unavailable\n");
}

static void test_answer_after_the_limit_may_wait(void)
{
    on_both_rings(build_long, ask_for_long);
}

const struct test http_app_tests[] = {
    TEST(test_paths_lead_through_mounts),
    TEST(test_prefix_may_be_as_long_as_a_path),
    TEST(test_mounts_that_make_no_sense_are_refused),
    TEST(test_middleware_is_around_all_that_is_answered),
    TEST(test_each_step_runs_once_and_returns_what_it_did),
    TEST(test_fields_of_middleware_are_on_every_answer),
    TEST(test_middleware_sees_the_request_as_its_handler_will),
    TEST(test_limits_are_inherited),
    TEST(test_limits_that_make_no_sense_are_refused),
    TEST(test_bodies_have_the_limit_of_their_route),
    TEST(test_bodies_have_the_time_limit_of_their_route),
    TEST(test_handlers_have_a_time_limit),
    TEST(test_answer_after_the_limit_may_wait),
    TEST_END,
};
