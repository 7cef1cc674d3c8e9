/* SPDX-License-Identifier: MIT */
/* What only the Redis broker has to do right. */
#include <hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_server.h"
#include "store/admin.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

static struct stage w;

/* A worker loads its configuration anew and frees the old one. */
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

/* --- operators --------------------------------------------------------- */

static long long
number(const char *command)
{
	redisReply *reply = redis_server_command(w.server, command);
	long long n = reply->integer;

	ck_assert_int_ne(reply->type, REDIS_REPLY_ERROR);
	if (reply->type == REDIS_REPLY_STRING)
		n = atoll(reply->str);
	freeReplyObject(reply);
	return n;
}

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
	ck_assert_int_eq(number("GET {flowrra:queue:io}:withdrawn"), 2);
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
	ck_assert_int_eq(number("EXISTS {flowrra:queue:io}:withdrawn"), 0);
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
	stage_linger(&w, 100);
	redis_server_run(w.server, "SET {flowrra:queue:io}:withdrawn 1");
	redis_server_run(w.server, "LPUSH flowrra:queue:io %s",
			 "{\"withdrawn\":true}");
	UNTIL(&w, number("EXISTS {flowrra:queue:io}:withdrawn") == 0);
	ck_assert_int_eq(number("LLEN {flowrra:queue:io}:inflight:host:a"), 0);
	ck_assert_uint_eq(worker->n_claims, 0);
	ck_assert_int_eq(stage_dead(&w), 0);
	party_submit(producer, "1", "[1]", 0, 0);
	UNTIL(&w, worker->n_claims == 1);
	party_close(worker);
	party_close(producer);
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
	UNTIL(&w, number("EXISTS {flowrra:queue:io}:withdrawn") == 0);
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
	ck_assert_int_eq(number("LLEN flowrra:queue:io"), 2);
	ck_assert_int_eq(number("LLEN {flowrra:queue:io}:inflight:host:a"), 0);
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

START_TEST(a_producer_names_its_queue_once_a_connection)
{
	struct party *producer;
	redisReply *stats;
	int i;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	for (i = 0; i < 10; i++)
		party_submit(producer, "1", "[1]", i % 2, 0);
	stats = redis_server_command(w.server, "INFO commandstats");
	ck_assert_ptr_nonnull(strstr(stats->str, "cmdstat_sadd:calls=1,"));
	freeReplyObject(stats);
	/* The server may be another. */
	redis_server_run(w.server, "FLUSHALL");
	redis_server_run(w.server, "CLIENT KILL TYPE normal");
	UNTIL(&w, producer->ups == 2);
	party_submit(producer, "1", "[1]", 0, 0);
	ck_assert_int_eq(number("SISMEMBER flowrra:queues io"), 1);
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
	redisReply *stats;
	int i;

	stage_open(&w, KIND_REDIS);
	w.options.with_results = true;
	producer = party_open(&w, NULL);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(party_submit_with(producer, &task), ERR_NONE);
		ck_assert_int_eq(number("LLEN flowrra:queue:io"), i + 1);
		ck_assert_int_eq(number("EXISTS flowrra:task:a"), 1);
	}
	/* What that has shown is good for the rest of the connection. */
	stats = redis_server_command(w.server, "INFO commandstats");
	ck_assert_ptr_nonnull(strstr(stats->str, "cmdstat_evalsha:calls=1,"));
	freeReplyObject(stats);
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
	redisReply *stats;

	stage_open(&w, KIND_REDIS);
	w.options.with_results = true;
	producer = party_open(&w, NULL);
	memset(large, 'x', sizeof(large));
	task.bytes = (struct slice){large, sizeof(large)};
	ck_assert_int_eq(party_submit_with(producer, &task), ERR_NONE);
	ck_assert_int_eq(number("LLEN flowrra:queue:io"), 1);
	ck_assert_int_eq(number("EXISTS flowrra:task:a"), 1);
	stats = redis_server_command(w.server, "INFO commandstats");
	ck_assert_ptr_null(strstr(stats->str, "cmdstat_evalsha:"));
	freeReplyObject(stats);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* How often the server has carried out a command. */
