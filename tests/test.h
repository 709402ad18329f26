/* SPDX-License-Identifier: MIT */
/*
 * test.h - what every test file builds on
 *
 * A test file tests the source file that it is named after. It ends with its table:
 *
 *     const struct test timer_heap_tests[] = {
 *         TEST(test_equal_deadlines_fire_in_order),
 *         TEST_END
 *     };
 *
 * which main.c lists. Assertions are CUnit's. On machines without CUnit (the emulated
 * aarch64) mini_cunit.h stands in for it.
 */
#ifndef OURO_TEST_H
#define OURO_TEST_H

#ifdef OURO_MINI_CUNIT
#include "mini_cunit.h"
#else
#include <CUnit/CUnit.h>
#endif

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}
#define TEST_END       {NULL, NULL}

/* Counts the running test as skipped, and prints why; the test then returns. */
void test_skip(const char *reason);
#define TEST_SKIP(reason) test_skip(reason)

/*
 * The notation of the kernel's ring for struct ouro_run_options: what OURO_RING says, or
 * "uring"; NULL where there is none, or OURO_RING is "sim" (TEST_SKIP then;
 * the suites of `make check-valgrind` can do without it). The runner takes OURO_RING out of the
 * environment, so that tests which need the simulated ring get it.
 */
const char *test_kernel_ring(void);

/* The simulated ring with a seed of its own for each call in a run of the tests. */
const char *test_sim_ring(void);

#endif /* OURO_TEST_H */
