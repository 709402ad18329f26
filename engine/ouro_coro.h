/* SPDX-License-Identifier: MIT */
/*
 * ouro_coro.h - generator-style coroutines: send a value in, yield a value out
 *
 * A coroutine is a function with a stack of its own. It runs when somebody sends
 * it a value and stops where it yields one; control goes back and forth without
 * locks, system calls or a loop. It is what Python calls a generator.
 *
 * Inside a task a coroutine may also make any call that suspends the task (an
 * "async generator"): the task sleeps as a whole and wakes inside the coroutine.
 *
 * A coroutine belongs to the thread that created it. One that is not closed when that thread ends
 * is lost: nothing of it runs any more, and its memory stays.
 */
#ifndef OURO_CORO_H
#define OURO_CORO_H

#include "ouro_base.h"

OURO_BEGIN_DECLS

struct ouro_coro;

/* What a coroutine runs. Its return ends the coroutine. */
typedef void ouro_coro_fn(void *arg);

/*
 * How large a stack is. Memory is reserved at once and touched lazily: a stack
 * costs what it has used. Below each lies a guard of five pages: code with larger frames
 * is to be compiled with -fstack-clash-protection, as pkg-config says.
 */
enum ouro_stack_class {
    OURO_STACK_DEFAULT = 0, /* 256 KiB */
    OURO_STACK_16K,         /* no stdio, no foreign libraries */
    OURO_STACK_64K,
    OURO_STACK_256K,
    OURO_STACK_1M
};

struct ouro_coro_options {
    const char *name; /* for reports; copied, cut at 31 bytes; NULL: "coroutine" */
    enum ouro_stack_class stack;
};

/*
 * ouro_coro_create - make a coroutine that will call `fn(arg)`
 * @options: NULL for defaults
 *
 * Nothing of `fn` runs before the first ouro_coro_send().
 *
 * Context: any thread, in a task or not.
 * Returns: 0 and a coroutine, owned by the caller, free with ouro_coro_close();
 *          -EINVAL for an unknown stack class; -ENOMEM (with a kernel older than 6.13
 *          also when there are 30,000 stacks).
 */
OURO_API int ouro_coro_create(ouro_coro_fn *fn, void *arg, const struct ouro_coro_options *options,
                              struct ouro_coro **ret_coro);

/*
 * ouro_coro_send - run the coroutine until it yields or returns
 * @value:     what its pending ouro_coro_yield() receives; the first value sent
 *             has no yield to receive it and is dropped
 * @ret_value: what it yielded; may be NULL
 *
 * Context: the creating thread; inside a task the coroutine may suspend the task.
 * Returns: 1 when it yielded; 0 when it has returned, now or earlier;
 *          -EBUSY when it is running already (it, or what it waits for, called us).
 */
OURO_API int ouro_coro_send(struct ouro_coro *coro, void *value, void **ret_value);

/*
 * ouro_coro_yield - hand a value to whoever sent to the running coroutine
 * @ret_value: what the next send brings; may be NULL
 *
 * Context: inside a coroutine.
 * Returns: 0; -ECANCELED at once, whenever the coroutine is being closed (it is
 *          expected to clean up and return); -EINVAL outside a coroutine.
 */
OURO_API int ouro_coro_yield(void *value, void **ret_value);

/*
 * ouro_coro_close - end a coroutine and free it
 * @coro: NULL is allowed and does nothing
 *
 * A coroutine that waits in a yield is resumed, there and in every later yield,
 * with -ECANCELED until it returns. One that never started is not started.
 *
 * Context: as ouro_coro_send(). Closing a running coroutine is a bug and ends the process.
 */
OURO_API void ouro_coro_close(struct ouro_coro *coro);

OURO_END_DECLS

/* Sanitizers must see each switch: then the function, not its inlined common case, is used. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OURO_NO_INLINE
#elif defined(__has_feature) /* clang's way to say it */
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OURO_NO_INLINE
#endif
#endif

#if !defined(OURO_NO_INLINE)
#include "ouro_coro_switch.h"

static inline int ouro_coro_send_inline(struct ouro_coro *coro, void *value, void **ret_value)
{
    struct ouro_coro_core *self = (struct ouro_coro_core *) (void *) coro;
    struct ouro_coro_core *sender = ouro_coro_current;

    if (__builtin_expect(!sender || self->sender || self->is_finished, 0))
        return ouro_coro_send(coro, value, ret_value);
    self->transfer = value;
    self->sender = sender;
    ouro_coro_current = self;
    ouro_coro_switch(&sender->context, &self->context);
    if (__builtin_expect(self->is_finished, 0))
        return 0;
    if (ret_value)
        *ret_value = self->transfer;
    return 1;
}
#define ouro_coro_send(coro, value, ret_value) ouro_coro_send_inline((coro), (value), (ret_value))
#endif

#endif /* OURO_CORO_H */
