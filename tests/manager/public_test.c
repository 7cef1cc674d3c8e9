/* SPDX-License-Identifier: MIT */
/* Queues, schedules and events through flowrra/client.h, on both stores. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "client/fixture.h"
#include "flowrra/client.h"
#include "redis_server.h"
#include "suite.h"

static struct redis_server *server;
static struct flowrra_client *client;
static struct flowrra_error error;
static char dir[128];

static void
begin(bool embedded)
{
	const char *settings[] = {"broker.socket_timeout=0.5",
				  "backend.socket_timeout=0.5", NULL, NULL};
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	const char *tmp = getenv("TMPDIR");
	static char url[192], database[192];

	snprintf(dir, sizeof(dir), "%s/flowrra-public-XXXXXX",
		 tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(url, sizeof(url), "sqlite://%s/flowrra.db", dir);
	if (!embedded)
		server = redis_server_start(NULL);
	snprintf(database, sizeof(database),
		 "scheduler.database_url=sqlite://%s/schedules.db", dir);
	settings[2] = database;
	options.config_file = "/dev/null";
	options.settings = settings;
	options.broker_url = embedded ? url : redis_server_unix_url(server);
	options.backend_url = "";
	ck_assert_msg(flowrra_open(&options, &client, &error) == 0, "%s",
		      error.message);
}

static void
end(void)
{
	char command[160];

	flowrra_close(client);
	if (server != NULL)
		redis_server_stop(server);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
submit_one(char id[FLOWRRA_ID_SIZE])
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;

	request.name = "task";
	request.queue = "q";
	request.force = true;
	ck_assert_msg(flowrra_submit(client, &request, id, &error) == 0, "%s",
		      error.message);
}

/* What is known of the queue "q". */
static json_t *
queue_of(const char *name)
{
	char *text;
	json_t *list, *queue;

	ck_assert_msg(flowrra_queues(client, name, &text, &error) == 0, "%s",
		      error.message);
	list = json_loads(text, 0, NULL);
	flowrra_free(text);
	queue = json_incref(json_array_get(list, 0));
	ck_assert_uint_eq(json_array_size(list), 1);
	json_decref(list);
	return queue;
}

