/* SPDX-License-Identifier: MIT */
/* Submitting and waiting in one, with workers that know of replies, and with
 * others. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hiredis.h>

#include "client/fixture.h"
#include "redis_server.h"
#include "suite.h"
#include "util/clock.h"

#define ENTRY "{\"queue\":\"io\",\"cpu_bound\":false}"
/* Much longer than it takes to await a reply in vain. */
#define PATIENCE_S 20

static struct redis_server *server;
static struct flowrra_client *client;
static struct flowrra_request request = FLOWRRA_REQUEST_INIT;
static struct flowrra_error error;
static struct flowrra_record *record;
static char id[FLOWRRA_ID_SIZE];

static void
begin(void)
{
	server = redis_server_start(NULL);
	fixture_register(server, "add", ENTRY);
	client = fixture_open(server, NULL);
	request.name = "add";
}

static void
end(void)
{
	flowrra_close(client);
	redis_server_stop(server);
}

/* --- a worker ------------------------------------------------------------ */

struct worker {
	pthread_t thread;
	void (*end)(const char *id, const char *reply_to); /* ends a task */
	bool addressed; /* the task says where to reply */
};

static char *
final_record(const char *of, int result)
{
	char *text;

	ck_assert_int_gt(asprintf(&text,
				  "{\"task_id\":\"%s\",\"status\":\"success\","
				  "\"task_name\":\"add\",\"result\":%d}",
				  of, result),
			 0);
	return text;
}

static void
publish(const char *reply_to, const char *text)
{
	if (reply_to != NULL)
		redis_server_run(server, "PUBLISH flowrra:reply:%s %s",
				 reply_to, text);
}

/* Nothing but the reply: a watch would find the pending record only. */
static void
reply_only(const char *of, const char *reply_to)
{
	char *text = final_record(of, 5);

	publish(reply_to, text);
	free(text);
}

/* As a worker that does not know of replies. */
static void
finish_only(const char *of, const char *reply_to)
{
	fixture_finish(server, of, "success", "6");
}

/* The reply is first, if it comes at all. */
static void
reply_and_finish(const char *of, const char *reply_to)
{
	reply_only(of, reply_to);
	finish_only(of, reply_to);
}

static void
reply_rubbish(const char *of, const char *reply_to)
{
	char *other = final_record("another", 7), *unfinished;

	ck_assert_int_gt(asprintf(&unfinished,
				  "{\"task_id\":\"%s\",\"status\":\"running\","
				  "\"task_name\":\"add\"}",
				  of),
			 0);
	publish(reply_to, "");
	publish(reply_to, "{");
	publish(reply_to, "{\"task_id\":5}");
	publish(reply_to, unfinished);
	publish(reply_to, other);
	free(unfinished);
	free(other);
	finish_only(of, reply_to);
}

/* Takes one task and ends it. */
static void *
work(void *arg)
{
	struct worker *w = arg;
	redisReply *reply =
	    redis_server_command(server, "BRPOP flowrra:queue:io 30");
	json_t *task;

	ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
	task = json_loads(reply->element[1]->str, 0, NULL);
	w->addressed = json_object_get(task, "reply_to") != NULL;
	w->end(json_string_value(json_object_get(task, "id")),
	       json_string_value(json_object_get(task, "reply_to")));
	json_decref(task);
	freeReplyObject(reply);
	return NULL;
}

/* A call, with a worker beside it. */
static int
call(struct worker *w)
{
	int result;

	pthread_create(&w->thread, NULL, work, w);
	result =
	    flowrra_call(client, &request, PATIENCE_S, id, &record, &error);
	pthread_join(w->thread, NULL);
	return result;
}

/* The result of a call that must succeed. */
static int
result_of_call(struct worker *w)
{
	int result;

	ck_assert_msg(call(w) == 0, "%s", error.message);
	ck_assert_str_eq(record->id, id);
	result = atoi(record->result);
	flowrra_record_free(record);
	return result;
}

/* Calls until the client's subscription stands and tasks carry its address. */
static void
warm_up(void)
{
	struct worker w = {.end = finish_only};

	while (!w.addressed)
		ck_assert_int_eq(result_of_call(&w), 6);
}

/* --- calls --------------------------------------------------------------- */

