/* SPDX-License-Identifier: MIT */
/* Routes of the dead, of queues and of workers, over both stores. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "web/desk.h"
#include "web/hand.h"

/* --- the dead ------------------------------------------------------------- */

START_TEST(the_dead_are_listed_grouped_put_back_and_deleted)
{
	struct desk *d = desk_open((enum desk_store)_i);
	char id[8];
	size_t i;

	for (i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "x%zu", i);
		desk_submit_as(d, id, "t", "[7]", NULL, 0);
	}
	hand_end_tasks(d, 3, HAND_DISK);
	hand_end_tasks(d, 2, "{\"reason\":\"timeout\",\"error\":\"late\"}");
	ck_assert_uint_eq(strlen(desk_walk(d, "/api/v1/dead?limit=2", NULL)),
			  15);
	desk_get(d, "/api/v1/dead?reason=timeout");
	ck_assert_uint_eq(desk_n_items(d), 2);
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "items", "0", "args", "0", NULL)), 7);
	desk_get(d, "/api/v1/dead?error=disk");
	ck_assert_uint_eq(desk_n_items(d), 3);
	desk_get(d, "/api/v1/dead?before=-1h");
	ck_assert_uint_eq(desk_n_items(d), 0);
	desk_get(d, "/api/v1/dead?after=-1h");
	ck_assert_uint_eq(desk_n_items(d), 5);
	desk_get(d, "/api/v1/dead/groups");
	ck_assert_uint_eq(desk_n_items(d), 2);
	ck_assert_str_eq(desk_item(d, 0, "error"), "disk full");
	ck_assert_str_eq(desk_item(d, 0, "queue"), "io");
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "items", "0", "count", NULL)), 3);
	ck_assert(json_is_true(desk_at(d, "complete", NULL)));
	/* A dry run changes nothing. */
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/dead/retry",
		     "{\"filter\":{\"reason\":\"timeout\"},\"dry_run\":true}"),
	    200);
	ck_assert_int_eq(desk_number(d, "matched"), 2);
	ck_assert_int_eq(desk_number(d, "done"), 0);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/dead/delete",
				   "{\"ids\":[\"x0\",\"nope\"]}"),
			  200);
	ck_assert_int_eq(desk_number(d, "done"), 1);
	ck_assert_str_eq(json_string_value(desk_at(d, "missing", "0", NULL)),
			 "nope");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/x1/retry", NULL),
			  200);
	ck_assert_str_eq(desk_text(d, "outcome"), "retried");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/x1/retry", NULL),
			  409);
	ck_assert_uint_eq(desk_ask(d, "DELETE", "/api/v1/tasks/x1", NULL), 409);
	ck_assert_uint_eq(desk_ask(d, "DELETE", "/api/v1/tasks/x2", NULL), 200);
	ck_assert_uint_eq(desk_ask(d, "DELETE", "/api/v1/tasks/x2", NULL), 404);
	desk_get(d, "/api/v1/dead");
	ck_assert_uint_eq(desk_n_items(d), 2);
	desk_close(d);
}
END_TEST

START_TEST(a_change_without_a_selection_or_with_a_wrong_one_is_refused)
{
	static const char *const bad[] = {"{}",
					  "{\"ids\":[]}",
					  "{\"ids\":\"a\"}",
					  "{\"ids\":[1]}",
					  "{\"ids\":[\"a\"],\"filter\":{}}",
					  "{\"filter\":[]}",
					  "{\"filter\":{\"reson\":\"x\"}}",
					  "{\"filter\":{\"reason\":1}}",
					  "{\"filter\":{\"before\":\"soon\"}}",
					  "{\"filter\":null}",
					  "[]",
					  "{\"filter\":{},\"dry_run\":\"yes\"}",
					  "{\"filter\":{},\"all\":true}"};
	struct desk *d = desk_open((enum desk_store)_i);
	size_t i;

	desk_submit_as(d, "a", "t", "[]", NULL, 0);
	hand_end_tasks(d, 1, HAND_DISK);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(
		    desk_ask(d, "POST", "/api/v1/dead/delete", bad[i]) == 400,
		    "%s: %u", bad[i], d->status);
	desk_get(d, "/api/v1/dead");
	ck_assert_uint_eq(desk_n_items(d), 1);
	desk_close(d);
}
END_TEST

/* Waits for the job that the last answer names; its result is the answer. */
static void
await_job(struct desk *d)
{
	const int64_t end_ms = clock_mono_ms() + 15000;
	char target[80];

	ck_assert_uint_eq(d->status, 202);
	snprintf(target, sizeof(target), "/api/v1/jobs/%s",
		 desk_text(d, "job"));
	do {
		ck_assert_int_lt(clock_mono_ms(), end_ms);
		desk_get(d, target);
	} while (strcmp(desk_text(d, "state"), "running") == 0);
	ck_assert_str_eq(desk_text(d, "state"), "done");
}

START_TEST(all_that_matches_is_put_back_by_a_job)
{
	struct desk *d = desk_open((enum desk_store)_i);
	int i;

	for (i = 0; i < 6; i++)
		free(desk_submit(d, "t", "[]", "io"));
	hand_end_tasks(d, 6, HAND_DISK);
	desk_ask(d, "POST", "/api/v1/dead/retry",
		 "{\"filter\":{\"error\":\"disk\"}}");
	await_job(d);
	ck_assert_int_eq(json_integer_value(desk_at(d, "result", "done", NULL)),
			 6);
	desk_get(d, "/api/v1/queues/io");
	ck_assert_int_eq(desk_number(d, "waiting"), 6);
	ck_assert_int_eq(desk_number(d, "dead"), 0);
	desk_close(d);
}
END_TEST

