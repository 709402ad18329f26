/* SPDX-License-Identifier: MIT */
/*
 * tls_test.c - tests of proto/tls.c and proto/tls_context.c
 *
 * Each runs on the kernel's ring and on the simulated one, there also with half of all
 * transfers cut short. Certificates are made here, once, with OpenSSL. A peer that does what
 * ours never would is OpenSSL itself (struct raw).
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "dispatcher.h"
#include "loop.h"
#include "ouro_stream.h"
#include "ouro_tls.h"
#include "stack.h"
#include "test.h"

static void on_all_rings(ouro_task_fn *fn)
{
    run_on_each_ring(fn, NULL);
    CU_ASSERT_EQUAL(run_with("sim:seed=1,short=50", 0, fn, NULL), 0);
}

/* --- certificates ------------------------------------------------------------------------- */

struct identity {
    X509 *certificate;
    EVP_PKEY *key;
    char certificate_pem[4096];
    char key_pem[4096];
};

/* Made by the first test that asks, and kept. */
static struct {
    bool is_made;
    struct identity ca, other_ca;
    struct identity server;   /* good.example, *.wild.example, 127.0.0.1, ::1 */
    struct identity expired;  /* the same names */
    struct identity subject;  /* good.example, but only as common name */
    struct identity stranger; /* the names of `server`, of other_ca */
    struct identity client;
    struct identity rsa; /* as `server` */
} pki;

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    CU_ASSERT(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static void keep_text(BIO *bio, char *text, size_t text_bytes)
{
    int len = BIO_read(bio, text, (int) text_bytes - 1);

    CU_ASSERT(len > 0);
    text[len > 0 ? len : 0] = '\0';
    BIO_free(bio);
}

/* Valid from `start` to `end`, in seconds from now; alt_names NULL: a CA. */
static void make_identity(struct identity *self, const struct identity *issuer, const char *name,
                          const char *alt_names, long start, long end)
{
    X509 *certificate = X509_new();
    EVP_PKEY *key = self->key ? self->key : EVP_EC_gen("P-256");
    X509_NAME *subject = X509_get_subject_name(certificate);
    BIO *bio;

    self->certificate = certificate;
    self->key = key;
    if (!issuer)
        issuer = self;
    (void) X509_set_version(certificate, X509_VERSION_3);
    (void) ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    (void) X509_gmtime_adj(X509_getm_notBefore(certificate), start);
    (void) X509_gmtime_adj(X509_getm_notAfter(certificate), end);
    (void) X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *) name, -1,
                                      -1, 0);
    (void) X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate));
    (void) X509_set_pubkey(certificate, key);
    add_extension(certificate, NID_basic_constraints, alt_names ? "CA:FALSE" : "critical,CA:TRUE");
    if (alt_names && *alt_names)
        add_extension(certificate, NID_subject_alt_name, alt_names);
    CU_ASSERT(X509_sign(certificate, issuer->key, EVP_sha256()) > 0);
    bio = BIO_new(BIO_s_mem());
    CU_ASSERT_EQUAL(PEM_write_bio_X509(bio, certificate), 1);
    keep_text(bio, self->certificate_pem, sizeof(self->certificate_pem));
    bio = BIO_new(BIO_s_mem());
    CU_ASSERT_EQUAL(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    keep_text(bio, self->key_pem, sizeof(self->key_pem));
}

#define DAY   86400L
#define NAMES "DNS:good.example,DNS:*.wild.example,IP:127.0.0.1,IP:::1"

static void make_pki(void)
{
    if (pki.is_made)
        return;
    pki.is_made = true;
    make_identity(&pki.ca, NULL, "ca", NULL, -DAY, DAY);
    make_identity(&pki.other_ca, NULL, "other ca", NULL, -DAY, DAY);
    make_identity(&pki.server, &pki.ca, "server", NAMES, -DAY, DAY);
    make_identity(&pki.expired, &pki.ca, "expired", NAMES, -2 * DAY, -DAY);
    make_identity(&pki.subject, &pki.ca, "good.example", "", -DAY, DAY);
    make_identity(&pki.stranger, &pki.other_ca, "stranger", NAMES, -DAY, DAY);
    make_identity(&pki.client, &pki.ca, "client", "", -DAY, DAY);
    pki.rsa.key = EVP_RSA_gen(2048);
    make_identity(&pki.rsa, &pki.ca, "rsa", NAMES, -DAY, DAY);
}

static struct ouro_tls_context *make_context(const struct ouro_tls_options *options)
{
    struct ouro_tls_context *context = NULL;
    struct ouro_tls_hint hint = {""};

    CU_ASSERT_EQUAL(ouro_tls_context_create(options, &context, &hint), 0);
    CU_ASSERT_STRING_EQUAL(hint.text, "");
    return context;
}

static struct ouro_tls_options client_options(void)
{
    make_pki();
    return (struct ouro_tls_options) {.ca_pem = pki.ca.certificate_pem};
}

static struct ouro_tls_options server_options(const struct identity *identity)
{
    make_pki();
    return (struct ouro_tls_options) {.certificate_pem = identity->certificate_pem,
                                      .key_pem = identity->key_pem,
                                      .ca_pem = pki.ca.certificate_pem};
}

/* --- a stream that spoils another one ------------------------------------------------------ */

struct filter {
    struct ouro_stream stream;
    struct ouro_stream *below;
    size_t read_max;   /* then comes the end */
    size_t flip_at;    /* counted from 1: the byte that is read changed; 0: none */
    size_t read_count; /* so far */
    size_t piece;      /* so much is written every millisecond; 0: all at once */
    bool is_stuck;     /* writes don't end by themselves */
};

static struct filter *filter_of(struct ouro_stream *stream)
{
    return (struct filter *) (void *) stream;
}

static ssize_t filter_read(struct ouro_stream *stream, void *buf, size_t len)
{
    struct filter *self = filter_of(stream);
    ssize_t result;

    if (self->read_count == self->read_max)
        return 0;
    if (len > self->read_max - self->read_count)
        len = self->read_max - self->read_count;
    result = ouro_stream_read(self->below, buf, len);
    for (ssize_t i = 0; i < result; i++)
        if (++self->read_count == self->flip_at)
            ((char *) buf)[i] ^= 1;
    return result;
}

static int filter_write(struct ouro_stream *stream, const void *buf, size_t len)
{
    struct filter *self = filter_of(stream);
    const char *data = buf;
    int code = 0;

    if (self->is_stuck)
        return ouro_sleep(3600 * OURO_SECOND) ? -ECANCELED : 0;
    while (self->piece && len > self->piece && !code) {
        code = ouro_stream_write_all(self->below, data, self->piece);
        data += self->piece;
        len -= self->piece;
        if (!code)
            code = ouro_sleep(OURO_MILLISECOND);
    }
    return code ? code : ouro_stream_write_all(self->below, data, len);
}

static int filter_shutdown_write(struct ouro_stream *stream)
{
    return ouro_stream_shutdown_write(filter_of(stream)->below);
}

static int filter_close(struct ouro_stream *stream)
{
    int code = ouro_stream_close(filter_of(stream)->below);

    ouro_stream_done(stream);
    free(stream);
    return code;
}

static const struct ouro_stream_ops filter_ops = {
    .name = "filter",
    .read = filter_read,
    .write = filter_write,
    .shutdown_write = filter_shutdown_write,
    .close = filter_close,
};

static struct filter *filter_over(struct ouro_stream **stream)
{
    struct filter *self = calloc(1, sizeof(*self));

    ouro_stream_init(&self->stream, &filter_ops);
    self->below = *stream;
    self->read_max = SIZE_MAX;
    *stream = &self->stream;
    return self;
}

/* --- two ends ------------------------------------------------------------------------------ */

