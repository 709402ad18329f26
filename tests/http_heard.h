/* SPDX-License-Identifier: MIT */
/*
 * http_heard.h - a response of ouro_http_ask() as plain text, for the suites that compare such
 */
#ifndef OURO_TEST_HTTP_HEARD_H
#define OURO_TEST_HTTP_HEARD_H

#include <stdio.h>
#include <string.h>

#include "ouro_http_test.h"

#include "test.h"

struct heard {
    int status;
    char fields[2000]; /* "name: value|" for each but Date */
    char body[200001];
    size_t body_len;
    int code; /* of the end of the body */
};

static inline void heard_note(struct heard *heard, const char *name, const char *value)
{
    size_t len = strlen(heard->fields);

    if (strcmp(name, "Date") != 0)
        (void) snprintf(heard->fields + len, sizeof(heard->fields) - len, "%s: %s|", name, value);
}

/* Asks, and hears all of the answer. */
static inline int hear(struct ouro_http_app *app, const struct ouro_http_ask *request,
                       struct heard *ret_heard)
{
    struct ouro_http_response *response;
    const char *name, *value;
    ssize_t len;
    int code = ouro_http_ask(app, request, &response);

    memset(ret_heard, 0, sizeof(*ret_heard));
    CU_ASSERT_EQUAL(code, 0);
    if (code)
        return code;
    ret_heard->status = ouro_http_response_status(response);
    while (ouro_http_response_next_header(response, &name, &value) > 0)
        heard_note(ret_heard, name, value);
    while ((len = ouro_http_response_read(response, ret_heard->body + ret_heard->body_len,
                                          sizeof(ret_heard->body) - 1 - ret_heard->body_len)) > 0)
        ret_heard->body_len += (size_t) len;
    ret_heard->code = (int) len;
    ouro_http_response_close(response);
    return 0;
}

#endif /* OURO_TEST_HTTP_HEARD_H */
