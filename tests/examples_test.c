/* SPDX-License-Identifier: MIT */
/*
 * examples_test.c - runs the built examples as a user would, and looks at what they say
 *
 * OURO_EXAMPLES is the folder that they were built into.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "ouro_base.h"

#include "test.h"

#define OUTPUT_MAX 16384

/* A running example: its output is read from pipes. */
struct program {
    pid_t pid;
    int out_fd;
    int err_fd;
};

struct output {
    char out[OUTPUT_MAX];
    char err[OUTPUT_MAX];
    int status; /* exit status; 128 + signal */
};

/* --- starting and ending programs ------------------------------------------------------- */

static void (*prepare_process)(void); /* what a process does before it becomes a program */

static bool start(struct program *program, const char *const argv[], bool ignore_signals)
{
    int out[2], err[2];
    char path[1024];

    (void) snprintf(path, sizeof(path), "%s/%s", OURO_EXAMPLES, argv[0]);
    if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
        return false;
    program->pid = fork();
    if (program->pid == 0) {
        if (ignore_signals) {
            (void) signal(SIGINT, SIG_IGN);
            (void) signal(SIGTERM, SIG_IGN);
        }
        if (test_kernel_ring())
            (void) setenv("OURO_RING", test_kernel_ring(), 1);
        if (prepare_process)
            prepare_process();
        (void) dup2(out[1], STDOUT_FILENO);
        (void) dup2(err[1], STDERR_FILENO);
        (void) execv(path, (char *const *) (void *) argv);
        _exit(127);
    }
    (void) close(out[1]);
    (void) close(err[1]);
    program->out_fd = out[0];
    program->err_fd = err[0];
    return program->pid > 0;
}

static void read_all(int fd, char text[OUTPUT_MAX])
{
    size_t len = strlen(text);
    ssize_t n;

    while (len < OUTPUT_MAX - 1 && (n = read(fd, text + len, OUTPUT_MAX - 1 - len)) > 0)
        len += (size_t) n;
    text[len] = '\0';
    (void) close(fd);
}

/* Waits for the program's end; appends to `output`. The runner's watchdog bounds it. */
static void finish(struct program *program, struct output *output)
{
    int status;

    read_all(program->out_fd, output->out);
    read_all(program->err_fd, output->err);
    (void) waitpid(program->pid, &status, 0);
    output->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool run(struct output *output, const char *const argv[])
{
    struct program program;

    memset(output, 0, sizeof(*output));
    if (!start(&program, argv, false))
        return false;
    finish(&program, output);
    return true;
}

/* --- the tour ------------------------------------------------------------------------------ */

static void test_interleave_prints_1_2_x_y_3_z(void)
{
    struct output output;

    CU_ASSERT_FATAL(run(&output, (const char *const[]) {"interleave", NULL}));
    CU_ASSERT_STRING_EQUAL(output.out, "1\n2\nx\ny\n3\nz\n");
    CU_ASSERT_STRING_EQUAL(output.err, "");
    CU_ASSERT_EQUAL(output.status, 0);
}

static void test_copy_file_copies_a_file_once(void)
{
    char to[] = "/tmp/ouro-copy-XXXXXX";
    char path[64], command[256];
    struct output output;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(to));
    (void) snprintf(path, sizeof(path), "%s/copy", to);
    (void) snprintf(command, sizeof(command), "cmp %s %s/copy_file", path, OURO_EXAMPLES);
    for (int is_second = 0; is_second < 2; is_second++) {
        CU_ASSERT_FATAL(run(
            &output, (const char *const[]) {"copy_file", OURO_EXAMPLES "/copy_file", path, NULL}));
        CU_ASSERT_EQUAL(output.status, is_second);
        CU_ASSERT_PTR_NOT_NULL(strstr(is_second ? output.err : output.out,
                                      is_second ? "File exists" : "bytes copied"));
    }
    CU_ASSERT_EQUAL(system(command), 0);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(rmdir(to), 0);
}

static void test_producer_consumer_prints_its_dialogue(void)
{
    static const char expected[] = "[PRODUCER] Producing 1...\n"
                                   "[CONSUMER] Consuming 1...\n"
                                   "[PRODUCER] Consumer return: 200 OK\n"
                                   "[PRODUCER] Producing 2...\n"
                                   "[CONSUMER] Consuming 2...\n"
                                   "[PRODUCER] Consumer return: 200 OK\n"
                                   "[PRODUCER] Producing 3...\n"
                                   "[CONSUMER] Consuming 3...\n"
                                   "[PRODUCER] Consumer return: 200 OK\n"
                                   "[PRODUCER] Producing 4...\n"
                                   "[CONSUMER] Consuming 4...\n"
                                   "[PRODUCER] Consumer return: 200 OK\n"
                                   "[PRODUCER] Producing 5...\n"
                                   "[CONSUMER] Consuming 5...\n"
                                   "[PRODUCER] Consumer return: 200 OK\n";
    struct output output;

    CU_ASSERT_FATAL(run(&output, (const char *const[]) {"producer_consumer", NULL}));
    CU_ASSERT_STRING_EQUAL(output.out, expected);
    CU_ASSERT_STRING_EQUAL(output.err, "");
    CU_ASSERT_EQUAL(output.status, 0);
}

static void test_pipeline_squares_twenty_numbers(void)
{
    struct output output;

    CU_ASSERT_FATAL(run(&output, (const char *const[]) {"pipeline", NULL}));
    CU_ASSERT_STRING_EQUAL(output.out,
                           "1 to 20 have 20 squares, whose sum is 2870; 2 workers ended\n");
    CU_ASSERT_EQUAL(output.status, 0);
}

