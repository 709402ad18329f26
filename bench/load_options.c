/* SPDX-License-Identifier: MIT */
/* load_options.c - see load_options.h */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load_options.h"
#include "load_tape.h"

#define CONNECTIONS_MAX 100000
#define PIPELINE_MAX    1024
#define THREADS_MAX     256
#define SECONDS_MAX     1e6
#define RATE_MAX        1e8
#define ECHO_MAX        (64 * 1024 * 1024)

const char load_usage[] =
    "usage: ouro_load [OPTION]... http://HOST[:PORT][/PATH]\n"
    "       ouro_load [OPTION]... --echo SIZE ADDR:PORT|unix:/PATH\n"
    "\n"
    "How much\n"
    "  -c, --connections N    connections; 64\n"
    "  -p, --pipeline N       requests on a connection at a time; 1\n"
    "  -r, --rate N           requests per second of all together, by the clock; otherwise\n"
    "                         as fast as answers come\n"
    "  -d, --duration TIME    how long requests are made; 10s\n"
    "  -n, --requests N       how many, in place of a time, or at most\n"
    "  -w, --warm-up TIME     time before that, which is not counted; 0s\n"
    "      --think TIME       between an answer and the next request of a connection; 0s\n"
    "  -t, --threads N        threads, each with its share of the connections; 1\n"
    "      --timeout TIME     for an answer, or a connection; 10s\n"
    "What\n"
    "  -X, --method METHOD    GET; POST with a body\n"
    "  -H, --header LINE      \"Name: value\"; may be repeated\n"
    "      --body TEXT, --body-file FILE\n"
    "      --mix FILE         lines \"WEIGHT METHOD PATH [BODY-FILE]\"\n"
    "      --raw FILE         requests as they are, one or more; may be repeated\n"
    "      --close            a connection for each request\n"
    "      --echo SIZE        messages of so many bytes that come back, in place of HTTP\n"
    "      --connect ADDRESS  where to connect to, in place of the URL's host: ADDR:PORT, unix:/PATH\n"
    "What is right\n"
    "      --expect-status LIST     such as 200,404 or 200-299; 200-399\n"
    "      --expect-length BYTES    of bodies\n"
    "      --expect-body TEXT, --expect-body-file FILE\n"
    "      --allow-errors           exit with status 0 although requests failed\n"
    "What is told\n"
    "      --progress         a line each second, on stderr\n"
    "      --json FILE        the results, - for stdout in place of the text\n"
    "      --csv FILE         the histogram of latencies, likewise\n"
    "      --spin TIME        how long to look for answers before sleeping; 0s, at most 1ms\n"
    "      --help, --version\n"
    "\n"
    "TIME is a number with ns, us, ms, s (the default), m or h.\n";

/* What getopt_long() returns for options without a letter. */
enum {
    OPTION_THINK = 256,
    OPTION_TIMEOUT,
    OPTION_BODY,
    OPTION_BODY_FILE,
    OPTION_MIX,
    OPTION_RAW,
    OPTION_CLOSE,
    OPTION_ECHO,
    OPTION_CONNECT,
    OPTION_EXPECT_STATUS,
    OPTION_EXPECT_LENGTH,
    OPTION_EXPECT_BODY,
    OPTION_EXPECT_BODY_FILE,
    OPTION_ALLOW_ERRORS,
    OPTION_PROGRESS,
    OPTION_JSON,
    OPTION_CSV,
    OPTION_SPIN,
    OPTION_HELP,
    OPTION_VERSION
};

