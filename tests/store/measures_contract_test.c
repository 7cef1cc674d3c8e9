/* SPDX-License-Identifier: MIT */
/* What measures.h promises, of every implementation. `_i` is the kind. */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/measures.h"
#include "store/stage.h"
#include "suite.h"

/* Some minute of 2026, which begins an hour. */
#define HOUR (INT64_C(1773500400))

static struct stage w;

/* The answer to one question. */
struct measured {
	bool answered, failed;
	size_t n;
	struct {
		char queue[132], task[204];
		unsigned int what;
		int64_t n;
	} all[5000];
};
static struct measured got;

static void
on_measured(const struct err *err, void *arg)
{
	unsigned int *answers = arg;

	ck_assert_msg(err == NULL, "%s", err != NULL ? err->msg : "");
	++*answers;
}

/* Adds them, and waits until that is confirmed. */
static void
add(struct backend *r, int64_t at_s, const struct measure *measures, size_t n)
{
	unsigned int answers = 0;

	results_measure(r->results, at_s, measures, n, on_measured, &answers);
	UNTIL(&w, answers == 1);
}

static void
add_one(struct backend *r, int64_t at_s, const char *queue, const char *task,
	unsigned int what, int64_t n)
{
	const struct measure m = {
	    .queue = slice_of(queue), .task = slice_of(task), what, n};

	add(r, at_s, &m, 1);
}

static void
on_measures(const struct measure *measures, size_t n, const struct err *err,
	    void *arg)
{
	struct measured *m = arg;
	size_t i;

	m->answered = true;
	m->failed = err != NULL;
	m->n = n;
	for (i = 0; i < n; i++) {
		snprintf(m->all[i].queue, sizeof(m->all[i].queue), "%.*s",
			 (int)measures[i].queue.len, measures[i].queue.p);
		snprintf(m->all[i].task, sizeof(m->all[i].task), "%.*s",
			 (int)measures[i].task.len, measures[i].task.p);
		m->all[i].what = measures[i].what;
		m->all[i].n = measures[i].n;
	}
}

static void
ask(struct backend *r, enum measure_step step, int64_t at_s)
{
	memset(&got, 0, sizeof(got));
	results_measures(r->results, step, at_s, on_measures, &got);
	UNTIL(&w, got.answered);
}

/* The number of the last answer; 0 if it is not in it. */
static int64_t
number(const char *queue, const char *task, unsigned int what)
{
	size_t i;

	for (i = 0; i < got.n; i++)
		if (strcmp(got.all[i].queue, queue) == 0 &&
		    strcmp(got.all[i].task, task) == 0 &&
		    got.all[i].what == what)
			return got.all[i].n;
	return 0;
}

static int64_t
sum_of(unsigned int what)
{
	int64_t sum = 0;
	size_t i;

	for (i = 0; i < got.n; i++)
		if (got.all[i].what == what)
			sum += got.all[i].n;
	return sum;
}

/* SQLite: what only reads makes no database. */
static struct backend *
begin(int kind)
{
	struct backend *r;

	stage_open(&w, kind);
	r = backend_open(&w);
	backend_put(&w, r, "1",
		    "{\"task_id\":\"1\",\"status\":\"success\","
		    "\"task_name\":\"t\"}",
		    true, 60);
	return r;
}

static void
end(struct backend *r)
{
	backend_close(r);
	stage_close(&w);
}

START_TEST(counts_of_a_minute_add_up)
{
	struct backend *r = begin(_i);

	add_one(r, HOUR, "io", "t", MEASURE_SUCCEEDED, 3);
	add_one(r, HOUR + 59, "io", "t", MEASURE_SUCCEEDED, 4);
	add_one(r, HOUR + 60, "io", "t", MEASURE_SUCCEEDED, 100);
	add_one(r, HOUR + 1, "io", "u", MEASURE_RUN + 7, 5);
	add_one(r, HOUR + 1, "cpu", "t", MEASURE_WAIT_US, INT64_C(1) << 40);
	ask(r, MEASURE_MINUTE, HOUR + 30);
	ck_assert_uint_eq(got.n, 3);
	ck_assert_int_eq(number("io", "t", MEASURE_SUCCEEDED), 7);
	ck_assert_int_eq(number("io", "u", MEASURE_RUN + 7), 5);
	ck_assert_int_eq(number("cpu", "t", MEASURE_WAIT_US), INT64_C(1) << 40);
	end(r);
}
END_TEST

START_TEST(a_minute_without_tasks_is_empty)
{
	struct backend *r = begin(_i);

	ask(r, MEASURE_MINUTE, HOUR);
	ck_assert(!got.failed);
	ck_assert_uint_eq(got.n, 0);
	ask(r, MEASURE_TOTAL, HOUR);
	ck_assert_uint_eq(got.n, 0);
	end(r);
}
END_TEST

