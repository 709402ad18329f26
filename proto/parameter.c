/* SPDX-License-Identifier: MIT */
/*
 * parameter.c - the parameters behind a value; see parameter.h
 */
#include "ouro_base.h"

#include "http1_head.h"
#include "parameter.h"

const char *ouro__parameter_skip_blanks(const char *text, const char *end)
{
    while (text < end && (*text == ' ' || *text == '\t'))
        text++;
    return text;
}

const char *ouro__parameter_skip_token(const char *text, const char *end)
{
    while (text < end && ouro__http1_is_token_char((unsigned char) *text))
        text++;
    return text;
}

/* RFC 9110 §5.6.4, behind the opening quote. Returns the closing one, or NULL. */
static const char *find_quote(const char *text, const char *end)
{
    for (; text < end && *text != '"'; text++) {
        if (*text == '\\' && ++text == end)
            return NULL;
        if (((unsigned char) *text < ' ' && *text != '\t') || *text == 0x7f)
            return NULL;
    }
    return text < end ? text : NULL;
}

/* Returns where the value ends, its quotes included, or NULL. */
static const char *read_value(const char *text, const char *end, struct parameter *parameter)
{
    const char *stop;

    parameter->quoted = text < end && *text == '"';
    parameter->value = text + parameter->quoted;
    if (parameter->quoted)
        stop = find_quote(parameter->value, end);
    else
        stop = ouro__parameter_skip_token(text, end);
    if (!stop || (!parameter->quoted && stop == text))
        return NULL;
    parameter->value_len = (size_t) (stop - parameter->value);
    return stop + parameter->quoted;
}

int ouro__parameter_next(const char **text, const char *end, struct parameter *ret_parameter)
{
    const char *at = ouro__parameter_skip_blanks(*text, end), *equals;
    struct parameter found;

    if (at < end && *at != ';') {
        *text = at;
        return 0;
    }
    /* A parameter may be missing, RFC 9110 says. */
    while (at < end && *at == ';')
        at = ouro__parameter_skip_blanks(at + 1, end);
    equals = ouro__parameter_skip_token(at, end);
    if (equals == at) {
        *text = at;
        return 0;
    }
    if (equals == end || *equals != '=')
        return OURO_EHTTP;
    found.name = at;
    found.name_len = (size_t) (equals - at);
    at = read_value(equals + 1, end, &found);
    if (!at)
        return OURO_EHTTP;
    *text = at;
    *ret_parameter = found;
    return 1;
}
