/* SPDX-License-Identifier: MIT */
/*
 * http_client_test.c - tests of proto/http_client.c and proto/http1_reader.c
 *
 * The server is a script: it takes one request, sends given bytes, and ends the connection
 * or not. What the client makes of them is written down as a line of text. On the kernel's
 * ring, the simulated one, and a simulated one that cuts half of all transfers short.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ouro.h"
#include "ouro_http_client.h"

#include "test.h"

static struct {
    int listener;
    int port;
    char request[2048];   /* what came */
    const char *response; /* what is to be sent */
    bool byte_by_byte;
    bool keeps_open; /* until the client goes */
} peer;

static void send_response(struct ouro_stream *stream)
{
    size_t len = strlen(peer.response);
    size_t step = peer.byte_by_byte ? 1 : len;

    for (size_t done = 0; done < len; done += step)
        if (ouro_stream_write_all(stream, peer.response + done, step) || ouro_yield())
            return;
}

static void converse(struct ouro_stream *stream)
{
    const char *data;
    ssize_t len = ouro_stream_read_until(stream, "\r\n\r\n", 4, sizeof(peer.request) - 1, &data);

    if (len <= 0)
        return;
    memcpy(peer.request, data, (size_t) len);
    peer.request[len] = '\0';
    send_response(stream);
    if (peer.keeps_open)
        (void) ouro_stream_peek(stream, 1, &data);
}

static int serve(void *arg)
{
    int fd;

    (void) arg;
    while ((fd = ouro_accept(peer.listener, NULL)) >= 0) {
        struct ouro_stream *stream;
        int code = ouro_stream_socket_take(fd, &stream);

        if (code)
            return code;
        converse(stream);
        (void) ouro_stream_close(stream);
    }
    return fd == -ECANCELED ? 0 : fd;
}

/* --- running ----------------------------------------------------------------------------- */

typedef void script_fn(void);
static script_fn *script;

static int run_script(void *arg)
{
    struct ouro_address address;
    ouro_task_id server;
    int result = -1;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_address_parse("127.0.0.1:0", -1, &address), 0);
    peer.listener = ouro_listen(&address, 0);
    if (peer.listener < 0 || ouro_getsockname(peer.listener, &address))
        return -EIO;
    peer.port = ouro_address_port(&address);
    server = ouro_spawn(serve, NULL);
    script();
    CU_ASSERT_EQUAL(ouro_cancel_join(server, &result), 0);
    CU_ASSERT_EQUAL(result, 0);
    (void) ouro_close(peer.listener);
    return 0;
}

static void on_all_rings(script_fn *fn)
{
    const char *const rings[] = {test_kernel_ring(), test_sim_ring(), "sim:seed=1,short=50"};

    script = fn;
    for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
        struct ouro_run_options options = {.ring = rings[i]};

        CU_ASSERT_EQUAL(ouro_run(run_script, NULL, &options), 0);
    }
}

/* --- what the client makes of it --------------------------------------------------------- */

static char transcript[4096];

static void note_response(struct ouro_http_response *response)
{
    const char *name, *value;
    size_t len = 0;
    ssize_t got;
    char buf[7];
    int code;

    len +=
        (size_t) sprintf(transcript, "%s %d %s", ouro_http_response_version(response),
                         ouro_http_response_status(response), ouro_http_response_reason(response));
    while ((code = ouro_http_response_next_header(response, &name, &value)) > 0)
        len += (size_t) sprintf(transcript + len, " [%s=%s]", name, value);
    if (code)
        len += (size_t) sprintf(transcript + len, " %d", code);
    len += (size_t) sprintf(transcript + len, " {");
    while ((got = ouro_http_response_read(response, buf, sizeof(buf))) > 0)
        len += (size_t) sprintf(transcript + len, "%.*s", (int) got, buf);
    (void) sprintf(transcript + len, got ? "} %zd" : "}", got);
    if (got == 0)
        CU_ASSERT_EQUAL(ouro_http_response_read(response, buf, sizeof(buf)), 0);
}

static const char *fetch(const char *response_text)
{
    struct ouro_http_response *response;
    char url[64];
    int code;

    peer.response = response_text;
    (void) sprintf(url, "http://127.0.0.1:%d/a?b#c", peer.port);
    code = ouro_http_get(url, NULL, &response);
    (void) sprintf(transcript, "%d", code);
    if (!code) {
        note_response(response);
        ouro_http_response_close(response);
    }
    return transcript;
}

