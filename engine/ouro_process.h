/* SPDX-License-Identifier: MIT */
/*
 * ouro_process.h - child processes for tasks
 *
 * A process is started, talked to through pipes with ouro_read() and ouro_write(), waited for,
 * and cleaned up; each step suspends the calling task only. It is held by a descriptor (pidfd),
 * so that no call can hit a stranger who got the number of a process that is gone, and no
 * SIGCHLD handler is involved.
 *
 *     struct ouro_process_output output;
 *     const char *argv[] = {"sort", "-u", NULL};
 *     struct ouro_process_options options = {
 *         .argv = argv, .in = {OURO_PROCESS_PIPE, 0}, .out = {OURO_PROCESS_PIPE, 0}};
 *
 *     code = ouro_process_run(&options, text, text_len, 1 << 20, &output);
 *
 * Who else in the process reaps children (waitpid(-1), SIGCHLD ignored) takes their status away:
 * the calls below then say -ECHILD.
 *
 * On the simulated ring there are no processes: spawning one is -ENOSYS.
 */
#ifndef OURO_PROCESS_H
#define OURO_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "ouro_base.h"

OURO_BEGIN_DECLS

/* What a child has as one of its standard descriptors. */
enum ouro_process_stdio_kind {
    OURO_PROCESS_INHERIT, /* what the parent has */
    OURO_PROCESS_NULL,    /* /dev/null */
    OURO_PROCESS_PIPE,    /* a pipe, whose other end is in struct ouro_process */
    OURO_PROCESS_FD,      /* a copy of `fd` */
    OURO_PROCESS_OUT      /* for `err` only: the same as the child's `out` */
};

struct ouro_process_stdio {
    enum ouro_process_stdio_kind kind;
    int fd; /* of OURO_PROCESS_FD: borrowed by the spawn */
};

enum ouro_process_flags {
    OURO_PROCESS_NEW_GROUP = 1,   /* it leads a process group of its own: setpgid(2) */
    OURO_PROCESS_NEW_SESSION = 2, /* it leads a session, and a group: setsid(2) */
    OURO_PROCESS_KEEP_FDS = 4,    /* see ouro_process_spawn() */
    OURO_PROCESS_KEEP_OUTPUT = 8  /* see ouro_process_communicate() */
};

struct ouro_process_options {
    const char *const *argv; /* ends with NULL; argv[0] without a slash is looked for in PATH */
    const char *const *envp; /* ends with NULL; NULL: the parent's environment */
    const char *cwd;         /* where it starts, also for a relative argv[0]; NULL: as the parent */
    struct ouro_process_stdio in, out, err;
    unsigned flags; /* OURO_PROCESS_*, or-ed together */
};

struct ouro_process {
    pid_t pid;
    /* Our ends of pipes; -1: none. To close one early, ouro_close() it and set it to -1. */
    int in_fd;  /* to write to */
    int out_fd; /* to read from */
    int err_fd;
    /* private */
    int pid_fd;
    int status;
    bool has_ended; /* `status` is valid, and the kernel has forgotten the pid */
    bool leads_group;
    bool keeps_output;
};

/*
 * ouro_process_spawn - start a program in a new process
 *
 * The child has default dispositions for all signals and blocks none. Of descriptors it has the
 * standard ones; others are closed, also those that somebody opened without close-on-exec,
 * unless OURO_PROCESS_KEEP_FDS lets it keep these.
 *
 * The parent's thread stands still until the child has begun the program, hence that is a thread
 * of ouro_offload(). Memory is not copied, however large the parent is, and the parent's
 * pthread_atfork() handlers don't run.
 *
 * Context: task, may suspend.
 * Returns: 0 and the process, to be ended with ouro_process_done(); -EINVAL for bad options;
 *          -ENOENT, -EACCES, -ENOEXEC and others of execve(2), or of chdir(2) for `cwd`;
 *          -EBADF for a bad fd; -EMFILE, -ENFILE, -ENOMEM, -EAGAIN; -ECHILD when somebody else
 *          reaped it at once; -ENOSYS on the simulated ring; -ECANCELED, -ETIMEDOUT: then
 *          nothing was started.
 */
