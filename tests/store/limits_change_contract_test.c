/* SPDX-License-Identifier: MIT */
/* The contract of limits, on each broker: limits that change, or go, while they hold
 * tasks. */
#include <stdio.h>
#include <string.h>

#include "store/limits_scene.h"

#define HELD 2500

static void
put_many(size_t n)
{
	static struct broker_submit tasks[HELD];
	static char ids[HELD][16], bytes[HELD][96];
	size_t i;

	memset(tasks, 0, sizeof(tasks));
	for (i = 0; i < n; i++) {
		snprintf(ids[i], sizeof(ids[i]), "t%zu", i);
		snprintf(bytes[i], sizeof(bytes[i]),
			 "{\"id\":\"%s\",\"name\":\"n\",\"group\":\"a\","
			 "\"args\":[]}",
			 ids[i]);
		tasks[i].queue = "io";
		tasks[i].id = slice_of(ids[i]);
		tasks[i].bytes = slice_of(bytes[i]);
	}
	party_submit_batch(op.producer, tasks, n);
}

/* Of one group, and then in their order. */
static void
ck_all_start(size_t from)
{
	char id[16];
	size_t i;

	UNTIL(&op.stage, lim_worker()->n_claims == HELD);
	lim_in_time();
	for (i = from; i < HELD; i++) {
		snprintf(id, sizeof(id), "t%zu", i);
		ck_assert(lim_is_claim(lim_worker(), i, id));
	}
	ck_assert_int_eq(op_queue(op.producer, "io")->held, 0);
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 0);
}

static void
hold_many(int kind)
{
	lim_open(kind);
	lim_set(LIMIT_EACH_GROUP, "", 1);
	put_many(HELD);
	broker_want(lim_worker()->broker, 0, 2 * HELD);
	UNTIL(&op.stage, op_queue(op.producer, "io")->held == HELD - 1);
	ck_assert_uint_eq(lim_worker()->n_claims, 1);
}

START_TEST(thousands_that_were_held_start_when_the_limit_goes)
{
	hold_many(_i);
	ck_assert(lim_unset(LIMIT_EACH_GROUP, ""));
	ck_all_start(1);
	ck_assert_str_eq(lim_shown(), "");
	op_close();
}
END_TEST

START_TEST(thousands_that_were_held_start_when_there_is_room)
{
	hold_many(_i);
	lim_set(LIMIT_GROUP, "a", HELD);
	ck_all_start(1);
	op_close();
}
END_TEST

static void
put_with(const char *id, int x, int y)
{
	char bytes[128];

	snprintf(bytes, sizeof(bytes),
		 "{\"id\":\"%s\",\"name\":\"n\",\"args\":[],\"kwargs\":"
		 "{\"x\":%d,\"y\":%d}}",
		 id, x, y);
	ck_assert_int_eq(party_submit(op.producer, id, bytes, 0, 0), ERR_NONE);
}

/* What runs counts by the new one, too. */
START_TEST(what_is_held_has_the_group_that_another_path_says)
{
	lim_open(_i);
	lim_set_by(LIMIT_EACH_GROUP, "", 1, "kwargs.x");
	put_with("1", 7, 1);
	put_with("2", 7, 1);
	put_with("3", 7, 2);
	lim_take(lim_worker(), 1);
	ck_assert_int_eq(op_queue(op.producer, "io")->held, 2);
	lim_set_by(LIMIT_EACH_GROUP, "", 1, "kwargs.y");
	lim_take(lim_worker(), 2);
	ck_assert(lim_is_claim(lim_worker(), 1, "3"));
	party_settle(lim_worker(), 0, BROKER_ACK);
	lim_take(lim_worker(), 3);
	ck_assert(lim_is_claim(lim_worker(), 2, "2"));
	op_close();
}
END_TEST

/* It is lowered below what runs, and what is held is so by another limit then. */
START_TEST(what_is_held_moves_to_the_limit_that_is_left)
{
	lim_open(_i);
	lim_set(LIMIT_GROUP, "a", 2);
	lim_put("1", "a", 0);
	lim_put("2", "a", 0);
	lim_put("3", "a", 0);
	lim_take(lim_worker(), 2);
	lim_set(LIMIT_TASK, "n", 1);
	ck_assert(lim_unset(LIMIT_GROUP, "a"));
	op_nothing_comes(lim_worker());
	UNTIL(&op.stage, strcmp(lim_shown(), "t:n 1 2 1; ") == 0);
	party_settle(lim_worker(), 0, BROKER_ACK);
	op_nothing_comes(lim_worker());
	party_settle(lim_worker(), 1, BROKER_ACK);
	lim_take(lim_worker(), 3);
	op_close();
}
END_TEST

#define CASES(kind)                                                            \
	X(thousands_that_were_held_start_when_the_limit_goes, kind)            \
	X(thousands_that_were_held_start_when_there_is_room, kind)             \
	X(what_is_held_has_the_group_that_another_path_says, kind)             \
	X(what_is_held_moves_to_the_limit_that_is_left, kind)

LIMITS_SUITES("limits-change")
