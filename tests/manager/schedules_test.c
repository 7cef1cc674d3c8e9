/* SPDX-License-Identifier: MIT */
/* What people do with schedules, in each database: lists, edits, and times. */
#include "manager/schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat/plan.h"
#include "beat/rule.h"
#include "cron/tz.h"
#include "manager/schedule_json.h"
#include "schedules/world.h"
#include "suite.h"
#include "util/clock.h"

/* 2026-11-23T12:00:00Z, a Monday. */
#define NOON_US INT64_C(1795435200000000)
#define S INT64_C(1000000)
#define HOUR_US (3600 * S)

static struct world w;
static struct schedule_fault fault;

static int64_t
at(const char *text)
{
	int64_t us;

	ck_assert_int_eq(clock_parse(text, &us, NULL), 0);
	return us;
}

static void
make(const char *id, const char *type, const char *rule, const char *tz)
{
	struct schedule_form form;
	char args[64], made[SCHEDULE_ID_MAX + 1];
	int64_t next_us;
	bool existing;

	schedule_form_init(&form);
	snprintf(args, sizeof(args), "[\"%s\"]", id);
	form.id = id;
	form.task = "add";
	form.type = type;
	form.rule = rule;
	form.tz = tz;
	form.args = args;
	form.force = true;
	OK(&w, schedule_create(w.schedules, NULL, &form, NOON_US, made,
			       &existing, &next_us, &fault, &w.err));
	ck_assert_str_eq(made, id);
	ck_assert(!existing);
}

/* A member of a JSON value as text; good until the next call but three. */
static const char *
member(const json_t *json, const char *name)
{
	static char texts[4][512];
	static int turn;
	const json_t *value = json_object_get(json, name);
	char *text = texts[turn++ % 4], *dumped;

	if (json_is_string(value))
		return json_string_value(value);
	dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	snprintf(text, sizeof(texts[0]), "%s", dumped != NULL ? dumped : "");
	free(dumped);
	return text;
}

/* "a b c": that member of the items. */
static const char *
column(const json_t *answer, const char *name)
{
	static char text[4096];
	const json_t *item;
	size_t i, len = 0;

	text[0] = '\0';
	json_array_foreach (json_object_get(answer, "items"), i, item)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
					i > 0 ? " " : "", member(item, name));
	return text;
}

/* --- edits --------------------------------------------------------------- */

struct edited {
	const char *rule, *description, *type;
	int64_t max_runs;
	/* Called when the form is filled for the first time: somebody is in
	 * between. */
	void (*meanwhile)(void);
	int calls;
};

static int
apply(struct schedule_form *form, void *arg, struct schedule_fault *f,
      struct err *err)
{
	struct edited *e = arg;

	if (e->calls++ == 0 && e->meanwhile != NULL)
		e->meanwhile();
	if (e->rule != NULL)
		form->rule = e->rule;
	if (e->type != NULL)
		form->type = e->type;
	if (e->description != NULL)
		form->description = e->description;
	return 0;
}

static json_t *
edit(struct edited *e, const char *id, int64_t now_us, int64_t version,
     bool *ret_stale)
{
	const struct schedule_edit edit = {.id = id,
					   .apply = apply,
					   .arg = e,
					   .now_us = now_us,
					   .updated_us = version};

	return schedule_edit(w.schedules, &edit, ret_stale, &fault, &w.err);
}

static json_t *
edit_rule(const char *id, const char *rule, int64_t now_us)
{
	struct edited e = {.rule = rule};
	bool stale;
	json_t *json = edit(&e, id, now_us, 0, &stale);

	ck_assert_msg(json != NULL, "%s", w.err.msg);
	return json;
}

/* As the scheduler decides, by the plan; fires are counted. */
static int n_fired;
static int64_t fired_us[64];

