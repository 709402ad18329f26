/* SPDX-License-Identifier: MIT */
/*
 * http_form.c - what a request says in pairs: its query, its cookies, a form; see http_exchange.h
 *
 * Each is decoded when somebody first asks for it.
 */
#include <errno.h>
#include <string.h>

#include "cookie.h"
#include "form.h"
#include "http_exchange.h"

#define PAIRS_MAX 1000 /* a page has fewer fields, and who looks for one looks through all */

struct http_pair {
    const char *name;
    const char *value;
};

/* --- pairs ------------------------------------------------------------------------------- */

static size_t count_pairs(const char *text, size_t len)
{
    size_t count = 1;

    for (const char *at = text; (at = memchr(at, '&', len - (size_t) (at - text))); at++)
        count++;
    return count;
}

static int decode(struct ouro_http_exchange *exchange, struct http_pairs *pairs, const char *text,
                  size_t len)
{
    size_t count_max = count_pairs(text, len), name_len, value_len;
    struct form_reader reader;
    struct http_pair *pair;
    char *buf;
    int code;

    if (count_max > PAIRS_MAX)
        return OURO_ELIMIT;
    pair = ouro__http_exchange_allocate(exchange, count_max * sizeof(*pair));
    buf = ouro__http_exchange_allocate(exchange, len + 1);
    if (!pair || !buf)
        return -ENOMEM;
    pairs->pairs = pair;
    ouro__form_init(&reader, text, len, buf);
    while ((code = ouro__form_next(&reader, &pair->name, &name_len, &pair->value, &value_len)) > 0)
        pair++;
    if (!code)
        pairs->count = (size_t) (pair - pairs->pairs);
    return code;
}

static const char *value_of(const struct http_pairs *pairs, const char *name)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (strcmp(pairs->pairs[i].name, name) == 0)
            return pairs->pairs[i].value;
    return NULL;
}

static bool pair_at(const struct http_pairs *pairs, size_t index, const char **ret_name,
                    const char **ret_value)
{
    if (index >= pairs->count)
        return false;
    *ret_name = pairs->pairs[index].name;
    *ret_value = pairs->pairs[index].value;
    return true;
}

/* --- the query --------------------------------------------------------------------------- */

int ouro_http_read_query(struct ouro_http_exchange *exchange)
{
    struct http_pairs *query = &exchange->query;
    const char *text = exchange->request->query;

    if (!query->is_read && text)
        query->error = decode(exchange, query, text, strlen(text));
    query->is_read = query->error != -ENOMEM;
    if (query->error && query->is_read)
        (void) ouro__http_exchange_fail(exchange, query->error, 400);
    return query->error;
}

const char *ouro_http_query_value(struct ouro_http_exchange *exchange, const char *name)
{
    return ouro_http_read_query(exchange) ? NULL : value_of(&exchange->query, name);
}

bool ouro_http_query_at(struct ouro_http_exchange *exchange, size_t index, const char **ret_name,
                        const char **ret_value)
{
    return !ouro_http_read_query(exchange) && pair_at(&exchange->query, index, ret_name, ret_value);
}

/* --- forms ------------------------------------------------------------------------------- */

/* The type in a Content-Type field, without its parameters. */
static bool is_form(const struct http1_field *field)
{
    return field && ouro__http1_name_equals(field->value, strcspn(field->value, "; \t"),
                                            "application/x-www-form-urlencoded");
}

int ouro_http_read_form(struct ouro_http_exchange *exchange)
{
    struct http_pairs *form = &exchange->form;
    const char *text;
    size_t len;
    int code;

    if (form->is_read)
        return form->error;
    if (!is_form(ouro__http1_head_find(exchange->request, "content-type", 0)))
        return ouro__http_exchange_fail(exchange, OURO_EHTTP, 415);
    code = ouro_http_read_all(exchange, &text, &len);
    if (code)
        return code;
    form->error = decode(exchange, form, text, len);
    form->is_read = form->error != -ENOMEM;
    if (form->error && form->is_read)
        (void) ouro__http_exchange_fail(exchange, form->error,
                                        form->error == OURO_ELIMIT ? 413 : 400);
    return form->error;
}

const char *ouro_http_form_value(const struct ouro_http_exchange *exchange, const char *name)
{
    return value_of(&exchange->form, name);
}

bool ouro_http_form_at(const struct ouro_http_exchange *exchange, size_t index,
                       const char **ret_name, const char **ret_value)
{
    return pair_at(&exchange->form, index, ret_name, ret_value);
}

/* --- cookies ----------------------------------------------------------------------------- */

/* Clients of HTTP/2 may split them over several fields, and proxies pass that on. */
const char *ouro_http_cookie(struct ouro_http_exchange *exchange, const char *name)
{
    const struct http1_head *request = exchange->request;
    const char *cookie, *value;
    size_t cookie_len, value_len;
    struct cookie_reader reader;

    for (unsigned i = 0; i < request->field_count; i++) {
        const struct http1_field *field = &request->fields[i];

        if (!ouro__http1_name_equals(field->name, field->name_len, "cookie"))
            continue;
        ouro__cookie_init(&reader, field->value, field->value_len);
        while (ouro__cookie_next(&reader, &cookie, &cookie_len, &value, &value_len))
            if (cookie_len == strlen(name) && memcmp(cookie, name, cookie_len) == 0)
                return ouro__http_exchange_copy(exchange, value, value_len);
    }
    return NULL;
}

int ouro_http_set_cookie(struct ouro_http_exchange *exchange, const struct ouro_http_cookie *cookie)
{
    char text[COOKIE_TEXT_MAX];
    ssize_t len = ouro__cookie_write(cookie, text, sizeof(text));

    return len < 0 ? (int) len : ouro_http_add_header(exchange, "Set-Cookie", text);
}
