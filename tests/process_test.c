/* SPDX-License-Identifier: MIT */
/*
 * process_test.c - tests of engine/process.c: child processes for tasks
 *
 * Each test ends with no child left, not even a zombie, and with as many open descriptors as it
 * began with.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "check.h"
#include "loop.h"
#include "ouro_uring.h"

#define MS      OURO_MILLISECOND
#define PLENTY  ((size_t) 4 << 20)
#define PIPE    {OURO_PROCESS_PIPE, 0}
#define NOTHING {OURO_PROCESS_NULL, 0}

/* --- helpers ------------------------------------------------------------------------------- */

static unsigned count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    while (dir && readdir(dir))
        count++;
    if (dir)
        (void) closedir(dir);
    return count;
}

static bool has_children(void)
{
    return waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
}

struct checked_main {
    ouro_task_fn *fn;
    void *arg;
};

static int run_checked(void *arg)
{
    const struct checked_main *main = arg;
    unsigned fds = count_fds();
    int result = main->fn(main->arg);

    CU_ASSERT(!has_children());
    CU_ASSERT_EQUAL(count_fds(), fds);
    return result;
}

static void run_processes(ouro_task_fn *fn, void *arg)
{
    struct checked_main main = {fn, arg};

    if (!test_kernel_ring()) {
        TEST_SKIP("no kernel ring");
        return;
    }
    CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, run_checked, &main), 0);
}

/* Starts what argv says, with pipes for all three. */
static int spawn_piped(const char *const *argv, unsigned flags, struct ouro_process *ret_process)
{
    struct ouro_process_options options = {
        .argv = argv, .in = PIPE, .out = PIPE, .err = PIPE, .flags = flags};

    return ouro_process_spawn(&options, ret_process);
}

static int spawn_shell(const char *script, unsigned flags, struct ouro_process *ret_process)
{
    const char *argv[] = {"sh", "-c", script, NULL};

    return spawn_piped(argv, flags, ret_process);
}

/* Runs a script and compares what it writes. */
static void expect_shell(struct ouro_process_options options, const char *script, const char *out,
                         const char *err)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct ouro_process_output output = {.out = NULL};

    options.argv = argv;
    CU_ASSERT_EQUAL_FATAL(ouro_process_run(&options, NULL, 0, PLENTY, &output), 0);
    CU_ASSERT_STRING_EQUAL(output.out, out);
    CU_ASSERT_STRING_EQUAL(output.err, err);
    CU_ASSERT_EQUAL(output.out_len, strlen(out));
    CU_ASSERT_EQUAL(output.err_len, strlen(err));
    CU_ASSERT_EQUAL(output.status, 0);
    ouro_process_output_done(&output);
    CU_ASSERT_PTR_NULL(output.out);
    ouro_process_output_done(&output);
}

/* --- how a process ends -------------------------------------------------------------------- */

static int see_ends(void *arg)
{
    static const struct {
        const char *script;
        int exit_code, signal;
    } cases[] = {
        {"exit 0", 0, 0},
        {"exit 1", 1, 0},
        {"exit 42", 42, 0},
        {"exit 255", 255, 0},
        {"kill -TERM $$", -1, SIGTERM},
        {"kill -KILL $$", -1, SIGKILL},
    };

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ouro_process process;
        int status = -1;

        CU_ASSERT_EQUAL_FATAL(spawn_shell(cases[i].script, 0, &process), 0);
        CU_ASSERT_EQUAL(ouro_process_wait(&process, &status), 0);
        CU_ASSERT_EQUAL(ouro_process_exit_code(status), cases[i].exit_code);
        CU_ASSERT_EQUAL(ouro_process_signal(status), cases[i].signal);
        status = -1;
        CU_ASSERT_EQUAL(ouro_process_wait(&process, &status), 0); /* it is remembered */
        CU_ASSERT_EQUAL(ouro_process_exit_code(status), cases[i].exit_code);
        CU_ASSERT_EQUAL(ouro_process_wait(&process, NULL), 0);
        ouro_process_done(&process);
        ouro_process_done(&process);
    }
    return 0;
}

