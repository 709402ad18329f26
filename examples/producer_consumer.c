/* SPDX-License-Identifier: MIT */
/*
 * producer_consumer - hand items over by send and yield, without a lock
 *
 * Shows:  values going both ways through a coroutine: the consumer yields its answer and
 *         receives the next item in the same call.
 * Run:    build/examples/producer_consumer
 * Prints: [PRODUCER] Producing 1...
 *         [CONSUMER] Consuming 1...
 *         [PRODUCER] Consumer return: 200 OK
 *         and so on to 5
 */
#include <stdio.h>

#include "ouro.h"

static void consumer(void *arg)
{
    static char ok[] = "200 OK";
    char *answer = NULL; /* to the first send, which only starts us */
    void *item;

    (void) arg;
    while (!ouro_coro_yield(answer, &item)) {
        printf("[CONSUMER] Consuming %d...\n", *(int *) item);
        answer = ok;
    }
}

static int produce(struct ouro_coro *to)
{
    int code = ouro_coro_send(to, NULL, NULL);

    for (int n = 1; code == 1 && n <= 5; n++) {
        void *answer;

        printf("[PRODUCER] Producing %d...\n", n);
        code = ouro_coro_send(to, &n, &answer);
        if (code == 1)
            printf("[PRODUCER] Consumer return: %s\n", (char *) answer);
    }
    return code;
}

int main(void)
{
    struct ouro_coro *coro;
    int code = ouro_coro_create(consumer, NULL, NULL, &coro);

    if (!code) {
        code = produce(coro);
        ouro_coro_close(coro);
    }
    if (code < 0)
        fprintf(stderr, "producer_consumer: %s\n", ouro_strerror(code));
    return code < 0;
}
