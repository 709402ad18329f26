/* SPDX-License-Identifier: MIT */
/*
 * tls_context.h - what TLS streams need to know of their context
 *
 * Only tls.c and tls_context.c include this, as only they include OpenSSL.
 */
#ifndef OURO_TLS_CONTEXT_H
#define OURO_TLS_CONTEXT_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "ouro_tls.h"

struct ouro_tls_context {
    atomic_uint users; /* its creator and its streams, of any thread */
    SSL_CTX *ssl_context;
    BIO_METHOD *bio_method; /* set by tls.c's function below */
    enum ouro_tls_clients clients;
    bool insecure;
    unsigned char *alpn; /* as on the wire: each name after its length; NULL: none */
    unsigned alpn_len;
};

void ouro__tls_context_ref(struct ouro_tls_context *context);
void ouro__tls_context_unref(struct ouro_tls_context *context);

/* How OpenSSL gets at a stream's bytes; NULL: no memory. */
BIO_METHOD *ouro__tls_bio_method_create(void);

/* Empties OpenSSL's error queue, of which `error` is one: as a code and (ret_text) in words. */
int ouro__tls_take_error(unsigned long error, const char **ret_text);

#endif /* OURO_TLS_CONTEXT_H */