static void check(const char *response_text, const char *expected)
{
    for (int i = 0; i < 4; i++) {
        peer.byte_by_byte = i & 1;
        /* Where its end says nothing, the connection may as well stay open. */
        peer.keeps_open = i & 2 && !strstr(expected, "-4097") && !strstr(expected, "until");
        CU_ASSERT_STRING_EQUAL(fetch(response_text), expected);
    }
    peer.byte_by_byte = peer.keeps_open = false;
}

/* --- tests ------------------------------------------------------------------------------- */

static void fetch_good_ones(void)
{
    check("HTTP/1.1 200 OK\r\nA: b\r\na:  c \r\nContent-Length: 11\r\n\r\nhello world",
          "HTTP/1.1 200 OK [A=b] [a=c] [Content-Length=11] {hello world}");
    check("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
          "HTTP/1.1 404 Not Found [Content-Length=0] {}");
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x\r\n world\r\n0\r\n"
        "T: u\r\n\r\n",
        "HTTP/1.1 200 OK [Transfer-Encoding=chunked] {hello world}");
    check("HTTP/1.0 200\r\nA: b\r\n\r\nall until the end",
          "HTTP/1.0 200  [A=b] {all until the end}");
    check("HTTP/1.1 204 Nothing\r\n\r\n", "HTTP/1.1 204 Nothing {}");
    check("HTTP/1.1 301 Moved\r\nLocation: http://x/\r\nContent-Length: 1\r\n\r\nx",
          "HTTP/1.1 301 Moved [Location=http://x/] [Content-Length=1] {x}");
}

static void test_responses_are_read_whatever_their_framing(void)
{
    on_all_rings(fetch_good_ones);
}

static void fetch_interim_ones(void)
{
    check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
          "HTTP/1.1 200 OK [Content-Length=2] {ok}");
    check("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "-4103");
}

static void test_interim_responses_are_skipped(void)
{
    on_all_rings(fetch_interim_ones);
}

static void fetch_endless_interim_ones(void)
{
    char text[1024] = "";

    for (int i = 0; i < 20; i++)
        (void) strcat(text, "HTTP/1.1 102 Wait\r\n\r\n");
    CU_ASSERT_STRING_EQUAL(fetch(text), "-4098");
}

static void test_interim_responses_have_a_limit(void)
{
    on_all_rings(fetch_endless_interim_ones);
}

static void fetch_garbage(void)
{
    static const char *const rows[] = {
        "220 mail.example.com ESMTP\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "\x15\x03\x01",
        "+OK POP3",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i], "-4103");
    check("HTTP/1.1 200 OK\r\nA: b\r\nC : d\r\n\r\n", "HTTP/1.1 200 OK [A=b] -4103 {} -4103");
    check("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 200 OK -4103 {} -4103");
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
          "HTTP/1.1 200 OK [Transfer-Encoding=chunked] {} -4103");
}

static void test_garbage_is_an_error(void)
{
    on_all_rings(fetch_garbage);
}

static void fetch_truncated_ones(void)
{
    check("", "-4097");
    check("HTTP/1.1 20", "-4097");
    check("HTTP/1.1 200 OK\r\nA: b\r\nC: d", "HTTP/1.1 200 OK [A=b] -4097 {} -4097");
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
          "HTTP/1.1 200 OK [Content-Length=5] {hel} -4097");
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
          "HTTP/1.1 200 OK [Transfer-Encoding=chunked] {hel} -4097");
}

static void test_truncation_is_noticed(void)
{
    on_all_rings(fetch_truncated_ones);
}

/* The server has answered and gone before the request is sent. */
static void ask_too_late(void)
{
    static const char text[] = "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno";
    struct ouro_http_response *response;
    struct ouro_stream *ends[2];

    CU_ASSERT_EQUAL(ouro_stream_pair(ends), 0);
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends[1], text, sizeof(text) - 1), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[1]), 0);
    CU_ASSERT_EQUAL(ouro_http_get_over_take(ends[0], "http://host/", NULL, &response), 0);
    note_response(response);
    CU_ASSERT_STRING_EQUAL(transcript, "HTTP/1.1 503 Busy [Content-Length=2] {no}");
    ouro_http_response_close(response);

    CU_ASSERT_EQUAL(ouro_stream_pair(ends), 0);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[1]), 0);
    CU_ASSERT_EQUAL(ouro_http_get_over_take(ends[0], "http://host/", NULL, &response), OURO_EEOF);
    CU_ASSERT_EQUAL(ouro_stream_close(ends[0]), 0);
}

static void test_response_counts_also_when_the_request_was_not_wanted(void)
{
    on_all_rings(ask_too_late);
}

