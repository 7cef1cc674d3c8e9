/* SPDX-License-Identifier: MIT */
/* What people see of schedules, in each database: lists, fires and times. */
#include "manager/schedules.h"

#include <stdio.h>
#include <string.h>

#include "beat/rule.h"
#include "manager/planner.h"
#include "schedules/world.h"
#include "suite.h"
#include "util/clock.h"

static int64_t
at(const char *text)
{
	int64_t us;

	ck_assert_int_eq(clock_parse(text, &us, NULL), 0);
	return us;
}

/* --- lists --------------------------------------------------------------- */

static json_t *
list(struct schedule_query query, const char *cursor)
{
	json_t *json;

	query.cursor = cursor;
	json = schedule_list(planner.w.schedules, &query, &planner.w.err);
	ck_assert_msg(json != NULL, "%s", planner.w.err.msg);
	return json;
}

/* All ids, page by page. */
static const char *
all_ids(struct schedule_query query)
{
	static char ids[512];
	json_t *page = list(query, NULL), *next;

	ids[0] = '\0';
	for (;;) {
		if (ids[0] != '\0')
			strcat(ids, " | ");
		strcat(ids, planner_column(page, "id"));
		next = json_incref(json_object_get(page, "next"));
		json_decref(page);
		if (!json_is_string(next))
			break;
		page = list(query, json_string_value(next));
		json_decref(next);
	}
	return ids;
}

static void
make_some(void)
{
	planner_make("mail", "cron", "0 9 * * MON-FRI", "Europe/Berlin");
	planner_make("hourly", "interval", "1h", NULL);
	planner_make("once", "once", "in 10m", NULL);
	planner_make("sum", "interval", "30m", NULL);
	planner_make("zero", "interval", "2h", NULL);
	json_decref(schedule_disable(planner.w.schedules, "sum",
				     PLANNER_NOON_US, &planner.w.err));
}

START_TEST(a_list_goes_on_from_page_to_page_in_either_order)
{
	const struct schedule_query any = {.enabled = -1, .limit = 2};
	struct schedule_query query = any;

	world_open(&planner.w, _i);
	make_some();
	ck_assert_str_eq(all_ids(query), "hourly mail | once sum | zero");
	query.by_next = true;
	ck_assert_str_eq(all_ids(query), "once hourly | zero mail | sum");
	query.enabled = 1;
	ck_assert_str_eq(all_ids(query), "once hourly | zero mail");
	query.enabled = 0;
	ck_assert_str_eq(all_ids(query), "sum");
	query = any;
	query.task = "other";
	ck_assert_str_eq(all_ids(query), "");
	/* In the id, the rule, and the words. */
	query = any;
	query.text = "MA";
	ck_assert_str_eq(all_ids(query), "mail");
	query.text = "every hour";
	ck_assert_str_eq(all_ids(query), "hourly");
	query.text = "mon-fri";
	ck_assert_str_eq(all_ids(query), "mail");
	world_close(&planner.w);
}
END_TEST

START_TEST(a_cursor_is_of_its_own_question)
{
	struct schedule_query query = {.enabled = -1, .limit = 1};
	static const char *const bad[] = {
	    "x", "i.0.0.a", "i.", "i.zz.0.a", "d.0.0.a", "1795435200000000"};
	json_t *page;
	size_t i;

	world_open(&planner.w, _i);
	make_some();
	page = list(query, NULL);
	ck_assert_str_eq(planner_member(page, "complete"), "true");
	ck_assert_str_eq(planner_member(page, "looked_at"), "1");
	query.cursor = json_string_value(json_object_get(page, "next"));
	query.enabled = 1;
	ck_assert_ptr_null(
	    schedule_list(planner.w.schedules, &query, &planner.w.err));
	ck_assert_int_eq(planner.w.err.code, ERR_DATA);
	query.enabled = -1;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		query.cursor = bad[i];
		ck_assert_ptr_null(
		    schedule_list(planner.w.schedules, &query, &planner.w.err));
		ck_assert_int_eq(planner.w.err.code, ERR_DATA);
	}
	json_decref(page);
	world_close(&planner.w);
}
END_TEST

