/* SPDX-License-Identifier: MIT */
/* How producers submit to Redis: names of queues, first tasks, batches. */
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

static struct stage w;

START_TEST(a_producer_names_its_queue_once_a_connection)
{
	struct party *producer;
	int i;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	for (i = 0; i < 10; i++)
		party_submit(producer, "1", "[1]", i % 2, 0);
	ck_assert_int_eq(stage_calls(&w, "sadd"), 1);
	/* The server may be another. */
	redis_server_run(w.server, "FLUSHALL");
	redis_server_run(w.server, "CLIENT KILL TYPE normal");
	UNTIL(&w, producer->ups == 2);
	party_submit(producer, "1", "[1]", 0, 0);
	ck_assert_int_eq(stage_number(&w, "SISMEMBER flowrra:queues io"), 1);
	party_close(producer);
	stage_close(&w);
}
END_TEST

static const struct broker_submit recorded = {.queue = "io",
					      .id = SLICE("a"),
					      .bytes = SLICE("[1]"),
					      .record = SLICE("{}")};

START_TEST(the_first_task_of_a_connection_comes_with_its_record_in_one_step)
{
	struct broker_submit task = recorded;
	struct party *producer;
	int i;

	stage_open(&w, KIND_REDIS);
	w.options.with_results = true;
	producer = party_open(&w, NULL);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(party_submit_with(producer, &task), ERR_NONE);
		ck_assert_int_eq(stage_number(&w, "LLEN flowrra:queue:io"),
				 i + 1);
		ck_assert_int_eq(stage_number(&w, "EXISTS flowrra:task:a"), 1);
	}
	/* What that has shown is good for the rest of the connection. */
	ck_assert_int_eq(stage_calls(&w, "evalsha"), 1);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* A script copies what it is given, and nobody else is served meanwhile. */
START_TEST(a_first_task_that_is_large_goes_without_a_script)
{
	static char large[300000];
	struct broker_submit task = recorded;
	struct party *producer;

	stage_open(&w, KIND_REDIS);
	w.options.with_results = true;
	producer = party_open(&w, NULL);
	memset(large, 'x', sizeof(large));
	task.bytes = (struct slice){large, sizeof(large)};
	ck_assert_int_eq(party_submit_with(producer, &task), ERR_NONE);
	ck_assert_int_eq(stage_number(&w, "LLEN flowrra:queue:io"), 1);
	ck_assert_int_eq(stage_number(&w, "EXISTS flowrra:task:a"), 1);
	ck_assert(!stage_has(&w, "INFO commandstats", "cmdstat_evalsha:"));
	party_close(producer);
	stage_close(&w);
}
END_TEST

static void
on_batch(struct broker_submit *tasks, size_t n, void *arg)
{
	bool *done = arg;
	size_t i;

	for (i = 0; i < n; i++)
		ck_assert_int_eq(tasks[i].err.code, ERR_NONE);
	*done = true;
}

