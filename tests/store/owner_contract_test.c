/* SPDX-License-Identifier: MIT */
/* Who owns a claim, a worker's id, and a final record: what broker.h and
 * results.h promise of that, of every implementation. `_i` is the kind. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redis_cluster.h"
#include "redis_server.h"
#include "store/stage.h"
#include "util/clock.h"

#include "suite.h"
#include "util/err.h"

#define TASK "{\"id\":\"1\",\"name\":\"t\"}"
#define RUNNING "{\"task_id\":\"1\",\"status\":\"running\",\"task_name\":\"t\"}"
#define SUCCESS "{\"task_id\":\"1\",\"status\":\"success\",\"task_name\":\"t\"}"
#define FAILED "{\"task_id\":\"1\",\"status\":\"failed\",\"task_name\":\"t\"}"

static struct stage w;

/* A worker with one claim, and the records of its store. */
static struct party *producer, *worker;
static struct backend *records;

static void
open_with_claim(int kind)
{
	stage_open(&w, kind);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	records = backend_open(&w);
	broker_heartbeat(worker->broker, SLICE("{\"host\":\"h1\",\"pid\":7}"));
	ck_assert_int_eq(party_submit(producer, "1", TASK, 0, 0), ERR_NONE);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 1);
}

static void
close_all(void)
{
	backend_close(records);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}

/* A worker is held for dead twice as long after its last heartbeat. */
static int64_t
a_life_later(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec + BROKER_HEARTBEAT_TTL_S + 1) * 1000000LL +
	       now.tv_nsec / 1000;
}

/* What a worker that takes over does to the claims of host:a. */
static void
take_over(bool tasks)
{
	static const struct clock_source later = {.mono_us = a_life_later};

	clock_replace(&later);
	if (w.kind == KIND_SQLITE) {
		if (tasks)
			stage_sql(&w, "DELETE FROM inflight");
		return;
	}
	redis_server_run(w.server,
			 "SET {flowrra:queue:io}:taken:host:a other EX 1000");
	if (tasks)
		redis_server_run(
		    w.server, "EVAL %s 0",
		    "for _, k in ipairs(redis.call('KEYS', '*:inflight:*')) do "
		    "redis.call('DEL', k) end");
}

/* Another process has the key of host:a. */
static void
usurp(void)
{
	if (w.kind == KIND_SQLITE)
		stage_sql(&w, "UPDATE workers SET token = 'other'");
	else
		redis_server_run(w.server, "SET flowrra:worker:host:a %s EX 9",
				 "{\"token\":\"other\",\"host\":\"h2\","
				 "\"pid\":8}");
}

static long long
keys(const char *command)
{
	redisReply *reply = redis_server_command(w.server, command);
	const long long n = reply->integer;

	freeReplyObject(reply);
	return n;
}

START_TEST(a_final_record_stays)
{
	stage_open(&w, _i);
	records = backend_open(&w);
	backend_put(&w, records, "1", SUCCESS, true, 60);
	ck_assert_int_eq(records->answer, RESULTS_STORED);
	backend_put(&w, records, "1", FAILED, true, 60);
	ck_assert_int_eq(records->answer, RESULTS_ENDED);
	ck_assert_str_eq(backend_get(&w, records, "1"), SUCCESS);
	backend_put(&w, records, "1", RUNNING, false, 0);
	ck_assert_str_eq(backend_get(&w, records, "1"), SUCCESS);
	/* With no end of its life, too; and by any writer. */
	backend_put(&w, records, "2", SUCCESS, true, 0);
	backend_put(&w, records, "2", RUNNING, false, 0);
	backend_put(&w, records, "2", FAILED, true, 60);
	ck_assert_str_eq(backend_get(&w, records, "2"), SUCCESS);
	backend_close(records);
	stage_close(&w);
}
END_TEST

START_TEST(a_final_record_of_a_foreign_program_stays)
{
	static const char foreign[] =
	    "{\"result\": {\"status\": \"pending\"}, \"status\": \"success\", "
	    "\"task_id\": \"1\"}";

	stage_open(&w, _i);
	records = backend_open(&w);
	backend_put(&w, records, "1", foreign, true, 60);
	backend_put(&w, records, "1", FAILED, true, 60);
	ck_assert_str_eq(backend_get(&w, records, "1"), foreign);
	backend_close(records);
	stage_close(&w);
}
END_TEST

START_TEST(what_only_looks_like_a_final_record_is_replaced)
{
	stage_open(&w, _i);
	records = backend_open(&w);
	backend_put(&w, records, "1",
		    "{\"task_id\":\"1\",\"status\":\"running\",\"kwargs\":"
		    "{\"status\":\"success\"}}",
		    false, 0);
	backend_put(&w, records, "1", FAILED, true, 60);
	ck_assert_str_eq(backend_get(&w, records, "1"), FAILED);
	backend_close(records);
	stage_close(&w);
}
END_TEST

