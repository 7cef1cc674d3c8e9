/* SPDX-License-Identifier: MIT */
/* What schedules.h promises, for each database. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"
#include "world.h"

static struct schedules_list *
get(struct world *w, const char *id)
{
	struct schedules_list *list;

	OK(w, schedules_get(w->schedules, id, &list, &w->err));
	ck_assert_int_eq(list->n, 1);
	return list;
}

/* --- people's calls ------------------------------------------------------ */

static const struct schedule full = {
    .id = "weekly",
    .task = "report.send",
    .type = SCHEDULE_CRON,
    .rule = "0 9 * * MON-FRI",
    .tz = "Europe/Berlin",
    .args = "[\"w\xc3\xb6"
	    "chentlich\", {\"a\": [1, 2]}]",
    .kwargs = "{\"to\": \"all\"}",
    .queue = "cpu",
    .description = "It's \"quoted\", with a \\ and a ?",
    .enabled = true,
    .settings = {.max_retries = 7,
		 .retry = {.delay_us = 1500000,
			   .backoff = 1.25,
			   .delay_max_us = 3600000000,
			   .jitter = 0.1},
		 .timeout_us = 0},
    .expires_us = 90000000,
    .priority = -3,
    .misfire = SCHEDULE_ALL,
    .max_catchup = 5,
    .grace_us = 60000000,
    .overlap = SCHEDULE_OVERLAP_SKIP,
    .jitter_us = 30000000,
    .day_match = SCHEDULE_DAYS_AND,
    .start_us = 1700000000000000,
    .end_us = 1900000000000000,
    .max_runs = 100,
    .next_run_us = 1800000000000000,
    .due_us = 1800000000000123,
    .tz_data = "2026a",
};

static const char *
create(struct world *w, const struct schedule *schedule, bool *ret_existing)
{
	static char id[SCHEDULE_ID_MAX + 1];

	OK(w, schedules_create(w->schedules, schedule, 42, id, ret_existing,
			       &w->err));
	return id;
}

