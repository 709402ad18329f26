/* SPDX-License-Identifier: MIT */
/*
 * process.c - child processes for tasks; see ouro_process.h
 *
 * posix_spawn(3) starts them: it copies no memory, runs no fork handlers, resets signals, and
 * reports a failed exec by its own result. It stops the thread that calls it until the exec,
 * which is therefore one of offload.c's.
 *
 * The pidfd is polled through the ring. Neither a SIGCHLD handler nor a thread that waits is
 * needed, and waitid(2) takes the status of this one child only.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dispatcher.h"
#include "offload.h"
#include "ouro_file.h"
#include "ouro_process.h"
#include "ouro_socket.h"

#define STDIO_COUNT 3
#define STATUS_LOST (-1) /* somebody else reaped it */

/* --- descriptors for the child -------------------------------------------------------------- */

/* What becomes 0, 1 and 2 of the child: -1 for what needs no descriptor of ours. */
struct child_fds {
    int fds[STDIO_COUNT];
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void) close(*fd);
    *fd = -1;
}

/* Above the standard ones, so that giving the child one of those overwrites no other. */
static int copy_above_stdio(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDIO_COUNT);

    return copy < 0 ? -errno : copy;
}

static int move_above_stdio(int fd)
{
    int copy;

    if (fd >= STDIO_COUNT)
        return fd;
    copy = copy_above_stdio(fd);
    (void) close(fd);
    return copy;
}

static int open_pipe(bool child_reads, int *ret_child_fd, int *ret_our_fd)
{
    int fds[2], child_fd;

    if (pipe2(fds, O_CLOEXEC))
        return -errno;
    child_fd = move_above_stdio(child_reads ? fds[0] : fds[1]);
    if (child_fd < 0) {
        (void) close(child_reads ? fds[1] : fds[0]);
        return child_fd;
    }
    *ret_child_fd = child_fd;
    *ret_our_fd = child_reads ? fds[1] : fds[0];
    return 0;
}

static int open_stdio(const struct ouro_process_stdio *stdio, bool child_reads, int *ret_child_fd,
                      int *ret_our_fd)
{
    int fd;

    switch (stdio->kind) {
    case OURO_PROCESS_PIPE:
        return open_pipe(child_reads, ret_child_fd, ret_our_fd);
    case OURO_PROCESS_FD:
        fd = copy_above_stdio(stdio->fd);
        if (fd < 0)
            return fd;
        *ret_child_fd = fd;
        return 0;
    default:
        return 0;
    }
}

static void close_child_fds(struct child_fds *child)
{
    for (size_t i = 0; i < STDIO_COUNT; i++)
        close_fd(&child->fds[i]);
}

static void close_our_fds(struct ouro_process *process)
{
    close_fd(&process->in_fd);
    close_fd(&process->out_fd);
    close_fd(&process->err_fd);
}

static int open_all_stdio(const struct ouro_process_options *options, struct child_fds *child,
                          struct ouro_process *process)
{
    int code = open_stdio(&options->in, true, &child->fds[0], &process->in_fd);

    if (!code)
        code = open_stdio(&options->out, false, &child->fds[1], &process->out_fd);
    if (!code)
        code = open_stdio(&options->err, false, &child->fds[2], &process->err_fd);
    return code;
}

/* --- spawning -------------------------------------------------------------------------------- */

/* What the thread that spawns is to know, and what it answers. */
struct spawn {
    const struct ouro_process_options *options;
    const struct child_fds *child;
    pid_t pid;
    int pid_fd;
};

/* Returns errno's values, as posix_spawn(3) does. */
static int add_stdio(posix_spawn_file_actions_t *actions, const struct ouro_process_stdio *stdio,
                     int child_fd, int number)
{
    switch (stdio->kind) {
    case OURO_PROCESS_NULL:
        return posix_spawn_file_actions_addopen(actions, number, "/dev/null",
                                                number == 0 ? O_RDONLY : O_WRONLY, 0);
    case OURO_PROCESS_OUT:
        return posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, number);
    case OURO_PROCESS_INHERIT:
        return 0;
    default:
        return posix_spawn_file_actions_adddup2(actions, child_fd, number);
    }
}

