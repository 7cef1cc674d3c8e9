/* SPDX-License-Identifier: MIT */
/* Routes of lists: their cursors, filters and bounds, over both stores. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "flowrra/client.h"
#include "manager/tasks.h"
#include "util/clock.h"
#include "web/desk.h"
#include "web/hand.h"

/* --- lists ---------------------------------------------------------------- */

START_TEST(a_list_is_walked_through_by_its_cursors)
{
	struct desk *d = desk_open((enum desk_store)_i);
	char id[8];
	size_t i, steps;

	for (i = 0; i < 7; i++) {
		snprintf(id, sizeof(id), "w%zu", i);
		desk_submit_as(d, id, i % 2 ? "odd" : "even", "[1]", NULL, 0);
		snprintf(id, sizeof(id), "d%zu", i);
		desk_submit_as(d, id, "later", "[1]", NULL,
			       1000 * (double)(i + 1));
	}
	ck_assert_str_eq(
	    desk_walk(d, "/api/v1/tasks?state=pending&limit=3", &steps),
	    "w6 w5 w4 w3 w2 w1 w0 ");
	ck_assert_uint_eq(steps, 3);
	ck_assert_str_eq(
	    desk_walk(d, "/api/v1/tasks?state=pending&limit=2&task=odd", NULL),
	    "w5 w3 w1 ");
	ck_assert_str_eq(
	    desk_walk(d, "/api/v1/tasks?state=delayed&limit=2&queue=io",
		      &steps),
	    "d6 d5 d4 d3 d2 d1 d0 ");
	ck_assert_uint_eq(steps, 4);
	ck_assert_str_eq(
	    desk_walk(d, "/api/v1/tasks?state=retrying&limit=2", NULL), "");
	desk_close(d);
}
END_TEST

START_TEST(what_has_ended_is_walked_through_and_filtered)
{
	struct desk *d = desk_open((enum desk_store)_i);
	char id[8];
	size_t i;

	for (i = 0; i < 5; i++) {
		snprintf(id, sizeof(id), "s%zu", i);
		desk_submit_as(d, id, i < 2 ? "old" : "new", "[1]", NULL, 0);
	}
	hand_end_tasks(d, 5, NULL);
	ck_assert_uint_eq(
	    strlen(desk_walk(d, "/api/v1/tasks?state=success&limit=2", NULL)),
	    strlen("s4 s3 s2 s1 s0 "));
	desk_get(d, "/api/v1/tasks?state=success&task=old&limit=1");
	ck_assert_uint_eq(desk_n_items(d), 1);
	ck_assert_str_eq(desk_item(d, 0, "state"), "success");
	ck_assert_str_eq(desk_item(d, 0, "task_name"), "old");
	ck_assert(json_is_true(desk_at(d, "complete", NULL)));
	desk_get(d, "/api/v1/tasks?state=success&worker=host:b");
	ck_assert_uint_eq(desk_n_items(d), 0);
	ck_assert_int_eq(desk_number(d, "looked_at"), 5);
	desk_get(d, "/api/v1/tasks?state=success&worker=host:a&args.0=1");
	ck_assert_uint_eq(desk_n_items(d), 5);
	desk_get(d, "/api/v1/tasks?state=success&after=2026-11-23T11:00:00Z"
		    "&before=2026-11-23T13:00:00Z");
	ck_assert_uint_eq(desk_n_items(d), 5);
	desk_get(d, "/api/v1/tasks?state=success&after=2026-11-24T00:00:00Z");
	ck_assert_uint_eq(desk_n_items(d), 0);
	desk_close(d);
}
END_TEST