struct end {
    struct ouro_tls_context *context;
    struct ouro_stream *below; /* NULL as soon as it is taken or closed */
    bool is_client;
    const char *host;
    int fd;
    int code; /* of the handshake */
    struct ouro_stream *stream;
    struct ouro_tls_hint hint;
};

struct ends {
    struct end client, server;
};

static struct ends make_ends(const struct ouro_tls_options *client,
                             const struct ouro_tls_options *server)
{
    struct ends ends = {
        .client = {.context = make_context(client), .is_client = true, .host = "good.example"},
        .server = {.context = make_context(server)},
    };
    int fds[2];

    make_pair(fds);
    ends.client.fd = fds[0];
    ends.server.fd = fds[1];
    CU_ASSERT_EQUAL(ouro_stream_socket_take(fds[0], &ends.client.below), 0);
    CU_ASSERT_EQUAL(ouro_stream_socket_take(fds[1], &ends.server.below), 0);
    return ends;
}

/* A task: its half of the handshake. Who fails hangs up. */
static int shake(void *arg)
{
    struct end *end = arg;

    end->code =
        end->is_client
            ? ouro_tls_connect_take(end->context, end->below, end->host, &end->stream, &end->hint)
            : ouro_tls_accept_take(end->context, end->below, &end->stream, &end->hint);
    if (end->code)
        (void) ouro_stream_close(end->below);
    end->below = NULL;
    return 0;
}

static void shake_hands(struct ends *ends)
{
    struct ouro_group group;

    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, shake, &ends->server), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, shake, &ends->client), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
}

static void end_end(struct end *end)
{
    (void) ouro_stream_close(end->stream);
    (void) ouro_stream_close(end->below);
    ouro_tls_context_destroy(end->context);
}

static void close_ends(struct ends *ends)
{
    end_end(&ends->client);
    end_end(&ends->server);
}

/* Two ends with nothing special that have shaken hands. */
static struct ends connect_with(enum ouro_tls_version version)
{
    struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
    struct ends ends;

    client.version_max = version;
    ends = make_ends(&client, &server);
    shake_hands(&ends);
    CU_ASSERT_EQUAL(ends.client.code, 0);
    CU_ASSERT_EQUAL(ends.server.code, 0);
    if (ends.client.code || ends.server.code)
        abort();
    return ends;
}

static void send_text(struct ouro_stream *stream, const char *text)
{
    CU_ASSERT_EQUAL(ouro_stream_write_all(stream, text, strlen(text)), 0);
}

static void expect_text(struct ouro_stream *stream, const char *text)
{
    char buf[64] = "";

    CU_ASSERT_EQUAL(ouro_stream_read_exact(stream, buf, strlen(text), NULL), 0);
    CU_ASSERT_STRING_EQUAL(buf, text);
}

static bool has_text(const char *text, const char *part)
{
    if (strstr(text, part))
        return true;
    printf("    \"%s\" has no \"%s\"\n", text, part);
    return false;
}

/* --- what was agreed on ---------------------------------------------------------------------- */

static int agree(void *arg)
{
    static const struct {
        enum ouro_tls_version max;
        const char *text;
    } versions[] = {{OURO_TLS_1_2, "TLSv1.2"}, {OURO_TLS_ANY, "TLSv1.3"}};

    (void) arg;
    for (size_t i = 0; i < 2; i++) {
        struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
        struct ends ends;

        client.version_max = versions[i].max;
        client.alpn = "h2,http/1.1";
        server.alpn = "http/1.1,h3";
        ends = make_ends(&client, &server);
        ends.client.host = "good.example.";
        CU_ASSERT_PTR_NULL(ouro_tls_version_text(ends.client.below));
        CU_ASSERT_PTR_NULL(ouro_tls_alpn(ends.client.below));
        CU_ASSERT_PTR_NULL(ouro_tls_server_name(ends.client.below));
        CU_ASSERT_FALSE(ouro_tls_is_verified(ends.client.below));
        CU_ASSERT_STRING_EQUAL(ouro_tls_error_text(ends.client.below), "");
        shake_hands(&ends);
        if (ends.client.code || ends.server.code)
            return -1;
        CU_ASSERT_STRING_EQUAL(ouro_tls_version_text(ends.client.stream), versions[i].text);
        CU_ASSERT_STRING_EQUAL(ouro_tls_version_text(ends.server.stream), versions[i].text);
        CU_ASSERT_STRING_EQUAL(ouro_tls_alpn(ends.client.stream), "http/1.1");
        CU_ASSERT_STRING_EQUAL(ouro_tls_alpn(ends.server.stream), "http/1.1");
        CU_ASSERT_STRING_EQUAL(ouro_tls_server_name(ends.server.stream), "good.example");
        CU_ASSERT_TRUE(ouro_tls_is_verified(ends.client.stream));
        CU_ASSERT_FALSE(ouro_tls_is_verified(ends.server.stream));
        CU_ASSERT_STRING_EQUAL(ouro_tls_error_text(ends.client.stream), "");
        CU_ASSERT_EQUAL(ouro_stream_fd(ends.client.stream), -ENOTSUP);
        close_ends(&ends);
    }
    return 0;
}

static void test_both_ends_know_what_was_agreed_on(void)
{
    on_all_rings(agree);
}

static int ask_for_peer(void *arg)
{
    struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
    struct ends ends = make_ends(&client, &server);
    char text[OURO_ADDRESS_TEXT_MAX];
    struct ouro_address address;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_address_parse("192.0.2.7:99", -1, &address), 0);
    CU_ASSERT_EQUAL(ouro_stream_set_peer(ends.server.below, &address), 0);
    shake_hands(&ends);
    if (ends.client.code || ends.server.code)
        return -1;
    CU_ASSERT_EQUAL(ouro_stream_peer(ends.client.stream, &address), 0);
    CU_ASSERT(has_text(ouro_address_format(&address, text), "127.0.0.1:"));
    CU_ASSERT_EQUAL(ouro_stream_peer(ends.server.stream, &address), 0);
    CU_ASSERT(has_text(ouro_address_format(&address, text), "192.0.2.7:99"));
    close_ends(&ends);
    return 0;
}

static void test_peer_is_that_of_the_stream_below(void)
{
    on_all_rings(ask_for_peer);
}

static int differ_in_alpn(void *arg)
{
    static const struct {
        const char *client, *server;
        int code;
    } cases[] = {{"h2", "http/1.1", OURO_ETLS}, {NULL, "h2", 0}, {"h2", NULL, 0}, {NULL, NULL, 0}};

    (void) arg;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
        struct ends ends;

        client.alpn = cases[i].client;
        server.alpn = cases[i].server;
        ends = make_ends(&client, &server);
        shake_hands(&ends);
        CU_ASSERT_EQUAL(ends.client.code, cases[i].code);
        CU_ASSERT_EQUAL(ends.server.code, cases[i].code);
        if (cases[i].code)
            CU_ASSERT(has_text(ends.client.hint.text, "no application protocol"));
        if (ends.client.stream)
            CU_ASSERT_PTR_NULL(ouro_tls_alpn(ends.client.stream));
        close_ends(&ends);
    }
    return 0;
}

static void test_alpn_without_a_common_protocol_fails(void)
{
    on_all_rings(differ_in_alpn);
}

static int differ_in_version(void *arg)
{
    struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
    struct ends ends;

    (void) arg;
    client.version_max = OURO_TLS_1_2;
    server.version_min = OURO_TLS_1_3;
    ends = make_ends(&client, &server);
    shake_hands(&ends);
    CU_ASSERT_EQUAL(ends.client.code, OURO_ETLS);
    CU_ASSERT_EQUAL(ends.server.code, OURO_ETLS);
    CU_ASSERT(has_text(ends.client.hint.text, "protocol version"));
    CU_ASSERT(has_text(ends.server.hint.text, "unsupported protocol"));
    close_ends(&ends);
    return 0;
}

