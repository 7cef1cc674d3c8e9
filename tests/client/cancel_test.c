/* SPDX-License-Identifier: MIT */
/* Cancelling through the client library, over every store: `_i` is its kind. */
#include <stdio.h>
#include <string.h>

#include "client/fixture.h"
#include "redis_server.h"
#include "store/stage.h"
#include "suite.h"

static struct stage w;
static struct flowrra_client *client;
static struct flowrra_error error;

static void
begin(int kind)
{
	static const char *const settings[] = {
	    "broker.socket_timeout=2", "backend.socket_timeout=2", NULL};
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;

	stage_open(&w, kind);
	options.config_file = "/dev/null";
	options.settings = settings;
	options.broker_url = w.url;
	options.backend_url = "";
	ck_assert_msg(flowrra_open(&options, &client, &error) == 0, "%s",
		      error.message);
}

static void
end(void)
{
	flowrra_close(client);
	stage_close(&w);
}

static void
submit(const char *id, double delay_s)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;

	request.name = "add";
	request.args = "[2, 3]";
	request.id = id;
	request.queue = "io";
	request.delay_s = delay_s;
	request.force = true;
	ck_assert_msg(flowrra_submit(client, &request, NULL, &error) == 0, "%s",
		      error.message);
}

static void
ck_cancels(const char *id)
{
	ck_assert_msg(flowrra_cancel(client, id, &error) == 0, "%s",
		      error.message);
}

static void
ck_refuses(const char *id, int code, const char *message)
{
	ck_assert_int_eq(flowrra_cancel(client, id, &error), -1);
	ck_assert_int_eq(error.code, code);
	ck_assert_str_eq(error.message, message);
}

static struct flowrra_record *
record_of(const char *id)
{
	struct flowrra_record *record;

	ck_assert_msg(flowrra_result(client, id, &record, &error) == 0, "%s",
		      error.message);
	return record;
}

static void
ck_is_cancelled(const char *id)
{
	struct flowrra_record *record = record_of(id);

	ck_assert_int_eq(record->state, FLOWRRA_FAILED);
	ck_assert_str_eq(record->reason, "cancelled");
	ck_assert_str_eq(record->error, "cancelled before it started");
	ck_assert_str_eq(record->args, "[2, 3]");
	ck_assert_int_ne(record->submitted_us, 0);
	ck_assert_int_ge(record->finished_us, record->submitted_us);
	flowrra_record_free(record);
}

START_TEST(a_cancelled_task_that_waits_or_is_delayed_never_runs)
{
	struct party *worker;

	begin(_i);
	submit("waits", 0);
	submit("later", 3600);
	submit("stays", 0);
	ck_cancels("waits");
	ck_cancels("later");
	ck_is_cancelled("waits");
	ck_is_cancelled("later");
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 1);
	stage_linger(&w, 100);
	ck_assert_uint_eq(worker->n_claims, 1);
	ck_assert_uint_eq(worker->orders, 0);
	party_close(worker);
	end();
}
END_TEST

START_TEST(the_worker_of_a_running_task_is_told_to_cancel_it)
{
	struct flowrra_record *record;
	struct party *worker;

	begin(_i);
	submit("runs", 0);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 1);
	/* As a worker does: what it has is looked for under its name. */
	broker_heartbeat(worker->broker, SLICE("{}"));
	stage_linger(&w, 100);
	ck_cancels("runs");
	UNTIL(&w, worker->orders > 0);
	ck_assert_str_eq(worker->order,
			 "{\"order\":\"cancel\",\"id\":\"runs\"}");
	/* Its record is the worker's to write. */
	record = record_of("runs");
	ck_assert_int_eq(record->state, FLOWRRA_PENDING);
	flowrra_record_free(record);
	party_close(worker);
	end();
}
END_TEST

START_TEST(a_task_that_is_nowhere_is_recorded_as_cancelled)
{
	struct party *worker;

	begin(_i);
	submit("lost", 0);
	worker = party_open(&w, "host:a");
	broker_want(worker->broker, 0, 10);
	UNTIL(&w, worker->n_claims == 1);
	party_settle(worker, 0, BROKER_ACK);
	party_close(worker);
	ck_cancels("lost");
	ck_is_cancelled("lost");
	end();
}
END_TEST