START_TEST(arguments_are_found_by_their_paths)
{
	static const struct {
		const char *query, *ids;
	} cases[] = {
	    {"args.0=1", "a "},
	    {"args.0=1.0", "a "},
	    {"args.1.user.id=42", "b "},
	    {"args.user.id=42", "c b "},
	    {"kwargs.user.id=42", "c "},
	    {"kwargs.user.id=42&args.0=x", ""},
	    {"kwargs.tags=[\"y\",\"z\"]", "c "},
	    {"kwargs.tags.1=z", "c "},
	    {"kwargs.a.b=dots", "c "},
	    {"args.flag=true", "c "},
	    {"args.flag=1", ""},
	    {"args.none=null", "c "},
	    /* Hostile: nothing is found, and nothing breaks. */
	    {"args.0.0.0.0.0=1", ""},
	    {"args.99999999999999999999=1", ""},
	    {"kwargs..=1", ""},
	    {"kwargs.user..id=42", ""},
	    {"args.0={", ""},
	};
	struct desk *d = desk_open((enum desk_store)_i);
	char target[256];
	size_t i;

	desk_submit_as(d, "a", "t", "[1]", NULL, 0);
	desk_submit_as(d, "b", "t", "[\"x\",{\"user\":{\"id\":42}}]", NULL, 0);
	desk_submit_as(
	    d, "c", "t", "[]",
	    "{\"user\":{\"id\":42},\"tags\":[\"y\",\"z\"],\"a.b\":\"dots\","
	    "\"flag\":true,\"none\":null}",
	    0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(target, sizeof(target),
			 "/api/v1/tasks?state=pending&%s", cases[i].query);
		ck_assert_msg(
		    strcmp(desk_walk(d, target, NULL), cases[i].ids) == 0,
		    "%s: %s", cases[i].query, desk_walk(d, target, NULL));
	}
	desk_close(d);
}
END_TEST

START_TEST(a_cursor_that_was_made_up_or_is_of_another_list_is_a_bad_request)
{
	static const char *const states[] = {"pending",	 "delayed", "running",
					     "retrying", "success", "failed"};
	static const char *const places[] = {
	    "",		"x",	    "0:io:",	 "0:io:9999999999999999999",
	    "1:a b:0",	"-1:io:0",  "501:io:0",	 "1:0:io",
	    "1:-1:io",	"0:0:io",   "::",	 "0::",
	    "0::x:y:z", "9:9:../x", "0:io:5:x:y"};
	struct desk *d = desk_open((enum desk_store)_i);
	char target[2048], hash[17], *cursor;
	size_t i, k;

	for (i = 0; i < 3; i++)
		free(desk_submit(d, "t", "[]", "io"));
	desk_get(d, "/api/v1/tasks?limit=1");
	cursor = strdup(desk_text(d, "next"));
	ck_assert_uint_gt(strlen(cursor), 17);
	snprintf(target, sizeof(target),
		 "/api/v1/tasks?limit=1&task=t&cursor=%s", cursor);
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	ck_assert_str_eq(desk_text(d, "field"), "cursor");
	snprintf(target, sizeof(target), "/api/v1/dead?cursor=%s", cursor);
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	/* The limit does not belong to the filter. */
	snprintf(target, sizeof(target), "/api/v1/tasks?limit=2&cursor=%s",
		 cursor);
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 200);
	free(cursor);
	for (k = 0; k < 6; k++) {
		/* Its right hash, as a client could keep it. */
		const struct task_filter none = {.queue = NULL};
		static const enum tasks_state of[] = {
		    TASKS_WAITING,  TASKS_DELAYED,   TASKS_RUNNING,
		    TASKS_RETRYING, TASKS_COMPLETED, TASKS_FAILED};

		snprintf(hash, sizeof(hash), "%016llx",
			 (unsigned long long)task_filter_hash(&none, of[k]));
		for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			snprintf(target, sizeof(target),
				 "/api/v1/tasks?state=%s&cursor=%s.%s",
				 states[k], hash, places[i]);
			desk_ask(d, "GET", target, NULL);
			/* A place that could be one is the only other answer. */
			ck_assert_msg(d->status == 400 || d->status == 200,
				      "%s: %u", target, d->status);
		}
		snprintf(target, sizeof(target),
			 "/api/v1/tasks?state=%s&cursor=%s.x", states[k], hash);
		ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	}
	memset(target, 'x', sizeof(target) - 1);
	memcpy(target, "/api/v1/tasks?cursor=", 21);
	target[sizeof(target) - 1] = '\0';
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	desk_close(d);
}
END_TEST

