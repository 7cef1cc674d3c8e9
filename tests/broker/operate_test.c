/* SPDX-License-Identifier: MIT */
/* What operate.h promises, of every implementation. `_i` is the kind. */
#include "broker/operate.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/stage.h"
#include "redis_server.h"
#include "suite.h"
#include "util/clock.h"

#define HOUR_MS (3600 * 1000)

static struct stage w;

/* --- asking ------------------------------------------------------------ */

/* What has been told. */
struct told {
	unsigned int times;
	struct err err;
	json_t *json;
	struct broker_item items[BROKER_PAGE_MAX];
	char *texts[BROKER_PAGE_MAX][4]; /* what they point to */
	size_t n;
	char next[512];
};
static struct told told;

static void
forget(void)
{
	size_t i, j;

	json_decref(told.json);
	for (i = 0; i < told.n; i++)
		for (j = 0; j < 4; j++)
			free(told.texts[i][j]);
	told = (struct told){.json = NULL};
}

static void
on_value(struct slice value, const struct err *err, void *arg)
{
	(void)arg;
	told.times++;
	if (err != NULL)
		told.err = *err;
	if (value.p != NULL)
		told.json = json_loadb(value.p, value.len, 0, NULL);
}

static struct slice
keep(char **text, struct slice s)
{
	*text = strndup(s.p != NULL ? s.p : "", s.len);
	return (struct slice){*text, s.len};
}

static void
on_page(const struct broker_page *page, const struct err *err, void *arg)
{
	struct broker_item *item;
	size_t i;

	(void)arg;
	told.times++;
	ck_assert((page == NULL) == (err != NULL));
	if (page == NULL) {
		told.err = *err;
		return;
	}
	ck_assert_uint_le(page->n, BROKER_PAGE_MAX);
	ck_assert_uint_lt(page->next.len, sizeof(told.next));
	told.n = page->n;
	for (i = 0; i < page->n; i++) {
		item = &told.items[i];
		*item = page->items[i];
		item->bytes = keep(&told.texts[i][0], item->bytes);
		item->worker = keep(&told.texts[i][1], item->worker);
		item->key = keep(&told.texts[i][2], item->key);
		item->info = keep(&told.texts[i][3], item->info);
	}
	snprintf(told.next, sizeof(told.next), "%.*s", (int)page->next.len,
		 page->next.len > 0 ? page->next.p : "");
}

static void
wait_told(void)
{
	ck_assert_uint_eq(told.times, 0);
	UNTIL(&w, told.times > 0);
	ck_assert_uint_eq(told.times, 1);
}

/* The array of queues; told.json owns it. */
static json_t *
queues(struct party *p, const char *name)
{
	forget();
	broker_queues(p->broker, slice_of(name), on_value, NULL);
	wait_told();
	ck_assert_msg(json_is_array(told.json), "%s", told.err.msg);
	return told.json;
}

static json_int_t
count_of(struct party *p, const char *queue, const char *what)
{
	json_t *all = queues(p, queue);

	ck_assert_uint_eq(json_array_size(all), 1);
	return json_integer_value(
	    json_object_get(json_array_get(all, 0), what));
}

static json_t *
workers(struct party *p)
{
	forget();
	broker_workers(p->broker, on_value, NULL);
	wait_told();
	ck_assert_msg(json_is_array(told.json), "%s", told.err.msg);
	return told.json;
}

