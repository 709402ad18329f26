/* SPDX-License-Identifier: MIT */
/* hook_test.c - tests of engine/hook.c: clean-up at a task's end, task-local values */
#include <errno.h>

#include "check.h"
#include "loop.h"
#include "ouro_local.h"

static struct log *text;

static void say(void *what)
{
    log_add(text, what);
}

static int defer_thrice(void *arg)
{
    text = arg;
    CU_ASSERT_EQUAL(ouro_defer(say, "first "), 0);
    CU_ASSERT_EQUAL(ouro_defer(say, "second "), 0);
    CU_ASSERT_EQUAL(ouro_sleep(1), 0);
    CU_ASSERT_EQUAL(ouro_defer(say, "third "), 0);
    log_add(text, "returning ");
    return 7;
}

static int watch_deferring(void *arg)
{
    ouro_task_id id = ouro_spawn(defer_thrice, arg);
    int result = 0;

    CU_ASSERT_EQUAL(ouro_join(id, &result), 0); /* all is done when the join returns */
    log_add(text, "joined");
    CU_ASSERT_EQUAL(result, 7);
    return 0;
}

static void test_hooks_run_in_reverse_order_before_the_join(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(watch_deferring, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "returning third second first joined");
}

/* In a cancelled task a shield lets the clean-up wait. */
static void wait_and_say(void *what)
{
    struct ouro_shield shield;

    CU_ASSERT_EQUAL(ouro_sleep(1), -ECANCELED);
    ouro_shield_begin(&shield, OURO_SECOND);
    CU_ASSERT_EQUAL(ouro_sleep(1), 0);
    ouro_shield_end(&shield);
    log_add(text, what);
    CU_ASSERT_EQUAL(ouro_defer(say, "and more"), 0); /* runs too */
}

static int defer_and_wait(void *arg)
{
    (void) arg;
    CU_ASSERT_EQUAL(ouro_defer(wait_and_say, "cleaned "), 0);
    return ouro_sleep(OURO_FOREVER);
}

static int cancel_one_with_hooks(void *arg)
{
    ouro_task_id id = ouro_spawn(defer_and_wait, NULL);
    int result = 0;

    text = arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    return 0;
}

static void test_hooks_of_a_cancelled_task_may_wait_under_a_shield(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(cancel_one_with_hooks, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "cleaned and more");
}

/* --- task-local values ------------------------------------------------------------------------ */

static const struct ouro_local colour = {.destroy = say};
static const struct ouro_local size;

static int use_locals(void *arg)
{
    CU_ASSERT_PTR_NULL(ouro_local_get(&colour));
    CU_ASSERT_EQUAL(ouro_local_set(&colour, arg), 0);
    CU_ASSERT_EQUAL(ouro_local_set(&size, "large"), 0);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_STRING_EQUAL(ouro_local_get(&colour), arg); /* and not the other task's */
    CU_ASSERT_STRING_EQUAL(ouro_local_get(&size), "large");
    return 0;
}

static int use_locals_in_two(void *arg)
{
    ouro_task_id red = ouro_spawn(use_locals, "red ");
    ouro_task_id blue = ouro_spawn(use_locals, "blue ");

    text = arg;
    CU_ASSERT_EQUAL(ouro_join(red, NULL), 0);
    CU_ASSERT_EQUAL(ouro_join(blue, NULL), 0);
    CU_ASSERT_PTR_NULL(ouro_local_get(&colour));
    return 0;
}

static void test_each_task_has_its_own_values_which_end_with_it(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(use_locals_in_two, &log), 0);
    CU_ASSERT_STRING_EQUAL(log.text, "red blue ");
}

static int replace_and_clear(void *arg)
{
    text = arg;
    CU_ASSERT_EQUAL(ouro_local_set(&colour, NULL), 0);
    CU_ASSERT_EQUAL(ouro_local_set(&colour, "red "), 0);
    CU_ASSERT_EQUAL(ouro_local_set(&colour, "green "), 0);
    CU_ASSERT_STRING_EQUAL(ouro_local_get(&colour), "green ");
    CU_ASSERT_EQUAL(ouro_local_set(&colour, NULL), 0);
    CU_ASSERT_PTR_NULL(ouro_local_get(&colour));
    return 0;
}

static void test_cleared_value_is_not_destroyed(void)
{
    struct log log = {.len = 0};

    CU_ASSERT_EQUAL(run_sim(replace_and_clear, &log), 0);
    CU_ASSERT_EQUAL(log.len, 0);
}

const struct test hook_tests[] = {TEST(test_hooks_run_in_reverse_order_before_the_join),
                                  TEST(test_hooks_of_a_cancelled_task_may_wait_under_a_shield),
                                  TEST(test_each_task_has_its_own_values_which_end_with_it),
                                  TEST(test_cleared_value_is_not_destroyed), TEST_END};
