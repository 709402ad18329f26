/* SPDX-License-Identifier: MIT */
/*
 * http_client.c - an HTTP/1.1 client; see ouro_http_client.h
 */
#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http1_reader.h"
#include "http1_write.h"
#include "http_client.h"
#include "url.h"

#define HEADER_BYTES_MAX 65536
#define HEADER_COUNT_MAX 256
#define BODY_SIZE_MIN    4096
#define CHUNK_BYTES      4096
#define INTERIM_MAX      8 /* 1xx responses before the real one; RFC 9110 §15.2 sets no limit */

struct ouro_http_response {
    struct ouro_stream *stream;
    struct http1_reader reader;
    unsigned next_field;
    bool head_done;
    bool body_done;
    bool is_for_head; /* answers HEAD: has no body, whatever it says */
    char *body;       /* what ouro_http_response_read_all() has read; NULL: not called */
    size_t body_len;
    size_t body_size;
    alignas(struct http1_field) char memory[]; /* fields, then text */
};

static const struct ouro_http_get_options no_options;

/* --- the request ------------------------------------------------------------------------- */

static bool has_field(const struct http_client_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return true;
    return false;
}

static void write_fields(struct http1_writer *writer, const struct ouro_http_field *fields,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        ouro__http1_write_field(writer, fields[i].name, fields[i].value);
}

/* RFC 9110 §8.6: methods that are about a body say so when they have none. */
static bool wants_length(const struct http_client_request *request)
{
    return request->body || strcmp(request->method, "POST") == 0 ||
           strcmp(request->method, "PUT") == 0;
}

static void write_framing(struct http1_writer *writer, const struct http_client_request *request)
{
    if (has_field(request, "Content-Length") || has_field(request, "Transfer-Encoding"))
        return;
    if (request->chunked)
        ouro__http1_write_field(writer, "Transfer-Encoding", "chunked");
    else if (wants_length(request))
        ouro__http1_write_number(writer, "Content-Length", request->body_len);
}

static void write_request(struct http1_writer *writer, const struct http_client_request *request)
{
    ouro__http1_write_request_line(writer, request->method, request->target, request->target_len);
    if (!has_field(request, "Host"))
        ouro__http1_write_field_len(writer, "Host", request->host, request->host_len);
    write_fields(writer, request->standard, request->standard_count);
    write_framing(writer, request);
    write_fields(writer, request->headers, request->header_count);
    ouro__http1_write_end(writer);
}

static size_t fields_size(const struct ouro_http_field *fields, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += strlen(fields[i].name) + strlen(fields[i].value) + 4;
    return size;
}

/* What the head can be long at most. */
static size_t head_size(const struct http_client_request *request)
{
    return 128 + strlen(request->method) + request->target_len + request->host_len +
           fields_size(request->standard, request->standard_count) +
           fields_size(request->headers, request->header_count);
}

int ouro__http_client_prepare(const struct http_client_request *request,
                              struct http_client_message *ret_message)
{
    size_t size = head_size(request);
    struct http1_writer writer;
    char *head = malloc(size);

    if (!head)
        return -ENOMEM;
    ouro__http1_write_init(&writer, head, size);
    write_request(&writer, request);
    if (writer.error) {
        free(head);
        return -EINVAL;
    }
    *ret_message = (struct http_client_message) {.head = head,
                                                 .head_len = writer.len,
                                                 .body = request->body,
                                                 .body_len = request->body_len,
                                                 .chunked = request->chunked};
    return 0;
}

static int write_chunk(struct ouro_stream *stream, const char *data, size_t len)
{
    char line[24];
    int code =
        ouro_stream_write(stream, line, (size_t) snprintf(line, sizeof(line), "%zx\r\n", len));

    if (!code)
        code = ouro_stream_write(stream, data, len);
    return code ? code : ouro_stream_write(stream, "\r\n", 2);
}

static int send_chunks(struct ouro_stream *stream, const char *data, size_t len)
{
    int code = 0;

    while (len && !code) {
        size_t piece = len < CHUNK_BYTES ? len : CHUNK_BYTES;

        code = write_chunk(stream, data, piece);
        data += piece;
        len -= piece;
    }
    return code ? code : ouro_stream_write_all(stream, "0\r\n\r\n", 5);
}

