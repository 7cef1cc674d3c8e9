/* SPDX-License-Identifier: MIT */
/* The contract of recalling, on each broker: tasks that were put back since no
 * worker had their name are due when one comes that has it. Their delays here are
 * minutes; no test waits as long. */
#include <stdio.h>
#include <string.h>

#include "store/admin.h"
#include "store/stage.h"
#include "suite.h"

/* Just short of the longest of such a delay. */
#define DELAY_MS (BROKER_ASIDE_MAX_MS - 10000)
#define PUT_BACK(name) "{\"id\":\"1\",\"name\":\"" name "\",\"unknown\":1}"
#define N_MANY 1301 /* more than one step looks at */

static struct stage w;
static struct party *producer, *can, *cannot;

static void
begin(int kind)
{
	stage_open(&w, kind);
	producer = party_open(&w, NULL);
	can = party_open(&w, "host:a");
	cannot = party_open(&w, "host:b");
}

static void
end(void)
{
	if (can != NULL)
		party_close(can);
	party_close(cannot);
	party_close(producer);
	stage_close(&w);
}

/* Has a worker say what it can run: one name, or none. */
static void
serve(struct party *worker, const char *name)
{
	const struct slice names[] = {slice_of(name != NULL ? name : "")};
	const struct slice texts[] = {SLICE("{}")};

	broker_register(worker->broker, names, texts, name != NULL);
	broker_heartbeat(worker->broker, SLICE("{}"));
}

static const char *
served(const char *name)
{
	const struct broker_served question = {.queue = SLICE("io"),
					       .name = slice_of(name)};

	producer->answered = false;
	broker_served(producer->broker, &question, party_on_value, producer);
	UNTIL(&w, producer->answered);
	return producer->value;
}

/* The first name that nobody has, or "". */
static char unknown[256];

static void
on_queue(const struct queue_stats *queues, size_t n, const struct err *err,
	 void *arg)
{
	party_on_queues(queues, n, err, arg);
	snprintf(unknown, sizeof(unknown), "%s",
		 n > 0 && queues[0].unknown.len > 0 ? queues[0].unknown.p : "");
}

static const struct queue_stats *
queue(void)
{
	producer->answered = false;
	broker_queues(producer->broker, SLICE("io"), on_queue, producer);
	UNTIL(&w, producer->answered);
	return &producer->stats;
}

/* The next task is claimed by the worker that cannot run it, and put back as this
 * one. */
static void
put_back(const char *name, const char *bytes, int32_t priority)
{
	const size_t i = cannot->n_claims;
	struct broker_settle s = {.disposition = BROKER_SET_ASIDE,
				  .lane = slice_of(name),
				  .priority = priority,
				  .retry_bytes = slice_of(bytes),
				  .delay_ms = DELAY_MS};

	party_submit(producer, "1", "[1]", priority, 0);
	broker_want(cannot->broker, 0, 1);
	UNTIL(&w, cannot->n_claims == i + 1);
	party_settle_with(cannot, i, &s);
}

static void
pause_queue(bool pause)
{
	producer->answered = false;
	broker_pause(producer->broker, SLICE("io"), pause, party_on_value,
		     producer);
	UNTIL(&w, producer->answered);
}

/* Until a name that `can` has given up, or has not told of for long, is nobody's;
 * the other worker lives. */
static void
wait_until_unknown(const char *name)
{
	int i;

	for (i = 0; strcmp(served(name), "unknown") != 0; i++) {
		ck_assert_int_lt(i, 40);
		serve(cannot, NULL);
		stage_linger(&w, 500);
	}
}

START_TEST(a_worker_that_comes_has_at_once_what_was_put_back_for_it)
{
	begin(_i);
	serve(cannot, NULL);
	put_back("n", PUT_BACK("n"), 0);
	ck_assert_int_eq(queue()->delayed, 1);
	ck_assert_str_eq(unknown, "n");
	broker_want(can->broker, 0, 1);
	serve(can, "n");
	UNTIL(&w, can->n_claims == 1);
	ck_assert(party_has(can, 0, PUT_BACK("n")));
	party_settle(can, 0, BROKER_ACK);
	ck_assert_int_eq(queue()->delayed, 0);
	ck_assert_int_eq(queue()->waiting, 0);
	/* It is forgotten, not only served for now. */
	serve(can, NULL);
	wait_until_unknown("n");
	queue();
	ck_assert_str_eq(unknown, "");
	end();
}
END_TEST

/* As when it was stopped, and goes on. */
START_TEST(a_worker_that_was_taken_for_dead_has_at_once_what_was_put_back)
{
	begin(_i);
	serve(can, "n");
	wait_until_unknown("n");
	put_back("n", PUT_BACK("n"), 0);
	ck_assert_int_eq(queue()->delayed, 1);
	broker_want(can->broker, 0, 1);
	broker_heartbeat(can->broker, SLICE("{}"));
	UNTIL(&w, can->n_claims == 1);
	ck_assert(party_has(can, 0, PUT_BACK("n")));
	end();
}
END_TEST

