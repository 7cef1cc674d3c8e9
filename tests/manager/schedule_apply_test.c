/* SPDX-License-Identifier: MIT */
/* Files of schedules, in each database. */
#include "manager/schedule_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manager/planner.h"
#include "manager/schedule_said.h"
#include "suite.h"
#include "util/clock.h"

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define OTHER "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

static struct schedule_apply options;
static char told[4096];

static void
tell(void *arg, int line, const char *text)
{
	const size_t len = strlen(told);

	snprintf(told + len, sizeof(told) - len, "%d: %s\n", line, text);
}

static void
open_world(int kind)
{
	world_open(&planner.w, kind);
	options = (struct schedule_apply){
	    .force = true, .now_us = PLANNER_NOON_US, .tell = tell};
}

/* "created a b, changed c, removed d, unchanged 1", or NULL after mistakes. */
static const char *
apply(const char *text)
{
	static char answer[2048];
	struct schedule_file file = {.n = 0};
	json_t *json = NULL;

	told[0] = '\0';
	planner.w.err = (struct err)ERR_INIT;
	if (schedule_file_read(&file, text, tell, NULL, &planner.w.err) == 0)
		json = schedule_apply(planner.w.schedules, &file, &options,
				      &planner.w.err);
	schedule_file_done(&file);
	if (json == NULL)
		return NULL;
	snprintf(
	    answer, sizeof(answer), "+%s ~%s -%s =%s",
	    planner_member(json, "created"), planner_member(json, "changed"),
	    planner_member(json, "removed"), planner_member(json, "unchanged"));
	json_decref(json);
	return answer;
}

static void
ck_apply(const char *text, const char *wanted)
{
	const char *answer = apply(text);

	ck_assert_msg(answer != NULL, "%s %s", told, planner.w.err.msg);
	ck_assert_str_eq(answer, wanted);
}

/* The rows of all schedules but their times of change. */
static char *
all_rows(void)
{
	return world_ask(
	    &planner.w, "SELECT id, owner, rule, queue, enabled, next_run_us,"
			" runs, updated_us FROM flowrra_schedules ORDER BY id");
}

static const char two[] = "# of the team\n"
			  "owner = team\n"
			  "[schedule a]\n"
			  "task = add\n"
			  "type = cron\n"
			  "rule = 0  9 * * *\n"
			  "tz = Europe/Berlin\n"
			  "\n"
			  "[schedule b]\n"
			  "task = add\n"
			  "type = interval\n"
			  "rule = 5m\n"
			  "args = [1, {\"x\": 2}]\n"
			  "expires = 90s\n"
			  "retry-jitter = 0.1\n"
			  "description = \" two\\nlines\"\n";

START_TEST(a_file_is_applied_and_once_more_changes_nothing)
{
	char *before, *after;

	open_world(_i);
	options.dry_run = true;
	ck_apply(two, "+[\"a\",\"b\"] ~[] -[] =0");
	options.dry_run = false;
	ck_apply(two, "+[\"a\",\"b\"] ~[] -[] =0");
	before = all_rows();
	options.now_us += 1000;
	options.prune = true;
	ck_apply(two, "+[] ~[] -[] =2");
	/* What has been claimed since makes no difference either. */
	after = all_rows();
	ck_assert_str_eq(after, before);
	free(before);
	free(after);
	planner_claim(PLANNER_NOON_US + 300 * S);
	ck_apply(two, "+[] ~[] -[] =2");
	world_close(&planner.w);
}
END_TEST

static void
ck_trace(const char *id, const char *wanted)
{
	struct schedules_list *list = world_get(&planner.w, id);

	ck_assert_str_eq(list->items[0].traceparent, wanted);
	schedules_list_free(list);
}

/* Each deployment has a trace; a schedule is linked to the one that made it what it
 * is. */
START_TEST(what_is_made_or_changed_is_linked_to_the_trace_of_the_application)
{
	char text[sizeof(two) + 64];

	open_world(_i);
	options.traceparent = TRACE;
	ck_apply(two, "+[\"a\",\"b\"] ~[] -[] =0");
	options.traceparent = OTHER;
	ck_apply(two, "+[] ~[] -[] =2");
	ck_trace("a", TRACE);
	snprintf(text, sizeof(text), "%squeue = night\n", two);
	ck_apply(text,
		 "+[] ~[{\"id\":\"b\",\"fields\":{\"queue\":[null,\"night\"]}}]"
		 " -[] =1");
	ck_trace("a", TRACE);
	ck_trace("b", OTHER);
	options.traceparent = NULL;
	ck_apply(two,
		 "+[] ~[{\"id\":\"b\",\"fields\":{\"queue\":[\"night\",null]}}]"
		 " -[] =1");
	ck_trace("b", OTHER);
	world_close(&planner.w);
}
END_TEST

