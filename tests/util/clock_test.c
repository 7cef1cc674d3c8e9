/* SPDX-License-Identifier: MIT */
/* Tests of the clocks, and of times and durations as text. */
#include "util/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/err.h"

#include "suite.h"

#define N(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define S INT64_C(1000000)

static int64_t
parsed(const char *text)
{
	struct err err = ERR_INIT;
	int64_t us = -1;

	ck_assert_msg(clock_parse(text, &us, &err) == 0, "%s", err.msg);
	return us;
}

static int64_t
duration(const char *text)
{
	struct err err = ERR_INIT;
	int64_t us = -1;

	ck_assert_msg(clock_parse_duration(text, &us, &err) == 0, "%s",
		      err.msg);
	return us;
}

START_TEST(the_monotonic_clock_does_not_run_backwards)
{
	int64_t before = clock_mono_us();
	int64_t ms = clock_mono_ms();
	int64_t after = clock_mono_us();

	ck_assert_int_le(before, after);
	ck_assert_int_le(before / 1000, ms);
	ck_assert_int_le(ms, after / 1000);
}
END_TEST

static int64_t
fake_mono_us(void)
{
	return 5000;
}

static int64_t
fake_wall_us(void)
{
	return 7;
}

START_TEST(a_test_can_replace_the_clocks_and_give_them_back)
{
	static const struct clock_source both = {.mono_us = fake_mono_us,
						 .wall_us = fake_wall_us};
	static const struct clock_source wall = {.wall_us = fake_wall_us};

	clock_replace(&both);
	ck_assert_int_eq(clock_mono_us(), 5000);
	ck_assert_int_eq(clock_mono_ms(), 5);
	ck_assert_int_eq(clock_wall_us(), 7);
	clock_replace(&wall);
	ck_assert_int_ne(clock_mono_us(), 5000);
	ck_assert_int_eq(clock_wall_us(), 7);
	clock_replace(NULL);
	ck_assert_int_gt(clock_wall_us(), parsed("2020-01-01T00:00:00Z"));
}
END_TEST

static const struct {
	int64_t us;
	const char *text;
} times[] = {
    {0, "1970-01-01T00:00:00.000000+00:00"},
    {1, "1970-01-01T00:00:00.000001+00:00"},
    {1763898788846827, "2025-11-23T11:53:08.846827+00:00"},
    {951782400 * S, "2000-02-29T00:00:00.000000+00:00"},
    {4107542399 * S + 999999, "2100-02-28T23:59:59.999999+00:00"},
    {253402300799 * S + 999999, "9999-12-31T23:59:59.999999+00:00"},
};

START_TEST(a_time_survives_being_written_and_read)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(times[_i].us, text);
	ck_assert_str_eq(text, times[_i].text);
	ck_assert_int_eq(parsed(text), times[_i].us);
}
END_TEST

/* Of the years 1 to 9999, what the C library writes and reads. */
static void
time_is_the_librarys(int64_t s, int us)
{
	char ours[CLOCK_TEXT_SIZE], theirs[64];
	const time_t time = s;
	int64_t back = -1;
	struct tm tm;

	ck_assert_ptr_nonnull(gmtime_r(&time, &tm));
	snprintf(theirs, sizeof(theirs),
		 "%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 us);
	clock_format(s * S + us, ours);
	ck_assert_str_eq(ours, theirs);
	if (s < 0) {
		ck_assert_int_eq(clock_parse(ours, &back, NULL), -1);
		return;
	}
	ck_assert_int_eq(clock_parse(ours, &back, NULL), 0);
	ck_assert_int_eq(back, s * S + us);
}

START_TEST(days_of_ten_thousand_years_are_the_c_librarys)
{
	/* The ends of a year, and of its February, by days since 1970. */
	static const int ends[] = {0, 57, 58, 59, 60, 364, 365};
	const int64_t first = -719162, last = 2932896;
	uint32_t random = 1;
	int64_t day;
	int i;

	for (day = first; day <= last; day += 101) {
		random = random * 1664525u + 1013904223u;
		time_is_the_librarys(day * 86400 + random % 86400,
				     (int)(random >> 8) % 1000000);
	}
	for (i = 0; i < 9999 * N(ends); i += 4) {
		/* 400 years have 146097 days. */
		day = first + (int64_t)(i / N(ends)) * 146097 / 400 +
		      ends[i % N(ends)];
		if (day <= last)
			time_is_the_librarys(day * 86400 + i % 2 * 86399,
					     i % 3 * 499999);
	}
}
END_TEST

START_TEST(times_out_of_range_are_written_without_harm)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(-1, text);
	ck_assert_str_eq(text, "1969-12-31T23:59:59.999999+00:00");
	clock_format(INT64_MAX, text);
	ck_assert_uint_eq(strlen(text), CLOCK_TEXT_SIZE - 1);
}
END_TEST

