/* SPDX-License-Identifier: MIT */
/*
 * Series: what the workers have counted (store/measures.h), as points of charts.
 *
 * A minute or an hour that is over does not change any more, so it is read once
 * and kept here: who asks each second for the last hour has the store read the
 * running minute, and the two before. Any number of threads may use one of
 * these.
 */
#ifndef MANAGER_SERIES_H
#define MANAGER_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "core/buckets.h"
#include "metrics/metrics.h"
#include "store/measures.h"

struct err;
struct flowrra_client;
struct series;

/* The most points of one answer. */
#define SERIES_POINTS_MAX 5000
/* The most tasks that series_totals() names; the others are MEASURE_OTHER. */
#define SERIES_TASKS_MAX METRICS_TASKS_MAX

/* NULL with *err. */
struct series *series_new(struct err *err);
void series_free(struct series *s);

struct series_query {
	const char *name;  /* "tasks", "wait", "duration" or "figures" */
	const char *queue; /* NULL: all */
	const char *task;  /* NULL: all */
	/* Wall clock; the points are those of the steps that these lie in, the
	 * last one included. 0: an hour before the end, and now. */
	int64_t from_us, to_us;
	int64_t step_s; /* 60, 3600, or 0: what suits the span */
};

/*
 * The points, the oldest first; a step in which nothing ended has one too:
 *	{"from", "to": RFC 3339, "step": seconds, "points": [...]}
 * of tasks {"at", "succeeded", "failed", "retried"} (attempts that ended in
 * that step); of figures what series_figures() has, and "at"; of the others
 * {"at", "counts": [...]}, one for each of "buckets",
 * which are upper bounds in seconds, the last null where there is none. Those
 * beyond the first and the last that are used are left out. Beside them "p50",
 * "p95" and "p99", in seconds, by point (null: nothing ended), and "all": the
 * same of all points together, {"count", "mean", "p50", "p95", "p99"} (of
 * figures, as its points).
 * NULL with *err; ERR_DATA names what is wrong with the query.
 */
json_t *series_get(struct series *s, struct flowrra_client *c,
		   const struct series_query *query, struct err *err);

/* {"queues": [...], "tasks": [...]}: all names that were counted, sorted. */
json_t *series_names(struct series *s, struct flowrra_client *c,
		     struct err *err);

/*
 * What ended since then, of a queue and a task (NULL: all):
 *	{"succeeded", "failed", "retried", "p50", "p95", "p99": of durations,
 *	 "wait": {"p50", "p95", "p99"}}
 */
json_t *series_figures(struct series *s, struct flowrra_client *c,
		       const struct series_query *query, struct err *err);

/* All that was ever counted of one task in one queue. */
struct series_total {
	char *queue, *task;
	int64_t numbers[MEASURE_NUMBERS]; /* by enum measure_what */
	int64_t wait[BUCKETS], run[BUCKETS];
};
/* A new array, in the order of tasks and queues; free it with
 * series_totals_free(). 0, or -1 with *err. */
int series_totals(struct series *s, struct flowrra_client *c,
		  struct series_total **ret, size_t *ret_n, struct err *err);
void series_totals_free(struct series_total *totals, size_t n);

#endif
