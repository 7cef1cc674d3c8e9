/* SPDX-License-Identifier: MIT */
/*
 * The routes of the Python package's UI: their answers are those that its code
 * gives (version 0.1.8: management/manager.py, ui/flask.py), member by member.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "store/broker.h"
#include "util/clock.h"
#include "util/pending.h"
#include "web/desk.h"

/* What it answers, with a value of the type that each member has; null where it may
 * be null, too. */
static const char stats_form[] =
    "{\"app\":{\"running\":true},\"executors\":{\"io\":null,\"cpu\":null},"
    "\"tasks\":{\"registered\":1,\"pending\":1},\"scheduler\":null}";
static const char health_form[] =
    "{\"healthy\":true,\"timestamp\":\"\",\"components\":{\"app\":{"
    "\"healthy\":true,\"message\":\"\"},\"io_executor\":{\"healthy\":true,"
    "\"message\":\"\"},\"cpu_executor\":null,\"scheduler\":null}}";
static const char task_form[] = "{\"name\":\"\",\"cpu_bound\":true,"
				"\"max_retries\":1,\"retry_delay\":1.0}";
static const char one_task_form[] =
    "{\"name\":\"\",\"cpu_bound\":true,\"max_retries\":1,\"retry_delay\":1.0,"
    "\"module\":null,\"qualname\":null}";
static const char schedule_form_[] =
    "{\"id\":\"\",\"task_name\":\"\",\"schedule_type\":\"\",\"schedule\":\"\","
    "\"enabled\":true,\"next_run_at\":\"\",\"last_run_at\":null,"
    "\"priority\":1,\"description\":null,\"created_at\":\"\","
    "\"updated_at\":\"\"}";
static const char one_schedule_form[] =
    "{\"id\":\"\",\"task_name\":\"\",\"schedule_type\":\"\",\"schedule\":\"\","
    "\"enabled\":true,\"next_run_at\":\"\",\"last_run_at\":null,"
    "\"priority\":1,\"description\":null,\"args\":[],\"kwargs\":{},"
    "\"max_retries\":1,\"retry_delay\":1.0,\"created_at\":\"\","
    "\"updated_at\":\"\"}";

/* Same members, and the same types; the form's null is any. */
static bool
has_form(const json_t *value, const json_t *form)
{
	const char *name;
	json_t *member, *other;

	if (json_is_null(form))
		return true;
	if (json_is_boolean(form))
		return json_is_boolean(value);
	if (json_typeof(form) != json_typeof(value))
		return json_is_null(value) && json_is_string(form);
	if (!json_is_object(form))
		return true;
	if (json_object_size(form) != json_object_size(value) &&
	    json_object_size(form) > 0)
		return false;
	json_object_foreach ((json_t *)form, name, member)
		if ((other = json_object_get(value, name)) == NULL ||
		    !has_form(other, member))
			return false;
	return true;
}

static void
ck_form(const json_t *value, const char *text)
{
	json_t *form = json_loads(text, 0, NULL);
	char *shown = json_dumps(value, JSON_ENCODE_ANY);

	ck_assert_ptr_nonnull(form);
	ck_assert_msg(has_form(value, form), "%s is not as %s", shown, text);
	free(shown);
	json_decref(form);
}

struct registering {
	struct op op;
	struct flowrra_client *client;
};

static void
register_now(struct op *op)
{
	static const struct slice names[] = {SLICE("add")};
	static const struct slice texts[] = {
	    SLICE("{\"queue\":\"io\",\"cpu_bound\":false,\"max_retries\":null,"
		  "\"retry_delay\":2.5}")};
	struct registering *r = container_of(op, struct registering, op);

	broker_register(r->client->broker, names, texts, 1);
	op->flush = true;
	loop_done(r->client->loop, op);
}

/* As a worker with this task would. */
static void
register_add(struct desk *d)
{
	const int64_t end_ms = clock_mono_ms() + 10000;
	struct registering r = {.client = d->client};

	/* Somebody has made the store. */
	free(desk_submit(d, "add", "[1]", "io"));
	do {
		ck_assert_int_lt(clock_mono_ms(), end_ms);
		r.op = (struct op){.start = register_now};
		loop_call(d->client->loop, &r.op);
		desk_get(d, "/api/tasks");
	} while (json_array_size(d->answer) == 0);
}

START_TEST(stats_and_health_have_the_shapes_of_the_package)
{
	struct desk *d = desk_open((enum desk_store)_i);

	free(desk_submit(d, "add", "[1]", "io"));
	ck_form(desk_get(d, "/api/stats"), stats_form);
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "tasks", "pending", NULL)), 1);
	/* No worker lives. */
	ck_assert(json_is_false(desk_at(d, "app", "running", NULL)));
	ck_form(desk_get(d, "/api/stats/"), stats_form);
	ck_form(desk_get(d, "/api/health"), health_form);
	ck_assert(json_is_false(desk_at(d, "healthy", NULL)));
	ck_assert(
	    json_is_true(desk_at(d, "components", "app", "healthy", NULL)));
	ck_assert_str_eq(
	    json_string_value(desk_at(d, "components", "app", "message", NULL)),
	    "App is running");
	desk_close(d);
}
END_TEST

