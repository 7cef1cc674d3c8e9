/* SPDX-License-Identifier: MIT */
/*
 * Numbers and names: the smallest parts of an expression. Names are the English
 * ones, in any case: three letters, as in all crons, or more of the full name.
 */
#include "cron/field.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "util/closest.h"

#define NAME_LEN 3 /* JAN, SUN */

static const char *
end_of(const char *p, const char *end, int (*is)(int))
{
	while (p < end && is((unsigned char)*p))
		p++;
	return p;
}

/* The value that a name stands for, or -1. No two begin with the same three
 * letters. */
static int
find_name(const struct field *field, const char *p, size_t len)
{
	unsigned int i;

	if (field->full == NULL || len < NAME_LEN)
		return -1;
	for (i = 0; field->full[i] != NULL; i++)
		if (len <= strlen(field->full[i]) &&
		    strncasecmp(p, field->full[i], len) == 0)
			return (int)(field->min + i);
	return -1;
}

/* The name that is meant, if one begins in the same way ("MONDAY") or is one
 * mistake away; else NULL. */
static const char *
close_name(const struct field *field, const char *p, size_t len)
{
	/* What is longer is close to no name of three letters. */
	char typed[16] = "", name[NAME_LEN + 1] = "";
	const char *at;

	if (field->names == NULL || len >= sizeof(typed))
		return NULL;
	memcpy(typed, p, len);
	for (at = field->names; *at != '\0'; at += NAME_LEN) {
		memcpy(name, at, NAME_LEN);
		if (strncasecmp(typed, name, NAME_LEN) == 0)
			return at;
	}
	for (at = field->names; *at != '\0'; at += NAME_LEN) {
		memcpy(name, at, NAME_LEN);
		if (closest_distance(typed, name) == 1)
			return at;
	}
	return NULL;
}

int
value_fault_name(const struct scan *s, const char *from, const char *to)
{
	const struct field *field = &fields[s->field];
	const char *name = close_name(field, from, (size_t)(to - from));

	if (name != NULL)
		return scan_fault(s, CRON_UNKNOWN_NAME, from, to,
				  "did you mean %.3s?", name);
	if (to - from == 1 && strchr("LWH", toupper((unsigned char)*from)))
		return scan_fault(s, CRON_NOT_HERE, from, to, "write %s",
				  field->takes);
	return scan_fault(s, CRON_UNKNOWN_NAME, from, to, "write %s",
			  field->takes);
}

static int
read_name(struct scan *s, unsigned int *ret)
{
	const char *to = end_of(s->p, s->end, isalpha);
	size_t len = (size_t)(to - s->p);
	int value = find_name(&fields[s->field], s->p, len);

	/* FRIL is FRI and an L. */
	if (value < 0 && s->field == FIELD_WEEKDAY && len > NAME_LEN &&
	    toupper((unsigned char)to[-1]) == 'L') {
		len--;
		value = find_name(&fields[s->field], s->p, len);
	}
	if (value < 0)
		return value_fault_name(s, s->p, to);
	s->p += len;
	s->numbered = false;
	*ret = (unsigned int)value;
	return 0;
}

int
value_read(struct scan *s, unsigned int *ret)
{
	const struct field *field = &fields[s->field];
	const char *to = end_of(s->p, s->end, isdigit);
	unsigned int value = 0;
	const char *p;

	if (s->p < s->end && isalpha((unsigned char)*s->p))
		return read_name(s, ret);
	if (to == s->p)
		return scan_fault(s, CRON_BAD_ITEM, s->p, s->end, "write %s",
				  field->takes);
	/* No overflow: it stops as soon as the value is too large. */
	for (p = s->p; p < to && value <= field->max; p++)
		value = value * 10 + (unsigned int)(*p - '0');
	if (value < field->min || value > field->max)
		return scan_fault(s, CRON_OUT_OF_RANGE, s->p, to, "write %s",
				  field->takes);
	s->p = to;
	s->numbered = true;
	*ret = value;
	return 0;
}
