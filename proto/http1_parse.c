/* SPDX-License-Identifier: MIT */
/*
 * http1_parse.c - incremental HTTP/1.x parser; see http1_parse.h
 *
 * A simple head that is there as a whole is read by http1_scan.c. With all others
 * llhttp does the work on fields, chunks and body, with all leniency switched off. The
 * start line is collected and checked here before llhttp sees it: llhttp is relaxed
 * about it (several spaces, HTTP/0.9, RTSP, any number of empty lines before it, bare
 * LFs among them), and the answer to a bad one depends on what is bad.
 *
 * A message goes through these phases:
 *
 *     LINE ──▶ FIELDS ──▶ BODY ──▶ DONE        any ──▶ FAILED
 *                  └── no body ────▶
 *
 * The events may not depend on how the input was cut. llhttp guarantees that for its
 * own part. For ours: limits count bytes of the wire, and llhttp is never handed bytes
 * beyond a limit, so that a limit strikes at the same byte however they arrive; fields
 * are judged when they are complete, as llhttp reports parts of them.
 */
#include <string.h>

#include "ouro_base.h"

#include "http1_parse.h"
#include "http1_scan.h"

enum { LINE, FIELDS, BODY, DONE, FAILED };

/* --- errors ------------------------------------------------------------------------------ */

static int fail(struct http1_parser *parser, int error, int status, const char *reason)
{
    parser->phase = FAILED;
    parser->error = error;
    parser->fault.status = status;
    parser->fault.reason = reason;
    return error;
}

static int refuse(struct http1_parser *parser, int status, const char *reason)
{
    return fail(parser, OURO_EHTTP, status, reason);
}

/* --- what llhttp reports ----------------------------------------------------------------- */

static struct http1_parser *parser_of(llhttp_t *llhttp)
{
    return llhttp->data;
}

/* Ends llhttp_execute(), with whatever error of its own; ours is already in the parser. */
static int stop(struct http1_parser *parser, int error, int status, const char *reason)
{
    (void) fail(parser, error, status, reason);
    return HPE_USER;
}

/*
 * Room for a NUL is left. Running out is impossible as long as text is counted as
 * long as on the wire, and it is the wire that step() limits.
 */
static int append(struct http1_parser *parser, const char *text, size_t len)
{
    if (len >= parser->memory.text_size - parser->text_used)
        return stop(parser, OURO_ELIMIT, 431, "the head is too large");
    memcpy(parser->memory.text + parser->text_used, text, len);
    parser->text_used += len;
    return 0;
}

/* Ends the text that was appended since the last one; returns it with its length. */
static const char *take_text(struct http1_parser *parser, uint32_t *ret_len)
{
    const char *text = parser->memory.text + parser->text_start;

    *ret_len = (uint32_t) (parser->text_used - parser->text_start);
    parser->memory.text[parser->text_used++] = '\0';
    parser->text_start = parser->text_used;
    return text;
}

/* The field that is being read: the one behind those that are complete. */
static struct http1_field *current_field(struct http1_parser *parser)
{
    return &parser->memory.fields[parser->head.field_count + parser->head.trailer_count];
}

static int on_text(llhttp_t *llhttp, const char *text, size_t len)
{
    return append(parser_of(llhttp), text, len);
}

static int on_name_complete(llhttp_t *llhttp)
{
    struct http1_parser *parser = parser_of(llhttp);
    struct http1_field *field = current_field(parser);

    if (parser->head.field_count + parser->head.trailer_count == parser->memory.field_max)
        return stop(parser, OURO_ELIMIT, 431, "too many fields");
    field->name = take_text(parser, &field->name_len);
    return 0;
}

static int on_value_complete(llhttp_t *llhttp)
{
    struct http1_parser *parser = parser_of(llhttp);
    struct http1_field *field = current_field(parser);
    const char *text = parser->memory.text;

    /* llhttp drops the blanks before a value, but not those behind it. */
    while (parser->text_used > parser->text_start &&
           (text[parser->text_used - 1] == ' ' || text[parser->text_used - 1] == '\t'))
        parser->text_used--;
    field->value = take_text(parser, &field->value_len);

    if (!parser->in_trailers)
        parser->head.field_count++;
    else if (ouro__http1_trailer_is_forbidden(field))
        return stop(parser, OURO_EHTTP, 400, "a trailer that may not be one");
    else
        parser->head.trailer_count++;
    return 0;
}

