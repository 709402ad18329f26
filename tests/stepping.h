/* SPDX-License-Identifier: MIT */
/*
 * stepping.h - another thread's doing, at each instruction in turn
 *
 * What races with a few instructions is hit by chance, or not. Here the thread runs in single
 * steps (the processor's trap flag), and after so many of them a handler does what another
 * thread would do: all of it between two instructions, which for loads and stores of one
 * processor is an interleaving like any other. A test tries 0, 1, 2, ... steps until it comes to
 * a system call, where the last try ends, so that nothing sleeps for ever.
 */
#ifndef OURO_TEST_STEPPING_H
#define OURO_TEST_STEPPING_H

#include <signal.h>
#include <stdbool.h>
#include <ucontext.h>

#include "sanitizer.h"

static struct {
    void (*fn)(void *arg);
    void *arg;
    unsigned left; /* steps until then */
    bool is_last;  /* it came to a system call */
} stepping;

#if defined(__x86_64__) && !defined(OURO_TSAN) && !defined(OURO_ASAN)

static inline bool stepping_is_possible(void)
{
    return !valgrind_is_running();
}

static void stepping_handle(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *) context)->uc_mcontext.gregs;
    const unsigned char *next = (const unsigned char *) (uintptr_t) registers[REG_RIP];

    (void) number;
    (void) info;
    stepping.is_last = next[0] == 0x0f && next[1] == 0x05;
    if (stepping.left-- > 0 && !stepping.is_last)
        return;
    registers[REG_EFL] &= ~0x100ll;
    stepping.fn(stepping.arg);
}

/* Calls `fn(arg)` after `steps` more instructions, or before the next system call. */
static inline void stepping_begin(unsigned steps, void (*fn)(void *arg), void *arg)
{
    struct sigaction action = {.sa_sigaction = stepping_handle, .sa_flags = SA_SIGINFO};

    stepping.fn = fn;
    stepping.arg = arg;
    stepping.left = steps;
    stepping.is_last = false;
    (void) sigaction(SIGTRAP, &action, NULL);
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n" /* a leaf's locals may be there */
                     "pushfq\n"
                     "orq $0x100, (%%rsp)\n"
                     "popfq\n"
                     "leaq 128(%%rsp), %%rsp\n" ::
                         : "memory", "cc");
}

#else

static inline bool stepping_is_possible(void)
{
    return false;
}

static inline void stepping_begin(unsigned steps, void (*fn)(void *arg), void *arg)
{
    (void) steps;
    stepping.is_last = true;
    fn(arg);
}

#endif

static inline void stepping_end(void)
{
    (void) signal(SIGTRAP, SIG_DFL);
}

#endif /* OURO_TEST_STEPPING_H */
