/* SPDX-License-Identifier: MIT */
/*
 * arena_test.c - drives bench/arena as the benchmark suites do, and as they should not
 *
 * OURO_ARENA is the built program. Each test starts it on a port that the system chooses, and ends
 * it as a suite does, by SIGTERM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define TEXT_MAX 65536
#define HOST     " HTTP/1.1\r\nHost: a\r\n"

/* --- the program --------------------------------------------------------------------------- */

struct arena {
    pid_t pid;
    int out_fd, err_fd;
    int port;
    char said[512]; /* on stdout, its first line */
};

static void become_arena(const char *const argv[], void (*prepare)(void), int out_fd, int err_fd)
{
    if (test_kernel_ring())
        (void) setenv("OURO_RING", test_kernel_ring(), 1);
    if (prepare)
        prepare();
    (void) dup2(out_fd, STDOUT_FILENO);
    (void) dup2(err_fd, STDERR_FILENO);
    (void) execv(OURO_ARENA, (char *const *) (void *) argv);
    _exit(127);
}

static bool start(struct arena *arena, const char *const argv[], void (*prepare)(void))
{
    int out[2], err[2];

    if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
        return false;
    arena->pid = fork();
    if (arena->pid == 0)
        become_arena(argv, prepare, out[1], err[1]);
    (void) close(out[1]);
    (void) close(err[1]);
    arena->out_fd = out[0];
    arena->err_fd = err[0];
    return arena->pid > 0;
}

static size_t read_all(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t n;

    while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t) n;
    text[len] = '\0';
    (void) close(fd);
    return len;
}

/* Waits for its end. Returns the exit status, and what it has said on stderr. */
static int finish(struct arena *arena, char err[TEXT_MAX])
{
    int status;

    (void) read_all(arena->err_fd, err, TEXT_MAX);
    (void) close(arena->out_fd);
    (void) waitpid(arena->pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Until it listens on all shards. False, with a reason why, where the test can't be done. */
static bool serve(struct arena *arena, const char *dataset)
{
    const char *argv[] = {"arena", "--listen",  "127.0.0.1:0", "--shards",
                          "2",     "--dataset", dataset,       NULL};
    size_t len = 0;
    ssize_t n = 1;

    if (!test_kernel_ring()) {
        TEST_SKIP("nobody outside can connect to the simulated ring");
        return false;
    }
    memset(arena->said, 0, sizeof(arena->said));
    argv[5] = dataset ? argv[5] : NULL;
    if (!start(arena, argv, NULL)) {
        CU_FAIL("cannot start bench/arena");
        return false;
    }
    while (n > 0 && !strchr(arena->said, '\n')) {
        n = read(arena->out_fd, arena->said + len, sizeof(arena->said) - 1 - len);
        len += n > 0 ? (size_t) n : 0;
    }
    CU_ASSERT_EQUAL(
        sscanf(arena->said, "Serving on http://127.0.0.1:%d with 2 shards", &arena->port), 1);
    return true;
}

static void end(struct arena *arena)
{
    static char err[TEXT_MAX];

    (void) kill(arena->pid, SIGTERM);
    CU_ASSERT_EQUAL(finish(arena, err), 0);
    CU_ASSERT_STRING_EQUAL(err, "");
}

/* --- asking -------------------------------------------------------------------------------- */

static int connect_to(const struct arena *arena)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) arena->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;

    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *) &address, sizeof(address)), 0);
    return fd;
}

/* In pieces of `step` bytes, each with a packet of its own as far as it is up to us. */
static void send_in_steps(int fd, const char *text, size_t len, size_t step)
{
    for (size_t at = 0; at < len; at += step) {
        size_t piece = len - at < step ? len - at : step;

        if (send(fd, text + at, piece, MSG_NOSIGNAL) != (ssize_t) piece)
            return; /* refused: then the answer tells */
    }
}

