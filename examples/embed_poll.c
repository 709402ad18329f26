/* SPDX-License-Identifier: MIT */
/*
 * embed_poll - ouro inside somebody else's poll(2) loop
 *
 * Shows:  ouro_loop_create, ouro_loop_fd, ouro_loop_next, ouro_loop_turn, ouro_loop_destroy; how
 *         timers and descriptors of the foreign loop and tasks of ouro go on side by side.
 * Run:    build/examples/embed_poll
 * Prints: three lines that a task writes to the foreign loop, each followed by the answer that a
 *         timer of the foreign loop makes, and what another task did meanwhile
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ouro.h"

#define ANSWER_AFTER (20 * OURO_MILLISECOND)

/* --- what runs in ouro ------------------------------------------------------------------------ */

static int tick(void *arg)
{
    int code = 0, ticks = 0;

    (void) arg;
    while (!code && ticks < 10) {
        code = ouro_sleep(1 * OURO_MILLISECOND);
        ticks += !code;
    }
    return code ? code : ticks;
}

static int converse(void *arg)
{
    static const char *const lines[] = {"one\n", "two\n", "three\n"};
    int fd = *(int *) arg, ticks = 0, code = 0;
    ouro_task_id ticker = ouro_spawn(tick, NULL);
    char answer[3];

    for (int i = 0; i < 3 && !code; i++) {
        code = ouro_send_all(fd, lines[i], strlen(lines[i]), NULL);
        if (!code)
            code = ouro_recv_exact(fd, answer, sizeof(answer), NULL);
        if (!code)
            printf("task:      %.3s", answer);
    }
    (void) ouro_shutdown(fd, SHUT_WR);
    if (!code)
        code = ouro_join(ticker, &ticks);
    if (!code)
        printf("task:      the other one ticked %d times\n", ticks);
    return code;
}

/* --- the foreign loop ------------------------------------------------------------------------- */

struct foreign {
    int fd;         /* lines come from here; -1: no more */
    int64_t answer; /* when its timer fires; OURO_FOREVER: it is not armed */
};

static void read_line(struct foreign *self)
{
    char line[16];
    ssize_t len = read(self->fd, line, sizeof(line));

    if (len <= 0) {
        self->fd = -1; /* poll(2) passes it over */
        return;
    }
    printf("poll loop: %.*s", (int) len, line);
    self->answer = ouro_now() + ANSWER_AFTER;
}

static void look_at_timer(struct foreign *self)
{
    if (ouro_now() < self->answer)
        return;
    self->answer = OURO_FOREVER;
    (void) !write(self->fd, "ok\n", 3);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void poll_for_both(struct foreign *self, struct ouro_loop *loop)
{
    struct pollfd fds[] = {{.fd = self->fd, .events = POLLIN},
                           {.fd = ouro_loop_fd(loop), .events = POLLIN}};

    do {
        int64_t own_wait = self->answer == OURO_FOREVER ? OURO_FOREVER : self->answer - ouro_now();
        int64_t wait = earlier(ouro_loop_next(loop), own_wait < 0 ? 0 : own_wait);

        fds[0].fd = self->fd;
        (void) poll(fds, 2, wait == OURO_FOREVER ? -1 : (int) ((wait + 999999) / 1000000));
        if (fds[0].revents)
            read_line(self);
        look_at_timer(self);
    } while (ouro_loop_turn(loop, 0));
}

int main(void)
{
    const struct ouro_run_options options = {.ring = "uring", .keep_signals = true};
    struct foreign foreign = {.answer = OURO_FOREVER};
    struct ouro_loop *loop;
    int fds[2], code;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
        return 1;
    foreign.fd = fds[0];
    code = ouro_loop_create(converse, &fds[1], &options, &loop); /* says what it lacks */
    if (!code) {
        poll_for_both(&foreign, loop);
        code = ouro_loop_destroy(loop);
    }
    (void) close(fds[0]);
    (void) close(fds[1]);
    return code ? 1 : 0;
}
