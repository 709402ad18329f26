/* SPDX-License-Identifier: MIT */
/*
 * arena_items.c - the items of HttpArena's dataset.json: read once, written into every answer
 *
 * A reader of JSON for objects of one known kind, not for JSON as such: fields that it does not
 * know are an error, numbers are integers, and strings have no \u. Its cursor remembers the first
 * error, so that only the ends of calls look at it. The suite's rule is that no answer may be made
 * beforehand, not even a part of one; so what is kept are values, and texts are escaped each time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena_items.h"

#define FILE_BYTES_MAX (16u << 20)

/* --- reading ------------------------------------------------------------------------------- */

struct reader {
    const char *at;
    int error; /* the first one; nothing is read after it */
};

static void fail(struct reader *reader, int error)
{
    if (!reader->error)
        reader->error = error;
    reader->at = "";
}

static void skip_blanks(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n");
}

/* Whether `token` comes next; then it is passed over. */
static bool take(struct reader *reader, const char *token)
{
    size_t len = strlen(token);

    skip_blanks(reader);
    if (strncmp(reader->at, token, len) != 0)
        return false;
    reader->at += len;
    return true;
}

static void expect(struct reader *reader, const char *token)
{
    if (!take(reader, token))
        fail(reader, -EBADMSG);
}

static int64_t read_number(struct reader *reader)
{
    char *end;
    long long value;

    skip_blanks(reader);
    errno = 0;
    value = strtoll(reader->at, &end, 10);
    if (end == reader->at || errno)
        fail(reader, -EBADMSG);
    else
        reader->at = end;
    return value;
}

static bool read_bool(struct reader *reader)
{
    if (take(reader, "true"))
        return true;
    expect(reader, "false");
    return false;
}

/* How long the text up to the closing quote is, with its escapes. */
static size_t raw_length(const char *text)
{
    size_t len = 0;

    while (text[len] && text[len] != '"')
        len += text[len] == '\\' && text[len + 1] ? 2 : 1;
    return len;
}

/* What stands behind a backslash; NUL when that is nothing we know. */
static char unescaped(char c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *place = strchr(from, c);

    return to[place ? (size_t) (place - from) : sizeof(to) - 1];
}

/* Returns the end of what it has written, or NULL. */
static char *unescape(const char *text, size_t len, char *to)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if ((unsigned char) c < ' ')
            return NULL;
        if (c == '\\')
            c = unescaped(text[++i]);
        if (!c)
            return NULL;
        *to++ = c;
    }
    return to;
}

/* Owned by the caller; NULL after an error. */
static char *read_string(struct reader *reader)
{
    char *text, *end;
    size_t len;

    expect(reader, "\"");
    len = raw_length(reader->at);
    text = malloc(len + 1);
    if (!text) {
        fail(reader, -ENOMEM);
        return NULL;
    }
    end = unescape(reader->at, len, text);
    if (end)
        *end = '\0';
    else
        fail(reader, -EBADMSG);
    reader->at += reader->error ? 0 : len;
    expect(reader, "\"");
    if (!reader->error)
        return text;
    free(text);
    return NULL;
}

/* A member's name and the colon; whether there is one more before the end of the object. */
static bool next_member(struct reader *reader, bool is_first, char name[32])
{
    size_t len;

    if (is_first)
        expect(reader, "{");
    if (reader->error || take(reader, "}"))
        return false;
    if (!is_first)
        expect(reader, ",");
    expect(reader, "\"");
    len = strcspn(reader->at, "\"\\");
    if (len >= 32 || reader->at[len] != '"')
        fail(reader, -EBADMSG);
    if (reader->error)
        return false;
    memcpy(name, reader->at, len);
    name[len] = '\0';
    reader->at += len + 1;
    expect(reader, ":");
    return !reader->error;
}

