/* SPDX-License-Identifier: MIT */
/*
 * Clocks that are set while tasks wait for their time: a delay stays as long as
 * it was, a time stays the same time.
 */
#include <hiredis.h>
#include <math.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "redis_server.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

#define HOUR_US INT64_C(3600000000)

static struct stage w;
static _Atomic int64_t shift_us;

static int64_t
shifted_wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000 + shift_us;
}

/* Timers of the wall clock follow it, but are not cancelled when it is set. */
int
timerfd_settime(int fd, int flags, const struct itimerspec *at,
		struct itimerspec *old)
{
	struct itimerspec real = *at;

	if ((flags & TFD_TIMER_CANCEL_ON_SET) != 0 && at->it_value.tv_sec != 0)
		real.it_value.tv_sec -= shift_us / 1000000;
	return (int)syscall(SYS_timerfd_settime, fd, flags, &real, old);
}

static void
submit_at(struct party *p, const char *id, const char *bytes, int64_t in_ms)
{
	struct broker_submit task = {.queue = "io",
				     .id = slice_of(id),
				     .bytes = slice_of(bytes),
				     .at_ms = clock_wall_us() / 1000 + in_ms};

	ck_assert_int_eq(party_submit_with(p, &task), ERR_NONE);
}

/* --- SQLite: the clock of this machine ----------------------------------- */

static const struct clock_source source = {.wall_us = shifted_wall_us};

START_TEST(no_delay_is_shorter_or_longer_for_a_clock_that_is_set)
{
	static const int64_t steps[] = {HOUR_US, -HOUR_US, 20000000, -20000000};
	struct party *producer, *worker;
	int64_t begin;

	stage_open(&w, KIND_SQLITE);
	clock_replace(&source);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 100);
	begin = clock_mono_ms();
	party_submit(producer, "1", "[1]", 0, 500);
	stage_linger(&w, 50);
	shift_us = steps[_i];
	/* Of two delays after the step, one ends before the other. */
	party_submit(producer, "2", "[2]", 0, 100);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert(party_has(worker, 0, "[2]"));
	ck_assert_int_ge(clock_mono_ms() - begin, 150);
	ck_assert_int_lt(clock_mono_ms() - begin, 500);
	UNTIL(&w, worker->n_claims == 2);
	ck_assert_int_ge(clock_mono_ms() - begin, 500);
	ck_assert_int_lt(clock_mono_ms() - begin, 2500);
	party_close(worker);
	party_close(producer);
	clock_replace(NULL);
	stage_close(&w);
}
END_TEST

START_TEST(a_retry_waits_as_long_as_it_should)
{
	struct party *producer, *worker;
	int64_t begin;

	stage_open(&w, KIND_SQLITE);
	clock_replace(&source);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	party_submit(producer, "1", "[1]", 0, 0);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	begin = clock_mono_ms();
	party_retry(worker, 0, "[1,2]", 400);
	shift_us = _i == 0 ? HOUR_US : -HOUR_US;
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 2);
	ck_assert_int_ge(clock_mono_ms() - begin, 400);
	ck_assert_int_lt(clock_mono_ms() - begin, 2400);
	party_close(worker);
	party_close(producer);
	clock_replace(NULL);
	stage_close(&w);
}
END_TEST

START_TEST(a_time_is_that_of_the_clock_whatever_it_is_set_to)
{
	struct party *producer, *worker;

	stage_open(&w, KIND_SQLITE);
	clock_replace(&source);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	submit_at(producer, "past", "[0]", -5000);
	broker_want(worker->broker, 0, 100);
	UNTIL(&w, worker->n_claims == 1);
	submit_at(producer, "half an hour", "[1]", 1800000);
	submit_at(producer, "two hours", "[2]", 7200000);
	shift_us = HOUR_US;
	/* Somebody looks; a real clock wakes workers when it is set. */
	party_submit(producer, "now", "[3]", 0, 0);
	UNTIL(&w, worker->n_claims == 3);
	ck_assert(party_has(worker, 1, "[3]") || party_has(worker, 2, "[3]"));
	ck_assert(party_has(worker, 1, "[1]") || party_has(worker, 2, "[1]"));
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 3);
	party_close(worker);
	party_close(producer);
	clock_replace(NULL);
	stage_close(&w);
}
END_TEST

/* What waited there when the delays were not yet marked, or that somebody wrote
 * into a database which was then taken to another machine, stays as it is. */
START_TEST(a_start_of_the_machine_leaves_due_times_as_they_are)
{
	struct party *producer, *worker;
	sqlite3 *db;

	stage_open(&w, KIND_SQLITE);
	producer = party_open(&w, NULL);
	party_submit(producer, "1", "[1]", 0, 300);
	party_close(producer);
	ck_assert_int_eq(sqlite3_open(stage_path(&w), &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db,
				      "UPDATE clock SET boot = 'other', "
				      "ahead = ahead - 3600000000",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_changes(db), 1);
	sqlite3_close(db);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	party_close(worker);
	stage_close(&w);
}
END_TEST

/* --- Redis: the clock of the server ----------------------------------------
 *
 * To a worker it is the same if the server's clock goes on by an hour, or its
 * own is an hour behind.
 */

static int64_t
shifted_boot_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000 - shift_us;
}

static const struct clock_source boot_source = {.boot_us = shifted_boot_us};

static double
score(const char *task)
{
	redisReply *reply = redis_server_command(
	    w.server, "ZSCORE {flowrra:queue:io}:delayed %s", task);
	double ms;

	ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
	ms = strtod(reply->str, NULL);
	freeReplyObject(reply);
	return ms;
}

