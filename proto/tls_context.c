/* SPDX-License-Identifier: MIT */
/*
 * tls_context.c - what connections have in common: certificates, trust, versions, ALPN
 *
 * A context is complete when it has been created, and nothing writes to it afterwards: OpenSSL
 * allows threads to share such an SSL_CTX. Its other state that is global to the process, the
 * error queue of the thread, is empty whenever a function of ours returns.
 *
 * Files and text go the same way: both become a BIO that PEM is read from.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tls_context.h"

int ouro__tls_take_error(unsigned long error, const char **ret_text)
{
    const char *text = ERR_reason_error_string(error);
    int code = OURO_ETLS;

    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(error))
        code = -ERR_GET_REASON(error);
    else if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
        code = -ENOMEM;
    *ret_text = text ? text : ouro_strerror(code);
    return code;
}

/* Fails with the first thing that OpenSSL says about `what`: the others follow from it. */
static int fail(struct ouro_tls_hint *hint, const char *what)
{
    const char *text;
    int code = ouro__tls_take_error(ERR_peek_error(), &text);

    (void) snprintf(hint->text, sizeof(hint->text), "%s: %s", what, text);
    return code;
}

static int refuse(struct ouro_tls_hint *hint, const char *why)
{
    (void) snprintf(hint->text, sizeof(hint->text), "%s", why);
    return -EINVAL;
}

/* --- the own certificate ----------------------------------------------------------------- */

/* Otherwise OpenSSL would ask the terminal for the password. */
static int no_password(char *buf, int size, int writing, void *arg)
{
    (void) buf, (void) size, (void) writing, (void) arg;
    return -1;
}

static BIO *open_pem(const char *file, const char *text)
{
    return file ? BIO_new_file(file, "r") : BIO_new_mem_buf(text, -1);
}

/* The next certificate; NULL at the end, or for an error, which remains in the queue. */
static X509 *next_certificate(BIO *pem)
{
    X509 *certificate = PEM_read_bio_X509(pem, NULL, no_password, NULL);

    if (!certificate && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
        ERR_clear_error();
    return certificate;
}

static bool use_chain(SSL_CTX *ssl_context, BIO *pem)
{
    X509 *certificate = PEM_read_bio_X509(pem, NULL, no_password, NULL);
    bool is_good = certificate && SSL_CTX_use_certificate(ssl_context, certificate) == 1;

    X509_free(certificate);
    while (is_good && (certificate = next_certificate(pem))) {
        is_good = SSL_CTX_add1_chain_cert(ssl_context, certificate) == 1;
        X509_free(certificate);
    }
    return is_good && !ERR_peek_error();
}

static bool use_key(SSL_CTX *ssl_context, BIO *pem)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, no_password, NULL);
    bool is_good = key && SSL_CTX_use_PrivateKey(ssl_context, key) == 1;

    EVP_PKEY_free(key);
    return is_good;
}

/* --- trust ------------------------------------------------------------------------------- */

static bool trust_all_in(SSL_CTX *ssl_context, BIO *pem)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ssl_context);
    X509 *certificate = PEM_read_bio_X509(pem, NULL, no_password, NULL);
    bool is_good = certificate != NULL;

    for (; is_good && certificate; certificate = next_certificate(pem)) {
        is_good = X509_STORE_add_cert(store, certificate) == 1;
        X509_free(certificate);
    }
    return is_good && !ERR_peek_error();
}

/* --- PEM, wherever it is ------------------------------------------------------------------- */

static int load(SSL_CTX *ssl_context, bool (*use)(SSL_CTX *, BIO *), const char *file,
                const char *text, const char *what, struct ouro_tls_hint *hint)
{
    BIO *pem;
    int code = 0;

    if (!file && !text)
        return 0;
    ERR_clear_error();
    pem = open_pem(file, text);
    if (!pem || !use(ssl_context, pem))
        code = fail(hint, file ? file : what);
    BIO_free(pem);
    return code;
}

static int load_identity(SSL_CTX *ssl_context, const struct ouro_tls_options *options,
                         struct ouro_tls_hint *hint)
{
    int code = load(ssl_context, use_chain, options->certificate_file, options->certificate_pem,
                    "certificate_pem", hint);

