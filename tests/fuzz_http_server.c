/* SPDX-License-Identifier: MIT */
/*
 * fuzz_http_server.c - libFuzzer's way into the whole HTTP server, on the simulated ring
 *
 * The input is what a client does: the first byte says how it ends and how it reads, the second
 * how many cuts there are, then come the places of the cuts, and the rest are the bytes that it
 * sends, piece by piece, each when the server has had time for the one before. One loop and one
 * server serve all inputs; time is virtual.
 *
 * Beside what sanitizers see, it is checked that what the server says is a sequence of whole
 * answers, the last one cut off at most where that may be, and that the server goes on to serve.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http1_parse.h"
#include "ouro.h"
#include "ouro_http_server.h"
#include "ouro_stream.h"

#include "fuzz.h"

#define CUTS_MAX 32
#define OUT_MAX  (1 << 18)

/* Ends the process: the input is then a finding. */
static void demand(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz_http_server: %s\n", what);
    abort();
}

/* --- the application: a bit of everything ------------------------------------------------- */

/* Tells the client's checker what it needs: whether the answer has a body. */
static int tell_method(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_add_header(exchange, "X-Method", ouro_http_method(exchange));

    (void) arg;
    return code ? code : ouro_http_next(exchange);
}

static int hello(struct ouro_http_exchange *exchange, void *arg)
{
    const char *name = ouro_html_escape(exchange, ouro_http_parameter(exchange, "name"));
    const char *cookie = ouro_http_cookie(exchange, "a");
    const char *value = ouro_http_query_value(exchange, "q");

    (void) arg;
    return ouro_http_replyf(exchange, 200, "text/html", "%s %s %s", name, cookie ? cookie : "",
                            value ? value : "");
}

static int echo(struct ouro_http_exchange *exchange, void *arg)
{
    char buf[100];
    ssize_t len;
    int code = ouro_http_reply_begin(exchange, 200, "text/plain", -1);

    (void) arg;
    while (!code && (len = ouro_http_read(exchange, buf, sizeof(buf))) != 0)
        code = len < 0 ? (int) len : ouro_http_write(exchange, buf, (size_t) len);
    return code;
}

static int mirror(struct ouro_http_exchange *exchange, void *arg)
{
    const char *data, *name, *value;
    size_t len;
    int code = ouro_http_read_all(exchange, &data, &len);

    (void) arg;
    for (size_t i = 0; !code && ouro_http_trailer_at(exchange, i, &name, &value); i++)
        demand(ouro_http_add_header(exchange, "X-Trailer", value) == 0,
               "a trailer that no field may be");
    return code ? code : ouro_http_reply(exchange, 200, "text/plain", data, len);
}

static int form(struct ouro_http_exchange *exchange, void *arg)
{
    const char *name, *value;
    size_t len = 0;
    int code = ouro_http_read_form(exchange);

    (void) arg;
    for (size_t i = 0; !code && ouro_http_form_at(exchange, i, &name, &value); i++)
        len += strlen(name) + strlen(value);
    return code ? code : ouro_http_replyf(exchange, 200, NULL, "%zu", len);
}

static int parts(struct ouro_http_exchange *exchange, void *arg)
{
    struct ouro_http_part part;
    char buf[50];
    size_t total = 0;
    ssize_t len = 0;
    int code;

    (void) arg;
    while ((code = ouro_http_part_next(exchange, &part)) > 0) {
        total += strlen(part.name) + (part.filename ? strlen(part.filename) : 0);
        if (total % 3 == 0)
            continue;
        while ((len = ouro_http_part_read(exchange, buf, sizeof(buf))) > 0)
            total += (size_t) len;
    }
    return code ? code : ouro_http_replyf(exchange, 200, NULL, "%zu", total);
}

static int sleep_and_ignore(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_sleep(OURO_SECOND);

    (void) arg;
    return code ? code : ouro_http_reply(exchange, 200, NULL, "late", 4);
}

