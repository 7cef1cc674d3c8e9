/* SPDX-License-Identifier: MIT */
/* Priorities, and what is delayed, as only Redis has them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/admin.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"

static struct stage w;

static void
on_batch(struct broker_submit *batch, size_t n, void *arg)
{
	((struct party *)arg)->answered = true;
}

/* More levels than a worker keeps, none of which it has heard of. */
START_TEST(tasks_of_many_priorities_come_in_their_order)
{
	enum { LEVELS = 150 };
	struct party *producer, *worker;
	char bytes[16];
	int i;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	for (i = 0; i < LEVELS; i++) {
		snprintf(bytes, sizeof(bytes), "[%d]", i - 75);
		party_submit(producer, "1", bytes, (i - 75) * 1000, 0);
	}
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, LEVELS + 10);
	UNTIL(&w, worker->n_claims == LEVELS);
	for (i = 0; i < LEVELS; i++) {
		snprintf(bytes, sizeof(bytes), "[%d]", i - 75);
		ck_assert_msg(party_has(worker, (size_t)i, bytes), "%d", i);
	}
	UNTIL(&w, stage_number(&w, "EXISTS {flowrra:queue:io}:levels") == 0);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* What one claim may bring is limited in bytes; nobody else tells of the rest. */
START_TEST(a_worker_comes_back_for_what_one_claim_cannot_bring)
{
	enum { TASKS = 200, SIZE = 100000 };
	struct party *producer, *worker;
	char *bytes = malloc(SIZE + 1);
	int i;

	stage_open(&w, KIND_REDIS);
	w.options.max_task = SIZE;
	memset(bytes, 'x', SIZE);
	bytes[SIZE] = '\0';
	producer = party_open(&w, NULL);
	for (i = 0; i < TASKS; i++)
		party_submit(producer, "1", bytes, 5, 0);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, TASKS);
	UNTIL(&w, worker->n_claims == TASKS);
	free(bytes);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(the_limit_of_a_queue_counts_priorities_of_others)
{
	struct party *one, *other;
	int i;

	stage_open(&w, KIND_REDIS);
	w.options.max_queue_size = 4;
	one = party_open(&w, NULL);
	other = party_open(&w, NULL);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(
		    party_submit(i % 2 ? one : other, "1", "[1]", i * 7, 0),
		    ERR_NONE);
	ck_assert_int_eq(party_submit(one, "1", "[1]", 99, 0), ERR_FULL);
	ck_assert_int_eq(party_submit(other, "1", "[1]", 0, 0), ERR_FULL);
	ck_assert_int_eq(stage_number(&w, "ZCARD {flowrra:queue:io}:levels"),
			 3);
	party_close(other);
	party_close(one);
	stage_close(&w);
}
END_TEST

/* How many of a batch of tasks, each of a priority of its own from `first` on, were
 * refused; `why` is the last one's message. */
static size_t
refused_of_batch(struct party *p, int first, size_t n, char why[256])
{
	struct broker_submit *tasks = calloc(n, sizeof(*tasks));
	size_t i, refused = 0;

	for (i = 0; i < n; i++)
		tasks[i] =
		    (struct broker_submit){.queue = "io",
					   .id = SLICE("id"),
					   .bytes = SLICE("[1]"),
					   .priority = first + (int32_t)i};
	p->answered = false;
	broker_submit(p->broker, tasks, n, on_batch, p);
	UNTIL(&w, p->answered);
	for (i = 0; i < n; i++) {
		if (tasks[i].err.code == ERR_NONE)
			continue;
		ck_assert_int_eq(tasks[i].err.code, ERR_FULL);
		snprintf(why, 256, "%s", tasks[i].err.msg);
		refused++;
	}
	free(tasks);
	return refused;
}

#define LEVELS_LIMIT 256

/* A batch of several calls, none of which knows the levels: the answer to the first
 * tells them. */
START_TEST(calls_that_are_under_way_learn_the_same_priorities)
{
	enum { SIZE = 200000, LARGE_ONES = 3 };
	struct broker_submit tasks[LARGE_ONES];
	char *bytes = malloc(SIZE);
	struct party *other, *p;
	int i;

	memset(bytes, ' ', SIZE);
	stage_open(&w, KIND_REDIS);
	w.options.max_queue_size = 100;
	other = party_open(&w, NULL);
	for (i = 1; i < 5; i++)
		party_submit(other, "1", "[1]", i, 0);
	p = party_open(&w, NULL);
	for (i = 0; i < LARGE_ONES; i++)
		tasks[i] = (struct broker_submit){
		    .queue = "io", .id = SLICE("id"), .bytes = {bytes, SIZE}};
	party_submit_batch(p, tasks, LARGE_ONES);
	free(bytes);
	party_close(p);
	party_close(other);
	stage_close(&w);
}
END_TEST

/* With the message that names it; tasks of priorities that are there, and of 0, are
 * taken. */
START_TEST(a_limited_queue_has_so_many_priorities_at_most)
{
	struct party *p, *worker;
	char why[256] = "";

	stage_open(&w, KIND_REDIS);
	w.options.max_queue_size = 10000;
	p = party_open(&w, NULL);
	ck_assert_uint_eq(refused_of_batch(p, 1, LEVELS_LIMIT - 6, why), 0);
	ck_assert_uint_eq(refused_of_batch(p, 1001, 20, why), 14);
	ck_assert_ptr_nonnull(strstr(why, "256 priorities"));
	ck_assert_ptr_nonnull(strstr(why, "max_queue_size"));
	ck_assert_int_eq(party_submit(p, "1", "[1]", 2000, 0), ERR_FULL);
	ck_assert_int_eq(party_submit(p, "1", "[1]", 7, 0), ERR_NONE);
	ck_assert_int_eq(party_submit(p, "1", "[1]", 0, 0), ERR_NONE);
	ck_assert_int_eq(stage_number(&w, "ZCARD {flowrra:queue:io}:levels"),
			 LEVELS_LIMIT);
	/* When they have run, others may come. */
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10000);
	UNTIL(&w, worker->n_claims == LEVELS_LIMIT + 2);
	UNTIL(&w, stage_number(&w, "EXISTS {flowrra:queue:io}:levels") == 0);
	ck_assert_int_eq(party_submit(p, "1", "[1]", 2000, 0), ERR_NONE);
	party_close(worker);
	party_close(p);
	stage_close(&w);
}
END_TEST

