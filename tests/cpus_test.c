/* SPDX-License-Identifier: MIT */
/*
 * cpus_test.c - tests of engine/cpus.c
 *
 * A kernel for more CPUs than a cpu_set_t has bits is played by a seccomp filter: it refuses a
 * set that is smaller than its own with EINVAL, and so does the filter.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"
#include "cpus.h"
#include "loop.h"

#define LARGE_SET_BYTES 512 /* 4,096 CPUs */

enum { GOOD = 42, NO_FILTER = 77 };

static void test_cpus_are_counted_and_pinned_to_in_turn(void)
{
    struct cpus before, now;

    ouro__cpus_get(&before);
    CU_ASSERT(before.count > 0);
    CU_ASSERT_EQUAL(ouro__cpus_count(), before.count);
    for (unsigned nth = 0; nth < before.count + 1 && nth < 8; nth++) {
        ouro__cpus_pin(&before, nth);
        ouro__cpus_get(&now);
        CU_ASSERT_EQUAL(now.count, 1);
        CU_ASSERT(CPU_ISSET_S(sched_getcpu(), now.bytes, now.set));
        ouro__cpus_done(&now);
    }
    ouro__cpus_unpin(&before);
    CU_ASSERT_EQUAL(ouro__cpus_count(), before.count);
    ouro__cpus_done(&before);
}

static int play_large_machine(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_getaffinity, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, LARGE_SET_BYTES, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = COUNT_OF(filter), .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static int note_cpu_count(void *arg)
{
    unsigned *counts = arg;

    counts[ouro_shard_index()] = ouro__cpus_count();
    return 0;
}

/* Pinned shards, as they are what used to divide by the number of CPUs. */
static int run_on_large_machine(void *arg)
{
    struct ouro_run_options options = {.ring = test_kernel_ring(), .shards = 2, .pin = true};
    unsigned before = ouro__cpus_count();
    unsigned counts[2] = {0, 0};
    cpu_set_t small;

    (void) arg;
    if (play_large_machine())
        return NO_FILTER;
    if (!sched_getaffinity(0, sizeof(small), &small) || ouro__cpus_count() != before)
        return 1;
    if (!test_kernel_ring())
        return GOOD;
    if (ouro_run(note_cpu_count, counts, &options) || counts[0] != 1 || counts[1] != 1)
        return 2;
    return ouro__cpus_count() == before ? GOOD : 3;
}

static void test_machine_may_have_more_cpus_than_a_set_of_libc(void)
{
    struct child child = run_in_child(run_on_large_machine, NULL);

    if (exited_with(&child, NO_FILTER)) {
        TEST_SKIP("no seccomp filters here");
        return;
    }
    CU_ASSERT(exited_with(&child, GOOD));
}

const struct test cpus_tests[] = {TEST(test_cpus_are_counted_and_pinned_to_in_turn),
                                  TEST(test_machine_may_have_more_cpus_than_a_set_of_libc),
                                  TEST_END};
