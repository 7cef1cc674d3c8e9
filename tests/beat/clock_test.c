/* SPDX-License-Identifier: MIT */
/* Clocks that are wrong for a while, and machines without a zone's data. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beat/scene.h"
#include "suite.h"
#include "util/conf.h"

#define YEARS_US (3 * 365 * 24 * HOUR_US)
#define MINUTE_US (60 * SECOND_US)

#define DUE(s, id)                                                             \
	beat_scene_number((s),                                                 \
			  "SELECT coalesce(due_us, 0) FROM flowrra_schedules"  \
			  " WHERE id = '%s'",                                  \
			  (id))

/* --- the database without a clock -------------------------------------- */

/* A schedule has fired; then the clock is three years ahead, and it fires
 * once. */
static struct scene *
begin_ahead(int64_t end_us)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);

	schedule.end_us = end_us;
	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_step(s, YEARS_US);
	FAKE_WAIT(&s->store, s->store.n_submitted == 2);
	FAKE_WAIT(&s->store, end_us != 0 ? DUE(s, "a") == 0
					 : DUE(s, "a") > s->now_us + YEARS_US);
	return s;
}

static void
ck_goes_on(struct scene *s)
{
	const int64_t next_us = s->now_us + MINUTE_US;

	FAKE_WAIT(&s->store, DUE(s, "a") == next_us);
	beat_scene_pass(s, MINUTE_US);
	beat_scene_fired(s, "a", next_us);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 1);
	beat_scene_free(s);
}

START_TEST(a_clock_that_was_years_ahead_silences_nothing)
{
	struct scene *s = begin_ahead(0);

	beat_scene_step(s, -YEARS_US);
	ck_goes_on(s);
}
END_TEST

/* Made, or changed, while the clock was ahead; there is no start. */
START_TEST(what_was_made_by_a_clock_that_was_ahead_fires_on)
{
	struct scene *s = beat_scene_new(NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);
	const int64_t wrong_us = s->now_us + YEARS_US;
	int i;

	schedule.start_us = 0;
	schedule.created_us = wrong_us;
	schedule.next_run_us = schedule.due_us = wrong_us + MINUTE_US;
	if (_i == 1)
		schedule.rule_us = wrong_us;
	beat_scene_store(s, &schedule);
	beat_scene_number(s,
			  "UPDATE flowrra_schedules SET created_us = %lld,"
			  " updated_us = %lld RETURNING 1",
			  (long long)wrong_us, (long long)wrong_us);
	beat_scene_run(s);
	FAKE_WAIT(&s->store, DUE(s, "a") > s->now_us &&
				 DUE(s, "a") <= s->now_us + MINUTE_US);
	ck_assert_int_eq(DUE(s, "a") % MINUTE_US, wrong_us % MINUTE_US);
	for (i = 1; i <= 3; i++) {
		const int64_t due_us = DUE(s, "a");

		beat_scene_pass(s, MINUTE_US);
		beat_scene_fired(s, "a", due_us);
		FAKE_WAIT(&s->store, DUE(s, "a") == due_us + MINUTE_US);
	}
	beat_scene_free(s);
}
END_TEST

START_TEST(a_schedule_that_a_wrong_clock_has_ended_goes_on)
{
	struct scene *s = beat_scene_new(NULL);
	const int64_t end_us = s->now_us + 24 * HOUR_US;

	beat_scene_free(s);
	s = begin_ahead(end_us);
	beat_scene_step(s, -YEARS_US);
	ck_goes_on(s);
}
END_TEST

START_TEST(what_a_wrong_clock_has_done_is_found_at_the_start)
{
	struct scene *s = begin_ahead(0);

	beat_scene_kill(&s->beats[0]);
	beat_scene_step(s, -YEARS_US);
	beat_scene_run(s);
	ck_goes_on(s);
}
END_TEST

START_TEST(a_fire_that_was_made_early_is_not_made_again)
{
	struct scene *s = beat_scene_new(NULL);
	const int64_t early_us = s->now_us + 10 * MINUTE_US;
	const struct schedule schedule = beat_scene_schedule("a", s->now_us);
	int i;

	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_step(s, 10 * MINUTE_US);
	beat_scene_fired(s, "a", early_us);
	beat_scene_step(s, -10 * MINUTE_US);
	FAKE_WAIT(&s->store, DUE(s, "a") == s->now_us + MINUTE_US);
	for (i = 1; i <= 11; i++) {
		beat_scene_pass(s, MINUTE_US);
		beat_scene_fired(s, "a", s->now_us + i * MINUTE_US);
		FAKE_WAIT(&s->store,
			  DUE(s, "a") == s->now_us + (i + 1) * MINUTE_US);
	}
	ck_assert_uint_eq(beat_scene_sent(s, "a", early_us), 1);
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT runs FROM flowrra_schedules"), 12);
	beat_scene_free(s);
}
END_TEST

#define PRUNED(s) beat_scene_number((s), "SELECT fire_us FROM flowrra_pruned")