static void test_hello_says_hello_twice(void)
{
    struct output output;

    CU_ASSERT_FATAL(run(&output, (const char *const[]) {"hello", NULL}));
    CU_ASSERT_STRING_EQUAL(output.out, "Hello world!\nHello again!\n");
    CU_ASSERT_STRING_EQUAL(output.err, "");
    CU_ASSERT_EQUAL(output.status, 0);
}

/* Both greet before either has slept: one thread, and nobody is held up. */
static void test_hello_twice_interleaves_in_one_thread(void)
{
    struct output output;
    char expected[256];
    int thread;

    CU_ASSERT_FATAL(run(&output, (const char *const[]) {"hello_twice", NULL}));
    CU_ASSERT_EQUAL_FATAL(sscanf(output.out, "Hello world! (thread %d)", &thread), 1);
    (void) snprintf(expected, sizeof(expected),
                    "Hello world! (thread %d)\nHello world! (thread %d)\n"
                    "Hello again! (thread %d)\nHello again! (thread %d)\n",
                    thread, thread, thread, thread);
    CU_ASSERT_STRING_EQUAL(output.out, expected);
    CU_ASSERT_EQUAL(output.status, 0);
}

static void test_subprocess_talks_to_two_programs(void)
{
    struct output output;

    CU_ASSERT_FATAL(run(&output, (const char *const[]) {"subprocess", NULL}));
    CU_ASSERT_STRING_EQUAL(output.out, "sort exits with 0:\napple\npear\nquince\n"
                                       "tr exits with 0:\nHELLO FROM A CHILD\n");
    CU_ASSERT_STRING_EQUAL(output.err, "");
    CU_ASSERT_EQUAL(output.status, 0);
}

/* Programs that print the same each time. */
static void prints(const char *name, const char *expected)
{
    struct output output;

    CU_ASSERT_FATAL(run(&output, (const char *const[]) {name, NULL}));
    CU_ASSERT_STRING_EQUAL(output.out, expected);
    CU_ASSERT_STRING_EQUAL(output.err, "");
    CU_ASSERT_EQUAL(output.status, 0);
}

static void test_results_are_joined_and_errors_end_a_group(void)
{
    prints("results", "3 squared is 9, 4 squared is 16\n"
                      "slow: Operation canceled (another member of its group failed)\n"
                      "the group: No such file or directory\n");
}

static void test_timeouts_nest_and_a_shield_holds_back(void)
{
    prints("timeouts", "an hour's sleep: Connection timed out\n"
                       "the inner limit ran out, the outer one did not\n"
                       "worker: first wait: Operation canceled\n"
                       "worker: second wait: Operation canceled\n"
                       "worker: wait under a shield: Success\n"
                       "worker: wait after it: Operation canceled\n"
                       "worker ends with 7\n");
}

static void test_race_gives_results_as_they_come(void)
{
    prints("race", "first: runner 2; the others were sent home\n"
                   "as they come: 2 3 1\n"
                   "the referee says: green\n");
}

static void test_locks_let_two_in_and_one_print(void)
{
    prints("locks", "ready\n"
                    "visitor 1: begin, end\n"
                    "visitor 2: begin, end\n"
                    "visitor 3: begin, end\n"
                    "at most 2 were inside\n");
}

static void test_async_generator_waits_and_cleans_up(void)
{
    prints("async_generator", "tick 1\ntick 2\ntick 3\nthe ticker cleans up\n");
}

static void test_offload_leaves_the_loop_free(void)
{
    prints("offload", "others run meanwhile\nthere are 17984 primes below 200000\n");
}

static void test_signals_obeys_those_that_it_sends_itself(void)
{
    if (!test_kernel_ring()) {
        TEST_SKIP("the simulated ring has no signals");
        return;
    }
    prints("signals", "reload\nreload\nend\n");
}

/* --- wget ---------------------------------------------------------------------------------- */

