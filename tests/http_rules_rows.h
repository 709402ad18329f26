/* SPDX-License-Identifier: MIT */
/*
 * http_rules_rows.h - what http_rules_test.c says to a server, and what it has to hear
 */
#ifndef OURO_TEST_HTTP_RULES_ROWS_H
#define OURO_TEST_HTTP_RULES_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The limits of the server that the rows are written for. */
#define RULES_LINE_MAX  100
#define RULES_HEAD_MAX  512
#define RULES_COUNT_MAX 12
#define RULES_BODY_MAX  1000

struct rule_row {
    int item; /* of the list in docs/http-rules.md */
    const char *about;
    const char *bytes;
    size_t len;
    /*
     * The statuses of all answers, interim ones too, in their order; "200h" is an answer to
     * HEAD. Then how the connection goes on: nothing said, it does, and the next request is
     * answered; "close", it ends, as its last answer has announced; "cut", it ends without
     * a word about it.
     */
    const char *answers;
    const char *has, *lacks; /* within the answers; NULL: whatever */

    const char *rest;  /* sent when everybody waits after `bytes`: the body after 100 Continue */
    size_t pad;        /* as many bytes "x" follow `bytes` */
    bool half_closed;  /* the client ends its sending direction behind `bytes` */
    int64_t after_ns;  /* the end comes as long after the first byte, not before */
    const char *known; /* why the row does not hold yet: it is skipped */
};

extern const struct rule_row rule_rows[];
extern const size_t rule_row_count;

struct ouro_http_app;

/* The application that the rows ask, of http_rules_app.c. */
int rules_app_create(struct ouro_http_app **ret_app);

#endif /* OURO_TEST_HTTP_RULES_ROWS_H */
