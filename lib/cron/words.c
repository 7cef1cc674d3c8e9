/* SPDX-License-Identifier: MIT */
/*
 * A rule in English words. They are made from the sets that the search for the
 * next fire looks at, and not from the text: so they say what will happen, also
 * where a person meant something else.
 *
 * A sentence is the time, then clauses of the date with commas in between:
 *
 *	every weekday at 09:00
 *	every 5 minutes, on the last Friday of the month, in March and April
 *	at minute 0 past every 2nd hour from 8 through 18, on day 1 of the month
 */
#include <inttypes.h>

#include "cron/cron.h"
#include "cron/field.h"
#include "cron/flags.h"
#include "util/buf.h"

#define US_PER_S INT64_C(1000000)
#define ALL_DAYS UINT32_C(0x7fffffff)
#define ALL_WEEKDAYS 0x7fU
#define ALL_MONTHS 0xfffU
#define ALL_HOURS ((UINT64_C(1) << 24) - 1)
#define ALL_60 ((UINT64_C(1) << 60) - 1)
#define WORKDAYS 0x3eU /* Monday to Friday */
#define WEEKEND 0x41U
/* More times of a day than these are better told as minutes past hours. */
#define CLOCK_TIMES_MAX 4
#define LAST_WEEK 5 /* in `nth` */

