/* SPDX-License-Identifier: MIT */
/*
 * task_table.h - dense slots with generations
 *
 * A contiguous array of equally sized slots that never move. Address space for the
 * largest table is reserved at once; memory is committed as slots are first used, and
 * given back from the end after a peak.
 *
 * An id is 31 bits of serial number over 32 bits of slot index. Every allocation takes
 * the next serial, so that a stale id can't name a newer task before the serial has
 * come round, and nothing needs to survive in a free slot.
 */
#ifndef OURO_TASK_TABLE_H
#define OURO_TASK_TABLE_H

#include <stddef.h>
#include <stdint.h>

#ifndef TASK_TABLE_SLOTS_MAX /* an emulator that keeps track of each reserved page wants fewer */
#define TASK_TABLE_SLOTS_MAX (UINT32_C(1) << 24)
#endif

/* Every slot starts with this. */
struct task_slot {
    int64_t id; /* 0: the slot is free */
    uint32_t index;
    uint32_t next_free; /* index + 1 of the next free slot; 0: none */
};

struct task_table {
    char *slots;
    size_t slot_bytes;
    size_t committed_bytes;
    uint32_t slots_used; /* slots that were ever in use since the last trim: [0, slots_used) */
    uint32_t live_count;
    uint32_t free_first; /* as task_slot.next_free */
    uint32_t next_serial;
};

/* `slot_bytes` is a multiple of 64. Returns 0 or -ENOMEM. */
int ouro__task_table_init(struct task_table *table, size_t slot_bytes);
void ouro__task_table_done(struct task_table *table);

/* A slot with a fresh id and the rest undefined. Returns 0, -EAGAIN (full) or -ENOMEM. */
int ouro__task_table_allocate(struct task_table *table, void **ret_slot);

void ouro__task_table_release(struct task_table *table, void *slot);

/*
 * Gives memory of free slots at the end of the table back, when there is a lot of it.
 * Visits each slot that it gives up or keeps free once. Returns how many slots are left.
 */
uint32_t ouro__task_table_trim(struct task_table *table);

static inline void *ouro__task_table_slot(const struct task_table *table, uint32_t index)
{
    return table->slots + (size_t) index * table->slot_bytes;
}

/* The live slot with this id; NULL when there is none. */
static inline void *ouro__task_table_find(const struct task_table *table, int64_t id)
{
    uint32_t index = (uint32_t) id;
    struct task_slot *slot;

    if (id <= 0 || index >= table->slots_used)
        return NULL;
    slot = (struct task_slot *) ouro__task_table_slot(table, index);
    return slot->id == id ? slot : NULL;
}

#endif /* OURO_TASK_TABLE_H */
