/* SPDX-License-Identifier: MIT */
/*
 * load_reply_test.c - tests of bench/load_reply.c
 *
 * Each answer is read whole, byte by byte, and cut in two at every offset, always up to the edge of
 * a page that must not be touched: the outcome has to be the same.
 */
#include <stdio.h>
#include <string.h>

#include "guarded.h"
#include "load_reply.h"

#include "test.h"

#define OK     "HTTP/1.1 200 OK\r\n"
#define LENGTH OK "Content-Length: "
#define CHUNKS OK "Transfer-Encoding: chunked\r\n\r\n"

/* What becomes of an answer, with `rest` bytes behind it. */
static const struct row {
    const char *text;
    enum load_reply_kind kind;
    enum load_parsed parsed;
    int status;
    unsigned body, rest;
    bool is_last, differs; /* from "hello" */
} rows[] = {
    {LENGTH "5\r\n\r\nhello", 0, LOAD_PARSED_REPLY, 200, 5, 0, false, false},
    {LENGTH "5\r\n\r\nhelloHTTP", 0, LOAD_PARSED_REPLY, 200, 5, 4, false, false},
    {LENGTH "5\r\n\r\nhallo", 0, LOAD_PARSED_REPLY, 200, 5, 0, false, true},
    {LENGTH "4\r\n\r\nhell", 0, LOAD_PARSED_REPLY, 200, 4, 0, false, true},
    {LENGTH "6\r\n\r\nhello!", 0, LOAD_PARSED_REPLY, 200, 6, 0, false, true},
    {LENGTH "0\r\n\r\n", 0, LOAD_PARSED_REPLY, 200, 0, 0, false, true},
    {OK "content-length:\t5 \r\nX: y\r\nDate: z\r\n\r\nhello", 0, LOAD_PARSED_REPLY, 200, 5, 0,
     false, false},
    {"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", 0, LOAD_PARSED_REPLY, 200, 5, 0, false,
     false},
    {LENGTH "5\r\nContent-Length: 5\r\n\r\nhello", 0, LOAD_PARSED_REPLY, 200, 5, 0, false, false},
    {CHUNKS "5\r\nhello\r\n0\r\n\r\n", 0, LOAD_PARSED_REPLY, 200, 5, 0, false, false},
    {CHUNKS "2\r\nhe\r\n003;a=b\r\nllo\r\n0;x\r\n\r\n..", 0, LOAD_PARSED_REPLY, 200, 5, 2, false,
     false},
    {CHUNKS "5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n", 0, LOAD_PARSED_REPLY, 200, 5, 0, false,
     false},
    {CHUNKS "B\r\nhello world\r\n0\r\n\r\n", 0, LOAD_PARSED_REPLY, 200, 11, 0, false, true},
    {"HTTP/1.1 204 No Content\r\n\r\n", 0, LOAD_PARSED_REPLY, 204, 0, 0, false, true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 0, LOAD_PARSED_REPLY, 304, 0, 0,
     false, true},
    {LENGTH "9\r\n\r\n", LOAD_REPLY_TO_HEAD, LOAD_PARSED_REPLY, 200, 0, 0, false, false},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: foo, Close\r\n\r\nhello", 0,
     LOAD_PARSED_REPLY, 404, 5, 0, true, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, LOAD_PARSED_REPLY, 200, 5, 0, true,
     false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", 0,
     LOAD_PARSED_REPLY, 200, 5, 0, false, false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" LENGTH "5\r\n\r\nhello",
     0, LOAD_PARSED_REPLY, 200, 5, 0, false, false},
    {"hello", LOAD_REPLY_ECHO, LOAD_PARSED_REPLY, 0, 5, 0, false, false},
    {"hallo12", LOAD_REPLY_ECHO, LOAD_PARSED_REPLY, 0, 5, 2, false, true},
    /* Not complete. */
    {"", 0, LOAD_PARSED_MORE, 0, 0, 0, false, false},
    {OK "Content-Length: 5\r\n", 0, LOAD_PARSED_MORE, 0, 0, 0, false, false},
    {LENGTH "5\r\n\r\nhell", 0, LOAD_PARSED_MORE, 0, 0, 0, false, false},
    {CHUNKS "5\r\nhello\r\n0\r\n", 0, LOAD_PARSED_MORE, 0, 0, 0, false, false},
    {OK "\r\nhello", 0, LOAD_PARSED_MORE, 0, 0, 0, false, false}, /* until the connection ends */
    {"hell", LOAD_REPLY_ECHO, LOAD_PARSED_MORE, 0, 0, 0, false, false},
    /* Not valid, or not understood. */
    {"HTTP/2 200 OK\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {"HTTP/1.2 200 OK\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {"HTTP/1.1 20 OK\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {"HTTP/1.1 2000 OK\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {"HTTP/1.1 099 OK\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {"SSH-2.0-OpenSSH_9\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {OK "No colon\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {OK ": no name\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {OK "Name : x\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {OK "A: b\r\n folded: x\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {LENGTH "-5\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {LENGTH "5x\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {LENGTH "\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {LENGTH "9999999999999999999\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {LENGTH "5\r\nContent-Length: 6\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {LENGTH "5\r\nTransfer-Encoding: chunked\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {OK "Transfer-Encoding: gzip\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false,
     false},
    {CHUNKS "\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {CHUNKS "x\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {CHUNKS "5\nhello", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {CHUNKS "5\r\nhelloX", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {CHUNKS "5\r\nhello\r\n\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
    {CHUNKS "1234567890123456\r\n", 0, LOAD_PARSED_BAD, 0, 0, 0, false, false},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct load_expectation hello = {"hello", 5};

static struct guarded guarded;

/* Feeds one piece that ends at the edge of a page. */
static enum load_parsed feed(struct load_reply *reply, const char *text, size_t len, size_t *rest)
{
    const char *at = guarded_copy(&guarded, text, len), *end = at + len;
    enum load_parsed parsed = load_reply_feed(reply, &at, end);

    *rest = (size_t) (end - at);
    return parsed;
}

/* In pieces that end at `cut` and then each `step` bytes further. Returns whether it is as told. */
static bool is_as_told(const struct row *row, size_t cut, size_t step)
{
    struct load_reply reply = {.status = 0};
    enum load_parsed parsed = LOAD_PARSED_MORE;
    size_t len = strlen(row->text), at = 0, rest = 0;
    bool is_right;

    load_reply_begin(&reply, row->kind, &hello);
    while (at < len && parsed == LOAD_PARSED_MORE) {
        size_t to = at < cut ? cut : at + step;

        to = to < len ? to : len;
        parsed = feed(&reply, row->text + at, to - at, &rest);
        at = to - rest;
    }
    is_right = parsed == row->parsed;
    if (is_right && parsed == LOAD_PARSED_REPLY)
        is_right = reply.status == row->status && reply.body_bytes == row->body &&
                   len - at == row->rest && reply.is_last == row->is_last &&
                   reply.body_differs == row->differs;
    load_reply_done(&reply);
    return is_right;
}

static void test_answers_are_read_whatever_their_pieces(void)
{
    guarded_init(&guarded);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        size_t len = strlen(rows[i].text);
        bool is_right = is_as_told(&rows[i], 0, 1); /* byte by byte */

        for (size_t cut = 0; cut <= len && is_right; cut++)
            is_right = is_as_told(&rows[i], cut, len + 1);
        if (!is_right)
            printf("row %zu: %s\n", i, rows[i].text);
        CU_ASSERT(is_right);
    }
    guarded_done(&guarded);
}

/* The end of the connection completes what has no other end, and nothing else. */
static void test_end_of_connection_ends_an_answer_without_length(void)
{
    static const struct {
        const char *text;
        enum load_parsed parsed;
    } ends[] = {
        {OK "\r\nhello", LOAD_PARSED_REPLY},
        {OK "Connection: close\r\n\r\nhello", LOAD_PARSED_REPLY},
        {"", LOAD_PARSED_MORE},
        {"H", LOAD_PARSED_BAD},
        {LENGTH "5\r\n\r\nhell", LOAD_PARSED_BAD},
        {CHUNKS "5\r\nhello\r\n", LOAD_PARSED_BAD},
    };

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct load_reply reply = {.status = 0};
        const char *at = ends[i].text;

        load_reply_begin(&reply, LOAD_REPLY_HTTP, &hello);
        CU_ASSERT_EQUAL(load_reply_feed(&reply, &at, at + strlen(at)), LOAD_PARSED_MORE);
        CU_ASSERT_EQUAL(load_reply_end(&reply), ends[i].parsed);
        if (ends[i].parsed == LOAD_PARSED_REPLY)
            CU_ASSERT(reply.body_bytes == 5 && !reply.body_differs && reply.is_last);
        load_reply_done(&reply);
    }
}

static void test_a_head_has_a_limit(void)
{
    struct load_reply reply = {.status = 0};
    enum load_parsed parsed = LOAD_PARSED_MORE;
    size_t len = 0;

    load_reply_begin(&reply, LOAD_REPLY_HTTP, NULL);
    for (const char *text = OK; parsed == LOAD_PARSED_MORE && len < 2 * LOAD_HEAD_MAX;
         text = "Name: value\r\n") {
        const char *at = text;

        len += strlen(text);
        parsed = load_reply_feed(&reply, &at, at + strlen(at));
    }
    CU_ASSERT_EQUAL(parsed, LOAD_PARSED_BAD);
    CU_ASSERT(len > LOAD_HEAD_MAX && len < LOAD_HEAD_MAX + 100);
    load_reply_done(&reply);
}

const struct test load_reply_tests[] = {
    TEST(test_answers_are_read_whatever_their_pieces),
    TEST(test_end_of_connection_ends_an_answer_without_length),
    TEST(test_a_head_has_a_limit),
    TEST_END,
};
