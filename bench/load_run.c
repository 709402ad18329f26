/* SPDX-License-Identifier: MIT */
/*
 * load_run.c - see load_run.h
 *
 * No connection has a task of its own. A receiver that is watched and a sender are all there is to one
 * (ouro_receiver_watch(), ouro_sender_start()): bytes that arrive put it on a list, and one task, the
 * reader, goes through the list, as many at a time as the turn has brought. It parses answers where
 * the kernel has put them, notes their times, and starts the next sends, whose bytes lie ready on
 * the tape. So a turn costs one wake-up and one system call for a batch of answers and requests.
 *
 *            ┌────────────────────── bytes, the end, a failed send ──────┐
 *            ▼                                                           │
 *         listed ──reader──▶ answers noted, requests sent, watched again ┘
 *            │
 *            └─ broken, or closed by the server ──▶ a task renews it, and it is watched again
 *
 * Only opening and closing need a task, for as long as they take.
 *
 * Without a rate, a connection sends its next request when an answer has come. With a rate, requests
 * become due by the clock. A connection with room takes one at once: from the pacer, a task that
 * sleeps until the next is due, or, when all were busy, from the reader. A request's latency counts
 * from when it was due.
 *
 * Invariants
 *   1. The reader alone fails, closes and feeds connections that are open; whoever else finds a
 *      fault notes it, and lists the connection.
 *   2. Each request that was issued is in one connection's `pending`, until it is answered or fails.
 *   3. While a connection is renewed only that task touches it.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load_run.h"
#include "load_schedule.h"

#define CONNECTING_MAX 256 /* at a time, well below a backlog */
#define RETRY_PAUSE    (10 * OURO_MILLISECOND)
#define SCANS          16 /* per time limit: it is kept to within a sixteenth */
#define CLEAN_UP_LIMIT (10 * OURO_SECOND)
#define NO_ERROR       LOAD_ERROR_COUNT

enum connection_state {
    CLOSED,
    OPEN,
    RENEWING /* a task closes it, connects it, or both */
};

struct pending {
    int64_t due, sent;
};

struct connection {
    struct ouro_receiver receiver; /* first */
    struct ouro_sender sender;
    struct load *load;
    struct connection *next;      /* of those listed */
    struct connection *next_idle; /* of those that are free, or that think */
    struct ouro_event sent;       /* the sender is idle; looked at while RENEWING */
    int64_t wakes_at;             /* the end of its thinking */
    int fd;
    int fault_code;
    enum load_error fault; /* for the reader to see; NO_ERROR */
    enum connection_state state : 8;
    bool is_listed, is_watched, is_idle;
    bool has_answered;            /* since it was opened */
    unsigned outstanding, unsent; /* `unsent` of the `outstanding` were not sent yet */
    unsigned head;                /* of `pending`: the oldest */
    unsigned send_at, reply_at;   /* on the tape */
    struct pending *pending;      /* a ring of `pipeline` */
    struct load_reply reply;
};

struct queue {
    struct connection *first, *last;
};

struct load {
    const struct load_plan *plan;
    const struct load_tape *tape;
    struct load_stats *stats;
    struct connection *connections;
    struct pending *pending;
    struct queue listed; /* linked by `next` */
    struct queue idle;   /* linked by `next_idle`: free, with a rate; thinking */
    struct ouro_event is_listed;
    struct ouro_event is_idle; /* for the pacer */
    struct ouro_event is_over; /* nothing is outstanding, and nothing comes any more */
    struct ouro_group group;
    struct ouro_semaphore connecting;
    struct load_schedule schedule;
    uint64_t issued, outstanding, answered;
    uint64_t limit;               /* of `issued` */
    int64_t begin, measured, end; /* of the load; when warm-up is over; of issuing */
    int64_t lost_at;              /* since when no connection is open or can be had; 0 */
    unsigned open_count;
    int connect_code; /* the first failure */
    bool is_started, is_stopping;
};

