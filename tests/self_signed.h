/* SPDX-License-Identifier: MIT */
/*
 * self_signed.h - a certificate for tests that need one, whoever signed it
 */
#ifndef OURO_TEST_SELF_SIGNED_H
#define OURO_TEST_SELF_SIGNED_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "ouro_tls.h"
#include "test.h"

struct self_signed {
    char certificate_pem[4096];
    char key_pem[4096];
};

static inline void self_signed_keep(BIO *bio, char *text, size_t text_bytes)
{
    int len = BIO_read(bio, text, (int) text_bytes - 1);

    CU_ASSERT(len > 0);
    text[len > 0 ? len : 0] = '\0';
    BIO_free(bio);
}

static inline void self_signed_make(struct self_signed *self)
{
    X509 *certificate = X509_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    BIO *bio = BIO_new(BIO_s_mem());

    (void) X509_set_version(certificate, X509_VERSION_3);
    (void) ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    (void) X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
    (void) X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    (void) X509_set_pubkey(certificate, key);
    CU_ASSERT(X509_sign(certificate, key, EVP_sha256()) > 0);
    CU_ASSERT_EQUAL(PEM_write_bio_X509(bio, certificate), 1);
    self_signed_keep(bio, self->certificate_pem, sizeof(self->certificate_pem));
    bio = BIO_new(BIO_s_mem());
    CU_ASSERT_EQUAL(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    self_signed_keep(bio, self->key_pem, sizeof(self->key_pem));
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* A context for both ends; the client believes everybody. */
static inline int self_signed_context(const struct self_signed *self,
                                      struct ouro_tls_context **ret_context)
{
    struct ouro_tls_options options = {
        .certificate_pem = self->certificate_pem, .key_pem = self->key_pem, .insecure = true};

    return ouro_tls_context_create(&options, ret_context, NULL);
}

#endif /* OURO_TEST_SELF_SIGNED_H */
