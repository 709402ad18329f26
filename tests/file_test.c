/* SPDX-License-Identifier: MIT */
/*
 * file_test.c - tests of engine/file.c, and of the simulated disk
 *
 * Scripts are tables of steps, each with the result that it must have. Every script runs on
 * the simulated ring under several seeds and on the kernel's ring in a fresh directory, so what
 * is written here is a fact about Linux, and the simulated disk may be believed as far as it
 * reaches. After the scripts come what tables can't say: races, whole files, full disks.
 *
 * Open files have letters. A path is relative to the fresh directory.
 */
#include <errno.h>
#include <stdint.h>

#include "check.h"
#include "scratch.h"

enum letter { A, B, C, LETTER_COUNT };

enum verb {
    VERB_END,
    VERB_OPEN,
    VERB_OPENAT,
    VERB_CLOSE,
    VERB_READ,
    VERB_WRITE,
    VERB_PREAD,
    VERB_PWRITE,
    VERB_READV,
    VERB_WRITEV,
    VERB_TRUNCATE,
    VERB_ALLOCATE,
    VERB_SIZE,
    VERB_LINKS,
    VERB_STAT,
    VERB_SYNC,
    VERB_MKDIR,
    VERB_RMDIR,
    VERB_UNLINK,
    VERB_RENAME,
};

struct step {
    enum verb verb;
    enum letter who;
    const char *path; /* or the text to write, or that must be read */
    const char *other;
    int64_t n; /* flags, offset, length */
    int64_t expected;
    int line;
};

#define OK 1000001 /* not negative */

#define STEP(...)             {__VA_ARGS__, .line = __LINE__}
#define END                   {.verb = VERB_END}
#define OPEN(w, p, flags, r)  STEP(VERB_OPEN, .who = w, .path = p, .n = flags, .expected = r)
#define OPENAT(w, p, dir, r)  STEP(VERB_OPENAT, .who = w, .path = p, .n = dir, .expected = r)
#define CLOSE(w)              STEP(VERB_CLOSE, .who = w)
#define WRITE(w, text, r)     STEP(VERB_WRITE, .who = w, .path = text, .expected = r)
#define PWRITE(w, text, o, r) STEP(VERB_PWRITE, .who = w, .path = text, .n = o, .expected = r)
#define WRITEV(w, text, r)    STEP(VERB_WRITEV, .who = w, .path = text, .expected = r)
#define TRUNCATE(w, len, r)   STEP(VERB_TRUNCATE, .who = w, .n = len, .expected = r)
#define SIZE(w, r)            STEP(VERB_SIZE, .who = w, .expected = r)
#define LINKS(w, r)           STEP(VERB_LINKS, .who = w, .expected = r)
#define SYNC(w, r)            STEP(VERB_SYNC, .who = w, .expected = r)
#define MKDIR(p, r)           STEP(VERB_MKDIR, .path = p, .expected = r)
#define RMDIR(p, r)           STEP(VERB_RMDIR, .path = p, .expected = r)
#define UNLINK(p, r)          STEP(VERB_UNLINK, .path = p, .expected = r)
#define RENAME(p, o, r)       STEP(VERB_RENAME, .path = p, .other = o, .expected = r)

/* Up to 100 bytes are asked for; the result is their number, or an error instead of text. */
#define READ(w, text)        STEP(VERB_READ, .who = w, .path = text)
#define READ_FAILS(w, r)     STEP(VERB_READ, .who = w, .expected = r)
#define READV(w, text)       STEP(VERB_READV, .who = w, .path = text)
#define PREAD(w, text, o)    STEP(VERB_PREAD, .who = w, .path = text, .n = o)
#define PREAD_FAILS(w, o, r) STEP(VERB_PREAD, .who = w, .n = o, .expected = r)

/* A length of fallocate(2), from offset 4; `how` is its mode, as text to fit in. */
#define ALLOCATE(w, len, r) STEP(VERB_ALLOCATE, .who = w, .n = len, .expected = r)
#define ALLOCATE_KEEP(w, len, r) \
    STEP(VERB_ALLOCATE, .who = w, .n = len, .path = "keep", .expected = r)

/* The size of a file; -1 for a directory. */
#define STAT(p, r) STEP(VERB_STAT, .path = p, .expected = r)

#define NEW (O_CREAT | O_RDWR | O_EXCL)

/* --- running a script ---------------------------------------------------------------------- */

struct stage {
    struct scratch *scratch;
    int fds[LETTER_COUNT];
};

static int64_t look(int fd, bool for_links)
{
    struct stat stat;
    int code = ouro_fstat(fd, &stat);

    return code ? code : for_links ? (int64_t) stat.st_nlink : stat.st_size;
}

static int64_t look_at(const char *path)
{
    struct stat stat;
    int code = ouro_stat(path, &stat);

    return code ? code : S_ISDIR(stat.st_mode) ? -1 : stat.st_size;
}

