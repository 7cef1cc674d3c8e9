/* SPDX-License-Identifier: MIT */
/* Workers that wait for tasks of a queue with limits: of what comes, or is freed, one
 * of them is told, and the others do not look. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "redis_server.h"
#include "store/limits_scene.h"

#define IDLE 6

static struct party *idle[IDLE];
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
		n += idle[i]->n_claims;
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

START_TEST(many_new_tasks_reach_all_that_wait)
{
	struct broker_submit tasks[IDLE];
	char ids[IDLE][8], bytes[IDLE][64];
	size_t i;

	open_idle(100);
	memset(tasks, 0, sizeof(tasks));
	for (i = 0; i < IDLE; i++) {
		snprintf(ids[i], sizeof(ids[i]), "t%zu", i);
		snprintf(bytes[i], sizeof(bytes[i]),
			 "{\"id\":\"%s\",\"name\":\"n\"}", ids[i]);
		tasks[i].queue = "io";
		tasks[i].id = slice_of(ids[i]);
		tasks[i].bytes = slice_of(bytes[i]);
	}
	party_submit_batch(op.producer, tasks, IDLE);
	UNTIL(&op.stage, count_claims() == IDLE);
	for (i = 0; i < IDLE; i++)
		ck_assert_uint_eq(idle[i]->n_claims, 1);
	lim_in_time();
	close_idle();
}
END_TEST

START_TEST(a_place_that_is_freed_is_for_one_of_those_that_wait)
{
	char before[IDLE][64];
	size_t i;

	open_idle(1);
	lim_put("1", NULL, 0);
	broker_want(lim_worker()->broker, 0, 0);
	UNTIL(&op.stage, count_claims() == 1);
	lim_put("2", NULL, 0);
	/* It is held by whom it was given to. */
	UNTIL(&op.stage, strcmp(lim_shown(), "t:n 1 1 1; ") == 0);
	stage_linger(&op.stage, 50);
	note_looks(before);
	for (i = 0; i < IDLE; i++)
		if (idle[i]->n_claims > 0) {
			broker_want(idle[i]->broker, 0, 0);
			party_settle(idle[i], 0, BROKER_ACK);
		}
	UNTIL(&op.stage, count_claims() == 2);
	/* The one that had it does not wait. */
	ck_few_looked(before, 3);
	close_idle();
}
END_TEST

/* It was told, but has no room any more. */
START_TEST(one_that_has_no_room_any_more_has_another_one_look)
{
	size_t i;

	open_idle(100);
	for (i = 1; i < IDLE; i++)
		broker_want(idle[i]->broker, 0, 0);
	for (i = 0; i < 3; i++) {
		lim_put((char[]){(char)('a' + i), '\0'}, NULL, 0);
		UNTIL(&op.stage, count_claims() == i + 1);
		ck_assert_uint_eq(idle[0]->n_claims, i + 1);
		broker_want(idle[0]->broker, 0, 1);
	}
	lim_in_time();
	close_idle();
}
END_TEST

/* Its name stays among those that wait, but not for long. */
START_TEST(one_that_is_gone_is_not_waited_for)
{
	open_idle(100);
	redis_server_run(op.stage.server,
			 "ZADD {flowrra:queue:io}:idlers 1 gone");
	redis_server_run(op.stage.server, "SET {flowrra:queue:io}:watcher "
					  "gone PX 300");
	lim_put("1", NULL, 0);
	UNTIL(&op.stage, count_claims() == 1);
	close_idle();
}
END_TEST

SUITE("redis-idlers")
{
	SUITE_TIMEOUT(60);
	TEST(a_new_task_is_for_one_of_those_that_wait);
	TEST(many_new_tasks_reach_all_that_wait);
	TEST(a_place_that_is_freed_is_for_one_of_those_that_wait);
	TEST(one_that_has_no_room_any_more_has_another_one_look);
	TEST(one_that_is_gone_is_not_waited_for);
}