static struct connection *connection_of_sender(struct ouro_sender *sender)
{
    return (struct connection *) (void *) ((char *) sender - offsetof(struct connection, sender));
}

/* --- lists ------------------------------------------------------------------------------- */

static void list(struct connection *connection)
{
    struct load *load = connection->load;

    if (connection->is_listed)
        return;
    connection->is_listed = true;
    connection->next = NULL;
    if (load->listed.first) {
        load->listed.last->next = connection;
    } else {
        load->listed.first = connection;
        ouro_event_set(&load->is_listed);
    }
    load->listed.last = connection;
}

static struct connection *unlist(struct load *load)
{
    struct connection *connection = load->listed.first;

    if (connection) {
        load->listed.first = connection->next;
        connection->is_listed = false;
    }
    return connection;
}

static void idle(struct connection *connection)
{
    struct load *load = connection->load;

    if (connection->is_idle)
        return;
    connection->is_idle = true;
    connection->next_idle = NULL;
    if (load->idle.first) {
        load->idle.last->next_idle = connection;
    } else {
        load->idle.first = connection;
        ouro_event_set(&load->is_idle);
    }
    load->idle.last = connection;
}

static struct connection *take_idle(struct load *load)
{
    struct connection *connection = load->idle.first;

    load->idle.first = connection->next_idle;
    connection->is_idle = false;
    return connection;
}

/* --- requests ---------------------------------------------------------------------------- */

static bool has_rate(const struct load *load)
{
    return load->plan->rate > 0;
}

/* Whether a request that is due at `due` is still to be made. */
static bool may_issue(const struct load *load, int64_t due)
{
    return !load->is_stopping && due < load->end && load->issued < load->limit;
}

static bool is_over(const struct load *load)
{
    int64_t due = has_rate(load) ? load->schedule.due : ouro_now();

    return load->outstanding == 0 && !may_issue(load, due);
}

static void settle(struct load *load, unsigned count)
{
    load->outstanding -= count;
    if (load->outstanding == 0 && load->is_started && is_over(load))
        ouro_event_set(&load->is_over);
}

static unsigned step(const struct load *load, unsigned at, unsigned count)
{
    at += count;
    return at < load->tape->count ? at : at % load->tape->count;
}

static void hear_sent(struct ouro_sender *sender, int code);

/* What has been issued goes out, unless something else is on its way. */
static void send_unsent(struct connection *connection)
{
    const struct load_tape *tape = connection->load->tape;
    size_t from = tape->offsets[connection->send_at];
    size_t to = tape->offsets[connection->send_at + connection->unsent];

    if (!connection->unsent || connection->state != OPEN ||
        ouro_sender_is_sending(&connection->sender))
        return;
    connection->send_at = step(connection->load, connection->send_at, connection->unsent);
    connection->unsent = 0;
    ouro_sender_start(&connection->sender, connection->fd, tape->text + from, to - from, hear_sent);
}

static void hear_sent(struct ouro_sender *sender, int code)
{
    struct connection *connection = connection_of_sender(sender);

    if (connection->state == RENEWING) {
        ouro_event_set(&connection->sent);
    } else if (code) {
        connection->fault = LOAD_ERROR_WRITE;
        connection->fault_code = code;
        list(connection);
    } else if (connection->unsent) {
        send_unsent(connection);
    }
}

static void issue(struct connection *connection, int64_t due, int64_t now)
{
    struct load *load = connection->load;
    unsigned slot = connection->head + connection->outstanding;

    if (slot >= load->plan->pipeline)
        slot -= load->plan->pipeline;
    connection->pending[slot] = (struct pending) {.due = due, .sent = now};
    connection->outstanding++;
    connection->unsent++;
    load->outstanding++;
    load->issued++;
}

/* --- a connection that could take more ---------------------------------------------------- */

static void renew(struct connection *connection);

/* A closed one is opened for what it was given. */
static void get_going(struct connection *connection)
{
    if (connection->state == OPEN)
        send_unsent(connection);
    else if (connection->state == CLOSED && connection->outstanding)
        renew(connection);
}

