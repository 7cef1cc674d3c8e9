/* SPDX-License-Identifier: MIT */
/* The routes of schedules, of the calendar and of registered tasks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/loop.h"
#include "store/broker.h"
#include "util/clock.h"
#include "web/desk.h"

static const char *
said(const struct desk *d, const char *name)
{
	static char texts[4][512];
	static int turn;
	char *text = texts[turn++ % 4], *dumped;
	json_t *value = desk_at(d, name, NULL);

	if (json_is_string(value))
		return json_string_value(value);
	dumped = value != NULL
		     ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT)
		     : NULL;
	snprintf(text, sizeof(texts[0]), "%s", dumped != NULL ? dumped : "");
	free(dumped);
	return text;
}

static const char *
etag(const struct desk *d)
{
	const char *value = web_pairs_get(&d->fields, "ETag");

	return value != NULL ? value : "";
}

#define MAIL                                                                   \
	"{\"id\":\"mail\",\"task\":\"add\",\"type\":\"cron\","                 \
	"\"rule\":\"0 9 * * MON-FRI\",\"tz\":\"Europe/Berlin\","               \
	"\"args\":[1],\"grace\":\"1m\",\"timeout\":30,\"force\":true}"

static void
make_mail(struct desk *d)
{
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/schedules", MAIL), 201);
}

START_TEST(a_schedule_is_made_shown_and_deleted)
{
	struct desk *d = desk_open(_i);

	make_mail(d);
	ck_assert_str_eq(said(d, "id"), "mail");
	ck_assert_str_eq(said(d, "words"),
			 "every weekday at 09:00, Europe/Berlin time");
	ck_assert_str_eq(said(d, "state"), "enabled");
	ck_assert_str_eq(said(d, "grace"), "60.0");
	ck_assert_str_eq(said(d, "timeout"), "30.0");
	/* The same line again does not make a second one. */
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/schedules", MAIL), 200);
	desk_get(d, "/api/v1/schedules/mail");
	ck_assert_str_eq(said(d, "args"), "[1]");
	ck_assert_str_eq(said(d, "missed"), "0");
	ck_assert_uint_eq(strlen(etag(d)),
			  strlen("\"2026-11-23T12:00:00.000000+00:00\""));
	ck_assert_uint_eq(desk_ask(d, "DELETE", "/api/v1/schedules/mail", NULL),
			  204);
	ck_assert_uint_eq(desk_ask(d, "DELETE", "/api/v1/schedules/mail", NULL),
			  404);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/schedules/mail", NULL),
			  404);
	desk_close(d);
}
END_TEST

static const struct {
	const char *body;
	unsigned int status;
	const char *field, *column, *token, *hint;
} wrong[] = {
    {"{\"type\":\"cron\",\"rule\":\"0 25 * * *\",\"task\":\"add\"}", 422,
     "rule", "3", "25", "write 0 to 23"},
    {"{\"type\":\"cron\",\"rule\":\"0 9 * * MON-FRY\",\"task\":\"add\"}", 422,
     "rule", "13", "FRY", "did you mean FRI?"},
    {"{\"type\":\"cron\",\"rule\":\"0 0 30 2 *\",\"task\":\"add\"}", 422,
     "rule", "", "", "null"},
    {"{\"type\":\"interval\",\"rule\":\"soon\",\"task\":\"add\"}", 422, "rule",
     "", "", "null"},
    {"{\"type\":\"cron\",\"rule\":\"0 9 * * *\",\"task\":\"add\","
     "\"tz\":\"Europe/Berln\"}",
     422, "tz", "", "", "null"},
    {"{\"type\":\"weekly\",\"rule\":\"0 9 * * *\",\"task\":\"add\"}", 422,
     "type", "", "", "null"},
    {"{\"type\":\"cron\",\"rule\":\"0 9 * * *\"}", 422, "task", "", "", "null"},
    {"{\"type\":\"cron\",\"task\":\"add\"}", 422, "rule", "", "", "null"},
    {"{\"type\":\"interval\",\"rule\":\"5m\",\"task\":\"add\",\"args\":{}}",
     422, "args", "", "", "null"},
    {"{\"type\":\"interval\",\"rule\":\"5m\",\"task\":\"add\","
     "\"misfire\":\"never\"}",
     422, "misfire", "", "", "null"},
    {"{\"type\":\"interval\",\"rule\":\"5m\",\"task\":\"add\","
     "\"retry_backoff\":0}",
     422, "retry_backoff", "", "", "null"},
    {"{\"type\":\"interval\",\"rule\":\"5m\",\"task\":\"a b\","
     "\"force\":true}",
     422, "task", "", "", "null"},
    {"{\"colour\":1}", 422, "colour", "", "", "null"},
    {"[]", 422, "null", "", "", "null"},
};

