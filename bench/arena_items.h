/* SPDX-License-Identifier: MIT */
/*
 * arena_items.h - the items of HttpArena's dataset.json: read once, written into every answer
 */
#ifndef OURO_BENCH_ARENA_ITEMS_H
#define OURO_BENCH_ARENA_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARENA_TAGS_MAX 16

struct arena_item {
    char *name;
    char *category;
    char *tags[ARENA_TAGS_MAX];
    size_t tag_count;
    int64_t id, price, quantity, score, count;
    bool active;
};

struct arena_items {
    struct arena_item *items;
    size_t count;
};

/*
 * Reads a file of at most 16 MiB. Returns 0, to be freed by arena_items_free(); -errno; -EBADMSG
 * for what is not an array of such items.
 */
int arena_items_load(const char *path, struct arena_items *ret_items);

void arena_items_free(struct arena_items *items);

/*
 * The first `count` items as JSON, each with its total: price times quantity times `factor`.
 * Returns 0 and memory to be freed; -ERANGE when a total does not fit into 64 bits; -ENOMEM.
 */
int arena_items_write(const struct arena_items *items, size_t count, int64_t factor,
                      char **ret_text, size_t *ret_len);

#endif /* OURO_BENCH_ARENA_ITEMS_H */