/* With a rate: gives what is due to those who are free. Returns when the next will be. */
static int64_t pace(struct load *load, int64_t now, bool is_held_up)
{
    struct load_schedule *schedule = &load->schedule;

    while (load->idle.first && schedule->due <= now && may_issue(load, schedule->due)) {
        struct connection *connection = take_idle(load);

        if (connection->state == RENEWING || connection->outstanding == load->plan->pipeline)
            continue; /* it comes back to the list of itself */
        load->stats->held_up += is_held_up && schedule->due >= load->measured;
        issue(connection, load_schedule_take(schedule), now);
        if (connection->outstanding < load->plan->pipeline)
            idle(connection);
        get_going(connection);
    }
    return may_issue(load, schedule->due) ? schedule->due : OURO_FOREVER;
}

/* Where nobody was free, what is due by now has waited for this one. */
static void become_free(struct connection *connection, int64_t now)
{
    struct load *load = connection->load;
    bool is_only = !load->idle.first;

    if (connection->outstanding == load->plan->pipeline)
        return;
    idle(connection);
    (void) pace(load, now, is_only);
}

static void give_work(struct connection *connection, int64_t now)
{
    struct load *load = connection->load;

    if (!load->is_started)
        return;
    if (has_rate(load)) {
        become_free(connection, now);
    } else if (!load->plan->think_ns || now >= connection->wakes_at) {
        while (connection->outstanding < load->plan->pipeline && may_issue(load, now))
            issue(connection, now, now);
    } else if (connection->outstanding == 0) {
        idle(connection);
    }
}

/* --- answers ----------------------------------------------------------------------------- */

static void begin_reply(struct connection *connection)
{
    const struct load *load = connection->load;

    load_reply_begin(&connection->reply,
                     (enum load_reply_kind) load->tape->kinds[connection->reply_at],
                     &load->plan->expected);
}

static void note_error(struct load *load, enum load_error error, int code, uint64_t count)
{
    struct load_progress *progress = load->plan->progress;

    __atomic_store_n(&progress->errors, progress->errors + count, __ATOMIC_RELAXED);
    load->stats->errors[error] += count;
    if (!load->stats->first_code[error])
        load->stats->first_code[error] = code;
}

static bool is_expected(const struct load_plan *plan, int status)
{
    if (plan->statuses)
        return status < 600 && plan->statuses[status];
    return status >= 200 && status < 400;
}

/* An answer that is not as it should be counts as a request and as an error. */
static void check_reply(struct load *load, const struct load_reply *reply)
{
    const struct load_plan *plan = load->plan;
    bool has_length = plan->length < 0 || reply->kind != LOAD_REPLY_HTTP ||
                      reply->body_bytes == (uint64_t) plan->length;

    if (reply->kind != LOAD_REPLY_ECHO && !is_expected(plan, reply->status)) {
        note_error(load, LOAD_ERROR_STATUS, 0, 1);
        if (!load->stats->first_status)
            load->stats->first_status = reply->status;
    } else if (reply->body_differs || !has_length) {
        note_error(load, LOAD_ERROR_BODY, 0, 1);
    }
}

static void record(struct load *load, const struct pending *pending, const struct load_reply *reply,
                   int64_t now)
{
    struct load_stats *stats = load->stats;

    if (pending->due < load->measured)
        return;
    stats->requests++;
    stats->in_time += now <= load->end;
    stats->statuses[reply->status / 100 % 6]++;
    stats->body_bytes += reply->body_bytes;
    load_histogram_add(&stats->latency, now - pending->due);
    if (has_rate(load)) {
        load_histogram_add(&stats->service, now - pending->sent);
        load_histogram_add(&stats->lateness, pending->sent - pending->due);
    }
    check_reply(load, reply);
}

/* The oldest request is done with. */
static struct pending take_pending(struct connection *connection)
{
    struct pending pending = connection->pending[connection->head];

    if (++connection->head == connection->load->plan->pipeline)
        connection->head = 0;
    connection->outstanding--;
    connection->reply_at = step(connection->load, connection->reply_at, 1);
    return pending;
}

