/* SPDX-License-Identifier: MIT */
/*
 * cancel_rows.h - the calls that cancel_test.c interrupts, and what it plays them with
 */
#ifndef OURO_TEST_CANCEL_ROWS_H
#define OURO_TEST_CANCEL_ROWS_H

#include "ouro.h"
#include "ouro_file.h"
#include "ouro_lease.h"
#include "ouro_offload.h"
#include "ouro_process.h"
#include "ouro_signal.h"
#include "ouro_http_client.h"
#include "ouro_http_server.h"
#include "ouro_http_test.h"
#include "ouro_stream.h"
#include "ouro_tls.h"

#include "test.h"

#define SCENE_BYTES 64
#define DATA_BYTES  20000 /* more than the sockets of a scene hold */
#define ROWS_MAX    160

struct row;

/* One victim, one helper, and what they work with. */
struct scene {
    const struct row *row;
    ouro_task_id victim, helper;
    char *buf;             /* of SCENE_BYTES: the victim's, for what it receives */
    char got[SCENE_BYTES]; /* what was in there when the call returned */
    struct ouro_event is_over;
    int64_t deadline;           /* of the victim's time limit */
    struct ouro_timeout *limit; /* while it is set */
    int64_t result;             /* of the call */
    int next;                   /* of the victim's next call */
    bool has_returned;
    bool was_helped;

    int fds[2]; /* connected; the victim uses the first */
    int listener;
    struct ouro_address address;
    size_t fill;     /* bytes in the socket before the call */
    size_t moved;    /* what the call tells beside its result */
    size_t sent;     /* by the helper */
    size_t heard;    /* bytes of `data` that arrived */
    bool is_garbled; /* others than those arrived */
    int value;
    ouro_task_id ids[2];
    struct ouro_event events[2];
    struct ouro_mutex mutex;
    struct ouro_semaphore semaphore;
    struct ouro_cond cond;
    struct ouro_rwlock rwlock;
    struct ouro_channel channels[2];
    int items[2]; /* their buffers */
    struct ouro_future future;
    struct ouro_mailbox mailbox;
    struct ouro_message message, *received;
    struct ouro_stream *stream, *peer;
    struct ouro_http_response *response;
    struct ouro_http_app *app;
    struct ouro_tls_context *context;
    struct ouro_dir *directory;
    struct ouro_receiver receiver;
    struct ouro_process process;
    struct ouro_signal_watch watch;
    int more_fds[2];

    char data[DATA_BYTES]; /* last: only where the row USES_DATA */
};

enum row_flags {
    NEVER_INTERRUPTED = 1, /* a clean-up call */
    NEVER_COMPLETES = 2,
    NEEDS_HELP = 4,   /* an interruption alone does not end it */
    HELPER_STAYS = 8, /* the helper must be told to end */
    USES_DATA = 16,
    IS_SLOW = 32,
    SIM_ONLY = 64,
    KERNEL_ONLY = 128,
    MAY_BEGIN = 256 /* although it was interrupted before, when it need not wait */
};

/* Functions that may be missing are NULL. */
struct row {
    const char *name; /* of the call, and what else tells it from other rows */
    void (*set_up)(struct scene *scene);
    int64_t (*call)(struct scene *scene); /* by the victim */
    void (*help)(struct scene *scene);    /* by the helper: lets the call succeed */
    void (*check)(struct scene *scene);   /* that nothing was lost; and cleans up */
    unsigned flags;
    void (*leave)(struct scene *scene);   /* by the victim, in the end: clean-up calls only */
    void (*perform)(struct scene *scene); /* lets somebody else become the victim */
};

extern const struct row rows[];
extern const size_t row_count;

/* Calls without a row, and without a reason to have one. */
extern const char *const exemptions[];
extern const size_t exemption_count;

/* For `perform`: what a victim does, and who it is. */
int scene_perform(struct scene *scene);
void scene_watch(struct scene *scene, ouro_task_id victim);

/* Fills `data` with what scene_hear() knows. */
void scene_fill_data(struct scene *scene);

#endif /* OURO_TEST_CANCEL_ROWS_H */
