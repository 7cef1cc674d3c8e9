/* SPDX-License-Identifier: MIT */
/* The contract of limits, on each broker: how many tasks are in flight at once,
 * and what becomes of those that are held. */
#include <stdio.h>
#include <string.h>

#include "store/limits_scene.h"
#include "util/clock.h"

START_TEST(no_more_tasks_of_a_queue_are_in_flight)
{
	lim_open(_i);
	lim_set(LIMIT_QUEUE, "", 2);
	lim_put("a", NULL, 0);
	lim_put("b", NULL, 0);
	lim_put("c", NULL, 0);
	lim_put("d", NULL, 0);
	lim_take(lim_worker(), 2);
	ck_assert(lim_is_claim(lim_worker(), 0, "a") &&
		  lim_is_claim(lim_worker(), 1, "b"));
	party_settle(lim_worker(), 0, BROKER_ACK);
	lim_take(lim_worker(), 3);
	ck_assert(lim_is_claim(lim_worker(), 2, "c"));
	ck_assert_str_eq(lim_shown(), "q 2 2 0; ");
	lim_set(LIMIT_QUEUE, "", 5);
	lim_take(lim_worker(), 4);
	op_close();
}
END_TEST

START_TEST(a_full_group_is_not_in_the_way_of_others)
{
	lim_open(_i);
	lim_set(LIMIT_EACH_GROUP, "", 1);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_put("a3", "a", 0);
	lim_put("b1", "b", 0);
	lim_put("n1", NULL, 0);
	lim_put("n2", NULL, 0);
	lim_take(lim_worker(), 4);
	ck_assert(lim_has_claim(lim_worker(), 0, "a1"));
	ck_assert(lim_has_claim(lim_worker(), 0, "b1"));
	ck_assert(lim_has_claim(lim_worker(), 0, "n2"));
	ck_assert_int_eq(op_queue(op.producer, "io")->held, 2);
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 2);
	ck_assert_str_eq(lim_shown(), "g 1 0 2; ");
	op_close();
}
END_TEST

START_TEST(what_is_held_starts_in_its_order)
{
	size_t i, at = 0;

	lim_open(_i);
	lim_set(LIMIT_GROUP, "a", 1);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_put("a3", "a", 0);
	lim_put("urgent", "a", -5);
	lim_take(lim_worker(), 1);
	ck_assert(lim_is_claim(lim_worker(), 0, "urgent"));
	for (i = 0; i < 3; i++) {
		char id[] = {'a', (char)('1' + i), '\0'};

		party_settle(lim_worker(), at, BROKER_ACK);
		lim_take(lim_worker(), ++at + 1);
		ck_assert(lim_is_claim(lim_worker(), at, id));
	}
	ck_assert_str_eq(lim_shown(), "g:a 1 1 0; ");
	op_close();
}
END_TEST

START_TEST(a_limit_of_a_name_and_one_of_a_group_both_count)
{
	lim_open(_i);
	lim_set(LIMIT_TASK, "n", 2);
	lim_set(LIMIT_EACH_GROUP, "", 1);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_put("b1", "b", 0);
	lim_put("c1", "c", 0);
	lim_take(lim_worker(), 2);
	ck_assert(lim_has_claim(lim_worker(), 0, "a1"));
	ck_assert(lim_has_claim(lim_worker(), 0, "b1"));
	party_settle(lim_worker(), lim_is_claim(lim_worker(), 0, "b1") ? 0 : 1,
		     BROKER_ACK);
	/* The name has room for one; the group a has none. */
	lim_take(lim_worker(), 3);
	ck_assert(lim_is_claim(lim_worker(), 2, "c1"));
	op_close();
}
END_TEST

static void
put_named(const char *id, const char *name, const char *group)
{
	char bytes[256];

	snprintf(bytes, sizeof(bytes),
		 "{\"id\":\"%s\",\"name\":\"%s\",\"group\":\"%s\","
		 "\"args\":[],\"kwargs\":{}}",
		 id, name, group);
	ck_assert_int_eq(party_submit(op.producer, id, bytes, 0, 0), ERR_NONE);
}

/* One behind the other, they differ by their group, then by their name. */
START_TEST(tasks_that_come_together_count_where_they_belong)
{
	lim_open(_i);
	lim_set(LIMIT_TASK, "m", 9);
	lim_set(LIMIT_TASK, "n", 9);
	lim_set(LIMIT_GROUP, "a", 9);
	put_named("1", "n", "a");
	put_named("2", "n", "a");
	put_named("3", "n", "b");
	put_named("4", "m", "b");
	put_named("5", "n", "a");
	lim_take(lim_worker(), 5);
	ck_assert_str_eq(lim_shown(), "t:m 9 1 0; t:n 9 4 0; g:a 9 3 0; ");
	op_close();
}
END_TEST

