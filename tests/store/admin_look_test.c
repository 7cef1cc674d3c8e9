/* SPDX-License-Identifier: MIT */
/* What operate.h promises to those who look, of every implementation. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/admin_scene.h"
#include "util/clock.h"

/* --- looking ----------------------------------------------------------- */

static int64_t
parse_time(const char *text)
{
	int64_t us = 0;

	ck_assert_int_eq(clock_parse(text, &us, NULL), 0);
	return us;
}

START_TEST(a_queue_says_what_is_in_it)
{
	const struct queue_stats *io;

	op_open(_i);
	op_bury("{\"id\":\"dead\"}", "dead", "{}");
	op_submit("{\"id\":\"1\",\"submitted_at\":"
		  "\"2026-11-23T10:00:00.000000+00:00\"}",
		  0, 0);
	op_take(op.worker, 1);
	op_submit("{\"id\":\"2\",\"submitted_at\":"
		  "\"2026-11-23T10:00:02.000000+00:00\"}",
		  0, 0);
	op_submit("{\"id\":\"3\"}", 0, 0);
	op_submit("{\"id\":\"4\",\"submitted_at\":"
		  "\"2026-11-23T10:00:01.000000+00:00\"}",
		  7, 0);
	op_submit("{\"id\":\"5\"}", 0, 2 * HOUR_MS);
	op_submit("{\"id\":\"6\"}", 0, HOUR_MS);
	io = op_queue(op.producer, "io");
	ck_assert_str_eq(io->name, "io");
	ck_assert_int_eq(io->waiting, 3);
	ck_assert_int_eq(io->delayed, 2);
	ck_assert_int_eq(io->in_flight, 1);
	ck_assert_int_eq(io->dead, 1);
	ck_assert(!io->paused);
	ck_assert_int_eq(io->oldest_us,
			 parse_time("2026-11-23T10:00:01.000000+00:00"));
	ck_assert_int_lt(
	    llabs(io->next_due_us / 1000 - clock_wall_us() / 1000 - HOUR_MS),
	    60000);
	op_close();
}
END_TEST

START_TEST(an_unknown_queue_is_empty_and_stays_unknown)
{
	const struct queue_stats *one;

	op_open(_i);
	one = op_queue(op.producer, "nobody");
	ck_assert_str_eq(one->name, "nobody");
	ck_assert_int_eq(one->waiting, 0);
	ck_assert_int_eq(one->oldest_us, 0);
	ck_assert_int_eq(one->next_due_us, 0);
	ck_assert_uint_eq(op_queues(op.producer), 2);
	op_close();
}
END_TEST

START_TEST(all_queues_that_were_named_are_told_in_their_order)
{
	static const char *const names[] = {"a.mail", "cpu", "io", "later"};
	struct broker_submit tasks[] = {
	    {.queue = "a.mail", .id = SLICE("1"), .bytes = SLICE("{}")},
	    {.queue = "later",
	     .id = SLICE("2"),
	     .bytes = SLICE("{}"),
	     .delay_ms = HOUR_MS}};
	size_t i;

	op_open(_i);
	ck_assert_int_eq(party_submit_with(op.producer, &tasks[0]), ERR_NONE);
	ck_assert_int_eq(party_submit_with(op.producer, &tasks[1]), ERR_NONE);
	ck_assert_uint_eq(op_queues(op.producer), 4);
	for (i = 0; i < 4; i++)
		ck_assert_str_eq(op.told.queues[i].name, names[i]);
	op_close();
}
END_TEST

