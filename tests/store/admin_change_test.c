/* SPDX-License-Identifier: MIT */
/* What operate.h promises to those who change things, of every implementation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/admin_scene.h"

/* --- pausing ----------------------------------------------------------- */

/* Whether it was delayed, and is due now. */
static bool
hasten(const char *id)
{
	char cursor[512] = "";

	do {
		op_forget();
		broker_hasten(op.producer->broker, SLICE("io"), slice_of(id),
			      slice_of(cursor), op_on_page, NULL);
		op_wait_told();
		ck_assert_msg(op.told.err.code == ERR_NONE, "%s",
			      op.told.err.msg);
		snprintf(cursor, sizeof(cursor), "%s", op.told.next);
	} while (op.told.n == 0 && cursor[0] != '\0');
	return op.told.n == 1;
}

#define TASK(id) "{\"id\":\"" id "\",\"name\":\"t\"}"

/* A worker that waits for a task gets it at once. */
START_TEST(a_delayed_task_can_be_made_due)
{
	op_open(_i);
	op_submit(TASK("later"), 3, 3600000);
	op_submit(TASK("last"), 0, 7200000);
	broker_want(op.worker->broker, 0, 5);
	op_nothing_comes(op.worker);
	ck_assert(!hasten("nope"));
	ck_assert(hasten("later"));
	ck_assert_str_eq(op.told.items[0].bytes.p, TASK("later"));
	UNTIL(&op.stage, op.worker->n_claims == 1);
	ck_assert(party_has(op.worker, 0, TASK("later")));
	/* It is in flight, and not delayed any more. */
	ck_assert(!hasten("later"));
	ck_assert_str_eq(op_view_all(op.producer, BROKER_DELAYED, 2),
			 TASK("last") " ");
	op_close();
}
END_TEST

/* Sends a task off from io, wherever it is there; whether it was there. */
static bool
send_off(const char *id, const char *to)
{
	char cursor[512] = "";
	struct broker_send_off s = {
	    .queue = SLICE("io"), .id = slice_of(id), .to = slice_of(to)};

	do {
		op_forget();
		s.cursor = slice_of(cursor);
		broker_send_off(op.producer->broker, &s, op_on_page, NULL);
		op_wait_told();
		if (op.told.err.code != ERR_NONE)
			return false;
		snprintf(cursor, sizeof(cursor), "%s", op.told.next);
	} while (op.told.n == 0 && cursor[0] != '\0');
	return op.told.n == 1;
}

static bool delivered;
static char delivered_n[24];

static void
on_delivered(struct slice value, const struct err *err, void *arg)
{
	ck_assert_ptr_null(err);
	snprintf(delivered_n, sizeof(delivered_n), "%.*s", (int)value.len,
		 value.p != NULL ? value.p : "");
	delivered = true;
}

/* Until there are none. Twice at the same time: they must not hinder each other. */
static void
deliver(const char *queue)
{
	do {
		delivered = false;
		broker_deliver(op.producer->broker, slice_of(queue),
			       on_delivered, NULL);
		UNTIL(&op.stage, delivered);
	} while (atoi(delivered_n) > 0);
}

#define MOVED(id, more)                                                        \
	"{\"id\":\"" id "\",\"name\":\"t\"" more ",\"queue\":\"cpu\"}"

START_TEST(tasks_go_to_another_queue_in_their_order_and_as_they_were)
{
	size_t i;

	op_open(_i);
	op_submit(TASK("a"), 0, 0);
	op_submit(TASK("b"), 0, 0);
	op_submit(TASK("stays"), 0, 0);
	op_submit("{\"id\":\"c\",\"name\":\"t\",\"priority\":-3}", -3, 0);
	op_submit("{\"id\":\"d\",\"name\":\"t\",\"priority\":5}", 5, 3600000);
	ck_assert(!send_off("nope", "cpu"));
	ck_assert(!send_off("a", "io"));
	ck_assert_int_eq(op.told.err.code, ERR_DATA);
	ck_assert(!send_off("a", "c pu"));
	ck_assert_int_eq(op.told.err.code, ERR_DATA);
	ck_assert(send_off("a", "cpu"));
	ck_assert_str_eq(op.told.items[0].bytes.p, TASK("a"));
	ck_assert(!send_off("a", "cpu"));
	ck_assert(send_off("b", "cpu"));
	ck_assert(send_off("c", "cpu"));
	ck_assert(send_off("d", "cpu"));
	deliver("io");
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 1);
	ck_assert_int_eq(op_queue(op.producer, "io")->delayed, 0);
	ck_assert_int_eq(op_queue(op.producer, "cpu")->waiting, 3);
	ck_assert_int_eq(op_queue(op.producer, "cpu")->delayed, 1);
	broker_want(op.worker->broker, 1, 10);
	UNTIL(&op.stage, op.worker->n_claims == 3);
	ck_assert(party_has(op.worker, 0, MOVED("c", ",\"priority\":-3")));
	ck_assert(party_has(op.worker, 1, MOVED("a", "")));
	ck_assert(party_has(op.worker, 2, MOVED("b", "")));
	/* One that is claimed is not there. */
	broker_want(op.worker->broker, 0, 1);
	UNTIL(&op.stage, op.worker->n_claims == 4);
	ck_assert(!send_off("stays", "cpu"));
	for (i = 0; i < 2; i++)
		deliver("io");
	ck_assert_int_eq(op_queue(op.producer, "cpu")->waiting, 0);
	op_close();
}
END_TEST