/* A listening socket of our own on a free port of 127.0.0.1. */
static int listen_anywhere(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) || listen(fd, 16) ||
        getsockname(fd, (struct sockaddr *) &address, &len))
        return -1;
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void send_text(int fd, const char *text)
{
    (void) !send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Answers one connection, after having read up to the blank line. */
static void answer(int fd, const char *text)
{
    char request[4096] = "";
    size_t len = 0;
    ssize_t n;

    while (!strstr(request, "\r\n\r\n") &&
           (n = recv(fd, request + len, sizeof(request) - 1 - len, 0)) > 0) {
        len += (size_t) n;
        request[len] = '\0';
    }
    send_text(fd, text);
    (void) close(fd);
}

/*
 * Goal: all hosts are in flight together. Method: three servers of which none answers before
 * all three were asked; asking one after the other would never end.
 */
static void test_wget_asks_all_hosts_at_once(void)
{
    int listeners[3], connections[3], ports[3];
    char hosts[3][32];
    struct output *output = calloc(1, sizeof(*output));
    struct program program;

    CU_ASSERT_PTR_NOT_NULL_FATAL(output);
    for (int i = 0; i < 3; i++) {
        listeners[i] = listen_anywhere(&ports[i]);
        CU_ASSERT_FATAL(listeners[i] >= 0);
        (void) snprintf(hosts[i], sizeof(hosts[i]), "127.0.0.1:%d", ports[i]);
    }
    CU_ASSERT_FATAL(
        start(&program, (const char *const[]) {"wget", hosts[0], hosts[1], hosts[2], NULL}, false));
    for (int i = 0; i < 3; i++)
        connections[i] = accept(listeners[i], NULL, NULL);
    for (int i = 0; i < 3; i++)
        answer(connections[i], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Who: me\r\n\r\nhi");
    finish(&program, output);
    for (int i = 0; i < 3; i++) {
        char line[128];

        (void) snprintf(line, sizeof(line), "wget %s...\n", hosts[i]);
        CU_ASSERT_PTR_NOT_NULL(strstr(output->out, line));
        (void) snprintf(line, sizeof(line), "%s header > HTTP/1.1 200 OK\n", hosts[i]);
        CU_ASSERT_PTR_NOT_NULL(strstr(output->out, line));
        (void) snprintf(line, sizeof(line), "%s header > X-Who: me\n", hosts[i]);
        CU_ASSERT_PTR_NOT_NULL(strstr(output->out, line));
        (void) close(listeners[i]);
    }
    CU_ASSERT_STRING_EQUAL(output->err, "");
    CU_ASSERT_EQUAL(output->status, 0);
    free(output);
}

/* A port that was free a moment ago. */
static int closed_port(void)
{
    int port = 0;
    int fd = listen_anywhere(&port);

    (void) close(fd);
    return port;
}

static void test_wget_names_each_failing_host_and_finishes_the_others(void)
{
    int good_port, garbage_port, silent_port;
    int good = listen_anywhere(&good_port), garbage = listen_anywhere(&garbage_port);
    int silent = listen_anywhere(&silent_port); /* the kernel accepts, nobody answers */
    struct output *output = calloc(1, sizeof(*output));
    char hosts[4][32], line[256];
    struct program program;

    CU_ASSERT_PTR_NOT_NULL_FATAL(output);
    (void) snprintf(hosts[0], sizeof(hosts[0]), "127.0.0.1:%d", closed_port());
    (void) snprintf(hosts[1], sizeof(hosts[1]), "127.0.0.1:%d", garbage_port);
    (void) snprintf(hosts[2], sizeof(hosts[2]), "127.0.0.1:%d", silent_port);
    (void) snprintf(hosts[3], sizeof(hosts[3]), "127.0.0.1:%d", good_port);
    CU_ASSERT_FATAL(start(&program,
                          (const char *const[]) {"wget", "--timeout", "1", hosts[0], hosts[1],
                                                 hosts[2], "no.such.host.invalid", hosts[3], NULL},
                          false));
    answer(accept(garbage, NULL, NULL), "Good day to you\r\n\r\n");
    answer(accept(good, NULL, NULL), "HTTP/1.1 204 No Content\r\n\r\n");
    finish(&program, output);
    for (int i = 0; i < 3; i++) {
        (void) snprintf(line, sizeof(line), "wget: %s: ", hosts[i]);
        CU_ASSERT_PTR_NOT_NULL(strstr(output->err, line));
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(output->err, "wget: no.such.host.invalid: "));
    (void) snprintf(line, sizeof(line), "%s header > HTTP/1.1 204 No Content\n", hosts[3]);
    CU_ASSERT_PTR_NOT_NULL(strstr(output->out, line));
    CU_ASSERT_NOT_EQUAL(output->status, 0);
    (void) close(good);
    (void) close(garbage);
    (void) close(silent);
    free(output);
}

/* --- http_server ------------------------------------------------------------------------------ */

/* Starts a server on a free port and waits for the line that names it, which has the `form`. */
static bool start_server_of(struct program *program, struct output *output,
                            const char *const argv[], bool ignore_signals, const char *form,
                            int *ret_port)
{
    size_t len = 0;

    memset(output, 0, sizeof(*output));
    if (!start(program, argv, ignore_signals))
        return false;
    while (!strchr(output->out, '\n')) {
        ssize_t n = read(program->out_fd, output->out + len, OUTPUT_MAX - 1 - len);

        if (n <= 0)
            return false;
        len += (size_t) n;
    }
    return sscanf(output->out, form, ret_port) == 1;
}

static bool start_server(struct program *program, struct output *output, bool ignore_signals,
                         int *ret_port)
{
    static const char *const argv[] = {"http_server", "--listen", "127.0.0.1:0",
                                       "--delay",     "0",        NULL};

    return start_server_of(program, output, argv, ignore_signals,
                           "Server started at http://127.0.0.1:%d...", ret_port);
}

/* Sends `request` on a new connection, closes that direction, and reads all that comes. */
static void ask(int port, const char *request, char answer_text[OUTPUT_MAX])
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    answer_text[0] = '\0';
    if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)))
        return;
    send_text(fd, request);
    (void) shutdown(fd, SHUT_WR);
    read_all(fd, answer_text);
}

static void test_http_server_answers_its_routes(void)
{
    static const struct {
        const char *request;
        const char *status;
        const char *expected;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n", "\r\n\r\n<h1>Index</h1>"},
        {"GET /hello/Ada HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n",
         "\r\n\r\n<h1>hello, Ada!</h1>"},
        {"GET /hello/%3Cb%3E%20%26 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n",
         "\r\n\r\n<h1>hello, &lt;b&gt; &amp;!</h1>"},
        {"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 404 Not Found\r\n", ""},
        {"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n",
         "\r\nAllow: GET, HEAD"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /hello/B HTTP/1.1\r\nHost: a\r\n\r\n",
         "HTTP/1.1 200 OK\r\n", "<h1>Index</h1>HTTP/1.1 200 OK\r\n"},
        {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", ""},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: x/y\r\nContent-Length: 5\r\n\r\nhello",
         "HTTP/1.1 200 OK\r\n",
         "Content-Type: x/y\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
    };
    struct output *output = calloc(1, sizeof(*output));
    char *text = malloc(OUTPUT_MAX);
    struct program program;
    int port;

    CU_ASSERT_FATAL(output && text && start_server(&program, output, false, &port));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask(port, rows[i].request, text);
        CU_ASSERT(!strncmp(text, rows[i].status, strlen(rows[i].status)));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, rows[i].expected));
    }
    (void) kill(program.pid, SIGTERM);
    finish(&program, output);
    CU_ASSERT_EQUAL(output->status, 0);
    CU_ASSERT_STRING_EQUAL(output->err, "");
    free(text);
    free(output);
}

