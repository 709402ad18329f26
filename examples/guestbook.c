/* SPDX-License-Identifier: MIT */
/*
 * guestbook.c - a small web application: forms, cookies, JSON, uploads, live events
 *
 * Shows: what an application does with requests and answers. A form is read, answered by a
 * redirect, and remembered in a cookie; entries are JSON, compressed where the browser takes it;
 * open pages hear of new entries by server-sent events, each in a handler that just waits; an
 * upload is counted as it streams in; middleware logs each request.
 *
 * Run:    build/examples/guestbook [--listen ADDR:PORT], then open http://127.0.0.1:8000/
 *         curl --data-binary Hello! 'http://127.0.0.1:8000/entries?name=curl'
 * Prints: Guestbook at http://127.0.0.1:8000...
 *         and on stderr a line for each request: POST /sign 303. Ctrl-C ends it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"
#include "ouro_proto.h"

#define ENTRIES_MAX 1000 /* the oldest goes when there are more */
#define AUTHOR_MAX  40
#define TEXT_MAX    280

/* As JSON already: escaped once, when it comes, and not for each reader. */
struct entry {
    char json[64 + 6 * (AUTHOR_MAX + TEXT_MAX)];
};

struct guestbook {
    struct entry entries[ENTRIES_MAX];
    size_t count; /* of all that ever were; entry i is in entries[i % ENTRIES_MAX] */
    struct ouro_event news;
};

static const char page[] =
    "<!doctype html><title>Guestbook</title><h1>Guestbook</h1>\n"
    "<form method=post action=/sign><input name=name value=\"%s\" placeholder=Name>\n"
    "<input name=text placeholder=Text><button>Sign</button></form>\n"
    "<p id=live>live: no</p><ul id=entries></ul>\n"
    "<script>\n"
    "function show(e) { let li = document.createElement('li');\n"
    "    li.textContent = e.name + ': ' + e.text; entries.prepend(li); }\n"
    "fetch('/entries').then(r => r.json()).then(all => all.forEach(show));\n"
    "let source = new EventSource('/events');\n"
    "source.onopen = () => live.textContent = 'live: yes';\n"
    "source.addEventListener('entry', e => show(JSON.parse(e.data)));\n"
    "</script>\n";

/* --- pages ------------------------------------------------------------------------------- */

static int index_page(struct ouro_http_exchange *exchange, void *arg)
{
    const char *name = ouro_http_cookie(exchange, "name");

    (void) arg;
    return ouro_http_replyf(exchange, 200, "text/html; charset=utf-8", page,
                            name ? ouro_html_escape(exchange, name) : "");
}

/* A name that a cookie can't carry is not remembered. */
static int remember(struct ouro_http_exchange *exchange, const char *name)
{
    struct ouro_http_cookie cookie = {.name = "name",
                                      .value = name,
                                      .path = "/",
                                      .http_only = true,
                                      .same_site = OURO_HTTP_SAME_SITE_LAX};
    int code = ouro_http_set_cookie(exchange, &cookie);

    return code == -EINVAL ? 0 : code;
}

static int add_entry(struct ouro_http_exchange *exchange, struct guestbook *book, const char *name,
                     const char *text)
{
    struct entry *entry = &book->entries[book->count % ENTRIES_MAX];
    const char *name_json = ouro_json_escape(exchange, name);
    const char *text_json = ouro_json_escape(exchange, text);

    if (!name_json || !text_json)
        return -ENOMEM;
    (void) snprintf(entry->json, sizeof(entry->json), "{\"name\": \"%s\", \"text\": \"%s\"}",
                    name_json, text_json);
    book->count++;
    ouro_event_set(&book->news); /* wakes all that wait now */
    ouro_event_clear(&book->news);
    return 0;
}

static bool is_fit(const char *name, const char *text)
{
    return name && *name && strlen(name) <= AUTHOR_MAX && text && strlen(text) <= TEXT_MAX;
}

static int say_what_fits(struct ouro_http_exchange *exchange)
{
    return ouro_http_replyf(exchange, 422, "text/plain", "A name and a short text, please.\n");
}

static int sign(struct ouro_http_exchange *exchange, void *arg)
{
    const char *name, *text;
    int code = ouro_http_read_form(exchange);

    if (code)
        return code; /* answered with 415, 400, 413: whatever it deserves */
    name = ouro_http_form_value(exchange, "name");
    text = ouro_http_form_value(exchange, "text");
    if (!is_fit(name, text))
        return say_what_fits(exchange);
    code = add_entry(exchange, arg, name, text);
    if (!code)
        code = remember(exchange, name);
    return code ? code : ouro_http_redirect(exchange, 303, "/entries");
}

/* The same for programs: the text is the body as it is. */
static int post_entry(struct ouro_http_exchange *exchange, void *arg)
{
    const struct guestbook *book = arg;
    const char *name = ouro_http_query_value(exchange, "name");
    const char *text;
    size_t len;
    int code = ouro_http_read_all(exchange, &text, &len);

    if (code)
        return code; /* 413 beyond body_bytes_max */
    if (!is_fit(name, text) || strlen(text) != len)
        return say_what_fits(exchange);
    code = add_entry(exchange, arg, name, text);
    if (code)
        return code;
    return ouro_http_reply_json(exchange, 201, book->entries[(book->count - 1) % ENTRIES_MAX].json);
}

/* --- entries, once and live -------------------------------------------------------------- */

static size_t oldest(const struct guestbook *book)
{
    return book->count > ENTRIES_MAX ? book->count - ENTRIES_MAX : 0;
}

