/* SPDX-License-Identifier: MIT */
/*
 * coro_registers.h - whether what a function holds in registers survives a switch
 *
 * The switch is inlined into the functions below, each of which holds more values of one
 * kind than there are registers for them, while the coroutine on the other side writes to
 * every register. A register that the switch forgot to name in its clobber list loses
 * its value. coro_avx512_test.c compiles all of it again for a CPU with more registers.
 */
#ifndef OURO_CORO_REGISTERS_H
#define OURO_CORO_REGISTERS_H

#include <stdint.h>
#include <string.h>

#include "coro.h"
#include "stack.h"

#define REGISTER_ROUNDS 3

#define TIMES_8(DO, n) DO(n##0) DO(n##1) DO(n##2) DO(n##3) DO(n##4) DO(n##5) DO(n##6) DO(n##7)
#define FOR_8(DO)      TIMES_8(DO, 0)
#define FOR_32(DO)     TIMES_8(DO, 0) TIMES_8(DO, 1) TIMES_8(DO, 2) TIMES_8(DO, 3)

/* The values are kept by octal number: v00 to v37. */
#define LOAD(n)         held v##n = values[0##n];
#define FIND_LOST(n)    lost |= v##n ^ values[0##n];
#define FIND_UNEQUAL(n) lost |= v##n != values[0##n];

typedef uint64_t small_vector __attribute__((vector_size(16)));
typedef uint64_t large_vector __attribute__((vector_size(32)));
typedef uint64_t huge_vector __attribute__((vector_size(64)));

struct register_values {
    huge_vector huge[32];
    large_vector large[32];
    small_vector small[32];
    long double long_doubles[8];
    double doubles[32];
    float floats[32];
    uint64_t integers[32];
};

/* One of these runs at a time. */
static struct coro *register_home;
static struct coro register_trasher;

/* --- the other side ------------------------------------------------------------------------ */

#define EIGHT      "0,1,2,3,4,5,6,7"
#define SIXTEEN    EIGHT ",8,9,10,11,12,13,14,15"
#define THIRTY_TWO SIXTEEN ",16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"

/* The assembler repeats `instruction` with each of these as \r. */
#define FOR_EACH(these, instruction) ".irp r," these "\n\t" instruction "\n\t.endr\n\t"

#if defined(__x86_64__)

#if defined(__AVX512F__)
#define TRASH_VECTORS                                                      \
    FOR_EACH(THIRTY_TWO, "vpternlogd $0xff, %%zmm\\r, %%zmm\\r, %%zmm\\r") \
    FOR_EACH(EIGHT, "kxnorw %%k\\r, %%k\\r, %%k\\r")
#else
#define TRASH_VECTORS FOR_EACH(SIXTEEN, "pcmpeqd %%xmm\\r, %%xmm\\r")
#endif

static inline void trash_registers(void)
{
    __asm__ volatile(FOR_EACH("ax,bx,cx,dx,si,di,8,9,10,11,12,13,14,15", "movq $-1, %%r\\r")
                         TRASH_VECTORS FOR_EACH(EIGHT, "fld1") FOR_EACH(EIGHT, "fstp %%st")
                     :
                     :
                     : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
                       "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
                       "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "cc",
                       "memory" OURO_CORO_CLOBBERS_AVX512);
}

#elif defined(__aarch64__)

static inline void trash_registers(void)
{
    __asm__ volatile(FOR_EACH(SIXTEEN ",16,17,19,20,21,22,23,24,25,26,27,28", "mov x\\r, #-1")
                         FOR_EACH(THIRTY_TWO, "movi v\\r\\().16b, #255")
                     :
                     :
                     : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
                       "x12", "x13", "x14", "x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23",
                       "x24", "x25", "x26", "x27", "x28", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
                       "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17",
                       "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28",
                       "v29", "v30", "v31", "cc", "memory");
}

#endif

static void register_trasher_entry(void)
{
    ouro__coro_arrived(&register_trasher);
    for (;;) {
        trash_registers();
        ouro__coro_switch(&register_trasher, register_home);
    }
}

/* --- this side ------------------------------------------------------------------------------- */

/*
 * HOLDER(hold_x, type, FOR_32, FIND_LOST) defines a function that holds 32 values of `type`
 * across switches and returns whether they are still what they were, bit by bit.
 */
