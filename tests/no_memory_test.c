/* SPDX-License-Identifier: MIT */
/*
 * no_memory_test.c - what happens when there is no memory
 *
 * Programs that use a part of the library each run again and again, each time with another
 * allocation failing: the first, the second, and so on until none is left to fail. They may
 * succeed or fail, but they must end, and afterwards nothing may be left (account.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "loop.h"
#include "ouro_channel.h"
#include "ouro_dns.h"
#include "ouro_http_client.h"
#include "ouro_http_server.h"
#include "ouro_http_test.h"
#include "ouro_message.h"
#include "ouro_stream.h"
#include "ouro_tls.h"
#include "self_signed.h"

#define ALLOCATIONS_MAX 2000 /* so many are not made */

/* The first error counts. */
static void keep(int *code, int64_t result)
{
    if (*code == 0 && result < 0)
        *code = (int) result;
}

/* One run of a program, the nth allocation of which fails. */
struct attempt {
    ouro_task_fn *fn;
    void *arg;
    unsigned nth;
    bool has_failed;
};

static int try_program(void *arg)
{
    struct attempt *attempt = arg;
    int code;

    account_fail_allocation(attempt->nth);
    code = attempt->fn(attempt->arg);
    attempt->has_failed = account_has_failed();
    account_fail_allocation(0);
    return code;
}

/* The allocations of the program; `at_least` so many failures must be errors. */
static void run_without_memory(ouro_task_fn *fn, void *arg, unsigned at_least)
{
    struct attempt attempt = {.fn = fn, .arg = arg, .has_failed = true};
    unsigned errors = 0;

    for (attempt.nth = 1; attempt.has_failed && attempt.nth < ALLOCATIONS_MAX; attempt.nth++) {
        struct account before;
        int code;

        account_take(&before);
        code = run_with("sim:seed=1", 8, try_program, &attempt);
        CU_ASSERT(attempt.has_failed ? code <= 0 : code == 0);
        errors += code < 0;
        if (!account_is_balanced(&before)) {
            printf("    when allocation %u failed\n", attempt.nth);
            CU_FAIL("something is left");
            return;
        }
    }
    CU_ASSERT(!attempt.has_failed);
    CU_ASSERT(errors >= at_least);
}

/* --- a loop ------------------------------------------------------------------------------- */

static int do_nothing(void *arg)
{
    (void) arg;
    return 0;
}

/* A loop that can't start says so on stderr, which is of no interest here. */
static int start_silently(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC), kept = dup(STDERR_FILENO), code;

    (void) dup2(null, STDERR_FILENO);
    code = run_with("sim:seed=1", 8, do_nothing, NULL);
    (void) dup2(kept, STDERR_FILENO);
    (void) close(kept);
    (void) close(null);
    return code;
}

static void test_loop_that_cannot_start_leaves_nothing(void)
{
    bool has_failed = true;
    unsigned nth;

    for (nth = 1; has_failed && nth < ALLOCATIONS_MAX; nth++) {
        struct account before;
        int code;

        account_take(&before);
        account_fail_allocation(nth);
        code = start_silently();
        has_failed = account_has_failed();
        account_fail_allocation(0);
        CU_ASSERT(has_failed || code == 0);
        CU_ASSERT(code == 0 || code == -ENOMEM);
        CU_ASSERT(account_is_balanced(&before));
    }
    CU_ASSERT(nth > 5);
}

/* --- tasks -------------------------------------------------------------------------------- */

static int send_items(void *arg)
{
    int code = 0;

    for (int i = 0; i < 10 && !code; i++)
        code = ouro_channel_send(arg, &i);
    ouro_channel_close(arg);
    return code;
}

static int nap(void *arg)
{
    (void) arg;
    return ouro_sleep(OURO_MILLISECOND);
}