/* Cuts `len` bytes into three parts, the second of which is empty. */
static void cut(char *buf, size_t len, struct iovec parts[3])
{
    parts[0] = (struct iovec) {buf, len / 3};
    parts[1] = (struct iovec) {NULL, 0};
    parts[2] = (struct iovec) {buf + len / 3, len - len / 3};
}

static int64_t read_step(const struct step *step, int fd, char *buf, size_t len)
{
    struct iovec parts[3];

    cut(buf, len, parts);
    if (step->verb == VERB_READV)
        return ouro_readv(fd, parts, 3);
    return step->verb == VERB_READ ? ouro_read(fd, buf, len) : ouro_pread(fd, buf, len, step->n);
}

static bool reads_right(const struct step *step, int fd)
{
    char buf[101] = "";
    int64_t result = read_step(step, fd, buf, 100);

    if (!step->path)
        return result == step->expected;
    return result == (int64_t) strlen(step->path) && strcmp(buf, step->path) == 0;
}

static int64_t write_step(const struct step *step, int fd)
{
    size_t len = strlen(step->path);
    struct iovec parts[3];
    char buf[100];

    memcpy(buf, step->path, len);
    cut(buf, len, parts);
    if (step->verb == VERB_WRITEV)
        return ouro_writev(fd, parts, 3);
    return step->verb == VERB_WRITE ? ouro_write(fd, buf, len) : ouro_pwrite(fd, buf, len, step->n);
}

static int64_t do_path_step(struct stage *stage, const struct step *step)
{
    const char *path = scratch_path(stage->scratch, step->path);

    switch (step->verb) {
    case VERB_OPEN:
        return stage->fds[step->who] = ouro_open(path, (int) step->n, 0600);
    case VERB_OPENAT:
        return stage->fds[step->who] =
                   ouro_openat(stage->fds[step->n], step->path, O_RDWR | O_CREAT, 0600);
    case VERB_STAT:
        return look_at(path);
    case VERB_MKDIR:
        return ouro_mkdir(path, 0700);
    case VERB_RMDIR:
        return ouro_rmdir(path);
    case VERB_UNLINK:
        return ouro_unlink(path);
    default:
        return ouro_rename(path, scratch_path(stage->scratch, step->other));
    }
}

static int64_t do_step(struct stage *stage, const struct step *step)
{
    int fd = stage->fds[step->who];

    switch (step->verb) {
    case VERB_CLOSE:
        return ouro_close(fd);
    case VERB_READ:
    case VERB_PREAD:
    case VERB_READV:
        return reads_right(step, fd) ? step->expected : INT64_MIN;
    case VERB_WRITE:
    case VERB_PWRITE:
    case VERB_WRITEV:
        return write_step(step, fd);
    case VERB_TRUNCATE:
        return ouro_ftruncate(fd, step->n);
    case VERB_ALLOCATE:
        return ouro_fallocate(fd, step->path ? FALLOC_FL_KEEP_SIZE : 0, 4, step->n);
    case VERB_SIZE:
        return look(fd, /* for_links= */ false);
    case VERB_LINKS:
        return look(fd, /* for_links= */ true);
    case VERB_SYNC:
        return ouro_fsync(fd) ? ouro_fsync(fd) : ouro_fdatasync(fd);
    default:
        return do_path_step(stage, step);
    }
}

static const struct step *script; /* of the running test */

static int run_steps(void *arg)
{
    struct stage stage = {.scratch = arg, .fds = {-1, -1, -1}};

    for (const struct step *step = script; step->verb != VERB_END; step++) {
        int64_t result = do_step(&stage, step);
        bool is_right = step->expected == OK ? result >= 0 : result == step->expected;

        if (!is_right)
            printf("    line %d: %lld instead of %lld below %s\n", step->line, (long long) result,
                   (long long) step->expected, stage.scratch->path);
        CU_ASSERT(is_right);
    }
    return 0;
}

static void run_script(const struct step *steps)
{
    script = steps;
    run_scratch_on_each_ring(run_steps);
}

/* --- scripts ------------------------------------------------------------------------------- */

static void test_positions_move_with_reads_and_writes(void)
{
    static const struct step steps[] = {
        OPEN(A, "file", NEW, OK),
        WRITE(A, "hello ", 6),
        WRITE(A, "world", 5),
        READ(A, ""), /* it is at the end */
        SIZE(A, 11),
        OPEN(B, "file", O_RDONLY, OK),
        READ(B, "hello world"),
        READ(B, ""),
        WRITE(A, "!", 1),
        READ(B, "!"),
        CLOSE(A),
        CLOSE(B),
        UNLINK("file", 0),
        END,
    };

    run_script(steps);
}

