/* SPDX-License-Identifier: MIT */
/*
 * arena.c - the server that public benchmark suites drive
 *
 * Question: what do HttpArena and TechEmpower's FrameworkBenchmarks say of ouro?
 * Run:      build/bench/arena [--listen ADDR:PORT] [--shards N] [--dataset FILE]
 *           docs/suites.md has a Dockerfile around it, and what each suite asks of which path.
 * Prints:   Serving on http://127.0.0.1:8080 with 2 shards...
 *
 * A loop for each CPU, a listener for each loop, and nothing shared but what is only read. Answers
 * are made anew for each request, as the suites want it. Numbers that are missing, no numbers, or
 * too large are answered with 400, and what is too long with 413.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arena_items.h"
#include "ouro.h"
#include "ouro_proto.h"

#define TEXT "text/plain"

#define NUMBER_BYTES_MAX 20 /* of a body: the longest number of 64 bits */
#define UPLOAD_BYTES_MAX (256u << 20)
#define SHARDS_MAX       1024

#define DATASET "/data/dataset.json" /* where HttpArena mounts it */

static const char usage[] =
    "usage: arena [--listen ADDR:PORT] [--shards N] [--dataset FILE]\n"
    "\n"
    "  GET  /plaintext             Hello, World!\n"
    "  GET  /json                  {\"message\":\"Hello, World!\"}\n"
    "  GET  /pipeline              ok\n"
    "  GET  /baseline11?a=1&b=2    their sum\n"
    "  POST /baseline11?a=1&b=2    the same, and the number in the body\n"
    "  POST /upload                how many bytes the body has\n"
    "  GET  /json/COUNT?m=FACTOR   so many items of the dataset, with totals; gzip on demand\n"
    "\n"
    "  --listen ADDR:PORT   where to listen; 127.0.0.1:8080\n"
    "  --shards N           threads with a loop each; one for each CPU that it may use\n"
    "  --dataset FILE       HttpArena's items; " DATASET ", if that is there\n"
    "  --help, --version    say so, and end\n";

struct arena {
    struct ouro_address address;
    const char *dataset;
    struct arena_items items;
    struct ouro_http_app *app;
    atomic_uint listening; /* shards that do */
};

/* --- numbers ------------------------------------------------------------------------------- */

/* A number of 64 bits, and nothing before or behind it. */
static bool parse_number(const char *text, int64_t *ret_value)
{
    const char *digits = text + (*text == '-');
    char *end;

    if (*digits < '0' || *digits > '9') /* which strtoll() would pass over, or miss */
        return false;
    errno = 0;
    *ret_value = strtoll(text, &end, 10);
    return !errno && !*end;
}

/* Adds a number to `sum`, unless there is none, or the result would be too large. */
static bool add(const char *text, int64_t *sum)
{
    int64_t value;

    return text && parse_number(text, &value) && !__builtin_add_overflow(*sum, value, sum);
}

/* --- handlers ------------------------------------------------------------------------------ */

static int plaintext(struct ouro_http_exchange *exchange, void *arg)
{
    static const char text[] = "Hello, World!";

    (void) arg;
    return ouro_http_reply(exchange, 200, TEXT, text, sizeof(text) - 1);
}

static int json(struct ouro_http_exchange *exchange, void *arg)
{
    const char *message = ouro_json_escape(exchange, "Hello, World!");

    (void) arg;
    return ouro_http_replyf(exchange, 200, "application/json", "{\"message\":\"%s\"}", message);
}

static int pipeline(struct ouro_http_exchange *exchange, void *arg)
{
    (void) arg;
    return ouro_http_reply(exchange, 200, TEXT, "ok", 2);
}

static int bad_request(struct ouro_http_exchange *exchange, const char *what)
{
    return ouro_http_replyf(exchange, 400, TEXT, "%s\n", what);
}

static int reply_number(struct ouro_http_exchange *exchange, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRId64, value);

    return ouro_http_reply(exchange, 200, TEXT, text, (size_t) len);
}

static bool add_query(struct ouro_http_exchange *exchange, int64_t *sum)
{
    return add(ouro_http_query_value(exchange, "a"), sum) &&
           add(ouro_http_query_value(exchange, "b"), sum);
}

