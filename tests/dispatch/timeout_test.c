/* SPDX-License-Identifier: MIT */
/* Timeouts, and tasks that people cancel, in each state of a job. */
#include <signal.h>

#include "dispatch/worker.h"
#include "suite.h"

/* --- timeouts ---------------------------------------------------------- */

START_TEST(a_task_without_a_timeout_has_no_timer)
{
	struct worker *w = worker_begin();

	ENDLESS(w);
	WAIT_FOR(w, "running");
	ck_assert_ptr_null(worker_job(w)->kill_timer);
	worker_end(w);
}
END_TEST

/* An executor that says nothing must not suspend it. */
START_TEST(a_timeout_counts_from_the_assignment_until_there_is_a_start)
{
	struct worker *w = worker_begin_with("executor.kill_grace=20");
	struct timeval due, later, now;

	STEPS(w, "job", ",\"timeout\":100", "queued");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_RUNNING);
	ck_assert(evtimer_pending(worker_job(w)->kill_timer, &due));
	STEPS(w, "job", ",\"timeout\":100", "other=1048576");
	FAKE_WAIT(&w->store, w->dispatch->jobs[0]->run.started);
	ck_assert(evtimer_pending(w->dispatch->jobs[0]->kill_timer, &later));
	ck_assert_int_ge(later.tv_sec, due.tv_sec);
	evutil_gettimeofday(&now, NULL);
	ck_assert_int_ge(later.tv_sec - now.tv_sec, 118);
	ck_assert_int_le(later.tv_sec - now.tv_sec, 121);
	worker_end(w);
}
END_TEST

START_TEST(a_handler_that_does_not_end_in_time_is_killed)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":0,\"timeout\":0.05", "started");
	WAIT_FOR(w, "dead");
	ck_journal(w, "running; failed; dead; ");
	ck_record(w, "\"reason\":\"timeout\"");
	ck_record(w, "it exceeded its timeout, did not stop, and was killed");
	/* Another executor is there for the next. */
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "ack");
	worker_end(w);
}
END_TEST

START_TEST(a_handler_that_was_killed_may_be_tried_again)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":1,\"timeout\":0.05", "started");
	WAIT_FOR(w, "retry; ");
	ck_journal(w, "running; retrying; retry; ");
	ck_in(w->store.last_retry, "\"reason\":\"timeout\"");
	worker_end(w);
}
END_TEST

START_TEST(a_timer_ends_with_its_job)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"timeout\":0.05", "started", "done=1");
	FAKE_WAIT(&w->store, w->dispatch->n_jobs == 0);
	ck_journal(w, "running; success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_timer_that_comes_when_the_job_has_ended_kills_nothing)
{
	struct worker *w = worker_begin_with("executor.kill_grace=60");

	w->store.hold_records = true;
	STEPS(w, "job", ",\"timeout\":60", "started", "done=1");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_STORING);
	if (worker_job(w)->kill_timer != NULL)
		worker_due(w, worker_job(w)->kill_timer);
	w->store.hold_records = false;
	WAIT_FOR(w, "ack");
	ck_journal(w, "running; success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_timeout_during_a_stop_is_not_the_fault_of_the_stop)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":0,\"timeout\":0.05", "started");
	WAIT_FOR(w, "running");
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; failed; dead; deregister; ");
	worker_end(w);
}
END_TEST

/* --- cancelling -------------------------------------------------------- */

START_TEST(a_held_job_that_is_cancelled_ends_at_once)
{
	struct worker *w = worker_begin();

	STEPS(w, "cpu", "", "done=1");
	ck_assert_int_eq(worker_job(w)->state, JOB_HELD);
	worker_cancel(w, "t1");
	ck_assert_uint_eq(w->dispatch->n_held[POOL_CPU], 0);
	WAIT_FOR(w, "ack");
	ck_journal(w, "failed; ack; ");
	ck_record(w, "\"reason\":\"cancelled\"");
	ck_record(w, "cancelled before it started");
	worker_end(w);
}
END_TEST

START_TEST(a_running_handler_that_is_cancelled_is_told_to_end)
{
	struct worker *w = worker_begin_with("executor.kill_grace=60");

	ENDLESS(w);
	WAIT_FOR(w, "running");
	worker_cancel(w, "t1");
	worker_cancel(w, "t1"); /* the second one says nothing new */
	WAIT_FOR(w, "ack");
	ck_journal(w, "running; failed; ack; ");
	ck_record(w, "\"reason\":\"cancelled\"");
	ck_record(w, "told to end");
	worker_end(w);
}
END_TEST

START_TEST(a_handler_that_does_not_hear_that_it_was_cancelled_is_killed)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "started", "deaf");
	WAIT_FOR(w, "running");
	worker_cancel(w, "t1");
	WAIT_FOR(w, "ack");
	ck_record(w, "cancelled; it did not stop and was killed");
	worker_end(w);
}
END_TEST

/* The fake answers a submission with the end of the job: held back until the
 * job is cancelled. */
