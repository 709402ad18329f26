/* SPDX-License-Identifier: MIT */
/*
 * watchdog.c - see watchdog.h
 *
 * The loops pay nothing: the thread reads two words of a dispatcher that it writes anyway.
 * Which task that is, only the loop's own thread can say (its name may lie on its stack, which
 * is gone a moment later), hence the signal. Whether the task is still the one that was meant
 * is asked again in the handler: it may have let go meanwhile.
 *
 * The handler runs on the thread's alternate stack, since stacks of tasks are small. It calls
 * nothing but what may be called there: backtrace() loads a library and allocates at its first
 * call only, which is made beforehand.
 */
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "dispatcher.h"
#include "overflow.h"
#include "watchdog.h"

#define LIMIT_MIN  OURO_MILLISECOND
#define FRAMES_MAX 64

/* The first begins and ends things, and is taken before the second, which the thread takes. */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Guarded by `lock`. */
static struct list watches = {&watches, &watches};
static bool is_stopping;

/* Guarded by `life`; the thread and its signal exist while there are watches. */
static pthread_t thread;
static pthread_cond_t changed; /* the watches, or is_stopping */
static int signal_number;
static struct sigaction old_action;

/* This thread's, for the handler. */
static _Thread_local struct stall_watch *own_watch;

static int64_t now(void)
{
    struct timespec time;

    (void) clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * OURO_SECOND + time.tv_nsec;
}

/* --- writing, also from a signal handler -------------------------------------------------- */

struct line {
    size_t len;
    char text[512];
};

static void add(struct line *line, const char *text)
{
    size_t len = strlen(text);

    if (len > sizeof(line->text) - line->len)
        len = sizeof(line->text) - line->len;
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static void add_milliseconds(struct line *line, int64_t ns)
{
    char digits[24];
    char *first = digits + sizeof(digits) - 1;
    uint64_t left = (uint64_t) (ns / OURO_MILLISECOND);

    *first = '\0';
    do {
        *--first = (char) ('0' + left % 10);
        left /= 10;
    } while (left > 0);
    add(line, first);
    add(line, " ms");
}

/* In one piece: loops on other threads may have something to say, too. */
static void say(const struct line *line)
{
    (void) !write(STDERR_FILENO, line->text, line->len);
}

/* --- on the loop's thread: the signal handler ------------------------------------------------ */

static void *interrupted_pc(const void *context)
{
    const mcontext_t *machine = &((const ucontext_t *) context)->uc_mcontext;

#if defined(__x86_64__)
    return (void *) (uintptr_t) machine->gregs[REG_RIP];
#else
    return (void *) (uintptr_t) machine->pc;
#endif
}

/* From where the signal came in: the handler's own frames are of no interest. */
static void say_frames(const void *context)
{
    void *frames[FRAMES_MAX];
    int count = backtrace(frames, FRAMES_MAX);
    int first = 0;

    while (first < count && frames[first] != interrupted_pc(context))
        first++;
    if (first == count)
        first = 0;
    backtrace_symbols_fd(frames + first, count - first, STDERR_FILENO);
}

static void say_who(const struct ouro_task *task, int64_t ns)
{
    struct line line = {0};

    add(&line, "ouro: task \"");
    add(&line, task->name);
    add(&line, "\", spawned at ");
    add(&line, task->place);
    add(&line, ", has been running for ");
    add_milliseconds(&line, ns);
    add(&line, " without waiting:\n");
    say(&line);
}

static void handle(int number, siginfo_t *info, void *context)
{
    struct stall_watch *watch = own_watch;
    const struct ouro_task *task = watch ? watch->dispatcher->current : NULL;
    int saved_errno = errno;
    uint64_t suspect;

    (void) number;
    (void) info;
    suspect = watch ? atomic_exchange(&watch->suspect, 0) : 0;
    if (task && suspect == watch->dispatcher->wakeup_count) {
        (void) strncpy(watch->name, task->name, sizeof(watch->name) - 1);
        atomic_store(&watch->is_named, true);
        say_who(task, atomic_load(&watch->suspect_time));
        say_frames(context);
    }
    errno = saved_errno;
}

/* --- the watchdog's thread ---------------------------------------------------------------- */

static void end_report(struct stall_watch *watch, int64_t at)
{
    struct line line = {0};

    if (watch->is_reported && atomic_exchange(&watch->is_named, false)) {
        add(&line, "ouro: task \"");
        add(&line, watch->name);
        add(&line, "\" let go after about ");
        add_milliseconds(&line, at - watch->busy_since);
        add(&line, "\n");
        say(&line);
    }
    watch->is_reported = false;
}

static void look_at(struct stall_watch *watch, int64_t at)
{
    const struct dispatcher *dispatcher = watch->dispatcher;
    uint64_t count = __atomic_load_n(&dispatcher->wakeup_count, __ATOMIC_RELAXED);
    bool is_busy = __atomic_load_n(&dispatcher->current, __ATOMIC_RELAXED) != NULL;

    if (!is_busy || count != watch->wakeup_count || watch->busy_since == 0) {
        end_report(watch, at);
        watch->wakeup_count = count;
        watch->busy_since = is_busy ? at : 0;
    } else if (!watch->is_reported && at - watch->busy_since >= watch->limit) {
        watch->is_reported = true;
        atomic_store(&watch->suspect_time, at - watch->busy_since);
        atomic_store(&watch->suspect, count);
        (void) pthread_kill(watch->thread, signal_number);
    }
}

/* Half of the shortest limit. */
static int64_t look_at_all(void)
{
    int64_t shortest = OURO_FOREVER;
    int64_t at = now();

    for (struct list *node = watches.next; node != &watches; node = node->next) {
        struct stall_watch *watch = container_of(node, struct stall_watch, link);

        look_at(watch, at);
        if (watch->limit < shortest)
            shortest = watch->limit;
    }
    return shortest / 2;
}

static void *watch_loops(void *arg)
{
    (void) arg;
    (void) pthread_mutex_lock(&lock);
    while (!is_stopping) {
        int64_t until = now() + look_at_all();
        struct timespec time = {.tv_sec = until / OURO_SECOND, .tv_nsec = until % OURO_SECOND};

        (void) pthread_cond_timedwait(&changed, &lock, &time);
    }
    (void) pthread_mutex_unlock(&lock);
    return NULL;
}

/* --- beginning and end ---------------------------------------------------------------------- */

/* The child has neither the thread nor the loops; the locks may be anybody's. */
static void forget_parent(void)
{
    static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

    life = unlocked;
    lock = unlocked;
    list_init(&watches);
    own_watch = NULL;
    if (signal_number)
        (void) sigaction(signal_number, &old_action, NULL);
    signal_number = 0;
}

static void prepare_once(void)
{
    void *frame;

    CHECK(!pthread_atfork(NULL, NULL, forget_parent), "no memory for a fork handler");
    (void) backtrace(&frame, 1);
}

static int claim_signal(void)
{
    struct sigaction ours = {.sa_sigaction = handle,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    for (int number = SIGRTMAX - 2; number >= SIGRTMIN; number--) {
        if (sigaction(number, NULL, &old_action) || old_action.sa_handler != SIG_DFL)
            continue;
        (void) sigaction(number, &ours, NULL);
        signal_number = number;
        return 0;
    }
    return -EBUSY;
}

/* One may still be on its way, and would end the process: ignoring it drops it. */
static void release_signal(void)
{
    struct sigaction present;

    if (!sigaction(signal_number, NULL, &present) && present.sa_sigaction == handle) {
        (void) signal(signal_number, SIG_IGN);
        (void) sigaction(signal_number, &old_action, NULL);
    }
    signal_number = 0;
}

/* With all signals blocked: none of the program's is to be handled there. */
static int create_thread(void)
{
    pthread_condattr_t attributes;
    sigset_t all, before;
    int code;

    (void) pthread_condattr_init(&attributes);
    (void) pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void) pthread_cond_init(&changed, &attributes);
    (void) pthread_condattr_destroy(&attributes);
    (void) sigfillset(&all);
    (void) pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&thread, NULL, watch_loops, NULL);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code)
        (void) pthread_cond_destroy(&changed);
    else
        (void) pthread_setname_np(thread, "ouro-watchdog");
    return -code;
}

