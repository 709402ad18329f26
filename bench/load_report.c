/* SPDX-License-Identifier: MIT */
/* load_report.c - see load_report.h */
#include <string.h>

#include "load_report.h"
#include "ouro_base.h"

/* A thread that was on its CPU for more than this was what limited the load. */
#define BUSY_SHARE 0.95

static const double percents[] = {50, 75, 90, 99, 99.9, 99.99};

#define PERCENT_COUNT (sizeof(percents) / sizeof(percents[0]))

static double seconds(const struct load_stats *stats)
{
    return stats->elapsed_ns > 0 ? (double) stats->elapsed_ns / 1e9 : 0;
}

static double per_second(const struct load_stats *stats, uint64_t count)
{
    return stats->elapsed_ns > 0 ? (double) count / seconds(stats) : 0;
}

static double per_request(const struct load_stats *stats, double amount)
{
    return stats->in_time ? amount / (double) stats->in_time : 0;
}

/* Of one thread's time. */
static double busy_share(const struct load_options *options, const struct load_stats *stats)
{
    if (stats->elapsed_ns <= 0)
        return 0;
    return (double) stats->cpu_ns / (double) stats->elapsed_ns / options->threads;
}

/* --- text -------------------------------------------------------------------------------- */

static void print_duration(FILE *out, double ns)
{
    if (ns < 1e6)
        (void) fprintf(out, "%.1f us", ns / 1e3);
    else if (ns < 1e9)
        (void) fprintf(out, "%.2f ms", ns / 1e6);
    else
        (void) fprintf(out, "%.2f s", ns / 1e9);
}

static void print_percentiles(FILE *out, const char *title, const struct load_histogram *histogram)
{
    (void) fprintf(out, "%-10s", title);
    for (size_t i = 0; i < PERCENT_COUNT; i++) {
        (void) fprintf(out, " p%g ", percents[i]);
        print_duration(out, (double) load_histogram_percentile(histogram, percents[i]));
        (void) fputc(i + 1 < PERCENT_COUNT ? ',' : '\n', out);
    }
    (void) fprintf(out, "%-10s mean ", "");
    print_duration(out, load_histogram_mean(histogram));
    (void) fputs(", deviation ", out);
    print_duration(out, load_histogram_deviation(histogram));
    (void) fputs(", min ", out);
    print_duration(out, histogram->count ? (double) histogram->min : 0);
    (void) fputs(", max ", out);
    print_duration(out, (double) histogram->max);
    (void) fputc('\n', out);
}

static void print_errors(FILE *out, const struct load_stats *stats)
{
    const char *separator = "";

    (void) fprintf(out, "errors     %llu", (unsigned long long) load_stats_errors(stats));
    if (load_stats_errors(stats))
        (void) fputs(": ", out);
    for (enum load_error i = 0; i < LOAD_ERROR_COUNT; i++) {
        if (!stats->errors[i])
            continue;
        (void) fprintf(out, "%s%s %llu", separator, load_error_name(i),
                       (unsigned long long) stats->errors[i]);
        if (stats->first_code[i])
            (void) fprintf(out, " (%s)", ouro_strerror(stats->first_code[i]));
        if (i == LOAD_ERROR_STATUS)
            (void) fprintf(out, " (%d)", stats->first_status);
        separator = ", ";
    }
    (void) fputc('\n', out);
}

static void print_load(FILE *out, const struct load_options *options)
{
    (void) fprintf(out, "load       %s: %u connections", options->target, options->connections);
    if (options->pipeline > 1)
        (void) fprintf(out, ", %u requests at a time", options->pipeline);
    if (options->closes)
        (void) fputs(", one per request", out);
    if (options->rate > 0)
        (void) fprintf(out, ", %g requests/s by the clock", options->rate);
    if (options->threads > 1)
        (void) fprintf(out, ", %u threads", options->threads);
    (void) fputc('\n', out);
}