/* Delayed tasks, and retries, have been accepted: they make what levels they need,
 * and only then nothing more is taken. */
START_TEST(the_limit_of_priorities_loses_nothing_that_was_accepted)
{
	struct broker_settle back = {.disposition = BROKER_RETRY,
				     .retry_bytes =
					 SLICE("{\"priority\":3000}"),
				     .priority = 3000};
	struct party *p, *worker;
	char why[256];
	int i;

	stage_open(&w, KIND_REDIS);
	w.options.max_queue_size = 10000;
	p = party_open(&w, NULL);
	party_submit(p, "1", "[0]", 0, 0);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
	broker_want(worker->broker, 0, 0);
	ck_assert_uint_eq(refused_of_batch(p, 1, LEVELS_LIMIT, why), 0);
	for (i = 0; i < 20; i++)
		redis_server_run(w.server,
				 "ZADD {flowrra:queue:io}:delayed 1 "
				 "{\"priority\":%d}",
				 4000 + i);
	redis_server_run(w.server, "PUBLISH flowrra:control %s",
			 "{\"order\":\"wake\",\"queue\":\"io\"}");
	UNTIL(&w, stage_number(&w, "ZCARD {flowrra:queue:io}:levels") ==
		      LEVELS_LIMIT + 20);
	party_settle_with(worker, 0, &back);
	UNTIL(&w, stage_number(&w, "ZCARD {flowrra:queue:io}:levels") ==
		      LEVELS_LIMIT + 21);
	ck_assert_int_eq(party_submit(p, "1", "[1]", 0, 0), ERR_FULL);
	broker_want(worker->broker, 0, 1000);
	UNTIL(&w, worker->n_claims == 1 + LEVELS_LIMIT + 21);
	party_close(worker);
	party_close(p);
	stage_close(&w);
}
END_TEST

START_TEST(a_level_that_is_no_number_stops_nothing_for_ever)
{
	struct party *producer, *worker;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	redis_server_run(w.server, "ZADD {flowrra:queue:io}:levels 1 abc");
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	party_submit(producer, "1", "[1]", 0, 0);
	UNTIL(&w, worker->n_claims == 1);
	producer->answered = false;
	broker_queues(producer->broker, SLICE("io"), party_on_queues, producer);
	UNTIL(&w, producer->answered);
	ck_assert_ptr_nonnull(strstr(producer->err.msg, "not priorities"));
	redis_server_run(w.server, "DEL {flowrra:queue:io}:levels");
	party_submit(producer, "1", "[2]", 3, 0);
	UNTIL(&w, worker->n_claims == 2);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* Another program may push the same bytes twice: both count. */
START_TEST(tasks_of_the_same_bytes_are_delayed_beside_each_other)
{
	static const char task[] = "{\"id\":\"1\",\"name\":\"t\"}";
	struct broker_settle aside = {.disposition = BROKER_SET_ASIDE,
				      .lane = SLICE("t"),
				      .retry_bytes = SLICE("[\"again\"]"),
				      .delay_ms = 1};
	struct party *worker;
	size_t i;

	stage_open(&w, KIND_REDIS);
	worker = party_open(&w, "host:a");
	for (i = 0; i < 3; i++)
		redis_server_run(w.server, "LPUSH flowrra:queue:io %s", task);
	broker_want(worker->broker, 0, 3);
	UNTIL(&w, worker->n_claims == 3);
	for (i = 0; i < 3; i++) {
		if (_i == 0)
			party_retry(worker, i, "[\"again\"]", 3600000);
		else
			party_settle_with(worker, i, &aside);
	}
	if (_i == 0)
		ck_assert_int_eq(
		    stage_number(&w, "ZCARD {flowrra:queue:io}:delayed"), 3);
	/* Each comes back. */
	redis_server_run(w.server, "EVAL %s 0",
			 "local d = '{flowrra:queue:io}:delayed' for _, m in "
			 "ipairs(redis.call('ZRANGE', d, 0, -1)) do "
			 "redis.call('ZADD', d, 1, m) end "
			 "redis.call('PUBLISH', 'flowrra:control', "
			 "'{\"order\":\"wake\",\"queue\":\"io\"}')");
	broker_want(worker->broker, 0, 3);
	UNTIL(&w, worker->n_claims == 6);
	party_close(worker);
	stage_close(&w);
}
END_TEST

SUITE("broker_redis-priority")
{
	TEST_LOOP(tasks_of_the_same_bytes_are_delayed_beside_each_other, 0, 2);
	TEST(tasks_of_many_priorities_come_in_their_order);
	TEST(a_worker_comes_back_for_what_one_claim_cannot_bring);
	TEST(the_limit_of_a_queue_counts_priorities_of_others);
	TEST(calls_that_are_under_way_learn_the_same_priorities);
	TEST(a_limited_queue_has_so_many_priorities_at_most);
	TEST(the_limit_of_priorities_loses_nothing_that_was_accepted);
	TEST(a_level_that_is_no_number_stops_nothing_for_ever);
}