static void take_reply(struct connection *connection, int64_t now)
{
    struct load *load = connection->load;
    struct pending pending = take_pending(connection);

    connection->has_answered = true;
    load->answered++;
    __atomic_store_n(&load->plan->progress->answers, load->answered, __ATOMIC_RELAXED);
    record(load, &pending, &connection->reply, now);
    connection->wakes_at = now + load->plan->think_ns;
    settle(load, 1);
}

/* --- the end of a connection -------------------------------------------------------------- */

/* All its requests fail for the same reason. A connection that fails without any counts as one. */
static void fail_requests(struct connection *connection, enum load_error error, int code)
{
    struct load *load = connection->load;
    unsigned failed = connection->outstanding, counted = failed == 0;

    while (connection->outstanding)
        counted += take_pending(connection).due >= load->measured;
    connection->send_at = connection->reply_at;
    connection->unsent = 0;
    if (counted)
        note_error(load, error, code, counted);
    settle(load, failed);
}

/* What the server has not answered goes out again on the next connection. */
static void take_back_requests(struct connection *connection)
{
    struct load_stats *stats = connection->load->stats;

    stats->reconnects += !connection->load->plan->closes;
    stats->resent += connection->outstanding - connection->unsent;
    connection->unsent = connection->outstanding;
    connection->send_at = connection->reply_at;
}

static void fail(struct connection *connection, enum load_error error, int code)
{
    fail_requests(connection, error, code);
    renew(connection);
}

static void leave(struct connection *connection)
{
    take_back_requests(connection);
    renew(connection);
}

/* --- the reader -------------------------------------------------------------------------- */

/*
 * Answers in one piece of bytes. Returns whether the connection goes on. More answers than there
 * are requests are an error of the server's.
 */
static bool read_replies(struct connection *connection, const char *at, const char *end,
                         int64_t now)
{
    while (at < end) {
        enum load_parsed parsed = LOAD_PARSED_BAD;

        if (connection->outstanding > connection->unsent)
            parsed = load_reply_feed(&connection->reply, &at, end);
        if (parsed == LOAD_PARSED_BAD) {
            fail(connection, LOAD_ERROR_PROTOCOL, 0);
            return false;
        }
        if (parsed == LOAD_PARSED_MORE)
            break;
        take_reply(connection, now);
        if (connection->reply.is_last || connection->load->plan->closes) {
            leave(connection);
            return false;
        }
        begin_reply(connection);
    }
    return true;
}

/* The server has closed the connection, or it broke. */
static void read_end(struct connection *connection, int code)
{
    enum load_parsed parsed = code ? LOAD_PARSED_BAD : load_reply_end(&connection->reply);

    if (parsed == LOAD_PARSED_REPLY && connection->outstanding > connection->unsent) {
        take_reply(connection, ouro_now());
        leave(connection);
    } else if (connection->outstanding == 0 && connection->has_answered) {
        leave(connection); /* it has had enough of an idle connection: no harm done */
    } else {
        fail(connection, LOAD_ERROR_READ, code);
    }
}

/* Returns whether the connection goes on. */
static bool receive(struct connection *connection, int64_t *ret_now)
{
    struct ouro_lease lease;
    ssize_t len = ouro_receiver_next(&connection->receiver, &lease);
    bool goes_on;

    if (len <= 0) {
        if (len != -ECANCELED)
            read_end(connection, (int) len);
        return false;
    }
    connection->load->stats->received_bytes += (uint64_t) len;
    *ret_now = ouro_now();
    goes_on = read_replies(connection, lease.data, lease.data + lease.len, *ret_now);
    ouro_lease_release(&lease);
    return goes_on;
}

static void hear_input(struct ouro_receiver *receiver)
{
    struct connection *connection = (struct connection *) (void *) receiver;

    connection->is_watched = false;
    list(connection);
}

