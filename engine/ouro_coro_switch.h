/* SPDX-License-Identifier: MIT */
/*
 * ouro_coro_switch.h - the switch between two stacks, per architecture, and what inlines it
 *
 * Everything here is private. It is in a public header because the switch is inlined, into
 * ouro_coro_send() too: a called switch unbalances the processor's return-address predictor,
 * so that returns mispredict (26 ns for a send and yield against 5: coro_resume_yield in
 * bench/micro.cc).
 *
 * Program counter, stack pointer, frame pointer and the register that compilers use as a
 * base pointer are stored by hand; every other register is declared clobbered, and the
 * compiler saves those that it has in use, as it does around a call. Nothing is pushed: a
 * leaf function's red zone stays intact. The floating-point control words are not
 * switched; whoever changes them changes them for all.
 *
 * The clobber lists must name every register that the compiler may allocate under the flags
 * of whoever includes this, AVX-512's included: tests/coro_test.c holds values in all of
 * them across switches.
 */
#ifndef OURO_CORO_SWITCH_H
#define OURO_CORO_SWITCH_H

#include "ouro_base.h"

/* Where a coroutine goes on. The offsets are known to the assembly below and in coro.c. */
struct ouro_coro_context {
    void *pc;
    void *sp;
    void *fp;
    void *base; /* rbx, x19; of a new coroutine: the function to call */
};

#if defined(__x86_64__)

#if defined(__AVX512F__)
#define OURO_CORO_CLOBBERS_AVX512                                                                 \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",   \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", \
        "k6", "k7"
#else
#define OURO_CORO_CLOBBERS_AVX512
#endif

#if defined(__CET__) && (__CET__ & 1)
#define OURO_CORO_LANDING_PAD "endbr64\n\t"
#else
#define OURO_CORO_LANDING_PAD
#endif

__attribute__((always_inline)) static inline void ouro_coro_switch(struct ouro_coro_context *from,
                                                                   struct ouro_coro_context *to)
{
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rax, 0(%%rdi)\n\t"
                     "movq %%rsp, 8(%%rdi)\n\t"
                     "movq %%rbp, 16(%%rdi)\n\t"
                     "movq %%rbx, 24(%%rdi)\n\t"
                     "movq 8(%%rsi), %%rsp\n\t"
                     "movq 16(%%rsi), %%rbp\n\t"
                     "movq 24(%%rsi), %%rbx\n\t"
                     "jmpq *0(%%rsi)\n"
                     "1:\n\t" OURO_CORO_LANDING_PAD
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "mm0", "mm1",
                       "mm2", "mm3", "mm4", "mm5", "mm6", "mm7", "st", "st(1)", "st(2)", "st(3)",
                       "st(4)", "st(5)", "st(6)", "st(7)", "cc",
                       "memory" OURO_CORO_CLOBBERS_AVX512);
}

#elif defined(__aarch64__)

#if defined(__ARM_FEATURE_SVE)
#define OURO_CORO_CLOBBERS_SVE                                                                \
    , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", \
        "p14", "p15"
#else
#define OURO_CORO_CLOBBERS_SVE
#endif

__attribute__((always_inline)) static inline void ouro_coro_switch(struct ouro_coro_context *from,
                                                                   struct ouro_coro_context *to)
{
    register struct ouro_coro_context *from_register __asm__("x0") = from;
    register struct ouro_coro_context *to_register __asm__("x1") = to;

    __asm__ volatile("adr x9, 1f\n\t"
                     "mov x10, sp\n\t"
                     "stp x9, x10, [x0]\n\t"
                     "stp x29, x19, [x0, #16]\n\t"
                     "ldp x9, x10, [x1]\n\t"
                     "ldp x29, x19, [x1, #16]\n\t"
                     "mov sp, x10\n\t"
                     "br x9\n"
                     "1:\n\t"
                     "hint #36\n\t" /* bti j: a landing pad where BTI is on, else nothing */
                     : "+r"(from_register), "+r"(to_register)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x18", "x20", "x21", "x22", "x23", "x24", "x25",
                       "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",
                       "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18",
                       "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                       "v30", "v31", "cc", "memory" OURO_CORO_CLOBBERS_SVE);
}

#else
#error "ouro has a stack switch for x86-64 and aarch64 only: add one here and in coro.c"
#endif

/* What the inlined path of ouro_coro_send() knows of a stack of execution. */
struct ouro_coro_core {
    struct ouro_coro_context context;
    /* A generator's: who runs again at its yield (NULL unless it runs), the value on its way. */
    struct ouro_coro_core *sender;
    void *transfer;
    int is_finished;
    int is_closing;
};

OURO_BEGIN_DECLS

/* Who runs on this thread; NULL before the first coroutine or loop. */
extern OURO_API __thread struct ouro_coro_core *ouro_coro_current;

OURO_END_DECLS

#endif /* OURO_CORO_SWITCH_H */
