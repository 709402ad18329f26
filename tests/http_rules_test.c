/* SPDX-License-Identifier: MIT */
/*
 * http_rules_test.c - the list of docs/http-rules.md, played to a server
 *
 * One test per item of the list; the rows are in http_rules_rows.c, what answers them in
 * http_rules_app.c. A row is bytes that a
 * client sends, and the answers that have to come. It is played in many ways, each on a
 * connection of its own:
 *
 *     whole           in one write
 *     byte by byte    the server has read each one before the next is sent
 *     split           into two at every offset, in the same way
 *     truncated       at every offset, then the client ends its direction
 *     behind          another request, which is answered first; whole and byte by byte
 *
 * The answers must be the same each time, to the byte. Where the connection goes on, a
 * further request is sent and has to be answered: nobody lost count of the bytes. Where it
 * ends, that request follows at once, and must not be answered: what is behind a refusal is
 * what an attacker wants to have taken for a request.
 *
 * Everything runs on the simulated ring, whose clock moves only when nobody can go on.
 * A sleep of a nanosecond is thus how to wait until everything has been read and answered,
 * and an hour's silence takes no time. At last all rows are played whole on the kernel's ring.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ouro_http_server.h"

#include "http_answer.h"
#include "http_rules_rows.h"
#include "loop.h"

#define TEXT_MAX  (64 * 1024)
#define SILENT_NS OURO_MILLISECOND /* longer than any handler takes */
#define LONG_NS   (1000 * OURO_SECOND)

#define GOOD  "GET /hello/first HTTP/1.1\r\nHost: x\r\n\r\n"
#define PROBE "GET /probe HTTP/1.1\r\nHost: x\r\n\r\n"

/* --- the server's side ------------------------------------------------------------------- */

static const struct ouro_http_serve_options options = {
    .line_bytes_max = RULES_LINE_MAX,
    .header_bytes_max = RULES_HEAD_MAX,
    .header_count_max = RULES_COUNT_MAX,
    .body_bytes_max = RULES_BODY_MAX,
    .body_timeout_ns = 3 * OURO_SECOND,
};

static struct {
    struct ouro_http_app *app;
    struct ouro_address address;
    int listener;
    ouro_task_id task;
} server;

static int serve(void *arg)
{
    (void) arg;
    return ouro_http_serve(server.app, server.listener, &options);
}

static int start_server(void)
{
    int code = rules_app_create(&server.app);

    if (code)
        return code;
    server.listener = listen_privately(&server.address);
    if (server.listener < 0)
        return server.listener;
    server.task = ouro_spawn(serve, NULL);
    return 0;
}

static void stop_server(void)
{
    int result = 0;

    CU_ASSERT_EQUAL(ouro_cancel_join(server.task, &result), 0);
    CU_ASSERT_EQUAL(result, -ECANCELED);
    CU_ASSERT_EQUAL(ouro_close(server.listener), 0);
    ouro_http_app_destroy(server.app);
}

/* Runs `script(arg)` beside a server. */
struct scene {
    void (*script)(void *arg);
    void *arg;
};

static int run_scene(void *arg)
{
    const struct scene *scene = arg;
    int code = start_server();

    if (code)
        return code;
    scene->script(scene->arg);
    stop_server();
    return 0;
}

static void run_beside_server(const char *ring, void (*script)(void *arg), void *arg)
{
    struct scene scene = {.script = script, .arg = arg};

    CU_ASSERT_EQUAL(run_with(ring, 0, run_scene, &scene), 0);
}

/* --- the client's side ------------------------------------------------------------------- */

struct talk {
    int fd;
    int broken; /* an error that no proper end of a connection gives */
    bool ended; /* by the server */
    int64_t ended_at;
    size_t len; /* of what has come */
    char text[TEXT_MAX];
};

static void begin_talk(struct talk *talk)
{
    talk->fd = connect_to(&server.address);
    talk->broken = talk->fd < 0 ? talk->fd : 0;
    talk->ended = false;
    talk->len = 0;
}

static void end_talk(const struct talk *talk)
{
    if (talk->fd >= 0)
        CU_ASSERT_EQUAL(ouro_close(talk->fd), 0);
}

static void say(struct talk *talk, const char *bytes, size_t len)
{
    int code = len ? ouro_send_all(talk->fd, bytes, len, NULL) : 0;

    /* Who talks on after "close" may find the server gone; the answer has to be there all the same. */
    if (code && code != -EPIPE && !talk->broken)
        talk->broken = code;
}

