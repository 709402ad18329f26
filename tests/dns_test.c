/* SPDX-License-Identifier: MIT */
/*
 * dns_test.c - tests of proto/dns.c
 *
 * Lookups that need a name server happen in a child process with its own network and its
 * own /etc/resolv.conf, where the test is the name server. Where the system does not allow
 * such namespaces these tests are skipped.
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ouro.h"
#include "ouro_dns.h"

#include "test.h"

static int run_on(const char *ring, ouro_task_fn *fn)
{
    struct ouro_run_options options = {.ring = ring};

    return ouro_run(fn, NULL, &options);
}

static void on_both_rings(ouro_task_fn *fn)
{
    CU_ASSERT_EQUAL(run_on(test_kernel_ring(), fn), 0);
    CU_ASSERT_EQUAL(run_on(test_sim_ring(), fn), 0);
}

/* All addresses as one text, or the error's number. */
static const char *resolve(const char *host, int port, int family)
{
    static char text[1024];
    struct ouro_address *addresses;
    char one[OURO_ADDRESS_TEXT_MAX];
    size_t count;
    int code = ouro_resolve(host, port, family, &addresses, &count);

    text[0] = '\0';
    if (code) {
        (void) snprintf(text, sizeof(text), "%d", code);
        return text;
    }
    for (size_t i = 0; i < count && i < 8; i++)
        (void) strcat(strcat(text, i ? " " : ""), ouro_address_format(&addresses[i], one));
    ouro_resolve_free(addresses);
    return text;
}

/* --- without name servers ---------------------------------------------------------------- */

static int resolve_literals(void *arg)
{
    (void) arg;
    CU_ASSERT_STRING_EQUAL(resolve("127.0.0.1", 80, 0), "127.0.0.1:80");
    CU_ASSERT_STRING_EQUAL(resolve("127.0.0.1", 0, AF_INET), "127.0.0.1:0");
    CU_ASSERT_STRING_EQUAL(resolve("::1", 65535, 0), "[::1]:65535");
    CU_ASSERT_STRING_EQUAL(resolve("[::1]", 80, AF_INET6), "[::1]:80");
    CU_ASSERT_STRING_EQUAL(resolve("127.0.0.1", 80, AF_INET6), "-4099");
    CU_ASSERT_STRING_EQUAL(resolve("::1", 80, AF_INET), "-4099");
    return 0;
}

static void test_literals_ask_nobody(void)
{
    on_both_rings(resolve_literals);
}

static int resolve_nonsense(void *arg)
{
    static const char *const hosts[] = {
        "",      ".",      "a b", "a/b", "a:80",     "[::1]:80", "[::1",       "[a]",      "a\n",
        "a\\.b", "user@a", "%61", "::g", "\xc3\xa4", "a,b",      "1.2.3.4:80", "[1.2.3.4]"};
    char longest[300];

    (void) arg;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
        CU_ASSERT_STRING_EQUAL(resolve(hosts[i], 80, 0), "-4099");
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    CU_ASSERT_STRING_EQUAL(resolve(longest, 80, 0), "-4099");
    return 0;
}

static void test_what_is_no_name_is_not_asked_for(void)
{
    on_both_rings(resolve_nonsense);
}

static int resolve_with_bad_arguments(void *arg)
{
    struct ouro_address *addresses;
    size_t count;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_resolve("::1", -1, 0, &addresses, &count), -EINVAL);
    CU_ASSERT_EQUAL(ouro_resolve("::1", 65536, 0, &addresses, &count), -EINVAL);
    CU_ASSERT_EQUAL(ouro_resolve("::1", 80, AF_UNIX, &addresses, &count), -EINVAL);
    ouro_resolve_free(NULL);
    return 0;
}

static void test_bad_arguments_are_refused(void)
{
    on_both_rings(resolve_with_bad_arguments);
}

static int resolve_localhost(void *arg)
{
    (void) arg;
    CU_ASSERT_STRING_EQUAL(resolve("localhost", 80, AF_INET), "127.0.0.1:80");
    return 0;
}

