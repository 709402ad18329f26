/* SPDX-License-Identifier: MIT */
/* load_stats.c - see load_stats.h */
#include "load_stats.h"

const char *load_error_name(enum load_error error)
{
    static const char *const names[LOAD_ERROR_COUNT] = {"connect",  "write",  "read", "timeout",
                                                        "protocol", "status", "body", "unsent"};

    return names[error];
}

void load_stats_merge(struct load_stats *into, const struct load_stats *from)
{
    load_histogram_merge(&into->latency, &from->latency);
    load_histogram_merge(&into->service, &from->service);
    load_histogram_merge(&into->lateness, &from->lateness);
    into->requests += from->requests;
    into->in_time += from->in_time;
    into->held_up += from->held_up;
    for (int i = 0; i < LOAD_ERROR_COUNT; i++) {
        into->errors[i] += from->errors[i];
        if (!into->first_code[i])
            into->first_code[i] = from->first_code[i];
    }
    if (!into->first_status)
        into->first_status = from->first_status;
    for (int i = 0; i < 6; i++)
        into->statuses[i] += from->statuses[i];
    into->body_bytes += from->body_bytes;
    into->received_bytes += from->received_bytes;
    into->reconnects += from->reconnects;
    into->resent += from->resent;
    if (from->elapsed_ns > into->elapsed_ns)
        into->elapsed_ns = from->elapsed_ns;
    into->cpu_ns += from->cpu_ns;
    into->system_calls += from->system_calls;
    into->is_interrupted |= from->is_interrupted;
}

uint64_t load_stats_errors(const struct load_stats *stats)
{
    uint64_t sum = 0;

    for (int i = 0; i < LOAD_ERROR_COUNT; i++)
        sum += stats->errors[i];
    return sum;
}