static void read_tags(struct reader *reader, struct arena_item *item)
{
    expect(reader, "[");
    if (item->tag_count) /* twice the same member */
        fail(reader, -EBADMSG);
    if (take(reader, "]"))
        return;
    do {
        if (item->tag_count == ARENA_TAGS_MAX)
            fail(reader, -EBADMSG);
        else if ((item->tags[item->tag_count] = read_string(reader)))
            item->tag_count++;
    } while (!reader->error && take(reader, ","));
    expect(reader, "]");
}

static void read_rating(struct reader *reader, struct arena_item *item)
{
    char name[32];

    for (bool is_first = true; next_member(reader, is_first, name); is_first = false) {
        if (strcmp(name, "score") == 0)
            item->score = read_number(reader);
        else if (strcmp(name, "count") == 0)
            item->count = read_number(reader);
        else
            fail(reader, -EBADMSG);
    }
}

static void replace_string(struct reader *reader, char **place)
{
    free(*place);
    *place = read_string(reader);
}

static void read_member(struct reader *reader, const char *name, struct arena_item *item)
{
    if (strcmp(name, "id") == 0)
        item->id = read_number(reader);
    else if (strcmp(name, "name") == 0)
        replace_string(reader, &item->name);
    else if (strcmp(name, "category") == 0)
        replace_string(reader, &item->category);
    else if (strcmp(name, "price") == 0)
        item->price = read_number(reader);
    else if (strcmp(name, "quantity") == 0)
        item->quantity = read_number(reader);
    else if (strcmp(name, "active") == 0)
        item->active = read_bool(reader);
    else if (strcmp(name, "tags") == 0)
        read_tags(reader, item);
    else if (strcmp(name, "rating") == 0)
        read_rating(reader, item);
    else
        fail(reader, -EBADMSG);
}

static void read_item(struct reader *reader, struct arena_item *item)
{
    char name[32];

    for (bool is_first = true; next_member(reader, is_first, name); is_first = false)
        read_member(reader, name, item);
    if (!item->name || !item->category)
        fail(reader, -EBADMSG);
}

/* A new item at the end, all zero; NULL without memory. */
static struct arena_item *append(struct arena_items *items)
{
    struct arena_item *more =
        realloc(items->items, (items->count + 1) * sizeof(*more)); /* once, at the start */

    if (!more)
        return NULL;
    items->items = more;
    memset(&more[items->count], 0, sizeof(*more));
    return &more[items->count++];
}

static int read_items(const char *text, struct arena_items *items)
{
    struct reader reader = {.at = text};

    expect(&reader, "[");
    do {
        struct arena_item *item = append(items);

        if (item)
            read_item(&reader, item);
        else
            fail(&reader, -ENOMEM);
    } while (!reader.error && take(&reader, ","));
    expect(&reader, "]");
    skip_blanks(&reader);
    return *reader.at ? -EBADMSG : reader.error;
}

/* The file as a string, owned by the caller. */
static int read_file(const char *path, char **ret_text)
{
    FILE *file = fopen(path, "re");
    size_t len = 0;
    char *text;

    if (!file)
        return -errno;
    text = malloc(FILE_BYTES_MAX + 1);
    if (text)
        len = fread(text, 1, FILE_BYTES_MAX, file);
    if (!text || ferror(file) || len == FILE_BYTES_MAX) {
        int code = !text ? -ENOMEM : ferror(file) ? -EIO : -EFBIG;

        free(text);
        (void) fclose(file);
        return code;
    }
    (void) fclose(file);
    text[len] = '\0';
    *ret_text = text;
    return 0;
}

int arena_items_load(const char *path, struct arena_items *ret_items)
{
    struct arena_items items = {NULL, 0};
    char *text = NULL;
    int code = read_file(path, &text);

    if (!code)
        code = read_items(text, &items);
    free(text);
    if (code)
        arena_items_free(&items);
    else
        *ret_items = items;
    return code;
}

void arena_items_free(struct arena_items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        free(items->items[i].name);
        free(items->items[i].category);
        for (size_t tag = 0; tag < items->items[i].tag_count; tag++)
            free(items->items[i].tags[tag]);
    }
    free(items->items);
    *items = (struct arena_items) {NULL, 0};
}

