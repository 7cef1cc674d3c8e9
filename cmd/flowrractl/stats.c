/* SPDX-License-Identifier: MIT */
/* The verb stats: the figures of the whole (manager/stats.h), once, or with
 * --since what has ended (manager/series.h). top shows the former live. */
#include "manager/stats.h"

#include <stdio.h>

#include "manager/series.h"
#include "table.h"
#include "util/clock.h"
#include "util/err.h"
#include "verb.h"

#define US_PER_S 1000000
/* As long as hours are kept. */
#define SINCE_MAX_S (90.0 * 24 * 3600)
/* Lines of minutes that still are a page or two. */
#define MINUTES_SPAN_S (2 * 3600)

struct stats_options {
	double since_s; /* 0: the figures of now */
	const char *task, *queue;
};

/* Tenths of a millisecond: a task may run for less than one. */
static void
cell_seconds(const json_t *value, struct buf *out)
{
	const double s = json_number_value(value);

	if (!json_is_number(value))
		return;
	if (s < 1)
		buf_addf(out, "%.1fms", s * 1000);
	else if (s < 100)
		buf_addf(out, "%.1fs", s);
	else
		buf_addf(out, "%.0fs", s);
}

/* For programs the order is part of the interface: add new columns at the end.
 */
static const struct column since_columns[] = {
    {"AT", "at", cell_time, false},
    {"SUCCEEDED", "succeeded", NULL, true},
    {"FAILED", "failed", NULL, true},
    {"RETRIED", "retried", NULL, true},
    {"WAIT-P50", "wait.p50", cell_seconds, true},
    {"WAIT-P95", "wait.p95", cell_seconds, true},
    {"RUN-P50", "p50", cell_seconds, true},
    {"RUN-P95", "p95", cell_seconds, true},
    {"RUN-P99", "p99", cell_seconds, true},
};

/* Steps in which nothing ended are not shown: an idle hour would be sixty lines
 * of zeroes. */
static json_t *
rows_of(const json_t *answer)
{
	static const char *const numbers[] = {"succeeded", "failed", "retried"};
	json_t *rows = json_array(), *point;
	size_t i, k;

	json_array_foreach (json_object_get(answer, "points"), i, point)
		for (k = 0; k < 3; k++)
			if (json_integer_value(
				json_object_get(point, numbers[k])) != 0) {
				json_array_append(rows, point);
				break;
			}
	return rows;
}

static int
print_since(struct ctl *ctl, json_t *answer)
{
	json_t *rows;
	int status;

	if (ctl->globals.json) {
		print_json_line(answer);
		return 0;
	}
	rows = rows_of(answer);
	status =
	    print_rows(ctl, since_columns,
		       sizeof(since_columns) / sizeof(since_columns[0]), rows);
	json_decref(rows);
	json_decref(answer);
	return status;
}

/* Without a span, the last hour. The sums of a day by the minute would be 1440
 * lines: longer spans are told by the hour. */
static int
run_since(struct ctl *ctl, const struct stats_options *o)
{
	const double since_s = o->since_s > 0 ? o->since_s : 3600;
	const int64_t now_us = clock_wall_us();
	const struct series_query query = {
	    .name = "figures",
	    .queue = o->queue,
	    .task = o->task,
	    .from_us = now_us - (int64_t)(since_s * US_PER_S),
	    .to_us = now_us,
	    .step_s =
		since_s <= MINUTES_SPAN_S ? MEASURE_MINUTE : MEASURE_HOUR};
	struct err err = ERR_INIT;
	struct series *series = series_new(&err);
	json_t *answer = NULL;

	if (series != NULL)
		answer = series_get(series, ctl->client, &query, &err);
	series_free(series);
	return answer != NULL ? print_since(ctl, answer)
			      : complain_of_err(ctl, &err);
}

static int
run_stats(struct ctl *ctl, int argc, char **argv, void *options)
{
	const struct stats_options *o = options;
	struct err err = ERR_INIT;
	json_t *stats;
	int status;

	if ((status = ctl_open(ctl)) != 0)
		return status;
	if (o->since_s > 0 || o->task != NULL || o->queue != NULL)
		return run_since(ctl, o);
	if ((stats = stats_get(ctl->client, &err)) == NULL)
		return complain_of_err(ctl, &err);
	if (ctl->globals.json) {
		print_json_line(stats);
		return 0;
	}
	/* A line each, named as in JSON: awk '$1 == "waiting"' finds one. */
	print_members(stats);
	json_decref(stats);
	return 0;
}

static const struct option_spec stats_options[] = {
    VERB_OPTION(struct stats_options, 0, "since", "DURATION", SECONDS, since_s,
		1, SINCE_MAX_S,
		"what has ended since then, by the minute or the hour"),
    VERB_OPTION(struct stats_options, 0, "task", "NAME", TEXT, task, 0, 0,
		"only of this task; of the last hour by default"),
    VERB_OPTION(struct stats_options, 0, "queue", "QUEUE", TEXT, queue, 0, 0,
		"only of this queue; of the last hour by default"),
};

const struct verb verb_stats = {
    .name = "stats",
    .looks = true,
    .summary = "Print numbers of tasks and workers, or what has ended",
    .usage = "[--since DURATION] [--task NAME] [--queue QUEUE]",
    .options = stats_options,
    .n_options = sizeof(stats_options) / sizeof(stats_options[0]),
    .options_size = sizeof(struct stats_options),
    .run = run_stats,
};
