/* SPDX-License-Identifier: MIT */
/*
 * Long lists and large tasks at a Redis server: what has to be looked at whole
 * is looked at in stretches, and nothing is met twice or passed over.
 */
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redis_server.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

#define TASKS 60
#define SHARD "{flowrra:queue:io}:inflight:host:a#1"
#define DELAYED "{flowrra:queue:io}:delayed"

static struct stage w;

/* Runs a script with one key that makes a task of 100 kB for each number up to
 * TASKS: large(i). */
static void
fill(const char *key, const char *body)
{
	char text[512];
	redisReply *reply;

	snprintf(text, sizeof(text),
		 "local function large(i) return string.format('{\"id\":"
		 "\"%%d\",\"args\":[\"', i) .. string.rep('x', 100000) .. "
		 "'\"],\"priority\":5}' end for i = 1, %d do %s end",
		 TASKS, body);
	reply = redis_server_command(w.server, "EVAL %s 1 %s", text, key);
	ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s", reply->str);
	freeReplyObject(reply);
}

static void
open_large_stage(void)
{
	stage_open(&w, KIND_REDIS);
	w.options.max_task = 1 << 20;
}

static bool
has_id(const struct party *p, size_t i, int id)
{
	char text[32];

	snprintf(text, sizeof(text), "{\"id\":\"%d\"", id);
	return strncmp(p->claims[i]->bytes.p, text, strlen(text)) == 0;
}

START_TEST(a_long_list_of_what_was_in_flight_is_found_stretch_by_stretch)
{
	struct party *worker;
	size_t i;

	open_large_stage();
	fill(SHARD, "redis.call('LPUSH', KEYS[1], large(i))");
	redis_server_run(w.server, "CONFIG RESETSTAT");
	worker = party_open(&w, "host:a");
	UNTIL(&w, worker->n_claims == TASKS);
	/* 6 MB, of which one script copies less than one. */
	ck_assert_int_gt(stage_calls(&w, "lrange"), 10);
	for (i = 0; i < TASKS; i++) {
		ck_assert(worker->claims[i]->recovered);
		ck_assert(has_id(worker, i, (int)i + 1));
	}
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, TASKS);
	ck_assert_uint_eq(worker->n_lost, 0);
	party_close(worker);
	stage_close(&w);
}
END_TEST

static void
on_settled(struct broker_settle *settle)
{
	struct party *p = settle->arg;

	p->settled++;
}

/* In the order `by` (a step that has no divisor in common with TASKS): from the
 * old end on, from the new one, or both. */
static void
settle_while_compared(struct party *worker, size_t by)
{
	static struct broker_settle ends[TASKS];
	size_t i, k = 0;

	for (i = 0; i < TASKS; i++) {
		if (i % 4 == 0)
			broker_doubt(worker->broker,
				     worker->claims[(k + by) % TASKS]);
		ends[i] = (struct broker_settle){.disposition = BROKER_ACK,
						 .claim = worker->claims[k],
						 .on_done = on_settled,
						 .arg = worker};
		broker_settle(worker->broker, &ends[i]);
		k = (k + by) % TASKS;
		/* Some answers come, and some questions go. */
		stage_turn(&w, stage_deadline());
	}
	UNTIL(&w, worker->settled == TASKS);
}

START_TEST(what_is_settled_during_a_look_makes_it_meet_nothing_twice)
{
	static const size_t steps[] = {1, TASKS - 1, 7, 23, 31};
	struct party *worker;

	open_large_stage();
	fill(SHARD, "redis.call('LPUSH', KEYS[1], large(i))");
	worker = party_open(&w, "host:a");
	UNTIL(&w, worker->n_claims == TASKS);
	settle_while_compared(worker, steps[_i]);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_lost, 0);
	ck_assert_uint_eq(worker->n_claims, TASKS);
	ck_assert_int_eq(stage_number(&w, "EXISTS " SHARD), 0);
	party_close(worker);
	stage_close(&w);
}
END_TEST

