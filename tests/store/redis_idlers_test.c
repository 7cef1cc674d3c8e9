/* SPDX-License-Identifier: MIT */
/* Workers that wait for tasks of a queue with limits: of what comes, or is freed, one
 * of them is told, and the others do not look. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "redis_server.h"
#include "store/limits_scene.h"
#include "store/redis_stage.h"

#define IDLE 6

static struct party *idle[IDLE]; /* NULL: it is gone */
static char names[IDLE][16];

/* When it looked last, as the server has it; empty: it does not wait. */
static const char *
looked(size_t i)
{
	static char text[64];
	redisReply *reply = redis_server_command(
	    op.stage.server, "ZSCORE {flowrra:queue:io}:idlers host:%d",
	    (int)i);

	snprintf(text, sizeof(text), "%s",
		 reply->type == REDIS_REPLY_STRING ? reply->str : "");
	freeReplyObject(reply);
	return text;
}

static size_t
count_idle(void)
{
	size_t i, n = 0;

	for (i = 0; i < IDLE; i++)
		n += looked(i)[0] != '\0';
	return n;
}

static size_t
count_claims(void)
{
	size_t i, n = 0;

	for (i = 0; i < IDLE; i++)
		n += idle[i] != NULL ? idle[i]->n_claims : 0;
	return n;
}

/* Of connections whose server tells what changes. */
static size_t
count_tracking(void)
{
	redisReply *reply =
	    redis_server_command(op.stage.server, "CLIENT LIST");
	const char *p = reply->str;
	size_t n = 0;

	for (; (p = strstr(p, " flags=t")) != NULL; p++)
		n++;
	freeReplyObject(reply);
	return n;
}

static void
note_looks(char before[IDLE][64])
{
	size_t i;

	for (i = 0; i < IDLE; i++)
		strncpy(before[i], looked(i), sizeof(before[i]));
}

/* How many of them have looked since, and wait again. */
static size_t
count_looks(char before[IDLE][64])
{
	size_t i, n = 0;

	for (i = 0; i < IDLE; i++)
		n += looked(i)[0] != '\0' && strcmp(looked(i), before[i]) != 0;
	return n;
}

/* All have looked since they can be told of changes. */
static void
let_settle(void)
{
	char before[IDLE][64], after[IDLE][64];

	UNTIL(&op.stage, count_tracking() >= IDLE);
	note_looks(after);
	do {
		memcpy(before, after, sizeof(before));
		stage_linger(&op.stage, 100);
		note_looks(after);
	} while (memcmp(before, after, sizeof(before)) != 0);
}

static void
open_idle(int64_t concurrency)
{
	size_t i;

	op_open(KIND_REDIS);
	lim_set(LIMIT_TASK, "n", concurrency);
	for (i = 0; i < IDLE; i++) {
		snprintf(names[i], sizeof(names[i]), "host:%zu", i);
		idle[i] = party_open(&op.stage, names[i]);
		broker_want(idle[i]->broker, 0, 1);
	}
	UNTIL(&op.stage, count_idle() == IDLE);
	let_settle();
}

static void
close_idle(void)
{
	size_t i;

	for (i = 0; i < IDLE; i++)
		if (idle[i] != NULL)
			party_close(idle[i]);
	op_close();
}

/* All but so many have not looked since: those that got one, and one for each of them
 * that was to follow. */
static void
ck_few_looked(char before[IDLE][64], size_t few)
{
	size_t i, same = 0;

	stage_linger(&op.stage, 50);
	for (i = 0; i < IDLE; i++)
		same +=
		    before[i][0] != '\0' && strcmp(looked(i), before[i]) == 0;
	ck_assert_uint_ge(same, IDLE - few);
	lim_in_time();
}

START_TEST(a_new_task_is_for_one_of_those_that_wait)
{
	char before[IDLE][64];

	open_idle(100);
	note_looks(before);
	lim_put("1", NULL, 0);
	UNTIL(&op.stage, count_claims() == 1);
	ck_few_looked(before, 2);
	/* One that follows was told of this. */
	lim_put("2", NULL, 0);
	UNTIL(&op.stage, count_claims() == 2);
	ck_few_looked(before, 4);
	close_idle();
}
END_TEST

/* By one of the others, at once: a worker that is not told would look within a
 * second. */
