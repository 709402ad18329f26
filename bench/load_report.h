/* SPDX-License-Identifier: MIT */
/*
 * load_report.h - what a load has found out, for people and for programs
 */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stdio.h>

#include "load_options.h"
#include "load_stats.h"

void load_report_text(FILE *out, const struct load_options *options,
                      const struct load_stats *stats);
void load_report_json(FILE *out, const struct load_options *options,
                      const struct load_stats *stats);

/* The histogram of latencies: a line for each bucket that is not empty. */
void load_report_csv(FILE *out, const struct load_stats *stats);

#endif /* LOAD_REPORT_H */