START_TEST(no_record_is_stored_for_a_claim_that_is_not_on_record)
{
	open_with_claim(_i);
	backend_put_of(&w, records, "1", RUNNING, false, worker->claims[0]);
	ck_assert_int_eq(records->answer, RESULTS_STORED);
	take_over(true);
	backend_put_of(&w, records, "1", SUCCESS, true, worker->claims[0]);
	ck_assert_int_eq(records->answer, RESULTS_FENCED);
	ck_assert_str_eq(backend_get(&w, records, "1"), RUNNING);
	backend_put_of(&w, records, "1", RUNNING, false, worker->claims[0]);
	ck_assert_int_eq(records->answer, RESULTS_FENCED);
	/* The worker asks, and is told. */
	clock_replace(NULL);
	broker_doubt(worker->broker, worker->claims[0]);
	ck_assert(!broker_is_sure(worker->broker, 0));
	UNTIL(&w, worker->n_lost == 1);
	ck_assert_ptr_eq(worker->lost[0], worker->claims[0]);
	broker_drop(worker->broker, worker->lost[0]);
	UNTIL(&w, worker->trusts == 1);
	ck_assert(broker_is_sure(worker->broker, 0));
	ck_assert_uint_eq(worker->n_kept, 0);
	close_all();
}
END_TEST

/* Frozen for so long that nothing of a takeover is left: SQLite has no mark. */
START_TEST(
    a_worker_that_was_frozen_for_longer_than_a_mark_lives_settles_nothing)
{
	open_with_claim(_i);
	take_over(true);
	if (_i == KIND_REDIS) {
		redis_server_run(w.server, "PEXPIRE %s 1",
				 "{flowrra:queue:io}:taken:host:a");
		redis_server_run(w.server, "PEXPIRE %s 1",
				 "{flowrra:queue:io}:fence:host:a");
		redis_server_run(w.server, "PEXPIRE %s 1",
				 "flowrra:worker:host:a");
		UNTIL(&w, keys("EXISTS {flowrra:queue:io}:taken:host:a") == 0);
		UNTIL(&w, keys("EXISTS {flowrra:queue:io}:fence:host:a") == 0);
	}
	backend_put(&w, records, "1", RUNNING, false, 0);
	backend_put_of(&w, records, "1", SUCCESS, true, worker->claims[0]);
	ck_assert_int_eq(records->answer, RESULTS_FENCED);
	ck_assert_str_eq(backend_get(&w, records, "1"), RUNNING);
	clock_replace(NULL);
	broker_doubt(worker->broker, worker->claims[0]);
	UNTIL(&w, worker->n_lost == 1);
	broker_drop(worker->broker, worker->lost[0]);
	/* And it goes on. */
	UNTIL(&w, worker->trusts == 1);
	ck_assert_int_eq(party_submit(producer, "2", TASK, 0, 0), ERR_NONE);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 2);
	backend_put_of(&w, records, "2", SUCCESS, true, worker->claims[1]);
	ck_assert_int_eq(records->answer, RESULTS_STORED);
	close_all();
}
END_TEST

/* Such as a person may set: no claim can remember it. */
START_TEST(a_mark_that_no_worker_has_made_is_mended)
{
	static const char *const garbage[] = {
	    ("SET %s "
	     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	     "x"),
	    "DEL %s", "LPUSH %s x"};
	static const char key[] = "{flowrra:queue:io}:taken:host:a";
	size_t i;

	open_with_claim(_i);
	for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		redis_server_run(w.server, "DEL %s", key);
		redis_server_run(w.server, garbage[i], key);
		backend_put_of(&w, records, "1", RUNNING, false,
			       worker->claims[0]);
		ck_assert_int_eq(records->answer, RESULTS_FENCED);
		broker_doubt(worker->broker, worker->claims[0]);
		UNTIL(&w, worker->n_kept == i + 1);
		backend_put_of(&w, records, "1", RUNNING, false,
			       worker->claims[0]);
		ck_assert_int_eq(records->answer, RESULTS_STORED);
	}
	close_all();
}
END_TEST

/* What is in flight goes with its tasks; all else that names a worker has to
 * end by itself, when that never comes back. */