/* Returns whether there is nothing to be read for now. */
static bool watch(struct connection *connection)
{
    int code = ouro_receiver_watch(&connection->receiver, hear_input);

    connection->is_watched = code == 0;
    if (code < 0)
        fail(connection, LOAD_ERROR_READ, code);
    return code != 1;
}

/* A server that wants no more of a request may have said why before it closed. */
static void see_to_fault(struct connection *connection)
{
    int64_t now;

    while (connection->fault == LOAD_ERROR_WRITE && ouro_receiver_is_ready(&connection->receiver))
        if (!receive(connection, &now))
            return;
    fail(connection, connection->fault, connection->fault_code);
}

static void see_to(struct connection *connection)
{
    int64_t now = 0;

    if (connection->state != OPEN)
        return;
    if (connection->fault != NO_ERROR) {
        see_to_fault(connection);
        return;
    }
    if (connection->is_watched)
        return;
    do {
        while (ouro_receiver_is_ready(&connection->receiver))
            if (!receive(connection, &now))
                return;
        give_work(connection, now ? now : ouro_now());
        send_unsent(connection);
    } while (!watch(connection));
}

static int run_reader(void *arg)
{
    struct load *load = arg;
    struct connection *connection;
    int code = 0;

    while (!code) {
        code = ouro_event_wait(&load->is_listed);
        ouro_event_clear(&load->is_listed);
        while (!code && (connection = unlist(load)))
            see_to(connection);
    }
    return 0;
}

/* --- opening and closing ------------------------------------------------------------------ */

/* A connection per request would leave as many ports waiting (TIME_WAIT): it is reset instead. */
static void set_options(const struct load_plan *plan, int fd)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    const int on = 1;

    if (plan->address.sockaddr.sa_family == AF_UNIX)
        return;
    (void) ouro_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (plan->closes)
        (void) ouro_setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

static int connect_fd(const struct load_plan *plan, int *ret_fd)
{
    struct ouro_timeout limit;
    int fd = ouro_socket(plan->address.sockaddr.sa_family, SOCK_STREAM, 0);
    int code;

    if (fd < 0)
        return fd;
    set_options(plan, fd);
    ouro_timeout_begin(&limit, plan->timeout_ns);
    code = ouro_connect(fd, &plan->address.sockaddr, plan->address.len);
    (void) ouro_timeout_end(&limit);
    if (code)
        (void) ouro_close(fd);
    else
        *ret_fd = fd;
    return code;
}

static int open_connection(struct connection *connection)
{
    struct load *load = connection->load;
    int code = ouro_semaphore_acquire(&load->connecting);

    if (code)
        return code;
    code = connect_fd(load->plan, &connection->fd);
    ouro_semaphore_release(&load->connecting, 1);
    if (code)
        return code;
    ouro_receiver_init(&connection->receiver, connection->fd, /* quota= */ 16);
    connection->fault = NO_ERROR;
    connection->is_watched = false;
    connection->has_answered = false;
    connection->state = OPEN;
    begin_reply(connection);
    load->open_count++;
    load->lost_at = 0;
    return 0;
}

static void close_connection(struct connection *connection)
{
    if (connection->fd < 0)
        return;
    if (ouro_sender_is_sending(&connection->sender)) {
        ouro_event_clear(&connection->sent);
        ouro_sender_cancel(&connection->sender);
        while (ouro_sender_is_sending(&connection->sender) && !ouro_event_wait(&connection->sent))
            ouro_event_clear(&connection->sent);
    }
    (void) ouro_receiver_close(&connection->receiver);
    connection->fd = -1;
    connection->load->open_count--;
}

/* Not opened before there is something to send, when there is a connection per request. */
static bool is_wanted(const struct connection *connection)
{
    const struct load *load = connection->load;

    return connection->outstanding ||
           (!load->plan->closes && !(load->is_started && load->is_stopping));
}

/* A server that cannot be reached for as long as a request may take is gone: the load ends. */
static void note_loss(struct load *load)
{
    int64_t now = ouro_now();

    if (load->open_count)
        return;
    if (!load->lost_at)
        load->lost_at = now;
    if (now - load->lost_at < load->plan->timeout_ns)
        return;
    load->is_stopping = true;
    ouro_event_set(&load->is_over);
}

