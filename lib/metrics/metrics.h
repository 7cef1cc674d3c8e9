/* SPDX-License-Identifier: MIT */
/* The families of metrics (metrics.def), for those who write them and for those
 * who check what is said of them. */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

/* The most tasks that are named in one text; the others are "other". A monitor
 * pays for each series, and a producer may make up any number of names. */
#define METRICS_TASKS_MAX 200
#define METRICS_OTHER "other"
/* The workflows that are looked at, those that were begun last: a look costs as much,
 * however many there are. The texts say this number. */
#define METRICS_FLOWS_MAX 500

enum metrics_type { METRICS_GAUGE, METRICS_COUNTER, METRICS_HISTOGRAM };

enum metric_source {
	FROM_STORES = 1,
	FROM_WEB = 2,
	FROM_WORKER = 4,
	FROM_BEAT = 8
};

enum metric_id {
#define METRIC(symbol, type, name, unit, labels, sources, help) METRIC_##symbol,
#include "metrics/metrics.def"
	METRIC_N
};

struct metric {
	const char *name; /* without "_total" */
	enum metrics_type type;
	const char *unit;     /* NULL: none */
	const char *labels;   /* separated by spaces */
	unsigned int sources; /* of enum metric_source */
	const char *help;
};
extern const struct metric metrics[METRIC_N];

#endif