static int resolve_below_localhost(void *arg)
{
    (void) arg;
    CU_ASSERT_STRING_EQUAL(resolve("any.LocalHost.", 80, AF_INET), "127.0.0.1:80");
    CU_ASSERT_STRING_EQUAL(resolve("any.localhost", 80, AF_INET6), "[::1]:80");
    CU_ASSERT_STRING_EQUAL(resolve("any.localhost", 80, 0), "[::1]:80 127.0.0.1:80");
    return 0;
}

/* RFC 6761 §6.3, also on a machine whose /etc/hosts does not know it. */
static void test_localhost_needs_no_name_server(void)
{
    on_both_rings(resolve_below_localhost);
}

static void test_hosts_file_is_honoured(void)
{
    on_both_rings(resolve_localhost);
}

static int resolve_without_servers(void *arg)
{
    (void) arg;
    CU_ASSERT_STRING_EQUAL(resolve("name.test", 80, 0), "-4100");
    return 0;
}

static void test_simulated_ring_has_no_name_servers(void)
{
    CU_ASSERT_EQUAL(run_on(test_sim_ring(), resolve_without_servers), 0);
}

/* --- a name server ----------------------------------------------------------------------- */

#define CROWD 40 /* lookups at once */

static struct {
    int fd;
    unsigned queries; /* seen so far */
    struct {
        unsigned char packet[512];
        ssize_t len;
        struct sockaddr_in from;
    } held[2 * CROWD];
    unsigned held_count;
    unsigned lost_count; /* questions of "far" */
    unsigned failures;   /* of the child: it can't use CUnit's counters */
} server;

static void expect(bool condition, int line)
{
    if (condition)
        return;
    (void) fprintf(stderr, "dns_test.c:%d: failed in the child\n", line);
    server.failures++;
}
#define EXPECT(condition) expect(condition, __LINE__)

/* Makes the answer in place: `rcode`, and `data` as the only record unless that is NULL. */
static void reply(unsigned char *packet, ssize_t len, const struct sockaddr_in *to, int rcode,
                  const void *data, size_t data_len)
{
    static const unsigned char record[] = {0xc0, 12, 0, 0, 0, 1, 0, 0, 0, 60, 0};
    size_t name_len = strlen((char *) packet + 12) + 1; /* lengths of labels are no zeros */
    size_t at = 12 + name_len + 4;

    (void) len;
    packet[2] = 0x81;
    packet[3] = (unsigned char) (0x80 | rcode);
    packet[6] = 0;
    packet[7] = data != NULL;
    memset(packet + 8, 0, 4); /* what else the query had, EDNS for one, is not repeated */
    if (data) {
        memcpy(packet + at, record, sizeof(record));
        memcpy(packet + at + 2, packet + 12 + name_len, 2); /* the type that was asked for */
        packet[at + sizeof(record)] = (unsigned char) data_len;
        memcpy(packet + at + sizeof(record) + 1, data, data_len);
        at += sizeof(record) + 1 + data_len;
    }
    (void) sendto(server.fd, packet, at, 0, (const struct sockaddr *) to, sizeof(*to));
}

static void reply_with_loopback(unsigned char *packet, ssize_t len, const struct sockaddr_in *to)
{
    static const unsigned char v4[] = {127, 0, 0, 9};
    bool wants_v6 = packet[12 + strlen((char *) packet + 12) + 2] == 28; /* AAAA */

    if (wants_v6)
        reply(packet, len, to, 0, &in6addr_loopback, sizeof(in6addr_loopback));
    else
        reply(packet, len, to, 0, v4, sizeof(v4));
}

/* Nobody of the crowd is served before all are there: they have to be there at once. */
static void hold(const unsigned char *packet, ssize_t len, const struct sockaddr_in *from)
{
    memcpy(server.held[server.held_count].packet, packet, (size_t) len);
    server.held[server.held_count].len = len;
    server.held[server.held_count++].from = *from;
    if (server.held_count < 2 * CROWD)
        return;
    for (unsigned i = 0; i < 2 * CROWD; i++)
        reply_with_loopback(server.held[i].packet, server.held[i].len, &server.held[i].from);
}