START_TEST(a_schedule_comes_back_as_it_was_stored)
{
	struct schedules_list *list;
	const struct schedule *s;
	struct world w;
	bool existing;

	world_open(&w, _i);
	ck_assert_str_eq(create(&w, &full, &existing), "weekly");
	ck_assert(!existing);
	list = get(&w, "weekly");
	s = list->items;
	ck_assert_str_eq(s->id, full.id);
	ck_assert_str_eq(s->task, full.task);
	ck_assert_int_eq(s->type, full.type);
	ck_assert_str_eq(s->rule, full.rule);
	ck_assert_str_eq(s->tz, full.tz);
	ck_assert_str_eq(s->args, full.args);
	ck_assert_str_eq(s->kwargs, full.kwargs);
	ck_assert_str_eq(s->queue, full.queue);
	ck_assert_str_eq(s->description, full.description);
	ck_assert(s->enabled);
#define TASK_SETTING(field, type, member, ...)                                 \
	ck_assert_msg(s->settings.member == full.settings.member, "%s", #field);
#include "core/task_options.def"
	ck_assert_int_eq(s->expires_us, full.expires_us);
	ck_assert_int_eq(s->priority, full.priority);
	ck_assert_int_eq(s->misfire, full.misfire);
	ck_assert_int_eq(s->max_catchup, full.max_catchup);
	ck_assert_int_eq(s->grace_us, full.grace_us);
	ck_assert_int_eq(s->overlap, full.overlap);
	ck_assert_int_eq(s->jitter_us, full.jitter_us);
	ck_assert_int_eq(s->day_match, full.day_match);
	ck_assert_int_eq(s->start_us, full.start_us);
	ck_assert_int_eq(s->end_us, full.end_us);
	ck_assert_int_eq(s->max_runs, full.max_runs);
	ck_assert_int_eq(s->next_run_us, full.next_run_us);
	ck_assert_int_eq(s->due_us, full.due_us);
	ck_assert_str_eq(s->tz_data, full.tz_data);
	ck_assert_int_eq(s->created_us, 42);
	ck_assert_int_eq(s->updated_us, 42);
	ck_assert_int_eq(s->last_run_us, 0);
	ck_assert_int_eq(s->runs, 0);
	ck_assert_str_eq(s->fault, "");
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

START_TEST(an_identical_schedule_returns_the_id_of_the_first)
{
	struct schedule again = full, other = full;
	char first[SCHEDULE_ID_MAX + 1], id[SCHEDULE_ID_MAX + 1];
	struct world w;
	bool existing;

	world_open(&w, _i);
	again.id = NULL;
	strcpy(first, create(&w, &again, &existing));
	ck_assert(!existing);
	ck_assert_uint_gt(strlen(first), 0);
	again.id = "mine";
	again.args = "[ \"w\\u00f6chentlich\",{\"a\":[1,2]} ]";
	again.description = "another";
	ck_assert_str_eq(create(&w, &again, &existing), first);
	ck_assert(existing);
	other.id = NULL;
	other.tz = "Asia/Tokyo";
	ck_assert_str_ne(create(&w, &other, &existing), first);
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
	list = get(&w, "s1");
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

/* --- fires --------------------------------------------------------------- */

START_TEST(a_claim_fires_what_is_due_the_longest_due_first)
{
	int64_t period = 60000000, due;
	struct schedules_claimed claimed;
	struct schedules_list *list;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 3000);
	world_create(&w, 2, 1000);
	world_create(&w, 3, 2000);
	world_create(&w, 4, 5000);
	world_claim(&w, 4000, 2, &period, &claimed);
	ck_assert_uint_eq(claimed.n, 2);
	ck_assert_uint_eq(claimed.fires->n, 2);
	ck_assert_str_eq(claimed.fires->items[0].schedule, "s2");
	ck_assert_str_eq(claimed.fires->items[0].task_id,
			 "s2:19700101T000000.001000Z");
	ck_assert_str_eq(claimed.fires->items[0].queue, "io");
	ck_assert_str_eq(claimed.fires->items[1].schedule, "s3");
	schedules_fires_free(claimed.fires);
	world_claim(&w, 4000, 2, &period, &claimed);
	ck_assert_uint_eq(claimed.n, 1);
	ck_assert_str_eq(claimed.last, "s1");
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_next_due(w.schedules, &due, &w.err));
	ck_assert_int_eq(due, 5000);
	list = get(&w, "s2");
	ck_assert_int_eq(list->items->next_run_us, 1000 + period);
	ck_assert_int_eq(list->items->last_run_us, 1000);
	ck_assert_int_eq(list->items->runs, 1);
	schedules_list_free(list);
	world_claim(&w, 4000, 9, &period, &claimed);
	ck_assert_uint_eq(claimed.n, 0);
	ck_assert_uint_eq(claimed.fires->n, 0);
	schedules_fires_free(claimed.fires);
	world_close(&w);
}
END_TEST

START_TEST(a_fire_that_is_in_the_outbox_is_not_given_again)
{
	const struct schedule_next back = {1000, 1000, NULL};
	struct schedules_claimed claimed;
	struct schedules_fires *fires;
	int64_t period = 60000000;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	world_claim(&w, 1000, 1, &period, &claimed);
	ck_assert_uint_eq(claimed.fires->n, 1);
	/* As after a clock that stepped back. */
	OK(&w, schedules_enable(w.schedules, claimed.last, &back, 1, &w.err));
	schedules_fires_free(claimed.fires);
	world_claim(&w, 1000, 9, &period, &claimed);
	ck_assert_uint_eq(claimed.n, 2);
	ck_assert_uint_eq(claimed.fires->n, 1);
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_unsent(w.schedules, 1001, 10, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 2);
	schedules_fires_free(fires);
	world_close(&w);
}
END_TEST

START_TEST(unsent_fires_are_shown_until_they_are_marked_and_pruned_after)
{
	struct schedules_claimed claimed;
	struct schedules_fires *fires;
	struct schedules_stats *stats;
	struct schedule_mark marks[2] = {{"s1", 1000, NULL},
					 {"s2", 1000, "its \"queue\" is full"}};
	struct world w;
	size_t pruned;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	world_create(&w, 3, 1000);
	world_claim(&w, 2000, 9, NULL, &claimed);
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_unsent(w.schedules, 2000, 9, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 0);
	schedules_fires_free(fires);
	OK(&w, schedules_mark(w.schedules, marks, 2, 3000, &w.err));
	OK(&w, schedules_mark(w.schedules, marks, 2, 3001, &w.err));
	OK(&w, schedules_unsent(w.schedules, 2001, 9, &fires, &w.err));
	ck_assert_uint_eq(fires->n, 1);
	ck_assert_str_eq(fires->items[0].schedule, "s3");
	ck_assert_int_eq(fires->items[0].fire_us, 1000);
	ck_assert_int_eq(fires->items[0].created_us, 2000);
	ck_assert_str_eq(fires->items[0].task,
			 "{\"kwargs\": {\"a\\\\\\\"b\": \"'{},\xc3\xbc\"}}");
	schedules_fires_free(fires);
	OK(&w, schedules_stats(w.schedules, NULL, 9, &stats, &w.err));
	ck_assert_int_eq(stats->skipped[SCHEDULE_REFUSED], 1);
	ck_assert_int_eq(stats->unsent, 1);
	ck_assert_int_eq(stats->oldest_unsent_us, 2000);
	schedules_stats_free(stats);
	OK(&w, schedules_prune(w.schedules, 3000, 9, &pruned, &w.err));
	ck_assert_uint_eq(pruned, 0);
	OK(&w, schedules_prune(w.schedules, 3001, 1, &pruned, &w.err));
	ck_assert_uint_eq(pruned, 1);
	OK(&w, schedules_prune(w.schedules, INT64_MAX, 9, &pruned, &w.err));
	ck_assert_uint_eq(pruned, 1);
	world_close(&w);
}
END_TEST

static void
decide_stale(const struct schedule *schedule, struct schedule_verdict *verdict,
	     void *arg)
{
	verdict->next.next_run_us = verdict->next.due_us =
	    schedule->next_run_us + 1;
	verdict->next.tz_data = "new";
	verdict->skipped[SCHEDULE_LATE] = 2;
	if (strcmp(schedule->id, "b") == 0)
		verdict->fault = "the zone is gone";
}

START_TEST(schedules_of_other_time_zone_data_are_computed_anew)
{
	struct schedules_claim claim = {
	    .tz_data = "new", .limit = 1, .decide = decide_stale};
	static const char *const ids[] = {"a", "b", "c", "d"};
	static const char *const data[] = {"old", "old", "", "new"};
	struct schedules_claimed claimed;
	struct schedules_stats *stats;
	struct schedules_list *list;
	struct schedule s = full;
	struct world w;
	bool existing;
	int i;

	world_open(&w, _i);
	for (i = 0; i < 4; i++) {
		s.id = s.task = ids[i];
		s.tz_data = data[i];
		create(&w, &s, &existing);
	}
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_str_eq(claimed.last, "a");
	schedules_fires_free(claimed.fires);
	claim.after = "a";
	claim.limit = 10;
	OK(&w, schedules_claim(w.schedules, &claim, &claimed, &w.err));
	ck_assert_uint_eq(claimed.n, 1);
	ck_assert_uint_eq(claimed.set_aside, 1);
	schedules_fires_free(claimed.fires);
	list = get(&w, "b");
	ck_assert_str_eq(list->items->fault, "the zone is gone");
	ck_assert_int_eq(list->items->due_us, 0);
	schedules_list_free(list);
	list = get(&w, "a");
	ck_assert_int_eq(list->items->next_run_us, full.next_run_us + 1);
	ck_assert_str_eq(list->items->tz_data, "new");
	schedules_list_free(list);
	OK(&w, schedules_stats(w.schedules, "a", 9, &stats, &w.err));
	ck_assert_int_eq(stats->skipped[SCHEDULE_LATE], 2);
	ck_assert_int_eq(stats->schedules, 1);
	schedules_stats_free(stats);
	OK(&w, schedules_stats(w.schedules, NULL, 9, &stats, &w.err));
	ck_assert_int_eq(stats->skipped[SCHEDULE_LATE], 4);
	ck_assert_int_eq(stats->set_aside, 1);
	ck_assert_int_eq(stats->schedules, 4);
	schedules_stats_free(stats);
	world_close(&w);
}
END_TEST

/* --- health and changes -------------------------------------------------- */

START_TEST(schedulers_are_seen_until_they_say_farewell)
{
	struct schedules_scheduler me = {"h:1", "h", 77, 1, 2, 3, 4, 5};
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
	ck_assert_int_eq(stats->next_due_us, INT64_MAX);
	schedules_stats_free(stats);
	OK(&w, schedules_farewell(w.schedules, "h:1", &w.err));
	OK(&w, schedules_stats(w.schedules, NULL, 9, &stats, &w.err));
	ck_assert_uint_eq(stats->n_schedulers, 0);
	schedules_stats_free(stats);
	world_close(&w);
}
END_TEST

static void
create_one(struct world *w, int fd)
{
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
	OK(&w, schedules_wait(w.schedules, -1, -1, &woken, &w.err));
	ck_assert_int_eq(woken, SCHEDULES_CHANGED);
	OK(&w, schedules_wait(w.schedules, -1, 1, &woken, &w.err));
	ck_assert_int_eq(woken, SCHEDULES_TIMEOUT);
	ck_assert(schedules_fd(w.schedules) >= 0 ||
		  schedules_poll_ms(w.schedules) > 0);
	pid = world_fork(&w, create_one, fds[1]);
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

/* --- edits --------------------------------------------------------------- */

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

START_TEST(an_edit_changes_all_but_what_fires_change)
{
	struct schedule new = full;
	struct schedules_change change = {.schedule = &new,
					  .old_updated_us = 42,
					  .old_next_run_us = full.next_run_us};
	struct schedules_list *list;
	const struct schedule *s;
	struct world w;
	bool existing, done;

	world_open(&w, _i);
	create(&w, &full, &existing);
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
	/* These are not the edit's to change. */
	new.runs = 99;
	new.last_run_us = 98;
	new.created_us = 97;
	OK(&w, schedules_update(w.schedules, &change, 100, &done, &w.err));
	ck_assert(done);
	list = get(&w, "weekly");
	s = list->items;
	ck_assert_str_eq(s->task, "report.send_all");
	ck_assert_int_eq(s->type, SCHEDULE_INTERVAL);
	ck_assert_str_eq(s->rule, "90s");
	ck_assert_str_eq(s->tz, "");
	ck_assert_str_eq(s->args, full.args);
	ck_assert_str_eq(s->kwargs, "{}");
	ck_assert_str_eq(s->queue, "");
	ck_assert_str_eq(s->description, full.description);
	ck_assert(s->enabled);
	ck_assert_int_eq(s->settings.max_retries, 7);
	ck_assert(s->settings.retry.backoff == TASK_UNSET);
	ck_assert_int_eq(s->priority, 4);
	ck_assert_int_eq(s->misfire, SCHEDULE_SKIP);
	ck_assert_int_eq(s->max_runs, full.max_runs);
	ck_assert_int_eq(s->rule_us, 77);
	ck_assert_int_eq(s->next_run_us, new.next_run_us);
	ck_assert_int_eq(s->due_us, new.due_us);
	ck_assert_str_eq(s->tz_data, "");
	ck_assert_int_eq(s->updated_us, 100);
	ck_assert_int_eq(s->created_us, 42);
	ck_assert_int_eq(s->runs, 0);
	ck_assert_int_eq(s->last_run_us, 0);
	schedules_list_free(list);
	/* It is found by what it is now, and not by what it was. */
	new.id = NULL;
	ck_assert_str_eq(create(&w, &new, &existing), "weekly");
	ck_assert(existing);
	create(&w,
	       &(struct schedule){.id = "second",
				  .task = full.task,
				  .type = full.type,
				  .rule = full.rule,
				  .tz = full.tz,
				  .args = full.args,
				  .kwargs = full.kwargs,
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
	list = get(&w, "s1");
	ck_assert(edit(&w, list->items, "one", 2000));
	ck_assert(!edit(&w, list->items, "two", 3000));
	again = get(&w, "s1");
	ck_assert_str_eq(again->items->description, "one");
	/* A clock that is behind makes another version all the same. */
	ck_assert(edit(&w, again->items, "three", 5));
	schedules_list_free(list);
	list = get(&w, "s1");
	ck_assert_int_gt(list->items->updated_us, again->items->updated_us);
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
	list = get(&w, "s1");
	world_claim(&w, 1500, 9, &period, &claimed);
	ck_assert_uint_eq(claimed.fires->n, 1);
	schedules_fires_free(claimed.fires);
	ck_assert(!edit(&w, list->items, "late", 1600));
	again = get(&w, "s1");
	/* The version is the same: it can be tried again. */
	ck_assert_int_eq(again->items->updated_us, list->items->updated_us);
	ck_assert_int_eq(again->items->next_run_us, 2000);
	ck_assert(edit(&w, again->items, "late", 1600));
	schedules_list_free(list);
	schedules_list_free(again);
	list = get(&w, "s1");
	ck_assert_int_eq(list->items->runs, 1);
	ck_assert_int_eq(list->items->last_run_us, 1000);
	schedules_list_free(list);
	world_close(&w);
}
END_TEST

START_TEST(an_edit_into_an_identical_or_a_missing_schedule_is_refused)
{
	struct schedules_list *list;
	struct schedule new;
	struct schedules_change change = {.schedule = &new};
	struct world w;
	bool done = true;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	list = get(&w, "s2");
	new = *list->items;
	new.args = "[ 1 ]";
	change.old_updated_us = new.updated_us;
	change.old_next_run_us = new.next_run_us;
	ck_assert_int_eq(
	    schedules_update(w.schedules, &change, 9000, &done, &w.err), -1);
	ck_assert_int_eq(w.err.code, ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(w.err.msg, "schedule s1 "));
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
	schedules_disconnect(w.schedules);
	for (i = 0; i < 4; i++)
		pids[i] = world_fork(&w, edit_often, -1);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(world_reap(pids[i]), 0);
	list = get(&w, "s1");
	ck_assert_int_eq(list->items->updated_us, 1000 + 4 * 20);
	schedules_list_free(list);
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

/* Fires, and notes two more that it does not. */
static void
decide_with_skips(const struct schedule *schedule,
		  struct schedule_verdict *verdict, void *arg)
{
	const struct schedule_skip skips[] = {
	    {SCHEDULE_MERGED, schedule->next_run_us - 900,
	     schedule->next_run_us - 100, 3},
	    {SCHEDULE_OVERLAP, schedule->next_run_us + 5,
	     schedule->next_run_us + 5, 1}};
	size_t i;

	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(schedule_skip_add(verdict, &skips[i]), 0);
		verdict->skipped[skips[i].reason] += skips[i].n;
	}
	world_decide(schedule, verdict, arg);
}

static void
claim_with_skips(struct world *w, int64_t now_us)
{
	int64_t period = 1000;
	const struct schedules_claim claim = {.now_us = now_us,
					      .limit = 9,
					      .decide = decide_with_skips,
					      .arg = &period};
	struct schedules_claimed claimed;

	OK(w, schedules_claim(w->schedules, &claim, &claimed, &w->err));
	schedules_fires_free(claimed.fires);
}

static struct schedules_history *
history(struct world *w, const char *id, int64_t before_us, size_t limit)
{
	struct schedules_history *h;

	OK(w,
	   schedules_history(w->schedules, id, before_us, limit, &h, &w->err));
	return h;
}

START_TEST(a_history_has_what_was_sent_and_what_was_not_the_latest_first)
{
	static const struct {
		int64_t fire_us, n;
		enum schedule_outcome outcome;
		const char *task_id, *reason;
	} wanted[] = {
	    {2005, 1, SCHEDULE_SKIPPED, "", "overlap"},
	    {2000, 1, SCHEDULE_UNSENT, "s1:19700101T000000.002000Z", ""},
	    {1100, 3, SCHEDULE_MISSED, "", "merged"},
	    {1005, 1, SCHEDULE_SKIPPED, "", "overlap"},
	    {1000, 1, SCHEDULE_SENT, "s1:19700101T000000.001000Z", ""},
	    {100, 3, SCHEDULE_MISSED, "", "merged"},
	};
	const struct schedule_mark mark = {"s1", 1000, NULL};
	int64_t skipped[SCHEDULE_N_REASONS];
	struct schedules_history *h;
	struct world w;
	size_t i;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	claim_with_skips(&w, 1500);
	OK(&w, schedules_mark(w.schedules, &mark, 1, 1700, &w.err));
	claim_with_skips(&w, 2500);
	h = history(&w, "s1", INT64_MAX, 100);
	ck_assert_uint_eq(h->n, 6);
	for (i = 0; i < 6; i++) {
		ck_assert_int_eq(h->items[i].fire_us, wanted[i].fire_us);
		ck_assert_int_eq(h->items[i].n, wanted[i].n);
		ck_assert_int_eq(h->items[i].outcome, wanted[i].outcome);
		ck_assert_str_eq(h->items[i].task_id, wanted[i].task_id);
		ck_assert_str_eq(h->items[i].reason, wanted[i].reason);
	}
	ck_assert_int_eq(h->items[2].last_us, 1900);
	ck_assert_int_eq(h->items[4].sent_us, 1700);
	schedules_history_free(h);
	h = history(&w, "s1", 1100, 2);
	ck_assert_uint_eq(h->n, 2);
	ck_assert_int_eq(h->items[0].fire_us, 1005);
	ck_assert_int_eq(h->items[1].fire_us, 1000);
	schedules_history_free(h);
	OK(&w, schedules_skipped(w.schedules, "s1", skipped, &w.err));
	ck_assert_int_eq(skipped[SCHEDULE_MERGED], 6);
	ck_assert_int_eq(skipped[SCHEDULE_OVERLAP], 2);
	ck_assert_int_eq(skipped[SCHEDULE_LATE], 0);
	/* With the schedule go the notes; fires are gone on with. */
	OK(&w, schedules_delete(w.schedules, "s1", &w.err));
	h = history(&w, "s1", INT64_MAX, 100);
	ck_assert_uint_eq(h->n, 2);
	schedules_history_free(h);
	world_close(&w);
}
END_TEST

START_TEST(a_refused_fire_says_what_the_queue_said)
{
	const struct schedule_mark mark = {"s1", 1000, "the queue is full"};
	struct schedules_claimed claimed;
	struct schedules_history *h;
	struct world w;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_claim(&w, 1500, 9, NULL, &claimed);
	schedules_fires_free(claimed.fires);
	OK(&w, schedules_mark(w.schedules, &mark, 1, 1700, &w.err));
	h = history(&w, "s1", INT64_MAX, 9);
	ck_assert_uint_eq(h->n, 1);
	ck_assert_int_eq(h->items[0].outcome, SCHEDULE_SKIPPED);
	ck_assert_str_eq(h->items[0].reason, "refused");
	ck_assert_str_eq(h->items[0].refused, "the queue is full");
	ck_assert_str_eq(h->items[0].task_id, "");
	schedules_history_free(h);
	world_close(&w);
}
END_TEST

START_TEST(thinning_keeps_the_last_fires_and_those_that_are_young_or_not_sent)
{
	struct schedule_mark mark = {"s1", 0, NULL};
	char id[SCHEDULE_ID_MAX + 1] = "";
	struct schedules_history *h;
	struct world w;
	int64_t t;

	world_open(&w, _i);
	world_create(&w, 1, 1000);
	world_create(&w, 2, 1000);
	for (t = 1000; t <= 6000; t += 1000) {
		claim_with_skips(&w, t + 500);
		mark.fire_us = t;
		/* The second was never sent; the third is young. */
		if (t != 2000)
			OK(&w,
			   schedules_mark(w.schedules, &mark, 1,
					  t == 3000 ? 99000 : t + 600, &w.err));
	}
	OK(&w, schedules_thin(w.schedules, 2, 50000, id, &w.err));
	ck_assert_str_eq(id, "s1");
	h = history(&w, "s1", INT64_MAX, 100);
	/* 6000, 5000, 3000 and 2000; and two notes. */
	ck_assert_uint_eq(h->n, 6);
	ck_assert_int_eq(h->items[0].fire_us, 6005);
	ck_assert_int_eq(h->items[1].fire_us, 6000);
	ck_assert_int_eq(h->items[2].fire_us, 5100);
	ck_assert_int_eq(h->items[3].fire_us, 5000);
	ck_assert_int_eq(h->items[4].fire_us, 3000);
	ck_assert_int_eq(h->items[5].fire_us, 2000);
	schedules_history_free(h);
	/* The other one is the next, and keeps all: none was sent. */
	OK(&w, schedules_thin(w.schedules, 2, 50000, id, &w.err));
	ck_assert_str_eq(id, "s2");
	OK(&w, schedules_thin(w.schedules, 2, 50000, id, &w.err));
	ck_assert_str_eq(id, "");
	h = history(&w, "s2", INT64_MAX, 100);
	ck_assert_uint_eq(h->n, 6 + 2);
	schedules_history_free(h);
	world_close(&w);
}
END_TEST

SUITE("schedules")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST_LOOP(a_schedule_comes_back_as_it_was_stored, 0, N_WORLDS);
	TEST_LOOP(an_identical_schedule_returns_the_id_of_the_first, 0,
		  N_WORLDS);
	TEST_LOOP(bad_values_are_refused_by_name, 0, N_WORLDS);
	TEST_LOOP(a_list_has_what_the_filter_says_and_can_be_gone_on_with, 0,
		  N_WORLDS);
	TEST_LOOP(what_is_disabled_is_not_due_until_it_is_enabled, 0, N_WORLDS);
	TEST_LOOP(a_claim_fires_what_is_due_the_longest_due_first, 0, N_WORLDS);
	TEST_LOOP(a_fire_that_is_in_the_outbox_is_not_given_again, 0, N_WORLDS);
	TEST_LOOP(unsent_fires_are_shown_until_they_are_marked_and_pruned_after,
		  0, N_WORLDS);
	TEST_LOOP(schedules_of_other_time_zone_data_are_computed_anew, 0,
		  N_WORLDS);
	TEST_LOOP(schedulers_are_seen_until_they_say_farewell, 0, N_WORLDS);
	TEST_LOOP(who_waits_is_woken_by_a_change, 0, N_WORLDS);
	TEST_LOOP(an_edit_changes_all_but_what_fires_change, 0, N_WORLDS);
	TEST_LOOP(of_two_edits_of_one_version_the_first_is_done, 0, N_WORLDS);
	TEST_LOOP(an_edit_that_a_claim_has_overtaken_is_not_done, 0, N_WORLDS);
	TEST_LOOP(an_edit_into_an_identical_or_a_missing_schedule_is_refused, 0,
		  N_WORLDS);
	TEST_LOOP(edits_of_several_processes_are_done_one_after_the_other, 0,
		  N_WORLDS);
	TEST_LOOP(a_list_by_due_time_goes_on_behind_the_last_one, 0, N_WORLDS);
	TEST_LOOP(a_history_has_what_was_sent_and_what_was_not_the_latest_first,
		  0, N_WORLDS);
	TEST_LOOP(a_refused_fire_says_what_the_queue_said, 0, N_WORLDS);
	TEST_LOOP(
	    thinning_keeps_the_last_fires_and_those_that_are_young_or_not_sent,
	    0, N_WORLDS);
}
