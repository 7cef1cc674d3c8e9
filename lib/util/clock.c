/* SPDX-License-Identifier: MIT */
/*
 * The clocks, and times and durations as text.
 *
 * All times of the project are in microseconds: what the JSON of tasks holds is
 * exact to them, and 64 bits of them last for 292,000 years. Durations are
 * measured with the monotonic clock; the wall clock is for times that leave the
 * process.
 */
#include "util/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util/err.h"

#define US_PER_MS INT64_C(1000)
#define US_PER_S INT64_C(1000000)
/* 0000-01-01T00:00:00 and 9999-12-31T23:59:59 */
#define FORMAT_MIN_S INT64_C(-62167219200)
#define FORMAT_MAX_S INT64_C(253402300799)
/* A hundred years of 365.25 days. No user means more, and
 * sums of a time and a duration stay far from overflow. */
#define DURATION_MAX_US (INT64_C(100) * 36525 / 100 * 86400 * US_PER_S)

/* Atomic, because a test may put its source in place while threads run. */
static _Atomic(int64_t (*)(void)) mono_source;
static _Atomic(int64_t (*)(void)) wall_source;

static int64_t
read_us(clockid_t id)
{
	struct timespec now;

	/* Cannot fail: the address and the clock are good. */
	clock_gettime(id, &now);
	return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	int64_t (*source)(void) = atomic_load(&mono_source);

	return source != NULL ? source() : read_us(CLOCK_MONOTONIC);
}

int64_t
clock_mono_ms(void)
{
	return clock_mono_us() / US_PER_MS;
}

int64_t
clock_boot_us(void)
{
	int64_t (*source)(void) = atomic_load(&mono_source);

	return source != NULL ? source() : read_us(CLOCK_BOOTTIME);
}

int64_t
clock_boot_ms(void)
{
	return clock_boot_us() / US_PER_MS;
}

int64_t
clock_wall_us(void)
{
	int64_t (*source)(void) = atomic_load(&wall_source);

	return source != NULL ? source() : read_us(CLOCK_REALTIME);
}

/* For tests, which let hours pass in no time. */
void
clock_replace(const struct clock_source *source)
{
	atomic_store(&mono_source, source != NULL ? source->mono_us : NULL);
	atomic_store(&wall_source, source != NULL ? source->wall_us : NULL);
}

/*
 * The date that lies `days` after 1970-01-01, in the Gregorian calendar. Years
 * are counted from March here, so that the leap day is the last of its year;
 * "era" is 400 of them. gmtime_r() would take a lock and five times as long,
 * and every result record has three times in it.
 */
