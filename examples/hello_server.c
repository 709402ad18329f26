/* SPDX-License-Identifier: MIT */
/*
 * hello_server.c - an HTTP server on one screen
 *
 * Shows: a route with a parameter, a handler that waits without holding up anybody.
 * Run:    build/examples/hello_server, then curl http://127.0.0.1:8000/hello/world
 * Prints: Server started at http://127.0.0.1:8000...
 *         and to curl <h1>hello, world!</h1>. Ctrl-C ends it.
 */
#include <errno.h>
#include <stdio.h>

#include "ouro.h"
#include "ouro_proto.h"

static int hello_page(struct ouro_http_exchange *exchange, void *arg)
{
    const char *name = ouro_html_escape(exchange, ouro_http_parameter(exchange, "name"));
    int code = name ? ouro_sleep(OURO_SECOND / 2) : -ENOMEM; /* stands for any kind of waiting */

    (void) arg;
    return code ? code : ouro_http_replyf(exchange, 200, "text/html", "<h1>hello, %s!</h1>", name);
}

static int serve(struct ouro_http_app *app)
{
    struct ouro_address address;
    int listener, code = ouro_http_route(app, "GET", "/hello/{name}", hello_page, NULL);

    if (!code)
        code = ouro_address_parse("127.0.0.1:8000", -1, &address);
    listener = code ? code : ouro_listen(&address, 0);
    if (listener < 0)
        return listener;
    puts("Server started at http://127.0.0.1:8000...");
    (void) fflush(stdout);
    code = ouro_http_serve(app, listener, NULL);
    (void) ouro_close(listener);
    return code;
}

static int main_task(void *arg)
{
    struct ouro_http_app *app;
    int code = ouro_http_app_create(&app);

    (void) arg;
    if (code)
        return code;
    code = serve(app);
    ouro_http_app_destroy(app);
    return code;
}

int main(void)
{
    int code = ouro_run(main_task, NULL, NULL);

    if (code != -ECANCELED) /* that is Ctrl-C */
        fprintf(stderr, "hello_server: %s\n", ouro_strerror(code));
    return code != -ECANCELED;
}
