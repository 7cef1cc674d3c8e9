/* SPDX-License-Identifier: MIT */
/* Fires on their way into queues: answers that fail or never come, databases
 * that are away, schedulers that share the work or end in its midst. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beat/scene.h"
#include "suite.h"
#include "util/conf.h"

#define HIDE(table) "ALTER TABLE flowrra_" table " RENAME TO hidden"
#define SHOW(table) "ALTER TABLE hidden RENAME TO flowrra_" table

/* A schedule "a" that is due at s->now_us. */
static struct scene *
begin(const char *setting)
{
	struct scene *s = beat_scene_new(setting);
	const struct schedule schedule = beat_scene_schedule("a", s->now_us);

	beat_scene_store(s, &schedule);
	return s;
}

/* The same, with a scheduler that waits for the answer to its task. */
static struct scene *
begin_sending(void)
{
	struct scene *s = begin(NULL);

	s->store.hold_submits = true;
	beat_scene_run(s);
	FAKE_WAIT(&s->store, s->store.n_submitted == 1);
	ck_assert_int_eq(SCENE_UNSENT(s), 1);
	return s;
}

/* --- the broker's answers ---------------------------------------------- */

START_TEST(a_fire_whose_submission_fails_is_sent_again)
{
	struct scene *s = begin(NULL);

	err_set(&s->store.submit_err, ERR_UNAVAILABLE,
		"no answer; the task may have been queued");
	beat_scene_run(s);
	FAKE_WAIT(&s->store, s->store.n_submitted == 1);
	beat_scene_pass(s, SECOND_US);
	FAKE_WAIT(&s->store, s->store.n_submitted == 2);
	ck_assert_int_eq(SCENE_UNSENT(s), 1);
	s->store.submit_err.code = ERR_NONE;
	beat_scene_pass(s, SECOND_US);
	beat_scene_fired(s, "a", s->now_us);
	/* Under one id, by which the broker knows them. */
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 3);
	beat_scene_pass(s, 20 * SECOND_US);
	beat_scene_decided(s);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 3);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_fire_is_sent_again_when_the_broker_is_back)
{
	struct scene *s = begin_sending();
	struct beat_scene_beat *b = &s->beats[0];

	beat_scene_reach(b, false);
	err_set(&s->store.submit_err, ERR_UNAVAILABLE, "the broker is gone");
	s->store.hold_submits = false;
	FAKE_WAIT(&s->store, fake_store_unanswered(&s->store) == 0);
	ck_assert_uint_eq(s->store.n_submitted, 1);
	s->store.submit_err.code = ERR_NONE;
	beat_scene_reach(b, true);
	beat_scene_fired(s, "a", s->now_us);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 2);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_full_queue_is_tried_for_an_hour)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);

	schedule.misfire = SCHEDULE_ALL;
	beat_scene_store(s, &schedule);
	err_set(&s->store.submit_err, ERR_FULL, "queue io is full");
	beat_scene_run(s);
	FAKE_WAIT(&s->store, s->store.n_submitted == 1);
	beat_scene_pass(s, HOUR_US / 2);
	FAKE_WAIT(&s->store, beat_scene_sent(s, "a", s->now_us) == 2);
	ck_assert(!fake_store_saw(&s->store, "forget"));
	beat_scene_pass(s, HOUR_US / 2 + 10 * SECOND_US);
	beat_scene_fired(s, "a", s->now_us);
	/* Its record says "pending", and would for ever. */
	ck_assert(fake_store_saw(&s->store, "forget"));
	ck_assert_int_eq(beat_scene_number(s,
					   "SELECT refused = 'queue io is full'"
					   " FROM flowrra_fires WHERE"
					   " fire_us = %lld",
					   (long long)s->now_us),
			 1);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_task_that_the_broker_will_never_take_is_refused_at_once)
{
	struct scene *s = begin(NULL);

	err_set(&s->store.submit_err, ERR_DATA, "the task is too large");
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 1);
	ck_assert_int_eq(beat_scene_number(s, "SELECT n FROM flowrra_skips"
					      " WHERE reason = 'refused'"),
			 1);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_schedule_that_is_deleted_does_not_take_its_fires_along)
{
	struct scene *s = begin_sending();

	err_set(&s->store.submit_err, ERR_UNAVAILABLE, "no answer");
	OK(&s->world, schedules_delete(s->world.schedules, "a", &s->world.err));
	s->store.hold_submits = false;
	FAKE_WAIT(&s->store, fake_store_unanswered(&s->store) == 0);
	s->store.submit_err.code = ERR_NONE;
	beat_scene_pass(s, SECOND_US);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_free(s);
}
END_TEST

