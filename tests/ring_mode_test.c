/* SPDX-License-Identifier: MIT */
/* ring_mode_test.c - tests of engine/ring_mode.c; the machines are made up */
#include <string.h>

#include "check.h"
#include "ouro_base.h"
#include "ring.h"
#include "test.h"

static void test_auto_takes_sqpoll_only_where_nobody_lacks_a_cpu(void)
{
    static const struct {
        unsigned loops, cpus;
        bool shares_thread, is_foreign;
        enum ring_mode mode;
    } rows[] = {
        {1, 1, false, false, RING_BATCH},  /**/
        {1, 2, false, false, RING_BATCH},  /* none for the rest of the machine */
        {1, 3, false, false, RING_SQPOLL}, /**/
        {1, 64, false, false, RING_SQPOLL}, {1, 64, false, true, RING_BATCH},
        {2, 4, false, false, RING_BATCH},   {2, 5, false, false, RING_SQPOLL},
        {2, 3, true, false, RING_BATCH},    {2, 4, true, false, RING_SQPOLL},
        {8, 8, false, false, RING_BATCH},   {8, 16, false, false, RING_BATCH},
        {8, 17, false, false, RING_SQPOLL}, {8, 10, true, false, RING_SQPOLL},
        {1024, 1, true, false, RING_BATCH},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ring_config config = {.mode = RING_AUTO, .shares_thread = rows[i].shares_thread};
        struct ring_hint hint;

        CU_ASSERT_EQUAL(
            ouro__ring_mode_settle(&config, rows[i].loops, rows[i].cpus, rows[i].is_foreign, &hint),
            0);
        CU_ASSERT_EQUAL(config.mode, rows[i].mode);
        CU_ASSERT_EQUAL(config.may_fall_back, rows[i].mode == RING_SQPOLL);
        CU_ASSERT_PTR_NOT_NULL(config.reason);
    }
}

static void test_what_was_asked_for_by_name_is_left_alone_or_refused(void)
{
    static const struct {
        struct ring_config config;
        unsigned loops, cpus;
        const char *complaint; /* NULL: none */
    } rows[] = {
        {{.mode = RING_SQPOLL}, 1, 2, NULL},
        {{.mode = RING_SQPOLL}, 8, 2, NULL},
        {{.mode = RING_SQPOLL}, 1, 1, "takes two CPUs"},
        {{.mode = RING_SQPOLL, .shares_thread = true}, 4, 1, "takes two CPUs"},
        {{.mode = RING_SQPOLL, .has_cpu = true}, 1, 1, NULL}, /* the ring looks which */
        {{.mode = RING_SQPOLL, .has_cpu = true}, 2, 8, "share=1"},
        {{.mode = RING_AUTO, .has_cpu = true}, 2, 8, "share=1"},
        {{.mode = RING_SQPOLL, .has_cpu = true, .shares_thread = true}, 2, 8, NULL},
        {{.mode = RING_BATCH}, 1, 1, NULL},
        {{.mode = RING_SQPOLL, .simulated = true}, 1, 1, NULL},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ring_config config = rows[i].config;
        struct ring_hint hint = {""};
        int code = ouro__ring_mode_settle(&config, rows[i].loops, rows[i].cpus,
                                          /* is_foreign= */ false, &hint);

        CU_ASSERT_EQUAL(code, rows[i].complaint ? OURO_ERING : 0);
        CU_ASSERT_EQUAL(config.mode, rows[i].config.mode);
        CU_ASSERT_FALSE(config.may_fall_back);
        CU_ASSERT_PTR_NULL(config.reason);
        if (rows[i].complaint) {
            CU_ASSERT_PTR_NOT_NULL(strstr(hint.text, rows[i].complaint));
            CU_ASSERT_PTR_NOT_NULL(strstr(hint.text, "batch and auto"));
        }
    }
}

static void test_sq_threads_of_pinned_loops_stay_out_of_their_way(void)
{
    static const struct {
        unsigned loops, cpus;
        bool shares_thread;
        unsigned places[4];
    } rows[] = {
        {1, 2, false, {1}},          {1, 8, false, {1}},      {2, 4, false, {2, 3}},
        {2, 8, true, {2, 2}},        {2, 2, false, {1, 0}},   {2, 3, false, {2, 0}},
        {4, 4, false, {1, 2, 3, 0}}, {3, 4, true, {3, 3, 3}},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct ring_config config = {.shares_thread = rows[i].shares_thread};

        for (unsigned index = 0; index < rows[i].loops; index++)
            CU_ASSERT_EQUAL(ouro__ring_mode_place(&config, index, rows[i].loops, rows[i].cpus),
                            rows[i].places[index]);
    }
}

const struct test ring_mode_tests[] = {
    TEST(test_auto_takes_sqpoll_only_where_nobody_lacks_a_cpu),
    TEST(test_what_was_asked_for_by_name_is_left_alone_or_refused),
    TEST(test_sq_threads_of_pinned_loops_stay_out_of_their_way),
    TEST_END,
};
