/* SPDX-License-Identifier: MIT */
/*
 * account.c - see account.h
 *
 * A table remembers each live block: its address, its size and who asked for it. Memory that
 * others allocated and we free is not in there, and passes. Threads are counted when they are
 * made and when they are joined: /proc would show them for a moment longer, and with them
 * the kernel's workers, which come and go as they like.
 *
 * Vocabulary: __wrap_x() is what our objects call when they say x(), __real_x() is x().
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "account.h"
#include "coro.h"
#include "dispatcher.h"
#include "ouro_loop.h"
#include "ouro_signal.h"
#include "stack.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *block, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void __real_free(void *block);
void *__real_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t bytes);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *arg);
int __real_pthread_join(pthread_t thread, void **ret_result);

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *block, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len_max);
void __wrap_free(void *block);
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *address, size_t bytes);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *arg);
int __wrap_pthread_join(pthread_t thread, void **ret_result);

/* --- the table of live blocks --------------------------------------------------------------- */

struct block {
    uintptr_t address; /* 0: a free place */
    size_t bytes;
    uint64_t serial;
    const char *caller;
};

#define TABLE_PLACES 4096 /* at first; a power of two */

static struct {
    pthread_mutex_t lock;
    struct block *places; /* open addressing, at most half full */
    size_t place_count;
    size_t count, bytes;
    uint64_t serial;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static atomic_size_t mapped_bytes;
static atomic_uint thread_count;
static atomic_uint countdown; /* to the allocation that is to fail; 0: none */
static atomic_bool has_failed;

static size_t home_of(uintptr_t address)
{
    return (size_t) ((uint64_t) (address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) &
           (table.place_count - 1);
}

static void put(struct block block)
{
    size_t i = home_of(block.address);

    while (table.places[i].address)
        i = (i + 1) & (table.place_count - 1);
    table.places[i] = block;
}

static void grow_table(void)
{
    struct block *old = table.places;
    size_t old_count = table.place_count;

    table.place_count = old_count ? 2 * old_count : TABLE_PLACES;
    table.places = __real_calloc(table.place_count, sizeof(*table.places));
    if (!table.places)
        abort();
    for (size_t i = 0; i < old_count; i++)
        if (old[i].address)
            put(old[i]);
    __real_free(old);
}

static void *add(void *block, size_t bytes, const char *caller)
{
    if (!block)
        return NULL;
    (void) pthread_mutex_lock(&table.lock);
    if (2 * (table.count + 1) > table.place_count)
        grow_table();
    put((struct block) {(uintptr_t) block, bytes, ++table.serial, caller});
    table.count++;
    table.bytes += bytes;
    (void) pthread_mutex_unlock(&table.lock);
    return block;
}

/* Fills the hole at `i` with what would no longer be found behind it. */
static void close_hole(size_t i)
{
    size_t mask = table.place_count - 1;

    for (size_t j = (i + 1) & mask; table.places[j].address; j = (j + 1) & mask) {
        if (((j - home_of(table.places[j].address)) & mask) >= ((j - i) & mask)) {
            table.places[i] = table.places[j];
            i = j;
        }
    }
    table.places[i].address = 0;
}

/* Returns what it knew of the block; address 0: nothing, the block was not ours. */
static struct block take(uintptr_t address)
{
    struct block block = {0};
    size_t i;

    if (!address)
        return block;
    (void) pthread_mutex_lock(&table.lock);
    for (i = table.place_count ? home_of(address) : 0; table.place_count; i++) {
        i &= table.place_count - 1;
        if (!table.places[i].address)
            break;
        if (table.places[i].address == address) {
            block = table.places[i];
            table.count--;
            table.bytes -= block.bytes;
            close_hole(i);
            break;
        }
    }
    (void) pthread_mutex_unlock(&table.lock);
    return block;
}

/* A child must not find the lock taken by a thread that it does not have. */
static void lock_table(void)
{
    (void) pthread_mutex_lock(&table.lock);
}

static void unlock_table(void)
{
    (void) pthread_mutex_unlock(&table.lock);
}

__attribute__((constructor)) static void survive_forks(void)
{
    (void) pthread_atfork(lock_table, unlock_table, unlock_table);
}

/* --- failures to order ---------------------------------------------------------------------- */

void account_fail_allocation(unsigned nth)
{
    has_failed = false;
    countdown = nth;
}

bool account_has_failed(void)
{
    return has_failed;
}

static bool must_fail(void)
{
    unsigned left = countdown;

    do {
        if (left == 0)
            return false;
    } while (!atomic_compare_exchange_weak(&countdown, &left, left - 1));
    if (left > 1)
        return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

/* --- what is counted ------------------------------------------------------------------------ */

#define CALLER ((const char *) __builtin_return_address(0))

void *__wrap_malloc(size_t bytes)
{
    return must_fail() ? NULL : add(__real_malloc(bytes), bytes, CALLER);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return must_fail() ? NULL : add(__real_calloc(count, bytes), count * bytes, CALLER);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return must_fail() ? NULL : add(__real_aligned_alloc(alignment, bytes), bytes, CALLER);
}

/* The old block is forgotten first: its address may be another thread's before we return. */
void *__wrap_realloc(void *block, size_t bytes)
{
    struct block old;
    void *larger;

    if (must_fail())
        return NULL;
    old = take((uintptr_t) block);
    larger = __real_realloc(block, bytes);
    if (larger)
        return add(larger, bytes, CALLER);
    if (old.address && bytes > 0)
        (void) add(block, old.bytes, old.caller);
    return NULL;
}

void __wrap_free(void *block)
{
    (void) take((uintptr_t) block);
    __real_free(block);
}

char *__wrap_strndup(const char *text, size_t len_max)
{
    size_t len = strnlen(text, len_max);
    char *copy = must_fail() ? NULL : add(__real_malloc(len + 1), len + 1, CALLER);

    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *__wrap_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = must_fail() ? NULL : add(__real_malloc(bytes), bytes, CALLER);

    return copy ? memcpy(copy, text, bytes) : NULL;
}

static size_t whole_pages(size_t bytes)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE);

    return (bytes + page - 1) / page * page;
}

/* Mapped over what was mapped already: no more than before. */
void *__wrap_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    void *base =
        must_fail() ? MAP_FAILED : __real_mmap(address, bytes, protection, flags, fd, offset);

