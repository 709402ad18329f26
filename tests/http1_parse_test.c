/* SPDX-License-Identifier: MIT */
/*
 * http1_parse_test.c - tests of proto/http1_parse.c and proto/http1_head.c
 *
 * Each input is parsed whole, byte by byte, and cut in two at every offset, every piece
 * ending at an inaccessible page. What the parser reports is written down as a line of
 * text, and has to be the same each time. Numbers such as "HTTP 15" in comments are the
 * rules of the list in docs/http-rules.md.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ouro_base.h"

#include "http1_parse.h"
#include "test.h"

#define PAGE      4096
#define TEXT_SIZE 512
#define FIELD_MAX 8

#define WHOLE  SIZE_MAX
#define SINGLY (SIZE_MAX - 1)

static struct {
    enum http1_kind kind;
    bool without_body;
    struct http1_memory memory;
} setup;

static struct {
    char text[8192];
    size_t len;
} transcript;

static char text_memory[TEXT_SIZE];
static struct http1_field field_memory[FIELD_MAX];
static char *guarded_end; /* of accessible memory */

OURO_PRINTF(1, 2) static void note(const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(transcript.text + transcript.len, sizeof(transcript.text) - transcript.len,
                    format, args);
    va_end(args);
    CU_ASSERT_FATAL(len >= 0 && (size_t) len < sizeof(transcript.text) - transcript.len);
    transcript.len += (size_t) len;
}

static void note_head(const struct http1_head *head)
{
    static const char *const framings[] = {"", " length", " chunked", " until-close"};

    if (head->kind == HTTP1_REQUEST)
        note("%s %s HTTP/1.%d", head->method, head->target, head->minor_version);
    else
        note("HTTP/1.%d %d %s", head->minor_version, head->status, head->reason);
    note("%s%s", framings[head->framing], head->keep_alive ? "" : " close");
    for (unsigned i = 0; i < head->field_count; i++)
        note(" [%s=%s]", head->fields[i].name, head->fields[i].value);
    note(" {");
}

static void note_end(const struct http1_head *head)
{
    note("}");
    for (unsigned i = 0; i < head->trailer_count; i++)
        note(" (%s=%s)", head->fields[head->field_count + i].name,
             head->fields[head->field_count + i].value);
    note("\n");
}

/* Notes all events of one piece of input. Returns false after an error. */
static bool feed(struct http1_parser *parser, const char *data, size_t len)
{
    for (;;) {
        size_t used;
        int event = ouro__http1_parse_feed(parser, data, len, &used);

        if (event < 0) {
            note("%s %d", event == OURO_ELIMIT ? "limit" : "refused", parser->fault.status);
            CU_ASSERT_PTR_NOT_NULL(parser->fault.reason);
            CU_ASSERT_EQUAL(ouro__http1_parse_feed(parser, data, 0, &used), event);
            CU_ASSERT_EQUAL(ouro__http1_parse_eof(parser), event);
            return false;
        }
        CU_ASSERT_FATAL(used <= len);
        if (event == HTTP1_MORE) {
            CU_ASSERT_EQUAL(used, len);
            return true;
        }
        if (event == HTTP1_HEAD)
            note_head(&parser->head);
        if (event == HTTP1_BODY) {
            CU_ASSERT_FATAL(parser->body >= data && parser->body_len &&
                            parser->body + parser->body_len == data + used);
            note("%.*s", (int) parser->body_len, parser->body);
        }
        if (event == HTTP1_END) {
            note_end(&parser->head);
            ouro__http1_parse_next(parser);
        }
        data += used;
        len -= used;
    }
}

static bool feed_guarded(struct http1_parser *parser, const char *data, size_t len)
{
    char *copy = guarded_end - len;

    memcpy(copy, data, len);
    return feed(parser, copy, len);
}

static void finish(struct http1_parser *parser)
{
    int event = ouro__http1_parse_eof(parser);

    if (event == HTTP1_END)
        note_end(&parser->head);
    else if (event == OURO_EEOF)
        note("truncated");
}

static const char *parse(const char *input, size_t len, size_t cut)
{
    struct http1_parser parser;
    bool alive = true;

    transcript.len = 0;
    transcript.text[0] = '\0';
    ouro__http1_parse_init(&parser, setup.kind, &setup.memory);
    if (setup.without_body)
        ouro__http1_parse_expect_no_body(&parser);
    if (cut == WHOLE) {
        alive = feed_guarded(&parser, input, len);
    } else if (cut == SINGLY) {
        for (size_t i = 0; alive && i < len; i++)
            alive = feed_guarded(&parser, input + i, 1);
    } else {
        alive = feed_guarded(&parser, input, cut) && feed_guarded(&parser, input + cut, len - cut);
    }
    if (alive)
        finish(&parser);
    return transcript.text;
}

static char *guard(void)
{
    char *memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CU_ASSERT_FATAL(memory != MAP_FAILED);
    CU_ASSERT_FATAL(mprotect(memory + 2 * PAGE, PAGE, PROT_NONE) == 0);
    guarded_end = memory + 2 * PAGE;
    return memory;
}