static const char *
text_in(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* A page of "io". */
static void
view(struct party *p, enum broker_place place, const char *cursor,
     unsigned int n)
{
	char from[512];
	const struct broker_view asked = {.queue = SLICE("io"),
					  .place = place,
					  .cursor = {from, strlen(cursor)},
					  .n = n};

	snprintf(from, sizeof(from), "%s", cursor);
	forget();
	broker_view(p->broker, &asked, on_page, NULL);
	wait_told();
}

/* All pages, of n each; their tasks with a space behind each. */
static const char *
view_all(struct party *p, enum broker_place place, unsigned int n)
{
	static char all[64 << 10];
	char cursor[512] = "";
	size_t i, len = 0;

	all[0] = '\0';
	do {
		view(p, place, cursor, n);
		ck_assert_msg(told.err.code == ERR_NONE, "%s", told.err.msg);
		for (i = 0; i < told.n; i++)
			len += (size_t)snprintf(all + len, sizeof(all) - len,
						"%s ", told.items[i].bytes.p);
		ck_assert_uint_lt(len, sizeof(all));
		snprintf(cursor, sizeof(cursor), "%s", told.next);
	} while (cursor[0] != '\0');
	return all;
}

static void
pause_queue(struct party *p, const char *queue, bool paused)
{
	forget();
	broker_pause(p->broker, slice_of(queue), paused, on_value, NULL);
	wait_told();
	ck_assert_msg(told.err.code == ERR_NONE, "%s", told.err.msg);
	ck_assert_ptr_null(told.json);
}

static void
purge(struct party *p, unsigned int n)
{
	forget();
	broker_purge(p->broker, SLICE("io"), n, on_page, NULL);
	wait_told();
	ck_assert_msg(told.err.code == ERR_NONE, "%s", told.err.msg);
}

/* Whether it was there; it is told.items[0] then. */
static bool
withdraw(struct party *p, const char *id)
{
	char cursor[512] = "";

	do {
		forget();
		broker_withdraw(p->broker, SLICE("io"), slice_of(id),
				slice_of(cursor), on_page, NULL);
		wait_told();
		ck_assert_msg(told.err.code == ERR_NONE, "%s", told.err.msg);
		snprintf(cursor, sizeof(cursor), "%s", told.next);
	} while (told.n == 0 && cursor[0] != '\0');
	ck_assert_uint_le(told.n, 1);
	return told.n == 1;
}

static void
on_exhumed(struct broker_exhume *batch, size_t n, void *arg)
{
	(void)batch;
	*(size_t *)arg += n;
}

static void
exhume(struct party *p, struct broker_exhume *batch, size_t n)
{
	size_t done = 0;

	broker_exhume(p->broker, SLICE("io"), batch, n, on_exhumed, &done);
	ck_assert_uint_eq(done, 0);
	UNTIL(&w, done > 0);
	ck_assert_uint_eq(done, n);
}

/* --- scenes ------------------------------------------------------------ */

static struct party *producer, *worker;

static void
open_scene(int kind)
{
	stage_open(&w, kind);
	producer = party_open(&w, NULL);
	worker = party_open(&w, "host:a");
	/* Lists of workers begin with what they say. */
	broker_heartbeat(worker->broker, SLICE("{}"));
}

static void
close_scene(void)
{
	forget();
	party_close(worker);
	party_close(producer);
	stage_close(&w);
}

static void
submit(const char *bytes, int32_t priority, int64_t delay_ms)
{
	ck_assert_int_eq(
	    party_submit(producer, "id", bytes, priority, delay_ms), ERR_NONE);
}

/* Submits the task, has it claimed, and buries it. */
static void
bury(const char *bytes, const char *id, const char *info)
{
	const size_t i = worker->n_claims;

	submit(bytes, -9, 0);
	broker_want(worker->broker, 0, 1);
	UNTIL(&w, worker->n_claims == i + 1);
	party_bury(worker, i, id, info);
}

/* Has `p` take n tasks of "io"; more do not come. */
static void
take(struct party *p, unsigned int n)
{
	const size_t before = p->n_claims;

	broker_want(p->broker, 0, n);
	UNTIL(&w, p->n_claims == before + n);
}

static void
nothing_comes(struct party *p)
{
	const size_t before = p->n_claims;

	stage_linger(&w, 150);
	ck_assert_uint_eq(p->n_claims, before);
}

/* The worker's last word is too long ago. */
static void
silence(const char *name)
{
	char command[256];

	if (w.kind == KIND_REDIS) {
		redis_server_run(w.server, "DEL flowrra:worker:%s", name);
		return;
	}
	snprintf(command, sizeof(command),
		 "UPDATE workers SET expires = 1 WHERE name = '%s'", name);
	stage_sql(&w, command);
}

/* --- looking ----------------------------------------------------------- */

START_TEST(a_queue_says_what_is_in_it)
{
	const json_t *io;
	int64_t due_us = 0;
	struct err err;

	open_scene(_i);
	bury("{\"id\":\"dead\"}", "dead", "{}");
	submit("{\"id\":\"1\",\"submitted_at\":"
	       "\"2026-11-23T10:00:00.000000+00:00\"}",
	       0, 0);
	take(worker, 1);
	submit("{\"id\":\"2\",\"submitted_at\":"
	       "\"2026-11-23T10:00:02.000000+00:00\"}",
	       0, 0);
	submit("{\"id\":\"3\"}", 0, 0);
	submit("{\"id\":\"4\",\"submitted_at\":"
	       "\"2026-11-23T10:00:01.000000+00:00\"}",
	       7, 0);
	submit("{\"id\":\"5\"}", 0, 2 * HOUR_MS);
	submit("{\"id\":\"6\"}", 0, HOUR_MS);
	io = json_array_get(queues(producer, "io"), 0);
	ck_assert_str_eq(text_in(io, "queue"), "io");
	ck_assert_int_eq(json_integer_value(json_object_get(io, "waiting")), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(io, "delayed")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(io, "in_flight")),
			 1);
	ck_assert_int_eq(json_integer_value(json_object_get(io, "dead")), 1);
	ck_assert(json_is_false(json_object_get(io, "paused")));
	ck_assert_str_eq(text_in(io, "oldest_at"),
			 "2026-11-23T10:00:01.000000+00:00");
	ck_assert_int_eq(clock_parse(text_in(io, "next_due_at"), &due_us, &err),
			 0);
	ck_assert_int_lt(
	    llabs(due_us / 1000 - clock_wall_us() / 1000 - HOUR_MS), 60000);
	close_scene();
}
END_TEST