    return code ? code
                : load(ssl_context, use_key, options->key_file, options->key_pem, "key_pem", hint);
}

/* OpenSSL looks into it when it verifies a peer, and takes one that is not there to be empty. */
static int load_dir(SSL_CTX *ssl_context, const char *path, struct ouro_tls_hint *hint)
{
    DIR *dir = opendir(path);

    if (!dir) {
        int code = -errno;

        (void) snprintf(hint->text, sizeof(hint->text), "%s: %s", path, ouro_strerror(code));
        return code;
    }
    (void) closedir(dir);
    return SSL_CTX_load_verify_dir(ssl_context, path) == 1 ? 0 : fail(hint, path);
}

static int load_trust(SSL_CTX *ssl_context, const struct ouro_tls_options *options,
                      struct ouro_tls_hint *hint)
{
    int code = load(ssl_context, trust_all_in, options->ca_file, NULL, NULL, hint);

    if (!code)
        code = load(ssl_context, trust_all_in, NULL, options->ca_pem, "ca_pem", hint);
    if (code)
        return code;
    ERR_clear_error();
    if (options->ca_dir) {
        code = load_dir(ssl_context, options->ca_dir, hint);
        if (code)
            return code;
    }
    if (!options->ca_file && !options->ca_pem && !options->ca_dir && !options->insecure &&
        SSL_CTX_set_default_verify_paths(ssl_context) != 1)
        return fail(hint, "the system's trust store");
    return 0;
}

/* --- ALPN -------------------------------------------------------------------------------- */

/* "h2,http/1.1" becomes 2 h 2 8 h t t p / 1 . 1: of the same length, plus one. */
static int encode_alpn(struct ouro_tls_context *self, const char *names)
{
    size_t len = strlen(names), name_len;
    unsigned char *to = malloc(len + 1);

    if (!to)
        return -ENOMEM;
    self->alpn = to;
    self->alpn_len = (unsigned) len + 1;
    for (;; names += name_len + 1) {
        name_len = strcspn(names, ",");
        if (name_len < 1 || name_len > 255)
            return -EINVAL;
        *to++ = (unsigned char) name_len;
        memcpy(to, names, name_len);
        to += name_len;
        if (!names[name_len])
            return 0;
    }
}