static const char *const month_names[] = {
    "January", "February", "March",	"April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
static const char *const weekday_names[] = {"Sunday",	 "Monday",   "Tuesday",
					    "Wednesday", "Thursday", "Friday",
					    "Saturday"};

/* How a field's values are told. */
struct wording {
	const char *unit;	  /* "minute"; NULL: names stand alone */
	const char *const *names; /* NULL: numbers */
	const char *plural;	  /* behind each name */
	unsigned int min, max;	  /* of values; bit 0 of a set is `min` */
	int digits;		  /* at least, of a number */
};

/* A set as first, first + step … last; step 0: it is none. */
struct run {
	unsigned int first, last, step, n;
};

/* The set is not empty. The step is the one that its ends and number leave;
 * then each member has to be there. */
static struct run
run_of(uint64_t set)
{
	struct run r = {.first = (unsigned int)__builtin_ctzll(set),
			.last = 63 - (unsigned int)__builtin_clzll(set),
			.n = (unsigned int)__builtin_popcountll(set)};
	unsigned int i;

	if (r.n < 2)
		return r;
	r.step = (r.last - r.first) / (r.n - 1);
	for (i = 0; i < r.n; i++)
		if ((set >> (r.first + i * r.step) & 1) == 0)
			r.step = 0;
	if (r.step != 0 && r.first + (r.n - 1) * r.step != r.last)
		r.step = 0;
	return r;
}

/* 1st, 2nd, 3rd, 4th; but 11th, 12th, 13th. */
static const char *
ordinal_end(unsigned int n)
{
	if (n % 100 / 10 == 1 || n % 10 == 0 || n % 10 > 3)
		return "th";
	return n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : "rd";
}

static void
add_value(struct buf *out, const struct wording *w, unsigned int bit)
{
	if (w->names != NULL)
		buf_addf(out, "%s%s", w->names[bit], w->plural);
	else
		buf_addf(out, "%0*u", w->digits, bit + w->min);
}

/* "a, b and c" */
static void
add_list(struct buf *out, const struct wording *w, uint64_t set)
{
	unsigned int bit;

	for (; set != 0; set &= set - 1) {
		bit = (unsigned int)__builtin_ctzll(set);
		add_value(out, w, bit);
		if (__builtin_popcountll(set) > 2)
			buf_adds(out, ", ");
		else if (__builtin_popcountll(set) == 2)
			buf_adds(out, " and ");
	}
}

/* "every 2nd hour from 8 through 18"; without its ends where it has the whole
 * field. */
static void
add_steps(struct buf *out, const struct wording *w, const struct run *r)
{
	buf_addf(out, "every %u%s %s", r->step, ordinal_end(r->step), w->unit);
	if (r->first == 0 && r->last + r->step > w->max - w->min)
		return;
	buf_adds(out, " from ");
	add_value(out, w, r->first);
	buf_adds(out, " through ");
	add_value(out, w, r->last);
}

/* "minute 5", "minutes 0, 15 and 16", "minutes 1 through 9", or steps. */
static void
add_set(struct buf *out, const struct wording *w, uint64_t set)
{
	const struct run r = run_of(set);

	if (w->unit != NULL && r.n == w->max - w->min + 1) {
		buf_addf(out, "every %s", w->unit);
		return;
	}
	if (w->unit != NULL && r.n > 2 && r.step > 1) {
		add_steps(out, w, &r);
		return;
	}
	if (w->unit != NULL)
		buf_addf(out, "%s%s ", w->unit, r.n > 1 ? "s" : "");
	if (r.n > 2 && r.step == 1) {
		add_value(out, w, r.first);
		buf_adds(out, " through ");
		add_value(out, w, r.last);
	} else {
		add_list(out, w, set);
	}
}

/* --- time ---------------------------------------------------------------- */

static bool
is_single(uint64_t set)
{
	return (set & (set - 1)) == 0;
}

/* Few enough times of the day to be told as a clock shows them. */
static bool
has_clock_times(const struct cron *c)
{
	return is_single(c->seconds) && c->hours != ALL_HOURS &&
	       __builtin_popcount(c->hours) *
		       __builtin_popcountll(c->minutes) <=
		   CLOCK_TIMES_MAX;
}

/* "at 09:00, 09:30 and 18:00" */
static void
add_clock_times(struct buf *out, const struct cron *c)
{
	int left =
	    __builtin_popcount(c->hours) * __builtin_popcountll(c->minutes);
	unsigned int second = (unsigned int)__builtin_ctzll(c->seconds);
	uint64_t hours, minutes;

	buf_adds(out, "at ");
	for (hours = c->hours; hours != 0; hours &= hours - 1)
		for (minutes = c->minutes; minutes != 0;
		     minutes &= minutes - 1) {
			buf_addf(out, "%02d:%02d", __builtin_ctzll(hours),
				 __builtin_ctzll(minutes));
			if (second != 0)
				buf_addf(out, ":%02u", second);
			left--;
			if (left > 0)
				buf_adds(out, left > 1 ? ", " : " and ");
		}
}

/* The period in which the values of a field follow each other without a seam,
 * as in "every 5 minutes"; 0: there is none. Every 7th minute is none, for the
 * hour ends with four minutes. */
static unsigned int
even_period(uint64_t set, unsigned int size)
{
	const struct run r = run_of(set);

	if (r.first != 0)
		return 0;
	if (r.n == 1)
		return size;
	return r.step != 0 && size % r.step == 0 && r.last + r.step == size
		   ? r.step
		   : 0;
}

/* True: it is the same all day long, and was told. */
static bool
add_frequency(struct buf *out, const struct cron *c)
{
	static const char *const units[] = {"second", "minute", "hour"};
	const uint64_t sets[] = {c->seconds, c->minutes, c->hours};
	static const uint64_t all[] = {ALL_60, ALL_60, ALL_HOURS};
	static const unsigned int sizes[] = {60, 60, 24};
	unsigned int i, period;

	/* The first field that is not "at 0", with all of those behind it. */
	for (i = 0; i < 2 && sets[i] == 1; i++)
		;
	period = even_period(sets[i], sizes[i]);
	if (period == 0 || period == sizes[i])
		return false;
	if ((i < 2 && sets[2] != all[2]) || (i < 1 && sets[1] != all[1]))
		return false;
	if (period == 1)
		buf_addf(out, "every %s", units[i]);
	else
		buf_addf(out, "every %u %ss", period, units[i]);
	return true;
}

/* "at minute 0 past every 2nd hour", "every minute past hour 8" */
static void
add_fields(struct buf *out, const struct cron *c)
{
	static const struct wording second = {.unit = "second", .max = 59};
	static const struct wording minute = {.unit = "minute", .max = 59};
	static const struct wording hour = {.unit = "hour", .max = 23};
	struct buf text = BUF_INIT;

	if (c->seconds != 1) {
		add_set(&text, &second, c->seconds);
		buf_adds(&text, " of ");
	}
	add_set(&text, &minute, c->minutes);
	if (c->hours != ALL_HOURS) {
		buf_adds(&text, " past ");
		add_set(&text, &hour, c->hours);
	}
	if (text.failed)
		out->failed = true;
	else
		buf_addf(out, "%s%s", text.data[0] == 'e' ? "" : "at ",
			 text.data);
	buf_done(&text);
}

/* --- date ---------------------------------------------------------------- */

/* "Mondays, Wednesdays and Fridays"; or, for "every …", without the s. */
static void
add_weekdays(struct buf *out, unsigned int set, bool plural)
{
	const struct wording w = {
	    .names = weekday_names, .plural = plural ? "s" : "", .max = 6};

	if (set == WORKDAYS || set == WEEKEND)
		buf_addf(out, "%s%s",
			 set == WORKDAYS ? "weekday" : "weekend day", w.plural);
	else
		add_set(out, &w, set);
}

/* Begins an alternative of the day. */
static void
begin_day(struct buf *out, const char **joint)
{
	buf_adds(out, *joint);
	*joint = " or on ";
}

/* Alternatives of the day of month. */
static void
add_month_days(struct buf *out, const struct cron *c, const char *joint)
{
	static const struct wording day = {.unit = "day", .min = 1, .max = 31};
	uint32_t left;
	unsigned int bit;

	if (c->days != 0) {
		begin_day(out, &joint);
		add_set(out, &day, c->days);
		buf_adds(out, " of the month");
	}
	/* Bit 31 is the last one, bit 31 - n is n before it. */
	for (left = c->from_last; left != 0; left &= left - 1) {
		bit = 31 - (unsigned int)__builtin_ctz(left);
		begin_day(out, &joint);
		if (bit > 0)
			buf_addf(out, "the %u%s day before ", bit,
				 ordinal_end(bit));
		buf_adds(out, "the last day of the month");
	}
	for (left = c->nearest; left != 0; left &= left - 1) {
		bit = (unsigned int)__builtin_ctz(left);
		begin_day(out, &joint);
		if (bit == 31)
			buf_adds(out, "the last weekday of the month");
		else
			buf_addf(out, "the weekday nearest day %u of the month",
				 bit + 1);
	}
}

/* Alternatives of the day of week. */
static void
add_week_days(struct buf *out, const struct cron *c, const char *joint)
{
	unsigned int week, left;

	if (c->weekdays != 0) {
		begin_day(out, &joint);
		add_weekdays(out, c->weekdays, true);
	}
	for (week = 0; week <= LAST_WEEK; week++)
		for (left = c->nth[week]; left != 0; left &= left - 1) {
			begin_day(out, &joint);
			if (week == LAST_WEEK)
				buf_adds(out, "the last ");
			else
				buf_addf(out, "the %u%s ", week + 1,
					 ordinal_end(week + 1));
			buf_addf(out, "%s of the month",
				 weekday_names[__builtin_ctz(left)]);
		}
}

/* Which of the two day fields restrict anything: with both needed, one that has
 * all days does not; with one enough, neither does as soon as one has all. */
static void
which_days(const struct cron *c, bool *ret_month, bool *ret_week)
{
	bool all_days = c->days == ALL_DAYS;
	bool all_weekdays = c->weekdays == ALL_WEEKDAYS;

	if ((c->flags & CRON_BOTH_DAYS) == 0 && (all_days || all_weekdays))
		all_days = all_weekdays = true;
	*ret_month = !all_days;
	*ret_week = !all_weekdays;
}

/* "or" and "only" are the two meanings of two day fields, which people take for
 * each other: the words tell which one it is. */
static void
add_days(struct buf *out, const struct cron *c, bool month, bool week)
{
	if (month)
		add_month_days(out, c, ", on ");
	if (!week)
		return;
	if (!month)
		add_week_days(out, c, ", on ");
	else if (c->flags & CRON_BOTH_DAYS)
		add_week_days(out, c, ", only on ");
	else
		add_week_days(out, c, " or on ");
}

/* A run of years, or one: ", in the years 2030 through 2035". A set of them is
 * longer than a word, so each run is a text of its own. */
static void
add_years(struct buf *out, const struct cron *c)
{
	const unsigned int n = CRON_YEAR_MAX - CRON_YEAR_MIN + 1;
	const char *joint = ", in ";
	unsigned int i, first;

#define HAS(bit) ((bit) < n && (c->years[(bit) / 64] >> (bit) % 64 & 1) != 0)
	for (first = 0; first < n && HAS(first); first++)
		;
	if (first == n)
		return;
	for (i = 0; i < n; i++) {
		if (!HAS(i))
			continue;
		for (first = i; HAS(i + 1); i++)
			;
		buf_addf(out, "%s%u", joint, CRON_YEAR_MIN + first);
		if (i > first)
			buf_addf(out, " through %u", CRON_YEAR_MIN + i);
		joint = " or ";
	}
#undef HAS
}

/* --- the whole ----------------------------------------------------------- */

/* In the largest unit that needs no fraction. "every 24 hours", for "every day"
 * would be the same time of each. */
static void
add_period(struct buf *out, int64_t us)
{
	static const struct {
		const char *name;
		int64_t us;
	} units[] = {
	    {"hour", 3600 * US_PER_S}, {"minute", 60 * US_PER_S},
	    {"second", US_PER_S},      {"millisecond", 1000},
	    {"microsecond", 1},
	};
	unsigned int i;

	for (i = 0; us % units[i].us != 0; i++)
		;
	if (us == units[i].us)
		buf_addf(out, "every %s", units[i].name);
	else
		buf_addf(out, "every %" PRId64 " %ss", us / units[i].us,
			 units[i].name);
}

/* The time in the first form that fits: times of the day if there are few, then
 * a frequency, then field by field. */
void
cron_words(const struct cron *c, struct buf *out)
{
	static const struct wording month = {
	    .names = month_names, .plural = "", .max = 11};
	bool by_month, by_week;

	if (c->period_us != 0) {
		add_period(out, c->period_us);
		return;
	}
	which_days(c, &by_month, &by_week);
	if (has_clock_times(c)) {
		/* "every weekday at 09:00", where the day is told so simply. */
		if (!by_month && !by_week) {
			buf_adds(out, "every day ");
		} else if (!by_month && (c->flags & CRON_SPECIAL_DAYS) == 0) {
			buf_adds(out, "every ");
			add_weekdays(out, c->weekdays, false);
			buf_addc(out, ' ');
			by_week = false;
		}
		add_clock_times(out, c);
	} else if (!add_frequency(out, c)) {
		add_fields(out, c);
	}
	add_days(out, c, by_month, by_week);
	if (c->months != ALL_MONTHS) {
		buf_adds(out, ", in ");
		add_set(out, &month, c->months);
	}
	add_years(out, c);
}
