/* SPDX-License-Identifier: MIT */
/*
 * A Redis whose connections are cut at each call in turn. (What corresponds to
 * it for SQLite is in tests/sqlite/fault_test.c.)
 */
#include "broker/world.h"
#include "suite.h"

#define CALLS 8 /* that world_live() makes, at least */

START_TEST(whatever_call_is_cut_nothing_is_lost)
{
	struct world w;

	world_open(&w, KIND_REDIS);
	w.options.with_results = true;
	w.cut_after = _i;
	world_live(&w);
	ck_assert_int_ge(w.calls, CALLS);
	world_close(&w);
}
END_TEST

SUITE("broker-redis-cut")
{
	TEST_LOOP(whatever_call_is_cut_nothing_is_lost, 1, CALLS + 1);
}