static const struct option long_options[] = {
    {"connections", required_argument, NULL, 'c'},
    {"pipeline", required_argument, NULL, 'p'},
    {"rate", required_argument, NULL, 'r'},
    {"duration", required_argument, NULL, 'd'},
    {"requests", required_argument, NULL, 'n'},
    {"warm-up", required_argument, NULL, 'w'},
    {"think", required_argument, NULL, OPTION_THINK},
    {"threads", required_argument, NULL, 't'},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"method", required_argument, NULL, 'X'},
    {"header", required_argument, NULL, 'H'},
    {"body", required_argument, NULL, OPTION_BODY},
    {"body-file", required_argument, NULL, OPTION_BODY_FILE},
    {"mix", required_argument, NULL, OPTION_MIX},
    {"raw", required_argument, NULL, OPTION_RAW},
    {"close", no_argument, NULL, OPTION_CLOSE},
    {"echo", required_argument, NULL, OPTION_ECHO},
    {"connect", required_argument, NULL, OPTION_CONNECT},
    {"expect-status", required_argument, NULL, OPTION_EXPECT_STATUS},
    {"expect-length", required_argument, NULL, OPTION_EXPECT_LENGTH},
    {"expect-body", required_argument, NULL, OPTION_EXPECT_BODY},
    {"expect-body-file", required_argument, NULL, OPTION_EXPECT_BODY_FILE},
    {"allow-errors", no_argument, NULL, OPTION_ALLOW_ERRORS},
    {"progress", no_argument, NULL, OPTION_PROGRESS},
    {"json", required_argument, NULL, OPTION_JSON},
    {"csv", required_argument, NULL, OPTION_CSV},
    {"spin", required_argument, NULL, OPTION_SPIN},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

/* While a command line is read. */
struct parsing {
    struct load_options *options;
    FILE *err;
    const char *what; /* the option, with its dashes */
    bool has_duration, has_connect;
};

OURO_PRINTF(2, 3) static int complain(const struct parsing *parsing, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void) fprintf(parsing->err, "ouro_load: %s%s", parsing->what, *parsing->what ? ": " : "");
    (void) vfprintf(parsing->err, format, arguments);
    (void) fputc('\n', parsing->err);
    va_end(arguments);
    return -EINVAL;
}

/* --- values ------------------------------------------------------------------------------ */

static int parse_count(const struct parsing *parsing, const char *text, uint64_t min, uint64_t max,
                       uint64_t *ret_count)
{
    char *end;
    uint64_t count;

    errno = 0;
    count = strtoull(text, &end, 10);
    if (!isdigit((unsigned char) *text) || *end || errno || count < min || count > max)
        return complain(parsing, "'%s' is not a whole number from %llu to %llu", text,
                        (unsigned long long) min, (unsigned long long) max);
    *ret_count = count;
    return 0;
}

static int parse_unsigned(const struct parsing *parsing, const char *text, unsigned max,
                          unsigned *ret_count)
{
    uint64_t count = 0;
    int code = parse_count(parsing, text, 1, max, &count);

    if (!code)
        *ret_count = (unsigned) count;
    return code;
}

static double unit_seconds(const char *unit)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"", 1},      {"s", 1},  {"ms", 1e-3}, {"us", 1e-6},
                 {"ns", 1e-9}, {"m", 60}, {"h", 3600},  {NULL, 0}};

    for (int i = 0; units[i].name; i++)
        if (strcmp(unit, units[i].name) == 0)
            return units[i].seconds;
    return 0;
}

static int parse_time(const struct parsing *parsing, const char *text, bool may_be_zero,
                      int64_t *ret_ns)
{
    char *end;
    double value = strtod(text, &end), seconds = value * unit_seconds(end);

    if (end == text || unit_seconds(end) == 0 || !(value >= 0) || !(seconds <= SECONDS_MAX) ||
        (value == 0 && !may_be_zero))
        return complain(parsing, "'%s' is not a time, such as 500ms, 2s or 1m", text);
    *ret_ns = (int64_t) (seconds * 1e9);
    return 0;
}

static int parse_rate(const struct parsing *parsing, const char *text, double *ret_rate)
{
    char *end;
    double rate = strtod(text, &end);

    if (end == text || *end || !(rate > 0) || !(rate <= RATE_MAX))
        return complain(parsing, "'%s' is not a number of requests per second", text);
    *ret_rate = rate;
    return 0;
}