/* Another program takes one out between two stretches. */
START_TEST(a_list_that_has_moved_is_looked_at_from_its_end_again)
{
	struct party *worker;
	int i, before;

	open_large_stage();
	fill(SHARD, "redis.call('LPUSH', KEYS[1], large(i))");
	worker = party_open(&w, "host:a");
	UNTIL(&w, worker->n_claims == TASKS);
	/* It is there when the look begins, and is gone when it ends. */
	for (i = 0; i < 3; i++) {
		before = stage_calls(&w, "lrange");
		broker_doubt(worker->broker, worker->claims[TASKS - 1]);
		/* Some stretches have been looked at. */
		UNTIL(&w, stage_calls(&w, "lrange") > before + i);
		redis_server_run(w.server, "LTRIM " SHARD " 0 -2");
		UNTIL(&w, (int)worker->n_kept > i);
	}
	broker_doubt(worker->broker, worker->claims[TASKS - 1]);
	UNTIL(&w, worker->n_lost == 3);
	for (i = 0; i < 3; i++)
		ck_assert_ptr_eq(worker->lost[i], worker->claims[i]);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, TASKS);
	ck_assert_uint_eq(worker->n_lost, 3);
	party_close(worker);
	stage_close(&w);
}
END_TEST

static int64_t
a_life_later(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec + BROKER_HEARTBEAT_TTL_S + 1) * INT64_C(1000000) +
	       now.tv_nsec / 1000;
}

START_TEST(what_a_dead_worker_had_is_taken_over_stretch_by_stretch)
{
	struct party *worker;

	open_large_stage();
	fill("{flowrra:queue:io}:inflight:host:b#1",
	     "redis.call('LPUSH', KEYS[1], large(i))");
	redis_server_run(w.server, "ZADD flowrra:workers %lld host:b",
			 (long long)clock_wall_us() / 1000 - 11000);
	worker = party_open(&w, "host:a");
	/* Each of two queues has looked at its own list; then host:b is missed,
	 * its epoch is asked for, and it is missed again. */
	UNTIL(&w, stage_calls(&w, "exists") >= 4);
	clock_replace(&(struct clock_source){.mono_us = a_life_later});
	redis_server_run(w.server, "CONFIG RESETSTAT");
	UNTIL(&w, worker->n_claims == TASKS);
	ck_assert(has_id(worker, 0, 1));
	ck_assert(has_id(worker, TASKS - 1, TASKS));
	ck_assert_int_eq(stage_number(&w, "LLEN " SHARD), TASKS);
	/* 6 MB, of which one script moves about half a MB. */
	ck_assert_int_gt(stage_calls(&w, "evalsha"), 10);
	clock_replace(NULL);
	party_close(worker);
	stage_close(&w);
}
END_TEST

/* Each worker used to ask for each other one each second. */
START_TEST(a_large_fleet_that_is_well_is_not_asked_for)
{
	struct party *worker;
	redisReply *reply;

	open_large_stage();
	worker = party_open(&w, "host:a");
	broker_heartbeat(worker->broker, SLICE("{}"));
	reply = redis_server_command(
	    w.server, "EVAL %s 1 flowrra:workers",
	    "local t = redis.call('TIME') for i = 1, 1000 do "
	    "redis.call('ZADD', KEYS[1], t[1] * 1000, 'h' .. i) end");
	freeReplyObject(reply);
	redis_server_run(w.server, "CONFIG RESETSTAT");
	UNTIL(&w, stage_calls(&w, "zrangebyscore") >= 6);
	ck_assert_int_eq(stage_calls(&w, "exists"), 0);
	party_close(worker);
	stage_close(&w);
}
END_TEST

