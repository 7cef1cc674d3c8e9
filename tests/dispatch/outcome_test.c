/* SPDX-License-Identifier: MIT */
/* What follows from how an attempt ended. */
#include "dispatch/worker.h"
#include "suite.h"

/* --- success ----------------------------------------------------------- */

START_TEST(a_success_is_recorded_with_the_life_of_a_final_record)
{
	struct worker *w = worker_begin_with("backend.ttl=90.5");
	const struct results_put *put = &w->store.last_put;

	STEPS(w, "job", ",\"reply_to\":\"here\"", "started", "done={\"n\":3}");
	WAIT_FOR(w, "ack");
	ck_journal(w, "running; success; ack; ");
	ck_assert(put->final && !put->failed && !put->lossy);
	ck_assert_int_eq(put->ttl_s, 91);
	ck_assert_uint_eq(put->reply_to.len, 4);
	ck_record(w, "\"result\":{\"n\":3}");
	ck_record(w, "\"worker\":\"test:main\"");
	ck_record(w, "\"queue\":\"io\"");
	ck_record(w, "\"attempts\":1");
	worker_end(w);
}
END_TEST

START_TEST(a_result_that_is_not_json_is_a_failure_for_good)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":5", "done={");
	WAIT_FOR(w, "dead");
	ck_journal(w, "failed; dead; ");
	ck_record(w, "not valid JSON");
	worker_end(w);
}
END_TEST

START_TEST(an_async_job_and_a_cpu_bound_one_succeed_as_others_do)
{
	struct worker *w = worker_begin();

	STEPS(w, "async", "", "done=1");
	WAIT_FOR(w, "ack");
	STEPS(w, "cpu", "", "done=2");
	FAKE_WAIT(&w->store, worker_count(w, "ack") == 2);
	ck_record(w, "\"result\":2");
	worker_end(w);
}
END_TEST

/* What an executor says of times may be anything. */
START_TEST(times_that_no_clock_has_end_a_task_as_others_do)
{
	struct worker *w = worker_begin_with("worker.log_level=debug");

	STEPS(w, "job", "", "lied=1");
	WAIT_FOR(w, "ack");
	STEPS(w, "job", ",\"max_retries\":1", "started", "lied=false");
	WAIT_FOR(w, "retry");
	/* Of a task that says it was due at a time that none can be. */
	STEPS(w, "job", ",\"due_ms\":9223372036854775807", "lied=2");
	FAKE_WAIT(&w->store, worker_count(w, "ack") == 2);
	ck_record(w, "\"result\":2");
	ck_assert(tally_send(w->dispatch->tally));
	worker_settle(w);
	worker_end(w);
}
END_TEST

/* --- failures ---------------------------------------------------------- */

START_TEST(a_failure_is_tried_again_after_the_delay_of_its_task)
{
	struct worker *w = worker_begin();

	STEPS(w, "job",
	      ",\"max_retries\":3,\"retry_delay\":1.5,\"retry_backoff\":2,"
	      "\"current_retry\":1",
	      "failed=oh");
	WAIT_FOR(w, "retry; ");
	ck_journal(w, "retrying; retry; ");
	ck_assert_int_eq(w->store.last_settle.delay_ms, 3000);
	ck_in(w->store.last_retry, "\"current_retry\":2");
	ck_in(w->store.last_retry, "\"error\":\"oh\"");
	ck_record(w, "\"retries\":2");
	ck_assert(w->store.last_put.lossy && !w->store.last_put.final);
	ck_assert_int_eq(w->dispatch->totals.retried, 1);
	worker_end(w);
}
END_TEST

/* Else the store would recall it, as one that waits for a worker that knows it. */
START_TEST(a_failure_of_a_task_that_was_unknown_before_says_no_more_of_that)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":3,\"unknown\":5,\"unknown_since\":77",
	      "failed=oh");
	WAIT_FOR(w, "retry; ");
	ck_in(w->store.last_retry, "\"unknown\":0,\"unknown_since\":0");
	worker_end(w);
}
END_TEST