/* Sends on a new connection, ends that direction, and returns all that comes until its end. */
static const char *ask_in_steps(const struct arena *arena, const char *request, size_t step)
{
    static char answer[TEXT_MAX];
    int fd = connect_to(arena);

    send_in_steps(fd, request, strlen(request), step);
    (void) shutdown(fd, SHUT_WR);
    (void) read_all(fd, answer, sizeof(answer));
    return answer;
}

static const char *ask(const struct arena *arena, const char *request)
{
    return ask_in_steps(arena, request, TEXT_MAX);
}

static bool begins_with(const char *text, const char *start_of_it)
{
    return strncmp(text, start_of_it, strlen(start_of_it)) == 0;
}

static bool ends_with(const char *text, const char *end_of_it)
{
    size_t len = strlen(text), end_len = strlen(end_of_it);

    return len >= end_len && strcmp(text + len - end_len, end_of_it) == 0;
}

/* --- what suites ask ------------------------------------------------------------------------ */

static const struct row {
    const char *request;
    const char *type;
    const char *body;
} rows[] = {
    {"GET /plaintext" HOST "\r\n", "text/plain", "Hello, World!"},
    {"GET /json" HOST "\r\n", "application/json", "{\"message\":\"Hello, World!\"}"},
    {"GET /pipeline" HOST "\r\n", "text/plain", "ok"},
    {"GET /baseline11?a=13&b=42" HOST "\r\n", "text/plain", "55"},
    {"GET /baseline11?b=-42&x=7&a=13" HOST "\r\n", "text/plain", "-29"},
    {"GET /baseline11?a=9223372036854775806&b=1" HOST "\r\n", "text/plain", "9223372036854775807"},
    {"GET /baseline11?a=-9223372036854775808&b=0" HOST "\r\n", "text/plain",
     "-9223372036854775808"},
    {"POST /baseline11?a=13&b=42" HOST "Content-Length: 2\r\n\r\n20", "text/plain", "75"},
    {"POST /baseline11?a=13&b=42" HOST "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\n-55",
     "text/plain", "0"},
    {"POST /baseline11?a=0&b=1" HOST "Content-Length: 20\r\n\r\n-9223372036854775808", "text/plain",
     "-9223372036854775807"},
    {"POST /baseline11?a=13&b=42" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\n20\r\n0\r\n\r\n",
     "text/plain", "75"},
    {"POST /baseline11?a=13&b=42" HOST
     "Transfer-Encoding: chunked\r\n\r\n1\r\n2\r\n1;x=y\r\n0\r\n0\r\n\r\n",
     "text/plain", "75"},
    {"POST /upload" HOST "Content-Length: 17\r\n\r\nHello, HttpArena!", "text/plain", "17"},
    {"POST /upload" HOST "Content-Length: 0\r\n\r\n", "text/plain", "0"},
    {"POST /upload" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\na\r\n0123456789\r\n"
     "0\r\n\r\n",
     "text/plain", "15"},
};

static void check_row(const char *answer, const struct row *row)
{
    char line[1024];

    CU_ASSERT(begins_with(answer, "HTTP/1.1 200 OK\r\n"));
    (void) snprintf(line, sizeof(line), "\r\nContent-Type: %s\r\n", row->type);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, line));
    (void) snprintf(line, sizeof(line), "\r\nContent-Length: %zu\r\n", strlen(row->body));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, line));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\nServer: ouro\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\r\nDate: "));
    (void) snprintf(line, sizeof(line), "\r\n\r\n%s", row->body);
    CU_ASSERT(ends_with(answer, line));
}

static void test_endpoints_answer_whole_and_in_pieces(void)
{
    struct arena arena;

    if (!serve(&arena, NULL))
        return;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        check_row(ask(&arena, rows[i].request), &rows[i]);
        check_row(ask_in_steps(&arena, rows[i].request, 1), &rows[i]);
    }
    end(&arena);
}

