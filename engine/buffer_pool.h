/* SPDX-License-Identifier: MIT */
/*
 * buffer_pool.h - a loop's buffers for bytes that the kernel receives of its own accord
 *
 * One mapped area, cut into buffers of one size. Most are provided: the ring fills them, in
 * its order, when something arrives, and a completion says which. The rest are spare, for
 * copies of bytes that came another way.
 *
 *              give                    completion                 lease
 *    pool ──────────────▶ the ring's ──────────────▶ received ──────────▶ leased
 *      ▲                                                │                    │
 *      └─────────────────────── give ───────────────────┴────────────────────┘
 *
 * Who finds no buffer waits in line (struct buffer_waiter) and is served when buffers come
 * back, the one who has waited longest first. Being served is no promise: a receiver that
 * was armed before may take the buffer first. Then the other gets its old place in the line.
 *
 * Whom the pool serves may have nothing to receive, and nobody would ever hear of it. So the
 * pool does not count on those it has served: it serves as many as there are buffers, lets
 * the ring do a NOP, by which time the ring has tried them all, and goes on down the line.
 *
 * Received bytes that nobody asks for are no reason for others to starve: when there is a line
 * and nothing to be had, what has been in a receiver's queue for some turns is copied to the
 * heap, which quotas bound, and the buffer given back.
 */
#ifndef OURO_BUFFER_POOL_H
#define OURO_BUFFER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "op.h"

struct ouro_run_options;

#define BUFFER_COUNT_DEFAULT 256
#define BUFFER_BYTES_DEFAULT \
    4096 /* 1 MiB in all: the ring walks through it, and that costs cache */

enum buffer_state {
    BUFFER_PROVIDED, /* in the ring's hands; poisoned for ASan */
    BUFFER_RECEIVED, /* in its receiver's queue */
    BUFFER_LEASED,
    BUFFER_SPARE /* likewise poisoned */
};

struct buffer {
    struct list link;     /* with its receiver, or among the spare ones */
    struct list age_link; /* BUFFER_RECEIVED, unless moved to the heap: in the pool's `received` */
    uint64_t turn;        /* in which it was received */
    char *data;
    struct receiver *owner; /* NULL: spare, or its receiver is gone */
    uint32_t len;
    enum buffer_state state;
};

struct buffer_waiter {
    struct list link;
    uint64_t ticket; /* its place; 0: it draws one when it waits */
    uint64_t round;  /* in which it was served, until it is answered; 0 */
};

struct buffer_pool {
    struct dispatcher *dispatcher;
    char *area;
    struct buffer *buffers; /* the provided ones, then the spare ones */
    unsigned provided_max;
    unsigned total;
    uint32_t bytes;          /* of each */
    unsigned provided_count; /* in the ring's hands, as far as completions have told */

    struct list waiting; /* struct buffer_waiter, by ticket */
    uint64_t last_ticket;
    struct source round_end; /* the NOP */
    uint64_t round;
    unsigned served_count; /* in this round, and not answered yet */

    struct list received;   /* struct buffer, oldest first, that nobody has leased yet */
    unsigned on_heap_count; /* buffers whose bytes were moved */

    struct list spare;         /* struct buffer; last in, first out */
    struct list spare_waiting; /* tasks */
    unsigned armed_count;      /* receivers that the kernel knows, for the end */
};

/* Whether the options ask for buffers that can be made. */
bool ouro__buffer_pool_is_possible(const struct ouro_run_options *options);

/* The loop's pool, made when it is first asked for. Returns 0 or -errno. */
int ouro__buffer_pool_get(struct dispatcher *dispatcher, struct buffer_pool **ret_pool);

/* Whether the kernel has nothing left of it to complete. */
bool ouro__buffer_pool_is_idle(const struct buffer_pool *pool);

/* All leases are back by then, and all receivers done. NULL is allowed. */
void ouro__buffer_pool_destroy(struct buffer_pool *pool);

/* The buffer that a completion with IORING_CQE_F_BUFFER names; `len` bytes of it are filled. */
struct buffer *ouro__buffer_pool_take(struct buffer_pool *pool, uint32_t cqe_flags, uint32_t len);

/* The buffer is somebody's lease now. */
void ouro__buffer_pool_lend(struct buffer *buffer);

/* Gives a buffer back, that is in no list of its receiver. */
void ouro__buffer_pool_give(struct buffer_pool *pool, struct buffer *buffer);

/* A spare buffer; waits until there is one. Returns 0 or the interruption. */
int ouro__buffer_pool_take_spare(struct buffer_pool *pool, struct buffer **ret_buffer);

/* Whether somebody has to wait before it is armed: others do, or there is nothing to be had. */
bool ouro__buffer_pool_is_short(const struct buffer_pool *pool);

void ouro__buffer_pool_wait(struct buffer_pool *pool, struct buffer_waiter *waiter);
void ouro__buffer_pool_leave(struct buffer_waiter *waiter);

/* The ring has had a go at who was served. With `has_got`, its place in the line is used up. */
void ouro__buffer_pool_answer(struct buffer_pool *pool, struct buffer_waiter *waiter, bool has_got);

/* receiver.c: it is this one's turn. */
void ouro__receiver_serve(struct buffer_waiter *waiter);

#endif /* OURO_BUFFER_POOL_H */