START_TEST(a_clock_that_may_be_wrong_forgets_nothing)
{
	struct scene *s = begin_ahead(0);

	beat_scene_pass(s, 10 * MINUTE_US);
	beat_scene_decided(s);
	beat_scene_pass(s, 10 * MINUTE_US);
	beat_scene_decided(s);
	ck_assert_int_eq(PRUNED(s), 0);
	ck_assert_int_eq(
	    beat_scene_number(s,
			      "SELECT count(*) FROM flowrra_fires"
			      " WHERE schedule_id = 'a' AND fire_us <= %lld",
			      (long long)s->now_us),
	    1);
	/* After an hour it is believed; when it is put right, so is that. */
	beat_scene_pass(s, HOUR_US);
	FAKE_WAIT(&s->store, PRUNED(s) > s->now_us + YEARS_US / 2);
	beat_scene_step(s, -YEARS_US);
	beat_scene_decided(s);
	beat_scene_pass(s, HOUR_US + MINUTE_US);
	FAKE_WAIT(&s->store,
		  PRUNED(s) > 0 && PRUNED(s) <= s->now_us + 3 * HOUR_US);
	FAKE_WAIT(&s->store, DUE(s, "a") < s->now_us + 3 * HOUR_US);
	beat_scene_free(s);
}
END_TEST

/* --- a server's clock -------------------------------------------------- */

#define STATE(s, what)                                                         \
	beat_scene_number((s), "SELECT count(*) FROM flowrra_schedulers"       \
			       " WHERE " what)

/* Each way it is wrong, at the start and later. */
START_TEST(a_scheduler_whose_clock_is_not_the_servers_claims_nothing)
{
	const int kind = _i / 2 == 0 ? WORLD_POSTGRESQL : WORLD_MARIADB;
	const int64_t off_us = _i % 2 == 0 ? 10 * MINUTE_US : -2 * SECOND_US;
	struct scene *s = beat_scene_new_in(kind, NULL);
	/* Due by its clock, and not by the server's; or by both. */
	const int64_t first_us =
	    s->now_us + (off_us > 0 ? 5 * MINUTE_US : -MINUTE_US / 2);
	struct schedule schedule = beat_scene_schedule("a", first_us);
	char text[256];

	beat_scene_store(s, &schedule);
	beat_scene_step(s, off_us);
	beat_scene_run(s);
	FAKE_WAIT(&s->store, STATE(s, "state = 'clock'") == 1);
	beat_status(s->beats[0].beat, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(
	    text, off_us > 0 ? "s ahead of the database's, claims nothing"
			     : "s behind the database's, claims nothing"));
	/* It is seen by the server's clock. */
	ck_assert_int_lt(
	    llabs(
		beat_scene_number(s, "SELECT seen_us FROM flowrra_schedulers") -
		(clock_wall_us() - off_us)),
	    5 * SECOND_US);
	ck_assert_uint_eq(s->store.n_submitted, 0);
	/* Right: only what is due by the server's clock is done. */
	beat_scene_step(s, -off_us);
	FAKE_WAIT(&s->store, STATE(s, "state = '' AND clock_off_us = 0") == 1);
	beat_scene_decided(s);
	ck_assert_uint_eq(beat_scene_sent(s, "a", first_us), off_us < 0);
	/* Wrong again, while it runs. */
	schedule = beat_scene_schedule("b", s->now_us + MINUTE_US);
	beat_scene_store(s, &schedule);
	beat_scene_step(s, 20 * MINUTE_US);
	FAKE_WAIT(&s->store, STATE(s, "state = 'clock'") == 1);
	ck_assert_uint_eq(beat_scene_sent(s, "b", s->now_us + MINUTE_US), 0);
	ck_assert_int_eq(DUE(s, "b"), s->now_us + MINUTE_US);
	beat_scene_free(s);
}
END_TEST

/* Where a server has the time: it is set while an answer is waited for, and put
 * right before anything else happens. */
START_TEST(a_clock_that_is_set_while_a_queue_is_full_drops_nothing)
{

	struct scene *s = beat_scene_new_in(_i, NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);

	schedule.grace_us = HOUR_US;
	beat_scene_store(s, &schedule);
	s->store.hold_submits = true;
	err_set(&s->store.submit_err, ERR_FULL, "queue io is full");
	beat_scene_run(s);
	FAKE_WAIT(&s->store, s->store.n_submitted == 1);
	beat_scene_step(s, YEARS_US);
	s->store.hold_submits = false;
	FAKE_WAIT(&s->store, fake_store_unanswered(&s->store) == 0);
	FAKE_WAIT(&s->store,
		  beat_scene_number(s, "SELECT count(*) FROM flowrra_schedulers"
				       " WHERE state = 'clock'") == 1);
	ck_assert_int_eq(SCENE_UNSENT(s), 1);
	ck_assert(!fake_store_saw(&s->store, "forget"));
	s->store.submit_err.code = ERR_NONE;
	beat_scene_step(s, -YEARS_US);
	beat_scene_fired(s, "a", s->now_us);
	beat_scene_free(s);
}
END_TEST

