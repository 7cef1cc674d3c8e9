/* SPDX-License-Identifier: MIT */
/*
 * The next fire.
 *
 * The search runs in local seconds (those that a clock on the wall would have
 * counted since 1970, had it never been set) and leaps from field to field;
 * the days of a month that match are one word of bits. What is found is then
 * taken to an instant, or sought again behind the next change of the clocks.
 */
#include "cron/cron.h"

#include <stdlib.h>

#include "cron/days.h"
#include "cron/flags.h"
#include "cron/tz.h"
#include "cron/tz_span.h"

#define US_PER_S INT64_C(1000000)
#define END_S (INT64_C(86400) * DAYS_END)
/* A local time later than all others, and than the last span of any zone. */
#define NONE (INT64_MAX / 2)
#define NO_DAY UINT32_MAX
/* The longest gap whose missed times fire after it; see cron.h. Clocks are put
 * forward by less; a zone that changes its side of the date line skips a
 * day. */
#define GAP_REPLAYED_S (3 * 3600)

/* The set must not be empty. */
static inline unsigned int
lowest(uint64_t set)
{
	return (unsigned int)__builtin_ctzll(set);
}

/* The second of the day of the first fire on any day. */
static unsigned int
first_time(const struct cron *c)
{
	return lowest(c->hours) * 3600 + lowest(c->minutes) * 60 +
	       lowest(c->seconds);
}

/* The first second of the day that matches, from `from` on; or DAY_S. Each
 * field either holds what was asked for, or the next one of it with the first
 * of all smaller fields. Shifts are by 59 at most, and by one more in a step of
 * its own: no shift is as wide as its type. */
static unsigned int
time_from(const struct cron *c, unsigned int from)
{
	unsigned int hour = from / 3600;
	unsigned int minute = from / 60 % 60;
	unsigned int second = from % 60;
	uint64_t left;

	if (c->hours >> hour & 1) {
		left = c->minutes >> minute & 1 ? c->seconds >> second : 0;
		if (left != 0)
			return from + lowest(left);
		left = c->minutes >> minute >> 1;
		if (left != 0)
			return hour * 3600 + (minute + 1 + lowest(left)) * 60 +
			       lowest(c->seconds);
	}
	left = c->hours >> hour >> 1;
	if (left != 0)
		return (hour + 1 + lowest(left)) * 3600 +
		       lowest(c->minutes) * 60 + lowest(c->seconds);
	return DAY_S;
}

/* The set of weekdays, counted from `first`: seven bits, turned so that the bit
 * of `first` is bit 0. */
static inline uint64_t
rotate(unsigned int weekdays, unsigned int first)
{
	return (weekdays >> first | weekdays << (7 - first)) & 0x7f;
}

/* nW: the weekday closest to day `day`, not leaving the month. */
static unsigned int
nearest_weekday(unsigned int day, unsigned int first, unsigned int len)
{
	unsigned int weekday = (first + day) % 7;

	/* Saturday goes back, Sunday forward; at the ends of the month it is
	 * the other way round, by two days. */
	if (weekday == 6)
		return day == 0 ? day + 2 : day - 1;
	if (weekday == 0)
		return day == len - 1 ? day - 2 : day + 1;
	return day;
}

/* The days of the month that L, L-n, LW and nW mean. */
static uint64_t
special_days(const struct cron *c, unsigned int first, unsigned int len)
{
	uint64_t days = c->from_last >> (32 - len);
	uint32_t left = c->nearest;
	unsigned int bit;

	for (; left != 0; left &= left - 1) {
		bit = lowest(left);
		if (bit == 31)
			bit = len - 1; /* LW: never moves forward from there */
		if (bit < len)
			days |= UINT64_C(1) << nearest_weekday(bit, first, len);
	}
	return days;
}

/* The days of the month that n#k and nL mean. The fifth week ends behind most
 * months; month_days() cuts it off. */
static uint64_t
special_weekdays(const struct cron *c, unsigned int first, unsigned int len)
{
	uint64_t days = 0;
	unsigned int week;

	for (week = 0; week < 5; week++)
		days |= rotate(c->nth[week], first) << 7 * week;
	/* The last seven days begin with the weekday of day len - 7. */
	return days | rotate(c->nth[5], (first + len) % 7) << (len - 7);
}

/* The days that match, of a month with `len` days that begins with weekday
 * `first`; the first day is bit 0. */
static inline uint64_t
month_days(const struct cron *c, unsigned int first, unsigned int len)
{
	uint64_t days = c->days;
	/* The same seven bits for each week. */
	uint64_t weekdays = rotate(c->weekdays, first) * 0x10204081;

	if (c->flags & CRON_SPECIAL_DAYS) {
		days |= special_days(c, first, len);
		weekdays |= special_weekdays(c, first, len);
	}
	days = c->flags & CRON_BOTH_DAYS ? days & weekdays : days | weekdays;
	return days & ((UINT64_C(1) << len) - 1);
}

/* The first year in the set, from `year` on; or one too large. */
static unsigned int
year_from(const struct cron *c, unsigned int year)
{
	unsigned int bit = year - CRON_YEAR_MIN;
	/* Years 1970 to 2199 are 230 bits, in four words. */
	unsigned int word = bit / 64;
	uint64_t left;

	if (word >= 4)
		return CRON_YEAR_MAX + 1;
	left = c->years[word] >> bit % 64;
	if (left != 0)
		return year + lowest(left);
	while (++word < 4)
		if (c->years[word] != 0)
			return CRON_YEAR_MIN + word * 64 +
			       lowest(c->years[word]);
	return CRON_YEAR_MAX + 1;
}

