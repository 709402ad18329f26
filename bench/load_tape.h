/* SPDX-License-Identifier: MIT */
/*
 * load_tape.h - the requests that connections send, in the order in which they send them
 *
 * A tape is made before anything is sent, and is one piece of memory: the texts of its requests
 * one behind the other. A connection walks round it, and what it sends at a time, pipelined
 * requests of a mix too, is always a piece of the tape: nothing is composed or copied while the
 * load runs. Behind the last request the first ones follow once more, so that a window of
 * `pipeline` requests never wraps.
 *
 * A mix is spread evenly and exactly by its weights (the one that is furthest behind its share
 * is next), the same each time.
 */
#ifndef LOAD_TAPE_H
#define LOAD_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load_reply.h"

#define LOAD_TAPE_MAX   10000              /* requests; the sum of the weights of a mix */
#define LOAD_TAPE_BYTES ((size_t) 1 << 30) /* all together */

/* One kind of request. */
struct load_request {
    char *text;
    size_t len;
    unsigned weight;
    enum load_reply_kind kind;
};

/* What they have in common. */
struct load_request_options {
    const char *host;           /* for the field Host, with the port if it is not 80 */
    const char *const *headers; /* "Name: value"; one that is named here is not added of itself */
    unsigned header_count;
    bool closes; /* say "Connection: close" */
};

/* Kinds of requests, while they are collected. Zeroed memory has none. */
struct load_requests {
    struct load_request *first;
    unsigned count;
};

struct load_tape {
    unsigned count; /* of requests */
    char *text;
    size_t *offsets;      /* where each begins; one more for the end, and those that follow again */
    unsigned char *kinds; /* enum load_reply_kind */
    unsigned short *names; /* the index of each in what it was made of */
};

/* load_requests_add - an HTTP request. Returns 0; -EINVAL for what can't be one; -ENOMEM. */
int load_requests_add(struct load_requests *requests, const struct load_request_options *options,
                      const char *method, const char *target, const char *body, size_t body_len,
                      unsigned weight);

/*
 * load_requests_add_raw - one or more requests as they are
 *
 * They are told apart by Content-Length, "Transfer-Encoding: chunked" and the empty line. What is
 * none (a request that is wrong on purpose) is one request to its end.
 *
 * Returns how many; -ENOMEM; -E2BIG.
 */
int load_requests_add_raw(struct load_requests *requests, const char *text, size_t len);

/*
 * load_requests_add_mix - lines "WEIGHT METHOD TARGET [BODY-FILE]"; # begins a comment
 * @ret_line: on failure the line that is wrong
 *
 * Returns 0; -EINVAL; -ENOMEM; why a body's file can't be read.
 */
int load_requests_add_mix(struct load_requests *requests,
                          const struct load_request_options *options, const char *text,
                          unsigned *ret_line);

/* load_requests_add_echo - a message of `len` bytes, which is its own answer. 0 or -ENOMEM. */
int load_requests_add_echo(struct load_requests *requests, size_t len);

void load_requests_done(struct load_requests *requests);

/* load_tape_make - a tape of all. Returns 0; -EINVAL when there are none; -E2BIG; -ENOMEM. */
int load_tape_make(const struct load_requests *requests, unsigned pipeline,
                   struct load_tape *ret_tape);

void load_tape_done(struct load_tape *tape);

/* load_read_file - all of a file, with a NUL behind it; free() it. Returns 0 or -errno. */
int load_read_file(const char *path, char **ret_text, size_t *ret_len);

#endif /* LOAD_TAPE_H */