/* --- answers that are late or missing -------------------------------------------------------- */

struct late_reply {
    unsigned char packet[512];
    ssize_t len;
    struct sockaddr_in to;
    int64_t delay_ns;
};

static int reply_late(void *arg)
{
    struct late_reply *late = arg;

    if (ouro_sleep(late->delay_ns) == 0)
        reply_with_loopback(late->packet, late->len, &late->to);
    free(late);
    return 0;
}

static void reply_later(const unsigned char *packet, ssize_t len, const struct sockaddr_in *to,
                        int64_t delay_ns)
{
    struct late_reply *late = calloc(1, sizeof(*late));

    memcpy(late->packet, packet, (size_t) len);
    late->len = len;
    late->to = *to;
    late->delay_ns = delay_ns;
    EXPECT(ouro_spawn(reply_late, late) > 0);
}

/* "far": an IPv6 address without a route; the first question for the other one is lost. */
static void answer_far(unsigned char *packet, ssize_t len, const struct sockaddr_in *from,
                       bool wants_v6)
{
    static const unsigned char far_away[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

    if (wants_v6)
        reply(packet, len, from, 0, far_away, sizeof(far_away));
    else if (server.lost_count++)
        reply_with_loopback(packet, len, from);
}

/* "late": has IPv6 alone, and tells so late. In any other domain there is another "late". */
static void answer_late(unsigned char *packet, ssize_t len, const struct sockaddr_in *from,
                        bool wants_v6)
{
    bool is_ours = !strcmp((char *) packet + 12, "\4late\4test");

    if (wants_v6 && is_ours)
        reply_later(packet, len, from, 300 * OURO_MILLISECOND);
    else if (wants_v6 || is_ours)
        reply(packet, len, from, 0, NULL, 0);
    else
        reply_with_loopback(packet, len, from);
}

/* Returns whether it was the name of such a host. */
static bool answer_oddly(unsigned char *packet, ssize_t len, const struct sockaddr_in *from,
                         bool wants_v6)
{
    const char *label = (const char *) packet + 13;

    if (strncmp(label, "nofour", 6) == 0 || strncmp(label, "nosix", 5) == 0) {
        if (wants_v6 == (strncmp(label, "nofour", 6) == 0))
            reply_with_loopback(packet, len, from);
    } else if (strncmp(label, "slow", 4) == 0) {
        reply_later(packet, len, from, wants_v6 ? 10 * OURO_MILLISECOND : 0);
    } else if (strncmp(label, "far", 3) == 0) {
        answer_far(packet, len, from, wants_v6);
    } else if (strncmp(label, "late", 4) == 0) {
        answer_late(packet, len, from, wants_v6);
    } else {
        return false;
    }
    return true;
}

static void answer(unsigned char *packet, ssize_t len, const struct sockaddr_in *from)
{
    const char *label = (const char *) packet + 13;
    bool wants_v6 = packet[12 + strlen((char *) packet + 12) + 2] == 28;

    server.queries++;
    if (answer_oddly(packet, len, from, wants_v6))
        return;
    if (strncasecmp(label, "both", 4) == 0)
        reply_with_loopback(packet, len, from);
    else if (strncasecmp(label, "four", 4) == 0 && !wants_v6)
        reply_with_loopback(packet, len, from);
    else if (strncasecmp(label, "four", 4) == 0)
        reply(packet, len, from, 0, NULL, 0);
    else if (strncasecmp(label, "broken", 6) == 0)
        reply(packet, len, from, 2, NULL, 0); /* SERVFAIL */
    else if (strncasecmp(label, "crowd", 5) == 0)
        hold(packet, len, from);
    else if (strncasecmp(label, "lost", 4) == 0 && server.queries > 1)
        reply_with_loopback(packet, len, from);
    else if (strncasecmp(label, "lost", 4) != 0 && strncasecmp(label, "silent", 6) != 0)
        reply(packet, len, from, 3, NULL, 0); /* NXDOMAIN */
}

static int serve(void *arg)
{
    (void) arg;
    while (ouro_poll(server.fd, POLLIN) > 0) {
        unsigned char packet[512];
        struct sockaddr_in from;
        socklen_t from_len = sizeof(from);
        ssize_t len = recvfrom(server.fd, packet, sizeof(packet) - 64, 0, (struct sockaddr *) &from,
                               &from_len);

        if (len > 16)
            answer(packet, len, &from);
    }
    return 0;
}

static int with_server(void *arg)
{
    ouro_task_fn *fn;
    ouro_task_id id;
    int code;

    memcpy(&fn, arg, sizeof(fn));
    id = ouro_spawn(serve, NULL);
    code = fn(NULL);
    EXPECT(id > 0 && ouro_cancel_join(id, NULL) == 0);
    return code;
}

/* --- a world of one's own ---------------------------------------------------------------- */

static bool write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    bool good = file && fputs(text, file) >= 0;

    return file && fclose(file) == 0 && good;
}

