/* SPDX-License-Identifier: MIT */
/*
 * Cron expressions: text to a small value, and from there the next fire.
 *
 *	[CRON_TZ=Zone] minute hour day-of-month month day-of-week
 *	[CRON_TZ=Zone] second minute hour day-of-month month day-of-week [year]
 *	[CRON_TZ=Zone] @yearly @annually @monthly @weekly @daily @midnight
 *@hourly
 *	@every 90s
 *
 * A field is a list of items with commas in between:
 *
 *	*  a  a-b  each with or without /n; a/n is a-max/n
 *	JAN … DEC, SUN … SAT   in any case, also in full (Monday); 7 is Sunday, too
 *	?                      the same as *, in the two day fields
 *	H  H(a-b)  H/n         a value drawn from the seed (1-28 for a day)
 *	L  L-n  LW  nW         day of month: the last one, n before it, the last
 *	                       weekday, the weekday closest to n in its month
 *	nL  n#k  n#L           day of week: the last, the k-th one of the month
 *	+…                     day of week: must match as well as the day of
 *month
 *
 * When both day fields are restricted, one of them has to match; only a bare
 * "*" or "?" leaves a field unrestricted. Years are 1970 to 2199, and so are
 * the local years in which anything fires.
 *
 * When clocks change: a schedule whose second, minute or hour begins with "*",
 * or whose minutes or hours are all there are, fires at every instant whose
 * local time matches: never in a gap, twice in a fold. All others mean times of
 * the day, and fire once: for a time in a gap at the first instant after it
 * (unless more than three hours are missing: then not at all), for a time that
 * comes twice when it comes first.
 */
#ifndef CRON_CRON_H
#define CRON_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"

struct err;
struct tz;

/* Unix time begins with 1970. The set of years (struct cron) has four words,
 * and the days (days.h) and time zones (tz_span.h) end with 2199. */
#define CRON_YEAR_MIN 1970
#define CRON_YEAR_MAX 2199
/* Twice an expression with every value of all fields but the year written
 * out. */
#define CRON_TEXT_MAX 1024

/*
 * A rule, ready to be asked. Copy it as you like; it owns nothing. The members
 * are for lib/cron only. Bit 0 of a set is the field's least value.
 */
struct cron {
	uint64_t seconds, minutes;
	uint64_t years[4];
	uint32_t hours;
	uint32_t days;
	uint32_t from_last; /* bit 31 is L, bit 31 - n is L-n */
	uint32_t nearest;   /* bit n - 1 is nW, bit 31 is LW */
	uint16_t months;
	uint8_t weekdays;
	uint8_t nth[6]; /* weekdays that are the 1st … 5th, the last */
	uint8_t flags;
	/* @every, when period_us is not 0; nothing above counts then. */
	int64_t period_us, anchor_us;
};

struct cron_options {
	uint64_t seed;	   /* of H: cron_seed() of the schedule's id */
	bool match_both;   /* restricted day fields must both match */
	int64_t anchor_us; /* of @every: it fires at anchor + k * period */
};

/* X(code, what is wrong) */
#define CRON_FAULTS(X)                                                         \
	X(NONE, "no problem found")                                            \
	X(TOO_LONG, "the expression is too long")                              \
	X(FIELD_COUNT, "the number of fields is wrong")                        \
	X(EMPTY_ITEM, "an item of the list is empty")                          \
	X(BAD_ITEM, "this cannot be parsed")                                   \
	X(BAD_STEP, "the step is wrong")                                       \
	X(OUT_OF_RANGE, "the value is out of range")                           \
	X(REVERSED_RANGE, "the range is reversed")                             \
	X(UNKNOWN_NAME, "the name is unknown")                                 \
	X(NOT_HERE, "this cannot stand in this field")                         \
	X(BAD_DURATION, "the period is wrong")                                 \
	X(BAD_ZONE, "the time zone is not where it belongs")                   \
	X(NEVER, "it never fires")

enum cron_fault_code {
#define X(code, text) CRON_##code,
	CRON_FAULTS(X)
#undef X
};

/* Longer hints are cut. */
#define CRON_HINT_MAX 160

/* What is wrong, for programs; the struct err says the same to people. */
struct cron_fault {
	enum cron_fault_code code;
	const char *field; /* "hour", or NULL where no field is to blame */
	size_t column;	   /* of the first byte that is wrong, from 1 */
	size_t len;	   /* bytes that are wrong, from there on */
	char hint[CRON_HINT_MAX]; /* what to write instead; "" */
};

/*
 * Reads an expression. `options` may be NULL (all 0), `fault` too. Errors are
 * ERR_DATA. Leaves the zone of CRON_TZ= to the caller, who finds it with
 * cron_zone() and tz_find(). What can never fire is read all the same: ask
 * cron_check().
 */
int cron_parse(const char *text, const struct cron_options *options,
	       struct cron *ret, struct cron_fault *fault, struct err *err);

/* Whether a weekday is written as a number in an expression that may be one of Quartz,
 * where 1 is Sunday; here it is Monday. */
bool cron_doubts_weekdays(const struct cron *cron);

/* Makes the rule of "@every": from 1 s to 100 years. */
int cron_interval(int64_t period_us, int64_t anchor_us, struct cron *ret,
		  struct err *err);

/* The zone of the CRON_TZ= before an expression, a piece of `text`; or none:
 * its `p` is NULL. */
struct slice cron_zone(const char *text);

/* The seed that belongs to an id: the same everywhere, for ever. */
uint64_t cron_seed(struct slice id);

/*
 * The first fire after `after_us`, never at it. Instants are microseconds since
 * 1970-01-01T00:00:00Z. Returns false when there is none before 2200. `zone`
 * counts for nothing with @every.
 */
bool cron_next(const struct cron *cron, const struct tz *zone, int64_t after_us,
	       int64_t *ret_us);

/* How many fires there are from `from_us` on and before `to_us`. Takes as long
 * as there are hours with a fire, not fires; a zone whose hours are not those
 * of UTC, or a change of clocks, costs more. */
int64_t cron_count(const struct cron *cron, const struct tz *zone,
		   int64_t from_us, int64_t to_us);

/* Whether a local time (as if it were UTC) is one that the fields name. */
bool cron_names(const struct cron *cron, int64_t local_us);

/* Appends the rule in English words: "every weekday at 09:00", "every 90
 * seconds". Values of H are told as they were drawn; the zone is not told. */
void cron_words(const struct cron *cron, struct buf *out);

/* Refuses (CRON_NEVER) a rule that does not fire after `after_us`. */
int cron_check(const struct cron *cron, const struct tz *zone, int64_t after_us,
	       struct cron_fault *fault, struct err *err);

#endif
