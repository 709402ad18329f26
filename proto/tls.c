/* SPDX-License-Identifier: MIT */
/*
 * tls.c - a stream that encrypts: OpenSSL between two buffers; see ouro_tls.h
 *
 * OpenSSL never waits here. It reads what is in the buffer of the stream below, and writes to
 * a buffer of ours:
 *
 *     ouro_stream_read  ◀── SSL_read  ◀── read buffer of `below` ◀── `below`, by the reading task
 *     ouro_stream_write ──▶ SSL_write ──▶ out                    ──▶ `below`, by the writing task
 *
 * So each call of OpenSSL runs to its end before another task can make one, although an SSL
 * is a single state machine that two tasks use: there is nothing to lock. What OpenSSL wants to
 * say while it reads (an alert, the answer to a key update) is left in `out` for the next
 * write, shutdown_write or close: RFC 8446 §4.6.3 wants that answer before the next data and
 * not earlier. The reading task itself never sends. If it did, it could wait for a peer that
 * waits for it to read; and interrupting it would tear the outgoing stream.
 *
 * The writing task, however, may have to receive. A message of the handshake that follows it, a
 * session ticket as a rule, may span records (RFC 8446 §5.1), and once OpenSSL has seen its
 * beginning it says nothing before it has seen its end. Who comes second to wait for bytes then
 * waits for the first, because only one task may read `below`.
 *
 * Invariants
 *   - `out` is written only inside a call of OpenSSL, and the writing task takes all of it
 *     before it suspends: at any suspension it holds only what reading has produced since.
 *   - Once bytes that were taken did not all go out, nothing is sent any more (is_torn): the
 *     peer could not make sense of it.
 *   - A failure of the protocol is final (`failed`): so OpenSSL wants it.
 *
 * Next: tls_context.c, for what connections have in common.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "ouro_sync.h"
#include "ouro_task.h"
#include "ouro_timer.h"

#include "tls_context.h"

/* Encrypted in one go and sent by one call: four full records. */
#define WRITE_BYTES ((size_t) 64 * 1024)

/* How much a peer may make us want to say while we don't write. An honest one needs 50 bytes. */
#define UNSENT_BYTES_MAX 4096

/* How long a last message may wait for a peer that does not read. */
#define LAST_WORDS_NS OURO_SECOND

#define HOST_MAX 255

struct tls_stream {
    struct ouro_stream stream;
    struct ouro_stream *below;
    struct ouro_tls_context *context;
    SSL *ssl;
    char *out; /* encrypted and not sent */
    size_t out_len;
    size_t out_size;
    int failed; /* the protocol did, with this code; 0: no */
    bool is_open;
    bool is_torn;
    bool is_write_shut;
    bool is_receiving;           /* a task waits for bytes from below */
    struct ouro_event has_ended; /* it does not any more; for another one that wants some */
    char *alpn;
    struct ouro_tls_hint hint;
};

/* --- between OpenSSL and the buffers ------------------------------------------------------- */

static int bio_read(BIO *bio, char *buf, int len)
{
    struct tls_stream *self = BIO_get_data(bio);
    const char *data;
    ssize_t buffered = ouro_stream_peek(self->below, 0, &data);

    BIO_clear_retry_flags(bio);
    if (buffered <= 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (buffered < len)
        len = (int) buffered;
    memcpy(buf, data, (size_t) len);
    ouro_stream_consume(self->below, (size_t) len);
    return len;
}

static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls_stream *self = BIO_get_data(bio);
    size_t size = self->out_len + (size_t) len;
    char *out = self->out;

    BIO_clear_retry_flags(bio);
    if (size > self->out_size) {
        if (size < 2 * self->out_size)
            size = 2 * self->out_size;
        out = realloc(out, size);
        if (!out) {
            ERR_raise(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE);
            return -1;
        }
        self->out = out;
        self->out_size = size;
    }
    memcpy(out + self->out_len, data, (size_t) len);
    self->out_len += (size_t) len;
    return len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void) bio, (void) number, (void) pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *ouro__tls_bio_method_create(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "ouro_stream");

    if (!method)
        return NULL;
    (void) BIO_meth_set_read(method, bio_read);
    (void) BIO_meth_set_write(method, bio_write);
    (void) BIO_meth_set_ctrl(method, bio_ctrl);
    return method;
}

