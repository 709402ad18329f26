/* SPDX-License-Identifier: MIT */
/*
 * interleave - two coroutines take turns in one thread
 *
 * Shows:  ouro_coro_create, ouro_coro_send, ouro_coro_yield, ouro_coro_close; no loop.
 * Run:    build/examples/interleave
 * Prints: 1 2 x y 3 z, one per line
 */
#include <stdio.h>

#include "ouro.h"

static void a(void *arg)
{
    (void) arg;
    puts("1");
    puts("2");
    if (ouro_coro_yield(NULL, NULL))
        return; /* closed early */
    puts("3");
}

static void b(void *arg)
{
    (void) arg;
    puts("x");
    puts("y");
    if (ouro_coro_yield(NULL, NULL))
        return;
    puts("z");
}

int main(void)
{
    struct ouro_coro *first = NULL, *second = NULL;
    int code = ouro_coro_create(a, NULL, NULL, &first);

    if (!code)
        code = ouro_coro_create(b, NULL, NULL, &second);
    if (code) {
        fprintf(stderr, "interleave: %s\n", ouro_strerror(code));
        ouro_coro_close(first);
        return 1;
    }

    int first_goes_on, second_goes_on;

    do {
        first_goes_on = ouro_coro_send(first, NULL, NULL);
        second_goes_on = ouro_coro_send(second, NULL, NULL);
    } while (first_goes_on > 0 || second_goes_on > 0);

    ouro_coro_close(first);
    ouro_coro_close(second);
    return 0;
}
