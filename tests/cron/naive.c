/* SPDX-License-Identifier: MIT */
/* The next fire, slow and obvious. */
#include "cron/naive.h"

#include <time.h>

#include "cron/expression.h"

#define REPLAYED_S (3 * 3600)
#define BACK_S (2 * 86400)

/* A walk through time, and the latest local time it has seen before `at`. */
struct walk {
	int64_t at;
	int64_t latest;
	struct tm tm;
};

static struct tm
local_time(int64_t at)
{
	time_t t = at;
	struct tm tm;

	localtime_r(&t, &tm);
	return tm;
}

static int64_t
local_of(const struct walk *w)
{
	return w->at + w->tm.tm_gmtoff;
}

/* Goes `step` seconds on, or less: never past a change of the offset. */
static void
go(struct walk *w, int64_t step)
{
	struct tm tm = local_time(w->at + step);
	int64_t last;

	while (step > 1 && tm.tm_gmtoff != w->tm.tm_gmtoff) {
		step /= 2;
		tm = local_time(w->at + step);
	}
	last = local_of(w) + step - 1;
	if (last > w->latest)
		w->latest = last;
	w->at += step;
	w->tm = tm;
}

static bool
matches(const struct expression *e, const struct tm *tm)
{
	return expression_date(e, tm) && expression_part(e, HOUR, tm) &&
	       expression_part(e, MINUTE, tm) && expression_part(e, SECOND, tm);
}

/* How far it is to a local time that could match. */
static int64_t
step_from(const struct expression *e, const struct tm *tm)
{
	if (!expression_date(e, tm))
		return 86400 - tm->tm_hour * 3600 - tm->tm_min * 60 -
		       tm->tm_sec;
	if (!expression_part(e, HOUR, tm))
		return 3600 - tm->tm_min * 60 - tm->tm_sec;
	if (!expression_part(e, MINUTE, tm) || !e->has_seconds)
		return 60 - tm->tm_sec;
	return 1;
}

/* Whether a local time matches that is missing right before w->at. */
static bool
gap_matches(const struct expression *e, const struct walk *w)
{
	time_t local;
	struct tm tm;

	if (local_of(w) - w->latest - 1 > REPLAYED_S)
		return false;
	for (local = w->latest + 1; local < local_of(w);) {
		gmtime_r(&local, &tm);
		if (matches(e, &tm))
			return true;
		local += step_from(e, &tm);
	}
	return false;
}

bool
naive_next(const struct expression *e, int64_t after_s, int steps,
	   int64_t *ret_s)
{
	bool wildcard = expression_wildcard(e), found = false;
	struct walk w = {.at = after_s - BACK_S, .latest = INT64_MIN};

	w.tm = local_time(w.at);
	while (w.at <= after_s)
		go(&w, w.at + 3600 <= after_s ? 3600 : after_s + 1 - w.at);
	for (; !found && steps > 0; steps--) {
		if (wildcard)
			found = matches(e, &w.tm);
		else if (local_of(&w) > w.latest)
			found = matches(e, &w.tm) || gap_matches(e, &w);
		if (!found)
			go(&w, step_from(e, &w.tm));
	}
	*ret_s = w.at;
	return found;
}
