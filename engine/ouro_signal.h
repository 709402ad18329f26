/* SPDX-License-Identifier: MIT */
/*
 * ouro_signal.h - signals that a task waits for
 *
 *     struct ouro_signal_watch watch;
 *
 *     code = ouro_signal_watch_init(&watch, SIGHUP);
 *     while (!code && !(code = ouro_signal_wait(&watch, NULL, NULL)))
 *         code = read_configuration();
 *     ouro_signal_watch_done(&watch);
 *
 * While a watch exists its signals do nothing but to be counted: neither their default effect
 * nor a handler, also not what ouro_run() does about SIGINT and SIGTERM. Each watch counts for
 * itself, in whatever loop of the process it is. What the signals did before they do again when
 * their last watch is done.
 *
 * A program that sets a disposition by sigaction(2) while there is a watch for it takes the
 * signal from the watch.
 */
#ifndef OURO_SIGNAL_H
#define OURO_SIGNAL_H

#include <stdbool.h>

#include "ouro_base.h"

OURO_BEGIN_DECLS

struct ouro_signal_counter;

/* In the caller's memory. The fields are private. */
struct ouro_signal_watch {
    struct ouro_signal_counter *counter; /* NULL: done, or never begun */
    int last_number;                     /* waits look at the others first */
    bool is_waited_for;
};

/*
 * ouro_signal_watch_init, ouro_signal_watch_init_many - begin to count signals
 * @number, @numbers: SIGHUP or others, the real-time ones included; not SIGKILL and SIGSTOP,
 *                    and none that says that a thread went wrong (SIGSEGV, SIGBUS, SIGFPE,
 *                    SIGILL, SIGTRAP, SIGSYS, SIGABRT)
 *
 * The signals are unblocked in the calling thread, and remain so.
 *
 * Context: loop thread.
 * Returns: 0: end it with ouro_signal_watch_done(); -EINVAL for other numbers or none; -EMFILE,
 *          -ENFILE, -ENOMEM; -ENOSYS on the simulated ring.
 */
OURO_API int ouro_signal_watch_init(struct ouro_signal_watch *watch, int number);
OURO_API int ouro_signal_watch_init_many(struct ouro_signal_watch *watch, const int *numbers,
                                         size_t count);

/*
 * ouro_signal_wait - wait for the next of the watch's signals
 * @ret_number: which; may be NULL
 * @ret_count:  how often it came since it was last reported; may be NULL. The kernel may make
 *              one of several that it could not deliver yet: only "at least once" is certain.
 *
 * Signals that came since the watch began are not lost: the call then returns at once. Of several
 * each has its turn. An interrupted wait leaves them for the next.
 *
 * Context: task, may suspend. One task per watch at a time.
 * Returns: 0; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_signal_wait(struct ouro_signal_watch *watch, int *ret_number,
                                        unsigned *ret_count);

/*
 * ouro_signal_watch_done - end a watch that no task waits for
 *
 * Signals that came and that nobody waited for are dropped. A zeroed struct and one that is done
 * are allowed.
 *
 * Context: any thread.
 */
OURO_API void ouro_signal_watch_done(struct ouro_signal_watch *watch);

OURO_END_DECLS

#endif /* OURO_SIGNAL_H */
