/* SPDX-License-Identifier: MIT */
/*
 * http_request_test.c - tests of proto/http_form.c, http_multipart.c, http_events.c, http_gzip.c
 *
 * Handlers are asked without a socket, on the simulated ring. What the codecs below them
 * understand is in their own suites: here is what handlers get, and what clients are told.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "ouro.h"
#include "ouro_proto.h"

#include "http_heard.h"

#define LARGE 20000

static char said[4 * LARGE]; /* by the handler, about what it got */
static size_t said_len;

static void say(const char *text)
{
    size_t len = strlen(text);

    CU_ASSERT_FATAL(said_len + len < sizeof(said));
    memcpy(said + said_len, text, len + 1);
    said_len += len;
}

static void say_pair(const char *name, const char *value)
{
    say(name);
    say("=");
    say(value);
    say(";");
}

/* --- asking ------------------------------------------------------------------------------ */

static struct {
    ouro_http_handler_fn *handler;
    struct ouro_http_route_options route;
    struct ouro_http_ask request;
    ouro_http_error_page_fn *error_page;
} play;

static struct heard heard;

static int ask_task(void *arg)
{
    return hear(arg, &play.request, &heard);
}

/* Asks play.handler for play.request; the answer is in `play`. */
static void ask(void)
{
    struct ouro_run_options options = {.ring = test_sim_ring()};
    const char *method = play.request.method ? play.request.method : "GET";
    struct ouro_http_app *app;

    said_len = 0;
    said[0] = '\0';
    CU_ASSERT_EQUAL_FATAL(ouro_http_app_create(&app), 0);
    /* A method that no request can have is refused, at once. */
    CU_ASSERT_EQUAL(ouro_http_route_with(app, method, "/", play.handler, NULL, &play.route),
                    strcmp(method, "BREW") ? 0 : -EINVAL);
    ouro_http_app_set_error_page(app, play.error_page, said);
    CU_ASSERT_EQUAL(ouro_run(ask_task, app, &options), 0);
    ouro_http_app_destroy(app);
}

static void prepare(ouro_http_handler_fn *handler)
{
    memset(&play, 0, sizeof(play));
    play.handler = handler;
}

static void post(const char *type, const char *body)
{
    static struct ouro_http_field field;

    field = (struct ouro_http_field) {.name = "Content-Type", .value = type};
    play.request.method = "POST";
    play.request.headers = type ? &field : NULL;
    play.request.header_count = type ? 1 : 0;
    play.request.body = body;
    play.request.body_len = strlen(body);
    ask();
}

/* --- queries ----------------------------------------------------------------------------- */

static int tell_query(struct ouro_http_exchange *exchange, void *arg)
{
    const char *name, *value;
    int code = ouro_http_read_query(exchange);

    (void) arg;
    for (size_t i = 0; ouro_http_query_at(exchange, i, &name, &value); i++)
        say_pair(name, value);
    value = ouro_http_query_value(exchange, "a");
    say(value ? value : "none");
    return code ? code : ouro_http_reply(exchange, 204, NULL, NULL, 0);
}

static void test_queries_are_decoded(void)
{
    static char long_query[4100] = "/?";
    static const struct {
        const char *target;
        int status;
        const char *expected;
    } rows[] = {
        {"/", 204, "none"},
        {"/?", 204, "none"},
        {"/?a", 204, "a=;"},
        {"/?a=1&b=2&a=3", 204, "a=1;b=2;a=3;1"},
        {"/?x+y=%C3%BC%26&&a=b%3Dc", 204, "x y=\xc3\xbc&;a=b=c;b=c"},
        {"/?A=1", 204, "A=1;none"},
        {"/?a=%zz", 400, "none"},
        {"/?a=%00", 400, "none"},
        {"/?a=%ff", 400, "none"},
        {long_query, 400, "none"},
    };

    memset(long_query + 2, '&', 1001);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        prepare(tell_query);
        play.request.target = rows[i].target;
        ask();
        CU_ASSERT_EQUAL(heard.status, rows[i].status);
        CU_ASSERT_STRING_EQUAL(said, rows[i].expected);
    }
}