static int on_head_complete(llhttp_t *llhttp)
{
    parser_of(llhttp)->event = HTTP1_HEAD;
    return HPE_PAUSED;
}

/* A pause before the trailers, so that step() can limit them from their first byte on. */
static int on_chunk_header(llhttp_t *llhttp)
{
    struct http1_parser *parser = parser_of(llhttp);

    if (llhttp->content_length)
        return 0;
    parser->in_trailers = true;
    return HPE_PAUSED;
}

static int on_extension(llhttp_t *llhttp, const char *text, size_t len)
{
    (void) text;
    parser_of(llhttp)->part_len += len;
    return 0;
}

/* RFC 9112 §7.1.1: both are tokens, or the value is quoted; llhttp also takes nothing for them. */
static int on_extension_complete(llhttp_t *llhttp)
{
    struct http1_parser *parser = parser_of(llhttp);

    if (!parser->part_len)
        return stop(parser, OURO_EHTTP, 400, "a chunk extension without a name or a value");
    parser->part_len = 0;
    return 0;
}

static int on_body(llhttp_t *llhttp, const char *data, size_t len)
{
    struct http1_parser *parser = parser_of(llhttp);

    if (!len)
        return 0;
    parser->body = data;
    parser->body_len = len;
    parser->event = HTTP1_BODY;
    return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *llhttp)
{
    parser_of(llhttp)->event = HTTP1_END;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_text,
    .on_header_field_complete = on_name_complete,
    .on_header_value = on_text,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_head_complete,
    .on_chunk_header = on_chunk_header,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_name_complete = on_extension_complete,
    .on_chunk_extension_value = on_extension,
    .on_chunk_extension_value_complete = on_extension_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* --- the start line ---------------------------------------------------------------------- */

/* How many bytes at `data` may be part of a start line; CR and LF are not. */
static size_t line_span(enum http1_kind kind, const char *data, size_t len)
{
    size_t i = 0;

    for (; i < len; i++) {
        unsigned char c = (unsigned char) data[i];

        if (c >= ' ' && c <= '~')
            continue;
        /* A reason phrase may have tabs and bytes of old charsets, RFC 9112 §4. */
        if (kind == HTTP1_REQUEST || (c != '\t' && c < 0x80))
            break;
    }
    return i;
}

/* Another protocol may never send the end of a line: it has to be known by its first bytes. */
static bool may_be_response(const struct http1_parser *parser, const char *data, size_t len)
{
    static const char start[] = "HTTP/";
    size_t known = parser->text_used;

    for (size_t i = 0; i < len && known + i < sizeof(start) - 1; i++)
        if (data[i] != start[known + i])
            return false;
    return true;
}

/* Copies what belongs to the line. Returns 1 when it is complete, 0 when there is to be more. */
static int collect_line(struct http1_parser *parser, const char *data, size_t len, size_t *ret_used)
{
    size_t room = parser->memory.line_max - parser->text_used;
    size_t span = 0;

    if (parser->head.kind == HTTP1_RESPONSE && !may_be_response(parser, data, len))
        return refuse(parser, 400, "not a status line");
    if (!parser->cr_seen) {
        span = line_span(parser->head.kind, data, len < room + 1 ? len : room + 1);
        if (span > room)
            return fail(parser, OURO_ELIMIT, 414, "the start line is too long");
        memcpy(parser->memory.text + parser->text_used, data, span);
        parser->text_used += span;
        if (span < len && data[span] == '\r') {
            parser->cr_seen = true;
            span++;
        }
    }
    *ret_used = span;
    if (span == len)
        return 0;
    if (!parser->cr_seen || data[span] != '\n')
        return refuse(parser, 400, "a byte that no start line has");
    *ret_used = span + 1;
    return 1;
}

/* "HTTP/1.1", in this form exactly. RFC 9112 §2.3 */
static int parse_version(struct http1_parser *parser, const char *text, size_t len)
{
    if (len != 8 || memcmp(text, "HTTP/", 5) != 0 || text[5] < '0' || text[5] > '9' ||
        text[6] != '.' || text[7] < '0' || text[7] > '9')
        return refuse(parser, 400, "not an HTTP version");
    if (text[5] != '1' || text[7] > '1')
        return refuse(parser, 505, "an HTTP version that is not supported");
    parser->head.minor_version = text[7] - '0';
    return 0;
}

/* llhttp follows along, as its work on the rest of the message depends on the start line. */
static int show_line_to_llhttp(struct http1_parser *parser)
{
    enum http1_kind kind = parser->head.kind;
    llhttp_t *llhttp = &parser->llhttp;

    llhttp_init(llhttp, kind == HTTP1_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    llhttp->data = parser;
    if (llhttp_execute(llhttp, parser->memory.text, parser->text_used) == HPE_OK &&
        llhttp_execute(llhttp, "\r\n", 2) == HPE_OK)
        return 0;
    switch (llhttp_get_errno(llhttp)) {
    case HPE_INVALID_METHOD:
    case HPE_INVALID_CONSTANT: /* a method of RTSP */
        return refuse(parser, 501, "an unknown method");
    default:
        return refuse(parser, 400, llhttp_get_error_reason(llhttp));
    }
}

bool ouro__http1_parse_knows_method(const char *method)
{
#define NAME(number, name, text) #text,
    static const char *const names[] = {HTTP_METHOD_MAP(NAME)};
#undef NAME

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], method) == 0)
            return strcmp(method, "PRI") != 0;
    return false;
}

