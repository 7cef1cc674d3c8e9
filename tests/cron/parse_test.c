/* SPDX-License-Identifier: MIT */
/* Expressions as they are read, and what is wrong with bad ones. */
#include <stdio.h>
#include <string.h>

#include "cron/cron.h"
#include "cron/tz.h"
#include "suite.h"
#include "util/clock.h"
#include "util/err.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define YEAR_2026_US (INT64_C(1767225600) * 1000000)

static struct cron
parsed(const char *text)
{
	struct err err = ERR_INIT;
	struct cron cron;

	ck_assert_msg(cron_parse(text, NULL, &cron, NULL, &err) == 0, "%s",
		      err.msg);
	return cron;
}

static int64_t
next_of(const struct cron *cron, int64_t after_us)
{
	int64_t next_us;

	ck_assert(cron_next(cron, tz_utc(), after_us, &next_us));
	return next_us;
}

/* Whether two expressions fire at the same times: a hundred in a row. */
static void
assert_same(const char *a, const char *b)
{
	struct cron x = parsed(a), y = parsed(b);
	int64_t x_us = YEAR_2026_US, y_us = x_us;
	bool more = true;
	int i;

	for (i = 0; more && i < 100; i++) {
		more = cron_next(&y, tz_utc(), x_us, &y_us);
		ck_assert_int_eq(more, cron_next(&x, tz_utc(), x_us, &x_us));
		ck_assert_msg(x_us == y_us, "\"%s\" is not \"%s\"", a, b);
	}
	ck_assert_int_gt(i, 1);
}

START_TEST(names_count_in_any_case)
{
	assert_same("0 0 * JAN-mar,Dec Mon-FRI", "0 0 * 1-3,12 1-5");
	assert_same("0 0 * * sun", "0 0 * * 7");
	assert_same("0 0 * * 0", "0 0 * * 7");
	assert_same("0 0 * * fri#2", "0 0 * * 5#2");
	assert_same("0 0 * September Monday-friday", "0 0 * 9 1-5");
	assert_same("0 0 * Sept Tues,Thurs", "0 0 * 9 2,4");
	assert_same("0 0 * * FridayL", "0 0 * * 5L");
	assert_same("0 0 * * MONDAY#1", "0 0 * * 1#1");
	assert_same("0 0 l,lw,3w * *", "0 0 L,LW,3W * *");
	assert_same("@DAILY", "@midnight");
}
END_TEST

START_TEST(a_range_of_weekdays_may_end_with_sunday)
{
	assert_same("0 0 * * SAT-SUN", "0 0 * * 0,6");
	assert_same("0 0 * * 5-7", "0 0 * * 0,5,6");
	assert_same("0 0 * * 1-7/2", "0 0 * * 0,1,3,5");
	assert_same("0 0 * * 0-7", "0 0 * * 0-6");
	assert_same("0 0 * * 7/2", "0 0 * * 0");
	assert_same("0 0 * * SUN-TUE", "0 0 * * 0-2");
}
END_TEST

START_TEST(steps_run_to_the_end_of_the_field)
{
	assert_same("5/15 * * * *", "5,20,35,50 * * * *");
	assert_same("*/25 * * * *", "0,25,50 * * * *");
	assert_same("10-30/10 * * * *", "10,20,30 * * * *");
	assert_same("*/60 * * * *", "0 * * * *");
	assert_same("0 0 */10 * ?", "0 0 1,11,21,31 * *");
	assert_same("0 0 1 5/3 *", "0 0 1 5,8,11 *");
	assert_same("0 0 0 1 1 ? 2030/50", "0 0 0 1 1 * 2030,2080,2130,2180");
}
END_TEST

START_TEST(words_with_an_at_sign_stand_for_fields)
{
	assert_same("@yearly", "0 0 1 1 *");
	assert_same("@annually", "0 0 1 1 *");
	assert_same("@monthly", "0 0 1 * *");
	assert_same("@weekly", "0 0 * * 0");
	assert_same("@daily", "0 0 * * *");
	assert_same("@hourly", "0 * * * *");
}
END_TEST

START_TEST(fields_may_be_five_six_or_seven)
{
	assert_same("30 9 * * *", "0 30 9 * * *");
	assert_same("15 30 9 * * *", "15 30 9 * * * *");
	assert_same("\t 30  9 * *\t*  ", "30 9 * * *");
}
END_TEST