    if (base != MAP_FAILED && !(flags & MAP_FIXED))
        mapped_bytes += whole_pages(bytes);
    return base;
}

int __wrap_munmap(void *address, size_t bytes)
{
    int result = __real_munmap(address, bytes);

    if (!result)
        mapped_bytes -= whole_pages(bytes);
    return result;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *arg)
{
    int code = __real_pthread_create(thread, attributes, run, arg);

    thread_count += code == 0;
    return code;
}

int __wrap_pthread_join(pthread_t thread, void **ret_result)
{
    int code = __real_pthread_join(thread, ret_result);

    thread_count -= code == 0;
    return code;
}

/* --- accounts ------------------------------------------------------------------------------- */

static void count_fds(struct account *account)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        int fd = entry->d_name[0] == '.' ? -1 : (int) strtol(entry->d_name, NULL, 10);

        if (fd < 0 || fd == dirfd(directory))
            continue;
        account->fd_count++;
        if (fd < ACCOUNT_FDS)
            account->is_open[fd] = true;
    }
    if (directory)
        (void) closedir(directory);
}

/* Without a loop the thread's pool keeps what it has: as at the end of a loop, it is let go. */
static unsigned count_stacks(void)
{
    struct stack_pool *pool = ouro__coro_stacks();
    unsigned count = 0;

    for (int i = 0; pool && i < STACK_CLASS_COUNT; i++)
        count += pool->classes[i].total_count - pool->classes[i].free_count;
    if (pool && count == 0 && !ouro__dispatcher) {
        ouro__stack_pool_done(pool);
        ouro__stack_pool_init(pool, /* mask_guard_madvise= */ false);
    }
    return count;
}

