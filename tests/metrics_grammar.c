/* SPDX-License-Identifier: MIT */
/* A strict reader of metrics. */
#include "metrics_grammar.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_FIRST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:"
#define NAME_REST NAME_FIRST "0123456789"
#define LABEL_FIRST "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define LABEL_REST LABEL_FIRST "0123456789"

struct reader {
	bool openmetrics;
	struct metrics_fault *fault;
	/* The family that was begun, and those before it. */
	char family[128], type[16];
	bool has_help, has_type;
	char *families[256];
	size_t n_families;
	/* "name{labels}" of each sample. */
	char **samples;
	size_t n_samples, cap;
	/* The histogram that is being read: its labels without le. */
	char histogram[512];
	double bound, cumulative;
	bool infinite, counted;
};

static int
fail(struct reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->fault->why, sizeof(r->fault->why), fmt, ap);
	va_end(ap);
	return -1;
}

static bool
ends_with(const char *text, const char *end)
{
	const size_t n = strlen(text), m = strlen(end);

	return n > m && strcmp(text + n - m, end) == 0;
}

/* A word of the given characters; its length, 0: it is none. */
static size_t
word(const char *p, const char *first, const char *rest)
{
	return strspn(p, first) > 0 ? strspn(p, rest) : 0;
}

/* --- families ------------------------------------------------------------ */

static int
begin_family(struct reader *r, const char *name)
{
	size_t i;

	for (i = 0; i < r->n_families; i++)
		if (strcmp(r->families[i], name) == 0)
			return fail(r, "%s is begun twice", name);
	if (r->n_families == 256)
		return fail(r, "more families than fit");
	r->families[r->n_families++] = strdup(name);
	snprintf(r->family, sizeof(r->family), "%s", name);
	r->has_help = r->has_type = false;
	r->type[0] = r->histogram[0] = '\0';
	return 0;
}

/* "# TYPE name type" and the like, behind the "# ". */
static int
read_comment(struct reader *r, const char *line)
{
	char kind[8], name[128];
	const char *rest;
	int used = 0;

	if (sscanf(line, "%7s %127s %n", kind, name, &used) != 2)
		return fail(r, "a comment that is none: %s", line);
	rest = line + used;
	if (word(name, NAME_FIRST, NAME_REST) != strlen(name))
		return fail(r, "\"%s\" is not a name", name);
	if (strcmp(name, r->family) != 0 && begin_family(r, name) != 0)
		return -1;
	if (strcmp(kind, "TYPE") == 0) {
		if (r->has_type)
			return fail(r, "%s has two types", name);
		if (strcmp(rest, "gauge") != 0 &&
		    strcmp(rest, "counter") != 0 &&
		    strcmp(rest, "histogram") != 0)
			return fail(r, "\"%s\" is not a type", rest);
		if (r->openmetrics && strcmp(rest, "counter") == 0 &&
		    ends_with(name, "_total"))
			return fail(r, "a counter's family ends in _total");
		r->has_type = true;
		snprintf(r->type, sizeof(r->type), "%s", rest);
	} else if (strcmp(kind, "UNIT") == 0) {
		if (!r->openmetrics || !r->has_type || r->has_help)
			return fail(r, "UNIT at a wrong place");
		if (!ends_with(name, rest) ||
		    name[strlen(name) - strlen(rest) - 1] != '_')
			return fail(r, "%s does not end in _%s", name, rest);
	} else if (strcmp(kind, "HELP") == 0) {
		if (r->has_help || *rest == '\0')
			return fail(r, "HELP twice, or empty");
		if (r->openmetrics && !r->has_type)
			return fail(r, "HELP before TYPE");
		r->has_help = true;
	} else {
		return fail(r, "\"%s\" is not a keyword", kind);
	}
	return 0;
}

/* --- samples ------------------------------------------------------------- */

/* Reads {a="b",…}; *le is its bound, if it has one, and `rest` all others. */
static int
read_labels(struct reader *r, const char **line, char *le, char *rest,
	    size_t size)
{
	const char *p = *line, *name, *value;
	size_t len;

	le[0] = rest[0] = '\0';
	if (*p != '{')
		return 0;
	do {
		name = ++p;
		if ((len = word(p, LABEL_FIRST, LABEL_REST)) == 0)
			return fail(r, "no label's name at: %.40s", p);
		p += len;
		if (strncmp(p, "=\"", 2) != 0)
			return fail(r, "no value at: %.40s", p);
		value = p += 2;
		for (; *p != '"'; p++) {
			if (*p == '\0')
				return fail(r, "a value without its end");
			if (*p == '\\' && strchr("\\\"n", *++p) == NULL)
				return fail(r, "an unknown escape");
		}
		if (len == 2 && strncmp(name, "le", 2) == 0)
			snprintf(le, 64, "%.*s", (int)(p - value), value);
		else
			snprintf(rest + strlen(rest), size - strlen(rest),
				 "%.*s,", (int)(p + 1 - name), name);
		p++;
	} while (*p == ',');
	if (*p++ != '}')
		return fail(r, "labels without their end: %.40s", p);
	*line = p;
	return 0;
}

