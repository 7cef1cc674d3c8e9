/* SPDX-License-Identifier: MIT */
/* Claims that are another worker's by now, or may be. */
#include "dispatch/worker.h"
#include "suite.h"

/* The broker is sure again of all that is left. */
static void
trust(struct worker *w)
{
	w->store.unsure = false;
	w->store.broker.on_kept(NULL, w->store.broker.arg);
}

START_TEST(a_task_that_runs_for_another_is_told_to_end_and_forgotten)
{
	struct worker *w = worker_begin();

	ENDLESS(w);
	WAIT_FOR(w, "running");
	fake_store_lose(&w->store, 0);
	WAIT_FOR(w, "drop");
	/* Nothing was stored, settled or counted. */
	ck_journal(w, "running; drop; ");
	ck_assert_uint_eq(w->dispatch->n_jobs, 0);
	ck_assert_int_eq(w->dispatch->totals.failed, 0);
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_does_not_end_is_killed_and_forgotten)
{
	struct worker *w = worker_begin_real();

	worker_claim(w, "loop", "[]", "");
	WAIT_FOR(w, "running");
	fake_store_lose(&w->store, 0);
	worker_due(w, worker_job(w)->kill_timer);
	WAIT_FOR(w, "drop");
	ck_journal(w, "running; drop; ");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_waits_for_an_executor_is_forgotten_at_once)
{
	struct worker *w = worker_begin();

	w->store.unsure = true;
	STEPS(w, "job", "", "done=1");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_HELD);
	fake_store_lose(&w->store, 0);
	ck_journal(w, "drop; ");
	ck_assert_uint_eq(w->dispatch->n_jobs, 0);
	worker_end(w);
}
END_TEST

START_TEST(a_task_whose_record_is_on_its_way_is_forgotten_after_it)
{
	struct worker *w = worker_begin();

	w->store.hold_records = true;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "success");
	fake_store_lose(&w->store, 0);
	worker_settle(w);
	ck_journal(w, "success; ");
	w->store.hold_records = false;
	WAIT_FOR(w, "drop");
	ck_journal(w, "success; drop; ");
	worker_end(w);
}
END_TEST

/* In a store of its own, nothing else would keep its record out. */
START_TEST(a_lost_task_whose_record_waits_for_a_note_stores_nothing)
{
	struct worker *w = worker_begin_with("backend.url=redis://other");

	w->store.hold_lossy = true;
	ENDLESS(w);
	WAIT_FOR(w, "running");
	worker_cancel(w, "t1");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_STORING);
	fake_store_lose(&w->store, 0);
	w->store.hold_lossy = false;
	WAIT_FOR(w, "drop");
	ck_journal(w, "running; drop; ");
	worker_end(w);
}
END_TEST

START_TEST(a_lost_task_that_no_module_handles_is_forgotten)
{
	struct worker *w = worker_begin_real();

	w->store.served = "unknown";
	w->store.hold_values = true;
	worker_claim(w, "elsewhere", "[]", ",\"unknown\":295");
	WAIT_FOR(w, "served?");
	fake_store_lose(&w->store, 0);
	w->store.hold_values = false;
	WAIT_FOR(w, "drop");
	ck_journal(w, "served?; drop; ");
	worker_end(w);
}
END_TEST

/* It was taken over, and has come back to this worker. */
START_TEST(a_cancellation_is_for_the_task_that_is_ours)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "started", "deaf");
	WAIT_FOR(w, "running");
	fake_store_lose(&w->store, 0);
	w->tasks = 0;
	STEPS(w, "job", "", "started");
	FAKE_WAIT(&w->store, worker_count(w, "running; ") == 2);
	worker_cancel(w, "t1");
	WAIT_FOR(w, "failed; ");
	ck_record(w, "cancelled");
	worker_end(w);
}
END_TEST

START_TEST(a_lost_task_that_begins_late_is_killed_all_the_same)
{
	struct worker *w = worker_begin_with("executor.kill_grace=20");
	struct timeval due, later;

	STEPS(w, "job", ",\"timeout\":100", "started");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_RUNNING);
	fake_store_lose(&w->store, 0);
	ck_assert(evtimer_pending(worker_job(w)->kill_timer, &due));
	run_events.on_started(&worker_job(w)->run, 1, w->dispatch);
	run_events.on_started(&worker_job(w)->run, 2, w->dispatch);
	ck_assert_ptr_nonnull(worker_job(w)->kill_timer);
	ck_assert(evtimer_pending(worker_job(w)->kill_timer, &later));
	ck_assert_int_le(later.tv_sec, due.tv_sec);
	worker_end(w);
}
END_TEST

