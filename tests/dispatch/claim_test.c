/* SPDX-License-Identifier: MIT */
/* A claim becomes a job, or goes where it belongs. */
#include "dispatch/worker.h"
#include "suite.h"

/* A worker whose executor has not come up, and will not. */
static struct worker *
begin_without_executor(void)
{
	static const char *const silent[] = {"silent", NULL};
	struct worker *w =
	    worker_open(&(struct worker_setup){.modules = silent});

	fake_store_reach(&w->store, true);
	return w;
}

/* --- what does not run ------------------------------------------------- */

START_TEST(a_task_that_has_expired_does_not_run)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"expires_at\":\"2020-01-01T00:00:00+00:00\"",
	      "done=1");
	WAIT_FOR(w, "ack");
	ck_journal(w, "failed; ack; ");
	ck_record(w, "\"reason\":\"expired\"");
	ck_not_in(w->store.last_record, "\"attempts\"");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_expires_later_runs)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", ",\"expires_at\":\"2120-01-01T00:00:00+00:00\"",
	      "done=1");
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(bytes_that_are_not_a_task_keep_their_queue_in_the_dead_list)
{
	struct worker *w = worker_begin();

	fake_store_claim(&w->store, 1, "{\"id\":7}", false);
	WAIT_FOR(w, "dead");
	ck_in(w->store.last_info, "\"reason\":\"malformed\"");
	ck_in(w->store.last_info, "\"queue\":\"cpu\"");
	ck_in(w->store.last_info, "\"attempts\":0");
	ck_not_in(w->store.last_info, "task_name");
	ck_assert_uint_eq(w->store.last_settle.id.len, 0);
	worker_end(w);
}
END_TEST

/* --- where it runs ----------------------------------------------------- */

START_TEST(a_job_runs_where_its_handler_says)
{
	static const struct {
		const char *name;
		const char *more;
		enum pool_kind kind;
	} jobs[] = {{"job", "", POOL_THREAD},
		    {"job", ",\"crashes\":1", POOL_ALONE},
		    {"async", "", POOL_ASYNC},
		    {"cpu", "", POOL_CPU},
		    {"job", ",\"suspected\":1", POOL_ALONE},
		    {"async", ",\"suspected\":1", POOL_ALONE},
		    {"cpu", ",\"suspected\":1", POOL_CPU}};
	struct worker *w = worker_begin();

	STEPS(w, jobs[_i].name, jobs[_i].more, "started");
	FAKE_WAIT(&w->store, worker_job(w)->state == JOB_RUNNING);
	ck_assert_int_eq(worker_job(w)->run.kind, jobs[_i].kind);
	ck_assert_uint_eq(pool_running(w->dispatch->pool, jobs[_i].kind), 1);
	worker_end(w);
}
END_TEST

START_TEST(a_task_overrides_what_its_module_says)
{
	static const char *const modules[] = {
	    "ready={\"tasks\":[{\"name\":\"job\",\"queue\":\"io\","
	    "\"max_retries\":7,\"retry_delay\":4,\"timeout\":60}]}",
	    NULL};
	struct worker *w =
	    worker_open(&(struct worker_setup){.modules = modules});

	worker_up(w);
	STEPS(w, "job", ",\"retry_delay\":1,\"current_retry\":6", "failed=oh");
	WAIT_FOR(w, "retry; ");
	ck_assert_int_eq(w->store.last_settle.delay_ms, 1000);
	ck_in(w->store.last_retry, "\"current_retry\":7");
	worker_end(w);
}
END_TEST

/* --- tasks that were claimed before ------------------------------------ */

START_TEST(a_recovered_task_without_a_final_record_runs)
{
	struct worker *w = worker_begin();

	w->store.stored = "{\"task_id\":\"t1\",\"status\":\"running\"}";
	worker_recover(w, "job", "[\"done=1\"]", "");
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_recovered_task_whose_record_makes_no_sense_runs)
{
	struct worker *w = worker_begin();

	w->store.stored = "nonsense";
	worker_recover(w, "job", "[\"done=1\"]", "");
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_recovered_task_that_has_failed_only_moves_to_the_dead_list)
{
	struct worker *w = worker_begin();

	w->store.stored =
	    "{\"task_id\":\"t1\",\"status\":\"failed\",\"error\":\"boom\","
	    "\"reason\":\"crashed\",\"worker\":\"other\"}";
	worker_recover(w, "job", "[\"done=1\"]", "");
	WAIT_FOR(w, "dead");
	ck_journal(w, "dead; ");
	ck_in(w->store.last_info, "\"reason\":\"crashed\"");
	ck_in(w->store.last_info, "\"worker\":\"other\"");
	ck_in(w->store.last_info, "boom");
	worker_end(w);
}
END_TEST

START_TEST(a_recovered_task_that_failed_for_no_known_reason_has_failed)
{
	struct worker *w = worker_begin();

	w->store.stored = "{\"task_id\":\"t1\",\"status\":\"failed\"}";
	worker_recover(w, "job", "[\"done=1\"]", "");
	WAIT_FOR(w, "dead");
	ck_in(w->store.last_info, "\"reason\":\"failed\"");
	worker_end(w);
}
END_TEST