static int fill_actions(posix_spawn_file_actions_t *actions, const struct spawn *spawn)
{
    const struct ouro_process_options *options = spawn->options;
    const struct ouro_process_stdio *stdios[STDIO_COUNT] = {&options->in, &options->out,
                                                            &options->err};
    int error = 0;

    for (int i = 0; i < STDIO_COUNT && !error; i++)
        error = add_stdio(actions, stdios[i], spawn->child->fds[i], i);
    if (!error && options->cwd)
        error = posix_spawn_file_actions_addchdir_np(actions, options->cwd);
    if (!error && !(options->flags & OURO_PROCESS_KEEP_FDS))
        error = posix_spawn_file_actions_addclosefrom_np(actions, STDIO_COUNT);
    return error;
}

/* A loop ignores SIGPIPE, and pool threads block everything: neither is the child's business. */
static int fill_attributes(posix_spawnattr_t *attributes, unsigned options)
{
    int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    sigset_t all, none;

    /* sigfillset(3) leaves libc's own two out, and those posix_spawn(3) would then ignore. */
    memset(&all, 0xff, sizeof(all));
    (void) sigemptyset(&none);
    if (options & OURO_PROCESS_NEW_SESSION)
        flags |= POSIX_SPAWN_SETSID;
    else if (options & OURO_PROCESS_NEW_GROUP)
        flags |= POSIX_SPAWN_SETPGROUP; /* 0, the default: a new one */
    (void) posix_spawnattr_setsigdefault(attributes, &all);
    (void) posix_spawnattr_setsigmask(attributes, &none);
    return posix_spawnattr_setflags(attributes, (short) flags);
}

/* The public type is the one that literals fit; no one writes to the strings. */
static char *const *unconst(const char *const *strings)
{
    return (char *const *) (uintptr_t) strings;
}

static int spawn_with(struct spawn *spawn, posix_spawn_file_actions_t *actions,
                      posix_spawnattr_t *attributes)
{
    const struct ouro_process_options *options = spawn->options;
    int error = fill_actions(actions, spawn);

    if (!error)
        error = fill_attributes(attributes, options->flags);
    if (!error)
        error =
            posix_spawnp(&spawn->pid, options->argv[0], actions, attributes, unconst(options->argv),
                         options->envp ? unconst(options->envp) : environ);
    return -error;
}

/*
 * Until it is reaped its pid is nobody else's. Somebody else may have reaped it already; then the
 * descriptor, if there is one, is of a process that is not our child.
 */
static int open_pid_fd(struct spawn *spawn)
{
    siginfo_t unused;
    int code = 0;

    spawn->pid_fd = (int) syscall(SYS_pidfd_open, spawn->pid, 0);
    if (spawn->pid_fd < 0)
        code = errno == ESRCH ? -ECHILD : -errno;
    else if (waitid(P_PIDFD, (id_t) spawn->pid_fd, &unused, WEXITED | WNOHANG | WNOWAIT))
        code = -errno;
    if (!code)
        return 0;
    close_fd(&spawn->pid_fd);
    if (code != -ECHILD) {
        (void) kill(spawn->pid, SIGKILL);
        (void) waitpid(spawn->pid, NULL, 0);
    }
    return code;
}

/* On a thread of the pool. */
static int run_spawn(void *arg)
{
    struct spawn *spawn = arg;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int code = -posix_spawn_file_actions_init(&actions);

    if (code)
        return code;
    code = -posix_spawnattr_init(&attributes);
    if (!code) {
        code = spawn_with(spawn, &actions, &attributes);
        (void) posix_spawnattr_destroy(&attributes);
    }
    (void) posix_spawn_file_actions_destroy(&actions);
    return code ? code : open_pid_fd(spawn);
}

static bool is_valid_stdio(const struct ouro_process_stdio *stdio, enum ouro_process_stdio_kind max)
{
    return (unsigned) stdio->kind <= (unsigned) max;
}

static bool is_valid(const struct ouro_process_options *options)
{
    const unsigned known = OURO_PROCESS_NEW_GROUP | OURO_PROCESS_NEW_SESSION |
                           OURO_PROCESS_KEEP_FDS | OURO_PROCESS_KEEP_OUTPUT;

    return options->argv && options->argv[0] && !(options->flags & ~known) &&
           is_valid_stdio(&options->in, OURO_PROCESS_FD) &&
           is_valid_stdio(&options->out, OURO_PROCESS_FD) &&
           is_valid_stdio(&options->err, OURO_PROCESS_OUT);
}

