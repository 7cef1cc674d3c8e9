/* SPDX-License-Identifier: MIT */
/* The families of metrics, each from what a store has answered. Private to
 * metrics.c. */
#ifndef MANAGER_METRICS_FAMILIES_H
#define MANAGER_METRICS_FAMILIES_H

#include <jansson.h>
#include <stddef.h>

struct metrics_text;
struct schedules_stats;
struct series_total;

/* An array of queues_list(). */
void metrics_write_queues(struct metrics_text *m, const json_t *queues);
/* An array of workers_list(). */
void metrics_write_workers(struct metrics_text *m, const json_t *workers);
/* Of flows_list(), at most METRICS_FLOWS_MAX. */
void metrics_write_flows(struct metrics_text *m, const json_t *flows);
/* What series_totals() gives: sorted by task. */
void metrics_write_totals(struct metrics_text *m,
			  const struct series_total *totals, size_t n);
void metrics_write_schedules(struct metrics_text *m,
			     const struct schedules_stats *stats);

#endif