/* Whatever way the input comes, the transcript is `expected`. */
static void check_bytes(const char *input, size_t len, const char *expected)
{
    char *memory = guard();
    bool good;

    CU_ASSERT_FATAL(len <= 2 * PAGE);
    good = strcmp(parse(input, len, WHOLE), expected) == 0;
    if (!good)
        fprintf(stderr, "input:    %s\nexpected: %s\nfound:    %s\n", input, expected,
                transcript.text);
    CU_ASSERT(good);
    CU_ASSERT_STRING_EQUAL(parse(input, len, SINGLY), expected);
    for (size_t cut = 0; cut <= len; cut++)
        CU_ASSERT_STRING_EQUAL(parse(input, len, cut), expected);
    (void) munmap(memory, 3 * PAGE);
}

static void check(const char *input, const char *expected)
{
    check_bytes(input, strlen(input), expected);
}

static void set_up(enum http1_kind kind)
{
    setup.kind = kind;
    setup.without_body = false;
    setup.memory = (struct http1_memory) {.text = text_memory,
                                          .text_size = TEXT_SIZE,
                                          .line_max = TEXT_SIZE / 2,
                                          .fields = field_memory,
                                          .field_max = FIELD_MAX};
}

/* --- what is taken ----------------------------------------------------------------------- */

static void test_request_head_keeps_order_case_and_duplicates(void)
{
    set_up(HTTP1_REQUEST);
    check(
        "GET /a?b=c HTTP/1.1\r\nHost: x\r\nb:1\r\nA: 2\r\nB:   3 \t \r\nempty:\r\nblank: \t \r\n\r\n",
        "GET /a?b=c HTTP/1.1 [Host=x] [b=1] [A=2] [B=3] [empty=] [blank=] {}\n");
    check("GET / HTTP/1.1\r\nHost: x\r\nq: a  \"b\" \xfc\r\n\r\n",
          "GET / HTTP/1.1 [Host=x] [q=a  \"b\" \xfc] {}\n");
}

static void test_bodies_are_framed_by_length_or_chunks(void)
{
    set_up(HTTP1_REQUEST);
    check("POST / HTTP/1.1\r\nHost:x\r\nContent-Length: 5\r\n\r\nhello",
          "POST / HTTP/1.1 length [Host=x] [Content-Length=5] {hello}\n");
    check("POST / HTTP/1.1\r\nHost:x\r\ncontent-length: 000\r\n\r\n",
          "POST / HTTP/1.1 [Host=x] [content-length=000] {}\n");
    check("POST / HTTP/1.1\r\nHost:x\r\nTransfer-Encoding: Chunked\r\n\r\n"
          "3\r\nabc\r\n0A;x;y=z;q=\"a;b\"\r\n0123456789\r\n0\r\n\r\n",
          "POST / HTTP/1.1 chunked [Host=x] [Transfer-Encoding=Chunked] {abc0123456789}\n");
}

/* HTTP 19 */
static void test_trailers_are_kept_apart(void)
{
    set_up(HTTP1_REQUEST);
    check(
        "POST / HTTP/1.1\r\nHost:x\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1\r\na\r\n000;last\r\nDigest: 1\r\ndigest: 2\r\n\r\n",
        "POST / HTTP/1.1 chunked [Host=x] [Transfer-Encoding=chunked] {a} (Digest=1) (digest=2)\n");
}

/* HTTP 25 */
static void test_pipelined_requests_come_one_by_one(void)
{
    set_up(HTTP1_REQUEST);
    check("GET /1 HTTP/1.1\r\nHost:x\r\n\r\n"
          "POST /2 HTTP/1.1\r\nHost:x\r\nContent-Length:2\r\n\r\nhi"
          "\r\nPUT /3 HTTP/1.1\r\nHost:x\r\nTransfer-Encoding:chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
          "GET /4 HTTP/1.0\r\n\r\nGET",
          "GET /1 HTTP/1.1 [Host=x] {}\n"
          "POST /2 HTTP/1.1 length [Host=x] [Content-Length=2] {hi}\n"
          "PUT /3 HTTP/1.1 chunked [Host=x] [Transfer-Encoding=chunked] {a}\n"
          "GET /4 HTTP/1.0 close {}\n"
          "truncated");
}

static void test_bytes_behind_a_message_are_not_taken(void)
{
    static const char input[] = "GET / HTTP/1.1\r\nHost:x\r\n\r\nGET /next";
    struct http1_parser parser;
    size_t used;

    set_up(HTTP1_REQUEST);
    ouro__http1_parse_init(&parser, HTTP1_REQUEST, &setup.memory);
    CU_ASSERT_EQUAL(ouro__http1_parse_feed(&parser, input, strlen(input), &used), HTTP1_HEAD);
    CU_ASSERT_EQUAL(used, 26);
    CU_ASSERT_EQUAL(ouro__http1_parse_feed(&parser, input + 26, 9, &used), HTTP1_END);
    CU_ASSERT_EQUAL(used, 0);
}