START_TEST(registered_tasks_have_the_shapes_of_the_package)
{
	struct desk *d = desk_open((enum desk_store)_i);

	register_add(d);
	ck_form(desk_at(d, "0", NULL), task_form);
	/* As configured, where nothing is registered. */
	ck_assert_int_eq(
	    json_integer_value(desk_at(d, "0", "max_retries", NULL)), 3);
	ck_form(desk_get(d, "/api/tasks/add/"), one_task_form);
	ck_assert_uint_eq(desk_ask(d, "GET", "/api/tasks/nope", NULL), 404);
	ck_assert_str_eq(d->bytes.data, "{\"error\":\"Task not found\"}");
	desk_close(d);
}
END_TEST

static const char *
made_id(struct desk *d, const char *path, const char *body)
{
	static char id[256];

	ck_assert_msg(desk_ask(d, "POST", path, body) == 201, "%s: %u: %s",
		      body, d->status, d->bytes.data);
	ck_assert_uint_eq(json_object_size(d->answer), 1);
	snprintf(id, sizeof(id), "%s",
		 json_string_value(desk_at(d, "schedule_id", NULL)));
	return id;
}

START_TEST(schedules_of_the_package_get_the_zone_of_the_configuration)
{
	static const char *const settings[] = {
	    "scheduler.timezone=Europe/Berlin", NULL};
	struct desk *d = desk_open_with((enum desk_store)_i, settings);
	char path[300];

	register_add(d);
	snprintf(path, sizeof(path), "/api/v1/schedules/%s",
		 made_id(d, "/api/schedules/cron",
			 "{\"task_name\":\"add\",\"cron\":\"0 9 * * *\"}"));
	desk_get(d, path);
	ck_assert_str_eq(json_string_value(desk_at(d, "tz", NULL)),
			 "Europe/Berlin");
	desk_close(d);
}
END_TEST

START_TEST(schedules_are_made_listed_switched_and_deleted_as_in_the_package)
{
	struct desk *d = desk_open((enum desk_store)_i);
	char path[300], id[256];

	register_add(d);
	snprintf(id, sizeof(id), "%s",
		 made_id(d, "/api/schedules/cron",
			 "{\"task_name\":\"add\",\"cron\":\"0 9 * * *\","
			 "\"args\":[1,2],\"kwargs\":null,\"enabled\":true,"
			 "\"description\":null,\"priority\":5}"));
	/* An identical one is the same one. */
	ck_assert_str_eq(made_id(d, "/api/schedules/cron/",
				 "{\"task_name\":\"add\",\"cron\":\"0 9 * * "
				 "*\",\"args\":[1,2]}"),
			 id);
	made_id(d, "/api/schedules/interval",
		"{\"task_name\":\"add\",\"interval\":300,\"enabled\":false}");
	made_id(d, "/api/schedules/once",
		"{\"task_name\":\"add\",\"run_at\":\"2096-01-01T00:00:00Z\"}");
	desk_get(d, "/api/schedules");
	ck_assert_uint_eq(json_array_size(d->answer), 3);
	ck_form(desk_at(d, "0", NULL), schedule_form_);
	desk_get(d, "/api/schedules/?enabled_only=true");
	ck_assert_uint_eq(json_array_size(d->answer), 2);
	snprintf(path, sizeof(path), "/api/schedules/%s", id);
	ck_form(desk_get(d, path), one_schedule_form);
	ck_assert_str_eq(json_string_value(desk_at(d, "schedule_type", NULL)),
			 "cron");
	ck_assert_str_eq(json_string_value(desk_at(d, "schedule", NULL)),
			 "0 9 * * *");
	ck_assert_int_eq(json_integer_value(desk_at(d, "args", "1", NULL)), 2);
	snprintf(path, sizeof(path), "/api/schedules/%s/disable", id);
	ck_assert_uint_eq(desk_ask(d, "PUT", path, NULL), 200);
	ck_assert_str_eq(json_string_value(desk_at(d, "status", NULL)),
			 "disabled");
	ck_assert_str_eq(json_string_value(desk_at(d, "schedule_id", NULL)),
			 id);
	snprintf(path, sizeof(path), "/api/schedules/%s/enable/", id);
	ck_assert_uint_eq(desk_ask(d, "PUT", path, NULL), 200);
	snprintf(path, sizeof(path), "/api/schedules/%s", id);
	ck_assert_uint_eq(desk_ask(d, "DELETE", path, NULL), 200);
	ck_assert(json_is_true(desk_at(d, "deleted", NULL)));
	ck_assert_uint_eq(desk_ask(d, "DELETE", path, NULL), 200);
	ck_assert(json_is_false(desk_at(d, "deleted", NULL)));
	ck_assert_uint_eq(desk_ask(d, "GET", path, NULL), 404);
	ck_assert_str_eq(d->bytes.data, "{\"error\":\"Schedule not found\"}");
	ck_assert_uint_eq(
	    desk_ask(d, "PUT", "/api/schedules/nope/enable", NULL), 400);
	ck_assert_str_eq(d->bytes.data,
			 "{\"error\":\"Scheduled task 'nope' not found\"}");
	desk_close(d);
}
END_TEST