static bool raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bool good = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;

    (void) close(fd);
    return good;
}

static bool bind_server(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(53), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return server.fd >= 0 &&
           bind(server.fd, (const struct sockaddr *) &address, sizeof(address)) == 0;
}

static const char resolv_conf[] = "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n";

/* Our own mounts and network; own users as well, where we are not root. */
static bool leave_the_world(void)
{
    char path[] = "/tmp/ouro-dns-test-XXXXXX";
    int fd = mkstemp(path);
    bool good;

    if (fd < 0)
        return false;
    (void) close(fd);
    good = write_file(path, resolv_conf) &&
           (unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 ||
            unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) == 0) &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0 && raise_loopback() &&
           bind_server();
    (void) unlink(path);
    return good;
}

enum { CHILD_GOOD, CHILD_BAD, CHILD_SKIPS };

static int child(ouro_task_fn *fn)
{
    struct ouro_run_options options = {.ring = test_kernel_ring()};

    if (!leave_the_world())
        return CHILD_SKIPS;
    EXPECT(ouro_run(with_server, &fn, &options) == 0);
    return server.failures ? CHILD_BAD : CHILD_GOOD;
}

/* Returns false when that can't be done here. */
static bool in_own_world(ouro_task_fn *fn)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        _exit(child(fn));
    CU_ASSERT_FATAL(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    CU_ASSERT_NOT_EQUAL(WEXITSTATUS(status), CHILD_BAD);
    return WEXITSTATUS(status) != CHILD_SKIPS;
}

#define IN_OWN_WORLD(fn)                                                      \
    do {                                                                      \
        if (!in_own_world(fn))                                                \
            TEST_SKIP("needs namespaces for a network and files of its own"); \
    } while (0)

/* --- with a name server ------------------------------------------------------------------ */

static int ask_the_server(void *arg)
{
    const char *found;

    (void) arg;
    found = resolve("both.test", 80, 0);
    EXPECT(strstr(found, "127.0.0.9:80") && strstr(found, "[::1]:80"));
    EXPECT(strcmp(resolve("both.test.", 80, AF_INET6), "[::1]:80") == 0);
    EXPECT(strcmp(resolve("BOTH.test", 80, AF_INET), "127.0.0.9:80") == 0);
    EXPECT(strcmp(resolve("four.test", 81, 0), "127.0.0.9:81") == 0);
    EXPECT(strcmp(resolve("four.test", 81, AF_INET6), "-4099") == 0);
    EXPECT(strcmp(resolve("none.test", 80, 0), "-4099") == 0);
    EXPECT(strcmp(resolve("broken.test", 80, 0), "-4100") == 0);
    return 0;
}

static void test_name_servers_are_asked(void)
{
    IN_OWN_WORLD(ask_the_server);
}

