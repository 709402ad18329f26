/* SPDX-License-Identifier: MIT */
/*
 * form.c - application/x-www-form-urlencoded; see form.h
 *
 * Decoded text is never longer than what it came from, and each text has a character behind
 * it that pays for its NUL: the '=' of a name, the '&' of a value. Only the last one has
 * none, hence the one byte more. Where there is no '=', the empty value is the name's NUL.
 */
#include <string.h>
#include <sys/types.h>

#include "ouro_base.h"

#include "form.h"
#include "url.h"
#include "utf8.h"

void ouro__form_init(struct form_reader *reader, const char *text, size_t len, char *buf)
{
    reader->at = text;
    reader->end = text + len;
    reader->buf = buf;
    reader->error = 0;
}

/* Adds the decoded text to the buffer. `text` may lie in it, but not before its free part. */
static int decode(struct form_reader *reader, const char *text, size_t len, const char **ret_text,
                  size_t *ret_len)
{
    char *buf = reader->buf;
    ssize_t decoded;

    for (size_t i = 0; i < len; i++)
        buf[i] = text[i] == '+' ? ' ' : text[i];
    decoded = ouro__url_decode(buf, len, buf);
    if (decoded < 0)
        return OURO_EURL;
    if (memchr(buf, '\0', (size_t) decoded) || !ouro__utf8_is_valid(buf, (size_t) decoded))
        return OURO_EURL;
    buf[decoded] = '\0';
    reader->buf += decoded + 1;
    *ret_text = buf;
    *ret_len = (size_t) decoded;
    return 0;
}

/* Takes the next pair that is not empty off the text. */
static const char *next_pair(struct form_reader *reader, size_t *ret_len)
{
    const char *pair, *end;

    while (reader->at < reader->end && *reader->at == '&')
        reader->at++;
    if (reader->at == reader->end)
        return NULL;
    pair = reader->at;
    end = memchr(pair, '&', (size_t) (reader->end - pair));
    reader->at = end ? end + 1 : reader->end;
    *ret_len = (size_t) ((end ? end : reader->end) - pair);
    return pair;
}

int ouro__form_next(struct form_reader *reader, const char **ret_name, size_t *ret_name_len,
                    const char **ret_value, size_t *ret_value_len)
{
    const char *pair, *equals, *name, *value;
    size_t len, name_len, value_len = 0;

    if (reader->error)
        return reader->error;
    pair = next_pair(reader, &len);
    if (!pair)
        return 0;
    /* Found before anything is decoded, which may overwrite it. */
    equals = memchr(pair, '=', len);
    reader->error = decode(reader, pair, equals ? (size_t) (equals - pair) : len, &name, &name_len);
    if (reader->error)
        return reader->error;
    value = name + name_len;
    if (equals)
        reader->error =
            decode(reader, equals + 1, (size_t) (pair + len - equals - 1), &value, &value_len);
    if (reader->error)
        return reader->error;
    *ret_name = name;
    *ret_name_len = name_len;
    *ret_value = value;
    *ret_value_len = value_len;
    return 1;
}
