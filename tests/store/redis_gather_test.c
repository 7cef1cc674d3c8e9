/* SPDX-License-Identifier: MIT */
/*
 * What workers do at a server that was not used before, and that does not know of
 * the latest claims: here the same server, whose keys are set back.
 */
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "redis_server.h"
#include "store/redis/broker.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"

#define Q "flowrra:queue:io"
#define K(suffix) "{flowrra:queue:io}:" suffix
#define SERVER "flowrra:server:{flowrra:workers}"
#define ABSENT "flowrra:absent:{flowrra:workers}"

static struct stage w;

/* Another server, as all that connect see it; what they were is what it has. */
static void
fail_over(void)
{
	redis_server_run(w.server, "SET " SERVER " another");
	redis_server_run(w.server, "CLIENT KILL TYPE normal");
	redis_server_run(w.server, "CLIENT KILL TYPE pubsub");
}

static struct party *
worker_with(const char *name, const char *id, const char *bytes,
	    int32_t priority)
{
	struct party *producer = party_open(&w, NULL),
		     *worker = party_open(&w, name);
	const size_t before = worker->n_claims;

	party_submit(producer, id, bytes, priority, 0);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == before + 1);
	party_close(producer);
	return worker;
}

/* The part of the in-flight list that has something, or NULL. */
static const char *
part_of(const char *worker)
{
	static char key[100];
	char command[120];
	int i;

	for (i = 0; i < 17; i++) {
		snprintf(key, sizeof(key),
			 i == 0 ? K("inflight:%s") : K("inflight:%s#%d"),
			 worker, i);
		snprintf(command, sizeof(command), "LLEN %s", key);
		if (stage_number(&w, command) > 0)
			return key;
	}
	return NULL;
}

/* As before the claim: the task waits, at the end that is claimed first. */
static void
lose_claim(const char *worker, const char *list)
{
	const char *part = part_of(worker);

	ck_assert_ptr_nonnull(part);
	redis_server_run(w.server, "LMOVE %s %s RIGHT RIGHT", part, list);
	ck_assert_ptr_null(part_of(worker));
}

START_TEST(a_claim_that_was_lost_is_put_back_on_record)
{
	static const char *const lists[] = {Q, K("p:5"), K("delayed"), NULL};
	const char *const list = lists[_i];
	struct party *a, *b;

	stage_open(&w, KIND_REDIS);
	a = worker_with("host:a", "1", "[1]", _i == 1 ? 5 : 0);
	b = party_open(&w, "host:b");
	broker_heartbeat(b->broker, SLICE("{}"));
	broker_want(b->broker, 0, 5);
	if (_i == 1)
		redis_server_run(w.server, "ZADD " K("levels") " 5 5");
	if (_i == 2) {
		redis_server_run(w.server, "DEL %s", part_of("host:a"));
		redis_server_run(w.server, "ZADD " K("delayed") " 1 [1]");
	} else if (list == NULL) {
		/* Not even the submission is there. */
		redis_server_run(w.server, "DEL %s", part_of("host:a"));
	} else {
		lose_claim("host:a", list);
	}
	fail_over();
	UNTIL(&w, a->ups == 2 && b->ups == 2);
	UNTIL(&w, stage_number(&w, "ZCARD " ABSENT) == 0);
	/* It is on record, once, and the other one has not got it. */
	ck_assert_msg(strstr(a->why.msg, "did not know of 1 tasks") != NULL,
		      "%s", a->why.msg);
	ck_assert_ptr_nonnull(part_of("host:a"));
	stage_linger(&w, 100);
	ck_assert_uint_eq(b->n_claims, 0);
	ck_assert_uint_eq(a->n_lost, 0);
	party_settle(a, 0, BROKER_ACK);
	ck_assert_ptr_null(part_of("host:a"));
	stage_linger(&w, 50);
	ck_assert_uint_eq(a->n_claims, 1);
	party_close(a);
	party_close(b);
	stage_close(&w);
}
END_TEST

/* Its place is among thousands, and there are two that are the same. */
START_TEST(equal_claims_are_put_back_each)
{
	struct party *a;
	unsigned int i;

	stage_open(&w, KIND_REDIS);
	a = worker_with("host:a", "1", "[1]", 0);
	redis_server_run(w.server, "LPUSH " Q " [1]");
	broker_want(a->broker, 0, 1);
	UNTIL(&w, a->n_claims == 2);
	broker_want(a->broker, 0, 0);
	while (part_of("host:a") != NULL)
		redis_server_run(w.server, "LMOVE %s " Q " RIGHT RIGHT",
				 part_of("host:a"));
	for (i = 0; i < 600; i++)
		redis_server_run(w.server, "RPUSH " Q " [%u,2]", i);
	fail_over();
	UNTIL(&w, a->ups == 2);
	UNTIL(&w, stage_number(&w, "LLEN " Q) == 600);
	stage_linger(&w, 50);
	ck_assert_uint_eq(a->n_lost, 0);
	party_settle(a, 0, BROKER_ACK);
	ck_assert_ptr_nonnull(part_of("host:a"));
	party_settle(a, 1, BROKER_ACK);
	ck_assert_ptr_null(part_of("host:a"));
	party_close(a);
	stage_close(&w);
}
END_TEST