static int join_the_crowd(void *arg)
{
    char host[32];

    (void) snprintf(host, sizeof(host), "crowd%d.test", *(int *) arg);
    EXPECT(strstr(resolve(host, 80, 0), "127.0.0.9:80") != NULL);
    return 0;
}

static int resolve_as_a_crowd(void *arg)
{
    struct ouro_group group;
    int numbers[CROWD];

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < CROWD; i++) {
        numbers[i] = i;
        EXPECT(ouro_group_spawn(&group, join_the_crowd, &numbers[i]) == 0);
    }
    return ouro_group_wait(&group);
}

static void test_lookups_of_different_tasks_run_side_by_side(void)
{
    IN_OWN_WORLD(resolve_as_a_crowd);
}

static unsigned open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        (void) closedir(folder);
    return count;
}

static int ask_who_is_silent(void *arg)
{
    struct ouro_address *addresses;
    size_t count;

    (void) arg;
    return ouro_resolve("silent.test", 80, 0, &addresses, &count);
}

static int interrupt_lookups(void *arg)
{
    struct ouro_timeout limit;
    unsigned files = open_files();
    unsigned queries;
    ouro_task_id id;
    int result = 0;

    (void) arg;
    ouro_timeout_begin(&limit, 20 * OURO_MILLISECOND);
    EXPECT(ask_who_is_silent(NULL) == -ETIMEDOUT);
    EXPECT(ouro_timeout_end(&limit) == -ETIMEDOUT);

    queries = server.queries;
    id = ouro_spawn(ask_who_is_silent, NULL);
    for (int tries = 0; server.queries == queries && tries < 5000; tries++)
        EXPECT(ouro_sleep(OURO_MILLISECOND) == 0);
    EXPECT(ouro_cancel_join(id, &result) == 0);
    EXPECT(result == -ECANCELED);

    EXPECT(open_files() == files);
    return 0;
}

static void test_lookups_can_be_interrupted(void)
{
    IN_OWN_WORLD(interrupt_lookups);
}

static int lose_a_query(void *arg)
{
    (void) arg;
    EXPECT(strcmp(resolve("lost.test", 80, AF_INET), "127.0.0.9:80") == 0);
    EXPECT(server.queries == 2);
    return 0;
}

/* Takes c-ares' shortest time limit: one or two seconds. */
static void test_lost_queries_are_repeated(void)
{
    IN_OWN_WORLD(lose_a_query);
}

static int ask_nobody(void *arg)
{
    (void) arg;
    (void) close(server.fd);
    server.fd = -1;
    EXPECT(strcmp(resolve("both.test", 80, AF_INET), "-4100") == 0);
    return 0;
}

static void test_absent_servers_are_told_from_absent_names(void)
{
    IN_OWN_WORLD(ask_nobody);
}

static int ask_for_half_an_answer(void *arg)
{
    static const struct {
        const char *host, *found;
    } rows[] = {
        {"nosix.test", "127.0.0.9:80"},
        {"nosix.test.", "127.0.0.9:80"},
        {"nofour.test", "[::1]:80"},
        {"far.test", "127.0.0.9:80"},
    };
    const char *found;

    (void) arg;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t begin = ouro_now();

        EXPECT(strcmp(resolve(rows[i].host, 80, 0), rows[i].found) == 0);
        EXPECT(ouro_now() - begin < OURO_SECOND);
    }
    found = resolve("slow.test", 80, 0);
    EXPECT(strstr(found, "127.0.0.9:80") && strstr(found, "[::1]:80"));
    return 0;
}

/* RFC 8305 §3: with the addresses of one family there is no long wait for those of the other. */
static void test_family_that_nobody_tells_of_is_not_waited_for(void)
{
    IN_OWN_WORLD(ask_for_half_an_answer);
}

