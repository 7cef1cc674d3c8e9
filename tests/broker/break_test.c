/* SPDX-License-Identifier: MIT */
/*
 * A Redis whose connections are cut at each call in turn. (What corresponds to
 * it for SQLite is in tests/sqlite/fault_test.c.)
 */
#include "broker/stage.h"
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

SUITE("broker-redis-cut")
{
	TEST_LOOP(whatever_call_is_cut_nothing_is_lost, 1, CALLS + 1);
}
