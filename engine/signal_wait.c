/* SPDX-License-Identifier: MIT */
/*
 * signal_wait.c - signals that a task waits for; see ouro_signal.h
 *
 * A handler counts, for each watch of the signal, and writes to the watch's eventfd, which the
 * waiting task reads through its ring. Not a signalfd: that works only for signals which every
 * thread of the process blocks, those of foreign libraries included, children would inherit the
 * mask, and of several watches of one signal only one would get it.
 *
 * The handler may run at any instruction of any thread. What it touches is in counters: a list
 * that only grows at its head, of atomic fields. A counter whose watch is done is used by
 * the next one. Its eventfd is closed when no handler is inside it (`handlers`), since the number
 * may at once be that of somebody else's file.
 *
 * The dispositions beneath the watches are kept here, under a lock that the handler does not
 * know. signals.c changes those of the loop through ouro__signal_wait_replace(), so that it does
 * not matter who comes and goes in which order.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dispatcher.h"
#include "ouro_signal.h"
#include "signal_wait.h"

#define NUMBERS_END 65 /* 1 to 64 */

struct ouro_signal_counter {
    struct ouro_signal_counter *next; /* never changes once it is in the list */
    atomic_uint_fast64_t numbers;     /* bit N - 1: it counts signal N; 0: free, or being set up */
    atomic_int event_fd;
    atomic_uint handlers; /* that look at it now */
    atomic_uint counts[NUMBERS_END];
    bool is_taken; /* under the lock */
};

static _Atomic(struct ouro_signal_counter *) counters;
static atomic_int owner_pid; /* a child's signals are not ours, though it has our handler */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned watch_counts[NUMBERS_END];
static struct sigaction beneath[NUMBERS_END]; /* valid where there are watches */

static uint64_t bit_of(int number)
{
    return UINT64_C(1) << (number - 1);
}

/* --- the handler ----------------------------------------------------------------------------- */

static void count(struct ouro_signal_counter *counter, int number)
{
    static const uint64_t one = 1;

    atomic_fetch_add(&counter->handlers, 1);
    if (atomic_load(&counter->numbers) & bit_of(number)) {
        atomic_fetch_add(&counter->counts[number], 1);
        (void) !write(atomic_load(&counter->event_fd), &one, sizeof(one));
    }
    atomic_fetch_sub(&counter->handlers, 1);
}

static void handle(int number)
{
    int saved_errno = errno;

    if (getpid() == atomic_load(&owner_pid))
        for (struct ouro_signal_counter *counter = atomic_load(&counters); counter;
             counter = counter->next)
            count(counter, number);
    errno = saved_errno;
}

/* --- dispositions ------------------------------------------------------------------------------ */

/* Without SA_RESTART blocking calls of foreign threads would fail for a signal that is not theirs. */
static void begin_number(int number)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART | SA_ONSTACK};

    (void) sigfillset(&action.sa_mask); /* a task's stack has room for one handler, not for all */
    if (watch_counts[number]++ == 0)
        (void) sigaction(number, &action, &beneath[number]);
}

static void end_number(int number)
{
    if (--watch_counts[number] == 0)
        (void) sigaction(number, &beneath[number], NULL);
}

static void for_each_number(uint64_t numbers, void (*fn)(int number))
{
    for (int number = 1; number < NUMBERS_END; number++)
        if (numbers & bit_of(number))
            fn(number);
}

void ouro__signal_wait_replace(int number, const struct sigaction *action,
                               struct sigaction *ret_old)
{
    (void) pthread_mutex_lock(&lock);
    if (watch_counts[number] > 0) {
        if (ret_old)
            *ret_old = beneath[number];
        beneath[number] = *action;
    } else {
        (void) sigaction(number, action, ret_old);
    }
    (void) pthread_mutex_unlock(&lock);
}

/* --- the child of a fork ------------------------------------------------------------------------ */

void ouro__signal_wait_forget(void)
{
    lock = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER; /* whoever held it is not in the child */
    for (int number = 1; number < NUMBERS_END; number++) {
        if (watch_counts[number] > 0)
            (void) sigaction(number, &beneath[number], NULL);
        watch_counts[number] = 0;
    }
    for (struct ouro_signal_counter *counter = atomic_load(&counters); counter;
         counter = counter->next) {
        atomic_store(&counter->numbers, 0);
        atomic_store(&counter->handlers, 0);
        counter->is_taken = false;
    }
}

static void watch_forks(void)
{
    CHECK(!pthread_atfork(NULL, NULL, ouro__signal_wait_forget), "no memory for a fork handler");
}

/* --- counters ----------------------------------------------------------------------------------- */

/* A free one, or a new one; NULL without memory. With the lock held. */
static struct ouro_signal_counter *take_counter(void)
{
    struct ouro_signal_counter *counter = atomic_load(&counters);

    while (counter && counter->is_taken)
        counter = counter->next;
    if (!counter) {
        counter = calloc(1, sizeof(*counter));
        if (!counter)
            return NULL;
        counter->next = atomic_load(&counters);
        atomic_store(&counters, counter);
    }
    counter->is_taken = true;
    return counter;
}

