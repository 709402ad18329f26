/* SPDX-License-Identifier: MIT */
/*
 * task_table.c - see task_table.h
 *
 * The free list is last-in-first-out: the slot that was used last is in the cache.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "task_table.h"

#define COMMIT_BYTES   ((size_t) 64 << 10) /* first step; doubles from there */
#define TRIM_SLOTS_MIN 1024                /* smaller tables are not worth a visit */

static size_t reserved_bytes(const struct task_table *table)
{
    return (size_t) TASK_TABLE_SLOTS_MAX * table->slot_bytes;
}

int ouro__task_table_init(struct task_table *table, size_t slot_bytes)
{
    void *slots;

    memset(table, 0, sizeof(*table));
    table->slot_bytes = slot_bytes;
    /* PROT_NONE: address space alone, which no overcommit policy counts. */
    slots = mmap(NULL, reserved_bytes(table), PROT_NONE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slots == MAP_FAILED)
        return -ENOMEM;
    /* A huge page would make a table of a dozen tasks weigh 2 MiB. */
    (void) madvise(slots, reserved_bytes(table), MADV_NOHUGEPAGE);
    table->slots = slots;
    return 0;
}

void ouro__task_table_done(struct task_table *table)
{
    if (table->slots)
        (void) munmap(table->slots, reserved_bytes(table));
    memset(table, 0, sizeof(*table));
}

static int commit(struct task_table *table, size_t bytes_needed)
{
    size_t bytes = table->committed_bytes ? table->committed_bytes : COMMIT_BYTES;

    while (bytes < bytes_needed)
        bytes *= 2;
    if (bytes > reserved_bytes(table))
        bytes = reserved_bytes(table);
    if (mprotect(table->slots, bytes, PROT_READ | PROT_WRITE))
        return -ENOMEM;
    table->committed_bytes = bytes;
    return 0;
}

static int append_slot(struct task_table *table, struct task_slot **ret_slot)
{
    size_t bytes_needed = ((size_t) table->slots_used + 1) * table->slot_bytes;

    if (table->slots_used == TASK_TABLE_SLOTS_MAX)
        return -EAGAIN;
    if (bytes_needed > table->committed_bytes && commit(table, bytes_needed))
        return -ENOMEM;
    *ret_slot = ouro__task_table_slot(table, table->slots_used);
    (*ret_slot)->index = table->slots_used++;
    return 0;
}

static int64_t fresh_id(struct task_table *table, uint32_t index)
{
    table->next_serial = (table->next_serial + 1) & INT32_MAX;
    if (table->next_serial == 0)
        table->next_serial = 1; /* an id is positive, also in slot 0 */
    return (int64_t) table->next_serial << 32 | index;
}

int ouro__task_table_allocate(struct task_table *table, void **ret_slot)
{
    struct task_slot *slot;

    if (table->free_first) {
        slot = ouro__task_table_slot(table, table->free_first - 1);
        table->free_first = slot->next_free;
    } else {
        int code = append_slot(table, &slot);

        if (code)
            return code;
    }
    slot->id = fresh_id(table, slot->index);
    table->live_count++;
    *ret_slot = slot;
    return 0;
}

void ouro__task_table_release(struct task_table *table, void *released)
{
    struct task_slot *slot = released;

    slot->id = 0;
    slot->next_free = table->free_first;
    table->free_first = slot->index + 1;
    table->live_count--;
}

/* Rebuilds the free list over what is left, lowest slot first. */
static void relink_free(struct task_table *table)
{
    table->free_first = 0;
    for (uint32_t index = table->slots_used; index-- > 0;) {
        struct task_slot *slot = ouro__task_table_slot(table, index);

        if (slot->id == 0) {
            slot->next_free = table->free_first;
            table->free_first = index + 1;
        }
    }
}

uint32_t ouro__task_table_trim(struct task_table *table)
{
    uint32_t slots_used = table->slots_used;
    size_t page = (size_t) sysconf(_SC_PAGESIZE), keep_bytes;

    if (slots_used < TRIM_SLOTS_MIN || table->live_count > slots_used / 2)
        return slots_used;
    while (slots_used > 0) {
        struct task_slot *last = ouro__task_table_slot(table, slots_used - 1);

        if (last->id)
            break;
        slots_used--;
    }
    if (slots_used > table->slots_used / 2)
        return table->slots_used; /* a straggler near the end: not worth relinking */
    table->slots_used = slots_used;
    relink_free(table);
    keep_bytes = ((size_t) slots_used * table->slot_bytes + page - 1) / page * page;
    if (keep_bytes < table->committed_bytes)
        CHECK(
            !madvise(table->slots + keep_bytes, table->committed_bytes - keep_bytes, MADV_DONTNEED),
            "giving memory of free task slots back");
    return slots_used;
}
