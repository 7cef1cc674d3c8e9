/* SPDX-License-Identifier: MIT */
/* Housekeeping, of every broker: what stays in a dead list, and who does it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/admin_scene.h"

/* n of them, dN, the first of which died first; `size` bytes each, about. */
static void
bury_many(unsigned int n, size_t size)
{
	char *bytes = malloc(size + 64), id[16];
	unsigned int i;

	ck_assert_ptr_nonnull(bytes);
	for (i = 0; i < n; i++) {
		snprintf(id, sizeof(id), "d%u", i);
		snprintf(bytes, size + 64, "{\"id\":\"%s\",\"name\":\"%0*d\"}",
			 id, (int)size, 0);
		op_bury(bytes, id, "{}");
	}
	free(bytes);
}

/* The same by the store's own means: thousands, of which each died a ms after
 * the one before, the last one now. */
static void
fill_dead(unsigned int n)
{
	char text[512];

	if (op.stage.kind == KIND_REDIS) {
		redis_server_run(
		    op.stage.server, "EVAL %s 0",
		    "local t = redis.call('TIME')"
		    " local now = t[1] * 1000 + math.floor(t[2] / 1000)"
		    " local q = '{flowrra:queue:io}:dead'"
		    " for i = 1, 2100 do redis.call('ZADD', q, now - 2100 + i, "
		    "i)"
		    " redis.call('HSET', q .. ':tasks', i, '[1]')"
		    " redis.call('HSET', q .. ':info', i, '{}') end");
		ck_assert_uint_eq(n, 2100);
		return;
	}
	snprintf(text, sizeof(text),
		 "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
		 "FROM c WHERE i < %u) INSERT INTO dead (queue, died, id, "
		 "bytes, info) SELECT (SELECT id FROM queues WHERE name = "
		 "'io'), CAST((julianday('now') - 2440587.5) * 86400000 AS "
		 "INTEGER) - %u + i, "
		 "i, '[1]', '{}' FROM c",
		 n, n);
	stage_sql(&op.stage, text);
}

static void
tidy(struct party *p, int64_t most, int64_t life_ms)
{
	const struct broker_limits limits = {.dead_max = most,
					     .dead_ttl_ms = life_ms};

	broker_tidy(p->broker, &limits);
}