static void test_versions_that_do_not_overlap_fail(void)
{
    on_all_rings(differ_in_version);
}

/* --- whom to trust --------------------------------------------------------------------------- */

static const struct {
    const struct identity *server;
    const char *host;
    int code;
    const char *hint;
    const char *server_name; /* SNI */
} peers[] = {
    {&pki.server, "good.example", 0, "", "good.example"},
    {&pki.server, "GOOD.example", 0, "", "GOOD.example"},
    {&pki.server, "a.wild.example", 0, "", "a.wild.example"},
    {&pki.server, "a.b.wild.example", OURO_ECERTIFICATE, "hostname mismatch", NULL},
    {&pki.server, "wild.example", OURO_ECERTIFICATE, "hostname mismatch", NULL},
    {&pki.server, "evil.example", OURO_ECERTIFICATE, "hostname mismatch", NULL},
    {&pki.server, "127.0.0.1", 0, "", NULL},
    {&pki.server, "::1", 0, "", NULL},
    {&pki.server, "[::1]", 0, "", NULL},
    {&pki.server, "::1%lo", 0, "", NULL},
    {&pki.server, "[::1%1]", 0, "", NULL},
    {&pki.server, "127.0.0.1.", 0, "", NULL},
    {&pki.server, "good.example.", 0, "", "good.example"},
    {&pki.server, "fe80::1%lo", OURO_ECERTIFICATE, "IP address mismatch", NULL},
    {&pki.server, "127.0.0.2", OURO_ECERTIFICATE, "IP address mismatch", NULL},
    {&pki.server, "", -EINVAL, "host name", NULL},
    {&pki.server, ".", -EINVAL, "host name", NULL},
    {&pki.server, ".example", -EINVAL, "host name", NULL},
    {&pki.server, "good..example", -EINVAL, "host name", NULL},
    {&pki.server, "good.example..", -EINVAL, "host name", NULL},
    {&pki.server, "good example", -EINVAL, "host name", NULL},
    {&pki.server, "*.wild.example", -EINVAL, "host name", NULL},
    {&pki.server, "127.1", -EINVAL, "host name", NULL},
    {&pki.server, "127.0.0.1%lo", -EINVAL, "host name", NULL},
    {&pki.server, "good.example%1", -EINVAL, "host name", NULL},
    {&pki.server, NULL, -EINVAL, "host name", NULL},
    {&pki.expired, "good.example", OURO_ECERTIFICATE, "certificate has expired", NULL},
    {&pki.subject, "good.example", OURO_ECERTIFICATE, "hostname mismatch", NULL},
    {&pki.stranger, "good.example", OURO_ECERTIFICATE, "unable to get local issuer", NULL},
    {&pki.other_ca, "good.example", OURO_ECERTIFICATE, "self-signed certificate", NULL},
};

static int meet_peers(void *arg)
{
    (void) arg;
    for (size_t i = 0; i < COUNT_OF(peers); i++) {
        struct ouro_tls_options client = client_options();
        struct ouro_tls_options server = server_options(peers[i].server);
        struct ends ends;

        client.version_max = i % 2 ? OURO_TLS_1_2 : OURO_TLS_ANY;
        ends = make_ends(&client, &server);
        ends.client.host = peers[i].host;
        shake_hands(&ends);
        CU_ASSERT_EQUAL(ends.client.code, peers[i].code);
        CU_ASSERT(has_text(ends.client.hint.text, peers[i].hint));
        if (ends.client.stream)
            CU_ASSERT_TRUE(ouro_tls_is_verified(ends.client.stream));
        if (peers[i].code == OURO_ECERTIFICATE) {
            CU_ASSERT_EQUAL(ends.server.code, OURO_ETLS);
            CU_ASSERT(has_text(ends.server.hint.text, "alert"));
        }
        if (ends.server.stream) {
            const char *name = ouro_tls_server_name(ends.server.stream);

            CU_ASSERT(peers[i].server_name ? name && !strcmp(name, peers[i].server_name) : !name);
        }
        close_ends(&ends);
    }
    return 0;
}

static void test_only_a_trusted_certificate_for_the_host_is_accepted(void)
{
    on_all_rings(meet_peers);
}

static int meet_without_trust(void *arg)
{
    struct ouro_tls_options client = {.insecure = true};
    struct ends ends;

    (void) arg;
    for (size_t i = 0; i < 2; i++) {
        struct ouro_tls_options server;

        make_pki();
        server = server_options(&pki.expired);
        ends = make_ends(&client, &server);
        ends.client.host = i ? NULL : "evil.example";
        shake_hands(&ends);
        CU_ASSERT_EQUAL(ends.client.code, 0);
        CU_ASSERT_EQUAL(ends.server.code, 0);
        CU_ASSERT_FALSE(ends.client.stream && ouro_tls_is_verified(ends.client.stream));
        close_ends(&ends);
    }
    return 0;
}

static void test_insecure_client_talks_to_anybody(void)
{
    on_all_rings(meet_without_trust);
}

static int distrust_by_default(void *arg)
{
    struct ouro_tls_options server;
    struct ends ends;

    (void) arg;
    make_pki();
    server = server_options(&pki.server);
    ends = make_ends(NULL, &server);
    shake_hands(&ends);
    CU_ASSERT_EQUAL(ends.client.code, OURO_ECERTIFICATE);
    close_ends(&ends);
    return 0;
}

static void test_default_is_to_trust_the_systems_authorities_only(void)
{
    on_all_rings(distrust_by_default);
}

/* In TLS 1.3 a client learns only by reading that its certificate was not liked. */
static int ask_clients(void *arg)
{
    static const struct {
        enum ouro_tls_clients clients;
        const struct identity *client;
        int code; /* of the server */
        bool is_verified;
    } cases[] = {
        {OURO_TLS_CLIENTS_UNKNOWN, &pki.client, 0, false},
        {OURO_TLS_CLIENTS_MAY, NULL, 0, false},
        {OURO_TLS_CLIENTS_MAY, &pki.client, 0, true},
        {OURO_TLS_CLIENTS_MAY, &pki.stranger, OURO_ECERTIFICATE, false},
        {OURO_TLS_CLIENTS_MUST, NULL, OURO_ECERTIFICATE, false},
        {OURO_TLS_CLIENTS_MUST, &pki.client, 0, true},
    };

    (void) arg;
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
        size_t j = i / 2;
        struct ends ends;
        char byte;

        server.version_max = i % 2 ? OURO_TLS_1_2 : OURO_TLS_1_3;
        server.clients = cases[j].clients;
        if (cases[j].client) {
            client.certificate_pem = cases[j].client->certificate_pem;
            client.key_pem = cases[j].client->key_pem;
        }
        ends = make_ends(&client, &server);
        shake_hands(&ends);
        CU_ASSERT_EQUAL(ends.server.code, cases[j].code);
        if (ends.server.stream)
            CU_ASSERT_EQUAL(ouro_tls_is_verified(ends.server.stream), cases[j].is_verified);
        if (ends.server.code && i % 2)
            CU_ASSERT_EQUAL(ends.client.code, OURO_ETLS);
        if (ends.server.code && ends.client.stream) {
            CU_ASSERT_EQUAL(ouro_stream_read(ends.client.stream, &byte, 1), OURO_ETLS);
            CU_ASSERT(has_text(ouro_tls_error_text(ends.client.stream), "alert"));
        }
        close_ends(&ends);
    }
    return 0;
}

static void test_servers_verify_clients_as_far_as_they_are_told_to(void)
{
    on_all_rings(ask_clients);
}

/* --- bytes --------------------------------------------------------------------------------- */

#define VOLUME ((size_t) 1 << 20)

static unsigned char pattern(size_t i)
{
    return (unsigned char) (i * 7 + i / 251);
}

