/* SPDX-License-Identifier: MIT */
/*
 * url.c - URLs, authorities and paths; see url.h
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "ouro_base.h"

#include "char_class.h"
#include "url.h"
#include "utf8.h"

/* Locales have no say in protocols, so these are not those of <ctype.h>. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- authorities ------------------------------------------------------------------------- */

static bool is_ipv6(const char *text, size_t len)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (len >= sizeof(copy) || memchr(text, '\0', len))
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1;
}

/* Nothing at all, or ":" and a port. */
static int parse_port(const char *text, size_t len, int *ret_port)
{
    int port = 0;

    if (!len) {
        *ret_port = -1;
        return 0;
    }
    if (text[0] != ':' || len < 2 || len > 6)
        return OURO_EURL;
    for (size_t i = 1; i < len; i++) {
        if (!is_digit(text[i]))
            return OURO_EURL;
        port = port * 10 + (text[i] - '0');
    }
    if (port > 65535)
        return OURO_EURL;
    *ret_port = port;
    return 0;
}

/* "[address]", the brackets included. Returns its length; 0: it is not one. */
static size_t bracketed_span(const char *text, size_t len)
{
    const char *end = memchr(text, ']', len);

    return end && is_ipv6(text + 1, (size_t) (end - text - 1)) ? (size_t) (end - text + 1) : 0;
}

int ouro__url_parse_authority(const char *text, size_t len, struct url_authority *ret_authority)
{
    bool bracketed = len && text[0] == '[';
    /* RFC 3986 §2.3: what names need. The sub-delims and escapes of §3.2.2 only served attacks. */
    size_t span = bracketed ? bracketed_span(text, len) : char_span(text, len, CHAR_HOST);
    int port, code = span ? parse_port(text + span, len - span, &port) : OURO_EURL;

    if (code)
        return code;
    ret_authority->host = text + bracketed;
    ret_authority->host_len = bracketed ? span - 2 : span;
    ret_authority->port = port;
    return 0;
}

/* --- URLs -------------------------------------------------------------------------------- */

bool ouro__url_target_is_valid(const char *text, size_t len)
{
    return char_span(text, len, CHAR_TARGET) == len;
}

/* The length of `text` before the first character of `set`. */
static size_t span_before(const char *text, size_t len, const char *set)
{
    size_t i = 0;

    while (i < len && text[i] && !strchr(set, text[i]))
        i++;
    return i;
}

int ouro__url_parse(const char *text, size_t len, struct url *ret_url)
{
    static const char scheme[] = "http://";
    const size_t scheme_len = sizeof(scheme) - 1;
    struct url url;
    int code;

    if (len < scheme_len || strncasecmp(text, scheme, scheme_len) != 0)
        return OURO_EURL;
    text += scheme_len;
    len -= scheme_len;

    url.authority_text = text;
    url.authority_len = span_before(text, len, "/?#");
    code = ouro__url_parse_authority(text, url.authority_len, &url.authority);
    if (code)
        return code;

    url.target = text + url.authority_len;
    url.target_len = span_before(url.target, len - url.authority_len, "#");
    if (!ouro__url_target_is_valid(url.target, url.target_len))
        return OURO_EURL;
    *ret_url = url;
    return 0;
}

/* --- paths ------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

ssize_t ouro__url_decode(const char *text, size_t len, char *buf)
{
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '%') {
            int high = i + 2 < len ? hex_value(text[i + 1]) : -1;
            int low = i + 2 < len ? hex_value(text[i + 2]) : -1;

            if (high < 0 || low < 0 || !(high | low))
                return OURO_EURL;
            c = (char) (high << 4 | low);
            i += 2;
        }
        buf[out++] = c;
    }
    return (ssize_t) out;
}

static bool is_safe_text(const char *text, size_t len)
{
    size_t step;

    for (size_t i = 0; i < len; i += step) {
        step = ouro__utf8_sequence(text + i, len - i);
        if (!step || (unsigned char) text[i] < ' ' || text[i] == 0x7f || text[i] == '\\')
            return false;
    }
    return true;
}

static int append_segment(struct url_path *path, const char *text, size_t len)
{
    if (path->count == URL_SEGMENTS_MAX)
        return OURO_ELIMIT;
    path->segments[path->count].text = text;
    path->segments[path->count].len = len;
    path->count++;
    return 0;
}

/*
 * Adds a segment, or lets a dot segment have its effect. A dot segment at the end
 * leaves an empty one behind: "/a/.." is "/", "/a/." is "/a/".
 */
static int add_segment(struct url_path *path, const char *text, size_t len, bool last)
{
    bool up = len == 2 && text[0] == '.' && text[1] == '.';

    if (!up && (len != 1 || text[0] != '.'))
        return append_segment(path, text, len);
    if (up && !path->count)
        return OURO_EURL;
    if (up)
        path->count--;
    return last ? append_segment(path, "", 0) : 0;
}

/* In place. Returns the new length. */
static ssize_t decode_segment(char *text, size_t len)
{
    ssize_t decoded = ouro__url_decode(text, len, text);

    return decoded < 0 || is_safe_text(text, (size_t) decoded) ? decoded : OURO_EURL;
}

/*
 * Makes what is at `text` up to the next slash, or to the NUL at `end`, a segment, in place. Returns
 * its length, and where it ended; or an error. For most, a look at each byte is all.
 */
static ssize_t take_segment(char *text, char *end, char **ret_end)
{
    size_t len = char_run(text, CHAR_PLAIN);
    char *slash;

    *ret_end = text + len;
    if (text + len == end || text[len] == '/')
        return (ssize_t) len;
    slash = memchr(text + len, '/', (size_t) (end - text) - len);
    *ret_end = slash ? slash : end;
    return decode_segment(text, (size_t) (*ret_end - text));
}

int ouro__url_split_path(const char *path, size_t len, char *buf, struct url_path *ret_path)
{
    char *end, *segment_end;
    int code = 0;

    ret_path->count = 0;
    if (!len || path[0] != '/')
        return OURO_EURL;
    /* One copy of all behind the first slash; each other slash, or the room of that one, is a NUL. */
    end = mempcpy(buf, path + 1, len - 1);
    *end = '\0';
    for (char *text = buf; text <= end && !code; text = segment_end + 1) {
        ssize_t decoded = take_segment(text, end, &segment_end);

        if (decoded < 0)
            return OURO_EURL;
        text[decoded] = '\0';
        code = add_segment(ret_path, text, (size_t) decoded, segment_end == end);
    }
    return code;
}
