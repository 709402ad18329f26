/* SPDX-License-Identifier: MIT */
/*
 * http_request.c - the body of a request, as handlers see it; see http_exchange.h
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http_exchange.h"

#define FIRST_SIZE (4 * 1024)

int ouro_http_peer(struct ouro_http_exchange *exchange, struct ouro_address *ret_address)
{
    return exchange->ops->peer(exchange, ret_address);
}

ssize_t ouro_http_read(struct ouro_http_exchange *exchange, void *buf, size_t len)
{
    return exchange->ops->read(exchange, buf, len);
}

bool ouro_http_trailer_at(const struct ouro_http_exchange *exchange, size_t index,
                          const char **ret_name, const char **ret_value)
{
    const struct http1_head *request = exchange->request;

    if (index >= request->trailer_count)
        return false;
    *ret_name = request->fields[request->field_count + index].name;
    *ret_value = request->fields[request->field_count + index].value;
    return true;
}

/* --- the whole body ---------------------------------------------------------------------- */

/* Memory grows as the bytes come: what the client says about the length costs nothing yet. */
static int grow(struct ouro_http_exchange *exchange)
{
    size_t new_size = exchange->body_size ? 2 * exchange->body_size : FIRST_SIZE;
    char *body = realloc(exchange->body, new_size);

    if (!body)
        return -ENOMEM;
    exchange->body = body;
    exchange->body_size = new_size;
    return 0;
}

/* Room for a NUL is kept. */
static int read_whole(struct ouro_http_exchange *exchange)
{
    ssize_t result = 1;

    while (result > 0) {
        if (exchange->body_size - exchange->body_len < 2) {
            int code = grow(exchange);

            if (code)
                return code;
        }
        result = ouro_http_read(exchange, exchange->body + exchange->body_len,
                                exchange->body_size - exchange->body_len - 1);
        exchange->body_len += result > 0 ? (size_t) result : 0;
    }
    exchange->body[exchange->body_len] = '\0';
    return (int) result;
}

int ouro_http_read_all(struct ouro_http_exchange *exchange, const char **ret_data, size_t *ret_len)
{
    if (!exchange->body_is_read) {
        int code = read_whole(exchange);

        if (code)
            return code;
        exchange->body_is_read = true;
    }
    *ret_data = exchange->body;
    *ret_len = exchange->body_len;
    return 0;
}
