/* SPDX-License-Identifier: MIT */
/* Destinations that take nothing for a while: what becomes of that which was
 * due meanwhile, in the outbox or not, and what the log says of it. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beat/scene.h"
#include "schedules/history.h"
#include "suite.h"

#define MINUTE_US (60 * SECOND_US)
/* Fires of a schedule that became tasks. */
#define TAKEN(s, id)                                                           \
	beat_scene_number((s),                                                 \
			  "SELECT count(*) FROM flowrra_fires"                 \
			  " WHERE schedule_id = '%s' AND marked_us IS NOT"     \
			  " NULL AND refused IS NULL",                         \
			  (id))
#define SKIPPED(s, id, reason)                                                 \
	beat_scene_number((s),                                                 \
			  "SELECT coalesce(sum(n), 0) FROM flowrra_skips"      \
			  " WHERE schedule_id = '%s' AND reason = '%s'",       \
			  (id), schedule_reason_name(reason))

/* Minutely, for ten minutes and a half after the first fire, which was claimed
 * and could not be sent: the same comes of it as of those that were not. */
static const struct {
	enum schedule_misfire misfire;
	int64_t grace_s; /* -1: none */
	int64_t taken;
	enum schedule_reason reason;
	int64_t skipped;
} outages[] = {
    {SCHEDULE_LATEST, -1, 1, SCHEDULE_MERGED, 10},
    {SCHEDULE_LATEST, 20, 0, SCHEDULE_LATE, 11},
    {SCHEDULE_LATEST, 45, 1, SCHEDULE_LATE, 10},
    {SCHEDULE_ALL, -1, 11, SCHEDULE_LATE, 0},
    {SCHEDULE_ALL, 100, 2, SCHEDULE_LATE, 9},
    {SCHEDULE_SKIP, -1, 0, SCHEDULE_MISFIRE, 11},
    {SCHEDULE_SKIP, 60, 1, SCHEDULE_LATE, 10},
};

/* A schedule "a" whose first fire waits for the store. */
static struct scene *
begin_outage(enum schedule_misfire misfire, int64_t grace_s, enum err_code code)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);

	schedule.misfire = misfire;
	if (grace_s >= 0)
		schedule.grace_us = grace_s * SECOND_US;
	beat_scene_store(s, &schedule);
	err_set(&s->store.submit_err, code, "it has no room");
	beat_scene_run(s);
	FAKE_WAIT(&s->store, s->store.n_submitted > 0);
	FAKE_WAIT(&s->store, fake_store_unanswered(&s->store) == 0);
	ck_assert_int_eq(SCENE_UNSENT(s), 1);
	return s;
}

START_TEST(a_fire_that_waits_for_its_store_is_judged_as_those_that_are_due)
{
	const int log = beat_scene_log();
	struct scene *s = begin_outage(outages[_i].misfire, outages[_i].grace_s,
				       ERR_UNAVAILABLE);

	beat_scene_pass(s, 10 * MINUTE_US + 30 * SECOND_US);
	s->store.submit_err.code = ERR_NONE;
	beat_scene_decided(s);
	FAKE_WAIT(&s->store, SCENE_UNSENT(s) == 0);
	ck_assert_int_eq(TAKEN(s, "a"), outages[_i].taken);
	ck_assert_int_eq(SKIPPED(s, "a", outages[_i].reason),
			 outages[_i].skipped);
	ck_assert_uint_eq(beat_scene_logged(log, "it has no room"), 1);
	ck_assert_uint_eq(beat_scene_logged(log, "fires are enqueued again"),
			  1);
	beat_scene_free(s);
}
END_TEST

