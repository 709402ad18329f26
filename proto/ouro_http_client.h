/* SPDX-License-Identifier: MIT */
/*
 * ouro_http_client.h - an HTTP/1.1 client
 *
 *     code = ouro_http_get("http://example.com/", NULL, &response);
 *     while ((code = ouro_http_response_next_header(response, &name, &value)) > 0)
 *         printf("%s: %s\n", name, value);
 *     while ((len = ouro_http_response_read(response, buf, sizeof(buf))) > 0)
 *         fwrite(buf, 1, len, stdout);
 *     ouro_http_response_close(response);
 *
 * A response is read as it comes: status, header fields one by one, body in pieces. One
 * request goes over one connection. Time limits are scopes around the calls (ouro_timer.h).
 */
#ifndef OURO_HTTP_CLIENT_H
#define OURO_HTTP_CLIENT_H

#include <stddef.h>
#include <sys/types.h>

#include "ouro_base.h"
#include "ouro_stream.h"

OURO_BEGIN_DECLS

struct ouro_http_response;

struct ouro_http_field {
    const char *name;
    const char *value;
};

struct ouro_http_get_options {
    const struct ouro_http_field *headers; /* to be sent besides Host, Accept, User-Agent and
                                              Connection; NULL: none */
    size_t header_count;
    size_t header_bytes_max;   /* of the response's head; 0: 64 KiB */
    unsigned header_count_max; /* fields of the response, trailers included; 0: 256 */
    struct ouro_dial_options dial;
};

/*
 * ouro_http_get - connect, ask, and wait for the head of the response: status line and fields
 * @url:     "http://host[:port][/path][?query]"
 * @options: NULL for defaults
 *
 * Redirects are responses like others. Interim responses (1xx) are skipped.
 *
 * Context: task, may suspend.
 * Returns: 0 and a response, owned, end it with ouro_http_response_close(); OURO_EURL;
 *          -EINVAL for a header that HTTP does not allow; the errors of ouro_dial();
 *          OURO_EHTTP when what comes is not HTTP/1.x; OURO_EEOF when the server ends the
 *          connection before; OURO_ELIMIT; -ENOMEM; -ECANCELED, -ETIMEDOUT.
 */
OURO_API OURO_TASK int ouro_http_get(const char *url, const struct ouro_http_get_options *options,
                                     struct ouro_http_response **ret_response);

/*
 * ouro_http_get_over_take - the same over a stream that is there already
 * @stream: taken on success; closed with the response
 * @url:    says what to ask for, and whom; nothing is dialled
 *
 * Context, returns: as ouro_http_get().
 */
OURO_API OURO_TASK int ouro_http_get_over_take(struct ouro_stream *stream, const char *url,
                                               const struct ouro_http_get_options *options,
                                               struct ouro_http_response **ret_response);

/* ouro_http_response_status - 200 to 999. Context: any thread. */
OURO_API int ouro_http_response_status(const struct ouro_http_response *response);

/* ouro_http_response_reason - what follows the status; may be empty. Context: any thread. */
OURO_API const char *ouro_http_response_reason(const struct ouro_http_response *response);

/* ouro_http_response_version - "HTTP/1.0" or "HTTP/1.1". Context: any thread. */
OURO_API const char *ouro_http_response_version(const struct ouro_http_response *response);

/*
 * ouro_http_response_next_header - the next header field, as soon as it is there
 * @ret_name, @ret_value: valid until the response is closed
 *
 * In the order, the case and the number in which they come. That the head as a whole is
 * valid is known when it has ended.
 *
 * Context: task, may suspend.
 * Returns: 1; 0 after the last one; OURO_EHTTP, OURO_EEOF, OURO_ELIMIT; -ECANCELED,
 *          -ETIMEDOUT, or another error of the stream.
 */
OURO_API OURO_TASK int ouro_http_response_next_header(struct ouro_http_response *response,
                                                      const char **ret_name,
                                                      const char **ret_value);

/*
 * ouro_http_response_header - the value of the first header field of that name, in any case
 *
 * Waits for the end of the head. Does not disturb ouro_http_response_next_header().
 *
 * Context: task, may suspend.
 * Returns: 1; 0 when there is none; errors as ouro_http_response_next_header().
 */
OURO_API OURO_TASK int ouro_http_response_header(struct ouro_http_response *response,
                                                 const char *name, const char **ret_value);

/*
 * ouro_http_response_read - read up to `len` bytes of the body
 *
 * Context: task, may suspend.
 * Returns: bytes read; 0 at the end of the body; OURO_EEOF when the connection ends before
 *          the body does; otherwise as ouro_http_response_next_header().
 */
OURO_API OURO_TASK ssize_t ouro_http_response_read(struct ouro_http_response *response, void *buf,
                                                   size_t len);

/*
 * ouro_http_response_read_all - read the rest of the body, and keep it
 * @limit:    most bytes of it to accept
 * @ret_body: with a NUL behind it, valid until the response is closed
 *
 * An interrupted call, or one that failed for the limit, can be repeated: what it has read is
 * there. So is the whole for another call after one that succeeded.
 *
 * Context: task, may suspend.
 * Returns: the number of bytes, without the NUL; OURO_ELIMIT when there are more than `limit`;
 *          -ENOMEM; otherwise as ouro_http_response_read().
 */
OURO_API OURO_TASK ssize_t ouro_http_response_read_all(struct ouro_http_response *response,
                                                       size_t limit, const char **ret_body);

/*
 * ouro_http_response_close - end the connection and free the response, read or not
 * @response: NULL is allowed and does nothing
 *
 * Context: task, may suspend; a clean-up call: it is never interrupted.
 */
OURO_API OURO_TASK void ouro_http_response_close(struct ouro_http_response *response);

OURO_END_DECLS

#endif /* OURO_HTTP_CLIENT_H */
