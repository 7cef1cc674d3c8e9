/* SPDX-License-Identifier: MIT */
/* Which schedules fire, and when: on time, late, edited, with a clock that is
 * set. */
#include <stdlib.h>
#include <string.h>

#include "beat/scene.h"
#include "schedules/health.h"
#include "suite.h"
#include "util/conf.h"

/* --- its time ---------------------------------------------------------- */

START_TEST(a_schedule_fires_at_its_time)
{
	struct scene *s = beat_scene_new(NULL);
	const int64_t due_us = clock_wall_us() + 50000;
	const struct schedule schedule = beat_scene_schedule("a", due_us);

	beat_scene_run(s);
	beat_scene_store(s, &schedule);
	FAKE_WAIT(&s->store, s->store.n_submitted > 0);
	ck_assert_int_ge(clock_wall_us(), due_us);
	beat_scene_fired(s, "a", due_us);
	ck_assert_uint_eq(s->store.n_submitted, 1);
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT due_us FROM flowrra_schedules"),
	    due_us + 60 * SECOND_US);
	ck_assert_ptr_nonnull(strstr(s->store.submitted.data, "@io; "));
	beat_scene_free(s);
}
END_TEST

START_TEST(the_last_fire_of_a_schedule_ends_it)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);

	schedule.max_runs = 1;
	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_pass(s, HOUR_US);
	beat_scene_decided(s);
	ck_assert_uint_eq(s->store.n_submitted, 2); /* and the canary */
	ck_assert_int_eq(beat_scene_number(s,
					   "SELECT due_us IS NULL FROM"
					   " flowrra_schedules WHERE id = 'a'"),
			 1);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_task_goes_where_its_module_or_its_schedule_says)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);

	s->store.registration = "{\"queue\":\"gpu\",\"max_retries\":4}";
	beat_scene_store(s, &schedule);
	schedule.id = "b";
	schedule.queue = "mail";
	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_fired(s, "b", s->now_us);
	ck_assert_ptr_nonnull(strstr(s->store.submitted.data, "Z@gpu; "));
	ck_assert_ptr_nonnull(strstr(s->store.submitted.data, "Z@mail; "));
	ck_assert_ptr_nonnull(
	    strstr(s->store.last_task.data, "\"max_retries\":4"));
	/* What was sent stays in the outbox, without its text. */
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT count(*) FROM flowrra_fires WHERE"
				 " marked_us IS NOT NULL AND body = ''"),
	    2);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_schedule_waits_while_nobody_can_tell_its_defaults)
{
	struct scene *s = beat_scene_new(NULL);
	const struct schedule schedule = beat_scene_schedule("a", s->now_us);

	err_set(&s->store.value_err, ERR_UNAVAILABLE, "no answer");
	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	/* Postponed: it is due, but later. */
	FAKE_WAIT(&s->store,
		  beat_scene_number(s, "SELECT due_us FROM flowrra_schedules") >
		      s->now_us);
	ck_assert_uint_eq(s->store.n_submitted, 0);
	s->store.value_err.code = ERR_NONE;
	beat_scene_pass(s, 3 * SECOND_US);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_registration_that_makes_no_sense_is_none)
{
	struct scene *s = beat_scene_new(NULL);
	const struct schedule schedule = beat_scene_schedule("a", s->now_us);

	s->store.registration = "{\"queue\":";
	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	ck_assert_ptr_nonnull(strstr(s->store.submitted.data, "Z@io; "));
	beat_scene_free(s);
}
END_TEST

START_TEST(a_rule_that_is_wrong_sets_its_schedule_aside)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);
	char *fault;

	schedule.type = SCHEDULE_CRON;
	schedule.rule = "61 * * * *";
	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_decided(s);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 0);
	fault = world_ask(&s->world, "SELECT fault FROM flowrra_schedules"
				     " WHERE id = 'a' AND due_us IS NULL");
	ck_assert_ptr_nonnull(strstr(fault, "61"));
	free(fault);
	beat_scene_free(s);
}
END_TEST

/* --- outages ----------------------------------------------------------- */

/* Nobody was there for eleven fires, the last of them 30 s ago. */
static const struct outage {
	enum schedule_misfire misfire;
	int64_t grace_s, max_catchup;
	unsigned int first, n; /* which became tasks */
	enum schedule_reason reason;
	int64_t skipped;
} outages[] = {
    {SCHEDULE_LATEST, -1, 0, 10, 1, SCHEDULE_MERGED, 10},
    {SCHEDULE_LATEST, 20, 0, 0, 0, SCHEDULE_LATE, 11},
    {SCHEDULE_ALL, -1, 0, 0, 11, SCHEDULE_LATE, 0},
    {SCHEDULE_ALL, -1, 3, 8, 3, SCHEDULE_CATCHUP, 8},
    {SCHEDULE_ALL, 100, 0, 9, 2, SCHEDULE_LATE, 9},
    {SCHEDULE_SKIP, -1, 0, 0, 0, SCHEDULE_MISFIRE, 11},
    {SCHEDULE_SKIP, 60, 0, 10, 1, SCHEDULE_LATE, 10},
};