static int search_for_halves(void *arg)
{
    (void) arg;
    EXPECT(write_file("/etc/resolv.conf", "nameserver 127.0.0.1\nsearch corp.test\n"));
    EXPECT(strcmp(resolve("late.test", 80, 0), "[::1]:80") == 0);
    EXPECT(write_file("/etc/resolv.conf", "nameserver 127.0.0.1\nsearch test\n"));
    EXPECT(strcmp(resolve("late", 80, 0), "[::1]:80") == 0);
    return 0;
}

/* What is late is not looked for elsewhere: that would be another host's. */
static void test_families_come_from_one_domain(void)
{
    IN_OWN_WORLD(search_for_halves);
}

/* With as many descriptors left as `left` says, a lookup works or says what it wants. */
static int resolve_with_few_descriptors(void *arg)
{
    struct rlimit limit, few;
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int left = 0;

    (void) arg;
    (void) close(lowest);
    EXPECT(lowest > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (const char *found = ""; left < 8 && *found != '1'; left++) {
        few = limit;
        few.rlim_cur = (rlim_t) (lowest + left);
        EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
        found = resolve("both.test", 80, AF_INET);
        EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        EXPECT(strcmp(found, "-24") == 0 || strcmp(found, "127.0.0.9:80") == 0);
    }
    EXPECT(left > 1 && left < 8);
    return 0;
}

static void test_want_of_descriptors_is_told_as_such(void)
{
    IN_OWN_WORLD(resolve_with_few_descriptors);
}

/* --- the stack ---------------------------------------------------------------------------- */

/* A class that nothing else here runs on, so that no other task's pages are counted. */
static const struct ouro_spawn_options measured = {.stack = OURO_STACK_1M};
#define DEFAULT_STACK_BYTES ((size_t) 256 * 1024)

static int measure_hosts_file(void *arg)
{
    const char *found = resolve("localhost", 80, 0);

    (void) arg;
    return *found != '-' && ouro_stack_high_water() < DEFAULT_STACK_BYTES / 2 ? 0 : 1;
}

static int spawn_measured(ouro_task_fn *fn)
{
    ouro_task_id id = ouro_spawn_with(fn, NULL, &measured);
    int result = -1;

    return ouro_join(id, &result) ? -1 : result;
}

static int look_into_hosts_file(void *arg)
{
    (void) arg;
    return spawn_measured(measure_hosts_file);
}

static int measure_lookups(void *arg)
{
    (void) arg;
    EXPECT(strcmp(resolve("four.test", 81, 0), "127.0.0.9:81") == 0);
    EXPECT(strcmp(resolve("none.test", 80, 0), "-4099") == 0);
    EXPECT(ouro_stack_high_water() > 0);
    EXPECT(ouro_stack_high_water() < DEFAULT_STACK_BYTES / 2);
    return 0;
}

static int ask_and_measure(void *arg)
{
    (void) arg;
    EXPECT(spawn_measured(measure_lookups) == 0);
    return 0;
}

static void test_lookup_needs_less_than_half_of_the_default_stack(void)
{
    CU_ASSERT_EQUAL(run_on(test_kernel_ring(), look_into_hosts_file), 0);
    IN_OWN_WORLD(ask_and_measure);
}

const struct test dns_tests[] = {
    TEST(test_literals_ask_nobody),
    TEST(test_what_is_no_name_is_not_asked_for),
    TEST(test_bad_arguments_are_refused),
    TEST(test_hosts_file_is_honoured),
    TEST(test_localhost_needs_no_name_server),
    TEST(test_simulated_ring_has_no_name_servers),
    TEST(test_name_servers_are_asked),
    TEST(test_lookups_of_different_tasks_run_side_by_side),
    TEST(test_lookups_can_be_interrupted),
    TEST(test_lost_queries_are_repeated),
    TEST(test_absent_servers_are_told_from_absent_names),
    TEST(test_family_that_nobody_tells_of_is_not_waited_for),
    TEST(test_families_come_from_one_domain),
    TEST(test_want_of_descriptors_is_told_as_such),
    TEST(test_lookup_needs_less_than_half_of_the_default_stack),
    TEST_END,
};