/* --- calling OpenSSL ----------------------------------------------------------------------- */

/* The error queue is the thread's, and other tasks leave things there too. */
static void enter_openssl(void)
{
    ERR_clear_error();
    ouro_no_suspend_begin();
}

/* Returns an SSL_ERROR_*. */
static int leave_openssl(const struct tls_stream *self, int result)
{
    ouro_no_suspend_end();
    return SSL_get_error(self->ssl, result);
}

static void set_hint(struct tls_stream *self, const char *text)
{
    (void) snprintf(self->hint.text, sizeof(self->hint.text), "%s", text);
}

/*
 * Why a call failed: the first thing in the queue that comes from OpenSSL's TLS code. Those before
 * it are of the ciphers below; since 3.2 there may be one behind it, which says little.
 */
static unsigned long take_cause(void)
{
    unsigned long cause = ERR_peek_last_error();
    unsigned long error;

    while ((error = ERR_get_error()))
        if (ERR_GET_LIB(error) == ERR_LIB_SSL)
            return error;
    return cause;
}

static int fail(struct tls_stream *self)
{
    unsigned long error = take_cause();
    int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
    const char *text;
    int code = ouro__tls_take_error(error, &text);

    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        code = OURO_ECERTIFICATE;
        text = X509_verify_cert_error_string(SSL_get_verify_result(self->ssl));
    } else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        code = OURO_ECERTIFICATE;
    }
    set_hint(self, text);
    self->failed = code;
    return code;
}

static int fail_with(struct tls_stream *self, const char *text)
{
    set_hint(self, text);
    self->failed = OURO_ETLS;
    return OURO_ETLS;
}

/* --- waiting for bytes --------------------------------------------------------------------- */

static int receive(struct tls_stream *self)
{
    const char *data;
    ssize_t result = ouro_stream_peek(self->below, 1, &data);

    if (result < 0)
        return (int) result;
    if (result == 0) {
        set_hint(self, self->is_open ? "the connection ended without close_notify"
                                     : "the peer ended the connection during the handshake");
        return OURO_EEOF;
    }
    return 0;
}

/*
 * OpenSSL has used up what was buffered below: waits until there may be more. Returns 0, also when
 * another task has taken what came or failed: OpenSSL is asked again. Or an error.
 */
static int wait_for_bytes(struct tls_stream *self)
{
    int code;

    if (self->is_receiving) {
        ouro_event_clear(&self->has_ended);
        return ouro_event_wait(&self->has_ended);
    }
    self->is_receiving = true;
    code = receive(self);
    self->is_receiving = false;
    ouro_event_set(&self->has_ended);
    return code;
}

/* --- sending ----------------------------------------------------------------------------- */

/* Sends what there is, and what comes into being meanwhile. */
static int flush(struct tls_stream *self)
{
    while (self->out_len && !self->is_torn) {
        char *out = self->out;
        size_t len = self->out_len;
        int code;

        self->is_torn = true; /* until all of it went out */
        self->out = NULL;
        self->out_len = self->out_size = 0;
        code = ouro_stream_write_all(self->below, out, len);
        free(out);
        if (code)
            return code;
        self->is_torn = false;
    }
    return 0;
}

static int check_writable(const struct tls_stream *self)
{
    if (self->failed)
        return self->failed;
    return self->is_torn || self->is_write_shut ? -EPIPE : 0;
}

/*
 * Returns 0 when OpenSSL can say what it is told to say: not in the middle of a message from the
 * peer. What it answers to that is sent first, lest both sides wait.
 */
