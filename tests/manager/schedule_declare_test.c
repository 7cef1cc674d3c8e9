/* SPDX-License-Identifier: MIT */
/* Schedules that are declared, in each database: the same words find the same
 * schedule, and success means that it will fire. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manager/planner.h"
#include "suite.h"

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define ID_WITHOUT_GROUP "55d682fa-f6f5-8f11-99a7-76c31777b22f"
#define OTHER "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

static struct schedule_form form;
static struct schedule_declared declared;

static void
open_world(int kind)
{
	world_open(&planner.w, kind);
	planner.w.err = (struct err)ERR_INIT;
	schedule_form_init(&form);
	form.task = "add";
	form.type = "cron";
	form.rule = "0 9 * * *";
	form.force = true;
}

static int
declare_at(int64_t now_us)
{
	return schedule_declare(planner.w.schedules, NULL, &form, now_us,
				&declared, &planner.fault, &planner.w.err);
}

/* The ID; it must be a new one, or one that was there. */
static const char *
declare(bool existing)
{
	static char ids[4][SCHEDULE_ID_MAX + 1];
	static int turn;
	char *id = ids[turn++ % 4];

	ck_assert_msg(declare_at(PLANNER_NOON_US) == 0, "%s",
		      planner.w.err.msg);
	ck_assert_int_eq(declared.existing, existing);
	strcpy(id, declared.id);
	return id;
}

/* Each of `words` is in the message. */
static void
ck_refused(const char *const *words)
{
	ck_assert_int_eq(declare_at(PLANNER_NOON_US), -1);
	ck_assert_int_eq(planner.w.err.code, ERR_REFUSED);
	for (; *words != NULL; words++)
		ck_assert_msg(strstr(planner.w.err.msg, *words) != NULL,
			      "no \"%s\": %s", *words, planner.w.err.msg);
}
#define CK_REFUSED(...) ck_refused((const char *const[]){__VA_ARGS__, NULL})

static void
ck_count(const char *n)
{
	char *answer =
	    world_ask(&planner.w, "SELECT count(*) FROM flowrra_schedules");

	answer[strcspn(answer, "\n")] = '\0';
	ck_assert_str_eq(answer, n);
	free(answer);
}

START_TEST(the_same_said_in_other_words_is_the_same_schedule)
{
	const char *id;

	open_world(_i);
	id = declare(false);
	form.rule = "0  9 * *\t* ";
	ck_assert_str_eq(declare(true), id);
	form.tz = "UTC";
	ck_assert_str_eq(declare(true), id);
	form.tz = NULL;
	form.rule = "CRON_TZ=UTC 0 9 * * *";
	ck_assert_str_eq(declare(true), id);
	form.args = " [ ]";
	form.misfire = "once";
	form.max_catchup = 1000;
	ck_assert_str_eq(declare(true), id);
	ck_count("1");
	form.rule = "CRON_TZ=Europe/Berlin 0 9 * * *";
	id = declare(false);
	form.rule = "0 9 * * *";
	form.tz = "Europe/Berlin";
	ck_assert_str_eq(declare(true), id);
	ck_count("2");
	world_close(&planner.w);
}
END_TEST

START_TEST(another_option_makes_another_schedule)
{
	const char *first, *second;

	open_world(_i);
	first = declare(false);
	form.queue = "night";
	second = declare(false);
	ck_assert_str_ne(first, second);
	form.misfire = "skip";
	ck_assert_str_ne(declare(false), second);
	form.retry_jitter = 0.125;
	declare(false);
	declare(true);
	form.description = "the fifth";
	declare(false);
	ck_count("5");
	/* Two IDs are two schedules, whatever they say. */
	form.id = "a";
	ck_assert_str_eq(declare(false), "a");
	form.id = "b";
	ck_assert_str_eq(declare(false), "b");
	ck_assert_str_eq(declare(true), "b");
	ck_count("7");
	world_close(&planner.w);
}
END_TEST

