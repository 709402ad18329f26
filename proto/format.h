/* SPDX-License-Identifier: MIT */
/*
 * format.h - printf(3) for the formats that answers are mostly made with
 */
#ifndef OURO_FORMAT_H
#define OURO_FORMAT_H

#include <stdarg.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * As vsnprintf(), for text with "%s", "%d", "%u", "%zu" and "%%", where the result fits into `buf`
 * with its NUL. Returns its length; -1: vsnprintf() is to see to it, `buf` holds nothing of use, and
 * `args` has been read from.
 */
ssize_t ouro__format_simple(char *buf, size_t size, const char *format, va_list args);

#endif /* OURO_FORMAT_H */