/* It is nowhere, too, but its record says who has it: nobody of ours. */
START_TEST(a_task_that_a_foreign_worker_runs_is_refused)
{
	begin(KIND_REDIS);
	redis_server_run(w.server, "SET flowrra:task:theirs %s",
			 "{\"task_id\":\"theirs\",\"status\":\"running\"}");
	ck_refuses("theirs", FLOWRRA_REFUSED,
		   "cannot cancel task theirs: a worker of another program "
		   "runs it (its record names no worker, and no worker of "
		   "Flowrra has it), which takes no commands; wait for its "
		   "end, or stop that worker");
	/* One of ours had it, and died when it was removed. */
	redis_server_run(w.server, "SET flowrra:task:ours %s",
			 "{\"task_id\":\"ours\",\"status\":\"running\","
			 "\"worker\":\"host:a\"}");
	ck_cancels("ours");
	end();
}
END_TEST

START_TEST(what_has_finished_or_was_never_there_cannot_be_cancelled)
{
	begin(_i);
	submit("a", 0);
	ck_cancels("a");
	ck_refuses("a", FLOWRRA_REFUSED,
		   "cannot cancel task a: it has finished (failed)");
	ck_refuses("nope", FLOWRRA_NOT_FOUND, "no record of task nope");
	ck_refuses("a b", FLOWRRA_DATA, "\"a b\" is not a valid task ID");
	end();
}
END_TEST

START_TEST(a_wait_for_a_cancelled_task_ends)
{
	struct flowrra_record *record;

	begin(_i);
	submit("waits", 0);
	ck_cancels("waits");
	ck_assert_msg(flowrra_wait(client, "waits", -1, &record, &error) == 0,
		      "%s", error.message);
	ck_assert_str_eq(record->reason, "cancelled");
	flowrra_record_free(record);
	end();
}
END_TEST

/* The record of a program that writes its own: no queue, no id, and a member
 * that Flowrra does not know. */
START_TEST(a_foreign_record_is_cancelled_and_keeps_its_members)
{
	struct flowrra_record *record;

	begin(KIND_REDIS);
	submit("other", 0);
	submit("mine", 0);
	redis_server_run(w.server, "SET flowrra:task:mine %s",
			 "{\"status\":\"odd\",\"task_id\":\"mine\","
			 "\"tenant\":7}");
	ck_cancels("mine");
	record = record_of("mine");
	ck_assert_str_eq(record->reason, "cancelled");
	ck_assert_ptr_nonnull(strstr(record->json, "\"tenant\":7"));
	flowrra_record_free(record);
	ck_assert_int_eq(fixture_integer(w.server, "LLEN", "flowrra:queue:io"),
			 1);
	redis_server_run(w.server, "SET flowrra:task:bad [");
	ck_assert_int_eq(flowrra_cancel(client, "bad", &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	ck_assert_ptr_nonnull(strstr(error.message, "the record of task bad"));
	redis_server_run(w.server, "SET flowrra:task:bad []");
	ck_refuses("bad", FLOWRRA_DATA,
		   "cannot parse the record of task bad: not a JSON object");
	end();
}
END_TEST

START_TEST(without_a_server_nothing_is_cancelled)
{
	begin(KIND_REDIS);
	submit("a", 0);
	redis_server_stop(w.server);
	w.server = NULL;
	ck_assert_int_eq(flowrra_cancel(client, "a", &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_UNAVAILABLE);
	end();
}
END_TEST

SUITE("client-cancel")
{
	TEST_LOOP(a_cancelled_task_that_waits_or_is_delayed_never_runs, 0,
		  N_KINDS);
	TEST_LOOP(the_worker_of_a_running_task_is_told_to_cancel_it, 0,
		  N_KINDS);
	TEST_LOOP(a_task_that_is_nowhere_is_recorded_as_cancelled, 0, N_KINDS);
	TEST_LOOP(what_has_finished_or_was_never_there_cannot_be_cancelled, 0,
		  N_KINDS);
	TEST_LOOP(a_wait_for_a_cancelled_task_ends, 0, N_KINDS);
	TEST(a_task_that_a_foreign_worker_runs_is_refused);
	TEST(a_foreign_record_is_cancelled_and_keeps_its_members);
	TEST(without_a_server_nothing_is_cancelled);
}