/* Until everybody waits: the server has read what was sent. */
static void settle(void)
{
    CU_ASSERT_EQUAL(ouro_sleep(1), 0);
}

static void say_singly(struct talk *talk, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        say(talk, bytes + i, 1);
        settle();
    }
}

static void say_no_more(struct talk *talk)
{
    int code = ouro_shutdown(talk->fd, SHUT_WR);

    if (code != -ENOTCONN && !talk->broken)
        talk->broken = code;
}

/* Takes what comes, until nothing has for that long. */
static void listen_for(struct talk *talk, int64_t silence_ns)
{
    struct ouro_timeout limit;
    ssize_t len = 1;

    while (len > 0 && talk->len < TEXT_MAX) {
        ouro_timeout_begin(&limit, silence_ns);
        len = ouro_recv(talk->fd, talk->text + talk->len, TEXT_MAX - talk->len, 0);
        (void) ouro_timeout_end(&limit);
        talk->len += len > 0 ? (size_t) len : 0;
    }
    if (!len) {
        talk->ended = true;
        talk->ended_at = ouro_now();
    } else if (len != -ETIMEDOUT && !talk->broken) {
        talk->broken = len < 0 ? (int) len : OURO_ELIMIT;
    }
}

/* --- what a row expects ------------------------------------------------------------------ */

#define ANSWERS_MAX 40

struct outcome {
    int statuses[ANSWERS_MAX];
    bool to_head[ANSWERS_MAX];
    unsigned count;
    bool ends;      /* the connection */
    bool announced; /* ... as the last answer says */
};

static struct outcome outcome_of(const char *answers)
{
    struct outcome outcome = {0};

    while (*answers) {
        size_t len = strcspn(answers, " ");

        if (answers[0] >= '1' && answers[0] <= '9' && outcome.count < ANSWERS_MAX) {
            outcome.to_head[outcome.count] = len > 3;
            outcome.statuses[outcome.count++] = atoi(answers);
        } else {
            outcome.ends = true;
            outcome.announced = strncmp(answers, "close", 5) == 0;
        }
        answers += len + (answers[len] == ' ');
    }
    return outcome;
}

/* --- plays ------------------------------------------------------------------------------- */

enum how { WHOLE, FOLLOWED, SINGLY, SPLIT, TRUNCATED, BEHIND, BEHIND_SINGLY, ON_KERNEL };

struct play {
    const struct rule_row *row;
    struct outcome outcome;
    enum how how;
    size_t cut;
    char *bytes; /* of the row, padded, and with room for GOOD in front and PROBE behind */
    size_t len;
    const char *fault;
};

/* What came in the play before all others, dates taken out; all others have to get the same. */
static struct {
    char text[TEXT_MAX];
    size_t len;
} reference;

static struct talk talk;

static void print_escaped(const char *text, size_t len)
{
    for (size_t i = 0; i < len && i < 600; i++) {
        if (text[i] == '\n')
            printf("\\n\n        ");
        else if (text[i] == '\r')
            printf("\\r");
        else
            printf(text[i] >= ' ' && text[i] <= '~' ? "%c" : "\\x%02x", (unsigned char) text[i]);
    }
    printf("\n");
}

static void report(const struct play *play)
{
    static const char *const names[] = {"whole",
                                        "with a request behind it",
                                        "byte by byte",
                                        "split",
                                        "truncated",
                                        "behind a request",
                                        "behind a request byte by byte",
                                        "on the kernel's ring"};

    printf(
        "    HTTP %d, %s, %s (cut %zu): %s; expected \"%s\", the connection is %s (%d):\n        ",
        play->row->item, play->row->about, names[play->how], play->cut, play->fault,
        play->row->answers, talk.ended ? "closed" : "open", talk.broken);
    print_escaped(talk.text, talk.len);
}

static void blame(struct play *play, const char *fault)
{
    if (!play->fault)
        play->fault = fault;
}

/* Dates differ from play to play, but not in length. */
static void remove_dates(char *text, size_t len)
{
    static const char name[] = "\r\nDate: ";
    char *end = text + len;

    while ((text = memmem(text, (size_t) (end - text), name, sizeof(name) - 1))) {
        text += sizeof(name) - 1;
        memset(text, '-', (size_t) (end - text) < 29 ? (size_t) (end - text) : 29);
    }
}