/* Ends with a connection that is open, or closed for want of work. Returns 0 or -ECANCELED. */
static int reopen(struct connection *connection)
{
    struct load *load = connection->load;
    int code;

    for (;;) {
        if (load->plan->closes && !connection->outstanding) {
            connection->state = CLOSED; /* with a rate, another task may renew it from here on */
            give_work(connection, ouro_now());
            if (connection->state != CLOSED || has_rate(load))
                return 0;
        }
        connection->state = is_wanted(connection) ? RENEWING : CLOSED;
        if (connection->state == CLOSED)
            return 0;
        code = open_connection(connection);
        if (!code || code == -ECANCELED)
            return code;
        if (!load->connect_code)
            load->connect_code = code;
        if (!load->is_started) { /* the beginning: whoever waits for it decides */
            connection->state = CLOSED;
            return 0;
        }
        fail_requests(connection, LOAD_ERROR_CONNECT, code);
        note_loss(load);
        if (ouro_sleep(RETRY_PAUSE))
            return -ECANCELED;
    }
}

static int run_renewal(void *arg)
{
    struct connection *connection = arg;
    bool is_useless = connection->fd >= 0 && !connection->has_answered;
    struct ouro_shield shield;
    int code = 0;

    ouro_shield_begin(&shield, CLEAN_UP_LIMIT);
    close_connection(connection);
    ouro_shield_end(&shield);
    if (is_useless)
        code = ouro_sleep(RETRY_PAUSE);
    if (!code)
        code = reopen(connection);
    if (code)
        connection->state = CLOSED;
    if (!code && connection->state == OPEN && connection->load->is_started) {
        send_unsent(connection);
        list(connection); /* the reader gives it more, and watches it */
    }
    return 0;
}

/* Where no task can be had there is no memory at all: the connection stays out. */
static void renew(struct connection *connection)
{
    static const struct ouro_spawn_options options = {.name = "connection",
                                                      .stack = OURO_STACK_16K};

    connection->state = RENEWING;
    if (ouro_group_spawn_with(&connection->load->group, run_renewal, connection, &options)) {
        fail_requests(connection, LOAD_ERROR_CONNECT, -ENOMEM);
        connection->state = CLOSED;
    }
}

/* --- time -------------------------------------------------------------------------------- */

/* With time to think: wakes those who have thought. Returns when the next will have. */
static int64_t end_thinking(struct load *load, int64_t now)
{
    while (load->idle.first && load->idle.first->wakes_at <= now) {
        struct connection *connection = take_idle(load);

        if (connection->state == RENEWING)
            continue;
        give_work(connection, now);
        get_going(connection);
    }
    return load->idle.first ? load->idle.first->wakes_at : OURO_FOREVER;
}

static int run_pacer(void *arg)
{
    struct load *load = arg;
    int code = 0;

    while (!code) {
        int64_t now = ouro_now();
        int64_t next = has_rate(load) ? pace(load, now, false) : end_thinking(load, now);

        if (is_over(load))
            ouro_event_set(&load->is_over);
        if (load->idle.first && next != OURO_FOREVER) {
            code = ouro_sleep_until(next);
            continue;
        }
        ouro_event_clear(&load->is_idle);
        code = ouro_event_wait(&load->is_idle);
    }
    return 0;
}

static void scan(struct load *load, int64_t oldest)
{
    for (unsigned i = 0; i < load->plan->connections; i++) {
        struct connection *connection = &load->connections[i];

        if (connection->state == OPEN && connection->outstanding &&
            connection->pending[connection->head].sent <= oldest) {
            connection->fault = LOAD_ERROR_TIMEOUT;
            connection->fault_code = 0;
            list(connection);
        }
    }
}