START_TEST(a_filter_that_can_match_nothing_is_a_bad_request)
{
	static const char *const bad[] = {
	    "state=nope",
	    "after=2026-11-23T12:00:00Z&before=2026-11-23T11:00:00Z",
	    "after=yesterday",
	    "args.=1",
	    "kwargs.=1",
	    "limit=0",
	    "limit=501",
	    "taks=x"};
	struct desk *d = desk_open((enum desk_store)_i);
	char target[8192];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(target, sizeof(target), "/api/v1/tasks?%s", bad[i]);
		ck_assert_msg(desk_ask(d, "GET", target, NULL) == 400, "%s: %u",
			      bad[i], d->status);
	}
	desk_submit_as(d, "a", "t", "[]", NULL, 0);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/tasks?queue=nope", NULL),
			  404);
	memset(target, 'x', sizeof(target));
	memcpy(target, "/api/v1/tasks?error=", 20);
	target[4000] = '\0';
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	strcpy(target, "/api/v1/tasks?");
	for (i = 0; i < 17; i++)
		sprintf(target + strlen(target), "args.%zu=1&", i);
	target[strlen(target) - 1] = '\0';
	ck_assert_uint_eq(desk_ask(d, "GET", target, NULL), 400);
	desk_close(d);
}
END_TEST

/* --- bounds --------------------------------------------------------------- */

/* Two seconds: a page more than the time that a step has. On a busy machine one of
 * five tries has to keep to it. */
static void
get_in_time(struct desk *d, const char *target)
{
	int64_t begin_ms, took_ms;
	int tries = 0;

	do {
		begin_ms = clock_mono_ms();
		desk_get(d, target);
		took_ms = clock_mono_ms() - begin_ms;
	} while (took_ms >= 2000 && ++tries < 5);
	ck_assert_int_lt(took_ms, 2000);
}

START_TEST(a_list_of_100000_tasks_stays_within_its_bounds_and_says_so)
{
	struct desk *d = desk_open((enum desk_store)_i);
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_batch *batch;
	int64_t looked_at = 0;
	char target[512];
	size_t i, steps = 0;

	request.name = "t";
	request.queue = "io";
	request.force = true;
	ck_assert_int_eq(flowrra_batch_new(d->client, &batch, NULL), 0);
	for (i = 0; i < 100000; i++) {
		request.args = i == 0 ? "[\"needle\"]" : "[\"hay\"]";
		ck_assert_int_eq(flowrra_batch_add(batch, &request, NULL), 0);
		if (i % 1000 == 999) {
			ck_assert_int_eq(flowrra_batch_send(batch, NULL), 0);
			flowrra_batch_reset(batch);
		}
	}
	flowrra_batch_free(batch);
	strcpy(target, "/api/v1/tasks?args.0=needle");
	do {
		get_in_time(d, target);
		ck_assert_int_le(desk_number(d, "looked_at"), 10500);
		looked_at += desk_number(d, "looked_at");
		ck_assert_uint_lt(++steps, 1000);
		if (desk_n_items(d) == 0 && *desk_text(d, "next") != '\0')
			ck_assert(json_is_false(desk_at(d, "complete", NULL)));
		snprintf(target, sizeof(target),
			 "/api/v1/tasks?args.0=needle&cursor=%s",
			 desk_text(d, "next"));
	} while (desk_n_items(d) == 0 && *desk_text(d, "next") != '\0');
	ck_assert_uint_eq(desk_n_items(d), 1);
	ck_assert_uint_gt(steps, 5);
	ck_assert_int_eq(looked_at, 100000);
	desk_get(d, "/api/v1/tasks?limit=50");
	ck_assert(json_is_true(desk_at(d, "complete", NULL)));
	ck_assert_int_eq(desk_number(d, "looked_at"), 50);
	desk_close(d);
}
END_TEST