static int parse_spin(const struct parsing *parsing, const char *text, int64_t *ret_ns)
{
    int64_t spin_ns;
    int code = parse_time(parsing, text, true, &spin_ns);

    if (code)
        return code;
    if (spin_ns > OURO_MILLISECOND)
        return complain(parsing, "at most 1ms");
    *ret_ns = spin_ns ? spin_ns : -1;
    return 0;
}

/* "200,404" or "200-299". */
static int parse_statuses(const struct parsing *parsing, const char *text)
{
    struct load_options *options = parsing->options;
    const char *at = text;

    options->statuses_text = text;
    for (;;) {
        char *end;
        long first = strtol(at, &end, 10), last = first;

        if (end != at && *end == '-') {
            at = end + 1;
            last = strtol(at, &end, 10);
        }
        if (end == at || first < 200 || last > 599 || first > last || (*end && *end != ','))
            return complain(parsing, "'%s' is not a list such as 200,404 or 200-299", text);
        for (long i = first; i <= last; i++)
            options->statuses[i] = true;
        if (!*end)
            return 0;
        at = end + 1;
    }
}

static int read_file(const struct parsing *parsing, const char *path, char **kept,
                     const char **ret_text, size_t *ret_len)
{
    char *text;
    int code = load_read_file(path, &text, ret_len);

    if (code)
        return complain(parsing, "%s: %s", path, ouro_strerror(code));
    free(*kept);
    *kept = text;
    *ret_text = text;
    return 0;
}

static int add_text(const struct parsing *parsing, const char *text, unsigned max,
                    const char **texts, unsigned *count)
{
    if (*count == max)
        return complain(parsing, "at most %u times", max);
    texts[(*count)++] = text;
    return 0;
}

static int add_header(const struct parsing *parsing, const char *line)
{
    struct load_options *options = parsing->options;

    if (!strchr(line, ':') || *line == ':' || strpbrk(line, "\r\n"))
        return complain(parsing, "'%s' is not of the form \"Name: value\"", line);
    return add_text(parsing, line, LOAD_HEADERS_MAX, options->headers, &options->header_count);
}

/* --- options ----------------------------------------------------------------------------- */

static int set_amount(struct parsing *parsing, int option, const char *value)
{
    struct load_options *options = parsing->options;

    switch (option) {
    case 'c':
        return parse_unsigned(parsing, value, CONNECTIONS_MAX, &options->connections);
    case 'p':
        return parse_unsigned(parsing, value, PIPELINE_MAX, &options->pipeline);
    case 't':
        return parse_unsigned(parsing, value, THREADS_MAX, &options->threads);
    case 'r':
        return parse_rate(parsing, value, &options->rate);
    case 'd':
        parsing->has_duration = true;
        return parse_time(parsing, value, false, &options->duration_ns);
    case 'n':
        return parse_count(parsing, value, 1, UINT64_MAX / 2, &options->requests);
    case 'w':
        return parse_time(parsing, value, true, &options->warm_up_ns);
    case OPTION_THINK:
        return parse_time(parsing, value, true, &options->think_ns);
    case OPTION_TIMEOUT:
        return parse_time(parsing, value, false, &options->timeout_ns);
    default:
        return parse_spin(parsing, value, &options->spin_ns);
    }
}

static int set_echo(const struct parsing *parsing, const char *value)
{
    uint64_t bytes = 0;
    int code = parse_count(parsing, value, 1, ECHO_MAX, &bytes);

    parsing->options->echo_bytes = (size_t) bytes;
    return code;
}

static int set_request(struct parsing *parsing, int option, const char *value)
{
    struct load_options *options = parsing->options;

    switch (option) {
    case 'X':
        options->method = value;
        return 0;
    case 'H':
        return add_header(parsing, value);
    case OPTION_BODY:
        options->body = value;
        options->body_len = strlen(value);
        return 0;
    case OPTION_BODY_FILE:
        return read_file(parsing, value, &options->files[0], &options->body, &options->body_len);
    case OPTION_MIX:
        options->mix = value;
        return 0;
    case OPTION_RAW:
        return add_text(parsing, value, LOAD_RAWS_MAX, options->raws, &options->raw_count);
    case OPTION_ECHO:
        return set_echo(parsing, value);
    default:
        parsing->has_connect = true;
        if (ouro_address_parse(value, -1, &options->address))
            return complain(parsing, "'%s' is neither ADDR:PORT nor unix:/PATH", value);
        return 0;
    }
}