static int write_volume(void *arg)
{
    struct ouro_stream *stream = arg;
    unsigned char *data = malloc(VOLUME);
    size_t done = 0;
    int code = 0;

    for (size_t i = 0; i < VOLUME; i++)
        data[i] = pattern(i);
    for (size_t len = 1; !code && done < VOLUME; len = len * 3 % 200003) {
        if (len > VOLUME - done)
            len = VOLUME - done;
        code = ouro_stream_write(stream, data + done, len);
        done += len;
    }
    if (!code)
        code = ouro_stream_shutdown_write(stream);
    free(data);
    return code;
}

static int read_volume(void *arg)
{
    unsigned char *buf = malloc(30000);
    size_t done = 0, wrong = 0;
    ssize_t len;

    while ((len = ouro_stream_read(arg, buf, done % 3 ? 30000 : 100)) > 0)
        for (ssize_t i = 0; i < len; i++)
            wrong += buf[i] != pattern(done++);
    CU_ASSERT_EQUAL(len, 0);
    CU_ASSERT_EQUAL(done, VOLUME);
    CU_ASSERT_EQUAL(wrong, 0);
    free(buf);
    return 0;
}

static int move_volumes(void *arg)
{
    static const enum ouro_tls_version versions[] = {OURO_TLS_1_2, OURO_TLS_1_3};

    (void) arg;
    for (size_t i = 0; i < 2; i++) {
        struct ends ends = connect_with(versions[i]);
        struct ouro_group group;

        ouro_group_init(&group);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, write_volume, ends.client.stream), 0);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, read_volume, ends.client.stream), 0);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, write_volume, ends.server.stream), 0);
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, read_volume, ends.server.stream), 0);
        CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
        close_ends(&ends);
    }
    return 0;
}

static void test_megabyte_goes_both_ways_at_the_same_time(void)
{
    on_all_rings(move_volumes);
}

static int go_over_to_tls(void *arg)
{
    struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
    struct ends ends = make_ends(&client, &server);
    struct ouro_group group;
    const char *line;

    (void) arg;
    ouro_group_init(&group);
    /* The line stays in the write buffer, and goes out with the ClientHello. */
    CU_ASSERT_EQUAL(ouro_stream_write(ends.client.below, "STARTTLS\r\n", 10), 0);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, shake, &ends.client), 0);
    CU_ASSERT_EQUAL(ouro_stream_read_until(ends.server.below, "\r\n", 2, 100, &line), 10);
    CU_ASSERT(ouro_stream_peek(ends.server.below, 100, &line) >= 100); /* of the ClientHello */
    CU_ASSERT_EQUAL(line[0], 22);
    /* Somebody looked at it, and put it back. */
    ouro_stream_consume(ends.server.below, 1);
    CU_ASSERT_EQUAL(ouro_stream_push_back(ends.server.below, "\x16", 1), 0);
    CU_ASSERT_EQUAL(shake(&ends.server), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ends.client.code, 0);
    CU_ASSERT_EQUAL(ends.server.code, 0);
    if (ends.client.code || ends.server.code)
        return -1;
    send_text(ends.client.stream, "secret");
    expect_text(ends.server.stream, "secret");
    close_ends(&ends);
    return 0;
}

static void test_tls_may_begin_after_plain_text(void)
{
    on_all_rings(go_over_to_tls);
}

static int close_halves(void *arg)
{
    static const enum ouro_tls_version versions[] = {OURO_TLS_1_2, OURO_TLS_1_3};
    char byte;

    (void) arg;
    for (size_t i = 0; i < 2; i++) {
        struct ends ends = connect_with(versions[i]);

        send_text(ends.client.stream, "question");
        CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends.client.stream), 0);
        CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends.client.stream), 0);
        CU_ASSERT_EQUAL(ouro_stream_write_all(ends.client.stream, "more", 4), -EPIPE);
        expect_text(ends.server.stream, "question");
        CU_ASSERT_EQUAL(ouro_stream_read(ends.server.stream, &byte, 1), 0);
        CU_ASSERT_EQUAL(ouro_stream_read(ends.server.stream, &byte, 1), 0);
        send_text(ends.server.stream, "answer");
        expect_text(ends.client.stream, "answer");
        CU_ASSERT_EQUAL(ouro_stream_close(ends.server.stream), 0);
        ends.server.stream = NULL;
        CU_ASSERT_EQUAL(ouro_stream_read(ends.client.stream, &byte, 1), 0);
        close_ends(&ends);
    }
    return 0;
}

static void test_each_direction_ends_on_its_own(void)
{
    on_all_rings(close_halves);
}

/* --- peers that fail ------------------------------------------------------------------------ */

static int cut_off(void *arg)
{
    struct ends ends = connect_with(OURO_TLS_ANY);
    char byte;

    (void) arg;
    send_text(ends.server.stream, "half of the sto");
    CU_ASSERT_EQUAL(ouro_shutdown(ends.server.fd, SHUT_WR), 0); /* no close_notify */
    expect_text(ends.client.stream, "half of the sto");
    CU_ASSERT_EQUAL(ouro_stream_read(ends.client.stream, &byte, 1), OURO_EEOF);
    CU_ASSERT_EQUAL(ouro_stream_read(ends.client.stream, &byte, 1), OURO_EEOF);
    CU_ASSERT(has_text(ouro_tls_error_text(ends.client.stream), "without close_notify"));
    send_text(ends.client.stream, "can you hear me?"); /* the other direction is whole */
    expect_text(ends.server.stream, "can you hear me?");
    close_ends(&ends);
    return 0;
}

static void test_cut_connection_does_not_look_like_its_end(void)
{
    on_all_rings(cut_off);
}

static int tamper(void *arg)
{
    struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
    struct ends ends = make_ends(&client, &server);
    struct filter *filter = filter_over(&ends.client.below);
    char byte;

    (void) arg;
    shake_hands(&ends);
    if (ends.client.code || ends.server.code)
        return -1;
    send_text(ends.server.stream, "a");
    expect_text(ends.client.stream, "a");
    filter->flip_at = filter->read_count + 10;
    send_text(ends.server.stream, "1000 for Bob");
    CU_ASSERT_EQUAL(ouro_stream_read(ends.client.stream, &byte, 1), OURO_ETLS);
    CU_ASSERT(has_text(ouro_tls_error_text(ends.client.stream), "bad record mac"));
    CU_ASSERT_EQUAL(ouro_stream_read(ends.client.stream, &byte, 1), OURO_ETLS);
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends.client.stream, "b", 1), OURO_ETLS);
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends.client.stream), OURO_ETLS);
    CU_ASSERT_EQUAL(ouro_stream_close(ends.client.stream), 0);
    ends.client.stream = NULL;
    CU_ASSERT_EQUAL(ouro_stream_read(ends.server.stream, &byte, 1), OURO_ETLS);
    CU_ASSERT(has_text(ouro_tls_error_text(ends.server.stream), "alert bad record mac"));
    close_ends(&ends);
    return 0;
}

static void test_changed_bytes_end_the_connection_and_the_peer_is_told(void)
{
    on_all_rings(tamper);
}

static int meet_garbage(void *arg)
{
    struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
    struct ends ends = make_ends(&client, &server);

    (void) arg;
    send_text(ends.server.below, "220 mail.example ESMTP\r\n");
    CU_ASSERT_EQUAL(shake(&ends.client), 0);
    CU_ASSERT_EQUAL(ends.client.code, OURO_ETLS);
    CU_ASSERT(has_text(ends.client.hint.text, "wrong version number"));
    close_ends(&ends);

    ends = make_ends(&client, &server);
    send_text(ends.client.below, "GET / HTTP/1.1\r\n\r\n");
    CU_ASSERT_EQUAL(shake(&ends.server), 0);
    CU_ASSERT_EQUAL(ends.server.code, OURO_ETLS);
    CU_ASSERT(has_text(ends.server.hint.text, "http request"));
    close_ends(&ends);
    return 0;
}

