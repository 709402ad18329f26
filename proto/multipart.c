/* SPDX-License-Identifier: MIT */
/*
 * multipart.c - incremental parser of multipart/form-data; see multipart.h
 *
 * It goes through these phases:
 *
 *     SEEK ──▶ ENDING ──▶ BOUNDARY ──▶ PADDING ──▶ HEAD ──▶ SEEK ...     any ──▶ FAILED
 *       └── preamble ───────▶ └──▶ DASH ──▶ EPILOGUE
 *
 * SEEK looks for the delimiter, CRLF "--" boundary. A CR has no other place in it than the
 * first, as no boundary has one: so a match that fails has nothing in it where another could
 * begin, and needs no second look. When a piece of input ends within a match, its bytes are
 * held back: they are those of the delimiter, so nothing has to be kept but their number.
 *
 * At the start of the body, and where the data of a part begins, the delimiter lacks its
 * CRLF (RFC 2046 §5.1.1: the line before ends with it): a match is begun there with two bytes
 * that were never seen.
 */
#include <string.h>

#include "ouro_base.h"

#include "multipart.h"
#include "parameter.h"

enum {
    SEEK,
    ENDING,   /* the end of a part is to be told */
    BOUNDARY, /* behind the delimiter */
    DASH,     /* behind one '-' that follows it */
    PADDING,  /* blanks, up to the end of the delimiter's line */
    HEAD,
    EPILOGUE,
    FAILED
};

/* --- errors ------------------------------------------------------------------------------ */

static int fail(struct multipart_parser *parser, int error, const char *reason)
{
    parser->phase = FAILED;
    parser->error = error;
    parser->reason = reason;
    return error;
}

static int refuse(struct multipart_parser *parser, const char *reason)
{
    return fail(parser, OURO_EHTTP, reason);
}

/* --- the boundary ------------------------------------------------------------------------ */

/* RFC 2046 §5.1.1: bchars, of which the blank may not be the last. */
static bool is_boundary(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !(c && strchr("'()+_,-./:=? ", c)))
            return false;
    }
    return len && len <= MULTIPART_BOUNDARY_MAX && text[len - 1] != ' ';
}

int ouro__multipart_boundary(const char *content_type, size_t len, const char **ret_boundary,
                             size_t *ret_boundary_len)
{
    static const char type[] = "multipart/form-data";
    const size_t type_len = sizeof(type) - 1;
    const char *end = content_type + len, *at = content_type + type_len;
    struct parameter parameter, found = {.name = NULL};
    int code;

    if (len < type_len || !ouro__http1_name_equals(content_type, type_len, type))
        return OURO_EHTTP;
    while ((code = ouro__parameter_next(&at, end, &parameter)) > 0) {
        if (!ouro__http1_name_equals(parameter.name, parameter.name_len, "boundary"))
            continue;
        if (found.name)
            return OURO_EHTTP;
        found = parameter;
    }
    if (code || at < end || !found.name || !is_boundary(found.value, found.value_len))
        return OURO_EHTTP;
    *ret_boundary = found.value;
    *ret_boundary_len = found.value_len;
    return 0;
}

/* --- looking for the delimiter ----------------------------------------------------------- */

static void seek(struct multipart_parser *parser, bool in_part)
{
    parser->phase = SEEK;
    parser->in_part = in_part;
    parser->matched = parser->unseen = 2;
}

/* Goes on with a match. Returns how many bytes at `data` belong to it. */
static size_t match(struct multipart_parser *parser, const char *data, size_t len)
{
    size_t i = 0;

    while (i < len && parser->matched < parser->delimiter_len &&
           data[i] == parser->delimiter[parser->matched]) {
        parser->matched++;
        i++;
    }
    return i;
}

static int found_data(struct multipart_parser *parser, const char *data, size_t len)
{
    if (!len || !parser->in_part)
        return MULTIPART_MORE;
    parser->data = data;
    parser->data_len = len;
    return MULTIPART_DATA;
}

static void found_delimiter(struct multipart_parser *parser)
{
    parser->matched = parser->unseen = 0;
    parser->phase = parser->in_part ? ENDING : BOUNDARY;
}

/* Goes on with the match of an earlier piece. If it fails, what was held back is data. */
static int resume_match(struct multipart_parser *parser, const char *data, size_t len,
                        size_t *ret_used)
{
    size_t held = parser->matched;
    size_t unseen = parser->unseen;

    *ret_used = match(parser, data, len);
    if (parser->matched == parser->delimiter_len) {
        found_delimiter(parser);
        return MULTIPART_MORE;
    }
    if (*ret_used == len)
        return MULTIPART_MORE;
    parser->matched = parser->unseen = 0;
    *ret_used = 0;
    return found_data(parser, parser->delimiter + unseen, held - unseen);
}