START_TEST(chance_shortens_a_delay_by_no_more_than_the_jitter_allows)
{
	struct worker *w = worker_begin();
	int64_t delay_ms;

	STEPS(w, "job",
	      ",\"max_retries\":1,\"retry_delay\":10,\"retry_jitter\":0.5",
	      "failed=oh");
	WAIT_FOR(w, "retry; ");
	delay_ms = w->store.last_settle.delay_ms;
	ck_assert_int_ge(delay_ms, 5000);
	ck_assert_int_le(delay_ms, 10000);
	worker_end(w);
}
END_TEST

START_TEST(the_configuration_says_how_often_a_task_is_tried_that_does_not)
{
	struct worker *w = worker_begin_with("executor.max_retries=0");

	STEPS(w, "job", "", "failed=oh");
	WAIT_FOR(w, "dead");
	worker_end(w);
}
END_TEST

START_TEST(the_last_failure_goes_to_the_dead_list_with_its_history)
{
	struct worker *w = worker_begin();

	STEPS(w, "job",
	      ",\"max_retries\":1,\"current_retry\":1,\"history\":["
	      "{\"attempt\":1,\"started_at\":null,\"finished_at\":"
	      "\"2026-11-23T11:53:08.846827+00:00\",\"worker\":\"w\","
	      "\"reason\":\"failed\",\"error\":\"first\"}]",
	      "failed=second");
	WAIT_FOR(w, "dead");
	ck_journal(w, "failed; dead; ");
	ck_assert(w->store.last_put.final && w->store.last_put.failed);
	ck_in(w->store.last_info, "\"attempts\":2");
	ck_in(w->store.last_info, "\"task_name\":\"job\"");
	ck_in(w->store.last_info, "\"error\":\"first\"");
	ck_in(w->store.last_info, "\"attempt\":2");
	ck_assert_int_eq(w->dispatch->totals.failed, 1);
	worker_end(w);
}
END_TEST

START_TEST(a_failure_that_its_handler_calls_final_is_not_tried_again)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":5", "final=never");
	WAIT_FOR(w, "dead");
	ck_journal(w, "failed; dead; ");
	ck_in(w->store.last_info, "\"reason\":\"failed\"");
	ck_in(w->store.last_info, "\"attempts\":1");
	worker_end(w);
}
END_TEST

START_TEST(a_timeout_is_tried_again_and_has_a_reason_of_its_own)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":1", "limited=too long");
	WAIT_FOR(w, "retry; ");
	ck_record(w, "\"reason\":\"timeout\"");
	worker_end(w);
}
END_TEST

/* --- crashes ----------------------------------------------------------- */

START_TEST(a_crash_is_tried_again_at_once)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":3,\"retry_delay\":60,\"suspected\":1",
	      "started", "kill=9");
	WAIT_FOR(w, "retry; ");
	ck_assert_int_eq(w->store.last_settle.delay_ms, 0);
	ck_in(w->store.last_retry, "\"crashes\":1");
	ck_record(w, "killed by SIGKILL");
	ck_record(w, "\"reason\":\"crashed\"");
	ck_assert_int_eq(w->dispatch->totals.crashed, 1);
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_crashes_too_often_goes_to_the_dead_list)
{
	struct worker *w = worker_begin_with("executor.max_crashes=2");

	STEPS(w, "job", ",\"max_retries\":100,\"crashes\":1", "kill=9");
	WAIT_FOR(w, "dead");
	ck_in(w->store.last_info, "\"reason\":\"crashed\"");
	ck_assert_int_eq(w->dispatch->totals.failed, 1);
	worker_end(w);
}
END_TEST

START_TEST(a_crash_that_came_before_the_start_was_told_has_a_start)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":0,\"suspected\":1", "exit=4");
	WAIT_FOR(w, "dead");
	ck_record(w, "exit status 4");
	ck_not_in(w->store.last_record, "\"started_at\":null");
	worker_end(w);
}
END_TEST

START_TEST(the_last_words_of_a_handler_name_its_call_of_exit)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":0", "started", "words=0:3", "exit=3");
	WAIT_FOR(w, "dead");
	ck_record(w, "it called exit(3)");
	worker_end(w);
}
END_TEST

