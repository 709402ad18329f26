/* SPDX-License-Identifier: MIT */
/*
 * fuzz_form.c - libFuzzer target for the small codecs: form.c, cookie.c, accept.c
 *
 * The first byte chooses the codec. Inputs and buffers are allocations of exact size, for
 * AddressSanitizer to watch.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ouro_base.h"

#include "accept.h"
#include "cookie.h"
#include "form.h"
#include "http1_head.h"
#include "http1_write.h"
#include "utf8.h"

#include "fuzz.h"

static char *allocate(size_t size)
{
    char *memory = malloc(size ? size : 1);

    REQUIRE(memory);
    return memory;
}

static char *copy_of(const void *data, size_t size)
{
    char *copy = allocate(size);

    if (size)
        memcpy(copy, data, size);
    return copy;
}

/* --- forms ------------------------------------------------------------------------------- */

/* The shortest way back: all that is not a letter or digit is escaped. */
static size_t encode(const char *text, size_t len, char *buf)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char) text[i];

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')) {
            buf[out++] = (char) c;
            continue;
        }
        buf[out++] = '%';
        buf[out++] = digits[c >> 4];
        buf[out++] = digits[c & 15];
    }
    return out;
}

/* A pair that was read, encoded, is one that reads the same. */
static void check_pair(const char *name, size_t name_len, const char *value, size_t value_len)
{
    char *text = allocate(3 * (name_len + value_len) + 1);
    size_t len = encode(name, name_len, text), len2, len3;
    struct form_reader reader;
    const char *name2, *value2;
    char *buf;

    text[len++] = '=';
    len += encode(value, value_len, text + len);
    buf = allocate(len + 1);
    ouro__form_init(&reader, text, len, buf);
    REQUIRE(ouro__form_next(&reader, &name2, &len2, &value2, &len3) == 1);
    REQUIRE(len2 == name_len && !memcmp(name, name2, len2));
    REQUIRE(len3 == value_len && !memcmp(value, value2, len3));
    REQUIRE(ouro__form_next(&reader, &name2, &len2, &value2, &len3) == 0);
    free(buf);
    free(text);
}

static void check_text(const char *text, size_t len, const char *buf, size_t size)
{
    REQUIRE(text >= buf && text + len < buf + size);
    REQUIRE(strlen(text) == len);
    REQUIRE(ouro__utf8_is_valid(text, len));
}

static void fuzz_form(const uint8_t *data, size_t size)
{
    char *text = copy_of(data, size), *buf = allocate(size + 1), *place = allocate(size + 1);
    const char *name, *value, *name2, *value2;
    size_t name_len, value_len, name2_len, value2_len;
    struct form_reader reader, in_place;
    int code;

    memcpy(place, text, size);
    ouro__form_init(&reader, text, size, buf);
    ouro__form_init(&in_place, place, size, place);
    do {
        code = ouro__form_next(&reader, &name, &name_len, &value, &value_len);
        REQUIRE(ouro__form_next(&in_place, &name2, &name2_len, &value2, &value2_len) == code);
        if (code != 1)
            break;
        check_text(name, name_len, buf, size + 1);
        check_text(value, value_len, buf, size + 1);
        REQUIRE(name2_len == name_len && !memcmp(name, name2, name_len));
        REQUIRE(value2_len == value_len && !memcmp(value, value2, value_len));
        check_pair(name, name_len, value, value_len);
    } while (code == 1);
    REQUIRE(code == 0 || code == OURO_EURL);
    free(text);
    free(buf);
    free(place);
}

/* --- cookies ----------------------------------------------------------------------------- */

/* A cookie that was read, alone, is one that reads the same. */
static void check_alone(const char *name, size_t name_len, const char *value, size_t value_len)
{
    char *text = copy_of(name, name_len + 1 + value_len);
    struct cookie_reader reader;
    const char *name2, *value2;
    size_t len2, len3;

    (void) value;
    ouro__cookie_init(&reader, text, name_len + 1 + value_len);
    REQUIRE(ouro__cookie_next(&reader, &name2, &len2, &value2, &len3));
    REQUIRE(name2 == text && len2 == name_len && len3 == value_len);
    REQUIRE(!ouro__cookie_next(&reader, &name2, &len2, &value2, &len3));
    free(text);
}

