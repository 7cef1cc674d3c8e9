/* SPDX-License-Identifier: MIT */
/* Records in passing and at the end, and the claims that wait for them. */
#include "dispatch/worker.h"
#include "suite.h"

/* --- in passing -------------------------------------------------------- */

START_TEST(a_running_record_may_be_lost_and_has_no_end)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"current_retry\":1,\"max_retries\":2", "started");
	WAIT_FOR(w, "running");
	ck_assert(w->store.last_put.lossy && !w->store.last_put.final);
	ck_record(w, "\"attempts\":2");
	ck_record(w, "\"finished_at\":null");
	worker_end(w);
}
END_TEST

START_TEST(progress_goes_into_the_record)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "started", "progress={\"part\":1}",
	      "progress={\"part\":2}", "progress={");
	FAKE_WAIT(&w->store, w->store.last_record.data != NULL &&
				 strstr(w->store.last_record.data,
					"\"progress\":{\"part\":2}") != NULL);
	worker_end(w);
}
END_TEST

START_TEST(one_record_at_a_time_is_under_way_and_then_the_latest)
{
	struct worker *w = worker_begin();
	struct job *job;

	w->store.hold_lossy = true;
	STEPS(w, "job", "", "started", "progress=1", "progress=2",
	      "progress=3");
	job = worker_job(w);
	FAKE_WAIT(&w->store,
		  job->progress.len == 1 && job->progress.data[0] == '3');
	ck_journal(w, "running; ");
	ck_not_in(w->store.last_record, "\"progress\"");
	w->store.hold_lossy = false;
	FAKE_WAIT(&w->store, worker_count(w, "running; ") == 2);
	ck_record(w, "\"progress\":3");
	worker_end(w);
}
END_TEST

START_TEST(the_end_is_not_recorded_before_the_record_in_passing_is_there)
{
	struct worker *w = worker_begin();

	w->store.hold_lossy = true;
	STEPS(w, "job", "", "started", "done=1");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_STORING);
	ck_journal(w, "running; ");
	w->store.hold_lossy = false;
	WAIT_FOR(w, "ack");
	ck_journal(w, "running; success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_claim_is_not_released_before_the_record_in_passing_is_there)
{
	struct worker *w = worker_begin();

	w->store.hold_lossy = true;
	ENDLESS(w);
	WAIT_FOR(w, "running");
	dispatch_stop(w->dispatch);
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_STORING);
	ck_journal(w, "running; ");
	w->store.hold_lossy = false;
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; pending; release; deregister; ");
	/* A reader sees a task that waits, and no worker. */
	ck_record(w, "\"status\":\"pending\"");
	ck_record(w, "\"started_at\":null");
	ck_not_in(w->store.last_record, "test:main");
	worker_end(w);
}
END_TEST

START_TEST(a_worker_that_stops_waits_for_no_record_that_cannot_come)
{
	struct worker *w = worker_begin();

	w->store.hold_lossy = true;
	ENDLESS(w);
	WAIT_FOR(w, "running");
	fake_results_refuse(&w->store);
	dispatch_stop(w->dispatch);
	FAKE_WAIT(&w->store, w->stopped);
	ck_journal(w, "running; ");
	worker_end(w);
}
END_TEST

/* --- at the end -------------------------------------------------------- */

START_TEST(a_retry_is_not_put_back_before_its_record_is_stored)
{
	struct worker *w = worker_begin();

	w->store.hold_records = true;
	STEPS(w, "job", ",\"max_retries\":1", "failed=oh");
	WAIT_FOR(w, "retrying");
	worker_settle(w);
	ck_journal(w, "retrying; ");
	w->store.hold_records = false;
	WAIT_FOR(w, "retry; ");
	worker_end(w);
}
END_TEST

START_TEST(jobs_wait_for_their_stores_each_for_itself)
{
	struct worker *w = worker_begin();

	w->store.hold_claims = true;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "ack");
	STEPS(w, "job", ",\"max_retries\":0", "failed=oh");
	WAIT_FOR(w, "dead");
	ck_assert_uint_eq(w->dispatch->n_jobs, 2);
	w->store.hold_claims = false;
	FAKE_WAIT(&w->store, w->dispatch->n_jobs == 0);
	ck_journal(w, "success; ack; failed; dead; ");
	worker_end(w);
}
END_TEST

