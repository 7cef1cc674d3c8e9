/* SPDX-License-Identifier: MIT */
/* What schedules.h promises of edits, for each database. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "schedules/claim.h"
#include "suite.h"
#include "world.h"

/* Changes the description of s1, as it was read in `old`. */
static bool
edit(struct world *w, const struct schedule *old, const char *description,
     int64_t now_us)
{
	struct schedule new = *old;
	const struct schedules_change change = {
	    .schedule = &new,
	    .old_updated_us = old->updated_us,
	    .old_next_run_us = old->next_run_us};
	bool done;

	new.description = description;
	OK(w, schedules_update(w->schedules, &change, now_us, &done, &w->err));
	return done;
}

/* Stores world_full, and edits all of it that can be edited. */
static struct schedule
edit_all(struct world *w)
{
	struct schedule new = world_full;
	const struct schedules_change change = {.schedule = &new,
						.old_updated_us = 42,
						.old_next_run_us =
						    world_full.next_run_us};
	bool existing, done;

	world_store(w, &world_full, &existing);
	new.task = "report.send_all";
	new.type = SCHEDULE_INTERVAL;
	new.rule = "90s";
	new.tz = "";
	new.kwargs = "{}";
	new.queue = "";
	new.misfire = SCHEDULE_SKIP;
	new.settings.retry.backoff = TASK_UNSET;
	new.priority = 4;
	new.rule_us = 77;
	new.next_run_us = 1800000000000500;
	new.due_us = 1800000000000501;
	new.tz_data = "";
	new.traceparent = "";
	new.group = "other";
	new.workflow = "{\"steps\":[]}";
	/* These are not the edit's to change. */
	new.runs = 99;
	new.last_run_us = 98;
	new.created_us = 97;
	OK(w, schedules_update(w->schedules, &change, 100, &done, &w->err));
	ck_assert(done);
	return new;
}