START_TEST(workers_are_told_with_what_they_have)
{
	const struct worker_info *a = &op.told.workers[0], *b = a + 1;
	struct party *other;

	op_open(_i);
	other = party_open(&op.stage, "host:b");
	broker_heartbeat(other->broker, SLICE("{\"slots\": 4}"));
	op_submit("[1]", 0, 0);
	op_submit("[2]", 0, 0);
	op_take(op.worker, 2);
	while (op_workers(op.producer) < 2 || !b->alive)
		;
	ck_assert_uint_eq(op.told.n, 2);
	ck_assert_str_eq(a->name, "host:a");
	ck_assert_int_eq(a->in_flight, 2);
	ck_assert_str_eq(b->name, "host:b");
	ck_assert_int_eq(b->in_flight, 0);
	/* The store may add to it which process it is. */
	ck_assert_ptr_nonnull(strstr(op.told.descriptions[1], "\"slots\": 4}"));
	party_close(other);
	op_close();
}
END_TEST

START_TEST(what_a_worker_has_counts_before_it_says_anything)
{
	struct party *other;

	op_open(_i);
	other = party_open(&op.stage, "host:b");
	op_submit("[1]", 0, 0);
	op_take(other, 1);
	ck_assert_int_eq(op_queue(op.producer, "io")->in_flight, 1);
	ck_assert_uint_eq(op_workers(op.producer), 2);
	ck_assert_int_eq(op.told.workers[1].in_flight, 1);
	/* SQLite takes a word for that. */
	ck_assert(op.told.workers[1].alive || op.stage.kind == KIND_SQLITE);
	party_close(other);
	op_close();
}
END_TEST

/* Many enough that it is asked first who may have anything where. "host:a" lists
 * another queue than that whose tasks it has; the last one is dead, and lists
 * nothing. */
START_TEST(among_many_queues_and_workers_none_in_flight_is_missed)
{
	struct broker_submit task = {.id = SLICE("1"), .bytes = SLICE("{}")};
	struct party *others[11];
	char name[16];
	size_t i;

	op_open(_i);
	/* To open so many workers of a Cluster can take longer than one lives that
	 * says nothing more: the others would take its tasks. */
	if (op.stage.cluster != NULL) {
		op_close();
		return;
	}
	for (i = 0; i < 28; i++) {
		snprintf(name, sizeof(name), "q%zu", i);
		task.queue = name;
		ck_assert_int_eq(party_submit_with(op.producer, &task),
				 ERR_NONE);
	}
	for (i = 0; i < 11; i++) {
		snprintf(name, sizeof(name), "host:%zu", 10 + i);
		others[i] = party_open(&op.stage, name);
		broker_heartbeat(others[i]->broker,
				 SLICE("{\"queues\":[\"io\",\"q7\"]}"));
	}
	op_submit("[1]", 0, 0);
	op_submit("[2]", 0, 0);
	op_take(op.worker, 1);
	op_take(others[10], 1);
	broker_heartbeat(op.worker->broker, SLICE("{\"queues\":[\"q7\"]}"));
	while (op_workers(op.producer) < 12)
		;
	op_silence("host:20");
	ck_assert_uint_ge(op_queues(op.producer), 29);
	for (i = 0; i < op.told.n; i++)
		ck_assert_int_eq(op.told.queues[i].in_flight,
				 strcmp(op.told.queues[i].name, "io") == 0 ? 2
									   : 0);
	ck_assert_uint_eq(op_workers(op.producer), 12);
	ck_assert_int_eq(op.told.workers[11].in_flight, 1);
	ck_assert_str_eq(op.told.workers[11].name, "host:a");
	ck_assert_int_eq(op.told.workers[10].in_flight, 1);
	ck_assert(!op.told.workers[10].alive);
	for (i = 0; i < 11; i++)
		party_close(others[i]);
	op_close();
}
END_TEST

START_TEST(a_worker_that_is_silent_is_not_alive_and_one_that_left_is_gone)
{
	struct party *other;

	op_open(_i);
	other = party_open(&op.stage, "host:b");
	broker_heartbeat(other->broker, SLICE("{}"));
	while (op_workers(op.producer) != 2)
		;
	broker_deregister(other->broker);
	while (op_workers(op.producer) != 1)
		;
	party_close(other);
	op_silence("host:a");
	ck_assert_uint_eq(op_workers(op.producer), 1);
	ck_assert_str_eq(op.told.workers[0].name, "host:a");
	ck_assert(!op.told.workers[0].alive);
	op_close();
}
END_TEST