/* --- a backend of its own ---------------------------------------------- */

#define APART "backend.url=redis://127.0.0.1:1/0"

START_TEST(a_fire_waits_for_its_record)
{
	struct scene *s = begin(APART);

	err_set(&s->store.create_err, ERR_UNAVAILABLE, "the backend is gone");
	beat_scene_run(s);
	FAKE_WAIT(&s->store, SCENE_UNSENT(s) == 1);
	s->store.create_err.code = ERR_NONE;
	ck_assert_uint_eq(s->store.n_submitted, 0);
	beat_scene_pass(s, SECOND_US);
	beat_scene_fired(s, "a", s->now_us);
	ck_assert_uint_eq(s->store.n_submitted, 1);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_record_that_is_there_already_holds_nothing_up)
{
	struct scene *s = begin(APART);

	err_set(&s->store.create_err, ERR_REFUSED, "there is one");
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_free(s);
}
END_TEST

/* Of the first fire alone: then nothing is claimed until it is back. */
START_TEST(a_backend_that_comes_back_has_waiting_fires_sent)
{
	struct scene *s = begin(APART);
	struct beat_scene_beat *b = beat_scene_start(s);
	const struct schedule other = beat_scene_schedule("b", s->now_us);
	struct err why;

	err_set(&why, ERR_UNAVAILABLE, "the backend is gone");
	s->store.create_err = why;
	b->broker.on_state(true, false, NULL, b->broker.arg);
	FAKE_WAIT(&s->store, SCENE_UNSENT(s) == 1);
	b->results.on_state(false, false, &why, b->results.arg);
	FAKE_WAIT(&s->store, fake_store_unanswered(&s->store) == 0);
	beat_scene_store(s, &other);
	beat_scene_pass(s, 20 * SECOND_US);
	FAKE_WAIT(&s->store, beat_scene_number(
				 s, "SELECT seen_us FROM flowrra_schedulers") >=
				 s->now_us + 20 * SECOND_US);
	ck_assert_int_eq(SCENE_UNSENT(s), 1);
	ck_assert_uint_eq(s->store.n_submitted, 0);
	s->store.create_err.code = ERR_NONE;
	b->results.on_state(true, false, NULL, b->results.arg);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_fired(s, "b", s->now_us);
	beat_scene_free(s);
}
END_TEST

/* --- several schedulers ------------------------------------------------ */

#define MANY 40

START_TEST(two_schedulers_send_each_fire_once)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule schedule;
	char id[16];
	int i;

	for (i = 0; i < MANY; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		schedule = beat_scene_schedule(id, s->now_us);
		beat_scene_store(s, &schedule);
	}
	beat_scene_run(s);
	beat_scene_run(s);
	beat_scene_pass(s, 60 * SECOND_US);
	FAKE_WAIT(&s->store,
		  beat_scene_number(s, "SELECT count(*) FROM flowrra_fires"
				       " WHERE marked_us IS NOT NULL") ==
		      2 * MANY);
	ck_assert_uint_eq(s->store.n_submitted, 2 * MANY);
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT count(*) FROM flowrra_schedulers"), 2);
	beat_scene_free(s);
}
END_TEST