START_TEST(large_ones_that_are_due_are_moved_a_few_at_a_time)
{
	struct party *worker;

	open_large_stage();
	fill(DELAYED, "redis.call('ZADD', KEYS[1], i, large(i))");
	worker = party_open(&w, "host:a");
	UNTIL(&w, stage_number(&w, "LLEN {flowrra:queue:io}:p:5") == TASKS);
	ck_assert_int_eq(stage_number(&w, "ZCARD " DELAYED), 0);
	broker_want(worker->broker, 0, TASKS);
	UNTIL(&w, worker->n_claims == TASKS);
	ck_assert(has_id(worker, 0, 1));
	ck_assert(has_id(worker, TASKS - 1, TASKS));
	party_close(worker);
	stage_close(&w);
}
END_TEST

static void
large_on_requeued(struct broker_requeue *batch, size_t n, void *arg)
{
	size_t i;

	for (i = 0; i < n; i++)
		ck_assert(batch[i].err.code == ERR_NONE && batch[i].found);
	((struct party *)arg)->answered = true;
}

/* Their new bytes pass through a script. */
START_TEST(large_dead_ones_go_back_a_few_at_a_time)
{
	enum { N = 20, SIZE = 100000 };
	static char bytes[SIZE];
	struct broker_requeue batch[N] = {{.priority = 0}};
	char names[N][8];
	struct party *p;
	size_t i;

	open_large_stage();
	p = party_open(&w, NULL);
	memset(bytes, 'x', SIZE);
	for (i = 0; i < N; i++) {
		snprintf(names[i], sizeof(names[i]), "d%zu", i);
		redis_server_run(w.server, "ZADD {flowrra:queue:io}:dead 1 %s",
				 names[i]);
		batch[i].key = slice_of(names[i]);
		batch[i].retry_bytes = (struct slice){bytes, SIZE};
	}
	redis_server_run(w.server, "CONFIG RESETSTAT");
	p->answered = false;
	broker_requeue(p->broker, SLICE("io"), batch, N, large_on_requeued, p);
	UNTIL(&w, p->answered);
	/* 512 KiB a call, and one that loads the script. */
	ck_assert_int_ge(stage_calls(&w, "evalsha"), 4);
	ck_assert_int_le(stage_calls(&w, "evalsha"), 8);
	ck_assert_int_eq(stage_number(&w, "LLEN flowrra:queue:io"), N);
	ck_assert_int_eq(stage_number(&w, "ZCARD {flowrra:queue:io}:dead"), 0);
	party_close(p);
	stage_close(&w);
}
END_TEST

/* Each took the server a second once, since it was tried from each byte on. */
START_TEST(large_ones_without_a_priority_are_moved_at_once)
{
	enum { N = 40 };
	struct party *worker;

	open_large_stage();
	redis_server_run(
	    w.server, "EVAL %s 1 " DELAYED " %d",
	    "for i = 1, tonumber(ARGV[1]) do redis.call('ZADD', "
	    "KEYS[1], i, '{\"id\":\"' .. i .. '\",\"args\":[\"' .. "
	    "string.rep('x', 20000) .. '\"]}') end",
	    N);
	worker = party_open(&w, "host:a");
	UNTIL(&w, stage_number(&w, "LLEN flowrra:queue:io") == N);
	party_close(worker);
	stage_close(&w);
}
END_TEST

/* Of one that is large, also where it stands first; another program may have it so,
 * or written in another way. */