static void test_plain_text_is_no_handshake(void)
{
    on_all_rings(meet_garbage);
}

/* One end sees only the first `read_max` bytes of the other. Returns whether it managed. */
static bool shake_until(size_t read_max, bool cut_client, enum ouro_tls_version version)
{
    struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
    struct ends ends;
    struct end *cut = cut_client ? &ends.client : &ends.server;
    bool is_good;

    client.version_max = version;
    ends = make_ends(&client, &server);
    filter_over(&cut->below)->read_max = read_max;
    shake_hands(&ends);
    is_good = cut->code == 0;
    if (!is_good) {
        CU_ASSERT_EQUAL(cut->code, OURO_EEOF);
        CU_ASSERT(has_text(cut->hint.text, "during the handshake"));
    }
    close_ends(&ends);
    return is_good;
}

static int vanish(void *arg)
{
    (void) arg;
    for (int i = 0; i < 4; i++) {
        size_t read_max = 0;

        while (!shake_until(read_max, i % 2, i / 2 ? OURO_TLS_1_2 : OURO_TLS_1_3))
            read_max += 67;
        CU_ASSERT(read_max > 200 && read_max < 8000); /* post-quantum keys are large */
    }
    return 0;
}

static void test_peer_may_vanish_anywhere_in_the_handshake(void)
{
    on_all_rings(vanish);
}

/* --- interruptions ------------------------------------------------------------------------- */

/*
 * The client is cancelled, or its time is up, after so many turns of the handshake. It either
 * has finished, or says so; and nothing is left behind.
 */
static int interrupt_at(int turns, bool by_limit)
{
    struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
    struct ends ends = make_ends(&client, &server);
    struct ouro_group group;
    ouro_task_id id;

    ouro_group_init(&group);
    filter_over(&ends.client.below)->piece = 50; /* takes a while */
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, shake, &ends.server), 0);
    if (by_limit) {
        struct ouro_timeout limit;

        ouro_timeout_begin(&limit, turns * OURO_MILLISECOND);
        CU_ASSERT_EQUAL(shake(&ends.client), 0);
        (void) ouro_timeout_end(&limit);
    } else {
        id = ouro_spawn(shake, &ends.client);
        for (int i = 0; i < turns; i++)
            (void) ouro_sleep(OURO_MILLISECOND);
        (void) ouro_cancel(id);
        CU_ASSERT_EQUAL(ouro_join(id, NULL), 0);
    }
    if (ends.client.code) {
        CU_ASSERT_EQUAL(ends.client.code, by_limit ? -ETIMEDOUT : -ECANCELED);
        CU_ASSERT(ends.client.hint.text[0]);
    }
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    if (ends.client.code)
        CU_ASSERT_EQUAL(ends.server.code, OURO_EEOF);
    close_ends(&ends);
    return ends.client.code;
}

static int interrupt_everywhere(void *arg)
{
    (void) arg;
    for (int by_limit = 0; by_limit < 2; by_limit++) {
        int failed = 0, turns = 0;

        while (interrupt_at(turns++, by_limit))
            failed++;
        CU_ASSERT(failed >= 5);
    }
    return 0;
}

static void test_handshake_can_be_interrupted_at_any_time(void)
{
    CU_ASSERT_EQUAL(run_sim(interrupt_everywhere, NULL), 0);
}

/* Records come in pieces, slowly, and the reader has little patience. */
static int write_slowly(void *arg)
{
    for (int i = 0; i < 3; i++)
        send_text(arg, "a message of forty bytes, or a few more.");
    return ouro_stream_shutdown_write(arg);
}

static int read_impatiently(void *arg)
{
    struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
    struct ends ends = make_ends(&client, &server);
    struct filter *filter = filter_over(&ends.server.below);
    struct ouro_group group;
    char buf[200];
    size_t len = 0;
    ssize_t result;
    int limits = 0;

    (void) arg;
    shake_hands(&ends);
    if (ends.client.code || ends.server.code)
        return -1;
    filter->piece = 7;
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, write_slowly, ends.server.stream), 0);
    do {
        struct ouro_timeout limit;

        ouro_timeout_begin(&limit, OURO_MILLISECOND / 3);
        result = ouro_stream_read(ends.client.stream, buf + len, sizeof(buf) - len);
        limits += ouro_timeout_end(&limit) != 0;
        len += result > 0 ? (size_t) result : 0;
    } while (result > 0 || result == -ETIMEDOUT);
    CU_ASSERT_EQUAL(result, 0);
    CU_ASSERT_EQUAL(len, 120);
    CU_ASSERT_EQUAL(memcmp(buf + 80, "a message of forty bytes, or a few more.", 40), 0);
    CU_ASSERT(limits > 10);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    close_ends(&ends);
    return 0;
}

static void test_interrupted_read_loses_nothing(void)
{
    on_all_rings(read_impatiently);
}

static int interrupt_writing(void *arg)
{
    struct ends ends = connect_with(OURO_TLS_ANY);
    struct ouro_timeout limit;
    char *data = calloc(1, 16 << 20);
    int64_t before;

    (void) arg;
    ouro_timeout_begin(&limit, 10 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends.client.stream, data, 16 << 20), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_stream_write_all(ends.client.stream, "x", 1), -EPIPE);
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(ends.client.stream), -EPIPE);
    send_text(ends.server.stream, "still here"); /* the other direction goes on */
    expect_text(ends.client.stream, "still here");
    before = ouro_now();
    CU_ASSERT_EQUAL(ouro_stream_close(ends.client.stream), 0);
    CU_ASSERT(ouro_now() - before < OURO_SECOND); /* nothing to be said any more */
    ends.client.stream = NULL;
    free(data);
    close_ends(&ends);
    return 0;
}

static void test_interrupted_write_is_the_last_one(void)
{
    on_all_rings(interrupt_writing);
}

static int close_when_cancelled(void *arg)
{
    struct ends ends = connect_with(OURO_TLS_ANY);
    struct ouro_shield shield;
    char byte;

    (void) arg;
    CU_ASSERT_EQUAL(ouro_cancel(ouro_self()), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(ends.client.stream, &byte, 1), -ECANCELED);
    CU_ASSERT_EQUAL(ouro_stream_close(ends.client.stream), 0);
    ends.client.stream = NULL;
    ouro_shield_begin(&shield, 10 * OURO_SECOND);
    CU_ASSERT_EQUAL(ouro_stream_read(ends.server.stream, &byte, 1), 0); /* it was said */
    ouro_shield_end(&shield);
    close_ends(&ends);
    return 0;
}

static void test_close_says_goodbye_in_a_cancelled_task(void)
{
    on_all_rings(close_when_cancelled);
}

static int close_when_stuck(void *arg)
{
    struct ouro_tls_options client = client_options(), server = server_options(&pki.server);
    struct ends ends = make_ends(&client, &server);
    struct filter *filter = filter_over(&ends.client.below);
    int64_t before;

    (void) arg;
    shake_hands(&ends);
    filter->is_stuck = true;
    before = ouro_now();
    CU_ASSERT_EQUAL(ouro_stream_close(ends.client.stream), 0);
    CU_ASSERT_EQUAL(ouro_now() - before, OURO_SECOND);
    ends.client.stream = NULL;
    close_ends(&ends);
    return 0;
}

static void test_close_waits_a_second_for_a_peer_that_does_not_read(void)
{
    CU_ASSERT_EQUAL(run_sim(close_when_stuck, NULL), 0);
}

/* --- a peer of another make ------------------------------------------------------------------ */

/* OpenSSL's server, as its manual would have it. */
struct raw {
    SSL_CTX *ssl_context;
    SSL *ssl;
    struct ouro_stream *below;
    int key_updates; /* that it has received */
};

