/* SPDX-License-Identifier: MIT */
/* Fires that take the place of the last task of their schedule. */
#include <stdio.h>
#include <string.h>

#include "beat/scene.h"
#include "suite.h"
#include "util/log.h"

#define MINUTE_US (60 * SECOND_US)
#define RECORD(members)                                                        \
	"{\"task_id\":\"a\",\"name\":\"add\",\"queue\":\"io\"," members "}"
#define PENDING RECORD("\"status\":\"pending\"")
#define RUNNING RECORD("\"status\":\"running\",\"worker\":\"w1\"")
#define FOREIGN RECORD("\"status\":\"running\"")
#define RETRYING RECORD("\"status\":\"retrying\",\"worker\":\"w1\"")
#define ENDED RECORD("\"status\":\"success\"")

/* A schedule whose first task is this record, and in that place. */
struct replacing {
	struct scene *scene;
	struct beat_scene_beat *beat;
	char task[SCHEDULE_TASK_ID_SIZE + 64];
	int64_t fire_us; /* the one to come */
	int log;
};

struct policies {
	enum schedule_misfire misfire;
	int64_t grace_us;
};

static void
begin_with(struct replacing *r, const struct policies *policies,
	   const char *record)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);
	char id[SCHEDULE_TASK_ID_SIZE];

	schedule.overlap = SCHEDULE_OVERLAP_REPLACE;
	schedule.misfire = policies->misfire;
	schedule.grace_us = policies->grace_us;
	beat_scene_store(s, &schedule);
	r->log = beat_scene_log();
	log_set_level(LOG_LEVEL_info);
	r->beat = beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	schedule_fire_id("a", SCHEDULE_TASK, s->now_us, id);
	snprintf(r->task, sizeof(r->task), "{\"id\":\"%s\",\"name\":\"add\"}",
		 id);
	s->store.stored = record;
	r->scene = s;
	r->fire_us = s->now_us + MINUTE_US;
}

static void
begin_replacing(struct replacing *r, const char *record)
{
	const struct policies policies = {SCHEDULE_LATEST, SCHEDULE_UNSET};

	begin_with(r, &policies, record);
}

static void
place_task(struct replacing *r, enum broker_location place)
{
	r->scene->store.viewed = r->task;
	r->scene->store.viewed_place = place;
}

/* Each fire became one task. */
static void
end_replacing(struct replacing *r)
{
	beat_scene_fired(r->scene, "a", r->fire_us);
	beat_scene_decided(r->scene);
	ck_assert_uint_eq(beat_scene_sent(r->scene, "a", r->fire_us), 1);
	ck_assert_uint_eq(beat_scene_sent(r->scene, "a", r->scene->now_us), 1);
	ck_assert_int_eq(
	    beat_scene_number(r->scene, "SELECT count(*) FROM flowrra_skips"),
	    0);
	beat_scene_free(r->scene);
}

/* In its queue, or delayed. */
START_TEST(a_task_that_waits_is_taken_out_before_its_replacement_is_in)
{
	static const enum broker_location places[] = {BROKER_WAITING,
						      BROKER_DELAYED};
	struct replacing r;

	begin_replacing(&r, _i == 0 ? PENDING : RETRYING);
	place_task(&r, places[_i]);
	beat_scene_pass(r.scene, MINUTE_US);
	beat_scene_fired(r.scene, "a", r.fire_us);
	ck_assert(
	    fake_store_saw(&r.scene->store, "submit; remove; failed; submit"));
	ck_assert_ptr_null(r.scene->store.viewed);
	ck_assert_ptr_nonnull(strstr(r.scene->store.last_record.data,
				     "\"reason\":\"cancelled\""));
	ck_assert(r.scene->store.last_put.final);
	ck_assert_int_gt(r.scene->store.last_put.ttl_s, 0);
	ck_assert_uint_eq(beat_scene_logged(r.log, "was cancelled"), 1);
	end_replacing(&r);
}
END_TEST