START_TEST(a_worker_that_has_one_is_followed_by_another)
{
	char id[16];
	size_t i, n;

	open_idle(100);
	for (n = 1; n <= 4 * IDLE; n++) {
		snprintf(id, sizeof(id), "t%zu", n);
		lim_put(id, NULL, 0);
		UNTIL(&op.stage, count_claims() == n);
		for (i = 0; n % IDLE == 0 && i < IDLE; i++)
			broker_want(idle[i]->broker, 0, 1);
		if (n % IDLE == 0)
			let_settle();
		lim_in_time();
	}
	close_idle();
}
END_TEST

START_TEST(many_new_tasks_reach_all_that_wait)
{
	struct broker_submit tasks[IDLE];
	char ids[IDLE][16], bytes[IDLE][64];
	size_t i, n;

	open_idle(100);
	for (n = 1; n <= 10; n++) {
		memset(tasks, 0, sizeof(tasks));
		for (i = 0; i < IDLE; i++) {
			snprintf(ids[i], sizeof(ids[i]), "t%zu-%zu", n, i);
			snprintf(bytes[i], sizeof(bytes[i]),
				 "{\"id\":\"%s\",\"name\":\"n\"}", ids[i]);
			tasks[i].queue = "io";
			tasks[i].id = slice_of(ids[i]);
			tasks[i].bytes = slice_of(bytes[i]);
		}
		party_submit_batch(op.producer, tasks, IDLE);
		UNTIL(&op.stage, count_claims() == n * IDLE);
		lim_in_time();
		for (i = 0; i < IDLE; i++) {
			ck_assert_uint_eq(idle[i]->n_claims, n);
			broker_want(idle[i]->broker, 0, 1);
		}
		let_settle();
	}
	close_idle();
}
END_TEST

/* The worker that has claimed last. */
static size_t
find_claimer(const size_t before[IDLE])
{
	size_t i;

	for (i = 0; i < IDLE && idle[i]->n_claims == before[i]; i++)
		;
	ck_assert_uint_lt(i, IDLE);
	return i;
}

static void
note_claims(size_t ret[IDLE])
{
	size_t i;

	for (i = 0; i < IDLE; i++)
		ret[i] = idle[i]->n_claims;
}

/* Puts a task, and returns which worker has claimed it. */
static size_t
put_and_find(size_t n)
{
	char id[16];
	size_t before[IDLE];

	note_claims(before);
	snprintf(id, sizeof(id), "t%zu", n);
	lim_put(id, NULL, 0);
	UNTIL(&op.stage, count_claims() == n);
	return find_claimer(before);
}

START_TEST(a_place_that_is_freed_is_for_one_of_those_that_wait)
{
	char before[IDLE][64], id[16];
	size_t claims[IDLE], has, n;

	open_idle(1);
	broker_want(lim_worker()->broker, 0, 0);
	has = put_and_find(1);
	for (n = 2; n <= 16; n++) {
		snprintf(id, sizeof(id), "t%zu", n);
		lim_put(id, NULL, 0);
		/* It is held by the worker that it was given to. */
		UNTIL(&op.stage, strcmp(lim_shown(), "t:n 1 1 1; ") == 0);
		let_settle();
		note_looks(before);
		note_claims(claims);
		broker_want(idle[has]->broker, 0, 0);
		party_settle(idle[has], idle[has]->n_claims - 1, BROKER_ACK);
		UNTIL(&op.stage, count_claims() == n);
		/* The one that had it does not wait. */
		ck_few_looked(before, 3);
		broker_want(idle[has]->broker, 0, 1);
		has = find_claimer(claims);
	}
	close_idle();
}
END_TEST

/* The same, of the whole queue, for a worker that has room itself. */
START_TEST(a_place_that_a_worker_frees_is_for_that_worker)
{
	char id[16];
	size_t n;

	op_open(KIND_REDIS);
	lim_set(LIMIT_QUEUE, "", 1);
	for (n = 0; n < 16; n++) {
		snprintf(id, sizeof(id), "t%zu", n);
		lim_put(id, NULL, 0);
	}
	for (n = 0; n < 16; n++) {
		lim_take(lim_worker(), n + 1);
		party_settle(lim_worker(), n, BROKER_ACK);
	}
	op_close();
}
END_TEST

/* The number of the worker that is told of new tasks. */
static size_t
find_watcher(void)
{
	redisReply *reply = redis_server_command(
	    op.stage.server, "GET {flowrra:queue:io}:watcher");
	size_t i = IDLE;

	if (reply->type == REDIS_REPLY_STRING)
		for (i = 0; i < IDLE && strcmp(reply->str, names[i]) != 0; i++)
			;
	freeReplyObject(reply);
	ck_assert_uint_lt(i, IDLE);
	return i;
}

