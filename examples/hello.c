/* SPDX-License-Identifier: MIT */
/*
 * hello - the smallest task that waits
 *
 * Shows:  ouro_run, ouro_sleep.
 * Run:    build/examples/hello
 * Prints: Hello world!, and a second later Hello again!
 */
#include <stdio.h>

#include "ouro.h"

static int hello(void *arg)
{
    int code;

    (void) arg;
    puts("Hello world!");
    code = ouro_sleep(1 * OURO_SECOND);
    if (code)
        return code; /* interrupted by Ctrl-C */
    puts("Hello again!");
    return 0;
}

int main(void)
{
    return ouro_run(hello, NULL, NULL) ? 1 : 0;
}
