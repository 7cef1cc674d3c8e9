/* SPDX-License-Identifier: MIT */
/* Moments as people write them. Each form has a reader, which takes all of the text
 * or says that it is none of its own; the first that takes it counts. */
#include "manager/moment.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cron/tz.h"
#include "util/clock.h"
#include "util/err.h"

#define US_PER_S INT64_C(1000000)
#define DAY_S 86400
#define DAY_US (DAY_S * US_PER_S)

struct reading {
	enum moment_side side;
	int64_t now_us;
	const struct tz *zone;
	int64_t us; /* the answer */
};

typedef bool moment_form_fn(struct reading *r, const char *text);

/* --- the local clock ----------------------------------------------------- */

/* Reads one digit or two, at least `least`; returns what follows, or NULL. */
static const char *
read_part(const char *p, int least, int *ret)
{
	int digits = 0;

	for (*ret = 0; digits < 2 && isdigit((unsigned char)*p); digits++)
		*ret = *ret * 10 + (*p++ - '0');
	return digits >= least ? p : NULL;
}

/* Reads "18:00" or "18:00:30" up to the end; nothing is midnight. */
static bool
read_time_of_day(const char *p, struct tm *tm)
{
	tm->tm_hour = tm->tm_min = tm->tm_sec = 0;
	if (*p == '\0')
		return true;
	if ((p = read_part(p, 1, &tm->tm_hour)) == NULL || *p++ != ':' ||
	    (p = read_part(p, 2, &tm->tm_min)) == NULL)
		return false;
	if (*p == ':' && (p = read_part(p + 1, 2, &tm->tm_sec)) == NULL)
		return false;
	return *p == '\0' && tm->tm_hour < 24 && tm->tm_min < 60 &&
	       tm->tm_sec < 60;
}

/* How far the clock is ahead of UTC at a moment. */
static int64_t
offset_at_s(const struct reading *r, int64_t at_s)
{
	time_t s = (time_t)at_s;
	struct tm tm;

	if (r->zone != NULL)
		return tz_offset_s(r->zone, at_s);
	return localtime_r(&s, &tm) != NULL ? tm.tm_gmtoff : 0;
}

/* When the clock shows it. A day before and a day behind, no change of the clock
 * lies between: a zone is less than a day away from Greenwich, and does not
 * change twice in two days. Not with mktime(3): of two moments it takes one or
 * the other, as the zone's earlier changes were. */
static int64_t
instant_s(const struct reading *r, int64_t shown_s)
{
	const int64_t before_s = shown_s - offset_at_s(r, shown_s - DAY_S);
	const int64_t after_s = shown_s - offset_at_s(r, shown_s + DAY_S);

	if (before_s + offset_at_s(r, before_s) != shown_s &&
	    after_s + offset_at_s(r, after_s) == shown_s)
		return after_s;
	return before_s;
}

/* Days may be out of their month: timegm() puts that right. */
static bool
set_local(struct reading *r, const struct tm *tm)
{
	struct tm copy = *tm;
	const int64_t s = instant_s(r, timegm(&copy));

	r->us = s * US_PER_S;
	return s >= 0;
}

static struct tm
local_now(const struct reading *r)
{
	time_t s = (time_t)(r->now_us / US_PER_S);
	struct tm tm = {.tm_mday = 1};

	if (r->zone != NULL) {
		s += tz_offset_s(r->zone, s);
		gmtime_r(&s, &tm);
	} else {
		localtime_r(&s, &tm);
	}
	return tm;
}

/* --- the forms ----------------------------------------------------------- */

static bool
is_rfc3339(struct reading *r, const char *text)
{
	/* With a blank for the T and no offset it is what people write. */
	const size_t len = strlen(text);
	const bool local = len > 10 && text[10] == ' ' && len <= 19;

	return !local && clock_parse(text, &r->us, NULL) == 0;
}

/* That there is such a date is for the strict reader to say; its UTC is then taken
 * for the local clock's. */
static bool
is_date(struct reading *r, const char *text)
{
	const char *time = text + strnlen(text, 10);
	char midnight[CLOCK_TEXT_SIZE];
	struct tm tm, date;
	int64_t us;
	time_t s;

	/* A blank, and then the time; or neither. */
	if (*time != '\0' && (*time++ != ' ' || *time == '\0'))
		return false;
	snprintf(midnight, sizeof(midnight), "%.10sT00:00:00Z", text);
	if (clock_parse(midnight, &us, NULL) != 0 ||
	    !read_time_of_day(time, &tm))
		return false;
	s = (time_t)(us / US_PER_S);
	gmtime_r(&s, &date);
	date.tm_hour = tm.tm_hour;
	date.tm_min = tm.tm_min;
	date.tm_sec = tm.tm_sec;
	return set_local(r, &date);
}