static int use_tasks(void *arg)
{
    struct ouro_spawn_options options = {.stack = OURO_STACK_16K};
    struct ouro_channel channel = OURO_CHANNEL_INIT_RENDEZVOUS(sizeof(int));
    struct ouro_group group;
    ouro_task_id ids[40];
    int code = 0, item = -1, count = 0;
    size_t index;

    (void) arg;
    ouro_group_init(&group);
    keep(&code, ouro_group_spawn(&group, send_items, &channel));
    while (!code && (code = ouro_channel_receive(&channel, &item)) == 0)
        count++;
    if (code == OURO_EEOF)
        code = count == 10 ? 0 : 1;
    keep(&code, ouro_group_wait(&group));
    for (int i = 0; i < 40; i++) {
        ids[i] = ouro_spawn_with(nap, NULL, &options);
        keep(&code, ids[i]);
    }
    if (!code)
        keep(&code, ouro_wait_any(ids, 40, &index));
    for (int i = 0; i < 40; i++)
        if (ids[i] > 0)
            keep(&code, ouro_join(ids[i], NULL));
    return code;
}

static void test_tasks_fail_without_memory(void)
{
    run_without_memory(use_tasks, NULL, 1);
}

/* --- streams ------------------------------------------------------------------------------ */

struct ends {
    struct ouro_stream *client, *server;
};

/* Two streams that are connected; those that there are must be closed whatever it returns. */
static int make_streams(struct ends *ends)
{
    struct ouro_address address;
    int code, fd, listener;

    *ends = (struct ends) {NULL, NULL};
    code = ouro_address_parse("127.0.0.1", 8001, &address);
    listener = code ? code : ouro_listen(&address, 0);
    if (listener < 0)
        return listener;
    code = ouro_dial("127.0.0.1", 8001, NULL, &ends->client);
    if (!code) {
        fd = ouro_accept(listener, NULL);
        code = fd < 0 ? fd : ouro_stream_socket_take(fd, &ends->server);
        if (code && fd >= 0)
            (void) ouro_close(fd);
    }
    (void) ouro_close(listener);
    return code;
}

static void close_streams(struct ends *ends)
{
    (void) ouro_stream_close(ends->client);
    (void) ouro_stream_close(ends->server);
}

static int talk(struct ends *ends)
{
    const char *data;
    char buf[16];
    int code = ouro_stream_write(ends->client, "hello\n", 6);

    if (!code)
        code = ouro_stream_flush(ends->client);
    if (!code)
        code = (int) ouro_stream_peek(ends->server, 3, &data);
    if (code >= 0)
        code = ouro_stream_push_back(ends->server, "oh ", 3);
    if (!code)
        code = (int) ouro_stream_read_until(ends->server, "\n", 1, 100, &data);
    if (code < 0)
        return code;
    if (code != 9 || memcmp(data, "oh hello\n", 9) != 0)
        return 2;
    code = ouro_stream_shutdown_write(ends->client);
    if (!code)
        code = (int) ouro_stream_read(ends->server, buf, sizeof(buf));
    return code;
}

static int use_streams(void *arg)
{
    struct ends ends;
    int code = make_streams(&ends);

    (void) arg;
    if (!code)
        code = talk(&ends);
    close_streams(&ends);
    return code;
}

static void test_streams_fail_without_memory(void)
{
    run_without_memory(use_streams, NULL, 1);
}

static int use_pair(void *arg)
{
    struct ouro_stream *made[2];
    struct ends ends;
    int code = ouro_stream_pair(made);

    (void) arg;
    if (code)
        return code;
    ends = (struct ends) {made[0], made[1]};
    code = talk(&ends);
    close_streams(&ends);
    return code;
}

static void test_pairs_fail_without_memory(void)
{
    run_without_memory(use_pair, NULL, 4); /* the pair, a pipe, two buffers */
}

/* --- TLS ---------------------------------------------------------------------------------- */

struct secrets {
    struct ends ends;
    struct ouro_tls_context *context;
};

static int accept_tls(void *arg)
{
    struct secrets *secrets = arg;
    int code =
        ouro_tls_accept_take(secrets->context, secrets->ends.server, &secrets->ends.server, NULL);

    if (code)
        (void) ouro_stream_shutdown_write(secrets->ends.server); /* or the other one waits */
    return code;
}