START_TEST(what_a_scheduler_died_with_is_sent_by_another)
{
	struct scene *s = beat_scene_new(NULL);
	const struct schedule schedule = beat_scene_schedule("a", s->now_us);
	struct beat_scene_beat *dead = beat_scene_run(s),
			       *heir = beat_scene_run(s);
	struct conf disabled = *s->conf;

	/* Both have seen a claim: 2.2 s later they look for what is left. */
	beat_scene_decided(s);
	beat_scene_pass(s, 3 * SECOND_US / 2);
	disabled.scheduler.enabled = false;
	beat_reload(heir->beat, &disabled);
	s->store.hold_submits = true;
	beat_scene_store(s, &schedule);
	FAKE_WAIT(&s->store, beat_scene_sent(s, "a", s->now_us) == 1);
	beat_scene_kill(dead);
	s->store.hold_submits = false;
	beat_reload(heir->beat, s->conf);
	beat_scene_pass(s, SECOND_US);
	beat_scene_decided(s);
	/* It has looked; but the other might live, and be about to mark it. */
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 1);
	beat_scene_pass(s, 3 * SECOND_US);
	beat_scene_fired(s, "a", s->now_us);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 2);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_scheduler_that_starts_sends_what_is_left_at_once)
{
	struct scene *s = begin_sending();

	beat_scene_kill(&s->beats[0]);
	s->store.hold_submits = false;
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 2);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_scheduler_without_its_broker_leaves_fires_to_another)
{
	struct scene *s = begin(NULL);

	beat_scene_start(s);
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	ck_assert(!s->beats[0].ready);
	beat_scene_free(s);
}
END_TEST

/* --- the database ------------------------------------------------------ */

START_TEST(a_database_that_is_away_while_due_delays_the_fire)
{
	struct scene *s = beat_scene_new(NULL);
	const struct schedule schedule = beat_scene_schedule("a", s->now_us);
	struct beat_scene_beat *b = beat_scene_run(s);
	char text[256] = "";

	beat_scene_store(s, &schedule);
	world_run(&s->world, HIDE("schedules"));
	while (strstr(text, "database unreachable") == NULL) {
		fake_store_turn(&s->store);
		beat_status(b->beat, text, sizeof(text));
	}
	ck_assert_uint_eq(s->store.n_submitted, 0);
	world_run(&s->world, SHOW("schedules"));
	beat_scene_fired(s, "a", s->now_us);
	ck_assert_uint_eq(s->store.n_submitted, 1);
	ck_assert(!b->stopped);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_fire_that_cannot_be_marked_is_marked_later)
{
	struct scene *s = begin_sending();

	world_run(&s->world, HIDE("fires"));
	s->store.hold_submits = false;
	FAKE_WAIT(&s->store, fake_store_unanswered(&s->store) == 0);
	fake_store_turn(&s->store);
	world_run(&s->world, SHOW("fires"));
	beat_scene_fired(s, "a", s->now_us);
	/* What it has sent it remembers. */
	ck_assert_uint_eq(s->store.n_submitted, 1);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_database_that_is_away_at_the_start_is_waited_for)
{
	struct scene *s = begin(NULL);
	struct beat_scene_beat *b;
	char away[80];

	snprintf(away, sizeof(away), "%s-away", s->world.dir);
	ck_assert_int_eq(rename(s->world.dir, away), 0);
	/* A folder that is missing would be made. */
	ck_assert_int_eq(symlink(s->world.dir, s->world.dir), 0);
	b = beat_scene_start(s);
	b->broker.on_state(true, false, NULL, b->broker.arg);
	fake_store_turn(&s->store);
	ck_assert(!b->ready);
	ck_assert_msg(!b->stopped, "%s", b->failure.msg);
	ck_assert_int_eq(unlink(s->world.dir), 0);
	ck_assert_int_eq(rename(away, s->world.dir), 0);
	FAKE_WAIT(&s->store, b->ready);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_database_of_a_newer_program_ends_it)
{
	struct scene *s = begin(NULL);
	struct beat_scene_beat *b;

	world_run(&s->world, "INSERT INTO flowrra_version VALUES (999)");
	b = beat_scene_start(s);
	FAKE_WAIT(&s->store, b->stopped);
	ck_assert_int_eq(b->failure.code, ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(b->failure.msg, "999"));
	ck_assert_uint_eq(s->store.n_submitted, 0);
	beat_scene_free(s);
}
END_TEST

