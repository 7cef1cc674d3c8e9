/* SPDX-License-Identifier: MIT */
/* Operating: tasks leave the dead list, and come into it from another one. */
#include <stdio.h>
#include <string.h>

#include "store/admin_scene.h"

START_TEST(the_dead_are_deleted_or_put_into_the_queue_again)
{
	struct broker_requeue batch[] = {
	    {.key = SLICE("one"), .retry_bytes = SLICE("[1,\"again\"]")},
	    {.key = SLICE("nobody"), .retry_bytes = SLICE("[\"no\"]")},
	    {.key = SLICE("two")},
	    {.key = SLICE("one"), .retry_bytes = SLICE("[\"twice\"]")},
	    {.key = SLICE("three"),
	     .retry_bytes = SLICE("[3,\"again\"]"),
	     .priority = -5}};

	op_open(_i);
	op_bury("[1]", "one", "{}");
	op_bury("[2]", "two", "{}");
	op_bury("[3]", "three", "{}");
	op_bury("[4]", "four", "{}");
	broker_want(op.worker->broker, 0, 0);
	op_exhume(op.producer, batch, 5);
	ck_assert(batch[0].found && batch[2].found && batch[4].found);
	ck_assert(!batch[1].found && !batch[3].found);
	ck_assert_int_eq(batch[0].err.code, ERR_NONE);
	ck_assert_int_eq(batch[1].err.code, ERR_NONE);
	ck_assert_str_eq(op_view_all(op.producer, BROKER_DEAD, 10), "[4] ");
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 2);
	ck_assert_int_eq(op_queue(op.producer, "io")->dead, 1);
	op_take(op.worker, 2);
	ck_assert(party_has(op.worker, 4, "[3,\"again\"]"));
	ck_assert(party_has(op.worker, 5, "[1,\"again\"]"));
	op_close();
}
END_TEST

START_TEST(one_that_had_no_id_is_exhumed_by_the_name_that_was_made_up)
{
	struct broker_requeue one = {.retry_bytes = SLICE("[\"again\"]")};
	char key[512];

	op_open(_i);
	op_bury("rubbish", "", "{}");
	op_view(op.producer, BROKER_DEAD, "", 10);
	ck_assert_uint_eq(op.told.n, 1);
	snprintf(key, sizeof(key), "%s", op.told.items[0].key.p);
	one.key = slice_of(key);
	op_exhume(op.producer, &one, 1);
	ck_assert(one.found);
	ck_assert_str_eq(op_view_all(op.producer, BROKER_DEAD, 10), "");
	op_take(op.worker, 1);
	op_close();
}
END_TEST

START_TEST(an_idle_worker_is_woken_by_what_was_exhumed)
{
	static const int32_t priorities[] = {0, 5, -5};
	struct broker_requeue one = {.key = SLICE("dead"),
				     .retry_bytes = SLICE("[\"again\"]")};
	size_t i, n;

	op_open(_i);
	for (i = 0; i < 3; i++) {
		op_bury("[1]", "dead", "{}");
		n = op.worker->n_claims;
		broker_want(op.worker->broker, 0, 10);
		op_nothing_comes(op.worker);
		one.priority = priorities[i];
		op_exhume(op.producer, &one, 1);
		ck_assert(one.found);
		UNTIL(&op.stage, op.worker->n_claims == n + 1);
	}
	op_close();
}
END_TEST

START_TEST(many_dead_are_exhumed_in_one_call)
{
	struct broker_requeue batch[BROKER_PAGE_MAX];
	char keys[BROKER_PAGE_MAX][16];
	size_t i;

	op_open(_i);
	for (i = 0; i < BROKER_PAGE_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		batch[i] = (struct broker_requeue){.key = slice_of(keys[i]),
						   .retry_bytes = SLICE("[1]")};
	}
	op_bury("[1]", keys[0], "{}");
	op_bury("[1]", keys[BROKER_PAGE_MAX - 1], "{}");
	op_exhume(op.producer, batch, BROKER_PAGE_MAX);
	for (i = 0; i < BROKER_PAGE_MAX; i++) {
		ck_assert_int_eq(batch[i].err.code, ERR_NONE);
		ck_assert(batch[i].found ==
			  (i == 0 || i == BROKER_PAGE_MAX - 1));
	}
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 2);
	op_close();
}
END_TEST