/* Two workers, whose batches meet, and minutes that come late. */
START_TEST(an_hour_has_each_count_of_its_minutes_exactly_once)
{
	struct backend *r = begin(_i), *other = backend_open(&w);
	const struct measure m = {SLICE("io"), SLICE("t"), MEASURE_FAILED, 1};
	unsigned int answers = 0;
	int64_t minutes = 0;
	int i;

	for (i = 0; i < 60; i++) {
		results_measure(r->results, HOUR + 60 * i, &m, 1, on_measured,
				&answers);
		results_measure(other->results, HOUR + 60 * (59 - i), &m, 1,
				on_measured, &answers);
	}
	results_measure(r->results, HOUR + 3600, &m, 1, on_measured, &answers);
	UNTIL(&w, answers == 121);
	/* Of a worker that was stopped while the hour ended. */
	add_one(r, HOUR + 5, "io", "t", MEASURE_FAILED, 1);
	for (i = 0; i < 60; i++) {
		ask(r, MEASURE_MINUTE, HOUR + 60 * i);
		minutes += number("io", "t", MEASURE_FAILED);
	}
	ck_assert_int_eq(minutes, 121);
	ask(r, MEASURE_HOUR, HOUR + 1800);
	ck_assert_int_eq(number("io", "t", MEASURE_FAILED), 121);
	ask(r, MEASURE_TOTAL, 0);
	ck_assert_int_eq(number("io", "t", MEASURE_FAILED), 122);
	backend_close(other);
	end(r);
}
END_TEST

/* 1969, 2200, and back: what was counted is where the clock then was. */
START_TEST(a_clock_that_steps_loses_no_counts)
{
	static const int64_t times[] = {HOUR, -61, INT64_C(7258118400),
					HOUR + 60};
	struct backend *r = begin(_i);
	size_t i;

	for (i = 0; i < 4; i++)
		add_one(r, times[i], "io", "t", MEASURE_SUCCEEDED,
			(int64_t)i + 1);
	for (i = 0; i < 4; i++) {
		/* 1969 was too old as soon as it was written, where the store
		 * goes by these times. */
		if (times[i] < 0)
			continue;
		ask(r, MEASURE_MINUTE, times[i]);
		ck_assert_int_eq(number("io", "t", MEASURE_SUCCEEDED),
				 _i == KIND_SQLITE && i == 0
				     ? 0 /* 2200 has removed it */
				     : (int64_t)i + 1);
	}
	ask(r, MEASURE_TOTAL, 0);
	ck_assert_int_eq(number("io", "t", MEASURE_SUCCEEDED), 10);
	end(r);
}
END_TEST

/* Names without end: nothing is lost, and what is kept has a limit. */
START_TEST(what_there_is_no_room_for_counts_for_others)
{
	static char names[MEASURE_BATCH_MAX][16];
	static struct measure batch[MEASURE_BATCH_MAX];
	struct backend *r = begin(_i);
	unsigned int round, i;

	for (round = 0; round < 6; round++) {
		for (i = 0; i < MEASURE_BATCH_MAX; i++) {
			snprintf(names[i], sizeof(names[i]), "t%u.%u", round,
				 i);
			batch[i] =
			    (struct measure){SLICE("io"), slice_of(names[i]),
					     MEASURE_SUCCEEDED, 2};
		}
		add(r, HOUR, batch, MEASURE_BATCH_MAX);
	}
	ask(r, MEASURE_MINUTE, HOUR);
	ck_assert_uint_le(got.n, MEASURE_FIELDS_MAX + 1);
	ck_assert_uint_gt(got.n, MEASURE_FIELDS_MAX - 2);
	ck_assert_int_eq(sum_of(MEASURE_SUCCEEDED), 12000);
	ck_assert_int_gt(number("io", MEASURE_OTHER, MEASURE_SUCCEEDED), 2000);
	/* What has its place goes on. */
	add_one(r, HOUR, "io", "t0.0", MEASURE_SUCCEEDED, 5);
	ask(r, MEASURE_MINUTE, HOUR);
	ck_assert_int_eq(number("io", "t0.0", MEASURE_SUCCEEDED), 7);
	end(r);
}
END_TEST

/* --- of one store ------------------------------------------------------- */

/* The longest life that is left of a key, in seconds. */
static int64_t
ttl_of(const char *key)
{
	redisReply *reply = redis_server_command(w.server, "TTL %s", key);
	const int64_t ttl = reply->integer;

	freeReplyObject(reply);
	return ttl;
}