static int get_ready(struct tls_stream *self)
{
    int code;

    while (!(code = check_writable(self)) && SSL_in_init(self->ssl)) {
        int error;

        enter_openssl();
        error = leave_openssl(self, SSL_do_handshake(self->ssl));
        if (error == SSL_ERROR_NONE)
            continue;
        if (error != SSL_ERROR_WANT_READ)
            return fail(self);
        code = flush(self);
        if (!code)
            code = wait_for_bytes(self);
        if (code)
            return code;
    }
    return code;
}

static int say_close_notify(struct tls_stream *self)
{
    int result, error;

    self->is_write_shut = true;
    enter_openssl();
    result = SSL_shutdown(self->ssl);
    error = leave_openssl(self, result);
    return result >= 0 ? 0 : error == SSL_ERROR_SSL ? fail(self) : OURO_ETLS;
}

/* An alert or a close_notify: whether it arrives is nobody's business any more. */
static void say_last_words(struct tls_stream *self, bool is_goodbye)
{
    struct ouro_shield shield;
    struct ouro_timeout limit;

    ouro_shield_begin(&shield, LAST_WORDS_NS);
    ouro_timeout_begin(&limit, LAST_WORDS_NS);
    if (is_goodbye && !get_ready(self))
        (void) say_close_notify(self);
    (void) flush(self);
    (void) ouro_timeout_end(&limit);
    ouro_shield_end(&shield);
}

/* --- receiving --------------------------------------------------------------------------- */

/*
 * In TLS 1.2 reading makes OpenSSL talk only to refuse a renegotiation. We end the connection,
 * since the peer may wait for ever; and so we do when it wants ever more answers.
 */
static int check_unsent(struct tls_stream *self)
{
    if (!self->out_len)
        return 0;
    if (SSL_version(self->ssl) < TLS1_3_VERSION)
        return fail_with(self, "the peer wants to renegotiate");
    if (self->out_len > UNSENT_BYTES_MAX)
        return fail_with(self, "the peer wants too many answers");
    return 0;
}

/* --- the stream -------------------------------------------------------------------------- */

static struct tls_stream *tls_of(struct ouro_stream *stream)
{
    return (struct tls_stream *) (void *) stream;
}

static ssize_t tls_read(struct ouro_stream *stream, void *buf, size_t len)
{
    struct tls_stream *self = tls_of(stream);

    for (;;) {
        size_t done = 0;
        int error, code;

        if (self->failed)
            return self->failed;
        enter_openssl();
        error = leave_openssl(self, SSL_read_ex(self->ssl, buf, len, &done));
        if (error == SSL_ERROR_NONE)
            return (ssize_t) done;
        if (error == SSL_ERROR_ZERO_RETURN)
            return 0;
        if (error != SSL_ERROR_WANT_READ)
            return fail(self);
        code = check_unsent(self);
        if (!code)
            code = wait_for_bytes(self);
        if (code)
            return code;
    }
}

static int tls_write(struct ouro_stream *stream, const void *buf, size_t len)
{
    struct tls_stream *self = tls_of(stream);
    const char *data = buf;
    int code = 0;

    while (len && !code) {
        size_t part = len < WRITE_BYTES ? len : WRITE_BYTES;

        code = get_ready(self); /* again each time: the reader may have met a failure */
        if (code) {
            if (!check_writable(self))
                self->is_torn = true; /* or a close_notify would say that this was all */
            return code;
        }
        enter_openssl();
        if (leave_openssl(self, SSL_write_ex(self->ssl, data, part, &part)) != SSL_ERROR_NONE)
            return fail(self);
        data += part;
        len -= part;
        code = flush(self);
    }
    return code;
}

static int tls_shutdown_write(struct ouro_stream *stream)
{
    struct tls_stream *self = tls_of(stream);
    int code = self->is_write_shut && !self->is_torn ? self->failed : get_ready(self);

    if (!code && !self->is_write_shut)
        code = say_close_notify(self);
    return code ? code : flush(self);
}