START_TEST(a_zone_before_the_expression_is_left_to_the_caller)
{
	const char *text = " CRON_TZ=Europe/Berlin  30 9 * * *";

	ck_assert(slice_eq(cron_zone(text), SLICE("Europe/Berlin")));
	assert_same(text, "30 9 * * *");
	assert_same("CRON_TZ=Asia/Tokyo @daily", "@daily");
	ck_assert_ptr_null(cron_zone("30 9 * * *").p);
	ck_assert_ptr_null(cron_zone("").p);
}
END_TEST

START_TEST(both_day_fields_match_on_request)
{
	const struct cron_options both = {.match_both = true};
	struct cron with_option, with_plus = parsed("0 0 1 * +MON");
	int64_t us = YEAR_2026_US;

	ck_assert_int_eq(
	    cron_parse("0 0 1 * MON", &both, &with_option, NULL, NULL), 0);
	us = next_of(&with_option, us);
	ck_assert_int_eq(us, next_of(&with_plus, YEAR_2026_US));
	ck_assert_int_eq(us, INT64_C(1780272000) * 1000000); /* 1 June */
	assert_same("0 0 * * +MON", "0 0 * * MON");
	assert_same("0 0 ? * MON", "0 0 * * MON");
}
END_TEST

START_TEST(periods_fire_at_their_anchor_and_every_period_after_it)
{
	const struct cron_options options = {.anchor_us = 7000000};
	struct cron cron;

	ck_assert_int_eq(
	    cron_parse("@every 1m30s", &options, &cron, NULL, NULL), 0);
	ck_assert_int_eq(next_of(&cron, 0), 7000000);
	ck_assert_int_eq(next_of(&cron, INT64_MIN), 7000000);
	ck_assert_int_eq(next_of(&cron, 7000000), 97000000);
	ck_assert_int_eq(next_of(&cron, 7000001), 97000000);
	ck_assert_int_eq(next_of(&cron, 96999999), 97000000);
	ck_assert_int_eq(next_of(&cron, 97000000), 187000000);
}
END_TEST

START_TEST(a_period_is_a_second_to_a_hundred_years)
{
	struct err err = ERR_INIT;
	struct cron cron;

	ck_assert_int_eq(cron_interval(1000000, 0, &cron, &err), 0);
	ck_assert_int_eq(cron_interval(999999, 0, &cron, &err), -1);
	ck_assert_int_eq(cron_interval(INT64_MAX, 0, &cron, &err), -1);
	ck_assert_int_eq(cron_interval(1000000, -1, &cron, &err), -1);
	ck_assert_int_eq(cron_interval(1000000, INT64_MAX, &cron, &err), -1);
	ck_assert_int_eq(err.code, ERR_DATA);
}
END_TEST

/* The seconds of an hour, day … at which `text` fires first. */
static int64_t
drawn(const char *text, const char *id)
{
	const struct cron_options options = {.seed = cron_seed(slice_of(id))};
	struct err err = ERR_INIT;
	struct cron cron;

	ck_assert_msg(cron_parse(text, &options, &cron, NULL, &err) == 0, "%s",
		      err.msg);
	return (next_of(&cron, YEAR_2026_US - 1) - YEAR_2026_US) / 1000000;
}

START_TEST(h_spreads_schedules_and_stays_where_it_is)
{
	bool seen[60] = {false};
	int64_t minute;
	char id[16];
	int i, n = 0;

	for (i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "job-%d", i);
		minute = drawn("H * * * *", id) / 60;
		ck_assert_int_eq(minute, drawn("H * * * *", id) / 60);
		n += !seen[minute];
		seen[minute] = true;
		minute = drawn("H(10-19) * * * *", id) / 60;
		ck_assert_int_ge(minute, 10);
		ck_assert_int_le(minute, 19);
		ck_assert_int_lt(drawn("H/15 * * * *", id), 15 * 60);
		minute = drawn("H(30-59)/40 * * * *", id) / 60;
		ck_assert_int_ge(minute, 30);
	}
	ck_assert_int_eq(n, 60);
	/* Schedules that are stored rely on this. */
	ck_assert_uint_eq(cron_seed(SLICE("report")),
			  UINT64_C(0x7a4de570e301b6e));
}
END_TEST