START_TEST(one_id_with_two_definitions_is_refused_with_the_difference)
{
	open_world(_i);
	form.id = "a";
	declare(false);
	form.queue = "night";
	form.rule = "0 10 * * *";
	form.max_runs = 3;
	CK_REFUSED("schedule a exists", "queue: null -> \"night\"",
		   "rule: \"0 9 * * *\" -> \"0 10 * * *\"", "max_runs: 0 -> 3",
		   "schedule edit");
	ck_assert_ptr_null(strstr(planner.w.err.msg, "priority"));
	ck_assert_str_eq(planner.fault.field, "id");
	ck_count("1");
	world_close(&planner.w);
}
END_TEST

START_TEST(what_will_not_fire_is_no_success)
{
	struct schedules *db;

	open_world(_i);
	db = planner.w.schedules;
	form.id = "a";
	declare(false);
	OK(&planner.w,
	   schedules_disable(db, "a", PLANNER_NOON_US + 1, &planner.w.err));
	CK_REFUSED("schedule a exists but is disabled", "schedule enable a");
	/* That is what is asked for. */
	form.enabled = false;
	ck_assert_str_eq(declare(true), "a");
	form.enabled = true;
	json_decref(
	    schedule_enable(db, "a", PLANNER_NOON_US + 2, &planner.w.err));
	declare(true);
	form.enabled = false;
	CK_REFUSED("is enabled", "schedule disable a");
	form.enabled = true;
	world_run(&planner.w, "UPDATE flowrra_schedules SET next_run_us = 0,"
			      " due_us = NULL");
	CK_REFUSED("has ended", "schedule edit a");
	world_run(&planner.w,
		  "UPDATE flowrra_schedules SET fault = 'no such zone'");
	CK_REFUSED("set aside: no such zone", "schedule enable a");
	/* Without an ID it is the same schedule, and no success either. */
	form.id = NULL;
	CK_REFUSED("set aside");
	world_close(&planner.w);
}
END_TEST

START_TEST(a_moment_that_has_passed_is_told_as_ended)
{
	open_world(_i);
	form.type = "once";
	form.rule = "2026-11-23T13:00:00Z";
	form.id = "a";
	declare(false);
	planner_claim(PLANNER_NOON_US + PLANNER_HOUR_US);
	ck_assert_int_eq(declare_at(PLANNER_NOON_US + 2 * PLANNER_HOUR_US), -1);
	ck_assert_int_eq(planner.w.err.code, ERR_REFUSED);
	ck_assert_msg(strstr(planner.w.err.msg, "has ended") != NULL, "%s",
		      planner.w.err.msg);
	world_close(&planner.w);
}
END_TEST

START_TEST(what_programs_have_made_is_found_and_what_was_edited_is_told)
{
	char id[SCHEDULE_ID_MAX + 1];
	struct schedules_list *list;
	struct schedule edited;
	struct schedules_change change = {.schedule = &edited};
	int64_t next_us;
	bool existing, done;

	open_world(_i);
	OK(&planner.w, schedule_create(planner.w.schedules, NULL, &form,
				       PLANNER_NOON_US, id, &existing, &next_us,
				       &planner.fault, &planner.w.err));
	ck_assert_str_eq(declare(true), id);
	OK(&planner.w,
	   schedules_delete(planner.w.schedules, id, &planner.w.err));
	strcpy(id, declare(false));
	list = world_get(&planner.w, id);
	edited = list->items[0];
	edited.queue = "night";
	change.old_updated_us = edited.updated_us;
	change.old_next_run_us = edited.next_run_us;
	OK(&planner.w,
	   schedules_update(planner.w.schedules, &change, PLANNER_NOON_US,
			    &done, &planner.w.err));
	schedules_list_free(list);
	CK_REFUSED(id, "queue: \"night\" -> null");
	/* A program that creates it gets the one that is there. */
	OK(&planner.w, schedule_create(planner.w.schedules, NULL, &form,
				       PLANNER_NOON_US, id, &existing, &next_us,
				       &planner.fault, &planner.w.err));
	ck_assert(existing);
	world_close(&planner.w);
}
END_TEST

