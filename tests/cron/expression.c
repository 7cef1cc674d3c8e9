/* SPDX-License-Identifier: MIT */
/* Random cron expressions, and which local times match them. */
#include "cron/expression.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define YEAR_MIN 1970
#define YEAR_MAX 2199

static const struct {
	int min, max;
	unsigned int star_percent;
} shapes[PARTS] = {
    [SECOND] = {0, 59, 10},    [MINUTE] = {0, 59, 25}, [HOUR] = {0, 23, 40},
    [DAY] = {1, 31, 55},       [MONTH] = {1, 12, 75},  [WEEKDAY] = {0, 6, 55},
    [YEAR] = {1995, 2090, 60},
};

static const char *const months[] = {"JAN", "feb", "Mar", "APR", "may", "Jun",
				     "JUL", "aug", "Sep", "OCT", "nov", "Dec"};
static const char *const weekdays[] = {"SUN", "mon", "Tue", "WED",
				       "thu", "Fri", "SAT"};

/* xorshift64* */
unsigned int
draw(uint64_t *state, unsigned int n)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (unsigned int)((*state * UINT64_C(0x2545f4914f6cdd1d)) >> 33) %
	       n;
}

static int
between(uint64_t *state, int min, int max)
{
	return min + (int)draw(state, (unsigned int)(max - min + 1));
}

static void __attribute__((format(printf, 2, 3)))
append(struct expression *e, const char *fmt, ...)
{
	size_t len = strlen(e->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->text + len, sizeof(e->text) - len, fmt, args);
	va_end(args);
}

/* A value, sometimes by its name. */
static void
append_value(struct expression *e, enum part part, int value, uint64_t *state)
{
	if (part == MONTH && draw(state, 2))
		append(e, "%s", months[value - 1]);
	else if (part == WEEKDAY && draw(state, 2))
		append(e, "%s", weekdays[value % 7]);
	else if (part == WEEKDAY && value == 0 && draw(state, 2))
		append(e, "7");
	else
		append(e, "%d", value);
}

static struct item
draw_day(struct expression *e, uint64_t *state)
{
	struct item item = {.kind = (enum kind)between(state, LAST, NEAREST)};

	switch (item.kind) {
	case LAST:
		item.a = draw(state, 2) ? between(state, 1, 30) : 0;
		append(e, item.a > 0 ? "L-%d" : "L", item.a);
		break;
	case LAST_WORKDAY:
		append(e, "LW");
		break;
	default:
		item.a = between(state, 1, 31);
		append(e, "%dW", item.a);
	}
	return item;
}

static struct item
draw_weekday(struct expression *e, uint64_t *state)
{
	struct item item = {.kind = draw(state, 2) ? NTH : NTH_LAST,
			    .a = between(state, 0, 6),
			    .b = between(state, 1, 5)};

	append_value(e, WEEKDAY, item.a, state);
	if (item.kind == NTH)
		append(e, "#%d", item.b);
	else
		append(e, draw(state, 2) ? "L" : "#L");
	return item;
}

/* a, a-b, a-b/n, a/n or, seldom, an asterisk with a step. */
static struct item
draw_range(struct expression *e, enum part part, uint64_t *state)
{
	int min = shapes[part].min, max = shapes[part].max;
	struct item item = {.kind = RANGE, .step = 1};
	unsigned int form = draw(state, 10);

	item.a = between(state, min, max);
	item.b = between(state, item.a, max);
	if (part != YEAR && form == 0) {
		item.a = min;
		item.b = max;
		append(e, "*");
	} else {
		append_value(e, part, item.a, state);
		if (form >= 6) {
			item.b = item.a;
			return item;
		}
		if (form >= 2) {
			append(e, "-");
			/* SAT-7, and never 0. */
			append(e, "%d", item.b);
		} else {
			item.b = part == YEAR ? YEAR_MAX : max;
			/* A "7" begins at the end of the week. */
			if (part == WEEKDAY && item.a == 0)
				item.b = e->text[strlen(e->text) - 1] == '7'
					     ? 0
					     : max;
		}
	}
	if (form < 4) {
		item.step = between(state, 1, max - min < 30 ? max - min : 30);
		append(e, "/%d", item.step);
	}
	return item;
}

/* "0-3" may have begun with "7": then it is not a range. */
static bool
draw_list(struct expression *e, enum part part, uint64_t *state)
{
	struct list *list = &e->parts[part];
	const char *begin;
	int i;

	*list =
	    (struct list){.bare = draw(state, 100) < shapes[part].star_percent};
	if (list->bare) {
		list->star = true;
		append(e, (part == DAY || part == WEEKDAY) && !draw(state, 3)
			      ? "?"
			      : "*");
		return true;
	}
	begin = e->text + strlen(e->text);
	if (part == WEEKDAY && !draw(state, 10)) {
		e->both = true;
		append(e, "+");
		begin++;
	}
	list->count = draw(state, 3) ? 1 : between(state, 2, ITEMS_MAX);
	for (i = 0; i < list->count; i++) {
		if (i > 0)
			append(e, ",");
		if (part == DAY && !draw(state, 4))
			list->items[i] = draw_day(e, state);
		else if (part == WEEKDAY && !draw(state, 4))
			list->items[i] = draw_weekday(e, state);
		else
			list->items[i] = draw_range(e, part, state);
	}
	list->star = *begin == '*';
	return strstr(begin, "7-") == NULL || part != WEEKDAY;
}