/* Minute by minute, with the store unwilling all the time. */
START_TEST(nothing_is_claimed_while_a_store_takes_nothing)
{
	const int log = beat_scene_log();
	struct scene *s = begin_outage(SCHEDULE_ALL, -1, ERR_UNAVAILABLE);
	unsigned int i, j, sent;

	for (i = 0; i < 5; i++) {
		sent = s->store.n_submitted;
		beat_scene_pass(s, MINUTE_US);
		FAKE_WAIT(&s->store, s->store.n_submitted > sent);
		/* A claim takes two more turns, and the tick makes one each
		 * time. */
		for (j = 0; j < 20; j++)
			fake_store_turn(&s->store);
	}
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT count(*) FROM flowrra_fires"), 1);
	ck_assert_uint_eq(beat_scene_logged(log, "it has no room"), 1);
	s->store.submit_err.code = ERR_NONE;
	beat_scene_pass(s, SECOND_US);
	FAKE_WAIT(&s->store, TAKEN(s, "a") == 6);
	beat_scene_free(s);
}
END_TEST

/* It may be there: its answer was lost. The broker knows it then. */
START_TEST(a_late_fire_that_may_be_queued_is_sent_again)
{
	struct scene *s = begin_outage(SCHEDULE_SKIP, -1, ERR_UNAVAILABLE);
	unsigned int sent = s->store.n_submitted;

	s->store.stored = "{\"task_id\":\"a\",\"name\":\"add\","
			  "\"status\":\"pending\"}";
	beat_scene_pass(s, 30 * SECOND_US);
	s->store.submit_err.code = ERR_NONE;
	beat_scene_fired(s, "a", s->now_us);
	ck_assert_uint_gt(s->store.n_submitted, sent);
	ck_assert_int_eq(TAKEN(s, "a"), 1);
	ck_assert(!fake_store_saw(&s->store, "forget"));
	beat_scene_free(s);
}
END_TEST

/* Its record was made in a backend of its own before the broker had no room. */
START_TEST(a_late_fire_with_a_record_that_is_nowhere_is_dropped)
{
	struct scene *s = begin_outage(SCHEDULE_SKIP, -1, ERR_UNAVAILABLE);

	s->store.stored =
	    "{\"task_id\":\"a\",\"name\":\"add\",\"queue\":\"io\","
	    "\"status\":\"pending\"}";
	beat_scene_pass(s, 30 * SECOND_US);
	s->store.submit_err.code = ERR_NONE;
	FAKE_WAIT(&s->store, s->store.views == 3);
	beat_scene_pass(s, 2 * SECOND_US);
	FAKE_WAIT(&s->store, SCENE_UNSENT(s) == 0);
	ck_assert_int_eq(TAKEN(s, "a"), 0);
	ck_assert_int_eq(SKIPPED(s, "a", SCHEDULE_MISFIRE), 1);
	ck_assert(fake_store_saw(&s->store, "forget"));
	beat_scene_free(s);
}
END_TEST

START_TEST(nobody_is_asked_of_a_fire_that_is_not_late)
{
	struct scene *s = begin_outage(SCHEDULE_LATEST, 30, ERR_UNAVAILABLE);

	/* Would be an error, and the fire would wait. */
	err_set(&s->store.get_err, ERR_UNAVAILABLE, "no answer");
	beat_scene_pass(s, 20 * SECOND_US);
	s->store.submit_err.code = ERR_NONE;
	beat_scene_fired(s, "a", s->now_us);
	ck_assert_int_eq(TAKEN(s, "a"), 1);
	beat_scene_free(s);
}
END_TEST

/* --- a queue that is full -------------------------------------------------- */

/* "a" of a queue with room, "io" of the full one; both are minutely. */
static struct scene *
begin_full(void)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule a = beat_scene_schedule("a", s->now_us);
	struct schedule io = beat_scene_schedule("io", s->now_us);

	a.queue = "cpu";
	io.queue = "io";
	beat_scene_store(s, &a);
	beat_scene_store(s, &io);
	s->store.full_queue = "io";
	err_set(&s->store.submit_err, ERR_FULL, "queue io is full");
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	FAKE_WAIT(&s->store, beat_scene_sent(s, "io", s->now_us) > 0);
	return s;
}