static int list_entries(struct ouro_http_exchange *exchange, void *arg)
{
    const struct guestbook *book = arg;
    int code = ouro_http_reply_begin(exchange, 200, "application/json", -1);

    if (!code)
        code = ouro_http_write(exchange, "[", 1);
    for (size_t i = oldest(book); i < book->count && !code; i++)
        code = ouro_http_writef(exchange, "%s\n%s", i == oldest(book) ? "" : ",",
                                book->entries[i % ENTRIES_MAX].json);
    return code ? code : ouro_http_write(exchange, "]\n", 2);
}

static int send_event(struct ouro_http_exchange *exchange, const struct guestbook *book,
                      size_t index)
{
    char id[32];
    struct ouro_http_event event = {
        .name = "entry", .id = id, .data = book->entries[index % ENTRIES_MAX].json};

    (void) snprintf(id, sizeof(id), "%zu", index + 1);
    return ouro_http_event_send(exchange, &event);
}

/* Now and then a comment, which nobody sees, finds out whether the browser is still there. */
static int await_news(struct ouro_http_exchange *exchange, struct guestbook *book)
{
    static const struct ouro_http_event nothing = {.comment = "nothing new"};
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin(&limit, 15 * OURO_SECOND);
    code = ouro_event_wait(&book->news);
    return ouro_timeout_end(&limit) ? ouro_http_event_send(exchange, &nothing) : code;
}

/* A browser that was cut off says what it has heard last, and gets what it has missed. */
static int stream_events(struct ouro_http_exchange *exchange, void *arg)
{
    struct guestbook *book = arg;
    const char *last = ouro_http_header(exchange, "Last-Event-ID");
    size_t next = last ? strtoul(last, NULL, 10) : book->count;
    int code = ouro_http_events_begin(exchange);

    while (!code) {
        if (next < oldest(book) || next > book->count)
            next = oldest(book);
        if (next < book->count)
            code = send_event(exchange, book, next++);
        else
            code = await_news(exchange, book);
    }
    return code;
}

/* --- uploads ----------------------------------------------------------------------------- */

static int count_part(struct ouro_http_exchange *exchange, uint64_t *bytes)
{
    char buf[16 * 1024];
    ssize_t len;

    while ((len = ouro_http_part_read(exchange, buf, sizeof(buf))) > 0)
        *bytes += (uint64_t) len;
    return (int) len;
}

static int upload(struct ouro_http_exchange *exchange, void *arg)
{
    struct ouro_http_part part;
    uint64_t bytes = 0;
    unsigned files = 0;
    int code;

    (void) arg;
    while ((code = ouro_http_part_next(exchange, &part)) > 0) {
        if (!part.filename)
            continue;
        files++;
        code = count_part(exchange, &bytes);
        if (code)
            return code;
    }
    if (code)
        return code;
    return ouro_http_replyf(exchange, 200, "application/json",
                            "{\"files\": %u, \"bytes\": %" PRIu64 "}\n", files, bytes);
}

/* --- the application --------------------------------------------------------------------- */

static int log_request(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_next(exchange);

    (void) arg;
    fprintf(stderr, "%s %s %d\n", ouro_http_method(exchange), ouro_http_path(exchange),
            ouro_http_status(exchange));
    return code;
}

static int add_routes(struct ouro_http_app *app, struct guestbook *book)
{
    static const struct ouro_http_route_options compressed = {.gzip = OURO_HTTP_GZIP_ON};
    static const struct ouro_http_route_options large = {.body_bytes_max = 1 << 30};
    static const struct ouro_http_route_options small = {.body_bytes_max = TEXT_MAX};
    int code = ouro_http_use(app, log_request, NULL);

    if (!code)
        code = ouro_http_route(app, "GET", "/", index_page, book);
    if (!code)
        code = ouro_http_route(app, "POST", "/sign", sign, book);
    if (!code)
        code = ouro_http_route_with(app, "GET", "/entries", list_entries, book, &compressed);
    if (!code)
        code = ouro_http_route_with(app, "POST", "/entries", post_entry, book, &small);
    if (!code)
        code = ouro_http_route(app, "GET", "/events", stream_events, book);
    if (!code)
        code = ouro_http_route_with(app, "POST", "/upload", upload, NULL, &large);
    return code;
}

struct settings {
    struct ouro_address address;
    struct guestbook book;
};

static int serve(struct ouro_http_app *app, struct settings *settings)
{
    char text[OURO_ADDRESS_TEXT_MAX];
    struct ouro_address address;
    int listener = ouro_listen(&settings->address, 0);
    int code = listener < 0 ? listener : ouro_getsockname(listener, &address);

    if (!code) {
        printf("Guestbook at http://%s...\n", ouro_address_format(&address, text));
        (void) fflush(stdout);
        code = ouro_http_serve(app, listener, NULL);
    }
    if (listener >= 0)
        (void) ouro_close(listener);
    return code;
}

static int main_task(void *arg)
{
    struct settings *settings = arg;
    struct ouro_http_app *app;
    int code = ouro_http_app_create(&app);

    if (code)
        return code;
    ouro_event_init(&settings->book.news);
    code = add_routes(app, &settings->book);
    if (!code)
        code = serve(app, settings);
    ouro_http_app_destroy(app);
    return code;
}

int main(int argc, char **argv)
{
    static struct settings settings;
    const char *address =
        argc == 3 && strcmp(argv[1], "--listen") == 0 ? argv[2] : "127.0.0.1:8000";
    int code;

    if ((argc != 1 && argc != 3) || ouro_address_parse(address, -1, &settings.address)) {
        fprintf(stderr, "usage: guestbook [--listen ADDR:PORT]\n");
        return 2;
    }
    code = ouro_run(main_task, &settings, NULL);
    if (code != -ECANCELED) /* that is Ctrl-C */
        fprintf(stderr, "guestbook: %s: %s\n", address, ouro_strerror(code));
    return code != -ECANCELED;
}
