/* SPDX-License-Identifier: MIT */
/* The life of a claimed task, with real executors and modules. */
#include "dispatch/worker.h"
#include "suite.h"

/* --- records and claims ------------------------------------------------ */

START_TEST(a_worker_wants_tasks_when_it_is_ready)
{
	struct worker *w = worker_begin_real();

	FAKE_WAIT(&w->store, w->store.wanted[0] >= 2);
	ck_assert_uint_ge(w->store.wanted[1], 1);
	ck_assert_uint_gt(w->store.registered, 5);
	ck_assert_ptr_nonnull(
	    strstr(w->store.heartbeat.data, "\"state\":\"running\""));
	worker_end(w);
}
END_TEST

START_TEST(a_claim_is_settled_when_its_record_is_stored)
{
	struct worker *w = worker_begin_real();

	w->store.hold_records = true;
	worker_claim(w, "add", "[1,2]", "");
	WAIT_FOR(w, "success");
	ck_record(w, "\"result\":3");
	worker_settle(w);
	ck_journal(w, "success; ");
	w->store.hold_records = false;
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_fails_is_tried_again)
{
	struct worker *w = worker_begin_real();

	worker_claim(w, "fail", "[\"oh\"]",
		     ",\"max_retries\":1,\"retry_delay\":1.0");
	WAIT_FOR(w, "retry; ");
	ck_record(w, "oh");
	ck_journal(w, "retrying; retry; ");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_has_failed_for_good_goes_to_the_dead_list)
{
	struct worker *w = worker_begin_real();

	worker_claim(w, "fail", "[\"oh\"]", ",\"max_retries\":0");
	WAIT_FOR(w, "dead");
	ck_journal(w, "failed; dead; ");
	ck_assert_ptr_nonnull(
	    strstr(w->store.last_info.data, "\"reason\":\"failed\""));
	worker_end(w);
}
END_TEST

START_TEST(what_is_not_a_task_goes_to_the_dead_list)
{
	struct worker *w = worker_begin_real();

	fake_store_claim(&w->store, 0, "[]", false);
	WAIT_FOR(w, "dead");
	ck_journal(w, "dead; ");
	ck_assert_ptr_nonnull(
	    strstr(w->store.last_info.data, "\"reason\":\"malformed\""));
	worker_end(w);
}
END_TEST

START_TEST(the_record_of_what_cannot_be_read_becomes_failed)
{
	struct worker *w = worker_begin_real();

	w->store.stored = "{\"task_id\":\"t1\",\"status\":\"pending\","
			  "\"task_name\":\"add\",\"args\":[5],\"submitted_at\":"
			  "\"2026-11-23T11:53:08.846827\"}";
	worker_claim(w, "add", "[NaN]", "");
	WAIT_FOR(w, "dead");
	ck_journal(w, "failed; dead; ");
	ck_record(w, "\"task_id\":\"t1\"");
	ck_record(w, "NaN is not JSON");
	ck_record(w, "\"reason\":\"malformed\"");
	ck_record(w, "\"submitted_at\":\"2026-11-23T11:53:08.846827");
	ck_record(w, "\"args\":[5]");
	ck_assert_str_eq(w->store.last_dead.data, "t1");
	worker_end(w);
}
END_TEST

START_TEST(what_cannot_be_read_changes_no_record_that_is_final)
{
	struct worker *w = worker_begin_real();

	w->store.stored = "{\"task_id\":\"t1\",\"status\":\"success\","
			  "\"result\":3}";
	worker_claim(w, "add", "[NaN]", "");
	WAIT_FOR(w, "dead");
	ck_journal(w, "dead; ");
	worker_end(w);
}
END_TEST

START_TEST(what_cannot_be_read_waits_until_the_backend_can_tell)
{
	struct worker *w = worker_begin_real();

	err_set(&w->store.get_err, ERR_UNAVAILABLE, "no");
	worker_claim(w, "add", "[NaN]", "");
	worker_settle(w);
	ck_journal(w, "");
	w->store.get_err = (struct err){.code = ERR_NONE};
	WAIT_FOR(w, "dead");
	ck_journal(w, "failed; dead; ");
	worker_end(w);
}
END_TEST

START_TEST(the_record_of_what_is_too_large_becomes_failed)
{
	struct worker *w = worker_begin_real();

	fake_store_claim_sample(&w->store, "{\"name\":\"add\",\"args\":[\"",
				"\"],\"id\":\"t1\"}", 3000000);
	WAIT_FOR(w, "dead");
	ck_journal(w, "failed; dead; ");
	ck_record(w, "the task has 3000000 bytes, more than 1048576");
	ck_record(w, "\"reason\":\"too_large\"");
	ck_assert_str_eq(w->store.last_dead.data, "t1");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_no_module_handles_is_left_to_other_workers)
{
	struct worker *w = worker_begin_real();

	worker_claim(w, "elsewhere", "[]", "");
	WAIT_FOR(w, "set aside");
	ck_journal(w, "set aside; ");
	ck_assert_str_eq(w->store.last_lane.data, "elsewhere");
	ck_assert_int_eq(w->store.last_settle.delay_ms, 2000);
	/* Where nobody can run it, it comes again as one that was met once. */
	ck_assert_ptr_nonnull(
	    strstr(w->store.last_retry.data, "\"unknown\":1,"));
	ck_assert_ptr_nonnull(
	    strstr(w->store.last_retry.data, "\"current_retry\":0"));
	worker_end(w);
}
END_TEST

