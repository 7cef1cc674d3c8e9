/* SPDX-License-Identifier: MIT */
/* How people change schedules, and enable them, in each database. */
#include "manager/schedules.h"

#include <string.h>

#include "beat/rule.h"
#include "manager/planner.h"
#include "schedules/world.h"
#include "suite.h"

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

	return schedule_edit(planner.w.schedules, &edit, ret_stale,
			     &planner.fault, &planner.w.err);
}

static json_t *
edit_rule(const char *id, const char *rule, int64_t now_us)
{
	struct edited e = {.rule = rule};
	bool stale;
	json_t *json = edit(&e, id, now_us, 0, &stale);

	ck_assert_msg(json != NULL, "%s", planner.w.err.msg);
	return json;
}

START_TEST(an_edit_of_what_does_not_move_fires_leaves_the_next_one)
{
	struct edited e = {.description = "an hourly sum"};
	bool stale;
	json_t *json;

	world_open(&planner.w, _i);
	planner_make("a", "interval", "1h", NULL);
	/* Due for two seconds. */
	json =
	    edit(&e, "a", PLANNER_NOON_US + PLANNER_HOUR_US + 2 * S, 0, &stale);
	ck_assert_msg(json != NULL, "%s", planner.w.err.msg);
	ck_assert_str_eq(planner_member(json, "description"), "an hourly sum");
	ck_assert_str_eq(planner_member(json, "next_run"),
			 "2026-11-23T13:00:00+00:00");
	json_decref(json);
	planner.n_fired = 0;
	planner_claim(PLANNER_NOON_US + PLANNER_HOUR_US + 3 * S);
	ck_assert_int_eq(planner.n_fired, 1);
	ck_assert_int_eq(planner.fired_us[0],
			 PLANNER_NOON_US + PLANNER_HOUR_US);
	world_close(&planner.w);
}
END_TEST

START_TEST(a_rule_that_is_changed_in_time_fires_by_the_new_rule_only)
{
	json_t *json;

	world_open(&planner.w, _i);
	planner_make("a", "interval", "1h", NULL);
	json = edit_rule("a", "90s", PLANNER_NOON_US + 10 * S);
	ck_assert_str_eq(planner_member(json, "rule"), "90s");
	ck_assert_str_eq(planner_member(json, "words"), "every 90 seconds");
	ck_assert_str_eq(planner_member(json, "next_run"),
			 "2026-11-23T12:01:30+00:00");
	json_decref(json);
	planner.n_fired = 0;
	planner_claim(PLANNER_NOON_US + 90 * S);
	planner_claim(PLANNER_NOON_US + 180 * S);
	ck_assert_int_eq(planner.n_fired, 2);
	ck_assert_int_eq(planner.fired_us[1], PLANNER_NOON_US + 180 * S);
	world_close(&planner.w);
}
END_TEST

START_TEST(a_fire_that_is_due_is_not_lost_when_the_rule_changes)
{
	json_t *json;

	world_open(&planner.w, _i);
	planner_make("a", "interval", "1h", NULL);
	json = edit_rule("a", "20m", PLANNER_NOON_US + PLANNER_HOUR_US + S);
	json_decref(json);
	planner.n_fired = 0;
	planner_claim(PLANNER_NOON_US + PLANNER_HOUR_US + 2 * S);
	planner_claim(PLANNER_NOON_US + PLANNER_HOUR_US + 1200 * S);
	ck_assert_int_eq(planner.n_fired, 2);
	ck_assert_int_eq(planner.fired_us[0],
			 PLANNER_NOON_US + PLANNER_HOUR_US);
	ck_assert_int_eq(planner.fired_us[1],
			 PLANNER_NOON_US + PLANNER_HOUR_US + 1200 * S);
	world_close(&planner.w);
}
END_TEST

START_TEST(of_fires_that_were_missed_before_the_change_one_is_made_up_for)
{
	json_t *json;

	world_open(&planner.w, _i);
	planner_make("a", "interval", "1h", NULL);
	/* Nobody was there for three hours; then it is each second. */
	json = edit_rule("a", "1s",
			 PLANNER_NOON_US + 3 * PLANNER_HOUR_US + 60 * S);
	json_decref(json);
	json = planner_fires("a", NULL, 0);
	ck_assert_str_eq(planner_column(json, "outcome"), "missed");
	ck_assert_str_eq(planner_column(json, "n"), "2");
	ck_assert_str_eq(planner_column(json, "reason"),
			 "missed before its rule was changed");
	json_decref(json);
	planner.n_fired = 0;
	planner_claim(PLANNER_NOON_US + 3 * PLANNER_HOUR_US + 60 * S);
	ck_assert_int_eq(planner.n_fired, 1);
	ck_assert_int_eq(planner.fired_us[0],
			 PLANNER_NOON_US + 3 * PLANNER_HOUR_US);
	/* The new rule begins with its change, not hours before. */
	planner_claim(PLANNER_NOON_US + 3 * PLANNER_HOUR_US + 61 * S);
	ck_assert_int_eq(planner.n_fired, 2);
	ck_assert_int_eq(planner.fired_us[1],
			 PLANNER_NOON_US + 3 * PLANNER_HOUR_US + 61 * S);
	world_close(&planner.w);
}
END_TEST

