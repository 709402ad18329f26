/* SPDX-License-Identifier: MIT */
/*
 * http_date.h - dates of HTTP, read; http1_write.h writes them
 */
#ifndef OURO_HTTP_DATE_H
#define OURO_HTTP_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last second that has a form in HTTP: the end of the year 9999. */
#define HTTP_DATE_MAX 253402300799

/*
 * Reads a date in one of the three forms of RFC 9110 §5.6.7:
 *
 *     Sun, 06 Nov 1994 08:49:37 GMT       as everybody writes it
 *     Sunday, 06-Nov-94 08:49:37 GMT      as before 1989; the year is at most 50 years after `now_s`
 *     Sun Nov  6 08:49:37 1994            as asctime() does
 *
 * The text is that and nothing else, in this case; the day of the week has to be the right one,
 * and the year 1970 to 9999. Everything else is no date: a field that has one is to be
 * ignored. The second 60 is taken for the one after 59, as everybody without leap seconds does.
 *
 * Returns whether it is a date, and then seconds since 1970, as time() counts them.
 */
bool ouro__http_date_parse(const char *text, size_t len, int64_t now_s, int64_t *ret_s);

#endif /* OURO_HTTP_DATE_H */
