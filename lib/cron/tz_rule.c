/* SPDX-License-Identifier: MIT */
/*
 * Reads the rule of a footer (the TZ of POSIX, with the extensions of RFC
 * 8536), and applies it to a year. Transitions in a file end some time; the
 * rule says how it goes on.
 */
#include "cron/tz_rule.h"

#include <ctype.h>

#include "cron/days.h"

#define HOUR_S 3600
#define SUMMER_S HOUR_S	      /* ahead of the standard time, if not said */
#define CHANGE_S (2 * HOUR_S) /* the time of a change, if not said */
/* The largest hours that POSIX and, for the time of a change, RFC 8536 (section
 * 3.3.1) allow. */
#define OFFSET_HOURS 24
#define CHANGE_HOURS 167

/* What is left of the rule. */
struct text {
	const char *p;
	const char *end;
};

/* Readers take what they know and return false on anything else; nothing is
 * undone then, for the rule as a whole is bad. */
static bool
next_is(const struct text *t, char c)
{
	return t->p < t->end && *t->p == c;
}

static bool
skip(struct text *t, char c)
{
	if (!next_is(t, c))
		return false;
	t->p++;
	return true;
}

/* Reads a number of at most three digits, in a range. */
static bool
rule_number(struct text *t, int min, int max, int *ret)
{
	int value = 0;
	int digits = 0;

	for (; t->p < t->end && isdigit((unsigned char)*t->p); t->p++) {
		if (++digits > 3)
			return false;
		value = value * 10 + (*t->p - '0');
	}
	*ret = value;
	return digits > 0 && value >= min && value <= max;
}

/* The abbreviation: CET or <+03>. Nobody here wants to know it. */
static bool
abbreviation(struct text *t)
{
	bool quoted = skip(t, '<');
	int len = 0;
	unsigned char c;

	for (; t->p < t->end; t->p++, len++) {
		c = (unsigned char)*t->p;
		if (!isalpha(c) &&
		    !(quoted && (isdigit(c) || c == '+' || c == '-')))
			break;
	}
	return len >= 3 && (!quoted || skip(t, '>'));
}

/* [+-]hh[:mm[:ss]] */
static bool
time_of_day(struct text *t, int hours_max, int32_t *ret_s)
{
	int sign = skip(t, '-') ? -1 : 1;
	int hours, minutes = 0, seconds = 0;

	if (sign > 0)
		skip(t, '+');
	if (!rule_number(t, 0, hours_max, &hours))
		return false;
	if (skip(t, ':')) {
		if (!rule_number(t, 0, 59, &minutes))
			return false;
		if (skip(t, ':') && !rule_number(t, 0, 59, &seconds))
			return false;
	}
	*ret_s = sign * (hours * HOUR_S + minutes * 60 + seconds);
	return true;
}

/* POSIX counts offsets to the west. */
static bool
offset(struct text *t, int32_t *ret_s)
{
	if (!time_of_day(t, OFFSET_HOURS, ret_s))
		return false;
	*ret_s = -*ret_s;
	return true;
}

/* ",M3.5.0/3" and such. */
static bool
rule_change(struct text *t, struct tz_day *ret)
{
	bool good;

	*ret = (struct tz_day){.kind = TZ_DAY_OF_YEAR, .time_s = CHANGE_S};
	if (!skip(t, ','))
		return false;
	if (skip(t, 'M')) {
		ret->kind = TZ_DAY_MONTH;
		good = rule_number(t, 1, 12, &ret->month) && skip(t, '.') &&
		       rule_number(t, 1, 5, &ret->week) && skip(t, '.') &&
		       rule_number(t, 0, 6, &ret->weekday);
	} else if (skip(t, 'J')) {
		ret->kind = TZ_DAY_NO_LEAP;
		good = rule_number(t, 1, 365, &ret->day);
	} else {
		good = rule_number(t, 0, 365, &ret->day);
	}
	if (good && skip(t, '/'))
		good = time_of_day(t, CHANGE_HOURS, &ret->time_s);
	return good;
}

/* "CET-1CEST,M3.5.0,M10.5.0/3": a name and an offset; then, if there is a
 * summer, its name, its offset, and when it begins and ends. POSIX lets a
 * system choose the changes if they are missing; here that is an error. */
int
tz_rule_parse(struct slice text, struct tz_rule *ret)
{
	struct text t = {text.p, text.p + text.len};
	struct tz_rule rule = {.has_summer = false};

	if (!abbreviation(&t) || !offset(&t, &rule.offset_s))
		return -1;
	if (t.p < t.end) {
		rule.has_summer = true;
		if (!abbreviation(&t))
			return -1;
		rule.summer_offset_s = rule.offset_s + SUMMER_S;
		if (!next_is(&t, ',') && !offset(&t, &rule.summer_offset_s))
			return -1;
		if (!rule_change(&t, &rule.start) ||
		    !rule_change(&t, &rule.end))
			return -1;
	}
	if (t.p != t.end)
		return -1;
	*ret = rule;
	return 0;
}

/* The day of a year, counted since 1970. */
static int
rule_day_in_year(const struct tz_day *day, unsigned int year)
{
	bool leap = days_is_leap(year);
	unsigned int new_year = days_before_year(year);
	unsigned int month, start, found;

	switch (day->kind) {
	case TZ_DAY_NO_LEAP:
		/* Jn counts as if there were no 29 February: day 60 is 1
		 * March. */
		return (int)new_year + day->day - 1 + (leap && day->day >= 60);
	case TZ_DAY_OF_YEAR:
		return (int)new_year + day->day;
	default:
		break;
	}
	month = (unsigned int)day->month - 1;
	start = new_year + days_before_month(leap, month);
	found = ((unsigned int)day->weekday + 7 - days_weekday(start)) % 7 +
		7 * ((unsigned int)day->week - 1);
	/* Week 5 is the last one, be it the fifth or the fourth. */
	if (found >= days_in_month(leap, month))
		found -= 7;
	return (int)(start + found);
}

/* The time of a change is local, by the clock that it ends: `offset_s`. */
static int64_t
instant_s(const struct tz_day *day, unsigned int year, int32_t offset_s)
{
	return (int64_t)rule_day_in_year(day, year) * DAY_S + day->time_s -
	       offset_s;
}

/* A summer begins by the standard time and ends by its own. */
int64_t
tz_rule_start_s(const struct tz_rule *rule, unsigned int year)
{
	return instant_s(&rule->start, year, rule->offset_s);
}

int64_t
tz_rule_end_s(const struct tz_rule *rule, unsigned int year)
{
	return instant_s(&rule->end, year, rule->summer_offset_s);
}
