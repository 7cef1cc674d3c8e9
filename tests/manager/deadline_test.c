/* SPDX-License-Identifier: MIT */
/* Operations of a client with a deadline, while its server is frozen, away, or
 * locked. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/client.h"
#include "manager/health.h"
#include "manager/queues.h"
#include "manager/stats.h"
#include "manager/tasks.h"
#include "redis_server.h"
#include "suite.h"
#include "util/clock.h"

#define DEADLINE_MS 1000
/* What a machine under load may need beyond. */
#define SLACK_MS 500
#define AT_ONCE_MS 300

static struct redis_server *server;
static struct flowrra_client *client;

static struct flowrra_client *
open_with_deadline(const char *broker, const char *backend)
{
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_client *c;
	struct flowrra_error error;
	struct err err = ERR_INIT;

	options.config_file = "/dev/null";
	options.broker_url = broker;
	options.backend_url = backend;
	ck_assert_msg(flowrra_open(&options, &c, &error) == 0, "%s",
		      error.message);
	ck_assert_msg(client_set_deadline(c, DEADLINE_MS, &err) == 0, "%s",
		      err.msg);
	return c;
}

/* Each asks several questions, of the broker and of the backend. */
static json_t *
ask_stats(struct err *err)
{
	return stats_snapshot(client, 10, err);
}

static json_t *
ask_list(struct err *err)
{
	const struct task_filter filter = {.error = "x"};
	struct page_query query = {.limit = 10};

	return tasks_page(client, TASKS_RUNNING, &filter, &query, err);
}

static json_t *
ask_final(struct err *err)
{
	const struct task_filter filter = {.queue = NULL};
	struct page_query query = {.limit = 10};

	return tasks_page(client, TASKS_FAILED, &filter, &query, err);
}

static json_t *
ask_show(struct err *err)
{
	return tasks_show(client, "a", 100, err);
}

static json_t *
ask_pause(struct err *err)
{
	return queues_pause(client, "io", true, err);
}

static json_t *(*const operations[])(struct err *err) = {
    ask_stats, ask_list, ask_final, ask_show, ask_pause};
#define N_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* The time that one takes which must fail. */
static int64_t
failure_ms(json_t *(*ask)(struct err *err), enum err_code code)
{
	const int64_t begin_ms = clock_mono_ms();
	struct err err = ERR_INIT;
	json_t *answer = ask(&err);

	ck_assert_ptr_null(answer);
	ck_assert_msg(err.code == code, "%d: %s", err.code, err.msg);
	return clock_mono_ms() - begin_ms;
}

static void
await_answer(json_t *(*ask)(struct err *err))
{
	const int64_t end_ms = clock_mono_ms() + 10000;
	struct err err = ERR_INIT;
	json_t *answer;

	while ((answer = ask(&err)) == NULL)
		ck_assert_msg(clock_mono_ms() < end_ms, "%s", err.msg);
	json_decref(answer);
}

START_TEST(an_operation_on_a_frozen_server_ends_within_its_deadline)
{
	struct err err = ERR_INIT;
	int64_t ms;
	size_t i;

	server = redis_server_start(NULL);
	client = open_with_deadline(redis_server_unix_url(server), "");
	json_decref(ask_stats(&err));
	ck_assert_int_eq(err.code, ERR_NONE);
	redis_server_pause(server);
	ms = failure_ms(operations[_i], ERR_UNAVAILABLE);
	ck_assert_int_le(ms, DEADLINE_MS + SLACK_MS);
	/* Then it is known, whatever is asked, of either connection. */
	for (i = 0; i < N_OPERATIONS; i++) {
		ms = failure_ms(operations[i], ERR_UNAVAILABLE);
		ck_assert_msg(ms <= AT_ONCE_MS, "%zu: %lld ms", i,
			      (long long)ms);
	}
	redis_server_continue(server);
	await_answer(ask_stats);
	await_answer(ask_final);
	flowrra_close(client);
	redis_server_stop(server);
}
END_TEST

START_TEST(health_of_a_frozen_server_is_told_within_the_deadline)
{
	const int64_t begin_ms = clock_mono_ms();
	json_t *components;

	server = redis_server_start(NULL);
	client = open_with_deadline(redis_server_unix_url(server), "");
	redis_server_pause(server);
	components = health_check(client);
	ck_assert(!health_is_good(components));
	json_decref(components);
	/* The server's start is in it. */
	ck_assert_int_le(clock_mono_ms() - begin_ms,
			 DEADLINE_MS + 4 * SLACK_MS);
	redis_server_continue(server);
	flowrra_close(client);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_server_that_is_not_there_is_told_at_once)
{
	struct err err = ERR_INIT;
	size_t i;

	server = redis_server_start(NULL);
	client = open_with_deadline(redis_server_unix_url(server), "");
	json_decref(ask_stats(&err));
	redis_server_kill(server);
	for (i = 0; i < N_OPERATIONS; i++)
		ck_assert_int_le(failure_ms(operations[i], ERR_UNAVAILABLE),
				 AT_ONCE_MS);
	redis_server_restart(server);
	await_answer(ask_stats);
	flowrra_close(client);
	redis_server_stop(server);
}
END_TEST

