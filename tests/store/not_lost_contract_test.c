/* SPDX-License-Identifier: MIT */
/*
 * Housekeeping, of every broker: of the tasks that are anywhere, none ends as lost;
 * nor does one of which that cannot be told.
 */
#include <stdio.h>
#include <string.h>

#include "redis_server.h"
#include "store/lost_scene.h"
#include "store/redis/broker.h"

static void
wait_in_list(void)
{
	lost_submit("t", RECORD("t"), 0, 0);
}

static void
wait_in_level(void)
{
	lost_submit("t", RECORD("t"), 5, 0);
}

static void
be_delayed(void)
{
	lost_submit("t", RECORD("t"), 0, HOUR_MS);
}

static void
be_in_flight(void)
{
	wait_in_list();
	op_take(op.worker, 1);
}

static void
be_in_flight_of_the_script(void)
{
	wait_in_level();
	op_take(op.worker, 1);
}

static struct party *dying;

static void
be_in_flight_of_the_dead(void)
{
	dying = party_open(&op.stage, "host:b");
	broker_heartbeat(dying->broker, SLICE("{}"));
	wait_in_list();
	op_take(dying, 1);
	op_silence("host:b");
}

static void
be_retried(void)
{
	be_in_flight();
	party_retry(op.worker, op.worker->n_claims - 1,
		    "{\"id\":\"t\",\"name\":\"n\",\"current_retry\":1}",
		    HOUR_MS);
}

static void
be_released(void)
{
	be_in_flight();
	party_settle(op.worker, op.worker->n_claims - 1, BROKER_RELEASE);
}

static void
be_dead(void)
{
	be_in_flight();
	party_bury(op.worker, op.worker->n_claims - 1, "t", "{}");
}

static void
be_set_aside(void)
{
	const struct slice name = SLICE("n"), description = SLICE("{}");
	struct broker_settle aside = {.disposition = BROKER_SET_ASIDE,
				      .lane = SLICE("n"),
				      .delay_ms = HOUR_MS};
	char bytes[] = "{\"id\":\"t\",\"name\":\"n\"}";

	dying = party_open(&op.stage, "host:b");
	broker_heartbeat(dying->broker, SLICE("{}"));
	broker_register(dying->broker, &name, &description, 1);
	be_in_flight();
	aside.retry_bytes = slice_of(bytes);
	party_settle_with(op.worker, op.worker->n_claims - 1, &aside);
	ck_assert_int_eq(op_queue(op.producer, "io")->delayed, 0);
}

static void (*const places[])(void) = {wait_in_list,
				       wait_in_level,
				       be_delayed,
				       be_in_flight,
				       be_in_flight_of_the_script,
				       be_in_flight_of_the_dead,
				       be_retried,
				       be_released,
				       be_dead,
				       be_set_aside};
#define N_PLACES ((int)(sizeof(places) / sizeof(places[0])))

static void
stay_in(int kind, int place)
{
	dying = NULL;
	lost_open(kind);
	places[place]();
	ck_not_lost("t", RECORD("t"));
	if (dying != NULL)
		party_close(dying);
	lost_close();
}

START_TEST(what_is_anywhere_is_not_lost_in_redis)
{
	stay_in(KIND_REDIS, _i);
}
END_TEST

START_TEST(what_is_anywhere_is_not_lost_in_sqlite)
{
	stay_in(KIND_SQLITE, _i);
}
END_TEST

START_TEST(a_record_that_is_not_understood_stays)
{
	lost_open(_i);
	lost_submit("t",
		    "{\"task_id\":\"t\",\"status\":\"pending\",\"strange\":1}",
		    0, 0);
	lost_delete_list();
	ck_not_lost("t",
		    "{\"task_id\":\"t\",\"status\":\"pending\",\"strange\":1}");
	lost_close();
}
END_TEST

/* A suspect that is back, from a copy that was restored. */
START_TEST(a_task_that_comes_back_is_not_lost)
{
	struct rbroker *b;

	lost_open(KIND_REDIS);
	b = (struct rbroker *)op.worker->broker;
	lost_submit("t", RECORD("t"), 0, 0);
	redis_server_run(QUEUE_SERVER,
			 "RENAME flowrra:queue:io {flowrra:queue:io}copy");
	TIDY_LOST_UNTIL(HOUR_MS, b->lost.suspects.n == 1);
	redis_server_run(QUEUE_SERVER,
			 "RENAME {flowrra:queue:io}copy flowrra:queue:io");
	ck_not_lost("t", RECORD("t"));
	lost_close();
}
END_TEST

/* Something has become of a suspect, wherever it is. */
START_TEST(a_task_with_another_record_is_not_lost)
{
	struct rbroker *b;

	lost_open(KIND_REDIS);
	b = (struct rbroker *)op.worker->broker;
	lost_submit("t", RECORD("t"), 0, 0);
	lost_delete_list();
	TIDY_LOST_UNTIL(HOUR_MS, b->lost.suspects.n == 1);
	redis_server_run(RECORD_SERVER,
			 "SET flowrra:task:t "
			 "{\"task_id\":\"t\",\"status\":\"running\"}");
	/* The suspect is judged, and the same task is one from now on. */
	TIDY_LOST_UNTIL(1, b->lost.suspects.n == 0);
	ck_assert_int_eq(op.worker->gone, 0);
	lost_close();
}
END_TEST

