/* SPDX-License-Identifier: MIT */
/*
 * http_date.c - dates of HTTP, read; see http_date.h
 *
 * A date is compared with a pattern, character by character. What strptime() does depends on
 * the locale, and it takes blanks, signs and short numbers where there may be none.
 */
#include <string.h>

#include "http_date.h"

struct date {
    int year; /* the last two digits, where there are only these */
    int month, day, hour, minute, second;
    int weekday; /* 0: Sunday */
    bool is_short;
};

/* --- patterns ---------------------------------------------------------------------------- */

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Takes digits off `*text`; the first may be a blank, if `blank` says so. */
static bool take_number(const char **text, const char *end, size_t digits, bool blank,
                        int *ret_number)
{
    int number = 0;

    if ((size_t) (end - *text) < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        char c = (*text)[i];

        if (c == ' ' && blank && i == 0)
            continue;
        if (c < '0' || c > '9')
            return false;
        number = number * 10 + (c - '0');
    }
    *text += digits;
    *ret_number = number;
    return true;
}

/* Takes one of the names off `*text`; `len` 0: the whole name, else so much of it. */
static bool take_name(const char **text, const char *end, const char *const *names, int count,
                      size_t len, int *ret_index)
{
    for (int i = 0; i < count; i++) {
        size_t name_len = len ? len : strlen(names[i]);

        if ((size_t) (end - *text) >= name_len && !memcmp(*text, names[i], name_len)) {
            *text += name_len;
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* One character of a pattern: a letter stands for a part of a date, others for themselves. */
static bool take(const char **text, const char *end, char what, struct date *date)
{
    switch (what) {
    case 'w':
        return take_name(text, end, days, 7, 3, &date->weekday);
    case 'W':
        return take_name(text, end, days, 7, 0, &date->weekday);
    case 'd':
        return take_number(text, end, 2, false, &date->day);
    case 'D':
        return take_number(text, end, 2, true, &date->day);
    case 'm':
        return take_name(text, end, months, 12, 3, &date->month);
    case 'y':
        date->is_short = true;
        return take_number(text, end, 2, false, &date->year);
    case 'Y':
        return take_number(text, end, 4, false, &date->year);
    case 't':
        return take_number(text, end, 2, false, &date->hour) && take(text, end, ':', date) &&
               take_number(text, end, 2, false, &date->minute) && take(text, end, ':', date) &&
               take_number(text, end, 2, false, &date->second);
    case 'z':
        return take(text, end, 'G', date) && take(text, end, 'M', date) &&
               take(text, end, 'T', date);
    default:
        return *text < end && *(*text)++ == what;
    }
}

static bool matches(const char *text, size_t len, const char *pattern, struct date *ret_date)
{
    const char *end = text + len;
    struct date date = {0};

    for (; *pattern; pattern++)
        if (!take(&text, end, *pattern, &date))
            return false;
    if (text < end)
        return false;
    *ret_date = date;
    return true;
}

/* --- the calendar ------------------------------------------------------------------------ */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int month, int year)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return lengths[month] + (month == 1 && is_leap(year));
}

/* From 1 January 1970 to that of `year`. */
static int64_t days_before(int year)
{
    int past = year - 1;

    return 365 * (int64_t) (year - 1970) + (past / 4 - past / 100 + past / 400) -
           (1969 / 4 - 1969 / 100 + 1969 / 400);
}

static int64_t seconds_of(const struct date *date)
{
    int64_t day = days_before(date->year) + date->day - 1;

    for (int month = 0; month < date->month; month++)
        day += days_in(month, date->year);
    return ((day * 24 + date->hour) * 60 + date->minute) * 60 + date->second;
}

static bool is_right(const struct date *date, int64_t seconds)
{
    /* (The day that was said: second 60 may belong to the next. 1 January 1970 was a Thursday.) */
    return (((seconds - date->second) / (24 * 60 * 60)) + 4) % 7 == date->weekday;
}

static bool is_possible(const struct date *date)
{
    return date->year >= 1970 && date->day >= 1 && date->day <= days_in(date->month, date->year) &&
           date->hour <= 23 && date->minute <= 59 && date->second <= 60;
}

/* RFC 9110 §5.6.7: what seems to be more than 50 years ahead was a century before. */
static void lengthen_year(struct date *date, int64_t now_s)
{
    int this_year = 1970;

    while (this_year < 9949 && days_before(this_year + 1) * (24 * 60 * 60) <= now_s)
        this_year++;
    date->year += (this_year + 50) / 100 * 100;
    if (date->year > this_year + 50)
        date->year -= 100;
}

bool ouro__http_date_parse(const char *text, size_t len, int64_t now_s, int64_t *ret_s)
{
    struct date date;
    int64_t seconds;

    if (!matches(text, len, "w, d m Y t z", &date) && !matches(text, len, "W, d-m-y t z", &date) &&
        !matches(text, len, "w m D t Y", &date))
        return false;
    if (date.is_short)
        lengthen_year(&date, now_s);
    if (!is_possible(&date))
        return false;
    seconds = seconds_of(&date);
    if (!is_right(&date, seconds) || seconds > HTTP_DATE_MAX)
        return false;
    *ret_s = seconds;
    return true;
}