START_TEST(waiting_tasks_are_viewed_the_newest_first_and_level_by_level)
{
	static const char expected[] = "[5] [3] [4] [2] [1] [6] ";
	static const unsigned int sizes[] = {1, 2, 3, BROKER_PAGE_MAX};
	size_t i;

	op_open(_i);
	op_submit("[1]", 0, 0);
	op_submit("[2]", 0, 0);
	op_submit("[3]", 7, 0);
	op_submit("[4]", 0, 0);
	op_submit("[5]", 7, 0);
	op_submit("[6]", -1, 0);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		ck_assert_str_eq(
		    op_view_all(op.producer, BROKER_WAITING, sizes[i]),
		    expected);
	op_view(op.producer, BROKER_WAITING, "", 1);
	ck_assert_int_eq(op.told.items[0].priority, 7);
	/* Nothing has changed. */
	op_take(op.worker, 6);
	ck_assert(party_has(op.worker, 0, "[6]"));
	ck_assert(party_has(op.worker, 5, "[5]"));
	op_close();
}
END_TEST

START_TEST(delayed_tasks_are_viewed_the_last_due_first)
{
	int64_t due_ms;

	op_open(_i);
	op_submit("[2]", 0, 2 * HOUR_MS);
	op_submit("[3]", 4, 3 * HOUR_MS);
	op_submit("[1]", 0, HOUR_MS);
	ck_assert_str_eq(op_view_all(op.producer, BROKER_DELAYED, 2),
			 "[3] [2] [1] ");
	op_view(op.producer, BROKER_DELAYED, "", 1);
	due_ms = op.told.items[0].time_ms - clock_wall_us() / 1000;
	ck_assert_int_lt(llabs(due_ms - 3 * HOUR_MS), 60000);
	op_close();
}
END_TEST

START_TEST(tasks_in_flight_are_viewed_with_their_worker)
{
	struct party *other;
	const char *all;
	size_t i;

	op_open(_i);
	other = party_open(&op.stage, "host:b");
	broker_heartbeat(other->broker, SLICE("{}"));
	op_submit("[1]", 0, 0);
	op_take(op.worker, 1);
	op_submit("[2]", 0, 0);
	op_submit("[3]", 0, 0);
	op_take(other, 2);
	while (op_workers(op.producer) != 2)
		;
	all = op_view_all(op.producer, BROKER_IN_FLIGHT, 1);
	ck_assert_uint_eq(strlen(all), strlen("[1] [2] [3] "));
	ck_assert_ptr_nonnull(strstr(all, "[1] "));
	ck_assert_ptr_nonnull(strstr(all, "[2] "));
	ck_assert_ptr_nonnull(strstr(all, "[3] "));
	op_view(op.producer, BROKER_IN_FLIGHT, "", 10);
	for (i = 0; i < op.told.n; i++)
		ck_assert_str_eq(op.told.items[i].worker.p,
				 strcmp(op.told.items[i].bytes.p, "[1]") == 0
				     ? "host:a"
				     : "host:b");
	party_close(other);
	op_close();
}
END_TEST

START_TEST(the_dead_are_viewed_the_newest_first_with_key_and_reason)
{
	op_open(_i);
	op_bury("[1]", "one", "{\"reason\":\"first\"}");
	stage_linger(&op.stage, 5);
	op_bury("[2]", "", "{\"reason\":\"second\"}");
	stage_linger(&op.stage, 5);
	op_bury("[3]", "three", "{\"reason\":\"third\"}");
	ck_assert_str_eq(op_view_all(op.producer, BROKER_DEAD, 1),
			 "[3] [2] [1] ");
	op_view(op.producer, BROKER_DEAD, "", 10);
	ck_assert_uint_eq(op.told.n, 3);
	ck_assert_str_eq(op.told.next, "");
	ck_assert_str_eq(op.told.items[0].key.p, "three");
	ck_assert_str_ne(op.told.items[1].key.p, "");
	ck_assert_str_eq(op.told.items[2].key.p, "one");
	ck_assert_str_eq(op.told.items[2].info.p, "{\"reason\":\"first\"}");
	ck_assert_int_lt(
	    llabs(op.told.items[0].time_ms - clock_wall_us() / 1000), 60000);
	op_close();
}
END_TEST