/* --- zones ------------------------------------------------------------- */

#define BERLIN "/usr/share/zoneinfo/Europe/Berlin"

/* A machine whose package lacks Europe/Berlin, until lend_berlin(). */
static void
lack_berlin(char dir[64])
{
	char path[128];

	snprintf(dir, 64, "/tmp/flowrra-zones-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/Europe", dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(setenv("TZDIR", dir, 1), 0);
}

static void
lend_berlin(const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/Europe/Berlin", dir);
	ck_assert_int_eq(symlink(BERLIN, path), 0);
}

static void
unlack_berlin(const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/Europe/Berlin", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/Europe", dir);
	rmdir(path);
	rmdir(dir);
}

START_TEST(a_zone_that_a_machine_lacks_is_left_to_others)
{
	struct scene *s = beat_scene_new_in(_i, NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);
	int64_t first_us = s->now_us;
	char dir[64];

	lack_berlin(dir);
	schedule.type = SCHEDULE_CRON;
	schedule.rule = "* * * * *";
	schedule.tz = "Europe/Berlin";
	beat_scene_store(s, &schedule);
	/* A zone in the rule cannot be left out of claims. */
	schedule.id = "b";
	schedule.tz = "";
	schedule.rule = "CRON_TZ=Europe/Berlin * * * * *";
	beat_scene_store(s, &schedule);
	/* No data will mend this one. */
	schedule.id = "c";
	schedule.tz = "Europe/../Berlin";
	schedule.rule = "* * * * *";
	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_decided(s);
	ck_assert_int_eq(DUE(s, "a"), s->now_us);
	ck_assert_int_gt(DUE(s, "b"), s->now_us);
	ck_assert_int_eq(DUE(s, "c"), 0);
	ck_assert_int_eq(
	    beat_scene_number(s, "SELECT count(*) FROM flowrra_schedules"
				 " WHERE fault <> ''"),
	    1);
	FAKE_WAIT(&s->store, STATE(s, "lacks = 'Europe/Berlin'") == 1);
	/* It is found by itself. */
	lend_berlin(dir);
	if (_i == WORLD_SQLITE)
		beat_scene_pass(s, MINUTE_US + SECOND_US);
	else
		beat_scene_step(s, 0);
	FAKE_WAIT(&s->store, STATE(s, "lacks = ''") == 1);
	FAKE_WAIT(&s->store, DUE(s, "a") > s->now_us);
	/* The last full minute. */
	if (_i == WORLD_SQLITE)
		first_us = clock_wall_us() / MINUTE_US * MINUTE_US;
	beat_scene_fired(s, "a", first_us);
	unlack_berlin(dir);
	beat_scene_free(s);
}
END_TEST

START_TEST(another_scheduler_fires_what_one_lacks_the_zone_of)
{
	struct scene *s = beat_scene_new_in(_i, NULL);
	struct schedule schedule = beat_scene_schedule("a", s->now_us);
	char dir[64];

	lack_berlin(dir);
	schedule.type = SCHEDULE_CRON;
	schedule.rule = "* * * * *";
	schedule.tz = "Europe/Berlin";
	beat_scene_store(s, &schedule);
	beat_scene_run(s);
	beat_scene_decided(s);
	FAKE_WAIT(&s->store, STATE(s, "lacks = 'Europe/Berlin'") == 1);
	ck_assert_uint_eq(beat_scene_sent(s, "a", s->now_us), 0);
	unsetenv("TZDIR");
	beat_scene_run(s);
	beat_scene_fired(s, "a", s->now_us);
	unlack_berlin(dir);
	beat_scene_free(s);
}
END_TEST

SUITE("beat_clock")
{
	SUITE_TIMEOUT(60);
	tcase_add_unchecked_fixture(suite_case_, world_setup, world_teardown);
	TEST(a_clock_that_was_years_ahead_silences_nothing);
	TEST_LOOP(a_clock_that_is_set_while_a_queue_is_full_drops_nothing,
		  WORLD_POSTGRESQL, N_WORLDS);
	TEST_LOOP(what_was_made_by_a_clock_that_was_ahead_fires_on, 0, 2);
	TEST(a_schedule_that_a_wrong_clock_has_ended_goes_on);
	TEST(what_a_wrong_clock_has_done_is_found_at_the_start);
	TEST(a_fire_that_was_made_early_is_not_made_again);
	TEST(a_clock_that_may_be_wrong_forgets_nothing);
	TEST_LOOP(a_scheduler_whose_clock_is_not_the_servers_claims_nothing, 0,
		  4);
	TEST_LOOP(a_zone_that_a_machine_lacks_is_left_to_others, 0, N_WORLDS);
	TEST_LOOP(another_scheduler_fires_what_one_lacks_the_zone_of, 0,
		  N_WORLDS);
}