START_TEST(the_last_words_of_a_handler_name_its_signal)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":0", "started", "words=11:-1",
	      "exit=1");
	WAIT_FOR(w, "dead");
	ck_record(w, "SIGSEGV");
	worker_end(w);
}
END_TEST

START_TEST(those_that_ran_with_an_unknown_culprit_run_alone_the_next_time)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":0", "started");
	STEPS(w, "job", ",\"max_retries\":0", "started", "kill=9");
	FAKE_WAIT(&w->store, worker_count(w, "retry; ") == 2);
	ck_in(w->store.last_retry, "\"suspected\":1");
	ck_in(w->store.last_retry, "\"current_retry\":0");
	ck_assert_int_eq(w->store.last_settle.delay_ms, 0);
	/* No attempt has ended. */
	ck_assert_uint_eq(worker_count(w, "failed"), 0);
	ck_assert_int_eq(w->dispatch->totals.crashed, 0);
	worker_end(w);
}
END_TEST

/* However often that was: only its own crash is held against it. */
START_TEST(a_task_that_was_suspected_often_runs_alone_and_is_not_charged)
{
	struct worker *w = worker_begin();

	STEPS(w, "async", ",\"max_retries\":0,\"suspected\":100", "ran=0",
	      "done=1");
	STEPS(w, "async", "", "started", "kill=9");
	WAIT_FOR(w, "ack");
	WAIT_FOR(w, "retry; ");
	ck_assert_uint_eq(worker_count(w, "dead"), 0);
	worker_end(w);
}
END_TEST

/* It had begun three times for the sake of others: from then on it is alone. */
START_TEST(a_job_that_others_disturb_again_and_again_runs_alone)
{
	struct worker *w = worker_begin();
	unsigned int i;

	STEPS(w, "job", "", "started");
	FAKE_WAIT(&w->store, w->dispatch->jobs[0]->run.started);
	for (i = 1; i <= 2; i++) {
		STEPS(w, "job", ",\"max_retries\":0", "started", "words=11:0",
		      "kill=11");
		FAKE_WAIT(&w->store,
			  w->dispatch->jobs[0]->disturbed == i &&
			      w->dispatch->jobs[0]->run.started &&
			      w->dispatch->jobs[0]->state == JOB_RUNNING);
	}
	ck_assert_int_eq(w->dispatch->jobs[0]->run.kind, POOL_ALONE);
	worker_end(w);
}
END_TEST

START_TEST(a_suspect_that_a_person_cancelled_is_not_tried_again)
{
	struct worker *w = worker_begin_with("executor.kill_grace=60");

	STEPS(w, "job", "", "started", "deaf");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "running"));
	worker_cancel(w, "t1");
	STEPS(w, "job", "", "started", "kill=9");
	FAKE_WAIT(&w->store, fake_store_saw(&w->store, "ack"));
	ck_assert_uint_eq(worker_count(w, "failed; "), 1);
	WAIT_FOR(w, "retry; ");
	worker_end(w);
}
END_TEST

START_TEST(a_job_that_another_one_took_down_goes_on_uncounted)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":0", "queued");
	STEPS(w, "job", ",\"max_retries\":0", "started", "words=6:-1",
	      "exit=1");
	WAIT_FOR(w, "dead");
	ck_record(w, "SIGABRT");
	/* The first is with the next executor, as if nothing had been. */
	FAKE_WAIT(&w->store, w->dispatch->n_jobs == 1 &&
				 worker_job(w)->state == JOB_RUNNING);
	ck_assert_uint_eq(worker_count(w, "retry; "), 0);
	worker_end(w);
}
END_TEST

/* --- who is told ------------------------------------------------------- */

START_TEST(each_record_is_published_while_somebody_listens)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "started", "done=1");
	WAIT_FOR(w, "ack");
	ck_assert_uint_eq(w->store.events, 0);
	w->store.heard = 1u << RESULTS_WHOLE;
	STEPS(w, "job", "", "started", "done=1");
	FAKE_WAIT(&w->store, worker_count(w, "ack") == 2);
	ck_assert_uint_eq(w->store.events, 2);
	ck_in(w->store.last_event, "\"type\":\"task.update\"");
	ck_in(w->store.last_event, "\"status\":\"success\"");
	ck_in(w->store.last_event, "\"result\":1");
	worker_end(w);
}
END_TEST

