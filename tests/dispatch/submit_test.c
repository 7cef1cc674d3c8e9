/* SPDX-License-Identifier: MIT */
/* Tasks that handlers submit. */
#include <stdio.h>

#include "dispatch/worker.h"
#include "suite.h"

/* A job that submits a task with these members, and has the answer as its
 * result. */
static void
submit(struct worker *w, const char *members)
{
	char step[1024];

	snprintf(step, sizeof(step), "submit={\"id\":\"s1\",%s}", members);
	STEPS(w, "job", "", step);
}

#define TASK_OF(name) "\"name\":\"" name "\",\"args\":[1],\"kwargs\":{}"

/* The code that the handler was answered with. */
static void
ck_answer(struct worker *w, enum err_code code, const char *text)
{
	char answer[64];

	WAIT_FOR(w, "ack");
	snprintf(answer, sizeof(answer), "\"code\":%d", (int)code);
	ck_record(w, answer);
	ck_record(w, text);
}

/* One submission: how it is answered, and what the stores see until the job is
 * settled. */
static void
ck_submission(struct worker *w, enum err_code code, const char *text,
	      const char *journal)
{
	submit(w, TASK_OF("job"));
	ck_answer(w, code, text);
	ck_journal(w, journal);
	worker_end(w);
}

static struct worker *
begin_with_backend(void)
{
	return worker_begin_with("backend.url=redis://elsewhere");
}

/* --- what is submitted ------------------------------------------------- */

START_TEST(a_task_goes_to_the_queue_of_its_module_and_is_on_record)
{
	struct worker *w = worker_begin();

	submit(w, TASK_OF("job"));
	ck_answer(w, ERR_NONE, "\"text\":\"\"");
	ck_journal(w, "submit; success; ack; ");
	ck_assert_str_eq(w->store.submitted.data, "s1@io; ");
	ck_in(w->store.last_task, "\"submitted_at\":\"20");
	ck_assert_int_eq(w->store.last_submit.delay_ms, 0);
	ck_assert_uint_gt(w->store.last_submit.record.len, 0);
	worker_end(w);
}
END_TEST

START_TEST(a_step_of_a_workflow_comes_after_others)
{
	static const struct {
		const char *members;
		size_t n_after;
		enum flow_role role;
		size_t within; /* bytes of the ID "t1", in its own workflow */
	} steps[] = {
	    {TASK_OF("job") ",\"flow\":\"F\",\"after\":[\"a\",\"b:failure\"]",
	     2, FLOW_STEP, 2},
	    {TASK_OF("job") ",\"flow\":\"G\",\"exclusive\":true", 0, FLOW_STEP,
	     0},
	    {TASK_OF("job") ",\"flow\":\"F\",\"on\":\"failure\"", 0,
	     FLOW_ON_FAILURE, 2},
	    {TASK_OF("job"), 0, FLOW_STEP, 0},
	};
	struct worker *w = worker_begin();
	const struct broker_submit *s = &w->store.last_submit;
	char step[512];

	snprintf(step, sizeof(step), "submit={\"id\":\"s1\",%s}",
		 steps[_i].members);
	STEPS(w, "job", ",\"flow\":\"F\"", step);
	ck_answer(w, ERR_NONE, "\"text\":\"\"");
	ck_assert_uint_eq(s->n_after, steps[_i].n_after);
	ck_assert_uint_eq(s->role, steps[_i].role);
	ck_assert_uint_eq(s->within.len, steps[_i].within);
	ck_assert_uint_eq(s->flow.len, _i < 3);
	ck_assert(!s->exclusive);
	worker_end(w);
}
END_TEST

