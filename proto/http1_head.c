/* SPDX-License-Identifier: MIT */
/*
 * http1_head.c - what only a whole head can break; see http1_head.h
 *
 * llhttp has checked each byte and each field by itself, and refuses a second
 * Content-Length as well as Content-Length beside Transfer-Encoding. Here are the
 * rules about the head as a whole: framing that everybody reads in the same way (the
 * defence against request smuggling), one Host that agrees with the target, and what
 * becomes of the connection. The numbers are those of RFC 9110 and RFC 9112.
 */
#include <string.h>

#include "ouro_base.h"

#include "http1_head.h"

/* --- texts ------------------------------------------------------------------------------- */

/* Not tolower(): protocols know no locale. */
static unsigned char lower(char c)
{
    return (unsigned char) (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool ouro__http1_name_equals(const char *a, size_t a_len, const char *b)
{
    for (size_t i = 0; i < a_len; i++)
        if (!b[i] || (a[i] != b[i] && lower(a[i]) != lower(b[i])))
            return false;
    return !b[a_len];
}

bool ouro__http1_same_text(const char *a, const char *b, size_t len)
{
    size_t i = 0;

    /* Mostly they are also spelt alike. */
    while (len - i >= 4 && memcmp(a + i, b + i, 4) == 0)
        i += 4;
    for (; i < len; i++)
        if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

bool ouro__http1_is_token(const char *text, size_t len)
{
    return len && char_span(text, len, CHAR_TOKEN) == len;
}

/* Takes the next element of a comma-separated list off `*list`; NULL when there are no more. */
static const char *next_element(const char **list, size_t *ret_len)
{
    const char *start = *list + strspn(*list, ", \t");
    const char *end = start + strcspn(start, ",");

    if (!*start)
        return NULL;
    *list = end;
    while (end[-1] == ' ' || end[-1] == '\t')
        end--;
    *ret_len = (size_t) (end - start);
    return start;
}

bool ouro__http1_list_has_token(const char *list, const char *token)
{
    const char *element;
    size_t len;

    while ((element = next_element(&list, &len)))
        if (ouro__http1_name_equals(element, len, token))
            return true;
    return false;
}

/* --- lookup ------------------------------------------------------------------------------ */

static bool is_called(const struct http1_field *field, const char *name, size_t len)
{
    return field->name_len == len && ouro__http1_same_text(field->name, name, len);
}

const struct http1_field *ouro__http1_head_find(const struct http1_head *head, const char *name,
                                                unsigned start)
{
    size_t len = strlen(name);

    for (unsigned i = start; i < head->field_count; i++)
        if (is_called(&head->fields[i], name, len))
            return &head->fields[i];
    return NULL;
}

bool ouro__http1_head_has_token(const struct http1_head *head, const char *name, const char *token)
{
    size_t len = strlen(name);

    for (unsigned i = 0; i < head->field_count; i++)
        if (is_called(&head->fields[i], name, len) &&
            ouro__http1_list_has_token(head->fields[i].value, token))
            return true;
    return false;
}

/* --- the census: one pass finds all fields that a rule speaks of ------------------------- */

/* In the order of their lengths. */
enum known {
    HOST,
    RANGE,
    EXPECT,
    ORIGIN,
    IF_RANGE,
    CONNECTION,
    CONTENT_TYPE,
    MAX_FORWARDS,
    AUTHORIZATION,
    CONTENT_RANGE,
    CONTENT_LENGTH,
    UNDERSCORED_LENGTH,
    IF_MODIFIED_SINCE,
    TRANSFER_ENCODING,
    UNDERSCORED_ENCODING,
    IF_UNMODIFIED_SINCE,
    PROXY_AUTHORIZATION,
    KNOWN_COUNT
};

#define BIT(known) (1u << (known))

/* Of all others two would mean that two readers may choose differently. */
#define MAY_BE_REPEATED (BIT(CONNECTION) | BIT(EXPECT))

/* CGI and its kin can't tell these from the real ones. */
#define UNDERSCORED (BIT(UNDERSCORED_LENGTH) | BIT(UNDERSCORED_ENCODING))

/* Spelt as most do, which is compared faster. */
static const struct {
    const char *name;
    unsigned name_len;
} known_fields[KNOWN_COUNT] = {
    [HOST] = {"Host", 4},
    [RANGE] = {"Range", 5},
    [EXPECT] = {"Expect", 6},
    [ORIGIN] = {"Origin", 6},
    [IF_RANGE] = {"If-Range", 8},
    [CONNECTION] = {"Connection", 10},
    [CONTENT_TYPE] = {"Content-Type", 12},
    [MAX_FORWARDS] = {"Max-Forwards", 12},
    [AUTHORIZATION] = {"Authorization", 13},
    [CONTENT_RANGE] = {"Content-Range", 13},
    [CONTENT_LENGTH] = {"Content-Length", 14},
    [UNDERSCORED_LENGTH] = {"Content_Length", 14},
    [IF_MODIFIED_SINCE] = {"If-Modified-Since", 17},
    [TRANSFER_ENCODING] = {"Transfer-Encoding", 17},
    [UNDERSCORED_ENCODING] = {"Transfer_Encoding", 17},
    [IF_UNMODIFIED_SINCE] = {"If-Unmodified-Since", 19},
    [PROXY_AUTHORIZATION] = {"Proxy-Authorization", 19},
};

/* The first one of each length. Where there is none, it is one of another length. */
static const uint8_t known_by_length[] = {
    [4] = HOST,
    [5] = RANGE,
    [6] = EXPECT,
    [8] = IF_RANGE,
    [10] = CONNECTION,
    [12] = CONTENT_TYPE,
    [13] = AUTHORIZATION,
    [14] = CONTENT_LENGTH,
    [17] = IF_MODIFIED_SINCE,
    [19] = IF_UNMODIFIED_SINCE,
};

struct census {
    unsigned seen;                                /* a bit for each known one */
    unsigned repeated;                            /* those of which there are several */
    const struct http1_field *first[KNOWN_COUNT]; /* of those that were seen */
};

/* KNOWN_COUNT: it is not one of them. */
static unsigned identify(const struct http1_field *field)
{
    unsigned len = field->name_len;
    unsigned k = len < sizeof(known_by_length) ? known_by_length[len] : KNOWN_COUNT;

    for (; k < KNOWN_COUNT && known_fields[k].name_len == len; k++)
        if (ouro__http1_same_text(field->name, known_fields[k].name, len))
            return k;
    return KNOWN_COUNT;
}

static void take_census(const struct http1_head *head, struct census *census)
{
    const struct http1_field *end = head->fields + head->field_count;
    unsigned seen = 0, repeated = 0;

    for (const struct http1_field *field = head->fields; field < end; field++) {
        unsigned known = identify(field);

        if (known == KNOWN_COUNT)
            continue;
        if (seen & BIT(known))
            repeated |= BIT(known);
        else
            census->first[known] = field;
        seen |= BIT(known);
    }
    census->seen = seen;
    census->repeated = repeated;
}

/* NULL: there is none. */
static const struct http1_field *first_of(const struct census *census, enum known known)
{
    return census->seen & BIT(known) ? census->first[known] : NULL;
}

/* --- rules ------------------------------------------------------------------------------- */

static int refuse(struct http1_fault *fault, int status, const char *reason)
{
    fault->status = status;
    fault->reason = reason;
    return OURO_EHTTP;
}

static int check_duplicates(const struct census *census, struct http1_fault *fault)
{
    if (census->repeated & ~MAY_BE_REPEATED)
        return refuse(fault, 400, "a field that may occur only once is repeated");
    if (census->seen & UNDERSCORED)
        return refuse(fault, 400, "a framing field is written with an underscore");
    return 0;
}

/* Whether codings, each a token, lie below a final "chunked". "identity" is none, RFC 9112 §7. */
static bool has_codings_below(const char *list)
{
    bool final = false, below = false;
    const char *element;
    size_t len;

    while ((element = next_element(&list, &len))) {
        if (final || !ouro__http1_is_token(element, len) ||
            ouro__http1_name_equals(element, len, "identity"))
            return false;
        final = ouro__http1_name_equals(element, len, "chunked");
        below = below || !final;
    }
    return final && below;
}

/*
 * RFC 9112 §6.1. One coding, chunked, and nothing around it: what everybody
 * understands alike. A coding that is not ours gets 501, as the RFC wants it, but only
 * below chunked: else nobody knows where the body ends, and that is 400 (§6.3).
 */
static int check_transfer_encoding(const struct http1_head *head, const struct http1_field *field,
                                   struct http1_fault *fault)
{
    if (head->minor_version == 0)
        return refuse(fault, 400, "Transfer-Encoding in HTTP/1.0");
    if (ouro__http1_name_equals(field->value, field->value_len, "chunked"))
        return 0;
    if (has_codings_below(field->value))
        return refuse(fault, 501, "a transfer coding that is not supported");
    return refuse(fault, 400, "Transfer-Encoding is not \"chunked\"");
}

static int check_framing(struct http1_head *head, const struct census *census,
                         struct http1_fault *fault)
{
    const struct http1_field *encoding = first_of(census, TRANSFER_ENCODING);
    int code = 0;

    head->framing = HTTP1_NO_BODY;
    if (encoding) {
        code = check_transfer_encoding(head, encoding, fault);
        head->framing = HTTP1_CHUNKED;
    } else if (head->has_content_length) {
        if (head->content_length)
            head->framing = HTTP1_LENGTH;
    } else if (head->kind == HTTP1_RESPONSE) {
        head->framing = HTTP1_UNTIL_CLOSE;
    }
    return code;
}

/* Mostly it is one word. */
static bool connection_has(const struct http1_head *head, const struct census *census,
                           const char *token)
{
    const struct http1_field *field = census->first[CONNECTION];

    if (census->repeated & BIT(CONNECTION))
        return ouro__http1_head_has_token(head, "connection", token);
    return ouro__http1_name_equals(field->value, field->value_len, token) ||
           (memchr(field->value, ',', field->value_len) &&
            ouro__http1_list_has_token(field->value, token));
}

/* RFC 9112 §9.3 */
static void find_persistence(struct http1_head *head, const struct census *census)
{
    bool is_there = census->seen & BIT(CONNECTION);
    bool close = is_there && connection_has(head, census, "close");

    head->asks_keep_alive = is_there && !close && connection_has(head, census, "keep-alive");
    head->keep_alive = head->minor_version == 0 ? head->asks_keep_alive : !close;
}

/* --- requests ---------------------------------------------------------------------------- */

static void set_path(struct http1_head *head, const char *path, size_t len)
{
    const char *question = memchr(path, '?', len);

    head->path = path;
    head->path_len = question ? (size_t) (question - path) : len;
    head->query = question ? question + 1 : NULL;
}

static bool has_method(const struct http1_head *head, const char *method)
{
    return head->method_len == strlen(method) && !memcmp(head->method, method, head->method_len);
}

static int parse_absolute(struct http1_head *head)
{
    struct url url;
    int code = ouro__url_parse(head->target, head->target_len, &url);

    if (code)
        return code;
    head->form = HTTP1_ABSOLUTE;
    /* RFC 9112 §3.2.4: what a client says to a proxy in place of "*". */
    if (!url.target_len && has_method(head, "OPTIONS"))
        head->form = HTTP1_ASTERISK;
    head->authority = url.authority_text;
    head->authority_len = url.authority_len;
    set_path(head, url.target, url.target_len);
    return 0;
}

static int parse_connect(struct http1_head *head)
{
    struct url_authority authority;
    int code = ouro__url_parse_authority(head->target, head->target_len, &authority);

    if (code || authority.port <= 0)
        return OURO_EURL;
    head->form = HTTP1_AUTHORITY;
    head->authority = head->target;
    head->authority_len = head->target_len;
    return 0;
}

/* RFC 9112 §3.2 */
static int parse_target(struct http1_head *head)
{
    head->path = head->authority = "";
    head->path_len = head->authority_len = 0;
    head->query = NULL;
    if (has_method(head, "CONNECT"))
        return parse_connect(head);
    if (head->target[0] == '/') {
        head->form = HTTP1_ORIGIN;
        set_path(head, head->target, head->target_len);
        return 0;
    }
    if (strcmp(head->target, "*") != 0)
        return parse_absolute(head);
    head->form = HTTP1_ASTERISK;
    return has_method(head, "OPTIONS") ? 0 : OURO_EURL;
}

/* The same origin: names in any case, and a missing port is the scheme's. */
static bool same_authority(const struct url_authority *a, const struct url_authority *b,
                           int default_port)
{
    return a->host_len == b->host_len &&
           (a->port < 0 ? default_port : a->port) == (b->port < 0 ? default_port : b->port) &&
           ouro__http1_same_text(a->host, b->host, a->host_len);
}

static bool is_known_host(const struct http1_host *known, const struct http1_field *host)
{
    return host->value_len == known->len && memcmp(known->text, host->value, known->len) == 0;
}

static void remember_host(struct http1_host *known, const struct http1_field *host)
{
    if (host->value_len > sizeof(known->text))
        return;
    known->len = host->value_len;
    memcpy(known->text, host->value, known->len);
}

/* Host against the target's own authority. */
static int compare_hosts(const struct http1_head *head, const struct http1_field *host,
                         struct http1_fault *fault)
{
    struct url_authority from_host, from_target;
    int default_port = head->form == HTTP1_AUTHORITY ? -1 : 80;

    if (host->value_len && ouro__url_parse_authority(host->value, host->value_len, &from_host))
        return refuse(fault, 400, "Host is not valid");
    if (ouro__url_parse_authority(head->authority, head->authority_len, &from_target))
        return refuse(fault, 400, "the request target is not valid");
    if (!host->value_len || !same_authority(&from_host, &from_target, default_port))
        return refuse(fault, 400, "Host and the request target disagree");
    return 0;
}

/* RFC 9112 §3.2 and RFC 9110 §7.2 */
static int check_host(struct http1_head *head, const struct http1_field *host,
                      struct http1_host *known, struct http1_fault *fault)
{
    struct url_authority authority;

    if (!host)
        return head->minor_version == 0 ? 0 : refuse(fault, 400, "Host is missing");
    if (head->authority_len)
        return compare_hosts(head, host, fault);
    if (!is_known_host(known, host)) {
        if (host->value_len && ouro__url_parse_authority(host->value, host->value_len, &authority))
            return refuse(fault, 400, "Host is not valid");
        remember_host(known, host);
    }
    head->authority = host->value;
    head->authority_len = host->value_len;
    return 0;
}

/* RFC 9110 §10.1.1; a 1.0 client gets no 100, so its expectation does not count. */
static void find_expectation(struct http1_head *head, const struct census *census)
{
    const struct http1_field *field = first_of(census, EXPECT);

    head->expects_continue = head->expects_unknown = false;
    if (!field || head->minor_version == 0)
        return;
    if (!(census->repeated & BIT(EXPECT)) &&
        ouro__http1_name_equals(field->value, field->value_len, "100-continue"))
        head->expects_continue = true;
    else
        head->expects_unknown = true;
}

static int check_request(struct http1_head *head, const struct census *census,
                         struct http1_host *known_host, struct http1_fault *fault)
{
    int code;

    if (parse_target(head))
        return refuse(fault, 400, "the request target is not valid");
    code = check_host(head, first_of(census, HOST), known_host, fault);
    if (code)
        return code;
    if (head->form == HTTP1_AUTHORITY && head->framing != HTTP1_NO_BODY)
        return refuse(fault, 400, "CONNECT with a body");
    /* What follows may be for the other side already, and then it is no request to us. */
    if (head->form == HTTP1_AUTHORITY)
        head->keep_alive = false;
    find_expectation(head, census);
    return 0;
}

/* --- responses --------------------------------------------------------------------------- */

/* RFC 9112 §6.3, rules 1 and 2 */
static void check_response(struct http1_head *head, bool without_body)
{
    if (without_body || head->status < 200 || head->status == 204 || head->status == 304)
        head->framing = HTTP1_NO_BODY;
    if (head->framing == HTTP1_UNTIL_CLOSE)
        head->keep_alive = false;
}

int ouro__http1_head_check(struct http1_head *head, bool without_body,
                           struct http1_host *known_host, struct http1_fault *ret_fault)
{
    struct census census;
    int code;

    take_census(head, &census);
    code = check_duplicates(&census, ret_fault);
    if (!code)
        code = check_framing(head, &census, ret_fault);
    if (code)
        return code;
    find_persistence(head, &census);
    if (head->kind == HTTP1_REQUEST)
        return check_request(head, &census, known_host, ret_fault);
    check_response(head, without_body);
    return 0;
}

static bool has_prefix(const struct http1_field *field, const char *prefix)
{
    size_t len = strlen(prefix);

    return field->name_len >= len && ouro__http1_same_text(field->name, prefix, len);
}

bool ouro__http1_trailer_is_forbidden(const struct http1_field *field)
{
    static const char *const prefixes[] = {"content-", "if-", "proxy-", "x-forwarded-"};
    static const char *const names[] = {
        "authorization",
        "cache-control",
        "connection",
        "content_length",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "max-forwards",
        "origin",
        "range",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "transfer_encoding",
        "upgrade",
        "www-authenticate",
    };

    /* RFC 9530: the one field about the content that is known only behind it. */
    if (ouro__http1_name_equals(field->name, field->name_len, "content-digest"))
        return false;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (has_prefix(field, prefixes[i]))
            return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (ouro__http1_name_equals(field->name, field->name_len, names[i]))
            return true;
    return false;
}
