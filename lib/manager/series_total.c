/* SPDX-License-Identifier: MIT */
/*
 * Series: all that was ever counted, by task and queue, and the names in it.
 *
 * Metrics need one series a task and queue, and must not grow without end:
 * beyond SERIES_TASKS_MAX tasks the others are summed up under one name.
 */
#include <stdlib.h>
#include <string.h>

#include "manager/series.h"
#include "manager/series_read.h"
#include "util/err.h"
#include "util/sat.h"

/* --- names ------------------------------------------------------------- */

/* By bytes: the order is for grouping, and the same everywhere. */
static int
compare_texts(struct slice a, struct slice b)
{
	const size_t len = a.len < b.len ? a.len : b.len;
	const int c = memcmp(a.p, b.p, len);

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static int
compare_by_queue(const void *a, const void *b)
{
	const struct measure *const *x = a, *const *y = b;

	return compare_texts((*x)->queue, (*y)->queue);
}

/* By tasks, and then queues. */
static int
compare_by_task(const void *a, const void *b)
{
	const struct measure *const *x = a, *const *y = b;
	const int c = compare_texts((*x)->task, (*y)->task);

	return c != 0 ? c : compare_by_queue(a, b);
}

/* The measures of a slot in another order; free() it. NULL without memory. */
static const struct measure **
sort_measures(const struct series_slot *slot,
	      int (*compare)(const void *, const void *))
{
	const struct measure **sorted =
	    calloc(slot->n + 1, sizeof(struct measure *));
	size_t i;

	if (sorted == NULL)
		return NULL;
	for (i = 0; i < slot->n; i++)
		sorted[i] = &slot->measures[i];
	qsort(sorted, slot->n, sizeof(struct measure *), compare);
	return sorted;
}

/* Equal ones stand together once they are sorted. */
static json_t *
names_of(const struct series_slot *slot, bool tasks)
{
	const struct measure **sorted =
	    sort_measures(slot, tasks ? compare_by_task : compare_by_queue);
	struct slice last = {NULL, 0}, name;
	json_t *names = json_array();
	size_t i;

	for (i = 0; sorted != NULL && i < slot->n; i++) {
		if (!measure_what_of_attempt(sorted[i]->what))
			continue;
		name = tasks ? sorted[i]->task : sorted[i]->queue;
		if (!slice_eq(name, last))
			json_array_append_new(names,
					      json_stringn(name.p, name.len));
		last = name;
	}
	free(sorted);
	return names;
}

json_t *
series_names(struct series *s, struct flowrra_client *c, struct err *err)
{
	struct series_slot *slot = NULL;
	json_t *names;

	if (series_read(s, c, MEASURE_TOTAL, 0, &slot, 1, err) != 0)
		return NULL;
	names = json_pack("{s:o,s:o}", "queues", names_of(slot, false), "tasks",
			  names_of(slot, true));
	series_done(s, &slot, 1);
	if (names == NULL)
		err_nomem(err);
	return names;
}

/* --- totals ------------------------------------------------------------ */

static void
total_add(struct series_total *t, const struct measure *m)
{
	if (m->what >= MEASURE_RUN)
		sat_count(&t->run[m->what - MEASURE_RUN], m->n);
	else if (m->what >= MEASURE_WAIT)
		sat_count(&t->wait[m->what - MEASURE_WAIT], m->n);
	else
		sat_count(&t->numbers[m->what], m->n);
}

/* The total that a measure belongs to, which may be the last one, or a new one:
 * they come in order. What is of too many tasks comes behind all others. NULL
 * without memory. */
static struct series_total *
total_of(struct series_total *totals, size_t *n, struct slice queue,
	 struct slice task)
{
	struct series_total *t;
	size_t i;

	/* Backwards: it is the last one, but for MEASURE_OTHER. */
	for (i = *n; i > 0; i--) {
		t = &totals[i - 1];
		if (slice_eq(slice_of(t->task), task) &&
		    slice_eq(slice_of(t->queue), queue))
			return t;
		if (!slice_eq(task, SLICE(MEASURE_OTHER)))
			break;
	}
	t = &totals[*n];
	t->queue = strndup(queue.p, queue.len);
	t->task = strndup(task.p, task.len);
	(*n)++;
	return t->queue != NULL && t->task != NULL ? t : NULL;
}

/* As many totals as there are measures do fit. */
static int
totals_fill(const struct measure *const *sorted, size_t n,
	    struct series_total *totals, size_t *ret_n)
{
	struct slice last = {NULL, 0};
	struct series_total *t;
	size_t i, tasks = 0;

	for (i = 0; i < n; i++) {
		const struct measure *m = sorted[i];

		tasks += !slice_eq(m->task, last);
		last = m->task;
		t = total_of(totals, ret_n, m->queue,
			     tasks > SERIES_TASKS_MAX ? SLICE(MEASURE_OTHER)
						      : m->task);
		if (t == NULL)
			return -1;
		total_add(t, m);
	}
	return 0;
}

/* How many there are at most: one for each task and queue. */
static size_t
totals_count(const struct measure *const *sorted, size_t n)
{
	size_t count = 0, i;

	for (i = 0; i < n; i++)
		count +=
		    i == 0 || compare_by_task(&sorted[i - 1], &sorted[i]) != 0;
	return count;
}

/* The total is one slot, read once a second at the most. */
int
series_totals(struct series *s, struct flowrra_client *c,
	      struct series_total **ret, size_t *ret_n, struct err *err)
{
	struct series_slot *slot = NULL;
	struct series_total *totals = NULL;
	const struct measure **sorted;
	int result = -1;
	size_t n = 0;

	if (series_read(s, c, MEASURE_TOTAL, 0, &slot, 1, err) != 0)
		return -1;
	sorted = sort_measures(slot, compare_by_task);
	if (sorted != NULL)
		totals =
		    calloc(totals_count(sorted, slot->n) + 1, sizeof(*totals));
	if (totals == NULL || totals_fill(sorted, slot->n, totals, &n) != 0) {
		series_totals_free(totals, n);
		err_nomem(err);
	} else {
		*ret = totals;
		*ret_n = n;
		result = 0;
	}
	free(sorted);
	series_done(s, &slot, 1);
	return result;
}

void
series_totals_free(struct series_total *totals, size_t n)
{
	size_t i;

	for (i = 0; totals != NULL && i < n; i++) {
		free(totals[i].queue);
		free(totals[i].task);
	}
	free(totals);
}