/* How often it was put back, and the delay that follows. */
static const struct {
	int times;
	int64_t delay_ms;
} unknown_delays[] = {{1, 4000}, {7, 256000}, {8, 300000}, {200, 300000}};

START_TEST(the_delay_of_an_unknown_task_doubles_up_to_five_minutes)
{
	struct worker *w = worker_begin_real();
	char more[64];

	snprintf(more, sizeof(more), ",\"unknown\":%d,\"unknown_since\":77",
		 unknown_delays[_i].times);
	worker_claim(w, "elsewhere", "[]", more);
	WAIT_FOR(w, "set aside");
	ck_journal(w, "set aside; ");
	ck_assert_int_eq(w->store.last_settle.delay_ms,
			 unknown_delays[_i].delay_ms);
	ck_assert_ptr_nonnull(
	    strstr(w->store.last_retry.data, "\"unknown_since\":77"));
	worker_end(w);
}
END_TEST

/* A day of delays: 510 s in the first 8, and 300 s each from then on. */
#define A_DAY_OF_DELAYS ",\"unknown\":295"

START_TEST(a_task_that_nobody_knew_for_a_day_fails_with_a_record)
{
	struct worker *w = worker_begin_real();

	w->store.served = "unknown";
	worker_claim(w, "elsewhere", "[]", A_DAY_OF_DELAYS);
	WAIT_FOR(w, "dead");
	ck_journal(w, "served?; failed; dead; ");
	ck_record(w, "\"reason\":\"unknown_task\"");
	ck_record(w, "no living worker of queue io has task");
	ck_assert_ptr_null(strstr(w->store.last_record.data, "attempts"));
	ck_assert_ptr_nonnull(
	    strstr(w->store.last_info.data, "\"attempts\":0"));
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_a_living_worker_has_by_now_does_not_fail)
{
	struct worker *w = worker_begin_real();

	w->store.served = "known";
	worker_claim(w, "elsewhere", "[]", A_DAY_OF_DELAYS);
	WAIT_FOR(w, "set aside");
	ck_journal(w, "served?; set aside; ");
	worker_end(w);
}
END_TEST

START_TEST(a_task_does_not_fail_while_the_broker_cannot_tell_who_knows_it)
{
	struct worker *w = worker_begin_real();

	err_set(&w->store.value_err, ERR_UNAVAILABLE, "away");
	worker_claim(w, "elsewhere", "[]", A_DAY_OF_DELAYS);
	WAIT_FOR(w, "set aside");
	ck_journal(w, "served?; set aside; ");
	worker_end(w);
}
END_TEST

START_TEST(an_unknown_task_that_is_cancelled_is_cancelled)
{
	struct worker *w = worker_begin_real();

	w->store.hold_values = true;
	worker_claim(w, "elsewhere", "[]", A_DAY_OF_DELAYS);
	WAIT_FOR(w, "served?");
	worker_cancel(w, "t1");
	w->store.hold_values = false;
	WAIT_FOR(w, "ack");
	ck_journal(w, "served?; failed; ack; ");
	ck_record(w, "\"reason\":\"cancelled\"");
	worker_end(w);
}
END_TEST

/* --- tasks that were claimed before ------------------------------------ */

START_TEST(a_recovered_task_that_had_ended_is_not_run_again)
{
	struct worker *w = worker_begin_real();

	w->store.stored = "{\"task_id\":\"t1\",\"status\":\"success\","
			  "\"result\":3}";
	worker_recover(w, "add", "[1,2]", "");
	WAIT_FOR(w, "ack");
	ck_journal(w, "ack; ");
	worker_end(w);
}
END_TEST

/* Housekeeping was wrong: nobody has run it. */
START_TEST(a_recovered_task_that_seemed_lost_is_run)
{
	struct worker *w = worker_begin_real();

	w->store.stored = "{\"task_id\":\"t1\",\"status\":\"failed\","
			  "\"lost\":true,\"reason\":\"lost\"}";
	worker_recover(w, "add", "[1,2]", "");
	WAIT_FOR(w, "ack");
	ck_assert(fake_store_saw(&w->store, "success"));
	worker_end(w);
}
END_TEST

START_TEST(a_recovered_task_waits_until_the_backend_can_tell)
{
	struct worker *w = worker_begin_real();

	err_set(&w->store.get_err, ERR_UNAVAILABLE, "no");
	worker_recover(w, "add", "[1,2]", "");
	worker_settle(w);
	ck_journal(w, "");
	w->store.get_err = (struct err){.code = ERR_NONE};
	WAIT_FOR(w, "ack");
	ck_assert(fake_store_saw(&w->store, "success"));
	worker_end(w);
}
END_TEST