int ouro_process_spawn(const struct ouro_process_options *options, struct ouro_process *ret_process)
{
    struct ouro_process process = {.in_fd = -1, .out_fd = -1, .err_fd = -1, .pid_fd = -1};
    struct child_fds child = {{-1, -1, -1}};
    struct spawn spawn = {.options = options, .child = &child, .pid_fd = -1};
    int code;

    (void) ouro__dispatcher_task("ouro_process_spawn() needs a task");
    if (!is_valid(options))
        return -EINVAL;
    if (ouro__dispatcher->ring.simulated)
        return -ENOSYS;
    code = open_all_stdio(options, &child, &process);
    if (!code)
        code = ouro__offload_call(run_spawn, &spawn);
    close_child_fds(&child);
    if (code) {
        close_our_fds(&process);
        return code;
    }
    process.pid = spawn.pid;
    process.pid_fd = spawn.pid_fd;
    process.keeps_output = options->flags & OURO_PROCESS_KEEP_OUTPUT;
    process.leads_group = options->flags & (OURO_PROCESS_NEW_GROUP | OURO_PROCESS_NEW_SESSION);
    *ret_process = process;
    return 0;
}

/* --- waiting --------------------------------------------------------------------------------- */

/* As waitpid(2) has it. */
static int status_of(const siginfo_t *info)
{
    switch (info->si_code) {
    case CLD_EXITED:
        return W_EXITCODE(info->si_status & 0xff, 0);
    case CLD_DUMPED:
        return W_EXITCODE(0, info->si_status) | WCOREFLAG;
    default:
        return W_EXITCODE(0, info->si_status);
    }
}

static void note_end(struct ouro_process *process, int status)
{
    process->has_ended = true;
    process->status = status;
}

/* Takes the status if the process has ended; `options` may be WNOHANG. */
static void reap(struct ouro_process *process, int options)
{
    siginfo_t info = {.si_pid = 0};
    int failed;

    do {
        failed = waitid(P_PIDFD, (id_t) process->pid_fd, &info, WEXITED | options);
    } while (failed && errno == EINTR);
    if (failed)
        note_end(process, STATUS_LOST);
    else if (info.si_pid)
        note_end(process, status_of(&info));
}

/* Returns the interruption, or what else kept the ring from polling. */
static int await_end(struct ouro_process *process, enum op_manners manners)
{
    while (!process->has_ended) {
        struct op op = {.kind = OP_POLL, .args.poll = {.fd = process->pid_fd, .events = POLLIN}};
        int64_t result = ouro__op_call(&op, manners);

        if (result < 0)
            return (int) result;
        if (!process->has_ended) /* another task may have been first */
            reap(process, WNOHANG);
    }
    return 0;
}

int ouro_process_wait(struct ouro_process *process, int *ret_status)
{
    int code;

    (void) ouro__dispatcher_task("ouro_process_wait() needs a task");
    code = ouro__task_interruption();
    if (!code && process->has_ended)
        ouro__task_charge();
    else if (!code)
        code = await_end(process, OP_INTERRUPTIBLE);
    if (code)
        return code;
    if (process->status == STATUS_LOST)
        return -ECHILD;
    if (ret_status)
        *ret_status = process->status;
    return 0;
}

int ouro_process_exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int ouro_process_signal(int status)
{
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* --- killing --------------------------------------------------------------------------------- */

int ouro_process_kill(struct ouro_process *process, int signal)
{
    if (process->pid <= 0 || process->has_ended)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, process->pid_fd, signal, NULL, 0) ? -errno : 0;
}

/* A group keeps its number as long as its leader is not reaped. */
int ouro_process_kill_group(struct ouro_process *process, int signal)
{
    if (process->pid <= 0 || process->has_ended)
        return -ESRCH;
    if (!process->leads_group)
        return -EINVAL;
    return kill(-process->pid, signal) ? -errno : 0;
}

static void close_for_good(int *fd)
{
    if (*fd >= 0)
        (void) ouro_close(*fd);
    *fd = -1;
}

void ouro_process_done(struct ouro_process *process)
{
    if (process->pid <= 0)
        return;
    if (process->leads_group)
        (void) ouro_process_kill_group(process, SIGKILL);
    (void) ouro_process_kill(process, SIGKILL);
    if (await_end(process, OP_CLEANUP))
        reap(process, 0);
    close_for_good(&process->in_fd);
    close_for_good(&process->out_fd);
    close_for_good(&process->err_fd);
    close_for_good(&process->pid_fd);
    process->pid = 0;
}

/* --- talking --------------------------------------------------------------------------------- */

#define TEXT_BYTES_MIN 4096

