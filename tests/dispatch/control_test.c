/* SPDX-License-Identifier: MIT */
/* Commands from outside, and what the worker tells of itself. */
#include <stdio.h>

#include "dispatch/worker.h"
#include "suite.h"

/* --- commands ---------------------------------------------------------- */

START_TEST(commands_to_stop_and_reload_go_to_the_program)
{
	struct worker *w = worker_begin();

	worker_command(w, "stop");
	ck_assert_uint_eq(w->stop_commands, 1);
	worker_command(w, "reload");
	ck_assert_uint_eq(w->reload_commands, 1);
	ck_assert(!dispatch_is_stopping(w->dispatch));
	worker_end(w);
}
END_TEST

START_TEST(commands_to_another_worker_are_not_followed)
{
	struct worker *w = worker_begin();

	fake_store_control(&w->store,
			   "{\"order\":\"stop\",\"worker\":\"test:other\"}");
	fake_store_control(&w->store,
			   "{\"order\":\"quiet\",\"worker\":\"test:other\"}");
	ck_assert_uint_eq(w->stop_commands, 0);
	ck_assert(!w->dispatch->quiet);
	worker_end(w);
}
END_TEST

START_TEST(what_is_not_a_command_is_ignored)
{
	static const char *const messages[] = {
	    "", "[]", "{\"order\":\"dance\",\"worker\":\"test:main\"}",
	    "{\"order\":\"cancel\",\"id\":\"no id\"}",
	    "{\"order\":\"wake\",\"queue\":\"io\"}"};
	struct worker *w = worker_begin();
	size_t i;

	for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		fake_store_control(&w->store, messages[i]);
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_quiet_worker_finishes_what_it_has_and_says_what_it_is)
{
	struct worker *w = worker_begin();
	char status[200];

	ENDLESS(w);
	WAIT_FOR(w, "running");
	worker_command(w, "quiet");
	ck_in(w->store.heartbeat, "\"state\":\"quiet\"");
	dispatch_status(w->dispatch, status, sizeof(status));
	ck_assert_str_eq(status, "quiet; 1 tasks here, 0 of them waiting; "
				 "broker reachable");
	FAKE_WAIT(&w->store, w->store.wanted[0] == 0);
	worker_cancel(w, "t1");
	WAIT_FOR(w, "ack");
	worker_end(w);
}
END_TEST