static void test_offsets_leave_the_position_alone(void)
{
    static const struct step steps[] = {
        OPEN(A, "file", NEW, OK),
        PWRITE(A, "cdef", 2, 4),
        PWRITE(A, "ab", 0, 2),
        READ(A, "abcdef"),
        PREAD(A, "def", 3),
        PREAD(A, "", 6),
        PREAD(A, "", 1000000),
        PREAD_FAILS(A, -1, -EINVAL),
        PWRITE(A, "x", -1, -EINVAL),
        PREAD_FAILS(A, INT64_MIN, -EINVAL),
        WRITE(A, "ghi", 3),
        PREAD(A, "abcdefghi", 0),
        CLOSE(A),
        UNLINK("file", 0),
        END,
    };

    run_script(steps);
}

static void test_vectors_are_one_transfer(void)
{
    static const struct step steps[] = {
        OPEN(A, "file", NEW, OK),
        WRITEV(A, "one two three", 13),
        READV(A, ""),
        OPEN(B, "file", O_RDONLY, OK),
        READV(B, "one two three"),
        WRITEV(B, "no", -EBADF),
        CLOSE(A),
        CLOSE(B),
        UNLINK("file", 0),
        END,
    };

    run_script(steps);
}

static void test_append_goes_to_the_end_whatever_the_offset(void)
{
    static const struct step steps[] = {
        OPEN(A, "file", NEW, OK),
        WRITE(A, "abc", 3),
        OPEN(B, "file", O_WRONLY | O_APPEND, OK),
        WRITE(B, "def", 3),
        PWRITE(B, "ghi", 0, 3),
        PREAD(A, "abcdefghi", 0),
        WRITE(A, "X", 1),
        PREAD(A, "abcXefghi", 0),
        CLOSE(A),
        CLOSE(B),
        UNLINK("file", 0),
        END,
    };

    run_script(steps);
}

static void test_truncating_and_allocating_change_the_size(void)
{
    static const struct step steps[] = {
        OPEN(A, "file", NEW, OK),
        WRITE(A, "abcdef", 6),
        TRUNCATE(A, 3, 0),
        PREAD(A, "abc", 0),
        TRUNCATE(A, 5, 0),
        SIZE(A, 5),
        PREAD(A, "", 5),
        PWRITE(A, "z", 8, 1),
        SIZE(A, 9),
        TRUNCATE(A, -1, -EINVAL),
        ALLOCATE(A, 100, 0),
        SIZE(A, 104),
        ALLOCATE(A, 1, 0),
        SIZE(A, 104),
        ALLOCATE_KEEP(A, 1000, 0),
        SIZE(A, 104),
        ALLOCATE(A, 0, -EINVAL),
        ALLOCATE(A, -1, -EINVAL),
        SYNC(A, 0),
        OPEN(B, "file", O_RDONLY, OK),
        TRUNCATE(B, 0, -EINVAL),
        ALLOCATE(B, 1, -EBADF),
        SYNC(B, 0),
        OPEN(C, "file", O_WRONLY | O_TRUNC, OK),
        SIZE(A, 0),
        CLOSE(A),
        CLOSE(B),
        CLOSE(C),
        UNLINK("file", 0),
        END,
    };

    run_script(steps);
}

static void test_access_is_what_the_open_asked_for(void)
{
    static const struct step steps[] = {
        OPEN(A, "file", O_CREAT | O_WRONLY, OK),
        READ_FAILS(A, -EBADF),
        PREAD_FAILS(A, 0, -EBADF),
        WRITE(A, "x", 1),
        OPEN(B, "file", O_RDONLY, OK),
        WRITE(B, "y", -EBADF),
        READ(B, "x"),
        CLOSE(A),
        READ_FAILS(A, -EBADF),
        SIZE(A, -EBADF),
        TRUNCATE(A, 0, -EBADF),
        SYNC(A, -EBADF),
        ALLOCATE(A, 1, -EBADF),
        CLOSE(B),
        UNLINK("file", 0),
        END,
    };

    run_script(steps);
}

static void test_open_flags_decide_what_exists(void)
{
    static const struct step steps[] = {
        OPEN(A, "file", O_RDWR, -ENOENT),
        OPEN(A, "file", O_RDWR | O_CREAT, OK),
        OPEN(B, "file", O_RDWR | O_CREAT, OK),
        OPEN(C, "file", O_RDWR | O_CREAT | O_EXCL, -EEXIST),
        OPEN(C, "file", O_RDONLY | O_DIRECTORY, -ENOTDIR),
        OPEN(C, "file/", O_RDONLY, -ENOTDIR),
        OPEN(C, "file/", O_RDWR | O_CREAT, -EISDIR),
        OPEN(C, "new/", O_RDWR | O_CREAT, -EISDIR),
        OPEN(C, "file/x", O_RDONLY, -ENOTDIR),
        OPEN(C, "no/x", O_RDONLY | O_CREAT, -ENOENT),
        CLOSE(A),
        CLOSE(B),
        MKDIR("dir", 0),
        OPEN(A, "dir", O_RDONLY, OK),
        READ_FAILS(A, -EISDIR),
        WRITE(A, "x", -EBADF),
        TRUNCATE(A, 0, -EINVAL),
        OPENAT(B, "inside", A, OK),
        STAT("dir/inside", 0),
        OPENAT(C, "x", B, -ENOTDIR),
        CLOSE(A),
        OPENAT(C, "x", A, -EBADF),
        CLOSE(B),
        OPEN(A, "dir/", O_RDONLY | O_DIRECTORY, OK),
        CLOSE(A),
        OPEN(A, "dir", O_RDWR, -EISDIR),
        OPEN(A, "dir", O_RDONLY | O_CREAT, -EISDIR),
        OPEN(A, "dir", O_RDWR | O_CREAT | O_EXCL, -EEXIST),
        OPEN(A, "dir/.", O_RDONLY, OK),
        CLOSE(A),
        OPEN(A, "dir/../file", O_RDONLY, OK),
        CLOSE(A),
        OPEN(A, "no/../file", O_RDONLY, -ENOENT),
        OPEN(A, "dir//.///inside", O_RDONLY, OK),
        CLOSE(A),
        UNLINK("dir/inside", 0),
        RMDIR("dir", 0),
        UNLINK("file", 0),
        END,
    };

    run_script(steps);
}