/* --- its end ----------------------------------------------------------- */

START_TEST(it_stops_when_what_is_under_way_is_sent_and_marked)
{
	struct scene *s = begin_sending();
	struct beat_scene_beat *b = &s->beats[0];
	char text[256];

	beat_stop(b->beat);
	fake_store_turn(&s->store);
	fake_store_turn(&s->store);
	ck_assert(!b->stopped);
	beat_status(b->beat, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "stopping; "));
	s->store.hold_submits = false;
	FAKE_WAIT(&s->store, b->stopped);
	ck_assert(!b->failed);
	ck_assert_int_eq(SCENE_UNSENT(s), 0);
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT count(*) FROM flowrra_schedulers"), 0);
	beat_scene_free(s);
}
END_TEST

START_TEST(it_does_not_wait_for_an_answer_to_a_question)
{
	struct scene *s = begin(NULL);
	struct beat_scene_beat *b;

	s->store.hold_values = true;
	b = beat_scene_run(s);
	FAKE_WAIT(&s->store, fake_store_unanswered(&s->store) > 0);
	beat_stop(b->beat);
	FAKE_WAIT(&s->store, b->stopped);
	ck_assert(!b->failed);
	ck_assert_uint_eq(s->store.n_submitted, 0);
	beat_scene_free(s);
}
END_TEST

START_TEST(it_stops_without_the_database)
{
	struct scene *s = begin_sending();
	struct beat_scene_beat *b = &s->beats[0];

	world_run(&s->world, HIDE("fires"));
	beat_stop(b->beat);
	s->store.hold_submits = false;
	FAKE_WAIT(&s->store, b->stopped);
	ck_assert(!b->failed);
	world_run(&s->world, SHOW("fires"));
	ck_assert_int_eq(SCENE_UNSENT(s), 1);
	beat_scene_free(s);
}
END_TEST

START_TEST(a_broker_that_refuses_it_ends_it)
{
	struct scene *s = begin(NULL);
	struct beat_scene_beat *b = beat_scene_run(s);

	FAKE_WAIT(&s->store,
		  beat_scene_number(
		      s, "SELECT count(*) FROM flowrra_schedulers") == 1);
	fake_broker_refuse(&s->store);
	ck_assert(b->stopped && b->failed);
	ck_assert_int_eq(b->failure.code, ERR_REFUSED);
	/* Nobody takes it for alive, or misses it. */
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT count(*) FROM flowrra_schedulers"), 0);
	beat_scene_free(s);
}
END_TEST

SUITE("beat_outbox")
{
	TEST(a_fire_whose_submission_fails_is_sent_again);
	TEST(a_fire_is_sent_again_when_the_broker_is_back);
	TEST(a_full_queue_is_tried_for_an_hour);
	TEST(a_task_that_the_broker_will_never_take_is_refused_at_once);
	TEST(a_schedule_that_is_deleted_does_not_take_its_fires_along);
	TEST(a_fire_waits_for_its_record);
	TEST(a_record_that_is_there_already_holds_nothing_up);
	TEST(a_backend_that_comes_back_has_waiting_fires_sent);
	TEST(two_schedulers_send_each_fire_once);
	TEST(what_a_scheduler_died_with_is_sent_by_another);
	TEST(a_scheduler_that_starts_sends_what_is_left_at_once);
	TEST(a_scheduler_without_its_broker_leaves_fires_to_another);
	TEST(a_database_that_is_away_while_due_delays_the_fire);
	TEST(a_fire_that_cannot_be_marked_is_marked_later);
	TEST(a_database_that_is_away_at_the_start_is_waited_for);
	TEST(a_database_of_a_newer_program_ends_it);
	TEST(it_stops_when_what_is_under_way_is_sent_and_marked);
	TEST(it_does_not_wait_for_an_answer_to_a_question);
	TEST(it_stops_without_the_database);
	TEST(a_broker_that_refuses_it_ends_it);
}
