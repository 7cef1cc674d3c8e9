/* SPDX-License-Identifier: MIT */
/* What only the Redis broker has to do right. */
#include <stdio.h>

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

SUITE("broker_redis")
{
	TEST(the_queue_key_may_be_gone_when_the_broker_is_open);
}