/* A client that does not wait may or may not be told to go on. */
static void remove_continues(struct talk *heard)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    char *at;

    while ((at = memmem(heard->text, heard->len, text, sizeof(text) - 1))) {
        char *end = at + sizeof(text) - 1;

        memmove(at, end, (size_t) (heard->text + heard->len - end));
        heard->len -= sizeof(text) - 1;
    }
}

/* Reads the answers between `at` and `end` against the outcome of the row. */
static void check_answers(struct play *play, const char *at, const char *end)
{
    const struct outcome *outcome = &play->outcome;
    struct http_answer answer = {0};

    for (unsigned i = 0; i < outcome->count; i++) {
        const char *fault;

        if (answer.says_close)
            blame(play, "an answer after the last one");
        fault = at == end ? "an answer is missing"
                          : http_answer_read(at, end, outcome->to_head[i], &answer);
        if (!fault && answer.status != outcome->statuses[i])
            fault = "another status";
        if (fault) {
            blame(play, fault);
            return;
        }
        at = answer.end;
    }
    if (at != end)
        blame(play, "an answer too many");
    if (outcome->count && answer.says_close != outcome->announced)
        blame(play, "\"Connection: close\" against what happens");
}

/* The next answer is the one that the whole gets there. */
static bool read_as_known(const struct outcome *outcome, unsigned index, const char *at,
                          struct http_answer *ret_answer)
{
    return index < outcome->count &&
           !http_answer_read(at, talk.text + talk.len, outcome->to_head[index], ret_answer) &&
           ret_answer->status == outcome->statuses[index];
}

/* The next answer is a complaint about the truncation, the last of all. */
static bool read_as_complaint(const char *at, bool to_head, struct http_answer *ret_answer)
{
    return !http_answer_read(at, talk.text + talk.len, to_head, ret_answer) &&
           ret_answer->status == 400 && ret_answer->says_close &&
           ret_answer->end == talk.text + talk.len;
}

/* After a truncation: answers as in the whole, and at the end perhaps a complaint. */
static void check_truncated(struct play *play)
{
    const char *at = talk.text;
    struct http_answer answer;

    for (unsigned i = 0; at < talk.text + talk.len; i++) {
        if (!read_as_complaint(at, false, &answer) &&
            !read_as_known(&play->outcome, i, at, &answer) &&
            !read_as_complaint(at, true, &answer)) {
            blame(play, "an answer that the whole does not get");
            return;
        }
        at = answer.end;
    }
    if (!talk.ended)
        blame(play, "the connection goes on");
}

static bool has_text(const char *at, const char *end, const char *text)
{
    return memmem(at, (size_t) (end - at), text, strlen(text)) != NULL;
}

static void check_texts(struct play *play, const char *at, const char *end)
{
    const struct rule_row *row = play->row;

    if (row->has && !has_text(at, end, row->has))
        blame(play, "something lacks");
    if (row->lacks && has_text(at, end, row->lacks))
        blame(play, "something is there that may not be");
}

/* What came behind `skip` bytes is what came in the first play. */
static void compare(struct play *play, size_t skip, size_t len)
{
    remove_dates(talk.text, talk.len);
    if (len != reference.len || memcmp(talk.text + skip, reference.text, len) != 0)
        blame(play, "not the answers that the whole gets");
}

static void keep_reference(void)
{
    remove_dates(talk.text, talk.len);
    memcpy(reference.text, talk.text, talk.len);
    reference.len = talk.len;
}

/* The length of the answer to GOOD or PROBE at `offset`, or 0. */
static size_t own_answer(size_t offset, const char *body)
{
    struct http_answer answer;
    size_t len = strlen(body);

    if (http_answer_read(talk.text + offset, talk.text + talk.len, false, &answer) ||
        answer.status != 200 || answer.says_close || memcmp(answer.end - len, body, len) != 0)
        return 0;
    return (size_t) (answer.end - talk.text) - offset;
}

/* After the row: one request more, then the end. */
static void probe(struct play *play)
{
    size_t before = talk.len;

    if (talk.ended) {
        blame(play, "the connection has ended");
        return;
    }
    say(&talk, PROBE, sizeof(PROBE) - 1);
    listen_for(&talk, SILENT_NS);
    if (own_answer(before, "probe") != talk.len - before)
        blame(play, "the next request is not answered as it should");
    before = talk.len;
    say_no_more(&talk);
    listen_for(&talk, SILENT_NS);
    if (!talk.ended || talk.len != before)
        blame(play, "the connection does not end");
}