static void print_schedule(FILE *out, const struct load_stats *stats)
{
    print_percentiles(out, "service", &stats->service);
    (void) fputs("behind     p50 ", out);
    print_duration(out, (double) load_histogram_percentile(&stats->lateness, 50));
    (void) fputs(", p99 ", out);
    print_duration(out, (double) load_histogram_percentile(&stats->lateness, 99));
    (void) fputs(", max ", out);
    print_duration(out, (double) stats->lateness.max);
    (void) fprintf(out, "; %llu found no free connection when they were due\n",
                   (unsigned long long) stats->held_up);
}

static void print_remarks(FILE *out, const struct load_options *options,
                          const struct load_stats *stats)
{
    if (stats->reconnects)
        (void) fprintf(out, "reconnects %llu, %llu requests sent again\n",
                       (unsigned long long) stats->reconnects, (unsigned long long) stats->resent);
    if (busy_share(options, stats) > BUSY_SHARE)
        (void) fputs("note       ouro_load itself was the limit: more --threads, or another CPU\n",
                     out);
    if (options->rate > 0 && per_second(stats, stats->in_time) < 0.99 * options->rate)
        (void) fputs("note       the rate was not reached: the server, or the number of "
                     "connections, does not allow it\n",
                     out);
    if (stats->is_interrupted)
        (void) fputs("note       interrupted\n", out);
}

void load_report_text(FILE *out, const struct load_options *options, const struct load_stats *stats)
{
    print_load(out, options);
    (void) fprintf(out, "requests   %llu in %.3f s: %.1f requests/s, %.3f MB/s\n",
                   (unsigned long long) stats->in_time, seconds(stats),
                   per_second(stats, stats->in_time),
                   per_second(stats, stats->received_bytes) / 1e6);
    if (stats->requests > stats->in_time)
        (void) fprintf(out, "           and %llu answered after the end\n",
                       (unsigned long long) (stats->requests - stats->in_time));
    print_percentiles(out, "latency", &stats->latency);
    if (options->rate > 0)
        print_schedule(out, stats);
    print_errors(out, stats);
    if (!options->echo_bytes)
        (void) fprintf(
            out, "statuses   2xx %llu, 3xx %llu, 4xx %llu, 5xx %llu\n",
            (unsigned long long) stats->statuses[2], (unsigned long long) stats->statuses[3],
            (unsigned long long) stats->statuses[4], (unsigned long long) stats->statuses[5]);
    (void) fprintf(
        out, "generator  %.2f us of CPU and %.3f system calls per request, %.0f %% busy\n",
        per_request(stats, (double) stats->cpu_ns / 1e3),
        per_request(stats, (double) stats->system_calls), 100 * busy_share(options, stats));
    print_remarks(out, options, stats);
}

/* --- JSON -------------------------------------------------------------------------------- */

static void print_string(FILE *out, const char *text)
{
    (void) fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char) *text;

        if (c == '"' || c == '\\')
            (void) fprintf(out, "\\%c", c);
        else if (c < 0x20)
            (void) fprintf(out, "\\u%04x", c);
        else
            (void) fputc(c, out);
    }
    (void) fputc('"', out);
}

static void print_histogram(FILE *out, const char *name, const struct load_histogram *histogram)
{
    (void) fprintf(out, "  \"%s\": {\"count\": %llu, \"mean\": %.3f, \"stdev\": %.3f, ", name,
                   (unsigned long long) histogram->count, load_histogram_mean(histogram) / 1e3,
                   load_histogram_deviation(histogram) / 1e3);
    (void) fprintf(out, "\"min\": %.3f, ", histogram->count ? (double) histogram->min / 1e3 : 0);
    for (size_t i = 0; i < PERCENT_COUNT; i++)
        (void) fprintf(out, "\"p%g\": %.3f, ", percents[i],
                       (double) load_histogram_percentile(histogram, percents[i]) / 1e3);
    (void) fprintf(out, "\"max\": %.3f},\n", (double) histogram->max / 1e3);
}