static void look_at_the_request(void)
{
    struct ouro_http_field headers[] = {{"X-A", "1"}, {"X-B", "2"}};
    struct ouro_http_get_options options = {.headers = headers, .header_count = 2};
    struct ouro_http_response *response;
    char url[64], expected[256];

    (void) fetch("HTTP/1.1 204 No\r\n\r\n");
    (void) sprintf(expected,
                   "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: ouro\r\n"
                   "Accept: */*\r\nConnection: close\r\n\r\n",
                   peer.port);
    CU_ASSERT_STRING_EQUAL(peer.request, expected);

    (void) sprintf(url, "http://127.0.0.1:%d", peer.port);
    CU_ASSERT_EQUAL(ouro_http_get(url, &options, &response), 0);
    ouro_http_response_close(response);
    CU_ASSERT_EQUAL(strncmp(peer.request, "GET / HTTP/1.1\r\n", 16), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(peer.request, "\r\nX-A: 1\r\nX-B: 2\r\n\r\n"));
    headers[0].value = "1\r\nX-C: 3";
    CU_ASSERT_EQUAL(ouro_http_get(url, &options, &response), -EINVAL);
    ouro_http_response_close(NULL);
}

static void test_request_is_what_was_asked_for(void)
{
    on_all_rings(look_at_the_request);
}

static void fetch_what_cannot_be(void)
{
    struct ouro_http_response *response;
    char url[64]; /* at an address of this process alone: nobody else listens there */

    (void) snprintf(url, sizeof(url), "http://127.99.%d.%d:1/", getpid() / 250 % 250,
                    getpid() % 250 + 1);
    CU_ASSERT_EQUAL(ouro_http_get("https://127.0.0.1/", NULL, &response), OURO_EURL);
    CU_ASSERT_EQUAL(ouro_http_get("127.0.0.1", NULL, &response), OURO_EURL);
    CU_ASSERT_EQUAL(ouro_http_get("http:///", NULL, &response), OURO_EURL);
    CU_ASSERT_EQUAL(ouro_http_get("http://127.0.0.1:0/", NULL, &response), -EINVAL);
    CU_ASSERT_EQUAL(ouro_http_get(url, NULL, &response), -ECONNREFUSED);
}

static void test_bad_urls_and_absent_servers_are_told_apart(void)
{
    on_all_rings(fetch_what_cannot_be);
}

static void fetch_large_heads(void)
{
    struct ouro_http_get_options options = {.header_bytes_max = 64, .header_count_max = 2};
    struct ouro_http_response *response;
    const char *name, *value;
    char url[64];
    int count = 0, code;

    (void) sprintf(url, "http://127.0.0.1:%d/", peer.port);
    peer.response = "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\nE: f\r\n\r\n";
    CU_ASSERT_EQUAL(ouro_http_get(url, &options, &response), 0);
    while ((code = ouro_http_response_next_header(response, &name, &value)) > 0)
        count++;
    CU_ASSERT_EQUAL(count, 2);
    CU_ASSERT_EQUAL(code, OURO_ELIMIT);
    ouro_http_response_close(response);
    peer.response = "HTTP/1.1 200 a reason that is so long, it is no reason to read on for us\r\n";
    CU_ASSERT_EQUAL(ouro_http_get(url, &options, &response), OURO_ELIMIT);
    options.header_bytes_max = 10;
    CU_ASSERT_EQUAL(ouro_http_get(url, &options, &response), -EINVAL);
}

static void test_response_heads_have_limits(void)
{
    on_all_rings(fetch_large_heads);
}

static void find_headers(void)
{
    struct ouro_http_response *response;
    const char *name, *value;
    char url[64], buf[8];

    (void) sprintf(url, "http://127.0.0.1:%d/", peer.port);
    peer.response = "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\nContent-Length: 2\r\n\r\nok";
    CU_ASSERT_EQUAL(ouro_http_get(url, NULL, &response), 0);
    CU_ASSERT_EQUAL(ouro_http_response_header(response, "c", &value), 1);
    CU_ASSERT_STRING_EQUAL(value, "d");
    CU_ASSERT_EQUAL(ouro_http_response_header(response, "x", &value), 0);
    CU_ASSERT_EQUAL(ouro_http_response_read(response, buf, 1), 1);
    CU_ASSERT_EQUAL(ouro_http_response_next_header(response, &name, &value), 1);
    CU_ASSERT_STRING_EQUAL(name, "A");
    CU_ASSERT_EQUAL(ouro_http_response_read(response, buf, 8), 1);
    CU_ASSERT_EQUAL(ouro_http_response_read(response, buf, 8), 0);
    ouro_http_response_close(response);
}

static void test_headers_are_found_by_name_at_any_time(void)
{
    on_all_rings(find_headers);
}

#define LARGE 10000