static void
declare_one(struct world *w, int fd)
{
	planner.w = *w;
	ck_assert_int_eq(declare_at(PLANNER_NOON_US), 0);
	_exit(0);
}

/* The IDs of those without one stay what they were before there were groups. */
START_TEST(the_group_is_a_part_of_what_a_schedule_says)
{
	struct schedules_list *list;
	const char *id, *other;

	open_world(_i);
	id = declare(false);
	ck_assert_str_eq(id, ID_WITHOUT_GROUP);
	form.group = "tenant 7";
	other = declare(false);
	ck_assert_str_ne(other, id);
	ck_assert_str_eq(declare(true), other);
	list = world_get(&planner.w, other);
	ck_assert_str_eq(list->items[0].group, "tenant 7");
	schedules_list_free(list);
	form.id = other;
	form.group = NULL;
	CK_REFUSED("group: \"tenant 7\" -> null");
	world_close(&planner.w);
}
END_TEST

/* A program that declares its schedules does so in another trace each time. */
START_TEST(the_trace_of_a_declaration_is_no_part_of_it)
{
	struct schedules_list *list;
	const char *id;

	open_world(_i);
	form.traceparent = TRACE;
	id = declare(false);
	form.traceparent = OTHER;
	ck_assert_str_eq(declare(true), id);
	form.traceparent = NULL;
	ck_assert_str_eq(declare(true), id);
	list = world_get(&planner.w, id);
	ck_assert_str_eq(list->items[0].traceparent, TRACE);
	schedules_list_free(list);
	form.traceparent = "00-x";
	ck_assert_int_eq(declare_at(PLANNER_NOON_US), -1);
	ck_assert_int_eq(planner.w.err.code, ERR_DATA);
	ck_assert_str_eq(planner.fault.field, "traceparent");
	ck_assert_msg(strstr(planner.w.err.msg, "\"00-x\" is not valid") !=
			  NULL,
		      "%s", planner.w.err.msg);
	world_close(&planner.w);
}
END_TEST

START_TEST(of_several_that_declare_at_the_same_time_one_makes_it)
{
	pid_t pids[6];
	size_t i;

	open_world(_i);
	form.args = "[1]";
	OK(&planner.w, schedules_connect(planner.w.schedules, &planner.w.err));
	for (i = 0; i < 6; i++)
		pids[i] = world_fork(&planner.w, declare_one, -1);
	for (i = 0; i < 6; i++)
		ck_assert_int_eq(world_reap(pids[i]), 0);
	ck_count("1");
	world_close(&planner.w);
}
END_TEST

SUITE("manager-schedule-declare")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(the_same_said_in_other_words_is_the_same_schedule, 0,
		  N_WORLDS);
	TEST_LOOP(another_option_makes_another_schedule, 0, N_WORLDS);
	TEST_LOOP(one_id_with_two_definitions_is_refused_with_the_difference, 0,
		  N_WORLDS);
	TEST_LOOP(what_will_not_fire_is_no_success, 0, N_WORLDS);
	TEST_LOOP(a_moment_that_has_passed_is_told_as_ended, 0, N_WORLDS);
	TEST_LOOP(what_programs_have_made_is_found_and_what_was_edited_is_told,
		  0, N_WORLDS);
	TEST_LOOP(the_group_is_a_part_of_what_a_schedule_says, 0, N_WORLDS);
	TEST_LOOP(the_trace_of_a_declaration_is_no_part_of_it, 0, N_WORLDS);
	TEST_LOOP(of_several_that_declare_at_the_same_time_one_makes_it, 0,
		  N_WORLDS);
}