static void print_json_load(FILE *out, const struct load_options *options)
{
    (void) fputs("  \"load\": {\"target\": ", out);
    print_string(out, options->target);
    (void) fprintf(out,
                   ", \"connections\": %u, \"pipeline\": %u, \"threads\": %u, \"rate\": %.10g, "
                   "\"close\": %s, \"echo_bytes\": %zu, ",
                   options->connections, options->pipeline, options->threads, options->rate,
                   options->closes ? "true" : "false", options->echo_bytes);
    (void) fprintf(out, "\"warm_up_s\": %.6f, \"think_us\": %.3f},\n",
                   (double) options->warm_up_ns / 1e9, (double) options->think_ns / 1e3);
}

static void print_json_errors(FILE *out, const struct load_stats *stats)
{
    (void) fputs("  \"errors\": {", out);
    for (enum load_error i = 0; i < LOAD_ERROR_COUNT; i++)
        (void) fprintf(out, "\"%s\": %llu, ", load_error_name(i),
                       (unsigned long long) stats->errors[i]);
    (void) fprintf(out, "\"total\": %llu},\n", (unsigned long long) load_stats_errors(stats));
    (void) fputs("  \"statuses\": {", out);
    for (int i = 2; i < 6; i++)
        (void) fprintf(out, "\"%dxx\": %llu%s", i, (unsigned long long) stats->statuses[i],
                       i < 5 ? ", " : "},\n");
}

void load_report_json(FILE *out, const struct load_options *options, const struct load_stats *stats)
{
    (void) fputs("{\n  \"program\": \"ouro_load\", \"version\": \"" OURO_VERSION "\",\n", out);
    print_json_load(out, options);
    (void) fprintf(out, "  \"requests\": %llu, \"answered_late\": %llu, \"seconds\": %.6f,\n",
                   (unsigned long long) stats->in_time,
                   (unsigned long long) (stats->requests - stats->in_time), seconds(stats));
    (void) fprintf(out, "  \"requests_per_second\": %.3f, \"received_bytes\": %llu, ",
                   per_second(stats, stats->in_time), (unsigned long long) stats->received_bytes);
    (void) fprintf(out, "\"body_bytes\": %llu,\n", (unsigned long long) stats->body_bytes);
    print_histogram(out, "latency_us", &stats->latency);
    if (options->rate > 0) {
        print_histogram(out, "service_us", &stats->service);
        print_histogram(out, "behind_us", &stats->lateness);
        (void) fprintf(out, "  \"held_up\": %llu,\n", (unsigned long long) stats->held_up);
    }
    print_json_errors(out, stats);
    (void) fprintf(out, "  \"reconnects\": %llu, \"resent\": %llu, \"interrupted\": %s,\n",
                   (unsigned long long) stats->reconnects, (unsigned long long) stats->resent,
                   stats->is_interrupted ? "true" : "false");
    (void) fprintf(out,
                   "  \"generator\": {\"cpu_us_per_request\": %.4f, "
                   "\"system_calls_per_request\": %.5f, \"busy\": %.4f}\n}\n",
                   per_request(stats, (double) stats->cpu_ns / 1e3),
                   per_request(stats, (double) stats->system_calls), busy_share(options, stats));
}

/* --- CSV --------------------------------------------------------------------------------- */

void load_report_csv(FILE *out, const struct load_stats *stats)
{
    const struct load_histogram *histogram = &stats->latency;
    uint64_t passed = 0;

    (void) fputs("from_us,to_us,count,percentile\n", out);
    for (unsigned i = 0; i < LOAD_HISTOGRAM_BUCKETS; i++) {
        if (!histogram->buckets[i])
            continue;
        passed += histogram->buckets[i];
        (void) fprintf(out, "%.3f,%.3f,%llu,%.6f\n", (double) load_histogram_floor(i) / 1e3,
                       (double) load_histogram_floor(i + 1) / 1e3,
                       (unsigned long long) histogram->buckets[i],
                       100.0 * (double) passed / (double) histogram->count);
    }
}
