/* SPDX-License-Identifier: MIT */
/*
 * form.h - application/x-www-form-urlencoded, as in queries and bodies of forms
 *
 *     ouro__form_init(&reader, query, len, buf);
 *     while ((code = ouro__form_next(&reader, &name, &name_len, &value, &value_len)) > 0)
 *         ...
 *
 * The form of WHATWG's URL standard, but strict: what that standard repairs is refused.
 */
#ifndef OURO_FORM_H
#define OURO_FORM_H

#include <stddef.h>

struct form_reader {
    const char *at; /* the rest of the text */
    const char *end;
    char *buf; /* the rest of the caller's buffer */
    int error;
};

/*
 * `buf` takes the decoded texts of all pairs: `len` + 1 bytes, and never more. It may be
 * `text` itself, which is lost then.
 */
void ouro__form_init(struct form_reader *reader, const char *text, size_t len, char *buf);

/*
 * The next pair, decoded: '+' is a blank, "a" is "a=", and pairs of no characters are
 * passed over. Texts are well-formed UTF-8 and NUL-terminated, have no other NUL, may have
 * other control characters (a text area has line ends), and stay in the buffer.
 *
 * Returns 1; 0 at the end; then and ever after OURO_EURL for a broken escape, a NUL, or what
 * is not UTF-8.
 */
int ouro__form_next(struct form_reader *reader, const char **ret_name, size_t *ret_name_len,
                    const char **ret_value, size_t *ret_value_len);

#endif /* OURO_FORM_H */
