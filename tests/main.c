/* SPDX-License-Identifier: MIT */
/*
 * main.c - the test runner
 *
 * usage: ouro_tests [SUITE [TEST]]      a suite is named after the file it tests
 *
 * Each test has a watchdog: one that takes longer than OURO_WATCHDOG seconds (60) ends the run
 * with its name. A test must leave as many fds, threads, stacks and as much memory as it found.
 * The last line counts tests: "N passed, N failed, N skipped".
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "test.h"

#define WATCHDOG_SECONDS 60 /* the slowest takes about two; fifty times as much under Valgrind */

/* Suites that also run where there is no kernel ring and no CUnit. */
#define CORE_SUITES(SUITE) \
    SUITE(channel)         \
    SUITE(check)           \
    SUITE(coro)            \
    SUITE(dispatcher)      \
    SUITE(future)          \
    SUITE(group)           \
    SUITE(hook)            \
    SUITE(list)            \
    SUITE(park)            \
    SUITE(spin)            \
    SUITE(stack)           \
    SUITE(sync)            \
    SUITE(task)            \
    SUITE(task_table)      \
    SUITE(timer)           \
    SUITE(timer_heap)      \
    SUITE(wait_tasks)

#define OTHER_SUITES(SUITE) \
    SUITE(accept)           \
    SUITE(acceptor)         \
    SUITE(address)          \
    SUITE(arena)            \
    SUITE(buffer_pool)      \
    SUITE(cancel)           \
    SUITE(char_class)       \
    SUITE(condition)        \
    SUITE(cookie)           \
    SUITE(coro_avx512)      \
    SUITE(cpus)             \
    SUITE(datagram)         \
    SUITE(dial)             \
    SUITE(directory)        \
    SUITE(dns)              \
    SUITE(dump)             \
    SUITE(error)            \
    SUITE(examples)         \
    SUITE(file)             \
    SUITE(fork)             \
    SUITE(form)             \
    SUITE(format)           \
    SUITE(gdb)              \
    SUITE(http1_parse)      \
    SUITE(http1_write)      \
    SUITE(http_app)         \
    SUITE(http_ask)         \
    SUITE(http_client)      \
    SUITE(http_content)     \
    SUITE(http_date)        \
    SUITE(http_lobby)       \
    SUITE(http_memory)      \
    SUITE(http_reply)       \
    SUITE(http_request)     \
    SUITE(http_router)      \
    SUITE(http_rules)       \
    SUITE(http_server)      \
    SUITE(idle)             \
    SUITE(inbox)            \
    SUITE(load_histogram)   \
    SUITE(load_options)     \
    SUITE(load_reply)       \
    SUITE(load_run)         \
    SUITE(load_tape)        \
    SUITE(loop)             \
    SUITE(mailbox)          \
    SUITE(multipart)        \
    SUITE(offload)          \
    SUITE(no_memory)        \
    SUITE(op)               \
    SUITE(ouro_load)        \
    SUITE(overflow)         \
    SUITE(process)          \
    SUITE(range)            \
    SUITE(receiver)         \
    SUITE(receiver_watch)   \
    SUITE(pipe)             \
    SUITE(ring)             \
    SUITE(ring_mode)        \
    SUITE(ring_script)      \
    SUITE(ring_sim)         \
    SUITE(ring_uring)       \
    SUITE(run)              \
    SUITE(signal_wait)      \
    SUITE(sender)           \
    SUITE(shard)            \
    SUITE(signals)          \
    SUITE(socket)           \
    SUITE(sqpoll)           \
    SUITE(stream)           \
    SUITE(stream_pair)      \
    SUITE(tls)              \
    SUITE(url)              \
    SUITE(utf8)             \
    SUITE(watchdog)

#ifdef OURO_MINI_CUNIT
#define SUITES(SUITE) CORE_SUITES(SUITE)
#else
#define SUITES(SUITE) CORE_SUITES(SUITE) OTHER_SUITES(SUITE)
#endif

#define DECLARE(name) extern const struct test name##_tests[];
#define LIST(name)    {#name, name##_tests},

SUITES(DECLARE)

static const struct suite {
    const char *name;
    const struct test *tests;
} suites[] = {SUITES(LIST)};

static unsigned passed, failed, skipped;
static const char *skip_reason; /* of the running test; NULL: none */
static const char *running_suite, *running_test;
static char kernel_ring[256];
static unsigned watchdog_seconds = WATCHDOG_SECONDS;

void test_skip(const char *reason)
{
    skip_reason = reason;
}