START_TEST(figures_show_what_ran_and_what_did_not)
{
	const struct schedule_query query = {
	    .enabled = -1, .figures = true, .text = "a"};
	json_t *page;

	world_open(&planner.w, _i);
	planner_make("a", "interval", "60s", NULL);
	planner_claim(PLANNER_NOON_US + 60 * S);
	planner_claim(PLANNER_NOON_US + 300 * S);
	planner_claim(PLANNER_NOON_US + 360 * S);
	page = list(query, NULL);
	ck_assert_str_eq(planner_column(page, "missed"), "3");
	/* Sent, three missed as one, the latest of them, and one more. */
	ck_assert_str_eq(planner_column(page, "spark"), "[1,0,1,1]");
	json_decref(page);
	world_close(&planner.w);
}
END_TEST

START_TEST(what_has_fired_is_shown_page_by_page)
{
	json_t *page, *first;

	world_open(&planner.w, _i);
	planner_make("a", "interval", "60s", NULL);
	planner_claim(PLANNER_NOON_US + 60 * S);
	planner_claim(PLANNER_NOON_US + 300 * S);
	first = page = planner_fires("a", NULL, 2);
	ck_assert_str_eq(planner_column(page, "outcome"), "sent missed");
	ck_assert_str_eq(planner_column(page, "n"), "1 3");
	ck_assert_str_eq(planner_column(page, "fire_at"),
			 "2026-11-23T12:05:00+00:00 2026-11-23T12:02:00+00:00");
	ck_assert_str_eq(planner_column(page, "last_at"),
			 "2026-11-23T12:05:00+00:00 2026-11-23T12:04:00+00:00");
	ck_assert_str_eq(planner_column(page, "task_id"),
			 "a:20261123T120500Z null");
	ck_assert_str_eq(planner_column(page, "sent_at"),
			 "2026-11-23T12:05:00+00:00 null");
	/* A cursor goes with its own schedule only. */
	ck_assert_ptr_null(planner_fires(
	    "b", json_string_value(json_object_get(first, "next")), 2));
	ck_assert_int_eq(planner.w.err.code, ERR_DATA);
	page = planner_fires(
	    "a", json_string_value(json_object_get(first, "next")), 2);
	json_decref(first);
	ck_assert_str_eq(planner_column(page, "fire_at"),
			 "2026-11-23T12:01:00+00:00");
	ck_assert_str_eq(planner_member(page, "next"), "null");
	json_decref(page);
	ck_assert_ptr_null(planner_fires("a", "yesterday", 2));
	ck_assert_int_eq(planner.w.err.code, ERR_DATA);
	ck_assert_ptr_null(planner_fires("b", NULL, 2));
	ck_assert_int_eq(planner.w.err.code, ERR_NOT_FOUND);
	world_close(&planner.w);
}
END_TEST

/* --- times ---------------------------------------------------------------- */

static json_t *
preview(const char *rule, const char *tz, const char *after, size_t n)
{
	struct schedule_form form;
	json_t *json;

	schedule_form_init(&form);
	form.type = "cron";
	form.rule = rule;
	form.tz = tz;
	json = schedule_preview(&form, at(after), n, &planner.fault,
				&planner.w.err);
	ck_assert_msg(json != NULL, "%s", planner.w.err.msg);
	return json;
}

