/* SPDX-License-Identifier: MIT */
/* overflow.c - see overflow.h */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dispatcher.h"
#include "overflow.h"

#define ALTERNATE_STACK_BYTES ((size_t) 32 << 10)

/* How many loops rely on the handler, and whether it is there, is changed under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned watch_count;

/* Only what a signal handler may call. */
static void say(const char *text)
{
    (void) !write(STDERR_FILENO, text, strlen(text));
}

static void say_who(const struct ouro_task *task, const char *generator)
{
    say("ouro: stack overflow in ");
    if (generator) {
        say("coroutine \"");
        say(generator);
        say("\"");
    }
    if (generator && task)
        say(" of ");
    if (task) {
        say("task \"");
        say(task->name);
        say("\", spawned at ");
        say(task->place);
    }
    say("; choose a larger stack class\n");
}

static void handle(int number, siginfo_t *info, void *context)
{
    const struct ouro_task *task = ouro__dispatcher ? ouro__dispatcher->current : NULL;
    const char *generator = ouro__coro_guard_owner(info->si_addr);

    (void) context;
    if (generator || (task && ouro__stack_guards(task->coro.stack, info->si_addr)))
        say_who(task, generator);
    (void) signal(number, SIG_DFL); /* the instruction runs again, and ends the process */
    if (info->si_code <= 0)
        (void) raise(number); /* unless somebody sent the signal */
}

void *ouro__overflow_give_stack(void)
{
    stack_t present;
    stack_t alternate = {.ss_size = ALTERNATE_STACK_BYTES};

    if (sigaltstack(NULL, &present) || !(present.ss_flags & SS_DISABLE))
        return NULL;
    alternate.ss_sp = malloc(ALTERNATE_STACK_BYTES);
    if (alternate.ss_sp)
        (void) sigaltstack(&alternate, NULL);
    return alternate.ss_sp;
}

void ouro__overflow_take_stack(void *stack)
{
    stack_t none = {.ss_flags = SS_DISABLE};

    if (!stack)
        return;
    (void) sigaltstack(&none, NULL);
    free(stack);
}

/* With the lock held. Returns whether the loop can rely on it: the signal may be somebody else's. */
static bool install(void)
{
    struct sigaction present;
    struct sigaction ours = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    if (sigaction(SIGSEGV, NULL, &present))
        return false;
    if (present.sa_sigaction != handle && present.sa_handler != SIG_DFL)
        return false;
    if (watch_count++ == 0)
        (void) sigaction(SIGSEGV, &ours, NULL);
    return true;
}

/* The program may have put its own handler in place of ours meanwhile. */
static void uninstall(void)
{
    struct sigaction present;

    if (!sigaction(SIGSEGV, NULL, &present) && present.sa_sigaction == handle)
        (void) signal(SIGSEGV, SIG_DFL);
}

void ouro__overflow_watch(struct overflow_watch *self)
{
    *self = (struct overflow_watch) {.alternate_stack = NULL};
    (void) pthread_mutex_lock(&lock);
    self->is_installed = install();
    (void) pthread_mutex_unlock(&lock);
    if (self->is_installed)
        self->alternate_stack = ouro__overflow_give_stack();
}

void ouro__overflow_unwatch(struct overflow_watch *self)
{
    (void) pthread_mutex_lock(&lock);
    if (self->is_installed && --watch_count == 0)
        uninstall();
    (void) pthread_mutex_unlock(&lock);
    ouro__overflow_take_stack(self->alternate_stack);
}

/* The loops that rely on it are the parent's, and so may be who holds the lock. */
void ouro__overflow_forget(void)
{
    lock = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
    watch_count = 0;
    uninstall();
}
