/* SPDX-License-Identifier: MIT */
/*
 * ouro_future.h - a result that comes later: set once, awaited by any number of tasks
 *
 *     struct ouro_future reply = OURO_FUTURE_INIT;
 *     void *value;
 *
 *     send_request(connection, &reply);            // whoever reads the answer sets it
 *     code = ouro_future_wait(&reply, &value);
 *
 * For the result of a task there is ouro_join(); this is for results of anything else.
 *
 * A future embeds in the caller's memory, allocates nothing, and is pending when its bytes are
 * zero; nothing needs to be done at its end. It may go as soon as it is set: calls that
 * waited for it take what they return along and do not touch it again. It belongs to one loop.
 */
#ifndef OURO_FUTURE_H
#define OURO_FUTURE_H

#include <stdbool.h>

#include "ouro_base.h"

OURO_BEGIN_DECLS

struct ouro_future_waiter;

/* The fields are private. */
struct ouro_future {
    void *value;
    int code; /* 0, or what it failed with */
    bool is_done;
    struct ouro_future_waiter *waiters; /* the oldest; NULL: none, and always when it is done */
};

#define OURO_FUTURE_INIT {NULL, 0, false, NULL}

/* ouro_future_init - a pending future. Context: any thread. */
OURO_API void ouro_future_init(struct ouro_future *future);

/*
 * ouro_future_set - the result is `value`
 *
 * Wakes all that wait, in the order in which they came.
 *
 * Context: loop thread.
 * Returns: 0; -EALREADY when it was set or failed before: nothing changes then.
 */
OURO_API int ouro_future_set(struct ouro_future *future, void *value);

/*
 * ouro_future_fail - there is no result: all waits fail with `code`
 * @code: negative, or the process ends
 *
 * Context, returns: as ouro_future_set().
 */
OURO_API int ouro_future_fail(struct ouro_future *future, int code);

/*
 * ouro_future_wait - wait until the future is set, and give its value
 * @ret_value: may be NULL
 *
 * Context: task, may suspend.
 * Returns: 0; the code of ouro_future_fail(); -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_future_wait(struct ouro_future *future, void **ret_value);

/* ouro_future_is_done - whether it was set or failed. Context: loop thread. */
OURO_API bool ouro_future_is_done(const struct ouro_future *future);

OURO_END_DECLS

#endif /* OURO_FUTURE_H */