static void test_unlinked_files_live_while_they_are_open(void)
{
    static const struct step steps[] = {
        OPEN(A, "file", NEW, OK),
        WRITE(A, "abc", 3),
        LINKS(A, 1),
        UNLINK("file", 0),
        LINKS(A, 0),
        STAT("file", -ENOENT),
        OPEN(B, "file", NEW, OK),
        WRITE(A, "def", 3),
        PREAD(A, "abcdef", 0),
        SIZE(B, 0),
        CLOSE(A),
        CLOSE(B),
        UNLINK("file", 0),
        UNLINK("file", -ENOENT),
        END,
    };

    run_script(steps);
}

static void test_directories_come_and_go(void)
{
    static const struct step steps[] = {
        MKDIR("a", 0),
        MKDIR("a", -EEXIST),
        MKDIR("a/.", -EEXIST),
        MKDIR("a/b/", 0),
        MKDIR("c/d", -ENOENT),
        STAT("a", -1),
        STAT("a/", -1),
        STAT("a/b/..", -1),
        STAT("c", -ENOENT),
        STAT("a/c/d", -ENOENT),
        RMDIR("a", -ENOTEMPTY),
        RMDIR("a/.", -EINVAL),
        RMDIR("a/b/..", -ENOTEMPTY),
        UNLINK("a", -EISDIR),
        UNLINK("a/", -EISDIR),
        UNLINK("a/.", -EISDIR),
        OPEN(A, "a/file", NEW, OK),
        MKDIR("a/file", -EEXIST),
        MKDIR("a/file/x", -ENOTDIR),
        RMDIR("a/file", -ENOTDIR),
        UNLINK("a/file/", -ENOTDIR),
        UNLINK("a/file/x", -ENOTDIR),
        STAT("a/file/", -ENOTDIR),
        STAT("a/file", 0),
        UNLINK("a/file", 0),
        CLOSE(A),
        OPEN(A, "a/b", O_RDONLY | O_DIRECTORY, OK),
        RMDIR("a/b", 0),
        OPENAT(B, "x", A, -ENOENT), /* a directory that is gone takes nothing in */
        CLOSE(A),
        RMDIR("a/", 0),
        RMDIR("a", -ENOENT),
        END,
    };

    run_script(steps);
}

static void test_rename_moves_and_replaces(void)
{
    static const struct step steps[] = {
        OPEN(A, "a", NEW, OK),
        WRITE(A, "abc", 3),
        OPEN(B, "b", NEW, OK),
        RENAME("a", "b", 0),
        STAT("a", -ENOENT),
        STAT("b", 3),
        LINKS(B, 0),
        LINKS(A, 1),
        RENAME("b", "b", 0),
        RENAME("a", "c", -ENOENT),
        RENAME("b", "no/b", -ENOENT),
        RENAME("b", "c/", -ENOTDIR),
        RENAME("b/", "c", -ENOTDIR),
        CLOSE(A),
        CLOSE(B),
        MKDIR("d", 0),
        MKDIR("d/e", 0),
        RENAME("d", "d/e/f", -EINVAL),
        RENAME("d", "d/e", -EINVAL),
        RENAME("d/e", "d", -ENOTEMPTY),
        RENAME("b", "d", -EISDIR),
        RENAME("d", "b", -ENOTDIR),
        RENAME("d/.", "f", -EBUSY),
        RENAME("b", "d/..", -EBUSY),
        RENAME("b", "d/e/b", 0),
        STAT("d/e/b", 3),
        MKDIR("g", 0),
        RENAME("g", "d/e", -ENOTEMPTY),
        RENAME("d/e", "g", 0),
        STAT("g/b", 3),
        STAT("d/e", -ENOENT),
        STAT("g/../d", -1), /* its ".." has moved along */
        RENAME("d", "h/", 0),
        RMDIR("h", 0),
        UNLINK("g/b", 0),
        RMDIR("g", 0),
        END,
    };

    run_script(steps);
}