START_TEST(a_change_leaves_history_counters_and_due_fires)
{
	struct schedules_list *list;
	char text[sizeof(two) + 64];

	open_world(_i);
	apply(two);
	planner_claim(PLANNER_NOON_US + 300 * S);
	snprintf(text, sizeof(text), "%squeue = night\n", two);
	/* The second fire is due. */
	options.now_us = PLANNER_NOON_US + 601 * S;
	ck_apply(text,
		 "+[] ~[{\"id\":\"b\",\"fields\":{\"queue\":[null,\"night\"]}}]"
		 " -[] =1");
	list = world_get(&planner.w, "b");
	ck_assert_int_eq(list->items[0].runs, 1);
	ck_assert_int_eq(list->items[0].next_run_us, PLANNER_NOON_US + 600 * S);
	schedules_list_free(list);
	planner.n_fired = 0;
	planner_claim(PLANNER_NOON_US + 602 * S);
	ck_assert_int_eq(planner.n_fired, 1);
	world_close(&planner.w);
}
END_TEST

START_TEST(what_has_ended_is_named_and_is_no_mistake)
{
	static const char once[] = "[schedule o]\ntask = add\ntype = once\n"
				   "rule = 2026-11-23T13:00:00Z\n";
	struct schedule_file file = {.n = 0};
	json_t *json;

	open_world(_i);
	ck_apply(once, "+[\"o\"] ~[] -[] =0");
	planner_claim(PLANNER_NOON_US + PLANNER_HOUR_US);
	options.now_us = PLANNER_NOON_US + 2 * PLANNER_HOUR_US;
	ck_assert_int_eq(
	    schedule_file_read(&file, once, tell, NULL, &planner.w.err), 0);
	json = schedule_apply(planner.w.schedules, &file, &options,
			      &planner.w.err);
	ck_assert_msg(json != NULL, "%s", planner.w.err.msg);
	ck_assert_str_eq(planner_member(json, "ended"), "[\"o\"]");
	ck_assert_str_eq(planner_member(json, "unchanged"), "1");
	json_decref(json);
	schedule_file_done(&file);
	world_close(&planner.w);
}
END_TEST

START_TEST(what_the_file_has_no_more_is_removed_if_it_is_the_owners)
{
	open_world(_i);
	apply(two);
	planner_make("mine", "interval", "1h", NULL);
	options.owner = "others";
	ck_apply("[{\"id\":\"c\",\"task\":\"add\",\"type\":\"interval\","
		 "\"rule\":\"5m\"}]",
		 "+[\"c\"] ~[] -[] =0");
	options.prune = true;
	ck_apply("[]", "+[] ~[] -[\"c\"] =0");
	options.owner = NULL;
	ck_assert_ptr_null(apply("[]"));
	ck_assert_int_eq(planner.w.err.code, ERR_USAGE);
	ck_apply("{\"owner\": \"team\", \"schedules\": [\n {\"id\":\"a\","
		 "\"task\":\"add\",\"type\":\"cron\",\"rule\":\"0 9 * * *\","
		 "\"tz\":\"Europe/Berlin\"}]}",
		 "+[] ~[] -[\"b\"] =1");
	schedules_list_free(world_get(&planner.w, "mine"));
	world_close(&planner.w);
}
END_TEST

/* It was cut off, or what should have made it has failed. */
START_TEST(a_file_that_does_not_say_that_there_are_none_removes_nothing)
{
	static const char *const texts[] = {"", " \n\n", "# of the team\n",
					    "owner = team\n"};
	char *before, *after;
	size_t i;

	open_world(_i);
	apply(two);
	before = all_rows();
	options.prune = true;
	options.owner = "team";
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ck_assert_ptr_null(apply(texts[i]));
		ck_assert_int_eq(planner.w.err.code, ERR_DATA);
	}
	after = all_rows();
	ck_assert_str_eq(after, before);
	free(before);
	free(after);
	ck_apply("{\"schedules\": []}", "+[] ~[] -[\"a\",\"b\"] =0");
	world_close(&planner.w);
}
END_TEST

START_TEST(a_schedule_of_another_owner_is_not_taken_by_mistake)
{
	static const char others[] =
	    "owner = others\n[schedule x]\ntask = add\ntype = interval\n"
	    "rule = 1h\n[schedule a]\ntask = add\ntype = interval\nrule = 1h\n";

	open_world(_i);
	apply(two);
	ck_assert_ptr_null(apply(others));
	ck_assert_int_eq(planner.w.err.code, ERR_REFUSED);
	ck_assert_msg(strncmp(told, "6: schedule a is of the owner team", 34) ==
			  0,
		      "%s", told);
	options.take = true;
	ck_assert_ptr_nonnull(apply(others));
	/* Theirs alone is left to the first. */
	options.take = false;
	options.prune = true;
	options.owner = "team";
	ck_apply("[]", "+[] ~[] -[\"b\"] =0");
	world_close(&planner.w);
}
END_TEST