START_TEST(a_group_is_found_where_the_limit_says)
{
	lim_open(_i);
	lim_set_by(LIMIT_EACH_GROUP, "", 1, "kwargs.tenant");
	ck_assert_str_eq(lim_shown(), "g 1 0 0; by kwargs.tenant");
	op_submit("{\"id\":\"1\",\"name\":\"n\",\"kwargs\":{\"tenant\":7}}", 0,
		  0);
	op_submit("{\"id\":\"2\",\"name\":\"n\",\"kwargs\":{\"tenant\":7}}", 0,
		  0);
	op_submit("{\"id\":\"3\",\"name\":\"n\",\"kwargs\":{\"tenant\":8}}", 0,
		  0);
	/* The field comes before the path. */
	op_submit("{\"id\":\"4\",\"name\":\"n\",\"group\":\"x\","
		  "\"kwargs\":{\"tenant\":8}}",
		  0, 0);
	lim_take(lim_worker(), 3);
	ck_assert(!lim_has_claim(lim_worker(), 0, "2"));
	op_close();
}
END_TEST

/* Numbers as JSON has them: as a double, two of these are one. */
START_TEST(long_numbers_are_groups_of_their_own)
{
	lim_open(_i);
	lim_set_by(LIMIT_EACH_GROUP, "", 1, "kwargs.id");
	lim_set(LIMIT_GROUP, "0.1", 2);
	op_submit("{\"id\":\"1\",\"name\":\"n\",\"kwargs\":"
		  "{\"id\":1234567890123456789}}",
		  0, 0);
	op_submit("{\"id\":\"2\",\"name\":\"n\",\"kwargs\":"
		  "{\"id\": 1234567890123456788}}",
		  0, 0);
	op_submit("{\"id\":\"3\",\"name\":\"n\",\"kwargs\":"
		  "{\"id\":1234567890123456789}}",
		  0, 0);
	op_submit("{\"id\":\"4\",\"name\":\"n\",\"kwargs\":{\"id\":0.1}}", 0,
		  0);
	op_submit("{\"id\":\"5\",\"name\":\"n\",\"kwargs\":{\"id\":0.1}}", 0,
		  0);
	lim_take(lim_worker(), 4);
	ck_assert(!lim_has_claim(lim_worker(), 0, "3"));
	op_close();
}
END_TEST

#define TEN "xxxxxxxxxx"
#define FIFTY TEN TEN TEN TEN TEN
#define TWO_HUNDRED FIFTY FIFTY FIFTY FIFTY

/* As JSON has them; each is another group. */
START_TEST(groups_of_any_text_are_kept_apart)
{
	static const char *const groups[] = {"\\u0000",	     "\\u0000\\u0000",
					     "\\u0001",	     "a\\u0000b",
					     "a\\u0000",     "a",
					     "{a}",	     "}{",
					     "\xc3\xa9",     "\\\"",
					     "\\\\",	     "%s~;:",
					     TWO_HUNDRED,    TWO_HUNDRED "x",
					     TWO_HUNDRED "y"};
	const size_t n = sizeof(groups) / sizeof(groups[0]);
	char bytes[400];
	size_t i;

	lim_open(_i);
	lim_set(LIMIT_EACH_GROUP, "", 1);
	for (i = 0; i < 2 * n; i++) {
		snprintf(bytes, sizeof(bytes),
			 "{\"id\":\"t%zu\",\"name\":\"n\",\"group\":\"%s\","
			 "\"args\":[]}",
			 i, groups[i % n]);
		op_submit(bytes, 0, 0);
	}
	lim_take(lim_worker(), n);
	for (i = 0; i < n; i++) {
		snprintf(bytes, sizeof(bytes), "t%zu", i);
		ck_assert_msg(lim_has_claim(lim_worker(), 0, bytes), "%s",
			      groups[i]);
	}
	for (i = 0; i < n; i++)
		party_settle(lim_worker(), i, BROKER_ACK);
	lim_take(lim_worker(), 2 * n);
	ck_assert_str_eq(lim_shown(), "g 1 0 0; ");
	op_close();
}
END_TEST

