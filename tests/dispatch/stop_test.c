/* SPDX-License-Identifier: MIT */
/* How a worker opens and stops, and what it waits for. */
#include "dispatch/worker.h"
#include "suite.h"

/* A worker that stops while a task of it runs, of which it hears no more. */
static struct worker *
begin_draining(void)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "started", "deaf");
	WAIT_FOR(w, "running");
	dispatch_stop(w->dispatch);
	ck_assert_int_eq(w->dispatch->phase, PHASE_DRAINING);
	return w;
}

/* --- draining ---------------------------------------------------------- */

START_TEST(a_worker_with_nothing_to_do_stops_at_once)
{
	struct worker *w = worker_begin();

	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "deregister; ");
	ck_assert_int_eq(w->failure.code, ERR_NONE);
	worker_end(w);
}
END_TEST

START_TEST(a_worker_that_stops_wants_nothing_and_says_so)
{
	struct worker *w = begin_draining();
	char status[200];

	ck_assert_uint_eq(w->store.wanted[0], 0);
	ck_assert_uint_eq(w->store.wanted[1], 0);
	ck_in(w->store.heartbeat, "\"state\":\"stopping\"");
	dispatch_status(w->dispatch, status, sizeof(status));
	ck_assert_str_eq(status, "stopping; 1 tasks here, 0 of them waiting; "
				 "broker reachable");
	worker_end(w);
}
END_TEST

START_TEST(what_has_not_begun_goes_back_when_the_worker_stops)
{
	struct worker *w = worker_begin();

	/* One is with an executor, one is held. */
	STEPS(w, "job", "", "queued");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_RUNNING);
	STEPS(w, "cpu", "", "done=1");
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "release; release; deregister; ");
	worker_end(w);
}
END_TEST

START_TEST(what_still_comes_to_a_worker_that_stops_goes_back)
{
	struct worker *w = begin_draining();

	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "release");
	ck_assert(!w->stopped);
	worker_end(w);
}
END_TEST

START_TEST(a_stop_waits_for_claims_that_are_under_way)
{
	struct worker *w = worker_begin();

	w->store.claiming = true;
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, pool_is_empty(w->dispatch->pool));
	worker_settle(w);
	ck_assert(!w->stopped);
	w->store.claiming = false;
	w->store.broker.on_idle(w->store.broker.arg);
	FAKE_WAIT(&w->store, w->stopped);
	worker_end(w);
}
END_TEST

START_TEST(an_idle_broker_is_nothing_new_to_a_worker_that_runs)
{
	struct worker *w = worker_begin();

	w->store.broker.on_idle(w->store.broker.arg);
	worker_settle(w);
	ck_assert(!dispatch_is_stopping(w->dispatch));
	worker_end(w);
}
END_TEST

START_TEST(a_stop_waits_for_records_and_claims)
{
	struct worker *w = worker_begin();

	w->store.hold_records = w->store.hold_claims = true;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "success");
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, pool_is_empty(w->dispatch->pool));
	worker_settle(w);
	ck_assert(!w->stopped);
	w->store.hold_records = false;
	WAIT_FOR(w, "ack");
	worker_settle(w);
	ck_assert(!w->stopped);
	w->store.hold_claims = false;
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "success; ack; deregister; ");
	worker_end(w);
}
END_TEST

START_TEST(no_reload_begins_while_the_worker_stops)
{
	static const char *const none[] = {NULL};
	const struct pool_modules modules = {none, "{}", NULL, NULL, NULL};
	struct worker *w = begin_draining();
	struct err err;

	ck_assert_int_eq(dispatch_reload(w->dispatch, w->conf, &modules, &err),
			 -1);
	ck_assert_int_eq(err.code, ERR_UNAVAILABLE);
	worker_end(w);
}
END_TEST

/* --- hurrying, and giving up ------------------------------------------- */

START_TEST(tasks_that_do_not_end_in_time_are_killed_and_released)
{
	struct worker *w = begin_draining();

	worker_due(w, w->dispatch->stop_deadline);
	ck_assert_int_eq(w->dispatch->phase, PHASE_KILLING);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; pending; release; deregister; ");
	worker_end(w);
}
END_TEST

START_TEST(a_cancelled_task_that_a_stop_kills_is_not_released)
{
	struct worker *w = begin_draining();

	worker_job(w)->cancelled = true;
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; failed; ack; deregister; ");
	ck_record(w, "\"error\":\"cancelled\"");
	worker_end(w);
}
END_TEST

START_TEST(a_worker_does_not_wait_for_its_stores_for_ever)
{
	struct worker *w = begin_draining();

	w->store.hold_claims = true;
	dispatch_stop(w->dispatch);
	WAIT_FOR(w, "release");
	worker_settle(w);
	ck_assert(!w->stopped);
	worker_due(w, w->dispatch->stop_deadline);
	ck_assert(w->stopped);
	/* It stays listed, so that others find what it had. */
	ck_journal(w, "running; pending; release; ");
	ck_assert_int_eq(w->dispatch->phase, PHASE_STOPPED);
	/* What comes now comes too late. */
	w->store.hold_claims = false;
	fake_store_turn(&w->store);
	dispatch_turn(w->dispatch);
	worker_settle(w);
	worker_due(w, w->dispatch->stop_deadline);
	worker_end(w);
}
END_TEST

/* --- stores that will not have the worker ------------------------------ */