static void
set_all(struct list *list, int a, int b, bool bare)
{
	*list =
	    (struct list){.items = {{.kind = RANGE, .a = a, .b = b, .step = 1}},
			  .count = 1,
			  .bare = bare};
}

void
expression_draw(struct expression *e, uint64_t *state)
{
	enum part part;
	bool has_year, good = false;

	while (!good) {
		good = true;
		*e = (struct expression){.has_seconds = !draw(state, 4)};
		has_year = e->has_seconds && !draw(state, 3);
		set_all(&e->parts[SECOND], 0, 0, false);
		set_all(&e->parts[YEAR], YEAR_MIN, YEAR_MAX, true);
		for (part = e->has_seconds ? SECOND : MINUTE;
		     part < (has_year ? PARTS : YEAR); part++) {
			if (e->text[0] != '\0')
				append(e, " ");
			good = draw_list(e, part, state) && good;
		}
	}
}

static int
days_in_month(const struct tm *tm)
{
	static const int days[] = {31, 28, 31, 30, 31, 30,
				   31, 31, 30, 31, 30, 31};
	int year = tm->tm_year + 1900;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[tm->tm_mon] + (leap && tm->tm_mon == 1);
}

/* The weekday of another day of the same month. */
static int
weekday_of(const struct tm *tm, int day)
{
	return ((tm->tm_wday + day - tm->tm_mday) % 7 + 7) % 7;
}

/* The workday closest to `day`, in its month. */
static int
workday(const struct tm *tm, int day)
{
	static const int tries[] = {0, -1, 1, -2, 2};
	int at, weekday;
	size_t i;

	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		at = day + tries[i];
		weekday = weekday_of(tm, at);
		if (at >= 1 && at <= days_in_month(tm) && weekday != 0 &&
		    weekday != 6)
			return at;
	}
	return -1;
}

static bool
item_matches(const struct item *item, int value, const struct tm *tm)
{
	int last = days_in_month(tm);

	switch (item->kind) {
	case RANGE:
		return value >= item->a && value <= item->b &&
		       (value - item->a) % item->step == 0;
	case LAST:
		return tm->tm_mday == last - item->a;
	case LAST_WORKDAY:
		return tm->tm_mday == workday(tm, last);
	case NEAREST:
		return item->a <= last && tm->tm_mday == workday(tm, item->a);
	case NTH:
		return tm->tm_wday == item->a &&
		       (tm->tm_mday - 1) / 7 + 1 == item->b;
	case NTH_LAST:
		return tm->tm_wday == item->a && tm->tm_mday + 7 > last;
	}
	return false;
}

bool
expression_part(const struct expression *e, enum part part, const struct tm *tm)
{
	const int values[PARTS] = {
	    [SECOND] = tm->tm_sec,	 [MINUTE] = tm->tm_min,
	    [HOUR] = tm->tm_hour,	 [DAY] = tm->tm_mday,
	    [MONTH] = tm->tm_mon + 1,	 [WEEKDAY] = tm->tm_wday,
	    [YEAR] = tm->tm_year + 1900,
	};
	const struct list *list = &e->parts[part];
	int i;

	if (list->bare)
		return true;
	for (i = 0; i < list->count; i++)
		if (item_matches(&list->items[i], values[part], tm))
			return true;
	return false;
}

bool
expression_date(const struct expression *e, const struct tm *tm)
{
	bool day = expression_part(e, DAY, tm);
	bool weekday = expression_part(e, WEEKDAY, tm);

	if (!expression_part(e, MONTH, tm) || !expression_part(e, YEAR, tm))
		return false;
	if (e->parts[DAY].bare || e->parts[WEEKDAY].bare || e->both)
		return day && weekday;
	return day || weekday;
}

/* Whether a field takes all of its values. */
static bool
full(const struct expression *e, enum part part)
{
	struct tm tm = {.tm_mday = 1};
	int *value = part == MINUTE ? &tm.tm_min : &tm.tm_hour;

	for (*value = 0; *value <= shapes[part].max; ++*value)
		if (!expression_part(e, part, &tm))
			return false;
	return true;
}

bool
expression_wildcard(const struct expression *e)
{
	return e->parts[SECOND].star || e->parts[MINUTE].star ||
	       e->parts[HOUR].star || full(e, MINUTE) || full(e, HOUR);
}
