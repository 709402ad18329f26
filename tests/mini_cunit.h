/* SPDX-License-Identifier: MIT */
/*
 * mini_cunit.h - the part of CUnit that our tests use, for machines without its package
 */
#ifndef OURO_MINI_CUNIT_H
#define OURO_MINI_CUNIT_H

#include <string.h>

/* main.c counts and prints. */
void test_assertion_failed(const char *condition, const char *file, int line);

#define CU_ASSERT(condition)                                       \
    do {                                                           \
        if (!(condition))                                          \
            test_assertion_failed(#condition, __FILE__, __LINE__); \
    } while (0)

/* Unlike CUnit's, this leaves the test function directly: use it there only. */
#define CU_ASSERT_FATAL(condition)                                 \
    do {                                                           \
        if (!(condition)) {                                        \
            test_assertion_failed(#condition, __FILE__, __LINE__); \
            return;                                                \
        }                                                          \
    } while (0)

#define CU_FAIL(text)                            CU_ASSERT(!text)
#define CU_ASSERT_TRUE(value)                    CU_ASSERT(value)
#define CU_ASSERT_FALSE(value)                   CU_ASSERT(!(value))
#define CU_ASSERT_EQUAL(actual, expected)        CU_ASSERT((actual) == (expected))
#define CU_ASSERT_NOT_EQUAL(actual, expected)    CU_ASSERT((actual) != (expected))
#define CU_ASSERT_EQUAL_FATAL(actual, expected)  CU_ASSERT_FATAL((actual) == (expected))
#define CU_ASSERT_PTR_NULL(pointer)              CU_ASSERT((pointer) == NULL)
#define CU_ASSERT_PTR_NOT_NULL(pointer)          CU_ASSERT((pointer) != NULL)
#define CU_ASSERT_PTR_NOT_NULL_FATAL(pointer)    CU_ASSERT_FATAL((pointer) != NULL)
#define CU_ASSERT_PTR_EQUAL(actual, expected)    CU_ASSERT((actual) == (expected))
#define CU_ASSERT_STRING_EQUAL(actual, expected) CU_ASSERT(strcmp((actual), (expected)) == 0)

#endif /* OURO_MINI_CUNIT_H */