static void test_what_is_no_number_is_refused(void)
{
    static const char *const requests[] = {
        "GET /baseline11" HOST "\r\n",
        "GET /baseline11?" HOST "\r\n",
        "GET /baseline11?a=1" HOST "\r\n",
        "GET /baseline11?b=1" HOST "\r\n",
        "GET /baseline11?a=&b=1" HOST "\r\n",
        "GET /baseline11?a=1&b=x" HOST "\r\n",
        "GET /baseline11?a=1&b=2x" HOST "\r\n",
        "GET /baseline11?a=+1&b=2" HOST "\r\n", /* a blank */
        "GET /baseline11?a=%2B1&b=2" HOST "\r\n",
        "GET /baseline11?a=0x1&b=2" HOST "\r\n",
        "GET /baseline11?a=1.5&b=2" HOST "\r\n",
        "GET /baseline11?a=-&b=2" HOST "\r\n",
        "GET /baseline11?a=--1&b=2" HOST "\r\n",
        "GET /baseline11?a=%zz&b=2" HOST "\r\n",
        "GET /baseline11?a=9223372036854775808&b=0" HOST "\r\n",
        "GET /baseline11?a=9223372036854775807&b=1" HOST "\r\n",
        "GET /baseline11?a=-9223372036854775808&b=-1" HOST "\r\n",
        "POST /baseline11?a=1&b=2" HOST "Content-Length: 0\r\n\r\n",
        "POST /baseline11?a=1&b=2" HOST "Content-Length: 1\r\n\r\nx",
        "POST /baseline11?a=1&b=2" HOST "Content-Length: 3\r\n\r\n1\n2",
        "POST /baseline11?a=1" HOST "Content-Length: 1\r\n\r\n3",
        "POST /baseline11?a=1&b=2" HOST "Content-Length: 19\r\n\r\n9223372036854775807",
        "POST /baseline11?a=1&b=2" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    };
    struct arena arena;

    if (!serve(&arena, NULL))
        return;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        CU_ASSERT(begins_with(ask(&arena, requests[i]), "HTTP/1.1 400 Bad Request\r\n"));
    end(&arena);
}

static void test_what_is_not_there_is_refused(void)
{
    static const struct {
        const char *request, *status;
    } refused[] = {
        {"GET /" HOST "\r\n", "404"},
        {"GET /json/1?m=1" HOST "\r\n", "404"}, /* without a dataset */
        {"GET /upload" HOST "\r\n", "405"},
        {"PUT /baseline11?a=1&b=2" HOST "\r\n", "405"},
        {"POST /baseline11?a=1&b=2" HOST "Content-Length: 21\r\n\r\n000000000000000000001", "413"},
        {"POST /baseline11?a=1&b=2" HOST "Transfer-Encoding: chunked\r\n\r\n"
         "15\r\n000000000000000000001\r\n0\r\n\r\n",
         "413"},
        {"POST /upload" HOST "Content-Length: 268435457\r\n\r\n", "413"},
    };
    struct arena arena;
    char start_of_answer[32];

    if (!serve(&arena, NULL))
        return;
    CU_ASSERT_PTR_NOT_NULL(strstr(arena.said, "no dataset"));
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        (void) snprintf(start_of_answer, sizeof(start_of_answer), "HTTP/1.1 %s ",
                        refused[i].status);
        CU_ASSERT(begins_with(ask(&arena, refused[i].request), start_of_answer));
    }
    end(&arena);
}

/* 16 requests in one packet, as the suites pipeline them, each with a sum of its own. */
static void test_pipelined_requests_are_answered_in_order(void)
{
    char requests[2048] = "";
    const char *at;
    struct arena arena;
    size_t len = 0;

    if (!serve(&arena, NULL))
        return;
    for (int i = 0; i < 16; i++)
        len += (size_t) snprintf(requests + len, sizeof(requests) - len,
                                 i % 2 ? "GET /baseline11?a=100&b=%d" HOST "\r\n"
                                       : "POST /baseline11?a=50&b=50" HOST
                                         "Content-Length: 2\r\n\r\n%02d",
                                 i);
    at = ask(&arena, requests);
    for (int i = 0; i < 16; i++) {
        char body[16];

        (void) snprintf(body, sizeof(body), "\r\n\r\n%d", 100 + i);
        at = strstr(at, "HTTP/1.1 200 OK\r\n");
        CU_ASSERT_FATAL(at != NULL);
        at = strstr(at, "\r\n\r\n");
        CU_ASSERT_FATAL(at && begins_with(at, body));
    }
    CU_ASSERT_PTR_NULL(strstr(at, "HTTP/1.1"));
    end(&arena);
}