START_TEST(an_outage_is_caught_up_with_as_its_policy_says)
{
	const struct outage *o = &outages[_i];
	struct scene *s = beat_scene_new(NULL);
	const int64_t start_us = s->now_us - 630 * SECOND_US;
	struct schedule schedule = beat_scene_schedule("a", start_us);
	struct schedules_stats *stats;
	unsigned int i;

	schedule.misfire = o->misfire;
	schedule.max_catchup = o->max_catchup;
	if (o->grace_s >= 0)
		schedule.grace_us = o->grace_s * SECOND_US;
	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_decided(s);
	for (i = 0; i < 11; i++)
		ck_assert_uint_eq(
		    beat_scene_sent(s, "a", start_us + i * 60 * SECOND_US),
		    i >= o->first && i < o->first + o->n);
	OK(&s->world, schedules_stats(s->world.schedules, "a", clock_wall_us(),
				      &stats, &s->world.err));
	ck_assert_int_eq(stats->skipped[o->reason], o->skipped);
	ck_assert_int_eq(stats->next_due_us, start_us + 660 * SECOND_US);
	schedules_stats_free(stats);
	beat_scene_free(s);
}
END_TEST

START_TEST(nothing_is_claimed_while_the_broker_is_away)
{
	struct scene *s = beat_scene_new(NULL);
	const struct schedule schedule = beat_scene_schedule("a", s->now_us);
	struct beat_scene_beat *b = beat_scene_run(s);
	int i;

	beat_scene_reach(b, false);
	beat_scene_store(s, &schedule);
	/* It has gone through two turns, and says that it lives: a claim would
	 * take one to ask and one to decide. */
	for (i = 1; i <= 2; i++) {
		beat_scene_pass(s, 20 * SECOND_US);
		FAKE_WAIT(&s->store,
			  beat_scene_number(
			      s, "SELECT seen_us FROM flowrra_schedulers") >=
			      s->now_us + i * 20 * SECOND_US);
	}
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT due_us FROM flowrra_schedules"),
	    s->now_us);
	ck_assert_uint_eq(s->store.n_submitted, 0);
	beat_scene_reach(b, true);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_scheduler_that_is_disabled_fires_when_it_is_enabled)
{
	struct scene *s = beat_scene_new("scheduler.enabled=no");
	const struct schedule schedule = beat_scene_schedule("a", s->now_us);

	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT count(*) FROM flowrra_fires"), 0);
	s->conf->scheduler.enabled = true;
	beat_scene_pass(s, 0);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_free(s);
}
END_TEST

/* --- overlap ----------------------------------------------------------- */

#define RECORD(status)                                                         \
	"{\"task_id\":\"a\",\"name\":\"add\",\"status\":\"" status "\","       \
	"\"queue\":\"io\"}"

static struct scene *
begin_overlap(const char *record)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);

	schedule.overlap = SCHEDULE_OVERLAP_SKIP;
	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	s->store.stored = record;
	return s;
}

START_TEST(a_fire_is_skipped_while_the_last_task_runs)
{
	struct scene *s = begin_overlap(RECORD("running"));
	const int64_t minute_us = 60 * SECOND_US;
	char id[SCHEDULE_TASK_ID_SIZE];

	schedule_fire_id("a", SCHEDULE_TASK, s->now_us, id);
	s->store.viewed = id;
	s->store.viewed_place = BROKER_IN_FLIGHT;
	beat_scene_pass(s, minute_us);
	FAKE_WAIT(&s->store,
		  beat_scene_number(s, "SELECT n FROM flowrra_skips"
				       " WHERE reason = 'overlap'") == 1);
	s->store.stored = RECORD("success");
	beat_scene_pass(s, minute_us);
	beat_scene_fired(s, "a", s->now_us + 2 * minute_us);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us + minute_us), 0);
	beat_scene_free(s);
}
END_TEST

/* An answer that is missing must not be taken for a task that has finished. */
START_TEST(a_fire_waits_until_the_last_tasks_record_can_be_read)
{
	struct scene *s = begin_overlap(NULL);
	const int64_t fire_us = s->now_us + 60 * SECOND_US;

	err_set(&s->store.get_err, ERR_UNAVAILABLE, "no answer");
	beat_scene_pass(s, 60 * SECOND_US);
	FAKE_WAIT(&s->store,
		  beat_scene_number(s, "SELECT due_us FROM flowrra_schedules") >
		      fire_us);
	ck_assert_uint_eq(s->store.n_submitted, 1);
	s->store.get_err.code = ERR_NONE;
	beat_scene_pass(s, 3 * SECOND_US);
	beat_scene_fired(s, "a", fire_us);
	beat_scene_free(s);
}
END_TEST