START_TEST(gaps_and_folds_of_the_clock_are_named)
{
	json_t *json =
	    preview("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3);

	ck_assert_str_eq(planner_column(json, "local"),
			 "2026-03-28T02:30:00+01:00 2026-03-29T03:00:00+02:00 "
			 "2026-03-30T02:30:00+02:00");
	ck_assert_str_eq(planner_column(json, "note"), "null gap null");
	ck_assert_str_eq(planner_member(json, "tz"), "Europe/Berlin");
	ck_assert_str_eq(planner_member(json, "words"),
			 "every day at 02:30, Europe/Berlin time");
	json_decref(json);
	json =
	    preview("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
	ck_assert_str_eq(planner_column(json, "note"), "fold null");
	json_decref(json);
	/* Each time that the clock shows it. */
	json =
	    preview("30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", 4);
	ck_assert_str_eq(planner_column(json, "at"),
			 "2026-10-25T00:30:00+00:00 2026-10-25T01:30:00+00:00 "
			 "2026-10-25T02:30:00+00:00 2026-10-25T03:30:00+00:00");
	ck_assert_str_eq(planner_column(json, "note"), "fold fold null null");
	json_decref(json);
	json = preview("30 2 * * *", "America/St_Johns", "2026-06-01T00:00:00Z",
		       1);
	ck_assert_str_eq(planner_column(json, "local"),
			 "2026-06-01T02:30:00-02:30");
	json_decref(json);
	json = preview("@every 90s", NULL, "2026-06-01T00:00:00Z", 1);
	ck_assert_str_eq(planner_column(json, "note"), "null");
	ck_assert_str_eq(planner_member(json, "tz"), "UTC");
	json_decref(json);
}
END_TEST

START_TEST(a_preview_says_what_is_wrong_and_where)
{
	struct schedule_form form;

	schedule_form_init(&form);
	form.type = "cron";
	form.rule = "0 25 * * *";
	ck_assert_ptr_null(schedule_preview(&form, PLANNER_NOON_US, 5,
					    &planner.fault, &planner.w.err));
	ck_assert_int_eq(planner.w.err.code, ERR_DATA);
	ck_assert_str_eq(planner.fault.field, "rule");
	ck_assert_int_eq(planner.fault.cron.code, CRON_OUT_OF_RANGE);
	ck_assert_str_eq(planner.fault.cron.field, "hour");
	ck_assert_uint_eq(planner.fault.cron.column, 3);
	ck_assert_uint_eq(planner.fault.cron.len, 2);
	ck_assert_str_eq(planner.fault.cron.hint, "write 0 to 23");
	form.rule = "0 9 * * *";
	form.tz = "Europe/Berln";
	ck_assert_ptr_null(schedule_preview(&form, PLANNER_NOON_US, 5,
					    &planner.fault, &planner.w.err));
	ck_assert_str_eq(planner.fault.field, "tz");
}
END_TEST

START_TEST(the_next_fires_of_a_schedule_are_its_own)
{
	json_t *json;

	world_open(&planner.w, _i);
	planner_make("a", "cron", "H H * * *", NULL);
	json = schedule_next_fires(planner.w.schedules, "a", PLANNER_NOON_US, 3,
				   &planner.w.err);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "items")), 3);
	json_decref(json);
	planner_make("b", "once", "in 10m", NULL);
	json = schedule_next_fires(planner.w.schedules, "b", PLANNER_NOON_US, 3,
				   &planner.w.err);
	ck_assert_str_eq(planner_column(json, "at"),
			 "2026-11-23T12:10:00+00:00");
	json_decref(json);
	ck_assert_ptr_null(schedule_next_fires(
	    planner.w.schedules, "c", PLANNER_NOON_US, 3, &planner.w.err));
	ck_assert_int_eq(planner.w.err.code, ERR_NOT_FOUND);
	world_close(&planner.w);
}
END_TEST

/* The sum over the hours. */
static int64_t
calendar_sum(const json_t *calendar)
{
	int64_t sum = 0;
	const json_t *hour;
	size_t i;

	json_array_foreach (json_object_get(calendar, "hours"), i, hour)
		sum += json_integer_value(json_object_get(hour, "count"));
	return sum;
}

START_TEST(a_calendar_counts_the_fires_of_all_schedules_by_the_hour)
{
	json_t *json;
	const json_t *hour;

	world_open(&planner.w, _i);
	planner_make("mail", "cron", "0 9 * * MON-FRI", "Europe/Berlin");
	planner_make("second", "cron", "* * * * * *", NULL);
	planner_make("sum", "interval", "30m", NULL);
	planner_make("once", "once", "in 90m", NULL);
	planner_make("off", "interval", "1s", NULL);
	json_decref(schedule_disable(planner.w.schedules, "off",
				     PLANNER_NOON_US, &planner.w.err));
	json = schedule_calendar(planner.w.schedules, PLANNER_NOON_US + 5 * S,
				 7, 0, &planner.w.err);
	ck_assert_msg(json != NULL, "%s", planner.w.err.msg);
	ck_assert_str_eq(planner_member(json, "complete"), "true");
	ck_assert_str_eq(planner_member(json, "looked_at"), "4");
	ck_assert_str_eq(planner_member(json, "from"),
			 "2026-11-23T12:00:00+00:00");
	/* Five mornings, each second of a week, each half hour, and once. That
	 * of noon is the moment of its making, and counts in the hour. */
	ck_assert_int_eq(calendar_sum(json), 5 + 604800 + 336 + 1);
	hour = json_array_get(json_object_get(json, "hours"), 1);
	ck_assert_str_eq(planner_member(hour, "at"),
			 "2026-11-23T13:00:00+00:00");
	ck_assert_str_eq(planner_member(hour, "count"), "3603");
	ck_assert_str_eq(planner_member(hour, "schedules"),
			 "[{\"id\":\"second\",\"count\":3600},"
			 "{\"id\":\"sum\",\"count\":2},"
			 "{\"id\":\"once\",\"count\":1}]");
	json_decref(json);
	/* With no time it says so. */
	json = schedule_calendar(planner.w.schedules, PLANNER_NOON_US, 7, 1,
				 &planner.w.err);
	ck_assert_str_eq(planner_member(json, "complete"), "false");
	json_decref(json);
	world_close(&planner.w);
}
END_TEST