/* --- cookies ----------------------------------------------------------------------------- */

static int tell_cookies(struct ouro_http_exchange *exchange, void *arg)
{
    static const char *const names[] = {"a", "b", "c", "none"};
    struct ouro_http_cookie cookie = {.name = "__Host-id", .value = "1", .path = "/"};

    (void) arg;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = ouro_http_cookie(exchange, names[i]);

        say_pair(names[i], value ? value : "?");
    }
    CU_ASSERT_EQUAL(ouro_http_set_cookie(exchange, &cookie), -EINVAL); /* it is not secure */
    cookie.secure = true;
    CU_ASSERT_EQUAL(ouro_http_set_cookie(exchange, &cookie), 0);
    cookie.name = "other";
    CU_ASSERT_EQUAL(ouro_http_set_cookie(exchange, &cookie), 0);
    return ouro_http_reply(exchange, 204, NULL, NULL, 0);
}

static void test_cookies_come_and_go(void)
{
    static const struct ouro_http_field fields[] = {
        {.name = "cookie", .value = "a=1; bad; b=\"2\""},
        {.name = "Cookie", .value = "a=3; c="},
    };

    prepare(tell_cookies);
    play.request.headers = fields;
    play.request.header_count = 2;
    ask();
    CU_ASSERT_STRING_EQUAL(said, "a=1;b=\"2\";c=;none=?;");
    CU_ASSERT_STRING_EQUAL(heard.fields, "Set-Cookie: __Host-id=1; Path=/; Secure|"
                                         "Set-Cookie: other=1; Path=/; Secure|");
}

/* --- forms ------------------------------------------------------------------------------- */

static int tell_form(struct ouro_http_exchange *exchange, void *arg)
{
    const char *name, *value, *again;
    int code = ouro_http_read_form(exchange);

    (void) arg;
    for (size_t i = 0; ouro_http_form_at(exchange, i, &name, &value); i++)
        say_pair(name, value);
    if (code)
        return code;
    value = ouro_http_form_value(exchange, "a");
    CU_ASSERT_EQUAL(ouro_http_read_form(exchange), 0);
    again = ouro_http_form_value(exchange, "a");
    CU_ASSERT(value == again);
    say(value ? value : "none");
    return ouro_http_reply(exchange, 204, NULL, NULL, 0);
}

static void test_forms_are_decoded(void)
{
    static const char form[] = "application/x-www-form-urlencoded";
    static const struct {
        const char *type, *body;
        int status;
        const char *expected;
    } rows[] = {
        {form, "a=1&b=x+y%26", 204, "a=1;b=x y&;1"},
        {"Application/X-WWW-Form-Urlencoded; charset=utf-8", "b=2", 204, "b=2;none"},
        {form, "a=%", 400, ""},
        {form, "a=%00", 400, ""},
        {"text/plain", "a=1", 415, ""},
        {NULL, "a=1", 415, ""},
        {"application/x-www-form-urlencodedx", "a=1", 415, ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        prepare(tell_form);
        post(rows[i].type, rows[i].body);
        CU_ASSERT_EQUAL(heard.status, rows[i].status);
        CU_ASSERT_STRING_EQUAL(said, rows[i].expected);
    }
    prepare(tell_form);
    play.route.body_bytes_max = 5;
    post(form, "a=1234");
    CU_ASSERT_EQUAL(heard.status, 413);
}

/* --- forms with files -------------------------------------------------------------------- */

static bool skip_parts; /* the second of two is read, the first is not */

static int tell_parts(struct ouro_http_exchange *exchange, void *arg)
{
    struct ouro_http_part part;
    char buf[8];
    ssize_t len = 0;
    int code, count = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_part_read(exchange, buf, 1), -EINVAL);
    while ((code = ouro_http_part_next(exchange, &part)) > 0) {
        say_pair(part.name, part.filename ? part.filename : "-");
        say_pair("type", part.content_type ? part.content_type : "-");
        if (skip_parts && count++ % 2 == 0)
            continue;
        while ((len = ouro_http_part_read(exchange, buf, sizeof(buf) - 1)) > 0) {
            buf[len] = '\0';
            say(buf);
        }
        CU_ASSERT_EQUAL(ouro_http_part_read(exchange, buf, 1), len);
        say("|");
    }
    if (code)
        return code;
    CU_ASSERT_EQUAL(ouro_http_part_next(exchange, &part), 0);
    return ouro_http_reply(exchange, 204, NULL, NULL, 0);
}