/* With a limit of its own: a client that waits as well would be a deadlock, and be reported. */
static int shout(struct ouro_http_exchange *exchange, void *arg)
{
    struct ouro_stream *stream;
    struct ouro_timeout limit;
    char buf[64];

    (void) arg;
    if (ouro_http_upgrade_take(exchange, "shout", &stream))
        return 0;
    ouro_timeout_begin(&limit, 10 * OURO_SECOND);
    (void) ouro_stream_read(stream, buf, sizeof(buf));
    (void) ouro_timeout_end(&limit);
    (void) ouro_stream_write_all(stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
    (void) ouro_stream_close(stream);
    return 0;
}

static int fail_half_way(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    (void) ouro_http_reply_begin(exchange, 200, NULL, 10);
    return ouro_http_write(exchange, "half", 4) ? -EPIPE : -EIO;
}

static struct ouro_http_app *create_app(void)
{
    static const struct ouro_http_route_options compressed = {.gzip = OURO_HTTP_GZIP_ON};
    struct ouro_http_app *app, *sub;
    int code = ouro_http_app_create(&app) | ouro_http_app_create(&sub);

    code |= ouro_http_use(app, tell_method, NULL);
    code |= ouro_http_route(app, "GET", "/h/{name}", hello, NULL);
    code |= ouro_http_route_with(app, "GET", "/z/{name...}", hello, NULL, &compressed);
    code |= ouro_http_route_with(app, "POST", "/e", echo, NULL, &compressed);
    code |= ouro_http_route(app, "POST", "/m", mirror, NULL);
    code |= ouro_http_route(app, "POST", "/f", form, NULL);
    code |= ouro_http_route(app, "POST", "/p", parts, NULL);
    code |= ouro_http_route(app, "GET", "/s", sleep_and_ignore, NULL);
    code |= ouro_http_route(app, "POST", "/s", sleep_and_ignore, NULL);
    code |= ouro_http_route(app, "GET", "/u", shout, NULL);
    code |= ouro_http_route(app, "GET", "/x", fail_half_way, NULL);
    code |= ouro_http_route(sub, "GET", "/{name}", hello, NULL);
    code |= ouro_http_mount_take(app, "/sub", sub);
    demand(code == 0, "the application can't be made");
    return app;
}

/* --- one client --------------------------------------------------------------------------- */

static struct {
    struct ouro_loop *loop;
    struct ouro_http_app *app; /* here, where the leak sanitizer sees it */
    struct ouro_address address;
    struct ouro_event work;
    bool is_done;
    bool stop;

    const uint8_t *data;
    size_t size;
    char out[OUT_MAX]; /* what the server has said */
    size_t out_len;
    int out_code;     /* how that ended */
    bool was_refused; /* what the client still had to say: a reset is told only once */
} fuzz;

enum end { END_BY_SHUTDOWN, END_BY_WAITING, END_BY_CLOSING, END_BY_RESET };

static void read_answers(int fd, bool slowly)
{
    ssize_t len = 1;

    while (len > 0 && fuzz.out_len < OUT_MAX) {
        size_t room = slowly ? 7 : OUT_MAX - fuzz.out_len;

        if (room > OUT_MAX - fuzz.out_len)
            room = OUT_MAX - fuzz.out_len;
        len = ouro_recv(fd, fuzz.out + fuzz.out_len, room, 0);
        fuzz.out_len += len > 0 ? (size_t) len : 0;
        if (slowly)
            (void) ouro_sleep(OURO_MICROSECOND);
    }
    fuzz.out_code = (int) len;
}

static int hear(void *arg)
{
    read_answers(*(int *) arg & 0xffffff, *(int *) arg >> 24);
    return 0;
}

/* Sends the pieces; `cuts` are places in the bytes. */
static int send_pieces(int fd, const uint8_t *cuts, size_t cut_count, const char *bytes, size_t len)
{
    size_t done = 0;
    int code = 0;

    for (size_t i = 0; i <= cut_count && !code && done < len; i++) {
        size_t piece = i < cut_count ? (size_t) cuts[i] : len - done;

        if (piece > len - done)
            piece = len - done;
        if (piece)
            code = ouro_send_all(fd, bytes + done, piece, NULL);
        done += piece;
        if (!code) /* a nanosecond is enough for the server to do all it can */
            code = ouro_sleep(piece % 16 == 15 ? 2 * OURO_SECOND : 1);
    }
    return code;
}

static int end_connection(int fd, enum end end)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    if (end == END_BY_RESET)
        (void) ouro_setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    return end == END_BY_SHUTDOWN ? ouro_shutdown(fd, SHUT_WR) : 0;
}

static int open_connection(void)
{
    int fd = ouro_socket(AF_INET, SOCK_STREAM, 0);

    demand(fd >= 0 && ouro_connect(fd, &fuzz.address.sockaddr, fuzz.address.len) == 0,
           "the server takes no connections");
    return fd;
}

static void be_client(void)
{
    enum end end = fuzz.data[0] & 3;
    size_t cut_count = fuzz.data[1] % (CUTS_MAX + 1);
    int fd = open_connection();
    int reader_arg = fd | (fuzz.data[0] & 4 ? 1 << 24 : 0);
    ouro_task_id reader;

    fuzz.out_len = 0;
    if (cut_count > fuzz.size - 2)
        cut_count = fuzz.size - 2;
    reader = ouro_spawn(hear, &reader_arg);
    fuzz.was_refused =
        send_pieces(fd, fuzz.data + 2, cut_count, (const char *) fuzz.data + 2 + cut_count,
                    fuzz.size - 2 - cut_count) != 0;
    fuzz.was_refused |= end_connection(fd, end) != 0;
    if (end == END_BY_CLOSING || end == END_BY_RESET)
        (void) ouro_cancel_join(reader, NULL);
    else
        demand(ouro_join(reader, NULL) == 0, "the reader can't be joined");
    (void) ouro_close(fd);
    /* Whatever the server still does with this connection comes to its end. */
    (void) ouro_sleep(300 * OURO_SECOND);
}