static void
civil(int64_t days, int *year, int *month, int *day)
{
	int64_t since = days + 719468; /* 0000-03-01 */
	int64_t era = (since >= 0 ? since : since - 146096) / 146097;
	int in_era = (int)(since - era * 146097);
	int years =
	    (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int in_year = in_era - (365 * years + years / 4 - years / 100);
	int march = (5 * in_year + 2) / 153; /* months since March */

	*day = in_year - (153 * march + 2) / 5 + 1;
	*month = march < 10 ? march + 3 : march - 9;
	*year = (int)(era * 400) + years + (*month <= 2);
}

/* The way back: days since 1970-01-01. timegm() would search for them. */
static int64_t
days_from_civil(int year, int month, int day)
{
	const int64_t since = year - (month <= 2);
	const int64_t era = (since >= 0 ? since : since - 399) / 400;
	const int in_era = (int)(since - era * 400);
	const int march = month > 2 ? month - 3 : month + 9;
	const int in_year = (153 * march + 2) / 5 + day - 1;

	return era * 146097 + in_era * INT64_C(365) + in_era / 4 -
	       in_era / 100 + in_year - 719468;
}

/* Writes two decimal digits and the character `end`. printf() would take most
 * of the time that a result record takes. */
static inline char *
put_two(char *p, unsigned int value, char end)
{
	p[0] = (char)('0' + value / 10);
	p[1] = (char)('0' + value % 10);
	p[2] = end;
	return p + 3;
}

struct clock_date {
	unsigned int year, month, day, hour, minute, second, us;
};

/* Writes "2026-11-23T11:53:08.123456" and the character `end`. */
static char *
put_date(char *p, const struct clock_date *date, char end)
{
	const unsigned int us = date->us;

	put_two(p, date->year / 100 % 100, '0');
	p = put_two(p + 2, date->year % 100, '-');
	p = put_two(p, date->month, '-');
	p = put_two(p, date->day, 'T');
	p = put_two(p, date->hour, ':');
	p = put_two(p, date->minute, ':');
	p = put_two(p, date->second, '.');
	put_two(p, us / 10000, '0');
	put_two(p + 2, us / 100 % 100, '0');
	return put_two(p + 4, us % 100, end);
}

void
clock_format(int64_t wall_us, char text[CLOCK_TEXT_SIZE])
{
	int64_t us = wall_us % US_PER_S;
	int64_t s = wall_us / US_PER_S;
	int year, month, day, in_day;
	struct clock_date date;
	char *p;

	/* C rounds towards zero; before 1970 the fraction must count upwards
	 * all the same. */
	if (us < 0) {
		us += US_PER_S;
		s--;
	}
	/* Four digits must do. */
	if (s < FORMAT_MIN_S || s > FORMAT_MAX_S)
		s = FORMAT_MAX_S;
	in_day = (int)(s % 86400);
	if (in_day < 0)
		in_day += 86400;
	civil((s - in_day) / 86400, &year, &month, &day);
	date = (struct clock_date){.year = (unsigned int)year,
				   .month = (unsigned int)month,
				   .day = (unsigned int)day,
				   .hour = (unsigned int)in_day / 3600,
				   .minute = (unsigned int)in_day / 60 % 60,
				   .second = (unsigned int)in_day % 60,
				   .us = (unsigned int)us};
	p = put_date(text, &date, '+');
	memcpy(p, "00:00", sizeof("00:00"));
}

/* The zone is the process's (TZ, /etc/localtime). Where it cannot be told, the
 * time is written in UTC, with its offset. */
void
clock_format_as(enum clock_form form, int64_t wall_us,
		char text[CLOCK_TEXT_SIZE])
{
	const int64_t us = wall_us % US_PER_S;
	const time_t s = wall_us / US_PER_S;
	struct clock_date date;
	struct tm tm;

	if (form == CLOCK_FORM_UTC || us < 0 || s < 0 || s > FORMAT_MAX_S ||
	    localtime_r(&s, &tm) == NULL) {
		clock_format(wall_us, text);
		return;
	}
	date = (struct clock_date){.year = (unsigned int)tm.tm_year + 1900,
				   .month = (unsigned int)tm.tm_mon + 1,
				   .day = (unsigned int)tm.tm_mday,
				   .hour = (unsigned int)tm.tm_hour,
				   .minute = (unsigned int)tm.tm_min,
				   .second = (unsigned int)tm.tm_sec,
				   .us = (unsigned int)us};
	put_date(text, &date, '\0');
}

/* isdigit() looks into a table of the locale. */
static inline bool
clock_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Reads exactly `digits` digits and then, unless it is NUL, the character
 * `end`. Returns what follows, or NULL.
 */
static const char *
clock_read_field(const char *p, int digits, char end, int *ret)
{
	int value = 0;

	while (digits-- > 0) {
		if (!clock_is_digit(*p))
			return NULL;
		value = value * 10 + (*p++ - '0');
	}
	if (end != '\0' && *p++ != end)
		return NULL;
	*ret = value;
	return p;
}

/* Reads ".123" with 1 to 9 digits, or nothing. */
static const char *
read_fraction(const char *p, int64_t *ret_us)
{
	int64_t scale = US_PER_S;
	int64_t us = 0;
	int digits = 0;

	if (*p == '.') {
		for (p++; clock_is_digit(*p); p++, digits++) {
			scale /= 10;
			us += (*p - '0') * scale;
		}
		if (digits < 1 || digits > 9)
			return NULL;
	}
	*ret_us = us;
	return p;
}

/* Reads "Z", "+01:00" or nothing: seconds east of Greenwich. `naive` is what
 * nothing means. */
static const char *
read_offset(const char *p, int64_t naive_s, int64_t *ret_s)
{
	int hours = 0;
	int minutes = 0;
	int sign = 0;

	if (*p == '\0') {
		*ret_s = naive_s;
		return p;
	}
	if (*p == 'Z' || *p == 'z') {
		p++;
	} else if (*p == '+' || *p == '-') {
		sign = *p++ == '-' ? -1 : 1;
		if ((p = clock_read_field(p, 2, ':', &hours)) == NULL ||
		    (p = clock_read_field(p, 2, '\0', &minutes)) == NULL ||
		    hours > 23 || minutes > 59)
			return NULL;
	}
	*ret_s = sign * (hours * INT64_C(3600) + minutes * INT64_C(60));
	return p;
}

/* Strict where strptime(3) is not: "2026-02-30" is an error and not the second
 * of March. RFC 3339 also allows a blank and small letters. */
static const char *
read_date_time(const char *p, struct tm *tm)
{
	static const int days[] = {31, 28, 31, 30, 31, 30,
				   31, 31, 30, 31, 30, 31};
	int year, month, day, hour, minute, second, leap;

	if ((p = clock_read_field(p, 4, '-', &year)) == NULL ||
	    (p = clock_read_field(p, 2, '-', &month)) == NULL ||
	    (p = clock_read_field(p, 2, '\0', &day)) == NULL ||
	    strchr("Tt ", *p) == NULL || *p == '\0' ||
	    (p = clock_read_field(p + 1, 2, ':', &hour)) == NULL ||
	    (p = clock_read_field(p, 2, ':', &minute)) == NULL ||
	    (p = clock_read_field(p, 2, '\0', &second)) == NULL)
		return NULL;
	leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	/* A leap second is 60, and means the second after it. */
	if (year < 1970 || month < 1 || month > 12 || day < 1 ||
	    day > days[month - 1] + (month == 2 && leap) || hour > 23 ||
	    minute > 59 || second > 60)
		return NULL;
	*tm = (struct tm){.tm_year = year - 1900,
			  .tm_mon = month - 1,
			  .tm_mday = day,
			  .tm_hour = hour,
			  .tm_min = minute,
			  .tm_sec = second};
	return p;
}

/* Seconds east of Greenwich at a local time. Of the two in the hour that a clock
 * is set back by, mktime() takes one; -1 is its error, and a good second. */
static int64_t
local_offset_s(const struct tm *tm)
{
	struct tm local = *tm;

	local.tm_isdst = -1;
	return mktime(&local) != -1 ? local.tm_gmtoff : 0;
}

/* Of a date and time that were checked, taken as UTC. */
static int64_t
seconds_of(const struct tm *tm)
{
	return days_from_civil(tm->tm_year + 1900, tm->tm_mon + 1,
			       tm->tm_mday) *
		   86400 +
	       tm->tm_hour * INT64_C(3600) + tm->tm_min * INT64_C(60) +
	       tm->tm_sec;
}

/* A time without an offset is taken as UTC, not as local time: the same task
 * must mean the same on every host. */
int
clock_parse(const char *text, int64_t *ret_wall_us, struct err *err)
{
	return clock_parse_as(CLOCK_FORM_UTC, text, ret_wall_us, err);
}

int
clock_parse_as(enum clock_form form, const char *text, int64_t *ret_wall_us,
	       struct err *err)
{
	const char *p = text;
	int64_t offset_s = 0;
	int64_t fraction_us = 0;
	int64_t wall_us;
	struct tm tm;

	if ((p = read_date_time(p, &tm)) == NULL ||
	    (p = read_fraction(p, &fraction_us)) == NULL ||
	    (p = read_offset(p,
			     form == CLOCK_FORM_NAIVE ? local_offset_s(&tm) : 0,
			     &offset_s)) == NULL ||
	    *p != '\0')
		return err_set(err, ERR_DATA,
			       "\"%.64s\" is not a time; write it as "
			       "2026-11-23T11:53:08+00:00",
			       text);
	wall_us = (seconds_of(&tm) - offset_s) * US_PER_S + fraction_us;
	if (wall_us < 0 || wall_us / US_PER_S > FORMAT_MAX_S)
		return err_set(
		    err, ERR_DATA,
		    "\"%.64s\" is outside the years 1970 to 9999 in UTC", text);
	*ret_wall_us = wall_us;
	return 0;
}

/* The units that systemd.time(7) has, too; months and years are left out,
 * because their length varies. */
static const struct {
	const char *name;
	int64_t us;
} units[] = {
    /* "ms" before "m": the first match counts. */
    {"ms", US_PER_MS},	     {"s", US_PER_S},
    {"m", 60 * US_PER_S},    {"h", 3600 * US_PER_S},
    {"d", 86400 * US_PER_S}, {"w", 7 * 86400 * US_PER_S},
};

/* Reads a unit; returns what follows, or NULL. */
static const char *
read_unit(const char *p, int64_t *ret_us)
{
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strncmp(p, units[i].name, strlen(units[i].name)) == 0) {
			*ret_us = units[i].us;
			return p + strlen(units[i].name);
		}
	}
	return NULL;
}