static int connect_tls(struct secrets *secrets)
{
    ouro_task_id server = ouro_spawn(accept_tls, secrets);
    int code = 0, server_code = 0;

    keep(&code, server);
    if (code)
        return code;
    code = ouro_tls_connect_take(secrets->context, secrets->ends.client, NULL,
                                 &secrets->ends.client, NULL);
    if (code)
        (void) ouro_cancel(server);
    keep(&code, ouro_join(server, &server_code));
    keep(&code, server_code);
    return code;
}

static int use_tls(void *arg)
{
    struct secrets secrets = {.context = NULL};
    int code = make_streams(&secrets.ends);

    if (!code)
        code = self_signed_context(arg, &secrets.context);
    if (!code)
        code = connect_tls(&secrets);
    if (!code)
        code = talk(&secrets.ends);
    close_streams(&secrets.ends);
    ouro_tls_context_destroy(secrets.context);
    return code;
}

static void test_tls_fails_without_memory(void)
{
    static struct self_signed identity;

    self_signed_make(&identity);
    run_without_memory(use_tls, &identity, 1);
}

/* --- HTTP --------------------------------------------------------------------------------- */

static int answer(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_add_header(exchange, "X-Name", ouro_http_parameter(exchange, "name"));

    (void) arg;
    return code ? code : ouro_http_replyf(exchange, 200, "text/plain", "hello");
}

struct site {
    struct ouro_http_app *app;
    int listener;
};

/* A client that is in the queue of a server that could not begin would wait for ever. */
static int serve(void *arg)
{
    struct site *site = arg;
    int code = ouro_http_serve(site->app, site->listener, NULL);

    (void) ouro_close(site->listener);
    return code;
}

static int get_page(void)
{
    struct ouro_http_response *response;
    const char *value, *body;
    int code = ouro_http_get("http://127.0.0.1:8002/hello/you", NULL, &response);

    if (code)
        return code;
    code = ouro_http_response_header(response, "x-name", &value);
    if (code >= 0)
        code = (int) ouro_http_response_read_all(response, 64, &body);
    if (code > 0)
        code = 0;
    ouro_http_response_close(response);
    return code;
}

static int pass(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_next(exchange);
}

static int mount_api(struct ouro_http_app *app)
{
    struct ouro_http_app *api;
    int code = ouro_http_app_create(&api);

    if (code)
        return code;
    code = ouro_http_route(api, "GET", "/{name}/{rest...}", answer, NULL);
    keep(&code, ouro_http_use(api, pass, NULL));
    if (!code)
        code = ouro_http_mount_take(app, "/api/v1", api);
    if (code)
        ouro_http_app_destroy(api);
    return code;
}

static int use_http(void *arg)
{
    struct site site = {.listener = -1};
    struct ouro_address address;
    ouro_task_id server = 0;
    int code = ouro_http_app_create(&site.app);

    (void) arg;
    if (code)
        return code;
    code = ouro_http_route(site.app, "GET", "/hello/{name}", answer, NULL);
    keep(&code, ouro_http_route(site.app, "GET", "/", answer, NULL));
    keep(&code, mount_api(site.app));
    keep(&code, ouro_address_parse("127.0.0.1", 8002, &address));
    site.listener = ouro_listen(&address, 0);
    keep(&code, site.listener);
    if (!code) {
        server = ouro_spawn(serve, &site);
        keep(&code, server);
    }
    if (!code)
        code = get_page();
    if (server > 0)
        (void) ouro_cancel_join(server, NULL);
    else if (site.listener >= 0)
        (void) ouro_close(site.listener);
    ouro_http_app_destroy(site.app);
    return code;
}

static void test_http_fails_without_memory(void)
{
    run_without_memory(use_http, NULL, 5);
}

