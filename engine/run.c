/* SPDX-License-Identifier: MIT */
/* run.c - ouro_run: one loop or several, from beginning to end; see ouro_loop.h */
#include <errno.h>

#include "loop.h"
#include "shard.h"

static int run_alone(ouro_task_fn *fn, void *arg, const struct ouro_run_options *options,
                     const struct ring_config *config)
{
    struct ouro_loop loop;
    int code = ouro__loop_open(&loop, fn, arg, options, config, /* shard= */ NULL);

    if (code)
        return code;
    ouro__loop_run(&loop);
    return ouro__loop_close(&loop);
}

int ouro_run(ouro_task_fn *fn, void *arg, const struct ouro_run_options *options)
{
    struct ring_config config;
    unsigned shard_count;
    int code;

    if (!options)
        options = &ouro__loop_defaults;
    if (ouro__dispatcher)
        return -EBUSY;
    if (!fn)
        return -EINVAL;
    code = ouro__loop_choose_ring(options, /* is_foreign= */ false, &config);
    if (code)
        return code;
    /* Simulated sockets can't be reached from another ring: such a program runs in one. */
    shard_count = config.simulated ? 1 : ouro__shard_count(options);
    if (shard_count == 0)
        return -EINVAL;
    return shard_count == 1 ? run_alone(fn, arg, options, &config)
                            : ouro__shard_run(shard_count, fn, arg, options, &config);
}