START_TEST(an_unknown_queue_is_empty_and_stays_unknown)
{
	const json_t *one;

	open_scene(_i);
	one = json_array_get(queues(producer, "nobody"), 0);
	ck_assert_str_eq(text_in(one, "queue"), "nobody");
	ck_assert_int_eq(json_integer_value(json_object_get(one, "waiting")),
			 0);
	ck_assert(json_is_null(json_object_get(one, "oldest_at")));
	ck_assert(json_is_null(json_object_get(one, "next_due_at")));
	ck_assert_uint_eq(json_array_size(queues(producer, "")), 2);
	close_scene();
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
	const json_t *all;
	size_t i;

	open_scene(_i);
	ck_assert_int_eq(party_submit_with(producer, &tasks[0]), ERR_NONE);
	ck_assert_int_eq(party_submit_with(producer, &tasks[1]), ERR_NONE);
	all = queues(producer, "");
	ck_assert_uint_eq(json_array_size(all), 4);
	for (i = 0; i < 4; i++)
		ck_assert_str_eq(text_in(json_array_get(all, i), "queue"),
				 names[i]);
	close_scene();
}
END_TEST

START_TEST(workers_are_told_with_what_they_have)
{
	const json_t *a, *b;
	struct party *other;

	open_scene(_i);
	other = party_open(&w, "host:b");
	broker_heartbeat(other->broker, SLICE("{\"slots\": 4}"));
	submit("[1]", 0, 0);
	submit("[2]", 0, 0);
	take(worker, 2);
	do
		b = json_array_get(workers(producer), 1);
	while (b == NULL || !json_is_true(json_object_get(b, "alive")));
	a = json_array_get(told.json, 0);
	ck_assert_uint_eq(json_array_size(told.json), 2);
	ck_assert_str_eq(text_in(a, "worker"), "host:a");
	ck_assert_int_eq(json_integer_value(json_object_get(a, "in_flight")),
			 2);
	ck_assert_str_eq(text_in(b, "worker"), "host:b");
	ck_assert_int_eq(json_integer_value(json_object_get(b, "in_flight")),
			 0);
	b = json_object_get(b, "description");
	ck_assert_int_eq(json_integer_value(json_object_get(b, "slots")), 4);
	party_close(other);
	close_scene();
}
END_TEST

START_TEST(a_worker_that_is_silent_is_not_alive_and_one_that_left_is_gone)
{
	struct party *other;
	const json_t *a;

	open_scene(_i);
	other = party_open(&w, "host:b");
	broker_heartbeat(other->broker, SLICE("{}"));
	while (json_array_size(workers(producer)) != 2)
		;
	broker_farewell(other->broker);
	while (json_array_size(workers(producer)) != 1)
		;
	party_close(other);
	silence("host:a");
	a = json_array_get(workers(producer), 0);
	ck_assert_str_eq(text_in(a, "worker"), "host:a");
	ck_assert(json_is_false(json_object_get(a, "alive")));
	close_scene();
}
END_TEST

START_TEST(waiting_tasks_are_viewed_the_newest_first_and_level_by_level)
{
	static const char expected[] = "[5] [3] [4] [2] [1] [6] ";
	static const unsigned int sizes[] = {1, 2, 3, BROKER_PAGE_MAX};
	size_t i;

	open_scene(_i);
	submit("[1]", 0, 0);
	submit("[2]", 0, 0);
	submit("[3]", 7, 0);
	submit("[4]", 0, 0);
	submit("[5]", 7, 0);
	submit("[6]", -1, 0);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		ck_assert_str_eq(view_all(producer, BROKER_WAITING, sizes[i]),
				 expected);
	view(producer, BROKER_WAITING, "", 1);
	ck_assert_int_eq(told.items[0].priority, 7);
	/* Nothing has changed. */
	take(worker, 6);
	ck_assert(party_has(worker, 0, "[6]"));
	ck_assert(party_has(worker, 5, "[5]"));
	close_scene();
}
END_TEST