static int start(void)
{
    int code = claim_signal();

    if (code)
        return code;
    is_stopping = false;
    code = create_thread();
    if (code)
        release_signal();
    return code;
}

static void stop(void)
{
    (void) pthread_cond_signal(&changed);
    (void) pthread_join(thread, NULL);
    (void) pthread_cond_destroy(&changed);
    release_signal();
}

static void let_signal_through(void)
{
    sigset_t ours;

    (void) sigemptyset(&ours);
    (void) sigaddset(&ours, signal_number);
    (void) pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}

static void enlist(struct stall_watch *self)
{
    (void) pthread_mutex_lock(&lock);
    list_append(&watches, &self->link);
    (void) pthread_cond_signal(&changed); /* its limit may be the shortest */
    (void) pthread_mutex_unlock(&lock);
}

/* Returns whether it was the last. */
static bool delist(struct stall_watch *self)
{
    bool was_last;

    (void) pthread_mutex_lock(&lock);
    end_report(self, now());
    list_remove(&self->link);
    was_last = list_is_empty(&watches);
    is_stopping = was_last;
    (void) pthread_mutex_unlock(&lock);
    return was_last;
}

int ouro__watchdog_watch(struct stall_watch *self, struct dispatcher *dispatcher, int64_t limit)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int code = 0;

    memset(self, 0, sizeof(*self));
    if (limit <= 0)
        return 0;
    (void) pthread_once(&once, prepare_once);
    self->dispatcher = dispatcher;
    self->thread = pthread_self();
    (void) pthread_mutex_lock(&life);
    if (list_is_empty(&watches))
        code = start();
    if (!code) {
        self->limit = limit > LIMIT_MIN ? limit : LIMIT_MIN;
        self->alternate_stack = ouro__overflow_give_stack();
        own_watch = self;
        let_signal_through();
        enlist(self);
    }
    (void) pthread_mutex_unlock(&life);
    return code;
}

void ouro__watchdog_unwatch(struct stall_watch *self)
{
    if (!self->limit)
        return;
    (void) pthread_mutex_lock(&life);
    if (delist(self))
        stop();
    (void) pthread_mutex_unlock(&life);
    own_watch = NULL;
    ouro__overflow_take_stack(self->alternate_stack);
    self->limit = 0;
}

/* --- the notation of a limit ------------------------------------------------------------------ */

int ouro__watchdog_parse(const char *text, int64_t *ret_limit)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"us", OURO_MICROSECOND}, {"ms", OURO_MILLISECOND}, {"s", OURO_SECOND}};
    int64_t limit = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(limit, 10, &limit) ||
            __builtin_add_overflow(limit, *at - '0', &limit))
            return -EINVAL;
    if (at == text)
        return -EINVAL;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strcmp(at, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(limit, units[i].ns, &limit))
            return -EINVAL;
        *ret_limit = limit;
        return 0;
    }
    if (*at || limit != 0)
        return -EINVAL;
    *ret_limit = 0;
    return 0;
}
