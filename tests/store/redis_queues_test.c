/* SPDX-License-Identifier: MIT */
/*
 * A worker of many queues at a Redis server: it has few connections, and hears of
 * a task in each queue at once all the same.
 */
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

#define QUEUES 100

static struct stage w;
static struct party *worker;

/* All queues wait for a task. */
static void
open_worker(void)
{
	static char names[QUEUES][8];
	static const char *queues[QUEUES];
	unsigned int i;

	for (i = 0; i < QUEUES; i++) {
		snprintf(names[i], sizeof(names[i]), "q%u", i);
		queues[i] = names[i];
	}
	w.options.queues = queues;
	w.options.n_queues = QUEUES;
	worker = party_open(&w, "host:a");
	for (i = 0; i < QUEUES; i++)
		broker_want(worker->broker, i, 10);
}

static void
open_many(void)
{
	stage_open(&w, KIND_REDIS);
	open_worker();
}

static void
close_many(void)
{
	party_close(worker);
	stage_close(&w);
}

/* Waits until the server watches what no connection waits for. */
static void
wait_until_armed(void)
{
	UNTIL(&w, stage_clients(&w, "cmd=blmove") == 4);
	UNTIL(&w,
	      stage_info(&w, "stats", "tracking_total_keys:") >= QUEUES - 4);
}

START_TEST(a_hundred_queues_have_seven_connections)
{
	open_many();
	wait_until_armed();
	ck_assert_uint_eq(stage_clients(&w, "name=flowrrad"), 7);
	close_many();
}
END_TEST

/* One connection that waits is left. */
START_TEST(the_limit_of_connections_is_kept)
{
	unsigned int i;

	stage_open(&w, KIND_REDIS);
	w.options.max_connections = 4;
	open_worker();
	UNTIL(&w,
	      stage_info(&w, "stats", "tracking_total_keys:") >= QUEUES - 1);
	ck_assert_uint_eq(stage_clients(&w, "name=flowrrad"), 4);
	for (i = 0; i < 5; i++) {
		redis_server_run(w.server, "LPUSH flowrra:queue:q%u [1]", i);
		UNTIL(&w, worker->n_claims == i + 1);
	}
	close_many();
}
END_TEST

/* As a program pushes it that knows nothing of wake orders. */
START_TEST(a_task_in_any_of_them_is_heard_of_at_once)
{
	unsigned int i;

	open_many();
	wait_until_armed();
	for (i = 0; i < QUEUES; i++) {
		const int64_t began = clock_mono_ms();

		redis_server_run(w.server, "LPUSH flowrra:queue:q%u [%u]", i,
				 i);
		UNTIL(&w, worker->n_claims == i + 1);
		ck_assert_uint_eq(worker->claims[i]->queue, i);
		/* Not by the look that follows once in ten seconds. */
		ck_assert_int_lt(clock_mono_ms() - began, 900);
	}
	close_many();
}
END_TEST

START_TEST(they_are_heard_of_again_and_again)
{
	unsigned int i;

	open_many();
	wait_until_armed();
	for (i = 0; i < 50; i++) {
		broker_want(worker->broker, 77, 1);
		redis_server_run(w.server, "LPUSH flowrra:queue:q77 [1]");
		UNTIL(&w, worker->n_claims == i + 1);
	}
	close_many();
}
END_TEST

START_TEST(each_lost_connection_is_made_up_for)
{
	static const char *const names[] = {"flowrrad", "flowrrad-watch",
					    "flowrrad-queue"};
	unsigned int i;
	char kill[600];
	redisReply *list;
	char *line, *rest, *id;

	open_many();
	for (i = 0; i < 3; i++) {
		wait_until_armed();
		list = redis_server_command(w.server, "CLIENT LIST");
		rest = list->str;
		while ((line = strsep(&rest, "\n")) != NULL) {
			snprintf(kill, sizeof(kill), " name=%s ", names[i]);
			if (strstr(line, kill) == NULL ||
			    (id = strstr(line, "id=")) == NULL)
				continue;
			redis_server_run(w.server, "CLIENT KILL ID %d",
					 atoi(id + 3)); /* NOLINT */
		}
		freeReplyObject(list);
		/* One that is pushed meanwhile, and one later. */
		redis_server_run(w.server, "LPUSH flowrra:queue:q50 [1]");
		UNTIL(&w, worker->n_claims == 2 * i + 1);
		UNTIL(&w, stage_clients(&w, "name=flowrrad") == 7);
		wait_until_armed();
		redis_server_run(w.server, "LPUSH flowrra:queue:q51 [1]");
		UNTIL(&w, worker->n_claims == 2 * i + 2);
	}
	close_many();
}
END_TEST