START_TEST(a_paused_queue_gives_nothing_until_it_is_resumed)
{
	struct party *other;

	op_open(_i);
	op_submit("[1]", 0, 0);
	op_pause(op.producer, "io", true);
	ck_assert(op_queue(op.producer, "io")->paused);
	broker_want(op.worker->broker, 0, 10);
	op_submit("[2]", 0, 0);
	op_submit("[3]", -3, 0);
	op_nothing_comes(op.worker);
	/* One that comes later knows of it, too. */
	other = party_open(&op.stage, "host:b");
	broker_want(other->broker, 0, 10);
	op_nothing_comes(other);
	party_close(other);
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 3);
	op_pause(op.producer, "io", false);
	UNTIL(&op.stage, op.worker->n_claims == 3);
	ck_assert(party_has(op.worker, 0, "[3]"));
	ck_assert(party_has(op.worker, 1, "[1]"));
	ck_assert(party_has(op.worker, 2, "[2]"));
	ck_assert(!op_queue(op.producer, "io")->paused);
	op_close();
}
END_TEST

START_TEST(an_idle_worker_takes_nothing_after_the_pause)
{
	op_open(_i);
	broker_want(op.worker->broker, 0, 10);
	stage_linger(&op.stage, 100);
	op_pause(op.producer, "io", true);
	op_submit("[1]", 0, 0);
	op_submit("[2]", 0, 0);
	op_nothing_comes(op.worker);
	op_submit("[3]", 5, 0);
	op_nothing_comes(op.worker);
	UNTIL(&op.stage, op_queue(op.producer, "io")->waiting == 3);
	op_pause(op.producer, "io", false);
	UNTIL(&op.stage, op.worker->n_claims == 3);
	ck_assert(party_has(op.worker, 0, "[1]"));
	ck_assert(party_has(op.worker, 1, "[2]"));
	ck_assert(party_has(op.worker, 2, "[3]"));
	op_close();
}
END_TEST

START_TEST(other_queues_go_on_while_one_is_paused)
{
	struct broker_submit task = {
	    .queue = "cpu", .id = SLICE("1"), .bytes = SLICE("[1]")};

	op_open(_i);
	op_pause(op.producer, "io", true);
	broker_want(op.worker->broker, 0, 10);
	broker_want(op.worker->broker, 1, 10);
	op_submit("[0]", 0, 0);
	ck_assert_int_eq(party_submit_with(op.producer, &task), ERR_NONE);
	UNTIL(&op.stage, op.worker->n_claims == 1);
	ck_assert(party_has(op.worker, 0, "[1]"));
	op_nothing_comes(op.worker);
	op_close();
}
END_TEST

START_TEST(what_was_claimed_before_the_pause_goes_on)
{
	op_open(_i);
	op_submit("[1]", 0, 0);
	op_submit("[2]", 0, 0);
	op_submit("[3]", 0, 0);
	op_take(op.worker, 3);
	op_pause(op.producer, "io", true);
	broker_want(op.worker->broker, 0, 10);
	party_settle(op.worker, 0, BROKER_ACK);
	party_settle(op.worker, 1, BROKER_RELEASE);
	op_nothing_comes(op.worker);
	/* As if it had died: what it had is still its own. */
	party_close(op.worker);
	op.worker = party_open(&op.stage, "host:a");
	broker_want(op.worker->broker, 0, 10);
	UNTIL(&op.stage, op.worker->n_claims == 1);
	ck_assert(party_has(op.worker, 0, "[3]"));
	ck_assert(op.worker->claims[0]->recovered);
	op_nothing_comes(op.worker);
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 1);
	op_close();
}
END_TEST