static void count_key_updates(int is_sent, int version, int type, const void *message, size_t len,
                              SSL *ssl, void *arg)
{
    (void) version, (void) ssl;
    if (!is_sent && type == SSL3_RT_HANDSHAKE && len && *(const char *) message == 24)
        ((struct raw *) arg)->key_updates++;
}

static void raw_init(struct raw *raw, struct ouro_stream *below, int version)
{
    *raw = (struct raw) {.ssl_context = SSL_CTX_new(TLS_method()), .below = below};
    (void) SSL_CTX_set_max_proto_version(raw->ssl_context, version);
    (void) SSL_CTX_use_certificate(raw->ssl_context, pki.server.certificate);
    (void) SSL_CTX_use_PrivateKey(raw->ssl_context, pki.server.key);
    raw->ssl = SSL_new(raw->ssl_context);
    SSL_set_bio(raw->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(raw->ssl);
    SSL_set_msg_callback(raw->ssl, count_key_updates);
    SSL_set_msg_callback_arg(raw->ssl, raw);
}

static void raw_done(struct raw *raw)
{
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->ssl_context);
    CU_ASSERT_EQUAL(ouro_stream_close(raw->below), 0);
}

static int raw_flush(struct raw *raw)
{
    char *data;
    long len = BIO_get_mem_data(SSL_get_wbio(raw->ssl), &data);
    int code = ouro_stream_write_all(raw->below, data, (size_t) len);

    (void) BIO_reset(SSL_get_wbio(raw->ssl));
    return code;
}

/* Sends what there is, and when OpenSSL wants to read, reads. False: that is not the problem. */
static bool raw_go_on(struct raw *raw, int result)
{
    bool wants_bytes = SSL_get_error(raw->ssl, result) == SSL_ERROR_WANT_READ;
    char buf[4096];
    ssize_t len;

    if (raw_flush(raw) || !wants_bytes)
        return false;
    len = ouro_stream_read(raw->below, buf, sizeof(buf));
    return len > 0 && BIO_write(SSL_get_rbio(raw->ssl), buf, (int) len) == len;
}

static int raw_handshake(struct raw *raw)
{
    int result;

    ERR_clear_error();
    while ((result = SSL_do_handshake(raw->ssl)) != 1)
        if (!raw_go_on(raw, result))
            return -1;
    return raw_flush(raw);
}

static int raw_read(struct raw *raw, void *buf, int len)
{
    int result;

    ERR_clear_error();
    while ((result = SSL_read(raw->ssl, buf, len)) <= 0)
        if (!raw_go_on(raw, result))
            return -1;
    return result;
}

static int raw_serve(void *arg)
{
    return raw_handshake(arg);
}

/* A client of ours and a raw server that have shaken hands. */
static struct end connect_to_raw(struct raw *raw, int version)
{
    struct ouro_tls_options client = client_options();
    struct ends ends = make_ends(&client, &client);
    struct ouro_group group;

    raw_init(raw, ends.server.below, version);
    ouro_tls_context_destroy(ends.server.context);
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, raw_serve, raw), 0);
    CU_ASSERT_EQUAL(shake(&ends.client), 0);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    CU_ASSERT_EQUAL(ends.client.code, 0);
    if (ends.client.code)
        abort();
    return ends.client;
}

#define FLOOD ((size_t) 8 << 20) /* more than a socket's buffers hold */

static int write_flood(void *arg)
{
    char *data = calloc(1, FLOOD);
    int code = ouro_stream_write_all(arg, data, FLOOD);

    free(data);
    return code;
}

/*
 * Goal: reading goes on while the writer waits for a peer that does not read, although what is
 * read asks for answers; and they come. Method: the peer asks for new keys with each of twenty
 * messages, and reads only when all have been understood.
 */
static int update_keys(void *arg)
{
    struct raw raw;
    struct end client = connect_to_raw(&raw, TLS1_3_VERSION);
    struct ouro_group group;
    size_t total = 0;
    char *buf = malloc(65536);

    (void) arg;
    ouro_group_init(&group);
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, write_flood, client.stream), 0);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        CU_ASSERT_EQUAL(SSL_write(raw.ssl, "news", 4), 4);
        CU_ASSERT_EQUAL(raw_flush(&raw), 0);
        expect_text(client.stream, "news");
    }
    while (total < FLOOD) {
        int len = raw_read(&raw, buf, 65536);

        if (len <= 0)
            break;
        total += (size_t) len;
    }
    CU_ASSERT_EQUAL(total, FLOOD);
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    send_text(client.stream, "with new keys");
    CU_ASSERT_EQUAL(raw_read(&raw, buf, 100), 13);
    CU_ASSERT(raw.key_updates >= 1);
    free(buf);
    end_end(&client);
    raw_done(&raw);
    return 0;
}

static void test_key_updates_are_answered_although_the_writer_waits(void)
{
    on_all_rings(update_keys);
}

/* A ticket has this much of the application's in it, so that it takes several records. */
static int fill_ticket(SSL *ssl, void *arg)
{
    static char data[2000];

    (void) arg;
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data, sizeof(data));
}

static SSL_TICKET_RETURN take_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                     size_t name_len, SSL_TICKET_STATUS status, void *arg)
{
    (void) ssl, (void) session, (void) name, (void) name_len, (void) status, (void) arg;
    return SSL_TICKET_RETURN_USE;
}

/* Sends the first of several records that hold a session ticket; raw_flush() sends the others. */
static void raw_begin_ticket(struct raw *raw)
{
    char record[5 + 512 + 17]; /* head, bytes, type and tag */
    int fd = ouro_stream_fd(raw->below), one = 1;

    CU_ASSERT_EQUAL(ouro_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
    (void) SSL_CTX_set_session_ticket_cb(raw->ssl_context, fill_ticket, take_ticket, NULL);
    CU_ASSERT_EQUAL(SSL_set_max_send_fragment(raw->ssl, 512), 1);
    CU_ASSERT_EQUAL(SSL_new_session_ticket(raw->ssl), 1);
    CU_ASSERT_EQUAL(SSL_do_handshake(raw->ssl), 1);
    CU_ASSERT_EQUAL(BIO_read(SSL_get_wbio(raw->ssl), record, sizeof(record)), sizeof(record));
    CU_ASSERT_EQUAL(ouro_stream_write_all(raw->below, record, sizeof(record)), 0);
}

/* The end that came with close_notify. */
static bool raw_is_told_goodbye(struct raw *raw)
{
    char byte;

    return raw_read(raw, &byte, 1) < 0 && SSL_get_shutdown(raw->ssl) & SSL_RECEIVED_SHUTDOWN;
}

static void read_until_timeout(struct ouro_stream *stream)
{
    struct ouro_timeout limit;
    char byte;

    ouro_timeout_begin(&limit, 50 * OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_stream_read(stream, &byte, 1), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
}

static int finish_ticket_later(void *arg)
{
    struct raw *raw = arg;

    /* Not while the other side still writes, as on a slow machine. */
    CU_ASSERT_EQUAL(ouro_sleep(50 * OURO_MILLISECOND), 0);
    return raw_flush(raw);
}

static int write_request(void *arg)
{
    return ouro_stream_write_all(arg, "request", 7);
}

static int expect_response(void *arg)
{
    expect_text(arg, "response");
    return 0;
}

/* What a task does in the middle of a ticket, and who else is there. */
static const struct interlude {
    bool reads_before; /* or OpenSSL has not seen the beginning */
    bool reads_meanwhile, writes_meanwhile;
    bool shuts, closes; /* before the ticket's rest has come */
} interludes[] = {
    {.reads_before = true},
    {.reads_before = true, .reads_meanwhile = true},
    {.reads_meanwhile = true},
    {.reads_before = true, .writes_meanwhile = true},
    {.reads_before = true, .shuts = true},
    {.reads_before = true, .closes = true},
};

static void play_interlude(const struct interlude *interlude)
{
    struct raw raw;
    struct end client = connect_to_raw(&raw, TLS1_3_VERSION);
    struct ouro_group group;
    char buf[64] = "";

    ouro_group_init(&group);
    raw_begin_ticket(&raw);
    if (interlude->reads_before)
        read_until_timeout(client.stream);
    if (interlude->writes_meanwhile) {
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, write_request, client.stream), 0);
        CU_ASSERT_EQUAL(ouro_yield(), 0);
    }
    if (interlude->reads_meanwhile || interlude->writes_meanwhile) {
        CU_ASSERT_EQUAL(ouro_group_spawn(&group, expect_response, client.stream), 0);
        CU_ASSERT_EQUAL(ouro_sleep(OURO_MILLISECOND), 0);
    }
    CU_ASSERT_EQUAL(ouro_group_spawn(&group, finish_ticket_later, &raw), 0);
    if (interlude->shuts) {
        CU_ASSERT_EQUAL(ouro_stream_shutdown_write(client.stream), 0);
    } else if (interlude->closes) {
        CU_ASSERT_EQUAL(ouro_stream_close(client.stream), 0);
        client.stream = NULL;
    } else {
        if (!interlude->writes_meanwhile)
            CU_ASSERT_EQUAL(write_request(client.stream), 0);
        CU_ASSERT_EQUAL(raw_read(&raw, buf, sizeof(buf)), 7);
        CU_ASSERT_STRING_EQUAL(buf, "request");
    }
    if (!interlude->closes) {
        CU_ASSERT_EQUAL(SSL_write(raw.ssl, "response", 8), 8);
        CU_ASSERT_EQUAL(raw_flush(&raw), 0);
        if (!interlude->reads_meanwhile && !interlude->writes_meanwhile)
            expect_text(client.stream, "response");
    }
    CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
    end_end(&client);
    CU_ASSERT(raw_is_told_goodbye(&raw));
    raw_done(&raw);
}

