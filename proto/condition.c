/* SPDX-License-Identifier: MIT */
/*
 * condition.c - conditional requests; see condition.h
 */
#include <string.h>

#include "condition.h"
#include "http_date.h"
#include "parameter.h"

/* --- entity-tags ------------------------------------------------------------------------- */

/* A slice of the text: what is between the quotes. */
struct etag {
    const char *text;
    size_t len;
    bool is_weak;
};

static bool is_etag_char(unsigned char c)
{
    return c >= 0x21 && c != '"' && c != 0x7f;
}

/* Returns where the tag at `text` ends, its quotes included; NULL: there is none. */
static const char *read_etag(const char *text, const char *end, struct etag *ret_etag)
{
    const char *stop;
    bool is_weak = end - text >= 2 && text[0] == 'W' && text[1] == '/';

    if (is_weak)
        text += 2;
    if (text == end || *text != '"')
        return NULL;
    for (stop = ++text; stop < end && is_etag_char((unsigned char) *stop);)
        stop++;
    if (stop == end || *stop != '"')
        return NULL;
    *ret_etag = (struct etag) {.text = text, .len = (size_t) (stop - text), .is_weak = is_weak};
    return stop + 1;
}

bool ouro__etag_is_valid(const char *text, size_t len)
{
    struct etag etag;

    return read_etag(text, text + len, &etag) == text + len;
}

static bool same_etag(const struct etag *a, const struct etag *b, enum etag_comparison comparison)
{
    if (comparison == ETAG_STRONG && (a->is_weak || b->is_weak))
        return false;
    return a->len == b->len && !memcmp(a->text, b->text, a->len);
}

/* Takes the next tag off `*list`. */
static bool next_etag(const char **list, const char *end, struct etag *ret_etag)
{
    const char *at = ouro__parameter_skip_blanks(*list, end);

    while (at < end && *at == ',')
        at = ouro__parameter_skip_blanks(at + 1, end);
    at = read_etag(at, end, ret_etag);
    if (!at)
        return false;
    *list = ouro__parameter_skip_blanks(at, end);
    return *list == end || **list == ',';
}

bool ouro__etag_list_has(const char *list, size_t len, const char *etag,
                         enum etag_comparison comparison)
{
    const char *end = list + len;
    struct etag wanted, listed;

    if (len == 1 && list[0] == '*')
        return true;
    if (!etag || !read_etag(etag, etag + strlen(etag), &wanted))
        return false;
    while (next_etag(&list, end, &listed))
        if (same_etag(&listed, &wanted, comparison))
            return true;
    return false;
}

/* --- fields ------------------------------------------------------------------------------ */

enum verdict { MISSING, UNMET, MET };

/* A list may come in several fields. */
static enum verdict check_etags(const struct http1_head *request, const char *name,
                                const struct validators *validators,
                                enum etag_comparison comparison)
{
    enum verdict verdict = MISSING;

    for (unsigned i = 0; i < request->field_count; i++) {
        const struct http1_field *field = &request->fields[i];

        if (!ouro__http1_name_equals(field->name, field->name_len, name))
            continue;
        if (ouro__etag_list_has(field->value, field->value_len, validators->etag, comparison))
            return MET;
        verdict = UNMET;
    }
    return verdict;
}

/* Whether nothing has changed since the date of the field. A date that says nothing is missing. */
static enum verdict check_date(const struct http1_head *request, const char *name,
                               const struct validators *validators, int64_t now_s)
{
    const struct http1_field *field = ouro__http1_head_find(request, name, 0);
    int64_t date_s;

    if (!field || !validators->modified_s ||
        !ouro__http_date_parse(field->value, field->value_len, now_s, &date_s) || date_s > now_s)
        return MISSING;
    return validators->modified_s <= date_s ? MET : UNMET;
}

/* --- evaluation -------------------------------------------------------------------------- */

static bool is_reading(const struct http1_head *request)
{
    return !strcmp(request->method, "GET") || !strcmp(request->method, "HEAD");
}

int ouro__condition_check(const struct http1_head *request, const struct validators *validators,
                          int64_t now_s)
{
    enum verdict match = check_etags(request, "if-match", validators, ETAG_STRONG);
    enum verdict none_match = check_etags(request, "if-none-match", validators, ETAG_WEAK);

    if (match == MISSING)
        match = check_date(request, "if-unmodified-since", validators, now_s);
    if (match == UNMET)
        return 412;
    if (none_match == MET)
        return is_reading(request) ? 304 : 412;
    if (none_match == MISSING && is_reading(request) &&
        check_date(request, "if-modified-since", validators, now_s) == MET)
        return 304;
    return 0;
}

/*
 * RFC 9110 §8.8.2.2: in the second in which something was changed it may be changed once more, with
 * the same date. So a date that is as young as that does not tell which of both the client has.
 */
bool ouro__condition_allows_range(const struct http1_head *request,
                                  const struct validators *validators, int64_t now_s)
{
    const struct http1_field *field = ouro__http1_head_find(request, "if-range", 0);
    int64_t date_s;

    if (!field)
        return true;
    if (ouro__etag_is_valid(field->value, field->value_len))
        return ouro__etag_list_has(field->value, field->value_len, validators->etag, ETAG_STRONG);
    return validators->modified_s && validators->modified_s < now_s &&
           ouro__http_date_parse(field->value, field->value_len, now_s, &date_s) &&
           date_s == validators->modified_s;
}