static void
decide(const struct schedule *s, struct schedule_verdict *v, void *arg)
{
	struct tz_set *zones = tz_set_new(NULL, NULL);
	static struct plan plan;
	struct schedule_fire fire = {.queue = "io", .task = "{}"};
	struct rule rule;
	size_t i;

	OK(&w, rule_read(s, zones, &rule, NULL, &w.err));
	plan_make(s, &rule, *(const int64_t *)arg, false, &plan);
	for (i = 0; i < plan.n_fires; i++) {
		fire.fire_us = plan.fires[i];
		ck_assert_int_eq(schedule_fire_add(v, &fire), 0);
		fired_us[n_fired++ % 64] = fire.fire_us;
	}
	for (i = 0; i < plan.n_skips; i++)
		ck_assert_int_eq(schedule_skip_add(v, &plan.skips[i]), 0);
	memcpy(v->skipped, plan.skipped, sizeof(v->skipped));
	v->last_run_us = plan.last_run_us;
	v->runs = plan.runs;
	v->next = (struct schedule_next){plan.next_run_us, plan.due_us, ""};
	tz_set_free(zones);
}

static void
claim(int64_t now_us)
{
	const struct schedules_claim claim = {
	    .now_us = now_us, .limit = 9, .decide = decide, .arg = &now_us};
	struct schedules_claimed claimed;
	struct schedule_mark mark;
	size_t i;

	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	for (i = 0; i < claimed.fires->n; i++) {
		mark = (struct schedule_mark){claimed.fires->items[i].schedule,
					      claimed.fires->items[i].fire_us,
					      NULL};
		OK(&w, schedules_mark(w.schedules, &mark, 1, now_us, &w.err));
	}
	schedules_fires_free(claimed.fires);
}

START_TEST(an_edit_of_what_does_not_move_fires_leaves_the_next_one)
{
	struct edited e = {.description = "an hourly sum"};
	bool stale;
	json_t *json;

	world_open(&w, _i);
	make("a", "interval", "1h", NULL);
	/* Due for two seconds. */
	json = edit(&e, "a", NOON_US + HOUR_US + 2 * S, 0, &stale);
	ck_assert_msg(json != NULL, "%s", w.err.msg);
	ck_assert_str_eq(member(json, "description"), "an hourly sum");
	ck_assert_str_eq(member(json, "next_run"), "2026-11-23T13:00:00Z");
	json_decref(json);
	n_fired = 0;
	claim(NOON_US + HOUR_US + 3 * S);
	ck_assert_int_eq(n_fired, 1);
	ck_assert_int_eq(fired_us[0], NOON_US + HOUR_US);
	world_close(&w);
}
END_TEST

START_TEST(a_rule_that_is_changed_in_time_fires_by_the_new_rule_only)
{
	json_t *json;

	world_open(&w, _i);
	make("a", "interval", "1h", NULL);
	json = edit_rule("a", "90s", NOON_US + 10 * S);
	ck_assert_str_eq(member(json, "rule"), "90s");
	ck_assert_str_eq(member(json, "words"), "every 90 seconds");
	ck_assert_str_eq(member(json, "next_run"), "2026-11-23T12:01:30Z");
	json_decref(json);
	n_fired = 0;
	claim(NOON_US + 90 * S);
	claim(NOON_US + 180 * S);
	ck_assert_int_eq(n_fired, 2);
	ck_assert_int_eq(fired_us[1], NOON_US + 180 * S);
	world_close(&w);
}
END_TEST

START_TEST(a_fire_that_is_due_is_not_lost_when_the_rule_changes)
{
	json_t *json;

	world_open(&w, _i);
	make("a", "interval", "1h", NULL);
	json = edit_rule("a", "20m", NOON_US + HOUR_US + S);
	json_decref(json);
	n_fired = 0;
	claim(NOON_US + HOUR_US + 2 * S);
	claim(NOON_US + HOUR_US + 1200 * S);
	ck_assert_int_eq(n_fired, 2);
	ck_assert_int_eq(fired_us[0], NOON_US + HOUR_US);
	ck_assert_int_eq(fired_us[1], NOON_US + HOUR_US + 1200 * S);
	world_close(&w);
}
END_TEST