/* The broker has lost the task: its record says for ever what it said. Looked for
 * twice, for it may have moved; then the fire is on time still. */
START_TEST(a_task_that_is_nowhere_does_not_hold_up_the_next_one)
{
	static const char *const records[] = {
	    RECORD("pending"), RECORD("running"), RECORD("retrying")};
	struct scene *s = begin_overlap(records[_i]);
	const int64_t fire_us = s->now_us + 60 * SECOND_US;

	beat_scene_pass(s, 60 * SECOND_US);
	FAKE_WAIT(&s->store,
		  beat_scene_number(s, "SELECT due_us FROM flowrra_schedules") >
		      fire_us);
	/* Waiting, with a worker, delayed. */
	ck_assert_uint_eq(s->store.views, 3);
	ck_assert_uint_eq(s->store.n_submitted, 1);
	beat_scene_pass(s, 2 * SECOND_US + SECOND_US / 2);
	beat_scene_fired(s, "a", fire_us);
	ck_assert_uint_eq(s->store.views, 6);
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT count(*) FROM flowrra_skips"), 0);
	beat_scene_free(s);
}
END_TEST

/* In each place; and one whose record changes while it is looked for. */
START_TEST(a_task_that_is_somewhere_holds_up_the_next_one)
{
	static const enum broker_location places[] = {
	    BROKER_WAITING, BROKER_IN_FLIGHT, BROKER_DELAYED};
	struct scene *s = begin_overlap(RECORD("pending"));
	char id[SCHEDULE_TASK_ID_SIZE], task[sizeof(id) + 64];

	schedule_fire_id("a", SCHEDULE_TASK, s->now_us, id);
	snprintf(task, sizeof(task), "{\"id\":\"%s\",\"name\":\"add\"}", id);
	s->store.viewed = task;
	s->store.viewed_place = places[_i];
	beat_scene_pass(s, 60 * SECOND_US);
	FAKE_WAIT(&s->store,
		  beat_scene_number(s, "SELECT n FROM flowrra_skips"
				       " WHERE reason = 'overlap'") == 1);
	ck_assert_uint_eq(s->store.views, (unsigned int)_i + 1);
	ck_assert_uint_eq(s->store.n_submitted, 1);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_task_whose_record_changes_is_not_lost)
{
	struct scene *s = begin_overlap(RECORD("pending"));
	const int64_t fire_us = s->now_us + 60 * SECOND_US;

	beat_scene_pass(s, 60 * SECOND_US);
	FAKE_WAIT(&s->store,
		  beat_scene_number(s, "SELECT due_us FROM flowrra_schedules") >
		      fire_us);
	s->store.stored = RECORD("running");
	beat_scene_pass(s, 2 * SECOND_US + SECOND_US / 2);
	FAKE_WAIT(&s->store,
		  beat_scene_number(s, "SELECT n FROM flowrra_skips"
				       " WHERE reason = 'overlap'") == 1);
	ck_assert_uint_eq(s->store.n_submitted, 1);
	beat_scene_free(s);
}
END_TEST

/* A long queue is not read whole: the task counts as unfinished. */
START_TEST(what_is_asked_of_a_long_queue_is_bounded)
{
	struct scene *s = begin_overlap(RECORD("pending"));

	s->store.endless_view = true;
	beat_scene_pass(s, 60 * SECOND_US);
	FAKE_WAIT(&s->store,
		  beat_scene_number(s, "SELECT n FROM flowrra_skips"
				       " WHERE reason = 'overlap'") == 1);
	ck_assert_uint_eq(s->store.views, 20);
	beat_scene_free(s);
}
END_TEST

/* --- edits ------------------------------------------------------------- */

/* A schedule that is due and whose task's defaults are being asked for. */
static struct scene *
begin_edit(void)
{
	struct scene *s = beat_scene_new(NULL);
	const struct schedule schedule = beat_scene_schedule("a", s->now_us);

	beat_scene_store(s, &schedule);
	s->store.hold_values = true;
	beat_scene_run(s);
	FAKE_WAIT(&s->store, fake_store_unanswered(&s->store) > 0);
	return s;
}

