/* SPDX-License-Identifier: MIT */
/*
 * shard_queue - counts primes on all CPUs: work and results go from shard to shard
 *
 * Shows:  mailboxes between shards; messages that go to and fro, so that their number is bounded;
 *         an orderly end, also after Ctrl-C: nothing is sent to what is gone, nothing is lost.
 * Run:    build/examples/shard_queue [--shards N] [LIMIT]
 * Prints: 2 shards count primes...
 *         78498 primes below 1000000
 *
 * Each worker owns one struct job. It travels to shard 0 with a result, and comes back with a range.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro.h"

#define RANGE      5000
#define SHARDS_MAX 64

struct job {
    struct ouro_message message; /* first: a pointer to the message is one to this */
    struct ouro_mailbox *worker; /* where it comes from */
    long begin, end;             /* the range; empty: there is no more to do */
    long primes;                 /* in it */
};

struct desk {
    struct ouro_mailbox box;
    struct job job;
    struct ouro_message start;
};

/* What other shards send to must be there until all have ended: it outlives ouro_run(). */
struct office {
    long limit, next, primes;
    struct ouro_mailbox results;
    struct desk desks[SHARDS_MAX];
};

/* --- workers: one on each shard ------------------------------------------------------------------- */

static bool is_prime(long number)
{
    for (long divisor = 2; divisor * divisor <= number; divisor++)
        if (number % divisor == 0)
            return false;
    return number >= 2;
}

static int count_primes(struct job *job)
{
    int code = 0;

    job->primes = 0;
    for (long number = job->begin; number < job->end && !code; number++) {
        job->primes += is_prime(number);
        if (number % 64 == 0)
            code = ouro_checkpoint(); /* others of this shard want to run, too */
    }
    return code;
}

static int work(void *arg)
{
    struct office *office = arg;
    struct desk *desk = &office->desks[ouro_shard_index()];
    struct ouro_message *message;
    int code = 0;

    ouro_mailbox_init(&desk->box);
    desk->job = (struct job) {.worker = &desk->box};
    do {
        code = ouro_mailbox_send(&office->results, &desk->job.message);
        if (!code)
            code = ouro_mailbox_receive(&desk->box, &message);
        if (!code)
            code = count_primes(&desk->job);
    } while (!code && desk->job.begin < desk->job.end);

    /* From here on shard 0 is refused; what it sent before is received. */
    ouro_mailbox_close(&desk->box);
    while (!ouro_mailbox_receive(&desk->box, &message))
        ;
    ouro_mailbox_done(&desk->box);
    return code == -ECANCELED || code == -ESHUTDOWN ? 0 : code;
}

/* --- shard 0 hands out the ranges ---------------------------------------------------------------------- */

/* Returns whether the worker goes on. */
static bool answer(struct office *office, struct job *job)
{
    job->begin = office->next;
    job->end = job->begin + RANGE < office->limit ? job->begin + RANGE : office->limit;
    office->next = job->end;
    return !ouro_mailbox_send(job->worker, &job->message) && job->begin < job->end;
}

static int hand_out(struct office *office)
{
    struct ouro_message *message;
    int code = 0;

    for (unsigned workers = ouro_shard_count(); workers > 0 && !code;) {
        code = ouro_mailbox_receive(&office->results, &message);
        if (code)
            break;
        office->primes += ((struct job *) message)->primes;
        if (!answer(office, (struct job *) message))
            workers--;
    }
    ouro_mailbox_close(&office->results);
    while (!ouro_mailbox_receive(&office->results, &message))
        office->primes += ((struct job *) message)->primes; /* theirs were on the way at Ctrl-C */
    ouro_mailbox_done(&office->results);
    return code;
}

/* --- shards ------------------------------------------------------------------------------------------------ */

/* A shard is a thread: what is thread-local is the shard's own. */
static _Thread_local struct ouro_future results_are_open;

static void deliver_start(struct ouro_message *message)
{
    (void) message;
    (void) ouro_future_set(&results_are_open, NULL);
}

static int lead(struct office *office)
{
    struct ouro_group group;
    int code = 0;

    ouro_mailbox_init(&office->results);
    for (unsigned i = 1; i < ouro_shard_count() && !code; i++) {
        office->desks[i].start.deliver = deliver_start;
        code = ouro_post(ouro_shard_inbox(i), &office->desks[i].start);
    }
    printf("%u shards count primes...\n", ouro_shard_count());
    (void) fflush(stdout);
    ouro_group_init(&group);
    if (!code)
        code = ouro_group_spawn(&group, work, office);
    if (!code)
        code = hand_out(office);
    if (code)
        ouro_group_cancel(&group);
    (void) ouro_group_wait(&group);
    return code == -ECANCELED ? 0 : code;
}

/* The main task of each shard. */
static int run_shard(void *arg)
{
    int code;

    if (ouro_shard_index() == 0)
        return lead(arg);
    code = ouro_future_wait(&results_are_open, NULL);
    if (code)
        return code == -ECANCELED ? 0 : code; /* that is Ctrl-C */
    return work(arg);
}

int main(int argc, char **argv)
{
    static struct office office;
    struct ouro_run_options options = {.shards = 2};
    int code = 0;

    office.limit = 1000000;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--shards") == 0 && i + 1 < argc)
            options.shards = (unsigned) atoi(argv[++i]);
        else
            office.limit = atol(argv[i]);
    }
    if (office.limit < 1 || options.shards < 1 || options.shards > SHARDS_MAX) {
        fprintf(stderr, "usage: shard_queue [--shards N] [LIMIT]\n");
        return 2;
    }
    code = ouro_run(run_shard, &office, &options);
    if (code)
        fprintf(stderr, "shard_queue: %s\n", ouro_strerror(code));
    printf("%ld primes below %ld\n", office.primes, office.next);
    return code ? 1 : 0;
}
