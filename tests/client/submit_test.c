/* SPDX-License-Identifier: MIT */
/* Submitting through the client library. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis.h>

#include "client/fixture.h"
#include "redis_server.h"
#include "suite.h"

#define IO "flowrra:queue:io"
#define ENTRY "{\"queue\":\"io\",\"cpu_bound\":false,\"max_retries\":null}"

static struct redis_server *server;
static struct flowrra_client *client;
static struct flowrra_error error;
static char id[FLOWRRA_ID_SIZE];

static void
begin(void)
{
	server = redis_server_start(NULL);
	fixture_register(server, "add", ENTRY);
	client = fixture_open(server, NULL);
}

static void
end(void)
{
	flowrra_close(client);
	redis_server_stop(server);
}

static struct flowrra_request
add(void)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;

	request.name = "add";
	request.args = "[2, 3]";
	return request;
}

static json_t *
last_task(const char *queue)
{
	json_t *task = fixture_json(server, "RPOP", queue);

	ck_assert_ptr_nonnull(task);
	return task;
}

static const char *
text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value != NULL ? value : "(none)";
}

START_TEST(a_task_and_its_record_have_the_fields_that_python_wants)
{
	json_t *task, *record, *args, *counter;
	char key[300];

	begin();
	fixture_submit(client, id);
	task = last_task(IO);
	ck_assert_str_eq(text(task, "id"), id);
	ck_assert_str_eq(text(task, "name"), "add");
	args = json_pack("[i, i]", 2, 3);
	ck_assert(json_equal(json_object_get(task, "args"), args));
	ck_assert_int_eq(json_object_size(json_object_get(task, "kwargs")), 0);
	ck_assert_int_eq(
	    json_integer_value(json_object_get(task, "max_retries")), 3);
	ck_assert_double_eq(
	    json_number_value(json_object_get(task, "retry_delay")), 1.0);
	counter = json_object_get(task, "current_retry");
	ck_assert(json_is_integer(counter) && json_integer_value(counter) == 0);
	ck_assert(json_is_false(json_object_get(task, "cpu_bound")));
	snprintf(key, sizeof(key), "flowrra:task:%s", id);
	record = fixture_json(server, "GET", key);
	ck_assert_str_eq(text(record, "task_id"), id);
	ck_assert_str_eq(text(record, "status"), "pending");
	ck_assert_str_eq(text(record, "task_name"), "add");
	ck_assert(json_equal(json_object_get(record, "args"), args));
	ck_assert(json_is_null(json_object_get(record, "result")));
	json_decref(args);
	json_decref(task);
	json_decref(record);
	end();
}
END_TEST

START_TEST(defaults_come_from_the_registry_and_a_request_overrules_them)
{
	struct flowrra_request request = add();
	json_t *task;

	begin();
	fixture_register(server, "resize",
			 "{\"queue\":\"cpu\",\"cpu_bound\":true,"
			 "\"max_retries\":7,\"retry_delay\":2.5,"
			 "\"description\":\"x\"}");
	request.name = "resize";
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), 0);
	task = last_task("flowrra:queue:cpu");
	ck_assert_int_eq(
	    json_integer_value(json_object_get(task, "max_retries")), 7);
	ck_assert_double_eq(
	    json_number_value(json_object_get(task, "retry_delay")), 2.5);
	ck_assert(json_is_true(json_object_get(task, "cpu_bound")));
	json_decref(task);
	request.max_retries = 0;
	request.retry_delay_s = 0;
	request.queue = "other";
	request.timeout_s = 60;
	request.retry_backoff = 2;
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), 0);
	task = last_task("flowrra:queue:other");
	ck_assert_int_eq(
	    json_integer_value(json_object_get(task, "max_retries")), 0);
	ck_assert_double_eq(
	    json_number_value(json_object_get(task, "retry_delay")), 0);
	ck_assert_double_eq(json_number_value(json_object_get(task, "timeout")),
			    60);
	ck_assert_double_eq(
	    json_number_value(json_object_get(task, "retry_backoff")), 2);
	json_decref(task);
	end();
}
END_TEST

START_TEST(an_unknown_task_is_refused_with_the_names_that_are_close)
{
	struct flowrra_request request = add();

	begin();
	request.name = "ad";
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	ck_assert_ptr_nonnull(strstr(error.message, "similar names: \"add\""));
	ck_assert_int_eq(fixture_integer(server, "EXISTS", IO), 0);
	redis_server_run(server, "DEL flowrra:registry");
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_ptr_nonnull(
	    strstr(error.message, "no worker has registered any task"));
	request.force = true;
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	request.queue = "q";
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), 0);
	ck_assert_int_eq(fixture_integer(server, "LLEN", "flowrra:queue:q"), 1);
	end();
}
END_TEST

START_TEST(the_registry_is_asked_once_for_many_tasks)
{
	redisReply *stats;
	int i;

	begin();
	redis_server_run(server, "CONFIG RESETSTAT");
	for (i = 0; i < 50; i++)
		fixture_submit(client, id);
	stats = redis_server_command(server, "INFO commandstats");
	ck_assert_ptr_nonnull(strstr(stats->str, "cmdstat_hget:calls=1,"));
	freeReplyObject(stats);
	ck_assert_int_eq(fixture_integer(server, "LLEN", IO), 50);
	end();
}
END_TEST

START_TEST(an_id_that_is_taken_is_refused_and_its_record_stays)
{
	struct flowrra_request request = add();
	struct flowrra_record *record;

	begin();
	request.id = "mine";
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), 0);
	ck_assert_str_eq(id, "mine");
	request.args = "[]";
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_REFUSED);
	ck_assert_int_eq(fixture_integer(server, "LLEN", IO), 1);
	ck_assert_int_eq(flowrra_result(client, "mine", &record, &error), 0);
	ck_assert_str_eq(record->args, "[2, 3]");
	flowrra_record_free(record);
	end();
}
END_TEST

START_TEST(delays_and_priorities_lead_to_their_places)
{
	struct flowrra_request request = add();

	begin();
	request.delay_s = 60;
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), 0);
	ck_assert_int_eq(fixture_integer(server, "ZCARD", "{" IO "}:delayed"),
			 1);
	request.delay_s = 0;
	request.at_us = INT64_C(4102444800000000); /* 2100 */
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), 0);
	ck_assert_int_eq(fixture_integer(server, "ZCARD", "{" IO "}:delayed"),
			 2);
	request.at_us = 1; /* long past: at once */
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), 0);
	ck_assert_int_eq(fixture_integer(server, "LLEN", IO), 1);
	request.at_us = 0;
	request.priority = -5;
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), 0);
	ck_assert_int_eq(fixture_integer(server, "LLEN", "{" IO "}:p:-5"), 1);
	end();
}
END_TEST