/* 10 requests on each of many connections, which the client closes: both shards get some. */
static void test_short_connections_are_served(void)
{
    static const char request[] = "GET /baseline11?a=13&b=42" HOST "\r\n";
    struct arena arena;
    char answer[512];

    if (!serve(&arena, NULL))
        return;
    for (int i = 0; i < 50; i++) {
        int fd = connect_to(&arena);

        for (int turn = 0; turn < 10; turn++) {
            ssize_t n;

            send_in_steps(fd, request, sizeof(request) - 1, sizeof(request));
            n = recv(fd, answer, sizeof(answer) - 1, 0);
            answer[n > 0 ? n : 0] = '\0';
            CU_ASSERT(ends_with(answer, "\r\n\r\n55"));
        }
        (void) close(fd);
    }
    end(&arena);
}

static void test_an_upload_of_20_megabytes_is_counted(void)
{
    static char piece[65536], answer[4096];
    struct arena arena;
    char head[128];
    int fd;

    if (!serve(&arena, NULL))
        return;
    fd = connect_to(&arena);
    (void) snprintf(head, sizeof(head), "POST /upload" HOST "Content-Length: 20971520\r\n\r\n");
    send_in_steps(fd, head, strlen(head), sizeof(head));
    for (int i = 0; i < 320; i++)
        send_in_steps(fd, piece, sizeof(piece), sizeof(piece));
    (void) shutdown(fd, SHUT_WR);
    (void) read_all(fd, answer, sizeof(answer));
    CU_ASSERT(ends_with(answer, "\r\n\r\n20971520"));
    end(&arena);
}

/* --- items ---------------------------------------------------------------------------------- */

/* A file with that text, until the test removes it. */
static const char *file_of(const char *text)
{
    static char path[32];
    int fd;

    (void) snprintf(path, sizeof(path), "/tmp/ouro-arena-XXXXXX");
    fd = mkostemp(path, O_CLOEXEC);
    CU_ASSERT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t) strlen(text));
    (void) close(fd);
    return path;
}

#define ITEM_1                                                                             \
    "{\"id\":1,\"name\":\"A \\\"B\\\"\",\"category\":\"c\",\"price\":328,\"quantity\":15," \
    "\"active\":true,\"tags\":[\"x\",\"y\"],\"rating\":{\"score\":48,\"count\":53}"

static void test_items_have_totals(void)
{
    static const char dataset[] =
        " [ {\"id\": 1, \"name\": \"A \\\"B\\\"\", \"category\": \"c\", \"price\": 328,\n"
        "\"quantity\": 15, \"active\": true, \"tags\": [\"x\", \"y\"],"
        " \"rating\": {\"score\": 48, \"count\": 53}},"
        "{\"tags\":[],\"id\":2,\"name\":\"\",\"category\":\"\\n\\\\\",\"price\":-1,"
        "\"quantity\":4611686018427387904,\"active\":false,\"rating\":{}}]\n";
    static const struct {
        const char *path, *body;
    } items[] = {
        {"/json/1?m=3", "{\"items\":[" ITEM_1 ",\"total\":14760}],\"count\":1}"},
        {"/json/2?m=2", "{\"items\":[" ITEM_1 ",\"total\":9840},"
                        "{\"id\":2,\"name\":\"\",\"category\":\"\\u000a\\\\\",\"price\":-1,"
                        "\"quantity\":4611686018427387904,\"active\":false,\"tags\":[],"
                        "\"rating\":{\"score\":0,\"count\":0},\"total\":-9223372036854775808}],"
                        "\"count\":2}"},
    };
    static const char *const refused[] = {
        "/json/0?m=1", "/json/3?m=1", "/json/x?m=1", "/json/-1?m=1",
        "/json/1",     "/json/1?m=",  "/json/1?m=x", "/json/2?m=3"};
    const char *path = file_of(dataset);
    char request[128];
    struct arena arena;

    if (!serve(&arena, path)) {
        (void) unlink(path);
        return;
    }
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        const struct row row = {.type = "application/json", .body = items[i].body};

        (void) snprintf(request, sizeof(request), "GET %s" HOST "\r\n", items[i].path);
        check_row(ask(&arena, request), &row);
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        (void) snprintf(request, sizeof(request), "GET %s" HOST "\r\n", refused[i]);
        CU_ASSERT(begins_with(ask(&arena, request), "HTTP/1.1 400 "));
    }
    end(&arena);
    (void) unlink(path);
}