/* All but the stream below. */
static void tls_free(struct tls_stream *self)
{
    ouro_stream_done(&self->stream);
    SSL_free(self->ssl);
    ouro__tls_context_unref(self->context);
    free(self->out);
    free(self->alpn);
    free(self);
}

static int tls_close(struct ouro_stream *stream)
{
    struct tls_stream *self = tls_of(stream);
    struct ouro_stream *below = self->below;

    say_last_words(self, /* is_goodbye= */ true);
    tls_free(self);
    return ouro_stream_close(below);
}

static int tls_peer(struct ouro_stream *stream, struct ouro_address *ret_address)
{
    return ouro_stream_peer(tls_of(stream)->below, ret_address);
}

static const struct ouro_stream_ops tls_ops = {
    .name = "tls",
    .read = tls_read,
    .write = tls_write,
    .shutdown_write = tls_shutdown_write,
    .close = tls_close,
    .peer = tls_peer,
};

/* --- the handshake ------------------------------------------------------------------------- */

/* On failure the alert, if there is one, has been sent. */
static int shake_hands(struct tls_stream *self)
{
    for (;;) {
        int error, code;

        enter_openssl();
        error = leave_openssl(self, SSL_do_handshake(self->ssl));
        if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ) {
            code = fail(self);
            say_last_words(self, /* is_goodbye= */ false);
            return code;
        }
        code = flush(self);
        if (code || error == SSL_ERROR_NONE)
            return code;
        code = wait_for_bytes(self);
        if (code)
            return code;
    }
}

/* A zone (RFC 4007 §11) says which way the peer is; it is in no certificate. */
static bool is_address(char *text)
{
    unsigned char address[sizeof(struct in6_addr)];
    char *zone = strchr(text, '%');

    if (zone)
        *zone = '\0';
    if (inet_pton(AF_INET6, text, address) == 1 ||
        (!zone && inet_pton(AF_INET, text, address) == 1))
        return true;
    if (zone)
        *zone = '%';
    return false;
}

/* RFC 1123 §2.1; a number at the end would be that of an odd address. Underscores do occur. */
static bool is_name(const char *text)
{
    const char *dot = strrchr(text, '.');
    const char *last = dot ? dot + 1 : text;

    return !text[strspn(text,
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] &&
           text[0] != '.' && !strstr(text, "..") && last[strspn(last, "0123456789")];
}

/* RFC 6066 §3: names are sent without a final dot, and addresses are not sent at all. */
static int set_host(struct tls_stream *self, const char *host)
{
    size_t len = strlen(host);
    char name[HOST_MAX + 1];

    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len > 1 && host[len - 1] == '.')
        len--;
    if (len <= HOST_MAX) {
        memcpy(name, host, len);
        name[len] = '\0';
        if (is_address(name))
            return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(self->ssl), name) == 1 ? 0
                                                                                       : -ENOMEM;
    }
    /* OpenSSL takes an empty name to mean any. */
    if (len == 0 || len > HOST_MAX || !is_name(name)) {
        set_hint(self, "this can't be a host name");
        return -EINVAL;
    }
    /* RFC 9525 §6.3: no "f*.example.com"; §6.2: names are not looked for in the subject. */
    SSL_set_hostflags(self->ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set1_host(self->ssl, name) == 1 && SSL_set_tlsext_host_name(self->ssl, name) == 1
               ? 0
               : -ENOMEM;
}

static int be_client(struct tls_stream *self, const char *host)
{
    bool is_insecure = self->context->insecure;

    SSL_set_connect_state(self->ssl);
    SSL_set_verify(self->ssl, is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (host)
        return set_host(self, host);
    if (is_insecure)
        return 0;
    set_hint(self, "without a host name the peer can't be verified");
    return -EINVAL;
}

static int be_server(struct tls_stream *self)
{
    static const int modes[] = {
        [OURO_TLS_CLIENTS_UNKNOWN] = SSL_VERIFY_NONE,
        [OURO_TLS_CLIENTS_MAY] = SSL_VERIFY_PEER,
        [OURO_TLS_CLIENTS_MUST] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    };

    SSL_set_accept_state(self->ssl);
    SSL_set_verify(self->ssl, modes[self->context->clients], NULL);
    if (SSL_CTX_get0_certificate(self->context->ssl_context))
        return 0;
    set_hint(self, "a server needs a certificate");
    return -EINVAL;
}

static int keep_alpn(struct tls_stream *self)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(self->ssl, &name, &len);
    if (len && !(self->alpn = strndup((const char *) name, len)))
        return -ENOMEM;
    return 0;
}