static void read_all_of_it(void)
{
    struct ouro_http_response *response;
    static char text[LARGE + 200];
    const char *body = "";
    char url[64], byte;
    int head = sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);

    memset(text + head, 'x', LARGE);
    text[head] = 'a';
    text[head + LARGE - 1] = 'z';
    text[head + LARGE] = '\0';
    peer.response = text;
    (void) sprintf(url, "http://127.0.0.1:%d/", peer.port);
    CU_ASSERT_EQUAL(ouro_http_get(url, NULL, &response), 0);
    CU_ASSERT_EQUAL(ouro_http_response_read_all(response, 100, &body), OURO_ELIMIT);
    CU_ASSERT_EQUAL(ouro_http_response_read_all(response, LARGE - 1, &body), OURO_ELIMIT);
    CU_ASSERT_STRING_EQUAL(body, "");
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(ouro_http_response_read_all(response, LARGE, &body), LARGE);
        CU_ASSERT_STRING_EQUAL(body, text + head);
    }
    CU_ASSERT_EQUAL(ouro_http_response_read(response, &byte, 1), 0);
    CU_ASSERT_EQUAL(ouro_http_response_read_all(response, 100, &body), OURO_ELIMIT);
    ouro_http_response_close(response);

    CU_ASSERT_EQUAL(ouro_http_get(url, NULL, &response), 0);
    CU_ASSERT_EQUAL(ouro_http_response_read_all(response, 100, &body), OURO_ELIMIT);
    CU_ASSERT_EQUAL(ouro_http_response_read(response, &byte, 1), 1); /* it did not go on */
    ouro_http_response_close(response);

    peer.response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"; /* breaks off */
    CU_ASSERT_EQUAL(ouro_http_get(url, NULL, &response), 0);
    CU_ASSERT_EQUAL(ouro_http_response_read(response, &byte, 1), 1);
    CU_ASSERT_EQUAL(ouro_http_response_read_all(response, 100, &body), OURO_EEOF);
    ouro_http_response_close(response);

    peer.response = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    CU_ASSERT_EQUAL(ouro_http_get(url, NULL, &response), 0);
    CU_ASSERT_EQUAL(ouro_http_response_read(response, &byte, 1), 1);
    CU_ASSERT_EQUAL(ouro_http_response_read_all(response, 2, &body), 2); /* the rest */
    CU_ASSERT_STRING_EQUAL(body, "bc");
    ouro_http_response_close(response);

    peer.response = "HTTP/1.1 204 Nothing\r\n\r\n";
    CU_ASSERT_EQUAL(ouro_http_get(url, NULL, &response), 0);
    CU_ASSERT_EQUAL(ouro_http_response_read_all(response, 0, &body), 0);
    CU_ASSERT_STRING_EQUAL(body, "");
    ouro_http_response_close(response);
}

static void test_body_is_read_whole_within_a_limit(void)
{
    on_all_rings(read_all_of_it);
}

static void wait_for_the_silent(void)
{
    struct ouro_http_response *response;
    struct ouro_timeout limit;
    const char *name, *value;
    char url[64];

    peer.keeps_open = true;
    (void) sprintf(url, "http://127.0.0.1:%d/", peer.port);
    peer.response = "HTTP/1.1 200";
    ouro_timeout_begin(&limit, 20 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_http_get(url, NULL, &response), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);

    /* What has come by then is not lost. */
    peer.response = "HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n";
    ouro_timeout_begin(&limit, 200 * OURO_MILLISECOND); /* enough for a busy machine */
    CU_ASSERT_EQUAL_FATAL(ouro_http_get(url, NULL, &response), 0);
    CU_ASSERT_EQUAL(ouro_http_response_next_header(response, &name, &value), 1);
    CU_ASSERT_EQUAL(ouro_http_response_next_header(response, &name, &value), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    ouro_http_response_close(response);
    peer.keeps_open = false;
}

static void test_time_limits_work_around_any_call(void)
{
    on_all_rings(wait_for_the_silent);
}

const struct test http_client_tests[] = {
    TEST(test_responses_are_read_whatever_their_framing),
    TEST(test_interim_responses_are_skipped),
    TEST(test_interim_responses_have_a_limit),
    TEST(test_garbage_is_an_error),
    TEST(test_truncation_is_noticed),
    TEST(test_response_counts_also_when_the_request_was_not_wanted),
    TEST(test_request_is_what_was_asked_for),
    TEST(test_bad_urls_and_absent_servers_are_told_apart),
    TEST(test_response_heads_have_limits),
    TEST(test_headers_are_found_by_name_at_any_time),
    TEST(test_body_is_read_whole_within_a_limit),
    TEST(test_time_limits_work_around_any_call),
    TEST_END,
};