static void
open_two(struct party **producer, struct party *workers[2])
{
	stage_open(&w, KIND_REDIS);
	clock_replace(&boot_source);
	*producer = party_open(&w, NULL);
	workers[0] = party_open(&w, "host:a");
	workers[1] = party_open(&w, "host:b");
	broker_want(workers[0]->broker, 0, 100);
	broker_want(workers[1]->broker, 0, 100);
}

static void
close_two(struct party *producer, struct party *workers[2])
{
	party_close(workers[1]);
	party_close(workers[0]);
	party_close(producer);
	clock_replace(NULL);
	stage_close(&w);
}

#define ck_moved(was, is, by_ms)                                               \
	do {                                                                   \
		ck_assert_double_ge((is) - (was), (by_ms));                    \
		ck_assert_double_le((is) - (was), (by_ms) + 1000);             \
	} while (0)

START_TEST(delays_follow_a_server_whose_clock_is_set)
{
	const int64_t step_us = _i == 0 ? HOUR_US : -HOUR_US;
	struct party *producer, *workers[2];
	double delay, time;

	open_two(&producer, workers);
	party_submit(producer, "1", "[\"delay\"]", 0, 2 * HOUR_US / 1000);
	submit_at(producer, "2", "[\"time\"]", 2 * HOUR_US / 1000);
	UNTIL(&w, fmod(score("[\"delay\"]"), 1) == 0.5);
	stage_linger(&w, 100);
	delay = score("[\"delay\"]");
	time = score("[\"time\"]");
	shift_us = step_us;
	UNTIL(&w, score("[\"delay\"]") != delay);
	/* Both workers have had the time to see it; it is moved once. */
	stage_linger(&w, 4000);
	ck_moved(delay, score("[\"delay\"]"), (double)step_us / 1000);
	ck_assert_double_eq(score("[\"time\"]"), time);
	/* And again. */
	shift_us = 0;
	UNTIL(&w, fabs(score("[\"delay\"]") - delay) < 2000);
	stage_linger(&w, 4000);
	ck_moved(delay, score("[\"delay\"]"), 0);
	ck_assert_uint_eq(workers[0]->n_claims + workers[1]->n_claims, 0);
	close_two(producer, workers);
}
END_TEST

/* Before a worker sees the step, a delay is counted from the new time. */
START_TEST(a_delay_that_begins_after_the_step_is_not_moved)
{
	struct party *producer, *workers[2];
	double before, after;

	open_two(&producer, workers);
	party_submit(producer, "1", "[1]", 0, 3 * HOUR_US / 1000);
	UNTIL(&w, fmod(score("[1]"), 1) == 0.5);
	stage_linger(&w, 100);
	before = score("[1]");
	/* The server's clock goes back. */
	shift_us = -HOUR_US;
	redis_server_run(w.server, "HINCRBY {flowrra:queue:io}:clock seen "
				   "3600000");
	party_submit(producer, "2", "[2]", 0, 2 * HOUR_US / 1000);
	after = score("[2]");
	UNTIL(&w, score("[1]") != before);
	stage_linger(&w, 4000);
	ck_moved(before, score("[1]"), -3600000.0);
	ck_assert_double_eq(floor(score("[2]")), floor(after));
	ck_assert_double_eq(fmod(score("[2]"), 1), 0.5);
	close_two(producer, workers);
}
END_TEST

/* One whose own clock was halted: the other does not undo what it did. */
START_TEST(workers_whose_clocks_differ_do_not_fight)
{
	struct party *producer, *workers[2];
	double before, after;
	redisReply *reply;

	open_two(&producer, workers);
	party_submit(producer, "1", "[1]", 0, 2 * HOUR_US / 1000);
	UNTIL(&w, fmod(score("[1]"), 1) == 0.5);
	before = score("[1]");
	/* As a third one would, whose clock is behind. */
	reply = redis_server_command(
	    w.server,
	    "EVAL %s 2 {flowrra:queue:io}:delayed "
	    "{flowrra:queue:io}:clock",
	    "redis.call('ZINCRBY', KEYS[1], 9000, '[1]') "
	    "return redis.call('HINCRBY', KEYS[2], 'shift', 9000)");
	ck_assert_int_eq(reply->type, REDIS_REPLY_INTEGER);
	freeReplyObject(reply);
	stage_linger(&w, 7000);
	after = score("[1]");
	ck_assert_double_eq(after - before, 9000);
	close_two(producer, workers);
}
END_TEST

/* A slow answer is no step, and a queue is not stuck for it. */
START_TEST(a_server_that_pauses_has_not_set_its_clock)
{
	struct party *producer, *workers[2];

	open_two(&producer, workers);
	party_submit(producer, "1", "[1]", 0, 1500);
	UNTIL(&w, fmod(score("[1]"), 1) == 0.5);
	redis_server_pause(w.server);
	stage_linger(&w, 2500);
	redis_server_continue(w.server);
	UNTIL(&w, workers[0]->n_claims + workers[1]->n_claims == 1);
	close_two(producer, workers);
}
END_TEST

SUITE("broker_delay")
{
	TEST_LOOP(delays_follow_a_server_whose_clock_is_set, 0, 2);
	TEST(a_delay_that_begins_after_the_step_is_not_moved);
	TEST(workers_whose_clocks_differ_do_not_fight);
	TEST(a_server_that_pauses_has_not_set_its_clock);
	TEST_LOOP(no_delay_is_shorter_or_longer_for_a_clock_that_is_set, 0, 4);
	TEST_LOOP(a_retry_waits_as_long_as_it_should, 0, 2);
	TEST(a_time_is_that_of_the_clock_whatever_it_is_set_to);
	TEST(a_start_of_the_machine_leaves_due_times_as_they_are);
}
