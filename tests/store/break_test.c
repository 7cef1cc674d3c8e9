/* SPDX-License-Identifier: MIT */
/*
 * A Redis whose connections are cut at each call in turn. (What corresponds to
 * it for SQLite is in tests/sqlite/fault_test.c.)
 */
#include "redis_server.h"
#include "store/stage.h"
#include "suite.h"

#define CALLS 8 /* that stage_live() makes, at least */

START_TEST(whatever_call_is_cut_nothing_is_lost)
{
	struct stage w;

	stage_open(&w, KIND_REDIS);
	w.options.with_results = true;
	w.cut_after = _i;
	stage_live(&w);
	ck_assert_int_ge(w.calls, CALLS);
	stage_close(&w);
}
END_TEST

static bool
all_answered(const struct asked asked[STAGE_ASKED])
{
	size_t i;

	for (i = 0; i < STAGE_ASKED && asked[i].answers > 0; i++)
		;
	return i == STAGE_ASKED;
}

/* The server dies after so many turns of the loop: before it has read the
 * question, in the middle of those that take several steps, or later. */
START_TEST(operators_are_answered_once_when_the_server_dies)
{
	struct asked asked[STAGE_ASKED];
	struct party *worker, *asker;
	struct stage w;
	size_t i;
	int turn;

	stage_open(&w, KIND_REDIS);
	worker = party_open(&w, "host:a");
	broker_heartbeat(worker->broker, SLICE("{}"));
	asker = party_open(&w, NULL);
	if (_i == 0)
		redis_server_pause(w.server);
	party_ask_everything(asker, asked);
	for (turn = 0; turn < (_i == 0 ? 2 : _i - 1); turn++)
		stage_turn(&w, INT64_MAX);
	redis_server_kill(w.server);
	UNTIL(&w, all_answered(asked));
	for (i = 0; i < STAGE_ASKED; i++)
		if (_i == 0)
			ck_assert_int_eq(asked[i].code, ERR_UNAVAILABLE);
	/* And while it is away. */
	UNTIL(&w, !broker_is_up(asker->broker));
	party_ask_everything(asker, asked);
	UNTIL(&w, all_answered(asked));
	for (i = 0; i < STAGE_ASKED; i++)
		ck_assert_int_eq(asked[i].code, ERR_UNAVAILABLE);
	redis_server_restart(w.server);
	UNTIL(&w, broker_is_up(asker->broker));
	for (i = 0; i < STAGE_ASKED; i++)
		ck_assert_uint_eq(asked[i].answers, 1);
	party_ask_everything(asker, asked);
	UNTIL(&w, all_answered(asked));
	for (i = 0; i < STAGE_ASKED; i++)
		ck_assert_int_eq(asked[i].code, ERR_NONE);
	party_close(asker);
	party_close(worker);
	stage_close(&w);
}
END_TEST

START_TEST(operators_do_not_notice_that_the_server_has_lost_the_scripts)
{
	struct asked asked[STAGE_ASKED];
	struct party *asker;
	struct stage w;
	size_t i;
	int round;

	stage_open(&w, KIND_REDIS);
	asker = party_open(&w, NULL);
	for (round = 0; round < 3; round++) {
		party_ask_everything(asker, asked);
		UNTIL(&w, all_answered(asked));
		for (i = 0; i < STAGE_ASKED; i++)
			ck_assert_int_eq(asked[i].code, ERR_NONE);
		redis_server_run(w.server, "SCRIPT FLUSH");
	}
	party_close(asker);
	stage_close(&w);
}
END_TEST

SUITE("broker-redis-cut")
{
	TEST_LOOP(operators_are_answered_once_when_the_server_dies, 0, 8);
	TEST(operators_do_not_notice_that_the_server_has_lost_the_scripts);
	TEST_LOOP(whatever_call_is_cut_nothing_is_lost, 1, CALLS + 1);
}
