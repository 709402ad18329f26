/* SPDX-License-Identifier: MIT */
/*
 * http_client.c - an HTTP/1.1 client; see ouro_http_client.h
 */
#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "http1_reader.h"
#include "http1_write.h"
#include "ouro_http_client.h"
#include "url.h"

#define HEADER_BYTES_MAX 65536
#define HEADER_COUNT_MAX 256
#define INTERIM_MAX      8 /* 1xx responses before the real one; RFC 9110 §15.2 sets no limit */

struct ouro_http_response {
    struct ouro_stream *stream;
    struct http1_reader reader;
    unsigned next_field;
    bool head_done;
    bool body_done;
    alignas(struct http1_field) char memory[]; /* fields, then text */
};

static const struct ouro_http_get_options no_options;

/* --- the request ------------------------------------------------------------------------- */

static void write_request(struct http1_writer *writer, const struct url *url,
                          const struct ouro_http_get_options *options)
{
    ouro__http1_write_request_line(writer, "GET", url->target, url->target_len);
    ouro__http1_write_field_len(writer, "Host", url->authority_text, url->authority_len);
    ouro__http1_write_field(writer, "User-Agent", "ouro");
    ouro__http1_write_field(writer, "Accept", "*/*");
    ouro__http1_write_field(writer, "Connection", "close");
    for (size_t i = 0; i < options->header_count; i++)
        ouro__http1_write_field(writer, options->headers[i].name, options->headers[i].value);
    ouro__http1_write_end(writer);
}

/* What the request can be long at most. */
static size_t request_size(const struct url *url, const struct ouro_http_get_options *options)
{
    size_t size = 256 + url->authority_len + url->target_len;

    for (size_t i = 0; i < options->header_count; i++)
        size += strlen(options->headers[i].name) + strlen(options->headers[i].value) + 4;
    return size;
}

static int send_request(struct ouro_stream *stream, const struct url *url,
                        const struct ouro_http_get_options *options)
{
    size_t size = request_size(url, options);
    struct http1_writer writer;
    char *buf = malloc(size);
    int code;

    if (!buf)
        return -ENOMEM;
    ouro__http1_write_init(&writer, buf, size);
    write_request(&writer, url, options);
    code = writer.error ? -EINVAL : ouro_stream_write_all(stream, buf, writer.len);
    free(buf);
    return code;
}

/* --- the response ------------------------------------------------------------------------ */

/* One step of the parser, or one wait for more bytes. Returns an event or an error. */
static int advance(struct ouro_http_response *response)
{
    int event = ouro__http1_reader_step(&response->reader);

    if (event == HTTP1_MORE) {
        int code = ouro__http1_reader_fill(&response->reader);

        if (code)
            return code < 0 ? code : HTTP1_MORE;
        event = ouro__http1_parse_eof(&response->reader.parser);
        if (event == HTTP1_MORE) /* not a byte of a response */
            return OURO_EEOF;
    }
    response->head_done |= event == HTTP1_HEAD;
    response->body_done |= event == HTTP1_END;
    return event;
}

/*
 * Goes on until the parser has a status line. When it has found an error behind that, the
 * error's time comes later: how the response was cut into packets makes no difference.
 */
static int read_status_line(struct ouro_http_response *response)
{
    const struct http1_parser *parser = &response->reader.parser;
    int event = 0;

    while (event >= 0 && !ouro__http1_parse_has_line(parser))
        event = advance(response);
    return ouro__http1_parse_has_line(parser) ? 0 : event;
}

static int skip_interim(struct ouro_http_response *response)
{
    int event = 0;

    while (event >= 0 && !response->body_done)
        event = advance(response);
    if (event < 0)
        return event;
    if (response->reader.parser.head.status == 101) /* we did not ask for it */
        return OURO_EHTTP;
    response->head_done = response->body_done = false;
    ouro__http1_parse_next(&response->reader.parser);
    return 0;
}

/* Reads up to the status line of the final response. */
static int begin_response(struct ouro_http_response *response)
{
    for (int i = 0; i <= INTERIM_MAX; i++) {
        int code = read_status_line(response);

        if (code || response->reader.parser.head.status >= 200)
            return code;
        code = skip_interim(response);
        if (code)
            return code;
    }
    return OURO_ELIMIT;
}