static void start_counter(struct ouro_signal_counter *counter, int event_fd, uint64_t numbers)
{
    atomic_store(&owner_pid, getpid());
    for (int number = 1; number < NUMBERS_END; number++)
        atomic_store(&counter->counts[number], 0);
    atomic_store(&counter->event_fd, event_fd);
    atomic_store(&counter->numbers, numbers);
    for_each_number(numbers, begin_number);
}

static int open_counter(uint64_t numbers, struct ouro_signal_counter **ret_counter)
{
    struct ouro_signal_counter *counter;
    int event_fd = eventfd(0, EFD_CLOEXEC);

    if (event_fd < 0)
        return -errno;
    (void) pthread_mutex_lock(&lock);
    counter = take_counter();
    if (counter)
        start_counter(counter, event_fd, numbers);
    (void) pthread_mutex_unlock(&lock);
    if (!counter) {
        (void) close(event_fd);
        return -ENOMEM;
    }
    *ret_counter = counter;
    return 0;
}

static void close_counter(struct ouro_signal_counter *counter)
{
    (void) pthread_mutex_lock(&lock);
    for_each_number(atomic_exchange(&counter->numbers, 0), end_number);
    while (atomic_load(&counter->handlers) > 0)
        (void) sched_yield(); /* a handler of another thread is between two lines of count() */
    (void) close(atomic_load(&counter->event_fd));
    counter->is_taken = false;
    (void) pthread_mutex_unlock(&lock);
}

/* --- watches --------------------------------------------------------------------------------------- */

static bool is_watchable(int number)
{
    switch (number) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT:
        return false;
    default: /* between the two groups are libc's own */
        return (number >= 1 && number < 32) || (number >= SIGRTMIN && number <= SIGRTMAX);
    }
}

static void unblock(const int *numbers, size_t count_of_numbers)
{
    sigset_t set;

    (void) sigemptyset(&set);
    for (size_t i = 0; i < count_of_numbers; i++)
        (void) sigaddset(&set, numbers[i]);
    (void) pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int ouro_signal_watch_init_many(struct ouro_signal_watch *watch, const int *numbers,
                                size_t count_of_numbers)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ouro_signal_counter *counter = NULL;
    uint64_t bits = 0;
    int code;

    CHECK(ouro__dispatcher, "ouro_signal_watch_init() needs a loop");
    for (size_t i = 0; i < count_of_numbers; i++) {
        if (!is_watchable(numbers[i]))
            return -EINVAL;
        bits |= bit_of(numbers[i]);
    }
    if (!bits)
        return -EINVAL;
    if (ouro__dispatcher->ring.simulated)
        return -ENOSYS;
    (void) pthread_once(&once, watch_forks);
    code = open_counter(bits, &counter);
    if (code)
        return code;
    unblock(numbers, count_of_numbers);
    *watch = (struct ouro_signal_watch) {.counter = counter};
    return 0;
}

int ouro_signal_watch_init(struct ouro_signal_watch *watch, int number)
{
    return ouro_signal_watch_init_many(watch, &number, 1);
}

void ouro_signal_watch_done(struct ouro_signal_watch *watch)
{
    CHECK(!watch->is_waited_for, "a signal watch ends while a task waits for it");
    if (watch->counter)
        close_counter(watch->counter);
    watch->counter = NULL;
}

/* --- waiting --------------------------------------------------------------------------------------- */

/* Takes one that has come, beginning behind the one that was taken last; 0: none. */
static int take_signal(struct ouro_signal_watch *watch, unsigned *ret_count)
{
    for (int i = 0; i < NUMBERS_END - 1; i++) {
        int number = (watch->last_number + i) % (NUMBERS_END - 1) + 1;

        if (atomic_load(&watch->counter->counts[number]) > 0) {
            *ret_count = atomic_exchange(&watch->counter->counts[number], 0);
            watch->last_number = number;
            return number;
        }
    }
    return 0;
}

/* The number that is read may be of signals that were taken already: it only says "look". */
static int await_signal(struct ouro_signal_watch *watch)
{
    uint64_t unused;
    struct op op = {.kind = OP_READ,
                    .args.read = {.fd = atomic_load(&watch->counter->event_fd),
                                  .buf = &unused,
                                  .len = sizeof(unused),
                                  .offset = (uint64_t) -1}};
    int64_t result;

    watch->is_waited_for = true;
    result = ouro__op_call(&op, OP_INTERRUPTIBLE);
    watch->is_waited_for = false;
    return result < 0 ? (int) result : 0;
}

int ouro_signal_wait(struct ouro_signal_watch *watch, int *ret_number, unsigned *ret_count)
{
    unsigned came;
    int code, number;

    (void) ouro__dispatcher_task("ouro_signal_wait() needs a task");
    CHECK(!watch->is_waited_for, "two tasks wait for one signal watch");
    code = ouro__task_interruption();
    if (unlikely(code))
        return code;
    while (!(number = take_signal(watch, &came))) {
        code = await_signal(watch);
        if (code)
            return code;
    }
    ouro__task_charge();
    if (ret_number)
        *ret_number = number;
    if (ret_count)
        *ret_count = came;
    return 0;
}