START_TEST(a_broker_that_refuses_is_not_waited_for)
{
	struct worker *w = worker_begin();
	char status[200];

	w->store.hold_claims = true;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "ack");
	fake_broker_refuse(&w->store);
	dispatch_status(w->dispatch, status, sizeof(status));
	ck_assert_ptr_nonnull(strstr(status, "broker unreachable"));
	FAKE_WAIT(&w->store, w->stopped);
	ck_assert_int_eq(w->failure.code, ERR_REFUSED);
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(tasks_may_finish_and_be_recorded_when_the_broker_refuses)
{
	struct worker *w = worker_begin();

	ENDLESS(w);
	WAIT_FOR(w, "running");
	w->store.hold_claims = true;
	w->store.hold_records = true;
	fake_broker_refuse(&w->store);
	fake_broker_refuse(&w->store); /* another connection: no hurry */
	ck_assert_int_eq(w->dispatch->phase, PHASE_DRAINING);
	worker_cancel(w, "t1");
	FAKE_WAIT(&w->store, pool_is_empty(w->dispatch->pool));
	worker_settle(w);
	ck_assert(!w->stopped);
	w->store.hold_records = false;
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; failed; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_backend_that_refuses_is_not_waited_for)
{
	struct worker *w = worker_begin();

	w->store.hold_records = true;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "success");
	fake_results_refuse(&w->store);
	FAKE_WAIT(&w->store, w->stopped);
	ck_assert_int_eq(w->failure.code, ERR_REFUSED);
	ck_journal(w, "success; ");
	worker_end(w);
}
END_TEST

START_TEST(claims_are_still_settled_when_the_backend_refuses)
{
	struct worker *w = worker_begin();

	w->store.hold_claims = true;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "ack");
	fake_results_refuse(&w->store);
	FAKE_WAIT(&w->store, pool_is_empty(w->dispatch->pool));
	worker_settle(w);
	ck_assert(!w->stopped);
	w->store.hold_claims = false;
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "success; ack; deregister; ");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_nobody_can_be_asked_about_does_not_keep_a_worker)
{
	struct worker *w = worker_begin();

	w->store.hold_gets = true;
	worker_recover(w, "job", "[]", "");
	fake_results_refuse(&w->store);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "");
	worker_end(w);
}
END_TEST

/* --- opening ----------------------------------------------------------- */

START_TEST(a_spool_that_cannot_be_opened_is_an_error)
{
	static const char *const queues[] = {"io", NULL};
	static const char *const none[] = {NULL};
	struct worker *w = worker_begin();
	struct dispatch_options options = w->dispatch->opt;
	struct err err;

	options.queues = queues;
	options.modules = (struct pool_modules){none, "{}", NULL, NULL, NULL};
	options.spool = "/nowhere/spool";
	ck_assert_ptr_null(dispatch_new(&options, &err));
	ck_assert_int_eq(err.code, ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nowhere/spool"));
	dispatch_free(NULL);
	worker_end(w);
}
END_TEST

START_TEST(a_store_that_cannot_be_opened_is_an_error)
{
	struct worker *w = worker_begin();
	struct dispatch_options options = w->dispatch->opt;
	struct conf *conf;
	static const char *const settings[] = {"broker.url=gopher://x", NULL};
	struct err err;

	ck_assert(conf_load("/dev/null", settings, &conf, &err) == 0);
	options.conf = conf;
	options.open_broker = NULL;
	options.open_results = NULL;
	ck_assert_ptr_null(dispatch_new(&options, &err));
	ck_assert_int_eq(err.code, ERR_CONFIG);
	conf_free(conf);
	worker_end(w);
}
END_TEST

START_TEST(a_worker_that_is_freed_leaves_its_claims_on_record)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"timeout\":60", "started", "progress=1");
	STEPS(w, "cpu", "", "done=1");
	WAIT_FOR(w, "running");
	dispatch_free(w->dispatch);
	w->dispatch = NULL;
	ck_assert(!fake_store_saw(&w->store, "release"));
	ck_assert(!w->stopped);
	worker_end(w);
}
END_TEST

SUITE("dispatch-stop")
{
	TEST(a_worker_with_nothing_to_do_stops_at_once);
	TEST(a_worker_that_stops_wants_nothing_and_says_so);
	TEST(what_has_not_begun_goes_back_when_the_worker_stops);
	TEST(what_still_comes_to_a_worker_that_stops_goes_back);
	TEST(a_stop_waits_for_claims_that_are_under_way);
	TEST(an_idle_broker_is_nothing_new_to_a_worker_that_runs);
	TEST(a_stop_waits_for_records_and_claims);
	TEST(no_reload_begins_while_the_worker_stops);
	TEST(tasks_that_do_not_end_in_time_are_killed_and_released);
	TEST(a_cancelled_task_that_a_stop_kills_is_not_released);
	TEST(a_worker_does_not_wait_for_its_stores_for_ever);
	TEST(a_broker_that_refuses_is_not_waited_for);
	TEST(tasks_may_finish_and_be_recorded_when_the_broker_refuses);
	TEST(a_backend_that_refuses_is_not_waited_for);
	TEST(claims_are_still_settled_when_the_backend_refuses);
	TEST(a_task_that_nobody_can_be_asked_about_does_not_keep_a_worker);
	TEST(a_spool_that_cannot_be_opened_is_an_error);
	TEST(a_store_that_cannot_be_opened_is_an_error);
	TEST(a_worker_that_is_freed_leaves_its_claims_on_record);
}