static struct ouro_http_response *create(struct ouro_stream *stream,
                                         const struct ouro_http_get_options *options)
{
    unsigned field_max = options->header_count_max ? options->header_count_max : HEADER_COUNT_MAX;
    size_t text_size = options->header_bytes_max ? options->header_bytes_max : HEADER_BYTES_MAX;
    size_t fields_size = field_max * sizeof(struct http1_field);
    struct ouro_http_response *response = malloc(sizeof(*response) + fields_size + text_size);
    struct http1_memory memory = {
        .text_size = text_size, .line_max = text_size, .field_max = field_max};

    if (!response)
        return NULL;
    memory.fields = (struct http1_field *) (void *) response->memory;
    memory.text = response->memory + fields_size;
    ouro__http1_reader_init(&response->reader, stream, HTTP1_RESPONSE, &memory);
    response->stream = stream;
    response->next_field = 0;
    response->head_done = response->body_done = false;
    return response;
}

/* --- calls ------------------------------------------------------------------------------- */

static int get_over(struct ouro_stream *stream, const struct url *url,
                    const struct ouro_http_get_options *options,
                    struct ouro_http_response **ret_response)
{
    struct ouro_http_response *response;
    int code;

    if (options->header_bytes_max && options->header_bytes_max < 64)
        return -EINVAL;
    response = create(stream, options);
    if (!response)
        return -ENOMEM;
    code = send_request(stream, url, options);
    if (!code)
        code = begin_response(response);
    if (code)
        free(response);
    else
        *ret_response = response;
    return code;
}

int ouro_http_get_over_take(struct ouro_stream *stream, const char *url,
                            const struct ouro_http_get_options *options,
                            struct ouro_http_response **ret_response)
{
    struct url parsed;
    int code = ouro__url_parse(url, strlen(url), &parsed);

    return code ? code : get_over(stream, &parsed, options ? options : &no_options, ret_response);
}

static int dial(const struct url *url, const struct ouro_http_get_options *options,
                struct ouro_stream **ret_stream)
{
    int port = url->authority.port < 0 ? 80 : url->authority.port;
    char *host = strndup(url->authority.host, url->authority.host_len);
    int code = host ? ouro_dial(host, port, &options->dial, ret_stream) : -ENOMEM;

    free(host);
    return code;
}

int ouro_http_get(const char *url, const struct ouro_http_get_options *options,
                  struct ouro_http_response **ret_response)
{
    struct ouro_stream *stream;
    struct url parsed;
    int code = ouro__url_parse(url, strlen(url), &parsed);

    if (!options)
        options = &no_options;
    if (!code)
        code = dial(&parsed, options, &stream);
    if (code)
        return code;
    code = get_over(stream, &parsed, options, ret_response);
    if (code)
        (void) ouro_stream_close(stream);
    return code;
}

int ouro_http_response_status(const struct ouro_http_response *response)
{
    return response->reader.parser.head.status;
}

const char *ouro_http_response_reason(const struct ouro_http_response *response)
{
    return response->reader.parser.head.reason;
}

const char *ouro_http_response_version(const struct ouro_http_response *response)
{
    return response->reader.parser.head.minor_version ? "HTTP/1.1" : "HTTP/1.0";
}

int ouro_http_response_next_header(struct ouro_http_response *response, const char **ret_name,
                                   const char **ret_value)
{
    const struct http1_head *head = &response->reader.parser.head;
    const struct http1_field *field;

    while (response->next_field == head->field_count && !response->head_done) {
        int event = advance(response);

        if (event < 0 && response->next_field == head->field_count)
            return event;
    }
    if (response->next_field == head->field_count)
        return 0;
    field = &head->fields[response->next_field++];
    *ret_name = field->name;
    *ret_value = field->value;
    return 1;
}

static int finish_head(struct ouro_http_response *response)
{
    int event = 0;

    while (event >= 0 && !response->head_done)
        event = advance(response);
    return event < 0 ? event : 0;
}

int ouro_http_response_header(struct ouro_http_response *response, const char *name,
                              const char **ret_value)
{
    const struct http1_field *field;
    int code = finish_head(response);

    if (code)
        return code;
    field = ouro__http1_head_find(&response->reader.parser.head, name, 0);
    if (!field)
        return 0;
    *ret_value = field->value;
    return 1;
}

ssize_t ouro_http_response_read(struct ouro_http_response *response, void *buf, size_t len)
{
    int event = finish_head(response);

    while (event >= 0 && !response->body_done && !response->reader.body_pending)
        event = advance(response);
    if (event < 0)
        return event;
    return (ssize_t) ouro__http1_reader_take(&response->reader, buf, len);
}

void ouro_http_response_close(struct ouro_http_response *response)
{
    if (!response)
        return;
    (void) ouro_stream_close(response->stream);
    free(response);
}