START_TEST(an_edit_changes_all_but_what_fires_change)
{
	struct schedules_list *list;
	const struct schedule *s;
	struct schedule new;
	struct world w;

	world_open(&w, _i);
	new = edit_all(&w);
	list = world_get(&w, "weekly");
	s = list->items;
	ck_assert_str_eq(s->task, "report.send_all");
	ck_assert_int_eq(s->type, SCHEDULE_INTERVAL);
	ck_assert_str_eq(s->rule, "90s");
	ck_assert_str_eq(s->tz, "");
	ck_assert_str_eq(s->args, world_full.args);
	ck_assert_str_eq(s->kwargs, "{}");
	ck_assert_str_eq(s->queue, "");
	ck_assert_str_eq(s->description, world_full.description);
	ck_assert(s->enabled);
	ck_assert_int_eq(s->settings.max_retries, 7);
	ck_assert(s->settings.retry.backoff == TASK_UNSET);
	ck_assert_int_eq(s->priority, 4);
	ck_assert_int_eq(s->misfire, SCHEDULE_SKIP);
	ck_assert_int_eq(s->max_runs, world_full.max_runs);
	ck_assert_int_eq(s->rule_us, 77);
	ck_assert_int_eq(s->next_run_us, new.next_run_us);
	ck_assert_int_eq(s->due_us, new.due_us);
	ck_assert_str_eq(s->tz_data, "");
	ck_assert_str_eq(s->traceparent, "");
	ck_assert_str_eq(s->group, "other");
	ck_assert_str_eq(s->workflow, "{\"steps\":[]}");
	ck_assert_int_eq(s->updated_us, 100);
	ck_assert_int_eq(s->created_us, 42);
	ck_assert_int_eq(s->runs, 0);
	ck_assert_int_eq(s->last_run_us, 0);
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

START_TEST(an_edited_schedule_is_found_by_what_it_is_now)
{
	struct schedule new;
	struct world w;
	bool existing;

	world_open(&w, _i);
	new = edit_all(&w);
	new.id = NULL;
	ck_assert_str_eq(world_store(&w, &new, &existing), "weekly");
	ck_assert(existing);
	world_store(&w,
		    &(struct schedule){.id = "second",
				       .task = world_full.task,
				       .type = world_full.type,
				       .rule = world_full.rule,
				       .tz = world_full.tz,
				       .args = world_full.args,
				       .kwargs = world_full.kwargs,
				       .settings = TASK_SETTINGS_UNSET},
		    &existing);
	ck_assert(!existing);
	world_close(&w);
}
END_TEST

START_TEST(of_two_edits_of_one_version_the_first_is_done)
{
	struct schedules_list *list, *again;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	list = world_get(&w, "s1");
	ck_assert(edit(&w, list->items, "one", 2000));
	ck_assert(!edit(&w, list->items, "two", 3000));
	again = world_get(&w, "s1");
	ck_assert_str_eq(again->items->description, "one");
	/* A clock that is behind, or stands, makes another version, too. */
	ck_assert(edit(&w, again->items, "three", 5));
	schedules_list_free(list);
	list = world_get(&w, "s1");
	ck_assert_int_gt(list->items->updated_us, again->items->updated_us);
	ck_assert(edit(&w, list->items, "four", list->items->updated_us));
	schedules_list_free(again);
	again = world_get(&w, "s1");
	ck_assert_int_gt(again->items->updated_us, list->items->updated_us);
	schedules_list_free(list);
	schedules_list_free(again);
	world_close(&w);
}
END_TEST

START_TEST(an_edit_that_a_claim_has_overtaken_is_not_done)
{
	struct schedules_claimed claimed;
	struct schedules_list *list, *again;
	int64_t period = 1000;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	list = world_get(&w, "s1");
	world_claim(&w, 1500, 9, &period, &claimed);
	ck_assert_uint_eq(claimed.fires->n, 1);
	schedules_fires_free(claimed.fires);
	ck_assert(!edit(&w, list->items, "late", 1600));
	again = world_get(&w, "s1");
	/* The version is the same: it can be tried again. */
	ck_assert_int_eq(again->items->updated_us, list->items->updated_us);
	ck_assert_int_eq(again->items->next_run_us, 2000);
	ck_assert(edit(&w, again->items, "late", 1600));
	schedules_list_free(list);
	schedules_list_free(again);
	list = world_get(&w, "s1");
	ck_assert_int_eq(list->items->runs, 1);
	ck_assert_int_eq(list->items->last_run_us, 1000);
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

START_TEST(an_edit_into_an_identical_schedule_is_done_into_a_missing_one_is_not)
{
	struct schedules_list *list;
	struct schedule new;
	struct schedules_change change = {.schedule = &new};
	struct world w;
	bool done = true;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	list = world_get(&w, "s2");
	new = *list->items;
	new.args = "[ 1 ]";
	change.old_updated_us = new.updated_us;
	change.old_next_run_us = new.next_run_us;
	/* Their IDs tell them apart; a program that creates the same gets one
	 * of them. */
	OK(&w, schedules_update(w.schedules, &change, 9000, &done, &w.err));
	ck_assert(done);
	new.id = NULL;
	world_store(&w, &new, &done);
	ck_assert(done);
	new.id = "s2";
	new.args = "{";
	ck_assert_int_eq(
	    schedules_update(w.schedules, &change, 9000, &done, &w.err), -1);
	ck_assert_int_eq(w.err.code, ERR_DATA);
	new.args = "[3]";
	OK(&w, schedules_delete(w.schedules, "s2", &w.err));
	ck_assert_int_eq(
	    schedules_update(w.schedules, &change, 9000, &done, &w.err), -1);
	ck_assert_int_eq(w.err.code, ERR_NOT_FOUND);
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

static void
edit_often(struct world *w, int fd)
{
	struct schedules_list *list;
	int done = 0, tries;
	char text[32];

	for (tries = 0; done < 20 && tries < 10000; tries++) {
		OK(w, schedules_get(w->schedules, "s1", &list, &w->err));
		snprintf(text, sizeof(text), "%d", (int)getpid());
		done += edit(w, list->items, text, list->items->updated_us + 1);
		schedules_list_free(list);
	}
	_exit(done == 20 ? 0 : 1);
}

/* Each edit adds one to the version: none of them was lost. */
START_TEST(edits_of_several_processes_are_done_one_after_the_other)
{
	struct schedules_list *list;
	struct world w;
	pid_t pids[4];
	int i;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	for (i = 0; i < 4; i++)
		pids[i] = world_fork(&w, edit_often, -1);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(world_reap(pids[i]), 0);
	list = world_get(&w, "s1");
	ck_assert_int_eq(list->items->updated_us, 1000 + 4 * 20);
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

/* In another process, which is forked before its parent has connected. */
static void
await_turn(int fd)
{
	char go;

	ck_assert_int_eq(read(fd, &go, 1), 1);
}

static void
edit_one(struct world *w, int fd)
{
	struct schedules_list *list;

	await_turn(fd);
	list = world_get(w, "s1");
	ck_assert(edit(w, list->items, "edited", 2000));
	schedules_list_free(list);
}

static void
disable_one(struct world *w, int fd)
{
	await_turn(fd);
	OK(w, schedules_disable(w->schedules, "s1", 2000, &w->err));
}

static void
delete_one(struct world *w, int fd)
{
	await_turn(fd);
	OK(w, schedules_delete(w->schedules, "s1", &w->err));
}

/* Else a scheduler would fire by the old rule until it looks by itself. */
START_TEST(who_waits_is_woken_by_each_kind_of_change)
{
	static void (*const changes[])(struct world * w, int fd) = {
	    edit_one, disable_one, delete_one};
	enum schedules_woken woken;
	struct world w;
	pid_t pids[3];
	int turns[3][2];
	size_t i;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		ck_assert_int_eq(pipe(turns[i]), 0);
		pids[i] = world_fork(&w, changes[i], turns[i][0]);
	}
	OK(&w, schedules_wait(w.schedules, -1, 1, &woken, &w.err));
	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		OK(&w, schedules_wait(w.schedules, -1, 1, &woken, &w.err));
		ck_assert_int_eq(woken, SCHEDULES_TIMEOUT);
		ck_assert_int_eq(write(turns[i][1], "", 1), 1);
		OK(&w, schedules_wait(w.schedules, -1, 15000, &woken, &w.err));
		ck_assert_msg(woken == SCHEDULES_CHANGED, "change %zu", i);
		ck_assert_int_eq(world_reap(pids[i]), 0);
	}
	world_close(&w);
}
END_TEST

SUITE("schedules-edit")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(an_edit_changes_all_but_what_fires_change, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(an_edited_schedule_is_found_by_what_it_is_now, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(of_two_edits_of_one_version_the_first_is_done, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(an_edit_that_a_claim_has_overtaken_is_not_done, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(
	    an_edit_into_an_identical_schedule_is_done_into_a_missing_one_is_not,
	    0, N_WORLDS_POOLED);
	TEST_LOOP(who_waits_is_woken_by_each_kind_of_change, 0, N_WORLDS);
	TEST_LOOP(edits_of_several_processes_are_done_one_after_the_other, 0,
		  N_WORLDS_POOLED);
}
