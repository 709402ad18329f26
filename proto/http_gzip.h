/* SPDX-License-Identifier: MIT */
/*
 * http_gzip.h - answers compressed by gzip, where client, route and content allow it
 */
#ifndef OURO_HTTP_GZIP_H
#define OURO_HTTP_GZIP_H

#include "http_exchange.h"

/*
 * Whether the answer is to be compressed: the route says so, the client takes it, and the type
 * is one that gains by it. Adds to the answer's fields what RFC 9110 §12.5.5 and §8.4 want, also
 * where the answer depends on the client but this one gets it plain. Returns 1; 0; or -ENOMEM.
 */
int ouro__http_gzip_choose(struct ouro_http_exchange *exchange, int status,
                           const char *content_type, uint64_t length);

/*
 * Compresses a whole body into memory of the exchange. Returns 1; 0 when it would not become
 * smaller; or -ENOMEM.
 */
int ouro__http_gzip_whole(struct ouro_http_exchange *exchange, const void *body, size_t len,
                          const void **ret_body, size_t *ret_len);

/* Adds the field that says so. Returns 0 or -ENOMEM. */
int ouro__http_gzip_tell(struct ouro_http_exchange *exchange);

/* For a body in pieces. Returns 0 or -ENOMEM. */
int ouro__http_gzip_begin(struct ouro_http_exchange *exchange);

/* Compresses a piece and writes what comes out; all of it, so that nothing waits in here. */
OURO_TASK int ouro__http_gzip_write(struct ouro_http_exchange *exchange, const void *data,
                                    size_t len);

/* The last bytes. */
OURO_TASK int ouro__http_gzip_end(struct ouro_http_exchange *exchange);

/* Frees what ouro__http_gzip_begin() made; harmless without. */
void ouro__http_gzip_done(struct ouro_http_exchange *exchange);

#endif /* OURO_HTTP_GZIP_H */
