/* SPDX-License-Identifier: MIT */
/* The contract of limits that have a rate, on each broker. */
#include <stdio.h>

#include "redis_server.h"
#include "store/limits_scene.h"
#include "util/clock.h"

static void
limit_rate(enum limit_kind kind, const char *key, int64_t n, int64_t burst)
{
	struct broker_limit_change c = {.rule = {.kind = kind,
						 .key = slice_of(key),
						 .rate = n,
						 .period_ms = 1000,
						 .burst = burst}};

	lim_change(&c);
}

/* At 10 a second, two come at once, and each of the others 100 ms later: not sooner,
 * by the store's clock, which is exact to a millisecond. */
static void
ck_rate(enum limit_kind kind, const char *key)
{
	const int64_t begin_us = clock_mono_us();
	size_t i;

	limit_rate(kind, key, 10, 2);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_put("a3", "a", 0);
	lim_put("a4", "a", 0);
	broker_want(lim_worker()->broker, 0, 100);
	UNTIL(&op.stage, lim_worker()->n_claims == 4);
	ck_assert_int_ge(clock_mono_us() - begin_us, 198000);
	for (i = 0; i < 4; i++) {
		char id[] = {'a', (char)('1' + i), '\0'};

		ck_assert(lim_is_claim(lim_worker(), i, id));
	}
}

START_TEST(tasks_of_a_group_start_at_its_rate)
{
	lim_open(_i);
	ck_rate(LIMIT_EACH_GROUP, "");
	/* What has no rate is not in their way. */
	lim_put("b1", NULL, 0);
	UNTIL(&op.stage, lim_worker()->n_claims == 5);
	op_close();
}
END_TEST

START_TEST(tasks_of_a_name_start_at_its_rate)
{
	lim_open(_i);
	ck_rate(LIMIT_TASK, "n");
	op_close();
}
END_TEST

START_TEST(tasks_of_a_queue_start_at_its_rate)
{
	lim_open(_i);
	ck_rate(LIMIT_QUEUE, "");
	op_close();
}
END_TEST

START_TEST(a_rate_that_has_no_room_holds_tasks_until_it_is_unset)
{
	struct broker_limit_change c = {.rule = {.kind = LIMIT_GROUP,
						 .key = SLICE("a"),
						 .rate = 1,
						 .period_ms = HOUR_MS,
						 .burst = 1}};

	lim_open(_i);
	lim_change(&c);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_put("b1", "b", 0);
	lim_take(lim_worker(), 2);
	party_settle(lim_worker(), 0, BROKER_ACK);
	op_nothing_comes(lim_worker());
	ck_assert_int_eq(op_queue(op.producer, "io")->held, 1);
	ck_assert(lim_unset(LIMIT_GROUP, "a"));
	lim_take(lim_worker(), 3);
	op_close();
}
END_TEST

/* As if the clock had been set back by a year: what is ahead is of before. */
static void
set_back(void)
{
	if (op.stage.kind == KIND_REDIS) {
		redis_server_run(op.stage.server, "ZADD %s 9e15 g:a",
				 "{flowrra:queue:io}:tats");
		redis_server_run(op.stage.server, "ZADD %s XX 9e15 g:a",
				 "{flowrra:queue:io}:resting");
	} else {
		stage_sql(&op.stage,
			  "INSERT OR REPLACE INTO tats SELECT id, "
			  "'g:a', 9000000000000000 FROM queues; "
			  "UPDATE resting SET until = 9000000000000000");
	}
}

/* As if it had been set ahead: all that was due is long past. */
static void
set_ahead(void)
{
	if (op.stage.kind == KIND_REDIS) {
		redis_server_run(op.stage.server, "ZADD %s 1 g:a",
				 "{flowrra:queue:io}:tats");
		redis_server_run(op.stage.server, "ZADD %s XX 1 g:a",
				 "{flowrra:queue:io}:resting");
	} else {
		stage_sql(&op.stage, "UPDATE tats SET tat = 1; "
				     "UPDATE resting SET until = 1");
	}
}

START_TEST(a_clock_that_was_set_back_stops_no_rate)
{
	lim_open(_i);
	limit_rate(LIMIT_GROUP, "a", 10, 1);
	lim_put("a1", "a", 0);
	lim_take(lim_worker(), 1);
	set_back();
	lim_put("a2", "a", 0);
	UNTIL(&op.stage, lim_worker()->n_claims == 2);
	/* One that is held, and rests, when that happens. */
	lim_put("a3", "a", 0);
	UNTIL(&op.stage, op_queue(op.producer, "io")->held == 1);
	set_back();
	lim_put("b1", "b", 0);
	UNTIL(&op.stage, lim_worker()->n_claims == 4);
	ck_assert(lim_has_claim(lim_worker(), 2, "a3"));
	lim_in_time();
	op_close();
}
END_TEST

START_TEST(a_clock_that_was_set_ahead_lets_no_burst_through)
{
	struct broker_limit_change c = {.rule = {.kind = LIMIT_GROUP,
						 .key = SLICE("a"),
						 .rate = 2,
						 .period_ms = HOUR_MS,
						 .burst = 2}};
	char id[8];
	int i;

	lim_open(_i);
	lim_change(&c);
	for (i = 0; i < 6; i++) {
		snprintf(id, sizeof(id), "a%d", i);
		lim_put(id, "a", 0);
	}
	lim_take(lim_worker(), 2);
	set_ahead();
	lim_put("b1", "b", 0);
	lim_take(lim_worker(), 5);
	ck_assert_int_eq(op_queue(op.producer, "io")->held, 2);
	op_close();
}
END_TEST

START_TEST(a_rate_and_a_concurrency_both_hold)
{
	struct broker_limit_change c = {.rule = {.kind = LIMIT_GROUP,
						 .key = SLICE("a"),
						 .concurrency = 1,
						 .rate = 20,
						 .period_ms = 1000,
						 .burst = 1}};

	lim_open(_i);
	lim_change(&c);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_take(lim_worker(), 1);
	stage_linger(&op.stage, 120);
	ck_assert_uint_eq(lim_worker()->n_claims, 1);
	party_settle(lim_worker(), 0, BROKER_ACK);
	UNTIL(&op.stage, lim_worker()->n_claims == 2);
	/* Settled at once, it has to wait for the rate. */
	lim_put("a3", "a", 0);
	party_settle(lim_worker(), 1, BROKER_ACK);
	UNTIL(&op.stage, lim_worker()->n_claims == 3);
	op_close();
}
END_TEST

#define CASES(kind)                                                            \
	X(tasks_of_a_group_start_at_its_rate, kind)                            \
	X(tasks_of_a_name_start_at_its_rate, kind)                             \
	X(tasks_of_a_queue_start_at_its_rate, kind)                            \
	X(a_rate_that_has_no_room_holds_tasks_until_it_is_unset, kind)         \
	X(a_clock_that_was_set_back_stops_no_rate, kind)                       \
	X(a_clock_that_was_set_ahead_lets_no_burst_through, kind)              \
	X(a_rate_and_a_concurrency_both_hold, kind)

LIMITS_SUITES("rates")