/* RFC 9112 §3: method SP target SP version, with one space each. */
static int parse_request_line(struct http1_parser *parser)
{
    struct http1_head *head = &parser->head;
    char *line = parser->memory.text;
    char *end = line + parser->text_used;
    char *target = memchr(line, ' ', parser->text_used);
    char *version = target ? memchr(target + 1, ' ', (size_t) (end - target - 1)) : NULL;
    int code;

    if (!version || !ouro__http1_is_token(line, (size_t) (target - line)) ||
        version == target + 1 ||
        !ouro__url_target_is_valid(target + 1, (size_t) (version - target - 1)))
        return refuse(parser, 400, "not a request line");
    code = parse_version(parser, version + 1, (size_t) (end - version - 1));
    if (!code && memcmp(line, "PRI ", 4) == 0) /* HTTP/2's preface; llhttp would change protocol */
        code = refuse(parser, 501, "an unknown method");
    if (!code)
        code = show_line_to_llhttp(parser);
    if (code)
        return code;

    head->method = line;
    head->method_len = (size_t) (target - line);
    head->target = target + 1;
    head->target_len = (size_t) (version - target - 1);
    *target = *version = '\0';
    return 0;
}

/* RFC 9112 §4: version SP 3DIGIT SP [reason]; the second space is often forgotten. */
static int parse_status_line(struct http1_parser *parser)
{
    struct http1_head *head = &parser->head;
    const char *line = parser->memory.text;
    size_t len = parser->text_used;
    int code;

    if (len < 12 || line[8] != ' ' || (len > 12 && line[12] != ' '))
        return refuse(parser, 400, "not a status line");
    code = parse_version(parser, line, 8);
    if (code)
        return code;
    for (size_t i = 9; i < 12; i++)
        if (line[i] < '0' || line[i] > '9')
            return refuse(parser, 400, "not a status line");
    head->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    head->reason = len > 12 ? line + 13 : line + len;
    if (head->status < 100)
        return refuse(parser, 400, "not a status code");
    return show_line_to_llhttp(parser);
}