START_TEST(a_recovered_task_is_forgotten_when_the_backend_answers)
{
	struct worker *w = worker_begin();

	w->store.hold_gets = true;
	worker_recover(w, "add", "[1,2]", "");
	FAKE_WAIT(&w->store, fake_store_unanswered(&w->store) == 1);
	fake_store_lose(&w->store, 0);
	ck_journal(w, "");
	w->store.hold_gets = false;
	WAIT_FOR(w, "drop");
	ck_journal(w, "drop; ");
	worker_end(w);
}
END_TEST

/* --- doubts ---------------------------------------------------------------- */

START_TEST(nothing_is_started_while_the_claims_are_in_doubt)
{
	struct worker *w = worker_begin();

	w->store.unsure = true;
	STEPS(w, "job", "", "done=1");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_HELD);
	worker_settle(w);
	ck_assert_int_eq(worker_job(w)->state, JOB_HELD);
	trust(w);
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_record_that_was_fenced_is_stored_if_the_claim_is_ours)
{
	struct worker *w = worker_begin();

	w->store.answer = RESULTS_FENCED;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "doubt");
	worker_settle(w);
	ck_journal(w, "success; doubt; ");
	w->store.answer = RESULTS_STORED;
	w->store.broker.on_kept(w->store.doubted, w->store.broker.arg);
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; doubt; success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_record_that_was_fenced_is_dropped_if_the_claim_is_lost)
{
	struct worker *w = worker_begin();

	w->store.answer = RESULTS_FENCED;
	STEPS(w, "job", "", "final=oh");
	WAIT_FOR(w, "doubt");
	fake_store_lose(&w->store, 0);
	ck_journal(w, "failed; doubt; drop; ");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_has_ended_elsewhere_is_settled_all_the_same)
{
	struct worker *w = worker_begin();

	w->store.answer = RESULTS_ENDED;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

/* A backend of its own sees no claims. */
START_TEST(a_final_record_in_another_store_waits_for_the_broker_to_be_sure)
{
	struct worker *w = worker_begin_with("backend.url=redis://other");

	ENDLESS(w);
	WAIT_FOR(w, "running");
	w->store.unsure = true;
	worker_cancel(w, "t1");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_STORING);
	worker_settle(w);
	ck_journal(w, "running; ");
	trust(w);
	WAIT_FOR(w, "ack");
	ck_journal(w, "running; failed; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_record_that_waits_for_the_broker_is_stored_when_that_refuses)
{
	struct worker *w = worker_begin_with("backend.url=redis://other");

	ENDLESS(w);
	WAIT_FOR(w, "running");
	w->store.unsure = true;
	worker_cancel(w, "t1");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_STORING);
	fake_broker_refuse(&w->store);
	WAIT_FOR(w, "failed");
	FAKE_WAIT(&w->store, w->stopped);
	worker_end(w);
}
END_TEST

SUITE("dispatch-owner")
{
	TEST(a_task_that_runs_for_another_is_told_to_end_and_forgotten);
	TEST(a_task_that_does_not_end_is_killed_and_forgotten);
	TEST(a_task_that_waits_for_an_executor_is_forgotten_at_once);
	TEST(a_task_whose_record_is_on_its_way_is_forgotten_after_it);
	TEST(a_lost_task_whose_record_waits_for_a_note_stores_nothing);
	TEST(a_lost_task_that_no_module_handles_is_forgotten);
	TEST(a_cancellation_is_for_the_task_that_is_ours);
	TEST(a_lost_task_that_begins_late_is_killed_all_the_same);
	TEST(a_recovered_task_is_forgotten_when_the_backend_answers);
	TEST(nothing_is_started_while_the_claims_are_in_doubt);
	TEST(a_record_that_was_fenced_is_stored_if_the_claim_is_ours);
	TEST(a_record_that_was_fenced_is_dropped_if_the_claim_is_lost);
	TEST(a_task_that_has_ended_elsewhere_is_settled_all_the_same);
	TEST(a_final_record_in_another_store_waits_for_the_broker_to_be_sure);
	TEST(a_record_that_waits_for_the_broker_is_stored_when_that_refuses);
}