/* HTTP 24 */
static void test_connection_persists_as_version_and_field_say(void)
{
    set_up(HTTP1_REQUEST);
    check("GET / HTTP/1.1\r\nHost:x\r\nConnection: close\r\n\r\n",
          "GET / HTTP/1.1 close [Host=x] [Connection=close] {}\n");
    check("GET / HTTP/1.1\r\nHost:x\r\nConnection: a , CLOSE\t,b\r\n\r\n",
          "GET / HTTP/1.1 close [Host=x] [Connection=a , CLOSE\t,b] {}\n");
    check("GET / HTTP/1.1\r\nHost:x\r\nConnection: a\r\nConnection: ,, close\r\n\r\n",
          "GET / HTTP/1.1 close [Host=x] [Connection=a] [Connection=,, close] {}\n");
    check("GET / HTTP/1.1\r\nHost:x\r\nConnection: closed, x close\r\n\r\n",
          "GET / HTTP/1.1 [Host=x] [Connection=closed, x close] {}\n");
    check("GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0 close {}\n");
    check("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
          "GET / HTTP/1.0 [Connection=Keep-Alive] {}\n");
    check("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
          "GET / HTTP/1.0 close [Connection=keep-alive, close] {}\n");
}

/* HTTP 26: without a body in the way, llhttp would take what follows for another protocol. */
static void test_upgrade_is_left_to_the_caller(void)
{
    set_up(HTTP1_REQUEST);
    check("GET / HTTP/1.1\r\nHost:x\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n"
          "GET /2 HTTP/1.1\r\nHost:x\r\n\r\n",
          "GET / HTTP/1.1 [Host=x] [Connection=upgrade] [Upgrade=y] {}\n"
          "GET /2 HTTP/1.1 [Host=x] {}\n");
    check(
        "PUT / HTTP/1.1\r\nHost:x\r\nConnection: upgrade\r\nUpgrade: y\r\nContent-Length: 1\r\n\r\n"
        "aGET /2 HTTP/1.1\r\nHost:x\r\n\r\n",
        "PUT / HTTP/1.1 length [Host=x] [Connection=upgrade] [Upgrade=y] [Content-Length=1] {a}\n"
        "GET /2 HTTP/1.1 [Host=x] {}\n");
}

/* HTTP 4, 5 */
static void test_target_has_four_forms(void)
{
    static const struct {
        const char *line, *path, *query, *authority;
        enum http1_target_form form;
    } rows[] = {
        {"GET /p/q?r?s", "/p/q", "r?s", "h:81", HTTP1_ORIGIN},
        {"GET /p?", "/p", "", "h:81", HTTP1_ORIGIN},
        {"GET http://h:81/p?r", "/p", "r", "h:81", HTTP1_ABSOLUTE},
        {"GET HTTP://H:81", "", NULL, "H:81", HTTP1_ABSOLUTE},
        {"CONNECT h:81", "", NULL, "h:81", HTTP1_AUTHORITY},
        {"OPTIONS *", "", NULL, "h:81", HTTP1_ASTERISK},
    };

    set_up(HTTP1_REQUEST);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http1_parser parser;
        char input[128];
        size_t used;
        int len = sprintf(input, "%s HTTP/1.1\r\nHost: h:81\r\n\r\n", rows[i].line);

        ouro__http1_parse_init(&parser, HTTP1_REQUEST, &setup.memory);
        CU_ASSERT_EQUAL_FATAL(ouro__http1_parse_feed(&parser, input, (size_t) len, &used),
                              HTTP1_HEAD);
        CU_ASSERT_EQUAL(parser.head.form, rows[i].form);
        CU_ASSERT_EQUAL(parser.head.path_len, strlen(rows[i].path));
        CU_ASSERT_EQUAL(memcmp(parser.head.path, rows[i].path, parser.head.path_len), 0);
        CU_ASSERT_EQUAL(parser.head.authority_len, strlen(rows[i].authority));
        CU_ASSERT_EQUAL(memcmp(parser.head.authority, rows[i].authority, parser.head.authority_len),
                        0);
        CU_ASSERT_EQUAL(!parser.head.query, !rows[i].query);
        if (rows[i].query && parser.head.query)
            CU_ASSERT_STRING_EQUAL(parser.head.query, rows[i].query);
    }
}

/* HTTP 11 */
static void test_host_may_agree_with_the_target(void)
{
    set_up(HTTP1_REQUEST);
    check("GET http://A/ HTTP/1.1\r\nHost: a:80\r\n\r\n",
          "GET http://A/ HTTP/1.1 [Host=a:80] {}\n");
    check("GET http://a/ HTTP/1.0\r\n\r\n", "GET http://a/ HTTP/1.0 close {}\n");
    check("GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1 [Host=] {}\n");
    check("GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", "GET / HTTP/1.1 [Host=[::1]:8000] {}\n");
}

static int feed_with_host(struct http1_parser *parser, const char *host)
{
    char input[256];
    size_t used;
    int len = sprintf(input, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host);

    return ouro__http1_parse_feed(parser, input, (size_t) len, &used);
}