static int set_check(struct parsing *parsing, int option, const char *value)
{
    struct load_options *options = parsing->options;
    uint64_t length = 0;
    int code;

    switch (option) {
    case OPTION_EXPECT_STATUS:
        return parse_statuses(parsing, value);
    case OPTION_EXPECT_LENGTH:
        code = parse_count(parsing, value, 0, INT64_MAX, &length);
        options->length = (int64_t) length;
        return code;
    case OPTION_EXPECT_BODY:
        options->expected_body = value;
        options->expected_body_len = strlen(value);
        return 0;
    default:
        return read_file(parsing, value, &options->files[1], &options->expected_body,
                         &options->expected_body_len);
    }
}

static int set_option(struct parsing *parsing, int option, const char *value)
{
    struct load_options *options = parsing->options;

    switch (option) {
    case OPTION_CLOSE:
        options->closes = true;
        return 0;
    case OPTION_ALLOW_ERRORS:
        options->allow_errors = true;
        return 0;
    case OPTION_PROGRESS:
        options->progress = true;
        return 0;
    case OPTION_JSON:
        options->json = value;
        return 0;
    case OPTION_CSV:
        options->csv = value;
        return 0;
    case OPTION_EXPECT_STATUS:
    case OPTION_EXPECT_LENGTH:
    case OPTION_EXPECT_BODY:
    case OPTION_EXPECT_BODY_FILE:
        return set_check(parsing, option, value);
    case 'X':
    case 'H':
    case OPTION_BODY:
    case OPTION_BODY_FILE:
    case OPTION_MIX:
    case OPTION_RAW:
    case OPTION_ECHO:
    case OPTION_CONNECT:
        return set_request(parsing, option, value);
    default:
        return set_amount(parsing, option, value);
    }
}

/* --- the target -------------------------------------------------------------------------- */

/* "HOST", "HOST:PORT" or "[::1]:PORT", as far as `len`. */
static int parse_authority(const struct parsing *parsing, const char *text, size_t len)
{
    struct load_options *options = parsing->options;
    const char *colon = memrchr(text, ':', len), *bracket = memrchr(text, ']', len);
    size_t name_len = colon && (!bracket || colon > bracket) ? (size_t) (colon - text) : len;

    if (name_len == 0 || name_len >= sizeof(options->name) || memchr(text, '@', len) ||
        len >= sizeof(options->host))
        return complain(parsing, "'%s' is not a URL of the form http://HOST[:PORT][/PATH]",
                        options->target);
    (void) snprintf(options->host, sizeof(options->host), "%.*s", (int) len, text);
    (void) snprintf(options->name, sizeof(options->name), "%.*s", (int) name_len, text);
    options->port = 80;
    if (name_len < len) {
        char *end;
        long port = strtol(colon + 1, &end, 10);

        if (!isdigit((unsigned char) colon[1]) || end != text + len || port < 1 || port > 65535)
            return complain(parsing, "'%s' has no valid port", options->target);
        options->port = (int) port;
    }
    return 0;
}

static int parse_url(const struct parsing *parsing)
{
    struct load_options *options = parsing->options;
    const char *authority = options->target + 7;
    size_t len;

    if (strncasecmp(options->target, "https://", 8) == 0)
        return complain(parsing, "'%s': TLS is not supported", options->target);
    if (strncasecmp(options->target, "http://", 7) != 0)
        return complain(parsing, "'%s' is not a URL of the form http://HOST[:PORT][/PATH]",
                        options->target);
    len = strcspn(authority, "/?#");
    options->path = authority + len;
    if (*options->path != '/' && *options->path)
        return complain(parsing, "'%s' has no path before its query", options->target);
    if (!*options->path)
        options->path = "/";
    return parse_authority(parsing, authority, len);
}