static const struct {
	struct flowrra_request request;
	const char *message;
} bad[] = {
#define BAD(text, ...)                                                         \
	{                                                                      \
		{sizeof(struct flowrra_request), __VA_ARGS__}, text            \
	}
    BAD("no name", .name = NULL),
    BAD("name \"a b\"", .name = "a b"),
    BAD("name \"\"", .name = ""),
    BAD("queue \"q:1\"", .name = "add", .queue = "q:1"),
    BAD("\"a b\"", .name = "add", .id = "a b"),
    BAD("args must be a JSON array", .name = "add", .args = "{}"),
    BAD("args: not JSON", .name = "add", .args = "[1"),
    BAD("args: not JSON", .name = "add", .args = ""),
    BAD("kwargs must be a JSON object", .name = "add", .kwargs = "[]"),
    BAD("args: the number 1e400 is", .name = "add", .args = "[1,1e400]"),
    BAD("kwargs: a string holds", .name = "add",
	.kwargs = "{\"k\":\"\\u0000\"}"),
    BAD("kwargs: ", .name = "add", .kwargs = "{} {}"),
    BAD("max_retries 1000001", .name = "add", .max_retries = 1000001),
    BAD("delay nan", .name = "add", .delay_s = NAN),
    BAD("timeout -2", .name = "add", .timeout_s = -2),
    BAD("retry_backoff 0.5", .name = "add", .retry_backoff = .5),
    BAD("retry_jitter 1.5", .name = "add", .retry_jitter = 1.5),
    BAD("cannot use ", .name = "add", .delay_s = 1, .at_us = 1),
    BAD("times must be", .name = "add", .at_us = -1),
    BAD("times must be", .name = "add", .expires_us = -1),
    BAD("at must be before", .name = "add", .at_us = INT64_MAX),
    BAD("at must be before", .name = "add",
	.at_us = INT64_C(253402300800000000)), /* 10000 */
};