START_TEST(two_frozen_servers_cost_one_deadline)
{
	struct redis_server *backend = redis_server_start(NULL);
	struct err err = ERR_INIT;

	server = redis_server_start(NULL);
	client = open_with_deadline(redis_server_unix_url(server),
				    redis_server_unix_url(backend));
	json_decref(ask_stats(&err));
	redis_server_pause(server);
	redis_server_pause(backend);
	ck_assert_int_le(failure_ms(ask_stats, ERR_UNAVAILABLE),
			 DEADLINE_MS + SLACK_MS);
	ck_assert_int_le(failure_ms(ask_final, ERR_UNAVAILABLE),
			 DEADLINE_MS + SLACK_MS);
	ck_assert_int_le(failure_ms(ask_final, ERR_UNAVAILABLE), AT_ONCE_MS);
	redis_server_continue(server);
	redis_server_continue(backend);
	await_answer(ask_stats);
	flowrra_close(client);
	redis_server_stop(backend);
	redis_server_stop(server);
}
END_TEST

START_TEST(a_locked_file_holds_a_change_no_longer_than_the_deadline)
{
	char dir[] = "/tmp/deadline-XXXXXX", path[64], url[80], command[80];
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct err err = ERR_INIT;
	sqlite3 *db;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/q.db", dir);
	snprintf(url, sizeof(url), "sqlite://%s", path);
	client = open_with_deadline(url, "");
	request.name = "t";
	request.queue = "io";
	request.force = true;
	ck_assert_int_eq(flowrra_submit(client, &request, NULL, NULL), 0);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
			 SQLITE_OK);
	ck_assert_int_le(failure_ms(ask_pause, ERR_UNAVAILABLE),
			 DEADLINE_MS + SLACK_MS);
	/* A reader is not held up. */
	await_answer(ask_stats);
	ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL),
			 SQLITE_OK);
	await_answer(ask_pause);
	json_decref(ask_pause(&err));
	sqlite3_close(db);
	flowrra_close(client);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

static bool
is_failed(const char *id)
{
	struct flowrra_record *record;
	struct flowrra_error error;
	bool is;

	if (flowrra_result(client, id, &record, &error) != 0)
		return false;
	is = record->state == FLOWRRA_FAILED;
	flowrra_record_free(record);
	return is;
}

/* The task is in no queue any more when its record cannot be stored, on a server that
 * is no master: nobody waits for it for ever, and it is not lost either. */
START_TEST(a_record_that_the_backend_does_not_take_is_stored_later)
{
	struct redis_server *backend = redis_server_start(NULL);
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	const int64_t begin_ms = clock_mono_ms();
	struct flowrra_error error;

	server = redis_server_start(NULL);
	client = open_with_deadline(redis_server_unix_url(server),
				    redis_server_unix_url(backend));
	request.name = "t";
	request.id = "a";
	request.queue = "io";
	request.force = true;
	ck_assert_int_eq(flowrra_submit(client, &request, NULL, &error), 0);
	redis_server_run(backend, "REPLICAOF 127.0.0.1 1");
	ck_assert_int_eq(flowrra_cancel(client, "a", &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(
	    error.message, "task a was removed from its queue, but: the "
			   "backend has not taken its record for 1.0 s"));
	ck_assert_int_lt(clock_mono_ms() - begin_ms, 30000);
	redis_server_reconnect(backend);
	redis_server_run(backend, "REPLICAOF NO ONE");
	redis_server_reconnect(backend);
	while (!is_failed("a"))
		ck_assert_int_lt(clock_mono_ms() - begin_ms, 30000);
	/* One that is not confirmed when the client is closed. */
	request.id = "b";
	ck_assert_int_eq(flowrra_submit(client, &request, NULL, &error), 0);
	redis_server_run(backend, "REPLICAOF 127.0.0.1 1");
	ck_assert_int_eq(flowrra_cancel(client, "b", &error), -1);
	flowrra_close(client);
	redis_server_stop(backend);
	redis_server_stop(server);
}
END_TEST

SUITE("manager-deadline")
{
	TEST_LOOP(an_operation_on_a_frozen_server_ends_within_its_deadline, 0,
		  (int)N_OPERATIONS);
	TEST(health_of_a_frozen_server_is_told_within_the_deadline);
	TEST(a_server_that_is_not_there_is_told_at_once);
	TEST(two_frozen_servers_cost_one_deadline);
	TEST(a_locked_file_holds_a_change_no_longer_than_the_deadline);
	TEST(a_record_that_the_backend_does_not_take_is_stored_later);
}