static void test_http_server_tells_how_to_use_it(void)
{
    struct output *output = calloc(1, sizeof(*output));

    CU_ASSERT_FATAL(output && run(output, (const char *const[]) {"http_server", "--help", NULL}));
    CU_ASSERT_EQUAL(output->status, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output->out, "usage: http_server"));
    CU_ASSERT_FATAL(run(output, (const char *const[]) {"http_server", "--version", NULL}));
    CU_ASSERT_EQUAL(output->status, 0);
    CU_ASSERT_STRING_EQUAL(output->out, "http_server (ouro " OURO_VERSION ")\n");
    CU_ASSERT_FATAL(run(output, (const char *const[]) {"http_server", "--delay", "x", NULL}));
    CU_ASSERT_EQUAL(output->status, 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(output->err, "usage: http_server"));
    free(output);
}

static void test_hello_server_says_hello(void)
{
    struct output *output = calloc(1, sizeof(*output));
    char *text = malloc(OUTPUT_MAX);
    struct program program;
    size_t len = 0;
    ssize_t n = 1;

    CU_ASSERT_FATAL(output && text &&
                    start(&program, (const char *const[]) {"hello_server", NULL}, false));
    while (n > 0 && !strchr(output->out, '\n')) {
        n = read(program.out_fd, output->out + len, OUTPUT_MAX - 1 - len);
        len += n > 0 ? (size_t) n : 0;
    }
    if (n > 0) { /* otherwise somebody else has port 8000 */
        ask(8000, "GET /hello/Ada HTTP/1.1\r\nHost: a\r\n\r\n", text);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\n\r\n<h1>hello, Ada!</h1>"));
    }
    (void) kill(program.pid, SIGTERM);
    finish(&program, output);
    free(text);
    free(output);
}

/* --- guestbook -------------------------------------------------------------------------------- */

static void test_guestbook_remembers(void)
{
    static const struct {
        const char *request;
        const char *expected;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\nCookie: name=Ada\r\n\r\n", "value=\"Ada\""},
        {"POST /sign HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
         "Content-Length: 16\r\n\r\nname=B&text=%3Cb",
         "Location: /entries\r\n"},
        {"POST /sign HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
         "Content-Length: 6\r\n\r\nname=B",
         "HTTP/1.1 422 "},
        {"POST /entries?name=C HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nHi",
         "{\"name\": \"C\", \"text\": \"Hi\"}"},
        {"POST /entries?name=C HTTP/1.1\r\nHost: a\r\nContent-Length: 281\r\n\r\n",
         "HTTP/1.1 413 "},
        {"POST /entries HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nHi", "HTTP/1.1 422 "},
        {"GET /entries HTTP/1.1\r\nHost: a\r\n\r\n", "{\"name\": \"B\", \"text\": \"\\u003cb\"}"},
        {"POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"
         "Content-Length: 77\r\n\r\n--x\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nsome bytes\r\n--x--",
         "{\"files\": 1, \"bytes\": 10}"},
    };
    struct output *output = calloc(1, sizeof(*output));
    char *text = malloc(OUTPUT_MAX);
    struct program program;
    int port;

    CU_ASSERT_FATAL(
        output && text &&
        start_server_of(&program, output,
                        (const char *const[]) {"guestbook", "--listen", "127.0.0.1:0", NULL}, false,
                        "Guestbook at http://127.0.0.1:%d...", &port));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask(port, rows[i].request, text);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, rows[i].expected));
    }
    (void) kill(program.pid, SIGTERM);
    finish(&program, output);
    CU_ASSERT_EQUAL(output->status, 0);
    CU_ASSERT_STRING_EQUAL(
        output->err,
        "GET / 200\nPOST /sign 303\nPOST /sign 422\nPOST /entries 201\nPOST /entries 413\nPOST /entries 422\nGET /entries 200\nPOST /upload 200\n");
    free(text);
    free(output);
}

static void ends_cleanly_on(int number)
{
    struct output *output = calloc(1, sizeof(*output));
    struct program program;
    int port;

    CU_ASSERT_FATAL(output && start_server(&program, output, /* ignore_signals= */ true, &port));
    (void) kill(program.pid, number);
    finish(&program, output);
    CU_ASSERT_EQUAL(output->status, 0);
    free(output);
}

static void test_http_server_ends_on_signals_inherited_as_ignored(void)
{
    ends_cleanly_on(SIGINT);
    ends_cleanly_on(SIGTERM);
}

static void test_http_server_says_that_its_port_is_in_use(void)
{
    struct output *output = calloc(1, sizeof(*output));
    char address[32];
    int port;
    int fd = listen_anywhere(&port);

    (void) snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    CU_ASSERT_FATAL(output &&
                    run(output, (const char *const[]) {"http_server", "--listen", address, NULL}));
    CU_ASSERT_NOT_EQUAL(output->status, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(output->err, "Address already in use"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output->err, address));
    (void) close(fd);
    free(output);
}

