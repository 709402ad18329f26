/* SPDX-License-Identifier: MIT */
/*
 * multi_process - an echo server of several processes, and a master that keeps them running
 *
 * Shows:  fork in a task, whose child runs a loop of its own; a listener per process for one
 *         address; waiting for processes with ouro_poll; a shield around the end of a server.
 * Run:    build/examples/multi_process [--listen ADDR:PORT] [--workers N] [--drain MILLISECONDS]
 * Prints: Listening on 127.0.0.1:7778 with 2 workers...
 *         worker 4712 serves            (one per process, also for those started later)
 *         Each connection is greeted with the worker's pid. After Ctrl-C or SIGTERM workers accept
 *         no more, let connections finish for as long as --drain says (5000), and the master ends
 *         when all have. A worker that died is replaced; if the master dies, so do its workers.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ouro.h"

#define EXIT_HOPELESS 3 /* of a worker that can't serve: another one could not either */
#define GRACE         (1 * OURO_SECOND)
#define PAUSE         (100 * OURO_MILLISECOND) /* between workers that die young */

struct settings {
    struct ouro_address address; /* with the port that is taken */
    int worker_count;
    int64_t drain;
};

/* --- a worker ------------------------------------------------------------------------------------ */

static int echo(void *arg)
{
    int fd = *(int *) arg;
    char buf[4096];
    ssize_t len = snprintf(buf, sizeof(buf), "worker %d\n", (int) getpid());

    while (len > 0 && !ouro_send_all(fd, buf, (size_t) len, NULL))
        len = ouro_recv(fd, buf, sizeof(buf), 0);
    (void) ouro_close(fd);
    return 0;
}

/* Until the master or a signal ends it. */
static int serve(void *arg)
{
    const struct ouro_spawn_options options = {.stack = OURO_STACK_64K, .arg_bytes = sizeof(int)};
    const struct settings *settings = arg;
    int listener = ouro_listen_shared(&settings->address, 0), fd;
    struct ouro_group connections;
    struct ouro_shield shield;

    if (listener < 0)
        return listener;
    printf("worker %d serves\n", (int) getpid());
    (void) fflush(stdout);
    ouro_group_init_with(&connections, OURO_GROUP_INDEPENDENT);
    while ((fd = ouro_accept(listener, NULL)) != -ECANCELED)
        if (fd < 0) /* such as -EMFILE, which passes when others hang up */
            (void) ouro_sleep(10 * OURO_MILLISECOND);
        else if (ouro_group_spawn_with(&connections, echo, &fd, &options))
            (void) ouro_close(fd);
    (void) ouro_close(listener);
    ouro_shield_begin(&shield, settings->drain);
    (void) ouro_group_wait(&connections); /* when the shield falls, cancels those that are left */
    ouro_shield_end(&shield);
    return 0;
}

/* The child. Of the master's descriptors it keeps only stdin, stdout and stderr. */
static int be_worker(const struct settings *settings, pid_t master)
{
    int code;

    (void) close_range(STDERR_FILENO + 1, ~0u, 0);
    (void) setpgid(0, 0); /* a terminal's Ctrl-C is for the master, who tells us */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != master)
        return 1;
    code = ouro_run(serve, (void *) (uintptr_t) settings, NULL);
    if (code)
        fprintf(stderr, "worker %d: %s\n", (int) getpid(), ouro_strerror(code));
    return code ? EXIT_HOPELESS : 0;
}

/* --- the master ---------------------------------------------------------------------------------- */

/* Waits for the end of a process; within a limit, if there is one around. */
static int await(pid_t pid, int pidfd, int *ret_status)
{
    int events = ouro_poll(pidfd, POLLIN);

    if (events < 0)
        return events;
    return waitpid(pid, ret_status, 0) == pid ? 0 : -ECHILD; /* does not block */
}