/* Whether the request behind the row's is in the same write as the row. */
static bool follows_at_once(const struct play *play)
{
    return play->how == FOLLOWED && !play->outcome.ends && !play->row->rest;
}

static void send_piece(const struct play *play, const char *bytes, size_t len)
{
    bool singly = play->how == SINGLY || play->how == BEHIND_SINGLY;

    (singly ? say_singly : say)(&talk, bytes, len);
}

/* Sends what the play is about. Where the connection ends, a request follows directly. */
static void send_row(struct play *play)
{
    const struct rule_row *row = play->row;
    bool follows = play->how != WHOLE && !row->half_closed && !row->after_ns &&
                   (play->outcome.ends || follows_at_once(play));
    char *bytes = play->bytes;
    size_t len = play->len;

    if (play->how == BEHIND || play->how == BEHIND_SINGLY) {
        bytes -= sizeof(GOOD) - 1;
        len += sizeof(GOOD) - 1;
    }
    if (follows && !row->rest)
        len += sizeof(PROBE) - 1;
    send_piece(play, bytes, play->cut);
    if (play->cut)
        settle();
    send_piece(play, bytes + play->cut, len - play->cut);
    if (row->rest) {
        listen_for(&talk, SILENT_NS);
        send_piece(play, row->rest, strlen(row->rest));
        if (follows)
            send_piece(play, PROBE, sizeof(PROBE) - 1);
    }
}

static void play_truncated(struct play *play)
{
    begin_talk(&talk);
    say(&talk, play->bytes, play->cut);
    say_no_more(&talk);
    listen_for(&talk, SILENT_NS);
    check_truncated(play);
    if (play->row->lacks && has_text(talk.text, talk.text + talk.len, play->row->lacks))
        blame(play, "something is there that may not be");
    end_talk(&talk);
}

static void check_time(struct play *play, int64_t start)
{
    int64_t late = talk.ended_at - start - play->row->after_ns;
    size_t before = talk.len;

    /* What is late may be the rest of what was given up, and is no request. */
    say(&talk, PROBE, sizeof(PROBE) - 1);
    listen_for(&talk, SILENT_NS);
    if (talk.len != before)
        blame(play, "what comes behind the end is answered");
    if (late < 0 || late > OURO_MILLISECOND)
        blame(play, "the wrong time");
}

/* Where the answers to the row begin. */
static size_t skip_good(struct play *play)
{
    size_t skip = 0;

    if (play->how == BEHIND || play->how == BEHIND_SINGLY) {
        skip = own_answer(0, "hello first");
        if (!skip)
            blame(play, "the request before it is not answered");
    }
    return skip;
}

/* Where the answers to the row end. */
static size_t skip_probe(struct play *play)
{
    size_t end = talk.len;

    if (follows_at_once(play)) {
        end = reference.len < talk.len ? reference.len : talk.len;
        if (end == talk.len || own_answer(end, "probe") != talk.len - end)
            blame(play, "the request behind it is not answered as it should");
    }
    return end;
}

static void check_all(struct play *play)
{
    size_t start = skip_good(play);
    size_t end = skip_probe(play);

    check_answers(play, talk.text + start, talk.text + end);
    if (play->outcome.ends && !talk.ended)
        blame(play, "the connection goes on");
    check_texts(play, talk.text + start, talk.text + end);
    if (play->how == WHOLE)
        keep_reference();
    else
        compare(play, start, end - start);
}

static void play_fully(struct play *play)
{
    int64_t start = ouro_now();

    begin_talk(&talk);
    send_row(play);
    if (play->row->half_closed)
        say_no_more(&talk);
    listen_for(&talk, play->row->after_ns ? LONG_NS : SILENT_NS);
    check_all(play);
    if (play->row->after_ns)
        check_time(play, start);
    if (!play->outcome.ends)
        probe(play);
    if (talk.broken)
        blame(play, "the connection breaks");
    end_talk(&talk);
}

/* Plays the row that way. Returns whether all is well, and prints what is not. */
static bool play_row(const struct play *row_play, enum how how, size_t cut)
{
    struct play play = *row_play;

    play.how = how;
    play.cut = cut;
    (how == TRUNCATED ? play_truncated : play_fully)(&play);
    if (play.fault)
        report(&play);
    return !play.fault;
}

