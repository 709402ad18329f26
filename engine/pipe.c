/* SPDX-License-Identifier: MIT */
/*
 * pipe.c - pipes, and splice; see ouro_file.h
 *
 * IORING_OP_SPLICE always goes to a worker thread. splice(2) called directly, and a poll
 * through the ring when it would wait, is two to three times cheaper.
 */
#include <errno.h>
#include <poll.h>

#include "dispatcher.h"
#include "ouro_file.h"
#include "ouro_socket.h"
#include "ouro_timer.h"

/* How often a socket is tried again of which poll says nothing but POLLERR. */
#define ERROR_CHECK_NS OURO_MILLISECOND

/* The kernel's limit for one transfer (MAX_RW_COUNT), which also keeps results in an int. */
#define TRANSFER_MAX ((size_t) 0x7ffff000)

int ouro_pipe(int ret_fds[2])
{
    struct ring *ring;

    (void) ouro__dispatcher_task("ouro_pipe() needs a task");
    ring = &ouro__dispatcher->ring;
    return ring->backend->pipe(ring, ret_fds);
}

/*
 * Returns 0, or an error. An error alone need not be one that splice tells of: a socket's error
 * queue has the time stamps of what was sent (MSG_ERRQUEUE), and as long as nobody reads them poll
 * does not wait.
 */
static int wait_for(int fd, unsigned event)
{
    int result = ouro_poll(fd, event);

    if (result == POLLERR)
        return ouro_sleep(ERROR_CHECK_NS);
    return result < 0 ? result : 0;
}

/*
 * Waits until the input has something and then until the output takes something. Whichever end it
 * was that could not go on, the task waits for that one; the other's poll returns at once.
 */
static int wait_for_both(int fd_in, int fd_out)
{
    int code = wait_for(fd_in, POLLIN);

    return code ? code : wait_for(fd_out, POLLOUT);
}

ssize_t ouro_splice(int fd_in, int64_t *offset_in, int fd_out, int64_t *offset_out, size_t len,
                    unsigned flags)
{
    int code;

    (void) ouro__dispatcher_task("ouro_splice() needs a task");
    code = ouro__task_interruption();
    if (!code && len == 0)
        return 0; /* as splice(2), which looks at nothing else then */
    if (len > TRANSFER_MAX)
        len = TRANSFER_MAX;
    while (!code) {
        struct ring *ring = &ouro__dispatcher->ring;
        int result = ring->backend->splice(ring, fd_in, offset_in, fd_out, offset_out, len, flags);

        if (result != -EAGAIN) {
            ouro__task_charge();
            return result;
        }
        code = wait_for_both(fd_in, fd_out);
    }
    return code;
}