/* In which one it waits, and since when, of a task that two limits may hold. */
START_TEST(what_holds_a_task_is_told)
{
	const int64_t begin_ms = clock_wall_us() / 1000;
	size_t i;

	lim_open(_i);
	lim_set_by(LIMIT_EACH_GROUP, "", 1, "kwargs.tenant");
	lim_set(LIMIT_TASK, "n", 2);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_put("b1", "b", 0);
	lim_put("c1", "c", 0);
	lim_take(lim_worker(), 2);
	op_view(op.producer, BROKER_WAITING, "", 10);
	while (op.told.n == 0 && op.told.next[0] != '\0') {
		char cursor[512];

		snprintf(cursor, sizeof(cursor), "%s", op.told.next);
		op_view(op.producer, BROKER_WAITING, cursor, 10);
	}
	ck_assert_uint_eq(op.told.n, 2);
	for (i = 0; i < 2; i++)
		ck_assert(
		    slice_eq(op.told.items[i].limit,
			     memmem(op.told.items[i].bytes.p,
				    op.told.items[i].bytes.len, "a2", 2) != NULL
				 ? SLICE("g:a")
				 : SLICE("t:n")));
	ck_assert_str_eq(lim_shown(), "t:n 2 2 1; g 1 0 1; by kwargs.tenant");
	ck_assert_int_ge(lim_since(0), begin_ms);
	ck_assert_int_ge(lim_since(1), begin_ms);
	ck_assert_int_le(lim_since(1), clock_wall_us() / 1000);
	lim_unset(LIMIT_TASK, "n");
	lim_take(lim_worker(), 3);
	ck_assert_int_ge(lim_since(0), begin_ms);
	party_settle(lim_worker(), 0, BROKER_ACK);
	lim_take(lim_worker(), 4);
	lim_shown();
	ck_assert_int_eq(lim_since(0), 0);
	op_close();
}
END_TEST

START_TEST(each_end_of_a_claim_frees_its_place)
{
	struct broker_settle release = {.disposition = BROKER_RELEASE};
	struct party *a;

	lim_open(_i);
	a = lim_worker();
	lim_set(LIMIT_GROUP, "a", 1);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_put("a3", "a", 0);
	lim_put("a4", "a", 0);
	lim_take(a, 1);
	party_retry(a, 0, "{\"id\":\"a1\",\"name\":\"n\",\"group\":\"a\"}",
		    HOUR_MS);
	lim_take(a, 2);
	ck_assert(lim_is_claim(a, 1, "a2"));
	party_bury(a, 1, "a2", "{\"reason\":\"crashes\"}");
	lim_take(a, 3);
	ck_assert(lim_is_claim(a, 2, "a3"));
	/* Given back, it is among those that wait: behind what is held. */
	broker_want(a->broker, 0, 0);
	party_settle_with(a, 2, &release);
	lim_take(a, 4);
	party_settle(a, 3, BROKER_ACK);
	lim_take(a, 5);
	ck_assert_str_eq(lim_shown(), "g:a 1 1 0; ");
	op_close();
}
END_TEST

START_TEST(held_tasks_are_shown_cancelled_and_purged)
{
	lim_open(_i);
	lim_set(LIMIT_GROUP, "a", 1);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 3);
	lim_put("a3", "a", 3);
	lim_put("a4", "a", 3);
	lim_take(lim_worker(), 1);
	op_view(op.producer, BROKER_WAITING, "", 10);
	while (op.told.n == 0 && op.told.next[0] != '\0') {
		char cursor[512];

		snprintf(cursor, sizeof(cursor), "%s", op.told.next);
		op_view(op.producer, BROKER_WAITING, cursor, 10);
	}
	ck_assert_uint_eq(op.told.n, 3);
	ck_assert_int_eq(op.told.items[0].priority, 3);
	ck_assert(op.told.items[0].held);
	ck_assert(slice_eq(op.told.items[0].limit, SLICE("g:a")));
	ck_assert(op_withdraw(op.producer, "a2"));
	party_settle(lim_worker(), 0, BROKER_ACK);
	lim_take(lim_worker(), 2);
	ck_assert(lim_is_claim(lim_worker(), 1, "a3"));
	while (op_queue(op.producer, "io")->waiting > 0)
		op_purge(op.producer, 10);
	party_settle(lim_worker(), 1, BROKER_ACK);
	lim_put("a5", "a", 0);
	lim_take(lim_worker(), 3);
	ck_assert(lim_is_claim(lim_worker(), 2, "a5"));
	op_close();
}
END_TEST