START_TEST(h_of_two_fields_is_drawn_twice)
{
	int same = 0, i;
	char id[16];
	int64_t s;

	for (i = 0; i < 600; i++) {
		snprintf(id, sizeof(id), "job-%d", i);
		s = drawn("H H * * * *", id);
		same += s / 60 == s % 60;
	}
	ck_assert_int_lt(same, 40);
}
END_TEST

START_TEST(h_as_a_day_fires_in_every_month)
{
	struct cron_options options;
	struct cron cron;
	int64_t us;
	int i, n;

	for (i = 0; i < 50; i++) {
		options = (struct cron_options){.seed = (uint64_t)i};
		ck_assert_int_eq(
		    cron_parse("0 0 H * *", &options, &cron, NULL, NULL), 0);
		us = YEAR_2026_US - 1;
		for (n = 0; n < 12; n++)
			us = next_of(&cron, us);
		ck_assert_int_lt(us, INT64_C(1798761600) * 1000000);
	}
}
END_TEST

static const struct {
	const char *text;
	enum cron_fault_code code;
	const char *field;
	size_t column, len;
	const char *hint;
} bad[] = {
    {"0 22-2 * * *", CRON_REVERSED_RANGE, "hour", 3, 4, "write 22-23,0-2"},
    {"0 0 * * SAT-MON", CRON_REVERSED_RANGE, "day of week", 9, 7,
     "write SAT-SAT,SUN-MON"},
    {"0 0 * NOV-FEB *", CRON_REVERSED_RANGE, "month", 7, 7,
     "write NOV-DEC,JAN-FEB"},
    {"0 0 * * 7-2", CRON_REVERSED_RANGE, "day of week", 9, 3, "write 0-2"},
    {"0 0 * * 6-2/2", CRON_REVERSED_RANGE, "day of week", 9, 3, "smaller"},
    {"H(9-5) * * * *", CRON_REVERSED_RANGE, "minute", 3, 3, "smaller"},
    {"1,,2 * * * *", CRON_EMPTY_ITEM, "minute", 3, 0, "take the comma out"},
    {",1 * * * *", CRON_EMPTY_ITEM, "minute", 1, 0, "comma"},
    {"1, * * * *", CRON_EMPTY_ITEM, "minute", 3, 0, "comma"},
    {"* * * * +", CRON_EMPTY_ITEM, "day of week", 10, 0, "SUN to SAT"},
    {"*/0 * * * *", CRON_BAD_STEP, "minute", 2, 2, "1 to 60"},
    {"*/ * * * *", CRON_BAD_STEP, "minute", 2, 1, "1 to 60"},
    {"*/90 * * * *", CRON_BAD_STEP, "minute", 2, 3, "@every 90m"},
    {"*/99999999999999999999 * * * *", CRON_BAD_STEP, "minute", 2, 21,
     "@every"},
    {"60 * * * *", CRON_OUT_OF_RANGE, "minute", 1, 2, "0 to 59"},
    {"0 24 * * *", CRON_OUT_OF_RANGE, "hour", 3, 2, "0 to 23"},
    {"0 0 0 * *", CRON_OUT_OF_RANGE, "day of month", 5, 1, "1 to 31"},
    {"0 0 * 13 *", CRON_OUT_OF_RANGE, "month", 7, 2, "JAN to DEC"},
    {"0 0 * * 8", CRON_OUT_OF_RANGE, "day of week", 9, 1, "0 to 7"},
    {"0 0 * * 3#6", CRON_OUT_OF_RANGE, "day of week", 10, 2, "#1 to #5"},
    {"0 0 L-31 * *", CRON_OUT_OF_RANGE, "day of month", 5, 4, "L-30"},
    {"0 0 0 1 1 * 1969", CRON_OUT_OF_RANGE, "year", 13, 4, "1970 to 2199"},
    {"99999999999999999999 * * * *", CRON_OUT_OF_RANGE, "minute", 1, 20, ""},
    {"0 0 * * MOM", CRON_UNKNOWN_NAME, "day of week", 9, 3, "mean MON?"},
    {"0 0 * * mondays", CRON_UNKNOWN_NAME, "day of week", 9, 7, "mean MON?"},
    {"0 0 * FEBUARY *", CRON_UNKNOWN_NAME, "month", 7, 7, "mean FEB?"},
    {"0 0 * * FOO", CRON_UNKNOWN_NAME, "day of week", 9, 3, "SUN to SAT"},
    {"noon 0 * * *", CRON_UNKNOWN_NAME, "minute", 1, 4, "0 to 59"},
    {"@dialy", CRON_UNKNOWN_NAME, NULL, 1, 6, "mean \"@daily\"?"},
    {"@reboot", CRON_UNKNOWN_NAME, NULL, 1, 7, "@hourly"},
    {"L * * * *", CRON_NOT_HERE, "minute", 1, 1, "0 to 59"},
    {"0 0 * * L", CRON_NOT_HERE, "day of week", 9, 1, "SUN to SAT"},
    {"0 0 * 5W *", CRON_NOT_HERE, "month", 8, 1, "JAN to DEC"},
    {"? * * * *", CRON_NOT_HERE, "minute", 1, 1, "day field"},
    {"0 0 ?,1 * *", CRON_NOT_HERE, "day of month", 5, 1, "alone"},
    {"-5 * * * *", CRON_BAD_ITEM, "minute", 1, 2, "0 to 59"},
    {"5- * * * *", CRON_BAD_ITEM, "minute", 3, 0, "0 to 59"},
    {"** * * * *", CRON_BAD_ITEM, "minute", 2, 1, "0 to 59"},
    {"0 0 1-5W * *", CRON_BAD_ITEM, "day of month", 8, 1, "nW"},
    {"H(5 * * * *", CRON_BAD_ITEM, "minute", 1, 3, "H(a-b)"},
    {"\x01\xff * * * *", CRON_BAD_ITEM, "minute", 1, 2, "\"??\""},
    {"", CRON_FIELD_COUNT, NULL, 1, 0, "found 0"},
    {"* * * *", CRON_FIELD_COUNT, NULL, 1, 7, "found 4"},
    {"* * * * * * * *", CRON_FIELD_COUNT, NULL, 1, 15, "found 8"},
    {"@daily 5", CRON_FIELD_COUNT, NULL, 8, 1, "must stand alone"},
    {"@every", CRON_BAD_DURATION, NULL, 7, 0, "@every 90s"},
    {"@every 5 m", CRON_BAD_DURATION, NULL, 8, 3, "one duration"},
    {"@every fast", CRON_BAD_DURATION, NULL, 8, 4, "not a duration"},
    {"@every 10ms", CRON_BAD_DURATION, NULL, 8, 4, "1s to"},
    {"CRON_TZ= * * * * *", CRON_BAD_ZONE, NULL, 1, 8, "Europe/Berlin"},
    {"TZ=UTC * * * * *", CRON_BAD_ZONE, NULL, 1, 6, "CRON_TZ="},
    {"0 9 * * * Europe/Paris", CRON_BAD_ZONE, NULL, 11, 12,
     "CRON_TZ=Europe/Paris"},
    {"0 9 * * UTC", CRON_BAD_ZONE, NULL, 9, 3, "CRON_TZ=UTC"},
    {"@minutely", CRON_UNKNOWN_NAME, NULL, 1, 9, "@every 1m"},
};

