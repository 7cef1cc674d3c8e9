/* SPDX-License-Identifier: MIT */
/* What was measured, as a table and as JSON. */
#include "table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *key, *unit, *text;
	int decimals;
} metrics[] = {
#define X(key_, decimals_, unit_, text_)                                       \
	[METRIC_##key_] = {.key = #key_,                                       \
			   .unit = (unit_),                                    \
			   .text = (text_),                                    \
			   .decimals = (decimals_)},
    METRICS(X)
#undef X
};

struct summary {
	double median, min, max;
};

void
table_add(struct table *t, enum metric metric, double value)
{
	assert(t->rounds[metric] < ROUNDS_MAX);
	t->values[metric][t->rounds[metric]++] = value;
}

void
table_add_floor(struct table *t, enum metric ours, enum metric floor,
		enum metric ratio, double value)
{
	assert(t->rounds[ours] > 0);
	table_add(t, floor, value);
	table_add(t, ratio, t->values[ours][t->rounds[ours] - 1] / value);
}

static int
by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static struct summary
summarize(const struct table *t, size_t metric)
{
	const size_t n = t->rounds[metric];
	double sorted[ROUNDS_MAX];

	memcpy(sorted, t->values[metric], n * sizeof(double));
	qsort(sorted, n, sizeof(double), by_value);
	return (struct summary){(sorted[(n - 1) / 2] + sorted[n / 2]) / 2,
				sorted[0], sorted[n - 1]};
}

void
table_print(const struct table *t, const char *title)
{
	struct summary s;
	size_t i;
	int d;

	printf("\n%-34s %10s %10s %10s\n", title, "median", "min", "max");
	for (i = 0; i < METRIC_COUNT; i++) {
		if (t->rounds[i] == 0)
			continue;
		s = summarize(t, i);
		d = metrics[i].decimals;
		printf("%-34s %10.*f %10.*f %10.*f  %s\n", metrics[i].text, d,
		       s.median, d, s.min, d, s.max, metrics[i].unit);
	}
}

json_t *
table_json(const struct table *t)
{
	json_t *all = json_object();
	struct summary s;
	size_t i;

	for (i = 0; i < METRIC_COUNT; i++) {
		if (t->rounds[i] == 0)
			continue;
		s = summarize(t, i);
		json_object_set_new(all, metrics[i].key,
				    json_pack("{s:f,s:f,s:f}", "median",
					      s.median, "min", s.min, "max",
					      s.max));
	}
	return all;
}

json_t *
table_medians(const struct table *t)
{
	json_t *all = json_object();
	size_t i;

	for (i = 0; i < METRIC_COUNT; i++)
		if (t->rounds[i] > 0)
			json_object_set_new(all, metrics[i].key,
					    json_real(summarize(t, i).median));
	return all;
}
