/* SPDX-License-Identifier: MIT */
/*
 * error_test.c - tests of engine/error.c
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "ouro_base.h"
#include "test.h"

/* All of enum ouro_error. The switch makes the compiler say when one is missing here. */
static const enum ouro_error own_codes[] = {
    OURO_EEOF,  OURO_ELIMIT, OURO_ENONAME,   OURO_ERESOLVER, OURO_EADDRESS,     OURO_EURL,
    OURO_EHTTP, OURO_ERING,  OURO_EDEADLOCK, OURO_ETLS,      OURO_ECERTIFICATE,
};

static const char *word_of(enum ouro_error code)
{
    switch (code) {
    case OURO_EEOF:
        return "ended";
    case OURO_ELIMIT:
        return "limit";
    case OURO_ENONAME:
        return "host";
    case OURO_ERESOLVER:
        return "name server";
    case OURO_EADDRESS:
        return "address";
    case OURO_EURL:
        return "URL";
    case OURO_EHTTP:
        return "HTTP";
    case OURO_ERING:
        return "ring";
    case OURO_EDEADLOCK:
        return "sleep";
    case OURO_ETLS:
        return "TLS";
    case OURO_ECERTIFICATE:
        return "certificate";
    }
    return "?";
}

static void test_own_codes_have_texts_of_their_own(void)
{
    for (size_t i = 0; i < COUNT_OF(own_codes); i++) {
        const char *text = ouro_strerror(own_codes[i]);

        CU_ASSERT_PTR_NOT_NULL(strstr(text, word_of(own_codes[i])));
        for (size_t j = 0; j < i; j++)
            CU_ASSERT(strcmp(text, ouro_strerror(own_codes[j])) != 0);
    }
}

static void test_own_codes_are_dense_and_below_all_errnos(void)
{
    for (size_t i = 0; i < COUNT_OF(own_codes); i++)
        CU_ASSERT_EQUAL(own_codes[i], -4097 - (int) i);
    CU_ASSERT_STRING_EQUAL(ouro_strerror(-4097 - (int64_t) COUNT_OF(own_codes)), "Unknown error");
}

static void test_errnos_have_the_texts_of_libc(void)
{
    for (int number = 1; number < 4096; number++) {
        const char *expected = strerrordesc_np(number);

        CU_ASSERT_STRING_EQUAL(ouro_strerror(-number), expected ? expected : "Unknown error");
    }
    CU_ASSERT_STRING_EQUAL(ouro_strerror(-ENOENT), "No such file or directory");
}

static void test_what_is_no_error_is_success(void)
{
    static const int64_t codes[] = {0, 1, 4096, INT64_MAX};

    for (size_t i = 0; i < COUNT_OF(codes); i++)
        CU_ASSERT_STRING_EQUAL(ouro_strerror(codes[i]), "Success");
}

static void test_any_number_has_a_text(void)
{
    /* The last but one is -ENOENT when only its lower half is looked at. */
    static const int64_t codes[] = {-4095, -5000, INT32_MIN, -(INT64_C(1) << 32) - 2, INT64_MIN};

    for (size_t i = 0; i < COUNT_OF(codes); i++)
        CU_ASSERT_STRING_EQUAL(ouro_strerror(codes[i]), "Unknown error");
}

const struct test error_tests[] = {
    TEST(test_own_codes_have_texts_of_their_own),
    TEST(test_own_codes_are_dense_and_below_all_errnos),
    TEST(test_errnos_have_the_texts_of_libc),
    TEST(test_what_is_no_error_is_success),
    TEST(test_any_number_has_a_text),
    TEST_END,
};
