/* SPDX-License-Identifier: MIT */
/*
 * format.c - printf(3) for simple formats; see format.h
 *
 * To put a name into a line, vsnprintf() takes 700 instructions, more than the parser needs for
 * the request that asks for it: it sets up a FILE.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "format.h"
#include "http1_write.h"

static void put_string(struct http1_writer *writer, const char *text)
{
    if (text)
        ouro__http1_write_text(writer, text);
    else
        ouro__http1_write_fail(writer, -EINVAL);
}

static void put_int(struct http1_writer *writer, int value)
{
    if (value < 0)
        ouro__http1_write_text(writer, "-");
    ouro__http1_write_digits(writer, value < 0 ? -(uint64_t) value : (uint64_t) value);
}

ssize_t ouro__format_simple(char *buf, size_t size, const char *format, va_list args)
{
    struct http1_writer writer;
    const char *percent;

    ouro__http1_write_init(&writer, buf, size);
    while (*(percent = strchrnul(format, '%')) && !writer.error) {
        ouro__http1_write_body(&writer, format, (size_t) (percent - format));
        format = percent + 2;
        switch (percent[1]) {
        case 's':
            put_string(&writer, va_arg(args, const char *));
            break;
        case 'd':
            put_int(&writer, va_arg(args, int));
            break;
        case 'u':
            ouro__http1_write_digits(&writer, va_arg(args, unsigned));
            break;
        case 'z':
            if (*format++ != 'u')
                return -1;
            ouro__http1_write_digits(&writer, va_arg(args, size_t));
            break;
        case '%':
            ouro__http1_write_text(&writer, "%");
            break;
        default:
            return -1;
        }
    }
    ouro__http1_write_body(&writer, format, (size_t) (percent - format) + 1);
    return writer.error ? -1 : (ssize_t) writer.len - 1;
}