/* The parser remembers a Host that was valid; the next one is another text all the same. */
static void test_host_is_judged_behind_any_other(void)
{
    static const char longest[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    static const char longer[] =
        "0123456789012345678901234567890123456789012345678901234567890123a";
    static const char longer_bad[] =
        "0123456789012345678901234567890123456789012345678901234567890123@";
    static const char *const good[] = {"a", "ab", "a:80", "", "[::1]", longest, longer};
    static const char *const bad[] = {"@", "a@", "a:8x", ":80", "[::g]", longer_bad};

    set_up(HTTP1_REQUEST);
    for (size_t first = 0; first < sizeof(good) / sizeof(good[0]); first++) {
        for (size_t then = 0; then < sizeof(bad) / sizeof(bad[0]); then++) {
            struct http1_parser parser;

            ouro__http1_parse_init(&parser, HTTP1_REQUEST, &setup.memory);
            for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
                CU_ASSERT_EQUAL(feed_with_host(&parser, good[i]), HTTP1_HEAD);
                CU_ASSERT_EQUAL(parser.head.authority_len, strlen(good[i]));
                ouro__http1_parse_next(&parser);
            }
            CU_ASSERT_EQUAL(feed_with_host(&parser, good[first]), HTTP1_HEAD);
            ouro__http1_parse_next(&parser);
            CU_ASSERT_EQUAL(feed_with_host(&parser, bad[then]), OURO_EHTTP);
        }
    }
}

/* HTTP 28 */
static void test_expectations_are_told_apart(void)
{
    static const struct {
        const char *fields;
        bool expects_continue, expects_unknown;
    } rows[] = {
        {"1.1\r\nHost:x\r\n", false, false},
        {"1.1\r\nHost:x\r\nExpect: 100-Continue\r\n", true, false},
        {"1.1\r\nHost:x\r\nExpect: tea\r\n", false, true},
        {"1.1\r\nHost:x\r\nExpect: 100-continue, tea\r\n", false, true},
        {"1.1\r\nHost:x\r\nExpect: 100-continue\r\nExpect: tea\r\n", false, true},
        {"1.0\r\nExpect: 100-continue\r\n", false, false},
    };

    set_up(HTTP1_REQUEST);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http1_parser parser;
        char input[128];
        size_t used;
        int len = sprintf(input, "GET / HTTP/%s\r\n", rows[i].fields);

        ouro__http1_parse_init(&parser, HTTP1_REQUEST, &setup.memory);
        CU_ASSERT_EQUAL(ouro__http1_parse_feed(&parser, input, (size_t) len, &used), HTTP1_HEAD);
        CU_ASSERT_EQUAL(parser.head.expects_continue, rows[i].expects_continue);
        CU_ASSERT_EQUAL(parser.head.expects_unknown, rows[i].expects_unknown);
    }
}

/* --- what is refused --------------------------------------------------------------------- */

static void test_bad_request_lines_are_refused(void)
{
    static const struct {
        const char *line, *result;
    } rows[] = {
        /* HTTP 1 */
        {"GET / HTTP/1.1\nHost: x\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\rHost: x\r\n\r\n", "refused 400"},
        {"GET /\r HTTP/1.1\r\n\r\n", "refused 400"},
        {"\r\n\r\nGET / HTTP/1.1\r\n\r\n", "refused 400"},
        {"\nGET / HTTP/1.1\r\n\r\n", "refused 400"},
        {"\rGET / HTTP/1.1\r\n\r\n", "refused 400"},
        /* HTTP 2 */
        {"GET  / HTTP/1.1\r\n", "refused 400"},
        {"GET /  HTTP/1.1\r\n", "refused 400"},
        {"GET / HTTP/1.1 \r\n", "refused 400"},
        {"GET / x HTTP/1.1\r\n", "refused 400"},
        {" GET / HTTP/1.1\r\n", "refused 400"},
        {"GET\t/ HTTP/1.1\r\n", "refused 400"},
        {"GET /\tHTTP/1.1\r\n", "refused 400"},
        {"/ HTTP/1.1\r\n", "refused 400"},
        {"GET\r\n", "refused 400"},
        {"G(T / HTTP/1.1\r\n", "refused 400"},
        {"G\x80T / HTTP/1.1\r\n", "refused 400"},
        {"get / HTTP/1.1\r\n", "refused 501"},
        {"GETT / HTTP/1.1\r\n", "refused 501"},
        {"BREW / HTTP/1.1\r\n", "refused 501"},
        {"DESCRIBE / HTTP/1.1\r\n", "refused 501"},
        {"PRI / HTTP/1.1\r\n", "refused 501"},
        /* HTTP 3 */
        {"GET /\r\n", "refused 400"},
        {"GET / \r\n", "refused 400"},
        {"GET / HTTP/0.9\r\n", "refused 505"},
        {"GET / HTTP/1.2\r\n", "refused 505"},
        {"GET / HTTP/2.0\r\n", "refused 505"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "refused 505"},
        {"GET / http/1.1\r\n", "refused 400"},
        {"GET / HTTP/1\r\n", "refused 400"},
        {"GET / HTTP/1.\r\n", "refused 400"},
        {"GET / HTTP/01.1\r\n", "refused 400"},
        {"GET / HTTP/1.10\r\n", "refused 400"},
        {"GET / HTTP/1,1\r\n", "refused 400"},
        {"GET / HTTP/x.1\r\n", "refused 400"},
        {"GET / RTSP/1.0\r\n", "refused 400"},
        {"SOURCE / ICE/1.0\r\n", "refused 400"},
        /* HTTP 4 */
        {"GET /\x01 HTTP/1.1\r\n", "refused 400"},
        {"GET /\x7f HTTP/1.1\r\n", "refused 400"},
        {"GET /\xc3\xa4 HTTP/1.1\r\n", "refused 400"},
        {"GET /#f HTTP/1.1\r\n", "refused 400"},
        {"GET /a\\b HTTP/1.1\r\n", "refused 400"},
        {"GET a HTTP/1.1\r\n", "refused 400"},
        /* TLS on the wrong port: refused at the first byte, not after a whole line */
        {"\x16\x03\x01", "refused 400"},
    };

    set_up(HTTP1_REQUEST);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i].line, rows[i].result);
    check_bytes("GET /\0 HTTP/1.1\r\n", 17, "refused 400");
}

