/* SPDX-License-Identifier: MIT */
/*
 * dns.c - host names to addresses, by c-ares; see ouro_dns.h
 *
 * Each lookup has a c-ares channel of its own and lives on its task's stack, so that
 * lookups of different tasks run side by side, and an interruption ends one by destroying
 * its channel. c-ares tells which of its sockets want what (as a rule there is one, for
 * both address families); these go into an epoll set, and the set is what the task
 * polls: of several sockets a task could wait for only one.
 *
 *     resolve ──▶ ares_getaddrinfo ──▶ loop: sleep in ouro_poll(set), at most as long as
 *                                            ares_timeout says; ares_process_fd
 *
 * Both address families are one question to c-ares, which ends when the last name server has been
 * silent for the last time: 14 s after the other family's addresses were there. RFC 8305 §3 has
 * 50 ms (the Resolution Delay). So when the answer is not complete 50 ms after name servers began
 * to answer, each family is asked for on its own, too, and the first to have an address that this
 * machine has a route to is all that there is:
 *
 *     0 ms    A and AAAA, one question      ─────────────── ✕ given up
 *     1 ms    A is answered, not told yet
 *    51 ms    A ── answered: the result      AAAA ───────── ✕ given up
 *
 * That the first answer is asked for twice is the price for having the rest as c-ares does it: it
 * looks into /etc/hosts for both, sorts both (RFC 6724), and walks a search list for both at
 * once. Where the search list comes first there is no second question: it might find the one
 * family in another domain than the other.
 *
 * Callbacks of c-ares only take notes; nothing in them suspends. c-ares reads its
 * configuration and /etc/hosts with blocking calls, which are short.
 *
 * The simulated ring answers -ENOSYS for descriptors of the kernel. There c-ares is told
 * to look into /etc/hosts alone and not to sort, which needs no socket.
 */
#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#include "ouro_dns.h"
#include "ouro_socket.h"
#include "ouro_task.h"
#include "ouro_timer.h"

#define NAME_MAX_LEN 253 /* RFC 1035 §3.1, as text */
#define READY_MAX    8   /* sockets looked at in one go; the rest is ready the next time */

/*
 * How long a name server may be silent, doubled at each try. Before 1.20 c-ares' own idea
 * was 75 s in all, and it did not know the limits that resolv.conf(5) may set; newer ones
 * have these numbers themselves, and let that file change them.
 */
#define TIMEOUT_MS  2000
#define TRIES       3
#define LIMITS_MASK (ARES_VERSION < 0x011400 ? ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES : 0)

/* The Resolution Delay of RFC 8305 §3 and §8. */
#define DELAY_NS (50 * OURO_MILLISECOND)

struct question {
    bool is_answered;
    int status; /* of c-ares, once answered */
    struct ares_addrinfo *found;
};

struct lookup {
    ares_channel channel;
    int epoll_fd;
    bool simulated;
    bool files_only; /* /etc/hosts, no name server */
    const char *host;
    struct question whole;       /* what the caller wants to know */
    struct question families[2]; /* the same of IPv6 and of IPv4 */
    int64_t second_time;         /* when these are to be asked; OURO_FOREVER: not */
};

void ouro_resolve_free(struct ouro_address *addresses)
{
    free(addresses);
}

/* --- addresses as text ------------------------------------------------------------------- */

/* Returns 0; OURO_EADDRESS when `host` is no address, but may be a name; OURO_ENONAME. */
static int parse_literal(const char *host, int port, struct ouro_address *ret_address)
{
    char text[OURO_ADDRESS_TEXT_MAX];
    bool bracketed = host[0] == '[';
    int len;

    if (!bracketed && !strchr(host, ':')) {
        memset(ret_address, 0, sizeof(*ret_address));
        ret_address->in.sin_family = AF_INET;
        ret_address->len = sizeof(ret_address->in);
        ouro_address_set_port(ret_address, port);
        return inet_pton(AF_INET, host, &ret_address->in.sin_addr) == 1 ? 0 : OURO_EADDRESS;
    }
    len = snprintf(text, sizeof(text), bracketed ? "%s" : "[%s]", host);
    if (len >= (int) sizeof(text) || text[len - 1] != ']' ||
        ouro_address_parse(text, port, ret_address))
        return OURO_ENONAME;
    return 0;
}