START_TEST(work_goes_on_while_both_stores_are_out_of_reach)
{
	struct worker *w = worker_begin();

	w->store.hold_records = w->store.hold_claims = true;
	STEPS(w, "job", "", "started", "deaf", "queued");
	WAIT_FOR(w, "running");
	fake_store_reach(&w->store, false);
	dispatch_turn(w->dispatch);
	worker_settle(w);
	ck_assert_int_eq(worker_job(w)->state, JOB_RUNNING);
	fake_store_reach(&w->store, true);
	w->store.hold_records = w->store.hold_claims = false;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "ack");
	worker_end(w);
}
END_TEST

START_TEST(a_record_of_a_task_without_a_time_has_that_of_its_claim)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "ack");
	ck_not_in(w->store.last_record, "\"submitted_at\":null");
	STEPS(w, "job", ",\"submitted_at\":\"2026-01-02T03:04:05+00:00\"",
	      "done=1");
	FAKE_WAIT(&w->store, worker_count(w, "ack") == 2);
	ck_record(w, "\"submitted_at\":\"2026-01-02T03:04:05");
	worker_end(w);
}
END_TEST

/* --- what the log says ------------------------------------------------- */

START_TEST(a_store_that_goes_and_comes_is_logged_once_each)
{
	struct worker *w = worker_begin();
	const char *log;

	worker_log_begin();
	fake_store_reach(&w->store, false);
	fake_store_reach(&w->store, false);
	log =
	    strstr(worker_log(), "broker: the fake is out of reach; retrying");
	ck_assert_ptr_nonnull(log);
	ck_assert_ptr_null(strstr(log + 1, "broker:"));
	fake_store_reach(&w->store, true);
	fake_store_reach(&w->store, true);
	log = strstr(worker_log(), "broker fake is reachable");
	ck_assert_ptr_nonnull(log);
	ck_assert_ptr_null(strstr(log + 1, "broker fake"));
	worker_end(w);
}
END_TEST

START_TEST(the_same_trouble_with_a_store_is_logged_once_a_minute)
{
	struct worker *w = worker_begin();
	struct err why;

	worker_log_begin();
	err_set(&why, ERR_SYSTEM, "it may forget");
	w->store.broker.on_state(true, false, &why, w->store.broker.arg);
	w->store.broker.on_state(true, false, &why, w->store.broker.arg);
	ck_assert_ptr_null(
	    strstr(strstr(worker_log(), "it may forget") + 1, "it may"));
	w->dispatch->broker_state.told_ms -= 60000;
	w->store.broker.on_state(true, false, &why, w->store.broker.arg);
	ck_assert_ptr_nonnull(
	    strstr(strstr(worker_log(), "it may forget") + 1, "it may"));
	err_set(&why, ERR_SYSTEM, "something else");
	w->store.broker.on_state(true, false, &why, w->store.broker.arg);
	ck_assert_ptr_nonnull(strstr(worker_log(), "broker: something else"));
	worker_end(w);
}
END_TEST

START_TEST(handlers_log_and_print_in_the_name_of_their_task)
{
	struct worker *w = worker_begin();

	worker_log_begin();
	STEPS(w, "job", "", "started", "log=1:it smells", "print=hello");
	FAKE_WAIT(&w->store, strstr(worker_log(), "hello") != NULL);
	ck_assert_ptr_nonnull(strstr(worker_log(), "task t1 (job): it smells"));
	ck_assert_ptr_nonnull(
	    strstr(worker_log(), "task t1 (job) prints: hello"));
	worker_end(w);
}
END_TEST

START_TEST(what_an_attempt_printed_is_in_its_final_record)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":0", "started", "log=1:it smells",
	      "print=of burning", "complain=fire", "failed=burnt");
	WAIT_FOR(w, "dead");
	ck_record(w, "\"error\":\"burnt\"");
	ck_record(w, "it smells\\n");
	ck_record(w, "of burning\\n");
	ck_in(w->store.last_info, "\"output\":\"");
	ck_in(w->store.last_info, "fire\\n");
	worker_end(w);
}
END_TEST

START_TEST(what_an_attempt_printed_goes_with_the_task_that_is_retried)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"max_retries\":1", "started", "print=first",
	      "failed=oh");
	WAIT_FOR(w, "retry; ");
	ck_in(w->store.last_retry, "\"output\":\"first\\n\"");
	ck_record(w, "\"output\":\"first\\n\"");
	worker_end(w);
}
END_TEST

/* The task itself is gone then. */
START_TEST(a_success_keeps_the_attempts_before_it)
{
	struct worker *w = worker_begin();

	STEPS(w, "job",
	      ",\"current_retry\":1,\"max_retries\":2,\"history\":[{"
	      "\"attempt\":1,\"error\":\"oh\"}]",
	      "started", "done=1");
	WAIT_FOR(w, "ack");
	ck_record(w, "\"status\":\"success\"");
	ck_record(w, "\"history\":[{\"attempt\":1,\"error\":\"oh\"}]");
	worker_end(w);
}
END_TEST

