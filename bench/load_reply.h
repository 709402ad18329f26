/* SPDX-License-Identifier: MIT */
/*
 * load_reply.h - where an answer ends, and what it is: a reader for the load generator
 *
 * Why not the engine's own HTTP client: a generator that takes as long over an answer as the server
 * does measures itself. This one looks at the status, at the framing and at Connection, in one pass
 * over the head, and at nothing else; bodies are only counted, and compared when asked to. It takes
 * what servers send as a rule, and refuses what it does not understand, bare line feeds and folded
 * lines for example: it never guesses where an answer ends. Pieces may end at any byte.
 *
 * Pure: bytes in, result out. Memory is allocated only for a head that comes in pieces.
 */
#ifndef LOAD_REPLY_H
#define LOAD_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_HEAD_MAX ((size_t) 32 * 1024) /* of an answer */

/* What decides how an answer is read. */
enum load_reply_kind {
    LOAD_REPLY_HTTP,
    LOAD_REPLY_TO_HEAD, /* HTTP, but without a body whatever the head says */
    LOAD_REPLY_ECHO     /* as many bytes as are expected */
};

/* What an answer's body is to be. */
struct load_expectation {
    const char *body; /* NULL: any */
    size_t body_len;  /* of `body`, and of an echo */
};

enum load_parsed {
    LOAD_PARSED_MORE,  /* the answer goes on */
    LOAD_PARSED_REPLY, /* it ended */
    LOAD_PARSED_BAD    /* it is not valid, or not understood */
};

/* Zeroed memory is ready for load_reply_begin(). The first group is the result. */
struct load_reply {
    int status;          /* 0 of an echo */
    uint64_t body_bytes; /* so far */
    bool body_differs;   /* from what was expected; in length, only valid in the end */
    bool is_last;        /* the peer will close the connection */

    /* private */
    const struct load_expectation *expected;
    uint64_t left; /* of the body, or of the chunk */
    char *partial; /* a head that came in pieces; kept for the next */
    size_t partial_len, partial_size;
    unsigned char state;
    unsigned char kind;
    unsigned char digits; /* of a chunk's size */
    bool is_begun;        /* something of it has come */
};

/* load_reply_begin - be ready for an answer; `expected` is borrowed until its end. */
void load_reply_begin(struct load_reply *reply, enum load_reply_kind kind,
                      const struct load_expectation *expected);

/*
 * load_reply_feed - read on, at most to the end of the answer
 * @at: moved to behind what was read
 *
 * Answers with status 1xx are passed over; 101 is refused.
 */
enum load_parsed load_reply_feed(struct load_reply *reply, const char **at, const char *end);

/*
 * load_reply_end - the connection has ended
 *
 * Returns LOAD_PARSED_REPLY for an answer whose end that is; LOAD_PARSED_MORE when none had
 * begun; LOAD_PARSED_BAD when it was cut short.
 */
enum load_parsed load_reply_end(struct load_reply *reply);

/* load_reply_done - free what it holds. */
void load_reply_done(struct load_reply *reply);

#endif /* LOAD_REPLY_H */