static void
on_dead_added(struct broker_dead *batch, size_t n, void *arg)
{
	*(bool *)arg = true;
}

static void
op_add_dead(const char *queue, struct broker_dead *batch, size_t n)
{
	bool done = false;

	broker_add_dead(op.producer->broker, slice_of(queue), batch, n,
			on_dead_added, &done);
	ck_assert(!done);
	UNTIL(&op.stage, done);
}

START_TEST(dead_tasks_come_from_another_list_as_they_were)
{
	struct broker_dead batch[] = {{.key = SLICE("new"),
				       .bytes = SLICE("[2]"),
				       .info = SLICE("{\"a\":1}"),
				       .time_ms = 7000},
				      {.key = SLICE("there"),
				       .bytes = SLICE("[3]"),
				       .info = SLICE("{}"),
				       .time_ms = 9000},
				      {.key = SLICE("older"),
				       .bytes = SLICE("[4]"),
				       .info = SLICE("{}"),
				       .time_ms = 5000}};
	struct broker_requeue again = {.key = SLICE("new"),
				       .retry_bytes = SLICE("[5]")};

	op_open(_i);
	op_bury("[1]", "there", "{\"was\":1}");
	op_add_dead("io", batch, 3);
	ck_assert(batch[0].added && !batch[1].added && batch[2].added);
	ck_assert_int_eq(batch[1].err.code, ERR_NONE);
	/* By the time at which they died; the one that was there stays. */
	ck_assert_str_eq(op_view_all(op.producer, BROKER_DEAD, 10),
			 "[1] [2] [4] ");
	op_view(op.producer, BROKER_DEAD, "", 10);
	ck_assert(slice_eq(op.told.items[1].key, SLICE("new")));
	ck_assert(slice_eq(op.told.items[1].info, SLICE("{\"a\":1}")));
	ck_assert_int_eq(op.told.items[1].time_ms, 7000);
	ck_assert(slice_eq(op.told.items[0].info, SLICE("{\"was\":1}")));
	op_add_dead("io", batch, 3);
	ck_assert(!batch[0].added && !batch[1].added && !batch[2].added);
	ck_assert_int_eq(op_queue(op.producer, "io")->dead, 3);
	op_exhume(op.producer, &again, 1);
	ck_assert(again.found);
	op_close();
}
END_TEST

START_TEST(a_queue_is_known_by_the_dead_tasks_that_came)
{
	static char large[600 << 10];
	struct broker_dead batch[BROKER_PAGE_MAX];
	char keys[BROKER_PAGE_MAX][16];
	size_t i;

	memset(large, 'x', sizeof(large));
	op_open(_i);
	op_submit("[1]", 0, 0);
	for (i = 0; i < BROKER_PAGE_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		batch[i] = (struct broker_dead){.key = slice_of(keys[i]),
						.bytes = SLICE("[1]"),
						.info = SLICE("{}"),
						.time_ms = 1000};
	}
	batch[3].bytes = (struct slice){large, sizeof(large)};
	op_add_dead("c pu", batch, 1);
	ck_assert_int_eq(batch[0].err.code, ERR_DATA);
	op_add_dead("other", batch, BROKER_PAGE_MAX);
	for (i = 0; i < BROKER_PAGE_MAX; i++)
		ck_assert(batch[i].added && batch[i].err.code == ERR_NONE);
	op_queues(op.producer);
	for (i = 0; i < op.told.n; i++)
		if (strcmp(op.told.queues[i].name, "other") == 0)
			break;
	ck_assert_uint_lt(i, op.told.n);
	ck_assert_int_eq(op.told.queues[i].dead, BROKER_PAGE_MAX);
	op_close();
}
END_TEST

#define CASES(kind)                                                            \
	X(the_dead_are_deleted_or_put_into_the_queue_again, kind)              \
	X(one_that_had_no_id_is_exhumed_by_the_name_that_was_made_up, kind)    \
	X(an_idle_worker_is_woken_by_what_was_exhumed, kind)                   \
	X(dead_tasks_come_from_another_list_as_they_were, kind)                \
	X(a_queue_is_known_by_the_dead_tasks_that_came, kind)                  \
	X(many_dead_are_exhumed_in_one_call, kind)

OPERATE_SUITES
