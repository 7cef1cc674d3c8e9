/* SPDX-License-Identifier: MIT */
/* What is refused, with which status, and which member or parameter is named:
 * programs and forms show the message beside it. */
#include <stdlib.h>
#include <string.h>

#include "web/desk.h"

static const char *
said(const struct desk *d, const char *name)
{
	const char *text = json_string_value(desk_at(d, name, NULL));

	return text != NULL ? text : "";
}

static const struct {
	const char *method, *target, *body;
	unsigned int status;
	const char *field; /* "": none, it is the whole */
} mistakes[] = {
    {"POST", "/api/v1/tasks", "{", 400, ""},
    {"POST", "/api/v1/tasks", "", 400, ""},
    {"POST", "/api/v1/tasks", "[]", 422, ""},
    {"POST", "/api/v1/tasks", "{\"nam\":\"add\"}", 422, "nam"},
    {"POST", "/api/v1/tasks", "{\"args\":[]}", 422, "name"},
    {"POST", "/api/v1/tasks", "{\"name\":\"add\",\"args\":5}", 422, "args"},
    {"POST", "/api/v1/tasks", "{\"name\":\"add\",\"priority\":\"x\"}", 422,
     "priority"},
    {"POST", "/api/v1/tasks", "{\"name\":\"add\",\"delay\":-5}", 422, "delay"},
    {"POST", "/api/v1/tasks",
     "{\"name\":\"add\",\"queue\":\"a b\",\"force\":true}", 422, "queue"},
    {"POST", "/api/v1/tasks", "{\"name\":\"nobody.has.it\"}", 422, "name"},
    {"POST", "/api/v1/tasks?wait=x", "{\"name\":\"add\"}", 400, "wait"},
    {"GET", "/api/v1/tasks?queue=a%20b", NULL, 400, "queue"},
    {"GET", "/api/v1/tasks?state=gone", NULL, 400, "state"},
    {"GET", "/api/v1/tasks?cursor=x", NULL, 400, "cursor"},
    {"GET", "/api/v1/dead?queue=a%20b", NULL, 400, "queue"},
    {"GET", "/api/v1/dead/groups?queue=a%20b", NULL, 400, "queue"},
    {"GET", "/api/v1/queues/a%20b", NULL, 422, "queue"},
    {"POST", "/api/v1/queues/a%20b/pause", "{}", 422, "queue"},
    {"POST", "/api/v1/queues/a%20b/purge", "{\"dry_run\":true}", 422, "queue"},
    {"POST", "/api/v1/queues/io/purge", "{}", 400, "confirm"},
    /* Of two, a proxy and we may each take another one. */
    {"POST", "/api/v1/queues/io/purge", "{\"dry_run\":true,\"dry_run\":true}",
     400, ""},
    /* No job is begun for what cannot be done. */
    {"POST", "/api/v1/dead/delete", "{\"filter\":{\"queue\":\"a b\"}}", 400,
     "queue"},
    {"POST", "/api/v1/dead/delete", "{\"filter\":{\"before\":\"x\"}}", 400,
     "before"},
    {"POST", "/api/v1/dead/delete", "{\"filter\":{\"tsk\":\"add\"}}", 400,
     "filter"},
    {"POST", "/api/v1/dead/retry", "{}", 400, "ids"},
    {"POST", "/api/v1/schedules", "{\"foo\":1}", 422, "foo"},
    {"POST", "/api/v1/schedules", "{\"task\":\"add\",\"type\":\"x\"}", 422,
     "type"},
};

START_TEST(a_mistake_is_told_with_the_member_that_it_is_in)
{
	struct desk *d = desk_open((enum desk_store)_i);
	unsigned int status;
	size_t i;

	free(desk_submit(d, "add", "[1,2]", "io"));
	for (i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		status = desk_ask(d, mistakes[i].method, mistakes[i].target,
				  mistakes[i].body);
		ck_assert_msg(status == mistakes[i].status &&
				  strcmp(said(d, "field"), mistakes[i].field) ==
				      0 &&
				  said(d, "detail")[0] != '\0' &&
				  said(d, "code")[0] != '\0',
			      "%s %s: %u, field \"%s\": %s", mistakes[i].target,
			      mistakes[i].body != NULL ? mistakes[i].body : "",
			      status, said(d, "field"), said(d, "detail"));
	}
	desk_close(d);
}
END_TEST

START_TEST(a_line_of_a_batch_is_refused_with_its_member)
{
	struct desk *d = desk_open((enum desk_store)_i);

	free(desk_submit(d, "add", "[1,2]", "io"));
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/tasks/batch",
		     "{\"name\":\"add\",\"queue\":\"io\",\"force\":true}\n"
		     "{\"name\":\"add\",\"queue\":\"a b\",\"force\":true}\n"
		     "{\"nam\":\"add\"}\n"),
	    200);
	ck_assert_ptr_nonnull(strstr(d->bytes.data, "{\"line\":1,\"task_id\""));
	ck_assert_ptr_nonnull(strstr(d->bytes.data, "\"field\":\"queue\""));
	ck_assert_ptr_nonnull(strstr(d->bytes.data, "\"field\":\"nam\""));
	desk_close(d);
}
END_TEST

