/* SPDX-License-Identifier: MIT */
/* Routes of one task, and of submitting, over both stores. */
#include <stdlib.h>
#include <string.h>

#include "web/desk.h"
#include "web/hand.h"

/* --- one task ------------------------------------------------------------- */

START_TEST(a_task_is_shown_with_its_attempts_and_its_result)
{
	struct desk *d = desk_open((enum desk_store)_i);

	desk_submit_as(d, "report:20261123T090000Z", "t", "[1]", NULL, 0);
	desk_get(d, "/api/v1/tasks/report:20261123T090000Z");
	ck_assert_str_eq(desk_text(d, "where"), "waiting");
	ck_assert_str_eq(json_string_value(desk_at(d, "schedule", "id", NULL)),
			 "report");
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "schedule", "fire_at", NULL)),
	    "2026-11-23T09:00:00.000000+00:00");
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/tasks/report:20261123T090000Z/result",
		     NULL),
	    409);
	hand_end_tasks(d, 1, NULL);
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/tasks/report:20261123T090000Z/result",
		     NULL),
	    200);
	ck_assert_str_eq(d->bytes.data, "[1.50]");
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/tasks/nope/result", NULL),
			  404);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/tasks/nope", NULL), 404);
	desk_submit_as(d, "b", "t", "[1]", NULL, 0);
	hand_end_tasks(d, 1, HAND_DISK);
	desk_get(d, "/api/v1/tasks/b");
	ck_assert_str_eq(desk_text(d, "where"), "dead");
	ck_assert(json_is_string(desk_at(d, "bytes", NULL)));
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/tasks/b/result", NULL),
			  409);
	desk_submit_as(d, "c", "t", "[1]", NULL, 0);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/c/cancel", NULL),
			  200);
	ck_assert_str_eq(desk_text(d, "outcome"), "cancelled");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/c/cancel", NULL),
			  409);
	desk_close(d);
}
END_TEST

START_TEST(a_delayed_task_is_run_now)
{
	struct desk *d = desk_open((enum desk_store)_i);

	desk_submit_as(d, "later", "t", "[1]", NULL, 3600);
	desk_submit_as(d, "waits", "t", "[1]", NULL, 0);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/later/run", NULL),
			  200);
	ck_assert_str_eq(desk_text(d, "outcome"), "due");
	/* A worker gets both. */
	hand_end_tasks(d, 2, NULL);
	desk_get(d, "/api/v1/tasks/later");
	ck_assert_str_eq(desk_text(d, "where"), "finished");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/later/run", NULL),
			  409);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/nope/run", NULL),
			  404);
	desk_close(d);
}
END_TEST

/* --- submitting ----------------------------------------------------------- */

START_TEST(a_task_is_submitted_once_for_each_key)
{
	struct desk *d = desk_open((enum desk_store)_i);
	struct web_replay *replay = d->shared.replay;
	char *id;

	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks",
				   "{\"name\":\"t\",\"queue\":\"io\","
				   "\"force\":true}"),
			  201);
	ck_assert_str_eq(desk_text(d, "queue"), "io");
	desk_header(d, "Idempotency-Key", "k1");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks",
				   "{\"name\":\"t\",\"queue\":\"io\","
				   "\"force\":true}"),
			  201);
	id = strdup(desk_text(d, "task_id"));
	/* As after a restart: nothing of the first answer is kept. */
	d->shared.replay = NULL;
	desk_header(d, "Idempotency-Key", "k1");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks",
				   "{\"name\":\"t\",\"queue\":\"io\","
				   "\"force\":true}"),
			  201);
	ck_assert_str_eq(desk_text(d, "task_id"), id);
	free(id);
	desk_get(d, "/api/v1/queues/io");
	ck_assert_int_eq(desk_number(d, "waiting"), 2);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/tasks",
		     "{\"name\":\"t\",\"queue\":\"io\",\"nmae\":1}"),
	    422);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", "{"), 400);
	d->who.role = WEB_VIEWER;
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks", "{}"), 403);
	d->shared.replay = replay;
	desk_close(d);
}
END_TEST

START_TEST(each_line_of_a_batch_has_its_answer)
{
	struct desk *d = desk_open((enum desk_store)_i);
	struct buf body = BUF_INIT;
	const char *line;
	json_t *answer;
	size_t i, n = 0, errors = 0;

	for (i = 1; i <= 300; i++)
		buf_adds(&body, i == 150   ? "nonsense\n"
				: i == 151 ? "\n"
					   : "{\"name\":\"t\",\"queue\":\"io\","
					     "\"force\":true}\n");
	buf_addc(&body, '\0');
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/batch", body.data),
			  200);
	for (line = d->bytes.data; line < d->bytes.data + d->bytes.len;
	     line = strchr(line, '\n') + 1) {
		answer = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
		n++;
		if (json_object_get(answer, "error") != NULL) {
			errors++;
			ck_assert_int_eq(
			    json_integer_value(json_object_get(answer, "line")),
			    150);
		}
		json_decref(answer);
	}
	ck_assert_uint_eq(n, 299);
	ck_assert_uint_eq(errors, 1);
	desk_get(d, "/api/v1/queues/io");
	ck_assert_int_eq(desk_number(d, "waiting"), 298);
	buf_done(&body);
	desk_close(d);
}
END_TEST

/* --- bounds --------------------------------------------------------------- */

/* Problems quote what they are about. */
START_TEST(the_error_of_a_failed_task_is_masked_in_a_problem_too)
{
	struct desk *d = desk_open((enum desk_store)_i);

	desk_submit_as(d, "w", "t", "[1]", NULL, 0);
	hand_end_tasks(d, 1,
		       "{\"reason\":\"failed\",\"error\":\"password=sesame\"}");
	d->who.role = WEB_VIEWER;
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/tasks/w/result", NULL),
			  409);
	ck_assert_msg(strstr(d->bytes.data, "sesame") == NULL, "%s",
		      d->bytes.data);
	desk_close(d);
}
END_TEST

/* A line of one byte has an answer of hundreds. */
START_TEST(a_batch_of_many_lines_has_an_answer_with_an_end)
{
	struct desk *d = desk_open((enum desk_store)_i);
	const size_t n = 1000000;
	char *body = malloc(2 * n + 1), *last;
	size_t i;

	for (i = 0; i < n; i++)
		memcpy(body + 2 * i, "1\n", 2);
	body[2 * n] = '\0';
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/tasks/batch", body),
			  200);
	ck_assert_uint_lt(d->bytes.len, 32 << 20);
	last = strstr(d->bytes.data, "{\"line\":100001,");
	ck_assert_ptr_nonnull(last);
	ck_assert_ptr_nonnull(strstr(last, "\"status\":413"));
	ck_assert_str_eq(strchr(last, '\n'), "\n");
	free(body);
	desk_close(d);
}
END_TEST

SUITE("web-task")
{
	SUITE_TIMEOUT(120);
	TEST_BOTH(a_task_is_shown_with_its_attempts_and_its_result);
	TEST_BOTH(the_error_of_a_failed_task_is_masked_in_a_problem_too);
	TEST_BOTH(a_batch_of_many_lines_has_an_answer_with_an_end);
	TEST_BOTH(a_delayed_task_is_run_now);
	TEST_BOTH(a_task_is_submitted_once_for_each_key);
	TEST_BOTH(each_line_of_a_batch_has_its_answer);
}