/* The first day that matches in the months `months` of a year; or NO_DAY.
 * `months & months - 1` is the set without its lowest member. */
static unsigned int
next_day_in_year(const struct cron *c, unsigned int year, unsigned int months)
{
	bool leap = days_is_leap(year);
	unsigned int new_year = days_before_year(year);
	unsigned int month, start;
	uint64_t days;

	for (; months != 0; months &= months - 1) {
		month = lowest(months);
		start = new_year + days_before_month(leap, month);
		days = month_days(c, days_weekday(start),
				  days_in_month(leap, month));
		if (days != 0)
			return start + lowest(days);
	}
	return NO_DAY;
}

/* The first day that matches, from `from` on; or NO_DAY. */
static unsigned int
day_from(const struct cron *c, unsigned int from)
{
	struct date date = days_date(from);
	unsigned int year = year_from(c, date.year);
	unsigned int months = c->months, start = from - date.day;
	uint64_t days;

	if (year == date.year) {
		months = months >> date.month << date.month;
		if (months >> date.month & 1) {
			days = month_days(
			    c, days_weekday(start),
			    days_in_month(days_is_leap(year), date.month));
			days = days >> date.day << date.day;
			if (days != 0)
				return start + lowest(days);
			months &= months - 1;
		}
	}
	/* Ends: at worst after all years, for 30 February and the like. */
	for (; year <= CRON_YEAR_MAX; year = year_from(c, year + 1)) {
		start = next_day_in_year(c, year, months);
		if (start != NO_DAY)
			return start;
		months = c->months;
	}
	return NO_DAY;
}

/* The first local second that matches, from `from` on; or NONE. */
static int64_t
local_from(const struct cron *c, int64_t from)
{
	unsigned int today, day, time;

	/* Days are counted from 1970; that is early enough for any schedule. */
	if (from < 0)
		from = 0;
	if (from >= END_S)
		return NONE;
	today = (unsigned int)(from / DAY_S);
	time = time_from(c, (unsigned int)(from % DAY_S));
	if (time == DAY_S) {
		today++;
		time = first_time(c);
		if (today == DAYS_END)
			return NONE;
	}
	if (c->flags & CRON_EVERY_DAY)
		return (int64_t)today * DAY_S + time;
	day = day_from(c, today);
	if (day == NO_DAY)
		return NONE;
	return (int64_t)day * DAY_S + (day == today ? time : first_time(c));
}

/*
 * Times of the day: each is due when the local time has reached it for the
 * first time. So what was the latest local time until now is past, although a
 * fold may show it again.
 */
static int64_t
next_fixed(const struct cron *c, const struct tz *zone, int64_t after_s)
{
	const struct tz_span *span = tz_span_at(zone, after_s), *far;
	int64_t now = after_s + span->offset_s;
	int64_t local = now > span->peak_s ? now : span->peak_s;

	while ((local = local_from(c, local + 1)) != NONE) {
		/* No span before it has shown this time already. */
		far = tz_span_at(zone, local - TZ_OFFSET_MAX_S);
		if (far > span)
			span = far;
		while (span[1].peak_s < local)
			span++;
		if (local - span->offset_s >= span->start_s)
			return local - span->offset_s;
		/* It lies in a gap, and `now` is the first time behind. */
		now = span->start_s + span->offset_s;
		if (now - span->peak_s - 1 <= GAP_REPLAYED_S)
			return span->start_s;
		local = now - 1;
	}
	return NONE;
}

/* Every instant that matches, span by span: what repeats within a day goes on
 * through a fold, which shows its hour twice, and has nothing in a gap. */
static int64_t
next_wildcard(const struct cron *c, const struct tz *zone, int64_t after_s)
{
	const struct tz_span *span = tz_span_at(zone, after_s + 1);
	int64_t from = after_s + 1 + span->offset_s;
	int64_t local = local_from(c, from);
	int64_t start;

	while (local - span->offset_s >= span[1].start_s) {
		if (span[1].start_s == TZ_NEVER_S)
			return NONE;
		span++;
		start = span->start_s + span->offset_s;
		/* Nothing matches in [from, local): only what a fold shows
		 * again, or a gap leaves out, has to be searched. */
		if (start < from || start > local) {
			from = start;
			local = local_from(c, from);
		}
	}
	return local - span->offset_s;
}

/* Intervals have no zone: they are of the same length on days when clocks are
 * set. */
static bool
next_period(const struct cron *c, int64_t after_us, int64_t *ret_us)
{
	int64_t since;

	if (after_us >= END_S * US_PER_S)
		return false;
	if (after_us < c->anchor_us) {
		*ret_us = c->anchor_us;
		return true;
	}
	since = after_us - c->anchor_us;
	*ret_us = after_us - since % c->period_us + c->period_us;
	return *ret_us < END_S * US_PER_S;
}

bool
cron_next(const struct cron *cron, const struct tz *zone, int64_t after_us,
	  int64_t *ret_us)
{
	int64_t after_s, next_s;

	if (cron->period_us != 0)
		return next_period(cron, after_us, ret_us);
	/* Local time is at most a day off: nothing fires outside of this. */
	if (after_us >= (END_S + 2 * DAY_S) * US_PER_S)
		return false;
	after_s = -2 * DAY_S;
	if (after_us > after_s * US_PER_S)
		/* Rounds down, below 0 as well. */
		after_s += (after_us + 2 * DAY_S * US_PER_S) / US_PER_S;
	next_s = cron->flags & CRON_WILDCARD
		     ? next_wildcard(cron, zone, after_s)
		     : next_fixed(cron, zone, after_s);
	if (next_s == NONE)
		return false;
	*ret_us = next_s * US_PER_S;
	return true;
}
