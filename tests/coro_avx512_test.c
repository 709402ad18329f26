/* SPDX-License-Identifier: MIT */
/*
 * coro_avx512_test.c - the switch of engine/ouro_coro_switch.h in code built for AVX-512
 *
 * A compiler that may use the upper sixteen vector registers and the mask registers keeps
 * values there across the switch, unless told not to. -O3 -march=native once crashed so.
 */
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "test.h"

#if defined(__x86_64__)

#if defined(__clang__)
/* Clang defines the macro for a whole file only. */
#if !defined(__AVX512F__)
#define __AVX512F__ 1
#endif
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC target("avx512f")
#endif

#include "coro_registers.h"

#if defined(__clang__)
#pragma clang attribute pop
#endif

static void test_no_register_of_avx512_is_lost_in_a_switch(void)
{
    if (!__builtin_cpu_supports("avx512f")) {
        TEST_SKIP("this CPU has no AVX-512");
        return;
    }
    CU_ASSERT_PTR_NULL(find_lost_registers());
}

#else

static void test_no_register_of_avx512_is_lost_in_a_switch(void)
{
    TEST_SKIP("AVX-512 is a matter of x86-64");
}

#endif

const struct test coro_avx512_tests[] = {
    TEST(test_no_register_of_avx512_is_lost_in_a_switch),
    TEST_END,
};