static const struct {
	const char *text, *line;
} mistakes[] = {
    {"[{\"id\":\"n\",\"task\":\"add\",\"type\":\"interval\","
     "\"rule\":\"5m\"},\n{\"id\":\"m\",\"task\":\"add\",\n"
     "\"type\":\"cron\",\n\"rule\":\"0 25 * * *\"}]",
     "4: "},
    {"[schedule n]\ntask = add\ntype = interval\nrule = 5m\n"
     "[schedule m]\ntask = add\ntype = cron\n\nrule = 0 25 * * *\n",
     "9: "},
    {"[schedule n]\ntask = add\ntype = interval\nrule = 5m\n"
     "prio = 3\n",
     "5: unknown schedule field \"prio\""},
    {"[schedule n]\ntask = add\ntype = interval\nrule = 5m\n"
     "priority = high\n",
     "5: \"priority\" must be a whole number"},
    {"[schedule n]\ntask = add\ntype = interval\nrule = 5m\n"
     "start_at = 1h\n",
     "5: start_at \"1h\": a file needs a time"},
    {"[schedule n]\ntask = add\ntype = once\nrule = in 5m\n",
     "4: rule \"in 5m\""},
    {"[schedule n]\ntask = add\ntype = interval\nrule = 5m\n"
     "[schedule n]\ntask = add\ntype = interval\nrule = 6m\n",
     "5: schedule n is in line 1, too"},
    {"[schedule n]\ntask = add\ntask = sub\n", "3: task is there"},
    {"rule = 5m\n[schedule n]\n", "1: \"rule\" before"},
    {"[task n]\n", "1: \"[task n]\" is not"},
    {"[schedule n]\nnonsense\n", "2: \"nonsense\" is neither"},
    {"[{\"id\":\"n\",\n", "2: not valid JSON"},
    {"{\"schedule\": []}", "1: unknown member \"schedule\""},
    {"[schedule n]\ntask = add\ntype = cron\nrule = 0 9 * * *\n"
     "tz = Europe/Berln\n",
     "5: "},
    {"[schedule n]\ntask = add\ntype = interval\nrule = 5m\n"
     "owner = a b\n",
     "5: owner"},
};

START_TEST(a_file_with_a_mistake_changes_nothing_and_names_the_line)
{
	char *before, *after;
	size_t i;

	open_world(_i);
	apply(two);
	before = all_rows();
	for (i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		ck_assert_msg(apply(mistakes[i].text) == NULL, "%s",
			      mistakes[i].text);
		ck_assert_msg(strncmp(told, mistakes[i].line,
				      strlen(mistakes[i].line)) == 0,
			      "%s: %s", mistakes[i].text, told);
	}
	after = all_rows();
	ck_assert_str_eq(after, before);
	free(before);
	free(after);
	world_close(&planner.w);
}
END_TEST

/* All schedules as a file. */
static char *export(bool ini)
{
	json_t *all = json_array();
	struct schedules_list *list;
	struct buf out = BUF_INIT;
	size_t i;

	OK(&planner.w,
	   schedules_list(planner.w.schedules, NULL, &list, &planner.w.err));
	for (i = 0; i < list->n; i++)
		json_array_append_new(all, schedule_said(&list->items[i]));
	schedules_list_free(list);
	(ini ? schedule_file_write_ini : schedule_file_write_json)(all, &out);
	json_decref(all);
	return buf_take(&out);
}

START_TEST(what_is_exported_makes_the_same_in_an_empty_database)
{
	struct schedule full = world_full,
			plain = {.id = "plain]1",
				 .task = "add",
				 .type = SCHEDULE_ONCE,
				 .rule = "2096-11-23T13:00:00.250000+00:00",
				 .enabled = false,
				 .settings = TASK_SETTINGS_UNSET,
				 .grace_us = SCHEDULE_UNSET,
				 .description = "ends in a blank ",
				 .next_run_us = 9};
	char *first[2], *second;
	bool existing;
	int ini;

	open_world(_i);
	world_store(&planner.w, &full, &existing);
	world_store(&planner.w, &plain, &existing);
	first[0] = export(false);
	first[1] = export(true);
	for (ini = 0; ini < 2; ini++) {
		ck_apply(first[ini], "+[] ~[] -[] =2");
		world_run(&planner.w, "DELETE FROM flowrra_schedules");
		ck_assert_ptr_nonnull(apply(first[ini]));
		second = export(ini == 1);
		ck_assert_str_eq(second, first[ini]);
		free(second);
	}
	free(first[0]);
	free(first[1]);
	world_close(&planner.w);
}
END_TEST