#define MULTIPART "multipart/form-data; boundary=xx"
#define PART(name, more, content) \
    "--xx\r\nContent-Disposition: form-data; name=" name more "\r\n\r\n" content "\r\n"

static void test_parts_of_a_form_come_one_by_one(void)
{
    static const struct {
        const char *type, *body;
        int status;
        const char *expected;
    } rows[] = {
        {MULTIPART,
         PART("a", "", "1") PART("f", "; filename=\"x y.txt\"\r\nContent-Type: text/x",
                                 "long enough") "--xx--\r\n",
         204, "a=-;type=-;1|f=x y.txt;type=text/x;long enough|"},
        {MULTIPART, PART("a", "", "") "--xx--", 204, "a=-;type=-;|"},
        {MULTIPART, PART("a", "", "1"), 400, "a=-;type=-;1|"}, /* without an end */
        {MULTIPART, "--xx\r\nX: y\r\n\r\n1\r\n--xx--", 400, ""},
        {MULTIPART, "", 400, ""},
        {"multipart/form-data", "--xx--", 415, ""},
        {"multipart/mixed; boundary=xx", "--xx--", 415, ""},
        {NULL, "--xx--", 415, ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        prepare(tell_parts);
        post(rows[i].type, rows[i].body);
        CU_ASSERT_EQUAL(heard.status, rows[i].status);
        CU_ASSERT_STRING_EQUAL(said, rows[i].expected);
    }
    skip_parts = true;
    prepare(tell_parts);
    post(MULTIPART, PART("a", "", "1") PART("b", "", "2") PART("c", "", "3") "--xx--");
    skip_parts = false;
    CU_ASSERT_EQUAL(heard.status, 204);
    CU_ASSERT_STRING_EQUAL(said, "a=-;type=-;b=-;type=-;2|c=-;type=-;");
}

static int count_bytes(struct ouro_http_exchange *exchange, void *arg)
{
    struct ouro_http_part part;
    char buf[1000];
    size_t total = 0;
    ssize_t len;
    int code;

    (void) arg;
    while ((code = ouro_http_part_next(exchange, &part)) > 0)
        while ((len = ouro_http_part_read(exchange, buf, sizeof(buf))) > 0)
            total += (size_t) len;
    return code ? code : ouro_http_replyf(exchange, 200, NULL, "%zu", total);
}

static void test_large_files_stream_through(void)
{
    static char body[LARGE + 300];
    size_t len = (size_t) sprintf(
        body, "%s", "--xx\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n");

    memset(body + len, '\r', LARGE); /* each of which might begin the delimiter */
    (void) sprintf(body + len + LARGE, "\r\n--xx--");
    prepare(count_bytes);
    post(MULTIPART, body);
    CU_ASSERT_EQUAL(heard.status, 200);
    CU_ASSERT_STRING_EQUAL(heard.body, "20000");
}

/* --- values ------------------------------------------------------------------------------ */

static int keep_values(struct ouro_http_exchange *exchange, void *arg)
{
    static char key, other;

    (void) arg;
    CU_ASSERT_PTR_NULL(ouro_http_value_get(exchange, &key));
    CU_ASSERT_EQUAL(ouro_http_value_set(exchange, &key, "first"), 0);
    CU_ASSERT_EQUAL(ouro_http_value_set(exchange, &other, "other"), 0);
    CU_ASSERT_EQUAL(ouro_http_value_set(exchange, &key, "second"), 0);
    CU_ASSERT_STRING_EQUAL(ouro_http_value_get(exchange, &key), "second");
    return ouro_http_reply(exchange, 204, NULL, NULL, 0);
}

static void test_values_are_kept_for_an_exchange(void)
{
    prepare(keep_values);
    ask();
    CU_ASSERT_EQUAL(heard.status, 204);
}

static int escape_texts(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_PTR_NULL(ouro_json_escape(exchange, NULL));
    return ouro_http_replyf(exchange, 200, NULL, "%s %s",
                            ouro_json_escape(exchange, "a\"\\\n</\xc3\xbc\xff\xc3"),
                            ouro_html_escape(exchange, "<a href='\"&"));
}

static void test_texts_are_escaped(void)
{
    prepare(escape_texts);
    ask();
    CU_ASSERT_STRING_EQUAL(
        heard.body, "a\\\"\\\\\\u000a\\u003c/\xc3\xbc\\ufffd\\ufffd &lt;a href=&#39;&quot;&amp;");
}

/* --- errors ------------------------------------------------------------------------------ */

static int fail_always(struct ouro_http_exchange *exchange, void *arg)
{
    (void) exchange;
    (void) arg;
    return -EIO;
}

static int tell_in_json(struct ouro_http_exchange *exchange, int status, void *arg)
{
    CU_ASSERT_PTR_EQUAL(arg, said);
    return ouro_http_replyf(exchange, status, "application/json", "{\"status\": %d}", status);
}

static int refuse_to_tell(struct ouro_http_exchange *exchange, int status, void *arg)
{
    (void) exchange;
    (void) status;
    (void) arg;
    return -EIO;
}

static void test_errors_have_the_pages_that_were_set(void)
{
    static const struct {
        const char *method, *target;
        ouro_http_error_page_fn *page;
        int status;
        const char *body;
    } rows[] = {
        {"GET", "/", tell_in_json, 500, "{\"status\": 500}"},
        {"GET", "/none", tell_in_json, 404, "{\"status\": 404}"},
        {"GET", "/%00", tell_in_json, 400, "{\"status\": 400}"},
        {"BREW", "/", tell_in_json, 501, "{\"status\": 501}"},
        {"GET", "/none", refuse_to_tell, 404, "404 Not Found\n"},
        {"GET", "/none", NULL, 404, "404 Not Found\n"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        prepare(fail_always);
        play.request.method = rows[i].method;
        play.request.target = rows[i].target;
        play.error_page = rows[i].page;
        ask();
        CU_ASSERT_EQUAL(heard.status, rows[i].status);
        CU_ASSERT_STRING_EQUAL(heard.body, rows[i].body);
    }
}

static int require_upgrade(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_http_add_header(exchange, "Upgrade", "shout"), 0);
    return ouro_http_reply(exchange, 426, NULL, NULL, 0);
}

/* RFC 9110 §15.5.22 and §7.8 */
static void test_answer_may_ask_for_an_upgrade(void)
{
    prepare(require_upgrade);
    ask();
    CU_ASSERT_EQUAL(heard.status, 426);
    CU_ASSERT_STRING_EQUAL(heard.fields, "Upgrade: shout|Content-Length: 0|Connection: upgrade|");
}

/* --- events ------------------------------------------------------------------------------ */

static int send_events(struct ouro_http_exchange *exchange, void *arg)
{
    static const struct ouro_http_event events[] = {
        {.data = "one line"},
        {.name = "news", .id = "7", .data = "two\nlines", .retry_ms = 1500},
        {.data = "a\r\nb\rc\n"},
        {.comment = "still here\nindeed"},
        {.data = ""},
    };
    static char text[3000];
    int code = ouro_http_events_begin(exchange);

    (void) arg;
    for (size_t i = 0; !code && i < sizeof(events) / sizeof(events[0]); i++)
        code = ouro_http_event_send(exchange, &events[i]);
    memset(text, 'x', sizeof(text) - 1);
    CU_ASSERT_EQUAL(ouro_http_event_send(exchange, &(struct ouro_http_event) {.name = "a\nb"}),
                    -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_event_send(exchange, &(struct ouro_http_event) {.id = "a\rb"}),
                    -EINVAL);
    return code ? code : ouro_http_event_send(exchange, &(struct ouro_http_event) {.data = text});
}

static void test_events_have_the_form_that_browsers_read(void)
{
    static const char expected[] = "data: one line\n\n"
                                   "id: 7\nevent: news\nretry: 1500\ndata: two\ndata: lines\n\n"
                                   "data: a\ndata: b\ndata: c\ndata: \n\n"
                                   ": still here\n: indeed\n\n"
                                   "data: \n\n"
                                   "data: xxx";

    prepare(send_events);
    ask();
    CU_ASSERT_STRING_EQUAL(heard.fields, "Content-Type: text/event-stream|Cache-Control: no-cache|"
                                         "Transfer-Encoding: chunked|");
    CU_ASSERT(!strncmp(heard.body, expected, strlen(expected)));
    CU_ASSERT_EQUAL(heard.body_len, strlen(expected) - 3 + 2999 + 2);
}

/* --- gzip -------------------------------------------------------------------------------- */

/* What the answer is when it is plain. */
static char original[LARGE];

static struct {
    const char *type;
    size_t len;
    const char *name, *value; /* of a field that the handler adds */
    bool in_pieces;
    int status;
} plain;

static int answer_compressible(struct ouro_http_exchange *exchange, void *arg)
{
    int status = plain.status ? plain.status : 200;
    int code = plain.name ? ouro_http_add_header(exchange, plain.name, plain.value) : 0;

    (void) arg;
    if (code)
        return code;
    if (!plain.in_pieces) /* what fails leaves nothing behind */
        CU_ASSERT_EQUAL(ouro_http_reply(exchange, status, "text/plain\n", original, plain.len),
                        -EINVAL);
    if (!plain.in_pieces)
        return ouro_http_reply(exchange, status, plain.type, original, plain.len);
    CU_ASSERT_EQUAL(ouro_http_reply_begin(exchange, status, "text/plain\n", -1), -EINVAL);
    code = ouro_http_reply_begin(exchange, status, plain.type, (int64_t) plain.len);
    for (size_t i = 0; i < plain.len && !code; i += 1000)
        code = ouro_http_write(exchange, original + i, plain.len - i < 1000 ? plain.len - i : 1000);
    return code;
}

static size_t decompress(char *buf, size_t size)
{
    z_stream stream = {.next_in = (Bytef *) heard.body,
                       .avail_in = (unsigned) heard.body_len,
                       .next_out = (Bytef *) buf,
                       .avail_out = (unsigned) size};

    CU_ASSERT_EQUAL_FATAL(inflateInit2(&stream, 15 + 16), Z_OK);
    CU_ASSERT_EQUAL(inflate(&stream, Z_FINISH), Z_STREAM_END);
    CU_ASSERT_EQUAL(stream.avail_in, 0);
    (void) inflateEnd(&stream);
    return stream.total_out;
}

/* Asks, and returns whether the answer is compressed; checks that it is the same in any case. */
static bool comes_compressed(const char *accepted)
{
    struct ouro_http_field field = {.name = "Accept-Encoding", .value = accepted};
    static char text[LARGE];

    play.request.headers = &field;
    play.request.header_count = accepted ? 1 : 0;
    ask();
    CU_ASSERT_EQUAL(heard.code, 0);
    CU_ASSERT_EQUAL(heard.status, plain.status ? plain.status : 200);
    if (!strstr(heard.fields, "Content-Encoding: gzip|")) {
        CU_ASSERT(heard.body_len == plain.len && !memcmp(heard.body, original, plain.len));
        return false;
    }
    CU_ASSERT(heard.body_len < plain.len);
    CU_ASSERT_EQUAL(decompress(text, sizeof(text)), plain.len);
    CU_ASSERT(!memcmp(text, original, plain.len));
    return true;
}

static void prepare_gzip(void)
{
    prepare(answer_compressible);
    play.route.gzip = OURO_HTTP_GZIP_ON;
    memset(&plain, 0, sizeof(plain));
    plain.type = "text/plain";
    plain.len = LARGE;
    for (size_t i = 0; i < LARGE; i++)
        original[i] = (char) ('a' + i % 17 + i / 1000 % 7);
}

static bool varies(void)
{
    return strstr(heard.fields, "Vary: Accept-Encoding|");
}

static void test_answers_are_compressed_where_client_and_route_want_it(void)
{
    prepare_gzip();
    for (int in_pieces = 0; in_pieces < 2; in_pieces++) {
        plain.in_pieces = in_pieces;
        CU_ASSERT(comes_compressed("gzip"));
        CU_ASSERT(varies());
        CU_ASSERT(comes_compressed("deflate, gzip;q=0.5"));
        CU_ASSERT(comes_compressed("*"));
        CU_ASSERT(!comes_compressed("gzip;q=0"));
        CU_ASSERT(varies());
        CU_ASSERT(!comes_compressed("br"));
        CU_ASSERT(!comes_compressed(NULL));
        CU_ASSERT(varies());
    }
    play.route.gzip = OURO_HTTP_GZIP_DEFAULT;
    CU_ASSERT(!comes_compressed("gzip"));
    CU_ASSERT(!varies());
}

static void test_only_what_gains_is_compressed(void)
{
    static const struct {
        const char *type;
        bool gains;
    } rows[] = {
        {"text/html; charset=utf-8", true},
        {"TEXT/css", true},
        {"application/json", true},
        {"application/problem+json", true},
        {"image/svg+xml", true},
        {"application/javascript", true},
        {"image/png", false},
        {"application/octet-stream", false},
        {"text/event-stream", false},
        {NULL, false},
    };

    prepare_gzip();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        plain.type = rows[i].type;
        CU_ASSERT_EQUAL(comes_compressed("gzip"), rows[i].gains);
    }
    prepare_gzip();
    plain.len = 100;
    CU_ASSERT(!comes_compressed("gzip"));
    prepare_gzip();
    for (size_t i = 0; i < LARGE; i++) /* no two alike: it would grow */
        original[i] = (char) ((i * i * 31 + (i >> 3) * 77 + i * 13) >> 2);
    plain.len = 600;
    srand(1);
    for (size_t i = 0; i < plain.len; i++)
        original[i] = (char) rand();
    CU_ASSERT(!comes_compressed("gzip"));
}