/* The tasks of a page that begins at a time, with a space behind each. */
static const char *
view_until(enum broker_location place, int64_t until_ms, int64_t skip)
{
	static char all[256];
	const struct broker_view view = {.queue = SLICE("io"),
					 .place = place,
					 .n = 10,
					 .until_ms = until_ms,
					 .skip = skip};
	size_t i, len = 0;

	op_forget();
	broker_view(op.producer->broker, &view, op_on_page, NULL);
	op_wait_told();
	ck_assert_msg(op.told.err.code == ERR_NONE, "%s", op.told.err.msg);
	all[0] = '\0';
	for (i = 0; i < op.told.n; i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s ",
					op.told.items[i].bytes.p);
	return all;
}

START_TEST(a_view_begins_at_a_time_and_leaves_some_out)
{
	int64_t due_ms[2];
	int i;

	op_open(_i);
	op_submit("[1]", 0, HOUR_MS);
	op_submit("[2]", 0, 2 * HOUR_MS);
	op_submit("[3]", 0, 3 * HOUR_MS);
	op_view(op.producer, BROKER_DELAYED, "", 10);
	for (i = 0; i < 2; i++)
		due_ms[i] = op.told.items[i].time_ms;
	ck_assert_str_eq(view_until(BROKER_DELAYED, due_ms[0], 0),
			 "[3] [2] [1] ");
	ck_assert_str_eq(view_until(BROKER_DELAYED, due_ms[0] - 1, 0),
			 "[2] [1] ");
	ck_assert_str_eq(view_until(BROKER_DELAYED, due_ms[1], 1), "[1] ");
	ck_assert_str_eq(view_until(BROKER_DELAYED, 0, 2), "[1] ");
	ck_assert_str_eq(view_until(BROKER_DELAYED, 1, 0), "");
	ck_assert_str_eq(view_until(BROKER_DELAYED, INT64_MAX, 5), "");
	op_bury("[4]", "four", "{}");
	op_view(op.producer, BROKER_DEAD, "", 10);
	due_ms[0] = op.told.items[0].time_ms;
	ck_assert_str_eq(view_until(BROKER_DEAD, due_ms[0], 0), "[4] ");
	ck_assert_str_eq(view_until(BROKER_DEAD, due_ms[0] - 1, 0), "");
	/* Where there is no time, there is nothing to begin at. */
	op_submit("[5]", 0, 0);
	ck_assert_str_eq(view_until(BROKER_WAITING, 1, 1), "[5] ");
	op_close();
}
END_TEST

/* The key goes with each page of the dead; elsewhere it says nothing. */
static const char *
view_key(enum broker_location place, const char *key)
{
	const struct broker_view view = {.queue = SLICE("io"),
					 .place = place,
					 .cursor = SLICE(""),
					 .n = 10,
					 .key = slice_of(key)};
	static char all[64];
	size_t i, len = 0;

	op_forget();
	broker_view(op.producer->broker, &view, op_on_page, NULL);
	op_wait_told();
	ck_assert_msg(op.told.err.code == ERR_NONE, "%s", op.told.err.msg);
	ck_assert_str_eq(op.told.next, "");
	all[0] = '\0';
	for (i = 0; i < op.told.n; i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s ",
					op.told.items[i].bytes.p);
	return all;
}

