/* SPDX-License-Identifier: MIT */
/* Moments as people write them, by a clock of New York: five hours behind UTC on
 * that day, four in summer. */
#include "manager/moment.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cron/tz.h"
#include "suite.h"
#include "util/clock.h"
#include "util/err.h"

/* 2026-11-23, a Monday, 12:00 in New York. */
static const char now_text[] = "2026-11-23T17:00:00Z";

static int64_t
moment_of(const char *text)
{
	struct err err = ERR_INIT;
	int64_t us;

	ck_assert_msg(clock_parse(text, &us, &err) == 0, "%s", err.msg);
	return us;
}

static void
set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

/* Needs no data of the machine. */
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"

static const struct {
	enum moment_side side;
	const char *text, *meant; /* NULL: refused */
} cases[] = {
    {MOMENT_ANY, "2026-11-24T09:00:00+01:00", "2026-11-24T08:00:00Z"},
    {MOMENT_ANY, "2026-11-24T09:00:00", "2026-11-24T09:00:00Z"},
    {MOMENT_ANY, "2026-11-24 09:00:00+01:00", "2026-11-24T08:00:00Z"},
    {MOMENT_ANY, "2026-11-24 09:00:00", "2026-11-24T14:00:00Z"},
    {MOMENT_ANY, "2026-11-24 09:00", "2026-11-24T14:00:00Z"},
    {MOMENT_ANY, "2026-07-24 09:00", "2026-07-24T13:00:00Z"},
    {MOMENT_ANY, "2026-12-24", "2026-12-24T05:00:00Z"},
    {MOMENT_ANY, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
    {MOMENT_ANY, "11:30", "2026-11-23T16:30:00Z"},
    {MOMENT_FUTURE, "11:30", "2026-11-24T16:30:00Z"},
    {MOMENT_FUTURE, "12:00", "2026-11-24T17:00:00Z"},
    {MOMENT_FUTURE, "9:05:07", "2026-11-24T14:05:07Z"},
    {MOMENT_PAST, "11:30", "2026-11-23T16:30:00Z"},
    {MOMENT_PAST, "12:30", "2026-11-22T17:30:00Z"},
    {MOMENT_ANY, "today 18:00", "2026-11-23T23:00:00Z"},
    {MOMENT_ANY, "tomorrow", "2026-11-24T05:00:00Z"},
    {MOMENT_ANY, "tomorrow 9:00", "2026-11-24T14:00:00Z"},
    {MOMENT_ANY, "yesterday 23:59:59", "2026-11-23T04:59:59Z"},
    {MOMENT_ANY, "now", "2026-11-23T17:00:00Z"},
    {MOMENT_ANY, "in 1h30m", "2026-11-23T18:30:00Z"},
    {MOMENT_FUTURE, "in 10m", "2026-11-23T17:10:00Z"},
    {MOMENT_FUTURE, "10m", "2026-11-23T17:10:00Z"},
    {MOMENT_FUTURE, "90", "2026-11-23T17:01:30Z"},
    {MOMENT_PAST, "2h ago", "2026-11-23T15:00:00Z"},
    {MOMENT_PAST, "2h", "2026-11-23T15:00:00Z"},
    {MOMENT_PAST, "-2h", "2026-11-23T15:00:00Z"},
    {MOMENT_ANY, "10m", NULL},
    {MOMENT_FUTURE, "-10m", NULL},
    {MOMENT_ANY, "", NULL},
    {MOMENT_ANY, "in", NULL},
    {MOMENT_ANY, "in ten minutes", NULL},
    {MOMENT_ANY, " ago", NULL},
    {MOMENT_ANY, "24:00", NULL},
    {MOMENT_ANY, "9:5", NULL},
    {MOMENT_ANY, "9:05:7", NULL},
    {MOMENT_ANY, "9:05 pm", NULL},
    {MOMENT_ANY, "-1:00", NULL},
    {MOMENT_ANY, "2026-02-30", NULL},
    {MOMENT_ANY, "2026-02-30 10:00", NULL},
    {MOMENT_ANY, "2026-12-24 ", NULL},
    {MOMENT_ANY, "2026-12-24 18", NULL},
    {MOMENT_ANY, "2026-12-24x18:00", NULL},
    {MOMENT_ANY, "tomorrows", NULL},
    {MOMENT_ANY, "tomorrow 9", NULL},
    {MOMENT_PAST, "3000w", NULL}, /* before 1970 */
};

START_TEST(people_write_moments_in_many_ways)
{
	struct err err = ERR_INIT;
	char meant[CLOCK_TEXT_SIZE];
	const char *text = cases[_i].text;
	int64_t us = -1;
	int r;

	set_zone(NEW_YORK);
	r = moment_read(text,
			&(struct moment_reading){.side = cases[_i].side,
						 .now_us = moment_of(now_text)},
			&us, &err);
	if (cases[_i].meant == NULL) {
		ck_assert_msg(r == -1, "\"%s\" was taken", text);
		ck_assert_int_eq(err.code, ERR_DATA);
		ck_assert_int_eq(err.msg[0], '"');
		return;
	}
	ck_assert_msg(r == 0, "%s", err.msg);
	clock_format(us, meant);
	ck_assert_msg(us == moment_of(cases[_i].meant), "\"%s\" is %s", text,
		      meant);
}
END_TEST

/* At 02:30 on that day, no clock showed 02:30. */
START_TEST(a_local_time_that_is_left_out_is_close_to_it)
{
	int64_t us;

	set_zone(NEW_YORK);
	ck_assert_int_eq(moment_read("2026-03-08 02:30",
				     &(struct moment_reading){MOMENT_ANY}, &us,
				     NULL),
			 0);
	ck_assert_int_ge(us, moment_of("2026-03-08T06:30:00Z"));
	ck_assert_int_le(us, moment_of("2026-03-08T07:30:00Z"));
}
END_TEST

/* By the clock of Berlin, whatever that of the process is. */
static const struct {
	enum moment_side side;
	const char *text, *meant;
} zoned[] = {
    {MOMENT_FUTURE, "2026-12-24 18:00", "2026-12-24T17:00:00Z"},
    {MOMENT_FUTURE, "2026-12-24", "2026-12-23T23:00:00Z"},
    {MOMENT_FUTURE, "2027-07-24 18:00:30", "2027-07-24T16:00:30Z"},
    {MOMENT_FUTURE, "2026-12-24T18:00:00", "2026-12-24T18:00:00Z"},
    /* It is 18:00 there. */
    {MOMENT_FUTURE, "17:30", "2026-11-24T16:30:00Z"},
    {MOMENT_PAST, "17:30", "2026-11-23T16:30:00Z"},
    {MOMENT_FUTURE, "tomorrow 0:30", "2026-11-23T23:30:00Z"},
    {MOMENT_FUTURE, "in 10m", "2026-11-23T17:10:00Z"},
    /* Shown twice: the first. Left out: behind the gap. */
    {MOMENT_FUTURE, "2027-10-31 02:30", "2027-10-31T00:30:00Z"},
    {MOMENT_FUTURE, "2027-10-31 03:00", "2027-10-31T02:00:00Z"},
    {MOMENT_FUTURE, "2027-03-28 02:30", "2027-03-28T01:30:00Z"},
    {MOMENT_FUTURE, "2027-03-28 01:59", "2027-03-28T00:59:00Z"},
    {MOMENT_FUTURE, "2027-03-28 03:00", "2027-03-28T01:00:00Z"},
};

START_TEST(a_moment_is_read_by_the_clock_of_a_zone)
{
	struct err err = ERR_INIT;
	struct tz_set *zones = tz_set_new(NULL, &err);
	const struct moment_reading reading = {
	    .side = zoned[_i].side,
	    .now_us = moment_of(now_text),
	    .zone = tz_find(zones, SLICE("Europe/Berlin"), &err)};
	char meant[CLOCK_TEXT_SIZE];
	int64_t us = 0;

	set_zone(NEW_YORK);
	ck_assert_msg(reading.zone != NULL, "%s", err.msg);
	ck_assert_int_eq(moment_read(zoned[_i].text, &reading, &us, &err), 0);
	clock_format(us, meant);
	ck_assert_msg(us == moment_of(zoned[_i].meant), "\"%s\" is %s",
		      zoned[_i].text, meant);
	tz_set_free(zones);
}
END_TEST

/* The same text means the same by either; glibc's mktime() takes the second of
 * two moments in Berlin, and the first in New York. */
START_TEST(the_clock_of_the_process_is_read_as_that_of_a_zone)
{
	static const struct {
		const char *zone, *text, *meant;
	} shown[] = {
	    {"Europe/Berlin", "2027-10-31 02:30", "2027-10-31T00:30:00Z"},
	    {"Europe/Berlin", "2027-10-31 03:00", "2027-10-31T02:00:00Z"},
	    {"Europe/Berlin", "2027-03-28 02:30", "2027-03-28T01:30:00Z"},
	    {"America/New_York", "2027-11-07 01:30", "2027-11-07T05:30:00Z"},
	    {"America/New_York", "2027-03-14 02:30", "2027-03-14T07:30:00Z"},
	    {"Australia/Lord_Howe", "2027-04-04 01:45", "2027-04-03T14:45:00Z"},
	    {"Asia/Tokyo", "2027-10-31 01:30", "2027-10-30T16:30:00Z"},
	};
	struct err err = ERR_INIT;
	struct tz_set *zones = tz_set_new(NULL, &err);
	struct moment_reading reading = {.now_us = moment_of(now_text)};
	size_t i, named;
	int64_t us;

	for (i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		for (named = 0; named < 2; named++) {
			set_zone(shown[i].zone);
			reading.zone =
			    named
				? tz_find(zones, slice_of(shown[i].zone), &err)
				: NULL;
			ck_assert_int_eq(
			    moment_read(shown[i].text, &reading, &us, &err), 0);
			ck_assert_msg(us == moment_of(shown[i].meant),
				      "%s %s: %lld", shown[i].zone,
				      shown[i].text, (long long)us);
		}
	tz_set_free(zones);
}
END_TEST

START_TEST(a_moment_is_written_with_its_distance)
{
	const int64_t now_us = moment_of(now_text);
	char text[MOMENT_TEXT_MAX];

	set_zone(NEW_YORK);
	moment_write(now_us + INT64_C(5400) * 1000000, now_us, text);
	ck_assert_str_eq(text, "2026-11-23 13:30:00 EST, in 1h 30m");
	moment_write(now_us + INT64_C(3) * 86400 * 1000000, now_us, text);
	ck_assert_str_eq(text, "2026-11-26 12:00:00 EST, in 3d");
	moment_write(now_us - INT64_C(7) * 1000000, now_us, text);
	ck_assert_str_eq(text, "2026-11-23 11:59:53 EST, 7s ago");
}
END_TEST

SUITE("moment")
{
	TEST_LOOP(people_write_moments_in_many_ways, 0,
		  (int)(sizeof(cases) / sizeof(cases[0])));
	TEST(a_local_time_that_is_left_out_is_close_to_it);
	TEST_LOOP(a_moment_is_read_by_the_clock_of_a_zone, 0,
		  (int)(sizeof(zoned) / sizeof(zoned[0])));
	TEST(the_clock_of_the_process_is_read_as_that_of_a_zone);
	TEST(a_moment_is_written_with_its_distance);
}
