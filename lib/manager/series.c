/* SPDX-License-Identifier: MIT */
/*
 * Series: points, percentiles and figures of what series_read.c has.
 *
 * All is summed up from slots, each of which is a minute or an hour of all
 * queues and tasks: so one that was read serves any question about that time. A
 * percentile is that of a histogram; its error is the width of a bucket
 * (core/buckets.h).
 */
#include "manager/series.h"

#include <stdlib.h>
#include <string.h>

#include "manager/member.h"
#include "manager/series_read.h"
#include "util/clock.h"
#include "util/err.h"
#include "util/name.h"
#include "util/sat.h"

#define US_PER_S 1000000
#define SPAN_STANDARD_S 3600
/* Up to this span a chart has a point a minute, by itself. */
#define SPAN_MINUTES_S (6 * 3600)

/* --- sums -------------------------------------------------------------- */

/* What one point, or all of them, come to. */
struct sums {
	int64_t numbers[MEASURE_NUMBERS]; /* by enum measure_what */
	int64_t wait[BUCKETS], run[BUCKETS];
};

/* One number stands for each kind of measure, so that a new one is a place in
 * an array. */
static void
sums_add(struct sums *sums, const struct measure *m)
{
	if (m->what >= MEASURE_RUN)
		sat_count(&sums->run[m->what - MEASURE_RUN], m->n);
	else if (m->what >= MEASURE_WAIT)
		sat_count(&sums->wait[m->what - MEASURE_WAIT], m->n);
	else
		sat_count(&sums->numbers[m->what], m->n);
}

/* Names are compared for each measure: a slot has as many as tasks ended under
 * different names. */
static void
sums_add_slot(struct sums *sums, const struct series_slot *slot,
	      const struct series_query *query)
{
	size_t i;

	for (i = 0; i < slot->n; i++) {
		const struct measure *m = &slot->measures[i];

		if ((query->queue == NULL ||
		     slice_eq(m->queue, slice_of(query->queue))) &&
		    (query->task == NULL ||
		     slice_eq(m->task, slice_of(query->task))))
			sums_add(sums, m);
	}
}

/* --- percentiles ------------------------------------------------------- */

static const struct {
	const char *name;
	double part;
} percentiles[] = {{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}};
#define N_PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

/* In seconds; null: there is nothing. */
static json_t *
percentile_json(const int64_t counts[BUCKETS], double part)
{
	const double s = bucket_percentile(counts, part);

	return s < 0 ? json_null() : json_real(s);
}

/* Each by its name, so that a new one is a row in the table above. */
static void
percentiles_set(json_t *object, const int64_t counts[BUCKETS])
{
	size_t i;

	for (i = 0; i < N_PERCENTILES; i++)
		json_object_set_new(
		    object, percentiles[i].name,
		    percentile_json(counts, percentiles[i].part));
}

/* {"count", "mean", "p50", "p95", "p99"} */
static json_t *
summary_json(const int64_t counts[BUCKETS], int64_t sum_us)
{
	json_t *all = json_object();
	int64_t n = 0;
	size_t i;

	for (i = 0; i < BUCKETS; i++)
		n += counts[i];
	json_object_set_new(all, "count", json_integer(n));
	json_object_set_new(all, "mean",
			    n > 0 ? json_real((double)sum_us / 1e6 / (double)n)
				  : json_null());
	percentiles_set(all, counts);
	return all;
}

/* --- the query --------------------------------------------------------- */

enum series_name { SERIES_TASKS, SERIES_WAIT, SERIES_DURATION, SERIES_FIGURES };

/* A query that was checked, in steps. */
struct span {
	enum series_name name;
	enum measure_step step;
	int64_t from_s; /* where the first step begins */
	size_t n;
};

