/* SPDX-License-Identifier: MIT */
/* spin_test.c - tests of engine/spin.c, without a clock: gaps are told */
#include "spin.h"
#include "test.h"

#define BUDGET 50000

/*
 * `count` gaps of one length, as a dispatcher would tell them when so many connections are busy.
 * Returns how many were looked for.
 */
static unsigned pass(struct spin *spin, int64_t gap_ns, unsigned connections, unsigned count)
{
    unsigned looked = 0;

    for (unsigned i = 0; i < count; i++) {
        bool looks = ouro__spin_begin(spin);
        uint64_t ender = 1000 + i % connections;

        looked += looks;
        if (!ouro__spin_measures(spin))
            ouro__spin_passed(spin, ender);
        else if (looks && gap_ns < BUDGET)
            ouro__spin_hit(spin, gap_ns, ender);
        else /* with the time that it takes to wake up */
            ouro__spin_slept(spin, gap_ns + 30000, ender);
    }
    return looked;
}

static void test_short_gaps_are_found_by_a_probe_and_then_looked_for(void)
{
    struct spin spin;

    ouro__spin_init(&spin, BUDGET);
    CU_ASSERT_EQUAL(pass(&spin, 25000, 1, 63), 0);
    CU_ASSERT_EQUAL(pass(&spin, 25000, 1, 1000), 1000);
    CU_ASSERT(pass(&spin, 25000, 2, 1000) >= 990); /* as of a proxy, with one on each side */
}

static void test_long_gaps_are_slept_through(void)
{
    struct spin spin;

    ouro__spin_init(&spin, BUDGET);
    CU_ASSERT_EQUAL(pass(&spin, 1000000, 1, 6400), 100); /* the probes */
    (void) pass(&spin, 10000, 1, 200);
    CU_ASSERT(pass(&spin, 1000000, 1, 64) <= 8); /* it learns from a few */
    CU_ASSERT(pass(&spin, 1000000, 1, 6400) <= 100);
}

static void test_single_long_gap_is_soon_forgotten(void)
{
    struct spin spin;

    ouro__spin_init(&spin, BUDGET);
    (void) pass(&spin, 10000, 1, 200);
    (void) pass(&spin, INT64_MAX / 2, 1, 1);
    CU_ASSERT_EQUAL(pass(&spin, 10000, 1, 100), 100);
}

static void test_many_busy_connections_are_waited_for_asleep(void)
{
    struct spin spin;

    ouro__spin_init(&spin, BUDGET);
    (void) pass(&spin, 10000, 1, 200);
    (void) pass(&spin, 10000, 64, 10);
    CU_ASSERT(!ouro__spin_measures(&spin));
    CU_ASSERT_EQUAL(pass(&spin, 10000, 64, 1000), 0);
    (void) pass(&spin, 10000, 1, 100); /* only one again */
    CU_ASSERT_EQUAL(pass(&spin, 10000, 1, 100), 100);
}

/* Every 1,000th look takes three milliseconds, as the CPU was somebody else's. */
static void test_who_loses_the_cpu_looks_ever_more_seldom(void)
{
    struct spin spin;
    unsigned looked = 0, lost = 0;

    ouro__spin_init(&spin, BUDGET);
    for (unsigned i = 0; i < 100000; i++) {
        if (!ouro__spin_begin(&spin)) {
            ouro__spin_slept(&spin, 40000 + BUDGET, 1);
            continue;
        }
        looked++;
        lost += looked % 1000 == 0;
        ouro__spin_hit(&spin, looked % 1000 == 0 ? 3000000 : 5000, 1);
    }
    CU_ASSERT(lost > 5 && lost < 25);
    (void) pass(&spin, 5000, 1, 2 * 8192 + 4096); /* alone again */
    CU_ASSERT_EQUAL(pass(&spin, 5000, 1, 1000), 1000);
    CU_ASSERT_EQUAL(spin.interval, 64);
}

static void test_no_budget_is_never(void)
{
    struct spin spin;

    ouro__spin_init(&spin, 0);
    CU_ASSERT_EQUAL(pass(&spin, 0, 1, 1000), 0);
    CU_ASSERT(!ouro__spin_measures(&spin));
}

static void test_polling_looks_from_the_first_gap_on_whoever_ends_it(void)
{
    struct spin spin;

    ouro__spin_init_polling(&spin, BUDGET);
    CU_ASSERT_EQUAL(pass(&spin, 25000, 1, 100), 100);
    CU_ASSERT_EQUAL(pass(&spin, 25000, 1000, 1000), 1000);
    CU_ASSERT(pass(&spin, 1000000, 1, 6400) <= 8); /* no probes */
    ouro__spin_slept(&spin, 0, 1);
    CU_ASSERT(pass(&spin, 10000, 1, 100) >= 80); /* and it finds back without */
}

static void test_polling_is_not_put_off_by_losing_the_cpu(void)
{
    struct spin spin;

    ouro__spin_init_polling(&spin, BUDGET);
    (void) pass(&spin, 1000, 1, 100);
    for (int i = 0; i < 3; i++)
        ouro__spin_hit(&spin, 100 * BUDGET, 1);
    CU_ASSERT(ouro__spin_begin(&spin));
}

const struct test spin_tests[] = {TEST(test_short_gaps_are_found_by_a_probe_and_then_looked_for),
                                  TEST(test_long_gaps_are_slept_through),
                                  TEST(test_single_long_gap_is_soon_forgotten),
                                  TEST(test_many_busy_connections_are_waited_for_asleep),
                                  TEST(test_who_loses_the_cpu_looks_ever_more_seldom),
                                  TEST(test_no_budget_is_never),
                                  TEST(test_polling_looks_from_the_first_gap_on_whoever_ends_it),
                                  TEST(test_polling_is_not_put_off_by_losing_the_cpu),
                                  TEST_END};