static void
claim_in_between(void)
{
	planner_claim(PLANNER_NOON_US + PLANNER_HOUR_US + S);
}

START_TEST(an_edit_goes_on_when_a_scheduler_was_in_between)
{
	struct edited e = {.rule = "20m", .meanwhile = claim_in_between};
	bool stale;
	json_t *json;

	world_open(&planner.w, _i);
	planner_make("a", "interval", "1h", NULL);
	planner.n_fired = 0;
	json = edit(&e, "a", PLANNER_NOON_US + PLANNER_HOUR_US + S,
		    PLANNER_NOON_US, &stale);
	ck_assert_msg(json != NULL, "%s", planner.w.err.msg);
	ck_assert_int_eq(e.calls, 2);
	ck_assert(!stale);
	ck_assert_str_eq(planner_member(json, "next_run"),
			 "2026-11-23T13:20:00+00:00");
	ck_assert_str_eq(planner_member(json, "runs"), "1");
	json_decref(json);
	planner_claim(PLANNER_NOON_US + PLANNER_HOUR_US + 2 * S);
	ck_assert_int_eq(planner.n_fired, 1);
	world_close(&planner.w);
}
END_TEST

static void
edit_in_between(void)
{
	struct edited e = {.description = "somebody was here"};
	bool stale;

	json_decref(edit(&e, "a", PLANNER_NOON_US + 5 * S, 0, &stale));
}

START_TEST(an_edit_of_a_version_that_is_gone_is_refused)
{
	struct edited e = {.rule = "20m", .meanwhile = edit_in_between};
	bool stale;
	json_t *json;

	world_open(&planner.w, _i);
	planner_make("a", "interval", "1h", NULL);
	ck_assert_ptr_null(
	    edit(&e, "a", PLANNER_NOON_US + 6 * S, PLANNER_NOON_US, &stale));
	ck_assert(stale);
	ck_assert_int_eq(planner.w.err.code, ERR_REFUSED);
	/* Who names no version changes its own field, and no other. */
	e.calls = 0;
	json = edit(&e, "a", PLANNER_NOON_US + 7 * S, 0, &stale);
	ck_assert_msg(json != NULL, "%s", planner.w.err.msg);
	ck_assert_str_eq(planner_member(json, "rule"), "1200s");
	ck_assert_str_eq(planner_member(json, "description"),
			 "somebody was here");
	json_decref(json);
	world_close(&planner.w);
}
END_TEST

static void
check_ended(const char *id, const char *words)
{
	ck_assert_ptr_null(schedule_enable(
	    planner.w.schedules, id, PLANNER_NOON_US + 9 * PLANNER_HOUR_US,
	    &planner.w.err));
	ck_assert_int_eq(planner.w.err.code, ERR_REFUSED);
	ck_assert_msg(strstr(planner.w.err.msg, words) != NULL, "%s",
		      planner.w.err.msg);
}

START_TEST(a_schedule_is_enabled_from_now_on_and_left_alone_if_it_is)
{
	json_t *json;

	world_open(&planner.w, _i);
	planner_make("a", "interval", "1h", NULL);
	planner_make("once", "once", "in 1h", NULL);
	/* It is due, and stays so. */
	json = schedule_enable(planner.w.schedules, "a",
			       PLANNER_NOON_US + PLANNER_HOUR_US + S,
			       &planner.w.err);
	ck_assert_str_eq(planner_member(json, "next_run"),
			 "2026-11-23T13:00:00+00:00");
	json_decref(json);
	json = schedule_enable(planner.w.schedules, "once",
			       PLANNER_NOON_US + PLANNER_HOUR_US + S,
			       &planner.w.err);
	ck_assert_msg(json != NULL, "%s", planner.w.err.msg);
	ck_assert_str_eq(planner_member(json, "next_run"),
			 "2026-11-23T13:00:00+00:00");
	json_decref(json);
	json = schedule_disable(planner.w.schedules, "a",
				PLANNER_NOON_US + PLANNER_HOUR_US + 2 * S,
				&planner.w.err);
	ck_assert_str_eq(planner_member(json, "state"), "disabled");
	json_decref(json);
	json = schedule_enable(planner.w.schedules, "a",
			       PLANNER_NOON_US + 9 * PLANNER_HOUR_US,
			       &planner.w.err);
	ck_assert_str_eq(planner_member(json, "next_run"),
			 "2026-11-23T22:00:00+00:00");
	ck_assert_str_eq(planner_member(json, "state"), "enabled");
	json_decref(json);
	planner_claim(PLANNER_NOON_US + PLANNER_HOUR_US);
	check_ended("once", "its time has passed");
	ck_assert_ptr_null(schedule_enable(planner.w.schedules, "none",
					   PLANNER_NOON_US, &planner.w.err));
	ck_assert_int_eq(planner.w.err.code, ERR_NOT_FOUND);
	world_close(&planner.w);
}
END_TEST

SUITE("manager-schedules-edit")
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
}
