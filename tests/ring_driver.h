/* SPDX-License-Identifier: MIT */
/*
 * ring_driver.h - driving a ring by hand, for the tests below the dispatcher
 *
 * An operation is started with an SQE and gets a tag; completions are kept by tag until
 * somebody asks. Tags start over when all are used up: no test has many in flight.
 */
#ifndef OURO_RING_DRIVER_H
#define OURO_RING_DRIVER_H

#include <errno.h>
#include <string.h>

#include "ouro_base.h"
#include "ring.h"

#define DRIVER_TAGS     1024
#define DRIVER_PATIENCE (5 * OURO_SECOND) /* for what has to complete */
#define DRIVER_SETTLE   (2 * OURO_MILLISECOND)

struct driver {
    struct ring ring;
    unsigned tag_count;
    unsigned in_flight_count;
    bool is_done[DRIVER_TAGS];
    int results[DRIVER_TAGS];
};

static inline int driver_open(struct driver *driver, const char *spec)
{
    struct ring_config config;
    struct ring_hint hint;
    int code = ouro__ring_parse(spec, &config, &hint);

    memset(driver, 0, sizeof(*driver));
    if (!code)
        config.sq_entries = 64;
    return code ? code : ouro__ring_open(&driver->ring, &config, &hint);
}

static inline void driver_close(struct driver *driver)
{
    ouro__ring_close(&driver->ring);
}

static inline void driver_reap(struct driver *driver)
{
    while (ouro__ring_completed(&driver->ring) > 0) {
        const struct io_uring_cqe *cqe = ouro__ring_peek(&driver->ring);

        driver->results[cqe->user_data % DRIVER_TAGS] = cqe->res;
        driver->is_done[cqe->user_data % DRIVER_TAGS] = true;
        driver->in_flight_count--;
        ouro__ring_pop(&driver->ring);
    }
}

/* Queues a copy of `sqe` without submitting it; returns its tag. */
static inline unsigned driver_queue(struct driver *driver, const struct io_uring_sqe *sqe)
{
    unsigned tag = driver->tag_count++ % DRIVER_TAGS;
    struct io_uring_sqe *slot = ouro__ring_get_sqe(&driver->ring);

    *slot = *sqe;
    slot->user_data = tag + DRIVER_TAGS; /* none is RING_IGNORED */
    driver->is_done[tag] = false;
    driver->in_flight_count++;
    return tag;
}

static inline unsigned driver_start(struct driver *driver, const struct io_uring_sqe *sqe)
{
    unsigned tag = driver_queue(driver, sqe);

    (void) driver->ring.backend->enter(&driver->ring, false, 0);
    driver_reap(driver);
    return tag;
}

/* Waits for this operation; -ETIME when it does not come. */
static inline int driver_wait(struct driver *driver, unsigned tag)
{
    const struct ring_backend *backend = driver->ring.backend;
    int64_t deadline = backend->now(&driver->ring) + DRIVER_PATIENCE;

    while (!driver->is_done[tag]) {
        (void) backend->enter(&driver->ring, true, deadline);
        driver_reap(driver);
        if (!driver->is_done[tag] && backend->now(&driver->ring) >= deadline)
            return -ETIME;
    }
    return driver->results[tag];
}

static inline int driver_do(struct driver *driver, const struct io_uring_sqe *sqe)
{
    return driver_wait(driver, driver_start(driver, sqe));
}

/* Lets happen what can happen by itself. */
static inline void driver_settle(struct driver *driver)
{
    const struct ring_backend *backend = driver->ring.backend;
    int64_t deadline = backend->now(&driver->ring) + DRIVER_SETTLE;

    while (driver->in_flight_count > 0 && backend->now(&driver->ring) < deadline) {
        (void) backend->enter(&driver->ring, true, deadline);
        driver_reap(driver);
    }
}

static inline int driver_cancel(struct driver *driver, unsigned tag)
{
    struct io_uring_sqe sqe = {0};

    io_uring_prep_cancel64(&sqe, tag + DRIVER_TAGS, 0);
    return driver_do(driver, &sqe);
}

static inline int driver_shutdown(struct driver *driver, int fd, int how)
{
    return driver->ring.backend->shutdown(&driver->ring, fd, how);
}

/* After a close: an SQ thread lets go of the file before it takes the next entry. See ouro_close(). */
static inline void driver_let_close(struct driver *driver)
{
    struct io_uring_sqe sqe = {0};

    io_uring_prep_nop(&sqe);
    if (driver->ring.mode == RING_SQPOLL)
        (void) driver_do(driver, &sqe);
}

static inline int driver_close_fd(struct driver *driver, int fd)
{
    struct io_uring_sqe sqe = {0};
    int result;

    io_uring_prep_close(&sqe, fd);
    result = driver_do(driver, &sqe);
    driver_let_close(driver);
    return result;
}

#endif /* OURO_RING_DRIVER_H */
