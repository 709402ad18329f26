/* SPDX-License-Identifier: MIT */
/* buffer_pool.c - see buffer_pool.h */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "buffer_pool.h"
#include "dispatcher.h"
#include "sanitizer.h"

#define COUNT_MAX  32768
#define BYTES_MIN  64
#define BYTES_MAX  (1 << 20)
#define SPARE_PART 4 /* one spare buffer for so many provided ones */

/* A task that is about to ask for its bytes does so before; turns of a busy loop take 0.1 ms. */
#define PATIENCE_TURNS 16
#define MOVES_MAX      8 /* at a time */

/* --- lifetime ---------------------------------------------------------------------------- */

bool ouro__buffer_pool_is_possible(const struct ouro_run_options *options)
{
    unsigned count = options->buffer_count ? options->buffer_count : BUFFER_COUNT_DEFAULT;
    unsigned bytes = options->buffer_bytes ? options->buffer_bytes : BUFFER_BYTES_DEFAULT;

    return !(count & (count - 1)) && count <= COUNT_MAX && bytes >= BYTES_MIN && bytes <= BYTES_MAX;
}

static size_t area_bytes(const struct buffer_pool *pool)
{
    return (size_t) pool->total * pool->bytes;
}

static void release_memory(struct buffer_pool *pool)
{
    if (pool->area) {
        asan_unpoison(pool->area, area_bytes(pool));
        (void) munmap(pool->area, area_bytes(pool));
    }
    free(pool->buffers);
    free(pool);
}