/* Lines beyond are dropped by whole lines, the first ones first. */
START_TEST(of_much_that_is_printed_the_end_is_kept)
{
	struct worker *w = worker_begin();
	struct job *job;
	char line[64];
	int i;

	STEPS(w, "job", "", "started");
	WAIT_FOR(w, "running");
	job = worker_job(w);
	for (i = 0; i < 1000; i++) {
		snprintf(line, sizeof(line), "line %d of a thousand", i);
		job_print(job, slice_of(line));
		ck_assert_uint_le(job->output.len, 2 * HISTORY_TEXT_MAX + 64);
	}
	worker_cancel(w, "t1");
	WAIT_FOR(w, "failed; ");
	ck_record(w, "line 999 of a thousand\\n\"");
	ck_not_in(w->store.last_record, "line 800 ");
	worker_end(w);
}
END_TEST

/* As much as every worker takes beside the limit, but not less than that. */
static const int near_limit[] = {7000, 11000};

START_TEST(a_task_near_its_limit_does_not_grow_by_what_it_prints)
{
	struct worker *w = worker_begin_with("worker.max_task_size=14000");
	const char *steps[] = {"started", NULL, "failed=oh", NULL};
	char *more = malloc(14000);
	char text[2100] = "print=";

	memset(text + 6, 'x', 2000);
	steps[1] = text;
	snprintf(more, 14000, ",\"max_retries\":1,\"pad\":\"%0*d\"",
		 near_limit[_i], 0);
	worker_steps(w, "job", more, steps);
	WAIT_FOR(w, "retry; ");
	ck_in(w->store.last_retry, "\"output\":\"x");
	ck_assert_uint_le(w->store.last_retry.len, 14000 + TASK_AGAIN_MAX);
	free(more);
	worker_end(w);
}
END_TEST

/* It had not begun, and its executor ended: what it printed there is not of the
 * attempt that ends. */
START_TEST(what_was_printed_before_another_start_is_not_in_the_record)
{
	struct worker *w = worker_begin();
	const char *found;

	STEPS(w, "job", ",\"max_retries\":0", "print=once", "queued");
	FAKE_WAIT(&w->store, worker_job(w)->output.len > 0);
	STEPS(w, "job", ",\"max_retries\":0", "started", "words=6:-1",
	      "exit=1");
	WAIT_FOR(w, "dead");
	FAKE_WAIT(&w->store, w->dispatch->n_jobs == 1 &&
				 worker_job(w)->state == JOB_RUNNING &&
				 worker_job(w)->output.len > 0);
	worker_cancel(w, "t1");
	FAKE_WAIT(&w->store, worker_count(w, "failed; ") == 2);
	found = strstr(w->store.last_record.data, "once\\n");
	ck_assert_ptr_nonnull(found);
	ck_assert_ptr_null(strstr(found + 1, "once"));
	worker_end(w);
}
END_TEST

SUITE("dispatch-record")
{
	TEST(a_running_record_may_be_lost_and_has_no_end);
	TEST(progress_goes_into_the_record);
	TEST(one_record_at_a_time_is_under_way_and_then_the_latest);
	TEST(the_end_is_not_recorded_before_the_record_in_passing_is_there);
	TEST(a_claim_is_not_released_before_the_record_in_passing_is_there);
	TEST(a_worker_that_stops_waits_for_no_record_that_cannot_come);
	TEST(a_retry_is_not_put_back_before_its_record_is_stored);
	TEST(jobs_wait_for_their_stores_each_for_itself);
	TEST(work_goes_on_while_both_stores_are_out_of_reach);
	TEST(a_record_of_a_task_without_a_time_has_that_of_its_claim);
	TEST(a_store_that_goes_and_comes_is_logged_once_each);
	TEST(the_same_trouble_with_a_store_is_logged_once_a_minute);
	TEST(handlers_log_and_print_in_the_name_of_their_task);
	TEST(what_an_attempt_printed_is_in_its_final_record);
	TEST(what_an_attempt_printed_goes_with_the_task_that_is_retried);
	TEST(a_success_keeps_the_attempts_before_it);
	TEST(of_much_that_is_printed_the_end_is_kept);
	TEST_LOOP(a_task_near_its_limit_does_not_grow_by_what_it_prints, 0, 2);
	TEST(what_was_printed_before_another_start_is_not_in_the_record);
}