START_TEST(a_delayed_task_that_is_due_waits_for_the_end_of_a_pause)
{
	op_open(_i);
	broker_want(op.worker->broker, 0, 10);
	op_pause(op.producer, "io", true);
	op_submit("[1]", 0, 50);
	op_submit("[2]", 3, 50);
	stage_linger(&op.stage, 100);
	op_nothing_comes(op.worker);
	op_pause(op.producer, "io", false);
	UNTIL(&op.stage, op.worker->n_claims == 2);
	op_close();
}
END_TEST

START_TEST(a_pause_that_is_over_can_come_again)
{
	int i;

	op_open(_i);
	broker_want(op.worker->broker, 0, 100);
	for (i = 0; i < 5; i++) {
		op_pause(op.producer, "io", true);
		op_pause(op.producer, "io", true);
		op_submit("[1]", 0, 0);
		op_nothing_comes(op.worker);
		op_pause(op.producer, "io", false);
		op_pause(op.producer, "io", false);
		UNTIL(&op.stage, op.worker->n_claims == (size_t)i + 1);
	}
	op_close();
}
END_TEST

/* --- taking out -------------------------------------------------------- */

START_TEST(a_purge_takes_what_waits_and_is_delayed_and_shows_it)
{
	size_t n = 0, calls = 0;
	char bytes[16];
	int i;

	op_open(_i);
	op_bury("[0]", "dead", "{}");
	op_submit("[1]", 0, 0);
	op_take(op.worker, 1);
	broker_want(op.worker->broker, 0, 0);
	for (i = 0; i < 4; i++) {
		op_submit("[2]", 0, 0);
		op_submit("[3]", i, 0);
		snprintf(bytes, sizeof(bytes), "[4,%d]", i);
		op_submit(bytes, 0, HOUR_MS);
	}
	do {
		op_purge(op.producer, 5);
		ck_assert_uint_le(op.told.n, 5);
		n += op.told.n;
		calls++;
	} while (op.told.next[0] != '\0');
	ck_assert_uint_eq(n, 12);
	ck_assert_uint_ge(calls, 3);
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 0);
	ck_assert_int_eq(op_queue(op.producer, "io")->delayed, 0);
	ck_assert_int_eq(op_queue(op.producer, "io")->in_flight, 1);
	ck_assert_int_eq(op_queue(op.producer, "io")->dead, 1);
	op_purge(op.producer, 5);
	ck_assert_uint_eq(op.told.n, 0);
	ck_assert_str_eq(op.told.next, "");
	op_submit("[9]", 0, 0);
	op_submit("[8]", 2, 0);
	op_take(op.worker, 2);
	ck_assert(party_has(op.worker, 2, "[9]"));
	ck_assert(party_has(op.worker, 3, "[8]"));
	op_close();
}
END_TEST

START_TEST(a_purged_task_is_shown_as_it_was)
{
	op_open(_i);
	op_submit("[\"only\"]", 4, 0);
	op_purge(op.producer, BROKER_PAGE_MAX);
	ck_assert_uint_eq(op.told.n, 1);
	ck_assert_str_eq(op.told.items[0].bytes.p, "[\"only\"]");
	op_close();
}
END_TEST

START_TEST(a_task_is_withdrawn_wherever_it_waits)
{
	op_open(_i);
	op_submit("{\"id\":\"a\",\"name\":\"n\"}", 0, 0);
	op_submit("{\"name\": \"n\", \"id\": \"b\"}", 0, 0);
	op_submit("{\"id\":\"c\",\"priority\":5}", 5, 0);
	op_submit("{\"id\":\"d\"}", 0, HOUR_MS);
	ck_assert(op_withdraw(op.producer, "b"));
	ck_assert_str_eq(op.told.items[0].bytes.p,
			 "{\"name\": \"n\", \"id\": \"b\"}");
	ck_assert(op_withdraw(op.producer, "c"));
	ck_assert(op_withdraw(op.producer, "d"));
	ck_assert(!op_withdraw(op.producer, "b"));
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 1);
	ck_assert_int_eq(op_queue(op.producer, "io")->delayed, 0);
	broker_want(op.worker->broker, 0, 10);
	UNTIL(&op.stage, op.worker->n_claims == 1);
	op_nothing_comes(op.worker);
	ck_assert(party_has(op.worker, 0, "{\"id\":\"a\",\"name\":\"n\"}"));
	op_close();
}
END_TEST