START_TEST(an_offset_is_taken_off)
{
	int64_t noon = parsed("2026-03-01T12:00:00Z");

	ck_assert_int_eq(parsed("2026-03-01T13:00:00+01:00"), noon);
	ck_assert_int_eq(parsed("2026-03-01T06:30:00-05:30"), noon);
	ck_assert_int_eq(parsed("2026-02-28T12:01:00-23:59"), noon);
	ck_assert_int_eq(parsed("2026-03-01t12:00:00z"), noon);
}
END_TEST

START_TEST(a_time_without_an_offset_is_utc)
{
	ck_assert_int_eq(parsed("2026-03-01 12:00:00"),
			 parsed("2026-03-01T12:00:00Z"));
}
END_TEST

START_TEST(a_naive_time_is_local_where_a_backend_is_shared)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t us;

	ck_assert_int_eq(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
	tzset();
	/* In winter, and in summer. */
	clock_format_as(CLOCK_FORM_NAIVE, parsed("2026-01-01T23:30:00.5Z"),
			text);
	ck_assert_str_eq(text, "2026-01-02T00:30:00.500000");
	ck_assert_int_eq(clock_parse_as(CLOCK_FORM_NAIVE, text, &us, NULL), 0);
	ck_assert_int_eq(us, parsed("2026-01-01T23:30:00.5Z"));
	clock_format_as(CLOCK_FORM_NAIVE, parsed("2026-07-01T12:00:00Z"), text);
	ck_assert_str_eq(text, "2026-07-01T14:00:00.000000");
	ck_assert_int_eq(clock_parse_as(CLOCK_FORM_NAIVE, text, &us, NULL), 0);
	ck_assert_int_eq(us, parsed("2026-07-01T12:00:00Z"));
	/* An offset is believed, and the other form is as it was. */
	ck_assert_int_eq(
	    clock_parse_as(CLOCK_FORM_NAIVE, "2026-07-01T12:00:00Z", &us, NULL),
	    0);
	ck_assert_int_eq(us, parsed("2026-07-01T12:00:00Z"));
	clock_format_as(CLOCK_FORM_UTC, us, text);
	ck_assert_str_eq(text, "2026-07-01T12:00:00.000000+00:00");
	ck_assert_int_eq(parsed("2026-07-01T12:00:00"), us);
	/* Out of range it is written without harm. */
	clock_format_as(CLOCK_FORM_NAIVE, INT64_MAX, text);
	ck_assert_uint_eq(strlen(text), CLOCK_TEXT_SIZE - 1);
	unsetenv("TZ");
	tzset();
}
END_TEST

START_TEST(a_fraction_is_cut_to_microseconds)
{
	int64_t noon = parsed("2026-03-01T12:00:00Z");

	ck_assert_int_eq(parsed("2026-03-01T12:00:00.5Z"), noon + 500000);
	ck_assert_int_eq(parsed("2026-03-01T12:00:00.000001"), noon + 1);
	ck_assert_int_eq(parsed("2026-03-01T12:00:00.123456789"),
			 noon + 123456);
}
END_TEST

START_TEST(a_leap_second_is_the_second_after_it)
{
	ck_assert_int_eq(parsed("2016-12-31T23:59:60Z"),
			 parsed("2017-01-01T00:00:00Z"));
}
END_TEST