START_TEST(a_task_that_runs_is_cancelled_and_waited_for)
{
	struct replacing r;

	begin_replacing(&r, RUNNING);
	place_task(&r, BROKER_IN_FLIGHT);
	beat_scene_pass(r.scene, MINUTE_US);
	FAKE_WAIT(&r.scene->store, fake_store_saw(&r.scene->store, "order"));
	ck_assert_ptr_nonnull(
	    strstr(r.scene->store.last_order.data, "\"cancel\""));
	ck_assert_ptr_nonnull(strstr(r.scene->store.last_order.data, "\"a:20"));
	/* For as long as its record does not say that it has ended. */
	FAKE_WAIT(&r.scene->store, r.scene->store.views > 3);
	ck_assert_uint_eq(beat_scene_sent(r.scene, "a", r.fire_us), 0);
	r.scene->store.stored = ENDED;
	beat_scene_fired(r.scene, "a", r.fire_us);
	ck_assert(!fake_store_saw(&r.scene->store, "remove"));
	ck_assert_uint_eq(beat_scene_logged(r.log, "has ended: a later"), 1);
	end_replacing(&r);
}
END_TEST

START_TEST(a_task_that_has_ended_costs_a_question_only)
{
	struct replacing r;

	begin_replacing(&r, ENDED);
	beat_scene_pass(r.scene, MINUTE_US);
	beat_scene_fired(r.scene, "a", r.fire_us);
	ck_assert(!fake_store_saw(&r.scene->store, "remove"));
	ck_assert(!fake_store_saw(&r.scene->store, "order"));
	ck_assert_uint_eq(r.scene->store.views, 0);
	end_replacing(&r);
}
END_TEST

/* A handler that takes no notice, or a worker that is away. */
START_TEST(a_task_that_does_not_end_is_waited_for_3_s)
{
	struct replacing r;

	begin_replacing(&r, RUNNING);
	place_task(&r, BROKER_IN_FLIGHT);
	beat_scene_pass(r.scene, MINUTE_US);
	FAKE_WAIT(&r.scene->store, fake_store_saw(&r.scene->store, "order"));
	ck_assert_uint_eq(beat_scene_sent(r.scene, "a", r.fire_us), 0);
	beat_scene_pass(r.scene, 3 * SECOND_US);
	beat_scene_fired(r.scene, "a", r.fire_us);
	ck_assert_uint_eq(beat_scene_logged(r.log, "may run beside it"), 1);
	end_replacing(&r);
}
END_TEST

/* It takes a task out of the queue, and tells the record only. */
START_TEST(a_task_of_another_programs_worker_is_not_waited_for)
{
	struct replacing r;

	begin_replacing(&r, FOREIGN);
	beat_scene_pass(r.scene, MINUTE_US);
	beat_scene_fired(r.scene, "a", r.fire_us);
	ck_assert_uint_eq(
	    beat_scene_logged(r.log, "at a worker of another program"), 1);
	/* Twice it was looked for, in three places. */
	ck_assert_uint_eq(r.scene->store.views, 6);
	ck_assert(!fake_store_saw(&r.scene->store, "failed"));
	end_replacing(&r);
}
END_TEST

/* A broker that lost its queues; or who took it out has died. */
START_TEST(a_task_that_is_nowhere_is_over)
{
	struct replacing r;

	begin_replacing(&r, PENDING);
	beat_scene_pass(r.scene, MINUTE_US);
	beat_scene_fired(r.scene, "a", r.fire_us);
	ck_assert(fake_store_saw(&r.scene->store, "failed; submit"));
	ck_assert_uint_eq(r.scene->store.views, 6);
	end_replacing(&r);
}
END_TEST

START_TEST(a_store_that_cannot_tell_holds_a_replacement_up_for_3_s)
{
	struct replacing r;

	begin_replacing(&r, PENDING);
	err_set(&r.scene->store.get_err, ERR_UNAVAILABLE, "no answer");
	beat_scene_pass(r.scene, MINUTE_US);
	FAKE_WAIT(&r.scene->store,
		  beat_scene_number(r.scene, "SELECT due_us > next_run_us FROM"
					     " flowrra_schedules") == 1);
	ck_assert_uint_eq(beat_scene_sent(r.scene, "a", r.fire_us), 0);
	beat_scene_pass(r.scene, 3 * SECOND_US);
	beat_scene_fired(r.scene, "a", r.fire_us);
	ck_assert_uint_eq(beat_scene_logged(r.log, "no answer"), 1);
	r.scene->store.get_err.code = ERR_NONE;
	end_replacing(&r);
}
END_TEST