START_TEST(each_key_that_names_a_worker_ends_by_itself)
{
	static const char lasting[] =
	    "local n = 0; for _, k in ipairs(redis.call('KEYS', '*')) do "
	    "if (string.find(k, 'host:a', 1, true) or "
	    "string.find(k, ':served$') or string.find(k, ':unknown$')) and "
	    "redis.call('TTL', k) < 0 then n = n + 1 end end return n";
	struct broker_settle aside = {.disposition = BROKER_SET_ASIDE,
				      .lane = SLICE("other"),
				      .retry_bytes = SLICE(TASK),
				      .delay_ms = 3600000};
	const struct slice name = SLICE("t"), text = SLICE("{}");
	redisReply *reply;

	open_with_claim(_i);
	broker_register(worker->broker, &name, &text, 1);
	broker_heartbeat(worker->broker, SLICE("{\"host\":\"h1\",\"pid\":7}"));
	party_settle_with(worker, 0, &aside);
	UNTIL(&w, keys("EXISTS {flowrra:queue:io}:served") == 1);
	ck_assert_int_eq(keys("EXISTS {flowrra:queue:io}:unknown"), 1);
	ck_assert_int_eq(keys("EXISTS {flowrra:queue:io}:fence:host:a"), 1);
	ck_assert_int_eq(keys("EXISTS {flowrra:queue:io}:taken:host:a"), 1);
	reply = redis_server_command(w.server, "EVAL %s 0", lasting);
	ck_assert_int_eq(reply->type, REDIS_REPLY_INTEGER);
	ck_assert_int_eq(reply->integer, 0);
	freeReplyObject(reply);
	close_all();
}
END_TEST

static int64_t
seconds_later(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)(t.tv_sec + 5) * 1000000 + t.tv_nsec / 1000;
}

/* Its heartbeat still keeps others out, but what is sent now may arrive later. */
START_TEST(a_worker_that_has_said_nothing_for_seconds_replaces_no_final_record)
{
	static const struct clock_source later = {.mono_us = seconds_later};

	open_with_claim(_i);
	backend_put(&w, records, "1", SUCCESS, true, 60);
	clock_replace(&later);
	backend_put_of(&w, records, "1", FAILED, true, worker->claims[0]);
	clock_replace(NULL);
	ck_assert_int_eq(records->answer, RESULTS_ENDED);
	ck_assert_str_eq(backend_get(&w, records, "1"), SUCCESS);
	close_all();
}
END_TEST

static long long
scripts_run(struct redis_server *server)
{
	redisReply *reply = redis_server_command(server, "INFO commandstats");
	const char *at = strstr(reply->str, "cmdstat_evalsha:calls=");
	const long long n =
	    at != NULL ? atoll(at + strlen("cmdstat_evalsha:calls=")) : 0;

	freeReplyObject(reply);
	return n;
}

/* Of a Cluster: the mark of takeovers is on another node than the record. */
START_TEST(a_record_of_a_claim_that_is_sure_needs_no_script)
{
	struct redis_server *server;
	long long before;

	open_with_claim(KIND_REDIS);
	server = redis_cluster_server_of(w.cluster, "flowrra:task:1");
	before = scripts_run(server);
	backend_put_of(&w, records, "1", SUCCESS, true, worker->claims[0]);
	ck_assert_int_eq(records->answer, RESULTS_STORED);
	ck_assert_int_eq(scripts_run(server), before);
	ck_assert_str_eq(backend_get(&w, records, "1"), SUCCESS);
	close_all();
}
END_TEST

START_TEST(a_claim_that_is_on_record_outlives_a_doubt)
{
	open_with_claim(_i);
	take_over(false);
	broker_doubt(worker->broker, worker->claims[0]);
	UNTIL(&w, worker->n_kept == 1);
	backend_put_of(&w, records, "1", SUCCESS, true, worker->claims[0]);
	ck_assert_int_eq(records->answer, RESULTS_STORED);
	party_settle(worker, 0, BROKER_ACK);
	ck_assert_uint_eq(worker->n_lost, 0);
	close_all();
}
END_TEST

START_TEST(a_worker_that_finds_another_in_its_place_ends_with_nothing)
{
	open_with_claim(_i);
	usurp();
	broker_heartbeat(worker->broker, SLICE("{\"host\":\"h1\"}"));
	UNTIL(&w, worker->refused);
	ck_assert_int_eq(worker->why.code, ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(worker->why.msg, "[worker] id"));
	ck_assert_uint_eq(worker->n_lost, 1);
	broker_drop(worker->broker, worker->lost[0]);
	/* It does not take the other one off the list. */
	broker_deregister(worker->broker);
	stage_linger(&w, 100);
	if (_i == KIND_REDIS)
		ck_assert_int_eq(keys("EXISTS flowrra:worker:host:a"), 1);
	else
		ck_assert_int_eq(stage_sql(&w, "SELECT count(*) FROM workers "
					       "WHERE port <> ''"),
				 1);
	close_all();
}
END_TEST