START_TEST(nobody_claims_before_all_have_come)
{
	struct party *a, *b;

	stage_open(&w, KIND_REDIS);
	a = worker_with("host:a", "1", "[1]", 0);
	broker_heartbeat(a->broker, SLICE("{}"));
	/* It is alive, and does not come. */
	redis_server_run(w.server,
			 "ZADD flowrra:workers 99999999999999 host:c");
	b = party_open(&w, "host:b");
	broker_want(b->broker, 0, 5);
	fail_over();
	UNTIL(&w, stage_number(&w, "ZCARD " ABSENT) == 1);
	redis_server_run(w.server, "LPUSH " Q " [2]");
	stage_linger(&w, 300);
	ck_assert_uint_eq(b->n_claims, 0);
	redis_server_run(w.server, "ZREM " ABSENT " host:c");
	UNTIL(&w, b->n_claims == 1);
	party_settle(a, 0, BROKER_ACK);
	party_close(a);
	party_close(b);
	stage_close(&w);
}
END_TEST

/* Until it looks once more; -1: it is about to, or awaits the answer. */
static int64_t
ms_until_look(const struct party *p)
{
	const struct rbroker *b = (const struct rbroker *)p->broker;
	struct timeval at, now, left;

	if (!evtimer_pending(b->gather.look, &at))
		return -1;
	event_base_gettimeofday_cached(w.base, &now);
	evutil_timersub(&at, &now, &left);
	return (int64_t)left.tv_sec * 1000 + left.tv_usec / 1000;
}

START_TEST(who_awaits_others_looks_ten_times_a_second)
{
	int64_t deadline, last_ms = -1, ms;
	struct party *a;
	int looks = 0;

	stage_open(&w, KIND_REDIS);
	a = worker_with("host:a", "1", "[1]", 0);
	redis_server_run(w.server,
			 "ZADD flowrra:workers 99999999999999 host:c");
	fail_over();
	for (deadline = stage_deadline(); looks < 8; last_ms = ms) {
		ck_assert(stage_turn(&w, deadline));
		ms = ms_until_look(a);
		/* The loop's clock and the wall's differ by some. */
		ck_assert_int_le(ms, 110);
		looks += ms > last_ms;
	}
	ck_assert_int_eq(stage_number(&w, "ZCARD " ABSENT), 1);
	party_close(a);
	stage_close(&w);
}
END_TEST

START_TEST(who_comes_too_late_has_lost_its_claims)
{
	struct party *a;

	stage_open(&w, KIND_REDIS);
	a = worker_with("host:a", "1", "[1]", 0);
	/* All others have come, and one has taken the task. */
	redis_server_run(w.server, "DEL %s", part_of("host:a"));
	redis_server_run(w.server, "LPUSH " K("inflight:host:b#1") " [1]");
	redis_server_run(w.server, "CLIENT KILL TYPE normal");
	UNTIL(&w, a->ups == 2 && a->n_lost == 1);
	ck_assert_ptr_null(part_of("host:a"));
	broker_drop(a->broker, a->lost[0]);
	party_close(a);
	stage_close(&w);
}
END_TEST

/* A server that was left, and has become the master again: it has the run ID that
 * it had, and what it had before the claim. */
START_TEST(a_server_that_was_left_is_new_again)
{
	struct party *a, *b;

	stage_open(&w, KIND_REDIS);
	a = worker_with("host:a", "1", "[1]", 0);
	fail_over();
	UNTIL(&w, a->ups == 2);
	b = party_open(&w, "host:b");
	broker_want(b->broker, 0, 5);
	UNTIL(&w, stage_number(&w, "ZCARD " ABSENT) == 0);
	lose_claim("host:a", Q);
	redis_server_run(w.server, "EVAL %s 1 " SERVER,
			 "redis.call('SET', KEYS[1], (string.gsub(redis.call("
			 "'GET', KEYS[1]), '%d+$', '0')))");
	redis_server_run(w.server, "CLIENT KILL TYPE normal");
	UNTIL(&w, a->ups == 3 && b->ups == 2);
	UNTIL(&w, part_of("host:a") != NULL);
	stage_linger(&w, 100);
	ck_assert_uint_eq(b->n_claims, 0);
	ck_assert_uint_eq(a->n_lost, 0);
	party_close(a);
	party_close(b);
	stage_close(&w);
}
END_TEST

/* It was another worker's before, which had given it back; and that is lost. */
START_TEST(what_another_one_has_had_is_taken_from_it)
{
	struct party *a, *b;

	stage_open(&w, KIND_REDIS);
	b = party_open(&w, "host:b");
	a = worker_with("host:a", "1", "[1]", 0);
	redis_server_run(w.server, "DEL %s", part_of("host:a"));
	redis_server_run(w.server, "LPUSH " K("inflight:host:b#3") " [1]");
	fail_over();
	UNTIL(&w, a->ups == 2 && b->ups == 2);
	ck_assert_ptr_nonnull(part_of("host:a"));
	ck_assert_ptr_null(part_of("host:b"));
	stage_linger(&w, 50);
	ck_assert_uint_eq(b->n_claims, 0);
	/* And in another part of its own. */
	redis_server_run(w.server,
			 "LMOVE %s " K("inflight:host:a#9") " LEFT LEFT",
			 part_of("host:a"));
	fail_over();
	UNTIL(&w, a->ups == 3 && b->ups == 3);
	stage_linger(&w, 50);
	ck_assert_uint_eq(a->n_claims, 1);
	party_settle(a, 0, BROKER_ACK);
	ck_assert_ptr_null(part_of("host:a"));
	party_close(a);
	party_close(b);
	stage_close(&w);
}
END_TEST

SUITE("redis-gather")
{
	TEST(what_another_one_has_had_is_taken_from_it);
	TEST(a_server_that_was_left_is_new_again);
	TEST_LOOP(a_claim_that_was_lost_is_put_back_on_record, 0, 4);
	TEST(equal_claims_are_put_back_each);
	TEST(nobody_claims_before_all_have_come);
	TEST(who_awaits_others_looks_ten_times_a_second);
	TEST(who_comes_too_late_has_lost_its_claims);
}