static int step_seek(struct multipart_parser *parser, const char *data, size_t len,
                     size_t *ret_used)
{
    const char *at = data, *end = data + len;

    if (parser->matched)
        return resume_match(parser, data, len, ret_used);
    while (at < end) {
        const char *start = memchr(at, '\r', (size_t) (end - at));

        if (!start)
            break;
        at = start + match(parser, start, (size_t) (end - start));
        if (at == end || parser->matched == parser->delimiter_len) {
            if (parser->matched == parser->delimiter_len)
                found_delimiter(parser);
            *ret_used = (size_t) (at - data);
            return found_data(parser, data, (size_t) (start - data));
        }
        parser->matched = 0;
    }
    *ret_used = len;
    return found_data(parser, data, len);
}

/* --- the line of the delimiter ----------------------------------------------------------- */

static int step_dash(struct multipart_parser *parser, char c)
{
    if (c != '-')
        return refuse(parser, "a line that begins like the boundary");
    parser->phase = EPILOGUE;
    return MULTIPART_END;
}

static void begin_head(struct multipart_parser *parser)
{
    memset(&parser->part, 0, sizeof(parser->part));
    parser->part.fields = parser->memory.fields;
    parser->text_used = parser->line_start = 0;
    parser->phase = HEAD;
}

/* RFC 2046 §5.1.1: blanks that transport may have added. */
static int step_padding(struct multipart_parser *parser, char c)
{
    if (parser->cr_seen) {
        parser->cr_seen = false;
        if (c != '\n')
            return refuse(parser, "a line without its LF");
        begin_head(parser);
    } else if (c == '\r') {
        parser->cr_seen = true;
    } else if (c != ' ' && c != '\t') {
        return refuse(parser, "a line that begins like the boundary");
    }
    return MULTIPART_MORE;
}

/* --- the head of a part ------------------------------------------------------------------ */

static struct http1_field *find_field(const struct multipart_part *part, const char *name,
                                      unsigned *ret_count)
{
    struct http1_field *found = NULL;

    *ret_count = 0;
    for (unsigned i = 0; i < part->field_count; i++) {
        struct http1_field *field = &part->fields[i];

        if (!ouro__http1_name_equals(field->name, field->name_len, name))
            continue;
        if (!(*ret_count)++)
            found = field;
    }
    return found;
}

/*
 * Copies the value of a parameter behind the fields. Browsers write %22 for a quote, which
 * stays; others write \" and \\; a backslash before anything else is one, in paths of Windows.
 */
static int take_text(struct multipart_parser *parser, const struct parameter *parameter,
                     const char **ret_text, size_t *ret_len)
{
    char *out = parser->memory.text + parser->text_used;
    size_t room = parser->memory.text_size - parser->text_used;
    size_t len = 0;

    for (size_t i = 0; i < parameter->value_len; i++) {
        const char *c = &parameter->value[i];

        if (*c == '\\' && (c[1] == '"' || c[1] == '\\')) {
            c++;
            i++;
        }
        if (len == room)
            break;
        out[len++] = *c;
    }
    if (len == room)
        return fail(parser, OURO_ELIMIT, "the head of a part is too large");
    out[len] = '\0';
    parser->text_used += len + 1;
    *ret_text = out;
    *ret_len = len;
    return 0;
}

static int take_parameter(struct multipart_parser *parser, const struct parameter *parameter)
{
    struct multipart_part *part = &parser->part;

    if (ouro__http1_name_equals(parameter->name, parameter->name_len, "name")) {
        if (part->name)
            return refuse(parser, "a part with two names");
        return take_text(parser, parameter, &part->name, &part->name_len);
    }
    if (ouro__http1_name_equals(parameter->name, parameter->name_len, "filename")) {
        if (part->filename)
            return refuse(parser, "a part with two filenames");
        return take_text(parser, parameter, &part->filename, &part->filename_len);
    }
    /* RFC 7578 §4.2 forbids filename*; two readers could take different names. */
    return 0;
}

/* RFC 7578 §4.2 */
static int read_disposition(struct multipart_parser *parser, const struct http1_field *field)
{
    const char *end = field->value + field->value_len;
    const char *at = ouro__parameter_skip_token(field->value, end);
    struct parameter parameter;
    int code;

    if (!ouro__http1_name_equals(field->value, (size_t) (at - field->value), "form-data"))
        return refuse(parser, "Content-Disposition is not \"form-data\"");
    while ((code = ouro__parameter_next(&at, end, &parameter)) > 0) {
        code = take_parameter(parser, &parameter);
        if (code)
            return code;
    }
    if (code || at < end)
        return refuse(parser, "Content-Disposition is not valid");
    return parser->part.name ? 0 : refuse(parser, "a part without a name");
}

static int finish_head(struct multipart_parser *parser)
{
    struct multipart_part *part = &parser->part;
    unsigned dispositions, types;
    const struct http1_field *disposition, *type;
    int code;

    disposition = find_field(part, "content-disposition", &dispositions);
    type = find_field(part, "content-type", &types);
    if (dispositions != 1 || types > 1)
        return refuse(parser, "a field of a part is missing or repeated");
    code = read_disposition(parser, disposition);
    if (code)
        return code;
    part->content_type = type ? type->value : NULL;
    seek(parser, /* in_part= */ true);
    return MULTIPART_PART;
}

