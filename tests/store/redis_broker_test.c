/* SPDX-License-Identifier: MIT */
/* What only the Redis broker has to do right: claims, connections, reports. */
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/admin.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

static struct stage w;

/* A worker reloads its configuration and frees the old one. */
START_TEST(the_queue_key_may_be_gone_when_the_broker_is_open)
{
	char key[] = "elsewhere";
	struct party *p;
	redisReply *reply;

	stage_open(&w, KIND_REDIS);
	w.options.queue_key = key;
	p = party_open(&w, NULL);
	snprintf(key, sizeof(key), "nowhere");
	ck_assert_int_eq(party_submit(p, "1", "{}", 0, 0), ERR_NONE);
	ck_assert_int_eq(party_submit(p, "2", "{}", 1, 0), ERR_NONE);
	reply = redis_server_command(w.server,
				     "EXISTS elsewhere:io {elsewhere:io}:p:1");
	ck_assert_int_eq(reply->integer, 2);
	freeReplyObject(reply);
	party_close(p);
	stage_close(&w);
}
END_TEST

/* BLMOVE knows no limit. */
START_TEST(an_idle_worker_is_given_the_ends_of_what_is_too_large)
{
	struct party *producer, *worker;
	char large[1002];

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	party_submit(producer, "1", "[1]", 0, 0);
	UNTIL(&w, worker->n_claims == 1);
	/* Nothing is left: it waits in BLMOVE again. */
	stage_linger(&w, 50);
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	party_submit(producer, "2", large, 0, 0);
	UNTIL(&w, worker->n_claims == 2);
	ck_assert_uint_eq(worker->claims[1]->whole, 1001);
	ck_assert_uint_eq(worker->claims[1]->bytes.len, 1000);
	party_bury(worker, 1, "2", "{}");
	ck_assert_int_eq(stage_dead(&w), 1);
	ck_assert_int_eq(stage_dead_bytes(&w), 1001);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* The direction of the last LREM that the server has carried out. */
static int
last_lrem(void)
{
	redisReply *log = redis_server_command(w.server, "SLOWLOG GET 10");
	int direction = 0;
	size_t i;

	for (i = 0; i < log->elements && direction == 0; i++) {
		const redisReply *call = log->element[i]->element[3];

		if (strcasecmp(call->element[0]->str, "LREM") == 0)
			direction = atoi(call->element[2]->str);
	}
	freeReplyObject(log);
	return direction;
}

START_TEST(what_ends_is_looked_for_from_the_nearer_end_of_the_list)
{
	struct party *producer, *worker;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	party_submit(producer, "1", "[1]", 0, 0);
	party_submit(producer, "2", "[2]", 0, 0);
	party_submit(producer, "3", "[3]", 0, 0);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 3);
	UNTIL(&w, worker->n_claims == 3);
	freeReplyObject(redis_server_command(
	    w.server, "CONFIG SET slowlog-log-slower-than 0"));
	party_settle(worker, 2, BROKER_ACK);
	ck_assert_int_eq(last_lrem(), 1);
	party_settle(worker, 0, BROKER_ACK);
	ck_assert_int_eq(last_lrem(), -1);
	party_settle(worker, 1, BROKER_ACK);
	ck_assert_int_eq(last_lrem(), -1);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

static void
close_when_told(const struct queue_stats *queues, size_t n,
		const struct err *err, void *arg)
{
	struct party **p = arg;

	ck_assert_ptr_nonnull(err);
	ck_assert_ptr_nonnull(*p);
	party_close(*p);
	*p = NULL;
}

START_TEST(who_is_told_that_the_server_is_gone_may_close_the_broker)
{
	struct party *p;

	stage_open(&w, KIND_REDIS);
	p = party_open(&w, NULL);
	redis_server_kill(w.server);
	UNTIL(&w, !broker_is_up(p->broker));
	broker_queues(p->broker, SLICE("io"), close_when_told, &p);
	broker_queues(p->broker, SLICE("io"), close_when_told, &p);
	UNTIL(&w, p == NULL);
	stage_linger(&w, 50);
	stage_close(&w);
}
END_TEST

/* Nobody has told the worker, which waits in BLMOVE. */
/* What was asked before the second doubt says nothing of what it is about. */
START_TEST(a_doubt_during_a_comparison_has_one_of_its_own)
{
	struct party *producer, *worker;
	int before;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 2);
	party_submit(producer, "1", "[1]", 0, 0);
	party_submit(producer, "2", "[2]", 0, 0);
	UNTIL(&w, worker->n_claims == 2);
	/* Each raises the epoch first. */
	before = stage_calls(&w, "incr");
	broker_doubt(worker->broker, worker->claims[0]);
	broker_doubt(worker->broker, worker->claims[1]);
	UNTIL(&w, worker->n_kept == 2 && broker_is_sure(worker->broker, 0));
	ck_assert_int_eq(stage_calls(&w, "incr"), before + 2);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(what_comes_by_blmove_in_a_pause_is_given_back)
{
	struct party *producer, *worker;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	stage_linger(&w, 100);
	redis_server_run(w.server, "SET {flowrra:queue:io}:paused 1");
	redis_server_run(w.server, "LPUSH flowrra:queue:io [1] [2]");
	stage_linger(&w, 200);
	ck_assert_uint_eq(worker->n_claims, 0);
	ck_assert_int_eq(stage_number(&w, "LLEN flowrra:queue:io"), 2);
	ck_assert_int_eq(
	    stage_number(&w, "LLEN {flowrra:queue:io}:inflight:host:a"), 0);
	ck_assert_uint_eq(broker_unsettled(worker->broker), 0);
	producer->answered = false;
	broker_pause(producer->broker, SLICE("io"), false, party_on_value,
		     producer);
	UNTIL(&w, worker->n_claims == 2);
	ck_assert(party_has(worker, 0, "[1]"));
	ck_assert(party_has(worker, 1, "[2]"));
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

#define DAY_MS INT64_C(86400000)

/* One that has left something stays, though nobody was there for more than a month
 * or a clock says so: nobody else would find what it has left. */
START_TEST(who_is_dead_for_a_day_and_has_left_nothing_leaves_the_list)
{
	const int64_t now_ms = clock_wall_us() / 1000;
	struct party *worker;

	stage_open(&w, KIND_REDIS);
	worker = party_open(&w, "host:a");
	redis_server_run(w.server, "SADD flowrra:queues gpu");
	redis_server_run(w.server, "SET {flowrra:queue:io}:fence:gone 3");
	redis_server_run(w.server, "SET {flowrra:queue:gpu}:fence:left 3");
	redis_server_run(w.server,
			 "LPUSH {flowrra:queue:gpu}:inflight:left#3 [1]");
	redis_server_run(w.server, "SET {flowrra:queue:io}:fence:alive 3");
	redis_server_run(w.server, "SET flowrra:worker:alive {}");
	redis_server_run(w.server, "SET {flowrra:queue:io}:fence:late 3");
	redis_server_run(w.server,
			 "ZADD flowrra:workers %lld gone %lld left %lld alive "
			 "%lld strange %lld late %lld forgotten",
			 now_ms - DAY_MS - 1000, now_ms - 40 * DAY_MS,
			 now_ms - 40 * DAY_MS, now_ms - 29 * DAY_MS,
			 now_ms - DAY_MS + 9000000, now_ms - 31 * DAY_MS);
	party_close(worker);
	worker = party_open(&w, "host:a");
	/* The worker itself is on the list, too. */
	UNTIL(&w, stage_number(&w, "ZCARD flowrra:workers") < 6);
	stage_linger(&w, 100);
	ck_assert_int_eq(stage_number(&w, "ZCARD flowrra:workers"), 5);
	ck_assert_int_eq(stage_number(&w, "ZSCORE flowrra:workers gone"), 0);
	ck_assert_int_eq(
	    stage_number(&w, "EXISTS {flowrra:queue:io}:fence:gone"), 0);
	ck_assert_int_eq(
	    stage_number(&w, "EXISTS {flowrra:queue:gpu}:fence:left"), 1);
	ck_assert_int_gt(
	    stage_number(&w, "TTL {flowrra:queue:io}:fence:host:a"), 0);
	party_close(worker);
	stage_close(&w);
}
END_TEST

/* It crashed, and was started again with fewer queues. A name that nobody has is
 * listed for those who serve them. */
START_TEST(what_a_worker_has_in_queues_that_it_left_is_left_to_others)
{
	struct party *worker;

	stage_open(&w, KIND_REDIS);
	redis_server_run(w.server, "SADD flowrra:queues gpu io");
	redis_server_run(w.server,
			 "LPUSH {flowrra:queue:gpu}:inflight:host:a [1]");
	redis_server_run(w.server,
			 "LPUSH {flowrra:queue:gpu}:inflight:host:a#7 [2] [3]");
	redis_server_run(w.server,
			 "LPUSH {flowrra:queue:gpu}:inflight:host:b [4]");
	worker = party_open(&w, "host:a");
	UNTIL(&w, stage_number(&w, "LLEN {flowrra:queue:gpu}:inflight:host:a."
				   "left#1") == 3);
	ck_assert_int_eq(
	    stage_number(&w, "EXISTS {flowrra:queue:gpu}:inflight:host:a "
			     "{flowrra:queue:gpu}:inflight:host:a#7"),
	    0);
	ck_assert_int_eq(
	    stage_number(&w, "EXISTS {flowrra:queue:gpu}:inflight:host:b"), 1);
	ck_assert_int_gt(stage_number(&w, "ZSCORE flowrra:workers host:a.left"),
			 0);
	ck_assert_int_eq(stage_number(&w, "EXISTS flowrra:worker:host:a.left"),
			 0);
	party_close(worker);
	stage_close(&w);
}
END_TEST

/* The test's server writes nothing to disk. */
START_TEST(an_examination_tells_what_would_be_lost)
{
	struct party *p;

	stage_open(&w, KIND_REDIS);
	redis_server_run(w.server, "CONFIG SET maxmemory 1gb");
	redis_server_run(w.server, "CONFIG SET maxmemory-policy allkeys-lru");
	p = party_open(&w, NULL);
	broker_examine(p->broker, party_on_report, p);
	UNTIL(&w, p->answered);
	ck_assert_ptr_nonnull(strstr(p->value, "Redis "));
	ck_assert_ptr_nonnull(strstr(p->value, "stores nothing on disk"));
	ck_assert_ptr_nonnull(strstr(p->value, "appendonly yes"));
	ck_assert_ptr_nonnull(strstr(p->value, "allkeys-lru"));
	/* To whom the settings are hidden, the rest is told. */
	redis_server_run(w.server, "ACL SETUSER default -config");
	p->answered = false;
	broker_examine(p->broker, party_on_report, p);
	UNTIL(&w, p->answered);
	ck_assert_int_eq(p->err.code, ERR_NONE);
	ck_assert_ptr_nonnull(strstr(p->value, "has no append-only file"));
	party_close(p);
	stage_close(&w);
}
END_TEST

static void
get_epoch_of_a(char epoch[32])
{
	redisReply *reply = redis_server_command(
	    w.server, "GET {flowrra:queue:io}:fence:host:a");

	snprintf(epoch, 32, "%s", reply->str != NULL ? reply->str : "");
	freeReplyObject(reply);
}

/* Who suspects it meanwhile, since its own heartbeats are missing, too, takes
 * nothing from it: they would take from each other without end. */
START_TEST(who_takes_over_is_seen_to_live)
{
	struct party *producer, *a, *b;
	char before[32], after[32];
	int64_t until_ms;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	a = party_open(&w, "host:a");
	b = party_open(&w, "host:b");
	broker_heartbeat(b->broker, SLICE("{}"));
	party_submit(producer, "1", "[1]", 0, 0);
	broker_want(b->broker, 0, 1);
	UNTIL(&w, b->n_claims == 1);
	UNTIL(&w, (get_epoch_of_a(before), before[0] != '\0'));
	redis_server_run(w.server, "DEL flowrra:worker:host:b");
	redis_server_run(w.server, "ZADD flowrra:workers 1 host:b");
	until_ms = clock_mono_ms() + INT64_C(3000) * BROKER_HEARTBEAT_TTL_S;
	while (a->n_claims == 0)
		ck_assert(stage_turn(&w, until_ms));
	get_epoch_of_a(after);
	ck_assert_str_ne(before, after);
	party_close(b);
	party_close(a);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* --- very many names --------------------------------------------------------- */

#define NAMES 3000

static void
fill_names(void)
{
	static const char script[] =
	    "for i = 1, tonumber(ARGV[1]) do "
	    "redis.call('HSET', KEYS[1], 't' .. i, 'v' .. i) "
	    "redis.call('ZADD', KEYS[2], 1, 'w' .. i) end";
	redisReply *reply = redis_server_command(
	    w.server, "EVAL %s 2 flowrra:registry flowrra:workers %d", script,
	    NAMES);

	freeReplyObject(reply);
}

static size_t n_told;

static void
ck_ascends(const char *before, const char *name)
{
	ck_assert_msg(strcmp(before, name) < 0, "%s, %s", before, name);
}

static void
on_many_names(const struct slice *names, size_t n, const struct err *err,
	      void *arg)
{
	char before[8] = "", name[8];
	size_t i;

	ck_assert_ptr_null(err);
	for (i = 0; i < n; i++, strcpy(before, name)) {
		snprintf(name, sizeof(name), "%.*s", (int)names[i].len,
			 names[i].p);
		ck_ascends(before, name);
	}
	n_told = n;
}

static void
on_many_entries(const struct slice *names, const struct slice *values, size_t n,
		const struct err *err, void *arg)
{
	size_t i;

	on_many_names(names, n, err, arg);
	for (i = 0; i < n; i++)
		ck_assert(values[i].len == names[i].len &&
			  values[i].p[0] == 'v' &&
			  memcmp(values[i].p + 1, names[i].p + 1,
				 names[i].len - 1) == 0);
}

static void
on_many_workers(const struct worker_info *workers, size_t n,
		const struct err *err, void *arg)
{
	size_t i;

	ck_assert_ptr_null(err);
	for (i = 1; i < n; i++)
		ck_ascends(workers[i - 1].name, workers[i].name);
	n_told = n;
}

START_TEST(very_many_names_are_read_in_steps_and_told_once)
{
	struct party *p;

	stage_open(&w, KIND_REDIS);
	p = party_open(&w, NULL);
	fill_names();
	redis_server_run(w.server, "CONFIG RESETSTAT");
	n_told = 0;
	broker_registered_names(p->broker, on_many_names, NULL);
	UNTIL(&w, n_told == NAMES);
	n_told = 0;
	broker_registry(p->broker, on_many_entries, NULL);
	UNTIL(&w, n_told == NAMES);
	ck_assert_int_gt(stage_calls(&w, "hscan"), 2 * 8);
	ck_assert_int_eq(stage_calls(&w, "hgetall"), 0);
	n_told = 0;
	broker_workers(p->broker, on_many_workers, NULL);
	UNTIL(&w, n_told == NAMES);
	ck_assert_int_gt(stage_calls(&w, "zscan"), 4);
	party_close(p);
	stage_close(&w);
}
END_TEST

SUITE("broker_redis")
{
	TEST(very_many_names_are_read_in_steps_and_told_once);
	TEST(who_takes_over_is_seen_to_live);
	TEST(an_idle_worker_is_given_the_ends_of_what_is_too_large);
	TEST(what_ends_is_looked_for_from_the_nearer_end_of_the_list);
	TEST(who_is_told_that_the_server_is_gone_may_close_the_broker);
	TEST(a_doubt_during_a_comparison_has_one_of_its_own);
	TEST(what_comes_by_blmove_in_a_pause_is_given_back);
	TEST(who_is_dead_for_a_day_and_has_left_nothing_leaves_the_list);
	TEST(what_a_worker_has_in_queues_that_it_left_is_left_to_others);
	TEST(an_examination_tells_what_would_be_lost);
	TEST(the_queue_key_may_be_gone_when_the_broker_is_open);
}