static int run_scanner(void *arg)
{
    struct load *load = arg;
    int64_t timeout_ns = load->plan->timeout_ns;

    while (!ouro_sleep(timeout_ns / SCANS + 1))
        scan(load, ouro_now() - timeout_ns);
    return 0;
}

/* --- the whole --------------------------------------------------------------------------- */

static int start_task(struct load *load, ouro_task_fn *fn, const char *name)
{
    struct ouro_spawn_options options = {.name = name, .stack = OURO_STACK_64K};

    return ouro_group_spawn_with(&load->group, fn, load, &options);
}

static int make_connections(struct load *load)
{
    const struct load_plan *plan = load->plan;

    load->connections = calloc(plan->connections, sizeof(*load->connections));
    load->pending = calloc((size_t) plan->connections * plan->pipeline, sizeof(*load->pending));
    if (!load->connections || !load->pending)
        return -ENOMEM;
    for (unsigned i = 0; i < plan->connections; i++) {
        struct connection *connection = &load->connections[i];

        connection->load = load;
        connection->fd = -1;
        connection->pending = load->pending + (size_t) i * plan->pipeline;
        connection->send_at = connection->reply_at = (plan->first + i) % load->tape->count;
    }
    return 0;
}

/* All of them, before the clock runs. Returns 0 when at least one is open. */
static int connect_all(struct load *load)
{
    bool is_renewing = !load->plan->closes;
    int code = 0;

    for (unsigned i = 0; is_renewing && i < load->plan->connections; i++)
        renew(&load->connections[i]);
    while (is_renewing && !code) {
        is_renewing = false;
        for (unsigned i = 0; i < load->plan->connections && !is_renewing; i++)
            is_renewing = load->connections[i].state == RENEWING;
        if (is_renewing)
            code = ouro_sleep(OURO_MILLISECOND);
    }
    if (!code && !load->open_count && load->connect_code)
        code = load->connect_code;
    return code;
}

static int wait_for_others(struct load_start *start)
{
    int code = 0;

    if (!start)
        return 0;
    __atomic_sub_fetch(&start->waiting, 1, __ATOMIC_ACQ_REL);
    while (!code && __atomic_load_n(&start->waiting, __ATOMIC_ACQUIRE) > 0)
        code = ouro_sleep(OURO_MILLISECOND);
    return code;
}

static void start_clock(struct load *load)
{
    const struct load_plan *plan = load->plan;

    load->begin = ouro_now();
    load->measured = load->begin + plan->warm_up_ns;
    load->end = OURO_FOREVER;
    if (plan->duration_ns < OURO_FOREVER - load->measured)
        load->end = load->measured + plan->duration_ns;
    load->limit = UINT64_MAX;
    load->is_started = true;
    if (has_rate(load))
        load_schedule_init(&load->schedule, load->begin + plan->phase_ns, plan->rate);
    if (plan->requests && (has_rate(load) || !plan->warm_up_ns))
        load->limit = plan->requests;
    if (plan->requests && has_rate(load)) /* those that are due during warm-up come before */
        load->limit += (uint64_t) ((double) plan->warm_up_ns * plan->rate / 1e9);
}

/* The first requests. A connection that could not be made is tried again. */
static void start_all(struct load *load)
{
    for (unsigned i = 0; i < load->plan->connections; i++) {
        struct connection *connection = &load->connections[i];

        if (has_rate(load)) {
            if (connection->state == OPEN || load->plan->closes)
                idle(connection);
        } else {
            give_work(connection, load->begin);
        }
        if (connection->state == CLOSED && !load->plan->closes)
            renew(connection);
        get_going(connection);
        if (connection->state == OPEN)
            list(connection);
    }
}

struct usage {
    int64_t cpu_ns;
    uint64_t system_calls;
};

static struct usage read_usage(void)
{
    struct usage usage = {.cpu_ns = 0};
    struct ouro_counters counters;
    struct timespec cpu;

    if (!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu))
        usage.cpu_ns = cpu.tv_sec * OURO_SECOND + cpu.tv_nsec;
    if (!ouro_stats(&counters))
        usage.system_calls = counters.system_calls;
    return usage;
}

