/* SPDX-License-Identifier: MIT */
/*
 * ouro_tls.h - TLS 1.2 and 1.3 over any stream
 *
 *     code = ouro_tls_context_create(NULL, &context, &hint);
 *     code = ouro_dial("example.com", 443, NULL, &stream);
 *     code = ouro_tls_connect_take(context, stream, "example.com", &stream, &hint);
 *
 * What comes out is a stream like others: one task may read from it while another one
 * writes. The peer's certificate is verified, its name included, unless that is switched
 * off. What failed is told by a code, and why by a hint.
 */
#ifndef OURO_TLS_H
#define OURO_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "ouro_base.h"
#include "ouro_stream.h"

OURO_BEGIN_DECLS

struct ouro_tls_context;

/* Why something failed, in words: "certificate has expired", "hostname mismatch". */
struct ouro_tls_hint {
    char text[256];
};

enum ouro_tls_version { OURO_TLS_ANY = 0, OURO_TLS_1_2 = 12, OURO_TLS_1_3 = 13 };

/* What a server does about certificates of its clients. */
enum ouro_tls_clients {
    OURO_TLS_CLIENTS_UNKNOWN = 0, /* asks for none */
    OURO_TLS_CLIENTS_MAY,         /* asks; one that comes must be valid */
    OURO_TLS_CLIENTS_MUST         /* asks; without one there is no connection */
};

/*
 * How to be a client or a server. Files and text are PEM. NULL: none.
 *
 * Trust: as soon as one of the three ca_* is given, it replaces the system's trust store.
 */
struct ouro_tls_options {
    const char *certificate_file; /* the own certificate, then those of the CAs between */
    const char *certificate_pem;  /* the same as text; give one of the two, servers must */
    const char *key_file;         /* its key, not encrypted */
    const char *key_pem;
    const char *ca_file; /* certificates to trust */
    const char *ca_pem;
    const char *ca_dir;                /* the same as a directory, see openssl-rehash(1) */
    const char *alpn;                  /* protocols, best first: "h2,http/1.1" */
    enum ouro_tls_clients clients;     /* of servers; other than UNKNOWN needs a ca_* */
    enum ouro_tls_version version_min; /* OURO_TLS_ANY: 1.2 */
    enum ouro_tls_version version_max; /* OURO_TLS_ANY: the newest */
    bool insecure; /* clients talk to whoever answers: for tests, never for secrets */
};

/*
 * ouro_tls_context_create - settings for any number of connections, of both roles
 * @options:  NULL for defaults, with which one can be a client
 * @ret_hint: may be NULL; written on failure only
 *
 * Reads files: make contexts before there are connections to hold up. A context never
 * changes, so that several threads may use one.
 *
 * Context: any thread.
 * Returns: 0 and a context, owned, free with ouro_tls_context_destroy(); -EINVAL for
 *          options that contradict each other; -ENOENT, -EACCES, ... for a file or a
 *          directory; OURO_ETLS for what OpenSSL does not accept: no PEM, not the
 *          certificate's key, an encrypted key; -ENOMEM.
 */
OURO_API int ouro_tls_context_create(const struct ouro_tls_options *options,
                                     struct ouro_tls_context **ret_context,
                                     struct ouro_tls_hint *ret_hint);

/*
 * ouro_tls_context_destroy - give the context up; streams made with it go on
 * @context: NULL is allowed and does nothing
 *
 * Context: any thread.
 */
OURO_API void ouro_tls_context_destroy(struct ouro_tls_context *context);

/*
 * ouro_tls_connect_take - start TLS on a stream, as the client
 * @below:    taken on success, closed with the result; after a failure it is the
 *            caller's, fit only for closing
 * @host:     who the peer must be: a name (sent as SNI) or an address; a final dot, and
 *            brackets around an IPv6 address and its zone, are left out. NULL: nobody in
 *            particular, which only an `insecure` context accepts
 * @ret_hint: may be NULL; written on failure only
 *
 * Bytes that are in the buffers of `below` are part of the talk, so that plain text may
 * come first (STARTTLS). Before you start, take the plain text out to the last byte: what
 * remains buffered after the peer's "go ahead" is read as TLS, and never as plain text.
 *
 * Put a time limit around it: a silent peer is waited for without end.
 *
 * Context: task, may suspend. Needs about 16 KiB of stack: OURO_STACK_64K or larger.
 * Returns: 0 and a stream, owned, end it with ouro_stream_close(); OURO_ECERTIFICATE when
 *          the peer's certificate is not trusted or not for `host`; OURO_ETLS for all
 *          else that TLS does not allow, an alert of the peer included; OURO_EEOF when
 *          the peer ends the connection; -EINVAL for a bad host; -ENOMEM; -ECANCELED,
 *          -ETIMEDOUT; the errors of `below`.
 */
OURO_API OURO_TASK int ouro_tls_connect_take(struct ouro_tls_context *context,
                                             struct ouro_stream *below, const char *host,
                                             struct ouro_stream **ret_stream,
                                             struct ouro_tls_hint *ret_hint);

/*
 * ouro_tls_accept_take - start TLS on a stream, as the server
 * @context: with a certificate and its key
 *
 * Context, returns, the rest: as ouro_tls_connect_take(); OURO_ECERTIFICATE also for a
 *          client without a certificate that must have one; -EINVAL without a
 *          certificate of our own.
 */
OURO_API OURO_TASK int ouro_tls_accept_take(struct ouro_tls_context *context,
                                            struct ouro_stream *below,
                                            struct ouro_stream **ret_stream,
                                            struct ouro_tls_hint *ret_hint);

/*
 * What the stream does besides what all do (ouro_stream.h)
 *
 * read            0 only after the peer's close_notify. OURO_EEOF when the stream below
 *                 ends before: somebody may have cut it. OURO_ETLS for bytes that are not
 *                 TLS or were changed; nothing goes on after that. An interrupted read
 *                 has lost nothing.
 * write           After one that failed or was interrupted, all others fail with -EPIPE.
 *                 In the middle of a session ticket it waits for the rest, reading if
 *                 no other task does; shutdown_write and close likewise.
 * shutdown_write  Sends close_notify; reading goes on, and the stream below stays open.
 * close           Sends close_notify if none was, whatever interrupted the task, and
 *                 waits for at most a second when the peer does not read, or is in the
 *                 middle of a session ticket.
 * fd              -ENOTSUP.
 */

/*
 * Questions about a stream; for one that is not of TLS the answer is NULL, false or "".
 * Context: any thread. Strings belong to the stream.
 */

/* ouro_tls_version_text - "TLSv1.3" */
OURO_API const char *ouro_tls_version_text(struct ouro_stream *stream);

/* ouro_tls_alpn - the protocol that both want; NULL: one of them named none */
OURO_API const char *ouro_tls_alpn(struct ouro_stream *stream);

/* ouro_tls_server_name - the name that the client asked for by SNI; NULL: none */
OURO_API const char *ouro_tls_server_name(struct ouro_stream *stream);

/* ouro_tls_is_verified - whether the peer showed a certificate and it was found valid */
OURO_API bool ouro_tls_is_verified(struct ouro_stream *stream);

/* ouro_tls_error_text - why a call on the stream failed with an OURO_E*; "": none did */
OURO_API const char *ouro_tls_error_text(struct ouro_stream *stream);

OURO_END_DECLS

#endif /* OURO_TLS_H */
