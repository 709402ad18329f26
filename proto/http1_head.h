/* SPDX-License-Identifier: MIT */
/*
 * http1_head.h - a parsed HTTP/1.x head, and the rules that only a whole head can break
 *
 * A head keeps its fields in the order, the case and the number in which they came.
 * Texts are NUL-terminated and point into the memory that the parser was given.
 */
#ifndef OURO_HTTP1_HEAD_H
#define OURO_HTTP1_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "char_class.h"
#include "url.h"

struct http1_field {
    const char *name;
    const char *value; /* without the blanks around it; may be empty */
    uint32_t name_len;
    uint32_t value_len;
};

enum http1_kind { HTTP1_REQUEST, HTTP1_RESPONSE };

/* How the end of the body is known, RFC 9112 §6.3. */
enum http1_framing {
    HTTP1_NO_BODY,
    HTTP1_LENGTH, /* content_length bytes, at least one */
    HTTP1_CHUNKED,
    HTTP1_UNTIL_CLOSE /* responses only */
};

/* The four forms of a request target, RFC 9112 §3.2. */
enum http1_target_form { HTTP1_ORIGIN, HTTP1_ABSOLUTE, HTTP1_AUTHORITY, HTTP1_ASTERISK };

struct http1_head {
    enum http1_kind kind;
    int minor_version; /* 0 or 1 */

    /* requests */
    const char *method;
    size_t method_len;
    const char *target; /* as received */
    size_t target_len;
    enum http1_target_form form;
    const char *path;      /* points into target; "" when that has none */
    size_t path_len;       /* without the query */
    const char *query;     /* after the '?'; NULL: none */
    const char *authority; /* the target's, else the Host field's; may be "" */
    size_t authority_len;
    bool expects_continue; /* RFC 9110 §10.1.1 */
    bool expects_unknown;  /* an expectation that is not ours to meet: 417 */

    /* responses */
    int status;
    const char *reason; /* may be empty */

    struct http1_field *fields;
    unsigned field_count;
    unsigned trailer_count; /* they follow the fields, and are kept apart from them */

    enum http1_framing framing;
    uint64_t content_length;
    bool has_content_length; /* also where there is no body: the answer to HEAD */
    bool keep_alive;         /* the sender would keep the connection */
    bool asks_keep_alive;    /* and says so in a field Connection */
};

/* The last Host that was found to be valid: on one connection they are mostly the same. */
struct http1_host {
    size_t len; /* 0: none yet */
    char text[64];
};

/* Why a message is refused, and how a server says so. */
struct http1_fault {
    int status;
    const char *reason; /* a constant */
};

/*
 * The first field of that name (any case) at `start` or behind, or NULL. For the
 * next one pass the index after it.
 */
const struct http1_field *ouro__http1_head_find(const struct http1_head *head, const char *name,
                                                unsigned start);

/*
 * Whether one of the fields called `name`, each a comma-separated list (RFC 9110
 * §5.6.1), has the element `token`, in any case.
 */
bool ouro__http1_head_has_token(const struct http1_head *head, const char *name, const char *token);

/* The same for one list. */
bool ouro__http1_list_has_token(const char *list, const char *token);

/* Case-insensitive, in ASCII only. */
bool ouro__http1_name_equals(const char *a, size_t a_len, const char *b);
bool ouro__http1_same_text(const char *a, const char *b, size_t len);

static inline bool ouro__http1_is_token_char(unsigned char c)
{
    return char_is((char) c, CHAR_TOKEN);
}

/* RFC 9110 §5.6.2: not empty, and nothing but token characters. */
bool ouro__http1_is_token(const char *text, size_t len);

/*
 * Checks the rules that llhttp leaves to its user, and fills in what they establish:
 * everything behind the start line and the fields. has_content_length and
 * content_length are llhttp's findings. `without_body`: a response that has none
 * whatever its fields say, being the answer to a HEAD or to a CONNECT that succeeded.
 * `known_host` is for the next head as this one leaves it.
 *
 * Returns 0, or OURO_EHTTP with the reason.
 */
int ouro__http1_head_check(struct http1_head *head, bool without_body,
                           struct http1_host *known_host, struct http1_fault *ret_fault);

/* Whether a trailer of this name may not be there, RFC 9110 §6.5.1: framing, routing, auth, … */
bool ouro__http1_trailer_is_forbidden(const struct http1_field *field);

#endif /* OURO_HTTP1_HEAD_H */
