/* SPDX-License-Identifier: MIT */
/*
 * sanitizer.h - what ASan, TSan and Valgrind must be told
 *
 * They follow a program's stack; each switch to another one is announced here. In
 * an ordinary build everything in this file is empty.
 */
#ifndef OURO_SANITIZER_H
#define OURO_SANITIZER_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define OURO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OURO_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define OURO_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define OURO_TSAN 1
#endif
#endif

#ifdef OURO_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef OURO_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* A coroutine that never returned through its frames leaves their red zones behind. */
static inline void asan_unpoison(void *start, size_t bytes)
{
#ifdef OURO_ASAN
    __asan_unpoison_memory_region(start, bytes);
#else
    (void) start;
    (void) bytes;
#endif
}

/* Memory that is somebody else's for now: the kernel's, or nobody's. */
static inline void asan_poison(void *start, size_t bytes)
{
#ifdef OURO_ASAN
    __asan_poison_memory_region(start, bytes);
#else
    (void) start;
    (void) bytes;
#endif
}

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>

static inline bool valgrind_is_running(void)
{
    return RUNNING_ON_VALGRIND;
}

static inline unsigned valgrind_know_stack(char *limit, char *top)
{
    return VALGRIND_STACK_REGISTER(limit, top); /* a new coroutine's stack pointer is `top` */
}

static inline void valgrind_forget_stack(unsigned id)
{
    VALGRIND_STACK_DEREGISTER(id);
}
#else
static inline bool valgrind_is_running(void)
{
    return false;
}

static inline unsigned valgrind_know_stack(char *limit, char *top)
{
    (void) limit;
    (void) top;
    return 0;
}

static inline void valgrind_forget_stack(unsigned id)
{
    (void) id;
}
#endif

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif

/* Whether there is somebody to be told by the next two, which cost a dozen instructions. */
static inline bool memcheck_is_running(void)
{
#ifdef VALGRIND_MAKE_MEM_DEFINED
    bool place = false;

    return VALGRIND_MAKE_MEM_DEFINED(&place, sizeof(place)) != 0; /* elsewhere it means nothing */
#else
    return false;
#endif
}

/* The kernel filled this memory behind the tools' back; called in the reap path. */
static inline void memory_filled_by_kernel(void *start, size_t bytes)
{
#ifdef VALGRIND_MAKE_MEM_DEFINED
    (void) VALGRIND_MAKE_MEM_DEFINED(start, bytes);
#else
    (void) start;
    (void) bytes;
#endif
}

/* For Valgrind: may be written, and holds nothing yet. */
static inline void memory_is_unused(void *start, size_t bytes)
{
#ifdef VALGRIND_MAKE_MEM_UNDEFINED
    (void) VALGRIND_MAKE_MEM_UNDEFINED(start, bytes);
#else
    (void) start;
    (void) bytes;
#endif
}

/*
 * For TSan, where memory goes from thread to thread by ways that it does not see: whoever gave
 * something back at `place` did so before others obtain it there.
 */
static inline void memory_is_given_back(void *place)
{
#ifdef OURO_TSAN
    __tsan_release(place);
#else
    (void) place;
#endif
}

static inline void memory_is_obtained(void *place)
{
#ifdef OURO_TSAN
    __tsan_acquire(place);
#else
    (void) place;
#endif
}

#endif /* OURO_SANITIZER_H */