START_TEST(an_error_names_field_column_token_and_remedy)
{
	struct cron cron = {.hours = 42}, before = cron;
	struct cron_fault fault = {.code = CRON_NONE};
	struct err err = ERR_INIT;
	const char *text = bad[_i].text;

	ck_assert_int_eq(cron_parse(text, NULL, &cron, &fault, &err), -1);
	ck_assert_msg(fault.code == bad[_i].code, "\"%s\" is %d", text,
		      (int)fault.code);
	ck_assert_pstr_eq(fault.field, bad[_i].field);
	ck_assert_uint_eq(fault.column, bad[_i].column);
	ck_assert_uint_eq(fault.len, bad[_i].len);
	ck_assert_int_eq(err.code, ERR_DATA);
	ck_assert_msg(strstr(err.msg, bad[_i].hint) != NULL, "no \"%s\" in: %s",
		      bad[_i].hint, err.msg);
	if (fault.field != NULL)
		ck_assert_ptr_nonnull(strstr(err.msg, fault.field));
	ck_assert_mem_eq(&cron, &before, sizeof(cron));
	/* Neither is needed. */
	ck_assert_int_eq(cron_parse(text, NULL, &cron, NULL, NULL), -1);
}
END_TEST

/* In Quartz, 6 is Friday. */
START_TEST(numbers_of_weekdays_that_quartz_reads_differently_are_doubted)
{
	static const char *const doubtful[] = {"0 0 12 ? * 2-6", "0 12 * * 6L",
					       "0 12 * * 2#1", "0 12 ? * 1,3"};
	static const char *const clear[] = {
	    "0 0 12 ? * MON-FRI", "0 12 * * 2-6", "0 12 * * FRIL",
	    "0 12 * * MON#1",	  "0 12 1 * ?",	  "@weekly"};
	struct cron cron;
	size_t i;

	for (i = 0; i < N(doubtful); i++) {
		cron = parsed(doubtful[i]);
		ck_assert_msg(cron_doubts_weekdays(&cron), "%s", doubtful[i]);
	}
	for (i = 0; i < N(clear); i++) {
		cron = parsed(clear[i]);
		ck_assert_msg(!cron_doubts_weekdays(&cron), "%s", clear[i]);
	}
}
END_TEST