START_TEST(what_no_step_may_be_is_refused)
{
	static const char *const members[] = {
	    ",\"after\":[\"a\"]",
	    ",\"on\":\"success\"",
	    ",\"flow\":\"F\",\"after\":[\"a\"],\"on\":\"success\"",
	    ",\"flow\":\"F\",\"after\":[\"a b\"]",
	    ",\"flow\":\"F\",\"after\":[7]",
	    ",\"flow\":\"F\",\"on\":\"never\"",
	    ",\"flow\":\"F\",\"unique\":\"k\"",
	};
	struct worker *w = worker_begin();
	char text[256];

	snprintf(text, sizeof(text), TASK_OF("job") "%s", members[_i]);
	submit(w, text);
	ck_answer(w, ERR_DATA, "");
	worker_end(w);
}
END_TEST

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
#define OTHER "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

/* What its handler submits is part of the trace, unless that says of another; and
 * of none that is not valid. */
static const struct {
	const char *of_task, *given, *wanted;
} traces[] = {
    {",\"traceparent\":\"" PARENT "\",\"tracestate\":\"a=b\"", "",
     ",\"traceparent\":\"" PARENT "\",\"tracestate\":\"a=b\""},
    {",\"traceparent\":\"" PARENT "\",\"tracestate\":\"a=b\"",
     ",\"traceparent\":\"" OTHER "\"",
     ",\"traceparent\":\"" OTHER "\",\"parent\":"},
    {",\"traceparent\":\"" PARENT "\",\"tracestate\":5", ",\"traceparent\":[]",
     ",\"traceparent\":\"" PARENT "\",\"parent\":"},
    {",\"traceparent\":\"00-0-0-00\",\"tracestate\":\"a=b\"", "",
     "\"submitted_at\":"},
};

START_TEST(a_task_inherits_the_trace_of_the_one_that_submits_it)
{
	struct worker *w = worker_begin();
	char step[512];

	snprintf(step, sizeof(step), "submit={\"id\":\"s1\",%s%s}",
		 TASK_OF("job"), traces[_i].given);
	STEPS(w, "job", traces[_i].of_task, step);
	ck_answer(w, ERR_NONE, "\"text\":\"\"");
	ck_in(w->store.last_task, traces[_i].wanted);
	if (strstr(traces[_i].wanted, "traceparent") == NULL)
		ck_not_in(w->store.last_task, "trace");
	worker_end(w);
}
END_TEST

START_TEST(a_task_may_name_its_queue_priority_and_delay)
{
	struct worker *w = worker_begin();

	submit(w, TASK_OF("elsewhere") ",\"queue\":\"far\",\"priority\":-3,"
				       "\"delay\":1.2345");
	ck_answer(w, ERR_NONE, "");
	ck_in(w->store.submitted, "s1@far");
	ck_assert_int_eq(w->store.last_submit.delay_ms, 1235);
	ck_assert_int_eq(w->store.last_submit.priority, -3);
	worker_end(w);
}
END_TEST