START_TEST(delayed_tasks_are_viewed_the_last_due_first)
{
	int64_t due_ms;

	open_scene(_i);
	submit("[2]", 0, 2 * HOUR_MS);
	submit("[3]", 4, 3 * HOUR_MS);
	submit("[1]", 0, HOUR_MS);
	ck_assert_str_eq(view_all(producer, BROKER_DELAYED, 2), "[3] [2] [1] ");
	view(producer, BROKER_DELAYED, "", 1);
	due_ms = told.items[0].time_ms - clock_wall_us() / 1000;
	ck_assert_int_lt(llabs(due_ms - 3 * HOUR_MS), 60000);
	close_scene();
}
END_TEST

START_TEST(tasks_in_flight_are_viewed_with_their_worker)
{
	struct party *other;
	const char *all;
	size_t i;

	open_scene(_i);
	other = party_open(&w, "host:b");
	broker_heartbeat(other->broker, SLICE("{}"));
	submit("[1]", 0, 0);
	take(worker, 1);
	submit("[2]", 0, 0);
	submit("[3]", 0, 0);
	take(other, 2);
	while (json_array_size(workers(producer)) != 2)
		;
	all = view_all(producer, BROKER_IN_FLIGHT, 1);
	ck_assert_uint_eq(strlen(all), strlen("[1] [2] [3] "));
	ck_assert_ptr_nonnull(strstr(all, "[1] "));
	ck_assert_ptr_nonnull(strstr(all, "[2] "));
	ck_assert_ptr_nonnull(strstr(all, "[3] "));
	view(producer, BROKER_IN_FLIGHT, "", 10);
	for (i = 0; i < told.n; i++)
		ck_assert_str_eq(told.items[i].worker.p,
				 strcmp(told.items[i].bytes.p, "[1]") == 0
				     ? "host:a"
				     : "host:b");
	party_close(other);
	close_scene();
}
END_TEST

START_TEST(the_dead_are_viewed_the_newest_first_with_key_and_reason)
{
	open_scene(_i);
	bury("[1]", "one", "{\"reason\":\"first\"}");
	stage_linger(&w, 5);
	bury("[2]", "", "{\"reason\":\"second\"}");
	stage_linger(&w, 5);
	bury("[3]", "three", "{\"reason\":\"third\"}");
	ck_assert_str_eq(view_all(producer, BROKER_DEAD, 1), "[3] [2] [1] ");
	view(producer, BROKER_DEAD, "", 10);
	ck_assert_uint_eq(told.n, 3);
	ck_assert_str_eq(told.next, "");
	ck_assert_str_eq(told.items[0].key.p, "three");
	ck_assert_str_ne(told.items[1].key.p, "");
	ck_assert_str_eq(told.items[2].key.p, "one");
	ck_assert_str_eq(told.items[2].info.p, "{\"reason\":\"first\"}");
	ck_assert_int_lt(llabs(told.items[0].time_ms - clock_wall_us() / 1000),
			 60000);
	close_scene();
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

	open_scene(_i);
	for (i = 0; i < N; i++) {
		snprintf(bytes[i], sizeof(bytes[i]), "[%zu]", i);
		tasks[i] = (struct broker_submit){.queue = "io",
						  .id = SLICE("id"),
						  .bytes = slice_of(bytes[i]),
						  .priority = (int32_t)(i % 3)};
	}
	party_submit_batch(producer, tasks, N);
	do {
		view(producer, BROKER_WAITING, cursor, BROKER_PAGE_MAX);
		for (i = 0; i < told.n; i++, n++) {
			number = atoi(told.items[i].bytes.p + 1);
			ck_assert(!met[number]);
			met[number] = true;
			ck_assert_int_eq(told.items[i].priority, number % 3);
		}
		snprintf(cursor, sizeof(cursor), "%s", told.next);
	} while (cursor[0] != '\0');
	ck_assert_uint_eq(n, N);
	free(tasks);
	close_scene();
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

	open_scene(_i);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (place = BROKER_WAITING; place <= BROKER_DEAD; place++) {
			view(producer, (enum broker_place)place, bad[i], 10);
			ck_assert_int_eq(told.err.code, ERR_DATA);
		}
		forget();
		broker_withdraw(producer->broker, SLICE("io"), SLICE("id"),
				slice_of(bad[i]), on_page, NULL);
		wait_told();
		ck_assert_int_eq(told.err.code, ERR_DATA);
	}
	close_scene();
}
END_TEST

