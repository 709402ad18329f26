/* SPDX-License-Identifier: MIT */
/*
 * ring.c - which ring: the notation of OURO_RING, and opening what it says
 *
 *     uring[:mode=batch|sqpoll|auto,kernel=X.Y,idle=TIMEms,cpu=N,share=0|1]
 *     batch, sqpoll, auto         short for uring:mode=...
 *     sim[:seed=N,short=PERCENT,errors=PERCENT,trace=PATH]
 *
 * The notation is strict, because a typing error that is ignored turns a test of the
 * simulated ring, or of an old kernel, into one of something else. A table says which
 * keys each name has; docs/ring.md says what they mean.
 *
 * Read next: ring.h for the seam, ring_uring.c and ring_sim.c for what is behind it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "ouro_base.h"
#include "ring.h"

#define SQ_ENTRIES_DEFAULT 512
#define SQ_ENTRIES_MAX     32768

#define IDLE_MS_DEFAULT 2
#define IDLE_MS_MAX     60000
#define CPU_MAX         (1 << 20)

/* What we are tested on; masking more than that would promise too much. */
#define KERNEL_MAJOR_MIN 6
#define KERNEL_MINOR_MIN 1

static const char *const forms =
    "valid are \"uring[:mode=batch|sqpoll|auto,kernel=X.Y,idle=TIMEms,cpu=N,share=0|1]\", short "
    "\"batch\", \"sqpoll\" or \"auto\" for its modes, and "
    "\"sim[:seed=N,short=PERCENT,errors=PERCENT,trace=PATH]\"";

/* Writes what is wrong, then the valid forms. */
OURO_PRINTF(2, 3) static int complain(struct ring_hint *hint, const char *format, ...)
{
    va_list arguments;
    size_t len;

    va_start(arguments, format);
    (void) vsnprintf(hint->text, sizeof(hint->text), format, arguments);
    va_end(arguments);
    len = strlen(hint->text);
    (void) snprintf(hint->text + len, sizeof(hint->text) - len, "; %s", forms);
    return OURO_ERING;
}

/* --- values -------------------------------------------------------------------------- */

/* Reads a decimal number of at most `max`; NULL, or where the text goes on. */
static const char *read_number(const char *text, uint64_t max, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (*text < '0' || *text > '9')
        return NULL;
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t) (*text - '0');

        if (digit > max || number > (max - digit) / 10)
            return NULL;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return text;
}

static bool parse_whole(const char *value, uint64_t max, uint64_t *ret_number)
{
    const char *end = read_number(value, max, ret_number);

    return end && *end == '\0';
}

static bool parse_percent(const char *value, unsigned *ret_percent)
{
    uint64_t number;

    if (!parse_whole(value, 100, &number))
        return false;
    *ret_percent = (unsigned) number;
    return true;
}

static const char *const mode_names[] = {
    [RING_BATCH] = "batch", [RING_SQPOLL] = "sqpoll", [RING_AUTO] = "auto"};

static bool parse_mode(struct ring_config *config, char *value)
{
    for (size_t i = 0; i < COUNT_OF(mode_names); i++) {
        if (strcmp(value, mode_names[i]) == 0) {
            config->mode = (enum ring_mode) i;
            return true;
        }
    }
    return false;
}

/* The kernel counts in milliseconds, and takes 0 for its own second. */
static bool parse_idle(struct ring_config *config, char *value)
{
    uint64_t number;
    const char *end = read_number(value, IDLE_MS_MAX, &number);

    if (!end || strcmp(end, "ms") != 0 || number == 0)
        return false;
    config->idle_ms = (unsigned) number;
    return true;
}

static bool parse_cpu(struct ring_config *config, char *value)
{
    uint64_t number;

    if (!parse_whole(value, CPU_MAX, &number))
        return false;
    config->cpu = (unsigned) number;
    config->has_cpu = true;
    return true;
}

static bool parse_share(struct ring_config *config, char *value)
{
    uint64_t number;

    if (!parse_whole(value, 1, &number))
        return false;
    config->shares_thread = number;
    return true;
}

static bool parse_kernel(struct ring_config *config, char *value)
{
    uint64_t major, minor;
    const char *end = read_number(value, 1000, &major);

    if (!end || *end != '.' || !parse_whole(end + 1, 1000, &minor))
        return false;
    if (major < KERNEL_MAJOR_MIN || (major == KERNEL_MAJOR_MIN && minor < KERNEL_MINOR_MIN))
        return false;
    config->kernel_major = (unsigned) major;
    config->kernel_minor = (unsigned) minor;
    return true;
}

static bool parse_seed(struct ring_config *config, char *value)
{
    return parse_whole(value, UINT64_MAX, &config->seed);
}

static bool parse_short(struct ring_config *config, char *value)
{
    return parse_percent(value, &config->short_percent);
}

static bool parse_errors(struct ring_config *config, char *value)
{
    return parse_percent(value, &config->error_percent);
}

static bool parse_trace(struct ring_config *config, char *value)
{
    config->trace_path = value;
    return *value != '\0';
}

/* --- names and keys ------------------------------------------------------------------ */

