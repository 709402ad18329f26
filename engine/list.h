/* SPDX-License-Identifier: MIT */
/*
 * list.h - intrusive circular doubly linked list
 *
 * A node that is in no list points to itself, so that removing it is harmless:
 * waiters leave their list without asking whether somebody took them out already.
 */
#ifndef OURO_LIST_H
#define OURO_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_append(struct list *head, struct list *node)
{
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Takes the oldest node out; NULL when there is none. */
static inline struct list *list_shift(struct list *head)
{
    struct list *node = head->next;

    if (node == head)
        return NULL;
    list_remove(node);
    return node;
}

#endif /* OURO_LIST_H */