START_TEST(an_examination_names_the_server_and_what_to_do)
{
	const json_t *finding;
	int64_t clock_us = 0;
	struct err err;
	size_t i;

	open_scene(_i);
	broker_examine(producer->broker, on_value, NULL);
	wait_told();
	ck_assert_msg(json_is_object(told.json), "%s", told.err.msg);
	ck_assert_ptr_nonnull(text_in(told.json, "server"));
	ck_assert_int_eq(
	    clock_parse(text_in(told.json, "clock_at"), &clock_us, &err), 0);
	ck_assert_int_lt(llabs(clock_us - clock_wall_us()), 60000000);
	ck_assert(json_is_array(json_object_get(told.json, "findings")));
	json_array_foreach (json_object_get(told.json, "findings"), i,
			    finding) {
		ck_assert_ptr_nonnull(text_in(finding, "what"));
		ck_assert_ptr_nonnull(text_in(finding, "remedy"));
		ck_assert(strcmp(text_in(finding, "level"), "error") == 0 ||
			  strcmp(text_in(finding, "level"), "warning") == 0);
	}
	close_scene();
}
END_TEST

/* --- pausing ----------------------------------------------------------- */

START_TEST(a_paused_queue_gives_nothing_until_it_is_resumed)
{
	struct party *other;

	open_scene(_i);
	submit("[1]", 0, 0);
	pause_queue(producer, "io", true);
	ck_assert(json_is_true(json_object_get(
	    json_array_get(queues(producer, "io"), 0), "paused")));
	broker_want(worker->broker, 0, 10);
	submit("[2]", 0, 0);
	submit("[3]", -3, 0);
	nothing_comes(worker);
	/* One that comes later knows of it, too. */
	other = party_open(&w, "host:b");
	broker_want(other->broker, 0, 10);
	nothing_comes(other);
	party_close(other);
	ck_assert_int_eq(count_of(producer, "io", "waiting"), 3);
	pause_queue(producer, "io", false);
	UNTIL(&w, worker->n_claims == 3);
	ck_assert(party_has(worker, 0, "[3]"));
	ck_assert(party_has(worker, 1, "[1]"));
	ck_assert(party_has(worker, 2, "[2]"));
	ck_assert(json_is_false(json_object_get(
	    json_array_get(queues(producer, "io"), 0), "paused")));
	close_scene();
}
END_TEST

START_TEST(an_idle_worker_takes_nothing_after_the_pause)
{
	open_scene(_i);
	broker_want(worker->broker, 0, 10);
	stage_linger(&w, 100);
	pause_queue(producer, "io", true);
	submit("[1]", 0, 0);
	submit("[2]", 0, 0);
	nothing_comes(worker);
	submit("[3]", 5, 0);
	nothing_comes(worker);
	UNTIL(&w, count_of(producer, "io", "waiting") == 3);
	pause_queue(producer, "io", false);
	UNTIL(&w, worker->n_claims == 3);
	ck_assert(party_has(worker, 0, "[1]"));
	ck_assert(party_has(worker, 1, "[2]"));
	ck_assert(party_has(worker, 2, "[3]"));
	close_scene();
}
END_TEST

START_TEST(other_queues_go_on_while_one_is_paused)
{
	struct broker_submit task = {
	    .queue = "cpu", .id = SLICE("1"), .bytes = SLICE("[1]")};

	open_scene(_i);
	pause_queue(producer, "io", true);
	broker_want(worker->broker, 0, 10);
	broker_want(worker->broker, 1, 10);
	submit("[0]", 0, 0);
	ck_assert_int_eq(party_submit_with(producer, &task), ERR_NONE);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert(party_has(worker, 0, "[1]"));
	nothing_comes(worker);
	close_scene();
}
END_TEST

START_TEST(what_was_claimed_before_the_pause_goes_on)
{
	open_scene(_i);
	submit("[1]", 0, 0);
	submit("[2]", 0, 0);
	submit("[3]", 0, 0);
	take(worker, 3);
	pause_queue(producer, "io", true);
	broker_want(worker->broker, 0, 10);
	party_settle(worker, 0, BROKER_ACK);
	party_settle(worker, 1, BROKER_PUT_BACK);
	nothing_comes(worker);
	/* As if it had died: what it had is still its own. */
	party_close(worker);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 1);
	ck_assert(party_has(worker, 0, "[3]"));
	ck_assert(worker->claims[0]->recovered);
	nothing_comes(worker);
	ck_assert_int_eq(count_of(producer, "io", "waiting"), 1);
	close_scene();
}
END_TEST

START_TEST(a_delayed_task_that_is_due_waits_for_the_end_of_a_pause)
{
	open_scene(_i);
	broker_want(worker->broker, 0, 10);
	pause_queue(producer, "io", true);
	submit("[1]", 0, 50);
	submit("[2]", 3, 50);
	stage_linger(&w, 100);
	nothing_comes(worker);
	pause_queue(producer, "io", false);
	UNTIL(&w, worker->n_claims == 2);
	close_scene();
}
END_TEST