START_TEST(of_fires_that_were_missed_before_the_change_one_is_made_up_for)
{
	json_t *json;

	world_open(&w, _i);
	make("a", "interval", "1h", NULL);
	/* Nobody was there for three hours; then it is each second. */
	json = edit_rule("a", "1s", NOON_US + 3 * HOUR_US + 60 * S);
	json_decref(json);
	json = schedule_fires(w.schedules, NULL, "a", NULL, 0, &w.err);
	ck_assert_str_eq(column(json, "outcome"), "missed");
	ck_assert_str_eq(column(json, "n"), "2");
	ck_assert_str_eq(column(json, "reason"),
			 "missed before its rule was changed");
	json_decref(json);
	n_fired = 0;
	claim(NOON_US + 3 * HOUR_US + 60 * S);
	ck_assert_int_eq(n_fired, 1);
	ck_assert_int_eq(fired_us[0], NOON_US + 3 * HOUR_US);
	/* The new rule begins with its change, not hours before. */
	claim(NOON_US + 3 * HOUR_US + 61 * S);
	ck_assert_int_eq(n_fired, 2);
	ck_assert_int_eq(fired_us[1], NOON_US + 3 * HOUR_US + 61 * S);
	world_close(&w);
}
END_TEST

static void
claim_in_between(void)
{
	claim(NOON_US + HOUR_US + S);
}

START_TEST(an_edit_goes_on_when_a_scheduler_was_in_between)
{
	struct edited e = {.rule = "20m", .meanwhile = claim_in_between};
	bool stale;
	json_t *json;

	world_open(&w, _i);
	make("a", "interval", "1h", NULL);
	n_fired = 0;
	json = edit(&e, "a", NOON_US + HOUR_US + S, NOON_US, &stale);
	ck_assert_msg(json != NULL, "%s", w.err.msg);
	ck_assert_int_eq(e.calls, 2);
	ck_assert(!stale);
	ck_assert_str_eq(member(json, "next_run"), "2026-11-23T13:20:00Z");
	ck_assert_str_eq(member(json, "runs"), "1");
	json_decref(json);
	claim(NOON_US + HOUR_US + 2 * S);
	ck_assert_int_eq(n_fired, 1);
	world_close(&w);
}
END_TEST

static void
edit_in_between(void)
{
	struct edited e = {.description = "somebody was here"};
	bool stale;

	json_decref(edit(&e, "a", NOON_US + 5 * S, 0, &stale));
}

START_TEST(an_edit_of_a_version_that_is_gone_is_refused)
{
	struct edited e = {.rule = "20m", .meanwhile = edit_in_between};
	bool stale;
	json_t *json;

	world_open(&w, _i);
	make("a", "interval", "1h", NULL);
	ck_assert_ptr_null(edit(&e, "a", NOON_US + 6 * S, NOON_US, &stale));
	ck_assert(stale);
	ck_assert_int_eq(w.err.code, ERR_REFUSED);
	/* Who names no version changes its own field, and no other. */
	e.calls = 0;
	json = edit(&e, "a", NOON_US + 7 * S, 0, &stale);
	ck_assert_msg(json != NULL, "%s", w.err.msg);
	ck_assert_str_eq(member(json, "rule"), "1200s");
	ck_assert_str_eq(member(json, "description"), "somebody was here");
	json_decref(json);
	world_close(&w);
}
END_TEST

static void
check_ended(const char *id, const char *words)
{
	ck_assert_ptr_null(
	    schedule_enable(w.schedules, id, NOON_US + 9 * HOUR_US, &w.err));
	ck_assert_int_eq(w.err.code, ERR_REFUSED);
	ck_assert_msg(strstr(w.err.msg, words) != NULL, "%s", w.err.msg);
}

START_TEST(a_schedule_is_enabled_from_now_on_and_left_alone_if_it_is)
{
	json_t *json;

	world_open(&w, _i);
	make("a", "interval", "1h", NULL);
	make("once", "once", "in 1h", NULL);
	/* It is due, and stays so. */
	json = schedule_enable(w.schedules, "a", NOON_US + HOUR_US + S, &w.err);
	ck_assert_str_eq(member(json, "next_run"), "2026-11-23T13:00:00Z");
	json_decref(json);
	json = schedule_disable(w.schedules, "a", NOON_US + HOUR_US + 2 * S,
				&w.err);
	ck_assert_str_eq(member(json, "state"), "disabled");
	json_decref(json);
	json = schedule_enable(w.schedules, "a", NOON_US + 9 * HOUR_US, &w.err);
	ck_assert_str_eq(member(json, "next_run"), "2026-11-23T22:00:00Z");
	ck_assert_str_eq(member(json, "state"), "enabled");
	json_decref(json);
	claim(NOON_US + HOUR_US);
	check_ended("once", "its time has passed");
	ck_assert_ptr_null(
	    schedule_enable(w.schedules, "none", NOON_US, &w.err));
	ck_assert_int_eq(w.err.code, ERR_NOT_FOUND);
	world_close(&w);
}
END_TEST