static void test_compression_respects_what_the_handler_says(void)
{
    prepare_gzip();
    plain.name = "Cache-Control";
    plain.value = "public, no-transform";
    CU_ASSERT(!comes_compressed("gzip"));
    plain.value = "No-Transform";
    CU_ASSERT(!comes_compressed("gzip"));
    plain.name = "Content-Range";
    plain.value = "bytes 0-1/2";
    CU_ASSERT(!comes_compressed("gzip"));
    plain.name = "ETag";
    plain.value = "\"strong\"";
    CU_ASSERT(comes_compressed("gzip"));
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.fields, "ETag: W/\"strong\"|"));
    CU_ASSERT(!comes_compressed(NULL));
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.fields, "ETag: \"strong\"|"));
    plain.value = "W/\"weak\"";
    CU_ASSERT(comes_compressed("gzip"));
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.fields, "ETag: W/\"weak\"|"));
    plain.name = NULL;
    plain.status = 404;
    CU_ASSERT(comes_compressed("gzip"));
    plain.status = 206;
    CU_ASSERT(!comes_compressed("gzip"));
}

const struct test http_request_tests[] = {
    TEST(test_queries_are_decoded),
    TEST(test_cookies_come_and_go),
    TEST(test_forms_are_decoded),
    TEST(test_parts_of_a_form_come_one_by_one),
    TEST(test_large_files_stream_through),
    TEST(test_values_are_kept_for_an_exchange),
    TEST(test_texts_are_escaped),
    TEST(test_errors_have_the_pages_that_were_set),
    TEST(test_answer_may_ask_for_an_upgrade),
    TEST(test_events_have_the_form_that_browsers_read),
    TEST(test_answers_are_compressed_where_client_and_route_want_it),
    TEST(test_only_what_gains_is_compressed),
    TEST(test_compression_respects_what_the_handler_says),
    TEST_END,
};