START_TEST(a_pause_that_is_over_can_come_again)
{
	int i;

	open_scene(_i);
	broker_want(worker->broker, 0, 100);
	for (i = 0; i < 5; i++) {
		pause_queue(producer, "io", true);
		pause_queue(producer, "io", true);
		submit("[1]", 0, 0);
		nothing_comes(worker);
		pause_queue(producer, "io", false);
		pause_queue(producer, "io", false);
		UNTIL(&w, worker->n_claims == (size_t)i + 1);
	}
	close_scene();
}
END_TEST

/* --- taking out -------------------------------------------------------- */

START_TEST(a_purge_takes_what_waits_and_is_delayed_and_shows_it)
{
	size_t n = 0, calls = 0;
	char bytes[16];
	int i;

	open_scene(_i);
	bury("[0]", "dead", "{}");
	submit("[1]", 0, 0);
	take(worker, 1);
	broker_want(worker->broker, 0, 0);
	for (i = 0; i < 4; i++) {
		submit("[2]", 0, 0);
		submit("[3]", i, 0);
		snprintf(bytes, sizeof(bytes), "[4,%d]", i);
		submit(bytes, 0, HOUR_MS);
	}
	do {
		purge(producer, 5);
		ck_assert_uint_le(told.n, 5);
		n += told.n;
		calls++;
	} while (told.next[0] != '\0');
	ck_assert_uint_eq(n, 12);
	ck_assert_uint_ge(calls, 3);
	ck_assert_int_eq(count_of(producer, "io", "waiting"), 0);
	ck_assert_int_eq(count_of(producer, "io", "delayed"), 0);
	ck_assert_int_eq(count_of(producer, "io", "in_flight"), 1);
	ck_assert_int_eq(count_of(producer, "io", "dead"), 1);
	purge(producer, 5);
	ck_assert_uint_eq(told.n, 0);
	ck_assert_str_eq(told.next, "");
	submit("[9]", 0, 0);
	submit("[8]", 2, 0);
	take(worker, 2);
	ck_assert(party_has(worker, 2, "[9]"));
	ck_assert(party_has(worker, 3, "[8]"));
	close_scene();
}
END_TEST

START_TEST(a_purged_task_is_shown_as_it_was)
{
	open_scene(_i);
	submit("[\"only\"]", 4, 0);
	purge(producer, BROKER_PAGE_MAX);
	ck_assert_uint_eq(told.n, 1);
	ck_assert_str_eq(told.items[0].bytes.p, "[\"only\"]");
	close_scene();
}
END_TEST

START_TEST(a_task_is_withdrawn_wherever_it_waits)
{
	open_scene(_i);
	submit("{\"id\":\"a\",\"name\":\"n\"}", 0, 0);
	submit("{\"name\": \"n\", \"id\": \"b\"}", 0, 0);
	submit("{\"id\":\"c\",\"priority\":5}", 5, 0);
	submit("{\"id\":\"d\"}", 0, HOUR_MS);
	ck_assert(withdraw(producer, "b"));
	ck_assert_str_eq(told.items[0].bytes.p,
			 "{\"name\": \"n\", \"id\": \"b\"}");
	ck_assert(withdraw(producer, "c"));
	ck_assert(withdraw(producer, "d"));
	ck_assert(!withdraw(producer, "b"));
	ck_assert_int_eq(count_of(producer, "io", "waiting"), 1);
	ck_assert_int_eq(count_of(producer, "io", "delayed"), 0);
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 1);
	nothing_comes(worker);
	ck_assert(party_has(worker, 0, "{\"id\":\"a\",\"name\":\"n\"}"));
	close_scene();
}
END_TEST

START_TEST(only_the_task_with_the_very_id_is_withdrawn)
{
	open_scene(_i);
	submit("{\"id\":\"seven7\",\"args\":[\"7\",{\"id\":\"7\"}]}", 0, 0);
	submit("{\"id\":7}", 0, 0);
	submit("[{\"id\":\"7\"}]", 0, 0);
	submit("no JSON, but \"id\":\"7\"", 0, 0);
	submit("{\"id\":\"77\",\"name\":\"7\"}", 0, HOUR_MS);
	ck_assert(!withdraw(producer, "7"));
	ck_assert(!withdraw(producer, "%d+"));
	ck_assert(!withdraw(producer, "seven"));
	submit("{\"id\":\"a\\\"\\\\b\"}", 0, 0);
	ck_assert(withdraw(producer, "a\"\\b"));
	submit("{\"id\":\"7\",\"args\":[\"seven7\"]}", 0, 0);
	ck_assert(withdraw(producer, "seven7"));
	ck_assert_str_eq(told.items[0].bytes.p,
			 "{\"id\":\"seven7\",\"args\":[\"7\",{\"id\":\"7\"}]}");
	ck_assert(withdraw(producer, "7"));
	ck_assert_int_eq(count_of(producer, "io", "waiting"), 3);
	ck_assert_int_eq(count_of(producer, "io", "delayed"), 1);
	close_scene();
}
END_TEST

