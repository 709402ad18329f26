/* SPDX-License-Identifier: MIT */
/* ring_test.c - the notation of OURO_RING, and opening a ring */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "ouro_base.h"
#include "ring.h"
#include "test.h"

/* --- the notation -------------------------------------------------------------------- */

struct good {
    const char *spec;
    bool simulated;
    unsigned kernel_major, kernel_minor;
    uint64_t seed;
    unsigned short_percent, error_percent;
    const char *trace_path;
};

static bool is_same_path(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void test_valid_forms_are_understood(void)
{
    static const struct good table[] = {
        {NULL, false, 0, 0, 0, 0, 0, NULL},
        {"uring", false, 0, 0, 0, 0, 0, NULL},
        {"batch", false, 0, 0, 0, 0, 0, NULL},
        {"uring:mode=batch", false, 0, 0, 0, 0, 0, NULL},
        {"uring:kernel=6.1", false, 6, 1, 0, 0, 0, NULL},
        {"uring:kernel=6.12,mode=batch", false, 6, 12, 0, 0, 0, NULL},
        {"uring:kernel=10.0", false, 10, 0, 0, 0, 0, NULL},
        {"sim", true, 0, 0, 0, 0, 0, NULL},
        {"sim:seed=42", true, 0, 0, 42, 0, 0, NULL},
        {"sim:seed=18446744073709551615", true, 0, 0, UINT64_MAX, 0, 0, NULL},
        {"sim:short=100,errors=0", true, 0, 0, 0, 100, 0, NULL},
        {"sim:trace=-,errors=7", true, 0, 0, 0, 0, 7, "-"},
        {"sim:trace=/tmp/a=b:c,seed=1", true, 0, 0, 1, 0, 0, "/tmp/a=b:c"},
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct ring_config config;
        struct ring_hint hint;

        CU_ASSERT_EQUAL(ouro__ring_parse(table[i].spec, &config, &hint), 0);
        CU_ASSERT_EQUAL(config.simulated, table[i].simulated);
        CU_ASSERT_EQUAL(config.kernel_major, table[i].kernel_major);
        CU_ASSERT_EQUAL(config.kernel_minor, table[i].kernel_minor);
        CU_ASSERT_EQUAL(config.seed, table[i].seed);
        CU_ASSERT_EQUAL(config.short_percent, table[i].short_percent);
        CU_ASSERT_EQUAL(config.error_percent, table[i].error_percent);
        CU_ASSERT(is_same_path(config.trace_path, table[i].trace_path));
    }
}

static void test_modes_and_what_belongs_to_them_are_understood(void)
{
    static const struct {
        const char *spec;
        enum ring_mode mode;
        unsigned idle_ms;
        bool has_cpu, shares_thread;
        unsigned cpu, kernel_minor;
    } table[] = {
        {"uring", RING_BATCH, 2, false, false, 0, 0},
        {"batch", RING_BATCH, 2, false, false, 0, 0},
        {"sqpoll", RING_SQPOLL, 2, false, false, 0, 0},
        {"auto", RING_AUTO, 2, false, false, 0, 0},
        {"uring:mode=sqpoll", RING_SQPOLL, 2, false, false, 0, 0},
        {"uring:kernel=6.1,mode=sqpoll", RING_SQPOLL, 2, false, false, 0, 1},
        {"uring:mode=sqpoll,idle=1ms", RING_SQPOLL, 1, false, false, 0, 0},
        {"uring:idle=60000ms,mode=sqpoll", RING_SQPOLL, 60000, false, false, 0, 0},
        {"uring:mode=sqpoll,cpu=0,share=1", RING_SQPOLL, 2, true, true, 0, 0},
        {"uring:mode=auto,cpu=12,share=0", RING_AUTO, 2, true, false, 12, 0},
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct ring_config config;
        struct ring_hint hint;

        CU_ASSERT_EQUAL(ouro__ring_parse(table[i].spec, &config, &hint), 0);
        CU_ASSERT_FALSE(config.simulated);
        CU_ASSERT_EQUAL(config.mode, table[i].mode);
        CU_ASSERT_EQUAL(config.idle_ms, table[i].idle_ms);
        CU_ASSERT_EQUAL(config.has_cpu, table[i].has_cpu);
        CU_ASSERT_EQUAL(config.shares_thread, table[i].shares_thread);
        CU_ASSERT_EQUAL(config.cpu, table[i].cpu);
        CU_ASSERT_EQUAL(config.kernel_minor, table[i].kernel_minor);
    }
}

static void test_trace_path_points_into_the_result(void)
{
    struct ring_config config;
    struct ring_hint hint;

    CU_ASSERT_EQUAL_FATAL(ouro__ring_parse("sim:trace=x", &config, &hint), 0);
    CU_ASSERT(config.trace_path > config.text);
    CU_ASSERT(config.trace_path < config.text + sizeof(config.text));
}

static void test_errors_say_what_is_wrong_and_what_is_right(void)
{
    static const struct {
        const char *spec;
        const char *complaint;
    } table[] = {
        {"", "there is no ring \"\""},
        {"epoll", "there is no ring \"epoll\""},
        {"Sim", "there is no ring \"Sim\""},
        {"simulation", "there is no ring \"simulation\""},
        {" sim", "there is no ring \" sim\""},
        {"batch:kernel=6.1", "which takes more: \"uring:mode=batch,kernel=6.1\""},
        {"sqpoll:idle=5ms", "which takes more: \"uring:mode=sqpoll,idle=5ms\""},
        {"sqpol", "there is no ring \"sqpol\""},
        {"Auto", "there is no ring \"Auto\""},
        {"uring:", "\"\" is not of the form key=value"},
        {"uring:mode", "\"mode\" is not of the form key=value"},
        {"uring:mode=SQPOLL", "\"mode\" cannot be \"SQPOLL\": it takes batch, sqpoll or auto"},
        {"uring:mode=", "\"mode\" cannot be \"\""},
        {"uring:mode=sqpoll,idle=0ms", "\"idle\" cannot be \"0ms\": it takes a time from 1ms"},
        {"uring:mode=sqpoll,idle=60001ms", "\"idle\" cannot be \"60001ms\""},
        {"uring:mode=sqpoll,idle=5", "\"idle\" cannot be \"5\""},
        {"uring:mode=sqpoll,idle=5us", "\"idle\" cannot be \"5us\""},
        {"uring:mode=sqpoll,cpu=-1", "\"cpu\" cannot be \"-1\""},
        {"uring:mode=sqpoll,cpu=", "\"cpu\" cannot be \"\""},
        {"uring:mode=sqpoll,share=2", "\"share\" cannot be \"2\": it takes 0 or 1"},
        {"uring:idle=5ms", "idle, cpu and share belong to mode=sqpoll or mode=auto"},
        {"uring:mode=batch,cpu=0", "idle, cpu and share belong to mode=sqpoll or mode=auto"},
        {"uring:share=1", "idle, cpu and share belong to mode=sqpoll or mode=auto"},
        {"uring:mode=batch,", "\"\" is not of the form key=value"},
        {"uring:mode=batch,mode=batch", "\"mode\" is there twice"},
        {"uring:seed=1", "the ring \"uring\" has no \"seed\""},
        {"uring:kernel=6", "\"kernel\" cannot be \"6\""},
        {"uring:kernel=6.", "\"kernel\" cannot be \"6.\""},
        {"uring:kernel=6.1x", "\"kernel\" cannot be \"6.1x\""},
        {"uring:kernel=6.1.2", "\"kernel\" cannot be \"6.1.2\""},
        {"uring:kernel=5.15", "like 6.1, which is the oldest"},
        {"uring:kernel=6.0", "like 6.1, which is the oldest"},
        {"uring:kernel=99999999999.1", "\"kernel\" cannot be"},
        {"sim:kernel=6.1", "the ring \"sim\" has no \"kernel\""},
        {"sim:seed=", "\"seed\" cannot be \"\""},
        {"sim:seed=-1", "\"seed\" cannot be \"-1\""},
        {"sim:seed=+1", "\"seed\" cannot be \"+1\""},
        {"sim:seed=0x10", "\"seed\" cannot be \"0x10\""},
        {"sim:seed=1 ", "\"seed\" cannot be \"1 \""},
        {"sim:seed=18446744073709551616", "\"seed\" cannot be \"18446744073709551616\""},
        {"sim:short=101", "\"short\" cannot be \"101\": it takes a number from 0 to 100"},
        {"sim:errors=1%", "\"errors\" cannot be \"1%\""},
        {"sim:trace=", "\"trace\" cannot be \"\""},
        {"sim:seed=1;short=2", "\"seed\" cannot be \"1;short=2\""},
        {"sim:,seed=1", "\"\" is not of the form key=value"},
    };

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct ring_config config = {.seed = 77};
        struct ring_hint hint;

        CU_ASSERT_EQUAL(ouro__ring_parse(table[i].spec, &config, &hint), OURO_ERING);
        CU_ASSERT_PTR_NOT_NULL(strstr(hint.text, table[i].complaint));
        CU_ASSERT_PTR_NOT_NULL(strstr(hint.text, "uring[:mode=batch|sqpoll|auto,kernel=X.Y,"));
        CU_ASSERT_PTR_NOT_NULL(strstr(hint.text, "sim[:seed=N,"));
        CU_ASSERT_EQUAL(config.seed, 77);
    }
}

