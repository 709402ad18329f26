/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - what libFuzzer calls, and how a fuzzer says that something is not as it should be
 */
#ifndef OURO_TEST_FUZZ_H
#define OURO_TEST_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process: the input is then a finding. */
#define REQUIRE(condition)                                                          \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                \
        }                                                                           \
    } while (0)

#endif /* OURO_TEST_FUZZ_H */