START_TEST(what_is_recalled_keeps_its_priority)
{
	static const struct {
		const char *bytes;
		int32_t priority;
	} tasks[] = {
	    {"{\"id\":\"1\",\"name\":\"n\",\"priority\":5,\"unknown\":1}", 5},
	    {"{\"id\":\"2\",\"name\":\"n\",\"priority\":0,\"unknown\":7}", 0},
	    {"{\"id\":\"3\",\"name\":\"n\",\"priority\":-3,\"unknown\":1}",
	     -3}};
	size_t i;

	begin(_i);
	serve(cannot, NULL);
	for (i = 0; i < 3; i++)
		put_back("n", tasks[i].bytes, tasks[i].priority);
	pause_queue(true);
	broker_want(can->broker, 0, 3);
	serve(can, "n");
	UNTIL(&w, queue()->waiting == 3);
	pause_queue(false);
	UNTIL(&w, can->n_claims == 3);
	for (i = 0; i < 3; i++)
		ck_assert_msg(party_has(can, i, tasks[2 - i].bytes), "%zu", i);
	end();
}
END_TEST

START_TEST(what_is_delayed_for_another_reason_stays)
{
	begin(_i);
	serve(cannot, NULL);
	put_back("n", PUT_BACK("n"), 0);
	put_back("m", PUT_BACK("m"), 0);
	/* A delay that was asked for; a task that says nothing of a name; and one
	 * that was tried since. */
	party_submit(producer, "2", "{\"id\":\"2\",\"name\":\"n\"}", 0,
		     DELAY_MS);
	party_submit(producer, "3", "[\"unknown\",\"n\"]", 0, DELAY_MS);
	party_submit(producer, "4",
		     "{\"id\":\"4\",\"name\":\"n\",\"unknown\":0}", 0,
		     DELAY_MS);
	broker_want(can->broker, 0, 9);
	serve(can, "n");
	/* All of them were looked at in one step. */
	UNTIL(&w, can->n_claims == 1);
	ck_assert_int_eq(queue()->delayed, 4);
	ck_assert_int_eq(queue()->waiting, 0);
	ck_assert_str_eq(unknown, "m");
	end();
}
END_TEST

/* Among others, all due at the same time; each third one was put back. */
static void
submit_many(void)
{
	static struct broker_submit tasks[N_MANY];
	static char ids[N_MANY][8], bytes[N_MANY][64];
	static const char *const rest[] = {"n\",\"unknown\":1", "n\"",
					   "m\",\"unknown\":1"};
	size_t i;

	for (i = 0; i < N_MANY; i++) {
		snprintf(ids[i], sizeof(ids[i]), "i%zu", i);
		snprintf(bytes[i], sizeof(bytes[i]),
			 "{\"id\":\"%s\",\"name\":\"%s}", ids[i], rest[i % 3]);
		tasks[i] = (struct broker_submit){.queue = "io",
						  .id = slice_of(ids[i]),
						  .bytes = slice_of(bytes[i]),
						  .delay_ms = DELAY_MS};
	}
	party_submit_batch(producer, tasks, N_MANY);
}

#define N_MEANT ((N_MANY + 2) / 3)

START_TEST(many_are_found_among_many)
{
	begin(_i);
	serve(cannot, NULL);
	put_back("n", PUT_BACK("n"), 0);
	submit_many();
	broker_want(can->broker, 0, N_MANY);
	serve(can, "n");
	UNTIL(&w, can->n_claims == 1 + N_MEANT);
	ck_assert_int_eq(queue()->delayed, N_MANY - N_MEANT);
	ck_assert_int_eq(queue()->waiting, 0);
	end();
}
END_TEST

/* At whatever step: a few turns of its loop. */
START_TEST(what_a_worker_that_dies_has_not_recalled_the_next_one_does)
{
	const int64_t deadline = stage_deadline();
	struct party *next;
	int i;

	begin(_i / 10);
	serve(cannot, NULL);
	put_back("n", PUT_BACK("n"), 0);
	submit_many();
	serve(can, "n");
	for (i = 0; i < 3 * (_i % 10); i++)
		ck_assert(stage_turn(&w, deadline));
	party_close(can);
	can = NULL;
	next = party_open(&w, "host:c");
	broker_want(next->broker, 0, N_MANY);
	serve(next, "n");
	UNTIL(&w, next->n_claims == 1 + N_MEANT);
	ck_assert_int_eq(queue()->delayed, N_MANY - N_MEANT);
	ck_assert_int_eq(queue()->waiting, 0);
	party_close(next);
	end();
}
END_TEST

#define CASES(kind)                                                            \
	X(a_worker_that_comes_has_at_once_what_was_put_back_for_it, kind)      \
	X(a_worker_that_was_taken_for_dead_has_at_once_what_was_put_back,      \
	  kind)                                                                \
	X(what_is_recalled_keeps_its_priority, kind)                           \
	X(what_is_delayed_for_another_reason_stays, kind)                      \
	X(many_are_found_among_many, kind)

#define X(name, kind) TEST_LOOP(name, kind, (kind) + 1);
static void
fill_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
	TEST_LOOP(what_a_worker_that_dies_has_not_recalled_the_next_one_does,
		  KIND_REDIS * 10, KIND_REDIS * 10 + 4);
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
	TEST_LOOP(what_a_worker_that_dies_has_not_recalled_the_next_one_does,
		  KIND_SQLITE * 10, KIND_SQLITE * 10 + 4);
}
#undef X

__attribute__((constructor)) static void
register_suites(void)
{
	suite_register("recall-redis", fill_redis);
	suite_register("recall-sqlite", fill_sqlite);
	suite_register("recall-cluster", fill_cluster);
}
