/* SPDX-License-Identifier: MIT */
/*
 * parameter.h - the parameters behind a value: "; charset=utf-8; q=0.5"
 */
#ifndef OURO_PARAMETER_H
#define OURO_PARAMETER_H

#include <stdbool.h>
#include <stddef.h>

/* Slices of the text. */
struct parameter {
    const char *name; /* a token; its case doesn't count */
    size_t name_len;
    const char *value; /* a token, or what is between the quotes, backslashes as they are */
    size_t value_len;
    bool quoted;
};

/*
 * Takes the next parameter off `*text`, RFC 9110 §5.6.6: *( OWS ";" OWS [ parameter ] ).
 *
 * Returns 1; 0 when there are no more, with `*text` at what follows the parameters and the
 * blanks behind them, or at `end`; OURO_EHTTP for one that is not valid.
 */
int ouro__parameter_next(const char **text, const char *end, struct parameter *ret_parameter);

/* Where the blanks at `text` end. */
const char *ouro__parameter_skip_blanks(const char *text, const char *end);

/* Where the token at `text` ends: at `text`, if there is none. */
const char *ouro__parameter_skip_token(const char *text, const char *end);

#endif /* OURO_PARAMETER_H */
