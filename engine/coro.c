/* SPDX-License-Identifier: MIT */
/*
 * coro.c - starting a stack of execution, and generators on top of it
 *
 * A generator's states, and who moves it:
 *
 *      idle ──send──▶ running ──function returns──▶ finished
 *        ▲              │
 *        └────yield─────┘
 *
 * It is running while it has a sender, also while it waits for a generator that it sends to
 * itself, or for something that its task waits for. Closing an idle one that has started
 * resumes it once more, with every yield failing.
 *
 * Read ouro_coro_switch.h first.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "coro.h"

#define GENERATOR_NAME_MAX 32

struct ouro_coro {
    struct coro coro; /* first: a running generator is found from the thread's current coro */
    enum ouro_stack_class stack_class;
    ouro_coro_fn *fn;
    void *arg;
    char name[GENERATOR_NAME_MAX];
};

__thread struct ouro_coro_core *ouro_coro_current;

/* The thread's own stack, and its pool of stacks for coroutines. */
static _Thread_local struct coro own_coro;
static _Thread_local struct stack_pool *own_stacks;

/*
 * The first code on a new stack: jumps to the function, as if ouro__coro_end had called it. A
 * real call would leave an address behind in the return-address predictor, since the function
 * never returns: that made all returns of whoever runs next mispredict (69 against 49 ns for
 * spawn, run and join). Debuggers see the chain of frames end in ouro__coro_end.
 */
void ouro__coro_start(void);

#if defined(__x86_64__)
__asm__(".text\n"
        ".globl ouro__coro_start\n"
        ".hidden ouro__coro_start\n"
        ".type ouro__coro_start, @function\n"
        "ouro__coro_start:\n"
        ".cfi_startproc\n"
        ".cfi_undefined rip\n"
        ".byte 0xf3, 0x0f, 0x1e, 0xfa\n" /* endbr64 */
        "leaq ouro__coro_end(%rip), %rax\n"
        "xorl %ebp, %ebp\n"
        "pushq %rax\n"
        "jmpq *%rbx\n"
        "nop\n" /* a return address is looked up by the byte before it */
        "ouro__coro_end:\n"
        "ud2\n"
        ".cfi_endproc\n"
        ".size ouro__coro_start, . - ouro__coro_start\n");
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl ouro__coro_start\n"
        ".hidden ouro__coro_start\n"
        ".type ouro__coro_start, %function\n"
        "ouro__coro_start:\n"
        ".cfi_startproc\n"
        ".cfi_undefined x30\n"
        "hint #36\n" /* bti j */
        "adr x30, ouro__coro_end\n"
        "mov x29, xzr\n"
        "mov x16, x19\n"
        "br x16\n"
        "nop\n"
        "ouro__coro_end:\n"
        "brk #1\n"
        ".cfi_endproc\n"
        ".size ouro__coro_start, . - ouro__coro_start\n");
#endif

void ouro__coro_init(struct coro *coro, void (*entry)(void), size_t reserve_bytes)
{
    char *top = coro->stack.top - reserve_bytes;

    coro->core = (struct ouro_coro_core) {
        .context = {.pc = (void *) ouro__coro_start,
                    .sp = (void *) ((uintptr_t) top & ~(uintptr_t) 15),
                    .base = (void *) entry},
    };
#ifdef OURO_ASAN
    coro->asan_fake_stack = NULL;
#endif
#ifdef OURO_TSAN
    coro->tsan_fiber = __tsan_create_fiber(0);
#endif
}

void ouro__coro_done(struct coro *coro)
{
#ifdef OURO_TSAN
    __tsan_destroy_fiber(coro->tsan_fiber);
#endif
    (void) coro;
}

/* --- a thread's own stack --------------------------------------------------------- */

static void own_stack_init(struct coro *own)
{
#ifdef OURO_ASAN
    pthread_attr_t attributes;
    void *limit;
    size_t bytes;

    CHECK(!pthread_getattr_np(pthread_self(), &attributes) &&
              !pthread_attr_getstack(&attributes, &limit, &bytes),
          "a thread's own stack is unknown");
    (void) pthread_attr_destroy(&attributes);
    own->stack.limit = limit;
    own->stack.top = (char *) limit + bytes;
#endif
#ifdef OURO_TSAN
    own->tsan_fiber = __tsan_get_current_fiber();
#endif
    (void) own;
}

struct coro *ouro__coro_own(void)
{
    own_stack_init(&own_coro);
    ouro_coro_current = &own_coro.core;
    return &own_coro;
}

/* --- the thread's pool of stacks ------------------------------------------------ */

static pthread_key_t stacks_key;