static struct tls_stream *tls_create(struct ouro_tls_context *context, struct ouro_stream *below)
{
    struct tls_stream *self = calloc(1, sizeof(*self));
    BIO *bio;

    if (!self)
        return NULL;
    ouro_stream_init(&self->stream, &tls_ops);
    ouro_event_init(&self->has_ended);
    self->below = below;
    self->context = context;
    ouro__tls_context_ref(context);
    self->ssl = SSL_new(context->ssl_context);
    bio = BIO_new(context->bio_method);
    if (!self->ssl || !bio) {
        BIO_free(bio);
        tls_free(self);
        return NULL;
    }
    BIO_set_data(bio, self);
    BIO_set_init(bio, 1);
    SSL_set_bio(self->ssl, bio, bio); /* takes it */
    return self;
}

static int start(struct ouro_tls_context *context, struct ouro_stream *below, bool is_client,
                 const char *host, struct ouro_stream **ret_stream, struct ouro_tls_hint *ret_hint)
{
    struct tls_stream *self = tls_create(context, below);
    int code = -ENOMEM;

    if (self) {
        code = is_client ? be_client(self, host) : be_server(self);
        if (!code)
            code = shake_hands(self);
        if (!code)
            code = keep_alpn(self);
    }
    if (!code) {
        self->is_open = true;
        *ret_stream = &self->stream;
        return 0;
    }
    if (ret_hint)
        (void) snprintf(ret_hint->text, sizeof(ret_hint->text), "%s",
                        self && self->hint.text[0] ? self->hint.text : ouro_strerror(code));
    if (self)
        tls_free(self);
    return code;
}

int ouro_tls_connect_take(struct ouro_tls_context *context, struct ouro_stream *below,
                          const char *host, struct ouro_stream **ret_stream,
                          struct ouro_tls_hint *ret_hint)
{
    return start(context, below, true, host, ret_stream, ret_hint);
}

int ouro_tls_accept_take(struct ouro_tls_context *context, struct ouro_stream *below,
                         struct ouro_stream **ret_stream, struct ouro_tls_hint *ret_hint)
{
    return start(context, below, false, NULL, ret_stream, ret_hint);
}

/* --- questions --------------------------------------------------------------------------- */

static bool is_tls(const struct ouro_stream *stream)
{
    return stream->ops == &tls_ops;
}

const char *ouro_tls_version_text(struct ouro_stream *stream)
{
    return is_tls(stream) ? SSL_get_version(tls_of(stream)->ssl) : NULL;
}

const char *ouro_tls_alpn(struct ouro_stream *stream)
{
    return is_tls(stream) ? tls_of(stream)->alpn : NULL;
}

const char *ouro_tls_server_name(struct ouro_stream *stream)
{
    return is_tls(stream) ? SSL_get_servername(tls_of(stream)->ssl, TLSEXT_NAMETYPE_host_name)
                          : NULL;
}

bool ouro_tls_is_verified(struct ouro_stream *stream)
{
    const SSL *ssl = is_tls(stream) ? tls_of(stream)->ssl : NULL;

    return ssl && (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) && SSL_get0_peer_certificate(ssl) &&
           SSL_get_verify_result(ssl) == X509_V_OK;
}

const char *ouro_tls_error_text(struct ouro_stream *stream)
{
    return is_tls(stream) ? tls_of(stream)->hint.text : "";
}