static void test_bad_heads_are_refused(void)
{
    static const struct {
        const char *input, *result;
    } rows[] = {
        /* HTTP 5 */
        {"GET * HTTP/1.1\r\nHost:x\r\n\r\n", "refused 400"},
        {"GET https://x/ HTTP/1.1\r\nHost:x\r\n\r\n", "refused 400"},
        {"GET http://u@x/ HTTP/1.1\r\nHost:x\r\n\r\n", "refused 400"},
        {"CONNECT x HTTP/1.1\r\nHost:x\r\n\r\n", "refused 400"},
        {"CONNECT / HTTP/1.1\r\nHost:x\r\n\r\n", "refused 400"},
        {"CONNECT x:1 HTTP/1.1\r\nHost:x:1\r\nContent-Length:1\r\n\r\n", "refused 400"},
        {"GET http://x/ HTTP/1.1\r\nHost: y\r\n\r\n", "refused 400"},
        {"GET http://x/ HTTP/1.1\r\nHost: x:81\r\n\r\n", "refused 400"},
        {"GET http://x/ HTTP/1.1\r\nHost:\r\n\r\n", "refused 400"},
        /* HTTP 7 */
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x\r\nA\t: b\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\n: b\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nno colon\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nA\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nA\xfc: b\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nA(: b\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\n Host: x\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\n\tHost: x\r\n\r\n", "refused 400"},
        /* HTTP 8 */
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x\r\nA:\r\n\tb\r\n\r\n", "refused 400"},
        /* HTTP 1, 9 */
        {"GET / HTTP/1.1\r\nHost: x\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x\r\n\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x\r\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\x01\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\x7f\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\v\r\n\r\n", "refused 400"},
        /* HTTP 11 */
        {"GET / HTTP/1.1\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x:\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x:http\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x:70000\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost: x y\r\n\r\n", "refused 400"},
        /* HTTP 12 */
        {"GET / HTTP/1.1\r\nHost:x\r\nContent-Type: a\r\ncontent-type: a\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost:x\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost:x\r\nContent_Length: 1\r\n\r\n", "refused 400"},
        {"GET / HTTP/1.1\r\nHost:x\r\nTransfer_Encoding: chunked\r\n\r\n", "refused 400"},
    };

    set_up(HTTP1_REQUEST);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i].input, rows[i].result);
    check_bytes("GET / HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", 33, "refused 400");
}

static void test_bad_framing_is_refused(void)
{
    static const struct {
        const char *fields, *result;
    } rows[] = {
        /* HTTP 14 */
        {"1.1\r\nHost:x\r\nContent-Length:\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nContent-Length: +1\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nContent-Length: -1\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nContent-Length: 1_0\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nContent-Length: 0x1\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nContent-Length: 1 1\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nContent-Length: 1.0\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nContent-Length: 18446744073709551616\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nContent-Length: 1, 1\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nContent-Length: 1\r\nContent-Length: 1\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nContent-Length: 1\r\nContent-Length: 2\r\n", "refused 400"},
        /* HTTP 15 */
        {"1.1\r\nHost:x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n", "refused 400"},
        /* HTTP 16 */
        {"1.1\r\nHost:x\r\nTransfer-Encoding:\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: xchunked\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: chunkedx\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: identity\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: chunked, identity\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: identity, chunked\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: chunked, chunked\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: ,chunked\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: chunked,\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: chunked;q=1\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: \"chunked\"\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: \vchunked\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
         "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding:\r\n chunked\r\n", "refused 400"},
        {"1.0\r\nTransfer-Encoding: chunked\r\n", "refused 400"},
        {"1.1\r\nHost:x\r\nTransfer-Encoding: gzip, chunked\r\n", "refused 501"},
    };
    char input[256];

    set_up(HTTP1_REQUEST);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) sprintf(input, "POST / HTTP/%s\r\n", rows[i].fields);
        check(input, rows[i].result);
    }
}