static bool
is_time_of_day(struct reading *r, const char *text)
{
	struct tm tm = local_now(r);

	if (*text == '\0' || !read_time_of_day(text, &tm) || !set_local(r, &tm))
		return false;
	if (r->side == MOMENT_FUTURE && r->us <= r->now_us)
		tm.tm_mday++;
	else if (r->side == MOMENT_PAST && r->us > r->now_us)
		tm.tm_mday--;
	return set_local(r, &tm);
}

static bool
is_day(struct reading *r, const char *text)
{
	static const struct {
		const char *word;
		int days;
	} words[] = {{"today", 0}, {"tomorrow", 1}, {"yesterday", -1}};
	struct tm tm = local_now(r);
	size_t i, len = strcspn(text, " ");

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == len &&
		    strncmp(text, words[i].word, len) == 0)
			break;
	if (i == sizeof(words) / sizeof(words[0]) ||
	    !read_time_of_day(text + len + strspn(text + len, " "), &tm))
		return false;
	tm.tm_mday += words[i].days;
	return set_local(r, &tm);
}

/* "now", "in 10m", "10m ago". */
static bool
is_relative(struct reading *r, const char *text)
{
	static const char ago[] = " ago";
	char duration[64];
	const size_t len = strlen(text);
	int64_t us;

	r->us = r->now_us;
	if (strcmp(text, "now") == 0)
		return true;
	if (strncmp(text, "in ", 3) == 0) {
		if (clock_parse_duration(text + 3, &us, NULL) != 0)
			return false;
		r->us += us;
		return true;
	}
	if (len <= strlen(ago) || len >= sizeof(duration) ||
	    strcmp(text + len - strlen(ago), ago) != 0)
		return false;
	memcpy(duration, text, len - strlen(ago));
	duration[len - strlen(ago)] = '\0';
	if (clock_parse_duration(duration, &us, NULL) != 0)
		return false;
	r->us -= us;
	return true;
}

/* "-2h" is two hours ago, too. */
static bool
is_duration(struct reading *r, const char *text)
{
	const bool past = r->side == MOMENT_PAST;
	int64_t us;

	if (r->side == MOMENT_ANY ||
	    clock_parse_duration(text + (past && text[0] == '-'), &us, NULL) !=
		0)
		return false;
	r->us = past ? r->now_us - us : r->now_us + us;
	return true;
}

int
moment_read(const char *text, const struct moment_reading *reading,
	    int64_t *ret_us, struct err *err)
{
	static moment_form_fn *const forms[] = {is_rfc3339,	is_date,
						is_time_of_day, is_day,
						is_relative,	is_duration};
	static const char *const durations[] = {[MOMENT_ANY] =
						    "in 10m, 10m ago",
						[MOMENT_FUTURE] = "10m",
						[MOMENT_PAST] = "10m ago"};
	struct reading r = {.side = reading->side,
			    .now_us = reading->now_us,
			    .zone = reading->zone};
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (forms[i](&r, text) && r.us >= 0) {
			*ret_us = r.us;
			return 0;
		}
	return err_set(
	    err, ERR_DATA,
	    "\"%.64s\": not a time, such as "
	    "2026-11-23T11:53:08+01:00, \"2026-11-23 18:00\", 18:00, "
	    "\"tomorrow 9:00\" or %s",
	    text, durations[reading->side]);
}

/* --- writing ------------------------------------------------------------- */

/* Two units say enough: "3d 4h". */
static void
write_distance(int64_t us, char *ret, size_t size)
{
	static const struct {
		const char *name;
		int64_t us;
	} units[] = {{"d", DAY_US},
		     {"h", 3600 * US_PER_S},
		     {"m", 60 * US_PER_S},
		     {"s", US_PER_S}};
	size_t i = 0, len = 0;

	while (i < 3 && us < units[i].us)
		i++;
	len += (size_t)snprintf(ret, size, "%" PRId64 "%s", us / units[i].us,
				units[i].name);
	us %= units[i].us;
	if (i < 3 && us >= units[i + 1].us)
		snprintf(ret + len, size - len, " %" PRId64 "%s",
			 us / units[i + 1].us, units[i + 1].name);
}

void
moment_write(int64_t us, int64_t now_us, char ret[MOMENT_TEXT_MAX])
{
	const time_t s = (time_t)(us / US_PER_S);
	char distance[40], local[48] = "";
	struct tm tm;

	if (localtime_r(&s, &tm) != NULL)
		strftime(local, sizeof(local), "%Y-%m-%d %H:%M:%S %Z", &tm);
	write_distance(us > now_us ? us - now_us : now_us - us, distance,
		       sizeof(distance));
	snprintf(ret, MOMENT_TEXT_MAX, us > now_us ? "%s, in %s" : "%s, %s ago",
		 local, distance);
}