START_TEST(a_limit_counts_what_is_in_flight_already)
{
	lim_open(_i);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_take(lim_worker(), 2);
	lim_set(LIMIT_EACH_GROUP, "", 2);
	lim_put("a3", "a", 0);
	lim_put("b1", "b", 0);
	lim_take(lim_worker(), 3);
	ck_assert(lim_is_claim(lim_worker(), 2, "b1"));
	party_settle(lim_worker(), 0, BROKER_ACK);
	lim_take(lim_worker(), 4);
	op_close();
}
END_TEST

/* The worker does not want anything when the limit comes, so that it does not look;
 * what it ends then has to be counted all the same. */
START_TEST(a_worker_that_is_full_learns_of_a_limit)
{
	lim_open(_i);
	lim_put("a1", "a", 0);
	op_take(lim_worker(), 1);
	lim_set(LIMIT_EACH_GROUP, "", 1);
	lim_put("a2", "a", 0);
	party_settle(lim_worker(), 0, BROKER_ACK);
	lim_take(lim_worker(), 2);
	ck_assert(lim_is_claim(lim_worker(), 1, "a2"));
	op_close();
}
END_TEST

START_TEST(without_a_limit_what_it_held_starts)
{
	lim_open(_i);
	lim_set(LIMIT_GROUP, "a", 1);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_put("a3", "a", 0);
	lim_take(lim_worker(), 1);
	ck_assert(!lim_unset(LIMIT_GROUP, "b"));
	ck_assert(lim_unset(LIMIT_GROUP, "a"));
	lim_take(lim_worker(), 3);
	ck_assert_str_eq(lim_shown(), "");
	/* It is a queue like others again. */
	lim_put("a4", "a", 0);
	lim_take(lim_worker(), 4);
	ck_assert_int_eq(op_queue(op.producer, "io")->held, 0);
	op_close();
}
END_TEST

START_TEST(a_paused_queue_starts_nothing_that_is_held)
{
	lim_open(_i);
	lim_set(LIMIT_GROUP, "a", 1);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_take(lim_worker(), 1);
	op_pause(op.producer, "io", true);
	party_settle(lim_worker(), 0, BROKER_ACK);
	op_nothing_comes(lim_worker());
	op_pause(op.producer, "io", false);
	lim_take(lim_worker(), 2);
	op_close();
}
END_TEST

/* Each frees what the other one waits for. */
START_TEST(workers_share_a_limit)
{
	struct party *b;

	lim_open(_i);
	b = party_open(&op.stage, "host:b");
	lim_set(LIMIT_GROUP, "a", 1);
	broker_want(b->broker, 0, 1);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	UNTIL(&op.stage, b->n_claims == 1);
	broker_want(b->broker, 0, 0);
	broker_want(lim_worker()->broker, 0, 1);
	stage_linger(&op.stage, 50);
	ck_assert_uint_eq(lim_worker()->n_claims, 0);
	party_settle(b, 0, BROKER_ACK);
	UNTIL(&op.stage, lim_worker()->n_claims == 1);
	ck_assert(lim_is_claim(lim_worker(), 0, "a2"));
	party_close(b);
	op_close();
}
END_TEST

/* A worker that dies leaves its tasks in flight: they count until another one has
 * them, and then with that. */
START_TEST(what_a_worker_has_counts_when_it_is_gone)
{
	struct party *b;

	lim_open(_i);
	lim_set(LIMIT_GROUP, "a", 1);
	lim_put("a1", "a", 0);
	lim_put("a2", "a", 0);
	lim_take(lim_worker(), 1);
	party_close(op.worker);
	b = party_open(&op.stage, "host:b");
	broker_want(b->broker, 0, 5);
	stage_linger(&op.stage, 100);
	ck_assert_uint_eq(b->n_claims, 0);
	op.worker = party_open(&op.stage, "host:a");
	UNTIL(&op.stage, lim_worker()->n_claims == 1);
	ck_assert(lim_is_claim(lim_worker(), 0, "a1"));
	party_settle(lim_worker(), 0, BROKER_ACK);
	UNTIL(&op.stage, b->n_claims == 1);
	ck_assert(lim_is_claim(b, 0, "a2"));
	party_close(b);
	op_close();
}
END_TEST

