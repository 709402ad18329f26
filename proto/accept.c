/* SPDX-License-Identifier: MIT */
/*
 * accept.c - what a client would rather have; see accept.h
 */
#include <stdbool.h>
#include <string.h>

#include "accept.h"
#include "http1_head.h"
#include "parameter.h"

/* How precisely an element speaks of a name. */
enum { NOT_AT_ALL, ANY, ANY_SUBTYPE, ITSELF };

void ouro__accept_init(struct accept *accept, const char *name)
{
    accept->name = name;
    accept->precision = NOT_AT_ALL;
    accept->quality = 0;
}

int ouro__accept_quality(const struct accept *accept)
{
    if (accept->precision == NOT_AT_ALL && strcmp(accept->name, "identity") == 0)
        return 1000;
    return accept->quality;
}

/* RFC 9110 §12.4.2: "0" to "1" with at most three digits behind the point. Or -1. */
static int parse_quality(const struct parameter *parameter)
{
    const char *text = parameter->value;
    size_t len = parameter->value_len;
    int quality;

    if (parameter->quoted || !len || len > 5 || (text[0] != '0' && text[0] != '1') ||
        (len > 1 && text[1] != '.'))
        return -1;
    quality = text[0] - '0';
    for (size_t i = 2; i < 5; i++) {
        int digit = i < len ? text[i] - '0' : 0;

        if (digit < 0 || digit > 9)
            return -1;
        quality = quality * 10 + digit;
    }
    return quality <= 1000 ? quality : -1;
}

/* Where a token, or two with a slash between them, ends; `text` where there is none. */
static const char *skip_range(const char *text, const char *end)
{
    const char *stop = ouro__parameter_skip_token(text, end);
    const char *subtype = stop + 1;

    if (stop == text || stop == end || *stop != '/')
        return stop;
    stop = ouro__parameter_skip_token(subtype, end);
    return stop == subtype ? text : stop;
}

static int precision_of(const char *range, size_t len, const char *name)
{
    const char *slash = strchr(name, '/');
    size_t type_len = slash ? (size_t) (slash - name) + 1 : 0;

    if (ouro__http1_name_equals(range, len, name))
        return ITSELF;
    /* RFC 9110 §8.4.1.1 and §8.4.1.3 */
    if (ouro__http1_name_equals(range, len, "x-gzip") ||
        ouro__http1_name_equals(range, len, "x-compress"))
        return ouro__http1_name_equals(range + 2, len - 2, name) ? ITSELF : NOT_AT_ALL;
    if (ouro__http1_name_equals(range, len, slash ? "*/*" : "*"))
        return ANY;
    if (slash && len == type_len + 1 && range[type_len] == '*' &&
        ouro__http1_same_text(range, name, type_len))
        return ANY_SUBTYPE;
    return NOT_AT_ALL;
}

/*
 * Reads the parameters of an element. Returns the quality; -1 when it is not valid, or has
 * parameters of its own: "text/html;level=1" does not speak of all of text/html.
 */
static int read_weight(const char **text, const char *end)
{
    struct parameter parameter;
    bool weighted = false;
    int quality = 1000;
    int code;

    while ((code = ouro__parameter_next(text, end, &parameter)) > 0) {
        if (weighted || !ouro__http1_name_equals(parameter.name, parameter.name_len, "q"))
            quality = -1;
        else
            quality = parse_quality(&parameter);
        weighted = true;
    }
    return code || (*text < end && **text != ',') ? -1 : quality;
}

/* Takes what one element says into account. Returns where to look for the next one. */
static const char *read_element(struct accept *accept, const char *text, const char *end)
{
    const char *at = skip_range(text, end);
    int precision = precision_of(text, (size_t) (at - text), accept->name);
    int quality = at == text ? -1 : read_weight(&at, end);

    if (quality >= 0 && precision &&
        (precision > accept->precision ||
         (precision == accept->precision && quality < accept->quality))) {
        accept->precision = precision;
        accept->quality = quality;
    }
    at = memchr(at, ',', (size_t) (end - at));
    return at ? at + 1 : end;
}

void ouro__accept_add(struct accept *accept, const char *list, size_t len)
{
    const char *end = list + len;
    const char *at = ouro__parameter_skip_blanks(list, end);

    while (at < end)
        at = ouro__parameter_skip_blanks(read_element(accept, at, end), end);
}