void account_take(struct account *ret_account)
{
    memset(ret_account, 0, sizeof(*ret_account));
    ret_account->stack_count = count_stacks(); /* first: the pool itself is memory */
    count_fds(ret_account);
    ret_account->mapped_bytes = mapped_bytes;
    ret_account->thread_count = thread_count;
    ret_account->has_loop = ouro__dispatcher != NULL;
    (void) pthread_mutex_lock(&table.lock);
    ret_account->blocks = table.count;
    ret_account->bytes = table.bytes;
    ret_account->serial = table.serial;
    (void) pthread_mutex_unlock(&table.lock);
}

#define WATCHES 16 /* more than tests have at a time */

static int make_watches(void *arg)
{
    struct ouro_signal_watch watches[WATCHES];
    int code = 0;

    (void) arg;
    for (int i = 0; i < WATCHES; i++)
        code |= ouro_signal_watch_init(&watches[i], SIGUSR2);
    for (int i = 0; i < WATCHES && !code; i++)
        ouro_signal_watch_done(&watches[i]);
    return code;
}

void account_warm_up(const char *ring)
{
    struct ouro_run_options options = {.ring = ring};

    if (ring)
        (void) ouro_run(make_watches, NULL, &options);
}

static bool is_equal(const char *what, size_t before, size_t after)
{
    if (before != after)
        printf("    %s: %zu before, %zu after\n", what, before, after);
    return before == after;
}

/* The oldest of the blocks that are new, as a place for addr2line(1). */
static void print_new_block(const struct account *before)
{
    extern const char __executable_start;
    const struct block *oldest = NULL;

    (void) pthread_mutex_lock(&table.lock);
    for (size_t i = 0; i < table.place_count; i++)
        if (table.places[i].address && table.places[i].serial > before->serial &&
            (!oldest || table.places[i].serial < oldest->serial))
            oldest = &table.places[i];
    if (oldest)
        printf("    the first of these blocks: %zu bytes, asked for at +0x%zx\n", oldest->bytes,
               (size_t) (oldest->caller - &__executable_start));
    (void) pthread_mutex_unlock(&table.lock);
}

static void print_fds(const struct account *before, const struct account *after)
{
    for (int fd = 0; fd < ACCOUNT_FDS; fd++) {
        char path[64], target[256] = "";

        if (before->is_open[fd] == after->is_open[fd])
            continue;
        (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        (void) !readlink(path, target, sizeof(target) - 1);
        printf("    fd %d is %s: %s\n", fd, after->is_open[fd] ? "open" : "closed", target);
    }
}

bool account_is_balanced(const struct account *before)
{
    struct account after;
    bool has_same_blocks, has_same_fds, has_same_rest;

    account_take(&after);
    has_same_blocks = is_equal("live blocks", before->blocks, after.blocks) &&
                      is_equal("live bytes", before->bytes, after.bytes);
    has_same_fds = is_equal("open fds", before->fd_count, after.fd_count) &&
                   !memcmp(before->is_open, after.is_open, sizeof(before->is_open));
    has_same_rest = is_equal("mapped bytes", before->mapped_bytes, after.mapped_bytes);
    has_same_rest &= is_equal("threads", before->thread_count, after.thread_count);
    has_same_rest &= is_equal("stacks in use", before->stack_count, after.stack_count);
    has_same_rest &= is_equal("loops", before->has_loop, after.has_loop);
    if (!has_same_blocks)
        print_new_block(before);
    if (!has_same_fds)
        print_fds(before, &after);
    return has_same_blocks && has_same_fds && has_same_rest;
}
