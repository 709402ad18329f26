/* SPDX-License-Identifier: MIT */
/*
 * sharded_echo - a server that sends back what it gets, on all CPUs
 *
 * Shows:  shards: the same function on several threads, each with a loop and a listener of its own;
 *         a message that goes from shard to shard.
 * Run:    build/examples/sharded_echo [--listen ADDR:PORT] [--shards N]
 * Prints: Listening on 127.0.0.1:7777 with 2 shards...
 *         and, after Ctrl-C, how many connections each shard served
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"

/* The address, with the port that the system chose: goes from shard to shard. */
struct news {
    struct ouro_message message; /* first: a pointer to the message is one to this */
    struct ouro_address address;
};

struct server {
    struct ouro_address address; /* as on the command line */
    struct news news;
};

/* A shard is a thread: what is thread-local is the shard's own. */
static _Thread_local struct ouro_future news_came;

/* --- connections ------------------------------------------------------------------------------- */

static int echo(void *arg)
{
    int fd = *(int *) arg;
    char buf[4096];
    ssize_t len;

    while ((len = ouro_recv(fd, buf, sizeof(buf), 0)) > 0)
        if (ouro_send_all(fd, buf, (size_t) len, NULL))
            break;
    (void) ouro_close(fd);
    return 0;
}

/* Until Ctrl-C. Returns how many connections there were. */
static unsigned long accept_all(int listener)
{
    const struct ouro_spawn_options options = {.stack = OURO_STACK_64K, .arg_bytes = sizeof(int)};
    unsigned long count = 0;
    struct ouro_group group;
    int fd;

    ouro_group_init_with(&group, OURO_GROUP_INDEPENDENT);
    while ((fd = ouro_accept(listener, NULL)) != -ECANCELED) {
        if (fd < 0) /* such as -EMFILE, which passes when others hang up */
            (void) ouro_sleep(10 * OURO_MILLISECOND);
        else if (ouro_group_spawn_with(&group, echo, &fd, &options))
            (void) ouro_close(fd);
        else
            count++;
    }
    ouro_group_cancel(&group);
    (void) ouro_group_wait(&group);
    return count;
}

/* --- shards ------------------------------------------------------------------------------------ */

/* Runs on the shard that the message was posted to. */
static void deliver(struct ouro_message *message)
{
    (void) message;
    (void) ouro_future_set(&news_came, NULL);
}

/* To the next shard; the last one knows that all listen. */
static int pass_on(struct news *news)
{
    char text[OURO_ADDRESS_TEXT_MAX];
    unsigned next = ouro_shard_index() + 1;

    news->message.deliver = deliver;
    if (next < ouro_shard_count())
        return ouro_post(ouro_shard_inbox(next), &news->message);
    printf("Listening on %s with %u shards...\n", ouro_address_format(&news->address, text), next);
    (void) fflush(stdout);
    return 0;
}

/* Shard 0 learns the port; the others are told. */
static int listen_in_turn(struct server *server)
{
    bool is_first = ouro_shard_index() == 0;
    int code = is_first ? 0 : ouro_future_wait(&news_came, NULL);
    int listener;

    if (code)
        return code;
    listener = ouro_listen_shared(is_first ? &server->address : &server->news.address, 0);
    if (listener < 0)
        return listener;
    if (is_first)
        code = ouro_getsockname(listener, &server->news.address);
    if (!code)
        code = pass_on(&server->news);
    if (!code)
        return listener;
    (void) ouro_close(listener);
    return code;
}

/* The main task of each shard. */
static int serve(void *arg)
{
    int listener = listen_in_turn(arg);
    unsigned long count;

    if (listener < 0)
        return listener; /* which cancels the other shards */
    count = accept_all(listener);
    (void) ouro_close(listener);
    printf("shard %u served %lu connections\n", ouro_shard_index(), count);
    return 0;
}

int main(int argc, char **argv)
{
    struct ouro_run_options options = {.shards = OURO_SHARD_PER_CPU};
    const char *listen = "127.0.0.1:7777";
    struct server server = {.news.message.next = NULL};
    int code = 0;

    for (int i = 1; i < argc && !code; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--listen") == 0)
            listen = argv[i + 1];
        else if (i + 1 < argc && strcmp(argv[i], "--shards") == 0)
            options.shards = (unsigned) atoi(argv[i + 1]);
        else
            code = -1;
    }
    if (code || ouro_address_parse(listen, -1, &server.address)) {
        fprintf(stderr, "usage: sharded_echo [--listen ADDR:PORT] [--shards N]\n");
        return 2;
    }
    code = ouro_run(serve, &server, &options);
    if (code)
        fprintf(stderr, "sharded_echo: %s: %s\n", listen, ouro_strerror(code));
    return code ? 1 : 0;
}