/* --- writing ------------------------------------------------------------------------------- */

/* What goes into `text`, which was made large enough by worst_length(). */
struct writer {
    char *to;
};

static void put(struct writer *writer, const char *text)
{
    size_t len = strlen(text);

    memcpy(writer->to, text, len);
    writer->to += len;
}

static void put_number(struct writer *writer, int64_t value)
{
    char digits[20], *at = digits + sizeof(digits);
    uint64_t rest = value < 0 ? -(uint64_t) value : (uint64_t) value;

    do
        *--at = (char) ('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *writer->to++ = '-';
    memcpy(writer->to, at, (size_t) (digits + sizeof(digits) - at));
    writer->to += digits + sizeof(digits) - at;
}

static void put_string(struct writer *writer, const char *text)
{
    static const char hex[] = "0123456789abcdef";

    *writer->to++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            *writer->to++ = '\\';
        if ((unsigned char) *text >= ' ') {
            *writer->to++ = *text;
        } else {
            put(writer, "\\u00");
            *writer->to++ = hex[*text >> 4];
            *writer->to++ = hex[*text & 15];
        }
    }
    *writer->to++ = '"';
}

static void put_tags(struct writer *writer, const struct arena_item *item)
{
    for (size_t i = 0; i < item->tag_count; i++) {
        if (i)
            put(writer, ",");
        put_string(writer, item->tags[i]);
    }
}

static void put_item(struct writer *writer, const struct arena_item *item, int64_t total)
{
    put(writer, "{\"id\":");
    put_number(writer, item->id);
    put(writer, ",\"name\":");
    put_string(writer, item->name);
    put(writer, ",\"category\":");
    put_string(writer, item->category);
    put(writer, ",\"price\":");
    put_number(writer, item->price);
    put(writer, ",\"quantity\":");
    put_number(writer, item->quantity);
    put(writer, item->active ? ",\"active\":true,\"tags\":[" : ",\"active\":false,\"tags\":[");
    put_tags(writer, item);
    put(writer, "],\"rating\":{\"score\":");
    put_number(writer, item->score);
    put(writer, ",\"count\":");
    put_number(writer, item->count);
    put(writer, "},\"total\":");
    put_number(writer, total);
    put(writer, "}");
}

/* Names and signs are 121 bytes, six numbers at most 20 each; a byte of a text becomes six at
 * most. */
static size_t worst_length(const struct arena_item *item)
{
    size_t len = 300 + 6 * (strlen(item->name) + strlen(item->category));

    for (size_t i = 0; i < item->tag_count; i++)
        len += 3 + 6 * strlen(item->tags[i]);
    return len;
}

static bool total_of(const struct arena_item *item, int64_t factor, int64_t *ret_total)
{
    int64_t total;

    if (__builtin_mul_overflow(item->price, item->quantity, &total) ||
        __builtin_mul_overflow(total, factor, ret_total))
        return false;
    return true;
}

int arena_items_write(const struct arena_items *items, size_t count, int64_t factor,
                      char **ret_text, size_t *ret_len)
{
    size_t len_max = 64;
    struct writer writer;
    char *text;

    for (size_t i = 0; i < count; i++)
        len_max += worst_length(&items->items[i]);
    writer.to = text = malloc(len_max);
    if (!text)
        return -ENOMEM;
    put(&writer, "{\"items\":[");
    for (size_t i = 0; i < count; i++) {
        int64_t total;

        if (!total_of(&items->items[i], factor, &total)) {
            free(text);
            return -ERANGE;
        }
        put(&writer, i ? "," : "");
        put_item(&writer, &items->items[i], total);
    }
    put(&writer, "],\"count\":");
    put_number(&writer, (int64_t) count);
    put(&writer, "}");
    *ret_text = text;
    *ret_len = (size_t) (writer.to - text);
    return 0;
}