#define TEN(text) text text text text text text text text text text
#define NAME_255  TEN(TEN("nn")) TEN("nnnnn") "nnnnn"

static void test_names_have_limits(void)
{
    static const struct step steps[] = {
        OPEN(A, NAME_255, NEW, OK),
        CLOSE(A),
        OPEN(A, NAME_255 "n", NEW, -ENAMETOOLONG),
        MKDIR(NAME_255 "n", -ENAMETOOLONG),
        STAT(NAME_255 "n/x", -ENAMETOOLONG),
        STAT(TEN(TEN(TEN("./..."))), -ENAMETOOLONG), /* 5,000 bytes */
        UNLINK(NAME_255, 0),
        END,
    };

    run_script(steps);
}

/* --- what tables can't say ----------------------------------------------------------------- */

static int read_old_bytes(void *arg)
{
    const char *path = scratch_path(arg, "file");
    char buf[6];
    int fd = ouro_open(path, NEW, 0600);

    CU_ASSERT_EQUAL(ouro_pwrite_all(fd, "abcdef", 6, 0, NULL), 0);
    CU_ASSERT_EQUAL(ouro_ftruncate(fd, 1), 0);
    CU_ASSERT_EQUAL(ouro_pwrite_all(fd, "g", 1, 5, NULL), 0);
    CU_ASSERT_EQUAL(ouro_pread_exact(fd, buf, 6, 0, NULL), 0);
    CU_ASSERT_EQUAL(memcmp(buf, "a\0\0\0\0g", 6), 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return ouro_unlink(path);
}

static void test_what_was_cut_off_does_not_come_back(void)
{
    run_scratch_on_each_ring(read_old_bytes);
}

static int stat_both_ways(void *arg)
{
    const char *path = scratch_path(arg, "file");
    struct stat by_path, by_fd;
    int fd = ouro_open(path, NEW, 0640);

    CU_ASSERT_EQUAL(ouro_write_all(fd, "abc", 3, NULL), 0);
    CU_ASSERT_EQUAL(ouro_stat(path, &by_path), 0);
    CU_ASSERT_EQUAL(ouro_fstat(fd, &by_fd), 0);
    CU_ASSERT_EQUAL(by_path.st_dev, by_fd.st_dev);
    CU_ASSERT_EQUAL(by_path.st_ino, by_fd.st_ino);
    CU_ASSERT_EQUAL(by_path.st_mode, by_fd.st_mode);
    CU_ASSERT_EQUAL(by_path.st_nlink, by_fd.st_nlink);
    CU_ASSERT_EQUAL(by_path.st_uid, by_fd.st_uid);
    CU_ASSERT_EQUAL(by_path.st_size, 3);
    CU_ASSERT_EQUAL(by_path.st_blksize, by_fd.st_blksize);
    CU_ASSERT_EQUAL(by_path.st_mtim.tv_sec, by_fd.st_mtim.tv_sec);
    CU_ASSERT_EQUAL(by_path.st_mtim.tv_nsec, by_fd.st_mtim.tv_nsec);
    CU_ASSERT(S_ISREG(by_path.st_mode));
    CU_ASSERT_EQUAL(by_path.st_mode & 07777, 0640);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return ouro_unlink(path);
}

static void test_stat_and_fstat_agree(void)
{
    run_scratch_on_each_ring(stat_both_ways);
}

static int watch_times(void *arg)
{
    const char *path = scratch_path(arg, "file");
    struct stat stat;
    int fd = ouro_open(path, NEW, 0600);

    CU_ASSERT_EQUAL(ouro_sleep(3600 * OURO_SECOND + 5), 0);
    CU_ASSERT_EQUAL(ouro_write_all(fd, "abc", 3, NULL), 0);
    CU_ASSERT_EQUAL(ouro_fstat(fd, &stat), 0);
    CU_ASSERT_EQUAL(stat.st_mtim.tv_sec, 3600);
    CU_ASSERT_EQUAL(stat.st_mtim.tv_nsec, 5);
    CU_ASSERT_EQUAL(stat.st_atim.tv_sec, 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return ouro_unlink(path);
}

static void test_simulated_files_have_the_simulated_time(void)
{
    run_scratch_with(test_sim_ring(), watch_times);
}

/* Not below the size of a pipe or a page, nor a power of two. */
#define LARGE ((size_t) 300001)

static int read_whole_files(void *arg)
{
    const char *path = scratch_path(arg, "file");
    char *bytes = malloc(LARGE);
    char *data = NULL;
    size_t len = 77, written = 0;
    int fd = ouro_open(path, NEW, 0600);

    CU_ASSERT_EQUAL(ouro_read_file(path, 0, &data, &len), 0);
    CU_ASSERT(len == 0 && data && data[0] == '\0');
    free(data);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char) (i * 31 + i / 4093);
    CU_ASSERT_EQUAL(ouro_write_all(fd, bytes, LARGE, &written), 0);
    CU_ASSERT_EQUAL(written, LARGE);
    CU_ASSERT_EQUAL(ouro_read_file(path, LARGE, &data, &len), 0);
    CU_ASSERT_EQUAL(len, LARGE);
    CU_ASSERT(len == LARGE && memcmp(data, bytes, LARGE) == 0 && data[LARGE] == '\0');
    free(data);
    data = NULL;
    CU_ASSERT_EQUAL(ouro_read_file(path, LARGE - 1, &data, &len), OURO_ELIMIT);
    CU_ASSERT_EQUAL(ouro_read_file(path, 1, &data, &len), OURO_ELIMIT);
    CU_ASSERT_PTR_NULL(data);
    CU_ASSERT_EQUAL(ouro_pread(fd, bytes, 2, INT64_MAX - 1), -EINVAL);
    CU_ASSERT_EQUAL(ouro_pwrite(fd, bytes, 2, INT64_MAX - 1), -EINVAL);
    CU_ASSERT_EQUAL(ouro_read_file(path, SIZE_MAX, &data, &len), 0);
    CU_ASSERT_EQUAL(len, LARGE);
    free(data);
    CU_ASSERT_EQUAL(ouro_pread_exact(fd, bytes, 10, (int64_t) LARGE - 4, &written), OURO_EEOF);
    CU_ASSERT_EQUAL(written, 4);
    CU_ASSERT_EQUAL(ouro_read_exact(fd, bytes, 0, &written), 0);
    CU_ASSERT_EQUAL(ouro_read_exact(fd, bytes, 1, &written), OURO_EEOF);
    CU_ASSERT_EQUAL(ouro_pread_exact(fd, bytes, 1, -1, NULL), -EINVAL);
    written = 7;
    CU_ASSERT_EQUAL(ouro_pread_exact(fd, bytes, 1, -1, &written), -EINVAL);
    CU_ASSERT_EQUAL(written, 0);
    written = 7;
    CU_ASSERT_EQUAL(ouro_pwrite_all(fd, bytes, 1, -1, &written), -EINVAL);
    CU_ASSERT_EQUAL(written, 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    CU_ASSERT_EQUAL(ouro_read_file(scratch_path(arg, "no"), 1, &data, &len), -ENOENT);
    CU_ASSERT_EQUAL(ouro_read_file(scratch_path(arg, "."), 1, &data, &len), -EISDIR);
    fd = ouro_open(scratch_path(arg, "."), O_RDONLY, 0);
    CU_ASSERT_EQUAL(ouro_pread(fd, bytes, 1, 0), -EISDIR);
    CU_ASSERT_EQUAL(ouro_pread(fd, bytes, 0, 0), 0); /* that is no directory's business */
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    free(bytes);
    return ouro_unlink(path);
}

static void test_whole_files_are_read_up_to_a_limit(void)
{
    run_scratch_on_each_ring(read_whole_files);
    run_scratch_with("sim:seed=1,short=90", read_whole_files);
}

static int read_a_file_of_proc(void *arg)
{
    char *data;
    size_t len;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_read_file("/proc/self/smaps", 16 << 20, &data, &len), 0);
    CU_ASSERT(len > 4096); /* its st_size is 0 */
    CU_ASSERT_EQUAL(strlen(data), len);
    free(data);
    return 0;
}

static void test_files_without_a_size_are_read_whole(void)
{
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, read_a_file_of_proc, NULL), 0);
}