/* Until it has done it once more: what it was told before may be at work. */
#define TIDY_UNTIL(p, most, life_ms, condition)                                \
	do {                                                                   \
		int64_t until_ = stage_deadline();                             \
		while (!(condition)) {                                         \
			tidy((p), (most), (life_ms));                          \
			ck_assert_msg(stage_turn(&op.stage, until_),           \
				      "waited for " #condition);               \
		}                                                              \
	} while (0)

START_TEST(the_oldest_beyond_the_limit_are_deleted)
{
	op_open(_i);
	bury_many(5, 10);
	/* Not a task: it is one of them. What dies in one ms has no order. */
	stage_linger(&op.stage, 5);
	op_bury("[]", "", "{}");
	TIDY_UNTIL(op.worker, 3, 0, op.worker->beyond == 3);
	ck_assert_int_eq(op.worker->expired, 0);
	ck_assert_int_eq(op_queue(op.producer, "io")->dead, 3);
	op_view(op.producer, BROKER_DEAD, "", 10);
	ck_assert_uint_eq(op.told.n, 3);
	ck_assert_str_eq(op.told.items[0].bytes.p, "[]");
	ck_assert(slice_eq(op.told.items[1].key, SLICE("d4")));
	ck_assert(slice_eq(op.told.items[2].key, SLICE("d3")));
	ck_assert_int_eq(stage_dead(&op.stage), 3);
	op_close();
}
END_TEST

START_TEST(what_died_too_long_ago_is_deleted)
{
	op_open(_i);
	bury_many(3, 10);
	tidy(op.worker, 0, HOUR_MS);
	stage_linger(&op.stage, 20);
	op_bury("[]", "young", "{}");
	ck_assert_uint_eq(op.worker->trims, 0);
	TIDY_UNTIL(op.worker, 0, 15, op.worker->expired >= 3);
	ck_assert_int_eq(op.worker->beyond, 0);
	op_close();
}
END_TEST

START_TEST(without_limits_nothing_is_deleted)
{
	op_open(_i);
	bury_many(3, 10);
	tidy(op.worker, 0, 0);
	tidy(op.worker, 3, HOUR_MS);
	stage_linger(&op.stage, 100);
	ck_assert_uint_eq(op.worker->trims, 0);
	ck_assert_int_eq(op_queue(op.producer, "io")->dead, 3);
	op_close();
}
END_TEST

START_TEST(thousands_go_in_steps)
{
	op_open(_i);
	bury_many(1, 10);
	fill_dead(2100);
	TIDY_UNTIL(op.worker, 100, 0, op.worker->beyond == 2001);
	/* Each is checked by the party for its size. */
	ck_assert_uint_eq(op.worker->trims, 5);
	ck_assert_int_eq(op_queue(op.producer, "io")->dead, 100);
	op_close();
}
END_TEST

/* Of 300 kB each, four are beyond the bytes of a step. */
START_TEST(large_ones_go_in_smaller_steps)
{
	op_open(_i);
	bury_many(8, 300 << 10);
	TIDY_UNTIL(op.worker, 1, 0, op.worker->beyond == 7);
	ck_assert_uint_eq(op.worker->trims, 2);
	op_close();
}
END_TEST

/* Until so many have gone, or a few more; a limit of bytes in any case. */
static void
tidy_bytes_about(int64_t bytes, int64_t beyond, int64_t slack)
{
	const struct broker_limits limits = {.dead_max_bytes = bytes};
	const int64_t until = stage_deadline();
	int i;

	while (op.worker->beyond < beyond) {
		broker_tidy(op.worker->broker, &limits);
		ck_assert(stage_turn(&op.stage, until));
	}
	for (i = 0; i < 2; i++) {
		broker_tidy(op.worker->broker, &limits);
		stage_linger(&op.stage, 50);
	}
	ck_assert_int_ge(op.worker->beyond, beyond);
	ck_assert_int_le(op.worker->beyond, beyond + slack);
}

static void
tidy_bytes(int64_t bytes, int64_t beyond)
{
	tidy_bytes_about(bytes, beyond, 0);
}

START_TEST(the_oldest_beyond_the_limit_of_bytes_are_deleted)
{
	op_open(_i);
	bury_many(8, 10 << 10);
	tidy_bytes(200 << 10, 0);
	tidy_bytes(35 << 10, 5);
	ck_assert_int_eq(op_queue(op.producer, "io")->dead, 3);
	op_view(op.producer, BROKER_DEAD, "", 10);
	ck_assert(slice_eq(op.told.items[0].key, SLICE("d7")));
	ck_assert(slice_eq(op.told.items[2].key, SLICE("d5")));
	/* The newest stays, whatever its size. */
	tidy_bytes(1000, 7);
	tidy_bytes(1000, 7);
	ck_assert_int_eq(op_queue(op.producer, "io")->dead, 1);
	op_close();
}
END_TEST

/* A task that dies again, and one that is retried, count once, and not at all. */
START_TEST(bytes_of_what_left_the_dead_list_do_not_count)
{
	op_open(_i);
	bury_many(4, 10 << 10);
	bury_many(4, 10 << 10);
	bury_many(4, 10);
	bury_many(4, 10 << 10);
	tidy_bytes(45 << 10, 0);
	ck_assert_int_eq(op_queue(op.producer, "io")->dead, 4);
	op_close();
}
END_TEST

/* More than one look weighs, of which the last ones are too many. */
START_TEST(thousands_are_weighed_in_steps)
{
	op_open(_i);
	bury_many(1, 10);
	fill_dead(2100);
	/* Each has 5 bytes, and on Redis its name of up to 4; the one that was
	 * there before has some more, and may be among those that stay. */
	tidy_bytes(2101 * 9 + 30, 0);
	tidy_bytes_about(9026, op.stage.kind == KIND_REDIS ? 1099 : 296, 8);
	op_close();
}
END_TEST

START_TEST(one_worker_does_it_and_another_when_that_is_gone)
{
	struct party *other;

	op_open(_i);
	other = party_open(&op.stage, "host:b");
	broker_heartbeat(other->broker, SLICE("{}"));
	bury_many(2, 10);
	TIDY_UNTIL(op.worker, 1, 0, op.worker->beyond == 1);
	bury_many(2, 10);
	tidy(other, 1, 0);
	stage_linger(&op.stage, 100);
	ck_assert_int_eq(other->beyond, 0);
	ck_assert_int_eq(op_queue(op.producer, "io")->dead, 2);
	/* It says nothing any more. */
	op_silence("host:a");
	if (op.stage.kind == KIND_REDIS)
		redis_server_run(op.stage.server,
				 "DEL flowrra:keeper:flowrra:queue");
	TIDY_UNTIL(other, 1, 0, other->beyond == 1);
	party_close(other);
	op_close();
}
END_TEST

/* --- queues that nobody uses --------------------------------------------- */

static void
put_into(const char *queue)
{
	struct broker_submit task = {
	    .queue = queue, .id = slice_of(queue), .bytes = SLICE("[1]")};

	ck_assert_int_eq(party_submit_with(op.producer, &task), ERR_NONE);
}

static void
empty(const char *queue)
{
	op_forget();
	broker_purge(op.producer->broker, slice_of(queue), 10, op_on_page,
		     NULL);
	op_wait_told();
	ck_assert_uint_eq(op.told.n, 1);
}

static bool
is_listed(const char *queue)
{
	size_t n = op_queues(op.producer), i;

	for (i = 0; i < n; i++)
		if (strcmp(op.told.queues[i].name, queue) == 0)
			return true;
	return false;
}

/* As often as a worker would in a week. */
static void
tidy_idle(int64_t idle_ms, int times)
{
	const struct broker_limits limits = {.idle_ms = idle_ms};

	for (; times > 0; times--) {
		broker_tidy(op.worker->broker, &limits);
		stage_linger(&op.stage, 30);
	}
}

START_TEST(a_queue_that_nobody_uses_is_forgotten)
{
	op_open(_i);
	put_into("gone");
	put_into("full");
	put_into("paused");
	empty("gone");
	empty("paused");
	op_pause(op.producer, "paused", true);
	put_into("zlast");
	/* For an hour it is remembered. */
	tidy_idle(HOUR_MS, 3);
	ck_assert(is_listed("gone"));
	tidy_idle(1, 5);
	ck_assert(!is_listed("gone"));
	ck_assert(is_listed("full") && is_listed("paused"));
	op_close();
}
END_TEST

START_TEST(a_queue_that_was_forgotten_can_be_used_again)
{
	struct party *other;

	op_open(_i);
	put_into("again");
	put_into("zlast");
	empty("again");
	tidy_idle(1, 5);
	ck_assert(!is_listed("again"));
	/* Who comes later names it; its tasks are there. */
	other = op.producer;
	op.producer = party_open(&op.stage, NULL);
	party_close(other);
	put_into("again");
	ck_assert(is_listed("again"));
	ck_assert_int_eq(op_queue(op.producer, "again")->waiting, 1);
	tidy_idle(1, 3);
	ck_assert(is_listed("again"));
	op_close();
}
END_TEST

/* It may have tasks in flight there, and is looked for in what is named. */
START_TEST(no_queue_is_forgotten_while_a_worker_is_missing)
{
	op_open(KIND_REDIS);
	put_into("gone");
	empty("gone");
	redis_server_run(op.stage.server, "ZADD flowrra:workers 1 host:b");
	/* In flight in a queue that nobody else has: it stays listed. */
	redis_server_run(op.stage.server,
			 "LPUSH {flowrra:queue:io}:inflight:host:b [1]");
	tidy_idle(1, 5);
	ck_assert(is_listed("gone"));
	op_close();
}
END_TEST

START_TEST(keys_of_unique_tasks_go_when_they_have_run_out)
{
	struct broker_submit task = {.queue = "io",
				     .id = SLICE("1"),
				     .bytes = SLICE("[1]"),
				     .unique = SLICE("k"),
				     .unique_s = 60};

	op_open(KIND_SQLITE);
	ck_assert_int_eq(party_submit_with(op.producer, &task), ERR_NONE);
	ck_assert_int_eq(stage_sql(&op.stage, "SELECT count(*) FROM uniques"),
			 1);
	tidy_idle(HOUR_MS, 2);
	ck_assert_int_eq(stage_sql(&op.stage, "SELECT count(*) FROM uniques"),
			 1);
	/* More than go at a time: all the same, in one round. */
	stage_sql(&op.stage,
		  "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
		  "FROM c WHERE i < 350) INSERT INTO uniques "
		  "(queue, key, id, expires) SELECT 1, i, i, 1 FROM c");
	stage_sql(&op.stage, "UPDATE uniques SET expires = 1");
	tidy_idle(HOUR_MS, 2);
	ck_assert_int_eq(stage_sql(&op.stage, "SELECT count(*) FROM uniques"),
			 0);
	op_close();
}
END_TEST

/* A heartbeat removes 500; a round goes on until there are none. */
START_TEST(records_go_when_they_have_run_out)
{
	op_open(KIND_SQLITE);
	stage_sql(&op.stage,
		  "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
		  "FROM c WHERE i < 5000) INSERT INTO results "
		  "(number, id, record, final, expires, early) "
		  "SELECT i + (1 << 45 << i % 2), 'r' || i, '{}', 1, "
		  "iif(i = 7, NULL, 1), iif(i % 3, 1, NULL) FROM c");
	tidy_idle(HOUR_MS, 1);
	UNTIL(&op.stage,
	      stage_sql(&op.stage, "SELECT count(*) FROM results") == 1);
	op_close();
}
END_TEST

/* Nobody can trim what is not a list; the other queues have their turn. */
START_TEST(a_queue_with_a_key_of_a_wrong_type_holds_up_no_other)
{
	int i;

	op_open(KIND_REDIS);
	for (i = 0; i < 50; i++) {
		redis_server_run(op.stage.server, "SADD flowrra:queues x%d", i);
		redis_server_run(op.stage.server,
				 "SET {flowrra:queue:x%d}:dead 1", i);
	}
	bury_many(2, 10);
	TIDY_UNTIL(op.worker, 1, 0, op.worker->beyond == 1);
	op_close();
}
END_TEST

#define CASES(kind)                                                            \
	X(the_oldest_beyond_the_limit_are_deleted, kind)                       \
	X(what_died_too_long_ago_is_deleted, kind)                             \
	X(without_limits_nothing_is_deleted, kind)                             \
	X(thousands_go_in_steps, kind)                                         \
	X(large_ones_go_in_smaller_steps, kind)                                \
	X(the_oldest_beyond_the_limit_of_bytes_are_deleted, kind)              \
	X(bytes_of_what_left_the_dead_list_do_not_count, kind)                 \
	X(thousands_are_weighed_in_steps, kind)                                \
	X(one_worker_does_it_and_another_when_that_is_gone, kind)              \
	X(a_queue_that_nobody_uses_is_forgotten, kind)                         \
	X(a_queue_that_was_forgotten_can_be_used_again, kind)

static void
fill_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
	TEST(a_queue_with_a_key_of_a_wrong_type_holds_up_no_other);
	TEST(no_queue_is_forgotten_while_a_worker_is_missing);
}

static void
fill_sqlite(TCase *suite_case_)
{
	CASES(KIND_SQLITE)
	TEST(keys_of_unique_tasks_go_when_they_have_run_out);
	TEST(records_go_when_they_have_run_out);
}

__attribute__((constructor)) static void
register_suites(void)
{
	suite_register("tidy-redis", fill_redis);
	suite_register("tidy-sqlite", fill_sqlite);
}