START_TEST(a_bad_request_is_an_error_and_nothing_is_queued)
{
	struct flowrra_request request = bad[_i].request;

	begin();
	/* The only number for which 0 is not allowed. */
	if (request.retry_backoff == 0)
		request.retry_backoff = FLOWRRA_UNSET;
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	ck_assert_msg(strstr(error.message, bad[_i].message) != NULL, "%s",
		      error.message);
	ck_assert_int_eq(fixture_integer(server, "EXISTS", IO), 0);
	end();
}
END_TEST

START_TEST(a_task_that_workers_would_refuse_for_its_size_is_not_sent)
{
	struct flowrra_request request = add();
	char args[3000];

	server = redis_server_start(NULL);
	fixture_register(server, "add", ENTRY);
	client = fixture_open(server, "worker.max_task_size=2k");
	snprintf(args, sizeof(args), "[\"%02000d\"]", 0);
	request.args = args;
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	ck_assert_ptr_nonnull(strstr(error.message, "max_task_size"));
	end();
}
END_TEST

START_TEST(a_request_without_its_size_is_refused)
{
	struct flowrra_request request = {.name = "add"};

	begin();
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_USAGE);
	end();
}
END_TEST

START_TEST(a_full_queue_refuses_and_no_record_stays_behind)
{
	struct flowrra_request request = add();

	server = redis_server_start(NULL);
	fixture_register(server, "add", ENTRY);
	client = fixture_open(server, "executor.max_queue_size=2");
	fixture_submit(client, id);
	fixture_submit(client, id);
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_FULL);
	ck_assert_ptr_nonnull(strstr(error.message, "io"));
	/* Two tasks' records, the queue, its name, and the registry. */
	ck_assert_int_eq(fixture_integer(server, "DBSIZE", NULL), 5);
	end();
}
END_TEST

START_TEST(a_server_without_memory_refuses_loudly)
{
	struct flowrra_request request = add();

	begin();
	fixture_submit(client, id);
	redis_server_run(server, "CONFIG SET maxmemory 1");
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(error.message, "memory"));
	end();
}
END_TEST

/* --- batches ------------------------------------------------------------- */