START_TEST(what_is_wrong_with_a_form_is_told_by_field_and_place)
{
	struct desk *d = desk_open(DESK_SQLITE);

	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules", wrong[_i].body),
	    wrong[_i].status);
	ck_assert_str_eq(said(d, "code"), "data");
	ck_assert_str_eq(said(d, "field"), wrong[_i].field);
	ck_assert_str_eq(said(d, "column"), wrong[_i].column);
	ck_assert_str_eq(said(d, "token"), wrong[_i].token);
	ck_assert_str_eq(said(d, "hint"), wrong[_i].hint);
	desk_close(d);
}
END_TEST

START_TEST(a_preview_tells_the_next_fires_and_stores_nothing)
{
	struct desk *d = desk_open(_i);

	d->who.role = WEB_VIEWER;
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/schedules/preview?n=3",
				   "{\"type\":\"cron\",\"rule\":\"0 9 * * *\","
				   "\"tz\":\"Asia/Tokyo\"}"),
			  200);
	ck_assert_uint_eq(json_array_size(desk_at(d, "items", NULL)), 3);
	ck_assert_str_eq(said(d, "tz"), "Asia/Tokyo");
	ck_assert_str_eq(said(d, "words"),
			 "every day at 09:00, Asia/Tokyo time");
	ck_assert_ptr_nonnull(
	    strstr(json_string_value(desk_at(d, "items", "0", "local", NULL)),
		   "T09:00:00+09:00"));
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/schedules/preview",
				   "{\"type\":\"cron\",\"rule\":\"* * * *\"}"),
			  422);
	ck_assert_str_eq(said(d, "column"), "1");
	ck_assert_str_eq(said(d, "token"), "* * * *");
	desk_get(d, "/api/v1/schedules");
	ck_assert_uint_eq(json_array_size(desk_at(d, "items", NULL)), 0);
	desk_close(d);
}
END_TEST

START_TEST(an_edit_names_the_version_that_it_is_of)
{
	struct desk *d = desk_open(_i);
	char version[80];
	json_t *schedule;
	char *body;

	make_mail(d);
	snprintf(version, sizeof(version), "%s", etag(d));
	/* What was read is sent back, with a change. */
	schedule = json_deep_copy(d->answer);
	json_object_set_new(schedule, "rule", json_string("30 8 * * *"));
	json_object_set_new(schedule, "timeout", json_null());
	json_object_set_new(schedule, "force", json_true());
	body = json_dumps(schedule, JSON_COMPACT);
	ck_assert_uint_eq(desk_ask(d, "PUT", "/api/v1/schedules/mail", body),
			  428);
	desk_header(d, "If-Match", version);
	ck_assert_uint_eq(desk_ask(d, "PUT", "/api/v1/schedules/mail", body),
			  200);
	ck_assert_str_eq(said(d, "rule"), "30 8 * * *");
	ck_assert_str_eq(said(d, "timeout"), "null");
	ck_assert_str_eq(said(d, "grace"), "60.0");
	ck_assert_str_ne(etag(d), version);
	/* The second of two editors of one version is told so. */
	desk_header(d, "If-Match", version);
	ck_assert_uint_eq(desk_ask(d, "PUT", "/api/v1/schedules/mail", body),
			  412);
	ck_assert_str_eq(said(d, "code"), "precondition_failed");
	desk_header(d, "If-Match", "\"yesterday\"");
	ck_assert_uint_eq(desk_ask(d, "PUT", "/api/v1/schedules/mail", body),
			  412);
	desk_header(d, "If-Match", "*");
	ck_assert_uint_eq(desk_ask(d, "PUT", "/api/v1/schedules/none", body),
			  404);
	json_object_set_new(schedule, "id", json_string("other"));
	free(body);
	body = json_dumps(schedule, JSON_COMPACT);
	desk_header(d, "If-Match", "*");
	ck_assert_uint_eq(desk_ask(d, "PUT", "/api/v1/schedules/mail", body),
			  422);
	ck_assert_str_eq(said(d, "field"), "id");
	free(body);
	json_decref(schedule);
	desk_close(d);
}
END_TEST

START_TEST(an_edit_that_does_not_say_so_leaves_a_schedule_disabled)
{
	struct desk *d = desk_open(_i);

	make_mail(d);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules/mail/disable", NULL), 200);
	ck_assert_str_eq(said(d, "state"), "disabled");
	desk_header(d, "If-Match", etag(d));
	ck_assert_uint_eq(desk_ask(d, "PUT", "/api/v1/schedules/mail", MAIL),
			  200);
	ck_assert_str_eq(said(d, "state"), "disabled");
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules/mail/enable", NULL), 200);
	ck_assert_str_eq(said(d, "state"), "enabled");
	desk_close(d);
}
END_TEST