START_TEST(a_calendar_names_the_ten_that_fire_most_in_an_hour)
{
	char id[16], rule[16];
	const json_t *hour;
	json_t *json;
	int i;

	world_open(&planner.w, _i);
	for (i = 1; i <= 13; i++) {
		snprintf(id, sizeof(id), "s%02d", i);
		snprintf(rule, sizeof(rule), "%ds", 60 + i);
		planner_make(id, "interval", rule, NULL);
	}
	json = schedule_calendar(planner.w.schedules,
				 PLANNER_NOON_US + PLANNER_HOUR_US, 1, 0,
				 &planner.w.err);
	hour = json_array_get(json_object_get(json, "hours"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(hour, "schedules")),
			  10);
	ck_assert_str_eq(planner_member(hour, "others"), "3");
	ck_assert_str_eq(
	    planner_member(
		json_array_get(json_object_get(hour, "schedules"), 0), "id"),
	    "s01");
	ck_assert_str_eq(
	    planner_member(
		json_array_get(json_object_get(hour, "schedules"), 9), "id"),
	    "s10");
	json_decref(json);
	world_close(&planner.w);
}
END_TEST

/* At the very beginning of each hour, which is the end of the one before. */
START_TEST(a_calendar_has_each_hour_of_what_fires_hourly)
{
	json_t *json;

	world_open(&planner.w, _i);
	planner_make("hourly", "cron", "0 * * * *", NULL);
	json = schedule_calendar(planner.w.schedules,
				 PLANNER_NOON_US + PLANNER_HOUR_US, 2, 0,
				 &planner.w.err);
	ck_assert_int_eq(calendar_sum(json), 48);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "hours")), 48);
	json_decref(json);
	world_close(&planner.w);
}
END_TEST

START_TEST(a_calendar_ends_where_a_schedule_does)
{
	const struct schedule s = {.id = "seven",
				   .task = "t",
				   .type = SCHEDULE_INTERVAL,
				   .rule = "10m",
				   .tz = "",
				   .args = "[]",
				   .kwargs = "{}",
				   .queue = "",
				   .description = "",
				   .enabled = true,
				   .max_runs = 7,
				   .settings = TASK_SETTINGS_UNSET,
				   .created_us = PLANNER_NOON_US,
				   .updated_us = PLANNER_NOON_US,
				   .next_run_us = PLANNER_NOON_US,
				   .due_us = PLANNER_NOON_US};
	const json_t *hours;
	json_t *json;
	bool existing;

	world_open(&planner.w, _i);
	world_store(&planner.w, &s, &existing);
	json = schedule_calendar(planner.w.schedules, PLANNER_NOON_US, 1, 0,
				 &planner.w.err);
	ck_assert_msg(json != NULL, "%s", planner.w.err.msg);
	hours = json_object_get(json, "hours");
	ck_assert_uint_eq(json_array_size(hours), 2);
	ck_assert_str_eq(planner_member(json_array_get(hours, 0), "count"),
			 "6");
	ck_assert_str_eq(planner_member(json_array_get(hours, 1), "count"),
			 "1");
	json_decref(json);
	world_close(&planner.w);
}
END_TEST

SUITE("manager-schedules")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(a_list_goes_on_from_page_to_page_in_either_order, 0,
		  N_WORLDS);
	TEST_LOOP(a_cursor_is_of_its_own_question, 0, N_WORLDS);
	TEST_LOOP(figures_show_what_ran_and_what_did_not, 0, N_WORLDS);
	TEST_LOOP(what_has_fired_is_shown_page_by_page, 0, N_WORLDS);
	TEST(gaps_and_folds_of_the_clock_are_named);
	TEST(a_preview_says_what_is_wrong_and_where);
	TEST_LOOP(the_next_fires_of_a_schedule_are_its_own, 0, N_WORLDS);
	TEST_LOOP(a_calendar_counts_the_fires_of_all_schedules_by_the_hour, 0,
		  N_WORLDS);
	TEST_LOOP(a_calendar_has_each_hour_of_what_fires_hourly, 0, N_WORLDS);
	TEST_LOOP(a_calendar_ends_where_a_schedule_does, 0, N_WORLDS);
	TEST_LOOP(a_calendar_names_the_ten_that_fire_most_in_an_hour, 0,
		  N_WORLDS);
}