/* --- ouro_doctor ------------------------------------------------------------------------------ */

/* Makes io_uring_setup(2) fail with `code` in this process and what it becomes. */
static void filter_io_uring(int code)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned) code),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(126);
}

static void forbid_io_uring(void)
{
    filter_io_uring(EPERM);
}

static void hide_io_uring(void)
{
    filter_io_uring(ENOSYS);
}

/* Enough for the ring, but not for the loop. */
static void limit_files(void)
{
    const struct rlimit limit = {4, 4};

    for (int fd = STDERR_FILENO + 1; fd < 4; fd++)
        (void) fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void) setrlimit(RLIMIT_NOFILE, &limit);
}

static struct output *ask_doctor(void (*prepare)(void))
{
    struct output *output = calloc(1, sizeof(*output));

    prepare_process = prepare;
    CU_ASSERT_FATAL(output && run(output, (const char *const[]) {"ouro_doctor", NULL}));
    prepare_process = NULL;
    return output;
}

static void expect(const char *text, const char *what)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(text, what));
    if (!strstr(text, what))
        printf("    no \"%s\" in:\n%s\n", what, text);
}

static void test_ouro_doctor_finds_a_machine_that_is_well(void)
{
    struct output *output;

    if (!test_kernel_ring()) {
        TEST_SKIP("there is to be no kernel ring");
        return;
    }
    output = ask_doctor(NULL);
    expect(output->out, "  io_uring                       yes  ");
    expect(output->out, "\n  open files ");
    expect(output->out, "\nouro can run here.\n");
    CU_ASSERT_PTR_NULL(strstr(output->out, "SCMP_ACT_ALLOW"));
    CU_ASSERT_STRING_EQUAL(output->err, "");
    CU_ASSERT_EQUAL(output->status, 0);
    free(output);
}

static void test_ouro_doctor_blames_a_filter_that_forbids(void)
{
    struct output *output = ask_doctor(forbid_io_uring);

    expect(output->out, ", with a seccomp filter\n");
    expect(output->out,
           "  io_uring                       no   refused by a seccomp filter: see below");
    expect(output->out,
           "\"names\": [\"io_uring_setup\", \"io_uring_enter\", \"io_uring_register\"]");
    expect(output->out, "\nouro cannot run here: refused by a seccomp filter");
    expect(output->err, "ouro: cannot start: Operation not permitted");
    CU_ASSERT_EQUAL(output->status, 1);
    free(output);
}

static void test_ouro_doctor_suspects_a_filter_that_hides(void)
{
    struct output *output = ask_doctor(hide_io_uring);

    expect(output->out,
           "  io_uring                       no   hidden by a seccomp filter (see below), or ");
    expect(output->out, "SCMP_ACT_ALLOW");
    CU_ASSERT_EQUAL(output->status, 1);
    free(output);
}

static void test_ouro_doctor_names_the_limit_on_files(void)
{
    struct output *output;

    if (!test_kernel_ring()) {
        TEST_SKIP("there is to be no kernel ring");
        return;
    }
    output = ask_doctor(limit_files);
    expect(output->out, "  open files                     low  4: ");
    expect(output->out,
           "\nouro cannot run here: no file descriptor left: raise the limit (ulimit -n)");
    CU_ASSERT_EQUAL(output->status, 1);
    free(output);
}

static void test_ouro_doctor_explains_itself(void)
{
    struct output *output = calloc(1, sizeof(*output));

    CU_ASSERT_FATAL(output && run(output, (const char *const[]) {"ouro_doctor", "--help", NULL}));
    expect(output->out, "usage: ouro_doctor\n");
    CU_ASSERT_EQUAL(output->status, 0);
    CU_ASSERT_FATAL(run(output, (const char *const[]) {"ouro_doctor", "--hlep", NULL}));
    CU_ASSERT_EQUAL(output->status, 1);
    free(output);
}

/* --- tls_echo -------------------------------------------------------------------------------- */