static int finish_line(struct http1_parser *parser)
{
    int code;

    /* RFC 9112 §2.2: an empty line before a request is forgiven, once. */
    if (!parser->text_used && parser->head.kind == HTTP1_REQUEST && !parser->line_skipped) {
        parser->line_skipped = true;
        parser->cr_seen = false;
        return 0;
    }
    parser->memory.text[parser->text_used] = '\0';
    if (parser->head.kind == HTTP1_REQUEST)
        code = parse_request_line(parser);
    else
        code = parse_status_line(parser);
    if (code)
        return code;
    parser->head_bytes = parser->text_used + 2;
    parser->text_start = ++parser->text_used;
    parser->phase = FIELDS;
    return 0;
}

/* Returns 0 when the line is done, 1 when there is to be more of it, or an error. */
static int read_line(struct http1_parser *parser, const char *data, size_t len, size_t *ret_used)
{
    size_t used = 0;

    *ret_used = 0;
    while (parser->phase == LINE) {
        int code = collect_line(parser, data + *ret_used, len - *ret_used, &used);

        if (code < 0)
            return code;
        *ret_used += used;
        if (!code)
            return 1;
        code = finish_line(parser);
        if (code)
            return code;
    }
    return 0;
}

/* --- fields, body, trailers -------------------------------------------------------------- */

static int check_head(struct http1_parser *parser)
{
    struct http1_head *head = &parser->head;

    if (ouro__http1_head_check(head, parser->without_body, &parser->known_host, &parser->fault))
        return refuse(parser, parser->fault.status, parser->fault.reason);
    parser->phase = head->framing == HTTP1_NO_BODY ? DONE : BODY;
    return HTTP1_HEAD;
}

static int finish_head(struct http1_parser *parser)
{
    struct http1_head *head = &parser->head;
    int code;

    head->has_content_length = parser->llhttp.flags & F_CONTENT_LENGTH;
    head->content_length = head->has_content_length ? parser->llhttp.content_length : 0;
    code = check_head(parser);
    if (code == HTTP1_HEAD && head->framing == HTTP1_CHUNKED && !(parser->llhttp.flags & F_CHUNKED))
        return refuse(parser, 400, "Transfer-Encoding is not \"chunked\"");
    return code;
}

static int finish_event(struct http1_parser *parser)
{
    enum http1_event event = parser->event;

    parser->event = HTTP1_MORE;
    if (event == HTTP1_HEAD)
        return finish_head(parser);
    if (event == HTTP1_END)
        parser->phase = DONE;
    return event;
}

/* The wire bytes that llhttp may see next; the end of the head needs no room for text. */
static size_t allowance(const struct http1_parser *parser)
{
    if (parser->phase == FIELDS)
        return parser->memory.text_size - parser->head_bytes;
    if (parser->in_trailers)
        return parser->memory.text_size + 2 - parser->head_bytes;
    return SIZE_MAX;
}

/* Counts what llhttp took, and was not body, against the limit for it. */
static int charge(struct http1_parser *parser, bool counts_as_head, size_t taken)
{
    if (counts_as_head) {
        parser->head_bytes += taken;
        return 0;
    }
    if (parser->head.framing != HTTP1_CHUNKED)
        return 0;
    if (parser->event == HTTP1_BODY)
        taken -= parser->body_len;
    parser->chunk_bytes += taken;
    if (parser->chunk_bytes > HTTP1_CHUNK_LINE_MAX)
        return fail(parser, OURO_ELIMIT, 400, "a chunk's size line is too long");
    if (parser->event == HTTP1_BODY)
        parser->chunk_bytes = 0;
    return 0;
}

/* For a head that is collected bit by bit, and looked at meanwhile. */
static void clear_head(struct http1_parser *parser)
{
    enum http1_kind kind = parser->head.kind;

    memset(&parser->head, 0, sizeof(parser->head));
    parser->head.kind = kind;
    parser->head.fields = parser->memory.fields;
}

/* Whether the whole head is at `data`, with no body behind it: see http1_scan.c. */
static bool scan_head(struct http1_parser *parser, const char *data, size_t len, size_t *ret_used)
{
    if (ouro__http1_parse_has_begun(parser))
        return false;
    if (parser->head.kind == HTTP1_REQUEST)
        *ret_used = ouro__http1_scan(data, len, &parser->memory, &parser->head);
    if (!*ret_used)
        clear_head(parser);
    parser->head_bytes = *ret_used;
    return *ret_used;
}

