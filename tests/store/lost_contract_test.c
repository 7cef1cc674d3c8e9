/* SPDX-License-Identifier: MIT */
/*
 * Housekeeping, of every broker: records of tasks that are in no place end as
 * lost, and of those that are anywhere, none does. And what nobody registers any
 * more is forgotten.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_cluster.h"
#include "redis_server.h"
#include "store/admin_scene.h"
#include "store/redis/broker.h"
#include "util/clock.h"

#define RECORD(id) "{\"task_id\":\"" id "\",\"status\":\"pending\"}"
#define LOST_RECORD(id)                                                        \
	"{\"task_id\":\"" id "\",\"status\":\"failed\",\"lost\":true,\"end\":" \
	"1}"

static struct backend *records;

/* As a worker's, but that all tasks are of "io". */
static bool
on_pending(struct slice record, struct buf *queue, struct buf *ended, void *arg)
{
	const char *status = memmem(record.p, record.len, "\"status\":", 9);

	ck_assert_ptr_nonnull(status);
	ck_assert_ptr_eq(arg, op.worker);
	if (memmem(record.p, record.len, "strange", 7) != NULL)
		return false;
	buf_adds(queue, "io");
	buf_add(ended, record.p, (size_t)(status - record.p));
	buf_adds(ended, "\"status\":\"failed\",\"lost\":true,\"end\":1}");
	return true;
}

static void
lost_open(int kind)
{
	stage_open(&op.stage, kind);
	/* A Cluster has records, but not in one step with tasks. */
	op.stage.options.with_results = op.stage.cluster == NULL;
	op.stage.options.has_records = true;
	op.stage.options.on_pending = on_pending;
	op.producer = party_open(&op.stage, NULL);
	op.worker = party_open(&op.stage, "host:a");
	broker_heartbeat(op.worker->broker, SLICE("{}"));
	records = backend_open(&op.stage);
}

static void
lost_close(void)
{
	backend_close(records);
	op_close();
}

static void
on_created(struct err *errs, size_t n, void *arg)
{
	*(bool *)arg = true;
}

/* A record, whose task may come later. */
static void
create_record(struct slice id, struct slice record)
{
	bool done = false;
	struct err err;

	results_create(records->results, &id, &record, &err, 1, on_created,
		       &done);
	UNTIL(&op.stage, done);
	ck_assert_int_eq(err.code, ERR_NONE);
}

static void
submit(const char *id, const char *record, int32_t priority, int64_t delay_ms)
{
	char bytes[256];
	struct broker_submit task = {.queue = "io",
				     .id = slice_of(id),
				     .record = slice_of(record),
				     .priority = priority,
				     .delay_ms = delay_ms};

	if (!op.stage.options.with_results)
		create_record(task.id, task.record);
	snprintf(bytes, sizeof(bytes), "{\"id\":\"%s\",\"name\":\"n\"}", id);
	task.bytes = slice_of(bytes);
	ck_assert_int_eq(party_submit_with(op.producer, &task), ERR_NONE);
}

/* That which has the key. */
static struct redis_server *
server_of(const char *key)
{
	return op.stage.cluster != NULL
		   ? redis_cluster_server_of(op.stage.cluster, key)
		   : op.stage.server;
}

#define RECORD_SERVER server_of("flowrra:task:t")
#define QUEUE_SERVER server_of("flowrra:queue:io")

/* What a person, or an old copy, does to the list of priority 0. */
static void
delete_list(void)
{
	if (op.stage.kind == KIND_REDIS)
		redis_server_run(QUEUE_SERVER, "DEL flowrra:queue:io");
	else
		stage_sql(&op.stage, "DELETE FROM waiting WHERE priority = 0");
}

static void
tidy_lost(struct party *p, int64_t lost_ms)
{
	const struct broker_limits limits = {.lost_ms = lost_ms,
					     .record_ttl_s = 60};

	broker_tidy(p->broker, &limits);
}

#define TIDY_LOST_UNTIL(lost_ms_, condition)                                   \
	do {                                                                   \
		int64_t until_ = stage_deadline();                             \
		while (!(condition)) {                                         \
			tidy_lost(op.worker, (lost_ms_));                      \
			ck_assert_msg(stage_turn(&op.stage, until_),           \
				      "waited for " #condition);               \
		}                                                              \
	} while (0)

/* Two tasks whose list is deleted, each in rounds of its own, which look at all
 * records: when they have ended, what else is lost would have, too. */
static void
let_all_that_is_lost_end(void)
{
	const char *ids[] = {"gone1", "gone2"}, *record;
	char text[128];
	size_t i;

	for (i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			 "{\"task_id\":\"%s\",\"status\":\"pending\"}", ids[i]);
		backend_put(&op.stage, records, ids[i], text, false, 0);
		if (op.stage.kind == KIND_SQLITE) {
			/* Of a task that was there once. */
			snprintf(text, sizeof(text),
				 "UPDATE results SET task = (1 << 40) + 9%zu "
				 "WHERE id = '%s'",
				 i, ids[i]);
			stage_sql(&op.stage, text);
		}
		TIDY_LOST_UNTIL(1, op.worker->gone == (int64_t)i + 1);
		record = backend_get(&op.stage, records, ids[i]);
		ck_assert_ptr_nonnull(record);
		ck_assert_ptr_nonnull(strstr(record, "\"lost\":true"));
	}
}

static void
ck_not_lost(const char *id, const char *record)
{
	let_all_that_is_lost_end();
	ck_assert_int_eq(op.worker->gone, 2);
	ck_assert_str_eq(backend_get(&op.stage, records, id), record);
}

/* --- tasks that are gone --------------------------------------------------- */

