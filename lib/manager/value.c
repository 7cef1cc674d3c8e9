/* SPDX-License-Identifier: MIT */
/* Values as people write them: one reader for each type. A reader takes all of
 * the text, or refuses it: what is half a number is a spelling mistake. */
#include "manager/value.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/moment.h"
#include "util/clock.h"
#include "util/err.h"

#define US_PER_S 1e6

/* Stores into `target`, which is of the type's C type, only if all is well. */
typedef int read_fn(const struct value_spec *spec, const char *text,
		    void *target, struct err *err);

/* The words of JSON, and no others: "yes" and "1" would have to be
 * explained. */
static int
read_switch(const struct value_spec *spec, const char *text, void *target,
	    struct err *err)
{
	bool on = strcmp(text, "true") == 0;

	if (!on && strcmp(text, "false") != 0)
		return err_set(err, ERR_DATA, "\"%.64s\" is not true or false",
			       text);
	if (spec->type == VALUE_FLAG)
		*(bool *)target = on;
	else
		*(int *)target = on;
	return 0;
}

/* The caller's text is borrowed, of the command line or of a scratch buffer. */
static int
read_text(const struct value_spec *spec, const char *text, void *target,
	  struct err *err)
{
	*(const char **)target = text;
	return 0;
}

/* The ranges are doubles, which hold each int exactly. */
static int
read_int(const struct value_spec *spec, const char *text, void *target,
	 struct err *err)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	/* strtol() would skip spaces, and take a plus. */
	if (strchr("-0123456789", text[0]) == NULL || end == text ||
	    *end != '\0' || errno != 0 || (double)n < spec->min ||
	    (double)n > spec->max)
		return err_set(err, ERR_DATA,
			       "\"%.64s\": not a whole number (%.0f to %.0f)",
			       text, spec->min, spec->max);
	*(int *)target = (int)n;
	return 0;
}

/* strtod() also takes hexadecimal, "inf" and "nan", and the locale's decimal
 * point: only the bytes of a JSON number are let through. */
static int
read_number(const struct value_spec *spec, const char *text, void *target,
	    struct err *err)
{
	char *end;
	double number = strtod(text, &end);

	/* Written so that a NaN is out of range. */
	if (text[0] == '\0' || text[strspn(text, "-0123456789.eE+")] != '\0' ||
	    *end != '\0' || !(number >= spec->min && number <= spec->max))
		return err_set(err, ERR_DATA,
			       "\"%.64s\": not a number (%g to %g)", text,
			       spec->min, spec->max);
	*(double *)target = number;
	return 0;
}

/* As a person would write it: the largest unit that it is a whole number of. */
static const char *
write_seconds(double seconds, char text[32])
{
	static const struct {
		double seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
	double n = 0;
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		n = seconds / units[i].seconds;
		if (n >= 1 && n == (double)(int64_t)n)
			break;
	}
	if (i == sizeof(units) / sizeof(units[0]))
		snprintf(text, 32, "%gs", seconds);
	else
		snprintf(text, 32, "%.0f%s", n, units[i].name);
	return text;
}

/* The duration is read in µs, so that "0.1s" is what it says. */
static int
read_seconds(const struct value_spec *spec, const char *text, void *target,
	     struct err *err)
{
	char low[32], high[32];
	int64_t us;

	if (clock_parse_duration(text, &us, err) != 0)
		return -1;
	if ((double)us < spec->min * US_PER_S ||
	    (double)us > spec->max * US_PER_S)
		return err_set(err, ERR_DATA,
			       "\"%.64s\": out of range (%s to %s)", text,
			       write_seconds(spec->min, low),
			       write_seconds(spec->max, high));
	*(double *)target = (double)us / US_PER_S;
	return 0;
}

static int
read_moment(const char *text, enum moment_side side, void *target,
	    struct err *err)
{
	const struct moment_reading reading = {.side = side,
					       .now_us = clock_wall_us()};

	return moment_read(text, &reading, target, err);
}

static int
read_time(const struct value_spec *spec, const char *text, void *target,
	  struct err *err)
{
	return read_moment(text, MOMENT_ANY, target, err);
}

/* A duration counts from now, when the command is given, not from when the task
 * is stored. */
static int
read_deadline(const struct value_spec *spec, const char *text, void *target,
	      struct err *err)
{
	return read_moment(text, MOMENT_FUTURE, target, err);
}

static int
read_past(const struct value_spec *spec, const char *text, void *target,
	  struct err *err)
{
	return read_moment(text, MOMENT_PAST, target, err);
}

/* Further values of an option that may be given several times. */
static int
read_list(const struct value_spec *spec, const char *text, void *target,
	  struct err *err)
{
	struct value_list *list = target;

	if (list->n == VALUE_LIST_MAX)
		return err_set(err, ERR_DATA, "\"%.64s\": more than %d given",
			       text, VALUE_LIST_MAX);
	list->items[list->n++] = text;
	list->items[list->n] = NULL;
	return 0;
}

/* `base` is the struct that the row's offset is in; nothing is stored on
 * failure. */
int
value_set(const struct value_spec *spec, const char *text, void *base,
	  struct err *err)
{
	static read_fn *const readers[] = {
	    [VALUE_FLAG] = read_switch,	  [VALUE_SWITCH] = read_switch,
	    [VALUE_TEXT] = read_text,	  [VALUE_INT] = read_int,
	    [VALUE_NUMBER] = read_number, [VALUE_SECONDS] = read_seconds,
	    [VALUE_TIME] = read_time,	  [VALUE_DEADLINE] = read_deadline,
	    [VALUE_PAST] = read_past,	  [VALUE_LIST] = read_list,
	};

	return readers[spec->type](spec, text, (char *)base + spec->offset,
				   err);
}