static int ask_for_too_much(void *arg)
{
    const char *path = scratch_path(arg, "file");
    static struct iovec parts[1025];
    char buf[10] = "";
    int fd = ouro_open(path, NEW, 0600);

    CU_ASSERT_EQUAL(ouro_pwrite(fd, "abc", 3, 0), 3);
    CU_ASSERT_EQUAL(ouro_pread(fd, buf, (size_t) 1 << 32, 0), 3);
    CU_ASSERT_EQUAL(ouro_pread(fd, buf, SIZE_MAX / 2, 1), 2);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        parts[i] = (struct iovec) {buf, 1};
    CU_ASSERT_EQUAL(ouro_preadv(fd, parts, 1024, 0), 3);
    CU_ASSERT_EQUAL(ouro_preadv(fd, parts, 1025, 0), -EINVAL);
    CU_ASSERT_EQUAL(ouro_preadv(fd, parts, 1, -1), -EINVAL);
    CU_ASSERT_EQUAL(ouro_pwritev(fd, parts, 1, -1), -EINVAL);
    CU_ASSERT_EQUAL(ouro_preadv(fd, parts, 0, 0), 0);
    CU_ASSERT_EQUAL(ouro_pwritev(fd, parts, 3, 3), 3);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return ouro_unlink(path);
}

static void test_huge_lengths_are_clamped(void)
{
    run_scratch_on_each_ring(ask_for_too_much);
}