static int make_result(const struct ouro_address *addresses, size_t count,
                       struct ouro_address **ret_addresses, size_t *ret_count)
{
    struct ouro_address *copy = malloc(count * sizeof(*copy));

    if (!copy)
        return -ENOMEM;
    memcpy(copy, addresses, count * sizeof(*copy));
    *ret_addresses = copy;
    *ret_count = count;
    return 0;
}

/* What else is sent to name servers might be somebody's idea of an attack on them, or on c-ares. */
static bool is_name(const char *host)
{
    size_t len = strlen(host);

    if (len && host[len - 1] == '.')
        len--;
    return len > 0 && len <= NAME_MAX_LEN &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") >= len;
}

/* --- c-ares' callbacks ------------------------------------------------------------------- */

static void on_found(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    struct question *question = arg;

    (void) timeouts;
    question->is_answered = true;
    question->status = status;
    question->found = found;
}

/* A socket that can't be watched is as good as one that is silent: c-ares will time out. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct lookup *lookup = arg;
    struct epoll_event event = {
        .events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
        .data = {.fd = fd},
    };

    if (!event.events)
        (void) epoll_ctl(lookup->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(lookup->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)
        (void) epoll_ctl(lookup->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

/* --- a lookup ---------------------------------------------------------------------------- */

static int from_ares(int status, bool simulated)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME:
    case ARES_EBADNAME:
        return simulated ? OURO_ERESOLVER : OURO_ENONAME;
    case ARES_ENOMEM:
        return -ENOMEM;
    default:
        return OURO_ERESOLVER;
    }
}

static void init_library(void)
{
    (void) ares_library_init(ARES_LIB_INIT_ALL);
}

static int open_channel(struct lookup *lookup)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* c-ares asks for it */
    static char files_only[] = "f";
    struct ares_options options = {
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = lookup,
        .lookups = files_only,
        .timeout = TIMEOUT_MS,
        .tries = TRIES,
    };
    int mask = ARES_OPT_SOCK_STATE_CB | LIMITS_MASK;
    int status;

    (void) pthread_once(&once, init_library);
    if (lookup->files_only)
        mask |= ARES_OPT_LOOKUPS;
    status = ares_init_options(&lookup->channel, &options, mask);
    return status == ARES_SUCCESS ? 0 : from_ares(status, false);
}

static int open_lookup(struct lookup *lookup, bool files_only)
{
    int code, type;
    socklen_t len = sizeof(type);

    memset(lookup, 0, sizeof(*lookup));
    lookup->second_time = OURO_FOREVER;
    lookup->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (lookup->epoll_fd < 0)
        return -errno;
    lookup->simulated =
        ouro_getsockopt(lookup->epoll_fd, SOL_SOCKET, SO_TYPE, &type, &len) == -ENOSYS;
    lookup->files_only = files_only || lookup->simulated;
    code = open_channel(lookup);
    if (code)
        (void) close(lookup->epoll_fd);
    return code;
}

static void forget(struct question *question)
{
    if (question->found)
        ares_freeaddrinfo(question->found);
}

/* Whatever is under way ends here: c-ares calls back, and on_found() notes it. */
static void close_lookup(struct lookup *lookup)
{
    ouro_no_suspend_begin();
    ares_destroy(lookup->channel);
    ouro_no_suspend_end();
    forget(&lookup->whole);
    forget(&lookup->families[0]);
    forget(&lookup->families[1]);
    (void) close(lookup->epoll_fd);
}

/* c-ares does not say why it could not open a file or a socket, so we try it ourselves. */
static int explain(const struct lookup *lookup)
{
    int fd = fcntl(lookup->epoll_fd, F_DUPFD_CLOEXEC, 0);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        return -errno;
    if (fd >= 0)
        (void) close(fd);
    return OURO_ERESOLVER;
}

/*
 * Sleeps until a socket is ready, c-ares wants to be called or it is time for the second
 * questions. Returns 0 or the interruption.
 */