/* Queued as they are, and as delayed ones. */
START_TEST(a_batch_of_any_size_holds_the_server_for_moments)
{
	enum { N_TASKS = 60, SIZE = 100000 };
	static char texts[N_TASKS][SIZE];
	static struct broker_submit tasks[N_TASKS];
	struct party *producer;
	bool done = false;
	size_t i;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	for (i = 0; i < N_TASKS; i++) {
		memset(texts[i], 'a' + (int)i % 26, SIZE);
		texts[i][0] = (char)('0' + i / 26);
		tasks[i] = (struct broker_submit){.queue = "io",
						  .id = SLICE("x"),
						  .bytes = {texts[i], SIZE},
						  .delay_ms = _i * 3600000};
	}
	broker_submit(producer->broker, tasks, N_TASKS, on_batch, &done);
	UNTIL(&w, done);
	/* 2 MiB at once, or 256 KiB through a script. */
	ck_assert_int_eq(stage_calls(&w, _i ? "evalsha" : "lpush"),
			 _i ? 30 : 3);
	ck_assert_int_eq(
	    stage_number(&w, _i ? "ZCARD {flowrra:queue:io}:delayed"
				: "LLEN flowrra:queue:io"),
	    N_TASKS);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* On a new connection, for which the server was changed. */
static enum err_code
submit_first(const char *change, struct broker_submit *task)
{
	struct party *producer;
	enum err_code code;

	redis_server_run(w.server, "FLUSHALL");
	producer = party_open(&w, NULL);
	redis_server_run(w.server, change);
	code = party_submit_with(producer, task);
	party_close(producer);
	return code;
}

/* What is changed before the submission and put right behind it. */
static const struct {
	const char *before, *after;
	enum err_code code;
	int queued;
} refusals[] = {
    {"ACL SETUSER default -mset -set", "ACL SETUSER default +@all", ERR_REFUSED,
     0},
    {"ACL SETUSER default -lpush", "ACL SETUSER default +@all", ERR_REFUSED, 0},
    {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", ERR_UNAVAILABLE, 0},
    {"SET flowrra:queue:io x", "DEL flowrra:queue:io", ERR_INTERNAL, 0},
    /* These have another way. */
    {"ACL SETUSER default -mset", "ACL SETUSER default +@all", ERR_NONE, 1},
    {"ACL SETUSER default -llen", "ACL SETUSER default +@all", ERR_NONE, 1},
    {"ACL SETUSER default -evalsha", "ACL SETUSER default +@all", ERR_NONE, 1},
    {"ACL SETUSER default -script", "ACL SETUSER default +@all", ERR_NONE, 1}};

START_TEST(a_first_task_whose_record_is_refused_is_not_queued)
{
	struct broker_submit task = recorded;
	enum err_code code;
	size_t i;

	stage_open(&w, KIND_REDIS);
	w.options.with_results = true;
	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		redis_server_run(w.server, "SCRIPT FLUSH");
		code = submit_first(refusals[i].before, &task);
		redis_server_run(w.server, refusals[i].after);
		ck_assert_msg(code == refusals[i].code, "%s: %d (%s)",
			      refusals[i].before, code, task.err.msg);
		ck_assert_int_eq(stage_number(&w, "LLEN flowrra:queue:io"),
				 refusals[i].queued);
		if (refusals[i].queued)
			ck_assert_int_eq(
			    stage_number(&w, "EXISTS flowrra:task:a"), 1);
	}
	stage_close(&w);
}
END_TEST

static struct {
	size_t refused;
	bool done;
} answers;

static void
on_answers(struct broker_submit *tasks, size_t n, void *arg)
{
	size_t i;

	for (i = 0; i < n; i++)
		answers.refused += tasks[i].err.code != ERR_NONE;
	answers.done = true;
}

/* As many as a row says, in so many MSETs; or one by one, where MSET is refused. */
static const struct {
	size_t n, size;
	const char *before;
	int msets, sets;
	size_t refused;
} records[] = {
    {60, 100000, NULL, 3, 0, 0},
    {2500, 10, NULL, 3, 0, 0},
    {60, 100000, "ACL SETUSER default -mset", 0, 60, 0},
    {60, 100000, "ACL SETUSER default -mset -set", 0, 0, 60},
};

START_TEST(the_records_of_a_batch_hold_the_server_for_moments)
{
	const size_t n = records[_i].n, size = records[_i].size;
	struct broker_submit *tasks = calloc(n, sizeof(*tasks));
	char(*ids)[24] = calloc(n, sizeof(*ids)), *text = malloc(size);
	struct party *producer;
	size_t i;

	stage_open(&w, KIND_REDIS);
	w.options.with_results = true;
	producer = party_open(&w, NULL);
	memset(text, 'x', size);
	for (i = 0; i < n; i++) {
		snprintf(ids[i], sizeof(ids[i]), "t%zu", i);
		tasks[i] = (struct broker_submit){.queue = "io",
						  .id = slice_of(ids[i]),
						  .bytes = SLICE("[]"),
						  .record = {text, size}};
	}
	if (records[_i].before != NULL)
		redis_server_run(w.server, records[_i].before);
	broker_submit(producer->broker, tasks, n, on_answers, NULL);
	UNTIL(&w, answers.done);
	redis_server_run(w.server, "ACL SETUSER default +@all");
	ck_assert_uint_eq(answers.refused, records[_i].refused);
	ck_assert_int_eq(stage_calls(&w, "mset"), records[_i].msets);
	ck_assert_int_eq(stage_calls(&w, "set"), records[_i].sets);
	ck_assert_int_eq(stage_number(&w, "LLEN flowrra:queue:io"),
			 (int)(n - records[_i].refused));
	free(text);
	free(ids);
	free(tasks);
	party_close(producer);
	stage_close(&w);
}
END_TEST

static void
on_looked_submitted(struct broker_submit *tasks, size_t n, void *arg)
{
	*(bool *)arg = true;
}

START_TEST(a_submission_by_itself_leaves_before_the_loop_turns)
{
	struct broker_submit task = recorded;
	const int64_t deadline = stage_deadline();
	struct party *producer;
	bool answered = false;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	ck_assert(broker_look(producer->broker));
	broker_submit(producer->broker, &task, 1, on_looked_submitted,
		      &answered);
	broker_push(producer->broker);
	while (stage_number(&w, "LLEN flowrra:queue:io") == 0)
		ck_assert_int_lt(clock_mono_ms(), deadline);
	ck_assert(!answered);
	UNTIL(&w, answered);
	ck_assert_int_eq(task.err.code, ERR_NONE);
	/* The loop does not send it once more. */
	ck_assert_int_eq(stage_number(&w, "LLEN flowrra:queue:io"), 1);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(a_look_finds_out_that_the_server_has_gone)
{
	const int64_t deadline = stage_deadline();
	struct party *producer;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	redis_server_kill(w.server);
	while (broker_look(producer->broker))
		ck_assert_int_lt(clock_mono_ms(), deadline);
	ck_assert(!broker_is_up(producer->broker));
	redis_server_restart(w.server);
	UNTIL(&w, producer->ups == 2);
	ck_assert(broker_look(producer->broker));
	party_close(producer);
	stage_close(&w);
}
END_TEST

SUITE("broker_redis-submit")
{
	TEST(a_submission_by_itself_leaves_before_the_loop_turns);
	TEST(a_look_finds_out_that_the_server_has_gone);
	TEST(a_producer_names_its_queue_once_a_connection);
	TEST(the_first_task_of_a_connection_comes_with_its_record_in_one_step);
	TEST(a_first_task_whose_record_is_refused_is_not_queued);
	TEST(a_first_task_that_is_large_goes_without_a_script);
	TEST_LOOP(a_batch_of_any_size_holds_the_server_for_moments, 0, 2);
	TEST_LOOP(the_records_of_a_batch_hold_the_server_for_moments, 0,
		  (int)(sizeof(records) / sizeof(records[0])));
}
