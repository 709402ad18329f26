/* SPDX-License-Identifier: MIT */
/*
 * gdb_test.c - tests of docs/ouro-gdb.py
 *
 * A child runs a loop whose tasks sleep; gdb attaches to it and tells what it sees.
 * OURO_GDB_SCRIPT is where the script is.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ouro.h"

#include "sanitizer.h"
#include "test.h"

#define OUTPUT_MAX 65536

/* --- what is looked at --------------------------------------------------------------------- */

static volatile int sink; /* keeps calls from being the last thing in a function */

__attribute__((noinline)) static int gdb_sees_inner(int levels)
{
    int code = levels ? gdb_sees_inner(levels - 1) : ouro_sleep(3600 * OURO_SECOND);

    sink = code;
    return code;
}

static int gdb_sees_sleeper(void *arg)
{
    (void) arg;
    (void) gdb_sees_inner(2);
    return sink;
}

static void gdb_sees_generator(void *arg)
{
    (void) arg;
    (void) gdb_sees_inner(0);
    sink = 1;
}

static int gdb_sees_sender(void *arg)
{
    static const struct ouro_coro_options options = {.name = "primes"};
    struct ouro_coro *coro;

    (void) arg;
    if (ouro_coro_create(gdb_sees_generator, NULL, &options, &coro))
        return 1;
    sink = ouro_coro_send(coro, NULL, NULL);
    ouro_coro_close(coro);
    return 0;
}

static int gdb_sees_poller(void *arg)
{
    sink = ouro_poll(*(int *) arg, POLLIN);
    return 0;
}

static int sleep_in_tasks(void *ready_fd)
{
    int fds[2] = {-1, -1}; /* nothing ever comes */

    (void) ouro_pipe(fds);
    (void) ouro_spawn(gdb_sees_poller, fds);
    (void) ouro_spawn(gdb_sees_sleeper, NULL);
    (void) ouro_spawn(gdb_sees_sender, NULL);
    (void) ouro_yield(); /* now all sleep */
    (void) !write(*(int *) ready_fd, "", 1);
    return ouro_sleep(3600 * OURO_SECOND);
}

/* Returns the child's id once its tasks sleep; -1: it does not come so far. */
static pid_t start_sleeping(void)
{
    struct ouro_run_options options = {.ring = test_kernel_ring()};
    int fds[2];
    pid_t pid;
    char byte;

    if (pipe(fds))
        return -1;
    pid = fork();
    if (pid == 0) {
        (void) signal(SIGALRM, SIG_DFL);
        (void) alarm(60);
        (void) prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0); /* gdb is no ancestor */
        _exit(ouro_run(sleep_in_tasks, &fds[1], &options) ? 1 : 0);
    }
    (void) close(fds[1]);
    if (pid > 0 && read(fds[0], &byte, 1) != 1) {
        (void) waitpid(pid, NULL, 0);
        pid = -1;
    }
    (void) close(fds[0]);
    return pid;
}

/* --- looking ------------------------------------------------------------------------------- */

static void run_gdb(pid_t pid, const char *commands, char output[OUTPUT_MAX])
{
    char line[1024];
    size_t len = 0, got;
    FILE *gdb;

    (void) snprintf(line, sizeof(line),
                    "DEBUGINFOD_URLS= gdb -nx -q -batch -p %d -ex 'set width 0' -x '%s' %s 2>&1",
                    (int) pid, OURO_GDB_SCRIPT, commands);
    gdb = popen(line, "r");
    while (gdb && (got = fread(output + len, 1, OUTPUT_MAX - 1 - len, gdb)) > 0)
        len += got;
    output[len] = '\0';
    if (gdb)
        (void) pclose(gdb);
}

/* Why gdb can't do it here; NULL: it can. */
static const char *find_obstacle(const char *output)
{
    if (strstr(output, "gdb: not found") || strstr(output, "gdb: command not found"))
        return "there is no gdb";
    if (strstr(output, "ptrace:") || strstr(output, "Could not attach"))
        return "gdb may not attach to processes here";
    if (strstr(output, "Python scripting is not supported") ||
        strstr(output, "Scripting in the \"Python\" language is not supported"))
        return "this gdb has no Python";
    return NULL;
}

/* Whether the texts are there, in this order. */
static bool has_in_order(const char *output, const char *const texts[])
{
    for (; *texts; texts++) {
        output = strstr(output, *texts);
        if (!output)
            return false;
        output += strlen(*texts);
    }
    return true;
}

static void test_gdb_shows_backtraces_of_sleeping_tasks(void)
{
    static const char *const sleeper[] = {"\"gdb_sees_sleeper\"  spawned at ",
                                          "gdb_test.c:",
                                          "waits: sleep\n",
                                          "    #0 ",
                                          "ouro__task_sleep_until",
                                          "gdb_sees_inner (levels=",
                                          "gdb_sees_inner (levels=",
                                          "gdb_sees_sleeper (arg=",
                                          "task_entry",
                                          "ouro__coro_start",
                                          NULL};
    static const char *const sender[] = {"\"gdb_sees_sender\"  spawned at ",
                                         "waits: sleep\n",
                                         "coroutine \"primes\":\n    #0 ",
                                         "ouro__task_sleep_until",
                                         "gdb_sees_inner",
                                         "gdb_sees_generator",
                                         "sent to by\n    #0 ",
                                         "gdb_sees_sender",
                                         "task_entry",
                                         NULL};
    static const char *const poller[] = {"\"gdb_sees_poller\"", "waits: poll of fd ",
                                         "gdb_sees_poller (arg=", NULL};
    static const char *const again[] = {"\ntask ", "\"gdb_sees_sleeper\"", "gdb_sees_inner", NULL};
    char *output;
    int status;
    pid_t pid;

    if (!test_kernel_ring() || strncmp(test_kernel_ring(), "uring", 5) || valgrind_is_running()) {
        TEST_SKIP("it takes a loop that really sleeps, outside of Valgrind");
        return;
    }
    output = calloc(1, OUTPUT_MAX);
    pid = start_sleeping();
    CU_ASSERT_FATAL(output && pid > 0);
    run_gdb(pid, "-ex ouro-bt -ex 'echo again\\n' -ex 'ouro-bt gdb_sees_sleeper'", output);
    if (find_obstacle(output)) {
        TEST_SKIP(find_obstacle(output));
    } else {
        const char *second = strstr(output, "again");
        bool is_right = has_in_order(output, sleeper) && has_in_order(output, sender) &&
                        has_in_order(output, poller) && second && has_in_order(second, again) &&
                        !strstr(second, "gdb_sees_sender");

        if (!is_right)
            printf("%s", output);
        CU_ASSERT(is_right);
    }
    /* The sleeps went on, and are cancelled as usual. */
    (void) kill(pid, SIGTERM);
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    free(output);
}

const struct test gdb_tests[] = {
    TEST(test_gdb_shows_backtraces_of_sleeping_tasks),
    TEST_END,
};