/* Until no more is issued, or `limit`; no error but -ECANCELED. */
static int wait_until(struct load *load, int64_t limit)
{
    struct ouro_timeout timeout;
    int code;

    ouro_timeout_begin_at(&timeout, limit);
    code = ouro_event_wait(&load->is_over);
    (void) ouro_timeout_end(&timeout);
    return code == -ECANCELED ? code : 0;
}

/* What became due before the end but found no connection has failed. */
static void count_unsent(struct load *load)
{
    struct load_schedule *schedule = &load->schedule;

    for (; has_rate(load) && schedule->due < load->end && schedule->due < ouro_now() &&
           load->issued < load->limit;
         load->issued++)
        if (load_schedule_take(schedule) >= load->measured)
            note_error(load, LOAD_ERROR_UNSENT, 0, 1);
}

/* What is on its way is answered by then, or the time is up for it. */
static int wait_for_answers(struct load *load)
{
    int64_t timeout_ns = load->plan->timeout_ns;

    load->is_stopping = true;
    if (load->outstanding == 0)
        ouro_event_set(&load->is_over);
    return wait_until(load, ouro_now() + timeout_ns + timeout_ns / 4);
}

/* The last request at a rate is due before the time is over, and may be answered before, too. */
static int64_t end_of_issuing(const struct load *load, int64_t now)
{
    bool is_by_time = has_rate(load) && load->schedule.due >= load->end;

    return now < load->end && !is_by_time ? now : load->end;
}

static int play(struct load *load)
{
    int64_t now, from = load->measured;
    struct usage before, after;
    int code = 0;

    if (load->plan->warm_up_ns)
        code = wait_until(load, load->measured);
    if (load->plan->warm_up_ns && load->plan->requests && !has_rate(load))
        load->limit = load->issued + load->plan->requests;
    before = read_usage();
    if (!code)
        code = wait_until(load, load->end);
    after = read_usage();
    now = ouro_now();
    load->stats->elapsed_ns = end_of_issuing(load, now) - from;
    load->stats->cpu_ns = after.cpu_ns - before.cpu_ns;
    load->stats->system_calls = after.system_calls - before.system_calls;
    if (!code && has_rate(load)) /* what became due is still sent, for as long as one may take */
        code = wait_until(load, ouro_now() + load->plan->timeout_ns);
    if (!code)
        code = wait_for_answers(load);
    load->stats->is_interrupted = code == -ECANCELED;
    count_unsent(load);
    return 0;
}

static void clean_up(struct load *load)
{
    struct ouro_shield shield;

    load->is_stopping = true;
    load->is_started = false;
    ouro_shield_begin(&shield, CLEAN_UP_LIMIT);
    ouro_group_cancel(&load->group);
    (void) ouro_group_wait(&load->group);
    for (unsigned i = 0; load->connections && i < load->plan->connections; i++) {
        load->connections[i].state = RENEWING;
        close_connection(&load->connections[i]);
        load_reply_done(&load->connections[i].reply);
    }
    ouro_shield_end(&shield);
    free(load->connections);
    free(load->pending);
}

int load_run(const struct load_plan *plan, struct load_stats *stats)
{
    struct load load = {.plan = plan, .tape = plan->tape, .stats = stats};
    int code;

    ouro_group_init_with(&load.group, OURO_GROUP_INDEPENDENT);
    ouro_semaphore_init(&load.connecting, CONNECTING_MAX);
    code = make_connections(&load);
    if (!code)
        code = start_task(&load, run_reader, "reader");
    if (!code)
        code = connect_all(&load);
    if (!code)
        code = wait_for_others(plan->start);
    if (!code) {
        start_clock(&load);
        start_all(&load);
        code = start_task(&load, run_scanner, "time limits");
    }
    if (!code && (has_rate(&load) || plan->think_ns))
        code = start_task(&load, run_pacer, "pacer");
    if (!code)
        code = play(&load);
    clean_up(&load);
    return code;
}