/* Makes a field of the line that was collected. */
static int finish_field(struct multipart_parser *parser)
{
    struct multipart_part *part = &parser->part;
    char *line = parser->memory.text + parser->line_start;
    char *end = parser->memory.text + parser->text_used;
    char *colon = memchr(line, ':', (size_t) (end - line));
    const char *value;
    struct http1_field *field;

    if (!colon || !ouro__http1_is_token(line, (size_t) (colon - line)))
        return refuse(parser, "not a field");
    if (part->field_count == parser->memory.field_max)
        return fail(parser, OURO_ELIMIT, "too many fields in a part");
    value = ouro__parameter_skip_blanks(colon + 1, end);
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *colon = *end = '\0';
    field = &part->fields[part->field_count++];
    field->name = line;
    field->name_len = (uint32_t) (colon - line);
    field->value = value;
    field->value_len = (uint32_t) (end - value);
    parser->line_start = ++parser->text_used;
    return MULTIPART_MORE;
}

static int finish_line(struct multipart_parser *parser)
{
    if (parser->text_used == parser->line_start)
        return finish_head(parser);
    return finish_field(parser);
}

/* How many bytes at `data` may be part of a field. */
static size_t line_span(const char *data, size_t len)
{
    size_t i = 0;

    while (i < len && ((unsigned char) data[i] >= ' ' || data[i] == '\t') && data[i] != 0x7f)
        i++;
    return i;
}

/* Collects a line, up to its CR, and leaves room for its NUL. */
static int collect_line(struct multipart_parser *parser, const char *data, size_t len,
                        size_t *ret_used)
{
    size_t room = parser->memory.text_size - parser->text_used;
    size_t span = line_span(data, len < room ? len : room ? room : 1);

    if (span && span >= room)
        return fail(parser, OURO_ELIMIT, "the head of a part is too large");
    memcpy(parser->memory.text + parser->text_used, data, span);
    parser->text_used += span;
    *ret_used = span;
    if (span == len)
        return MULTIPART_MORE;
    if (data[span] != '\r')
        return refuse(parser, "a byte that no field has");
    parser->cr_seen = true;
    *ret_used = span + 1;
    return MULTIPART_MORE;
}

static int step_head(struct multipart_parser *parser, const char *data, size_t len,
                     size_t *ret_used)
{
    if (!parser->cr_seen)
        return collect_line(parser, data, len, ret_used);
    *ret_used = 1;
    parser->cr_seen = false;
    if (data[0] != '\n')
        return refuse(parser, "a line without its LF");
    return finish_line(parser);
}

/* --- life -------------------------------------------------------------------------------- */

/* One step; all but ENDING need a byte. MULTIPART_MORE is no event here. */
static int step(struct multipart_parser *parser, const char *data, size_t len, size_t *ret_used)
{
    *ret_used = 1;
    switch (parser->phase) {
    case SEEK:
        return step_seek(parser, data, len, ret_used);
    case ENDING:
        *ret_used = 0;
        parser->phase = BOUNDARY;
        return MULTIPART_PART_END;
    case BOUNDARY:
        /* One look ahead; PADDING takes what isn't a dash. */
        *ret_used = data[0] == '-';
        parser->phase = data[0] == '-' ? DASH : PADDING;
        return MULTIPART_MORE;
    case DASH:
        return step_dash(parser, data[0]);
    case PADDING:
        return step_padding(parser, data[0]);
    case HEAD:
        return step_head(parser, data, len, ret_used);
    default: /* EPILOGUE */
        *ret_used = len;
        return MULTIPART_MORE;
    }
}

int ouro__multipart_feed(struct multipart_parser *parser, const char *data, size_t len,
                         size_t *ret_used)
{
    int event = MULTIPART_MORE;
    size_t total = 0, used = 0;

    if (parser->phase == FAILED)
        return parser->error;
    while (event == MULTIPART_MORE && (total < len || parser->phase == ENDING)) {
        event = step(parser, data + total, len - total, &used);
        if (event < 0)
            return event;
        total += used;
    }
    *ret_used = total;
    return event;
}

void ouro__multipart_init(struct multipart_parser *parser, const char *boundary,
                          size_t boundary_len, const struct multipart_memory *memory)
{
    memset(parser, 0, sizeof(*parser));
    parser->memory = *memory;
    memcpy(parser->delimiter, "\r\n--", 4);
    memcpy(parser->delimiter + 4, boundary, boundary_len);
    parser->delimiter_len = 4 + boundary_len;
    seek(parser, /* in_part= */ false);
}

int ouro__multipart_eof(const struct multipart_parser *parser)
{
    if (parser->phase == FAILED)
        return parser->error;
    return parser->phase == EPILOGUE ? MULTIPART_END : OURO_EEOF;
}
