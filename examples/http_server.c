/* SPDX-License-Identifier: MIT */
/*
 * http_server.c - an HTTP server whose handlers sleep without holding up each other
 *
 * Shows: routes with a parameter, handlers written as plain blocking code (each waits half
 * a second, thousands of them at once in one thread), a body that streams back while it is still
 * coming, and an end without loose ends.
 *
 * Run:    build/examples/http_server [--listen ADDR:PORT] [--delay SECONDS]
 *         curl http://127.0.0.1:8000/hello/world
 *         curl --data-binary @FILE http://127.0.0.1:8000/echo
 * Prints: Server started at http://127.0.0.1:8000...
 *         and to curl <h1>hello, world!</h1>, and the file. Ctrl-C lets running requests finish,
 *         then ends it.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"
#include "ouro_proto.h"

#define HTML "text/html; charset=utf-8"

static const char usage[] =
    "usage: http_server [--listen ADDR:PORT] [--delay SECONDS]\n"
    "\n"
    "  GET  /             <h1>Index</h1>\n"
    "  GET  /hello/NAME   <h1>hello, NAME!</h1>\n"
    "  POST /echo         the body of the request\n"
    "\n"
    "  --listen ADDR:PORT   where to listen; 127.0.0.1:8000\n"
    "  --delay SECONDS      how long each GET waits before it is answered; 0.5\n"
    "  --help, --version    say so, and end\n";

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

/* Memory for one piece, however long the body is: a client that does not read is not read from. */
static int echo(struct ouro_http_exchange *exchange, void *arg)
{
    const char *type = ouro_http_header(exchange, "Content-Type");
    char piece[16 * 1024];
    ssize_t len;
    int code;

    (void) arg;
    code = ouro_http_reply_begin(exchange, 200, type ? type : "application/octet-stream", -1);
    while (!code && (len = ouro_http_read(exchange, piece, sizeof(piece))) != 0)
        code = len < 0 ? (int) len : ouro_http_write(exchange, piece, (size_t) len);
    return code;
}

static int add_routes(struct ouro_http_app *app, struct settings *settings)
{
    static const struct ouro_http_route_options any_length = {.body_bytes_max = UINT64_MAX};
    int code = ouro_http_route(app, "GET", "/", index_page, settings);

    if (!code)
        code = ouro_http_route(app, "GET", "/hello/{name}", hello_page, settings);
    if (!code)
        code = ouro_http_route_with(app, "POST", "/echo", echo, NULL, &any_length);
    return code;
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
    int listener, code = add_routes(app, settings);

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

static void parse_options(int argc, char **argv, struct settings *settings)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"delay", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    int option, code = 0;

    while (!code && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            code = ouro_address_parse(optarg, -1, &settings->address);
            break;
        case 'd':
            code = parse_delay(optarg, &settings->delay_ns);
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        case 'v':
            puts("http_server (ouro " OURO_VERSION ")");
            exit(0);
        default:
            code = -EINVAL;
        }
    }
    if (code || optind < argc) {
        fputs(usage, stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct settings settings = {.delay_ns = OURO_SECOND / 2};

    (void) ouro_address_parse("127.0.0.1:8000", -1, &settings.address);
    parse_options(argc, argv, &settings);
    return ouro_run(main_task, &settings, NULL) ? 1 : 0;
}