static int play_interludes(void *arg)
{
    (void) arg;
    for (size_t i = 0; i < COUNT_OF(interludes); i++)
        play_interlude(&interludes[i]);
    return 0;
}

/* OpenSSL says nothing in the middle of a message: who wants to speak waits for its end. */
static void test_writing_waits_for_the_rest_of_a_session_ticket(void)
{
    on_all_rings(play_interludes);
}

static int leave_in_the_middle(void *arg)
{
    struct raw raw;
    struct end client = connect_to_raw(&raw, TLS1_3_VERSION);
    struct ouro_timeout limit;
    int64_t begin;

    (void) arg;
    raw_begin_ticket(&raw);
    read_until_timeout(client.stream);
    ouro_timeout_begin(&limit, OURO_MILLISECOND);
    CU_ASSERT_EQUAL(ouro_stream_shutdown_write(client.stream), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    begin = ouro_now();
    end_end(&client);
    CU_ASSERT_EQUAL(ouro_now() - begin, OURO_SECOND);
    CU_ASSERT(!raw_is_told_goodbye(&raw));
    raw_done(&raw);

    client = connect_to_raw(&raw, TLS1_3_VERSION);
    raw_begin_ticket(&raw);
    read_until_timeout(client.stream);
    ouro_timeout_begin(&limit, OURO_MILLISECOND);
    CU_ASSERT_EQUAL(write_request(client.stream), -ETIMEDOUT);
    CU_ASSERT_EQUAL(ouro_timeout_end(&limit), -ETIMEDOUT);
    CU_ASSERT_EQUAL(raw_flush(&raw), 0);
    CU_ASSERT_EQUAL(write_request(client.stream), -EPIPE);
    begin = ouro_now();
    end_end(&client);
    CU_ASSERT_EQUAL(ouro_now(), begin);
    CU_ASSERT(!raw_is_told_goodbye(&raw)); /* a request was not sent */
    raw_done(&raw);
    return 0;
}

static void test_ticket_without_an_end_holds_nobody_up_for_long(void)
{
    CU_ASSERT_EQUAL(run_sim(leave_in_the_middle, NULL), 0);
}

static int ask_for_renegotiation(void *arg)
{
    struct raw raw;
    struct end client = connect_to_raw(&raw, TLS1_2_VERSION);
    char byte;

    (void) arg;
    CU_ASSERT_EQUAL(SSL_renegotiate(raw.ssl), 1);
    CU_ASSERT_EQUAL(SSL_do_handshake(raw.ssl), 1); /* sends HelloRequest */
    CU_ASSERT_EQUAL(raw_flush(&raw), 0);
    CU_ASSERT_EQUAL(ouro_stream_read(client.stream, &byte, 1), OURO_ETLS);
    CU_ASSERT(has_text(ouro_tls_error_text(client.stream), "renegotiate"));
    CU_ASSERT_EQUAL(ouro_stream_write_all(client.stream, "x", 1), OURO_ETLS);
    end_end(&client);
    raw_done(&raw);
    return 0;
}

static void test_renegotiation_is_refused(void)
{
    on_all_rings(ask_for_renegotiation);
}

/* --- contexts ---------------------------------------------------------------------------------- */

static int outlive_context(void *arg)
{
    struct ends ends = connect_with(OURO_TLS_ANY);

    (void) arg;
    ouro_tls_context_destroy(ends.client.context);
    ouro_tls_context_destroy(ends.server.context);
    ouro_tls_context_destroy(NULL);
    ends.client.context = ends.server.context = NULL;
    send_text(ends.client.stream, "alive");
    expect_text(ends.server.stream, "alive");
    close_ends(&ends);
    return 0;
}

static void test_streams_outlive_the_users_context(void)
{
    on_all_rings(outlive_context);
}

static int accept_without_certificate(void *arg)
{
    struct ouro_tls_options client = client_options();
    struct ends ends = make_ends(&client, &client);

    (void) arg;
    CU_ASSERT_EQUAL(
        ouro_tls_accept_take(ends.server.context, ends.server.below, &ends.server.stream, NULL),
        -EINVAL);
    CU_ASSERT_EQUAL(shake(&ends.server), 0);
    CU_ASSERT_EQUAL(ends.server.code, -EINVAL);
    CU_ASSERT(has_text(ends.server.hint.text, "certificate"));
    close_ends(&ends);
    return 0;
}

static void test_server_without_certificate_is_refused(void)
{
    on_all_rings(accept_without_certificate);
}

/* A key that needs a password, which nobody is asked for. */
static void encrypt_key(char *text, size_t text_bytes)
{
    BIO *bio = BIO_new(BIO_s_mem());

    CU_ASSERT_EQUAL(PEM_write_bio_PKCS8PrivateKey(bio, pki.server.key, EVP_aes_128_cbc(), "pass", 4,
                                                  NULL, NULL),
                    1);
    keep_text(bio, text, text_bytes);
}

static void test_contexts_refuse_what_they_cannot_use_and_say_why(void)
{
    static char encrypted[1024], long_name[300];
    const char *cert = pki.server.certificate_pem, *key = pki.server.key_pem;
    const struct {
        struct ouro_tls_options options;
        int code;
        const char *hint;
    } cases[] = {
        {{.ca_file = "/no/such/file"}, -ENOENT, "/no/such/file: No such file"},
        {{.ca_dir = "/no/such/dir"}, -ENOENT, "/no/such/dir: No such file"},
        {{.ca_dir = "/dev/null"}, -ENOTDIR, "/dev/null: Not a directory"},
        {{.certificate_file = "/no/such", .key_pem = key}, -ENOENT, "/no/such: No such file"},
        {{.certificate_pem = cert}, -EINVAL, "belong together"},
        {{.key_pem = key}, -EINVAL, "belong together"},
        {{.certificate_pem = cert, .certificate_file = "x", .key_pem = key}, -EINVAL, "either"},
        {{.certificate_pem = cert, .key_pem = key, .key_file = "x"}, -EINVAL, "either"},
        {{.certificate_pem = "garbage", .key_pem = key}, OURO_ETLS, "certificate_pem: no start"},
        {{.certificate_pem = cert, .key_pem = "garbage"}, OURO_ETLS, "key_pem: "},
        {{.certificate_pem = cert, .key_pem = pki.client.key_pem}, OURO_ETLS, "values mismatch"},
        {{.certificate_pem = cert, .key_pem = encrypted}, OURO_ETLS, "key_pem: "},
        {{.ca_pem = ""}, OURO_ETLS, "ca_pem: no start line"},
        {{.alpn = ""}, -EINVAL, "alpn"},
        {{.alpn = "h2,"}, -EINVAL, "alpn"},
        {{.alpn = long_name}, -EINVAL, "alpn"},
        {{.version_min = OURO_TLS_1_3, .version_max = OURO_TLS_1_2}, -EINVAL, "version"},
        {{.version_min = (enum ouro_tls_version) 11}, -EINVAL, "version"},
        {{.clients = OURO_TLS_CLIENTS_MUST}, -EINVAL, "clients"},
        {{.clients = (enum ouro_tls_clients) 7}, -EINVAL, "clients"},
    };

    make_pki();
    encrypt_key(encrypted, sizeof(encrypted));
    memset(long_name, 'x', sizeof(long_name) - 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ouro_tls_context *context = NULL;
        struct ouro_tls_hint hint = {""};

        CU_ASSERT_EQUAL(ouro_tls_context_create(&cases[i].options, &context, &hint), cases[i].code);
        CU_ASSERT(has_text(hint.text, cases[i].hint));
        CU_ASSERT_EQUAL(ouro_tls_context_create(&cases[i].options, &context, NULL), cases[i].code);
        CU_ASSERT_PTR_NULL(context);
        CU_ASSERT_EQUAL(ERR_peek_error(), 0);
    }
}

/* The path of a new file with this text; remove it. */
static void make_file(char path[32], const char *text, const char *more)
{
    int fd;

    (void) strcpy(path, "/tmp/ouro_tls_test.XXXXXX");
    fd = mkstemp(path);
    CU_ASSERT(dprintf(fd, "%s%s", text, more) > 0);
    (void) close(fd);
}

/* A server's own certificate with that of a CA between it and the one that is trusted. */
static int use_files(void *arg)
{
    struct identity between = {0}, leaf = {0};
    char certificate_file[32], key_file[32], ca_file[32];
    struct ouro_tls_options client, server;
    struct ends ends;

    (void) arg;
    make_pki();
    make_identity(&between, &pki.ca, "between", NULL, -DAY, DAY);
    make_identity(&leaf, &between, "leaf", NAMES, -DAY, DAY);
    make_file(certificate_file, leaf.certificate_pem, between.certificate_pem);
    make_file(key_file, leaf.key_pem, "");
    make_file(ca_file, pki.other_ca.certificate_pem, pki.ca.certificate_pem);
    client = (struct ouro_tls_options) {.ca_file = ca_file};
    server = (struct ouro_tls_options) {.certificate_file = certificate_file, .key_file = key_file};
    ends = make_ends(&client, &server);
    shake_hands(&ends);
    CU_ASSERT_EQUAL(ends.client.code, 0);
    CU_ASSERT_STRING_EQUAL(ends.client.hint.text, "");
    close_ends(&ends);
    (void) unlink(certificate_file);
    (void) unlink(key_file);
    (void) unlink(ca_file);
    X509_free(between.certificate);
    EVP_PKEY_free(between.key);
    X509_free(leaf.certificate);
    EVP_PKEY_free(leaf.key);
    return 0;
}

static void test_files_may_hold_several_certificates(void)
{
    on_all_rings(use_files);
}

/* --- the stack ----------------------------------------------------------------------------- */

static size_t stack_used;

static int measure_shake(void *arg)
{
    struct stack stack = ouro__dispatcher->current->coro.stack;
    size_t used;

    (void) shake(arg);
    used = ouro__stack_high_water(stack);
    if (used > stack_used)
        stack_used = used;
    return 0;
}

/* All that verifies: the client a chain, and the server one as well. */
static int measure_handshake(void *arg)
{
    static const struct ouro_spawn_options small = {.stack = OURO_STACK_64K};

    (void) arg;
    for (int i = 0; i < 8; i++) {
        struct ouro_tls_options client = client_options();
        struct ouro_tls_options server = server_options(i / 4 ? &pki.rsa : &pki.server);
        struct ouro_group group;
        struct ends ends;

        client.certificate_pem = pki.client.certificate_pem;
        client.key_pem = pki.client.key_pem;
        client.version_max = i % 2 ? OURO_TLS_1_2 : OURO_TLS_1_3;
        server.clients = OURO_TLS_CLIENTS_MUST;
        ends = make_ends(&client, &server);
        ends.client.host = i / 2 % 2 ? "evil.example" : "good.example";
        ouro_group_init(&group);
        CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, measure_shake, &ends.server, &small), 0);
        CU_ASSERT_EQUAL(ouro_group_spawn_with(&group, measure_shake, &ends.client, &small), 0);
        CU_ASSERT_EQUAL(ouro_group_wait(&group), 0);
        close_ends(&ends);
    }
    return 0;
}