START_TEST(a_schedule_is_run_once_for_one_key)
{
	struct desk *d = desk_open(_i);
	char id[80];

	make_mail(d);
	/* It needs a queue, since nobody has registered the task. */
	desk_header(d, "If-Match", "*");
	ck_assert_uint_eq(
	    desk_ask(d, "PUT", "/api/v1/schedules/mail",
		     "{\"task\":\"add\",\"type\":\"interval\",\"rule\":\"1h\","
		     "\"queue\":\"io\",\"force\":true}"),
	    200);
	desk_header(d, "Idempotency-Key", "once");
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules/mail/run", NULL), 201);
	snprintf(id, sizeof(id), "%s", said(d, "task_id"));
	ck_assert_uint_gt(strlen(id), 30);
	desk_header(d, "Idempotency-Key", "once");
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules/mail/run", NULL), 201);
	ck_assert_str_eq(said(d, "task_id"), id);
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules/none/run", NULL), 404);
	desk_close(d);
}
END_TEST

#define FLOW(steps)                                                            \
	"{\"id\":\"flow\",\"task\":\"nightly\",\"type\":\"interval\","         \
	"\"rule\":\"1h\",\"force\":true,\"workflow\":{\"steps\":[" steps "]}}"

START_TEST(a_schedule_begins_a_workflow)
{
	struct desk *d = desk_open(_i);
	char id[80];

	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules",
		     FLOW("{\"name\":\"add\",\"after\":[\"x\"]}")),
	    422);
	ck_assert_str_eq(said(d, "field"), "workflow");
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules",
		     FLOW("{\"id\":\"a\",\"name\":\"add\",\"queue\":\"io\","
			  "\"force\":true}")),
	    201);
	ck_assert_ptr_nonnull(strstr(said(d, "workflow"), "\"name\":\"add\""));
	desk_header(d, "Idempotency-Key", "once");
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules/flow/run", NULL), 201);
	snprintf(id, sizeof(id), "%s", said(d, "workflow"));
	ck_assert_uint_gt(strlen(id), 30);
	desk_header(d, "Idempotency-Key", "once");
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/schedules/flow/run", NULL), 201);
	ck_assert_str_eq(said(d, "workflow"), id);
	/* What is said takes the place of all. */
	desk_header(d, "If-Match", "*");
	ck_assert_uint_eq(
	    desk_ask(d, "PUT", "/api/v1/schedules/flow",
		     "{\"task\":\"add\",\"type\":\"interval\",\"rule\":\"1h\","
		     "\"queue\":\"io\",\"force\":true}"),
	    200);
	ck_assert_str_eq(said(d, "workflow"), "null");
	desk_close(d);
}
END_TEST

START_TEST(lists_of_schedules_are_filtered_and_gone_on_with)
{
	struct desk *d = desk_open(_i);
	char target[200], body[200];
	int i;

	for (i = 0; i < 3; i++) {
		snprintf(body, sizeof(body),
			 "{\"id\":\"s%d\",\"task\":\"add\",\"type\":"
			 "\"interval\",\"rule\":\"%dm\",\"force\":true}",
			 i, 30 - i);
		ck_assert_uint_eq(
		    desk_ask(d, "POST", "/api/v1/schedules", body), 201);
	}
	desk_get(d, "/api/v1/schedules?limit=2&order=next&spark=true");
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "items", "0", "id", NULL)), "s2");
	ck_assert_int_eq(
	    json_array_size(desk_at(d, "items", "0", "spark", NULL)), 0);
	snprintf(target, sizeof(target),
		 "/api/v1/schedules?limit=2&order=next&cursor=%s",
		 said(d, "next"));
	desk_get(d, target);
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "items", "0", "id", NULL)), "s0");
	ck_assert_str_eq(said(d, "next"), "null");
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/schedules?cursor=i.0.0.x", NULL), 400);
	ck_assert_str_eq(said(d, "field"), "cursor");
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/schedules?order=size", NULL), 400);
	desk_get(d, "/api/v1/schedules?text=29%20MIN");
	ck_assert_uint_eq(json_array_size(desk_at(d, "items", NULL)), 1);
	desk_get(d, "/api/v1/schedules?enabled=false");
	ck_assert_uint_eq(json_array_size(desk_at(d, "items", NULL)), 0);
	desk_get(d, "/api/v1/schedules?enabled=true&task=add");
	ck_assert_uint_eq(json_array_size(desk_at(d, "items", NULL)), 3);
	desk_close(d);
}
END_TEST

