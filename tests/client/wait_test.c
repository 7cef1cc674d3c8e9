/* SPDX-License-Identifier: MIT */
/* Results and waiting through the client library, and faults on the way. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/client.h"
#include "client/fixture.h"
#include "redis_server.h"
#include "suite.h"

#define ENTRY "{\"queue\":\"io\",\"cpu_bound\":false}"

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

static struct flowrra_client *
open_urls(const char *broker, const char *backend)
{
	static const char *const settings[] = {
	    "broker.socket_timeout=0.5", "backend.socket_timeout=0.5", NULL};
	struct flowrra_options options = FLOWRRA_OPTIONS_INIT;
	struct flowrra_client *opened = NULL;

	options.config_file = "/dev/null";
	options.settings = settings;
	options.broker_url = broker;
	options.backend_url = backend;
	flowrra_open(&options, &opened, &error);
	return opened;
}

/* --- records ------------------------------------------------------------- */

START_TEST(a_record_tells_all_that_is_stored)
{
	struct flowrra_record *record;

	begin();
	redis_server_run(
	    server, "SET flowrra:task:t1 %s",
	    "{\"task_id\":\"t1\",\"status\":\"failed\",\"task_name\":\"add\","
	    "\"result\":null,\"error\":\"no \\\"luck\\\"\",\"submitted_at\":"
	    "\"2026-11-23T11:53:08.846827\",\"started_at\":"
	    "\"2026-11-23T11:53:09+00:00\",\"finished_at\":null,"
	    "\"retries\":2,\"args\":[1],\"kwargs\":{\"a\":1},\"queue\":\"io\","
	    "\"worker\":\"h:main\",\"attempts\":3,\"reason\":\"crashed\","
	    "\"progress\":{\"done\":0.5}}");
	ck_assert_int_eq(flowrra_result(client, "t1", &record, &error), 0);
	ck_assert_int_eq(record->state, FLOWRRA_FAILED);
	ck_assert_str_eq(record->id, "t1");
	ck_assert_str_eq(record->name, "add");
	ck_assert_ptr_null(record->result);
	ck_assert_str_eq(record->error, "no \"luck\"");
	ck_assert_str_eq(record->reason, "crashed");
	ck_assert_str_eq(record->progress, "{\"done\":0.5}");
	ck_assert_str_eq(record->args, "[1]");
	ck_assert_str_eq(record->kwargs, "{\"a\":1}");
	ck_assert_str_eq(record->queue, "io");
	ck_assert_str_eq(record->worker, "h:main");
	ck_assert_int_eq(record->attempts, 3);
	ck_assert_int_eq(record->retries, 2);
	ck_assert_int_eq(record->submitted_us, INT64_C(1795434788846827));
	ck_assert_int_eq(record->started_us, INT64_C(1795434789000000));
	ck_assert_int_eq(record->finished_us, 0);
	flowrra_record_free(record);
	end();
}
END_TEST

