/* SPDX-License-Identifier: MIT */
/*
 * ouro_doctor - what ouro finds on this machine, what it lacks, why, and what to do about it
 *
 * Shows:  how to look at a kernel by trying things, and how to tell refusals apart.
 * Run:    build/examples/ouro_doctor [--help]
 * Prints: a line for each feature and limit: "yes", "no" or "low", why, and what helps. The
 *         exit status is 0 when ouro_run() works here, else 1.
 */
#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ouro.h"

/* Newer than the headers of some distributions. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define FEATURE_NO_IOWAIT   (1U << 17) /* IORING_FEAT_NO_IOWAIT */
#define REGISTER_MEM_REGION 34         /* IORING_REGISTER_MEM_REGION */
#define OPCODE(name)        {#name, IORING_OP_##name}
#define SETUP_DEFERRED      (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

/* --- what is said --------------------------------------------------------------------------- */

OURO_PRINTF(3, 4) static void row(const char *name, const char *verdict, const char *format, ...)
{
    va_list arguments;

    printf("  %-30s %-4s ", name, verdict);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

/* The number behind `key` in a file; -1: there is none. */
static long long read_number(const char *path, const char *key)
{
    FILE *file = fopen(path, "re");
    long long number = -1;
    char line[256];

    while (file && fgets(line, sizeof(line), file)) {
        if (!strncmp(line, key, strlen(key))) {
            number = strtoll(line + strlen(key), NULL, 10);
            break;
        }
    }
    if (file)
        fclose(file);
    return number;
}

static bool is_filtered(void)
{
    return read_number("/proc/self/status", "Seccomp:") == 2;
}

/* Why a call of io_uring's, or another system call, failed with `code`. */
static const char *reason(int code)
{
    long long disabled = read_number("/proc/sys/kernel/io_uring_disabled", "");

    switch (code) {
    case -EPERM:
    case -EACCES:
        if (disabled > 0 && !is_filtered())
            return "the sysctl kernel.io_uring_disabled forbids it: see below";
        return is_filtered() ? "refused by a seccomp filter: see below" : "not permitted";
    case -ENOSYS:
        return is_filtered() ? "hidden by a seccomp filter (see below), or not in this kernel"
                             : "not in this kernel: Linux 6.1 or newer is needed, with io_uring";
    case -ENOMEM:
        return "no memory, or the limit on locked memory is too low: raise it (ulimit -l)";
    case -EMFILE:
        return "no file descriptor left: raise the limit (ulimit -n)";
    case -EINVAL:
        return "this kernel is too old for it";
    default:
        return ouro_strerror(code);
    }
}

static void verdict(const char *name, int code, const char *what_for)
{
    if (code >= 0)
        row(name, "yes", "%s", what_for);
    else
        row(name, "no", "%s (%s)", reason(code), ouro_strerror(code));
}

/* --- io_uring ------------------------------------------------------------------------------- */

static int try_setup(unsigned flags)
{
    struct io_uring_params params = {.flags = flags};
    int fd = io_uring_setup(8, &params);

    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

static void examine_setup(void)
{
    static const struct {
        const char *name;
        unsigned flags;
        const char *what_for;
    } modes[] = {
        {"io_uring", 0, "what ouro is made of"},
        {"SINGLE_ISSUER", IORING_SETUP_SINGLE_ISSUER, "6.0: the next one needs it"},
        {"DEFER_TASKRUN", SETUP_DEFERRED, "6.1: completions when we ask for them"},
        {"COOP_TASKRUN", IORING_SETUP_COOP_TASKRUN, "5.19: second best to the former"},
        {"TASKRUN_FLAG", IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
         "5.19: tells when there is something to ask for"},
        {"SQPOLL", IORING_SETUP_SQPOLL, "a kernel thread submits; not the default"},
        {"NO_SQARRAY", 1U << 16, "6.6: one indirection less"},
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        verdict(modes[i].name, try_setup(modes[i].flags), modes[i].what_for);
}

/*
 * Whether a multishot request is known: on no file it fails with -EBADF then, but with -EINVAL
 * when the kernel does not know the flag, which it looks at before.
 */
static int try_multishot(struct io_uring *ring, bool is_accept)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    struct io_uring_cqe *cqe;
    int code;

    if (is_accept) {
        io_uring_prep_multishot_accept(sqe, -1, NULL, NULL, 0);
    } else {
        io_uring_prep_recv_multishot(sqe, -1, NULL, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
    }
    code = io_uring_submit_and_wait(ring, 1);
    if (code >= 0)
        code = io_uring_wait_cqe(ring, &cqe);
    if (code < 0)
        return code;
    code = cqe->res;
    io_uring_cqe_seen(ring, cqe);
    return code == -EBADF ? 0 : code;
}

static int try_buffer_ring(struct io_uring *ring)
{
    int code;
    struct io_uring_buf_ring *buffers = io_uring_setup_buf_ring(ring, 8, 0, 0, &code);

    if (!buffers)
        return code;
    io_uring_free_buf_ring(ring, buffers, 8, 0);
    return 0;
}

static int try_memory_region(const struct io_uring *ring)
{
    /* An address that can't be read: who knows the request finds that out. */
    long code = syscall(__NR_io_uring_register, ring->ring_fd, REGISTER_MEM_REGION, (void *) 8, 1);

    return code < 0 && errno != EFAULT ? -errno : 0;
}

static void examine_opcodes(struct io_uring *ring)
{
    static const struct {
        const char *name;
        int opcode;
    } opcodes[] = {
        OPCODE(ACCEPT),  OPCODE(ASYNC_CANCEL), OPCODE(CLOSE),    OPCODE(CONNECT),  OPCODE(FSYNC),
        OPCODE(OPENAT),  OPCODE(POLL_ADD),     OPCODE(READ),     OPCODE(RECV),     OPCODE(RECVMSG),
        OPCODE(SEND),    OPCODE(SENDMSG),      OPCODE(SHUTDOWN), OPCODE(STATX),    OPCODE(MSG_RING),
        OPCODE(SEND_ZC), OPCODE(WAITID),       OPCODE(WRITE),    OPCODE(UNLINKAT),
    };
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    char missing[256] = "";

    for (size_t i = 0; probe && i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
        if (!io_uring_opcode_supported(probe, opcodes[i].opcode)) {
            strcat(missing, " ");
            strcat(missing, opcodes[i].name);
        }
    }
    if (!probe)
        row("opcodes", "no", "the kernel does not tell which it knows");
    else if (missing[0])
        row("opcodes", "no", "this kernel is too old for:%s", missing);
    else
        row("opcodes", "yes", "all that ouro uses or may use; this kernel has %d",
            probe->last_op + 1);
    free(probe);
}

static void examine_ring(void)
{
    struct io_uring_params params = {.flags = 0};
    struct io_uring ring;

    if (io_uring_queue_init_params(8, &ring, &params))
        return; /* examine_setup() said why */
    examine_opcodes(&ring);
    verdict("multishot accept", try_multishot(&ring, true), "5.19: one request, many connections");
    verdict("multishot receive", try_multishot(&ring, false), "6.0: one request, many messages");
    verdict("provided buffer rings", try_buffer_ring(&ring),
            "5.19: memory only when data is there");
    verdict("registered waits", try_memory_region(&ring), "6.13: cheaper time-outs");
    verdict("NO_IOWAIT", params.features & FEATURE_NO_IOWAIT ? 0 : -EINVAL,
            "6.15: sleeping is not waiting for a disk");
    verdict("registered ring descriptor", io_uring_register_ring_fd(&ring),
            "5.18: cheaper system calls");
    io_uring_queue_exit(&ring);
}

/* --- the rest of the kernel ----------------------------------------------------------------- */

static int code_of(long result)
{
    return result < 0 ? -errno : (int) result;
}

static int try_guard(void)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int code = memory == MAP_FAILED ? -errno : code_of(madvise(memory, page, MADV_GUARD_INSTALL));

    if (memory != MAP_FAILED)
        munmap(memory, page);
    return code;
}

static int try_reuse_port(void)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int code =
        fd < 0 ? -errno : code_of(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));

    if (fd >= 0)
        close(fd);
    return code;
}