static int
calls_of(const char *command)
{
	redisReply *stats = redis_server_command(w.server, "INFO commandstats");
	char label[64];
	const char *at;
	int n;

	snprintf(label, sizeof(label), "cmdstat_%s:calls=", command);
	at = strstr(stats->str, label);
	n = at != NULL ? atoi(at + strlen(label)) : 0;
	freeReplyObject(stats);
	return n;
}

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
	ck_assert_int_eq(calls_of(_i ? "evalsha" : "lpush"), _i ? 30 : 3);
	ck_assert_int_eq(number(_i ? "ZCARD {flowrra:queue:io}:delayed"
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

START_TEST(a_first_task_whose_record_is_refused_is_not_queued)
{
	static const struct {
		const char *before, *after;
		enum err_code code;
		int queued;
	} cases[] = {
	    {"ACL SETUSER default -mset -set", "ACL SETUSER default +@all",
	     ERR_REFUSED, 0},
	    {"ACL SETUSER default -lpush", "ACL SETUSER default +@all",
	     ERR_REFUSED, 0},
	    {"CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0",
	     ERR_UNAVAILABLE, 0},
	    {"SET flowrra:queue:io x", "DEL flowrra:queue:io", ERR_INTERNAL, 0},
	    /* These have another way. */
	    {"ACL SETUSER default -mset", "ACL SETUSER default +@all", ERR_NONE,
	     1},
	    {"ACL SETUSER default -llen", "ACL SETUSER default +@all", ERR_NONE,
	     1},
	    {"ACL SETUSER default -evalsha", "ACL SETUSER default +@all",
	     ERR_NONE, 1},
	    {"ACL SETUSER default -script", "ACL SETUSER default +@all",
	     ERR_NONE, 1}};
	struct broker_submit task = recorded;
	enum err_code code;
	size_t i;

	stage_open(&w, KIND_REDIS);
	w.options.with_results = true;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		redis_server_run(w.server, "SCRIPT FLUSH");
		code = submit_first(cases[i].before, &task);
		redis_server_run(w.server, cases[i].after);
		ck_assert_msg(code == cases[i].code, "%s: %d (%s)",
			      cases[i].before, code, task.err.msg);
		ck_assert_int_eq(number("LLEN flowrra:queue:io"),
				 cases[i].queued);
		if (cases[i].queued)
			ck_assert_int_eq(number("EXISTS flowrra:task:a"), 1);
	}
	stage_close(&w);
}
END_TEST

/* One that has left something, or whose queues are not ours, stays. */
START_TEST(who_is_dead_for_a_day_and_has_left_nothing_leaves_the_list)
{
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
			 "%lld strange %lld late",
			 clock_wall_us() / 1000 - 90000000,
			 clock_wall_us() / 1000 - 90000000,
			 clock_wall_us() / 1000 - 90000000,
			 clock_wall_us() / 1000 - 90000000,
			 clock_wall_us() / 1000 - 80000000);
	party_close(worker);
	worker = party_open(&w, "host:a");
	/* The worker itself is on the list, too. */
	UNTIL(&w, number("ZCARD flowrra:workers") < 6);
	stage_linger(&w, 100);
	ck_assert_int_eq(number("ZCARD flowrra:workers"), 5);
	ck_assert_int_eq(number("ZSCORE flowrra:workers gone"), 0);
	ck_assert_int_eq(number("EXISTS {flowrra:queue:io}:fence:gone"), 0);
	ck_assert_int_eq(number("EXISTS {flowrra:queue:gpu}:fence:left"), 1);
	ck_assert_int_gt(number("TTL {flowrra:queue:io}:fence:host:a"), 0);
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

/* --- priorities ---------------------------------------------------------- */

/* More levels than a worker keeps, none of which it has heard of. */
START_TEST(tasks_of_many_priorities_come_in_their_order)
{
	enum { LEVELS = 150 };
	struct party *producer, *worker;
	char bytes[16];
	int i;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	for (i = 0; i < LEVELS; i++) {
		snprintf(bytes, sizeof(bytes), "[%d]", i - 75);
		party_submit(producer, "1", bytes, (i - 75) * 1000, 0);
	}
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, LEVELS + 10);
	UNTIL(&w, worker->n_claims == LEVELS);
	for (i = 0; i < LEVELS; i++) {
		snprintf(bytes, sizeof(bytes), "[%d]", i - 75);
		ck_assert_msg(party_has(worker, (size_t)i, bytes), "%d", i);
	}
	UNTIL(&w, number("EXISTS {flowrra:queue:io}:levels") == 0);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* What one claim may bring is limited in bytes; nobody else tells of the rest. */
START_TEST(a_worker_comes_back_for_what_one_claim_cannot_bring)
{
	enum { TASKS = 200, SIZE = 100000 };
	struct party *producer, *worker;
	char *bytes = malloc(SIZE + 1);
	int i;

	stage_open(&w, KIND_REDIS);
	w.options.max_task = SIZE;
	memset(bytes, 'x', SIZE);
	bytes[SIZE] = '\0';
	producer = party_open(&w, NULL);
	for (i = 0; i < TASKS; i++)
		party_submit(producer, "1", bytes, 5, 0);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, TASKS);
	UNTIL(&w, worker->n_claims == TASKS);
	free(bytes);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

START_TEST(the_limit_of_a_queue_counts_priorities_of_others)
{
	struct party *one, *other;
	int i;

	stage_open(&w, KIND_REDIS);
	w.options.max_queue_size = 4;
	one = party_open(&w, NULL);
	other = party_open(&w, NULL);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(
		    party_submit(i % 2 ? one : other, "1", "[1]", i * 7, 0),
		    ERR_NONE);
	ck_assert_int_eq(party_submit(one, "1", "[1]", 99, 0), ERR_FULL);
	ck_assert_int_eq(party_submit(other, "1", "[1]", 0, 0), ERR_FULL);
	ck_assert_int_eq(number("ZCARD {flowrra:queue:io}:levels"), 3);
	party_close(other);
	party_close(one);
	stage_close(&w);
}
END_TEST

START_TEST(a_level_that_is_no_number_stops_nothing_for_ever)
{
	struct party *producer, *worker;

	stage_open(&w, KIND_REDIS);
	producer = party_open(&w, NULL);
	redis_server_run(w.server, "ZADD {flowrra:queue:io}:levels 1 abc");
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	party_submit(producer, "1", "[1]", 0, 0);
	UNTIL(&w, worker->n_claims == 1);
	producer->answered = false;
	broker_queues(producer->broker, SLICE("io"), party_on_queues, producer);
	UNTIL(&w, producer->answered);
	ck_assert_ptr_nonnull(strstr(producer->err.msg, "not priorities"));
	redis_server_run(w.server, "DEL {flowrra:queue:io}:levels");
	party_submit(producer, "1", "[2]", 3, 0);
	UNTIL(&w, worker->n_claims == 2);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

/* Another program may push the same bytes twice: both count. */
START_TEST(tasks_of_the_same_bytes_are_delayed_beside_each_other)
{
	static const char task[] = "{\"id\":\"1\",\"name\":\"t\"}";
	struct broker_settle aside = {.disposition = BROKER_SET_ASIDE,
				      .lane = SLICE("t"),
				      .retry_bytes = SLICE("[\"again\"]"),
				      .delay_ms = 1};
	struct party *worker;
	size_t i;

	stage_open(&w, KIND_REDIS);
	worker = party_open(&w, "host:a");
	for (i = 0; i < 3; i++)
		redis_server_run(w.server, "LPUSH flowrra:queue:io %s", task);
	broker_want(worker->broker, 0, 3);
	UNTIL(&w, worker->n_claims == 3);
	for (i = 0; i < 3; i++) {
		if (_i == 0)
			party_retry(worker, i, "[\"again\"]", 3600000);
		else
			party_settle_with(worker, i, &aside);
	}
	if (_i == 0)
		ck_assert_int_eq(number("ZCARD {flowrra:queue:io}:delayed"), 3);
	/* Each comes back. */
	redis_server_run(w.server, "EVAL %s 0",
			 "local d = '{flowrra:queue:io}:delayed' for _, m in "
			 "ipairs(redis.call('ZRANGE', d, 0, -1)) do "
			 "redis.call('ZADD', d, 1, m) end "
			 "redis.call('PUBLISH', 'flowrra:control', "
			 "'{\"order\":\"wake\",\"queue\":\"io\"}')");
	broker_want(worker->broker, 0, 3);
	UNTIL(&w, worker->n_claims == 6);
	party_close(worker);
	stage_close(&w);
}
END_TEST

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
	ck_assert_int_eq(number(delayed), 4);
	ck_assert(withdraw(worker, "1"));
	ck_assert_int_eq(number(delayed), 3);
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
	ck_assert_int_eq(number(delayed), 2);
	purge(worker, 1);
	ck_assert_int_eq(number(delayed), 1);
	/* Once more, among what has blanks already. */
	party_retry(worker, 4, task, 3600000);
	ck_assert_int_eq(number(delayed), 2);
	ck_assert(withdraw(worker, "1"));
	ck_assert(withdraw(worker, "1"));
	ck_assert(!withdraw(worker, "1"));
	party_close(worker);
	stage_close(&w);
}
END_TEST

SUITE("broker_redis")
{
	TEST(of_delayed_tasks_of_the_same_bytes_one_is_taken_at_a_time);
	TEST_LOOP(tasks_of_the_same_bytes_are_delayed_beside_each_other, 0, 2);
	TEST(tasks_of_many_priorities_come_in_their_order);
	TEST(a_worker_comes_back_for_what_one_claim_cannot_bring);
	TEST(the_limit_of_a_queue_counts_priorities_of_others);
	TEST(a_level_that_is_no_number_stops_nothing_for_ever);
	TEST(an_idle_worker_is_given_the_ends_of_what_is_too_large);
	TEST(what_ends_is_looked_for_from_the_nearer_end_of_the_list);
	TEST(what_is_withdrawn_deep_inside_a_long_queue_never_comes);
	TEST(a_search_leaves_nothing_out_between_its_calls);
	TEST(an_idle_worker_drops_what_stands_for_a_withdrawn_task);
	TEST(the_oldest_task_is_none_that_was_withdrawn);
	TEST(where_nothing_waits_no_withdrawn_task_does);
	TEST(who_is_told_that_the_server_is_gone_may_close_the_broker);
	TEST(what_comes_by_blmove_in_a_pause_is_given_back);
	TEST(a_producer_names_its_queue_once_a_connection);
	TEST(the_first_task_of_a_connection_comes_with_its_record_in_one_step);
	TEST(a_first_task_whose_record_is_refused_is_not_queued);
	TEST(a_first_task_that_is_large_goes_without_a_script);
	TEST_LOOP(a_batch_of_any_size_holds_the_server_for_moments, 0, 2);
	TEST(who_is_dead_for_a_day_and_has_left_nothing_leaves_the_list);
	TEST(an_examination_tells_what_would_be_lost);
	TEST(the_queue_key_may_be_gone_when_the_broker_is_open);
}