/* HTTP 17, 18, 19 */
static void test_bad_chunks_are_refused(void)
{
#define HEAD  "POST / HTTP/1.1\r\nHost:x\r\nTransfer-Encoding:chunked\r\n\r\n"
#define NOTED "POST / HTTP/1.1 chunked [Host=x] [Transfer-Encoding=chunked] {"
    static const struct {
        const char *body, *result;
    } rows[] = {
        {"\r\n", "refused 400"},
        {";a\r\n", "refused 400"},
        {"+1\r\na\r\n", "refused 400"},
        {"-1\r\na\r\n", "refused 400"},
        {"0x1\r\na\r\n", "refused 400"},
        {"1_0\r\na\r\n", "refused 400"},
        {" 1\r\na\r\n", "refused 400"},
        {"1 \r\na\r\n", "refused 400"},
        {"1 ;a\r\na\r\n", "refused 400"},
        {"g\r\n", "refused 400"},
        {"10000000000000000\r\n", "refused 400"},
        {"1\na\r\n", "refused 400"},
        {"1\ra\r\n", "refused 400"},
        {"1;\r\na\r\n", "refused 400"},
        {"1;a\nb\r\na\r\n", "refused 400"},
        {"1;a\rb\r\na\r\n", "refused 400"},
        {"1;a=\x01\r\na\r\n", "refused 400"},
        {"1;a=b c\r\na\r\n", "refused 400"},
        {"1\r\na\n", "arefused 400"},
        {"1\r\nab\r\n", "arefused 400"},
        {"1\r\na0\r\n\r\n", "arefused 400"},
        {"0\r\n\n", "refused 400"},
        {"0\r\nA : b\r\n\r\n", "refused 400"},
        {"0\r\n A: b\r\n\r\n", "refused 400"},
        {"0\r\nContent-Length: 1\r\n\r\n", "refused 400"},
        {"0\r\nTransfer-Encoding: chunked\r\n\r\n", "refused 400"},
        {"0\r\nHost: y\r\n\r\n", "refused 400"},
        {"0\r\nAuthorization: y\r\n\r\n", "refused 400"},
        {"0\r\nTrailer: y\r\n\r\n", "refused 400"},
        {"1\r\na\r\n0\r\n", "atruncated"},
        {"2\r\na", "atruncated"},
    };
    char input[256], expected[256];

    set_up(HTTP1_REQUEST);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) sprintf(input, "%s%s", HEAD, rows[i].body);
        (void) sprintf(expected, "%s%s", NOTED, rows[i].result);
        check(input, expected);
    }
}

/* --- limits: HTTP 10 --------------------------------------------------------------------- */

static void test_request_line_has_a_limit(void)
{
    set_up(HTTP1_REQUEST);
    setup.memory.line_max = 16;
    check("GET /12 HTTP/1.1\r\nHost:x\r\n\r\n", "GET /12 HTTP/1.1 [Host=x] {}\n");
    check("GET /123 HTTP/1.1\r\nHost:x\r\n\r\n", "limit 414");
    check("GET /123456789012345678901234567890\x01", "limit 414");
}

static void test_head_has_a_limit_in_bytes(void)
{
    set_up(HTTP1_REQUEST);
    setup.memory.text_size = 34;
    check("GET / HTTP/1.1\r\nHost:x\r\nA: bcd\r\n\r\n", "GET / HTTP/1.1 [Host=x] [A=bcd] {}\n");
    check("GET / HTTP/1.1\r\nHost:x\r\nA: bcde\r\n\r\n", "limit 431");
    check("GET / HTTP/1.1\r\nHost:x\r\nA: bcdefghijk\x01", "limit 431");
    check("GET / HTTP/1.1\r\nHost:x\r\nABCDEFGHIJKLMNOP", "limit 431");
}

static void test_fields_have_a_limit_in_number(void)
{
    set_up(HTTP1_REQUEST);
    setup.memory.field_max = 2;
    check("GET / HTTP/1.1\r\nHost:x\r\nA:b\r\n\r\n", "GET / HTTP/1.1 [Host=x] [A=b] {}\n");
    check("GET / HTTP/1.1\r\nHost:x\r\nA:b\r\nC:d\r\n\r\n", "limit 431");
    check("GET / HTTP/1.1\r\nHost:x\r\nA:b\r\nC\x01:d\r\n\r\n", "refused 400");
}

static void test_trailers_share_the_limits_of_the_head(void)
{
    set_up(HTTP1_REQUEST);
    setup.memory.text_size = 59;
    setup.memory.field_max = 3;
    check(HEAD "0\r\nA:b\r\n\r\n", NOTED "} (A=b)\n");
    check(HEAD "0\r\nA:bc\r\n\r\n", NOTED "limit 431");
    check(HEAD "0\r\n\r\n", NOTED "}\n");
    setup.memory.text_size = 120;
    check(HEAD "0\r\nA:b\r\nC:d\r\n\r\n", NOTED "limit 431");
}

static void test_chunk_lines_have_a_limit(void)
{
    char input[HTTP1_CHUNK_LINE_MAX + 128];

    set_up(HTTP1_REQUEST);
    (void) sprintf(input, HEAD "%0*d\r\na\r\n0\r\n\r\n", HTTP1_CHUNK_LINE_MAX - 2, 1);
    check(input, NOTED "a}\n");
    (void) sprintf(input, HEAD "%0*d\r\na\r\n0\r\n\r\n", HTTP1_CHUNK_LINE_MAX - 1, 1);
    check(input, NOTED "limit 400");
    (void) sprintf(input, HEAD "1;%0*d\r\na\r\n0\r\n\r\n", HTTP1_CHUNK_LINE_MAX, 1);
    check(input, NOTED "limit 400");
    (void) sprintf(input, HEAD "1\r\na\r\n%0*d\r\n\r\n", HTTP1_CHUNK_LINE_MAX, 0);
    check(input, NOTED "alimit 400");
    (void) sprintf(input, HEAD "%0*d\x01", HTTP1_CHUNK_LINE_MAX + 10, 1);
    check(input, NOTED "limit 400");
}

