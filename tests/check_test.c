/* SPDX-License-Identifier: MIT */
/*
 * check_test.c - tests of engine/check.h and check.c
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"

#include "check.h"
#include "loop.h"
#include "test.h"

static void test_condition_is_evaluated_once(void)
{
    int count = 0;

    CHECK(++count, "it counts");
    CU_ASSERT_EQUAL(count, 1);
}

static int fail_check(void *arg)
{
    int two = 2;

    (void) arg;
    CHECK(two == 3, "numbers are broken");
    return 0;
}

static void test_failed_check_says_what_and_where_and_aborts(void)
{
    struct child child = run_in_child(fail_check, NULL);

    CU_ASSERT(was_killed_by(&child, SIGABRT));
    CU_ASSERT(said(&child, "ouro: numbers are broken (two == 3, "));
    CU_ASSERT(said(&child, "check_test.c:"));
    CU_ASSERT_FALSE(said(&child, "in task"));
}

static int reach_unreachable(void *arg)
{
    (void) arg;
    UNREACHABLE("a place that is never reached");
}

static void test_unreachable_says_so_and_aborts(void)
{
    struct child child = run_in_child(reach_unreachable, NULL);

    CU_ASSERT(was_killed_by(&child, SIGABRT));
    CU_ASSERT(said(&child, "ouro: a place that is never reached"));
}

static int spawn_failing(void *arg)
{
    (void) arg;
    return ouro_join(ouro_spawn_at(fail_check, NULL, NULL, "unlucky", "here.c:42"), NULL);
}

static int run_failing(void *arg)
{
    return ouro_run(spawn_failing, NULL, arg);
}

static void test_failed_check_names_the_running_task(void)
{
    struct ouro_run_options options = {.ring = test_sim_ring()};
    struct child child = run_in_child(run_failing, &options);

    CU_ASSERT(was_killed_by(&child, SIGABRT));
    CU_ASSERT(said(&child, "ouro: numbers are broken"));
    CU_ASSERT(said(&child, "ouro: in task \"unlucky\", spawned at here.c:42\n"));
}

static void test_container_is_found_by_its_member(void)
{
    struct container {
        char first;
        long member;
    } container;
    long *member = &container.member;

    CU_ASSERT_PTR_EQUAL(container_of(member, struct container, member), &container);
}

static void test_elements_of_an_array_are_counted(void)
{
    long seven[7];

    CU_ASSERT_EQUAL(COUNT_OF(seven), 7);
}

const struct test check_tests[] = {
    TEST(test_condition_is_evaluated_once),
    TEST(test_failed_check_says_what_and_where_and_aborts),
    TEST(test_unreachable_says_so_and_aborts),
    TEST(test_failed_check_names_the_running_task),
    TEST(test_container_is_found_by_its_member),
    TEST(test_elements_of_an_array_are_counted),
    TEST_END,
};