START_TEST(what_is_in_flight_is_not_withdrawn)
{
	open_scene(_i);
	submit("{\"id\":\"a\"}", 0, 0);
	take(worker, 1);
	ck_assert(!withdraw(producer, "a"));
	party_settle(worker, 0, BROKER_PUT_BACK);
	ck_assert(withdraw(producer, "a"));
	close_scene();
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

	open_scene(_i);
	for (i = 0; i < N; i++) {
		snprintf(bytes[i], sizeof(bytes[i]), "{\"id\":\"t%zu\"}", i);
		tasks[i] = (struct broker_submit){.queue = "io",
						  .id = SLICE("id"),
						  .bytes = slice_of(bytes[i]),
						  .priority = (int32_t)(i % 2),
						  .delay_ms =
						      i % 3 == 0 ? HOUR_MS : 0};
	}
	party_submit_batch(producer, tasks, N);
	for (i = 0; i < sizeof(sought) / sizeof(sought[0]); i++) {
		snprintf(id, sizeof(id), "t%d", sought[i]);
		ck_assert_msg(withdraw(producer, id), "%s", id);
		ck_assert_str_eq(told.items[0].bytes.p, bytes[sought[i]]);
	}
	ck_assert(!withdraw(producer, "t"));
	ck_assert_int_eq(count_of(producer, "io", "waiting") +
			     count_of(producer, "io", "delayed"),
			 N - 4);
	free(bytes);
	free(tasks);
	close_scene();
}
END_TEST

/* --- the dead ---------------------------------------------------------- */

START_TEST(the_dead_are_deleted_or_put_into_the_queue_again)
{
	struct broker_exhume batch[] = {
	    {.key = SLICE("one"), .again = SLICE("[1,\"again\"]")},
	    {.key = SLICE("nobody"), .again = SLICE("[\"no\"]")},
	    {.key = SLICE("two")},
	    {.key = SLICE("one"), .again = SLICE("[\"twice\"]")},
	    {.key = SLICE("three"),
	     .again = SLICE("[3,\"again\"]"),
	     .priority = -5}};

	open_scene(_i);
	bury("[1]", "one", "{}");
	bury("[2]", "two", "{}");
	bury("[3]", "three", "{}");
	bury("[4]", "four", "{}");
	broker_want(worker->broker, 0, 0);
	exhume(producer, batch, 5);
	ck_assert(batch[0].found && batch[2].found && batch[4].found);
	ck_assert(!batch[1].found && !batch[3].found);
	ck_assert_int_eq(batch[0].err.code, ERR_NONE);
	ck_assert_int_eq(batch[1].err.code, ERR_NONE);
	ck_assert_str_eq(view_all(producer, BROKER_DEAD, 10), "[4] ");
	ck_assert_int_eq(count_of(producer, "io", "waiting"), 2);
	ck_assert_int_eq(count_of(producer, "io", "dead"), 1);
	take(worker, 2);
	ck_assert(party_has(worker, 4, "[3,\"again\"]"));
	ck_assert(party_has(worker, 5, "[1,\"again\"]"));
	close_scene();
}
END_TEST

START_TEST(one_that_had_no_id_is_exhumed_by_the_name_that_was_made_up)
{
	struct broker_exhume one = {.again = SLICE("[\"again\"]")};
	char key[512];

	open_scene(_i);
	bury("rubbish", "", "{}");
	view(producer, BROKER_DEAD, "", 10);
	ck_assert_uint_eq(told.n, 1);
	snprintf(key, sizeof(key), "%s", told.items[0].key.p);
	one.key = slice_of(key);
	exhume(producer, &one, 1);
	ck_assert(one.found);
	ck_assert_str_eq(view_all(producer, BROKER_DEAD, 10), "");
	take(worker, 1);
	close_scene();
}
END_TEST