/* It was told, but has no room any more. */
START_TEST(one_that_has_no_room_any_more_has_another_one_look)
{
	size_t n, told, has;

	open_idle(100);
	for (n = 1; n <= 16; n++) {
		told = find_watcher();
		broker_want(idle[told]->broker, 0, 0);
		has = put_and_find(n);
		ck_assert_uint_ne(has, told);
		broker_want(idle[told]->broker, 0, 1);
		broker_want(idle[has]->broker, 0, 1);
		let_settle();
		lim_in_time();
	}
	close_idle();
}
END_TEST

/* Or those that were watchers before would all be told of a new task. */
START_TEST(a_watcher_that_lives_looks_and_stays_the_only_one)
{
	char before[IDLE][64], last[64];
	size_t watcher, n;

	open_idle(100);
	watcher = find_watcher();
	note_looks(before);
	for (n = 0; n < 3; n++) {
		memcpy(last, looked(watcher), sizeof(last));
		UNTIL(&op.stage, strcmp(looked(watcher), last) != 0);
	}
	ck_assert_uint_eq(count_looks(before), 1);
	ck_assert_uint_eq(find_watcher(), watcher);
	lim_in_time();
	close_idle();
}
END_TEST

/* As one that was killed, it says nothing. */
START_TEST(another_worker_follows_a_watcher_that_is_gone)
{
	size_t gone;

	open_idle(100);
	gone = find_watcher();
	party_close(idle[gone]);
	idle[gone] = NULL;
	lim_put("1", NULL, 0);
	UNTIL(&op.stage, count_claims() == 1);
	lim_in_time();
	close_idle();
}
END_TEST

/* One that is frozen, and was the last to look: the next word is for it. */
static void
add_frozen(void)
{
	redis_server_run(op.stage.server, "EVAL %s 1 {flowrra:queue:io}:idlers",
			 "redis.call('ZADD', KEYS[1], "
			 "redis.call('TIME')[1] * 1000 + 10000, 'frozen')");
}

static bool
is_frozen_woken(void)
{
	return !stage_has(&op.stage, "ZRANGE {flowrra:queue:io}:idlers 0 -1",
			  "frozen");
}

START_TEST(another_worker_follows_one_that_was_woken_and_does_nothing)
{
	open_idle(100);
	add_frozen();
	lim_put("1", NULL, 0);
	UNTIL(&op.stage, count_claims() == 1);
	ck_assert(is_frozen_woken());
	lim_put("2", NULL, 0);
	UNTIL(&op.stage, count_claims() == 2);
	lim_in_time();
	close_idle();
}
END_TEST

START_TEST(a_place_that_was_freed_for_one_that_does_nothing_is_found)
{
	char before[IDLE][64];
	size_t i;

	open_idle(100);
	lim_put("1", NULL, 0);
	UNTIL(&op.stage, count_claims() == 1);
	for (i = 0; idle[i]->n_claims == 0; i++)
		;
	broker_want(idle[i]->broker, 0, 0);
	note_looks(before);
	lim_set(LIMIT_QUEUE, "", 1);
	/* All others know that the queue is full. */
	UNTIL(&op.stage, count_looks(before) == IDLE - 1);
	lim_put("2", NULL, 0);
	add_frozen();
	party_settle(idle[i], 0, BROKER_ACK);
	ck_assert(is_frozen_woken());
	UNTIL(&op.stage, count_claims() == 2);
	lim_in_time();
	close_idle();
}
END_TEST

SUITE("redis-idlers")
{
	SUITE_TIMEOUT(60);
	TEST(a_new_task_is_for_one_of_those_that_wait);
	TEST(a_worker_that_has_one_is_followed_by_another);
	TEST(many_new_tasks_reach_all_that_wait);
	TEST(a_place_that_is_freed_is_for_one_of_those_that_wait);
	TEST(a_place_that_a_worker_frees_is_for_that_worker);
	TEST(one_that_has_no_room_any_more_has_another_one_look);
	TEST(a_watcher_that_lives_looks_and_stays_the_only_one);
	TEST(another_worker_follows_a_watcher_that_is_gone);
	TEST(another_worker_follows_one_that_was_woken_and_does_nothing);
	TEST(a_place_that_was_freed_for_one_that_does_nothing_is_found);
}