START_TEST(a_text_without_end_is_refused)
{
	char text[CRON_TEXT_MAX + 2];
	struct cron_fault fault;
	struct cron cron;

	memset(text, ' ', sizeof(text));
	memcpy(text, "* * * * *", 9);
	text[CRON_TEXT_MAX] = '\0';
	ck_assert_int_eq(cron_parse(text, NULL, &cron, &fault, NULL), 0);
	text[CRON_TEXT_MAX] = ' ';
	text[CRON_TEXT_MAX + 1] = '\0';
	ck_assert_int_eq(cron_parse(text, NULL, &cron, &fault, NULL), -1);
	ck_assert_int_eq(fault.code, CRON_TOO_LONG);
}
END_TEST

static const char *const impossible[] = {
    "0 0 30 2 *",   "0 0 31 2,4,6,9,11 *",  "0 0 0 29 2 * 2100", "0 0 31W 4 *",
    "0 0 L-30 2 *", "0 0 0 * 2 MON#5 2027", "0 0 31 * +MON#1",
};

START_TEST(what_never_fires_is_refused)
{
	struct cron cron = parsed(impossible[_i]);
	struct cron_fault fault = {.code = CRON_NONE};
	struct err err = ERR_INIT;

	ck_assert_int_eq(cron_check(&cron, tz_utc(), 0, &fault, &err), -1);
	ck_assert_int_eq(fault.code, CRON_NEVER);
	ck_assert_ptr_nonnull(strstr(err.msg, "never fires"));
}
END_TEST

START_TEST(what_is_over_is_refused)
{
	struct cron cron = parsed("0 0 0 1 1 * 2025");
	struct cron_fault fault = {.code = CRON_NONE};
	struct err err = ERR_INIT;

	ck_assert_int_eq(cron_check(&cron, tz_utc(), 0, &fault, &err), 0);
	ck_assert_int_eq(
	    cron_check(&cron, tz_utc(), YEAR_2026_US, &fault, &err), -1);
	ck_assert_int_eq(fault.code, CRON_NEVER);
	ck_assert_ptr_nonnull(
	    strstr(err.msg, "does not fire after 2026-01-01T00:00:00"));
}
END_TEST

START_TEST(a_rule_is_small)
{
	ck_assert_uint_le(sizeof(struct cron), 200);
}
END_TEST

SUITE("cron-parse")
{
	TEST(names_count_in_any_case);
	TEST(a_range_of_weekdays_may_end_with_sunday);
	TEST(steps_run_to_the_end_of_the_field);
	TEST(words_with_an_at_sign_stand_for_fields);
	TEST(fields_may_be_five_six_or_seven);
	TEST(a_zone_before_the_expression_is_left_to_the_caller);
	TEST(both_day_fields_match_on_request);
	TEST(periods_fire_at_their_anchor_and_every_period_after_it);
	TEST(a_period_is_a_second_to_a_hundred_years);
	TEST(h_spreads_schedules_and_stays_where_it_is);
	TEST(h_of_two_fields_is_drawn_twice);
	TEST(h_as_a_day_fires_in_every_month);
	TEST_LOOP(an_error_names_field_column_token_and_remedy, 0, N(bad));
	TEST(numbers_of_weekdays_that_quartz_reads_differently_are_doubted);
	TEST(a_text_without_end_is_refused);
	TEST_LOOP(what_never_fires_is_refused, 0, N(impossible));
	TEST(what_is_over_is_refused);
	TEST(a_rule_is_small);
}