/* --- what it has heard -------------------------------------------------------------------- */

static bool has_no_body(const struct http1_head *head)
{
    const struct http1_field *method = ouro__http1_head_find(head, "x-method", 0);

    return method && strcmp(method->value, "HEAD") == 0;
}

/* Answers by the server itself, before there is a handler, don't tell the method. */
static bool may_lack_body(const struct http1_head *head)
{
    return head->status >= 400 && !ouro__http1_head_find(head, "x-method", 0);
}

/*
 * Reads one answer. Returns how long it is, 0 for one that is cut off. The method is known only
 * when the head is: then it may have to be read again, as one without a body.
 */
static size_t read_answer(const char *data, size_t len, bool without_body, struct http1_head *head)
{
    static char text[65536];
    static struct http1_field fields[200];
    const struct http1_memory memory = {.text = text,
                                        .text_size = sizeof(text),
                                        .line_max = sizeof(text),
                                        .fields = fields,
                                        .field_max = 200};
    struct http1_parser parser;
    size_t done = 0, used;
    int event = HTTP1_HEAD;

    memset(&parser, 0, sizeof(parser));
    ouro__http1_parse_init(&parser, HTTP1_RESPONSE, &memory);
    if (without_body)
        ouro__http1_parse_expect_no_body(&parser);
    while (event != HTTP1_END) {
        event = ouro__http1_parse_feed(&parser, data + done, len - done, &used);
        demand(event >= 0, "the server has said what is no answer");
        done += used;
        if (event == HTTP1_HEAD) {
            *head = parser.head;
            if (!without_body && has_no_body(head))
                return read_answer(data, len, true, head);
        }
        if (event == HTTP1_MORE && done == len) {
            event = ouro__http1_parse_eof(&parser);
            if (event == HTTP1_MORE || event < 0)
                return 0;
        }
    }
    return done;
}

/* Each answer is whole; only the last one may be cut off, by a reset or by the client's leaving. */
static void check_answers(void)
{
    const char *at = fuzz.out;
    size_t left = fuzz.out_len, len;
    struct http1_head head;
    bool is_closed = false;

    while (left) {
        demand(!is_closed, "the server has said more after its last word");
        len = read_answer(at, left, false, &head);
        if (!len && fuzz.out_code == 0 && !fuzz.was_refused && fuzz.data[0] % 4 < END_BY_CLOSING)
            demand(may_lack_body(&head), "a cut-off answer looks complete");
        if (!len)
            return;
        demand(head.status >= 100 && head.status < 600, "no status that we know");
        if (head.status == 101)
            return;
        is_closed = head.status >= 200 && !head.keep_alive;
        at += len;
        left -= len;
    }
}

/* --- the loop ----------------------------------------------------------------------------- */

static int serve(void *arg)
{
    static const struct ouro_http_serve_options options = {.header_bytes_max = 1024,
                                                           .line_bytes_max = 256,
                                                           .header_count_max = 20,
                                                           .body_bytes_max = 4096};
    int code;

    fuzz.app = create_app();
    code = ouro_http_serve(fuzz.app, *(int *) arg, &options);
    ouro_http_app_destroy(fuzz.app);
    return code;
}

static int main_task(void *arg)
{
    ouro_task_id server;
    int listener;

    (void) arg;
    (void) ouro_address_parse("127.0.0.1:80", -1, &fuzz.address);
    listener = ouro_listen(&fuzz.address, 0);
    demand(listener >= 0, "can't listen");
    server = ouro_spawn(serve, &listener);
    while (!fuzz.stop) {
        if (ouro_event_wait(&fuzz.work))
            break;
        ouro_event_clear(&fuzz.work);
        if (!fuzz.stop)
            be_client();
        fuzz.is_done = true;
    }
    (void) ouro_cancel_join(server, NULL);
    return ouro_close(listener);
}

static void finish(void)
{
    fuzz.stop = true;
    ouro_event_set(&fuzz.work);
    (void) ouro_loop_destroy(fuzz.loop);
}

static void begin(void)
{
    static const struct ouro_run_options options = {.ring = "sim:seed=1", .keep_signals = true};

    ouro_event_init(&fuzz.work);
    demand(ouro_loop_create(main_task, NULL, &options, &fuzz.loop) == 0, "no loop");
    atexit(finish);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    if (!fuzz.loop)
        begin();
    fuzz.data = data;
    fuzz.size = size;
    fuzz.is_done = false;
    ouro_event_set(&fuzz.work);
    while (!fuzz.is_done)
        demand(ouro_loop_turn(fuzz.loop, OURO_FOREVER) == 1, "the loop has ended");
    check_answers();
    return 0;
}