static void fuzz_cookie(const uint8_t *data, size_t size)
{
    char *text = copy_of(data, size);
    const char *name, *value, *last = text;
    size_t name_len, value_len;
    struct cookie_reader reader;

    ouro__cookie_init(&reader, text, size);
    while (ouro__cookie_next(&reader, &name, &name_len, &value, &value_len)) {
        REQUIRE(name >= last && value == name + name_len + 1 && value + value_len <= text + size);
        REQUIRE(ouro__http1_is_token(name, name_len) && ouro__http1_is_value(value, value_len));
        REQUIRE(!memchr(value, ';', value_len));
        check_alone(name, name_len, value, value_len);
        last = value + value_len;
    }
    free(text);
}

/* Takes the text before the next NUL off the input; NULL when it is empty. */
static char *take_text(const uint8_t **data, size_t *size)
{
    const uint8_t *end = *size ? memchr(*data, '\0', *size) : NULL;
    size_t len = end ? (size_t) (end - *data) : *size;
    char *text = len ? allocate(len + 1) : NULL;

    if (text) {
        memcpy(text, *data, len);
        text[len] = '\0';
    }
    *data += len + (end != NULL);
    *size -= len + (end != NULL);
    return text;
}

/* What is written has no control characters and reads as the same cookie, attributes behind it. */
static void check_written(const struct ouro_http_cookie *cookie, const char *buf, size_t len)
{
    struct cookie_reader reader;
    const char *name, *value;
    size_t name_len, value_len, semicolons = 0;

    REQUIRE(ouro__http1_is_value(buf, len) && strlen(buf) == len);
    ouro__cookie_init(&reader, buf, len);
    REQUIRE(ouro__cookie_next(&reader, &name, &name_len, &value, &value_len));
    REQUIRE(name == buf && ouro__http1_name_equals(name, name_len, cookie->name));
    REQUIRE(ouro__http1_name_equals(value, value_len, cookie->value ? cookie->value : ""));
    for (size_t i = 0; i < len; i++)
        semicolons += buf[i] == ';';
    REQUIRE(semicolons == (size_t) (cookie->path != NULL) + (cookie->domain != NULL) +
                              cookie->has_max_age + cookie->has_expires + cookie->secure +
                              cookie->http_only + cookie->partitioned +
                              (cookie->same_site != OURO_HTTP_SAME_SITE_UNSET));
}

static void fuzz_set_cookie(const uint8_t *data, size_t size)
{
    unsigned flags;
    struct ouro_http_cookie cookie = {0};
    char *name, *value, *path, *domain, *buf = allocate(COOKIE_TEXT_MAX);
    ssize_t len;

    flags = size > 1 ? data[0] | (unsigned) data[1] << 8 : 0;
    data += size > 1 ? 2 : 0;
    size -= size > 1 ? 2 : 0;
    cookie.name = name = take_text(&data, &size);
    cookie.value = value = take_text(&data, &size);
    cookie.path = path = take_text(&data, &size);
    cookie.domain = domain = take_text(&data, &size);
    cookie.secure = flags & 1;
    cookie.http_only = flags & 2;
    cookie.partitioned = flags & 4;
    cookie.has_max_age = flags & 8;
    cookie.has_expires = flags & 16;
    cookie.same_site = (enum ouro_http_same_site)(flags >> 5 & 3);
    if (size >= sizeof(int64_t))
        memcpy(&cookie.expires_s, data, sizeof(int64_t));
    cookie.max_age_s = flags & 128 ? cookie.expires_s : 60;

    len = ouro__cookie_write(&cookie, buf, COOKIE_TEXT_MAX);
    REQUIRE(len > 0 || len == -EINVAL);
    if (len > 0)
        check_written(&cookie, buf, (size_t) len);
    free(name);
    free(value);
    free(path);
    free(domain);
    free(buf);
}

/* --- accept ------------------------------------------------------------------------------ */

static void fuzz_accept(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"gzip", "identity", "compress", "text/html", "a/b"};
    char *list = copy_of(data, size);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct accept accept;
        int quality;

        ouro__accept_init(&accept, names[i]);
        ouro__accept_add(&accept, list, size);
        quality = ouro__accept_quality(&accept);
        REQUIRE(quality >= 0 && quality <= 1000);
        ouro__accept_add(&accept, list, size);
        REQUIRE(ouro__accept_quality(&accept) == quality);
    }
    free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(const uint8_t *, size_t) = {fuzz_form, fuzz_cookie,
                                                               fuzz_set_cookie, fuzz_accept};

    if (size)
        targets[data[0] % 4](data + 1, size - 1);
    return 0;
}