/* The first field is more than an exchange has room for without the heap. */
static int answer_content(struct ouro_http_exchange *exchange, void *arg)
{
    static const struct ouro_http_content content = {"text/plain", "0123456789", 10, "\"a\"", 1};
    char padding[600];
    int code;

    (void) arg;
    memset(padding, 'x', sizeof(padding) - 1);
    padding[sizeof(padding) - 1] = '\0';
    code = ouro_http_add_header(exchange, "X-Padding", padding);
    return code ? code : ouro_http_reply_content(exchange, &content);
}

static int ask_for_range(void *range)
{
    struct ouro_http_field header = {"Range", range};
    struct ouro_http_ask request = {.headers = &header, .header_count = 1};
    struct ouro_http_response *response;
    struct ouro_http_app *app;
    const char *body;
    int code = ouro_http_app_create(&app);

    if (code)
        return code;
    code = ouro_http_route(app, "GET", "/", answer_content, NULL);
    if (!code)
        code = ouro_http_ask(app, &request, &response);
    if (!code) {
        keep(&code, ouro_http_response_read_all(response, 1000, &body));
        ouro_http_response_close(response);
    }
    ouro_http_app_destroy(app);
    return code;
}

static void test_content_fails_without_memory(void)
{
    static char range[] = "bytes=0-1", ranges[] = "bytes=0-1,4-", nothing[] = "bytes=10-";

    run_without_memory(ask_for_range, range, 3);
    run_without_memory(ask_for_range, ranges, 3);
    run_without_memory(ask_for_range, nothing, 3);
}

static int ask(void *arg)
{
    static const struct ouro_http_field header = {"X-A", "b"};
    struct ouro_http_ask request = {
        .target = "/hello/you", .headers = &header, .header_count = 1, .body = "x", .body_len = 1};
    struct ouro_http_response *response;
    struct ouro_http_app *app;
    struct ouro_address peer;
    const char *body;
    int code = ouro_http_app_create(&app);
    ssize_t len;

    if (code)
        return code;
    request.chunked = *(bool *) arg;
    request.peer = ouro_address_parse("192.0.2.1:7", -1, &peer) ? NULL : &peer;
    code = ouro_http_route(app, "GET", "/hello/{name}", answer, NULL);
    if (!code)
        code = ouro_http_ask(app, &request, &response);
    if (!code) {
        len = ouro_http_response_read_all(response, 100, &body);
        code = len < 0 ? (int) len : 0;
        ouro_http_response_close(response);
    }
    ouro_http_app_destroy(app);
    return code;
}

/* Who could not send makes nobody wait for a time limit. */
static int ask_in_time(void *arg)
{
    int64_t begin = ouro_now();
    int code = ask(arg);

    CU_ASSERT(ouro_now() - begin < OURO_SECOND);
    return code;
}

static void test_asking_an_application_fails_without_memory(void)
{
    for (int chunked = 0; chunked < 2; chunked++) {
        bool is_chunked = chunked;

        run_without_memory(ask_in_time, &is_chunked, 10);
    }
}

/* --- names -------------------------------------------------------------------------------- */

static int use_names(void *arg)
{
    struct ouro_address *addresses;
    size_t count;
    int code = ouro_resolve("localhost", 80, AF_INET, &addresses, &count);

    (void) arg;
    if (!code)
        ouro_resolve_free(addresses);
    return code;
}

static void test_names_fail_without_memory(void)
{
    run_without_memory(use_names, NULL, 1);
}

const struct test no_memory_tests[] = {TEST(test_loop_that_cannot_start_leaves_nothing),
                                       TEST(test_tasks_fail_without_memory),
                                       TEST(test_streams_fail_without_memory),
                                       TEST(test_pairs_fail_without_memory),
                                       TEST(test_tls_fails_without_memory),
                                       TEST(test_http_fails_without_memory),
                                       TEST(test_content_fails_without_memory),
                                       TEST(test_asking_an_application_fails_without_memory),
                                       TEST(test_names_fail_without_memory),
                                       TEST_END};