START_TEST(the_types_and_rules_of_schedules_are_those_of_the_package)
{
	static const struct {
		const char *path, *body, *type, *rule;
	} cases[] = {
	    {"interval", "{\"task_name\":\"add\",\"interval\":300}", "interval",
	     "300.0"},
	    {"interval", "{\"task_name\":\"add\",\"interval\":1.5}", "interval",
	     "1.5"},
	    {"interval", "{\"task_name\":\"add\",\"interval\":\"5m\"}",
	     "interval", "300.0"},
	    {"once",
	     "{\"task_name\":\"add\",\"run_at\":\"2096-01-01T00:00:00+00:00\"}",
	     "one_time", NULL},
	};
	struct desk *d = desk_open((enum desk_store)_i);
	char path[300];
	size_t i;

	register_add(d);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(path, sizeof(path), "/api/schedules/%s",
			 cases[i].path);
		snprintf(path, sizeof(path), "/api/schedules/%s",
			 made_id(d, path, cases[i].body));
		desk_get(d, path);
		ck_assert_str_eq(
		    json_string_value(desk_at(d, "schedule_type", NULL)),
		    cases[i].type);
		if (cases[i].rule != NULL)
			ck_assert_str_eq(
			    json_string_value(desk_at(d, "schedule", NULL)),
			    cases[i].rule);
	}
	desk_close(d);
}
END_TEST

START_TEST(what_cannot_be_a_schedule_is_an_error_with_a_text)
{
	static const char *const bad[] = {
	    "",
	    "[]",
	    "{}",
	    "{\"task_name\":\"add\"}",
	    "{\"cron\":\"0 9 * * *\"}",
	    "{\"task_name\":\"add\",\"cron\":\"99 * * * *\"}",
	    "{\"task_name\":\"add\",\"cron\":5}",
	    "{\"task_name\":\"nope\",\"cron\":\"0 9 * * *\"}",
	    "{\"task_name\":\"add\",\"cron\":\"0 9 * * *\",\"args\":{}}",
	    "{\"task_name\":\"add\",\"cron\":\"0 9 * * *\",\"kwargs\":[]}",
	    "{\"task_name\":\"add\",\"cron\":\"0 9 * * *\",\"enabled\":1}",
	    ("{\"task_name\":\"add\",\"cron\":\"0 9 * * *\",\"priority\":"
	     "99999999999}"),
	    "{\"task_name\":[],\"cron\":\"0 9 * * *\"}",
	    "{"};
	struct desk *d = desk_open((enum desk_store)_i);
	size_t i;

	register_add(d);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(
		    desk_ask(d, "POST", "/api/schedules/cron", bad[i]) == 400,
		    "%s: %u", bad[i], d->status);
		ck_assert_msg(json_is_string(desk_at(d, "error", NULL)) &&
				  json_object_size(d->answer) == 1,
			      "%s: %s", bad[i], d->bytes.data);
	}
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/schedules/interval",
				   "{\"task_name\":\"add\",\"interval\":-1}"),
			  400);
	ck_assert_str_eq(d->bytes.data,
			 "{\"error\":\"Interval must be positive\"}");
	d->who.role = WEB_VIEWER;
	ck_assert_uint_eq(desk_ask(d, "POST", "/api/schedules/cron", "{}"),
			  403);
	desk_close(d);
}
END_TEST

SUITE("web-seed")
{
	SUITE_TIMEOUT(60);
	TEST_LOOP(schedules_of_the_package_get_the_zone_of_the_configuration, 0,
		  DESK_N_STORES);
	TEST_BOTH(stats_and_health_have_the_shapes_of_the_package);
	TEST_BOTH(registered_tasks_have_the_shapes_of_the_package);
	TEST_BOTH(
	    schedules_are_made_listed_switched_and_deleted_as_in_the_package);
	TEST_BOTH(the_types_and_rules_of_schedules_are_those_of_the_package);
	TEST_BOTH(what_cannot_be_a_schedule_is_an_error_with_a_text);
}