/* A filter that matched what is hidden would confirm each guess. */
START_TEST(a_viewer_finds_nothing_by_what_is_hidden)
{
	static const char *const guesses[] = {
	    "/api/v1/tasks?args.user.password=sesame",
	    "/api/v1/tasks?kwargs.user.password=sesame",
	    ("/api/v1/tasks?kwargs.user={\"name\":\"a\",\"password\":"
	     "\"sesame\"}"),
	    "/api/v1/tasks?args.1=sesame",
	    "/api/v1/dead?error=password=ses",
	    "/api/v1/dead/groups?error=password=s",
	    "/api/v1/tasks?state=failed&error=password=s"};
	struct desk *d = desk_open((enum desk_store)_i);
	size_t i;

	desk_submit_as(d, "w", "t", "[1]", NULL, 0);
	hand_end_tasks(
	    d, 1, "{\"reason\":\"failed\",\"error\":\"disk password=sesame\"}");
	desk_submit_as(d, "s", "t", "[\"--password\",\"sesame\"]",
		       "{\"user\":{\"name\":\"a\",\"password\":\"sesame\"}}",
		       0);
	for (i = 0; i < 6; i++) {
		desk_get(d, guesses[i]);
		ck_assert_msg(desk_n_items(d) == 1, "%s: %zu", guesses[i],
			      desk_n_items(d));
	}
	d->who.role = WEB_VIEWER;
	for (i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
		desk_get(d, guesses[i]);
		ck_assert_msg(desk_n_items(d) == 0, "%s", guesses[i]);
	}
	desk_get(d, "/api/v1/tasks?kwargs.user.name=a");
	ck_assert_uint_eq(desk_n_items(d), 1);
	desk_get(d, "/api/v1/dead?error=disk");
	ck_assert_uint_eq(desk_n_items(d), 1);
	ck_assert_str_eq(desk_item(d, 0, "error"), "disk password=•••");
	desk_close(d);
}
END_TEST

/* 40 MiB in 40 tasks: no answer is longer than two of them, and none is missed. */
START_TEST(a_list_of_long_tasks_comes_in_short_answers)
{
	static const char *const lists[] = {
	    "/api/v1/tasks?state=pending&limit=500",
	    "/api/v1/tasks?state=delayed&limit=500"};
	struct desk *d = desk_open((enum desk_store)_i);
	const size_t len = 1000 << 10;
	char *args = malloc(len + 1), id[8], at[1024];
	const char *next;
	size_t i, l, n;

	memset(args, 'x', len);
	memcpy(args, "[\"", 2);
	memcpy(args + len - 2, "\"]", 3);
	for (i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "l%zu", i);
		desk_submit_as(d, id, "long", args, NULL,
			       i % 2 ? 1000 + (double)i : 0);
	}
	for (l = 0; l < 2; l++) {
		snprintf(at, sizeof(at), "%s", lists[l]);
		for (n = 0, next = ""; next != NULL; n += desk_n_items(d)) {
			desk_get(d, at);
			ck_assert_uint_lt(d->bytes.len, 3 << 20);
			next = json_string_value(desk_at(d, "next", NULL));
			snprintf(at, sizeof(at), "%s&cursor=%s", lists[l],
				 next != NULL ? next : "");
			ck_assert_msg(desk_n_items(d) > 0 || next == NULL,
				      "%s: %zu", at, n);
		}
		ck_assert_uint_eq(n, 20);
	}
	free(args);
	desk_close(d);
}
END_TEST

SUITE("web-lists")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(a_list_is_walked_through_by_its_cursors);
	TEST_BOTH(what_has_ended_is_walked_through_and_filtered);
	TEST_BOTH(arguments_are_found_by_their_paths);
	TEST_BOTH(
	    a_cursor_that_was_made_up_or_is_of_another_list_is_a_bad_request);
	TEST_BOTH(a_filter_that_can_match_nothing_is_a_bad_request);
	TEST_BOTH(a_viewer_finds_nothing_by_what_is_hidden);
	TEST_BOTH(a_list_of_long_tasks_comes_in_short_answers);
	TEST_BOTH(a_list_of_100000_tasks_stays_within_its_bounds_and_says_so);
}
