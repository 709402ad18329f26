/* SPDX-License-Identifier: MIT */
/*
 * list_test.c - tests of engine/list.h
 */
#include <stdlib.h>

#include "list.h"
#include "test.h"

#define NODES 5

struct fixture {
    struct list head;
    struct list nodes[NODES];
};

static void set_up(struct fixture *self)
{
    list_init(&self->head);
    for (int i = 0; i < NODES; i++) {
        list_init(&self->nodes[i]);
        list_append(&self->head, &self->nodes[i]);
    }
}

/* Walks both ways: the nodes with these numbers, up to -1, in this order and no others. */
static void assert_holds(const struct fixture *self, const int *numbers)
{
    const struct list *forwards = self->head.next;
    const struct list *last = &self->head;

    for (; *numbers >= 0; numbers++) {
        CU_ASSERT_PTR_EQUAL(forwards, &self->nodes[*numbers]);
        CU_ASSERT_PTR_EQUAL(forwards->prev, last);
        last = forwards;
        forwards = forwards->next;
    }
    CU_ASSERT_PTR_EQUAL(forwards, &self->head);
    CU_ASSERT_PTR_EQUAL(self->head.prev, last);
}

static void test_new_list_is_empty(void)
{
    struct list head;

    list_init(&head);
    CU_ASSERT(list_is_empty(&head));
    CU_ASSERT_PTR_NULL(list_shift(&head));
    CU_ASSERT(list_is_empty(&head));
}

static void test_nodes_come_out_in_the_order_of_appending(void)
{
    struct fixture fixture;

    set_up(&fixture);
    for (int i = 0; i < NODES; i++) {
        CU_ASSERT_FALSE(list_is_empty(&fixture.head));
        CU_ASSERT_PTR_EQUAL(list_shift(&fixture.head), &fixture.nodes[i]);
    }
    CU_ASSERT(list_is_empty(&fixture.head));
    CU_ASSERT_PTR_NULL(list_shift(&fixture.head));
}

static void test_any_node_can_be_removed(void)
{
    static const int left[NODES][NODES] = {
        {1, 2, 3, 4, -1}, {0, 2, 3, 4, -1}, {0, 1, 3, 4, -1}, {0, 1, 2, 4, -1}, {0, 1, 2, 3, -1},
    };

    for (int i = 0; i < NODES; i++) {
        struct fixture fixture;

        set_up(&fixture);
        list_remove(&fixture.nodes[i]);
        assert_holds(&fixture, left[i]);
    }
}

static void test_removing_a_node_that_is_in_no_list_is_harmless(void)
{
    static const int rest[] = {0, 1, 3, 4, -1};
    struct fixture fixture;

    set_up(&fixture);
    list_remove(&fixture.nodes[2]);
    list_remove(&fixture.nodes[2]);
    assert_holds(&fixture, rest);
    CU_ASSERT(list_is_empty(&fixture.nodes[2]));
}

static void test_shifted_node_is_in_no_list(void)
{
    static const int rest[] = {1, 2, 3, 4, -1};
    struct fixture fixture;
    struct list *node;

    set_up(&fixture);
    node = list_shift(&fixture.head);
    CU_ASSERT(list_is_empty(node));
    list_remove(node);
    assert_holds(&fixture, rest);
}

static void test_removed_node_can_be_appended_again(void)
{
    static const int order[] = {0, 2, 3, 4, 1, -1};
    struct fixture fixture;

    set_up(&fixture);
    list_remove(&fixture.nodes[1]);
    list_append(&fixture.head, &fixture.nodes[1]);
    assert_holds(&fixture, order);
}

const struct test list_tests[] = {
    TEST(test_new_list_is_empty),
    TEST(test_nodes_come_out_in_the_order_of_appending),
    TEST(test_any_node_can_be_removed),
    TEST(test_removing_a_node_that_is_in_no_list_is_harmless),
    TEST(test_shifted_node_is_in_no_list),
    TEST(test_removed_node_can_be_appended_again),
    TEST_END,
};
