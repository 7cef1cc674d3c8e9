/* SPDX-License-Identifier: MIT */
/*
 * The table of the fields; a field is a list of items. Reading a field makes a
 * set of bits, which is all that the search for the next fire looks at.
 */
#include "cron/field.h"

#include <string.h>

static const char *const months[] = {
    "January", "February",  "March",   "April",	   "May",      "June", "July",
    "August",  "September", "October", "November", "December", NULL};
static const char *const weekdays[] = {"Sunday",    "Monday",	"Tuesday",
				       "Wednesday", "Thursday", "Friday",
				       "Saturday",  NULL};

/* `last` is the end of a full turn, and less than `max` where two values mean
 * the same (7 is Sunday); `drawn` is the last value that H may take. */
const struct field fields[FIELDS] = {
    [FIELD_SECOND] = {.name = "second",
		      .max = 59,
		      .last = 59,
		      .drawn = 59,
		      .takes = "0 to 59",
		      .letters = ""},
    [FIELD_MINUTE] = {.name = "minute",
		      .max = 59,
		      .last = 59,
		      .drawn = 59,
		      .takes = "0 to 59",
		      .letters = ""},
    [FIELD_HOUR] = {.name = "hour",
		    .max = 23,
		    .last = 23,
		    .drawn = 23,
		    .takes = "0 to 23",
		    .letters = ""},
    /* Every month has a 28th. */
    [FIELD_DAY] = {.name = "day of month",
		   .min = 1,
		   .max = 31,
		   .last = 31,
		   .drawn = 28,
		   .takes = "1 to 31, L, LW, L-n or nW",
		   .letters = "LW?"},
    [FIELD_MONTH] = {.name = "month",
		     .min = 1,
		     .max = 12,
		     .last = 12,
		     .drawn = 12,
		     .takes = "1 to 12 or JAN to DEC",
		     .names = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC",
		     .full = months,
		     .letters = ""},
    [FIELD_WEEKDAY] = {.name = "day of week",
		       .max = 7,
		       .last = 6,
		       .drawn = 6,
		       .takes = "0 to 7 or SUN to SAT, also with L or #n",
		       .names = "SUNMONTUEWEDTHUFRISAT",
		       .full = weekdays,
		       .letters = "L#?+"},
    [FIELD_YEAR] = {.name = "year",
		    .min = CRON_YEAR_MIN,
		    .max = CRON_YEAR_MAX,
		    .last = CRON_YEAR_MAX,
		    .takes = "1970 to 2199",
		    .letters = ""},
};

void
field_set_add(struct field_set *set, enum field_id id, unsigned int first,
	      unsigned int last, unsigned int step)
{
	unsigned int min = fields[id].min;
	unsigned int value, bit;

	for (value = first; value <= last; value += step) {
		bit = value - min;
		set->words[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

int
field_read(struct scan *s, struct field_set *ret)
{
	const struct field *field = &fields[s->field];
	const char *end = s->end;
	const char *comma;

	/* Cron's rule: a day field that begins with a star leaves the choice to
	 * the other one. A "?" is Quartz's word for that. */
	*ret = (struct field_set){.star = *s->p == '*'};
	ret->bare = end - s->p == 1 &&
		    (ret->star ||
		     (*s->p == '?' && strchr(field->letters, '?') != NULL));
	s->quartz = s->quartz || (ret->bare && !ret->star);
	if (ret->bare) {
		field_set_add(ret, s->field, field->min, field->last, 1);
		return 0;
	}
	while ((comma = memchr(s->p, ',', (size_t)(end - s->p))) != NULL) {
		s->end = comma;
		if (item_read(s, ret) != 0)
			return -1;
		s->p = comma + 1;
	}
	s->end = end;
	return item_read(s, ret);
}