/* RFC 7301 §3.2: the server's order decides; nothing in common is a fatal alert. */
static int select_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
                       const unsigned char *offered, unsigned offered_len, void *arg)
{
    const struct ouro_tls_context *self = arg;
    unsigned char *name;

    (void) ssl;
    if (SSL_select_next_proto(&name, ret_len, self->alpn, self->alpn_len, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_name = name;
    return SSL_TLSEXT_ERR_OK;
}

static int set_alpn(struct ouro_tls_context *self, const char *names, struct ouro_tls_hint *hint)
{
    int code = strlen(names) > 65535 ? -EINVAL : encode_alpn(self, names);

    if (code)
        return code == -EINVAL ? refuse(hint, "alpn: a name has 1 to 255 bytes") : code;
    SSL_CTX_set_alpn_select_cb(self->ssl_context, select_alpn, self);
    /* Of all calls of OpenSSL this one returns 0 for success. */
    return SSL_CTX_set_alpn_protos(self->ssl_context, self->alpn, self->alpn_len) ? -ENOMEM : 0;
}

/* --- versions and the rest ----------------------------------------------------------------- */

static int protocol_of(enum ouro_tls_version version, int otherwise)
{
    switch (version) {
    case OURO_TLS_ANY:
        return otherwise;
    case OURO_TLS_1_2:
        return TLS1_2_VERSION;
    case OURO_TLS_1_3:
        return TLS1_3_VERSION;
    }
    return -1;
}

static int set_versions(SSL_CTX *ssl_context, const struct ouro_tls_options *options,
                        struct ouro_tls_hint *hint)
{
    int min = protocol_of(options->version_min, TLS1_2_VERSION);
    int max = protocol_of(options->version_max, 0);

    if (min < 0 || max < 0 || (max && min > max) ||
        SSL_CTX_set_min_proto_version(ssl_context, min) != 1 ||
        SSL_CTX_set_max_proto_version(ssl_context, max) != 1)
        return refuse(hint, "version_min, version_max: no such range of versions");
    return 0;
}

/*
 * Tickets need no memory of the server; its cache of sessions would keep thousands. An idle
 * connection holds no buffers. Renegotiation would make a write wait for a read.
 */
static void set_modes(SSL_CTX *ssl_context)
{
    static const unsigned char id[] = "ouro";

    (void) SSL_CTX_set_session_cache_mode(ssl_context, SSL_SESS_CACHE_OFF);
    /* Without any, a resumed session of a client with a certificate is an error. */
    (void) SSL_CTX_set_session_id_context(ssl_context, id, sizeof(id) - 1);
    (void) SSL_CTX_set_mode(ssl_context, SSL_MODE_RELEASE_BUFFERS);
    (void) SSL_CTX_set_options(ssl_context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
}

/* --- contexts ---------------------------------------------------------------------------- */

static int check_options(const struct ouro_tls_options *options, struct ouro_tls_hint *hint)
{
    bool has_certificate = options->certificate_file || options->certificate_pem;
    bool has_key = options->key_file || options->key_pem;

    if ((options->certificate_file && options->certificate_pem) ||
        (options->key_file && options->key_pem))
        return refuse(hint, "a certificate or key is either a file or text");
    if (has_certificate != has_key)
        return refuse(hint, "a certificate and its key belong together");
    if ((unsigned) options->clients > OURO_TLS_CLIENTS_MUST)
        return refuse(hint, "clients: no such value");
    if (options->clients && !options->ca_file && !options->ca_pem && !options->ca_dir)
        return refuse(hint, "clients: verifying them needs a ca_file, ca_pem or ca_dir");
    return 0;
}

static int set_up(struct ouro_tls_context *self, const struct ouro_tls_options *options,
                  struct ouro_tls_hint *hint)
{
    int code;

    self->ssl_context = SSL_CTX_new(TLS_method());
    self->bio_method = ouro__tls_bio_method_create();
    if (!self->ssl_context || !self->bio_method)
        return fail(hint, "OpenSSL");
    self->clients = options->clients;
    self->insecure = options->insecure;
    set_modes(self->ssl_context);
    code = set_versions(self->ssl_context, options, hint);
    if (!code)
        code = load_identity(self->ssl_context, options, hint);
    if (!code)
        code = load_trust(self->ssl_context, options, hint);
    if (!code && options->alpn)
        code = set_alpn(self, options->alpn, hint);
    return code;
}

int ouro_tls_context_create(const struct ouro_tls_options *options,
                            struct ouro_tls_context **ret_context, struct ouro_tls_hint *ret_hint)
{
    static const struct ouro_tls_options defaults;
    struct ouro_tls_hint hint = {""};
    struct ouro_tls_context *made;
    int code;

    options = options ? options : &defaults;
    code = check_options(options, &hint);
    if (code)
        goto failed;
    code = -ENOMEM;
    made = calloc(1, sizeof(*made));
    if (!made)
        goto failed;
    atomic_init(&made->users, 1);
    ERR_clear_error();
    code = set_up(made, options, &hint);
    if (!code) {
        *ret_context = made;
        return 0;
    }
    ouro__tls_context_unref(made);

failed:
    if (!hint.text[0])
        (void) snprintf(hint.text, sizeof(hint.text), "%s", ouro_strerror(code));
    if (ret_hint)
        *ret_hint = hint;
    return code;
}

void ouro_tls_context_destroy(struct ouro_tls_context *context)
{
    if (context)
        ouro__tls_context_unref(context);
}

void ouro__tls_context_ref(struct ouro_tls_context *context)
{
    (void) atomic_fetch_add_explicit(&context->users, 1, memory_order_relaxed);
}

void ouro__tls_context_unref(struct ouro_tls_context *context)
{
    if (atomic_fetch_sub_explicit(&context->users, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(context->ssl_context);
    BIO_meth_free(context->bio_method);
    free(context->alpn);
    free(context);
}
