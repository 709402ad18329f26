/* SPDX-License-Identifier: MIT */
/* shard.h - several loops in one process; ouro_shard.h is the public side */
#ifndef OURO_SHARD_PRIVATE_H
#define OURO_SHARD_PRIVATE_H

#include "loop.h"

/* How many the options ask for; 0: too many. */
unsigned ouro__shard_count(const struct ouro_run_options *options);

/* ouro_run() with two shards or more. */
int ouro__shard_run(unsigned count, ouro_task_fn *fn, void *arg,
                    const struct ouro_run_options *options, const struct ring_config *config);

/* Whether the shard is the one that has what there is once per process: signals. */
bool ouro__shard_is_first(const struct shard *shard);

/* Whether the loop may end as far as other shards are concerned: the first is the last to. */
bool ouro__shard_may_end(const struct shard *shard);

/* Each shard writes its tasks to stderr. Loop thread of one of them. */
void ouro__shard_dump_all(struct shard *shard);

/* Cancels the main tasks of all shards. Loop thread of one of them. */
void ouro__shard_stop_all(struct shard *shard, const char *reason);

#endif /* OURO_SHARD_PRIVATE_H */
