/* SPDX-License-Identifier: MIT */
/*
 * cookie.c - Cookie fields read, Set-Cookie fields written; see cookie.h
 *
 * Who sets a cookie for a parent domain, or has one set by injecting a line, chooses the bytes
 * that come back in a Cookie field. Hence the rule when reading: a ';' always ends a cookie,
 * quotes or not, so that a value can't swallow what follows it.
 */
#include <errno.h>
#include <string.h>

#include "cookie.h"
#include "http1_head.h"
#include "http1_write.h"
#include "url.h"

/* --- reading ----------------------------------------------------------------------------- */

void ouro__cookie_init(struct cookie_reader *reader, const char *text, size_t len)
{
    reader->at = text;
    reader->end = text + len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the text before the next ';' off, without the blanks around it. */
static const char *next_slice(struct cookie_reader *reader, size_t *ret_len)
{
    size_t rest = (size_t) (reader->end - reader->at);
    const char *start = reader->at;
    const char *semicolon = memchr(start, ';', rest);
    const char *stop = semicolon ? semicolon : reader->end;

    reader->at = semicolon ? semicolon + 1 : reader->end;
    while (start < stop && is_blank(*start))
        start++;
    while (start < stop && is_blank(stop[-1]))
        stop--;
    *ret_len = (size_t) (stop - start);
    return start;
}

bool ouro__cookie_next(struct cookie_reader *reader, const char **ret_name, size_t *ret_name_len,
                       const char **ret_value, size_t *ret_value_len)
{
    while (reader->at < reader->end) {
        size_t len, name_len, value_len;
        const char *name = next_slice(reader, &len);
        const char *equals = memchr(name, '=', len);

        if (!equals)
            continue;
        name_len = (size_t) (equals - name);
        value_len = len - name_len - 1;
        if (!ouro__http1_is_token(name, name_len) || !ouro__http1_is_value(equals + 1, value_len))
            continue;
        *ret_name = name;
        *ret_name_len = name_len;
        *ret_value = equals + 1;
        *ret_value_len = value_len;
        return true;
    }
    return false;
}

/* --- what may be written ----------------------------------------------------------------- */

/* RFC 6265 §4.1.1, cookie-octet */
static bool is_cookie_value(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~' || strchr("\",;\\", text[i]))
            return false;
    return true;
}

/* RFC 6265 §4.1.1, path-value. Browsers take one without the slash for none at all. */
static bool is_path(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~' || text[i] == ';')
            return false;
    return text[0] == '/' && len <= COOKIE_ATTRIBUTE_MAX;
}

static bool is_domain(const char *text)
{
    size_t len = strlen(text);
    struct url_authority found;

    return len <= COOKIE_ATTRIBUTE_MAX && !ouro__url_parse_authority(text, len, &found) &&
           found.host == text && found.port < 0;
}

/* 6265bis §4.1.3: in any case, as a server might look the name up in any. */
static bool has_prefix(const char *name, const char *prefix)
{
    size_t len = strlen(prefix);

    return strlen(name) >= len && ouro__http1_name_equals(name, len, prefix);
}

static bool prefix_is_earned(const struct ouro_http_cookie *cookie)
{
    if (has_prefix(cookie->name, "__Host-"))
        return cookie->secure && !cookie->domain && cookie->path && strcmp(cookie->path, "/") == 0;
    return cookie->secure || !has_prefix(cookie->name, "__Secure-");
}

static bool times_are_valid(const struct ouro_http_cookie *cookie)
{
    const int64_t year_10000 = INT64_C(253402300800);

    if (cookie->has_max_age && cookie->max_age_s < 0)
        return false;
    return !cookie->has_expires || (cookie->expires_s >= 0 && cookie->expires_s < year_10000);
}

static bool same_site_is_valid(const struct ouro_http_cookie *cookie)
{
    switch (cookie->same_site) {
    case OURO_HTTP_SAME_SITE_UNSET:
    case OURO_HTTP_SAME_SITE_LAX:
    case OURO_HTTP_SAME_SITE_STRICT:
        return true;
    case OURO_HTTP_SAME_SITE_NONE:
        return cookie->secure;
    }
    return false;
}

static bool is_valid(const struct ouro_http_cookie *cookie)
{
    size_t name_len = cookie->name ? strlen(cookie->name) : 0;
    size_t value_len = cookie->value ? strlen(cookie->value) : 0;

    return ouro__http1_is_token(cookie->name, name_len) &&
           is_cookie_value(cookie->value, value_len) && name_len <= COOKIE_PAIR_MAX &&
           value_len <= COOKIE_PAIR_MAX - name_len && (!cookie->path || is_path(cookie->path)) &&
           (!cookie->domain || is_domain(cookie->domain)) && times_are_valid(cookie) &&
           prefix_is_earned(cookie) && same_site_is_valid(cookie) &&
           (cookie->secure || !cookie->partitioned);
}

/* --- writing ----------------------------------------------------------------------------- */

static void put(struct http1_writer *writer, const char *text)
{
    ouro__http1_write_body(writer, text, strlen(text));
}

static void put_number(struct http1_writer *writer, int64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    digits[--at] = '\0';
    do {
        digits[--at] = (char) ('0' + value % 10);
        value /= 10;
    } while (value);
    put(writer, digits + at);
}

static void put_attribute(struct http1_writer *writer, const char *name, const char *value)
{
    put(writer, name);
    put(writer, value);
}

static void put_lifetime(struct http1_writer *writer, const struct ouro_http_cookie *cookie)
{
    if (cookie->has_max_age) {
        put(writer, "; Max-Age=");
        put_number(writer, cookie->max_age_s);
    }
    if (cookie->has_expires) {
        struct http1_date date = {0};

        put_attribute(writer, "; Expires=", ouro__http1_date_at(&date, (time_t) cookie->expires_s));
    }
}

static void put_flags(struct http1_writer *writer, const struct ouro_http_cookie *cookie)
{
    static const char *const same_site[] = {
        [OURO_HTTP_SAME_SITE_UNSET] = "",
        [OURO_HTTP_SAME_SITE_LAX] = "; SameSite=Lax",
        [OURO_HTTP_SAME_SITE_STRICT] = "; SameSite=Strict",
        [OURO_HTTP_SAME_SITE_NONE] = "; SameSite=None",
    };

    if (cookie->secure)
        put(writer, "; Secure");
    if (cookie->http_only)
        put(writer, "; HttpOnly");
    put(writer, same_site[cookie->same_site]);
    if (cookie->partitioned)
        put(writer, "; Partitioned");
}

ssize_t ouro__cookie_write(const struct ouro_http_cookie *cookie, char *buf, size_t size)
{
    struct http1_writer writer;

    if (!is_valid(cookie))
        return -EINVAL;
    ouro__http1_write_init(&writer, buf, size);
    put(&writer, cookie->name);
    put_attribute(&writer, "=", cookie->value ? cookie->value : "");
    if (cookie->path)
        put_attribute(&writer, "; Path=", cookie->path);
    if (cookie->domain)
        put_attribute(&writer, "; Domain=", cookie->domain);
    put_lifetime(&writer, cookie);
    put_flags(&writer, cookie);
    ouro__http1_write_body(&writer, "", 1);
    return writer.error ? writer.error : (ssize_t) writer.len - 1;
}