/* So that it has waited since then, and not since it was submitted. */
START_TEST(a_task_that_is_delayed_says_when_it_is_due)
{
	struct worker *w = worker_begin();

	submit(w,
	       TASK_OF("job") ",\"at\":\"2030-03-17T17:46:40.123456+00:00\"");
	ck_answer(w, ERR_NONE, "");
	ck_assert_int_eq(w->store.last_submit.at_ms, 1900000000123);
	ck_in(w->store.last_task, "\"due_ms\":1900000000123");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_only_others_know_needs_a_queue)
{
	struct worker *w = worker_begin();

	submit(w, TASK_OF("elsewhere"));
	ck_answer(w, ERR_DATA, "name the queue");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(what_is_not_a_task_is_refused)
{
	struct worker *w = worker_begin();

	STEPS(w, "job", "", "submit=[]");
	ck_answer(w, ERR_DATA, "");
	ck_journal(w, "success; ack; ");
	worker_end(w);
}
END_TEST

START_TEST(a_delay_of_a_century_is_refused)
{
	struct worker *w = worker_begin();

	submit(w, TASK_OF("job") ",\"delay\":4e9");
	ck_answer(w, ERR_DATA, "delay is not a number of seconds");
	worker_end(w);
}
END_TEST

START_TEST(a_task_that_no_worker_would_take_is_refused)
{
	struct worker *w = worker_begin_with("worker.max_task_size=256");
	char members[600];

	snprintf(members, sizeof(members),
		 "\"name\":\"job\",\"kwargs\":{},\"args\":[\"%0300d\"]", 0);
	submit(w, members);
	ck_answer(w, ERR_DATA, "[worker] max_task_size");
	worker_end(w);
}
END_TEST

/* --- what the stores say ----------------------------------------------- */

START_TEST(the_broker_says_no)
{
	struct worker *w = worker_begin();

	err_set(&w->store.submit_err, ERR_FULL, "the queue is full");
	/* The record was part of the submission, which left nothing behind. */
	ck_submission(w, ERR_FULL, "the queue is full",
		      "submit; success; ack; ");
}
END_TEST

START_TEST(a_backend_of_its_own_has_the_record_before_the_broker_the_task)
{
	struct worker *w = begin_with_backend();

	ck_submission(w, ERR_NONE, "", "submit; success; ack; ");
}
END_TEST

START_TEST(a_task_without_a_record_is_not_submitted)
{
	struct worker *w = begin_with_backend();

	err_set(&w->store.create_err, ERR_REFUSED, "the id is in use");
	ck_submission(w, ERR_REFUSED, "the id is in use", "success; ack; ");
}
END_TEST

START_TEST(a_record_without_a_task_is_taken_away_again)
{
	struct worker *w = begin_with_backend();

	err_set(&w->store.submit_err, ERR_FULL, "full");
	ck_submission(w, ERR_FULL, "full", "submit; forget; success; ack; ");
}
END_TEST

START_TEST(a_record_of_what_may_be_queued_all_the_same_stays)
{
	struct worker *w = begin_with_backend();

	err_set(&w->store.submit_err, ERR_UNAVAILABLE, "gone");
	ck_submission(w, ERR_UNAVAILABLE, "gone", "submit; success; ack; ");
}
END_TEST

START_TEST(an_answer_for_an_executor_that_is_gone_reaches_nobody)
{
	struct worker *w = worker_begin();

	w->store.hold_submits = true;
	STEPS(w, "job", ",\"max_retries\":0,\"suspected\":1",
	      "submit={\"id\":\"s1\"," TASK_OF("job") "}", "kill=9");
	WAIT_FOR(w, "dead");
	w->store.hold_submits = false;
	STEPS(w, "job", "", "done=1");
	WAIT_FOR(w, "ack");
	ck_assert_uint_eq(w->store.n_submitted, 1);
	worker_end(w);
}
END_TEST

SUITE("dispatch-submit")
{
	TEST_LOOP(a_step_of_a_workflow_comes_after_others, 0, 4);
	TEST_LOOP(what_no_step_may_be_is_refused, 0, 7);
	TEST(a_task_goes_to_the_queue_of_its_module_and_is_on_record);
	TEST_LOOP(a_task_inherits_the_trace_of_the_one_that_submits_it, 0,
		  sizeof(traces) / sizeof(traces[0]));
	TEST(a_task_may_name_its_queue_priority_and_delay);
	TEST(a_task_that_is_delayed_says_when_it_is_due);
	TEST(a_task_that_only_others_know_needs_a_queue);
	TEST(what_is_not_a_task_is_refused);
	TEST(a_delay_of_a_century_is_refused);
	TEST(a_task_that_no_worker_would_take_is_refused);
	TEST(the_broker_says_no);
	TEST(a_backend_of_its_own_has_the_record_before_the_broker_the_task);
	TEST(a_task_without_a_record_is_not_submitted);
	TEST(a_record_without_a_task_is_taken_away_again);
	TEST(a_record_of_what_may_be_queued_all_the_same_stays);
	TEST(an_answer_for_an_executor_that_is_gone_reaches_nobody);
}