static int sum_query(struct ouro_http_exchange *exchange, void *arg)
{
    int64_t sum = 0;

    (void) arg;
    if (!add_query(exchange, &sum))
        return bad_request(exchange, "a and b have to be numbers, whose sum has 64 bits");
    return reply_number(exchange, sum);
}

/* The route's limit is NUMBER_BYTES_MAX, beyond which reading fails. */
static int read_short(struct ouro_http_exchange *exchange, char text[NUMBER_BYTES_MAX + 1])
{
    size_t len = 0;
    ssize_t n;

    while ((n = ouro_http_read(exchange, text + len, NUMBER_BYTES_MAX + 1 - len)) > 0)
        len += (size_t) n;
    text[len <= NUMBER_BYTES_MAX ? len : NUMBER_BYTES_MAX] = '\0';
    return (int) n;
}

static int sum_query_and_body(struct ouro_http_exchange *exchange, void *arg)
{
    char text[NUMBER_BYTES_MAX + 1];
    int code = read_short(exchange, text);
    int64_t sum = 0;

    (void) arg;
    if (code)
        return code;
    if (!add_query(exchange, &sum) || !add(text, &sum))
        return bad_request(exchange, "a, b and the body have to be numbers, whose sum has 64 bits");
    return reply_number(exchange, sum);
}

/* Counts what comes, in memory for one piece. */
static int upload(struct ouro_http_exchange *exchange, void *arg)
{
    char piece[16 * 1024];
    int64_t total = 0;
    ssize_t len;

    (void) arg;
    while ((len = ouro_http_read(exchange, piece, sizeof(piece))) > 0)
        total += len;
    return len < 0 ? (int) len : reply_number(exchange, total);
}

static int items_page(struct ouro_http_exchange *exchange, void *arg)
{
    const struct arena *arena = arg;
    const char *factor_text = ouro_http_query_value(exchange, "m");
    int64_t count, factor;
    size_t len;
    char *text;
    int code;

    if (!parse_number(ouro_http_parameter(exchange, "count"), &count) || count < 1 ||
        (uint64_t) count > arena->items.count)
        return bad_request(exchange, "there are not so many items");
    if (!factor_text || !parse_number(factor_text, &factor))
        return bad_request(exchange, "m has to be a number");
    code = arena_items_write(&arena->items, (size_t) count, factor, &text, &len);
    if (code == -ERANGE)
        return bad_request(exchange, "m is too large");
    if (code)
        return code;
    code = ouro_http_reply(exchange, 200, "application/json", text, len);
    free(text);
    return code;
}

/* --- serving ------------------------------------------------------------------------------- */

/* TechEmpower wants a field Server, which ouro leaves to programs. */
static int name_server(struct ouro_http_exchange *exchange, void *arg)
{
    int code = ouro_http_add_header(exchange, "Server", "ouro");

    (void) arg;
    return code ? code : ouro_http_next(exchange);
}

static int add_routes(struct arena *arena)
{
    static const struct ouro_http_route_options small = {.body_bytes_max = NUMBER_BYTES_MAX};
    static const struct ouro_http_route_options large = {.body_bytes_max = UPLOAD_BYTES_MAX};
    static const struct ouro_http_route_options gzip = {.gzip = OURO_HTTP_GZIP_ON};
    const struct {
        const char *method, *pattern;
        ouro_http_handler_fn *handler;
        const struct ouro_http_route_options *options;
    } routes[] = {
        {"GET", "/plaintext", plaintext, NULL},
        {"GET", "/json", json, NULL},
        {"GET", "/pipeline", pipeline, NULL},
        {"GET", "/baseline11", sum_query, NULL},
        {"POST", "/baseline11", sum_query_and_body, &small},
        {"POST", "/upload", upload, &large},
        {"GET", "/json/{count}", items_page, &gzip},
    };
    size_t count = sizeof(routes) / sizeof(routes[0]) - (arena->items.count ? 0 : 1);
    int code = ouro_http_use(arena->app, name_server, NULL);

    for (size_t i = 0; i < count && !code; i++)
        code = ouro_http_route_with(arena->app, routes[i].method, routes[i].pattern,
                                    routes[i].handler, arena, routes[i].options);
    return code;
}

