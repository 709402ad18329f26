/* SPDX-License-Identifier: MIT */
/*
 * ouro_timer.h - sleep, time limits as scopes, shields
 *
 * No waiting call of ouro takes a timeout. A limit is put around any number of
 * calls instead:
 *
 *     struct ouro_timeout limit;
 *
 *     ouro_timeout_begin(&limit, 5 * OURO_SECOND);
 *     n = ouro_recv(fd, buf, sizeof(buf), 0);
 *     if (ouro_timeout_end(&limit))
 *         ...                              // the five seconds interrupted something
 *
 * Deadlines live in user space: neither a sleep nor a scope costs a system call.
 */
#ifndef OURO_TIMER_H
#define OURO_TIMER_H

#include "ouro_base.h"

OURO_BEGIN_DECLS

/*
 * ouro_sleep - suspend the task for a while
 * @duration_ns: counted from a fresh reading of the clock; <= 0 yields once
 *
 * Context: task, may suspend.
 * Returns: 0 when the time has passed; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_sleep(int64_t duration_ns);

/*
 * ouro_sleep_until - suspend the task until the clock reaches `deadline`
 * @deadline: on ouro_now()'s clock; one that has passed yields once
 *
 * Context, returns: as ouro_sleep().
 */
OURO_API OURO_TASK int ouro_sleep_until(int64_t deadline);

/*
 * One time limit. Scopes nest, and end in the reverse order of their beginning,
 * in the task and the function call that began them. The fields are private.
 */
struct ouro_timeout {
    int64_t deadline;
    struct ouro_timeout *outer;
    int state;
};

/*
 * ouro_timeout_begin - limit what follows to `duration_ns` from now
 * @duration_ns: <= 0 has run out at once; OURO_FOREVER is no limit
 *
 * Once it has run out, every waiting call inside the scope fails with -ETIMEDOUT,
 * the one that is under way included. The loop looks at the clock once per turn. Of
 * nested scopes the tightest decides.
 *
 * Context: task.
 */
OURO_API void ouro_timeout_begin(struct ouro_timeout *timeout, int64_t duration_ns);

/* ouro_timeout_begin_at - the same with a deadline on ouro_now()'s clock */
OURO_API void ouro_timeout_begin_at(struct ouro_timeout *timeout, int64_t deadline);

/*
 * ouro_timeout_move - give a scope another deadline, on ouro_now()'s clock
 * @timeout: of the running task; it need not be the innermost
 *
 * Context: task.
 * Returns: 0; -ETIMEDOUT when it has run out already, which stays so.
 */
OURO_API int ouro_timeout_move(struct ouro_timeout *timeout, int64_t deadline);

/*
 * ouro_timeout_end - end the scope
 *
 * Context: task; the innermost scope of the task, or the process ends.
 * Returns: -ETIMEDOUT when this scope's limit made a call inside it fail; else 0,
 *          also when time ran out but no call was disturbed.
 */
OURO_API int ouro_timeout_end(struct ouro_timeout *timeout);

/*
 * A shield holds interruptions from outside back: while it is up, calls inside fail neither
 * because the task was cancelled nor because of a scope around the shield. Scopes inside it
 * work as ever. For clean-up that has to talk: a last message, a flush, a drain.
 *
 * It is bounded, since nothing else could end the task. Shields and scopes nest in each
 * other. The field is private.
 */
struct ouro_shield {
    struct ouro_timeout scope;
};

/*
 * ouro_shield_begin - raise a shield for at most `duration_ns`
 *
 * Context: task.
 */
OURO_API void ouro_shield_begin(struct ouro_shield *shield, int64_t duration_ns);

/*
 * ouro_shield_end - lower it; what it held back fails the next call
 *
 * Context: task; the innermost scope or shield of the task, or the process ends.
 */
OURO_API void ouro_shield_end(struct ouro_shield *shield);

OURO_END_DECLS

#endif /* OURO_TIMER_H */