static void examine_kernel(void)
{
    int pid_fd = code_of(syscall(__NR_pidfd_open, getpid(), 0));

    verdict("MADV_GUARD_INSTALL", try_guard(), "6.13: more than 30,000 stacks with guards");
    verdict("pidfd", pid_fd, "5.3: waiting for processes");
    if (pid_fd >= 0)
        close(pid_fd);
    verdict("SO_REUSEPORT", try_reuse_port(), "one listener for each thread");
}

/* --- limits --------------------------------------------------------------------------------- */

static void limit(const char *name, long long value, long long enough, const char *advice)
{
    if (value < 0)
        row(name, "?", "can't be read");
    else if (value >= enough)
        row(name, "yes", "%lld", value);
    else
        row(name, "low", "%lld: %s", value, advice);
}

static long long resource_limit(int resource)
{
    struct rlimit present;

    if (getrlimit(resource, &present))
        return -1;
    return present.rlim_cur > INT64_MAX ? INT64_MAX : (long long) present.rlim_cur;
}

static void examine_limits(void)
{
    cpu_set_t cpus;

    limit("open files", resource_limit(RLIMIT_NOFILE), 4096,
          "one for each connection and a few more; raise it (ulimit -n)");
    limit("locked memory", resource_limit(RLIMIT_MEMLOCK), 64 << 10,
          "kernels before 5.12 count rings; raise it (ulimit -l)");
    limit("fs.pipe-max-size", read_number("/proc/sys/fs/pipe-max-size", ""), 256 << 10,
          "relaying wants larger pipes; sysctl fs.pipe-max-size=1048576");
    limit("net.core.somaxconn", read_number("/proc/sys/net/core/somaxconn", ""), 1024,
          "bursts of connections are refused; sysctl net.core.somaxconn=4096");
    limit("vm.max_map_count", read_number("/proc/sys/vm/max_map_count", ""), 65530,
          "each guard by mprotect() takes two; sysctl vm.max_map_count=262144");
    if (!sched_getaffinity(0, sizeof(cpus), &cpus))
        row("processors allowed", "yes", "%d", CPU_COUNT(&cpus));
}