/* --- lists --------------------------------------------------------------- */

static json_t *
list(struct schedule_query query, const char *cursor)
{
	json_t *json;

	query.cursor = cursor;
	json = schedule_list(w.schedules, &query, &w.err);
	ck_assert_msg(json != NULL, "%s", w.err.msg);
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
		strcat(ids, column(page, "id"));
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
	make("mail", "cron", "0 9 * * MON-FRI", "Europe/Berlin");
	make("hourly", "interval", "1h", NULL);
	make("once", "once", "in 10m", NULL);
	make("sum", "interval", "30m", NULL);
	make("zero", "interval", "2h", NULL);
	json_decref(schedule_disable(w.schedules, "sum", NOON_US, &w.err));
}

START_TEST(a_list_goes_on_from_page_to_page_in_either_order)
{
	const struct schedule_query any = {.enabled = -1, .limit = 2};
	struct schedule_query query = any;

	world_open(&w, _i);
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
	world_close(&w);
}
END_TEST

START_TEST(a_cursor_is_of_its_own_question)
{
	struct schedule_query query = {.enabled = -1, .limit = 1};
	static const char *const bad[] = {
	    "x", "i.0.0.a", "i.", "i.zz.0.a", "d.0.0.a", "1795435200000000"};
	json_t *page;
	size_t i;

	world_open(&w, _i);
	make_some();
	page = list(query, NULL);
	ck_assert_str_eq(member(page, "complete"), "true");
	ck_assert_str_eq(member(page, "looked_at"), "1");
	query.cursor = json_string_value(json_object_get(page, "next"));
	query.enabled = 1;
	ck_assert_ptr_null(schedule_list(w.schedules, &query, &w.err));
	ck_assert_int_eq(w.err.code, ERR_DATA);
	query.enabled = -1;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		query.cursor = bad[i];
		ck_assert_ptr_null(schedule_list(w.schedules, &query, &w.err));
		ck_assert_int_eq(w.err.code, ERR_DATA);
	}
	json_decref(page);
	world_close(&w);
}
END_TEST

START_TEST(figures_show_what_ran_and_what_did_not)
{
	const struct schedule_query query = {
	    .enabled = -1, .figures = true, .text = "a"};
	json_t *page;

	world_open(&w, _i);
	make("a", "interval", "60s", NULL);
	claim(NOON_US + 60 * S);
	claim(NOON_US + 300 * S);
	claim(NOON_US + 360 * S);
	page = list(query, NULL);
	ck_assert_str_eq(column(page, "missed"), "3");
	/* Sent, three missed as one, the latest of them, and one more. */
	ck_assert_str_eq(column(page, "spark"), "[1,0,1,1]");
	json_decref(page);
	world_close(&w);
}
END_TEST