/* --- responses --------------------------------------------------------------------------- */

static void test_response_bodies_are_framed_in_three_ways(void)
{
    set_up(HTTP1_RESPONSE);
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
          "HTTP/1.1 200 OK length [Content-Length=2] {hi}\n");
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n",
          "HTTP/1.1 200 OK chunked [Transfer-Encoding=chunked] {hi} (A=b)\n");
    check("HTTP/1.1 200 OK\r\nA: b\r\n\r\nhi, until the end",
          "HTTP/1.1 200 OK until-close close [A=b] {hi, until the end}\n");
    check("HTTP/1.0 404 Not \t F\xf6und\r\n\r\n",
          "HTTP/1.0 404 Not \t F\xf6und until-close close {}\n");
    check("HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200  until-close close {}\n");
    check("HTTP/1.1 200 \r\n\r\n", "HTTP/1.1 200  until-close close {}\n");
}

/* HTTP 20 */
static void test_some_responses_have_no_body_whatever_they_say(void)
{
    set_up(HTTP1_RESPONSE);
    check(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n"
        "HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 100 Continue {}\nHTTP/1.1 204 No [Content-Length=9] {}\n"
        "HTTP/1.1 304 N [Content-Length=9] {}\nHTTP/1.1 200 OK length [Content-Length=1] {a}\n");
    setup.without_body = true;
    check("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
          "HTTP/1.1 200 OK [Content-Length=9] {}\n");
    check("HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK {}\n");
}

static void test_garbage_is_no_response(void)
{
    static const char *const rows[] = {
        "220 mail ESMTP\r\n",
        "HTTX", /* no need to wait for the end of the line */
        "SSH-2.0-OpenSSH_9\r\n",
        "HTTP/1.1\r\n",
        "HTTP/1.1 \r\n",
        "HTTP/1.1 20\r\n",
        "HTTP/1.1 2000\r\n",
        "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1 2x0 OK\r\n",
        "HTTP/1.1\t200 OK\r\n",
        "http/1.1 200 OK\r\n",
        "\r\nHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\n",
        "HTTP/1.1 200 O\x01K\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, \v\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    };

    set_up(HTTP1_RESPONSE);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i], "refused 400");
    check("HTTP/2.0 200 OK\r\n", "refused 505");
}

static void test_truncated_responses_are_noticed(void)
{
    set_up(HTTP1_RESPONSE);
    check("", "");
    check("HTTP/1.1 2", "truncated");
    check("HTTP/1.1 200 OK\r\n", "truncated");
    check("HTTP/1.1 200 OK\r\nA: b\r\n", "truncated");
    check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na",
          "HTTP/1.1 200 OK length [Content-Length=2] {atruncated");
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
          "HTTP/1.1 200 OK chunked [Transfer-Encoding=chunked] {atruncated");
}

/* --- a head in one piece ----------------------------------------------------------------- */

/* Such a head is for http1_scan.c, and the same in pieces for llhttp: is there a difference? */
static bool is_same_in_pieces(const char *input, size_t len)
{
    char whole[512];

    (void) snprintf(whole, sizeof(whole), "%s", parse(input, len, WHOLE));
    if (strcmp(parse(input, len, SINGLY), whole) == 0)
        return true;
    fprintf(stderr, "input:     %.*s\nwhole:     %s\nin pieces: %s\n", (int) len, input, whole,
            transcript.text);
    return false;
}

static const char one_piece[] = "GET /a?b=c HTTP/1.1\r\nHost: x:80\r\nA:\t b\tcdefghij \t\r\n"
                                "Connection: close\r\nUpgrade:h2c\r\nempty:\r\n\r\n";

/* Each byte, in place of each one and in front of it; and each one missing. */
static void test_no_byte_makes_a_difference_to_a_head_in_one_piece(void)
{
    const size_t len = sizeof(one_piece) - 1;
    char *memory = guard(), input[sizeof(one_piece) + 1];
    bool same = true;

    set_up(HTTP1_REQUEST);
    for (size_t at = 0; at < len && same; at++) {
        for (int c = 0; c < 256 && same; c++) {
            memcpy(input, one_piece, len);
            input[at] = (char) c;
            same = is_same_in_pieces(input, len);
            memcpy(input + at + 1, one_piece + at, len - at);
            same = same && is_same_in_pieces(input, len + 1);
        }
        memcpy(input, one_piece, len);
        memcpy(input + at, one_piece + at + 1, len - at - 1);
        same = same && is_same_in_pieces(input, len - 1);
    }
    CU_ASSERT(same);
    (void) munmap(memory, 3 * PAGE);
}

