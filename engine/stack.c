/* SPDX-License-Identifier: MIT */
/*
 * stack.c - see stack.h
 *
 * Guards. MADV_GUARD_INSTALL (Linux 6.13) marks page table entries and leaves the slab
 * one mapping: a million guarded stacks are a handful of mappings. Before, each guard is
 * an mprotect() that splits the mapping; spawning fails with -ENOMEM at 30,000 stacks.
 * Either kind survives MADV_DONTNEED.
 *
 * Strides are an odd number of pages (guard included), so that the tops of stacks, the
 * part that every switch touches, spread over all sets of a physically indexed cache.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "sanitizer.h"
#include "stack.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define SLAB_STACKS_MIN  16
#define SLAB_STACKS_MAX  1024
#define WARM_STACKS_KEEP 64 /* per class; never worth giving back */

/*
 * A guard by mprotect() costs two mappings, of the 65,530 that vm.max_map_count allows by
 * default. A process that has used all of them up can't even malloc(): we leave it some.
 */
#define MPROTECT_GUARDS_MAX 30000

static atomic_uint mprotect_guard_count; /* of all threads */

struct stack_slab {
    struct stack_slab *next;
    char *base;
    size_t bytes;
    uint32_t stack_count;
    uint32_t mprotect_count; /* guards of that kind */
    unsigned *valgrind_ids;  /* by stack; NULL when not running under Valgrind */
};

static size_t page_bytes(void)
{
    return (size_t) sysconf(_SC_PAGESIZE);
}

static size_t guard_bytes(void)
{
    return STACK_GUARD_PAGES * page_bytes();
}

void ouro__stack_pool_init(struct stack_pool *pool, bool mask_guard_madvise)
{
    static const size_t sizes[STACK_CLASS_COUNT] = {(size_t) 16 << 10, (size_t) 64 << 10,
                                                    (size_t) 256 << 10, (size_t) 1 << 20};

    memset(pool, 0, sizeof(*pool));
    pool->guard_by_mprotect = mask_guard_madvise;
    pool->is_watched = valgrind_is_running();
    for (int i = 0; i < STACK_CLASS_COUNT; i++) {
        pool->classes[i].stack_bytes = sizes[i];
        pool->classes[i].stride_bytes = sizes[i] + guard_bytes();
    }
}

static void slab_free(struct stack_slab *slab)
{
    atomic_fetch_sub(&mprotect_guard_count, slab->mprotect_count);
    for (uint32_t i = 0; slab->valgrind_ids && i < slab->stack_count; i++)
        valgrind_forget_stack(slab->valgrind_ids[i]);
    free(slab->valgrind_ids);
    (void) munmap(slab->base, slab->bytes);
    free(slab);
}

void ouro__stack_pool_done(struct stack_pool *pool)
{
    for (int i = 0; i < STACK_CLASS_COUNT; i++) {
        struct stack_class *class = &pool->classes[i];
        struct stack_slab *slab;

        CHECK(class->free_count == class->total_count, "a stack is still in use");
        while ((slab = class->slabs)) {
            class->slabs = slab->next;
            slab_free(slab);
        }
        free(class->free);
    }
    memset(pool, 0, sizeof(*pool));
}

bool ouro__stack_pool_is_used(const struct stack_pool *pool)
{
    for (int i = 0; i < STACK_CLASS_COUNT; i++)
        if (pool->classes[i].free_count < pool->classes[i].total_count)
            return true;
    return false;
}

static int install_guard(struct stack_pool *pool, char *guard)
{
    if (!pool->guard_by_mprotect) {
        if (!madvise(guard, guard_bytes(), MADV_GUARD_INSTALL))
            return 0;
        if (errno != EINVAL)
            return -ENOMEM;
        pool->guard_by_mprotect = true;
    }
    if (atomic_fetch_add(&mprotect_guard_count, 1) >= MPROTECT_GUARDS_MAX ||
        mprotect(guard, guard_bytes(), PROT_NONE)) {
        atomic_fetch_sub(&mprotect_guard_count, 1);
        return -ENOMEM;
    }
    return 0;
}