START_TEST(the_priority_of_a_large_task_is_found_at_either_end)
{
	static const struct {
		const char *head, *tail, *list;
	} due[] = {
	    {"{\"priority\":3,\"args\":[\"", "\"]}", "{flowrra:queue:io}:p:3"},
	    {"{\"priority\":3,\"args\":[\"", "\"],\"priority\":4}",
	     "{flowrra:queue:io}:p:4"},
	    {"{\"kwargs\":{\"priority\":9},\"args\":[\"", "\"]}",
	     "flowrra:queue:io"},
	    {"{\"priority\":3,\"args\":[\"", "\"],\"kwargs\":{\"priority\":9}}",
	     "{flowrra:queue:io}:p:3"},
	    {"{\"\\u0070riority\":5,\"args\":[\"", "\"]}",
	     "{flowrra:queue:io}:p:5"},
	};
	struct party *worker;
	redisReply *reply;

	open_large_stage();
	redis_server_run(w.server, "EVAL %s 1 " DELAYED " %s %s",
			 "redis.call('ZADD', KEYS[1], 1, ARGV[1] .. "
			 "string.rep('x', 40000) .. ARGV[2])",
			 due[_i].head, due[_i].tail);
	worker = party_open(&w, "host:a");
	UNTIL(&w, stage_number(&w, "ZCARD " DELAYED) == 0);
	reply = redis_server_command(w.server, "LLEN %s", due[_i].list);
	ck_assert_int_eq(reply->integer, 1);
	freeReplyObject(reply);
	party_close(worker);
	stage_close(&w);
}
END_TEST

/* Only what stands behind the arguments is decoded, where that can be. */
START_TEST(the_priority_of_what_is_due_is_that_of_the_task)
{
	static const struct {
		const char *task, *list;
	} due[] = {
	    {"{\"args\":[],\"kwargs\":{\"priority\":9},\"priority\":5,"
	     "\"cpu_bound\":false}",
	     "{flowrra:queue:io}:p:5"},
	    {"{\"priority\":3,\"kwargs\":{\"priority\":9}}",
	     "{flowrra:queue:io}:p:3"},
	    {"{\"kwargs\":{\"priority\":9},\"priority\":4,\"history\":"
	     "[{\"error\":\"}]\"}]}",
	     "{flowrra:queue:io}:p:4"},
	    {"{\"args\":[\"\\\"priority\\\":7\"],\"priority\":-2}",
	     "{flowrra:queue:io}:p:-2"},
	    {"{\"priority\":1,\"args\":[\"priority\"]}",
	     "{flowrra:queue:io}:p:1"},
	    {"{\"kwargs\":{\"priority\":9}}", "flowrra:queue:io"},
	    {"{\"priority\":\"x\"}", "flowrra:queue:io"},
	    {"[\"priority\"]", "flowrra:queue:io"},
	    {"not JSON, \"priority\"", "flowrra:queue:io"},
	};
	struct party *worker;
	redisReply *reply;

	open_large_stage();
	reply = redis_server_command(w.server, "ZADD " DELAYED " 1 %s",
				     due[_i].task);
	freeReplyObject(reply);
	worker = party_open(&w, "host:a");
	UNTIL(&w, stage_number(&w, "ZCARD " DELAYED) == 0);
	reply = redis_server_command(w.server, "LRANGE %s 0 -1", due[_i].list);
	ck_assert_uint_eq(reply->elements, 1);
	ck_assert_str_eq(reply->element[0]->str, due[_i].task);
	freeReplyObject(reply);
	party_close(worker);
	stage_close(&w);
}
END_TEST

SUITE("broker_redis_large")
{
	TEST(large_dead_ones_go_back_a_few_at_a_time);
	TEST(large_ones_without_a_priority_are_moved_at_once);
	TEST_LOOP(the_priority_of_a_large_task_is_found_at_either_end, 0, 5);
	TEST(a_long_list_of_what_was_in_flight_is_found_stretch_by_stretch);
	TEST_LOOP(what_is_settled_during_a_look_makes_it_meet_nothing_twice, 0,
		  5);
	TEST(a_list_that_has_moved_is_looked_at_from_its_end_again);
	TEST(what_a_dead_worker_had_is_taken_over_stretch_by_stretch);
	TEST(a_large_fleet_that_is_well_is_not_asked_for);
	TEST(large_ones_that_are_due_are_moved_a_few_at_a_time);
	TEST_LOOP(the_priority_of_what_is_due_is_that_of_the_task, 0, 9);
}
