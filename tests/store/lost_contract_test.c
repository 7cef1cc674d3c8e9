/* SPDX-License-Identifier: MIT */
/*
 * Housekeeping, of every broker: records of tasks that are in no place end as lost.
 * And what nobody registers any more is forgotten.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/lost_scene.h"
#include "store/redis/broker.h"
#include "util/clock.h"

/* --- tasks that are gone --------------------------------------------------- */

static bool
is_listed(void)
{
	const bool cluster = op.stage.cluster != NULL;
	char key[64];
	redisReply *list;
	bool yes;

	snprintf(key, sizeof(key), "%s", arg_index_list(cluster, true).p);
	list = redis_server_command(lost_server_of(key), "LRANGE %s 0 -1", key);
	yes = list->elements == 1 && strcmp(list->element[0]->str, "t") == 0;
	freeReplyObject(list);
	return yes;
}

START_TEST(a_task_whose_list_was_deleted_ends_as_lost)
{
	lost_open(_i);
	lost_submit("t", RECORD("t"), 0, 0);
	lost_delete_list();
	TIDY_LOST_UNTIL(1, op.worker->gone == 1);
	ck_assert_str_eq(backend_get(&op.stage, lost_records, "t"),
			 LOST_RECORD("t"));
	if (op.stage.kind == KIND_REDIS) {
		ck_assert(is_listed());
	} else {
		ck_assert_int_eq(
		    stage_sql(&op.stage, "SELECT failed FROM totals"), 1);
		ck_assert_int_eq(
		    stage_sql(&op.stage, "SELECT count(*) FROM tasks"), 0);
	}
	lost_close();
}
END_TEST

START_TEST(it_is_a_suspect_for_the_time_that_is_set)
{
	int i;

	lost_open(_i);
	lost_submit("t", RECORD("t"), 0, 0);
	lost_delete_list();
	for (i = 0; i < 10; i++) {
		lost_tidy(op.worker, HOUR_MS);
		stage_linger(&op.stage, 20);
	}
	ck_assert_int_eq(op.worker->gone, 0);
	ck_assert_str_eq(backend_get(&op.stage, lost_records, "t"),
			 RECORD("t"));
	/* It was one since then. */
	TIDY_LOST_UNTIL(100, op.worker->gone == 1);
	lost_close();
}
END_TEST

START_TEST(hundreds_end_in_batches)
{
	char id[16], record[64];
	unsigned int i;

	lost_open(_i);
	for (i = 0; i < 300; i++) {
		snprintf(id, sizeof(id), "t%u", i);
		snprintf(record, sizeof(record),
			 "{\"task_id\":\"%s\",\"status\":\"pending\"}", id);
		lost_submit(id, record, 0, 0);
	}
	lost_delete_list();
	TIDY_LOST_UNTIL(1, op.worker->gone == 300);
	ck_assert_str_eq(backend_get(&op.stage, lost_records, "t299"),
			 LOST_RECORD("t299"));
	lost_close();
}
END_TEST

START_TEST(who_waits_for_it_is_told)
{
	struct results_watch *watch;
	struct err err;

	lost_open(_i);
	lost_submit("t", RECORD("t"), 0, 0);
	lost_records->answered = false;
	watch = results_watch(lost_records->results, SLICE("t"),
			      backend_on_record, lost_records, &err);
	ck_assert_ptr_nonnull(watch);
	UNTIL(&op.stage, lost_records->answered);
	lost_delete_list();
	TIDY_LOST_UNTIL(1, strcmp(lost_records->record, LOST_RECORD("t")) == 0);
	results_unwatch(watch);
	lost_close();
}
END_TEST

/* It was somewhere after all: it runs, and ends. */
START_TEST(what_it_comes_to_after_all_takes_the_place_of_that)
{
	lost_open(_i);
	lost_submit("t", RECORD("t"), 0, 0);
	lost_delete_list();
	TIDY_LOST_UNTIL(1, op.worker->gone == 1);
	backend_put(&op.stage, lost_records, "t",
		    "{\"task_id\":\"t\",\"status\":\"running\"}", false, 0);
	ck_assert_str_eq(backend_get(&op.stage, lost_records, "t"),
			 "{\"task_id\":\"t\",\"status\":\"running\"}");
	lost_submit("u", RECORD("u"), 0, 0);
	lost_delete_list();
	TIDY_LOST_UNTIL(1, op.worker->gone >= 2);
	backend_put(&op.stage, lost_records, "u",
		    "{\"task_id\":\"u\",\"status\":\"success\"}", true, 60);
	ck_assert_int_eq(lost_records->answer, RESULTS_STORED);
	backend_put(&op.stage, lost_records, "u",
		    "{\"task_id\":\"u\",\"status\":\"failed\"}", true, 60);
	ck_assert_int_eq(lost_records->answer, RESULTS_ENDED);
	ck_assert_str_eq(backend_get(&op.stage, lost_records, "u"),
			 "{\"task_id\":\"u\",\"status\":\"success\"}");
	lost_close();
}
END_TEST

