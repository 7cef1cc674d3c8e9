/* SPDX-License-Identifier: MIT */
/* What operators take out of queues, and find in them, on Redis. */
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/admin.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"

static struct stage w;

/* --- operators --------------------------------------------------------- */

static struct broker_item taken; /* the last */
static struct slice next;
static size_t n_taken;

static void
on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	static char text[64];

	ck_assert_msg(page != NULL, "%s", err != NULL ? err->msg : "");
	n_taken = page->n;
	taken = page->n > 0 ? page->items[page->n - 1]
			    : (struct broker_item){.priority = 0};
	snprintf(text, sizeof(text), "%.*s", (int)page->next.len,
		 page->next.len > 0 ? page->next.p : "");
	next = slice_of(text);
	((struct party *)arg)->answered = true;
}

static bool
withdraw(struct party *p, const char *id)
{
	next = SLICE("");
	do {
		p->answered = false;
		broker_remove(p->broker, SLICE("io"), slice_of(id), next,
			      on_page, p);
		UNTIL(&w, p->answered);
	} while (n_taken == 0 && next.len > 0);
	return n_taken == 1;
}

static void
purge(struct party *p, unsigned int n)
{
	p->answered = false;
	broker_purge(p->broker, SLICE("io"), n, on_page, p);
	UNTIL(&w, p->answered);
}

#define MANY 50000

static void
push_many(struct party *p)
{
	struct broker_submit *tasks = calloc(MANY, sizeof(*tasks));
	char(*bytes)[24] = calloc(MANY, sizeof(*bytes));
	size_t i;

	for (i = 0; i < MANY; i++) {
		snprintf(bytes[i], sizeof(bytes[i]), "{\"id\":\"%zu\"}", i);
		tasks[i] = (struct broker_submit){.queue = "io",
						  .id = SLICE("id"),
						  .bytes = slice_of(bytes[i])};
	}
	party_submit_batch(p, tasks, MANY);
	free(bytes);
	free(tasks);
}

/* It is not taken out there and then: that would take the server long. */
START_TEST(what_is_withdrawn_deep_inside_a_long_queue_never_comes)
{
	struct party *producer, *worker;
	size_t i;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	push_many(producer);
	ck_assert(withdraw(producer, "25000"));
	ck_assert(withdraw(producer, "25002"));
	ck_assert(!withdraw(producer, "25000"));
	ck_assert_int_eq(stage_number(&w, "GET {flowrra:queue:io}:withdrawn"),
			 2);
	/* The count does not show it. */
	producer->answered = false;
	broker_queues(producer->broker, SLICE("io"), party_on_queues, producer);
	UNTIL(&w, producer->answered);
	ck_assert_int_eq(producer->stats.waiting, 49998);
	for (i = 0; i < 24999; i += n_taken)
		purge(producer, i + 500 < 24999 ? 500 : 24999 - (unsigned)i);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 3);
	UNTIL(&w, worker->n_claims == 3);
	ck_assert(party_has(worker, 0, "{\"id\":\"24999\"}"));
	ck_assert(party_has(worker, 1, "{\"id\":\"25001\"}"));
	ck_assert(party_has(worker, 2, "{\"id\":\"25003\"}"));
	ck_assert_int_eq(
	    stage_number(&w, "EXISTS {flowrra:queue:io}:withdrawn"), 0);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* Where one call stops and the next goes on. */