/* Asks a worker to end, and makes it end if it takes too long. */
static void end_worker(pid_t pid, int pidfd, int64_t limit)
{
    struct ouro_shield shield;
    int status;

    (void) kill(pid, SIGTERM);
    ouro_shield_begin(&shield, limit);
    if (await(pid, pidfd, &status)) {
        fprintf(stderr, "worker %d did not end in time\n", (int) pid);
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, &status, 0);
    }
    ouro_shield_end(&shield);
}

/* Starts a worker, and returns when it has ended. Returns its status of waitpid(2), or -errno. */
static int run_worker(const struct settings *settings)
{
    pid_t master = getpid(), pid = fork();
    int pidfd, status = 0, code;

    if (pid == 0)
        _exit(be_worker(settings, master));
    if (pid < 0)
        return -errno;
    pidfd = pidfd_open(pid, 0);
    code = pidfd < 0 ? -errno : await(pid, pidfd, &status);
    if (code) /* -ECANCELED, if nothing is wrong */
        end_worker(pid, pidfd, settings->drain + GRACE);
    if (pidfd >= 0)
        (void) ouro_close(pidfd);
    return code ? code : status;
}

/* A task for each worker: when it ends, the next one begins. */
static int keep_worker(void *arg)
{
    const struct settings *settings = arg;

    for (;;) {
        int64_t began = ouro_now();
        int status = run_worker(settings), code = 0;

        if (status < 0)
            return status;
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_HOPELESS)
            return -ECHILD; /* it has said why */
        if (ouro_now() - began < PAUSE)
            code = ouro_sleep(PAUSE);
        if (code)
            return code;
    }
}

static int keep_all(void *arg)
{
    const struct settings *settings = arg;
    struct ouro_group keepers;
    int code = 0, failure;

    ouro_group_init(&keepers); /* the first that gives up ends all */
    for (int i = 0; i < settings->worker_count && !code; i++)
        code = ouro_group_spawn(&keepers, keep_worker, arg);
    if (code)
        ouro_group_cancel(&keepers);
    failure = ouro_group_wait(&keepers); /* until Ctrl-C */
    return code ? code : failure;
}

/* --- the command line ---------------------------------------------------------------------------- */

static int cpu_count(void)
{
    cpu_set_t cpus;

    return sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);
}

/* Takes the port, so that workers can come and go. It does not listen: nobody connects to it. */
static int take_port(struct ouro_address *address)
{
    const int yes = 1;
    int fd = socket(address->sockaddr.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(address->in6);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)) ||
        bind(fd, &address->sockaddr, address->len) || getsockname(fd, &address->sockaddr, &len))
        return -errno;
    return fd;
}

static int run_master(struct settings *settings)
{
    char text[OURO_ADDRESS_TEXT_MAX];
    int fd = take_port(&settings->address), code = fd;

    (void) ouro_address_format(&settings->address, text);
    if (fd >= 0) {
        printf("Listening on %s with %d workers...\n", text, settings->worker_count);
        (void) fflush(stdout); /* a child would write it again */
        code = ouro_run(keep_all, settings, NULL);
        (void) close(fd);
    }
    if (code)
        fprintf(stderr, "multi_process: %s: %s\n", text, ouro_strerror(code));
    return code ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct settings settings = {.worker_count = cpu_count(), .drain = 5 * OURO_SECOND};
    const char *listen = "127.0.0.1:7778";
    bool is_understood = true;

    for (int i = 1; i < argc && is_understood; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--listen") == 0)
            listen = value;
        else if (strcmp(argv[i], "--workers") == 0)
            settings.worker_count = atoi(value);
        else if (strcmp(argv[i], "--drain") == 0)
            settings.drain = atoi(value) * OURO_MILLISECOND;
        else
            is_understood = false;
    }
    if (!is_understood || settings.worker_count < 1 ||
        ouro_address_parse(listen, -1, &settings.address)) {
        fprintf(stderr, "usage: multi_process [--listen ADDR:PORT] [--workers N] [--drain MS]\n");
        return 2;
    }
    return run_master(&settings);
}