START_TEST(what_has_fired_is_shown_page_by_page)
{
	json_t *page, *first;

	world_open(&w, _i);
	make("a", "interval", "60s", NULL);
	claim(NOON_US + 60 * S);
	claim(NOON_US + 300 * S);
	first = page = schedule_fires(w.schedules, NULL, "a", NULL, 2, &w.err);
	ck_assert_str_eq(column(page, "outcome"), "sent missed");
	ck_assert_str_eq(column(page, "n"), "1 3");
	ck_assert_str_eq(column(page, "fire_at"),
			 "2026-11-23T12:05:00Z 2026-11-23T12:02:00Z");
	ck_assert_str_eq(column(page, "last_at"),
			 "2026-11-23T12:05:00Z 2026-11-23T12:04:00Z");
	ck_assert_str_eq(column(page, "task_id"), "a:20261123T120500Z null");
	ck_assert_str_eq(column(page, "sent_at"), "2026-11-23T12:05:00Z null");
	/* A cursor goes with its own schedule only. */
	ck_assert_ptr_null(schedule_fires(
	    w.schedules, NULL, "b",
	    json_string_value(json_object_get(first, "next")), 2, &w.err));
	ck_assert_int_eq(w.err.code, ERR_DATA);
	page = schedule_fires(w.schedules, NULL, "a",
			      json_string_value(json_object_get(first, "next")),
			      2, &w.err);
	json_decref(first);
	ck_assert_str_eq(column(page, "fire_at"), "2026-11-23T12:01:00Z");
	ck_assert_str_eq(member(page, "next"), "null");
	json_decref(page);
	ck_assert_ptr_null(
	    schedule_fires(w.schedules, NULL, "a", "yesterday", 2, &w.err));
	ck_assert_int_eq(w.err.code, ERR_DATA);
	ck_assert_ptr_null(
	    schedule_fires(w.schedules, NULL, "b", NULL, 2, &w.err));
	ck_assert_int_eq(w.err.code, ERR_NOT_FOUND);
	world_close(&w);
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
	json = schedule_preview(&form, at(after), n, &fault, &w.err);
	ck_assert_msg(json != NULL, "%s", w.err.msg);
	return json;
}

START_TEST(gaps_and_folds_of_the_clock_are_named)
{
	json_t *json =
	    preview("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3);

	ck_assert_str_eq(column(json, "local"),
			 "2026-03-28T02:30:00+01:00 2026-03-29T03:00:00+02:00 "
			 "2026-03-30T02:30:00+02:00");
	ck_assert_str_eq(column(json, "note"), "null gap null");
	ck_assert_str_eq(member(json, "tz"), "Europe/Berlin");
	ck_assert_str_eq(member(json, "words"),
			 "every day at 02:30, Europe/Berlin time");
	json_decref(json);
	json =
	    preview("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
	ck_assert_str_eq(column(json, "note"), "fold null");
	json_decref(json);
	/* Each time that the clock shows it. */
	json =
	    preview("30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", 4);
	ck_assert_str_eq(column(json, "at"),
			 "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z "
			 "2026-10-25T02:30:00Z 2026-10-25T03:30:00Z");
	ck_assert_str_eq(column(json, "note"), "fold fold null null");
	json_decref(json);
	json = preview("30 2 * * *", "America/St_Johns", "2026-06-01T00:00:00Z",
		       1);
	ck_assert_str_eq(column(json, "local"), "2026-06-01T02:30:00-02:30");
	json_decref(json);
	json = preview("@every 90s", NULL, "2026-06-01T00:00:00Z", 1);
	ck_assert_str_eq(column(json, "note"), "null");
	ck_assert_str_eq(member(json, "tz"), "UTC");
	json_decref(json);
}
END_TEST

START_TEST(a_preview_says_what_is_wrong_and_where)
{
	struct schedule_form form;

	schedule_form_init(&form);
	form.type = "cron";
	form.rule = "0 25 * * *";
	ck_assert_ptr_null(schedule_preview(&form, NOON_US, 5, &fault, &w.err));
	ck_assert_int_eq(w.err.code, ERR_DATA);
	ck_assert_str_eq(fault.field, "rule");
	ck_assert_int_eq(fault.cron.code, CRON_OUT_OF_RANGE);
	ck_assert_str_eq(fault.cron.field, "hour");
	ck_assert_uint_eq(fault.cron.column, 3);
	ck_assert_uint_eq(fault.cron.len, 2);
	ck_assert_str_eq(fault.cron.hint, "write 0 to 23");
	form.rule = "0 9 * * *";
	form.tz = "Europe/Berln";
	ck_assert_ptr_null(schedule_preview(&form, NOON_US, 5, &fault, &w.err));
	ck_assert_str_eq(fault.field, "tz");
}
END_TEST

START_TEST(the_next_fires_of_a_schedule_are_its_own)
{
	json_t *json;

	world_open(&w, _i);
	make("a", "cron", "H H * * *", NULL);
	json = schedule_next_fires(w.schedules, "a", NOON_US, 3, &w.err);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "items")), 3);
	json_decref(json);
	make("b", "once", "in 10m", NULL);
	json = schedule_next_fires(w.schedules, "b", NOON_US, 3, &w.err);
	ck_assert_str_eq(column(json, "at"), "2026-11-23T12:10:00Z");
	json_decref(json);
	ck_assert_ptr_null(
	    schedule_next_fires(w.schedules, "c", NOON_US, 3, &w.err));
	ck_assert_int_eq(w.err.code, ERR_NOT_FOUND);
	world_close(&w);
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

	world_open(&w, _i);
	make("mail", "cron", "0 9 * * MON-FRI", "Europe/Berlin");
	make("second", "cron", "* * * * * *", NULL);
	make("sum", "interval", "30m", NULL);
	make("once", "once", "in 90m", NULL);
	make("off", "interval", "1s", NULL);
	json_decref(schedule_disable(w.schedules, "off", NOON_US, &w.err));
	json = schedule_calendar(w.schedules, NOON_US + 5 * S, 7, 0, &w.err);
	ck_assert_msg(json != NULL, "%s", w.err.msg);
	ck_assert_str_eq(member(json, "complete"), "true");
	ck_assert_str_eq(member(json, "looked_at"), "4");
	ck_assert_str_eq(member(json, "from"), "2026-11-23T12:00:00Z");
	/* Five mornings, each second of a week, each half hour, and once. That
	 * of noon is the moment of its making, and counts in the hour. */
	ck_assert_int_eq(calendar_sum(json), 5 + 604800 + 336 + 1);
	hour = json_array_get(json_object_get(json, "hours"), 1);
	ck_assert_str_eq(member(hour, "at"), "2026-11-23T13:00:00Z");
	ck_assert_str_eq(member(hour, "count"), "3603");
	ck_assert_str_eq(member(hour, "schedules"),
			 "[{\"id\":\"second\",\"count\":3600},"
			 "{\"id\":\"sum\",\"count\":2},"
			 "{\"id\":\"once\",\"count\":1}]");
	json_decref(json);
	/* With no time it says so. */
	json = schedule_calendar(w.schedules, NOON_US, 7, 1, &w.err);
	ck_assert_str_eq(member(json, "complete"), "false");
	json_decref(json);
	world_close(&w);
}
END_TEST