START_TEST(a_search_leaves_nothing_out_between_its_calls)
{
	enum { CALLS = 512 };
	struct party *producer;
	redisReply *reply;
	char ids[CALLS][16];
	int n = 0, i;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	push_many(producer);
	next = SLICE("");
	do {
		producer->answered = false;
		broker_remove(producer->broker, SLICE("io"), SLICE("none"),
			      next, on_page, producer);
		UNTIL(&w, producer->answered);
		if (next.len == 0)
			break;
		reply = redis_server_command(
		    w.server, "LINDEX flowrra:queue:io %s", next.p + 2);
		ck_assert_int_eq(
		    sscanf(reply->str, "{\"id\":\"%15[0-9]", ids[n]), 1);
		freeReplyObject(reply);
	} while (++n < CALLS);
	ck_assert_int_gt(n, 5);
	ck_assert_int_lt(n, CALLS);
	/* The first, and some of the others. */
	for (i = 0; i < n; i += 1 + n / 8)
		ck_assert_msg(withdraw(producer, ids[i]), "%s", ids[i]);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(an_idle_worker_drops_what_stands_for_a_withdrawn_task)
{
	struct party *producer, *worker;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, stage_clients(&w, "cmd=blmove") == 1);
	redis_server_run(w.server, "SET {flowrra:queue:io}:withdrawn 1");
	redis_server_run(w.server, "LPUSH flowrra:queue:io %s",
			 "{\"withdrawn\":true}");
	UNTIL(&w, stage_number(&w, "EXISTS {flowrra:queue:io}:withdrawn") == 0);
	ck_assert_int_eq(
	    stage_number(&w, "LLEN {flowrra:queue:io}:inflight:host:a"), 0);
	ck_assert_uint_eq(worker->n_claims, 0);
	ck_assert_int_eq(stage_dead(&w), 0);
	party_submit(producer, "1", "[1]", 0, 0);
	UNTIL(&w, worker->n_claims == 1);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* An id is that of the task, wherever it stands and however it is written; in an
 * argument it is none. */
START_TEST(one_that_is_large_is_found_by_its_id_alone)
{
	static const struct {
		const char *head, *tail;
	} tasks[] = {
	    {"{\"id\":\"a\",\"args\":[\"", "\"]}"},
	    {"{\"id\":\"b\",\"kwargs\":{\"id\":\"inner\"},\"args\":[\"",
	     "\\/\\u0061\"]}"},
	    {"{\"id\":\"\\u0063\",\"args\":[\"", "\"]}"},
	    {"{\"args\":[\"", "\"],\"id\":\"d\"}"},
	};
	static const char *const ids[] = {"d", "c", "b", "a"};
	struct party *p;
	size_t i;

	stage_open(&w, KIND_REDIS);
	p = party_open(&w, NULL);
	for (i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		redis_server_run(w.server, "EVAL %s 1 flowrra:queue:io %s %s",
				 "redis.call('LPUSH', KEYS[1], ARGV[1] .. "
				 "string.rep('x', 40000) .. ARGV[2])",
				 tasks[i].head, tasks[i].tail);
	ck_assert(!withdraw(p, "inner"));
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		ck_assert_msg(withdraw(p, ids[i]), "%s", ids[i]);
	ck_assert_int_eq(stage_number(&w, "LLEN flowrra:queue:io"), 0);
	party_close(p);
	stage_close(&w);
}
END_TEST

START_TEST(the_oldest_task_is_none_that_was_withdrawn)
{
	struct party *p;

	stage_open(&w, KIND_REDIS);
	p = party_open(&w, NULL);
	party_submit(p, "1", "{\"submitted_at\":\"2026-01-02T03:04:05Z\"}", 0,
		     0);
	redis_server_run(w.server, "SET {flowrra:queue:io}:withdrawn 2");
	redis_server_run(w.server, "RPUSH flowrra:queue:io %s %s",
			 "{\"withdrawn\":true}", "{\"withdrawn\":true}");
	p->answered = false;
	broker_queues(p->broker, SLICE("io"), party_on_queues, p);
	UNTIL(&w, p->answered);
	ck_assert_int_eq(p->stats.waiting, 1);
	/* 2026-01-02T03:04:05Z */
	ck_assert_int_eq(p->stats.oldest_us, INT64_C(1767323045000000));
	party_close(p);
	stage_close(&w);
}
END_TEST

/* A worker of an older version has taken them, and did not know. */
START_TEST(where_nothing_waits_no_withdrawn_task_does)
{
	struct party *producer, *worker;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	redis_server_run(w.server, "SET {flowrra:queue:io}:withdrawn 7");
	party_submit(producer, "1", "[1]", 5, 0);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 1);
	UNTIL(&w, stage_number(&w, "EXISTS {flowrra:queue:io}:withdrawn") == 0);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* --- priorities ---------------------------------------------------------- */

/* One of them is cancelled, one made due, and one purged: each time just one. */
START_TEST(of_delayed_tasks_of_the_same_bytes_one_is_taken_at_a_time)
{
	static const char task[] = "{\"id\":\"1\",\"name\":\"t\"}";
	const char *delayed = "ZCARD {flowrra:queue:io}:delayed";
	struct party *worker;
	size_t i;

	stage_open(&w, KIND_REDIS);
	worker = party_open(&w, "host:a");
	for (i = 0; i < 4; i++)
		redis_server_run(w.server, "LPUSH flowrra:queue:io %s", task);
	broker_want(worker->broker, 0, 4);
	UNTIL(&w, worker->n_claims == 4);
	for (i = 0; i < 4; i++)
		party_retry(worker, i, task, 3600000);
	ck_assert_int_eq(stage_number(&w, delayed), 4);
	ck_assert(withdraw(worker, "1"));
	ck_assert_int_eq(stage_number(&w, delayed), 3);
	worker->answered = false;
	broker_hasten(worker->broker, SLICE("io"), SLICE("1"), SLICE(""),
		      on_page, worker);
	UNTIL(&w, worker->answered);
	ck_assert_uint_eq(n_taken, 1);
	/* Blanks may stand behind it by now, which are nothing to JSON. */
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == 5);
	ck_assert_int_eq(
	    memcmp(worker->claims[4]->bytes.p, task, sizeof(task) - 1), 0);
	ck_assert_int_eq(stage_number(&w, delayed), 2);
	purge(worker, 1);
	ck_assert_int_eq(stage_number(&w, delayed), 1);
	/* Once more, among what has blanks already. */
	party_retry(worker, 4, task, 3600000);
	ck_assert_int_eq(stage_number(&w, delayed), 2);
	ck_assert(withdraw(worker, "1"));
	ck_assert(withdraw(worker, "1"));
	ck_assert(!withdraw(worker, "1"));
	party_close(worker);
	stage_close(&w);
}
END_TEST

/* What is told in the end, of what is on its way from "io". */
static enum err_code
deliver_all(struct party *p)
{
	do {
		p->answered = false;
		broker_deliver(p->broker, SLICE("io"), party_on_value, p);
		UNTIL(&w, p->answered);
	} while (p->err.code == ERR_NONE && strcmp(p->value, "0") != 0);
	return p->err.code;
}

/* Somebody else has left it there. What a sender that is gone has left, a worker
 * brings in. */
START_TEST(what_is_not_understood_on_its_way_stays_and_stops_nobody)
{
	static const struct broker_send_off off = {
	    .queue = SLICE("io"), .id = SLICE("1"), .to = SLICE("cpu")};
	static const struct broker_limits none = {.dead_max = 0};
	struct party *worker;

	stage_open(&w, KIND_REDIS);
	worker = party_open(&w, "host:a");
	redis_server_run(w.server, "SADD flowrra:queues io");
	redis_server_run(w.server, "RPUSH {flowrra:queue:io}:leaving nonsense");
	redis_server_run(w.server, "LPUSH flowrra:queue:io {\"id\":\"1\"}");
	worker->answered = false;
	broker_send_off(worker->broker, &off, on_page, worker);
	UNTIL(&w, worker->answered);
	ck_assert_uint_eq(n_taken, 1);
	broker_want(worker->broker, 1, 1);
	broker_tidy(worker->broker, &none);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert(party_has(worker, 0, "{\"id\":\"1\",\"queue\":\"cpu\"}"));
	/* It is told when nothing else is there any more. */
	ck_assert_int_eq(deliver_all(worker), ERR_DATA);
	party_close(worker);
	stage_close(&w);
}
END_TEST

/* More than is read at once, before one that is good: a queue that takes nothing, and
 * entries that have the key of another one. */
START_TEST(what_does_not_arrive_stays_and_stops_nobody)
{
	static const struct broker_limits none = {.dead_max = 0};
	struct party *worker;
	int i;

	stage_open(&w, KIND_REDIS);
	worker = party_open(&w, "host:a");
	redis_server_run(w.server, "SADD flowrra:queues io");
	redis_server_run(w.server, "SET flowrra:queue:gpu x");
	redis_server_run(
	    w.server, "SET {flowrra:queue:cpu}:unique:move:t another EX 1000");
	for (i = 0; i < 40; i++)
		redis_server_run(w.server,
				 "RPUSH {flowrra:queue:io}:leaving %s",
				 i % 2 != 0 ? "gpu 7 u 0 0\n{\"id\":\"7\"}"
					    : "cpu 7 t 0 0\n{\"id\":\"7\"}");
	redis_server_run(w.server, "RPUSH {flowrra:queue:io}:leaving %s",
			 "cpu 1 v 0 0\n{\"id\":\"1\"}");
	broker_want(worker->broker, 1, 1);
	broker_tidy(worker->broker, &none);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert(party_has(worker, 0, "{\"id\":\"1\",\"queue\":\"cpu\"}"));
	UNTIL(&w, stage_number(&w, "LLEN {flowrra:queue:io}:leaving") == 40);
	/* It has an end, and says why. */
	ck_assert_int_ne(deliver_all(worker), ERR_NONE);
	ck_assert_int_eq(stage_number(&w, "LLEN {flowrra:queue:io}:leaving"),
			 40);
	redis_server_run(w.server, "DEL flowrra:queue:gpu");
	ck_assert_int_eq(deliver_all(worker), ERR_DATA);
	ck_assert_int_eq(stage_number(&w, "LLEN flowrra:queue:gpu"), 1);
	ck_assert_int_eq(stage_number(&w, "LLEN {flowrra:queue:io}:leaving"),
			 20);
	party_close(worker);
	stage_close(&w);
}
END_TEST

SUITE("broker_redis-withdraw")
{
	TEST(of_delayed_tasks_of_the_same_bytes_one_is_taken_at_a_time);
	TEST(what_is_withdrawn_deep_inside_a_long_queue_never_comes);
	TEST(a_search_leaves_nothing_out_between_its_calls);
	TEST(an_idle_worker_drops_what_stands_for_a_withdrawn_task);
	TEST(one_that_is_large_is_found_by_its_id_alone);
	TEST(what_is_not_understood_on_its_way_stays_and_stops_nobody);
	TEST(what_does_not_arrive_stays_and_stops_nobody);
	TEST(the_oldest_task_is_none_that_was_withdrawn);
	TEST(where_nothing_waits_no_withdrawn_task_does);
}