START_TEST(a_queue_is_looked_at_paused_and_resumed)
{
	char id[FLOWRRA_ID_SIZE], *text;
	json_t *queue;
	int i;

	begin(_i == 1);
	submit_one(id);
	submit_one(id);
	for (i = 1; i >= 0; i--) {
		ck_assert_int_eq(
		    flowrra_queue_pause(client, "q", i == 1, &error), 0);
		queue = queue_of("q");
		ck_assert_int_eq(
		    json_integer_value(json_object_get(queue, "waiting")), 2);
		ck_assert_int_eq(json_is_true(json_object_get(queue, "paused")),
				 i == 1);
		json_decref(queue);
	}
	ck_assert_int_eq(flowrra_queues(client, "other", &text, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_NOT_FOUND);
	ck_assert_int_eq(flowrra_queue_pause(client, "a b", true, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	ck_assert_int_eq(flowrra_queues(client, NULL, &text, &error), 0);
	ck_assert_ptr_nonnull(strstr(text, "\"queue\":\"q\""));
	flowrra_free(text);
	end();
}
END_TEST

#define SCHEDULE(id, rule)                                                     \
	"{\"id\":\"" id "\",\"task\":\"add\",\"type\":\"cron\","               \
	"\"rule\":\"" rule "\",\"args\":[1],\"force\":true}"

static void
ck_schedules(size_t n, const char *part)
{
	json_t *list;
	char *text;

	ck_assert_msg(flowrra_schedules(client, &text, &error) == 0, "%s",
		      error.message);
	list = json_loads(text, 0, NULL);
	ck_assert_uint_eq(json_array_size(list), n);
	ck_assert_msg(strstr(text, part) != NULL, "%s", text);
	json_decref(list);
	flowrra_free(text);
}

START_TEST(a_schedule_is_made_found_disabled_enabled_and_deleted)
{
	char id[FLOWRRA_SCHEDULE_ID_SIZE];
	struct flowrra_client *c;

	begin(_i == 1);
	c = client;
	ck_schedules(0, "[]");
	ck_assert_msg(flowrra_schedule_create(
			  c, SCHEDULE("nightly", "0 3 * * *"), id, &error) == 0,
		      "%s", error.message);
	ck_assert_str_eq(id, "nightly");
	/* The same once more is the same one. */
	ck_assert_int_eq(flowrra_schedule_create(
			     c, SCHEDULE("nightly", "0 3 * * *"), id, &error),
			 0);
	ck_schedules(1, "\"enabled\":true");
	ck_assert_int_eq(flowrra_schedule_create(
			     c, SCHEDULE("nightly", "0 4 * * *"), id, &error),
			 -1);
	ck_assert_int_eq(error.code, FLOWRRA_REFUSED);
	ck_assert_int_eq(
	    flowrra_schedule_create(c, SCHEDULE("x", "61 3 * * *"), id, &error),
	    -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	ck_assert_int_eq(flowrra_schedule_create(c, "[", id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	ck_assert_int_eq(flowrra_schedule_enable(c, "nightly", false, &error),
			 0);
	ck_schedules(1, "\"enabled\":false");
	ck_assert_int_eq(flowrra_schedule_enable(c, "nightly", true, &error),
			 0);
	ck_schedules(1, "\"enabled\":true");
	ck_assert_int_eq(flowrra_schedule_delete(c, "nightly", &error), 0);
	ck_schedules(0, "[]");
	ck_assert_int_eq(flowrra_schedule_delete(c, "nightly", &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_NOT_FOUND);
	ck_assert_int_eq(flowrra_schedule_enable(c, "nightly", true, &error),
			 -1);
	ck_assert_int_eq(error.code, FLOWRRA_NOT_FOUND);
	end();
}
END_TEST

START_TEST(all_pages_of_schedules_are_told)
{
	char json[256];
	int i;

	begin(true);
	for (i = 0; i < 520; i++) {
		/* Those that are the same but for their ID would be one. */
		snprintf(json, sizeof(json),
			 "{\"id\":\"s%03d\",\"task\":\"add\",\"type\":"
			 "\"interval\",\"rule\":\"1h\",\"args\":[%d],"
			 "\"force\":true}",
			 i, i);
		ck_assert_msg(
		    flowrra_schedule_create(client, json, NULL, &error) == 0,
		    "%s", error.message);
	}
	ck_schedules(520, "s519");
	end();
}
END_TEST

/* --- events -------------------------------------------------------------- */

struct heard {
	unsigned int ready, events;
	char last[1024];
};

static int
on_heard(const char *json, void *arg)
{
	struct heard *heard = arg;

	snprintf(heard->last, sizeof(heard->last), "%s", json);
	heard->events++;
	return 1;
}

/* Another process' events come once this one listens. */
static void
on_heard_ready(void *arg)
{
	struct heard *heard = arg;

	heard->ready++;
	redis_server_run(server, "PUBLISH flowrra:events %s",
			 "{\"type\":\"task.update\",\"task\":{\"task_id\":"
			 "\"t1\",\"status\":\"success\",\"task_name\":"
			 "\"add\",\"queue\":\"q\"}}");
}

static bool
is_stopped(void *arg)
{
	return ((struct heard *)arg)->ready++ > 3;
}

START_TEST(events_are_followed_until_somebody_has_enough)
{
	struct flowrra_follow_options options = FLOWRRA_FOLLOW_OPTIONS_INIT;
	struct heard heard = {.ready = 0};

	begin(false);
	ck_assert_int_eq(flowrra_follow(client, &options, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_USAGE);
	options.on_event = on_heard;
	options.arg = &heard;
	options.stopped = is_stopped;
	ck_assert_int_eq(flowrra_follow(client, &options, &error), 0);
	ck_assert_uint_eq(heard.events, 0);
	heard.ready = 0;
	options.stopped = NULL;
	options.whole = true;
	options.on_ready = on_heard_ready;
	ck_assert_msg(flowrra_follow(client, &options, &error) == 0, "%s",
		      error.message);
	ck_assert_uint_eq(heard.ready, 1);
	ck_assert_msg(strstr(heard.last, "\"t1\"") != NULL, "%s", heard.last);
	end();
}
END_TEST

/* A member of how a workflow stands. */
static const char *
flow_text(const char *id, const char *name)
{
	static char value[64];
	char *text;
	json_t *flow;

	ck_assert_msg(flowrra_flow(client, id, &text, &error) == 0, "%s",
		      error.message);
	flow = json_loads(text, 0, NULL);
	flowrra_free(text);
	snprintf(value, sizeof(value), "%s",
		 json_string_value(json_object_get(flow, name)));
	json_decref(flow);
	return value;
}

static int
submit_step(const char *flow, const char *id, const char *after, const char *on)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;

	request.name = "task";
	request.queue = "q";
	request.force = true;
	request.id = id;
	request.flow = flow;
	request.after = after;
	request.on = on;
	return flowrra_submit(client, &request, NULL, &error);
}

START_TEST(a_workflow_is_begun_filled_sealed_and_cancelled)
{
	struct flowrra_flow_options options = FLOWRRA_FLOW_OPTIONS_INIT;
	char id[FLOWRRA_FLOW_ID_SIZE], other[FLOWRRA_FLOW_ID_SIZE];

	begin(_i);
	/* The embedded database is made by the first submission. */
	submit_one(NULL);
	options.id = "W";
	options.label = "nightly";
	options.on_failure = "cancel";
	ck_assert_msg(flowrra_flow_begin(client, &options, id, &error) == 0,
		      "%s", error.message);
	ck_assert_str_eq(id, "W");
	ck_assert_int_eq(flowrra_flow_begin(client, &options, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_REFUSED);
	ck_assert_int_eq(flowrra_flow_begin(client, NULL, other, &error), 0);
	ck_assert_uint_eq(strlen(other), 36);
	ck_assert_int_eq(submit_step("W", "a", NULL, NULL), 0);
	ck_assert_int_eq(submit_step("W", "b", "[\"a:complete\"]", NULL), 0);
	/* Once more is no error, and adds nothing. */
	ck_assert_int_eq(submit_step("W", "b", "[\"a:complete\"]", NULL), 0);
	ck_assert_int_eq(submit_step("W", "c", NULL, "failure"), 0);
	ck_assert_int_eq(submit_step("W", "d", "[\"nope\"]", NULL), -1);
	ck_assert_int_eq(error.code, FLOWRRA_NOT_FOUND);
	ck_assert_int_eq(submit_step("nope", "d", NULL, NULL), -1);
	ck_assert_int_eq(error.code, FLOWRRA_NOT_FOUND);
	ck_assert_int_eq(submit_step(NULL, "d", "[\"a\"]", NULL), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	ck_assert_int_eq(submit_step("W", "d", "\"a\"", NULL), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	ck_assert_str_eq(flow_text("W", "label"), "nightly");
	ck_assert_str_eq(flow_text("W", "state"), "open");
	ck_assert_int_eq(flowrra_flow_seal(client, "W", &error), 0);
	ck_assert_str_eq(flow_text("W", "state"), "running");
	ck_assert_int_eq(submit_step("W", "e", NULL, NULL), -1);
	ck_assert_int_eq(error.code, FLOWRRA_REFUSED);
	ck_assert_int_eq(flowrra_flow_wait(client, "W", 0, NULL, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_TIMEOUT);
	ck_assert_int_eq(flowrra_flow_cancel(client, "W", &error), 0);
	ck_assert_str_eq(flow_text("W", "state"), "cancelling");
	ck_assert_int_eq(flowrra_flow_cancel(client, "nope", &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_NOT_FOUND);
	end();
}
END_TEST

START_TEST(what_is_wrong_with_a_workflow_is_refused)
{
	struct flowrra_flow_options options = FLOWRRA_FLOW_OPTIONS_INIT;
	char id[FLOWRRA_FLOW_ID_SIZE];

	begin(_i);
	submit_one(NULL);
	options.id = "a b";
	ck_assert_int_eq(flowrra_flow_begin(client, &options, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	options.id = NULL;
	options.on_failure = "stop";
	ck_assert_int_eq(flowrra_flow_begin(client, &options, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	options.on_failure = NULL;
	options.label = "\xff";
	ck_assert_int_eq(flowrra_flow_begin(client, &options, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	options.label = NULL;
	options.life_s = 1e300;
	ck_assert_int_eq(flowrra_flow_begin(client, &options, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	options.size = 8;
	ck_assert_int_eq(flowrra_flow_begin(client, &options, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_USAGE);
	end();
}
END_TEST

SUITE("manager-public")
{
	TEST_LOOP(a_workflow_is_begun_filled_sealed_and_cancelled, 0, 2);
	TEST_LOOP(what_is_wrong_with_a_workflow_is_refused, 0, 2);
	SUITE_TIMEOUT(60);
	TEST_LOOP(a_queue_is_looked_at_paused_and_resumed, 0, 2);
	TEST_LOOP(a_schedule_is_made_found_disabled_enabled_and_deleted, 0, 2);
	TEST(all_pages_of_schedules_are_told);
	TEST(events_are_followed_until_somebody_has_enough);
}