START_TEST(each_task_of_a_batch_gets_its_own_answer)
{
	struct flowrra_request request = add();
	struct flowrra_batch *batch;

	begin();
	ck_assert_int_eq(flowrra_batch_new(client, &batch, &error), 0);
	ck_assert_int_eq(flowrra_batch_send(batch, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_USAGE);
	ck_assert_int_eq(flowrra_batch_add(batch, &request, &error), 0);
	request.args = "nonsense";
	ck_assert_int_eq(flowrra_batch_add(batch, &request, &error), -1);
	ck_assert_uint_eq(flowrra_batch_count(batch), 1);
	request.args = NULL;
	request.id = "twice";
	ck_assert_int_eq(flowrra_batch_add(batch, &request, &error), 0);
	ck_assert_int_eq(flowrra_batch_add(batch, &request, &error), 0);
	ck_assert_int_eq(flowrra_batch_answer(batch, 0, &error), -1);
	ck_assert_int_eq(flowrra_batch_send(batch, &error), 0);
	ck_assert_int_eq(flowrra_batch_add(batch, &request, &error), -1);
	ck_assert_int_eq(flowrra_batch_wait(batch, &error), 0);
	ck_assert_int_eq(flowrra_batch_answer(batch, 0, &error), 0);
	ck_assert_int_eq(flowrra_batch_answer(batch, 1, &error), 0);
	ck_assert_int_eq(flowrra_batch_answer(batch, 2, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_REFUSED);
	ck_assert_str_eq(flowrra_batch_id(batch, 1), "twice");
	ck_assert_ptr_null(flowrra_batch_id(batch, 3));
	ck_assert_int_eq(fixture_integer(server, "LLEN", IO), 2);
	flowrra_batch_free(batch);
	end();
}
END_TEST

START_TEST(batches_under_way_together_keep_their_order)
{
	struct flowrra_request request = add();
	struct flowrra_batch *batches[4];
	char args[32];
	json_t *task;
	int i, j;

	begin();
	for (i = 0; i < 4; i++) {
		flowrra_batch_new(client, &batches[i], &error);
		for (j = 0; j < 100; j++) {
			snprintf(args, sizeof(args), "[%d]", 100 * i + j);
			request.args = args;
			ck_assert_int_eq(
			    flowrra_batch_add(batches[i], &request, &error), 0);
		}
		ck_assert_int_eq(flowrra_batch_send(batches[i], &error), 0);
	}
	for (i = 3; i >= 0; i--) {
		ck_assert_int_eq(flowrra_batch_wait(batches[i], &error), 0);
		for (j = 0; j < 100; j++)
			ck_assert_int_eq(
			    flowrra_batch_answer(batches[i], (size_t)j, NULL),
			    0);
		flowrra_batch_free(batches[i]);
	}
	for (i = 0; i < 400; i++) {
		task = last_task(IO);
		ck_assert_int_eq(json_integer_value(json_array_get(
				     json_object_get(task, "args"), 0)),
				 i);
		json_decref(task);
	}
	end();
}
END_TEST

START_TEST(a_batch_can_be_filled_again)
{
	struct flowrra_request request = add();
	struct flowrra_batch *batch;
	int i;

	begin();
	flowrra_batch_new(client, &batch, &error);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(flowrra_batch_add(batch, &request, &error), 0);
		ck_assert_int_eq(flowrra_batch_send(batch, &error), 0);
		flowrra_batch_reset(batch);
		ck_assert_uint_eq(flowrra_batch_count(batch), 0);
	}
	flowrra_batch_free(batch);
	ck_assert_int_eq(fixture_integer(server, "LLEN", IO), 3);
	end();
}
END_TEST

SUITE("submit")
{
	TEST(a_task_and_its_record_have_the_fields_that_python_wants);
	TEST(defaults_come_from_the_registry_and_a_request_overrules_them);
	TEST(an_unknown_task_is_refused_with_the_names_that_are_close);
	TEST(the_registry_is_asked_once_for_many_tasks);
	TEST(an_id_that_is_taken_is_refused_and_its_record_stays);
	TEST(delays_and_priorities_lead_to_their_places);
	TEST_LOOP(a_bad_request_is_an_error_and_nothing_is_queued, 0,
		  sizeof(bad) / sizeof(bad[0]));
	TEST(a_task_that_workers_would_refuse_for_its_size_is_not_sent);
	TEST(a_request_without_its_size_is_refused);
	TEST(a_full_queue_refuses_and_no_record_stays_behind);
	TEST(a_server_without_memory_refuses_loudly);
	TEST(each_task_of_a_batch_gets_its_own_answer);
	TEST(batches_under_way_together_keep_their_order);
	TEST(a_batch_can_be_filled_again);
}