START_TEST(a_minute_lives_three_days_and_an_hour_ninety)
{
	struct backend *r = begin(KIND_REDIS);
	char key[64];

	add_one(r, HOUR + 60, "io", "t", MEASURE_SUCCEEDED, 1);
	snprintf(key, sizeof(key), "flowrra:measure:%" PRId64, HOUR + 60);
	ck_assert_int_gt(ttl_of(key), MEASURE_MINUTES_S - 60);
	ck_assert_int_le(ttl_of(key), MEASURE_MINUTES_S);
	snprintf(key, sizeof(key), "flowrra:measure:hour:%" PRId64, HOUR);
	ck_assert_int_gt(ttl_of(key), MEASURE_HOURS_S - 60);
	ck_assert_int_gt(ttl_of("flowrra:measure:total"), MEASURE_HOURS_S - 60);
	end(r);
}
END_TEST

/* Fields of another program, or a later version, are not numbers of ours. */
START_TEST(what_is_no_measure_is_not_shown)
{
	struct backend *r = begin(KIND_REDIS);

	redis_server_run(w.server,
			 "HSET flowrra:measure:total x 1 0:io: 1 0::t 1 "
			 "9:io:t 1 0:io:t 7 0:i,o:t 1 99999999999:io:t 1 "
			 "1:io:t -5 2:io:t many");
	ask(r, MEASURE_TOTAL, 0);
	ck_assert_uint_eq(got.n, 1);
	ck_assert_int_eq(number("io", "t", MEASURE_SUCCEEDED), 7);
	end(r);
}
END_TEST

/* What workers tell of a server that is full helps to find out why. */
START_TEST(a_full_server_counts_on)
{
	struct backend *r = begin(KIND_REDIS);

	redis_server_run(w.server, "CONFIG SET maxmemory 1");
	add_one(r, HOUR, "io", "t", MEASURE_SUCCEEDED, 2);
	redis_server_run(w.server, "SCRIPT FLUSH");
	add_one(r, HOUR, "io", "t", MEASURE_SUCCEEDED, 3);
	ask(r, MEASURE_MINUTE, HOUR);
	ck_assert_int_eq(number("io", "t", MEASURE_SUCCEEDED), 5);
	end(r);
}
END_TEST

START_TEST(what_is_too_old_is_removed_from_the_file)
{
	struct backend *r = begin(KIND_SQLITE);

	add_one(r, HOUR, "io", "t", MEASURE_SUCCEEDED, 1);
	add_one(r, HOUR + MEASURE_MINUTES_S, "io", "t", MEASURE_SUCCEEDED, 1);
	ask(r, MEASURE_MINUTE, HOUR);
	ck_assert_uint_eq(got.n, 1);
	add_one(r, HOUR + MEASURE_MINUTES_S + 60, "io", "t", MEASURE_SUCCEEDED,
		1);
	ask(r, MEASURE_MINUTE, HOUR);
	ck_assert_uint_eq(got.n, 0);
	ask(r, MEASURE_HOUR, HOUR);
	ck_assert_uint_eq(got.n, 1);
	ask(r, MEASURE_TOTAL, HOUR);
	ck_assert_int_eq(number("io", "t", MEASURE_SUCCEEDED), 3);
	end(r);
}
END_TEST

#define CASES(kind)                                                            \
	TEST_LOOP(counts_of_a_minute_add_up, kind, (kind) + 1);                \
	TEST_LOOP(a_minute_without_tasks_is_empty, kind, (kind) + 1);          \
	TEST_LOOP(an_hour_has_each_count_of_its_minutes_exactly_once, kind,    \
		  (kind) + 1);                                                 \
	TEST_LOOP(a_clock_that_steps_loses_no_counts, kind, (kind) + 1);       \
	TEST_LOOP(what_there_is_no_room_for_counts_for_others, kind,           \
		  (kind) + 1);

static void
fill_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
	TEST(a_minute_lives_three_days_and_an_hour_ninety);
	TEST(what_is_no_measure_is_not_shown);
	TEST(a_full_server_counts_on);
}

static void
fill_cluster(TCase *suite_case_)
{
	SUITE_TIMEOUT(60);
	tcase_add_checked_fixture(suite_case_, stage_use_cluster, NULL);
	CASES(KIND_REDIS)
}

static void
fill_sqlite(TCase *suite_case_)
{
	CASES(KIND_SQLITE)
	TEST(what_is_too_old_is_removed_from_the_file);
}

__attribute__((constructor)) static void
register_suites(void)
{
	suite_register("measures-redis", fill_redis);
	suite_register("measures-sqlite", fill_sqlite);
	suite_register("measures-cluster", fill_cluster);
}