START_TEST(only_the_task_with_the_very_id_is_withdrawn)
{
	op_open(_i);
	op_submit("{\"id\":\"seven7\",\"args\":[\"7\",{\"id\":\"7\"}]}", 0, 0);
	op_submit("{\"id\":7}", 0, 0);
	op_submit("[{\"id\":\"7\"}]", 0, 0);
	op_submit("no JSON, but \"id\":\"7\"", 0, 0);
	op_submit("{\"id\":\"77\",\"name\":\"7\"}", 0, HOUR_MS);
	ck_assert(!op_withdraw(op.producer, "7"));
	ck_assert(!op_withdraw(op.producer, "%d+"));
	ck_assert(!op_withdraw(op.producer, "seven"));
	op_submit("{\"id\":\"a\\\"\\\\b\"}", 0, 0);
	ck_assert(op_withdraw(op.producer, "a\"\\b"));
	op_submit("{\"id\":\"a\\/\\u0062\"}", 0, 0);
	ck_assert(op_withdraw(op.producer, "a/b"));
	/* What no worker takes. */
	op_submit("{\"name\":\"n\",\"id\":\"half\",\"args\":[\"\\ud800\"]}", 0,
		  0);
	ck_assert(op_withdraw(op.producer, "half"));
	op_submit("{\"id\":\"7\",\"args\":[\"seven7\"]}", 0, 0);
	ck_assert(op_withdraw(op.producer, "seven7"));
	ck_assert_str_eq(op.told.items[0].bytes.p,
			 "{\"id\":\"seven7\",\"args\":[\"7\",{\"id\":\"7\"}]}");
	ck_assert(op_withdraw(op.producer, "7"));
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting, 3);
	ck_assert_int_eq(op_queue(op.producer, "io")->delayed, 1);
	op_close();
}
END_TEST

START_TEST(what_is_in_flight_is_not_withdrawn)
{
	op_open(_i);
	op_submit("{\"id\":\"a\"}", 0, 0);
	op_take(op.worker, 1);
	ck_assert(!op_withdraw(op.producer, "a"));
	party_settle(op.worker, 0, BROKER_RELEASE);
	ck_assert(op_withdraw(op.producer, "a"));
	op_close();
}
END_TEST

START_TEST(one_of_many_is_found_and_withdrawn)
{
	enum { N = 9000 };
	struct broker_submit *tasks = calloc(N, sizeof(*tasks));
	char(*bytes)[32] = calloc(N, sizeof(*bytes));
	static const int sought[] = {1, N / 2, N - 1, 0};
	char id[16];
	size_t i;

	op_open(_i);
	for (i = 0; i < N; i++) {
		snprintf(bytes[i], sizeof(bytes[i]), "{\"id\":\"t%zu\"}", i);
		tasks[i] = (struct broker_submit){.queue = "io",
						  .id = SLICE("id"),
						  .bytes = slice_of(bytes[i]),
						  .priority = (int32_t)(i % 2),
						  .delay_ms =
						      i % 3 == 0 ? HOUR_MS : 0};
	}
	party_submit_batch(op.producer, tasks, N);
	for (i = 0; i < sizeof(sought) / sizeof(sought[0]); i++) {
		snprintf(id, sizeof(id), "t%d", sought[i]);
		ck_assert_msg(op_withdraw(op.producer, id), "%s", id);
		ck_assert_str_eq(op.told.items[0].bytes.p, bytes[sought[i]]);
	}
	ck_assert(!op_withdraw(op.producer, "t"));
	ck_assert_int_eq(op_queue(op.producer, "io")->waiting +
			     op_queue(op.producer, "io")->delayed,
			 N - 4);
	free(bytes);
	free(tasks);
	op_close();
}
END_TEST

#define CASES(kind)                                                            \
	X(tasks_go_to_another_queue_in_their_order_and_as_they_were, kind)     \
	X(a_paused_queue_gives_nothing_until_it_is_resumed, kind)              \
	X(an_idle_worker_takes_nothing_after_the_pause, kind)                  \
	X(other_queues_go_on_while_one_is_paused, kind)                        \
	X(what_was_claimed_before_the_pause_goes_on, kind)                     \
	X(a_delayed_task_that_is_due_waits_for_the_end_of_a_pause, kind)       \
	X(a_pause_that_is_over_can_come_again, kind)                           \
	X(a_purge_takes_what_waits_and_is_delayed_and_shows_it, kind)          \
	X(a_purged_task_is_shown_as_it_was, kind)                              \
	X(a_task_is_withdrawn_wherever_it_waits, kind)                         \
	X(only_the_task_with_the_very_id_is_withdrawn, kind)                   \
	X(what_is_in_flight_is_not_withdrawn, kind)                            \
	X(one_of_many_is_found_and_withdrawn, kind)                            \
	X(a_delayed_task_can_be_made_due, kind)

OPERATE_SUITES