/* One call of llhttp. Returns an event, or an error. */
static int step(struct http1_parser *parser, const char *data, size_t len, size_t *ret_used)
{
    llhttp_t *llhttp = &parser->llhttp;
    bool is_head = parser->phase == FIELDS || parser->in_trailers;
    size_t allowed = allowance(parser);
    size_t given = len < allowed ? len : allowed;
    llhttp_errno_t error = llhttp_execute(llhttp, data, given);
    int code;

    *ret_used = error == HPE_OK ? given : (size_t) (llhttp_get_error_pos(llhttp) - data);
    if (parser->phase == FAILED)
        return parser->error;
    code = charge(parser, is_head, *ret_used);
    if (code)
        return code;
    if (error == HPE_PAUSED) {
        llhttp_resume(llhttp);
        return finish_event(parser);
    }
    if (error != HPE_OK)
        return refuse(parser, 400, llhttp_get_error_reason(llhttp));
    if (given == allowed)
        return fail(parser, OURO_ELIMIT, 431, "the head is too large");
    return HTTP1_MORE;
}

int ouro__http1_parse_feed(struct http1_parser *parser, const char *data, size_t len,
                           size_t *ret_used)
{
    size_t used = 0;
    int code = 0;

    *ret_used = 0;
    if (parser->phase == FAILED)
        return parser->error;
    if (parser->phase == LINE && !len)
        return HTTP1_MORE;
    if (parser->phase == LINE && scan_head(parser, data, len, ret_used))
        return check_head(parser);
    if (parser->phase == LINE)
        code = read_line(parser, data, len, ret_used);
    if (code)
        return code < 0 ? code : HTTP1_MORE;
    if (parser->phase == DONE)
        return HTTP1_END;
    /* HTTP1_MORE with bytes left is the pause before the trailers. */
    do {
        code = step(parser, data + *ret_used, len - *ret_used, &used);
        *ret_used += used;
    } while (code == HTTP1_MORE && *ret_used < len);
    return code;
}

/* --- life -------------------------------------------------------------------------------- */

void ouro__http1_parse_next(struct http1_parser *parser)
{
    parser->text_used = parser->text_start = parser->head_bytes = parser->chunk_bytes = 0;
    parser->part_len = 0;
    parser->phase = LINE;
    parser->event = HTTP1_MORE;
    parser->cr_seen = parser->line_skipped = false;
    parser->without_body = parser->in_trailers = false;
}

void ouro__http1_parse_init(struct http1_parser *parser, enum http1_kind kind,
                            const struct http1_memory *memory)
{
    parser->memory = *memory;
    /* The line's CRLF counts as head, and the line's own limit may not come too late. */
    if (parser->memory.line_max > memory->text_size - 3)
        parser->memory.line_max = memory->text_size - 3;
    parser->head.kind = kind;
    parser->known_host.len = 0;
    clear_head(parser);
    ouro__http1_parse_next(parser);
}

void ouro__http1_parse_expect_no_body(struct http1_parser *parser)
{
    parser->without_body = true;
}

int ouro__http1_parse_eof(struct http1_parser *parser)
{
    if (parser->phase == FAILED)
        return parser->error;
    if (!ouro__http1_parse_has_begun(parser))
        return HTTP1_MORE;
    if (parser->phase == BODY && parser->head.framing == HTTP1_UNTIL_CLOSE)
        parser->phase = DONE;
    return parser->phase == DONE ? HTTP1_END : OURO_EEOF;
}

bool ouro__http1_parse_has_begun(const struct http1_parser *parser)
{
    return parser->phase != LINE || parser->text_used || parser->cr_seen;
}

bool ouro__http1_parse_is_fresh(const struct http1_parser *parser)
{
    return !ouro__http1_parse_has_begun(parser) && !parser->line_skipped;
}

bool ouro__http1_parse_is_complete(const struct http1_parser *parser)
{
    return parser->phase == DONE;
}

bool ouro__http1_parse_has_line(const struct http1_parser *parser)
{
    return parser->phase != LINE && parser->head_bytes;
}
