/* SPDX-License-Identifier: MIT */
/*
 * Clocks that are set while tasks wait for their time: a delay stays as long as
 * it was, a time stays the same time.
 */
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "broker/stage.h"
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

/* --- SQLite: the clock of this machine -------------------------------------
 */

static const struct clock_source source = {.wall_us = shifted_wall_us};

static void
submit_at(struct party *p, const char *id, const char *bytes, int64_t in_ms)
{
	struct broker_submit task = {.queue = "io",
				     .id = slice_of(id),
				     .bytes = slice_of(bytes),
				     .at_ms = clock_wall_us() / 1000 + in_ms};

	ck_assert_int_eq(party_submit_with(p, &task), ERR_NONE);
}

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
	ck_assert_int_eq(sqlite3_open(w.url + strlen("sqlite://"), &db),
			 SQLITE_OK);
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

SUITE("broker_delay")
{
	TEST_LOOP(no_delay_is_shorter_or_longer_for_a_clock_that_is_set, 0, 4);
	TEST_LOOP(a_retry_waits_as_long_as_it_should, 0, 2);
	TEST(a_time_is_that_of_the_clock_whatever_it_is_set_to);
	TEST(a_start_of_the_machine_leaves_due_times_as_they_are);
}