const char *test_kernel_ring(void)
{
#ifdef OURO_NO_URING
    return NULL;
#else
    return kernel_ring[0] ? kernel_ring : NULL;
#endif
}

const char *test_sim_ring(void)
{
    static char text[64];
    static unsigned seed;

    (void) snprintf(text, sizeof(text), "sim:seed=%u", ++seed);
    return text;
}

/* --- running one test: with CUnit, or with its stand-in --------------------------------- */

#ifdef OURO_MINI_CUNIT

static unsigned failed_assertions;

void test_assertion_failed(const char *condition, const char *file, int line)
{
    failed_assertions++;
    printf("    %s:%d: %s\n", file, line, condition);
}

static unsigned run_test(const struct test *test)
{
    failed_assertions = 0;
    test->run();
    return failed_assertions;
}

#else

static unsigned run_test(const struct test *test)
{
    CU_pSuite suite = CU_add_suite(test->name, NULL, NULL);
    CU_pTest registered = suite ? CU_add_test(suite, test->name, test->run) : NULL;
    unsigned failures = 1;

    if (!registered || CU_run_test(suite, registered) != CUE_SUCCESS) {
        printf("    CUnit: %s\n", CU_get_error_msg());
        return failures;
    }
    failures = CU_get_number_of_failures();
    for (CU_pFailureRecord record = CU_get_failure_list(); record; record = record->pNext)
        printf("    %s:%u: %s\n", record->strFileName, record->uiLineNumber, record->strCondition);
    return failures;
}

#endif

/* --- the run ------------------------------------------------------------------------------ */

static void bite(int number)
{
    static const char text[] =
        ": the watchdog bit: this test hangs\n0 passed, 1 failed, 0 skipped\n";

    (void) number;
    (void) !write(STDOUT_FILENO, running_suite, strlen(running_suite));
    (void) !write(STDOUT_FILENO, " ", 1);
    (void) !write(STDOUT_FILENO, running_test, strlen(running_test));
    (void) !write(STDOUT_FILENO, text, sizeof(text) - 1);
    _exit(1);
}

static void run_and_count(const struct suite *suite, const struct test *test)
{
    struct account before;
    unsigned failures;

    running_suite = suite->name;
    running_test = test->name;
    skip_reason = NULL;
    (void) fflush(stdout); /* tests fork */
    (void) alarm(watchdog_seconds);
    account_take(&before);
    failures = run_test(test);
    failures += !account_is_balanced(&before);
    (void) alarm(0);
    if (failures)
        failed++;
    else if (skip_reason)
        skipped++;
    else
        passed++;
    if (failures)
        printf("FAILED  %s %s\n", suite->name, test->name);
    else if (skip_reason)
        printf("skipped %s %s: %s\n", suite->name, test->name, skip_reason);
}

static void run_suite(const struct suite *suite, const char *only_test)
{
    unsigned failed_before = failed;

    for (const struct test *test = suite->tests; test->name; test++)
        if (!only_test || !strcmp(only_test, test->name))
            run_and_count(suite, test);
    printf("%-7s %s\n", failed == failed_before ? "ok" : "FAILED", suite->name);
}

static void take_kernel_ring(void)
{
    const char *spec = getenv("OURO_RING");

    if (!spec || !*spec)
        spec = "uring";
    if (strncmp(spec, "sim", 3) != 0) /* else there is to be none */
        (void) snprintf(kernel_ring, sizeof(kernel_ring), "%s", spec);
    (void) unsetenv("OURO_RING");
}

int main(int argc, char **argv)
{
    struct sigaction watchdog = {.sa_handler = bite};
    const char *seconds = getenv("OURO_WATCHDOG");

    if (seconds)
        watchdog_seconds = (unsigned) strtoul(seconds, NULL, 10);
    (void) signal(SIGINT, SIG_DFL); /* a shell's background jobs inherit it as ignored */
    (void) signal(SIGQUIT, SIG_DFL);
    take_kernel_ring();
    account_warm_up(test_kernel_ring());
    (void) sigaction(SIGALRM, &watchdog, NULL);
#ifndef OURO_MINI_CUNIT
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
#endif
    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
        if (argc < 2 || !strcmp(argv[1], suites[i].name))
            run_suite(&suites[i], argc > 2 ? argv[2] : NULL);
#ifndef OURO_MINI_CUNIT
    CU_cleanup_registry();
#endif
    if (passed + failed + skipped == 0) {
        printf("no such test\n");
        failed = 1;
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed ? 1 : 0;
}