static int use_sockets_as_files(void *arg)
{
    struct iovec parts[2] = {{(char[]) {"ab"}, 2}, {(char[]) {"cd"}, 2}};
    struct stat stat;
    char buf[10] = "";
    int fds[2];
    int file = ouro_open(scratch_path(arg, "file"), NEW, 0600);

    make_pair(fds);
    CU_ASSERT_EQUAL(ouro_writev(fds[0], parts, 2), 4);
    CU_ASSERT_EQUAL(ouro_read_exact(fds[1], buf, 4, NULL), 0);
    CU_ASSERT_STRING_EQUAL(buf, "abcd");
    CU_ASSERT_EQUAL(ouro_fsync(fds[0]), -EINVAL);
    CU_ASSERT_EQUAL(ouro_ftruncate(fds[0], 0), -EINVAL);
    CU_ASSERT_EQUAL(ouro_fstat(fds[0], &stat), 0);
    CU_ASSERT(S_ISSOCK(stat.st_mode));
    CU_ASSERT_EQUAL(ouro_recv(file, buf, 1, 0), -ENOTSOCK);
    CU_ASSERT_EQUAL(ouro_send(file, buf, 1, 0), -ENOTSOCK);
    CU_ASSERT_EQUAL(ouro_accept(file, NULL), -ENOTSOCK);
    CU_ASSERT_EQUAL(ouro_shutdown(file, SHUT_WR), -ENOTSOCK);
    close_pair(fds);
    CU_ASSERT_EQUAL(ouro_close(file), 0);
    return ouro_unlink(scratch_path(arg, "file"));
}

static void test_sockets_are_files_but_files_are_no_sockets(void)
{
    run_scratch_on_each_ring(use_sockets_as_files);
}

/* --- full disks and broken ones ------------------------------------------------------------ */

static int fill_dev_full(void *arg)
{
    int fd = ouro_open("/dev/full", O_WRONLY, 0);
    size_t written = 77;

    (void) arg;
    CU_ASSERT(fd >= 0);
    CU_ASSERT_EQUAL(ouro_write_all(fd, "abc", 3, &written), -ENOSPC);
    CU_ASSERT_EQUAL(written, 0);
    return ouro_close(fd);
}

static int fill_disk_once(void *arg)
{
    int fd = ouro_open(scratch_path(arg, "file"), NEW, 0600);
    size_t written = 77;

    CU_ASSERT_EQUAL(ouro_ftruncate(fd, INT64_C(256) << 20), 0);
    CU_ASSERT_EQUAL(ouro_pwrite(fd, "x", 1, INT64_C(256) << 20), -ENOSPC);
    CU_ASSERT_EQUAL(ouro_ftruncate(fd, (INT64_C(256) << 20) - 2), 0);
    CU_ASSERT_EQUAL(ouro_pwrite_all(fd, "abc", 3, (INT64_C(256) << 20) - 2, &written), -ENOSPC);
    CU_ASSERT_EQUAL(written, 2);
    CU_ASSERT_EQUAL(ouro_fallocate(fd, 0, 0, (INT64_C(256) << 20) + 1), -ENOSPC);
    CU_ASSERT_EQUAL(ouro_ftruncate(fd, 0), 0);
    CU_ASSERT_EQUAL(ouro_pwrite_all(fd, "abc", 3, 0, &written), 0);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return ouro_unlink(scratch_path(arg, "file"));
}

/* What was unlinked makes room. */
static int fill_disk(void *arg)
{
    CU_ASSERT_EQUAL(fill_disk_once(arg), 0);
    return fill_disk_once(arg);
}

static void test_full_disk_takes_what_fits(void)
{
    run_scratch_with(test_sim_ring(), fill_disk);
    if (test_kernel_ring())
        CU_ASSERT_EQUAL(run_with(test_kernel_ring(), 0, fill_dev_full, NULL), 0);
}

struct errors {
    unsigned seen[200];
};

static void note(struct errors *errors, int64_t result)
{
    if (result < 0)
        errors->seen[result > -200 ? -result : 0]++;
}

static int meet_errors(void *arg)
{
    struct errors *errors = arg;
    char byte;

    for (int i = 0; i < 200; i++) {
        int fd = ouro_open("/tmp/file", O_CREAT | O_RDWR, 0600);

        note(errors, fd);
        if (fd < 0)
            continue;
        note(errors, ouro_write(fd, "abc", 3));
        note(errors, ouro_pread(fd, &byte, 1, 0));
        note(errors, ouro_fsync(fd));
        CU_ASSERT_EQUAL(ouro_close(fd), 0);
        note(errors, ouro_rename("/tmp/file", "/tmp/other"));
    }
    return 0;
}

static void test_errors_are_injected_into_file_operations(void)
{
    struct errors errors = {{0}};

    CU_ASSERT_EQUAL(run_with("sim:seed=1,errors=50", 0, meet_errors, &errors), 0);
    CU_ASSERT(errors.seen[EIO] > 20 && errors.seen[ENOSPC] > 20 && errors.seen[EMFILE] > 5);
    CU_ASSERT_EQUAL(errors.seen[0], 0);
    memset(&errors, 0, sizeof(errors));
    CU_ASSERT_EQUAL(run_with("sim:seed=1", 0, meet_errors, &errors), 0);
    CU_ASSERT_EQUAL(errors.seen[EIO] + errors.seen[ENOSPC] + errors.seen[EMFILE], 0);
}