START_TEST(a_full_queue_holds_up_its_own_schedules_alone)
{
	const int log = beat_scene_log();
	struct scene *s = begin_full();
	int i;

	for (i = 1; i <= 5; i++) {
		beat_scene_pass(s, MINUTE_US);
		beat_scene_fired(s, "a", s->now_us + i * MINUTE_US);
		ck_assert_int_le(SCENE_UNSENT(s), 1);
	}
	ck_assert_uint_eq(beat_scene_logged(log, "queue io is full"), 1);
	s->store.submit_err.code = ERR_NONE;
	beat_scene_pass(s, 3 * SECOND_US);
	FAKE_WAIT(&s->store, TAKEN(s, "io") == 1 && SCENE_UNSENT(s) == 0);
	beat_scene_pass(s, 3 * SECOND_US);
	beat_scene_decided(s);
	/* The latest one ran; the others were merged into it. */
	ck_assert_int_eq(TAKEN(s, "io"), 1);
	ck_assert_int_eq(SKIPPED(s, "io", SCHEDULE_MERGED), 5);
	ck_assert_uint_eq(beat_scene_logged(log, "queue io takes tasks again"),
			  1);
	beat_scene_free(s);
}
END_TEST

/* Its record, in a backend of its own, would say "pending" for ever. */
START_TEST(what_a_full_queue_refuses_past_its_grace_is_late)
{
	struct scene *s = begin_outage(SCHEDULE_LATEST, 10, ERR_FULL);
	struct schedules_history *h;

	s->store.stored = "{\"task_id\":\"a\",\"name\":\"add\","
			  "\"status\":\"pending\"}";
	beat_scene_pass(s, 12 * SECOND_US);
	FAKE_WAIT(&s->store, SCENE_UNSENT(s) == 0);
	ck_assert(fake_store_saw(&s->store, "forget"));
	ck_assert_int_eq(SKIPPED(s, "a", SCHEDULE_LATE), 1);
	OK(&s->world, schedules_history(s->world.schedules, "a", INT64_MAX, 9,
					&h, &s->world.err));
	ck_assert_uint_eq(h->n, 1);
	ck_assert_int_eq(h->items[0].outcome, SCHEDULE_MISSED);
	ck_assert_str_eq(h->items[0].reason, "late");
	ck_assert_str_eq(h->items[0].refused, "");
	ck_assert_str_eq(h->items[0].task_id, "");
	schedules_history_free(h);
	beat_scene_free(s);
}
END_TEST

/* Schedulers that say that they do not reach the broker. */
#define WITHOUT_BROKER(s)                                                      \
	beat_scene_number((s), "SELECT count(*) FROM flowrra_schedulers"       \
			       " WHERE state = 'broker'")

/* Signs of life come every ten seconds: these are not waited for. */
START_TEST(that_the_broker_is_there_or_away_is_told_at_once)
{
	struct scene *s = beat_scene_new(NULL);
	const int64_t begin_ms = clock_mono_ms();
	unsigned int i;

	beat_scene_run(s);
	for (i = 0; i < 6; i++) {
		FAKE_WAIT(&s->store, WITHOUT_BROKER(s) == i % 2);
		beat_scene_reach(&s->beats[0], i % 2 == 1);
	}
	ck_assert_int_lt(clock_mono_ms() - begin_ms, 30000);
	beat_scene_free(s);
}
END_TEST

SUITE("beat-outage")
{
	TEST(that_the_broker_is_there_or_away_is_told_at_once);
	TEST_LOOP(
	    a_fire_that_waits_for_its_store_is_judged_as_those_that_are_due, 0,
	    sizeof(outages) / sizeof(outages[0]));
	TEST(nothing_is_claimed_while_a_store_takes_nothing);
	TEST(a_late_fire_that_may_be_queued_is_sent_again);
	TEST(a_late_fire_with_a_record_that_is_nowhere_is_dropped);
	TEST(nobody_is_asked_of_a_fire_that_is_not_late);
	TEST(a_full_queue_holds_up_its_own_schedules_alone);
	TEST(what_a_full_queue_refuses_past_its_grace_is_late);
}