/* What it has asked for is answered after that, and is the other one's. */
START_TEST(a_worker_that_finds_another_in_its_place_is_handed_nothing)
{
	open_with_claim(_i);
	usurp();
	if (_i == KIND_REDIS)
		redis_server_run(w.server,
				 "LPUSH {flowrra:queue:io}:inflight:host:a#1 "
				 "%s",
				 "{\"id\":\"2\",\"name\":\"t\"}");
	broker_heartbeat(worker->broker, SLICE("{\"host\":\"h1\"}"));
	broker_doubt(worker->broker, worker->claims[0]);
	UNTIL(&w, worker->refused);
	ck_assert_int_eq(party_submit(producer, "3", TASK, 0, 0), ERR_NONE);
	broker_want(worker->broker, 0, 5);
	stage_linger(&w, 300);
	ck_assert_uint_eq(worker->n_claims, 1);
	ck_assert_uint_eq(worker->n_lost, 1);
	broker_drop(worker->broker, worker->lost[0]);
	close_all();
}
END_TEST

START_TEST(a_second_worker_with_one_id_is_refused_while_the_first_lives)
{
	const struct party_options twin = {
	    .worker = "host:a", .token = "another", .predecessor = "third"};
	struct party *second;

	open_with_claim(_i);
	second = party_begin(&w, &twin);
	if (_i == KIND_REDIS) {
		/* It does not know yet; a heartbeat tells. */
		UNTIL(&w, strstr(second->why.msg, "waiting") != NULL);
		ck_assert(!second->refused);
		stage_linger(&w, 1200);
		broker_heartbeat(worker->broker,
				 SLICE("{\"host\":\"h1\",\"pid\":7}"));
	}
	UNTIL(&w, second->refused);
	ck_assert_int_eq(second->why.code, ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(second->why.msg, "host:a"));
	ck_assert_ptr_nonnull(strstr(second->why.msg, "process 7 on host h1"));
	ck_assert_ptr_nonnull(strstr(second->why.msg, "[worker] id"));
	ck_assert_uint_eq(second->n_claims, 0);
	party_close(second);
	party_settle(worker, 0, BROKER_ACK);
	close_all();
}
END_TEST

START_TEST(a_worker_whose_predecessor_is_dead_for_sure_need_not_wait)
{
	const struct party_options next = {
	    .worker = "host:a", .token = "another", .predecessor = "host:a"};
	struct party *second;

	open_with_claim(_i);
	party_close(worker);
	second = party_begin(&w, &next);
	UNTIL(&w, second->ups == 1 && second->n_claims == 1);
	ck_assert(second->claims[0]->recovered);
	ck_assert_ptr_null(strstr(second->why.msg, "waiting"));
	worker = second;
	close_all();
}
END_TEST

#define CASES(kind)                                                              \
	X(a_final_record_stays, kind)                                            \
	X(a_final_record_of_a_foreign_program_stays, kind)                       \
	X(what_only_looks_like_a_final_record_is_replaced, kind)                 \
	X(no_record_is_stored_for_a_claim_that_is_not_on_record, kind)           \
	X(a_worker_that_has_said_nothing_for_seconds_replaces_no_final_record,   \
	  kind)                                                                  \
	X(a_worker_that_was_frozen_for_longer_than_a_mark_lives_settles_nothing, \
	  kind)                                                                  \
	X(a_claim_that_is_on_record_outlives_a_doubt, kind)                      \
	X(a_worker_that_finds_another_in_its_place_ends_with_nothing, kind)      \
	X(a_worker_that_finds_another_in_its_place_is_handed_nothing, kind)      \
	X(a_second_worker_with_one_id_is_refused_while_the_first_lives, kind)    \
	X(a_worker_whose_predecessor_is_dead_for_sure_need_not_wait, kind)

#define X(name, kind) TEST_LOOP(name, kind, (kind) + 1);
static void
fill_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
	X(a_mark_that_no_worker_has_made_is_mended, KIND_REDIS)
	X(each_key_that_names_a_worker_ends_by_itself, KIND_REDIS)
}

/* Records are on other nodes than claims. */
static void
fill_cluster(TCase *suite_case_)
{
	SUITE_TIMEOUT(60);
	tcase_add_checked_fixture(suite_case_, stage_use_cluster, NULL);
	X(a_final_record_stays, KIND_REDIS)
	X(a_final_record_of_a_foreign_program_stays, KIND_REDIS)
	X(what_only_looks_like_a_final_record_is_replaced, KIND_REDIS)
	X(a_worker_that_has_said_nothing_for_seconds_replaces_no_final_record,
	  KIND_REDIS)
	TEST(a_record_of_a_claim_that_is_sure_needs_no_script);
}

static void
fill_sqlite(TCase *suite_case_)
{
	CASES(KIND_SQLITE)
}
#undef X

__attribute__((constructor)) static void
register_suites(void)
{
	suite_register("owner-redis", fill_redis);
	suite_register("owner-cluster", fill_cluster);
	suite_register("owner-sqlite", fill_sqlite);
}