/* A new file with a key and a certificate for 127.0.0.1 that signs itself. */
static void make_certificate(char path[32])
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    FILE *file;

    (void) X509_set_version(certificate, X509_VERSION_3);
    (void) X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    (void) X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    (void) X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                      (const unsigned char *) "test", -1, -1, 0);
    (void) X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    (void) X509_set_pubkey(certificate, key);
    (void) X509_add_ext(certificate, names, -1);
    CU_ASSERT(X509_sign(certificate, key, EVP_sha256()) > 0);
    (void) strcpy(path, "/tmp/ouro_tls_echo.XXXXXX");
    file = fdopen(mkstemp(path), "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    CU_ASSERT_EQUAL(PEM_write_X509(file, certificate), 1);
    (void) fclose(file);
    X509_EXTENSION_free(names);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* Runs a program that finds `text` on its stdin. */
static void run_with_input(struct output *output, const char *const argv[], const char *text)
{
    int own_stdin = dup(STDIN_FILENO), fds[2];

    CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
    (void) !write(fds[1], text, strlen(text));
    (void) close(fds[1]);
    (void) dup2(fds[0], STDIN_FILENO);
    (void) close(fds[0]);
    CU_ASSERT(run(output, argv));
    (void) dup2(own_stdin, STDIN_FILENO);
    (void) close(own_stdin);
}

static void test_tls_echo_echoes_to_those_who_trust_it(void)
{
    struct output *output = calloc(2, sizeof(*output)), *client = output + 1;
    char pem[32], address[32];
    struct program server;
    size_t len = 0;
    int port = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(output);
    make_certificate(pem);
    CU_ASSERT_FATAL(start(&server,
                          (const char *const[]) {"tls_echo", "--listen", "127.0.0.1:0", "--cert",
                                                 pem, "--key", pem, NULL},
                          false));
    while (!strchr(output->out, '\n')) {
        ssize_t n = read(server.out_fd, output->out + len, OUTPUT_MAX - 1 - len);

        CU_ASSERT_FATAL(n > 0);
        len += (size_t) n;
    }
    CU_ASSERT_EQUAL(sscanf(output->out, "Listening on 127.0.0.1:%d...", &port), 1);
    (void) snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    run_with_input(client,
                   (const char *const[]) {"tls_echo", "--connect", address, "--ca", pem, NULL},
                   "hello\nand again\n");
    CU_ASSERT_STRING_EQUAL(client->out, "hello\nand again\n");
    CU_ASSERT_STRING_EQUAL(client->err, "TLSv1.3\n");
    CU_ASSERT_EQUAL(client->status, 0);
    run_with_input(client, (const char *const[]) {"tls_echo", "--connect", address, NULL}, "x\n");
    CU_ASSERT_STRING_EQUAL(client->out, "");
    CU_ASSERT_PTR_NOT_NULL(strstr(client->err, "tls_echo: 127.0.0.1: self-signed certificate"));
    CU_ASSERT_EQUAL(client->status, 1);
    (void) kill(server.pid, SIGINT);
    finish(&server, output);
    CU_ASSERT_EQUAL(output->status, 0);
    (void) unlink(pem);
    free(output);
}

/* --- udp_echo ----------------------------------------------------------------------------- */

static void test_udp_echo_asks_itself(void)
{
    struct output output;

    CU_ASSERT_FATAL(run(&output, (const char *const[]) {"udp_echo", NULL}));
    CU_ASSERT_STRING_EQUAL(output.out, "one came back\ntwo came back\nthree came back\n");
    CU_ASSERT_STRING_EQUAL(output.err, "");
    CU_ASSERT_EQUAL(output.status, 0);
}

/* --- several loops ----------------------------------------------------------------------------- */

static void test_embed_poll_talks_with_a_foreign_loop(void)
{
    static const char expected[] = "poll loop: one\n"
                                   "task:      ok\n"
                                   "poll loop: two\n"
                                   "task:      ok\n"
                                   "poll loop: three\n"
                                   "task:      ok\n"
                                   "task:      the other one ticked 10 times\n";
    struct output output;

    if (!test_kernel_ring()) {
        TEST_SKIP("the simulated ring has no descriptor");
        return;
    }
    CU_ASSERT_FATAL(run(&output, (const char *const[]) {"embed_poll", NULL}));
    CU_ASSERT_STRING_EQUAL(output.out, expected);
    CU_ASSERT_STRING_EQUAL(output.err, "");
    CU_ASSERT_EQUAL(output.status, 0);
}

/* Reads what a program prints until that has `count` lines. */
static void read_lines(const struct program *program, struct output *output, int count)
{
    size_t len = strlen(output->out);
    const char *end = output->out;

    for (;;) {
        const char *newline;
        ssize_t n;

        while (count > 0 && (newline = strchr(end, '\n'))) {
            end = newline + 1;
            count--;
        }
        if (count == 0)
            return;
        n = read(program->out_fd, output->out + len, OUTPUT_MAX - 1 - len);
        CU_ASSERT_FATAL(n > 0);
        len += (size_t) n;
        output->out[len] = '\0';
    }
}

/* A connection to a port of 127.0.0.1; -1: refused. */
static int connect_locally(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && !connect(fd, (struct sockaddr *) &address, sizeof(address)))
        return fd;
    (void) close(fd);
    return -1;
}

/* Whether a line comes back as it was sent. */
static bool is_echoed(int fd, const char *line)
{
    char back[64] = "";
    size_t len = 0;
    ssize_t n;

    send_text(fd, line);
    while (len < strlen(line) && (n = recv(fd, back + len, sizeof(back) - 1 - len, 0)) > 0)
        len += (size_t) n;
    return strcmp(back, line) == 0;
}

static void test_tcp_echo_talks_to_itself(void)
{
    prints("tcp_echo", "one\ntwo\nthree\n");
}

/* Goal: Ctrl-C ends the accepting, and not what is connected. */
static void test_tcp_echo_lets_connections_finish(void)
{
    struct output *output = calloc(1, sizeof(*output));
    struct program server;
    int port = 0, fd, other;

    if (!test_kernel_ring()) {
        TEST_SKIP("nobody outside can connect to the simulated ring");
        return;
    }
    CU_ASSERT_FATAL(
        output &&
        start(&server, (const char *const[]) {"tcp_echo", "--listen", "127.0.0.1:0", NULL}, false));
    read_lines(&server, output, 1);
    CU_ASSERT_EQUAL_FATAL(sscanf(output->out, "Listening on 127.0.0.1:%d...", &port), 1);
    fd = connect_locally(port);
    CU_ASSERT(is_echoed(fd, "before"));
    (void) kill(server.pid, SIGINT);
    while ((other = connect_locally(port)) >= 0) /* until the signal has arrived */
        (void) close(other);
    CU_ASSERT(is_echoed(fd, "after"));
    (void) shutdown(fd, SHUT_WR);
    finish(&server, output);
    CU_ASSERT_EQUAL(output->status, 0);
    CU_ASSERT_STRING_EQUAL(output->err, "");
    (void) close(fd);
    free(output);
}

