/* SPDX-License-Identifier: MIT */
/* Submissions that replicas have to confirm. */
#include <event2/event.h>
#include <hiredis/hiredis.h>
#include <string.h>

#include "redis_server.h"
#include "store/redis_stage.h"
#include "store/stage.h"
#include "suite.h"
#include "util/clock.h"

static struct stage w;
static struct redis_server *replica;

static void
open_pair(void)
{
	redisReply *reply;
	bool there;

	stage_open(&w, KIND_REDIS);
	w.options.replicas = 1;
	w.options.with_results = true;
	redis_server_run(w.server, "CONFIG SET repl-diskless-sync-delay 0");
	replica = redis_server_start(NULL);
	redis_server_run(replica, "REPLICAOF 127.0.0.1 %d",
			 redis_server_port(w.server));
	do {
		reply = redis_server_command(w.server, "WAIT 1 100");
		there = reply->integer == 1;
		freeReplyObject(reply);
	} while (!there);
}

static void
close_pair(void)
{
	redis_server_stop(replica);
	stage_close(&w);
}

START_TEST(what_a_replica_has_is_queued)
{
	struct broker_submit task = {.queue = "io",
				     .id = SLICE("2"),
				     .bytes = SLICE("[2]"),
				     .priority = 5,
				     .record = SLICE("{}")};
	struct party *p;

	open_pair();
	p = party_open(&w, NULL);
	ck_assert_int_eq(party_submit(p, "1", "[1]", 0, 0), ERR_NONE);
	ck_assert_int_eq(party_submit_with(p, &task), ERR_NONE);
	ck_assert_int_eq(stage_calls(&w, "wait"), 2 + 1);
	party_close(p);
	close_pair();
}
END_TEST

START_TEST(what_no_replica_has_is_refused)
{
	struct party *p;

	open_pair();
	p = party_open(&w, NULL);
	redis_server_pause(replica);
	ck_assert_int_eq(party_submit(p, "1", "[1]", 0, 0), ERR_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(p->err.msg, "only 0 of 1 replicas"));
	/* It may be queued all the same. */
	ck_assert_int_eq(stage_number(&w, "LLEN flowrra:queue:io"), 1);
	redis_server_continue(replica);
	ck_assert_int_eq(party_submit(p, "2", "[2]", 0, 0), ERR_NONE);
	party_close(p);
	close_pair();
}
END_TEST

static void
on_done(struct broker_submit *batch, size_t n, void *arg)
{
	*(bool *)arg = true;
}

/* Its claims and settlements do not wait behind them. */
START_TEST(a_worker_claims_while_its_submissions_are_confirmed)
{
	struct broker_submit task = {.queue = "cpu",
				     .id = SLICE("2"),
				     .bytes = SLICE("[2]"),
				     .record = SLICE("{}")};
	struct party *a;
	bool done = false;
	unsigned int i;

	open_pair();
	a = party_open(&w, "host:a");
	ck_assert_int_eq(party_submit(a, "1", "[1]", 0, 0), ERR_NONE);
	redis_server_pause(replica);
	broker_submit(a->broker, &task, 1, on_done, &done);
	for (i = 0; i < 3; i++) {
		broker_want(a->broker, 0, 1);
		UNTIL(&w, a->n_claims == i + 1);
		party_settle(a, i, BROKER_ACK);
		redis_server_run(w.server, "LPUSH flowrra:queue:io [%u,3]", i);
	}
	ck_assert(!done);
	UNTIL(&w, done);
	ck_assert_int_eq(task.err.code, ERR_UNAVAILABLE);
	party_close(a);
	close_pair();
}
END_TEST

/* A server that cannot say what is on disk has confirmed nothing. */
START_TEST(on_disk_needs_a_server_that_can_tell)
{
	struct party *p;
	enum err_code code;

	open_pair();
	w.options.replicas_on_disk = true;
	p = party_open(&w, NULL);
	code = party_submit(p, "1", "[1]", 0, 0);
	ck_assert_int_eq(code, ERR_UNAVAILABLE);
	party_close(p);
	/* With one that can, it takes logs on both. */
	if (stage_has(&w, "COMMAND INFO waitaof", "waitaof")) {
		redis_server_run(w.server, "CONFIG SET appendonly yes");
		redis_server_run(replica, "CONFIG SET appendonly yes");
		p = party_open(&w, NULL);
		ck_assert_int_eq(party_submit(p, "2", "[2]", 0, 0), ERR_NONE);
		party_close(p);
	}
	close_pair();
}
END_TEST

SUITE("redis-confirm")
{
	TEST(what_a_replica_has_is_queued);
	TEST(what_no_replica_has_is_refused);
	TEST(a_worker_claims_while_its_submissions_are_confirmed);
	TEST(on_disk_needs_a_server_that_can_tell);
}