OURO_API OURO_TASK int ouro_process_spawn(const struct ouro_process_options *options,
                                          struct ouro_process *ret_process);

/*
 * ouro_process_wait - wait until a process has ended
 * @ret_status: as waitpid(2) gives it: ask ouro_process_exit_code() and its sister; may be NULL
 *
 * May be called again, and by several tasks. An interrupted wait leaves the process as it is.
 *
 * Context: task, may suspend.
 * Returns: 0; -ECHILD when somebody else took its status; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_process_wait(struct ouro_process *process, int *ret_status);

/* ouro_process_exit_code - 0 to 255; -1 when a signal ended the process. Context: any thread. */
OURO_API int ouro_process_exit_code(int status);

/* ouro_process_signal - the signal that ended the process; 0: none did. Context: any thread. */
OURO_API int ouro_process_signal(int status);

/*
 * ouro_process_kill - send a signal to a process
 * @signal: 0 only asks whether that is possible
 *
 * Context: loop thread.
 * Returns: 0, also when it has ended and nobody waited for it yet; -ESRCH when it is known to
 *          have ended; -EPERM, -EINVAL.
 */
OURO_API int ouro_process_kill(struct ouro_process *process, int signal);

/*
 * ouro_process_kill_group - send a signal to the process and to its descendants in its group
 *
 * Context: loop thread.
 * Returns: as ouro_process_kill(), and -EINVAL for a process that was spawned neither with
 *          OURO_PROCESS_NEW_GROUP nor with OURO_PROCESS_NEW_SESSION.
 */
OURO_API int ouro_process_kill_group(struct ouro_process *process, int signal);

/*
 * ouro_process_done - clean up: the process has ended, no zombie is left, descriptors are closed
 *
 * A process that still runs is killed with SIGKILL, and so is its group if it leads one. Never
 * fails, and an interruption does not end it. A zeroed struct and one that is done are allowed.
 *
 * Context: task, may suspend.
 */
OURO_API OURO_TASK void ouro_process_done(struct ouro_process *process);

/* What a process wrote, and how it ended. */
struct ouro_process_output {
    char *out, *err; /* a zero byte follows; never NULL after a success */
    size_t out_len, err_len;
    int status;
};

/*
 * ouro_process_communicate - write input, read all output, wait for the end
 * @input:     written to the process's pipe, which is then closed; without a pipe it must be empty
 * @limit:     bytes of out, and again of err
 * @ret_output: owned, free with ouro_process_output_done(); of what is no pipe there is ""
 *
 * All of it at once: neither side can fill a pipe and wait for the other. A process that does not
 * read all of its input is no error. Output ends when all who hold the pipe have closed it,
 * descendants included. A call that fails leaves the process to ouro_process_done(), and drops what
 * it had read; if the process was spawned with OURO_PROCESS_KEEP_OUTPUT it writes `ret_output` all the
 * same, always: what there was until a time limit ran out, say, or the first `limit` bytes. It is
 * owned then as well. The texts are NULL only where there was nothing to read from or no memory.
 *
 * Context: task, may suspend.
 * Returns: 0, however the process ended; OURO_ELIMIT; -EINVAL for input without a pipe; -ENOMEM;
 *          -ECHILD; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_process_communicate(struct ouro_process *process, const void *input,
                                                size_t input_len, size_t limit,
                                                struct ouro_process_output *ret_output);

/* ouro_process_output_done - free the texts. Context: any thread. Zeroed or done: allowed. */
OURO_API void ouro_process_output_done(struct ouro_process_output *output);

/*
 * ouro_process_run - spawn, communicate, done
 *
 * When it fails, and when it is interrupted, the process has ended as well; with
 * OURO_PROCESS_KEEP_OUTPUT the output's status then says how: by SIGKILL, mostly.
 *
 * Context, returns: as the three.
 */
OURO_API OURO_TASK int ouro_process_run(const struct ouro_process_options *options,
                                        const void *input, size_t input_len, size_t limit,
                                        struct ouro_process_output *ret_output);

OURO_END_DECLS

#endif /* OURO_PROCESS_H */