START_TEST(a_task_that_succeeds_after_it_was_cancelled_has_succeeded)
{
	struct worker *w = worker_begin_with("executor.kill_grace=60");

	w->store.hold_submits = true;
	STEPS(
	    w, "job", "", "started", "deaf",
	    "submit={\"id\":\"s\",\"name\":\"job\",\"args\":[],\"kwargs\":{}}");
	WAIT_FOR(w, "submit");
	worker_cancel(w, "t1");
	w->store.hold_submits = false;
	WAIT_FOR(w, "ack");
	ck_assert_uint_eq(worker_count(w, "success; "), 1);
	worker_end(w);
}
END_TEST

START_TEST(a_cancelled_task_that_crashes_is_not_tried_again)
{
	struct worker *w = worker_begin_with("executor.kill_grace=60");
	const struct executor *e;
	struct pool_member member;

	STEPS(w, "job", ",\"max_retries\":9,\"suspected\":1", "started",
	      "deaf");
	WAIT_FOR(w, "running");
	worker_cancel(w, "t1");
	/* The one of the suspect is the second. */
	e = pool_next_executor(w->dispatch->pool, NULL, &member);
	ck_assert_ptr_nonnull(
	    pool_next_executor(w->dispatch->pool, e, &member));
	kill(member.pid, SIGKILL);
	WAIT_FOR(w, "dead");
	ck_in(w->store.last_info, "\"reason\":\"crashed\"");
	worker_end(w);
}
END_TEST

START_TEST(a_retry_that_is_being_stored_is_given_up_when_it_is_cancelled)
{
	struct worker *w = worker_begin();

	w->store.hold_records = true;
	STEPS(w, "job", ",\"max_retries\":9", "failed=oh");
	WAIT_FOR(w, "retrying");
	worker_cancel(w, "t1");
	w->store.hold_records = false;
	WAIT_FOR(w, "ack");
	ck_journal(w, "retrying; failed; ack; ");
	ck_record(w, "\"reason\":\"cancelled\"");
	worker_end(w);
}
END_TEST

START_TEST(a_success_that_is_being_stored_stays_one)
{
	struct worker *w = worker_begin();

	w->store.hold_records = true;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "success");
	worker_cancel(w, "t1");
	w->store.hold_records = false;
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_is_on_its_way_back_is_cancelled_when_it_comes_again)
{
	struct worker *w = worker_begin();

	w->store.hold_claims = true;
	STEPS(w, "job", ",\"max_retries\":9", "failed=oh");
	WAIT_FOR(w, "retry; ");
	worker_cancel(w, "t1");
	w->store.hold_claims = false;
	FAKE_WAIT(&w->store, w->dispatch->n_jobs == 0);
	w->tasks = 0;
	STEPS(w, "job", ",\"current_retry\":1,\"max_retries\":9", "done=1");
	WAIT_FOR(w, "ack");
	ck_journal(w, "retrying; retry; failed; ack; ");
	ck_record(w, "\"reason\":\"cancelled\"");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_was_submitted_after_the_command_is_another_one)
{
	struct worker *w = worker_begin();

	worker_cancel(w, "t1");
	STEPS(w, "job", ",\"submitted_at\":\"2120-01-01T00:00:00+00:00\"",
	      "done=1");
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_recovered_task_is_cancelled_once_it_is_known_not_to_be_over)
{
	struct worker *w = worker_begin();

	w->store.hold_gets = true;
	worker_recover(w, "job", "[\"done=1\"]", "");
	worker_cancel(w, "t1");
	w->store.hold_gets = false;
	WAIT_FOR(w, "ack");
	ck_journal(w, "failed; ack; ");
	worker_end(w);
}
END_TEST

SUITE("dispatch-timeout")
{
	TEST(a_task_without_a_timeout_has_no_timer);
	TEST(a_timeout_counts_from_the_assignment_until_there_is_a_start);
	TEST(a_handler_that_does_not_end_in_time_is_killed);
	TEST(a_handler_that_was_killed_may_be_tried_again);
	TEST(a_timer_ends_with_its_job);
	TEST(a_timer_that_comes_when_the_job_has_ended_kills_nothing);
	TEST(a_timeout_during_a_stop_is_not_the_fault_of_the_stop);
	TEST(a_held_job_that_is_cancelled_ends_at_once);
	TEST(a_running_handler_that_is_cancelled_is_told_to_end);
	TEST(a_handler_that_does_not_hear_that_it_was_cancelled_is_killed);
	TEST(a_task_that_succeeds_after_it_was_cancelled_has_succeeded);
	TEST(a_cancelled_task_that_crashes_is_not_tried_again);
	TEST(a_retry_that_is_being_stored_is_given_up_when_it_is_cancelled);
	TEST(a_success_that_is_being_stored_stays_one);
	TEST(a_task_that_is_on_its_way_back_is_cancelled_when_it_comes_again);
	TEST(a_task_that_was_submitted_after_the_command_is_another_one);
	TEST(a_recovered_task_is_cancelled_once_it_is_known_not_to_be_over);
}