/* --- commands ---------------------------------------------------------- */

START_TEST(a_task_that_was_cancelled_before_it_came_does_not_run)
{
	struct worker *w = worker_begin_real();

	worker_cancel(w, "t1");
	worker_claim(w, "add", "[1,2]", "");
	WAIT_FOR(w, "ack");
	ck_journal(w, "failed; ack; ");
	ck_record(w, "cancelled before it started");
	worker_end(w);
}
END_TEST

START_TEST(a_cancelled_handler_that_does_not_end_is_killed)
{
	struct worker *w = worker_begin_real();

	worker_claim(w, "loop", "[]", "");
	WAIT_FOR(w, "running");
	worker_cancel(w, "t1");
	WAIT_FOR(w, "ack");
	ck_record(w, "was killed");
	worker_end(w);
}
END_TEST

START_TEST(a_quiet_worker_releases_what_still_comes)
{
	struct worker *w = worker_begin_real();

	fake_store_control(&w->store,
			   "{\"order\":\"quiet\",\"worker\":\"test:main\"}");
	FAKE_WAIT(&w->store, w->store.wanted[0] == 0);
	worker_claim(w, "add", "[1,2]", "");
	WAIT_FOR(w, "release");
	ck_journal(w, "release; ");
	worker_end(w);
}
END_TEST

/* --- stopping ---------------------------------------------------------- */

START_TEST(a_worker_that_stops_lets_its_tasks_finish)
{
	struct worker *w = worker_begin_real();

	worker_claim(w, "sleep", "[0.3]", "");
	WAIT_FOR(w, "running");
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; success; ack; deregister; ");
	ck_assert_int_eq(w->failure.code, ERR_NONE);
	worker_end(w);
}
END_TEST

START_TEST(a_second_stop_releases_what_runs)
{
	struct worker *w = worker_begin_real();

	worker_claim(w, "sleep", "[60]", "");
	WAIT_FOR(w, "running");
	dispatch_stop(w->dispatch);
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; pending; release; deregister; ");
	worker_end(w);
}
END_TEST

START_TEST(a_worker_whose_claims_cannot_be_settled_stays_listed)
{
	struct worker *w = worker_begin_real();

	w->store.hold_claims = true;
	worker_claim(w, "sleep", "[60]", "");
	WAIT_FOR(w, "running");
	dispatch_stop(w->dispatch);
	dispatch_stop(w->dispatch);
	dispatch_stop(w->dispatch); /* no hurry is greater than that */
	WAIT_FOR(w, "release");
	worker_due(w, w->dispatch->stop_deadline);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; pending; release; ");
	worker_end(w);
}
END_TEST

START_TEST(a_broker_that_refuses_for_good_ends_the_worker)
{
	struct worker *w = worker_begin_real();

	fake_broker_refuse(&w->store);
	FAKE_WAIT(&w->store, w->stopped);
	ck_assert_int_eq(w->failure.code, ERR_REFUSED);
	worker_end(w);
}
END_TEST

SUITE("dispatch")
{
	TEST(a_worker_wants_tasks_when_it_is_ready);
	TEST(a_claim_is_settled_when_its_record_is_stored);
	TEST(a_task_that_fails_is_tried_again);
	TEST(a_task_that_has_failed_for_good_goes_to_the_dead_list);
	TEST(what_is_not_a_task_goes_to_the_dead_list);
	TEST(the_record_of_what_cannot_be_read_becomes_failed);
	TEST(what_cannot_be_read_changes_no_record_that_is_final);
	TEST(what_cannot_be_read_waits_until_the_backend_can_tell);
	TEST(the_record_of_what_is_too_large_becomes_failed);
	TEST(a_task_that_no_module_handles_is_left_to_other_workers);
	TEST_LOOP(the_delay_of_an_unknown_task_doubles_up_to_five_minutes, 0,
		  (int)(sizeof(unknown_delays) / sizeof(unknown_delays[0])));
	TEST(a_task_that_nobody_knew_for_a_day_fails_with_a_record);
	TEST(a_task_that_a_living_worker_has_by_now_does_not_fail);
	TEST(a_task_does_not_fail_while_the_broker_cannot_tell_who_knows_it);
	TEST(an_unknown_task_that_is_cancelled_is_cancelled);
	TEST(a_recovered_task_that_had_ended_is_not_run_again);
	TEST(a_recovered_task_that_seemed_lost_is_run);
	TEST(a_recovered_task_waits_until_the_backend_can_tell);
	TEST(a_task_that_was_cancelled_before_it_came_does_not_run);
	TEST(a_cancelled_handler_that_does_not_end_is_killed);
	TEST(a_quiet_worker_releases_what_still_comes);
	TEST(a_worker_that_stops_lets_its_tasks_finish);
	TEST(a_second_stop_releases_what_runs);
	TEST(a_worker_whose_claims_cannot_be_settled_stays_listed);
	TEST(a_broker_that_refuses_for_good_ends_the_worker);
}