static void test_no_limit_makes_a_difference_to_a_head_in_one_piece(void)
{
    const size_t len = sizeof(one_piece) - 1;
    char *memory = guard();

    set_up(HTTP1_REQUEST);
    for (size_t size = 8; size < len + 8; size++) {
        setup.memory.text_size = size;
        CU_ASSERT(is_same_in_pieces(one_piece, len));
    }
    for (size_t max = 1; max < 32; max++) {
        set_up(HTTP1_REQUEST);
        setup.memory.line_max = max;
        CU_ASSERT(is_same_in_pieces(one_piece, len));
    }
    for (unsigned max = 0; max < 8; max++) {
        set_up(HTTP1_REQUEST);
        setup.memory.field_max = max;
        CU_ASSERT(is_same_in_pieces(one_piece, len));
    }
    (void) munmap(memory, 3 * PAGE);
}

/* --- the head for its reader ------------------------------------------------------------- */

/* What a client shows while the head is still on its way. */
static void test_fields_can_be_read_as_they_come(void)
{
    static const char input[] = "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n";
    struct http1_parser parser;
    size_t used;

    set_up(HTTP1_RESPONSE);
    ouro__http1_parse_init(&parser, HTTP1_RESPONSE, &setup.memory);
    CU_ASSERT_FALSE(ouro__http1_parse_has_begun(&parser));
    CU_ASSERT_EQUAL(ouro__http1_parse_feed(&parser, input, 16, &used), HTTP1_MORE);
    CU_ASSERT_TRUE(ouro__http1_parse_has_begun(&parser));
    CU_ASSERT_FALSE(ouro__http1_parse_has_line(&parser));
    CU_ASSERT_EQUAL(ouro__http1_parse_feed(&parser, input + 16, 1, &used), HTTP1_MORE);
    CU_ASSERT_TRUE(ouro__http1_parse_has_line(&parser));
    CU_ASSERT_EQUAL(parser.head.status, 200);
    CU_ASSERT_EQUAL(ouro__http1_parse_feed(&parser, input + 17, 7, &used), HTTP1_MORE);
    CU_ASSERT_EQUAL_FATAL(parser.head.field_count, 1);
    CU_ASSERT_STRING_EQUAL(parser.head.fields[0].value, "b");
    CU_ASSERT_EQUAL(ouro__http1_parse_feed(&parser, input + 24, 5, &used), HTTP1_MORE);
    CU_ASSERT_EQUAL(parser.head.field_count, 1);
}

static void test_fields_are_found_by_name_in_any_case(void)
{
    static const char input[] =
        "GET / HTTP/1.1\r\nHost: x\r\nVia: a\r\nVIA: b,c\r\nViab: d\r\n\r\n";
    const struct http1_field *field;
    struct http1_parser parser;
    size_t used;

    set_up(HTTP1_REQUEST);
    ouro__http1_parse_init(&parser, HTTP1_REQUEST, &setup.memory);
    CU_ASSERT_EQUAL_FATAL(ouro__http1_parse_feed(&parser, input, strlen(input), &used), HTTP1_HEAD);
    field = ouro__http1_head_find(&parser.head, "via", 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(field);
    CU_ASSERT_STRING_EQUAL(field->value, "a");
    field = ouro__http1_head_find(&parser.head, "via", (unsigned) (field - parser.head.fields) + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(field);
    CU_ASSERT_STRING_EQUAL(field->value, "b,c");
    CU_ASSERT_PTR_NULL(ouro__http1_head_find(&parser.head, "vi", 0));
    CU_ASSERT_TRUE(ouro__http1_head_has_token(&parser.head, "via", "C"));
    CU_ASSERT_FALSE(ouro__http1_head_has_token(&parser.head, "via", "d"));
}

const struct test http1_parse_tests[] = {
    TEST(test_request_head_keeps_order_case_and_duplicates),
    TEST(test_bodies_are_framed_by_length_or_chunks),
    TEST(test_trailers_are_kept_apart),
    TEST(test_pipelined_requests_come_one_by_one),
    TEST(test_bytes_behind_a_message_are_not_taken),
    TEST(test_connection_persists_as_version_and_field_say),
    TEST(test_upgrade_is_left_to_the_caller),
    TEST(test_target_has_four_forms),
    TEST(test_host_may_agree_with_the_target),
    TEST(test_host_is_judged_behind_any_other),
    TEST(test_expectations_are_told_apart),
    TEST(test_bad_request_lines_are_refused),
    TEST(test_bad_heads_are_refused),
    TEST(test_bad_framing_is_refused),
    TEST(test_bad_chunks_are_refused),
    TEST(test_request_line_has_a_limit),
    TEST(test_head_has_a_limit_in_bytes),
    TEST(test_fields_have_a_limit_in_number),
    TEST(test_trailers_share_the_limits_of_the_head),
    TEST(test_chunk_lines_have_a_limit),
    TEST(test_response_bodies_are_framed_in_three_ways),
    TEST(test_some_responses_have_no_body_whatever_they_say),
    TEST(test_garbage_is_no_response),
    TEST(test_truncated_responses_are_noticed),
    TEST(test_no_byte_makes_a_difference_to_a_head_in_one_piece),
    TEST(test_no_limit_makes_a_difference_to_a_head_in_one_piece),
    TEST(test_fields_can_be_read_as_they_come),
    TEST(test_fields_are_found_by_name_in_any_case),
    TEST_END,
};
