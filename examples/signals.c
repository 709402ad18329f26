/* SPDX-License-Identifier: MIT */
/*
 * signals - a task that waits for signals: SIGHUP reloads, SIGTERM ends
 *
 * Shows:  ouro_signal_watch, instead of handlers.
 * Run:    build/examples/signals           sends itself the signals
 *         build/examples/signals --wait    waits for yours: kill -HUP, kill -TERM
 * Prints: reload
 *         reload
 *         end
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ouro.h"

/* A line for each signal, until SIGTERM. `own` are the signals to send ourselves; NULL: none. */
static int obey(struct ouro_signal_watch *watch, const int *own)
{
    int number, code;

    for (;;) {
        if (own && kill(getpid(), *own++))
            return -errno;
        code = ouro_signal_wait(watch, &number, NULL);
        if (code)
            return code;
        printf("%s\n", number == SIGTERM ? "end" : "reload");
        if (number == SIGTERM)
            return 0;
    }
}

static int main_task(void *arg)
{
    static const int numbers[] = {SIGHUP, SIGTERM};
    struct ouro_signal_watch watch;
    int code = ouro_signal_watch_init_many(&watch, numbers, 2);

    if (code)
        return code;
    code = obey(&watch, arg);
    ouro_signal_watch_done(&watch); /* from now on SIGTERM cancels the main task again */
    return code;
}

int main(int argc, char **argv)
{
    static int own[] = {SIGHUP, SIGHUP, SIGTERM};
    int code;

    if (argc > 2 || (argc == 2 && strcmp(argv[1], "--wait") != 0)) {
        fprintf(stderr, "usage: signals [--wait]\n");
        return 2;
    }
    (void) setvbuf(stdout, NULL, _IOLBF, 0);
    code = ouro_run(main_task, argc == 2 ? NULL : own, NULL);
    if (code)
        fprintf(stderr, "signals: %s\n", ouro_strerror(code));
    return code ? 1 : 0;
}
