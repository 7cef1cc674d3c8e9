/* SPDX-License-Identifier: MIT */
/*
 * The items of a field: values, ranges and steps, in the dialects of Vixie
 * cron, Quartz and Jenkins where they agree. Where they do not, an error says
 * so: a schedule that fires at another time than was meant is worse.
 */
#include "cron/field.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cron/flags.h"

/* The next byte, letters in upper case; or NUL at the end. */
static char
peek(const struct scan *s)
{
	return s->p < s->end ? (char)toupper((unsigned char)*s->p) : '\0';
}

/* Whether the field knows the letter. */
static bool
in_field(const struct scan *s, char letter)
{
	return strchr(fields[s->field].letters, letter) != NULL;
}

/* The advice is the field's own list of what it takes. */
static int
not_understood(const struct scan *s)
{
	return scan_fault(s, CRON_BAD_ITEM, s->p, s->end, "write %s",
			  fields[s->field].takes);
}

/* The values of the field that a full turn has. */
static unsigned int
item_field_values(const struct field *field)
{
	return field->last - field->min + 1;
}

int
item_read_step(struct scan *s, unsigned int *ret)
{
	const struct field *field = &fields[s->field];
	const char *slash = s->p;
	unsigned int step = 0;

	*ret = 1;
	if (peek(s) != '/')
		return 0;
	for (s->p++; isdigit((unsigned char)peek(s)); s->p++)
		/* No overflow: what is larger stays too large. */
		if (step <= field->max)
			step = step * 10 + (unsigned int)(*s->p - '0');
	if (step == 0)
		return scan_fault(s, CRON_BAD_STEP, slash, s->end,
				  "write 1 to %u after the slash",
				  item_field_values(field));
	if (step > item_field_values(field))
		return scan_fault(s, CRON_BAD_STEP, slash, s->end,
				  "the field has %u values; for longer periods "
				  "write @every 90m",
				  item_field_values(field));
	*ret = step;
	return 0;
}

/* As the person wrote it, so that the advice can be copied. */
static void
name_or_number(const struct field *field, unsigned int value, bool named,
	       char text[8])
{
	if (named)
		snprintf(text, 8, "%.3s",
			 field->names + (size_t)(value - field->min) * 3);
	else
		snprintf(text, 8, "%u", value);
}

/*
 * Refuses first > last, with two ranges in its stead. `from` is where the
 * range begins, `dash` its middle.
 */
static int
reversed(const struct scan *s, const char *from, const char *dash)
{
	const struct field *field = &fields[s->field];
	bool named = isalpha((unsigned char)*from);
	int first_len = (int)(dash - from);
	int last_len = (int)(s->p - dash - 1);
	char end[8], begin[8];

	if (s->p < s->end)
		return scan_fault(s, CRON_REVERSED_RANGE, from, s->p,
				  "the smaller value comes first");
	if (s->field == FIELD_WEEKDAY && *from == '7')
		return scan_fault(s, CRON_REVERSED_RANGE, from, s->p,
				  "write 0-%.*s", last_len, dash + 1);
	name_or_number(field, field->last, named, end);
	name_or_number(field, field->min, named, begin);
	return scan_fault(s, CRON_REVERSED_RANGE, from, s->p,
			  "write %.*s-%s,%s-%.*s", first_len, from, end, begin,
			  last_len, dash + 1);
}

/* Quartz counts weekdays from 1, which is Sunday there; it has "?", L and #. */
static void
note_weekday(struct scan *s)
{
	if (s->field == FIELD_WEEKDAY && s->numbered)
		s->cron->flags |= CRON_QUARTZ_DAYS;
}

/* Reads what follows the first value of a range, and its step. */
static int
read_range(struct scan *s, const char *from, unsigned int first,
	   struct field_set *set)
{
	const char *dash = s->p;
	unsigned int last = first;
	unsigned int step;

	if (peek(s) == '-') {
		s->p++;
		if (value_read(s, &last) != 0)
			return -1;
		/* SAT-SUN: here Sunday is the last day. */
		if (s->field == FIELD_WEEKDAY && last == 0 && first > 0 &&
		    isalpha((unsigned char)dash[1]))
			last = 7;
		if (first > last)
			return reversed(s, from, dash);
	} else if (peek(s) == '/') {
		last = fields[s->field].last;
		/* 7/n begins at the week's end. */
		if (first > last)
			last = first;
	}
	if (item_read_step(s, &step) != 0)
		return -1;
	if (s->p < s->end)
		return not_understood(s);
	if (s->quartz)
		note_weekday(s);
	field_set_add(set, s->field, first, last, step);
	return 0;
}

/* Reads the k of n#k, or the L of n#L and nL: the place in `nth`. */
static int
read_nth(struct scan *s, unsigned int weekday)
{
	const char *from = s->p;
	unsigned int week = 5;

	note_weekday(s);
	if (peek(s) == '#') {
		s->p++;
		if (s->end - s->p == 1 && *s->p >= '1' && *s->p <= '5')
			week = (unsigned int)(*s->p - '1');
		else if (s->end - s->p != 1 || peek(s) != 'L')
			return scan_fault(s, CRON_OUT_OF_RANGE, from, s->end,
					  "write #1 to #5, or #L for the last "
					  "one of the month");
	}
	s->p++;
	if (s->p < s->end)
		return not_understood(s);
	s->cron->nth[week] |= (uint8_t)(1U << weekday % 7);
	s->cron->flags |= CRON_SPECIAL_DAYS;
	return 0;
}

/* nW: resolved when the month is known, in next.c. */
static int
read_nearest(struct scan *s, unsigned int day)
{
	s->p++;
	if (s->p < s->end)
		return not_understood(s);
	s->cron->nearest |= UINT32_C(1) << (day - 1);
	s->cron->flags |= CRON_SPECIAL_DAYS;
	return 0;
}

/* A star, and its step. */
static int
read_star(struct scan *s, struct field_set *set)
{
	const struct field *field = &fields[s->field];
	unsigned int step;

	s->p++;
	if (item_read_step(s, &step) != 0)
		return -1;
	if (s->p < s->end)
		return not_understood(s);
	field_set_add(set, s->field, field->min, field->last, step);
	return 0;
}

/* Letters first: what begins with one of these is not a value. */
int
item_read(struct scan *s, struct field_set *set)
{
	const struct field *field = &fields[s->field];
	const char *from = s->p;
	unsigned int first;
	char c = peek(s);

	if (s->p == s->end)
		return scan_fault(s, CRON_EMPTY_ITEM, from, s->end,
				  "take the comma out, or write %s",
				  field->takes);
	if (c == '*')
		return read_star(s, set);
	if (c == '?')
		return scan_fault(s, CRON_NOT_HERE, from, s->end,
				  "\"?\" must stand alone, in a day field");
	if (c == 'H' && s->field != FIELD_YEAR)
		return item_read_drawn(s, set);
	if (c == 'L' && s->field == FIELD_DAY)
		return item_read_last_day(s);
	if (value_read(s, &first) != 0)
		return -1;
	c = peek(s);
	if (c == 'W' && in_field(s, c))
		return read_nearest(s, first);
	if (c != '\0' && strchr("L#", c) != NULL && s->field == FIELD_WEEKDAY)
		return read_nth(s, first);
	if (c != '\0' && strchr("LW#", c) != NULL)
		return scan_fault(s, CRON_NOT_HERE, s->p, s->end, "write %s",
				  field->takes);
	return read_range(s, from, first, set);
}