static bool
is_listed(void)
{
	const bool cluster = op.stage.cluster != NULL;
	char key[64];
	redisReply *list;
	bool yes;

	snprintf(key, sizeof(key), "%s", arg_index_list(cluster, true).p);
	list = redis_server_command(server_of(key), "LRANGE %s 0 -1", key);
	yes = list->elements == 1 && strcmp(list->element[0]->str, "t") == 0;
	freeReplyObject(list);
	return yes;
}

START_TEST(a_task_whose_list_was_deleted_ends_as_lost)
{
	lost_open(_i);
	submit("t", RECORD("t"), 0, 0);
	delete_list();
	TIDY_LOST_UNTIL(1, op.worker->gone == 1);
	ck_assert_str_eq(backend_get(&op.stage, records, "t"),
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
	submit("t", RECORD("t"), 0, 0);
	delete_list();
	for (i = 0; i < 10; i++) {
		tidy_lost(op.worker, HOUR_MS);
		stage_linger(&op.stage, 20);
	}
	ck_assert_int_eq(op.worker->gone, 0);
	ck_assert_str_eq(backend_get(&op.stage, records, "t"), RECORD("t"));
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
		submit(id, record, 0, 0);
	}
	delete_list();
	TIDY_LOST_UNTIL(1, op.worker->gone == 300);
	ck_assert_str_eq(backend_get(&op.stage, records, "t299"),
			 LOST_RECORD("t299"));
	lost_close();
}
END_TEST

START_TEST(who_waits_for_it_is_told)
{
	struct results_watch *watch;
	struct err err;

	lost_open(_i);
	submit("t", RECORD("t"), 0, 0);
	records->answered = false;
	watch = results_watch(records->results, SLICE("t"), backend_on_record,
			      records, &err);
	ck_assert_ptr_nonnull(watch);
	UNTIL(&op.stage, records->answered);
	delete_list();
	TIDY_LOST_UNTIL(1, strcmp(records->record, LOST_RECORD("t")) == 0);
	results_unwatch(watch);
	lost_close();
}
END_TEST

/* It was somewhere after all: it runs, and ends. */
START_TEST(what_it_comes_to_after_all_takes_the_place_of_that)
{
	lost_open(_i);
	submit("t", RECORD("t"), 0, 0);
	delete_list();
	TIDY_LOST_UNTIL(1, op.worker->gone == 1);
	backend_put(&op.stage, records, "t",
		    "{\"task_id\":\"t\",\"status\":\"running\"}", false, 0);
	ck_assert_str_eq(backend_get(&op.stage, records, "t"),
			 "{\"task_id\":\"t\",\"status\":\"running\"}");
	submit("u", RECORD("u"), 0, 0);
	delete_list();
	TIDY_LOST_UNTIL(1, op.worker->gone >= 2);
	backend_put(&op.stage, records, "u",
		    "{\"task_id\":\"u\",\"status\":\"success\"}", true, 60);
	ck_assert_int_eq(records->answer, RESULTS_STORED);
	backend_put(&op.stage, records, "u",
		    "{\"task_id\":\"u\",\"status\":\"failed\"}", true, 60);
	ck_assert_int_eq(records->answer, RESULTS_ENDED);
	ck_assert_str_eq(backend_get(&op.stage, records, "u"),
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
	ck_assert_str_eq(backend_get(&op.stage, records, "t"),
			 LOST_RECORD("t"));
	lost_close();
}
END_TEST

/* --- tasks that are somewhere ---------------------------------------------- */

static void
wait_in_list(void)
{
	submit("t", RECORD("t"), 0, 0);
}

static void
wait_in_level(void)
{
	submit("t", RECORD("t"), 5, 0);
}

static void
be_delayed(void)
{
	submit("t", RECORD("t"), 0, HOUR_MS);
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
	submit("t", "{\"task_id\":\"t\",\"status\":\"pending\",\"strange\":1}",
	       0, 0);
	delete_list();
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
	submit("t", RECORD("t"), 0, 0);
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
	submit("t", RECORD("t"), 0, 0);
	delete_list();
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
		tidy_lost(op.worker, 1);
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
	backend_close(records);
	records = backend_open(&op.stage);
	create_record(SLICE("far"), SLICE("{\"task_id\":\"far\"}"));
}

START_TEST(where_it_cannot_be_told_nothing_is_lost)
{
	int i;

	lost_open(KIND_REDIS);
	redis_server_run(RECORD_SERVER,
			 "SET flowrra:task:t "
			 "{\"task_id\":\"t\",\"status\":\"pending\"}");
	if (doubts[_i].make != NULL)
		redis_server_run(server_of(doubts[_i].key), doubts[_i].make);
	else
		create_record_elsewhere();
	for (i = 0; i < 10; i++) {
		tidy_lost(op.worker, 1);
		stage_linger(&op.stage, 20);
	}
	ck_assert_int_eq(op.worker->gone, 0);
	redis_server_run(server_of(doubts[_i].key), doubts[_i].end);
	TIDY_LOST_UNTIL(1, op.worker->gone == 1);
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
	X(what_it_comes_to_after_all_takes_the_place_of_that, kind)            \
	X(a_record_that_is_not_understood_stays, kind)

static void
fill_lost_of_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
	TEST_LOOP(what_is_anywhere_is_not_lost_in_redis, 0, N_PLACES);
	TEST(a_task_that_was_never_queued_ends_as_lost);
	TEST(a_task_that_comes_back_is_not_lost);
	TEST(a_task_with_another_record_is_not_lost);
	TEST_LOOP(a_task_whose_id_is_spelt_otherwise_is_not_lost, 0, 4);
	TEST_LOOP(where_it_cannot_be_told_nothing_is_lost, 0, 3);
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
	TEST_LOOP(what_is_anywhere_is_not_lost_in_sqlite, 0, N_PLACES);
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