START_TEST(a_calendar_names_the_ten_that_fire_most_in_an_hour)
{
	char id[16], rule[16];
	const json_t *hour;
	json_t *json;
	int i;

	world_open(&w, _i);
	for (i = 1; i <= 13; i++) {
		snprintf(id, sizeof(id), "s%02d", i);
		snprintf(rule, sizeof(rule), "%ds", 60 + i);
		make(id, "interval", rule, NULL);
	}
	json = schedule_calendar(w.schedules, NOON_US + HOUR_US, 1, 0, &w.err);
	hour = json_array_get(json_object_get(json, "hours"), 0);
	ck_assert_uint_eq(json_array_size(json_object_get(hour, "schedules")),
			  10);
	ck_assert_str_eq(member(hour, "others"), "3");
	ck_assert_str_eq(
	    member(json_array_get(json_object_get(hour, "schedules"), 0), "id"),
	    "s01");
	json_decref(json);
	world_close(&w);
}
END_TEST

SUITE("manager-schedules")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(an_edit_of_what_does_not_move_fires_leaves_the_next_one, 0,
		  N_WORLDS);
	TEST_LOOP(a_rule_that_is_changed_in_time_fires_by_the_new_rule_only, 0,
		  N_WORLDS);
	TEST_LOOP(a_fire_that_is_due_is_not_lost_when_the_rule_changes, 0,
		  N_WORLDS);
	TEST_LOOP(
	    of_fires_that_were_missed_before_the_change_one_is_made_up_for, 0,
	    N_WORLDS);
	TEST_LOOP(an_edit_goes_on_when_a_scheduler_was_in_between, 0, N_WORLDS);
	TEST_LOOP(an_edit_of_a_version_that_is_gone_is_refused, 0, N_WORLDS);
	TEST_LOOP(a_schedule_is_enabled_from_now_on_and_left_alone_if_it_is, 0,
		  N_WORLDS);
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
	TEST_LOOP(a_calendar_names_the_ten_that_fire_most_in_an_hour, 0,
		  N_WORLDS);
}