static int wait_for_sockets(struct lookup *lookup)
{
    struct timeval tv, *soonest = ares_timeout(lookup->channel, NULL, &tv);
    int64_t deadline = lookup->second_time;
    struct ouro_timeout limit;
    int code;

    /* c-ares cuts off what is less than a millisecond; called too early it does nothing. */
    if (soonest) {
        int64_t at = ouro_now() + soonest->tv_sec * OURO_SECOND +
                     soonest->tv_usec * OURO_MICROSECOND + OURO_MILLISECOND;

        deadline = at < deadline ? at : deadline;
    }
    ouro_timeout_begin_at(&limit, deadline);
    code = ouro_poll(lookup->epoll_fd, POLLIN);
    if (ouro_timeout_end(&limit))
        return 0;
    return code < 0 ? code : 0;
}

/* Returns whether there was something to read. */
static bool process(struct lookup *lookup)
{
    struct epoll_event ready[READY_MAX];
    int count = epoll_wait(lookup->epoll_fd, ready, READY_MAX, 0);
    bool was_readable = false;

    ouro_no_suspend_begin(); /* c-ares can't be entered again from its callbacks */
    for (int i = 0; i < count; i++) {
        bool is_readable = ready[i].events & ~(uint32_t) EPOLLOUT;

        was_readable |= is_readable;
        ares_process_fd(lookup->channel, is_readable ? ready[i].data.fd : ARES_SOCKET_BAD,
                        ready[i].events & EPOLLOUT ? ready[i].data.fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(lookup->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what has timed out */
    ouro_no_suspend_end();
    return was_readable;
}

static void ask(struct lookup *lookup, const char *host, int family, struct question *question)
{
    struct ares_addrinfo_hints hints = {
        .ai_flags = lookup->files_only ? ARES_AI_NOSORT : 0,
        .ai_family = family,
        .ai_socktype = SOCK_STREAM,
    };

    ouro_no_suspend_begin();
    ares_getaddrinfo(lookup->channel, host, NULL, &hints, on_found, question);
    ouro_no_suspend_end();
}

/* Whether c-ares tries the name as it is before it tries it in the domains of the search list. */
static bool is_first_as_it_is(const struct lookup *lookup)
{
    struct ares_options options;
    int mask, dots = 0;
    bool is_first;

    if (ares_save_options(lookup->channel, &options, &mask) != ARES_SUCCESS)
        return false;
    for (const char *at = lookup->host; *at; at++)
        dots += *at == '.';
    is_first = options.ndomains <= 0 || dots >= options.ndots;
    ares_destroy_options(&options);
    return is_first;
}

/* With a dot at the end, so that there is no search. */
static void ask_for_families(struct lookup *lookup)
{
    size_t len = strlen(lookup->host);
    char host[NAME_MAX_LEN + 2];

    lookup->second_time = OURO_FOREVER;
    if (lookup->host[len - 1] != '.' && !is_first_as_it_is(lookup))
        return;
    (void) snprintf(host, sizeof(host), "%s%s", lookup->host,
                    lookup->host[len - 1] == '.' ? "" : ".");
    ask(lookup, host, AF_INET6, &lookup->families[0]);
    ask(lookup, host, AF_INET, &lookup->families[1]);
}

static bool is_usable(const struct ares_addrinfo_node *node)
{
    return (node->ai_family == AF_INET || node->ai_family == AF_INET6) &&
           (size_t) node->ai_addrlen <= sizeof(((struct ouro_address *) 0)->un);
}

/* Whether this machine has a route to it. Sends nothing. */
static bool is_reachable(const struct ares_addrinfo_node *node)
{
    int fd = socket(node->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ouro_address address = {.len = (socklen_t) node->ai_addrlen};
    bool is_reachable;

    if (fd < 0)
        return false;
    memcpy(&address.sockaddr, node->ai_addr, (size_t) node->ai_addrlen);
    ouro_address_set_port(&address, 53); /* any: some kernels refuse 0 */
    is_reachable = connect(fd, &address.sockaddr, address.len) == 0;
    (void) close(fd);
    return is_reachable;
}

/* c-ares has put those that can't be reached last. */
static bool is_good(const struct question *question)
{
    return question->is_answered && question->status == ARES_SUCCESS && question->found->nodes &&
           is_usable(question->found->nodes) && is_reachable(question->found->nodes);
}

/* The answer that counts; NULL: there is none yet. */
static struct question *find_answer(struct lookup *lookup)
{
    if (lookup->whole.is_answered)
        return &lookup->whole;
    for (int i = 0; i < 2; i++)
        if (is_good(&lookup->families[i]))
            return &lookup->families[i];
    return NULL;
}

static int run_lookup(struct lookup *lookup, int family, struct ares_addrinfo **ret_found)
{
    struct question *answer;
    bool is_alone = family || lookup->files_only; /* or there is nothing to ask for on its own */

    ask(lookup, lookup->host, family, &lookup->whole);
    while (!(answer = find_answer(lookup))) {
        int code = wait_for_sockets(lookup);

        if (code)
            return code;
        if (process(lookup) && !is_alone) {
            lookup->second_time = ouro_now() + DELAY_NS;
            is_alone = true;
        }
        if (ouro_now() >= lookup->second_time && !lookup->whole.is_answered)
            ask_for_families(lookup);
    }
    *ret_found = answer->found;
    return from_ares(answer->status, lookup->simulated);
}

static int collect(const struct ares_addrinfo *found, int port, struct ouro_address **ret_addresses,
                   size_t *ret_count)
{
    const struct ares_addrinfo_node *node;
    struct ouro_address *addresses;
    size_t count = 0;

    for (node = found->nodes; node; node = node->ai_next)
        count += is_usable(node);
    if (!count)
        return OURO_ENONAME;
    addresses = calloc(count, sizeof(*addresses));
    if (!addresses)
        return -ENOMEM;

    *ret_addresses = addresses;
    *ret_count = count;
    for (node = found->nodes; node; node = node->ai_next) {
        if (!is_usable(node))
            continue;
        memcpy(&addresses->sockaddr, node->ai_addr, (size_t) node->ai_addrlen);
        addresses->len = (socklen_t) node->ai_addrlen;
        ouro_address_set_port(addresses++, port);
    }
    return 0;
}

/* --- localhost --------------------------------------------------------------------------- */

/* RFC 6761 §6.3: "localhost" and all below it are this machine, and no name server's business. */
static bool is_localhost(const char *host)
{
    static const char name[] = "localhost";
    size_t len = strlen(host), name_len = sizeof(name) - 1;

    if (len && host[len - 1] == '.')
        len--;
    return len >= name_len && !strncasecmp(host + len - name_len, name, name_len) &&
           (len == name_len || host[len - name_len - 1] == '.');
}

static int make_loopback(int port, int family, struct ouro_address **ret_addresses,
                         size_t *ret_count)
{
    struct ouro_address both[2];
    size_t first = family == AF_INET ? 1 : 0;

    (void) ouro_address_parse("[::1]", port, &both[0]);
    (void) ouro_address_parse("127.0.0.1", port, &both[1]);
    return make_result(both + first, family ? 1 : 2, ret_addresses, ret_count);
}

int ouro_resolve(const char *host, int port, int family, struct ouro_address **ret_addresses,
                 size_t *ret_count)
{
    struct ouro_address literal;
    struct ares_addrinfo *found;
    struct lookup lookup;
    int code;

    if (port < 0 || port > 65535 || (family && family != AF_INET && family != AF_INET6))
        return -EINVAL;
    code =
        ouro_checkpoint(); /* some answers need no wait, but an interrupted call begins nothing */
    if (code)
        return code;
    code = parse_literal(host, port, &literal);
    if (!code && family && literal.sockaddr.sa_family != family)
        code = OURO_ENONAME;
    if (!code)
        return make_result(&literal, 1, ret_addresses, ret_count);
    if (code == OURO_ENONAME || !is_name(host))
        return OURO_ENONAME;

    code = open_lookup(&lookup, is_localhost(host));
    if (code)
        return code;
    lookup.host = host;
    code = run_lookup(&lookup, family, &found);
    if (code == OURO_ERESOLVER)
        code = explain(&lookup);
    if (!code)
        code = collect(found, port, ret_addresses, ret_count);
    close_lookup(&lookup);
    if (is_localhost(host) && (code == OURO_ENONAME || code == OURO_ERESOLVER))
        return make_loopback(port, family, ret_addresses, ret_count); /* /etc/hosts is silent */
    return code;
}