static bool play_all_ways(const struct play *play)
{
    /* At every offset; at some of them in the few rows that are long. */
    size_t step = play->len > 2000 ? play->len / 50 : 1;
    bool good = play_row(play, WHOLE, 0) && play_row(play, FOLLOWED, 0);

    if (step == 1)
        good = good && play_row(play, SINGLY, 0) && play_row(play, BEHIND_SINGLY, 0);
    good = good && play_row(play, BEHIND, 0);
    for (size_t cut = 1; good && cut < play->len; cut += step)
        good = play_row(play, SPLIT, cut);
    if (play->row->after_ns)
        return good;
    for (size_t cut = 0; good && cut < play->len; cut += step)
        good = play_row(play, TRUNCATED, cut);
    return good;
}

/* The bytes of the row with a request before and behind them; the caller frees the memory. */
static char *set_up(struct play *play, const struct rule_row *row)
{
    size_t good = sizeof(GOOD) - 1, probe_len = sizeof(PROBE) - 1;
    char *memory;

    *play = (struct play) {.row = row, .outcome = outcome_of(row->answers)};
    play->len = row->len + row->pad;
    memory = malloc(good + play->len + probe_len);
    if (!memory)
        return NULL;
    play->bytes = memory + good;
    memcpy(memory, GOOD, good);
    memcpy(play->bytes, row->bytes, row->len);
    memset(play->bytes + row->len, 'x', row->pad);
    memcpy(play->bytes + play->len, PROBE, probe_len);
    return memory;
}

static void check_row(const struct rule_row *row)
{
    struct play play;
    char *memory = set_up(&play, row);

    CU_ASSERT(memory && play_all_ways(&play));
    free(memory);
}

static void check_item(void *arg)
{
    const int *item = arg;

    for (size_t i = 0; i < rule_row_count; i++) {
        const struct rule_row *row = &rule_rows[i];

        if (row->item != *item)
            continue;
        if (row->known) {
            printf("    HTTP %d, %s: skipped, %s\n", row->item, row->about, row->known);
            TEST_SKIP("rows that do not hold yet");
        } else {
            check_row(row);
        }
    }
}

static void play_item(int item)
{
    run_beside_server(test_sim_ring(), check_item, &item);
}

/* --- the items --------------------------------------------------------------------------- */

#define ITEM(number, name)                        \
    static void test_item_##number##_##name(void) \
    {                                             \
        play_item(number);                        \
    }

ITEM(1, lines_end_in_crlf)
ITEM(2, request_line_has_three_parts)
ITEM(3, version_is_1_0_or_1_1)
ITEM(4, target_is_printable_and_decoded_once)
ITEM(5, target_has_four_forms)
ITEM(6, path_is_normalised_before_routing)
ITEM(7, field_name_is_a_token_before_its_colon)
ITEM(8, folded_fields_are_refused)
ITEM(10, limits_hold_to_the_byte)
ITEM(11, host_is_there_once_and_valid)
ITEM(12, single_fields_are_not_repeated)
ITEM(13, names_have_no_case_and_are_not_merged)
ITEM(14, content_length_is_digits)
ITEM(15, two_framings_are_refused)
ITEM(16, transfer_encoding_is_chunked_once)
ITEM(17, chunk_size_is_hexadecimal_digits)
ITEM(18, chunk_extensions_are_validated)
ITEM(19, trailers_are_kept_apart)
ITEM(20, some_answers_have_no_body)
ITEM(21, answers_have_one_framing)
ITEM(22, unread_bodies_never_become_requests)
ITEM(24, connections_last_as_long_as_both_want)
ITEM(25, pipelined_requests_are_answered_in_order)
ITEM(26, upgrades_are_ignored)
ITEM(27, connect_is_off)
ITEM(28, expectations_are_met_or_refused)
ITEM(29, refusals_survive_what_still_comes)
ITEM(33, final_answers_are_dated)
ITEM(36, trace_is_off_and_errors_echo_nothing)

/* Every byte in the place of the '!', against what is allowed there. */
static void check_all_bytes(const char *about, const char *request, bool (*is_allowed)(int))
{
    char bytes[128];
    struct rule_row row = {.item = 9, .about = about, .bytes = bytes, .len = strlen(request)};
    size_t at = strcspn(request, "!");

    for (int c = 0; c < 256; c++) {
        memcpy(bytes, request, row.len);
        bytes[at] = (char) c;
        row.answers = is_allowed(c) ? "200" : "400 close";
        check_row(&row);
    }
}