START_TEST(one_of_the_dead_is_found_by_its_key)
{
	op_open(_i);
	op_bury("[1]", "one", "{\"n\":1}");
	op_bury("[2]", "two", "{\"n\":2}");
	ck_assert_str_eq(view_key(BROKER_DEAD, "one"), "[1] ");
	ck_assert_str_eq(op.told.items[0].info.p, "{\"n\":1}");
	ck_assert(slice_eq(op.told.items[0].key, SLICE("one")));
	ck_assert_int_gt(op.told.items[0].time_ms, 0);
	ck_assert_str_eq(view_key(BROKER_DEAD, "three"), "");
	ck_assert_str_eq(view_key(BROKER_DEAD, "on"), "");
	op_submit("[3]", 0, 0);
	ck_assert_str_eq(view_key(BROKER_WAITING, "one"), "[3] ");
	op_close();
}
END_TEST

START_TEST(pages_of_many_tasks_hold_each_of_them_once)
{
	enum { N = 1234 };
	static bool met[N];
	struct broker_submit *tasks = calloc(N, sizeof(*tasks));
	char bytes[N][8], cursor[512] = "";
	size_t i, n = 0;
	int number;

	op_open(_i);
	for (i = 0; i < N; i++) {
		snprintf(bytes[i], sizeof(bytes[i]), "[%zu]", i);
		tasks[i] = (struct broker_submit){.queue = "io",
						  .id = SLICE("id"),
						  .bytes = slice_of(bytes[i]),
						  .priority = (int32_t)(i % 3)};
	}
	party_submit_batch(op.producer, tasks, N);
	do {
		op_view(op.producer, BROKER_WAITING, cursor, BROKER_PAGE_MAX);
		for (i = 0; i < op.told.n; i++, n++) {
			number = atoi(op.told.items[i].bytes.p + 1);
			ck_assert(!met[number]);
			met[number] = true;
			ck_assert_int_eq(op.told.items[i].priority, number % 3);
		}
		snprintf(cursor, sizeof(cursor), "%s", op.told.next);
	} while (cursor[0] != '\0');
	ck_assert_uint_eq(n, N);
	free(tasks);
	op_close();
}
END_TEST

START_TEST(a_cursor_that_was_made_up_is_refused)
{
	static const char *const bad[] = {
	    "x",
	    "0:",
	    ":0",
	    "-1",
	    "0:-1",
	    "1e3",
	    "99999999999999999999:99999999999999999999",
	    "0:1\n",
	    "\x01\xff"};
	size_t i, place;

	op_open(_i);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (place = BROKER_WAITING; place <= BROKER_DEAD; place++) {
			op_view(op.producer, (enum broker_location)place,
				bad[i], 10);
			ck_assert_int_eq(op.told.err.code, ERR_DATA);
		}
		op_forget();
		broker_remove(op.producer->broker, SLICE("io"), SLICE("id"),
			      slice_of(bad[i]), op_on_page, NULL);
		op_wait_told();
		ck_assert_int_eq(op.told.err.code, ERR_DATA);
	}
	op_close();
}
END_TEST

static void
on_report(const struct broker_report *report, const struct err *err, void *arg)
{
	size_t i;

	op.told.times++;
	ck_assert_ptr_nonnull(report);
	ck_assert_uint_gt(strlen(report->server), 0);
	ck_assert_int_lt(llabs(report->clock_us - clock_wall_us()), 60000000);
	for (i = 0; i < report->n; i++) {
		ck_assert_uint_gt(strlen(report->findings[i].what), 0);
		ck_assert_uint_gt(strlen(report->findings[i].remedy), 0);
	}
}

START_TEST(an_examination_names_the_server_and_what_to_do)
{
	op_open(_i);
	broker_examine(op.producer->broker, on_report, NULL);
	op_wait_told();
	op_close();
}
END_TEST

/* --- rules for all of them --------------------------------------------- */

static unsigned int
answers(const struct asked asked[STAGE_ASKED])
{
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < STAGE_ASKED; i++)
		n += asked[i].answers;
	return n;
}

