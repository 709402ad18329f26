/* SPDX-License-Identifier: MIT */
/*
 * dial.c - a stream to a host, by its name; see ouro_dial() in ouro_stream.h
 *
 * A name with several addresses is dialed as RFC 8305 ("Happy Eyeballs") has it: a silent
 * address costs a quarter of a second, not the minutes of the kernel.
 *
 *     0 ms   [2001:db8::1]  ──────── silent ─────────────────✕ cancelled
 *   250 ms   192.0.2.1      ──── refused
 *   260 ms   [2001:db8::2]  ──────────── accepts: the winner
 *   510 ms   (not reached)
 *
 * Each attempt is a task of a group that the dialing task owns, and which ends before the dial
 * does. The first to succeed leaves its socket in the race; who comes later closes his own. A
 * single address needs no task.
 *
 * The Resolution Delay (§3) is the resolver's; see dns.c. Not taken from the RFC: addresses that
 * come after it do not join the race; no history of round-trip times (§5).
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>

#include "dial.h"
#include "ouro_dns.h"
#include "ouro_socket.h"
#include "ouro_stream.h"
#include "ouro_sync.h"
#include "ouro_task.h"
#include "ouro_timer.h"

/* Returns a connected socket or an error. */
static int connect_to(const struct ouro_address *address)
{
    int one = 1;
    int fd = ouro_socket(address->sockaddr.sa_family, SOCK_STREAM, 0);
    int code;

    if (fd < 0)
        return fd;
    if (address->sockaddr.sa_family != AF_UNIX)
        (void) ouro_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    code = ouro_connect(fd, &address->sockaddr, address->len);
    if (code) {
        (void) ouro_close(fd);
        return code;
    }
    return fd;
}

/* --- the order ----------------------------------------------------------------------------- */

/* Moves the address at `from` to the front of those that begin at `to`. */
static void pull_forward(struct ouro_address *addresses, size_t to, size_t from)
{
    struct ouro_address pulled = addresses[from];

    memmove(&addresses[to + 1], &addresses[to], (from - to) * sizeof(*addresses));
    addresses[to] = pulled;
}

void ouro__dial_interleave(struct ouro_address *addresses, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        size_t next = i;

        while (next < count &&
               addresses[next].sockaddr.sa_family == addresses[i - 1].sockaddr.sa_family)
            next++;
        if (next == count)
            return; /* only one family is left */
        pull_forward(addresses, i, next);
    }
}

/* --- the race ------------------------------------------------------------------------------ */

struct race {
    const struct ouro_address *addresses;
    size_t count;
    size_t started_count;
    size_t running_count;
    struct ouro_event news; /* somebody has won, or it is time for the next attempt */
    int winner;             /* a socket; -1: none yet */
    int error;              /* of the attempt with the lowest index among those that failed */
    size_t error_index;
};

/* An attempt is told its index by its argument, a copy. */
struct attempt {
    struct race *race;
    size_t index;
};

static void note_error(struct race *race, size_t index, int error)
{
    /* The first address is the best one, and its error the one that tells most. */
    if (!race->error || index < race->error_index) {
        race->error = error;
        race->error_index = index;
    }
    /* An older attempt than the last is not waited for any more. */
    if (index + 1 == race->started_count || race->running_count == 0)
        ouro_event_set(&race->news);
}

static int attempt(void *arg)
{
    const struct attempt *self = arg;
    struct race *race = self->race;
    int fd = connect_to(&race->addresses[self->index]);

    race->running_count--;
    if (fd < 0) {
        note_error(race, self->index, fd);
    } else if (race->winner < 0) {
        race->winner = fd;
        ouro_event_set(&race->news);
    } else {
        (void) ouro_close(fd);
    }
    return 0;
}

static void start_next(struct race *race, struct ouro_group *group)
{
    static const struct ouro_spawn_options options = {
        .name = "dial", .stack = OURO_STACK_64K, .arg_bytes = sizeof(struct attempt)};
    struct attempt next = {.race = race, .index = race->started_count++};
    int code = ouro_group_spawn_with(group, attempt, &next, &options);

    if (code)
        note_error(race, next.index, code);
    else
        race->running_count++;
}

/* Until there is news or it is time for the next attempt. Returns 0 or the interruption. */
static int wait_for_news(struct race *race, int64_t delay_ns)
{
    struct ouro_timeout limit;
    int code;

    ouro_timeout_begin(&limit, race->started_count < race->count ? delay_ns : OURO_FOREVER);
    code = ouro_event_wait(&race->news);
    if (ouro_timeout_end(&limit))
        code = 0;
    ouro_event_clear(&race->news);
    return code;
}

static int run_race(struct race *race, int64_t delay_ns)
{
    struct ouro_group group;
    int code = 0;

    ouro_group_init_with(&group, OURO_GROUP_INDEPENDENT);
    while (!code && race->winner < 0) {
        if (race->started_count < race->count)
            start_next(race, &group);
        else if (race->running_count == 0)
            break;
        code = wait_for_news(race, delay_ns);
    }
    ouro_group_cancel(&group);
    (void) ouro_group_wait(&group);
    if (race->winner >= 0)
        return race->winner; /* also when an interruption came at the same time */
    return code ? code : race->error;
}

int ouro__dial_connect(const struct ouro_address *addresses, size_t count, int64_t delay_ns)
{
    struct race race = {.addresses = addresses, .count = count, .winner = -1};

    if (count == 1)
        return connect_to(addresses);
    ouro_event_init(&race.news);
    return run_race(&race, delay_ns);
}

/* --- names ---------------------------------------------------------------------------------- */

static int64_t delay_of(const struct ouro_dial_options *options)
{
    int64_t delay_ns = options ? options->attempt_delay_ns : 0;

    if (delay_ns == 0)
        return DIAL_DELAY_NS;
    return delay_ns > DIAL_DELAY_MIN_NS ? delay_ns : DIAL_DELAY_MIN_NS;
}

static int dial_name(const char *host, int port, const struct ouro_dial_options *options)
{
    struct ouro_address *addresses;
    size_t count;
    int code = ouro_resolve(host, port, options ? options->family : 0, &addresses, &count);

    if (code)
        return code;
    ouro__dial_interleave(addresses, count);
    code = ouro__dial_connect(addresses, count, delay_of(options));
    ouro_resolve_free(addresses);
    return code;
}

static int dial_unix(const char *host)
{
    struct ouro_address address;
    int code = ouro_address_parse(host, -1, &address);

    return code ? code : connect_to(&address);
}

int ouro_dial(const char *host, int port, const struct ouro_dial_options *options,
              struct ouro_stream **ret_stream)
{
    int fd, code;

    if (options && options->attempt_delay_ns < 0)
        return -EINVAL;
    if (strncmp(host, "unix:", 5) == 0)
        fd = dial_unix(host);
    else if (port < 1 || port > 65535)
        return -EINVAL;
    else
        fd = dial_name(host, port, options);
    if (fd < 0)
        return fd;
    code = ouro_stream_socket_take(fd, ret_stream);
    if (code)
        (void) ouro_close(fd);
    return code;
}