/* A tenant with many tasks takes no turn of those with few. */
START_TEST(groups_take_turns)
{
	char id[16];
	size_t i;

	lim_open(_i);
	lim_set(LIMIT_QUEUE, "", 1);
	lim_set(LIMIT_EACH_GROUP, "", 1);
	for (i = 0; i < 20; i++) {
		snprintf(id, sizeof(id), "g%zu", i);
		lim_put(id, "greedy", 0);
	}
	lim_set(LIMIT_QUEUE, "", 2);
	lim_take(lim_worker(), 1);
	lim_put("b1", "b", 0);
	lim_put("b2", "b", 0);
	lim_take(lim_worker(), 2);
	ck_assert(lim_is_claim(lim_worker(), 1, "b1"));
	party_settle(lim_worker(), 1, BROKER_ACK);
	lim_take(lim_worker(), 3);
	ck_assert(lim_is_claim(lim_worker(), 2, "b2"));
	op_close();
}
END_TEST

/* Those of the store are counted, each group by itself. */
START_TEST(many_groups_are_held_and_released)
{
	enum { GROUPS = 300 };
	char id[16], group[16];
	size_t i;

	lim_open(_i);
	lim_set(LIMIT_EACH_GROUP, "", 1);
	for (i = 0; i < 2 * GROUPS; i++) {
		snprintf(id, sizeof(id), "t%zu", i);
		snprintf(group, sizeof(group), "%zu", i % GROUPS);
		lim_put(id, group, 0);
	}
	broker_want(lim_worker()->broker, 0, 1000);
	UNTIL(&op.stage, lim_worker()->n_claims == GROUPS);
	stage_linger(&op.stage, 50);
	ck_assert_uint_eq(lim_worker()->n_claims, GROUPS);
	ck_assert_int_eq(op_queue(op.producer, "io")->held, GROUPS);
	for (i = 0; i < GROUPS; i++)
		party_settle(lim_worker(), i, BROKER_ACK);
	UNTIL(&op.stage, lim_worker()->n_claims == 2 * GROUPS);
	op_close();
}
END_TEST

START_TEST(what_cannot_be_a_limit_is_refused)
{
	struct broker_limit_change c = {.queue = SLICE("io"),
					.rule = {.kind = LIMIT_GROUP,
						 .key = SLICE("\x01"),
						 .concurrency = 1}};

	lim_open(_i);
	op.producer->answered = false;
	broker_limits_change(op.producer->broker, &c, party_on_value,
			     op.producer);
	UNTIL(&op.stage, op.producer->answered);
	ck_assert_int_eq(op.producer->err.code, ERR_DATA);
	c.rule = (struct limit_rule){.kind = LIMIT_QUEUE, .concurrency = 0};
	op.producer->answered = false;
	broker_limits_change(op.producer->broker, &c, party_on_value,
			     op.producer);
	UNTIL(&op.stage, op.producer->answered);
	ck_assert_int_eq(op.producer->err.code, ERR_DATA);
	c.rule.concurrency = 1;
	c.by = SLICE("tenant");
	op.producer->answered = false;
	broker_limits_change(op.producer->broker, &c, party_on_value,
			     op.producer);
	UNTIL(&op.stage, op.producer->answered);
	ck_assert_int_eq(op.producer->err.code, ERR_DATA);
	ck_assert_str_eq(lim_shown(), "");
	op_close();
}
END_TEST

#define CASES(kind)                                                            \
	X(no_more_tasks_of_a_queue_are_in_flight, kind)                        \
	X(a_full_group_is_not_in_the_way_of_others, kind)                      \
	X(what_is_held_starts_in_its_order, kind)                              \
	X(a_limit_of_a_name_and_one_of_a_group_both_count, kind)               \
	X(tasks_that_come_together_count_where_they_belong, kind)              \
	X(a_group_is_found_where_the_limit_says, kind)                         \
	X(long_numbers_are_groups_of_their_own, kind)                          \
	X(groups_of_any_text_are_kept_apart, kind)                             \
	X(what_holds_a_task_is_told, kind)                                     \
	X(each_end_of_a_claim_frees_its_place, kind)                           \
	X(held_tasks_are_shown_cancelled_and_purged, kind)                     \
	X(a_limit_counts_what_is_in_flight_already, kind)                      \
	X(a_worker_that_is_full_learns_of_a_limit, kind)                       \
	X(without_a_limit_what_it_held_starts, kind)                           \
	X(a_paused_queue_starts_nothing_that_is_held, kind)                    \
	X(workers_share_a_limit, kind)                                         \
	X(what_a_worker_has_counts_when_it_is_gone, kind)                      \
	X(groups_take_turns, kind)                                             \
	X(many_groups_are_held_and_released, kind)                             \
	X(what_cannot_be_a_limit_is_refused, kind)

LIMITS_SUITES("limits")