START_TEST(who_listens_to_brief_events_is_told_no_more_than_that)
{
	struct worker *w = worker_begin();

	w->store.heard = 1u << RESULTS_BRIEF;
	STEPS(w, "job", "", "started", "done=1");
	WAIT_FOR(w, "ack");
	ck_assert_uint_gt(w->store.events, 0);
	ck_assert_int_eq(w->store.last_detail, RESULTS_BRIEF);
	ck_in(w->store.last_event, "{\"type\":\"task.update\",\"task\":"
				   "{\"task_id\":\"t1\",\"status\":"
				   "\"success\",\"task_name\":\"job\"");
	ck_in(w->store.last_event, "\"queue\":\"io\"");
	ck_in(w->store.last_event, "\"worker\":\"test:main\"");
	ck_not_in(w->store.last_event, "result");
	ck_not_in(w->store.last_event, "args");
	worker_end(w);
}
END_TEST

static void
order(struct worker *w, const char *text)
{
	w->store.broker.on_control(slice_of(text), w->store.broker.arg);
}

START_TEST(a_worker_answers_who_begins_to_listen)
{
	struct worker *w = worker_begin();

	order(w, "{\"order\":\"hear\",\"id\":\"x1\"}");
	ck_assert_uint_eq(w->store.heard, 1u << RESULTS_BRIEF);
	ck_assert_int_eq(w->store.last_detail, RESULTS_BRIEF);
	ck_assert_str_eq(w->store.last_event.data,
			 "{\"type\":\"worker.hears\",\"id\":\"x1\","
			 "\"worker\":\"test:main\"}");
	order(w, "{\"order\":\"hear_whole\",\"id\":\"x2\"}");
	ck_assert_int_eq(w->store.last_detail, RESULTS_WHOLE);
	ck_in(w->store.last_event, "\"x2\"");
	/* Not a name: it is not repeated to all who listen. */
	order(w, "{\"order\":\"hear\",\"id\":\"a b\"}");
	ck_assert_uint_eq(w->store.events, 2);
	worker_end(w);
}
END_TEST

SUITE("dispatch-outcome")
{
	TEST(a_success_is_recorded_with_the_life_of_a_final_record);
	TEST(times_that_no_clock_has_end_a_task_as_others_do);
	TEST(a_result_that_is_not_json_is_a_failure_for_good);
	TEST(an_async_job_and_a_cpu_bound_one_succeed_as_others_do);
	TEST(a_failure_is_tried_again_after_the_delay_of_its_task);
	TEST(a_failure_of_a_task_that_was_unknown_before_says_no_more_of_that);
	TEST(chance_shortens_a_delay_by_no_more_than_the_jitter_allows);
	TEST(the_configuration_says_how_often_a_task_is_tried_that_does_not);
	TEST(the_last_failure_goes_to_the_dead_list_with_its_history);
	TEST(a_failure_that_its_handler_calls_final_is_not_tried_again);
	TEST(a_timeout_is_tried_again_and_has_a_reason_of_its_own);
	TEST(a_crash_is_tried_again_at_once);
	TEST(a_task_that_crashes_too_often_goes_to_the_dead_list);
	TEST(a_crash_that_came_before_the_start_was_told_has_a_start);
	TEST(the_last_words_of_a_handler_name_its_call_of_exit);
	TEST(the_last_words_of_a_handler_name_its_signal);
	TEST(those_that_ran_with_an_unknown_culprit_run_alone_the_next_time);
	TEST(a_task_that_was_suspected_often_runs_alone_and_is_not_charged);
	TEST(a_job_that_others_disturb_again_and_again_runs_alone);
	TEST(a_suspect_that_a_person_cancelled_is_not_tried_again);
	TEST(a_job_that_another_one_took_down_goes_on_uncounted);
	TEST(each_record_is_published_while_somebody_listens);
	TEST(who_listens_to_brief_events_is_told_no_more_than_that);
	TEST(a_worker_answers_who_begins_to_listen);
}