/*
 * The thread ends. Generators that nobody closed are lost, and what lies on their stacks may be
 * in use elsewhere: their pool stays.
 */
static void free_stacks(void *stacks)
{
    if (ouro__stack_pool_is_used(stacks))
        return;
    ouro__stack_pool_done(stacks);
    free(stacks);
}

static void make_stacks_key(void)
{
    CHECK(!pthread_key_create(&stacks_key, free_stacks), "no thread-specific key left");
}

struct stack_pool *ouro__coro_stacks(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct stack_pool *stacks = own_stacks;

    if (likely(stacks != NULL))
        return stacks;
    (void) pthread_once(&once, make_stacks_key);
    stacks = malloc(sizeof(*stacks));
    if (!stacks || pthread_setspecific(stacks_key, stacks)) {
        free(stacks);
        return NULL;
    }
    ouro__stack_pool_init(stacks, /* mask_guard_madvise= */ false);
    own_stacks = stacks;
    return stacks;
}

/* --- generators ------------------------------------------------------------------ */

static void generator_entry(void)
{
    struct ouro_coro *self = (struct ouro_coro *) (void *) ouro_coro_current;
    struct ouro_coro_core *sender;

    ouro__coro_arrived(&self->coro);
    self->fn(self->arg);
    sender = self->coro.core.sender;
    self->coro.core.sender = NULL;
    self->coro.core.is_finished = true;
    ouro__coro_exit(&self->coro, (struct coro *) (void *) sender);
}

int ouro_coro_create(ouro_coro_fn *fn, void *arg, const struct ouro_coro_options *options,
                     struct ouro_coro **ret_coro)
{
    static const struct ouro_coro_options defaults = {.name = NULL};
    struct stack_pool *stacks = ouro__coro_stacks();
    struct ouro_coro *self = calloc(1, sizeof(*self));
    int code;

    if (!options)
        options = &defaults;
    code =
        self && stacks ? ouro__stack_acquire(stacks, options->stack, &self->coro.stack) : -ENOMEM;
    if (code) {
        free(self);
        return code;
    }
    ouro__coro_init(&self->coro, generator_entry, /* reserve_bytes= */ 0);
    self->stack_class = options->stack;
    self->fn = fn;
    self->arg = arg;
    (void) snprintf(self->name, sizeof(self->name), "%s",
                    options->name ? options->name : "coroutine");
    *ret_coro = self;
    return 0;
}

static bool has_started(const struct ouro_coro *coro)
{
    return coro->coro.core.context.pc != (void *) ouro__coro_start;
}

/* Runs the generator until it yields or returns. */
static void resume(struct ouro_coro *coro)
{
    struct coro *sender = ouro__coro_running();

    coro->coro.core.sender = &sender->core;
    ouro__coro_switch(sender, &coro->coro);
}

/* In parentheses: the header has a macro of this name for the inlined common case. */
int(ouro_coro_send)(struct ouro_coro *coro, void *value, void **ret_value)
{
    struct ouro_coro_core *self = &coro->coro.core;

    if (self->sender)
        return -EBUSY;
    if (self->is_finished)
        return 0;
    self->transfer = value;
    resume(coro);
    if (self->is_finished)
        return 0;
    if (ret_value)
        *ret_value = self->transfer;
    return 1;
}

int ouro_coro_yield(void *value, void **ret_value)
{
    struct ouro_coro_core *self = ouro_coro_current;
    struct ouro_coro_core *sender = self ? self->sender : NULL;

    if (unlikely(!sender))
        return -EINVAL;
    if (unlikely(self->is_closing))
        return -ECANCELED;
    self->transfer = value;
    self->sender = NULL;
    ouro__coro_switch((struct coro *) (void *) self, (struct coro *) (void *) sender);
    if (unlikely(self->is_closing))
        return -ECANCELED;
    if (ret_value)
        *ret_value = self->transfer;
    return 0;
}

void ouro_coro_close(struct ouro_coro *coro)
{
    if (!coro)
        return;
    CHECK(!coro->coro.core.sender, "ouro_coro_close() of a running coroutine");
    coro->coro.core.is_closing = true;
    if (has_started(coro) && !coro->coro.core.is_finished)
        resume(coro);
    ouro__coro_done(&coro->coro);
    ouro__stack_release(ouro__coro_stacks(), coro->stack_class, coro->coro.stack);
    free(coro);
}

const char *ouro__coro_guard_owner(const void *address)
{
    struct ouro_coro *self = (struct ouro_coro *) (void *) ouro_coro_current;

    if (!self || !self->coro.core.sender || !ouro__stack_guards(self->coro.stack, address))
        return NULL;
    return self->name;
}