static const char *const spellings[] = {
    "LPUSH flowrra:queue:io {\"name\":\"n\",\"id\":\"\\u0074\"}",
    "LPUSH flowrra:queue:io {\"name\":\"n\",\"\\u0069d\":\"t\"}",
    "LPUSH flowrra:queue:io {\"name\":\"n\",\"id\":\t\"t\"}",
    /* Not JSON: nobody can tell. */
    "LPUSH flowrra:queue:io {\"name\":\"n\\",
};

START_TEST(a_task_whose_id_is_spelt_otherwise_is_not_lost)
{
	struct rbroker *b;
	int i;

	lost_open(KIND_REDIS);
	b = (struct rbroker *)op.worker->broker;
	redis_server_run(RECORD_SERVER,
			 "SET flowrra:task:t "
			 "{\"task_id\":\"t\",\"status\":\"pending\"}");
	redis_server_run(QUEUE_SERVER, spellings[_i]);
	for (i = 0; i < 10; i++) {
		lost_tidy(op.worker, 1);
		stage_linger(&op.stage, 20);
	}
	ck_assert_uint_eq(b->lost.suspects.n, 0);
	ck_assert_int_eq(op.worker->gone, 0);
	redis_server_run(QUEUE_SERVER, "DEL flowrra:queue:io");
	TIDY_LOST_UNTIL(1, op.worker->gone == 1);
	lost_close();
}
END_TEST

static const struct {
	const char *key, *make, *end;
} doubts[] = {
    /* More than is read in one step. */
    {"flowrra:queue:io",
     "EVAL "
     "for\ti=1,3001\tdo\tredis.call('LPUSH',KEYS[1],'{}')\tend "
     "1 flowrra:queue:io",
     "DEL flowrra:queue:io"},
    /* Others have queues of which this one knows nothing. */
    {"flowrra:keys", "SADD flowrra:keys shop", "DEL flowrra:keys"},
    {"flowrra:keys", NULL, "DEL flowrra:keys"},
};

/* Of a task whose queue is on another server. */
static void
create_record_elsewhere(void)
{
	op.stage.options.has_records = false;
	backend_close(lost_records);
	lost_records = backend_open(&op.stage);
	lost_create_record(SLICE("far"), SLICE("{\"task_id\":\"far\"}"));
}

START_TEST(where_it_cannot_be_told_nothing_is_lost)
{
	int i;

	lost_open(KIND_REDIS);
	redis_server_run(RECORD_SERVER,
			 "SET flowrra:task:t "
			 "{\"task_id\":\"t\",\"status\":\"pending\"}");
	if (doubts[_i].make != NULL)
		redis_server_run(lost_server_of(doubts[_i].key),
				 doubts[_i].make);
	else
		create_record_elsewhere();
	for (i = 0; i < 10; i++) {
		lost_tidy(op.worker, 1);
		stage_linger(&op.stage, 20);
	}
	ck_assert_int_eq(op.worker->gone, 0);
	redis_server_run(lost_server_of(doubts[_i].key), doubts[_i].end);
	TIDY_LOST_UNTIL(1, op.worker->gone == 1);
	lost_close();
}
END_TEST

static void
fill_not_lost_of_redis(TCase *suite_case_)
{
	X(a_record_that_is_not_understood_stays, KIND_REDIS)
	TEST_LOOP(what_is_anywhere_is_not_lost_in_redis, 0, N_PLACES);
	TEST(a_task_that_comes_back_is_not_lost);
	TEST(a_task_with_another_record_is_not_lost);
	TEST_LOOP(a_task_whose_id_is_spelt_otherwise_is_not_lost, 0, 4);
	TEST_LOOP(where_it_cannot_be_told_nothing_is_lost, 0, 3);
}

/* Records and queues are on three nodes. */
static void
fill_not_lost_cluster(TCase *suite_case_)
{
	SUITE_TIMEOUT(60);
	tcase_add_checked_fixture(suite_case_, stage_use_cluster, NULL);
	fill_not_lost_of_redis(suite_case_);
}

static void
fill_not_lost_sqlite(TCase *suite_case_)
{
	X(a_record_that_is_not_understood_stays, KIND_SQLITE)
	TEST_LOOP(what_is_anywhere_is_not_lost_in_sqlite, 0, N_PLACES);
}

__attribute__((constructor)) static void
register_not_lost_suites(void)
{
	suite_register("not-lost-redis", fill_not_lost_of_redis);
	suite_register("not-lost-cluster", fill_not_lost_cluster);
	suite_register("not-lost-sqlite", fill_not_lost_sqlite);
}