/* --- what helps ----------------------------------------------------------------------------- */

static void advise(int code)
{
    long long disabled = read_number("/proc/sys/kernel/io_uring_disabled", "");

    if (code != -EPERM && code != -EACCES && code != -ENOSYS)
        return;
    if (disabled > 0)
        printf(
            "\nkernel.io_uring_disabled is %lld (1: only for privileged processes and those of the "
            "group\nkernel.io_uring_group, which is %lld; 2: for nobody). As root:\n"
            "    sysctl kernel.io_uring_disabled=0\n",
            disabled, read_number("/proc/sys/kernel/io_uring_group", ""));
    if (is_filtered())
        printf(
            "\nA seccomp filter is active, as in most containers. Add this to \"syscalls\" in a "
            "copy "
            "of the\ncontainer's profile, and run with --security-opt seccomp=profile.json:\n"
            "    {\n"
            "        \"names\": [\"io_uring_setup\", \"io_uring_enter\", \"io_uring_register\"],\n"
            "        \"action\": \"SCMP_ACT_ALLOW\"\n"
            "    }\n");
}

static int do_nothing(void *arg)
{
    (void) arg;
    return 0;
}

int main(int argc, char **argv)
{
    struct utsname system;
    int code;

    if (argc > 1) {
        printf("usage: ouro_doctor\n\nTells what ouro finds on this machine and what it lacks. The "
               "exit status is 0 when\nouro_run() works here, else 1.\n");
        return strcmp(argv[1], "--help") != 0;
    }
    unsetenv("OURO_RING"); /* it is about the kernel's */
    uname(&system);
    printf("Linux %s on %s%s\n\nio_uring\n", system.release, system.machine,
           is_filtered() ? ", with a seccomp filter" : "");
    examine_setup();
    examine_ring();
    printf("\nother features\n");
    examine_kernel();
    printf("\nlimits\n");
    examine_limits();
    advise(try_setup(0));
    fflush(stdout);
    code = ouro_run(do_nothing, NULL, NULL);
    if (code)
        printf("\nouro cannot run here: %s.\n", reason(code));
    else
        printf("\nouro can run here.\n");
    return code ? 1 : 0;
}
