/* SPDX-License-Identifier: MIT */
/* Lanes of Redis: what a worker gives up lapses sooner than it would by itself. */
#include <hiredis.h>
#include <stdlib.h>

#include "redis_server.h"
#include "store/stage.h"
#include "suite.h"

static struct stage w;

/* By how much sooner, at least: of two heartbeats, the one that others miss. */
#define GIVEN_UP_MS ((BROKER_HEARTBEAT_TTL_S - BROKER_HEARTBEAT_S - 3) * 1000.0)

/* Until when a name is served, in ms since 1970, by the server's clock; 0: it is
 * not. */
static double
until_ms(const char *name)
{
	struct redisReply *score = redis_server_command(
	    w.server, "ZSCORE {flowrra:queue:io}:served %s", name);
	const double ms =
	    score->type == REDIS_REPLY_STRING ? atof(score->str) : 0;

	freeReplyObject(score);
	return ms;
}

static void
serve(struct party *worker, const char *const *names, size_t n)
{
	struct slice slices[4], texts[4];
	size_t i;

	for (i = 0; i < n; i++) {
		slices[i] = slice_of(names[i]);
		texts[i] = SLICE("{}");
	}
	broker_register(worker->broker, slices, texts, n);
	broker_heartbeat(worker->broker, SLICE("{}"));
}

START_TEST(a_name_that_a_worker_gives_up_lapses_with_the_next_heartbeats)
{
	static const char *const names[] = {"a", "b", "c"};
	const int64_t deadline = stage_deadline();
	struct party *worker;
	double b_ms;

	stage_open(&w, KIND_REDIS);
	worker = party_open(&w, "host:a");
	serve(worker, names, 3);
	UNTIL(&w, until_ms("c") > 0);
	b_ms = until_ms("b");
	/* A reload without the first and the last; it says so before its
	 * heartbeat. */
	serve(worker, names + 1, 1);
	/* Two heartbeats within a millisecond say the same time. */
	while (until_ms("b") <= b_ms) {
		broker_heartbeat(worker->broker, SLICE("{}"));
		ck_assert(stage_turn(&w, deadline));
	}
	ck_assert_double_le(until_ms("a"), until_ms("b") - GIVEN_UP_MS);
	ck_assert_double_le(until_ms("c"), until_ms("b") - GIVEN_UP_MS);
	party_close(worker);
	stage_close(&w);
}
END_TEST

SUITE("lanes-redis-only")
{
	TEST(a_name_that_a_worker_gives_up_lapses_with_the_next_heartbeats);
}