static const char *const bad_times[] = {
    "",
    "now",
    "2026",
    "2026-01-01",
    "2026-01-01T",
    "2026-01-01T12:00",
    "2026-1-1T12:00:00",
    "2026-01-01X12:00:00",
    "2026-13-01T12:00:00",
    "2026-00-01T12:00:00",
    "2026-02-29T12:00:00",
    "2100-02-29T12:00:00",
    "2026-04-31T12:00:00",
    "2026-01-00T12:00:00",
    "2026-01-01T24:00:00",
    "2026-01-01T12:60:00",
    "2026-01-01T12:00:61",
    "2026-01-01T12:00:00.",
    "2026-01-01T12:00:00.1234567890",
    "2026-01-01T12:00:00+1:00",
    "2026-01-01T12:00:00+0100",
    "2026-01-01T12:00:00+24:00",
    "2026-01-01T12:00:00+01:60",
    "2026-01-01T12:00:00ZZ",
    "2026-01-01T12:00:00Z ",
    " 2026-01-01T12:00:00Z",
    "+026-01-01T12:00:00Z",
    "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00+00:01",
    "10000-01-01T00:00:00Z",
};

START_TEST(a_bad_time_is_refused)
{
	struct err err = ERR_INIT;
	int64_t us = 42;

	ck_assert_int_eq(clock_parse(bad_times[_i], &us, &err), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_ptr_nonnull(strstr(err.msg, bad_times[_i]));
	ck_assert_int_eq(us, 42);
}
END_TEST

START_TEST(a_bare_duration_is_in_seconds)
{
	ck_assert_int_eq(duration("0"), 0);
	ck_assert_int_eq(duration("90"), 90 * S);
	ck_assert_int_eq(duration("1.5"), 1500000);
	ck_assert_int_eq(duration("1.1"), 1100000);
	ck_assert_int_eq(duration("0.000001"), 1);
	ck_assert_int_eq(duration("0.0000001"), 0);
}
END_TEST

START_TEST(units_add_up)
{
	ck_assert_int_eq(duration("1h30m"), 5400 * S);
	ck_assert_int_eq(duration("250ms"), 250000);
	ck_assert_int_eq(duration("1w2d3h4m5s6ms"),
			 (((9 * 24 + 3) * 60 + 4) * 60 + 5) * S + 6000);
	ck_assert_int_eq(duration("1.5h"), 5400 * S);
	ck_assert_int_eq(duration("0.1w"), 60480 * S);
	ck_assert_int_eq(duration("100.000000001s"), 100 * S);
	ck_assert_int_eq(duration("36525d"), 36525 * (86400 * S));
}
END_TEST

static const char *const bad_durations[] = {
    "",		  "s",
    "-1",	  "+1",
    "1h30",	  "1 h",
    "1x",	  "1.",
    ".5",	  "1.h",
    "1..5",	  "1e3",
    "inf",	  "nan",
    "0x10",	  "1H",
    " 1",	  "1 ",
    "1mm",	  "1sm",
    "1,5s",	  "36526d",
    "3155760001", "99999999999999999999999999",
    "36525d1ms",  "9223372036854775807w",
};

START_TEST(a_bad_duration_is_refused)
{
	struct err err = ERR_INIT;
	int64_t us = 42;

	ck_assert_int_eq(clock_parse_duration(bad_durations[_i], &us, &err),
			 -1);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_ptr_nonnull(strstr(err.msg, bad_durations[_i]));
	ck_assert_int_eq(us, 42);
}
END_TEST

START_TEST(a_length_has_no_sign_and_any_number_has_one)
{
	ck_assert(clock_length_s(-1500000) == 1.5);
	ck_assert(clock_length_s(1500000) == 1.5);
	ck_assert(clock_length_s(INT64_MIN) > 9.2e12);
}
END_TEST

SUITE("clock")
{
	TEST(the_monotonic_clock_does_not_run_backwards);
	TEST(a_test_can_replace_the_clocks_and_give_them_back);
	TEST_LOOP(a_time_survives_being_written_and_read, 0, N(times));
	TEST(days_of_ten_thousand_years_are_the_c_librarys);
	TEST(times_out_of_range_are_written_without_harm);
	TEST(an_offset_is_taken_off);
	TEST(a_time_without_an_offset_is_utc);
	TEST(a_naive_time_is_local_where_a_backend_is_shared);
	TEST(a_fraction_is_cut_to_microseconds);
	TEST(a_leap_second_is_the_second_after_it);
	TEST_LOOP(a_bad_time_is_refused, 0, N(bad_times));
	TEST(a_bare_duration_is_in_seconds);
	TEST(units_add_up);
	TEST(a_length_has_no_sign_and_any_number_has_one);
	TEST_LOOP(a_bad_duration_is_refused, 0, N(bad_durations));
}
