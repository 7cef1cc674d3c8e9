/* SPDX-License-Identifier: MIT */
/* A database in which somebody has put what we never would: it is told of, and
 * worked with, as far as it goes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/admin_scene.h"

static void
open_damaged(void)
{
	op_open(KIND_SQLITE);
	op_submit("{\"id\":\"t1\"}", 0, 0);
	op_submit("{\"id\":\"t2\"}", 0, HOUR_MS);
	op_bury("{\"id\":\"t3\"}", "t3", "{}");
}

/* 400 characters of three bytes: as characters few enough, but not as bytes; and
 * 1500 of two, of which both ends are read. */
static const struct {
	unsigned int n;
	const char *letter;
	size_t whole;
} letters[] = {{400, "\xe2\x82\xac", 0}, {1500, "\xc3\xa9", 1500}};

START_TEST(a_task_that_is_a_text_fits_into_its_claim)
{
	char sql[256];
	size_t i;

	op_open(KIND_SQLITE);
	op_submit("{\"id\":\"t1\"}", 0, 0);
	snprintf(sql, sizeof(sql),
		 "UPDATE tasks SET bytes = replace(hex(zeroblob(%u)), '00',"
		 " '%s')",
		 letters[_i].n, letters[_i].letter);
	stage_sql(&op.stage, sql);
	op_take(op.worker, 1);
	ck_assert_uint_eq(op.worker->claims[0]->whole, letters[_i].whole);
	ck_assert_uint_eq(op.worker->claims[0]->bytes.len,
			  letters[_i].whole == 0
			      ? letters[_i].n * strlen(letters[_i].letter)
			      : letters[_i].n);
	/* To its end. */
	for (i = 0; i < op.worker->claims[0]->bytes.len; i++)
		ck_assert_int_lt(op.worker->claims[0]->bytes.p[i], 0);
	op_close();
}
END_TEST

/* Values that are no times, counts or serials; each in all rows. */
static const char *const values[] = {
    "9223372036854775807",
    "-9223372036854775807 - 1",
    "'a text'",
    "1e300",
    "x'00ff'",
};

START_TEST(what_is_told_of_any_number_is_in_its_range)
{
	static const char *const columns[] = {
	    "delayed SET due",	  "dead SET died",   "queues SET size",
	    "queues SET delayed", "queues SET dead", "queues SET set_aside",
	    "queues SET next"};
	const struct queue_stats *q;
	const struct broker_item *item;
	char sql[256];
	size_t i;

	open_damaged();
	for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		snprintf(sql, sizeof(sql), "UPDATE %s = %s", columns[i],
			 values[_i]);
		stage_sql(&op.stage, sql);
	}
	q = op_queue(op.producer, "io");
	ck_assert(q->waiting >= 0 && q->delayed >= 0 && q->dead >= 0);
	ck_assert(q->next_due_us >= 0 &&
		  q->next_due_us <= BROKER_TIME_MAX_MS * 1000);
	op_view(op.producer, BROKER_DEAD, "", 10);
	/* What is not a number sorts behind all times, and is left out. */
	ck_assert_uint_eq(op.told.n, _i < 2);
	for (item = op.told.items; item < op.told.items + op.told.n; item++)
		ck_assert(item->time_ms >= 0 &&
			  item->time_ms <= BROKER_TIME_MAX_MS);
	/* A task more, whatever the counters are. */
	party_submit(op.producer, "t4", "{}", 0, 0);
	op_close();
}
END_TEST

/* Keys that only damage makes: the page ends with a cursor, and the next one says
 * that there is none. */
START_TEST(a_list_with_negative_keys_ends_with_an_error)
{
	open_damaged();
	stage_sql(&op.stage,
		  "UPDATE dead SET number = -9223372036854775807 - 1,"
		  " died = -9223372036854775807 - 1");
	op_view(op.producer, BROKER_DEAD, "", 1);
	ck_assert_uint_eq(op.told.n, 1);
	ck_assert_uint_eq(strlen(op.told.next), 41);
	op_view(op.producer, BROKER_DEAD, op.told.next, 1);
	ck_assert_int_eq(op.told.err.code, ERR_DATA);
	op_close();
}
END_TEST

START_TEST(totals_at_their_end_stay_there)
{
	struct backend *r;

	op_open(KIND_SQLITE);
	r = backend_open(&op.stage);
	backend_put(&op.stage, r, "t1", "{\"task_id\":\"t1\"}", true, 0);
	stage_sql(&op.stage, "UPDATE totals SET succeeded ="
			     " 9223372036854775807");
	backend_put(&op.stage, r, "t2", "{\"task_id\":\"t2\"}", true, 0);
	ck_assert_int_eq(r->answer, RESULTS_STORED);
	backend_close(r);
	op_close();
}
END_TEST

/* What is under way goes with its store: the sanitizer looks for what is left. */
START_TEST(a_store_that_is_closed_takes_its_questions_along)
{
	static const struct slice name = SLICE("add"), word = SLICE("{}");
	struct asked asked[STAGE_ASKED];

	op_open(KIND_SQLITE);
	broker_register(op.worker->broker, &name, &word, 1);
	party_ask_everything(op.worker, asked);
	op_close();
}
END_TEST

SUITE("sqlite-damage")
{
	TEST_LOOP(a_task_that_is_a_text_fits_into_its_claim, 0,
		  sizeof(letters) / sizeof(letters[0]));
	TEST_LOOP(what_is_told_of_any_number_is_in_its_range, 0,
		  sizeof(values) / sizeof(values[0]));
	TEST(a_list_with_negative_keys_ends_with_an_error);
	TEST(totals_at_their_end_stay_there);
	TEST(a_store_that_is_closed_takes_its_questions_along);
}
