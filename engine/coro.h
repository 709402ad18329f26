/* SPDX-License-Identifier: MIT */
/*
 * coro.h - one stack of execution and the switch to another
 *
 * Tasks, generators and each thread's own stack are all a `struct coro`. A coro has one
 * context, stored whenever it is switched away from, for whatever reason: a generator
 * that suspends the task around it is resumed directly, in its own frames.
 *
 * Who switches to whom:
 *
 *      thread's own ──run──▶ task ──send──▶ generator ──send──▶ generator
 *                   ◀─park──      ◀─yield─           ◀─yield─
 *                   ◀──────────── park ──────────────
 *                   ──────────── resume ───────────▶       (to the innermost)
 *
 * Neither the ring nor the dispatcher is known here.
 */
#ifndef OURO_CORO_PRIVATE_H
#define OURO_CORO_PRIVATE_H

#include "ouro_coro.h"
#include "ouro_coro_switch.h"
#include "sanitizer.h"
#include "stack.h"

struct coro {
    struct ouro_coro_core core; /* first: the inlined ouro_coro_send() sees only this */
    struct stack stack;         /* empty for a thread's own */
#ifdef OURO_ASAN
    void *asan_fake_stack;
#endif
#ifdef OURO_TSAN
    void *tsan_fiber;
#endif
};

/*
 * The thread's pool of stacks, for its tasks and generators alike; made at the first
 * call, freed when the thread ends. Returns NULL without memory.
 */
struct stack_pool *ouro__coro_stacks(void);

/*
 * Makes `coro`, which has its stack, start with a call of `entry` when it is first
 * switched to. `reserve_bytes` at the top of the stack are left alone.
 */
void ouro__coro_init(struct coro *coro, void (*entry)(void), size_t reserve_bytes);

/* Forgets a coro that is not running; the caller releases the stack. */
void ouro__coro_done(struct coro *coro);

/* Makes the thread's own stack a coro; called once, by the next. */
struct coro *ouro__coro_own(void);

/* Who runs now; the first time on a thread, its own stack. */
static inline struct coro *ouro__coro_running(void)
{
    struct ouro_coro_core *current = ouro_coro_current;

    return __builtin_expect(current != NULL, 1) ? (struct coro *) (void *) current
                                                : ouro__coro_own();
}

/*
 * The first thing on a new stack. Inlined always, as the next: TSan sees functions begin and
 * end, and would see these begin on one stack and end on another.
 */
__attribute__((always_inline)) static inline void ouro__coro_arrived(struct coro *self)
{
#ifdef OURO_ASAN
    __sanitizer_finish_switch_fiber(self->asan_fake_stack, NULL, NULL);
#else
    (void) self;
#endif
}

/* Tells the tools that control leaves `from`; `is_last` when it never comes back. */
__attribute__((always_inline)) static inline void ouro__coro_leaving(struct coro *from,
                                                                     struct coro *to, bool is_last)
{
#ifdef OURO_ASAN
    __sanitizer_start_switch_fiber(is_last ? NULL : &from->asan_fake_stack, to->stack.limit,
                                   (size_t) (to->stack.top - to->stack.limit));
#else
    (void) from;
    (void) is_last;
#endif
#ifdef OURO_TSAN
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
    (void) to;
}

__attribute__((always_inline)) static inline void ouro__coro_switch(struct coro *from,
                                                                    struct coro *to)
{
    ouro_coro_current = &to->core;
    ouro__coro_leaving(from, to, false);
    ouro_coro_switch(&from->core.context, &to->core.context);
    ouro__coro_arrived(from);
}

/* The last switch of a coro whose work is done. */
__attribute__((always_inline)) static inline void ouro__coro_exit(struct coro *from,
                                                                  struct coro *to)
{
    ouro_coro_current = &to->core;
    ouro__coro_leaving(from, to, true);
    ouro_coro_switch(&from->core.context, &to->core.context);
    __builtin_unreachable();
}

/* The running generator's name when `address` lies in its guard; else NULL. Async-signal-safe. */
const char *ouro__coro_guard_owner(const void *address);

#endif /* OURO_CORO_PRIVATE_H */