static void test_status_tells_exit_codes_and_signals(void)
{
    run_processes(see_ends, NULL);
}

static int wait_for_process(void *process)
{
    int status;
    int code = ouro_process_wait(process, &status);

    return code ? code : ouro_process_exit_code(status);
}

static int wait_in_two_tasks(void *arg)
{
    struct ouro_process process;
    ouro_task_id ids[2];
    int result = -1;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(spawn_shell("read line; exit 9", 0, &process), 0);
    for (int i = 0; i < 2; i++)
        ids[i] = ouro_spawn(wait_for_process, &process);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_write_all(process.in_fd, "go\n", 3, NULL), 0);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(ouro_join(ids[i], &result), 0);
        CU_ASSERT_EQUAL(result, 9);
    }
    ouro_process_done(&process);
    return 0;
}

static void test_several_tasks_may_wait_for_one_process(void)
{
    run_processes(wait_in_two_tasks, NULL);
}

static int interrupt_wait(void *arg)
{
    const char *argv[] = {"cat", NULL};
    struct ouro_process process;
    struct ouro_timeout limit;
    ouro_task_id id;
    int result = 0, status = -1;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(spawn_piped(argv, 0, &process), 0);
    ouro_timeout_begin(&limit, 1 * MS);
    CU_ASSERT_EQUAL(ouro_process_wait(&process, &status), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    id = ouro_spawn(wait_for_process, &process);
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(ouro_process_kill(&process, 0), 0);
    CU_ASSERT_EQUAL(ouro_close(process.in_fd), 0);
    process.in_fd = -1;
    CU_ASSERT_EQUAL(ouro_process_wait(&process, &status), 0);
    CU_ASSERT_EQUAL(ouro_process_exit_code(status), 0);
    ouro_process_done(&process);
    return 0;
}

static void test_interrupted_wait_leaves_the_process_as_it_is(void)
{
    run_processes(interrupt_wait, NULL);
}

static int reap_behind_its_back(void *arg)
{
    struct ouro_process process;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(spawn_shell("exit 3", 0, &process), 0);
    CU_ASSERT_EQUAL(waitpid(process.pid, NULL, 0), process.pid);
    CU_ASSERT_EQUAL(ouro_process_wait(&process, NULL), -ECHILD);
    CU_ASSERT_EQUAL(ouro_process_wait(&process, NULL), -ECHILD);
    CU_ASSERT_EQUAL(ouro_process_kill(&process, SIGTERM), -ESRCH);
    ouro_process_done(&process);
    return 0;
}

static void test_status_that_somebody_else_took_is_missed(void)
{
    run_processes(reap_behind_its_back, NULL);
}

/* --- killing ------------------------------------------------------------------------------- */

static int kill_some(void *arg)
{
    const char *argv[] = {"sleep", "1000", NULL};
    struct ouro_process process;
    int status = -1;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(spawn_piped(argv, 0, &process), 0);
    CU_ASSERT_EQUAL(ouro_process_kill(&process, 0), 0);
    CU_ASSERT_EQUAL(ouro_process_kill(&process, 1000), -EINVAL);
    CU_ASSERT_EQUAL(ouro_process_kill_group(&process, SIGTERM), -EINVAL);
    CU_ASSERT_EQUAL(ouro_process_kill(&process, SIGTERM), 0);
    CU_ASSERT_EQUAL(ouro_process_wait(&process, &status), 0);
    CU_ASSERT_EQUAL(ouro_process_signal(status), SIGTERM);
    CU_ASSERT_EQUAL(ouro_process_kill(&process, SIGTERM), -ESRCH); /* the pid may be another's */
    ouro_process_done(&process);
    CU_ASSERT_EQUAL(ouro_process_kill(&process, SIGTERM), -ESRCH);
    return 0;
}

static void test_kill_reaches_the_process_and_nobody_after_it(void)
{
    run_processes(kill_some, NULL);
}

static int done_when_cancelled(void *arg)
{
    const char *argv[] = {"sleep", "1000", NULL};
    struct ouro_process process;

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(spawn_piped(argv, 0, &process), 0);
    CU_ASSERT_EQUAL(ouro_process_wait(&process, NULL), -ECANCELED);
    ouro_process_done(&process); /* never interrupted: run_checked() looks for zombies */
    CU_ASSERT_EQUAL(process.pid, 0);
    return 0;
}

static int cancel_owner(void *arg)
{
    ouro_task_id id = ouro_spawn(done_when_cancelled, NULL);
    struct ouro_process zeroed = {.pid = 0};

    (void) arg;
    CU_ASSERT_EQUAL(ouro_yield(), 0);
    while (!has_children())
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    CU_ASSERT_EQUAL(ouro_cancel_join(id, NULL), 0);
    ouro_process_done(&zeroed);
    return 0;
}

static void test_done_kills_and_reaps_also_when_cancelled(void)
{
    run_processes(cancel_owner, NULL);
}

/*
 * The last resort of ouro_process_done() is to wait for the process on the loop's thread: here the
 * poll is cancelled by an SQE of another task, the signal refused by a seccomp filter, so that
 * there is something to wait for, and the wait is interrupted by an alarm.
 */
static int refuse_to_kill(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_send_signal, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = COUNT_OF(filter), .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static void prepare_cancel_any(struct io_uring_sqe *sqe, void *arg)
{
    (void) arg;
    io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
}

static int cancel_the_poll(void *arg)
{
    (void) arg;
    return ouro_sleep(MS) ? 1 : ouro_submit_sqe(prepare_cancel_any, NULL, NULL);
}

static void be_interrupted(int number)
{
    (void) number;
}

static int done_the_hard_way(void *arg)
{
    const struct sigaction action = {.sa_handler = be_interrupted};
    const struct itimerval soon = {.it_value = {.tv_usec = 100000}};
    const char *const argv[] = {"sleep", "0.4", NULL};
    struct ouro_process process;
    ouro_task_id id;

    (void) arg;
    if (spawn_piped(argv, 0, &process))
        return 1;
    id = ouro_spawn(cancel_the_poll, NULL);
    (void) sigaction(SIGALRM, &action, NULL);
    (void) setitimer(ITIMER_REAL, &soon, NULL);
    ouro_process_done(&process);
    (void) ouro_join(id, NULL);
    return has_children() ? 2 : 42;
}

static int run_done_the_hard_way(void *arg)
{
    (void) arg;
    return refuse_to_kill() ? 77 : run_with(test_kernel_ring(), 0, done_the_hard_way, NULL);
}

static void test_done_leaves_no_zombie_though_a_signal_interrupts_it(void)
{
    struct child child;

    if (!test_kernel_ring()) {
        TEST_SKIP("no kernel ring");
        return;
    }
    child = run_in_child(run_done_the_hard_way, NULL);
    if (exited_with(&child, 77)) {
        TEST_SKIP("no seccomp filters here");
        return;
    }
    CU_ASSERT(exited_with(&child, 42));
}

static int kill_whole_group(void *arg)
{
    char text[16];
    struct ouro_process process;
    int out_fd;

    CU_ASSERT_EQUAL_FATAL(spawn_shell("sleep 1000 & echo x; wait", *(unsigned *) arg, &process), 0);
    CU_ASSERT_EQUAL(getpgid(process.pid), process.pid);
    CU_ASSERT_EQUAL(getsid(process.pid) == process.pid,
                    *(unsigned *) arg == OURO_PROCESS_NEW_SESSION);
    out_fd = process.out_fd;
    process.out_fd = -1;
    CU_ASSERT_EQUAL(ouro_read(out_fd, text, sizeof(text)), 2);
    CU_ASSERT_EQUAL(ouro_process_kill_group(&process, 0), 0);
    ouro_process_done(&process);
    CU_ASSERT_EQUAL(ouro_read(out_fd, text, sizeof(text)), 0); /* its child had it open */
    CU_ASSERT_EQUAL(ouro_close(out_fd), 0);
    return 0;
}

static void test_group_is_killed_with_its_leader(void)
{
    unsigned flags[] = {OURO_PROCESS_NEW_GROUP, OURO_PROCESS_NEW_SESSION};

    for (size_t i = 0; i < COUNT_OF(flags); i++)
        run_processes(kill_whole_group, &flags[i]);
}

/* --- starting ------------------------------------------------------------------------------ */

static int spawn_impossible(void *arg)
{
    const char *missing[] = {"/no/such/program", NULL}, *in_path[] = {"no-such-program", NULL};
    const char *no_program[] = {"/dev/null", NULL}, *nothing[] = {NULL}, *fine[] = {"true", NULL};
    const struct {
        struct ouro_process_options options;
        int code;
    } cases[] = {
        {{.argv = missing, .in = PIPE, .out = PIPE, .err = PIPE}, -ENOENT},
        {{.argv = in_path, .in = PIPE, .out = NOTHING}, -ENOENT},
        {{.argv = no_program, .out = PIPE}, -EACCES},
        {{.argv = fine, .cwd = "/no/such/folder", .out = PIPE}, -ENOENT},
        {{.argv = fine, .cwd = "/dev/null"}, -ENOTDIR},
        {{.argv = fine, .in = PIPE, .out = {OURO_PROCESS_FD, -1}}, -EBADF},
        {{.argv = fine, .in = PIPE, .out = {OURO_PROCESS_FD, 987654}}, -EBADF},
        {{.argv = NULL}, -EINVAL},
        {{.argv = nothing}, -EINVAL},
        {{.argv = fine, .flags = 128}, -EINVAL},
        {{.argv = fine, .out = {OURO_PROCESS_OUT, 0}}, -EINVAL},
        {{.argv = fine, .err = {(enum ouro_process_stdio_kind) 7, 0}}, -EINVAL},
    };

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ouro_process process;
        unsigned fds = count_fds();

        CU_ASSERT_EQUAL(ouro_process_spawn(&cases[i].options, &process), cases[i].code);
        CU_ASSERT_EQUAL(count_fds(), fds);
        CU_ASSERT(!has_children());
    }
    return 0;
}

static void test_failed_spawn_says_why_and_leaves_nothing(void)
{
    run_processes(spawn_impossible, NULL);
}

static int spawn_true(void *arg)
{
    const char *argv[] = {"true", NULL};
    struct ouro_process process;

    (void) arg;
    return spawn_piped(argv, 0, &process);
}

static int cancel_spawn(void *arg)
{
    ouro_task_id id = ouro_spawn(spawn_true, NULL);
    int result = 0;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_cancel_join(id, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    return 0;
}

static void test_cancelled_task_starts_nothing(void)
{
    run_processes(cancel_spawn, NULL);
}

static int spawn_simulated(void *arg)
{
    CU_ASSERT_EQUAL(spawn_true(arg), -ENOSYS);
    return 0;
}

static void test_simulated_ring_has_no_processes(void)
{
    CU_ASSERT_EQUAL(run_sim(spawn_simulated, NULL), 0);
}

static int see_surroundings(void *arg)
{
    const char *envp[] = {"A=b", "PATH=/usr/bin:/bin", NULL};

    (void) arg;
    expect_shell((struct ouro_process_options) {.out = PIPE, .err = PIPE, .envp = envp, .cwd = "/"},
                 "echo $A $HOME; pwd >&2", "b\n", "/\n");
    (void) setenv("OURO_TEST_INHERITED", "yes", 1);
    expect_shell((struct ouro_process_options) {.out = PIPE, .in = NOTHING},
                 "echo $OURO_TEST_INHERITED; cat", "yes\n", "");
    (void) unsetenv("OURO_TEST_INHERITED");
    expect_shell((struct ouro_process_options) {.out = PIPE, .err = {OURO_PROCESS_OUT, 0}},
                 "echo a; echo b >&2; echo c", "a\nb\nc\n", "");
    expect_shell((struct ouro_process_options) {.out = NOTHING, .err = PIPE},
                 "echo lost; echo b >&2", "", "b\n");
    return 0;
}

static void test_environment_folder_and_descriptors_are_as_asked(void)
{
    run_processes(see_surroundings, NULL);
}

static int give_fds(void *arg)
{
    int fds[2];
    char text[16] = "";

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(pipe2(fds, O_CLOEXEC), 0);
    expect_shell((struct ouro_process_options) {.out = {OURO_PROCESS_FD, fds[1]}, .err = PIPE},
                 "echo out; echo err >&2", "", "err\n");
    CU_ASSERT_EQUAL(ouro_read(fds[0], text, sizeof(text)), 4);
    CU_ASSERT_STRING_EQUAL(text, "out\n");
    CU_ASSERT_EQUAL(write(fds[1], "in\n", 3), 3);
    expect_shell(
        (struct ouro_process_options) {.in = {OURO_PROCESS_FD, fds[0]}, .out = PIPE, .err = PIPE},
        "read line; echo $line", "in\n", "");
    (void) close(fds[0]);
    (void) close(fds[1]);
    return 0;
}

static void test_descriptors_of_ours_are_given_as_copies(void)
{
    run_processes(give_fds, NULL);
}

/* The child's end of a pipe may be a number that the child then gives to something else. */
static bool can_talk(struct ouro_process_options options, const char *input, const char *out,
                     const char *err)
{
    const char *argv[] = {"sh", "-c", "cat; echo err >&2", NULL};
    struct ouro_process_output output;
    bool is_right;

    options.argv = argv;
    if (ouro_process_run(&options, input, strlen(input), PLENTY, &output))
        return false;
    is_right = !strcmp(output.out, out) && !strcmp(output.err, err);
    ouro_process_output_done(&output);
    return is_right;
}

static int talk_without_stdio(void *arg)
{
    struct ouro_process_options all = {.in = PIPE, .out = PIPE, .err = PIPE};
    struct ouro_process_options last = {
        .in = NOTHING,
        .out = {OURO_PROCESS_FD, fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100)},
        .err = PIPE};

    (void) arg;
    for (int fd = 0; fd < 3; fd++)
        (void) close(fd);
    return can_talk(all, "hello", "hello", "err\n") && can_talk(last, "", "", "err\n") ? 42 : 1;
}

static int run_without_stdio(void *arg)
{
    return run_with(test_kernel_ring(), 0, talk_without_stdio, arg);
}

static void test_parent_without_standard_descriptors_can_talk(void)
{
    struct child child = {.status = 0};

    if (!test_kernel_ring()) {
        TEST_SKIP("no kernel ring");
        return;
    }
    child = run_in_child(run_without_stdio, NULL);
    CU_ASSERT(exited_with(&child, 42));
}

static int list_fds(void *arg)
{
    int leaky = dup(STDERR_FILENO); /* not close-on-exec */
    int high = fcntl(leaky, F_DUPFD, 500);

    (void) arg;
    /* 3 is the folder that is being listed. */
    expect_shell((struct ouro_process_options) {.in = PIPE, .out = PIPE, .err = PIPE},
                 "exec ls /proc/self/fd", "0\n1\n2\n3\n", "");
    expect_shell(
        (struct ouro_process_options) {
            .in = PIPE, .out = PIPE, .err = PIPE, .flags = OURO_PROCESS_KEEP_FDS},
        "ls /proc/self/fd | grep 500", "500\n", "");
    (void) close(leaky);
    (void) close(high);
    return 0;
}

static void test_child_has_the_standard_descriptors_only(void)
{
    run_processes(list_fds, NULL);
}

static int see_signals(void *arg)
{
    sigset_t usr1;

    (void) arg;
    (void) sigemptyset(&usr1);
    (void) sigaddset(&usr1, SIGUSR1);
    (void) pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    (void) signal(SIGUSR2, SIG_IGN);
    expect_shell((struct ouro_process_options) {.out = PIPE, .err = PIPE},
                 "exec grep -E 'Sig(Blk|Ign)' /proc/self/status",
                 "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n", "");
    (void) signal(SIGUSR2, SIG_DFL);
    (void) pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    return 0;
}

static void test_child_blocks_and_ignores_no_signal(void)
{
    run_processes(see_signals, NULL);
}

/* --- talking ------------------------------------------------------------------------------- */

struct hundred {
    int number;
};

static int echo_number(void *arg)
{
    const struct hundred *self = arg;
    char script[64], expected[16];

    (void) snprintf(script, sizeof(script), "echo %d", self->number);
    (void) snprintf(expected, sizeof(expected), "%d\n", self->number);
    expect_shell((struct ouro_process_options) {.out = PIPE}, script, expected, "");
    return 0;
}

static int echo_hundred(void *arg)
{
    struct hundred numbers[100];
    struct ouro_group group;

    (void) arg;
    ouro_group_init(&group);
    for (int i = 0; i < 100; i++) {
        numbers[i].number = i;
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, echo_number, &numbers[i]), 0);
    }
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    return 0;
}