/* --- queues --------------------------------------------------------------- */

/* The outcomes of the newest records of the trail, the newest first. */
static void
await_outcomes(struct desk *d, const char *newest, const char *before)
{
	const int64_t end_ms = clock_mono_ms() + 15000;

	do {
		ck_assert_int_lt(clock_mono_ms(), end_ms);
		desk_get(d, "/api/v1/audit");
	} while (strcmp(desk_item(d, 0, "outcome"), newest) != 0);
	ck_assert_str_eq(desk_item(d, 1, "outcome"), before);
}

/* What a client was told 504 about is not made later, when it may have asked once
 * more; who hung up does not learn the id of a job. */
START_TEST(what_nobody_waits_for_any_more_is_not_begun)
{
	struct desk *d = desk_open((enum desk_store)_i);

	desk_submit_as(d, "x", "t", "[]", NULL, 0);
	hand_end_tasks(d, 1, HAND_DISK);
	desk_submit_as(d, "a", "t", "[]", NULL, 0);
	d->gone = true;
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/purge",
				   "{\"confirm\":\"io\"}"),
			  504);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/queues", NULL), 504);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/pause", NULL),
			  200);
	d->late = true;
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/resume", NULL),
			  504);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/x/retry", NULL),
			  504);
	d->gone = d->late = false;
	await_outcomes(d, "failed", "failed");
	desk_get(d, "/api/v1/queues/io");
	ck_assert_int_eq(desk_number(d, "waiting"), 1);
	ck_assert_int_eq(desk_number(d, "dead"), 1);
	ck_assert(json_is_true(desk_at(d, "paused", NULL)));
	desk_close(d);
}
END_TEST

START_TEST(a_queue_is_shown_paused_and_purged)
{
	struct desk *d = desk_open((enum desk_store)_i);

	desk_submit_as(d, "a", "t", "[]", NULL, 0);
	desk_submit_as(d, "b", "t", "[]", NULL, 500);
	desk_get(d, "/api/v1/queues");
	ck_assert_uint_ge(desk_n_items(d), 1);
	desk_get(d, "/api/v1/queues/io");
	ck_assert_int_eq(desk_number(d, "waiting"), 1);
	ck_assert(json_is_real(desk_at(d, "age", NULL)));
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "levels", "0", "waiting", NULL)), 1);
	ck_assert(json_is_true(desk_at(d, "levels_complete", NULL)));
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/queues/nope", NULL), 404);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/pause", NULL),
			  200);
	desk_get(d, "/api/v1/queues/io");
	ck_assert(json_is_true(desk_at(d, "paused", NULL)));
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/resume", NULL),
			  200);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/purge", "{}"),
			  400);
	ck_assert_str_eq(desk_text(d, "field"), "confirm");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/purge",
				   "{\"dry_run\":true}"),
			  200);
	ck_assert_int_eq(desk_number(d, "purged"), 2);
	desk_ask(d, "POST", "/api/v1/queues/io/purge", "{\"confirm\":\"io\"}");
	await_job(d);
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "result", "purged", NULL)), 2);
	await_outcomes(d, "done", "begun");
	ck_assert_str_eq(desk_item(d, 1, "action"), "queue.purge");
	ck_assert_str_eq(desk_item(d, 1, "target"), "io");
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "items", "1", "count", NULL)), 2);
	desk_get(d, "/api/v1/tasks/a");
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "record", "reason", NULL)),
	    "cancelled");
	desk_close(d);
}
END_TEST

/* --- workers and the overview --------------------------------------------- */

START_TEST(workers_and_the_overview_are_told)
{
	struct desk *d = desk_open((enum desk_store)_i);

	desk_submit_as(d, "a", "t", "[]", NULL, 0);
	desk_get(d, "/api/v1/workers");
	ck_assert_uint_eq(desk_n_items(d), 0);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/workers/nope", NULL),
			  404);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/workers/nope/stop", NULL), 404);
	desk_submit_as(d, "b", "t", "[]", NULL, 0);
	hand_end_tasks(d, 1, HAND_DISK);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules",
		     "{\"id\":\"soon\",\"task\":\"t\",\"queue\":\"io\","
		     "\"force\":true,\"type\":\"interval\","
		     "\"rule\":\"5m\"}"),
	    201);
	desk_get(d, "/api/v1/overview");
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "next_fires", "0", "id", NULL)),
	    "soon");
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "stats", "waiting", NULL)), 1);
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "failures", "0", "count", NULL)), 1);
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "workers", "slots", NULL)), 0);
	ck_assert(json_is_integer(desk_at(d, "findings", "errors", NULL)));
	ck_assert(json_is_integer(desk_at(d, "rates", "succeeded", NULL)));
	ck_assert(json_is_array(desk_at(d, "next_fires", NULL)));
	ck_assert(json_is_array(desk_at(d, "queues", NULL)));
	desk_close(d);
}
END_TEST

/* --- bounds --------------------------------------------------------------- */

SUITE("web-dead")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(the_dead_are_listed_grouped_put_back_and_deleted);
	TEST_BOTH(a_change_without_a_selection_or_with_a_wrong_one_is_refused);
	TEST_BOTH(all_that_matches_is_put_back_by_a_job);
	TEST_BOTH(a_queue_is_shown_paused_and_purged);
	TEST_BOTH(what_nobody_waits_for_any_more_is_not_begun);
	TEST_BOTH(workers_and_the_overview_are_told);
}