#define HOLDER(function, type, FOR, FIND)                                       \
    __attribute__((noinline)) static bool function(const volatile type *values) \
    {                                                                           \
        typedef type held;                                                      \
        HOLDER_DIFFERENCE(type) lost = {0}, none = {0};                         \
        struct coro *home = register_home;                                      \
                                                                                \
        for (int round = 0; round < REGISTER_ROUNDS; round++) {                 \
            FOR(LOAD)                                                           \
            ouro__coro_switch(home, &register_trasher);                         \
            FOR(FIND)                                                           \
        }                                                                       \
        return !memcmp(&lost, &none, sizeof(lost));                             \
    }

/* Differences of floating-point numbers are counted, others are or-ed together. */
#define HOLDER_DIFFERENCE(type) \
    __typeof__(__builtin_choose_expr(__builtin_classify_type(*(type *) 0) == 8, 0, *(type *) 0))

HOLDER(hold_integers, uint64_t, FOR_32, FIND_LOST)
HOLDER(hold_floats, float, FOR_32, FIND_UNEQUAL)
HOLDER(hold_doubles, double, FOR_32, FIND_UNEQUAL)
HOLDER(hold_long_doubles, long double, FOR_8, FIND_UNEQUAL)
HOLDER(hold_small_vectors, small_vector, FOR_32, FIND_LOST)
HOLDER(hold_large_vectors, large_vector, FOR_32, FIND_LOST)
HOLDER(hold_huge_vectors, huge_vector, FOR_32, FIND_LOST)

#if defined(__AVX512F__)

#define LOAD_MASK(n)  \
    uint16_t mask##n; \
    __asm__ volatile("kmovw %1, %0" : "=k"(mask##n) : "r"((unsigned) values[n]));
#define FIND_LOST_MASK(n)                                             \
    {                                                                 \
        unsigned mask;                                                \
        __asm__ volatile("kmovw %1, %0" : "=r"(mask) : "k"(mask##n)); \
        lost |= mask ^ (unsigned) (values[n] & 0xffff);               \
    }

__attribute__((noinline)) static bool hold_masks(const volatile uint64_t *values)
{
    struct coro *home = register_home;
    unsigned lost = 0;

    for (int round = 0; round < REGISTER_ROUNDS; round++) {
        FOR_8(LOAD_MASK)
        ouro__coro_switch(home, &register_trasher);
        FOR_8(FIND_LOST_MASK)
    }
    return lost == 0;
}

#endif

/* A name for each kind of value that was lost; NULL: all are well. */
static const char *hold_everything(const struct register_values *values)
{
    if (!hold_integers(values->integers))
        return "integers";
    if (!hold_floats(values->floats))
        return "floats";
    if (!hold_doubles(values->doubles))
        return "doubles";
    if (!hold_long_doubles(values->long_doubles))
        return "long doubles";
    if (!hold_small_vectors(values->small))
        return "vectors of 128 bits";
    if (!hold_large_vectors(values->large))
        return "vectors of 256 bits";
    if (!hold_huge_vectors(values->huge))
        return "vectors of 512 bits";
#if defined(__AVX512F__)
    if (!hold_masks(values->integers))
        return "masks";
#endif
    return NULL;
}

static void fill_values(struct register_values *values)
{
    for (unsigned i = 0; i < 32; i++) {
        values->integers[i] = UINT64_C(0x0123456789abcdef) * (i + 1);
        values->doubles[i] = 1.1 * (i + 1);
        values->floats[i] = 1.3f * (float) (i + 1);
        values->long_doubles[i % 8] = 1.7L * (i + 1);
        for (unsigned j = 0; j < 8; j++) {
            uint64_t element = UINT64_C(0xfedcba9876543210) * (8 * i + j + 1);

            values->huge[i][j] = element;
            values->large[i][j % 4] = element;
            values->small[i][j % 2] = element;
        }
    }
}

/* Runs all of it; what was lost, or NULL. */
static const char *find_lost_registers(void)
{
    static struct register_values values;
    struct stack_pool pool;
    const char *lost;

    fill_values(&values);
    ouro__stack_pool_init(&pool, false);
    if (ouro__stack_acquire(&pool, OURO_STACK_64K, &register_trasher.stack))
        return "memory";
    ouro__coro_init(&register_trasher, register_trasher_entry, 0);
    register_home = ouro__coro_running();
    lost = hold_everything(&values);
    ouro__coro_done(&register_trasher);
    ouro__stack_release(&pool, OURO_STACK_64K, register_trasher.stack);
    ouro__stack_pool_done(&pool);
    return lost;
}

#endif /* OURO_CORO_REGISTERS_H */