/* 404 would say that the ID is wrong. */
START_TEST(a_task_that_is_not_dead_cannot_be_retried)
{
	struct desk *d = desk_open((enum desk_store)_i);
	char *id = desk_submit(d, "add", "[1,2]", "io");
	char target[160];

	snprintf(target, sizeof(target), "/api/v1/tasks/%s/retry", id);
	ck_assert_uint_eq(desk_ask(d, "POST", target, "{}"), 409);
	ck_assert_ptr_nonnull(strstr(said(d, "detail"), "pending"));
	ck_assert_uint_eq(
	    desk_ask(d, "POST", "/api/v1/tasks/nothing/retry", "{}"), 404);
	snprintf(target, sizeof(target), "/api/v1/tasks/%s/cancel", id);
	ck_assert_uint_eq(desk_ask(d, "POST", target, "{}"), 200);
	ck_assert_str_eq(said(d, "task_id"), id);
	free(id);
	desk_close(d);
}
END_TEST

/* Else the next request for that ID would not find it. */
START_TEST(an_identical_schedule_is_not_answered_under_another_id)
{
	struct desk *d = desk_open((enum desk_store)_i);
	const char *form = "{\"task\":\"add\",\"type\":\"interval\","
			   "\"rule\":\"1h\",\"force\":true,"
			   "\"queue\":\"io\",\"id\":\"one\"}";
	const char *other = "{\"task\":\"add\",\"type\":\"interval\","
			    "\"rule\":\"1h\",\"force\":true,"
			    "\"queue\":\"io\",\"id\":\"two\"}";
	const char *any = "{\"task\":\"add\",\"type\":\"interval\","
			  "\"rule\":\"1h\",\"force\":true,\"queue\":\"io\"}";

	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/schedules", form), 201);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/schedules", form), 200);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/schedules", any), 200);
	ck_assert_str_eq(said(d, "id"), "one");
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/schedules", other), 409);
	ck_assert_str_eq(said(d, "field"), "id");
	desk_close(d);
}
END_TEST

START_TEST(a_number_is_answered_with_the_digits_that_it_was_given)
{
	struct desk *d = desk_open((enum desk_store)_i);
	char *id = desk_submit(d, "add", "[0.1,2.6]", "io");

	desk_get(d, "/api/v1/tasks?state=pending");
	ck_assert_ptr_nonnull(strstr(d->bytes.data, "\"args\":[0.1,2.6]"));
	free(id);
	desk_close(d);
}
END_TEST

START_TEST(the_overview_has_rates)
{
	struct desk *d = desk_open((enum desk_store)_i);

	free(desk_submit(d, "add", "[1]", "io"));
	desk_get(d, "/api/v1/overview");
	ck_assert(json_is_number(desk_at(d, "rates", "succeeded", NULL)));
	ck_assert(json_is_number(desk_at(d, "rates", "failed", NULL)));
	ck_assert(json_is_number(desk_at(d, "rates", "retried", NULL)));
	desk_close(d);
}
END_TEST

START_TEST(a_dry_run_is_no_change_that_is_on_record)
{
	struct desk *d = desk_open((enum desk_store)_i);

	free(desk_submit(d, "add", "[1]", "io"));
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/purge",
				   "{\"dry_run\":true}"),
			  200);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/dead/delete",
				   "{\"filter\":{},\"dry_run\":true}"),
			  200);
	ck_assert_uint_eq(json_array_size(json_object_get(
			      desk_get(d, "/api/v1/audit"), "items")),
			  0);
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/v1/queues/io/pause", "{}"),
			  200);
	ck_assert_uint_eq(json_array_size(json_object_get(
			      desk_get(d, "/api/v1/audit"), "items")),
			  1);
	desk_close(d);
}
END_TEST

SUITE("web-errors")
{
	TEST_LOOP(a_mistake_is_told_with_the_member_that_it_is_in, 0,
		  DESK_N_STORES);
	TEST_LOOP(a_line_of_a_batch_is_refused_with_its_member, 0,
		  DESK_N_STORES);
	TEST_LOOP(a_task_that_is_not_dead_cannot_be_retried, 0, DESK_N_STORES);
	TEST_LOOP(an_identical_schedule_is_not_answered_under_another_id, 0,
		  DESK_N_STORES);
	TEST_LOOP(a_number_is_answered_with_the_digits_that_it_was_given, 0,
		  DESK_N_STORES);
	TEST_LOOP(the_overview_has_rates, 0, DESK_N_STORES);
	TEST_LOOP(a_dry_run_is_no_change_that_is_on_record, 0, DESK_N_STORES);
}