/* Maps a slab for up to `stack_count` stacks, fewer when address space is short. */
static struct stack_slab *slab_map(const struct stack_class *class, uint32_t stack_count)
{
    struct stack_slab *slab = calloc(1, sizeof(*slab));

    while (slab && stack_count > 0) {
        size_t bytes = stack_count * class->stride_bytes;
        void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

        if (base != MAP_FAILED) {
            /* One touched page must stay one page: 16 times the memory otherwise. */
            (void) madvise(base, bytes, MADV_NOHUGEPAGE);
            slab->base = base;
            slab->bytes = bytes;
            slab->stack_count = stack_count;
            return slab;
        }
        stack_count /= 2;
    }
    free(slab);
    return NULL;
}

/* Installs the guards; a slab may end up with fewer stacks. Returns how many. */
static uint32_t slab_guard(struct stack_pool *pool, const struct stack_class *class,
                           struct stack_slab *slab)
{
    uint32_t guarded = 0;

    while (guarded < slab->stack_count &&
           !install_guard(pool, slab->base + guarded * class->stride_bytes))
        guarded++;
    slab->stack_count = guarded;
    slab->mprotect_count = pool->guard_by_mprotect ? guarded : 0;
    return guarded;
}

static void slab_tell_valgrind(const struct stack_class *class, struct stack_slab *slab)
{
    slab->valgrind_ids = calloc(slab->stack_count, sizeof(unsigned));
    for (uint32_t i = 0; slab->valgrind_ids && i < slab->stack_count; i++) {
        char *limit = slab->base + i * class->stride_bytes + guard_bytes();

        slab->valgrind_ids[i] = valgrind_know_stack(limit, limit + class->stack_bytes);
    }
}

/* Every stack of the class fits into free[], so that releasing one can't fail. */
static int reserve_free(struct stack_class *class, uint32_t total_count)
{
    char **larger = realloc(class->free, total_count * sizeof(*larger));

    if (!larger)
        return -ENOMEM;
    class->free = larger;
    return 0;
}

static int grow(struct stack_pool *pool, struct stack_class *class)
{
    uint32_t wanted = class->total_count < SLAB_STACKS_MIN ? SLAB_STACKS_MIN : class->total_count;
    struct stack_slab *slab;

    if (wanted > SLAB_STACKS_MAX)
        wanted = SLAB_STACKS_MAX;
    slab = slab_map(class, wanted);
    if (!slab)
        return -ENOMEM;
    if (!slab_guard(pool, class, slab) ||
        reserve_free(class, class->total_count + slab->stack_count)) {
        slab_free(slab);
        return -ENOMEM;
    }
    if (pool->is_watched)
        slab_tell_valgrind(class, slab);
    for (uint32_t i = slab->stack_count; i-- > 0;)
        class->free[class->free_count++] = slab->base + i * class->stride_bytes + guard_bytes();
    class->cold_count = class->free_count; /* it was empty: that is why we grow */
    class->total_count += slab->stack_count;
    slab->next = class->slabs;
    class->slabs = slab;
    return 0;
}

static struct stack_class *class_of(struct stack_pool *pool, enum ouro_stack_class class)
{
    if (class == OURO_STACK_DEFAULT)
        class = OURO_STACK_256K;
    return &pool->classes[class - OURO_STACK_16K];
}

int ouro__stack_acquire(struct stack_pool *pool, enum ouro_stack_class class_name,
                        struct stack *ret_stack)
{
    struct stack_class *class;
    uint32_t used;

