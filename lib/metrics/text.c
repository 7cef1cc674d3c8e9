/* SPDX-License-Identifier: MIT */
/*
 * Writes metrics for Prometheus, in two formats at once: OpenMetrics 1.0, and the
 * text format 0.0.4 that older monitors read. They differ in the names of
 * counters, in the order of the head of a family, and in the end.
 */
#include "metrics/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the scale: every second bound (1, 2 and 5 of each decade), from a
 * millisecond on, is what queries of percentiles need. */
#define FIRST_BOUND 6
#define LAST_BOUND (BUCKETS - 2)

static const char *const types[] = {[METRICS_GAUGE] = "gauge",
				    [METRICS_COUNTER] = "counter",
				    [METRICS_HISTOGRAM] = "histogram"};

/* The end of a counter's name, which the older format has in the family's too. */
static const char *
metrics_suffix(const struct metrics_text *m)
{
	return m->type == METRICS_COUNTER ? "_total" : "";
}

/* OpenMetrics wants the type first; the older format has no order. */
void
metrics_family(struct metrics_text *m, enum metrics_type type, const char *name,
	       const char *unit, const char *help)
{
	m->name = name;
	m->type = type;
	if (m->openmetrics != NULL) {
		buf_addf(m->openmetrics, "# TYPE %s %s\n", name, types[type]);
		if (unit != NULL)
			buf_addf(m->openmetrics, "# UNIT %s %s\n", name, unit);
		buf_addf(m->openmetrics, "# HELP %s %s\n", name, help);
	}
	if (m->text != NULL)
		buf_addf(m->text, "# HELP %s%s %s\n# TYPE %s%s %s\n", name,
			 metrics_suffix(m), help, name, metrics_suffix(m),
			 types[type]);
}

/* Only what the table names is served, so that the manual has it. */
void
metrics_begin(struct metrics_text *m, enum metric_id id)
{
	const struct metric *metric = &metrics[id];

	metrics_family(m, metric->type, metric->name, metric->unit,
		       metric->help);
}

/* --- samples ------------------------------------------------------------- */

/* Names of workers may have anything in them. */
static void
add_value(struct buf *out, const char *value)
{
	for (; *value != '\0'; value++)
		if (*value == '\n')
			buf_adds(out, "\\n");
		else if (*value == '\\' || *value == '"')
			buf_addf(out, "\\%c", *value);
		else
			buf_addc(out, *value);
}

/* The bound of a histogram comes last, as Prometheus writes it itself. */
static void
add_labels(struct buf *out, const struct metrics_label *labels, const char *le)
{
	const char *between = "{";

	for (; labels->name != NULL; labels++) {
		buf_addf(out, "%s%s=\"", between, labels->name);
		add_value(out, labels->value);
		buf_addc(out, '"');
		between = ",";
	}
	if (le != NULL) {
		buf_addf(out, "%sle=\"%s\"", between, le);
		between = ",";
	}
	if (*between == ',')
		buf_addc(out, '}');
}

/* The shortest digits that are the number: 0.1, and not 0.10000000000000001. */
static void
format_number(double value, char text[32])
{
	int digits;

	/* Most are counts, and a text has thousands of them. */
	if (value < 1e15 && value > -1e15 && value == (double)(int64_t)value) {
		snprintf(text, 32, "%" PRId64, (int64_t)value);
		return;
	}
	for (digits = 15; digits < 18; digits++) {
		snprintf(text, 32, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
}

/* Bounds are written as OpenMetrics wants numbers: "1.0", not "1". */
static void
format_bound(double value, char text[32])
{
	format_number(value, text);
	if (strpbrk(text, ".e") == NULL)
		memcpy(text + strlen(text), ".0", sizeof(".0"));
}

/* A value that is not finite breaks sums; a series that is missing does not. */
static void
add_sample(struct metrics_text *m, const char *suffix,
	   const struct metrics_label *labels, const char *le, double value)
{
	struct buf *const both[] = {m->openmetrics, m->text};
	char number[32];
	size_t i;

	if (!isfinite(value))
		return;
	format_number(value, number);
	for (i = 0; i < 2; i++) {
		if (both[i] == NULL)
			continue;
		buf_addf(both[i], "%s%s", m->name, suffix);
		add_labels(both[i], labels, le);
		buf_addf(both[i], " %s\n", number);
	}
}

/* A counter's sample ends in "_total", by the rule of OpenMetrics. */
void
metrics_sample(struct metrics_text *m, const struct metrics_label *labels,
	       double value)
{
	add_sample(m, metrics_suffix(m), labels, NULL, value);
}

/* Of the six bounds of a decade, 1, 2 and 5. */
static bool
is_told(unsigned int bucket)
{
	const unsigned int of_decade = bucket % 6;

	return of_decade == 0 || of_decade == 2 || of_decade == 4;
}

/* Counts are summed up: each bucket has all that are smaller. */
void
metrics_histogram(struct metrics_text *m, const struct metrics_label *labels,
		  const int64_t counts[BUCKETS], double sum_s)
{
	char bound[32];
	int64_t n = 0;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++) {
		n += counts[i];
		if (i < FIRST_BOUND || i > LAST_BOUND || !is_told(i))
			continue;
		format_bound((double)bucket_bound_us(i) / 1e6, bound);
		add_sample(m, "_bucket", labels, bound, (double)n);
	}
	add_sample(m, "_bucket", labels, "+Inf", (double)n);
	add_sample(m, "_count", labels, NULL, (double)n);
	add_sample(m, "_sum", labels, NULL, sum_s);
}

/* A worker that is told to shrink may be busy with more than it has for a moment. */
void
metrics_write_slots(struct metrics_text *m, const char *kind, double slots,
		    double busy)
{
	metrics_sample(m, METRICS_LABELS({"kind", kind}, {"state", "busy"}),
		       busy);
	metrics_sample(m, METRICS_LABELS({"kind", kind}, {"state", "free"}),
		       slots > busy ? slots - busy : 0);
}

/* Without it a client of OpenMetrics takes the text for cut off. */
void
metrics_end(struct metrics_text *m)
{
	if (m->openmetrics != NULL)
		buf_adds(m->openmetrics, "# EOF\n");
}