/* The clock comes to `late_us` after the next fire. Whether that became a task; a
 * machine that is slow at this moment misses it, and the fire after it is tried. */
static bool
fires_late(struct replacing *r, int64_t late_us)
{
	struct scene *s = r->scene;

	beat_scene_pass(s, r->fire_us + late_us - clock_wall_us());
	FAKE_WAIT(&s->store,
		  beat_scene_sent(s, "a", r->fire_us) > 0 ||
		      beat_scene_number(s,
					"SELECT count(*) FROM flowrra_skips"
					" WHERE last_us >= %lld",
					(long long)r->fire_us) > 0);
	if (beat_scene_sent(s, "a", r->fire_us) > 0)
		return true;
	r->fire_us += MINUTE_US;
	return false;
}

/* Which would be dropped by their policies if they waited as long as others. */
START_TEST(a_fire_that_would_be_missed_does_not_wait)
{
	static const struct {
		struct policies policies;
		int64_t late_us;
	} rows[] = {
	    {{SCHEDULE_SKIP, SCHEDULE_UNSET}, 4100000},
	    {{SCHEDULE_SKIP, 6 * SECOND_US}, 5100000},
	    {{SCHEDULE_LATEST, 5 * SECOND_US}, 4100000},
	    {{SCHEDULE_ALL, 4 * SECOND_US}, 3100000},
	};
	struct replacing r;
	unsigned int tries;

	begin_with(&r, &rows[_i].policies, RUNNING);
	place_task(&r, BROKER_IN_FLIGHT);
	for (tries = 1; !fires_late(&r, rows[_i].late_us); tries++)
		ck_assert_uint_lt(tries, 5);
	ck_assert_uint_eq(beat_scene_logged(r.log, "may run beside it"), 1);
	ck_assert_uint_eq(beat_scene_sent(r.scene, "a", r.fire_us), 1);
	beat_scene_free(r.scene);
}
END_TEST

/* At whatever point the first one dies, the second one begins again. */
START_TEST(a_scheduler_that_dies_while_it_cancels_loses_no_fire)
{
	struct replacing r;

	begin_replacing(&r, PENDING);
	place_task(&r, BROKER_WAITING);
	r.scene->store.hold_records = true;
	beat_scene_pass(r.scene, MINUTE_US);
	FAKE_WAIT(&r.scene->store,
		  r.scene->store.viewed == NULL &&
		      fake_store_saw(&r.scene->store, "failed"));
	ck_assert_uint_eq(beat_scene_sent(r.scene, "a", r.fire_us), 0);
	/* What it stored is lost: its record says for ever "pending". */
	TAILQ_INIT(&r.scene->store.puts);
	beat_scene_kill(r.beat);
	r.scene->store.hold_records = false;
	beat_scene_run(r.scene);
	beat_scene_fired(r.scene, "a", r.fire_us);
	ck_assert(fake_store_saw(&r.scene->store, "failed; submit"));
	end_replacing(&r);
}
END_TEST

START_TEST(a_scheduler_that_dies_after_it_cancelled_loses_no_fire)
{
	struct replacing r;

	begin_replacing(&r, RUNNING);
	place_task(&r, BROKER_IN_FLIGHT);
	beat_scene_pass(r.scene, MINUTE_US);
	FAKE_WAIT(&r.scene->store, fake_store_saw(&r.scene->store, "order"));
	beat_scene_kill(r.beat);
	ck_assert_uint_eq(beat_scene_sent(r.scene, "a", r.fire_us), 0);
	r.scene->store.stored = ENDED;
	beat_scene_run(r.scene);
	end_replacing(&r);
}
END_TEST

START_TEST(two_schedulers_replace_a_task_once)
{
	struct replacing r;

	begin_replacing(&r, PENDING);
	place_task(&r, BROKER_WAITING);
	beat_scene_run(r.scene);
	beat_scene_pass(r.scene, MINUTE_US);
	end_replacing(&r);
}
END_TEST