static void test_too_long_a_name_is_refused(void)
{
    struct ring_config config;
    struct ring_hint hint;
    char spec[sizeof(config.text) + 1];

    memset(spec, 'x', sizeof(spec));
    memcpy(spec, "sim:trace=", 10);
    spec[sizeof(spec) - 1] = '\0';
    CU_ASSERT_EQUAL(ouro__ring_parse(spec, &config, &hint), OURO_ERING);
    CU_ASSERT_PTR_NOT_NULL(strstr(hint.text, "at most 255 characters"));
    spec[sizeof(spec) - 2] = '\0';
    CU_ASSERT_EQUAL(ouro__ring_parse(spec, &config, &hint), 0);
}

/* --- opening ------------------------------------------------------------------------- */

static int open_ring(struct ring *ring, const char *spec, unsigned sq_entries,
                     struct ring_hint *ret_hint)
{
    struct ring_config config;
    int code = ouro__ring_parse(spec, &config, ret_hint);

    config.sq_entries = sq_entries;
    return code ? code : ouro__ring_open(ring, &config, ret_hint);
}

static void test_queue_sizes_are_checked(void)
{
    static const unsigned bad[] = {0, 3, 6, 65536, 4000000000u};
    static const unsigned good[] = {1, 2, 32768};
    struct ring_hint hint;
    struct ring ring;

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        hint.text[0] = '\0';
        CU_ASSERT_EQUAL(open_ring(&ring, "sim", bad[i], &hint), -EINVAL);
        CU_ASSERT_PTR_NOT_NULL(strstr(hint.text, "a power of two from 1 to 32768"));
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        CU_ASSERT_EQUAL_FATAL(open_ring(&ring, "sim", good[i], &hint), 0);
        CU_ASSERT_EQUAL(ring.sq_entries, good[i]);
        ouro__ring_close(&ring);
    }
}