START_TEST(there_is_no_record_of_what_was_never_submitted)
{
	struct flowrra_record *record;

	begin();
	ck_assert_int_eq(flowrra_result(client, "nope", &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_NOT_FOUND);
	ck_assert_int_eq(flowrra_wait(client, "nope", -1, &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(error.message, "nope"));
	ck_assert_int_eq(flowrra_wait(client, "a b", -1, &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	redis_server_run(server, "SET flowrra:task:bad {");
	ck_assert_int_eq(flowrra_wait(client, "bad", -1, &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_DATA);
	end();
}
END_TEST

/* --- waiting ------------------------------------------------------------- */

static void *
finish_when_awaited(void *arg)
{
	fixture_await_waiter(server, arg);
	fixture_finish(server, arg, "success", "5");
	return NULL;
}

START_TEST(a_wait_ends_when_the_record_is_final)
{
	struct flowrra_record *record;
	pthread_t worker;

	begin();
	fixture_submit(client, id);
	pthread_create(&worker, NULL, finish_when_awaited, id);
	ck_assert_msg(flowrra_wait(client, id, -1, &record, &error) == 0, "%s",
		      error.message);
	ck_assert_str_eq(record->result, "5");
	flowrra_record_free(record);
	pthread_join(worker, NULL);
	/* Already finished: no wait at all, even with no time for it. */
	ck_assert_int_eq(flowrra_wait(client, id, 0, &record, &error), 0);
	flowrra_record_free(record);
	end();
}
END_TEST

START_TEST(a_wait_for_too_long_says_how_far_it_got)
{
	struct flowrra_record *records[2];
	const char *ids[2] = {id, "done"};

	begin();
	fixture_submit(client, id);
	fixture_finish(server, "done", "success", "1");
	ck_assert_int_eq(flowrra_wait_many(client, ids, 2, FLOWRRA_WAIT_ALL,
					   0.05, records, &error),
			 -1);
	ck_assert_int_eq(error.code, FLOWRRA_TIMEOUT);
	ck_assert_ptr_nonnull(strstr(error.message, "1 of 2"));
	ck_assert_ptr_null(records[0]);
	ck_assert_str_eq(records[1]->result, "1");
	flowrra_record_free(records[1]);
	end();
}
END_TEST

START_TEST(any_is_content_with_one_and_with_missing_ones)
{
	struct flowrra_record *records[3];
	const char *ids[3] = {"missing", id, "done"};

	begin();
	fixture_submit(client, id);
	fixture_finish(server, "done", "failed", "\"no\"");
	ck_assert_int_eq(flowrra_wait_many(client, ids, 3, FLOWRRA_WAIT_ANY, -1,
					   records, &error),
			 0);
	ck_assert_ptr_null(records[0]);
	ck_assert_ptr_null(records[1]);
	ck_assert_int_eq(records[2]->state, FLOWRRA_FAILED);
	flowrra_record_free(records[2]);
	ck_assert_int_eq(flowrra_wait_many(client, ids, 1, FLOWRRA_WAIT_ANY, -1,
					   records, &error),
			 -1);
	ck_assert_int_eq(error.code, FLOWRRA_NOT_FOUND);
	ck_assert_int_eq(flowrra_wait_many(client, ids, 2, FLOWRRA_WAIT_ALL, -1,
					   records, &error),
			 -1);
	ck_assert_int_eq(error.code, FLOWRRA_NOT_FOUND);
	end();
}
END_TEST

START_TEST(results_may_live_on_another_server)
{
	struct redis_server *backend = redis_server_start(NULL);
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_record *record;

	server = redis_server_start(NULL);
	fixture_register(server, "add", ENTRY);
	client = open_urls(redis_server_unix_url(server),
			   redis_server_unix_url(backend));
	ck_assert_ptr_nonnull(client);
	request.name = "add";
	request.id = "mine";
	ck_assert_msg(flowrra_submit(client, &request, id, &error) == 0, "%s",
		      error.message);
	ck_assert_int_eq(
	    fixture_integer(backend, "EXISTS", "flowrra:task:mine"), 1);
	ck_assert_int_eq(fixture_integer(server, "EXISTS", "flowrra:task:mine"),
			 0);
	ck_assert_int_eq(fixture_integer(server, "LLEN", "flowrra:queue:io"),
			 1);
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_REFUSED);
	ck_assert_int_eq(fixture_integer(server, "LLEN", "flowrra:queue:io"),
			 1);
	fixture_finish(backend, "mine", "success", "7");
	ck_assert_int_eq(flowrra_wait(client, "mine", -1, &record, &error), 0);
	ck_assert_str_eq(record->result, "7");
	flowrra_record_free(record);
	end();
	redis_server_stop(backend);
}
END_TEST

/* --- faults -------------------------------------------------------------- */

START_TEST(an_operation_waits_for_the_server_no_longer_than_socket_timeout)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	struct flowrra_record *record;

	client = open_urls("unix:///nonexistent/redis.sock", "");
	ck_assert_ptr_nonnull(client);
	request.name = "add";
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(error.message, "/nonexistent/redis.sock"));
	ck_assert_int_eq(flowrra_wait(client, "x", -1, &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_UNAVAILABLE);
	ck_assert_int_eq(flowrra_wait(client, "x", 0.05, &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_UNAVAILABLE);
	flowrra_close(client);
}
END_TEST

START_TEST(a_wrong_url_is_an_error_of_opening_that_shows_no_password)
{
	ck_assert_ptr_null(open_urls("redis://:s3cret@host:99999/0", ""));
	ck_assert_int_eq(error.code, FLOWRRA_CONFIG);
	ck_assert_ptr_null(strstr(error.message, "s3cret"));
	ck_assert_ptr_null(open_urls("amqp://host", ""));
	ck_assert_int_eq(error.code, FLOWRRA_CONFIG);
	ck_assert_ptr_null(open_urls("redis://host", "redis://host/x"));
	ck_assert_int_eq(error.code, FLOWRRA_CONFIG);
}
END_TEST

START_TEST(a_wrong_password_is_refused_at_once_and_not_shown)
{
	struct redis_server_options options = {.password = "right"};
	struct flowrra_record *record;
	char url[128];

	server = redis_server_start(&options);
	snprintf(url, sizeof(url), "redis://:s3cret@127.0.0.1:%d",
		 redis_server_port(server));
	client = open_urls(url, "");
	ck_assert_int_eq(flowrra_registered_names(client, NULL, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_REFUSED);
	ck_assert_ptr_null(strstr(error.message, "s3cret"));
	ck_assert_int_eq(flowrra_wait(client, "x", -1, &record, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_REFUSED);
	end();
}
END_TEST

START_TEST(a_server_that_came_back_is_used_again)
{
	const struct redis_server_options options = {.tls = _i == 1};

	signal(SIGPIPE, SIG_DFL);
	server = redis_server_start(&options);
	fixture_register(server, "add", ENTRY);
	client = options.tls ? open_urls(redis_server_url(server), "")
			     : fixture_open(server, NULL);
	fixture_submit(client, id);
	redis_server_kill(server);
	redis_server_restart(server);
	fixture_register(server, "add", ENTRY);
	/* The broken connection is seen before anything is sent on it. */
	fixture_submit(client, id);
	ck_assert_int_eq(fixture_integer(server, "LLEN", "flowrra:queue:io"),
			 1);
	end();
}
END_TEST

/* Whether SIGPIPE is blocked (1), and one is pending (2). */
static int
sigpipe_state(void)
{
	sigset_t mask, pending;

	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	sigpending(&pending);
	return (sigismember(&mask, SIGPIPE) == 1 ? 1 : 0) |
	       (sigismember(&pending, SIGPIPE) == 1 ? 2 : 0);
}

static void
note_sigpipe(const char *task, void *arg)
{
	(void)task;
	*(int *)arg = sigpipe_state();
}

/* OpenSSL writes without MSG_NOSIGNAL, and the server may be gone. */
START_TEST(sigpipe_is_kept_away_where_a_write_may_cause_it)
{
	const struct redis_server_options options = {.tls = _i == 1};
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	int during = -1;
	const struct submission s = {
	    .request = &request, .before = note_sigpipe, .arg = &during};
	struct err err;

	signal(SIGPIPE, SIG_DFL);
	server = redis_server_start(&options);
	client = open_urls(redis_server_url(server), "");
	fixture_register(server, "add", ENTRY);
	request.name = "add";
	ck_assert_int_eq(client_submit(client, &s, NULL, &err), 0);
	/* Nothing had to be looked at in between. */
	ck_assert_int_eq(client_submit(client, &s, NULL, &err), 0);
	ck_assert_int_eq(sigpipe_state(), 0);
	end();
	ck_assert_int_eq(during, _i);
}
END_TEST

START_TEST(what_the_host_does_about_sigpipe_stays_as_it_was)
{
	const struct redis_server_options options = {.tls = _i == 1};
	const struct timespec at_once = {0};
	sigset_t only;

	signal(SIGPIPE, SIG_DFL);
	server = redis_server_start(&options);
	client = open_urls(redis_server_url(server), "");
	fixture_register(server, "add", ENTRY);
	fixture_submit(client, id);
	ck_assert_int_eq(sigpipe_state(), 0);
	sigemptyset(&only);
	sigaddset(&only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &only, NULL);
	fixture_submit(client, id);
	ck_assert_int_eq(sigpipe_state(), 1);
	/* Of the host's own doing: it is not ours to take. */
	raise(SIGPIPE);
	fixture_submit(client, id);
	ck_assert_int_eq(sigpipe_state(), 3);
	ck_assert_int_eq(sigtimedwait(&only, NULL, &at_once), SIGPIPE);
	pthread_sigmask(SIG_UNBLOCK, &only, NULL);
	end();
}
END_TEST

static void *
wait_for_five(void *arg)
{
	struct flowrra_record *record;

	ck_assert_msg(flowrra_wait(client, arg, -1, &record, &error) == 0, "%s",
		      error.message);
	ck_assert_str_eq(record->result, "5");
	flowrra_record_free(record);
	return NULL;
}

START_TEST(a_wait_lasts_through_a_restart_of_the_server)
{
	pthread_t waiter;

	begin();
	fixture_submit(client, id);
	pthread_create(&waiter, NULL, wait_for_five, id);
	fixture_await_waiter(server, id);
	/* From this thread: a server dies with the one that started it. */
	redis_server_kill(server);
	redis_server_restart(server);
	fixture_await_waiter(server, id);
	fixture_finish(server, id, "success", "5");
	pthread_join(waiter, NULL);
	end();
}
END_TEST

START_TEST(a_submission_that_gets_no_answer_says_what_may_have_become_of_it)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;

	begin();
	fixture_submit(client, id);
	redis_server_pause(server);
	request.name = "add";
	ck_assert_int_eq(flowrra_submit(client, &request, id, &error), -1);
	ck_assert_int_eq(error.code, FLOWRRA_UNAVAILABLE);
	ck_assert_ptr_nonnull(
	    strstr(error.message, "may have been queued anyway"));
	redis_server_continue(server);
	end();
}
END_TEST

START_TEST(a_child_cannot_use_or_harm_its_parents_client)
{
	struct flowrra_request request = FLOWRRA_REQUEST_INIT;
	int status;
	pid_t pid;

	begin();
	fixture_submit(client, id);
	if ((pid = fork()) == 0) {
		request.name = "add";
		status = flowrra_submit(client, &request, id, &error) == -1 &&
			 error.code == FLOWRRA_USAGE;
		flowrra_close(client);
		_exit(status ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fixture_submit(client, id);
	ck_assert_int_eq(fixture_integer(server, "LLEN", "flowrra:queue:io"),
			 2);
	end();
}
END_TEST

SUITE("wait")
{
	TEST(a_record_tells_all_that_is_stored);
	TEST(there_is_no_record_of_what_was_never_submitted);
	TEST(a_wait_ends_when_the_record_is_final);
	TEST(a_wait_for_too_long_says_how_far_it_got);
	TEST(any_is_content_with_one_and_with_missing_ones);
	TEST(results_may_live_on_another_server);
	TEST(an_operation_waits_for_the_server_no_longer_than_socket_timeout);
	TEST(a_wrong_url_is_an_error_of_opening_that_shows_no_password);
	TEST(a_wrong_password_is_refused_at_once_and_not_shown);
	TEST_LOOP(a_server_that_came_back_is_used_again, 0, 2);
	TEST_LOOP(sigpipe_is_kept_away_where_a_write_may_cause_it, 0, 2);
	TEST_LOOP(what_the_host_does_about_sigpipe_stays_as_it_was, 0, 2);
	TEST(a_wait_lasts_through_a_restart_of_the_server);
	TEST(a_submission_that_gets_no_answer_says_what_may_have_become_of_it);
	TEST(a_child_cannot_use_or_harm_its_parents_client);
}