static int allocate_memory(struct buffer_pool *pool)
{
    void *area =
        mmap(NULL, area_bytes(pool), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (area == MAP_FAILED)
        return -ENOMEM;
    pool->area = area;
    asan_poison(area, area_bytes(pool));
    pool->buffers = calloc(pool->total, sizeof(*pool->buffers));
    return pool->buffers ? 0 : -ENOMEM;
}

static void serve(struct buffer_pool *pool);
static void move_to_heap(struct buffer_pool *pool);

static void prepare_round_end(struct source *source, struct io_uring_sqe *sqe)
{
    (void) source;
    io_uring_prep_nop(sqe);
}

static void begin_round(struct source *source, int32_t result, uint32_t cqe_flags)
{
    struct buffer_pool *pool = container_of(source, struct buffer_pool, round_end);

    (void) result;
    (void) cqe_flags;
    pool->dispatcher->in_flight_count--;
    pool->round++;
    pool->served_count = 0;
    if (pool->provided_count == 0 && !list_is_empty(&pool->waiting))
        move_to_heap(pool);
    serve(pool);
}

static const struct source_ops round_end_ops = {.complete = begin_round,
                                                .prepare = prepare_round_end};

static void fill(struct buffer_pool *pool)
{
    for (unsigned i = 0; i < pool->total; i++) {
        list_init(&pool->buffers[i].link);
        list_init(&pool->buffers[i].age_link);
        pool->buffers[i].data = pool->area + (size_t) i * pool->bytes;
        if (i >= pool->provided_max)
            pool->buffers[i].state = BUFFER_SPARE;
        ouro__buffer_pool_give(pool, &pool->buffers[i]);
    }
}

int ouro__buffer_pool_get(struct dispatcher *dispatcher, struct buffer_pool **ret_pool)
{
    struct buffer_pool *pool = dispatcher->buffers;
    unsigned count = dispatcher->buffer_count ? dispatcher->buffer_count : BUFFER_COUNT_DEFAULT;
    int code;

    if (likely(pool != NULL)) {
        *ret_pool = pool;
        return 0;
    }
    pool = calloc(1, sizeof(*pool));
    if (!pool)
        return -ENOMEM;
    pool->dispatcher = dispatcher;
    pool->bytes = dispatcher->buffer_bytes ? dispatcher->buffer_bytes : BUFFER_BYTES_DEFAULT;
    pool->provided_max = count;
    pool->total = count + (count + SPARE_PART - 1) / SPARE_PART;
    pool->round = 1;
    pool->round_end = (struct source) {.ops = &round_end_ops};
    list_init(&pool->waiting);
    list_init(&pool->received);
    list_init(&pool->spare);
    list_init(&pool->spare_waiting);
    code = allocate_memory(pool);
    if (!code)
        code = dispatcher->ring.backend->open_buffers(&dispatcher->ring, count);
    if (code) {
        release_memory(pool);
        return code;
    }
    fill(pool);
    *ret_pool = dispatcher->buffers = pool;
    return 0;
}

bool ouro__buffer_pool_is_idle(const struct buffer_pool *pool)
{
    return !pool || pool->round_end.state == OP_IDLE || pool->round_end.state == OP_DONE;
}

void ouro__buffer_pool_destroy(struct buffer_pool *pool)
{
    if (!pool)
        return;
    CHECK(pool->armed_count == 0, "a loop ends, and ouro_receiver_done() is missing");
    for (unsigned i = 0; i < pool->total; i++)
        CHECK(pool->buffers[i].state == BUFFER_PROVIDED || pool->buffers[i].state == BUFFER_SPARE,
              "a loop ends, and ouro_lease_release() is missing");
    CHECK(pool->on_heap_count == 0, "a loop ends, and ouro_lease_release() is missing");
    release_memory(pool);
}

/* --- buffers ----------------------------------------------------------------------------- */

/* Then its bytes follow it. */
static bool is_on_heap(const struct buffer *buffer)
{
    return buffer->data == (const char *) (buffer + 1);
}

static bool is_spare(const struct buffer_pool *pool, const struct buffer *buffer)
{
    return buffer >= pool->buffers + pool->provided_max;
}

struct buffer *ouro__buffer_pool_take(struct buffer_pool *pool, uint32_t cqe_flags, uint32_t len)
{
    uint32_t id = cqe_flags >> IORING_CQE_BUFFER_SHIFT;
    struct buffer *buffer = &pool->buffers[id];

    CHECK(id < pool->provided_max && buffer->state == BUFFER_PROVIDED,
          "the ring filled a buffer that it did not have");
    pool->provided_count--;
    asan_unpoison(buffer->data, pool->bytes);
    memory_filled_by_kernel(buffer->data, len);
    buffer->state = BUFFER_RECEIVED;
    buffer->len = len;
    buffer->turn = pool->dispatcher->turn_count;
    list_append(&pool->received, &buffer->age_link);
    return buffer;
}

void ouro__buffer_pool_lend(struct buffer *buffer)
{
    list_remove(&buffer->age_link);
    buffer->state = BUFFER_LEASED;
}

/* The oldest of those that nobody asks for, but not what has only just come. */
static struct buffer *find_forgotten(const struct buffer_pool *pool)
{
    struct buffer *buffer = container_of(pool->received.next, struct buffer, age_link);

    if (list_is_empty(&pool->received) ||
        pool->dispatcher->turn_count - buffer->turn < PATIENCE_TURNS)
        return NULL;
    return buffer;
}

/* Without memory for that things stay as they are. */
static void move_to_heap(struct buffer_pool *pool)
{
    struct buffer *buffer, *moved;

    for (int i = 0; i < MOVES_MAX && (buffer = find_forgotten(pool)); i++) {
        moved = malloc(sizeof(*moved) + buffer->len);
        if (!moved)
            break;
        *moved = *buffer;
        moved->data = memcpy(moved + 1, buffer->data, buffer->len);
        list_init(&moved->age_link);
        list_append(&buffer->link, &moved->link); /* into its place */
        list_remove(&buffer->link);
        pool->on_heap_count++;
        ouro__buffer_pool_give(pool, buffer);
    }
}

struct spare_wait {
    struct list_wait waiter;
    struct buffer *buffer;
};

static void give_spare(struct buffer_pool *pool, struct buffer *buffer)
{
    struct list *node = list_shift(&pool->spare_waiting);

    buffer->state = BUFFER_SPARE;
    if (node) {
        struct list_wait *waiter = container_of(node, struct list_wait, link);

        buffer->state = BUFFER_LEASED;
        container_of(waiter, struct spare_wait, waiter)->buffer = buffer;
        ouro__task_wake(&waiter->wait, 0);
    } else {
        asan_poison(buffer->data, pool->bytes);
        list_append(pool->spare.next, &buffer->link); /* the hottest first */
    }
}

void ouro__buffer_pool_give(struct buffer_pool *pool, struct buffer *buffer)
{
    if (is_on_heap(buffer)) {
        free(buffer);
        pool->on_heap_count--;
        return;
    }
    list_remove(&buffer->age_link);
    buffer->owner = NULL;
    if (is_spare(pool, buffer)) {
        give_spare(pool, buffer);
        return;
    }
    buffer->state = BUFFER_PROVIDED;
    asan_poison(buffer->data, pool->bytes);
    ouro__ring_give_buffer(&pool->dispatcher->ring, buffer->data, pool->bytes,
                           (unsigned) (buffer - pool->buffers));
    pool->provided_count++;
    serve(pool);
}

/* --- spare buffers ----------------------------------------------------------------------- */

static const struct wait_kind spare_wait_kind = {.name = "a free buffer",
                                                 .interrupt = ouro__list_wait_interrupt};

int ouro__buffer_pool_take_spare(struct buffer_pool *pool, struct buffer **ret_buffer)
{
    struct spare_wait spare = {
        .waiter.wait = {&spare_wait_kind, ouro__dispatcher_task("a lease needs a task"), 0}};
    struct list *node;
    int code = ouro__task_interruption();

    if (code)
        return code;
    node = list_shift(&pool->spare);
    if (node) {
        spare.buffer = container_of(node, struct buffer, link);
        spare.buffer->state = BUFFER_LEASED;
        asan_unpoison(spare.buffer->data, pool->bytes);
    } else {
        list_append(&pool->spare_waiting, &spare.waiter.link);
        if (ouro__task_park(&spare.waiter.wait))
            return ouro__task_interruption();
    }
    *ret_buffer = spare.buffer;
    return 0;
}

/* --- the line ---------------------------------------------------------------------------- */

bool ouro__buffer_pool_is_short(const struct buffer_pool *pool)
{
    return pool->provided_count == 0 || !list_is_empty(&pool->waiting);
}

/* Serves as many as there are buffers; the others in the next round. */
static void serve(struct buffer_pool *pool)
{
    while (!list_is_empty(&pool->waiting) && pool->served_count < pool->provided_count) {
        struct buffer_waiter *waiter =
            container_of(list_shift(&pool->waiting), struct buffer_waiter, link);

        pool->served_count++;
        waiter->round = pool->round;
        ouro__receiver_serve(waiter);
    }
    if (!list_is_empty(&pool->waiting) &&
        (pool->provided_count > 0 || !list_is_empty(&pool->received)) &&
        ouro__buffer_pool_is_idle(pool)) {
        pool->dispatcher->in_flight_count++;
        ouro__source_submit(pool->dispatcher, &pool->round_end);
    }
}

void ouro__buffer_pool_wait(struct buffer_pool *pool, struct buffer_waiter *waiter)
{
    struct list *before = &pool->waiting;

    if (!waiter->ticket)
        waiter->ticket = ++pool->last_ticket;
    /* Nearly always one looks at one: at the end, or, with an old ticket, at the beginning. */
    if (!list_is_empty(&pool->waiting) && waiter->ticket != pool->last_ticket) {
        before = pool->waiting.next;
        while (before != &pool->waiting &&
               container_of(before, struct buffer_waiter, link)->ticket < waiter->ticket)
            before = before->next;
    }
    list_append(before, &waiter->link);
    serve(pool);
}

void ouro__buffer_pool_leave(struct buffer_waiter *waiter)
{
    list_remove(&waiter->link);
    waiter->ticket = 0;
}

void ouro__buffer_pool_answer(struct buffer_pool *pool, struct buffer_waiter *waiter, bool has_got)
{
    if (waiter->round == pool->round && pool->served_count > 0)
        pool->served_count--;
    waiter->round = 0;
    if (has_got)
        waiter->ticket = 0;
}
