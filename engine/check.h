/* SPDX-License-Identifier: MIT */
/*
 * check.h - assertions for our own bugs
 *
 * They stay on in release builds. Whatever the kernel, a peer or the caller's data
 * can cause is returned as an error instead; breaking a rule of the API is a bug.
 */
#ifndef OURO_CHECK_H
#define OURO_CHECK_H

#include <stdbool.h>

#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* Ends the process with the condition, what it means, and the running task. */
#define CHECK(condition, meaning)                                          \
    do {                                                                   \
        if (unlikely(!(condition)))                                        \
            ouro__check_failed(#condition, (meaning), __FILE__, __LINE__); \
    } while (0)

#define UNREACHABLE(meaning) ouro__check_failed("unreachable", (meaning), __FILE__, __LINE__)

__attribute__((noreturn, cold)) void ouro__check_failed(const char *condition, const char *meaning,
                                                        const char *file, int line);

#define container_of(pointer, type, member) \
    ((type *) (void *) ((char *) (pointer) - offsetof(type, member)))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif /* OURO_CHECK_H */
