/* SPDX-License-Identifier: MIT */
/*
 * http_answer.h - answers of a server, read strictly
 *
 * A body that looks like an answer is not taken for one, as the framing is followed; and
 * what a server may not send is a fault: two framings, none, a framing where there is no
 * body, no date, a name of its maker, lines of an odd form.
 */
#ifndef OURO_TEST_HTTP_ANSWER_H
#define OURO_TEST_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

struct http_answer {
    int status;
    bool says_close;
    const char *end; /* behind its body */
};

/* Reads the answer at `at`. Returns NULL, or what is wrong with it. */
const char *http_answer_read(const char *at, const char *end, bool to_head,
                             struct http_answer *ret_answer);

#endif /* OURO_TEST_HTTP_ANSWER_H */