/* Else its record would say that it waits, until somebody looks for it. */
START_TEST(a_scheduler_that_stops_stores_first_what_it_took_out)
{
	struct replacing r;
	unsigned int i;

	begin_replacing(&r, PENDING);
	place_task(&r, BROKER_WAITING);
	r.scene->store.hold_records = true;
	beat_scene_pass(r.scene, MINUTE_US);
	FAKE_WAIT(&r.scene->store, fake_store_saw(&r.scene->store, "failed"));
	beat_stop(r.beat->beat);
	for (i = 0; i < 5; i++)
		fake_store_turn(&r.scene->store);
	ck_assert(!r.beat->stopped);
	r.scene->store.hold_records = false;
	FAKE_WAIT(&r.scene->store, r.beat->stopped);
	ck_assert_uint_eq(beat_scene_sent(r.scene, "a", r.fire_us), 0);
	beat_scene_free(r.scene);
}
END_TEST

/* Claimed by a scheduler that has died, and sent by nobody yet: its task is waited
 * for, and replaced then. */
START_TEST(a_task_that_is_not_queued_yet_is_waited_for)
{
	struct replacing r;

	begin_replacing(&r, NULL);
	world_run(&r.scene->world,
		  "UPDATE flowrra_schedules SET last_run_us = next_run_us"
		  " - 1000000 WHERE id = 'a'");
	beat_scene_pass(r.scene, MINUTE_US);
	FAKE_WAIT(&r.scene->store,
		  beat_scene_number(r.scene, "SELECT due_us > next_run_us FROM"
					     " flowrra_schedules") == 1);
	ck_assert_uint_eq(beat_scene_sent(r.scene, "a", r.fire_us), 0);
	r.scene->store.stored = ENDED;
	beat_scene_pass(r.scene, SECOND_US);
	end_replacing(&r);
}
END_TEST

/* The schedule was put off while its task was being cancelled: then the wait, and
 * what was done meanwhile, are of another time. */
START_TEST(what_was_asked_for_long_ago_begins_from_the_start)
{
	struct replacing r;

	begin_replacing(&r, RUNNING);
	place_task(&r, BROKER_IN_FLIGHT);
	beat_scene_pass(r.scene, MINUTE_US);
	FAKE_WAIT(&r.scene->store, fake_store_saw(&r.scene->store, "order"));
	world_run(&r.scene->world,
		  "UPDATE flowrra_schedules SET next_run_us = %lld,"
		  " due_us = %lld WHERE id = 'a'",
		  (long long)(r.fire_us + MINUTE_US),
		  (long long)(r.fire_us + MINUTE_US));
	/* This makes one more schedule with the same period. */
	beat_scene_decided(r.scene);
	beat_scene_pass(r.scene, MINUTE_US);
	r.fire_us += MINUTE_US;
	FAKE_WAIT(
	    &r.scene->store,
	    fake_store_saw(&r.scene->store, "order; submit; submit; order"));
	ck_assert_uint_eq(beat_scene_sent(r.scene, "a", r.fire_us), 0);
	r.scene->store.stored = ENDED;
	end_replacing(&r);
}
END_TEST

SUITE("beat_replace")
{
	TEST_LOOP(a_task_that_waits_is_taken_out_before_its_replacement_is_in,
		  0, 2);
	TEST(a_task_that_runs_is_cancelled_and_waited_for);
	TEST(a_task_that_has_ended_costs_a_question_only);
	TEST(a_task_that_does_not_end_is_waited_for_3_s);
	TEST(a_task_of_another_programs_worker_is_not_waited_for);
	TEST(a_task_that_is_nowhere_is_over);
	TEST(a_store_that_cannot_tell_holds_a_replacement_up_for_3_s);
	TEST_LOOP(a_fire_that_would_be_missed_does_not_wait, 0, 4);
	TEST(a_scheduler_that_dies_while_it_cancels_loses_no_fire);
	TEST(a_scheduler_that_dies_after_it_cancelled_loses_no_fire);
	TEST(two_schedulers_replace_a_task_once);
	TEST(a_scheduler_that_stops_stores_first_what_it_took_out);
	TEST(a_task_that_is_not_queued_yet_is_waited_for);
	TEST(what_was_asked_for_long_ago_begins_from_the_start);
}