static void test_queue_size_has_a_default(void)
{
    struct ring_config config;
    struct ring_hint hint;

    CU_ASSERT_EQUAL_FATAL(ouro__ring_parse("sim", &config, &hint), 0);
    CU_ASSERT_EQUAL(config.sq_entries, 512);
}

static void test_full_submission_queue_gives_no_sqe(void)
{
    struct ring_hint hint;
    struct ring ring;

    CU_ASSERT_EQUAL_FATAL(open_ring(&ring, "sim", 2, &hint), 0);
    CU_ASSERT_PTR_NOT_NULL(ouro__ring_get_sqe(&ring));
    CU_ASSERT_EQUAL(ouro__ring_unsubmitted(&ring), 1);
    CU_ASSERT_PTR_NOT_NULL(ouro__ring_get_sqe(&ring));
    CU_ASSERT_PTR_NULL(ouro__ring_get_sqe(&ring));
    CU_ASSERT_EQUAL(ouro__ring_unsubmitted(&ring), 2);
    ouro__ring_close(&ring);
}

static void test_rings_know_what_they_are(void)
{
    struct ring_hint hint;
    struct ring ring;

    CU_ASSERT_EQUAL_FATAL(open_ring(&ring, "sim", 8, &hint), 0);
    CU_ASSERT(ring.simulated);
    CU_ASSERT_STRING_EQUAL(ring.backend->name, "sim");
    ouro__ring_close(&ring);
    if (open_ring(&ring, "uring", 8, &hint)) {
        CU_ASSERT(strlen(hint.text) > 0);
        TEST_SKIP("no io_uring here: looked at the simulated ring only");
        return;
    }
    CU_ASSERT(!ring.simulated);
    CU_ASSERT_STRING_EQUAL(ring.backend->name, "uring");
    ouro__ring_close(&ring);
}

static void test_kernel_version_masks_what_is_newer(void)
{
    struct ring_hint hint;
    struct ring ring;

    if (open_ring(&ring, "uring:kernel=6.12", 8, &hint)) {
        TEST_SKIP("no io_uring here");
        return;
    }
    CU_ASSERT(ring.mask_guard_madvise);
    ouro__ring_close(&ring);
    CU_ASSERT_EQUAL_FATAL(open_ring(&ring, "uring:kernel=6.13", 8, &hint), 0);
    CU_ASSERT(!ring.mask_guard_madvise);
    ouro__ring_close(&ring);
}

const struct test ring_tests[] = {
    TEST(test_valid_forms_are_understood),
    TEST(test_modes_and_what_belongs_to_them_are_understood),
    TEST(test_trace_path_points_into_the_result),
    TEST(test_errors_say_what_is_wrong_and_what_is_right),
    TEST(test_too_long_a_name_is_refused),
    TEST(test_queue_sizes_are_checked),
    TEST(test_queue_size_has_a_default),
    TEST(test_full_submission_queue_gives_no_sqe),
    TEST(test_rings_know_what_they_are),
    TEST(test_kernel_version_masks_what_is_newer),
    TEST_END,
};
