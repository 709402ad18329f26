/* SPDX-License-Identifier: MIT */
/*
 * loop.h - what the tests of tasks share: loops, logs, pairs of sockets, child processes
 */
#ifndef OURO_TEST_LOOP_H
#define OURO_TEST_LOOP_H

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ouro.h"

#include "test.h"

/* --- loops --------------------------------------------------------------------------------- */

/* Runs `fn(arg)` on a ring with `sq_entries` (0: as many as usual). */
static inline int run_with(const char *ring, unsigned sq_entries, ouro_task_fn *fn, void *arg)
{
    struct ouro_run_options options = {.ring = ring, .sq_entries = sq_entries};

    return ouro_run(fn, arg, &options);
}

static inline int run_sim(ouro_task_fn *fn, void *arg)
{
    return run_with(test_sim_ring(), 0, fn, arg);
}

/* On the simulated ring and, where there is one, on the kernel's; a test function returns 0. */
static inline void run_on_each_ring(ouro_task_fn *fn, void *arg)
{
    CU_ASSERT_EQUAL(run_sim(fn, arg), 0);
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, fn, arg), 0);
}

/* --- logs ---------------------------------------------------------------------------------- */

/* What happened, in order, as text: to be compared with what should have. */
struct log {
    char text[256];
    size_t len;
};

static inline void log_add(struct log *log, const char *what)
{
    size_t len = strlen(what);

    if (log->len + len >= sizeof(log->text))
        len = sizeof(log->text) - 1 - log->len;
    memcpy(log->text + log->len, what, len);
    log->len += len;
    log->text[log->len] = '\0';
}

/* --- sockets ------------------------------------------------------------------------------- */

static inline int listen_at(const char *text, struct ouro_address *ret_address)
{
    int fd = ouro_address_parse(text, -1, ret_address);

    if (!fd)
        fd = ouro_listen(ret_address, 0);
    if (fd >= 0)
        CU_ASSERT_EQUAL(ouro_getsockname(fd, ret_address), 0);
    return fd;
}

static inline int listen_locally(struct ouro_address *ret_address)
{
    return listen_at("127.0.0.1:0", ret_address);
}

/* On an address that no other process uses, so that nobody takes its port once it is free. */
static inline int listen_privately(struct ouro_address *ret_address)
{
    unsigned pid = (unsigned) getpid();
    char text[32];

    (void) snprintf(text, sizeof(text), "127.%u.%u.%u:0", 1 + (pid >> 16) % 254, (pid >> 8) % 256,
                    pid % 256);
    return listen_at(text, ret_address);
}

/* A new socket that is connected to `address`; a connect needs no accept to succeed. */
static inline int connect_to(const struct ouro_address *address)
{
    int fd = ouro_socket(address->sockaddr.sa_family, SOCK_STREAM, 0);

    if (fd >= 0)
        CU_ASSERT_EQUAL(ouro_connect(fd, &address->sockaddr, address->len), 0);
    return fd;
}

/* Two sockets that are connected by TCP. */
static inline void make_pair(int fds[2])
{
    struct ouro_address address;
    int listener = listen_locally(&address);

    fds[0] = connect_to(&address);
    fds[1] = ouro_accept(listener, NULL);
    CU_ASSERT(listener >= 0 && fds[0] >= 0 && fds[1] >= 0);
    CU_ASSERT_EQUAL(ouro_close(listener), 0);
}

static inline void close_pair(const int fds[2])
{
    CU_ASSERT_EQUAL(ouro_close(fds[0]), 0);
    CU_ASSERT_EQUAL(ouro_close(fds[1]), 0);
}

/* --- child processes ----------------------------------------------------------------------- */

/* How a child ended, and what it wrote to stderr. */
struct child {
    int status; /* of waitpid(2) */
    char text[4096];
};

#define CHILD_SECONDS 20

/* In the child: no core file, its own watchdog, and stderr goes to the parent. */
static inline void become_child(int stderr_fd)
{
    const struct rlimit no_core = {0, 0};

    (void) setrlimit(RLIMIT_CORE, &no_core);
    (void) signal(SIGALRM, SIG_DFL);
    (void) alarm(CHILD_SECONDS);
    (void) dup2(stderr_fd, STDERR_FILENO);
}

static inline void read_all(int fd, char *text, size_t text_bytes)
{
    size_t len = 0;
    ssize_t got;

    while (len < text_bytes - 1 && (got = read(fd, text + len, text_bytes - 1 - len)) > 0)
        len += (size_t) got;
    text[len] = '\0';
}

/*
 * Runs `fn(arg)` in a child, whose exit status it returns. Assertions in there count for
 * nothing: what the parent is to know must be in the status or in the text.
 */
static inline struct child run_in_child(int (*fn)(void *arg), void *arg)
{
    struct child child = {.status = -1};
    int pipe_fds[2];
    pid_t pid;

    if (pipe(pipe_fds))
        return child;
    (void) fflush(NULL);
    pid = fork();
    if (pid == 0) {
        (void) close(pipe_fds[0]);
        become_child(pipe_fds[1]);
        _exit(fn(arg));
    }
    (void) close(pipe_fds[1]);
    read_all(pipe_fds[0], child.text, sizeof(child.text));
    (void) close(pipe_fds[0]);
    (void) waitpid(pid, &child.status, 0);
    return child;
}

static inline bool exited_with(const struct child *child, int code)
{
    return WIFEXITED(child->status) && WEXITSTATUS(child->status) == code;
}

static inline bool was_killed_by(const struct child *child, int number)
{
    return WIFSIGNALED(child->status) && WTERMSIG(child->status) == number;
}

static inline bool said(const struct child *child, const char *what)
{
    return strstr(child->text, what) != NULL;
}

/* Whether a CHECK() ended a child that runs `fn` as main task on the simulated ring, and how. */
static inline int child_main(void *fn)
{
    (void) run_with("sim:seed=1", 0, *(ouro_task_fn **) fn, NULL);
    return 0;
}

static inline bool is_checked(ouro_task_fn *fn, const char *meaning)
{
    struct child child = run_in_child(child_main, &fn);

    if (was_killed_by(&child, SIGABRT) && said(&child, meaning))
        return true;
    printf("    the child's status is 0x%x; it said: %s\n", (unsigned) child.status, child.text);
    return false;
}

#endif /* OURO_TEST_LOOP_H */