#ifdef OURO_ASAN
#define FRAMES_ARE_LARGER true
#else
#define FRAMES_ARE_LARGER false
#endif

static void test_handshake_needs_less_than_half_of_its_stack(void)
{
    if (FRAMES_ARE_LARGER) {
        TEST_SKIP("a sanitizer's frames are larger");
        return;
    }
    run_on_each_ring(measure_handshake, NULL);
    CU_ASSERT(stack_used > 4096);
    CU_ASSERT(stack_used < 32768);
    if (stack_used >= 32768)
        printf("    a handshake has used %zu bytes of stack\n", stack_used);
}

const struct test tls_tests[] = {
    TEST(test_both_ends_know_what_was_agreed_on),
    TEST(test_peer_is_that_of_the_stream_below),
    TEST(test_alpn_without_a_common_protocol_fails),
    TEST(test_versions_that_do_not_overlap_fail),
    TEST(test_only_a_trusted_certificate_for_the_host_is_accepted),
    TEST(test_insecure_client_talks_to_anybody),
    TEST(test_default_is_to_trust_the_systems_authorities_only),
    TEST(test_servers_verify_clients_as_far_as_they_are_told_to),
    TEST(test_megabyte_goes_both_ways_at_the_same_time),
    TEST(test_tls_may_begin_after_plain_text),
    TEST(test_each_direction_ends_on_its_own),
    TEST(test_cut_connection_does_not_look_like_its_end),
    TEST(test_changed_bytes_end_the_connection_and_the_peer_is_told),
    TEST(test_plain_text_is_no_handshake),
    TEST(test_peer_may_vanish_anywhere_in_the_handshake),
    TEST(test_handshake_can_be_interrupted_at_any_time),
    TEST(test_interrupted_read_loses_nothing),
    TEST(test_interrupted_write_is_the_last_one),
    TEST(test_close_says_goodbye_in_a_cancelled_task),
    TEST(test_close_waits_a_second_for_a_peer_that_does_not_read),
    TEST(test_key_updates_are_answered_although_the_writer_waits),
    TEST(test_writing_waits_for_the_rest_of_a_session_ticket),
    TEST(test_ticket_without_an_end_holds_nobody_up_for_long),
    TEST(test_renegotiation_is_refused),
    TEST(test_streams_outlive_the_users_context),
    TEST(test_server_without_certificate_is_refused),
    TEST(test_contexts_refuse_what_they_cannot_use_and_say_why),
    TEST(test_files_may_hold_several_certificates),
    TEST(test_handshake_needs_less_than_half_of_its_stack),
    TEST_END,
};
