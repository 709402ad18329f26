/* SPDX-License-Identifier: MIT */
/*
 * load_options.h - the command line of ouro_load
 */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ouro_address.h"

#define LOAD_HEADERS_MAX 64
#define LOAD_RAWS_MAX    64

/* Texts point into the command line; load_options_done() frees the rest. */
struct load_options {
    const char *target; /* as given: a URL, or an address with --echo */
    const char *path;   /* of the URL, with the query */
    char host[300];     /* for the field Host */
    char name[256];     /* of the host, to be resolved; empty: `address` is known */
    int port;
    struct ouro_address address;
    size_t echo_bytes; /* 0: HTTP */
    unsigned connections, pipeline, threads;
    uint64_t requests; /* 0: until the time is over */
    double rate;       /* 0: as fast as answers come */
    int64_t duration_ns, warm_up_ns, timeout_ns, think_ns;
    int64_t spin_ns; /* as in struct ouro_run_options */
    bool closes, allow_errors, progress;
    const char *method; /* NULL: GET, or POST with a body */
    const char *headers[LOAD_HEADERS_MAX];
    unsigned header_count;
    const char *body; /* NULL: none */
    size_t body_len;
    const char *mix; /* a file; NULL */
    const char *raws[LOAD_RAWS_MAX];
    unsigned raw_count;
    const char *statuses_text; /* as given; NULL: 200-399 */
    bool statuses[600];
    int64_t length;            /* expected of bodies; -1: any */
    const char *expected_body; /* NULL: any */
    size_t expected_body_len;
    const char *json, *csv; /* files; "-": stdout; NULL: none */
    char *files[2];         /* what was read for `body` and `expected_body` */
};

extern const char load_usage[];

/*
 * load_options_parse - read a command line
 * @err: where it says what is wrong, in a line
 *
 * Returns 0; 1 for --help, 2 for --version; -EINVAL. What it has allocated is in `ret_options` in
 * any case.
 */
int load_options_parse(int argc, char **argv, FILE *err, struct load_options *ret_options);

void load_options_done(struct load_options *options);

#endif /* LOAD_OPTIONS_H */