    if (unlikely((unsigned) class_name > OURO_STACK_1M))
        return -EINVAL;
    class = class_of(pool, class_name);
    if (unlikely(class->free_count == 0) && grow(pool, class))
        return -ENOMEM;
    ret_stack->limit = class->free[--class->free_count];
    ret_stack->top = ret_stack->limit + class->stack_bytes;
    if (class->cold_count > class->free_count)
        class->cold_count = class->free_count;
    used = class->total_count - class->free_count;
    if (used > class->used_peak)
        class->used_peak = used;
    return 0;
}

void ouro__stack_release(struct stack_pool *pool, enum ouro_stack_class class_name,
                         struct stack stack)
{
    struct stack_class *class = class_of(pool, class_name);

    asan_unpoison(stack.limit, class->stack_bytes);
    if (unlikely(pool->is_watched)) /* it holds what was popped for out of bounds */
        memory_is_unused(stack.limit, class->stack_bytes);
    class->free[class->free_count++] = stack.limit;
}

static uint32_t warm_count(const struct stack_class *class)
{
    return class->free_count - class->cold_count;
}

/* Warm stacks beyond what the last peak would need again. */
static uint32_t spare_count(const struct stack_class *class)
{
    uint32_t used = class->total_count - class->free_count;
    uint32_t needed = class->used_peak - used + WARM_STACKS_KEEP;

    return warm_count(class) > needed ? warm_count(class) - needed : 0;
}

static void cool(struct stack_class *class)
{
    char *limit = class->free[class->cold_count++];

    (void) madvise(limit, class->stack_bytes, MADV_DONTNEED);
}

uint32_t ouro__stack_pool_trim(struct stack_pool *pool, uint32_t count_max)
{
    uint32_t count = 0;

    for (int i = 0; i < STACK_CLASS_COUNT; i++) {
        struct stack_class *class = &pool->classes[i];

        for (uint32_t spare = spare_count(class); spare > 0; spare--) {
            if (count == count_max)
                return count;
            cool(class);
            count++;
        }
        class->used_peak = class->total_count - class->free_count;
    }
    return count;
}

bool ouro__stack_pool_has_spare(const struct stack_pool *pool)
{
    for (int i = 0; i < STACK_CLASS_COUNT; i++)
        if (warm_count(&pool->classes[i]) > WARM_STACKS_KEEP)
            return true;
    return false;
}

size_t ouro__stack_pool_bytes(const struct stack_pool *pool)
{
    size_t bytes = 0;

    for (int i = 0; i < STACK_CLASS_COUNT; i++) {
        const struct stack_class *class = &pool->classes[i];

        bytes += (class->total_count - class->cold_count) * class->stack_bytes;
    }
    return bytes;
}

bool ouro__stack_guards(struct stack stack, const void *address)
{
    const char *byte = address;

    return stack.limit && byte < stack.limit && byte >= stack.limit - guard_bytes();
}

size_t ouro__stack_high_water(struct stack stack)
{
    size_t page = page_bytes();

    for (char *low = stack.limit; low < stack.top; low += page) {
        unsigned char resident = 0;

        if (mincore(low, page, &resident) || !(resident & 1))
            continue;
        for (const char *byte = low; byte < low + page; byte++)
            if (*byte)
                return (size_t) (stack.top - byte);
    }
    return 0;
}

#define TOUCHED_PAGES 64 /* looked at together: they are few, as this runs on small stacks */

size_t ouro__stack_touched(struct stack stack)
{
    unsigned char are_resident[TOUCHED_PAGES];
    size_t page = page_bytes();
    size_t step = TOUCHED_PAGES * page;

    for (char *low = stack.limit; low < stack.top; low += step) {
        size_t bytes = (size_t) (stack.top - low) < step ? (size_t) (stack.top - low) : step;

        if (mincore(low, bytes, are_resident))
            continue;
        for (size_t i = 0; i < bytes / page; i++)
            if (are_resident[i] & 1)
                return (size_t) (stack.top - low) - i * page;
    }
    return 0;
}