/* The last shard to listen says so: whoever reads the line may connect. */
static void tell(struct arena *arena)
{
    char text[OURO_ADDRESS_TEXT_MAX];

    if (atomic_fetch_add(&arena->listening, 1) + 1 < ouro_shard_count())
        return;
    printf("Serving on http://%s with %u shard%s%s...\n",
           ouro_address_format(&arena->address, text), ouro_shard_count(),
           ouro_shard_count() == 1 ? "" : "s",
           arena->items.count ? "" : ", without /json/COUNT as there is no dataset");
    (void) fflush(stdout);
}

/* The main task of each shard. */
static int serve(void *arg)
{
    struct arena *arena = arg;
    int listener = ouro_listen_shared(&arena->address, 0), code;

    if (listener < 0)
        return listener; /* which cancels the other shards */
    tell(arena);
    code = ouro_http_serve(arena->app, listener, NULL);
    (void) ouro_close(listener);
    return code == -ECANCELED ? 0 : code;
}

/*
 * Takes the port, so that all shards get the same one also when the system chooses it, and nobody
 * else can have it. It does not listen: connections go to those who do.
 */
static int reserve_port(struct ouro_address *address)
{
    int fd = socket(address->sockaddr.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ||
        bind(fd, &address->sockaddr, address->len) ||
        getsockname(fd, &address->sockaddr, &address->len)) {
        int code = -errno;

        (void) close(fd);
        return code;
    }
    return fd;
}

/* A connection is a descriptor, and suites open thousands. */
static void allow_all_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int load_items(struct arena *arena)
{
    const char *path = arena->dataset ? arena->dataset : DATASET;
    int code = arena_items_load(path, &arena->items);

    if (code == -ENOENT && !arena->dataset)
        return 0;
    if (code)
        fprintf(stderr, "arena: %s: %s\n", path, ouro_strerror(code));
    return code;
}

static int run(struct arena *arena, unsigned shards)
{
    const struct ouro_run_options options = {.shards = shards};
    char text[OURO_ADDRESS_TEXT_MAX];
    int code, reserved = reserve_port(&arena->address);

    code = reserved < 0 ? reserved : add_routes(arena);
    if (!code)
        code = ouro_run(serve, arena, &options);
    if (code)
        fprintf(stderr, "arena: %s: %s\n", ouro_address_format(&arena->address, text),
                ouro_strerror(code));
    if (reserved >= 0)
        (void) close(reserved);
    return code;
}

/* --- options ------------------------------------------------------------------------------- */

static int parse_shards(const char *text, unsigned *ret_shards)
{
    int64_t value;

    if (!parse_number(text, &value) || value < 1 || value > SHARDS_MAX)
        return -EINVAL;
    *ret_shards = (unsigned) value;
    return 0;
}

static int parse_address(const char *text, struct ouro_address *ret_address)
{
    int code = ouro_address_parse(text, -1, ret_address);

    return code ? code : ouro_address_port(ret_address) < 0 ? OURO_EADDRESS : 0;
}

static void parse_options(int argc, char **argv, struct arena *arena, unsigned *shards)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},  {"shards", required_argument, NULL, 's'},
        {"dataset", required_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},       {NULL, 0, NULL, 0},
    };
    int option, code = 0;

    while (!code && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            code = parse_address(optarg, &arena->address);
            break;
        case 's':
            code = parse_shards(optarg, shards);
            break;
        case 'd':
            arena->dataset = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        case 'v':
            puts("arena (ouro " OURO_VERSION ")");
            exit(0);
        default:
            code = -EINVAL;
        }
    }
    if (code || optind < argc) {
        fputs(usage, stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct arena arena = {.dataset = NULL};
    unsigned shards = OURO_SHARD_PER_CPU;
    int code;

    (void) parse_address("127.0.0.1:8080", &arena.address);
    parse_options(argc, argv, &arena, &shards);
    allow_all_descriptors();
    code = load_items(&arena);
    if (!code)
        code = ouro_http_app_create(&arena.app);
    if (!code) {
        code = run(&arena, shards);
        ouro_http_app_destroy(arena.app);
    }
    arena_items_free(&arena.items);
    return code ? 1 : 0;
}