/* By what was read. */
static void
fill_step(struct schedules_step *step, const struct schedule *s)
{
	*step = (struct schedules_step){.kind = SCHEDULES_SET,
					.schedule = s,
					.old_updated_us = s->updated_us,
					.old_next_run_us = s->next_run_us};
}

START_TEST(a_step_that_was_overtaken_is_not_done_and_the_others_are)
{
	struct schedules_list *a, *b;
	struct schedule new_a, new_b, gone = {.id = "c", .owner = "team"},
				      taken = {.id = "a",
					       .task = "add",
					       .rule = "1s",
					       .owner = "x",
					       .settings = TASK_SETTINGS_UNSET};
	struct schedules_step steps[4];

	open_world(_i);
	apply(two);
	planner_make("c", "interval", "1h", NULL);
	a = world_get(&planner.w, "a");
	b = world_get(&planner.w, "b");
	new_a = a->items[0];
	new_b = b->items[0];
	new_a.queue = new_b.queue = "night";
	planner_claim(PLANNER_NOON_US + 300 * S);
	fill_step(&steps[0], &new_a);
	fill_step(&steps[1], &new_b);
	steps[2] =
	    (struct schedules_step){.kind = SCHEDULES_DROP, .schedule = &gone};
	steps[3] =
	    (struct schedules_step){.kind = SCHEDULES_ADD, .schedule = &taken};
	OK(&planner.w, schedules_take_steps(planner.w.schedules, steps, 4,
					    PLANNER_NOON_US, &planner.w.err));
	ck_assert(steps[0].done);
	ck_assert(!steps[1].done);
	ck_assert(!steps[2].done);
	ck_assert(!steps[3].done);
	/* With one that will not do, none is done. */
	new_a.queue = "a/b";
	ck_assert_int_eq(schedules_take_steps(planner.w.schedules, steps, 4, 1,
					      &planner.w.err),
			 -1);
	ck_assert_int_eq(planner.w.err.code, ERR_DATA);
	schedules_list_free(a);
	schedules_list_free(b);
	world_close(&planner.w);
}
END_TEST

START_TEST(ten_thousand_schedules_take_seconds)
{
	struct buf text = BUF_INIT;
	const char *answer;
	int64_t began;
	int i;

	open_world(_i);
	options.owner = "team";
	options.prune = true;
	for (i = 0; i < 10000; i++)
		buf_addf(
		    &text,
		    "[schedule s%05d]\ntask = add\ntype = cron\n"
		    "rule = %d %d * * *\ntz = Europe/Berlin\nargs = [%d]\n",
		    i, i % 60, i % 24, i);
	began = clock_mono_ms();
	answer = apply(text.data);
	ck_assert_msg(answer != NULL, "%s", planner.w.err.msg);
	/* 1 to 2 s on a machine with nothing else to do. */
	ck_assert_int_lt(clock_mono_ms() - began, 20000);
	printf("10,000 schedules: %lld ms\n",
	       (long long)(clock_mono_ms() - began));
	ck_apply(text.data, "+[] ~[] -[] =10000");
	buf_done(&text);
	world_close(&planner.w);
}
END_TEST

SUITE("manager-schedule-apply")
{
	SUITE_TIMEOUT(120);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(a_file_is_applied_and_once_more_changes_nothing, 0, N_WORLDS);
	TEST_LOOP(
	    what_is_made_or_changed_is_linked_to_the_trace_of_the_application,
	    0, N_WORLDS);
	TEST_LOOP(a_change_leaves_history_counters_and_due_fires, 0, N_WORLDS);
	TEST_LOOP(what_has_ended_is_named_and_is_no_mistake, 0, N_WORLDS);
	TEST_LOOP(what_the_file_has_no_more_is_removed_if_it_is_the_owners, 0,
		  N_WORLDS);
	TEST_LOOP(a_file_that_does_not_say_that_there_are_none_removes_nothing,
		  0, N_WORLDS);
	TEST_LOOP(a_schedule_of_another_owner_is_not_taken_by_mistake, 0,
		  N_WORLDS);
	TEST_LOOP(a_file_with_a_mistake_changes_nothing_and_names_the_line, 0,
		  N_WORLDS);
	TEST_LOOP(what_is_exported_makes_the_same_in_an_empty_database, 0,
		  N_WORLDS);
	TEST_LOOP(a_step_that_was_overtaken_is_not_done_and_the_others_are, 0,
		  N_WORLDS);
	TEST_LOOP(ten_thousand_schedules_take_seconds, 0, N_WORLDS);
}
