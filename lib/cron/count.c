/* SPDX-License-Identifier: MIT */
/*
 * How often a rule fires in a span of time, for calendars: an hour at a time,
 * for all hours that match have the same fires.
 */
#include "cron/cron.h"
#include "cron/tz.h"

#define US_PER_S INT64_C(1000000)
#define HOUR_S 3600

/* Those of anchor + k * period. */
static int64_t
count_periods(const struct cron *c, int64_t from_us, int64_t to_us)
{
	int64_t first = from_us;

	if (first <= c->anchor_us)
		first = c->anchor_us;
	else
		first +=
		    (c->period_us - (first - c->anchor_us) % c->period_us) %
		    c->period_us;
	return first < to_us ? (to_us - 1 - first) / c->period_us + 1 : 0;
}

/* The local hour of a fire; false: clocks change around it. */
static bool
plain_hour(const struct tz *zone, int64_t fire_s, int64_t *ret_begin_s)
{
	const int64_t local_s = fire_s + tz_offset_s(zone, fire_s);

	*ret_begin_s = fire_s - local_s % HOUR_S;
	return local_s >= 0 &&
	       tz_transition_s(zone, *ret_begin_s - 1) > *ret_begin_s + HOUR_S;
}

int64_t
cron_count(const struct cron *c, const struct tz *zone, int64_t from_us,
	   int64_t to_us)
{
	const int64_t an_hour = (int64_t)__builtin_popcountll(c->minutes) *
				__builtin_popcountll(c->seconds);
	int64_t after_us = from_us - 1, next_us, begin_s, n = 0;

	if (from_us >= to_us)
		return 0;
	if (c->period_us != 0)
		return count_periods(c, from_us, to_us);
	while (cron_next(c, zone, after_us, &next_us) && next_us < to_us) {
		/* With all of the hour within the span, and nothing of it
		 * counted yet: the first fire is the sign that it matches. */
		if (plain_hour(zone, next_us / US_PER_S, &begin_s) &&
		    begin_s * US_PER_S > after_us &&
		    (begin_s + HOUR_S) * US_PER_S <= to_us) {
			n += an_hour;
			after_us = (begin_s + HOUR_S) * US_PER_S - 1;
		} else {
			n++;
			after_us = next_us;
		}
	}
	return n;
}

/* In UTC a local time is an instant: no zone can move it away. */
bool
cron_names(const struct cron *c, int64_t local_us)
{
	int64_t next_us;

	return cron_next(c, tz_utc(), local_us - 1, &next_us) &&
	       next_us == local_us;
}
