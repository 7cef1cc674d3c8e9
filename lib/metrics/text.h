/* SPDX-License-Identifier: MIT */
/*
 * Writes metrics for Prometheus: in OpenMetrics 1.0, and in the older text
 * format 0.0.4, which differ in the names of counters and in their ends.
 *
 * A family is begun, then its samples follow, each with labels. Values that are
 * not finite are left out.
 */
#ifndef METRICS_TEXT_H
#define METRICS_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buckets.h"
#include "metrics/metrics.h"
#include "util/buf.h"

struct metrics_text {
	struct buf *openmetrics, *text; /* one may be NULL: it is not wanted */
	/* The family that was begun. */
	const char *name;
	enum metrics_type type;
};

/* Name and value pairs, ended by a NULL name. */
struct metrics_label {
	const char *name, *value;
};
#define METRICS_LABELS(...)                                                    \
	((const struct metrics_label[]){__VA_ARGS__, {NULL, NULL}})
#define METRICS_NO_LABELS ((const struct metrics_label[]){{NULL, NULL}})

/* Begins a family of the table. */
void metrics_begin(struct metrics_text *m, enum metric_id id);
/* The same of any; for tests. */
void metrics_family(struct metrics_text *m, enum metrics_type type,
		    const char *name, const char *unit, const char *help);
void metrics_sample(struct metrics_text *m, const struct metrics_label *labels,
		    double value);
/* Of durations; some bounds of the scale are enough. */
void metrics_histogram(struct metrics_text *m,
		       const struct metrics_label *labels,
		       const int64_t counts[BUCKETS], double sum_s);
/* Both states of the slots of one kind, in METRIC_WORKER_SLOTS. */
void metrics_write_slots(struct metrics_text *m, const char *kind, double slots,
			 double busy);
/* Ends both texts. */
void metrics_end(struct metrics_text *m);

#endif
