/* SPDX-License-Identifier: MIT */
/*
 * connections - many connections to one server, all asking at the same moment
 *
 * Question: does a server answer N requests at once, and how long does the last one wait?
 * Run:      build/examples/http_server &
 *           build/bench/connections [--count 10000] [--path /hello/x] ADDR:PORT
 * Prints:   10000 of 10000 answered in 0.81 s (connect 0.4 s)
 *           The time is from the first request to the last answer; a server whose handlers
 *           sleep half a second can't be below that. The exit status is 1 when an answer is
 *           missing, broken or no 200.
 *
 * One loop, one task per connection. Each process may have as many connections as
 * RLIMIT_NOFILE allows descriptors.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "ouro.h"
#include "ouro_proto.h"

/* A backlog holds 4,096 new connections as a rule; one that does not fit waits a second. */
#define WAVE 512

#define LIMIT_NS (60 * OURO_SECOND)

struct run {
    struct ouro_address address;
    char url[512];
    int count;
    struct client *clients;
    int answered;
    int error; /* the first */
};

struct client {
    struct run *run;
    struct ouro_stream *stream;
};

static void note_error(struct run *run, int code)
{
    if (!run->error)
        run->error = code;
}

/* --- connecting -------------------------------------------------------------------------- */

static int connect_client(void *arg)
{
    struct client *client = arg;
    const struct ouro_address *address = &client->run->address;
    /* Closing resets: ports left in TIME_WAIT would make the next run's connects crawl. */
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int fd = ouro_socket(address->sockaddr.sa_family, SOCK_STREAM, 0);
    int code = fd < 0 ? fd : ouro_connect(fd, &address->sockaddr, address->len);

    if (!code)
        code = ouro_setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (!code)
        code = ouro_stream_socket_take(fd, &client->stream);
    if (code && fd >= 0)
        (void) ouro_close(fd);
    if (code)
        note_error(client->run, code);
    return 0;
}

/* --- asking ------------------------------------------------------------------------------ */

/* Reads the body to its end. Returns 0 when all is as it should be. */
static int check_response(struct ouro_http_response *response)
{
    char buf[512];
    ssize_t len = 1;

    if (ouro_http_response_status(response) != 200)
        return -EPROTO;
    while (len > 0)
        len = ouro_http_response_read(response, buf, sizeof(buf));
    return (int) len;
}

static int ask(void *arg)
{
    static const struct ouro_http_get_options options = {.header_bytes_max = 4096};
    struct client *client = arg;
    struct ouro_http_response *response;
    int code;

    if (!client->stream)
        return 0;
    code = ouro_http_get_over_take(client->stream, client->run->url, &options, &response);
    if (code) {
        (void) ouro_stream_close(client->stream);
    } else {
        code = check_response(response);
        ouro_http_response_close(response);
    }
    client->run->answered += code == 0;
    if (code)
        note_error(client->run, code);
    return 0;
}

/* --- running ----------------------------------------------------------------------------- */

/* Runs `fn` for the clients from `first` on, at most `count` of them, all at once. */
static int for_clients(struct run *run, ouro_task_fn *fn, int first, int count)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_64K};
    struct ouro_group group;
    int code = 0;

    ouro_group_init(&group);
    for (int i = first; i < run->count && i < first + count && !code; i++)
        code = ouro_group_spawn_with(&group, fn, &run->clients[i], &options);
    if (code)
        ouro_group_cancel(&group);
    (void) ouro_group_wait(&group);
    return code;
}

static int connect_and_ask(struct run *run)
{
    int64_t start = ouro_now(), connected;
    int code = 0;

    for (int i = 0; i < run->count && !code; i += WAVE)
        code = for_clients(run, connect_client, i, WAVE);
    connected = ouro_now();
    if (!code)
        code = for_clients(run, ask, 0, run->count);
    if (code)
        return code;
    printf("%d of %d answered in %.2f s (connect %.2f s)\n", run->answered, run->count,
           (double) (ouro_now() - connected) / (double) OURO_SECOND,
           (double) (connected - start) / (double) OURO_SECOND);
    if (run->error)
        fprintf(stderr, "connections: the first error: %s\n", ouro_strerror(run->error));
    return run->answered == run->count ? 0 : -EIO;
}

static int main_task(void *arg)
{
    struct run *run = arg;
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin(&limit, LIMIT_NS);
    code = connect_and_ask(run);
    if (ouro_timeout_end(&limit))
        fprintf(stderr, "connections: gave up after %d s\n", (int) (LIMIT_NS / OURO_SECOND));
    return code;
}

static bool raise_descriptor_limit(int count)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    limit.rlim_cur = limit.rlim_max;
    return limit.rlim_max > (rlim_t) count + 16 && setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static int run_bench(const char *address_text, const char *path, int count)
{
    struct run run = {.count = count, .clients = calloc((size_t) count, sizeof(struct client))};
    int code;

    if (!run.clients || ouro_address_parse(address_text, -1, &run.address) ||
        snprintf(run.url, sizeof(run.url), "http://%s%s", address_text, path) >=
            (int) sizeof(run.url)) {
        fprintf(stderr, "connections: %s%s: not an address and a path\n", address_text, path);
        free(run.clients);
        return 2;
    }
    for (int i = 0; i < count; i++)
        run.clients[i].run = &run;
    code = ouro_run(main_task, &run, NULL);
    free(run.clients);
    return code ? 1 : 0;
}

int main(int argc, char **argv)
{
    const char *path = "/hello/x", *address = NULL;
    int count = 10000;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
            count = atoi(argv[++i]);
        else if (strcmp(argv[i], "--path") == 0 && i + 1 < argc)
            path = argv[++i];
        else
            address = argv[i];
    }
    if (!address || count < 1) {
        fprintf(stderr, "usage: connections [--count N] [--path PATH] ADDR:PORT\n");
        return 2;
    }
    if (!raise_descriptor_limit(count)) {
        fprintf(stderr, "connections: %d connections need a higher limit of open files\n", count);
        return 2;
    }
    return run_bench(address, path, count);
}