/*
 * Reads a number as a whole and billionths; what is finer is dropped. The whole
 * stops growing beyond what any unit allows. Not strtod(), which also reads
 * "1e3", "inf" and, in some locales, "1,5".
 */
static const char *
clock_read_number(const char *p, int64_t *ret_whole, int64_t *ret_billionths)
{
	int64_t scale = INT64_C(1000000000);
	int64_t whole = 0;
	int64_t billionths = 0;

	if (!clock_is_digit(*p))
		return NULL;
	for (; clock_is_digit(*p); p++)
		if (whole <= DURATION_MAX_US)
			whole = whole * 10 + (*p - '0');
	if (*p == '.') {
		if (!clock_is_digit(*++p))
			return NULL;
		for (; clock_is_digit(*p); p++) {
			scale /= 10;
			billionths += (*p - '0') * scale;
		}
	}
	*ret_whole = whole;
	*ret_billionths = billionths;
	return p;
}

/* Reads one number with its unit and adds it to *total_us, which comes to more
 * than DURATION_MAX_US when the duration is too long. */
static const char *
read_part(const char *p, bool first, int64_t *total_us)
{
	int64_t whole, billionths, unit_us;

	if ((p = clock_read_number(p, &whole, &billionths)) == NULL)
		return NULL;
	/* Only a number that stands alone may lack its unit. */
	if (first && *p == '\0')
		unit_us = US_PER_S;
	else if ((p = read_unit(p, &unit_us)) == NULL)
		return NULL;
	if (whole > DURATION_MAX_US / unit_us) {
		*total_us = DURATION_MAX_US + 1;
		return p;
	}
	/* Below 2^53 µs: the double is exact to the microsecond. */
	*total_us += whole * unit_us +
		     (int64_t)((double)billionths * (double)unit_us / 1e9 + .5);
	if (*total_us > DURATION_MAX_US)
		*total_us = DURATION_MAX_US + 1;
	return p;
}

/*
 * Each unit may come in any order and more than once: "30m1h" is clear enough.
 */
int
clock_parse_duration(const char *text, int64_t *ret_us, struct err *err)
{
	const char *p = text;
	int64_t total_us = 0;

	do {
		if ((p = read_part(p, p == text, &total_us)) == NULL)
			return err_set(err, ERR_DATA,
				       "\"%.64s\" is not a duration; write "
				       "seconds (90, 1.5), or numbers with the "
				       "units ms, s, m, h, d, w (1h30m)",
				       text);
	} while (*p != '\0');
	if (total_us > DURATION_MAX_US)
		return err_set(err, ERR_DATA,
			       "duration \"%.64s\" is too long; at most 100 "
			       "years are allowed",
			       text);
	*ret_us = total_us;
	return 0;
}

double
clock_length_s(int64_t us)
{
	const double s = (double)us / US_PER_S;

	return s < 0 ? -s : s;
}