/* Only who takes gzip gets it, and only an answer that is long enough. */
static void test_long_items_are_compressed_on_demand(void)
{
    static const char form[] = "[{\"id\":1,\"name\":\"%0600d\",\"category\":\"c\",\"price\":1,"
                               "\"quantity\":1,\"active\":true,\"tags\":[],\"rating\":{}}]";
    static const char encoding[] = "\r\nContent-Encoding: gzip\r\n";
    char dataset[1024];
    const char *path;
    struct arena arena;

    (void) snprintf(dataset, sizeof(dataset), form, 0);
    path = file_of(dataset);
    if (serve(&arena, path)) {
        CU_ASSERT_PTR_NOT_NULL(strstr(
            ask(&arena, "GET /json/1?m=1" HOST "Accept-Encoding: gzip, br\r\n\r\n"), encoding));
        CU_ASSERT_PTR_NULL(strstr(ask(&arena, "GET /json/1?m=1" HOST "\r\n"), encoding));
        CU_ASSERT_PTR_NULL(
            strstr(ask(&arena, "GET /json" HOST "Accept-Encoding: gzip, br\r\n\r\n"), encoding));
        end(&arena);
    }
    (void) unlink(path);
}

/* Runs to its end. Returns the exit status. */
static int run(const char *const argv[], void (*prepare)(void), char err[TEXT_MAX])
{
    struct arena arena;

    CU_ASSERT_FATAL(start(&arena, argv, prepare));
    return finish(&arena, err);
}

#define TAGS_4  "\"\",\"\",\"\",\"\""
#define TAGS_16 TAGS_4 "," TAGS_4 "," TAGS_4 "," TAGS_4

static void test_a_bad_dataset_is_refused(void)
{
    static const char *const datasets[] = {
        "",
        "[]",
        "{}",
        "[{}]",
        "[{\"name\":\"a\"}]",
        "[{\"name\":\"a\",\"category\":\"b\"}",
        "[{\"name\":\"a\",\"category\":\"b\"}] x",
        "[{\"name\":\"a\",\"category\":\"b\",}]",
        "[{\"name\":\"a\" \"category\":\"b\"}]",
        "[{\"name\":\"a\",\"category\":\"b\",\"x\":1}]",
        "[{\"name\":\"a\",\"category\":\"b\",\"id\":x}]",
        "[{\"name\":\"a\",\"category\":\"b\",\"id\":9223372036854775808}]",
        "[{\"name\":\"a\",\"category\":\"b\",\"active\":1}]",
        "[{\"name\":\"a\",\"category\":\"b\",\"tags\":[\"x\"}]",
        "[{\"name\":\"a\",\"category\":\"b\",\"tags\":[\"x\",]}]",
        "[{\"name\":\"a\",\"category\":\"b\",\"rating\":{\"x\":1}}]",
        "[{\"name\":\"a\\u0041\",\"category\":\"b\"}]",
        "[{\"name\":\"a\n\",\"category\":\"b\"}]",
        "[{\"name\":\"a\\",
        "[{\"name\":\"a",
        "[{\"name",
        "[{\"a name that is much longer than one that we know\":1}]",
        "[{\"tags\":[1,2],\"name\":\"a\",\"category\":\"b\"}]",
        "[{\"tags\":[" TAGS_16 ",\"\"],\"name\":\"a\",\"category\":\"b\"}]",
    };
    static char err[TEXT_MAX];

    for (size_t i = 0; i < sizeof(datasets) / sizeof(datasets[0]); i++) {
        const char *path = file_of(datasets[i]);
        const char *const argv[] = {"arena", "--listen", "127.0.0.1:0", "--dataset", path, NULL};

        CU_ASSERT_EQUAL(run(argv, NULL, err), 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(err, path));
        (void) unlink(path);
    }
}

