/* SPDX-License-Identifier: MIT */
/* What schedules.h promises of storing, listing and waiting, for each database. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "schedules/health.h"
#include "suite.h"
#include "world.h"

/* --- people's calls ------------------------------------------------------ */

/* What a person gave. */
static void
assert_given(const struct schedule *s, const struct schedule *wanted)
{
	ck_assert_str_eq(s->id, wanted->id);
	ck_assert_str_eq(s->task, wanted->task);
	ck_assert_int_eq(s->type, wanted->type);
	ck_assert_str_eq(s->rule, wanted->rule);
	ck_assert_str_eq(s->tz, wanted->tz);
	ck_assert_str_eq(s->args, wanted->args);
	ck_assert_str_eq(s->kwargs, wanted->kwargs);
	ck_assert_str_eq(s->queue, wanted->queue);
	ck_assert_str_eq(s->description, wanted->description);
	ck_assert(s->enabled == wanted->enabled);
#define TASK_SETTING(field, type, member, ...)                                 \
	ck_assert_msg(s->settings.member == wanted->settings.member, "%s",     \
		      #field);
#include "core/task_options.def"
	ck_assert_int_eq(s->expires_us, wanted->expires_us);
	ck_assert_int_eq(s->priority, wanted->priority);
}

/* When it fires. */
static void
assert_times(const struct schedule *s, const struct schedule *wanted)
{
	ck_assert_int_eq(s->misfire, wanted->misfire);
	ck_assert_int_eq(s->max_catchup, wanted->max_catchup);
	ck_assert_int_eq(s->grace_us, wanted->grace_us);
	ck_assert_int_eq(s->overlap, wanted->overlap);
	ck_assert_int_eq(s->jitter_us, wanted->jitter_us);
	ck_assert_int_eq(s->day_match, wanted->day_match);
	ck_assert_int_eq(s->start_us, wanted->start_us);
	ck_assert_int_eq(s->end_us, wanted->end_us);
	ck_assert_int_eq(s->max_runs, wanted->max_runs);
	ck_assert_int_eq(s->next_run_us, wanted->next_run_us);
	ck_assert_int_eq(s->due_us, wanted->due_us);
	ck_assert_str_eq(s->tz_data, wanted->tz_data);
	ck_assert_str_eq(s->owner, wanted->owner);
	ck_assert_str_eq(s->traceparent, wanted->traceparent);
	ck_assert_str_eq(s->group, wanted->group);
	ck_assert_str_eq(s->workflow, wanted->workflow);
}

START_TEST(a_schedule_comes_back_as_it_was_stored)
{
	struct schedules_list *list;
	const struct schedule *s;
	struct world w;
	bool existing;

	world_open(&w, _i);
	ck_assert_str_eq(world_store(&w, &world_full, &existing), "weekly");
	ck_assert(!existing);
	list = world_get(&w, "weekly");
	s = list->items;
	assert_given(s, &world_full);
	assert_times(s, &world_full);
	ck_assert_int_eq(s->created_us, 42);
	ck_assert_int_eq(s->updated_us, 42);
	ck_assert_int_eq(s->last_run_us, 0);
	ck_assert_int_eq(s->runs, 0);
	ck_assert_str_eq(s->fault, "");
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

/* Without a workflow it would be the same as the first. */
START_TEST(a_schedule_with_a_workflow_is_another_one)
{
	static const char text[] = "{\"steps\":[{\"id\":\"\u00e4\"}]}";
	struct schedule s = world_full;
	struct schedules_list *list;
	struct world w;
	bool existing;

	world_open(&w, _i);
	world_store(&w, &world_full, &existing);
	s.id = "flow";
	s.workflow = text;
	ck_assert_str_eq(world_store(&w, &s, &existing), "flow");
	ck_assert(!existing);
	s.id = "again";
	ck_assert_str_eq(world_store(&w, &s, &existing), "flow");
	ck_assert(existing);
	list = world_get(&w, "flow");
	ck_assert_str_eq(list->items[0].workflow, text);
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

START_TEST(an_identical_schedule_returns_the_id_of_the_first)
{
	struct schedule again = world_full, other = world_full;
	char first[SCHEDULE_ID_MAX + 1], id[SCHEDULE_ID_MAX + 1];
	struct world w;
	bool existing;

	world_open(&w, _i);
	again.id = NULL;
	strcpy(first, world_store(&w, &again, &existing));
	ck_assert(!existing);
	ck_assert_uint_gt(strlen(first), 0);
	again.id = "mine";
	again.args = "[ \"w\\u00f6chentlich\",{\"a\":[1,2]} ]";
	again.description = "another";
	ck_assert_str_eq(world_store(&w, &again, &existing), first);
	ck_assert(existing);
	other.id = NULL;
	other.tz = "Asia/Tokyo";
	ck_assert_str_ne(world_store(&w, &other, &existing), first);
	ck_assert(!existing);
	other.id = first;
	other.task = "else";
	ck_assert_int_eq(
	    schedules_create(w.schedules, &other, 1, id, &existing, &w.err),
	    -1);
	ck_assert_int_eq(w.err.code, ERR_REFUSED);
	ck_assert(!schedules_transient(&w.err));
	world_close(&w);
}
END_TEST

/* Each with the field that the refusal must name. */
static const struct {
	const char *field;
	struct schedule schedule;
} bad_values[] = {
    {"args",
     {.task = "t", .rule = "1", .args = "{}", .settings = TASK_SETTINGS_UNSET}},
    {"kwargs",
     {.task = "t",
      .rule = "1",
      .kwargs = "[1",
      .settings = TASK_SETTINGS_UNSET}},
    {"task",
     {.task = "no blank", .rule = "1", .settings = TASK_SETTINGS_UNSET}},
    {"rule", {.task = "t", .settings = TASK_SETTINGS_UNSET}},
    {"id",
     {.id = "a b", .task = "t", .rule = "1", .settings = TASK_SETTINGS_UNSET}},
    {"queue",
     {.task = "t",
      .rule = "1",
      .queue = "a/b",
      .settings = TASK_SETTINGS_UNSET}},
    {"jitter_us",
     {.task = "t",
      .rule = "1",
      .settings = TASK_SETTINGS_UNSET,
      .jitter_us = -1}},
    {"misfire",
     {.task = "t",
      .rule = "1",
      .settings = TASK_SETTINGS_UNSET,
      .misfire = 17}},
    {"max_retries", {.task = "t", .rule = "1", .settings.max_retries = -2}},
    {"retry_backoff",
     {.task = "t", .rule = "1", .settings.retry.backoff = 0.5}},
    {"retry_jitter",
     {.task = "t",
      .rule = "1",
      .settings.retry = {.backoff = 1, .jitter = 1.5}}},
    {"timeout",
     {.task = "t",
      .rule = "1",
      .settings = {.retry.backoff = 1, .timeout_us = INT64_MAX}}},
    {"expires_us",
     {.task = "t",
      .rule = "1",
      .settings = TASK_SETTINGS_UNSET,
      .expires_us = INT64_MAX}},
};

START_TEST(bad_values_are_refused_by_name)
{
	char id[SCHEDULE_ID_MAX + 1];
	struct world w;
	bool existing;
	size_t i;

	world_open(&w, _i);
	for (i = 0; i < sizeof(bad_values) / sizeof(bad_values[0]); i++) {
		ck_assert_int_eq(schedules_create(w.schedules,
						  &bad_values[i].schedule, 1,
						  id, &existing, &w.err),
				 -1);
		ck_assert_int_eq(w.err.code, ERR_DATA);
		ck_assert_msg(strstr(w.err.msg, bad_values[i].field) != NULL,
			      "%s", w.err.msg);
	}
	world_close(&w);
}
END_TEST

START_TEST(a_list_has_what_the_filter_says_and_can_be_gone_on_with)
{
	struct schedules_filter filter = {.limit = 2};
	struct schedules_list *list;
	struct world w;
	int i;

	world_open(&w, _i);
	for (i = 1; i <= 3; i++)
		world_create(&w, i, i * 1000);
	OK(&w, schedules_disable(w.schedules, "s2", 9, &w.err));
	OK(&w, schedules_list(w.schedules, &filter, &list, &w.err));
	ck_assert_uint_eq(list->n, 2);
	ck_assert_str_eq(list->items[1].id, "s2");
	schedules_list_free(list);
	filter.after = "s2";
	OK(&w, schedules_list(w.schedules, &filter, &list, &w.err));
	ck_assert_uint_eq(list->n, 1);
	ck_assert_str_eq(list->items[0].id, "s3");
	schedules_list_free(list);
	filter = (struct schedules_filter){.only_disabled = true};
	OK(&w, schedules_list(w.schedules, &filter, &list, &w.err));
	ck_assert_uint_eq(list->n, 1);
	ck_assert_str_eq(list->items[0].id, "s2");
	schedules_list_free(list);
	filter = (struct schedules_filter){.task = "none"};
	OK(&w, schedules_list(w.schedules, &filter, &list, &w.err));
	ck_assert_uint_eq(list->n, 0);
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

START_TEST(what_is_disabled_is_not_due_until_it_is_enabled)
{
	const struct schedule_next next = {5000, 5001, "2026b"};
	struct schedules_list *list;
	int64_t due;
	bool done;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	OK(&w, schedules_next_due(w.schedules, &due, &w.err));
	ck_assert_int_eq(due, 1000);
	OK(&w, schedules_disable(w.schedules, "s1", 9, &w.err));
	OK(&w, schedules_disable(w.schedules, "s1", 9, &w.err));
	OK(&w, schedules_next_due(w.schedules, &due, &w.err));
	ck_assert_int_eq(due, INT64_MAX);
	OK(&w,
	   schedules_set_next(w.schedules, "s1", 1000, &next, &done, &w.err));
	ck_assert(done);
	OK(&w, schedules_next_due(w.schedules, &due, &w.err));
	ck_assert_int_eq(due, INT64_MAX);
	OK(&w, schedules_enable(w.schedules, "s1", &next, 10, &w.err));
	OK(&w,
	   schedules_set_next(w.schedules, "s1", 4999, &next, &done, &w.err));
	ck_assert(!done);
	list = world_get(&w, "s1");
	ck_assert(list->items->enabled);
	ck_assert_int_eq(list->items->due_us, 5001);
	ck_assert_int_eq(list->items->updated_us, 10);
	ck_assert_str_eq(list->items->tz_data, "2026b");
	schedules_list_free(list);
	OK(&w, schedules_delete(w.schedules, "s1", &w.err));
	ck_assert_int_eq(schedules_delete(w.schedules, "s1", &w.err), -1);
	ck_assert_int_eq(w.err.code, ERR_NOT_FOUND);
	ck_assert_int_eq(schedules_enable(w.schedules, "s1", &next, 1, &w.err),
			 -1);
	ck_assert_int_eq(w.err.code, ERR_NOT_FOUND);
	ck_assert_int_eq(schedules_disable(w.schedules, "s1", 1, &w.err), -1);
	ck_assert_int_eq(schedules_get(w.schedules, "s1", &list, &w.err), -1);
	ck_assert_int_eq(w.err.code, ERR_NOT_FOUND);
	world_close(&w);
}
END_TEST

/* --- health and changes -------------------------------------------------- */

START_TEST(schedulers_are_seen_until_they_say_farewell)
{
	struct schedules_scheduler me = {
	    "h:1", "h", 77, 1, 2, 3, 4, 5, -7, "clock", "Europe/Berlin"};
	struct schedules_stats *stats;
	struct world w;

	world_open(&w, _i);
	OK(&w, schedules_beat(w.schedules, &me, &w.err));
	me.lag_us = 99;
	me.pid = 78;
	OK(&w, schedules_beat(w.schedules, &me, &w.err));
	OK(&w, schedules_stats(w.schedules, NULL, 9, &stats, &w.err));
	ck_assert_uint_eq(stats->n_schedulers, 1);
	ck_assert_str_eq(stats->schedulers[0].id, "h:1");
	ck_assert_int_eq(stats->schedulers[0].lag_us, 99);
	ck_assert_int_eq(stats->schedulers[0].pid, 78);
	ck_assert_int_eq(stats->schedulers[0].max_lag_us, 4);
	ck_assert_int_eq(stats->schedulers[0].clock_off_us, -7);
	ck_assert_str_eq(stats->schedulers[0].state, "clock");
	ck_assert_str_eq(stats->schedulers[0].lacks, "Europe/Berlin");
	ck_assert_int_eq(stats->next_due_us, INT64_MAX);
	schedules_stats_free(stats);
	OK(&w, schedules_farewell(w.schedules, "h:1", &w.err));
	OK(&w, schedules_stats(w.schedules, NULL, 9, &stats, &w.err));
	ck_assert_uint_eq(stats->n_schedulers, 0);
	schedules_stats_free(stats);
	world_close(&w);
}
END_TEST

/* Forked before its parent has connected, as SQLite wants it. */
static int gate[2];

static void
create_one(struct world *w, int fd)
{
	char go;

	ck_assert_int_eq(read(gate[0], &go, 1), 1);
	ck_assert_int_eq(write(fd, "", 1), 1);
	world_create(w, 1, 1000);
}

START_TEST(who_waits_is_woken_by_a_change)
{
	enum schedules_woken woken;
	int fds[2];
	struct world w;
	int64_t due;
	pid_t pid;

	world_open(&w, _i);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(pipe(gate), 0);
	pid = world_fork(&w, create_one, fds[1]);
	OK(&w, schedules_wait(w.schedules, -1, -1, &woken, &w.err));
	ck_assert_int_eq(woken, SCHEDULES_CHANGED);
	OK(&w, schedules_wait(w.schedules, -1, 1, &woken, &w.err));
	ck_assert_int_eq(woken, SCHEDULES_TIMEOUT);
	ck_assert(schedules_fd(w.schedules) >= 0 ||
		  schedules_poll_ms(w.schedules) > 0);
	ck_assert_int_eq(write(gate[1], "", 1), 1);
	OK(&w, schedules_wait(w.schedules, -1, 15000, &woken, &w.err));
	ck_assert_int_eq(woken, SCHEDULES_CHANGED);
	/* What woke us is there to be seen. */
	OK(&w, schedules_next_due(w.schedules, &due, &w.err));
	ck_assert_int_eq(due, 1000);
	ck_assert_int_eq(world_reap(pid), 0);
	OK(&w, schedules_wait(w.schedules, fds[0], 15000, &woken, &w.err));
	ck_assert_int_eq(woken, SCHEDULES_FD);
	world_close(&w);
}
END_TEST

/* --- lists by time, and what has fired ------------------------------------- */

START_TEST(a_list_by_due_time_goes_on_behind_the_last_one)
{
	static const int64_t due[] = {3000, 1000, 2000, 2000, 2000};
	struct schedules_filter f = {.by_due = true, .limit = 2};
	static const char *const order[] = {"s2", "s3", "s4", "s5", "s1"};
	char after[SCHEDULE_ID_MAX + 1];
	struct schedules_list *list;
	struct world w;
	size_t i, n = 0;

	world_open(&w, _i);
	for (i = 0; i < 5; i++)
		world_create(&w, (int)i + 1, due[i]);
	world_create(&w, 6, 500);
	OK(&w, schedules_disable(w.schedules, "s6", 9, &w.err));
	for (;;) {
		OK(&w, schedules_list(w.schedules, &f, &list, &w.err));
		for (i = 0; i < list->n; i++)
			ck_assert_str_eq(list->items[i].id, order[n++]);
		if (list->n < 2)
			break;
		snprintf(after, sizeof(after), "%s", list->items[1].id);
		f.after = after;
		f.after_due_us = list->items[1].due_us;
		schedules_list_free(list);
	}
	schedules_list_free(list);
	ck_assert_uint_eq(n, 5);
	f = (struct schedules_filter){.by_due = true,
				      .after_due_us = SCHEDULES_IDLE};
	OK(&w, schedules_list(w.schedules, &f, &list, &w.err));
	ck_assert_uint_eq(list->n, 1);
	ck_assert_str_eq(list->items[0].id, "s6");
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

SUITE("schedules")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(a_schedule_comes_back_as_it_was_stored, 0, N_WORLDS_POOLED);
	TEST_LOOP(a_schedule_with_a_workflow_is_another_one, 0, N_WORLDS);
	TEST_LOOP(an_identical_schedule_returns_the_id_of_the_first, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(bad_values_are_refused_by_name, 0, N_WORLDS_POOLED);
	TEST_LOOP(a_list_has_what_the_filter_says_and_can_be_gone_on_with, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(what_is_disabled_is_not_due_until_it_is_enabled, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(schedulers_are_seen_until_they_say_farewell, 0,
		  N_WORLDS_POOLED);
	TEST_LOOP(who_waits_is_woken_by_a_change, 0, N_WORLDS);
	TEST_LOOP(a_list_by_due_time_goes_on_behind_the_last_one, 0,
		  N_WORLDS_POOLED);
}