START_TEST(a_call_ends_with_the_reply)
{
	struct worker w = {.end = reply_only};

	begin();
	warm_up();
	ck_assert_int_eq(result_of_call(&w), 5);
	ck_assert(w.addressed);
	end();
}
END_TEST

START_TEST(a_worker_that_sends_no_reply_is_waited_for_all_the_same)
{
	struct worker w = {.end = finish_only};

	begin();
	warm_up();
	ck_assert_int_eq(result_of_call(&w), 6);
	ck_assert(w.addressed);
	end();
}
END_TEST

START_TEST(what_is_no_reply_to_a_call_is_ignored)
{
	struct worker w = {.end = reply_rubbish};

	begin();
	warm_up();
	ck_assert_int_eq(result_of_call(&w), 6);
	end();
}
END_TEST

START_TEST(a_reply_that_gets_lost_with_the_connection_is_no_loss)
{
	struct worker w = {.end = finish_only};
	int i;

	begin();
	warm_up();
	for (i = 0; i < 20; i++) {
		redis_server_run(server, "CLIENT KILL TYPE pubsub");
		ck_assert_int_eq(result_of_call(&w), 6);
	}
	/* And after a while, replies come again. */
	w.end = reply_and_finish;
	while ((i = result_of_call(&w)) != 5)
		ck_assert_int_eq(i, 6);
	end();
}
END_TEST