static void test_hundred_children_at_once(void)
{
    run_processes(echo_hundred, NULL);
}

#define MEBIBYTE ((size_t) 1 << 20)

static char *make_text(size_t len)
{
    char *text = malloc(len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (size_t i = 0; i < len; i++)
        text[i] = (char) ('a' + i % 26 + i / 4096 % 3);
    return text;
}

static int copy_mebibyte(void *arg)
{
    const char *argv[] = {"sh", "-c", "tee /dev/stderr", NULL};
    struct ouro_process_options options = {.argv = argv, .in = PIPE, .out = PIPE, .err = PIPE};
    struct ouro_process_output output;
    char *text = make_text(MEBIBYTE);

    (void) arg;
    /* All three pipes fill up, unless all three are served. */
    CU_ASSERT_EQUAL_FATAL(ouro_process_run(&options, text, MEBIBYTE, MEBIBYTE, &output), 0);
    CU_ASSERT_EQUAL(output.status, 0);
    CU_ASSERT_EQUAL_FATAL(output.out_len, MEBIBYTE);
    CU_ASSERT_EQUAL_FATAL(output.err_len, MEBIBYTE);
    CU_ASSERT_EQUAL(memcmp(output.out, text, MEBIBYTE), 0);
    CU_ASSERT_EQUAL(memcmp(output.err, text, MEBIBYTE), 0);
    ouro_process_output_done(&output);
    CU_ASSERT_EQUAL(ouro_process_run(&options, text, MEBIBYTE, MEBIBYTE - 1, &output), OURO_ELIMIT);
    free(text);
    return 0;
}

static void test_communicate_serves_all_pipes_at_once_up_to_the_limit(void)
{
    run_processes(copy_mebibyte, NULL);
}

static int feed_unwilling(void *arg)
{
    const char *argv[] = {"sh", "-c", "exec <&-; exit 5", NULL};
    struct ouro_process_options options = {.argv = argv, .in = PIPE, .out = PIPE};
    struct ouro_process_output output;
    struct ouro_process process;
    char *text = make_text(MEBIBYTE);

    (void) arg;
    CU_ASSERT_EQUAL_FATAL(ouro_process_run(&options, text, MEBIBYTE, PLENTY, &output), 0);
    CU_ASSERT_EQUAL(ouro_process_exit_code(output.status), 5);
    CU_ASSERT_STRING_EQUAL(output.out, "");
    ouro_process_output_done(&output);
    options.in = (struct ouro_process_stdio) NOTHING;
    CU_ASSERT_EQUAL_FATAL(ouro_process_spawn(&options, &process), 0);
    CU_ASSERT_EQUAL(ouro_process_communicate(&process, text, 1, PLENTY, &output), -EINVAL);
    ouro_process_done(&process);
    free(text);
    return 0;
}

static void test_input_that_is_not_read_is_no_error(void)
{
    run_processes(feed_unwilling, NULL);
}

static int run_out_of_time(void *arg)
{
    const char *argv[] = {"sh", "-c", "echo early; exec sleep 1000", NULL};
    struct ouro_process_options options = {.argv = argv, .in = PIPE, .out = PIPE, .err = PIPE};
    struct ouro_process_output output;
    struct ouro_timeout limit;

    (void) arg;
    ouro_timeout_begin(&limit, 50 * MS);
    CU_ASSERT_EQUAL(ouro_process_run(&options, NULL, 0, PLENTY, &output), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    return 0;
}

static void test_time_limit_ends_a_run_and_its_process(void)
{
    run_processes(run_out_of_time, NULL);
}

static void expect_kept(const struct ouro_process_output *output, const char *out, const char *err)
{
    CU_ASSERT_STRING_EQUAL(output->out, out);
    CU_ASSERT_EQUAL(output->out_len, strlen(out));
    CU_ASSERT_STRING_EQUAL(output->err, err);
    CU_ASSERT_EQUAL(output->err_len, strlen(err));
    CU_ASSERT_EQUAL(ouro_process_signal(output->status), SIGKILL);
}

static int keep_output(void *arg)
{
    const char *argv[] = {"sh", "-c", "echo early; echo what >&2; exec sleep 1000", NULL};
    struct ouro_process_options options = {
        .argv = argv, .out = PIPE, .err = PIPE, .flags = OURO_PROCESS_KEEP_OUTPUT};
    struct ouro_process_output output;
    struct ouro_timeout limit;

    (void) arg;
    memset(&output, 0, sizeof(output));
    for (int64_t ns = 50 * MS; output.err_len == 0 && ns < 10 * OURO_SECOND; ns *= 2) {
        ouro_process_output_done(&output); /* a slow machine: it had not begun */
        ouro_timeout_begin(&limit, ns);
        CU_ASSERT_EQUAL(ouro_process_run(&options, NULL, 0, PLENTY, &output), -ETIMEDOUT);
        (void) ouro_timeout_end(&limit);
    }
    expect_kept(&output, "early\n", "what\n");
    ouro_process_output_done(&output);
    CU_ASSERT_EQUAL(ouro_process_run(&options, NULL, 0, 5, &output), OURO_ELIMIT);
    expect_kept(&output, "early", output.err_len ? "what\n" : ""); /* that raced */
    ouro_process_output_done(&output);
    CU_ASSERT_EQUAL(ouro_process_run(&options, "x", 1, PLENTY, &output), -EINVAL);
    CU_ASSERT_PTR_NULL(output.out);
    ouro_process_output_done(&output);
    argv[0] = "/nowhere/sh";
    CU_ASSERT_EQUAL(ouro_process_run(&options, NULL, 0, PLENTY, &output), -ENOENT);
    CU_ASSERT_PTR_NULL(output.out);
    ouro_process_output_done(&output);
    return 0;
}

static void test_output_of_a_run_that_failed_is_kept_when_that_was_asked_for(void)
{
    run_processes(keep_output, NULL);
}

const struct test process_tests[] = {
    TEST(test_status_tells_exit_codes_and_signals),
    TEST(test_several_tasks_may_wait_for_one_process),
    TEST(test_interrupted_wait_leaves_the_process_as_it_is),
    TEST(test_status_that_somebody_else_took_is_missed),
    TEST(test_kill_reaches_the_process_and_nobody_after_it),
    TEST(test_done_kills_and_reaps_also_when_cancelled),
    TEST(test_done_leaves_no_zombie_though_a_signal_interrupts_it),
    TEST(test_group_is_killed_with_its_leader),
    TEST(test_failed_spawn_says_why_and_leaves_nothing),
    TEST(test_cancelled_task_starts_nothing),
    TEST(test_simulated_ring_has_no_processes),
    TEST(test_environment_folder_and_descriptors_are_as_asked),
    TEST(test_descriptors_of_ours_are_given_as_copies),
    TEST(test_parent_without_standard_descriptors_can_talk),
    TEST(test_child_has_the_standard_descriptors_only),
    TEST(test_child_blocks_and_ignores_no_signal),
    TEST(test_hundred_children_at_once),
    TEST(test_communicate_serves_all_pipes_at_once_up_to_the_limit),
    TEST(test_input_that_is_not_read_is_no_error),
    TEST(test_time_limit_ends_a_run_and_its_process),
    TEST(test_output_of_a_run_that_failed_is_kept_when_that_was_asked_for),
    TEST_END,
};