START_TEST(next_and_past_fires_are_told)
{
	struct desk *d = desk_open(_i);

	make_mail(d);
	desk_get(
	    d,
	    "/api/v1/schedules/mail/next?n=2&after=2026-11-23T00:00:00+00:00");
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "items", "1", "at", NULL)),
	    "2026-11-24T08:00:00+00:00");
	desk_get(d, "/api/v1/schedules/mail/fires");
	ck_assert_uint_eq(json_array_size(desk_at(d, "items", NULL)), 0);
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/schedules/none/fires", NULL), 404);
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/schedules/mail/fires?cursor=x", NULL),
	    400);
	ck_assert_uint_eq(
	    desk_ask(d, "GET", "/api/v1/schedules/none/next", NULL), 404);
	desk_close(d);
}
END_TEST

START_TEST(the_calendar_has_the_week)
{
	struct desk *d = desk_open(_i);

	make_mail(d);
	desk_get(
	    d, "/api/v1/calendar?from=2026-11-23T00:30:00.000000+00:00&days=7");
	ck_assert_str_eq(said(d, "from"), "2026-11-23T00:00:00+00:00");
	ck_assert_str_eq(said(d, "complete"), "true");
	ck_assert_uint_eq(json_array_size(desk_at(d, "hours", NULL)), 5);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/calendar?days=99", NULL),
			  400);
	desk_close(d);
}
END_TEST

/* --- registered tasks ------------------------------------------------------ */

struct registering {
	struct op op;
	struct flowrra_client *client;
};

static void
register_now(struct op *op)
{
	static const struct slice names[] = {SLICE("resize"), SLICE("broken")};
	static const struct slice texts[] = {
	    SLICE("{\"queue\":\"io\",\"description\":\"Makes it small\"}"),
	    SLICE("nonsense")};
	struct registering *r = container_of(op, struct registering, op);

	broker_register(r->client->broker, names, texts, 2);
	op->flush = true;
	loop_done(r->client->loop, op);
}

START_TEST(registered_tasks_are_told_as_their_modules_say)
{
	struct desk *d = desk_open(_i);
	struct registering r;

	/* The first submission makes the embedded database. */
	free(desk_submit(d, "first", "[]", "io"));
	/* What is sent before the server is in reach is lost. */
	do {
		r = (struct registering){.op = {.start = register_now},
					 .client = d->client};
		desk_get(d, "/api/v1/registry");
		loop_call(d->client->loop, &r.op);
	} while (json_array_size(desk_at(d, "items", NULL)) < 2);
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "items", "0", "name", NULL)),
	    "broken");
	ck_assert_ptr_nonnull(desk_at(d, "items", "0", "fault", NULL));
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "items", "1", "description", NULL)),
	    "Makes it small");
	desk_get(d, "/api/v1/registry/resize");
	ck_assert(json_is_integer(desk_at(d, "figures", "succeeded", NULL)));
	ck_assert_str_eq(said(d, "queue"), "io");
	ck_assert_int_eq(json_integer_value(desk_at(d, "workers", NULL)), 0);
	ck_assert(json_is_integer(desk_at(d, "workers", NULL)));
	ck_assert(json_is_integer(desk_at(d, "figures", "succeeded", NULL)));
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/v1/registry/resiez", NULL),
			  404);
	ck_assert_ptr_nonnull(strstr(said(d, "detail"), "resize"));
	/* A schedule of a task that is registered needs no force. */
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/schedules",
				   "{\"task\":\"resiez\",\"type\":\"interval\","
				   "\"rule\":\"5m\"}"),
			  422);
	ck_assert_str_eq(said(d, "field"), "task");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/schedules",
				   "{\"task\":\"resize\",\"type\":\"interval\","
				   "\"rule\":\"5m\"}"),
			  201);
	desk_close(d);
}
END_TEST

SUITE("web-schedules")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_schedule_is_made_shown_and_deleted, 0, DESK_N_STORES);
	TEST_LOOP(what_is_wrong_with_a_form_is_told_by_field_and_place, 0,
		  sizeof(wrong) / sizeof(wrong[0]));
	TEST_LOOP(a_preview_tells_the_next_fires_and_stores_nothing, 0,
		  DESK_N_STORES);
	TEST_LOOP(an_edit_names_the_version_that_it_is_of, 0, DESK_N_STORES);
	TEST_LOOP(an_edit_that_does_not_say_so_leaves_a_schedule_disabled, 0,
		  DESK_N_STORES);
	TEST_LOOP(a_schedule_is_run_once_for_one_key, 0, DESK_N_STORES);
	TEST_LOOP(a_schedule_begins_a_workflow, 0, DESK_N_STORES);
	TEST_LOOP(lists_of_schedules_are_filtered_and_gone_on_with, 0,
		  DESK_N_STORES);
	TEST_LOOP(next_and_past_fires_are_told, 0, DESK_N_STORES);
	TEST_LOOP(the_calendar_has_the_week, 0, DESK_N_STORES);
	TEST_LOOP(registered_tasks_are_told_as_their_modules_say, 0,
		  DESK_N_STORES);
}