static int parse_target(const struct parsing *parsing)
{
    struct load_options *options = parsing->options;
    int code = 0;

    if (!options->echo_bytes)
        code = parse_url(parsing);
    else if (ouro_address_parse(options->target, -1, &options->address))
        return complain(parsing, "'%s' is neither ADDR:PORT nor unix:/PATH", options->target);
    if (parsing->has_connect || options->echo_bytes)
        options->name[0] = '\0';
    return code;
}

/* --- the whole --------------------------------------------------------------------------- */

/* What does not go together. */
static int check_combination(struct parsing *parsing)
{
    const struct load_options *options = parsing->options;
    unsigned kinds = (options->mix != NULL) + (options->raw_count > 0) + (options->echo_bytes > 0);
    bool is_composed = options->method || options->body;

    parsing->what = "";
    if (kinds > 1)
        return complain(parsing, "--mix, --raw and --echo exclude each other");
    if (kinds && is_composed)
        return complain(parsing, "--method and --body do not go with --mix, --raw or --echo");
    if (options->echo_bytes && (options->closes || options->length >= 0 || options->expected_body ||
                                options->statuses_text || options->header_count))
        return complain(parsing, "--close, --header and --expect-... do not go with --echo");
    if (options->echo_bytes && parsing->has_connect)
        return complain(parsing, "--echo takes the address itself, without --connect");
    if (options->closes && options->pipeline > 1)
        return complain(parsing, "--close and --pipeline exclude each other");
    if (options->rate > 0 && options->think_ns)
        return complain(parsing, "--rate and --think exclude each other");
    if (options->threads > options->connections)
        return complain(parsing, "more threads than connections");
    if (options->json && options->csv && !strcmp(options->json, "-") && !strcmp(options->csv, "-"))
        return complain(parsing, "only one of --json and --csv can go to stdout");
    return 0;
}

static int finish(struct parsing *parsing, int argc, char **argv, int first)
{
    struct load_options *options = parsing->options;
    int code;

    parsing->what = "";
    if (first + 1 != argc)
        return complain(parsing, first < argc ? "more than one target; see --help"
                                              : "no target; see --help");
    options->target = argv[first];
    code = check_combination(parsing);
    if (!code)
        code = parse_target(parsing);
    if (options->requests && !parsing->has_duration)
        options->duration_ns = OURO_FOREVER;
    return code;
}

/* "--rate" for messages, whether it was given so or as -r. */
static void name_option(struct parsing *parsing, int option, char text[32])
{
    for (int i = 0; long_options[i].name; i++)
        if (long_options[i].val == option)
            (void) snprintf(text, 32, "--%s", long_options[i].name);
    parsing->what = text;
}

int load_options_parse(int argc, char **argv, FILE *err, struct load_options *ret_options)
{
    struct parsing parsing = {.options = ret_options, .err = err, .what = ""};
    char name[32];
    int option, code = 0;

    *ret_options = (struct load_options) {.connections = 64,
                                          .pipeline = 1,
                                          .threads = 1,
                                          .duration_ns = 10 * OURO_SECOND,
                                          .timeout_ns = 10 * OURO_SECOND,
                                          .spin_ns = -1,
                                          .length = -1};
    optind = 0; /* afresh: it may be called again */
    opterr = 0;
    while (!code &&
           (option = getopt_long(argc, argv, ":c:p:r:d:n:w:t:X:H:", long_options, NULL)) != -1) {
        if (option == OPTION_HELP || option == OPTION_VERSION)
            return option == OPTION_HELP ? 1 : 2;
        if (option == '?' || option == ':') {
            parsing.what = argv[optind - 1];
            code = complain(&parsing, option == ':' ? "needs a value"
                                                    : "no such option, or not with a value; "
                                                      "see --help");
        } else {
            name_option(&parsing, option, name);
            code = set_option(&parsing, option, optarg);
        }
    }
    return code ? code : finish(&parsing, argc, argv, optind);
}

void load_options_done(struct load_options *options)
{
    free(options->files[0]);
    free(options->files[1]);
    options->files[0] = options->files[1] = NULL;
}