START_TEST(a_quiet_worker_still_ends_tasks_that_were_cancelled)
{
	struct worker *w = worker_begin();

	worker_command(w, "quiet");
	worker_cancel(w, "t1");
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "ack");
	ck_journal(w, "failed; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_worker_resumes_when_it_is_told_to)
{
	struct worker *w = worker_begin();

	worker_command(w, "resume"); /* it is not quiet */
	worker_command(w, "quiet");
	worker_command(w, "quiet");
	FAKE_WAIT(&w->store, w->store.wanted[0] == 0);
	worker_command(w, "resume");
	FAKE_WAIT(&w->store, w->store.wanted[0] > 0);
	ck_in(w->store.heartbeat, "\"state\":\"running\"");
	worker_end(w);
}
END_TEST

START_TEST(a_worker_that_stops_does_not_become_quiet)
{
	struct worker *w = worker_begin();

	ENDLESS(w);
	WAIT_FOR(w, "running");
	dispatch_stop(w->dispatch);
	worker_command(w, "quiet");
	ck_assert(!w->dispatch->quiet);
	ck_in(w->store.heartbeat, "\"state\":\"stopping\"");
	worker_end(w);
}
END_TEST

/* --- heartbeats -------------------------------------------------------- */

START_TEST(a_worker_is_ready_when_others_can_see_it)
{
	struct worker *w = worker_open(&(struct worker_setup){0});

	w->store.hold_values = true;
	fake_store_reach(&w->store, true);
	FAKE_WAIT(&w->store, w->dispatch->announcing);
	worker_settle(w);
	ck_assert(!w->ready);
	ck_assert_uint_eq(w->store.registered, 3);
	w->store.hold_values = false;
	FAKE_WAIT(&w->store, w->ready);
	worker_end(w);
}
END_TEST

START_TEST(a_worker_is_not_ready_before_the_broker_has_answered)
{
	struct worker *w = worker_open(&(struct worker_setup){0});

	w->store.hold_values = true;
	fake_store_reach(&w->store, true);
	FAKE_WAIT(&w->store, w->dispatch->announcing);
	err_set(&w->store.value_err, ERR_UNAVAILABLE, "gone");
	w->store.hold_values = false;
	FAKE_WAIT(&w->store, !w->dispatch->announcing);
	ck_assert(!w->ready);
	fake_store_reach(&w->store, false);
	w->store.value_err = (struct err){.code = ERR_NONE};
	fake_store_reach(&w->store, true);
	FAKE_WAIT(&w->store, w->ready);
	worker_end(w);
}
END_TEST

START_TEST(a_heartbeat_is_lost_while_the_broker_is_away)
{
	struct worker *w = worker_begin();
	const unsigned int before = w->store.heartbeats;

	worker_due(w, w->dispatch->heartbeat);
	ck_assert_uint_eq(w->store.heartbeats, before + 1);
	fake_store_reach(&w->store, false);
	worker_due(w, w->dispatch->heartbeat);
	ck_assert_uint_eq(w->store.heartbeats, before + 1);
	worker_end(w);
}
END_TEST

START_TEST(a_broker_that_is_back_hears_at_once_what_the_worker_can_run)
{
	struct worker *w = worker_begin();
	const unsigned int beats = w->store.heartbeats;
	const unsigned int registrations = w->store.registrations;

	fake_store_reach(&w->store, false);
	fake_store_reach(&w->store, true);
	ck_assert_uint_eq(w->store.heartbeats, beats + 1);
	ck_assert_uint_eq(w->store.registrations, registrations + 1);
	worker_end(w);
}
END_TEST

START_TEST(handlers_are_registered_again_with_every_tenth_heartbeat)
{
	struct worker *w = worker_begin();
	const unsigned int before = w->store.registrations;
	int i;

	for (i = 0; i < 9; i++)
		worker_due(w, w->dispatch->heartbeat);
	ck_assert_uint_eq(w->store.registrations, before);
	worker_due(w, w->dispatch->heartbeat);
	ck_assert_uint_eq(w->store.registrations, before + 1);
	worker_end(w);
}
END_TEST

START_TEST(the_broker_is_told_the_limits_of_dead_lists)
{
	struct worker *w = worker_begin_with("worker.dead_ttl=90s");
	int i;

	ck_assert_uint_eq(w->store.tidied, 0);
	for (i = 0; i < 3; i++)
		worker_due(w, w->dispatch->heartbeat);
	ck_assert_uint_eq(w->store.tidied, 1);
	ck_assert_int_eq(w->store.limits.dead_max, 100000);
	ck_assert_int_eq(w->store.limits.dead_ttl_ms, 90000);
	ck_assert_int_eq(w->store.limits.dead_max_bytes, 1 << 30);
	ck_assert_int_eq(w->store.limits.lost_ms, 3600000);
	ck_assert_int_eq(w->store.limits.record_ttl_s, 86400);
	ck_assert_int_gt(w->store.limits.registry_ms,
			 INT64_C(30) * 24 * 3600 * 1000);
	fake_store_reach(&w->store, false);
	for (i = 0; i < 3; i++)
		worker_due(w, w->dispatch->heartbeat);
	ck_assert_uint_eq(w->store.tidied, 1);
	worker_end(w);
}
END_TEST

/* The broker has deleted something, and it is time to say so. */
static void
trim(struct worker *w, const char *queue, int64_t beyond, int64_t expired)
{
	const struct broker_trimmed trimmed = {
	    .queue = slice_of(queue), .beyond = beyond, .expired = expired};
	int i;

	w->store.broker.on_trimmed(&trimmed, w->store.broker.arg);
	for (i = 0; i < 3; i++)
		worker_due(w, w->dispatch->heartbeat);
}

START_TEST(what_was_deleted_is_counted_and_logged_once_a_minute)
{
	struct worker *w = worker_begin();

	worker_log_begin();
	trim(w, "io", 500, 0);
	ck_assert_str_eq(w->store.measured.data, "io/other 5+500; ");
	ck_assert_ptr_nonnull(
	    strstr(worker_log(), "500 tasks deleted from dead lists"));
	buf_reset(&w->store.measured);
	trim(w, "io", 7, 1);
	trim(w, "far", 0, 2);
	ck_assert_str_eq(w->store.measured.data,
			 "io/other 5+7; io/other 6+1; far/other 6+2; ");
	ck_assert_ptr_null(
	    strstr(strstr(worker_log(), "deleted") + 1, "deleted"));
	w->dispatch->upkeep.told_ms -= 60000;
	trim(w, "io", 1, 0);
	ck_assert_ptr_nonnull(strstr(worker_log(),
				     "8 tasks deleted from dead lists that are "
				     "full ([worker] dead_max, "
				     "dead_max_bytes), 3 that died"));
	worker_end(w);
}
END_TEST

static bool
read_pending(struct worker *w, const char *record, struct buf *queue,
	     struct buf *ended)
{
	buf_reset(queue);
	buf_reset(ended);
	if (!w->store.broker.on_pending(slice_of(record), queue, ended,
					w->store.broker.arg))
		return false;
	buf_addc(queue, '\0');
	buf_addc(ended, '\0');
	return !queue->failed && !ended->failed;
}

START_TEST(a_lost_task_keeps_what_its_producer_said_of_it)
{
	static const char *const others[] = {
	    "[]", "{\"task_id\":\"t\",\"status\":\"pending\"}",
	    "{\"task_id\":\"t\",\"status\":\"success\",\"queue\":\"io\"}"};
	const char *const head = "{\"task_id\":\"t\",\"status\":\"failed\","
				 "\"lost\":true,\"task_name\":\"add\",";
	struct worker *w = worker_begin();
	struct buf queue = BUF_INIT, ended = BUF_INIT;
	size_t i;

	ck_assert(read_pending(
	    w,
	    "{\"task_id\":\"t\",\"status\":\"running\",\"task_name\":\"add\","
	    "\"args\":[1,2],\"queue\":\"io\"}",
	    &queue, &ended));
	ck_assert_str_eq(queue.data, "io");
	ck_assert_msg(strncmp(ended.data, head, strlen(head)) == 0, "%s",
		      ended.data);
	ck_assert_ptr_nonnull(strstr(ended.data, "\"args\":[1,2]"));
	ck_assert_ptr_nonnull(strstr(ended.data, "\"reason\":\"lost\""));
	ck_assert_ptr_nonnull(strstr(ended.data, "\"finished_at\":\""));
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert(!read_pending(w, others[i], &queue, &ended));
	buf_done(&queue);
	buf_done(&ended);
	worker_end(w);
}
END_TEST

START_TEST(lost_tasks_are_logged)
{
	const struct broker_trimmed trimmed = {.queue = SLICE("io"), .lost = 7};
	struct worker *w = worker_begin();
	int i;

	worker_log_begin();
	w->store.broker.on_trimmed(&trimmed, w->store.broker.arg);
	for (i = 0; i < 6; i++)
		worker_due(w, w->dispatch->heartbeat);
	ck_assert_ptr_nonnull(strstr(worker_log(), "7 tasks were lost"));
	ck_assert_ptr_null(
	    strstr(strstr(worker_log(), "were lost") + 1, "were lost"));
	worker_end(w);
}
END_TEST

START_TEST(what_was_deleted_is_counted_when_the_backend_is_back)
{
	struct worker *w = worker_begin();

	w->store.results_up = false;
	trim(w, "io", 5, 0);
	ck_assert_uint_eq(w->store.measurings, 0);
	w->store.results_up = true;
	trim(w, "io", 6, 0);
	ck_assert_str_eq(w->store.measured.data, "io/other 5+11; ");
	worker_end(w);
}
END_TEST

START_TEST(a_worker_describes_itself_and_what_it_runs)
{
	static const char *const parts[] = {
	    "\"id\":\"test:main\"",
	    "\"queues\":[\"io\",\"cpu\"]",
	    "\"task_names\":[\"",
	    "\"job\"",
	    "\"io\":{\"slots\":2,\"tasks\":1}",
	    "\"async\":{\"slots\":1000,\"tasks\":1}",
	    "\"cpu\":{\"slots\":1,\"tasks\":0}",
	    "\"kind\":\"io\"",
	    "\"totals\":{\"succeeded\":1,\"failed\":1,\"retried\":0,"
	    "\"crashed\":0}",
	    "\"running\":[{\"id\":\"t3\",\"name\":\"job\",\"queue\":\"io\","
	    "\"attempt\":3,\"started_at\":\"20"};
	struct worker *w = worker_begin();
	size_t i;

	STEPS(w, "job", "", "done=1");
	STEPS(w, "job", "", "final=oh");
	FAKE_WAIT(&w->store,
		  worker_count(w, "ack") + worker_count(w, "dead") == 2);
	STEPS(w, "job", ",\"current_retry\":2,\"max_retries\":3", "started");
	WAIT_FOR(w, "running");
	/* One that has not begun is not named. */
	STEPS(w, "async", "", "queued");
	FAKE_WAIT(&w->store, pool_running(w->dispatch->pool, POOL_ASYNC) == 1);
	worker_due(w, w->dispatch->heartbeat);
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		ck_in(w->store.heartbeat, parts[i]);
	ck_not_in(w->store.heartbeat, "\"id\":\"t4\"");
	worker_end(w);
}
END_TEST

START_TEST(a_worker_names_a_hundred_running_tasks_at_most)
{
	struct worker *w = worker_begin();
	const char *at;
	unsigned int named = 0;
	int i;

	for (i = 0; i < 120; i++)
		STEPS(w, "async", "", "started");
	FAKE_WAIT(&w->store, worker_count(w, "running; ") == 120);
	worker_due(w, w->dispatch->heartbeat);
	for (at = w->store.heartbeat.data;
	     (at = strstr(at, "\"attempt\":")) != NULL; at++)
		named++;
	ck_assert_uint_eq(named, 100);
	worker_end(w);
}
END_TEST

/* The heartbeat of a worker that has `n` tasks, "n1" and so on. */
static struct worker *
worker_of_many(int n)
{
	struct buf ready = BUF_INIT;
	const char *modules[] = {NULL, NULL};
	struct worker *w;
	int i;

	buf_adds(&ready, "ready={\"tasks\":[");
	for (i = 1; i <= n; i++)
		buf_addf(&ready,
			 "%s{\"name\":\"n%d\",\"queue\":\"io\",\"kind\":0}",
			 i > 1 ? "," : "", i);
	buf_adds(&ready, "]}");
	modules[0] = ready.data;
	w = worker_open(&(struct worker_setup){.modules = modules});
	worker_up(w);
	FAKE_WAIT(&w->store, w->store.registered == (unsigned int)n);
	worker_due(w, w->dispatch->heartbeat);
	buf_done(&ready);
	return w;
}

START_TEST(a_worker_names_two_hundred_of_its_tasks_at_most)
{
	struct worker *w = worker_of_many(200);

	ck_in(w->store.heartbeat, "\"tasks\":200,");
	ck_in(w->store.heartbeat, "\"n200\"");
	worker_end(w);
	/* Who reads the name of none knows that there are more. */
	w = worker_of_many(201);
	ck_in(w->store.heartbeat, "\"tasks\":201,");
	ck_not_in(w->store.heartbeat, "task_names");
	worker_end(w);
}
END_TEST

SUITE("dispatch-control")
{
	TEST(commands_to_stop_and_reload_go_to_the_program);
	TEST(commands_to_another_worker_are_not_followed);
	TEST(what_is_not_a_command_is_ignored);
	TEST(a_quiet_worker_finishes_what_it_has_and_says_what_it_is);
	TEST(a_quiet_worker_still_ends_tasks_that_were_cancelled);
	TEST(a_worker_resumes_when_it_is_told_to);
	TEST(a_worker_that_stops_does_not_become_quiet);
	TEST(a_worker_is_ready_when_others_can_see_it);
	TEST(a_worker_is_not_ready_before_the_broker_has_answered);
	TEST(a_heartbeat_is_lost_while_the_broker_is_away);
	TEST(the_broker_is_told_the_limits_of_dead_lists);
	TEST(a_lost_task_keeps_what_its_producer_said_of_it);
	TEST(lost_tasks_are_logged);
	TEST(what_was_deleted_is_counted_and_logged_once_a_minute);
	TEST(what_was_deleted_is_counted_when_the_backend_is_back);
	TEST(a_broker_that_is_back_hears_at_once_what_the_worker_can_run);
	TEST(handlers_are_registered_again_with_every_tenth_heartbeat);
	TEST(a_worker_describes_itself_and_what_it_runs);
	TEST(a_worker_names_a_hundred_running_tasks_at_most);
	TEST(a_worker_names_two_hundred_of_its_tasks_at_most);
}
