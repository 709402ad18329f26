/* SPDX-License-Identifier: MIT */
/* error.c - names for codes */
#include <string.h>

#include "check.h"
#include "ouro_base.h"

/* Indexed by the distance below -4097; the order is enum ouro_error's. */
static const char *const own_texts[] = {
    "The stream or channel has ended",
    "A size limit was reached",
    "No such host",
    "The name servers gave no usable answer",
    "Not a valid address",
    "Not a valid URL",
    "Not a valid HTTP message",
    "No such ring",
    "All tasks sleep and nothing can wake one",
    "TLS failed",
    "The peer's certificate is not valid",
};

const char *ouro_strerror(int64_t code)
{
    const char *text;

    if (code >= 0)
        return "Success";
    if (code <= OURO_EEOF && code > OURO_EEOF - (int64_t) COUNT_OF(own_texts))
        return own_texts[OURO_EEOF - code];
    text = code > OURO_EEOF ? strerrordesc_np((int) -code) : NULL;
    return text ? text : "Unknown error";
}