/* --- races with interruptions -------------------------------------------------------------- */

struct race {
    const char *path;
    int fd;
};

static int open_and_tell(void *arg)
{
    struct race *race = arg;

    race->fd = ouro_open(race->path, O_CREAT | O_RDWR, 0600);
    return 0;
}

static bool does_exist(const char *path)
{
    struct stat stat;

    return ouro_stat(path, &stat) == 0;
}

/* The lowest free descriptor: it stays what it was unless one was leaked. */
static int lowest_fd(void)
{
    int fd = ouro_socket(AF_INET, SOCK_STREAM, 0);

    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return fd;
}

static unsigned opened_count, cancelled_count;

static int race_opens(void *arg)
{
    struct race race = {.path = scratch_path(arg, "file")};
    int lowest = lowest_fd();

    for (int i = 0; i < 300; i++) {
        ouro_task_id id = ouro_spawn(open_and_tell, &race);

        for (int yields = 0; yields < i % 4; yields++)
            CU_ASSERT_EQUAL(ouro_yield(), 0);
        CU_ASSERT_EQUAL(ouro_cancel_join(id, NULL), 0);
        CU_ASSERT(race.fd >= 0 || race.fd == -ECANCELED);
        opened_count += race.fd >= 0;
        cancelled_count += race.fd < 0 && i % 4 > 0; /* it had begun */
        if (race.fd >= 0)
            CU_ASSERT_EQUAL(ouro_close(race.fd), 0);
    }
    CU_ASSERT_EQUAL(lowest_fd(), lowest);
    return does_exist(race.path) ? ouro_unlink(race.path) : 0;
}

static void test_open_that_raced_a_cancellation_gives_its_descriptor_or_none(void)
{
    opened_count = cancelled_count = 0;
    for (int i = 0; i < 10; i++)
        run_scratch_with(test_sim_ring(), race_opens);
    CU_ASSERT(opened_count > 100 && cancelled_count > 100);
    if (test_kernel_ring())
        run_scratch_with(test_kernel_ring(), race_opens);
}

static int work_cancelled(void *arg)
{
    const char *path = scratch_path(arg, "file");
    struct stat stat;
    char byte;

    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_open(path, NEW, 0600), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_stat(path, &stat), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_mkdir(path, 0700), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_rmdir(path), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_unlink(path), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_rename(path, path), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_read(-1, &byte, 1), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_fsync(-1), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_fstat(-1, &stat), -EBADF); /* it waits for nothing */
    return 0;
}

static int join_cancelled(void *arg)
{
    ouro_task_id id = ouro_spawn(work_cancelled, arg);

    CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    CU_ASSERT(!does_exist(scratch_path(arg, "file")));
    return 0;
}

static void test_cancelled_tasks_touch_no_files(void)
{
    run_scratch_on_each_ring(join_cancelled);
}

static int open_closes_on_exec(void *arg)
{
    int fd = ouro_open(scratch_path(arg, "file"), NEW, 0600);

    CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CU_ASSERT_EQUAL(ouro_close(fd), 0);
    return ouro_unlink(scratch_path(arg, "file"));
}

static void test_opened_files_are_close_on_exec(void)
{
    if (test_kernel_ring())
        run_scratch_with(test_kernel_ring(), open_closes_on_exec);
}

const struct test file_tests[] = {
    TEST(test_positions_move_with_reads_and_writes),
    TEST(test_offsets_leave_the_position_alone),
    TEST(test_vectors_are_one_transfer),
    TEST(test_append_goes_to_the_end_whatever_the_offset),
    TEST(test_truncating_and_allocating_change_the_size),
    TEST(test_access_is_what_the_open_asked_for),
    TEST(test_open_flags_decide_what_exists),
    TEST(test_unlinked_files_live_while_they_are_open),
    TEST(test_directories_come_and_go),
    TEST(test_rename_moves_and_replaces),
    TEST(test_names_have_limits),
    TEST(test_what_was_cut_off_does_not_come_back),
    TEST(test_stat_and_fstat_agree),
    TEST(test_simulated_files_have_the_simulated_time),
    TEST(test_whole_files_are_read_up_to_a_limit),
    TEST(test_files_without_a_size_are_read_whole),
    TEST(test_huge_lengths_are_clamped),
    TEST(test_sockets_are_files_but_files_are_no_sockets),
    TEST(test_full_disk_takes_what_fits),
    TEST(test_errors_are_injected_into_file_operations),
    TEST(test_open_that_raced_a_cancellation_gives_its_descriptor_or_none),
    TEST(test_cancelled_tasks_touch_no_files),
    TEST(test_opened_files_are_close_on_exec),
    TEST_END,
};
