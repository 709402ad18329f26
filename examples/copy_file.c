/* SPDX-License-Identifier: MIT */
/*
 * copy_file - copies a file, and says every second how far it is
 *
 * Shows:  files; a second task that looks on while the first one waits for the disk.
 * Run:    build/examples/copy_file FROM TO
 * Prints: "N bytes copied" at the end, and "N of M bytes" after each second until then. A file TO
 *         that exists is left alone: that is an error.
 */
#include <inttypes.h>
#include <stdio.h>

#include "ouro.h"

#define PART_BYTES (128 * 1024)

struct copy {
    const char *from, *to;
    int64_t size;
    int64_t done;
};

static int report(void *arg)
{
    const struct copy *copy = arg;

    while (ouro_sleep(1 * OURO_SECOND) == 0) /* until it is cancelled */
        printf("%" PRId64 " of %" PRId64 " bytes\n", copy->done, copy->size);
    return 0;
}

static int copy_bytes(struct copy *copy, int from, int to)
{
    static char part[PART_BYTES];
    ssize_t got;
    int code;

    while ((got = ouro_read(from, part, sizeof(part))) > 0) {
        code = ouro_write_all(to, part, (size_t) got, NULL);
        if (code)
            return code;
        copy->done += got;
    }
    return got < 0 ? (int) got : ouro_fsync(to);
}

static int copy_and_report(struct copy *copy, int from, int to)
{
    struct stat stat;
    ouro_task_id reporter;
    int code = ouro_fstat(from, &stat);

    if (code)
        return code;
    copy->size = stat.st_size;
    reporter = ouro_spawn(report, copy);
    if (reporter < 0)
        return (int) reporter;
    code = copy_bytes(copy, from, to);
    (void) ouro_cancel_join(reporter, NULL);
    return code;
}

static int copy_file(void *arg)
{
    struct copy *copy = arg;
    int from = ouro_open(copy->from, O_RDONLY, 0);
    int to, code, close_code;

    if (from < 0)
        return from;
    to = ouro_open(copy->to, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (to < 0) {
        (void) ouro_close(from);
        return to;
    }
    code = copy_and_report(copy, from, to);
    close_code = ouro_close(to); /* may tell of an error, too */
    (void) ouro_close(from);
    return code ? code : close_code;
}

int main(int argc, char *argv[])
{
    struct copy copy = {0};
    int code;

    if (argc != 3) {
        (void) fprintf(stderr, "usage: %s FROM TO\n", argv[0]);
        return 2;
    }
    copy.from = argv[1];
    copy.to = argv[2];
    code = ouro_run(copy_file, &copy, NULL);
    if (code) {
        (void) fprintf(stderr, "%s: %s\n", argv[0], ouro_strerror(code));
        return 1;
    }
    printf("%" PRId64 " bytes copied\n", copy.done);
    return 0;
}