/* One task per pipe. */
struct feed {
    int *fd;
    const void *input;
    size_t input_len;
};

struct drain {
    int fd;
    size_t limit;
    char *text; /* text_bytes, of which the last is for a zero byte */
    size_t text_bytes;
    size_t len;
    bool is_complete;
};

static int feed(void *arg)
{
    struct feed *self = arg;
    int code = ouro_write_all(*self->fd, self->input, self->input_len, NULL);

    close_for_good(self->fd);
    return code == -EPIPE ? 0 : code; /* it needs no more */
}

static int make_room(struct drain *self)
{
    size_t bytes = self->text_bytes ? 2 * self->text_bytes : TEXT_BYTES_MIN;
    char *text;

    if (self->len + 1 < self->text_bytes)
        return 0;
    text = realloc(self->text, bytes);
    if (!text)
        return -ENOMEM;
    self->text = text;
    self->text_bytes = bytes;
    return 0;
}

static int drain(void *arg)
{
    struct drain *self = arg;
    ssize_t n = 1;

    while (n > 0) {
        int code = make_room(self);

        if (code)
            return code;
        n = self->fd < 0
                ? 0
                : ouro_read(self->fd, self->text + self->len, self->text_bytes - 1 - self->len);
        if (n > 0)
            self->len += (size_t) n;
        if (self->len > self->limit)
            return OURO_ELIMIT;
    }
    self->text[self->len] = '\0';
    self->is_complete = n == 0;
    return (int) n;
}

/*
 * Until all input is written and all output is read. Members that were cancelled are no error of
 * the group's; their work is undone all the same.
 */
static int exchange(struct ouro_process *process, struct feed *in, struct drain *out,
                    struct drain *err)
{
    struct ouro_group group;
    int code, result;

    ouro_group_init(&group);
    code = ouro_group_spawn(&group, drain, out);
    if (!code)
        code = ouro_group_spawn(&group, drain, err);
    if (!code && process->in_fd >= 0)
        code = ouro_group_spawn(&group, feed, in);
    if (code)
        ouro_group_cancel(&group);
    result = ouro_group_wait(&group);
    if (!code)
        code = result;
    if (!code)
        code = ouro__task_interruption();
    return code || (out->is_complete && err->is_complete) ? code : -ECANCELED;
}

/* What was read, however it ended. Without memory there is no text. */
static void end_text(struct drain *self)
{
    if (self->len > self->limit)
        self->len = self->limit;
    if (!make_room(self))
        self->text[self->len] = '\0';
}

static void hand_over(struct drain *out, struct drain *err, int status,
                      struct ouro_process_output *ret_output)
{
    end_text(out);
    end_text(err);
    *ret_output = (struct ouro_process_output) {.out = out->text,
                                                .err = err->text,
                                                .out_len = out->len,
                                                .err_len = err->len,
                                                .status = status};
}

int ouro_process_communicate(struct ouro_process *process, const void *input, size_t input_len,
                             size_t limit, struct ouro_process_output *ret_output)
{
    struct feed in = {.fd = &process->in_fd, .input = input, .input_len = input_len};
    struct drain out = {.fd = process->out_fd, .limit = limit};
    struct drain err = {.fd = process->err_fd, .limit = limit};
    int code, status = 0;

    if (process->keeps_output)
        memset(ret_output, 0, sizeof(*ret_output));
    if (input_len > 0 && process->in_fd < 0)
        return -EINVAL;
    code = exchange(process, &in, &out, &err);
    if (!code)
        code = ouro_process_wait(process, &status);
    if (!code || process->keeps_output) {
        hand_over(&out, &err, status, ret_output);
    } else {
        free(out.text);
        free(err.text);
    }
    return code;
}

void ouro_process_output_done(struct ouro_process_output *output)
{
    free(output->out);
    free(output->err);
    memset(output, 0, sizeof(*output));
}

int ouro_process_run(const struct ouro_process_options *options, const void *input,
                     size_t input_len, size_t limit, struct ouro_process_output *ret_output)
{
    bool keeps_output = options->flags & OURO_PROCESS_KEEP_OUTPUT;
    struct ouro_process process;
    int code;

    if (keeps_output)
        memset(ret_output, 0, sizeof(*ret_output));
    code = ouro_process_spawn(options, &process);
    if (code)
        return code;
    code = ouro_process_communicate(&process, input, input_len, limit, ret_output);
    ouro_process_done(&process);
    if (code && keeps_output)
        ret_output->status = process.status;
    return code;
}