static const struct key {
    const char *ring; /* whose key it is */
    const char *name;
    const char *values; /* for the hint */
    bool (*parse)(struct ring_config *config, char *value);
} keys[] = {
    {"uring", "mode", "batch, sqpoll or auto", parse_mode},
    {"uring", "kernel", "two numbers like 6.1, which is the oldest", parse_kernel},
    {"uring", "idle", "a time from 1ms to 60000ms", parse_idle},
    {"uring", "cpu", "the number of a CPU", parse_cpu},
    {"uring", "share", "0 or 1", parse_share},
    {"sim", "seed", "a number of at most 64 bits", parse_seed},
    {"sim", "short", "a number from 0 to 100", parse_short},
    {"sim", "errors", "a number from 0 to 100", parse_errors},
    {"sim", "trace", "a path, or - for the standard error", parse_trace},
};

static const struct key *find_key(const char *ring, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (strcmp(keys[i].ring, ring) == 0 && strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

/* One "key=value". `seen` has a bit for each key that was there before. */
static int parse_setting(struct ring_config *config, const char *ring, char *setting,
                         unsigned *seen, struct ring_hint *hint)
{
    char *value = strchr(setting, '=');
    const struct key *key;

    if (!value)
        return complain(hint, "\"%s\" is not of the form key=value", setting);
    *value++ = '\0';
    key = find_key(ring, setting);
    if (!key)
        return complain(hint, "the ring \"%s\" has no \"%s\"", ring, setting);
    if (*seen & 1u << (key - keys))
        return complain(hint, "\"%s\" is there twice", setting);
    *seen |= 1u << (key - keys);
    if (!key->parse(config, value))
        return complain(hint, "\"%s\" cannot be \"%s\": it takes %s", setting, value, key->values);
    return 0;
}

/* "key=value,key=value"; NULL: there is none. */
static int parse_settings(struct ring_config *config, const char *ring, char *settings,
                          struct ring_hint *hint)
{
    unsigned seen = 0;
    int code = 0;

    while (settings && !code) {
        char *comma = strchr(settings, ',');

        if (comma)
            *comma++ = '\0';
        code = parse_setting(config, ring, settings, &seen, hint);
        settings = comma;
    }
    return code;
}

/* Works in config->text, which it cuts into pieces. */
static int parse_text(struct ring_config *config, struct ring_hint *hint)
{
    char *name = config->text;
    char *settings = strchr(name, ':');

    if (settings)
        *settings++ = '\0';
    if (parse_mode(config, name))
        return settings ? complain(hint,
                                   "\"%s\" is short for \"uring:mode=%s\", which takes "
                                   "more: \"uring:mode=%s,%s\"",
                                   name, name, name, settings)
                        : 0;
    config->simulated = strcmp(name, "sim") == 0;
    if (!config->simulated && strcmp(name, "uring") != 0)
        return complain(hint, "there is no ring \"%s%s%s\"", name, settings ? ":" : "",
                        settings ? settings : "");
    return parse_settings(config, name, settings, hint);
}

/* A setting that does nothing is a mistake about the mode. */
static int check_settings(const struct ring_config *config, struct ring_hint *hint)
{
    if (config->mode != RING_BATCH)
        return 0;
    if (config->idle_ms || config->has_cpu || config->shares_thread)
        return complain(hint, "idle, cpu and share belong to mode=sqpoll or mode=auto");
    return 0;
}

int ouro__ring_parse(const char *spec, struct ring_config *ret_config, struct ring_hint *ret_hint)
{
    struct ring_config config = {.sq_entries = SQ_ENTRIES_DEFAULT};
    int code;

    if (!spec)
        spec = "uring";
    if (strlen(spec) >= sizeof(config.text))
        return complain(ret_hint, "the name of a ring has at most %zu characters",
                        sizeof(config.text) - 1);
    memcpy(config.text, spec, strlen(spec) + 1);
    code = parse_text(&config, ret_hint);
    if (!code)
        code = check_settings(&config, ret_hint);
    if (code)
        return code;
    if (!config.idle_ms)
        config.idle_ms = IDLE_MS_DEFAULT;
    *ret_config = config;
    if (config.trace_path)
        ret_config->trace_path = ret_config->text + (config.trace_path - config.text);
    return 0;
}

/* --- opening ------------------------------------------------------------------------- */

static int open_uring(struct ring *ring, const struct ring_config *config,
                      struct ring_hint *ret_hint)
{
#ifdef OURO_NO_URING
    (void) ring;
    (void) config;
    (void) snprintf(ret_hint->text, sizeof(ret_hint->text),
                    "this build has no io_uring; use the simulated ring: OURO_RING=sim");
    return -ENOSYS;
#else
    return ouro__ring_uring_open(ring, config, ret_hint);
#endif
}

int ouro__ring_open(struct ring *ring, const struct ring_config *config, struct ring_hint *ret_hint)
{
    unsigned entries = config->sq_entries;

    if (entries == 0 || entries > SQ_ENTRIES_MAX || (entries & (entries - 1)) != 0) {
        (void) snprintf(ret_hint->text, sizeof(ret_hint->text),
                        "the submission queue cannot have %u entries: it takes a power of two "
                        "from 1 to %d",
                        entries, SQ_ENTRIES_MAX);
        return -EINVAL;
    }
    *ring = (struct ring) {0};
    return config->simulated ? ouro__ring_sim_open(ring, config, ret_hint)
                             : open_uring(ring, config, ret_hint);
}

void ouro__ring_close(struct ring *ring)
{
    ring->backend->close(ring);
}