START_TEST(a_broker_that_is_closed_answers_nothing)
{
	struct asked asked[STAGE_ASKED];
	struct party *asker;
	unsigned int before;
	int turns, i;

	op_open(_i);
	for (turns = 0; turns < 5; turns++) {
		asker = party_open(&op.stage, NULL);
		party_ask_everything(asker, asked);
		ck_assert_uint_eq(answers(asked), 0);
		for (i = 0; i < turns; i++)
			stage_turn(&op.stage, INT64_MAX);
		party_close(asker);
		before = answers(asked);
		stage_linger(&op.stage, 20);
		ck_assert_uint_eq(answers(asked), before);
	}
	op_close();
}
END_TEST

static void
on_requeued(struct broker_requeue *batch, size_t n, void *arg)
{
	size_t i;

	op.told.times++;
	for (i = 0; i < n; i++) {
		ck_assert(!batch[i].found);
		op.told.err = batch[i].err;
	}
}

/* Puts one query with a name that no queue can have. */
static void
ask_badly(struct broker *b, int which)
{
	static struct broker_requeue batch[2];
	const struct slice bad = SLICE("a\nqueue"), id = SLICE("id");
	const struct broker_view view = {
	    .queue = bad, .place = BROKER_WAITING, .n = 10};

	op_forget();
	if (which == 0)
		broker_queues(b, bad, op_on_queues, NULL);
	else if (which == 1)
		broker_view(b, &view, op_on_page, NULL);
	else if (which == 2)
		broker_pause(b, SLICE(""), true, op_on_value, NULL);
	else if (which == 3)
		broker_purge(b, bad, 10, op_on_page, NULL);
	else if (which == 4)
		broker_remove(b, bad, id, SLICE(""), op_on_page, NULL);
	else
		broker_requeue(b, bad, batch, 2, on_requeued, NULL);
}

START_TEST(a_name_that_is_no_queue_is_refused)
{
	struct party *other;
	int i;

	op_open(_i);
	for (i = 0; i < 6; i++) {
		ask_badly(op.producer->broker, i);
		op_wait_told();
		ck_assert_int_eq(op.told.err.code, ERR_DATA);
		/* Closed before, nothing is told. */
		other = party_open(&op.stage, NULL);
		ask_badly(other->broker, i);
		party_close(other);
		stage_linger(&op.stage, 20);
		ck_assert_uint_eq(op.told.times, 0);
	}
	op_close();
}
END_TEST

#define CASES(kind)                                                            \
	X(a_queue_says_what_is_in_it, kind)                                    \
	X(an_unknown_queue_is_empty_and_stays_unknown, kind)                   \
	X(all_queues_that_were_named_are_told_in_their_order, kind)            \
	X(workers_are_told_with_what_they_have, kind)                          \
	X(what_a_worker_has_counts_before_it_says_anything, kind)              \
	X(among_many_queues_and_workers_none_in_flight_is_missed, kind)        \
	X(a_worker_that_is_silent_is_not_alive_and_one_that_left_is_gone,      \
	  kind)                                                                \
	X(waiting_tasks_are_viewed_the_newest_first_and_level_by_level, kind)  \
	X(delayed_tasks_are_viewed_the_last_due_first, kind)                   \
	X(tasks_in_flight_are_viewed_with_their_worker, kind)                  \
	X(the_dead_are_viewed_the_newest_first_with_key_and_reason, kind)      \
	X(a_view_begins_at_a_time_and_leaves_some_out, kind)                   \
	X(one_of_the_dead_is_found_by_its_key, kind)                           \
	X(pages_of_many_tasks_hold_each_of_them_once, kind)                    \
	X(a_cursor_that_was_made_up_is_refused, kind)                          \
	X(an_examination_names_the_server_and_what_to_do, kind)                \
	X(a_broker_that_is_closed_answers_nothing, kind)                       \
	X(a_name_that_is_no_queue_is_refused, kind)

OPERATE_SUITES
