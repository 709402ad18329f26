/* SPDX-License-Identifier: MIT */
/*
 * directory_test.c - tests of engine/directory.c
 */
#include <dirent.h>
#include <errno.h>

#include "check.h"
#include "scratch.h"

static void make_file(const struct scratch *scratch, const char *name)
{
    int fd = ouro_open(scratch_path(scratch, name), O_CREAT | O_EXCL | O_WRONLY, 0600);

    CU_ASSERT(fd >= 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
}

/* --- many entries -------------------------------------------------------------------------- */

#define MANY 5000 /* more than a few chunks */

static int list_many(void *arg)
{
    static unsigned char seen[MANY];
    struct ouro_dir_entry entry;
    struct ouro_dir *dir;
    unsigned count = 0;
    char name[32];
    int code;

    memset(seen, 0, sizeof(seen));
    for (unsigned i = 0; i < MANY; i++) {
        (void) snprintf(name, sizeof(name), "entry-%u", i);
        make_file(arg, name);
    }
    CU_ASSERT_EQUAL(ouro_dir_open(scratch_path(arg, "."), &dir), 0);
    while ((code = ouro_dir_next(dir, &entry)) > 0) {
        unsigned i = MANY;

        CU_ASSERT_EQUAL(sscanf(entry.name, "entry-%u", &i), 1);
        if (i < MANY)
            seen[i]++;
        CU_ASSERT_EQUAL(ouro_unlink(scratch_path(arg, entry.name)), 0);
        count++;
    }
    CU_ASSERT_EQUAL(code, 0);
    CU_ASSERT_EQUAL(ouro_dir_next(dir, &entry), 0); /* again */
    ouro_dir_close(dir);
    CU_ASSERT_EQUAL(count, MANY);
    CU_ASSERT_PTR_NULL(memchr(seen, 0, MANY));
    return 0;
}

static void test_five_thousand_entries_are_listed_once_each_while_they_are_removed(void)
{
    run_scratch_with(test_sim_ring(), list_many);
    if (test_kernel_ring())
        run_scratch_with(test_kernel_ring(), list_many);
}

/* --- what an entry says -------------------------------------------------------------------- */

static int look_at_entries(void *arg)
{
    struct ouro_dir_entry entry;
    struct ouro_dir *dir;
    struct stat stat;
    unsigned count = 0;

    make_file(arg, "file");
    make_file(arg, "..."); /* not one of the two that are left out */
    CU_ASSERT_EQUAL(ouro_mkdir(scratch_path(arg, ".d"), 0700), 0);
    CU_ASSERT_EQUAL(ouro_dir_open(scratch_path(arg, ""), &dir), 0);
    while (ouro_dir_next(dir, &entry) > 0) {
        bool is_dir = strcmp(entry.name, ".d") == 0;

        CU_ASSERT(entry.type == (is_dir ? DT_DIR : DT_REG) || entry.type == DT_UNKNOWN);
        CU_ASSERT_EQUAL(ouro_stat(scratch_path(arg, entry.name), &stat), 0);
        CU_ASSERT_EQUAL(stat.st_ino, entry.inode);
        CU_ASSERT_EQUAL(S_ISDIR(stat.st_mode), is_dir);
        count++;
    }
    CU_ASSERT_EQUAL(count, 3);
    ouro_dir_close(dir);
    CU_ASSERT_EQUAL(ouro_unlink(scratch_path(arg, "file")), 0);
    CU_ASSERT_EQUAL(ouro_unlink(scratch_path(arg, "...")), 0);
    return ouro_rmdir(scratch_path(arg, ".d"));
}

static void test_entries_have_a_type_and_an_inode(void)
{
    run_scratch_on_each_ring(look_at_entries);
}

static int list_nothing(void *arg)
{
    struct ouro_dir *dir = NULL;
    struct ouro_dir_entry entry;

    CU_ASSERT_EQUAL(ouro_mkdir(scratch_path(arg, "d"), 0700), 0);
    CU_ASSERT_EQUAL(ouro_dir_open(scratch_path(arg, "d"), &dir), 0);
    CU_ASSERT_EQUAL(ouro_rmdir(scratch_path(arg, "d")), 0);
    CU_ASSERT_EQUAL(ouro_dir_next(dir, &entry), -ENOENT);
    ouro_dir_close(dir);
    make_file(arg, "file");
    dir = NULL;
    CU_ASSERT_EQUAL(ouro_dir_open(scratch_path(arg, "file"), &dir), -ENOTDIR);
    CU_ASSERT_EQUAL(ouro_dir_open(scratch_path(arg, "no"), &dir), -ENOENT);
    CU_ASSERT_PTR_NULL(dir);
    ouro_dir_close(NULL);
    CU_ASSERT_EQUAL(ouro_unlink(scratch_path(arg, "file")), 0);
    CU_ASSERT_EQUAL(ouro_mkdir(scratch_path(arg, "d"), 0700), 0);
    CU_ASSERT_EQUAL(ouro_dir_open(scratch_path(arg, "d"), &dir), 0);
    CU_ASSERT_EQUAL(ouro_dir_next(dir, &entry), 0);
    ouro_dir_close(dir);
    return ouro_rmdir(scratch_path(arg, "d"));
}

static void test_what_cannot_be_listed_says_why(void)
{
    run_scratch_on_each_ring(list_nothing);
}

static int list_cancelled(void *arg)
{
    struct ouro_dir *dir = NULL;
    struct ouro_dir_entry entry;

    CU_ASSERT_EQUAL(ouro_dir_open(scratch_path(arg, "."), &dir), 0);
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_dir_next(dir, &entry), -ECANCELED);
    ouro_dir_close(dir);
    return 0;
}

static int join_listing(void *arg)
{
    return ouro_join(ouro_spawn(list_cancelled, arg), NULL);
}

static void test_listing_is_interrupted_but_closing_is_not(void)
{
    run_scratch_on_each_ring(join_listing);
}

const struct test directory_tests[] = {
    TEST(test_five_thousand_entries_are_listed_once_each_while_they_are_removed),
    TEST(test_entries_have_a_type_and_an_inode),
    TEST(test_what_cannot_be_listed_says_why),
    TEST(test_listing_is_interrupted_but_closing_is_not),
    TEST_END,
};
