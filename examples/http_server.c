/* SPDX-License-Identifier: MIT */
/*
 * http_server.c - an HTTP server whose handlers sleep without holding up each other
 *
 * Shows: routes with a parameter, handlers written as plain blocking code (each waits half
 * a second, thousands of them at once in one thread), and an end without loose ends.
 *
 * Run:    build/examples/http_server [--listen ADDR:PORT] [--delay SECONDS]
 *         curl http://127.0.0.1:8000/hello/world
 * Prints: Server started at http://127.0.0.1:8000...
 *         and to curl <h1>hello, world!</h1>. Ctrl-C lets running requests finish, then ends it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"
#include "ouro_proto.h"

#define HTML "text/html; charset=utf-8"

struct settings {
    struct ouro_address address;
    int64_t delay_ns;
};

/* Stands for whatever a handler has to wait for. */
static int work(const struct settings *settings)
{
    return settings->delay_ns ? ouro_sleep(settings->delay_ns) : 0;
}

static int index_page(struct ouro_http_exchange *exchange, void *arg)
{
    int code = work(arg);

    return code ? code : ouro_http_replyf(exchange, 200, HTML, "<h1>Index</h1>");
}

static int hello_page(struct ouro_http_exchange *exchange, void *arg)
{
    const char *name = ouro_html_escape(exchange, ouro_http_parameter(exchange, "name"));
    int code = name ? work(arg) : -ENOMEM;

    return code ? code : ouro_http_replyf(exchange, 200, HTML, "<h1>hello, %s!</h1>", name);
}

/* Says where, which is news when the port was 0, and serves until cancelled. */
static int serve(struct ouro_http_app *app, int listener)
{
    char text[OURO_ADDRESS_TEXT_MAX];
    struct ouro_address address;
    int code = ouro_getsockname(listener, &address);

    if (code)
        return code;
    printf("Server started at http://%s...\n", ouro_address_format(&address, text));
    (void) fflush(stdout);
    return ouro_http_serve(app, listener, NULL);
}

static int run_app(struct ouro_http_app *app, struct settings *settings)
{
    int listener, code = ouro_http_route(app, "GET", "/", index_page, settings);

    if (!code)
        code = ouro_http_route(app, "GET", "/hello/{name}", hello_page, settings);
    if (code)
        return code;
    listener = ouro_listen(&settings->address, 0);
    if (listener < 0)
        return listener;
    code = serve(app, listener);
    (void) ouro_close(listener);
    return code;
}

static int main_task(void *arg)
{
    struct settings *settings = arg;
    char text[OURO_ADDRESS_TEXT_MAX];
    struct ouro_http_app *app;
    int code = ouro_http_app_create(&app);

    if (!code) {
        code = run_app(app, settings);
        ouro_http_app_destroy(app);
    }
    if (code == -ECANCELED) /* SIGINT or SIGTERM, as it should be */
        return 0;
    fprintf(stderr, "http_server: %s: %s\n", ouro_address_format(&settings->address, text),
            ouro_strerror(code));
    return 1;
}

static int parse_delay(const char *text, int64_t *ret_ns)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds >= 0 && seconds <= 86400))
        return -EINVAL;
    *ret_ns = (int64_t) (seconds * (double) OURO_SECOND);
    return 0;
}

int main(int argc, char **argv)
{
    struct settings settings = {.delay_ns = OURO_SECOND / 2};
    int code = ouro_address_parse("127.0.0.1:8000", -1, &settings.address);

    for (int i = 1; i < argc && !code; i += 2) {
        if (i + 1 == argc)
            code = -EINVAL;
        else if (strcmp(argv[i], "--listen") == 0)
            code = ouro_address_parse(argv[i + 1], -1, &settings.address);
        else if (strcmp(argv[i], "--delay") == 0)
            code = parse_delay(argv[i + 1], &settings.delay_ns);
        else
            code = -EINVAL;
    }
    if (code) {
        fprintf(stderr, "usage: http_server [--listen ADDR:PORT] [--delay SECONDS]\n");
        return 2;
    }
    return ouro_run(main_task, &settings, NULL) ? 1 : 0;
}