/* --- starting ------------------------------------------------------------------------------- */

static void test_wrong_options_show_how_to_use_it(void)
{
    static const char *const options[][2] = {
        {"--listen", "x"},    {"--listen", "unix:/tmp/x"}, {"--listen", "127.0.0.1"},
        {"--shards", "0"},    {"--shards", "-1"},          {"--shards", "2x"},
        {"--shards", "1025"}, {"--dataset", NULL},         {"--no-such", NULL},
        {"word", NULL},
    };
    static char err[TEXT_MAX];

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const char *const argv[] = {"arena", options[i][0], options[i][1], NULL};

        CU_ASSERT_EQUAL(run(argv, NULL, err), 2);
        CU_ASSERT_PTR_NOT_NULL(strstr(err, "usage: arena"));
    }
}

static void test_a_missing_dataset_that_was_asked_for_is_an_error(void)
{
    static char err[TEXT_MAX];
    const char *const argv[] = {"arena", "--dataset", "/no/such/file", NULL};

    CU_ASSERT_EQUAL(run(argv, NULL, err), 1);
    CU_ASSERT_STRING_EQUAL(err, "arena: /no/such/file: No such file or directory\n");
}

static void test_a_port_that_is_taken_is_named(void)
{
    static char err[TEXT_MAX];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[32];
    const char *const argv[] = {"arena", "--listen", text, NULL};

    CU_ASSERT_FATAL(!bind(fd, (struct sockaddr *) &address, len) && !listen(fd, 1) &&
                    !getsockname(fd, (struct sockaddr *) &address, &len));
    (void) snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(address.sin_port));
    CU_ASSERT_EQUAL(run(argv, NULL, err), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err, text));
    CU_ASSERT_PTR_NOT_NULL(strstr(err, "Address already in use"));
    (void) close(fd);
}

/* As Docker's default profile does it, in this process and what it becomes. */
static void forbid_io_uring(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(126);
}

static void test_a_container_that_forbids_io_uring_is_named(void)
{
    static char err[TEXT_MAX];
    const char *const argv[] = {"arena", "--listen", "127.0.0.1:0", NULL};

    if (!test_kernel_ring()) {
        TEST_SKIP("the simulated ring needs no permission");
        return;
    }
    CU_ASSERT_EQUAL(run(argv, forbid_io_uring, err), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(err, "Operation not permitted"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err, "seccomp"));
}

const struct test arena_tests[] = {
    TEST(test_endpoints_answer_whole_and_in_pieces),
    TEST(test_what_is_no_number_is_refused),
    TEST(test_what_is_not_there_is_refused),
    TEST(test_pipelined_requests_are_answered_in_order),
    TEST(test_short_connections_are_served),
    TEST(test_an_upload_of_20_megabytes_is_counted),
    TEST(test_items_have_totals),
    TEST(test_long_items_are_compressed_on_demand),
    TEST(test_a_bad_dataset_is_refused),
    TEST(test_wrong_options_show_how_to_use_it),
    TEST(test_a_missing_dataset_that_was_asked_for_is_an_error),
    TEST(test_a_port_that_is_taken_is_named),
    TEST(test_a_container_that_forbids_io_uring_is_named),
    TEST_END,
};