START_TEST(a_call_that_is_not_queued_says_why_and_has_no_id)
{
	begin();
	warm_up();
	request.name = "nobody.knows";
	ck_assert_int_eq(
	    flowrra_call(client, &request, PATIENCE_S, id, &record, &error),
	    -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	ck_assert_str_eq(id, "");
	/* What is wrong may show on the way, too. */
	request.name = "add";
	request.id = "taken";
	redis_server_run(server, "SET flowrra:task:taken {}");
	ck_assert_int_eq(
	    flowrra_call(client, &request, PATIENCE_S, id, &record, &error),
	    -1);
	ck_assert_int_eq(error.code, FLOWRRA_REFUSED);
	ck_assert_str_eq(id, "");
	end();
}
END_TEST

START_TEST(a_call_that_took_too_long_can_be_waited_for)
{
	begin();
	warm_up();
	ck_assert_int_eq(
	    flowrra_call(client, &request, 0.05, id, &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_TIMEOUT);
	fixture_finish(server, id, "success", "8");
	ck_assert_int_eq(flowrra_wait(client, id, PATIENCE_S, &record, &error),
			 0);
	ck_assert_str_eq(record->result, "8");
	flowrra_record_free(record);
	end();
}
END_TEST

START_TEST(a_call_with_a_unique_key_waits_for_the_one_that_has_it)
{
	struct worker w = {.end = finish_only};
	char first[FLOWRRA_ID_SIZE];

	begin();
	warm_up();
	request.unique = "once";
	ck_assert_int_eq(flowrra_submit(client, &request, first, &error), 0);
	ck_assert_int_eq(result_of_call(&w), 6);
	ck_assert_str_eq(id, first);
	ck_assert(!w.addressed);
	end();
}
END_TEST

/* A wait for what is called, too: it began when there was no such task. */
static void *
wait_for_either(void *arg)
{
	const char *const ids[] = {"given", arg};
	struct flowrra_record *got[2];
	struct flowrra_error why;

	ck_assert_msg(flowrra_wait_many(client, ids, 2, FLOWRRA_WAIT_ANY,
					PATIENCE_S, got, &why) == 0,
		      "%s", why.message);
	flowrra_record_free(got[0]);
	flowrra_record_free(got[1]);
	return NULL;
}

START_TEST(a_call_of_what_is_watched_already_ends_in_time)
{
	char other[FLOWRRA_ID_SIZE];
	pthread_t waiter;

	begin();
	warm_up();
	fixture_submit(client, other);
	pthread_create(&waiter, NULL, wait_for_either, other);
	fixture_await_waiter(server, "given");
	request.id = "given";
	ck_assert_int_eq(
	    flowrra_call(client, &request, 0.05, id, &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_TIMEOUT);
	ck_assert_str_eq(id, "given");
	fixture_finish(server, id, "success", "9");
	pthread_join(waiter, NULL);
	end();
}
END_TEST

START_TEST(a_call_ends_when_the_server_does_not_let_us_listen_any_more)
{
	begin();
	warm_up();
	redis_server_run(server, "CONFIG SET requirepass other");
	redis_server_run(server, "CLIENT KILL TYPE pubsub");
	ck_assert_int_eq(
	    flowrra_call(client, &request, -1, id, &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_REFUSED);
	end();
}
END_TEST

/* What was there before is read while the submission is slow. */
START_TEST(the_record_of_another_task_is_no_answer_to_a_call)
{
	char *other = final_record("taken", 7);

	begin();
	warm_up();
	redis_server_run(server, "SET flowrra:task:taken %s", other);
	redis_server_run(server, "CLIENT PAUSE 300 WRITE");
	request.id = "taken";
	ck_assert_int_eq(
	    flowrra_call(client, &request, PATIENCE_S, id, &record, &error),
	    -1);
	ck_assert_int_eq(error.code, FLOWRRA_REFUSED);
	ck_assert_str_eq(id, "");
	free(other);
	end();
}
END_TEST

START_TEST(the_id_of_a_call_may_lie_where_its_id_goes)
{
	begin();
	warm_up();
	snprintf(id, sizeof(id), "mine");
	request.id = id;
	ck_assert_int_eq(flowrra_call(client, &request, 0, id, &record, &error),
			 -1);
	ck_assert_msg(error.code == FLOWRRA_TIMEOUT, "%s", error.message);
	ck_assert_str_eq(id, "mine");
	/* And it need not go anywhere. */
	request.id = NULL;
	ck_assert_int_eq(
	    flowrra_call(client, &request, 0, NULL, &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_TIMEOUT);
	end();
}
END_TEST

/* --- many ---------------------------------------------------------------- */

#define THREADS 8
#define CALLS 50

static void *
call_often(void *arg)
{
	struct flowrra_error why;
	struct flowrra_record *got;
	char own[FLOWRRA_ID_SIZE];
	int i;

	for (i = 0; i < CALLS; i++) {
		ck_assert_msg(flowrra_call(client, &request, PATIENCE_S, own,
					   &got, &why) == 0,
			      "%s", why.message);
		ck_assert_str_eq(got->id, own);
		flowrra_record_free(got);
	}
	return NULL;
}

START_TEST(threads_that_call_at_the_same_time_get_their_own_records)
{
	struct worker w = {.end = reply_only};
	pthread_t threads[THREADS];
	int i;

	begin();
	warm_up();
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, call_often, NULL);
	for (i = 0; i < THREADS * CALLS; i++)
		work(&w);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	end();
}
END_TEST

START_TEST(a_call_works_where_nothing_can_be_sent_to_the_client)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	char *url;

	begin();
	flowrra_close(client);
	options.config_file = "/dev/null";
	ck_assert_int_gt(
	    asprintf(&url, "sqlite://%s/call.db", redis_server_dir(server)), 0);
	options.broker_url = url;
	ck_assert_msg(flowrra_open(&options, &client, &error) == 0, "%s",
		      error.message);
	free(url);
	request.queue = "io";
	request.force = true;
	ck_assert_int_eq(
	    flowrra_call(client, &request, 0.05, id, &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_TIMEOUT);
	ck_assert_int_eq(flowrra_result(client, id, &record, &error), 0);
	ck_assert_int_eq(record->state, FLOWRRA_PENDING);
	flowrra_record_free(record);
	end();
}
END_TEST

SUITE("call")
{
	TEST(a_call_ends_with_the_reply);
	TEST(a_worker_that_sends_no_reply_is_waited_for_all_the_same);
	TEST(what_is_no_reply_to_a_call_is_ignored);
	TEST(a_reply_that_gets_lost_with_the_connection_is_no_loss);
	TEST(a_call_that_is_not_queued_says_why_and_has_no_id);
	TEST(a_call_that_took_too_long_can_be_waited_for);
	TEST(a_call_with_a_unique_key_waits_for_the_one_that_has_it);
	TEST(a_call_of_what_is_watched_already_ends_in_time);
	TEST(a_call_ends_when_the_server_does_not_let_us_listen_any_more);
	TEST(the_record_of_another_task_is_no_answer_to_a_call);
	TEST(the_id_of_a_call_may_lie_where_its_id_goes);
	TEST(threads_that_call_at_the_same_time_get_their_own_records);
	TEST(a_call_works_where_nothing_can_be_sent_to_the_client);
}