int ouro__http_client_send(struct ouro_stream *stream, const struct http_client_message *message)
{
    const struct iovec parts[] = {
        {.iov_base = message->head, .iov_len = message->head_len},
        {.iov_base = (void *) (uintptr_t) message->body, .iov_len = message->body_len}};
    int code;

    if (!message->chunked)
        return ouro_stream_writev_all(stream, parts, message->body_len ? 2 : 1);
    code = ouro_stream_write(stream, message->head, message->head_len);
    return code ? code : send_chunks(stream, message->body, message->body_len);
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
        int code;

        if (response->is_for_head)
            ouro__http1_parse_expect_no_body(&response->reader.parser);
        code = read_status_line(response);
        if (code || response->reader.parser.head.status >= 200)
            return code;
        code = skip_interim(response);
        if (code)
            return code;
    }
    return OURO_ELIMIT;
}

static struct ouro_http_response *create(struct ouro_stream *stream,
                                         const struct http_client_limits *limits)
{
    unsigned field_max = limits->header_count_max ? limits->header_count_max : HEADER_COUNT_MAX;
    size_t text_size = limits->header_bytes_max ? limits->header_bytes_max : HEADER_BYTES_MAX;
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
    response->body = NULL;
    response->body_len = response->body_size = 0;
    return response;
}

int ouro__http_client_receive_take(struct ouro_stream *stream, const char *method,
                                   const struct http_client_limits *limits,
                                   struct ouro_http_response **ret_response)
{
    struct ouro_http_response *response = create(stream, limits);
    int code;

    if (!response)
        return -ENOMEM;
    response->is_for_head = strcmp(method, "HEAD") == 0;
    code = begin_response(response);
    if (code)
        free(response);
    else
        *ret_response = response;
    return code;
}

/*
 * RFC 9112 §9.5: a server may have answered, and not want the rest. So that it stopped reading is
 * no error yet: the response is, or is missing.
 */
static bool is_about_the_rest(int code)
{
    return code == -EPIPE || code == -ECONNRESET;
}

int ouro__http_client_ask_take(struct ouro_stream *stream,
                               const struct http_client_request *request,
                               const struct http_client_limits *limits,
                               struct ouro_http_response **ret_response)
{
    struct http_client_message message;
    int code = ouro__http_client_prepare(request, &message);

    if (code)
        return code;
    code = ouro__http_client_send(stream, &message);
    free(message.head);
    if (code && !is_about_the_rest(code))
        return code;
    return ouro__http_client_receive_take(stream, request->method, limits, ret_response);
}

/* --- calls ------------------------------------------------------------------------------- */

static int get_over(struct ouro_stream *stream, const struct url *url,
                    const struct ouro_http_get_options *options,
                    struct ouro_http_response **ret_response)
{
    static const struct ouro_http_field standard[] = {
        {"User-Agent", "ouro"}, {"Accept", "*/*"}, {"Connection", "close"}};
    struct http_client_limits limits = {.header_bytes_max = options->header_bytes_max,
                                        .header_count_max = options->header_count_max};
    struct http_client_request request = {.method = "GET",
                                          .target = url->target,
                                          .target_len = url->target_len,
                                          .host = url->authority_text,
                                          .host_len = url->authority_len,
                                          .standard = standard,
                                          .standard_count = sizeof(standard) / sizeof(standard[0]),
                                          .headers = options->headers,
                                          .header_count = options->header_count};

    if (options->header_bytes_max && options->header_bytes_max < 64)
        return -EINVAL;
    return ouro__http_client_ask_take(stream, &request, &limits, ret_response);
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

/* Room for at least one byte more of the body, and the NUL. */
static int grow_body(struct ouro_http_response *response)
{
    size_t size = response->body_size ? 2 * response->body_size : BODY_SIZE_MIN;
    char *body;

    if (response->body_size > response->body_len + 1)
        return 0;
    body = realloc(response->body, size);
    if (!body)
        return -ENOMEM;
    response->body = body;
    response->body_size = size;
    return 0;
}

ssize_t ouro_http_response_read_all(struct ouro_http_response *response, size_t limit,
                                    const char **ret_body)
{
    ssize_t got = 1;

    while (got > 0 && response->body_len <= limit) {
        got = grow_body(response);
        if (!got)
            got = ouro_http_response_read(response, response->body + response->body_len,
                                          response->body_size - 1 - response->body_len);
        response->body_len += got > 0 ? (size_t) got : 0;
    }
    if (got < 0)
        return got;
    if (response->body_len > limit)
        return OURO_ELIMIT;
    response->body[response->body_len] = '\0';
    *ret_body = response->body;
    return (ssize_t) response->body_len;
}

void ouro_http_response_close(struct ouro_http_response *response)
{
    if (!response)
        return;
    (void) ouro_stream_close(response->stream);
    free(response->body);
    free(response);
}
