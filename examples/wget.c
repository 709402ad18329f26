/* SPDX-License-Identifier: MIT */
/*
 * wget - the header of a page from many hosts at once, in one thread
 *
 * Shows:  one task per host, written as if it were the only one; time limits; errors.
 * Run:    build/examples/wget [--timeout SECONDS] HOST[:PORT]...
 * Prints: wget HOST... for each, and HOST header > ... for each line of the header of its page
 *         "/", as it comes. A host that fails gets a line on stderr and does not disturb the
 *         others; the exit status is 1 then.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"
#include "ouro_proto.h"

struct job {
    const char *host;
    double limit_seconds;
    bool failed;
};

static void print_status(const char *host, const struct ouro_http_response *response)
{
    const char *reason = ouro_http_response_reason(response);

    printf("%s header > %s %d%s%s\n", host, ouro_http_response_version(response),
           ouro_http_response_status(response), *reason ? " " : "", reason);
}

static int fetch(const char *host)
{
    struct ouro_http_response *response;
    const char *name, *value;
    char url[512];
    int code;

    if (snprintf(url, sizeof(url), "http://%s/", host) >= (int) sizeof(url))
        return OURO_EURL;
    printf("wget %s...\n", host);
    code = ouro_http_get(url, NULL, &response);
    if (code)
        return code;
    print_status(host, response);
    while ((code = ouro_http_response_next_header(response, &name, &value)) > 0)
        printf("%s header > %s: %s\n", host, name, value);
    ouro_http_response_close(response); /* the body is not wanted */
    return code;
}

static int fetch_in_time(void *arg)
{
    struct job *job = arg;
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin(&limit, (int64_t) (job->limit_seconds * (double) OURO_SECOND));
    code = fetch(job->host);
    job->failed = code != 0;
    if (ouro_timeout_end(&limit))
        fprintf(stderr, "wget: %s: no answer within %g s\n", job->host, job->limit_seconds);
    else if (code)
        fprintf(stderr, "wget: %s: %s\n", job->host, ouro_strerror(code));
    return 0;
}

struct jobs {
    struct job *first;
    int count;
};

static int fetch_all(void *arg)
{
    const struct jobs *jobs = arg;
    struct ouro_group group;
    int code = 0;

    ouro_group_init(&group);
    for (int i = 0; i < jobs->count && !code; i++)
        code = ouro_group_spawn(&group, fetch_in_time, &jobs->first[i]);
    if (code) {
        fprintf(stderr, "wget: %s\n", ouro_strerror(code));
        ouro_group_cancel(&group);
    }
    (void) ouro_group_wait(&group); /* each task reports for itself */
    for (int i = 0; i < jobs->count; i++)
        code |= jobs->first[i].failed;
    return code;
}

static int fetch_hosts(char **hosts, int count, double limit_seconds)
{
    struct jobs jobs = {.first = calloc((size_t) count, sizeof(struct job)), .count = count};
    int code = -ENOMEM;

    for (int i = 0; jobs.first && i < count; i++)
        jobs.first[i] = (struct job) {.host = hosts[i], .limit_seconds = limit_seconds};
    if (jobs.first)
        code = ouro_run(fetch_all, &jobs, NULL);
    free(jobs.first);
    return code;
}

static bool parse_seconds(const char *text, double *ret_seconds)
{
    char *end;

    *ret_seconds = text ? strtod(text, &end) : 0;
    return text && end != text && !*end && *ret_seconds > 0 && *ret_seconds <= 86400;
}

int main(int argc, char **argv)
{
    double limit_seconds = 30;
    int first = 1;

    if (argc > 1 && strcmp(argv[1], "--timeout") == 0) {
        if (!parse_seconds(argv[2], &limit_seconds))
            argc = 0;
        first = 3;
    }
    if (first >= argc) {
        fprintf(stderr, "usage: wget [--timeout SECONDS] HOST[:PORT]...\n");
        return 2;
    }
    (void) setvbuf(stdout, NULL, _IOLBF, 0);
    return fetch_hosts(argv + first, argc - first, limit_seconds) ? 1 : 0;
}