static void test_sharded_echo_serves_on_all_shards_until_a_signal(void)
{
    struct output *output = calloc(1, sizeof(*output));
    unsigned long served[2] = {0, 0};
    struct program program;
    int port = 0, silent;

    if (!test_kernel_ring()) {
        TEST_SKIP("threads need the kernel's ring");
        return;
    }
    CU_ASSERT_FATAL(output && start(&program,
                                    (const char *const[]) {"sharded_echo", "--listen",
                                                           "127.0.0.1:0", "--shards", "2", NULL},
                                    false));
    read_lines(&program, output, 1);
    CU_ASSERT_EQUAL(sscanf(output->out, "Listening on 127.0.0.1:%d with 2 shards...\n", &port), 1);
    silent = connect_locally(port);
    for (int i = 0; i < 50; i++) {
        int fd = connect_locally(port);

        CU_ASSERT(is_echoed(fd, "hello\n"));
        (void) close(fd);
    }
    CU_ASSERT(is_echoed(silent, "and I?\n"));
    (void) kill(program.pid, SIGTERM);
    finish(&program, output);
    for (unsigned i = 0; i < 2; i++) {
        char start_of_line[32];
        const char *line;

        (void) snprintf(start_of_line, sizeof(start_of_line), "shard %u served ", i);
        line = strstr(output->out, start_of_line);
        CU_ASSERT(line && sscanf(line + strlen(start_of_line), "%lu connections", &served[i]) == 1);
    }
    CU_ASSERT_EQUAL(served[0] + served[1], 51);
    CU_ASSERT(served[0] > 0 && served[1] > 0); /* by a hash: else once in 10^15 runs */
    CU_ASSERT_STRING_EQUAL(output->err, "");
    CU_ASSERT_EQUAL(output->status, 0);
    (void) close(silent);
    free(output);
}

static void test_shard_queue_counts_the_primes(void)
{
    struct output *output = calloc(1, sizeof(*output));
    const char *const argv[] = {"shard_queue", "--shards", "3", "100000", NULL};

    CU_ASSERT_FATAL(output && run(output, argv));
    CU_ASSERT_PTR_NOT_NULL(strstr(output->out, "9592 primes below 100000\n"));
    CU_ASSERT_STRING_EQUAL(output->err, "");
    CU_ASSERT_EQUAL(output->status, 0);
    free(output);
}

static void test_shard_queue_ends_in_order_while_messages_are_on_their_way(void)
{
    struct output *output = calloc(1, sizeof(*output));
    const char *const argv[] = {"shard_queue", "--shards", "4", "1000000000000", NULL};
    struct program program;

    CU_ASSERT_PTR_NOT_NULL_FATAL(output);
    for (int i = 0; i < 10; i++) {
        memset(output, 0, sizeof(*output));
        CU_ASSERT_FATAL(start(&program, argv, false));
        read_lines(&program, output, 1);
        (void) kill(program.pid, SIGINT);
        finish(&program, output);
        CU_ASSERT_PTR_NOT_NULL(strstr(output->out, "primes below"));
        CU_ASSERT_STRING_EQUAL(output->err, "");
        CU_ASSERT_EQUAL(output->status, 0);
    }
    free(output);
}

static void test_sharded_echo_says_that_its_port_is_in_use(void)
{
    struct output *output = calloc(1, sizeof(*output));
    char address[32];
    int port;
    int fd = listen_anywhere(&port);

    (void) snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    CU_ASSERT_FATAL(output &&
                    run(output, (const char *const[]) {"sharded_echo", "--listen", address, NULL}));
    CU_ASSERT_STRING_EQUAL(output->out, "");
    CU_ASSERT_PTR_NOT_NULL(strstr(output->err, "Address already in use"));
    CU_ASSERT_EQUAL(output->status, 1);
    (void) close(fd);
    free(output);
}

/* --- multi_process --------------------------------------------------------------------------- */

#define WORKERS_MAX 8

/* Two workers, and the pids of all that said they serve. */
struct workers {
    struct program master;
    struct output *output;
    int port;
    int pids[WORKERS_MAX];
    int count;
};

/* Waits until `count` workers have said that they serve. */
static void await_workers(struct workers *self, int count)
{
    const char *line = self->output->out;

    read_lines(&self->master, self->output, 1 + count);
    self->count = 0;
    while (self->count < WORKERS_MAX && (line = strchr(line, '\n')) &&
           sscanf(++line, "worker %d serves", &self->pids[self->count]) == 1)
        self->count++;
    CU_ASSERT_EQUAL_FATAL(self->count, count);
}

static bool start_workers(struct workers *self, const char *drain_ms)
{
    memset(self, 0, sizeof(*self));
    if (!test_kernel_ring()) {
        TEST_SKIP("processes need the kernel's ring");
        return false;
    }
    self->output = calloc(1, sizeof(*self->output));
    CU_ASSERT_FATAL(self->output &&
                    start(&self->master,
                          (const char *const[]) {"multi_process", "--listen", "127.0.0.1:0",
                                                 "--workers", "2", "--drain", drain_ms, NULL},
                          false));
    await_workers(self, 2);
    CU_ASSERT_EQUAL(
        sscanf(self->output->out, "Listening on 127.0.0.1:%d with 2 workers...\n", &self->port), 1);
    return true;
}

/* The pid in the greeting of a new connection; -1: there is none. */
static int meet_worker(const struct workers *self, int *ret_fd)
{
    char greeting[64] = "";
    size_t len = 0;
    ssize_t n = 0;
    int pid = -1;

    *ret_fd = connect_locally(self->port);
    while (*ret_fd >= 0 && !strchr(greeting, '\n') && len < sizeof(greeting) - 1 &&
           (n = recv(*ret_fd, greeting + len, sizeof(greeting) - 1 - len, 0)) > 0)
        len += (size_t) n;
    return sscanf(greeting, "worker %d\n", &pid) == 1 ? pid : -1;
}

