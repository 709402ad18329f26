/* SPDX-License-Identifier: MIT */
/*
 * ouro_shard.h - several loops in one process, each on a thread of its own
 *
 * ouro_run() with options.shards = N runs its function as the main task of N loops. Each shard has
 * a ring, a dispatcher and tasks of its own; nothing is shared but what you share, and between them
 * go messages (ouro_message.h). Servers listen once per shard with ouro_listen_shared(): the
 * kernel spreads the connections.
 *
 * A main task that returns a negative code, ouro_stop(), and the first SIGINT or SIGTERM cancel the
 * main tasks of all shards.
 */
#ifndef OURO_SHARD_H
#define OURO_SHARD_H

#include "ouro_address.h"
#include "ouro_base.h"
#include "ouro_message.h"

OURO_BEGIN_DECLS

/* For ouro_run_options.shards: one per CPU that the process may use. */
#define OURO_SHARD_PER_CPU (~0u)

/* ouro_shard_count - how many shards run; 1 for a loop that is alone. Context: loop thread. */
OURO_API unsigned ouro_shard_count(void);

/* ouro_shard_index - which of them this is, from 0. Context: loop thread. */
OURO_API unsigned ouro_shard_index(void);

/*
 * ouro_shard_inbox - where to post messages for a shard
 * @index: less than ouro_shard_count()
 *
 * Context: loop thread.
 * Returns: the inbox, borrowed until ouro_run() returns. A shard that has ended refuses messages
 *          with -ESHUTDOWN.
 */
OURO_API struct ouro_inbox *ouro_shard_inbox(unsigned index);

/*
 * ouro_listen_shared - ouro_listen() with SO_REUSEPORT
 *
 * Each shard, or process, makes a listener of its own for the same address, and the kernel
 * spreads new connections over them by a hash. (One listener that several rings accept from
 * feeds one of them.) Whoever listens first with port 0 learns the port by ouro_getsockname().
 *
 * Context, returns: as ouro_listen(). Not for Unix sockets: -EOPNOTSUPP.
 */
OURO_API OURO_TASK int ouro_listen_shared(const struct ouro_address *address, int backlog);

OURO_END_DECLS

#endif /* OURO_SHARD_H */
