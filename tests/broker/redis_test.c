/* SPDX-License-Identifier: MIT */
/* What only the Redis broker has to do right. */
#include <stdio.h>
#include <string.h>

#include <hiredis.h>

#include "broker/stage.h"
#include "redis_server.h"
#include "suite.h"

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
START_TEST(an_idle_worker_is_not_given_what_is_too_large)
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
	UNTIL(&w, stage_dead(&w) == 1);
	ck_assert_uint_eq(worker->n_claims, 1);
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}
END_TEST

SUITE("broker_redis")
{
	TEST(an_idle_worker_is_not_given_what_is_too_large);
	TEST(the_queue_key_may_be_gone_when_the_broker_is_open);
}