/* All processes have gone when nobody holds the other ends of the pipes. None is a zombie. */
static void end_workers(struct workers *self, int signal_number, int status)
{
    (void) kill(self->master.pid, signal_number);
    finish(&self->master, self->output);
    CU_ASSERT_EQUAL(self->output->status, status);
    for (int i = 0; i < self->count && status == 0; i++)
        CU_ASSERT(kill(self->pids[i], 0) == -1 && errno == ESRCH);
    CU_ASSERT_STRING_EQUAL(self->output->err, "");
    free(self->output);
}

static void test_multi_process_replaces_a_worker_that_was_killed(void)
{
    struct workers workers;
    int met = 0, fd;

    if (!start_workers(&workers, "5000"))
        return;
    CU_ASSERT_EQUAL(kill(workers.pids[0], SIGKILL), 0);
    await_workers(&workers, 3);
    CU_ASSERT(kill(workers.pids[0], 0) == -1 && errno == ESRCH); /* nor a zombie */
    for (int i = 0; i < 500 && met != workers.pids[2]; i++) {
        met = meet_worker(&workers, &fd);
        CU_ASSERT(met == workers.pids[1] || met == workers.pids[2]);
        (void) close(fd);
    }
    CU_ASSERT_EQUAL(met, workers.pids[2]);
    end_workers(&workers, SIGTERM, 0);
}

static void test_multi_process_lets_connections_finish(void)
{
    struct workers workers;
    int fd;

    if (!start_workers(&workers, "10000"))
        return;
    CU_ASSERT(meet_worker(&workers, &fd) > 0);
    (void) kill(workers.master.pid, SIGTERM);
    for (int another = fd; another >= 0;) { /* until nobody listens */
        another = connect_locally(workers.port);
        (void) close(another);
    }
    CU_ASSERT(is_echoed(fd, "still there?\n"));
    (void) close(fd);
    finish(&workers.master, workers.output);
    CU_ASSERT_EQUAL(workers.output->status, 0);
    CU_ASSERT_STRING_EQUAL(workers.output->err, "");
    free(workers.output);
}

static void test_multi_process_waits_for_connections_only_so_long(void)
{
    struct workers workers;
    char byte;
    int fd;

    if (!start_workers(&workers, "20"))
        return;
    CU_ASSERT(meet_worker(&workers, &fd) > 0);
    end_workers(&workers, SIGINT, 0); /* and no worker had to be killed: stderr is empty */
    CU_ASSERT_EQUAL(recv(fd, &byte, 1, 0), 0);
    (void) close(fd);
}

static void test_multi_process_leaves_no_orphans(void)
{
    struct workers workers;

    if (start_workers(&workers, "5000"))
        end_workers(&workers, SIGKILL, 128 + SIGKILL);
}

const struct test examples_tests[] = {
    TEST(test_interleave_prints_1_2_x_y_3_z),
    TEST(test_copy_file_copies_a_file_once),
    TEST(test_producer_consumer_prints_its_dialogue),
    TEST(test_pipeline_squares_twenty_numbers),
    TEST(test_hello_says_hello_twice),
    TEST(test_hello_twice_interleaves_in_one_thread),
    TEST(test_subprocess_talks_to_two_programs),
    TEST(test_udp_echo_asks_itself),
    TEST(test_results_are_joined_and_errors_end_a_group),
    TEST(test_timeouts_nest_and_a_shield_holds_back),
    TEST(test_race_gives_results_as_they_come),
    TEST(test_locks_let_two_in_and_one_print),
    TEST(test_async_generator_waits_and_cleans_up),
    TEST(test_offload_leaves_the_loop_free),
    TEST(test_signals_obeys_those_that_it_sends_itself),
    TEST(test_wget_asks_all_hosts_at_once),
    TEST(test_wget_names_each_failing_host_and_finishes_the_others),
    TEST(test_http_server_answers_its_routes),
    TEST(test_http_server_tells_how_to_use_it),
    TEST(test_hello_server_says_hello),
    TEST(test_guestbook_remembers),
    TEST(test_http_server_ends_on_signals_inherited_as_ignored),
    TEST(test_http_server_says_that_its_port_is_in_use),
    TEST(test_tcp_echo_talks_to_itself),
    TEST(test_tcp_echo_lets_connections_finish),
    TEST(test_tls_echo_echoes_to_those_who_trust_it),
    TEST(test_ouro_doctor_finds_a_machine_that_is_well),
    TEST(test_ouro_doctor_blames_a_filter_that_forbids),
    TEST(test_ouro_doctor_suspects_a_filter_that_hides),
    TEST(test_ouro_doctor_names_the_limit_on_files),
    TEST(test_ouro_doctor_explains_itself),
    TEST(test_embed_poll_talks_with_a_foreign_loop),
    TEST(test_sharded_echo_serves_on_all_shards_until_a_signal),
    TEST(test_sharded_echo_says_that_its_port_is_in_use),
    TEST(test_shard_queue_counts_the_primes),
    TEST(test_shard_queue_ends_in_order_while_messages_are_on_their_way),
    TEST(test_multi_process_replaces_a_worker_that_was_killed),
    TEST(test_multi_process_lets_connections_finish),
    TEST(test_multi_process_waits_for_connections_only_so_long),
    TEST(test_multi_process_leaves_no_orphans),
    TEST_END,
};