START_TEST(an_idle_worker_is_woken_by_what_was_exhumed)
{
	static const int32_t priorities[] = {0, 5, -5};
	struct broker_exhume one = {.key = SLICE("dead"),
				    .again = SLICE("[\"again\"]")};
	size_t i, n;

	open_scene(_i);
	for (i = 0; i < 3; i++) {
		bury("[1]", "dead", "{}");
		n = worker->n_claims;
		broker_want(worker->broker, 0, 10);
		nothing_comes(worker);
		one.priority = priorities[i];
		exhume(producer, &one, 1);
		ck_assert(one.found);
		UNTIL(&w, worker->n_claims == n + 1);
	}
	close_scene();
}
END_TEST

START_TEST(many_dead_are_exhumed_in_one_call)
{
	struct broker_exhume batch[BROKER_PAGE_MAX];
	char keys[BROKER_PAGE_MAX][16];
	size_t i;

	open_scene(_i);
	for (i = 0; i < BROKER_PAGE_MAX; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		batch[i] = (struct broker_exhume){.key = slice_of(keys[i]),
						  .again = SLICE("[1]")};
	}
	bury("[1]", keys[0], "{}");
	bury("[1]", keys[BROKER_PAGE_MAX - 1], "{}");
	exhume(producer, batch, BROKER_PAGE_MAX);
	for (i = 0; i < BROKER_PAGE_MAX; i++) {
		ck_assert_int_eq(batch[i].err.code, ERR_NONE);
		ck_assert(batch[i].found ==
			  (i == 0 || i == BROKER_PAGE_MAX - 1));
	}
	ck_assert_int_eq(count_of(producer, "io", "waiting"), 2);
	close_scene();
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

	open_scene(_i);
	for (turns = 0; turns < 5; turns++) {
		asker = party_open(&w, NULL);
		party_ask_everything(asker, asked);
		ck_assert_uint_eq(answers(asked), 0);
		for (i = 0; i < turns; i++)
			stage_turn(&w, INT64_MAX);
		party_close(asker);
		before = answers(asked);
		stage_linger(&w, 20);
		ck_assert_uint_eq(answers(asked), before);
	}
	close_scene();
}
END_TEST

START_TEST(a_name_that_is_no_queue_is_refused)
{
	const struct broker_view asked = {
	    .queue = SLICE("a queue"), .place = BROKER_WAITING, .n = 10};

	open_scene(_i);
	broker_queues(producer->broker, SLICE("a\nqueue"), on_value, NULL);
	wait_told();
	ck_assert_int_eq(told.err.code, ERR_DATA);
	forget();
	broker_view(producer->broker, &asked, on_page, NULL);
	wait_told();
	ck_assert_int_eq(told.err.code, ERR_DATA);
	forget();
	broker_pause(producer->broker, SLICE(""), true, on_value, NULL);
	wait_told();
	ck_assert_int_eq(told.err.code, ERR_DATA);
	close_scene();
}
END_TEST

#define CASES(kind)                                                            \
	X(a_queue_says_what_is_in_it, kind)                                    \
	X(an_unknown_queue_is_empty_and_stays_unknown, kind)                   \
	X(all_queues_that_were_named_are_told_in_their_order, kind)            \
	X(workers_are_told_with_what_they_have, kind)                          \
	X(a_worker_that_is_silent_is_not_alive_and_one_that_left_is_gone,      \
	  kind)                                                                \
	X(waiting_tasks_are_viewed_the_newest_first_and_level_by_level, kind)  \
	X(delayed_tasks_are_viewed_the_last_due_first, kind)                   \
	X(tasks_in_flight_are_viewed_with_their_worker, kind)                  \
	X(the_dead_are_viewed_the_newest_first_with_key_and_reason, kind)      \
	X(pages_of_many_tasks_hold_each_of_them_once, kind)                    \
	X(a_cursor_that_was_made_up_is_refused, kind)                          \
	X(an_examination_names_the_server_and_what_to_do, kind)                \
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
	X(the_dead_are_deleted_or_put_into_the_queue_again, kind)              \
	X(one_that_had_no_id_is_exhumed_by_the_name_that_was_made_up, kind)    \
	X(an_idle_worker_is_woken_by_what_was_exhumed, kind)                   \
	X(many_dead_are_exhumed_in_one_call, kind)                             \
	X(a_broker_that_is_closed_answers_nothing, kind)                       \
	X(a_name_that_is_no_queue_is_refused, kind)

#define X(name, kind) TEST_LOOP(name, kind, (kind) + 1);
static void
fill_redis(TCase *suite_case_)
{
	CASES(KIND_REDIS)
}

static void
fill_sqlite(TCase *suite_case_)
{
	CASES(KIND_SQLITE)
}
#undef X

__attribute__((constructor)) static void
register_suites(void)
{
	if (broker_redis.operate != NULL)
		suite_register("operate-redis", fill_redis);
	if (broker_sqlite.operate != NULL)
		suite_register("operate-sqlite", fill_sqlite);
}