START_TEST(a_schedule_that_is_disabled_while_due_does_not_fire)
{
	struct scene *s = begin_edit();

	OK(&s->world, schedules_disable(s->world.schedules, "a",
					clock_wall_us(), &s->world.err));
	s->store.hold_values = false;
	beat_scene_decided(s);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 0);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_schedule_that_is_deleted_while_due_does_not_fire)
{
	struct scene *s = begin_edit();

	OK(&s->world, schedules_delete(s->world.schedules, "a", &s->world.err));
	s->store.hold_values = false;
	beat_scene_decided(s);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 0);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_schedule_that_is_moved_while_due_fires_at_the_new_time)
{
	struct scene *s = begin_edit();
	const int64_t later_us = s->now_us + HOUR_US;
	const struct schedule_next next = {.next_run_us = later_us,
					   .due_us = later_us};
	bool done;

	OK(&s->world, schedules_set_next(s->world.schedules, "a", s->now_us,
					 &next, &done, &s->world.err));
	ck_assert(done);
	s->store.hold_values = false;
	beat_scene_decided(s);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 0);
	beat_scene_pass(s, HOUR_US);
	beat_scene_fired(s, "a", later_us);
	beat_scene_free(s);
}
END_TEST

/* --- clocks and zones -------------------------------------------------- */

START_TEST(a_clock_that_is_set_forward_fires_what_became_due)
{
	struct scene *s = beat_scene_new(NULL);
	const int64_t due_us = s->now_us + HOUR_US;
	const struct schedule schedule = beat_scene_schedule("a", due_us);

	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_decided(s);
	ck_assert_uint_eq(beat_scene_sent(s, "a", due_us), 0);
	beat_scene_step(s, HOUR_US);
	beat_scene_fired(s, "a", due_us);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_clock_that_is_set_back_fires_nothing_twice)
{
	struct scene *s = beat_scene_new(NULL);
	const int64_t next_us = s->now_us + 60 * SECOND_US;
	const struct schedule schedule = beat_scene_schedule("a", s->now_us);

	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_step(s, -HOUR_US);
	beat_scene_decided(s);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 1);
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT due_us FROM flowrra_schedules"
				 " WHERE id = 'a'"),
	    next_us);
	beat_scene_step(s, HOUR_US + 60 * SECOND_US);
	beat_scene_fired(s, "a", next_us);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 1);
	beat_scene_free(s);
}
END_TEST

START_TEST(next_runs_of_old_zone_data_are_computed_again)
{
	struct scene *s = beat_scene_new(NULL);
	const int64_t wrong_us = s->now_us + 7 * SECOND_US + 700 * HOUR_US;
	struct schedule schedule = beat_scene_schedule("a", wrong_us);

	schedule.type = SCHEDULE_CRON;
	schedule.rule = "30 4 * * *";
	schedule.tz = "Europe/Berlin";
	schedule.tz_data = "1999z";
	schedule.start_us = 0;
	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	FAKE_WAIT(&s->store, beat_scene_number(
				 s,
				 "SELECT tz_data <> '1999z' AND"
				 " next_run_us %% 1800000000 = 0 AND"
				 " next_run_us < %lld FROM flowrra_schedules",
				 (long long)(s->now_us + 25 * HOUR_US)) == 1);
	ck_assert_uint_eq(s->store.n_submitted, 0);
	beat_scene_free(s);
}
END_TEST

SUITE("beat_fire")
{
	TEST(a_schedule_fires_at_its_time);
	TEST(the_last_fire_of_a_schedule_ends_it);
	TEST(a_task_goes_where_its_module_or_its_schedule_says);
	TEST(a_schedule_waits_while_nobody_can_tell_its_defaults);
	TEST(a_registration_that_makes_no_sense_is_none);
	TEST(a_rule_that_is_wrong_sets_its_schedule_aside);
	TEST_LOOP(an_outage_is_caught_up_with_as_its_policy_says, 0,
		  (int)(sizeof(outages) / sizeof(outages[0])));
	TEST(nothing_is_claimed_while_the_broker_is_away);
	TEST(a_scheduler_that_is_disabled_fires_when_it_is_enabled);
	TEST(a_fire_is_skipped_while_the_last_task_runs);
	TEST_LOOP(a_task_that_is_nowhere_does_not_hold_up_the_next_one, 0, 3);
	TEST_LOOP(a_task_that_is_somewhere_holds_up_the_next_one, 0, 3);
	TEST(a_task_whose_record_changes_is_not_lost);
	TEST(what_is_asked_of_a_long_queue_is_bounded);
	TEST(a_fire_waits_until_the_last_tasks_record_can_be_read);
	TEST(a_schedule_that_is_disabled_while_due_does_not_fire);
	TEST(a_schedule_that_is_deleted_while_due_does_not_fire);
	TEST(a_schedule_that_is_moved_while_due_fires_at_the_new_time);
	TEST(a_clock_that_is_set_forward_fires_what_became_due);
	TEST(a_clock_that_is_set_back_fires_nothing_twice);
	TEST(next_runs_of_old_zone_data_are_computed_again);
}
