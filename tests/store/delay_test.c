/* SPDX-License-Identifier: MIT */
/*
 * Delayed tasks are due by the clock of the store: it may be set while they
 * wait, which may make them early or late, but loses and doubles none.
 */
#include <hiredis.h>
#include <stdatomic.h>
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

/* Set forward: what is due then begins at once. Set back: it begins when the
 * clock gets there. Neither is lost, and neither begins twice. */
START_TEST(a_delay_ends_by_the_clock_and_is_claimed_once)
{
	struct party *producer, *worker;

	stage_open(&w, KIND_SQLITE);
	clock_replace(&source);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 100);
	party_submit(producer, "1", "[1]", 0, HOUR_US / 1000 - 1000);
	/* Back: only what is added now counts from there. */
	shift_us = -HOUR_US;
	party_submit(producer, "2", "[2]", 0, 100);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert(party_has(worker, 0, "[2]"));
	/* Forward, past the first: a submission makes the worker look. */
	shift_us = HOUR_US;
	party_submit(producer, "3", "[3]", 0, 0);
	UNTIL(&w, worker->n_claims == 3);
	ck_assert(party_has(worker, 1, "[1]") || party_has(worker, 2, "[1]"));
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 3);
	party_close(worker);
	party_close(producer);
	clock_replace(NULL);
	stage_close(&w);
}
END_TEST

START_TEST(a_delay_is_never_shorter_than_asked_for)
{
	struct party *producer, *worker;
	int64_t begin;

	stage_open(&w, _i == 0 ? KIND_SQLITE : KIND_REDIS);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 1);
	party_submit(producer, "1", "[1]", 0, 0);
	UNTIL(&w, worker->n_claims == 1);
	begin = clock_mono_ms();
	party_retry(worker, 0, "[1,2]", 400);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 2);
	ck_assert_int_ge(clock_mono_ms() - begin, 400);
	ck_assert_int_lt(clock_mono_ms() - begin, 2400);
	party_close(worker);
	party_close(producer);
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

/* --- Redis: the clock of the server ----------------------------------------
 *
 * To the server it is the same if its clock goes on by an hour, or what waits
 * was due an hour sooner.
 */

START_TEST(a_worker_notices_that_the_clock_of_the_server_was_set_forward)
{
	struct party *producer, *worker;
	redisReply *reply;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 100);
	party_submit(producer, "1", "[1]", 0, HOUR_US / 1000);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 0);
	reply = redis_server_command(
	    w.server, "ZINCRBY {flowrra:queue:io}:delayed -3600000 [1]");
	ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
	freeReplyObject(reply);
	UNTIL(&w, worker->n_claims == 1);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 1);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* A slow answer does not count as a step, and a queue is not stuck for it. */
START_TEST(a_server_that_pauses_holds_no_delayed_task_for_ever)
{
	struct party *producer, *worker;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 100);
	party_submit(producer, "1", "[1]", 0, 1500);
	redis_server_pause(w.server);
	stage_linger(&w, 2500);
	redis_server_continue(w.server);
	UNTIL(&w, worker->n_claims == 1);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* Scores with a fraction, and a clock hash, are of an earlier version. */
START_TEST(a_score_with_a_fraction_is_a_time_like_any_other)
{
	struct party *worker;

	stage_open(&w, KIND_REDIS);
	redis_server_run(w.server,
			 "ZADD {flowrra:queue:io}:delayed 1.25 [1] 2.5 [2]");
	redis_server_run(w.server, "HSET {flowrra:queue:io}:clock doubt 1");
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 100);
	UNTIL(&w, worker->n_claims == 2);
	party_close(worker);
	stage_close(&w);
}
END_TEST

SUITE("broker_delay")
{
	TEST(a_worker_notices_that_the_clock_of_the_server_was_set_forward);
	TEST(a_server_that_pauses_holds_no_delayed_task_for_ever);
	TEST(a_score_with_a_fraction_is_a_time_like_any_other);
	TEST(a_delay_ends_by_the_clock_and_is_claimed_once);
	TEST_LOOP(a_delay_is_never_shorter_than_asked_for, 0, 2);
	TEST(a_time_is_that_of_the_clock_whatever_it_is_set_to);
}