static bool is_value_byte(int c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static bool is_name_byte(int c)
{
    /* A colon ends the name, and begins a value. */
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~:", c));
}

static bool is_target_byte(int c)
{
    return c > ' ' && c <= '~' && c != '#' && c != '\\';
}

static void check_bytes_of_fields(void *arg)
{
    (void) arg;
    check_all_bytes("a byte in a value", "GET /ok HTTP/1.1\r\nHost: x\r\nA: b!c\r\n\r\n",
                    is_value_byte);
    check_all_bytes("a byte in a name", "GET /ok HTTP/1.1\r\nHost: x\r\nA!c: b\r\n\r\n",
                    is_name_byte);
    check_all_bytes("a byte in a target", "GET /hello/a?b!c HTTP/1.1\r\nHost: x\r\n\r\n",
                    is_target_byte);
}

static void test_item_9_values_have_no_controls(void)
{
    run_beside_server(test_sim_ring(), check_bytes_of_fields, NULL);
    play_item(9);
}

/* --- items that are not about the bytes of one connection ------------------------------- */

/* Each byte comes in time, the whole does not: bytes of GOOD behind `start`, one in 0.6 s. */
static void dribble(const char *start)
{
    int64_t begin = ouro_now();

    begin_talk(&talk);
    say(&talk, start, strlen(start));
    for (size_t i = 0; i < 10; i++) {
        say(&talk, &GOOD[i], 1);
        CU_ASSERT_EQUAL(ouro_sleep_until(begin + (int64_t) (i + 1) * OURO_SECOND * 6 / 10), 0);
    }
    listen_for(&talk, SILENT_NS);
    CU_ASSERT(talk.ended && talk.len > 12 && !memcmp(talk.text, "HTTP/1.1 408", 12));
    end_talk(&talk);
}

static void dribble_both(void *arg)
{
    (void) arg;
    dribble("");
    dribble("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
}

static void test_item_30_slow_clients_are_timed_out(void)
{
    run_beside_server(test_sim_ring(), dribble_both, NULL);
    play_item(30);
}

/* Connection two is idle, one has two requests in hand, when the server is to end. */
static void stop_in_between(void *arg)
{
    static struct talk idle;

    (void) arg;
    begin_talk(&talk);
    begin_talk(&idle);
    say(&idle, PROBE, sizeof(PROBE) - 1);
    settle();
    say(&talk, "GET /late HTTP/1.1\r\nHost: x\r\n\r\n" PROBE, 31 + sizeof(PROBE) - 1);
    settle();
    CU_ASSERT_EQUAL(ouro_cancel(server.task), 0);
    listen_for(&idle, SILENT_NS);
    listen_for(&talk, SILENT_NS);
    CU_ASSERT(idle.ended && talk.ended);
    CU_ASSERT_PTR_NOT_NULL(memmem(talk.text, talk.len, "\r\nConnection: close\r\n", 21));
    CU_ASSERT_PTR_NOT_NULL(memmem(talk.text, talk.len, "\r\n\r\nlate", 8));
    CU_ASSERT_PTR_NULL(memmem(talk.text, talk.len, "probe", 5));
    end_talk(&talk);
    end_talk(&idle);
}

static void test_item_32_server_drains_before_it_ends(void)
{
    run_beside_server(test_sim_ring(), stop_in_between, NULL);
}

static void ask(const char *method, const char *target)
{
    char request[128];
    int len = sprintf(request, "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, target);

    begin_talk(&talk);
    say(&talk, request, (size_t) len);
    listen_for(&talk, SILENT_NS);
    end_talk(&talk);
}

/* RFC 9110 §9.3.2: the fields that GET would have sent. */
static void compare_heads(void *arg)
{
    static const char *const targets[] = {"/ok",   "/hello/a", "/nothing", "/unchanged", "/fail",
                                          "/none", "/cookies", "/twice",   "/hello/%2",  "/"};

    (void) arg;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct http_answer answer;
        const char *end;

        ask("GET", targets[i]);
        CU_ASSERT_PTR_NULL(http_answer_read(talk.text, talk.text + talk.len, false, &answer));
        keep_reference();
        end = memmem(reference.text, reference.len, "\r\n\r\n", 4);
        ask("HEAD", targets[i]);
        remove_dates(talk.text, talk.len);
        CU_ASSERT(end && talk.len == (size_t) (end + 4 - reference.text));
        CU_ASSERT_EQUAL(memcmp(talk.text, reference.text, talk.len), 0);
    }
}

static void test_item_31_keeping_is_told_to_who_asks(void)
{
    play_item(31);
}

static void test_item_34_head_conditions_ranges(void)
{
    run_beside_server(test_sim_ring(), compare_heads, NULL);
    play_item(34);
}

/* --- all rows, in other ways ------------------------------------------------------------- */

/* Transfers are cut short at random: half of all sends and receives. */
static void check_all_in_short_transfers(void *arg)
{
    (void) arg;
    for (size_t i = 0; i < rule_row_count; i++) {
        struct play play;
        char *memory = rule_rows[i].known ? NULL : set_up(&play, &rule_rows[i]);

        if (memory)
            CU_ASSERT(play_row(&play, WHOLE, 0) && play_row(&play, FOLLOWED, 0) &&
                      play_row(&play, BEHIND, 0));
        free(memory);
    }
}

static void test_all_items_in_short_transfers(void)
{
    run_beside_server("sim:seed=1,short=50", check_all_in_short_transfers, NULL);
}

/* Changes a byte, or adds or takes one: mostly those that have a meaning somewhere. */
static size_t mangle(char *bytes, size_t len, uint32_t *random)
{
    static const char meaningful[] = "\r\n\0 \t\v:;,=\"0159afx-_%./\\?#\x7f\xff";
    size_t at, rest;
    char c;

    *random = *random * 1664525 + 1013904223;
    at = (*random >> 8) % len;
    rest = len - at;
    *random = *random * 1664525 + 1013904223;
    c = meaningful[(*random >> 16) % (sizeof(meaningful) - 1)];
    switch ((*random >> 8) % 3) {
    case 0:
        bytes[at] = c;
        return len;
    case 1:
        memmove(bytes + at + 1, bytes + at, rest);
        bytes[at] = c;
        return len + 1;
    default:
        memmove(bytes + at, bytes + at + 1, rest - 1);
        return len - 1;
    }
}

/* Sends that, and no more. What comes has to be answers, and an end. */
static bool is_answered_properly(const char *bytes, size_t len, bool singly)
{
    const char *at = talk.text;

    begin_talk(&talk);
    (singly ? say_singly : say)(&talk, bytes, len);
    say_no_more(&talk);
    listen_for(&talk, SILENT_NS);
    remove_continues(&talk);
    end_talk(&talk);
    while (at < talk.text + talk.len) {
        struct http_answer answer;

        if (http_answer_read(at, talk.text + talk.len, false, &answer))
            return false;
        at = answer.end;
    }
    return talk.ended && !talk.broken;
}

/* Nobody knows the right answer to these, but it may not depend on how they are cut. */
static bool is_read_alike(const char *bytes, size_t len)
{
    bool proper = is_answered_properly(bytes, len, false);

    keep_reference();
    proper = proper && is_answered_properly(bytes, len, true);
    remove_dates(talk.text, talk.len);
    if (proper && talk.len == reference.len && !memcmp(talk.text, reference.text, talk.len))
        return true;
    printf("    sent:\n        ");
    print_escaped(bytes, len);
    printf("    whole:\n        ");
    print_escaped(reference.text, reference.len);
    printf("    the last try:\n        ");
    print_escaped(talk.text, talk.len);
    return false;
}

#define MANGLED_MAX 600
#define MANGLINGS   10 /* of each row */

static void mangle_all(void *arg)
{
    char bytes[MANGLED_MAX + MANGLINGS];
    uint32_t random = 1;

    (void) arg;
    for (size_t i = 0; i < rule_row_count; i++) {
        const struct rule_row *row = &rule_rows[i];

        /* Answers to HEAD could not be told from others. */
        if (!row->len || row->len > MANGLED_MAX || row->pad || strstr(row->answers, "h"))
            continue;
        for (int k = 0; k < MANGLINGS; k++) {
            size_t len = row->len;

            memcpy(bytes, row->bytes, len);
            for (int changes = 0; len && changes <= k / 3; changes++)
                len = mangle(bytes, len, &random);
            CU_ASSERT(is_read_alike(bytes, len));
        }
    }
}

static void test_mangled_requests_are_read_alike_however_cut(void)
{
    run_beside_server(test_sim_ring(), mangle_all, NULL);
}

/* --- the kernel's ring ------------------------------------------------------------------- */

/* The row and one request more, then the end of it: no need to wait for silence. */
static void hear_it_all(const struct play *play)
{
    begin_talk(&talk);
    say(&talk, play->bytes, play->len);
    if (play->row->rest)
        say(&talk, play->row->rest, strlen(play->row->rest));
    if (!play->row->half_closed)
        say(&talk, PROBE, sizeof(PROBE) - 1);
    say_no_more(&talk);
    listen_for(&talk, 20 * OURO_SECOND);
    remove_continues(&talk);
    end_talk(&talk);
}

static void check_on_kernel(const struct rule_row *row)
{
    struct play play;
    char *memory = set_up(&play, row);
    size_t probe_len = 0, count = 0;

    if (!memory)
        return;
    play.how = ON_KERNEL;
    hear_it_all(&play);
    for (unsigned i = 0; i < play.outcome.count; i++)
        if (play.outcome.statuses[i] != 100) {
            play.outcome.to_head[count] = play.outcome.to_head[i];
            play.outcome.statuses[count++] = play.outcome.statuses[i];
        }
    play.outcome.count = (unsigned) count;
    if (!play.outcome.ends && !row->half_closed) {
        const char *head = NULL;

        for (size_t i = 0; i + 9 <= talk.len; i++)
            if (memcmp(talk.text + i, "HTTP/1.1 ", 9) == 0)
                head = talk.text + i;
        probe_len = head ? talk.len - (size_t) (head - talk.text) : 0;
        if (!probe_len || own_answer(talk.len - probe_len, "probe") != probe_len)
            blame(&play, "the next request is not answered as it should");
    }
    check_answers(&play, talk.text, talk.text + talk.len - probe_len);
    check_texts(&play, talk.text, talk.text + talk.len - probe_len);
    if (!talk.ended || talk.broken)
        blame(&play, "the connection does not end properly");
    if (play.fault)
        report(&play);
    CU_ASSERT(!play.fault);
    free(memory);
}

static void check_all_on_kernel(void *arg)
{
    (void) arg;
    for (size_t i = 0; i < rule_row_count; i++)
        if (!rule_rows[i].known && !rule_rows[i].after_ns)
            check_on_kernel(&rule_rows[i]);
}

static void test_all_items_on_the_kernels_ring(void)
{
    if (test_kernel_ring())
        run_beside_server(test_kernel_ring(), check_all_on_kernel, NULL);
    else
        TEST_SKIP("no kernel ring");
}

const struct test http_rules_tests[] = {
    TEST(test_item_1_lines_end_in_crlf),
    TEST(test_item_2_request_line_has_three_parts),
    TEST(test_item_3_version_is_1_0_or_1_1),
    TEST(test_item_4_target_is_printable_and_decoded_once),
    TEST(test_item_5_target_has_four_forms),
    TEST(test_item_6_path_is_normalised_before_routing),
    TEST(test_item_7_field_name_is_a_token_before_its_colon),
    TEST(test_item_8_folded_fields_are_refused),
    TEST(test_item_9_values_have_no_controls),
    TEST(test_item_10_limits_hold_to_the_byte),
    TEST(test_item_11_host_is_there_once_and_valid),
    TEST(test_item_12_single_fields_are_not_repeated),
    TEST(test_item_13_names_have_no_case_and_are_not_merged),
    TEST(test_item_14_content_length_is_digits),
    TEST(test_item_15_two_framings_are_refused),
    TEST(test_item_16_transfer_encoding_is_chunked_once),
    TEST(test_item_17_chunk_size_is_hexadecimal_digits),
    TEST(test_item_18_chunk_extensions_are_validated),
    TEST(test_item_19_trailers_are_kept_apart),
    TEST(test_item_20_some_answers_have_no_body),
    TEST(test_item_21_answers_have_one_framing),
    TEST(test_item_22_unread_bodies_never_become_requests),
    TEST(test_item_24_connections_last_as_long_as_both_want),
    TEST(test_item_25_pipelined_requests_are_answered_in_order),
    TEST(test_item_26_upgrades_are_ignored),
    TEST(test_item_27_connect_is_off),
    TEST(test_item_28_expectations_are_met_or_refused),
    TEST(test_item_29_refusals_survive_what_still_comes),
    TEST(test_item_30_slow_clients_are_timed_out),
    TEST(test_item_32_server_drains_before_it_ends),
    TEST(test_item_33_final_answers_are_dated),
    TEST(test_item_31_keeping_is_told_to_who_asks),
    TEST(test_item_34_head_conditions_ranges),
    TEST(test_item_36_trace_is_off_and_errors_echo_nothing),
    TEST(test_all_items_in_short_transfers),
    TEST(test_mangled_requests_are_read_alike_however_cut),
    TEST(test_all_items_on_the_kernels_ring),
    TEST_END,
};
