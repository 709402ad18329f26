/* SPDX-License-Identifier: MIT */
/*
 * subprocess - two programs at once, fed and read through pipes
 *
 * Shows:  child processes; that neither waits for the other.
 * Run:    build/examples/subprocess
 * Prints: what `sort` made of a list of fruit, and what `tr` made of a greeting
 */
#include <stdio.h>
#include <string.h>

#include "ouro.h"

struct job {
    const char *const *argv;
    const char *input;
    struct ouro_process_output output; /* zeroed until there is one */
};

static int run_job(void *arg)
{
    struct job *job = arg;
    struct ouro_process_options options = {
        .argv = job->argv, .in = {OURO_PROCESS_PIPE, 0}, .out = {OURO_PROCESS_PIPE, 0}};

    return ouro_process_run(&options, job->input, strlen(job->input), /* limit= */ 1 << 20,
                            &job->output);
}

static int run_both(struct job jobs[2])
{
    struct ouro_group group;
    int code, failure;

    ouro_group_init(&group);
    code = ouro_group_spawn(&group, run_job, &jobs[0]);
    if (!code)
        code = ouro_group_spawn(&group, run_job, &jobs[1]);
    if (code)
        ouro_group_cancel(&group);
    failure = ouro_group_wait(&group);
    return code ? code : failure;
}

static int main_task(void *arg)
{
    const char *const sort[] = {"sort", NULL};
    const char *const tr[] = {"tr", "a-z", "A-Z", NULL};
    struct job jobs[2] = {
        {.argv = sort, .input = "pear\napple\nquince\n"},
        {.argv = tr, .input = "hello from a child\n"},
    };
    int code = run_both(jobs);

    (void) arg;
    for (int i = 0; i < 2; i++) {
        if (!code)
            printf("%s exits with %d:\n%s", jobs[i].argv[0],
                   ouro_process_exit_code(jobs[i].output.status), jobs[i].output.out);
        ouro_process_output_done(&jobs[i].output);
    }
    if (code)
        (void) fprintf(stderr, "subprocess: %s\n", ouro_strerror(code));
    return code;
}

int main(void)
{
    return ouro_run(main_task, NULL, NULL) ? 1 : 0;
}