START_TEST(a_recovered_task_that_was_cancelled_is_only_acknowledged)
{
	struct worker *w = worker_begin();

	w->store.stored = "{\"task_id\":\"t1\",\"status\":\"failed\","
			  "\"reason\":\"cancelled\"}";
	worker_recover(w, "job", "[\"done=1\"]", "");
	WAIT_FOR(w, "ack");
	ck_journal(w, "ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_task_is_not_run_on_the_guess_that_it_had_not_ended)
{
	struct worker *w = worker_begin();

	w->store.hold_gets = true;
	worker_recover(w, "job", "[\"done=1\"]", "");
	worker_settle(w);
	ck_assert_int_eq(worker_job(w)->state, JOB_NEW);
	err_set(&w->store.get_err, ERR_UNAVAILABLE, "gone");
	w->store.hold_gets = false;
	FAKE_WAIT(&w->store, !TAILQ_EMPTY(&w->dispatch->unsure));
	ck_journal(w, "");
	ck_assert(evtimer_pending(w->dispatch->ask_again, NULL));
	/* It asks by itself, and at once when the backend is back. */
	w->store.get_err = (struct err){.code = ERR_NONE};
	worker_due(w, w->dispatch->ask_again);
	WAIT_FOR(w, "ack");
	worker_end(w);
}
END_TEST

START_TEST(a_backend_that_is_back_is_asked_about_recovered_tasks_at_once)
{
	struct worker *w = worker_begin();

	err_set(&w->store.get_err, ERR_UNAVAILABLE, "gone");
	worker_recover(w, "job", "[\"done=1\"]", "");
	FAKE_WAIT(&w->store, !TAILQ_EMPTY(&w->dispatch->unsure));
	w->store.get_err = (struct err){.code = ERR_NONE};
	fake_results_reach(&w->store, true);
	ck_assert(TAILQ_EMPTY(&w->dispatch->unsure));
	WAIT_FOR(w, "ack");
	worker_end(w);
}
END_TEST

/* A foreign producer has said it in the pending record only. */
START_TEST(when_a_foreign_task_was_submitted_its_record_tells)
{
	struct worker *w = worker_begin();

	w->store.stored = "{\"task_id\":\"t1\",\"status\":\"pending\","
			  "\"submitted_at\":\"2025-01-02T03:04:05.5\"}";
	worker_claim_foreign(w, "job", "[\"done=1\"]");
	WAIT_FOR(w, "ack");
	ck_record(w, "\"submitted_at\":\"2025-01-02T03:04:05.500000+00:00\"");
	/* Our own producers' tasks tell it themselves: nobody is asked, and
	 * nothing has to be answered. */
	w->store.hold_gets = true;
	worker_claim(w, "job", "[\"done=1\"]", "");
	FAKE_WAIT(&w->store, worker_count(w, "ack") == 2);
	worker_end(w);
}
END_TEST

/* The record of a task of another kind may be anything, and an old one may be
 * final: the task was pushed to be run. */
START_TEST(a_foreign_task_is_run_whatever_its_record_says)
{
	static const char *const records[] = {
	    NULL, "nonsense", "{\"task_id\":\"t1\",\"status\":\"odd\"}",
	    "{\"task_id\":\"t1\",\"status\":\"success\",\"result\":7}"};
	struct worker *w = worker_begin();
	unsigned int i;

	for (i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		w->store.stored = records[i];
		worker_claim_foreign(w, "job", "[\"done=1\"]");
		FAKE_WAIT(&w->store, worker_count(w, "ack") == i + 1);
		ck_not_in(w->store.last_record, "\"submitted_at\":null");
	}
	/* The backend is away: the task does not wait for it. */
	err_set(&w->store.get_err, ERR_UNAVAILABLE, "gone");
	worker_claim_foreign(w, "job", "[\"done=1\"]");
	FAKE_WAIT(&w->store, worker_count(w, "success") == i + 1);
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_comes_before_any_executor_waits)
{
	struct worker *w = begin_without_executor();

	worker_recover(w, "job", "[\"done=1\"]", "");
	FAKE_WAIT(&w->store, !TAILQ_EMPTY(&w->dispatch->unsure));
	ck_journal(w, "");
	/* And goes back if none comes before the worker stops. */
	dispatch_stop(w->dispatch);
	worker_due(w, w->dispatch->ask_again);
	WAIT_FOR(w, "release");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_comes_before_any_executor_runs_when_there_is_one)
{
	struct worker *w = worker_open(&(struct worker_setup){0});

	fake_store_reach(&w->store, true);
	STEPS(w, "job", "", "done=1");
	ck_assert(!TAILQ_EMPTY(&w->dispatch->unsure));
	WAIT_FOR(w, "ack");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

/* --- numbers and handlers ---------------------------------------------- */

START_TEST(a_number_is_not_given_again_to_the_next_job)
{
	struct worker *w = worker_begin();
	uint32_t number;

	ENDLESS(w);
	number = worker_job(w)->run.number;
	ck_assert_ptr_eq(job_find(w->dispatch, number), worker_job(w));
	WAIT_FOR(w, "running");
	worker_cancel(w, "t1");
	FAKE_WAIT(&w->store, w->dispatch->n_jobs == 0);
	ck_assert_ptr_null(job_find(w->dispatch, number));
	w->dispatch->free_hint = number & 0xff; /* the same place */
	ENDLESS(w);
	ck_assert_ptr_null(job_find(w->dispatch, number));
	ck_assert_ptr_null(job_find(w->dispatch, UINT32_MAX));
	worker_end(w);
}
END_TEST

START_TEST(there_are_numbers_for_a_thousand_jobs)
{
	struct worker *w = worker_begin();
	int i;

	for (i = 0; i < 1000; i++)
		STEPS(w, "async", "", "done=1");
	ck_assert_uint_eq(w->dispatch->n_jobs, 1000);
	FAKE_WAIT(&w->store, w->dispatch->n_jobs == 0);
	ck_assert_uint_eq(worker_count(w, "ack"), 1000);
	worker_end(w);
}
END_TEST

START_TEST(held_jobs_find_their_new_handlers_after_a_reload)
{
	static const char *const modules[] = {
	    "ready={\"tasks\":[{\"name\":\"job\",\"queue\":\"io\","
	    "\"async\":true}]}",
	    NULL};
	const struct pool_modules next = {modules, "{}", NULL, NULL, NULL};
	struct worker *w = worker_begin();
	struct err err;

	ENDLESS(w);
	ENDLESS(w);
	FAKE_WAIT(&w->store, worker_count(w, "running; ") == 2);
	ck_assert(conf_load("/dev/null", NULL, &w->next_conf, &err) == 0);
	ck_assert_int_eq(
	    dispatch_reload(w->dispatch, w->next_conf, &next, &err), 0);
	ck_assert_int_eq(
	    dispatch_reload(w->dispatch, w->next_conf, &next, &err), -1);
	/* The io executor is full: it waits for the reload. */
	STEPS(w, "job", "", "done=1");
	ck_assert_uint_eq(w->dispatch->n_held[POOL_THREAD], 1);
	/* However long that takes. */
	TAILQ_FIRST(&w->dispatch->held[POOL_THREAD])->held_ms += 60000;
	FAKE_WAIT(&w->store, w->reloads == 1);
	ck_assert_ptr_eq(w->dispatch->conf, w->next_conf);
	ck_assert_int_eq(w->reload_err.code, ERR_NONE);
	ck_assert_uint_eq(w->dispatch->n_held[POOL_THREAD], 0);
	FAKE_WAIT(&w->store,
		  worker_count(w, "ack") + worker_count(w, "release") >= 1);
	worker_end(w);
}
END_TEST

START_TEST(a_reload_that_fails_leaves_all_as_it_was)
{
	static const char *const modules[] = {"exit=1", NULL};
	const struct pool_modules next = {modules, "{}", NULL, NULL, NULL};
	struct worker *w = worker_begin();
	const struct conf *conf = w->dispatch->conf;
	struct err err;

	ck_assert(conf_load("/dev/null", NULL, &w->next_conf, &err) == 0);
	ck_assert_int_eq(
	    dispatch_reload(w->dispatch, w->next_conf, &next, &err), 0);
	FAKE_WAIT(&w->store, w->reloads == 1);
	ck_assert_int_ne(w->reload_err.code, ERR_NONE);
	ck_assert_ptr_eq(w->dispatch->conf, conf);
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "ack");
	worker_end(w);
}
END_TEST

SUITE("dispatch-claim")
{
	TEST(a_task_that_has_expired_does_not_run);
	TEST(a_task_that_expires_later_runs);
	TEST(bytes_that_are_not_a_task_keep_their_queue_in_the_dead_list);
	TEST_LOOP(a_job_runs_where_its_handler_says, 0, 7);
	TEST(a_task_overrides_what_its_module_says);
	TEST(a_recovered_task_without_a_final_record_runs);
	TEST(a_recovered_task_whose_record_makes_no_sense_runs);
	TEST(a_recovered_task_that_has_failed_only_moves_to_the_dead_list);
	TEST(a_recovered_task_that_failed_for_no_known_reason_has_failed);
	TEST(a_recovered_task_that_was_cancelled_is_only_acknowledged);
	TEST(a_task_is_not_run_on_the_guess_that_it_had_not_ended);
	TEST(a_backend_that_is_back_is_asked_about_recovered_tasks_at_once);
	TEST(when_a_foreign_task_was_submitted_its_record_tells);
	TEST(a_foreign_task_is_run_whatever_its_record_says);
	TEST(a_task_that_comes_before_any_executor_waits);
	TEST(a_task_that_comes_before_any_executor_runs_when_there_is_one);
	TEST(a_number_is_not_given_again_to_the_next_job);
	TEST(there_are_numbers_for_a_thousand_jobs);
	TEST(held_jobs_find_their_new_handlers_after_a_reload);
	TEST(a_reload_that_fails_leaves_all_as_it_was);
}