static int
read_number(struct reader *r, const char *text, double *ret)
{
	char *end;

	if (strcmp(text, "+Inf") == 0) {
		*ret = INFINITY;
		return 0;
	}
	if (strspn(text, "+-.0123456789eE") != strlen(text) || *text == '\0')
		return fail(r, "\"%s\" is not a number", text);
	*ret = strtod(text, &end);
	return *end == '\0' ? 0 : fail(r, "\"%s\" is not a number", text);
}

/* The buckets, the count and the sum of one follow one another. */
static int
read_histogram(struct reader *r, const char *suffix, const char *le,
	       const char *labels, double value)
{
	double bound = 0;

	if (strcmp(suffix, "_bucket") != 0) {
		if (*le != '\0' || strcmp(labels, r->histogram) != 0 ||
		    !r->infinite)
			return fail(r, "%s without its buckets", suffix);
		if (strcmp(suffix, "_count") == 0 && value != r->cumulative)
			return fail(r, "the count is not that of +Inf");
		return strcmp(suffix, "_count") == 0 ||
			       strcmp(suffix, "_sum") == 0
			   ? 0
			   : fail(r, "\"%s\" of a histogram", suffix);
	}
	if (*le == '\0' || read_number(r, le, &bound) != 0)
		return fail(r, "a bucket without a bound");
	if (r->openmetrics && isfinite(bound) && strpbrk(le, ".e") == NULL)
		return fail(r, "the bound %s is not written as a float", le);
	if (strcmp(labels, r->histogram) != 0 || r->infinite) {
		if (*r->histogram != '\0' && !r->infinite)
			return fail(r, "a histogram without +Inf");
		snprintf(r->histogram, sizeof(r->histogram), "%s", labels);
		r->cumulative = 0;
		r->bound = -INFINITY;
	}
	if (bound <= r->bound || value < r->cumulative)
		return fail(r, "buckets do not rise");
	r->bound = bound;
	r->cumulative = value;
	r->infinite = isinf(bound);
	return 0;
}

static int
remember(struct reader *r, const char *sample)
{
	size_t i;

	for (i = 0; i < r->n_samples; i++)
		if (strcmp(r->samples[i], sample) == 0)
			return fail(r, "%s comes twice", sample);
	if (r->n_samples == r->cap) {
		r->cap = r->cap > 0 ? 2 * r->cap : 256;
		r->samples = realloc(r->samples, r->cap * sizeof(char *));
	}
	r->samples[r->n_samples++] = strdup(sample);
	return 0;
}

static int
read_sample(struct reader *r, const char *line)
{
	const char *p = line, *suffix;
	char name[128], le[64], labels[512], sample[512];
	size_t len = word(p, NAME_FIRST, NAME_REST);
	double value;

	if (len == 0 || len >= sizeof(name))
		return fail(r, "no name: %.60s", line);
	snprintf(name, sizeof(name), "%.*s", (int)len, p);
	p += len;
	if (read_labels(r, &p, le, labels, sizeof(labels)) != 0)
		return -1;
	snprintf(sample, sizeof(sample), "%.*s", (int)(p - line), line);
	if (*p != ' ' || read_number(r, p + 1, &value) != 0)
		return fail(r, "no number: %.60s", line);
	len = strlen(r->family);
	if (*r->family == '\0' || !r->has_type ||
	    strncmp(name, r->family, len) != 0)
		return fail(r, "%s is not of %s", name, r->family);
	suffix = name + len;
	if (strcmp(r->type, "histogram") == 0) {
		if (read_histogram(r, suffix, le, labels, value) != 0)
			return -1;
	} else if (strcmp(suffix,
			  r->openmetrics && strcmp(r->type, "counter") == 0
			      ? "_total"
			      : "") != 0) {
		return fail(r, "\"%s\" of a %s", suffix, r->type);
	}
	if (strcmp(r->type, "counter") == 0 && !(value >= 0))
		return fail(r, "a counter below 0");
	return remember(r, sample);
}

/* --- all of it ----------------------------------------------------------- */

static int
read_lines(struct reader *r, char *text)
{
	char *line, *end;

	for (line = text; *line != '\0'; line = end + 1) {
		r->fault->line++;
		if ((end = strchr(line, '\n')) == NULL)
			return fail(r, "the last line has no end");
		*end = '\0';
		if (strcmp(line, "# EOF") == 0)
			return r->openmetrics && end[1] == '\0'
				   ? 0
				   : fail(r, "# EOF is not the end");
		if (strncmp(line, "# ", 2) == 0) {
			if (read_comment(r, line + 2) != 0)
				return -1;
		} else if (read_sample(r, line) != 0) {
			return -1;
		}
	}
	return r->openmetrics ? fail(r, "no # EOF") : 0;
}

int
metrics_check(const char *text, bool openmetrics, struct metrics_fault *fault)
{
	struct reader r = {.openmetrics = openmetrics, .fault = fault};
	char *copy = strdup(text);
	int result;
	size_t i;

	*fault = (struct metrics_fault){.line = 0};
	result = read_lines(&r, copy);
	for (i = 0; i < r.n_families; i++)
		free(r.families[i]);
	for (i = 0; i < r.n_samples; i++)
		free(r.samples[i]);
	free(r.samples);
	free(copy);
	return result;
}