/* Between two steps of its submission: the record is there, and the task is not. */
START_TEST(a_task_that_was_never_queued_ends_as_lost)
{
	lost_open(KIND_REDIS);
	redis_server_run(RECORD_SERVER,
			 "SET flowrra:task:t "
			 "{\"task_id\":\"t\",\"status\":\"pending\"}");
	TIDY_LOST_UNTIL(1, op.worker->gone == 1);
	ck_assert_str_eq(backend_get(&op.stage, lost_records, "t"),
			 LOST_RECORD("t"));
	lost_close();
}
END_TEST

/* --- what is registered ---------------------------------------------------- */

/* A machine without a clock of its own. */
static int64_t
in_1970_us(void)
{
	return 1;
}

START_TEST(what_nobody_registers_is_forgotten)
{
	static const struct clock_source wrong = {.wall_us = in_1970_us};
	const struct broker_limits limits = {.registry_ms = HOUR_MS};
	const struct slice name = SLICE("mine"), description = SLICE("{}");
	int64_t deadline;
	int i;

	lost_open(_i);
	if (op.stage.kind == KIND_REDIS)
		clock_replace(&wrong);
	broker_register(op.worker->broker, &name, &description, 1);
	if (op.stage.kind == KIND_REDIS) {
		redis_server_run(op.stage.server,
				 "HSET flowrra:registry old {} undated {}");
		redis_server_run(op.stage.server,
				 "ZADD flowrra:registered 1 old");
	} else {
		stage_sql(&op.stage,
			  "INSERT INTO registry VALUES ('old', '{}', 1), "
			  "('undated', '{}', 0)");
	}
	for (deadline = stage_deadline();;) {
		broker_tidy(op.worker->broker, &limits);
		ck_assert(stage_turn(&op.stage, deadline));
		op.producer->answered = false;
		broker_registered_names(op.producer->broker, party_on_names,
					op.producer);
		UNTIL(&op.stage, op.producer->answered);
		if (strcmp(op.producer->value, "mine undated ") == 0)
			break;
	}
	/* Not in the next rounds, either. */
	for (i = 0; i < 5; i++) {
		broker_tidy(op.worker->broker, &limits);
		stage_linger(&op.stage, 20);
	}
	op.producer->answered = false;
	broker_registered_names(op.producer->broker, party_on_names,
				op.producer);
	UNTIL(&op.stage, op.producer->answered);
	ck_assert_str_eq(op.producer->value, "mine undated ");
	clock_replace(NULL);
	lost_close();
}
END_TEST

#define CASES(kind)                                                            \
	X(a_task_whose_list_was_deleted_ends_as_lost, kind)                    \
	X(it_is_a_suspect_for_the_time_that_is_set, kind)                      \
	X(hundreds_end_in_batches, kind)                                       \
	X(who_waits_for_it_is_told, kind)                                      \
	X(what_it_comes_to_after_all_takes_the_place_of_that, kind)

static void
fill_lost_of_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
	TEST(a_task_that_was_never_queued_ends_as_lost);
}

static void
fill_lost_redis(TCase *suite_case_)
{
	fill_lost_of_redis(suite_case_);
	TEST_LOOP(what_nobody_registers_is_forgotten, KIND_REDIS,
		  KIND_REDIS + 1);
}

/* Records and queues are on three nodes. */
static void
fill_lost_cluster(TCase *suite_case_)
{
	SUITE_TIMEOUT(60);
	tcase_add_checked_fixture(suite_case_, stage_use_cluster, NULL);
	fill_lost_of_redis(suite_case_);
}

static void
fill_lost_sqlite(TCase *suite_case_)
{
	CASES(KIND_SQLITE)
	TEST_LOOP(what_nobody_registers_is_forgotten, KIND_SQLITE,
		  KIND_SQLITE + 1);
}

__attribute__((constructor)) static void
register_lost_suites(void)
{
	suite_register("lost-redis", fill_lost_redis);
	suite_register("lost-cluster", fill_lost_cluster);
	suite_register("lost-sqlite", fill_lost_sqlite);
}
