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

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
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

/* --- a real other thread ------------------------------------------------------------------- */

/*
 * What several threads may hold at a time, and what it does to the process. One thread gives it
 * back while another, at each instruction of that in turn, takes it.
 */
struct shared_claim {
    void (*take)(void *hold);
    void (*give_back)(void *hold);
    bool (*is_in_force)(void);
    void *holds[2]; /* one for each thread */
};

struct rival {
    const struct shared_claim *claim;
    sem_t may_take, may_give_back;
    atomic_bool has_taken, is_over;
};

static void *run_rival(void *arg)
{
    struct rival *rival = arg;

    for (;;) {
        while (sem_wait(&rival->may_take))
            ;
        if (atomic_load(&rival->is_over))
            return NULL;
        rival->claim->take(rival->claim->holds[1]);
        atomic_store(&rival->has_taken, true);
        while (sem_wait(&rival->may_give_back))
            ;
        rival->claim->give_back(rival->claim->holds[1]);
        atomic_store(&rival->has_taken, false);
    }
}

#define RIVAL_YIELDS 1000

/* In the handler: gives it time, but it may have to wait for a lock that we hold. */
static void let_rival_take(void *arg)
{
    struct rival *rival = arg;

    (void) sem_post(&rival->may_take);
    for (int i = 0; i < RIVAL_YIELDS && !atomic_load(&rival->has_taken); i++)
        (void) sched_yield();
}

static void await_rival(struct rival *rival, bool has_taken)
{
    while (atomic_load(&rival->has_taken) != has_taken)
        (void) sched_yield();
}

/* Whether the claim was in force whenever one of the two held it, and only then. */
static inline bool stepping_claims_hold(const struct shared_claim *claim)
{
    struct rival rival = {.claim = claim};
    pthread_t thread;
    bool is_good = true;

    (void) sem_init(&rival.may_take, 0, 0);
    (void) sem_init(&rival.may_give_back, 0, 0);
    if (pthread_create(&thread, NULL, run_rival, &rival))
        return false;
    stepping.is_last = false;
    for (unsigned steps = 0; is_good && !stepping.is_last; steps++) {
        claim->take(claim->holds[0]);
        is_good = claim->is_in_force();
        stepping_begin(steps, let_rival_take, &rival);
        claim->give_back(claim->holds[0]);
        await_rival(&rival, true);
        is_good = is_good && claim->is_in_force();
        (void) sem_post(&rival.may_give_back);
        await_rival(&rival, false);
        is_good = is_good && !claim->is_in_force();
    }
    stepping_end();
    atomic_store(&rival.is_over, true);
    (void) sem_post(&rival.may_take);
    (void) pthread_join(thread, NULL);
    return is_good;
}

#endif /* OURO_TEST_STEPPING_H */