/* The trouble is named once, and the queues are looked at all the same. */
START_TEST(without_the_right_to_its_channel_they_are_looked_at)
{
	unsigned int troubles;

	stage_open(&w, KIND_REDIS);
	redis_server_run(w.server,
			 "ACL SETUSER default resetchannels &flowrra:*");
	open_worker();
	UNTIL(&w, stage_clients(&w, "cmd=blmove") == 4);
	UNTIL(&w, strstr(worker->why.msg, "queues beyond the first 4") != NULL);
	ck_assert_ptr_nonnull(strstr(worker->why.msg, "once a second"));
	troubles = worker->troubles;
	redis_server_run(w.server, "LPUSH flowrra:queue:q50 [1]");
	UNTIL(&w, worker->n_claims == 1);
	redis_server_run(w.server, "LPUSH flowrra:queue:q99 [1]");
	UNTIL(&w, worker->n_claims == 2);
	ck_assert_uint_eq(worker->troubles, troubles);
	close_many();
}
END_TEST

/* The first four have the connections, until another one is busy. */
START_TEST(a_busy_queue_gets_the_connection_of_a_dull_one)
{
	const int64_t deadline = clock_mono_ms() + 8000;
	unsigned int n = 0;
	int armed, same = 0;

	open_many();
	wait_until_armed();
	while (same < 10) {
		ck_assert_int_lt(clock_mono_ms(), deadline);
		broker_want(worker->broker, 99, 1);
		stage_linger(&w, 5);
		armed = stage_calls(&w, "client|caching");
		redis_server_run(w.server, "LPUSH flowrra:queue:q99 [1]");
		n++;
		UNTIL(&w, worker->n_claims == n);
		stage_linger(&w, 5);
		/* It is armed each time, until it has a connection. */
		same =
		    stage_calls(&w, "client|caching") == armed ? same + 1 : 0;
	}
	close_many();
}
END_TEST

/* Also where the server does not tell of the others: they are looked at once a
 * second, which ten tasks in a row would not be heard of by. */
START_TEST(a_busy_queue_that_is_only_looked_at_gets_a_connection_too)
{
	const int64_t deadline = clock_mono_ms() + 20000;
	unsigned int n = 0;
	int at_once = 0;
	int64_t began;

	stage_open(&w, KIND_REDIS);
	redis_server_run(w.server,
			 "ACL SETUSER default resetchannels &flowrra:*");
	open_worker();
	UNTIL(&w, stage_clients(&w, "cmd=blmove") == 4);
	while (at_once < 10) {
		/* It looks once when it is wanted, and finds nothing. */
		broker_want(worker->broker, 99, 1);
		stage_linger(&w, 20);
		ck_assert_int_lt(began = clock_mono_ms(), deadline);
		redis_server_run(w.server, "LPUSH flowrra:queue:q99 [1]");
		n++;
		UNTIL(&w, worker->n_claims == n);
		at_once = clock_mono_ms() - began < 200 ? at_once + 1 : 0;
	}
	close_many();
}
END_TEST

SUITE("broker_redis_queues")
{
	TEST(a_busy_queue_that_is_only_looked_at_gets_a_connection_too);
	TEST(a_hundred_queues_have_seven_connections);
	TEST(the_limit_of_connections_is_kept);
	TEST(a_task_in_any_of_them_is_heard_of_at_once);
	TEST(they_are_heard_of_again_and_again);
	TEST(each_lost_connection_is_made_up_for);
	TEST(without_the_right_to_its_channel_they_are_looked_at);
	TEST(a_busy_queue_gets_the_connection_of_a_dull_one);
}