/* Messages about the query begin with the parameter that they are about. */
static int
span_name(const char *name, enum series_name *ret, struct err *err)
{
	static const char *const names[] = {"tasks", "wait", "duration",
					    "figures"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (name != NULL && strcmp(name, names[i]) == 0) {
			*ret = (enum series_name)i;
			return 0;
		}
	return err_set(
	    err, ERR_DATA,
	    "name: \"%.40s\" is not a series; there are tasks, wait, "
	    "duration and figures",
	    name != NULL ? name : "");
}

/* The stores keep minutes and hours only. 0 leaves the choice to us. */
static int
span_step(struct span *span, int64_t step_s, int64_t length_s, struct err *err)
{
	if (step_s == 0)
		step_s =
		    length_s <= SPAN_MINUTES_S ? MEASURE_MINUTE : MEASURE_HOUR;
	if (step_s != MEASURE_MINUTE && step_s != MEASURE_HOUR)
		return err_set(err, ERR_DATA,
			       "step: %lld, must be 60 or 3600 seconds",
			       (long long)step_s);
	span->step = (enum measure_step)step_s;
	return 0;
}

/* Both ends are moved to where a step begins: a point is a whole step, and the
 * last one may still run. */
static int
span_make(const struct series_query *q, struct span *ret, struct err *err)
{
	const int64_t to_us = q->to_us != 0 ? q->to_us : clock_wall_us();
	const int64_t from_us =
	    q->from_us != 0 ? q->from_us
			    : to_us - (int64_t)SPAN_STANDARD_S * US_PER_S;

	ret->step = MEASURE_MINUTE;
	ret->n = 1;
	if (q->queue != NULL &&
	    name_check_queue(slice_of(q->queue), ERR_DATA, err) != 0)
		return err_prefix(err, "queue");
	if (q->task != NULL &&
	    name_check_task(slice_of(q->task), ERR_DATA, err) != 0)
		return err_prefix(err, "task");
	if (from_us > to_us)
		return err_set(err, ERR_DATA, "from: it is after \"to\"");
	if (span_step(ret, q->step_s, (to_us - from_us) / US_PER_S, err) != 0)
		return -1;
	ret->from_s = measure_begin(ret->step, from_us / US_PER_S);
	ret->n = (size_t)((measure_begin(ret->step, to_us / US_PER_S) -
			   ret->from_s) /
			  (int64_t)ret->step) +
		 1;
	if (ret->n > SERIES_POINTS_MAX)
		return err_set(err, ERR_DATA,
			       "from: %zu points are more than %d; take a "
			       "shorter span, or a step of 3600",
			       ret->n, SERIES_POINTS_MAX);
	return 0;
}

/* --- points ------------------------------------------------------------ */

/* The buckets that are used at all: from `first`, `n` of them. */
struct used {
	size_t first, n;
};

/* Tasks of one kind fill a few of the buckets: the others are not sent. */
static struct used
used_buckets(const int64_t counts[BUCKETS])
{
	size_t first = 0, end = BUCKETS;

	while (first < BUCKETS && counts[first] == 0)
		first++;
	while (end > first && counts[end - 1] == 0)
		end--;
	return (struct used){first < BUCKETS ? first : 0, end - first};
}

/* Upper bounds in seconds; the last bucket has none. */
static json_t *
bounds_json(struct used used)
{
	json_t *bounds = json_array();
	size_t i;

	for (i = used.first; i < used.first + used.n; i++)
		json_array_append_new(
		    bounds,
		    i == BUCKETS - 1
			? json_null()
			: json_real((double)bucket_bound_us((unsigned int)i) /
				    1e6));
	return bounds;
}

/* Attempts, by how they ended. */
static json_t *
point_tasks(const struct sums *sums, int64_t at_s)
{
	return json_pack("{s:o,s:I,s:I,s:I}", "at",
			 member_of_time(at_s * US_PER_S), "succeeded",
			 (json_int_t)sums->numbers[MEASURE_SUCCEEDED], "failed",
			 (json_int_t)sums->numbers[MEASURE_FAILED], "retried",
			 (json_int_t)sums->numbers[MEASURE_RETRIED]);
}

/* NULL without memory. */
static json_t *
figures_json(const struct sums *sums)
{
	json_t *wait = json_object();
	json_t *figures =
	    json_pack("{s:I,s:I,s:I,s:o}", "succeeded",
		      (json_int_t)sums->numbers[MEASURE_SUCCEEDED], "failed",
		      (json_int_t)sums->numbers[MEASURE_FAILED], "retried",
		      (json_int_t)sums->numbers[MEASURE_RETRIED], "wait", wait);

	if (figures == NULL)
		return NULL;
	percentiles_set(wait, sums->wait);
	percentiles_set(figures, sums->run);
	return figures;
}

static json_t *
point_figures(const struct sums *sums, int64_t at_s)
{
	json_t *figures = figures_json(sums);

	if (figures != NULL)
		json_object_set_new(figures, "at",
				    member_of_time(at_s * US_PER_S));
	return figures;
}

/* All points have the same buckets, so that a heat map needs no alignment. */
static json_t *
point_counts(const int64_t counts[BUCKETS], struct used used, int64_t at_s)
{
	json_t *list = json_array();
	size_t i;

	for (i = used.first; i < used.first + used.n; i++)
		json_array_append_new(list, json_integer(counts[i]));
	return json_pack("{s:o,s:o}", "at", member_of_time(at_s * US_PER_S),
			 "counts", list);
}

/* The histogram of the series, which is not that of tasks. */
static const int64_t *
histogram_of(const struct sums *sums, enum series_name name)
{
	return name == SERIES_WAIT ? sums->wait : sums->run;
}

/* What a histogram has beside its points: percentiles of each point, the bounds
 * of the buckets, and a summary of the whole span. */
static void
set_histogram(json_t *answer, const struct span *span, const struct sums *sums,
	      const struct sums *all)
{
	const int64_t *counts = histogram_of(all, span->name);
	json_t *lists[N_PERCENTILES];
	size_t i, p;

	for (p = 0; p < N_PERCENTILES; p++)
		lists[p] = json_array();
	for (i = 0; i < span->n; i++)
		for (p = 0; p < N_PERCENTILES; p++)
			json_array_append_new(
			    lists[p],
			    percentile_json(histogram_of(&sums[i], span->name),
					    percentiles[p].part));
	for (p = 0; p < N_PERCENTILES; p++)
		json_object_set_new(answer, percentiles[p].name, lists[p]);
	json_object_set_new(answer, "buckets",
			    bounds_json(used_buckets(counts)));
	json_object_set_new(
	    answer, "all",
	    summary_json(
		counts,
		all->numbers[span->name == SERIES_WAIT ? MEASURE_WAIT_US
						       : MEASURE_RUN_US]));
}

static json_t *
point_json(const struct span *span, const struct sums *sums, struct used used,
	   int64_t at_s)
{
	switch (span->name) {
	case SERIES_TASKS:
		return point_tasks(sums, at_s);
	case SERIES_FIGURES:
		return point_figures(sums, at_s);
	case SERIES_WAIT:
	case SERIES_DURATION:
		break;
	}
	return point_counts(histogram_of(sums, span->name), used, at_s);
}

/* "to" is where the last step ends, which may be ahead of now. */
static json_t *
points_json(const struct span *span, const struct sums *sums,
	    const struct sums *all)
{
	const struct used used = used_buckets(histogram_of(all, span->name));
	json_t *points = json_array(), *answer;
	int64_t at_s = span->from_s;
	size_t i;

	for (i = 0; i < span->n; i++, at_s += (int64_t)span->step)
		json_array_append_new(points,
				      point_json(span, &sums[i], used, at_s));
	answer = json_pack("{s:o,s:o,s:I,s:o}", "from",
			   member_of_time(span->from_s * US_PER_S), "to",
			   member_of_time(at_s * US_PER_S), "step",
			   (json_int_t)span->step, "points", points);
	if (answer != NULL && span->name == SERIES_FIGURES)
		json_object_set_new(answer, "all", figures_json(all));
	else if (answer != NULL && span->name != SERIES_TASKS)
		set_histogram(answer, span, sums, all);
	return answer;
}

/* Reads the steps of the span; sums[i] of each, and *all of them together. */
static int
span_sum(struct series *s, struct flowrra_client *c, const struct span *span,
	 const struct series_query *query, struct sums *sums, struct sums *all,
	 struct err *err)
{
	struct series_slot **slots =
	    calloc(span->n, sizeof(struct series_slot *));
	size_t i;

	if (slots == NULL)
		return err_nomem(err);
	if (series_read(s, c, span->step, span->from_s, slots, span->n, err) !=
	    0) {
		free(slots);
		return -1;
	}
	for (i = 0; i < span->n; i++) {
		if (sums != NULL)
			sums_add_slot(&sums[i], slots[i], query);
		sums_add_slot(all, slots[i], query);
	}
	series_done(s, slots, span->n);
	free(slots);
	return 0;
}

/* A chart of 5,000 points needs some megabytes while it is made, and no
 * more. */
json_t *
series_get(struct series *s, struct flowrra_client *c,
	   const struct series_query *query, struct err *err)
{
	struct sums all = {.numbers = {0}}, *sums;
	struct span span = {.name = SERIES_TASKS};
	json_t *answer = NULL;

	if (span_name(query->name, &span.name, err) != 0 ||
	    span_make(query, &span, err) != 0)
		return NULL;
	if ((sums = calloc(span.n, sizeof(*sums))) == NULL) {
		err_nomem(err);
		return NULL;
	}
	if (span_sum(s, c, &span, query, sums, &all, err) == 0 &&
	    (answer = points_json(&span, sums, &all)) == NULL)
		err_nomem(err);
	free(sums);
	return answer;
}

/* The figures of the whole span alone: no point is made. */
json_t *
series_figures(struct series *s, struct flowrra_client *c,
	       const struct series_query *query, struct err *err)
{
	struct sums all = {.numbers = {0}};
	struct span span = {.name = SERIES_TASKS};
	json_t *figures;

	if (span_make(query, &span, err) != 0 ||
	    span_sum(s, c, &span, query, NULL, &all, err) != 0)
		return NULL;
	if ((figures = figures_json(&all)) == NULL)
		err_nomem(err);
	return figures;
}
